"""One machine behind a collector: what it last told, for how long that holds, and what its last minutes came to."""

from array import array
from collections import deque
from collections.abc import Sequence
from itertools import zip_longest
from operator import sub
from typing import Final, NamedTuple

from vtapweb.domain.rates import OUTER_OCTETS, MemberRates, Outcome, Room, inner_octets, wire_octets
from vtapweb.traffic.meter.moment import Moment
from vtapweb.traffic.meter.window import Marks
from vtapweb.traffic.samples import SATURATION, Counters, MemberNow, Origin, Point, Points

STALE_S: Final = 5.0
STALE_INTERVALS: Final = 3.0
ON_THE_WAY_MS: Final = 30_000  # how long a sample may have waited in the stream before its arrival is taken for another clock's
BOOTS_WITHIN_MS: Final = 600_000
QUARTER_FROM_MS: Final = 300_000  # from then on a mean of 15 min is that of what is known: who stops soon after a restart is seen to (H4)
DROPS: Final = (*SATURATION, "sock_drops", "softnet_squeezed", "udp_no_ports")


class Totals(NamedTuple):
    """What a member has counted since we listen to it, over the time in which its rates are known."""

    packets: int = 0
    wire_octets: float = 0.0
    drops: int = 0
    no_ports: int = 0
    unattributed: int = 0
    lost: int = 0
    read: int = 0


class Rates(NamedTuple):
    """Of one interval; None: unknown."""

    inner_bits: float | None = None
    wire_bits: float | None = None
    packets: float | None = None
    nic_packets: float | None = None
    drops: float | None = None


class Covered(NamedTuple):
    """The whole seconds of server time whose rates have just become known."""

    first_s: int
    last_s: int
    rates: Rates


class Past(NamedTuple):
    """Where the counts of all flows stood, by the index of the flow."""

    seconds: float  # ago
    totals: "array[float]"


NOTHING: Final = Rates()


class Member:
    """`rates` counts; for a source that tells ready-made rates it stays as it is."""

    def __init__(self, name: str, origin: Origin, interval_s: float, now: Moment, room: Room | None = None) -> None:
        self.name = name
        self.nic_key = ""
        self.origin = origin
        self.interval_s = interval_s
        self.lag_s: float | None = None
        self.arrived_ms = now.wall_ms
        self.heard_mono_ms = now.mono_ms  # when its last sample, or its last new point, arrived
        self.measured_ms: int | None = None
        self.current = NOTHING
        self.drops: dict[str, float] = {}
        self.rates = MemberRates(room)
        self.is_estimate = False
        self.is_gro = self.has_vxlan_device = False
        self.version = self.interface = self.lacks = ""
        self.is_stale = False
        self.awaited_until_ms: int | None = None  # of the steady clock: it fell silent with all others, who are coming back
        self.covered_s: int | None = None  # the last second that is in the ring
        self.totals = Totals()
        self.known_ms = 0
        self.marks: Marks[Totals] = Marks(step_ms=900, count=80)
        self.flow_marks: Marks[array[float]] = Marks(step_ms=5_000, count=16)
        self.long_flow_marks: Marks[array[float]] = Marks(step_ms=60_000, count=18)
        self.direction_marks: Marks[dict[tuple[str, str], int]] = Marks(step_ms=5_000, count=16)
        self.directions_60s: dict[str, dict[str, int]] = {}  # packets by outer address and inner source MAC
        self.minute: list[float | None] = []  # the flows' mean packets/s, see look_back
        self.quarter: list[float | None] = []
        self._ends: deque[int] = deque(maxlen=64)  # of the ready-made rates that were taken since we listen to it
        self._saturated: deque[bool] = deque(maxlen=5)
        self._boots: deque[int] = deque(maxlen=60)
        self._lost_before = self._read_before = 0

    # -- what comes in

    def take_counters(self, sample: Counters, now: Moment) -> tuple[Outcome, Covered | None]:
        """One more reading; with the seconds that it makes known."""
        outcome = self.rates.take(sample)
        if self.rates.reused:
            self._forget_places()
        if outcome in {Outcome.DUPLICATE, Outcome.LATE, Outcome.PARTIAL}:
            return outcome, None
        self._heard(sample, now)
        self.lag_s = None
        self.version, self.interface, self.lacks = sample.version, sample.interface, sample.lacks
        self.is_gro, self.has_vxlan_device = sample.is_gro, sample.has_vxlan_device
        self.is_estimate = sample.packets is None or sample.l3_bytes is None
        if outcome is Outcome.BASELINE and self.rates.boot_count > 1 and sample.is_numbered:
            self._boots.append(now.mono_ms)
        if outcome is Outcome.RATE:
            return outcome, self._measured(now)
        if outcome is not Outcome.EARLY:
            self._forget_rates()
        return outcome, None

    def take_points(self, sample: Points, now: Moment) -> list[Covered]:
        """The points that are new, oldest first. Whoever asks again and brings nothing newer is as old, and as late, as it was."""
        self.nic_key, self.origin, self.interval_s = sample.nic_key, sample.origin, sample.interval_s
        self.is_estimate = True
        found = []
        for point in sorted(sample.points, key=_end):
            last_s = point.end_ms // 1000
            first_s = last_s - max(round(sample.interval_s), 1) + 1
            if self.measured_ms is not None and point.end_ms <= self.measured_ms:
                if self._fills_hole(point.end_ms, sample.interval_s):
                    self._ends.append(point.end_ms)
                    found.append(Covered(first_s, min(last_s, now.wall_s), rates_of(point)))
                continue
            self.heard_mono_ms = now.mono_ms
            self.arrived_ms, self.lag_s = sample.arrival_ms, sample.lag_s
            self.measured_ms = point.end_ms
            self._ends.append(point.end_ms)
            self.current = rates_of(point)
            self.drops = {} if point.drops_per_s is None else {"rx_dropped": point.drops_per_s}
            self._count_point(point, sample.interval_s)
            found.append(self._cover(first_s, last_s, now))
        return found

    def _fills_hole(self, end_ms: int, interval_s: float) -> bool:
        """Whether nobody told of that time yet, though of times before and after it: a minute that came late."""
        return bool(self._ends) and end_ms > min(self._ends) and all(abs(end_ms - one) >= interval_s * 1000 for one in self._ends)

    def _heard(self, sample: Counters, now: Moment) -> None:
        self.nic_key, self.origin, self.interval_s = sample.nic_key, sample.origin, sample.interval_s
        self.arrived_ms = sample.arrival_ms
        waited_ms = now.wall_ms - sample.arrival_ms
        self.heard_mono_ms = now.mono_ms - (waited_ms if 0 <= waited_ms <= ON_THE_WAY_MS else 0)

    def _measured(self, now: Moment) -> Covered:
        interval = self.rates.interval
        if interval is None:
            raise ValueError("a rate without its interval")
        per_s = 1000 / interval.dt_ms
        host = interval.host
        packets, octets = interval.packets, interval.l3_octets
        nic_packets, nic_octets = host.get("rx_packets"), host.get("rx_bytes")
        inner = wire = None
        if packets is not None and octets is not None:
            inner, wire = inner_octets(octets, packets), wire_octets(octets, packets)
        elif nic_octets is not None:
            packets, wire = nic_packets, float(nic_octets)
            inner = max(nic_octets - OUTER_OCTETS * (nic_packets or 0), 0)
        is_dropping = any(name in host for name in SATURATION)
        drops = sum(host.get(name, 0) for name in SATURATION)
        self._saturated.append(drops > 0)
        self.drops = {name: host[name] * per_s for name in DROPS if name in host}
        self.current = Rates(
            None if inner is None else inner * 8 * per_s,
            None if wire is None else wire * 8 * per_s,
            None if packets is None else packets * per_s,
            None if nic_packets is None else nic_packets * per_s,
            drops * per_s if is_dropping else None,
        )
        self.measured_ms = interval.ended_ms
        self._mark(interval.dt_ms, packets or 0, wire or 0.0, drops, host.get("udp_no_ports", 0), interval.unattributed or 0)
        return self._cover(-(-interval.started_ms // 1000), interval.ended_ms // 1000, now)

    def _mark(self, dt_ms: int, packets: int, wire: float, drops: int, no_ports: int, unattributed: int) -> None:
        """Counts the interval in, and marks where the counts stood before it."""
        rates, before = self.rates, self.totals
        if self.marks.is_due(self.known_ms):
            self.marks.put(self.known_ms, before)
        if rates.has_sources and self.flow_marks.is_due(self.known_ms):
            self._mark_flows()
        if rates.direction_totals:
            self._mark_directions()
        elif self.directions_60s:
            self._forget_directions()
        lost, read = rates.lost_count, rates.read_count
        self.totals = Totals(
            before.packets + packets, before.wire_octets + wire, before.drops + drops, before.no_ports + no_ports,
            before.unattributed + unattributed, before.lost + lost - self._lost_before, before.read + read - self._read_before,
        )  # fmt: skip
        self._lost_before, self._read_before = lost, read
        self.known_ms += dt_ms

    def _mark_flows(self) -> None:
        before = array("d", map(sub, self.rates.totals, self.rates.grown))
        self.flow_marks.put(self.known_ms, before)
        if self.long_flow_marks.is_due(self.known_ms):
            self.long_flow_marks.put(self.known_ms, before)

    def _mark_directions(self) -> None:
        totals = self.rates.direction_totals
        found = self.direction_marks.before(self.known_ms, 60_000)
        if found is not None:
            by_address: dict[str, dict[str, int]] = {}
            for (address, mac), total in totals.items():
                by_address.setdefault(address, {})[mac] = max(total - found[1].get((address, mac), 0), 0)
            self.directions_60s = by_address
        if self.direction_marks.is_due(self.known_ms):
            self.direction_marks.put(self.known_ms, dict(totals))

    def _forget_directions(self) -> None:
        self.direction_marks.clear()
        self.directions_60s = {}

    def _forget_places(self) -> None:
        """Other flows have these places now, and count from 0."""
        for totals in (*self.flow_marks.values(), *self.long_flow_marks.values()):
            for index in self.rates.reused:
                if index < len(totals):
                    totals[index] = 0.0

    def pack(self) -> None:
        """Gives the places back that sources left. Flows have other places then."""
        before = self.rates.pack()

        def packed(totals: "array[float]") -> "array[float]":
            return array("d", [totals[index] if index < len(totals) else 0.0 for index in before])

        self.flow_marks.replace(packed)
        self.long_flow_marks.replace(packed)

    def forget_sources(self) -> None:
        """It has been silent for long, and others need the room."""
        self.rates.forget_sources()
        self._forget_directions()

    def _count_point(self, point: Point, interval_s: float) -> None:
        dt_ms = max(round(interval_s * 1000), 1)
        octets, packets, drops = point.bytes_per_s or 0.0, point.packets_per_s or 0.0, point.drops_per_s or 0.0
        self._mark(dt_ms, round(packets * interval_s), octets * interval_s, round(drops * interval_s), 0, 0)

    def _cover(self, first_s: int, last_s: int, now: Moment) -> Covered:
        """The seconds of an interval, each only once, none that lies ahead."""
        last_s = min(last_s, now.wall_s)
        if self.covered_s is not None:
            first_s = max(first_s, self.covered_s + 1)
        if last_s >= first_s:
            self.covered_s = last_s
        return Covered(first_s, last_s, self.current)

    def _forget_rates(self) -> None:
        """A baseline or a hole: nothing is known, and no window reaches over it."""
        self.current = NOTHING
        self.drops = {}
        self.measured_ms = None
        for marks in (self.marks, self.flow_marks, self.long_flow_marks):
            marks.clear()
        self._forget_directions()
        self._lost_before, self._read_before = self.rates.lost_count, self.rates.read_count

    def clock_was_set(self, by_ms: int) -> None:
        """The wall clock jumped: what was told in its milliseconds moves along, so that ages stay what they are."""
        self.rates.forget_delays()
        self.covered_s = None
        self._ends.clear()
        self.arrived_ms += by_ms
        if self.measured_ms is not None and self.origin is Origin.AGENT:
            self.measured_ms += by_ms
        for times in (self.rates.first_ms, self.rates.last_ms):
            times[:] = [at_ms + by_ms if at_ms else 0 for at_ms in times]

    # -- what is known

    def stale_after_s(self) -> float:
        """H1, and the lag that the source itself has."""
        return max(STALE_S, STALE_INTERVALS * self.interval_s) + (self.lag_s or 0.0)

    def age(self, now: Moment) -> None:
        """Whether its last rates still hold, and whether it is still waited for."""
        self.is_stale = now.mono_ms - self.heard_mono_ms > self.stale_after_s() * 1000
        if not self.is_stale or (self.awaited_until_ms is not None and now.mono_ms > self.awaited_until_ms):
            self.awaited_until_ms = None

    @property
    def is_settling(self) -> bool:
        """Its first rate since it began, since a hole, or since all were silent is still to come: what the others receive is not the sum."""
        return self.awaited_until_ms is not None if self.is_stale else self.measured_ms is None

    @property
    def rates_now(self) -> Rates:
        return NOTHING if self.is_stale else self.current

    def since(self, window_ms: int) -> tuple[float, Totals] | None:
        """The seconds that a window covers, and what the counts were at its beginning; None while it is not half full."""
        found = None if self.is_stale else self.marks.before(self.known_ms, window_ms)
        return None if found is None else (found[0] / 1000, found[1])

    def look_back(self) -> None:
        """The flows' means over 60 s and 900 s, before they are asked for."""
        totals = self.rates.totals
        self.minute = means_since(self._flows_before(self.flow_marks, 60_000), totals)
        self.quarter = means_since(self._flows_before(self.long_flow_marks, 900_000, least_ms=QUARTER_FROM_MS), totals)

    def _flows_before(self, marks: "Marks[array[float]]", window_ms: int, *, least_ms: int = 0) -> Past | None:
        found = None if self.is_stale else marks.before(self.known_ms, window_ms, least_ms=least_ms)
        return None if found is None else Past(found[0] / 1000, found[1])

    def now(self, now: Moment) -> MemberNow:
        """For others to read."""
        rates, totals = self.rates_now, self.totals
        ten, thirty, sixty = self.since(10_000), self.since(30_000), self.since(60_000)
        while self._boots and now.mono_ms - self._boots[0] > BOOTS_WITHIN_MS:
            self._boots.popleft()
        drop_share = no_ports = unattributed = gaps = None
        if ten is not None:
            drops = totals.drops - ten[1].drops
            drop_share = share(drops, drops + totals.packets - ten[1].packets)
        if thirty is not None and "udp_no_ports" in self.drops:
            no_ports = share(totals.no_ports - thirty[1].no_ports, totals.packets - thirty[1].packets)
        if sixty is not None:
            if self.rates.has_sources:
                unattributed = share(totals.unattributed - sixty[1].unattributed, totals.packets - sixty[1].packets)
            lost = totals.lost - sixty[1].lost
            gaps = share(lost, lost + totals.read - sixty[1].read)
        return MemberNow(
            self.name, self.nic_key, self.origin, self.interval_s, self.lag_s, self.arrived_ms, self.measured_ms, rates.inner_bits, rates.wire_bits,
            rates.packets, rates.nic_packets, {} if self.is_stale else self.drops, sum(self._saturated), drop_share, no_ports, unattributed, gaps,
            len(self._boots), self.is_estimate, self.is_gro, self.has_vxlan_device, self.rates.is_skewed, self.version, self.interface,
            self.lacks, self.rates.beyond_count, len(self.rates.by_key),
        )  # fmt: skip


def rates_of(point: Point) -> Rates:
    """A point's rates; of everything that the machine receives."""
    octets, packets = point.bytes_per_s, point.packets_per_s
    inner = None if octets is None else max(octets - OUTER_OCTETS * (packets or 0.0), 0.0) * 8
    return Rates(inner, None if octets is None else octets * 8, packets, packets, point.drops_per_s)


def means_since(past: Past | None, totals: Sequence[int]) -> list[float | None]:
    """The mean packets/s since then, by the index of the flow, of their `totals` now; None where that is not known."""
    if past is None:
        return [None] * len(totals)
    return [(now - before) / past.seconds for now, before in zip_longest(totals, past.totals[: len(totals)], fillvalue=0)]


def share(part: float, of: float) -> float | None:
    """`part / of`, at most 1; None of nothing."""
    return min(part / of, 1.0) if of > 0 else None


def _end(point: Point) -> int:
    return point.end_ms
