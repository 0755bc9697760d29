"""The ingest behind the real web server and beside Django: kept connections, early answers to large bodies, request ids, who answers what."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvicorn

from tests.inventory.factories import make_estate
from tests.traffic.documents import octets
from tests.traffic.sending import SAMPLES, packed
from tests.valkey import Valkey
from vtapweb.config import asgi
from vtapweb.config.request_id import with_request_id
from vtapweb.config.wire import QuietHttp
from vtapweb.domain.scope import Scope
from vtapweb.traffic.actions.tokens import token_create
from vtapweb.traffic.ingest.limits import OCTETS_MOST
from vtapweb.traffic.keys import SAMPLES as STREAM
from vtapweb.traffic.store import store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


@pytest_asyncio.fixture
async def port(valkey: Valkey) -> AsyncIterator[int]:
    """The web server with the product's application, in this event loop."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(with_request_id(asgi.application), http=QuietHttp, lifespan="off", log_config=None, server_header=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listening]))  # serve() would take the signals of the test run
    while not server.started:
        await asyncio.sleep(0)
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving
    await asgi.ingest.close()


@pytest.fixture
def secret(transactional_db: None) -> str:
    return token_create(scope=Scope.everything(), destination_id=make_estate().tap.destination_id, actor="the test")[1]


async def test_one_connection_serves_documents_refusals_and_pages(secret: str, port: int) -> None:
    await asyncio.to_thread(one_connection, secret, port)
    assert store().xlen(STREAM) == 3


async def test_the_access_log_has_a_line_for_pages_and_none_for_documents(secret: str, port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "uvicorn.access")
    await asyncio.to_thread(one_connection, secret, port)
    lines = [one.getMessage() for one in caplog.records if one.name == "uvicorn.access"]
    assert len(lines) == 2
    assert not any("/api/ingest/" in line for line in lines)


async def test_a_body_in_chunks_is_taken_and_an_endless_one_is_not(secret: str, port: int) -> None:
    await asyncio.to_thread(chunks, secret, port)


def one_connection(secret: str, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def ask(method: str, path: str, body: bytes | None = None, **more: str) -> int:
        connection.request(method, path, body, {**headers, **{name.replace("_", "-"): value for name, value in more.items()}})
        answer = connection.getresponse()
        answer.read()
        assert answer.headers["X-Request-ID"]
        assert answer.headers["Connection"] != "close"
        return answer.status

    assert ask("POST", SAMPLES, octets(seq=1)) == 202
    address = connection.sock.getsockname()
    assert ask("POST", SAMPLES, packed(octets(seq=2)), Content_Encoding="gzip") == 202
    assert ask("POST", SAMPLES, bytes(OCTETS_MOST + 1)) == 413, "the whole body was sent, and thrown away"
    assert ask("POST", SAMPLES, b"{}", Authorization="Bearer vtc_wrong") == 401
    assert ask("POST", SAMPLES, b"{}") == 400
    assert ask("GET", SAMPLES) == 405
    assert ask("GET", "/api/v1/whoami") == 401, "a collector token opens nothing else"
    assert ask("GET", "/healthz") == 200
    assert ask("POST", SAMPLES, octets(seq=3)) == 202
    assert connection.sock.getsockname() == address, "still the same connection"
    connection.close()


def chunks(secret: str, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    document = octets()
    for pieces, status in (([document[:50], document[50:]], 202), ([bytes(2**20)] * (OCTETS_MOST // 2**20 + 2), 413)):
        connection.request("POST", SAMPLES, iter(pieces), {"Authorization": f"Bearer {secret}"}, encode_chunked=True)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()
