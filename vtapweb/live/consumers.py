"""The socket `/ws/live`: who may open it, what he says, and one task that empties his mailbox at the pace he reads."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from django.utils.http import is_same_domain

from vtapweb.access.viewer import Viewer
from vtapweb.live.door import who_are
from vtapweb.live.hub import Hub, hub_here
from vtapweb.live.mailbox import Client
from vtapweb.live.messages import refetch, text_of
from vtapweb.live.walls import PICTURE_PLACE
from vtapweb.topology.picture import current_revision
from vtapweb.wall.door import Seat
from vtapweb.wall.reports import report_of

SIGNED_OUT = 4401  # for a display: its cookie is no longer one
REVOKED = 4410
MOST_OCTETS_REPORTED = 1024
MOST_OCTETS_HEARD = 4096


def is_origin_allowed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Browsers always say where a page came from (RFC 6455, 4.1), and it must be one of ours; who says nothing is no browser.

    Ours is the very host and port that this request was sent to, or a CSRF_TRUSTED_ORIGINS. The port counts: a cookie knows none, so the page of
    another program on this machine would come with our session.
    """
    told = [(name.lower(), value.decode("latin-1").lower()) for name, value in headers]
    hosts = [value for name, value in told if name == b"host"]
    is_host_ours = len(hosts) == 1 and validate_host(split_domain_port(hosts[0])[0], settings.ALLOWED_HOSTS)

    def is_ours(origin: str) -> bool:
        parts = urlsplit(origin)
        if is_host_ours and parts.netloc == hosts[0]:
            return True
        trusted = [urlsplit(one.lower()) for one in settings.CSRF_TRUSTED_ORIGINS]
        return any(parts.scheme == one.scheme and is_same_domain(parts.netloc, one.netloc.removeprefix("*")) for one in trusted)

    return all(is_ours(value) for name, value in told if name == b"origin")


class LiveConsumer(AsyncWebsocketConsumer):
    """One client of the hub."""

    channel_layer_alias = "-"  # no layer, so no SUBSCRIBE of its own

    hub: Hub
    client: Client | None = None
    tasks: tuple[asyncio.Task[None], ...] = ()

    async def connect(self) -> None:
        if not is_origin_allowed(self.scope["headers"]):
            await self.close()
            return
        (who,) = await who_are([self.scope])
        await self.accept()
        if (code := _refusal(who)) is not None or who is None:
            await self.close(code)
            return
        write_framed = cast("Callable[[bytes], bool] | None", self.scope.get("vtapweb.write_framed"))
        seat = who if isinstance(who, Seat) else None
        self.hub, self.client = hub_here(), Client(who.scope, seat, self.told, write_framed=write_framed)
        revision = (await database_sync_to_async(current_revision)()).name
        self.tasks = (asyncio.create_task(self.send_what_waits(self.client)),)
        self.hub.door.enter(self, is_display=seat is not None)
        if seat is not None:  # what was said to it since it was recognised, it did not hear
            self.told("state")
        await self.hub.join(
            self.client, revision, lambda seq: text_of({"kind": "hello", "revision": revision, "seq": seq, "server_time": timezone.now().isoformat()})
        )

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002 - Channels' signature
        """`{"kind": "resume", "seq": N}`, and of a display `{"kind": "report", …}`; anything else is ignored."""
        if self.client is None or text_data is None or len(text_data) > MOST_OCTETS_HEARD:
            return
        with contextlib.suppress(orjson.JSONDecodeError):
            said: Any = orjson.loads(text_data)
            if isinstance(said, dict) and said.get("kind") == "resume" and type(said.get("seq")) is int:
                await self.hub.replay(self.client, said["seq"])
            elif isinstance(said, dict) and said.get("kind") == "report" and self.client.seat is not None and len(text_data) <= MOST_OCTETS_REPORTED:
                report = report_of(said, now=timezone.now())
                if report is not None:
                    self.hub.reports.take(self.client.seat.display_id, report)

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 - Channels' signature
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.client is not None:
            self.hub.door.leave(self)
            await self.hub.leave(self.client)

    async def send_what_waits(self, client: Client) -> None:
        while True:
            await client.mailbox.wake.wait()
            client.is_sending = True
            for one in client.mailbox.take():
                await (self.send(bytes_data=one) if isinstance(one, bytes) else self.send(text_data=one))
            client.is_sending = False

    def seen(self, who: Viewer | Seat | None) -> None:
        """A session that ended or a token that was revoked closes the socket within half a minute, a display's cookie within seconds; other grants
        mean another picture."""
        if self.client is None:
            return
        code = _refusal(who)
        if code is not None or who is None:
            self.end(SIGNED_OUT if code is None else code)
            return
        before = (self.client.seat, self.client.is_seat_due)
        self.client.seat, self.client.is_seat_due = who if isinstance(who, Seat) else None, False
        if who.scope != self.client.scope:
            self.client.scope = who.scope
            text = refetch(self.hub.seq)
            self.client.mailbox.put(text, overflow=text)
        if before != (self.client.seat, False):
            self.client.mailbox.drop_latest(PICTURE_PLACE)  # what waits was made for what it could see before
            self.hub.walls.welcome(self.client)

    def told(self, deed: str) -> None:
        """Something was said to this display: whoever was revoked goes at once, and what the others may see is asked before they get more."""
        if self.client is None:
            return
        if deed == "revoked":
            self.end(REVOKED)
        else:
            self.client.is_seat_due = True
            self.client.mailbox.drop_latest(PICTURE_PLACE)
            self.hub.door.look_at(self)

    def end(self, code: int) -> None:
        """Nothing more is sent to him but that it is over. Must not wait."""
        if self.client is None or self.client not in self.hub.clients:
            return
        self.hub.door.leave(self)
        self.hub.clients.discard(self.client)
        for task in self.tasks:
            task.cancel()
        self.tasks = (*self.tasks, asyncio.create_task(self.close(code)))


def _refusal(who: Viewer | Seat | None) -> int | None:
    """The code with which a socket is closed; None for who may look."""
    if who is None:
        return SIGNED_OUT
    return REVOKED if isinstance(who, Seat) and who.is_revoked else None


class NothingHere(AsyncWebsocketConsumer):
    """Refuses every other address of a socket."""

    channel_layer_alias = "-"

    async def connect(self) -> None:
        await self.close()
