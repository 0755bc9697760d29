"""From documents to a picture: what Azure's separate answers mean together. Built in passes, one small function a decoration.

Rule 1: only what is in the given documents is used, so whoever gets fewer documents sees less, and never a trace of the rest. Rule 2: what a
document names but nobody may read is a ghost with the name that document gives it. Rule 3: unknown is said as unknown, never as healthy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from vtapweb.domain.arm_id import arm_key, name_in, subscription_in
from vtapweb.domain.layout import FREE_CARD, GHOST, REGION_HEAD, REGION_PAD, SUBNET_PAD, BlockWant, Layout, SubnetWant, region_name
from vtapweb.domain.pack import Box, hull
from vtapweb.domain.topology import (
    COLLECTOR_MEMBER,
    MIRRORED,
    NOT_SUCCEEDED,
    PRIVATE_ENDPOINT,
    STALE,
    UNACCOUNTED,
    VM_NOT_RUNNING,
    WITHOUT_VM,
    Row,
    Snapshot,
    SubscriptionRow,
    World,
)

FEWEST_LEANING_PEERS = 3  # so many peers with at most half as many peerings make a VNet a hub


class VnetDoc(NamedTuple):
    key: str
    name: str
    subscription_id: str
    region: str
    prefix: str


class SubnetDoc(NamedTuple):
    key: str
    vnet_key: str
    name: str
    prefix: str


class PeeringDoc(NamedTuple):
    """One side of a peering, as the VNet that holds it tells it."""

    vnet_key: str
    remote_id: str
    remote_key: str
    state: str
    sync_level: str
    remote_prefix: str


class NicDoc(NamedTuple):
    key: str
    name: str
    subscription_id: str
    region: str
    subnet_id: str
    subnet_key: str
    has_vm: bool
    is_vm_stopped: bool
    is_private_endpoint: bool
    is_succeeded: bool


class AddressDoc(NamedTuple):
    """An ipConfiguration that a TAP or a pool names."""

    nic_key: str
    subnet_key: str
    address: str


class FrontendDoc(NamedTuple):
    load_balancer: str
    subnet_key: str
    address: str
    members: tuple[str, ...]  # keys of the ipConfigurations behind it


class TapDoc(NamedTuple):
    key: str
    subscription_id: str
    region: str
    destination_id: str
    destination_key: str


class MirrorDoc(NamedTuple):
    key: str
    nic_key: str
    tap_id: str
    tap_key: str
    state: str


@dataclass(frozen=True, slots=True)
class Documents:
    """All that may be read, and how fresh it is. `stale` holds unix seconds of the last complete read by (subscription, "vnets" | "nics");
    `complete` the subscriptions whose lists were all read to their ends the last time, so that what is missing there is really gone;
    `unaccounted` the keys of TAP configurations and of TAPs that nobody here made or adopted."""

    subscriptions: Sequence[SubscriptionRow] = ()
    vnets: Sequence[VnetDoc] = ()
    subnets: Sequence[SubnetDoc] = ()
    peerings: Sequence[PeeringDoc] = ()
    nics: Sequence[NicDoc] = ()
    taps: Sequence[TapDoc] = ()
    mirrors: Sequence[MirrorDoc] = ()
    addresses: Mapping[str, AddressDoc] = field(default_factory=dict)
    frontends: Mapping[str, FrontendDoc] = field(default_factory=dict)
    stale: Mapping[tuple[str, str], int] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()
    unaccounted: frozenset[str] = frozenset()


class Vnet(NamedTuple):
    key: str
    name: str
    subscription_id: str
    region: str
    prefix: str
    role: str  # hub | spoke | ghost
    stale_since: int


class Subnet(NamedTuple):
    vnet_key: str
    name: str
    prefix: str
    nics: tuple[str, ...]


class Peering(NamedTuple):
    a: str
    b: str
    state: str
    detail: str
    is_global: bool


class Collector(NamedTuple):
    name: str
    kind: str  # nic | load_balancer | gone | unreadable
    vnet_key: str
    subnet_key: str
    region: str
    address: str
    members: tuple[str, ...]  # keys of NICs
    member_count: int
    tap_keys: tuple[str, ...]
    subscription_ids: tuple[str, ...]
    state: str  # ok | unknown | gone


class Mirror(NamedTuple):
    nic_key: str
    collector_key: str
    state: str
    is_abroad: bool  # its TAP stands in another subscription than its NIC


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything by key. `states` are the bits of `nics.state` in vtapweb.domain.topology."""

    docs: Documents
    vnets: Mapping[str, Vnet] = field(default_factory=dict)
    subnets: Mapping[str, Subnet] = field(default_factory=dict)
    nics: Mapping[str, NicDoc] = field(default_factory=dict)
    states: Mapping[str, int] = field(default_factory=dict)
    peerings: Mapping[str, Peering] = field(default_factory=dict)
    collectors: Mapping[str, Collector] = field(default_factory=dict)
    mirrors: Mapping[str, Mirror] = field(default_factory=dict)


def pair_key(a: str, b: str) -> str:
    """The key of the peering between two VNets, whichever is named first."""
    return arm_key("peering/" + "/".join(sorted((a, b))))


def by_name(name: str, key: str) -> tuple[int, str, str]:
    """Sorts web-2 before web-10, as people do, at the price of one comparison."""
    return (len(name), name.lower(), key)


# --- passes ------------------------------------------------------------------------------------------------------------------------------------


def with_vnets(graph: Graph) -> Graph:
    """The VNets and subnets that may be read."""
    stale = graph.docs.stale
    vnets = {doc.key: Vnet(*doc, "spoke", stale.get((doc.subscription_id, "vnets"), 0)) for doc in graph.docs.vnets}
    subnets = {doc.key: Subnet(doc.vnet_key, doc.name, doc.prefix, ()) for doc in graph.docs.subnets if doc.vnet_key in vnets}
    return replace(graph, vnets=vnets, subnets=subnets)


def with_nics(graph: Graph) -> Graph:
    """NICs in their subnets. One whose subnet nobody may read stands in a ghost of it, named as the NIC names it."""
    vnets, subnets = dict(graph.vnets), dict(graph.subnets)
    members: dict[str, list[NicDoc]] = {}
    for nic in graph.docs.nics:
        if not nic.subnet_key:
            continue
        if nic.subnet_key not in subnets:
            vnet_id = nic.subnet_id.rstrip("/").rsplit("/", 2)[0]
            vnet_key = arm_key(vnet_id)
            vnets.setdefault(vnet_key, Vnet(vnet_key, name_in(vnet_id), "", nic.region, "", "ghost", 0))
            subnets[nic.subnet_key] = Subnet(vnet_key, name_in(nic.subnet_id), "", ())
        members.setdefault(nic.subnet_key, []).append(nic)
    for key, nics in members.items():
        nics.sort(key=lambda nic: (len(nic.name), nic.name, nic.key))
        subnets[key] = subnets[key]._replace(nics=tuple([nic.key for nic in nics]))
    placed = {nic.key: nic for nics in members.values() for nic in nics}
    return replace(graph, vnets=vnets, subnets=subnets, nics=placed)


def with_states(graph: Graph) -> Graph:
    """The bits of each NIC that its own document and its subscription tell."""
    stale = {subscription_id for (subscription_id, kind), _ in graph.docs.stale.items() if kind == "nics"}
    states = {
        key: (0 if nic.has_vm else WITHOUT_VM)
        | (PRIVATE_ENDPOINT if nic.is_private_endpoint else 0)
        | (STALE if nic.subscription_id in stale else 0)
        | (VM_NOT_RUNNING if nic.is_vm_stopped else 0)
        | (0 if nic.is_succeeded else NOT_SUCCEEDED)
        for key, nic in graph.nics.items()
    }
    return replace(graph, states=states)


def with_peerings(graph: Graph) -> Graph:
    """Join both sides of each peering; a remote VNet that nobody may read becomes a ghost."""
    vnets = dict(graph.vnets)
    sides: dict[tuple[str, str], PeeringDoc] = {}
    for doc in graph.docs.peerings:
        if doc.vnet_key not in vnets or not doc.remote_key or doc.remote_key == doc.vnet_key:
            continue
        sides.setdefault((doc.vnet_key, doc.remote_key), doc)
        if doc.remote_key not in vnets:
            here = vnets[doc.vnet_key]
            vnets[doc.remote_key] = Vnet(doc.remote_key, name_in(doc.remote_id), "", here.region, doc.remote_prefix, "ghost", 0)
    peerings = {}
    for a, b in sorted({(min(pair), max(pair)) for pair in sides}):
        state, detail = joined(vnets[a], sides.get((a, b)), vnets[b], sides.get((b, a)))
        is_global = bool(vnets[a].region != vnets[b].region and "ghost" not in (vnets[a].role, vnets[b].role))
        peerings[pair_key(a, b)] = Peering(a, b, state, detail, is_global)
    return replace(graph, vnets=vnets, peerings=peerings)


def joined(a: Vnet, a_says: PeeringDoc | None, b: Vnet, b_says: PeeringDoc | None) -> tuple[str, str]:
    """The state of a peering from what its two sides say, and a sentence where it is not simply Connected.

    Azure needs Connected on both sides; Initiated is one side alone (learn.microsoft.com, "Create, change, or delete a peering").
    """
    told = [(vnet, doc.state) for vnet, doc in ((a, a_says), (b, b_says)) if doc is not None]
    for bad in ("Disconnected", "Initiated"):
        names = [vnet.name for vnet, state in told if state == bad]
        if names:
            return bad, f"{bad} on {' and '.join(f'{name}’s' for name in names)} side{'s' if len(names) > 1 else ''}."
    if a_says is None or b_says is None:
        (teller, state), other = told[0], (b if a_says is not None else a)
        if other.role == "ghost":
            return "unknown", f"{teller.name} says {state or 'nothing'}; {other.name} cannot be read, so its side is unknown."
        return "half", f"Only {teller.name} has this peering. {other.name} has none back to it."
    odd = [(vnet, state) for vnet, state in told if state != "Connected"]
    if odd:
        return odd[0][1] or "unknown", " ".join(f"{vnet.name} says {state or 'nothing'}." for vnet, state in odd)
    level = next((doc.sync_level for doc in (a_says, b_says) if doc.sync_level not in {"", "FullyInSync"}), "")
    return "Connected", f"Connected, but the address spaces are not in step ({level})." if level else ""


def with_collectors(graph: Graph) -> Graph:
    """What the TAPs' destinations resolve to; a destination or TAP that cannot be found is kept as gone or unreadable."""
    found: dict[str, Collector] = {}
    taps = {tap.key: tap for tap in graph.docs.taps}
    for tap in sorted(graph.docs.taps):
        if not tap.destination_key:  # it names none, so each such TAP leads to a nowhere of its own
            found[tap.key] = _unresolved("no destination", True, tap.region, (tap.key,), (tap.subscription_id,))
            continue
        before = found.get(tap.destination_key)
        if before is None:
            found[tap.destination_key] = _resolved(graph, tap)
        else:
            found[tap.destination_key] = before._replace(
                tap_keys=(*before.tap_keys, tap.key), subscription_ids=tuple(sorted({*before.subscription_ids, tap.subscription_id}))
            )
    for doc in sorted(graph.docs.mirrors):
        if doc.tap_key and doc.tap_key not in taps and doc.tap_key not in found:
            is_gone = subscription_in(doc.tap_id) in graph.docs.complete
            nic = graph.nics.get(doc.nic_key)
            if nic is not None:
                found[doc.tap_key] = _unresolved(name_in(doc.tap_id), is_gone, nic.region, (), (nic.subscription_id,))
    return replace(graph, collectors=found)


def _resolved(graph: Graph, tap: TapDoc) -> Collector:
    frontend, address = graph.docs.frontends.get(tap.destination_key), graph.docs.addresses.get(tap.destination_key)
    here = (tap.subscription_id,)
    if frontend is not None:
        subnet = graph.subnets.get(frontend.subnet_key)
        members = {graph.docs.addresses[key].nic_key for key in frontend.members if key in graph.docs.addresses}
        return Collector(
            frontend.load_balancer, "load_balancer", subnet.vnet_key if subnet else "", frontend.subnet_key if subnet else "", tap.region,
            frontend.address, tuple(sorted(members)), len(frontend.members), (tap.key,), here, "ok",
        )  # fmt: skip
    if address is not None and address.nic_key in graph.nics:
        subnet = graph.subnets.get(address.subnet_key)
        return Collector(
            graph.nics[address.nic_key].name, "nic", subnet.vnet_key if subnet else "", address.subnet_key if subnet else "", tap.region,
            address.address, (address.nic_key,), 1, (tap.key,), here, "ok",
        )  # fmt: skip
    is_gone = subscription_in(tap.destination_id) in graph.docs.complete
    owner = tap.destination_id.rstrip("/").rsplit("/", 2)[0]
    return _unresolved(name_in(owner), is_gone, tap.region, (tap.key,), here)


def _unresolved(name: str, is_gone: bool, region: str, tap_keys: tuple[str, ...], subscription_ids: tuple[str, ...]) -> Collector:
    kind, state = ("gone", "gone") if is_gone else ("unreadable", "unknown")
    return Collector(name, kind, "", "", region, "", (), 0, tap_keys, subscription_ids, state)


def with_mirrors(graph: Graph) -> Graph:
    """TAP configurations as mirrors from a NIC to a collector; one whose NIC or collector is not known is left out."""
    collector_of = {tap_key: key for key, collector in graph.collectors.items() for tap_key in collector.tap_keys}
    mirrors = {}
    states = dict(graph.states)
    for doc in graph.docs.mirrors:
        collector_key = collector_of.get(doc.tap_key, doc.tap_key)
        nic = graph.nics.get(doc.nic_key)
        if nic is not None and collector_key in graph.collectors:
            mirrors[doc.key] = Mirror(doc.nic_key, collector_key, doc.state, subscription_in(doc.tap_id) != nic.subscription_id)
            states[doc.nic_key] |= MIRRORED | (UNACCOUNTED if doc.key in graph.docs.unaccounted else 0)
    return replace(graph, mirrors=mirrors, states=states)


def with_members(graph: Graph) -> Graph:
    """Mark the NICs that are collectors or stand behind one."""
    states = dict(graph.states)
    for collector in graph.collectors.values():
        for key in collector.members:
            if key in states:
                states[key] |= COLLECTOR_MEMBER
    return replace(graph, states=states)


def with_hubs(graph: Graph) -> Graph:
    """A hub holds a collector, or several of its peers lean on it: they have at most half as many peerings."""
    peers = _peers(graph)
    with_collector = {collector.vnet_key for collector in graph.collectors.values()}
    vnets = dict(graph.vnets)
    for key, vnet in graph.vnets.items():
        leaning = sum(2 * len(peers[other]) <= len(peers[key]) for other in peers.get(key, ()))
        if vnet.role != "ghost" and (key in with_collector or leaning >= FEWEST_LEANING_PEERS):
            vnets[key] = vnet._replace(role="hub")
    return replace(graph, vnets=vnets)


def _peers(graph: Graph) -> dict[str, list[str]]:
    peers: dict[str, list[str]] = {}
    for peering in graph.peerings.values():
        peers.setdefault(peering.a, []).append(peering.b)
        peers.setdefault(peering.b, []).append(peering.a)
    return peers


PASSES: tuple[Callable[[Graph], Graph], ...] = (
    with_vnets, with_nics, with_states, with_peerings, with_collectors, with_mirrors, with_members, with_hubs,
)  # fmt: skip


def graph_of(docs: Documents) -> Graph:
    """The graph that these documents tell."""
    graph = Graph(docs)
    for one_pass in PASSES:
        graph = one_pass(graph)
    return graph


# --- to the layout and to the wire -----------------------------------------------------------------------------------------------------------


def wanted_blocks(graph: Graph) -> list[BlockWant]:
    """What the layout has to place, in the order in which newcomers are placed: by name, ghosts and free cards last."""
    peers = _peers(graph)
    subnets_of: dict[str, list[tuple[str, Subnet]]] = {}
    for key, subnet in graph.subnets.items():
        subnets_of.setdefault(subnet.vnet_key, []).append((key, subnet))
    cards_of: dict[str, list[str]] = {}
    for key, collector in sorted(graph.collectors.items(), key=lambda item: (item[1].kind, by_name(item[1].name, item[0]))):
        cards_of.setdefault(collector.vnet_key, []).append(key)
    hub_of = {key: _hub_of(graph, peers, key) for key in graph.vnets}
    blocks = []
    for vnet in sorted(graph.vnets.values(), key=lambda vnet: (vnet.role == "ghost", by_name(vnet.name, vnet.key))):
        group, beside = hub_of[vnet.key], _neighbour_of(graph, peers, vnet) if vnet.role == "ghost" else ""
        if not group:  # two hops away: it stands with the VNet it hangs on
            near = [other for other in sorted(peers.get(vnet.key, ())) if graph.vnets[other].region == vnet.region and hub_of[other]]
            group, beside = next(((hub_of[other], beside or other) for other in near), ("", beside))
        subnets = sorted(subnets_of.get(vnet.key, ()), key=lambda item: (item[1].name.lower(), item[0]))
        blocks.append(
            BlockWant(
                key=vnet.key, region=vnet.region, group=group, is_ghost=vnet.role == "ghost", cards=tuple(cards_of.get(vnet.key, ())),
                near=beside,
                subnets=tuple(SubnetWant(key, subnet.nics) for key, subnet in subnets),
            )
        )  # fmt: skip
    hubs_in = {block.region: block.key for block in reversed(blocks) if block.group == block.key}
    sources = _sources_of_free_cards(graph)
    for key in cards_of.get("", ()):
        region = graph.collectors[key].region
        blocks.append(BlockWant(key=key, region=region, group=hubs_in.get(region, ""), is_card=True, near=sources.get(key, "")))
    return blocks


def _neighbour_of(graph: Graph, peers: Mapping[str, Sequence[str]], ghost: Vnet) -> str:
    """The VNet a ghost is drawn beside: of those that name it one of its region, then the one with the fewest peerings."""
    return min(peers.get(ghost.key, ()), key=lambda key: (graph.vnets[key].region != ghost.region, len(peers[key]), key), default="")


def _sources_of_free_cards(graph: Graph) -> dict[str, str]:
    """Of collectors whose VNet is not known, the VNet from which most is mirrored to them."""
    votes: dict[str, dict[str, int]] = {}
    for mirror in graph.mirrors.values():
        collector, nic = graph.collectors.get(mirror.collector_key), graph.nics.get(mirror.nic_key)
        if collector is None or collector.vnet_key or nic is None or nic.subnet_key not in graph.subnets:
            continue
        of_card = votes.setdefault(mirror.collector_key, {})
        vnet = graph.subnets[nic.subnet_key].vnet_key
        of_card[vnet] = of_card.get(vnet, 0) + 1
    return {card: min(of_card, key=lambda vnet: (-of_card[vnet], vnet)) for card, of_card in votes.items()}


def _hub_of(graph: Graph, peers: Mapping[str, Sequence[str]], key: str) -> str:
    """The hub a VNet hangs on: of its region before another's, of many peerings before few."""
    vnet = graph.vnets[key]
    if vnet.role == "hub":
        return key
    hubs = [other for other in peers.get(key, ()) if graph.vnets[other].role == "hub"]
    return min(hubs, key=lambda hub: (graph.vnets[hub].region != vnet.region, -len(peers[hub]), hub), default="")


def nodes_in_order(graph: Graph, layout: Layout) -> list[tuple[str, str]]:
    """(kind, key) of everything that needs an id, neighbours beside each other: ids given in this order make small differences on the wire."""
    regions = [("region", region_key(name)) for name in sorted(layout.regions)]
    at = {key: place.box for key, place in layout.blocks.items()}
    vnets = sorted(graph.vnets, key=lambda key: (layout.blocks[key].region, at[key].y, at[key].x))
    rank = {key: index for index, key in enumerate(vnets)}
    subnets = sorted(graph.subnets, key=lambda key: (rank[graph.subnets[key].vnet_key], layout.trays[key].box.y, layout.trays[key].box.x))
    nics = [("nic", nic) for key in subnets for nic in sorted(graph.subnets[key].nics, key=lambda nic: layout.slots[nic].number)]
    nic_rank = {key: index for index, (_, key) in enumerate(nics)}
    mirrors = sorted(graph.mirrors, key=lambda key: (nic_rank[graph.mirrors[key].nic_key], key))
    peerings = sorted(graph.peerings, key=lambda key: sorted((rank[graph.peerings[key].a], rank[graph.peerings[key].b])))
    abroad = {doc.tap_key for doc in graph.docs.mirrors if doc.key in graph.mirrors and graph.mirrors[doc.key].is_abroad}
    return [
        *regions,
        *(("vnet", key) for key in vnets),
        *(("subnet", key) for key in subnets),
        *nics,
        *(("peering", key) for key in peerings),
        *(("collector", key) for key in sorted(graph.collectors, key=lambda key: (graph.collectors[key].name, key))),
        *(("collector", key) for key in sorted(abroad - graph.collectors.keys())),  # what somebody sees who may not read the TAP
        *(("mirror", key) for key in mirrors),
    ]


def region_key(name: str) -> str:
    """The node key of a region box."""
    return arm_key(f"region/{name}")


def counts_of(graph: Graph) -> dict[str, int]:
    """The figures every page shows. `nics_mirrorable` is a first estimate: attached to a VM, not mirrored, no collector, no private endpoint."""
    hindered = MIRRORED | COLLECTOR_MEMBER | WITHOUT_VM | PRIVATE_ENDPOINT
    roles = [vnet.role for vnet in graph.vnets.values()]
    return {
        "subscriptions": len(graph.docs.subscriptions),
        "vnets": len(roles) - roles.count("ghost"),
        "subnets": len(graph.docs.subnets),
        "nics": len(graph.docs.nics),
        "peerings": len(graph.peerings),
        "collectors": len(graph.collectors),
        "mirrors": len(graph.mirrors),
        "ghosts": roles.count("ghost"),
        "nics_mirrorable": sum(not state & hindered for state in graph.states.values()),
    }


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a snapshot says of itself."""

    revision: str
    series_revision: int
    is_demo: bool
    built_at: str


def snapshot_of(graph: Graph, layout: Layout, ids: Mapping[str, int], stamp: Stamp) -> Snapshot:
    """The picture. `ids` names the nodes; what has no id or no place yet is left out until the next refresh gives it one.

    A graph that shows only a part of the estate uses the places of the whole, so nothing stands elsewhere for somebody who sees less; region boxes
    shrink to what is seen, ghosts to their small size, and cards without a VNet stand below.
    """
    blocks = {key: _shrunk(graph, key, layout.blocks[key].box) for key in graph.vnets if key in layout.blocks and key in ids}
    free = [key for key, collector in graph.collectors.items() if key in ids and _card_box(key, collector, layout, blocks) is None]
    shelf = _shelf(sorted(free), hull(blocks.values()))
    boxes = {key: shelf.get(key) or _card_box(key, collector, layout, blocks) for key, collector in graph.collectors.items() if key in ids}
    regions, region_of = _regions(graph, layout, ids, blocks, boxes)
    subnets = {
        key: layout.trays[key].box.moved(blocks[subnet.vnet_key].x, blocks[subnet.vnet_key].y)
        for key, subnet in graph.subnets.items()
        if key in ids and key in layout.trays and subnet.vnet_key in blocks
    }
    nics = {
        ids[key]: (ids[key], ids[slot.subnet], slot.number, nic.name, graph.states[key])
        for key, nic in graph.nics.items()
        if key in ids and (slot := layout.slots.get(key)) and slot.subnet == nic.subnet_key and slot.subnet in subnets
    }
    mirrors = sorted(
        (ids[key], ids[one.nic_key], ids[one.collector_key], one.state, key)
        for key, one in graph.mirrors.items()
        if key in ids and boxes.get(one.collector_key) and ids.get(one.nic_key) in nics
    )
    tally = _Tally(graph)
    mirrors_into: dict[int, int] = {}
    for mirror in mirrors:
        mirrors_into[mirror[2]] = mirrors_into.get(mirror[2], 0) + 1
    index_of = {row.id: index for index, row in enumerate(graph.docs.subscriptions)}
    collectors = sorted(
        (
            ids[key], key, one.name, one.kind, ids[one.vnet_key] if one.vnet_key in blocks else 0,
            ids[one.subnet_key] if one.subnet_key in subnets else 0,
            *box, one.address, "", len(one.tap_keys), len(graph.docs.unaccounted.intersection(one.tap_keys)), mirrors_into.get(ids[key], 0),
            one.member_count, one.state,
        )
        for key, one in graph.collectors.items() if (box := boxes.get(key))
    )  # fmt: skip
    tables: dict[str, dict[int, Row]] = {
        "regions": {row[0]: row for row in regions},
        "vnets": {
            ids[key]: (
                ids[key], key, vnet.name, vnet.prefix, region_of.get(key, 0), index_of.get(vnet.subscription_id, -1), vnet.role, *blocks[key],
                tally.nics_in_vnet.get(key, 0), tally.mirrored_in_vnet.get(key, 0), vnet.stale_since,
            )
            for key, vnet in graph.vnets.items() if key in blocks
        },
        "subnets": {
            ids[key]: (
                ids[key], ids[one.vnet_key], one.name, one.prefix, *subnets[key], layout.trays[key].columns, len(one.nics), tally.mirrored_in[key],
            )
            for key, one in graph.subnets.items() if key in subnets
        },
        "nics": nics,
        "peerings": {
            ids[key]: (ids[key], ids[one.a], ids[one.b], one.state, one.detail, int(one.is_global))
            for key, one in graph.peerings.items() if key in ids and one.a in blocks and one.b in blocks
        },
        "collectors": {row[0]: row for row in collectors},
        "mirrors": {row[0]: row[:4] for row in mirrors},
    }  # fmt: skip
    drawn = [Box(*row[2:]) for row in regions] + [*blocks.values()] + [box for box in boxes.values() if box]
    return Snapshot(
        revision=stamp.revision,
        series_revision=stamp.series_revision,
        series=(*(row[4] for row in mirrors), *(row[1] for row in collectors)),
        is_demo=stamp.is_demo,
        built_at=stamp.built_at,
        counts=counts_of(graph),
        world=World(*hull(drawn)),
        subscriptions=tuple(graph.docs.subscriptions),
        tables=tables,
    )


class _Tally:
    """NICs and mirrored NICs by subnet and by VNet."""

    def __init__(self, graph: Graph) -> None:
        self.mirrored_in: dict[str, int] = {}
        self.nics_in_vnet: dict[str, int] = {}
        self.mirrored_in_vnet: dict[str, int] = {}
        mirrored_nics = {key for key, state in graph.states.items() if state & MIRRORED}
        for key, subnet in graph.subnets.items():
            mirrored = len(mirrored_nics.intersection(subnet.nics))
            self.mirrored_in[key] = mirrored
            self.nics_in_vnet[subnet.vnet_key] = self.nics_in_vnet.get(subnet.vnet_key, 0) + len(subnet.nics)
            self.mirrored_in_vnet[subnet.vnet_key] = self.mirrored_in_vnet.get(subnet.vnet_key, 0) + mirrored


def _shrunk(graph: Graph, key: str, box: Box) -> Box:
    """A ghost in which nothing of the viewer's stands is drawn small, wherever the whole estate has a full box for it."""
    if graph.vnets[key].role != "ghost":
        return box
    inhabited = {*(one.vnet_key for one in graph.subnets.values()), *(one.vnet_key for one in graph.collectors.values())}
    return box if key in inhabited else Box(box.x, box.y, *GHOST)


def _card_box(key: str, collector: Collector, layout: Layout, blocks: Mapping[str, Box]) -> Box | None:
    card, block = layout.cards.get(key), layout.blocks.get(key)
    if card is not None and collector.vnet_key in blocks and card.vnet == collector.vnet_key:
        return card.box.moved(blocks[card.vnet].x, blocks[card.vnet].y)
    return block.box if block is not None else None


def _shelf(keys: Sequence[str], above: Box) -> dict[str, Box]:
    """A row of cards below all else, for those that the whole estate shows somewhere the viewer may not look."""
    y = above.bottom + 4 * SUBNET_PAD
    return {key: Box(above.x + index * (FREE_CARD[0] + SUBNET_PAD), y, *FREE_CARD) for index, key in enumerate(keys)}


def _regions(
    graph: Graph, layout: Layout, ids: Mapping[str, int], blocks: Mapping[str, Box], cards: Mapping[str, Box | None]
) -> tuple[list[Row], dict[str, int]]:
    """The region rows, and the region's id of each VNet. Who sees the whole estate sees the stored boxes, else what is around what he sees."""
    standing: dict[str, list[str]] = {}
    for key in blocks:
        standing.setdefault(layout.blocks[key].region, []).append(key)
    rows: list[Row] = []
    region_of: dict[str, int] = {}
    for box_key, keys in sorted(standing.items()):
        node = ids.get(region_key(box_key))
        stored = layout.regions.get(box_key)
        names = {graph.vnets[key].region for key in keys if graph.vnets[key].role != "ghost"} or {graph.vnets[key].region for key in keys}
        if node is None or stored is None or region_name(box_key) not in names:
            continue
        members = [key for key in keys if graph.vnets[key].region == region_name(box_key)]
        seen = hull(blocks[key] for key in members)
        is_whole = len(members) == sum(place.region == box_key and key not in cards for key, place in layout.blocks.items())
        box = stored if is_whole else Box(seen.x - REGION_PAD, seen.y - REGION_HEAD, seen.w + 2 * REGION_PAD, seen.h + REGION_HEAD + REGION_PAD)
        rows.append((node, region_name(box_key), *box))
        region_of.update(dict.fromkeys(members, node))
    return rows, region_of
