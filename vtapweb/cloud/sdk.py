"""`AzureCloud`: the port, over azure-mgmt-network's own pipeline, with raw JSON.

Rule 1: one list a kind and subscription; never a call per VNet or NIC. Rule 2: a list is complete when its iterator ends; whatever else happens
is a CloudError. Rule 3: the SDK (half a second, tens of MiB) is imported when the first request is made, not before.
"""

import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import msgspec

from vtapweb.cloud import parsing, versions, wire
from vtapweb.cloud.claims import identity_of
from vtapweb.cloud.origin import BadUrlError, is_at_home, origin_of, resolve
from vtapweb.cloud.port import CloudError, Failure, ReadKind
from vtapweb.cloud.retry import RetryPolicy, failure_of_status, parse_retry_after
from vtapweb.cloud.types import Identity, NetworkInterface, Page, Subscription

if TYPE_CHECKING:
    from vtapweb.cloud.pipeline import Answer, Pipeline

T = TypeVar("T")

_MAX_REDIRECTS = 3
_MAX_EMPTY_PAGES = 1_000  # in a row: a server that goes on for ever without an item


class AzureCloud:
    """One ARM endpoint, seen with one credential. Safe to use from one thread at a time. See `connect.cloud_from_settings`.

    `transport` replaces the SDK's own HTTP transport; `sleep`, `clock` (monotonic seconds) and `dice` drive the retries.
    """

    def __init__(
        self,
        *,
        cloud: str,
        endpoint: str,
        scope: str,
        make_credential: Callable[[], Any],
        ca_file: str = "",
        retry: RetryPolicy | None = None,
        transport: Any = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._cloud = cloud
        self._endpoint = endpoint.rstrip("/")
        self._home = origin_of(endpoint)
        self._scope = scope
        self._make_credential = make_credential
        self._ca_file = ca_file
        self._retry = retry or RetryPolicy()
        self._transport = transport
        self._sleep, self._clock, self._now, self._dice = sleep, clock, now, dice
        self._credential: Any = None
        self._pipeline: Pipeline | None = None

    def __repr__(self) -> str:
        return f"AzureCloud({self._cloud!r}, {self._endpoint!r})"

    def identity(self) -> Identity:
        """Who we are, from the token's claims. Raises CloudError when no token can be had."""
        return identity_of(self._use_credential().get_token(self._scope).token, cloud=self._cloud, endpoint=self._endpoint)

    def subscriptions(self) -> Iterator[Page[Subscription]]:
        """Every subscription the credential lists. Raises CloudError, also in the middle."""
        return self._list(parsing.SUBSCRIPTIONS, versions.SUBSCRIPTIONS, "")

    def pages(self, kind: ReadKind, subscription_id: str) -> Iterator[Page[Any]]:
        """The pages of one list of one subscription. Raises CloudError, also in the middle; complete only when the iterator ends."""
        return self._list(parsing.READERS[kind], versions.LISTINGS[kind], f"/subscriptions/{subscription_id}")

    def scale_set_network_interfaces(self, scale_set_id: str) -> Iterator[Page[NetworkInterface]]:
        """The NICs of a uniform scale set's members. Raises CloudError, also in the middle."""
        return self._list(parsing.NETWORK_INTERFACES, versions.SCALE_SET_NETWORK_INTERFACES, scale_set_id.strip().rstrip("/"))

    def close(self) -> None:
        """Gives the connections back. The object can be used again and opens new ones."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def _list(self, reader: parsing.Reader[T], listing: versions.Listing, below: str) -> Iterator[Page[T]]:
        query = f"api-version={listing.api_version}" + (f"&{listing.query}" if listing.query else "")
        url = f"{self._endpoint}{quote(below)}{listing.path}?{query}"
        budget = _Budget()
        seen_links = {url}
        seen_keys: set[str] = set()
        empty_in_a_row = 0
        while True:
            page = self._page(reader, url, budget, is_first=len(seen_links) == 1)
            is_empty = not (page.items or page.not_understood)
            empty_in_a_row = empty_in_a_row + 1 if is_empty else 0
            yield _without_repeated(page, seen_keys)
            url = self._next(page.next_link, url, seen_links, empty_in_a_row)
            if not url:
                return

    def _next(self, link: str, page_url: str, seen: set[str], empty_in_a_row: int) -> str:
        """The next page's URL, "" after the last. Raises CloudError for a link that leads elsewhere or in a circle."""
        if not link.strip():
            return ""
        url = self._follow(link, page_url, "nextLink")
        if url in seen or empty_in_a_row >= _MAX_EMPTY_PAGES:
            raise CloudError(Failure.BROKEN_BODY, code="EndlessList", message="The server's pages go in a circle, so this list has no end.")
        seen.add(url)
        return url

    def _follow(self, link: str, page_url: str, what: str) -> str:
        """`link` as a URL at home. Raises CloudError: our token goes nowhere else."""
        url = resolve(link, base_url=page_url)
        if is_at_home(url, self._home):
            return url
        try:
            there = str(origin_of(url))
        except BadUrlError:
            there = "a place that cannot be told"
        raise CloudError(Failure.FOREIGN_LINK, message=f"A {what} leads to {there}; our token goes to {self._home} only.")

    def _page(self, reader: parsing.Reader[T], url: str, budget: "_Budget", *, is_first: bool) -> parsing.ParsedPage[T]:
        """One page, tried again as the policy says. Raises the last CloudError."""
        budget.begin_request()
        attempt = 0
        while True:
            attempt += 1
            started = self._clock()
            try:
                return self._read(reader, url, is_first=is_first)
            except CloudError as error:
                error.attempts = attempt
                budget.lose(self._clock() - started)
                wait_s = self._retry.decide(
                    failure=error.failure,
                    attempt=attempt,
                    request_lost_s=budget.request_lost_s,
                    list_lost_s=budget.list_lost_s,
                    retry_after_s=error.retry_after_s,
                    dice=self._dice(),
                )
                if wait_s is None:
                    raise
            self._sleep(wait_s)
            budget.lose(wait_s)

    def _read(self, reader: parsing.Reader[T], url: str, *, is_first: bool) -> parsing.ParsedPage[T]:
        request_id = str(uuid4())
        answer = self._get(url, request_id)
        for _ in range(_MAX_REDIRECTS):
            if answer.status not in {301, 302, 307, 308} or not answer.headers.get("location"):
                break
            url = self._follow(answer.headers["location"], url, "redirect")
            answer = self._get(url, request_id)
        correlation_id = _correlation_id(answer, request_id)
        if answer.status != 200:
            raise self._refusal(answer, correlation_id, is_first=is_first)
        try:
            return parsing.parse_page(reader, answer.body)
        except parsing.BrokenPageError as error:
            raise CloudError(Failure.BROKEN_BODY, message=str(error), status=answer.status, correlation_id=correlation_id) from error

    def _get(self, url: str, request_id: str) -> "Answer":
        try:
            return self._use_pipeline().get(url, request_id=request_id)
        except CloudError as error:
            error.correlation_id = error.correlation_id or request_id
            raise

    def _refusal(self, answer: "Answer", correlation_id: str, *, is_first: bool) -> CloudError:
        from vtapweb.cloud.pipeline import scrub

        code, message = _error_of(answer.body)
        failure = failure_of_status(answer.status, code)
        if failure is Failure.MISSING and not is_first:
            failure = Failure.REFUSED  # the list is there; its next page is not
        return CloudError(
            failure,
            code=scrub(code, limit=200),
            message=scrub(message) or f"The server answered {answer.status} without saying why.",
            status=answer.status,
            correlation_id=correlation_id,
            retry_after_s=self._retry_after_s(answer.headers),
        )

    def _retry_after_s(self, headers: dict[str, str]) -> float | None:
        for name in ("retry-after-ms", "x-ms-retry-after-ms"):
            wait_ms = parse_retry_after(headers.get(name), now_unix_s=self._now())
            if wait_ms is not None:
                return wait_ms / 1000
        return parse_retry_after(headers.get("retry-after"), now_unix_s=self._now())

    def _use_credential(self) -> Any:
        if self._credential is None:
            self._credential = self._make_credential()
        return self._credential

    def _use_pipeline(self) -> "Pipeline":
        if self._pipeline is None:
            from vtapweb.cloud.pipeline import Pipeline

            self._pipeline = Pipeline(
                endpoint=self._endpoint, scope=self._scope, credential=self._use_credential(), ca_file=self._ca_file, transport=self._transport
            )
        return self._pipeline


class _Budget:
    """Seconds lost on failures and waits, of one request and of its whole list."""

    def __init__(self) -> None:
        self.request_lost_s = 0.0
        self.list_lost_s = 0.0

    def begin_request(self) -> None:
        self.request_lost_s = 0.0

    def lose(self, seconds: float) -> None:
        self.request_lost_s += seconds
        self.list_lost_s += seconds


def _without_repeated(page: parsing.ParsedPage[Any], seen: set[str]) -> Page[Any]:
    """The page without the items that the list already sent. `seen` grows."""
    items = []
    repeated = 0
    for item in page.items:
        key = parsing.key_text(item)
        if key in seen:
            repeated += 1
            continue
        seen.add(key)
        items.append(item)
    sent = len(items) + len(page.not_understood)
    return Page(items=tuple(items), not_understood=tuple(page.not_understood), sent_count=sent, repeated_count=repeated)


_ERROR = msgspec.json.Decoder(wire.ErrorEnvelope)


def _error_of(body: bytes) -> tuple[str, str]:
    """ARM's code and message, ("", "") where the body is no error envelope (a proxy's page, nothing at all)."""
    try:
        error = _ERROR.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    return error.code or "", error.message or ""


def _correlation_id(answer: "Answer", request_id: str) -> str:
    names = ("x-ms-correlation-request-id", "x-ms-request-id")
    return next((answer.headers[name][:100] for name in names if answer.headers.get(name)), request_id)
