"""Live rates as Prometheus figures: per collector what arrives, what is lost and how old that is, and how far the history is. From Redis alone.

Whoever may read /metrics may read all of it: the figures are of every subscription.
"""

import math
from collections.abc import Iterator
from datetime import datetime
from typing import cast

import redis
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vtapweb.domain.scope import Scope
from vtapweb.traffic.capacity import capacities_of
from vtapweb.traffic.keys import METER, METER_COUNTS, SAMPLES, STORED
from vtapweb.traffic.models import Alarm, HealthLease
from vtapweb.traffic.samples import CollectorNow, decode_meter
from vtapweb.traffic.selectors.collectors import collectors_of
from vtapweb.traffic.showing import is_late, now_of
from vtapweb.traffic.store import NoStoreError, store

LABELS = ["collector", "key"]
RATES = (
    ("vtapweb_collector_bits_per_second", "Inner bits that arrive at the collector; NaN: not known", "inner_bits_per_s"),
    ("vtapweb_collector_wire_bits_per_second", "The same with the tunnel's headers", "wire_bits_per_s"),
    ("vtapweb_collector_packets_per_second", "Mirrored packets that arrive", "packets_per_s"),
    ("vtapweb_collector_drops_per_second", "Packets that the collector itself lost", "drops_per_s"),
)


def traffic_gauges(registry: CollectorRegistry, *, now: datetime) -> None:
    """Adds the figures to `registry`. NaN is not known. About 13 queries and five calls of Redis. Raises DatabaseError."""
    collectors = collectors_of(Scope.everything())
    live = now_of((one.key for one in collectors), at=now)
    capacities = capacities_of(Scope.everything(), collectors)
    rates = [(Gauge(name, words, LABELS, registry=registry), field) for name, words, field in RATES]
    age = Gauge("vtapweb_collector_sample_age_seconds", "Since the newest sample of any member came; NaN: none ever did", LABELS, registry=registry)
    reporting = Gauge("vtapweb_collector_members_reporting", "Machines that report", LABELS, registry=registry)
    members = Gauge("vtapweb_collector_members", "Machines that Azure lists behind it", LABELS, registry=registry)
    capacity = Gauge("vtapweb_collector_capacity_bits_per_second", "What it takes, on the wire; NaN: not known", LABELS, registry=registry)
    for one in collectors:
        found = live.get(one.key)
        for gauge, field in rates:
            gauge.labels(one.name, one.key).set(_number(getattr(found, field) if found else None))
        age.labels(one.name, one.key).set(_age_s(found, now))
        reporting.labels(one.name, one.key).set(sum(not is_late(member, now) for member in found.members) if found else 0)
        members.labels(one.name, one.key).set(one.member_count)
        capacity.labels(one.name, one.key).set(_number(capacities[one.key].bits_per_s))
    _meter(registry, now)
    _alarms(registry, now)


def _alarms(registry: CollectorRegistry, now: datetime) -> None:
    """Open alarms by severity and whether they are muted, every pair there also when it is 0; and how old the judgement is. Two queries."""
    labels = ["severity", "muted"]
    opened = Gauge("vtapweb_alarms_open", "Alarms that are open; muted ones are counted apart", labels, registry=registry)
    untaken = Gauge("vtapweb_alarms_untaken", "Those of them that nobody has taken", labels, registry=registry)
    judged = Gauge("vtapweb_watch_judgement_age_seconds", "Since health was last judged; NaN: never", registry=registry)
    for severity in Alarm.Severity.values:
        for muted in ("no", "yes"):
            opened.labels(severity, muted).set(0)
            untaken.labels(severity, muted).set(0)
    rows = Alarm.objects.filter(state=Alarm.State.OPEN).values_list("severity", "owner", "muted_until")
    for severity, owner, until in rows:
        muted = "yes" if until is not None and until > now else "no"
        opened.labels(severity, muted).inc()
        if not owner:
            untaken.labels(severity, muted).inc()
    at = HealthLease.objects.filter(pk=1).values_list("evaluated_at", flat=True).first()
    judged.set(max(0.0, (now - at).total_seconds()) if at is not None else math.nan)


def _meter(registry: CollectorRegistry, now: datetime) -> None:
    tick = Gauge("vtapweb_meter_tick_age_seconds", "Since the meter's last tick; NaN: no meter works", registry=registry)
    waiting = Gauge("vtapweb_meter_samples_kept", "Samples in the stream that the meter reads, read ones included", registry=registry)
    stored = Gauge("vtapweb_history_age_seconds", "Since the newest minute that is in the history; NaN: none yet", registry=registry)
    try:
        client = store()
        meter, mark = cast("bytes | None", client.get(METER)), cast("bytes | None", client.get(STORED))
        length = client.xlen(SAMPLES)
        counts = cast("dict[bytes, bytes]", client.hgetall(METER_COUNTS))
    except (NoStoreError, redis.RedisError):
        for gauge in (tick, waiting, stored):
            gauge.set(math.nan)
        return
    tick.set(max(0.0, now.timestamp() - decode_meter(meter).at_ms / 1000) if meter is not None else math.nan)
    waiting.set(length)
    stored.set(now.timestamp() - int(mark) if mark is not None else math.nan)
    registry.register(_MeterCounts({name.decode(): float(value) for name, value in counts.items()}))


class _MeterCounts(Collector):
    """What the meter counts of itself, see meter.service.Service.counts; nothing while no meter works."""

    def __init__(self, counts: dict[str, float]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        for name, value in self._counts.items():
            if name.endswith("_total"):
                yield CounterMetricFamily(f"vtapweb_meter_{name}", "Since the meter began; see docs/operations.md", value)
            else:
                yield GaugeMetricFamily(f"vtapweb_meter_{name}", "At the last tick; see docs/operations.md", value)


def _age_s(found: CollectorNow | None, now: datetime) -> float:
    newest = max((one.arrived_ms for one in found.members), default=0) if found else 0
    return max(0.0, now.timestamp() - newest / 1000) if newest else math.nan


def _number(value: float | None) -> float:
    return math.nan if value is None else value
