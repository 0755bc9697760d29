"""What one node of the map is, and which nodes a text finds: for the side panel and the search. Only what the scope may read is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q

from vtapweb.domain.arm_id import arm_key, name_in
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import (
    FrontendIpConfiguration,
    IpConfiguration,
    LoadBalancer,
    NetworkInterface,
    Subnet,
    TapConfiguration,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.inventory.receiving import present
from vtapweb.taps.selectors.moving import moves_in_flight
from vtapweb.topology.models import Placement

MOST_HITS = 20
MOST_LISTED = 50
_CHUNK = 5_000  # values in one query


@dataclass(frozen=True, slots=True)
class Node:
    """A node as one viewer may know it. `kind` is vnet, ghost, subnet, nic, peering, collector, unreadable or mirror.

    `row` is its own document where there is one, `more` what the panel shows besides.
    """

    id: int
    kind: str
    key: str
    name: str
    arm_id: str = ""
    address: str = ""
    subscription_id: str = ""
    row: Any = None
    more: dict[str, Any] = field(default_factory=dict)


def node_find(node_id: int, scope: Scope) -> Node | None:
    """The node of this number, None when there is none or the scope may not know of it: at most seven queries."""
    place = Placement.objects.filter(pk=node_id).values_list("kind", "key", "parent").first()
    if place is None:
        return None
    kind, key, parent = place
    match kind:
        case "vnet":
            return _resource(node_id, "vnet", VirtualNetwork, key, scope) or _ghost(node_id, key, scope)
        case "subnet":
            return _resource(node_id, "subnet", Subnet, key, scope, "virtual_network")
        case "nic":
            return _resource(node_id, "nic", NetworkInterface, key, scope)
        case "mirror":
            return _resource(node_id, "mirror", TapConfiguration, key, scope, "network_interface")
        case "peering":
            return _peering(node_id, key, parent, scope)
        case "collector":
            return _collector(node_id, key, scope)
    return None


def _resource(node_id: int, kind: str, model: type[Model], key: str, scope: Scope, *related: str) -> Node | None:
    names = {one.name for one in model._meta.get_fields()}
    row = present(model, scope).select_related(*related).filter(pk=key).defer(*({"raw"} & names)).first()
    if row is None:
        return None
    address = ", ".join(getattr(row, "private_ips", None) or getattr(row, "address_prefixes", None) or [])
    return Node(node_id, kind, key, row.name, row.arm_id, address, row.subscription_id, row)


def _ghost(node_id: int, key: str, scope: Scope) -> Node | None:
    tellers = list(
        present(VirtualNetworkPeering, scope).filter(remote_virtual_network_key=key).select_related("virtual_network").order_by("key")[:MOST_LISTED]
    )
    if tellers:
        arm_id = tellers[0].remote_virtual_network_id
        prefix = ", ".join(tellers[0].remote_address_prefixes)
        return Node(node_id, "ghost", key, name_in(arm_id), arm_id, prefix, more={"peerings": tellers})
    nic = present(NetworkInterface, scope).filter(virtual_network_key=key).only("virtual_network_id", "name").first()
    return Node(node_id, "ghost", key, name_in(nic.virtual_network_id), nic.virtual_network_id, more={"nic": nic}) if nic else None


def _peering(node_id: int, key: str, parent: str, scope: Scope) -> Node | None:
    a, _, b = parent.partition("|")
    sides = list(
        present(VirtualNetworkPeering, scope)
        .filter(Q(virtual_network_id=a, remote_virtual_network_key=b) | Q(virtual_network_id=b, remote_virtual_network_key=a))
        .select_related("virtual_network")
        .order_by("key")
    )
    if not sides:
        return None
    ends = " ↔ ".join((sides[0].virtual_network.name, name_in(sides[0].remote_virtual_network_id)))
    return Node(node_id, "peering", key, ends, sides[0].arm_id, "", sides[0].subscription_id, sides[0], {"sides": sides})


def _collector(node_id: int, key: str, scope: Scope) -> Node | None:
    taps = list(
        present(VirtualNetworkTap, scope)
        .filter(Q(destination_ip_configuration_key=key) | Q(destination_frontend_key=key))
        .defer("raw")
        .order_by("name")[:MOST_LISTED]
    )
    if not taps:
        return _unreadable(node_id, key, scope)
    more = {"taps": taps, "mirror_count": present(TapConfiguration, scope).filter(virtual_network_tap_key__in=[tap.key for tap in taps]).count()}
    frontend = present(FrontendIpConfiguration, scope).filter(pk=key).select_related("load_balancer").defer("load_balancer__raw").first()
    if frontend is not None:
        name, address = frontend.load_balancer.name, frontend.private_ip_address
        return Node(
            node_id, "collector", key, name, frontend.load_balancer.arm_id, address, frontend.subscription_id, frontend, more | {"is_nic": False}
        )
    address_row = present(IpConfiguration, scope).filter(pk=key).select_related("network_interface").defer("network_interface__raw").first()
    if address_row is not None:
        nic = address_row.network_interface
        return Node(
            node_id, "collector", key, nic.name, nic.arm_id, address_row.private_ip_address, nic.subscription_id, nic, more | {"is_nic": True}
        )
    arm_id = taps[0].destination_id
    return Node(node_id, "unreadable", key, name_in(arm_id.rstrip("/").rsplit("/", 2)[0]), arm_id, more=more)


def _unreadable(node_id: int, key: str, scope: Scope) -> Node | None:
    """What stands where a TAP leads nowhere: the key is the TAP's own, which may not be readable or names no destination."""
    mirrors = present(TapConfiguration, scope).filter(virtual_network_tap_key=key)
    tap = present(VirtualNetworkTap, scope).filter(pk=key, destination_ip_configuration_key="", destination_frontend_key="").defer("raw").first()
    if tap is not None:
        return Node(node_id, "unreadable", key, "no destination", tap.arm_id, more={"taps": [tap], "mirror_count": mirrors.count()})
    first = mirrors.order_by("key").first()
    if first is None:
        return None
    arm_id = first.virtual_network_tap_id
    return Node(node_id, "unreadable", key, name_in(arm_id), arm_id, more={"taps": [], "mirror_count": mirrors.count()})


def nodes_matching(text: str, scope: Scope) -> list[dict[str, Any]]:
    """Up to 20 nodes by name, address, prefix, MAC or ARM id, exact ones first: {id, kind, key, name, address, vnet}. At most eight queries."""
    text = text.strip()
    if not text:
        return []
    key = arm_key(text) if text.startswith("/") else ""
    vnets = present(VirtualNetwork, scope).filter(Q(pk=key) if key else Q(name__icontains=text) | Q(address_prefixes__icontains=text))
    subnets = present(Subnet, scope).filter(Q(pk=key) if key else Q(name__icontains=text) | Q(address_prefixes__icontains=text))
    mac = "".join(one for one in text.lower() if one not in ":-.")
    by_mac = Q(mac_hex=mac) if len(mac) == 12 else Q(pk="")
    by_address = Q(pk__in=present(IpConfiguration, scope).filter(private_ip_address__startswith=text).values("network_interface_id"))
    nics = present(NetworkInterface, scope).filter(Q(pk=key) if key else Q(name__icontains=text) | by_mac | by_address)
    balancers = present(LoadBalancer, scope).filter(Q(pk=key) if key else Q(name__icontains=text))
    found: list[tuple[str, str, str, str, str]] = [
        ("vnet", key, name, ", ".join(prefixes), key)
        for key, name, prefixes in vnets.order_by("name", "key").values_list("key", "name", "address_prefixes")[:MOST_HITS]
    ]
    found += [
        ("collector", key, name, address, "")
        for key, name, address in present(FrontendIpConfiguration, scope)
        .filter(load_balancer__in=balancers.values("pk"))
        .order_by("load_balancer__name", "key")
        .values_list("key", "load_balancer__name", "private_ip_address")[:MOST_HITS]
    ]
    found += [
        ("nic", key, name, ", ".join(addresses), vnet_key)
        for key, name, addresses, vnet_key in nics.order_by("name", "key").values_list("key", "name", "private_ips", "virtual_network_key")[
            :MOST_HITS
        ]
    ]
    found += [
        ("subnet", key, name, ", ".join(prefixes), vnet_key)
        for key, name, prefixes, vnet_key in subnets.order_by("name", "key").values_list("key", "name", "address_prefixes", "virtual_network_id")[
            :MOST_HITS
        ]
    ]
    lowered = text.lower()
    found.sort(key=lambda hit: (hit[2].lower() != lowered and hit[3] != text, not hit[2].lower().startswith(lowered)))
    ids = dict(Placement.objects.filter(key__in=[hit[1] for hit in found]).values_list("key", "id"))
    names = dict(present(VirtualNetwork, scope).filter(pk__in={hit[4] for hit in found}).values_list("key", "name"))
    return [
        {"id": ids[key], "kind": kind, "key": key, "name": name, "address": address, "vnet": names.get(vnet_key, "")}
        for kind, key, name, address, vnet_key in found
        if key in ids
    ][:MOST_HITS]


def nodes_of_nics(keys: Sequence[str], scope: Scope) -> list[int]:
    """Node ids of the NICs with these keys, as far as they stand on the map and in scope; ascending."""
    known = present(NetworkInterface, scope)
    found: list[int] = []
    for at in range(0, len(keys), _CHUNK):
        within = known.filter(key__in=keys[at : at + _CHUNK]).values("key")
        found += Placement.objects.filter(kind="nic", key__in=within).values_list("pk", flat=True)
    return sorted(found)


def nic_keys_of_nodes(node_ids: Sequence[int], scope: Scope) -> list[str]:
    """Keys of the NICs behind these node ids, as far as they are in scope."""
    known = present(NetworkInterface, scope)
    found: list[str] = []
    for at in range(0, len(node_ids), _CHUNK):
        placed = Placement.objects.filter(kind="nic", pk__in=node_ids[at : at + _CHUNK]).values("key")
        found += known.filter(key__in=placed).order_by("key").values_list("key", flat=True)
    return found


def nodes_in_flight(scope: Scope) -> list[tuple[int, int]]:
    """(node id of a NIC, number of the running change that writes to it now), ascending. Two queries and few rows, whatever the estate."""
    moves = {one.nic_key: one.change_id for one in moves_in_flight(scope)}
    places = Placement.objects.filter(kind="nic", key__in=list(moves)).values_list("pk", "key") if moves else ()
    return sorted((node_id, moves[key]) for node_id, key in places)
