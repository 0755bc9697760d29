"""What the side panel of the map says about a node: sentences, facts, lists with links. Each node costs a fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vtapweb.domain.arm_id import name_in, subscription_in
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import (
    NetworkInterface,
    Subnet,
    Subscription,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.topology.models import Placement
from vtapweb.topology.nodes import MOST_LISTED, Node, node_find
from vtapweb.topology.selectors import present, subscriptions_read_whole

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


def panel_of(node_id: int, scope: Scope) -> Panel | None:
    """The panel of a node; None when there is no such node or the scope may not know of it. At most sixteen queries."""
    node = node_find(node_id, scope)
    return PANELS[node.kind](node, scope) if node else None


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
    mirrors = [
        Item(name_in(one.virtual_network_tap_id), f"/tap-configurations/{one.key}", one.provisioning_state)
        for one in present(TapConfiguration, scope).filter(network_interface=nic).order_by("key")[:MOST_LISTED]
    ]
    return Panel(
        node, WORDS["nic"], f"/nics/{node.key}", notes, facts, (Section("Mirrored to", mirrors, len(mirrors), "Not mirrored."),), selectable=True
    )


def _peering(node: Node, scope: Scope) -> Panel:  # noqa: ARG001 - all that may be known is in the node
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
    return Panel(node, WORDS["peering"], f"/peerings/{sides[0].key}", notes, (), (Section("What each side says", items, len(items)),))


def _collector(node: Node, scope: Scope) -> Panel:
    taps: list[VirtualNetworkTap] = node.more["taps"]
    is_nic = node.more["is_nic"]
    rows = present(TapConfiguration, scope).filter(virtual_network_tap_key__in=[tap.key for tap in taps])
    found = list(rows.select_related("network_interface").defer("network_interface__raw").order_by("network_interface__name", "key")[:MOST_LISTED])
    sources = [Item(one.network_interface.name, f"/nics/{one.network_interface_id}", one.provisioning_state) for one in found]
    owner = f"/nics/{node.row.key}" if is_nic else f"/load-balancers/{node.row.load_balancer_id}"
    facts = [
        ("Kind", Item("Collector NIC" if is_nic else "Internal load balancer")),
        ("Address", Item(node.address or "none told")),
        ("Arrives as", Item("VXLAN on UDP 4789")),
        ("Subscription", _subscription(node)),
    ]
    sections = (
        Section("TAPs", [Item(tap.name, f"/taps/{tap.key}", tap.provisioning_state) for tap in taps], len(taps)),
        Section("Sources", sources, node.more["mirror_count"], "No NIC is mirrored to it yet."),
    )
    return Panel(node, WORDS["collector"], owner, (), facts, sections)


def _unreadable(node: Node, scope: Scope) -> Panel:
    target = node.more["taps"][0].destination_id if node.more["taps"] else node.arm_id
    is_gone = subscription_in(target) in subscriptions_read_whole(scope)
    note = ("◌", f"{node.name} cannot be read here, so whether anything arrives is unknown. Until we know, the answer is no.")
    if is_gone:
        lost = f"{node.name} is not in Azure any more: its subscription was read to the end without it. Whatever is mirrored to it is lost."
        note = ("✕", f"{lost} Fix: end those mirrors, or point them at another collector, then sync.")
    taps = [Item(tap.name, f"/taps/{tap.key}", tap.provisioning_state) for tap in node.more["taps"]]
    facts = [("ARM id", Item(node.arm_id)), ("Mirrors to it", Item(f"{node.more['mirror_count']:,}"))]
    return Panel(node, WORDS["gone" if is_gone else "unreadable"], "", [note], facts, (Section("TAPs", taps, len(taps), "None that may be read."),))


def _mirror(node: Node, scope: Scope) -> Panel:  # noqa: ARG001 - all that may be known is in the node
    row: TapConfiguration = node.row
    notes = [] if row.provisioning_state in ("Succeeded", "") else [("▲", f"Azure reports it as {row.provisioning_state}.")]
    facts = [
        ("NIC", Item(row.network_interface.name, f"/nics/{row.network_interface_id}")),
        ("TAP", Item(name_in(row.virtual_network_tap_id), f"/taps/{row.virtual_network_tap_key}")),
    ]
    return Panel(node, WORDS["mirror"], f"/tap-configurations/{node.key}", notes, facts)


PANELS = {
    "vnet": _vnet, "ghost": _ghost, "subnet": _subnet, "nic": _nic, "peering": _peering, "collector": _collector, "unreadable": _unreadable,
    "mirror": _mirror,
}  # fmt: skip
