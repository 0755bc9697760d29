"""`/api/v1/collectors` and `/api/v1/sources`: rates with age and origin, holes as null, and nothing of another scope."""

import time
from array import array
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from tests.inventory.factories import SUBSCRIPTION
from tests.taps.people import person
from tests.topology.people import bearer
from tests.traffic.estate import OTHER, Pool, make_pool
from tests.traffic.played_ring import member_now, source_now, tell_collector, write_ring
from tests.valkey import Valkey
from vtapweb.access.role import Role
from vtapweb.traffic.history.backend import Minutes
from vtapweb.traffic.history.chunks import SqlHistory
from vtapweb.traffic.history.series import TOTAL, columns_of
from vtapweb.traffic.models import CollectorAssignment, SourceFlow
from vtapweb.traffic.samples import Origin
from vtapweb.traffic.store import store

pytestmark = pytest.mark.django_db


def get(client: Client, path: str, *subscription_ids: str, status: int = 200) -> Any:
    answer = client.get(f"/api/v1/{path}", headers=bearer(*subscription_ids))
    assert answer.status_code == status, answer.content
    return answer.json()


def play(pool: Pool, **given: Any) -> int:
    """Both members report now; the source sends. The current second."""
    now_ms = int(time.time() * 1000)
    members = [
        member_now(
            member=f"m-{index}", nic_key=nic.key, arrived_ms=now_ms, measured_ms=now_ms, inner_bits_per_s=4e6, packets_per_s=500.0,
            drops_per_s={"rx_dropped": 1.0},
        )
        for index, nic in enumerate(pool.members)
    ]  # fmt: skip
    source = source_now(pool.source.key, tap_configuration_key=pool.mirror, first_ms=now_ms - 60_000, last_ms=now_ms, address="10.0.1.80")
    unknown = source_now("", first_ms=now_ms, last_ms=now_ms, address="10.9.9.9", inner_bits_per_s=float("nan"))
    told = {
        "inner_bits_per_s": 8e6, "wire_bits_per_s": 9e6, "wire_bits_per_s_5s": 9e6, "packets_per_s": 1000.0, "drops_per_s": 2.0,
        "sources": [unknown, source], **given,
    }  # fmt: skip
    tell_collector(store(), pool.key, *members, at_ms=now_ms, **told)
    return now_ms // 1000


def test_a_collector_with_members_rates_and_sources(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    play(pool)
    CollectorAssignment.objects.create(
        destination_key=pool.key, destination_id=pool.frontend_id, subscription_id=SUBSCRIPTION, capacity_bits_per_s=90_000_000, by="ada",
        at="2026-11-20T12:00:00Z",
    )  # fmt: skip
    page = get(client, "collectors?q=ILB")
    assert (page["total"], page["next"]) == (1, None)
    found = get(client, f"collectors/{pool.key}")
    listed = page["items"][0]
    assert {name for name in listed if listed[name] != found[name]} <= {"rates"}
    assert (found["name"], found["kind"], found["id"], found["member_count"]) == ("ilb-collector", "load_balancer", pool.frontend_id, 2)
    rates = found["rates"]
    assert (rates["bits_per_s"], rates["wire_bits_per_s"], rates["packets_per_s"], rates["drops_per_s"]) == (8e6, 9e6, 1000, 2)
    assert (rates["is_stale"], rates["is_estimate"], rates["origins"], rates["interval_s"], rates["lag_s"]) == (False, False, ["agent"], 1, None)
    assert 0 <= rates["age_s"] < 60
    assert [(one["name"], one["bits_per_s"], one["drops_per_s"]) for one in found["members"]] == [
        ("tool-0-nic", 4e6, {"rx_dropped": 1}),
        ("tool-1-nic", 4e6, {"rx_dropped": 1}),
    ]
    assert found["capacity"] == {"bits_per_s": 90_000_000, "share": 0.1, "source": "assigned", "words": "said by ada"}
    assert found["health"]["state"] == "unknown"  # nobody judges here
    assert [(one["name"], one["bits_per_s"], one["address"]) for one in found["sources"]] == [
        ("web-01-nic", 8000, "10.0.1.80"),
        ("", None, "10.9.9.9"),
    ]


def test_what_is_not_known_is_null_and_said(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    silent = get(client, f"collectors/{pool.key}")
    assert (silent["rates"]["bits_per_s"], silent["sources"], silent["sources_note"]) == (None, None, "nothing reports from this collector")
    assert (silent["capacity"]["bits_per_s"], silent["capacity"]["source"]) == (25_000_000_000, "vm_size")  # two Standard_D4s_v5
    now_ms = int(time.time() * 1000)
    slow = member_now(origin=Origin.AZURE_MONITOR, interval_s=60.0, lag_s=95.0, arrived_ms=now_ms, measured_ms=now_ms - 95_000, is_estimate=True)
    tell_collector(store(), pool.key, slow, inner_bits_per_s=5.0, is_estimate=True)
    told = get(client, f"collectors/{pool.key}")
    assert told["sources"] is None
    assert told["sources_note"].startswith("not available here")
    assert (told["rates"]["is_estimate"], told["rates"]["lag_s"], told["rates"]["bits_per_s"]) == (True, 95, 5)
    assert 95 <= told["rates"]["age_s"] < 200
    old = member_now(arrived_ms=now_ms - 20_000, measured_ms=now_ms - 20_000)
    tell_collector(store(), pool.key, old, inner_bits_per_s=5.0)
    stale = get(client, f"collectors/{pool.key}")["rates"]
    assert (stale["is_stale"], stale["bits_per_s"]) == (True, None)


def test_live_numbers_that_cannot_be_read_are_away_and_not_none(client: Client, valkey: Valkey, settings: Settings) -> None:
    pool = make_pool()
    none = get(client, f"collectors/{pool.key}")
    assert (none["state"], none["sources_note"]) == ("none", "nothing reports from this collector")
    play(pool)
    assert get(client, f"collectors/{pool.key}")["state"] == "unknown"  # nobody judges here
    settings.REDIS_URL = ""
    away = get(client, f"collectors/{pool.key}")
    assert (away["state"], away["rates"]["bits_per_s"], away["sources"]) == ("away", None, None)
    assert away["sources_note"].startswith("live numbers can't be read now")
    assert [one["state"] for one in get(client, "collectors")["items"]] == ["away"]


def test_the_series_joins_the_ring_and_what_is_kept(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    second = play(pool)
    minute = second // 60 * 60
    write_ring(
        store(), pool.key, minute - 60, {f"{TOTAL}:inner_bits": [100.0] * 60, f"{TOTAL}:packets": [10.0] * 60, f"{pool.source.key}:bits": [7.0] * 60}
    )
    SqlHistory().write([Minutes(pool.key, minute - 7200, {TOTAL: {column: array("f", [50.0]) for column in columns_of(TOTAL)}})])
    short = get(client, f"collectors/{pool.key}/series?from={minute - 120}&to={minute}")
    assert (short["step_s"], short["count"], short["bits_per_s"]) == (1, 120, [None] * 60 + [100] * 60)
    assert short["wire_bits_per_s"] == [None] * 120
    long = get(client, f"collectors/{pool.key}/series?from={minute - 7200}&to={minute}&step_s=1")
    assert (long["step_s"], long["count"]) == (60, 120)
    assert [index for index, value in enumerate(long["packets_per_s"]) if value is not None] == [0, 119]
    assert (long["packets_per_s"][0], long["packets_per_s"][-1]) == (50, 10)
    assert get(client, f"collectors/{pool.key}/series")["count"] in {900, 901}
    source = get(client, f"sources/{pool.source.key}/series?from={minute - 60}&to={minute}")
    (route,) = source["collectors"]
    assert (route["collector_name"], route["is_available"], route["bits_per_s"], route["packets_per_s"]) == (
        "ilb-collector",
        True,
        [7] * 60,
        [None] * 60,
    )


@pytest.mark.parametrize("query", ["from=yesterday", "from=2026-11-20T12:00:00", "from=200&to=100", "from=0", "step_s=-1", "from=-9e99"])
def test_a_time_that_cannot_be_answered_is_refused_in_words(client: Client, query: str) -> None:
    pool = make_pool()
    refused = get(client, f"collectors/{pool.key}/series?{query}", status=400)
    assert refused["title"] == "This time cannot be answered"


def test_a_source_that_cannot_be_seen_is_not_zero(client: Client, valkey: Valkey) -> None:
    pool = make_pool()
    (route,) = get(client, f"sources/{pool.source.key}/series")["collectors"]
    assert (route["is_available"], route["note"]) == (False, "nothing reports from its collector")
    play(pool, sources=None)
    (route,) = get(client, f"sources/{pool.source.key}/series")["collectors"]
    assert (route["is_available"], set(route["bits_per_s"])) == (False, {None})
    assert route["note"].startswith("not available here")
    get(client, f"sources/{'a' * 26}/series", status=404)


def test_neither_of_two_scopes_gets_the_others_series(client: Client, valkey: Valkey) -> None:
    mine, theirs = make_pool(SUBSCRIPTION), make_pool(OTHER, name="ilb-theirs")
    for pool in (mine, theirs):
        play(pool)
    for pool, other in ((mine, theirs), (theirs, mine)):
        own = pool.subscription_id
        assert [one["key"] for one in get(client, "collectors", own)["items"]] == [pool.key]
        get(client, f"collectors/{pool.key}/series", own)
        get(client, f"sources/{pool.source.key}/series", own)
        for path in (f"collectors/{other.key}", f"collectors/{other.key}/series", f"sources/{other.source.key}/series"):
            get(client, path, own, status=404)
    assert len(get(client, "collectors")["items"]) == 2


def test_sources_of_another_scope_are_left_out(client: Client, valkey: Valkey) -> None:
    mine, theirs = make_pool(SUBSCRIPTION), make_pool(OTHER, name="ilb-theirs")
    play(mine, sources=[source_now(theirs.source.key, first_ms=1, last_ms=2), source_now(mine.source.key, first_ms=1, last_ms=2)])
    assert [one["nic_key"] for one in get(client, f"collectors/{mine.key}", SUBSCRIPTION)["sources"]] == [mine.source.key]
    assert len(get(client, f"collectors/{mine.key}")["sources"]) == 2


def test_a_collector_of_another_scope_has_neither_name_nor_key(client: Client, valkey: Valkey) -> None:
    """A NIC that was mirrored to where its readers may not look: what arrived of it is theirs, the collector's key is not."""
    mine, theirs = make_pool(SUBSCRIPTION), make_pool(OTHER, name="ilb-theirs")
    at = timezone.now()
    SourceFlow.objects.create(tap_configuration_key="t" * 26, collector_key=theirs.key, nic_key=mine.source.key, first_at=at, last_at=at)
    told = get(client, f"sources/{mine.source.key}/series", SUBSCRIPTION)["collectors"]
    assert {one["collector_key"] for one in told} == {mine.key, ""}
    assert {one["collector_key"] for one in get(client, f"sources/{mine.source.key}/series")["collectors"]} == {mine.key, theirs.key}
    client.force_login(person(Role.VIEWER, name="limited", subscription_ids=(SUBSCRIPTION,)))
    assert theirs.key not in client.get(f"/nics/{mine.source.key}").content.decode()


@pytest.mark.parametrize("members", [1, 12])
def test_the_number_of_queries_does_not_grow(client: Client, valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, members: int) -> None:
    pool = make_pool(members=members)
    play(pool)
    get(client, "collectors")  # the token is noted as used
    with django_assert_num_queries(17):
        get(client, "collectors")
    with django_assert_num_queries(19):
        get(client, f"collectors/{pool.key}")
    with django_assert_num_queries(18):
        get(client, f"collectors/{pool.key}/series?from=-7200")


def test_the_description_names_every_field(client: Client) -> None:
    described = client.get("/api/v1/openapi.json", headers=bearer()).json()
    series = described["components"]["schemas"]["CollectorSeries"]["properties"]
    assert {"bits_per_s", "wire_bits_per_s", "packets_per_s", "drops_per_s", "step_s", "start_at"} <= set(series)
    asked = {one["name"] for one in described["paths"]["/api/v1/collectors/{key}/series"]["get"]["parameters"]}
    assert asked == {"key", "from", "to", "step_s"}
