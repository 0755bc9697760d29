"""Planning a change: what was asked for, judged by the rules, with what is refused or not known left out and said. Nothing is sent to Azure.

Rule 1: every problem with what was typed is told at once, under its field's name. Rule 2: unknown is not allowed. Rule 3: a plan is for what its
planner may see; a NIC outside of that is not there.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.viewer import Viewer
from vtapweb.domain import arm_request
from vtapweb.domain.arm_id import arm_key, parse
from vtapweb.domain.change_input import Draft, Problems, Window, Wish, check
from vtapweb.domain.plan_words import counted
from vtapweb.domain.tap_rules.judge import Verdict
from vtapweb.domain.tap_rules.rule import Finding
from vtapweb.domain.window import WeeklyWindow, next_occurrence
from vtapweb.inventory.cells import name_of
from vtapweb.inventory.models import NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.taps.actions.drawing import (
    Actor,
    Drawing,
    InvalidPlanError,
    NicWork,
    NothingToPlanError,
    Refusal,
    Write,
    change_store,
    warn_of_ground,
)
from vtapweb.taps.models import Change, PlanKey
from vtapweb.taps.selectors import judging, planning
from vtapweb.taps.selectors.facts import ProposedTap
from vtapweb.taps.selectors.judging import Question, Reply
from vtapweb.taps.selectors.writes import change_windows, writes_states

# Rules whose warning the plan tells in its own words.
_TOLD_OTHERWISE: Final = frozenset({"downtime"})


def settle_default_s() -> int:
    """How long to wait between two waves unless said otherwise: Azure may cut a VM off for up to 60 s, the simulator does not."""
    return 2 if settings.CLOUD == "simulator" else 60


def change_plan(
    *, draft: Draft, acting_user: Viewer, request: HttpRequest | None = None, idempotency_key: str = "", now: datetime | None = None
) -> Change:
    """The stored plan. With an `idempotency_key` the same person gets the same change for the same draft, however often it is sent.

    Raises InvalidPlanError for what cannot be planned as typed, NothingToPlanError where every part is refused or not known.
    """
    at = now or timezone.now()
    actor = Actor.of(acting_user, request)
    if not idempotency_key:
        return change_store(drawing=draw(draft=draft, actor=actor, now=at), actor=actor, now=at)
    owner, digest = _owner(acting_user), _digest(draft)
    known = PlanKey.objects.filter(owner=owner, key=idempotency_key).select_related("change").first()
    if known is None:
        drawing = draw(draft=draft, actor=actor, now=at)
        try:
            with transaction.atomic():
                change = change_store(drawing=drawing, actor=actor, now=at)
                PlanKey.objects.create(owner=owner, key=idempotency_key, digest=digest, change=change, created_at=at)
                return change
        except IntegrityError:  # the same request came twice at once, and the other one was first
            known = PlanKey.objects.select_related("change").get(owner=owner, key=idempotency_key)
    if known.digest != digest:
        raise InvalidPlanError({"Idempotency-Key": [f"This key was used for another plan, change {known.change_id}. Take a new one."]})
    return known.change


def _owner(viewer: Viewer) -> str:
    return f"token:{viewer.token.pk}" if viewer.token else f"user:{viewer.user.pk if viewer.user else ''}"


def _digest(draft: Draft) -> str:
    return hashlib.sha256(json.dumps(asdict(draft), sort_keys=True, default=str).encode()).hexdigest()


def draw(*, draft: Draft, actor: Actor, now: datetime) -> Drawing:
    """The change that this draft comes to, not stored yet. Raises as `change_plan` does."""
    wish, problems = wish_of(draft, actor, now)
    tap = planning.tap_of(actor.scope, wish.tap) if wish.tap and "tap" not in problems.by_field else None
    if wish.tap and "tap" not in problems.by_field and (tap is None or tap.removed_at):
        problems.add("tap", _gone("TAP", wish.tap, tap.removed_at if tap else None))
    taken = tap if tap and not tap.removed_at else None
    # An untap of a whole TAP names no NICs, and a deletion must know them: both look at what the TAP has.
    is_of_tap = wish.action in {"untap", "delete_tap"} and not wish.nics
    nic_keys = [arm_key(one) for one in wish.nics]
    ground = planning.ground(actor.scope, nic_keys=nic_keys, tap_keys=[taken.key] if taken else [], of_taps=is_of_tap)
    _check_nics(wish, ground, problems)
    drawing = Drawing(wish=wish, ground=ground, tap_id=taken.arm_id if taken else "", tap_name=taken.name if taken else "")
    proposed = _proposed(drawing, actor, problems) if wish.action == "create_tap" else None
    if problems:
        check_writes(drawing, nic_keys, actor, problems)
        raise InvalidPlanError(problems.by_field)
    nics = [ground.nics[key] for key in (nic_keys or list(ground.nics))]
    drawing.wanted_count = len(nics)
    match wish.action:
        case "tap" | "create_tap":
            plan_begin(drawing, actor, [(nic, drawing.tap_id) for nic in nics], proposed)
        case "untap":
            plan_end(drawing, actor, _configurations(drawing, nics))
        case "move":
            plan_move(drawing, actor, moves_to(drawing, nics))
        case "update_tap_tags" if taken:
            _plan_tags(drawing, actor, taken)
        case "delete_tap" if taken:
            _plan_delete(drawing, actor, taken)
    check_writes(drawing, [one.nic.key for one in drawing.work], actor, problems)
    if problems:
        raise InvalidPlanError(problems.by_field)
    warn_of_ground(drawing, actor.scope)
    return drawing


# -- what was typed, against what there is


def wish_of(draft: Draft, actor: Actor, now: datetime, *, is_whole: bool = True) -> tuple[Wish, Problems]:
    """The checked wish with the time of its window, and what is wrong with it."""
    wish, problems = check(draft, now=now, settle_default_s=settle_default_s(), is_whole=is_whole)
    return _with_window(wish, actor, now, problems), problems


def _with_window(wish: Wish, actor: Actor, now: datetime, problems: Problems) -> Wish:
    """The wish with the next time that the window it names is open."""
    if not wish.window_name:
        return wish
    row = change_windows(actor.scope).filter(name=wish.window_name).first()
    if row is None:
        problems.add("window", f"There is no change window {wish.window_name[:60]!r}.")
        return wish
    found = next_occurrence([WeeklyWindow(frozenset(row.weekdays), row.opens, row.closes, row.zone)], now=now)
    if found is None:
        problems.add("window", f"The change window {row.name} never opens.")
        return wish
    return replace(wish, window=Window(found.opens_at, found.closes_at, row.zone))


def _gone(what: str, resource_id: str, removed_at: datetime | None) -> str:
    name = name_of(resource_id)
    if removed_at:
        return f"The {what} {name} is gone, removed on {removed_at:%Y-%m-%d %H:%M} UTC."
    return f"There is no {what} {name} in the inventory, or it lies outside what you may see."


def _check_nics(wish: Wish, ground: planning.Ground, problems: Problems) -> None:
    missing = 0
    for text in wish.nics:
        nic = ground.nics.get(arm_key(text))
        if nic is None or nic.removed_at:
            missing += 1
            if missing <= 10:
                problems.add("nics", _gone("NIC", text, nic.removed_at if nic else None))
    if missing > 10:
        problems.add("nics", f"{missing - 10} more are gone or not in the inventory.")


def check_writes(drawing: Drawing, nic_keys: Sequence[str], actor: Actor, problems: Problems) -> None:
    """Warns of subscriptions that may not be written to; a subscription that requires a window needs one."""
    ids = {drawing.ground.nics[key].subscription_id for key in nic_keys if key in drawing.ground.nics}
    if drawing.tap_id and (drawing.tap_first or drawing.tap_last or drawing.wish.action not in {"tap", "untap", "move"}):
        ids.add(parse(drawing.tap_id).subscription_id.lower())
    for state in writes_states(actor.scope, sorted(ids)).values():
        if state.requires_window and drawing.wish.window is None:
            problems.add("window", f"Subscription {state.subscription_id} is changed within a change window only; choose one.")
        if state.refusal:
            drawing.warn("writes-off", state.refusal)


# -- mirrors that begin


def plan_begin(
    drawing: Drawing,
    actor: Actor,
    pairs: Sequence[tuple[NetworkInterface, str]],
    proposed: ProposedTap | None = None,
    *,
    ids: Mapping[str, str] | None = None,
) -> None:
    """Adds a mirror of each NIC to its TAP (by id), as far as the rules allow; `ids` are those of the configurations, by NIC."""
    questions = [Question(nic.key, to_tap=arm_key(tap_id)) for nic, tap_id in pairs]
    found, taps = judging.replies(actor.scope, questions, proposed=[proposed] if proposed else [], adding=max(1, len(pairs)))
    if proposed:
        _check_proposed(drawing, proposed, taps)
    for nic, tap_id in pairs:
        configuration = (ids or {}).get(nic.key) or arm_request.configuration_id(nic.arm_id)
        if not _is_judged(drawing, nic, found.get(nic.key), configuration):
            continue
        write = Write(configuration, arm_request.configuration_put(configuration, tap_id))
        _add(drawing, nic, (write,), found[nic.key], to_tap=tap_id)


def _check_proposed(drawing: Drawing, proposed: ProposedTap, taps: Mapping[str, Reply]) -> None:
    key = arm_key(proposed.arm_id)
    verdict = taps[key].verdict
    if verdict.allowed is not True:
        raise NothingToPlanError(f"{drawing.tap_name} can't be made.", [refusal_of(proposed.arm_id, drawing.tap_name, verdict)])
    drawing.digests[key] = taps[key].digest
    warn_of_verdict(drawing, verdict, "")


def _is_judged(drawing: Drawing, nic: NetworkInterface, reply: Reply | None, *target_ids: str) -> bool:
    """Whether this NIC's work may go into the plan; else it is left out, with why."""
    if reply is None:
        drawing.left_out.append(
            Refusal(
                nic.arm_id,
                nic.name,
                "not-judged",
                "We can't tell: the inventory does not hold enough of it.",
                "Sync, then plan again.",
                outcome="unknown",
            )
        )
    elif reply.verdict.allowed is not True:
        current = ", ".join(drawing.ground.tap_name(one.virtual_network_tap_id) for one in drawing.ground.configurations.get(nic.key, []))
        drawing.left_out.append(refusal_of(nic.arm_id, nic.name, reply.verdict, mirrored_to=current))
    elif not all(arm_request.is_addressable(one) for one in target_ids):
        drawing.left_out.append(
            Refusal(nic.arm_id, nic.name, "not-addressable", "Its ARM id holds characters that no request can carry.", note="its id can't be written")
        )
    else:
        return True
    return False


def refusal_of(resource_id: str, name: str, verdict: Verdict, *, mirrored_to: str = "") -> Refusal:
    """Why it is left out, by the first deciding rule. Raises IndexError for a verdict that allows."""
    finding: Finding = verdict.deciding[0]
    note = f"already mirrored to {mirrored_to}" if finding.rule_id == "one-config-per-nic" and mirrored_to else ""
    return Refusal(resource_id, name, finding.rule_id, finding.message, finding.remedy, finding.source, str(finding.outcome), note)


def warn_of_verdict(drawing: Drawing, verdict: Verdict, name: str) -> None:
    """Adds what one should know although it is allowed."""
    for one in verdict.warnings:
        if one.rule_id not in _TOLD_OTHERWISE:
            drawing.warn(one.rule_id, f"{one.message} {one.remedy}".strip(), [name] if name else [])


def _add(drawing: Drawing, nic: NetworkInterface, writes: tuple[Write, ...], reply: Reply, *, from_tap: str = "", to_tap: str = "") -> None:
    drawing.digests[nic.key] = reply.digest
    warn_of_verdict(drawing, reply.verdict, nic.name)
    drawing.work.append(NicWork(nic, writes, from_tap=from_tap, to_tap=to_tap))


# -- mirrors that end, or go elsewhere


def _configurations(drawing: Drawing, nics: Sequence[NetworkInterface]) -> list[TapConfiguration]:
    """The configurations that an untap takes off: all of these NICs', or those to the named TAP. NICs without one are left out."""
    tap_key = arm_key(drawing.tap_id) if drawing.tap_id else ""
    wanted = []
    for nic in nics:
        mine = drawing.ground.configurations.get(nic.key, [])
        found = [one for one in mine if not tap_key or one.virtual_network_tap_key == tap_key]
        wanted += found
        if not found:
            drawing.left_out.append(_not_mirrored(nic, drawing.tap_name if mine else ""))
    if not drawing.tap_id:
        names = {drawing.ground.tap_name(one.virtual_network_tap_id) for one in wanted}
        drawing.tap_name = names.pop() if len(names) == 1 else ""
    return wanted


def _not_mirrored(nic: NetworkInterface, tap_name: str) -> Refusal:
    to = f" to {tap_name}" if tap_name else ""
    return Refusal(nic.arm_id, nic.name, "not-mirrored", f"{nic.name} is not mirrored{to}.", note=f"not mirrored{to}")


def before_of(configuration: TapConfiguration) -> dict[str, Any]:
    """What an undo needs to make this configuration again."""
    return {"configuration_id": configuration.arm_id, "name": configuration.name, "tap_id": configuration.virtual_network_tap_id}


def plan_end(drawing: Drawing, actor: Actor, configurations: Sequence[TapConfiguration]) -> None:
    """Adds the removal of these configurations, as far as permissions and locks allow."""
    found, _ = judging.replies(actor.scope, [Question(one.network_interface_id, is_leaving=True) for one in configurations])
    for one in configurations:
        nic = drawing.ground.nics[one.network_interface_id]
        if _is_judged(drawing, nic, found.get(nic.key), one.arm_id):
            write = Write(one.arm_id, arm_request.configuration_delete(one.arm_id), before_of(one))
            _add(drawing, nic, (write,), found[nic.key], from_tap=one.virtual_network_tap_id)


@dataclass(frozen=True, slots=True)
class Move:
    """One NIC's way from the TAP of `configuration` to another; `new_id` is the id of the configuration it gets there."""

    nic: NetworkInterface
    configuration: TapConfiguration
    tap_id: str
    new_id: str


def moves_to(drawing: Drawing, nics: Sequence[NetworkInterface]) -> list[Move]:
    """The moves of these NICs to the drawing's TAP; NICs that have no mirror, or are there, are left out."""
    moves = []
    target = arm_key(drawing.tap_id)
    for nic in nics:
        mine = drawing.ground.configurations.get(nic.key, [])
        if not mine:
            drawing.left_out.append(replace(_not_mirrored(nic, ""), remedy="Mirror it to the TAP instead of moving it."))
        elif any(one.virtual_network_tap_key == target for one in mine):
            message = f"{nic.name} is mirrored to {drawing.tap_name} already."
            drawing.left_out.append(Refusal(nic.arm_id, nic.name, "already-there", message, note="already there"))
        else:
            moves.append(Move(nic, mine[0], drawing.tap_id, mine[0].arm_id))
    return moves


def plan_move(drawing: Drawing, actor: Actor, moves: Sequence[Move]) -> None:
    """Adds for each NIC the removal of its mirror and, back to back, a new one."""
    questions = [Question(one.nic.key, to_tap=arm_key(one.tap_id), is_leaving=True) for one in moves]
    found, _ = judging.replies(actor.scope, questions, adding=max(1, len(moves)))
    for one in moves:
        old = one.configuration
        many = len(drawing.ground.configurations.get(one.nic.key, []))
        if many > 1:
            message = f"{one.nic.name} carries {many} TAP configurations; Azure allows one, so none of them can be moved."
            drawing.left_out.append(Refusal(one.nic.arm_id, one.nic.name, "one-config-per-nic", message, "Untap it, then mirror it to the TAP."))
        elif _is_judged(drawing, one.nic, found.get(one.nic.key), old.arm_id, one.new_id):
            off = Write(old.arm_id, arm_request.configuration_delete(old.arm_id), before_of(old))
            on = Write(one.new_id, arm_request.configuration_put(one.new_id, one.tap_id))
            _add(drawing, one.nic, (off, on), found[one.nic.key], from_tap=old.virtual_network_tap_id, to_tap=one.tap_id)


# -- TAPs themselves


def _proposed(drawing: Drawing, actor: Actor, problems: Problems) -> ProposedTap | None:
    """The TAP that create_tap would make, as the rules judge it; fills the drawing's first write. None where something is wrong."""
    wish = drawing.wish
    destination = planning.destination(actor.scope, wish.destination) if wish.destination and "destination" not in problems.by_field else None
    if wish.destination and destination is None and "destination" not in problems.by_field:
        problems.add("destination", _gone("collector address", wish.destination, None))
    if destination is None or {"name", "resource_group"} & set(problems.by_field):
        return None
    group_name, subscription_id = wish.resource_group, destination.row.subscription_id
    if wish.resource_group.startswith("/"):
        group = parse(wish.resource_group)
        group_name, subscription_id = group.resource_group, group.subscription_id.lower()
    row = planning.resource_group(actor.scope, subscription_id, group_name)
    if row is None:
        problems.add(
            "resource_group", f"There is no resource group {group_name} in subscription {subscription_id}, or it lies outside what you may see."
        )
        return None
    tap_id = arm_request.tap_id(subscription_id, row.name, wish.name)
    existing = planning.tap_of(actor.scope, tap_id)
    if existing and not existing.removed_at:
        problems.add("name", f"There is a TAP {existing.name} in {row.name} already.")
        return None
    drawing.tap_id, drawing.tap_name, drawing.place = tap_id, wish.name, row.name
    request = arm_request.tap_put(tap_id, location=destination.location, destination_id=destination.row.arm_id, tags=wish.tags)
    drawing.tap_first = Write(tap_id, request)
    return ProposedTap(tap_id, destination.row.arm_id, destination.location, wish.tags)


def _plan_tags(drawing: Drawing, actor: Actor, tap: VirtualNetworkTap) -> None:
    wanted, present = drawing.wish.tags, dict(tap.tags)
    if wanted == present:
        raise NothingToPlanError(f"{tap.name} has these tags already.", [])
    old, new = {name.lower(): value for name, value in present.items()}, {name.lower(): value for name, value in wanted.items()}
    changed = sum(1 for name in old.keys() & new.keys() if old[name] != new[name])
    drawing.tag_counts = (len(new.keys() - old.keys()), changed, len(old.keys() - new.keys()))
    check_tap(drawing, actor, tap, is_delete=False)
    drawing.tap_last = Write(tap.arm_id, arm_request.tap_tags_patch(tap.arm_id, wanted), {"tags": present})


def _plan_delete(drawing: Drawing, actor: Actor, tap: VirtualNetworkTap) -> None:
    sources = list(drawing.ground.nics.values())
    drawing.wanted_count = 0
    check_unused(tap, [nic for nic in sources if nic.removed_at is None])
    check_tap(drawing, actor, tap, is_delete=True)
    drawing.tap_last = Write(tap.arm_id, arm_request.tap_delete(tap.arm_id), before_of_tap(tap))


def check_unused(tap: VirtualNetworkTap, sources: Sequence[NetworkInterface], *, leaving: frozenset[str] = frozenset()) -> None:
    """Raises NothingToPlanError where NICs mirror to the TAP, `leaving` (keys of configurations that go before it) left aside."""
    staying = [nic for nic in sources if nic.key not in leaving]
    # What the TAP itself lists may lie where the planner may not look: counted, not named.
    seen = {arm_key(one.arm_id) for one in sources}
    unseen = [one for one in tap.tap_configuration_ids if arm_key(one.rsplit("/", 2)[0]) not in seen]
    if not staying and not unseen:
        return
    hidden = "that you may not see"
    more = "" if not unseen else f" and {len(unseen)} {hidden}" if staying else f"{counted(len(unseen), 'NIC')} {hidden}"
    names = ", ".join(nic.name for nic in staying[:10]) + (f" and {len(staying) - 10} more" if len(staying) > 10 else "")
    message = f"{tap.name} is in use by {names}{more}. What Azure does with a TAP that is deleted in use is not verified."
    refusals = [
        Refusal(nic.arm_id, nic.name, "tap-in-use", f"{nic.name} mirrors to {tap.name}.", "Untap it first.", note=f"mirrors to {tap.name}")
        for nic in staying
    ]
    if not refusals:
        refusals = [Refusal(tap.arm_id, tap.name, "tap-in-use", message, "Have its mirrors removed first.")]
    raise NothingToPlanError(message, refusals, offer={"action": "untap", "tap": tap.arm_id})


def before_of_tap(tap: VirtualNetworkTap) -> dict[str, Any]:
    """What an undo needs to make this TAP again."""
    return {"location": tap.location, "tags": dict(tap.tags), "destination_id": tap.destination_id}


def check_tap(drawing: Drawing, actor: Actor, tap: VirtualNetworkTap, *, is_delete: bool, leaving: int = 0) -> None:
    """Notes the digest of what may be done to the TAP itself. Raises NothingToPlanError where that is refused or not known."""
    reply = judging.tap_reply(actor.scope, tap.arm_id, is_delete=is_delete, leaving=leaving)
    refusals = []
    if reply is None:
        refusals = [
            Refusal(tap.arm_id, tap.name, "not-judged", "We can't tell: the TAP is not in the inventory any more.", "Sync.", outcome="unknown")
        ]
    elif reply.verdict.allowed is not True:
        refusals = [refusal_of(tap.arm_id, tap.name, reply.verdict)]
    elif not arm_request.is_addressable(tap.arm_id):
        refusals = [Refusal(tap.arm_id, tap.name, "not-addressable", "Its ARM id holds characters that no request can carry.")]
    if refusals:
        raise NothingToPlanError(f"{tap.name} can't be {'deleted' if is_delete else 'changed'}.", refusals)
    if reply is not None:
        drawing.digests[tap.key] = reply.digest
