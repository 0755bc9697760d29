"""The way of one mirror, hop by hop, for people: from its VM to our intake, each with its state and how old that is. The same on the map,
on the page of a NIC and on that of an alarm (whose hops are those of when it was last described).

The hops and their words are those of alarms (`traffic.watch.estate`), made of what the viewer may read alone: what he may not is
"not readable", never broken. Whether packets arrive comes last, and is the only thing here that is measured.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from vtapweb.domain.causes import Hop, HopKind, HopState, Path, first_broken
from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.models import (
    KindState,
    LoadBalancingRule,
    ResourceChange,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.inventory.receiving import present
from vtapweb.traffic.alarm_words import GLYPHS, capital
from vtapweb.traffic.flow_words import BLIND_WORDS
from vtapweb.traffic.selectors.flowing import Blind, Flow, FlowState, flow_of
from vtapweb.traffic.showing import Shown, collector_shown
from vtapweb.traffic.watch.estate import LIST_OF, VXLAN_PORT, Estate, MirrorFacts, Named, Side, TapState
from vtapweb.web.text import span

MOST_WAYS: Final = 3  # a NIC has one in Azure today


@dataclass(frozen=True, slots=True)
class Step:
    """One hop as it is shown: glyph and words, and in which state since when, or when it was last looked at."""

    glyph: str
    state: str  # ok, broken or unknown
    what: str
    words: str
    age: str
    at: datetime | None = None  # the instant that `age` counts from


@dataclass(frozen=True, slots=True)
class Way:
    """The way to one collector. `verdict` is one sentence: the first broken hop, or that none is seen to be."""

    collector: str
    steps: Sequence[Step]
    verdict: str


WHAT: Final = {
    HopKind.VM: "VM", HopKind.TAP_CONFIGURATION: "Mirror", HopKind.PEERING_OF_SOURCE: "Peering, its side",
    HopKind.PEERING_OF_COLLECTOR: "Peering, collector’s side", HopKind.TAP: "TAP", HopKind.FRONTEND: "Destination", HopKind.RULE: "Rule for UDP 4789",
    HopKind.MEMBER: "Machine", HopKind.AGENT: "Reports", HopKind.INTAKE: "vtapweb",
}  # fmt: skip


def ways_of(keys: Sequence[str], scope: Scope, *, at: datetime | None = None) -> list[Way]:
    """The ways of these mirrors (keys of TAP configurations), at most three. At most 26 queries for each, however large the estate."""
    at = at or timezone.now()
    rows = (
        present(TapConfiguration, scope)
        .filter(key__in=list(keys)[:MOST_WAYS])
        .select_related("network_interface")
        .defer("network_interface__raw")
        .order_by("key")
    )
    return [_way(row, scope, at) for row in rows]


def _way(row: TapConfiguration, scope: Scope, at: datetime) -> Way:
    tap = VirtualNetworkTap.objects.filter(in_scope(scope), key=row.virtual_network_tap_key).defer("raw").first()
    end = ((tap.destination_ip_configuration_key or tap.destination_frontend_key) if tap else "") or row.virtual_network_tap_key
    shown = collector_shown(scope, end, at=at)
    flow = flow_of(scope, [row.key]).get(row.key, Flow(FlowState.CANNOT_BE_SEEN, blind=Blind.NOTHING_REPORTS))
    if shown is None:
        return Way("", [], "Where it leads can't be read here.")
    estate = _estate(row, tap, shown, scope)
    path = estate.way_of(estate.mirrors[end][0], estate.way_behind(end, _agent(shown), _intake(shown, at)))
    steps = [_step(hop, at) for hop in path if hop.kind is not HopKind.INTAKE]
    return Way(shown.facts.name, [*steps, _arrives(flow, at)], _verdict(path, flow))


def _estate(row: TapConfiguration, tap: VirtualNetworkTap | None, shown: Shown, scope: Scope) -> Estate:
    """As much of the estate as one way needs."""
    nic, end = row.network_interface, shown.facts
    vm = present(VirtualMachine, scope).filter(key=nic.virtual_machine_key).only("key", "name", "power_state").first()
    mirror = MirrorFacts(
        row.key, row.provisioning_state, row.first_seen_at, row.subscription_id, nic.key, nic.name, nic.virtual_network_key, nic.virtual_machine_key,
        vm.name if vm else "", vm.power_state if vm else "", row.virtual_network_tap_key, end.key,
    )  # fmt: skip
    here, there = nic.virtual_network_key, end.vnet_key
    vnets = present(VirtualNetwork, scope).filter(key__in=[here, there]).values_list("key", "name", "subscription_id")
    sides = VirtualNetworkPeering.objects.filter(in_scope(scope)).filter(
        Q(virtual_network_id=here, remote_virtual_network_key=there) | Q(virtual_network_id=there, remote_virtual_network_key=here)
    )
    peerings = {
        (whose, with_whom): Side(key, state, sub, gone_at)
        for whose, with_whom, key, state, sub, gone_at in sides.order_by("removed_at").values_list(
            "virtual_network_id", "remote_virtual_network_key", "key", "peering_state", "subscription_id", "removed_at"
        )
    }
    has_rule = present(LoadBalancingRule, scope).filter(
        Q(frontend_port=VXLAN_PORT, protocol__iexact="udp") | Q(protocol__iexact="all"), frontend_key=end.key
    )
    states = list(
        KindState.objects.filter(in_scope(scope), kind__in=set(LIST_OF.values())).values_list("subscription_id", "kind", "status", "last_complete_at")
    )
    looked_at = [one for one in (row.key, nic.virtual_machine_key, row.virtual_network_tap_key, *(side.key for side in peerings.values())) if one]
    changes = ResourceChange.objects.filter(in_scope(scope), key__in=looked_at).order_by("pk").values_list("key", "at")
    return Estate(
        collectors={end.key: end},
        mirrors={end.key: [mirror]},
        assigned={},
        vnets={key: Named(name, sub) for key, name, sub in vnets},
        peerings=peerings,
        taps={tap.key: TapState(tap.name, tap.subscription_id, tap.provisioning_state, tap.removed_at)} if tap else {},
        frontends_with_rule=frozenset({end.key} if has_rule.exists() else ()),
        read_at={(sub, kind): read for sub, kind, _, read in states if read},
        whole=frozenset((sub, kind) for sub, kind, status, _ in states if status in KindState.READ_STATUSES),
        changed_at=dict(changes),
    )


def _agent(shown: Shown) -> Hop:
    """Whether the collector reports; who may not see it, or where nothing ever did, cannot tell."""
    facts, heard = shown.facts, shown.heard_at
    if heard is None:
        return Hop(HopKind.AGENT, facts.key, facts.name, HopState.UNKNOWN, f"nothing tells of {facts.name} here", facts.subscription_id)
    state, words = (HopState.BROKEN, f"{facts.name} does not report") if shown.is_stale else (HopState.OK, f"{facts.name} reports")
    return Hop(HopKind.AGENT, facts.key, facts.name, state, words, facts.subscription_id, heard if shown.is_stale else None, heard)


def _intake(shown: Shown, at: datetime) -> Hop:
    return Hop(HopKind.INTAKE, "intake", "vtapweb", HopState.OK if shown.now else HopState.UNKNOWN, "our intake works", "", None, at)


def _step(hop: Hop, at: datetime) -> Step:
    since = hop.since if hop.state is not HopState.OK else None
    if since is not None:
        age = f"for {span(max(0.0, (at - since).total_seconds()))}"
    else:
        age = f"seen {span(max(0.0, (at - hop.seen_at).total_seconds()))} ago" if hop.seen_at else "age not known"
    words = hop.words if hop.words.startswith(hop.name) else capital(hop.words)
    return Step(GLYPHS[hop.state], hop.state.value, WHAT[hop.kind], words, age, since or hop.seen_at)


def steps_of(rows: Iterable[Mapping[str, Any]], *, at: datetime) -> list[Step]:
    """The hops of an alarm, as they are kept with it (`alarm_words.hop_row`), the way they are shown."""
    return [
        _step(
            Hop(
                HopKind(row["kind"]), row["key"], row["name"], HopState(row["state"]), row["words"], row["subscription_id"],
                datetime.fromisoformat(row["since"]) if row["since"] else None, datetime.fromisoformat(row["seen_at"]) if row["seen_at"] else None,
            ),
            at,
        )
        for row in rows
    ]  # fmt: skip


def capture_filter(addresses: Sequence[str]) -> str:
    """What finds at the collector what these addresses mirror, as tcpdump and Wireshark take it: the outer source is the NIC's own. "" for none."""
    hosts = " or ".join(f"src host {one}" for one in addresses if one)
    many = f"({hosts})" if " or " in hosts else hosts
    return f"udp port 4789 and {many}" if hosts else ""


def _arrives(flow: Flow, at: datetime) -> Step:
    """The third tick: whether packets were seen."""
    if flow.state is FlowState.FLOWING and flow.last_at:
        age = f"last packet {span((at - flow.last_at).total_seconds())} ago"
        since = f" since {flow.first_at:%Y-%m-%d %H:%M} UTC" if flow.first_at else ""
        return Step("●", "ok", "Packets", f"Seen at the collector{since}", age, flow.last_at)
    if flow.state is FlowState.NOT_YET:
        return Step("∅", "broken", "Packets", "None seen at the collector yet", "")
    return Step("◌", "unknown", "Packets", f"Not available here: {BLIND_WORDS[flow.blind or Blind.NOTHING_REPORTS]}".removesuffix("."), "")


def _verdict(path: Path, flow: Flow) -> str:
    broken = first_broken(path)
    if broken is not None:
        yet = " Packets were seen all the same: what was read of it may be old." if flow.state is FlowState.FLOWING else ""
        return f"First broken hop: {broken.words}.{yet}"
    unknown = sum(hop.state is HopState.UNKNOWN for hop in path)
    if unknown:
        return f"No hop is seen to be broken; {unknown} can't be told."
    return "Every hop is as it should be" + (", and yet no packet was seen at the collector." if flow.state is FlowState.NOT_YET else ".")
