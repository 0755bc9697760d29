"""Every answer names its request, and no stranger writes into our logs by naming one."""

from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog

from vtapweb.config.request_id import with_request_id


async def answered(headers: list[tuple[bytes, bytes]]) -> tuple[str, str]:
    """The id in the answer, and the one in the log's context while the request ran."""
    seen: list[str] = []
    sent: list[MutableMapping[str, Any]] = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        seen.append(structlog.contextvars.get_contextvars()["request_id"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await with_request_id(application)({"type": "http", "headers": headers}, receive, send)
    return dict(sent[0]["headers"])[b"x-request-id"].decode(), seen[0]


async def test_each_request_gets_an_id_of_its_own() -> None:
    first, second = await answered([]), await answered([])
    assert first[0] == first[1]
    assert first[0] != second[0]


async def test_a_proxys_id_is_kept() -> None:
    assert await answered([(b"X-Request-ID", b"edge-0123456789")]) == ("edge-0123456789", "edge-0123456789")


@pytest.mark.parametrize("forged", [b"short", b"a b c d e f g h", b"x" * 65, b"abcdefgh\nlevel=error", b""])
async def test_an_id_that_could_forge_a_line_is_replaced(forged: bytes) -> None:
    sent, logged = await answered([(b"x-request-id", forged)])
    assert sent == logged != forged.decode()
