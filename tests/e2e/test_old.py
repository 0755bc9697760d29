"""Each kind of "old" says so: a line that was lost, a sync that fails. Nothing is removed because of it, and it mends itself."""

import re
from typing import Any

import psutil
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack
from tests.e2e.estate import order
from tests.e2e.test_map import until
from tests.e2e.test_walk import admin_client, as_at_first, boxes, has, open_map
from tests.house.processes import processes_of

__all__ = ["admin_client", "as_at_first"]  # fixtures


def web_process(stack: Stack) -> psutil.Process:
    return next(one for one in processes_of(stack.data_dir) if "vtapweb.config.web" in one.cmdline())


def test_a_killed_web_process_costs_a_countdown_and_no_event(admin_page: Page, stack: Stack, admin_client: Any, as_at_first: None) -> None:
    page = admin_page
    open_map(page)
    before = boxes(page)
    web = web_process(stack)
    web.kill()
    banner = page.locator("[data-test=banner-connection]")
    expect(banner).to_contain_text(re.compile(r"Updates stopped at \d\d:\d\d:\d\d, \d+ s ago\."))
    expect(banner).to_contain_text(re.compile(r"Reconnecting(…| in \d+ s\.)"))
    expect(page.locator("#live-pill")).to_have_attribute("data-state", "stale")
    assert boxes(page) == before, "the last picture stays"
    expect(banner).to_have_count(0, timeout=60_000)
    until(page, "vtap.graph.stats().line === 'open'")
    expect(page.locator("#live-pill")).to_have_attribute("data-state", "live")

    order(stack, "nics/add", subnet="spoke-iot/snet-gw", count=1, stem="after-the-fall", is_attached="true")
    admin_client.sync()
    until(page, has("after-the-fall"))
    after = boxes(page)
    assert {one: after[one] for one in before} == before


def test_a_sync_that_fails_says_since_when_and_removes_nothing(admin_page: Page, stack: Stack, admin_client: Any, as_at_first: None) -> None:
    page = admin_page
    open_map(page)
    before = boxes(page)
    counts = admin_client.sync()["counts"]
    order(stack, "faults", kind="expired_token", every=1)
    run = admin_client.sync()
    assert run["state"] == "failed"
    assert run["counts"] == counts
    banner = page.locator("[data-test=banner-inventory]")
    expect(banner).to_contain_text(re.compile(r"Inventory not synced since .*\d\d:\d\d.* Nothing here was removed because of it\."))
    assert boxes(page) == before
    page.goto("/table/nics")
    expect(page.locator("main")).to_contain_text(re.compile("stale|could not be read", re.IGNORECASE))
    expect(page.locator("[data-test=inventory-pill]")).to_contain_text("Inventory incomplete")
    page.goto("/syncs")
    expect(page.locator("[data-test=runs] tbody tr").first).to_contain_text("failed")
    expect(page.locator("[data-test=lack]").first).to_contain_text(re.compile(r"Last complete .*\d\d:\d\d:\d\d"))
    assert len(admin_client.items("nics")) == counts["nics"]

    order(stack, "faults/clear")
    admin_client.sync()
    open_map(page)
    expect(page.locator("[data-test=banner-inventory]")).to_have_count(0)
    assert boxes(page) == before
