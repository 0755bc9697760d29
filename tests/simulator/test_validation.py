"""Each rule of the simulated network service by itself: it refuses what it is for, and no other rule does.

Every case takes one NIC that Azure would mirror, web-03 --> tap-packetlog-uks, and spoils exactly one thing about it.
"""

from collections.abc import Callable

import pytest

from tests.simulator.writer import CRM, HUB, PACKETLOG
from vtapweb.simulator import changes, contoso, documents
from vtapweb.simulator.documents import Json, Kind
from vtapweb.simulator.estate import Estate
from vtapweb.simulator.validation import CONFIGURATION_RULES, TAP_RULES, destination_of, refusals_of_configuration, refusals_of_tap

WEB = f"{CRM}/networkInterfaces/web-03"
SENSOR = f"{HUB}/networkInterfaces/nic-packetlog-01"
FRONTEND = f"{HUB}/loadBalancers/ilb-collector-uks/frontendIPConfigurations/frontend"


def _edit(estate: Estate, arm_id: str, edit: Callable[[Json], object]) -> None:
    held = estate.get(arm_id)
    assert held is not None
    document = held.json()
    edit(document)
    estate.replace(held, document)


def _spoil_region(estate: Estate) -> None:
    _edit(estate, PACKETLOG, lambda tap: tap.update(location="Germany West Central"))


def _spoil_destination(estate: Estate) -> None:
    changes.nic_remove(estate, SENSOR)


def _spoil_own_side(estate: Estate) -> None:
    changes.peering_set_state(estate, "spoke-crm", "to-hub-uks", "Disconnected")


def _spoil_other_side(estate: Estate) -> None:
    changes.peering_set_state(estate, "hub-uks", "to-spoke-crm", "Initiated")


def _spoil_owner(estate: Estate) -> None:
    _edit(estate, WEB, lambda nic: nic["properties"].update(privateEndpoint={"id": "/subscriptions/x"}))


def _spoil_version(estate: Estate) -> None:
    _edit(estate, WEB, lambda nic: nic["properties"]["ipConfigurations"][0]["properties"].update(privateIPAddressVersion="ipv6"))


def _spoil_vnet(estate: Estate) -> None:
    _edit(estate, f"{CRM}/virtualNetworks/spoke-crm", lambda vnet: vnet["properties"].update(encryption={"enabled": True}))


def _spoil_balancer(estate: Estate) -> None:
    _put_behind(estate, "lb-web-basic")


def _spoil_rule(estate: Estate) -> None:
    _put_behind(estate, "ilb-sql-listener")


def _spoil_by_another(estate: Estate) -> None:
    changes.tap_configuration_create(estate, WEB, "tap-ilb-uks", "elsewhere")


def _put_behind(estate: Estate, balancer: str) -> None:
    pool = {"id": f"{CRM}/loadBalancers/{balancer}/backendAddressPools/pool"}
    _edit(estate, WEB, lambda nic: nic["properties"]["ipConfigurations"][0]["properties"].update(loadBalancerBackendAddressPools=[pool]))


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (_spoil_region, "same-region"),
        (_spoil_destination, "dest-exists"),
        (_spoil_own_side, "reachable"),
        (_spoil_other_side, "reachable"),
        (_spoil_owner, "not-vm-nic"),
        (_spoil_version, "ipv4"),
        (_spoil_vnet, "vnet-encryption"),
        (_spoil_balancer, "basic-lb"),
        (_spoil_rule, "floating-ip"),
        (_spoil_by_another, "one-config-per-nic"),
    ],
)
def test_a_configuration_is_refused_by_the_rule_that_is_broken_and_no_other(spoil: Callable[[Estate], None], rule: str) -> None:
    estate = contoso.build()
    assert refusals_of_configuration(estate, WEB, PACKETLOG) == []
    spoil(estate)
    assert [refusal.rule for refusal in refusals_of_configuration(estate, WEB, PACKETLOG)] == [rule]


def test_the_configuration_that_is_written_again_is_not_a_second_one() -> None:
    estate = contoso.build()
    _spoil_by_another(estate)
    assert refusals_of_configuration(estate, WEB, PACKETLOG, name="ELSEWHERE") == []


def test_all_that_refuses_is_named() -> None:
    estate = contoso.build()
    _spoil_vnet(estate)
    _spoil_version(estate)
    _spoil_own_side(estate)
    found = refusals_of_configuration(estate, WEB, PACKETLOG)
    assert [refusal.rule for refusal in found] == ["reachable", "ipv4", "vnet-encryption"]
    assert all(refusal.message.endswith("(simulator)") for refusal in found)
    with pytest.raises(LookupError):
        refusals_of_configuration(estate, f"{WEB}x", PACKETLOG)
    assert len(CONFIGURATION_RULES) == 8
    assert len(TAP_RULES) == 4


def _tap(*, ip_configuration_id: str = "", frontend_id: str = "") -> Json:
    arm_id = f"{HUB}/virtualNetworkTaps/new"
    return documents.virtual_network_tap(arm_id, "uksouth", ip_configuration_id=ip_configuration_id, frontend_id=frontend_id)


def test_a_tap_leads_to_one_private_ipv4_destination_of_its_region() -> None:
    estate = contoso.build()
    sensor, frontend = _tap(ip_configuration_id=f"{SENSOR}/ipConfigurations/IPCONFIG1"), _tap(frontend_id=FRONTEND)
    assert refusals_of_tap(estate, sensor) == refusals_of_tap(estate, frontend) == []
    found = destination_of(estate, sensor)
    assert found is not None
    assert (found.owner.kind, found.vnet_id) == (Kind.NETWORK_INTERFACES, f"{HUB}/virtualNetworks/hub-uks".lower())

    def rules(tap: Json) -> list[str]:
        return [refusal.rule for refusal in refusals_of_tap(estate, tap)]

    assert rules(_tap()) == rules(_tap(ip_configuration_id=f"{SENSOR}/ipConfigurations/ipconfig1", frontend_id=FRONTEND)) == ["one-destination"]
    assert rules(_tap(ip_configuration_id=FRONTEND)) == rules(_tap(frontend_id=f"{FRONTEND}-2")) == ["dest-exists"]
    assert rules(sensor | {"location": "eastus"}) == ["same-region"]
    assert rules(sensor | {"properties": sensor["properties"] | {"destinationPort": 4790}}) == ["one-destination"]
    assert rules(_tap(ip_configuration_id=f"{CRM}/networkInterfaces/web-07-ipv6/ipConfigurations/ipconfig-v6")) == ["ipv4"]
    _edit(estate, FRONTEND.partition("/frontend")[0], _make_public)
    assert rules(frontend) == ["one-destination"]


def _make_public(balancer: Json) -> None:
    balancer["properties"]["frontendIPConfigurations"][0]["properties"]["publicIPAddress"] = {"id": f"{HUB}/publicIPAddresses/front"}
