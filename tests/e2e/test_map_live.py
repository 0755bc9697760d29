"""The map on the whole stack: a NIC that appears in Azure appears on the open map after a sync, without a reload, and nothing else moves."""

import json
import re
from urllib.request import Request, urlopen

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack
from tests.e2e.test_map import READY, until

SYNC = """async () => {
  const headers = { ...JSON.parse(document.body.getAttribute('hx-headers')), 'Content-Type': 'application/json' };
  return (await fetch('/api/v1/syncs', { method: 'POST', headers, body: '{}' })).status;
}"""


def test_a_new_nic_appears_after_a_sync_and_others_keep_their_place(admin_page: Page, stack: Stack) -> None:
    page = admin_page
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto("/")
    until(page, READY)
    until(page, "vtap.graph.stats().line === 'open' && vtap.graph.visibleIds('nic').length > 40")
    page.evaluate("vtap.graph.idle()")
    before = {box["id"]: box for box in page.evaluate("vtap.graph.boxes()")}

    order = json.dumps({"subnet": "spoke-crm/snet-web", "count": 1, "stem": "fresh", "is_attached": True}).encode()
    with urlopen(Request(stack.simulator + "_control/nics/add", data=order, headers={"Content-Type": "application/json"}), timeout=10) as answer:  # noqa: S310 - loopback
        assert answer.status < 300
    assert page.evaluate(SYNC) < 300
    until(page, "vtap.graph.boxes().some(box => box.kind === 'nic' && box.name.startsWith('fresh'))")

    after = {box["id"]: box for box in page.evaluate("vtap.graph.boxes()")}
    assert len(after) == len(before) + 1
    assert {node: after[node] for node in before} == before
    assert problems == []


def test_what_is_found_is_opened_and_leads_to_its_page(admin_page: Page) -> None:
    page = admin_page
    page.goto("/")
    until(page, READY)
    page.locator("#search").fill("mq-01")
    page.locator("#map-hits [role=option]").first.wait_for()
    page.locator("#search").press("Enter")
    panel = page.locator("#panel")
    expect(panel.locator("[data-test=panel-name]")).to_have_text("mq-01")
    panel.locator("[data-test=panel-details]").click()
    expect(page).to_have_url(re.compile(r"/nics/[a-z2-7]{26}$"))
