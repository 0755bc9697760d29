"""An estate with numbers, for tests of what a wall shows: who reports, who is judged, what was done."""

import math
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import redis

from tests.inventory.factories import SUBSCRIPTION, Estate, make_estate
from tests.traffic.played_ring import member_now, tell_collector
from tests.traffic.test_health_selector import make_health
from vtapweb.domain.health import CollectorState
from vtapweb.domain.scope import Scope
from vtapweb.topology.actions import topology_refresh
from vtapweb.topology.models import Placement
from vtapweb.topology.picture import current_revision
from vtapweb.topology.series import series_of
from vtapweb.traffic.keys import METER
from vtapweb.traffic.models import CollectorAssignment, HealthLease
from vtapweb.traffic.samples import MeterNow, encode
from vtapweb.traffic.store import store

NOW = datetime(2026, 11, 23, 7, 0, 0, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)


def on_the_map(**given: Any) -> Estate:
    estate = make_estate(**given)
    topology_refresh()
    return estate


def node_of(kind: str, key: str) -> int:
    return Placement.objects.get(kind=kind, key=key).pk


def reports(key: str, bits_per_s: float, *, at_ms: int = NOW_MS, capacity_bits_per_s: int | None = None, **given: Any) -> None:
    """The collector's only member told this at `at_ms`, with packets of 1,000 bits."""
    rates = {"inner_bits_per_s": bits_per_s, "wire_bits_per_s": 1.1 * bits_per_s, "packets_per_s": bits_per_s / 1000}
    member = member_now(arrived_ms=at_ms, measured_ms=at_ms, drop_share_10s=0.0, **rates)
    tell_collector(store(), key, member, at_ms=at_ms, sources=[], **rates, drops_per_s=0.0, **given)
    if capacity_bits_per_s is not None:
        said = {"destination_id": key, "subscription_id": SUBSCRIPTION, "capacity_bits_per_s": capacity_bits_per_s, "by": "t", "at": NOW}
        CollectorAssignment.objects.create(destination_key=key, **said)


def meter_runs(at_ms: int = NOW_MS) -> None:
    client: redis.Redis = store()
    client.set(METER, encode(MeterNow(1, at_ms, at_ms - 60_000, 1, 1)))


def judged(key: str, state: CollectorState, **given: Any) -> None:
    HealthLease.objects.update_or_create(pk=1, defaults={"evaluated_at": NOW})
    make_health(key, state, **given)


def frame(scope: Scope, bits: Mapping[str, float], *, unix_s: float = NOW_MS / 1000) -> bytes:
    """A frame of this scope's picture with so much for each key; packets of 1,000 bits. What is not named is unknown."""
    series = series_of(current_revision(), scope)
    values = [bits.get(key, math.nan) for key in series.keys]
    return struct.pack(f"<IId{2 * len(values)}f", 1, series.series_revision & 0xFFFFFFFF, unix_s, *values, *(one / 1000 for one in values))
