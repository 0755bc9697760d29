"""One turn of judging: live numbers and the inventory in, findings and the state of each collector out. No input or output of its own.

Rule 1: while we have only just begun to look, or cannot look, nothing is raised for being absent. Rule 2: what is not judged in a turn (a mirror
that is gone, a member that left the pool) is forgotten.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from vtapweb.domain.causes import INTAKE_KEY, Cause, Finding, Heard, Hop, HopKind, HopState, Path, Subject, fold, quiet_together_s
from vtapweb.domain.health import (
    GRACE_S,
    RULES,
    STILL_S,
    CollectorState,
    Level,
    Standing,
    Verdict,
    h01_no_report,
    h01_of_pool,
    h02_no_mirrored_traffic,
    h03_silent_source,
    h04_source_stopped,
    h05_unknown_source,
    h06_ambiguous_source,
    h07_one_direction,
    h08_near_capacity,
    h09_dropping,
    h10_nobody_listens,
    h11_unattributed,
    h12_merged,
    h13_samples_lost,
    h14_restart_loop,
    is_settling,
    settle,
)
from vtapweb.traffic.models import CollectorMaintenance
from vtapweb.traffic.samples import CollectorNow, MemberNow, MeterNow, Origin, SourceNow
from vtapweb.traffic.selectors.collectors import CollectorFacts
from vtapweb.traffic.watch.before import Sent
from vtapweb.traffic.watch.estate import Estate, MirrorFacts
from vtapweb.traffic.watch.memory import Last, Memory, kept

PUSHED: Final = frozenset({Origin.AGENT, Origin.REMOTE_WRITE, Origin.OTLP})  # these come to us by themselves
_NO_LOSS: Final = frozenset({"softnet_squeezed", "udp_no_ports"})  # told beside the counters of lost packets, and none of them
METER_GONE_S: Final = 30.0
EXPLAINED_KEPT_S: Final = 70.0  # packets of 60 s are counted: those from before a mirror was taken off were no unknown source's
INTAKE_KEPT_S: Final = 60.0  # collectors come back to an intake one by one: agents wait longer with every failure


@dataclass(frozen=True, slots=True)
class Seen:
    """The live numbers of one moment. `meter` None: no meter runs. Times in unix seconds by our clock."""

    now_s: float
    looking_since_s: float  # we, since our start, since Redis came back or since the clock was set
    meter: MeterNow | None
    meter_since_s: float  # it works without interruption and by a steady clock
    collectors: Mapping[str, CollectorNow]
    sources: Mapping[str, Sequence[SourceNow]]
    with_token: frozenset[str]  # collectors that have a live token: somebody means them to send
    before: Mapping[tuple[str, str], Sent] = field(default_factory=dict)  # what the meter does not know of sources, see watch.before


@dataclass(frozen=True, slots=True)
class State:
    """What one collector is, and why. `facts` for its sentence."""

    state: CollectorState
    rule_ids: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    heard_s: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What one turn came to."""

    causes: list[Cause]
    states: dict[str, State]
    memory: Memory


def judge(
    seen: Seen,
    estate: Estate,
    memory: Memory,
    *,
    maintenance: Sequence[CollectorMaintenance] = (),
    intake_findings: Collection[str] = (),
) -> Judged:
    """One turn. `maintenance`: what goes on now; `intake_findings`: keys of the findings behind an open alarm about our intake."""
    turn = _Turn(seen, estate, memory, maintenance)
    for key in estate.collectors:
        turn.collector(key)
    turn.meter()
    together_s = quiet_together_s(turn.heard, now_s=seen.now_s) if seen.meter is not None and turn.looked_s > GRACE_S else None
    back = memory.intake_back_s
    if not intake_findings or together_s is not None:
        back = None
    elif back is None:
        back = seen.now_s
    is_coming_back = back is not None and seen.now_s - back < INTAKE_KEPT_S
    causes = fold(turn.findings, together_s=together_s, kept_in_intake=intake_findings if is_coming_back else ())
    turn.after.intake_back_s = back
    return Judged(list(turn.without_excused(causes)), turn.states, turn.after)


class _Turn:
    """The working state of one turn."""

    def __init__(self, seen: Seen, estate: Estate, memory: Memory, maintenance: Iterable[CollectorMaintenance]) -> None:
        self.seen = seen
        self.estate = estate
        self.memory = memory
        explained = {name: at_s for name, at_s in memory.explained.items() if seen.now_s - at_s <= EXPLAINED_KEPT_S}
        self.after = Memory(meter_gone_s=memory.meter_gone_s, explained=explained)
        self.findings: list[Finding] = []
        self.states: dict[str, State] = {}
        self.heard: list[Heard] = []
        self.seeing_s = seen.now_s - seen.meter_since_s  # since when the meter would have seen a packet
        self.looked_s = seen.now_s - max(seen.meter_since_s, seen.looking_since_s)
        self._stood = _by_collector(memory.standings)  # names of what stood before, by collector: one look at all, however many collectors
        self._stands: dict[str, list[str]] = {}  # names of what stands now
        self.under_maintenance: dict[str, set[str]] = {}  # collector -> members, "" for all
        for one in maintenance:
            self.under_maintenance.setdefault(one.collector_key, set()).add(one.member_key)

    # -- what stands

    def stands(self, rule_id: str, key: str, verdict: Callable[[Level], Verdict] | Verdict) -> Standing:
        """What stands after this turn's verdict (which may depend on the level before), remembered for the next."""
        name = f"{rule_id}:{key}"
        was = self.memory.standing(name)
        now = verdict(was.level) if callable(verdict) else verdict
        standing = settle(was, now, now_s=self.seen.now_s, clear_after_s=RULES[rule_id].clear_after_s)
        if standing.level is not Level.FINE:
            self.after.standings[name] = kept(standing)
            self._stands.setdefault(_collector_in(name), []).append(name)
        return standing

    def find(self, rule_id: str, key: str, standing: Standing, subject: Subject, of: CollectorFacts, **given: Any) -> None:
        """A finding, where the standing is bad enough for an alarm."""
        if standing.level < RULES[rule_id].opens_from:
            return
        own = {
            "name": self.estate.name_of(of.key), "subject_key": of.key, "subscription_id": of.subscription_id,
            "since": at(standing.since_s), **given,
        }  # fmt: skip
        self.findings.append(
            Finding(
                key=f"{rule_id}:{key}", rule_id=rule_id, level=standing.level, subject=subject, collector_key=of.key,
                collector_name=self.estate.name_of(of.key), collector_subscription_id=of.subscription_id,
                is_settling=is_settling(standing), **own,
            )
        )  # fmt: skip

    def without_excused(self, causes: Iterable[Cause]) -> Iterable[Cause]:
        """The causes without what is a collector's own while somebody works on it; what breaks on the way to it is not."""
        for cause in causes:
            if not self.under_maintenance or (cause.hop is not None and cause.hop.kind in _BEFORE_COLLECTOR):
                yield cause
            elif left := tuple(one for one in cause.findings if not self._is_excused(one)):
                yield replace(cause, findings=left)

    def _is_excused(self, one: Finding) -> bool:
        members = self.under_maintenance.get(one.collector_key, set())
        return "" in members or (one.subject is Subject.MEMBER and bool(one.facts["nic_key"]) and one.facts["nic_key"] in members)

    # -- one collector

    def collector(self, key: str) -> None:
        """Judges one collector with its members and sources."""
        facts, now = self.estate.collectors[key], self.seen.collectors.get(key)
        members = self._members(facts, now)
        if self.seen.meter is None:
            self.after.heard[key] = self.memory.heard.get(key, {})
            self._keep_standings(key)
            self.states[key] = State(CollectorState.UNKNOWN, facts={"why": "meter"}, heard_s=_newest(members.values()))
            return
        if not members:
            why = "token" if key in self.seen.with_token else "nothing"
            self.states[key] = State(CollectorState.UNKNOWN, facts={"why": why})
            return
        self.after.heard[key] = members
        silence, missing = self._reports(facts, members)
        live = {one.member: one for one in now.members if one.member in members} if now is not None else {}
        expected = [one for one in self.estate.mirrors.get(key, []) if one.is_configured and one.is_running is not False]
        is_heard = silence.level is Level.FINE and now is not None
        intake = Hop(HopKind.INTAKE, INTAKE_KEY, "vtapweb's intake", HopState.OK, "our intake works", "", None, at(self.seen.now_s))
        behind = self.estate.way_behind(key, self._agent(facts, members, silence), intake)
        self._silent(facts, members, silence, behind, expected)
        still = self._still(facts, now if is_heard else None, members, expected, behind)
        load = self._load(facts, now if is_heard else None, live)
        for member in live.values() if is_heard else ():
            self._member(facts, member)
        self._sources(facts, now if is_heard else None, behind)
        self.states[key] = self._state(facts, now, members, silence, missing, still, load)

    def _keep_standings(self, key: str) -> None:
        """Nothing can be judged: what stood for this collector stands on."""
        for name in self._stood.get(key, ()):
            self.after.standings[name] = self.memory.standings[name]

    def _members(self, facts: CollectorFacts, now: CollectorNow | None) -> dict[str, Last]:
        """When each member was last heard; those that left the pool are forgotten, and those of whom Redis has forgotten are not."""
        pool = {one.nic_key for one in facts.members}
        found = {}
        if facts.key in self.seen.with_token:
            found = {name: one for name, one in self.memory.heard.get(facts.key, {}).items() if one.is_push}
        for one in now.members if now is not None else ():
            found[one.member] = _last(one)
        is_known = facts.kind == "load_balancer" and facts.member_count == len(facts.members)
        return {name: one for name, one in found.items() if not is_known or not one.nic_key or one.nic_key in pool}

    def _reports(self, facts: CollectorFacts, members: Mapping[str, Last]) -> tuple[Standing, list[str]]:
        """H1 of the collector as a whole, and the members that are missing while others report."""
        levels = {name: h01_no_report(self.seen.now_s - one.heard_s, one.interval_s, one.lag_s) for name, one in members.items()}
        level, missing_count = h01_of_pool(list(levels.values()))
        pushed = [one for one in members.values() if one.is_push]
        if pushed and facts.key not in self.under_maintenance:
            newest = max(pushed, key=lambda one: one.heard_s)
            self.heard.append(Heard(facts.key, newest.heard_s, max(one.interval_s for one in pushed)))
        is_starting = self.looked_s <= GRACE_S
        verdict: Verdict = None if is_starting and level is not Level.FINE else level
        silence = self.stands("H1", facts.key, verdict)
        missing = [name for name, one in levels.items() if one is Level.ALARM] if missing_count and not is_starting else []
        for name, one in levels.items():
            is_one_of_many = len(members) > 1 and level is not Level.ALARM
            own: Verdict = None if is_starting and one is Level.ALARM else Level.WARNING if one is Level.ALARM and is_one_of_many else Level.FINE
            standing = self.stands("H1", f"{facts.key}:{name}", own)
            nic = next((member for member in facts.members if member.nic_key == members[name].nic_key), None)
            path = () if nic is None else (self._member_hop(facts, nic.name, nic.power_state, nic.vm_key or nic.nic_key, nic.subscription_id),)
            self.find(
                "H1", f"{facts.key}:{name}", standing, Subject.MEMBER, facts, name=nic.name if nic else name, subject_key=name, path=path,
                since=at(members[name].heard_s), facts={"nic_key": members[name].nic_key, "others": len(members) - 1},
            )  # fmt: skip
        return silence, missing

    def _member_hop(self, facts: CollectorFacts, name: str, power: str, key: str, subscription_id: str) -> Hop:
        state = HopState.UNKNOWN if not power else HopState.OK if power == "running" else HopState.BROKEN
        words = f"the VM of {name} is {power or 'in an unknown state'}"
        return Hop(HopKind.MEMBER, key or facts.key, name, state, words, subscription_id, self.estate.changed_at.get(key))

    def _agent(self, facts: CollectorFacts, members: Mapping[str, Last], silence: Standing) -> Hop:
        heard = at(_newest(members.values()) or self.seen.now_s)
        name = self.estate.name_of(facts.key)
        if silence.level is Level.ALARM:
            state, words = HopState.BROKEN, f"{name} has sent no report since {heard:%H:%M:%S} UTC"
        elif silence.level is Level.FINE:
            state, words = HopState.OK, f"{name} reports"
        else:
            state, words = HopState.UNKNOWN, f"the last report of {name} is of {heard:%H:%M:%S} UTC"
        return Hop(HopKind.AGENT, facts.key, name, state, words, facts.subscription_id, heard if state is HopState.BROKEN else None, heard)

    def _silent(self, facts: CollectorFacts, members: Mapping[str, Last], silence: Standing, behind: Path, expected: Sequence[MirrorFacts]) -> None:
        told = {"expected": len(expected), "sources": _children(expected), "is_push": any(one.is_push for one in members.values())}
        heard = at(_newest(members.values()) or silence.since_s)
        self.find("H1", facts.key, silence, Subject.COLLECTOR, facts, path=behind, since=heard, facts=told)

    def _still(
        self, facts: CollectorFacts, now: CollectorNow | None, members: Mapping[str, Last], expected: Sequence[MirrorFacts], behind: Path
    ) -> Standing:
        """H2."""
        packets = now.packets_per_s_60s if now is not None and self.seeing_s > STILL_S else None
        if packets is not None and packets <= 0:
            self.after.still_since[facts.key] = self.memory.still_since.get(facts.key, self.seen.now_s)
        elif packets is None and facts.key in self.memory.still_since:
            self.after.still_since[facts.key] = self.memory.still_since[facts.key]
        due = [one for one in expected if self.seen.now_s - one.since.timestamp() > STILL_S]
        still_s = self.seen.now_s - self.after.still_since.get(facts.key, self.seen.now_s)
        interval_s = max((one.interval_s for one in members.values()), default=1.0)
        verdict = h02_no_mirrored_traffic(packets, still_s, len(due), interval_s)
        standing = self.stands("H2", facts.key, None if self.looked_s <= GRACE_S and verdict else verdict)
        since_s = self.after.still_since.get(facts.key, standing.since_s) - STILL_S  # the mean of 60 s was 0: so long already
        paths = tuple(self.estate.way_of(one, behind) for one in due) if standing.level is not Level.FINE else ()
        told = {"expected": len(due), "sources": _children(due)}
        self.find("H2", facts.key, standing, Subject.COLLECTOR, facts, path=behind, source_paths=paths, since=at(since_s), facts=told)
        return standing

    def _load(self, facts: CollectorFacts, now: CollectorNow | None, live: Mapping[str, MemberNow]) -> Standing:
        """H8 of the collector and H9 of its members; returns the standing of H9, the worst of them."""
        capacity = self.estate.capacity_of(facts.key)
        wire = now.wire_bits_per_s_5s if now is not None else None
        near = self.stands("H8", facts.key, lambda was: h08_near_capacity(wire, capacity, was=was))
        told = {"wire_bits_per_s": wire, "capacity_bits_per_s": capacity}
        self.find("H8", facts.key, near, Subject.COLLECTOR, facts, facts=told)
        if now is None:
            return self.stands("H9", facts.key, None)

        def worst(was: Level) -> Level:
            return max((h09_dropping(one.saturated_in_last_5, one.drop_share_10s, was=was) for one in live.values()), default=Level.FINE)

        dropping = self.stands("H9", facts.key, worst)
        shares = [one.drop_share_10s for one in live.values() if one.drop_share_10s is not None]
        self.find(
            "H9", facts.key, dropping, Subject.COLLECTOR, facts, facts={"drop_share": max(shares, default=None), "drops": _drops(live.values())}
        )
        return dropping

    def _member(self, facts: CollectorFacts, one: MemberNow) -> None:
        """H10 to H14: what a machine says about itself."""
        key = f"{facts.key}:{one.member}"
        rules: dict[str, tuple[Callable[[Level], Verdict], dict[str, Any]]] = {
            "H10": (lambda was: h10_nobody_listens(one.no_ports_share_30s, was=was), {"share": one.no_ports_share_30s}),
            "H11": (
                lambda was: h11_unattributed(one.unattributed_share_60s, was=was),
                {"share": one.unattributed_share_60s, "beyond": one.sources_beyond, "told_apart": one.sources_kept},
            ),
            "H12": (
                lambda was: h12_merged(one.nic_packets_per_s, one.packets_per_s, has_vxlan_device=one.has_vxlan_device, was=was),
                {"interface": one.interface},
            ),
            "H13": (lambda was: h13_samples_lost(one.seq_gap_share_60s, was=was), {"share": one.seq_gap_share_60s}),
            "H14": (lambda was: h14_restart_loop(one.boots_10min, was=was), {"boots": one.boots_10min}),
        }
        nic = next((member for member in facts.members if member.nic_key == one.nic_key and one.nic_key), None)
        for rule_id, (rule, told) in rules.items():
            standing = self.stands(rule_id, key, rule)
            shown = {"nic_key": one.nic_key, **told}
            name = nic.name if nic else one.member
            self.find(rule_id, key, standing, Subject.MEMBER, facts, name=name, subject_key=one.member, facts=shown)

    # -- sources

    def _sources(self, facts: CollectorFacts, now: CollectorNow | None, behind: Path) -> None:
        """H3 to H7. Without numbers per source nothing is said about them."""
        sees = now is not None and now.has_sources and self.looked_s > GRACE_S
        rows = self.seen.sources.get(facts.key, ()) if sees else ()
        interval_s = max((one.interval_s for one in now.members if one.origin is Origin.AGENT), default=1.0) if now is not None else 1.0
        of_nic: dict[str, list[SourceNow]] = {}
        for row in rows:
            if row.nic_key and not row.is_ambiguous:
                of_nic.setdefault(row.nic_key, []).append(row)
        is_whole = now is not None and not any(one.sources_beyond for one in now.members)  # else one that is not listed may be among those beyond
        for mirror in self.estate.mirrors.get(facts.key, []):
            of = of_nic.get(mirror.nic_key, [])
            self._source(facts, mirror, of, behind, sees=sees and (is_whole or bool(of)), interval_s=interval_s)
        mirrored = {mirror.nic_key for mirror in self.estate.mirrors.get(facts.key, [])}
        for row in rows:
            self._address(facts, row, is_explained=bool(row.tap_configuration_key) or (bool(row.nic_key) and row.nic_key in mirrored))
        if not sees:
            for name in self._stood.get(facts.key, ()):
                rule_id, _, key = name.partition(":")
                if rule_id in {"H5", "H6"}:
                    self.stands(rule_id, key, None)

    def _source(self, facts: CollectorFacts, mirror: MirrorFacts, rows: Sequence[SourceNow], behind: Path, *, sees: bool, interval_s: float) -> None:
        """H3, H4 and H7 of one mirrored NIC, all its addresses together."""
        now_s, key = self.seen.now_s, f"{facts.key}:{mirror.nic_key}"
        last_s = max((row.last_packet_ms for row in rows), default=0) / 1000
        before = self.seen.before.get((facts.key, mirror.nic_key))
        last_s = last_s or (before.last_s if before else 0.0) or self._kept_last_s(mirror)
        silent_s = now_s - last_s if last_s else None
        mirrored_s = now_s - mirror.since.timestamp()
        silent = self.stands(
            "H3", key,
            h03_silent_source(mirrored_s=mirrored_s, is_running=mirror.is_running, silent_s=silent_s, seeing_s=self.seeing_s, interval_s=interval_s)
            if sees and mirror.is_configured else None if not sees else Level.FINE,
        )  # fmt: skip
        mean_60, mean_900 = _sum(row.packets_per_s_60s for row in rows), _sum(row.packets_per_s_900s for row in rows)
        if mean_900 is None and before is not None:
            mean_900 = before.packets_per_s
        stopped = self.stands("H4", key, lambda was: h04_source_stopped(mean_60, mean_900, is_running=mirror.is_running, was=was) if sees else None)
        one_way = self.stands(
            "H7", key, h07_one_direction(_sum(row.sent_packets_60s for row in rows), _sum(row.received_packets_60s for row in rows)) if sees else None
        )
        if max(silent.level, stopped.level, one_way.level) is Level.FINE:
            return
        given = {
            "name": mirror.nic_name, "subject_key": mirror.nic_key, "subscription_id": mirror.subscription_id,
            "path": self.estate.way_of(mirror, behind), "way": mirror.vnet_key, "way_name": self._vnet_name(mirror.vnet_key),
        }  # fmt: skip
        since = at(last_s) if last_s else mirror.since  # it began with its last packet, not when the rule noticed
        self.find("H3", key, silent, Subject.SOURCE, facts, **given, since=since, facts={"was_seen": bool(last_s)})
        self.find("H4", key, stopped, Subject.SOURCE, facts, **given, since=since, facts={"before_packets_per_s": mean_900})
        is_sent_missing = not _sum(row.sent_packets_60s for row in rows)
        self.find("H7", key, one_way, Subject.SOURCE, facts, **given, facts={"missing": "sent" if is_sent_missing else "received"})

    def _kept_last_s(self, mirror: MirrorFacts) -> float:
        """When its last packet was seen by what is kept beside the live numbers; 0: never, or that time lies ahead of a clock that was set back."""
        kept_s = mirror.last_packet_at.timestamp() if mirror.last_packet_at else 0.0
        return kept_s if kept_s <= self.seen.now_s else 0.0

    def _address(self, facts: CollectorFacts, row: SourceNow, *, is_explained: bool) -> None:
        """H5 and H6 of one outer source address."""
        key = f"{facts.key}:{row.address}"
        packets = None if row.packets_per_s_60s is None else row.packets_per_s_60s * 60
        is_lately_over = not is_explained and key in self.after.explained
        if is_explained:
            self.after.explained[key] = self.seen.now_s
        verdict = None if is_lately_over else h05_unknown_source(packets, is_explained=is_explained or row.is_ambiguous)
        unknown = self.stands("H5", key, verdict)
        ambiguous = self.stands("H6", key, h06_ambiguous_source(is_ambiguous=row.is_ambiguous))
        told = {"name": row.address, "subject_key": row.address, "facts": {"nic_key": row.nic_key, "vnis": list(row.vnis)}}
        self.find("H5", key, unknown, Subject.ADDRESS, facts, **told)
        self.find("H6", key, ambiguous, Subject.ADDRESS, facts, **told)

    def _vnet_name(self, key: str) -> str:
        found = self.estate.vnets.get(key)
        return found.name if found else ""

    # -- the state of a collector, and of ourselves

    def _state(
        self, facts: CollectorFacts, now: CollectorNow | None, members: Mapping[str, Last], silence: Standing, missing: Sequence[str],
        still: Standing, dropping: Standing,
    ) -> State:  # fmt: skip
        """The worst that is true; the rules that stand are those of the collector and its members."""
        rule_ids = {name.partition(":")[0] for name in self._stands.get(facts.key, ()) if self.after.standings[name].lower is None}
        near = self.after.standings.get(f"H8:{facts.key}")
        heard_s = _newest(members.values())
        told = {
            "missing": len(missing), "members": len(members), "wire_bits_per_s": now.wire_bits_per_s_5s if now else None,
            "capacity_bits_per_s": self.estate.capacity_of(facts.key), "heard": None if heard_s is None else at(heard_s).isoformat(),
        }  # fmt: skip
        is_late = self.seen.now_s - (heard_s or 0.0) > 0 and self._is_late(members)
        excused = self.under_maintenance.get(facts.key, set())
        if "" in excused:
            state = CollectorState.MAINTENANCE
        elif silence.level is Level.ALARM and self.looked_s > GRACE_S:
            state = CollectorState.SILENT
        elif is_late and self.looked_s <= GRACE_S:
            state = CollectorState.STARTING
        elif still.level is Level.ALARM:
            state = CollectorState.EMPTY
        elif dropping.level is not Level.FINE:
            state = CollectorState.DROPPING
        elif near is not None and near.level == Level.ALARM:
            state = CollectorState.OVER
        elif silence.level is not Level.FINE:
            state = CollectorState.STALE
        elif [one for one in missing if members[one].nic_key not in excused or not members[one].nic_key]:
            state = CollectorState.DEGRADED
        else:
            state = CollectorState.NEAR if near is not None else CollectorState.OK
        return State(state, tuple(sorted(rule_ids, key=lambda one: int(one[1:]))), told, heard_s)

    def _is_late(self, members: Mapping[str, Last]) -> bool:
        return all(h01_no_report(self.seen.now_s - one.heard_s, one.interval_s, one.lag_s) is not Level.FINE for one in members.values())

    def meter(self) -> None:
        """That no meter runs is about us; one that restarts is away for some seconds."""
        if self.seen.meter is not None:
            self.after.meter_gone_s = None
            return
        gone_s = self.after.meter_gone_s = self.memory.meter_gone_s or self.seen.now_s
        was_seeing = any(self.memory.heard.values())
        if was_seeing and self.seen.now_s - max(gone_s, self.seen.looking_since_s) > METER_GONE_S:
            self.findings = [
                Finding("H1:meter", "H1", Level.ALARM, Subject.INTAKE, "", "", "", "vtapweb's meter", "meter", "", at(gone_s), facts={"why": "meter"})
            ]


_BEFORE_COLLECTOR = frozenset({HopKind.VM, HopKind.TAP_CONFIGURATION, HopKind.PEERING_OF_SOURCE, HopKind.PEERING_OF_COLLECTOR, HopKind.TAP})


def _collector_in(name: str) -> str:
    """Of the name of a standing: rule, collector, and perhaps what of it."""
    return name.split(":", 2)[1]


def _by_collector(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_collector_in(name), []).append(name)
    return found


def at(unix_s: float) -> datetime:
    """The instant, in UTC."""
    return datetime.fromtimestamp(unix_s, UTC)


def _last(one: MemberNow) -> Last:
    """A source that is asked is as old as what it told last; one that comes by itself is as old as its last coming."""
    is_push = one.origin in PUSHED
    heard_ms = one.arrived_ms if is_push or one.measured_ms is None else one.measured_ms
    return Last(heard_ms / 1000, one.interval_s, 0.0 if is_push else one.lag_s or 0.0, is_push, one.nic_key)


def _newest(members: Iterable[Last]) -> float | None:
    return max((one.heard_s for one in members), default=None)


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum of those that are known, None where none is."""
    known = [one for one in values if one is not None]
    return sum(known) if known else None


def _drops(members: Iterable[MemberNow]) -> dict[str, float]:
    """Drops per second by counter, of all members."""
    found: dict[str, float] = {}
    for one in members:
        for name, value in one.drops_per_s.items():
            if value > 0 and name not in _NO_LOSS:
                found[name] = found.get(name, 0.0) + value
    return found


def _children(mirrors: Iterable[MirrorFacts]) -> list[tuple[str, str, str]]:
    """Key, name and subscription of the NICs that should be seen there."""
    return [(one.nic_key, one.nic_name, one.subscription_id) for one in mirrors]
