"""One collector: its members summed, its sources named, its rows of the ring."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import redis

from vtapweb.domain.attribution import UNKNOWN, Attributed, Attribution
from vtapweb.domain.rates import Flow, MemberRates, Outcome, Room
from vtapweb.traffic.meter.member import Covered, Member, Rates, mean_since
from vtapweb.traffic.meter.moment import Moment
from vtapweb.traffic.ring import ROWS, Ring, bits_column, packets_column
from vtapweb.traffic.samples import CollectorNow, Counters, MemberNow, Origin, Points, SourceNow

AWAITED_MS: Final = 30_000  # after an outage for all; agents try again after ten seconds at the most, or as they are asked to
FAR_MS: Final = 1 << 62
KEEP_ROWS_S: Final = 20  # rows so young are completed here; older ones are read back first
FORGET_KNOWN_S: Final = 86_400.0  # a silent member that the inventory knows
FORGET_OTHERS_S: Final = 3_600.0
UNATTRIBUTED_SHARE: Final = 0.01  # H11: above it, a source that is not listed may still be there
# Which source is believed where two tell of the same machine: what comes by itself, then what is asked; Azure Monitor tells least and last.
RANK: Final[Mapping[Origin, int]] = dict.fromkeys(Origin, 0) | {Origin.PROMETHEUS: 1, Origin.AZURE_MONITOR: 2}
UNKNOWN_PACKETS: Final = 10  # H5: more than these in 60 s
UNKNOWN_MOST: Final = 256  # addresses without a NIC that have columns of their own: anybody near the collector can make up outer addresses
OTHERS: Final = "ip:others"  # what the others of them send, together
# Sources that are kept apart, each once for each member and VNI that it comes with. One takes some 1 kB of the meter, 6 kB with directions (measured
# with 20,000), and a token could make up 65,535 for each of 64 members. So one collector costs 120 MB and all together 1.2 GB at the very worst.
SOURCES_MOST: Final = 20_000  # of a collector
SOURCES_MOST_OF_ALL: Final = 200_000
SOURCES_LEAST: Final = 200  # of a collector, whatever the others have taken
SILENT_FOR_ROOM_S: Final = 60.0  # a member that was silent for so long makes room for the others' sources


class Source:
    """What one outer address sends here: its flows (by member and VNI) and its columns in the ring."""

    __slots__ = ("address", "attributed", "bits_at", "flows", "packets_at")

    def __init__(self, address: str) -> None:
        self.address = address
        self.attributed: Attributed = UNKNOWN
        self.flows: list[tuple[Member, Flow]] = []
        self.bits_at = self.packets_at = 0

    @property
    def source_id(self) -> str:
        """The NIC's key; `ip:` and the address where none is known. See Collector._column_name."""
        return self.attributed.nic_key or f"ip:{self.address}"

    def rates(self) -> tuple[float | None, float | None]:
        """Inner bits/s and packets/s of all its flows at members that report; None where one of them is not known: a part is not the sum."""
        if len(self.flows) == 1:  # as nearly always
            member, flow = self.flows[0]
            flow_bits, flow_packets = flow.inner_bits_per_s, flow.packets_per_s
            return (None, None) if member.is_stale or flow_bits is None or flow_packets is None else (flow_bits, flow_packets)
        bits: float | None = None
        packets: float | None = None
        for member, flow in self.flows:
            flow_bits, flow_packets = flow.inner_bits_per_s, flow.packets_per_s
            if member.is_stale:
                continue
            if flow_bits is None or flow_packets is None:
                return None, None
            bits = flow_bits if bits is None else bits + flow_bits
            packets = flow_packets if packets is None else packets + flow_packets
        return bits, packets

    def now(self, *, is_settling: bool) -> SourceNow:
        """For others to read; the members have looked back. While a member settles, the rates are unknown."""
        named = self.attributed
        bits, packets = (None, None) if is_settling else self.rates()
        if len(self.flows) == 1:
            member, flow = self.flows[0]
            minute = None if member.minute is None else mean_since(member.minute, flow)
            quarter = None if member.quarter is None else mean_since(member.quarter, flow)
            first_ms, last_ms, vnis = flow.first_ms, flow.last_ms, [flow.vni]
        else:
            live = [(member, flow) for member, flow in self.flows if not member.is_stale]
            minute = _sum_of_all(mean_since(member.minute, flow) for member, flow in live)
            quarter = _sum_of_all(mean_since(member.quarter, flow) for member, flow in live)
            first_ms = min((flow.first_ms for _, flow in self.flows if flow.first_ms), default=0)
            last_ms = max((flow.last_ms for _, flow in self.flows), default=0)
            vnis = sorted({flow.vni for _, flow in self.flows})
        sent, received = self._directions() if named.mac else (None, None)
        return SourceNow(
            self.address, named.nic_key, named.tap_configuration_key, named.is_ambiguous, bits, packets, minute, quarter, first_ms, last_ms, sent,
            received, vnis,
        )  # fmt: skip

    def _directions(self) -> tuple[float | None, float | None]:
        """Packets in 60 s that the NIC sent and that it received, by the inner source MAC."""
        own = self.attributed.mac
        sent = received = 0
        is_known = False
        for member in {id(member): member for member, _ in self.flows}.values():
            by_mac = None if member.is_stale else member.directions_60s.get(self.address)
            for mac, count in (by_mac or {}).items():
                is_known = True
                if mac == own:
                    sent += count
                else:
                    received += count
        return (float(sent), float(received)) if is_known else (None, None)


@dataclass(frozen=True, slots=True)
class Plain:
    """Where the flows of a collector's only member stand in a row of the ring, by index of the flow, each source being one flow.

    `bits` and `packets` are slices where the columns stand side by side, as they do unless sources came and went.
    """

    member: Member
    bits_at: list[int]
    packets_at: list[int]
    bits: slice | None
    packets: slice | None

    def put(self, row: "array[float]", rates: MemberRates) -> None:
        """The rates of all flows into a row that knows nothing of these sources yet."""
        if self.bits is not None and self.packets is not None:
            row[self.bits], row[self.packets] = array("f", rates.flow_bits), array("f", rates.flow_packets)
            return
        for at, value in zip(self.bits_at, rates.flow_bits, strict=True):
            row[at] = value
        for at, value in zip(self.packets_at, rates.flow_packets, strict=True):
            row[at] = value


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """Where the rates of a collector's mirrors are found: `plain` in one flow of its only member (place in the table, index of the flow)."""

    mirrors: Sequence[tuple[int, str]]  # what it was made for, and whom
    member: Member | None
    plain: list[tuple[int, int]]
    silent: list[int]  # nothing came of these yet
    others: list[tuple[int, str]]


class Collector:
    """Everything of one collector that the meter knows. `ring` is where its rows go; `rows` are those that may still be completed."""

    def __init__(self, key: str, ring: Ring, room_of_all: Room | None = None) -> None:
        self.key = key
        self.ring = ring
        self.room = Room(SOURCES_MOST, least=SOURCES_LEAST, whole=room_of_all)
        self.members: dict[str, Member] = {}
        self.sources: dict[str, Source] = {}
        self.by_mirror: dict[str, list[Source]] = {}  # by key of the TAP configuration
        self._plain: Plain | None = None
        self._is_plain_known = False
        self._mirror_plan: MirrorPlan | None = None
        self._fallbacks: set[str] = set()  # members that would give way to a better source, see RANK
        self.rows: dict[int, array[float]] = {}
        self.late_rows: dict[int, array[float]] = {}  # to be added to what the ring holds
        self.new_s: set[int] = set()  # seconds in `rows` that were not written since they changed
        self.torn: dict[int, set[str]] = {}  # seconds in `rows` that lack a member which settled then, by name: not the sum, so not drawn
        self.is_settling = False
        self.is_dark = False  # no member was live at the last look
        self.expected: tuple[str, ...] = ()  # keys of the NICs that should receive
        self.own_columns: set[str] = set()  # addresses without a NIC that have columns of their own
        self.unexplained: list[str] = []  # addresses that send more than a few packets, and no TAP configuration explains them (H5)
        self.ambiguous_count = self.unknown_count = 0
        self.sources_beyond = self.sources_kept = 0  # as its live members list them: not told apart, and told apart
        self.has_all_sources = False  # whether a source that is not listed sends nothing

    # -- what comes in

    def take_counters(self, sample: Counters, attribution: Attribution, now: Moment) -> Outcome:
        """One more reading of one member."""
        member = self._member(sample.member, sample.origin, sample.interval_s, now)
        outcome, covered = member.take_counters(sample, now)
        if self._fallbacks:
            self._yield_to(member)
        if outcome is Outcome.RATE and covered is not None:
            interval = member.rates.interval
            for flow in interval.changed if interval else ():
                if flow.owner is None:
                    self._join(member, flow, attribution, now)
            for flow in interval.adopted if interval else ():
                self._join(member, flow, attribution, now)
            self._write(member, covered, now)
            if interval and interval.gone:
                self._part(interval.gone, covered)
        elif outcome in {Outcome.BASELINE, Outcome.HOLE}:
            self._rejoin(member, attribution, now)
            self._tear_since(member)
        return outcome

    def take_points(self, sample: Points, now: Moment) -> int:
        """Ready-made rates of one member; returns how many points were new. None are where a better source tells of the same machine."""
        better = [one for one in self.members.values() if _is_better(one.origin, sample.origin) and _is_same(one.nic_key, sample.nic_key)]
        for one in better:
            one.age(now)
        if any(not one.is_stale for one in better):
            return 0
        if not sample.points:
            if RANK[sample.origin]:
                self._leave(sample.member)  # nobody asks it any more
            return 0
        member = self._member(sample.member, sample.origin, sample.interval_s, now)
        if RANK[sample.origin]:
            self._fallbacks.add(sample.member)
        told_s = max((one.covered_s or one.arrived_ms // 1000 for one in better), default=0)  # up to here the better one told it
        covered = member.take_points(sample, now)
        for one_covered in covered:
            self._write(member, one_covered._replace(first_s=max(one_covered.first_s, told_s + 1)), now)
        self._yield_to(member)
        return len(covered)

    def _yield_to(self, member: Member) -> None:
        """Sources that tell of the same machine, and less well than this one that was just heard, count no longer: the sum would be twice as much."""
        for name in self._fallbacks & self.members.keys():
            other = self.members[name]
            if other is not member and _is_better(member.origin, other.origin) and _is_same(member.nic_key, other.nic_key):
                self._leave(name)
        self._fallbacks &= self.members.keys()

    def remember(self, known: MemberNow, told_ms: int, now: Moment) -> None:
        """A member that an earlier meter knew: silent until it is heard again. `told_ms`: when it was told of last, by the wall clock."""
        member = self._member(known.member, known.origin, known.interval_s, now)
        member.nic_key, member.lag_s, member.arrived_ms = known.nic_key, known.lag_s, known.arrived_ms
        if RANK[known.origin]:
            self._fallbacks.add(known.member)
        member.version, member.interface = known.version, known.interface
        member.heard_mono_ms = now.mono_ms - max(now.wall_ms - known.arrived_ms, 0)
        if told_ms - known.arrived_ms <= 2_000 * member.stale_after_s():
            member.awaited_until_ms = FAR_MS
        member.age(now)

    def _member(self, name: str, origin: Origin, interval_s: float, now: Moment) -> Member:
        member = self.members.get(name)
        if member is None:
            member = self.members[name] = Member(name, origin, interval_s, now, self.room)
        return member

    def _leave(self, name: str) -> None:
        """That member is gone, if it was there, and its sources with it."""
        member = self.members.pop(name, None)
        if member is not None:
            self._part_from(member)
            member.rates.leave()

    # -- sources

    def _changed(self) -> None:
        """Sources, their flows or their columns are others."""
        self._is_plain_known, self._plain, self._mirror_plan = False, None, None

    def _plain_of(self, member: Member) -> Plain | None:
        """None where it is not as plain as nearly always: one member, each source one flow, each with columns of its own."""
        if len(self.members) != 1:
            return None
        if not self._is_plain_known:
            self._plain, self._is_plain_known = _plain(member), True
        return self._plain if self._plain is not None and self._plain.member is member else None

    def _join(self, member: Member, flow: Flow, attribution: Attribution, now: Moment) -> None:
        self._changed()
        source = self.sources.get(flow.address)
        if source is None:
            source = self.sources[flow.address] = Source(flow.address)
            self._name(source, attribution, now)
        source.flows.append((member, flow))
        flow.owner = source

    def _rejoin(self, member: Member, attribution: Attribution, now: Moment) -> None:
        """After a baseline or a hole: the member's flows may all be others."""
        self._part_from(member)
        for flow in member.rates.by_key.values():
            self._join(member, flow, attribution, now)

    def _part_from(self, member: Member) -> None:
        self._changed()
        for source in [one for one in self.sources.values() if any(owner is member for owner, _ in one.flows)]:
            source.flows = [(owner, flow) for owner, flow in source.flows if owner is not member]
            self._drop_if_empty(source)

    def _part(self, gone: Iterable[Flow], covered: Covered) -> None:
        """Flows that went: one 0 in the ring, then nothing (R8)."""
        self._changed()
        for flow in gone:
            source = flow.owner
            if not isinstance(source, Source):
                continue
            for second in range(covered.first_s, covered.last_s + 1):
                row = self.rows.get(second)
                if row is not None:
                    _add(row, source.bits_at, 0.0)
                    _add(row, source.packets_at, 0.0)
            source.flows = [(owner, one) for owner, one in source.flows if one is not flow]
            self._drop_if_empty(source)

    def _drop_if_empty(self, source: Source) -> None:
        if not source.flows and self.sources.get(source.address) is source:
            del self.sources[source.address]
            self.own_columns.discard(source.address)
            if source.attributed.tap_configuration_key:
                self.by_mirror[source.attributed.tap_configuration_key].remove(source)

    def _name(self, source: Source, attribution: Attribution, now: Moment) -> None:
        source.attributed = named = attribution.of(self.key, source.address)
        name = self._column_name(source)
        source.bits_at = self.ring.place(bits_column(name), now.wall_s)
        source.packets_at = self.ring.place(packets_column(name), now.wall_s)
        if named.tap_configuration_key:
            self.by_mirror.setdefault(named.tap_configuration_key, []).append(source)

    def _column_name(self, source: Source) -> str:
        """Its own, unless no NIC is known for it and enough others have one: then it is kept together with all further ones."""
        if source.attributed.nic_key:
            self.own_columns.discard(source.address)
        elif source.address not in self.own_columns:
            if len(self.own_columns) >= UNKNOWN_MOST:
                return OTHERS
            self.own_columns.add(source.address)
        return source.source_id

    def rename(self, attribution: Attribution, now: Moment) -> None:
        """The inventory changed."""
        self._changed()
        self.by_mirror = {}
        for source in self.sources.values():
            self._name(source, attribution, now)
        place = attribution.collectors.get(self.key)
        self.expected = place.member_nic_keys if place else ()

    # -- the ring

    def _write(self, member: Member, covered: Covered, now: Moment) -> None:
        oldest_s = now.wall_s - ROWS + 1
        settling = {name for name, other in self.members.items() if other is not member and other.is_settling} if len(self.members) > 1 else set()
        for second in range(max(covered.first_s, oldest_s), covered.last_s + 1):
            row = self.rows.get(second)
            is_new = False
            if row is None:
                row = self.ring.new_row()
                if second > now.wall_s - KEEP_ROWS_S:
                    self.rows[second] = row
                    is_new = True
                else:
                    row = self.late_rows.setdefault(second, row)
            if len(row) < self.ring.capacity:
                row.extend(self.ring.new_row()[len(row) :])
            if second in self.rows:
                self.new_s.add(second)
                if settling or self.torn:
                    self._tear(second, member, settling)
            add_totals(row, covered.rates)
            if member.rates.interval is None:
                continue
            if is_new and (plain := self._plain_of(member)):
                plain.put(row, member.rates)
            else:
                for flow in member.rates.flows:
                    if flow is None:
                        continue
                    bits, packets, source = flow.inner_bits_per_s, flow.packets_per_s, flow.owner
                    if bits is not None and packets is not None and isinstance(source, Source):
                        at = source.bits_at
                        before = row[at]
                        row[at] = bits if before != before else before + bits
                        at = source.packets_at
                        before = row[at]
                        row[at] = packets if before != before else before + packets

    def _tear(self, second: int, member: Member, settling: set[str]) -> None:
        """Notes who is missing in a second, and that `member` is not, any more."""
        missing = (self.torn.get(second, set()) - {member.name}) | settling
        if missing:
            self.torn[second] = missing
        else:
            self.torn.pop(second, None)

    def _tear_since(self, member: Member) -> None:
        """It began anew: what the others received since it was last known is not the sum."""
        if member.covered_s is None:
            return
        for second in self.rows:
            if second > member.covered_s:
                self._tear(second, member, {member.name})
                self.new_s.add(second)

    def row(self, second: int) -> "array[float]":
        """The row to write: nothing is known of a second that lacks a member."""
        return self.ring.new_row() if second in self.torn else self.rows[second]

    @property
    def has_news(self) -> bool:
        """Whether there are rows that the ring lacks."""
        return bool(self.new_s or self.late_rows)

    def merge_late_rows(self, client: "redis.Redis") -> None:
        """Seconds that were written long ago get what has only now been told of them. Raises redis.RedisError."""
        if not self.late_rows:
            return
        before = self.ring.read_rows(client, range(min(self.late_rows), max(self.late_rows) + 1))
        for second, row in self.late_rows.items():
            whole = before.get(second)
            if whole is None:
                whole = self.ring.new_row()
            merged(whole, row)
            self.rows[second] = whole
            self.new_s.add(second)
        self.late_rows.clear()

    def written(self, now: Moment) -> None:
        """The ring has all rows."""
        self.new_s.clear()
        self.ring.written(now_s=now.wall_s)

    def tidy(self, now: Moment) -> None:
        """Once in a while: forget rows that are complete, and members that are gone; keep the columns of those that are there."""
        for second in [one for one in self.rows if one <= now.wall_s - KEEP_ROWS_S and one not in self.new_s]:
            del self.rows[second]
            self.torn.pop(second, None)
        for source in self.sources.values():
            self.ring.touch((source.bits_at, source.packets_at), now.wall_s)
        for name, member in list(self.members.items()):
            is_known = bool(member.nic_key) and member.nic_key in self.expected
            if now.mono_ms - member.heard_mono_ms > (FORGET_KNOWN_S if is_known else FORGET_OTHERS_S) * 1000:
                self._leave(name)
        self._make_room(now)

    def _make_room(self, now: Moment) -> None:
        """Places that nothing has are given back; where there is no room, those of silent members, too."""
        is_full = self.room.is_full
        for member in self.members.values():
            if is_full and member.rates.by_key and member.is_stale and now.mono_ms - member.heard_mono_ms > SILENT_FOR_ROOM_S * 1000:
                member.forget_sources()
                self._part_from(member)
            if member.rates.free_count:
                member.pack()
                self._changed()

    def clock_was_set(self, by_ms: int) -> None:
        """No row of before may be completed by a value of after."""
        self.rows.clear()
        self.torn.clear()
        self.late_rows.clear()
        self.new_s.clear()
        for member in self.members.values():
            member.clock_was_set(by_ms)

    # -- what is known

    def now(self, now: Moment) -> CollectorNow:
        """The sums, for others to read; ages every member."""
        members = list(self.members.values())
        last_live = [member for member in members if not member.is_stale]
        for member in members:
            member.age(now)
        told = [member.now(now) for member in members]
        live = [member for member in members if not member.is_stale]
        if not live and not self.is_dark:
            self.await_all_of(last_live, now)
        self.is_dark = not live
        if live:
            self._wait_from(live, now)
        self.is_settling = bool(live) and any(member.is_settling for member in members)
        summed = [] if self.is_settling else live
        sums = [member.rates_now for member in summed]
        # A source that tells only bytes has counted no packets: that is not 0.
        five = [
            (found[0], member.totals.wire_octets - found[1].wire_octets)
            for member in summed
            if member.rates_now.wire_bits is not None and (found := member.since(5_000))
        ]
        sixty = [
            (found[0], member.totals.packets - found[1].packets)
            for member in summed
            if member.rates_now.packets is not None and (found := member.since(60_000))
        ]
        missing = self._missing(live)
        self.sources_beyond = sum(one.rates.beyond_count for one in live)
        self.sources_kept = sum(len(one.rates.by_key) for one in live)
        self.has_all_sources = bool(live) and not missing and all(_lists_all(member, one) for member, one in zip(members, told, strict=True))
        return CollectorNow(
            self.key, now.wall_ms, told, _sum_of_all([one.inner_bits for one in sums]), _sum_of_all([one.wire_bits for one in sums]),
            _sum([octets * 8 / seconds for seconds, octets in five]) if len(five) == len(summed) else None,
            _sum_of_all([one.packets for one in sums]),
            _sum([packets / seconds for seconds, packets in sixty]) if len(sixty) == len(summed) else None, _sum([one.drops for one in sums]),
            any(member.rates.has_sources for member in members), any(member.is_estimate for member in live), missing,
        )  # fmt: skip

    def _missing(self, live: list[Member]) -> int:
        """Members that the sum lacks: silent ones, and those that the inventory knows and nobody heard.

        Of a source that tells of all together (it names no NIC), only silence is known.
        """
        asked = [one.nic_key for one in live if RANK[one.origin]]  # such a source may tell in place of one that fell silent
        stale = [one for one in self.members.values() if one.is_stale]
        silent = sum(not any(_is_same(one.nic_key, nic_key) for nic_key in asked) for one in stale)
        heard = {member.nic_key for member in self.members.values()}
        return silent if "" in heard else silent + sum(nic_key not in heard for nic_key in self.expected)

    def resume(self, now: Moment) -> None:
        """The meter was cut off: whoever was live until then is waited for."""
        self.ring.renew()
        self.await_all_of([member for member in self.members.values() if not member.is_stale], now)

    def await_all_of(self, last_live: list[Member], now: Moment) -> None:
        """All fell silent, or we did: an outage on the way, or our own. They come back one by one, and the first ones are not the sum."""
        for member in self.members.values():
            if member in last_live or now.mono_ms - member.heard_mono_ms <= 2_000 * member.stale_after_s():
                member.awaited_until_ms = FAR_MS
            member.age(now)

    def _wait_from(self, live: list[Member], now: Moment) -> None:
        """Somebody is back: the others have so long, but whose machine is told of by one who is there."""
        for member in self.members.values():
            if member.awaited_until_ms is None:
                continue
            if any(_is_same(one.nic_key, member.nic_key) for one in live):
                member.awaited_until_ms = None
            elif member.awaited_until_ms == FAR_MS:
                member.awaited_until_ms = now.mono_ms + AWAITED_MS

    def mirror_rates(self, mirror_key: str) -> tuple[float | None, float | None]:
        """Inner bits/s and packets/s of a mirror that leads here; 0 where it is known that nothing comes, None where that cannot be known."""
        sources = self.by_mirror.get(mirror_key)
        if self.is_settling:
            return None, None
        if not sources:
            return (0.0, 0.0) if self.has_all_sources else (None, None)
        if len(sources) == 1:
            return sources[0].rates()
        rates = [source.rates() for source in sources]
        return _sum(one[0] for one in rates), _sum(one[1] for one in rates)

    def tell_mirrors(self, mirrors: Sequence[tuple[int, str]], all_bits: "array[float]", all_packets: "array[float]") -> None:
        """Puts the rates of mirrors, where they are known, into their places: what `mirror_rates` says of each."""
        if self.is_settling or not mirrors:
            return
        plan = self._mirror_plan
        member = next(iter(self.members.values())) if len(self.members) == 1 else None
        if plan is None or plan.mirrors is not mirrors or plan.member is not member:
            plan = self._mirror_plan = self._plan(mirrors, member)
        if member is not None and not member.is_stale:
            flow_bits, flow_packets = member.rates.flow_bits, member.rates.flow_packets
            for place, index in plan.plain:
                all_bits[place], all_packets[place] = flow_bits[index], flow_packets[index]
        if self.has_all_sources:
            for place in plan.silent:
                all_bits[place] = all_packets[place] = 0.0
        for place, mirror_key in plan.others:
            bits, packets = self.mirror_rates(mirror_key)
            if bits is not None and packets is not None:
                all_bits[place], all_packets[place] = bits, packets

    def _plan(self, mirrors: Sequence[tuple[int, str]], member: Member | None) -> MirrorPlan:
        plan = MirrorPlan(mirrors, member, [], [], [])
        for place, mirror_key in mirrors:
            sources = self.by_mirror.get(mirror_key)
            if not sources:
                plan.silent.append(place)
            elif len(sources) == len(sources[0].flows) == 1 and sources[0].flows[0][0] is member:
                plan.plain.append((place, sources[0].flows[0][1].index))
            else:
                plan.others.append((place, mirror_key))
        return plan

    def sources_now(self) -> list[SourceNow]:
        """All sources, for others to read; counts what is known of them."""
        for member in self.members.values():
            member.look_back()
        told = [source.now(is_settling=self.is_settling) for source in self.sources.values()]
        unexplained: list[str] = []
        ambiguous = unknown = 0
        for one in told:
            if not one.nic_key:
                unknown += 1
            if one.is_ambiguous:
                ambiguous += 1
            elif not one.tap_configuration_key and (one.packets_per_s_60s or 0.0) * 60 > UNKNOWN_PACKETS:
                unexplained.append(one.address)
        self.unexplained, self.ambiguous_count, self.unknown_count = unexplained, ambiguous, unknown - ambiguous
        return told


def _plain(member: Member) -> Plain | None:
    bits_at, packets_at = [], []
    for flow in member.rates.flows:
        source = None if flow is None else flow.owner
        if not isinstance(source, Source) or len(source.flows) != 1:
            return None
        bits_at.append(source.bits_at)
        packets_at.append(source.packets_at)
    if len({*bits_at, *packets_at}) != 2 * len(bits_at):
        return None  # some share columns
    return Plain(member, bits_at, packets_at, _slice_of(bits_at), _slice_of(packets_at))


def _slice_of(places: list[int]) -> slice | None:
    """Of columns that stand every second place, as bits and packets of sources do in turn."""
    if not places or places != list(range(places[0], places[0] + 2 * len(places), 2)):
        return None
    return slice(places[0], places[-1] + 1, 2)


def add_totals(row: "array[float]", rates: Rates) -> None:
    """Adds a member's rates to those of the others in that second, in the order of ring.TOTALS."""
    for at, value in enumerate((rates.inner_bits, rates.wire_bits, rates.packets, rates.drops)):
        if value is not None:
            _add(row, at, value)


def merged(row: "array[float]", more: "array[float]") -> None:
    """Adds what `more` knows."""
    for at, value in enumerate(more):
        if value == value:
            _add(row, at, value)


def _add(row: "array[float]", at: int, value: float) -> None:
    before = row[at]
    row[at] = value if before != before else before + value


def _sum(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    total: float | None = None
    for value in values:
        if value is not None:
            total = value if total is None else total + value
    return total


def _is_better(one: Origin, other: Origin) -> bool:
    return RANK[one] < RANK[other]


def _is_same(nic_key: str, other_nic_key: str) -> bool:
    """Whether two sources tell of the same machine; one that names none tells of all of them."""
    return nic_key == other_nic_key or not nic_key or not other_nic_key


def _sum_of_all(values: Iterable[float | None]) -> float | None:
    """None where one of them is not known, or there is none."""
    total: float | None = None
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
    return total


def _lists_all(member: Member, told: MemberNow) -> bool:
    unattributed = told.unattributed_share_60s or 0.0
    rates = member.rates
    is_told = rates.has_sources and not rates.has_untold and rates.interval is not None
    return is_told and not member.is_stale and unattributed <= UNATTRIBUTED_SHARE
