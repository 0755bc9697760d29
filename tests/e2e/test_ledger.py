"""The first review of an estate in a real browser: whole groups are ticked and adopted, and evidence tells of it."""

from playwright.sync_api import Page, expect

from tests.waiting import eventually


def test_a_group_is_ticked_adopted_and_told_as_evidence(admin_page: Page) -> None:
    page = admin_page
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    rows = page.locator("[data-test=unaccounted-mirror]")
    eventually(lambda: page.goto("/unaccounted") and rows.count() > 0, within_s=30, why="the first comparison with Azure")
    badge = page.locator("[data-test=ledger-badge]")
    expect(badge).to_be_visible()
    group = page.locator("tbody", has=page.locator("tr.group", has_text="tap-ilb-uks"))
    boxes = group.locator("input[name=mirror]")
    many = boxes.count()
    group.locator("[data-check-group]").check()
    expect(group.locator("input[name=mirror]:checked")).to_have_count(many)
    expect(page.locator("[data-test=check-all]").first).to_have_js_property("indeterminate", True)
    name = group.locator("[data-test=unaccounted-mirror] a").first.inner_text()

    page.locator("[data-test=adopt]").click()  # nothing typed: refused, and the ticks stay
    expect(page.locator(".errorlist").first).to_be_visible()
    expect(page.locator("input[name=mirror]:checked")).to_have_count(many)
    page.locator("[name=owner]").fill("team net")
    page.locator("[name=reason]").fill("known before vtapweb")
    before = rows.count()
    page.locator("[data-test=adopt]").click()
    expect(page.locator("#toasts")).to_contain_text("adopted by admin for team net")
    expect(rows).to_have_count(before - many)

    page.goto(f"/evidence?of={name}")
    expect(page.locator("[data-test=life]").first).to_contain_text("adopted by admin")
    expect(page.locator("[data-test=life]").first).to_contain_text("known before vtapweb")
    assert [one for one in problems if "400" not in one] == []
