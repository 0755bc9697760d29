"""The way out of a namespace to a server of the test machine: a port on its loopback, passed on octet by octet."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.agent.namespaces import Namespace, inside


@contextmanager
def relay(machine: Namespace, host: str, port: int) -> Iterator[str]:
    """`http://127.0.0.1:…` as it is reached there."""

    class Passing(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, port)) as there, suppress(OSError):
                back = threading.Thread(target=_pass_on, args=(there, self.request), daemon=True)
                back.start()
                _pass_on(self.request, there)
                back.join()

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passing, bind_and_activate=False)
    server.daemon_threads = True
    server.socket.close()
    with inside(machine.name):
        server.socket = socket.socket()
    server.server_bind()
    server.server_activate()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    """Until `here` ends; then `there` is told so."""
    with suppress(OSError):
        while octets := here.recv(1 << 16):
            there.sendall(octets)
    with suppress(OSError):
        there.shutdown(socket.SHUT_WR)
