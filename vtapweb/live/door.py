"""Who opens a socket, and whether those whose sockets are open may still look: asked again now and then, for all of a process together.

A thousand sockets that asked one by one would cost more than all that is sent to them. A display is looked at more often than a person: where the
event that it was revoked does not come through, it must be gone within five seconds all the same.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol
from urllib.parse import parse_qs

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError

from vtapweb.access.authentication import viewers_of_scopes
from vtapweb.access.viewer import Viewer
from vtapweb.wall.door import Seat, seats_of

LOOK_AGAIN_S = 20.0
LOOKS = 10  # in that time: each looks at those whose turn has come, and at all displays
ASKED = float("inf")  # due: what is asked about him now is on its way

log = structlog.get_logger(__name__)


class Guest(Protocol):
    """Somebody with an open socket."""

    @property
    def scope(self) -> Any:
        """What ASGI tells of the connection, credentials included."""

    def seen(self, who: Viewer | Seat | None) -> None:
        """Who he is now; None: nobody any more. Must not wait."""


def display_cookie_of(asgi_scope: Mapping[str, Any]) -> str | None:
    """What the socket shows as a display's cookie ("" for nothing); None where it is a person's or a program's.

    With `?as=display` the display's cookie alone counts: a browser at a desk may hold both. Without it, it counts where there is no other credential.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in asgi_scope.get("headers", [])}
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        cookies = SimpleCookie()
    cookie = cookies[settings.DISPLAY_COOKIE_NAME].value if settings.DISPLAY_COOKIE_NAME in cookies else ""
    if "display" in parse_qs(asgi_scope.get("query_string", b"").decode("latin-1")).get("as", []):
        return cookie
    if "authorization" in headers or settings.SESSION_COOKIE_NAME in cookies or not cookie:
        return None
    return cookie


async def who_are(asgi_scopes: Sequence[Mapping[str, Any]]) -> list[Viewer | Seat | None]:
    """Who opens these sockets; one query for all displays, and what `viewers_of_scopes` costs for the others."""
    cookies = [display_cookie_of(asgi_scope) for asgi_scope in asgi_scopes]
    people = [asgi_scope for asgi_scope, cookie in zip(asgi_scopes, cookies, strict=True) if cookie is None]
    viewers = iter(await viewers_of_scopes(people) if people else ())
    shown = {cookie for cookie in cookies if cookie is not None}
    seats = await database_sync_to_async(seats_of)(shown) if shown else {}
    return [next(viewers) if cookie is None else seats[cookie] for cookie in cookies]


class Door:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._due_at: dict[Guest, float] = {}  # by the loop's clock
        self._displays: set[Guest] = set()
        self._wake = asyncio.Event()

    def enter(self, guest: Guest, *, is_display: bool = False) -> None:
        if is_display:
            self._displays.add(guest)
        self._due_at[guest] = self._next_time(guest)

    def leave(self, guest: Guest) -> None:
        self._due_at.pop(guest, None)
        self._displays.discard(guest)

    def look_at(self, guest: Guest) -> None:
        """Look at him at once: what he may see has changed. What was asked about him before counts no more."""
        if guest in self._due_at:
            self._due_at[guest] = 0.0
            self._wake.set()

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_AGAIN_S / LOOKS):
                    await self._wake.wait()
            except TimeoutError:  # nobody is called for; look all the same
                pass
            self._wake.clear()
            now = asyncio.get_running_loop().time()
            due = [guest for guest, at in self._due_at.items() if at <= now]
            if not due:
                continue
            self._due_at |= dict.fromkeys(due, ASKED)
            try:
                who = await who_are([guest.scope for guest in due])
            except DatabaseError as problem:  # cannot be asked now: ask again, nobody is signed out by an outage
                log.warning("live.viewers_unknown", problem=str(problem))
                self._due_at |= {guest: now for guest in due if guest in self._due_at}
                continue
            except Exception:  # nobody would be looked at any more: whoever was revoked would stay
                log.exception("live.look_failed")
                self._due_at |= {guest: now for guest in due if guest in self._due_at}
                continue
            for guest, one in zip(due, who, strict=True):
                if self._due_at.get(guest) == ASKED:
                    self._due_at[guest] = self._next_time(guest)
                    guest.seen(one)

    def _next_time(self, guest: Guest) -> float:
        now = asyncio.get_running_loop().time()
        if guest in self._displays:
            return now + LOOK_AGAIN_S / LOOKS * 0.9  # at the next look
        return now + LOOK_AGAIN_S * random.uniform(0.8, 1.2)  # noqa: S311 - so that not all are asked at once
