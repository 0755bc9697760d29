"""What is asked of Azure Monitor about a collector, and what its answers come to. Pure.

Rule 1: a collector's NICs, each a member; only where they cannot all be named (a scale set's, or ones that we may not read), the load balancer's
frontend. Rule 2: what somebody else tells of is not asked for. Rule 3: Azure's figures are totals of a minute, whatever their names say. A minute
without a total is no point, never 0; a minute counts once it has been over for SETTLE_S. How long Azure really adds to a minute is not verified,
nor what octets a load balancer's ByteCount holds (learn.microsoft.com "Supported metrics for Microsoft.Network/loadBalancers" has its names and
the dimension FrontendIPAddress).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vtapweb.cloud.port import LOAD_BALANCER_METRICS, NIC_METRICS
from vtapweb.cloud.types import MetricSeries
from vtapweb.domain.arm_id import arm_key
from vtapweb.traffic.samples import CollectorNow, Origin, Point
from vtapweb.traffic.selectors.collectors import CollectorFacts

INTERVAL: Final = "PT1M"
INTERVAL_S: Final = 60
SETTLE_S: Final = 120  # so long a minute must have been over
REACH_S: Final = 840  # how far back is asked each time: what comes late still finds its place in the 15 minutes that are kept by the second
QUIET_S: Final = 600.0  # a source that was silent for so long is no source any more
LAG_MOST_S: Final = 900.0  # a source that is later than this is taken to be silent, not late
FRONTEND_DIMENSION: Final = "FrontendIPAddress"
METRICS: Final[Mapping[str, tuple[str, str]]] = {  # octets and packets, by namespace
    NIC_METRICS: ("BytesReceivedRate", "PacketsReceivedRate"),
    LOAD_BALANCER_METRICS: ("ByteCount", "PacketCount"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One series that is asked for. `address` is the frontend's, "" for a NIC; `nic_key` is "" for a frontend."""

    collector_key: str
    member: str
    nic_key: str
    resource_id: str
    namespace: str
    subscription_id: str
    region: str
    address: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """What may be asked in one call."""
        return self.subscription_id, self.region, self.namespace

    @property
    def words(self) -> str:
        """What is asked for, for people."""
        name = self.resource_id.rstrip("/").rsplit("/", 1)[-1]
        return f"the frontend {self.address} of {name}" if self.address else f"the NIC {name}"


def asked_of(collector: CollectorFacts, now: CollectorNow | None, *, now_ms: int) -> list[Asked]:
    """What Azure Monitor is asked of one collector; nothing where other sources tell of all its machines, or where it is not known what it is."""
    if not collector.is_resolved:
        return []
    others = {
        one.nic_key
        for one in (now.members if now else ())
        if one.origin is not Origin.AZURE_MONITOR and now_ms - one.arrived_ms <= 1000 * max(QUIET_S, 3 * one.interval_s + (one.lag_s or 0.0))
    }
    if "" in others:
        return []
    if collector.members and len(collector.members) == collector.member_count:
        return [
            Asked(
                collector.key, f"azure-monitor:{one.name}", one.nic_key, one.nic_id, NIC_METRICS, one.subscription_id, collector.region,
            )
            for one in collector.members
            if one.nic_key not in others
        ]  # fmt: skip
    if collector.kind != "load_balancer" or others or not collector.address:
        return []
    balancer_id = collector.destination_id.rstrip("/").rsplit("/", 2)[0]
    member = f"azure-monitor:{collector.name}"
    return [Asked(collector.key, member, "", balancer_id, LOAD_BALANCER_METRICS, collector.subscription_id, collector.region, collector.address)]


def window(now_s: float) -> tuple[int, int]:
    """From and to, in unix seconds, of whole minutes that are over: the same ones for every collector."""
    end = int(now_s - SETTLE_S) // INTERVAL_S * INTERVAL_S
    return end - REACH_S, end


Answers = Mapping[tuple[str, str, str], Mapping[float, float | None]]


def answers(series: Iterable[MetricSeries]) -> Answers:
    """The totals by (key of the resource, metric in lower case, value of the dimension)."""
    return {(arm_key(one.resource_id), one.name.lower(), one.dimension): dict(one.totals) for one in series}


def points_of(asked: Asked, found: Answers, *, end_s: int) -> list[Point]:
    """A point for every minute up to `end_s` of which a total is known, oldest first; none is no answer."""
    key = arm_key(asked.resource_id)
    octets, packets = (found.get((key, name.lower(), asked.address), {}) for name in METRICS[asked.namespace])
    points = []
    for begin in sorted(octets.keys() | packets.keys()):
        octets_of, packets_of = octets.get(begin), packets.get(begin)
        if begin + INTERVAL_S <= end_s and not (octets_of is None and packets_of is None):
            points.append(Point(int(begin + INTERVAL_S) * 1000, _per_s(packets_of), _per_s(octets_of)))
    return points


def lag_s(points: Sequence[Point], *, now_s: float) -> float | None:
    """How late the newest point is, in seconds; None without any."""
    return min(max(now_s - points[-1].end_ms / 1000, 0.0), LAG_MOST_S) if points else None


def _per_s(total: float | None) -> float | None:
    return None if total is None else total / INTERVAL_S
