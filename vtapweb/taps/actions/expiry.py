"""Expiry: mirrors whose time is up are taken off by a change of its own, announced a day before, carried out in the next change window.

Rule 1: vtapweb plans and applies it in its own name; everything that holds for people holds for it: rules, windows, the stop over all writes.
Rule 2: it fails open: what cannot be taken off stays mirrored, and is shown as overdue until it is gone. Rule 3: what a person cancelled is not
planned again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction

from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.change import ChangeState, StepState
from vtapweb.domain.change_input import Draft, Window
from vtapweb.domain.scope import Scope
from vtapweb.domain.window import WeeklyWindow, next_occurrence
from vtapweb.taps.actions.apply import change_apply, change_cancel
from vtapweb.taps.actions.drawing import Actor, Drawing, InvalidPlanError, NothingToPlanError, change_store, warn_of_ground
from vtapweb.taps.actions.plan import check_writes, plan_end, wish_of
from vtapweb.taps.actions.steps import skip_pending
from vtapweb.taps.models import Change, Mirror, WriteStop
from vtapweb.taps.selectors import planning
from vtapweb.taps.selectors.expiry import SOON, expiring, seen_to
from vtapweb.taps.selectors.rejudge import rejudge
from vtapweb.taps.selectors.writes import change_windows
from vtapweb.web.problem import ProblemError

AGAIN_AFTER: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
NAME: Final = "vtapweb (expiry)"

log = structlog.get_logger(__name__)


def expiry_perform(*, now: datetime) -> tuple[list[int], list[int]]:
    """Plans what expires within a day, and begins what is due; returns the changes planned and those begun. Safe to run twice."""
    planned = [change.pk for change in _plan_all(now)]
    return planned, _apply_due(now)


@transaction.atomic
def _plan_all(now: datetime) -> list[Change]:
    """One change for the mirrors of one change that expire at one time."""
    _alone(now)  # two ticks at once do not plan the same twice
    everything = Scope.everything()
    mirrors = list(expiring(everything, before=now + SOON))
    known = seen_to(everything, mirrors, now=now, again_after=AGAIN_AFTER)
    groups: dict[tuple[int | None, str, str, datetime | None], list[Mirror]] = {}
    for one in mirrors:
        if one.tap_configuration_key not in known:
            groups.setdefault((one.began_change_id, one.reason, one.ticket, one.expires_at), []).append(one)
    made = []
    for group in groups.values():
        try:
            with transaction.atomic():
                made.append(_plan(group, now))
        except (InvalidPlanError, NothingToPlanError) as refusal:
            log.warning("taps.expiry_not_planned", change=group[0].began_change_id, mirrors=len(group), why=str(refusal)[:500])
    return made


def _plan(mirrors: Sequence[Mirror], now: datetime) -> Change:
    first, actor = mirrors[0], Actor(NAME, Scope.everything())
    of = f"Expiry of change {first.began_change_id}" if first.began_change_id else f"Expiry of what {first.owner or first.began_by} adopted"
    draft = Draft("untap", reason=f"{of}: {first.reason}"[:2000], ticket=first.ticket)
    wish, problems = wish_of(draft, actor, now, is_whole=False)
    wish = replace(wish, window=next_window(first.expires_at or now, now))
    keys = {one.tap_configuration_key for one in mirrors}
    ground = planning.ground(actor.scope, nic_keys=[one.nic_key for one in mirrors], tap_keys=[one.tap_key for one in mirrors])
    drawing = Drawing(wish=wish, ground=ground, expiry_of=first.began_change, is_expiry=True, wanted_count=len(mirrors))
    if len({one.tap_key for one in mirrors}) == 1:
        drawing.tap_id, drawing.tap_name = first.tap_id, first.tap_name
    plan_end(drawing, actor, [one for many in ground.configurations.values() for one in many if one.key in keys])
    check_writes(drawing, [one.nic.key for one in drawing.work], actor, problems)
    if problems:
        raise InvalidPlanError(problems.by_field)
    warn_of_ground(drawing, actor.scope)
    return change_store(drawing=drawing, actor=actor, now=now)


def next_window(expires_at: datetime, now: datetime) -> Window | None:
    """The first change window that is open at or after the expiry; where there are none at all, the day from the expiry on. None: now."""
    start = max(expires_at, now)
    rows = change_windows(Scope.everything())
    found = [(next_occurrence([WeeklyWindow(frozenset(row.weekdays), row.opens, row.closes, row.zone)], now=start), row.zone) for row in rows]
    opening = sorted((one.opens_at, one.closes_at, zone) for one, zone in found if one is not None)
    if opening:
        opens_at, closes_at, zone = opening[0]
        return Window(max(opens_at, start), closes_at, zone)
    return Window(expires_at, expires_at + SOON, "UTC") if expires_at > now else None


def _apply_due(now: datetime) -> list[int]:
    begun: list[int] = []
    for change in Change.objects.filter(state=ChangeState.PLANNED, plan__is_expiry=True).order_by("pk"):
        if change.window_closes_at is not None and change.window_closes_at <= now:
            _postpone(change, now)
        if change.window_opens_at is None or change.window_opens_at <= now:
            begun += _apply(change) if _is_still_due(change, now) else []
    return begun


def _postpone(change: Change, now: datetime) -> None:
    """The window passed without it (writes were off, or vtapweb was): the next one."""
    window = next_window(change.window_opens_at or now, now)
    change.window_opens_at = window.opens_at if window else None
    change.window_closes_at = window.closes_at if window else None
    times = {"window_opens_at": change.window_opens_at, "window_closes_at": change.window_closes_at}
    Change.objects.filter(pk=change.pk, state=ChangeState.PLANNED).update(**times)  # somebody may have begun or cancelled it meanwhile


@transaction.atomic
def _is_still_due(change: Change, now: datetime) -> bool:
    """Whether any of its mirrors is still to end. One that was made anew since it was planned, with another end or none, is left alone."""
    _alone(now)
    due = set(expiring(Scope.everything(), before=now + MINUTE).values_list("tap_configuration_key", flat=True))
    held = Change.objects.select_for_update().get(pk=change.pk)
    if held.state != ChangeState.PLANNED:
        return False
    steps = list(held.steps.filter(state=StepState.PENDING))
    renewed = [step.pk for step in steps if step.target_key not in due]
    if len(renewed) == len(steps):
        change_cancel(change=held, acting_user=_own(), reason="None of its mirrors is to end any more.")
        return False
    if renewed:
        skip_pending(held, code="not_expired", reason="It is not mirrored any more, or anew with another end.", step_ids=renewed)
    return True


def _apply(change: Change) -> Iterable[int]:
    """The change's number where it begins. What moved since the plan is taken as it is: what is refused by now is skipped and stays overdue."""
    own = _own()
    try:
        change_apply(change=change, acting_user=own, accepted_digest=rejudge(change, scope=change.planner_scope).digest)
    except ProblemError as refusal:
        log.warning("taps.expiry_not_applied", change=change.pk, why=refusal.detail)
        return []
    return [change.pk]


def _alone(now: datetime) -> None:
    """The lock that every click takes first, until the end of the transaction."""
    WriteStop.objects.bulk_create([WriteStop(pk=1, by="vtapweb", at=now)], ignore_conflicts=True)
    WriteStop.objects.select_for_update().get(pk=1)


def _own() -> Viewer:
    return Viewer(name=NAME, role=Role.OPERATOR, scope=Scope.everything())
