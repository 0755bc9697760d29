"""Choosing a TAP on the map: the selected NICs, the panel of TAPs, and what the map lights meanwhile. With the mouse and with keys alone."""

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack
from tests.e2e.test_map import middle_of, until
from tests.e2e.test_walk import open_map


def test_choosing_lights_what_may_go_and_dims_the_rest(admin_page: Page, stack: Stack) -> None:
    page = admin_page
    open_map(page)
    for name in ("web-03", "dc-01", "web-07-ipv6"):
        x, y = middle_of(page, name)
        page.keyboard.down("Shift")
        page.mouse.click(x, y)
        page.keyboard.up("Shift")
    until(page, "vtap.graph.selection().length === 3")
    assert page.evaluate("vtap.graph.stats().lit") is None
    page.keyboard.press("t")
    choices = page.locator("[data-test=choices]")
    expect(choices.locator("[data-test=choices-sentence]")).to_contain_text("of 3 NICs")
    expect(choices).to_contain_text("web-07-ipv6")
    until(page, "vtap.graph.stats().lit > 0")

    refused = choices.locator("[data-test=choice][data-name=tap-destination-gone]")
    refused.hover()
    until(page, "vtap.graph.stats().lit === 0")
    good = choices.locator("[data-test=choice][data-name=tap-ilb-uks]")
    expect(good).to_contain_text("2 of 3")
    good.focus()
    until(page, "vtap.graph.stats().lit > 0")

    page.keyboard.press("Escape")
    expect(choices).to_have_count(0)
    until(page, "vtap.graph.stats().lit === null")
    assert page.evaluate("vtap.graph.selection().length") == 3, "the selection stays"

    page.locator("[data-test=selection-mirror]").click()
    page.locator("[data-test=choice][data-name=tap-ilb-uks]").click()
    page.wait_for_url("**/mirror?**")
    expect(page.locator("[data-test=chooser-sentence]")).to_contain_text("of 3 NICs")


def test_a_collector_is_picked_on_the_map_and_what_was_typed_is_still_there(admin_page: Page, stack: Stack) -> None:
    page = admin_page
    page.goto("/taps/new")
    page.locator("[name=reason]").fill("CASE-9: a second sensor")
    page.locator("[data-test=pick-on-map]").click()
    pick = page.locator("[data-test=pick]")
    expect(pick.locator("[data-test=pick-sentence]")).to_contain_text("may be collectors")
    until(page, "vtap.graph.stats().lit > 0")
    page.evaluate("vtap.graph.idle()")
    page.mouse.click(*middle_of(page, "sql-spare-unattached"))  # attached to no VM
    expect(pick).to_have_count(1)
    page.mouse.click(*middle_of(page, "nic-packetlog-02"))
    page.wait_for_url("**/taps/new?destination=*nic-packetlog-02*")
    expect(page.locator("[name=reason]")).to_have_value("CASE-9: a second sensor")
    expect(page.locator("[name=destination]:checked")).to_have_count(1)

    page.locator("[data-test=pick-on-map]").click()
    expect(pick).to_have_count(1)
    until(page, "vtap.graph.stats().lit > 0")
    page.keyboard.press("Escape")
    until(page, "vtap.graph.stats().lit === null && !location.search.includes('pick=')")
