"""The last 15 minutes of each collector at one second: a matrix in Redis, its series side by side, written in place.

    RING + key            RingHead: the names of the columns in their order, how many there is room for
    RING + key + ":rows"  900 rows of `u32 second, f32 × capacity`, little-endian; a second stands in row `second % 900`

Rule 1: one process writes, the meter that holds the lease. Rule 2: a row counts only while its `second` is the one that is asked for, so what
was not written reads as NaN, a hole, whatever stands in its place. Rule 3: a column keeps its place while any of its values can still be read;
new ones take the place of those that have been silent for a whole ring, or make it wider. Rule 4: a row may be completed later, as a source may
tell late.
"""

import sys
from array import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

import msgspec
import redis

from vtapweb.traffic.keys import RING

ROWS: Final = 900
KEPT_S: Final = 3600  # after the last touch
TOTALS: Final = ("total:inner_bits", "total:wire_bits", "total:packets", "total:drops")  # of the collector, each per second
NAN: Final = float("nan")
_WORD = 4  # octets of a float32 and of a row's second
_LEAST_CAPACITY = 8
_READ_ATTEMPTS = 8


class RingHead(msgspec.Struct, array_like=True, frozen=True):
    """`columns` in their order; "" is a free place. `version` changes with every change of this."""

    columns: list[str]
    capacity: int
    version: int


class RingBusyError(Exception):
    """The ring changed its form with every attempt to read it."""


@dataclass(frozen=True, slots=True)
class RingView:
    """What was measured in `seconds` (unix), a value a second and column; NaN where nothing is known."""

    seconds: range
    columns: "dict[str, array[float]]"


def bits_column(source_id: str) -> str:
    """Inner bits/s of one source: `source_id` is the key of its NIC, or `ip:` and its address where no NIC is known."""
    return f"{source_id}:bits"


def packets_column(source_id: str) -> str:
    """Packets/s of one source, see bits_column."""
    return f"{source_id}:packets"


def read_ring(client: "redis.Redis", collector_key: str, *, from_s: int, to_s: int, columns: Collection[str] | None = None) -> RingView:
    """What the ring holds of the seconds from `from_s` up to and without `to_s`, of the last 900 of them at most; all columns unless some are named.

    Seconds that lie ahead or were never written are NaN; a column or collector that was never written is absent. Two round trips. Raises
    redis.RedisError, and RingBusyError where the ring changed its form again and again.
    """
    seconds = range(max(from_s, to_s - ROWS), to_s)
    for _ in range(_READ_ATTEMPTS):
        packed = cast("bytes | None", client.get(_head_key(collector_key)))
        if packed is None or not seconds:
            return RingView(seconds, {})
        head = _head.decode(packed)
        stride = (head.capacity + 1) * _WORD
        with client.pipeline(transaction=True) as pipe:
            for first, last in _runs(seconds):
                pipe.getrange(_rows_key(collector_key), first * stride, (last + 1) * stride - 1)
            pipe.get(_head_key(collector_key))
            *parts, packed_now = pipe.execute()
        if packed_now == packed:
            lengths = [(last + 1 - first) * stride for first, last in _runs(seconds)]
            octets = b"".join(part.ljust(length, b"\0") for part, length in zip(parts, lengths, strict=True))
            return RingView(seconds, _columns(octets, head, seconds, columns))
    raise RingBusyError(collector_key)


def read_total(client: "redis.Redis", wanted: Mapping[str, range], column: str) -> "dict[str, array[float]]":
    """{collector key: the values of one of TOTALS in the seconds wanted}, NaN where nothing is known; a collector without it is absent.

    Reads the beginning of each row, however wide the ring is. Two round trips for all of them. Raises redis.RedisError. A ring that grew wider
    between the two is unknown this time.
    """
    keys = sorted(wanted)
    packed = cast("list[bytes | None]", client.mget([_head_key(key) for key in keys])) if keys else []
    lengths: dict[str, int] = {}
    with client.pipeline(transaction=False) as pipe:
        for key, one in zip(keys, packed, strict=True):
            head = _head.decode(one) if one else None
            if head is None or column not in head.columns:
                continue
            lengths[key] = (head.columns.index(column) + 2) * _WORD
            for second in wanted[key]:
                at = (second % ROWS) * (head.capacity + 1) * _WORD
                pipe.getrange(_rows_key(key), at, at + lengths[key] - 1)
        rows = iter(cast("list[bytes]", pipe.execute()))
    values: dict[str, array[float]] = {}
    for key, length in lengths.items():
        found = [(second, next(rows)) for second in wanted[key]]
        values[key] = array("f", [_floats(row)[-1] if len(row) == length and _stamps(row, length)[0] == second else NAN for second, row in found])
    return values


def _columns(octets: bytes, head: RingHead, seconds: range, wanted: Collection[str] | None) -> "dict[str, array[float]]":
    stride = head.capacity + 1
    stamps, values = _stamps(octets, stride), _floats(octets)
    holes = _holes(stamps, seconds)
    nothing = array("f", [NAN]) * len(seconds)
    found = {}
    for place, name in enumerate(head.columns):
        if not name or (wanted is not None and name not in wanted):
            continue
        column = values[place + 1 :: stride]
        for start, end in holes:
            column[start:end] = nothing[start:end]
        found[name] = column
    return found


def _holes(stamps: "array[int]", seconds: range) -> list[tuple[int, int]]:
    """The stretches of rows that are not of the seconds asked for."""
    found: list[tuple[int, int]] = []
    for place, (stamp, second) in enumerate(zip(stamps, seconds, strict=True)):
        if stamp != second:
            if found and found[-1][1] == place:
                found[-1] = (found[-1][0], place + 1)
            else:
                found.append((place, place + 1))
    return found


def _runs(seconds: range) -> list[tuple[int, int]]:
    """The rows of consecutive seconds, as one or two stretches (first row, last row)."""
    first, last = seconds[0] % ROWS, seconds[-1] % ROWS
    return [(first, last)] if first <= last else [(first, ROWS - 1), (0, last)]


class Ring:
    """One collector's ring as its writer knows it. Commands go into the writer's transaction; only growing and late rows read."""

    __slots__ = ("_is_head_new", "_is_wider", "_last_s", "_names", "_places", "_template", "_touched_s", "capacity", "collector_key", "version")

    def __init__(self, collector_key: str, head: RingHead | None = None, *, now_s: int = 0) -> None:
        self.collector_key = collector_key
        self._names: list[str] = list(head.columns) if head else []
        self._last_s = [now_s] * len(self._names)
        self._places = {name: place for place, name in enumerate(self._names) if name}
        self.capacity = head.capacity if head else 0
        self.version = head.version if head else 0
        self._is_head_new = self._is_wider = False
        self._touched_s = 0
        self._template = array("f", [NAN]) * self.capacity
        for name in TOTALS:
            self.place(name, now_s)

    def place(self, name: str, now_s: int) -> int:
        """Where the column stands in a row, from now on if it is new. What is asked for counts as used at `now_s`."""
        place = self._places.get(name)
        if place is None:
            place = self._new_place(name, now_s)
        self._last_s[place] = now_s
        return place

    def touch(self, places: Iterable[int], now_s: int) -> None:
        """Those columns got a value."""
        for place in places:
            self._last_s[place] = now_s

    def _new_place(self, name: str, now_s: int) -> int:
        self._is_head_new = True
        if len(self._names) >= max(self.capacity, _LEAST_CAPACITY):
            for place in range(len(TOTALS), len(self._names)):
                if self._last_s[place] < now_s - ROWS - 1:
                    self._places.pop(self._names[place], None)
                    self._names[place], self._places[name] = name, place
                    return place
        place = len(self._names)
        self._names.append(name)
        self._last_s.append(now_s)
        self._places[name] = place
        if place >= self.capacity:
            self.capacity = max(_LEAST_CAPACITY, self.capacity + max(self.capacity // 2, 8))
            self._is_wider = True
            self._template = array("f", [NAN]) * self.capacity
        return place

    def new_row(self) -> "array[float]":
        """A row of which nothing is known yet."""
        return self._template[:]

    def read_rows(self, client: "redis.Redis", seconds: range) -> "dict[int, array[float]]":
        """The rows of these seconds as they were last written, in today's form; one that was never written is absent. Raises redis.RedisError."""
        packed = cast("bytes | None", client.get(_head_key(self.collector_key)))
        if packed is None or not seconds:
            return {}
        capacity = _head.decode(packed).capacity
        stride = (capacity + 1) * _WORD
        runs = _runs(seconds) if len(seconds) < ROWS else [(0, ROWS - 1)]
        with client.pipeline(transaction=False) as pipe:
            for first, last in runs:
                pipe.getrange(_rows_key(self.collector_key), first * stride, (last + 1) * stride - 1)
            octets = b"".join(pipe.execute())
        return {second: row for second, row in self._widened(octets, capacity) if second in seconds}

    def _widened(self, octets: bytes, capacity: int) -> "list[tuple[int, array[float]]]":
        stride = capacity + 1
        stamps, values = _stamps(octets, stride), _floats(octets)
        more = array("f", [NAN]) * (self.capacity - capacity)
        return [(stamp, values[at * stride + 1 : (at + 1) * stride] + more) for at, stamp in enumerate(stamps) if stamp]

    def octets_of(self, count: int) -> int:
        """About how much `write` will send and read for so many rows."""
        stride = (self.capacity + 1) * _WORD
        head = sum(map(len, self._names)) if self._is_head_new or self._is_wider else 0
        return count * stride + head + (2 * ROWS * stride if self._is_wider else 0)

    def write(self, client: "redis.Redis", pipe: "redis.client.Pipeline", rows: "Mapping[int, array[float]]", *, now_s: int) -> None:
        """Put these rows, and the head where it changed, into the transaction `pipe`. Reads from `client` only where the ring grew wider.

        Raises redis.RedisError; then nothing was written, and the same may be asked again.
        """
        rows_key = _rows_key(self.collector_key)
        stride = (self.capacity + 1) * _WORD
        is_due = abs(now_s - self._touched_s) > KEPT_S // 4
        if self._is_wider or self._is_head_new or is_due:
            if self._is_wider:
                self._rebuild(client, pipe)
            pipe.set(_head_key(self.collector_key), msgspec.msgpack.encode(RingHead(self._names, self.capacity, self.version + 1)))
        for second, row in rows.items():
            if len(row) < self.capacity:
                row.extend(self._template[len(row) :])
            pipe.setrange(rows_key, (second % ROWS) * stride, _octets(second, row))
        if self._is_wider or self._is_head_new or is_due:
            pipe.expire(rows_key, KEPT_S)
            pipe.expire(_head_key(self.collector_key), KEPT_S)

    def _rebuild(self, client: "redis.Redis", pipe: "redis.client.Pipeline") -> None:
        """The rows in their new form. Where there are none, the first one that is written makes room for itself."""
        rows = self.read_rows(client, range(1 << 32))
        if not rows:
            pipe.delete(_rows_key(self.collector_key))
            return
        stride = (self.capacity + 1) * _WORD
        whole = bytearray(ROWS * stride)
        for second, row in rows.items():
            whole[(second % ROWS) * stride : (second % ROWS + 1) * stride] = _octets(second, row)
        pipe.set(_rows_key(self.collector_key), bytes(whole))

    def written(self, *, now_s: int) -> None:
        """The transaction was carried out."""
        if self._is_wider or self._is_head_new or abs(now_s - self._touched_s) > KEPT_S // 4:
            self.version += 1
            self._touched_s = now_s
            self._is_wider = self._is_head_new = False

    def renew(self) -> None:
        """What stands in Redis may be gone: write the head again with the next row."""
        self._is_head_new = True


def load_rings(client: "redis.Redis", collector_keys: Collection[str], *, now_s: int) -> dict[str, Ring]:
    """The rings of these collectors as their last writer left them, or new ones. Raises redis.RedisError."""
    if not collector_keys:
        return {}
    packed = cast("list[bytes | None]", client.mget([_head_key(key) for key in collector_keys]))
    return {key: Ring(key, _head.decode(one) if one else None, now_s=now_s) for key, one in zip(collector_keys, packed, strict=True)}


def drop_rings(pipe: "redis.client.Pipeline", collector_keys: Iterable[str]) -> None:
    """Forget everything that these rings hold, for example when the clock was set back and their seconds come a second time."""
    for key in collector_keys:
        pipe.delete(_head_key(key), _rows_key(key))


_head = msgspec.msgpack.Decoder(RingHead)


def _head_key(collector_key: str) -> str:
    return RING + collector_key


def _rows_key(collector_key: str) -> str:
    return f"{RING}{collector_key}:rows"


def _stamps(octets: bytes, stride: int) -> "array[int]":
    """The second of each row; `stride` in words."""
    words = array("I", octets)
    if sys.byteorder == "big":
        words.byteswap()
    return words[::stride]


def _floats(octets: bytes) -> "array[float]":
    words = array("f", octets)
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _octets(second: int, row: "array[float]") -> bytes:
    if sys.byteorder == "big":
        row = row[:]
        row.byteswap()
    return second.to_bytes(_WORD, "little") + row.tobytes()
