"""A wire between a browser and the server that keeps every byte the server sends: pages, parts, JSON, CSV and the frames of its sockets.

It asks the server to compress nothing, so that what was sent can be searched.
"""

import contextlib
import html
import re
import socket
import threading
from typing import Self
from urllib.parse import urlsplit

COMPRESSION = re.compile(rb"\r\n(?:accept-encoding|sec-websocket-extensions):[^\r]*", re.IGNORECASE)
CHUNK = re.compile(rb"\r\n[0-9a-f]{1,8}\r\n")  # the seams of a chunked body


class Wiretap:
    """Listens on a free port and forwards to `target`. Use as a context manager; `address` ends with a slash."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._kept: list[bytearray] = []
        self._open: list[socket.socket] = []
        self._is_over = False
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join(5)

    def text(self) -> str:
        """All that came, one connection after the other, as text; seams of chunked bodies and HTML's entities undone."""
        came = b"\n".join(CHUNK.sub(b"", bytes(one)) for one in self._kept)
        assert not re.search(rb"\r\ncontent-encoding:|permessage-deflate", came, re.IGNORECASE), "something came compressed"
        return html.unescape(came.decode("utf-8", "replace"))

    def forget(self) -> None:
        """What came until now is not kept."""
        for one in self._kept:
            one.clear()

    def _accept(self) -> None:
        while not self._is_over:
            try:
                near, _ = self._listener.accept()
            except OSError:
                continue
            try:
                far = socket.create_connection(self._target)
            except OSError:  # nobody is there: the browser is told so at once
                near.close()
                continue
            kept = bytearray()
            self._kept.append(kept)
            self._open += [near, far]
            threading.Thread(target=self._carry, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, kept), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                if kept is None:
                    octets = COMPRESSION.sub(b"", octets)
                else:
                    kept += octets
                sink.sendall(octets)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
