"""How many bytes a mirror carried, as evidence tells it: only what was measured, of the life within the days, and how much of it that is."""

from array import array
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.taps.lives import make_life
from tests.taps.people import bearer, person
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope
from vtapweb.taps.models import Mirror
from vtapweb.taps.selectors.mirrored_bytes import MirroredBytes, mirrored_bytes
from vtapweb.traffic.history.backend import Minutes
from vtapweb.traffic.history.chunks import SqlHistory
from vtapweb.traffic.models import SourceFlow
from vtapweb.traffic.words import bytes_words

pytestmark = pytest.mark.django_db

ALL = Scope.everything()
DAY = datetime(2026, 11, 20, tzinfo=UTC)
NOW = DAY + timedelta(days=2)
COLLECTOR = "c" * 26
MEGABIT = 8e6  # a megabyte a second


def life(name: str = "nic-1", hours: float = 2, **fields: Any) -> Mirror:
    """Of DAY, from midnight on."""
    ended = {"state": "ended", "ended_at": DAY + timedelta(hours=hours)} if hours else {}
    return make_life(name, **{"origin": "change", "reason": "x", "began_by": "ada", "began_at": DAY, "first_seen_at": DAY, **ended, **fields})


def seen(one: Mirror, *, minutes: int = 120, collector: str = COLLECTOR, first: datetime = DAY, bits: float = MEGABIT) -> None:
    SourceFlow.objects.create(
        tap_configuration_key=one.tap_configuration_key, collector_key=collector, nic_key=one.nic_key, first_at=first,
        last_at=first + timedelta(minutes=max(1, minutes)),
    )  # fmt: skip
    if minutes:
        columns = {"bits": array("f", [bits] * minutes), "packets": array("f", [1.0] * minutes)}
        SqlHistory().write([Minutes(collector, int(first.timestamp()), {one.nic_key: columns})])


def told(one: Mirror, since: datetime | None = None, until: datetime | None = None, scope: Scope = ALL) -> MirroredBytes | None:
    return mirrored_bytes(scope, [one], since=since, until=until, now=NOW).get(one.pk)


def test_a_life_that_was_measured_whole() -> None:
    one = life()
    seen(one)
    assert told(one) == MirroredBytes(7_200_000_000, 7200, 7200)
    assert told(one, DAY + timedelta(minutes=7), DAY + timedelta(minutes=62)) == MirroredBytes(3_300_000_000, 3300, 3300)  # within steps, too


def test_what_was_not_measured_is_said_and_never_0() -> None:
    half = life(hours=4)
    seen(half)
    assert told(half) == MirroredBytes(7_200_000_000, 7200, 14_400)
    assert told(half).words == "7.2 GB in the 50 % of the time that was measured"  # type: ignore[union-attr] # it is told
    never = life("nic-2")
    assert told(never) == MirroredBytes(None, 0, 7200)
    assert told(never).words == "not known"  # type: ignore[union-attr] # it is told
    elsewhen = life("nic-3")
    seen(elsewhen, first=DAY + timedelta(hours=8))
    assert told(elsewhen) == MirroredBytes(None, 0, 7200)
    quiet = life("nic-4")
    seen(quiet, bits=0.0)
    assert told(quiet) == MirroredBytes(0, 7200, 7200)


def test_older_than_any_history_is_not_known() -> None:
    old = life("nic-1", began_at=DAY - timedelta(days=90), first_seen_at=DAY - timedelta(days=90), ended_at=DAY - timedelta(days=80))
    seen(old, first=DAY - timedelta(days=90))
    assert told(old) == MirroredBytes(None, 0, 864_000)


def test_two_mirrors_of_a_nic_in_one_history_are_nobodys() -> None:
    first = life()
    other = life(tap_configuration_key="o" * 26, tap_configuration_id="/other")
    seen(first)
    seen(other)
    assert told(first) == told(other) == MirroredBytes(None, 0, 7200)
    SourceFlow.objects.filter(tap_configuration_key="o" * 26).update(first_at=NOW, last_at=NOW)
    assert told(first) == MirroredBytes(7_200_000_000, 7200, 7200)


def test_what_is_not_in_scope_is_not_told() -> None:
    one = life()
    seen(one)
    assert told(one, scope=Scope.of(["5a000000-0000-0000-0000-0000000000ff"])) is None


@pytest.mark.parametrize(("count", "words"), [(0, "0 B"), (999, "999 B"), (1_234_567, "1.2 MB"), (45_000_000_000, "45 GB")])
def test_bytes_for_people(count: int, words: str) -> None:
    assert bytes_words(count) == words


@time_machine.travel(NOW, tick=False)
def test_page_csv_and_api_tell_the_same(client: Client) -> None:
    seen(life())
    life("nic-2")
    client.force_login(person(Role.VIEWER))
    page = client.get("/evidence?of=&since=2026-11-20&until=2026-11-20").content.decode()
    assert "7.2 GB" in page
    assert 'title="No history of a collector covers this time.">not known' in page
    items = client.get("/api/v1/evidence?since=2026-11-20&until=2026-11-20", headers=bearer(Role.VIEWER)).json()["items"]
    assert {(one["nic"], one["bytes"], one["bytes_measured_s"], one["bytes_wanted_s"]) for one in items} == {
        ("nic-1", 7_200_000_000, 7200, 7200), ("nic-2", None, 0, 7200),
    }  # fmt: skip
    text = b"".join(client.get("/evidence.csv?since=2026-11-20&until=2026-11-20").streaming_content).decode()  # type: ignore[attr-defined] # streamed
    assert "7200000000,7200,7200" in text


@pytest.mark.parametrize("number", [1, 20])
def test_queries_do_not_grow_with_lives(django_assert_num_queries: DjangoAssertNumQueries, number: int) -> None:
    lives = [life(f"nic-{one}") for one in range(number)]
    for one in lives:
        seen(one)
    with django_assert_num_queries(3):
        assert len(mirrored_bytes(ALL, lives, since=None, until=None, now=NOW)) == number
