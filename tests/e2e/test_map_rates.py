"""The map with numbers on its stand: what is drawn of frames and of what the server says, what stops, and what is never shown as a number."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.domain.estates import SIZES, numbered
from tests.e2e.map_stand import MapStand
from tests.e2e.test_map import middle_of, new_page, open_map, stand, until
from tests.vectors.topology import Town, sent

__all__ = ["new_page", "stand"]  # fixtures
GBIT = 1e9
START_S = 1_767_268_800  # 2026-01-01 12:00 UTC


def ids(stand: MapStand, table: str, column: str = "id") -> list[int]:
    """A column of the snapshot as plain values."""
    values = stand.snapshot["columns"][table][column]
    if f"{table}.{column}" not in stand.snapshot["encoding"]["delta"]:
        return list(values)
    total, plain = 0, []
    for step in values:
        total += step
        plain.append(total)
    return plain


class Numbers:
    """Rates by the names of NICs and collectors, sent as frames in the order of the series; who is not named is unknown."""

    def __init__(self, stand: MapStand) -> None:
        self.stand = stand
        nic_names = dict(zip(ids(stand, "nics"), stand.snapshot["columns"]["nics"]["name"], strict=True))
        self.names = [nic_names[nic] for nic in ids(stand, "mirrors", "nic")] + list(stand.snapshot["columns"]["collectors"]["name"])
        self.collectors = dict(zip(stand.snapshot["columns"]["collectors"]["name"], ids(stand, "collectors"), strict=True))
        self.nics = {name: node for node, name in nic_names.items()}
        self.second = START_S

    def send(self, rates: Mapping[str, float], *, series_revision: int | None = None) -> None:
        self.second += 1
        bits = [rates.get(name, math.nan) for name in self.names]
        self.stand.frame(bits, unix_s=self.second, series_revision=series_revision)

    def say(self, *, silent: Mapping[str, str] | None = None, **states: Mapping[str, Any]) -> None:
        """What `GET topology/traffic` answers from now on; `ilb` and `packetlog` name the collectors."""
        named = {"ilb": "ilb-collector-uks", "packetlog": "nic-packetlog-01"}
        self.stand.traffic = {
            "collectors": [self.stand.facts(self.collectors[full], **states.get(short, {})) for short, full in named.items()],
            "silent": [{"id": self.nics[name], "words": words} for name, words in (silent or {}).items()],
        }


def opened(page: Page, stand: MapStand, query: str = "") -> list[str]:
    problems = open_map(page, stand, query)
    until(page, "vtap.graph.stats().line === 'open' && vtap.graph.live().hasFacts")
    return problems


def card(page: Page, name: str) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("name => vtap.graph.cards().find(card => card.name === name)", name)
    return found


def strand(page: Page, nic: str) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("nic => vtap.graph.strands().find(strand => strand.nics.includes(nic))", nic)
    return found


def told(page: Page, node: str | int) -> str:
    """The tooltip of a node, by its name, or its number where several have that name."""
    box = page.evaluate("node => vtap.graph.find(node)", node)
    page.mouse.move(box["x"] + box["w"] / 2, box["y"] + box["h"] / 2)
    words: str = page.locator("#map-tooltip").inner_text()
    page.mouse.move(2, 200)
    return words


def test_rates_are_drawn_as_width_pill_and_share_of_the_capacity(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    numbers.say(ilb={"state": "near", "capacity_bits_per_s": 5e9, "alarm": "A-117"}, packetlog={"capacity_bits_per_s": None})
    page = new_page()
    problems = opened(page, stand)
    numbers.send({"web-01": 2 * GBIT, "web-02": 1 * GBIT, "sql-01": 1e6, "web-05": 0.9 * GBIT, "ilb-collector-uks": 4 * GBIT})
    until(page, "vtap.graph.live().hasRates")
    page.evaluate("vtap.graph.idle()")
    wide, narrow = strand(page, "web-01"), strand(page, "sql-01")
    assert (wide["rate"], wide["known"], wide["look"]) == (3 * GBIT, 2, "flowing")
    assert wide["width"] > 1.5 * narrow["width"]
    assert "3.90 Gb/s" in page.evaluate("vtap.graph.stats().labels")
    near = card(page, "ilb-collector-uks")
    assert (near["state"], near["words"]) == ("near", "▲ near capacity")
    assert near["share"] == pytest.approx((4 + 4 * 400 / 8000) / 5, rel=1e-5), "on the wire: 50 octets more a packet"
    assert math.isnan(card(page, "nic-packetlog-01")["share"]), "no capacity, no share"
    words = told(page, "ilb-collector-uks")
    assert "4.00 Gb/s, 84 % of 5 Gb/s" in words
    assert "▲ near capacity · 84 % · A-117" in words
    expect(page.get_by_test_id("live-pill")).to_contain_text("Live")
    legend = page.get_by_test_id("map-legend")
    expect(legend).to_contain_text("Mirror: the wider, the more flows (1 Mb/s to 10 Gb/s")
    expect(legend).to_contain_text("▲Collector above 75 % of its capacity")
    assert problems == []


def test_not_seeing_is_not_zero(new_page: Any, stand: MapStand) -> None:
    """A measured nought, a collector that cannot tell its sources apart, one that does not report: three looks, and a number only for the first."""
    numbers = Numbers(stand)
    numbers.say(
        ilb={"has_sources": False, "origin": "Azure Monitor", "interval_s": 60, "lag_s": 74, "is_estimate": True}, packetlog={"state": "silent"}
    )
    page = new_page()
    opened(page, stand)
    numbers.send({"sql-01": 0, "ilb-collector-uks": 1.2 * GBIT})
    until(page, "vtap.graph.live().hasRates")
    assert strand(page, "sql-01")["look"] == "quiet"
    for nic, look in {"web-01": "unavailable", "api-01": "stale"}.items():
        assert strand(page, nic)["look"] == look
        assert math.isnan(strand(page, nic)["rate"])
    assert page.evaluate("vtap.graph.live().dots") == 0, "nothing flows that anybody measured"
    assert "ilb-collector-uks: 0 b/s" in told(page, "sql-01")
    assert "ilb-collector-uks: not available here" in told(page, "web-01")
    assert "nic-packetlog-01: no report" in told(page, "api-01")
    assert "about 1.20 Gb/s" in told(page, "ilb-collector-uks")
    words = told(page, numbers.collectors["nic-packetlog-01"])
    assert "no report" in words
    assert not re.search(r"\d b/s", words)


def test_numbers_that_stop_stay_and_are_said_to_be_old(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    page = new_page(reduced_motion="no-preference")
    page.clock.install()
    opened(page, stand)
    numbers.send({"web-01": GBIT, "ilb-collector-uks": GBIT})
    until(page, "vtap.graph.live().hasRates")
    page.clock.fast_forward(7_000)
    banner = page.get_by_test_id("banner-rates")
    expect(banner).to_contain_text(re.compile(r"Live numbers stopped at \d\d:\d\d:\d\d, \d+ s ago\. You are seeing the last picture we trust\."))
    expect(page.get_by_test_id("live-pill")).to_contain_text("Numbers stopped")
    expect(page.locator("#map")).to_have_attribute("data-rates", "stale")
    assert page.evaluate("vtap.graph.live().isRunning") is False
    assert strand(page, "web-01")["rate"] == GBIT, "the last picture stays"
    numbers.send({"web-01": 2 * GBIT, "ilb-collector-uks": 2 * GBIT})
    expect(banner).to_have_count(0)
    assert page.evaluate("vtap.graph.live().isStopped") is False


def test_a_lost_line_tells_since_when_the_numbers_are_old(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    page = new_page()
    opened(page, stand)
    numbers.send({"web-01": GBIT})
    until(page, "vtap.graph.live().hasRates")
    stand.cut()
    expect(page.get_by_test_id("banner-connection")).to_contain_text("Live numbers stopped at")
    expect(page.get_by_test_id("banner-connection")).to_contain_text(re.compile(r"Reconnecting( in \d+ s\.|…)"))
    expect(page.get_by_test_id("banner-rates")).to_have_count(0)
    assert page.evaluate("vtap.graph.live().isStopped") is True


def test_a_frame_of_another_order_of_series_is_not_drawn(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    page = new_page()
    opened(page, stand)
    numbers.send({"web-01": GBIT}, series_revision=stand.snapshot["series_revision"] + 1)
    until(page, "vtap.rates.stats().foreign === 1")
    assert page.evaluate("vtap.graph.live().hasRates") is False
    assert strand(page, "web-01")["look"] == "unmeasured"


def test_bits_or_packets_stays_in_the_address(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    page = new_page()
    opened(page, stand)
    numbers.send({"ing-01": 8e8, "ing-02": 0, "ing-03": 0, "spk-01": 0})
    until(page, "vtap.graph.live().hasRates")
    page.get_by_test_id("units").get_by_role("radio", name="packets/s").click()
    page.wait_for_url("**/*unit=packets*")
    page.evaluate("vtap.graph.idle()")
    assert "100 k pkt/s" in page.evaluate("vtap.graph.stats().labels")
    page.reload()
    opened(page, stand, "?" + page.url.partition("?")[2])
    expect(page.get_by_test_id("units").get_by_role("radio", name="packets/s")).to_be_checked()
    page.get_by_test_id("units").get_by_role("radio", name="bits/s").click()
    page.wait_for_url(lambda address: "unit=" not in address)


def test_a_collectors_panel_follows_the_numbers_and_names_who_sends_most(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    numbers.say()
    page = new_page()
    opened(page, stand)
    numbers.send({"web-01": 2 * GBIT, "ing-01": GBIT, "ilb-collector-uks": 3 * GBIT})
    page.mouse.click(*middle_of(page, "ilb-collector-uks"))
    talkers = page.get_by_test_id("talkers").locator(".map-talker")
    expect(talkers).to_have_text(["web-012.00 Gb/s", "ing-011.00 Gb/s"])
    numbers.send({"web-01": 0.5 * GBIT, "ing-01": 1.5 * GBIT, "ilb-collector-uks": 2 * GBIT})
    expect(talkers).to_have_text(["ing-011.50 Gb/s", "web-01500 Mb/s"])
    expect(page.get_by_test_id("live-state")).to_have_text("● ok")
    expect(page.locator("#panel")).to_contain_text("2.00Gb/s in")
    talkers.first.get_by_role("link").click()
    expect(page.get_by_test_id("panel-name")).to_have_text(f"Node {numbers.nics['ing-01']}")
    expect(page.locator("#panel .map-live")).to_contain_text("→ ilb-collector-uks1.50 Gb/s")


def test_a_silent_nic_is_marked_and_told_in_words(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    numbers.say(silent={"web-02": "Nothing came from it for 5 min. A-118"})
    page = new_page()
    opened(page, stand)
    assert page.evaluate("vtap.graph.live().silent") == [numbers.nics["web-02"]]
    assert "∅ Nothing came from it for 5 min. A-118" in told(page, "web-02")
    expect(page.get_by_test_id("map-legend")).to_contain_text("NIC, mirrored, but nothing arrives")
    page.mouse.click(*middle_of(page, "web-02"))
    expect(page.locator("#panel .map-live")).to_contain_text("Mirrored, but nothing arrives. Nothing came from it for 5 min. A-118")


def test_a_state_that_changes_is_asked_for_at_once_and_announced(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    numbers.say()
    page = new_page()
    opened(page, stand)
    numbers.say(packetlog={"state": "dropping", "drops_per_s": 1240})
    stand.push({"kind": "health", "deed": "state", "state": "dropping", "collector_key": "x", "alarm": None})
    until(page, "vtap.graph.cards().some(card => card.state === 'dropping')")
    expect(page.locator("#announcer")).to_contain_text("nic-packetlog-01: dropping.")
    assert "⬢ dropping 1.24 k pkt/s" in told(page, numbers.collectors["nic-packetlog-01"])


def test_the_tree_tells_rates_to_who_cannot_see_them(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    page = new_page()
    opened(page, stand)
    numbers.send({"sql-01": 0.25 * GBIT})
    until(page, "vtap.graph.live().hasRates")
    page.mouse.click(*middle_of(page, "sql-01"))
    tree = page.get_by_test_id("map-tree")
    active = page.locator(f"#{tree.get_attribute('aria-activedescendant')}")
    expect(active).to_contain_text("sql-01, mirrored, → ilb-collector-uks: 250 Mb/s")


def test_dots_run_where_something_flows_and_stand_where_motion_is_unwanted(new_page: Any, stand: MapStand) -> None:
    numbers = Numbers(stand)
    rates = dict.fromkeys(numbers.names, GBIT)
    moving = new_page(reduced_motion="no-preference")
    problems = opened(moving, stand)
    numbers.send(rates)
    until(moving, "vtap.graph.live().isRunning && vtap.graph.live().dots > 20")
    moving.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    until(moving, "!vtap.graph.live().isRunning")
    moving.evaluate("Object.defineProperty(document, 'hidden', { value: false, configurable: true })")
    numbers.send(rates)
    until(moving, "vtap.graph.live().isRunning")
    moving.evaluate("vtap.graph.pauseTime(5)")
    until(moving, "!vtap.graph.live().isRunning")
    calm = new_page(reduced_motion="reduce")
    problems += opened(calm, stand)
    numbers.send(rates)
    until(calm, "vtap.graph.live().dots > 20")
    assert calm.evaluate("vtap.graph.live().isRunning") is False
    assert problems == []


@pytest.mark.parametrize("size", ["M", pytest.param("L", marks=pytest.mark.long)])
def test_a_large_estate_with_everything_flowing_is_painted_in_time(new_page: Any, size: str, record_property: Any) -> None:
    """The time spent in a frame of dots, and in a picture of new numbers; the pace of frames is kept in the report, for a busy machine sets it."""
    with MapStand(sent(Town().look(numbered(*SIZES[size])), 1)) as crowded:
        page = new_page(reduced_motion="no-preference")
        open_map(page, crowded)
        until(page, "vtap.graph.stats().line === 'open'")
        count = len(crowded.snapshot["series"])
        for second in range(3):
            crowded.frame([1e6 + 1e5 * (place % 977) for place in range(count)], unix_s=START_S + second)
        until(page, "vtap.rates.stats().taken === 3 && vtap.graph.live().isRunning")
        page.evaluate("async () => { for (let i = 0; i < 90; i++) await new Promise(requestAnimationFrame); }")
        live = page.evaluate("vtap.graph.live()")
        record_property("live", json.dumps(live))
        assert live["dots"] <= 240
        assert live["frame_ms"] <= 8
        assert live["live_ms"] <= {"M": 60, "L": 150}[size]
