"""Answers of the ingest as ASGI messages; a refusal is RFC 9457 problem+json."""

import math
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from vtapweb.traffic.ingest.formats import Refused
from vtapweb.web.problem import CONTENT_TYPE

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

TITLES = {
    HTTPStatus.BAD_REQUEST: "This document can't be read",
    HTTPStatus.UNAUTHORIZED: "No valid collector token",
    HTTPStatus.NOT_FOUND: "Nothing here",
    HTTPStatus.METHOD_NOT_ALLOWED: "Not this method",
    HTTPStatus.CONFLICT: "Send a full document",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Not this kind of content",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not ready",
}
EXTRA: dict[HTTPStatus, Headers] = {
    HTTPStatus.UNAUTHORIZED: [(b"www-authenticate", b'Bearer realm="vtapweb ingest"')],
    HTTPStatus.METHOD_NOT_ALLOWED: [(b"allow", b"POST")],
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: [(b"accept-encoding", b"gzip, identity")],
}
_NO_STORE = (b"cache-control", b"no-store")


async def answer(send: Send, status: int, body: bytes = b"", headers: Headers = ()) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, _NO_STORE, *headers]})
    await send({"type": "http.response.body", "body": body})


async def answer_refused(send: Send, refused: Refused) -> None:
    """The refusal with its sentence, and when to come again where that helps."""
    status = refused.status
    body = {"type": "about:blank", "title": TITLES[status], "status": status.value, "detail": refused.detail}
    headers = [(b"content-type", CONTENT_TYPE.encode()), *EXTRA.get(status, ())]
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(math.ceil(refused.retry_after_s), 1)))
    await answer(send, status.value, msgspec.json.encode(body), headers)
