"""What is played on collectors, their agents and what flows to them. Every fault ends when it is told to, or by itself, and nothing stays of it.

Owns who is meant and what is in force; `Player` and `Flows` do it. Faults here end with the process. No clock: the time comes in as an argument.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address
from math import ceil

from vtapweb.simulator import changes
from vtapweb.simulator.agents import Agent
from vtapweb.simulator.changes import ChangeError
from vtapweb.simulator.documents import Kind
from vtapweb.simulator.estate import Estate, fold
from vtapweb.simulator.flows import Flows


class TrafficFaultKind(StrEnum):
    SILENT = "silent_collector"  # no documents; traffic goes on
    DROPS = "drops"  # the machine does not keep up: rx_dropped, udp_rcvbuf_errors and sock_drops rise
    RESTART = "agent_restart"  # a new boot, counters from 0; with `every_s` again and again
    GRO = "gro"  # merged packets are counted as one, and a tunnel device of the kernel's is there
    SKEW = "clock_skew"  # the agent's wall clock is off
    OVERLOAD = "overload"  # its sources send that many times more, beyond what its machines take in
    UNKNOWN = "unknown_source"  # packets from an address that no NIC has
    STOPPED = "stopped_source"  # the NIC sends and receives nothing
    NEVER = "never_flows"  # its mirror carries nothing, though nothing is wrong with it


MEMBER_BITS_PER_S = 12.5e9  # the network of the sizes that the estates' collectors have, from Azure's pages of VM sizes
ON_AGENTS = frozenset({TrafficFaultKind.SILENT, TrafficFaultKind.DROPS, TrafficFaultKind.RESTART, TrafficFaultKind.GRO, TrafficFaultKind.SKEW})
ON_COLLECTORS = frozenset({TrafficFaultKind.OVERLOAD, TrafficFaultKind.UNKNOWN})


@dataclass(slots=True)
class TrafficFault:
    """`keys` are folded ids: of destinations, load balancers and members' NICs, or of one source's NIC. Empty: every agent."""

    number: int
    kind: TrafficFaultKind
    target: str
    keys: frozenset[str]
    percent: int = 5
    factor: int = 20
    address: str = ""
    skew_s: int = 600
    every_s: int | None = None
    until_s: float | None = None
    last_s: float | None = None  # when it last struck

    def means(self, agent: Agent) -> bool:
        return not self.keys or not self.keys.isdisjoint((agent.destination.key, agent.destination.owner_key, agent.member.nic_key))

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        who = self.target or "every collector"
        return {
            TrafficFaultKind.SILENT: f"{who} is silent",
            TrafficFaultKind.DROPS: f"{who} drops {self.percent} % of its packets",
            TrafficFaultKind.RESTART: f"the agent of {who} starts again every {self.every_s} s",
            TrafficFaultKind.GRO: f"{who} merges packets before they are counted",
            TrafficFaultKind.SKEW: f"the wall clock of {who} is off by {self.skew_s} s",
            TrafficFaultKind.OVERLOAD: f"the sources of {who} send {self.factor} times more, it drops {self.percent} %",
            TrafficFaultKind.UNKNOWN: f"{self.address}, an address of nobody, sends to {who}",
            TrafficFaultKind.STOPPED: f"{who} sends and receives nothing",
            TrafficFaultKind.NEVER: f"the mirror of {who} carries nothing",
        }[self.kind]


@dataclass(slots=True)
class TrafficFaults:
    active: list[TrafficFault] = field(default_factory=list)
    _numbers: int = 0

    def start(self, fault: TrafficFault, flows: Flows, agents: Iterable[Agent], *, now_s: float, unix_s: int) -> str:
        """Begin a fault; the sentence that says so. A restart without `every_s` is done at once and leaves nothing to end."""
        if fault.kind is TrafficFaultKind.RESTART and fault.every_s is None:
            hit = [agent for agent in agents if fault.means(agent)]
            for agent in hit:
                agent.restart()
            return f"Started again: {', '.join(agent.name for agent in hit[:5])}{' …' if len(hit) > 5 else ''}."
        self._numbers += 1
        fault.number = self._numbers
        self.active.append(fault)
        self.apply(flows, agents, unix_s=unix_s)
        self.strike(agents, now_s=now_s)
        return f"Started: {fault.sentence}."

    def end(self, numbers: Iterable[int] | None, flows: Flows, agents: Iterable[Agent], *, unix_s: int) -> str:
        """End the faults of these numbers, None: all."""
        chosen = None if numbers is None else set(numbers)
        ended = [fault for fault in self.active if chosen is None or fault.number in chosen]
        self.active = [fault for fault in self.active if fault not in ended]
        self.apply(flows, agents, unix_s=unix_s)
        return f"Ended: {'; '.join(fault.sentence for fault in ended)}." if ended else "Nothing was to end."

    def pass_time(self, flows: Flows, agents: Iterable[Agent], *, now_s: float, unix_s: int) -> None:
        """End those whose time is over, and strike with those that strike again and again."""
        over = [fault.number for fault in self.active if fault.until_s is not None and now_s >= fault.until_s]
        if over:
            self.end(over, flows, agents, unix_s=unix_s)
        self.strike(agents, now_s=now_s)

    def strike(self, agents: Iterable[Agent], *, now_s: float) -> None:
        for fault in self.active:
            if fault.kind is TrafficFaultKind.RESTART and (fault.last_s is None or now_s - fault.last_s >= (fault.every_s or 1)):
                fault.last_s = now_s
                for agent in agents:
                    if fault.means(agent):
                        agent.restart()

    def apply(self, flows: Flows, agents: Iterable[Agent], *, unix_s: int) -> None:
        """Make what is in force so, and nothing else."""
        factors: dict[str, float] = {}
        for fault in self._of(TrafficFaultKind.STOPPED):
            factors |= dict.fromkeys(fault.keys, 0.0)
        for fault in self._of(TrafficFaultKind.OVERLOAD):
            for flow in flows.flows.values():
                destination = flow.destination
                if not fault.keys or not fault.keys.isdisjoint(
                    (destination.key, destination.owner_key, *(one.nic_key for one in destination.members))
                ):
                    factors[flow.mirror.nic_key] = factors.get(flow.mirror.nic_key, 1.0) * fault.factor
        flows.factors_set(factors, unix_s)
        flows.never_set({key for fault in self._of(TrafficFaultKind.NEVER) for key in fault.keys}, unix_s)
        flows.strangers_set({(fault.address, key) for fault in self._of(TrafficFaultKind.UNKNOWN) for key in fault.keys}, unix_s)
        for agent in agents:
            self.apply_to(agent)

    def apply_to(self, agent: Agent) -> None:
        """What is in force on one agent."""
        agent.is_merging = any(fault.means(agent) for fault in self._of(TrafficFaultKind.GRO))
        agent.is_silent = any(fault.means(agent) for fault in self._of(TrafficFaultKind.SILENT))
        agent.skew_s = sum(fault.skew_s for fault in self._of(TrafficFaultKind.SKEW) if fault.means(agent))
        dropping = [*self._of(TrafficFaultKind.DROPS), *self._of(TrafficFaultKind.OVERLOAD)]
        agent.drop_percent = min(100, sum(fault.percent for fault in dropping if fault.means(agent)))

    def _of(self, kind: TrafficFaultKind) -> list[TrafficFault]:
        return [fault for fault in self.active if fault.kind is kind]


def keys_of(estate: Estate, flows: Flows, kind: TrafficFaultKind, target: str) -> frozenset[str]:
    """Who is meant: for a source its NIC; for a collector the name or id of a TAP, a load balancer or a NIC, or "" for all where all can be.

    Raises ChangeError.
    """
    target = target.strip()
    if kind not in ON_AGENTS | ON_COLLECTORS:
        return frozenset({changes.find(estate, Kind.NETWORK_INTERFACES, target).key})
    found: set[str] = set()
    for destination_id, tap_key in ((fold(flows.routes.taps[key][0]), key) for key in flows.routes.taps):
        if target and fold(target) in {tap_key, tap_key.rsplit("/", 1)[1], destination_id}:
            found.add(destination_id)
    for key, destination in flows.routes.destinations().items():
        if target and fold(target) in {destination.owner_key, destination.owner_key.rsplit("/", 1)[1]}:
            found.add(key)
        for member in destination.members:
            if target and fold(target) in {member.nic_key, member.nic_key.rsplit("/", 1)[1]}:
                found.add(member.nic_key if kind in ON_AGENTS else key)
    if not found and (target or kind is TrafficFaultKind.UNKNOWN):
        raise ChangeError(f"No collector called “{target}”. Name a TAP, a load balancer, or the NIC of a collector.")
    return frozenset(found)


def overload_factor(flows: Flows, keys: frozenset[str], second: int) -> int:
    """How many times more brings the busiest of these destinations (none: of all) beyond what its machines can take in."""
    octets: Counter[str] = Counter()
    for arrival in flows.arrivals(second):
        octets[arrival.destination_key] += arrival.received * arrival.received_frame + arrival.sent * arrival.sent_frame
    loads = [
        8 * count / len(destination.members)
        for key, destination in flows.routes.destinations().items()
        if (count := octets[key]) and (not keys or key in keys)
    ]
    return ceil(1.1 * MEMBER_BITS_PER_S / max(loads)) if loads else 20


def free_address(estate: Estate, text: str) -> str:
    """The address as it is written, if no NIC has it. Raises ChangeError."""
    try:
        address = str(IPv4Address(text.strip()))
    except AddressValueError as error:
        raise ChangeError(f"“{text}” is no IPv4 address.") from error
    if any(f'"{address}"'.encode() in held.body for held in estate.all_of(Kind.NETWORK_INTERFACES)):
        raise ChangeError(f"A NIC has {address}; an unknown source is one that none has.")
    return address
