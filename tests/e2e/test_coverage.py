"""Coverage in the browser: a cell opens its reasons beside the matrix, the address keeps it, and it leads to the chooser."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack
from tests.e2e.test_holds_and_roles import demo_page


def test_a_cell_opens_beside_the_matrix_and_leads_to_the_chooser(page: Page, stack: Stack) -> None:
    demo_page(page, "operator")
    page.goto("/")
    page.locator("[data-test=nav-coverage]").click()
    page.evaluate("window.isStillThere = true")
    cell = page.locator("tr[data-name=spoke-crm] .hit > a[title*='tap-ilb-uks']")
    number = cell.inner_text().strip()
    cell.click()
    panel = page.locator("[data-test=cell-panel]")
    expect(panel.locator("h2")).to_have_text("spoke-crm → tap-ilb-uks")
    expect(panel).to_contain_text(f"{number} may go there")
    expect(cell).to_have_attribute("aria-current", "true")
    expect(page).to_have_url(re.compile(r"/coverage\?place=.*&goal="))
    assert page.evaluate("window.isStillThere"), "the page is not read anew"

    page.reload()
    expect(panel.locator("h2")).to_have_text("spoke-crm → tap-ilb-uks")
    panel.locator("[data-panel-close]").click()
    expect(panel).to_have_count(0)
    expect(cell).to_be_focused()

    cell.press("Enter")
    panel.locator("[data-test=to-chooser]").click()
    expect(page.locator("[data-test=go-words]")).to_contain_text(f"{number} of {number} NICs → tap-ilb-uks")
