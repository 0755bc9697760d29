"""A stand for the wall page alone: the real template, modules and styles, and a small ASGI app that answers with canned documents.

    server's time ── START_MS ──▶ + what this process's clock has counted since; the browser's own time of day is never asked

What a display is told is set by the test: `state` (GET /wall/state), `picture` (the message of that kind), the snapshot and frames. It must not
know how any of it is made; that is tested in tests/wall/ and tests/live/. Documents as docs/wall.md has them; all times are relative to `START_MS`.
"""

import asyncio
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.template.loader import render_to_string

from tests.e2e.map_stand import MapStand, snapshot_s

START_MS = 1_795_489_928_000  # 2026-11-24 03:12:08 UTC, a night shift
MINUTE_MS = 60_000
GBIT = 1e9
VIEWS = {"1": "overview", "2": "map", "3": "sources", "4": "alarms", "5": "collector"}
HOUR_MS = 60 * MINUTE_MS


def wall_state(**more: Any) -> dict[str, Any]:
    """What GET /wall/state answers: a display that stands alone, on its overview."""
    views = {key: {"id": int(key), "name": kind.capitalize(), "kind": kind, "options": {}} for key, kind in VIEWS.items()}
    views["5"]["options"] = {"collector": "ilb-collector-uks"}
    plain = {
        "display": display(), "scene": "normal", "is_masked": False, "is_demo": True, "version": "v1", "server_ms": START_MS, "views": views,
        "slots": [slot(1)], "dims": [], "identify_until_ms": None, "reload_asked_ms": None, "next_reload_ms": START_MS + 9 * HOUR_MS,
    }  # fmt: skip
    return plain | more


def display(**more: Any) -> dict[str, Any]:
    plain = {
        "id": 7, "name": "NOC-2", "place": "Leeds, room 4", "role": "stage", "group": {"id": 1, "name": "NOC Leeds"}, "theme": "dark", "scale": 1.0,
        "time_zone": "Europe/London",
    }  # fmt: skip
    return plain | more


def slot(view: int, why: str = "fixed", from_s: float = -60, until_s: float | None = None) -> dict[str, Any]:
    until_ms = None if until_s is None else START_MS + int(until_s * 1000)
    return {"from_ms": START_MS + int(from_s * 1000), "until_ms": until_ms, "view": view, "why": why, "by": "m.ortiz" if why == "pushed" else ""}


def alarm(number: int = 117, **more: Any) -> dict[str, Any]:
    """A collector that drops, opened six minutes ago, and nobody has taken it."""
    plain = {
        "number": number, "spoken": f"A-{number}", "severity": "alarm", "title": "ilb-collector-uks drops packets",
        "sentence": "2.1 % of what is mirrored to it never arrives at a tool. It receives more than its two members can take.",
        "opened_ms": START_MS - 6 * MINUTE_MS, "changed_ms": START_MS - 6 * MINUTE_MS, "owner": "",
        "is_taken": False, "is_acknowledged": False, "is_muted": False, "muted_until_ms": None, "rules": ["H2"], "subject": "collector",
        "broken_hop": {"kind": "member", "name": "vm-collector-01", "words": "its interface is full", "since_ms": START_MS - 7 * MINUTE_MS},
        "child_count": 3, "happened_before": [{"at_ms": START_MS - 9 * MINUTE_MS, "words": "12 mirrors added by m.ortiz → ilb-collector-uks"}],
        "collector": "ilb-collector-uks", "qr": f"/wall/qr/{number}",
    }  # fmt: skip
    return plain | more


def collector(name: str, *, id: int | None = None, state: str = "ok", **more: Any) -> dict[str, Any]:
    """One of 10 Gb/s that agents report every second, at 62 %."""
    bits = more.pop("bits_per_s", 6.2 * GBIT)
    share = None if bits is None else bits / (10 * GBIT)
    spark = [None if bits is None else bits * (1 + 0.06 * math.sin(step / 5) + 0.03 * math.sin(step * 1.7)) for step in range(60)]
    plain = {
        "id": id, "key": name, "name": name, "state": state, "words": "", "rules": [], "alarm": "", "capacity_bits_per_s": 10 * GBIT,
        "drops_per_s": 0.0, "drops_share": 0.0, "origin": "agent", "interval_s": 1.0, "stale_after_s": 3.0, "lag_s": 0.2,
        "measured_ms": START_MS, "heard_ms": START_MS,
        "bits_per_s": bits, "wire_bits_per_s": bits, "packets_per_s": None if bits is None else bits / 8000, "share": share, "is_estimate": False,
        "members": 2, "members_missing": 0, "mirrors": 40, "spark": spark, "spark_step_s": 15,
    }  # fmt: skip
    return plain | more


def wall_picture(**more: Any) -> dict[str, Any]:
    """A healthy estate: two collectors that are on the map of `snapshot_s`, nothing muted."""
    collectors = [collector("ilb-collector-uks", bits_per_s=7.4 * GBIT), collector("nic-packetlog-01", bits_per_s=3.9 * GBIT)]
    plain = {
        "kind": "picture", "at_ms": START_MS, "counts": {"alarms": 0, "untaken": 0, "notices": 0, "muted": 0, "muted_next_ends_ms": None},
        "alarms": [], "more_alarms": 0, "collectors": collectors, "collector_counts": {"total": 2, "ok": 2},
        "totals": {"bits_per_s": 11.3 * GBIT, "packets_per_s": 1.4e6, "known": 2, "of": 2, "mirrors": 18, "nics": 24, "silent": 0},
        "sources": [
            {"nic": f"web-{place:02}", "vnet": "vnet-web-uks", "collector": "ilb-collector-uks", "bits_per_s": 1.1 * GBIT / place,
             "packets_per_s": 137_500 / place, "measured_ms": START_MS}
            for place in range(1, 13)
        ],
        "inventory": {"synced_ms": START_MS - 42_000, "state": "live", "words": "Inventory synced"},
        "meter": {"state": "live", "since_ms": None, "at_ms": START_MS}, "unread": {}, "sources_of": {},
        "judging": {"evaluated_ms": START_MS - 800, "settled_ms": START_MS - HOUR_MS, "blind_since_ms": None, "blind_reason": ""},
        "events": [
            {"at_ms": START_MS - 9 * MINUTE_MS, "kind": "change", "severity": "", "words": "12 mirrors added by m.ortiz → ilb-collector-uks"},
            {"at_ms": START_MS - 31 * MINUTE_MS, "kind": "cleared", "severity": "warning", "words": "A-116 nic-packetlog-01 is below 75 % again"},
            {"at_ms": START_MS - 40 * MINUTE_MS, "kind": "alarm", "severity": "warning", "words": "A-116 nic-packetlog-01 above 75 % of capacity"},
            {"at_ms": START_MS - 2 * HOUR_MS, "kind": "sync", "severity": "", "words": "inventory read: 1 VNet more"},
        ],
    }  # fmt: skip
    return plain | more


def alarmed(*alarms: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A picture with these alarms; without any, the one of `alarm()`. Counts and collectors agree with them."""
    told = list(alarms) or [alarm()]
    dropping = {
        "state": "dropping",
        "drops_share": 0.021,
        "drops_per_s": 29_000.0,
        "alarm": told[0]["spoken"],
        "words": "2.1 % of the packets are dropped",
    }
    collectors = [collector("ilb-collector-uks", bits_per_s=11.6 * GBIT, **dropping), collector("nic-packetlog-01", bits_per_s=3.9 * GBIT)]
    muted = [one for one in told if one["is_muted"]]
    counts = {
        "alarms": sum(one["severity"] != "notice" and not one["is_muted"] for one in told),
        "untaken": sum(not one["is_taken"] and not one["is_muted"] for one in told),
        "notices": sum(one["severity"] == "notice" for one in told),
        "muted": len(muted), "muted_next_ends_ms": START_MS + 108 * MINUTE_MS if muted else None,
    }  # fmt: skip
    happened = [
        {"at_ms": one["opened_ms"], "kind": "alarm", "severity": one["severity"], "words": f"{one['spoken']} {one['title']}"} for one in told[:3]
    ]
    plain = wall_picture()
    plain |= {"alarms": told, "counts": counts, "collectors": collectors, "collector_counts": {"total": 2, "ok": 1, "dropping": 1}}
    return plain | {"events": happened + plain["events"]} | more


class WallStand(MapStand):
    """Serves one display. `tell` sends a message, `show` a picture, `rates` a second of them; set `state` before the page asks.

    Use as a context manager.
    """

    def __init__(
        self, state: Mapping[str, Any] | None = None, picture: Mapping[str, Any] | None = None, snapshot: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(snapshot_s() if snapshot is None else snapshot)
        self.state = dict(wall_state() if state is None else state)
        self.picture: dict[str, Any] | None = dict(wall_picture() if picture is None else picture)
        self.status = 200  # of GET /wall/state, 401 unpaired, 410 revoked
        self.pairing: dict[str, Any] = {"state": "waiting", "code": "K7M4PX", "ended_ms": START_MS + 5 * MINUTE_MS}
        self.page_version = "v1"  # the version that the page is made with
        self.is_up = True  # without, no question is answered but those for the page's own files
        self.began = time.monotonic()

    @property
    def now_ms(self) -> int:
        return START_MS + int((time.monotonic() - self.began) * 1000)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Any message, without a number."""
        self._run(self._send_all({"type": "websocket.send", "text": json.dumps(message)}))

    def show(self, picture: Mapping[str, Any]) -> None:
        """Sends a picture now, and to whoever connects later."""
        self.picture = dict(picture)
        self.tell(self._picture())

    def rates(self, bits: Sequence[float] | None = None) -> None:
        """One second of rates, of now; without values each series has its own."""
        told = [1e8 * (1 + place % 7) for place in range(len(self.snapshot["series"]))] if bits is None else bits
        self.frame(told, unix_s=self.now_ms / 1000)

    def deed(self, deed: str) -> None:
        """ "state" | "identify" | "reload" | "revoked" """
        self.tell({"kind": "wall", "deed": deed, "display": self.state["display"]["id"], "group": None, "seq": self.snapshot["seq"]})

    def revoke(self) -> None:
        self.status = 410
        self.is_live = False
        self._run(self._send_all({"type": "websocket.close", "code": 4410}))

    def mend(self) -> None:
        """After `cut`: answers again."""
        self.is_live = True

    def cut(self) -> None:
        super().cut()
        self.sockets.clear()

    @property
    def reports(self) -> list[dict[str, Any]]:
        return [one for one in self.said if one.get("kind") == "report"]

    def _picture(self) -> dict[str, Any]:
        """The picture as of now: what it says of collectors was heard just now, unless the test made it older than its interval."""
        picture = self.picture or {}
        late = self.now_ms - START_MS
        heard = [
            {**one, "heard_ms": one["heard_ms"] + late, "measured_ms": one["measured_ms"] + late} if one["heard_ms"] == START_MS else one
            for one in picture["collectors"]
        ]
        return {**picture, "at_ms": self.now_ms, "collectors": heard}

    async def _socket(self, receive: Any, send: Any) -> None:
        await receive()
        if not self.is_live:
            if self.status != 200:  # as the door does: the reason is told to whoever stands in it
                await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": {410: 4410, 401: 4401}.get(self.status, 1012)})
            return
        await send({"type": "websocket.accept"})
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now_ms / 1000))
        hello = {"kind": "hello", "revision": self.snapshot["revision"], "seq": self.snapshot["seq"], "server_time": stamp}
        await send({"type": "websocket.send", "text": json.dumps(hello)})
        if self.picture is not None:
            await send({"type": "websocket.send", "text": json.dumps(self._picture())})
        self.sockets.add(send)
        beat = asyncio.ensure_future(self._beat(send))
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                self.said.append(json.loads(message["text"]))
                del self.said[:-50]
        finally:
            beat.cancel()
            self.sockets.discard(send)

    async def _beat(self, send: Any) -> None:
        """The server speaks at least every 5 s."""
        while True:
            await asyncio.sleep(2)
            if send in self.sockets:
                await send({"type": "websocket.send", "text": json.dumps({"kind": "tick", "seq": self.snapshot["seq"]})})
                if self.picture is not None:
                    await send({"type": "websocket.send", "text": json.dumps(self._picture())})

    def _answer(self, path: str, query: str) -> tuple[int, str, bytes]:
        if path.startswith("/static/"):
            return super()._answer(path, query)
        if not self.is_live and self.status == 200:
            return 503, "text/plain", b"away"
        if path == "/wall":
            name = "wall/wall.html" if self.status == 200 else "wall/pairing.html"
            return 200, "text/html; charset=utf-8", render_to_string(name, {"version": self.page_version, "CSP_NONCE": "stand"}).encode()
        if path == "/wall/pairing":
            return 200, "application/json", json.dumps(self.pairing | {"server_ms": self.now_ms}).encode()
        if path.startswith(("/wall/qr/", "/wall/pairing/qr")):
            return 200, "image/svg+xml", QR
        if self.status != 200:
            return self.status, "application/problem+json", b"{}"
        if path == "/wall/state":
            return 200, "application/json", json.dumps({**self.state, "server_ms": self.now_ms}).encode()
        if path == "/wall/topology":
            return 200, "application/json", json.dumps(self.snapshot).encode()
        if path == "/wall/traffic":
            return 200, "application/json", json.dumps(self.traffic).encode()
        return 404, "text/plain", b"not here"


QR = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 7"><path d="M0 0h3v3h-3zM4 0h3v3h-3zM0 4h3v3h-3zM4 4h1v1h-1zM6 5h1v2h-1z"/></svg>'
