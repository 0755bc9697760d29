"""How much of an estate is mirrored, how much could be, and what stands in the way of the rest: by VNet, subnet or the value of a tag.

Of the present NICs of a group, each is counted once: *mirrored* (it carries a TAP configuration), *mirrorable* (some TAP may have it now), *unknown*
(for no TAP yes, for some nobody can tell), or *refused*. A NIC that is not mirrored and not mirrorable is counted under one rule: what forbids it
whatever the TAP; else what decides at the TAP that is nearest to yes; `no-tap` where there is no TAP at all.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from django.db.models import Max, QuerySet

from vtapweb.domain.arm_id import name_in, subscription_in
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.facts import SourceFacts, TapFacts
from vtapweb.domain.tap_rules.judge import Verdict
from vtapweb.domain.tap_rules.rule import Finding, Outcome
from vtapweb.inventory.models import ResourceKind
from vtapweb.inventory.selectors import resources
from vtapweb.taps.selectors.verdicts import JudgedSelection, judge_selection

By = Literal["vnet", "subnet", "tag"]

NO_TAP: Final = Finding("no-tap", Outcome.BLOCK, "There is no TAP that you may see.", "Create a TAP in the region of the NIC.", "product rule")
_COLUMNS: Final = {"vnet": ("virtual_network_key", "virtual_network_id"), "subnet": ("subnet_key", "subnet_id")}


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


def coverage_page(scope: Scope, *, by: By, tag: str = "", after: str | None = None, limit: int = 100) -> tuple[list[Coverage], int]:
    """At most `limit` groups behind the one with the key `after` (None: from the first), in the order of their keys, and how many groups there are.

    Only the NICs of these groups are judged. Groups without a NIC are none. Queries: those of `world_of` and four.
    """
    if by == "tag":
        return _by_tag(scope, tag, after, limit)
    key_column, id_column = _COLUMNS[by]
    groups = resources(scope, ResourceKind.NETWORK_INTERFACE).order_by(key_column).values_list(key_column).annotate(arm_id=Max(id_column))
    total = groups.count()
    page = {key: _named(key, arm_id, by) for key, arm_id in _behind(groups, key_column, after)[:limit]}
    members = resources(scope, ResourceKind.NETWORK_INTERFACE).filter(**{f"{key_column}__in": list(page)}).values_list("key", key_column)
    group_of = dict(members)
    _count(page, group_of, judge_selection(scope, list(group_of)))
    return list(page.values()), total


def _behind(groups: QuerySet[Any, Any], key_column: str, after: str | None) -> QuerySet[Any, Any]:
    return groups if after is None else groups.filter(**{f"{key_column}__gt": after})


def _named(key: str, arm_id: str, by: By) -> Coverage:
    if by == "subnet" and arm_id:
        vnet_id = arm_id.rstrip("/").rsplit("/", 2)[0]
        return Coverage(key, f"{name_in(vnet_id)} / {name_in(arm_id)}", arm_id, subscription_in(arm_id))
    return Coverage(key, name_in(arm_id), arm_id, subscription_in(arm_id))


def _by_tag(scope: Scope, tag: str, after: str | None, limit: int) -> tuple[list[Coverage], int]:
    """By the value of a tag of the NIC, else of its VM; key and name are the value, "" for NICs without it. Names of tags in any case."""
    wanted = tag.strip().lower()
    machines = {
        key: value
        for key, tags in resources(scope, ResourceKind.VIRTUAL_MACHINE).values_list("key", "tags")
        if (value := _tag_value(tags, wanted)) is not None
    }
    values: dict[str, list[str]] = defaultdict(list)
    for key, vm_key, tags in resources(scope, ResourceKind.NETWORK_INTERFACE).values_list("key", "virtual_machine_key", "tags"):
        own = _tag_value(tags, wanted)
        values[own if own is not None else machines.get(vm_key, "")].append(key)
    shown = [one for one in sorted(values) if after is None or one > after][:limit]
    page = {value: Coverage(value, value) for value in shown}
    group_of = {key: value for value in shown for key in values[value]}
    _count(page, group_of, judge_selection(scope, list(group_of)))
    return list(page.values()), len(values)


def _tag_value(tags: dict[str, str], wanted: str) -> str | None:
    return next((str(value) for name, value in tags.items() if name.strip().lower() == wanted), None)


def _count(page: dict[str, Coverage], group_of: dict[str, str], found: JudgedSelection) -> None:
    of_region: dict[str, list[TapFacts]] = defaultdict(list)
    for tap in found.taps:
        of_region[tap.region].append(tap)
    for source in found.sources:
        # A TAP of another region is refused anyway: it is looked at only where there is no nearer one.
        taps = of_region.get(source.region) or found.taps
        page[group_of[source.key]].count(source, None if source.configurations else _what_hinders(found, source, taps))


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
