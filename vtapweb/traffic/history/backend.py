"""What keeps the history: an interface, so that larger estates can keep it in a time-series database of theirs."""

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vtapweb.traffic.history.series import Grid


@dataclass(frozen=True, slots=True)
class Minutes:
    """What one collector measured in whole minutes from `start_s` on: by series (series.TOTAL, or a source's id) and column, one float a minute."""

    collector_key: str
    start_s: int
    series: Mapping[str, Mapping[str, "array[float]"]]


class HistoryBackend(Protocol):
    """Rule: the same minutes may be written again, with the same result; what is NaN in them never replaces what is kept."""

    def write(self, minutes: Sequence[Minutes]) -> None:
        """Keeps them all, or raises and may be called again with the same."""

    def read(self, collector_keys: Collection[str], names: Collection[str], grid: Grid) -> dict[tuple[str, str], dict[str, "array[float]"]]:
        """By (collector key, series), each column on the grid, NaN where nothing is kept. What was never kept is absent."""
