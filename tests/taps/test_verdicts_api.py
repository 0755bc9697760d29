"""POST /api/v1/verdicts: what a script is told of pairs of NICs and TAPs."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from tests.inventory.factories import (
    SUBSCRIPTION,
    Estate,
    arm_id,
    make_estate,
    make_nic,
    make_subnet,
    make_subscription,
    make_tap,
    make_tap_configuration,
    make_vnet,
)
from tests.taps.conditions import make_all_read, make_conditions
from tests.taps.people import bearer
from vtapweb.access.role import Role
from vtapweb.inventory.models import NetworkInterface, VirtualNetworkPeering

pytestmark = pytest.mark.django_db

OTHER = "5a000000-0000-0000-0000-000000000002"
URL = "/api/v1/verdicts"


@pytest.fixture(autouse=True)
def _no_broker(settings: Settings) -> None:
    settings.REDIS_URL = ""


@pytest.fixture
def estate() -> Estate:
    found = make_estate(mirrored=0)
    make_all_read()
    make_conditions()
    return found


def post(client: Client, body: object, *, role: Role = Role.VIEWER, scope: tuple[str, ...] = (), query: str = "") -> Any:
    return client.post(URL + query, body, content_type="application/json", headers=bearer(role, *scope))


def test_every_nic_against_every_tap_in_the_order_given(client: Client, estate: Estate) -> None:
    make_tap_configuration(nic=estate.nics[1], tap_id=estate.tap.arm_id)
    ids = [estate.nics[1].arm_id.upper(), estate.nics[0].arm_id, estate.nics[1].arm_id]
    items = post(client, {"nics": ids}).json()["items"]
    assert [(one["nic"], one["tap"], one["allowed"]) for one in items] == [
        (estate.nics[1].arm_id, estate.tap.arm_id, False),
        (estate.nics[0].arm_id, estate.tap.arm_id, True),
    ]
    assert items[1]["rules"] == []
    (rule,) = items[0]["rules"]
    assert set(rule) == {"id", "outcome", "message", "remedy", "source"}
    assert (rule["id"], rule["outcome"]) == ("one-config-per-nic", "block")
    assert "Already mirrored to tap-collector" in rule["message"]


def test_a_broken_peering_is_told_with_rule_remedy_and_source(client: Client, estate: Estate) -> None:
    VirtualNetworkPeering.objects.filter(name="to-spoke").update(peering_state="Disconnected")
    item = post(client, {"nics": [estate.nics[0].arm_id], "taps": [estate.tap.arm_id]}).json()["items"][0]
    assert item["allowed"] is False
    rule = item["rules"][0]
    assert (rule["id"], rule["outcome"], rule["source"]) == ("reachable", "block", "[2019] [2025] [FAQ]")
    assert "Disconnected on hub's side" in rule["message"]
    assert "Restore it on hub" in rule["remedy"]


def test_unknown_is_null_with_what_is_not_known(client: Client) -> None:
    found = make_estate(mirrored=0)
    make_all_read()
    item = post(client, {"nics": [found.nics[0].arm_id]}).json()["items"][0]
    assert item["allowed"] is None
    assert {(one["id"], one["outcome"]) for one in item["rules"]} == {("permission", "unknown"), ("lock", "unknown")}


@pytest.mark.parametrize("way", ["query", "body"])
def test_full_detail_tells_every_rule_worst_first(client: Client, estate: Estate, way: str) -> None:
    body: dict[str, Any] = {"nics": [estate.nics[0].arm_id], **({"detail": "full"} if way == "body" else {})}
    (item,) = post(client, body, query="?detail=full" if way == "query" else "").json()["items"]
    outcomes = [one["outcome"] for one in item["rules"]]
    assert len(outcomes) > 20
    assert outcomes == sorted(outcomes, key=["block", "unknown", "warn", "ok"].index)
    assert item["allowed"] is True


def test_more_than_a_thousand_pairs_in_full_are_a_problem(client: Client, estate: Estate) -> None:
    taps = [make_tap(f"tap-{number}", destination_id=estate.tap.destination_id).arm_id for number in range(251)]
    nics = [one.arm_id for one in estate.nics]
    for body in ({"nics": nics, "detail": "full"}, {"nics": nics, "taps": taps, "detail": "full"}):
        answer = post(client, body)
        assert answer.status_code == 422
        assert answer["Content-Type"] == "application/problem+json"
        assert "1,000" in answer.json()["detail"]
    assert len(post(client, {"nics": nics}).json()["items"]) == 4 * 252
    assert len(post(client, {"nics": nics, "taps": taps[:250], "detail": "full"}).json()["items"]) == 1000


def test_what_is_not_there_is_named(client: Client, estate: Estate) -> None:
    for body, missing, title in (
        ({"nics": [estate.nics[0].arm_id, "/nonsense\u202e"]}, ["/nonsense⟨U+202E⟩"], "No such NIC"),
        ({"nics": [estate.nics[0].arm_id], "taps": [arm_id("virtualNetworkTaps", "none")]}, [arm_id("virtualNetworkTaps", "none")], "No such TAP"),
        ({"nics": [estate.tap.arm_id]}, [estate.tap.arm_id], "No such NIC"),
    ):
        answer = post(client, body)
        problem = answer.json()
        assert (answer.status_code, problem["title"], problem["missing"]) == (404, title, missing)
        assert missing[0] in problem["detail"]


def test_what_is_removed_is_not_there(client: Client, estate: Estate) -> None:
    NetworkInterface.objects.filter(pk=estate.nics[0].pk).update(removed_at=estate.nics[0].first_seen_at)
    assert post(client, {"nics": [estate.nics[0].arm_id]}).status_code == 404


def test_outside_the_scope_is_as_if_it_did_not_exist(client: Client, estate: Estate) -> None:
    make_subscription(OTHER, name="corp-secret")
    far = make_nic("far-nic", subnet=make_subnet("far", vnet=make_vnet("far", subscription_id=OTHER)), address="10.9.0.4", mac="")
    tap = make_tap("far-tap", destination_id=estate.tap.destination_id, subscription_id=OTHER)
    mine = (SUBSCRIPTION,)
    nothing = arm_id("networkInterfaces", "nothing")
    there, not_there = (post(client, {"nics": [one]}, scope=mine) for one in (far.arm_id, nothing))
    assert there.status_code == not_there.status_code == 404
    assert there.json()["detail"].replace(far.arm_id, nothing) == not_there.json()["detail"]
    assert post(client, {"nics": [estate.nics[0].arm_id], "taps": [tap.arm_id]}, scope=mine).status_code == 404
    items = post(client, {"nics": [estate.nics[0].arm_id]}, scope=mine).json()["items"]
    assert [one["tap"] for one in items] == [estate.tap.arm_id]
    assert len(post(client, {"nics": [far.arm_id]}).json()["items"]) == 2


def test_no_taps_at_all_are_no_items(client: Client, estate: Estate) -> None:
    assert post(client, {"nics": [estate.nics[0].arm_id], "taps": []}).json() == {"items": []}


@pytest.mark.parametrize(
    "body", [{}, {"nics": []}, {"nics": "x"}, {"nics": [""]}, {"nics": ["x" * 2001]}, {"nics": ["x"], "detail": "some"}, {"nics": ["x"], "taps": "y"}]
)
def test_what_is_no_request_is_a_problem(client: Client, estate: Estate, body: object) -> None:
    answer = post(client, body)
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"


def test_everybody_who_signed_in_may_ask(client: Client, estate: Estate) -> None:
    body = {"nics": [estate.nics[0].arm_id]}
    for role in Role:
        assert post(client, body, role=role).status_code == 200
    assert client.post(URL, body, content_type="application/json").status_code == 401


@pytest.mark.parametrize("more", [0, 20])
def test_queries_do_not_grow(client: Client, estate: Estate, django_assert_max_num_queries: Any, more: int) -> None:
    ids = [one.arm_id for one in estate.nics]
    for number in range(more):
        ids.append(make_nic(f"more-{number}-nic", subnet=estate.spoke_subnet, address=f"10.1.2.{number}", mac="").arm_id)
    bearer(Role.VIEWER)
    with django_assert_max_num_queries(28):
        assert len(post(client, {"nics": ids}).json()["items"]) == 4 + more
