"""The door: nobody sees anything before signing in, and the first admin gets in with the password that the start printed."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack, sign_in


def test_strangers_are_asked_to_sign_in_and_the_first_admin_gets_in(page: Page, stack: Stack) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))

    page.goto("/")
    expect(page).to_have_url(re.compile(r"/accounts/login/"))
    assert problems == []

    sign_in(page, "admin", stack.admin_password)
    assert [cookie for cookie in page.context.cookies() if cookie.get("name", "").startswith("vtapweb_session_") and cookie.get("httpOnly")]


def test_a_wrong_password_is_refused(page: Page) -> None:
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill("admin")
    page.locator("input[name=password]").fill("not the password")
    page.locator("input[name=password]").press("Enter")
    expect(page.locator("body")).to_contain_text(re.compile("password", re.IGNORECASE))
    expect(page).to_have_url(re.compile("/accounts/login/"))
