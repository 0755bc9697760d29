"""The whole stack once a session on a free port, and pages of the Chromium found on this machine, signed in or not.

Browser tests run after all others (see tests/conftest.py): Playwright keeps its event loop running in the main thread until the end.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.house.processes import Up

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A quiet browser that works as root and looks nothing up by itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@dataclass(frozen=True, slots=True)
class Stack:
    """One running installation with the simulated estate S. `address` and `simulator` end with a slash."""

    address: str
    simulator: str
    admin_password: str
    data_dir: Path
    up: Up


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data_dir = tmp_path_factory.mktemp("stack") / "data"
    with Up(data_dir) as up:
        address = up.ready()
        yield Stack(
            address=address,
            simulator=up.line(r"^vtapweb: simulated Azure .*: (http://\S+/)$").group(1),
            admin_password=up.line(r"^vtapweb: sign in: admin / (\S+)$").group(1),
            data_dir=data_dir,
            up=up,
        )


def found_browser() -> str | None:
    """The browser of this machine; None: Playwright's own."""
    return os.environ.get("VTAPWEB_CHROMIUM") or next((path for path in map(shutil.which, BROWSERS) if path), None)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    found = found_browser()
    return {**browser_type_launch_args, "args": FLAGS, **({"executable_path": found} if found else {})}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any], stack: Stack) -> dict[str, Any]:
    expect.set_options(timeout=15_000)
    return {**browser_context_args, "base_url": stack.address, "viewport": {"width": 1440, "height": 900}, "locale": "en-GB", "timezone_id": "UTC"}


def sign_in(page: Page, name: str, password: str) -> None:
    """Through the sign-in page, as a person does; ends on the page that it leads to."""
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url(lambda address: "/accounts/login/" not in address)


@pytest.fixture
def admin_page(page: Page, stack: Stack) -> Page:
    """A page where the first admin is signed in."""
    sign_in(page, "admin", stack.admin_password)
    return page
