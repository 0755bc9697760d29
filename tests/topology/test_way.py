"""`/map/way/<node>`: each hop of a mirror with state and age; the first broken one named; what may not be read is unknown, never broken."""

import re

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.inventory.factories import SUBSCRIPTION, Estate, make_estate
from tests.traffic.played_ring import member_now, source_now, tell_collector
from tests.valkey import Valkey
from vtapweb.access.models import User
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import TapConfiguration, VirtualMachine, VirtualNetworkPeering
from vtapweb.topology.actions import topology_refresh
from vtapweb.topology.models import Placement
from vtapweb.topology.way import mirror_keys_of
from vtapweb.traffic.store import store
from vtapweb.traffic.ways import Way, capture_filter, ways_of

pytestmark = pytest.mark.django_db
ALL = Scope.everything()


@pytest.fixture
def estate() -> Estate:
    made = make_estate()
    topology_refresh()
    return made


def way(estate: Estate, scope: Scope = ALL) -> Way:
    (found,) = ways_of([TapConfiguration.objects.get(network_interface=estate.nics[0]).key], scope)
    return found


def states(told: Way) -> dict[str, str]:
    return {step.what: step.state for step in told.steps}


def report(estate: Estate, *, age_ms: int = 0, is_seen: bool = False) -> None:
    """What the meter would know of the collector: a report of so long ago, with a packet of the mirror or none."""
    now_ms = round(timezone.now().timestamp() * 1000)
    key = TapConfiguration.objects.get(network_interface=estate.nics[0]).key
    seen = source_now(estate.nics[0].key, tap_configuration_key=key, first_ms=now_ms - 5_000, last_ms=now_ms)
    tell_collector(store(), estate.tap.destination_key, member_now(arrived_ms=now_ms - age_ms), sources=[seen] if is_seen else [])


def test_every_hop_has_a_state_and_an_age(estate: Estate, valkey: Valkey) -> None:
    VirtualMachine.objects.update(power_state="running")
    report(estate, is_seen=True)
    told = way(estate)
    on_the_way = ["VM", "Mirror", "Peering, its side", "Peering, collector’s side", "TAP", "Destination"]
    assert list(states(told)) == [*on_the_way, "Machine", "Reports", "Packets"]
    assert set(states(told).values()) == {"ok"}
    assert told.verdict == "Every hop is as it should be."
    assert [step.age for step in told.steps if not re.match(r"seen .* ago|last packet .* ago", step.age)] == []
    report(estate)
    assert way(estate).verdict == "Every hop is as it should be, and yet no packet was seen at the collector."


def test_the_first_broken_hop_is_named(estate: Estate, valkey: Valkey) -> None:
    VirtualMachine.objects.update(power_state="running")
    VirtualNetworkPeering.objects.filter(virtual_network=estate.hub).update(peering_state="Disconnected")
    report(estate, age_ms=60_000)
    told = way(estate)
    assert told.verdict.startswith("First broken hop: the peering spoke ↔ hub is Disconnected on hub's side.")
    assert {what for what, state in states(told).items() if state == "broken"} == {"Peering, collector’s side", "Reports"}
    assert states(told)["Packets"] == "unknown"  # while it does not report, nobody sees whether any arrive


def test_where_nothing_tells_of_the_collector_it_cannot_be_seen(estate: Estate, valkey: Valkey) -> None:
    told = way(estate)
    assert (states(told)["Reports"], states(told)["Packets"]) == ("unknown", "unknown")
    assert "Not available here" in told.steps[-1].words


def test_what_may_not_be_read_is_unknown_and_not_broken(estate: Estate, valkey: Valkey) -> None:
    report(estate)
    key = TapConfiguration.objects.get(network_interface=estate.nics[0]).key
    assert ways_of([key], Scope.of(["5a000000-0000-0000-0000-000000000009"])) == []
    assert mirror_keys_of(Placement.objects.get(key=key).pk, Scope.of(["5a000000-0000-0000-0000-000000000009"])) == []
    TapConfiguration.objects.filter(key=key).update(virtual_network_tap_key="z" * 26, virtual_network_tap_id="/subscriptions/x/elsewhere")
    (told,) = ways_of([key], Scope.of([SUBSCRIPTION]))
    assert "broken" not in states(told).values()


def test_the_panel_asks_for_it_and_offers_a_capture_filter(estate: Estate, client: Client, valkey: Valkey) -> None:
    client.force_login(User.objects.create_user("ada", role=Role.ADMIN))
    nic = Placement.objects.get(kind="nic", key=estate.nics[0].key).pk
    told = client.get(f"/map/panel/{nic}", headers={"HX-Request": "true"}).content.decode()
    assert f'hx-get="/map/way/{nic}"' in told
    assert "udp port 4789 and src host 10.1.1.4" in told
    assert f'data-map-live="{nic}"' in told
    hops = client.get(f"/map/way/{nic}").content.decode()
    assert "First broken hop" in hops or "No hop is seen to be broken" in hops
    assert "Peering, its side" in hops
    mirror = Placement.objects.get(kind="mirror").pk
    assert "Peering, its side" in client.get(f"/map/way/{mirror}").content.decode()
    free = Placement.objects.get(kind="nic", key=estate.nics[1].key).pk
    assert client.get(f"/map/way/{free}").status_code == 404
    assert "/map/way/" not in client.get(f"/map/panel/{free}", headers={"HX-Request": "true"}).content.decode()


def test_a_capture_filter_names_every_address() -> None:
    assert capture_filter(["10.0.2.4"]) == "udp port 4789 and src host 10.0.2.4"
    assert capture_filter(["10.0.2.4", "10.0.2.5"]) == "udp port 4789 and (src host 10.0.2.4 or src host 10.0.2.5)"
    assert capture_filter([]) == ""


@pytest.mark.parametrize("nics", [2, 12])
def test_queries_do_not_grow_with_the_estate(valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, nics: int) -> None:
    made = make_estate(nics=nics, mirrored=nics)
    key = TapConfiguration.objects.get(network_interface=made.nics[0]).key
    with django_assert_num_queries(26):
        ways_of([key], ALL)
