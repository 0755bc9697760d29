"""Real software that tells us of a collector: Debian's Prometheus and VictoriaMetrics, the OpenTelemetry SDK. What comes out is what was put in."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import cast

import pytest
import pytest_asyncio
import redis
import uvicorn
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from pytest_django.fixtures import Settings

from tests.inventory.factories import make_estate
from tests.traffic import peers
from tests.traffic.peers import DROPS_PER_S, INNER_BITS_PER_S, OCTETS_PER_S, PACKETS_PER_S
from tests.valkey import Valkey
from tests.waiting import eventually
from vtapweb.config import asgi
from vtapweb.config.request_id import with_request_id
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.traffic import keys
from vtapweb.traffic.actions.prometheus import prometheus_read
from vtapweb.traffic.actions.tokens import token_create
from vtapweb.traffic.meter.service import Service
from vtapweb.traffic.meter.tables import Tables
from vtapweb.traffic.models import PrometheusSource
from vtapweb.traffic.pulling.prometheus import Question, ask
from vtapweb.traffic.samples import CollectorNow, MemberNow, Origin, decode_collector
from vtapweb.traffic.store import store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

WITHIN_S = 60.0  # a machine with other work may be slow; what is right does not depend on it


@pytest_asyncio.fixture
async def port(valkey: Valkey) -> AsyncIterator[int]:
    """The web server with the product's application, in this event loop."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(with_request_id(asgi.application), http="httptools", lifespan="off", log_config=None))
    serving = asyncio.create_task(server._serve([listening]))  # serve() would take the signals of the test run
    while not server.started:
        await asyncio.sleep(0)
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving
    await asgi.ingest.close()


class Collector:
    """The collector of an estate, its token, and a meter that works when it is asked."""

    def __init__(self, valkey: Valkey) -> None:
        self.destination_id = make_estate().tap.destination_id
        self.key = arm_key(self.destination_id)
        self.secret = token_create(scope=Scope.everything(), destination_id=self.destination_id, actor="the test")[1]
        self.service = Service(redis.Redis.from_url(valkey.url), Tables(), lease_ms=600_000)
        assert self.service.acquire()

    def now(self) -> CollectorNow | None:
        while self.service.read(block_ms=None):
            continue
        self.service.tick()
        packed = cast("bytes | None", store().hget(keys.NOW, self.key))
        return decode_collector(packed) if packed is not None else None

    def tells(self, *, drops: bool = True) -> MemberNow:
        """Its one member, once what was put in comes out, within a percent."""

        def is_right() -> MemberNow | None:
            now = self.now()
            if now is None or now.packets_per_s != pytest.approx(PACKETS_PER_S, rel=0.01):
                return None
            is_same = now.inner_bits_per_s == pytest.approx(INNER_BITS_PER_S, rel=0.01)
            has_drops = not drops or now.drops_per_s == pytest.approx(DROPS_PER_S, rel=0.1)
            return now.members[0] if is_same and has_drops and now.is_estimate and not now.has_sources else None

        member = eventually(is_right, within_s=WITHIN_S, why="the rates that were put in come out")
        assert member is not None
        return member


@pytest.fixture
def collector(transactional_db: None, valkey: Valkey) -> Collector:
    return Collector(valkey)


# -- senders


async def test_prometheus_remote_writes(collector: Collector, port: int, tmp_path: Path) -> None:
    def play() -> MemberNow:
        with peers.exporter() as exporter:
            config = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - {{job_name: node, static_configs: [{{targets: ["127.0.0.1:{exporter}"], labels: {{instance: sensor-1}}}}]}}
remote_write:
  - url: http://127.0.0.1:{port}/api/ingest/v1/prometheus?every_s=1
    authorization: {{credentials: {collector.secret}}}
    queue_config: {{max_shards: 1, batch_send_deadline: 200ms}}
    write_relabel_configs:
      - {{source_labels: [__name__], regex: 'node_network_receive_.*', action: keep}}
"""
            with peers.prometheus(tmp_path, config):
                return collector.tells()

    member = await asyncio.to_thread(play)
    assert (member.origin, member.member, member.interval_s) == (Origin.REMOTE_WRITE, "sensor-1", 1.0)


async def test_vmagent_remote_writes_all_it_has(collector: Collector, port: int, tmp_path: Path) -> None:
    def play() -> MemberNow:
        with peers.exporter() as exporter:
            scrape = f'scrape_configs: [{{job_name: node, scrape_interval: 1s, static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]}}]\n'
            (tmp_path / "scrape.yml").write_text(scrape)
            (tmp_path / "token").write_text(collector.secret)
            own = peers.free_port()
            command = [
                peers.program("vmagent"), f"-promscrape.config={tmp_path}/scrape.yml", f"-remoteWrite.tmpDataPath={tmp_path}/queue",
                f"-remoteWrite.url=http://127.0.0.1:{port}/api/ingest/v1/prometheus?every_s=1", f"-remoteWrite.bearerTokenFile={tmp_path}/token",
                "-remoteWrite.flushInterval=200ms", f"-httpListenAddr=127.0.0.1:{own}", "-loggerLevel=ERROR", "-memory.allowedBytes=64MB",
            ]  # fmt: skip
            with peers.running(command, f"http://127.0.0.1:{own}/health"):
                return collector.tells()

    member = await asyncio.to_thread(play)
    assert member.origin is Origin.REMOTE_WRITE
    assert member.member.startswith("127.0.0.1:")


async def test_the_opentelemetry_sdk_exports(collector: Collector, port: int) -> None:
    def play() -> MemberNow:
        with exporting(port, collector.secret):
            return collector.tells(drops=False)

    member = await asyncio.to_thread(play)
    assert (member.origin, member.member, member.interval_s) == (Origin.OTLP, "sensor-2", 1.0)


@contextmanager
def exporting(port: int, secret: str) -> Iterator[None]:
    """The SDK with the names of the Collector's hostmetrics, once a second."""
    started_s = time()

    def counted(rate: int) -> list[Observation]:
        count = int(rate * (time() - started_s))
        return [
            Observation(count, {"device": "eth0", "direction": "receive"}),
            Observation(7 * count, {"device": "eth0", "direction": "transmit"}),
            Observation(9 * count, {"device": "lo", "direction": "receive"}),
        ]

    def octets(_options: CallbackOptions) -> list[Observation]:
        return counted(OCTETS_PER_S)

    def packets(_options: CallbackOptions) -> list[Observation]:
        return counted(PACKETS_PER_S)

    exporter = OTLPMetricExporter(
        endpoint=f"http://127.0.0.1:{port}/api/ingest/v1/otlp/v1/metrics?every_s=1", headers={"Authorization": f"Bearer {secret}"}, timeout=20
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1_000)
    provider = MeterProvider([reader], resource=Resource({"host.name": "sensor-2"}), shutdown_on_exit=False)
    meter = provider.get_meter("hostmetrics")
    meter.create_observable_counter("system.network.io", [octets], unit="By")
    meter.create_observable_counter("system.network.packets", [packets], unit="{packet}")
    try:
        yield
    finally:
        provider.shutdown()


# -- servers that are asked


@pytest.mark.parametrize("server", ["prometheus", "victoria-metrics"])
def test_a_server_that_is_there_is_asked(collector: Collector, settings: Settings, tmp_path: Path, server: str) -> None:
    """An hour of scrapes every 15 s; asked as the task does it, and by an expression of one's own."""
    settings.TRAFFIC_PROMETHEUS_HOSTS = ["127.0.0.0/8"]
    now_s = time()
    lines = peers.history(from_s=int(now_s) - 3600, to_s=int(now_s) + 60, every_s=15, instance="10.0.1.5:9100")
    lines += peers.history(from_s=int(now_s) - 3600, to_s=int(now_s) + 60, every_s=15, instance="10.9.9.9:9100")
    serving = peers.prometheus_of if server == "prometheus" else peers.victoria_metrics_of
    with serving(tmp_path, lines) as port:
        source = PrometheusSource(
            destination_key=collector.key, destination_id=collector.destination_id, subscription_id="5a000000-0000-0000-0000-000000000001",
            base_url=f"http://127.0.0.1:{port}/", selector='instance="10.0.1.5:9100"', interval_s=60, by="the test", at="2026-11-22T00:00:00Z",
        )  # fmt: skip
        source.save()
        assert prometheus_read(store(), now_s=now_s) == 1
        assert prometheus_read(store(), now_s=now_s + 30) == 0, "not due yet"
        member = collector.tells()
        assert (member.origin, member.member, member.interval_s) == (Origin.PROMETHEUS, "prometheus:10.0.1.5:9100", 60.0)
        assert member.lag_s is not None
        assert 35 <= member.lag_s < 96
        own = Question(
            collector.key, f"http://127.0.0.1:{port}", 60, octets_query='rate(node_network_receive_bytes_total{device="eth0"}[1m])',
            packets_query='rate(node_network_receive_packets_total{device="eth0"}[1m])', member="all",
        )  # fmt: skip
        (sample,) = ask(own, now_s=now_s)
        assert len(sample.points) == 11
        for point in sample.points:
            assert point.bytes_per_s == pytest.approx(2 * OCTETS_PER_S, rel=0.01)
            assert point.packets_per_s == pytest.approx(2 * PACKETS_PER_S, rel=0.01)
            assert point.drops_per_s is None
