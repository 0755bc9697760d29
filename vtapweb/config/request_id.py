"""A name for each request: in every log line it causes, and in the answer's X-Request-ID, so that a person can quote it."""

import itertools
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

# A new id is the process' own mark and a number: asking the kernel for chance costs more than all else that is done here with a collector's document.
_PROCESS = secrets.token_hex(4)
_numbers = itertools.count(secrets.randbits(32))


def request_id_of(headers: list[tuple[bytes, bytes]]) -> str:
    """The id that came with the request when it is a harmless one, else a new one of 16 signs."""
    for name, given in headers:
        if name.lower() == HEADER:
            if ACCEPTED.fullmatch(given):
                return given.decode("ascii")
            break
    return f"{_PROCESS}{next(_numbers) & 0xFFFFFFFF:08x}"


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
