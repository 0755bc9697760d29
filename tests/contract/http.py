"""Carriers between the real SDK and a function that answers requests: a real TCP server on a free port, and an azure-core transport in process."""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any, NamedTuple, Self

import requests
import urllib3
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest._requests_basic import RestRequestsTransportResponse
from requests.structures import CaseInsensitiveDict


class Reply(NamedTuple):
    """`fault`: "" | "drop" (no answer at all) | "reset" | "cut" (fewer bytes than announced) | "short" (half of the body, announced as whole)."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}
    fault: str = ""


Answer = Callable[[str, str, Mapping[str, str]], Reply]  # (method, absolute URL, headers with lower-case names)
BodyAnswer = Callable[[str, str, Mapping[str, str], bytes], Reply]  # the same and the request's body


def without_body(answer: Answer) -> BodyAnswer:
    """For a server that only reads."""
    return lambda method, url, headers, _body: answer(method, url, headers)


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serves `answer` over HTTP/1.1 on a free port of 127.0.0.1; yields the base URL."""
    with serving_bodies(without_body(answer)) as base_url:
        yield base_url


@contextmanager
def serving_bodies(answer: BodyAnswer) -> Iterator[str]:
    """The same for a server that also takes bodies."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_any(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            sent = self.rfile.read(int(headers.get("content-length") or 0))
            reply = answer(self.command, f"http://{headers.get('host', '')}{self.path}", headers, sent)
            if reply.fault in {"drop", "reset"}:
                self.hang_up(is_reset=reply.fault == "reset")
                return
            body = reply.body[: len(reply.body) // 2] if reply.fault == "short" else reply.body
            self.send_response(reply.status)
            for name, value in {"content-type": "application/json; charset=utf-8", **reply.headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.fault == "cut":
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.hang_up(is_reset=False)
                return
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_any  # noqa: N815 (the base class's names)

        def hang_up(self, *, is_reset: bool) -> None:
            if is_reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()
            self.close_connection = True
            self.wfile = open("/dev/null", "wb")  # noqa: SIM115, PTH123 (the base class flushes and closes it)

        def log_message(self, *_arguments: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.block_on_close = False
        server.server_close()


class InProcess(HttpTransport[Any, Any]):
    """An azure-core transport that calls `answer`; everything above it is the SDK's own."""

    def __init__(self, answer: Answer | None = None, *, bodies: BodyAnswer | None = None) -> None:
        assert (answer is None) != (bodies is None)
        self._answer = bodies or without_body(answer)  # type: ignore[arg-type] # one of the two is there

    def send(self, request: Any, **_options: Any) -> Any:
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = self._answer(request.method, request.url, headers, request.content or b"")
        if reply.fault in {"drop", "reset"}:
            raise ServiceResponseError("the connection was closed", error=ConnectionResetError(104, "reset"))
        body = reply.body[: len(reply.body) // 2] if reply.fault in {"cut", "short"} else reply.body
        return _response(request, reply, body)

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_arguments: object) -> None:
        """Nothing to close."""


def _response(request: Any, reply: Reply, body: bytes) -> Any:
    """What the SDK's own transport would return."""
    internal = requests.Response()
    internal.status_code = reply.status
    internal.headers = CaseInsensitiveDict(reply.headers)
    internal.raw = urllib3.HTTPResponse(body=BytesIO(body), status=reply.status, preload_content=False)
    return RestRequestsTransportResponse(request=request, internal_response=internal)  # type: ignore[no-untyped-call] # the SDK's, untyped
