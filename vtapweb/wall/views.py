"""What a display asks for, by its cookie alone; a session changes nothing here."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from vtapweb.wall import keys
from vtapweb.wall.actions import pairing_collect, pairing_start, pairing_waiting
from vtapweb.wall.actions.pairing import GOOD_FOR
from vtapweb.wall.cookies import (
    display_cookie,
    display_cookie_remove,
    display_cookie_set,
    pairing_cookie,
    pairing_cookie_remove,
    pairing_cookie_set,
)
from vtapweb.wall.qr import qr_svg
from vtapweb.wall.state import asset_version, state_of
from vtapweb.web.problem import ProblemError

NO_STORE = {"Cache-Control": "no-store"}


@require_safe
def wall(request: HttpRequest) -> HttpResponse:
    """The wall's page, which holds nothing of the estate; a browser that is no display's waits for its pairing here."""
    now = timezone.now()
    found = keys.held(display_cookie(request), now=now)
    if found is None:
        return _page(request, "wall/pairing.html")
    if found.display.revoked_at is not None:
        response = _page(request, "wall/said.html", status=410, what="revoked")
        display_cookie_remove(response)
        return response
    keys.used(found.key, now=now)
    response = _page(request, "wall/wall.html", version=asset_version())
    secret = keys.rotated(found, now=now)
    if secret is not None:
        display_cookie_set(response, secret)
    return response


@require_GET  # whoever looks with HEAD whether there is something must not spend it
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """`/wall/<token>`: the address becomes a cookie, once. Who has a live cookie of that display already just goes on."""
    now = timezone.now()
    found = keys.held(display_cookie(request), now=now)
    if found is not None and found.display.revoked_at is None and keys.is_of(token, found.display):
        return redirect("wall")
    display = keys.spent(token, now=now)
    if display is None:
        is_known = keys.is_known(token)
        return _page(request, "wall/said.html", status=410 if is_known else 404, what="spent" if is_known else "unknown")
    response = redirect("wall")
    response.headers["Cache-Control"] = "no-store"
    display_cookie_set(response, keys.cookie_key(display, now=now))
    return response


@require_safe
def state(request: HttpRequest) -> HttpResponse:
    """What the display is to show from now on; 401 without a live cookie, 410 once revoked."""
    now = timezone.now()
    found = keys.held(display_cookie(request), now=now)
    if found is None:
        return JsonResponse({"state": "unpaired"}, status=401, headers=NO_STORE)
    if found.display.revoked_at is not None:
        return JsonResponse({"state": "revoked"}, status=410, headers=NO_STORE)
    keys.used(found.key, now=now)
    return JsonResponse(state_of(found.display, now=now), headers=NO_STORE)


@require_safe
def pairing(request: HttpRequest) -> HttpResponse:
    """Asked every two seconds by a screen that waits: its code, a new one where the last ended; the display's cookie once somebody typed it."""
    now = timezone.now()
    found = keys.held(display_cookie(request), now=now)
    if found is not None and found.display.revoked_at is None:
        return JsonResponse({"state": "paired"}, headers=NO_STORE)
    cookie = pairing_cookie(request)
    secret = pairing_collect(cookie=cookie) if cookie else None
    if secret is not None:
        response = JsonResponse({"state": "paired"}, headers=NO_STORE)
        display_cookie_set(response, secret)
        pairing_cookie_remove(response)
        return response
    waiting = pairing_waiting(cookie=cookie) if cookie else None
    try:
        new = None if waiting is not None else pairing_start(request=request)
    except ProblemError as problem:
        return JsonResponse({"state": "full", "words": problem.detail}, status=problem.status, headers={**NO_STORE, **problem.headers})
    shown = waiting or new
    assert shown is not None  # noqa: S101 - one of the two is there
    ended_ms, now_ms = (int(at.timestamp() * 1000) for at in (shown.ended_at, now))
    response = JsonResponse({"state": "waiting", "code": shown.code, "ended_ms": ended_ms, "server_ms": now_ms}, headers=NO_STORE)
    if new is not None:
        pairing_cookie_set(response, new.cookie, good_for_s=int(2 * GOOD_FOR.total_seconds()))
    return response


@require_safe
def pairing_qr(request: HttpRequest) -> HttpResponse:
    """The way to the desk's page with the code in it, as a picture for a phone."""
    cookie = pairing_cookie(request)
    waiting = pairing_waiting(cookie=cookie) if cookie else None
    if waiting is None:
        return HttpResponse(status=404, headers=NO_STORE)
    address = request.build_absolute_uri("/displays/pair?" + urlencode({"code": waiting.code}))
    return HttpResponse(qr_svg(address), content_type="image/svg+xml", headers=NO_STORE)


def _page(request: HttpRequest, template: str, *, status: int = 200, **context: object) -> HttpResponse:
    response = render(request, template, context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response
