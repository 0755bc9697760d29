"""Estates as documents, made by hand (S) or by number (any size), for tests, vectors and benchmarks. No randomness without a seed."""

from random import Random

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.graph import (
    AddressDoc,
    Documents,
    FrontendDoc,
    MirrorDoc,
    NicDoc,
    PeeringDoc,
    SubnetDoc,
    TapDoc,
    VnetDoc,
)
from vtapweb.domain.topology import SubscriptionRow

PLATFORM = "00000000-0000-4000-8000-000000000001"
APPS = "00000000-0000-4000-8000-000000000002"
SHARED = "00000000-0000-4000-8000-000000000009"  # nobody may read it


def arm(subscription_id: str, group: str, kind: str, name: str, *rest: str) -> str:
    tail = "".join(f"/{part}" for part in rest)
    return f"/subscriptions/{subscription_id}/resourceGroups/{group}/providers/Microsoft.Network/{kind}/{name}{tail}"


def vnet_id(subscription_id: str, name: str) -> str:
    return arm(subscription_id, "rg-net", "virtualNetworks", name)


def subnet_id(subscription_id: str, vnet: str, name: str) -> str:
    return arm(subscription_id, "rg-net", "virtualNetworks", vnet, "subnets", name)


def nic_id(subscription_id: str, name: str) -> str:
    return arm(subscription_id, "rg-app", "networkInterfaces", name)


class EstateBuilder:
    """Adds documents by name; everything is found again by the ARM ids the functions above make."""

    def __init__(self) -> None:
        self.subscriptions: list[SubscriptionRow] = []
        self.vnets: list[VnetDoc] = []
        self.subnets: list[SubnetDoc] = []
        self.peerings: list[PeeringDoc] = []
        self.nics: list[NicDoc] = []
        self.taps: list[TapDoc] = []
        self.mirrors: list[MirrorDoc] = []
        self.addresses: dict[str, AddressDoc] = {}
        self.frontends: dict[str, FrontendDoc] = {}

    def vnet(self, subscription_id: str, name: str, region: str, prefix: str, subnets: dict[str, list[str]]) -> None:
        self.vnets.append(VnetDoc(arm_key(vnet_id(subscription_id, name)), name, subscription_id, region, prefix))
        for number, (subnet, nics) in enumerate(subnets.items()):
            self.subnets.append(
                SubnetDoc(
                    arm_key(subnet_id(subscription_id, name, subnet)),
                    arm_key(vnet_id(subscription_id, name)),
                    subnet,
                    f"{prefix.rsplit('.', 2)[0]}.{number}.0/24",
                )
            )
            for nic in nics:
                self.nic(subscription_id, nic, region, subnet_id(subscription_id, name, subnet))

    def nic(self, subscription_id: str, name: str, region: str, subnet: str, **changed: bool) -> None:
        told = {"has_vm": True, "is_vm_stopped": False, "is_private_endpoint": False, "is_succeeded": True} | changed
        self.nics.append(NicDoc(arm_key(nic_id(subscription_id, name)), name, subscription_id, region, subnet, arm_key(subnet), **told))

    def peer(self, a: str, b: str, a_state: str = "Connected", b_state: str = "Connected") -> None:
        """Two VNets by ARM id; an empty state means that this side has no peering."""
        for here, there, state in ((a, b, a_state), (b, a, b_state)):
            if state:
                self.peerings.append(PeeringDoc(arm_key(here), there, arm_key(there), state, "FullyInSync", ""))

    def address(self, subscription_id: str, nic: str, address: str) -> str:
        """Key of a NIC's ipConfiguration."""
        key = arm_key(nic_id(subscription_id, nic) + "/ipConfigurations/ipconfig1")
        doc = next(doc for doc in self.nics if doc.key == arm_key(nic_id(subscription_id, nic)))
        self.addresses[key] = AddressDoc(doc.key, doc.subnet_key, address)
        return key

    def tap(self, subscription_id: str, name: str, region: str, destination_id: str) -> str:
        tap_id = arm(subscription_id, "rg-tap", "virtualNetworkTaps", name)
        self.taps.append(TapDoc(arm_key(tap_id), subscription_id, region, destination_id, arm_key(destination_id) if destination_id else ""))
        return tap_id

    def mirror(self, subscription_id: str, nic: str, tap_id: str, state: str = "Succeeded") -> None:
        key = arm_key(nic_id(subscription_id, nic) + "/tapConfigurations/tap1")
        self.mirrors.append(MirrorDoc(key, arm_key(nic_id(subscription_id, nic)), tap_id, arm_key(tap_id), state))

    def documents(self) -> Documents:
        return Documents(
            subscriptions=tuple(sorted(self.subscriptions)), vnets=tuple(self.vnets), subnets=tuple(self.subnets), peerings=tuple(self.peerings),
            nics=tuple(self.nics), taps=tuple(self.taps), mirrors=tuple(self.mirrors), addresses=self.addresses, frontends=self.frontends,
            complete=frozenset(row.id for row in self.subscriptions),
        )  # fmt: skip


def story() -> EstateBuilder:
    """A hub with two collectors, four spokes, one of them broken, a pair, a ghost, and an island in another region.

    [spoke-crm]  ==\\                     /== [spoke-data]
                    == [hub-uks: ilb, nic] ==            - - (corp-shared)
    [spoke-payments]/                     \\=x= [spoke-iot]          [vnet-branch]  (germanywestcentral, not peered)
    """
    estate = EstateBuilder()
    estate.subscriptions = [SubscriptionRow(PLATFORM, "Contoso Platform", 0), SubscriptionRow(APPS, "Contoso Apps", 0)]
    estate.vnet(
        PLATFORM, "hub-uks", "uksouth", "10.0.0.0/16",
        {"GatewaySubnet": [], "snet-collector": ["nic-collector-a", "nic-collector-b", "nic-packetlog-01"], "snet-mgmt": ["dc-01", "dc-02"]},
    )  # fmt: skip
    spokes = {
        "spoke-crm": {"snet-db": ["sql-01", "sql-02", "sql-03"], "snet-web": [f"web-0{n}" for n in range(1, 7)]},
        "spoke-data": {"snet-ingest": [f"ing-0{n}" for n in range(1, 6)], "snet-spark": [f"spk-0{n}" for n in range(1, 5)]},
        "spoke-iot": {"snet-edge": ["edg-01", "edg-02", "edg-03"], "snet-gw": ["mq-01", "mq-02", "mq-03"]},
        "spoke-payments": {"snet-api": [f"api-0{n}" for n in range(1, 5)], "snet-vault": ["hsm-01", "hsm-02"]},
    }
    for number, (name, subnets) in enumerate(spokes.items(), start=1):
        estate.vnet(APPS, name, "uksouth", f"10.{number}.0.0/16", subnets)
        hub_side = "Disconnected" if name == "spoke-iot" else "Connected"
        estate.peer(vnet_id(PLATFORM, "hub-uks"), vnet_id(APPS, name), hub_side, "Connected")
    estate.vnet(APPS, "vnet-branch", "germanywestcentral", "10.20.0.0/16", {"snet-pos": ["pos-01", "pos-02"], "snet-wifi": ["ap-01"]})
    estate.peer(vnet_id(PLATFORM, "hub-uks"), vnet_id(SHARED, "corp-shared"), "Connected", "")
    members = [estate.address(PLATFORM, f"nic-collector-{one}", f"10.0.1.{number}") for number, one in enumerate("ab", start=5)]
    frontend_id = arm(PLATFORM, "rg-tap", "loadBalancers", "ilb-collector-uks", "frontendIPConfigurations", "front")
    collector_subnet = arm_key(subnet_id(PLATFORM, "hub-uks", "snet-collector"))
    estate.frontends[arm_key(frontend_id)] = FrontendDoc("ilb-collector-uks", collector_subnet, "10.0.1.4", tuple(members))
    estate.address(PLATFORM, "nic-packetlog-01", "10.0.1.9")
    to_ilb = estate.tap(PLATFORM, "tap-ilb", "uksouth", frontend_id)
    to_log = estate.tap(PLATFORM, "tap-packetlog", "uksouth", nic_id(PLATFORM, "nic-packetlog-01") + "/ipConfigurations/ipconfig1")
    for nic in ("web-01", "web-02", "web-05", "sql-01", "ing-01", "ing-02", "ing-03", "spk-01", "hsm-01"):
        estate.mirror(APPS, nic, to_ilb)
    for nic in ("api-01", "api-02", "mq-01"):
        estate.mirror(APPS, nic, to_log)
    estate.mirror(APPS, "edg-02", to_log, "Updating")
    subnet = subnet_id(APPS, "spoke-payments", "snet-vault")
    estate.nic(APPS, "pe-vault", "uksouth", subnet, has_vm=False, is_private_endpoint=True)
    estate.nic(APPS, "api-old", "uksouth", subnet_id(APPS, "spoke-payments", "snet-api"), has_vm=False)
    return estate


def numbered(vnet_count: int, nic_count: int, mirror_count: int, hub_count: int, region_count: int, seed: int = 7) -> EstateBuilder:
    """An estate of that size: hubs with two collectors each, spokes of very different sizes, some peerings between spokes."""
    random = Random(seed)  # noqa: S311 - an estate is no secret
    regions = ["uksouth", "germanywestcentral", "eastus", "centralus", "eastasia", "centralindia", "westcentralus", "australiaeast"][:region_count]
    estate = EstateBuilder()
    subscription_ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(1, max(2, vnet_count // 50) + 1)]
    estate.subscriptions = [SubscriptionRow(one, f"Subscription {number}", 0) for number, one in enumerate(subscription_ids, start=1)]
    weights = [min(random.paretovariate(1.6), 12) for _ in range(vnet_count)]
    shares = [max(2, int(nic_count * weight / sum(weights))) for weight in weights]
    while sum(shares) < nic_count:
        shares[random.randrange(vnet_count)] += 1
    while sum(shares) > nic_count:
        largest = max(range(vnet_count), key=shares.__getitem__)
        shares[largest] -= 1
    words = ["pay", "crm", "web", "erp", "data", "iot", "auth", "mail", "ops", "ml", "edge", "dmz", "api", "bi", "dev"]
    ids: list[str] = []
    number = 0
    for index, share in enumerate(shares):
        subscription_id = subscription_ids[index % len(subscription_ids)]
        hub = index if index < hub_count else (index - hub_count) % hub_count
        region = regions[hub % region_count]
        name = f"hub-{region}-{index:04d}" if index < hub_count else f"{random.choice(words)}-{region}-{index:04d}"
        subnets: dict[str, list[str]] = {f"snet-{part}": [] for part in words[: max(1, min(6, 1 + share // 25 + random.randrange(2)))]}
        for _ in range(share):
            number += 1
            random.choice(list(subnets.values())).append(f"nic-{name.split('-')[0]}-{number:05d}")
        estate.vnet(subscription_id, name, region, f"10.{index // 256}.{index % 256}.0/24", subnets)
        ids.append(vnet_id(subscription_id, name))
        if index >= hub_count:
            estate.peer(ids[hub], ids[-1])
    for _ in range(vnet_count):
        a, b = random.sample(ids, 2)
        estate.peer(a, b)
    taps = []
    by_vnet: dict[str, list[NicDoc]] = {}
    for doc in estate.nics:
        by_vnet.setdefault(doc.subnet_id.rpartition("/subnets/")[0], []).append(doc)
    for hub_id in ids[:hub_count]:
        for doc in by_vnet[hub_id][:2]:
            estate.address(doc.subscription_id, doc.name, "10.0.0.4")
            taps.append(
                estate.tap(doc.subscription_id, f"tap-{doc.name}", doc.region, nic_id(doc.subscription_id, doc.name) + "/ipConfigurations/ipconfig1")
            )
    for doc in random.sample(estate.nics, mirror_count):
        estate.mirror(doc.subscription_id, doc.name, random.choice(taps))
    return estate


SIZES = {"M": (100, 5_000, 500, 5, 3), "L": (1_000, 50_000, 5_000, 40, 8)}
