"""Drawing up a change: from operations on NICs and TAPs to stored steps in waves, with everything the plan says. Nothing here decides what is wanted.

Rule 1: a step is complete when it is stored: what is sent later is what was shown. Rule 2: a plan that would send nothing is no plan; whoever asked
is told why. Rule 3: what a plan says is worked out here, once, and stored with it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from vtapweb.access.actions import audit_record, source_ip
from vtapweb.access.models import User
from vtapweb.access.viewer import Viewer
from vtapweb.domain.arm_id import arm_key, parse
from vtapweb.domain.arm_request import ArmRequest
from vtapweb.domain.change import ChangeState, StepAction
from vtapweb.domain.change_input import Wish
from vtapweb.domain.pace import Paced, duration_s, plan_waves
from vtapweb.domain.plain_text import storable_json
from vtapweb.domain.plan_words import LeftOut, PlanFacts, Together, downtime, sentence
from vtapweb.domain.scope import Scope
from vtapweb.events.bus import record_event
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.events.types import ChangeEvent
from vtapweb.inventory.models import NetworkInterface
from vtapweb.taps.models import Change, ChangeStep
from vtapweb.taps.selectors.planning import Ground, Group, stale_subscriptions

FORECAST = frozenset({"tap", "move"})  # whose load on the collector is worked out, in a task of its own


class InvalidPlanError(ValueError):
    """What was asked for cannot be planned as it was typed. `by_field`: {field: sentences}, every problem at once."""

    def __init__(self, by_field: Mapping[str, Sequence[str]]) -> None:
        self.by_field = {name: list(sentences) for name, sentences in by_field.items()}
        super().__init__(" ".join(f"{name}: {' '.join(sentences)}" for name, sentences in self.by_field.items()))


class NothingToPlanError(ValueError):
    """Everything that was asked for is refused or not known. `left_out` says of each why; `offer` is an action that could go before."""

    def __init__(self, message: str, left_out: Sequence["Refusal"], *, offer: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.left_out = list(left_out)
        self.offer = offer


@dataclass(frozen=True, slots=True)
class Actor:
    """Who plans: a viewer, or vtapweb itself (an expiry), which sees everything."""

    name: str
    scope: Scope
    viewer: Viewer | None = None
    request: HttpRequest | None = None

    @classmethod
    def of(cls, viewer: Viewer, request: HttpRequest | None = None) -> "Actor":
        return cls(viewer.name, viewer.scope, viewer, request)

    @property
    def user(self) -> User | None:
        return self.viewer.user if self.viewer else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A NIC or TAP that is left out: the rule that decided, its sentence and what to do; `outcome` block or unknown. `note`: its few words."""

    nic: str
    name: str
    rule_id: str
    message: str
    remedy: str = ""
    source: str = "product rule"
    outcome: str = "block"
    note: str = ""

    @property
    def words(self) -> LeftOut:
        return LeftOut(self.name, self.rule_id, self.note, self.outcome == "unknown")


@dataclass(frozen=True, slots=True)
class Write:
    """One request on one target. `before` is what an undo restores: {} where nothing was there."""

    target_id: str
    request: ArmRequest
    before: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NicWork:
    """What is done about one NIC: one write, or two back to back. `from_tap` and `to_tap` are ids, "" for none."""

    nic: NetworkInterface
    writes: tuple[Write, ...]
    from_tap: str = ""
    to_tap: str = ""


@dataclass(slots=True)
class Drawing:
    """A change before it is stored. `tap_first` is done before the NICs, `tap_last` after them."""

    wish: Wish
    ground: Ground
    tap_id: str = ""
    tap_name: str = ""
    work: list[NicWork] = field(default_factory=list)
    tap_first: Write | None = None
    tap_last: Write | None = None
    left_out: list[Refusal] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    wanted_count: int = 0
    place: str = ""
    tag_counts: tuple[int, int, int] = (0, 0, 0)
    undo_of: Change | None = None
    retry_of: Change | None = None
    expiry_of: Change | None = None
    is_expiry: bool = False  # also of mirrors that were adopted, which no change of ours began

    @property
    def subscription_ids(self) -> list[str]:
        """Every subscription that is written to, that was asked about, or whose TAP is joined."""
        ids = {one.nic.subscription_id for one in self.work} | {parse(one.nic).subscription_id for one in self.left_out if one.nic.startswith("/")}
        ids |= {parse(one).subscription_id for work in self.work for one in (work.from_tap, work.to_tap) if one}
        if self.tap_id:
            ids.add(parse(self.tap_id).subscription_id)
        return sorted(one.lower() for one in ids)

    def warn(self, code: str, message: str, names: Iterable[str] = ()) -> None:
        """Adds a warning; one that was said before gains the names."""
        for one in self.warnings:
            if (one["code"], one["message"]) == (code, message):
                one["names"] = [*one["names"], *names]
                return
        self.warnings.append({"code": code, "message": message, "names": list(names)})


@dataclass(frozen=True, slots=True)
class _Row:
    """One step to be: its number in the plan, its wave, and the number of the step it follows (0: none)."""

    number: int
    wave: int
    follows: int
    write: Write
    work: NicWork | None


def change_store(*, drawing: Drawing, actor: Actor, now: datetime) -> Change:
    """The stored plan with its steps, its audit entry and its event. Raises NothingToPlanError where no request is left."""
    rows, waves = _rows(drawing)
    if not rows:
        raise NothingToPlanError("Nothing is left to do: everything asked for is refused, not known, or done already.", drawing.left_out)
    together = _together(drawing)
    plan = _plan(drawing, rows, waves, together)
    wish = drawing.wish
    with transaction.atomic():
        change = Change(
            action=wish.action,
            reason=wish.reason,
            ticket=wish.ticket,
            expires_at=wish.expires_at,
            window_opens_at=wish.window.opens_at if wish.window else None,
            window_closes_at=wish.window.closes_at if wish.window else None,
            window_zone=wish.window.zone if wish.window else "",
            pace_first=wish.first,
            pace_wave=wish.wave,
            settle_s=wish.settle_s,
            keep_apart=wish.keep_apart,
            subscription_ids=drawing.subscription_ids,
            planner_subscription_ids=None if actor.scope.subscription_ids is None else sorted(actor.scope.subscription_ids),
            tap_id=drawing.tap_id,
            tap_key=arm_key(drawing.tap_id) if drawing.tap_id else "",
            tap_name=drawing.tap_name,
            undo_of=drawing.undo_of,
            retry_of=drawing.retry_of,
            expiry_of=drawing.expiry_of,
            left_out=storable_json([asdict(one) for one in drawing.left_out]),
            plan=storable_json(plan),
            created_at=now,
            created_by=actor.user,
            created_by_name=actor.name[:200],
            is_demo=settings.CLOUD == "simulator",
        )
        change.source_ip = source_ip(request=actor.request)
        change.save(force_insert=True)
        audit_record(
            action="taps.change_planned",
            acting_user=actor.viewer,
            actor="" if actor.viewer else actor.name,
            target=f"change {change.pk}",
            reason=wish.reason,
            detail={
                "action": wish.action, "ticket": wish.ticket, "tap": drawing.tap_id, "nics": len(_by_nic(drawing)), "left_out": len(drawing.left_out),
                "requests": len(rows), "sentence": plan["sentence"],
            },
            request=actor.request,
        )  # fmt: skip
        _store_steps(change, drawing, rows)
        if change.action in FORECAST:
            enqueue_on_commit("taps.forecast", change_id=change.pk)
        record_event(ChangeEvent(change_id=change.pk, state=ChangeState.PLANNED.value), subscription_ids=change.subscription_ids)
    return change


def _rows(drawing: Drawing) -> tuple[list[_Row], int]:
    """The steps in order and how many waves they make. A TAP comes in a wave of its own before its NICs, and goes in one after them."""
    rows: list[_Row] = []
    wave = 0
    if drawing.tap_first:
        wave = 1
        rows.append(_Row(1, 1, 0, drawing.tap_first, None))
    first = len(rows)
    by_key = _by_nic(drawing)
    items = [Paced(key, frozenset(group.text for group in _groups(drawing, some[0].nic))) for key, some in by_key.items()]
    for keys in plan_waves(items, first=drawing.wish.first, wave=drawing.wish.wave):
        wave += 1
        for key in keys:
            follows = first
            for work in by_key[key]:
                for write in work.writes:
                    rows.append(_Row(len(rows) + 1, wave, follows, write, work))
                    follows = len(rows)
    if drawing.tap_last:
        wave += 1
        rows.append(_Row(len(rows) + 1, wave, len(rows), drawing.tap_last, None))
    return rows, wave


def _by_nic(drawing: Drawing) -> dict[str, list[NicWork]]:
    """The work on each NIC: more than one where a NIC loses several configurations (Azure allows one, its field is a list)."""
    found: dict[str, list[NicWork]] = {}
    for one in drawing.work:
        found.setdefault(one.nic.key, []).append(one)
    return found


def _groups(drawing: Drawing, nic: NetworkInterface) -> list[Group]:
    return drawing.ground.groups(nic, drawing.wish.keep_apart)


def _together(drawing: Drawing) -> list[Together]:
    """The groups that hold more than one VM of this plan, the largest first; each set of VMs once."""
    members: dict[Group, set[str]] = {}
    for one in drawing.work:
        for group in _groups(drawing, one.nic):
            if group.kind != "VM":
                members.setdefault(group, set()).add(drawing.ground.vm_name(one.nic))
    seen: set[frozenset[str]] = set()
    found = []
    for group, names in sorted(members.items(), key=lambda pair: (-len(pair[1]), pair[0].kind, pair[0].name)):
        if len(names) > 1 and frozenset(names) not in seen:
            seen.add(frozenset(names))
            found.append(Together(group.kind, group.name, tuple(sorted(names))))
    return found


def _plan(drawing: Drawing, rows: Sequence[_Row], waves: int, together: Sequence[Together]) -> dict[str, Any]:
    """What `Change.plan` holds: everything that was said when it was planned."""
    wish, ground = drawing.wish, drawing.ground
    vm_names = list(dict.fromkeys(ground.vm_name(one.nic) for one in drawing.work))
    by_nic = _by_nic(drawing)
    in_a_row = max((sum(len(one.writes) for one in some) for some in by_nic.values()), default=1)
    seconds = duration_s(waves, settle_s=wish.settle_s, steps_in_a_row=in_a_row)
    facts = PlanFacts(
        action=wish.action,
        wanted_count=max(drawing.wanted_count, len(by_nic)),
        nic_count=len(by_nic),
        to_name=drawing.tap_name,
        from_names=tuple({ground.tap_name(one.from_tap) for one in drawing.work if one.from_tap}),
        request_count=len(rows),
        wave_count=waves,
        duration_s=seconds,
        left_out=tuple(one.words for one in drawing.left_out),
        place=drawing.place,
        tag_counts=drawing.tag_counts,
        does_tap=drawing.tap_first is not None or drawing.tap_last is not None,
        undo_of=drawing.undo_of.pk if drawing.undo_of else None,
    )
    return {
        "sentence": sentence(facts),
        "downtime": downtime(vm_names, together, is_again=drawing.undo_of is not None),
        "vm_count": len(vm_names),
        "together": [asdict(one) for one in together],
        "warnings": drawing.warnings,
        "digests": drawing.digests,
        "wanted_count": facts.wanted_count,
        "nic_count": facts.nic_count,
        "wave_count": waves,
        "duration_s": seconds,
        "adding": sum(1 for one in drawing.work if one.to_tap),
        "forecast": None,
        **({"is_expiry": True} if drawing.is_expiry else {}),
    }


def _store_steps(change: Change, drawing: Drawing, rows: Sequence[_Row]) -> None:
    """All steps, by as many statements as steps follow one another (two or three)."""
    made: dict[int, ChangeStep] = {}
    depth: dict[int, int] = {0: -1}
    levels: dict[int, list[_Row]] = {}
    for row in rows:
        depth[row.number] = depth[row.follows] + 1
        levels.setdefault(depth[row.number], []).append(row)
    for _, level in sorted(levels.items()):
        steps = [_step(change, drawing, row, made.get(row.follows)) for row in level]
        for row, step in zip(level, ChangeStep.objects.bulk_create(steps, batch_size=500), strict=True):
            made[row.number] = step


def _step(change: Change, drawing: Drawing, row: _Row, after: ChangeStep | None) -> ChangeStep:
    nic = row.work.nic if row.work else None
    vm = drawing.ground.vms.get(nic.virtual_machine_key) if nic else None
    request = row.write.request
    return ChangeStep(
        change=change,
        ordinal=row.number,
        wave=row.wave,
        after=after,
        nic_id=nic.arm_id if nic else "",
        nic_key=nic.key if nic else "",
        nic_name=nic.name if nic else "",
        vm_key=nic.virtual_machine_key if nic else "",
        vm_name=vm.name if vm else "",
        groups=[group.text for group in _groups(drawing, nic)] if nic else [],
        target_id=row.write.target_id,
        target_key=arm_key(row.write.target_id),
        subscription_id=parse(row.write.target_id).subscription_id.lower(),
        action=StepAction(request.method.lower()),
        method=request.method,
        path=request.path,
        body=request.body,
        before=dict(row.write.before),
    )


# -- what a plan warns of


def warn_of_ground(drawing: Drawing, scope: Scope) -> None:
    """Adds what is true of the ground whatever the rules say: an inventory that may be out of date, NICs that another change is busy with."""
    for subscription, since in stale_subscriptions(scope, drawing.subscription_ids):
        drawing.warn(
            "stale-inventory",
            f"The inventory of {subscription} was not completely read since {since}; what is planned here may be out of date. "
            "Applying reads every NIC again first.",
        )
    keys = [one.nic.key for one in drawing.work]
    busy = ChangeStep.objects.filter(nic_key__in=keys, change__state__in=["applying", "paused"], state__in=["pending", "sent", "polling"])
    by_change: Counter[int] = Counter(busy.values_list("change_id", flat=True))
    for change_id, number in sorted(by_change.items()):
        drawing.warn("busy", f"Change {change_id} is under way with {number} of these NICs; whoever comes second is told what changed.")
