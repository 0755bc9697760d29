"""Estates M and L: hubs and spokes by the hundred, invented by rule, for the picture at scale and for the benchmarks.

    group = 1 hub (a load balancer before two collectors, a collector NIC, two TAPs) + 9 spokes, all in one region and subscription;
    hubs are peered among themselves by distance until the estate has its number of peerings.

Counts are exact. Whatever is odd (unattached, IPv6, private endpoint, another casing, unknown state …) is so by the NIC's number.
"""

from dataclasses import dataclass
from itertools import count, islice

from vtapweb.simulator import documents
from vtapweb.simulator.builder import Builder, Vnet
from vtapweb.simulator.documents import Json, Kind
from vtapweb.simulator.estate import Estate

REGIONS = ("uksouth", "germanywestcentral", "eastus", "centralindia", "eastasia", "centralus")
VNETS_IN_GROUP = 10
SUBNETS = ("app", "data", "edge")
OWNERS = ("Zoë O'Brien", "Jürgen Weiß", "田中 花子", "Łukasz Żak", "Adaeze Okafor", "Søren Ångström", "Priya Raman")
SIZES = ("Standard_D2s_v5", "Standard_D4s_v5", "Standard_E8s_v5", "Standard_F8s_v2", "Standard_B2ms")
WORDS = ("crm", "pay", "erp", "iot", "web", "hr", "bi", "ops", "dev")


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of everything; `peerings` counts peering resources, two a pair."""

    subscriptions: int
    vnets: int
    nics: int
    tap_configurations: int
    peerings: int


SHAPES = {
    "M": Shape(subscriptions=5, vnets=100, nics=5_000, tap_configurations=500, peerings=250),
    "L": Shape(subscriptions=20, vnets=1_000, nics=50_000, tap_configurations=5_000, peerings=5_000),
}


def build(size: str) -> Estate:
    """The estate of that size, the same at every call."""
    shape = SHAPES[size]
    tenant_id = documents.guid(f"tenant of {size}")
    builder = Builder(Estate(size, tenants={tenant_id: f"Northwind {size}"}))
    subscription_ids = [documents.guid(f"subscription {number} of {size}") for number in range(shape.subscriptions)]
    for number, subscription_id in enumerate(subscription_ids):
        builder.subscription(subscription_id, f"northwind-{number + 1:02}", tenant_id)
    groups = shape.vnets // VNETS_IN_GROUP
    hubs: list[Vnet] = []
    numbers = count()
    for group in range(groups):
        vnets = _group(builder, group, subscription_ids[group * shape.subscriptions // groups])
        hubs.append(vnets[0])
        _machines(builder, group, vnets, shape.nics // groups, shape.tap_configurations // groups, numbers)
        builder.flush()
    pairs = shape.peerings // 2 - groups * (VNETS_IN_GROUP - 1)
    for number, (one, other) in enumerate(islice(_hub_pairs(groups), pairs)):
        builder.peer(hubs[one], hubs[other], state="Disconnected" if number % 97 == 96 else "Connected")
    return builder.finish()


def _hub_pairs(hubs: int) -> list[tuple[int, int]]:
    """Every two hubs, the nearest first."""
    return [(one, one + distance) for distance in range(1, hubs) for one in range(hubs - distance)]


def _group(builder: Builder, group: int, subscription_id: str) -> list[Vnet]:
    """A hub and its spokes, peered with it; every 41st spoke's peering is broken on one side."""
    region = REGIONS[group % len(REGIONS)]
    vnets: list[Vnet] = []
    for place in range(VNETS_IN_GROUP):
        number = group * VNETS_IN_GROUP + place
        name = f"hub-{group + 1:03}" if place == 0 else f"spoke-{group + 1:03}-{WORDS[place - 1]}"
        second, third = number // 4, number % 4 * 64
        subnets = [(f"snet-{subnet}", f"10.{second}.{third + at * 16}.0/20") for at, subnet in enumerate(SUBNETS)]
        resource_group = f"rg-{name}"
        tags: Json = {"owner": OWNERS[number % len(OWNERS)], "env": "prod" if number % 3 else "test"}
        nsg = documents.resource_id(subscription_id, resource_group, Kind.NETWORK_SECURITY_GROUPS, f"nsg-{name}")
        builder.keep(Kind.NETWORK_SECURITY_GROUPS, documents.network_security_group(nsg, region, [("in", 100, "Allow", "*", "10.0.0.0/8", "*")]))
        vnet = builder.vnet(subscription_id, resource_group, name, region, [f"10.{second}.{third}.0/18"], subnets, security_group=nsg, tags=tags)
        if place:
            builder.peer(vnets[0], vnet, state="Disconnected" if number % 41 == 40 else "Connected")
        vnets.append(vnet)
    return vnets


def _machines(builder: Builder, group: int, vnets: list[Vnet], nics: int, mirrors: int, numbers: "count[int]") -> None:
    """`nics` NICs in a group: three collectors in the hub, the rest in hub and spokes by turns of uneven length; exactly `mirrors` mirrored."""
    hub = vnets[0]
    pair = documents.resource_id(hub.subscription_id, hub.group, Kind.AVAILABILITY_SETS, f"avset-collector-{group + 1:03}")
    collector = {"size": "Standard_F8s_v2", "availability_set_id": pair}
    members = [builder.nic(hub, "snet-edge", f"col-{group + 1:03}-{number}", vm=collector) for number in (1, 2)]
    vm_ids = [member.replace("Microsoft.Network/networkInterfaces", "Microsoft.Compute/virtualMachines") for member in members]
    builder.keep(Kind.AVAILABILITY_SETS, documents.availability_set(pair, hub.location, vm_ids))
    balancer = builder.load_balancer(
        hub,
        "snet-edge",
        f"ilb-collector-{group + 1:03}",
        hub.address("snet-edge"),
        [f"{member}/ipConfigurations/ipconfig1" for member in members],
        protocol="Udp",
        port=documents.VXLAN_PORT,
    )
    packetlog = builder.nic(hub, "snet-edge", f"nic-packetlog-{group + 1:03}", vm={"size": "Standard_L8s_v3"})
    taps = [
        builder.tap(hub, f"tap-ilb-{group + 1:03}", frontend_id=f"{balancer}/frontendIPConfigurations/frontend"),
        builder.tap(hub, f"tap-packetlog-{group + 1:03}", ip_configuration_id=f"{packetlog}/ipConfigurations/ipconfig1"),
    ]
    # Spokes differ in size: of every 55 NICs the first spoke gets 10, the next 9 … the last 2, the hub 1.
    turns = [vnets[1 + place % 9] if place < 9 else vnets[place % 10] for place in range(9)]
    order = [vnet for round_ in range(9) for vnet in turns[: 9 - round_]] + [hub]
    step, left = (nics - 3) // mirrors, mirrors
    for place in range(nics - 3):
        number, vnet = next(numbers), order[place % len(order)]
        nic_id, is_source = _nic(builder, vnet, number, is_plain=place % step == 0)
        if is_source and left and place % step == 0:
            builder.mirror(nic_id, taps[left % 2])
            left -= 1


def _nic(builder: Builder, vnet: Vnet, number: int, *, is_plain: bool) -> tuple[str, bool]:
    """One NIC with the oddity of its number, if it is not to be plain. Returns its id and whether a VM carries it."""
    subnet = SUBNETS[number % len(SUBNETS)]
    name = f"{vnet.name.rsplit('-', 1)[1] if vnet.name.startswith('spoke') else 'hub'}-{subnet}-{number + 1:05}"
    is_endpoint, is_spare = not is_plain and number % 100 == 37, not is_plain and number % 40 == 13
    nic: Json = {}
    if is_endpoint:
        nic["private_endpoint_id"] = (
            f"/subscriptions/{vnet.subscription_id}/resourceGroups/{vnet.group}/providers/Microsoft.Network/privateEndpoints/{name}"
        )
    elif not is_plain and number % 211 == 17:
        nic["provisioning_state"] = ("Updating", "Failed", "Migrating")[number % 3]
    is_attached = not (is_endpoint or is_spare)
    nic_id = builder.nic(
        vnet,
        f"snet-{subnet}",
        name,
        is_attached=is_attached,
        power_state="deallocated" if number % 53 == 7 else "running",
        extra_addresses=1 if not is_plain and number % 50 == 21 else 0,
        ipv6_address=f"fd00::{number:x}" if not is_plain and number % 61 == 5 else "",
        is_shouted=number % 25 == 3,
        nic=nic,
        vm={"size": SIZES[number % len(SIZES)], "zone": str(number % 3 + 1)},
        tags={"owner": OWNERS[number % len(OWNERS)]} if number % 4 == 0 else None,
    )
    return nic_id, is_attached
