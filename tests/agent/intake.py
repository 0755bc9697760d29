"""A server that takes the agent's documents in, answers what a test tells it to, and remembers what came."""

import gzip
import json
import socket
import ssl
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.agent.namespaces import Namespace, inside
from tests.waiting import eventually

Answer = tuple[int, dict[str, str], bytes]
TAKEN: Answer = (202, {}, b"")


class Intake(ThreadingHTTPServer):
    """Listens on loopback, of a namespace when one is named. `answers` are given in turn, then 202."""

    daemon_threads = True

    def __init__(self, machine: Namespace | None = None, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler, bind_and_activate=False)
        if machine is not None:
            self.socket.close()
            with inside(machine.name):
                self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_bind()
        self.server_activate()
        self.tls = tls
        self.answers: deque[Answer] = deque()
        self.documents: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.encodings: list[str | None] = []
        self.connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    def server_bind(self) -> None:
        """Without the look-up of the host's name that HTTPServer makes."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        one, address = super().get_request()
        self.connections.append(one)
        if self.tls is not None:
            one = self.tls.wrap_socket(one, server_side=True, do_handshake_on_connect=False)
        return one, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or did not trust us is what tests are about."""

    def __enter__(self) -> "Intake":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.hang_up()
        self.server_close()

    def hang_up(self) -> None:
        """Ends all connections, as a server does that restarts."""
        for one in self.connections:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster

    def wait_for(self, count: int, *, within_s: float = 30) -> list[dict[str, Any]]:
        """All documents, once there are that many."""
        eventually(lambda: len(self.documents) >= count, within_s=within_s, why=f"{count} documents")
        return list(self.documents)

    def wait_for_one(self, **fields: object) -> dict[str, Any]:
        """The first document with these fields."""

        def found() -> dict[str, Any] | None:
            return next((one for one in list(self.documents) if all(one.get(name) == value for name, value in fields.items())), None)

        document = eventually(found, within_s=30, why=f"a document with {fields}")
        assert document is not None
        return document


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Intake
    timeout = 60

    def do_POST(self) -> None:
        assert self.path == "/api/ingest/v1/samples"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        encoding = self.headers["Content-Encoding"]
        self.server.tokens.append(self.headers["Authorization"])
        self.server.encodings.append(encoding)
        self.server.documents.append(json.loads(gzip.decompress(body) if encoding == "gzip" else body))
        status, headers, answer = self.server.answers.popleft() if self.server.answers else TAKEN
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""
