"""One cause, one alarm: the way of a source, hop by hop, and how findings that share their first broken hop become one cause. Pure.

The way: VM running -> TAP configuration Succeeded -> peering, both sides -> TAP -> frontend -> rule for UDP 4789 -> member -> agent -> our intake.

Rule 1: a hop that nobody could read is unknown, never broken. Rule 2: a finding belongs to exactly one cause. Rule 3: a cause keeps its alarm
(and so its number) while any of its findings goes on, also when more is learnt about it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from vtapweb.domain.health import Level, stale_after_s

TOGETHER_S: Final = 5.0  # collectors that go quiet within this are more likely one fault of ours than many of theirs
CLUSTER_S: Final = 120.0  # sources of one VNet that go quiet within this are one unexplained cause
INTAKE_KEY: Final = "intake"


class HopKind(StrEnum):
    """In the order of the way."""

    VM = "vm"
    TAP_CONFIGURATION = "tap_configuration"
    PEERING_OF_SOURCE = "peering_of_source"
    PEERING_OF_COLLECTOR = "peering_of_collector"
    TAP = "tap"
    FRONTEND = "frontend"
    RULE = "rule"
    MEMBER = "member"
    AGENT = "agent"
    INTAKE = "intake"


class HopState(StrEnum):
    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop. `words` is a clause for people ("the VM web-01 is deallocated"); `since` it is in this state, `seen_at` it was last looked at."""

    kind: HopKind
    key: str  # of the resource; of a peering the keys of both VNets
    name: str
    state: HopState
    words: str
    subscription_id: str = ""
    since: datetime | None = None
    seen_at: datetime | None = None

    @property
    def cause_key(self) -> str:
        """Both sides of a peering are one cause."""
        kind = "peering" if self.kind in {HopKind.PEERING_OF_SOURCE, HopKind.PEERING_OF_COLLECTOR} else self.kind.value
        return f"hop:{kind}:{self.key}"


Path = tuple[Hop, ...]


class Subject(StrEnum):
    """What a finding, or a cause, is about."""

    SOURCE = "source"
    ADDRESS = "address"  # an outer source address that no NIC explains
    MEMBER = "member"
    COLLECTOR = "collector"
    HOP = "hop"
    SOURCES = "sources"  # several of one VNet, for a reason that we do not see
    INTAKE = "intake"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule raised for one thing. `facts` are the plain values that its sentence needs; `source_paths` the ways that H2 expects traffic on."""

    key: str
    rule_id: str
    level: Level
    subject: Subject
    collector_key: str
    collector_name: str
    collector_subscription_id: str
    name: str
    subject_key: str  # of the NIC, the member or the collector; of an address the address
    subscription_id: str
    since: datetime
    path: Path = ()
    source_paths: tuple[Path, ...] = ()
    way: str = ""  # the key of the source's VNet
    way_name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_settling: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings with one cause. `hop` is the first broken one, None where none is seen to be broken; the worst finding stands first."""

    key: str
    subject: Subject
    findings: tuple[Finding, ...]
    hop: Hop | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        return max(one.level for one in self.findings)

    @property
    def rule_ids(self) -> list[str]:
        """Each once, the worst first."""
        return list(dict.fromkeys(one.rule_id for one in self.findings))

    @property
    def main(self) -> Finding:
        return self.findings[0]

    @property
    def sources(self) -> list[Finding]:
        """Those about single sources, the worst of each."""
        found = {(one.collector_key, one.subject_key): one for one in reversed(self.findings) if one.subject in {Subject.SOURCE, Subject.ADDRESS}}
        return list(reversed(found.values()))


def first_broken(path: Iterable[Hop]) -> Hop | None:
    """The first hop that is known to be broken, None where none is."""
    return next((hop for hop in path if hop.state is HopState.BROKEN), None)


# -- the intake


@dataclass(frozen=True, slots=True)
class Heard:
    """When a collector that sends by itself was last heard, in seconds of one clock."""

    collector_key: str
    heard_s: float
    interval_s: float


def quiet_together_s(heard: Sequence[Heard], *, now_s: float) -> float | None:
    """Within how many seconds all collectors went quiet, None where they did not, or there are fewer than two.

    One with a long interval says nothing yet, and is left out until its own silence could be seen.
    """
    quiet = [one for one in heard if now_s - one.heard_s > stale_after_s(one.interval_s)]
    if len(quiet) < 2:
        return None
    first = min(one.heard_s for one in quiet)
    judged = [one for one in heard if now_s - first > stale_after_s(one.interval_s) + TOGETHER_S]
    if len(judged) < 2 or any(one not in quiet for one in judged):
        return None
    spread = max(one.heard_s for one in judged) - first
    return spread if spread <= max(TOGETHER_S, *(one.interval_s for one in judged)) else None


# -- folding

# Of equal level, what says more about the cause goes first.
_ORDER: Final = ("H1", "H2", "H3", "H4", "H9", "H8", "H14", "H11", "H6", "H5", "H13", "H10", "H12", "H7")
SILENT_RULES: Final = frozenset({"H3", "H4"})


def fold(findings: Collection[Finding], *, together_s: float | None = None, kept_in_intake: Collection[str] = ()) -> list[Cause]:
    """The causes of these findings, each finding in exactly one of them, ordered by key.

    `together_s`: all collectors went quiet within that (see quiet_together_s); `kept_in_intake`: keys of findings that belong to an intake that has
    only just come back.
    """
    silent = {one.collector_key for one in findings if one.rule_id == "H1" and one.subject is Subject.COLLECTOR}
    empty = {one.collector_key for one in findings if one.rule_id == "H2"}
    groups: dict[str, list[Finding]] = {}
    hops: dict[str, Hop] = {}
    unexplained: list[Finding] = []
    for one in findings:
        is_silence = one.rule_id == "H1" and one.subject is Subject.COLLECTOR
        if one.subject is Subject.INTAKE or (is_silence and (together_s is not None or one.key in kept_in_intake)):
            groups.setdefault(INTAKE_KEY, []).append(one)
            continue
        hop = _hop_of(one)
        if hop is not None:
            hops.setdefault(hop.cause_key, hop)
            groups.setdefault(hop.cause_key, []).append(one)
        elif one.rule_id in SILENT_RULES and one.collector_key not in silent | empty:
            unexplained.append(one)
        else:
            groups.setdefault(_own_key(one, is_collector_silent=one.collector_key in silent | empty), []).append(one)
    groups.update(_clusters(unexplained))
    facts = {"spread_s": together_s} if together_s is not None else {}
    return [_cause(key, groups[key], hops.get(key), facts if key == INTAKE_KEY else {}) for key in sorted(groups)]


def _hop_of(one: Finding) -> Hop | None:
    """The first broken hop of a finding about silence; of a collector that nothing reaches, the one that most sources share, if all have one."""
    if one.rule_id == "H2" and one.source_paths:
        broken = [first_broken(path) for path in one.source_paths]
        if any(hop is None for hop in broken):
            return None
        most, _ = Counter(hop.cause_key for hop in broken if hop is not None).most_common(1)[0]
        return next(hop for hop in broken if hop is not None and hop.cause_key == most)
    if one.rule_id in {"H1", "H2", *SILENT_RULES}:
        hop = first_broken(one.path)
        return None if hop is None or hop.kind in {HopKind.AGENT, HopKind.INTAKE} else hop
    return None


def _own_key(one: Finding, *, is_collector_silent: bool) -> str:
    if one.subject is Subject.MEMBER and one.rule_id == "H1":
        return f"member:{one.collector_key}:{one.subject_key}"[:200]
    if is_collector_silent or one.rule_id in {"H1", "H2"}:
        return f"collector:{one.collector_key}"
    return f"load:{one.collector_key}" if one.rule_id in {"H8", "H9"} else f"{one.rule_id}:{one.collector_key}"


def _clusters(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Silent sources that no broken hop explains: those of one VNet and collector that went quiet one shortly after the other are one cause."""
    clusters: dict[str, list[Finding]] = {}
    last: dict[tuple[str, str], tuple[str, datetime]] = {}
    for one in sorted(findings, key=lambda finding: (finding.since, finding.subject_key)):
        way = (one.collector_key, one.way)
        key, since = last.get(way, ("", one.since))
        if not key or (one.since - since).total_seconds() > CLUSTER_S:
            key = f"source:{one.collector_key}:{one.subject_key}"
        clusters.setdefault(key, []).append(one)
        last[way] = (key, one.since)
    return clusters


def _cause(key: str, findings: Sequence[Finding], hop: Hop | None, facts: Mapping[str, Any]) -> Cause:
    ordered = tuple(sorted(findings, key=lambda one: (-one.level, _ORDER.index(one.rule_id), one.since, one.key)))
    if key == INTAKE_KEY:
        subject = Subject.INTAKE
    elif hop is not None:
        subject = Subject.HOP
    elif key.startswith("source:") and len(ordered) > 1:
        subject = Subject.SOURCES
    else:
        subject = ordered[0].subject if key.startswith(("source:", "member:")) else Subject.COLLECTOR
    return Cause(key, subject, ordered, hop, facts)


# -- which cause an open alarm goes on with


@dataclass(frozen=True, slots=True)
class Open:
    """An alarm that is open."""

    number: int
    cause_key: str
    finding_keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Matched:
    """`of`: cause key -> the number it goes on under; others are new. `over` have ended; `joined`: those that another one took in."""

    of: Mapping[str, int]
    over: tuple[int, ...]
    joined: Mapping[int, int]


def match(causes: Sequence[Cause], alarms: Sequence[Open]) -> Matched:
    """An alarm goes on with the cause of its key, else with the one that has most of its findings; the intake's with none but the intake."""
    left = {one.cause_key: one for one in alarms}
    of = {cause.key: left.pop(cause.key).number for cause in causes if cause.key in left}
    for cause in causes:
        keys = {one.key for one in cause.findings}
        candidates = [one for one in left.values() if keys & one.finding_keys and INTAKE_KEY not in {one.cause_key, cause.key}]
        if cause.key not in of and candidates:
            best = min(candidates, key=lambda one: (-len(keys & one.finding_keys), one.number))
            of[cause.key] = best.number
            del left[best.cause_key]
    joined = {}
    for alarm in left.values():
        into = next((cause for cause in causes if alarm.finding_keys & {one.key for one in cause.findings}), None)
        if into is not None and into.key in of:
            joined[alarm.number] = of[into.key]
    return Matched(of, tuple(sorted(one.number for one in left.values())), joined)
