"""The map's page and its side panel."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from vtapweb.access.role import Role
from vtapweb.access.selectors import viewer_of
from vtapweb.inventory.partners import partners
from vtapweb.inventory.selectors import is_read_once
from vtapweb.topology.choices import choices_of, reach_of, sources_of
from vtapweb.topology.nodes import node_find
from vtapweb.topology.panel import panel_of
from vtapweb.topology.picking import destination_of, pick_of
from vtapweb.topology.way import mirror_keys_of
from vtapweb.traffic.ways import ways_of


def map_page(request: HttpRequest) -> HttpResponse:
    """The page holds no data: the picture comes from the API, so that the page itself differs by role only."""
    may_rearrange = viewer_of(request).role.includes(Role.OPERATOR)
    return render(request, "topology/map.html", {"map": {"crumb": "", "partners": partners(), "may_rearrange": may_rearrange}})


def empty(request: HttpRequest) -> HttpResponse:
    """Why a map without any subscription is empty, and what comes next; asked for by maps that are."""
    viewer = viewer_of(request)
    has_any = viewer.scope.subscription_ids != frozenset()
    why = "not_granted" if not has_any else "nothing_readable" if is_read_once(viewer.scope) else "first_read"
    return render(request, "topology/empty.html", {"why": why, "name": viewer.name})


def mirror(request: HttpRequest) -> HttpResponse:
    """The side panel while one chooses a TAP for the selected NICs; `action=move` for NICs that are mirrored already."""
    action = "move" if request.GET.get("action") == "move" else "tap"
    return render(request, "topology/choices.html", {"choices": choices_of(request.GET.get("select", ""), viewer_of(request), action)})


def sources(request: HttpRequest, key: str) -> HttpResponse:
    """The side panel while one chooses NICs for a TAP."""
    found = sources_of(key, viewer_of(request))
    if found is None:
        raise Http404
    return render(request, "topology/sources.html", {"sources": found})


def picking(request: HttpRequest) -> HttpResponse:
    """The side panel while one picks the collector of a new TAP."""
    return render(request, "topology/pick.html", {"pick": pick_of(viewer_of(request))})


def pick(request: HttpRequest, node_id: int) -> HttpResponse:
    """Back to the form of a new TAP, with this node as its collector."""
    scope = viewer_of(request).scope
    node = node_find(node_id, scope)
    destination = destination_of(node, scope) if node else ""
    if not destination:
        raise Http404
    return redirect("/taps/new?" + urlencode({"destination": destination}))


def panel(request: HttpRequest, node_id: int) -> HttpResponse:
    found = panel_of(node_id, viewer_of(request))
    if found is None:
        raise Http404
    return render(request, "topology/panel.html", {"panel": found})


def way(request: HttpRequest, node_id: int) -> HttpResponse:
    """The way of a NIC's mirrors, or of one mirror, hop by hop. Asked for by its panel once that stands."""
    scope = viewer_of(request).scope
    keys = mirror_keys_of(node_id, scope)
    if not keys:
        raise Http404
    return render(request, "traffic/way.html", {"ways": ways_of(keys, scope)})


def reach(request: HttpRequest, key: str) -> HttpResponse:
    """One sentence: whether a NIC can be mirrored. Asked for by its panel once that stands, for it costs a judgement."""
    return render(request, "topology/reach.html", {"sentence": reach_of(key, viewer_of(request))})
