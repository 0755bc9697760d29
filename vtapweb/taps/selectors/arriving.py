"""What becomes of every mirror's packets, counted: flowing, silent, not yet, or not to be seen here. A fixed number of queries.

Rule 1: each mirror is exactly one of these. Rule 2: *silent* are those that the map marks so, under the same open alarm; a mirror of which nothing
came yet and that nobody alarms about (it is young, or its VM does not run) is *not yet*. Rule 3: not seeing is not silence.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import TapConfiguration
from vtapweb.inventory.receiving import present
from vtapweb.taps.selectors.flowing import mirrors_flow
from vtapweb.traffic.selectors.flowing import Flow, FlowState, collector_by_tap
from vtapweb.traffic.selectors.silence import Silence, silent_nics


class Arriving(StrEnum):
    """In the order in which pages list them."""

    SILENT = "silent"
    NOT_YET = "not_yet"
    CANNOT_BE_SEEN = "cannot_be_seen"
    FLOWING = "flowing"


RANK = {state: number for number, state in enumerate(Arriving)}
_OF_NIC = (Arriving.SILENT, Arriving.FLOWING, Arriving.NOT_YET, Arriving.CANNOT_BE_SEEN)  # of several mirrors of one NIC the first of these


@dataclass(frozen=True, slots=True)
class ArrivalCounts:
    """How many of each; their sum is `total`."""

    flowing: int = 0
    silent: int = 0
    not_yet: int = 0
    cannot_be_seen: int = 0

    @classmethod
    def of(cls, states: Iterable[Arriving]) -> "ArrivalCounts":
        counts = Counter(states)
        return cls(**{state.value: counts[state] for state in Arriving})

    @property
    def total(self) -> int:
        return self.flowing + self.silent + self.not_yet + self.cannot_be_seen

    def __add__(self, other: "ArrivalCounts") -> "ArrivalCounts":
        return ArrivalCounts(
            self.flowing + other.flowing, self.silent + other.silent, self.not_yet + other.not_yet, self.cannot_be_seen + other.cannot_be_seen
        )

    @property
    def is_silent(self) -> bool:
        """Something should arrive, and nothing does: configured, and nobody receives it."""
        return self.silent > 0 and not self.flowing


@dataclass(frozen=True, slots=True)
class MirrorArrival:
    """One mirror. `flow` None: it went while it was looked at; `silence` with SILENT alone."""

    key: str
    nic_key: str
    tap_key: str
    state: Arriving
    flow: Flow | None
    silence: Silence | None


@dataclass(frozen=True)
class Arrivals:
    """The mirrors asked about, and the marks of the map among their NICs."""

    mirrors: Sequence[MirrorArrival]
    silent: Mapping[str, Silence]

    @cached_property
    def nics(self) -> dict[str, Arriving]:
        """{NIC's key: what becomes of its packets}; a NIC that the map marks is silent, whatever else it sends."""
        states: dict[str, set[Arriving]] = defaultdict(set)
        for one in self.mirrors:
            states[one.nic_key].add(Arriving.SILENT if one.nic_key in self.silent else one.state)
        return {key: next(state for state in _OF_NIC if state in found) for key, found in states.items()}

    def counts_of(self, nic_keys: Iterable[str], mirrored: int) -> ArrivalCounts:
        """`mirrored` NICs among these by what becomes of their packets; one whose mirror was not listed cannot be seen."""
        counts = ArrivalCounts.of(state for key in nic_keys if (state := self.nics.get(key)) is not None)
        return replace(counts, cannot_be_seen=counts.cannot_be_seen + max(0, mirrored - counts.total))

    @cached_property
    def by_tap(self) -> dict[str, ArrivalCounts]:
        """{TAP's key: its mirrors}."""
        states: dict[str, list[Arriving]] = defaultdict(list)
        for one in self.mirrors:
            states[one.tap_key].append(one.state)
        return {key: ArrivalCounts.of(found) for key, found in states.items()}


def mirrors_arriving(scope: Scope, *, tap_key: str = "", nic_key: str = "") -> Arrivals:
    """Every mirror in scope that is there, or those to one TAP, or of one NIC.

    Eight queries, nine where something is silent, one more of most for every 900 mirrors; two calls of Redis.
    """
    wanted = present(TapConfiguration, scope)
    if tap_key:
        wanted = wanted.filter(virtual_network_tap_key=tap_key)
    if nic_key:
        wanted = wanted.filter(network_interface_id=nic_key)
    rows = list(wanted.order_by("key").values_list("key", "network_interface_id", "virtual_network_tap_key"))
    if not rows:
        return Arrivals([], {})
    flows = mirrors_flow(scope, [key for key, _, _ in rows])
    silent = silent_nics(scope)
    collectors = collector_by_tap(Scope.everything()) if silent else {}
    found = []
    for key, of_nic, of_tap in rows:
        silence = silent.get(of_nic)
        if silence is not None and not {collectors.get(of_tap, of_tap), ""} & silence.collector_keys:
            silence = None  # it is silent at another collector
        flow = flows.get(key)
        state = Arriving.SILENT if silence else Arriving(flow.state.value if flow else FlowState.CANNOT_BE_SEEN.value)
        found.append(MirrorArrival(key, of_nic, of_tap, state, flow, silence))
    return Arrivals(found, silent)
