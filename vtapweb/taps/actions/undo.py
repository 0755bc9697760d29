"""Undo and retry: changes planned from another one. Both judge anew, and both tell what they do not touch, and why.

Rule 1: an undo takes back only what is still as the change left it; whatever somebody did since stays. Rule 2: what Azure had as wanted before we
sent anything is not our doing, and no undo touches it. Rule 3: a retry is for steps that failed, and those that waited for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.viewer import Viewer
from vtapweb.domain import arm_request
from vtapweb.domain.arm_id import arm_key, name_in
from vtapweb.domain.change import FINAL_CHANGE_STATES, RUNNING_CHANGE_STATES, StepState
from vtapweb.domain.change_input import Draft
from vtapweb.domain.tap_body import destination_of_body, tap_of_body
from vtapweb.inventory.models import NetworkInterface, ResourceChange, TapConfiguration
from vtapweb.taps.actions.drawing import Actor, Drawing, InvalidPlanError, NothingToPlanError, Refusal, Write, change_store, warn_of_ground
from vtapweb.taps.actions.plan import Move, before_of_tap, check_tap, check_unused, check_writes, plan_begin, plan_end, plan_move, wish_of
from vtapweb.taps.models import Change, ChangeStep
from vtapweb.taps.selectors import planning
from vtapweb.taps.selectors.changes import changes, steps_of
from vtapweb.taps.selectors.facts import ProposedTap


class NotEndedError(ValueError):
    """The change is not in a state in which it can be undone or retried."""


@dataclass(frozen=True, slots=True)
class Again:
    """What may be said of an undo or a retry: as in a `Draft`; "" and None leave it as it is usual."""

    reason: str = ""
    ticket: str = ""
    expires_at: str = ""
    window: str | Mapping[str, Any] = ""
    first: Any = None
    wave: Any = None
    settle_s: Any = None


@dataclass(slots=True)
class _Want:
    """What is wanted, sorted by what it takes."""

    begins: list[tuple[NetworkInterface, str]] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    ends: list[TapConfiguration] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    left_out: list[Refusal] = field(default_factory=list)


def change_undo(
    *, change: Change, acting_user: Viewer, again: Again | None = None, request: HttpRequest | None = None, now: datetime | None = None
) -> Change:
    """A planned change that is the inverse of this one.

    Raises NotEndedError unless the change has ended and did something, InvalidPlanError, NothingToPlanError where nothing is as it left it.
    """
    at, actor = now or timezone.now(), Actor.of(acting_user, request)
    steps = [one for one in _steps(change, actor) if one.state == StepState.VERIFIED]
    if not steps:
        raise NotEndedError(f"Change {change.pk} did nothing, so there is nothing to undo.")
    if changes(actor.scope).filter(undo_of=change, state__in=sorted(RUNNING_CHANGE_STATES)).exists():
        raise NotEndedError(f"An undo of change {change.pk} is under way.")
    by_nic = _by_nic(steps)
    of_tap = [one for one in steps if not one.nic_key]
    ground = planning.ground(actor.scope, nic_keys=by_nic, tap_keys=_tap_keys(steps))
    made = frozenset(one.target_key for one in of_tap if one.action == "delete")
    want = _undone(ground, by_nic, _seen_since(actor, change, steps), made)
    return _planned(change, actor, again or Again(), at, ground, want, _inverse_of_tap(of_tap), "undo")


def change_retry(
    *, change: Change, acting_user: Viewer, again: Again | None = None, request: HttpRequest | None = None, now: datetime | None = None
) -> Change:
    """A planned change of what failed in this one, judged anew. Raises as `change_undo` does."""
    at, actor = now or timezone.now(), Actor.of(acting_user, request)
    every = _steps(change, actor)
    steps = [one for one in every if not one.is_return and (one.state == StepState.FAILED or one.skip_code == "step_before")]
    if not steps:
        raise NotEndedError(f"Nothing failed in change {change.pk}.")
    keys = {one.nic_key for one in steps if one.nic_key}
    by_nic = _by_nic([one for one in every if one.nic_key in keys and not one.is_return])
    ground = planning.ground(actor.scope, nic_keys=by_nic, tap_keys=_tap_keys(every))
    want = _wanted_again(ground, by_nic, is_move=change.action == "move")
    return _planned(change, actor, again or Again(), at, ground, want, [_Tap(one, is_inverse=False) for one in steps if not one.nic_key], "retry")


def _steps(change: Change, actor: Actor) -> list[ChangeStep]:
    if change.state not in FINAL_CHANGE_STATES:
        raise NotEndedError(f"Change {change.pk} is {change.state.replace('_', ' ')}; it can be undone or retried when it has ended.")
    return steps_of(actor.scope, change)


def _by_nic(steps: Sequence[ChangeStep]) -> dict[str, list[ChangeStep]]:
    found: dict[str, list[ChangeStep]] = {}
    for step in steps:
        if step.nic_key:
            found.setdefault(step.nic_key, []).append(step)
    return found


def _tap_of(step: ChangeStep) -> str:
    """The TAP that a step mirrors to, or away from which it takes the NIC; the TAP itself of a step about one."""
    if not step.nic_key:
        return step.target_id
    return tap_of_body(step.body) if step.action == "put" else str(step.before.get("tap_id") or "")


def _tap_keys(steps: Sequence[ChangeStep]) -> list[str]:
    return [arm_key(tap_id) for tap_id in {_tap_of(one) for one in steps} if tap_id]


# -- what is still as the change left it


def _seen_since(actor: Actor, change: Change, steps: Sequence[ChangeStep]) -> dict[str, datetime]:
    """{key of a TAP configuration: when a sync last saw it change since the change began}; one query."""
    keys = [one.target_key for one in steps]
    rows = ResourceChange.objects.filter(key__in=keys, at__gte=change.started_at or change.created_at).order_by("pk")
    return {key: at for key, subscription_id, at in rows.values_list("key", "subscription_id", "at") if actor.scope.allows(subscription_id)}


def _undone(ground: planning.Ground, by_nic: Mapping[str, Sequence[ChangeStep]], seen: Mapping[str, datetime], made_taps: frozenset[str]) -> _Want:
    """What takes each NIC back to where it was; `made_taps` are those that the undo itself makes again."""
    want = _Want()
    for key, steps in by_nic.items():
        first, last = steps[0], steps[-1]
        nic = ground.nics.get(key)
        if nic is None or nic.removed_at:
            want.left_out.append(_untouched(first, "the NIC is gone"))
            continue
        came_from = str(first.before.get("tap_id") or "")
        left_at = tap_of_body(last.body) if last.action == "put" else ""
        mine = ground.configurations.get(key, [])
        there = next((one for one in mine if one.key == last.target_key), None)
        if arm_key(came_from) == arm_key(left_at):
            want.left_out.append(_untouched(first, "it is back where it was"))
        elif left_at and (there is None or there.virtual_network_tap_key != arm_key(left_at)):
            want.left_out.append(_untouched(first, _what_happened(ground, there or (mine[0] if mine else None), seen.get(last.target_key))))
        elif not left_at and mine:
            want.left_out.append(_untouched(first, _what_happened(ground, mine[0], seen.get(mine[0].key))))
        elif came_from and arm_key(came_from) not in made_taps and (gone := _gone_tap(ground, came_from)):
            want.left_out.append(_untouched(first, gone))
        elif there is not None and came_from:
            want.moves.append(Move(nic, there, came_from, first.target_id))
        elif there is not None:
            want.ends.append(there)
        else:
            want.begins.append((nic, came_from))
            want.ids[nic.key] = first.target_id
            others = {one.target_key for one in steps} - {first.target_key}
            if not left_at and others:
                want.left_out.append(
                    _untouched(last, f"it had {len(others) + 1} mirrors, and Azure allows one: only {name_in(first.target_id)} is made again")
                )
    return want


def _gone_tap(ground: planning.Ground, tap_id: str) -> str:
    tap = ground.taps.get(arm_key(tap_id))
    return "" if tap and tap.removed_at is None else f"its TAP {name_in(tap_id)} is gone"


def _what_happened(ground: planning.Ground, now_there: TapConfiguration | None, at: datetime | None) -> str:
    when = f" at {at:%H:%M} UTC on {at:%d %b %Y}" if at else ""
    if now_there is None:
        return f"its mirror was removed outside of this change{when}"
    return f"re-pointed to {ground.tap_name(now_there.virtual_network_tap_id)} outside of this change{when}"


def _untouched(step: ChangeStep, why: str) -> Refusal:
    return Refusal(step.nic_id or step.target_id, step.nic_name or name_in(step.target_id), "not-as-left", f"Not touched: {why}.", note=why)


def _wanted_again(ground: planning.Ground, by_nic: Mapping[str, Sequence[ChangeStep]], *, is_move: bool) -> _Want:
    want = _Want()
    for key, steps in by_nic.items():
        nic = ground.nics.get(key)
        put = next((one for one in steps if one.action == "put"), None)
        off = next((one for one in steps if one.action == "delete"), None)
        if nic is None or nic.removed_at:
            want.left_out.append(_untouched(steps[0], "the NIC is gone"))
            continue
        mine = ground.configurations.get(key, [])
        target = tap_of_body(put.body) if put else ""
        if put is None:
            there = next((one for one in mine if off and one.key == off.target_key), None)
            if there is None:
                want.left_out.append(_untouched(steps[0], "it is not mirrored any more"))
            else:
                want.ends.append(there)
        elif any(one.virtual_network_tap_key == arm_key(target) for one in mine):
            want.left_out.append(_untouched(steps[0], f"it is mirrored to {ground.tap_name(target)} by now"))
        elif mine and is_move:
            want.moves.append(Move(nic, mine[0], target, put.target_id))
        else:
            want.begins.append((nic, target))
            want.ids[nic.key] = put.target_id
    return want


# -- TAPs


@dataclass(frozen=True, slots=True)
class _Tap:
    """One step about a TAP itself, to be done again or the other way round."""

    step: ChangeStep
    is_inverse: bool

    @property
    def verb(self) -> str:
        turned = {"put": "delete", "delete": "put", "patch": "patch"}
        return turned[self.step.action] if self.is_inverse else self.step.action


def _inverse_of_tap(steps: Sequence[ChangeStep]) -> list[_Tap]:
    return [_Tap(one, is_inverse=True) for one in steps]


def _plan_tap(drawing: Drawing, actor: Actor, one: _Tap, leaving: frozenset[str]) -> ProposedTap | None:
    """Adds what is to be done about the TAP; the TAP that is made, for judging its NICs."""
    step, tap = one.step, drawing.ground.taps.get(one.step.target_key)
    present = tap if tap and tap.removed_at is None else None
    if one.verb == "put":
        body: Mapping[str, Any] = step.before if one.is_inverse else {**(step.body or {}), "destination_id": destination_of_body(step.body)}
        if present:
            drawing.left_out.append(_untouched(step, "there is a TAP of this name by now"))
            return None
        location, destination = str(body.get("location") or ""), str(body.get("destination_id") or "")
        tags = {str(name): str(value) for name, value in dict(body.get("tags") or {}).items()}
        drawing.tap_first = Write(step.target_id, arm_request.tap_put(step.target_id, location=location, destination_id=destination, tags=tags))
        return ProposedTap(step.target_id, destination, location, tags)
    if present is None:
        drawing.left_out.append(_untouched(step, "the TAP is gone"))
    elif one.verb == "patch":
        wanted, left = (step.before.get("tags"), (step.body or {}).get("tags")) if one.is_inverse else ((step.body or {}).get("tags"), None)
        if one.is_inverse and dict(present.tags) != left:
            drawing.left_out.append(_untouched(step, "its tags were changed since"))
        else:
            check_tap(drawing, actor, present, is_delete=False)
            drawing.tap_last = Write(step.target_id, arm_request.tap_tags_patch(step.target_id, dict(wanted or {})), {"tags": dict(present.tags)})
    else:
        try:
            users = planning.ground(actor.scope, nic_keys=[], tap_keys=[present.key], of_taps=True).nics.values()
            check_unused(present, [nic for nic in users if nic.removed_at is None], leaving=leaving)
            check_tap(drawing, actor, present, is_delete=True, leaving=len(leaving))
        except NothingToPlanError as error:
            drawing.left_out.append(_untouched(step, str(error).rstrip(".")))
        else:
            drawing.tap_last = Write(present.arm_id, arm_request.tap_delete(present.arm_id), before_of_tap(present))
    return None


# -- putting it together


def _planned(
    change: Change, actor: Actor, again: Again, at: datetime, ground: planning.Ground, want: _Want, of_tap: Sequence[_Tap], relation: str
) -> Change:
    action = _action(change, want, of_tap)
    wish, problems = wish_of(_draft(change, again, action, relation, at), actor, at, is_whole=False)
    drawing = Drawing(wish=wish, ground=ground, left_out=list(want.left_out))
    drawing.undo_of, drawing.retry_of = (change, None) if relation == "undo" else (None, change)
    drawing.wanted_count = len(want.begins) + len(want.ends) + len(want.moves) + len(want.left_out)
    _name_tap(drawing, change, want)
    leaving = frozenset(one.network_interface_id for one in want.ends)
    proposed = None
    for one in of_tap:
        proposed = _plan_tap(drawing, actor, one, leaving) or proposed
    if want.begins or proposed:
        plan_begin(drawing, actor, want.begins, proposed, ids=want.ids)
    if want.moves:
        plan_move(drawing, actor, want.moves)
    if want.ends:
        plan_end(drawing, actor, want.ends)
    if relation == "undo" and want.begins and wish.expires_at is None:
        drawing.warn("no-end", "The mirrors that come back have no end. Name an expiry if they had one.")
    check_writes(drawing, [one.nic.key for one in drawing.work], actor, problems)
    if problems:
        raise InvalidPlanError(problems.by_field)
    warn_of_ground(drawing, actor.scope)
    return change_store(drawing=drawing, actor=actor, now=at)


def _action(change: Change, want: _Want, of_tap: Sequence[_Tap]) -> str:
    """What the new change is called: what it does to a TAP goes before what it does to NICs."""
    for one in of_tap:
        return {"put": "create_tap", "delete": "delete_tap", "patch": "update_tap_tags"}[one.verb]
    if want.moves or change.action == "move":
        return "move"
    return "untap" if want.ends or not want.begins else "tap"


def _draft(change: Change, again: Again, action: str, relation: str, at: datetime) -> Draft:
    is_kept = relation == "retry" and change.expires_at is not None and change.expires_at > at
    expires_at = again.expires_at or (change.expires_at.isoformat() if is_kept and change.expires_at else "")
    return Draft(
        action=action,
        reason=again.reason or f"{relation.capitalize()} of change {change.pk}: {change.reason}"[:2000],
        ticket=again.ticket or change.ticket,
        expires_at=expires_at,
        window=again.window,
        first=change.pace_first if again.first is None else again.first,
        wave=change.pace_wave if again.wave is None else again.wave,
        settle_s=change.settle_s if again.settle_s is None else again.settle_s,
        keep_apart=change.keep_apart,
    )


def _name_tap(drawing: Drawing, change: Change, want: _Want) -> None:
    """The TAP that the new change is about, where it is one."""
    ids = {tap_id for _, tap_id in want.begins} | {one.tap_id for one in want.moves}
    if not ids:
        ids = {one.virtual_network_tap_id for one in want.ends} or ({change.tap_id} if change.tap_id else set())
    if len({arm_key(one) for one in ids}) == 1:
        drawing.tap_id = ids.pop()
        drawing.tap_name = drawing.ground.tap_name(drawing.tap_id)
