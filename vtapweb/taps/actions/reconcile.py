"""After a sync: the ledger learns what Azure holds, and plans that were handed over close themselves when their result is seen.

Rule 1: a row of the inventory is gone only when its `removed_at` says so, and the inventory says so only after a complete read; a list that
broke off ends nothing here. Rule 2: the order of reading is Azure's side, then what is under way, then the ledger, and what seems new is read
once more, so that a step that ends meanwhile is never taken for somebody else's work. Rule 3: safe to run twice, and at once (a lock on the
subscription's row).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.change import ChangeState, StepState, moved_change, moved_step
from vtapweb.domain.ledger import NOT_FLUX, Known, compare
from vtapweb.domain.tap_body import destination_of_body, resource_name, tap_of_body
from vtapweb.events.bus import record_event
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.events.types import ChangeEvent
from vtapweb.inventory.bulk import chunks
from vtapweb.inventory.models import Subscription, TapConfiguration, VirtualNetworkTap
from vtapweb.taps.actions.ledger import told_by_change, who_did
from vtapweb.taps.models import Change, ChangeStep, LedgerEntry, Mirror, TapLife

Asked = dict[tuple[str, str], ChangeStep]  # {(key of the NIC or TAP, what it is to be bound to or "" = gone): the step that asks for it}
State, Origin, Decision = LedgerEntry.State, LedgerEntry.Origin, LedgerEntry.Decision

SYNC_ACTOR = "sync"
NAMES_IN_AUDIT = 20
OUTSIDE_END = "Ended outside vtapweb."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """One TAP configuration or TAP as Azure holds it now; `columns` are those of its life."""

    key: str
    pair: str
    nic_key: str
    is_settled: bool
    columns: dict[str, Any]

    @property
    def subject(self) -> str:
        """What it is about: a TAP configuration's NIC, the TAP itself."""
        return self.nic_key or self.key


@dataclass
class Found:
    """What one reconciliation came to, in names."""

    unaccounted: list[str] = field(default_factory=list)
    drifted: list[str] = field(default_factory=list)
    begun_count: int = 0
    ended_count: int = 0
    closed_changes: list[int] = field(default_factory=list)

    @property
    def is_news(self) -> bool:
        return bool(self.begun_count or self.ended_count or self.closed_changes)


@transaction.atomic
def subscription_reconcile(*, subscription_id: str, now: datetime | None = None) -> Found:
    """Compare the subscription's TAP configurations and TAPs with the ledger and write what differs; returns what was found."""
    at = now or timezone.now()
    subscription_id = subscription_id.lower()
    found = Found()
    if Subscription.objects.select_for_update().only("pk").filter(pk=subscription_id).first() is None:
        return found
    mirrors, taps = _seen_configurations(subscription_id), _seen_taps(subscription_id)
    handed_over = _handed_over(subscription_id, mirrors, taps, at, found)
    _reconcile(Mirror, subscription_id, mirrors, handed_over, at, found)
    _reconcile(TapLife, subscription_id, taps, handed_over, at, found)
    _record(subscription_id, found)
    return found


def _seen_configurations(subscription_id: str) -> dict[str, Seen]:
    names = ("key", "arm_id", "provisioning_state", "virtual_network_tap_id", "virtual_network_tap_key", "network_interface_id")
    of_nic = ("arm_id", "name", "virtual_network_id", "virtual_network_key", "subnet_id", "subnet_key")
    rows = TapConfiguration.objects.filter(subscription_id=subscription_id, removed_at=None)
    seen = {}
    for key, arm_id, state, tap_id, tap_key, nic_key, nic_id, nic_name, vnet_id, vnet_key, subnet_id, subnet_key in rows.values_list(
        *names, *(f"network_interface__{name}" for name in of_nic)
    ).iterator(2000):
        columns = {
            "subscription_id": subscription_id,
            "tap_configuration_id": arm_id,
            "tap_configuration_key": key,
            "nic_id": nic_id,
            "nic_key": nic_key,
            "nic_name": nic_name,
            "vnet_id": vnet_id,
            "vnet_key": vnet_key,
            "subnet_id": subnet_id,
            "subnet_key": subnet_key,
            "tap_id": tap_id,
            "tap_key": tap_key,
            "tap_name": resource_name(tap_id),
        }
        seen[key] = Seen(key, tap_key, nic_key, state.lower() in NOT_FLUX, columns)
    return seen


def _seen_taps(subscription_id: str) -> dict[str, Seen]:
    seen = {}
    for tap in VirtualNetworkTap.objects.filter(subscription_id=subscription_id, removed_at=None).defer("raw"):
        columns = {"subscription_id": subscription_id, "tap_id": tap.arm_id, "tap_key": tap.key, "tap_name": tap.name}
        columns |= {"destination_id": tap.destination_id, "destination_key": tap.destination_key}
        seen[tap.key] = Seen(tap.key, tap.destination_key, "", tap.provisioning_state.lower() in NOT_FLUX, columns)
    return seen


# -- the ledger against Azure


def _reconcile(
    model: type[Mirror] | type[TapLife],
    subscription_id: str,
    seen: dict[str, Seen],
    handed_over: Asked,
    at: datetime,
    found: Found,
) -> None:
    key_name, pair_name, table = (
        ("tap_configuration_key", "tap_key", TapConfiguration) if model is Mirror else ("tap_key", "destination_key", VirtualNetworkTap)
    )
    busy = _busy(subscription_id, seen)
    lives: dict[str, Any] = {getattr(one, key_name): one for one in model._default_manager.filter(subscription_id=subscription_id, ended_at=None)}
    removed = _removed(table, lives.keys() - seen.keys())
    known = {key: Known(getattr(one, pair_name), one.origin != Origin.OUTSIDE) for key, one in lives.items()}
    pairs = {key: one.pair for key, one in seen.items()}
    result = compare(seen=pairs, known=known, busy=busy, gone=removed.keys())
    if moved := _moved_meanwhile(table, {key: pairs[key] for key in result.begun}):
        result = compare(seen=pairs, known=known, busy=busy | moved, gone=removed.keys())
    if not result.begun and not result.over:
        return
    steps = _sent_steps({*result.begun, *result.over})
    for key, state in result.over.items():
        ender = _ender(lives[key], steps.get(key), pairs.get(key, ""), handed_over)
        _close(lives[key], state, ender, removed.get(key) or at, found)
    model._default_manager.bulk_update(
        [lives[key] for key in result.over], ["state", "ended_at", "ended_by", "end_reason", "ended_change"], batch_size=200
    )
    starting = [seen[key] for key in sorted(result.begun)]
    drift, used = _open_drift(model, starting), _used(model, starting)
    begun = []
    for one in starting:
        step = _step_of(one, steps, handed_over)
        if step is not None and (one.subject, step.change_id) in used:
            step = None  # that step had its life; whoever made this one came later
        begun.append(_begin(model, one, step, lives.get(one.key), drift, at, found))
    model._default_manager.bulk_create(begun, batch_size=200, ignore_conflicts=True)
    model._default_manager.bulk_update(
        [one for one in drift.values() if one.drift_decision], ["drift_decision", "drift_decided_at", "drift_decided_by"], batch_size=200
    )
    found.begun_count += len(begun)
    found.ended_count += len(result.over)


def _moved_meanwhile(table: type[TapConfiguration] | type[VirtualNetworkTap], pairs: dict[str, str]) -> set[str]:
    """Of these keys those that are no longer as they were read: a step that ended since has already said so to the ledger."""
    now: dict[str, str] = {}
    for some in chunks(pairs):
        for one in table._default_manager.filter(key__in=some, removed_at=None).defer(*(("raw",) if table is VirtualNetworkTap else ())):
            now[one.key] = one.destination_key if isinstance(one, VirtualNetworkTap) else one.virtual_network_tap_key
    return {key for key, pair in pairs.items() if now.get(key) != pair}


def _busy(subscription_id: str, seen: dict[str, Seen]) -> set[str]:
    """Keys that a step under way writes, and those of the NICs it is about."""
    flying = ChangeStep.objects.filter(subscription_id=subscription_id, state__in=[StepState.SENT, StepState.POLLING])
    pairs = list(flying.values_list("target_key", "nic_key"))
    nics = {nic for _, nic in pairs if nic}
    return {target for target, _ in pairs} | {key for key, one in seen.items() if one.nic_key in nics}


def _removed(table: type[TapConfiguration] | type[VirtualNetworkTap], keys: Iterable[str]) -> dict[str, datetime]:
    removed: dict[str, datetime] = {}
    for some in chunks(keys):
        rows = table._default_manager.filter(key__in=some, removed_at__isnull=False).values_list("key", "removed_at")
        removed.update((key, removed_at) for key, removed_at in rows if removed_at is not None)
    return removed


def _sent_steps(keys: Iterable[str]) -> dict[str, ChangeStep]:
    """The last step that was sent for each key: what Azure may have done of it though nobody saw it verified."""
    last: dict[str, ChangeStep] = {}
    for some in chunks(keys):
        for step in ChangeStep.objects.filter(target_key__in=some, sent_at__isnull=False).select_related("change").order_by("sent_at", "pk"):
            last[step.target_key] = step
    return last


def _step_of(one: Seen, steps: dict[str, ChangeStep], handed_over: Asked) -> ChangeStep | None:
    """The step of ours, sent or handed over, that asked for exactly this."""
    step = steps.get(one.key)
    if step is not None and step.action == "put" and _pair_of(step) == one.pair:
        return step
    return handed_over.get((one.subject, one.pair))


def _pair_of(step: ChangeStep) -> str:
    target = tap_of_body(step.body) if step.nic_key else destination_of_body(step.body)
    return arm_key(target) if target else ""


def _ender(life: Mirror | TapLife, step: ChangeStep | None, pair: str, handed_over: Asked) -> ChangeStep | None:
    """The step of ours, sent since the life began or handed over, that asked for its end: to be gone (`pair` ""), or to be bound to `pair`."""
    began_at = life.began_at or life.first_seen_at
    if step is not None and step.sent_at is not None and step.sent_at >= began_at and _wanted_pair(step) == pair:
        return step
    return handed_over.get((life.nic_key if isinstance(life, Mirror) else life.tap_key, pair))


def _wanted_pair(step: ChangeStep) -> str | None:
    """What the step's target is bound to when it is done; "" = gone, None = the step says nothing about it."""
    return {"put": _pair_of(step) or None, "delete": ""}.get(step.action)


def _close(life: Any, state: str, ender: ChangeStep | None, ended_at: datetime, found: Found) -> None:
    life.ended_at = max(ended_at, life.began_at or life.first_seen_at)
    if ender is not None:
        change = ender.change
        life.state, life.ended_change, life.ended_by, life.end_reason = State.ENDED, change, who_did(change), change.reason
        return
    life.state, life.end_reason = state, OUTSIDE_END
    if state != State.ENDED:
        found.drifted.append(f"{str(life)[:200]}")


def _open_drift(model: type[Mirror] | type[TapLife], begun: list[Seen]) -> dict[str, Any]:
    """{key of the NIC or TAP: the life of it that drifted last and waits for a decision}."""
    drift: dict[str, Any] = {}
    for some in chunks({one.subject for one in begun}):
        waiting = _about(model, some).filter(state__in=[State.VANISHED, State.CHANGED], drift_decision="")
        drift.update({getattr(one, _subject_name(model)): one for one in waiting.order_by("ended_at", "pk")})
    return drift


def _used(model: type[Mirror] | type[TapLife], begun: list[Seen]) -> set[tuple[str, int]]:
    """(key of the NIC or TAP, change) of which there is a life already."""
    used: set[tuple[str, int]] = set()
    for some in chunks({one.subject for one in begun}):
        used.update(_about(model, some).filter(began_change__isnull=False).values_list(_subject_name(model), "began_change_id"))
    return used


def _about(model: type[Mirror] | type[TapLife], subjects: list[str]) -> "QuerySet[Any]":
    return model._default_manager.filter(**{f"{_subject_name(model)}__in": subjects})


def _subject_name(model: type[Mirror] | type[TapLife]) -> str:
    return "nic_key" if model is Mirror else "tap_key"


def _begin(
    model: type[Mirror] | type[TapLife], one: Seen, step: ChangeStep | None, before: Any, drift: dict[str, Any], at: datetime, found: Found
) -> Any:
    told: dict[str, Any] = {"origin": Origin.OUTSIDE} if step is None else told_by_change(step.change)
    life: Any = model(first_seen_at=at, **one.columns, **told)
    drifted = drift.get(one.subject)
    if drifted is not None and (step is not None or _is_same(drifted, life)):
        drifted.drift_decision = Decision.RETURNED if step is None else Decision.RE_CREATED
        drifted.drift_decided_at, drifted.drift_decided_by = at, SYNC_ACTOR
    if isinstance(life, Mirror) and drifted is not None:
        life.replaces = drifted
    if step is None:
        found.unaccounted.append(str(life)[:200])
    elif before is None:
        life.began_at = step.verified_at or step.sent_at
    return life


def _is_same(drifted: Any, life: Any) -> bool:
    if isinstance(life, Mirror):
        return bool(drifted.tap_configuration_key == life.tap_configuration_key and drifted.tap_key == life.tap_key)
    return bool(drifted.destination_key == life.destination_key)


# -- plans that somebody else carries out


def _handed_over(subscription_id: str, mirrors: dict[str, Seen], taps: dict[str, Seen], at: datetime, found: Found) -> Asked:
    """Mark what is seen of handed-over plans, close those of which all is; returns all that was asked for."""
    changes = list(Change.objects.select_for_update().filter(state=ChangeState.HANDED_OVER).order_by("pk"))
    asked: Asked = {}
    if not changes:
        return asked
    steps: dict[int, list[ChangeStep]] = {one.pk: [] for one in changes}
    for step in ChangeStep.objects.filter(change__in=changes).select_related("change").order_by("change_id", "ordinal"):
        steps[step.change_id].append(step)
    here = [step for some in steps.values() for step in some if step.subscription_id.lower() == subscription_id]
    by_nic = {(one.nic_key, one.pair): one for one in mirrors.values()}
    removed = {
        **_removed(TapConfiguration, [one.target_key for one in here if one.action == "delete" and one.nic_key]),
        **_removed(VirtualNetworkTap, [one.target_key for one in here if one.action == "delete" and not one.nic_key]),
    }
    tags = dict(VirtualNetworkTap.objects.filter(pk__in=[one.target_key for one in here if one.action == "patch"]).values_list("key", "tags"))
    seen_now = []
    for step in here:
        if (pair := _wanted_pair(step)) is not None:
            asked[(step.nic_key or step.target_key, pair)] = step
        if step.state == StepState.PENDING and _is_seen(step, taps, by_nic, removed, tags):
            step.state, step.verified_at, step.answered_at, step.ended_at = moved_step(step.state, StepState.VERIFIED), at, at, at
            seen_now.append(step)
    _settle_moves(steps, seen_now, at)
    ChangeStep.objects.bulk_update(seen_now, ["state", "verified_at", "answered_at", "ended_at"], batch_size=200)
    for change in changes:
        states = {one.state for one in steps[change.pk]}
        if states and states <= {StepState.VERIFIED, StepState.SKIPPED}:
            _close_handed_over(change, StepState.SKIPPED in states, at)
            found.closed_changes.append(change.pk)
    return asked


def _is_seen(
    step: ChangeStep,
    taps: dict[str, Seen],
    by_nic: dict[tuple[str, str], Seen],
    removed: dict[str, datetime],
    tags: dict[str, Any],
) -> bool:
    if step.action == "delete":
        return step.target_key in removed
    if step.action == "patch":
        return step.target_key in tags and tags[step.target_key] == (step.body or {}).get("tags")
    there = by_nic.get((step.nic_key, _pair_of(step))) if step.nic_key else taps.get(step.target_key)
    return there is not None and there.is_settled and there.pair == _pair_of(step)


def _settle_moves(steps: dict[int, list[ChangeStep]], seen_now: list[ChangeStep], at: datetime) -> None:
    """Of a move, the removal is done when its NIC is seen on the other TAP, though a configuration of the same name is there again."""
    arrived = {(one.change_id, one.nic_key) for one in seen_now if one.action == "put" and one.nic_key}
    for some in steps.values():
        for step in some:
            if step.action == "delete" and step.state == StepState.PENDING and (step.change_id, step.nic_key) in arrived:
                step.state, step.verified_at, step.answered_at, step.ended_at = moved_step(step.state, StepState.VERIFIED), at, at, at
                seen_now.append(step)


def _close_handed_over(change: Change, is_part: bool, at: datetime) -> None:
    change.state = moved_change(change.state, ChangeState.PARTLY_APPLIED if is_part else ChangeState.APPLIED)
    change.finished_at, change.stop_reason = at, "Handed over; a sync saw that it was done."
    change.save(update_fields=["state", "finished_at", "stop_reason"])
    audit_record(
        action="taps.change_seen_done",
        actor=SYNC_ACTOR,
        target=f"change {change.pk}",
        reason=change.reason,
        detail={"state": change.state, "ticket": change.ticket, "planned_by": change.created_by_name},
    )
    record_event(ChangeEvent(change_id=change.pk, state="partly_applied" if is_part else "applied"), subscription_ids=change.subscription_ids)


def _record(subscription_id: str, found: Found) -> None:
    for action, names in (("taps.unaccounted_found", found.unaccounted), ("taps.drift_found", found.drifted)):
        if names:
            detail = {"count": len(names), "names": sorted(names)[:NAMES_IN_AUDIT]}
            audit_record(action=action, actor=SYNC_ACTOR, target=f"subscription {subscription_id}", detail=detail)
    if found.is_news:
        enqueue_on_commit("topology.refresh")
        log.info("taps.reconciled", subscription=subscription_id, begun=found.begun_count, ended=found.ended_count, drift=len(found.drifted))
