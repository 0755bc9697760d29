"""What the side panel of the map says about a node: sentences, facts, lists with links. Each node costs a fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Q

from vtapweb.access.viewer import Viewer
from vtapweb.domain.arm_id import name_in, subscription_in
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import (
    FrontendIpConfiguration,
    IpConfiguration,
    NetworkInterface,
    Subnet,
    Subscription,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.inventory.receiving import present, subscriptions_read_whole
from vtapweb.taps.models import Mirror
from vtapweb.taps.page_parts import UNACCOUNTED_GLYPH
from vtapweb.taps.selectors.ledger import open_mirrors, unaccounted_taps
from vtapweb.taps.selectors.moving import moves_of_nic
from vtapweb.topology.deeds import Deed, deeds_of, may_not_words
from vtapweb.topology.models import Placement
from vtapweb.topology.nodes import MOST_LISTED, Node, node_find
from vtapweb.traffic.ways import capture_filter

WORDS = {
    "vnet": "VNet", "ghost": "VNet that cannot be read", "subnet": "Subnet", "nic": "NIC", "peering": "Peering", "collector": "Collector",
    "unreadable": "Collector that cannot be read", "gone": "Collector that is gone", "mirror": "Mirror",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """A line of foreign text, with what it leads to: a page (`href`) or another node (`node`)."""

    text: str
    href: str = ""
    note: str = ""
    node: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    items: Sequence[Item]
    total: int
    empty: str = "None."


@dataclass(frozen=True, slots=True)
class Panel:
    """`notes` are sentences, the worst first; `href` the node's own page, "" where it has none; `selectable` whether it holds NICs."""

    node: Node
    words: str
    href: str = ""
    notes: Sequence[tuple[str, str]] = ()  # (glyph, sentence)
    facts: Sequence[tuple[str, Item]] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
    selectable: bool = False
    deeds: Sequence[Deed] = ()
    is_live: bool = False  # the page brings its numbers up to date, see docs/map.md
    capture_filter: str = ""  # finds the mirrored packets at the collector

    @property
    def way(self) -> bool:
        """Whether its way, hop by hop, is asked for once the panel stands: it costs some queries."""
        return self.is_live and self.node.kind in {"nic", "mirror"}

    @property
    def may_not(self) -> Sequence[str]:
        """Why some of the deeds cannot be done, each reason once."""
        return may_not_words(self.deeds)

    @property
    def asks_reach(self) -> bool:
        """Whether "can go to 2 of 4 TAPs" is asked for once the panel stands: it costs a judgement."""
        return self.node.kind == "nic" and bool(self.node.row.virtual_machine_id)


def panel_of(node_id: int, viewer: Viewer) -> Panel | None:
    """The panel of a node; None when there is no such node or the viewer may not know of it. At most eighteen queries."""
    node = node_find(node_id, viewer.scope)
    if node is None:
        return None
    panel = PANELS[node.kind](node, viewer.scope)
    return replace(panel, deeds=deeds_of(node, viewer))


def _listed(rows: Any, slug: str, name: str = "name") -> tuple[list[Item], int]:
    """Up to 50 rows as links with their node numbers, and how many there are: three queries."""
    found = list(rows.order_by("name", "key").values_list("key", name)[:MOST_LISTED])
    nodes = dict(Placement.objects.filter(key__in=[key for key, _ in found]).values_list("key", "id"))
    return [Item(text, f"/{slug}/{key}", "", nodes.get(key, 0)) for key, text in found], rows.count()


def _subscription(node: Node) -> Item:
    name = Subscription.objects.filter(pk=node.subscription_id).values_list("name", flat=True).first()
    return Item(name or node.subscription_id)


def _peering_notes(vnet: VirtualNetwork, scope: Scope) -> list[tuple[str, str]]:
    broken = present(VirtualNetworkPeering, scope).filter(virtual_network=vnet).exclude(peering_state="Connected").order_by("name")[:MOST_LISTED]
    consequence = "No mirror reaches a collector over it."
    return [
        ("⬢", f"{vnet.name} says its peering to {name_in(one.remote_virtual_network_id)} is {one.peering_state or 'stateless'}. {consequence}")
        for one in broken
    ]


def _vnet(node: Node, scope: Scope) -> Panel:
    vnet: VirtualNetwork = node.row
    nics = present(NetworkInterface, scope).filter(virtual_network_key=vnet.key)
    subnets, subnet_count = _listed(present(Subnet, scope).filter(virtual_network=vnet), "subnets")
    peerings, peering_count = _listed(present(VirtualNetworkPeering, scope).filter(virtual_network=vnet), "peerings")
    facts = [
        ("Address space", Item(node.address or "none told")),
        ("Region", Item(vnet.location)),
        ("Subscription", _subscription(node)),
        ("NICs", Item(f"{nics.count():,}", f"/table/nics?vnet={vnet.key}")),
        ("Mirrored", Item(f"{nics.filter(is_mirrored=True).count():,} of them")),
    ]
    sections = (
        Section("Subnets", subnets, subnet_count),
        Section("Peerings", peerings, peering_count, "None: nothing beyond this VNet is reachable."),
    )
    return Panel(node, WORDS["vnet"], f"/vnets/{node.key}", _peering_notes(vnet, scope), facts, sections, selectable=True)


def _ghost(node: Node, scope: Scope) -> Panel:  # noqa: ARG001 - all that may be known is in the node
    note = ("◌", "It cannot be read here, so whether its side allows anything is unknown. Until we know, the answer is no.")
    tellers = [Item(one.virtual_network.name, f"/vnets/{one.virtual_network_id}", one.peering_state) for one in node.more.get("peerings", ())]
    if "nic" in node.more:
        tellers.append(Item(node.more["nic"].name, f"/nics/{node.more['nic'].key}"))
    facts = [("ARM id", Item(node.arm_id))] + ([("Address space", Item(node.address))] if node.address else [])
    return Panel(node, WORDS["ghost"], "", [note], facts, (Section("Known from", tellers, len(tellers)),), selectable="nic" in node.more)


def _subnet(node: Node, scope: Scope) -> Panel:
    subnet: Subnet = node.row
    rows = present(NetworkInterface, scope).filter(subnet_key=subnet.key)
    nics, count = _listed(rows, "nics")
    vnet = subnet.virtual_network
    facts = [
        ("Address prefix", Item(node.address or "none told")),
        ("VNet", Item(vnet.name, f"/vnets/{vnet.key}")),
        ("Mirrored", Item(f"{rows.filter(is_mirrored=True).count():,} of {count:,} NICs")),
    ]
    sections = (Section("NICs", nics, count, "No NIC stands in it."),)
    return Panel(node, WORDS["subnet"], f"/subnets/{node.key}", (), facts, sections, selectable=bool(count))


def _nic(node: Node, scope: Scope) -> Panel:
    nic: NetworkInterface = node.row
    vm = present(VirtualMachine, scope).filter(pk=nic.virtual_machine_key).only("key", "name", "power_state", "vm_size").first()
    notes = []
    if nic.private_endpoint_id or nic.private_link_service_id:
        notes.append(("◌", f"{nic.name} belongs to a private endpoint or private link service. Azure mirrors NICs of VMs only."))
    elif not nic.virtual_machine_id:
        notes.append(("◌", f"{nic.name} is attached to no VM, so there is nothing to mirror. Attach it to one, then sync."))
    if vm is not None and vm.power_state not in ("running", ""):
        notes.append(("◌", f"Its VM {vm.name} is {vm.power_state}: no traffic is to be expected."))
    if nic.provisioning_state not in ("Succeeded", ""):
        notes.append(("▲", f"Azure reports it as {nic.provisioning_state}."))
    facts = [("Address", Item(node.address or "none told"))]
    if vm is not None:
        facts.append(("VM", Item(vm.name, f"/virtual-machines/{vm.key}", vm.vm_size)))
    facts += [
        ("Subnet", Item(name_in(nic.subnet_id), f"/subnets/{nic.subnet_key}" if nic.subnet_key else "")),
        ("VNet", Item(name_in(nic.virtual_network_id), f"/vnets/{nic.virtual_network_key}" if nic.virtual_network_key else "")),
        ("MAC", Item(nic.mac_address or "none told")),
        ("Subscription", _subscription(node)),
    ]
    facts += [("Being changed", Item(f"change {one.change_id}", f"/changes/{one.change_id}", one.words)) for one in moves_of_nic(scope, nic.key)]
    rows = list(present(TapConfiguration, scope).filter(network_interface=nic).order_by("key")[:MOST_LISTED])
    nodes = dict(Placement.objects.filter(key__in=[one.key for one in rows]).values_list("key", "id"))
    lives = {one.tap_configuration_key: one for one in open_mirrors(scope).filter(nic_key=nic.key)}
    mirrors = [
        Item(name_in(one.virtual_network_tap_id), f"/tap-configurations/{one.key}", _whose(lives.get(one.key)), nodes.get(one.key, 0)) for one in rows
    ]
    return Panel(
        node, WORDS["nic"], f"/nics/{node.key}", notes, facts, (Section("Mirrored to", mirrors, len(mirrors), "Not mirrored."),), selectable=True,
        is_live=bool(mirrors), capture_filter=capture_filter(nic.private_ips) if mirrors else "",
    )  # fmt: skip


def _whose(life: Mirror | None) -> str:
    """Who answers for a mirror, short."""
    if life is None:
        return ""
    if life.origin == Mirror.Origin.OUTSIDE:
        return f"{UNACCOUNTED_GLYPH} unaccounted"
    return " · ".join(part for part in (life.owner or life.began_by or life.adopted_by, life.ticket) if part)


def _stopped_by(a: str, b: str, scope: Scope) -> Any:
    """The mirrors whose NIC stands in one of two VNets and whose collector in the other: what a broken peering between them stops."""

    def taps_in(vnet_key: str) -> Any:
        subnets = present(Subnet, scope).filter(virtual_network_id=vnet_key).values("key")
        addresses = present(IpConfiguration, scope).filter(subnet_key__in=subnets).values("key")
        frontends = present(FrontendIpConfiguration, scope).filter(subnet_key__in=subnets).values("key")
        to = Q(destination_ip_configuration_key__in=addresses) | Q(destination_frontend_key__in=frontends)
        return present(VirtualNetworkTap, scope).filter(to).values("key")

    across = [Q(network_interface__virtual_network_key=here, virtual_network_tap_key__in=taps_in(there)) for here, there in ((a, b), (b, a))]
    return present(TapConfiguration, scope).filter(across[0] | across[1])


def _peering(node: Node, scope: Scope) -> Panel:
    sides: list[VirtualNetworkPeering] = node.more["sides"]
    notes = []
    for side in sides:
        if side.peering_state != "Connected":
            notes.append(("⬢", f"{side.peering_state or 'No state told'} on {side.virtual_network.name}’s side. Fix: restore it there, then sync."))
    if len(sides) == 1:
        other = name_in(sides[0].remote_virtual_network_id)
        notes.append(("◌", f"Only {sides[0].virtual_network.name}’s side is known; {other} has none, or it cannot be read."))
    items = [
        Item(one.virtual_network.name, f"/peerings/{one.key}", ", ".join(part for part in (one.peering_state, one.peering_sync_level) if part))
        for one in sides
    ]
    sections = [Section("What each side says", items, len(items))]
    if any(side.peering_state != "Connected" for side in sides):
        stopped = _stopped_by(sides[0].virtual_network_id, sides[0].remote_virtual_network_key, scope)
        rows = stopped.select_related("network_interface").defer("network_interface__raw").order_by("network_interface__name", "key")
        found = [
            Item(one.network_interface.name, f"/tap-configurations/{one.key}", f"→ {name_in(one.virtual_network_tap_id)}")
            for one in rows[:MOST_LISTED]
        ]
        sections.append(Section("Mirrors it stops", found, stopped.count(), "None runs over it."))
    return Panel(node, WORDS["peering"], f"/peerings/{sides[0].key}", notes, (), sections)


def _collector(node: Node, scope: Scope) -> Panel:
    taps: list[VirtualNetworkTap] = node.more["taps"]
    is_nic = node.more["is_nic"]
    rows = present(TapConfiguration, scope).filter(virtual_network_tap_key__in=[tap.key for tap in taps])
    found = list(rows.select_related("network_interface").defer("network_interface__raw").order_by("network_interface__name", "key")[:MOST_LISTED])
    sources = [Item(one.network_interface.name, f"/nics/{one.network_interface_id}", one.provisioning_state) for one in found]
    notes, lines = _taps(taps, scope)
    owner = f"/nics/{node.row.key}" if is_nic else f"/load-balancers/{node.row.load_balancer_id}"
    facts = [
        ("Kind", Item("Collector NIC" if is_nic else "Internal load balancer", owner)),
        ("Address", Item(node.address or "none told")),
        ("Arrives as", Item("VXLAN on UDP 4789")),
        ("Subscription", _subscription(node)),
    ]
    sections = (
        Section("TAPs", lines, len(taps)),
        Section("Sources", sources, node.more["mirror_count"], "No NIC is mirrored to it yet."),
    )
    return Panel(node, WORDS["collector"], f"/collectors/{node.key}", notes, facts, sections, is_live=True)


def _taps(taps: Sequence[VirtualNetworkTap], scope: Scope) -> tuple[list[tuple[str, str]], list[Item]]:
    """(what is to be said of TAPs that nobody answers for, the TAPs as lines); one query."""
    unaccounted = set(unaccounted_taps(scope).order_by().filter(tap_key__in=[tap.key for tap in taps]).values_list("tap_key", flat=True))
    notes = [
        (UNACCOUNTED_GLYPH, f"{tap.name} was made outside vtapweb, and nobody answers for it yet. Adopt it, or plan its end, at Unaccounted.")
        for tap in taps
        if tap.key in unaccounted
    ]
    words = {tap.key: f"{UNACCOUNTED_GLYPH} unaccounted" if tap.key in unaccounted else tap.provisioning_state for tap in taps}
    return notes, [Item(tap.name, f"/taps/{tap.key}", words[tap.key]) for tap in taps]


def _unreadable(node: Node, scope: Scope) -> Panel:
    target = node.more["taps"][0].destination_id if node.more["taps"] else node.arm_id
    is_gone = subscription_in(target) in subscriptions_read_whole(scope)
    note = ("◌", f"{node.name} cannot be read here, so whether anything arrives is unknown. Until we know, the answer is no.")
    if is_gone:
        lost = f"{node.name} is not in Azure any more: its subscription was read to the end without it. Whatever is mirrored to it is lost."
        note = ("✕", f"{lost} Fix: end those mirrors, or point them at another collector, then sync.")
    notes, taps = _taps(node.more["taps"], scope)
    facts = [("ARM id", Item(node.arm_id)), ("Mirrors to it", Item(f"{node.more['mirror_count']:,}"))]
    sections = (Section("TAPs", taps, len(taps), "None that may be read."),)
    return Panel(node, WORDS["gone" if is_gone else "unreadable"], "", [note, *notes], facts, sections)


def _mirror(node: Node, scope: Scope) -> Panel:
    row: TapConfiguration = node.row
    notes = [] if row.provisioning_state in ("Succeeded", "") else [("▲", f"Azure reports it as {row.provisioning_state}.")]
    life = open_mirrors(scope).filter(tap_configuration_key=row.key).first()
    facts = [
        ("NIC", Item(row.network_interface.name, f"/nics/{row.network_interface_id}")),
        ("TAP", Item(name_in(row.virtual_network_tap_id), f"/taps/{row.virtual_network_tap_key}")),
    ]
    if life is not None:
        facts += _life(life)
        if life.origin == Mirror.Origin.OUTSIDE:
            node.more["is_unaccounted"] = True
            notes.append((UNACCOUNTED_GLYPH, "It was made outside vtapweb, and nobody answers for it yet. Adopt it, or plan its removal."))
    facts += [
        ("Being changed", Item(f"change {one.change_id}", f"/changes/{one.change_id}", one.words))
        for one in moves_of_nic(scope, row.network_interface_id)
    ]
    filter_of_it = capture_filter(row.network_interface.private_ips)
    return Panel(node, WORDS["mirror"], f"/tap-configurations/{node.key}", notes, facts, is_live=True, capture_filter=filter_of_it)


def _life(life: Mirror) -> list[tuple[str, Item]]:
    """Who, why, since when and until when, as far as it is known."""
    change = Item(f"change {life.began_change_id}", f"/changes/{life.began_change_id}") if life.began_change_id else None
    told: list[tuple[str, str | Item | None]] = [
        ("Who", life.owner or life.began_by or life.adopted_by),
        ("Why", life.reason),
        ("Ticket", life.ticket),
        ("Made by", change if change else f"adopted by {life.adopted_by}" if life.origin == Mirror.Origin.ADOPTED and life.adopted_by else None),
        ("Since", f"{life.began_at:%Y-%m-%d %H:%M} UTC" if life.began_at else f"not known; first seen {life.first_seen_at:%Y-%m-%d %H:%M} UTC"),
        ("Ends", f"{life.expires_at:%Y-%m-%d %H:%M} UTC" if life.expires_at else None if life.origin == Mirror.Origin.OUTSIDE else "no end is set"),
    ]
    return [(name, one if isinstance(one, Item) else Item(one)) for name, one in told if one]


PANELS = {
    "vnet": _vnet, "ghost": _ghost, "subnet": _subnet, "nic": _nic, "peering": _peering, "collector": _collector, "unreadable": _unreadable,
    "mirror": _mirror,
}  # fmt: skip
