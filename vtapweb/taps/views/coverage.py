"""The page Coverage: what could go where, what is mirrored of it, and what keeps the rest back; and the same as CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from django.conf import settings
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from vtapweb.access.actions import export_record
from vtapweb.access.viewer import Viewer, ViewerRequest
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.facts import TapFacts
from vtapweb.inventory.selection import selection_keep
from vtapweb.inventory.selectors import subscriptions
from vtapweb.taps.counting import By
from vtapweb.taps.coverage_page import (
    FILTERS,
    GROUP_WORDS,
    LOOKS,
    ROWS_A_PAGE,
    TAPS_A_PAGE,
    arrival_parts,
    goal_heads,
    is_idle,
    matrix_rows,
    open_cell,
    portions,
    sentence_of,
    totals_of,
)
from vtapweb.taps.page_parts import needs_operator
from vtapweb.taps.selectors.arriving import ArrivalCounts, Arrivals, mirrors_arriving
from vtapweb.taps.selectors.matrix import Matrix, Place, could_be_mirrored, matrix, places
from vtapweb.taps.selectors.verdicts import judge_selection
from vtapweb.web.csv import csv_response
from vtapweb.web.paging import number_of
from vtapweb.web.tables import TableQuery

CSV_PORTION = 25  # groups that are judged at once for a download
MATRIX_COLUMNS = (
    "Group", "ARM id", "TAP", "TAP's ARM id", "NICs", "May go there", "Mirrored there", "Not known", "Refused", "Deciding rules", "Source",
)  # fmt: skip
SHARE_COLUMNS = (
    "Group", "ARM id", "NICs", "Attached to a VM", "Mirrored", "Could be mirrored", "Not known", "Refused", "Mirrored of attached",
    "Flowing", "Silent", "Nothing seen yet", "Cannot be seen", "Deciding rules", "Source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for."""

    query: TableQuery
    by: By
    tag: str

    @classmethod
    def parse(cls, request: ViewerRequest) -> "Asked":
        """An unknown grouping counts as by VNet; by tag needs the tag's name."""
        query = TableQuery.parse(request.GET, filters=FILTERS, sorts=())
        by, tag = query.filters.get("by", "vnet"), query.filters.get("tag", "")
        return cls(query, cast("By", by) if by in GROUP_WORDS else "vnet", tag)

    def get(self, name: str) -> str:
        return self.query.filters.get(name, "")

    def address(self, **changes: str | int | None) -> str:
        """The page's address with something changed; another column page keeps the rows."""
        keep = {"page": self.query.page if self.query.page > 1 else None} if "tpage" in changes else {}
        return self.query.address(**keep, **changes)

    @property
    def shut_address(self) -> str:
        """This very page with nothing opened beside it."""
        return self.address(why=None, page=self.query.page if self.query.page > 1 else None)

    @property
    def without_show(self) -> str:
        return self.address(show=None)

    @property
    def without_goals(self) -> str:
        return self.address(goals=None, tpage=None)

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """(name, value, address without it) of the filters that one types."""
        return [(words, self.get(name), self.address(**{name: None})) for name, words in (("q", "name"), ("tap", "TAP")) if self.get(name)]

    def places(self, scope: Scope) -> list[Place]:
        """Every group; none as long as the tag has no name."""
        if self.by == "tag" and not self.tag:
            return []
        return places(scope, by=self.by, tag=self.tag, subscription_id=self.get("subscription"))

    def fitting(self, found: Sequence[Place], arrivals: Arrivals) -> list[Place]:
        wanted = self.get("q").casefold()
        fits = [one for one in found if wanted in one.name.casefold()] if wanted else list(found)
        if self.get("show") == "silent":
            return [one for one in fits if arrivals.counts_of(one.nic_keys, one.mirrored).silent]
        return [one for one in fits if one.is_blind] if self.get("show") == "blind" else fits

    def goals(self, taps: Sequence[TapFacts], arrivals: Arrivals) -> list[TapFacts]:
        wanted, kind = self.get("tap").casefold(), self.get("goals")
        named = [one for one in taps if wanted in one.name.casefold()]
        if kind == "silent":
            return [one for one in named if (counts := arrivals.by_tap.get(one.key)) and counts.is_silent]
        return [one for one in named if is_idle(one)] if kind == "idle" else named

    @property
    def goal_page(self) -> int:
        return max(1, number_of(self.get("tpage")) or 1)

    def goals_here(self, taps: Sequence[TapFacts], arrivals: Arrivals) -> list[TapFacts]:
        """The columns of this page."""
        return self.goals(taps, arrivals)[(self.goal_page - 1) * TAPS_A_PAGE : self.goal_page * TAPS_A_PAGE]


@require_GET
def coverage(request: ViewerRequest) -> HttpResponse:
    """Groups of NICs against TAPs; `place` and `goal` open one cell, `why=1` the reasons of all that is shown."""
    asked, viewer = Asked.parse(request), request.viewer
    every = asked.places(viewer.scope)
    if request.GET.get("place") is not None:
        opened = _opened(viewer, every, request) | {"shut_href": asked.shut_address}
        if request.htmx and not request.htmx.history_restore_request:
            return render(request, "taps/coverage_cell.html", opened)
    else:
        opened = {}
    return render(request, "taps/coverage.html", _context(asked, viewer, every) | opened)


def _opened(viewer: Viewer, every: Sequence[Place], request: ViewerRequest) -> dict[str, Any]:
    """Raises Http404 for a group or a TAP that there is not in scope."""
    key = request.GET.get("place", "").removeprefix("=")
    place = next((one for one in every if one.key == key), None)
    if place is None:
        raise Http404
    found = judge_selection(viewer.scope, place.nic_keys, [request.GET.get("goal", "")])
    if not found.taps:
        raise Http404
    return {"cell": open_cell(place, found), "why_not": needs_operator(viewer)}


def _context(asked: Asked, viewer: Viewer, every: Sequence[Place]) -> dict[str, Any]:
    arrivals = mirrors_arriving(viewer.scope)
    fitting = asked.fitting(every, arrivals)
    query = asked.query
    parts = portions(fitting, ROWS_A_PAGE)
    first = sum(map(len, parts[: query.page - 1]))
    shown = parts[query.page - 1] if query.page <= len(parts) else []
    found = matrix(viewer.scope, shown, by=asked.by, choose=lambda taps: asked.goals_here(taps, arrivals))
    totals = totals_of([row.coverage for row in found.rows])
    last = first + len(shown)
    goals = asked.goals(found.every_tap, arrivals)
    arriving = sum((arrivals.counts_of(one.nic_keys, one.mirrored) for one in fitting), ArrivalCounts())
    silent_taps = sum(counts.is_silent for one in found.every_tap if (counts := arrivals.by_tap.get(one.key)))
    goal_first = (asked.goal_page - 1) * TAPS_A_PAGE
    is_whole = len(shown) == len(fitting)
    return {
        "asked": asked,
        "filters": query.filters,
        "by": asked.by,
        "group_words": GROUP_WORDS[asked.by],
        "sentence": sentence_of(fitting, totals, by=asked.by, is_whole=is_whole, shown_count=len(shown)) if every else "",
        "totals": totals,
        "arrivals": arrival_parts(arriving),
        "silent_href": asked.address(show="silent"),
        "silent_tap_count": silent_taps,
        "silent_taps_href": asked.address(goals="silent", tpage=None),
        "is_whole": is_whole,
        "has_why": asked.get("why") == "1",
        "why_href": asked.address(why="1"),
        "shut_href": asked.shut_address,
        "rows": matrix_rows(found, query.address(page=query.page if query.page > 1 else None), arrivals),
        "heads": goal_heads(found, arrivals.by_tap),
        "is_narrow": len(found.taps) > 8,
        "legend": [(look, *words) for look, words in LOOKS.items()],
        "tap_count": len(found.every_tap),
        "goal_count": len(goals),
        "goal_first": goal_first + 1,
        "goal_last": goal_first + len(found.taps),
        "goals_before": asked.address(tpage=asked.goal_page - 1 if asked.goal_page > 2 else None) if asked.goal_page > 1 else "",
        "goals_after": asked.address(tpage=asked.goal_page + 1) if goal_first + len(found.taps) < len(goals) else "",
        "blind_count": sum(one.is_blind for one in every),
        "blind_href": asked.address(show="blind"),
        "idle_count": sum(is_idle(one) for one in found.every_tap),
        "idle_href": asked.address(goals="idle", tpage=None),
        "place_count": len(every),
        "has_chips": bool(asked.chips or arriving.total or silent_taps or asked.get("show") or asked.get("goals"))
        or any(one.is_blind for one in every)
        or any(map(is_idle, found.every_tap)),
        "matching": len(fitting),
        "first": first + 1,
        "last": last,
        "previous": query.address(page=query.page - 1 if query.page > 2 else None) if query.page > 1 else "",
        "next": query.address(page=query.page + 1) if last < len(fitting) else "",
        "subscriptions": [(one.subscription_id, str(one)) for one in subscriptions(viewer.scope)],
        "csv_query": query.address(why=None),
        "hidden": [(name, value) for name, value in query.filters.items() if name in {"by", "show", "goals"}],
    }


@require_GET
def coverage_could(request: ViewerRequest) -> HttpResponse:
    """The sentence of a map on which nothing is mirrored: how many could be, with the way to them."""
    whole, keys = could_be_mirrored(request.viewer.scope)
    return render(request, "taps/coverage_could.html", {"whole": whole, "keys": keys, "select": selection_keep(keys) if keys else ""})


@require_GET
def coverage_csv(request: ViewerRequest) -> HttpResponseBase:
    """All that fits the filters, not only one page: a row for each group and TAP, or with `what=share` for each group. On record before its start."""
    asked, scope = Asked.parse(request), request.viewer.scope
    what = "share" if request.GET.get("what") == "share" else "matrix"
    arrivals = mirrors_arriving(scope)
    shown = asked.fitting(asked.places(scope), arrivals)
    export_record(request=request, what="coverage", detail={"format": "csv", "what": what, "filters": dict(asked.query.filters)})
    is_demo = settings.CLOUD == "simulator"
    source = "DEMO (simulated Azure)" if is_demo else settings.CLOUD

    def chunks() -> Iterator[list[list[object]]]:
        for portion in portions(shown, CSV_PORTION):
            found = matrix(scope, portion, by=asked.by, choose=lambda taps: asked.goals(taps, arrivals))
            yield [[*cells, source] for cells in (_share_rows(found, arrivals) if what == "share" else _matrix_rows(found))]

    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M")
    header = SHARE_COLUMNS if what == "share" else MATRIX_COLUMNS
    filename = f"vtapweb-{'DEMO-' if is_demo else ''}coverage-{what}-{stamp}.csv"
    return csv_response(request, filename=filename, header=header, chunks=chunks())


def _matrix_rows(found: Matrix) -> Iterator[list[object]]:
    for row in found.rows:
        for tap in found.taps:
            tally = row.tallies[tap.key]
            rules = "; ".join(f"{one.finding.rule_id} ({one.finding.outcome}): {one.count}" for one in tally.reasons)
            numbers = [len(row.place.nic_keys), tally.may, tally.here, tally.unknown, tally.refused]
            yield [row.place.name, row.place.arm_id, tap.name, tap.arm_id, *numbers, rules]


def _share_rows(found: Matrix, arrivals: Arrivals) -> Iterator[list[object]]:
    for row in found.rows:
        one = row.coverage
        rules = "; ".join(f"{each.finding.rule_id} ({each.finding.outcome}): {each.count}" for each in one.reasons)
        share = None if one.share_mirrored is None else round(one.share_mirrored, 4)
        flows = arrivals.counts_of(one.mirrored_keys, one.mirrored)
        numbers = [one.nics, one.attached, one.mirrored, one.mirrorable, one.unknown, one.refused, share]
        yield [row.place.name, row.place.arm_id, *numbers, flows.flowing, flows.silent, flows.not_yet, flows.cannot_be_seen, rules]
