"""The meter without its wires: samples in, what is known out. Asks no clock and no server; whoever holds it says what time it is."""

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from vtapweb.domain.attribution import Attribution
from vtapweb.domain.health import Level, h09_dropping
from vtapweb.domain.rates import Outcome, Room
from vtapweb.traffic.keys import member_field
from vtapweb.traffic.meter.collector import SOURCES_MOST_OF_ALL, Collector
from vtapweb.traffic.meter.moment import Moment
from vtapweb.traffic.ring import NAN, Ring
from vtapweb.traffic.samples import CollectorNow, Counters, MeterNow, Points, Table, encode
from vtapweb.traffic.ticks import Tick, pack

TIDY_EVERY: Final = 30  # ticks
SOURCES_EVERY: Final = 2  # ticks: each collector's sources are told so often
LONGEST_INTERVAL_S: Final = 86_400.0
TABLE_AGAIN_EVERY: Final = 600  # ticks: long before it is forgotten


@dataclass(slots=True)
class Told:
    """What one tick has to write, packed. Rows of the rings are left with their collectors."""

    seq: int
    meter: bytes
    tick: bytes
    now: dict[str, bytes]
    sources: dict[str, bytes]
    table_number: int
    table: bytes | None
    gone: list[str]
    boots: dict[str, str]
    boots_gone: list[str]
    covered: dict[str, int]
    dropping: dict[str, Level]  # collectors that drop (H9)
    is_stirred: bool  # one of them did not before, or did less
    unexplained: list[tuple[str, str]]  # collector, address; asked for once


@dataclass(slots=True)
class Counts:
    """What happened since the meter started, for /metrics."""

    samples: int = 0
    points: int = 0
    by_outcome: dict[str, int] = field(default_factory=lambda: dict.fromkeys(map(str, Outcome), 0))
    not_understood: int = 0
    ticks: int = 0


class Meter:
    """All collectors. `ring_of` finds the ring of a collector that is seen for the first time; it may raise redis.RedisError."""

    def __init__(self, *, ring_of: Callable[[str], Ring], now: Moment, fence: int = 0) -> None:
        self.collectors: dict[str, Collector] = {}
        self.attribution = Attribution()
        self.counts = Counts()
        self.room = Room(SOURCES_MOST_OF_ALL)
        self.fence = fence
        self.started_ms = now.wall_ms
        self.is_dropping_rings = False
        self._ring_of = ring_of
        self._mirrors_of: dict[str, list[tuple[int, str]]] = {}  # by collector: place in the table, key; together, as their sources lie in memory
        self._seq = 0
        self._table = 0
        self._told_table: Table | None = None
        self._is_table_new = True
        self._table_at = -TABLE_AGAIN_EVERY
        self._boots: dict[str, str] = {}
        self._new_boots: dict[str, str] = {}
        self._boots_gone: set[str] = set()
        self._new_covered: dict[str, int] = {}
        self._gone: set[str] = set()
        self._asked: set[tuple[str, str]] = set()
        self._dropping: dict[str, Level] = {}

    # -- what comes in

    def take(self, sample: Counters | Points, now: Moment) -> None:
        """One sample of any kind. Raises ValueError for one that nobody could have meant, and what `ring_of` raises."""
        if not 0 < sample.interval_s <= LONGEST_INTERVAL_S:
            raise ValueError(f"an interval of {sample.interval_s} s")
        collector = self.collectors.get(sample.collector) or self.add(sample.collector, now)
        if isinstance(sample, Points):
            self.counts.points += collector.take_points(sample, now)
            member = collector.members.get(sample.member)
            covered_s = member.covered_s if member else None
            if covered_s is not None:
                self._new_covered[member_field(sample.collector, sample.member)] = covered_s
            return
        self.counts.samples += 1
        outcome = collector.take_counters(sample, self.attribution, now)
        self.counts.by_outcome[outcome] += 1
        if outcome is Outcome.BASELINE:
            self._set_boot(member_field(sample.collector, sample.member), sample.boot)
        elif outcome is Outcome.PARTIAL:
            self._boots_gone.add(member_field(sample.collector, sample.member))

    def _set_boot(self, name: str, boot: str) -> None:
        self._boots[name] = self._new_boots[name] = boot
        self._boots_gone.discard(name)

    def add(self, key: str, now: Moment) -> Collector:
        """A collector that was not heard before. Raises what `ring_of` raises."""
        self._gone.discard(key)
        collector = self.collectors[key] = Collector(key, self._ring_of(key), self.room)
        collector.rename(self.attribution, now)
        self._is_table_new = self._is_table_new or key not in self.attribution.collectors
        return collector

    def go_on(self, *, seq: int, table: int) -> None:
        """Count ticks and tables on from where the last meter ended."""
        self._seq, self._table = seq, table
        self._table_at = seq - TABLE_AGAIN_EVERY

    def remember(self, known: CollectorNow, covered: dict[str, int], now: Moment) -> None:
        """A collector as an earlier meter left it: its members are silent until they are heard again."""
        collector = self.collectors.get(known.key) or self.add(known.key, now)
        for member in known.members:
            collector.remember(member, known.at_ms, now)
            collector.members[member.member].covered_s = covered.get(member_field(known.key, member.member))

    def use(self, attribution: Attribution, now: Moment) -> None:
        """The inventory changed: every source may have another name."""
        self.attribution = attribution
        self._mirrors_of = {}
        for place, mirror in enumerate(attribution.mirrors):
            if mirror.key in attribution.seen_mirrors:
                self._mirrors_of.setdefault(mirror.collector_key, []).append((place, mirror.key))
        for collector in self.collectors.values():
            collector.rename(attribution, now)
        self._is_table_new = True
        self._forget_asked()

    def clock_was_set(self, by_ms: int) -> None:
        """The wall clock jumped. What it named before is forgotten; set back, seconds come a second time, so the rings are too."""
        for collector in self.collectors.values():
            collector.clock_was_set(by_ms)
        self.started_ms += by_ms
        self.is_dropping_rings = self.is_dropping_rings or by_ms < 0

    def resume(self, *, fence: int, now: Moment) -> None:
        """The lease is ours again, and nobody wrote meanwhile; what stood in Redis may be gone."""
        self.fence = fence
        self.started_ms = now.wall_ms
        self._new_boots = dict(self._boots)
        self._is_table_new = True
        for collector in self.collectors.values():
            collector.resume(now)

    # -- what is told

    def tick(self, now: Moment) -> Told:
        """Everything that is known now."""
        self._seq += 1
        self.counts.ticks += 1
        if self._seq % TIDY_EVERY == 0:
            self._tidy(now)
        known = {key: collector.now(now) for key, collector in self.collectors.items()}
        dropping = self._dropping_now(known.values())
        table = self._next_table(now)
        unexplained: list[tuple[str, str]] = []
        sources: dict[str, bytes] = {}
        for place, (key, collector) in enumerate(self.collectors.items()):
            if (self._seq + place) % SOURCES_EVERY == 0:
                sources[key] = encode(collector.sources_now())
                unexplained += [(key, address) for address in collector.sources.unexplained if (key, address) not in self._asked]
        return Told(
            seq=self._seq,
            meter=encode(MeterNow(self._seq, now.wall_ms, self.started_ms, self._table, self.fence)),
            tick=self._packed_tick(known, now),
            now={key: encode(one) for key, one in known.items()},
            sources=sources,
            table_number=self._table,
            table=table,
            gone=sorted(self._gone),
            boots=self._new_boots,
            boots_gone=sorted(self._boots_gone),
            covered=self._new_covered,
            dropping=dropping,
            is_stirred=any(level > self._dropping.get(key, Level.FINE) for key, level in dropping.items()),
            unexplained=unexplained,
        )

    def was_told(self, told: Told) -> None:
        """What the tick told has been written, and the rings were dropped if that was asked for."""
        for name in told.boots_gone:
            self._boots.pop(name, None)
        self._new_boots, self._boots_gone, self._new_covered = {}, set(), {}
        self._gone = set()
        self._dropping = told.dropping
        self._is_table_new = False
        if told.table is not None:
            self._table_at = told.seq
        if self.is_dropping_rings:
            for collector in self.collectors.values():
                collector.rows.ring.renew()
            self.is_dropping_rings = False

    def _dropping_now(self, known: Iterable[CollectorNow]) -> dict[str, Level]:
        """The collectors that drop, by the rule that judges them: whether it should be judged before its turn comes."""
        found: dict[str, Level] = {}
        for one in known:
            was = self._dropping.get(one.key, Level.FINE)
            level = max((h09_dropping(member.saturated_in_last_5, member.drop_share_10s, was=was) for member in one.members), default=Level.FINE)
            if level is not Level.FINE:
                found[one.key] = level
        return found

    def asked(self, unexplained: list[tuple[str, str]]) -> None:
        """A sync was asked for because of these sources."""
        self._forget_asked()
        self._asked.update(unexplained)

    def _forget_asked(self) -> None:
        """What does not send any more: anybody can make up addresses."""
        self._asked = {
            (key, address) for key, address in self._asked if key in self.collectors and address in self.collectors[key].sources.by_address
        }

    def _tidy(self, now: Moment) -> None:
        for key, collector in list(self.collectors.items()):
            before = set(collector.members)
            collector.tidy(now)
            self._boots_gone.update(member_field(key, name) for name in before - set(collector.members))
            if not collector.members:
                del self.collectors[key]
                self._gone.add(key)
                self._is_table_new = True

    def _next_table(self, now: Moment) -> bytes | None:
        if self._is_table_new or self._told_table is None:
            keys = sorted(self.attribution.collectors.keys() | self.collectors.keys())
            table = Table([mirror.key for mirror in self.attribution.mirrors], keys)
            if table != self._told_table:
                self._told_table = table
                self._table = max(self._table + 1, now.wall_s)  # so that an emptied Redis does not bring a number back
            return encode(table)
        if self._seq - self._table_at >= TABLE_AGAIN_EVERY:
            return encode(self._told_table)
        return None

    def _packed_tick(self, known: dict[str, CollectorNow], now: Moment) -> bytes:
        table = self._told_table or Table([], [])
        mirror_bits, mirror_packets = array("f", [NAN]) * len(table.mirrors), array("f", [NAN]) * len(table.mirrors)
        for collector_key, collector in self.collectors.items():
            collector.tell_mirrors(self._mirrors_of.get(collector_key, ()), mirror_bits, mirror_packets)
        collector_bits, collector_packets = array("f"), array("f")
        for key in table.collectors:
            one = known.get(key)
            collector_bits.append(NAN if one is None or one.inner_bits_per_s is None else one.inner_bits_per_s)
            collector_packets.append(NAN if one is None or one.packets_per_s is None else one.packets_per_s)
        return pack(Tick(self._seq, self._table, now.wall_ms / 1000, mirror_bits, mirror_packets, collector_bits, collector_packets))

    def source_counts(self) -> dict[str, int]:
        """How many sources there are, by what is known of them."""
        collectors = self.collectors.values()
        return {
            "sources": sum(len(one.sources) for one in collectors),
            "sources_beyond": sum(one.sources_beyond for one in collectors),
            "sources_unknown": sum(one.sources.unknown_count for one in collectors),
            "sources_ambiguous": sum(one.sources.ambiguous_count for one in collectors),
            "sources_unexplained": sum(len(one.sources.unexplained) for one in collectors),
        }
