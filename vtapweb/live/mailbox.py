"""What waits for one client: numbered events in order, and beside them the newest of each latest-wins message. Bounded, whatever the client does.

Pure: no socket, no clock. A client that does not read in time loses its queue and is told once to read everything again.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

MOST_WAITING = 256
MOST_OCTETS_WAITING = 4 * 1024 * 1024
MOST_LATEST = 64


@dataclass(slots=True)
class Mailbox:
    """`wake` is set whenever something waits."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _queue: deque[str] = field(default_factory=deque)
    _octets: int = 0
    _latest: dict[str, str] = field(default_factory=dict)
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

    def put_latest(self, key: str, text: str) -> None:
        """Replace what waits under `key`; with too many keys the oldest goes."""
        self._latest.pop(key, None)
        self._latest[key] = text
        if len(self._latest) > MOST_LATEST:
            self._latest.pop(next(iter(self._latest)))
        self.wake.set()

    def hold(self) -> None:
        """Keep what comes from now on behind what `release` will bring."""
        self._held = []

    def release(self, texts: list[str], *, overflow: str) -> None:
        """Append these, then what came since `hold`."""
        held, self._held = self._held or [], None
        for text in (*texts, *held):
            self.put(text, overflow=overflow)

    def take(self) -> list[str]:
        """Everything that waits, and nothing waits any more."""
        texts = [*self._queue, *self._latest.values()]
        self._queue.clear()
        self._latest.clear()
        self._octets = 0
        self.wake.clear()
        return texts

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._latest) + len(self._held or [])
