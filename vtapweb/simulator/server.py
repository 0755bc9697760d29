"""The simulator's core: `Server.handle(Request) -> Response`, without sockets, so that tests run it in process and `asgi` runs it over HTTP.

Owns the order in which a request meets what can become of it: control, fault, token, budget, read; and the headers that ARM puts on
everything. The clock is an argument.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import RLock
from urllib.parse import parse_qsl

import orjson

from vtapweb.simulator import errors, estates
from vtapweb.simulator.control import Control, LogEntry
from vtapweb.simulator.documents import NAMESPACES, Kind, guid
from vtapweb.simulator.errors import ArmError
from vtapweb.simulator.estate import Estate
from vtapweb.simulator.faults import Fault, FaultKind, Faults
from vtapweb.simulator.journal import Journal
from vtapweb.simulator.paging import Pages
from vtapweb.simulator.reads import Address, Reads, segments_of, split_url
from vtapweb.simulator.throttle import Budgets, Throttle

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
    reads: Reads = field(init=False)
    control: Control = field(init=False)
    throttle: Throttle = field(init=False)
    _lock: RLock = field(default_factory=RLock)
    _number: int = 0

    def __post_init__(self) -> None:
        self.reads = Reads(self.estate, Pages(self.page_size))
        self.throttle = Throttle(self.budgets)
        self.control = Control(
            self.estate, self.faults, self.log, self.monotonic_s, self.rebuild or estates.builder_of(self.estate.size), self.journal
        )

    def handle(self, request: Request) -> Response:
        """Answer one request; never raises for what a caller sends."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._lock:
            if self.control.owns(split_url(request.url)[1]):
                answer = self.control.answer(request.method, request.url, headers, request.body, request.peer)
                return Response(answer.status, answer.headers, answer.body)
            return self._handle_arm(request, headers)

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
        fault = self.faults.strike(request.url, now_s=now_s)
        answer_headers = {"content-type": "application/json; charset=utf-8", "cache-control": "no-cache", "pragma": "no-cache", "expires": "-1"}
        answer_headers |= {"x-content-type-options": "nosniff", "strict-transport-security": "max-age=31536000; includeSubDomains"}
        answer_headers |= self._ids(number, headers)
        try:
            _raise_for(fault)
            status, body = self._read(request, headers, answer_headers, now_s)
        except ArmError as error:
            status, body = error.status, error.body
            answer_headers |= error.headers
        response = _spoiled(Response(status, answer_headers, body), fault)
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

    def _read(self, request: Request, headers: dict[str, str], answer_headers: dict[str, str], now_s: float) -> tuple[int, bytes]:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise errors.missing_token()
        address = _address(request.url, headers)
        left = self.throttle.take(
            token, address.subscription_id, is_network=f"/{NAMESPACES[Kind.NETWORK_INTERFACES]}/".lower() in address.path.lower(), now_s=now_s
        )
        scope = "subscription" if address.subscription_id else "tenant"
        answer_headers[f"x-ms-ratelimit-remaining-{scope}-reads"] = str(left)
        if request.method != "GET":
            raise errors.method_not_allowed(request.method)
        body = self.reads.answer(address)
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


def _spoiled(response: Response, fault: Fault | None) -> Response:
    """Faults that spoil a right answer."""
    match fault.kind if fault else None:
        case FaultKind.DROP:
            return Response(response.status, response.headers, b"", is_dropped=True)
        case FaultKind.TRUNCATE:
            return Response(response.status, response.headers, response.body[: len(response.body) // 2])
        case FaultKind.SLOW if fault:
            return Response(response.status, response.headers, response.body, delay_s=fault.delay_ms / 1_000)
    return response
