"""The health of collectors for map, pages and wall: the state as `manage.py watch` judged it last, or "unknown" while nobody judges."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from vtapweb.domain.causes import Subject
from vtapweb.domain.health import CollectorState
from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.traffic.models import Alarm, CollectorHealth, CollectorMaintenance, HealthLease

OWN = {Subject.COLLECTOR.value, Subject.MEMBER.value}
RANKS = [Alarm.Severity.ALARM.value, Alarm.Severity.WARNING.value, Alarm.Severity.NOTICE.value]
NO_WATCH = "Is `manage.py watch` running?"
JUDGED_WITHIN = timedelta(seconds=20)  # older than that, the judgement is history: four turns of the watch were missed


@dataclass(frozen=True, slots=True)
class Health:
    """One collector's health. `rule_ids` like ("H1",); `since` when it came into this state; `alarm` the number of its open alarm (117 of A-117).

    `sentence` is for people and whole; `judged_at` None: nobody ever judged it; `is_away`: nobody judges now, or whoever does cannot see.
    """

    state: CollectorState
    rule_ids: tuple[str, ...] = ()
    since: datetime | None = None
    sentence: str = ""
    alarm: int | None = None
    is_muted: bool = False
    maintenance_until: datetime | None = None
    judged_at: datetime | None = None
    is_away: bool = False


NOBODY = Health(CollectorState.UNKNOWN, sentence="Nobody has judged its health yet.")


class HealthByKey(dict[str, Health]):
    """Health by collector key; of a collector that nobody judged yet: unknown."""

    def __missing__(self, key: str) -> Health:
        return NOBODY


def collector_health(scope: Scope, *, now: datetime | None = None, only: str = "") -> Mapping[str, Health]:
    """The health of every collector in scope by its key, or of the `only` one, unknown for keys that nobody judged; four queries.

    Where the watch is not running or cannot see, every state is `unknown` and the sentence says since when.
    """
    now = now or timezone.now()
    lease = HealthLease.objects.filter(pk=1).defer("memory").first()
    of_one = Q(collector_key=only) if only else Q()
    works = {one.collector_key: one for one in running_maintenance(scope, now=now)}
    alarms: dict[str, Alarm] = {}
    open_ones = (
        Alarm.objects.filter(of_one, state=Alarm.State.OPEN)
        .exclude(collector_key="")
        .only("number", "collector_key", "muted_until", "severity", "subject_kind")
    )
    # What is wrong with the collector itself stands before what is wrong on the way to it; the worse and the older first.
    for alarm in sorted(open_ones, key=lambda one: (one.subject_kind not in OWN, RANKS.index(one.severity), one.number)):
        alarms.setdefault(alarm.collector_key, alarm)
    found = HealthByKey()
    for row in CollectorHealth.objects.filter(of_one, in_scope(scope)):
        alarm_of = alarms.get(row.collector_key)
        work = works.get(row.collector_key)
        health = Health(
            CollectorState(row.state),
            tuple(row.rule_ids),
            row.since,
            row.sentence,
            alarm_of.number if alarm_of else None,
            bool(alarm_of and alarm_of.muted_until and alarm_of.muted_until > now),
            work.ends_at if work else None,
            lease.evaluated_at if lease else None,
        )
        found[row.collector_key] = _as_far_as_known(health, lease, now)
    return found


def _as_far_as_known(health: Health, lease: HealthLease | None, now: datetime) -> Health:
    """Unknown, with the reason, while nobody judges or whoever does cannot see."""
    if lease is None or lease.evaluated_at is None:
        return NOBODY
    if lease.blind_since is not None:
        sentence = f"We cannot see since {lease.blind_since:%H:%M:%S} UTC: {lease.blind_reason}"
        return replace(health, state=CollectorState.UNKNOWN, rule_ids=(), since=lease.blind_since, sentence=sentence, is_away=True)
    if now - lease.evaluated_at > JUDGED_WITHIN:
        sentence = f"Nobody has judged its health since {lease.evaluated_at:%H:%M:%S} UTC. {NO_WATCH}"
        return replace(health, state=CollectorState.UNKNOWN, rule_ids=(), since=lease.evaluated_at, sentence=sentence, is_away=True)
    return health


def running_maintenance(scope: Scope, *, now: datetime) -> list[CollectorMaintenance]:
    """Maintenance in scope that goes on at `now`, the one that ends last first; one query."""
    return list(
        CollectorMaintenance.objects.filter(in_scope(scope), Q(ended_at=None) | Q(ended_at__gt=now), starts_at__lte=now, ends_at__gt=now).order_by(
            "-ends_at"
        )
    )
