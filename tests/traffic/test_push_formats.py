"""Remote-write and OTLP: the same machine told in each format becomes the same counters, and what is no such document is refused."""

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import cramjam
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from vtapweb.domain.rates import MemberRates, Outcome
from vtapweb.traffic.ingest import otlp, remote_write
from vtapweb.traffic.ingest.formats import Refused, Sample, Sender
from vtapweb.traffic.ingest.limits import OCTETS_MOST
from vtapweb.traffic.ingest.mapping import MEANINGS, MEMBERS_MOST, counter_of
from vtapweb.traffic.samples import HOST_COUNTERS, Counters, Origin, Points, decode_sample, encode

AT_MS = 1_700_000_000_000
SENDER = Sender(collector="c" * 26, nic_key="n" * 26, token_name="Sensor 1 (tool)", arrival_ms=AT_MS + 500, interval_s=15.0)
NODE = {
    ("node_network_receive_bytes_total", "eth0"): 6_600.0,
    ("node_network_receive_bytes_total", "enP1s1"): 6_600.0,  # the virtual function under eth0: the same frames
    ("node_network_receive_packets_total", "eth0"): 66.0,
    ("node_network_receive_drop_total", "eth0"): 3.0,
    ("node_softnet_dropped_total", ""): 2.0,
    ("node_netstat_Udp_NoPorts", ""): 5.0,
    ("node_load1", ""): 0.5,
}
HOST = {"rx_bytes": 6_600, "rx_packets": 66, "rx_dropped": 3, "softnet_dropped": 2, "udp_no_ports": 5}


def write_request(series: Mapping[tuple[str, str], float], *, instance: str = "sensor-1:9100", at_ms: int = AT_MS) -> Any:
    request = remote_write.WriteRequest()
    for (name, device), value in series.items():
        one = request.timeseries.add()
        labels = {"__name__": name, "instance": instance, "job": "node", **({"device": device} if device else {})}
        for key, text in labels.items():
            one.labels.add(name=key, value=text)
        one.samples.add(value=value, timestamp=at_ms)
    return request


def packed(request: Any) -> bytes:
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def export_request(series: Mapping[tuple[str, str], float], *, temporality: int = 2, started_ms: int = 0) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="host.name").value.string_value = "sensor-1"
    scope = resource.scope_metrics.add()
    for (name, device), value in series.items():
        sum_ = scope.metrics.add(name=name).sum
        sum_.aggregation_temporality, sum_.is_monotonic = cast("Any", temporality), True
        point = sum_.data_points.add(time_unix_nano=AT_MS * 1_000_000, start_time_unix_nano=started_ms * 1_000_000, as_int=int(value))
        for key, text in (("device", device), ("direction", "receive")):
            point.attributes.add(key=key).value.string_value = text
    return request


def export_json(series: Mapping[tuple[str, str], float]) -> bytes:
    point = {
        "attributes": [{"key": "device", "value": {"stringValue": "eth0"}}, {"key": "direction", "value": {"stringValue": "receive"}}],
        "timeUnixNano": str(AT_MS * 1_000_000),
    }
    metrics = [
        {"name": name, "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [{**point, "asInt": str(int(value))}]}}
        for (name, _), value in series.items()
    ]
    resource = {"attributes": [{"key": "host.name", "value": {"stringValue": "sensor-1"}}]}
    return json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {"name": "x"}, "metrics": metrics}]}]}).encode()


OTEL = {("system.network.io", "eth0"): 6_600.0, ("system.network.packets", "eth0"): 66.0, ("system.network.dropped", "eth0"): 3.0}


def only(samples: list[Sample]) -> Counters:
    (sample,) = samples
    assert isinstance(sample, Counters)
    return sample


def test_the_table_names_counters_that_a_sample_has() -> None:
    assert {meaning.counter for meaning in MEANINGS.values()} <= set(HOST_COUNTERS)


def test_a_write_request_becomes_counters() -> None:
    sample = only(remote_write.decode(packed(write_request(NODE)), "application/x-protobuf", SENDER))
    assert sample == Counters(
        collector="c" * 26, member="sensor-1:9100", origin=Origin.REMOTE_WRITE, interval_s=15.0, arrival_ms=AT_MS + 500, boot=sample.boot,
        seq=AT_MS, mono_ms=AT_MS, wall_ms=AT_MS, is_full=True, packets=None, l3_bytes=None, host=HOST, sources=None, nic_key="n" * 26,
    )  # fmt: skip
    assert decode_sample(encode(sample)) == sample


def test_instants_and_machines_are_told_apart() -> None:
    request = write_request(NODE, at_ms=AT_MS + 15_000)
    request.MergeFrom(write_request(NODE))
    request.MergeFrom(write_request(NODE, instance="sensor-2:9100"))
    samples = remote_write.decode(packed(request), "application/x-protobuf", SENDER)
    assert [(one.member, one.points if isinstance(one, Points) else one.seq) for one in samples] == [
        ("sensor-1:9100", AT_MS),
        ("sensor-1:9100", AT_MS + 15_000),
        ("sensor-2:9100", AT_MS),
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 2.0**70])
def test_what_is_no_counter_is_passed_over(value: float) -> None:
    series = {("node_network_receive_bytes_total", "eth0"): value, ("node_network_receive_packets_total", "eth0"): 66.0}
    assert only(remote_write.decode(packed(write_request(series)), "", SENDER)).host == {"rx_packets": 66}


def test_a_request_without_anything_of_ours_is_taken_and_holds_nothing() -> None:
    assert remote_write.decode(packed(write_request({("node_load1", ""): 1.0})), "", SENDER) == []
    assert remote_write.decode(packed(remote_write.WriteRequest()), "", SENDER) == []
    assert otlp.decode(b"", otlp.PROTOBUF, SENDER) == []
    assert otlp.decode(b"{}", otlp.JSON, SENDER) == []


def test_sums_of_other_series_are_never_compared() -> None:
    """A device more, or a read that came in two documents: the first sample after it is a baseline, not a spike."""
    more = {**NODE, ("node_network_receive_bytes_total", "eth1"): 9e15}
    before, with_more, again = (
        only(remote_write.decode(packed(write_request(series, at_ms=AT_MS + 15_000 * number)), "", SENDER))
        for number, series in enumerate((NODE, more, more))
    )
    assert before.boot != with_more.boot == again.boot
    rates = MemberRates()
    assert [rates.take(one) for one in (before, with_more, again)] == [Outcome.BASELINE, Outcome.BASELINE, Outcome.RATE]
    assert rates.lost_count == 0


def test_a_machine_without_a_name_has_the_tokens() -> None:
    assert only(remote_write.decode(packed(write_request(NODE, instance="")), "", SENDER)).member == "Sensor-1-tool"


def test_a_name_that_is_hostile_becomes_an_id() -> None:
    assert only(remote_write.decode(packed(write_request(NODE, instance="<b>\n../ü")), "", SENDER)).member == "b"


def test_so_many_machines_come_with_one_token_at_most() -> None:
    request = remote_write.WriteRequest()
    for number in range(MEMBERS_MOST + 5):
        request.MergeFrom(write_request(NODE, instance=f"sensor-{number}"))
    assert len(remote_write.decode(packed(request), "", SENDER)) == MEMBERS_MOST


def test_the_declared_size_is_looked_at_before_anything_is_unpacked() -> None:
    def varint(declared: int) -> bytes:
        return bytes((declared >> shift) & 0x7F | (0x80 if shift < 21 else 0) for shift in (0, 7, 14, 21))

    assert remote_write.declared_octets(varint(OCTETS_MOST)) == OCTETS_MOST
    with pytest.raises(Refused) as refused:
        remote_write.decode(varint(OCTETS_MOST + 1) + b"\0" * 10, "", SENDER)
    assert refused.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize(
    "body", [b"", b"\x80\x80\x80\x80\x80", b"\x05hello", packed(write_request(NODE))[:-3], bytes(cramjam.snappy.compress_raw(b"\xff" * 9))]
)
def test_what_is_no_write_request_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        remote_write.decode(body, "", SENDER)
    assert refused.value.status == HTTPStatus.BAD_REQUEST


def test_an_export_request_becomes_the_same_counters_as_protobuf_and_as_json() -> None:
    by_protobuf = only(otlp.decode(export_request(OTEL).SerializeToString(), otlp.PROTOBUF, SENDER))
    assert (by_protobuf.member, by_protobuf.origin) == ("sensor-1", Origin.OTLP)
    assert by_protobuf.host == {"rx_bytes": 6_600, "rx_packets": 66, "rx_dropped": 3}
    assert only(otlp.decode(export_json(OTEL), otlp.JSON, SENDER)) == by_protobuf


def test_what_is_sent_is_not_what_is_received() -> None:
    assert counter_of("system.network.io", {"direction": "transmit", "device": "eth0"}) == ""
    assert counter_of("system.network.io", {"direction": "receive", "device": "lo"}) == ""
    assert counter_of("system.network.io", {"direction": "receive", "device": "eth0"}) == "rx_bytes"


def test_increases_become_rates_over_the_interval_they_tell() -> None:
    (points,) = otlp.decode(export_request(OTEL, temporality=1, started_ms=AT_MS - 10_000).SerializeToString(), otlp.PROTOBUF, SENDER)
    assert isinstance(points, Points)
    assert (points.interval_s, points.lag_s, points.member) == (10.0, 0.5, "sensor-1")
    (point,) = points.points
    assert point.end_ms == AT_MS
    assert point.bytes_per_s == pytest.approx(660.0)
    assert point.packets_per_s == pytest.approx(6.6)
    assert point.drops_per_s == pytest.approx(0.3)


def one_point(point: Mapping[str, str]) -> bytes:
    metric = {"name": "system.network.io", "sum": {"dataPoints": [point]}}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"\xff\xff", otlp.PROTOBUF),
        (b"[]", otlp.JSON),
        (b'{"resourceMetrics": 7}', otlp.JSON),
        (b"\xff{}", otlp.JSON),
        (one_point({"asDouble": "x"}), otlp.JSON),
        (one_point({"asInt": "99999999999999999999"}), otlp.JSON),
    ],
)
def test_what_is_no_export_request_is_refused(body: bytes, media_type: str) -> None:
    with pytest.raises(Refused) as refused:
        otlp.decode(body, media_type, SENDER)
    assert refused.value.status == HTTPStatus.BAD_REQUEST
