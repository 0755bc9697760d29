"""What waits for one client: numbered events in order, and beside them the newest of each latest-wins message. Bounded, whatever the client does.

Pure: no socket, no clock. A client that does not read in time loses its queue and is told once to read everything again.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from vtapweb.domain.scope import Scope

MOST_WAITING = 256
MOST_OCTETS_WAITING = 4 * 1024 * 1024
MOST_LATEST = 64


@dataclass(slots=True)
class Mailbox:
    """`wake` is set whenever something waits that may go. Texts are messages, octets frames of rates."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _queue: deque[str] = field(default_factory=deque)
    _octets: int = 0
    _latest: dict[str, str | bytes] = field(default_factory=dict)
    _held: list[str] | None = None

    def put(self, text: str, *, overflow: str) -> bool:
        """Append an event; False when there was no room, so that all that waited was dropped for the text `overflow`."""
        if self._held is not None:
            self._held.append(text)
            if len(self._held) > MOST_WAITING:
                self._held = [overflow]
            return True
        self._queue.append(text)
        self._octets += len(text)
        has_room = len(self._queue) <= MOST_WAITING and self._octets <= MOST_OCTETS_WAITING
        if not has_room:
            self._queue.clear()
            self._queue.append(overflow)
            self._octets = len(overflow)
        self.wake.set()
        return has_room

    def put_latest(self, key: str, newest: str | bytes) -> bool:
        """Replace what waits under `key`; with too many keys the oldest goes. Returns whether something was replaced."""
        is_replaced = self._latest.pop(key, None) is not None
        self._latest[key] = newest
        if len(self._latest) > MOST_LATEST:
            self._latest.pop(next(iter(self._latest)))
        if self._held is None:
            self.wake.set()
        return is_replaced

    def hold(self) -> None:
        """Keep what comes from now on behind what `release` will bring."""
        self._held = []

    def release(self, texts: list[str], *, overflow: str) -> None:
        """Append these, then what came since `hold`."""
        held, self._held = self._held or [], None
        for text in (*texts, *held):
            self.put(text, overflow=overflow)
        if self._latest:
            self.wake.set()

    def take(self) -> list[str | bytes]:
        """Everything that waits and may go."""
        taken: list[str | bytes] = [*self._queue]
        self._queue.clear()
        if self._held is None:
            taken += self._latest.values()
            self._latest.clear()
        self._octets = 0
        self.wake.clear()
        return taken

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._latest) + len(self._held or [])


@dataclass(slots=True, eq=False)
class Client:
    """One socket as the hub knows it: what it may see, and what waits for it."""

    scope: Scope
    mailbox: Mailbox = field(default_factory=Mailbox)
