"""Pages on the way to a plan: where the chosen NICs may be mirrored to, why not where they may not, and the form of the plan."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer, ViewerRequest
from vtapweb.domain.change_input import Draft
from vtapweb.domain.tap_rules.judge import Verdict
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.models import VirtualNetworkTap
from vtapweb.inventory.selection import selection_gone, selection_keys
from vtapweb.taps.actions.drawing import InvalidPlanError, NothingToPlanError
from vtapweb.taps.actions.plan import change_plan, settle_default_s
from vtapweb.taps.chooser import PAIRS_MAX, SELECTION_MAX, Selected, chooser_page, judged, pairs_of, plan_page, selected_nics, taps_in
from vtapweb.taps.page_parts import needs_operator
from vtapweb.taps.plan_form import PlanForm
from vtapweb.taps.selectors.judging import Question, replies
from vtapweb.taps.selectors.writes import change_windows, writes_states
from vtapweb.web.problem import ProblemError
from vtapweb.web.text import plural

CHOOSING = ("tap", "move")


def _selected(viewer: Viewer, select: str) -> Selected:
    """The NICs that `select=` names. Raises ProblemError for a selection that is gone, empty or too large to judge at once."""
    keys = selection_keys(select)
    if keys is None:
        raise selection_gone()
    if not keys:
        raise ProblemError(404, "No NIC is chosen", "Choose NICs on the map, in the table, or by a pasted list on Find; then “Mirror to…”.")
    if len(keys) > SELECTION_MAX:
        words = f"{plural(len(keys), 'resource')} are chosen; at most {SELECTION_MAX:,} are judged at once. Filter further, or go on in parts."
        raise ProblemError(413, "Too many at once", words)
    selected = selected_nics(viewer.scope, keys)
    if not selected.nics:
        words = "What is chosen are no NICs that you can see here: removed since, no NICs at all, or in a subscription that you may not read."
        raise ProblemError(404, "No NIC is chosen", words)
    return selected


@require_GET
def mirror(request: ViewerRequest) -> HttpResponse:
    """The chooser: `select` names the NICs, `action` is tap or move, `tap` the TAP that is marked at first."""
    viewer = request.viewer
    select = request.GET.get("select", "")
    if not select.strip():
        return render(request, "taps/nothing_chosen.html", status=404)
    selected = _selected(viewer, select)
    action = request.GET.get("action", "tap")
    action = action if action in CHOOSING else "tap"
    judgement, selected, taps = judged(viewer.scope, action, selected, taps_in(viewer.scope))
    page = chooser_page(action=action, select=select, selected=selected, taps=taps, judgement=judgement, chosen=request.GET.get("tap", ""))
    page.why_not = needs_operator(viewer)
    page.may_create, page.create_href = viewer.may(Role.OPERATOR), "/taps/new"
    return render(request, "taps/chooser.html", {"page": page})


@require_GET
def mirror_pairs(request: ViewerRequest) -> HttpResponse:
    """The part of the chooser that holds every NIC against one TAP, rule by rule."""
    viewer = request.viewer
    selected = _selected(viewer, request.GET.get("select", ""))
    action = "move" if request.GET.get("action") == "move" else "tap"
    tap = _tap(viewer, request.GET.get("tap", ""))
    judgement, selected, taps = judged(viewer.scope, action, selected, [tap])
    pairs = pairs_of(selected.mirrored if action == "move" else selected.nics, tap, judgement) if taps else []
    return render(request, "taps/pairs.html", {"pairs": pairs[:PAIRS_MAX], "more": max(0, len(pairs) - PAIRS_MAX)})


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.OPERATOR)
def mirror_plan(request: ViewerRequest) -> HttpResponse:
    """The form of the plan; sent, it makes the plan and leads to it. What cannot be understood or is refused comes back beside what was typed."""
    viewer = request.viewer
    given = request.POST if request.method == "POST" else request.GET
    action = given.get("action", "tap")
    if action not in {*CHOOSING, "untap"}:
        raise Http404
    select = given.get("select", "")
    selected = _selected(viewer, select)
    tap = _tap(viewer, given.get("tap", "")) if action in CHOOSING else None
    initial = {"action": action, "select": select, "tap": tap.key if tap else ""}
    form = PlanForm(
        request.POST if request.method == "POST" else None,
        initial=initial,
        windows={one.pk: one for one in change_windows(viewer.scope)},
        is_window_required=_requires_window(viewer, selected, tap),
        settle_s=settle_default_s(),
    )
    if request.method == "POST" and form.is_valid():
        try:
            change = change_plan(draft=_draft(form, selected, tap), acting_user=viewer, request=request)
            return redirect("change", change.pk)
        except (InvalidPlanError, NothingToPlanError) as error:
            form.take(error)
    judgement, selected, _ = judged(viewer.scope, action, selected, [tap]) if tap else (None, selected, [])
    ending = {} if tap else _ending(viewer, selected)
    page = plan_page(action=action, select=select, selected=selected, tap=tap, judgement=judgement, ending=ending)
    return render(request, "taps/plan.html", {"page": page, "form": form}, status=400 if form.errors else 200)


def _tap(viewer: Viewer, key: str) -> VirtualNetworkTap:
    """Raises Http404 for a TAP that there is not in scope."""
    tap = VirtualNetworkTap.objects.defer("raw", "digest").filter(in_scope(viewer.scope), removed_at=None, key=key).first()
    if tap is None:
        raise Http404
    return tap


def _requires_window(viewer: Viewer, selected: Selected, tap: VirtualNetworkTap | None) -> bool:
    ids = {nic.subscription_id for nic in selected.nics} | ({tap.subscription_id} if tap else set())
    return any(state.requires_window for state in writes_states(viewer.scope, ids).values())


def _ending(viewer: Viewer, selected: Selected) -> dict[str, Verdict]:
    """Whether each mirrored NIC's mirror may be taken off, by the NIC's key: locks and permissions."""
    found, _ = replies(viewer.scope, [Question(nic.key, is_leaving=True) for nic in selected.mirrored])
    return {key: reply.verdict for key, reply in found.items()}


def _draft(form: PlanForm, selected: Selected, tap: VirtualNetworkTap | None) -> Draft:
    """What was typed and chosen, as the planner takes it. An untap asks only for NICs that are mirrored, a move as well."""
    data = form.cleaned_data
    nics = selected.nics if data["action"] == "tap" else selected.mirrored or selected.nics
    return Draft(
        action=data["action"],
        nics=tuple(nic.arm_id for nic in nics),
        tap=tap.arm_id if tap else "",
        reason=data["reason"],
        ticket=data["ticket"],
        expires_at=data["ends_at"].isoformat() if data["ends_at"] and data["action"] != "untap" else "",
        window=form.draft_window,
        first=data["pace_first"],
        wave=data["pace_wave"],
        settle_s=data["settle_s"],
        keep_apart=data["keep_apart"],
    )
