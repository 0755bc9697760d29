"""A collector's rows of the ring that may still be completed: its members tell of a second one after the other, some of them late."""

from array import array
from collections.abc import Iterable
from typing import Final

import redis

from vtapweb.domain.rates import Flow
from vtapweb.traffic.meter.member import Covered, Member, Rates
from vtapweb.traffic.meter.moment import Moment
from vtapweb.traffic.meter.sources import Plain, Source
from vtapweb.traffic.ring import ROWS, Ring

KEEP_ROWS_S: Final = 20  # rows so young are completed here; older ones are read back first


class Rows:
    """`new_s` are the seconds that were not written since they changed. `ring` is where rows go."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.new_s: set[int] = set()
        self.late: dict[int, array[float]] = {}  # to be added to what the ring holds
        self._rows: dict[int, array[float]] = {}
        self._torn: dict[int, set[str]] = {}  # seconds that lack a member which settled then, by name: not the sum, so not drawn

    @property
    def has_news(self) -> bool:
        """Whether there are rows that the ring lacks."""
        return bool(self.new_s or self.late)

    @property
    def oldest_news_s(self) -> int:
        """Of the rows that the ring lacks; there are some."""
        return min((*self.new_s, *self.late))

    def put(self, member: Member, covered: Covered, plain: Plain | None, settling: set[str], now: Moment) -> None:
        """What a member told: its rates in all seconds that it covers. `plain` are its sources, where they are so; `settling` whose rates lack."""
        if plain is not None and not plain.has_own_columns:
            plain = None
        for second in range(max(covered.first_s, now.wall_s - ROWS + 1), covered.last_s + 1):
            row = self._rows.get(second)
            is_new = False
            if row is None:
                row = self.ring.new_row()
                if second > now.wall_s - KEEP_ROWS_S:
                    self._rows[second] = row
                    is_new = True
                else:
                    row = self.late.setdefault(second, row)
            if len(row) < self.ring.capacity:
                row.extend(self.ring.new_row()[len(row) :])
            if second in self._rows:
                self.new_s.add(second)
                if settling or self._torn:
                    self._tear(second, member, settling)
            add_totals(row, covered.rates)
            if member.rates.interval is None:
                continue
            if is_new and plain is not None:
                plain.put(row)
            else:
                _add_flows(row, member)

    def end(self, source: Source, covered: Covered) -> None:
        """One of its flows went: one 0, then nothing (R8)."""
        for second in range(covered.first_s, covered.last_s + 1):
            row = self._rows.get(second)
            if row is not None:
                _add(row, source.bits_at, 0.0)
                _add(row, source.packets_at, 0.0)

    def _tear(self, second: int, member: Member, settling: set[str]) -> None:
        """Notes who is missing in a second, and that `member` is not, any more."""
        missing = (self._torn.get(second, set()) - {member.name}) | settling
        if missing:
            self._torn[second] = missing
        else:
            self._torn.pop(second, None)

    def tear_since(self, member: Member) -> None:
        """It began anew: what the others received since it was last known is not the sum."""
        if member.covered_s is None:
            return
        for second in self._rows:
            if second > member.covered_s:
                self._tear(second, member, {member.name})
                self.new_s.add(second)

    def row(self, second: int) -> "array[float]":
        """The row to write: nothing is known of a second that lacks a member."""
        return self.ring.new_row() if second in self._torn else self._rows[second]

    def merge_late(self, client: "redis.Redis") -> None:
        """Seconds that were written long ago get what has only now been told of them. Raises redis.RedisError."""
        if not self.late:
            return
        before = self.ring.read_rows(client, range(min(self.late), max(self.late) + 1))
        for second, row in self.late.items():
            whole = before.get(second)
            if whole is None:
                whole = self.ring.new_row()
            merged(whole, row)
            self._rows[second] = whole
            self.new_s.add(second)
        self.late.clear()

    def written(self, now: Moment) -> None:
        """The ring has all rows."""
        self.new_s.clear()
        self.ring.written(now_s=now.wall_s)

    def tidy(self, now: Moment) -> None:
        """Forgets those that are complete."""
        for second in [one for one in self._rows if one <= now.wall_s - KEEP_ROWS_S and one not in self.new_s]:
            del self._rows[second]
            self._torn.pop(second, None)

    def clear(self) -> None:
        """No row of before may be completed by a value of after."""
        for kept in (self._rows, self._torn, self.late, self.new_s):
            kept.clear()


def add_totals(row: "array[float]", rates: Rates) -> None:
    """Adds a member's rates to those of the others in that second, in the order of ring.TOTALS."""
    for at, value in enumerate((rates.inner_bits, rates.wire_bits, rates.packets, rates.drops)):
        if value is not None:
            _add(row, at, value)


def _add_flows(row: "array[float]", member: Member) -> None:
    """Adds the rates of a member's sources."""
    flows: Iterable[tuple[Flow | None, float, float]] = zip(member.rates.flows, member.rates.flow_bits, member.rates.flow_packets, strict=True)
    for flow, bits, packets in flows:
        if flow is not None and bits == bits and isinstance(source := flow.owner, Source):
            _add(row, source.bits_at, bits)
            _add(row, source.packets_at, packets)


def merged(row: "array[float]", more: "array[float]") -> None:
    """Adds what `more` knows."""
    for at, value in enumerate(more):
        if value == value:
            _add(row, at, value)


def _add(row: "array[float]", at: int, value: float) -> None:
    before = row[at]
    row[at] = value if before != before else before + value
