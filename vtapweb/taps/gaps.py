"""Where a move left a NIC without a mirror: its first half was done, and its second half was not, or came back, or is still to come.

Rule 1: a gap is told as long as it can have been: from the moment the removal was sent until a re-read showed a mirror. Rule 2: the gap of a move
that went through is what the plan said, and is not told again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vtapweb.domain.change import StepState
from vtapweb.domain.tap_body import resource_name, tap_of_body
from vtapweb.taps.models import ChangeStep

NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Gap:
    """A NIC that was mirrored nowhere. `until` None: it still is, as far as the change knows; `back_at` is the TAP that it went back to."""

    nic_id: str
    nic_name: str
    since: datetime
    until: datetime | None = None
    back_at: str = ""

    @property
    def words(self) -> str:
        since = f"{self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        if self.until is None:
            return f"{self.nic_name} is mirrored nowhere since {since} UTC: the move took its mirror off and made no new one."
        until = f"{self.until.astimezone(UTC):%H:%M:%S}"
        return f"{self.nic_name} was mirrored nowhere from {since} to {until} UTC; it is back at {resource_name(self.back_at)}."


def gaps_of(steps: Iterable[ChangeStep]) -> list[Gap]:
    """The gaps of a change's steps (all of them, in any order), by ordinal of the step that began each."""
    ordered = sorted(steps, key=lambda step: step.ordinal)
    second = {step.after_id: step for step in ordered if step.after_id is not None and step.action == "put" and step.nic_key}
    returns = {(step.nic_key, step.target_key): step for step in ordered if step.is_return}
    found = []
    for step in ordered:
        half = second.get(step.pk)
        if step.action != "delete" or step.state != StepState.VERIFIED or half is None or half.nic_key != step.nic_key:
            continue
        if half.state == StepState.VERIFIED or half.skip_code == "already":
            continue
        back = returns.get((step.nic_key, step.target_key))
        is_back = back is not None and (back.state == StepState.VERIFIED or back.skip_code == "already")
        until, tap_id = (back.ended_at, tap_of_body(back.body)) if back is not None and is_back else (None, "")
        found.append(Gap(step.nic_id, step.nic_name, step.sent_at or step.verified_at or step.change.created_at, until, tap_id))
    return found


def gap_words(gaps: Sequence[Gap]) -> str:
    """A sentence for each, the first few of many; "" for none."""
    more = f" And {len(gaps) - NAMES_SHOWN} more." if len(gaps) > NAMES_SHOWN else ""
    return " ".join(one.words for one in sorted(gaps, key=lambda one: one.until is not None)[:NAMES_SHOWN]) + more
