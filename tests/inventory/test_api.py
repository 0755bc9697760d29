"""API v1 of the inventory: the fields INTERFACES promises, filters, cursors, scope, errors; queries do not grow with rows."""

import pytest

from tests.inventory.factories import NOW, SUBSCRIPTION, arm_id, make_estate, make_load_balancer, make_subnet
from tests.inventory.pages import queries_of, signed_in
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.kinds import TABS
from vtapweb.inventory.models import KindState

pytestmark = pytest.mark.django_db
OTHER = "5a000000-0000-0000-0000-000000000002"
COMMON = {"id", "key", "name", "subscription_id", "resource_group", "location", "provisioning_state", "stale_since"}
OWN = {
    "nics": {"private_ips", "mac_address", "vm_id", "vnet_id", "subnet_id", "tap_ids"},
    "peerings": {"vnet_id", "remote_vnet_id", "state", "sync_level"},
    "taps": {"destination_id", "destination_kind", "port", "source_count"},
    "tap-configurations": {"nic_id", "tap_id"},
}


@pytest.mark.parametrize("slug", TABS)
def test_every_list_has_its_fields_and_every_item_its_own_address(slug: str) -> None:
    estate = make_estate()
    make_load_balancer(subnet=estate.subnet)
    client = signed_in()
    body = client.get(f"/api/v1/{slug}").json()
    assert body["total"] == len(body["items"]) > 0
    assert body["next"] is None
    for item in body["items"]:
        assert set(item) >= COMMON | OWN.get(slug, set())
        assert item["key"] == arm_key(item["id"])
        assert item["stale_since"] is None
        one = client.get(f"/api/v1/{slug}/{item['key']}").json()
        assert {name: one[name] for name in item} == item
        assert "raw" in one


def test_values_are_azures() -> None:
    estate = make_estate(nics=2, mirrored=1)
    client = signed_in()
    nic = client.get(f"/api/v1/nics/{estate.nics[0].key}").json()
    assert nic["id"] == estate.nics[0].arm_id
    assert nic["private_ips"] == ["10.1.1.4"]
    assert nic["mac_address"] == "00-0D-3A-00-01-01"
    assert (nic["vnet_id"], nic["subnet_id"], nic["tap_ids"]) == (estate.spoke.arm_id, estate.spoke_subnet.arm_id, [estate.tap.arm_id])
    tap = client.get("/api/v1/taps").json()["items"][0]
    assert (tap["destination_kind"], tap["port"], tap["source_count"]) == ("nic", 4789, 1)
    peering = client.get("/api/v1/peerings?q=to-hub").json()["items"][0]
    assert (peering["vnet_id"], peering["remote_vnet_id"], peering["state"]) == (estate.spoke.arm_id, estate.hub.arm_id, "Connected")
    configuration = client.get("/api/v1/tap-configurations").json()["items"][0]
    assert (configuration["nic_id"], configuration["tap_id"]) == (estate.nics[0].arm_id, estate.tap.arm_id)


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_cursors_walk_over_all_rows_once(limit: int) -> None:
    make_estate(nics=16)
    client = signed_in()
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        body = client.get(f"/api/v1/nics?limit={limit}&cursor={cursor}").json()
        assert body["total"] == 17
        seen += [item["key"] for item in body["items"]]
        cursor = body["next"]
    assert len(seen) == len(set(seen)) == 17
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("mirrored=true", {"app-01-nic"}),
        ("mirrored=false&vnet=spoke", {"app-02-nic", "app-03-nic", "app-04-nic"}),
        ("q=10.1.1.4", {"app-01-nic"}),
        ("q=packet", {"nic-packetlog"}),
        (f"vnet={arm_id('virtualNetworks', 'HUB')}", {"nic-packetlog"}),
        (f"subscription={OTHER}", set()),
        ("region=uksouth&q=app-02", {"app-02-nic"}),
        ("removed=true", set()),
    ],
)
def test_filters(query: str, names: set[str]) -> None:
    make_estate()
    body = signed_in().get(f"/api/v1/nics?{query}").json()
    assert {item["name"] for item in body["items"]} == names
    assert body["total"] == len(names)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("nics?limit=0", 400),
        ("nics?limit=1001", 400),
        ("nics?limit=x", 422),
        ("nics?cursor=nonsense", 400),
        ("nics?mirrored=perhaps", 400),
        ("taps?mirrored=true", 400),
        ("nics/aaaaaaaaaaaaaaaaaaaaaaaaaa", 404),
    ],
)
def test_errors_are_problems(address: str, status: int) -> None:
    response = signed_in().get(f"/api/v1/{address}")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert set(response.json()) >= {"type", "title", "status", "detail"}


def test_scope_hides_rows_counts_and_single_resources() -> None:
    make_estate()
    other = make_estate(subscription_id=OTHER, nics=9)
    client = signed_in(only=(SUBSCRIPTION,))
    for slug in TABS:
        assert OTHER not in client.get(f"/api/v1/{slug}").content.decode()
    assert client.get("/api/v1/nics").json()["total"] == 5
    assert client.get(f"/api/v1/nics/{other.nics[0].key}").status_code == 404


def test_staleness_is_the_last_complete_read() -> None:
    make_estate()
    KindState.objects.filter(kind="network_interfaces").update(status="failed")
    client = signed_in()
    assert {item["stale_since"] for item in client.get("/api/v1/nics").json()["items"]} == {NOW.isoformat().replace("+00:00", "Z")}
    assert {item["stale_since"] for item in client.get("/api/v1/vnets").json()["items"]} == {None}


@pytest.mark.parametrize("slug", TABS)
def test_queries_do_not_grow_with_rows(slug: str) -> None:
    client = signed_in()
    make_estate(nics=1)
    few = queries_of(lambda: client.get(f"/api/v1/{slug}"))
    make_estate(subscription_id=OTHER, nics=20, mirrored=20)
    assert queries_of(lambda: client.get(f"/api/v1/{slug}")) == few <= (12 if slug == "tap-configurations" else 7)  # those tell whether they flow


def test_find_answers_every_term_in_order() -> None:
    estate = make_estate()
    subnet = make_subnet("dup", vnet=estate.hub)
    body = signed_in().post("/api/v1/find", {"terms": ["app-01-nic", "nope", "10.1.1.5"]}, content_type="application/json")
    assert body.status_code == 200, body.content
    found = body.json()
    assert [(one["term"], one["state"]) for one in found["items"]] == [("app-01-nic", "matched"), ("nope", "not_found"), ("10.1.1.5", "matched")]
    assert found["select"] == f"{estate.nics[0].key},{estate.nics[1].key}"
    assert subnet.key not in found["select"]


def test_strangers_get_401() -> None:
    client = signed_in()
    client.logout()
    assert client.get("/api/v1/nics").status_code == 401


def test_a_vnet_narrows_what_lies_in_it_by_its_parts() -> None:
    estate = make_estate()
    balancer = make_load_balancer(subnet=estate.subnet)
    client = signed_in()

    def names(address: str) -> set[str]:
        return {item["name"] for item in client.get(f"/api/v1/{address}").json()["items"]}

    assert names("virtual-machines?vnet=spoke") == {"app-01", "app-02", "app-03", "app-04"}
    assert names("load-balancers?vnet=hub") == {balancer.name}
    assert names("load-balancers?vnet=spoke") == set()
    assert names("taps?vnet=hub") == {estate.tap.name}
    assert names("taps?vnet=spoke") == set()


@pytest.mark.parametrize(
    ("tag", "is_found"),
    [("env", True), ("ENV", True), ("Env:prod", True), ("env:PROD", False), ("nv", False), ("prod", False), ("env:prod:x", False), ("a'b\"%", True)],
)
def test_tag_names_have_no_case_and_values_have(tag: str, is_found: bool) -> None:
    nic = make_estate().nics[0]
    nic.tags = {"Env": "prod", "A'b\"%": "x"}
    nic.save()
    found = signed_in().get("/api/v1/nics", {"tag": tag}).json()["items"]
    assert [item["key"] for item in found] == ([nic.key] if is_found else [])
