"""The third tick on pages and in the API: seen after the mirror was read back as made, not yet and why, or not to be seen here.

[app-01 … app-0n: spoke] ==Connected== [hub: collector's NIC, tap-collector]
"""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests.inventory.factories import NOW, SUBSCRIPTION, Estate, make_estate
from tests.inventory.pages import queries_of, signed_in
from tests.taps.conditions import make_all_read, make_conditions
from tests.taps.lives import make_life
from tests.taps.test_change_pages import change_of, digests_of, step_of, text_of
from tests.traffic.played_ring import source_now, tell_collector
from tests.valkey import Valkey
from vtapweb.inventory.models import TapConfiguration
from vtapweb.taps.models import Change
from vtapweb.traffic.store import store

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

LATER = NOW + timedelta(minutes=1)  # when the pages are looked at; the mirrors were read back as made at NOW
OTHER = "5a000000-0000-0000-0000-0000000000ff"


def at_ms(second: float) -> int:
    """So many seconds after NOW."""
    return int((NOW.timestamp() + second) * 1000)


class Made:
    """A change that has mirrored the first NICs of an estate."""

    def __init__(self, number: int = 2, at: datetime = NOW) -> None:
        self.estate: Estate = make_estate(nics=number, mirrored=number)
        self.change: Change = change_of(self.estate, state="applied", finished_at=at)
        self.mirrors = [TapConfiguration.objects.get(network_interface=nic) for nic in self.estate.nics]
        for nic, mirror in zip(self.estate.nics, self.mirrors, strict=True):
            step_of(self.change, nic, state="verified", verified_at=at, sent_at=at, target_key=mirror.key, target_id=mirror.arm_id)

    def sees(self, *spans: tuple[int, float, float], is_told_apart: bool = True, heard_s: float = 60) -> None:
        """The collector reports, and saw packets of the NIC with this index from so many seconds after NOW until then."""
        sources = [
            source_now(
                self.estate.nics[at].key, tap_configuration_key=self.mirrors[at].key, first_ms=at_ms(first), last_ms=at_ms(last),
                address=self.estate.nics[at].private_ips[0],
            )
            for at, first, last in spans
        ]  # fmt: skip
        tell_collector(store(), self.estate.tap.destination_key, sources=sources if is_told_apart else None, at_ms=at_ms(heard_s))

    def page(self) -> Any:
        return signed_in().get(f"/changes/{self.change.pk}", headers={"HX-Request": "true"})

    def ticks(self) -> list[str]:
        return re.findall(r'data-tick="(\w+)" data-name="Flowing"', self.page().content.decode())


@time_machine.travel(LATER, tick=False)
def test_flowing_not_yet_and_not_to_be_seen_stand_on_the_page_of_the_change(valkey: Valkey) -> None:
    made = Made()
    assert made.ticks() == ["unknown", "unknown"]
    assert "flow: cannot be seen here" in text_of(made.page())
    made.sees((0, 2, 60), (1, -100, -1))  # the second sent before its mirror was made: in an earlier life
    assert made.ticks() == ["yes", "wait"]
    words = text_of(made.page())
    assert "first packet" in words
    address = made.estate.nics[1].private_ips[0]
    assert f"Nothing from {address} has arrived. Usually the NIC is idle, its VM was not deallocated and started" in words
    page = made.page().content.decode()
    assert f'href="/?node={made.estate.nics[1].key}"' in page
    assert 'data-time="age"' in page
    made.sees((0, 2, 60), (1, 58, 60))
    assert made.ticks() == ["yes", "yes"]
    made.sees(is_told_apart=False)
    assert made.ticks() == ["unknown", "unknown"]
    assert "do not tell its senders apart" in made.page().content.decode()
    made.sees(heard_s=10)
    assert "its collector does not report now" in made.page().content.decode()


@time_machine.travel(LATER, tick=False)
def test_the_page_asks_until_all_flow_and_gets_no_more_than_what_changed(valkey: Valkey) -> None:
    made = Made()
    made.sees((0, 2, 60))
    page, client, address = made.page(), signed_in(), f"/changes/{made.change.pk}"
    assert ", every 2s" in page.content.decode()
    asked = {"s": "applied-2", "h": digests_of(page)}
    assert f'value="{asked["s"]}"' in page.content.decode()
    made.sees((0, 2, 61))
    assert digests_of(client.get(address, asked, headers={"HX-Request": "true"})) == []  # newer packets of what flows change nothing
    made.sees((0, 2, 62), (1, 59, 60))
    settled = client.get(address, asked, headers={"HX-Request": "true"})
    assert "HX-Reswap" not in settled.headers  # drawn anew, and it asks no more
    assert ", every" not in settled.content.decode()


@pytest.mark.parametrize(("age", "often"), [(timedelta(minutes=1), ", every 2s"), (timedelta(hours=1), ", every 30s")])
def test_a_mirror_that_stays_silent_is_looked_at_less_often(valkey: Valkey, age: timedelta, often: str) -> None:
    with time_machine.travel(NOW + age, tick=False):
        made = Made()
        made.sees(heard_s=age.total_seconds())
        assert often in made.page().content.decode()


@pytest.mark.both_databases
@time_machine.travel(LATER, tick=False)
def test_what_is_not_made_or_is_gone_is_not_looked_for(valkey: Valkey) -> None:
    made = Made(3)
    made.change.steps.filter(ordinal=1).update(state="failed", error_code="Nope")
    made.change.steps.filter(ordinal=2).update(state="pending", ended_at=None, verified_at=None)
    TapConfiguration.objects.filter(pk=made.mirrors[2].pk).update(removed_at=LATER)
    made.sees()
    assert made.ticks() == ["none", "wait", "none"]
    assert "silence" not in made.page().content.decode()


@pytest.mark.both_databases
@pytest.mark.parametrize("path", ["/changes/{}", "/api/v1/changes/{}"])
def test_the_number_of_queries_does_not_grow_with_mirrors(valkey: Valkey, path: str) -> None:
    made = Made(6)
    client = signed_in()
    address = path.format(made.change.pk)
    client.get(address)
    many = queries_of(lambda: client.get(address))
    made.change.steps.filter(ordinal__gt=1).delete()
    assert queries_of(lambda: client.get(address)) == many


@time_machine.travel(LATER, tick=False)
def test_the_api_tells_the_flow_of_each_step(valkey: Valkey) -> None:
    made = Made()
    made.sees((0, 2, 60))
    first, second = (one["flow"] for one in signed_in().get(f"/api/v1/changes/{made.change.pk}").json()["steps"])
    assert first == {
        "state": "flowing", "configured_at": "2026-11-20T12:00:00Z", "first_packet_at": "2026-11-20T12:00:02Z",
        "last_packet_at": "2026-11-20T12:01:00Z", "why": None,
    }  # fmt: skip
    assert (second["state"], second["first_packet_at"], second["why"]) == ("not_yet", None, None)
    made.sees(is_told_apart=False)
    third = signed_in().get(f"/api/v1/changes/{made.change.pk}").json()["steps"][0]["flow"]
    assert (third["state"], third["why"]) == ("cannot_be_seen", "no_sources")
    assert signed_in(only=(OTHER,)).get(f"/api/v1/changes/{made.change.pk}").status_code == 404


@time_machine.travel(LATER, tick=False)
def test_a_nics_page_knows_when_a_change_made_its_mirror(valkey: Valkey) -> None:
    made = Made(1)
    make_all_read()
    make_conditions()
    nic, mirror = made.estate.nics[0], made.mirrors[0]
    address = f"/nics/{nic.key}"
    made.sees((0, 5, 20))
    assert 'data-tick="yes" data-name="Flowing"' in signed_in().get(address).content.decode()
    make_life(
        nic.name, nic_id=nic.arm_id, nic_key=nic.key, tap_configuration_id=mirror.arm_id, tap_configuration_key=mirror.key,
        subscription_id=SUBSCRIPTION, origin="change", reason="INC-1", began_change=made.change, began_at=NOW + timedelta(seconds=30),
    )  # fmt: skip
    page = signed_in().get(address)
    assert 'data-tick="wait" data-name="Flowing"' in page.content.decode()
    assert "Nothing from" in text_of(page)
    made.sees((0, 5, 60))
    assert "First packet" in text_of(signed_in().get(address))
