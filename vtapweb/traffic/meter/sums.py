"""Sums of what may not be known."""

from collections.abc import Iterable


def sum_of_known(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    total: float | None = None
    for value in values:
        if value is not None:
            total = value if total is None else total + value
    return total


def sum_of_all(values: Iterable[float | None]) -> float | None:
    """None where one of them is not known, or there is none."""
    total: float | None = None
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
    return total
