"""An installation whose collectors nobody plays but the test, and pages of it that keep every number they show."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.drills.stack import Installation, Simulator, custom, simulator
from tests.drills.steady import is_about
from tests.e2e.conftest import sign_in
from tests.e2e.test_map import READY, until
from tests.house.processes import Up

# Of each frame that the page took: when it came by the browser's clock, what it is of, and the known values (bits/s) of these series and of cards.
KEEP_FRAMES = """keys => {
  const seen = window.seenFrames = [];
  let last = vtap.rates.stats().taken;
  setInterval(() => {
    const { taken, unix_s, state } = vtap.rates.stats();
    if (taken === last) return;
    last = taken;
    const known = (values) => Object.fromEntries(values.filter(([, value]) => value !== null && !Number.isNaN(value)));
    seen.push({ arrived_s: Date.now() / 1000, unix_s, state, rates: known(keys.map(key => [key, vtap.rates.of(key).bits])),
      cards: known(vtap.graph ? vtap.graph.cards().map(card => [card.name, card.rate]) : []) });
  }, 20);
}"""
# Every text that the collector's page shows as its rate.
KEEP_WORDS = """() => {
  const seen = window.seenWords = [];
  setInterval(() => {
    const words = document.querySelector("[data-test=bits]")?.textContent.trim();
    if (words !== undefined && words !== seen.at(-1)) seen.push(words);
  }, 50);
}"""
UNITS = {"b/s": 1.0, "kb/s": 1e3, "Mb/s": 1e6, "Gb/s": 1e9}


def bits_of(words: str) -> float:
    """ "16.0 Mb/s" as a number; NaN for words that tell no rate."""
    figure, _, unit = words.partition(" ")
    try:
        return float(figure) * UNITS[unit]
    except (ValueError, KeyError):
        return math.nan


@dataclass(frozen=True)
class Quiet:
    """One installation with the estate S and no agents but the test's."""

    installation: Installation
    azure: Simulator
    up: Up
    password: str

    def context(self, browser: Browser) -> BrowserContext:
        size: Any = {"width": 1440, "height": 900}
        return browser.new_context(base_url=self.installation.address, viewport=size, locale="en-GB", timezone_id="UTC")

    def open_map(self, context: BrowserContext, keys: list[str]) -> Page:
        """The map, signed in, which keeps its frames of these series."""
        page = context.new_page()
        sign_in(page, "admin", self.password)
        page.goto("/")
        until(page, READY)
        until(page, "vtap.graph.stats().line === 'open' && vtap.graph.stats().counts.nics > 0")
        page.evaluate(KEEP_FRAMES, keys)
        return page

    def open_collector(self, context: BrowserContext, key: str) -> Page:
        """The page of a collector, in a context that is signed in, which keeps its rate's words."""
        page = context.new_page()
        page.goto(f"/collectors/{key}")
        page.locator("[data-test=bits]").wait_for()
        page.evaluate(KEEP_WORDS)
        return page

    def alarms(self) -> list[dict[str, Any]]:
        """All alarms there ever were."""
        found: list[dict[str, Any]] = self.installation.ask("alarms?limit=1000")["items"]
        return found


@contextmanager
def quiet(**environment: str) -> Iterator[Quiet]:
    """`environment`: of the processes of `up`, beside what names the simulator."""
    with simulator("S", page_size=1000) as azure, TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        with Up(data_dir, "--no-demo", **custom(azure.url), **environment) as started:
            installation = Installation(data_dir)
            installation.sign_in(started.ready())
            password = started.line(r"^vtapweb: sign in: admin / (\S+)$").group(1)
            yield Quiet(installation, azure, started, password)


def wrong_frames(page: Page, truth: Mapping[str, float], cards: Mapping[str, float]) -> list[Any]:
    """What the page's frames and cards showed that was neither unknown nor true."""
    return [
        (one["unix_s"], name, shown[name], wanted)
        for one in page.evaluate("window.seenFrames")
        for shown, true in ((one["rates"], truth), (one["cards"], cards))
        for name, wanted in true.items()
        if name in shown and not is_about(shown[name], wanted)
    ]


def wrong_words(page: Page, wanted: float) -> list[str]:
    """Each rate the collector's page showed that was not true; three figures are shown, so half of the last one is allowed."""
    shown: list[str] = page.evaluate("window.seenWords")
    return [words for words in shown if not math.isnan(bits_of(words)) and abs(bits_of(words) - wanted) > 0.025 * wanted]
