"""When a failed read is tried again, and after how long. Pure: the clock, the sleep and the dice are the caller's.

The rules:
- What a second try may mend is tried again: throttling, server errors, lost connections, a body cut short. A 401 once, with a fresh token.
  A 403, a 404, any other 4xx and a link to a foreign host are answers, not accidents.
- Retry-After is obeyed as it stands (plus a little jitter, so that many readers do not come back in the same moment); a wait that would leave
  the budget ends the attempts at once, because the caller can come back later and a blocked worker cannot.
- Without Retry-After: exponential backoff with full jitter, anything from 0 to base × 2^(attempt-1), capped.
- Two budgets of seconds lost: one for a request, one for a whole list of pages. Time spent on pages that arrived is not counted.
"""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import isfinite

from vtapweb.cloud.port import Failure

_RETRIED = frozenset({Failure.THROTTLED, Failure.SERVER, Failure.CONNECTION, Failure.BROKEN_BODY})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a reader is. All times in seconds."""

    max_attempts: int = 8
    base_s: float = 0.5
    max_backoff_s: float = 30.0
    request_budget_s: float = 120.0
    list_budget_s: float = 600.0

    def decide(
        self,
        *,
        failure: Failure,
        attempt: int,
        request_lost_s: float,
        list_lost_s: float,
        retry_after_s: float | None,
        dice: float,
    ) -> float | None:
        """Seconds to wait before the next attempt, or None to give up.

        `attempt` counts from 1; `request_lost_s` and `list_lost_s` are the seconds lost so far on failures and waits of this request and of its
        whole list (the request's included); `dice` is uniform in [0, 1).
        """
        if failure is Failure.UNAUTHENTICATED:
            return 0.0 if attempt == 1 else None
        if failure not in _RETRIED or attempt >= self.max_attempts:
            return None
        if retry_after_s is None:
            wait_s: float = dice * min(self.max_backoff_s, self.base_s * 2.0 ** (attempt - 1))
        else:
            wait_s = retry_after_s + dice * min(self.base_s, retry_after_s)
        if request_lost_s + wait_s > self.request_budget_s or list_lost_s + wait_s > self.list_budget_s:
            return None
        return wait_s


def failure_of_status(status: int, code: str = "") -> Failure:
    """The class of an HTTP status that is no success, with ARM's error code where it says more than the status."""
    if status == 429:
        return Failure.THROTTLED
    if status == 408 or status >= 500:
        return Failure.SERVER
    if status == 401:
        return Failure.UNAUTHENTICATED
    if status == 403:
        return Failure.FORBIDDEN
    folded = code.lower()
    if folded in _NO_SUCH_SUBSCRIPTION:
        return Failure.REFUSED
    if status == 404 or folded in _NO_SUCH_API:
        return Failure.MISSING
    return Failure.REFUSED


# Source: learn.microsoft.com "Troubleshoot common Azure deployment errors" and "Resolve errors for resource provider registration".
_NO_SUCH_API = frozenset({"noregisteredproviderfound", "invalidresourcetype", "invalidresourcenamespace", "missingsubscriptionregistration"})
_NO_SUCH_SUBSCRIPTION = frozenset({"subscriptionnotfound", "invalidsubscriptionid"})


def is_wider_than_a_resource(code: str) -> bool:
    """Whether a 404 with this code is about the API or the subscription, so that it says nothing of the one resource asked for."""
    return code.lower() in _NO_SUCH_API | _NO_SUCH_SUBSCRIPTION


def parse_retry_after(value: str | None, *, now_unix_s: float) -> float | None:
    """Seconds to wait as a Retry-After header asks, from a number of seconds or an HTTP-date (RFC 9110 §10.2.3); None for anything else."""
    text = (value or "").strip()
    if not text:
        return None
    try:
        wait_s = float(text)
    except ValueError:
        try:
            wait_s = parsedate_to_datetime(text).timestamp() - now_unix_s
        except (ValueError, OverflowError):
            return None
    return max(0.0, wait_s) if isfinite(wait_s) else None
