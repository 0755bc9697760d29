"""What is wrong, as a wall shows it: open alarms, the states of collectors as judged, what nothing arrives from, how old the inventory is.

Read again whenever something happened, and every few seconds, because a judgement goes stale by itself. What depends on the very second (spans in
sentences, mutes that end) is worked out from it when a picture is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Case, Q, Value, When

from vtapweb.domain.scope import Scope
from vtapweb.inventory.freshness import Freshness, freshness
from vtapweb.traffic.models import Alarm, HealthLease
from vtapweb.traffic.selectors.alarms import AlarmCounts, AlarmFilter, AlarmView, alarm_counts, alarm_view, alarms
from vtapweb.traffic.selectors.health import JUDGED_WITHIN, Health, collector_health
from vtapweb.traffic.selectors.silence import silent_nics
from vtapweb.wall.ticker import short

MOST_ALARMS: Final = 20
MOST_BEFORE: Final = 5
SENTENCE_MAX: Final = 400
RANK: Final = {Alarm.Severity.ALARM.value: 0, Alarm.Severity.WARNING.value: 1, Alarm.Severity.NOTICE.value: 2}


@dataclass(frozen=True, slots=True)
class Judged:
    """`alarms` the worst and newest of all that are open, those that somebody has seen or muted last. `lease` None: nobody ever judged.

    `is_late`: when this was read nobody had judged for so long that it was history.
    """

    alarms: Sequence[Alarm]
    counts: AlarmCounts
    health: Mapping[str, Health]
    silent_count: int
    freshness: Freshness
    lease: HealthLease | None
    is_late: bool


def judged(scope: Scope, *, now: datetime) -> Judged:
    """Nine queries."""
    stepped_back = Q(muted_until__gt=now) | ~Q(acknowledged_by="")
    rank = Case(*[When(severity=name, then=Value(place)) for name, place in RANK.items()], default=Value(len(RANK)))
    rows = alarms(scope, AlarmFilter(state="open")).defer("finding_keys", "related_keys", "note", "mute_reason")
    lease = HealthLease.objects.filter(pk=1).defer("memory").first()  # before the alarms, which are never older than what it says
    rows = rows.order_by(Case(When(stepped_back, then=Value(1)), default=Value(0)), rank, "-opened_at", "-number")
    return Judged(
        alarms=list(rows[:MOST_ALARMS]),
        counts=alarm_counts(scope, now=now),
        health=collector_health(scope, now=now),
        silent_count=len(silent_nics(scope)),
        freshness=freshness(scope),
        lease=lease,
        is_late=lease is not None and lease.evaluated_at is not None and now - lease.evaluated_at > JUDGED_WITHIN,
    )


def alarm_line(scope: Scope, alarm: Alarm, *, now: datetime) -> dict[str, Any]:
    """One alarm of a picture, with what `scope` may read of it; no query. `rules` and `subject` are for masking and for colours."""
    view = alarm_view(scope, alarm, now=now)
    return {
        "number": alarm.number,
        "spoken": alarm.spoken,
        "severity": alarm.severity,
        "rules": alarm.rule_ids,
        "subject": alarm.subject_kind,
        "title": short(view.title),
        "sentence": short(view.sentence, SENTENCE_MAX),
        "opened_ms": unix_ms(alarm.opened_at),
        "changed_ms": unix_ms(alarm.changed_at),
        "owner": short(alarm.owner),
        "is_taken": bool(alarm.owner),
        "is_acknowledged": bool(alarm.acknowledged_by),
        "is_muted": view.is_muted,
        "muted_until_ms": unix_ms(alarm.muted_until) if view.is_muted else None,
        "broken_hop": _broken_hop(scope, view),
        "child_count": sum(not one["ended"] for one in view.children),
        "happened_before": [
            {"at_ms": unix_ms(datetime.fromisoformat(one["at"])), "words": short(one["words"])} for one in view.happened_before[:MOST_BEFORE]
        ],
        "collector": "" if view.is_hidden else alarm.collector_key,
        "qr": f"/wall/qr/{alarm.number}",
    }


def _broken_hop(scope: Scope, view: AlarmView) -> dict[str, Any] | None:
    hop = view.alarm.broken_hop
    if hop is None or view.is_hidden or not (scope.allows(hop.get("subscription_id") or "") or not hop.get("subscription_id")):
        return None
    since = hop.get("since")
    return {
        "kind": hop["kind"], "name": short(hop["name"]), "words": short(hop["words"]),
        "since_ms": unix_ms(datetime.fromisoformat(since)) if since else None,
    }  # fmt: skip


def unix_ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
