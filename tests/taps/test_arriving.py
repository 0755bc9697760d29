"""Whether mirrors' packets arrive, on a TAP's page and in the API's list of TAP configurations.

[app-01 … app-0n: spoke] ==Connected== [hub: collector's NIC, tap-collector]
"""

import csv
import html
import io
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from pytest_django import DjangoAssertNumQueries

from tests.inventory.factories import NOW, SUBSCRIPTION, Estate, make_estate
from tests.inventory.pages import queries_of, signed_in
from tests.taps.conditions import make_all_read, make_conditions
from tests.traffic.alarms import make_alarm
from tests.traffic.played_ring import source_now, tell_collector
from tests.valkey import Valkey
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface, TapConfiguration
from vtapweb.taps.selectors.arriving import ArrivalCounts, Arriving, mirrors_arriving
from vtapweb.topology.actions import topology_refresh
from vtapweb.traffic.models import Alarm
from vtapweb.traffic.store import store

pytestmark = pytest.mark.django_db

ALL = Scope.everything()
OTHER = "5a000000-0000-0000-0000-0000000000ff"
LATER = NOW + timedelta(minutes=10)


class Mirrored:
    """An estate of which the first NICs are mirrored; `sends` is what the collector saw of some of them a second ago."""

    def __init__(self, number: int) -> None:
        self.estate: Estate = make_estate(nics=number, mirrored=number)
        make_all_read()
        make_conditions()
        self.mirrors = [TapConfiguration.objects.get(network_interface=nic) for nic in self.estate.nics]

    def sends(self, *indexes: int, is_told_apart: bool = True) -> None:
        at_ms = int(LATER.timestamp() * 1000)
        sources = [
            source_now(
                self.estate.nics[one].key, tap_configuration_key=self.mirrors[one].key, first_ms=int(NOW.timestamp() * 1000) + 5000, last_ms=at_ms,
                address=self.estate.nics[one].private_ips[0],
            )
            for one in indexes
        ]  # fmt: skip
        tell_collector(store(), self.estate.tap.destination_key, sources=sources if is_told_apart else None, at_ms=at_ms)

    def silent(self, *indexes: int, number: int = 117, collector_key: str = "", **given: Any) -> None:
        """An open alarm that says of these NICs that nothing arrives."""
        children = [
            {
                "rule_id": "H3", "kind": "source", "key": self.estate.nics[one].key, "name": self.estate.nics[one].name,
                "subscription_id": SUBSCRIPTION, "collector_key": collector_key or self.estate.tap.destination_key,
                "since": NOW.isoformat(), "ended": None,
            }
            for one in indexes
        ]  # fmt: skip
        make_alarm(number, children=children, child_count=len(children), subscription_ids=[SUBSCRIPTION], **given)


def words_of(answer: Any) -> str:
    assert answer.status_code == 200
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


@time_machine.travel(LATER, tick=False)
def test_each_mirror_is_exactly_one_and_silent_is_what_the_map_marks(valkey: Valkey) -> None:
    made = Mirrored(4)
    made.sends(0, 1)
    made.silent(1, 2)  # the second sent once, and has stopped
    states = {one.nic_key: one.state for one in mirrors_arriving(ALL).mirrors}
    assert [states[nic.key] for nic in made.estate.nics] == [Arriving.FLOWING, Arriving.SILENT, Arriving.SILENT, Arriving.NOT_YET]
    counts = mirrors_arriving(ALL).by_tap[made.estate.tap.key]
    assert counts == ArrivalCounts(flowing=1, silent=2, not_yet=1)
    assert not counts.is_silent
    made.sends(is_told_apart=False)
    assert mirrors_arriving(ALL, tap_key=made.estate.tap.key).by_tap[made.estate.tap.key] == ArrivalCounts(silent=2, cannot_be_seen=2)
    assert mirrors_arriving(ALL, tap_key="a" * 26).mirrors == []
    assert mirrors_arriving(Scope.of([OTHER])).mirrors == []


@time_machine.travel(LATER, tick=False)
def test_what_is_silent_elsewhere_is_marked_on_the_map_and_flows_here(valkey: Valkey) -> None:
    made = Mirrored(1)
    made.sends(0)
    made.silent(0, collector_key="z" * 26)
    found = mirrors_arriving(ALL)
    assert [one.state for one in found.mirrors] == [Arriving.FLOWING]
    assert found.nics == {made.estate.nics[0].key: Arriving.SILENT}


@time_machine.travel(LATER, tick=False)
def test_a_taps_page_tells_of_each_source_and_how_many_flow(valkey: Valkey) -> None:
    made = Mirrored(4)
    address = f"/taps/{made.estate.tap.key}"
    assert "0 of 4 flowing, 4 cannot be seen here" in words_of(signed_in().get(address))
    made.sends(0, 1)
    made.silent(2)
    page = signed_in().get(address)
    assert "2 of 4 flowing, 1 silent, 1 not yet" in words_of(page)
    assert re.findall(r'data-test="source-flow" data-state="(\w+)"', page.content.decode()) == ["silent", "wait", "yes", "yes"]
    assert "One of A-117." in words_of(page)
    assert "Its packets were seen at the collector. First packet" in words_of(page)
    assert f'href="/?node={made.estate.nics[2].key}"' in page.content.decode()
    assert 'data-tick="silent" data-name="Flowing"' in signed_in().get(f"/nics/{made.estate.nics[2].key}").content.decode()


def test_a_tap_without_sources_has_nothing_that_could_flow() -> None:
    made = Mirrored(1)
    TapConfiguration.objects.update(removed_at=NOW)
    assert "Do its packets arrive?" not in words_of(signed_in().get(f"/taps/{made.estate.tap.key}"))


def test_a_long_list_says_how_many_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Mirrored(3)
    monkeypatch.setattr("vtapweb.taps.resource_page.FLOWS_SHOWN", 2)
    page = signed_in().get(f"/taps/{made.estate.tap.key}")
    assert "2 of 3 shown, those that do not flow first" in words_of(page)
    assert page.content.decode().count('data-test="source-flow"') == 2


@time_machine.travel(LATER, tick=False)
def test_the_api_tells_of_each_mirror_whether_it_flows_and_since_when(valkey: Valkey) -> None:
    made = Mirrored(2)
    client = signed_in()

    def told() -> list[tuple[Any, Any, Any]]:
        items = {one["nic_id"]: one for one in client.get("/api/v1/tap-configurations").json()["items"]}
        found = [items[nic.arm_id] for nic in made.estate.nics]
        return [(one["flowing"], one["flowing_since"], one["flowing_why"]) for one in found]

    assert told() == [(None, None, "nothing_reports")] * 2
    made.sends(0)
    assert told() == [(True, "2026-11-20T12:00:05Z", None), (False, "2026-11-20T12:00:00Z", None)]
    single = client.get(f"/api/v1/tap-configurations/{made.mirrors[0].key}").json()
    assert (single["flowing"], single["flowing_since"]) == (True, "2026-11-20T12:00:05Z")
    TapConfiguration.objects.filter(pk=made.mirrors[0].pk).update(removed_at=LATER)
    gone = client.get(f"/api/v1/tap-configurations/{made.mirrors[0].key}").json()
    assert (gone["flowing"], gone["flowing_why"]) == (None, "gone")
    assert signed_in(only=(OTHER,)).get("/api/v1/tap-configurations").json()["items"] == []


def test_openapi_describes_the_field() -> None:
    schemas = signed_in().get("/api/v1/openapi.json").json()["components"]["schemas"]
    fields = schemas["TapConfigurationItem"]["properties"]
    assert {"flowing", "flowing_since", "flowing_why", "nic_id", "stale_since"} <= set(fields)
    assert schemas["TapConfigurationPage"]["properties"]["items"]["items"]["$ref"].endswith("/TapConfigurationItem")


@pytest.mark.parametrize("path", ["/api/v1/tap-configurations", "/taps/{}"])
def test_queries_do_not_grow_with_mirrors(valkey: Valkey, path: str) -> None:
    made = Mirrored(6)
    address = path.format(made.estate.tap.key)
    client = signed_in()
    client.get(address)
    many = queries_of(lambda: client.get(address))
    TapConfiguration.objects.filter(pk__in=[one.pk for one in made.mirrors[1:]]).update(removed_at=NOW)
    assert queries_of(lambda: client.get(address)) == many


@pytest.mark.parametrize("number", [1, 20])
def test_the_selector_takes_nine_queries_at_most(valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, number: int) -> None:
    made = Mirrored(number)
    with django_assert_num_queries(8):
        assert len(mirrors_arriving(ALL).mirrors) == number
    made.silent(0)
    with django_assert_num_queries(9):
        assert len(mirrors_arriving(ALL).mirrors) == number


# -- coverage


def marks_of_the_map() -> int:
    cache.clear()  # what was told within two seconds is told again
    return len(signed_in().get("/api/v1/topology/traffic").json()["silent"])


@time_machine.travel(LATER, tick=False)
def test_coverage_tells_what_becomes_of_the_mirrored_as_the_map_marks_it(valkey: Valkey) -> None:
    made = Mirrored(5)
    topology_refresh()
    made.sends(0, 1)
    made.silent(1, 2)
    NetworkInterface.objects.filter(pk=made.estate.nics[4].pk).update(is_mirrored=False)  # a list that was read later than the other
    TapConfiguration.objects.filter(pk=made.mirrors[4].pk).update(removed_at=NOW)
    page = signed_in().get("/coverage")
    assert "Of the mirrored ● 1 flowing ∅ 2 silent … 1 configured, nothing seen yet" in words_of(page)
    assert marks_of_the_map() == 2
    groups = {one["name"]: one for one in signed_in().get("/api/v1/coverage").json()["items"]}
    told = ("mirrored", "flowing", "silent", "not_yet", "cannot_be_seen")
    assert [groups["spoke"][name] for name in told] == [4, 1, 2, 1, 0]
    assert [groups["hub"][name] for name in told] == [0, 0, 0, 0, 0]
    silent = signed_in().get("/coverage?show=silent").content.decode()
    assert re.findall(r'data-test="group" data-name="(\w+)"', silent) == ["spoke"]
    made.sends(is_told_apart=False)
    assert "∅ 2 silent ? 2 cannot be seen here" in words_of(signed_in().get("/coverage"))


@time_machine.travel(LATER, tick=False)
def test_a_tap_is_received_by_nobody_where_something_is_silent_and_nothing_flows(valkey: Valkey) -> None:
    made = Mirrored(2)
    made.sends(0)
    made.silent(1)
    assert "nobody receives" not in words_of(signed_in().get("/coverage"))
    made.sends()
    page = signed_in().get("/coverage")
    assert "1 TAP nobody receives" in words_of(page)
    assert "(configured, and nobody receives it)" in words_of(page)
    chosen = words_of(signed_in().get("/coverage?goals=silent"))
    assert "TAPs nobody receives" in chosen
    assert "TAPs 1–1 of 1" in chosen
    Alarm.objects.update(state="cleared", cleared_at=LATER)
    assert "nobody receives" not in words_of(signed_in().get("/coverage"))
    assert "no TAP fits" in words_of(signed_in().get("/coverage?goals=silent"))


@time_machine.travel(LATER, tick=False)
def test_the_shares_as_csv_hold_what_becomes_of_the_mirrored(valkey: Valkey) -> None:
    made = Mirrored(3)
    made.sends(0)
    made.silent(1)
    answer = signed_in().get("/coverage.csv?what=share&q=spoke")
    (row,) = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig")))  # type: ignore[attr-defined] # streamed
    assert [row[name] for name in ("Mirrored", "Flowing", "Silent", "Nothing seen yet", "Cannot be seen")] == ["3", "1", "1", "1", "0"]


@pytest.mark.parametrize("path", ["/coverage", "/api/v1/coverage"])
def test_queries_of_coverage_do_not_grow_with_mirrors(valkey: Valkey, path: str) -> None:
    made = Mirrored(6)
    made.silent(1)
    client = signed_in()
    client.get(path)
    many = queries_of(lambda: client.get(path))
    TapConfiguration.objects.filter(pk__in=[one.pk for one in made.mirrors[2:]]).update(removed_at=NOW)
    assert queries_of(lambda: client.get(path)) == many <= 50
