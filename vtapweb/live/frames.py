"""From a tick of the meter to the frame of one scope. Pure.

A tick lists every mirror and collector in the order of its table; a frame lists those of one reader's picture, in its order. The way from one to the
other is worked out once for a table and a picture, and is then one pick of values a second.
"""

import math
import struct
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from vtapweb.topology.series import Series
from vtapweb.traffic.samples import Table
from vtapweb.traffic.ticks import Tick

_HEAD = struct.Struct("<IId")

Pick = Callable[[Sequence[float]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Places:
    """Where each series of a table stands among the values of a tick: mirrors, then collectors, then one NaN for whatever is not there."""

    table: int
    mirror_count: int
    collector_count: int
    place_of: Mapping[str, int]

    @property
    def nowhere(self) -> int:
        return self.mirror_count + self.collector_count


def places_of(number: int, table: Table) -> Places:
    keys = (*table.mirrors, *table.collectors)
    return Places(number, len(table.mirrors), len(table.collectors), {key: place for place, key in enumerate(keys)})


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a tick in the order of its table's Places, the NaN included."""

    seq: int
    unix_s: float
    bits: "array[float]"
    packets: "array[float]"


def values_of(tick: Tick) -> Values:
    nothing = array("f", (math.nan,))
    return Values(tick.seq, tick.unix_s, tick.mirror_bits + tick.collector_bits + nothing, tick.mirror_packets + tick.collector_packets + nothing)


@dataclass(frozen=True, slots=True)
class Order:
    """How to pick the values of one picture out of those of one table."""

    places: Places
    series: Series
    pick: Pick

    def is_of(self, places: Places, series: Series) -> bool:
        return self.places is places and (self.series.series_revision, self.series.hidden) == (series.series_revision, series.hidden)


def order_of(places: Places, series: Series) -> Order:
    """What the table lacks and what is hidden from the reader is NaN."""
    nowhere, place_of, hidden = places.nowhere, places.place_of, series.hidden
    wanted = [nowhere if key in hidden else place_of.get(key, nowhere) for key in series.keys]
    return Order(places, series, itemgetter(*wanted) if len(wanted) > 1 else lambda values: [values[place] for place in wanted])


def frame_of(values: Values, order: Order) -> bytes:
    """`u32 seq, u32 series_revision, f64 unix_s, f32 bits_per_s[n], f32 packets_per_s[n]`, little-endian."""
    picked = array("f", order.pick(values.bits))
    picked.extend(order.pick(values.packets))
    if sys.byteorder == "big":
        picked.byteswap()
    return _HEAD.pack(values.seq, order.series.series_revision & 0xFFFFFFFF, values.unix_s) + picked.tobytes()
