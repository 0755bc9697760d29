"""Prometheus remote-write, version 1: snappy-packed protobuf, as Prometheus, Grafana Alloy, vmagent and VictoriaMetrics send it.

The wire format is Prometheus' own (`prompb/remote.proto`, `prompb/types.proto`); only the fields that we read are declared here, and protobuf passes
over the others.
"""

from collections.abc import Iterator
from typing import Any, Final

import cramjam
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from vtapweb.traffic.ingest.formats import Format, Refused, Sample, Sender
from vtapweb.traffic.ingest.limits import OCTETS_MOST
from vtapweb.traffic.ingest.mapping import MEANINGS, Value, counters_of
from vtapweb.traffic.samples import Origin

_NAME: Final = "__name__"


def _write_request() -> Any:
    """The message class, from the fields we read."""
    file = FileDescriptorProto(name="vtapweb/remote_write.proto", package="prometheus", syntax="proto3")
    kinds = {
        "Sample": (("value", 1, FieldDescriptorProto.TYPE_DOUBLE, ""), ("timestamp", 2, FieldDescriptorProto.TYPE_INT64, "")),
        "Label": (("name", 1, FieldDescriptorProto.TYPE_STRING, ""), ("value", 2, FieldDescriptorProto.TYPE_STRING, "")),
        "TimeSeries": (("labels", 1, FieldDescriptorProto.TYPE_MESSAGE, "Label"), ("samples", 2, FieldDescriptorProto.TYPE_MESSAGE, "Sample")),
        "WriteRequest": (("timeseries", 1, FieldDescriptorProto.TYPE_MESSAGE, "TimeSeries"),),
    }
    for kind, fields in kinds.items():
        message = file.message_type.add(name=kind)
        for name, number, type_, of in fields:
            label = FieldDescriptorProto.LABEL_REPEATED if of else FieldDescriptorProto.LABEL_OPTIONAL
            message.field.add(name=name, number=number, type=type_, label=label, type_name=f".prometheus.{of}" if of else None)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("prometheus.WriteRequest"))


WriteRequest: Any = _write_request()


def declared_octets(packed: bytes) -> int:
    """What a snappy block says its content has. Raises Refused for none, or too much: the size is known before one octet is unpacked."""
    size = shift = 0
    for octet in packed[:5]:
        size |= (octet & 0x7F) << shift
        if octet < 0x80:
            if size > OCTETS_MOST:
                raise Refused.too_large(f"At most {OCTETS_MOST // 1024:,} KiB are taken at once; this block says it holds {size // 1024:,} KiB.")
            return size
        shift += 7
    raise Refused.malformed("The body is no snappy block.")


def decode(body: bytes, _media_type: str, sender: Sender) -> list[Sample]:
    """The samples of a write request, none where it holds nothing of ours. Raises Refused."""
    octets = declared_octets(body)
    try:
        request = WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(body, output_len=octets)) if octets else b"")
    except cramjam.DecompressionError:
        raise Refused.malformed("The body is no snappy block.") from None
    except DecodeError:
        raise Refused.malformed("The block holds no remote-write request.") from None
    return [*counters_of(_values(request), origin=Origin.REMOTE_WRITE, sender=sender)]


def _values(request: Any) -> Iterator[Value]:
    for series in request.timeseries:
        labels = {label.name: label.value for label in series.labels}
        name = labels.get(_NAME, "")
        if name not in MEANINGS:
            continue
        machine = labels.get("instance") or labels.get("host", "")
        for one in series.samples:
            yield Value(machine, name, labels, one.timestamp, one.value)


FORMAT: Final = Format("remote_write", frozenset({"application/x-protobuf"}), decode, own_encodings=frozenset({"snappy"}), octets=declared_octets)
