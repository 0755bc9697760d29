"""The wall's page in a real browser, on its stand: what people four metres away read, and what the page does when nobody is there."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_map import new_page, until
from tests.e2e.wall_stand import START_MS, WallStand, alarm, alarmed, slot, wall_picture, wall_state

__all__ = ["new_page"]  # a fixture
TAKEN = alarm(116, title="nic-packetlog-01 above 75 %", severity="warning", is_acknowledged=True, is_taken=True, owner="m.ortiz")
HD = {"width": 1920, "height": 1080}


@pytest.fixture
def stand() -> Iterator[WallStand]:
    with WallStand(wall_state(slots=[slot(4)])) as one:
        yield one


def open_wall(page: Page, stand: WallStand) -> list[str]:
    """Opens the wall and waits for its first picture; what the console complains of is in the list that comes back."""
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" and "Failed to load" not in message.text else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(stand.url + "/wall")
    until(page, "window.vtap?.wall?.ready")
    return problems


def test_what_is_broken_is_the_biggest_thing(new_page: Any, stand: WallStand) -> None:
    stand.picture = alarmed(alarm(), TAKEN)
    page = new_page(viewport=HD)
    problems = open_wall(page, stand)
    stage = page.get_by_test_id("alarm")
    expect(stage).to_contain_text("A-117")
    expect(stage).to_contain_text("ilb-collector-uks drops packets")
    expect(stage).to_contain_text("nobody has taken it")
    expect(page.get_by_test_id("alarms")).to_contain_text("m.ortiz has it")
    expect(page.get_by_test_id("demo")).to_be_visible()
    assert abs(page.evaluate("vtap.wall.clock().now_ms") - stand.now_ms) < 60_000, "the server's time, not this machine's"
    assert page.evaluate("Math.abs(vtap.wall.clock().off_s)") > 60, "which is another one"
    assert problems == []


def test_a_lost_line_is_said_and_the_last_picture_stays(new_page: Any, stand: WallStand) -> None:
    page = new_page(viewport=HD)
    problems = open_wall(page, stand)
    until(page, "vtap.wall.line().feed === 'live'")
    stand.cut()
    until(page, "vtap.wall.line().feed === 'lost'")
    expect(page.get_by_test_id("old")).to_contain_text("You are seeing the last picture we trust.")
    expect(page.get_by_test_id("quiet")).to_contain_text("No alarm was open at 03:12.")
    stand.mend()
    until(page, "vtap.wall.line().feed === 'live'")
    expect(page.get_by_test_id("old")).to_be_hidden()
    assert [one for one in problems if "WebSocket" not in one] == []


def test_a_revoked_display_says_so_and_keeps_nothing(new_page: Any, stand: WallStand) -> None:
    page = new_page(viewport=HD)
    problems = open_wall(page, stand)
    stand.revoke()
    expect(page.get_by_test_id("full")).to_contain_text("This display was revoked.")
    assert page.evaluate("[vtap.wall.state(), vtap.wall.picture(), vtap.wall.graph(), document.querySelector('#wall-view').childElementCount]") == [
        None,
        None,
        None,
        0,
    ]
    assert problems == []


def test_a_healthy_room_is_quiet_and_a_pushed_view_comes_in(new_page: Any, stand: WallStand) -> None:
    page = new_page(viewport=HD)
    problems = open_wall(page, stand)
    expect(page.get_by_test_id("muted")).to_have_text("muted 0")
    stand.show(wall_picture(counts={"alarms": 0, "untaken": 0, "notices": 0, "muted": 3, "muted_next_ends_ms": START_MS + 108 * 60_000}))
    expect(page.get_by_test_id("muted")).to_have_text("muted 3 · next ends 05:00")
    stand.state = wall_state(slots=[slot(4, "pushed", until_s=9000)])
    stand.deed("state")
    until(page, "vtap.wall.view().why === 'pushed'")
    assert problems == []
