"""Means over the last seconds, of counts that only grow: a few marks of where they stood, whatever the number of readings."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Marks(Generic[T]):
    """Where something stood at moments of measured time: milliseconds that only pass while rates are known.

    At most one mark every `step_ms`, `count` in all, so that memory and work do not depend on how often something is read.
    """

    __slots__ = ("_marks", "_step_ms")

    def __init__(self, *, step_ms: int, count: int) -> None:
        self._step_ms = step_ms
        self._marks: deque[tuple[int, T]] = deque(maxlen=count)

    def is_due(self, known_ms: int) -> bool:
        """Whether the next mark may be put."""
        return not self._marks or known_ms - self._marks[-1][0] >= self._step_ms

    def put(self, known_ms: int, value: T) -> None:
        self._marks.append((known_ms, value))

    def values(self) -> Iterator[T]:
        return (value for _, value in self._marks)

    def replace(self, by: Callable[[T], T]) -> None:
        """Each value by what `by` makes of it."""
        self._marks = deque([(at_ms, by(value)) for at_ms, value in self._marks], maxlen=self._marks.maxlen)

    def clear(self) -> None:
        self._marks.clear()

    def before(self, known_ms: int, window_ms: int, *, least_ms: int = 0) -> tuple[int, T] | None:
        """The newest mark that is at least `window_ms` old, with its age; else the oldest one if it covers `least_ms`, or half of that; else None."""
        marks = self._marks
        if not marks:
            return None
        is_young = known_ms - marks[0][0] <= window_ms
        place = 0 if is_young else bisect_right(marks, known_ms - window_ms, key=_at) - 1
        at_ms, value = marks[place]
        age_ms = known_ms - at_ms
        return (age_ms, value) if age_ms > 0 and age_ms >= (least_ms or window_ms / 2) else None


def _at(mark: tuple[int, object]) -> int:
    return mark[0]
