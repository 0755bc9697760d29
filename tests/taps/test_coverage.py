"""GET /api/v1/coverage: how much is mirrored, how much could be, and what keeps the rest back."""

from typing import Any

import pytest
from django.test import Client

from tests.inventory.factories import (
    SUBSCRIPTION,
    Estate,
    make_estate,
    make_nic,
    make_subnet,
    make_subscription,
    make_vnet,
)
from tests.taps.conditions import make_all_read, make_conditions
from tests.taps.people import bearer, viewer
from vtapweb.access.role import Role
from vtapweb.inventory.models import NetworkInterface, VirtualMachine, VirtualNetworkPeering, VirtualNetworkTap
from vtapweb.taps.actions.settings import protect_add
from vtapweb.taps.models import SubscriptionConditions

pytestmark = pytest.mark.django_db

OTHER = "5a000000-0000-0000-0000-000000000002"


@pytest.fixture
def estate() -> Estate:
    """spoke: app-01 mirrored, app-02 … app-04 not; hub: the collector."""
    found = make_estate(mirrored=1)
    make_all_read()
    make_conditions()
    return found


def get(client: Client, query: str = "", *scope: str) -> Any:
    return client.get(f"/api/v1/coverage{query}", headers=bearer(Role.VIEWER, *scope))


def by_name(client: Client, query: str = "", *scope: str) -> dict[str, dict[str, Any]]:
    items = get(client, query, *scope).json()["items"]
    for one in items:
        assert one["mirrored"] + one["mirrorable"] + one["unknown"] + one["refused"] == one["nics"]
        assert sum(reason["count"] for reason in one["why_not"]) == one["unknown"] + one["refused"]
    return {one["name"]: one for one in items}


def test_each_nic_is_counted_once_with_the_rule_that_keeps_it_back(client: Client, estate: Estate) -> None:
    protect_add(kind="tag", value="pci", owner="Payments", contact="x@example.com", acting_user=viewer(Role.ADMIN))
    NetworkInterface.objects.filter(pk=estate.nics[1].pk).update(tags={"pci": "1"})
    make_nic("loose-nic", subnet=estate.spoke_subnet, vm=None, address="10.1.1.90")
    found = by_name(client)
    spoke, hub = found["spoke"], found["hub"]
    assert (spoke["id"], spoke["subscription_id"]) == (estate.spoke.arm_id, SUBSCRIPTION)
    assert (spoke["nics"], spoke["attached"], spoke["mirrored"], spoke["mirrorable"], spoke["refused"]) == (5, 4, 1, 2, 2)
    assert spoke["share_mirrored"] == 0.25
    assert {reason["rule"]["id"]: reason["count"] for reason in spoke["why_not"]} == {"protected": 1, "source-attached": 1}
    assert hub["why_not"][0]["rule"]["id"] == "mirror-loop"
    assert hub["share_mirrored"] == 0.0


def test_what_is_not_known_is_unknown(client: Client, estate: Estate) -> None:
    SubscriptionConditions.objects.update(locks_status="forbidden")
    spoke = by_name(client)["spoke"]
    assert (spoke["mirrorable"], spoke["unknown"]) == (0, 3)
    assert spoke["why_not"][0]["rule"] | {"remedy": ""} == {
        "id": "lock",
        "outcome": "unknown",
        "message": "We can't tell: the management locks of subscription corp-net are not known. Until we know, the answer is no.",
        "remedy": "",
        "source": spoke["why_not"][0]["rule"]["source"],
    }


def test_without_any_tap_that_is_what_lacks(client: Client, estate: Estate) -> None:
    VirtualNetworkTap.objects.update(removed_at=estate.tap.first_seen_at)
    assert {one["rule"]["id"]: one["count"] for one in by_name(client)["spoke"]["why_not"]} == {"no-tap": 3}


def test_a_broken_peering_stands_in_the_way_of_a_whole_vnet(client: Client, estate: Estate) -> None:
    VirtualNetworkPeering.objects.update(peering_state="Disconnected")
    assert [(one["rule"]["id"], one["count"]) for one in by_name(client)["spoke"]["why_not"]] == [("reachable", 3)]


def test_by_subnet_and_by_tag(client: Client, estate: Estate) -> None:
    VirtualMachine.objects.filter(key=estate.nics[0].virtual_machine_key).update(tags={"Team": "crm"})
    NetworkInterface.objects.filter(pk=estate.nics[1].pk).update(tags={"TEAM": "<b>\u202e"})
    assert {name: one["nics"] for name, one in by_name(client, "?by=subnet").items()} == {"spoke / apps": 4, "hub / collectors": 1}
    found = by_name(client, "?by=tag&tag=team")
    assert {name: (one["nics"], one["mirrored"], one["id"]) for name, one in found.items()} == {
        "": (3, 0, None),
        "crm": (1, 1, None),
        "<b>\u202e": (1, 0, None),
    }


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("by", ["?by=vnet", "?by=subnet", "?by=tag&tag=team"])
def test_pages_hold_every_group_once(client: Client, estate: Estate, by: str, limit: int) -> None:
    NetworkInterface.objects.filter(pk=estate.nics[3].pk).update(virtual_network_key="", subnet_key="", virtual_network_id="", subnet_id="")
    for number in range(5):
        subnet = make_subnet("more", vnet=make_vnet(f"more-{number}"))
        nic = make_nic(f"more-{number}-nic", subnet=subnet, address=f"10.2.{number}.4", mac="")
        NetworkInterface.objects.filter(pk=nic.pk).update(tags={"team": f"t{number}"})
    whole = get(client, by).json()
    seen, cursor, pages = [], "", 0
    while True:
        page = get(client, f"{by}&limit={limit}&cursor={cursor}").json()
        assert page["total"] == whole["total"] == len(whole["items"])
        seen += page["items"]
        pages += 1
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == whole["items"]
    assert pages == -(-whole["total"] // limit)


def test_what_is_out_of_scope_is_not_counted(client: Client, estate: Estate) -> None:
    make_subscription(OTHER, name="corp-secret")
    make_nic("far-nic", subnet=make_subnet("far", vnet=make_vnet("far", subscription_id=OTHER)), address="10.9.0.4", mac="")
    assert set(by_name(client, "", SUBSCRIPTION)) == {"hub", "spoke"}
    assert set(by_name(client, "", OTHER)) == {"far"}
    assert {one["rule"]["id"] for one in by_name(client, "", OTHER)["far"]["why_not"]} == {"no-tap"}


@pytest.mark.parametrize("query", ["?by=region", "?by=tag", "?tag=x", "?limit=0", "?limit=1001", "?cursor=x", f"?by=tag&tag={'x' * 600}"])
def test_what_is_no_question_is_a_problem(client: Client, estate: Estate, query: str) -> None:
    answer = get(client, query)
    assert answer.status_code in {400, 422}
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("more", [0, 20])
@pytest.mark.parametrize("by", ["?by=vnet", "?by=subnet", "?by=tag&tag=team"])
def test_queries_do_not_grow(client: Client, estate: Estate, django_assert_max_num_queries: Any, by: str, more: int) -> None:
    for number in range(more):
        make_nic(f"more-{number}-nic", subnet=make_subnet(f"s{number}", vnet=estate.spoke), address=f"10.1.2.{number}", mac="")
    bearer(Role.VIEWER)
    with django_assert_max_num_queries(36):
        assert get(client, by).status_code == 200
