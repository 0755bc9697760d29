"""Pages of changes: the list, and one change with its progress. An htmx request gets the part that moves."""

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.change import ChangeState, WrongMoveError
from vtapweb.domain.window import zone_of
from vtapweb.taps.actions.apply import change_apply, change_cancel, change_continue, change_pause
from vtapweb.taps.actions.drawing import InvalidPlanError, NothingToPlanError
from vtapweb.taps.actions.hand_over import change_hand_over
from vtapweb.taps.actions.undo import NotEndedError, change_retry, change_undo
from vtapweb.taps.actions.window import change_window_set
from vtapweb.taps.change_list import list_rows, matching
from vtapweb.taps.change_page import CHANGE_STATES, TITLES, change_page, waves_lacking
from vtapweb.taps.models import Change
from vtapweb.taps.plan_form import BETWEEN, WindowForm
from vtapweb.taps.selectors.changes import PlanView, change_of, plan_view
from vtapweb.taps.selectors.changes import changes as changes_in
from vtapweb.taps.selectors.expiry import expiry_counts
from vtapweb.taps.selectors.writes import change_windows, writes_states
from vtapweb.web.problem import ProblemError
from vtapweb.web.tables import TableQuery

FILTERS = ("q", "state", "action", "by")


@require_GET
def changes(request: ViewerRequest) -> HttpResponse:
    """All changes in scope, the newest first."""
    query = TableQuery.parse(request.GET, filters=FILTERS, sorts=())
    seen = changes_in(request.viewer.scope)
    first = (query.page - 1) * query.page_size
    rows = list_rows(request.viewer.scope, query.filters, first, query.page_size)
    number = matching(request.viewer.scope, query.filters).count()
    last = first + len(rows)
    overdue, soon = expiry_counts(request.viewer.scope, now=timezone.now())
    context = {
        "overdue": overdue,
        "soon": soon,
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
    view = _view_of(request, number)
    page = change_page(request.viewer.scope, view, request.viewer)
    if _wants_part(request):
        lacking = waves_lacking(page, request.GET.get("s", ""), request.GET.getlist("h"))
        if lacking is None:
            return render(request, "taps/change_part.html", {"page": page})
        page.waves_changed = lacking
        answer = render(request, "taps/change_patch.html", {"page": page})
        answer.headers["HX-Reswap"] = "none"
        return answer
    return render(request, "taps/change.html", {"page": page, "window_form": _window_form(request, view)})


def _wants_part(request: ViewerRequest) -> bool:
    return bool(request.htmx) and not request.htmx.history_restore_request


def _view_of(request: ViewerRequest, number: int) -> PlanView:
    """Raises Http404 for a change that there is not, or that touches what the viewer may not see."""
    view = plan_view(request.viewer.scope, number)
    if view is None:
        raise Http404
    return view


# What a button's address does to the change. Apply and continue may be asked again, with the digest of what was seen; the last two plan another one.
VERBS: Mapping[str, Callable[..., Change]] = {
    "apply": change_apply,
    "pause": change_pause,
    "continue": change_continue,
    "cancel": change_cancel,
    "hand-over": change_hand_over,
    "undo": change_undo,
    "retry": change_retry,
}
ASKED_AGAIN = frozenset({"apply", "continue"})
REFUSED = (InvalidPlanError, NothingToPlanError, NotEndedError, WrongMoveError)


@require_POST
@require_role(Role.OPERATOR)
def change_act(request: ViewerRequest, number: int, verb: str) -> HttpResponse:
    """One button of a change's page. Where the world moved, the page comes back with what moved, and asks again."""
    change = change_of(request.viewer.scope, number)
    if change is None or verb not in VERBS:
        raise Http404
    more = {"accepted_digest": request.POST.get("accepted_digest", "")} if verb in ASKED_AGAIN else {}
    try:
        change = VERBS[verb](change=change, acting_user=request.viewer, request=request, **more)
    except REFUSED as error:
        messages.error(request, _words_of(error))
    except ProblemError as problem:
        if problem.status != 409:
            raise
        if problem.extra.get("differences"):
            view = _view_of(request, number)
            page = change_page(request.viewer.scope, view, request.viewer)
            page.differences, page.digest = problem.extra["differences"], str(problem.extra.get("digest", ""))
            return render(request, "taps/change.html", {"page": page, "window_form": _window_form(request, view)}, status=409)
        messages.error(request, f"{problem.title}. {problem.detail}")
    return redirect("change", change.pk)


def _words_of(error: Exception) -> str:
    """Why there is no new plan, with the first of the reasons."""
    if isinstance(error, NothingToPlanError) and error.left_out:
        one = error.left_out[0]
        return f"{error} {one.name}: {one.message}"
    return str(error)


@require_POST
@require_role(Role.OPERATOR)
def change_window(request: ViewerRequest, number: int) -> HttpResponse:
    """Gives a plan its window; what cannot be understood comes back in the open dialog."""
    view = _view_of(request, number)
    form = _window_form(request, view, request.POST)
    if form is None:
        messages.error(request, f"Change {number} is no longer a plan, so its window stays as it is.")
        return redirect("change", number)
    if form.is_valid():
        try:
            change_window_set(change=view.change, window=form.chosen_window, acting_user=request.viewer, request=request)
            return redirect("change", number)
        except ProblemError as problem:
            form.add_error("window", problem.detail)
    page = change_page(request.viewer.scope, view, request.viewer)
    return render(request, "taps/change.html", {"page": page, "window_form": form}, status=400)


def _window_form(request: ViewerRequest, view: PlanView, given: QueryDict | None = None) -> WindowForm | None:
    """The dialog's form, for who may change the plan while it is one. Three queries."""
    if view.change.state != ChangeState.PLANNED or not request.viewer.may(Role.OPERATOR):
        return None
    scope = request.viewer.scope
    is_required = any(state.requires_window for state in writes_states(scope, view.change.subscription_ids).values())
    change = view.change
    initial: dict[str, object] = {}
    if change.window_opens_at is not None and change.window_closes_at is not None:
        zone = zone_of(change.window_zone or "UTC")
        opens, closes = (one.astimezone(zone) for one in (change.window_opens_at, change.window_closes_at))
        initial = {"window": BETWEEN, "window_opens_at": opens, "window_closes_at": closes, "zone": str(zone)}
    return WindowForm(given, initial=initial, windows={one.pk: one for one in change_windows(scope)}, is_window_required=is_required)
