"""A fault is played: its alarm appears on the open page without a reload, is taken, noted and muted by keys, ends once the fault does, and the
handover tells all of it.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack
from tests.e2e.estate import order

COLLECTOR = "nic-packetlog-01"
RAISED_MS = 120_000  # 30 s without a report, and 30 s of listening before anything is raised
OVER_MS = 120_000
END_OF_MUTE = re.compile(r"Muted: 1, next ends \d\d:\d\d:\d\d")


@pytest.fixture
def silent(stack: Stack) -> Iterator[None]:
    """A collector whose agent says nothing."""
    order(stack, "traffic/start", kind="silent_collector", target=COLLECTOR)
    yield
    order(stack, "traffic/end")


def test_an_alarm_from_its_coming_to_the_handover(admin_page: Page, stack: Stack, silent: None) -> None:
    page = admin_page
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/alarms")
    page.evaluate("window.samePage = true")
    row = page.locator("[data-test=alarm-row]", has_text=f"{COLLECTOR}: no report").first
    expect(row).to_contain_text("nobody has taken it", timeout=RAISED_MS)
    expect(page.locator("[data-test=alarm-badge]")).to_be_visible()
    assert page.evaluate("window.samePage"), "without a reload"

    link = row.locator(".table__name")
    number = link.inner_text()
    link.focus()
    page.keyboard.press("t")  # takes that of the row
    expect(row).to_contain_text("admin")
    row.locator(".table__name").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(number)
    expect(page.locator("[data-test=owner]")).to_contain_text("admin, since")
    steps = page.locator("[data-test=path] [data-test=way] li")
    expect(steps.filter(has_text="has sent no report since")).to_have_attribute("data-state", "broken")
    expect(page.locator("[data-test=capture-filter]")).to_contain_text("udp port 4789 and (src host ")
    expect(page.locator("[data-test=children] tr").first).to_contain_text("can't be seen since")
    assert re.search(r"\d{4}-\d\d-\d\dT", page.locator("main").inner_text()) is None, "no raw time"

    page.keyboard.press("n")
    page.keyboard.type("The team of the packet log restarts it.")
    page.keyboard.press("Enter")
    expect(page.locator("[data-test=alarm]")).to_contain_text("restarts it.")
    page.keyboard.press("m")
    page.locator("#mute-hours").select_option("4")
    page.locator("#mute-reason").fill("known")
    page.locator("#mute-reason").press("Enter")
    expect(page.locator("[data-test=is-muted]")).to_contain_text("by admin: known")
    page.goto("/alarms")
    expect(page.locator("[data-test=muted]")).to_have_text(END_OF_MUTE)

    order(stack, "traffic/end")
    over = page.locator("[data-test=alarm-row]", has_text=number)
    expect(over).to_contain_text("cleared", timeout=OVER_MS)
    expect(page.locator("[data-test=muted]")).to_have_text("Muted: 0")
    page.goto("/handover")
    told = page.locator("[data-test=handover]")
    expect(told).to_contain_text(f"{number} {COLLECTOR}: no report for")
    expect(told).to_contain_text("admin took it")
    expect(told).to_contain_text("The team of the packet log restarts it.")
    assert errors == []
