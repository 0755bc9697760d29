"""A collector that sends to the ingest's ASGI function, without a network between."""

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from tests.traffic.documents import octets
from vtapweb.domain.scope import Scope
from vtapweb.traffic.actions.tokens import token_create
from vtapweb.traffic.ingest.app import Ingest
from vtapweb.traffic.models import CollectorToken

SAMPLES = "/api/ingest/v1/samples"
ADDRESS = "192.0.2.7"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        """Of a problem, which this must be."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["title"]
        return str(problem["detail"])

    @property
    def retry_after_s(self) -> int:
        return int(self.headers["retry-after"])


async def send(
    ingest: Ingest,
    secret: str | bytes | None,
    body: bytes | Iterable[bytes] | None = None,
    *,
    path: str = SAMPLES,
    method: str = "POST",
    address: str = ADDRESS,
    query: str = "",
    **headers: str,
) -> Answer:
    """One request. A body in pieces comes without a length; `headers` are named with underscores."""
    pieces = [octets() if body is None else body] if isinstance(body, bytes | None) else list(body)
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    if secret is not None:
        raw.append((b"authorization", b"Bearer " + (secret.encode() if isinstance(secret, str) else secret)))
    if isinstance(body, bytes | None):
        raw.append((b"content-length", str(len(pieces[0])).encode()))
    messages = [{"type": "http.request", "body": piece, "more_body": place < len(pieces)} for place, piece in enumerate(pieces, 1)]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def take(message: Any) -> None:
        sent.append(message)

    await ingest(
        {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw, "client": (address, 40_000)}, receive, take
    )
    await ingest.state().tokens.settled()  # SQLite in memory refuses two threads at once; a file or a server lets the second one wait
    start, rest = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    assert int(answered["content-length"]) == len(rest["body"])
    return Answer(start["status"], answered, rest["body"])


def packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@sync_to_async
def make_token(destination_id: str, **given: Any) -> tuple[CollectorToken, str]:
    return token_create(scope=Scope.everything(), destination_id=destination_id, actor="the test", **given)


@sync_to_async
def thread_leaves_database() -> None:
    """The thread that works for an async test keeps its connection; PostgreSQL drops no database that somebody is in."""
    connections.close_all()
