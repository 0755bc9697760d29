"""A name for each request: in every log line it causes, and in the answer's X-Request-ID, so that a person can quote it."""

import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[..., Awaitable[None]]  # (scope, receive, send), which each library types in its own way

HEADER = b"x-request-id"
ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{8,64}")  # a proxy's own id; anything else could forge lines in a log


def request_id_of(headers: list[tuple[bytes, bytes]]) -> str:
    """The id that came with the request when it is a harmless one, else a new one of 16 signs."""
    given = next((value for name, value in headers if name.lower() == HEADER), b"")
    return given.decode("ascii") if ACCEPTED.fullmatch(given) else secrets.token_hex(8)


def with_request_id(application: Application) -> Application:
    """The ASGI application with ids. They are bound in the request's own task, so the server's access line has them, too."""

    async def named(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await application(scope, receive, send)
            return
        request_id = request_id_of(scope["headers"])
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_named(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                message["headers"] = [*message.get("headers", []), (HEADER, request_id.encode("ascii"))]
            await send(message)

        await application(scope, receive, send_named)

    return named
