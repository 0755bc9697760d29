"""One collector: its members, and what they come to together. Its sources and its rows of the ring stand beside it."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Final

from vtapweb.domain.attribution import Attribution
from vtapweb.domain.rates import Outcome, Room
from vtapweb.traffic.meter.member import Covered, Member
from vtapweb.traffic.meter.moment import Moment
from vtapweb.traffic.meter.rows import Rows
from vtapweb.traffic.meter.sources import Sources
from vtapweb.traffic.meter.sums import sum_of_all, sum_of_known
from vtapweb.traffic.ring import Ring
from vtapweb.traffic.samples import CollectorNow, Counters, MemberNow, Origin, Points, SourceColumns

AWAITED_MS: Final = 30_000  # after an outage for all; agents try again after ten seconds at the most, or as they are asked to
FAR_MS: Final = 1 << 62
FORGET_KNOWN_S: Final = 86_400.0  # a silent member that the inventory knows
FORGET_OTHERS_S: Final = 3_600.0
UNATTRIBUTED_SHARE: Final = 0.01  # H11: above it, a source that is not listed may still be there
# Which source is believed where two tell of the same machine: what comes by itself, then what is asked; Azure Monitor tells least and last.
RANK: Final[Mapping[Origin, int]] = dict.fromkeys(Origin, 0) | {Origin.PROMETHEUS: 1, Origin.AZURE_MONITOR: 2}
# Sources that are kept apart, each once for each member and VNI that it comes with. One takes some 1 kB of the meter, 6 kB with directions (measured
# with 20,000), and a token could make up 65,535 for each of 64 members. So one collector costs 120 MB and all together 1.2 GB at the very worst.
SOURCES_MOST: Final = 20_000  # of a collector
SOURCES_MOST_OF_ALL: Final = 200_000
SOURCES_LEAST: Final = 200  # of a collector, whatever the others have taken
SILENT_FOR_ROOM_S: Final = 60.0  # a member that was silent for so long makes room for the others' sources


class Collector:
    """Everything of one collector that the meter knows. `ring` is where its rows go."""

    def __init__(self, key: str, ring: Ring, room_of_all: Room | None = None) -> None:
        self.key = key
        self.room = Room(SOURCES_MOST, least=SOURCES_LEAST, whole=room_of_all)
        self.members: dict[str, Member] = {}
        self.sources = Sources(key, ring, self.members)
        self.rows = Rows(ring)
        self._fallbacks: set[str] = set()  # members that would give way to a better source, see RANK
        self.is_settling = False
        self.is_dark = False  # no member was live at the last look
        self.expected: tuple[str, ...] = ()  # keys of the NICs that should receive
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
            if interval:
                for flow in (*interval.new, *interval.adopted):
                    self.sources.join(member, flow, attribution, now)
            self._write(member, covered, now)
            for flow in interval.gone if interval else ():
                source = self.sources.part(flow)
                if source is not None:
                    self.rows.end(source, covered)
        elif outcome in {Outcome.BASELINE, Outcome.HOLE}:
            self.sources.rejoin(member, attribution, now)
            self.rows.tear_since(member)
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
            self.sources.part_from(member)
            member.rates.leave()

    def rename(self, attribution: Attribution, now: Moment) -> None:
        """The inventory changed."""
        self.sources.rename(attribution, now)
        place = attribution.collectors.get(self.key)
        self.expected = place.member_nic_keys if place else ()

    def _write(self, member: Member, covered: Covered, now: Moment) -> None:
        settling = {name for name, other in self.members.items() if other is not member and other.is_settling} if len(self.members) > 1 else set()
        self.rows.put(member, covered, self.sources.plain(), settling, now)

    def tidy(self, now: Moment) -> None:
        """Once in a while: forget rows that are complete, and members that are gone; keep the columns of those that are there."""
        self.rows.tidy(now)
        self.sources.touch(now)
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
                self.sources.part_from(member)
            if member.rates.free_count:
                member.pack()
                self.sources.changed()

    def clock_was_set(self, by_ms: int) -> None:
        """No row of before may be completed by a value of after."""
        self.rows.clear()
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
            self.key, now.wall_ms, told, sum_of_all([one.inner_bits for one in sums]), sum_of_all([one.wire_bits for one in sums]),
            sum_of_known([octets * 8 / seconds for seconds, octets in five]) if len(five) == len(summed) else None,
            sum_of_all([one.packets for one in sums]),
            sum_of_known([packets / seconds for seconds, packets in sixty]) if len(sixty) == len(summed) else None,
            sum_of_known([one.drops for one in sums]),
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
        self.rows.ring.renew()
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

    def tell_mirrors(self, mirrors: Sequence[tuple[int, str]], all_bits: "array[float]", all_packets: "array[float]") -> None:
        """Puts the rates of mirrors that lead here, inner bits/s and packets/s, into their places: 0 where it is known that nothing comes."""
        if mirrors and not self.is_settling:
            self.sources.tell_mirrors(mirrors, all_bits, all_packets, has_all_sources=self.has_all_sources)

    def sources_now(self) -> SourceColumns:
        """All sources, for others to read; counts what is known of them."""
        return self.sources.now(is_settling=self.is_settling)


def _is_better(one: Origin, other: Origin) -> bool:
    return RANK[one] < RANK[other]


def _is_same(nic_key: str, other_nic_key: str) -> bool:
    """Whether two sources tell of the same machine; one that names none tells of all of them."""
    return nic_key == other_nic_key or not nic_key or not other_nic_key


def _lists_all(member: Member, told: MemberNow) -> bool:
    unattributed = told.unattributed_share_60s or 0.0
    rates = member.rates
    is_told = rates.has_sources and not rates.has_untold and rates.interval is not None
    return is_told and not member.is_stale and unattributed <= UNATTRIBUTED_SHARE
