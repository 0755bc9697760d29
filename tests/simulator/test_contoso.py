"""Estate S: everything the story needs is there, and its names tell it.

spoke-crm, spoke-payments, spoke-data, spoke-vault ==> hub-uks <== spoke-gwc (global), corp-shared-uks, fabrikam-uks
spoke-iot -x- hub-uks (Disconnected on the hub's side)      spoke-dmz == spoke-crm      spoke-trial ..> hub-uks (Initiated)
"""

import json
from typing import Any

from tests.simulator.caller import make_caller
from vtapweb.simulator.contoso import CONTOSO_TENANT, FABRIKAM, FABRIKAM_TENANT, PROD, SHARED, SPOKES

READABLE = (PROD, SPOKES, FABRIKAM)


def _everything(kind: str) -> dict[str, Any]:
    azure = make_caller()
    provider = "compute" if kind in {"virtualMachines", "availabilitySets"} else "network"
    return {item["name"]: item for subscription_id in READABLE for item in getattr(azure, provider)(subscription_id, kind)}


def _peering(vnets: dict[str, Any], vnet: str, remote: str) -> str | None:
    for side in vnets[vnet]["properties"]["virtualNetworkPeerings"]:
        if side["properties"]["remoteVirtualNetwork"]["id"].endswith(f"/{remote}"):
            return str(side["properties"]["peeringState"])
    return None


def test_subscriptions_and_tenants() -> None:
    tenants = {item["displayName"]: item["tenantId"] for item in make_caller().items("/subscriptions")}
    assert tenants == {
        "contoso-prod": CONTOSO_TENANT,
        "contoso-spokes": CONTOSO_TENANT,
        "corp-shared": CONTOSO_TENANT,
        "fabrikam-lab": FABRIKAM_TENANT,
    }


def test_size_and_regions() -> None:
    azure = make_caller()
    nics = [nic for subscription_id in READABLE for nic in azure.network(subscription_id, "networkInterfaces")]
    assert len(nics) == 58
    assert {nic["location"] for nic in nics} == {"uksouth", "germanywestcentral"}


def test_vnets_and_their_peerings() -> None:
    vnets = _everything("virtualNetworks")
    prefixes = {name: vnet["properties"]["addressSpace"]["addressPrefixes"][0] for name, vnet in vnets.items()}
    assert prefixes["hub-uks"] == "10.0.0.0/16"
    assert [prefixes[f"spoke-{name}"] for name in ("crm", "payments", "data", "iot")] == [f"10.{number}.0.0/16" for number in (1, 2, 3, 4)]
    for name in ("spoke-crm", "spoke-payments", "spoke-data", "spoke-vault", "spoke-gwc", "fabrikam-uks"):
        assert (_peering(vnets, "hub-uks", name), _peering(vnets, name, "hub-uks")) == ("Connected", "Connected")
    assert (_peering(vnets, "hub-uks", "spoke-iot"), _peering(vnets, "spoke-iot", "hub-uks")) == ("Disconnected", "Connected")
    assert (_peering(vnets, "hub-uks", "spoke-trial"), _peering(vnets, "spoke-trial", "hub-uks")) == (None, "Initiated")
    assert (_peering(vnets, "spoke-crm", "spoke-dmz"), _peering(vnets, "hub-uks", "spoke-dmz")) == ("Connected", None)
    assert _peering(vnets, "hub-uks", "corp-shared-uks") == "Connected"
    assert "corp-shared-uks" not in vnets
    assert _peering(vnets, "spoke-data", "partner-exchange") == "Connected"
    assert vnets["spoke-gwc"]["location"] != vnets["hub-uks"]["location"]
    assert vnets["spoke-vault"]["properties"]["encryption"]["enabled"] is True


def test_collectors() -> None:
    balancer = _everything("loadBalancers")["ilb-collector-uks"]
    frontend = balancer["properties"]["frontendIPConfigurations"][0]["properties"]
    members = [member["id"].split("/")[8] for member in balancer["properties"]["backendAddressPools"][0]["properties"]["backendIPConfigurations"]]
    rule = balancer["properties"]["loadBalancingRules"][0]["properties"]
    assert frontend["privateIPAddress"] == "10.0.1.4"
    assert "publicIPAddress" not in frontend
    assert members == ["nic-collector-01", "nic-collector-02"]
    assert (rule["protocol"], rule["frontendPort"], rule["enableFloatingIP"]) == ("Udp", 4789, False)
    nics = _everything("networkInterfaces")
    for member in members:
        pools = nics[member]["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"]
        assert pools == [{"id": f"{balancer['id']}/backendAddressPools/pool"}]
    assert nics["nic-packetlog-01"]["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] == "10.0.1.9"
    assert nics["nic-ndr-01"]["tags"]["agent"] == "none", "a closed appliance"


def test_taps_and_mirrors_agree_from_both_ends() -> None:
    nics, taps = _everything("networkInterfaces"), _everything("virtualNetworkTaps")
    from_nics = {
        (child["id"], child["properties"]["virtualNetworkTap"]["id"]) for nic in nics.values() for child in nic["properties"]["tapConfigurations"]
    }
    from_taps = {(source["id"], tap["id"]) for tap in taps.values() for source in tap["properties"].get("networkInterfaceTapConfigurations", ())}
    assert from_nics == from_taps
    assert len(from_nics) == 17
    counts = {name: len(tap["properties"].get("networkInterfaceTapConfigurations", ())) for name, tap in taps.items()}
    assert counts == {"tap-ilb-uks": 8, "tap-packetlog-uks": 6, "tap-destination-gone": 1, "tap-corp-audit": 0, "tap-ndr-uks": 2}
    assert "resourceGuid" not in taps["tap-corp-audit"]["properties"]
    gone = taps["tap-destination-gone"]["properties"]["destinationNetworkInterfaceIPConfiguration"]["id"]
    assert make_caller().error(gone.partition("/ipConfigurations/")[0])[0] == 404
    assert SHARED in taps["tap-corp-audit"]["properties"]["destinationNetworkInterfaceIPConfiguration"]["id"]


def test_the_pair_stands_in_one_availability_set() -> None:
    pair = _everything("availabilitySets")["avset-dc"]
    machines = _everything("virtualMachines")
    assert {member["id"].lower() for member in pair["properties"]["virtualMachines"]} == {machines[name]["id"].lower() for name in ("dc-01", "dc-02")}
    assert {machines[name]["properties"]["availabilitySet"]["id"] for name in ("dc-01", "dc-02")} == {pair["id"]}


def test_one_nic_for_each_rule_that_refuses() -> None:
    nics = {name: nic["properties"] for name, nic in _everything("networkInterfaces").items()}
    machines, balancers = _everything("virtualMachines"), _everything("loadBalancers")

    def pool_owner(name: str) -> Any:
        pool_id = nics[name]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"][0]["id"]
        return balancers[pool_id.split("/")[8]]

    def vnet_of(name: str) -> str:
        return str(nics[name]["ipConfigurations"][0]["properties"]["subnet"]["id"].split("/")[8])

    assert "virtualMachine" not in nics["sql-spare-unattached"]
    assert "macAddress" not in nics["sql-spare-unattached"]
    assert vnet_of("dmz-01-two-hops") == "spoke-dmz"
    assert vnet_of("try-01-peering-initiated") == "spoke-trial"
    assert vnet_of("mq-02") == "spoke-iot"
    assert vnet_of("gwc-01-other-region") == "spoke-gwc"
    assert vnet_of("fab-01-other-tenant") == "fabrikam-uks"
    assert vnet_of("key-01-encrypted-vnet") == "spoke-vault"
    assert len(nics["api-05-already-mirrored"]["tapConfigurations"]) == 1
    assert [child["properties"]["privateIPAddressVersion"] for child in nics["web-07-ipv6"]["ipConfigurations"]] == ["IPv4", "IPv6"]
    assert pool_owner("web-08-basic-lb")["sku"]["name"] == "Basic"
    assert pool_owner("sql-04-floating-ip")["properties"]["loadBalancingRules"][0]["properties"]["enableFloatingIP"] is True
    assert nics["pe-crm-files.private-endpoint"]["privateEndpoint"]["id"]
    assert nics["pls-cards.private-link"]["privateLinkService"]["id"]
    assert machines["spk-05-v6-size"]["properties"]["hardwareProfile"]["vmSize"].endswith("_v6")


def test_what_an_operator_needs_for_his_walk_is_there() -> None:
    azure = make_caller()
    nics = _everything("networkInterfaces")
    taps = json.dumps(list(_everything("virtualNetworkTaps").values()))
    assert nics["nic-packetlog-02"]["id"] not in taps, "a collector that a TAP can be made for"
    assert len([nic for nic in azure.network(SPOKES, "networkInterfaces") if nic["name"] == "backup-01"]) == 2
    locks = azure.items(f"/subscriptions/{SPOKES}/providers/Microsoft.Authorization/locks")
    assert [(lock["id"].partition("/providers/Microsoft.Authorization")[0], lock["properties"]["level"]) for lock in locks] == [
        (nics["sql-05-locked"]["id"], "ReadOnly")
    ]
    assert azure.items(f"{nics['sql-05-locked']['id']}/providers/Microsoft.Authorization/locks") == locks
    assert azure.items(f"/subscriptions/{SPOKES}/resourceGroups/rg-data/providers/Microsoft.Authorization/locks") == []


def test_the_awkward_is_there() -> None:
    nics = _everything("networkInterfaces")
    text = json.dumps(list(nics.values()), ensure_ascii=False)
    assert len(nics["api-04"]["properties"]["ipConfigurations"]) == 3
    assert nics["spk-04"]["properties"]["provisioningState"] == "Migrating"
    assert nics["sql-spare-unattached"]["tags"] is None
    assert "futureProperty" in nics["spk-02"]["properties"]
    assert "/resourcegroups/RG-CRM/" in nics["web-03"]["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
    assert "田中 花子" in text
    assert all("owner" in nics[name]["tags"] for name in ("web-01", "api-01", "ing-01", "mq-01", "dc-01"))
