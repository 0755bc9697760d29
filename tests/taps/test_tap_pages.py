"""Forms about TAPs themselves: make one, change its tags, delete it. Each leads to a plan; nothing typed is lost."""

import html
import re
from typing import Any

import pytest

from tests.inventory.factories import NOW, SUBSCRIPTION, Estate, make_estate, make_load_balancer
from tests.inventory.pages import queries_of, signed_in
from tests.taps.conditions import make_all_read, make_conditions
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.models import ResourceGroup
from vtapweb.taps.models import Change

pytestmark = pytest.mark.one_database
OTHER = "5a000000-0000-0000-0000-0000000000ff"


@pytest.fixture
def estate(db: None) -> Estate:
    """The small estate with an internal load balancer beside its collector, of which vtapweb knows and may do everything."""
    made = make_estate()
    make_load_balancer(subnet=made.subnet, members=(made.collector,))
    group_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net"
    ResourceGroup.objects.create(
        key=arm_key(group_id), arm_id=group_id, name="rg-net", subscription_id=SUBSCRIPTION, resource_group="rg-net", first_seen_at=NOW
    )
    make_conditions()
    make_all_read()
    return made


def words_of(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def destination_of(estate: Estate) -> str:
    return f"{estate.collector.arm_id}/ipConfigurations/ipconfig1"


def fields_of(estate: Estate, **changes: str) -> dict[str, str]:
    fields = {"destination": destination_of(estate), "name": "tap-two", "resource_group": "rg-net", "tags": "owner=soc\nenv = prod",
              "reason": "INC-9", "ticket": "", "window": "now", "zone": "UTC"}  # fmt: skip
    return {**fields, **changes}


@pytest.mark.both_databases
def test_collectors_are_offered_and_found_by_name_or_address(estate: Estate) -> None:
    client = signed_in("operator")
    page = words_of(client.get("/taps/new"))
    assert "ilb-collector internal load balancer · 10.0.1.250" in page
    assert "nic-packetlog NIC · 10.0.1.5 hub / collectors · already behind tap-collector" in page
    assert "app-02-nic" not in page
    assert '<option value="rg-net">' in client.get("/taps/new").content.decode()
    chosen = client.get(f"/taps/new?destination={destination_of(estate)}").content.decode()
    assert f'value="{destination_of(estate)}" checked' in chosen
    assert '<option value="rg-net">' in chosen
    found = words_of(client.get("/taps/destinations?q=app-02", headers={"HX-Request": "true"}))
    assert "app-02-nic" in found
    assert "ilb-collector" not in found
    assert "No internal load balancer and no NIC of that name" in words_of(client.get("/taps/destinations?q=nobody"))
    few = queries_of(lambda: client.get("/taps/destinations?q=app-02"))
    assert queries_of(lambda: client.get("/taps/destinations?q=app")) == few


@pytest.mark.both_databases
def test_a_tap_is_planned_with_its_name_group_and_tags(estate: Estate) -> None:
    answer = signed_in("operator").post("/taps/new", fields_of(estate))
    change = Change.objects.get()
    assert answer.headers["Location"] == f"/changes/{change.pk}"
    step = change.steps.get()
    assert (change.action, step.method, change.tap_name) == ("create_tap", "PUT", "tap-two")
    assert step.body is not None
    assert step.body["tags"] == {"owner": "soc", "env": "prod"}
    assert signed_in().get(f"/changes/{change.pk}").status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "-tap", "It begins with a letter or digit"),
        ("tags", "no tag", "“no tag” is no tag: write name=value."),
        ("tags", "a=1\nA=2", "The tag A comes twice."),
        ("reason", "", "Say why"),
        ("destination", "", "Choose the collector that it sends to."),
        ("resource_group", "no/group", "resource_group"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(estate: Estate, field: str, value: str, said: str) -> None:
    typed = fields_of(estate, ticket="CHG-5", **{field: value})
    answer = signed_in("operator").post("/taps/new", typed)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert said in (page if said == "resource_group" else words_of(answer))
    assert 'name="ticket" value="CHG-5"' in page
    if typed["destination"]:
        assert re.search(rf'value="{re.escape(typed["destination"])}" checked', page)
    assert not Change.objects.exists()


@pytest.mark.both_databases
def test_tags_are_changed_by_a_plan(estate: Estate) -> None:
    client = signed_in("operator")
    address = f"/taps/{estate.tap.key}/tags"
    assert client.get(address).status_code == 200
    client.post(address, {"tags": "owner=soc", "reason": "CHG-2", "window": "now"})
    change = Change.objects.get()
    assert (change.action, change.steps.get().method) == ("update_tap_tags", "PATCH")


def test_a_tap_in_use_is_not_deleted_and_the_page_offers_to_stop_its_mirrors(estate: Estate) -> None:
    client = signed_in("operator")
    address = f"/taps/{estate.tap.key}/delete"
    page = client.get(address)
    assert estate.nics[0].name in words_of(page)
    assert f'href="/mirror/plan?action=untap&amp;select={estate.nics[0].key}"' in page.content.decode()
    answer = client.post(address, {"reason": "no longer needed", "window": "now"})
    assert answer.status_code == 400
    assert "no longer needed" in words_of(answer)
    assert not Change.objects.exists()


@pytest.mark.both_databases
def test_a_tap_without_sources_is_deleted_by_a_plan(db: None) -> None:
    estate = make_estate(mirrored=0)
    make_conditions()
    make_all_read()
    signed_in("operator").post(f"/taps/{estate.tap.key}/delete", {"reason": "no longer needed", "window": "now"})
    change = Change.objects.get()
    assert (change.action, change.steps.get().method) == ("delete_tap", "DELETE")


@pytest.mark.both_databases
def test_who_may_not_is_refused(estate: Estate) -> None:
    viewer, limited = signed_in("viewer"), signed_in("operator", only=(OTHER,))
    for address in ("/taps/new", f"/taps/{estate.tap.key}/tags", f"/taps/{estate.tap.key}/delete"):
        assert viewer.get(address).status_code == 403
        assert viewer.post(address, fields_of(estate)).status_code == 403
    for address in (f"/taps/{estate.tap.key}/tags", f"/taps/{estate.tap.key}/delete"):
        assert limited.get(address).status_code == 404
    assert "nic-packetlog" not in words_of(limited.get("/taps/destinations?q=packetlog"))
    assert limited.post("/taps/new", fields_of(estate)).status_code == 400
    assert not Change.objects.exists()


def said_of(answer: Any) -> dict[str, str]:
    """{field: its words} of what the check puts beside the fields."""
    parts = re.findall(r'innerHTML:#said-(\w+)">(.*?)</div>', answer.content.decode(), re.S)
    return {name: html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))).strip() for name, text in parts}


def checked(estate: Estate, **typed: str) -> dict[str, str]:
    return said_of(signed_in("operator").get("/taps/check", {"destination": "", "name": "", "resource_group": "", "tags": "", **typed}))


def test_while_one_types_nothing_is_said_of_what_is_empty_and_the_rest_is_judged(estate: Estate) -> None:
    free = f"{make_load_balancer(subnet=estate.subnet, members=(estate.collector,), name='ilb-free').arm_id}/frontendIPConfigurations/frontend"
    assert set(checked(estate).values()) == {""}
    assert "begins with a letter or digit" in checked(estate, name="-tap")["name"]
    assert "“x” is no tag" in checked(estate, tags="x")["tags"]
    assert "no rule speaks against this collector" in checked(estate, destination=free)["destination"].lower()
    taken = checked(estate, destination=free, name=estate.tap.name, resource_group="rg-net")
    assert taken["name"] == f"There is a TAP {estate.tap.name} in rg-net already."
    assert "There is no resource group rg-nobody" in checked(estate, destination=free, name="tap-two", resource_group="rg-nobody")["resource_group"]
    assert not Change.objects.exists()


def test_while_one_types_an_unfit_collector_says_the_rule_and_what_mends_it(estate: Estate) -> None:
    empty = f"{make_load_balancer(subnet=estate.subnet, name='ilb-empty').arm_id}/frontendIPConfigurations/frontend"
    said = checked(estate, destination=empty)["destination"]
    assert "ilb-empty" in said
    assert "No rule speaks against" not in said


def test_the_check_is_for_operators_and_asks_as_much_whatever_is_typed(estate: Estate) -> None:
    assert signed_in("viewer").get("/taps/check").status_code == 403
    client = signed_in("operator")
    address = f"/taps/check?name=tap-two&resource_group=rg-net&destination={destination_of(estate)}"
    few = queries_of(lambda: client.get(address))
    make_load_balancer(subnet=estate.subnet, members=(estate.collector,), name="ilb-more")
    assert queries_of(lambda: client.get(address)) == few
