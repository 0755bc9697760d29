"""`AzureCloud`: the port, over azure-mgmt-network's own pipeline, with raw JSON.

Rule 1: a sync costs one list a kind and subscription, never a call per VNet or NIC; single resources are read around a write. Rule 2: a list is
complete when its iterator ends; whatever else happens is a CloudError. Rule 3: nothing but TAPs and TAP configurations is ever written, each write
once. Rule 4: the SDK (half a second, tens of MiB) is imported when the first request is made, not before.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec

from vtapweb.cloud import metrics, operation, parsing, versions
from vtapweb.cloud.claims import identity_of
from vtapweb.cloud.port import NIC_METRICS, CloudError, Failure, ReadKind, WriteMethod
from vtapweb.cloud.requester import Budget, Requester, correlation_id_of, error_of
from vtapweb.cloud.retry import RetryPolicy, is_wider_than_a_resource
from vtapweb.cloud.types import (
    Identity,
    Lock,
    MetricSeries,
    NetworkInterface,
    NotUnderstood,
    Operation,
    Page,
    Permission,
    PollAnswer,
    Resource,
    Subscription,
    VirtualMachine,
    VirtualNetworkTap,
    WriteAnswer,
)
from vtapweb.domain.arm_id import fold

if TYPE_CHECKING:
    from vtapweb.cloud.pipeline import Answer

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

_MAX_EMPTY_PAGES = 1_000  # in a row: a server that goes on for ever without an item
_SINGLE_READS = RetryPolicy(max_attempts=4, request_budget_s=15.0)  # somebody waits for it, or a change that can come back later
_ONCE = RetryPolicy(max_attempts=1)  # but for a 401, which says that our token is old and the request was not looked at

_WRITABLE = re.compile(
    r"(?i)/subscriptions/[^/?#]+/resourceGroups/[^/?#]+/providers/Microsoft\.Network/"
    r"(virtualNetworkTaps/[^/?#]+|networkInterfaces/[^/?#]+/tapConfigurations/[^/?#]+)"
)
_VERSION_QUERY = re.compile(r"(?i)api-version=[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?")
_DOTS = re.compile(r"/\.{1,2}(/|$)")


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
        metrics_place: metrics.Place | None = None,
        retry: RetryPolicy | None = None,
        transport: Any = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._cloud = cloud
        self._endpoint = endpoint.rstrip("/")
        self._scope = scope
        self._make_credential = make_credential
        self._credential: Any = None
        self._retry = retry or RetryPolicy()
        self._metrics_place = metrics_place
        self._how: dict[str, Any] = {
            "use_credential": self._use_credential,
            "ca_file": ca_file,
            "transport": transport,
            "sleep": sleep,
            "clock": clock,
            "now": now,
            "dice": dice,
        }
        self._arm = Requester(endpoint=self._endpoint, scope=scope, **self._how)
        self._metrics: dict[str, Requester] = {}  # by endpoint

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

    def network_interface(self, arm_id: str) -> NetworkInterface | None:
        """One NIC as it is now; None where the server says that there is none. Raises CloudError."""
        return self._single(parsing.NETWORK_INTERFACES, arm_id)

    def tap(self, arm_id: str) -> VirtualNetworkTap | None:
        """One TAP as it is now; None where the server says that there is none. Raises CloudError."""
        return self._single(parsing.VIRTUAL_NETWORK_TAPS, arm_id)

    def virtual_machine(self, arm_id: str) -> VirtualMachine | None:
        """One VM as it is now, without its power state; None where the server says that there is none. Raises CloudError."""
        return self._single(parsing.VIRTUAL_MACHINES, arm_id)

    def permissions(self, scope_id: str) -> tuple[Permission, ...]:
        """What this credential may do at a scope. Raises CloudError."""
        return tuple(self._all(parsing.PERMISSIONS, versions.PERMISSIONS, scope_id.strip().rstrip("/")))

    def locks(self, subscription_id: str) -> tuple[Lock, ...]:
        """Every management lock at and below the subscription. Raises CloudError."""
        return tuple(self._all(parsing.LOCKS, versions.LOCKS, f"/subscriptions/{subscription_id}"))

    def feature(self, subscription_id: str) -> str:
        """The state of the feature AllowVirtualNetworkTap, as the server spells it. Raises CloudError."""
        url = self._url(f"/subscriptions/{subscription_id}{versions.FEATURE.path}", versions.FEATURE.api_version)
        state = parsing.feature_state(self._document(url))
        if state is None:
            raise CloudError(Failure.BROKEN_BODY, message="The answer names no state of the feature.")
        return state

    def metric_totals(
        self, subscription_id: str, region: str, resource_ids: Sequence[str], names: Sequence[str], start: datetime, end: datetime, interval: str,
        *, namespace: str = NIC_METRICS, split_by: str = "",
    ) -> tuple[MetricSeries, ...]:  # fmt: skip
        """Azure Monitor's totals of at most 50 resources of one type, subscription and region. Raises CloudError."""
        place = self._metrics_place
        if place is None:
            raise CloudError(
                Failure.MISSING, code=metrics.NOT_AVAILABLE, message="This cloud has no metrics: VTAPWEB_METRICS_ENDPOINT says where they are."
            )
        requester = self._metrics_requester(place, region)
        url = requester.endpoint + metrics.path(subscription_id, names, start, end, interval, namespace=namespace, split_by=split_by)
        body = metrics.body(resource_ids)

        def ask() -> tuple[MetricSeries, ...]:
            request_id = metrics.request_id()
            answer = requester.send("POST", url, request_id=request_id, body=body)
            if answer.status != 200:
                raise requester.refusal(answer, correlation_id_of(answer, request_id))
            return metrics.series(answer.body)

        return requester.retried(ask, _SINGLE_READS)

    def write(self, method: WriteMethod, path: str, body: dict[str, Any] | None, *, request_id: str, if_match: str = "") -> WriteAnswer:
        """Sends one write of a TAP or a TAP configuration, once. Raises CloudError, and ValueError for any other path or method."""
        url = self._write_url(method, path)
        content = None if body is None else msgspec.json.encode(body)
        answer = self._arm.send(method, url, request_id=request_id, body=content, if_match=if_match)
        correlation_id = correlation_id_of(answer, request_id)
        if answer.status not in {200, 201, 202, 204}:
            refusal = self._arm.refusal(answer, correlation_id)
            refusal.is_outcome_unknown = refusal.failure is Failure.SERVER
            raise refusal
        pending = operation.pending_of(method, url, answer.status, answer.headers, answer.body)
        if pending is not None:
            pending = self._pending_at_home(pending, correlation_id)
        return WriteAnswer(
            status=answer.status,
            state="running" if pending else "done",
            operation=pending.to_text() if pending else None,
            body=answer.body,
            correlation_id=correlation_id,
            retry_after_s=self._arm.retry_after_s(answer.headers),
        )

    def poll(self, operation: str) -> PollAnswer:
        """Asks once how far a write is. Raises CloudError where it could not be asked."""
        return self._arm.retried(lambda: self._poll(operation), _ONCE)

    def close(self) -> None:
        """Gives the connections back. The object can be used again and opens new ones."""
        for requester in (self._arm, *self._metrics.values()):
            requester.close()
        self._metrics.clear()

    # -- lists

    def _list(self, reader: parsing.Reader[T], listing: versions.Listing, below: str) -> Iterator[Page[T]]:
        seen_keys: set[str] = set()
        for page in self._parsed(reader, listing, below):
            yield _without_repeated(page, seen_keys)

    def _all(self, reader: parsing.Reader[T], listing: versions.Listing, below: str) -> list[T]:
        """Every item of a short list. Raises CloudError where one could not be understood: half of the rights or locks is none."""
        items: list[T] = []
        for page in self._parsed(reader, listing, below, retry=_SINGLE_READS):
            if page.not_understood:
                raise CloudError(Failure.BROKEN_BODY, message=f"An item of the list cannot be understood: {page.not_understood[0].reason}.")
            items += page.items
        return items

    def _parsed(
        self, reader: parsing.Reader[T], listing: versions.Listing, below: str, *, retry: RetryPolicy | None = None
    ) -> Iterator[parsing.ParsedPage[T]]:
        url = self._url(f"{below}{listing.path}", listing.api_version, listing.query)
        budget = Budget()
        seen_links = {url}
        empty_in_a_row = 0
        while True:
            page = self._page(reader, url, budget, retry or self._retry, is_first=len(seen_links) == 1)
            is_empty = not (page.items or page.not_understood)
            empty_in_a_row = empty_in_a_row + 1 if is_empty else 0
            yield page
            url = self._next(page.next_link, url, seen_links, empty_in_a_row)
            if not url:
                return

    def _next(self, link: str, page_url: str, seen: set[str], empty_in_a_row: int) -> str:
        """The next page's URL, "" after the last. Raises CloudError for a link that leads elsewhere or in a circle."""
        if not link.strip():
            return ""
        url = self._arm.at_home(link, base_url=page_url, what="nextLink")
        if url in seen or empty_in_a_row >= _MAX_EMPTY_PAGES:
            raise CloudError(Failure.BROKEN_BODY, code="EndlessList", message="The server's pages go in a circle, so this list has no end.")
        seen.add(url)
        return url

    def _page(self, reader: parsing.Reader[T], url: str, budget: Budget, retry: RetryPolicy, *, is_first: bool) -> parsing.ParsedPage[T]:
        def read() -> parsing.ParsedPage[T]:
            answer, correlation_id = self._arm.get(url)
            if answer.status != 200:
                refusal = self._arm.refusal(answer, correlation_id)
                if refusal.failure is Failure.MISSING and not is_first:
                    refusal.failure = Failure.REFUSED  # the list is there; its next page is not
                raise refusal
            try:
                return parsing.parse_page(reader, answer.body)
            except parsing.BrokenPageError as error:
                raise CloudError(Failure.BROKEN_BODY, message=str(error), status=answer.status, correlation_id=correlation_id) from error

        return self._arm.retried(read, retry, budget)

    # -- single documents

    def _single(self, reader: parsing.Reader[R], arm_id: str) -> R | None:
        place = arm_id.strip().rstrip("/")
        url = self._url(place, versions.resource_version(place))

        def read() -> R | None:
            answer, correlation_id = self._arm.get(url)
            if _says_it_is_gone(answer):
                return None
            if answer.status != 200:
                raise self._arm.refusal(answer, correlation_id)
            item = reader.read(answer.body.strip().removeprefix(b"\xef\xbb\xbf"))
            reason = item.reason if isinstance(item, NotUnderstood) else "" if fold(item.arm_id) == fold(place) else "its id is another one"
            if isinstance(item, NotUnderstood) or reason:
                message = f"The answer is not the resource that was asked for: {reason}."
                raise CloudError(Failure.BROKEN_BODY, message=message, status=200, correlation_id=correlation_id)
            return item

        return self._arm.retried(read, _SINGLE_READS)

    def _document(self, url: str) -> bytes:
        def read() -> bytes:
            answer, correlation_id = self._arm.get(url)
            if answer.status != 200:
                raise self._arm.refusal(answer, correlation_id)
            return answer.body

        return self._arm.retried(read, _SINGLE_READS)

    # -- writes

    def _write_url(self, method: str, path: str) -> str:
        place, _, query = path.partition("?")
        if method not in {"PUT", "PATCH", "DELETE"} or not _WRITABLE.fullmatch(place) or _DOTS.search(place):
            raise ValueError(f"vtapweb writes TAPs and TAP configurations only, not {method} {path}")
        if query and not _VERSION_QUERY.fullmatch(query):
            raise ValueError(f"A write's query holds its api-version only, not {query}")
        return f"{self._endpoint}{quote(place)}?{query or f'api-version={versions.NETWORK_VERSION}'}"

    def _pending_at_home(self, pending: operation.Pending, correlation_id: str) -> operation.Pending:
        """The same with absolute URLs. Raises CloudError FOREIGN_LINK: the write was taken, but we must not ask how far it is."""
        try:
            return msgspec.structs.replace(
                pending,
                operation_url=pending.operation_url and self._arm.at_home(pending.operation_url, base_url=pending.resource_url, what="operation URL"),
                location_url=pending.location_url and self._arm.at_home(pending.location_url, base_url=pending.resource_url, what="Location"),
            )
        except CloudError as error:
            error.correlation_id, error.is_outcome_unknown = correlation_id, True
            raise

    def _poll(self, text: str) -> PollAnswer:
        pending = operation.of_text(text)
        if pending is None:
            return PollAnswer(state="lost", operation=Operation(text), code="UnreadableOperation", message="What was stored is no operation of ours.")
        self._arm.at_home(pending.url, base_url=pending.resource_url, what="stored operation")
        answer, correlation_id = self._arm.get(pending.url)
        progress = operation.progress_of(pending, answer.status, answer.body)
        if progress is None:
            raise self._arm.refusal(answer, correlation_id)
        moved = answer.headers.get("location", "").strip() if not pending.operation_url and pending.location_url and answer.status == 202 else ""
        if moved:
            pending = msgspec.structs.replace(pending, location_url=self._arm.at_home(moved, base_url=pending.url, what="Location"))
        from vtapweb.cloud.pipeline import scrub

        return PollAnswer(
            state=progress.state,
            operation=pending.to_text(),
            code=scrub(progress.code, limit=200),
            message=scrub(progress.message),
            correlation_id=correlation_id,
            retry_after_s=self._arm.retry_after_s(answer.headers),
        )

    # -- means

    def _url(self, path: str, api_version: str, query: str = "") -> str:
        return f"{self._endpoint}{quote(path)}?api-version={api_version}" + (f"&{query}" if query else "")

    def _use_credential(self) -> Any:
        if self._credential is None:
            self._credential = self._make_credential()
        return self._credential

    def _metrics_requester(self, place: metrics.Place, region: str) -> Requester:
        endpoint = place.endpoint_of(region)
        if endpoint not in self._metrics:
            self._metrics[endpoint] = Requester(endpoint=endpoint, scope=place.scope, **self._how)
        return self._metrics[endpoint]


def _says_it_is_gone(answer: "Answer") -> bool:
    """Whether the server itself says that the resource is not there: a proxy's 404 page, a missing API and a missing subscription do not."""
    if answer.status != 404:
        return False
    code, _ = error_of(answer.body)
    # ARM says ResourceNotFound or NotFound (recorded), a missing group and parent otherwise, and other servers whatever they like.
    # An answer without a code may be anybody's on the way: on its word nothing is gone.
    return bool(code) and not is_wider_than_a_resource(code)


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
