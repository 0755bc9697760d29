"""Clients of the live socket for tests, without a network between."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import redis
import uvicorn
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async

from tests.valkey import Valkey
from vtapweb.config.asgi import application
from vtapweb.config.request_id import with_request_id
from vtapweb.config.wire import WiredWebSocket
from vtapweb.events.bus import EVENTS_CHANNEL

in_thread = database_sync_to_async


class Socket:
    """One client of the application, without a network between."""

    def __init__(self, headers: dict[str, str], path: str = "/ws/live") -> None:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self.rates: deque[bytes | dict[str, Any]] = deque()
        self.pictures: deque[dict[str, Any]] = deque()
        address, _, query = path.partition("?")
        make: Any = ApplicationCommunicator  # asgiref has no types for it
        self.communicator: Any = make(
            application, {"type": "websocket", "path": address, "query_string": query.encode(), "headers": raw, "subprotocols": []}
        )

    async def connects(self) -> bool:
        """Whether it was let in."""
        await self.communicator.send_input({"type": "websocket.connect"})
        answer = await self.communicator.receive_output(timeout=10)
        return bool(answer["type"] == "websocket.accept")

    async def hears(self) -> dict[str, Any]:
        """The next message that is neither about rates nor a wall's picture; those wait in `rates` and `pictures`."""
        while True:
            sent = await self.communicator.receive_output(timeout=10)
            heard: dict[str, Any] = {"kind": "rates"} if "bytes" in sent else json.loads(sent["text"])
            if heard["kind"] == "picture":
                self.pictures.append(heard)
                continue
            if heard["kind"] != "rates":
                return heard
            self.rates.append(sent.get("bytes") or heard)

    async def hears_rates(self) -> bytes | dict[str, Any]:
        """The next frame, or that there are none now."""
        while not self.rates:
            sent = await self.communicator.receive_output(timeout=10)
            if "bytes" in sent:
                return bytes(sent["bytes"])
            if (heard := json.loads(sent["text"]))["kind"] == "rates":
                self.rates.append(heard)
        return self.rates.popleft()

    async def hears_picture(self) -> dict[str, Any]:
        """The next picture of a wall."""
        async with asyncio.timeout(30):
            while not self.pictures:
                sent = await self.communicator.receive_output(timeout=10)
                if "text" in sent and (heard := json.loads(sent["text"]))["kind"] == "picture":
                    self.pictures.append(heard)
        return self.pictures.popleft()

    async def hears_frame(self) -> bytes:
        """The next frame, whatever is told about rates before."""
        while not isinstance(heard := await self.hears_rates(), bytes):
            pass
        return heard

    async def hears_event(self) -> dict[str, Any]:
        """The next message that is no tick of the clock."""
        while (heard := await self.hears())["kind"] == "tick" and heard["seq"] == getattr(self, "seq", None):
            pass
        self.seq = heard.get("seq")
        return heard

    async def says(self, **message: Any) -> None:
        await self.says_text(json.dumps(message))

    async def says_text(self, text: str) -> None:
        await self.communicator.send_input({"type": "websocket.receive", "text": text})

    async def goes(self) -> None:
        await self.communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.communicator.wait(timeout=10)

    async def closes(self) -> int:
        while (heard := await self.communicator.receive_output(timeout=10))["type"] != "websocket.close":
            pass
        return int(heard["code"])


@asynccontextmanager
async def opened(headers: dict[str, str]) -> AsyncIterator[Socket]:
    socket = Socket(headers)
    assert await socket.connects()
    try:
        yield socket
    finally:
        await socket.goes()


async def subscribed(valkey: Valkey, channel: str = EVENTS_CHANNEL) -> None:
    """Until a hub listens."""

    def count() -> int:
        with redis.Redis.from_url(valkey.url) as client:
            return int(client.pubsub_numsub(channel)[0][1])

    await until(lambda: in_thread(count)())


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0)


@asynccontextmanager
async def served(*, is_compressing: bool = False) -> AsyncIterator[str]:
    """uvicorn as in production, in this event loop; the address of its live socket."""
    config = uvicorn.Config(
        with_request_id(application), port=0, lifespan="off", ws=WiredWebSocket, ws_per_message_deflate=is_compressing, log_config=None
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: asyncio.sleep(0, server.started))
    try:
        yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/ws/live"
    finally:
        server.should_exit = True
        await serving


def publish_large(valkey: Valkey, seq: int) -> None:
    """An event of 100 kB: a hundred of them fill the buffers of a kernel."""
    event = {"kind": "topology", "revision": f"r{seq}", "delta": {"large": "x" * 100_000}, "is_refetch": False}
    with redis.Redis.from_url(valkey.url) as client:
        client.publish(EVENTS_CHANNEL, json.dumps({"seq": seq, "subscription_ids": None, "event": event}))
