"""When a resource that a list no longer holds may be called removed.

Rule 1: absence counts only in a list that was read to its end. Rule 2: a removal that is too large to be believed (more than a third of
what was there, and more than 20) waits for a person: a wrong filter or a broken gateway answers with short lists, too.
"""

from enum import StrEnum

HOLD_ABOVE_COUNT = 20
HOLD_ABOVE_ONE_IN = 3  # a third


class Verdict(StrEnum):
    """What to do with the rows that the list lacks."""

    KEEP = "keep"
    REMOVE = "remove"
    HOLD = "hold"


def removal_verdict(*, is_complete: bool, present_count: int, missing_count: int) -> Verdict:
    """What becomes of `missing_count` rows of the `present_count` that were there before the read.

    Raises ValueError when more is missing than was there.
    """
    if missing_count > present_count:
        raise ValueError(f"{missing_count} of {present_count} can't be missing")
    if not is_complete or not missing_count:
        return Verdict.KEEP
    if missing_count > HOLD_ABOVE_COUNT and missing_count * HOLD_ABOVE_ONE_IN > present_count:
        return Verdict.HOLD
    return Verdict.REMOVE
