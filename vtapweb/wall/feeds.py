"""What a display's page reads of the estate: the map, what is known of its collectors, and the QR code of an alarm, by the display's cookie alone.

Rule: a display reads with its own scope; in the visitors' scene it gets the masked form, made here and kept, and never sees the other one.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final

import orjson
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from vtapweb.domain.scope import Scope
from vtapweb.events.bus import current_seq
from vtapweb.topology.api import picture_response, traffic_told
from vtapweb.topology.body import Body, body_of
from vtapweb.topology.picture import Revision, current_revision, etag_of, once, picture_of
from vtapweb.traffic.selectors.alarms import alarm_of
from vtapweb.wall import keys
from vtapweb.wall.cookies import display_cookie
from vtapweb.wall.masking import masked_topology, masked_traffic
from vtapweb.wall.models import Display, Scene
from vtapweb.wall.qr import qr_svg

TRAFFIC_KEPT_S: Final = 8
MASKED: Final = "Wall-Masked"  # yes, no: so that a page takes no names that were on their way when visitors came
NO_STORE: Final = {"Cache-Control": "no-store"}

Feed = Callable[..., HttpResponse]


def for_display(feed: Feed) -> Feed:
    """The view gets `display=`: 401 for whoever is none, 410 for one that was revoked. One query."""

    @wraps(feed)
    def answered(request: HttpRequest, **given: object) -> HttpResponse:
        found = keys.held(display_cookie(request), now=timezone.now())
        if found is None:
            return JsonResponse({"state": "unpaired"}, status=401, headers=NO_STORE)
        if found.display.revoked_at is not None:
            return JsonResponse({"state": "revoked"}, status=410, headers=NO_STORE)
        response = feed(request, display=found.display, **given)
        response.headers[MASKED] = "yes" if is_masked(found.display) else "no"
        return response

    return answered


def is_masked(display: Display) -> bool:
    return display.scene == Scene.VISITORS


@require_safe
@for_display
def topology(request: HttpRequest, *, display: Display) -> HttpResponse:
    """As `GET /api/v1/topology`, docs/topology.md; masked with names like "NIC 41" and without addresses. Two queries beside the map's own."""
    scope, seq = display.scope, current_seq()
    revision = current_revision()
    etag = etag_of(revision, scope)
    if is_masked(display):
        return picture_response(request, f'"masked-{etag[1:]}', seq, lambda: masked_body(revision, scope))
    return picture_response(request, etag, seq, lambda: picture_of(revision, scope))


def masked_body(revision: Revision, scope: Scope) -> Body:
    """The masked map of a scope, made once and kept as the other one is."""
    key = f"wall:masked:{revision.name}:{revision.built_at}:{scope.digest}"
    return once(key, lambda: body_of(masked_topology(orjson.loads(picture_of(revision, scope).plain(0)))))


@require_safe
@for_display
def traffic(request: HttpRequest, *, display: Display) -> HttpResponse:  # noqa: ARG001 (Django calls it so)
    """As `GET /api/v1/topology/traffic`; made once for all displays of a scope, for 8 seconds or until something happens."""
    scope, is_hidden = display.scope, is_masked(display)
    key = f"wall:traffic:{scope.digest}:{is_hidden}:{current_seq()}"
    told: bytes | None = cache.get(key)
    if told is None:
        told = traffic_told(scope)
        if is_hidden:
            told = orjson.dumps(masked_traffic(orjson.loads(told)))
        cache.set(key, told, TRAFFIC_KEPT_S)
    return HttpResponse(told, content_type="application/json", headers={"Cache-Control": "private, no-cache"})


@require_safe
@for_display
def qr(request: HttpRequest, *, display: Display, number: str) -> HttpResponse:
    """The address of an alarm's page as a QR code, SVG, black on white with its quiet zone; 404 where the display may not know of the alarm."""
    if is_masked(display) or alarm_of(display.scope, int(number)) is None:
        return HttpResponse(status=404, headers=NO_STORE)
    address = request.build_absolute_uri(reverse("alarm", kwargs={"number": number}))
    return HttpResponse(qr_svg(address), content_type="image/svg+xml", headers={"Cache-Control": "private, max-age=3600"})
