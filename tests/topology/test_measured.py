"""`GET /api/v1/topology/traffic`: what is known of the collectors' numbers, nothing outside the scope, and no number where there is none."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from tests.inventory.factories import SUBSCRIPTION, Estate, make_estate
from tests.topology.people import bearer
from tests.traffic.played_ring import member_now, tell_collector
from tests.traffic.test_health_selector import make_health
from tests.valkey import Valkey
from vtapweb.domain.health import CollectorState
from vtapweb.events.bus import record_event
from vtapweb.events.types import HealthEvent
from vtapweb.topology.actions import topology_refresh
from vtapweb.topology.models import Placement
from vtapweb.traffic.models import Alarm, CollectorAssignment, HealthLease
from vtapweb.traffic.samples import Origin
from vtapweb.traffic.store import store

pytestmark = pytest.mark.django_db
OTHER = "5a000000-0000-0000-0000-000000000002"


def asked(client: Client, *subscription_ids: str) -> dict[str, Any]:
    cache.clear()  # what was told within two seconds is told again
    answer = client.get("/api/v1/topology/traffic", headers=bearer(*subscription_ids))
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def node_of(kind: str, key: str) -> int:
    return Placement.objects.get(kind=kind, key=key).pk


def on_the_map(**given: Any) -> Estate:
    estate = make_estate(**given)
    topology_refresh()
    return estate


def make_alarm(number: int, **given: Any) -> Alarm:
    now = timezone.now()
    values = {"cause_key": f"cause-{number}", "severity": "alarm", "title": "t", "sentence": "s", "opened_at": now, "changed_at": now, **given}
    return Alarm.objects.create(number=number, **values)


def judged(estate: Estate, state: CollectorState, **given: Any) -> None:
    now = timezone.now()
    HealthLease.objects.update_or_create(pk=1, defaults={"evaluated_at": now})
    make_health(estate.tap.destination_key, state, **given)


def test_a_collector_is_told_with_its_state_its_capacity_and_who_counts(client: Client, valkey: Valkey) -> None:
    estate = on_the_map()
    key = estate.tap.destination_key
    heard_ms = round(timezone.now().timestamp() * 1000)
    member = member_now(origin=Origin.AZURE_MONITOR, interval_s=60.0, lag_s=74.0, arrived_ms=heard_ms)
    tell_collector(store(), key, member, drops_per_s=12.5, is_estimate=True)
    CollectorAssignment.objects.create(
        destination_key=key,
        destination_id=estate.tap.destination_id,
        subscription_id=SUBSCRIPTION,
        capacity_bits_per_s=10**10,
        by="t",
        at=timezone.now(),
    )
    judged(estate, CollectorState.NEAR, rule_ids=["H8"], sentence="It receives 8.7 of 10 Gb/s.")
    make_alarm(117, collector_key=key)
    assert asked(client)["collectors"] == [
        {
            "id": node_of("collector", key), "state": "near", "words": "It receives 8.7 of 10 Gb/s.", "rules": ["H8"], "alarm": "A-117",
            "capacity_bits_per_s": 10**10, "drops_per_s": 12.5, "origin": "Azure Monitor", "interval_s": 60.0, "lag_s": 74.0,
            "arrived_ms": heard_ms, "has_sources": False, "is_estimate": True, "members": 1, "members_missing": 0,
        }
    ]  # fmt: skip


def test_while_nobody_judges_nothing_looks_healthy(client: Client, valkey: Valkey, settings: Settings) -> None:
    estate = on_the_map()
    key = estate.tap.destination_key
    (told,) = asked(client)["collectors"]
    assert (told["state"], told["drops_per_s"], told["arrived_ms"], told["words"]) == ("none", None, None, "")
    heard_ms = round(timezone.now().timestamp() * 1000)
    tell_collector(store(), key, member_now(arrived_ms=heard_ms), inner_bits_per_s=8e9)
    assert asked(client)["collectors"][0]["state"] == "unknown"
    tell_collector(store(), key, member_now(arrived_ms=heard_ms - 60_000), inner_bits_per_s=8e9)
    assert asked(client)["collectors"][0]["state"] == "stale"
    settings.REDIS_URL = ""
    assert asked(client)["collectors"][0]["state"] == "away"


def test_nics_of_which_nothing_arrives_are_named_by_open_alarms(client: Client, valkey: Valkey) -> None:
    estate = on_the_map(nics=4, mirrored=3)
    alone, child, ended = (nic.key for nic in estate.nics[:3])
    make_alarm(118, nic_key=alone, rule_ids=["H4"], sentence="app-01-nic stopped.", subject_subscription_ids=[SUBSCRIPTION])
    children = [
        {"rule_id": "H3", "kind": "source", "key": child, "name": "x", "subscription_id": SUBSCRIPTION, "ended": None},
        {"rule_id": "H3", "kind": "source", "key": ended, "name": "x", "subscription_id": SUBSCRIPTION, "ended": "2026-01-01T00:00:00Z"},
    ]
    make_alarm(119, rule_ids=["H2"], children=children)
    make_alarm(120, nic_key=ended, rule_ids=["H3"], state="cleared", cleared_at=timezone.now() + timedelta(seconds=1))
    told = {one["id"]: one["words"] for one in asked(client)["silent"]}
    assert told == {node_of("nic", alone): "app-01-nic stopped. A-118", node_of("nic", child): "One of A-119."}


def test_nothing_is_told_of_another_subscription(client: Client, valkey: Valkey) -> None:
    estate = on_the_map()
    other = make_estate(subscription_id=OTHER)
    topology_refresh()
    for one in (estate, other):
        tell_collector(store(), one.tap.destination_key, inner_bits_per_s=1e9)
    make_alarm(118, nic_key=estate.nics[0].key, rule_ids=["H4"], subject_subscription_ids=[SUBSCRIPTION])
    assert len(asked(client)["collectors"]) == 2
    told = asked(client, OTHER)
    assert [one["id"] for one in told["collectors"]] == [node_of("collector", other.tap.destination_key)]
    assert told["silent"] == []


@pytest.mark.parametrize("nics", [2, 12])
def test_queries_do_not_grow_with_the_estate(client: Client, valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, nics: int) -> None:
    estate = on_the_map(nics=nics, mirrored=nics)
    for number, nic in enumerate(estate.nics):
        make_alarm(200 + number, nic_key=nic.key, rule_ids=["H4"], subject_subscription_ids=[SUBSCRIPTION])
    asked(client)
    with django_assert_num_queries(19):  # two of them ask for the token, one for what has happened
        assert len(asked(client)["silent"]) == nics
    with django_assert_num_queries(3):  # the next one within two seconds
        client.get("/api/v1/topology/traffic", headers=bearer())


def test_many_screens_share_an_answer_until_something_happens(client: Client, valkey: Valkey) -> None:
    estate = on_the_map()

    def alarm() -> str:
        answer = client.get("/api/v1/topology/traffic", headers=bearer())
        return str(answer.json()["collectors"][0]["alarm"])

    judged(estate, CollectorState.OK)
    assert alarm() == ""
    make_alarm(117, collector_key=estate.tap.destination_key)
    record_event(HealthEvent(alarm=117, deed="raised", collector_key=estate.tap.destination_key), subscription_ids=[SUBSCRIPTION])
    assert alarm() == "A-117"
    assert client.get("/api/v1/topology/traffic", headers=bearer(OTHER)).json() == {"collectors": [], "silent": []}


def test_the_order_of_the_series_is_that_of_the_picture(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    estate = on_the_map()
    make_estate(subscription_id=OTHER)
    topology_refresh()
    for scope in ((), (SUBSCRIPTION,), (OTHER,)):
        picture = client.get("/api/v1/topology", headers=bearer(*scope)).json()
        told = client.get("/api/v1/topology/series", headers=bearer(*scope)).json()
        assert told == {name: picture[name] for name in ("revision", "series_revision", "series")}
        assert (estate.tap.destination_key in told["series"]) == (OTHER not in scope)
    with django_assert_num_queries(3):
        client.get("/api/v1/topology/series", headers=bearer())
