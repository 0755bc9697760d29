"""A step against an Azure that loses, delays and lies within reason: whatever comes, no second result, no success that is not there, an end."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vtapweb.domain.change import (
    FINAL_STEP_STATES,
    MOST_ATTEMPTS,
    NOT_LOOKED_AT,
    STEP_HEARS,
    STEP_MOVES,
    ChangeState,
    Counts,
    Heard,
    Reaction,
    StepState,
    Wait,
    after,
    end_state,
    moved_step,
    stop_after,
)


class Step(RuleBasedStateMachine):
    """`truth` is Azure's: "nothing", "under_way", "done" or "theirs" (somebody else's). The rules are what an engine does, and what befalls it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = StepState.PENDING
        self.attempts = 0
        self.truth = "nothing"
        self.was_under_way = False
        self.is_said_done = False
        self.has_operation = False
        self.is_sent_unread = False  # a request left, and nobody has heard or read what came of it

    def hear(self, heard: Heard) -> Reaction:
        reaction = after(self.state, heard, attempts=self.attempts, is_said_done=self.is_said_done)
        if reaction.state is not self.state:
            moved_step(self.state, reaction.state)
        if heard in NOT_LOOKED_AT and self.state is StepState.SENT:
            self.attempts -= 1
        if heard in {Heard.DONE, Heard.SUCCEEDED}:
            self.is_said_done = True
        self.has_operation = heard in {Heard.ACCEPTED, Heard.RUNNING}
        self.state = reaction.state
        return reaction

    # -- what the engine does

    def read(self) -> Heard:
        return {"nothing": Heard.NOT_YET, "under_way": Heard.UNDER_WAY, "done": Heard.AS_WANTED, "theirs": Heard.TAKEN}[self.truth]

    @precondition(lambda self: self.state is StepState.PENDING)
    @rule(fate=st.sampled_from(["taken", "taken, nobody told", "lost", "done at once", "throttled", "busy", "unprepared", "refused"]))
    def sends(self, fate: str) -> None:
        """Reads, and sends when nothing is there. The answer is what Azure's fate for the request makes it."""
        before = self.state
        reaction = self.hear(self.read())
        if self.state is not StepState.SENT:
            assert not (before is StepState.PENDING and reaction.state is StepState.SENT)
            return
        assert self.truth == "nothing", "sent only when a read just showed nothing"
        assert not self.is_sent_unread, "sent only when what came of the last request is known"
        self.attempts, self.is_said_done, self.is_sent_unread = self.attempts + 1, False, True
        if fate in {"taken", "taken, nobody told"}:
            self.truth = "under_way"
        elif fate == "done at once":
            self.truth = "done"
        told = {
            "taken": Heard.ACCEPTED,
            "done at once": Heard.DONE,
            "throttled": Heard.THROTTLED,
            "busy": Heard.BUSY,
            "unprepared": Heard.UNPREPARED,
            "refused": Heard.REFUSED,
        }.get(fate)
        if told is not None:
            self.is_sent_unread = False
            self.hear(told)
        elif fate == "lost":
            self.hear(Heard.UNCLEAR)

    @precondition(lambda self: self.state in {StepState.SENT, StepState.POLLING} and not self.has_operation)
    @rule()
    def reads_again(self) -> None:
        """Also the first thing that a worker does which takes over from a killed one."""
        self.is_sent_unread = False
        self.hear(self.read())

    @precondition(lambda self: self.state is StepState.POLLING and self.has_operation)
    @rule(is_lost=st.booleans())
    def asks(self, is_lost: bool) -> None:
        if is_lost:
            self.hear(Heard.LOST)
        else:
            self.hear({"under_way": Heard.RUNNING, "done": Heard.SUCCEEDED}.get(self.truth, Heard.ENDED_BADLY))

    @precondition(lambda self: self.state is StepState.SENT)
    @rule()
    def is_killed(self) -> None:
        """The answer, if any, was heard by nobody."""

    # -- what befalls it

    @rule()
    def time_passes(self) -> None:
        """Nothing happens, which is all that ever happens to a step that has ended."""

    @precondition(lambda self: self.truth == "under_way")
    @rule(ends_well=st.booleans())
    def azure_ends_it(self, ends_well: bool) -> None:
        self.truth = "done" if ends_well else "nothing"

    @precondition(lambda self: self.truth == "nothing")
    @rule()
    def somebody_else_comes(self) -> None:
        self.truth = "theirs"

    # -- what always holds

    @invariant()
    def nothing_is_verified_that_is_not_there(self) -> None:
        assert self.state is not StepState.VERIFIED or (self.truth == "done" and self.attempts > 0)

    @invariant()
    def what_was_sent_is_never_skipped(self) -> None:
        assert self.state is not StepState.SKIPPED or self.attempts == 0

    @invariant()
    def it_is_not_tried_for_ever(self) -> None:
        assert self.attempts <= MOST_ATTEMPTS

    def teardown(self) -> None:
        """From wherever it is, an Azure that behaves brings it to an end in a few moves."""
        for _ in range(3 * MOST_ATTEMPTS):
            if self.state in FINAL_STEP_STATES:
                return
            if self.state is StepState.PENDING:
                self.sends("taken")
            elif self.has_operation:
                self.asks(is_lost=False)
            else:
                self.reads_again()
            if self.truth == "under_way":
                self.truth = "done"
        raise AssertionError(f"no end: {self.state}, Azure has {self.truth}")


TestStep = Step.TestCase
TestStep.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def test_every_reaction_is_a_move_that_the_table_of_moves_allows() -> None:
    for state, hears in STEP_HEARS.items():
        for heard in hears:
            for attempts in (0, 1, MOST_ATTEMPTS):
                for is_said_done in (False, True):
                    found = after(state, heard, attempts=attempts, is_said_done=is_said_done)
                    assert found.state is state or found.state in STEP_MOVES[state], (state, heard)
                    assert not found.is_read_due or found.state in {StepState.SENT, StepState.POLLING}
                    assert found.state is not StepState.VERIFIED or heard is Heard.AS_WANTED, "only a read verifies"


def test_a_trace_that_does_not_show_is_sent_again_some_times_and_then_given_up() -> None:
    assert after(StepState.SENT, Heard.NOT_YET, attempts=MOST_ATTEMPTS - 1) == Reaction(StepState.PENDING, Wait.AGAIN)
    assert after(StepState.SENT, Heard.NOT_YET, attempts=MOST_ATTEMPTS).state is StepState.FAILED
    assert after(StepState.POLLING, Heard.NOT_YET, attempts=MOST_ATTEMPTS, is_said_done=True).state is StepState.POLLING


V, F = StepState.VERIFIED, StepState.FAILED


def test_three_failures_in_a_row_stop_and_two_do_not() -> None:
    assert stop_after([V, F, F, F]) == "in_a_row"
    assert stop_after([F, F, F]) == "in_a_row"
    assert stop_after([F, F, V]) == ""
    assert stop_after([]) == ""


def test_five_in_a_hundred_stop_but_never_fewer_than_three() -> None:
    assert stop_after([F, V, F, V]) == "", "half of four says nothing"
    assert stop_after([F, V, F, V, F, V]) == "share"
    assert stop_after([V] * 98 + [F, V, F]) == ""
    assert stop_after(([V] * 19 + [F]) * 10) == "share", "10 of 200"
    assert stop_after(([V] * 21 + [F]) * 10) == ""


counts = st.builds(Counts, *[st.integers(0, 3)] * 6).map(
    lambda one: Counts(one.pending, one.sent, one.polling, one.verified, one.failed, one.skipped, already=one.skipped // 2)
)


@given(counts, st.booleans())
def test_the_end_of_a_change_is_told_by_its_steps(found: Counts, is_cancelled: bool) -> None:
    state = end_state(found, is_cancelled=is_cancelled)
    if found.pending or found.sent or found.polling:
        assert state is None
    elif found.failed == 0 and found.skipped == found.already:
        assert state is ChangeState.APPLIED
    elif is_cancelled:
        assert state is ChangeState.CANCELLED
    else:
        assert state is (ChangeState.PARTLY_APPLIED if found.verified else ChangeState.FAILED)
