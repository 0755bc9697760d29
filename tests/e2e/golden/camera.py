"""Takes the wall's picture with time held still.

The page's clock is Playwright's: nothing there moves but by `run_for`. It is turned until all is drawn, then the server says its time anew, so that
the wall stands at `START_MS` however many turns that took.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import Page

from tests.e2e.golden.scenes import Scene
from tests.e2e.wall_stand import START_MS, WallStand

SCREENS: Final = {"1080p": {"width": 1920, "height": 1080}, "4K": {"width": 3840, "height": 2160}, "portrait": {"width": 1080, "height": 1920}}
TURN_MS: Final = 20
# Answers come in real time: between two turns there is some, so that the page's clock, by which the foot turns its pages, never runs ahead of it.
BREATH: Final = threading.Event()
BREATH_S: Final = 0.015
MOST_TURNS: Final = 2000
LOST_FOR_MS: Final = 41_000
# Waits between tries to connect are spread by chance; here they are all the middle one.
NO_CHANCE: Final = "Math.random = () => 0.5"
# [words, left, top, width, height] in units of the wall, of all that is written in the page itself.
WORDS: Final = """() => {
  const isTall = innerWidth < innerHeight;
  const u = Math.min(innerWidth / (isTall ? 1080 : 1920), innerHeight / (isTall ? 1920 : 1080));
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const words = node.textContent.trim();
    const of = node.parentElement;
    if (!words || of.closest('script, style, svg') || !of.checkVisibility({ visibilityProperty: true })) continue;
    const { left, top, width, height } = of.getBoundingClientRect();
    if (width && height) found.push([words.slice(0, 60), ...[left, top, width, height].map((px) => Math.round(px / u))]);
  }
  return found;
}"""


class HeldStand(WallStand):
    """A stand on which it is always `START_MS`."""

    @property
    def now_ms(self) -> int:
        return START_MS


def stand_of(scene: Scene) -> WallStand:
    stand = HeldStand(scene.state, scene.picture, scene.snapshot)
    stand.traffic = scene.traffic
    return stand


def turn_until(page: Page, is_so: Callable[[], bool] | str, what: str) -> None:
    for _ in range(MOST_TURNS):
        if page.evaluate(is_so) if isinstance(is_so, str) else is_so():
            return
        page.clock.run_for(TURN_MS)
        BREATH.wait(BREATH_S)
    raise AssertionError(f"never so: {what}; the wall says {page.evaluate('JSON.stringify(window.vtap?.wall?.stats() ?? null)')[:2000]}")


def take(new_page: Callable[..., Page], scene: Scene, screen: str) -> tuple[bytes, list[list[Any]]]:
    """Opens the wall on such a screen and takes its picture. Returns a PNG of the screen's size, and what is written where."""
    page = new_page(viewport=SCREENS[screen], reduced_motion="reduce", locale="en-GB", timezone_id="UTC")
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(NO_CHANCE)
    page.clock.install(time=START_MS / 1000)
    page.clock.pause_at(START_MS / 1000 + 1)
    with stand_of(scene) as stand:
        page.goto(stand.url + "/wall")
        turn_until(page, "() => Boolean(window.vtap?.wall?.ready && vtap.wall.graph())", "the page has its picture and its map")
        page.evaluate("document.fonts.ready.then(() => true)")
        assert page.evaluate(HAS_TYPEFACE), "the wall's typeface was not loaded; the set-up copies it to static/vendor/"
        if scene.bits:
            stand.rates(scene.bits)
            turn_until(page, "() => vtap.wall.rates().taken > 0", "a second of rates has come")
        turn_until(page, IS_DRAWN, "the map is painted")
        page.clock.run_for(2000)  # what is drawn once a second, or once a while, is drawn with all that came
        _stand_still(page, stand, scene)
        if scene.is_cut:
            stand.cut()
            turn_until(page, "() => vtap.wall.line().phase !== 'open'", "the line is lost")
            page.clock.fast_forward(LOST_FOR_MS)
            turn_until(page, "() => vtap.wall.line().phase === 'waiting'", "it waits for its next try")
            page.clock.run_for(100)
        shot = page.screenshot(animations="disabled")
        words = page.evaluate(WORDS)
    assert complaints == []
    return shot, words


HAS_TYPEFACE: Final = "() => [...document.fonts].some(({ family, status }) => family.includes('Inter') && status === 'loaded')"
IS_DRAWN: Final = "() => { const { map } = vtap.wall.stats(); return !map || vtap.wall.graph() && (map.rasters > 0 || !map.size.w || !map.nics); }"


def _stand_still(page: Page, stand: WallStand, scene: Scene) -> None:
    """The newest of everything, said at START_MS, is what the wall shows."""
    if scene.bits:
        taken = page.evaluate("() => vtap.wall.rates().taken")
        stand.rates(scene.bits)
        turn_until(page, f"() => vtap.wall.rates().taken > {taken}", "the last second of rates has come")
    states = page.evaluate("() => vtap.wall.stats().states")
    stand.show(scene.picture)
    stand.deed("state")
    turn_until(page, f"() => vtap.wall.stats().states > {states}", "the server has said its time")
    page.clock.run_for(100)
