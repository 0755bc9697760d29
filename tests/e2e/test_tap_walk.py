"""What is to be mirrored, pasted as a list with a doubtful and a lost name, until its strands are on the map, and back; told by Azure's own log.

page "map" (never reloaded until the end) ── strands ─┐
page "work": find ─> chooser ─> plan ─> apply, waves ─┴─> undo, apply
"""

import json
import re
from itertools import pairwise
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Stack
from tests.e2e.estate import Client, answer_of, order
from tests.e2e.test_holds_and_roles import demo_page
from tests.e2e.test_map import until
from tests.e2e.test_mirror import END_MS, TAP, mirrored
from tests.e2e.test_walk import admin_client, as_at_first, open_map
from tests.waiting import eventually

__all__ = ["admin_client", "as_at_first"]  # fixtures

PAIR = ("dc-01", "dc-02")  # share an availability set, in the collector's own VNet
FOUND = (*PAIR, "web-03", "web-04", "web-06", "api-03")  # the others in VNets that are peered with it
AMBIGUOUS, REMOVED = "backup-01", "api-04"


def drawn(names: tuple[str, ...]) -> str:
    """How many of these NICs have a strand on the map, as an expression of the page."""
    return f"{json.dumps(names)}.filter(name => vtap.graph.strands().some(strand => strand.nics.includes(name))).length"


def carry_out(page: Page, map_page: Page, expected: int) -> None:
    """Apply the plan that is open, and see it through to its end on this page and the map, neither of which is loaded again."""
    page.locator("[data-test=apply]").click()
    change = page.locator("[data-test=change]")
    expect(change).to_have_attribute("data-state", re.compile("applying|applied"))
    page.evaluate("window.hasStayed = true")
    expect(change.locator("[data-test=step][data-state=verified]")).not_to_have_count(0, timeout=END_MS)
    expect(change).to_have_attribute("data-state", "applied", timeout=END_MS)
    expect(change.locator("[data-test=step][data-state=verified]")).to_have_count(len(FOUND))
    assert page.evaluate("window.hasStayed") is True
    eventually(lambda: map_page.evaluate(drawn(FOUND)) == expected, within_s=60, why=f"{expected} strands on the open map")
    assert map_page.evaluate("window.hasStayed") is True


def test_a_pasted_list_is_mirrored_seen_on_the_map_and_taken_back(
    page: Page, browser: Browser, browser_context_args: dict[str, Any], stack: Stack, admin_client: Client, as_at_first: None
) -> None:
    order(stack, "nics/remove", nic=REMOVED)
    admin_client.sync()
    order(stack, "writes/clear")
    demo_page(page, "operator")
    context = browser.new_context(**browser_context_args)
    map_page = context.new_page()
    demo_page(map_page, "operator")
    open_map(map_page)
    map_page.evaluate("window.hasStayed = true")
    until(map_page, f"{drawn(FOUND)} === 0")

    page.goto("/find")
    page.locator("[data-test=paste]").fill("\n".join((*FOUND, AMBIGUOUS, REMOVED)))
    page.locator("[data-test=find]").click()
    result = page.locator("[data-test=result]")
    expect(result).to_contain_text("6 matched")
    expect(result).to_contain_text("1 ambiguous")
    expect(result).to_contain_text("1 removed")
    page.locator("[data-test=select-mirror]").click()

    page.locator(f"[data-test=goal][data-name={TAP}] input[name=tap]").check()
    expect(page.locator("[data-test=go-words]")).to_contain_text(f"6 of 6 NICs → {TAP}")
    page.locator("[data-test=to-plan]").click()
    form = page.locator("[data-test=plan-form]")
    form.locator("[name=reason]").fill("INC-8: who talks to the controllers")
    form.locator("[data-test=make-plan]").click()
    expect(page.locator("[data-test=request]")).to_have_count(len(FOUND))
    of_one, of_other = (page.locator(f"[data-test=step][data-nic={name}]") for name in PAIR)
    expect(page.locator(".wave").filter(has=of_one)).to_have_count(1)
    expect(page.locator(".wave").filter(has=of_one).filter(has=of_other)).to_have_count(0)
    assert answer_of(f"{stack.simulator}_control/writes")[1]["value"] == []

    carry_out(page, map_page, len(FOUND))
    assert set(FOUND) <= mirrored(admin_client)
    for one in (page, map_page):
        one.reload()
    expect(page.locator("[data-test=step][data-state=verified]")).to_have_count(len(FOUND))
    open_map(map_page)
    until(map_page, f"{drawn(FOUND)} === {len(FOUND)}")

    map_page.evaluate("window.hasStayed = true")
    page.locator("[data-test=undo]").click()
    expect(page.locator("[data-test=sentence]")).to_contain_text("Nothing has been sent to Azure.")
    carry_out(page, map_page, 0)
    assert not set(FOUND) & mirrored(admin_client)
    context.close()

    log = answer_of(f"{stack.simulator}_control/writes")[1]
    told = sorted((one["method"], one["path"].split("/")[8].lower(), one["state"]) for one in log["value"])
    assert told == sorted((method, name, "Succeeded") for method in ("PUT", "DELETE") for name in FOUND)
    assert log["overlaps"] == []
    spans = sorted((one["begun_unix_s"], one["ended_unix_s"]) for one in log["value"] if one["path"].split("/")[8].lower() in PAIR)
    assert len(spans) == 4
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert {one["availability_set"].rsplit("/", 1)[-1].lower() for one in log["value"] if one["path"].split("/")[8].lower() in PAIR} == {"avset-dc"}
