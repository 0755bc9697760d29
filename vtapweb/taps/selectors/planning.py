"""What a plan is made of: the NICs and TAPs that were asked for as the inventory has them, what they stand in together, what is stale.

Every read takes the planner's scope: what lies outside of it is not there. A fixed number of queries, however many NICs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.inventory.cells import name_of
from vtapweb.inventory.models import (
    FrontendIpConfiguration,
    IpConfiguration,
    LoadBalancer,
    NetworkInterface,
    Resource,
    ResourceGroup,
    Subscription,
    TapConfiguration,
    VirtualMachine,
    VirtualNetworkTap,
)
from vtapweb.inventory.selectors import in_scope, subscriptions, subscriptions_stale_since

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True)
class Group:
    """What VMs stand in together. `text` is what the engine compares by, over all changes."""

    kind: str  # availability set | backend pool | tag | VM
    name: str
    text: str


@dataclass(slots=True)
class Ground:
    """The part of the estate that a plan stands on, by key. NICs and TAPs that are gone are there, with their `removed_at`."""

    nics: dict[str, NetworkInterface] = field(default_factory=dict)
    vms: dict[str, VirtualMachine] = field(default_factory=dict)
    configurations: dict[str, list[TapConfiguration]] = field(default_factory=dict)  # present ones, by NIC
    taps: dict[str, VirtualNetworkTap] = field(default_factory=dict)
    sources: dict[str, list[TapConfiguration]] = field(default_factory=dict)  # present ones, by TAP, of the TAPs asked for by key
    pools: dict[str, set[str]] = field(default_factory=dict)  # ids of backend pools, by VM

    def tap_name(self, tap_id: str) -> str:
        """The TAP's name, from its id where it cannot be read."""
        tap = self.taps.get(arm_key(tap_id))
        return tap.name if tap else name_of(tap_id)

    def vm_name(self, nic: NetworkInterface) -> str:
        """The name of the NIC's VM, the NIC's own where the VM cannot be read."""
        vm = self.vms.get(nic.virtual_machine_key)
        return vm.name if vm else name_of(nic.virtual_machine_id) or nic.name

    def groups(self, nic: NetworkInterface, keep_apart: str) -> list[Group]:
        """What this NIC's VM shares with others: it must never be in flight together with any of them, nor with its own other NICs."""
        vm = self.vms.get(nic.virtual_machine_key)
        owner = nic.virtual_machine_key or nic.key
        groups = [Group("VM", self.vm_name(nic), f"vm:{owner}")]
        if vm and vm.availability_set_key:
            groups.append(Group("availability set", name_of(vm.availability_set_id), f"availability-set:{vm.availability_set_key}"))
        groups += [Group("backend pool", name_of(one), f"backend-pool:{arm_key(one)}") for one in sorted(self.pools.get(owner, ()))]
        value = _tag_value({**nic.tags, **(vm.tags if vm else {})}, keep_apart) if keep_apart else None
        if value is not None:
            groups.append(Group("tag", f"{keep_apart}: {value}", f"tag:{keep_apart.lower()}={value}"))
        return groups


def _tag_value(tags: Mapping[str, str], name: str) -> str | None:
    """The value of a tag, its name in any case as Azure has it; None without the tag."""
    return next((value for one, value in tags.items() if one.lower() == name.lower()), None)


def ground(scope: Scope, *, nic_keys: Iterable[str], tap_keys: Iterable[str], of_taps: bool = False) -> Ground:
    """The ground for these NICs and TAPs; with `of_taps` also every NIC that mirrors to one of the TAPs. Seven queries."""
    tap_keys = sorted(set(tap_keys))
    found = Ground()
    of = in_scope(TapConfiguration.objects.filter(removed_at=None, virtual_network_tap_key__in=tap_keys), scope)
    for configuration in of.order_by("key"):
        found.sources.setdefault(configuration.virtual_network_tap_key, []).append(configuration)
    wanted = dict.fromkeys(nic_keys)
    if of_taps:
        wanted.update(dict.fromkeys(one.network_interface_id for many in found.sources.values() for one in many))
    found.nics = _by_key(in_scope(NetworkInterface.objects.defer("raw").filter(key__in=wanted), scope))
    found.nics = {key: found.nics[key] for key in wanted if key in found.nics}
    vm_keys = {nic.virtual_machine_key for nic in found.nics.values()} - {""}
    found.vms = _by_key(in_scope(VirtualMachine.objects.defer("raw").filter(key__in=vm_keys, removed_at=None), scope))
    of_nics = in_scope(TapConfiguration.objects.filter(removed_at=None, network_interface__in=list(found.nics)), scope)
    for configuration in of_nics.order_by("key"):
        found.configurations.setdefault(configuration.network_interface_id, []).append(configuration)
    named = {one.virtual_network_tap_key for many in found.configurations.values() for one in many} | set(tap_keys)
    found.taps = _by_key(in_scope(VirtualNetworkTap.objects.defer("raw").filter(key__in=named), scope))
    addresses = in_scope(IpConfiguration.objects.filter(removed_at=None), scope).select_related(None)
    by_vm = addresses.filter(network_interface__virtual_machine_key__in=vm_keys, network_interface__removed_at=None)
    for vm_key, pool_ids in by_vm.values_list("network_interface__virtual_machine_key", "backend_address_pool_ids"):
        found.pools.setdefault(vm_key, set()).update(pool_ids)
    return found


def _by_key(rows: Iterable[R]) -> dict[str, R]:
    return {row.key: row for row in rows}


@dataclass(frozen=True, slots=True)
class Destination:
    """What a TAP could point to: `row` is the ipConfiguration or the frontend, `holder` its NIC or load balancer."""

    row: IpConfiguration | FrontendIpConfiguration
    holder: NetworkInterface | LoadBalancer

    @property
    def location(self) -> str:
        return self.holder.location or self.row.location


def destination(scope: Scope, destination_id: str) -> Destination | None:
    """The present ipConfiguration or frontend of this id, None where there is none in scope; at most two queries."""
    key = arm_key(destination_id)
    address = in_scope(IpConfiguration.objects.select_related("network_interface"), scope).filter(key=key, removed_at=None).first()
    if address is not None:
        return Destination(address, address.network_interface)
    frontend = in_scope(FrontendIpConfiguration.objects.select_related("load_balancer"), scope).filter(key=key, removed_at=None).first()
    return Destination(frontend, frontend.load_balancer) if frontend is not None else None


def resource_group(scope: Scope, subscription_id: str, name: str) -> ResourceGroup | None:
    """The present group of this name (in any case), None where there is none in scope; one query."""
    rows = in_scope(ResourceGroup.objects.filter(subscription_id=subscription_id.lower(), removed_at=None), scope)
    return rows.defer("raw").filter(name__iexact=name).first()


def tap_of(scope: Scope, tap_id: str) -> VirtualNetworkTap | None:
    """The TAP of this id, one that is gone included; None where there never was one in scope. One query."""
    return in_scope(VirtualNetworkTap.objects.defer("raw"), scope).filter(key=arm_key(tap_id)).first()


def stale_subscriptions(scope: Scope, subscription_ids: Iterable[str]) -> list[tuple[Subscription, str]]:
    """Those of these subscriptions whose inventory was not completely read by the last sync, with the time it was, in words; three queries."""
    wanted = set(subscription_ids)
    since = {one: at for one, at in subscriptions_stale_since(scope).items() if one in wanted}
    rows = subscriptions(scope).filter(subscription_id__in=wanted)
    return [(row, f"{since[row.subscription_id]:%Y-%m-%d %H:%M} UTC") for row in rows if row.subscription_id in since]
