"""`/collectors` and `/collectors/<key>`: what receives, how much, since when that is known, and what lacks. The numbers are those of `showing`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.health import CollectorState
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.inventory.receiving import chunks, present
from vtapweb.traffic.models import Alarm
from vtapweb.traffic.pulling.shown import asked_lines
from vtapweb.traffic.samples import SATURATION, MemberNow
from vtapweb.traffic.selectors.collectors import MemberFacts
from vtapweb.traffic.selectors.sources import Route, nic_routes
from vtapweb.traffic.showing import Shown, ShownSource, collector_shown, collectors_shown, sources_shown
from vtapweb.traffic.ways import capture_filter, ways_of
from vtapweb.traffic.words import STATES, rate_words, share_words
from vtapweb.web.tables import Cell, TableQuery
from vtapweb.web.text import plural, span

ALARMS_SHOWN: Final = 10
ROWS_A_PAGE: Final = 100
SOURCES_SHOWN: Final = 200
ROUTES_SHOWN: Final = 4
GAUGE_SHARE: Final = 1.25  # where the gauge ends: load runs past the tick at 100 %
RANGES: Final = (("15m", "15 min", 900), ("24h", "24 h", 86_400), ("30d", "30 d", 30 * 86_400))


def state_cell(one: Shown) -> Cell:
    """State as colour, glyph and words; what nobody judged yet is told by what is seen."""
    if not one.facts.is_in_scope:
        return Cell("outside what you may see", tone="stale", glyph="?")
    if (state := one.state) is None and one.is_unreadable:
        return Cell("live numbers can’t be read", tone="stale", glyph="?", title="vtapweb’s own store of live numbers does not answer.")
    if state is None:
        return Cell("no live numbers yet", glyph="–", title="Nothing has reported from it.")
    tone, glyph, words = STATES[state]
    return Cell(words, tone=tone, glyph=glyph, title=one.sentence)


def age_words(one: Shown) -> str:
    """How old the numbers are, in words."""
    if one.now is None:
        return "can’t be read now" if one.is_unreadable else "nothing has reported"
    if one.is_stale and one.heard_at is not None:
        return f"no report since {one.heard_at:%H:%M:%S} UTC"
    return "no rate yet" if one.age_s is None else f"{span(one.age_s)} old"


def source_words(one: Shown) -> str:
    """Where the numbers are from, how often, how late."""
    if one.now is None:
        return "can’t be read now" if one.is_unreadable else "nothing reports"
    interval_s = one.interval_s or 1
    words = f"{one.origin_words}, every {'second' if interval_s == 1 else span(interval_s)}"
    if one.lag_s is not None:
        words += f", {span(one.lag_s)} late"
    return words + (", an estimate" if one.is_estimate else "")


@dataclass(frozen=True, slots=True)
class Line:
    """A collector as a list shows it."""

    shown: Shown

    @property
    def key(self) -> str:
        return self.shown.facts.key

    @property
    def state(self) -> Cell:
        return state_cell(self.shown)

    @property
    def bits(self) -> str:
        return rate_words(self.shown.bits_per_s)

    @property
    def packets(self) -> str:
        return rate_words(self.shown.packets_per_s, "packets")

    @property
    def drops(self) -> str:
        return rate_words(self.shown.drops_per_s, "packets")

    @property
    def is_dropping(self) -> bool:
        return bool(self.shown.drops_per_s and self.shown.drops_per_s > 0)

    @property
    def age(self) -> str:
        return age_words(self.shown)

    @property
    def source(self) -> str:
        return source_words(self.shown)

    @property
    def share(self) -> str:
        if not self.shown.capacity.bits_per_s:
            return "capacity not known"
        return "—" if self.shown.capacity_share is None else share_words(self.shown.capacity_share)

    @property
    def capacity(self) -> str:
        return rate_words(self.shown.capacity.bits_per_s)

    @property
    def gauge_width(self) -> float | None:
        """Percent of the gauge, which ends at GAUGE_SHARE; None where nothing can be drawn."""
        share = self.shown.capacity_share
        return None if share is None else round(100 * min(1.0, share / GAUGE_SHARE), 1)

    @property
    def gauge_tone(self) -> str:
        share = self.shown.capacity_share or 0.0
        return "bad" if share > 0.95 else "warn" if share > 0.75 else "flow"

    @property
    def members(self) -> str:
        count, reporting = self.shown.facts.member_count, self.shown.reporting_count
        return f"{reporting} of {plural(count, 'member')} {'reports' if reporting == 1 else 'report'}" if count else "no member known"

    @property
    def lacks(self) -> str:
        """What the sums are short of; "" for nothing."""
        missing = self.shown.missing_count
        return f"without {plural(missing, 'member')} that {'does' if missing == 1 else 'do'} not report" if missing else ""

    @property
    def gauge_tick(self) -> float:
        return round(100 / GAUGE_SHARE, 1)


@dataclass(frozen=True, slots=True)
class MemberLine:
    """One machine behind a collector; `facts` None: it reports and the inventory does not explain it."""

    facts: MemberFacts | None
    now: MemberNow | None
    name: str

    @property
    def bits(self) -> str:
        return rate_words(self.now.inner_bits_per_s if self.now else None)

    @property
    def packets(self) -> str:
        return rate_words(self.now.packets_per_s if self.now else None, "packets")

    @property
    def drops(self) -> str:
        """Of the counters that tell of lost packets: what nobody listens for is none of them, and no counter is not 0."""
        lost = [value for name, value in self.now.drops_per_s.items() if name in SATURATION] if self.now else []
        return rate_words(sum(lost) if lost else None, "packets")

    @property
    def heard_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.now.arrived_ms / 1000, UTC) if self.now else None

    @property
    def notes(self) -> list[str]:
        """What is to be known of its numbers, in words."""
        if self.now is None:
            return []
        notes = []
        if self.now.is_gro:
            notes.append("its card merges packets (GRO): packets/s are those of the card")
        if self.now.is_skewed:
            notes.append("its clock differs from ours by more than 5 minutes")
        if self.now.version:
            notes.append(f"agent {self.now.version}")
        return notes


@dataclass(frozen=True, slots=True)
class SourceLine:
    shown: ShownSource

    @property
    def bits(self) -> str:
        return rate_words(self.shown.now.inner_bits_per_s)

    @property
    def packets(self) -> str:
        return rate_words(self.shown.now.packets_per_s, "packets")

    @property
    def what(self) -> Cell:
        """Why it is no ordinary source; empty for one that is."""
        if self.shown.now.is_ambiguous:
            return Cell("several NICs claim this address", tone="warn", glyph="?")
        if not self.shown.now.nic_key:
            return Cell("no NIC has this address", tone="warn", glyph="?")
        if not self.shown.now.tap_configuration_key:
            return Cell("no mirror explains it", tone="warn", glyph="?")
        return Cell()


def member_lines(one: Shown) -> list[MemberLine]:
    """Those of the inventory by name, then those that only report."""
    return [
        *(MemberLine(member, one.member_now(member), member.name) for member in one.facts.members),
        *(MemberLine(None, now, now.member) for now in one.unknown_members),
    ]


def tap_links(scope: Scope, keys: Sequence[str]) -> list[tuple[str, str]]:
    """(name, address of the page) of TAPs that may be seen. One query."""
    return [
        (name, f"/taps/{key}")
        for some in chunks(keys)
        for key, name in present(VirtualNetworkTap, scope).filter(key__in=some).order_by("name").values_list("key", "name")
    ]


@dataclass(frozen=True, slots=True)
class NicRoute:
    """Where one NIC's traffic goes, or went, with the chart of it."""

    route: Route
    href: str
    chart: Mapping[str, object]

    @property
    def name(self) -> str:
        return self.route.collector_name or "a collector that you may not see"

    @property
    def title(self) -> str:
        return f"What arrived of it at {self.name}"

    @property
    def words(self) -> str:
        """Whether anything of it was seen there, in a sentence."""
        if self.route.has_sources:
            return "" if self.route.last_at else "No packet of it was seen there yet."
        if self.route.is_heard:
            return "What it sends is not available here: the source of this collector's numbers does not tell senders apart."
        return "Nothing reports from that collector. Its traffic may be arriving; we can't see it."


def nic_traffic(scope: Scope, nic_key: str) -> list[NicRoute]:
    """The mirrors of a NIC that is there, each with its chart; at most ROUTES_SHOWN. Queries: those of `nic_routes`."""
    return [
        NicRoute(
            one,
            f"/collectors/{one.told_key}" if one.told_key else "",
            {
                "url": f"/api/v1/sources/{nic_key}/series",
                "key": one.told_key,
                "mirror": one.tap_configuration_key,
                "interval_s": one.interval_s or 1,
            },
        )
        for one in (nic_routes(scope, nic_key) or [])[:ROUTES_SHOWN]
    ]


def alarms_of(scope: Scope, collector_key: str) -> list[Alarm]:
    """The newest alarms about one collector, for those who may read all of its subject. One query."""
    found = Alarm.objects.filter(collector_key=collector_key).order_by("-number")[:ALARMS_SHOWN]
    return [one for one in found if scope.covers(one.subject_subscription_ids)]


@dataclass(frozen=True, slots=True)
class StateCount:
    """One state that collectors are in, of all that bear the name, with the way to these."""

    state: Cell
    count: int
    href: str
    is_chosen: bool


def _state_name(one: Shown) -> str:
    """What the address calls its state: what reads the same is one."""
    return "silent" if one.state is CollectorState.STALE else one.state_name


def _state_counts(shown: Sequence[Shown], query: TableQuery) -> list[StateCount]:
    """Those that there are, what is worst first."""
    groups: dict[str, list[Shown]] = {}
    for one in shown:
        groups.setdefault(_state_name(one), []).append(one)
    chosen = query.filters.get("state", "")
    return [
        StateCount(replace(state_cell(found[0]), title=""), len(found), query.address(state=None if name == chosen else name), name == chosen)
        for name, found in sorted(groups.items(), key=lambda each: (_WORST_FIRST.index(each[0]), each[0]))
    ]


_WORST_FIRST: Final = [
    *("silent", "dropping", "over", "empty", "near", "degraded", "unknown", "starting", "maintenance", "away", "none", "hidden", "ok"),
]  # fmt: skip


@require_GET
def collectors(request: ViewerRequest) -> HttpResponse:
    """A page of them by name, narrowed by `q` and `state`; `?part` is the table alone, which asks for itself every few seconds.

    Counts are of all of them, rows of the page are all that is drawn.
    """
    query = TableQuery.parse(request.GET, filters=("q", "state"), sorts=())
    every = collectors_shown(request.viewer.scope, at=timezone.now())
    wanted, state = query.filters.get("q", "").lower(), query.filters.get("state", "")
    named = [one for one in every if wanted in one.facts.name.lower()]
    fitting = [one for one in named if _state_name(one) == state] if state else named
    page = min(query.page, max(1, -(-len(fitting) // ROWS_A_PAGE)))
    first = (page - 1) * ROWS_A_PAGE
    shown = fitting[first : first + ROWS_A_PAGE]
    here = query.address(page=page if page > 1 else None)
    context = {
        "lines": [Line(one) for one in shown],
        "total": len(every),
        "matching": len(fitting),
        "first": first + 1,
        "last": first + len(shown),
        "previous": query.address(page=page - 1 if page > 2 else None) if page > 1 else "",
        "next": query.address(page=page + 1) if first + len(shown) < len(fitting) else "",
        "states": _state_counts(named, query),
        "every_state_href": query.address(state=None),
        "named_count": len(named),
        "q": query.filters.get("q", ""),
        "state": state,
        "part": f"{here}&part" if len(here) > 1 else "?part",
    }
    return render(request, "traffic/collectors_part.html" if "part" in request.GET else "traffic/collectors.html", context)


@require_GET
def collector(request: ViewerRequest, key: str) -> HttpResponse:
    """One of them; `?part` is what changes by itself, without the chart."""
    scope = request.viewer.scope
    one = collector_shown(scope, key, at=timezone.now())
    if one is None:
        raise Http404("No collector has this key, or it lies outside what you may see.")
    sources = sources_shown(scope, one)
    context = {
        "one": one,
        "line": Line(one),
        "members": member_lines(one),
        "hidden_members": one.facts.member_count - len(one.facts.members),
        "sources": None if sources is None else [SourceLine(source) for source in sources.items[:SOURCES_SHOWN]],
        "source_count": len(sources.items) if sources else 0,
        "hidden_sources": sources.hidden_count if sources else 0,
        "alarms": alarms_of(scope, key) if one.facts.is_in_scope else [],
        "asked": asked_lines(scope, one.facts),
        "may_set": request.viewer.may(Role.ADMIN),
        "may_token": request.viewer.may(Role.OPERATOR),
    }
    if "part" in request.GET:
        return render(request, "traffic/collector_part.html", {**context, "is_part": True})
    capacity = one.capacity.bits_per_s
    context |= {
        "taps": tap_links(scope, one.facts.tap_keys),
        "ranges": RANGES,
        "assignment": one.capacity.assignment,
        "capacity_gigabits": "" if capacity is None else f"{capacity / 1e9:g}",
        "chart": {"url": f"/api/v1/collectors/{key}/series", "key": key, "interval_s": one.interval_s or 1, "capacity_bits_per_s": capacity},
    }
    return render(request, "traffic/collector.html", context)


@require_GET
def nic_way(request: ViewerRequest, key: str) -> HttpResponse:
    """The way of a NIC's mirrors, hop by hop, and what finds their packets at the collector. Asked for by the NIC's page once that stands."""
    scope = request.viewer.scope
    nic = present(NetworkInterface, scope).filter(key=key).only("key", "private_ips").first()
    if nic is None:
        raise Http404
    keys = list(present(TapConfiguration, scope).filter(network_interface=nic).order_by("key").values_list("key", flat=True))
    return render(request, "traffic/way.html", {"ways": ways_of(keys, scope), "capture": capture_filter(nic.private_ips) if keys else ""})
