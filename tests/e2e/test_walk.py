"""The walk of a person through the whole product, on the whole stack: what Azure changes comes to the open map, and nothing else moves."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Stack, sign_in
from tests.e2e.estate import Client, order
from tests.e2e.test_map import READY, until

TABLES = {"vnet": "vnets", "subnet": "subnets", "nic": "nics"}


@pytest.fixture(scope="session")
def admin_client(stack: Stack) -> Client:
    return Client(stack, "walk", "admin")


@pytest.fixture
def as_at_first(stack: Stack, admin_client: Client) -> Iterator[None]:
    """Afterwards the estate is what it was in the beginning, and the product knows."""
    yield
    order(stack, "reset")
    admin_client.sync()


@pytest.fixture
def second_page(browser: Browser, browser_context_args: dict[str, Any], stack: Stack) -> Iterator[Page]:
    """A page in a second browser, where the admin is signed in, too."""
    context = browser.new_context(**browser_context_args)
    page = context.new_page()
    sign_in(page, "admin", stack.admin_password)
    yield page
    context.close()


def open_map(page: Page) -> None:
    page.goto("/")
    until(page, READY)
    until(page, "vtap.graph.stats().line === 'open' && vtap.graph.stats().counts.nics > 0")
    page.evaluate("vtap.graph.idle()")


def boxes(page: Page) -> dict[int, dict[str, Any]]:
    return {box["id"]: box for box in page.evaluate("vtap.graph.boxes()")}


def has(name: str) -> str:
    return f"vtap.graph.boxes().some(box => box.name.startsWith({json.dumps(name)}))"


def start_sync(page: Page) -> None:
    """On the sync page, as a person does, to the end of the run."""
    page.goto("/syncs")
    page.locator("[data-test=sync-start]").click()
    expect(page).to_have_url(re.compile(r"/syncs/\d+$"))
    expect(page.locator("[data-test=sync]")).to_have_attribute("data-state", re.compile("complete|partial"), timeout=60_000)


def test_the_map_shows_the_estate_that_the_api_tells(admin_page: Page, admin_client: Client) -> None:
    open_map(admin_page)
    shown = boxes(admin_page)
    for kind, slug in TABLES.items():
        told = admin_client.items(slug)
        drawn = sorted(box["name"] for box in shown.values() if box["kind"] == kind)
        # VNets of which only a peering tells are drawn too, as ghosts.
        ghosts = {"partner-exchange", "corp-shared-uks"} if kind == "vnet" else set()
        assert drawn == sorted([one["name"] for one in told] + sorted(ghosts))
    counts = admin_page.evaluate("vtap.graph.stats().counts")
    for name, slug in {
        "subscriptions": "subscriptions",
        "vnets": "vnets",
        "subnets": "subnets",
        "nics": "nics",
        "mirrors": "tap-configurations",
    }.items():
        assert counts[name] == len(admin_client.items(slug)), name
    assert counts["mirrors"] == 17
    assert counts["ghosts"] == 2
    assert all(box["w"] > 0 and box["h"] > 0 for box in shown.values())


def test_from_the_search_to_the_details_and_back_to_a_map_that_a_sync_changes(
    admin_page: Page, second_page: Page, stack: Stack, admin_client: Client, as_at_first: None
) -> None:
    page, other = admin_page, second_page
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    open_map(page)

    page.keyboard.press("/")
    page.keyboard.type("api-04")
    page.locator("#map-hits [role=option]").first.wait_for()
    page.keyboard.press("Enter")
    panel = page.locator("#panel")
    expect(panel.locator("[data-test=panel-name]")).to_have_text("api-04")
    page.evaluate("vtap.graph.idle()")
    at = page.evaluate("vtap.graph.find('api-04')")
    assert (0 < at["x"] < 1440, 0 < at["y"] < 900) == (True, True), "flown to"
    panel.locator("[data-test=panel-details]").click()
    expect(page.locator("[data-test=detail-name]")).to_have_text("api-04")
    nic = next(one for one in admin_client.items("nics") if one["name"] == "api-04")
    for address in nic["private_ips"]:
        expect(page.locator("main")).to_contain_text(address)
    page.go_back()
    until(page, READY)
    expect(panel.locator("[data-test=panel-name]")).to_have_text("api-04")
    until(page, "vtap.graph.stats().line === 'open'")
    before = boxes(page)

    order(stack, "nics/add", subnet="spoke-payments/snet-api", count=1, stem="new-in-town", is_attached="true")
    start_sync(other)
    until(page, has("new-in-town"))
    after = boxes(page)
    assert [after[one]["kind"] for one in after.keys() - before.keys()] == ["nic"]
    assert {one: after[one] for one in before} == before, "nothing else moved"
    other.goto("/feed")
    first = other.locator("[data-test=feed] tbody tr", has_text="new-in-town").first
    expect(first).to_contain_text("added")

    name = next(box["name"] for box in after.values() if box["name"].startswith("new-in-town"))
    order(stack, "nics/remove", nic=name)
    start_sync(other)
    until(page, f"!({has('new-in-town')})")
    assert boxes(page) == before
    other.goto("/feed")
    expect(other.locator("[data-test=feed] tbody tr", has_text="new-in-town").first).to_contain_text("removed")
    other.goto(f"/find?q={name}")
    expect(other.locator("[data-test=result]")).to_contain_text("1 removed")
    assert problems == []


def test_what_changes_behind_the_products_back_changes_on_the_open_map(
    admin_page: Page, stack: Stack, admin_client: Client, as_at_first: None
) -> None:
    page = admin_page
    open_map(page)
    before = boxes(page)
    pipe = "vtap.graph.pipes().find(pipe => [pipe.a, pipe.b].sort().join() === 'hub-uks,spoke-crm')"
    strand = "vtap.graph.strands().some(strand => strand.nics.includes('mq-01'))"
    assert page.evaluate(pipe)["state"] == "Connected"
    assert page.evaluate(strand)

    order(stack, "peerings", peering="hub-uks/to-spoke-crm", state="Disconnected")
    admin_client.sync()
    until(page, f"{pipe}.state === 'Disconnected'")
    assert page.evaluate(pipe)["words"] == "Peering: ✕ Disconnected on hub-uks’s side."
    order(stack, "peerings", peering="hub-uks/to-spoke-crm", state="Connected")
    admin_client.sync()
    until(page, f"{pipe}.state === 'Connected'")
    assert "Disconnected" not in page.evaluate(pipe)["words"]

    order(stack, "tap-configurations/delete", nic="mq-01")
    admin_client.sync()
    until(page, f"!({strand})")
    assert page.evaluate("vtap.graph.stats().counts.mirrors") == 16
    order(stack, "tap-configurations/create", nic="mq-01", tap="tap-ilb-uks")
    admin_client.sync()
    until(page, strand)

    controller = next(one["id"] for one in admin_client.items("nics") if one["name"] == "dc-01")
    order(stack, "tags/rename", old="team", new="squad", resource=controller)
    admin_client.sync()
    page.goto("/feed")
    row = page.locator("[data-test=feed] tbody tr", has_text="dc-01").first
    expect(row).to_contain_text("tags")
    expect(row).to_contain_text("squad")
    open_map(page)
    assert boxes(page) == before


def test_a_second_browser_sees_a_sync_go_on(admin_page: Page, second_page: Page, stack: Stack, admin_client: Client) -> None:
    """A sync that one person starts, slowed down, counts its lists on another's screen, who did nothing."""
    watcher = second_page
    watcher.goto("/syncs")
    expect(watcher.locator("#live-pill")).to_have_attribute("data-state", "live")
    order(stack, "faults", kind="slow", delay_ms=500, every=1)
    try:
        admin_page.goto("/syncs")
        admin_page.locator("[data-test=sync-start]").click()
        expect(admin_page).to_have_url(re.compile(r"/syncs/\d+$"))
        run = admin_page.url.rpartition("/")[2]
        expect(watcher.locator("[data-test=runs] tbody tr").first).to_contain_text(run)
        expect(watcher.locator("[data-test=runs] tbody tr").first).to_contain_text("running")
        watcher.goto(f"/syncs/{run}")
        bar = watcher.locator("section[aria-label=contoso-spokes] progress")
        expect(bar).to_have_attribute("value", re.compile(r"^[1-9]$"))
    finally:
        order(stack, "faults/clear")
    expect(watcher.locator("[data-test=sync]")).to_have_attribute("data-state", re.compile("complete|partial"), timeout=60_000)
    admin_client.ended(int(run))
