"""A stand for the map page alone: the real template, modules and styles, and a small ASGI app that speaks the wire format.

What the map shows is set by the test: a snapshot (tests/vectors or a grown estate) and events that are pushed into all open sockets.
It must not know how a snapshot is made; that is tested in tests/topology.
"""

import asyncio
import json
import mimetypes
import struct
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import uvicorn
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
POLICY = "default-src 'none'; script-src 'self' 'nonce-stand'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self' ws:"


def snapshot_s() -> dict[str, Any]:
    """The Contoso estate of the vectors, a fresh copy."""
    snapshot: dict[str, Any] = json.loads((VECTORS / "snapshot_s.json").read_text(encoding="utf-8"))
    return snapshot


class MapStand:
    """Serves one snapshot at a time; `push` sends an event to every open socket. Use as a context manager."""

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self.snapshot = dict(snapshot)
        self.theme = "dark"
        self.is_live = True
        self.sockets: set[Any] = set()
        self.asked: list[str] = []
        self.selected: list[int] = []  # what the server takes `select=` for
        self.said: list[dict[str, Any]] = []
        self.traffic: dict[str, Any] = {"collectors": [], "silent": []}
        self._frame_seq = 0
        config = uvicorn.Config(self._app, host="127.0.0.1", port=0, log_level="error", lifespan="off", interface="asgi3", ws="websockets-sansio")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="map-stand", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        started = threading.Event()
        while not self._server.started:
            started.wait(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)

    @property
    def url(self) -> str:
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def push(self, event: Mapping[str, Any]) -> None:
        """Sends one event with the next seq, as the hub does, and keeps the seq of later snapshots in step."""
        self.snapshot["seq"] = event.get("seq", self.snapshot["seq"] + 1)
        text = json.dumps({**event, "seq": self.snapshot["seq"]})
        self._run(self._send_all({"type": "websocket.send", "text": text}))

    def frame(self, bits: Sequence[float], packets: Sequence[float] | None = None, *, unix_s: float, series_revision: int | None = None) -> None:
        """One second of rates in the order of the snapshot's series (docs/live.md), NaN unknown; packets of 8,000 bits if none are given."""
        told = [one / 8000 for one in bits] if packets is None else packets
        revision = self.snapshot["series_revision"] if series_revision is None else series_revision
        self._frame_seq += 1
        octets = struct.pack(f"<IId{2 * len(bits)}f", self._frame_seq, revision, unix_s, *bits, *told)
        self._run(self._send_all({"type": "websocket.send", "bytes": octets}))

    def cut(self) -> None:
        """Closes every socket and refuses new ones until `is_live` is set again."""
        self.is_live = False
        self._run(self._send_all({"type": "websocket.close", "code": 1012}))

    def _run(self, coroutine: Any) -> None:
        assert self._loop is not None, "no browser has connected yet"
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _send_all(self, message: dict[str, Any]) -> None:
        for send in list(self.sockets):
            await send(message)

    async def _app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self._loop = asyncio.get_running_loop()
        if scope["type"] == "websocket":
            await self._socket(receive, send)
            return
        path, query = scope["path"], scope["query_string"].decode()
        self.asked.append(f"{path}?{query}" if query else path)
        status, kind, body = self._answer(path, query)
        headers = [
            (b"content-type", kind.encode()), (b"content-security-policy", POLICY.encode()), (b"cache-control", b"no-cache"),
            (b"vtapweb-seq", str(self.snapshot["seq"]).encode()),
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _socket(self, receive: Any, send: Any) -> None:
        await receive()
        if not self.is_live:
            await send({"type": "websocket.close", "code": 1012})
            return
        await send({"type": "websocket.accept"})
        hello = {"kind": "hello", "revision": self.snapshot["revision"], "seq": self.snapshot["seq"], "server_time": "2026-01-01T12:03:08Z"}
        await send({"type": "websocket.send", "text": json.dumps(hello)})
        self.sockets.add(send)
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                self.said.append(json.loads(message["text"]))
        finally:
            self.sockets.discard(send)

    def _answer(self, path: str, query: str) -> tuple[int, str, bytes]:
        if path == "/":
            shell = {"theme": self.theme, "nav": [], "is_demo": True, "inventory": None}
            html = render_to_string(
                "topology/map.html", {"map": {"may_rearrange": True}, "shell": shell, "CSP_NONCE": "stand", "csrf_token": "stand"}
            )
            return 200, "text/html; charset=utf-8", html.encode()
        if path == "/api/v1/topology":
            return 200, "application/json", json.dumps(self.snapshot).encode()
        if path == "/api/v1/topology/in-flight":
            return 200, "application/json", b"[]"
        if path == "/api/v1/topology/traffic":
            return 200, "application/json", json.dumps(self.traffic).encode()
        if path == "/api/v1/topology/find":
            return 200, "application/json", json.dumps({"items": self._find(query.partition("=")[2])}).encode()
        if path == "/api/v1/topology/selection":
            return 200, "application/json", json.dumps({"select": "kept", "ids": self.selected, "is_gone": False}).encode()
        if path == "/map/empty":
            return 200, "text/html; charset=utf-8", render_to_string("topology/empty.html", {"why": "nothing_readable"}).encode()
        if path == "/api/v1/topology/rearrange":
            return 202, "application/json", b"null"
        if path == "/table/nics":
            return 200, "text/html; charset=utf-8", b'<!doctype html><title>table</title><link rel="icon" href="data:,">'
        if path.startswith("/map/panel/"):
            node = path.rpartition("/")[2]
            button = f'<button class="btn btn--s" type="button" data-map-select="{node}">Select its NICs</button>'
            text = f'<div class="stack"><h2 data-test="panel-name">Node {node}</h2><div data-map-live="{node}"></div>{button}</div>'
            return 200, "text/html; charset=utf-8", text.encode()
        if path.startswith("/static/") and (found := finders.find(path.removeprefix("/static/"))):
            return 200, mimetypes.guess_type(path)[0] or "application/octet-stream", Path(str(found)).read_bytes()
        return 404, "text/plain", b"not here"

    def facts(self, node_id: int, state: str = "ok", **more: Any) -> dict[str, Any]:
        """What the server says of one collector, as `GET topology/traffic` does."""
        plain = {
            "id": node_id, "state": state, "words": "", "rules": [], "alarm": "", "capacity_bits_per_s": 10e9, "drops_per_s": 0, "origin": "agent",
            "interval_s": 1, "lag_s": None, "arrived_ms": None, "has_sources": True, "is_estimate": False, "members": 1, "members_missing": 0,
        }  # fmt: skip
        return plain | more

    def _find(self, q: str) -> list[dict[str, Any]]:
        hits = []
        for kind in ("vnets", "nics", "collectors"):
            columns = self.snapshot["columns"][kind]
            ids, total = [], 0
            is_delta = f"{kind}.id" in self.snapshot["encoding"]["delta"]
            for sent in columns["id"]:
                total = total + sent if is_delta else sent
                ids.append(total)
            hits += [
                {"id": node, "kind": kind.removesuffix("s"), "key": "", "name": name, "address": "", "vnet": ""}
                for node, name in zip(ids, columns["name"], strict=True)
                if q.lower() in name.lower()
            ]
        return hits[:20]
