"""The agent's own document: version 1, one a second, every counter cumulative since `boot`. docs/ingest.md tells it to people.

Rule 1: a document is taken whole or refused whole. Rule 2: members that we do not know are passed over, so that a newer agent can talk to an
older server; what we know must be as it should. Rule 3: nothing here knows HTTP, tokens, Redis or a clock.
"""

import re
import threading
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from vtapweb.traffic.ingest.formats import INTERVAL_LEAST_S, INTERVAL_MOST_S, Refused, Sample, Sender
from vtapweb.traffic.samples import HOST_COUNTERS, Counters, Origin

# Agents of this major version: from two minor versions before the newest, and newer ones.
AGENT_MAJOR: Final = 1
AGENT_NEWEST_MINOR: Final = 0
MINORS_BACK: Final = 2

SOURCES_MOST: Final = 65_535  # the size of the agent's set
U64_MOST: Final = 2**64 - 1
MILLISECONDS_MOST: Final = 2**53 - 1

Id = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]*\Z")]
Milliseconds = Annotated[int, Meta(ge=0, le=MILLISECONDS_MOST)]
Counter = Annotated[int, Meta(ge=0)]  # up to U64_MOST, which msgspec cannot say
Vni = Annotated[int, Meta(ge=0, le=2**24 - 1)]
Address = Annotated[str, Meta(min_length=7, max_length=15)]
Mac = Annotated[str, Meta(min_length=12, max_length=12)]
HostCounter = Literal[
    "rx_bytes", "rx_packets", "rx_dropped", "rx_missed", "rx_fifo", "softnet_dropped", "softnet_squeezed", "udp_in", "udp_no_ports",
    "udp_rcvbuf_errors", "sock_drops", "tool_drops",
]  # fmt: skip
if set(HOST_COUNTERS) != set(get_args(HostCounter)):
    raise RuntimeError("the native document's host counters are not those of a sample")


class Document(msgspec.Struct, rename={"interface": "if", "has_vxlan_device": "vxlan_device"}, frozen=True):
    """One document. `total` and `src` are left out, or null, by an agent that may not count; `dir` comes with some full documents only."""

    v: Literal[1]
    agent: Annotated[str, Meta(max_length=32)]
    member: Id
    boot: Id
    seq: Milliseconds
    t: Milliseconds
    mono: Milliseconds
    full: bool
    interface: Annotated[str, Meta(max_length=64)] = ""
    gro: bool = False
    has_vxlan_device: bool = False
    every_s: Annotated[float, Meta(ge=INTERVAL_LEAST_S, le=INTERVAL_MOST_S)] = 1.0
    host: Annotated[dict[HostCounter, Counter], Meta(max_length=len(HOST_COUNTERS))] = {}
    total: tuple[Counter, Counter] | None = None
    unattributed: tuple[Counter, Counter] | None = None
    lacks: Annotated[str, Meta(max_length=500)] = ""
    src: Annotated[list[tuple[Address, Vni, Counter, Counter]], Meta(max_length=SOURCES_MOST)] | None = None
    dir: Annotated[list[tuple[Address, Vni, Mac, Counter, Counter]], Meta(max_length=2 * SOURCES_MOST)] | None = None


_decoder = msgspec.json.Decoder(Document)
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.[0-9A-Za-z.-]{1,20})?")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_MAC = re.compile(r"[0-9a-f]{12}")


class _Seen:
    """Texts that fitted a pattern before: the same few thousand addresses come every second, and a look into a set is a tenth of a match."""

    def __init__(self, pattern: "re.Pattern[str]", *, most: int) -> None:
        self._pattern = pattern
        self._most = most
        self._known: set[str] = set()

    def unfit(self, texts: set[str]) -> str | None:
        """One text that does not fit, None if all do."""
        unknown = texts - self._known
        for text in unknown:
            if self._pattern.fullmatch(text) is None:
                return text
        if unknown:
            if len(self._known) + len(unknown) > self._most:
                self._known.clear()
            self._known |= unknown
        return None


class _Lists:
    """The last list of sources of each machine, which comes again nearly always: comparing two is less than looking for each address, and they are
    known to be addresses, none twice. Holds `most` addresses.
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._lists: dict[tuple[str, str], tuple[str, ...]] = {}
        self._count = 0
        self._keeping = threading.Lock()  # large documents are decoded in threads

    def is_known(self, machine: tuple[str, str], addresses: tuple[str, ...]) -> bool:
        return self._lists.get(machine) == addresses

    def keep(self, machine: tuple[str, str], addresses: tuple[str, ...]) -> None:
        with self._keeping:
            self._count += len(addresses) - len(self._lists.get(machine, ()))
            self._lists[machine] = addresses
            if self._count > self._most:
                self._lists, self._count = {}, 0


_addresses = _Seen(_ADDRESS, most=2 * SOURCES_MOST)
_lists = _Lists(most=2 * SOURCES_MOST)
_macs = _Seen(_MAC, most=2 * SOURCES_MOST)


def decode(body: bytes, _media_type: str, sender: Sender) -> list[Sample]:
    """The one sample of a document. Raises Refused for anything that is not one."""
    return [decode_native(body, sender)]


def decode_native(body: bytes, sender: Sender) -> Counters:
    """A document as JSON, checked and turned into what the meter reads. Raises Refused (400) with the member that is wrong."""
    try:
        document = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Refused.malformed(f"{error}.") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise Refused.malformed(f"This is no JSON that can be read: {type(error).__name__}.") from None
    _check(document, (sender.collector, document.member))
    return Counters(
        collector=sender.collector,
        member=document.member,
        origin=Origin.AGENT,
        interval_s=document.every_s,
        arrival_ms=sender.arrival_ms,
        boot=document.boot,
        seq=document.seq,
        mono_ms=document.mono,
        wall_ms=document.t,
        is_full=document.full,
        packets=document.total[0] if document.total else None,
        l3_bytes=document.total[1] if document.total else None,
        host=document.host,  # type: ignore[arg-type] # a key of HostCounter is a str
        sources=document.src,
        directions=document.dir,
        version=document.agent,
        interface=document.interface,
        is_gro=document.gro,
        has_vxlan_device=document.has_vxlan_device,
        nic_key=sender.nic_key,
        unattributed=document.unattributed,
        lacks=document.lacks,
    )


def _check(document: Document, machine: tuple[str, str]) -> None:
    """What the types cannot say. `machine` is who sent it."""
    version = _VERSION.fullmatch(document.agent)
    if version is None:
        raise Refused.malformed("`agent` is no version like 1.0.")
    major, minor = int(version[1]), int(version[2])
    oldest = max(AGENT_NEWEST_MINOR - MINORS_BACK, 0)
    if major != AGENT_MAJOR or minor < oldest:
        raise Refused.malformed(f"Agents from version {AGENT_MAJOR}.{oldest} on are understood here. Install the one from this server.")
    counters = [*document.host.values(), *(document.total or ()), *(document.unattributed or ())]
    if document.src:
        counters += _rows(document.src, "src", 2, machine)
    if document.dir:
        counters += _rows(document.dir, "dir", 3, None)
        unfit = _macs.unfit({row[2] for row in document.dir})
        if unfit is not None:
            raise Refused.malformed("A MAC address in `dir` is not 12 lower-case hexadecimal digits.")
    if counters and max(counters) > U64_MOST:
        raise Refused.malformed("A counter is greater than 64 bits hold.")
    if document.src is None and document.dir is not None:
        raise Refused.malformed("`dir` without `src`.")


def _rows(
    rows: "list[tuple[str, int, int, int]] | list[tuple[str, int, str, int, int]]", name: str, width: int, machine: tuple[str, str] | None
) -> tuple[int, int]:
    """The greatest of each counter of rows whose first `width` columns name them. Raises Refused for a bad address or a row that comes twice.

    Where `machine` is given its list is remembered.
    """
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
    if machine is None or not _lists.is_known(machine, columns[0]):
        addresses = set(columns[0])
        if _addresses.unfit(addresses) is not None:
            raise Refused.malformed(f"An address in `{name}` is no IPv4 address like 10.0.2.4.")
        if len(addresses) == len(rows):
            if machine is not None:
                _lists.keep(machine, columns[0])
        elif len(set(zip(*columns[:width], strict=True))) != len(rows):
            raise Refused.malformed(f"A source stands in `{name}` more than once.")
    return max(columns[width]), max(columns[width + 1])
