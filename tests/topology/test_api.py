"""`GET /api/v1/topology` and its neighbours: bytes, caching headers, query counts, and what nobody but its reader may see."""

import gzip
import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from tests.inventory.factories import (
    SUBSCRIPTION,
    Estate,
    arm_id,
    make_estate,
    make_nic,
    make_peering,
    make_subnet,
    make_tap,
    make_tap_configuration,
    make_vnet,
)
from tests.topology.people import bearer
from vtapweb.access.role import Role
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.graph import Stamp
from vtapweb.domain.layout import GEOMETRY
from vtapweb.domain.scope import Scope
from vtapweb.domain.topology import Snapshot, decode, encode
from vtapweb.topology.actions import topology_refresh
from vtapweb.topology.api import takes_gzip
from vtapweb.topology.models import Placement
from vtapweb.topology.picture import scoped_snapshot

pytestmark = pytest.mark.django_db
OTHER = "5a000000-0000-0000-0000-000000000002"
THIRD = "5a000000-0000-0000-0000-000000000003"


def get(client: Client, headers: dict[str, str]) -> Snapshot:
    answer = client.get("/api/v1/topology", headers=headers)
    assert answer.status_code == 200, answer.content
    return decode(json.loads(answer.content))


def test_the_answer_is_gzip_where_it_is_taken_and_the_same_either_way(client: Client) -> None:
    make_estate()
    topology_refresh()
    plain = client.get("/api/v1/topology", headers=bearer())
    packed = client.get("/api/v1/topology", headers={**bearer(), "Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.content) == plain.content
    assert {"Accept-Encoding", "Authorization", "Cookie"} <= {one.strip() for one in plain.headers["Vary"].split(",")}
    body = json.loads(plain.content)
    assert (body["revision"], body["seq"], body["is_demo"]) == ("r1", 1, False)
    assert plain.headers["Vtapweb-Seq"] == "1"


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", False), ("gzip", True), ("GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip;q=0.0, br", False), ("*", True), ("br", False)],
)
def test_accept_encoding_is_respected(header: str, expected: bool) -> None:
    assert takes_gzip(header) is expected


def test_an_unchanged_picture_answers_304_and_the_etag_knows_the_scope(client: Client) -> None:
    estate = make_estate()
    topology_refresh()
    first = client.get("/api/v1/topology", headers=bearer())
    again = client.get("/api/v1/topology", headers={**bearer(), "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["Vtapweb-Seq"]) == (304, b"", "1")
    limited = client.get("/api/v1/topology", headers={**bearer(SUBSCRIPTION), "If-None-Match": first.headers["ETag"]})
    assert limited.status_code == 200
    make_nic("app-99-nic", subnet=estate.spoke_subnet, address="10.1.1.99")
    topology_refresh()
    changed = client.get("/api/v1/topology", headers={**bearer(), "If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, json.loads(changed.content)["seq"]) == (200, 2)


def test_before_the_first_refresh_the_picture_is_empty_not_an_error(client: Client) -> None:
    picture = get(client, bearer())
    assert (picture.revision, picture.counts["vnets"], dict(picture.tables["nics"])) == ("r0", 0, {})


@pytest.mark.parametrize("nics", [2, 40])
def test_queries_do_not_grow_with_the_estate(client: Client, django_assert_num_queries: DjangoAssertNumQueries, nics: int) -> None:
    make_estate(nics=nics, mirrored=2)
    topology_refresh()
    headers, limited = bearer(), bearer(SUBSCRIPTION)
    client.get("/api/v1/topology/find?q=x", headers=headers)
    client.get("/api/v1/topology/find?q=x", headers=limited)  # both tokens are noted as used
    with django_assert_num_queries(4):  # token, seq, revision, the stored picture
        client.get("/api/v1/topology", headers=headers)
    with django_assert_num_queries(3):  # token, seq, revision
        client.get("/api/v1/topology", headers=headers)
    with django_assert_num_queries(17):
        client.get("/api/v1/topology", headers=limited)
    with django_assert_num_queries(3):
        client.get("/api/v1/topology", headers=limited)


def two_subscriptions() -> tuple[Estate, Estate]:
    """[hub]==[spoke] in each of two subscriptions; the first's hub peers with the second's, one NIC of the first is mirrored into the second.

    A NIC of the first stands in a subnet of the second.
    """
    mine, theirs = make_estate(subscription_id=SUBSCRIPTION), make_estate(subscription_id=OTHER)
    make_peering("to-theirs", vnet=mine.hub, remote_id=theirs.hub.arm_id)
    make_peering("to-mine", vnet=theirs.hub, remote_id=mine.hub.arm_id)
    lodger = make_nic("lodger-nic", subnet=mine.spoke_subnet, address="10.1.1.200")
    type(lodger).objects.filter(pk=lodger.pk).update(
        subnet_id=theirs.subnet.arm_id, subnet_key=theirs.subnet.key, virtual_network_id=theirs.hub.arm_id, virtual_network_key=theirs.hub.key
    )
    make_tap_configuration(nic=mine.nics[-1], tap_id=theirs.tap.arm_id)
    topology_refresh()
    return mine, theirs


def test_a_limited_viewer_sees_his_part_and_ghosts_as_his_own_documents_tell_them(client: Client) -> None:
    mine, theirs = two_subscriptions()
    picture = get(client, bearer(SUBSCRIPTION))
    vnets = {row[1]: row for row in picture.tables["vnets"].values()}
    assert {key: row[6] for key, row in vnets.items()} == {mine.hub.key: "hub", mine.spoke.key: "spoke", theirs.hub.key: "ghost"}
    assert [row[3] for row in picture.tables["peerings"].values()].count("unknown") == 1
    assert {(row[2], row[3]) for row in picture.tables["collectors"].values()} == {("nic-packetlog", "nic"), (theirs.tap.name, "unreadable")}
    assert len(picture.tables["mirrors"]) == 2
    assert picture.counts["nics"] == 6
    assert {row[0] for row in picture.subscriptions} == {SUBSCRIPTION}
    whole = get(client, bearer())
    for node, row in picture.tables["nics"].items():
        assert whole.tables["nics"][node][1:3] == row[1:3]
    for node, row in picture.tables["vnets"].items():
        assert whole.tables["vnets"][node][7:9] == row[7:9]


def test_neither_receives_a_byte_of_the_others(client: Client) -> None:
    make_secret(SUBSCRIPTION, "mine")
    make_secret(OTHER, "theirs")
    topology_refresh()
    for own, other, headers in (("mine", "theirs", bearer(SUBSCRIPTION)), ("theirs", "mine", bearer(OTHER))):
        told = client.get("/api/v1/topology", headers=headers).content.decode()
        assert f"vnet-{own}" in told
        for secret in secrets_of(other, OTHER if other == "theirs" else SUBSCRIPTION):
            assert secret not in told
        hits = client.get(f"/api/v1/topology/find?q={other}", headers=headers)
        assert hits.json() == []
        for node in Placement.objects.filter(owners=OTHER if other == "theirs" else SUBSCRIPTION).values_list("pk", flat=True):
            assert client.get(f"/api/v1/topology/nodes/{node}", headers=headers).status_code == 404


def make_secret(subscription_id: str, word: str) -> None:
    """A VNet whose every name holds `word`, mirrored into its own collector."""
    vnet = make_vnet(f"vnet-{word}", subscription_id=subscription_id, prefixes=(f"10.{len(word)}.0.0/16",))
    subnet = make_subnet(f"snet-{word}", vnet=vnet)
    collector = make_nic(f"collector-{word}", subnet=subnet, address=f"10.{len(word)}.0.4")
    tap = make_tap(f"tap-{word}", destination_id=f"{collector.arm_id}/ipConfigurations/ipconfig1", subscription_id=subscription_id)
    make_nic(f"nic-{word}", subnet=subnet, address=f"10.{len(word)}.0.5", tap_id=tap.arm_id)


def secrets_of(word: str, subscription_id: str) -> list[str]:
    names = [f"vnet-{word}", f"snet-{word}", f"collector-{word}", f"tap-{word}", f"nic-{word}", subscription_id]
    return [*names, arm_key(arm_id("virtualNetworks", f"vnet-{word}", subscription_id=subscription_id)), f"10.{len(word)}.0"]


@pytest.mark.one_database
@given(links=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8), readable=st.sets(st.integers(0, 2)), taps=st.data())
@settings(max_examples=25, deadline=None)
def test_whatever_the_links_no_name_or_key_of_the_unreadable_is_told(
    django_db_blocker: Any, links: set[tuple[int, int]], readable: set[int], taps: st.DataObject
) -> None:
    """Six VNets in three subscriptions, peered at random; only what a readable document itself names may be told of the others."""
    from django.db import transaction

    subscription_ids = [SUBSCRIPTION, OTHER, THIRD]
    with transaction.atomic():
        vnets = [make_vnet(f"secret-vnet-{number}", subscription_id=subscription_ids[number % 3]) for number in range(6)]
        subnets = [make_subnet(f"secret-snet-{number}", vnet=vnet) for number, vnet in enumerate(vnets)]
        nics = [make_nic(f"secret-{number}-nic", subnet=subnet, address=f"10.0.{number}.4") for number, subnet in enumerate(subnets)]
        for a, b in sorted(links):
            if a != b:
                make_peering(f"to-{b}", vnet=vnets[a], remote_id=vnets[b].arm_id)
        target = taps.draw(st.integers(0, 5))
        tap = make_tap("secret-tap", destination_id=f"{nics[target].arm_id}/ipConfigurations/ipconfig1", subscription_id=subscription_ids[target % 3])
        source = taps.draw(st.integers(0, 5))
        make_tap_configuration(nic=nics[source], tap_id=tap.arm_id)
        topology_refresh()
        scope = Scope.of(subscription_ids[one] for one in readable)
        wire = encode(scoped_snapshot(scope, Stamp("r1", 1, False, "")), GEOMETRY)
        told = json.dumps(wire)
        for number in range(6):
            if number % 3 in readable:
                continue
            assert f"secret-snet-{number}" not in told
            assert nics[number].key not in told
            assert subnets[number].key not in told
            if not any(b == number and a != b and a % 3 in readable for a, b in links):
                assert f"secret-vnet-{number}" not in told
                assert vnets[number].key not in told
            if not (number == target and tap.subscription_id in (scope.subscription_ids or ())):
                assert f"secret-{number}-nic" not in told
        picture = decode(wire)
        assert picture.counts["nics"] == 2 * len(readable)
        transaction.set_rollback(True)


def test_a_node_tells_what_it_is_to_whom_may_know(client: Client) -> None:
    mine, theirs = two_subscriptions()
    node = Placement.objects.get(key=mine.nics[0].key).pk
    told = client.get(f"/api/v1/topology/nodes/{node}", headers=bearer(SUBSCRIPTION)).json()
    assert (told["kind"], told["name"], told["arm_id"], told["address"]) == ("nic", mine.nics[0].name, mine.nics[0].arm_id, "10.1.1.4")
    hidden = client.get(f"/api/v1/topology/nodes/{node}", headers=bearer(OTHER))
    assert (hidden.status_code, hidden.headers["Content-Type"]) == (404, "application/problem+json")
    ghost = client.get(f"/api/v1/topology/nodes/{Placement.objects.get(key=theirs.hub.key).pk}", headers=bearer(SUBSCRIPTION)).json()
    assert (ghost["kind"], ghost["name"], ghost["subscription_id"]) == ("ghost", "hub", "")


def test_the_search_finds_names_addresses_and_ids(client: Client) -> None:
    estate = make_estate(nics=3)
    topology_refresh()
    for text, expected in {
        "app-01-nic": ["app-01-nic"], "10.1.1.5": ["app-02-nic"], "00:0d:3a:00:01:03": ["app-03-nic"], estate.hub.arm_id.upper().replace(
            "/SUBSCRIPTIONS", "/subscriptions"): ["hub"], "spo": ["spoke"], "  ": [],
    }.items():  # fmt: skip
        hits = client.get("/api/v1/topology/find", {"q": text}, headers=bearer()).json()
        assert [hit["name"] for hit in hits] == expected, text
        assert all(Placement.objects.filter(pk=hit["id"], key=hit["key"]).exists() for hit in hits)


def test_only_operators_rearrange(client: Client) -> None:
    make_estate()
    for role, status in ((Role.VIEWER, 403), (Role.OPERATOR, 202)):
        answer = client.post("/api/v1/topology/rearrange", {"reason": "r"}, content_type="application/json", headers=bearer(role=role))
        assert answer.status_code == status


def test_a_selection_goes_from_table_to_map_and_back_within_the_scope(client: Client) -> None:
    make_estate()
    topology_refresh()
    nodes = dict(Placement.objects.filter(kind="nic").values_list("key", "pk"))
    assert nodes
    text = ",".join(nodes)
    found = client.get("/api/v1/topology/selection", {"select": text}, headers=bearer()).json()
    assert (found["ids"], found["is_gone"]) == (sorted(nodes.values()), False)
    assert client.get("/api/v1/topology/selection", {"select": "@never-kept"}, headers=bearer()).json()["is_gone"] is True
    made = client.post("/api/v1/topology/selection", {"ids": sorted(nodes.values())}, content_type="application/json", headers=bearer()).json()
    assert set(made["select"].split(",")) == set(nodes)
    other = bearer(THIRD)
    assert client.get("/api/v1/topology/selection", {"select": text}, headers=other).json()["ids"] == []
