"""The room's part of `/api/v1/`: collectors, what they measure, and what they measured. Bits are inner bits unless a name says wire (rule R14)."""

import time
from array import array
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from vtapweb.access.selectors import viewer_of
from vtapweb.inventory.api import answer, iso
from vtapweb.traffic.alarm_api import router as alarm_router
from vtapweb.traffic.history.reading import History, read_history
from vtapweb.traffic.history.series import SOURCE_COLUMNS, TOTAL, Grid
from vtapweb.traffic.pulling.shown import asked_lines
from vtapweb.traffic.selectors.sources import nic_routes
from vtapweb.traffic.showing import Shown, ShownSource, collector_shown, collectors_shown, sources_shown
from vtapweb.traffic.times import grid_of
from vtapweb.web.paging import LIMIT_DEFAULT, cursor_of, key_of, limit_of
from vtapweb.web.problem import ProblemError

router = Router(tags=["traffic"])
router.add_router("", alarm_router)
NOT_HERE = "not available here: the source of this collector's numbers does not tell its senders apart"
NOTHING = "nothing reports from this collector"
AWAY = "live numbers can't be read now: vtapweb's own store of them does not answer"
NO_COLLECTOR = "No collector has this key, or it lies outside what you may see."


class Rates(Schema):
    """What is measured now; null is unknown, never 0."""

    bits_per_s: float | None = Field(description="Inner bits: what was mirrored, without the tunnel's headers.")
    wire_bits_per_s: float | None = Field(description="With the tunnel's headers, as it arrives.")
    packets_per_s: float | None
    drops_per_s: float | None = Field(description="What the collector itself lost.")
    measured_at: datetime | None = Field(description="The time the rates are of.")
    heard_at: datetime | None = Field(description="When the newest sample came.")
    age_s: float | None = Field(description="Seconds since measured_at.")
    is_stale: bool = Field(description="Nothing came for longer than three intervals: the rates are null.")
    is_estimate: bool = Field(description="Made of everything that its NIC receives, not only of mirrors.")
    members_missing: int = Field(description="Members that do not report: the rates are sums without them.")
    origins: list[str] = Field(description="agent, azure_monitor, prometheus, remote_write, otlp; empty: nothing reports.")
    interval_s: float | None = Field(description="How often the slowest of them tells.")
    lag_s: float | None = Field(description="How late it tells, measured; null: not known.")


class Member(Schema):
    """One machine behind the collector."""

    nic_id: str = Field(description="ARM id; empty for a machine that reports and that the inventory does not explain.")
    nic_key: str
    name: str
    vm_id: str
    vm_size: str
    power_state: str
    bits_per_s: float | None
    packets_per_s: float | None
    drops_per_s: dict[str, float] = Field(description="By counter.")
    heard_at: datetime | None
    origin: str = Field(description="Empty: nothing reports from it.")


class CollectorHealthItem(Schema):
    state: str = Field(description="ok, starting, unknown, maintenance, near, degraded, stale, over, dropping, empty or silent.")
    rules: list[str] = Field(description="Ids of the rules that say so (docs/health.md).")
    since: datetime | None
    sentence: str
    alarm: int | None = Field(description="117 of A-117, where one is open.")
    judged_at: datetime | None


class CapacityItem(Schema):
    bits_per_s: int | None = Field(description="Wire bits; null: not known, rule H8 is not evaluated.")
    share: float | None = Field(description="1 is all of it; may be more.")
    source: str = Field(description="assigned, vm_size or unknown.")
    words: str


class CollectorItem(Schema):
    """What TAPs' destination resolves to."""

    key: str = Field(description="Of the destination; names the collector in every address.")
    id: str = Field(description="ARM id of the destination; empty where none is known.")
    name: str
    kind: str = Field(description="nic, load_balancer, gone or unreadable.")
    subscription_id: str
    location: str
    address: str
    vnet_key: str
    tap_keys: list[str]
    member_count: int
    members: list[Member]
    is_in_scope: bool = Field(description="false: you may know that it is there, and not what it measures.")
    state: str = Field(
        description="How it is, as the map has it: that of `health`; stale, where nobody judged that yet; none: nothing has reported yet; away: our "
        "own store of live numbers does not answer, so nobody can tell; hidden: you may not know."
    )
    rates: Rates
    has_source_rates: bool = Field(description="Whether it counts each source; else rates of sources are not available here.")
    health: CollectorHealthItem
    capacity: CapacityItem


class CollectorPage(Schema):
    items: list[CollectorItem]
    next: str | None = Field(description="The cursor of the next page; null: this is the last one.")
    total: int


class SourceItem(Schema):
    """What one outer source address sends there."""

    address: str
    nic_id: str = Field(description="ARM id; empty: no NIC explains it.")
    nic_key: str
    name: str
    tap_configuration_key: str = Field(description="Empty: no TAP configuration explains it.")
    is_ambiguous: bool = Field(description="Several NICs claim the address; the rate is on none of them.")
    bits_per_s: float | None
    packets_per_s: float | None
    first_packet_at: datetime | None
    last_packet_at: datetime | None


class AskedItem(Schema):
    """A source that we ask for the collector's numbers, and how the last question went."""

    origin: str = Field(description="azure_monitor or prometheus.")
    what: str = Field(description="What is asked for, in words.")
    asked_at: datetime | None
    told_at: datetime | None = Field(description="When numbers came for the last time.")
    lag_s: float | None = Field(description="How late the newest one was; null: none came.")
    problem: str = Field(description="Why none came the last time; empty: they did.")


class CollectorDetail(CollectorItem):
    asked: list[AskedItem]
    sources: list[SourceItem] | None = Field(description="The busiest first; null: see sources_note.")
    sources_hidden: int = Field(description="So many more are NICs that you may not read.")
    sources_note: str


class SeriesItem(Schema):
    """Values at `from` + n × step_s, each the mean of its step; null is no data."""

    start_at: datetime
    step_s: int = Field(description="May be longer than asked: of older times less is kept.")
    count: int
    is_newest_missing: bool = Field(description="The newest minutes could not be read.")


class CollectorSeries(SeriesItem):
    key: str
    bits_per_s: list[float | None]
    wire_bits_per_s: list[float | None]
    packets_per_s: list[float | None]
    drops_per_s: list[float | None]
    is_estimate: bool
    origins: list[str]
    interval_s: float | None
    lag_s: float | None


class SourceSeriesOne(Schema):
    """What one collector measured of it."""

    collector_key: str = Field(description="Empty where you may not know the collector.")
    collector_name: str = Field(description="Empty where you may not know it.")
    tap_configuration_key: str
    is_available: bool
    note: str = Field(description="Why not, where it is not.")
    bits_per_s: list[float | None]
    packets_per_s: list[float | None]


class SourceSeries(SeriesItem):
    nic_key: str
    collectors: list[SourceSeriesOne]


class SeriesQuery(Schema):
    from_: str = Field("", alias="from", description="ISO 8601 with a zone, unix seconds, or negative: seconds ago. Default: 15 minutes before `to`.")
    to: str = Field("", description="As `from`; default: now.")
    step_s: int = Field(0, description="Seconds a point; default: what suits the time.")


def number(value: float | None) -> float | None:
    """NaN becomes null, too."""
    return None if value is None or value != value else value


def numbers(values: "array[float]") -> list[float | None]:
    return [value if value == value else None for value in values]


def rates_item(one: Shown) -> dict[str, object]:
    return {
        "bits_per_s": number(one.bits_per_s),
        "wire_bits_per_s": number(one.wire_bits_per_s),
        "packets_per_s": number(one.packets_per_s),
        "drops_per_s": number(one.drops_per_s),
        "measured_at": iso(one.measured_at),
        "heard_at": iso(one.heard_at),
        "age_s": one.age_s,
        "is_stale": one.is_stale,
        "is_estimate": one.is_estimate,
        "members_missing": one.missing_count,
        "origins": one.origins,
        "interval_s": one.interval_s,
        "lag_s": one.lag_s,
    }


def member_items(one: Shown) -> list[dict[str, object]]:
    """Known members by name, then machines that only report."""
    found = [(member, one.member_now(member)) for member in one.facts.members]
    items = [
        {
            "nic_id": member.nic_id, "nic_key": member.nic_key, "name": member.name, "vm_id": member.vm_id, "vm_size": member.vm_size,
            "power_state": member.power_state,
        }
        for member, _ in found
    ]  # fmt: skip
    nothing = {"nic_id": "", "nic_key": "", "vm_id": "", "vm_size": "", "power_state": ""}
    items += [{**nothing, "name": now.member} for now in one.unknown_members]
    nows = [now for _, now in found] + list(one.unknown_members)
    return [
        {
            **item,
            "bits_per_s": number(now.inner_bits_per_s) if now else None,
            "packets_per_s": number(now.packets_per_s) if now else None,
            "drops_per_s": now.drops_per_s if now else {},
            "heard_at": iso(datetime.fromtimestamp(now.arrived_ms / 1000, UTC)) if now else None,
            "origin": now.origin if now else "",
        }
        for item, now in zip(items, nows, strict=True)
    ]


def collector_item(one: Shown) -> dict[str, object]:
    """A collector as the API shows it."""
    facts, health = one.facts, one.health
    return {
        "key": facts.key,
        "id": facts.destination_id,
        "name": facts.name,
        "kind": facts.kind,
        "subscription_id": facts.subscription_id,
        "location": facts.region,
        "address": facts.address,
        "vnet_key": facts.vnet_key,
        "tap_keys": facts.tap_keys,
        "member_count": facts.member_count,
        "members": member_items(one),
        "is_in_scope": facts.is_in_scope,
        "state": one.state_name,
        "rates": rates_item(one),
        "has_source_rates": one.has_sources,
        "health": {
            "state": health.state, "rules": health.rule_ids, "since": iso(health.since), "sentence": one.sentence, "alarm": health.alarm,
            "judged_at": iso(health.judged_at),
        },
        "capacity": {
            "bits_per_s": one.capacity.bits_per_s, "share": number(one.capacity_share), "source": one.capacity.source, "words": one.capacity.words,
        },
    }  # fmt: skip


def source_item(one: ShownSource) -> dict[str, object]:
    now = one.now
    return {
        "address": now.address, "nic_id": one.nic_id, "nic_key": now.nic_key, "name": one.name, "tap_configuration_key": now.tap_configuration_key,
        "is_ambiguous": now.is_ambiguous, "bits_per_s": number(now.inner_bits_per_s), "packets_per_s": number(now.packets_per_s),
        "first_packet_at": iso(one.first_at), "last_packet_at": iso(one.seen_at),
    }  # fmt: skip


@router.get("/collectors", response=CollectorPage, summary="List collectors, with what they measure now")
def collectors_list(request: HttpRequest, q: str = "", limit: int = LIMIT_DEFAULT, cursor: str = "") -> HttpResponse:
    found = [one for one in collectors_shown(viewer_of(request).scope, at=timezone.now()) if q.lower() in one.facts.name.lower()]
    found.sort(key=lambda one: one.facts.key)
    last, most = key_of(cursor), limit_of(limit)
    rest = [one for one in found if one.facts.key > last]
    is_more = len(rest) > most
    items = [collector_item(one) for one in rest[:most]]
    return answer({"items": items, "next": cursor_of(str(items[-1]["key"])) if is_more else None, "total": len(found)})


def _shown(request: HttpRequest, key: str) -> Shown:
    found = collector_shown(viewer_of(request).scope, key, at=timezone.now())
    if found is None:
        raise ProblemError(404, "No such collector", NO_COLLECTOR)
    return found


@router.get("/collectors/{key}", response=CollectorDetail, summary="One collector, with what each source sends it")
def collectors_get(request: HttpRequest, key: str) -> HttpResponse:
    one = _shown(request, key)
    sources = sources_shown(viewer_of(request).scope, one)
    note = one.beyond_words if sources is not None else _why_no_sources(one)
    shown = None if sources is None else [source_item(source) for source in sources.items]
    asked = [
        {
            "origin": line.note.origin, "what": line.note.what, "asked_at": iso(line.asked_at), "told_at": iso(line.told_at),
            "lag_s": line.note.lag_s, "problem": line.note.problem,
        }
        for line in asked_lines(viewer_of(request).scope, one.facts)
    ]  # fmt: skip
    hidden = sources.hidden_count if sources else 0
    return answer({**collector_item(one), "sources": shown, "sources_hidden": hidden, "sources_note": note, "asked": asked})


def _why_no_sources(one: Shown) -> str:
    if one.is_unreadable or one.has_sources:  # the latter: the store went away between two questions
        return AWAY
    return NOT_HERE if one.now else NOTHING


def _grid(query: SeriesQuery, finest_s: float | None = None) -> tuple[Grid, float]:
    now_s = time.time()
    try:
        return grid_of(query.from_, query.to, query.step_s, now_s=now_s, finest_s=int(finest_s or 1)), now_s
    except ValueError as error:
        raise ProblemError(400, "This time cannot be answered", str(error)) from error


def _head(history: History) -> dict[str, object]:
    grid = history.grid
    return {
        "start_at": iso(datetime.fromtimestamp(grid.start_s, UTC)), "step_s": grid.step_s, "count": grid.count,
        "is_newest_missing": history.is_newest_missing,
    }  # fmt: skip


@router.get("/collectors/{key}/series", response=CollectorSeries, summary="What a collector measured over time")
def collector_series(request: HttpRequest, key: str, query: Query[SeriesQuery]) -> HttpResponse:
    one = _shown(request, key)
    if not one.facts.is_in_scope:
        raise ProblemError(404, "No such collector", NO_COLLECTOR)
    grid, now_s = _grid(query, one.interval_s)
    history = read_history([key], [TOTAL], grid, now_s=now_s)
    return answer({
        **_head(history), "key": key,
        "bits_per_s": numbers(history.column(key, TOTAL, "inner_bits")), "wire_bits_per_s": numbers(history.column(key, TOTAL, "wire_bits")),
        "packets_per_s": numbers(history.column(key, TOTAL, "packets")), "drops_per_s": numbers(history.column(key, TOTAL, "drops")),
        "is_estimate": one.is_estimate, "origins": one.origins, "interval_s": one.interval_s, "lag_s": one.lag_s,
    })  # fmt: skip


@router.get("/sources/{nic}/series", response=SourceSeries, summary="What a mirrored NIC sent over time, by the collector that measured it")
def source_series(request: HttpRequest, nic: str, query: Query[SeriesQuery]) -> HttpResponse:
    routes = nic_routes(viewer_of(request).scope, nic)
    if routes is None:
        raise ProblemError(404, "No such NIC", "No NIC has this key, or it lies outside what you may see.")
    grid, now_s = _grid(query, max((one.interval_s or 1.0 for one in routes), default=None))
    history = read_history(sorted({one.collector_key for one in routes}), [nic], grid, now_s=now_s)
    series: list[dict[str, Any]] = []
    for one in routes:
        bits, packets = (history.column(one.collector_key, nic, column) for column in SOURCE_COLUMNS)
        is_known = (one.collector_key, nic) in history.series
        is_there = one.has_sources or is_known
        series.append({
            "collector_key": one.told_key, "collector_name": one.collector_name, "tap_configuration_key": one.tap_configuration_key,
            "is_available": is_there, "note": "" if is_there else NOT_HERE if one.is_heard else "nothing reports from its collector",
            "bits_per_s": numbers(bits), "packets_per_s": numbers(packets),
        })  # fmt: skip
    return answer({**_head(history), "nic_key": nic, "collectors": series})
