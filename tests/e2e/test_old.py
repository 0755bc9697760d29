"""Each kind of "old" says so: a line that was lost, a sync that fails. Nothing is removed because of it, and it mends itself."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Stack, sign_in
from tests.e2e.estate import OVER, Client, order
from tests.e2e.test_map import until
from tests.e2e.test_walk import admin_client, as_at_first, boxes, has, open_map
from tests.house.processes import Up, processes_named
from tests.waiting import eventually

__all__ = ["admin_client", "as_at_first"]  # fixtures


def web_process(stack: Stack) -> psutil.Process:
    return next(iter(processes_named(stack.data_dir, "vtapweb.config.web")))


def test_a_killed_web_process_costs_a_countdown_and_no_event(admin_page: Page, stack: Stack, admin_client: Any, as_at_first: None) -> None:
    page = admin_page
    open_map(page)
    before = boxes(page)
    web = web_process(stack)
    web.kill()
    banner = page.locator("[data-test=banner-connection]")
    expect(banner).to_contain_text(re.compile(r"(Updates|Live numbers) stopped at \d\d:\d\d:\d\d, \d+ s ago\."))
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


@pytest.fixture
def eager_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation of its own that syncs every ten seconds."""
    data_dir = tmp_path_factory.mktemp("eager") / "data"
    with Up(data_dir, VTAPWEB_SYNC_INTERVAL_S="10") as up:
        address = up.ready()
        simulator = up.line(r"^vtapweb: simulated Azure .*: (http://\S+/)$").group(1)
        password = up.line(r"^vtapweb: sign in: admin / (\S+)$").group(1)
        yield Stack(address=address, simulator=simulator, admin_password=password, data_dir=data_dir, up=up)


@pytest.mark.long
def test_an_azure_that_is_gone_fails_within_a_minute_and_its_return_is_noticed(
    browser: Browser, browser_context_args: dict[str, Any], eager_stack: Stack
) -> None:
    """Nobody asks for a sync: the schedule finds out that no connection gets an answer, and that they do again."""
    stack = eager_stack
    client = Client(stack, "gone", "admin")
    context = browser.new_context(**browser_context_args | {"base_url": stack.address})
    page = context.new_page()
    sign_in(page, "admin", stack.admin_password)
    open_map(page)
    before = boxes(page)
    known = {slug: len(client.items(slug)) for slug in ("subscriptions", "vnets", "subnets", "nics", "tap-configurations")}
    order(stack, "faults", kind="drop", every=1)
    # A run that was under way already may have read the list of subscriptions, and then tries each of them.
    under_way = client.get("syncs?limit=1")["items"][0]["id"]

    def ended(state: str) -> dict[str, Any]:
        runs = [run for run in client.get("syncs?limit=20")["items"] if run["id"] > under_way and run["state"] in OVER]
        return next((run for run in runs if run["state"] == state), {})

    failed = eventually(lambda: ended("failed"), within_s=180, why="a failed sync")
    run = client.get(f"syncs/{failed['id']}")
    took = datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(run["started_at"])
    assert took.total_seconds() <= 65, "61.5 s is the longest that all retries of one request may wait"
    expect(page.locator("[data-test=banner-inventory]")).to_contain_text(
        re.compile(r"Inventory not synced since .*\d\d:\d\d:\d\d\. .* Nothing here was removed because of it\.")
    )
    assert boxes(page) == before
    page.goto("/table/nics")
    expect(page.locator("[data-test=inventory-pill]")).to_contain_text("Inventory incomplete")
    page.goto("/syncs")
    expect(page.locator("[data-test=lack]").first).to_contain_text(re.compile(r"Last complete .*\d\d:\d\d:\d\d"))
    assert {slug: len(client.items(slug)) for slug in known} == known

    order(stack, "faults/clear")
    eventually(lambda: ended("partial") or ended("complete"), within_s=120, why="a sync that reads again")
    open_map(page)
    expect(page.locator("[data-test=banner-inventory]")).to_have_count(0, timeout=60_000)
    assert boxes(page) == before
    assert {slug: len(client.items(slug)) for slug in known} == known
    context.close()
