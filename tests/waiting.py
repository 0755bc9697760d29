"""Waiting on a condition, never for a time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(ask: Callable[[], T], *, within_s: float, why: str = "") -> T:
    """The first truthy answer. Raises AssertionError with the last answer when there was none in time."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{why or 'the condition'}: not within {within_s:g} s; last answer {answer!r}")
        pause.wait(0.05)
