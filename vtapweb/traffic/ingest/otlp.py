"""OTLP/HTTP metrics, as protobuf and as JSON: what the OpenTelemetry Collector and SDKs send (`ExportMetricsServiceRequest` of its protocol 1.x).

Sums and gauges of the mapping table are read. A sum of delta temporality is an increase since the last export, so it is a rate that is ready-made;
a gauge stands for a counter only where its exporter sends counters as gauges (Telegraf does).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from google.protobuf.message import DecodeError
from msgspec import Meta
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from vtapweb.traffic.ingest.formats import Format, Refused, Sample, Sender
from vtapweb.traffic.ingest.mapping import INSTANTS_MOST, MEANINGS, MEMBERS_MOST, Value, counter_of, counters_of, member_of
from vtapweb.traffic.samples import Origin, Point, Points

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
DELTA: Final = 1  # AggregationTemporality
_MACHINE: Final = ("host.id", "host.name", "service.instance.id")  # the semantic conventions' names of a machine, best first
_NS_MOST: Final = 2**64 - 1

# Numbers of 64 bits come as text in JSON (proto3's mapping); both are taken.
Number64 = Annotated[int, Meta(ge=-(2**63))] | Annotated[str, Meta(max_length=20, pattern=r"^-?[0-9]+$")] | None


class _Text(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    int_value: Number64 = None
    bool_value: bool | None = None
    double_value: float | str | None = None


class _Attribute(msgspec.Struct, rename="camel"):
    key: str = ""
    value: _Text | None = None


class _DataPoint(msgspec.Struct, rename="camel"):
    attributes: list[_Attribute] | None = None
    start_time_unix_nano: Number64 = None
    time_unix_nano: Number64 = None
    as_double: float | str | None = None
    as_int: Number64 = None


class _Data(msgspec.Struct, rename="camel"):
    data_points: list[_DataPoint] | None = None
    aggregation_temporality: int | str | None = None


class _Metric(msgspec.Struct, rename="camel"):
    name: str = ""
    sum: _Data | None = None
    gauge: _Data | None = None


class _Scope(msgspec.Struct, rename="camel"):
    metrics: list[_Metric] | None = None


class _Resource(msgspec.Struct, rename="camel"):
    attributes: list[_Attribute] | None = None


class _ResourceMetrics(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_metrics: list[_Scope] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_metrics: list[_ResourceMetrics] | None = None


_decoder = msgspec.json.Decoder(_Request)


class _Reading(msgspec.Struct):
    """One data point of one metric of the table, whichever way it came. Times in ms."""

    value: Value
    is_delta: bool
    start_ms: int


def decode(body: bytes, media_type: str, sender: Sender) -> list[Sample]:
    """The samples of an export request, none where it holds nothing of ours. Raises Refused."""
    readings = list(_of_json(body) if media_type == JSON else _of_protobuf(body))
    cumulative = [one.value for one in readings if not one.is_delta]
    return [*counters_of(cumulative, origin=Origin.OTLP, sender=sender), *_rates(readings, sender)]


def _rates(readings: Iterable[_Reading], sender: Sender) -> Iterator[Points]:
    """What came as increases: bytes, packets and drops a second over the interval that each tells."""
    sums: dict[str, dict[tuple[int, int], dict[str, float]]] = {}
    for one in readings:
        counter = counter_of(one.value.name, one.value.labels) if one.is_delta else ""
        if not counter or not math.isfinite(one.value.value) or one.value.value < 0 or not 0 < one.start_ms < one.value.at_ms:
            continue
        member = member_of(one.value.machine, sender)
        if member not in sums and len(sums) >= MEMBERS_MOST:
            continue
        of_interval = sums.setdefault(member, {}).setdefault((one.value.at_ms, one.start_ms), {})
        of_interval[counter] = of_interval.get(counter, 0.0) + one.value.value
    for member, intervals in sums.items():
        newest = sorted(intervals.items())[-INSTANTS_MOST:]
        points = [_point(end_ms, start_ms, grown) for (end_ms, start_ms), grown in newest]
        span_s = max((end_ms - start_ms) / 1000 for (end_ms, start_ms), _ in newest)
        lag_s = max(0.0, (sender.arrival_ms - points[-1].end_ms) / 1000)
        yield Points(sender.collector, member, Origin.OTLP, min(span_s, 3600.0), sender.arrival_ms, lag_s, points, sender.nic_key)


def _point(end_ms: int, start_ms: int, grown: Mapping[str, float]) -> Point:
    per_s = 1000 / (end_ms - start_ms)
    drops = [grown[name] for name in ("rx_dropped", "rx_fifo", "softnet_dropped", "udp_rcvbuf_errors", "tool_drops") if name in grown]
    packets, octets = grown.get("rx_packets"), grown.get("rx_bytes")
    return Point(
        end_ms, None if packets is None else packets * per_s, None if octets is None else octets * per_s, sum(drops) * per_s if drops else None
    )


# -- protobuf


def _of_protobuf(body: bytes) -> Iterator[_Reading]:
    request: Any = ExportMetricsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        raise Refused.malformed("This is no OTLP export request.") from None
    for resource in request.resource_metrics:
        machine = _machine({one.key: one.value.string_value for one in resource.resource.attributes})
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if metric.name not in MEANINGS or kind not in {"sum", "gauge"}:
                    continue
                data = metric.sum if kind == "sum" else metric.gauge
                is_delta = kind == "sum" and data.aggregation_temporality == DELTA
                for point in data.data_points:
                    labels = {one.key: one.value.string_value for one in point.attributes}
                    value = float(point.as_int) if point.WhichOneof("value") == "as_int" else point.as_double
                    at_ms = point.time_unix_nano // 1_000_000
                    yield _Reading(Value(machine, metric.name, labels, at_ms, value), is_delta, point.start_time_unix_nano // 1_000_000)


# -- JSON


def _of_json(body: bytes) -> Iterator[_Reading]:
    try:
        request = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Refused.malformed(f"{error}.") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise Refused.malformed(f"This is no JSON that can be read: {type(error).__name__}.") from None
    for resource in request.resource_metrics or ():
        machine = _machine(_labels(resource.resource.attributes if resource.resource else None))
        for scope in resource.scope_metrics or ():
            for metric in scope.metrics or ():
                data = metric.sum or metric.gauge
                if metric.name not in MEANINGS or data is None:
                    continue
                is_delta = metric.sum is not None and data.aggregation_temporality in {DELTA, "AGGREGATION_TEMPORALITY_DELTA"}
                for point in data.data_points or ():
                    at_ms, start_ms = _whole(point.time_unix_nano) // 1_000_000, _whole(point.start_time_unix_nano) // 1_000_000
                    value = float(_whole(point.as_int)) if point.as_int is not None else _real(point.as_double)
                    yield _Reading(Value(machine, metric.name, _labels(point.attributes), at_ms, value), is_delta, start_ms)


def _labels(attributes: "list[_Attribute] | None") -> dict[str, str]:
    return {one.key: one.value.string_value for one in attributes or () if one.value is not None and one.value.string_value is not None}


def _whole(number: int | str | None) -> int:
    value = int(number or 0)
    if abs(value) > _NS_MOST:
        raise Refused.malformed("A number is greater than 64 bits hold.")
    return value


def _real(number: float | str | None) -> float:
    """proto3's JSON spells what is no number "NaN", "Infinity" and "-Infinity"."""
    try:
        return float(number if number is not None else math.nan)
    except ValueError:
        raise Refused.malformed("`asDouble` is no number.") from None


def _machine(attributes: Mapping[str, str]) -> str:
    return next((attributes[name] for name in _MACHINE if attributes.get(name)), "")


# Exporters want the answer's message, in their own encoding: an empty one says that all was taken.
FORMAT: Final = Format("otlp", frozenset({PROTOBUF, JSON}), decode, answers={PROTOBUF: (PROTOBUF, b""), JSON: (JSON, b"{}")})
