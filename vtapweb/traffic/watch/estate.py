"""What the inventory expects of the collectors: mirrors with their VMs, and every hop on the way. A fixed number of queries, kept while it holds.

Rule: what a list that was not read to its end lacks is unknown, not gone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, NamedTuple

from django.db.models import Max, Q

from vtapweb.domain.arm_id import name_in
from vtapweb.domain.causes import Hop, HopKind, HopState, Path
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import (
    KindState,
    LoadBalancingRule,
    ResourceChange,
    ResourceKind,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.inventory.receiving import chunks
from vtapweb.traffic.capacity import capacities_of
from vtapweb.traffic.models import CollectorAssignment, SourceFlow
from vtapweb.traffic.selectors.collectors import CollectorFacts, collectors_of

VXLAN_PORT: Final = 4789
KEPT_FOR: Final = timedelta(seconds=60)  # ages of lists move on though nothing changed
CHANGES_LOOKED_AT: Final = 20_000  # of more, one will be of ours
HOPS: Final = frozenset(  # few of each, and any of them may mend or break a way
    {
        ResourceKind.PEERING.value, ResourceKind.TAP.value, ResourceKind.LOAD_BALANCER.value, ResourceKind.FRONTEND.value,
        ResourceKind.BACKEND_POOL.value, ResourceKind.LOAD_BALANCING_RULE.value,
    }
)  # fmt: skip
LIST_OF: Final = {
    HopKind.VM: "virtual_machines",
    HopKind.TAP_CONFIGURATION: "network_interfaces",
    HopKind.PEERING_OF_SOURCE: "virtual_networks",
    HopKind.PEERING_OF_COLLECTOR: "virtual_networks",
    HopKind.TAP: "virtual_network_taps",
    HopKind.FRONTEND: "load_balancers",
    HopKind.RULE: "load_balancers",
    HopKind.MEMBER: "virtual_machines",
}


@dataclass(frozen=True, slots=True)
class MirrorFacts:
    """One TAP configuration: a NIC that should send to a collector. `is_running` None: Azure did not say.

    `last_packet_at`: the newest that was seen of it, as of some minutes ago, for when live numbers do not tell: they begin anew with each meter.
    """

    key: str
    state: str  # provisioning
    since: datetime  # first seen
    subscription_id: str
    nic_key: str
    nic_name: str
    vnet_key: str
    vm_key: str
    vm_name: str
    power_state: str
    tap_key: str
    collector_key: str
    last_packet_at: datetime | None = None

    @property
    def is_running(self) -> bool | None:
        return None if not self.power_state else self.power_state == "running"

    @property
    def is_configured(self) -> bool:
        return self.state.lower() == "succeeded"


class Named(NamedTuple):
    name: str
    subscription_id: str


class Side(NamedTuple):
    """One side of a peering; `gone_at`: it was there until then."""

    key: str
    state: str
    subscription_id: str
    gone_at: datetime | None


class TapState(NamedTuple):
    name: str
    subscription_id: str
    state: str
    gone_at: datetime | None


@dataclass(frozen=True)
class Estate:
    """Everything that health is judged by beside the live numbers. Keys are ARM keys."""

    collectors: dict[str, CollectorFacts]
    mirrors: dict[str, list[MirrorFacts]]  # by collector
    assigned: dict[str, CollectorAssignment]
    capacities: dict[str, int | None] = field(default_factory=dict)
    vnets: dict[str, Named] = field(default_factory=dict)
    peerings: dict[tuple[str, str], Side] = field(default_factory=dict)  # (whose side, with whom)
    taps: dict[str, TapState] = field(default_factory=dict)
    frontends_with_rule: frozenset[str] = frozenset()
    read_at: dict[tuple[str, str], datetime] = field(default_factory=dict)  # (subscription, list) when it was last read to its end
    whole: frozenset[tuple[str, str]] = frozenset()  # lists whose last reading came to their end
    changed_at: dict[str, datetime] = field(default_factory=dict)  # of what is not as it should be

    def name_of(self, key: str) -> str:
        """What people call the collector."""
        said = self.assigned.get(key)
        return (said.name if said else "") or self.collectors[key].name

    def capacity_of(self, key: str) -> int | None:
        """In bits per second of the wire, None: nobody knows."""
        return self.capacities.get(key)

    @cached_property
    def subscription_ids(self) -> list[str]:
        """Of all collectors, for what concerns all of them."""
        return sorted({one.subscription_id for one in self.collectors.values()} - {""})

    @cached_property
    def keys(self) -> frozenset[str]:
        """Of everything that it names."""
        mirrors = [one for some in self.mirrors.values() for one in some]
        members = [one for collector in self.collectors.values() for one in collector.members]
        named = {key for one in mirrors for key in (one.key, one.nic_key, one.vm_key)} | {key for one in members for key in (one.nic_key, one.vm_key)}
        return frozenset(named | self.collectors.keys() | self.taps.keys() | {side.key for side in self.peerings.values()}) - {""}

    # -- hops

    def way_of(self, mirror: MirrorFacts, behind: Path) -> Path:
        """The hops of one mirror, from its VM to the TAP, and `behind` (that of its collector)."""
        end = self.collectors[mirror.collector_key]
        return (
            self._vm(mirror),
            self._configuration(mirror),
            *self._peering(mirror, end),
            *(self._tap(key) for key in [mirror.tap_key] if key),
            *behind,
        )

    def way_behind(self, key: str, agent: Hop, intake: Hop) -> Path:
        """The hops from a collector's frontend to our intake."""
        one = self.collectors[key]
        hops = [self._frontend(one), self._rule(one)] if one.kind == "load_balancer" else [self._frontend(one)]
        return (*hops, self._member(one), agent, intake)

    def _hop(self, kind: HopKind, key: str, name: str, state: HopState, words: str, subscription_id: str) -> Hop:
        seen_at = self.read_at.get((subscription_id, LIST_OF[kind]))
        return Hop(kind, key, name, state, words, subscription_id, self.changed_at.get(key), seen_at)

    def _vm(self, mirror: MirrorFacts) -> Hop:
        state = {True: HopState.OK, False: HopState.BROKEN, None: HopState.UNKNOWN}[mirror.is_running]
        words = f"the VM {mirror.vm_name} is {mirror.power_state}" if mirror.power_state else f"whether the VM of {mirror.nic_name} runs is not known"
        return self._hop(HopKind.VM, mirror.vm_key or mirror.nic_key, mirror.vm_name or mirror.nic_name, state, words, mirror.subscription_id)

    def _configuration(self, mirror: MirrorFacts) -> Hop:
        state = {"succeeded": HopState.OK, "failed": HopState.BROKEN}.get(mirror.state.lower(), HopState.UNKNOWN)
        words = f"the TAP configuration of {mirror.nic_name} is {mirror.state or 'of unknown state'}"
        return self._hop(HopKind.TAP_CONFIGURATION, mirror.key, mirror.nic_name, state, words, mirror.subscription_id)

    def _peering(self, mirror: MirrorFacts, end: CollectorFacts) -> Path:
        """Both sides; none where source and collector are in one VNet, or a VNet is not known."""
        here, there = mirror.vnet_key, end.vnet_key
        if not here or not there or here == there:
            return ()
        return (
            self._side(HopKind.PEERING_OF_SOURCE, here, there),
            self._side(HopKind.PEERING_OF_COLLECTOR, there, here),
        )

    def _side(self, kind: HopKind, whose: str, with_whom: str) -> Hop:
        nobody = Named("a VNet that we can't read", "")
        owner, other = self.vnets.get(whose, nobody), self.vnets.get(with_whom, nobody)
        pair = f"{owner.name} ↔ {other.name}" if kind is HopKind.PEERING_OF_SOURCE else f"{other.name} ↔ {owner.name}"
        key = " ".join(sorted((whose, with_whom)))
        side = self.peerings.get((whose, with_whom))
        since = None
        if side is None or side.gone_at is not None:
            is_known = bool(owner.subscription_id) and (owner.subscription_id, LIST_OF[kind]) in self.whole
            state = HopState.BROKEN if is_known else HopState.UNKNOWN
            words = (
                f"the peering {pair} is missing on {owner.name}'s side" if is_known else f"the peering {pair} can't be read on {owner.name}'s side"
            )
            since = side.gone_at if side else None
        else:
            state = {"connected": HopState.OK, "": HopState.UNKNOWN}.get(side.state.lower(), HopState.BROKEN)
            words = f"the peering {pair} is {side.state or 'of unknown state'} on {owner.name}'s side"
            since = self.changed_at.get(side.key)
        seen_at = self.read_at.get((owner.subscription_id, LIST_OF[kind]))
        return Hop(kind, key, pair, state, words, owner.subscription_id, since, seen_at)

    def _tap(self, key: str) -> Hop:
        tap = self.taps.get(key)
        if tap is None:
            return self._hop(HopKind.TAP, key, "TAP", HopState.UNKNOWN, "the TAP can't be read", "")
        if tap.gone_at is not None:
            hop = self._hop(HopKind.TAP, key, tap.name, HopState.BROKEN, f"the TAP {tap.name} is gone", tap.subscription_id)
            return Hop(hop.kind, hop.key, hop.name, hop.state, hop.words, hop.subscription_id, tap.gone_at, hop.seen_at)
        state = {"succeeded": HopState.OK, "failed": HopState.BROKEN}.get(tap.state.lower(), HopState.UNKNOWN)
        return self._hop(HopKind.TAP, key, tap.name, state, f"the TAP {tap.name} is {tap.state or 'of unknown state'}", tap.subscription_id)

    def _frontend(self, one: CollectorFacts) -> Hop:
        state = {"gone": HopState.BROKEN, "unreadable": HopState.UNKNOWN}.get(one.kind, HopState.OK)
        what = f"the frontend of {one.name}" if one.kind == "load_balancer" else f"the destination {one.name}"
        words = f"{what} is {'gone' if state is HopState.BROKEN else 'there' if state is HopState.OK else 'not readable'}"
        return self._hop(HopKind.FRONTEND, one.key, one.name, state, words, one.subscription_id)

    def _rule(self, one: CollectorFacts) -> Hop:
        has_rule = one.key in self.frontends_with_rule
        is_known = has_rule or (one.subscription_id, LIST_OF[HopKind.RULE]) in self.whole
        state = HopState.OK if has_rule else HopState.BROKEN if is_known else HopState.UNKNOWN
        words = f"{one.name} has {'a' if has_rule else 'no'} rule for UDP {VXLAN_PORT}" if is_known else f"the rules of {one.name} can't be read"
        return self._hop(HopKind.RULE, f"{one.key}", one.name, state, words, one.subscription_id)

    def _member(self, one: CollectorFacts) -> Hop:
        powers = [member.power_state for member in one.members]
        names = ", ".join(name_in(member.vm_id) or member.name for member in one.members[:3]) + (" …" if len(one.members) > 3 else "")
        subscription_id = next((member.subscription_id for member in one.members), one.subscription_id)
        if "running" in powers:
            state, words = HopState.OK, f"{names} runs" if len(powers) == 1 else f"{powers.count('running')} of {one.member_count} members run"
        elif one.kind == "load_balancer" and not one.member_count and one.is_resolved:
            state, words = HopState.BROKEN, f"no machine stands behind {one.name}"
        elif powers and all(powers) and len(powers) == one.member_count:
            state, words = HopState.BROKEN, f"its VM {names} is {powers[0]}" if len(powers) == 1 else f"none of its {len(powers)} VMs runs"
        else:
            state, words = HopState.UNKNOWN, "whether its VM runs is not known"
        key = one.members[0].vm_key or one.members[0].nic_key if one.members else one.key
        return self._hop(HopKind.MEMBER, key, names or one.name, state, words, subscription_id)


class Fingerprint(NamedTuple):
    """`changes` is another number whenever the inventory is another one, `said` whenever what was said about collectors is."""

    changes: int
    said: tuple[object, object]


def fingerprint() -> Fingerprint:
    """As of now. Two queries."""
    said = CollectorAssignment.objects.aggregate(newest=Max("at"), highest=Max("capacity_bits_per_s"))
    return Fingerprint(ResourceChange.objects.aggregate(newest=Max("pk"))["newest"] or 0, (said["newest"], said["highest"]))


def is_touched(estate: Estate, *, after: int) -> bool:
    """Whether a change since that one is of something that health is judged by: what the estate names, or a hop that it may lack. One query.

    What a sync adds beside that (machines by the ten thousand) can wait: nothing that stands or is awaited depends on it.
    """
    rows = ResourceChange.objects.filter(pk__gt=after).order_by("pk").values_list("kind", "key")[: CHANGES_LOOKED_AT + 1]
    found = list(rows)
    return len(found) > CHANGES_LOOKED_AT or any(kind in HOPS or key in estate.keys for kind, key in found)


def read_estate() -> Estate:
    """Everything as it is in the database now: 21 queries, and one more for every 900 things that are not as they should be."""
    collectors = {one.key: one for one in collectors_of(Scope.everything())}
    vms = {
        key: (name, power)
        for key, name, power in VirtualMachine.objects.filter(
            removed_at=None, key__in=TapConfiguration.objects.filter(removed_at=None).values("network_interface__virtual_machine_key")
        ).values_list("key", "name", "power_state")
    }
    taps = {
        key: (TapState(name, sub, state, gone_at), (ip or front) or key)
        for key, name, sub, state, gone_at, ip, front in VirtualNetworkTap.objects.values_list(
            "key", "name", "subscription_id", "provisioning_state", "removed_at", "destination_ip_configuration_key", "destination_frontend_key"
        )
    }
    mirrors: dict[str, list[MirrorFacts]] = {}
    for mirror in _mirrors(vms, {key: end for key, (tap, end) in taps.items() if tap.gone_at is None}):
        if mirror.collector_key in collectors:
            mirrors.setdefault(mirror.collector_key, []).append(mirror)
    peerings = _peerings()
    states = list(KindState.objects.filter(kind__in=set(LIST_OF.values())).values_list("subscription_id", "kind", "status", "last_complete_at"))
    estate = Estate(
        collectors=collectors,
        mirrors=mirrors,
        assigned={one.destination_key: one for one in CollectorAssignment.objects.all()},
        capacities={key: one.bits_per_s for key, one in capacities_of(Scope.everything(), collectors.values()).items()},
        vnets={
            key: Named(name, sub) for key, name, sub in VirtualNetwork.objects.filter(removed_at=None).values_list("key", "name", "subscription_id")
        },
        peerings=peerings,
        taps={key: tap for key, (tap, _) in taps.items()},
        frontends_with_rule=frozenset(
            LoadBalancingRule.objects.filter(
                Q(frontend_port=VXLAN_PORT, protocol__iexact="udp") | Q(protocol__iexact="all"), removed_at=None
            ).values_list("frontend_key", flat=True)
        ),
        read_at={(sub, kind): at for sub, kind, _, at in states if at},
        whole=frozenset((sub, kind) for sub, kind, status, _ in states if status in KindState.READ_STATUSES),
    )
    estate.changed_at.update(_changed_at(_amiss(estate)))
    return estate


def _mirrors(vms: dict[str, tuple[str, str]], ends: dict[str, str]) -> Iterable[MirrorFacts]:
    rows = TapConfiguration.objects.filter(removed_at=None, network_interface__removed_at=None).values_list(
        "key", "provisioning_state", "first_seen_at", "subscription_id", "network_interface_id", "network_interface__name",
        "network_interface__virtual_network_key", "network_interface__virtual_machine_key", "virtual_network_tap_key",
    )  # fmt: skip
    seen = {(key, end): at for key, end, at in SourceFlow.objects.values_list("tap_configuration_key", "collector_key", "last_at")}
    for key, state, since, sub, nic_key, nic_name, vnet_key, vm_key, tap_key in rows:
        vm_name, power = vms.get(vm_key, ("", ""))
        end = ends.get(tap_key, tap_key)
        last_at = seen.get((key, end))
        last_at = last_at if last_at is not None and last_at >= since else None  # else of a mirror that was there before
        yield MirrorFacts(key, state, since, sub, nic_key, nic_name, vnet_key, vm_key, vm_name, power, tap_key, end, last_at)


def _peerings() -> dict[tuple[str, str], Side]:
    """By side; one that is there goes before one that is gone."""
    rows = VirtualNetworkPeering.objects.order_by("removed_at").values_list(
        "virtual_network_id", "remote_virtual_network_key", "key", "peering_state", "subscription_id", "removed_at"
    )
    found: dict[tuple[str, str], Side] = {}
    for vnet_key, remote_key, key, state, sub, gone_at in rows:
        before = found.get((vnet_key, remote_key))
        if before is None or gone_at is None or (before.gone_at is not None and gone_at > before.gone_at):
            found[(vnet_key, remote_key)] = Side(key, state, sub, gone_at)
    return found


def _amiss(estate: Estate) -> set[str]:
    """Keys of what is not as it should be: since when is told by the changes that syncs saw."""
    keys = {side.key for side in estate.peerings.values() if side.gone_at is None and side.state.lower() != "connected"}
    keys |= {key for key, tap in estate.taps.items() if tap.gone_at is None and tap.state.lower() != "succeeded"}
    for mirrors in estate.mirrors.values():
        keys |= {one.vm_key for one in mirrors if one.is_running is False} | {one.key for one in mirrors if not one.is_configured}
    keys |= {member.vm_key for one in estate.collectors.values() for member in one.members if member.power_state not in ("", "running")}
    return keys - {""}


def _changed_at(keys: set[str]) -> dict[str, datetime]:
    """When each was last seen to change."""
    found: dict[str, datetime] = {}
    for some in chunks(keys):
        found.update(ResourceChange.objects.filter(key__in=some).order_by("pk").values_list("key", "at"))
    return found
