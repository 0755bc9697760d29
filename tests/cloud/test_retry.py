"""The retry policy as a table: what is tried again, when, and when it ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.cloud.port import Failure
from vtapweb.cloud.retry import RetryPolicy, failure_of_status, parse_retry_after

POLICY = RetryPolicy(max_attempts=4, base_s=1.0, max_backoff_s=3.0, request_budget_s=20.0, list_budget_s=50.0)
GIVE_UP = None


@pytest.mark.parametrize(
    ("failure", "attempt", "request_lost_s", "list_lost_s", "retry_after_s", "expected_wait_s"),
    [
        # Backoff with full jitter; the dice show 0.5.
        (Failure.SERVER, 1, 0, 0, None, 0.5),
        (Failure.SERVER, 2, 0, 0, None, 1.0),
        (Failure.CONNECTION, 3, 0, 0, None, 1.5),  # 4 s are capped at 3 s
        (Failure.BROKEN_BODY, 1, 0, 0, None, 0.5),
        (Failure.THROTTLED, 1, 0, 0, None, 0.5),
        # Retry-After is the least we wait.
        (Failure.THROTTLED, 1, 0, 0, 7.0, 7.5),
        (Failure.SERVER, 1, 0, 0, 10.0, 10.5),
        (Failure.THROTTLED, 1, 0, 0, 0.0, 0.0),
        # Attempts and budgets end it.
        (Failure.SERVER, 4, 0, 0, None, GIVE_UP),
        (Failure.THROTTLED, 1, 15.0, 15.0, 6.0, GIVE_UP),
        (Failure.THROTTLED, 1, 0, 45.0, 6.0, GIVE_UP),
        (Failure.THROTTLED, 1, 0, 0, 3600.0, GIVE_UP),
        # A 401 once, at once; answers that a second try does not change, never.
        (Failure.UNAUTHENTICATED, 1, 0, 0, None, 0.0),
        (Failure.UNAUTHENTICATED, 2, 0, 0, None, GIVE_UP),
        (Failure.FORBIDDEN, 1, 0, 0, None, GIVE_UP),
        (Failure.MISSING, 1, 0, 0, None, GIVE_UP),
        (Failure.REFUSED, 1, 0, 0, 1.0, GIVE_UP),
        (Failure.FOREIGN_LINK, 1, 0, 0, None, GIVE_UP),
    ],
)
def test_decisions(
    failure: Failure, attempt: int, request_lost_s: float, list_lost_s: float, retry_after_s: float | None, expected_wait_s: float | None
) -> None:
    wait_s = POLICY.decide(
        failure=failure, attempt=attempt, request_lost_s=request_lost_s, list_lost_s=list_lost_s, retry_after_s=retry_after_s, dice=0.5
    )
    assert wait_s == expected_wait_s


@given(
    failure=st.sampled_from(Failure),
    attempt=st.integers(1, 40),
    lost_s=st.floats(0, 1000),
    retry_after_s=st.none() | st.floats(0, 1e9),
    dice=st.floats(0, 1, exclude_max=True),
)
def test_no_wait_leaves_a_budget_or_comes_before_retry_after(
    failure: Failure, attempt: int, lost_s: float, retry_after_s: float | None, dice: float
) -> None:
    wait_s = POLICY.decide(failure=failure, attempt=attempt, request_lost_s=lost_s, list_lost_s=lost_s, retry_after_s=retry_after_s, dice=dice)
    if wait_s is not None and failure is not Failure.UNAUTHENTICATED:
        assert retry_after_s is None or wait_s >= retry_after_s
        assert lost_s + wait_s <= POLICY.request_budget_s


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "", Failure.THROTTLED),
        (429, "RetryableErrorDueToAnotherOperation", Failure.THROTTLED),
        (408, "", Failure.SERVER),
        (500, "", Failure.SERVER),
        (503, "ServerBusy", Failure.SERVER),
        (401, "ExpiredAuthenticationToken", Failure.UNAUTHENTICATED),
        (403, "AuthorizationFailed", Failure.FORBIDDEN),
        (404, "NotFound", Failure.MISSING),
        (404, "InvalidResourceType", Failure.MISSING),
        (400, "NoRegisteredProviderFound", Failure.MISSING),
        (409, "MissingSubscriptionRegistration", Failure.MISSING),
        (404, "SubscriptionNotFound", Failure.REFUSED),
        (400, "InvalidApiVersionParameter", Failure.REFUSED),
        (302, "", Failure.REFUSED),
    ],
)
def test_classes_of_answers(status: int, code: str, expected: Failure) -> None:
    assert failure_of_status(status, code) is expected


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        ("10", 10.0),
        (" 0.5 ", 0.5),
        ("-3", 0.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(header: str | None, expected_s: float | None) -> None:
    assert parse_retry_after(header, now_unix_s=784111777.0) == expected_s
