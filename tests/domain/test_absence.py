"""When a missing row is a removed one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.absence import Verdict, removal_verdict


@pytest.mark.parametrize(
    ("is_complete", "present", "missing", "verdict"),
    [
        (True, 100, 0, Verdict.KEEP),
        (False, 100, 5, Verdict.KEEP),
        (True, 20, 20, Verdict.REMOVE),
        (True, 21, 21, Verdict.HOLD),
        (True, 63, 21, Verdict.REMOVE),
        (True, 62, 21, Verdict.HOLD),
    ],
)
def test_the_rule_at_its_edges(is_complete: bool, present: int, missing: int, verdict: Verdict) -> None:
    assert removal_verdict(is_complete=is_complete, present_count=present, missing_count=missing) is verdict


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_nothing_is_ever_removed_from_an_incomplete_list(present: int, missing: int) -> None:
    missing = min(present, missing)
    assert removal_verdict(is_complete=False, present_count=present, missing_count=missing) is Verdict.KEEP


def test_more_than_there_was_cannot_be_missing() -> None:
    with pytest.raises(ValueError, match="can't be missing"):
        removal_verdict(is_complete=True, present_count=1, missing_count=2)
