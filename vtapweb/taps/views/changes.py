"""Pages of changes: the list, and one change with its progress. An htmx request gets the part that moves."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.change import ChangeState
from vtapweb.taps.change_list import changes_in, list_rows, matching
from vtapweb.taps.change_page import CHANGE_STATES, TITLES, ChangePage, change_page
from vtapweb.taps.models import Change
from vtapweb.web.tables import TableQuery

FILTERS = ("q", "state", "action", "by")


@require_GET
def changes(request: ViewerRequest) -> HttpResponse:
    """All changes in scope, the newest first."""
    query = TableQuery.parse(request.GET, filters=FILTERS, sorts=())
    seen = changes_in(request.viewer.scope)
    found = matching(seen, query.filters)
    first = (query.page - 1) * query.page_size
    rows = list_rows(found, first, query.page_size)
    number = found.count()
    last = first + len(rows)
    context = {
        "rows": rows,
        "query": query,
        "here": query.address(),
        "matching": number,
        "all_count": seen.count() if query.filters else number,
        "first": first + 1,
        "last": last,
        "previous": query.address(page=query.page - 1 if query.page > 2 else None) if query.page > 1 else "",
        "next": query.address(page=query.page + 1) if last < number else "",
        "states": [(state.value, CHANGE_STATES[state][2]) for state in ChangeState],
        "kinds": list(TITLES.items()),
    }
    return render(request, "taps/changes_part.html" if _wants_part(request) else "taps/changes.html", context)


@require_GET
def change_detail(request: ViewerRequest, number: int) -> HttpResponse:
    """One change: the plan, its progress, how it ended."""
    page = _page_of(request, number)
    return render(request, "taps/change_part.html" if _wants_part(request) else "taps/change.html", {"page": page})


def _wants_part(request: ViewerRequest) -> bool:
    return bool(request.htmx) and not request.htmx.history_restore_request


def _change_of(request: ViewerRequest, number: int) -> Change:
    """Raises Http404 for one that there is not, or that touches what the viewer may not see."""
    change = Change.objects.filter(pk=number).first()
    if change is None or not request.viewer.scope.covers(change.subscription_ids):
        raise Http404
    return change


def _page_of(request: ViewerRequest, number: int) -> ChangePage:
    change = _change_of(request, number)
    return change_page(request.viewer.scope, change, list(change.steps.all()), request.viewer)
