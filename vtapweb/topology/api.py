"""`/api/v1/topology`: the picture, what a node is, and the search on the map."""

from collections.abc import Callable
from typing import Annotated

from annotated_types import Ge, Len, Lt
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from ninja import Router, Schema, Status

from vtapweb.access.authentication import api_auth
from vtapweb.access.role import Role
from vtapweb.access.selectors import scope_of_request, viewer_of
from vtapweb.domain.scope import Scope
from vtapweb.events.bus import current_seq
from vtapweb.inventory.selection import selection_keep, selection_keys
from vtapweb.topology.actions import topology_rearrange
from vtapweb.topology.body import Body
from vtapweb.topology.measured import measured_picture
from vtapweb.topology.nodes import nic_keys_of_nodes, node_find, nodes_in_flight, nodes_matching, nodes_of_nics
from vtapweb.topology.picture import current_revision, etag_of, picture_of
from vtapweb.topology.series import series_listed
from vtapweb.web.problem import ProblemError

TRAFFIC_KEPT_S = 2

router = Router(tags=["topology"])


class NodeOut(Schema):
    id: int
    kind: str
    key: str
    name: str
    arm_id: str
    address: str
    subscription_id: str


class HitOut(Schema):
    id: int
    kind: str
    key: str
    name: str
    address: str
    vnet: str


class InFlightOut(Schema):
    id: int
    change: int


class MeasuredOut(Schema):
    """Rates per second; null is not known."""

    id: int
    state: str
    words: str
    rules: list[str]
    alarm: str
    capacity_bits_per_s: int | None
    drops_per_s: float | None
    origin: str
    interval_s: float | None
    lag_s: float | None
    arrived_ms: int | None
    has_sources: bool
    is_estimate: bool
    members: int
    members_missing: int


class SilentOut(Schema):
    id: int
    words: str


class TrafficOut(Schema):
    collectors: list[MeasuredOut]
    silent: list[SilentOut]


class SeriesOut(Schema):
    """`series` as in the picture: keys of TAP configurations, then of collectors. A frame of another `series_revision` is not read with it."""

    revision: str
    series_revision: int
    series: list[str]


class SelectionIn(Schema):
    ids: Annotated[list[Annotated[int, Ge(1), Lt(2**63)]], Len(max_length=100_000)]


class SelectionOut(Schema):
    select: str
    ids: list[int]
    is_gone: bool  # a long selection is kept for a week


class RearrangeIn(Schema):
    reason: str = ""


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header lets us send gzip (RFC 9110, 12.5.3): named, or by `*`, and not refused with q=0."""
    offered: dict[str, bool] = {}
    for part in accept_encoding.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        weights = [piece.removeprefix("q=") for piece in parameters if piece.startswith("q=")]
        offered[coding] = not (weights and set(weights[0]) <= {"0", "."})
    return offered.get("gzip", offered.get("*", False))


@router.get("/topology", response={200: dict}, summary="The picture: columnar tables of everything the caller may see")
def topology(request: HttpRequest) -> HttpResponse:
    """docs/topology.md describes the form. ETag covers the revision and the caller's scope."""
    scope = scope_of_request(request)
    seq = current_seq()  # before the revision: the picture then holds every event up to it
    revision = current_revision()
    return picture_response(request, etag_of(revision, scope), seq, lambda: picture_of(revision, scope))


def picture_response(request: HttpRequest, etag: str, seq: int, body: Callable[[], Body]) -> HttpResponse:
    """304 for whoever has it, else the body, compressed where it may be. `body` is asked for only where it is sent."""
    if _matches(request.headers.get("If-None-Match", ""), etag):
        response = HttpResponse(status=304)
    else:
        found = body()
        is_gzip = takes_gzip(request.headers.get("Accept-Encoding", ""))
        response = HttpResponse(found.gzipped(seq) if is_gzip else found.plain(seq), content_type="application/json")
        if is_gzip:
            response.headers["Content-Encoding"] = "gzip"
    for name, value in (("ETag", etag), ("Vtapweb-Seq", str(seq)), ("Cache-Control", "private, no-cache")):
        response.headers[name] = value
    patch_vary_headers(response, ["Accept-Encoding", "Authorization", "Cookie"])
    return response


def _matches(if_none_match: str, etag: str) -> bool:
    return etag in {one.strip().removeprefix("W/") for one in if_none_match.split(",")} or if_none_match.strip() == "*"


@router.get("/topology/find", response=list[HitOut], summary="Up to 20 nodes by name, address, prefix, MAC or ARM id")
def find(request: HttpRequest, q: str = "") -> list[dict[str, object]]:
    return nodes_matching(q[:500], scope_of_request(request))


@router.get("/topology/in-flight", response=list[InFlightOut], summary="NICs that a running change writes to now: node ids, and the change")
def in_flight(request: HttpRequest) -> list[InFlightOut]:
    return [InFlightOut(id=node_id, change=change) for node_id, change in nodes_in_flight(scope_of_request(request))]


@router.get("/topology/series", response=SeriesOut, summary="The order of the numbers in a live frame, for pages without a map")
def series(request: HttpRequest) -> SeriesOut:
    found = series_listed(current_revision(), scope_of_request(request))
    return SeriesOut(revision=found.revision, series_revision=found.series_revision, series=list(found.keys))


@router.get("/topology/traffic", response=TrafficOut, summary="What is known of the collectors' numbers besides the live frames")
def traffic(request: HttpRequest) -> HttpResponse:
    """Made once for all who look with the same scope, for two seconds or until something happens: every open map asks every ten."""
    scope = scope_of_request(request)
    key = f"topology:traffic:{scope.digest}:{current_seq()}"
    told: bytes | None = cache.get(key)
    if told is None:
        told = traffic_told(scope)
        cache.set(key, told, TRAFFIC_KEPT_S)
    return HttpResponse(told, content_type="application/json", headers={"Cache-Control": "private, no-cache"})


def traffic_told(scope: Scope) -> bytes:
    """What `GET topology/traffic` answers, made now."""
    return TrafficOut.from_orm(measured_picture(scope)).model_dump_json().encode()


@router.get("/topology/nodes/{node_id}", response=NodeOut, summary="What a node of the map is")
def node(request: HttpRequest, node_id: int) -> NodeOut:
    found = node_find(node_id, scope_of_request(request))
    if found is None:
        raise ProblemError(404, "Nothing here", "No node of this number stands on the map, or it is outside what you may see.")
    return NodeOut.from_orm(found)


@router.get("/topology/selection", response=SelectionOut, summary="What `select=` of a table or find page names, as nodes of the map")
def selection(request: HttpRequest, select: str = "") -> SelectionOut:
    keys = selection_keys(select[:20_000])
    return SelectionOut(select=select, ids=nodes_of_nics(keys or [], scope_of_request(request)), is_gone=keys is None)


@router.post("/topology/selection", response=SelectionOut, summary="Nodes of the map as the text for `select=` of a table")
def selection_made(request: HttpRequest, body: SelectionIn) -> SelectionOut:
    keys = nic_keys_of_nodes(body.ids, scope_of_request(request))
    return SelectionOut(select=selection_keep(keys) if keys else "", ids=body.ids, is_gone=False)


@router.post("/topology/rearrange", response={202: None}, auth=api_auth(Role.OPERATOR), summary="Pack the map anew, for everybody")
def rearrange(request: HttpRequest, body: RearrangeIn) -> Status[None]:
    topology_rearrange(acting_user=viewer_of(request), reason=body.reason)
    return Status(202, None)
