"""Pages of changes: the list, and one change with its progress. An htmx request gets the part that moves."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.change import ChangeState
from vtapweb.taps.actions.apply import change_apply, change_cancel, change_continue, change_pause
from vtapweb.taps.change_list import list_rows, matching
from vtapweb.taps.change_page import CHANGE_STATES, TITLES, ChangePage, change_page
from vtapweb.taps.selectors.changes import change_of, plan_view
from vtapweb.taps.selectors.changes import changes as changes_in
from vtapweb.web.problem import ProblemError
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


def _page_of(request: ViewerRequest, number: int) -> ChangePage:
    """Raises Http404 for a change that there is not, or that touches what the viewer may not see."""
    view = plan_view(request.viewer.scope, number)
    if view is None:
        raise Http404
    return change_page(request.viewer.scope, view, request.viewer)


# What a button's address does to the change. Apply and continue may be asked again, with the digest of what was seen.
VERBS: Mapping[str, Callable[..., Any]] = {"apply": change_apply, "pause": change_pause, "continue": change_continue, "cancel": change_cancel}
ASKED_AGAIN = frozenset({"apply", "continue"})


@require_POST
@require_role(Role.OPERATOR)
def change_act(request: ViewerRequest, number: int, verb: str) -> HttpResponse:
    """One button of a change's page. Where the world moved, the page comes back with what moved, and asks again."""
    change = change_of(request.viewer.scope, number)
    if change is None or verb not in VERBS:
        raise Http404
    more = {"accepted_digest": request.POST.get("accepted_digest", "")} if verb in ASKED_AGAIN else {}
    try:
        VERBS[verb](change=change, acting_user=request.viewer, request=request, **more)
    except ProblemError as problem:
        if problem.status != 409:
            raise
        if problem.extra.get("differences"):
            page = _page_of(request, number)
            page.differences, page.digest = problem.extra["differences"], str(problem.extra.get("digest", ""))
            return render(request, "taps/change.html", {"page": page}, status=409)
        messages.error(request, f"{problem.title}. {problem.detail}")
    return redirect("change", number)
