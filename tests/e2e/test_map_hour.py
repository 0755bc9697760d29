"""One hour of rates on an open map, played as fast as the page takes it: its memory ends where it began."""

import json
import math
from collections.abc import Callable
from typing import Any

from playwright.sync_api import CDPSession, Page

from tests.domain.estates import numbered
from tests.e2e.map_stand import MapStand
from tests.e2e.test_map import new_page, open_map, until
from tests.vectors.topology import Town, sent

__all__ = ["new_page"]  # a fixture
HOUR_S = 3_600
WARM_S = 300  # more than a sparkline holds, with a change of each kind
A_CHANGE_EVERY_S, A_MIRROR_EVERY_S = 30, 150
AHEAD_S = 60
MOST_GROWTH = 5_000_000
START_S = 1_767_268_800  # 2026-01-01 12:00 UTC


class Estate:
    """A map of 2,470 mirrors on its stand (a frame has 20 kB), where NICs come and go, and a mirror ends and begins again."""

    def __init__(self, stand: MapStand) -> None:
        self.stand = stand
        self.second = 0
        self.series = list(stand.snapshot["series"])
        self.mirror_count = stand.snapshot["counts"]["mirrors"]
        self.last_mirror = self._last_row("mirrors")
        self.nic = {**self._last_row("nics"), "state": 0}
        self.bits = [1e6 * (1 + place % 97) for place in range(len(self.series))]

    def _last_row(self, table: str) -> dict[str, Any]:
        columns = self.stand.snapshot["columns"][table]
        delta = self.stand.snapshot["encoding"]["delta"]
        return {name: sum(values) if f"{table}.{name}" in delta else values[-1] for name, values in columns.items()}

    def play(self, page: Page, seconds: int) -> None:
        """Faster than the page can take it, but never more ahead than a minute."""
        for _ in range(seconds):
            self.second += 1
            if self.second % A_MIRROR_EVERY_S == 0:
                self._toggle_mirror()
            elif self.second % A_CHANGE_EVERY_S == 0:
                row = {**self.nic, "id": 1_000_000 + self.second, "name": f"come-{self.second:04}"}
                self._change({"nics": {"upsert": [row], "remove": [row["id"] - A_CHANGE_EVERY_S, row["id"] - 2 * A_CHANGE_EVERY_S]}})
            share = 1 + math.sin(self.second / 60) / 2
            self.stand.frame([one * share for one in self.bits], unix_s=START_S + self.second)
            if self.second % AHEAD_S == 0:
                until(page, "vtap.rates.stats().taken === given", self.second)

    def _toggle_mirror(self) -> None:
        is_there = len(self.bits) == len(self.series)
        place = self.mirror_count - 1
        now = [*self.series[:place], *self.series[place + 1 :]] if is_there else self.series
        self.bits = [1e6 * (1 + index % 97) for index in range(len(now))]
        self.stand.snapshot["series_revision"] += 1
        change = {"upsert": [], "remove": [self.last_mirror["id"]]} if is_there else {"upsert": [self.last_mirror], "remove": []}
        self._change({"mirrors": change}, series=now)

    def _change(self, tables: dict[str, Any], series: list[str] | None = None) -> None:
        snapshot = self.stand.snapshot
        delta = {
            "revision": f"n{self.second}", "built_at": snapshot["built_at"], "tables": tables, "counts": snapshot["counts"],
            "world": snapshot["world"], "subscriptions": None, "series_revision": snapshot["series_revision"], "series": series,
        }  # fmt: skip
        self.stand.push({"kind": "topology", "revision": f"n{self.second}", "delta": delta, "is_refetch": False})


def octets_held(page: Page, session: CDPSession) -> int:
    """JavaScript's heap, what the DOM holds for it, and the buffers behind typed arrays, after everything that can go has gone."""
    page.evaluate("vtap.graph.idle()")
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    return int(sum(usage[name] for name in ("usedSize", "embedderHeapUsedSize", "backingStorageSize")))


def test_an_hour_of_frames_leaves_the_memory_of_the_page_as_it_was(
    new_page: Callable[..., Page], record_property: Callable[[str, object], None]
) -> None:
    with MapStand(sent(Town().look(numbered(100, 5_000, 2_470, 14, 3)), 1)) as stand:
        page = new_page()
        problems = open_map(page, stand)
        until(page, "vtap.graph.stats().line === 'open'")
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.enable")
        estate = Estate(stand)
        estate.play(page, WARM_S)
        before = octets_held(page, session)
        estate.play(page, HOUR_S)
        after = octets_held(page, session)
        stats = page.evaluate("vtap.rates.stats()")
        assert (stats["foreign"], stats["state"], stats["unix_s"]) == (0, "live", START_S + WARM_S + HOUR_S)
        assert stats["octets"] < 3_000_000
        record_property("heap", json.dumps({"before": before, "after": after}))
        assert after - before < MOST_GROWTH
        assert problems == []
