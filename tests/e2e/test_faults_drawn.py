"""Whatever goes away, nobody is shown a wrong number: every frame that a client of the socket, a map and a collector's page get is held against what
was sent, through kill -9 of each process, Redis stopped for a minute and killed, the database locked, and a clock that is set. No false alarm either.

    steady documents of three members of two collectors ──> web ──> meter ──> hub ──> [reader] [map] [page of a collector]
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page

from tests.drills.clocks import Clock
from tests.drills.steady import Played, Reader, Steady, played
from tests.e2e.quiet import Quiet, quiet, wrong_frames, wrong_words
from tests.house.processes import processes_named
from tests.waiting import eventually

pytestmark = pytest.mark.long

BALANCED, SINGLE = "ilb-collector-uks", "nic-packetlog-01"
BACK_S = 150  # until all is right again; on a busy machine
CHILDREN = {"web": "vtapweb.config.web", "meter": " meter", "watch": " watch", "worker": "work@", "valkey": "valkey-server"}


class Scene:
    """The installation with its steady collectors, and those who look."""

    def __init__(
        self, stage: Quiet, plan: Played, reader: Reader, map_page: Page, collector_page: Page, record: Callable[[str, object], None]
    ) -> None:
        self.stage = stage
        self.plan = plan
        self.reader = reader
        self.map_page = map_page
        self.collector_page = collector_page
        self._record = record
        listed = stage.installation.ask("collectors")["items"]
        self.cards = {one["name"]: plan.truth[one["key"]] for one in listed if one["key"] in plan.truth}

    def is_right(self, after: str) -> None:
        """Everything is shown again, nothing wrong was shown since the beginning, and nobody was alarmed."""
        began = time.monotonic()
        self.reader.wait_for(self.plan.truth, within_s=BACK_S, why=f"true numbers after {after}")
        self._record(f"{after}, back after s", round(time.monotonic() - began, 1))
        began_frames = self.map_page.evaluate("window.seenFrames.length")
        shown = "given => window.seenFrames.slice(given[0]).some(one => given[1].every(key => key in one.rates))"
        eventually(lambda: self.map_page.evaluate(shown, [began_frames, list(self.plan.truth)]), within_s=BACK_S, why=f"the map after {after}")
        assert self.reader.wrong(self.plan.truth) == [], after
        assert wrong_frames(self.map_page, self.plan.truth, self.cards) == [], after
        assert wrong_words(self.collector_page, self.cards[BALANCED]) == [], after
        assert [(one["name"], one["severity"], one["sentence"]) for one in self.stage.alarms()] == [], after

    def processes(self, child: str) -> list[psutil.Process]:
        return processes_named(self.stage.installation.data_dir, CHILDREN[child])

    def kill(self, child: str) -> None:
        victims = self.processes(child)
        assert victims, child
        for victim in victims:
            victim.kill()
        gone = {victim.pid for victim in victims}
        eventually(lambda: {one.pid for one in self.processes(child)} - gone, within_s=60, why=f"another {child}")


@contextmanager
def scene(browser: Browser, record: Callable[[str, object], None], **environment: str) -> Iterator[Scene]:
    with ExitStack() as held:
        stage = held.enter_context(quiet(**environment))
        plan = played(stage.installation, BALANCED, SINGLE)
        for secret, member, sources in plan.members:
            held.enter_context(Steady(stage.installation.address, secret, member, sources))
        reader = held.enter_context(Reader(stage.installation))
        reader.wait_for(plan.truth, within_s=60, why="true numbers at first")
        reader.drawn.clear()
        context = stage.context(browser)
        held.callback(context.close)
        map_page = stage.open_map(context, list(plan.truth))
        listed = stage.installation.ask("collectors")["items"]
        balanced = next(one["key"] for one in listed if one["name"] == BALANCED)
        collector_page = stage.open_collector(context, balanced)
        yield Scene(stage, plan, reader, map_page, collector_page, record)


def lasting(seconds: float) -> None:
    """The time that a fault lasts."""
    threading.Event().wait(seconds)


def test_nothing_wrong_is_drawn_while_parts_of_the_product_go_away(browser: Browser, record_property: Callable[[str, object], None]) -> None:
    with scene(browser, record_property) as here:
        for child in ("web", "meter", "watch", "worker"):
            here.kill(child)
            here.is_right(f"kill -9 of the {child}")

        (valkey,) = here.processes("valkey")
        valkey.suspend()
        try:
            eventually(lambda: here.map_page.evaluate("vtap.rates.stats().state") == "stale", within_s=60, why="the map says that it is old")
            lasting(60)
        finally:
            valkey.resume()
        here.is_right("a minute without Redis")
        here.kill("valkey")
        here.is_right("kill -9 of Redis")

        began = len(here.reader.drawn)
        with sqlite3.connect(here.stage.installation.data_dir / "vtapweb.sqlite3", isolation_level=None, timeout=60) as database:
            database.execute("BEGIN EXCLUSIVE")
            lasting(30)
            database.execute("ROLLBACK")
        database.close()
        record_property("frames while the database was locked for 30 s", len(here.reader.drawn) - began)
        here.is_right("a locked database")
        record_property("frames", len(here.reader.drawn))


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_nothing_wrong_is_drawn_when_the_servers_clock_is_set(
    browser: Browser, tmp_path: Path, record_property: Callable[[str, object], None], step_s: int
) -> None:
    clock = Clock(tmp_path)
    with scene(browser, record_property, **clock.environment) as here:
        steadily = here.reader.drawn[-1].unix_s
        assert abs(steadily - time.time()) < 60
        clock.set_by(step_s)
        eventually(lambda: abs(here.reader.drawn[-1].unix_s - time.time() - step_s) < 60, within_s=BACK_S, why="the server's clock has moved")
        here.is_right(f"a clock set by {step_s} s")
        lasting(45)  # longer than all grace, and than silence may last before it alarms
        here.is_right(f"45 s after a clock set by {step_s} s")
