"""The page of one resource: its facts, what it stands in relation to, its own JSON, its changes. A fixed number of queries a kind."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from vtapweb.cloud.port import Failure
from vtapweb.domain.arm_id import ArmIdError, arm_key, fold, parse
from vtapweb.domain.scope import Scope
from vtapweb.inventory import browse, cells
from vtapweb.inventory.cells import Around, link, name_of, vnet_id_of
from vtapweb.inventory.kinds import KINDS, Kind, read_kind_words
from vtapweb.inventory.models import (
    BackendAddressPool,
    FrontendIpConfiguration,
    IpConfiguration,
    LoadBalancingRule,
    NetworkInterface,
    NetworkSecurityGroup,
    ResourceChange,
    Subnet,
    Subscription,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.web.tables import Cell

LISTED_MAX = 100  # rows of a relation shown on the page; the table has them all
CHANGES_MAX = 50
# ARM type → the page of its kind, for ids that stand in documents
SLUG_OF_TYPE = {
    "microsoft.network/virtualnetworks": "vnets",
    "microsoft.network/virtualnetworks/subnets": "subnets",
    "microsoft.network/virtualnetworks/virtualnetworkpeerings": "peerings",
    "microsoft.network/networkinterfaces": "nics",
    "microsoft.network/networkinterfaces/tapconfigurations": "tap-configurations",
    "microsoft.network/networksecuritygroups": "network-security-groups",
    "microsoft.network/loadbalancers": "load-balancers",
    "microsoft.network/virtualnetworktaps": "taps",
    "microsoft.compute/virtualmachines": "virtual-machines",
    "microsoft.compute/availabilitysets": "availability-sets",
    "microsoft.compute/virtualmachinescalesets": "scale-sets",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table of relations. `total` counts all, `rows` hold at most LISTED_MAX; `all_href` leads to the table with them all."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]
    total: int = 0
    all_href: str = ""
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence on top of the page: tone "warn", "bad" or "stale"."""

    tone: str
    glyph: str
    text: str
    at: datetime | None = None


@dataclass(slots=True)
class Details:
    """The whole page. `map_keys` are what "Show on map" selects."""

    kind: str
    slug: str
    row: Any
    facts: list[tuple[str, Cell]]
    sections: list[Section] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    path: list[Cell] = field(default_factory=list)
    map_keys: list[str] = field(default_factory=list)
    raw: str = ""
    raw_of: str = ""
    changes: list[ResourceChange] = field(default_factory=list)
    subscription: str = ""


def get(kind: Kind, scope: Scope, key: str) -> Any | None:
    """The row of this key in scope, removed ones too; None where there is none. One query."""
    return kind.model._default_manager.filter(browse.in_scope(scope), key=key).first()


def changes_of(scope: Scope, key: str) -> list[ResourceChange]:
    """The last changes of one resource, newest first. One query."""
    return list(ResourceChange.objects.filter(browse.in_scope(scope), key=key).order_by("-id")[:CHANGES_MAX])


def _own_json(document: Any, arm_id: str) -> Any | None:
    """The part of a document whose `id` is `arm_id`."""
    wanted, stack = fold(arm_id), [document]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if isinstance(one.get("id"), str) and fold(one["id"]) == wanted and len(one) > 1:
                return one
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
    return None


def raw_json(row: Any) -> tuple[str, str]:
    """(the resource's JSON as Azure sent it, pretty; in whose document it stands, "" for its own). Empty where nothing was kept. One query."""
    parent = next((getattr(row, name) for name in ("virtual_network", "network_interface", "load_balancer") if hasattr(row, name)), None)
    raw = bytes(row.raw if hasattr(row, "raw") else parent.raw if parent is not None else b"")
    if not raw:
        return "", ""
    try:
        document = json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace"), ""
    shown = document if parent is None or hasattr(row, "raw") else _own_json(document, row.arm_id)
    if shown is None:
        return "", parent.name if parent is not None else ""
    return json.dumps(shown, indent=2, ensure_ascii=False), parent.name if parent is not None and not hasattr(row, "raw") else ""


def _add(around: Around, scope: Scope, model: type[Any], keys: Sequence[str]) -> None:
    around.present |= browse.present_keys(model, scope, keys)


def any_link(arm_id: str, around: Around) -> Cell:
    """A link by the type that stands in the id; an id of a kind without a page is plain text."""
    try:
        slug = SLUG_OF_TYPE.get(parse(arm_id).resource_type, "")
    except ArmIdError:
        slug = ""
    return link(slug, arm_id, around) if slug else Cell(name_of(arm_id), title=arm_id)


def flag(value: bool | None, yes: str = "yes", no: str = "no") -> Cell:
    """A tri-state: None is unknown, never no."""
    return Cell("unknown", tone="stale", glyph="◌") if value is None else Cell(yes if value else no)


def _nics(scope: Scope, condition: Q) -> tuple[list[Any], int]:
    found = NetworkInterface.objects.defer("raw", "digest").filter(browse.in_scope(scope), condition, removed_at=None)
    first = list(found.order_by("name", "key")[: LISTED_MAX + 1])
    return first[:LISTED_MAX], len(first) if len(first) <= LISTED_MAX else found.count()


def _nic_section(scope: Scope, nics: list[Any], total: int, all_href: str, *, title: str = "NICs", empty: str = "No NIC here.") -> Section:
    around = cells.around_of(KINDS["nics"], scope, nics)
    rows = [
        [
            Cell(nic.name, f"/nics/{nic.key}"),
            cells.many(nic.private_ips),
            cells.vm_of(nic, around),
            cells.mirrored(nic, around),
        ]
        for nic in nics
    ]
    return Section(title, ("Name", "Private IPs", "VM", "Mirrored"), rows, total, all_href, empty)


def peering_sentence(mine: Any, other: Any | None, *, is_remote_known: bool) -> Cell:
    """What the two sides of a peering say together, in one sentence."""
    state = mine.peering_state or "unknown"
    remote = name_of(mine.remote_virtual_network_id)
    if not is_remote_known:
        return Cell(f"This side is {state}. {remote} is not readable here, so its side is unknown.", tone="stale", glyph="◌")
    if other is None:
        return Cell(
            f"This side is {state}; {remote} has no peering back. Mirrored traffic can't cross. Create it on {remote}.", tone="bad", glyph="⬢"
        )
    if state.lower() == other.peering_state.lower() == "connected":
        return Cell("Connected on both sides.", glyph="●")
    where = "both sides" if state == other.peering_state else f"this side, {other.peering_state or 'unknown'} on {remote}'s side"
    return Cell(f"{state} on {where}. Mirrored traffic can't cross until both are Connected: restore the peering, then sync.", tone="bad", glyph="⬢")


def _peerings(vnet: Any, scope: Scope) -> Section:
    mine = list(VirtualNetworkPeering.objects.filter(virtual_network_id=vnet.key, removed_at=None).order_by("name"))
    remotes = {one.remote_virtual_network_key for one in mine}
    around = Around(present=set(browse.present_keys(VirtualNetwork, scope, remotes)))
    back = VirtualNetworkPeering.objects.filter(browse.in_scope(scope), remote_virtual_network_key=vnet.key, removed_at=None)
    others = {one.virtual_network_id: one for one in back}
    rows = [
        [
            Cell(one.name, f"/peerings/{one.key}"),
            link("vnets", one.remote_virtual_network_id, around, key=one.remote_virtual_network_key),
            peering_sentence(
                one, others.get(one.remote_virtual_network_key), is_remote_known=one.remote_virtual_network_key in around.present
            ),
        ]
        for one in mine
    ]  # fmt: skip
    return Section(
        "Peerings", ("Name", "Remote VNet", "Both sides"), rows, len(rows), empty="No peering. Only NICs in this VNet can reach a collector here."
    )


def _vnet(vnet: Any, scope: Scope, page: Details) -> None:
    page.facts += [("Address space", cells.many(vnet.address_prefixes)), ("Encryption", flag(vnet.is_encryption_enabled, "on", "off"))]
    subnets = list(Subnet.objects.filter(virtual_network_id=vnet.key, removed_at=None).order_by("name")[:LISTED_MAX])
    around = cells.around_of(KINDS["subnets"], scope, subnets)
    rows = [
        [
            Cell(one.name, f"/subnets/{one.key}"),
            cells.many(one.address_prefixes),
            cells.number(around.counts["nics"].get(one.key, 0)),
            cells.number(around.counts["mirrored"].get(one.key, 0)),
            link("network-security-groups", one.network_security_group_id, around, key=one.network_security_group_key),
        ]
        for one in subnets
    ]
    page.sections += [
        Section(
            "Subnets", ("Name", "Address space", "NICs", "Mirrored", "Network security group"), rows, len(rows), f"/table/subnets?vnet={vnet.key}"
        ),
        _peerings(vnet, scope),
        _nic_section(scope, *_nics(scope, Q(virtual_network_key=vnet.key)), f"/table/nics?vnet={vnet.key}"),
    ]
    page.map_keys = [vnet.key]


def _subnet(subnet: Any, scope: Scope, page: Details) -> None:
    around = Around(present={subnet.virtual_network_id})
    _add(around, scope, NetworkSecurityGroup, [subnet.network_security_group_key])
    page.path = [link("vnets", vnet_id_of(subnet.arm_id), around, key=subnet.virtual_network_id)]
    page.facts += [
        ("VNet", page.path[0]),
        ("Address space", cells.many(subnet.address_prefixes)),
        ("Network security group", link("network-security-groups", subnet.network_security_group_id, around, key=subnet.network_security_group_key)),
        ("Delegated to", cells.many(subnet.delegations)),
    ]
    page.sections.append(_nic_section(scope, *_nics(scope, Q(subnet_key=subnet.key)), f"/table/nics?vnet={subnet.virtual_network_id}"))
    page.map_keys = [subnet.key]


def _peering(peering: Any, scope: Scope, page: Details) -> None:
    around = Around(present={peering.virtual_network_id})
    _add(around, scope, VirtualNetwork, [peering.remote_virtual_network_key])
    other = VirtualNetworkPeering.objects.filter(
        browse.in_scope(scope), virtual_network_id=peering.remote_virtual_network_key,
        remote_virtual_network_key=peering.virtual_network_id, removed_at=None,
    ).first()  # fmt: skip
    sentence = peering_sentence(peering, other, is_remote_known=peering.remote_virtual_network_key in around.present)
    if sentence.tone:
        page.notes.append(Note(sentence.tone, sentence.glyph, sentence.text))
    page.path = [link("vnets", vnet_id_of(peering.arm_id), around, key=peering.virtual_network_id)]
    page.facts += [
        ("VNet", page.path[0]),
        ("Remote VNet", link("vnets", peering.remote_virtual_network_id, around, key=peering.remote_virtual_network_key)),
        ("This side", cells.peering_state(peering.peering_state)),
        ("Other side", Cell(other.name, f"/peerings/{other.key}", title=other.peering_state) if other else Cell("none or not readable", glyph="◌")),
        ("Both sides", Cell(sentence.text)),
        ("In step", Cell(peering.peering_sync_level or "unknown")),
        ("Remote address space", cells.many(peering.remote_address_prefixes)),
        ("Traffic between the VNets", flag(peering.allow_virtual_network_access, "allowed", "blocked")),
        ("Forwarded traffic", flag(peering.allow_forwarded_traffic, "allowed", "blocked")),
        ("Gateway transit", flag(peering.allow_gateway_transit)),
        ("Uses the remote gateway", flag(peering.use_remote_gateways)),
    ]
    page.map_keys = [peering.key]


def _nic(nic: Any, scope: Scope, page: Details) -> None:
    configurations = list(IpConfiguration.objects.filter(network_interface_id=nic.key, removed_at=None).order_by("-is_primary", "name"))
    mirrors = list(TapConfiguration.objects.filter(network_interface_id=nic.key, removed_at=None).order_by("name"))
    around = cells.around_of(KINDS["nics"], scope, [nic])
    _add(around, scope, Subnet, [one.subnet_key for one in configurations])
    _add(around, scope, NetworkSecurityGroup, [nic.network_security_group_key])
    tap_keys = [one.virtual_network_tap_key for one in mirrors]
    taps = {tap.key: tap for tap in VirtualNetworkTap.objects.defer("raw", "digest").filter(browse.in_scope(scope), key__in=tap_keys)}
    collectors = cells.around_of(KINDS["taps"], scope, list(taps.values()))
    pointing = list(
        VirtualNetworkTap.objects.defer("raw", "digest").filter(
            browse.in_scope(scope), removed_at=None, destination_ip_configuration_key__in=[one.key for one in configurations]
        )
    )
    page.path = [
        cells.link("vnets", nic.virtual_network_id, around, key=nic.virtual_network_key),
        link("subnets", nic.subnet_id, around, key=nic.subnet_key),
    ]
    if pointing:
        page.notes.append(Note("", "◆", f"A collector: {', '.join(one.name for one in pointing)} sends mirrored traffic here."))
    page.facts += [
        (
            "VM",
            cells.vm_of(nic, around),
        ),
        ("VNet", page.path[0]),
        ("Subnet", page.path[1]),
        ("Mirrored", cells.mirrored(nic, around)),
        ("MAC", Cell(nic.mac_address or "unknown until a VM starts with it")),
        ("Network security group", link("network-security-groups", nic.network_security_group_id, around, key=nic.network_security_group_key)),
        ("Accelerated networking", flag(nic.is_accelerated_networking_enabled, "on", "off")),
        ("IP forwarding", flag(nic.is_ip_forwarding_enabled, "on", "off")),
        ("Private endpoint", Cell(name_of(nic.private_endpoint_id), title=nic.private_endpoint_id) if nic.private_endpoint_id else Cell("no")),
    ]
    rows = []
    for one in mirrors:
        tap = taps.get(one.virtual_network_tap_key)
        goal = cells.destination(tap, collectors) if tap else Cell("unknown: its TAP is not stored or not readable for you", glyph="◌", is_ghost=True)
        tap_cell = link("taps", one.virtual_network_tap_id, around, key=one.virtual_network_tap_key)
        rows.append([Cell(one.name, f"/tap-configurations/{one.key}"), tap_cell, goal, cells.provisioning(one.provisioning_state)])
    page.sections += [
        Section("Mirrors", ("TAP configuration", "TAP", "Collector", "State"), rows, len(rows), empty="Not mirrored."),
        Section(
            "IP configurations", ("Name", "Address", "Allocation", "Subnet", "Public address"),
            [[Cell(f"{one.name} (primary)" if one.is_primary else one.name), Cell(one.private_ip_address or "none"),
              Cell(one.private_ip_allocation_method), link("subnets", one.subnet_id, around, key=one.subnet_key),
              Cell(name_of(one.public_ip_address_id) if one.public_ip_address_id else "none")] for one in configurations],
            len(configurations),
        ),
    ]  # fmt: skip
    page.map_keys = [nic.key]


def _vm(vm: Any, scope: Scope, page: Details) -> None:
    around = Around()
    _add(around, scope, KINDS["availability-sets"].model, [vm.availability_set_key])
    _add(around, scope, KINDS["scale-sets"].model, [vm.scale_set_key])
    nics, total = _nics(scope, Q(virtual_machine_key=vm.key))
    page.facts += [
        ("Power", cells.power(vm.power_state)), ("Size", Cell(vm.vm_size)), ("Operating system", Cell(vm.os_type or "unknown")),
        ("Image", Cell(cells.image(vm) or "unknown")),
        ("Marketplace plan", Cell(" / ".join((vm.plan_publisher, vm.plan_product, vm.plan_name)) if vm.plan_publisher else "none")),
        ("Availability set", link("availability-sets", vm.availability_set_id, around, key=vm.availability_set_key)),
        ("Scale set", link("scale-sets", vm.scale_set_id, around, key=vm.scale_set_key)), ("Zones", cells.many([str(one) for one in vm.zones])),
    ]  # fmt: skip
    page.sections.append(_nic_section(scope, nics, total, ""))
    page.map_keys = [nic.key for nic in nics]


def _load_balancer(balancer: Any, scope: Scope, page: Details) -> None:
    frontends = list(FrontendIpConfiguration.objects.filter(load_balancer_id=balancer.key, removed_at=None).order_by("name"))
    pools = list(BackendAddressPool.objects.filter(load_balancer_id=balancer.key, removed_at=None).order_by("name"))
    rules = list(LoadBalancingRule.objects.filter(load_balancer_id=balancer.key, removed_at=None).order_by("name"))
    members = [nic for pool in pools for nic in pool.ip_configuration_ids]
    around = Around()
    _add(around, scope, Subnet, [one.subnet_key for one in frontends])
    _add(around, scope, NetworkInterface, [arm_key(vnet_id_of(one)) for one in members])
    taps = list(
        VirtualNetworkTap.objects.defer("raw", "digest").filter(
            browse.in_scope(scope), removed_at=None, destination_frontend_key__in=[one.key for one in frontends]
        )
    )
    page.facts.append(("SKU", Cell(balancer.sku or "unknown")))
    page.sections += [
        Section("Frontends", ("Name", "Address", "Subnet"), [
            [Cell(one.name), Cell(one.private_ip_address or ("public" if one.public_ip_address_id else "unknown")),
             link("subnets", one.subnet_id, around, key=one.subnet_key)] for one in frontends
        ], len(frontends)),
        Section("Rules", ("Name", "Protocol", "Port", "Frontend", "Pools", "Floating IP"), [
            [Cell(one.name), Cell(one.protocol), Cell("all ports" if one.frontend_port == 0 else f"{one.frontend_port} → {one.backend_port}"),
             Cell(name_of(one.frontend_id)), cells.many([name_of(pool) for pool in one.backend_pool_ids]), flag(one.is_floating_ip_enabled)]
            for one in rules
        ], len(rules), empty="No rule: nothing that arrives is passed on. A collector needs one for UDP 4789."),
        Section("Pool members", ("Pool", "NIC", "IP configuration"), [
            [Cell(pool.name), link("nics", vnet_id_of(one), around), Cell(name_of(one))] for pool in pools for one in pool.ip_configuration_ids
        ] + [[Cell(pool.name), Cell(one), Cell("by address")] for pool in pools for one in pool.backend_addresses], len(members)),
        Section("TAPs that send here", ("Name", "State"), [
            [Cell(one.name, f"/taps/{one.key}"), cells.provisioning(one.provisioning_state)] for one in taps
        ], len(taps), empty="No TAP has this load balancer as its destination."),
    ]  # fmt: skip
    page.map_keys = [arm_key(vnet_id_of(one)) for one in members]


def _tap(tap: Any, scope: Scope, page: Details) -> None:
    around = cells.around_of(KINDS["taps"], scope, [tap])
    owner = vnet_id_of(tap.destination_id) if tap.destination_id else ""
    exists = False
    if tap.destination_key:
        model = IpConfiguration if tap.destination_kind == "nic" else FrontendIpConfiguration
        exists = model._default_manager.filter(browse.in_scope(scope), key=tap.destination_key, removed_at=None).exists()
    if not tap.destination_id:
        page.notes.append(Note("bad", "⬢", "This TAP names no destination, so nothing can be mirrored to it. Give it one, or delete it."))
    elif not exists:
        page.notes.append(Note(
            "warn", "◌", f"Its destination {name_of(owner)} is not in the inventory: deleted, or in a subscription that is not readable here. "
            "Mirrored traffic may be lost. Check that it exists, or grant Reader on its subscription, then sync.",
        ))  # fmt: skip
    page.facts += [
        ("Destination", cells.destination(tap, around)),
        ("Destination id", Cell(tap.destination_id)),
        ("Port", Cell(str(tap.destination_port) if tap.destination_port is not None else "unknown")),
        ("Sources", cells.number(around.counts["sources"].get(tap.key, 0))),
        ("Resource GUID", Cell(tap.resource_guid)),
    ]
    configured = TapConfiguration.objects.filter(browse.in_scope(scope), virtual_network_tap_key=tap.key, removed_at=None)
    nics, total = _nics(scope, Q(key__in=configured.values("network_interface_id")))
    page.sections.append(_nic_section(scope, nics, total, "", title="Sources", empty="No NIC is mirrored to this TAP."))
    unseen = [one for one in tap.tap_configuration_ids if "/networkinterfaces/" in one.lower()]
    if len(unseen) > total:
        page.notes.append(
            Note("warn", "▲", f"Azure counts {len(unseen)} TAP configurations on this TAP; {total} of them are on NICs that you can see here.")
        )
    page.map_keys = [nic.key for nic in nics]


def _tap_configuration(one: Any, scope: Scope, page: Details) -> None:
    around = Around(present={one.network_interface_id})
    _add(around, scope, VirtualNetworkTap, [one.virtual_network_tap_key])
    page.path = [link("nics", vnet_id_of(one.arm_id), around, key=one.network_interface_id)]
    page.facts += [("NIC", page.path[0]), ("TAP", link("taps", one.virtual_network_tap_id, around, key=one.virtual_network_tap_key))]
    if one.virtual_network_tap_key and one.virtual_network_tap_key not in around.present:
        page.notes.append(Note("warn", "◌", "Its TAP is not in the inventory: deleted, or in a subscription that is not readable here."))
    page.map_keys = [one.network_interface_id]


def _nsg(nsg: Any, scope: Scope, page: Details) -> None:
    subnets = list(Subnet.objects.filter(browse.in_scope(scope), network_security_group_key=nsg.key, removed_at=None).order_by("name")[:LISTED_MAX])
    nics, total = _nics(scope, Q(network_security_group_key=nsg.key))
    rules = sorted(nsg.security_rules, key=lambda rule: (str(rule.get("direction")), rule.get("priority") or 0))
    words = ("name", "direction", "access", "protocol")
    lists = ("source_prefixes", "destination_prefixes", "destination_port_ranges")
    shown = [
        [
            Cell(str(rule.get("priority") or "unknown"), is_number=True),
            *(Cell(str(rule.get(name, ""))) for name in words),
            *(cells.many([str(part) for part in rule.get(name) or ()]) for name in lists),
        ]
        for rule in rules
    ]
    columns = ("Priority", "Name", "Direction", "Access", "Protocol", "From", "To", "Ports")
    places = [[Cell(one.name, f"/subnets/{one.key}"), Cell(name_of(vnet_id_of(one.arm_id)))] for one in subnets]
    page.sections += [
        Section("Rules", columns, shown, len(rules), empty="No rule of its own; Azure's defaults apply."),
        Section("Subnets", ("Name", "VNet"), places, len(subnets)),
        _nic_section(scope, nics, total, ""),
    ]


def _availability_set(one: Any, scope: Scope, page: Details) -> None:
    around = Around(present=set(browse.present_keys(VirtualMachine, scope, [arm_key(vm) for vm in one.virtual_machine_ids])))
    rows = [[link("virtual-machines", vm, around)] for vm in one.virtual_machine_ids]
    page.sections.append(Section("VMs that back each other up", ("Name",), rows, len(rows)))


def _scale_set(one: Any, scope: Scope, page: Details) -> None:
    page.facts += [("Size", Cell(one.vm_size)), ("Orchestration", Cell(one.orchestration_mode)), ("Capacity", cells.number(one.capacity))]
    page.sections.append(_nic_section(scope, *_nics(scope, Q(scale_set_key=one.key)), ""))


_BUILD = {
    "vnets": _vnet, "subnets": _subnet, "peerings": _peering, "nics": _nic, "virtual-machines": _vm, "load-balancers": _load_balancer,
    "taps": _tap, "tap-configurations": _tap_configuration, "network-security-groups": _nsg, "availability-sets": _availability_set,
    "scale-sets": _scale_set,
}  # fmt: skip


def details(kind: Kind, scope: Scope, row: Any) -> Details:
    """The page of `row`. Its queries do not grow with the number of relations."""
    names = browse.subscription_names(scope)
    stale = browse.stale_since(scope, kind.slug)
    facts = [
        ("State", cells.provisioning(row.provisioning_state)),
        ("Subscription", Cell(names.get(row.subscription_id, row.subscription_id), title=row.subscription_id)),
        ("Resource group", Cell(row.resource_group)),
        ("Region", Cell(row.location or "unknown")),
    ]
    page = Details(kind.singular, kind.slug, row, facts, subscription=names.get(row.subscription_id, row.subscription_id))
    if row.removed_at is not None:
        page.notes.append(
            Note("stale", "◌", "Removed: Azure's last complete list no longer held it. What you see is how it last was. Gone since", row.removed_at)
        )
    elif row.subscription_id in stale:
        words = "This may be old: its subscription could not be read completely. Last complete read:"
        page.notes.append(Note("stale", "◌", words, stale[row.subscription_id]))
    build = _BUILD.get(kind.slug)
    if build is not None:
        build(row, scope, page)
    page.raw, page.raw_of = raw_json(row)
    page.changes = changes_of(scope, row.key)
    if row.removed_at is not None:
        page.map_keys = []
    return page


def subscription_get(scope: Scope, key: str) -> Subscription | None:
    """One subscription in scope. One query."""
    return Subscription.objects.filter(browse.in_scope(scope), key=key).first()


def subscription_details(scope: Scope, row: Subscription) -> Details:
    """A subscription's page: what of it is read, how completely. Four queries."""
    states = list(row.kind_states.order_by("kind"))
    counts = {kind.slug: browse.count_by(kind.model, "subscription_id", scope, [row.subscription_id]) for kind in (KINDS["vnets"], KINDS["nics"])}
    facts = [
        ("State", cells.subscription_state(row.state)),
        ("Subscription id", Cell(row.subscription_id)),
        ("Tenant", Cell(row.tenant_id or "unknown")),
        ("Managed by", cells.many([str(one) for one in row.managed_by_tenants])),
        ("VNets", Cell(str(counts["vnets"].get(row.subscription_id, 0)), f"/table/vnets?subscription={row.subscription_id}")),
        ("NICs", Cell(str(counts["nics"].get(row.subscription_id, 0)), f"/table/nics?subscription={row.subscription_id}")),
    ]
    page = Details("Subscription", "subscriptions", row, facts, subscription=str(row))
    if row.not_listed_since is not None:
        words = "Azure no longer lists this subscription; its resources are kept as last seen. Since"
        page.notes.append(Note("stale", "◌", words, row.not_listed_since))
    rows = [
        [
            Cell(read_kind_words(one.kind)),
            kind_status(one.status, one.failure),
            cells.number(one.stored_count),
            cells.number(one.not_understood_count),
            Cell(at=one.last_complete_at) if one.last_complete_at else Cell("never"),
            Cell(f"{one.code} {one.message}".strip()),
        ]
        for one in states
    ]
    columns = ("List", "Reading", "Stored", "Not understood", "Last complete", "Azure says")
    page.sections.append(Section("What is read", columns, rows, len(rows), empty="Not read yet: start a sync."))
    page.raw = _pretty(bytes(row.raw))
    return page


KIND_STATUSES = {
    "complete": ("", "●", "complete"),
    "partial": ("warn", "▲", "partial"),
    "failed": ("bad", "⬢", "failed"),
    "never": ("stale", "◌", "never read"),
    "not_available": ("stale", "◌", "not available here"),
    "held": ("warn", "▲", "removal waits for an admin"),
}


def kind_status(status: str, failure: str = "") -> Cell:
    """How one list was read, as glyph and words. A refusal is called one whatever it means for the sync: of power states it makes no failure."""
    tone, glyph, words = KIND_STATUSES.get(status, ("stale", "◌", status))
    if failure == Failure.FORBIDDEN and status in ("failed", "not_available"):
        title = "This identity may not read it, so all of it is unknown." if status == "not_available" else "This identity may not read it."
        return Cell("refused", tone=tone, glyph=glyph, title=title)
    return Cell(words, tone=tone, glyph=glyph)


def _pretty(raw: bytes) -> str:
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False) if raw else ""
    except ValueError:
        return raw.decode("utf-8", "replace")
