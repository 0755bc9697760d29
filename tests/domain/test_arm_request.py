"""Each request literally, and no id that could become another request."""

import pytest

from vtapweb.cloud import versions
from vtapweb.domain import arm_request

NIC = "/subscriptions/5a/resourceGroups/rg-net/providers/Microsoft.Network/networkInterfaces/Web-01-nic"
TAP = "/subscriptions/5a/resourceGroups/rg-tap/providers/Microsoft.Network/virtualNetworkTaps/tap-uks"
ADDRESS = f"{NIC}/ipConfigurations/ipconfig1"
FRONTEND = "/subscriptions/5a/resourceGroups/rg-net/providers/Microsoft.Network/loadBalancers/ilb/frontendIPConfigurations/fe"


def test_requests_are_written_out() -> None:
    configuration = arm_request.configuration_id(NIC)
    assert configuration == f"{NIC}/tapConfigurations/vtapweb"
    put = arm_request.configuration_put(configuration, TAP)
    assert (put.method, put.path) == ("PUT", f"{NIC}/tapConfigurations/vtapweb?api-version=2024-05-01")
    assert put.body == {"properties": {"virtualNetworkTap": {"id": TAP}}}
    gone = arm_request.configuration_delete(configuration)
    assert (gone.method, gone.path, gone.body) == ("DELETE", put.path, None)
    made = arm_request.tap_put(TAP, location="uksouth", destination_id=FRONTEND, tags={"owner": "soc"})
    assert (made.method, made.path) == ("PUT", f"{TAP}?api-version=2024-05-01")
    assert made.body == {
        "location": "uksouth",
        "tags": {"owner": "soc"},
        "properties": {"destinationLoadBalancerFrontEndIPConfiguration": {"id": FRONTEND}},
    }
    assert arm_request.tap_put(TAP, location="uksouth", destination_id=ADDRESS, tags={}).body == {
        "location": "uksouth",
        "tags": {},
        "properties": {"destinationNetworkInterfaceIPConfiguration": {"id": ADDRESS}},
    }
    assert arm_request.tap_tags_patch(TAP, {"a": "b"}) == arm_request.ArmRequest("PATCH", made.path, {"tags": {"a": "b"}})
    assert arm_request.tap_delete(TAP) == arm_request.ArmRequest("DELETE", made.path)
    assert arm_request.tap_id("5a", "rg-tap", "tap-uks") == TAP


def test_the_path_is_the_one_that_the_cloud_sends() -> None:
    assert arm_request.path_of(TAP) == versions.write_path(TAP)


@pytest.mark.parametrize("name", ["a?api-version=1", "a#b", "..", ".", "a/../b", "", "a/b"])
def test_no_name_becomes_another_request(name: str) -> None:
    configuration = f"{NIC}/tapConfigurations/{name}"
    assert not arm_request.is_addressable(configuration)
    with pytest.raises(ValueError, match="no id"):
        arm_request.path_of(configuration)


def test_hostile_but_possible_names_stay_what_they_are() -> None:
    for name in ("a'b\"<script>", "wéb %2e%2e", "a&b=c;d"):
        assert arm_request.path_of(f"{NIC}/tapConfigurations/{name}").startswith(f"{NIC}/tapConfigurations/{name}?")


@pytest.mark.parametrize("text", ["", "ilb", NIC, TAP, "/subscriptions/5a"])
def test_a_destination_is_an_address_or_a_frontend(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither|not an ARM"):
        arm_request.destination_field(text)
