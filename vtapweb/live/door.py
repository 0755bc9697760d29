"""Whether those whose sockets are open may still look: asked again now and then, for all of a process together, in one trip to the database.

A thousand sockets that asked one by one would cost more than all that is sent to them.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from django.db import DatabaseError

from vtapweb.access.authentication import viewers_of_scopes
from vtapweb.access.viewer import Viewer

LOOK_AGAIN_S = 20.0
LOOKS = 10  # in that time: each looks at those whose turn has come

log = structlog.get_logger(__name__)


class Guest(Protocol):
    """Somebody with an open socket."""

    scope: Any  # what ASGI tells of the connection, credentials included

    def seen(self, viewer: Viewer | None) -> None:
        """Who he is now; None: nobody any more. Must not wait."""


class Door:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._due_at: dict[Guest, float] = {}  # by the loop's clock

    def enter(self, guest: Guest) -> None:
        self._due_at[guest] = _next_time()

    def leave(self, guest: Guest) -> None:
        self._due_at.pop(guest, None)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_S / LOOKS)
            now = asyncio.get_running_loop().time()
            due = [guest for guest, at in self._due_at.items() if at <= now]
            if not due:
                continue
            scopes: list[Mapping[str, Any]] = [guest.scope for guest in due]
            try:
                viewers = await viewers_of_scopes(scopes)
            except DatabaseError as problem:  # cannot be asked now: ask again, nobody is signed out by an outage
                log.warning("live.viewers_unknown", problem=str(problem))
                continue
            for guest, viewer in zip(due, viewers, strict=True):
                if guest in self._due_at:
                    self._due_at[guest] = _next_time()
                    guest.seen(viewer)


def _next_time() -> float:
    return asyncio.get_running_loop().time() + LOOK_AGAIN_S * random.uniform(0.8, 1.2)  # noqa: S311 - so that not all are asked at once
