"""Pictures on their way to displays: made once for all displays with the same scope, once more where they are masked, whatever their number.

Rule 1: newest wins; a display that reads slowly gets the newest picture later and never one before it. Rule 2: what happened is on the walls a moment
later; else a picture is made every two seconds, sent where it differs, and sent every five seconds in any case. Rule 3: a display of which it is not
known whether it may see names now is sent nothing.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson
import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.utils import timezone
from prometheus_client import Counter

from vtapweb.domain.scope import Scope
from vtapweb.live.mailbox import Client
from vtapweb.live.messages import is_for
from vtapweb.live.rates import Rates
from vtapweb.wall.masking import masked_picture
from vtapweb.wall.picture import Heard, Pictures, told
from vtapweb.wall.wanted import collectors_wanted

PICTURE_PLACE: Final = "picture"  # the key under which the newest one waits in a mailbox
LOOK_S: Final = 2.0
AGAIN_S: Final = 5.0  # what does not differ is sent again after that
DEBOUNCE_S: Final = 0.1  # what happens together is told together
LEAST_APART_S: Final = 0.5  # of two pictures that tell what happened; one that was made in turn delays none of them
TOLD_OF: Final = frozenset({"health", "topology", "sync", "change_state"})

log = structlog.get_logger(__name__)
pictures_total = Counter("vtapweb_wall_pictures_total", "Pictures made for walls: one for all displays of a scope, one more where names are hidden")
pictures_sent_total = Counter("vtapweb_wall_pictures_sent_total", "Pictures given to displays")


@dataclass(frozen=True, slots=True)
class Key:
    """What displays have in common that see the same."""

    scope: Scope
    is_masked: bool


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One picture as it is sent. `content` is what it says, without the moment: what is compared."""

    text: str
    content: bytes
    made_at: float  # by the loop's clock


class Walls:
    """Belongs to one event loop. `clients` is the hub's own set."""

    def __init__(self, clients: Collection[Client], rates: Rates) -> None:
        self._clients, self._rates = clients, rates
        self._wake = asyncio.Event()
        self.begin()

    def begin(self) -> None:
        """The hub begins to listen: nothing known before counts any more."""
        self._pictures: dict[Scope, Pictures] = {}
        self._documents: dict[Key, Document] = {}
        self._given: WeakKeyDictionary[Client, Document] = WeakKeyDictionary()
        self._made_at = self._hurried_at = -LOOK_S

    # --- what the hub tells ------------------------------------------------------------------------------------------------------------------

    def hear(self, kind: str, subscription_ids: Collection[str] | None) -> None:
        """An event that some picture may tell of."""
        if kind in TOLD_OF and any(client.seat is not None and is_for(client.scope, kind, subscription_ids) for client in self._clients):
            self._wake.set()

    def welcome(self, client: Client) -> None:
        """A display has come, or may see something else than before: it gets the newest picture there is, and another one is made soon."""
        if client.seat is not None:
            self._give([client])
            self._wake.set()

    async def run(self) -> None:
        """Make pictures for ever; without displays nothing is kept."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
                await asyncio.sleep(max(DEBOUNCE_S, self._hurried_at + LEAST_APART_S - _now()))
                self._hurried_at = _now()
            except TimeoutError:  # nothing happened; look all the same
                pass
            self._wake.clear()
            keys = {key for client in self._clients if (key := _key_of(client)) is not None}
            scopes = {key.scope for key in keys}
            self._pictures = {scope: self._pictures.get(scope) or Pictures(scope) for scope in scopes}
            self._documents = {key: one for key, one in self._documents.items() if key in keys}
            if not keys:
                continue
            making = asyncio.ensure_future(_made(self._pictures, keys, {scope: self._rates.newest(scope) for scope in scopes}))
            try:
                made = await asyncio.shield(making)
            except asyncio.CancelledError:
                await asyncio.wait([making])  # nothing of ours goes on when the last display has gone
                raise
            self._made_at = _now()
            pictures_total.inc(len(made))
            for key, (text, content) in made.items():
                before = self._documents.get(key)
                if before is None or before.content != content or self._made_at - before.made_at >= AGAIN_S - LOOK_S / 2:
                    self._documents[key] = Document(text, content, self._made_at)
            self._give(self._clients)

    def _give(self, clients: Collection[Client]) -> None:
        """To each display the newest picture of what it may see, unless it has it."""
        for client in clients:
            key = _key_of(client)
            document = None if key is None else self._documents.get(key)
            if document is not None and self._given.get(client) is not document:
                self._given[client] = document
                client.mailbox.put_latest(PICTURE_PLACE, document.text)
                pictures_sent_total.inc()


def _key_of(client: Client) -> Key | None:
    """None for who is no display, and while it is being looked up what it may see."""
    return None if client.seat is None or client.is_seat_due else Key(client.scope, client.seat.is_masked)


@database_sync_to_async
def _made(pictures: Mapping[Scope, Pictures], keys: Collection[Key], frames: Mapping[Scope, bytes | None]) -> dict[Key, tuple[str, bytes]]:
    """{key: the message, and what it says without the moment}; one picture a scope, none of a scope whose picture cannot be made."""
    found: dict[Key, tuple[str, bytes]] = {}
    for scope, maker in pictures.items():
        frame = frames[scope]
        try:
            wanted = collectors_wanted(scope)
        except DatabaseError as problem:
            log.warning("live.wanted_unknown", problem=str(problem))
            wanted = []
        try:
            picture = maker.make(now=timezone.now(), heard=Heard.of(frame) if frame else None, wanted=wanted)
            for key in keys:
                if key.scope == scope:
                    document: dict[str, Any] = masked_picture(picture, maker.node_of) if key.is_masked else told(picture)
                    found[key] = (orjson.dumps(document).decode(), orjson.dumps({**document, "at_ms": 0}))
        except Exception:  # a mistake of ours: the displays of this scope see that nothing comes, those of the others go on
            log.exception("live.picture_failed", subscriptions=len(scope.subscription_ids or ()))
    return found


def _now() -> float:
    return asyncio.get_running_loop().time()
