"""The agents on collectors: counters since their boot, and the native document that they post once a second.

A document is what the agent of the product posts (version 1): cumulative counters only, so that one that is lost costs resolution and
nothing else. Knows no sockets and no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from vtapweb.simulator.curve import Load, seed_of
from vtapweb.simulator.documents import guid
from vtapweb.simulator.flows import ENVELOPE, L3_ENVELOPE, Arrival
from vtapweb.simulator.routes import Destination, Member

VERSION = "1.0"
FULL_EVERY = 10
GATEWAY_MAC = "123456789abc"  # what frames that a source receives come from: its router answers for everybody
HOST_COUNTERS = (
    "rx_bytes", "rx_packets", "rx_dropped", "rx_missed", "rx_fifo", "softnet_dropped", "softnet_squeezed", "udp_in", "udp_no_ports",
    "udp_rcvbuf_errors", "sock_drops",
)  # fmt: skip
MERGED = 8  # packets that receive offload makes one of, where the kernel's own tunnel device sees them first


@dataclass(slots=True)
class Source:
    """What one outer source address has sent to this machine: packets and layer-3 octets, by direction."""

    mac: str
    vni: int
    received: int = 0
    received_octets: int = 0
    sent: int = 0
    sent_octets: int = 0


@dataclass(slots=True)
class Agent:
    """The agent on one member of one destination. `skew_s` is how far its wall clock is off, `is_merging` that it counts merged packets,
    `is_silent` that it posts nothing, `drop_percent` how much of what arrives its machine does not keep up with."""

    destination: Destination
    member: Member
    run: str
    is_closed: bool = False
    skew_s: int = 0
    is_merging: bool = False
    is_silent: bool = False
    drop_percent: int = 0
    boots: int = 1
    seq: int = 0
    mono_ms: int = 0
    sources: dict[str, Source] = field(default_factory=dict)
    host: dict[str, int] = field(default_factory=lambda: dict.fromkeys(HOST_COUNTERS, 0))
    wants_full: bool = True
    _changed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.mono_ms = (3_600 + seed_of(self.member.nic_key) % 5_000_000) * 1_000

    @property
    def key(self) -> tuple[str, str]:
        return self.destination.key, self.member.nic_key

    @property
    def name(self) -> str:
        return self.member.nic_id.rsplit("/", 1)[1]

    @property
    def boot(self) -> str:
        return f"{guid(f'{self.run} {self.member.nic_key} {self.destination.key}')}-{self.boots}"

    @property
    def jitter_s(self) -> float:
        """How long after the whole second it posts: not all at once, each always alike."""
        return seed_of(f"jitter {self.member.nic_key}") % 150 / 1_000

    def restart(self) -> None:
        """Another boot: every counter begins anew."""
        self.boots += 1
        self.seq = 0
        self.sources.clear()
        self.host = dict.fromkeys(HOST_COUNTERS, 0)
        self.wants_full = True

    def pass_time(self, seconds: int) -> None:
        self.mono_ms += seconds * 1_000

    def count(self, arrival: Arrival) -> None:
        """What a source's mirror brought: frames in their envelopes, from its outer address."""
        address = arrival.source.address
        packets = arrival.received + arrival.sent
        if not packets:
            return
        octets = arrival.received * arrival.received_frame + arrival.sent * arrival.sent_frame
        self.host["rx_packets"] += packets
        self.host["rx_bytes"] += octets + ENVELOPE * packets
        self.host["udp_in"] += packets
        source = self.sources.get(address)
        if source is None:
            source = self.sources[address] = Source(arrival.source.mac, vni_of(arrival.source.tap_key))
        received, sent = arrival.received, arrival.sent
        if self.is_merging:
            received, sent = -(-received // MERGED), -(-sent // MERGED)
        source.received += received
        source.sent += sent
        source.received_octets += arrival.received * arrival.received_frame + L3_ENVELOPE * received
        source.sent_octets += arrival.sent * arrival.sent_frame + L3_ENVELOPE * sent
        self._changed.add(address)

    def count_own(self, load: Load) -> None:
        """What the machine received besides mirrors."""
        self.host["rx_packets"] += load.received_packets
        self.host["rx_bytes"] += load.received_octets

    def drop(self, packets: int) -> None:
        """Of so many packets that came the machine did not keep up with some: half of those its NIC dropped, half the tool did not read."""
        dropped = packets * self.drop_percent // 100
        self.host["rx_dropped"] += dropped - dropped // 2
        self.host["udp_rcvbuf_errors"] += dropped // 2
        self.host["sock_drops"] += dropped // 2

    def document(self, wall_ms: int) -> bytes:
        """The next document, as JSON. Full at first, every tenth time, and when the receiver asked for it."""
        self.seq += 1
        is_full = self.wants_full or self.seq % FULL_EVERY == 1
        self.wants_full = False
        chosen: Iterable[str] = self.sources if is_full else sorted(self._changed)
        rows = [(address, self.sources[address]) for address in chosen]
        self._changed.clear()
        total_packets = total_octets = 0
        for source in self.sources.values():
            total_packets += source.received + source.sent
            total_octets += source.received_octets + source.sent_octets
        document: dict[str, Any] = {
            "v": 1,
            "agent": VERSION,
            "member": self.member.machine,
            "boot": self.boot,
            "seq": self.seq,
            "t": wall_ms + self.skew_s * 1_000,
            "mono": self.mono_ms,
            "if": "eth0",
            "gro": self.is_merging,
            "every_s": 1,
            "vxlan_device": self.is_merging,
            "host": self.host,
            "total": [total_packets, total_octets],
            "unattributed": [0, 0],
            "full": is_full,
            "src": [[address, source.vni, source.received + source.sent, source.received_octets + source.sent_octets] for address, source in rows],
        }
        if is_full:
            document["dir"] = [
                row
                for address, source in rows
                for row in (
                    [address, source.vni, source.mac, source.sent, source.sent_octets],
                    [address, source.vni, GATEWAY_MAC, source.received, source.received_octets],
                )
                if row[2] and row[3]
            ]
        return orjson.dumps(document)


def vni_of(tap_key: str) -> int:
    """The network identifier in a TAP's envelopes. What Azure puts there is not documented; here it is one number a TAP."""
    return 1 + seed_of(f"vni {tap_key}") % 4_000
