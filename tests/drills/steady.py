"""Collectors that count at a known, steady rate, and a reader of `/ws/live` that keeps every number a page would draw.

Counters are made from the very clock that the document tells, so the rate between any two documents is exact, however busy this machine is.
"""

import http.client
import json
import math
import struct
import threading
import time
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.drills.stack import Installation
from tests.traffic.documents import document
from tests.waiting import eventually

OCTETS, PACKETS_PER_S = 1000, 1000  # inner frames of each source: a packet each millisecond
BITS_PER_S = 8.0 * OCTETS * PACKETS_PER_S
OUTER = 36
TOLERATED = 0.02
_HEAD = struct.Struct("<IId")


def is_about(value: float, wanted: float) -> bool:
    return abs(value - wanted) <= TOLERATED * wanted


class Steady:
    """One member of a collector, posting every `every_s`; after a failure it waits as it is asked, else a second, and sends only what is newest."""

    def __init__(self, address: str, secret: str, member: str, sources: Sequence[str], *, every_s: float = 1.0) -> None:
        self.every_s = every_s
        self.taken = 0  # documents that were accepted
        self._netloc = urlsplit(address).netloc
        self._secret = secret
        self._member = member
        self._sources = sources
        self._began_ms = time.monotonic_ns() // 1_000_000
        self._seq = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(60)

    def _document(self) -> bytes:
        self._seq += 1
        mono_ms, wall_ms = time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000
        packets = (mono_ms - self._began_ms) * PACKETS_PER_S // 1000
        octets = packets * (OCTETS + OUTER)
        count = len(self._sources)
        return json.dumps(
            document(
                member=self._member, boot=f"{self._member}-1", seq=self._seq, t=wall_ms, mono=mono_ms, every_s=self.every_s,
                total=[packets * count, octets * count], src=[[source, 27, packets, octets] for source in self._sources],
            )
        ).encode()  # fmt: skip

    def _run(self) -> None:
        due = time.time()
        while not self._is_over.wait(max(0.0, due - time.time())):
            pause_s = self._post()
            due = math.floor(time.time() + pause_s) + 1.0 if pause_s or self.every_s == 1 else due + self.every_s

    def _post(self) -> float:
        """Seconds to wait beyond the next turn."""
        own = http.client.HTTPConnection(self._netloc, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
            own.request("POST", "/api/ingest/v1/samples", self._document(), headers)
            answer = own.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 1.0
        finally:
            own.close()
        if answer.status == 202:
            self.taken += 1
            return 0.0
        assert answer.status in {409, 429, 503}, answer.status
        return float(answer.headers.get("Retry-After", 0))


@dataclass(frozen=True, slots=True)
class Drawn:
    """One frame: when it came and what it is of (unix seconds), and inner bits/s by series; NaN is unknown."""

    arrived_s: float
    unix_s: float
    rates: Mapping[str, float]


class Reader:
    """A client that keeps all frames of the order it has read from the snapshot, and reads that again when frames are of another one."""

    def __init__(self, installation: Installation, *, token: str = "") -> None:
        self.drawn: list[Drawn] = []
        self.lines = 0  # times that the socket was open
        self._installation = installation
        self._token = token or installation.token
        self._revision = -1
        self._series: list[str] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(60)

    def _run(self) -> None:
        address = self._installation.address.replace("http", "ws", 1) + "ws/live"
        while not self._is_over.is_set():
            with suppress(OSError, WebSocketException, http.client.HTTPException, AssertionError):  # away: as a page does, it tries again
                self._read(address)
            self._is_over.wait(0.5)

    def _read(self, address: str) -> None:
        with connect(address, additional_headers={"Authorization": f"Bearer {self._token}"}, proxy=None, open_timeout=10) as socket:
            self.lines += 1
            while not self._is_over.is_set():
                with suppress(TimeoutError):
                    message = socket.recv(timeout=1)
                    if isinstance(message, bytes):
                        self._keep(message)

    def _keep(self, message: bytes) -> None:
        arrived_s = time.time()
        _, revision, unix_s = _HEAD.unpack_from(message)
        if revision != self._revision:
            status, body = self._installation.send("GET", "/api/v1/topology", token=self._token)
            assert status == 200
            snapshot = json.loads(body)
            self._revision, self._series = snapshot["series_revision"], snapshot["series"]
        bits = array("f")
        bits.frombytes(message[_HEAD.size : _HEAD.size + 4 * len(self._series)])
        if revision == self._revision and len(message) == _HEAD.size + 8 * len(self._series):
            self.drawn.append(Drawn(arrived_s, unix_s, dict(zip(self._series, bits, strict=True))))

    def wait_for(self, wanted: Mapping[str, float], *, within_s: float, why: str) -> Drawn:
        """The first frame from now on in which all of these are known and right."""
        after = len(self.drawn)

        def find() -> Drawn | None:
            return next(
                (one for one in self.drawn[after:] if all(is_about(one.rates.get(key, math.nan), rate) for key, rate in wanted.items())), None
            )

        found = eventually(find, within_s=within_s, why=why)
        assert found is not None
        return found

    def wrong(self, wanted: Mapping[str, float]) -> list[tuple[float, str, float, float]]:
        """Every number that was neither unknown nor what was sent: (unix_s, series, drawn, sent)."""
        return [
            (one.unix_s, key, one.rates[key], rate)
            for one in list(self.drawn)
            for key, rate in wanted.items()
            if key in one.rates and not math.isnan(one.rates[key]) and not is_about(one.rates[key], rate)
        ]


@dataclass(frozen=True, slots=True)
class Played:
    """What is sent to collectors: the members' secrets and sources, and by series the bits/s that this comes to."""

    members: Sequence[tuple[str, str, Sequence[str]]]  # secret, member, source addresses
    truth: Mapping[str, float]


def played(installation: Installation, *names: str) -> Played:
    """Every mirrored NIC of these collectors, through each of their members."""
    members, truth = [], {}
    taps = {one["key"]: one["id"].lower() for one in installation.ask("taps?limit=1000")["items"]}
    mirrors: list[dict[str, Any]] = installation.ask("tap-configurations?limit=1000")["items"]
    nics = {one["id"].lower(): one for one in installation.ask("nics?limit=1000")["items"]}
    for collector in installation.ask("collectors")["items"]:
        if collector["name"] not in names:
            continue
        leading = {taps[key] for key in collector["tap_keys"]}
        own = [one for one in mirrors if one["tap_id"].lower() in leading]
        sources = [nics[one["nic_id"].lower()]["private_ips"][0] for one in own]
        assert sources
        assert len(sources) == len(set(sources))
        for member in collector["members"]:
            made = installation.manage("collector_token", "--destination", collector["id"], "--member", member["nic_id"])
            assert made.returncode == 0, made.stderr
            members.append((made.stdout.strip(), member["name"], sources))
        count = len(collector["members"])
        truth[collector["key"]] = count * len(sources) * BITS_PER_S
        truth.update({one["key"]: count * BITS_PER_S for one in own})
    assert members
    return Played(members, truth)
