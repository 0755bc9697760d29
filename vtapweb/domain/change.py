"""The two state machines of a change to Azure, as tables.

A change is planned, then either ends without having sent anything (cancelled, handed over), or is applied: step by step, with pauses, to an
end that tells how many of its steps Azure is known to have taken. Nothing leaves a final state.

    planned -> applying <-> paused -> applied | partly_applied | failed | cancelled
    planned -> cancelled | handed_over -> applied | partly_applied | cancelled   (somebody else carried it out, or nobody did)

A step is one request. `sent` is stored before the request leaves: whoever finds a step in `sent` does not know whether Azure got it, and reads
before anything is sent again. `polling` waits for Azure to end what it took. Only a re-read makes `verified`; what a re-read shows as wanted
before we ever sent it is `skipped` (already so), because it is not our doing.

    pending -> sent -> polling -> verified | failed
    pending -> skipped | failed (it can no longer be done)
    sent, polling -> pending (certainly not taken, or without a trace: send again)
    pending -> polling | verified (it was sent before, and takes effect only now; or it was handed over, and a sync saw what somebody else did)

What a step hears moves it by STEP_HEARS. The numbers that bound it (attempts, time) are the caller's; `after` applies them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    _S.PENDING: frozenset({_S.SENT, _S.SKIPPED, _S.POLLING, _S.VERIFIED, _S.FAILED}),
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


# -- what a step hears, and where that brings it


class Heard(StrEnum):
    """What an answer of Azure's, or a fresh read, says about a step."""

    # to the write itself
    ACCEPTED = "accepted"  # it goes on at Azure's side
    DONE = "done"  # Azure says that it has done it
    THROTTLED = "throttled"  # not looked at: come back later
    BUSY = "busy"  # not taken: another operation holds the target
    UNCLEAR = "unclear"  # no answer, or a server error: taken or not
    UNPREPARED = "unprepared"  # not taken: the VM must be deallocated and started first ("not on fastpath")
    REFUSED = "refused"  # not taken, and never will be
    # to asking how far it is
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    ENDED_BADLY = "ended_badly"
    LOST = "lost"  # Azure no longer knows of it
    # from reading the target
    AS_WANTED = "as_wanted"
    UNDER_WAY = "under_way"
    NOT_YET = "not_yet"  # as if nothing had been sent
    TAKEN = "taken"  # somebody else made something of it that we must not touch
    # from the clock
    OVERDUE = "overdue"  # it should have ended long ago, and reading does not help


class Wait(StrEnum):
    """Why a step waits, for programs; people get a sentence."""

    NONE = ""
    THROTTLED = "throttled"
    BUSY = "busy"
    PREPARATION = "preparation"
    UNCLEAR = "unclear"
    AGAIN = "again"  # sent without a trace, to be sent again


@dataclass(frozen=True, slots=True)
class Reaction:
    """Where a step goes. `is_read_due`: only a fresh read of its target says more, so that is next."""

    state: StepState
    wait: Wait = Wait.NONE
    is_read_due: bool = False


_STAYS_PENDING: Final = {
    Heard.THROTTLED: Reaction(_S.PENDING, Wait.THROTTLED),
    Heard.BUSY: Reaction(_S.PENDING, Wait.BUSY),
    Heard.UNPREPARED: Reaction(_S.PENDING, Wait.PREPARATION),
}
_FAILS: Final = Reaction(_S.FAILED)
_READ: Final = Reaction(_S.POLLING, is_read_due=True)
STEP_HEARS: Final[Mapping[StepState, Mapping[Heard, Reaction]]] = {
    # Read just before it is sent; NOT_YET is the answer that lets it go.
    _S.PENDING: {
        Heard.AS_WANTED: Reaction(_S.SKIPPED),
        Heard.UNDER_WAY: Reaction(_S.PENDING, Wait.BUSY),
        Heard.NOT_YET: Reaction(_S.SENT),
        Heard.TAKEN: _FAILS,
    },
    _S.SENT: {
        **_STAYS_PENDING,
        Heard.ACCEPTED: Reaction(_S.POLLING),
        Heard.DONE: _READ,
        Heard.UNCLEAR: Reaction(_S.SENT, Wait.UNCLEAR, is_read_due=True),
        Heard.REFUSED: _FAILS,
        Heard.AS_WANTED: Reaction(_S.VERIFIED),
        Heard.UNDER_WAY: _READ,
        Heard.NOT_YET: Reaction(_S.PENDING, Wait.AGAIN),
        Heard.TAKEN: _FAILS,
        Heard.OVERDUE: _FAILS,
    },
    _S.POLLING: {
        **_STAYS_PENDING,
        Heard.RUNNING: Reaction(_S.POLLING),
        Heard.SUCCEEDED: _READ,
        Heard.LOST: _READ,
        Heard.ENDED_BADLY: _FAILS,
        Heard.AS_WANTED: Reaction(_S.VERIFIED),
        Heard.UNDER_WAY: _READ,
        Heard.NOT_YET: Reaction(_S.PENDING, Wait.AGAIN),
        Heard.TAKEN: _FAILS,
        Heard.OVERDUE: _FAILS,
    },
}
MOST_ATTEMPTS: Final = 8
NOT_LOOKED_AT: Final = frozenset({Heard.THROTTLED, Heard.BUSY, Heard.UNPREPARED})  # such a send does not count as an attempt


def after(state: StepState, heard: Heard, *, attempts: int, is_said_done: bool = False) -> Reaction:
    """Where a step in `state` goes that hears this.

    `attempts`: how often it was sent and looked at. `is_said_done`: Azure said that it has done it, so a read that does not show it yet is read
    again instead of being taken for a loss. Raises KeyError for what a step in this state cannot hear.
    """
    reaction = STEP_HEARS[state][heard]
    if state is StepState.PENDING and attempts > 0:  # what we find may be our own
        reaction = {Heard.AS_WANTED: Reaction(StepState.VERIFIED), Heard.UNDER_WAY: _READ}.get(heard, reaction)
    if state is StepState.POLLING and heard is Heard.NOT_YET and is_said_done:
        return _READ
    if reaction.wait is Wait.AGAIN and attempts >= MOST_ATTEMPTS:
        return _FAILS
    return reaction


# -- when a change stops, and how it ends

FAILURES_IN_A_ROW: Final = 3
FAILED_SHARE: Final = 0.05
FEWEST_FAILURES: Final = 3  # of a few steps, one failure is more than 5 % and says nothing


def stop_after(results: Sequence[StepState]) -> str:
    """Why a change must not go on by itself, "" when it may: "in_a_row" or "share".

    `results` are its steps that were sent and have ended, in the order in which they ended: verified or failed.
    """
    if len(results) >= FAILURES_IN_A_ROW and all(one is StepState.FAILED for one in results[-FAILURES_IN_A_ROW:]):
        return "in_a_row"
    failed = sum(one is StepState.FAILED for one in results)
    return "share" if failed >= max(FEWEST_FAILURES, FAILED_SHARE * len(results)) else ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many steps of a change stand where. `already` are those of the skipped ones that Azure had as wanted before."""

    pending: int = 0
    sent: int = 0
    polling: int = 0
    verified: int = 0
    failed: int = 0
    skipped: int = 0
    already: int = 0

    @property
    def open(self) -> int:
        return self.pending + self.sent + self.polling

    @property
    def in_flight(self) -> int:
        return self.sent + self.polling


def end_state(counts: Counts, *, is_cancelled: bool) -> ChangeState | None:
    """How a change of these steps has ended, None while one of them is open.

    Applied: all is as wanted. Cancelled: somebody asked for it, whatever was done before. Else partly applied when something was, failed when not.
    """
    if counts.open:
        return None
    if not counts.failed and counts.skipped == counts.already:
        return ChangeState.APPLIED
    if is_cancelled:
        return ChangeState.CANCELLED
    return ChangeState.PARTLY_APPLIED if counts.verified else ChangeState.FAILED
