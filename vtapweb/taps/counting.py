"""Counting what the rules say of many NICs: by group, and by group and TAP. Pure: asks nothing.

Rule 1: every NIC is counted once. Rule 2: one verdict is looked at for each class of NICs that no rule can tell apart.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from vtapweb.domain.arm_id import name_in, subscription_in
from vtapweb.domain.tap_rules.facts import SourceFacts, TapFacts
from vtapweb.domain.tap_rules.judge import Verdict
from vtapweb.domain.tap_rules.rule import Finding, Outcome
from vtapweb.taps.selectors.verdicts import JudgedSelection

By = Literal["vnet", "subnet", "tag"]
Kind = Literal["here", "may", "unknown", "refused"]

NO_TAP: Final = Finding("no-tap", Outcome.BLOCK, "There is no TAP that you may see.", "Create a TAP in the region of the NIC.", "product rule")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why NICs of a group are not mirrorable: how many one rule keeps back, in the words of the first of them."""

    finding: Finding
    count: int


@dataclass(slots=True)
class Coverage:
    """One group. `key` is what it is paged by; `arm_id` "" for a tag's value. NICs add up: mirrored + mirrorable + unknown + refused = nics."""

    key: str
    name: str
    arm_id: str = ""
    subscription_id: str = ""
    nics: int = 0
    attached: int = 0  # to a VM: the others carry no traffic
    mirrored: int = 0
    mirrorable: int = 0
    unknown: int = 0
    refused: int = 0
    mirrored_keys: list[str] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _first: dict[str, Finding] = field(default_factory=dict)

    @property
    def reasons(self) -> list[Reason]:
        """The commonest first."""
        return [Reason(self._first[rule_id], count) for rule_id, count in sorted(self._counts.items(), key=lambda one: (-one[1], one[0]))]

    @property
    def share_mirrored(self) -> float | None:
        """Of the attached NICs those that are mirrored, 0 to 1; None where none is attached."""
        return self.mirrored / self.attached if self.attached else None

    def count(self, source: SourceFacts, why: Finding | None) -> None:
        """Takes one NIC in; `why` is None for a mirrorable one."""
        self.nics += 1
        self.attached += source.vm_presence is not None
        if source.configurations:
            self.mirrored += 1
            self.mirrored_keys.append(source.key)
            return
        if why is None:
            self.mirrorable += 1
            return
        if why.outcome is Outcome.UNKNOWN:
            self.unknown += 1
        else:
            self.refused += 1
        self._counts[why.rule_id] += 1
        self._first.setdefault(why.rule_id, why)


def group_named(key: str, arm_id: str, by: By) -> Coverage:
    """An empty group of a VNet or subnet, with the name that people know it by; of a tag's value, the value."""
    if by == "tag":
        return Coverage(key, key)
    if by == "subnet" and arm_id:
        vnet_id = arm_id.rstrip("/").rsplit("/", 2)[0]
        return Coverage(key, f"{name_in(vnet_id)} / {name_in(arm_id)}", arm_id, subscription_in(arm_id))
    return Coverage(key, name_in(arm_id), arm_id, subscription_in(arm_id))


@dataclass(slots=True)
class Tally:
    """One group against one TAP: here + may + unknown + refused are its NICs. `here`: mirrored to it now."""

    here: int = 0
    may: int = 0
    unknown: int = 0
    refused: int = 0
    _counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    _first: dict[tuple[str, Outcome], Finding] = field(default_factory=dict)

    @property
    def reasons(self) -> list[Reason]:
        """Why the refused and the unknown may not, one for each deciding rule, in the words of the first; the commonest first."""
        return [Reason(self._first[one], count) for one, count in sorted(self._counts.items(), key=lambda each: (-each[1], each[0]))]

    def count(self, kind: Kind, why: Finding | None, number: int) -> None:
        """Takes in `number` NICs of one class."""
        setattr(self, kind, getattr(self, kind) + number)
        if why is not None:
            self._counts[why.rule_id, why.outcome] += number
            self._first.setdefault((why.rule_id, why.outcome), why)


def kind_of(found: JudgedSelection, source: SourceFacts, tap: TapFacts) -> tuple[Kind, Finding | None]:
    """(what becomes of this NIC at this TAP, the finding that decides where it may not)."""
    if any(one.tap_key == tap.key for one in source.configurations or ()):
        return "here", None
    verdict = found.verdict(source, tap)
    allowed = verdict.allowed
    if allowed:
        return "may", None
    return ("unknown" if allowed is None else "refused"), verdict.deciding[0]


def coverage_count(page: Mapping[str, Coverage], group_of: Mapping[str, str], found: JudgedSelection) -> list[str]:
    """Takes every judged NIC into its group of `page`; the keys of those that could be mirrored now. Asks once for each class of NICs."""
    of_region: dict[str, list[TapFacts]] = defaultdict(list)
    for tap in found.taps:
        of_region[tap.region].append(tap)
    known: dict[Hashable, Finding | None] = {}
    could = []
    for source in found.sources:
        if source.configurations:
            page[group_of[source.key]].count(source, None)
            continue
        # A TAP of another region is refused anyway: it is looked at only where there is no nearer one.
        kind = found.judgement.class_of(source.key), source.region
        if kind not in known:
            known[kind] = _what_hinders(found, source, of_region.get(source.region) or found.taps)
        page[group_of[source.key]].count(source, known[kind])
        if known[kind] is None:
            could.append(source.key)
    return could


def _what_hinders(found: JudgedSelection, source: SourceFacts, taps: Sequence[TapFacts]) -> Finding | None:
    """The one finding that keeps a NIC from being mirrored to any of these TAPs; None where one of them may have it."""
    own = found.judgement.source_verdict(source.key)
    if own.allowed is False:
        return own.deciding[0]
    if not taps:
        return NO_TAP
    return _nearest(found.verdict(source, tap) for tap in taps)


def _nearest(verdicts: Iterable[Verdict]) -> Finding | None:
    best: Verdict | None = None
    for one in verdicts:
        if one.allowed:
            return None
        if best is None or _distance(one) < _distance(best):
            best = one
    return best.deciding[0] if best else None


def _distance(verdict: Verdict) -> tuple[bool, int]:
    """How far from yes: unknown before refused, then how much stands in the way."""
    return verdict.allowed is False, len(verdict.deciding)
