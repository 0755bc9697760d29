"""Pages about reading: syncs, the feed of changes, the connection to Azure."""

from typing import Any

import structlog
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from vtapweb.access.guards import require_role
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.cloud.advice import advise, role_assignment_command
from vtapweb.cloud.connect import CloudSettingsError
from vtapweb.cloud.port import CloudError
from vtapweb.domain.search_terms import split
from vtapweb.inventory import actions, browse, selectors
from vtapweb.inventory.models import RemovalHold, ResourceKind
from vtapweb.inventory.partners import partners
from vtapweb.inventory.run_pages import advice, feed_groups, reading, run_of, run_views
from vtapweb.inventory.whoami import identity_ask, identity_known
from vtapweb.web.paging import number_of

log = structlog.get_logger(__name__)
RUNS_SHOWN = 30
FEED_PAGE = 100
NOT_UNDERSTOOD_SHOWN = 200


@require_GET
def syncs(request: ViewerRequest) -> HttpResponse:
    scope = request.viewer.scope
    runs = run_views(list(selectors.sync_runs(scope)[:RUNS_SHOWN]), scope, timezone.now())
    lists, rows = reading(scope)
    context = {
        "runs": runs,
        "lists": lists,
        "rows": rows,
        "is_running": any(not one.run.is_finished for one in runs[:5]),
        "may_start": request.viewer.may(Role.OPERATOR),
        "may_decide": request.viewer.may(Role.ADMIN),
        "role": request.viewer.role.value,
        "interval_s": settings.SYNC_INTERVAL_S,
    }
    if request.htmx:
        return render(request, "inventory/syncs_part.html", context)
    context["holds"] = list(selectors.removal_holds(scope))
    items = list(selectors.not_understood_items(scope)[: NOT_UNDERSTOOD_SHOWN + 1])
    context["not_understood"] = items[:NOT_UNDERSTOOD_SHOWN]
    context["not_understood_more"] = len(items) > NOT_UNDERSTOOD_SHOWN
    context["names"] = browse.subscription_names(scope)
    return render(request, "inventory/syncs.html", context)


@require_GET
def sync_detail(request: ViewerRequest, run_id: int) -> HttpResponse:
    scope = request.viewer.scope
    run = run_of(scope, run_id)
    if run is None:
        raise Http404
    view = run_views([run], scope, timezone.now())[0]
    context = {"view": view, "run": run, "may_cancel": request.viewer.may(Role.OPERATOR), "advice": advice(run.failure, run.code)}
    return render(request, "inventory/sync_part.html" if request.htmx else "inventory/sync.html", context)


@require_POST
@require_role(Role.OPERATOR)
def sync_start(request: ViewerRequest) -> HttpResponse:
    wanted = request.POST.getlist("subscription") or None
    try:
        run = actions.sync_start(trigger="demand", acting_user=request.viewer, subscription_ids=wanted)
    except (PermissionError, ValueError) as error:
        messages.error(request, str(error))
        return redirect("/syncs")
    return redirect(f"/syncs/{run.pk}")


@require_POST
@require_role(Role.OPERATOR)
def sync_cancel(request: ViewerRequest, run_id: int) -> HttpResponse:
    run = run_of(request.viewer.scope, run_id)
    if run is None:
        raise Http404
    try:
        actions.sync_cancel(run=run, acting_user=request.viewer)
    except PermissionError as error:
        messages.error(request, str(error))
        return redirect(f"/syncs/{run_id}")
    messages.success(request, "Asked it to stop. What was written stays.")
    return redirect(f"/syncs/{run_id}")


@require_POST
@require_role(Role.ADMIN)
def hold_decide(request: ViewerRequest, hold_id: int) -> HttpResponse:
    """`decision` is "confirm" or "dismiss"."""
    hold: RemovalHold | None = selectors.removal_holds(request.viewer.scope).filter(pk=hold_id).first()
    if hold is None:
        raise Http404
    decide = actions.removal_confirm if request.POST.get("decision") == "confirm" else actions.removal_dismiss
    try:
        decide(hold=hold, acting_user=request.viewer)
    except actions.RemovalHoldError as error:
        messages.error(request, str(error))
    return redirect("/syncs#holds")


@require_GET
def feed(request: ViewerRequest) -> HttpResponse:
    scope = request.viewer.scope
    given = {name: request.GET.get(name, "").strip() for name in ("subscription", "kind", "action", "run")}
    run_id = number_of(given["run"])
    found = selectors.resource_changes(scope, kind=given["kind"], action=given["action"], run_id=run_id, subscription_id=given["subscription"])
    is_whole = not (given["kind"] or given["action"] or given["run"])
    before = number_of(request.GET.get("before", ""))
    groups, older = feed_groups(found, scope, subscription_id=given["subscription"].lower(), before=before, size=FEED_PAGE, is_folded=is_whole)
    query = request.GET.copy()
    query.pop("before", None)
    names = browse.subscription_names(scope)
    context = {
        "groups": groups,
        "given": given,
        "kinds": ResourceKind.choices,
        "actions": ("added", "changed", "removed"),
        "subscriptions": sorted(names.items(), key=lambda one: one[1].lower()),
        "older": f"/feed?{query.urlencode()}{'&' if query else ''}before={older}" if older else "",
        "is_filtered": any(given.values()),
    }
    return render(request, "inventory/feed_part.html" if request.htmx else "inventory/feed.html", context)


def connect(request: ViewerRequest) -> HttpResponse:
    """POST compares a pasted list of expected subscriptions with those that are seen."""
    scope = request.viewer.scope
    lists, rows = reading(scope)
    identity = identity_known()
    pasted = request.POST.get("expected", "") if request.method == "POST" else ""
    context: dict[str, Any] = {
        "cloud": settings.CLOUD,
        "endpoint": settings.ARM_ENDPOINT,
        "only": settings.SUBSCRIPTIONS,
        "first_command": role_assignment_command("", identity),
        "identity": identity,
        "lists": lists,
        "rows": rows,
        "pasted": pasted,
        "is_limited": not scope.is_everything,
        "is_admin": request.viewer.may(Role.ADMIN),
        "may_start": request.viewer.may(Role.OPERATOR),
    }
    if pasted.strip():
        seen = {row.subscription_id for row in rows if row.not_listed_since is None}
        by_name = {row.name.lower(): row.subscription_id for row in rows if row.not_listed_since is None}
        lines = [line.strip() for line in pasted.splitlines() if line.strip()] if "\n" in pasted else split(pasted)
        wanted = list(dict.fromkeys(line.removeprefix("/subscriptions/") for line in lines))
        missing = [one for one in wanted if one.lower() not in seen and one.lower() not in by_name]
        context |= {
            "expected": len(wanted),
            "found": len(wanted) - len(missing),
            # What a grant lacks is told from the grants alone: nobody learns here whether such a subscription exists.
            "missing": [(one, role_assignment_command(one, identity)) for one in missing if scope.allows(one)],
            "not_granted": [one for one in missing if not scope.allows(one)],
        }
    return render(request, "inventory/connect.html", context)


@require_GET
def connect_identity(request: ViewerRequest) -> HttpResponse:
    """Who we are to Azure, as the token tells: asks for one, so it is a part of its own that the page loads afterwards."""
    context: dict[str, Any] = {}
    try:
        context["identity"] = identity_ask()
    except CloudSettingsError as error:
        context["trouble"] = str(error)
    except CloudError as error:
        log.warning("inventory.identity_unknown", failure=str(error.failure), code=error.code)
        context["trouble"] = f"{error.code or error.failure}: {error.message or 'no token could be had.'}"
        context["advice"] = advise(error)
    return render(request, "inventory/connect_identity.html", context)


@require_GET
def partner_list(request: ViewerRequest) -> HttpResponse:
    """The partner solutions that can receive mirrored traffic: for places where no collector is."""
    return render(request, "inventory/partners.html" if request.htmx else "inventory/partners_page.html", {"partners": partners()})
