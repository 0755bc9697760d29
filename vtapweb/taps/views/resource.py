"""The pages of NICs, TAPs and load balancers: the inventory's, with what the taps room knows and may do."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from vtapweb.access.viewer import ViewerRequest
from vtapweb.inventory.views import detail_context
from vtapweb.taps.page_parts import needs_operator
from vtapweb.taps.resource_page import about_of
from vtapweb.traffic.pages import RANGES, nic_traffic

TEMPLATES = {"nics": "taps/detail_nic.html", "taps": "taps/detail_tap.html", "load-balancers": "taps/detail_balancer.html"}


@require_GET
def resource(request: ViewerRequest, slug: str, key: str) -> HttpResponse:
    """One of the kinds of TEMPLATES; a removed one shows the inventory's part alone."""
    viewer = request.viewer
    context = detail_context(viewer.scope, slug, key)
    row = context["row"]
    shown = {
        "about": about_of(viewer.scope, slug, row),
        "why_not": needs_operator(viewer),
        "traffic": nic_traffic(viewer.scope, key) if slug == "nics" and row.removed_at is None else [],
        "ranges": RANGES,
    }
    return render(request, TEMPLATES[slug], {**context, **shown})
