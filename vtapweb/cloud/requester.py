"""One request and what its answer means: tokens, redirects at home, refusals as CloudError, and reads tried again as the policy says.

Rule 1: the SDK (half a second, tens of MiB) is imported when the first request is made, not before. Rule 2: writes are sent once; who asked
decides what then. Rule 3: whatever goes wrong is a CloudError that holds no secret.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import msgspec

from vtapweb.cloud import lenient, wire
from vtapweb.cloud.origin import BadUrlError, Origin, is_at_home, origin_of, resolve
from vtapweb.cloud.port import CloudError, Failure
from vtapweb.cloud.retry import RetryPolicy, failure_of_status, parse_retry_after

if TYPE_CHECKING:
    from vtapweb.cloud.pipeline import Answer, Pipeline

T = TypeVar("T")

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 307, 308})


class Budget:
    """Seconds lost on failures and waits, of one request and of its whole list."""

    def __init__(self) -> None:
        self.request_lost_s = 0.0
        self.list_lost_s = 0.0

    def begin_request(self) -> None:
        """The next request starts with nothing lost; what its list lost stays."""
        self.request_lost_s = 0.0

    def lose(self, seconds: float) -> None:
        """Counts for the request and for its list."""
        self.request_lost_s += seconds
        self.list_lost_s += seconds


class Requester:
    """One origin, asked with one credential. Safe to use from one thread at a time."""

    def __init__(
        self,
        *,
        endpoint: str,
        scope: str,
        use_credential: Callable[[], Any],
        ca_file: str,
        transport: Any,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        now: Callable[[], float],
        dice: Callable[[], float],
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.home: Origin = origin_of(endpoint)
        self._scope = scope
        self._use_credential = use_credential
        self._ca_file = ca_file
        self._transport = transport
        self._sleep, self._clock, self._now, self._dice = sleep, clock, now, dice
        self._pipeline: Pipeline | None = None

    def close(self) -> None:
        """Gives the connections back; the next request opens new ones."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def at_home(self, link: str, *, base_url: str, what: str) -> str:
        """`link` as a URL at home. Raises CloudError FOREIGN_LINK: our token goes nowhere else."""
        url = resolve(link, base_url=base_url)
        if is_at_home(url, self.home):
            return url
        try:
            there = str(origin_of(url))
        except BadUrlError:
            there = "a place that cannot be told"
        raise CloudError(Failure.FOREIGN_LINK, message=f"A {what} leads to {there}; our token goes to {self.home} only.")

    def retried(self, attempt_it: Callable[[], T], policy: RetryPolicy, budget: Budget | None = None) -> T:
        """What `attempt_it` returns, tried again as the policy says. Raises the last CloudError with the number of attempts."""
        budget = budget or Budget()
        budget.begin_request()
        attempt = 0
        while True:
            attempt += 1
            started = self._clock()
            try:
                return attempt_it()
            except CloudError as error:
                error.attempts = attempt
                budget.lose(self._clock() - started)
                wait_s = policy.decide(
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

    def get(self, url: str) -> tuple["Answer", str]:
        """(answer of any status but a redirect at home, correlation id) of one GET. Raises CloudError where no whole answer came."""
        request_id = str(uuid4())
        answer = self.send("GET", url, request_id=request_id)
        for _ in range(_MAX_REDIRECTS):
            if answer.status not in _REDIRECTS or not answer.headers.get("location"):
                break
            url = self.at_home(answer.headers["location"], base_url=url, what="redirect")
            answer = self.send("GET", url, request_id=request_id)
        return answer, correlation_id_of(answer, request_id)

    def send(self, method: str, url: str, *, request_id: str, body: bytes | None = None, if_match: str = "") -> "Answer":
        """One request, one answer of any status. Raises CloudError where no whole answer came."""
        try:
            return self._use_pipeline().send(method, url, request_id=request_id, body=body, if_match=if_match)
        except CloudError as error:
            error.correlation_id = error.correlation_id or request_id
            raise

    def refusal(self, answer: "Answer", correlation_id: str) -> CloudError:
        """The CloudError that an answer is which was not what we asked for."""
        from vtapweb.cloud.pipeline import scrub

        code, message = error_of(answer.body)
        return CloudError(
            failure_of_status(answer.status, code),
            code=scrub(code, limit=200),
            message=scrub(message) or f"The server answered {answer.status} without saying why.",
            status=answer.status,
            correlation_id=correlation_id,
            retry_after_s=self.retry_after_s(answer.headers),
        )

    def retry_after_s(self, headers: dict[str, str]) -> float | None:
        """How long the server asks us to wait, None where it does not say."""
        for name in ("retry-after-ms", "x-ms-retry-after-ms"):
            wait_ms = parse_retry_after(headers.get(name), now_unix_s=self._now())
            if wait_ms is not None:
                return wait_ms / 1000
        return parse_retry_after(headers.get("retry-after"), now_unix_s=self._now())

    def _use_pipeline(self) -> "Pipeline":
        if self._pipeline is None:
            from vtapweb.cloud.pipeline import Pipeline

            self._pipeline = Pipeline(
                endpoint=self.endpoint, scope=self._scope, credential=self._use_credential(), ca_file=self._ca_file, transport=self._transport
            )
        return self._pipeline


_ERROR = msgspec.json.Decoder(wire.ErrorEnvelope)


def error_of(body: bytes) -> tuple[str, str]:
    """ARM's code and message, ("", "") where the body is no error envelope (a proxy's page, nothing at all)."""
    try:
        error: wire.ErrorBody | wire.ErrorWire | None = _ERROR.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        error = _lenient_error(body)
    if error is None:
        return "", ""
    return error.code or "", error.message or ""


def _lenient_error(body: bytes) -> wire.ErrorWire | None:
    """The same from an envelope in another casing or of broken text."""
    try:
        return lenient.read(wire.StatusWire, body).error
    except lenient.NotAnObjectError:
        return None


def correlation_id_of(answer: "Answer", request_id: str) -> str:
    """What to name to Azure's support: the server's own id of the request, else ours."""
    names = ("x-ms-correlation-request-id", "x-ms-request-id")
    return next((answer.headers[name][:100] for name in names if answer.headers.get(name)), request_id)
