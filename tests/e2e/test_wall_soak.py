"""A screen that nobody touches: hours of what happens to it, played as fast as its page can take it, and every accident that it must survive alone.

The page is the real one in a real browser; time, the network and the server are played (played_wall.py). `--long`: a day without a reload.
"""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from tests.e2e.memory import Held
from tests.e2e.played_wall import ALARMS, COLLECTOR, DAY_S, HOUR_S, MAP, OVERVIEW, SOURCES, Play, PlayedStand, World
from tests.e2e.test_map import new_page

__all__ = ["new_page"]  # a fixture
START_MS = 1_792_879_200_000  # 2026-10-24 22:00 UTC: in London 23:00, midnight is an hour away, and at 01:00 UTC the clocks go back
WARM_S = 1200
MOST_IN_AN_HOUR, MOST_IN_A_DAY = 1_500_000, 5_000_000  # octets
MOST_NODES = 60
SMALL = {"width": 240, "height": 135}  # what is drawn is the same, only smaller: painting is not what is measured


@pytest.fixture
def play(new_page: Callable[..., Page]) -> Iterator[Play]:
    with PlayedStand(World(START_MS)) as stand:
        yield Play(new_page(viewport=SMALL), stand)


def grown(before: Held, after: Held) -> dict[str, int]:
    return {"octets": after.octets - before.octets, "nodes": after.nodes - before.nodes, "listeners": after.listeners - before.listeners}


def is_as_the_server_says(play: Play) -> None:
    """The last picture, the last map and the last second of rates, as they stand in the page and as they are drawn."""
    play.quiet()
    play.run(30)
    play.look()
    page, world = play.page, play.world
    told_ms = page.evaluate("vtap.wall.picture().at_ms")
    assert play.at_ms - told_ms <= 2000
    assert page.evaluate("vtap.wall.picture()") == json.loads(json.dumps(world.picture(told_ms)))
    state = world.state(play.at_ms)
    seen = page.evaluate("vtap.wall.state()")
    assert {name: seen[name] for name in ("display", "scene", "is_masked", "version", "views")} == {
        name: state[name] for name in ("display", "scene", "is_masked", "version", "views")
    }
    assert page.evaluate("vtap.wall.graph().revision") == world.snapshot(play.at_ms)["revision"]
    of_ms = int(page.evaluate("vtap.wall.rates().unix_s") * 1000)
    assert play.at_ms - of_ms <= 1000
    rows = page.evaluate("[...document.querySelectorAll('.load')].filter((one) => !one.hidden).map((one) => one.innerText.replace(/\\s+/g, ' '))")
    names = world.snapshot(play.at_ms)["columns"]["collectors"]["name"]
    assert len(rows) == 2
    for row, name, bits in zip(rows, names, world.rates(of_ms), strict=True):
        assert name in row, (row, name)
        assert f"{bits / 1e9:.2f} Gb/s" in row, (row, bits)
    words = page.locator(".wall").inner_text()
    assert "No alarm" in words or "none open" in words
    assert play.problems == []


def test_an_hour_leaves_the_page_as_it_was(play: Play, record_property: Callable[[str, object], None]) -> None:
    play.tell("clockOff(-7 * 3600000)")
    play.run(WARM_S)
    before = play.held()
    play.tell("clockOff(3 * 3600000)")
    play.run(HOUR_S - WARM_S)
    after = play.held()
    record_property("grown", json.dumps(grown(before, after)))
    stats = play.page.evaluate("vtap.wall.stats()")
    assert stats["reloads"] == 0
    assert stats["frames"] > 3400
    assert play.views >= {OVERVIEW, MAP, SOURCES, ALARMS, COLLECTOR}
    assert len(play.moves) > 4, "it moves by some pixels now and then"
    assert play.looked > 40
    assert after.octets - before.octets < MOST_IN_AN_HOUR
    assert after.nodes - before.nodes < MOST_NODES
    assert after.listeners <= before.listeners
    is_as_the_server_says(play)


def test_whatever_becomes_of_the_machine_or_the_network_the_page_comes_back(play: Play) -> None:
    play.run(120)
    play.sleep(2 * HOUR_S + 55 * 60 - 120, is_steady=False)  # to five minutes before the clocks go back
    play.run(30)
    play.look()
    play.run(420)
    for off_ms in (3 * HOUR_S * 1000, -play.at_ms, -5 * HOUR_S * 1000):
        play.tell(f"clockOff({off_ms})")
        play.run(30)
    play.sleep(HOUR_S, is_steady=True)
    play.run(60)
    play.tell("network('mute')")
    play.run(150, look=False)
    assert "vtapweb does not answer this screen." in play.page.locator(".wall").inner_text()
    play.tell("network('up')")
    play.run(60)
    is_as_the_server_says(play)


def test_a_network_that_is_gone_for_a_day_and_what_is_read_anew_after_it(play: Play) -> None:
    page, world, stand = play.page, play.world, play.stand
    play.run(60)
    play.tell("network('gone')")
    play.stand.sockets.clear()
    play.run(60, look=False)
    assert "next try in" in page.locator(".wall").inner_text() or "trying now" in page.locator(".wall").inner_text()
    play.tell("hide(true)")  # a browser lets a hidden page's timers come once a minute
    play.run(DAY_S, look=False, batch_s=HOUR_S)
    play.tell("hide(false)")
    play.tell("network('up')")
    world.is_quiet = True
    play.run(60)
    play.look()
    # A day is over: the nightly reload brings another cookie, and the old one ends ten minutes later.
    world.reload_ms = play.at_ms + 20_000
    stand.deed("state")
    play.run(60)
    assert page.evaluate("[vtap.wall.stats().reloads, vtap.wall.stats().reloaded_why]") == [1, "daily"]
    assert len(stand.tokens) == 2
    # The server comes back with other scripts: the page reads itself anew within five minutes.
    world.version = "v2"
    stand.deed("state")
    assert play.run_until("vtap.wall.stats().reloaded_why === 'version' && vtap.wall.stats().version === 'v2'", within=400) <= 330
    # Frames stop: the page notices, at most once in ten minutes; and when the machine's clock was put back since, it does not wait for hours.
    play.tell("stick()")
    play.run_until("vtap.wall.stats().reloaded_why === 'stuck'", within=60)
    play.run(300)
    play.tell("stick()")
    play.run(60, look=False)
    assert page.evaluate("vtap.wall.stats().reloads") == 3
    play.tell("clockOff(-6 * 3600000)")
    play.run_until("vtap.wall.stats().reloads === 4", within=60)
    first, last = stand.tokens.values()
    assert (first is not None, last) == (True, None)
    play.run(max(0, (first or 0) - play.at_ms) // 1000 + 30)  # the old cookie has ended
    is_as_the_server_says(play)


@pytest.mark.long
def test_a_day_leaves_the_page_as_it_was(play: Play, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]) -> None:
    """Shown with `-s`: octets, nodes and listeners at the end of each hour."""
    screen = pytestconfig.get_terminal_writer()
    hours: list[Held] = []
    for hour in range(25):  # the first one warms it up
        play.run(HOUR_S, batch_s=290)
        hours.append(play.held())
        screen.line(f"hour {hour}: {hours[-1]}")
        screen.flush()
    before, after = hours[0], hours[-1]
    record_property("grown", json.dumps(grown(before, after)))
    assert play.page.evaluate("vtap.wall.stats().reloads") == 0
    assert after.octets - before.octets < MOST_IN_A_DAY
    assert after.nodes - before.nodes < MOST_NODES
    assert after.listeners <= before.listeners
    is_as_the_server_says(play)
