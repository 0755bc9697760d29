"""Estate S, "Contoso": the story the product is shown with. Everything here is invented.

    uksouth                                                              germanywestcentral
    spoke-crm ----------+   hub-uks                    +---- spoke-data     spoke-gwc
    spoke-payments -----+== ilb-collector-uks (2 VMs)  |                      |
    spoke-iot --(hub's  |   nic-packetlog-01           +---- spoke-vault      | global peering
     side Disconnected)-+   nic-ndr-01 (no agent)      |                      |
                        |   dc-01, dc-02, jump, dns ---+----------------------+
    spoke-dmz -- spoke-crm (two hops)                  +-- corp-shared-uks (unreadable), fabrikam-uks (another tenant)

One NIC stands for each rule that refuses, and its name says which.
"""

from typing import Any

from vtapweb.simulator import authorization, documents
from vtapweb.simulator.builder import Builder, Vnet
from vtapweb.simulator.documents import Json, Kind
from vtapweb.simulator.estate import Estate

UKS, GWC = "uksouth", "germanywestcentral"
CONTOSO_TENANT, FABRIKAM_TENANT = documents.guid("tenant contoso"), documents.guid("tenant fabrikam")
PROD, SPOKES = documents.guid("subscription contoso-prod"), documents.guid("subscription contoso-spokes")
SHARED, FABRIKAM = documents.guid("subscription corp-shared"), documents.guid("subscription fabrikam-lab")
PARTNER = documents.guid("subscription of a partner, never listed")

NETWORKS: Json = {"owner": "Zoë O'Brien", "team": "network", "cost-center": "4711"}
SOC: Json = {"owner": "Łukasz Żak", "team": "security operations", "purpose": "packet capture"}
CRM: Json = {"owner": "Jürgen Weiß", "team": "CRM", "env": "prod"}
PAYMENTS: Json = {"owner": "Adaeze Okafor", "team": "payments", "env": "prod", "pci": "yes"}
DATA: Json = {"owner": "田中 花子", "team": "data platform", "env": "prod"}
IOT: Json = {"owner": "Søren Ångström", "team": "IoT · Werk Köln", "env": "prod"}
IDENTITY: Json = {"owner": "Priya Raman", "team": "identity", "criticality": "high ⚠"}


def build() -> Estate:
    """The same estate at every call, to the byte."""
    builder = Builder(Estate("S", tenants={CONTOSO_TENANT: "Contoso", FABRIKAM_TENANT: "Fabrikam"}))
    builder.subscription(PROD, "contoso-prod", CONTOSO_TENANT, tags={"owner": "Zoë O'Brien"})
    builder.subscription(SPOKES, "contoso-spokes", CONTOSO_TENANT)
    builder.subscription(SHARED, "corp-shared", CONTOSO_TENANT)
    builder.subscription(FABRIKAM, "fabrikam-lab", FABRIKAM_TENANT, feature="NotRegistered")
    builder.estate.denied.add((SHARED, "*"))
    hub, taps = _hub(builder)
    crm, payments, data = _spokes(builder, hub)
    _mirrors(builder, taps)
    _other_places(builder, hub, crm, data)
    _refused(builder, crm, payments, data, taps)
    _closed_appliance(builder, hub)
    return builder.finish()


def nic_id(group: str, name: str, subscription_id: str = SPOKES) -> str:
    return documents.resource_id(subscription_id, group, Kind.NETWORK_INTERFACES, name)


def _hub(builder: Builder) -> tuple[Vnet, dict[str, str]]:
    group = documents.resource_id(PROD, "rg-hub-uks", Kind.NETWORK_SECURITY_GROUPS, "nsg-collector")
    rules = (("allow-vxlan", 100, "Allow", "Udp", "10.0.0.0/8", "4789"), ("deny-the-rest", 4000, "Deny", "*", "*", "*"))
    builder.keep(Kind.NETWORK_SECURITY_GROUPS, documents.network_security_group(group, UKS, rules, tags=SOC))
    subnets = (
        ("snet-collector", "10.0.1.0/24"),
        ("snet-mgmt", "10.0.2.0/24"),
        ("snet-identity", "10.0.4.0/24"),
        ("GatewaySubnet", "10.0.255.0/27"),
    )
    hub = builder.vnet(PROD, "rg-hub-uks", "hub-uks", UKS, ["10.0.0.0/16"], subnets, tags=NETWORKS)
    collector: dict[str, Any] = {
        "size": "Standard_F8s_v2",
        "image": ("contoso-sensors", "packet-sensor", "byol"),
        "plan": ("contoso-sensors", "packet-sensor", "byol"),
    }
    members = [
        builder.nic(
            hub,
            "snet-collector",
            f"nic-collector-0{number}",
            address=f"10.0.1.1{number}",
            vm={**collector, "zone": str(number)},
            nic={"security_group_id": group},
            tags=SOC,
        )
        for number in (1, 2)
    ]
    balancer = builder.load_balancer(
        hub,
        "snet-collector",
        "ilb-collector-uks",
        "10.0.1.4",
        [f"{member}/ipConfigurations/ipconfig1" for member in members],
        protocol="Udp",
        port=documents.VXLAN_PORT,
        tags=SOC,
    )
    packetlog = builder.nic(
        hub, "snet-collector", "nic-packetlog-01", address="10.0.1.9", vm={"size": "Standard_L8s_v3"}, nic={"security_group_id": group}, tags=SOC
    )
    builder.nic(
        hub, "snet-collector", "nic-packetlog-02", address="10.0.1.10", vm={"size": "Standard_L8s_v3"}, nic={"security_group_id": group}, tags=SOC
    )  # a collector that no TAP leads to yet
    builder.nic(hub, "snet-mgmt", "jump-01", extra_addresses=1, tags=NETWORKS)
    builder.nic(hub, "snet-mgmt", "dns-01", is_shouted=True, tags=NETWORKS)
    pair = documents.resource_id(PROD, "rg-identity", Kind.AVAILABILITY_SETS, "avset-dc")
    windows: dict[str, Any] = {
        "size": "Standard_D2s_v5",
        "image": ("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-azure-edition"),
        "availability_set_id": pair,
    }
    controllers = [builder.nic(hub, "snet-identity", name, group="rg-identity", vm=windows, tags=IDENTITY) for name in ("dc-01", "dc-02")]
    vm_ids = [controller.replace("Microsoft.Network/networkInterfaces", "Microsoft.Compute/virtualMachines") for controller in controllers]
    builder.keep(Kind.AVAILABILITY_SETS, documents.availability_set(pair, UKS, vm_ids, tags=IDENTITY))

    gone = documents.resource_id(PROD, "rg-hub-uks", Kind.NETWORK_INTERFACES, "nic-packetlog-00")
    return hub, {
        "ilb": builder.tap(hub, "tap-ilb-uks", frontend_id=f"{balancer}/frontendIPConfigurations/frontend", tags=SOC),
        "packetlog": builder.tap(hub, "tap-packetlog-uks", ip_configuration_id=f"{packetlog}/ipConfigurations/ipconfig1", tags=SOC),
        "gone": builder.tap(hub, "tap-destination-gone", ip_configuration_id=f"{gone}/ipConfigurations/ipconfig1"),
    }


def _spokes(builder: Builder, hub: Vnet) -> tuple[Vnet, Vnet, Vnet]:
    """The four spokes of the picture, peered with the hub; spoke-iot's peering is Disconnected on the hub's side.

    Returns those that more is built in: crm, payments, data.
    """

    def spoke(name: str, number: int, subnets: dict[str, tuple[str, int]], tags: Json) -> Vnet:
        prefix = f"10.{number}"
        named = [(subnet, f"{prefix}.{place + 1}.0/24") for place, subnet in enumerate(subnets)]
        nsg = documents.resource_id(SPOKES, f"rg-{name}", Kind.NETWORK_SECURITY_GROUPS, f"nsg-{name}")
        builder.keep(
            Kind.NETWORK_SECURITY_GROUPS,
            documents.network_security_group(nsg, UKS, [("allow-hub", 100, "Allow", "*", "10.0.0.0/16", "*")], tags=tags),
        )
        vnet = builder.vnet(SPOKES, f"rg-{name}", f"spoke-{name}", UKS, [f"{prefix}.0.0/16"], named, security_group=nsg, tags=tags)
        for subnet, (stem, count) in subnets.items():
            for place in range(1, count + 1):
                nic_name = f"{stem}-{place:02}"
                nic = {"hsm-02": {"provisioning_state": "Failed"}, "spk-04": {"provisioning_state": "Migrating"}}.get(nic_name)
                power = "deallocated" if nic_name == "ing-05" else "running"
                size = {"sql": "Standard_E8s_v5", "hsm": "Standard_DC2s_v3", "spk": "Standard_E16s_v5"}.get(stem, "Standard_D4s_v5")
                builder.nic(
                    vnet,
                    subnet,
                    nic_name,
                    is_shouted=place == 3,
                    extra_addresses=2 if nic_name == "api-04" else 0,
                    power_state=power,
                    nic=nic,
                    vm={"size": size},
                    tags=tags,
                )
        builder.peer(hub, vnet, state="Disconnected" if name == "iot" else "Connected")
        return vnet

    crm = spoke("crm", 1, {"snet-web": ("web", 6), "snet-db": ("sql", 3)}, CRM)
    payments = spoke("payments", 2, {"snet-api": ("api", 4), "snet-vault": ("hsm", 2)}, PAYMENTS)
    data = spoke("data", 3, {"snet-ingest": ("ing", 5), "snet-spark": ("spk", 4)}, DATA)
    spoke("iot", 4, {"snet-gw": ("mq", 3), "snet-edge": ("edg", 3)}, IOT)
    return crm, payments, data


def _mirrors(builder: Builder, taps: dict[str, str]) -> None:
    sources = {
        ("rg-crm", "ilb"): ("web-02", "web-05", "sql-01"),
        ("rg-crm", "packetlog"): ("web-01",),
        ("rg-payments", "packetlog"): ("api-01", "api-02", "hsm-01"),
        ("rg-data", "ilb"): ("ing-01", "ing-02", "ing-03", "spk-01"),
        ("rg-iot", "ilb"): ("mq-01",),
        ("rg-iot", "packetlog"): ("edg-02",),
    }
    for (group, tap), names in sources.items():
        for name in names:
            builder.mirror(nic_id(group, name), taps[tap])


def _other_places(builder: Builder, hub: Vnet, crm: Vnet, data: Vnet) -> None:
    """What lies beyond the hub and its spokes: another region, another tenant, what cannot be read, what is two hops away."""
    gwc = builder.vnet(SPOKES, "rg-gwc", "spoke-gwc", GWC, ["10.20.0.0/16"], [("snet-app", "10.20.1.0/24")], tags=CRM)
    builder.peer(hub, gwc)
    builder.nic(gwc, "snet-app", "gwc-01-other-region", tags=CRM)
    builder.nic(gwc, "snet-app", "gwc-02-other-region", tags=CRM)

    dmz = builder.vnet(SPOKES, "rg-crm", "spoke-dmz", UKS, ["10.6.0.0/16"], [("snet-dmz", "10.6.1.0/24")], tags=CRM)
    builder.peer(crm, dmz)
    builder.nic(dmz, "snet-dmz", "dmz-01-two-hops", tags=CRM)

    trial = builder.vnet(SPOKES, "rg-trial", "spoke-trial", UKS, ["10.7.0.0/16"], [("snet-trial", "10.7.1.0/24")])
    builder.peer(trial, hub, state="Initiated", other_state="")
    builder.nic(trial, "snet-trial", "try-01-peering-initiated")

    vault = builder.vnet(SPOKES, "rg-vault", "spoke-vault", UKS, ["10.5.0.0/16"], [("snet-keys", "10.5.1.0/24")], is_encrypted=True, tags=PAYMENTS)
    builder.peer(hub, vault)
    builder.nic(vault, "snet-keys", "key-01-encrypted-vnet", tags=PAYMENTS)

    shared = builder.vnet(SHARED, "rg-shared", "corp-shared-uks", UKS, ["10.30.0.0/16"], [("snet-shared", "10.30.1.0/24")])
    builder.peer(hub, shared)
    builder.nic(shared, "snet-shared", "files-01")
    sensor = builder.nic(shared, "snet-shared", "nic-audit-sensor")
    builder.tap(hub, "tap-corp-audit", ip_configuration_id=f"{sensor}/ipConfigurations/ipconfig1", tags={"owner": "audit"})

    fabrikam = builder.vnet(FABRIKAM, "rg-lab", "fabrikam-uks", UKS, ["10.40.0.0/16"], [("snet-lab", "10.40.1.0/24")])
    builder.peer(hub, fabrikam)
    builder.nic(fabrikam, "snet-lab", "fab-01-other-tenant", tags={"owner": "Fabrikam · Маша"})

    partner_id = documents.resource_id(PARTNER, "rg-exchange", Kind.VIRTUAL_NETWORKS, "partner-exchange")
    side = documents.peering(data.arm_id, "to-partner-exchange", partner_id, ["172.20.0.0/16"])
    data.document["properties"]["virtualNetworkPeerings"].append(side)


def _refused(builder: Builder, crm: Vnet, payments: Vnet, data: Vnet, taps: dict[str, str]) -> None:
    """One NIC for each rule that refuses and that the places above do not show yet."""
    spare = builder.nic(crm, "snet-db", "sql-spare-unattached", is_attached=False, nic={"is_accelerated": False})
    builder.interfaces[spare]["tags"] = None  # Azure prints null where tags were once set and removed

    crm.document["properties"]["addressSpace"]["addressPrefixes"].append("fd10:1::/48")
    web = crm.document["properties"]["subnets"][0]["properties"]
    web["addressPrefixes"] = [web.pop("addressPrefix"), "fd10:1:0:1::/64"]
    builder.nic(crm, "snet-web", "web-07-ipv6", ipv6_address="fd10:1:0:1::7", tags=CRM)

    basic = builder.nic(crm, "snet-web", "web-08-basic-lb", tags=CRM)
    builder.load_balancer(crm, "snet-web", "lb-web-basic", "10.1.1.200", [f"{basic}/ipConfigurations/ipconfig1"], sku="Basic", tags=CRM)
    floating = builder.nic(crm, "snet-db", "sql-04-floating-ip", vm={"size": "Standard_E8s_v5"}, tags=CRM)
    builder.load_balancer(
        crm, "snet-db", "ilb-sql-listener", "10.1.2.200", [f"{floating}/ipConfigurations/ipconfig1"], port=1433, is_floating_ip=True, tags=CRM
    )
    endpoint = crm.arm_id.replace("virtualNetworks/spoke-crm", "privateEndpoints/pe-crm-files")
    builder.nic(crm, "snet-db", "pe-crm-files.private-endpoint", is_attached=False, nic={"private_endpoint_id": endpoint, "is_accelerated": False})
    service = payments.arm_id.replace("virtualNetworks/spoke-payments", "privateLinkServices/pls-cards")
    builder.nic(payments, "snet-api", "pls-cards.private-link", is_attached=False, nic={"private_link_service_id": service, "is_accelerated": False})

    mirrored = builder.nic(payments, "snet-api", "api-05-already-mirrored", tags=PAYMENTS)
    builder.mirror(mirrored, taps["packetlog"])
    orphan = builder.nic(payments, "snet-api", "api-06-tap-gone", tags=PAYMENTS)
    builder.mirror(orphan, taps["gone"])
    builder.nic(data, "snet-spark", "spk-05-v6-size", vm={"size": "Standard_E16s_v6"}, tags=DATA)
    builder.nic(data, "snet-spark", "rep-01-read-only-for-us", group="rg-reports", tags=DATA)
    builder.estate.readers.add(documents.resource_group_id(SPOKES, "rg-reports").lower())
    locked = builder.nic(crm, "snet-db", "sql-05-locked", vm={"size": "Standard_E8s_v5"}, tags=CRM)
    lock = authorization.lock_document(locked, "year-end-audit", authorization.READ_ONLY, "Nothing changes before the audit: ask Jürgen Weiß.")
    builder.estate.locks[lock["id"].lower()] = lock
    for vnet, subnet, tags in ((payments, "snet-api", PAYMENTS), (data, "snet-ingest", DATA)):
        builder.nic(vnet, subnet, "backup-01", tags=tags)  # two of one name: only an id tells them apart
    builder.interfaces[nic_id("rg-data", "spk-02")]["properties"]["workloadType"] = None  # a field that is there and empty
    builder.interfaces[nic_id("rg-data", "spk-02")]["properties"]["futureProperty"] = {"isNew": True}  # and one that nobody knows yet
    _scale_set(builder, crm)


def _closed_appliance(builder: Builder, hub: Vnet) -> None:
    """A partner's sensor that takes no agent, as its tag tells the simulator: only Azure Monitor sees what it receives."""
    sensor = builder.nic(
        hub,
        "snet-collector",
        "nic-ndr-01",
        address="10.0.1.20",
        vm={"size": "Standard_D8s_v5", "image": ("northsea-ndr", "sensor", "byol"), "plan": ("northsea-ndr", "sensor", "byol")},
        nic={"security_group_id": documents.resource_id(PROD, "rg-hub-uks", Kind.NETWORK_SECURITY_GROUPS, "nsg-collector")},
        tags=SOC | {"agent": "none", "purpose": "closed appliance"},
    )
    tap = builder.tap(hub, "tap-ndr-uks", ip_configuration_id=f"{sensor}/ipConfigurations/ipconfig1", tags=SOC)
    for name in ("ing-04", "spk-03"):
        builder.mirror(nic_id("rg-data", name), tap)


def _scale_set(builder: Builder, crm: Vnet) -> None:
    """Workers behind a load balancer: their NICs are in no subscription-wide list, only in their scale set's."""
    scale_set_id = documents.resource_id(SPOKES, "rg-crm", Kind.SCALE_SETS, "vmss-crm-workers")
    builder.keep(Kind.SCALE_SETS, documents.scale_set(scale_set_id, UKS, 3, tags=CRM))
    pool_id = documents.resource_id(SPOKES, "rg-crm", Kind.LOAD_BALANCERS, "ilb-crm-workers") + "/backendAddressPools/pool"
    members = []
    for instance in range(3):
        builder.next_mac += 1
        mac, address = documents.mac_address(builder.next_mac), f"10.1.1.10{instance}"
        nic = documents.scale_set_interface(scale_set_id, instance, "nic-worker", address, crm.subnets["snet-web"], mac, pool_ids=[pool_id])
        builder.keep(Kind.SCALE_SET_INTERFACES, nic)
        members.append(f"{nic['id']}/ipConfigurations/ipconfig1")
    builder.load_balancer(crm, "snet-web", "ilb-crm-workers", "10.1.1.201", members, port=8443, tags=CRM)
