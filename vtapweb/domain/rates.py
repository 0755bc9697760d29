"""From cumulative counters to rates: what one more reading of a collector's member tells. Pure; the state is one object a member.

R1  the first reading of a boot is a baseline: no rate
R2  rate = increase / difference of the sender's monotonic clock; wall clocks of two machines are never subtracted
R3  seq not above the last one: dropped and counted
R4  lost readings average over the gap, and are counted
R5  a new boot: a baseline; never a spike, never negative
R6  the same boot but a counter fell: the increase is the new value, and a reset is counted
R7  a source first seen after the baseline starts at 0
R8  a source gone from a full reading: one 0, then nothing
R9  a gap of more than max(10 s, 3 intervals): no rate, a hole
R10 less than 200 ms: nothing yet, the increase is kept for the next reading
R11 32-bit counters wrap only where the step is possible at line speed; 64-bit counters never
R12 server time = monotonic clock + the smallest (arrival - monotonic) seen, drifting 1 ms a second
R13 wall clocks more than 5 min apart: a notice only
R14 the bits shown are inner bits: 8 × (outer IPv4 octets - 36 × packets); wire bits, with the outer Ethernet header, stand beside them

Beyond these: what is lost between two partial readings makes the sources they do not list unknown until a full one comes, never zero; a reading
of the boot before comes late and is dropped; a smallest delay that no reading reaches any more (a clock was set forward) is forgotten. Where there is
no room for a source it is untold: the totals have it, and when there is room its first reading is a baseline.
"""

import sys
from array import array
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from operator import add, sub
from typing import Final, NamedTuple, Protocol

LONGEST_GAP_S: Final = 10.0
LONGEST_GAP_INTERVALS: Final = 3.0
SHORTEST_MS: Final = 200
SKEWED_MS: Final = 300_000
OUTER_L3_OCTETS: Final = 36  # outer IPv4 20, UDP 8, VXLAN 8: what an inner frame carries before it, as counted at layer 3
OUTER_ETHERNET_OCTETS: Final = 14
OUTER_OCTETS: Final = OUTER_L3_OCTETS + OUTER_ETHERNET_OCTETS
_DRIFT: Final = 0.001  # ms a ms
_LATE_MS: Final = 2_000
_LATE_IN_A_ROW: Final = 5
_OLD_IN_A_ROW: Final = 5
_FORMER_BOOT_MS: Final = 60_000
_UNKNOWN: Final = float("nan")
_NAN: Final = array("d", [_UNKNOWN])
_DIRECTIONS_A_SOURCE: Final = 4  # the NIC's own address and the other side's, as a rule; with more of them nothing is said of directions


class Reading(Protocol):
    """What is read of a sample; see vtapweb.traffic.samples.Counters."""

    @property
    def boot(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def mono_ms(self) -> int: ...
    @property
    def wall_ms(self) -> int: ...
    @property
    def arrival_ms(self) -> int: ...
    @property
    def interval_s(self) -> float: ...
    @property
    def is_full(self) -> bool: ...
    @property
    def packets(self) -> int | None: ...
    @property
    def l3_bytes(self) -> int | None: ...
    @property
    def host(self) -> dict[str, int]: ...
    @property
    def sources(self) -> list[tuple[str, int, int, int]] | None: ...
    @property
    def directions(self) -> list[tuple[str, int, str, int, int]] | None: ...
    @property
    def unattributed(self) -> tuple[int, int] | None: ...
    @property
    def counter_bits(self) -> int: ...
    @property
    def line_bits_per_s(self) -> int: ...
    @property
    def is_numbered(self) -> bool: ...


class Outcome(StrEnum):
    """What became of a reading."""

    RATE = "rate"
    BASELINE = "baseline"  # R1, R5
    HOLE = "hole"  # R9
    EARLY = "early"  # R10
    DUPLICATE = "duplicate"  # R3, the same seq again
    LATE = "late"  # R3, or of the boot before
    PARTIAL = "partial"  # of a boot without a baseline, and not full: cannot be one


class Room:
    """How many places for sources may be taken: `most`, and beyond `least` only what `whole`, which is shared with others, has left."""

    __slots__ = ("_least", "_most", "_whole", "taken")

    def __init__(self, most: int, *, least: int = 0, whole: "Room | None" = None) -> None:
        self._most, self._least, self._whole = most, least, whole
        self.taken = 0

    @property
    def is_full(self) -> bool:
        return self.taken >= self._most or (self._whole is not None and self.taken >= self._least and self._whole.is_full)

    def take(self) -> bool:
        """One place; whether there was one."""
        if self.is_full:
            return False
        self.give_back(-1)
        return True

    def give_back(self, count: int) -> None:
        self.taken -= count
        if self._whole is not None:
            self._whole.give_back(count)


class Flow:
    """One source of one member: outer address and VNI. What is known of it stands in the columns of MemberRates, at `index`."""

    __slots__ = ("address", "index", "owner", "vni")

    def __init__(self, address: str, vni: int, index: int) -> None:
        self.address = address
        self.vni = vni
        self.index = index  # another one's after it has gone
        self.owner: object = None  # for whoever puts flows together


class Interval:
    """What lies between two readings. Times in ms of server time (R12); increases, None where the source cannot say."""

    __slots__ = ("adopted", "attributed", "dt_ms", "ended_ms", "gone", "host", "l3_octets", "new", "packets", "started_ms", "unattributed")

    def __init__(self) -> None:
        self.started_ms = self.ended_ms = 0
        self.dt_ms = 0
        self.packets: int | None = None
        self.l3_octets: int | None = None
        self.unattributed: int | None = None  # packets that the total counts and no source has
        self.attributed = 0  # packets of all sources
        self.host: dict[str, int] = {}
        self.new: list[Flow] = []  # R7
        self.adopted: list[Flow] = []  # there is room for these now; what they sent in this interval is not known
        self.gone: list[Flow] = []


class _Listed(NamedTuple):
    """The sources of one reading, and their places. `is_every`: they are all flows, each in its place."""

    addresses: tuple[str, ...]
    vnis: tuple[int, ...]
    places: list[int | None]
    is_every: bool


def increase(before: int, after: int, *, bits: int = 64, most: float | None = None) -> tuple[int, bool]:
    """By how much a counter grew, and whether it was reset meanwhile (then it is a lower bound: what it shows now). R6, R11.

    `most` is the largest step that the line's speed allows, None where that is not known; only then may a counter of 32 bits have wrapped.
    """
    if after >= before:
        return after - before, False
    if bits == 32 and most is not None and (wrapped := after + (1 << 32) - before) <= most:
        return wrapped, False
    return after, True


def inner_octets(l3_octets: float, packets: float) -> float:
    """Octets of the mirrored frames themselves, of what was counted at the outer layer 3. Never negative. R14."""
    return max(l3_octets - OUTER_L3_OCTETS * packets, 0)


def wire_octets(l3_octets: float, packets: float) -> float:
    """Octets on the collector's wire, with the outer Ethernet header. R14."""
    return l3_octets + OUTER_ETHERNET_OCTETS * packets


def longest_gap_s(interval_s: float) -> float:
    """How far two readings may be apart for a rate between them. R9."""
    return max(LONGEST_GAP_S, LONGEST_GAP_INTERVALS * interval_s)


class MemberRates:
    """The counters of one machine, reading after reading. What it counts about its own input only ever grows.

    What is known of its sources stands in columns, one for each thing with a place for each flow: the same ones come every second, and are reckoned
    at once. Each place, free ones too, is one of `room`: `pack` and `leave` give them back.
    """

    __slots__ = (
        "_delays", "_direction_values", "_former", "_free", "_grown_octets", "_has_untold_directions", "_listed", "_mono_ms", "_octets", "_offset_ms",
        "_old_in_a_row", "_packets", "_pending", "_room", "_seq", "_torn", "_torn_ms", "_values", "beyond_count", "boot", "boot_count", "by_key",
        "direction_totals", "duplicate_count", "first_ms", "flow_bits", "flow_packets", "flows", "grown", "has_sources", "has_untold", "interval",
        "is_skewed", "last_ms", "late_count", "lost_count", "read_count", "reset_count", "reused", "totals",
    )  # fmt: skip

    def __init__(self, room: Room | None = None) -> None:
        self._room = room or Room(sys.maxsize)
        self.has_untold = False  # whether sources may send that there was no room for
        self.beyond_count = 0  # how many of them the last full reading listed, or a partial one since
        self.reused: list[int] = []  # places that the last reading gave to other flows: what was noted of them is not theirs
        self.boot: str | None = None
        self.by_key: dict[tuple[str, int], Flow] = {}
        self.flows: list[Flow | None] = []  # by index; None: a free place
        self.flow_bits = array("d")  # inner bits/s in `interval`, NaN where that is not known
        self.flow_packets = array("d")  # packets/s
        self.grown: list[int] = []  # packets in `interval`
        self.totals: list[int] = []  # packets seen since the baseline
        self.first_ms: list[int] = []  # server time of the first increase; 0: none yet
        self.last_ms: list[int] = []  # and of the last one
        self._grown_octets: list[int] = []
        self._packets: list[int] = []  # as last read
        self._octets: list[int] = []
        self._torn_ms: dict[int, int] = {}  # by index: the monotonic time of what is known of a flow, where a partial reading after it was lost
        self.interval: Interval | None = None  # the last one with rates; None after a baseline or a hole
        self.direction_totals: dict[tuple[str, str], int] = {}  # packets by outer address and inner source MAC since the baseline
        self.has_sources = False
        self.is_skewed = False
        self.read_count = self.lost_count = self.duplicate_count = self.late_count = self.reset_count = self.boot_count = 0
        self._seq = -1
        self._mono_ms = 0
        self._offset_ms: float | None = None
        self._delays: deque[float] = deque(maxlen=_LATE_IN_A_ROW)
        self._values: dict[str, int] = {}  # the last reading of each counter of the host, of the total and of what was not attributed
        self._direction_values: dict[tuple[str, int, str], int] | None = None
        self._listed: _Listed | None = None  # what the last reading listed, where all of it has a place: the next one nearly always lists the same
        self._pending: Interval | None = None
        self._former: tuple[str | None, int] = (None, 0)
        self._has_untold_directions = False
        self._free: list[int] = []
        self._torn = False
        self._old_in_a_row = 0

    # -- taking one more reading

    def take(self, reading: Reading) -> Outcome:
        """What the reading is. After RATE, `interval` holds what it tells; after BASELINE and HOLE nothing is known until the next one."""
        self.reused.clear()
        if reading.boot != self.boot:
            return self._other_boot(reading)
        if reading.seq <= self._seq:
            return self._old(reading)
        self._old_in_a_row = 0
        lost = reading.seq - self._seq - 1 if reading.is_numbered else 0
        dt_ms = reading.mono_ms - self._mono_ms
        if dt_ms < 0:  # a monotonic clock that runs backwards is another machine's, or one that was restored from a snapshot
            return self._baseline(reading)
        self._seq = reading.seq
        self.read_count += 1
        self.lost_count += lost
        self.is_skewed = abs(reading.wall_ms - reading.arrival_ms) > SKEWED_MS
        ended_ms = round(reading.mono_ms + self._offset(reading, dt_ms))
        if lost and not reading.is_full:
            self._tear()
        if self._pending is None and reading.sources is None:
            self.grown, self._grown_octets = [0] * len(self.flows), [0] * len(self.flows)
        interval = self._pending or Interval()
        self._absorb(reading, interval, ended_ms, dt_ms)
        if dt_ms < SHORTEST_MS:
            self._pending = interval
            return Outcome.EARLY
        interval.dt_ms, interval.ended_ms, interval.started_ms = dt_ms, ended_ms, ended_ms - dt_ms
        self._mono_ms = reading.mono_ms
        self._pending = None
        if dt_ms > longest_gap_s(reading.interval_s) * 1000:
            self._forget_growth()
            return Outcome.HOLE
        self.interval = interval
        self._rate(dt_ms)
        return Outcome.RATE

    def _rate(self, dt_ms: int) -> None:
        """Every source's rates over the interval that ended now."""
        per_s = 1000 / dt_ms
        self.flow_packets = array("d", [grown * per_s for grown in self.grown])
        bits_per_s = 8 * per_s
        flow_bits = [(octets - OUTER_L3_OCTETS * grown) * bits_per_s for grown, octets in zip(self.grown, self._grown_octets, strict=True)]
        if min(flow_bits, default=0.0) < 0.0:  # never negative, see inner_octets
            flow_bits = [max(one, 0.0) for one in flow_bits]
        self.flow_bits = array("d", flow_bits)
        for index in (*self._torn_ms, *self._free):
            self.flow_bits[index] = self.flow_packets[index] = _UNKNOWN

    def forget_delays(self) -> None:
        """The server's clock was set: what was the smallest delay says nothing any more."""
        self._offset_ms = None
        self._delays.clear()

    # -- baselines and what is dropped

    def _other_boot(self, reading: Reading) -> Outcome:
        former, until_ms = self._former
        if reading.is_numbered and reading.boot == former and abs(reading.arrival_ms - until_ms) <= _FORMER_BOOT_MS:
            self.late_count += 1
            return Outcome.LATE
        if not reading.is_full:
            return Outcome.PARTIAL
        return self._baseline(reading)

    def _old(self, reading: Reading) -> Outcome:
        self._old_in_a_row += 1
        if self._old_in_a_row >= _OLD_IN_A_ROW and reading.is_full and reading.mono_ms != self._mono_ms:
            return self._baseline(reading)  # its numbers began anew without a new boot
        if reading.seq == self._seq:
            self.duplicate_count += 1
            return Outcome.DUPLICATE
        self.late_count += 1
        return Outcome.LATE

    def _baseline(self, reading: Reading) -> Outcome:
        if not reading.is_full:
            return Outcome.PARTIAL
        if reading.boot != self.boot:
            self._former = (self.boot, reading.arrival_ms)
        self.boot = reading.boot
        self.boot_count += 1
        self.read_count += 1
        self.forget_delays()
        self._old_in_a_row = 0
        self.is_skewed = abs(reading.wall_ms - reading.arrival_ms) > SKEWED_MS
        self._seq, self._mono_ms = reading.seq, reading.mono_ms
        self._offset(reading, 0)
        self._pending = None
        self._torn = False
        self._values = dict(reading.host)
        if reading.packets is not None and reading.l3_bytes is not None:
            self._values |= {"packets": reading.packets, "l3_octets": reading.l3_bytes}
        if reading.unattributed is not None:
            self._values["unattributed"] = reading.unattributed[0]
        self._baseline_of_sources(reading.sources or ())
        self._direction_values = None
        if reading.directions is not None:
            self._absorb_directions(reading.directions)
        self._unknown()
        self.has_sources = reading.sources is not None
        return Outcome.BASELINE

    def _baseline_of_sources(self, sources: Sequence[tuple[str, int, int, int]]) -> None:
        listed = {(address, vni) for address, vni, _, _ in sources}
        for key in [key for key in self.by_key if key not in listed]:
            self._remove(key, self.by_key[key])
        self.beyond_count = 0
        self._torn_ms.clear()
        for address, vni, packets, octets in sources:
            flow = self.by_key.get((address, vni)) or self._new_flow(address, vni)
            if flow is None:
                self.beyond_count += 1
                continue
            self._packets[flow.index], self._octets[flow.index] = packets, octets
        self.has_untold = self.beyond_count > 0

    def _forget_growth(self) -> None:
        """What grew over a hole is not told."""
        self.totals = list(map(sub, self.totals, self.grown))
        self._unknown()

    def _unknown(self) -> None:
        self.interval = None
        self.flow_bits, self.flow_packets = _NAN * len(self.flows), _NAN * len(self.flows)

    # -- the increases

    def _offset(self, reading: Reading, dt_ms: int) -> float:
        """The smallest (arrival - monotonic) seen, in ms. R12."""
        now = float(reading.arrival_ms - reading.mono_ms)
        if self._offset_ms is None:
            self._offset_ms = now
            return now
        self._delays.append(now)
        drifted = self._offset_ms + dt_ms * _DRIFT
        if len(self._delays) == _LATE_IN_A_ROW and min(self._delays) > drifted + _LATE_MS:
            drifted = min(self._delays)
        self._offset_ms = min(now, drifted)
        return self._offset_ms

    def _absorb(self, reading: Reading, interval: Interval, ended_ms: int, dt_ms: int) -> None:
        was_untold = self.has_untold
        self._absorb_host(reading, interval, dt_ms)
        self.has_sources = reading.sources is not None
        if reading.sources is not None:
            self._absorb_sources(reading, reading.sources, interval, ended_ms, dt_ms)
        if reading.directions is not None:
            self._absorb_directions(reading.directions)
        if reading.unattributed is not None:
            grown = self._step("unattributed", reading.unattributed[0], reading, dt_ms)
            interval.unattributed = (interval.unattributed or 0) + (grown or 0)
        if (reading.unattributed is None or was_untold or self.has_untold) and self.has_sources and interval.packets is not None and not self._torn:
            interval.unattributed = max(interval.packets - interval.attributed, 0)

    def _absorb_host(self, reading: Reading, interval: Interval, dt_ms: int) -> None:
        values, host = self._values, interval.host
        for name, value in reading.host.items():
            before = values.get(name)
            if before is not None and value >= before:  # as nearly always
                values[name] = value
                host[name] = host.get(name, 0) + value - before
                continue
            grown = self._step(name, value, reading, dt_ms)
            if grown is not None:
                host[name] = host.get(name, 0) + grown
        if reading.packets is None or reading.l3_bytes is None:
            return
        before, before_octets = self._values.get("packets"), self._values.get("l3_octets")
        if before is not None and before_octets is not None and (reading.packets < before or reading.l3_bytes < before_octets):
            self.reset_count += 1  # both began anew, whichever of them shows it
            before = before_octets = 0
        self._values["packets"], self._values["l3_octets"] = reading.packets, reading.l3_bytes
        if before is not None and before_octets is not None:
            interval.packets = (interval.packets or 0) + reading.packets - before
            interval.l3_octets = (interval.l3_octets or 0) + reading.l3_bytes - before_octets

    def _step(self, name: str, value: int, reading: Reading, dt_ms: int) -> int | None:
        """The increase of one counter of the host; None for its first reading."""
        before = self._values.get(name)
        self._values[name] = value
        if before is None:
            return None
        most = reading.line_bits_per_s / 8 * dt_ms / 1000 if reading.line_bits_per_s else None
        grown, is_reset = increase(before, value, bits=reading.counter_bits, most=most)
        self.reset_count += is_reset
        return grown

    def _absorb_sources(self, reading: Reading, sources: Sequence[tuple[str, int, int, int]], interval: Interval, ended_ms: int, dt_ms: int) -> None:
        was_untold, beyond = self.has_untold, 0
        addresses, vnis, packets, octets = zip(*sources, strict=True) if sources else ((), (), (), ())
        listed = self._listed
        if listed is None or listed.addresses != addresses or listed.vnis != vnis:
            places, beyond = self._find(reading, sources, interval)
            listed = _Listed(addresses, vnis, places, is_every=places == list(range(len(self.flows))))
            self._listed = listed if None not in places else None
        if listed.is_every:
            now_packets, now_octets = list(packets), list(octets)
        else:
            now_packets, now_octets = self._packets[:], self._octets[:]
            for place, one_packets, one_octets in zip(listed.places, packets, octets, strict=True):
                if place is not None:
                    now_packets[place], now_octets[place] = one_packets, one_octets
        interval.attributed += self._grow(now_packets, now_octets, listed.places, ended_ms, reading.mono_ms, dt_ms)
        self.beyond_count = beyond if reading.is_full else max(beyond, self.beyond_count)
        self.has_untold = beyond > 0 or (was_untold and not reading.is_full)
        if reading.is_full:
            self._torn = False
            if len(self.by_key) != len(sources) - beyond:
                self._remove_gone(sources, interval)

    def _find(self, reading: Reading, sources: Sequence[tuple[str, int, int, int]], interval: Interval) -> tuple[list[int | None], int]:
        """The place of each source, None where nothing is reckoned of it this time; and for how many there was no room."""
        was_untold, beyond = self.has_untold, 0
        places: list[int | None] = []
        for address, vni, packets, octets in sources:
            flow = self.by_key.get((address, vni))
            if flow is None:
                flow = self._new_flow(address, vni)
                if flow is None:
                    beyond += 1
                elif was_untold:
                    self._packets[flow.index], self._octets[flow.index], self._torn_ms[flow.index] = packets, octets, reading.mono_ms
                    interval.adopted.append(flow)
                    flow = None
                else:
                    interval.new.append(flow)
            places.append(None if flow is None else flow.index)
        return places, beyond

    def _grow(self, packets: list[int], octets: list[int], places: list[int | None], ended_ms: int, mono_ms: int, dt_ms: int) -> int:
        """Counts all flows on to what they show now; those that are not at `places` show what they did. Returns by how many packets they grew."""
        grown, grown_octets = list(map(sub, packets, self._packets)), list(map(sub, octets, self._octets))
        if min(grown, default=0) < 0 or min(grown_octets, default=0) < 0:
            for place in [place for place, both in enumerate(zip(grown, grown_octets, strict=True)) if min(both) < 0]:
                self.reset_count += 1
                grown[place], grown_octets[place] = packets[place], octets[place]
        if self._torn_ms:
            for torn in [place for place in places if place is not None and place in self._torn_ms]:
                grown[torn], grown_octets[torn] = self._mended(self._torn_ms.pop(torn), grown[torn], grown_octets[torn], mono_ms, dt_ms)
        self._packets, self._octets = packets, octets
        if self._pending is None:
            self.grown, self._grown_octets = grown, grown_octets
        else:
            self.grown, self._grown_octets = list(map(add, self.grown, grown)), list(map(add, self._grown_octets, grown_octets))
        self.totals = list(map(add, self.totals, grown))
        if all(grown) and all(self.first_ms):  # as nearly always: all sent, and not for the first time
            self.last_ms = [ended_ms] * len(grown)
            return sum(grown)
        for place, count in enumerate(grown):
            if count:
                self.last_ms[place] = ended_ms
                self.first_ms[place] = self.first_ms[place] or ended_ms
        return sum(grown)

    def _remove_gone(self, sources: Sequence[tuple[str, int, int, int]], interval: Interval) -> None:
        listed = {(address, vni) for address, vni, _, _ in sources}
        for key in [key for key in self.by_key if key not in listed]:
            flow = self.by_key[key]
            interval.gone.append(flow)
            self._remove(key, flow)

    def _absorb_directions(self, directions: Sequence[tuple[str, int, str, int, int]]) -> None:
        """Always the whole list: what is not in it is forgotten, and so is all of it where there is more than any network sends."""
        had_untold, self._has_untold_directions = self._has_untold_directions, self.has_untold
        if self.has_untold:
            directions = [row for row in directions if (row[0], row[1]) in self.by_key]
        if len(directions) > _DIRECTIONS_A_SOURCE * len(self.by_key):
            self._direction_values, self.direction_totals = None, {}
            return
        before, totals = self._direction_values, self.direction_totals
        values: dict[tuple[str, int, str], int] = {}
        grown_totals: dict[tuple[str, str], int] = {}
        for address, vni, mac, packets, _ in directions:
            values[(address, vni, mac)] = packets
            first = packets if had_untold else 0  # it may have been untold
            grown = increase(before.get((address, vni, mac), first), packets)[0] if before is not None else 0
            key = (address, mac)
            grown_totals[key] = grown_totals.get(key, totals.get(key, 0)) + grown
        self._direction_values, self.direction_totals = values, grown_totals

    def rates_of(self, flow: Flow) -> tuple[float | None, float | None]:
        """Inner bits/s and packets/s of a flow in `interval`; None, both, where that is not known."""
        bits, packets = self.flow_bits[flow.index], self.flow_packets[flow.index]
        return (None, None) if bits != bits else (bits, packets)

    # -- what a lost partial reading leaves behind

    def _tear(self) -> None:
        """A partial reading after a lost one: what it does not list may have changed in the lost one."""
        self._torn = True
        for flow in self.by_key.values():
            self._torn_ms.setdefault(flow.index, self._mono_ms)

    def _mended(self, torn_ms: int, grown: int, grown_octets: int, mono_ms: int, dt_ms: int) -> tuple[int, int]:
        """The share of this interval in what grew since the source was last known (R4)."""
        since_ms = mono_ms - torn_ms
        if since_ms <= dt_ms:
            return grown, grown_octets
        return grown * dt_ms // since_ms, grown_octets * dt_ms // since_ms

    # -- the places of the sources

    def _new_flow(self, address: str, vni: int) -> Flow | None:
        """None where there is no room."""
        if self._free:
            flow = Flow(address, vni, self._free.pop())
            self.flows[flow.index] = flow
            for counts in self._counts():
                counts[flow.index] = 0
            self.reused.append(flow.index)
        elif self._room.take():
            flow = Flow(address, vni, len(self.flows))
            self.flows.append(flow)
            for counts in self._counts():
                counts.append(0)
            self.flow_bits.append(_UNKNOWN)
            self.flow_packets.append(_UNKNOWN)
        else:
            return None
        self.flow_bits[flow.index] = self.flow_packets[flow.index] = _UNKNOWN
        self._listed = None
        self.by_key[(address, vni)] = flow
        return flow

    def _counts(self) -> tuple[list[int], ...]:
        return self.grown, self._grown_octets, self.totals, self.first_ms, self.last_ms, self._packets, self._octets

    def _remove(self, key: tuple[str, int], flow: Flow) -> None:
        del self.by_key[key]
        self.flows[flow.index] = None
        self.flow_bits[flow.index] = self.flow_packets[flow.index] = _UNKNOWN
        self._torn_ms.pop(flow.index, None)
        self._listed = None
        self._free.append(flow.index)

    @property
    def free_count(self) -> int:
        """Places that no flow has."""
        return len(self._free)

    def pack(self) -> list[int]:
        """Gives the free places back. Returns the former index of each flow by its new one."""
        before = [flow.index for flow in self.flows if flow is not None]
        self._torn_ms = {index: self._torn_ms[former] for index, former in enumerate(before) if former in self._torn_ms}
        self.flows = [self.flows[index] for index in before]
        for index, flow in enumerate(self.flows):
            if flow is not None:
                flow.index = index
        for counts in self._counts():
            counts[:] = [counts[index] for index in before]
        self.flow_bits = array("d", [self.flow_bits[index] for index in before])
        self.flow_packets = array("d", [self.flow_packets[index] for index in before])
        self._room.give_back(len(self._free))
        self._free, self.reused, self._listed = [], [], None
        return before

    def forget_sources(self) -> None:
        """They are untold until the next readings list them: the room is needed for others."""
        for key, flow in list(self.by_key.items()):
            self._remove(key, flow)
        self._direction_values, self.direction_totals = None, {}
        self.has_untold = True

    def leave(self) -> None:
        """Gives all places back; nothing is read after that."""
        self._room.give_back(len(self.flows))
        self.flows, self._free, self.by_key, self._listed = [], [], {}, None
        self.flow_bits, self.flow_packets = array("d"), array("d")
        for counts in self._counts():
            counts.clear()
