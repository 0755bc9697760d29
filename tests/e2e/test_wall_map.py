"""The map on a wall, on the wall's stand: large enough to read, still while nothing changes, and what is broken is the biggest thing."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.domain.estates import SIZES, numbered, story
from tests.e2e.test_map import new_page, until
from tests.e2e.test_wall_page import open_wall
from tests.e2e.wall_stand import WallStand, slot, wall_state
from tests.vectors.topology import Town, add_vnet, sent

__all__ = ["new_page"]  # a fixture
HD = {"width": 1920, "height": 1080}
SCREENS = {"1080p": HD, "4K": {"width": 3840, "height": 2160}, "portrait": {"width": 1080, "height": 1920}}
# What is written on any canvas: its words with their height on the screen.
WATCH_TYPE = """
  window.written = [];
  const fill = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    const px = parseFloat(/([0-9.]+)px/.exec(this.font)[1]);
    const { a, b } = this.getTransform();
    if (/[A-Za-z0-9]{2,}/.test(text) && this.canvas.isConnected) window.written.push([text, px * Math.hypot(a, b)]);
    return fill.call(this, text, ...rest);
  };
"""


def facts(node: int, state: str, **more: Any) -> dict[str, Any]:
    plain = {
        "id": node, "state": state, "words": "", "rules": [], "alarm": "" if state == "ok" else "A-117", "capacity_bits_per_s": 1e10,
        "drops_per_s": None, "origin": "agent", "interval_s": 1, "lag_s": 0, "arrived_ms": None, "has_sources": True, "is_estimate": False,
        "members": 2, "members_missing": 0,
    }  # fmt: skip
    return plain | more


def broken(stand: WallStand, *states: str) -> None:
    """The collectors of the snapshot have these states, in turn."""
    nodes = stand.snapshot["columns"]["collectors"]["id"]
    if "collectors.id" in stand.snapshot["encoding"]["delta"]:
        nodes = [sum(nodes[: place + 1]) for place in range(len(nodes))]
    stand.traffic = {"collectors": [facts(node, states[place % len(states)]) for place, node in enumerate(nodes)], "silent": []}


def stand_of(size: str = "S") -> WallStand:
    snapshot = sent(Town().look(story() if size == "S" else numbered(*SIZES[size])), 1)
    return WallStand(wall_state(slots=[slot(2)]), snapshot=snapshot)


def opened(page: Page, stand: WallStand) -> list[str]:
    problems = open_wall(page, stand)
    until(page, "vtap.wall.stats().map?.rasters > 0 && vtap.wall.stats().map.nics > 0")
    return problems


def map_stats(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("vtap.wall.stats().map")
    return found


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("size", ["S", "M"])
def test_every_word_is_at_least_18_units_high_and_what_is_broken_is_named(new_page: Any, size: str, screen: str) -> None:
    with stand_of(size) as stand:
        broken(stand, "ok", "dropping")
        page = new_page(viewport=SCREENS[screen])
        page.add_init_script(WATCH_TYPE)
        problems = opened(page, stand)
        stand.rates()
        marked = "vtap.wall.stats().map.marks.some(mark => mark.label && mark.kind === 'collector')"
        until(page, marked + " && vtap.wall.rates().taken > 0 && written.length > 0")
        stats = map_stats(page)
        small = page.evaluate("least => [...new Set(written.filter(([, px]) => px < least).map(JSON.stringify))]", 18 * stats["unit"] - 0.05)
        assert [json.loads(one) for one in small] == []
        assert stats["unit"] == pytest.approx(2 if screen == "4K" else 1)
        assert stats["dots"] == 0
        large = [mark for mark in stats["marks"] if mark["label"]]
        assert [mark["kind"] for mark in large[:1]] == ["collector"]
        assert all("dropping" in mark["words"] for mark in large if mark["kind"] == "collector")
        assert all(mark["ring"]["w"] >= 70 * stats["unit"] for mark in large if mark["size"] == "large")
        assert (
            page.locator(".wall-mark__label:visible strong").first.evaluate("one => parseFloat(getComputedStyle(one).fontSize)") >= 20 * stats["unit"]
        )
        assert problems == []


def test_nothing_is_painted_while_nothing_changes_and_once_for_each_second_of_rates(new_page: Any) -> None:
    with stand_of() as stand:
        page = new_page(viewport=HD)
        problems = opened(page, stand)
        for taken in range(1, 4):
            stand.rates()
            until(page, f"vtap.wall.rates().taken >= {taken}")
        drawn = page.evaluate(
            """async () => {
              const stats = () => vtap.wall.stats().map;
              const [before, began] = [stats(), performance.now()];
              while (stats().draws < before.draws + 3) await new Promise(requestAnimationFrame);
              return { draws: stats().draws - before.draws, rasters: stats().rasters - before.rasters, moves: stats().moves - before.moves,
                frames: stats().frames - before.frames, ms: performance.now() - began };
            }"""
        )
        assert drawn["ms"] >= 1500, "three drawings take more than two seconds less a beat's haste"
        assert (drawn["rasters"], drawn["moves"]) == (0, 0)
        assert drawn["frames"] <= 2 * drawn["draws"]
        assert problems == []


def test_a_vnet_more_is_shown_without_a_blank_and_without_a_jump(new_page: Any) -> None:
    town, estate = Town(), story()
    before = sent(town.look(estate), 1)
    add_vnet(estate)
    after = sent(town.look(estate), 2)
    with WallStand(wall_state(slots=[slot(2)]), snapshot=before) as stand:
        page = new_page(viewport=HD)
        problems = opened(page, stand)
        jumps = map_stats(page)["jumps"]
        page.evaluate(
            """() => {
              window.blanks = 0;
              const look = () => {
                const shown = [...document.querySelectorAll('canvas[data-layer=base]')].filter(one => !one.hidden && one.width > 10);
                if (shown.length !== 1 || !document.querySelector('.wall-map__stage').checkVisibility({visibilityProperty: true})) window.blanks++;
                requestAnimationFrame(look);
              };
              look();
            }"""
        )
        stand.snapshot = after
        stand.tell({"kind": "topology", "seq": after["seq"], "revision": after["revision"], "delta": None, "is_refetch": True})
        until(page, f"vtap.wall.stats().map.revision === {json.dumps(after['revision'])}")
        until(page, "vtap.wall.stats().map.draws > 2")
        stats = map_stats(page)
        assert (stats["jumps"], page.evaluate("blanks")) == (jumps, 0)
        assert problems == []


def test_a_masked_picture_leaves_nothing_of_the_other(new_page: Any) -> None:
    with stand_of() as stand:
        broken(stand, "dropping")
        page = new_page(viewport=HD)
        page.add_init_script(WATCH_TYPE)
        problems = opened(page, stand)
        until(page, "vtap.wall.stats().map.marks.length > 0")
        for table in ("vnets", "subnets", "nics", "collectors", "regions"):
            names = stand.snapshot["columns"][table]["name"]
            stand.snapshot["columns"][table]["name"] = [f"{table[:-1]} {place + 1}" for place in range(len(names))]
        stand.snapshot["revision"] = "masked"
        stand.state |= {"scene": "visitors", "is_masked": True}
        stand.deed("state")
        until(page, "vtap.wall.state().is_masked && vtap.wall.stats().map.revision === 'masked' && vtap.wall.stats().map.marks.length > 0")
        expect(page.locator(".wall-mark__label:visible strong").filter(has_text="collector").first).to_be_visible()
        page.evaluate("written.length = 0")  # what was written before the server said it is no matter; from now on everything is painted once more
        page.set_viewport_size({"width": 1900, "height": 1080})
        until(page, "written.some(([text]) => text === 'vnet 1')")
        said = page.evaluate("[...new Set(written.map(([text]) => text)), document.querySelector('.wall-map').textContent].join('|')")
        assert "vnet 1" in said
        assert not [name for name in ("hub-uks", "spoke-crm", "ilb-collector", "web-01") if name in said]
        assert problems == []


def test_a_window_of_another_shape_shows_everything_at_once(new_page: Any) -> None:
    with stand_of() as stand:
        page = new_page(viewport=HD)
        problems = opened(page, stand)
        first = map_stats(page)
        page.set_viewport_size({"width": 1080, "height": 1920})
        until(page, f"vtap.wall.stats().map.view.k !== {first['view']['k']}")
        stats = map_stats(page)
        bounds = stand.snapshot["world"]
        assert bounds["w"] * stats["view"]["k"] <= stats["size"]["w"]
        assert problems == []
