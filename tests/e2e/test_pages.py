"""The pages in a real browser under the real policy: tables, details, find, syncs, themes; none may make the console complain."""

import csv
import io
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect


@pytest.fixture
def quiet_page(admin_page: Page) -> Iterator[Page]:
    """A signed-in page; afterwards neither errors nor refusals by the content policy stand in its console."""
    problems: list[str] = []
    admin_page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    admin_page.on("pageerror", lambda error: problems.append(str(error)))
    yield admin_page
    assert problems == []


def test_a_table_filters_selects_and_keeps_its_state_in_the_address(quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/table/nics")
    rows = page.locator("[data-test=table] tbody tr")
    all_rows = rows.count()
    page.locator("[data-test=filter-mirrored]").select_option("yes")
    expect(page).to_have_url(re.compile("mirrored=yes"))
    expect(page.locator("[data-test=pager]")).to_contain_text(f"of {all_rows} in all")
    mirrored = rows.count()
    assert 0 < mirrored < all_rows
    page.reload()
    expect(rows).to_have_count(mirrored)

    page.locator("[data-select-row]").nth(0).click()
    page.locator("[data-select-row]").nth(2).click(modifiers=["Shift"])
    expect(page.locator("#selection-bar")).to_contain_text("3 selected")
    page.locator("th a", has_text="Name").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Name")
    expect(page.locator("#selection-bar")).to_contain_text("3 selected")
    page.locator("[data-test=show-on-map]").click()
    expect(page).to_have_url(re.compile(r"/\?select=[a-z2-7]{26}(,|%2C)[a-z2-7]{26}"))


def test_search_in_the_table_answers_while_typing_and_leads_to_the_details(quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/table/nics")
    page.locator("[data-test=table-q]").press_sequentially("dc-01")
    rows = page.locator("[data-test=table] tbody tr")
    expect(rows).to_have_count(1)
    rows.locator("a.table__name").click()
    expect(page.locator("[data-test=detail-name]")).to_have_text("dc-01")
    page.locator("[data-test=raw] summary").click()
    expect(page.locator("#raw-json")).to_contain_text('"ipConfigurations"')


def test_a_theme_is_chosen_once_and_there_from_the_first_byte(quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/table/vnets")
    for theme in ("light", "dark"):
        page.locator("[data-test=account-menu]").click()
        page.locator(f"[data-theme-set={theme}]").click()
        page.keyboard.press("Escape")
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        assert f'data-theme="{theme}"' in (page.request.get("/table/vnets").text())


def test_a_pasted_list_loses_nothing_and_becomes_a_selection(quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/table/vnets")
    page.keyboard.press("/")
    expect(page.locator("[data-test=search]")).to_be_focused()
    page.keyboard.type("dc-02")
    page.keyboard.press("Enter")
    expect(page.locator("[data-test=result]")).to_contain_text("dc-02")
    page.locator("[data-test=paste]").fill("dc-01\n10.0.4.5; nobody-99\tdc-01")
    page.locator("[data-test=find]").click()
    result = page.locator("[data-test=result]")
    expect(result).to_contain_text("3 matched")
    expect(result).to_contain_text("1 not found")
    expect(page.locator("#not-found")).to_have_text(re.compile("nobody-99"))
    result.get_by_text("Show in the NIC table").click()
    expect(page.locator("[data-test=table] tbody tr")).to_have_count(2)


def test_a_sync_is_started_and_comes_to_its_end_without_a_reload(quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/syncs")
    expect(page.locator("#live-pill")).to_have_attribute("data-state", "live")
    page.locator("[data-test=sync-start]").click()
    expect(page).to_have_url(re.compile(r"/syncs/\d+$"))
    expect(page.locator("[data-test=sync]")).to_have_attribute("data-state", re.compile("complete|partial"), timeout=60_000)
    expect(page.locator("[data-test=sync]")).to_contain_text("contoso-prod")


def test_csv_comes_whole_through_the_real_server(quiet_page: Page) -> None:
    answer = quiet_page.request.get("/table/nics.csv")
    rows = list(csv.reader(io.StringIO(answer.text().removeprefix("\ufeff"))))
    assert len(rows) - 1 == quiet_page.request.get("/api/v1/nics").json()["total"]
    assert {row[-1] for row in rows[1:]} == {"DEMO (simulated Azure)"}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1440, 900), (1920, 1080)])
def test_every_page_stands_in_both_themes_and_sizes(quiet_page: Page, theme: str, size: tuple[int, int]) -> None:
    page = quiet_page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.context.add_cookies([{"name": "vtap_theme", "value": theme, "url": page.url}])
    tap = page.request.get("/api/v1/taps").json()["items"][0]["key"]
    for address in ("/table/peerings", "/table/subscriptions", f"/taps/{tap}", "/feed", "/syncs", "/connect", "/find"):
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        expect(page.locator("header h1")).not_to_be_empty()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_connect_says_who_the_demo_is_and_gives_whole_commands(quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/connect")
    identity = page.locator("[data-test=identity]")
    expect(identity).to_contain_text("vtapweb-demo-reader")
    object_id = identity.locator("dd").nth(1).inner_text()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", object_id)
    expect(page.locator("[data-test=lack] pre").first).to_contain_text(f"--assignee-object-id {object_id} --assignee-principal-type ServicePrincipal")
    expect(page.locator("[data-test=may-read] tr", has_text="corp-shared").get_by_text("refused")).to_have_count(10)


def test_all_kinds_are_in_sight_and_the_name_stays_when_the_table_scrolls(quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/table/nics")
    tabs = page.locator("nav.tabs > *")
    for tab in tabs.all():
        box = tab.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 1440
    page.locator("[data-test=more-kinds] summary").click()
    page.locator("[data-test=more-kinds]").get_by_text("Resource groups").click()
    expect(page.locator("[data-test=table]")).to_contain_text("rg-hub-uks")
    page.set_viewport_size({"width": 800, "height": 700})
    page.goto("/table/nics")
    name = page.locator("tbody td.name-cell").first
    before = name.bounding_box()
    page.locator(".table-scroll").evaluate("box => box.scrollLeft = 400")
    assert before is not None
    assert name.bounding_box() == before


def test_keys_walk_over_rows_open_them_and_tell_of_themselves(quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/table/vnets")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    names = page.locator("tbody a.table__name")
    expect(names.nth(1)).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#selection-bar")).to_contain_text("1 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection-bar")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("[data-test=keys]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-test=keys]")).to_be_hidden()
    names.nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-test=detail-name]")).to_be_visible()
    page.goto("/connect")
    page.keyboard.press("/")
    expect(page.locator("[data-test=search]")).to_be_focused()


def test_the_feed_tells_a_first_run_in_one_line(quiet_page: Page) -> None:
    page = quiet_page
    page.goto("/feed")
    folded = page.locator("[data-test=folded]").last
    expect(folded).to_contain_text("resources first seen in run")
    folded.get_by_text("show them").click()
    expect(page.locator("[data-test=feed] tbody tr")).to_have_count(101)
