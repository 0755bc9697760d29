"""Documents that somebody with a pen in Azure made to break a sync: whatever stands in a name, a tag or a description, the sync goes on."""

import pytest

from tests.inventory.azure import OTHER, SUBSCRIPTION, SmallAzure, child, network_id, nic, vnet
from tests.inventory.pages import signed_in
from tests.inventory.syncing import sync
from vtapweb.cloud.port import ReadKind
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.models import IpConfiguration, NetworkInterface, ResourceChange, Subnet

pytestmark = pytest.mark.django_db

NUL, SURROGATE, WRITTEN_NUL, EMOJI = "a\x00b", "a\ud800b", "a\\u0000b", "\U0001f600"
HOSTILE = [NUL, SURROGATE, WRITTEN_NUL, "\\" + WRITTEN_NUL, "\x00\x00", EMOJI]


def hostile_nic(text: str, address: str = "10.0.1.4") -> object:
    document = nic("web-01", address=address)
    document["tags"] = {"owner": text, text: "x"}
    document["somethingNew"] = {"description": text}
    return document


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_in_tags_breaks_neither_the_first_sync_nor_the_next(text: str) -> None:
    azure = SmallAzure()
    azure.put(ReadKind.NETWORK_INTERFACES, hostile_nic(text))
    assert sync(azure).state == "complete"
    azure.put(ReadKind.NETWORK_INTERFACES, hostile_nic(text, address="10.0.1.5"))
    assert sync(azure).state == "complete"
    stored = NetworkInterface.objects.get()
    assert stored.private_ips == ["10.0.1.5"]
    if text == WRITTEN_NUL:
        assert stored.tags["owner"] == text
    key = stored.key
    client = signed_in()
    assert client.get(f"/nics/{key}").status_code == 200
    assert client.get(f"/api/v1/nics/{key}").status_code == 200
    assert client.get("/api/v1/nics").json()["total"] == 1


def test_a_tag_is_found_by_a_name_of_any_script() -> None:
    azure = SmallAzure()
    azure.put(ReadKind.NETWORK_INTERFACES, {**nic("web-01"), "tags": {"größe": "groß"}}, {**nic("web-02"), "tags": {"grosse": "groß"}})
    sync(azure)
    items = signed_in().get("/api/v1/nics", {"tag": "größe:groß"}).json()["items"]
    assert [item["name"] for item in items] == ["web-01"]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_change_in_what_no_column_holds_may_hold_any_text(text: str) -> None:
    azure = SmallAzure()
    document = nic("web-01")
    azure.put(ReadKind.NETWORK_INTERFACES, document)
    sync(azure)
    azure.put(ReadKind.NETWORK_INTERFACES, {**document, "properties": {**document["properties"], "workloadType": text}})
    assert sync(azure).state == "complete"
    change = ResourceChange.objects.get(action="changed")
    assert set(change.fields) == {"properties.workloadType"}
    if text in (WRITTEN_NUL, EMOJI):
        assert change.fields["properties.workloadType"] == [None, text]
    assert signed_in().get("/feed").status_code == 200


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_subscription_may_be_called_anything(text: str) -> None:
    azure = SmallAzure(name_of=lambda _: text)
    azure.put(ReadKind.NETWORK_INTERFACES, nic("web-01"))
    assert sync(azure).state == "complete"
    client = signed_in()
    key = client.get("/api/v1/subscriptions").json()["items"][0]["key"]
    assert client.get(f"/api/v1/subscriptions/{key}").status_code == 200
    assert client.get(f"/subscriptions/{key}").status_code == 200


def test_a_child_takes_no_row_of_another_subscription() -> None:
    """A NIC here that says one of its ipConfigurations is another subscription's: that one's row stays where it is."""
    azure = SmallAzure(subscription_ids=[SUBSCRIPTION, OTHER])
    theirs = nic("web-02", subscription_id=OTHER)
    azure.put(ReadKind.NETWORK_INTERFACES, theirs, subscription_id=OTHER)
    mine = nic("web-01")
    mine["properties"]["ipConfigurations"][0]["id"] = theirs["properties"]["ipConfigurations"][0]["id"]
    hub = vnet("hub")
    hub["properties"]["subnets"] = [child(network_id("virtualNetworks", "theirs", OTHER), "subnets", "apps")]
    azure.put(ReadKind.NETWORK_INTERFACES, mine)
    azure.put(ReadKind.VIRTUAL_NETWORKS, hub)
    assert sync(azure).state == "complete"
    assert IpConfiguration.objects.get(key=arm_key(f"{theirs['id']}/ipConfigurations/ipconfig1")).network_interface.name == "web-02"
    assert IpConfiguration.objects.get(key=arm_key(f"{mine['id']}/ipConfigurations/ipconfig1")).network_interface.name == "web-01"
    assert Subnet.objects.get().arm_id == f"{hub['id']}/subnets/apps"
