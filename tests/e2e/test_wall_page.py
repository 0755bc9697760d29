"""The wall's page in a real browser, on its stand: what people four metres away read, and what the page does when nobody is there."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_map import new_page, until
from tests.e2e.wall_stand import MINUTE_MS, START_MS, WallStand, alarm, alarmed, display, slot, wall_picture, wall_state
from tests.waiting import eventually

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


@pytest.mark.parametrize(("role", "kind"), [("stage", "alarms"), ("picture", "map")])
def test_a_new_alarm_takes_the_stage_and_no_other_screen(new_page: Any, stand: WallStand, role: str, kind: str) -> None:
    stand.state = wall_state(slots=[slot(2)], display=display(role=role))
    page = new_page(viewport=HD)
    problems = open_wall(page, stand)
    until(page, "vtap.wall.view().kind === 'map'")
    stand.show(alarmed(alarm(opened_ms=stand.now_ms)))
    until(page, "vtap.wall.picture().alarms.length === 1 && vtap.wall.stats().drawn > 1")
    until(page, f"vtap.wall.view().kind === '{kind}'")
    stand.show(alarmed(alarm(opened_ms=START_MS - 30 * MINUTE_MS)))
    until(page, "vtap.wall.view().kind === 'map'")
    if role == "stage":
        expect(page.get_by_test_id("strip")).to_contain_text("ilb-collector-uks drops packets")
    else:
        expect(page.get_by_test_id("strip")).to_be_hidden()
    assert problems == []


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160), (1080, 1920)])
def test_no_word_is_smaller_than_18_units_and_nothing_scrolls(new_page: Any, stand: WallStand, size: tuple[int, int]) -> None:
    stand.picture = alarmed(*(alarm(117 + place, opened_ms=START_MS - place * MINUTE_MS) for place in range(9)), TAKEN, more_alarms=5)
    page = new_page(viewport={"width": size[0], "height": size[1]})
    problems = open_wall(page, stand)
    smallest = page.evaluate(
        """() => {
          const u = Math.min(innerWidth / (innerWidth > innerHeight ? 1920 : 1080), innerHeight / (innerWidth > innerHeight ? 1080 : 1920));
          const seen = [...document.querySelectorAll("#wall *")].filter(one => one.offsetParent);
          const told = seen.filter(one => [...one.childNodes].some(node => node.data?.trim()));
          return Math.min(...told.map(one => parseFloat(getComputedStyle(one).fontSize))) / u;
        }"""
    )
    assert smallest >= 17.99
    assert page.evaluate("[document.documentElement.scrollHeight <= innerHeight, document.documentElement.scrollWidth <= innerWidth]") == [True, True]
    assert page.evaluate("getComputedStyle(document.body).cursor") == "none"
    assert problems == []


def test_visitors_see_nothing_of_the_picture_before(new_page: Any, stand: WallStand) -> None:
    stand.picture = alarmed()
    page = new_page(viewport=HD)
    problems = open_wall(page, stand)
    expect(page.get_by_test_id("alarm")).to_contain_text("ilb-collector-uks")
    nameless = alarm(title="Collector 2", sentence="A collector drops packets.", broken_hop=None, happened_before=[], qr="", collector="c2")
    stand.picture = wall_picture(alarms=[nameless], collectors=[], events=[])
    stand.state = wall_state(slots=[slot(4, "scene")], scene="visitors", is_masked=True)
    stand.deed("state")
    expect(page.get_by_test_id("alarm")).to_contain_text("Collector 2")
    expect(page.locator("#wall-head")).to_contain_text("names are hidden")
    assert "ilb-collector-uks" not in page.locator("#wall").inner_text()
    assert problems == []


def test_visitors_see_no_name_although_the_word_that_they_came_was_lost(new_page: Any, stand: WallStand) -> None:
    """Redis is away: the server finds the scene when it looks at its displays, and all that the page gets is a picture without names."""
    stand.picture = alarmed()
    page = new_page(viewport=HD)
    problems = open_wall(page, stand)
    expect(page.get_by_test_id("alarm")).to_contain_text("ilb-collector-uks")
    nameless = alarm(title="Collector 2", sentence="A collector drops packets.", broken_hop=None, happened_before=[], qr="", collector="c2")
    stand.state = wall_state(slots=[slot(4, "scene")], scene="visitors", is_masked=True)
    stand.show(wall_picture(alarms=[nameless], collectors=[], events=[]) | {"is_masked": True})
    expect(page.get_by_test_id("alarm")).to_contain_text("Collector 2")
    expect(page.locator("#wall-head")).to_contain_text("names are hidden")
    expect(page.locator("body")).not_to_contain_text("ilb-collector-uks")
    assert problems == []


def test_no_name_stays_in_the_page_of_visitors_and_none_comes_late(new_page: Any, stand: WallStand) -> None:
    names = ("ilb-collector-uks", "nic-packetlog", "m.ortiz", "vm-collector-01")
    long_ago = START_MS - 30 * MINUTE_MS
    stand.picture, stand.state = alarmed(alarm(opened_ms=long_ago), TAKEN | {"opened_ms": long_ago}), wall_state(slots=[slot(4)])
    page = new_page(viewport=HD)
    problems = open_wall(page, stand)
    stand.state = wall_state(slots=[slot(1)])  # the alarms stay behind it, hidden
    stand.deed("state")
    until(page, "vtap.wall.view().kind === 'overview'")
    assert all(name in page.content() for name in names[:3])
    stand.picture = wall_picture(collectors=[], events=[])
    stand.state = wall_state(slots=[slot(1, "scene")], scene="visitors", is_masked=True)
    stand.deed("state")
    expect(page.locator("#wall-head")).to_contain_text("names are hidden")
    until(page, "vtap.wall.picture()?.collectors.length === 0")
    stand.tell({**alarmed(), "at_ms": stand.now_ms, "is_masked": False})
    stand.show(wall_picture(collectors=[], events=[], counts={"alarms": 0, "untaken": 0, "notices": 0, "muted": 3, "muted_next_ends_ms": None}))
    expect(page.get_by_test_id("muted")).to_have_text("muted 3")
    assert page.evaluate("vtap.wall.picture().alarms.length") == 0
    assert [name for name in names if name in page.content()] == []
    assert problems == []


def test_a_screen_says_its_name_and_dims_and_reports(new_page: Any, stand: WallStand) -> None:
    stand.state = wall_state(
        slots=[slot(4)],
        identify_until_ms=START_MS + 60 * MINUTE_MS,
        dims=[{"from_ms": START_MS - 1, "until_ms": START_MS + 60 * MINUTE_MS, "percent": 40}],
    )
    page = new_page(viewport=HD)
    problems = open_wall(page, stand)
    expect(page.get_by_test_id("identify")).to_contain_text("NOC-2")
    until(page, "document.getElementById('wall-dim').style.opacity === '0.6'")
    until(page, "vtap.wall.stats().reports > 0")
    eventually(lambda: stand.reports, within_s=20, why="a report every five seconds")
    told = stand.reports[-1]
    assert (told["version"], told["view"], told["size"], told["errors"]) == ("v1", 4, [1920, 1080], 0)
    assert problems == []


def test_a_page_of_an_older_version_reads_itself_anew(new_page: Any, stand: WallStand) -> None:
    page = new_page(viewport=HD)
    page.add_init_script("Math.random = () => 0")  # its turn comes first
    open_wall(page, stand)
    page.evaluate("window.isOld = true")
    stand.page_version = "v2"
    stand.state = wall_state(slots=[slot(4)], version="v2")
    stand.deed("state")
    page.wait_for_load_state()
    expect(page.locator("#wall[data-version=v2]")).to_be_attached(timeout=15_000)
    until(page, "window.vtap?.wall?.ready && !window.isOld && vtap.wall.stats().reloaded_why === 'version'")


def test_a_screen_that_is_no_display_any_more_waits_for_its_pairing(new_page: Any, stand: WallStand) -> None:
    page = new_page(viewport=HD)
    open_wall(page, stand)
    stand.status = 401
    stand.deed("state")
    expect(page.get_by_test_id("pairing")).to_be_visible(timeout=15_000)
