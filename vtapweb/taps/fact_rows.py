"""The rows that facts are made of: one class, whose every cached property is one query at the most, however large the estate.

Nothing is judged here. Each property builds on those above it, so what is not needed is not read.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

from django.db.models import Count, Q, QuerySet

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.destination import passes_vxlan
from vtapweb.domain.tap_rules.facts import LoadBalancingRuleFacts
from vtapweb.inventory.models import KindState, LoadBalancingRule, ResourceChange, ResourceKind, VirtualNetworkTap
from vtapweb.inventory.rows import ip_hex
from vtapweb.inventory.selectors import in_scope, resources, subscriptions
from vtapweb.taps.models import ScopePermissions, SubscriptionConditions
from vtapweb.traffic.models import CollectorAssignment

MOST_KEYS: Final = 20_000  # more than this in one IN (…) are picked out here instead: SQLite takes 32,766 parameters
FRONTEND_SEGMENT: Final = "/frontendipconfigurations/"


def parent_id(arm_id: str) -> str:
    """The id one level up, by text alone: a frontend's load balancer, an ipConfiguration's NIC, a subnet's VNet."""
    return arm_id.rstrip("/").rsplit("/", 2)[0] if arm_id.count("/") > 2 else ""


def key_of(arm_id: str) -> str:
    """The key to join by, "" for no id."""
    return arm_key(arm_id) if arm_id else ""


def vnet_of(subnet_id: str) -> str:
    """The id of the VNet that a subnet's id names, "" where it names none."""
    return parent_id(subnet_id) if "/subnets/" in subnet_id.lower() else ""


class Nic(NamedTuple):
    key: str
    arm_id: str
    name: str
    subscription_id: str
    location: str
    subnet_id: str
    subnet_key: str
    virtual_network_id: str
    virtual_network_key: str
    virtual_machine_id: str
    virtual_machine_key: str
    private_endpoint_id: str
    private_link_service_id: str
    tags: dict[str, str]


class Tap(NamedTuple):
    key: str
    arm_id: str
    name: str
    subscription_id: str
    location: str
    provisioning_state: str
    tags: dict[str, str]
    first_seen_at: datetime
    tap_configuration_ids: list[str]
    destination_ip_configuration_id: str
    destination_frontend_id: str

    @property
    def destination_ids(self) -> tuple[str, ...]:
        return tuple(one for one in (self.destination_ip_configuration_id, self.destination_frontend_id) if one)


class TapMark(NamedTuple):
    """What is known of every TAP, whoever may read it."""

    key: str
    name: str
    subscription_id: str
    location: str
    destination_ip_configuration_key: str
    destination_frontend_key: str


class Address(NamedTuple):
    """An ipConfiguration, with what is needed of its NIC."""

    network_interface_id: str
    key: str
    arm_id: str
    network_interface__name: str
    network_interface__location: str
    network_interface__network_security_group_key: str
    network_interface__virtual_machine_id: str
    network_interface__virtual_machine_key: str
    subnet_id: str
    subnet_key: str
    private_ip_address: str
    private_ip_address_version: str
    backend_address_pool_ids: list[str]


class Configuration(NamedTuple):
    network_interface_id: str
    name: str
    virtual_network_tap_key: str
    virtual_network_tap_id: str
    arm_id: str


class Machine(NamedTuple):
    key: str
    name: str
    vm_size: str
    power_state: str
    tags: dict[str, str]


class Appliance(NamedTuple):
    """A VM at the end of a TAP, with what tells its product."""

    key: str
    name: str
    scale_set_id: str
    image_publisher: str
    image_offer: str
    image_sku: str
    image_id: str
    plan_publisher: str
    plan_product: str
    plan_name: str
    tags: dict[str, str]


class Balancer(NamedTuple):
    key: str
    name: str
    sku: str
    location: str


class Frontend(NamedTuple):
    key: str
    load_balancer_id: str
    subnet_id: str
    private_ip_address: str
    private_ip_address_version: str
    public_ip_address_id: str


class Pool(NamedTuple):
    key: str
    load_balancer_id: str
    ip_configuration_ids: list[str]
    backend_addresses: list[str]


class BalancingRule(NamedTuple):
    load_balancer_id: str
    name: str
    protocol: str
    frontend_port: int | None
    backend_port: int | None
    is_floating_ip_enabled: bool | None
    frontend_key: str
    backend_pool_ids: list[str]

    @property
    def facts(self) -> LoadBalancingRuleFacts:
        return LoadBalancingRuleFacts(self.name, self.protocol, self.frontend_port, self.backend_port)

    @property
    def pool_keys(self) -> set[str]:
        return {key_of(one) for one in self.backend_pool_ids}


class Vnet(NamedTuple):
    key: str
    name: str
    subscription_id: str
    location: str
    is_encryption_enabled: bool | None


class Peering(NamedTuple):
    virtual_network_id: str
    key: str
    remote_virtual_network_key: str
    remote_virtual_network_id: str
    peering_state: str
    first_seen_at: datetime


class FactRows:
    """One reading. `source_keys` and `tap_keys`: which NICs and TAPs, None for all in scope; `destination_ids`: of TAPs still to be created."""

    def __init__(
        self, scope: Scope, source_keys: Collection[str] | None, tap_keys: Collection[str] | None, destination_ids: Sequence[str] = ()
    ) -> None:
        self.scope, self.source_keys, self.tap_keys, self.more_destination_ids = scope, source_keys, tap_keys, destination_ids

    def _of(self, kind: ResourceKind, row: type[Any], keys: Collection[str] | None) -> list[Any]:
        """Present rows in scope whose first column is among `keys`; all for None."""
        return picked(resources(self.scope, kind), row, keys)

    # -- subscriptions, and how far they were read

    @cached_property
    def listed(self) -> dict[str, tuple[str, str]]:
        """{subscription id: (name, tenant id)}."""
        rows = subscriptions(self.scope).values_list("subscription_id", "name", "tenant_id")
        return {one: (name, tenant_id or "") for one, name, tenant_id in rows}

    @cached_property
    def read_states(self) -> dict[tuple[str, str], str]:
        """{(subscription id, list): KindState.Status}."""
        states = in_scope(KindState.objects.all(), self.scope).values_list("subscription_id", "kind", "status")
        return {(subscription_id, kind): status for subscription_id, kind, status in states}

    # -- the NICs

    @cached_property
    def nics(self) -> list[Nic]:
        return self._of(ResourceKind.NETWORK_INTERFACE, Nic, self.source_keys)

    @cached_property
    def _nic_keys(self) -> list[str] | None:
        return None if self.source_keys is None else [one.key for one in self.nics]

    @cached_property
    def addresses(self) -> dict[str, list[Address]]:
        """{NIC's key: its ipConfigurations}."""
        return _grouped(self._of(ResourceKind.IP_CONFIGURATION, Address, self._nic_keys))

    @cached_property
    def configurations(self) -> dict[str, list[Configuration]]:
        """{NIC's key: its TAP configurations}."""
        return _grouped(self._of(ResourceKind.TAP_CONFIGURATION, Configuration, self._nic_keys))

    # -- TAPs and their destinations

    @cached_property
    def taps(self) -> list[Tap]:
        return self._of(ResourceKind.TAP, Tap, self.tap_keys)

    @cached_property
    def every_tap(self) -> list[TapMark]:
        """All there are, in scope or not."""
        return picked(VirtualNetworkTap.objects.filter(removed_at=None), TapMark, None)

    @cached_property
    def destination_ids(self) -> list[str]:
        named = [one for tap in self.taps for one in tap.destination_ids]
        return list(dict.fromkeys([*named, *(one for one in self.more_destination_ids if one)]))

    @cached_property
    def frontend_keys(self) -> set[str]:
        return {key_of(one) for one in self.destination_ids if FRONTEND_SEGMENT in one.lower()}

    @cached_property
    def _balancer_keys(self) -> set[str]:
        """Load balancers that the NICs stand behind by name, and those that TAPs lead to."""
        pools = {one for of_nic in self.addresses.values() for address in of_nic for one in address.backend_address_pool_ids}
        return {key_of(parent_id(one)) for one in (*pools, *(one for one in self.destination_ids if FRONTEND_SEGMENT in one.lower()))}

    @cached_property
    def pools(self) -> dict[str, Pool]:
        """Pools of these load balancers, and every pool that is made of addresses: who stands behind it is told by address alone."""
        wanted = Q(load_balancer_id__in=list(self._balancer_keys)) | ~Q(backend_addresses=[])
        return {one.key: one for one in picked(resources(self.scope, ResourceKind.BACKEND_POOL).filter(wanted), Pool, None)}

    @cached_property
    def _wider_balancer_keys(self) -> set[str]:
        return self._balancer_keys | {one.load_balancer_id for one in self.pools.values()}

    @cached_property
    def balancers(self) -> dict[str, Balancer]:
        return {one.key: one for one in self._of(ResourceKind.LOAD_BALANCER, Balancer, self._wider_balancer_keys)}

    @cached_property
    def rules(self) -> dict[str, list[BalancingRule]]:
        """{load balancer's key: its rules}."""
        return _grouped(self._of(ResourceKind.LOAD_BALANCING_RULE, BalancingRule, self._wider_balancer_keys))

    @cached_property
    def frontends(self) -> dict[str, Frontend]:
        """Frontends that TAPs lead to, and those of load balancers with pools of addresses."""
        by_address = {one.load_balancer_id for one in self.pools.values() if one.backend_addresses}
        wanted = Q(key__in=list(self.frontend_keys)) | Q(load_balancer_id__in=list(by_address))
        return {one.key: one for one in picked(resources(self.scope, ResourceKind.FRONTEND).filter(wanted), Frontend, None)}

    @cached_property
    def balancer_vnets(self) -> dict[str, set[str]]:
        """{load balancer's key: keys of the VNets that its frontends lie in}."""
        found: dict[str, set[str]] = defaultdict(set)
        for one in self.frontends.values():
            found[one.load_balancer_id].add(key_of(vnet_of(one.subnet_id)))
        return found

    @cached_property
    def pools_of_address(self) -> dict[str, list[Pool]]:
        found: dict[str, list[Pool]] = defaultdict(list)
        for pool in self.pools.values():
            for address in pool.backend_addresses:
                found[address].append(pool)
        return found

    def frontend_rules(self, frontend: Frontend) -> list[BalancingRule]:
        return [rule for rule in self.rules.get(frontend.load_balancer_id, []) if rule.frontend_key == frontend.key]

    def end_pools(self, frontend: Frontend) -> set[str]:
        """Keys of the pools that a frontend's rules for VXLAN lead to; of all its rules where none passes it."""
        rules = self.frontend_rules(frontend)
        return {key for rule in [one for one in rules if passes_vxlan(one.facts)] or rules for key in rule.pool_keys}

    @cached_property
    def ends(self) -> dict[str, Address]:
        """The ipConfigurations that TAPs end at, by key: named by id, or by address in a pool of addresses."""
        keys = {key_of(one) for one in self.destination_ids}
        hexes: set[str] = set()
        for one in (self.frontends[key] for key in self.frontend_keys if key in self.frontends):
            for pool in (self.pools[key] for key in self.end_pools(one) if key in self.pools):
                keys |= {key_of(member) for member in pool.ip_configuration_ids}
                hexes |= {ip_hex(address) for address in pool.backend_addresses} - {""}
        wanted = Q(key__in=list(keys)) | Q(private_ip_hex__in=list(hexes))
        rows = resources(self.scope, ResourceKind.IP_CONFIGURATION).filter(wanted)
        return {one.key: one for one in picked(rows, Address, None)}

    @cached_property
    def group_of_subnet(self) -> dict[str, str]:
        """{key of a subnet that a TAP ends in: key of its network security group, "" for none}."""
        keys = {one.subnet_key for one in self.ends.values()} - {""}
        return dict(resources(self.scope, ResourceKind.SUBNET).filter(key__in=list(keys)).values_list("key", "network_security_group_key"))

    @cached_property
    def security_groups(self) -> list[tuple[str, str, list[dict[str, Any]]]]:
        """(key, name, rules as JSON) of the groups that stand before the ends."""
        keys = {one.network_interface__network_security_group_key for one in self.ends.values()} | {*self.group_of_subnet.values()}
        rows = resources(self.scope, ResourceKind.NETWORK_SECURITY_GROUP).filter(key__in=list(keys - {""}))
        return list(rows.values_list("key", "name", "security_rules"))

    @cached_property
    def looped_pool_keys(self) -> set[str]:
        """Pools that some TAP, in scope or not, leads to through a frontend."""
        frontends = {one.destination_frontend_key for one in self.every_tap} - {""}
        rules = LoadBalancingRule.objects.filter(removed_at=None, frontend_key__in=list(frontends)).values_list("backend_pool_ids", flat=True)
        return {key_of(one) for pool_ids in rules for one in pool_ids}

    # -- VMs

    @cached_property
    def machines(self) -> dict[str, Machine]:
        """The VMs of the NICs and of the ends."""
        keys = {one.network_interface__virtual_machine_key for one in self.ends.values()} - {""}
        wanted = None if self.source_keys is None else keys | {one.virtual_machine_key for one in self.nics} - {""}
        return {one.key: one for one in self._of(ResourceKind.VIRTUAL_MACHINE, Machine, wanted)}

    @cached_property
    def appliances(self) -> dict[str, Appliance]:
        """The VMs of the ends."""
        keys = {one.network_interface__virtual_machine_key for one in self.ends.values()} - {""}
        return {one.key: one for one in self._of(ResourceKind.VIRTUAL_MACHINE, Appliance, keys)}

    @cached_property
    def assignments(self) -> dict[str, CollectorAssignment]:
        """What operators said about the destinations, by their keys."""
        keys = [key_of(one) for one in self.destination_ids]
        return in_scope(CollectorAssignment.objects.all(), self.scope).in_bulk(keys) if keys else {}

    @cached_property
    def restarts(self) -> dict[str, datetime]:
        """{VM's key: when syncs last saw it run after it was deallocated}."""
        found: dict[str, datetime] = {}
        is_deallocated: set[str] = set()
        for key, at, fields in self._changes(ResourceKind.VIRTUAL_MACHINE, "power_state", {one.virtual_machine_key for one in self.nics}):
            before, after = (str(one).lower() for one in fields["power_state"])
            if "deallocated" in (before, after):
                is_deallocated.add(key)
            if after == "running" and key in is_deallocated:
                is_deallocated.discard(key)
                found[key] = at
        return found

    def _changes(self, kind: ResourceKind, field: str, keys: set[str]) -> list[tuple[str, datetime, dict[str, Any]]]:
        """(key, when, fields) of the changes of one field, oldest first."""
        rows = in_scope(ResourceChange.objects.filter(kind=kind, action="changed", fields__has_key=field), self.scope).order_by("pk")
        if len(keys) <= MOST_KEYS:
            rows = rows.filter(key__in=list(keys - {""}))
        return [row for row in rows.values_list("key", "at", "fields") if row[0] in keys]

    # -- VNets

    @cached_property
    def vnets(self) -> list[Vnet]:
        """The VNets of the NICs and of the destinations."""
        subnet_ids = {one.subnet_id for one in self.ends.values()} | {one.subnet_id for one in self.frontends.values()}
        ends = {key_of(vnet_of(one)) for one in subnet_ids}
        return self._of(ResourceKind.VIRTUAL_NETWORK, Vnet, (ends | {one.virtual_network_key for one in self.nics}) - {""})

    @cached_property
    def peerings(self) -> dict[str, list[Peering]]:
        """{VNet's key: its side of each peering}."""
        return _grouped(self._of(ResourceKind.PEERING, Peering, {one.key for one in self.vnets}))

    @cached_property
    def broken_since(self) -> dict[str, datetime]:
        """{key of a peering that is not Connected: when syncs first saw it so}."""
        broken = [one for of in self.peerings.values() for one in of if one.peering_state.lower() != "connected"]
        changed = {key: at for key, at, _ in self._changes(ResourceKind.PEERING, "peering_state", {one.key for one in broken})}
        return {one.key: changed.get(one.key, one.first_seen_at) for one in broken}

    # -- counts and conditions

    @cached_property
    def configuration_counts(self) -> tuple[Counter[str], Counter[str]]:
        """TAP configurations in scope, by TAP's key and by subscription."""
        rows = resources(self.scope, ResourceKind.TAP_CONFIGURATION).order_by()
        of_tap: Counter[str] = Counter()
        of_subscription: Counter[str] = Counter()
        for tap_key, subscription_id, number in rows.values_list("virtual_network_tap_key", "subscription_id").annotate(number=Count("pk")):
            of_tap[tap_key] += number
            of_subscription[subscription_id] += number
        return of_tap, of_subscription

    @cached_property
    def tap_counts(self) -> dict[str, Counter[str]]:
        """{subscription id: {region: how many TAPs}}."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for one in self.every_tap:
            found[one.subscription_id][one.location] += 1
        return found

    @cached_property
    def conditions(self) -> dict[str, SubscriptionConditions]:
        return {one.subscription_id: one for one in in_scope(SubscriptionConditions.objects.all(), self.scope)}

    @cached_property
    def permissions(self) -> list[ScopePermissions]:
        return list(in_scope(ScopePermissions.objects.all(), self.scope))


def picked(rows: QuerySet[Any], row: type[Any], keys: Collection[str] | None) -> list[Any]:
    """The rows as `row`, a NamedTuple whose fields name the columns, those whose first column is among `keys` (None: all); one query."""
    columns = row._fields
    if keys is not None and len(keys) <= MOST_KEYS:
        rows = rows.filter(**{f"{columns[0]}__in": list(keys)})
        keys = None
    found = map(row._make, rows.values_list(*columns))
    return list(found) if keys is None else [one for one in found if one[0] in keys]


def _grouped(rows: list[Any]) -> dict[str, list[Any]]:
    """By their first column."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found
