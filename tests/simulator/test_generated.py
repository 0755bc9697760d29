"""Estates M and L: exact counts, as their lists show them."""

import orjson
import pytest

from tests.simulator.caller import BASE_URL, VERSION, Caller, make_caller
from vtapweb.simulator import generated
from vtapweb.simulator.documents import Kind


def _total(azure: Caller, kind: str) -> list[int]:
    """Items and pages of a list in all subscriptions."""
    items = pages = 0
    for subscription in azure.items("/subscriptions"):
        path = f"/subscriptions/{subscription['subscriptionId']}/providers/Microsoft.{kind}?{VERSION}"
        for body in azure.server.pages(BASE_URL, path):
            items += len(orjson.loads(body)["value"])
            pages += 1
    return [items, pages]


@pytest.mark.parametrize("size", ["M", pytest.param("L", marks=pytest.mark.long)])
def test_counts_are_exact(size: str) -> None:
    shape = generated.SHAPES[size]
    azure = make_caller(estate=generated.build(size))
    estate = azure.server.estate
    assert len(azure.items("/subscriptions")) == shape.subscriptions
    assert _total(azure, "Network/networkInterfaces")[0] == shape.nics
    assert _total(azure, "Network/virtualNetworks")[0] == shape.vnets
    vnets = [held.json()["properties"] for held in estate.all_of(Kind.VIRTUAL_NETWORKS)]
    nics = [held.json()["properties"] for held in estate.all_of(Kind.NETWORK_INTERFACES)]
    assert sum(len(vnet["virtualNetworkPeerings"]) for vnet in vnets) == shape.peerings
    assert sum(len(nic["tapConfigurations"]) for nic in nics) == shape.tap_configurations
    assert all(nic.get("virtualMachine") for nic in nics if nic["tapConfigurations"])
    addresses = [child["properties"]["privateIPAddress"] for nic in nics for child in nic["ipConfigurations"]]
    assert len(set(addresses)) == len(addresses)
    assert len({nic["macAddress"] for nic in nics if "macAddress" in nic}) == estate.count(Kind.VIRTUAL_MACHINES)


def test_every_mirror_is_listed_by_its_tap_and_no_tap_is_over_its_limit() -> None:
    estate = generated.build("M")
    sources = [
        source["id"]
        for held in estate.all_of(Kind.VIRTUAL_NETWORK_TAPS)
        for source in held.json()["properties"].get("networkInterfaceTapConfigurations", ())
    ]
    mirrors = [child["id"] for held in estate.all_of(Kind.NETWORK_INTERFACES) for child in held.json()["properties"]["tapConfigurations"]]
    assert sorted(sources) == sorted(mirrors)
    assert all(len(held.json()["properties"]["networkInterfaceTapConfigurations"]) <= 100 for held in estate.all_of(Kind.VIRTUAL_NETWORK_TAPS))


def test_two_builds_are_the_same_to_the_byte() -> None:
    one, two = generated.build("M"), generated.build("M")
    assert [held.body for held in one.all_of(Kind.NETWORK_INTERFACES)] == [held.body for held in two.all_of(Kind.NETWORK_INTERFACES)]


def test_pages_are_built_once_until_their_list_changes() -> None:
    azure = make_caller(estate=generated.build("M"), page_size=100)
    subscription_id = next(iter(azure.server.estate.subscriptions))
    url = f"{BASE_URL}/subscriptions/{subscription_id}/providers/Microsoft.Network/networkInterfaces?{VERSION}"
    first = azure.server.page_bytes(url)
    assert azure.server.page_bytes(url) is first
    held = azure.server.estate.listing(subscription_id, Kind.NETWORK_INTERFACES).documents[0]
    azure.server.estate.replace(held, held.json())
    again = azure.server.page_bytes(url)
    assert again != first
    assert orjson.loads(again)["value"][1:] == orjson.loads(first)["value"][1:]
