"""What happened of late, one line each: alarms that came and went, what people did about them, changes to Azure, syncs that found something.

Rule 1: only what the scope may read is told, and what is hidden on the alarm's page is hidden here. Rule 2: each line has a second form without any
name (`plain`), for visitors: it is made here, where what a word stands for is known, not by searching for names later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Max, Q, Sum

from vtapweb.domain.change import ChangeAction, ChangeState, StepState
from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.models import SubscriptionSync
from vtapweb.taps.models import ChangeStep
from vtapweb.taps.selectors.changes import changes
from vtapweb.traffic.models import Alarm, AlarmEvent
from vtapweb.traffic.selectors.alarms import HIDDEN_TITLE, alarms
from vtapweb.wall.rule_words import rule_words
from vtapweb.web.text import plural, visible

TOLD_OF: Final = timedelta(hours=8)
MOST: Final = 30
LONGEST: Final = 160  # characters of a line

_K = AlarmEvent.Kind
# What vtapweb saw: the kind of the line, and the word before the number.
_SEEN: Final[Mapping[str, tuple[str, str]]] = {
    _K.RAISED: ("alarm", ""),
    _K.RAISED_AGAIN: ("alarm", " again"),
    _K.WORSE: ("alarm", " is worse"),
    _K.CAUSE_FOUND: ("alarm", " has a cause"),
    _K.CLEARED: ("cleared", " is over"),
}
_DEEDS: Final[Mapping[str, str]] = {
    _K.TAKEN: "has taken", _K.RELEASED: "has given back", _K.ACKNOWLEDGED: "has acknowledged", _K.NOTED: "has written a note to",
    _K.MUTED: "has muted", _K.UNMUTED: "has ended the mute of",
}  # fmt: skip
_DONE: Final[Mapping[str, str]] = {
    ChangeAction.TAP: "added", ChangeAction.UNTAP: "taken off", ChangeAction.MOVE: "moved",
}  # fmt: skip
_TAP_DONE: Final[Mapping[str, str]] = {
    ChangeAction.CREATE_TAP: "A TAP was made",
    ChangeAction.UPDATE_TAP_TAGS: "Tags of a TAP were changed",
    ChangeAction.DELETE_TAP: "A TAP was deleted",
}  # fmt: skip
_SYNC_BAD: Final = {"partial": "incomplete", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Happened:
    """One line. `kind`: alarm, cleared, change, sync or deed; `plain` says the same without a name."""

    at: datetime
    kind: str
    severity: str
    words: str
    plain: str


def short(text: str, longest: int = LONGEST) -> str:
    """Safe to look at, and not longer than a wall can show."""
    told = visible(text[: 2 * longest])
    return told if len(told) <= longest else told[: longest - 1] + "…"


def happened(scope: Scope, *, now: datetime, name_of_tap: Mapping[str, str]) -> list[Happened]:
    """The newest of the last 8 hours, at most 30. Five queries. `name_of_tap`: the collector's name by the key of its TAP."""
    since = now - TOLD_OF
    told = [*_of_alarms(scope, since), *_of_changes(scope, since, name_of_tap), *_of_syncs(scope, since)]
    return sorted(told, key=lambda one: one.at, reverse=True)[:MOST]


def _of_alarms(scope: Scope, since: datetime) -> list[Happened]:
    rows = AlarmEvent.objects.filter(at__gte=since, kind__in=[*_SEEN, *_DEEDS])
    if not scope.is_everything:
        rows = rows.filter(alarm__in=alarms(scope).order_by().values("pk"))
    fields = ("at", "kind", "by", "alarm__number", "alarm__title", "alarm__severity", "alarm__rule_ids", "alarm__subject_subscription_ids")
    found = []
    for at, kind, by, number, title, severity, rule_ids, subject in rows.order_by("-at", "-pk").values_list(*fields)[:MOST]:
        name = title if scope.covers(subject) else HIDDEN_TITLE
        if kind in _SEEN:
            shown, what = _SEEN[kind]
            words, plain = f"A-{number}{what}: {name}", f"A-{number}{what}: {rule_words(rule_ids)}"
        else:
            shown, words, plain = "deed", f"{by or 'vtapweb'} {_DEEDS[kind]} A-{number} {name}", f"Somebody {_DEEDS[kind]} A-{number}"
        # What is over, and what somebody does, is nothing to look up for.
        found.append(Happened(at, shown, severity if shown == "alarm" else Alarm.Severity.NOTICE.value, short(words), plain))
    return found


def _of_changes(scope: Scope, since: datetime, name_of_tap: Mapping[str, str]) -> list[Happened]:
    """Changes that were carried out, wholly or in part, and those that failed."""
    ended = [ChangeState.APPLIED.value, ChangeState.PARTLY_APPLIED.value, ChangeState.FAILED.value]
    rows = list(
        changes(scope).filter(finished_at__gte=since, state__in=ended).order_by("-finished_at").only(
            "action", "state", "tap_key", "tap_name", "created_by_name", "applied_by_name", "finished_at"
        )[:MOST]
    )  # fmt: skip
    there = Q(state=StepState.VERIFIED.value) | Q(state=StepState.SKIPPED.value, skip_code="already")
    counted = ChangeStep.objects.filter(change__in=[one.pk for one in rows]).order_by().values_list("change_id")
    counts = dict(counted.annotate(done=Count("nic_key", filter=there & ~Q(nic_key=""), distinct=True)))
    found = []
    for one in rows:
        done, by = counts.get(one.pk, 0), one.applied_by_name or one.created_by_name or "vtapweb"
        goal = name_of_tap.get(one.tap_key) or one.tap_name
        if one.state == ChangeState.FAILED.value:
            words, plain = f"Change {one.pk} by {by} failed", f"Change {one.pk} failed"
        elif one.action in _DONE:
            plain = f"{plural(done, 'mirror')} {_DONE[one.action]}"
            words = f"{plain} by {by}" + (f" → {goal}" if goal and one.action != ChangeAction.UNTAP.value else "")
        else:
            plain = _TAP_DONE.get(one.action, "A change was carried out")
            words = f"{plain} by {by}: {one.tap_name}"
        if one.state == ChangeState.PARTLY_APPLIED.value:
            words, plain = f"{words}, in part", f"{plain}, in part"
        is_whole = one.state == ChangeState.APPLIED.value
        found.append(Happened(one.finished_at or since, "change", "notice" if is_whole else "warning", short(words), plain))
    return found


def _of_syncs(scope: Scope, since: datetime) -> list[Happened]:
    """Runs that found something, and those that did not come to a good end."""
    parts = SubscriptionSync.objects.filter(in_scope(scope), finished_at__gte=since)
    runs = parts.order_by().values("run_id").annotate(
        at=Max("finished_at"),
        added=Sum("added_count"),
        changed=Sum("changed_count"),
        removed=Sum("removed_count"),
        parts=Count("pk"),
        bad=Count("pk", filter=Q(state__in=list(_SYNC_BAD))),
    ).filter(Q(added__gt=0) | Q(changed__gt=0) | Q(removed__gt=0) | Q(bad__gt=0))  # fmt: skip
    found = []
    for one in runs.order_by("-at")[:MOST]:
        what = [f"{one[name]:,} {name}" for name in ("added", "changed", "removed") if one[name]]
        if one["bad"]:
            what.append(f"{one['bad']} of {plural(one['parts'], 'subscription')} not read to the end")
        words = f"Sync: {', '.join(what)}"
        found.append(Happened(one["at"], "sync", "warning" if one["bad"] else "notice", words, words))
    return found
