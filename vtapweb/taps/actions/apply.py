"""What people do to a change: apply, pause, continue, cancel. Shape: check, write, audit, announce after commit.

Rule 1: apply judges again at the click, from the inventory; a world that moved since the plan is told (409 with `differences` and `digest`), and
who sends the digest back has been asked again. Rule 2: one click is one transaction under one lock, so of two changes that aim at one NIC the
second is told at its click.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.guards import role_check
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.change import IN_FLIGHT_STEP_STATES, RUNNING_CHANGE_STATES, ChangeState, StepState, Wait, moved_change
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_body import tap_of_body
from vtapweb.events.bus import record_event
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.events.types import ChangeEvent
from vtapweb.taps.actions.advance import change_finish
from vtapweb.taps.actions.steps import skip_pending, tell
from vtapweb.taps.models import HALF_DONE, Change, ChangeStep, WriteStop
from vtapweb.taps.selectors.changes import written_subscriptions
from vtapweb.taps.selectors.rejudge import Rejudged, rejudge
from vtapweb.taps.selectors.writes import writes_states
from vtapweb.web.problem import ProblemError


def _opened(change: Change, acting_user: Viewer) -> Change:
    """The change's row, locked, when this viewer may act on it. Raises ProblemError 403, and 404 for what is outside of the scope."""
    role_check(acting_user, Role.OPERATOR)
    # One lock for all clicks: two that aim at the same NIC see each other.
    WriteStop.objects.bulk_create([WriteStop(pk=1, by="vtapweb", at=timezone.now())], ignore_conflicts=True)
    WriteStop.objects.select_for_update().get(pk=1)
    found = Change.objects.select_for_update().get(pk=change.pk)
    if not acting_user.scope.covers(found.subscription_ids):
        raise ProblemError(404, "Nothing here", "There is no such change among those that you may see.")
    return found


def _wrong_state(change: Change, verb: str) -> ProblemError:
    return ProblemError(409, f"Can't be {verb}", f"Change {change.pk} is {change.get_state_display().lower()}.", state=change.state)


@transaction.atomic
def change_apply(*, change: Change, acting_user: Viewer, accepted_digest: str = "", request: HttpRequest | None = None) -> Change:
    """Begin to carry out a planned change; returns it, applying. Nothing was sent when this returns: workers do that.

    Raises ProblemError: 403 for a lesser role; 409 when it is not planned, writes are off, its window is over or missing, another change is at
    one of its NICs or TAPs (`conflicts`), or the world moved since the plan (`differences`, `digest`) and `accepted_digest` is not that digest.
    """
    found = _opened(change, acting_user)
    if found.state != ChangeState.PLANNED:
        raise _wrong_state(found, "applied")
    now = timezone.now()
    _check_writes(found, now)
    _check_conflicts(found, acting_user.scope)
    moved = rejudge(found, scope=found.planner_scope)
    _check_seen(moved, accepted_digest)
    found.state = moved_change(found.state, ChangeState.APPLYING)
    found.applied_at = found.asked_at = found.next_due_at = now
    found.applied_by, found.applied_by_name = acting_user.user, acting_user.name[:200]
    found.stop_code = found.stop_reason = ""
    found.save()
    _take_as_seen(found, moved)
    detail = {"action": found.action, "tap": found.tap_id, "ticket": found.ticket, "steps": found.steps.count(), "differences": found.differences}
    return _done(found, "taps.change_started", acting_user, request, detail=detail, reason=found.reason)


@transaction.atomic
def change_pause(*, change: Change, acting_user: Viewer, request: HttpRequest | None = None) -> Change:
    """Send no further step; what was sent already ends as it does. Raises ProblemError 403, 409 when it is not applying."""
    found = _opened(change, acting_user)
    if found.state != ChangeState.APPLYING:
        raise _wrong_state(found, "paused")
    found.state = moved_change(found.state, ChangeState.PAUSED)
    found.stop_code, found.stop_reason = "person", f"Paused by {acting_user.name}."
    found.next_due_at = timezone.now()
    found.save()
    return _done(found, "taps.change_paused", acting_user, request)


@transaction.atomic
def change_continue(*, change: Change, acting_user: Viewer, accepted_digest: str = "", request: HttpRequest | None = None) -> Change:
    """Go on with a paused change: targets are read again first; what waited for preparation is sent again.

    Raises ProblemError as `change_apply` does; `differences` are those since the plan, or since somebody last accepted some.
    """
    found = _opened(change, acting_user)
    if found.state != ChangeState.PAUSED or found.is_cancel_requested:
        raise _wrong_state(found, "continued")
    now = timezone.now()
    _check_writes(found, now)
    moved = rejudge(found, scope=found.planner_scope)
    _check_seen(moved, accepted_digest)
    found.state = moved_change(found.state, ChangeState.APPLYING)
    found.asked_at = found.next_due_at = now
    found.checked_at = None
    found.stop_code = found.stop_reason = ""
    found.save()
    again = found.steps.filter(state=StepState.PENDING)
    again.filter(wait_code=Wait.PREPARATION).update(wait_code="", wait_reason="", next_at=None)
    _take_as_seen(found, moved)
    return _done(found, "taps.change_continued", acting_user, request, detail={"differences": found.differences})


@transaction.atomic
def change_cancel(*, change: Change, acting_user: Viewer, reason: str = "", request: HttpRequest | None = None) -> Change:
    """End it: what was not sent is skipped; what was, ends as it does, and then the change has ended. Nothing that was done is undone.

    One that was handed over ends, too: nobody will do it. Raises ProblemError 403, 409 when it has ended.
    """
    found = _opened(change, acting_user)
    if found.state not in {ChangeState.PLANNED, ChangeState.HANDED_OVER, *RUNNING_CHANGE_STATES}:
        raise _wrong_state(found, "cancelled")
    was = "running" if found.state in RUNNING_CHANGE_STATES else found.state
    found.is_cancel_requested = True
    found.stop_code, found.stop_reason = "cancelled", f"Cancelled by {acting_user.name}."
    found.next_due_at = timezone.now()
    found.save()
    _audit("taps.change_cancelled", found, acting_user, request, reason=reason, detail={"was": was})
    skip_pending(found, code="cancelled", reason=f"{acting_user.name} cancelled the change before this was done.")
    if was != "running":
        found.state, found.finished_at, found.next_due_at = moved_change(found.state, ChangeState.CANCELLED), timezone.now(), None
        found.save(update_fields=["state", "finished_at", "next_due_at"])
        tell(found)
        record_event(ChangeEvent(change_id=found.pk, state="cancelled", stop_code="cancelled"), subscription_ids=found.subscription_ids)
    elif not found.steps.filter(state__in=[StepState.PENDING, *IN_FLIGHT_STEP_STATES]).exists():
        change_finish(found)
    else:
        tell(found)
        enqueue_on_commit("taps.advance", change_id=found.pk)
    return found


# -- checks


def _check_writes(change: Change, now: datetime) -> None:
    """Raises ProblemError 409 when nothing may be sent for this change, now or in its window."""
    for state in writes_states(Scope.everything(), written_subscriptions(Scope.everything(), change)).values():
        if not state.is_allowed:
            raise ProblemError(409, "Writes are off", state.refusal, code="writes_stopped" if state.is_stopped else "writes_disabled")
        if state.requires_window and change.window_closes_at is None:
            text = f"Subscription {state.subscription_id} takes changes only within a change window. Plan it again with one."
            raise ProblemError(409, "A change window is needed", text, code="window_required")
    if change.window_closes_at is not None and change.window_closes_at <= now:
        raise ProblemError(409, "The window is over", "The change window that this was planned for has closed. Plan it again.", code="window_closed")


def _check_conflicts(change: Change, scope: Scope) -> None:
    """Raises ProblemError 409 naming each running change that is at one of the same NICs or TAPs, who applied it, and what of it lies in scope.

    A TAP that one change makes or deletes is not one that another one mirrors to meanwhile.
    """
    mine = list(change.steps.filter(state=StepState.PENDING))
    nics, targets = {step.nic_key for step in mine if step.nic_key}, {step.target_key for step in mine}
    open_steps = ChangeStep.objects.filter(
        state__in=[StepState.PENDING, *IN_FLIGHT_STEP_STATES], change__state__in=sorted(RUNNING_CHANGE_STATES)
    ).exclude(change=change)
    joined = {arm_key(tap_id) for step in mine if step.nic_key and (tap_id := tap_of_body(step.body))}
    at_mine = Q(nic_key__in=nics) | Q(target_key__in=targets) | (Q(nic_key="", target_key__in=joined) & ~Q(action="patch"))
    comes_and_goes = {step.target_key for step in mine if not step.nic_key and step.action != "patch"}
    if comes_and_goes:
        puts = open_steps.filter(action="put").exclude(nic_key="").values_list("pk", "body")
        at_mine |= Q(pk__in=[pk for pk, body in puts if (tap_id := tap_of_body(body)) and arm_key(tap_id) in comes_and_goes])
    found: dict[int, dict[str, Any]] = {}
    for step in open_steps.filter(at_mine).select_related("change").order_by("change_id", "ordinal"):
        other = step.change
        since = other.applied_at.isoformat() if other.applied_at else None
        one = found.setdefault(other.pk, {"change": other.pk, "by": other.applied_by_name, "since": since, "names": []})
        name = step.nic_name or step.target_id if scope.allows(step.subscription_id) else "what you may not see"
        if name not in one["names"]:
            one["names"].append(name)
    if found:
        parts = [f"change {one['change']}, applied by {one['by']}, is at {_some(one['names'])}" for one in found.values()]
        text = f"Another change was there first: {'; '.join(parts)}. Wait until it has ended, then apply this one: it is judged again."
        raise ProblemError(409, "Somebody else is at it", text, conflicts=list(found.values()))


def _check_seen(moved: Rejudged, accepted_digest: str) -> None:
    """Raises ProblemError 409 when the world moved and who clicks has not said that they have seen it."""
    if moved.differences and accepted_digest != moved.digest:
        many, first = len(moved.differences), moved.differences[0]
        what = "things have" if many > 1 else "thing has"
        text = f"{many} {what} moved since the plan. {first.name}: {first.message} Look at what changed, then decide."
        raise ProblemError(409, "The world has moved", text, differences=[one.as_json() for one in moved.differences], digest=moved.digest)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


# -- what follows


def _take_as_seen(change: Change, moved: Rejudged) -> None:
    """The differences were accepted: they are what the change is held to from now on, and what is refused by them is skipped."""
    if not moved.differences:
        return
    change.differences = [one.as_json() for one in moved.differences]
    change.plan = {**change.plan, "digests": moved.digests}
    change.save(update_fields=["differences", "plan"])
    for one in moved.differences:
        if one.is_refused:
            about = Q(nic_key=one.nic_key) | Q(nic_key="", target_key=one.nic_key)
            steps = change.steps.filter(about, state=StepState.PENDING).exclude(HALF_DONE).values_list("pk", flat=True)
            skip_pending(change, code="refused", reason=one.message, step_ids=list(steps))


def _done(
    change: Change, action: str, acting_user: Viewer, request: HttpRequest | None, *, detail: dict[str, Any] | None = None, reason: str = ""
) -> Change:
    _audit(action, change, acting_user, request, reason=reason, detail=detail)
    tell(change)
    enqueue_on_commit("taps.advance", change_id=change.pk)
    record_event(
        ChangeEvent(change_id=change.pk, state=change.state, stop_code=change.stop_code),  # type: ignore[arg-type] # the choices are the event's
        subscription_ids=change.subscription_ids,
    )
    return change


def _audit(
    action: str, change: Change, acting_user: Viewer, request: HttpRequest | None, *, reason: str = "", detail: dict[str, Any] | None = None
) -> None:
    told = {"ticket": change.ticket, **(detail or {})}
    audit_record(action=action, acting_user=acting_user, target=f"change {change.pk}", reason=reason, detail=told, request=request)
