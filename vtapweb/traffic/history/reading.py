"""One answer to "what was measured from then to then": the last 15 minutes of the ring and what the backend keeps, on one grid.

Rule 1: a hole is no data; nothing is filled in. Rule 2: the ring goes before the backend where it holds a whole step, since a source may tell late.
"""

from array import array
from collections.abc import Collection
from dataclasses import dataclass

import redis
import structlog

from vtapweb.traffic.history.backend import HistoryBackend
from vtapweb.traffic.history.chunks import SqlHistory
from vtapweb.traffic.history.series import MINUTE, Grid, columns_of, resample
from vtapweb.traffic.ring import ROWS, RingBusyError, RingView, read_ring
from vtapweb.traffic.store import NoStoreError, store

log = structlog.get_logger(__name__)


def history_backend() -> HistoryBackend:
    """The one of this installation."""
    return SqlHistory()


@dataclass(frozen=True, slots=True)
class History:
    """By (collector key, series) its columns on `grid`. A series of which nothing is known in this time is absent.

    `is_newest_missing`: the ring could not be read, so the last minutes lack.
    """

    grid: Grid
    series: dict[tuple[str, str], dict[str, "array[float]"]]
    is_newest_missing: bool

    def column(self, collector_key: str, name: str, column: str) -> "array[float]":
        """One column; all NaN where nothing is known."""
        return self.series.get((collector_key, name), {}).get(column) or self.grid.empty()


def read_history(collector_keys: Collection[str], names: Collection[str], grid: Grid, *, now_s: float) -> History:
    """What these series of these collectors measured. One query, and two round trips to Redis a collector where the time touches the last 15 minutes.

    Raises DatabaseError. Redis that does not answer is said in the answer. Which of it somebody may see is the caller's to decide before.
    """
    kept = history_backend().read(collector_keys, names, grid) if grid.step_s >= MINUTE else {}
    ring_from = int(now_s) - ROWS + 1
    if grid.end_s <= ring_from or not names:
        return History(grid, kept, is_newest_missing=False)
    columns = {f"{name}:{column}" for name in names for column in columns_of(name)}
    try:
        client = store()
        views = {
            key: read_ring(client, key, from_s=max(ring_from, grid.start_s), to_s=min(int(now_s) + 1, grid.end_s), columns=columns)
            for key in collector_keys
        }
    except (NoStoreError, redis.RedisError, RingBusyError) as error:
        log.warning("the newest minutes of a history cannot be read", error=type(error).__name__)
        return History(grid, kept, is_newest_missing=True)
    for key, view in views.items():
        _lay_ring(kept, key, view, grid, ring_from)
    return History(grid, kept, is_newest_missing=False)


def _lay_ring(kept: dict[tuple[str, str], dict[str, "array[float]"]], key: str, view: RingView, grid: Grid, ring_from: int) -> None:
    """The ring over what is kept; of a step that began before the ring did, what is kept goes first."""
    if not view.seconds:
        return
    partial = max(0, -(-(ring_from - grid.start_s) // grid.step_s))  # the first step that the ring holds as a whole
    for label, values in view.columns.items():
        name, _, column = label.rpartition(":")
        if not any(value == value for value in values):
            continue
        newest = resample(view.seconds[0], 1, values, grid)
        made = kept.setdefault((key, name), {one: grid.empty() for one in columns_of(name)})[column]
        for index, value in enumerate(newest):
            if value == value and (index >= partial or made[index] != made[index]):
                made[index] = value
