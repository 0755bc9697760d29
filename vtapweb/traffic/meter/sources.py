"""A collector's sources: whose they are, what of each is known, where they stand in the ring and in a tick.

A source is what one outer address sends, at whichever members and with whichever VNIs it arrives. Nearly always that is one flow of the only member:
then all of them are told by columns (Plain); each way must say what the other would.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vtapweb.domain.attribution import UNKNOWN, Attributed, Attribution
from vtapweb.domain.rates import Flow
from vtapweb.traffic.meter.member import Member
from vtapweb.traffic.meter.moment import Moment
from vtapweb.traffic.meter.sums import sum_of_all, sum_of_known
from vtapweb.traffic.ring import Ring, bits_column, packets_column
from vtapweb.traffic.samples import SourceColumns, SourceNow

UNKNOWN_PACKETS: Final = 10  # H5: more than these in 60 s
UNKNOWN_MOST: Final = 256  # addresses without a NIC that have columns of their own: anybody near the collector can make up outer addresses
OTHERS: Final = "ip:others"  # what the others of them send, together


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
        """The NIC's key; `ip:` and the address where none is known. See Sources._column_name."""
        return self.attributed.nic_key or f"ip:{self.address}"

    @property
    def is_explained(self) -> bool:
        """Whether a TAP configuration is why it sends here, or two NICs are (H6)."""
        return bool(self.attributed.tap_configuration_key) or self.attributed.is_ambiguous

    def rates(self) -> tuple[float | None, float | None]:
        """Inner bits/s and packets/s of all its flows at members that report; None where one of them is not known: a part is not the sum."""
        told = [member.rates.rates_of(flow) for member, flow in self.flows if not member.is_stale]
        return sum_of_all(bits for bits, _ in told), sum_of_all(packets for _, packets in told)

    def now(self, *, is_settling: bool) -> SourceNow:
        """For others to read; the members have looked back. While a member settles, the rates are unknown."""
        named = self.attributed
        bits, packets = (None, None) if is_settling else self.rates()
        live = [(member, flow.index) for member, flow in self.flows if not member.is_stale]
        times = [(member.rates.first_ms[flow.index], member.rates.last_ms[flow.index]) for member, flow in self.flows]
        sent, received = self.directions()
        return SourceNow(
            self.address, named.nic_key, named.tap_configuration_key, named.is_ambiguous, bits, packets,
            sum_of_all(member.minute[index] for member, index in live), sum_of_all(member.quarter[index] for member, index in live),
            min((first_ms for first_ms, _ in times if first_ms), default=0), max((last_ms for _, last_ms in times), default=0),
            sent, received, sorted({flow.vni for _, flow in self.flows}),
        )  # fmt: skip

    def directions(self) -> tuple[float | None, float | None]:
        """Packets in 60 s that the NIC sent and that it received, by the inner source MAC; None where that is not known."""
        own = self.attributed.mac
        if not own:
            return None, None
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
    """The sources of a collector's only member by the index of the flow, each being one flow: all are told at once.

    `bits` and `packets` are slices of a row of the ring where the columns stand side by side, as they do unless sources came and went.
    """

    member: Member
    sources: list[Source]
    addresses: list[str]
    nic_keys: list[str]
    tap_configuration_keys: list[str]
    are_ambiguous: list[bool]
    vnis: list[list[int]]
    bits_at: list[int]
    packets_at: list[int]
    bits: slice | None
    packets: slice | None

    @property
    def has_own_columns(self) -> bool:
        """Whether no two sources are kept together in the ring."""
        return self.bits is not None or len({*self.bits_at, *self.packets_at}) == 2 * len(self.bits_at)

    def put(self, row: "array[float]") -> None:
        """The rates of all flows into a row that knows nothing of these sources yet."""
        rates = self.member.rates
        if self.bits is not None and self.packets is not None:
            row[self.bits], row[self.packets] = array("f", rates.flow_bits), array("f", rates.flow_packets)
            return
        for at, value in zip(self.bits_at, rates.flow_bits, strict=True):
            row[at] = value
        for at, value in zip(self.packets_at, rates.flow_packets, strict=True):
            row[at] = value

    def now(self, *, is_settling: bool) -> SourceColumns:
        """What `Source.now` says of each."""
        member, rates = self.member, self.member.rates
        unknown: list[float | None] = [None] * len(self.sources)
        is_known = not is_settling and not member.is_stale
        bits, packets = (_known(rates.flow_bits), _known(rates.flow_packets)) if is_known else (unknown, unknown)
        sent, received = unknown, unknown
        if member.directions_60s:
            directions = [source.directions() for source in self.sources]
            sent, received = [one for one, _ in directions], [one for _, one in directions]
        return SourceColumns(
            self.addresses, self.nic_keys, self.tap_configuration_keys, self.are_ambiguous, bits, packets, member.minute, member.quarter,
            rates.first_ms, rates.last_ms, sent, received, self.vnis,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """Where the rates of a collector's mirrors are found: `plain` each in one flow of its only member (indices of flows, for the places of a stretch
    of the table).
    """

    mirrors: Sequence[tuple[int, str]]  # what it was made for, and whom
    member: Member | None
    plain: list[tuple[slice, list[int]]]
    silent: list[int]  # nothing came of these yet
    others: list[tuple[int, str]]


class Sources:
    """All of one collector. `members` are the collector's own, by name."""

    def __init__(self, key: str, ring: Ring, members: Mapping[str, Member]) -> None:
        self._key = key
        self._ring = ring
        self._members = members
        self.by_address: dict[str, Source] = {}
        self.by_mirror: dict[str, list[Source]] = {}  # by key of the TAP configuration
        self.unexplained: list[str] = []  # addresses that send more than a few packets, and no TAP configuration explains them (H5)
        self.ambiguous_count = self.unknown_count = 0
        self._own_columns: set[str] = set()  # addresses without a NIC that have columns of their own
        self._plain: Plain | None = None
        self._is_plain_known = False
        self._mirror_plan: MirrorPlan | None = None
        self._unexplained: set[str] | None = None  # addresses, whatever they send; None: to be looked for

    def __len__(self) -> int:
        return len(self.by_address)

    def changed(self) -> None:
        """Sources, their flows, names or columns are others."""
        self._is_plain_known, self._plain, self._mirror_plan, self._unexplained = False, None, None, None

    def plain(self) -> Plain | None:
        """None where they are not as plain as nearly always: one member, each source one flow."""
        if len(self._members) != 1:
            return None
        if not self._is_plain_known:
            self._plain, self._is_plain_known = _plain(next(iter(self._members.values()))), True
        return self._plain

    # -- who is there

    def join(self, member: Member, flow: Flow, attribution: Attribution, now: Moment) -> None:
        """A flow that was not there before."""
        self.changed()
        source = self.by_address.get(flow.address)
        if source is None:
            source = self.by_address[flow.address] = Source(flow.address)
            self._name(source, attribution, now)
        source.flows.append((member, flow))
        flow.owner = source

    def rejoin(self, member: Member, attribution: Attribution, now: Moment) -> None:
        """After a baseline or a hole: the member's flows may all be others."""
        self.part_from(member)
        for flow in member.rates.by_key.values():
            self.join(member, flow, attribution, now)

    def part_from(self, member: Member) -> None:
        """None of its flows is there any more."""
        self.changed()
        for source in [one for one in self.by_address.values() if any(owner is member for owner, _ in one.flows)]:
            source.flows = [(owner, flow) for owner, flow in source.flows if owner is not member]
            self._drop_if_empty(source)

    def part(self, flow: Flow) -> Source | None:
        """A flow that went. Returns whose it was."""
        self.changed()
        source = flow.owner
        if not isinstance(source, Source):
            return None
        source.flows = [(owner, one) for owner, one in source.flows if one is not flow]
        self._drop_if_empty(source)
        return source

    def _drop_if_empty(self, source: Source) -> None:
        if not source.flows and self.by_address.get(source.address) is source:
            del self.by_address[source.address]
            self._own_columns.discard(source.address)
            if source.attributed.tap_configuration_key:
                self.by_mirror[source.attributed.tap_configuration_key].remove(source)

    # -- their names

    def rename(self, attribution: Attribution, now: Moment) -> None:
        """The inventory changed."""
        self.changed()
        self.by_mirror = {}
        for source in self.by_address.values():
            self._name(source, attribution, now)

    def _name(self, source: Source, attribution: Attribution, now: Moment) -> None:
        source.attributed = named = attribution.of(self._key, source.address)
        name = self._column_name(source)
        source.bits_at = self._ring.place(bits_column(name), now.wall_s)
        source.packets_at = self._ring.place(packets_column(name), now.wall_s)
        if named.tap_configuration_key:
            self.by_mirror.setdefault(named.tap_configuration_key, []).append(source)

    def _column_name(self, source: Source) -> str:
        """Its own, unless no NIC is known for it and enough others have one: then it is kept together with all further ones."""
        if source.attributed.nic_key:
            self._own_columns.discard(source.address)
        elif source.address not in self._own_columns:
            if len(self._own_columns) >= UNKNOWN_MOST:
                return OTHERS
            self._own_columns.add(source.address)
        return source.source_id

    def touch(self, now: Moment) -> None:
        """Their columns in the ring are in use."""
        for source in self.by_address.values():
            self._ring.touch((source.bits_at, source.packets_at), now.wall_s)

    # -- what is known of them

    def now(self, *, is_settling: bool) -> SourceColumns:
        """All sources, for others to read and as they are now; counts what is known of them."""
        for member in self._members.values():
            member.look_back()
        plain = self.plain()
        if plain:
            told = plain.now(is_settling=is_settling)
        else:
            told = SourceColumns.of(source.now(is_settling=is_settling) for source in self.by_address.values())
        if self._unexplained is None:
            self._count()
        unexplained = self._unexplained
        if unexplained:
            sent = zip(told.address, told.packets_per_s_60s, strict=True)
            self.unexplained = [address for address, per_s in sent if address in unexplained and (per_s or 0.0) * 60 > UNKNOWN_PACKETS]
        else:
            self.unexplained = []
        return told

    def _count(self) -> None:
        sources = self.by_address.values()
        self._unexplained = {source.address for source in sources if not source.is_explained}
        self.ambiguous_count = sum(source.attributed.is_ambiguous for source in sources)
        self.unknown_count = sum(not source.attributed.nic_key for source in sources) - self.ambiguous_count

    def mirror_rates(self, mirror_key: str) -> tuple[float | None, float | None]:
        """Inner bits/s and packets/s of what comes of a mirror; None where nothing is known."""
        rates = [source.rates() for source in self.by_mirror.get(mirror_key, ())]
        return sum_of_known(one[0] for one in rates), sum_of_known(one[1] for one in rates)

    def tell_mirrors(
        self, mirrors: Sequence[tuple[int, str]], all_bits: "array[float]", all_packets: "array[float]", *, has_all_sources: bool
    ) -> None:
        """Puts the rates of mirrors, where they are known, into their places. With `has_all_sources` 0 for those of which nothing comes."""
        plan = self._mirror_plan
        member = next(iter(self._members.values())) if len(self._members) == 1 else None
        if plan is None or plan.mirrors is not mirrors or plan.member is not member:
            plan = self._mirror_plan = self._plan(mirrors, member)
        if member is not None and not member.is_stale:
            flow_bits, flow_packets = member.rates.flow_bits, member.rates.flow_packets
            for places, indices in plan.plain:
                all_bits[places] = array("f", map(flow_bits.__getitem__, indices))
                all_packets[places] = array("f", map(flow_packets.__getitem__, indices))
        if has_all_sources:
            for place in plan.silent:
                all_bits[place] = all_packets[place] = 0.0
        for place, mirror_key in plan.others:
            bits, packets = self.mirror_rates(mirror_key)
            if bits is not None and packets is not None:
                all_bits[place], all_packets[place] = bits, packets

    def _plan(self, mirrors: Sequence[tuple[int, str]], member: Member | None) -> MirrorPlan:
        silent, plain, others = [], [], []
        for place, mirror_key in mirrors:
            sources = self.by_mirror.get(mirror_key)
            if not sources:
                silent.append(place)
            elif len(sources) == len(sources[0].flows) == 1 and sources[0].flows[0][0] is member:
                plain.append((place, sources[0].flows[0][1].index))
            else:
                others.append((place, mirror_key))
        return MirrorPlan(mirrors, member, _stretches(plain), silent, others)


def _stretches(plain: list[tuple[int, int]]) -> list[tuple[slice, list[int]]]:
    """(place, index) of flows, put together where places follow each other."""
    found: list[tuple[int, list[int]]] = []
    for place, index in plain:
        if found and found[-1][0] + len(found[-1][1]) == place:
            found[-1][1].append(index)
        else:
            found.append((place, [index]))
    return [(slice(first, first + len(indices)), indices) for first, indices in found]


def _plain(member: Member) -> Plain | None:
    flows = [flow for flow in member.rates.flows if flow is not None]
    sources = [flow.owner for flow in flows if isinstance(flow.owner, Source) and len(flow.owner.flows) == 1]
    if len(sources) != len(member.rates.flows):
        return None  # a place is free, or a source comes with several VNIs
    bits_at, packets_at = [source.bits_at for source in sources], [source.packets_at for source in sources]
    named = [source.attributed for source in sources]
    return Plain(
        member, sources, [source.address for source in sources], [one.nic_key for one in named], [one.tap_configuration_key for one in named],
        [one.is_ambiguous for one in named], [[flow.vni] for flow in flows], bits_at, packets_at, _slice_of(bits_at), _slice_of(packets_at),
    )  # fmt: skip


def _slice_of(places: list[int]) -> slice | None:
    """Of columns that stand every second place, as bits and packets of sources do in turn."""
    if not places or places != list(range(places[0], places[0] + 2 * len(places), 2)):
        return None
    return slice(places[0], places[-1] + 1, 2)


def _known(rates: Iterable[float]) -> list[float | None]:
    """None for what is no number."""
    return [rate if rate == rate else None for rate in rates]
