"""One tick: every current rate, as the meter publishes it once a second and the hub reads it. Little-endian; NaN is unknown.

`u32 seq, u32 table, f64 unix_s, f32 mirror_bits[n], f32 mirror_packets[n], f32 collector_bits[m], f32 collector_packets[m]`, in the order of the
table of that number. Bits are inner bits (rule R14).
"""

import struct
import sys
from array import array
from dataclasses import dataclass
from typing import NamedTuple

_HEAD = struct.Struct("<IId")


@dataclass(frozen=True, slots=True)
class Tick:
    """`mirror_*` have one value a mirror of the table, `collector_*` one a collector."""

    seq: int
    table: int
    unix_s: float
    mirror_bits: "array[float]"
    mirror_packets: "array[float]"
    collector_bits: "array[float]"
    collector_packets: "array[float]"


def pack(tick: Tick) -> bytes:
    return b"".join(
        (
            _HEAD.pack(tick.seq & 0xFFFFFFFF, tick.table, tick.unix_s),
            *map(_octets, (tick.mirror_bits, tick.mirror_packets, tick.collector_bits, tick.collector_packets)),
        )
    )


class Head(NamedTuple):
    """What stands before the values."""

    seq: int
    table: int
    unix_s: float


def head_of(octets: bytes) -> Head:
    """Of a packed tick. Raises ValueError for what is too short."""
    if len(octets) < _HEAD.size:
        raise ValueError("a tick has at least 16 octets")
    return Head._make(_HEAD.unpack_from(octets))


def table_of(octets: bytes) -> int:
    """The number of the table that a packed tick belongs to. Raises ValueError for what is too short."""
    return head_of(octets).table


def unpack(octets: bytes, *, mirror_count: int, collector_count: int) -> Tick:
    """Raises ValueError where the length does not fit the table."""
    if len(octets) != _HEAD.size + 8 * (mirror_count + collector_count):
        raise ValueError(f"a tick of {mirror_count} mirrors and {collector_count} collectors has another length than {len(octets)} octets")
    seq, table, unix_s = _HEAD.unpack_from(octets)
    parts: list[array[float]] = []
    start = _HEAD.size
    for count in (mirror_count, mirror_count, collector_count, collector_count):
        part = array("f", octets[start : start + 4 * count])
        if sys.byteorder == "big":
            part.byteswap()
        parts.append(part)
        start += 4 * count
    return Tick(seq, table, unix_s, *parts)


def _octets(values: "array[float]") -> bytes:
    if sys.byteorder == "big":
        values = array("f", values)
        values.byteswap()
    return values.tobytes()
