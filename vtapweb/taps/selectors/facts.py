"""From the inventory to what the rules judge by: the world, the NICs and the TAPs that somebody asks about, in a fixed number of queries.

Rule 1: facts are read within the viewer's scope; what lies outside is not known to the rules, so nothing of it is told. Two things hold whoever
looks, and are exceptions: protected scopes, and that a NIC receives mirrored traffic. Rule 2: a document that is not there is gone only where its
list was read to the end; else it is unreadable. Rule 3: where the list of VNets failed, its VNets are unreadable, however fresh their rows look.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from django.conf import settings

from vtapweb.cloud.port import ReadKind
from vtapweb.domain.arm_id import arm_key, name_in, subscription_in
from vtapweb.domain.partners import Machine, Recognised, recognise
from vtapweb.domain.permissions import PermissionList
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.facts import (
    BehindFacts,
    ConfigurationFacts,
    DestinationFacts,
    FeatureFacts,
    LockFacts,
    MemberFacts,
    PeeringFacts,
    PermissionFacts,
    Presence,
    ProtectionFacts,
    Readability,
    SecurityGroupFacts,
    SecurityRuleFacts,
    SourceFacts,
    SubscriptionFacts,
    TapFacts,
    VnetFacts,
    World,
)
from vtapweb.inventory.models import KindState
from vtapweb.inventory.partners import partners
from vtapweb.inventory.rows import SCALE_SET_NETWORK_INTERFACES, SCALE_SET_SEGMENT
from vtapweb.taps.fact_rows import FRONTEND_SEGMENT, Address, FactRows, Frontend, Nic, Pool, Tap, key_of, parent_id, vnet_of
from vtapweb.taps.models import ConditionStatus, ProtectedScope
from vtapweb.taps.tables import limits, preview_tables

K = TypeVar("K", SourceFacts, TapFacts)


@dataclass(frozen=True, slots=True)
class ProposedTap:
    """A TAP that somebody wants to create: its ARM id, and the destination that it shall have. `region` "": the destination's."""

    arm_id: str
    destination_id: str
    region: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


class Facts(NamedTuple):
    """What `judge` takes. `sources` and `taps` are in the order asked for; what is not there, or out of scope, is missing."""

    world: World
    sources: tuple[SourceFacts, ...]
    taps: tuple[TapFacts, ...]


def world_of(
    scope: Scope,
    *,
    source_keys: Collection[str] | None,
    tap_keys: Collection[str] | None = None,
    proposed: Sequence[ProposedTap] = (),
    adding: int = 1,
) -> Facts:
    """The facts about these NICs and TAPs (None: all in scope), and about TAPs still to be created, which come last.

    `adding`: how many NICs are about to be added to a TAP. At most 27 queries, whatever the estate.
    """
    rows = FactRows(scope, source_keys, tap_keys, [one.destination_id for one in proposed])
    reading = _Reading(scope, rows)
    world = World(
        subscriptions={one: reading.subscription(one) for one in rows.listed},
        vnets=reading.vnets(),
        security_groups=reading.security_groups(),
        permissions=reading.permissions(),
        collector_nic_keys=reading.collector_nic_keys(),
        protections=tuple(protections(scope)),
        limits=limits(adding),
        tables=preview_tables(),
    )
    sources = _in_order([reading.source(one) for one in rows.nics], source_keys)
    taps = _in_order([reading.tap(one) for one in rows.taps], tap_keys)
    return Facts(world, sources, (*taps, *(reading.proposed(one) for one in proposed)))


def protections(scope: Scope) -> list[ProtectionFacts]:  # noqa: ARG001 - what is protected is protected from everybody
    """Every protected scope, as the rules take it; one query."""
    return [
        ProtectionFacts(one.kind, one.key, one.owner, one.contact, one.note, one.for_collector_key)
        for one in ProtectedScope.objects.order_by("kind", "key", "for_collector_key")
    ]


def _in_order(found: Iterable[K], keys: Collection[str] | None) -> tuple[K, ...]:
    """In the order asked for; by name where all were asked for."""
    by_key = {one.key: one for one in found}
    if keys is None:
        return tuple(sorted(by_key.values(), key=lambda one: (one.name.lower(), one.key)))
    return tuple(by_key[key] for key in dict.fromkeys(keys) if key in by_key)


READABILITY = {ConditionStatus.READ: Readability.READ, ConditionStatus.NOT_AVAILABLE: Readability.NOT_OFFERED}
MAY_LACK_APIS = ("custom", "simulator")  # Azure itself always tells permissions and locks


def _readability(status: str) -> Readability:
    """What a stored status means to the rules."""
    found = READABILITY.get(ConditionStatus(status), Readability.UNREADABLE)
    return Readability.UNREADABLE if found is Readability.NOT_OFFERED and settings.CLOUD not in MAY_LACK_APIS else found


class _Reading:
    """Puts facts together from rows."""

    def __init__(self, scope: Scope, rows: FactRows) -> None:
        self.scope, self.rows = scope, rows

    def is_read(self, subscription_id: str, kind: str) -> bool:
        return self.rows.read_states.get((subscription_id, kind)) in KindState.READ_STATUSES

    def missing(self, arm_id: str, kind: str) -> Presence:
        """What a document without a row is: gone, or one that nobody could read."""
        if SCALE_SET_SEGMENT in arm_id.lower():
            kind = SCALE_SET_NETWORK_INTERFACES
        subscription_id = subscription_in(arm_id)
        return Presence.GONE if self.scope.allows(subscription_id) and self.is_read(subscription_id, kind) else Presence.UNREADABLE

    # -- NICs

    def source(self, nic: Nic) -> SourceFacts:
        vm = self.rows.machines.get(nic.virtual_machine_key)
        addresses = self.rows.addresses.get(nic.key, [])
        presence = None
        if nic.virtual_machine_id:
            presence = Presence.READ if vm else self.missing(nic.virtual_machine_id, ReadKind.VIRTUAL_MACHINES)
        return SourceFacts(
            key=nic.key,
            arm_id=nic.arm_id,
            name=nic.name,
            subscription_id=nic.subscription_id,
            region=nic.location,
            vnet_key=nic.virtual_network_key,
            vnet_id=nic.virtual_network_id,
            subnet_key=nic.subnet_key,
            subnet_id=nic.subnet_id,
            vm_presence=presence,
            vm_key=nic.virtual_machine_key,
            vm_name=vm.name if vm else name_in(nic.virtual_machine_id),
            vm_size=vm.vm_size if vm else "",
            vm_restarted_at=self.rows.restarts.get(nic.virtual_machine_key),
            has_private_endpoint=bool(nic.private_endpoint_id),
            has_private_link_service=bool(nic.private_link_service_id),
            ip_versions=tuple(one.private_ip_address_version for one in addresses),
            private_ips=tuple(one.private_ip_address for one in addresses if one.private_ip_address),
            behind=self.behind(addresses, nic.virtual_network_key),
            configurations=tuple(
                ConfigurationFacts(one.name, one.virtual_network_tap_key, name_in(one.virtual_network_tap_id), one.arm_id)
                for one in self.rows.configurations.get(nic.key, [])
            ),
            tags={**(vm.tags if vm else {}), **nic.tags},
        )

    def behind(self, addresses: Iterable[Address], vnet_key: str) -> tuple[BehindFacts, ...]:
        """The load balancers that a NIC of these addresses stands behind: by its ipConfigurations, or by address in the same VNet."""
        found: dict[str, tuple[str, set[str]]] = {}
        for address in addresses:
            for pool_id in address.backend_address_pool_ids:
                balancer_id = parent_id(pool_id)
                found.setdefault(key_of(balancer_id), (balancer_id, set()))[1].add(key_of(pool_id))
            for pool in self.rows.pools_of_address.get(address.private_ip_address, ()):
                if vnet_key and vnet_key in self.rows.balancer_vnets.get(pool.load_balancer_id, ()):
                    found.setdefault(pool.load_balancer_id, ("", set()))[1].add(pool.key)
        return tuple(self._behind(key, balancer_id, pool_keys) for key, (balancer_id, pool_keys) in found.items())

    def _behind(self, key: str, balancer_id: str, pool_keys: set[str]) -> BehindFacts:
        balancer = self.rows.balancers.get(key)
        if balancer is None:
            return BehindFacts(name_in(balancer_id), self.missing(balancer_id, ReadKind.LOAD_BALANCERS))
        floating = tuple(one.name for one in self.rows.rules.get(key, []) if one.is_floating_ip_enabled and one.pool_keys & pool_keys)
        return BehindFacts(balancer.name, Presence.READ, balancer.sku, floating)

    def collector_nic_keys(self) -> frozenset[str]:
        """Those of the NICs asked about that some TAP leads to, whoever may read it."""
        ends = {one.destination_ip_configuration_key for one in self.rows.every_tap} - {""}
        pools = self.rows.looped_pool_keys
        return frozenset(
            nic_key
            for nic_key, addresses in self.rows.addresses.items()
            if any(one.key in ends or any(key_of(pool_id) in pools for pool_id in one.backend_address_pool_ids) for one in addresses)
        )

    # -- TAPs

    def tap(self, tap: Tap) -> TapFacts:
        counted = self.rows.configuration_counts[0][tap.key]
        return TapFacts(
            key=tap.key,
            arm_id=tap.arm_id,
            name=tap.name,
            subscription_id=tap.subscription_id,
            region=tap.location,
            destinations=tuple(self.destination(one) for one in tap.destination_ids),
            provisioning_state=tap.provisioning_state,
            created_at=tap.first_seen_at,
            configuration_count=max(counted, len(tap.tap_configuration_ids)),
            tags=tap.tags,
        )

    def proposed(self, wanted: ProposedTap) -> TapFacts:
        destination = self.destination(wanted.destination_id) if wanted.destination_id else None
        return TapFacts(
            key=arm_key(wanted.arm_id),
            arm_id=wanted.arm_id,
            name=name_in(wanted.arm_id),
            subscription_id=subscription_in(wanted.arm_id),
            region=wanted.region or (destination.region if destination else ""),
            destinations=(destination,) if destination else (),
            is_proposed=True,
            tags=wanted.tags,
        )

    def destination(self, arm_id: str) -> DestinationFacts:
        key, owner = key_of(arm_id), key_of(parent_id(arm_id))
        is_frontend = FRONTEND_SEGMENT in arm_id.lower()
        if not is_frontend and key in self.rows.ends:
            return self._nic_end(arm_id, self.rows.ends[key])
        if is_frontend and key in self.rows.frontends and owner in self.rows.balancers:
            return self._balancer_end(arm_id, self.rows.frontends[key])
        kind = "load_balancer" if is_frontend else "nic" if "/ipconfigurations/" in arm_id.lower() else ""
        presence = self.missing(parent_id(arm_id), ReadKind.LOAD_BALANCERS if is_frontend else ReadKind.NETWORK_INTERFACES)
        return DestinationFacts(
            key=key,
            arm_id=arm_id,
            name=name_in(parent_id(arm_id)),
            kind=kind,
            presence=presence if kind else Presence.UNREADABLE,
            subscription_id=subscription_in(arm_id),
            rules=None,
            members=None,
        )

    def _nic_end(self, arm_id: str, own: Address) -> DestinationFacts:
        vnet_id = vnet_of(own.subnet_id)
        return DestinationFacts(
            key=own.key,
            arm_id=arm_id,
            name=own.network_interface__name,
            kind="nic",
            presence=Presence.READ,
            subscription_id=subscription_in(arm_id),
            region=own.network_interface__location,
            vnet_key=key_of(vnet_id),
            vnet_id=vnet_id,
            address=own.private_ip_address,
            address_version=own.private_ip_address_version,
            members=(self.member(own),),
            partner=self.partner(own.key, [own], {}),
        )

    def _balancer_end(self, arm_id: str, frontend: Frontend) -> DestinationFacts:
        balancer = self.rows.balancers[frontend.load_balancer_id]
        vnet_id = vnet_of(frontend.subnet_id)
        members = self.members(frontend)
        ends = [one for one in self.rows.ends.values() if one.network_interface_id in {member.nic_key for member in members or ()}]
        return DestinationFacts(
            key=frontend.key,
            arm_id=arm_id,
            name=balancer.name,
            kind="load_balancer",
            presence=Presence.READ,
            subscription_id=subscription_in(arm_id),
            region=balancer.location,
            vnet_key=key_of(vnet_id),
            vnet_id=vnet_id,
            address=frontend.private_ip_address,
            address_version=frontend.private_ip_address_version,
            has_public_ip=bool(frontend.public_ip_address_id),
            rules=tuple(one.facts for one in self.rows.frontend_rules(frontend)),
            members=members,
            partner=self.partner(frontend.key, ends, {"load_balancer": balancer.name, "frontend": name_in(arm_id)}),
        )

    def partner(self, destination_key: str, ends: Sequence[Address], names: Mapping[str, str]) -> Recognised:
        """Which product receives there: the operator's word first, else what the VMs at the end look like."""
        said = self.rows.assignments.get(destination_key)
        found = {one.network_interface__virtual_machine_key: self.rows.appliances.get(one.network_interface__virtual_machine_key) for one in ends}
        machines = [
            Machine(
                image_publisher=one.image_publisher,
                image_offer=one.image_offer,
                image_sku=one.image_sku,
                image_id=one.image_id,
                plan_publisher=one.plan_publisher,
                plan_product=one.plan_product,
                plan_name=one.plan_name,
                tags=one.tags,
                names={"virtual_machine": one.name, "scale_set": name_in(one.scale_set_id)},
            )
            for one in found.values()
            if one is not None
        ]
        sets = {one.arm_id.split("/")[8] for one in ends if SCALE_SET_SEGMENT in one.arm_id.lower()}  # whose VMs stand in no list
        machines += [Machine(names={"scale_set": name}) for name in sorted(sets)]
        return recognise(partners(), machines, assigned=said.partner if said else "", names=names, vouched_by=said.by if said else "")

    def members(self, frontend: Frontend) -> tuple[MemberFacts, ...] | None:
        """Everybody in the pools behind a frontend; None when one of the pools cannot be read."""
        found: dict[str, MemberFacts] = {}
        for pool_key in sorted(self.rows.end_pools(frontend)):
            pool = self.rows.pools.get(pool_key)
            if pool is None:
                return None
            for arm_id in pool.ip_configuration_ids:
                key = key_of(arm_id)
                found[key] = self.member(self.rows.ends[key]) if key in self.rows.ends else self._missing_member(arm_id)
            found |= self._members_by_address(pool)
        return tuple(found.values())

    def _missing_member(self, arm_id: str) -> MemberFacts:
        nic_id = parent_id(arm_id)
        presence = self.missing(nic_id, ReadKind.NETWORK_INTERFACES)
        return MemberFacts(key_of(nic_id), name_in(nic_id), presence=presence, security_group_keys=None)

    def _members_by_address(self, pool: Pool) -> dict[str, MemberFacts]:
        vnets = self.rows.balancer_vnets.get(pool.load_balancer_id, set())
        found: dict[str, MemberFacts] = {}
        for text in pool.backend_addresses:
            own = [one for one in self.rows.ends.values() if one.private_ip_address == text and key_of(vnet_of(one.subnet_id)) in vnets]
            found |= {one.key: self.member(one) for one in own}
            if not own:
                found[text] = MemberFacts("", text, address=text, presence=Presence.UNREADABLE, security_group_keys=None)
        return found

    def member(self, address: Address) -> MemberFacts:
        vm = self.rows.machines.get(address.network_interface__virtual_machine_key)
        group = self.rows.group_of_subnet.get(address.subnet_key)
        groups = (address.network_interface__network_security_group_key, group or "")
        return MemberFacts(
            nic_key=address.network_interface_id,
            nic_name=address.network_interface__name,
            address=address.private_ip_address,
            vm_name=vm.name if vm else name_in(address.network_interface__virtual_machine_id),
            power_state=vm.power_state if vm else "",
            security_group_keys=None if group is None else tuple(one for one in groups if one),
        )

    # -- the world

    def subscription(self, subscription_id: str) -> SubscriptionFacts:
        name, tenant_id = self.rows.listed[subscription_id]
        kept = self.rows.conditions.get(subscription_id)
        of_subscription = self.rows.configuration_counts[1]
        return SubscriptionFacts(
            subscription_id=subscription_id,
            name=name,
            tenant_id=tenant_id,
            feature=FeatureFacts(_readability(kept.feature_status), kept.feature_state) if kept else FeatureFacts(),
            locks=tuple(LockFacts(one["scope_id"], one["level"], one["name"], one.get("notes", "")) for one in kept.locks) if kept else (),
            locks_readability=_readability(kept.locks_status) if kept else Readability.UNREADABLE,
            configuration_count=of_subscription[subscription_id] if self.is_read(subscription_id, ReadKind.NETWORK_INTERFACES) else None,
            tap_counts=self.rows.tap_counts.get(subscription_id, {}) if self.is_read(subscription_id, ReadKind.VIRTUAL_NETWORK_TAPS) else None,
        )

    def vnets(self) -> dict[str, VnetFacts]:
        failed = {one for (one, kind), status in self.rows.read_states.items() if kind == ReadKind.VIRTUAL_NETWORKS and status in FAILED}
        return {
            one.key: VnetFacts(
                key=one.key,
                name=one.name,
                subscription_id=one.subscription_id,
                region=one.location,
                is_encryption_enabled=one.is_encryption_enabled,
                peerings={
                    side.remote_virtual_network_key: PeeringFacts(
                        side.remote_virtual_network_key,
                        name_in(side.remote_virtual_network_id),
                        side.peering_state,
                        self.rows.broken_since.get(side.key),
                    )
                    for side in self.rows.peerings.get(one.key, [])
                },
            )
            for one in self.rows.vnets
            if one.subscription_id not in failed
        }

    def security_groups(self) -> dict[str, SecurityGroupFacts]:
        return {
            key: SecurityGroupFacts(
                key,
                name,
                tuple(
                    SecurityRuleFacts(
                        name=rule.get("name", ""),
                        priority=rule.get("priority"),
                        direction=rule.get("direction", ""),
                        access=rule.get("access", ""),
                        protocol=rule.get("protocol", ""),
                        source_prefixes=tuple(rule.get("source_prefixes", ())),
                        destination_prefixes=tuple(rule.get("destination_prefixes", ())),
                        destination_port_ranges=tuple(rule.get("destination_port_ranges", ())),
                    )
                    for rule in rules
                ),
            )
            for key, name, rules in self.rows.security_groups
        }

    def permissions(self) -> dict[str, PermissionFacts]:
        return {
            one.scope_key: PermissionFacts(
                _readability(one.status),
                tuple(PermissionList(tuple(entry["actions"]), tuple(entry["not_actions"])) for entry in one.permissions),
            )
            for one in self.rows.permissions
        }


FAILED = (KindState.Status.FAILED, KindState.Status.NEVER)
