"""What flows in an estate and what has flowed: the one account from which agents count and Azure Monitor tells its totals.

A mirror flows while its route is whole, from one to three seconds after it became so; it stops at once. When it flowed, and how much more or
less than its curve a source sent, is kept as steps in time, so that totals of minutes long past still agree with what agents have counted.
What was before this process counts as it was found at its start. Knows no clock and no sockets. Times are whole seconds of Unix time.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vtapweb.simulator.curve import Load, curve_of, seed_of, shares_of, split
from vtapweb.simulator.estate import Estate, fold
from vtapweb.simulator.routes import Destination, Mirror, Route, Routes

T = TypeVar("T")
ENVELOPE = 50  # octets that mirroring puts around a frame: Ethernet, IPv4, UDP, VXLAN
L3_ENVELOPE = 36  # of them what the kernel's counter at layer 3 sees beyond the inner frame
OWN_SHARE_OF_COLLECTOR = 0.002  # of its curve: a collector's NIC is there to receive, somebody logs in now and then
KEPT_S = 8 * 86_400


@dataclass(slots=True)
class Steps(Generic[T]):
    """A value over time: `values[0]` until `times[0]`, `values[1]` from then on, and so on."""

    values: list[T]
    times: list[int] = field(default_factory=list)

    @property
    def now(self) -> T:
        return self.values[-1]

    def set(self, value: T, at_s: int) -> None:
        """From `at_s` on, which is not before the last change."""
        if value != self.now:
            self.times.append(max(at_s, self.times[-1] if self.times else at_s))
            self.values.append(value)

    def at(self, second: int) -> T:
        return self.values[bisect_right(self.times, second)]

    def within(self, first_s: int, last_s: int) -> list[int]:
        """The moments after `first_s` and before `last_s` at which it changes."""
        return [at for at in self.times if first_s < at < last_s]


@dataclass(slots=True)
class Flow:
    """One mirror on its way to one destination. `members` holds the folded ids of the NICs that it arrives at; none while it does not flow."""

    mirror: Mirror
    destination: Destination
    members: Steps[tuple[str, ...]]
    starts: tuple[int, tuple[str, ...]] | None = None  # what begins at a moment still to come
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one source's mirror brought to one member in a span: frames it received and sent, and the length of each kind."""

    source: Mirror
    destination_key: str
    member_key: str
    received: int
    received_frame: int
    sent: int
    sent_frame: int


@dataclass(slots=True)
class Flows:
    """The account of one estate. `never` holds folded ids of NICs whose mirrors carry nothing though nothing is wrong with them, `strangers`
    addresses that no NIC has, each with the folded id of the destination it sends to."""

    estate: Estate
    never: set[str] = field(default_factory=set)
    strangers: set[tuple[str, str]] = field(default_factory=set)
    routes: Routes = field(init=False)
    flows: dict[tuple[str, str], Flow] = field(default_factory=dict)
    lost: list[Route] = field(default_factory=list)  # mirrors whose destination does not exist
    _factors: dict[str, Steps[float]] = field(default_factory=dict)
    _arriving: dict[str, set[tuple[str, str]]] = field(default_factory=dict)  # flows by the NIC or load balancer that they ever arrived at
    _is_stale: bool = True
    _is_first: bool = True

    def __post_init__(self) -> None:
        self.routes = Routes(self.estate)

    def refresh(self, now_s: int) -> None:
        """Bring the account to now. Free where nothing has changed."""
        if self.routes.refresh() or self._is_stale:
            self._is_stale = False
            self._follow(now_s)
            self._is_first = False
        for flow in self.flows.values():
            if flow.starts is not None and flow.starts[0] <= now_s:
                self._step(flow, flow.starts[1], flow.starts[0])
                flow.starts = None

    def factors_set(self, factors: Mapping[str, float], now_s: int) -> None:
        """How many times its curve a NIC sends and receives from now on, 0 nothing; those that are not named as much as their curves say."""
        for nic_key in {*factors, *self._factors}:
            self._factors.setdefault(nic_key, Steps([1.0])).set(factors.get(nic_key, 1.0), now_s)

    def never_set(self, nic_keys: Iterable[str], now_s: int) -> None:
        """Of which NICs the mirrors carry nothing from now on."""
        self._is_stale |= self.never != (wanted := set(nic_keys))
        self.never = wanted
        self.refresh(now_s)

    def strangers_set(self, strangers: Iterable[tuple[str, str]], now_s: int) -> None:
        """Who sends from now on without a NIC: (address, folded id of a destination)."""
        self._is_stale |= self.strangers != (wanted := set(strangers))
        self.strangers = wanted
        self.refresh(now_s)

    def arrivals(self, second: int) -> Iterator[Arrival]:
        """What arrives from `second` until the next."""
        minute, first = divmod(second, 60)
        for flow in self.flows.values():
            members = flow.members.now if not flow.members.times or flow.members.times[-1] <= second else flow.members.at(second)
            if members:
                factor = self._factor(flow.mirror.nic_key, second)
                for member, received, received_frame, sent, sent_frame in _parts(flow.mirror.nic_key, members, minute, first, first + 1, factor):
                    yield Arrival(flow.mirror, flow.destination.key, member, received, received_frame, sent, sent_frame)

    def nic_load(self, nic_key: str, minute: int) -> Load:
        """What Azure Monitor tells of a NIC for a minute: its own traffic, and what mirrors bring it inside their envelopes."""
        packets, octets = self.mirrored(nic_key, minute)
        own = Load(0, 0, 0, 0)
        steps = self._factors.get(nic_key)
        share = OWN_SHARE_OF_COLLECTOR if nic_key in self._arriving else 1.0
        for first, last in _pieces(minute, steps.times if steps else ()):
            piece = curve_of(nic_key).minute(minute).load(first, last, share * self._factor(nic_key, minute * 60 + first))
            own = _sum(own, piece)
        return Load(own.received_packets + packets, own.received_octets + octets, own.sent_packets, own.sent_octets)

    def own_second(self, nic_key: str, second: int) -> Load:
        """What a collector's NIC moves for itself from `second` until the next."""
        minute, first = divmod(second, 60)
        return curve_of(nic_key).minute(minute).load(first, first + 1, OWN_SHARE_OF_COLLECTOR * self._factor(nic_key, second))

    def mirrored(self, key: str, minute: int, *, frontend_key: str = "") -> tuple[int, int]:
        """(packets, octets) that mirrors bring to a NIC or a load balancer (or one frontend of it) in a minute, envelopes included. Folded ids."""
        packets = octets = 0
        for place in self._arriving.get(key, ()):
            flow = self.flows[place]
            if frontend_key and flow.destination.key != frontend_key:
                continue
            nic_key, steps = flow.mirror.nic_key, self._factors.get(flow.mirror.nic_key)
            for first, last in _pieces(minute, [*flow.members.times, *(steps.times if steps else ())]):
                members = flow.members.at(minute * 60 + first)
                if members:
                    factor = self._factor(nic_key, minute * 60 + first)
                    for member, received, received_frame, sent, sent_frame in _parts(nic_key, members, minute, first, last, factor):
                        if key in {member, flow.destination.owner_key}:
                            packets += received + sent
                            octets += received * received_frame + sent * sent_frame + ENVELOPE * (received + sent)
        return packets, octets

    def is_collector(self, key: str) -> bool:
        """Whether mirrors ever arrived at that NIC or load balancer."""
        return key in self._arriving

    def _factor(self, nic_key: str, second: int) -> float:
        steps = self._factors.get(nic_key)
        return 1.0 if steps is None else steps.at(second)

    def _follow(self, now_s: int) -> None:
        """What the routes say now becomes what flows, at once where it ends and soon where it begins."""
        seen = set()
        self.lost = []
        for route in [*self.routes.all(), *self._strange_routes()]:
            if route.destination is None:
                self.lost.append(route)
                continue
            place = (route.mirror.key, route.destination.key)
            seen.add(place)
            is_played = route.mirror.nic_key in self.never
            wanted = () if is_played else tuple(member.nic_key for member in route.members)
            flow = self.flows.get(place)
            if flow is None:
                flow = self.flows[place] = Flow(route.mirror, route.destination, Steps([wanted if self._is_first else ()]))
                self._note(flow)
            flow.mirror, flow.destination = route.mirror, route.destination
            flow.broken = "the simulator plays that it carries nothing" if is_played else route.broken
            self._want(flow, wanted, now_s)
        for place in [place for place in self.flows if place not in seen]:
            flow = self.flows[place]
            self._want(flow, (), now_s)
            flow.broken = "it is gone"
            if not flow.members.times or flow.members.times[-1] < now_s - KEPT_S:
                del self.flows[place]
                for places in self._arriving.values():
                    places.discard(place)

    def _strange_routes(self) -> Iterator[Route]:
        destinations = self.routes.destinations()
        for address, destination_key in sorted(self.strangers):
            destination = destinations.get(destination_key)
            name = f"stranger {address}"
            tap_key = next((key for key, (arm_id, _, _) in self.routes.taps.items() if fold(arm_id) == destination_key), "")
            mirror = Mirror(name, name, "", "", address, "", tap_key, is_ready=True)
            yield Route(mirror, destination, tuple(member for member in destination.members if member.is_running) if destination else ())

    def _want(self, flow: Flow, wanted: tuple[str, ...], now_s: int) -> None:
        if wanted and not flow.members.now:
            at_s = flow.starts[0] if flow.starts is not None else now_s + 1 + seed_of(flow.mirror.key) % 3
            flow.starts = (at_s, wanted)
        else:
            flow.starts = None
            self._step(flow, wanted, now_s)

    def _step(self, flow: Flow, members: tuple[str, ...], at_s: int) -> None:
        flow.members.set(members, at_s)
        self._note(flow)

    def _note(self, flow: Flow) -> None:
        for key in (*flow.members.now, *((flow.destination.owner_key,) if flow.members.now else ())):
            self._arriving.setdefault(key, set()).add((flow.mirror.key, flow.destination.key))


def _parts(nic_key: str, members: tuple[str, ...], minute: int, first: int, last: int, factor: float) -> Iterator[tuple[str, int, int, int, int]]:
    """(member, frames received, their length, frames sent, their length) of what a NIC moves from second `first` to `last` of a minute."""
    shape = curve_of(nic_key).minute(minute)
    received_before, sent_before = shape.until(first, factor)
    received, sent = shape.until(last, factor)
    if len(members) == 1:
        yield members[0], received - received_before, shape.received_frame, sent - sent_before, shape.sent_frame
        return
    shares = shares_of(nic_key, members)
    counts = (split(count, shares) for count in (received_before, received, sent_before, sent))
    for member, was_received, is_received, was_sent, is_sent in zip(members, *counts, strict=True):
        yield member, is_received - was_received, shape.received_frame, is_sent - was_sent, shape.sent_frame


def _pieces(minute: int, times: Iterable[int]) -> list[tuple[int, int]]:
    """A minute cut where something changes, as pairs of seconds in it."""
    start = minute * 60
    cuts = sorted({at - start for at in times if start < at < start + 60})
    return list(zip([0, *cuts], [*cuts, 60], strict=True))


def _sum(one: Load, other: Load) -> Load:
    return Load(
        one.received_packets + other.received_packets,
        one.received_octets + other.received_octets,
        one.sent_packets + other.sent_packets,
        one.sent_octets + other.sent_octets,
    )
