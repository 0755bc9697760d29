"""What each role can and cannot do, told on the buttons; and the removal that is too large to be believed, which an admin decides."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Stack
from tests.e2e.estate import Client, order
from tests.e2e.test_map import until
from tests.e2e.test_walk import admin_client, as_at_first, boxes, open_map

__all__ = ["admin_client", "as_at_first"]  # fixtures
MISSING = 24  # more than twenty, and more than a third of the subscription's NICs


def demo_page(page: Page, role: str) -> Page:
    """Signed in with one click, as a demo on this machine offers."""
    page.goto("/accounts/login/")
    page.locator(f"[data-test=demo-{role}]").click()
    page.wait_for_url(lambda address: "/accounts/login/" not in address)
    return page


def post(page: Page, address: str) -> int:
    """The status that an empty form of the page's own session gets, as if a button had been there."""
    token = next(
        cookie.get("value", "") for cookie in page.context.cookies() if cookie.get("name", "").startswith("csrftoken") or "csrf" in cookie["name"]
    )
    headers = {"X-CSRFToken": token, "Referer": page.url}
    return page.request.post(address, form={}, headers=headers, max_redirects=0).status


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_each_role_is_offered_what_it_may_do_and_told_why_not(page: Page, stack: Stack, role: str) -> None:
    demo_page(page, role)
    page.goto("/syncs")
    is_operator, is_admin = role != "viewer", role == "admin"
    if is_operator:
        expect(page.locator("[data-test=sync-start]")).to_be_enabled()
    else:
        button = page.get_by_role("button", name="Sync now")
        expect(button).to_be_disabled()
        expect(button).to_have_accessible_description("needs the role operator; yours is viewer")
    assert post(page, "/syncs/start") == (302 if is_operator else 403)
    expect(page.locator("[data-test=nav-audit]")).to_have_count(1 if is_admin else 0)
    for address in ("/audit", "/audit.csv", "/tokens", "/admin/"):
        answer = page.request.get(address)
        assert answer.status == (200 if is_admin else 403), address
        if not is_admin:
            assert "admin" in answer.text()
    for address in ("/", "/table/nics", "/table/nics.csv", "/feed", "/connect", "/find", "/api/v1/topology"):
        assert page.request.get(address).ok, address
    page.locator("[data-test=account-menu]").click()
    expect(page.locator("body")).to_contain_text(re.compile(rf"{role}:", re.IGNORECASE))


def test_a_removal_too_large_to_be_believed_waits_for_an_admin(
    admin_page: Page, browser: Browser, browser_context_args: dict[str, object], stack: Stack, admin_client: Client, as_at_first: None
) -> None:
    page = admin_page
    context = browser.new_context(**browser_context_args)  # type: ignore[arg-type] # Playwright's options, as pytest-playwright gives them
    viewer = demo_page(context.new_page(), "viewer")
    open_map(viewer)
    before = boxes(viewer)
    nics = [one for one in admin_client.items("nics") if "/virtualMachineScaleSets/" not in one["id"]]
    spokes = next(one["subscription_id"] for one in admin_client.items("subscriptions") if one["name"] == "contoso-spokes")
    doomed = sorted((one["name"], one["id"]) for one in nics if one["subscription_id"] == spokes)[:MISSING]
    gone = [name for name, _ in doomed]
    total = admin_client.get("nics")["total"]
    for _, arm_id in doomed:  # two may bear one name
        order(stack, "nics/remove", nic=arm_id)

    admin_client.sync()
    assert admin_client.get("nics")["total"] == total, "nothing was removed"
    viewer.goto("/syncs")
    hold = viewer.locator("[data-test=hold]").filter(has_text="NICs")
    expect(hold).to_contain_text(re.compile(rf"contoso-spokes: {MISSING} of \d+ NICs were missing in a complete list.*nothing was removed"))
    expect(hold).to_contain_text("an admin decides")
    expect(hold.get_by_role("button")).to_have_count(0)
    expect(viewer.locator("[data-test=lack]").filter(has_text="NICs").first).to_be_visible()

    page.goto("/syncs")
    hold = page.locator("[data-test=hold]").filter(has_text="NICs")
    hold.get_by_role("button", name="Keep them").click()
    expect(hold).to_contain_text("Dismissed by admin: they stay.")
    admin_client.sync()
    assert admin_client.get("nics")["total"] == total
    page.reload()
    expect(hold).to_have_count(1)

    open_map(viewer)
    while page.locator("[data-test=hold] button[value=confirm]").count():
        page.locator("[data-test=hold] button[value=confirm]").first.click()
        page.wait_for_load_state()
    until(viewer, f"vtap.graph.stats().counts.nics === {total - MISSING}")
    after = boxes(viewer)
    assert sorted(box["name"] for one, box in before.items() if one not in after and box["kind"] == "nic") == gone
    assert {one: before[one] for one in after} == after, "those that stay have not moved"
    page.goto("/feed?action=removed&kind=nics")
    for name in (gone[0], gone[-1]):
        expect(page.locator("[data-test=feed] tbody tr", has_text=name).first).to_contain_text("removed")
    expect(page.locator("[data-test=feed]")).to_contain_text("admin")
    page.goto("/audit")
    for action in ("inventory.removal_dismissed", "inventory.removal_confirmed"):
        expect(page.locator("main")).to_contain_text(action)
    context.close()
