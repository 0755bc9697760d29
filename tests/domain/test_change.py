"""The two state machines: what may follow what, and that ends are ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.change import (
    CHANGE_MOVES,
    FINAL_CHANGE_STATES,
    FINAL_STEP_STATES,
    STEP_MOVES,
    ChangeState,
    StepState,
    WrongMoveError,
    moved_change,
    moved_step,
)


@given(st.sampled_from(ChangeState), st.sampled_from(ChangeState))
def test_a_change_moves_along_its_table_alone(before: ChangeState, after: ChangeState) -> None:
    if after in CHANGE_MOVES[before]:
        assert moved_change(before.value, after.value) is after
    else:
        with pytest.raises(WrongMoveError, match=before.value):
            moved_change(before.value, after.value)


@given(st.sampled_from(StepState), st.sampled_from(StepState))
def test_a_step_moves_along_its_table_alone(before: StepState, after: StepState) -> None:
    if after in STEP_MOVES[before]:
        assert moved_step(before.value, after.value) is after
    else:
        with pytest.raises(WrongMoveError, match=before.value):
            moved_step(before.value, after.value)


def test_ends_are_ends_and_every_state_leads_to_one() -> None:
    assert {one.value for one in FINAL_CHANGE_STATES} == {"applied", "partly_applied", "failed", "cancelled"}
    assert {one.value for one in FINAL_STEP_STATES} == {"verified", "failed", "skipped"}
    for moves, finals in ((CHANGE_MOVES, FINAL_CHANGE_STATES), (STEP_MOVES, FINAL_STEP_STATES)):
        assert set(moves) == set(type(next(iter(moves))))
        assert all(after & finals for before, after in moves.items() if before not in finals)


def test_what_was_sent_is_never_skipped() -> None:
    """A request that left may have done its work: only reading decides, nobody waves it aside."""
    assert StepState.SKIPPED not in STEP_MOVES[StepState.SENT] | STEP_MOVES[StepState.POLLING]


def test_a_word_that_is_no_state_is_refused() -> None:
    with pytest.raises(ValueError, match="done"):
        moved_change("applying", "done")
