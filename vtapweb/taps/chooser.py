"""The chooser: which TAPs the selected NICs may be mirrored to, best fit first, and why not where they may not.

Rule 1: nothing is judged here, verdicts are only counted and grouped; unknown is never counted as allowed. Rule 2: nothing of a selection is
dropped in silence. Rule 3: the number of queries does not grow with NICs or TAPs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol
from urllib.parse import urlencode

from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.judge import Judgement, Verdict, judge, verdict_of
from vtapweb.domain.tap_rules.rule import PRODUCT, Finding, Outcome
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.cells import name_of, vnet_id_of
from vtapweb.inventory.models import NetworkInterface, VirtualNetworkTap
from vtapweb.inventory.selection import IN_ADDRESS_MAX, selection_keep
from vtapweb.taps.page_parts import Cannot, Patch, places, together
from vtapweb.taps.selectors.facts import world_of
from vtapweb.web.text import plural

SELECTION_MAX = 1000  # NICs that are judged at once
LISTED_MAX = 200
PAIRS_MAX = 200
REASONS_MAX = 3  # that a TAP tells at once; the others stand with each NIC
TOLD_ANYWAY = frozenset({"downtime"})  # the plan says it of every NIC, so here it would hide what is special
ALREADY_THERE = "already-there"  # a product rule of moves alone
GLYPHS: Mapping[str, str] = {"ok": "●", "warn": "▲", "unknown": "◌", "block": "⬢"}


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule's words, and of how many NICs of a selection the rule speaks; of `alike` of them in just these words (0: of all)."""

    rule_id: str
    outcome: str
    message: str
    remedy: str = ""
    source: str = ""
    count: int = 1
    alike: int = 0

    @property
    def told(self) -> str:
        """The message, and of how many it is true where the rule names something else for others."""
        return f"{self.alike:,} of them: {self.message}" if 0 < self.alike < self.count else self.message

    @property
    def glyph(self) -> str:
        return GLYPHS.get(self.outcome, "◌")

    @property
    def rule_words(self) -> str:
        return f"Rule {self.rule_id}, from {self.source}" if self.source else f"Rule {self.rule_id}"

    @property
    def count_words(self) -> str:
        return {"block": f"{self.count:,} refused", "unknown": f"{self.count:,} not known", "warn": f"{self.count:,} with a warning"}.get(
            self.outcome, f"{self.count:,}"
        )


@dataclass(frozen=True, slots=True)
class NicItem:
    """One selected NIC on the left."""

    key: str
    name: str
    place: str
    address: str
    mirrored_to: str
    drop_href: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """One TAP on the right; the widths are percent of its bar."""

    key: str
    name: str
    collector: str
    place: str
    total: int
    allowed: int
    unknown: int
    warned: int
    reasons: Sequence[Reason]
    source_words: str = ""
    more_reasons: int = 0  # rules that refuse some too and are not among `reasons`
    is_chosen: bool = False

    @property
    def may(self) -> bool:
        return self.allowed > 0

    @property
    def ok_width(self) -> float:
        return round(100 * self.allowed / self.total, 1) if self.total else 0

    @property
    def unknown_width(self) -> float:
        return round(100 * self.unknown / self.total, 1) if self.total else 0

    @property
    def fit_words(self) -> str:
        if self.allowed and self.allowed == self.total:
            return "may go there" + (f", {self.warned:,} with a warning" if self.warned else "")
        return "may go there" if self.allowed else "can't tell" if self.unknown and self.unknown == self.total else "none may"

    @property
    def words(self) -> str:
        left = self.total - self.allowed
        return f"{self.allowed:,} of {plural(self.total, 'NIC')} → {self.name}." + (f" {left:,} left out, with reasons." if left else "")


@dataclass(frozen=True, slots=True)
class Way:
    """What may be done with a selection: mirror, move, stop."""

    action: str
    label: str
    number: int
    href: str
    is_current: bool


@dataclass(slots=True)
class Selected:
    """The NICs of a selection that the viewer may see, in its order, and how many of it are none."""

    nics: list[NetworkInterface] = field(default_factory=list)
    missing: int = 0

    @property
    def mirrored(self) -> list[NetworkInterface]:
        return [nic for nic in self.nics if nic.is_mirrored]

    @property
    def free(self) -> list[NetworkInterface]:
        return [nic for nic in self.nics if not nic.is_mirrored]


class Judge(Protocol):
    """Whatever tells a verdict for a NIC's key and a TAP's."""

    def verdict(self, source_key: str, tap_key: str) -> Verdict: ...


class MovingJudge:
    """Judges NICs as they will be when their mirrors are gone; one that is mirrored to the TAP already has nowhere to move."""

    THERE = verdict_of([Finding(ALREADY_THERE, Outcome.BLOCK, "It is mirrored to this TAP already.", "", PRODUCT)])

    def __init__(self, judgement: Judgement, now: Mapping[str, frozenset[str]]) -> None:
        self._judgement, self._now = judgement, now

    def verdict(self, source_key: str, tap_key: str) -> Verdict:
        """As Judgement.verdict."""
        if tap_key in self._now.get(source_key, ()):
            return self.THERE
        return self._judgement.verdict(source_key, tap_key)


def judged(scope: Scope, action: str, selected: Selected, taps: Sequence[VirtualNetworkTap]) -> tuple[Judge, Selected, list[VirtualNetworkTap]]:
    """(the judge of the selection's NICs against the TAPs, the NICs and the TAPs that it knows). Queries as `world_of`.

    What went away since it was listed counts as missing.
    """
    facts = world_of(scope, source_keys=[nic.key for nic in selected.nics], tap_keys=[tap.key for tap in taps], adding=len(selected.nics))
    sources = facts.sources
    if action == "move":
        sources = tuple(one.without_configurations() for one in sources)
    now = {one.key: frozenset(each.tap_key for each in one.configurations or ()) for one in facts.sources}
    judgement = judge(facts.world, sources, facts.taps)
    judging = MovingJudge(judgement, now) if action == "move" else judgement
    known = {one.key for one in sources}
    nics = [nic for nic in selected.nics if nic.key in known]
    known_taps = {one.key for one in facts.taps}
    gone = len(selected.nics) - len(nics)
    return judging, Selected(nics, selected.missing + gone), [tap for tap in taps if tap.key in known_taps]


def selected_nics(scope: Scope, keys: Sequence[str]) -> Selected:
    """One query."""
    found = {nic.key: nic for nic in NetworkInterface.objects.defer("raw", "digest").filter(in_scope(scope), removed_at=None, key__in=keys)}
    nics = [found[key] for key in dict.fromkeys(keys) if key in found]
    return Selected(nics, len(set(keys)) - len(nics))


def taps_in(scope: Scope) -> list[VirtualNetworkTap]:
    """All TAPs in scope, by name. One query."""
    return list(VirtualNetworkTap.objects.defer("raw", "digest").filter(in_scope(scope), removed_at=None).order_by("name", "key"))


def nic_item(nic: NetworkInterface, drop_href: str = "") -> NicItem:
    """A NIC with the names of what it stands in."""
    place = " / ".join(name_of(one) for one in (nic.virtual_network_id, nic.subnet_id) if one)
    address = str(nic.private_ips[0]) if nic.private_ips else ""
    return NicItem(nic.key, nic.name, place, address, ", ".join(name_of(one) for one in nic.tap_ids), drop_href)


def reason_of(finding: Finding, count: int = 1) -> Reason:
    """A rule's finding as the page words it."""
    return Reason(finding.rule_id, str(finding.outcome), finding.message, finding.remedy, finding.source, count)


def warnings_of(verdict: Verdict) -> tuple[Finding, ...]:
    """What one should know of an allowed pair, but for what is said of every plan."""
    return tuple(one for one in verdict.warnings if one.rule_id not in TOLD_ANYWAY)


def grouped(findings: Iterable[Finding]) -> list[Reason]:
    """One reason a rule and outcome, with its most frequent words and how often it speaks, the most frequent first."""
    alike: dict[tuple[str, str], Counter[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.rule_id, str(finding.outcome)), Counter())[finding] += 1
    reasons = []
    for found in alike.values():
        finding, number = found.most_common(1)[0]
        reasons.append(replace(reason_of(finding, found.total()), alike=number))
    return sorted(reasons, key=lambda one: -one.count)


def goal_of(tap: VirtualNetworkTap, nics: Sequence[NetworkInterface], judgement: Judge) -> Goal:
    """How well a TAP fits the NICs: counts, and the rules that decide against some."""
    verdicts = [judgement.verdict(nic.key, tap.key) for nic in nics]
    deciding = [verdict.deciding[0] for verdict in verdicts if verdict.allowed is not True and verdict.deciding]
    allowed = [verdict for verdict in verdicts if verdict.allowed is True]
    # Parts are one object for equal contents and live as long as the judgement: each combination is looked at once.
    kinds = {tuple(map(id, verdict.parts)): verdict for verdict in allowed}
    warning = {kind for kind, verdict in kinds.items() if bool(warnings_of(verdict))}
    warned = sum(tuple(map(id, verdict.parts)) in warning for verdict in allowed)
    owner = vnet_id_of(tap.destination_id) if tap.destination_id else ""
    reasons = grouped(deciding)
    kind = "load balancer" if tap.destination_kind == "load_balancer" else "NIC"
    sources = len(tap.tap_configuration_ids)
    return Goal(
        key=tap.key,
        name=tap.name,
        collector=f"{name_of(owner)} ({kind})" if owner else "no destination",
        place=f"{tap.location} · {tap.resource_group}",
        total=len(nics),
        allowed=len(allowed),
        unknown=sum(verdict.allowed is None for verdict in verdicts),
        warned=warned,
        reasons=reasons[:REASONS_MAX],
        source_words=plural(sources, "source") + " now",
        more_reasons=max(0, len(reasons) - REASONS_MAX),
    )


def goals_of(taps: Sequence[VirtualNetworkTap], nics: Sequence[NetworkInterface], judgement: Judge) -> list[Goal]:
    """All TAPs, the best fit first: most NICs, then fewest unknown, then fewest warnings."""
    goals = [goal_of(tap, nics, judgement) for tap in taps]
    return sorted(goals, key=lambda goal: (-goal.allowed, goal.unknown if goal.allowed else -goal.unknown, goal.warned, goal.name.lower(), goal.key))


def cannot_at_all(nics: Sequence[NetworkInterface], taps: Sequence[VirtualNetworkTap], judgement: Judge) -> list[Cannot]:
    """The NICs that no TAP may take, each with the rule that decides most often."""
    found = []
    for nic in nics if taps else ():
        verdicts = [judgement.verdict(nic.key, tap.key) for tap in taps]
        if any(verdict.allowed is True for verdict in verdicts):
            continue
        reasons = grouped(finding for verdict in verdicts for finding in verdict.deciding)
        best = min(reasons, key=lambda one: (-one.count, one.rule_id), default=None)
        if best is None:
            found.append(Cannot([(nic.key, nic.name)], "No TAP may take it."))
        else:
            more = len({one.rule_id for one in reasons}) - 1
            words = best.rule_words + (f", and {plural(more, 'other rule')}" if more else "")
            found.append(Cannot([(nic.key, nic.name)], best.message, best.remedy, words))
    return found


# --- the page -----------------------------------------------------------------------------------------------------------------------------------

WAYS = {"tap": "Mirror to…", "move": "Move to…", "untap": "Stop mirroring…"}


@dataclass(slots=True)
class ChooserPage:
    """Everything of templates/taps/chooser.html."""

    action: str
    title: str
    select: str
    sentence: str
    ways: Sequence[Way]
    nics_title: str
    nics: Sequence[NicItem]
    nic_count: int
    cannot: Sequence[Cannot]
    cannot_count: int
    without_href: str
    goals: Sequence[Goal]
    go_words: str
    missing: int = 0
    why_not: str = ""
    may_create: bool = False
    create_href: str = ""

    @property
    def nics_more(self) -> int:
        return self.nic_count - len(self.nics)

    @property
    def has_goal(self) -> bool:
        return any(goal.may for goal in self.goals)

    @property
    def goals_title(self) -> str:
        return "TAPs they may go to" if self.goals else "TAPs"

    @property
    def cannot_words(self) -> str:
        return f"{plural(self.cannot_count, 'NIC')} can't be mirrored to any TAP"

    @property
    def missing_words(self) -> str:
        what = f"{plural(self.missing, 'resource')} of this selection {'is' if self.missing == 1 else 'are'} no NIC that you can see here"
        return f"{what}: removed since, no NIC at all, or in a subscription that you may not read."


def chooser_href(action: str, select: str, **more: str) -> str:
    """The chooser's address for a selection."""
    return "/mirror?" + urlencode({"select": select, "action": action, **more})


def without(keys: Sequence[str], gone: Iterable[str]) -> list[str]:
    """The keys that stay, in their order."""
    left = set(gone)
    return [key for key in keys if key not in left]


def ways_of(selected: Selected, select: str, action: str) -> list[Way]:
    """What may be done with the selection; a way that none of its NICs could go is not offered, but the one asked for is."""
    numbers = {"tap": len(selected.free), "move": len(selected.mirrored), "untap": len(selected.mirrored)}
    hrefs = {one: chooser_href(one, select) for one in ("tap", "move")}
    hrefs["untap"] = "/mirror/plan?" + urlencode({"select": select, "action": "untap"})
    return [Way(one, label, numbers[one], hrefs[one], one == action) for one, label in WAYS.items() if numbers[one] or one == action]


def chooser_page(*, action: str, select: str, selected: Selected, taps: Sequence[VirtualNetworkTap], judgement: Judge, chosen: str) -> ChooserPage:
    """The page for the action tap or move. `judgement` has judged all of the NICs against all of the TAPs; asks nothing itself."""
    nics = list(selected.mirrored if action == "move" else selected.nics)
    keys = [nic.key for nic in selected.nics]
    goals = goals_of(taps, nics, judgement)
    best = next((goal.key for goal in goals if goal.may), "")
    wanted = chosen if any(goal.key == chosen and goal.may for goal in goals) else best
    goals = [replace(goal, is_chosen=goal.key == wanted) for goal in goals]
    cannot = cannot_at_all(nics, taps, judgement)
    refused = {key for one in cannot for key, _ in one.nics}
    going = [nic for nic in nics if nic.key not in refused]
    rest = without(keys, refused)
    verb = "moved" if action == "move" else "mirrored"
    parts = [f"{len(going):,} of {plural(len(nics), 'NIC')} can be {verb} to at least one TAP." if nics else "No NIC of this selection is mirrored."]
    if not taps:
        parts = [f"{plural(len(nics), 'NIC')} chosen, and no TAP there is to mirror them to."]
    usable = sum(goal.may for goal in goals)
    if taps:
        parts.append(f"{usable:,} of {plural(len(taps), 'TAP')} may take some.")
    chosen_goal = next((goal for goal in goals if goal.is_chosen), None)
    unchosen = "Choose a TAP that takes some of them." if usable else "There is no TAP that takes any of them."

    def drop_href(nic: NetworkInterface) -> str:
        """Without this one; only where the address holds the keys themselves."""
        return chooser_href(action, ",".join(without(keys, [nic.key]))) if 1 < len(keys) <= IN_ADDRESS_MAX else ""

    return ChooserPage(
        action=action,
        title=WAYS[action].rstrip("…") + (" a TAP" if action == "tap" else " another TAP"),
        select=select,
        sentence=" ".join(parts),
        ways=ways_of(selected, select, action),
        nics_title="NICs that can be" if cannot else "NICs",
        nics=[nic_item(nic, drop_href(nic)) for nic in going[:LISTED_MAX]],
        nic_count=len(going),
        cannot=together(cannot),
        cannot_count=len(cannot),
        without_href=chooser_href(action, selection_keep(rest)) if cannot and going else "",
        goals=goals,
        go_words=chosen_goal.words if chosen_goal else unchosen,
        missing=selected.missing,
    )


# --- the form of the plan -------------------------------------------------------------------------------------------------------------------------

PRESETS = ((8, "in 8 h"), (24, "in 1 d"), (7 * 24, "in 7 d"), (30 * 24, "in 30 d"))


@dataclass(slots=True)
class PlanPage:
    """What stands around the form of templates/taps/plan.html."""

    title: str
    back_href: str
    patch: Patch
    sentence: str
    all_going: Sequence[Cannot]  # their messages are what one should know all the same
    all_left_out: Sequence[Cannot]
    presets: Sequence[tuple[int, str]] = PRESETS

    @property
    def goes(self) -> Sequence[Cannot]:
        return together(self.all_going)

    @property
    def goes_count(self) -> int:
        return len(self.all_going)

    @property
    def left_out(self) -> Sequence[Cannot]:
        return together(self.all_left_out)

    @property
    def left_out_count(self) -> int:
        return sum(len(one.nics) for one in self.all_left_out)


def _left_out(nic: NetworkInterface, verdict: Verdict) -> Cannot:
    reason = reason_of(verdict.deciding[0])
    return Cannot([(nic.key, nic.name)], reason.message, reason.remedy, reason.rule_words)


def plan_page(
    *,
    action: str,
    select: str,
    selected: Selected,
    tap: VirtualNetworkTap | None,
    judgement: Judge | None,
    ending: Mapping[str, Verdict] = MappingProxyType({}),
) -> PlanPage:
    """Who would go along and who would not, as it looks now; the plan itself judges again. Asks nothing.

    `judgement` is for a tap or move; `ending` tells for an untap whether each NIC's mirror may be taken off, by its key.
    """
    if action == "untap" or tap is None or judgement is None:
        refused = [(nic, ending[nic.key]) for nic in selected.mirrored if nic.key in ending and ending[nic.key].allowed is not True]
        refused_keys = {nic.key for nic, _ in refused}
        goes = [nic for nic in selected.mirrored if nic.key not in refused_keys]
        going = [Cannot([(nic.key, nic.name)], f"mirrored to {', '.join(name_of(one) for one in nic.tap_ids)}") for nic in goes]
        left = [_left_out(nic, verdict) for nic, verdict in refused]
        left += [Cannot([(nic.key, nic.name)], "Not mirrored, so there is nothing to stop.") for nic in selected.free]
        goals = sorted({name_of(one) for nic in goes or selected.mirrored for one in nic.tap_ids})
        goal, goal_place = (goals[0], "TAP") if len(goals) == 1 else (plural(len(goals), "TAP"), ", ".join(goals[:3]))
        back = chooser_href("tap", select)
        sentence = f"Stop mirroring {len(going):,} of {plural(len(selected.nics), 'NIC')}."
    else:
        wanted = selected.mirrored if action == "move" else selected.nics
        verdicts = [(nic, judgement.verdict(nic.key, tap.key)) for nic in wanted]
        goes = [nic for nic, verdict in verdicts if verdict.allowed]
        going = [Cannot([(nic.key, nic.name)], " ".join(one.message for one in warnings_of(verdict))) for nic, verdict in verdicts if verdict.allowed]
        left = [_left_out(nic, verdict) for nic, verdict in verdicts if not verdict.allowed]
        if action == "move":
            left += [Cannot([(nic.key, nic.name)], "Not mirrored, so there is nothing to move.") for nic in selected.free]
        owner = vnet_id_of(tap.destination_id) if tap.destination_id else ""
        goal, goal_place = tap.name, f"collector {name_of(owner)}" if owner else "no destination"
        back = chooser_href(action, select, tap=tap.key)
        verb = "Move " if action == "move" else ""
        sentence = f"{verb}{len(going):,} of {plural(len(selected.nics), 'NIC')} → {tap.name}."
    if left:
        sentence += f" Left out: {left[0].nics[0][1]}. {left[0].message}" if len(left) == 1 else f" Left out: {len(left):,}, each with its reason."
    vnets = sorted({name_of(nic.virtual_network_id) for nic in goes if nic.virtual_network_id}, key=str.lower)
    source = goes[0].name if len(goes) == 1 else plural(len(going), "NIC")
    title = {"tap": "Plan: mirror", "move": "Plan: move", "untap": "Plan: stop mirroring"}[action]
    return PlanPage(
        title,
        back,
        Patch(source, places(vnets) if goes else "none of them may", goal, goal_place, "on" if action == "untap" else "plan"),
        sentence,
        going,
        left,
    )


# --- every pair with one TAP ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """One NIC against one TAP, with every rule's words, the worst first."""

    name: str
    outcome: str
    words: str
    told: Sequence[Reason]  # what decides, or else what one should know
    findings: Sequence[Reason]

    @property
    def glyph(self) -> str:
        return GLYPHS[self.outcome]


def pairs_of(nics: Sequence[NetworkInterface], tap: VirtualNetworkTap, judgement: Judge) -> list[Pair]:
    """Every NIC against `tap`: refused ones first, then what is not known, then warnings. Asks nothing."""
    ranks = {"block": 0, "unknown": 1, "warn": 2, "ok": 3}
    pairs = []
    for nic in nics:
        verdict = judgement.verdict(nic.key, tap.key)
        warnings = warnings_of(verdict)
        outcome, words = (
            ("block", "no") if verdict.allowed is False
            else ("unknown", "can't tell") if verdict.allowed is None
            else ("warn", "yes, with a warning") if warnings
            else ("ok", "yes")
        )  # fmt: skip
        pairs.append(
            Pair(nic.name, outcome, words, [reason_of(one) for one in verdict.deciding or warnings], [reason_of(one) for one in verdict.findings])
        )
    return sorted(pairs, key=lambda pair: (ranks[pair.outcome], pair.name.lower()))
