"""A Redis that takes questions and never answers costs each of them its whole timeout: whoever waited in vain once asks no more for some seconds.

Rule: one that refuses costs nothing and is asked each time, so that it is seen at once when it is back. One state for each process.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import redis

REST_S: Final = 5.0


class Patience:
    """`clock` counts seconds and is set by nobody."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until_s = float("-inf")

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around questions to Redis. Raises redis.TimeoutError without asking while there is no use."""
        if self._clock() < self._until_s:
            raise redis.TimeoutError("Redis did not answer a moment ago, and is asked again in some seconds")
        try:
            yield
        except redis.TimeoutError:
            self._until_s = self._clock() + REST_S
            raise

    def forget(self) -> None:
        """It is another Redis now."""
        self._until_s = float("-inf")


patience = Patience()
