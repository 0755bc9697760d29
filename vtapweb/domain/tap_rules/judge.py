"""The verdict on every NIC against every TAP. Each rule is asked once for each distinct input; a verdict is put together when it is looked at.

Rule 1: refused if any finding blocks; else not known if any finding is unknown (but those of an advisory rule); else allowed. Rule 2: nothing here
raises on whatever facts. Rule 3: the digest of a pair changes when, and only when, an outcome or the destination does.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from vtapweb.domain.tap_rules import destination, pair, source
from vtapweb.domain.tap_rules.facts import SourceFacts, TapFacts, World
from vtapweb.domain.tap_rules.rule import DestinationRule, Finding, Outcome, PairRule, Rule, SourceRule

# In the order in which they are told where several say the same.
RULES: tuple[Rule, ...] = (*source.RULES, *destination.RULES, *pair.RULES)


_PLACES = {Outcome.BLOCK: 0, Outcome.UNKNOWN: 1, Outcome.WARN: 3, Outcome.OK: 4}
_BLOCKS, _UNKNOWNS = 0, 1


class Part(NamedTuple):
    """Findings that are told together. `places`: blocks, unknowns, an advisory rule's unknowns, warnings, what is fine; `codes`: for the digest."""

    places: tuple[tuple[Finding, ...], ...]
    codes: frozenset[str]


def _part(findings: Iterable[Finding]) -> Part:
    places: tuple[list[Finding], ...] = ([], [], [], [], [])
    for one in findings:
        places[_PLACES[one.outcome] + (one.outcome is Outcome.UNKNOWN and one.is_advisory)].append(one)
    codes = frozenset(f"{one.outcome.value}:{one.rule_id}" for one in chain(*places[:-1]))
    return Part(tuple(map(tuple, places)), codes)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What several sets of findings come to. A selection needs tens of thousands of verdicts, so findings are put in order when they are looked at.

    `allowed` None: nobody can tell, so the answer is no until somebody can.
    """

    parts: tuple[Part, ...]

    @property
    def allowed(self) -> bool | None:
        """False if any finding blocks, else None if any is unknown (an advisory rule's does not count), else True."""
        is_known = True
        for places, _ in self.parts:
            if places[_BLOCKS]:
                return False
            is_known = is_known and not places[_UNKNOWNS]
        return True if is_known else None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, the worst first, else in the order of the rules."""
        return tuple(chain.from_iterable(same for by_place in zip(*(part.places for part in self.parts), strict=True) for same in by_place))

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings that make it False or None; () if it is True."""
        blocks = tuple(chain.from_iterable(part.places[_BLOCKS] for part in self.parts))
        return blocks or tuple(chain.from_iterable(part.places[_UNKNOWNS] for part in self.parts))

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What one should know all the same: warnings, and unknowns that refuse nothing."""
        deciding = self.deciding
        return tuple(one for one in self.findings if one.outcome is not Outcome.OK and one not in deciding)


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The verdict that these findings come to together; their order decides among equally bad ones."""
    return Verdict((_part(findings),))


class Judgement:
    """What `judge` found. A key that was not judged raises KeyError."""

    def __init__(self, sources: Mapping[str, Part], taps: Mapping[str, Part], destinations: Mapping[str, str], pairs: "_Pairs") -> None:
        self._sources, self._taps, self._destinations, self._pairs = sources, taps, destinations, pairs
        self._digests: dict[tuple[int, int, int], str] = {}

    def source_verdict(self, source_key: str) -> Verdict:
        """What can be said of the NIC whatever the TAP: one that is refused here can be mirrored nowhere."""
        return Verdict((self._sources[source_key],))

    def tap_verdict(self, tap_key: str) -> Verdict:
        """What can be said of the TAP whatever the NIC."""
        return Verdict((self._taps[tap_key],))

    def verdict(self, source_key: str, tap_key: str) -> Verdict:
        """May this NIC be mirrored to this TAP, and why (not)."""
        return Verdict((self._sources[source_key], self._taps[tap_key], self._pairs.findings(source_key, tap_key)))

    def class_of(self, source_key: str) -> Hashable:
        """Equal for NICs of which the same rules say the same against every TAP, whatever their words; compare within one judgement only."""
        return id(self._sources[source_key].codes), self._pairs.class_of(source_key)

    def digest(self, source_key: str, tap_key: str) -> str:
        """The outcomes of all rules that are not ok, and where the TAP leads: another text tells that the world has moved since."""
        (_, of_nic), (_, of_tap), (_, of_both) = self._sources[source_key], self._taps[tap_key], self._pairs.findings(source_key, tap_key)
        # Equal sets of codes are one object that lives as long as this judgement, so their addresses name them.
        name = id(of_nic), id(of_tap), id(of_both)
        told = self._digests.get(name)
        if told is None:
            told = self._digests[name] = " ".join(sorted(of_nic | of_tap | of_both))
        return f"to:{self._destinations[tap_key]} {told}".rstrip()


class _Known:
    """Keeps one object of each finding, of each set of findings and of their codes, so that identity is enough to compare by."""

    def __init__(self) -> None:
        self._findings: dict[Finding, Finding] = {}
        self._sets: dict[tuple[int, ...], Part] = {}
        self._codes: dict[frozenset[str], frozenset[str]] = {}

    def one(self, finding: Finding) -> Finding:
        return self._findings.setdefault(finding, finding)

    def part(self, findings: Sequence[Finding]) -> Part:
        """`findings` must have come from `one`."""
        name = tuple(map(id, findings))
        found = self._sets.get(name)
        if found is None:
            places, codes = _part(findings)
            found = self._sets[name] = Part(places, self._codes.setdefault(codes, codes))
        return found


class _Pairs:
    """The findings of the pair rules, by classes: NICs that no rule can tell apart, against TAPs that none can."""

    def __init__(self, rules: Sequence[PairRule], world: World, sources: Sequence[SourceFacts], taps: Sequence[TapFacts], known: _Known) -> None:
        self._rules, self._known = rules, known
        self._seen = [rule.prepare(world, taps) for rule in rules]
        asked = list(zip(rules, self._seen, strict=True))
        # What each rule sees of a NIC or TAP, as numbers: a rule's part of equal value has an equal number.
        self._source_parts: list[dict[Hashable, int]] = [{} for _ in rules]
        self._tap_parts: list[dict[Hashable, int]] = [{} for _ in rules]
        self._of_source = {
            nic.key: tuple(_number(parts, rule.of_source(seen, nic)) for parts, (rule, seen) in zip(self._source_parts, asked, strict=True))
            for nic in sources
        }
        self._of_tap = {
            tap.key: tuple(_number(parts, rule.of_tap(seen, tap)) for parts, (rule, seen) in zip(self._tap_parts, asked, strict=True)) for tap in taps
        }
        self._source_values = [list(parts) for parts in self._source_parts]
        self._tap_values = [list(parts) for parts in self._tap_parts]
        self._answers: list[dict[tuple[int, int], Finding]] = [{} for _ in rules]
        self._sets: dict[tuple[tuple[int, ...], tuple[int, ...]], Part] = {}

    def class_of(self, source_key: str) -> tuple[int, ...]:
        return self._of_source[source_key]

    def findings(self, source_key: str, tap_key: str) -> Part:
        classes = self._of_source[source_key], self._of_tap[tap_key]
        found = self._sets.get(classes)
        if found is None:
            found = self._sets[classes] = self._judged(*classes)
        return found

    def _judged(self, source: tuple[int, ...], tap: tuple[int, ...]) -> Part:
        findings = []
        for number, (answers, asked) in enumerate(zip(self._answers, zip(source, tap, strict=True), strict=True)):
            finding = answers.get(asked)
            if finding is None:
                finding = answers[asked] = self._asked(number, *asked)
            findings.append(finding)
        return self._known.part(findings)

    def _asked(self, number: int, source: int, tap: int) -> Finding:
        rule = self._rules[number]
        answer = rule.check(self._seen[number], self._source_values[number][source], self._tap_values[number][tap])
        return self._known.one(rule.finding(answer))


def _number(known: dict[Hashable, int], part: Hashable) -> int:
    return known.setdefault(part, len(known))


def judge(world: World, sources: Sequence[SourceFacts], taps: Sequence[TapFacts], rules: Sequence[Rule] = RULES) -> Judgement:
    """Judge every source against every TAP. Never raises; what is asked for later costs little, so ask for all or for one.

    `rules` is for tests: what a law forbids is only known when breaking it is seen.
    """
    known = _Known()
    about_source = [rule for rule in rules if isinstance(rule, SourceRule)]
    about_tap = [rule for rule in rules if isinstance(rule, DestinationRule)]
    return Judgement(
        {nic.key: known.part([known.one(rule.finding(rule.check(world, nic))) for rule in about_source]) for nic in sources},
        {tap.key: known.part([known.one(rule.finding(rule.check(world, tap))) for rule in about_tap]) for tap in taps},
        {tap.key: ",".join(sorted(end.key for end in tap.destinations)) for tap in taps},
        _Pairs([rule for rule in rules if isinstance(rule, PairRule)], world, sources, taps, known),
    )
