"""The page Coverage: what could go where. Counts, reasons, filters, the way to the chooser, CSV, scope, hostile names, queries."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.inventory.factories import (
    Estate,
    make_estate,
    make_nic,
    make_subnet,
    make_subscription,
    make_tap,
    make_vnet,
)
from tests.taps.conditions import make_all_read, make_conditions
from tests.taps.people import person, viewer
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface, VirtualNetwork, VirtualNetworkPeering, VirtualNetworkTap
from vtapweb.taps import coverage_page
from vtapweb.taps.actions.settings import protect_add
from vtapweb.taps.counting import kind_of
from vtapweb.taps.selectors import matrix as matrix_selectors
from vtapweb.taps.selectors.matrix import matrix, places
from vtapweb.taps.selectors.verdicts import judge_selection
from vtapweb.taps.views import coverage

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

OTHER = "5a000000-0000-0000-0000-000000000002"
HOSTILE = "<script>alert(1)</script>\u202e=cmd()"


@pytest.fixture
def estate() -> Estate:
    """hub: the collector's NIC, TAP tap-one leads to it; peered spoke: app-01 is mirrored, app-02 … app-04 are not."""
    found = make_estate(mirrored=1)
    make_all_read()
    make_conditions()
    return found


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(person(Role.OPERATOR, name="olga"))
    return client


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/coverage{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def cells(text: str) -> dict[str, list[tuple[str, str]]]:
    """{group: [(look, what the cell says) a TAP]}."""
    found = {}
    for row in re.findall(r'<tr data-test="group".*?</tr>', text, re.DOTALL):
        name = unescape(re.search(r'data-name="([^"]*)"', row)[1])  # type: ignore[index] # every row has a name
        found[name] = [(look, unescape(words)) for look, words in re.findall(r'data-look="(\w+)"><a href="[^"]*" title="([^"]*)"', row)]
    return found


@pytest.mark.both_databases
def test_each_cell_counts_every_nic_of_its_group(operator: Client, estate: Estate) -> None:
    make_nic("loose-nic", subnet=estate.spoke_subnet, vm=None, address="10.1.1.90")
    text = page(operator)
    assert "1 of 6 NICs is mirrored (5 belong to VMs). 3 more could be, today." in text
    found = cells(text)
    assert found["spoke"] == [("some", f"spoke → {estate.tap.name}: 3 may go, 1 mirrored there, 1 refused")]
    assert found["hub"] == [("none", f"hub → {estate.tap.name}: 1 refused")]


def test_the_numbers_are_those_of_the_verdicts(estate: Estate) -> None:
    shown = places(Scope.everything(), by="vnet")
    for row in matrix(Scope.everything(), shown, by="vnet").rows:
        for tally in row.tallies.values():
            assert tally.here + tally.may + tally.unknown + tally.refused == len(row.place.nic_keys) == row.coverage.nics
            assert sum(reason.count for reason in tally.reasons) == tally.unknown + tally.refused


def test_classes_of_nics_say_what_each_nic_would(estate: Estate) -> None:
    make_nic("loose-nic", subnet=estate.spoke_subnet, vm=None, address="10.1.1.90")
    NetworkInterface.objects.filter(pk=estate.nics[1].pk).update(tags={"pci": "1"})
    protect_add(kind="tag", value="pci", owner="Payments", contact="x@example.com", acting_user=viewer(Role.ADMIN))
    scope = Scope.everything()
    found = judge_selection(scope, None)
    counted = Counter(
        (source.vnet_key, tap.key, kind, why.rule_id if why else "")
        for source in found.sources
        for tap in found.taps
        for kind, why in [kind_of(found, source, tap)]
    )
    for row in matrix(scope, places(scope, by="vnet"), by="vnet").rows:
        for key, tally in row.tallies.items():
            assert (tally.here, tally.may) == (counted[row.place.key, key, "here", ""], counted[row.place.key, key, "may", ""])
            for reason in tally.reasons:
                assert reason.count == sum(counted[row.place.key, key, kind, reason.finding.rule_id] for kind in ("refused", "unknown"))


def test_nothing_mirrored_is_said_with_how_many_could_be(operator: Client) -> None:
    make_estate(mirrored=0)
    make_all_read()
    make_conditions()
    text = page(operator)
    assert "No traffic is mirrored yet. 4 of 5 NICs could be, today." in text
    assert "Why not the other 1?" in text
    assert 'data-rule="mirror-loop"' in page(operator, "?why=1")


@pytest.mark.both_databases
def test_a_map_without_mirrors_is_told_how_many_could_be(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_estate(mirrored=0)
    make_all_read()
    make_conditions()
    text = operator.get("/coverage/could").content.decode()
    assert "<b>4</b> of <b>5</b> NICs could be, today." in text
    assert "Why not the other 1?" in text
    select = unescape(re.search(r'href="/\?select=([^"]*)"', text)[1])  # type: ignore[index] # the link is what is tested
    assert set(unquote(select).split(",")) == {one.key for one in made.nics}
    monkeypatch.setattr(matrix_selectors, "COULD_MAX", 4)
    assert "counted VNet by VNet" in operator.get("/coverage/could").content.decode()


def opened(estate: Estate, group: str = "spoke") -> str:
    key = {"spoke": estate.spoke.key, "hub": estate.hub.key}[group]
    return f"?place=%3D{key}&goal={estate.tap.key}"


def test_a_cell_opens_its_reasons_and_leads_to_the_chooser(operator: Client, estate: Estate) -> None:
    text = page(operator, opened(estate))
    assert 'data-test="cell-panel"' in text
    assert 'data-test="matrix"' in text
    href = unescape(re.search(r'href="([^"]*)" data-test="to-chooser"', text)[1])  # type: ignore[index] # the link is what is tested
    wanted = parse_qs(urlsplit(href).query)
    assert set(wanted["select"][0].split(",")) == {one.key for one in estate.nics[1:]}
    assert wanted["tap"] == [estate.tap.key]
    chooser = operator.get(href)
    assert chooser.status_code == 200
    assert b'data-test="to-plan"' in chooser.content
    refused = page(operator, opened(estate, "hub"))
    assert 'data-kind="refused"' in refused
    assert "Rule mirror-loop" in refused


def test_htmx_gets_the_panel_alone(operator: Client, estate: Estate) -> None:
    answer = operator.get(f"/coverage{opened(estate)}", headers={"HX-Request": "true"}).content.decode()
    assert 'data-test="cell-panel"' in answer
    assert "<html" not in answer
    assert (
        "<html" in operator.get(f"/coverage{opened(estate)}", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}).content.decode()
    )


def test_a_viewer_sees_all_and_why_he_may_not_plan(client: Client, estate: Estate) -> None:
    client.force_login(person(Role.VIEWER))
    assert "spoke" in cells(page(client))
    text = page(client, opened(estate))
    assert "Planning needs the role operator; yours is viewer." in text
    assert "See these 3 in the chooser" in text


@pytest.mark.both_databases
def test_blind_spots_and_taps_nobody_mirrors_to(operator: Client, estate: Estate) -> None:
    make_tap("tap-idle", destination_id=estate.tap.destination_ip_configuration_id)
    text = page(operator)
    assert "1 blind spot:" in text
    assert "1 TAP nobody mirrors to" in text
    assert set(cells(page(operator, "?show=blind"))) == {"hub"}
    assert [words.split(":")[0] for _, words in cells(page(operator, "?goals=idle"))["spoke"]] == ["spoke → tap-idle"]


@pytest.mark.both_databases
def test_filters_stand_in_the_address(operator: Client, estate: Estate) -> None:
    assert set(cells(page(operator, "?q=SPO"))) == {"spoke"}
    assert "Nothing fits" in page(operator, "?q=nowhere")
    assert cells(page(operator, "?tap=nowhere"))["spoke"] == []
    assert "No NIC here" in page(operator, f"?subscription={OTHER}")
    text = page(operator, "?q=spo&tap=tap&by=subnet")
    assert "spoke / apps" in cells(text)
    assert 'value="spo"' in text
    assert "q=spo&amp;" in re.search(r'href="([^"]*)"[^>]* data-test="csv-matrix"', text)[1]  # type: ignore[index] # the link is what is tested


@pytest.mark.both_databases
def test_by_tag_asks_which_and_counts_those_without(operator: Client, estate: Estate) -> None:
    NetworkInterface.objects.filter(pk=estate.nics[1].pk).update(tags={"Team": f" {HOSTILE}"})
    assert "Which tag?" in page(operator, "?by=tag")
    text = page(operator, "?by=tag&tag=team")
    assert "without the tag" in text
    assert "<script>alert(1)" not in text
    href = next(one for one in re.findall(r'<td class="hit"[^>]*><a href="([^"]*)"', text) if "script" in one)
    assert 'data-kind="may"' in page(operator, unescape(href))
    assert 'data-test="cell-panel"' in page(operator, f"?by=tag&tag=team&place=%3D&goal={estate.tap.key}")


@pytest.mark.both_databases
def test_hostile_names_are_shown_and_obeyed_nowhere(operator: Client, estate: Estate) -> None:
    VirtualNetwork.objects.filter(pk=estate.spoke.pk).update(name=HOSTILE)
    VirtualNetworkTap.objects.update(name=HOSTILE)
    NetworkInterface.objects.filter(pk=estate.nics[1].pk).update(name=HOSTILE)
    for query in ("", opened(estate), "?why=1"):
        text = page(operator, query)
        assert "<script>alert(1)" not in text
        assert "\u202e" not in text


@pytest.mark.both_databases
def test_scope_cuts_groups_and_taps(client: Client, estate: Estate) -> None:
    make_subscription(OTHER, name="corp-secret")
    far = make_vnet("far", subscription_id=OTHER)
    make_nic("far-nic", subnet=make_subnet("far", vnet=far), address="10.9.0.4", mac="")
    client.force_login(person(Role.OPERATOR, subscription_ids=(OTHER,)))
    text = page(client)
    assert cells(text) == {"far": []}
    assert "no TAP yet" in text
    assert client.get(f"/coverage{opened(estate)}").status_code == 404
    assert client.get(f"/coverage?place=%3D{far.key}&goal={estate.tap.key}").status_code == 404
    rows = list(csv.reader(io.StringIO(download(client, "?what=share"))))
    assert [row[0] for row in rows[1:]] == ["far"]


@pytest.mark.parametrize("query", ["?place=", "?place=%3Dnone&goal=x", "?place=%3D&goal=%00"])
def test_a_cell_that_is_none_is_not_found(operator: Client, estate: Estate, query: str) -> None:
    assert operator.get(f"/coverage{query}").status_code == 404


@pytest.mark.parametrize("query", ["?page=9", "?page=x", "?by=region", "?tpage=0", "?tpage=99999999999999999999", "?tpage=7", f"?q={'x' * 5000}"])
def test_what_cannot_be_meant_shows_something(operator: Client, estate: Estate, query: str) -> None:
    page(operator, query)


def download(client: Client, query: str = "") -> str:
    answer = client.get(f"/coverage.csv{query}")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined] # a streamed answer


@pytest.mark.both_databases
def test_csv_holds_every_cell_and_is_on_record(operator: Client, estate: Estate) -> None:
    VirtualNetworkPeering.objects.update(peering_state="Disconnected")
    rows = list(csv.DictReader(io.StringIO(download(operator, "?q=spo"))))
    assert [(row["Group"], row["TAP"], row["NICs"], row["May go there"], row["Mirrored there"], row["Refused"]) for row in rows] == [
        ("spoke", estate.tap.name, "4", "0", "1", "3")
    ]
    assert rows[0]["Deciding rules"] == "reachable (block): 3"
    entry = AuditEntry.objects.filter(action="access.exported").latest("pk")
    assert (entry.target, entry.detail["filters"]) == ("coverage", {"q": "spo"})
    share = list(csv.DictReader(io.StringIO(download(operator, "?what=share"))))
    assert {row["Group"]: row["Mirrored of attached"] for row in share} == {"hub": "0.0", "spoke": "0.25"}


def test_csv_runs_nothing_in_a_spreadsheet(operator: Client, estate: Estate) -> None:
    NetworkInterface.objects.filter(pk=estate.nics[1].pk).update(tags={"team": "=cmd()"})
    assert "'=cmd()" in download(operator, "?by=tag&tag=team&what=share")


@pytest.fixture
def grown(estate: Estate) -> Callable[[], None]:
    """Three VNets more at each call, with NICs, and a TAP."""
    calls = 0

    def grow() -> None:
        nonlocal calls
        for number in range(3 * calls, 3 * calls + 3):
            subnet = make_subnet("more", vnet=make_vnet(f"more-{number}"))
            for each in range(2):
                make_nic(f"more-{number}-{each}-nic", subnet=subnet, address=f"10.2.{number}.{each}", mac="")
        make_tap(f"tap-more-{calls}", destination_id=estate.tap.destination_ip_configuration_id)
        calls += 1

    return grow


@pytest.mark.parametrize("by", ["", "?by=subnet", "?by=tag&tag=team", "?why=1"])
def test_queries_do_not_grow(operator: Client, grown: Any, by: str) -> None:
    grown()
    operator.get(f"/coverage{by}")
    with _counted() as first:
        page(operator, by)
    grown()
    with _counted() as second:
        page(operator, by)
    assert len(first) == len(second) <= 40


def _counted() -> CaptureQueriesContext:
    return CaptureQueriesContext(connection)


def test_a_page_judges_so_many_nics_at_most_and_drops_no_group(operator: Client, estate: Estate, grown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """hub 1, more-… 2 each, spoke 4 NICs, at most three a page: hub and more-0, more-1, more-2, spoke."""
    grown()
    monkeypatch.setattr(coverage_page, "NICS_A_PAGE", 3)
    assert [list(cells(page(operator, f"?page={number}"))) for number in range(1, 6)] == [["hub", "more-0"], ["more-1"], ["more-2"], ["spoke"], []]
    rows = list(csv.DictReader(io.StringIO(download(operator, "?what=share"))))
    assert [row["Group"] for row in rows] == ["hub", "more-0", "more-1", "more-2", "spoke"]


@pytest.mark.both_databases
def test_pages_of_groups_and_of_taps_hold_each_once(operator: Client, estate: Estate, grown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    grown()
    monkeypatch.setattr(coverage, "ROWS_A_PAGE", 2)
    monkeypatch.setattr(coverage, "TAPS_A_PAGE", 1)
    seen: list[str] = []
    for number in range(1, 4):
        text = page(operator, f"?page={number}")
        seen += cells(text)
        assert "of 5 VNets" in text
        assert "TAPs 1–1 of 2" in text
    assert sorted(seen) == ["hub", "more-0", "more-1", "more-2", "spoke"]
    assert "Of the 2 VNets on this page, " in page(operator)
    goals = [page(operator, f"?tpage={number}") for number in (1, 2)]
    assert [cells(one)["hub"][0][1].split(":")[0] for one in goals] == [f"hub → {estate.tap.name}", "hub → tap-more-0"]
