"""Azure Monitor as the source of a collector's numbers: what is asked of it, what is made of its answers, what is said where it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import pytest
import redis

from tests.contract.http import InProcess, Reply
from tests.inventory.factories import NOW, make_estate, make_nic, make_tap
from tests.traffic.estate import make_pool
from tests.traffic.meter_stage import Stage as MeterStage
from tests.traffic.watching import collector_now, member_now
from tests.valkey import Valkey
from vtapweb.cloud.connect import cloud_from_settings
from vtapweb.cloud.port import LOAD_BALANCER_METRICS, NIC_METRICS, CloudError, Failure
from vtapweb.cloud.sdk import AzureCloud
from vtapweb.cloud.types import MetricSeries
from vtapweb.domain.health import CollectorState
from vtapweb.domain.scope import Scope
from vtapweb.inventory.actions import sync_run_in_foreground
from vtapweb.inventory.models import NetworkInterface
from vtapweb.simulator import contoso
from vtapweb.simulator.contoso import PROD
from vtapweb.simulator.server import Request, Server
from vtapweb.traffic import keys
from vtapweb.traffic.actions.azure_monitor import CALLS_A_MINUTE, MOST_RESOURCES, Read, azure_monitor_read
from vtapweb.traffic.models import Alarm
from vtapweb.traffic.pulling.azure import answers, asked_of, points_of, window
from vtapweb.traffic.pulling.notes import Note, notes_of
from vtapweb.traffic.samples import Origin, Point, Points, decode_sample, encode
from vtapweb.traffic.selectors.collectors import collectors_of
from vtapweb.traffic.watch.run import Watch

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

NOW_S = 1_800_000_030.0  # half a minute into one
END_S = 1_799_999_880  # the newest minute that has been over for two ends here


def simulated(server: Server) -> AzureCloud:
    """The simulator's Azure, in process."""

    def answer(method: str, url: str, headers: Any, body: bytes) -> Reply:
        response = server.handle(Request(method, url, headers, body))
        return Reply(response.status, response.body, response.headers, "drop" if response.is_dropped else "")

    return cloud_from_settings(cloud="simulator", endpoint="http://127.0.0.1:8080", token="reader", transport=InProcess(bodies=answer))


def no_waiting(_seconds: float) -> None:
    raise AssertionError("nothing else works on this run")


@dataclass
class Monitor:
    """An Azure Monitor that counted 6,000 octets and 60 packets a minute of every resource, but what `totals` says of a minute's begin."""

    totals: dict[float, float | None] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)  # names of resources
    fails: dict[str, CloudError] = field(default_factory=dict)  # by region
    calls: list[tuple[str, str, str, int]] = field(default_factory=list)
    is_closed: bool = False

    def metric_totals(
        self, subscription_id: str, region: str, resource_ids: Sequence[str], names: Sequence[str], start: datetime, end: datetime, interval: str,
        *, namespace: str = "", split_by: str = "",
    ) -> tuple[MetricSeries, ...]:  # fmt: skip
        self.calls.append((subscription_id, region, namespace, len(resource_ids)))
        assert (start.timestamp(), end.timestamp(), interval) == (*window(NOW_S), "PT1M")
        if region in self.fails:
            raise self.fails[region]
        minutes = range(int(start.timestamp()), int(end.timestamp()) + 60, 60)  # one more than was asked for
        return tuple(
            MetricSeries(
                resource_id=one.upper(), name=name, dimension=dimension,
                totals=tuple((float(at), self.totals.get(at, 60.0 if name.startswith("Packet") else 6_000.0)) for at in minutes),
            )
            for one in resource_ids
            if one.rsplit("/", 1)[-1] not in self.silent
            for name in names
            for dimension in (["10.0.1.99", "10.0.1.100"] if split_by else [""])
        )  # fmt: skip

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def client(valkey: Valkey) -> "redis.Redis":
    return redis.Redis.from_url(valkey.url)


def tap_to(nic: NetworkInterface, *, location: str) -> str:
    """The key of the collector that a new TAP of this region leads to."""
    return make_tap(f"tap-{nic.name}", destination_id=f"{nic.arm_id}/ipConfigurations/ipconfig1", location=location).destination_key


def run(client: "redis.Redis", monitor: Monitor) -> Read:
    read = azure_monitor_read(client, now_s=NOW_S, opener=lambda: monitor, steady_s=lambda: 0.0)
    assert read is not None
    return read


def sent(client: "redis.Redis") -> list[Points]:
    """What the meter will read, emptied."""
    found = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(keys.SAMPLES))
    client.delete(keys.SAMPLES)
    samples = [decode_sample(fields[keys.FIELD.encode()]) for _, fields in found]
    assert all(isinstance(one, Points) for one in samples)
    return cast("list[Points]", samples)


def note_of(collector_key: str, nic_key: str) -> Note:
    name = f"{collector_key}/azure_monitor:{nic_key}"
    return notes_of([name])[name]


@pytest.mark.both_databases
def test_a_collector_that_nobody_else_tells_of_is_read(client: "redis.Redis") -> None:
    estate = make_estate()
    monitor = Monitor()
    assert run(client, monitor).points == 14
    assert monitor.is_closed
    (sample,) = sent(client)
    assert (sample.collector, sample.nic_key, sample.member) == (estate.tap.destination_key, estate.collector.key, "azure-monitor:nic-packetlog")
    assert (sample.origin, sample.interval_s, sample.lag_s) == (Origin.AZURE_MONITOR, 60.0, NOW_S - END_S)
    assert sample.points[-1] == Point(END_S * 1000, 1.0, 100.0), "totals of a minute, as rates; the minute that is still filling is not counted"
    note = note_of(sample.collector, sample.nic_key)
    assert (note.what, note.problem, note.newest_ms, note.lag_s) == ("the NIC nic-packetlog", "", END_S * 1000, 150.0)


def test_a_minute_without_a_total_is_no_point_and_never_zero(client: "redis.Redis") -> None:
    make_estate()
    run(client, Monitor({END_S - 60: None, END_S - 120: 0.0}))
    (sample,) = sent(client)
    assert [one.end_ms // 1000 - END_S for one in sample.points[-2:]] == [-120, -60]
    assert sample.points[-1] == Point((END_S - 60) * 1000, 0.0, 0.0), "a measured zero is one"
    assert sample.lag_s == 210.0


def test_nothing_is_told_of_what_azure_monitor_does_not_know(client: "redis.Redis") -> None:
    estate = make_estate()
    assert run(client, Monitor(silent={"NIC-PACKETLOG", "nic-packetlog"})).points == 0
    assert sent(client) == []
    assert note_of(estate.tap.destination_key, estate.collector.key).problem == "Azure Monitor has no figures of the last minutes."


@pytest.mark.both_databases
def test_what_another_source_tells_of_is_not_asked(client: "redis.Redis") -> None:
    pool = make_pool()
    (collector,) = collectors_of(Scope.everything())
    first, second = pool.members
    now_ms = int(NOW_S * 1000)

    def asked(*nic_keys: str, ago_s: float = 1.0, origin: Origin = Origin.AGENT) -> list[str]:
        heard = [member_now(NOW_S - ago_s, member=f"m-{at}", nic_key=key, origin=origin) for at, key in enumerate(nic_keys)]
        return [one.nic_key for one in asked_of(collector, collector_now(pool.key, *heard), now_ms=now_ms)]

    both = [first.key, second.key]
    assert asked() == both
    assert asked(first.key) == [second.key]
    assert asked(first.key, second.key) == []
    assert asked("") == [], "whoever names no machine may tell of all"
    assert asked("", ago_s=700) == both
    assert asked("", ago_s=700, origin=Origin.REMOTE_WRITE) == both
    assert asked(*both, origin=Origin.AZURE_MONITOR) == both


@pytest.mark.both_databases
def test_the_frontend_is_asked_where_the_machines_cannot_all_be_named(client: "redis.Redis") -> None:
    pool = make_pool()
    NetworkInterface.objects.filter(key=pool.members[1].key).update(removed_at=NOW)
    (collector,) = collectors_of(Scope.everything())
    (one,) = asked_of(collector, None, now_ms=0)
    assert (one.namespace, one.nic_key, one.address, one.resource_id) == (
        LOAD_BALANCER_METRICS, "", collector.address, pool.frontend_id.split("/frontendIPConfigurations")[0],
    )  # fmt: skip
    series = [
        MetricSeries(resource_id=one.resource_id, name=name, totals=((0.0, total),), dimension=address)
        for address, total in ((collector.address, 600.0), ("10.9.9.9", 9e9))
        for name in ("ByteCount", "PacketCount")
    ]
    assert points_of(one, answers(series), end_s=60) == [Point(60_000, 10.0, 10.0)], "other frontends are other collectors"


def test_calls_are_few_and_of_one_place(client: "redis.Redis") -> None:
    estate = make_estate()
    for number in range(60):
        nic = make_nic(f"tool-{number:02}", subnet=estate.subnet, address=f"10.0.1.{number + 20}")
        tap_to(nic, location="westeurope" if number < 2 else "uksouth")
    monitor = Monitor()
    assert run(client, monitor).calls == 3
    assert sorted(call[1:] for call in monitor.calls) == [
        ("uksouth", NIC_METRICS, 9), ("uksouth", NIC_METRICS, MOST_RESOURCES), ("westeurope", NIC_METRICS, 2),
    ]  # fmt: skip
    assert len(sent(client)) == 61


def test_a_refusal_of_one_place_is_said_and_asked_again(client: "redis.Redis") -> None:
    estate = make_estate()
    far = make_nic("tool-far", subnet=estate.subnet, address="10.0.1.40")
    key = tap_to(far, location="westeurope")
    refused = CloudError(Failure.FORBIDDEN, code="AuthorizationFailed", message="No right to read metrics.")
    monitor = Monitor(fails={"westeurope": refused})
    assert list(run(client, monitor).problems.values()) == ["No right to read metrics. (AuthorizationFailed)"]
    assert [one.collector for one in sent(client)] == [estate.tap.destination_key]
    assert note_of(key, far.key).problem == "No right to read metrics. (AuthorizationFailed)"
    monitor.fails.clear()
    run(client, monitor)
    assert {one.collector for one in sent(client)} == {key, estate.tap.destination_key}
    assert note_of(key, far.key).problem == ""


def test_azure_is_left_alone_when_it_says_so(client: "redis.Redis") -> None:
    estate = make_estate()
    throttled = CloudError(Failure.THROTTLED, code="TooManyRequests", message="Slow down.", retry_after_s=300.0)
    monitor = Monitor(fails={"uksouth": throttled})
    run(client, monitor)
    (hold,) = [one.decode() for one in cast("list[bytes]", client.keys(f"{keys.PULL_HOLD}*"))]
    assert 200_000 < client.pttl(hold) <= 300_000
    run(client, monitor)
    assert len(monitor.calls) == 1
    assert "said when to come back" in note_of(estate.tap.destination_key, estate.collector.key).problem
    client.delete(hold)
    monitor.fails.clear()
    assert run(client, monitor).points


def test_no_place_is_asked_more_often_than_so(client: "redis.Redis") -> None:
    make_estate()
    monitor = Monitor()
    for _ in range(CALLS_A_MINUTE + 2):
        last = run(client, monitor)
    assert len(monitor.calls) == CALLS_A_MINUTE
    assert "at most 30 times a minute" in next(iter(last.problems.values()))


def test_one_run_at_a_time_and_no_cloud_is_said(client: "redis.Redis") -> None:
    estate = make_estate()
    client.set(f"{keys.PULLING}azure_monitor", "1")
    assert azure_monitor_read(client, now_s=NOW_S, opener=Monitor) is None
    client.delete(f"{keys.PULLING}azure_monitor")

    def closed() -> Monitor:
        raise CloudError(Failure.UNAUTHENTICATED, code="Settings", message="No Azure is named.")

    read = azure_monitor_read(client, now_s=NOW_S, opener=closed)
    assert read is not None
    assert note_of(estate.tap.destination_key, estate.collector.key).problem == "No Azure is named. (Settings)"
    assert not client.exists(f"{keys.PULLING}azure_monitor")


def test_the_note_of_what_is_not_asked_any_more_goes(client: "redis.Redis") -> None:
    estate = make_estate()
    run(client, Monitor())
    now = collector_now(estate.tap.destination_key, member_now(NOW_S, nic_key=estate.collector.key))
    client.hset(keys.NOW, estate.tap.destination_key, encode(now))
    assert run(client, Monitor()).asked == 0
    assert client.hlen(keys.PULLED) == 0


def test_a_closed_appliance_from_azure_to_its_health(valkey: Valkey) -> None:
    """The simulator's estate, its Azure Monitor asked each minute for a quarter of an hour: rates that are those of its traffic, and no alarm."""
    stage = MeterStage(valkey)
    server = Server(contoso.build(), monotonic_s=lambda: stage.clock.mono_ms / 1000, unix_s=lambda: stage.clock.wall_ms / 1000)
    sync_run_in_foreground(subscription_ids=None, actor="the test", opener=lambda: simulated(server), wait=no_waiting)
    key = next(one.key for one in collectors_of(Scope.everything()) if one.name == "nic-ndr-01")
    sensor = f"/subscriptions/{PROD}/resourcegroups/rg-hub-uks/providers/microsoft.network/networkinterfaces/nic-ndr-01"
    watch = Watch(wall_s=lambda: stage.clock.wall_ms / 1000, steady_s=lambda: stage.clock.mono_ms / 1000)
    states = set()
    for turn in range(15 * 12):
        if turn % 12 == 0:
            read = azure_monitor_read(stage.client, now_s=stage.clock.wall_ms / 1000, opener=lambda: simulated(server), steady_s=lambda: 0.0)
            assert read is not None
            assert read.points
        stage.tick()
        stage.clock.go_on(4_000)
        judged = watch.turn()
        assert judged is not None
        if turn > 12:
            states.add(judged.states[key].state)
            assert stage.known(key).packets_per_s is not None
    now = stage.known(key)
    (member,) = now.members
    assert member.measured_ms is not None
    load = server.flows.nic_load(sensor, member.measured_ms // 60_000 - 1)
    assert now.wire_bits_per_s == pytest.approx(load.received_octets * 8 / 60, rel=1e-6)
    assert now.packets_per_s == pytest.approx(load.received_packets / 60, rel=1e-6)
    assert (now.is_estimate, now.has_sources, member.interval_s) == (True, False, 60.0)
    assert member.lag_s is not None
    assert 180 <= member.lag_s < 240
    assert states == {CollectorState.OK}
    assert not Alarm.objects.filter(collector_key=key).exists()
