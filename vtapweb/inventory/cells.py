"""What the cells of a table show, kind by kind. All that a page of rows needs from other tables is looked up at once, before any cell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from vtapweb.domain.arm_id import ArmIdError, arm_key, parse
from vtapweb.domain.scope import Scope
from vtapweb.inventory import browse
from vtapweb.inventory.kinds import Kind
from vtapweb.inventory.models import (
    BackendAddressPool,
    FrontendIpConfiguration,
    KindState,
    LoadBalancer,
    LoadBalancingRule,
    NetworkInterface,
    NetworkSecurityGroup,
    Subnet,
    Subscription,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.web.tables import Cell
from vtapweb.web.text import count

# Azure's words for a resource that is as it should be. Anything else is shown as a state to look at; "" as unknown.
SUCCEEDED = "succeeded"
# Peering state → (tone, glyph, words)
PEERING_STATES = {
    "connected": ("", "●", "Connected"),
    "initiated": ("warn", "▲", "Initiated: the other side is missing"),
    "disconnected": ("bad", "⬢", "Disconnected"),
}
POWER_STATES = {
    "running": ("", "●", "running"),
    "deallocated": ("stale", "○", "deallocated"),
    "stopped": ("stale", "○", "stopped"),
    "starting": ("warn", "▲", "starting"),
    "stopping": ("warn", "▲", "stopping"),
    "deallocating": ("warn", "▲", "deallocating"),
}


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row, ready to show."""

    key: str
    name: str
    href: str
    cells: list[Cell]
    stale_since: datetime | None = None
    is_stale: bool = False
    removed_at: datetime | None = None


@dataclass(slots=True)
class Around:
    """What stands around a page of rows: names, existing neighbours, counts. Filled by a fixed number of queries a kind."""

    subscriptions: Mapping[str, str] = field(default_factory=dict)
    stale: Mapping[str, datetime] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    counts: dict[str, Mapping[str, int]] = field(default_factory=dict)
    frontends: dict[str, list[str]] = field(default_factory=dict)
    sides: dict[tuple[str, str], str] = field(default_factory=dict)  # (VNet key, remote VNet key) → that side's peering state


def provisioning(state: str) -> Cell:
    """A provisioning state as glyph and words: Succeeded is quiet."""
    if state.lower() == SUCCEEDED:
        return Cell(state, glyph="●")
    if not state:
        return Cell("unknown", tone="stale", glyph="◌", title="Azure did not say.")
    return Cell(state, tone="bad" if state.lower() == "failed" else "warn", glyph="⬢" if state.lower() == "failed" else "▲")


def peering_state(state: str) -> Cell:
    tone, glyph, words = PEERING_STATES.get(state.lower(), ("stale", "◌", state or "unknown"))
    return Cell(words, tone=tone, glyph=glyph)


def power(state: str) -> Cell:
    tone, glyph, words = POWER_STATES.get(state.lower(), ("stale", "◌", state or "unknown"))
    return Cell(words, tone=tone, glyph=glyph)


def name_of(arm_id: str) -> str:
    """The innermost name of an ARM id; the text itself where it is none."""
    try:
        return parse(arm_id).name
    except ArmIdError:
        return arm_id


def vnet_id_of(subnet_id: str) -> str:
    """The id of the VNet a subnet or peering id lies in, "" where it does not."""
    try:
        return parse(subnet_id).parent
    except ArmIdError:
        return ""


def link(slug: str, arm_id: str, around: Around, *, key: str = "", text: str = "") -> Cell:
    """A cell that names another resource: a link if the viewer can open it, else a ghost that says so."""
    if not arm_id:
        return Cell()
    key = key or arm_key(arm_id)
    name = text or name_of(arm_id)
    if key in around.present:
        return Cell(name, href=f"/{slug}/{key}", title=arm_id)
    return Cell(name, title=f"Named here, but not stored or not readable for you: {arm_id}", is_ghost=True, glyph="◌")


def number(value: int | None) -> Cell:
    return Cell(count(value), is_number=True)


def many(values: Sequence[str]) -> Cell:
    return Cell(values[0] if values else "", more=tuple(values[1:]), title=", ".join(values))


def _neighbours(around: Around, scope: Scope, *wanted: tuple[type[Any], list[str]]) -> None:
    for model, keys in wanted:
        around.present |= browse.present_keys(model, scope, keys)


def around_of(kind: Kind, scope: Scope, rows: Sequence[Any]) -> Around:
    """Everything the cells of these rows need. At most seven queries, whatever the number of rows."""
    around = Around(browse.subscription_names(scope), browse.stale_since(scope, kind.slug))
    keys = [row.key for row in rows]
    match kind.slug:
        case "vnets":
            around.counts["subnets"] = browse.count_by(Subnet, "virtual_network_id", scope, keys)
            around.counts["peerings"] = browse.count_by(VirtualNetworkPeering, "virtual_network_id", scope, keys)
            around.counts["nics"] = browse.count_by(NetworkInterface, "virtual_network_key", scope, keys)
            around.counts["mirrored"] = browse.count_by(NetworkInterface, "virtual_network_key", scope, keys, is_mirrored=True)
        case "subnets":
            around.counts["nics"] = browse.count_by(NetworkInterface, "subnet_key", scope, keys)
            around.counts["mirrored"] = browse.count_by(NetworkInterface, "subnet_key", scope, keys, is_mirrored=True)
            around.present |= {row.virtual_network_id for row in rows}
            _neighbours(around, scope, (NetworkSecurityGroup, [row.network_security_group_key for row in rows]))
        case "nics":
            _neighbours(
                around, scope,
                (VirtualMachine, [row.virtual_machine_key for row in rows]),
                (VirtualNetwork, [row.virtual_network_key for row in rows]),
                (Subnet, [row.subnet_key for row in rows]),
                (VirtualNetworkTap, [arm_key(tap) for row in rows for tap in row.tap_ids]),
            )  # fmt: skip
        case "peerings":
            around.present |= {row.virtual_network_id for row in rows}
            remotes = [row.remote_virtual_network_key for row in rows]
            _neighbours(around, scope, (VirtualNetwork, remotes))
            theirs = VirtualNetworkPeering.objects.filter(browse.in_scope(scope), removed_at=None, virtual_network_id__in=remotes)
            for vnet, remote, state in theirs.values_list("virtual_network_id", "remote_virtual_network_key", "peering_state"):
                around.sides[vnet, remote] = state
        case "virtual-machines":
            around.counts["nics"] = browse.count_by(NetworkInterface, "virtual_machine_key", scope, keys)
            around.counts["mirrored"] = browse.count_by(NetworkInterface, "virtual_machine_key", scope, keys, is_mirrored=True)
        case "load-balancers":
            around.counts["pools"] = browse.count_by(BackendAddressPool, "load_balancer_id", scope, keys)
            around.counts["rules"] = browse.count_by(LoadBalancingRule, "load_balancer_id", scope, keys)
            found = FrontendIpConfiguration.objects.filter(load_balancer_id__in=keys, removed_at=None).order_by("name")
            for lb, address, public in found.values_list("load_balancer_id", "private_ip_address", "public_ip_address_id"):
                around.frontends.setdefault(lb, []).append(address or ("public" if public else "unknown"))
        case "taps":
            around.counts["sources"] = browse.source_counts(scope, keys)
            nics = [arm_key(vnet_id_of(row.destination_ip_configuration_id)) for row in rows if row.destination_ip_configuration_id]
            balancers = [arm_key(vnet_id_of(row.destination_frontend_id)) for row in rows if row.destination_frontend_id]
            _neighbours(around, scope, (NetworkInterface, nics), (LoadBalancer, balancers))
        case "tap-configurations":
            around.present |= {row.network_interface_id for row in rows}
            _neighbours(around, scope, (VirtualNetworkTap, [row.virtual_network_tap_key for row in rows]))
    return around


def image(vm: Any) -> str:
    if vm.image_publisher:
        return f"{vm.image_publisher} / {vm.image_offer} / {vm.image_sku}"
    return name_of(vm.image_id) if vm.image_id else ""


def vm_of(nic: Any, around: Around) -> Cell:
    """The VM a NIC is attached to, or why there is none."""
    if nic.virtual_machine_id:
        return link("virtual-machines", nic.virtual_machine_id, around, key=nic.virtual_machine_key)
    return Cell("private endpoint" if nic.private_endpoint_id else "no VM", glyph="○")


def _nic_place(nic: Any, around: Around) -> Cell:
    cell = link("subnets", nic.subnet_id, around, key=nic.subnet_key)
    vnet = name_of(nic.virtual_network_id) if nic.virtual_network_id else ""
    return Cell(f"{vnet} / {cell.text}" if vnet else cell.text, cell.href, glyph=cell.glyph, title=cell.title, is_ghost=cell.is_ghost)


def mirrored(nic: Any, around: Around) -> Cell:
    if not nic.is_mirrored:
        return Cell("no", glyph="○")
    taps = [name_of(tap) for tap in nic.tap_ids]
    first = link("taps", nic.tap_ids[0], around) if nic.tap_ids else Cell()
    return Cell(f"→ {taps[0]}" if taps else "yes", first.href, tone="flow", glyph="●", more=tuple(taps[1:]), title=", ".join(nic.tap_ids))


def destination(tap: Any, around: Around) -> Cell:
    """What a TAP sends to: its NIC or load balancer, a ghost, or that it names none."""
    if not tap.destination_id:
        return Cell("no destination", tone="bad", glyph="⬢", title="This TAP names no destination: nothing can be mirrored to it.")
    owner = vnet_id_of(tap.destination_id)
    cell = link("nics" if tap.destination_kind == "nic" else "load-balancers", owner, around)
    words = "NIC" if tap.destination_kind == "nic" else "load balancer"
    return Cell(f"{cell.text} ({words})", cell.href, glyph=cell.glyph, title=cell.title, is_ghost=cell.is_ghost)


def _both_sides(row: Any, around: Around) -> Cell:
    """This side's state, with the other's where that is not Connected, too: a peering carries nothing until both are."""
    mine = peering_state(row.peering_state)
    remote = row.remote_virtual_network_key
    if row.peering_state.lower() != "connected" or remote not in around.present:
        return mine
    other = around.sides.get((remote, row.virtual_network_id))
    if other is None:
        return Cell("No peering back", tone="bad", glyph="⬢")
    return mine if other.lower() == "connected" else Cell(f"Other side {other or 'unknown'}", tone="bad", glyph="⬢")


Value = Callable[[Any, Around], Cell]
_COMMON: dict[str, Value] = {
    "region": lambda row, _: Cell(row.location),
    "group": lambda row, _: Cell(row.resource_group),
    "subscription": lambda row, around: Cell(around.subscriptions.get(row.subscription_id, row.subscription_id), title=row.subscription_id),
    "state": lambda row, _: provisioning(row.provisioning_state),
}


def _counted(name: str) -> Value:
    return lambda row, around: number(around.counts[name].get(row.key, 0))


_VALUES: dict[str, dict[str, Value]] = {
    "vnets": {
        "prefixes": lambda row, _: many(row.address_prefixes),
        **{name: _counted(name) for name in ("subnets", "peerings", "nics", "mirrored")},
    },
    "subnets": {
        "vnet": lambda row, around: link("vnets", vnet_id_of(row.arm_id), around, key=row.virtual_network_id),
        "prefixes": lambda row, _: many(row.address_prefixes),
        "nsg": lambda row, around: link("network-security-groups", row.network_security_group_id, around, key=row.network_security_group_key),
        **{name: _counted(name) for name in ("nics", "mirrored")},
    },
    "nics": {
        "addresses": lambda row, _: many(row.private_ips),
        "vm": vm_of,
        "vnet": _nic_place,
        "mirrored": mirrored,
        "mac": lambda row, _: Cell(row.mac_address),
    },
    "peerings": {
        "vnet": lambda row, around: link("vnets", vnet_id_of(row.arm_id), around, key=row.virtual_network_id),
        "remote": lambda row, around: link("vnets", row.remote_virtual_network_id, around, key=row.remote_virtual_network_key),
        "peering_state": _both_sides,
        "sync_level": lambda row, _: Cell(row.peering_sync_level or "unknown"),
    },
    "virtual-machines": {
        "power": lambda row, _: power(row.power_state),
        "size": lambda row, _: Cell(row.vm_size),
        "image": lambda row, _: Cell(image(row)),
        **{name: _counted(name) for name in ("nics", "mirrored")},
    },
    "load-balancers": {
        "frontends": lambda row, around: many(around.frontends.get(row.key, [])),
        "sku": lambda row, _: Cell(row.sku),
        **{name: _counted(name) for name in ("pools", "rules")},
    },
    "taps": {
        "destination": destination,
        "port": lambda row, _: Cell("unknown" if row.destination_port is None else str(row.destination_port), is_number=True),
        "sources": _counted("sources"),
    },
    "tap-configurations": {
        "nic": lambda row, around: link("nics", vnet_id_of(row.arm_id), around, key=row.network_interface_id),
        "tap": lambda row, around: link("taps", row.virtual_network_tap_id, around, key=row.virtual_network_tap_key),
    },
    "network-security-groups": {"rules": lambda row, _: number(len(row.security_rules))},
    "availability-sets": {"vms": lambda row, _: number(len(row.virtual_machine_ids))},
    "scale-sets": {
        "size": lambda row, _: Cell(row.vm_size),
        "mode": lambda row, _: Cell(row.orchestration_mode),
        "capacity": lambda row, _: number(row.capacity),
    },
    "resource-groups": {},
}


def table_rows(kind: Kind, scope: Scope, rows: Sequence[Any]) -> list[TableRow]:
    """The rows with their cells, in the order of `kind.columns`; a fixed number of queries."""
    around = around_of(kind, scope, rows)
    values = _COMMON | _VALUES[kind.slug]
    columns = [one.name for one in kind.columns if one.name != "name"]
    return [
        TableRow(
            row.key,
            row.name,
            f"/{kind.slug}/{row.key}",
            [values[name](row, around) for name in columns],
            around.stale.get(row.subscription_id),
            row.subscription_id in around.stale,
            row.removed_at,
        )
        for row in rows
    ]


def subscription_reading(states: Sequence[KindState]) -> Cell:
    """How completely a subscription is read, in one cell."""
    lacking = [one for one in states if one.status in KindState.INCOMPLETE_STATUSES]
    if not states:
        return Cell("not read yet", tone="stale", glyph="◌")
    if not lacking:
        return Cell("complete", glyph="●")
    is_dark = len(lacking) == len(states)
    return Cell(f"{len(lacking)} of {len(states)} lists incomplete", tone="bad" if is_dark else "warn", glyph="⬢" if is_dark else "▲")


def subscription_state(state: str) -> Cell:
    is_enabled = state.lower() == "enabled"
    return Cell(state or "unknown", tone="" if is_enabled else "warn", glyph="●" if is_enabled else "▲")


def subscription_rows(scope: Scope, rows: Sequence[Subscription]) -> list[TableRow]:
    """Like `table_rows`, for subscriptions. Four queries."""
    ids = [row.subscription_id for row in rows]
    states: dict[str, list[KindState]] = {}
    for state in KindState.objects.filter(browse.in_scope(scope), subscription_id__in=ids):
        states.setdefault(state.subscription_id, []).append(state)
    vnets = browse.count_by(VirtualNetwork, "subscription_id", scope, ids)
    nics = browse.count_by(NetworkInterface, "subscription_id", scope, ids)
    mirrored = browse.count_by(NetworkInterface, "subscription_id", scope, ids, is_mirrored=True)
    return [
        TableRow(
            row.key, str(row), f"/subscriptions/{row.key}",
            [
                Cell(row.subscription_id), subscription_reading(states.get(row.subscription_id, [])), number(vnets.get(row.subscription_id, 0)),
                number(nics.get(row.subscription_id, 0)), number(mirrored.get(row.subscription_id, 0)), Cell(row.tenant_id or "unknown"),
                subscription_state(row.state),
            ],
            row.not_listed_since, row.not_listed_since is not None, row.not_listed_since,
        )
        for row in rows
    ]  # fmt: skip


def csv_cells(row: TableRow) -> list[object]:
    """The row as plain values: the name, then each cell with everything it holds."""
    return [row.name, *(_csv_number(cell.text) if cell.is_number else "; ".join((cell.text, *cell.more)) for cell in row.cells)]


def _csv_number(text: str) -> object:
    """A counted cell's text as a number again: "12,345" would be text to a spreadsheet, and "unknown" is."""
    bare = text.replace(",", "")
    return int(bare) if bare.isdecimal() else text
