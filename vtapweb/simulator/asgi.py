"""The simulator over HTTP: a thin ASGI coat around `Server.handle`, and uvicorn with the two habits a fault needs (a dropped connection,
a late answer). No rule of Azure's lives here.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from types import FrameType
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vtapweb.simulator.server import Request, Response, Server

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
LARGEST_BODY_OCTETS = 1_000_000
ABORT = "simulator_abort"


class DroppingProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, whose requests may abort their connection: an ASGI application has no other way to answer nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connected = cast(asyncio.Transport, transport)
        super().connection_made(connected)
        self.app_state = {**self.app_state, ABORT: connected.abort}


def application(server: Server) -> App:
    """The ASGI application of a server."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        response = server.handle(_request(scope, body)) if body is not None else Response(413, {"content-type": "text/plain"}, b"too large")
        if response.delay_s:
            await asyncio.sleep(response.delay_s)
        if response.is_dropped:
            scope["state"][ABORT]()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        is_head = scope["method"] == "HEAD"
        headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in response.headers.items()]
        headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if is_head else response.body})

    return app


async def _body(receive: Receive) -> bytes | None:
    """The whole body, None when it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        size += len(message.get("body", b""))
        if size > LARGEST_BODY_OCTETS:
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _request(scope: Scope, body: bytes) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    client = scope.get("client")
    return Request(scope["method"], f"{path}?{query}" if query else path, headers, body, peer=client[0] if client else "")


class HttpServer(uvicorn.Server):
    """uvicorn that tells the port it got. `on_ready` is called once, with the URL, when connections are accepted; `background` runs beside."""

    def __init__(
        self, server: Server, host: str, port: int, on_ready: Callable[[str, int], None], *, background: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application(server),
                host=host,
                port=port,
                http=DroppingProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # who the peer is decides what he may do: no header may say otherwise
                timeout_graceful_shutdown=3,
            )
        )
        self._on_ready = on_ready
        self._background = background
        self._beside: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (uvicorn's signature)
        """End cleanly. uvicorn would raise the signal again afterwards, and a killed process tells its supervisor nothing good."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._beside = asyncio.create_task(self._background(), name="background")
            self._on_ready(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/", port)

    async def shutdown(self, sockets: Any = None) -> None:
        if self._beside is not None:
            self._beside.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beside
        await super().shutdown(sockets=sockets)
