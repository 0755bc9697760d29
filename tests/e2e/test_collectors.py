"""Collectors in the browser: live rates on list and page, and one chart that ranges, units, zoom and keys all work on."""

import re

from playwright.sync_api import Page, expect

RATE = re.compile(r"^[\d.]+ [kMGT]?b/s$")


def test_live_rates_and_a_chart_that_stays_one(admin_page: Page) -> None:
    page = admin_page
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto("/")
    page.locator("[data-test=nav-collector]").click()
    row = page.locator("[data-test=collector]", has_text="ilb-collector-uks")
    expect(row.locator("[data-rate][data-unit=bits]")).to_have_text(RATE, timeout=60_000)
    expect(row).to_contain_text(" old")
    row.locator(".table__name").click()
    expect(page.locator("[data-test=bits]")).to_have_text(RATE)
    expect(page.locator("[data-test=source-row]").first).to_be_visible()

    chart, words = page.locator("[data-test=chart]"), page.locator("[data-test=chart-words]")
    expect(words).to_contain_text("One point a second", timeout=60_000)
    place = page.locator("[data-chart-place]")
    place.focus()
    place.press("ArrowLeft")
    expect(words).to_have_text(re.compile(r"^\d\d:\d\d:\d\d UTC: "))
    page.locator("[data-test=unit-packets]").click()
    place.focus()
    place.press("ArrowLeft")
    expect(words).to_have_text(re.compile(r" UTC: (no data|[\d.]+ (k )?pkt/s)$"))

    plot = page.locator("[data-test=chart] .u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 60, steps=4)
    page.mouse.up()
    expect(page.locator("[data-test=zoom-out]")).to_be_visible()
    assert int(chart.get_attribute("data-ready") or 0) < 400
    place.press("0")
    expect(page.locator("[data-test=zoom-out]")).to_be_hidden()

    page.locator("[data-test=range-24h]").click()
    expect(chart).to_have_attribute("data-ready", re.compile(r"^144\d$"))
    page.locator("[data-test=chart-fold] summary").click()
    expect(page.locator("[data-chart-rows] tr").first).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:00"))
    expect(page.locator(".uplot")).to_have_count(1)
    assert errors == []


def test_a_nic_leads_to_its_collector_and_has_a_chart_of_its_own(admin_page: Page) -> None:
    page = admin_page
    page.goto("/collectors")
    page.locator("[data-test=collector]", has_text="ilb-collector-uks").locator(".table__name").click()
    source = page.locator("[data-test=source-row] .table__name").first
    expect(source).to_be_visible(timeout=60_000)
    page.goto(str(source.get_attribute("href")))
    route = page.locator("[data-test=route]")
    expect(route).to_contain_text("Goes to ilb-collector-uks")
    expect(route.locator("[data-test=chart-words]")).to_contain_text("One point a second", timeout=60_000)
