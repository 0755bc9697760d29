"""The inventory's pages: parse the address, call one selector, render. An htmx request gets the part that changes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from vtapweb.access.actions import export_record
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.scope import Scope
from vtapweb.inventory import browse, cells
from vtapweb.inventory import details as detail_pages
from vtapweb.inventory.kinds import KINDS, LABELS, MORE, SUBSCRIPTION_COLUMNS, TABS, Kind, read_kind_words
from vtapweb.inventory.search import SEARCH_MAX, find
from vtapweb.inventory.selection import selection_gone, selection_keep, selection_keys
from vtapweb.web.csv import csv_response
from vtapweb.web.tables import PAGE_SIZES, TableQuery

SUBSCRIPTION_FILTERS = ("q", "subscription", "state", "removed", "select")
SUBSCRIPTION_SORTS = {"name": "name", "state": "state"}
MIRRORED = {"yes": True, "no": False}
# What a form of chosen keys may lead to, by its button; anything else leads to the map. The taps room's pages stand there by their addresses.
SELECTION_PAGES = {"table": "/table/nics?", "mirror": "/mirror?", "untap": "/mirror/plan?action=untap&"}
KEYS_FIELD = "select"  # in the form of Find: what matched, as `selection_keep` names it


def _filter_of(query: TableQuery) -> browse.RowFilter:
    given = query.filters
    keys = None
    if "select" in given:
        kept = selection_keys(given["select"])
        if kept is None:
            raise selection_gone()
        keys = frozenset(kept)
    return browse.RowFilter(
        q=given.get("q", ""),
        subscription=given.get("subscription", ""),
        region=given.get("region", ""),
        vnet=given.get("vnet", ""),
        tag=given.get("tag", ""),
        state=given.get("state", ""),
        mirrored=MIRRORED.get(given.get("mirrored", "")),
        is_removed=given.get("removed") in ("true", "1", "yes"),
        keys=keys,
    )


def _page_of_rows(kind: Kind | None, scope: Scope, query: TableQuery) -> tuple[list[cells.TableRow], int]:
    """(the page's rows, how many match in all)."""
    wanted = _filter_of(query)
    first = (query.page - 1) * query.page_size
    if kind is None:
        found = browse.subscriptions(scope, wanted)
        some = browse.ordered(found, SUBSCRIPTION_SORTS, query.sort, is_descending=query.is_descending)
        return cells.subscription_rows(scope, browse.page_of(some, first, query.page_size)), found.count()
    rows = browse.rows(kind, scope, wanted)
    total = rows.count()
    page = browse.ordered(rows, kind.sorts, query.sort, is_descending=query.is_descending)
    return cells.table_rows(kind, scope, browse.page_of(page, first, query.page_size)), total


def _query(request: ViewerRequest, kind: Kind | None) -> TableQuery:
    filters = kind.filters if kind else SUBSCRIPTION_FILTERS
    return TableQuery.parse(request.GET, filters=filters, sorts=tuple(kind.sorts if kind else SUBSCRIPTION_SORTS))


@require_GET
def table(request: ViewerRequest, slug: str) -> HttpResponse:
    kind = KINDS.get(slug)
    if kind is None and slug != "subscriptions":
        raise Http404
    scope = request.viewer.scope
    query = _query(request, kind)
    rows, matching = _page_of_rows(kind, scope, query)
    counts = browse.kind_counts(scope)
    columns = kind.columns if kind else SUBSCRIPTION_COLUMNS
    names = {column.sort: column.name for column in columns if column.sort}
    labels = {"q": "contains", "subscription": "subscription", "region": "region", "vnet": "VNet", "tag": "tag", "state": "state",
              "mirrored": "mirrored", "removed": "removed", "select": "selection"}  # fmt: skip
    option_names = browse.subscription_names(scope)
    chips = [
        (labels[name], _chip_words(name, value, option_names), query.address(**{name: None})) for name, value in query.filters.items() if name != "q"
    ]
    first = (query.page - 1) * query.page_size
    context: dict[str, object] = {
        "slug": slug,
        "kind": kind,
        "label": LABELS[slug],
        "teach": kind.teach if kind else "A subscription that Azure shows to vtapweb's identity.",
        "columns": [(one, query.sort_address(one.sort) if one.sort else "", _direction(query, one.sort)) for one in columns],
        "sorted_by": names.get(query.sort, ""),
        "rows": rows,
        "query": query,
        "chips": chips,
        "matching": matching,
        "all_count": counts.get(slug, 0),
        "first": first + 1 if rows else 0,
        "last": first + len(rows),
        "previous": query.address(page=query.page - 1 if query.page > 2 else None) if query.page > 1 else "",
        "next": query.address(page=query.page + 1) if first + len(rows) < matching else "",
        "sizes": [(one, query.address(size=one)) for one in PAGE_SIZES],
        "troubles": browse.troubles(scope, kind.read_kind) if kind else [],
        "read_words": read_kind_words(kind.read_kind) if kind else "",
        "tabs": [(one, LABELS[one], counts[one]) for one in TABS],
        "more": [(one, LABELS[one], counts[one]) for one in MORE],
        "is_more": slug in MORE,
        "csv_href": f"/table/{slug}.csv{query.address()}",
        "map_select": query.filters.get("select", ""),
    }
    if request.htmx and not request.htmx.history_restore_request:
        return render(request, "inventory/table_part.html", context)
    context["options"] = browse.options(kind, scope) if kind else browse.Options([], [], [])
    context["clear_href"] = f"/table/{slug}"
    return render(request, "inventory/table.html", context)


def _direction(query: TableQuery, sort: str) -> str:
    if not sort or query.sort != sort:
        return ""
    return "descending" if query.is_descending else "ascending"


def _chip_words(name: str, value: str, subscriptions: dict[str, str]) -> str:
    if name == "select":
        return f"{len(selection_keys(value) or [])} chosen"
    return subscriptions.get(value, value) if name == "subscription" else value


@require_GET
def table_csv(request: ViewerRequest, slug: str) -> StreamingHttpResponse:
    """All rows of the table's filters, streamed; the export is audited before its first byte."""
    kind = KINDS.get(slug)
    if kind is None and slug != "subscriptions":
        raise Http404
    scope = request.viewer.scope
    query = _query(request, kind)
    wanted = _filter_of(query)
    is_demo = settings.CLOUD == "simulator"
    source = "DEMO (simulated Azure)" if is_demo else settings.CLOUD
    columns = kind.columns if kind else SUBSCRIPTION_COLUMNS
    export_record(request=request, what=slug, detail={"format": "csv", "filters": dict(query.filters)})

    def chunks() -> Iterator[list[list[object]]]:
        if kind is None:
            shown = cells.subscription_rows(scope, list(browse.subscriptions(scope, wanted).order_by("name")))
            yield [[*cells.csv_cells(row), row.key, source] for row in shown]
            return
        for portion in browse.chunks(browse.rows(kind, scope, wanted)):
            ids = {row.key: row.arm_id for row in portion}
            yield [[*cells.csv_cells(row), ids[row.key], source] for row in cells.table_rows(kind, scope, portion)]

    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M")
    return csv_response(
        request,
        filename=f"vtapweb-{'DEMO-' if is_demo else ''}{slug}-{stamp}.csv",
        header=[*(one.label for one in columns), "ARM id" if kind else "Key", "Source"],
        chunks=chunks(),
    )


@require_GET
def detail(request: ViewerRequest, slug: str, key: str) -> HttpResponse:
    return render(request, "inventory/detail.html", detail_context(request.viewer.scope, slug, key))


def detail_context(scope: Scope, slug: str, key: str) -> dict[str, Any]:
    """What templates/inventory/detail.html takes; other rooms extend that page. Raises Http404 for what there is not in scope."""
    kind = KINDS[slug]
    row = detail_pages.get(kind, scope, key)
    if row is None:
        raise Http404
    page = detail_pages.details(kind, scope, row)
    return {"page": page, "row": row, "tags": sorted(row.tags.items()), "select": selection_keep(page.map_keys)}


@require_GET
def subscription(request: ViewerRequest, key: str) -> HttpResponse:
    scope = request.viewer.scope
    row = detail_pages.subscription_get(scope, key)
    if row is None:
        raise Http404
    page = detail_pages.subscription_details(scope, row)
    return render(request, "inventory/detail.html", {"page": page, "row": row, "tags": sorted(row.tags.items()), "select": ""})


def find_page(request: ViewerRequest) -> HttpResponse:
    """`?q=` for one term (a single match opens at once), POST for a pasted list."""
    pasted = request.POST.get("q", "") if request.method == "POST" else request.GET.get("q", "")
    context: dict[str, object] = {"pasted": pasted, "max": SEARCH_MAX}
    if pasted.strip():
        result = find(request.viewer.scope, pasted)
        context |= {"result": result, "select": selection_keep(result.selection)}
    return render(request, "inventory/find.html", context)


@require_POST
def select(request: ViewerRequest) -> HttpResponse:
    """Turns chosen keys (the matched ones and what was chosen among the ambiguous) into the address of a selection: map, table or chooser."""
    matched = selection_keys(request.POST.get(KEYS_FIELD, ""))
    if matched is None:
        raise selection_gone()
    keys = [*matched, *(selection_keys(",".join(request.POST.getlist("key"))) or [])]
    kept = selection_keep(list(dict.fromkeys(keys)))
    where = SELECTION_PAGES.get(request.POST.get("to", ""), "/?")
    return HttpResponse(status=303, headers={"Location": f"{where}select={kept}"})
