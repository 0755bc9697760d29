"""The simulator's core: `Server.handle(Request) -> Response`, without sockets, so that tests run it in process and `asgi` runs it over HTTP.

Owns the order in which a request meets what can become of it: control, fault, token, budget, read or write; and the headers that ARM puts on
everything. The clock is an argument.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from urllib.parse import parse_qsl

import orjson

from vtapweb.simulator import errors, estates, metrics
from vtapweb.simulator.control import Control, LogEntry
from vtapweb.simulator.documents import NAMESPACES, Kind, guid
from vtapweb.simulator.errors import ArmError
from vtapweb.simulator.estate import Estate
from vtapweb.simulator.faults import Fault, FaultKind, Faults
from vtapweb.simulator.flows import Flows
from vtapweb.simulator.journal import Journal
from vtapweb.simulator.paging import Pages
from vtapweb.simulator.reads import Address, Reads, segments_of, split_url
from vtapweb.simulator.throttle import Budgets, Throttle
from vtapweb.simulator.traffic import Player
from vtapweb.simulator.write_log import Write
from vtapweb.simulator.writes import METHODS, Asked, Writes, operation_asked

LOG_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """`url` is absolute, or a path with query. Header names may come in any casing. `peer` is the caller's IP address."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Response:
    """Header names are lower-case. Whoever carries it waits `delay_s` first, and closes the connection unanswered when `is_dropped`."""

    status: int
    headers: dict[str, str]
    body: bytes
    delay_s: float = 0.0
    is_dropped: bool = False


@dataclass(slots=True)
class Server:
    """An Azure of one estate. Safe to call from several threads; calls take turns.

    `rebuild` makes the estate anew for a reset (default: the builder of its size); without `journal` changes are lost with the object.
    `operation_s` is how long a write's operation takes, `retry_after_s` what it tells callers to wait; `agents_file` tells `player` where to post.
    """

    estate: Estate
    page_size: int = 1_000
    budgets: Budgets = field(default_factory=Budgets)
    monotonic_s: Callable[[], float] = time.monotonic
    unix_s: Callable[[], float] = time.time
    faults: Faults = field(default_factory=Faults)
    log: deque[LogEntry] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))
    rebuild: Callable[[], Estate] | None = None
    journal: Journal | None = None
    operation_s: float = 1.5
    retry_after_s: int = 2
    reads: Reads = field(init=False)
    writes: Writes = field(init=False)
    control: Control = field(init=False)
    throttle: Throttle = field(init=False)
    agents_file: Path | None = None
    flows: Flows = field(init=False)
    player: Player = field(init=False)
    _lock: RLock = field(default_factory=RLock)
    _number: int = 0

    def __post_init__(self) -> None:
        self.reads = Reads(self.estate, Pages(self.page_size))
        self.throttle = Throttle(self.budgets)
        self.flows = Flows(self.estate)
        self.player = Player(self.estate, self.flows, self.agents_file, self.settle, self.unix_s, self.monotonic_s)
        self.writes = Writes(self.estate, self.faults, self.operation_s)
        self.writes.operations.retry_after_s = self.retry_after_s
        if self.journal is not None:
            self.journal.load_writes(self.writes.operations, self.writes.log)
        rebuild = self.rebuild or estates.builder_of(self.estate.size)
        self.control = Control(self.estate, self.faults, self.log, self.writes, self.player, self.monotonic_s, self.unix_s, rebuild, self.journal)

    def handle(self, request: Request) -> Response:
        """Answer one request; never raises for what a caller sends."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._lock:
            self.writes.settle(self.unix_s())
            try:
                if self.control.owns(split_url(request.url)[1]):
                    answer = self.control.answer(request.method, request.url, headers, request.body, request.peer)
                    return Response(answer.status, answer.headers, answer.body)
                return self._handle_arm(request, headers)
            finally:
                if self.journal is not None:
                    self.journal.save(self.estate, self.writes.operations, self.writes.log)

    def settle(self, now_unix_s: float) -> None:
        """Let what is due at that time happen, also while nobody asks."""
        with self._lock:
            self.writes.settle(now_unix_s)
            if self.journal is not None:
                self.journal.save(self.estate, self.writes.operations, self.writes.log)

    def page_bytes(self, url: str) -> bytes:
        """The body that a GET of `url` (absolute) is answered with, past faults, tokens, budgets and the log; built once and kept.

        Raises ArmError where the answer is a refusal.
        """
        with self._lock:
            return self.reads.answer(_address(url, {}))

    def pages(self, base_url: str, path: str) -> Iterator[bytes]:
        """All pages of a list, from its first to the one without a nextLink. `path` holds the query too."""
        url = f"{base_url}{path}"
        while url:
            body = self.page_bytes(url)
            yield body
            url = orjson.loads(body).get("nextLink", "")

    def _handle_arm(self, request: Request, headers: dict[str, str]) -> Response:
        self._number += 1
        number, now_s = self._number, self.monotonic_s()
        is_write = request.method in METHODS
        fault = self.faults.strike(request.url, now_s=now_s, is_write=is_write)
        answer_headers = {"content-type": "application/json; charset=utf-8", "cache-control": "no-cache", "pragma": "no-cache", "expires": "-1"}
        answer_headers |= {"x-content-type-options": "nosniff", "strict-transport-security": "max-age=31536000; includeSubDomains"}
        answer_headers |= self._ids(number, headers)
        write = self._write_begun(request, headers, answer_headers, fault) if is_write else None
        try:
            _raise_for(fault)
            if write is not None:
                status, body = self._write(request, headers, answer_headers, now_s, write)
            else:
                status, body = self._read(request, headers, answer_headers, now_s)
        except ArmError as error:
            status, body = error.status, error.body
            answer_headers |= error.headers
            if write is not None:
                write.code = error.code
        except NeverArrivedError:
            status, body = 0, b""
        response = _spoiled(Response(status, answer_headers, body), fault)
        if write is not None:
            write.status = 0 if response.is_dropped else status
            self.writes.log.close(write)
        self.log.append(
            LogEntry(
                number,
                self.unix_s(),
                request.method,
                request.url,
                0 if response.is_dropped else response.status,
                headers.get("x-ms-client-request-id", ""),
                fault.kind.value if fault else "",
            )
        )
        return response

    def _write_begun(self, request: Request, headers: dict[str, str], answer_headers: dict[str, str], fault: Fault | None) -> Write:
        """The log's entry of a write that has come."""
        is_lost = fault is not None and fault.kind is FaultKind.LOST_REQUEST
        return self.writes.log.open(
            method=request.method,
            path=split_url(request.url)[1],
            body=_shown_body(request.body),
            begun_unix_s=self.unix_s(),
            client_request_id=headers.get("x-ms-client-request-id", ""),
            correlation_id=answer_headers["x-ms-correlation-request-id"],
            state="lost" if is_lost else "refused",
            fault=fault.kind.value if fault else "",
        )

    def _write(self, request: Request, headers: dict[str, str], answer_headers: dict[str, str], now_s: float, write: Write) -> tuple[int, bytes]:
        address = self._admitted(request, headers, answer_headers, "deletes" if request.method == "DELETE" else "writes", now_s)
        answer = self.writes.answer(Asked(address, request.method, headers, request.body, write.begun_unix_s, now_s, write))
        if not write.operation_id:
            write.state = "done"
        answer_headers |= answer.headers
        return answer.status, answer.body

    def _admitted(self, request: Request, headers: dict[str, str], answer_headers: dict[str, str], what: str, now_s: float) -> Address:
        """Where a request goes, after its token and its budget. Raises ArmError."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise errors.missing_token()
        address = _address(request.url, headers)
        is_network = f"/{NAMESPACES[Kind.NETWORK_INTERFACES]}/".lower() in address.path.lower()
        left = self.throttle.take(token, address.subscription_id, what=what, is_network=is_network, now_s=now_s)
        scope = "subscription" if address.subscription_id else "tenant"
        answer_headers[f"x-ms-ratelimit-remaining-{scope}-{what}"] = str(left)
        return address

    def _read(self, request: Request, headers: dict[str, str], answer_headers: dict[str, str], now_s: float) -> tuple[int, bytes]:
        address = self._admitted(request, headers, answer_headers, "reads", now_s)
        if request.method == "POST" and [word.lower() for word in address.words[2:]] == ["metrics:getbatch"]:
            return 200, metrics.batch(self.estate, self.flows, address.subscription_id, dict(address.query), request.body, self.unix_s())
        if request.method != "GET":
            raise errors.method_not_allowed(request.method)
        asked = operation_asked(address)
        if asked is not None:
            answer = self.writes.operation(address, *asked)
            answer_headers |= answer.headers
            return answer.status, answer.body
        body = self.reads.answer(address)
        if _is_child(address):
            answer_headers["etag"] = orjson.loads(body)["etag"]
        held = self.estate.get(f"/{'/'.join(address.words)}")
        if held is not None and not address.query.get("$expand"):
            etag = held.json().get("etag") or f'W/"{guid(f"{held.arm_id}#{held.revision}")}"'
            answer_headers["etag"] = etag
            if etag in [tag.strip() for tag in headers.get("if-none-match", "").split(",")]:
                return 304, b""
        return 200, body

    def _ids(self, number: int, headers: dict[str, str]) -> dict[str, str]:
        request_id = guid(f"request {number}")
        ids = {"x-ms-request-id": request_id, "x-ms-correlation-request-id": headers.get("x-ms-correlation-request-id", request_id)}
        ids["x-ms-routing-request-id"] = f"SIMULATOR:{number}:{request_id}"
        if headers.get("x-ms-return-client-request-id", "").lower() == "true" and "x-ms-client-request-id" in headers:
            ids["x-ms-client-request-id"] = headers["x-ms-client-request-id"]
        return ids


def _address(url: str, headers: Mapping[str, str]) -> Address:
    origin, path, query = split_url(url)
    scheme, _, named = origin.partition("://")
    host = headers.get("host") or named or "localhost"
    return Address(f"{scheme or 'http'}://{host}", path, segments_of(parse_qsl(query, keep_blank_values=True)))


def _is_child(address: Address) -> bool:
    """Whether one child inside a resource is asked for, as tapConfigurations/mirror."""
    words = address.words
    return len(words) == 10 and words[6].lower() != Kind.SCALE_SETS.value.lower() and words[8].lower() != "providers"


def _shown_body(body: bytes) -> object:
    """A write's body for the log: its JSON, or the text that is none."""
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return body[:2_000].decode("utf-8", "replace")


class NeverArrivedError(Exception):
    """The connection broke before the request was dealt with."""


def _raise_for(fault: Fault | None) -> None:
    """Faults that take the place of the answer."""
    if fault is None:
        return
    if fault.kind is FaultKind.THROTTLE:
        raise errors.too_many_requests(fault.retry_after_s)
    if fault.kind is FaultKind.SERVER_ERROR:
        raise errors.server_error(fault.status)
    if fault.kind is FaultKind.EXPIRED_TOKEN:
        raise errors.expired_token()
    if fault.kind is FaultKind.LOST_REQUEST:
        raise NeverArrivedError


def _spoiled(response: Response, fault: Fault | None) -> Response:
    """Faults that spoil a right answer."""
    match fault.kind if fault else None:
        case FaultKind.DROP | FaultKind.LOST_ANSWER | FaultKind.LOST_REQUEST:
            return Response(response.status, response.headers, b"", is_dropped=True)
        case FaultKind.TRUNCATE:
            return Response(response.status, response.headers, response.body[: len(response.body) // 2])
        case FaultKind.SLOW if fault:
            return Response(response.status, response.headers, response.body, delay_s=fault.delay_ms / 1_000)
    return response
