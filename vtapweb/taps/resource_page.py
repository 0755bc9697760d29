"""What the taps room adds to the inventory's pages of NICs, TAPs and load balancers: what may be mirrored where, who answers for it, checks.

Rule 1: nothing is judged here; findings are those of the rules. Rule 2: what is not known is said to be unknown. Rule 3: the number of queries does
not grow with TAPs or sources.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules import pair
from vtapweb.domain.tap_rules.facts import DestinationFacts, SourceFacts, TapFacts, World
from vtapweb.domain.tap_rules.judge import Verdict, judge
from vtapweb.domain.tap_rules.rule import Finding
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.cells import name_of
from vtapweb.inventory.models import FrontendIpConfiguration, IpConfiguration, LoadBalancer, NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.inventory.receiving import chunks, present
from vtapweb.taps.change_page import CHANGE_STATES, TITLES
from vtapweb.taps.chooser import Reason, chooser_href, grouped, reason_of
from vtapweb.taps.endings import Ending, endings, is_overdue
from vtapweb.taps.models import Change, Mirror, TapLife
from vtapweb.taps.selectors.arriving import RANK, ArrivalCounts, MirrorArrival, mirrors_arriving
from vtapweb.taps.selectors.changes import ChangeFilter, changes
from vtapweb.taps.selectors.expiry import expiry_changes
from vtapweb.taps.selectors.facts import ProposedTap, world_of
from vtapweb.taps.selectors.preparation import preparations
from vtapweb.taps.selectors.verdicts import judge_selection
from vtapweb.taps.ticks import Tick, flowing_tick, prepared_tick
from vtapweb.web.tables import Cell

CHANGES_SHOWN = 5
FLOWS_SHOWN = 100
NAMED_TAPS = 8
PAIR_RULES = frozenset(rule.id for rule in pair.RULES)
# Rules about a destination itself: what may be said before a TAP exists.
DESTINATION_RULES = ("one-destination", "ipv4", "dest-exists", "dest-passes-4789", "dest-members-run", "dest-collector", "dest-vnet-encryption")
RECOGNISED_BY = {
    "assignment": "assigned by {matched}",
    "marketplace": "by its VM's marketplace image, {matched}",
    "image_id_regex": "by its VM's image, {matched}",
    "tag": "by the tag {matched}",
    "name_regex": "by the name {matched}",
}


# --- what both sides show ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change of ours that touched the resource."""

    number: int
    title: str
    state_cell: Cell
    reason: str
    by: str
    at: datetime


def change_lines(found: Iterable[Change]) -> list[ChangeLine]:
    """The changes as a page lists them."""
    lines = []
    for one in found:
        tone, glyph, words = CHANGE_STATES[one.state]
        lines.append(ChangeLine(one.pk, TITLES[one.action], Cell(words, tone=tone, glyph=glyph), one.reason, one.created_by_name, one.created_at))
    return lines


@dataclass(frozen=True, slots=True)
class Goals:
    """TAPs of which one rule says the same."""

    reason: Reason
    names: Sequence[str]

    @property
    def names_words(self) -> str:
        shown = ", ".join(self.names[:NAMED_TAPS])
        return shown + (f" and {len(self.names) - NAMED_TAPS:,} more" if len(self.names) > NAMED_TAPS else "")


def told_once(findings: Iterable[Finding]) -> list[Reason]:
    """As `reason_of` each, but rules that say the very same stand together: one destination that nobody can read silences many rules."""
    found: dict[tuple[str, str, str], list[Finding]] = {}
    for one in findings:
        found.setdefault((one.outcome, one.message, one.remedy), []).append(one)
    return [
        Reason(", ".join(one.rule_id for one in alike), str(first.outcome), first.message, first.remedy, first.source if len(alike) == 1 else "")
        for alike in found.values()
        for first in alike[:1]
    ]


# --- a NIC ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MirrorNow:
    """One mirror that the NIC carries. `life` is the ledger's row, None while no sync has told the ledger."""

    tap_name: str
    tap_href: str
    life: Mirror | None
    ending: Ending | None
    ticks: Sequence[Tick]


@dataclass(slots=True)
class NicAbout:
    """What a NIC's page says about mirroring it. `may` are (TAP's name, address of the chooser)."""

    sentence: str
    rest_title: str
    mirrors: Sequence[MirrorNow]
    may: Sequence[tuple[str, str]]
    rest: Sequence[Goals]
    warnings: Sequence[Reason]
    create_hrefs: Sequence[tuple[str, str]]
    changes: Sequence[ChangeLine]
    is_collector: bool


def nic_about(scope: Scope, nic: NetworkInterface) -> NicAbout | None:
    """None for a NIC that is gone. Queries: those of `world_of` and about sixteen."""
    facts = world_of(scope, source_keys=[nic.key])
    if not facts.sources:
        return None
    source = facts.sources[0]
    held = {one.tap_key for one in source.configurations or ()}
    free = source.without_configurations()
    taps = [tap for tap in facts.taps if tap.key not in held]
    judgement = judge(facts.world, [free], taps)
    verdicts = [(tap, judgement.verdict(free.key, tap.key)) for tap in taps]
    may = [tap for tap, verdict in verdicts if verdict.allowed]
    action = "move" if held else "tap"
    addresses = IpConfiguration.objects.filter(in_scope(scope), network_interface_id=nic.key, removed_at=None).order_by("-is_primary", "name")
    return NicAbout(
        sentence=_nic_sentence(len(may), len(taps), is_mirrored=bool(held)),
        rest_title=_rest_title(len(taps) - len(may), len(may)),
        mirrors=_mirrors(scope, nic, source),
        may=[(tap.name, chooser_href(action, nic.key, tap=tap.key)) for tap in may],
        rest=_goals((tap, verdict) for tap, verdict in verdicts if not verdict.allowed),
        warnings=grouped(one for _, verdict in verdicts if verdict.allowed for one in verdict.warnings),
        create_hrefs=[(f"{one.name} · {one.private_ip_address}", new_tap_href(one.arm_id)) for one in addresses if source.vm_presence is not None],
        changes=change_lines(changes(scope, ChangeFilter(nic_key=nic.key))[:CHANGES_SHOWN]),
        is_collector=nic.key in facts.world.collector_nic_keys,
    )


def _nic_sentence(may: int, number: int, *, is_mirrored: bool) -> str:
    if not number:
        return "There is no other TAP that you may see." if is_mirrored else "There is no TAP that you may see, so there is nothing to mirror it to."
    verb, other = ("moved", "other ") if is_mirrored else ("mirrored", "")
    if not may:
        return f"Can't be {verb} to any of {number:,} {other}TAPs." if number > 1 else f"Can't be {verb} to the one {other}TAP there is."
    return f"Can be {verb} to {may:,} of {number:,} {other}TAP{'' if number == 1 else 's'}."


def _rest_title(rest: int, may: int) -> str:
    return f"Why not the other {rest:,}?" if may else "Why not?"


def _goals(refused: Iterable[tuple[TapFacts, Verdict]]) -> list[Goals]:
    """By what decides first; the rule that speaks for most TAPs first."""
    first: dict[tuple[str, str], Finding] = {}
    names: dict[tuple[str, str], list[str]] = {}
    for tap, verdict in refused:
        finding = verdict.deciding[0]
        key = finding.rule_id, str(finding.outcome)
        first.setdefault(key, finding)
        names.setdefault(key, []).append(tap.name)
    ordered = sorted(names, key=lambda key: (-len(names[key]), key))
    return [Goals(reason_of(first[key], len(names[key])), names[key]) for key in ordered]


def _mirrors(scope: Scope, nic: NetworkInterface, source: SourceFacts) -> list[MirrorNow]:
    lives = {
        one.tap_configuration_key: one
        for one in Mirror.objects.filter(in_scope(scope), nic_key=nic.key, ended_at=None).select_related("began_change").order_by("pk")
    }
    rows = list(TapConfiguration.objects.filter(in_scope(scope), network_interface_id=nic.key, removed_at=None).order_by("name"))
    prepared = preparations(scope, [(source.vm_key, one.virtual_network_tap_key) for one in rows]) if source.vm_key else {}
    seen = VirtualNetworkTap.objects.filter(in_scope(scope), key__in=[one.virtual_network_tap_key for one in rows]).values_list("key", flat=True)
    readable = set(seen)
    dated = [one for one in lives.values() if one.expires_at is not None]
    by_key = expiry_changes(scope, [one.tap_configuration_key for one in dated]) if dated else {}
    ends = {one.life.tap_configuration_key: one for one in endings(dated, by_key, timezone.now())}
    arriving = {one.key: one for one in mirrors_arriving(scope, nic_key=nic.key).mirrors}
    found = []
    for one in rows:
        life = lives.get(one.key)
        found.append(
            MirrorNow(
                tap_name=name_of(one.virtual_network_tap_id),
                tap_href=f"/taps/{one.virtual_network_tap_key}" if one.virtual_network_tap_key in readable else "",
                life=life,
                ending=ends.get(one.key),
                ticks=(
                    prepared_tick(prepared.get((source.vm_key, one.virtual_network_tap_key))),
                    _configured(one),
                    _arriving(arriving.get(one.key), nic.key),
                ),
            )
        )
    return found


def _arriving(one: MirrorArrival | None, nic_key: str) -> Tick:
    return flowing_tick(one.flow if one else None, nic_key, one.silence.words if one and one.silence else "")


def _configured(one: TapConfiguration) -> Tick:
    state = one.provisioning_state.lower()
    if state == "succeeded":
        return Tick("Configured", "yes", "Azure holds it, as of the last read.")
    if state == "failed":
        return Tick("Configured", "no", "Azure says of it: Failed.")
    return Tick("Configured", "wait", f"Azure says of it: {one.provisioning_state or 'nothing'}.")


def new_tap_href(destination_id: str) -> str:
    """The form that makes a TAP for this destination."""
    return "/taps/new?" + urlencode({"destination": destination_id})


# --- a TAP ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Meter:
    """How much of a limit is used; none of the limits is verified. `used` None: not known."""

    name: str
    used: int | None
    most: int

    @property
    def width(self) -> float:
        return round(min(100.0, 100 * self.used / self.most), 1) if self.used is not None and self.most > 0 else 0.0

    @property
    def is_near(self) -> bool:
        return self.used is not None and self.used > 0.8 * self.most

    @property
    def words(self) -> str:
        used = "unknown" if self.used is None else f"{self.used:,}"
        return f"{used} of {self.most:,}"


@dataclass(slots=True)
class TapAbout:
    """What a TAP's page says: its checks (worst first), those against its sources, how full it is, who made it."""

    life: TapLife | None
    is_overdue: bool
    destination_words: str
    is_recognised: bool
    checks: Sequence[Reason]
    source_checks: Sequence[Reason]
    sources: int
    meters: Sequence[Meter]
    changes: Sequence[ChangeLine]
    coverage_href: str
    flow: "TapFlow"


@dataclass(frozen=True, slots=True)
class SourceFlow:
    """One source of a TAP, with its third tick."""

    name: str
    href: str
    tick: Tick


@dataclass(frozen=True, slots=True)
class TapFlow:
    """Whether the packets of a TAP's sources arrive: `rows` at most FLOWS_SHOWN of them, those that do not flow first."""

    counts: ArrivalCounts
    rows: Sequence[SourceFlow]

    @property
    def words(self) -> str:
        return arrival_words(self.counts)

    @property
    def is_cut(self) -> bool:
        return self.counts.total > len(self.rows)


def arrival_words(counts: ArrivalCounts) -> str:
    """ "3 of 5 flowing, 1 silent, 1 cannot be seen here"."""
    others = ((counts.silent, "silent"), (counts.not_yet, "not yet"), (counts.cannot_be_seen, "cannot be seen here"))
    return ", ".join([f"{counts.flowing:,} of {counts.total:,} flowing", *(f"{number:,} {words}" for number, words in others if number)])


def _tap_flow(scope: Scope, tap_key: str) -> TapFlow:
    mirrors = mirrors_arriving(scope, tap_key=tap_key).mirrors
    names = {
        key: name
        for keys in chunks({one.nic_key for one in mirrors})
        for key, name in present(NetworkInterface, scope).filter(key__in=keys).values_list("key", "name")
    }
    ordered = sorted(mirrors, key=lambda one: (RANK[one.state], names.get(one.nic_key, "").lower(), one.key))
    rows = [SourceFlow(names.get(one.nic_key, ""), f"/nics/{one.nic_key}", _arriving(one, one.nic_key)) for one in ordered[:FLOWS_SHOWN]]
    return TapFlow(ArrivalCounts.of(one.state for one in mirrors), rows)


def tap_about(scope: Scope, tap: VirtualNetworkTap) -> TapAbout | None:
    """None for a TAP that is gone. Its sources are judged as if they were still to be mirrored. Queries: those of `world_of` and about fifteen."""
    configured = TapConfiguration.objects.filter(in_scope(scope), virtual_network_tap_key=tap.key, removed_at=None)
    found = judge_selection(scope, sorted(configured.values_list("network_interface_id", flat=True)), [tap.key])
    if not found.taps:
        return None
    facts = found.taps[0]
    pairs = [
        one for source in found.sources for one in found.verdict(source, facts).findings if one.rule_id in PAIR_RULES and one.rule_id != "fastpath"
    ]
    life = TapLife.objects.filter(in_scope(scope), tap_key=tap.key, ended_at=None).select_related("began_change").first()
    return TapAbout(
        life=life,
        is_overdue=is_overdue(life, timezone.now()),
        destination_words=_destination_words(facts.destination),
        is_recognised=facts.destination is not None and bool(facts.destination.partner.partner_key),
        checks=told_once(one for one in found.judgement.tap_verdict(facts.key).findings if one.rule_id != "limits"),
        source_checks=_worst_first(one for one in grouped(pairs) if one.outcome != "ok" or one.rule_id == "dest-nsg"),
        sources=len(found.sources),
        meters=_meters(found.world, facts),
        changes=change_lines(changes(scope, ChangeFilter(tap_key=tap.key))[:CHANGES_SHOWN]),
        coverage_href="/coverage?" + urlencode({"tap": tap.name}),
        flow=_tap_flow(scope, tap.key),
    )


def _worst_first(reasons: Iterable[Reason]) -> list[Reason]:
    return sorted(reasons, key=lambda one: ("block", "unknown", "warn", "ok").index(one.outcome))


def _meters(world: World, tap: TapFacts) -> list[Meter]:
    subscription = world.subscriptions.get(tap.subscription_id)
    counts = subscription.tap_counts if subscription else None
    taps = None if counts is None else sum(number for region, number in counts.items() if region == tap.region)
    return [
        Meter("Mirrors to this TAP", tap.configuration_count, world.limits.configurations_per_tap),
        Meter(f"TAPs in {tap.region} of its subscription", taps, world.limits.taps_per_region),
    ]


def _destination_words(end: DestinationFacts | None) -> str:
    """What receives there, and how we know."""
    if end is None:
        return ""
    partner = end.partner
    if not partner.partner_key:
        return f"{end.name}: which product receives there is not known."
    how = RECOGNISED_BY.get(partner.by, "by {matched}").format(matched=partner.matched or "somebody")
    return f"{end.name}: {partner.name} ({how}; {partner.confidence} confidence)."


# --- a load balancer, or a NIC, that could receive ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Landing:
    """One frontend that a TAP could send to, checked as if a TAP for it were there."""

    name: str
    address: str
    create_href: str
    taps: Sequence[tuple[str, str]]
    destination_words: str
    checks: Sequence[Reason]

    @property
    def is_refused(self) -> bool:
        return any(one.outcome == "block" for one in self.checks)


@dataclass(slots=True)
class BalancerAbout:
    """The frontends of a load balancer with what stands against a TAP at each."""

    landings: Sequence[Landing]


def balancer_about(scope: Scope, balancer: LoadBalancer) -> BalancerAbout | None:
    """None for one that is gone or has no frontend. Queries: those of `world_of` and two."""
    frontends = list(FrontendIpConfiguration.objects.filter(in_scope(scope), load_balancer_id=balancer.key, removed_at=None).order_by("name"))
    if balancer.removed_at is not None or not frontends:
        return None
    groups = balancer.arm_id.split("/providers/")[0]
    wanted = [ProposedTap(f"{groups}/providers/Microsoft.Network/virtualNetworkTaps/{one.key}", one.arm_id) for one in frontends]
    facts = world_of(scope, source_keys=[], tap_keys=[], proposed=wanted)
    judgement = judge(facts.world, [], facts.taps)
    keys = [one.key for one in frontends]
    there: dict[str, list[tuple[str, str]]] = {}
    pointing = VirtualNetworkTap.objects.filter(in_scope(scope), removed_at=None, destination_frontend_key__in=keys)
    for end, key, name in pointing.order_by("name").values_list("destination_frontend_key", "key", "name"):
        there.setdefault(end, []).append((name, f"/taps/{key}"))
    return BalancerAbout(
        [
            Landing(
                name=one.name,
                address=one.private_ip_address or ("public" if one.public_ip_address_id else "address not known"),
                create_href=new_tap_href(one.arm_id),
                taps=there.get(one.key, []),
                destination_words=_destination_words(tap.destination),
                checks=told_once(each for each in judgement.tap_verdict(tap.key).findings if each.rule_id in DESTINATION_RULES),
            )
            for one, tap in zip(frontends, facts.taps, strict=True)
        ]
    )


def about_of(scope: Scope, slug: str, row: Any) -> NicAbout | TapAbout | BalancerAbout | None:
    """What is added to the page of a resource of this kind; None where nothing is to be said."""
    if row.removed_at is not None:
        return None
    match slug:
        case "nics":
            return nic_about(scope, row)
        case "taps":
            return tap_about(scope, row)
        case _:
            return balancer_about(scope, row)
