"""What passes between the processes of this room: samples on their way to the meter, and what the meter knows now. msgpack, positional.

Rule 1: a field is only ever added at the end, with a default, so that processes of two releases understand each other while one is replaced.
Rule 2: None is "this source cannot say"; 0 is a measured zero. Rule 3: nothing here holds what holds it (`gc=False`: tens of thousands a second
would keep the collector of cycles busy).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Origin(StrEnum):
    """Where a collector's numbers come from."""

    AGENT = "agent"
    AZURE_MONITOR = "azure_monitor"
    PROMETHEUS = "prometheus"
    REMOTE_WRITE = "remote_write"
    OTLP = "otlp"


# The names that `host` may hold: cumulative counters of the machine, as the agent sends them.
HOST_COUNTERS = (
    "rx_bytes", "rx_packets", "rx_dropped", "rx_missed", "rx_fifo", "softnet_dropped", "softnet_squeezed", "udp_in", "udp_no_ports",
    "udp_rcvbuf_errors", "sock_drops", "tool_drops",
)  # fmt: skip
# Those that say that packets were lost (docs/health.md, rule H9).
SATURATION = ("rx_dropped", "rx_missed", "rx_fifo", "softnet_dropped", "udp_rcvbuf_errors", "tool_drops")


class Counters(msgspec.Struct, tag="counters", array_like=True, frozen=True, gc=False):
    """Cumulative counters of one member since its boot. All times in ms; `arrival_ms` by our clock, `mono_ms` and `wall_ms` by the sender's."""

    collector: str  # key of the destination
    member: str  # stable id of the machine
    origin: Origin
    interval_s: float  # what the source declares between two samples
    arrival_ms: int
    boot: str
    seq: int
    mono_ms: int
    wall_ms: int
    is_full: bool
    packets: int | None  # mirrored packets in all
    l3_bytes: int | None  # and their outer IPv4 octets
    host: dict[str, int]  # names of HOST_COUNTERS; absent: not known
    sources: list[tuple[str, int, int, int]] | None  # outer source IP, VNI, packets, outer IPv4 octets; None: no numbers per source
    directions: list[tuple[str, int, str, int, int]] | None = None  # the same with the inner source MAC, 12 hex digits
    version: str = ""  # of the agent
    interface: str = ""
    is_gro: bool = False
    has_vxlan_device: bool = False
    nic_key: str = ""  # the member's NIC, where its token names one
    unattributed: tuple[int, int] | None = None  # of the total, packets and outer IPv4 octets that found no room in the agent's set
    lacks: str = ""  # why the agent cannot count per source, in its own words
    counter_bits: int = 64  # of the counters of the host
    line_bits_per_s: int = 0  # of its network interface; 0: not known, then counters of 32 bits are taken as reset, never as wrapped

    @property
    def is_numbered(self) -> bool:
        """Whether `seq` counts samples, as the agent's does. An exporter's says only which came later, and its `boot` which series were summed."""
        return self.origin is Origin.AGENT


class Point(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A rate over one interval that ended at `end_ms`, as the source itself made it."""

    end_ms: int
    packets_per_s: float | None
    bytes_per_s: float | None
    drops_per_s: float | None = None


class Points(msgspec.Struct, tag="points", array_like=True, frozen=True, gc=False):
    """Rates of one member that come ready-made, from a source that keeps time series. Everything the machine's NIC receives, not only mirrors."""

    collector: str
    member: str
    origin: Origin
    interval_s: float
    arrival_ms: int
    lag_s: float | None  # how late the newest point was when it was read
    points: list[Point]
    nic_key: str = ""


class MemberNow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One machine of a collector as the meter sees it. Rates None: unknown now."""

    member: str
    nic_key: str
    origin: Origin
    interval_s: float
    lag_s: float | None
    arrived_ms: int  # of its last sample
    measured_ms: int | None  # server time of its last rate
    inner_bits_per_s: float | None
    wire_bits_per_s: float | None
    packets_per_s: float | None
    nic_packets_per_s: float | None
    drops_per_s: dict[str, float]  # by host counter
    saturated_in_last_5: int  # of the last five samples, those in which a saturation counter rose (H9)
    drop_share_10s: float | None  # drops / (drops + packets) over 10 s
    no_ports_share_30s: float | None
    unattributed_share_60s: float | None  # of packets the total counts and no source has
    seq_gap_share_60s: float | None
    boots_10min: int
    is_estimate: bool  # made of everything that its NIC receives
    is_gro: bool = False
    has_vxlan_device: bool = False
    is_skewed: bool = False  # its wall clock differs from ours by more than 5 min (R13)
    version: str = ""
    interface: str = ""
    lacks: str = ""  # why its agent cannot count per source, in its own words
    sources_beyond: int = 0  # that it lists and that are not told apart, for want of room in the meter: the totals have them
    sources_kept: int = 0  # that are


class CollectorNow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One collector: its members summed. A sum is None while no member's rate is known; `members_missing` counts those it lacks."""

    key: str
    at_ms: int
    members: list[MemberNow]
    inner_bits_per_s: float | None
    wire_bits_per_s: float | None
    wire_bits_per_s_5s: float | None
    packets_per_s: float | None
    packets_per_s_60s: float | None
    drops_per_s: float | None
    has_sources: bool  # whether any member counts per source
    is_estimate: bool
    members_missing: int


class SourceNow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one outer source address sends to one collector, its members summed. `nic_key` "" where no NIC, `is_ambiguous` where several fit."""

    address: str
    nic_key: str
    tap_configuration_key: str  # "" where no TAP configuration explains it
    is_ambiguous: bool
    inner_bits_per_s: float | None
    packets_per_s: float | None
    packets_per_s_60s: float | None
    packets_per_s_900s: float | None
    first_packet_ms: int
    last_packet_ms: int
    sent_packets_60s: float | None  # by the NIC's own MAC; None: not known
    received_packets_60s: float | None
    vnis: list[int]


class SourceColumns(NamedTuple):
    """The sources of one collector, a column for each field of SourceNow, all of the same length: there are tens of thousands a second, and made
    one by one they cost twice as much. Rule 1 does not reach here: one column more means another key in Redis.
    """

    address: list[str]
    nic_key: list[str]
    tap_configuration_key: list[str]
    is_ambiguous: list[bool]
    inner_bits_per_s: list[float | None]
    packets_per_s: list[float | None]
    packets_per_s_60s: list[float | None]
    packets_per_s_900s: list[float | None]
    first_packet_ms: list[int]
    last_packet_ms: list[int]
    sent_packets_60s: list[float | None]
    received_packets_60s: list[float | None]
    vnis: list[list[int]]

    @classmethod
    def of(cls, sources: Iterable[SourceNow]) -> "SourceColumns":
        rows = [msgspec.structs.astuple(one) for one in sources]
        return cls(*map(list, zip(*rows, strict=True))) if rows else cls(*([] for _ in cls._fields))

    def rows(self) -> list[SourceNow]:
        return list(map(SourceNow, *self))


class MeterNow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """That the meter is alive, and since when. For 30 s after `started_ms` silence means that we are starting."""

    seq: int
    at_ms: int
    started_ms: int
    table: int
    fence: int


class Table(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The order of the numbers in a tick."""

    mirrors: list[str]
    collectors: list[str]


_encoder = msgspec.msgpack.Encoder()
_sample: msgspec.msgpack.Decoder[Counters | Points] = msgspec.msgpack.Decoder(Counters | Points)
_collector = msgspec.msgpack.Decoder(CollectorNow)
_sources = msgspec.msgpack.Decoder(SourceColumns)
_meter = msgspec.msgpack.Decoder(MeterNow)
_table = msgspec.msgpack.Decoder(Table)


def encode(value: Counters | Points | CollectorNow | SourceColumns | MeterNow | Table) -> bytes:
    return _encoder.encode(value)


def decode_sample(octets: bytes) -> Counters | Points:
    """Raises msgspec.DecodeError for what is no sample."""
    return _sample.decode(octets)


def decode_collector(octets: bytes) -> CollectorNow:
    return _collector.decode(octets)


def decode_sources(octets: bytes) -> list[SourceNow]:
    return _sources.decode(octets).rows()


def decode_meter(octets: bytes) -> MeterNow:
    return _meter.decode(octets)


def decode_table(octets: bytes) -> Table:
    return _table.decode(octets)
