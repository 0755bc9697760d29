"""The views of the wall in a real browser, on its stand: what stands where, how large, and that nothing is made anew each second."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_map import new_page, until
from tests.e2e.test_wall_page import open_wall
from tests.e2e.wall_stand import GBIT, MINUTE_MS, START_MS, WallStand, alarm, alarmed, collector, display, slot, wall_picture, wall_state

__all__ = ["new_page"]  # a fixture
HD = {"width": 1920, "height": 1080}
SIZES = {"1080p": HD, "4K": {"width": 3840, "height": 2160}, "portrait": {"width": 1080, "height": 1920}}
OVERVIEW, SOURCES, COLLECTOR = 1, 3, 5
HOSTILE = "ilb-<img src=x onerror=alert(1)>-" + "production-westeurope-" * 5 + "Ω" * 30
# Words that are too small for four metres, that stick out of the screen, or that are cut off without a sign.
UNREADABLE = """() => {
  const view = document.querySelector('.wall-view:not([hidden])');
  const u = Math.min(innerWidth / (innerWidth < innerHeight ? 1080 : 1920), innerHeight / (innerWidth < innerHeight ? 1920 : 1080));
  const box = document.querySelector('.wall-main').getBoundingClientRect();
  const found = [];
  for (const one of view.querySelectorAll('*')) {
    const isText = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!isText || !one.checkVisibility() || one.closest('.wall-map')) continue;
    const style = getComputedStyle(one);
    const at = one.getBoundingClientRect();
    if (parseFloat(style.fontSize) < 18 * u - 0.01) found.push(`small: ${one.className} ${style.fontSize}`);
    if (at.left < -8 || at.right > innerWidth + 8 || at.bottom > box.bottom + 8) {
      found.push(`outside: ${one.className} ${Math.round(at.right)} ${Math.round(at.bottom)}`);
    }
    const hasSign = style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none';
    const isCut = style.display !== 'inline' && one.scrollWidth > one.clientWidth + 2;
    if (isCut && !hasSign) found.push(`cut: ${one.className} ${one.textContent.slice(0, 40)}`);
  }
  return found;
}"""

# Left and right end of each collector's bar, px.
BARS = """() => [...document.querySelectorAll('.load:not([hidden]) .load-bar')].map((one) => {
  const { left, right } = one.getBoundingClientRect();
  return `${Math.round(left)}–${Math.round(right)}`;
})"""
# How many sources stand in each column.
COLUMNS = """() => {
  const columns = {};
  for (const one of document.querySelectorAll('.source:not([hidden])')) {
    const left = Math.round(one.getBoundingClientRect().left);
    columns[left] = (columns[left] ?? 0) + 1;
  }
  return Object.values(columns);
}"""


def standing(view: int, picture: dict[str, Any], *, of: str = "ilb-collector-uks", **more: Any) -> WallStand:
    """A display to which this view was pushed, so that no alarm takes its place."""
    state = wall_state(slots=[slot(view, "pushed")], **more)
    state["views"]["5"]["options"] = {"collector": of}
    return WallStand(state, picture)


def many(count: int, **of_first: Any) -> dict[str, Any]:
    """A picture of so many collectors, 40 of them told, all well but the first if it is said to be something else."""
    collectors = [collector(f"ilb-{place:02}", bits_per_s=(7 - place * 0.1) * GBIT) for place in range(min(40, count))]
    if collectors and of_first:
        collectors[0] |= of_first
    broken = {of_first["state"]: 1} if "state" in of_first else {}
    return wall_picture(collectors=collectors, collector_counts={"total": count, "ok": count - len(broken), **broken})


def hostile() -> dict[str, Any]:
    """Long names with markup and no place to break, in everything that has a name."""
    told = alarm(
        title=f"{HOSTILE} drops",
        sentence=HOSTILE * 3,
        owner=HOSTILE,
        broken_hop={"kind": "peering", "name": HOSTILE, "words": HOSTILE, "since_ms": None},
    )
    picture = alarmed(told, alarm(118, title=HOSTILE), alarm(119, severity="warning", title="short"), alarm(120, title="one more"))
    collectors = [{**one, "key": f"c{place}", "name": f"{place}{HOSTILE}"} for place, one in enumerate(picture["collectors"] * 5)]
    sources = [{**one, "nic": HOSTILE, "vnet": HOSTILE, "collector": collectors[0]["name"]} for one in picture["sources"] * 3]
    return picture | {"collectors": collectors, "collector_counts": {"total": 63, "ok": 62, "dropping": 1}, "sources": sources}


def text(page: Page, selector: str) -> list[str]:
    found: list[str] = page.evaluate(
        "(selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility()).map((one) => one.textContent)", selector
    )
    return found


@pytest.fixture
def opened(new_page: Any) -> Iterator[Any]:
    """Opens a wall of a size; at the end nothing may have been complained of."""
    told: list[list[str]] = []

    def opened(stand: WallStand, viewport: dict[str, int] = HD) -> Page:
        page: Page = new_page(viewport=viewport)
        told.append(open_wall(page, stand))
        return page

    yield opened
    assert [one for problems in told for one in problems if "WebSocket" not in one] == []


def test_the_overview_puts_what_is_broken_first_and_counts_the_rest(opened: Any) -> None:
    silenced = alarm(116, is_acknowledged=True, owner="m.ortiz")
    with standing(OVERVIEW, alarmed(alarm(), *(alarm(number) for number in (118, 119, 120)), silenced)) as stand:
        page = opened(stand)
        expect(page.get_by_test_id("loud-alarm")).to_have_count(3)
        expect(page.get_by_test_id("loud-alarm").first).to_contain_text("nobody has taken it")
        expect(page.get_by_test_id("loud-alarm").first).to_contain_text("First broken: vm-collector-01, its interface is full, since 03:05")
        expect(page.get_by_test_id("loud-more")).to_have_text("and 1 more alarm · 1 acknowledged")
        assert text(page, ".load .load__state")[0] == "⬢ dropping 2.1 % of packets · A-117"
        assert text(page, ".load .load__share")[0] == "116 %"
        assert text(page, ".load .load__of")[0] == "of 10 Gb/s"
        sizes = page.evaluate(
            "['.loud__title', '.load__name', '.wall-figure__value'].map((one) => parseFloat(getComputedStyle(document.querySelector(one)).fontSize))"
        )
        assert sizes[0] > max(sizes[1:]), "what is broken is the biggest thing, totals are small"


def test_a_healthy_overview_is_quiet(opened: Any) -> None:
    with standing(OVERVIEW, wall_picture()) as stand:
        page = opened(stand)
        expect(page.locator(".louds")).to_be_hidden()
        assert page.evaluate("[...document.querySelectorAll('.load:not([hidden])')].map((one) => one.dataset.tone)") == ["fine", "fine"]
        stand.show(alarmed())
        expect(page.get_by_test_id("loud-alarm")).to_have_count(1)
        stand.show(wall_picture())
        expect(page.locator(".louds")).to_be_hidden()


def test_soon_after_a_start_nobody_says_that_all_is_well(opened: Any) -> None:
    picture = wall_picture()
    picture["judging"] |= {"settled_ms": START_MS + 3 * MINUTE_MS}
    with standing(OVERVIEW, picture) as stand:
        page = opened(stand)
        expect(page.get_by_test_id("head-alarms")).to_have_text("0alarmsnone yet, rules wait until 03:15")
        stand.show(wall_picture())
        expect(page.get_by_test_id("head-alarms")).to_have_text("0alarmsnone open")


def test_on_a_tall_screen_the_collectors_have_what_the_map_does_not_fill(opened: Any) -> None:
    with standing(OVERVIEW, wall_picture()) as stand:
        page = opened(stand, SIZES["portrait"])
        until(page, "vtap.wall.graph() && vtap.wall.stats().views.overview.share < 50")
        map_px, loads_px = page.evaluate("['.overview__map', '.loads'].map((one) => document.querySelector(one).clientHeight)")
        assert map_px < loads_px
        assert page.evaluate("vtap.wall.stats().map.size.h * vtap.wall.stats().map.unit * 1.8") == pytest.approx(map_px, abs=4)


def test_in_a_room_only_the_stage_takes_the_alarms(opened: Any) -> None:
    with standing(OVERVIEW, alarmed(), display=display(role="picture")) as stand:
        page = opened(stand)
        expect(page.get_by_test_id("loud-more")).to_have_text("⬢ A-117, on the stage of NOC Leeds")
        assert page.get_by_test_id("loud-alarm").count() == 0


@pytest.mark.parametrize(
    ("count", "tier", "shown", "rest"), [(0, "large", 0, ""), (1, "large", 1, ""), (5, "roomy", 5, ""), (63, "tight", 12, "51 more, all ok")]
)
def test_collectors_fill_their_column(opened: Any, count: int, tier: str, shown: int, rest: str) -> None:
    with standing(OVERVIEW, many(count)) as stand:
        page = opened(stand)
        until(page, f"vtap.wall.stats().views.overview.tier === '{tier}'")
        assert page.evaluate("vtap.wall.stats().views.overview.collectors") in range(shown - 1, shown + 1)
        assert len(text(page, ".load")) == page.evaluate("vtap.wall.stats().views.overview.collectors")
        assert bool(text(page, ".loads__rest")) == bool(rest)
        assert bool(text(page, ".loads__none")) == (count == 0)
        assert len(set(page.evaluate(BARS))) <= 1, "bars are compared with each other"


def test_one_that_does_not_report_loses_its_colour_alone_and_says_since_when(opened: Any) -> None:
    late = START_MS - 6 * MINUTE_MS
    picture = many(5, state="silent", heard_ms=late, measured_ms=late, bits_per_s=None, alarm="A-117")
    picture["collectors"][1] |= {
        "state": "none",
        "bits_per_s": None,
        "heard_ms": None,
        "measured_ms": None,
        "interval_s": None,
        "capacity_bits_per_s": None,
        "spark": [],
    }
    with standing(OVERVIEW, picture) as stand:
        page = opened(stand)
        states, rates = text(page, ".load .load__state"), text(page, ".load .load__rate")
        assert states[:3] == ["◌ no report for 6 min · A-117", "– no live numbers yet", "● ok"]
        assert rates[0] == "last 6.66 Gb/s, 6 min ago"
        assert rates[1] == "never reported"
        assert text(page, ".load .load__share")[:2] == ["—", "—"]
        assert page.evaluate("[...document.querySelectorAll('.load')].map((one) => one.dataset.tone)") == ["stale", "fine", "fine", "fine", "fine"]
        assert len(set(page.evaluate(BARS))) == 1, "also where there is no curve beside"


def test_one_that_falls_silent_is_stale_by_its_own_interval_while_the_feed_goes_on(opened: Any) -> None:
    picture = wall_picture()
    picture["collectors"][0] |= {"heard_ms": START_MS + 1, "stale_after_s": 3.0}  # not moved along by the stand: it speaks no more
    picture["collectors"][1] |= {"heard_ms": START_MS + 1, "stale_after_s": 600.0}
    with standing(OVERVIEW, picture) as stand:
        page = opened(stand)
        until(page, "document.querySelectorAll('.load')[0].dataset.tone === 'stale'")
        assert page.evaluate("document.querySelectorAll('.load')[1].dataset.tone") == "fine"


def test_while_the_feed_is_lost_collectors_keep_what_was_last_known(opened: Any) -> None:
    with standing(OVERVIEW, wall_picture()) as stand:
        page = opened(stand)
        shares = text(page, ".load .load__share")
        stand.cut()
        until(page, "vtap.wall.line().feed === 'lost'")
        now = page.evaluate("vtap.wall.clock().now_ms")
        until(page, f"vtap.wall.clock().now_ms > {now} + 4000")  # beyond their own intervals
        assert text(page, ".load .load__share") == shares
        assert page.evaluate("[...document.querySelectorAll('.load')].map((one) => one.dataset.tone)") == ["fine", "fine"], (
            "that we do not see is not theirs"
        )


def test_rows_are_made_once_and_their_number_is_bounded(opened: Any) -> None:
    with standing(OVERVIEW, many(40)) as stand:
        page = opened(stand)
        stand.show(alarmed(*(alarm(number) for number in range(100, 120))))
        expect(page.get_by_test_id("loud-alarm")).to_have_count(3)
        stand.show(many(40))
        expect(page.locator(".louds")).to_be_hidden()
        page.evaluate("window.firstRow = document.querySelector('.load')")
        elements = page.evaluate("vtap.wall.stats().elements")
        for turn in range(12):
            count = (40, 3, 12)[turn % 3]
            stand.show(alarmed(*(alarm(turn + 1),) * (turn % 4 + 1)) if turn % 2 else many(count))
            number = len((stand.picture or {})["collectors"])
            until(page, f"vtap.wall.picture().collectors.length === {number}")
        stand.show(many(40))
        until(page, "vtap.wall.picture().collectors.length === 40")
        expect(page.locator(".louds")).to_be_hidden()
        assert page.evaluate("document.querySelector('.load') === window.firstRow")
        row = page.evaluate("1 + document.querySelector('.load').querySelectorAll('*').length")
        # A busy machine may skip a picture, so that a layout with one row more comes only now; twelve turns that made rows anew would be hundreds.
        assert page.evaluate("vtap.wall.stats().elements") <= elements + 2 * row


def test_one_collector_in_full(opened: Any) -> None:
    with standing(COLLECTOR, alarmed(sources_of={"ilb-collector-uks": wall_picture()["sources"]})) as stand:
        page = opened(stand)
        expect(page.get_by_test_id("one-rate")).to_have_text("11.6")
        expect(page.get_by_test_id("one-alarm")).to_contain_text("A-117 ilb-collector-uks drops packets")
        assert text(page, ".one__share-figure") == ["116 %"]
        assert text(page, ".one__fact dd") == ["29.0 k pkt/s, 2.1 % of packets", "2 of 2 report", "40", "agent, every 1 s"]
        assert "of 10 Gb/s" in text(page, ".one__share .one__small")[0]
        until(page, "[...document.querySelectorAll('.one__sources .source__name')].length > 3")
        late = START_MS - 6 * MINUTE_MS
        told = wall_picture()
        told["collectors"][0] |= {"state": "silent", "heard_ms": late, "measured_ms": late, "bits_per_s": None}
        stand.show(told)
        expect(page.get_by_test_id("one-rate")).to_have_text("no data")
        assert text(page, ".one__state") == ["◌ no report for 6 min · since 03:06"]
        stand.show(wall_picture(collectors=[], collector_counts={"total": 0}))
        expect(page.locator(".wall-said").first).to_contain_text("is not told of this view's collector")


def test_frames_move_the_figures(opened: Any) -> None:
    with standing(COLLECTOR, wall_picture(), of="ilb-collector-uks") as stand:
        node = next(row for row, name in enumerate(stand.snapshot["columns"]["collectors"]["name"]) if name == "ilb-collector-uks")
        ids = sorted(stand.snapshot["columns"]["collectors"]["id"])
        own = stand.snapshot["columns"]["collectors"]["id"][node]
        assert stand.picture is not None
        stand.picture["collectors"][0] |= {"id": own}
        page = opened(stand)
        until(page, "vtap.wall.graph()")
        place = len(stand.snapshot["series"]) - len(ids) + ids.index(own)
        stand.rates([3.21e9 if at == place else 1e8 for at in range(len(stand.snapshot["series"]))])
        expect(page.get_by_test_id("one-rate")).to_have_text("3.21")
        assert ", " not in text(page, ".one__sources .part-head__of")[0], "all that send to it are measured"


def test_sources_are_the_largest_of_how_many(opened: Any) -> None:
    with standing(SOURCES, wall_picture()) as stand:
        page = opened(stand)
        assert text(page, ".sources-view__words")[0].startswith("12 of 18 mirrors · ")
        assert text(page, ".source__name")[:2] == ["web-01", "web-02"]
        assert text(page, ".source__rate")[0] == "1.10 Gb/s"
        assert page.evaluate(COLUMNS) == [12]
        some = wall_picture()["sources"]
        stand.show(wall_picture(sources=[*some, *some[:5]]))
        until(page, "vtap.wall.stats().views.sources.shown === 17")
        assert page.evaluate(COLUMNS) == [9, 8]
        stand.show(wall_picture(sources=[]))
        expect(page.locator(".wall-said").first).to_have_text("Not known: of 18 mirrors none is measured now.")


@pytest.mark.parametrize("size", list(SIZES))
def test_everything_can_be_read_from_four_metres(opened: Any, size: str) -> None:
    with standing(OVERVIEW, hostile(), of="c0") as stand:
        page = opened(stand, SIZES[size])
        for view, kind in ((OVERVIEW, "overview"), (SOURCES, "sources"), (COLLECTOR, "collector")):
            stand.state["slots"] = [slot(view, "pushed")]
            stand.deed("state")
            until(page, f"vtap.wall.view().kind === '{kind}'")
            page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert page.evaluate(UNREADABLE) == [], kind
            assert page.evaluate(
                "[document.documentElement.scrollHeight <= innerHeight, document.querySelectorAll('#wall-view img:not([class])').length]"
            ) == [True, 0]
