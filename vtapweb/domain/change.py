"""The two state machines of a change to Azure, as tables.

A change is planned, then either ends without having sent anything (cancelled, handed over), or is applied: step by step, with pauses, to an
end that tells how many of its steps Azure is known to have taken. Nothing leaves a final state.

    planned -> applying <-> paused -> applied | partly_applied | failed | cancelled
    planned -> cancelled | handed_over -> applied | partly_applied | cancelled   (somebody else carried it out, or nobody did)

A step is one request. `sent` is stored before the request leaves: whoever finds a step in `sent` does not know whether Azure got it, and reads
before anything is sent again. `polling` has an operation of Azure's to ask. Only a re-read makes `verified`.

    pending -> sent -> polling -> verified | failed
    pending -> skipped          pending -> verified (of a plan that was handed over: a sync saw what somebody else did)
    sent -> pending (a re-read shows that Azure has not taken it)
    sent -> verified | failed   polling -> pending (Azure says that it ended as "try again")
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ChangeAction(StrEnum):
    """What a change is for."""

    TAP = "tap"
    UNTAP = "untap"
    MOVE = "move"
    CREATE_TAP = "create_tap"
    UPDATE_TAP_TAGS = "update_tap_tags"
    DELETE_TAP = "delete_tap"


class ChangeState(StrEnum):
    """Where a change stands."""

    PLANNED = "planned"
    APPLYING = "applying"
    PAUSED = "paused"
    APPLIED = "applied"
    PARTLY_APPLIED = "partly_applied"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HANDED_OVER = "handed_over"


class StepState(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    SENT = "sent"
    POLLING = "polling"
    VERIFIED = "verified"
    FAILED = "failed"
    SKIPPED = "skipped"


class StepAction(StrEnum):
    """The verb of a step's request."""

    PUT = "put"
    PATCH = "patch"
    DELETE = "delete"


_C, _S = ChangeState, StepState

CHANGE_MOVES: Final[Mapping[ChangeState, frozenset[ChangeState]]] = {
    _C.PLANNED: frozenset({_C.APPLYING, _C.CANCELLED, _C.HANDED_OVER}),
    _C.APPLYING: frozenset({_C.PAUSED, _C.APPLIED, _C.PARTLY_APPLIED, _C.FAILED, _C.CANCELLED}),
    _C.PAUSED: frozenset({_C.APPLYING, _C.APPLIED, _C.PARTLY_APPLIED, _C.FAILED, _C.CANCELLED}),
    _C.HANDED_OVER: frozenset({_C.APPLIED, _C.PARTLY_APPLIED, _C.CANCELLED}),
    _C.APPLIED: frozenset(),
    _C.PARTLY_APPLIED: frozenset(),
    _C.FAILED: frozenset(),
    _C.CANCELLED: frozenset(),
}
STEP_MOVES: Final[Mapping[StepState, frozenset[StepState]]] = {
    _S.PENDING: frozenset({_S.SENT, _S.SKIPPED, _S.VERIFIED}),
    _S.SENT: frozenset({_S.POLLING, _S.PENDING, _S.VERIFIED, _S.FAILED}),
    _S.POLLING: frozenset({_S.PENDING, _S.VERIFIED, _S.FAILED}),
    _S.VERIFIED: frozenset(),
    _S.FAILED: frozenset(),
    _S.SKIPPED: frozenset(),
}
FINAL_CHANGE_STATES: Final = frozenset(state for state, moves in CHANGE_MOVES.items() if not moves)
FINAL_STEP_STATES: Final = frozenset(state for state, moves in STEP_MOVES.items() if not moves)
RUNNING_CHANGE_STATES: Final = frozenset({_C.APPLYING, _C.PAUSED})
IN_FLIGHT_STEP_STATES: Final = frozenset({_S.SENT, _S.POLLING})


class WrongMoveError(ValueError):
    """A state that cannot follow the one before."""


def moved_change(before: str, after: str) -> ChangeState:
    """`after`, when a change in `before` may come to it. Raises WrongMoveError otherwise, ValueError for words that are no states."""
    if ChangeState(after) not in CHANGE_MOVES[ChangeState(before)]:
        raise WrongMoveError(f"A change that is {before} does not become {after}.")
    return ChangeState(after)


def moved_step(before: str, after: str) -> StepState:
    """`after`, when a step in `before` may come to it. Raises WrongMoveError otherwise, ValueError for words that are no states."""
    if StepState(after) not in STEP_MOVES[StepState(before)]:
        raise WrongMoveError(f"A step that is {before} does not become {after}.")
    return StepState(after)
