"""The one table from what exporters call a metric to what we count, and what it makes of many values: one sample a machine and instant.

Rule 1: only what is in the table is read; everything else is passed over, so that a sender may forward all it has. Rule 2: counters are summed over
devices, CPUs and instances of a tool, as the agent sums them; devices that carry the same frames again are left out. Rule 3: such a source knows
what the whole machine receives, never what one mirror brings.
"""

import math
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from vtapweb.traffic.ingest.formats import Sender
from vtapweb.traffic.samples import Counters, Origin

MEMBERS_MOST: Final = 64  # machines behind one collector's token
INSTANTS_MOST: Final = 1_000  # of one machine in one document
_U64: Final = 2**64 - 1

# Loopback, tunnels, bridges and containers show frames that a device below them has shown before. `enP…` is the virtual function that Azure's
# accelerated networking puts under eth0, which counts its frames too.
INNER_DEVICES: Final = "lo|veth|docker|br-|virbr|cni|flannel|cali|vxlan|tun|tap|wg|dummy|ifb|enP"
_INNER_DEVICE = re.compile(f"^(?:{INNER_DEVICES})")
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._:@-]+")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a metric is to us: the host counter, the label that names a device ("" for none), labels that must have a value."""

    counter: str
    device: str = ""
    where: Mapping[str, str] = field(default_factory=dict)


def _received(counter: str) -> Meaning:
    return Meaning(counter, "device", {"direction": "receive"})


# Names as their exporters have them: node_exporter (which Grafana Alloy and vmagent carry, too), Telegraf's `net` and `netstat`, the OpenTelemetry
# Collector's hostmetrics by its own names and as Prometheus spells them, exporters of Suricata and Zeek.
MEANINGS: Final[Mapping[str, Meaning]] = {
    "node_network_receive_bytes_total": Meaning("rx_bytes", "device"),
    "node_network_receive_packets_total": Meaning("rx_packets", "device"),
    "node_network_receive_drop_total": Meaning("rx_dropped", "device"),
    "node_network_receive_fifo_total": Meaning("rx_fifo", "device"),
    "node_softnet_dropped_total": Meaning("softnet_dropped"),
    "node_softnet_times_squeezed_total": Meaning("softnet_squeezed"),
    "node_netstat_Udp_InDatagrams": Meaning("udp_in"),
    "node_netstat_Udp_NoPorts": Meaning("udp_no_ports"),
    "node_netstat_Udp_RcvbufErrors": Meaning("udp_rcvbuf_errors"),
    "net_bytes_recv": Meaning("rx_bytes", "interface"),
    "net_packets_recv": Meaning("rx_packets", "interface"),
    "net_drop_in": Meaning("rx_dropped", "interface"),
    "net_udp_indatagrams": Meaning("udp_in"),
    "net_udp_noports": Meaning("udp_no_ports"),
    "net_udp_rcvbuferrors": Meaning("udp_rcvbuf_errors"),
    "system.network.io": _received("rx_bytes"),
    "system.network.packets": _received("rx_packets"),
    "system.network.dropped": _received("rx_dropped"),
    "system_network_io_bytes_total": _received("rx_bytes"),
    "system_network_packets_total": _received("rx_packets"),
    "system_network_dropped_total": _received("rx_dropped"),
    "suricata_capture_kernel_drops_total": Meaning("tool_drops"),
    "zeek_net_dropped_packets_total": Meaning("tool_drops"),
}


@dataclass(frozen=True, slots=True)
class Value:
    """One value of one series: cumulative, `at_ms` by the clock of whoever read it. `machine` is what the sender calls it, "" for no name."""

    machine: str
    name: str
    labels: Mapping[str, str]
    at_ms: int
    value: float


@dataclass(slots=True)
class _Sum:
    """What one machine counted at one instant, and the series it was summed of."""

    host: dict[str, int] = field(default_factory=dict)
    series: list[str] = field(default_factory=list)


def counter_of(name: str, labels: Mapping[str, str]) -> str:
    """The host counter that a series adds to; "" for one that is not ours."""
    meaning = MEANINGS.get(name)
    if meaning is None or any(labels.get(key) != wanted for key, wanted in meaning.where.items()):
        return ""
    if meaning.device and _INNER_DEVICE.match(labels.get(meaning.device, "")):
        return ""
    return meaning.counter


def member_of(machine: str, sender: Sender) -> str:
    """A stable name of the machine that any of our formats takes: the sender's word for it, else the token's name."""
    return (_NOT_IN_AN_ID.sub("-", machine).strip("-._:@") or _NOT_IN_AN_ID.sub("-", sender.token_name).strip("-._:@") or "unnamed")[:128]


def counters_of(values: Iterable[Value], *, origin: Origin, sender: Sender) -> list[Counters]:
    """One sample for each machine and instant at which something of the table was read, oldest first.

    Its `boot` names the series that were summed: with one more or one less, or a read that came in two documents, the sums cannot be compared, so the
    sample is a baseline (R5) and the chart has a hole instead of a wrong number.

    Values that are not finite (Prometheus' mark of a series that ended is one), negative or beyond 64 bits are passed over. At most MEMBERS_MOST
    machines and INSTANTS_MOST of the newest instants each.
    """
    sums: dict[str, dict[int, _Sum]] = {}
    for one in values:
        counter = counter_of(one.name, one.labels)
        if not counter or not math.isfinite(one.value) or not 0 <= one.value <= _U64 or one.at_ms <= 0:
            continue
        member = member_of(one.machine, sender)
        if member not in sums and len(sums) >= MEMBERS_MOST:
            continue
        sum_ = sums.setdefault(member, {}).setdefault(one.at_ms, _Sum())
        sum_.host[counter] = min(sum_.host.get(counter, 0) + int(one.value), _U64)
        sum_.series.append(f"{one.name} {sorted(one.labels.items())}")
    return [
        Counters(
            collector=sender.collector, member=member, origin=origin, interval_s=sender.interval_s, arrival_ms=sender.arrival_ms,
            boot=f"{origin}-{zlib.crc32(repr(sorted(sum_.series)).encode()):08x}", seq=at_ms,
            mono_ms=at_ms, wall_ms=at_ms, is_full=True, packets=None, l3_bytes=None, host=sum_.host, sources=None,
            nic_key=sender.nic_key,
        )
        for member, instants in sums.items()
        for at_ms, sum_ in sorted(instants.items())[-INSTANTS_MOST:]
    ]  # fmt: skip
