"""Which VMs were seen to be prepared for mirroring (deallocated, then running while the TAP existed), and which wait, by owner.

Rule 1: prepared is only what syncs saw; what nobody saw is unknown, never "no". Rule 2: vtapweb restarts nothing; it writes the commands down.
Source: Azure's overview of 2025 ("NIC is not on fastpath" until the VM was deallocated and started once after the TAP exists).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.change import ChangeState, StepState
from vtapweb.domain.ledger import prepared_at, stopped_since
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_body import resource_name, tap_of_body
from vtapweb.inventory.bulk import chunks
from vtapweb.inventory.models import NetworkInterface, ResourceChange, ResourceKind, VirtualMachine, VirtualNetworkTap
from vtapweb.inventory.selectors import in_scope
from vtapweb.taps.models import ChangeStep, TapLife

Pair = tuple[str, str]  # key of a VM, key of a TAP
UNDONE_STATES = (StepState.PENDING, StepState.SENT, StepState.POLLING)
OPEN_STATES = (ChangeState.PLANNED, ChangeState.APPLYING, ChangeState.PAUSED, ChangeState.HANDED_OVER)


@dataclass(frozen=True, slots=True)
class Preparation:
    """`state`: prepared | stopped (half done: deallocated, not yet seen running) | unknown | no_tap (it does not exist yet)."""

    state: str
    at: datetime | None = None

    @property
    def is_done(self) -> bool:
        return self.state == "prepared"

    @property
    def words(self) -> str:
        return {
            "prepared": "seen deallocated and running again since the TAP exists",
            "stopped": "seen deallocated; start it",
            "no_tap": "the TAP does not exist yet: prepare after it does",
        }.get(self.state, "no sync has seen it")


@dataclass(slots=True)
class PreparationRow:
    """One VM that a planned mirror waits for (or may)."""

    vm_key: str
    vm_id: str
    vm_name: str
    owner: str
    preparation: Preparation
    nic_names: list[str] = field(default_factory=list)
    tap_names: list[str] = field(default_factory=list)
    change_ids: list[int] = field(default_factory=list)


@dataclass(slots=True)
class OwnerGroup:
    """An owner's VMs, those to be prepared first. `owner` "" = no tag says."""

    owner: str
    rows: list[PreparationRow]

    @property
    def waiting(self) -> list[PreparationRow]:
        return [row for row in self.rows if not row.preparation.is_done]


def preparations(scope: Scope, pairs: Iterable[Pair]) -> dict[Pair, Preparation]:
    """What is known of each VM for each TAP. Four queries for up to 500 VMs and TAPs, then as many for the next 500."""
    wanted = sorted(set(pairs))
    since = _taps_since(scope, {tap for _, tap in wanted})
    sightings = _sightings(scope, {vm for vm, _ in wanted})
    return {(vm, tap): _preparation(sightings.get(vm, []), since.get(tap)) for vm, tap in wanted}


def _preparation(sightings: list[tuple[datetime, str]], tap_since: datetime | None) -> Preparation:
    if tap_since is None:
        return Preparation("no_tap")
    if (at := prepared_at(sightings, tap_since=tap_since)) is not None:
        return Preparation("prepared", at)
    if (at := stopped_since(sightings)) is not None:
        return Preparation("stopped", at)
    return Preparation("unknown")


def _taps_since(scope: Scope, keys: Iterable[str]) -> dict[str, datetime]:
    """Since when each TAP surely exists: when we made it, else when it was first seen."""
    since: dict[str, datetime] = {}
    for some in chunks(keys):
        present = in_scope(VirtualNetworkTap.objects.filter(key__in=some, removed_at=None), scope)
        since.update(present.values_list("key", "first_seen_at"))
        lives = in_scope(TapLife.objects.filter(tap_key__in=some, ended_at=None), scope)
        since.update({key: began for key, began in lives.values_list("tap_key", "began_at") if began is not None})
    return since


def _sightings(scope: Scope, keys: Iterable[str]) -> dict[str, list[tuple[datetime, str]]]:
    found: dict[str, list[tuple[datetime, str]]] = {}
    for some in chunks(keys):
        changes = in_scope(ResourceChange.objects.filter(kind=ResourceKind.VIRTUAL_MACHINE, key__in=some), scope)
        told = changes.filter(fields__has_key="power_state").order_by("pk").values_list("key", "at", "fields")
        for key, at, fields in told:
            found.setdefault(key, []).append((at, str(fields["power_state"][1] or "")))
        firsts = {key: str(fields["power_state"][0] or "") for key, _, fields in reversed(told)}
        present = in_scope(VirtualMachine.objects.filter(key__in=some), scope).values_list("key", "first_seen_at", "power_state")
        for key, first_seen_at, state in present:
            found.setdefault(key, []).append((first_seen_at, firsts.get(key, state)))
    return found


def preparations_of(scope: Scope, steps: Iterable[ChangeStep]) -> dict[str, Preparation]:
    """{NIC's key: what is known of its VM} of the steps that mirror a NIC. The queries of `preparations`, none where there is no such step."""
    pairs = {step.nic_key: (step.vm_key, _tap_key(step)) for step in steps if step.nic_key and step.vm_key and step.action == "put"}
    known = preparations(scope, pairs.values()) if pairs else {}
    return {nic: known[pair] for nic, pair in pairs.items()}


def preparation_list(scope: Scope, *, change_id: int | None = None) -> list[OwnerGroup]:
    """The VMs of mirrors that are planned or under way (of one change, or of all), by owner. Three queries and those of `preparations`."""
    steps = list(_waiting_steps(scope, change_id))
    nics = _by_key(in_scope(NetworkInterface.objects.all(), scope), {step.nic_key for step in steps}, ("tags", "virtual_machine_key", "name"))
    vm_of = {step.pk: step.vm_key or nics.get(step.nic_key, {}).get("virtual_machine_key", "") for step in steps}
    vms = _by_key(in_scope(VirtualMachine.objects.all(), scope), set(vm_of.values()) - {""}, ("tags", "arm_id", "name"))
    pairs = {step.pk: (vm_of[step.pk], _tap_key(step)) for step in steps if vm_of[step.pk] in vms}
    known = preparations(scope, pairs.values())
    rows: dict[str, PreparationRow] = {}
    for step in steps:
        if step.pk not in pairs:
            continue
        key, preparation = pairs[step.pk][0], known[pairs[step.pk]]
        row = rows.get(key)
        if row is None:
            vm = vms[key]
            owner = _owner_of(vm["tags"]) or _owner_of(nics.get(step.nic_key, {}).get("tags"))
            row = rows[key] = PreparationRow(key, vm["arm_id"], vm["name"], owner, preparation)
        if row.preparation.is_done:
            row.preparation = preparation  # with several TAPs, the one it still waits for
        for names, name in ((row.nic_names, step.nic_name), (row.tap_names, resource_name(tap_of_body(step.body))), (row.change_ids, step.change_id)):
            if name not in names:
                names.append(name)  # type: ignore[arg-type] # each list with its own kind of name
    groups: dict[str, OwnerGroup] = {}
    for row in sorted(rows.values(), key=lambda one: (one.preparation.is_done, one.vm_name.lower(), one.vm_key)):
        groups.setdefault(row.owner.casefold(), OwnerGroup(row.owner, [])).rows.append(row)
    return [groups[name] for name in sorted(groups, key=lambda name: (name == "", name))]


def _owner_of(tags: Any) -> str:
    """What the owner's tag says (setting VTAPWEB_OWNER_TAG, in any case), "" for nothing."""
    if not isinstance(tags, Mapping):
        return ""
    wanted = settings.OWNER_TAG.casefold()
    return next((str(value).strip() for name, value in tags.items() if str(name).casefold() == wanted), "")


def _waiting_steps(scope: Scope, change_id: int | None) -> QuerySet[ChangeStep]:
    steps = ChangeStep.objects.filter(action="put", state__in=UNDONE_STATES, change__state__in=OPEN_STATES).exclude(nic_key="")
    if change_id is not None:
        steps = steps.filter(change_id=change_id)
    return in_scope(steps, scope).order_by("pk")


def _by_key(rows: QuerySet[Any], keys: Iterable[str], names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for some in chunks(keys) for row in rows.filter(key__in=some).values("key", *names)}


def _tap_key(step: ChangeStep) -> str:
    tap_id = tap_of_body(step.body)
    return arm_key(tap_id) if tap_id else ""
