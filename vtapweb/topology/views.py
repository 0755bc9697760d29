"""The map's page and its side panel."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from vtapweb.access.role import Role
from vtapweb.access.selectors import scope_of_request, viewer_of
from vtapweb.inventory.partners import partners
from vtapweb.topology.panel import panel_of


def map_page(request: HttpRequest) -> HttpResponse:
    """The page holds no data: the picture comes from the API, so that the page itself differs by role only."""
    may_rearrange = viewer_of(request).role.includes(Role.OPERATOR)
    return render(request, "topology/map.html", {"map": {"crumb": "", "partners": partners(), "may_rearrange": may_rearrange}})


def panel(request: HttpRequest, node_id: int) -> HttpResponse:
    found = panel_of(node_id, scope_of_request(request))
    if found is None:
        raise Http404
    return render(request, "topology/panel.html", {"panel": found})
