"""What /metrics tells of traffic: what arrives, how old that is, and NaN for what nobody knows."""

import math
import re
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pytest_django import DjangoAssertNumQueries, Settings

from tests.traffic.alarms import make_alarm
from tests.traffic.estate import make_pool
from tests.traffic.played_ring import member_now, tell_collector
from tests.valkey import Valkey
from vtapweb.traffic.keys import METER, METER_COUNTS, STORED
from vtapweb.traffic.metrics import traffic_gauges
from vtapweb.traffic.models import HealthLease
from vtapweb.traffic.samples import MeterNow, encode
from vtapweb.traffic.store import store

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def figures() -> dict[str, float]:
    """By name; every figure here is of one collector or of none."""
    registry = CollectorRegistry()
    traffic_gauges(registry, now=NOW)
    lines = generate_latest(registry).decode().splitlines()
    return {re.split(r"[{ ]", line, maxsplit=1)[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_what_arrives_and_how_old_it_is(valkey: Valkey) -> None:
    pool = make_pool()
    client = store()
    member = member_now(arrived_ms=NOW_MS - 2_000)
    tell_collector(client, pool.key, member, inner_bits_per_s=8e6, wire_bits_per_s=9e6, packets_per_s=1e3, drops_per_s=2.0)
    client.set(METER, encode(MeterNow(1, NOW_MS - 500, NOW_MS - 60_000, 1, 1)))
    client.hset(METER_COUNTS, mapping={"lag_seconds": 1.5, "rings_waiting": 3, "lease_lapsed_total": 2})
    client.set(STORED, int((NOW - timedelta(seconds=70)).timestamp()))
    told = figures()
    assert math.isnan(told.pop("vtapweb_watch_judgement_age_seconds"))
    assert told == {
        "vtapweb_collector_bits_per_second": 8e6, "vtapweb_collector_wire_bits_per_second": 9e6, "vtapweb_collector_packets_per_second": 1e3,
        "vtapweb_collector_drops_per_second": 2, "vtapweb_collector_sample_age_seconds": 2, "vtapweb_collector_members_reporting": 1,
        "vtapweb_collector_members": 2, "vtapweb_collector_capacity_bits_per_second": 25e9, "vtapweb_meter_tick_age_seconds": 0.5,
        "vtapweb_meter_samples_kept": 0, "vtapweb_history_age_seconds": 70, "vtapweb_alarms_open": 0, "vtapweb_alarms_untaken": 0,
        "vtapweb_meter_lag_seconds": 1.5, "vtapweb_meter_rings_waiting": 3, "vtapweb_meter_lease_lapsed_total": 2,
    }  # fmt: skip


def test_what_is_not_known_is_nan(settings: Settings) -> None:
    settings.REDIS_URL = ""
    make_pool()
    told = figures()
    unknown = {name for name, value in told.items() if math.isnan(value)}
    assert {"vtapweb_collector_bits_per_second", "vtapweb_collector_sample_age_seconds", "vtapweb_meter_tick_age_seconds"} <= unknown
    assert told["vtapweb_collector_members_reporting"] == 0


@pytest.mark.parametrize("members", [1, 12])
def test_the_number_of_queries_does_not_grow(valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, members: int) -> None:
    make_pool(members=members)
    with django_assert_num_queries(13):
        figures()


def test_open_alarms_are_counted_by_severity_and_muted_ones_apart(valkey: Valkey) -> None:
    make_alarm(101, owner="kim", opened_at=NOW)
    make_alarm(102, muted_until=NOW + timedelta(hours=1), opened_at=NOW)
    make_alarm(103, severity="notice", muted_until=NOW - timedelta(hours=1), opened_at=NOW)
    make_alarm(104, state="cleared", cleared_at=NOW, opened_at=NOW)
    HealthLease.objects.create(evaluated_at=NOW - timedelta(seconds=3))
    registry = CollectorRegistry()
    traffic_gauges(registry, now=NOW)

    def told(name: str, severity: str, muted: str) -> float | None:
        return registry.get_sample_value(f"vtapweb_alarms_{name}", {"severity": severity, "muted": muted})

    assert [told("open", "alarm", "no"), told("open", "alarm", "yes"), told("open", "notice", "no"), told("open", "warning", "no")] == [1, 1, 1, 0]
    assert [told("untaken", "alarm", "no"), told("untaken", "alarm", "yes"), told("untaken", "notice", "no")] == [0, 1, 1]
    assert registry.get_sample_value("vtapweb_watch_judgement_age_seconds") == 3
