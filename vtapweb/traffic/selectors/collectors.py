"""The collectors: what TAPs' destinations resolve to, with the machines behind them. A fixed number of queries, however many there are.

Rule 1: the same collectors as on the map, under the same keys. Rule 2: whoever may not read a destination's subscription learns that the collector
is there (his own TAP or mirror names it), and nothing that it measures: `is_in_scope` says which.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Q

from vtapweb.domain.arm_id import name_in, subscription_in
from vtapweb.domain.graph import AddressDoc, FrontendDoc
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface, Subnet, TapConfiguration, VirtualMachine
from vtapweb.inventory.receiving import addresses_of, chunks, frontends_of, present, subscriptions_read_whole, taps_of


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """One machine of a collector that the inventory knows. Texts are "" where Azure did not say or the VM may not be read."""

    nic_key: str
    nic_id: str
    name: str  # of the NIC
    subscription_id: str
    address: str  # its private IP that receives
    vm_key: str
    vm_id: str
    vm_size: str
    power_state: str


@dataclass(frozen=True, slots=True)
class CollectorFacts:
    """`key` is that of the destination; of a TAP without one, or of a mirror whose TAP nobody may read, the TAP's key.

    `kind`: nic | load_balancer | gone | unreadable. `member_count` counts also the members that may not be read; `members` holds the others, by name.
    `subscription_id` is that of the NIC or load balancer, "" where no destination is known; `vnet_key` "" where its subnet may not be read.
    """

    key: str
    destination_id: str
    name: str
    kind: str
    subscription_id: str
    region: str
    vnet_key: str
    subnet_key: str
    address: str
    members: tuple[MemberFacts, ...]
    member_count: int
    tap_keys: tuple[str, ...]
    is_in_scope: bool

    @property
    def is_resolved(self) -> bool:
        return self.kind in {"nic", "load_balancer"}


class _Wanted(NamedTuple):
    """A collector as its TAPs or mirrors name it, before anything is looked up."""

    destination_id: str  # "" where the TAP names none; the TAP's id where nobody may read the TAP
    has_destination: bool
    region: str
    tap_keys: tuple[str, ...]


def collectors_of(scope: Scope) -> list[CollectorFacts]:
    """Every collector that TAPs or mirrors in `scope` lead to, by name. Ten queries, and one more for every 900 keys."""
    return _collectors(scope, "")


def collector_of(scope: Scope, key: str) -> CollectorFacts | None:
    """The one of this key; None where there is none or `scope` may not know of it. At most ten queries."""
    return next(iter(_collectors(scope, key)), None)


def _collectors(scope: Scope, only: str) -> list[CollectorFacts]:
    wanted = _wanted(scope, only)
    if not wanted:
        return []
    ends = {key for key, one in wanted.items() if one.has_destination}
    frontends = frontends_of(scope, ends)
    addresses = addresses_of(scope, ends | {key for one in frontends.values() for key in one.members})
    members = _members(scope, addresses)
    subnets = ({one.subnet_key for one in frontends.values()} | {one.subnet_key for one in addresses.values()}) - {""}
    vnet_of = {
        key: vnet for keys in chunks(subnets) for key, vnet in present(Subnet, scope).filter(key__in=keys).values_list("key", "virtual_network_id")
    }
    whole = subscriptions_read_whole(scope)
    found = [_facts(scope, key, one, frontends.get(key), addresses.get(key), members, vnet_of, whole) for key, one in wanted.items()]
    return sorted(found, key=lambda one: (one.name.lower(), one.key))


def _wanted(scope: Scope, only: str) -> dict[str, _Wanted]:
    """By collector key. Two queries; three for one alone."""
    narrowed = Q(destination_ip_configuration_key=only) | Q(destination_frontend_key=only) | Q(key=only) if only else None
    found: dict[str, _Wanted] = {}
    for tap in sorted(taps_of(scope, narrowed)):
        key = tap.destination_key or tap.key
        before = found.get(key)
        keys = (*before.tap_keys, tap.key) if before else (tap.key,)
        found[key] = _Wanted(tap.destination_id, bool(tap.destination_key), before.region if before else tap.region, keys)
    known = {key for one in found.values() for key in one.tap_keys}
    mirrors = present(TapConfiguration, scope).exclude(virtual_network_tap_key="").filter(network_interface__removed_at=None)
    if only:
        mirrors = mirrors.filter(virtual_network_tap_key=only)
    for tap_id, tap_key, region in (
        mirrors.order_by("virtual_network_tap_key").values_list("virtual_network_tap_id", "virtual_network_tap_key", "location").distinct()
    ):
        if tap_key not in known:
            found.setdefault(tap_key, _Wanted(tap_id, False, region, ()))
    return {key: one for key, one in found.items() if not only or key == only}


def _members(scope: Scope, addresses: dict[str, AddressDoc]) -> dict[str, MemberFacts]:
    """The machine of each ipConfiguration, where its NIC is there. Two queries, and one more for every 900."""
    fields = ("key", "arm_id", "name", "subscription_id", "virtual_machine_id", "virtual_machine_key")
    nics = {row[0]: row for keys in chunks({one.nic_key for one in addresses.values()}) for row in
            present(NetworkInterface, scope).filter(key__in=keys).values_list(*fields)}  # fmt: skip
    vms = {row[0]: row for keys in chunks({row[5] for row in nics.values() if row[5]}) for row in
           present(VirtualMachine, scope).filter(key__in=keys).values_list("key", "vm_size", "power_state")}  # fmt: skip
    found = {}
    for key, address in addresses.items():
        if address.nic_key in nics:
            nic_key, arm_id, name, subscription_id, vm_id, vm_key = nics[address.nic_key]
            _, size, power = vms.get(vm_key, ("", "", ""))
            found[key] = MemberFacts(nic_key, arm_id, name, subscription_id, address.address, vm_key, vm_id, size, power)
    return found


def _facts(
    scope: Scope, key: str, wanted: _Wanted, frontend: FrontendDoc | None, address: AddressDoc | None, members: dict[str, MemberFacts],
    vnet_of: dict[str, str], whole: frozenset[str],
) -> CollectorFacts:  # fmt: skip
    subscription_id = subscription_in(wanted.destination_id)
    kind, name, subnet_key, at, behind, count = "", "", "", "", _by_name(()), 0
    if frontend is not None:
        kind, name, subnet_key, at, count = "load_balancer", frontend.load_balancer, frontend.subnet_key, frontend.address, len(frontend.members)
        behind = _by_name(members[one] for one in frontend.members if one in members)
    elif address is not None and key in members:
        kind, name, subnet_key, at, behind, count = "nic", members[key].name, address.subnet_key, address.address, (members[key],), 1
    elif not wanted.destination_id:
        kind, name = "gone", "no destination"
    else:
        owner = wanted.destination_id.rstrip("/").rsplit("/", 2)[0] if wanted.has_destination else wanted.destination_id
        kind, name = "gone" if subscription_id in whole else "unreadable", name_in(owner)
    vnet_key = vnet_of.get(subnet_key, "")
    return CollectorFacts(
        key=key, destination_id=wanted.destination_id if wanted.has_destination else "", name=name, kind=kind,
        subscription_id=subscription_id if wanted.has_destination else "", region=wanted.region, vnet_key=vnet_key,
        subnet_key=subnet_key if vnet_key else "", address=at, members=behind, member_count=count, tap_keys=wanted.tap_keys,
        is_in_scope=wanted.has_destination and scope.allows(subscription_id),
    )  # fmt: skip


def _by_name(members: Iterable[MemberFacts]) -> tuple[MemberFacts, ...]:
    """Once a machine, though several of its addresses may stand in a pool."""
    once = {one.nic_key: one for one in members}
    return tuple(sorted(once.values(), key=lambda one: (one.name.lower(), one.nic_key)))
