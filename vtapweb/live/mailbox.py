"""What waits for one client: numbered events in order, and beside them the newest of each latest-wins message. Bounded, whatever the client does.

Pure: no socket, no clock. A client that does not read in time loses its queue and is told once to read everything again.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vtapweb.domain.scope import Scope
from vtapweb.wall.door import Seat

MOST_WAITING = 256
MOST_OCTETS_WAITING = 4 * 1024 * 1024
MOST_LATEST = 64
RATES_PLACE = "rates"  # the key under which frames, or the word that there are none, wait


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

    def drop_latest(self, key: str) -> None:
        """What waits under `key` must not go any more."""
        self._latest.pop(key, None)

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

    def take(self) -> Iterator[str | bytes]:
        """Everything that waits and may go, one after the other. Of what is latest-wins the newest is taken when its turn comes, and nothing that was
        dropped meanwhile: the one before may be on its way for long."""
        events, places = [*self._queue], [*self._latest]
        self._queue.clear()
        self._octets = 0
        self.wake.clear()
        yield from events
        for place in places:
            if self._held is None and (one := self._latest.pop(place, None)) is not None:
                yield one

    @property
    def is_idle(self) -> bool:
        """Nothing waits, and what comes may go at once."""
        return self._held is None and not self._queue and not self._latest

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._latest) + len(self._held or [])


@dataclass(frozen=True, slots=True)
class Frame:
    """A second of rates for one scope: as a message, and as all connections carry it (RFC 6455, 5.2: one binary frame, not masked)."""

    octets: bytes
    framed: bytes

    @classmethod
    def of(cls, octets: bytes) -> "Frame":
        length = len(octets)
        if length < 126:
            head = struct.pack(">BB", 0x82, length)
        elif length < 1 << 16:
            head = struct.pack(">BBH", 0x82, 126, length)
        else:
            head = struct.pack(">BBQ", 0x82, 127, length)
        return cls(octets, head + octets)


@dataclass(slots=True, eq=False, weakref_slot=True)
class Client:
    """One socket as the hub knows it: what it may see, and what waits for it.

    `write_framed` is the server's short way to the connection, if it has one; it says whether it took the octets (vtapweb.config.wire).
    A display has a `seat`; `told` takes the deed of each event that concerns it, and while `is_seat_due` nobody knows what it may see just now.
    """

    scope: Scope
    seat: Seat | None = None
    told: Callable[[str], None] | None = None
    is_seat_due: bool = False
    mailbox: Mailbox = field(default_factory=Mailbox)
    write_framed: Callable[[bytes], bool] | None = None
    is_sending: bool = False  # what was taken out of the mailbox is still on its way

    def offer(self, frame: Frame) -> bool:
        """Send it now if nothing is before it, else let it wait as the newest. Returns whether one that waited was replaced."""
        if self.write_framed is not None and not self.is_sending and self.mailbox.is_idle and self.write_framed(frame.framed):
            return False
        return self.mailbox.put_latest(RATES_PLACE, frame.octets)
