"""The display's and the pairing's cookie on their way to and from a browser."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from vtapweb.wall.keys import COOKIE_GOOD_FOR


def display_cookie(request: HttpRequest) -> str:
    """What this browser shows as a display's key, "" for nothing."""
    return request.COOKIES.get(settings.DISPLAY_COOKIE_NAME, "")


def display_cookie_set(response: HttpResponseBase, secret: str) -> None:
    """For the page and the socket, which lies beside /wall: so for every path. Nothing else looks at it."""
    _set(response, settings.DISPLAY_COOKIE_NAME, secret, "/", int(COOKIE_GOOD_FOR.total_seconds()))


def display_cookie_remove(response: HttpResponseBase) -> None:
    """The browser forgets the key."""
    response.delete_cookie(settings.DISPLAY_COOKIE_NAME, path="/", samesite="Lax")


def pairing_cookie(request: HttpRequest) -> str:
    """What this browser shows of the pairing that it waits for, "" for nothing."""
    return request.COOKIES.get(settings.PAIRING_COOKIE_NAME, "")


def pairing_cookie_set(response: HttpResponseBase, secret: str, *, good_for_s: int) -> None:
    """Told to /wall only."""
    _set(response, settings.PAIRING_COOKIE_NAME, secret, "/wall", good_for_s)


def pairing_cookie_remove(response: HttpResponseBase) -> None:
    """The pairing is over."""
    response.delete_cookie(settings.PAIRING_COOKIE_NAME, path="/wall", samesite="Lax")


def _set(response: HttpResponseBase, name: str, value: str, path: str, max_age_s: int) -> None:
    response.set_cookie(name, value, max_age=max_age_s, path=path, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
