"""The last 15 minutes of some collectors in steps of 15 s, for the small curves beside their numbers.

Rule 1: what was read is kept, so a turn reads what came since, and again what a source that tells late may have changed. Rule 2: a step of which
nothing is known is None, never 0.
"""

import math
from array import array
from collections.abc import Mapping
from typing import Final

import redis

from vtapweb.traffic.history.series import mean
from vtapweb.traffic.ring import NAN, ROWS, TOTALS, read_total

STEP_S: Final = 15
STEPS: Final = ROWS // STEP_S
MOST_NEW: Final = 4  # curves read from their beginning in one turn: it takes 900 small reads each


class Sparks:
    """The curves of one scope's collectors."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[int, float | None]] = {}  # by collector, then by the unix second that a step begins with

    def read(self, client: "redis.Redis", lag_of: Mapping[str, float], *, now_s: float) -> None:
        """Bring the curves of these collectors up to now; `lag_of` is how late each one's numbers may be, in seconds. Two round trips.

        Raises redis.RedisError. Of collectors that are new only MOST_NEW are read in one turn; those that are not named any more are forgotten.
        """
        until_s = int(now_s) // STEP_S * STEP_S
        first_s = until_s - ROWS + STEP_S  # the step before is being written over
        self._kept = {key: {at: one for at, one in steps.items() if at >= until_s - ROWS} for key, steps in self._kept.items() if key in lag_of}
        new = [key for key in lag_of if not self._kept.get(key)][:MOST_NEW]
        wanted = {
            key: range(first_s if key in new else self._from_s(key, first_s, until_s - STEP_S * (1 + math.ceil(lag / STEP_S))), until_s)
            for key, lag in lag_of.items()
            if key in new or self._kept.get(key)
        }
        found = read_total(client, wanted, TOTALS[0])
        for key, seconds in wanted.items():
            steps = self._kept.setdefault(key, {})
            values = found.get(key, array("f", [NAN]) * len(seconds))
            for at in range(0, len(seconds), STEP_S):
                of_step = mean(values[at : at + STEP_S])
                steps[seconds[at]] = of_step if of_step == of_step else None

    def _from_s(self, key: str, first_s: int, again_from_s: int) -> int:
        return max(first_s, min(max(self._kept[key]) + STEP_S, again_from_s))

    def curve(self, key: str, *, now_s: float) -> list[float | None] | None:
        """Sixty steps, the newest whole one last; None where it was not read."""
        steps = self._kept.get(key)
        until_s = int(now_s) // STEP_S * STEP_S
        return None if steps is None else [steps.get(at) for at in range(until_s - ROWS, until_s, STEP_S)]
