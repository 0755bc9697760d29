"""The verdict on every NIC against every TAP. Each rule is asked once for each distinct input; a verdict is put together when it is looked at.

Rule 1: refused if any finding blocks; else not known if any finding is unknown (but those of an advisory rule); else allowed. Rule 2: nothing here
raises on whatever facts. Rule 3: the digest of a pair changes when, and only when, an outcome or the destination does.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vtapweb.domain.tap_rules import destination, pair, source
from vtapweb.domain.tap_rules.facts import SourceFacts, TapFacts, World
from vtapweb.domain.tap_rules.rule import DestinationRule, Finding, Outcome, PairRule, Rule, SourceRule

# In the order in which they are told where several say the same.
RULES: tuple[Rule, ...] = (*source.RULES, *destination.RULES, *pair.RULES)

_SEVERITY = {Outcome.BLOCK: 0, Outcome.UNKNOWN: 1, Outcome.WARN: 2, Outcome.OK: 3}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`allowed` None: nobody can tell, so the answer is no until somebody can. `deciding`: the findings that make it False or None, () if True."""

    allowed: bool | None
    findings: tuple[Finding, ...]  # worst first
    deciding: tuple[Finding, ...]

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What one should know all the same: warnings, and unknowns that refuse nothing."""
        return tuple(one for one in self.findings if one.outcome is not Outcome.OK and one not in self.deciding)


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The verdict that these findings come to together; their order decides among equally bad ones."""
    ranked = tuple(sorted(findings, key=_rank))
    blocks = tuple(one for one in ranked if one.outcome is Outcome.BLOCK)
    if blocks:
        return Verdict(False, ranked, blocks)
    unknowns = tuple(one for one in ranked if one.outcome is Outcome.UNKNOWN and not one.is_advisory)
    return Verdict(None, ranked, unknowns) if unknowns else Verdict(True, ranked, ())


def _rank(finding: Finding) -> tuple[int, bool]:
    return _SEVERITY[finding.outcome], finding.is_advisory


Group = tuple[Finding, ...]


class Judgement:
    """What `judge` found. A key that was not judged raises KeyError."""

    def __init__(self, sources: Mapping[str, Group], taps: Mapping[str, Group], destinations: Mapping[str, str], pairs: "_Pairs") -> None:
        self._sources, self._taps, self._destinations, self._pairs = sources, taps, destinations, pairs
        self._by_id: dict[tuple[int, int, int], Verdict] = {}

    def source_verdict(self, source_key: str) -> Verdict:
        """What can be said of the NIC whatever the TAP: one that is refused here can be mirrored nowhere."""
        return verdict_of(self._sources[source_key])

    def tap_verdict(self, tap_key: str) -> Verdict:
        """What can be said of the TAP whatever the NIC."""
        return verdict_of(self._taps[tap_key])

    def verdict(self, source_key: str, tap_key: str) -> Verdict:
        """May this NIC be mirrored to this TAP, and why (not)."""
        groups = self._sources[source_key], self._taps[tap_key], self._pairs.findings(source_key, tap_key)
        # Groups are one object for equal contents and live as long as this judgement, so their addresses name them.
        name = (id(groups[0]), id(groups[1]), id(groups[2]))
        found = self._by_id.get(name)
        if found is None:
            found = self._by_id[name] = verdict_of((*groups[0], *groups[1], *groups[2]))
        return found

    def digest(self, source_key: str, tap_key: str) -> str:
        """The outcomes of all rules that are not ok, and where the TAP leads: another text tells that the world has moved since."""
        findings = self.verdict(source_key, tap_key).findings
        told = sorted({f"{one.outcome}:{one.rule_id}" for one in findings if one.outcome is not Outcome.OK})
        return " ".join((f"to:{self._destinations[tap_key]}", *told))


class _Pairs:
    """The findings of the pair rules, by classes: NICs that no rule can tell apart, against TAPs that none can."""

    def __init__(self, rules: Sequence[PairRule], world: World, sources: Sequence[SourceFacts], taps: Sequence[TapFacts]) -> None:
        self._rules = rules
        self._prepared = [rule.prepare(world, taps) for rule in rules]
        self._source_parts: dict[tuple[Hashable, ...], int] = {}
        self._tap_parts: dict[tuple[Hashable, ...], int] = {}
        self._class_of_source = {
            one.key: _number(self._source_parts, tuple(rule.of_source(seen, one) for rule, seen in zip(rules, self._prepared, strict=True)))
            for one in sources
        }
        self._class_of_tap = {
            one.key: _number(self._tap_parts, tuple(rule.of_tap(seen, one) for rule, seen in zip(rules, self._prepared, strict=True))) for one in taps
        }
        self._sources, self._taps = list(self._source_parts), list(self._tap_parts)
        self._answers: list[dict[tuple[Hashable, Hashable], Finding]] = [{} for _ in rules]
        self._groups: dict[tuple[int, int], Group] = {}
        self._known: dict[Group, Group] = {}

    def findings(self, source_key: str, tap_key: str) -> Group:
        place = self._class_of_source[source_key], self._class_of_tap[tap_key]
        group = self._groups.get(place)
        if group is None:
            group = self._groups[place] = self._judged(*place)
        return group

    def _judged(self, source_class: int, tap_class: int) -> Group:
        source_parts, tap_parts = self._sources[source_class], self._taps[tap_class]
        findings = []
        for number, rule in enumerate(self._rules):
            asked = source_parts[number], tap_parts[number]
            answers = self._answers[number]
            if asked not in answers:
                answers[asked] = rule.finding(rule.check(self._prepared[number], *asked))
            findings.append(answers[asked])
        group = tuple(findings)
        return self._known.setdefault(group, group)


def _number(known: dict[Any, int], parts: tuple[Hashable, ...]) -> int:
    return known.setdefault(parts, len(known))


def judge(world: World, sources: Sequence[SourceFacts], taps: Sequence[TapFacts], rules: Sequence[Rule] = RULES) -> Judgement:
    """Judge every source against every TAP. Never raises; what is asked for later costs little, so ask for all or for one.

    `rules` is for tests: what a law forbids is only known when breaking it is seen.
    """
    known: dict[Group, Group] = {}

    def one(group: Group) -> Group:
        return known.setdefault(group, group)

    about_source = [rule for rule in rules if isinstance(rule, SourceRule)]
    about_tap = [rule for rule in rules if isinstance(rule, DestinationRule)]
    return Judgement(
        {nic.key: one(tuple(rule.finding(rule.check(world, nic)) for rule in about_source)) for nic in sources},
        {tap.key: one(tuple(rule.finding(rule.check(world, tap)) for rule in about_tap)) for tap in taps},
        {tap.key: ",".join(sorted(end.key for end in tap.destinations)) for tap in taps},
        _Pairs([rule for rule in rules if isinstance(rule, PairRule)], world, sources, taps),
    )
