"""What passes between processes comes back as it went."""

import math
from array import array

import msgspec
import pytest

from tests.traffic.played_ring import source_now
from vtapweb.traffic.samples import (
    Counters,
    Origin,
    Point,
    Points,
    SourceColumns,
    SourceNow,
    Table,
    decode_sample,
    decode_sources,
    decode_table,
    encode,
)
from vtapweb.traffic.ticks import Tick, pack, table_of, unpack

COUNTERS = Counters(
    collector="c" * 26, member="m-1", origin=Origin.AGENT, interval_s=1.0, arrival_ms=1_000, boot="b-1", seq=3, mono_ms=77, wall_ms=999, is_full=True,
    packets=10, l3_bytes=1_000, host={"rx_bytes": 5}, sources=[("10.0.2.4", 27, 10, 1_000)],
)  # fmt: skip


def test_counters_and_points_are_told_apart() -> None:
    points = Points("c" * 26, "m-1", Origin.AZURE_MONITOR, 60.0, 1_000, 95.0, [Point(940, 12.5, None)])
    assert decode_sample(encode(COUNTERS)) == COUNTERS
    assert decode_sample(encode(points)) == points


def test_a_sample_of_an_older_release_lacks_the_last_fields() -> None:
    fields = msgspec.msgpack.decode(encode(COUNTERS))
    older = msgspec.msgpack.encode(fields[: fields.index([["10.0.2.4", 27, 10, 1_000]]) + 1])
    assert decode_sample(older) == COUNTERS


def test_what_is_no_sample_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_sample(b"\x93\x01\x02\x03")


def test_a_tick_comes_back() -> None:
    tick = Tick(7, 2, 1_700_000_000.5, array("f", [1.0, math.nan]), array("f", [2.0, 3.0]), array("f", [4.0]), array("f", [5.0]))
    octets = pack(tick)
    assert table_of(octets) == 2
    back = unpack(octets, mirror_count=2, collector_count=1)
    assert (back.seq, back.table, back.unix_s) == (7, 2, 1_700_000_000.5)
    assert math.isnan(back.mirror_bits[1])
    assert (back.mirror_packets[1], back.collector_bits[0], back.collector_packets[0]) == (3.0, 4.0, 5.0)
    with pytest.raises(ValueError, match="another length"):
        unpack(octets, mirror_count=3, collector_count=1)
    with pytest.raises(ValueError, match="at least"):
        table_of(b"12")


def test_a_table_comes_back() -> None:
    table = Table(["a", "b"], ["c"])
    assert decode_table(encode(table)) == table


def test_sources_are_columns_on_their_way_and_rows_at_both_ends() -> None:
    assert SourceColumns._fields == SourceNow.__struct_fields__, "a field more in one of them is one more in the other"
    first = source_now("n" * 26, first_ms=1, last_ms=2)
    rows = [first, msgspec.structs.replace(first, address="10.0.1.5", inner_bits_per_s=None, packets_per_s_60s=0.0, vnis=[1, 2])]
    assert decode_sources(encode(SourceColumns.of(rows))) == rows
    assert decode_sources(encode(SourceColumns.of([]))) == []
