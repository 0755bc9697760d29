"""Series of numbers over time, as the history keeps and shows them. Pure: no clock, no database.

Rule 1: NaN is "nothing was measured", and stays it: it is never counted as 0 and never bridged. Rule 2: a coarser step holds the mean of what was
measured within it. Rule 3: a point stands for the step that begins at its time (unix seconds, a multiple of the step).
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

TOTAL: Final = "total"  # the series of a whole collector
TOTAL_COLUMNS: Final = ("inner_bits", "wire_bits", "packets", "drops")
SOURCE_COLUMNS: Final = ("bits", "packets")

SECOND, MINUTE, FIVE_MINUTES, HOUR, DAY = 1, 60, 300, 3600, 86_400
POINTS_MOST: Final = 10_000  # of one answer
POINTS_WANTED: Final = 1_500  # of a chart: about one a pixel
STEPS: Final = (1, 5, 15, 60, 300, 900, 3600, 7200, 21_600, 86_400)


def columns_of(name: str) -> tuple[str, ...]:
    """What is kept of a series: its columns, each one float a point, all a second."""
    return TOTAL_COLUMNS if name == TOTAL else SOURCE_COLUMNS


@dataclass(frozen=True, slots=True)
class Grid:
    """`count` points from `start_s` on, one every `step_s`."""

    start_s: int
    step_s: int
    count: int

    @classmethod
    def covering(cls, from_s: float, to_s: float, step_s: int) -> "Grid":
        """The points whose steps touch [from_s, to_s). Raises ValueError where that is empty or more than POINTS_MOST."""
        start = int(from_s // step_s) * step_s
        count = -int(-(to_s - start) // step_s)
        if to_s <= from_s or count < 1:
            raise ValueError("The time ends before it begins.")
        if count > POINTS_MOST:
            raise ValueError(f"That is {count:,} points; at most {POINTS_MOST:,} are answered. Ask for a longer step or a shorter time.")
        return cls(start, step_s, count)

    @property
    def end_s(self) -> int:
        return self.start_s + self.count * self.step_s

    def times(self) -> range:
        return range(self.start_s, self.end_s, self.step_s)

    def empty(self) -> "array[float]":
        return array("f", (nan,)) * self.count


def step_for(from_s: float, to_s: float, *, now_s: float, finest_s: int = SECOND, wanted: int = POINTS_WANTED) -> int:
    """The step, in seconds, that a chart of this time is drawn with: at most `wanted` points, and none finer than what is kept of its oldest part.

    1 s of the last 15 minutes, 1 min of the last 24 hours, 5 min before. `finest_s` is how often the source tells.
    """
    age_s = now_s - from_s
    kept_s = SECOND if age_s <= 15 * MINUTE + 5 else MINUTE if age_s <= DAY + HOUR else FIVE_MINUTES
    least = max(kept_s, finest_s, (to_s - from_s) / wanted)
    return next((step for step in STEPS if step >= least), STEPS[-1])


def mean(values: Sequence[float]) -> float:
    """The mean of what is known; NaN where nothing is."""
    total = sum(values)
    if total == total:  # no NaN among them
        return total / len(values) if values else nan
    known = [one for one in values if one == one]
    return sum(known) / len(known) if known else nan


def means(values: "array[float]", of: int) -> "array[float]":
    """The mean of every `of` values; what is left at the end makes a last one."""
    if of == 1:
        return values[:]
    return array("f", (mean(values[at : at + of]) for at in range(0, len(values), of)))


def lay_over(below: "array[float]", above: "array[float]", at: int) -> None:
    """Writes what is known of `above` into `below` from index `at` on; what lies outside of it is left out."""
    skip, stop = max(0, -at), min(len(above), len(below) - at)
    if stop <= skip:
        return
    part = above[skip:stop]
    total = sum(part)
    if total == total:  # all of it is known
        below[at + skip : at + stop] = part
        return
    for index, value in enumerate(part, at + skip):
        if value == value:
            below[index] = value


def resample(start_s: int, step_s: int, values: "array[float]", grid: Grid) -> "array[float]":
    """Values of a finer or equal step on the grid, NaN where they say nothing. Raises ValueError for a coarser step: nothing is made up."""
    if grid.step_s % step_s:
        raise ValueError(f"A step of {step_s} s does not fit into one of {grid.step_s} s.")
    of = grid.step_s // step_s
    made = grid.empty()
    first = (start_s - grid.start_s) // step_s  # index on a fine grid; may be negative
    if first < 0:
        values, first = values[-first:], 0
    lead = first % of
    if lead:
        values = array("f", (nan,)) * lead + values
    lay_over(made, means(values[: grid.count * of], of) if of > 1 else values, first // of)
    return made


Columns = Mapping[str, "array[float]"]


def merged(parts: Iterable[Columns], names: Sequence[str], grid: Grid) -> dict[str, "array[float]"]:
    """Columns on one grid, each part over those before it."""
    made = {name: grid.empty() for name in names}
    for part in parts:
        for name in names:
            if name in part:
                lay_over(made[name], part[name], 0)
    return made
