"""uvicorn's protocols, each with one thing of ours.

WebSocket: a way past it for what all clients get alike, octets that are framed once and written to every connection. Measured (`bin/bench push`):
taken through ASGI, a message costs three times what writing it costs. Whoever is sent to must work without: the way is open only while the connection
is, nothing waits in it and nothing is compressed; else the answer is no, and the message goes through ASGI.

HTTP: no line in the access log for a collector's document, one a second from everybody. The ingest tells refusals itself.
"""

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from vtapweb.traffic.ingest.app import PREFIX


class QuietHttp(HttpToolsProtocol):
    """Makes no record for a log line that would only be dropped."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if cycle.scope["path"].startswith(PREFIX):
            cycle.access_log = False
        super()._start_asgi_task(cycle, app)


class WiredWebSocket(WebSocketsSansIOProtocol):
    """Puts `vtapweb.write_framed` into the scope of each connection."""

    async def run_asgi(self) -> None:
        self.scope["vtapweb.write_framed"] = self.write_framed  # type: ignore[typeddict-unknown-key]  # an addition of ours
        await super().run_asgi()

    def write_framed(self, framed: bytes) -> bool:
        """Write a whole WebSocket frame (RFC 6455, 5.2). Returns False, having written nothing, where it must go the usual way."""
        is_open = self.handshake_complete and not self.close_sent and not self.disconnected and self.conn.state is State.OPEN
        if not is_open or self.conn.extensions or self.transport.is_closing() or self.transport.get_write_buffer_size():
            return False
        self.transport.write(framed)
        return True
