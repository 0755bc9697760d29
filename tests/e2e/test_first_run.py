"""The very first minute: somebody opens the page while the first sync still reads, is told so, and sees the map come by itself."""

import re
import socket
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.estate import answer_of
from tests.e2e.test_map import until
from tests.house.processes import Up


@pytest.mark.long
def test_a_page_opened_before_the_first_sync_ended_teaches_and_becomes_the_map(
    browser: Browser, browser_context_args: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
    with Up(tmp_path_factory.mktemp("first") / "data", "--port", address.split(":")[-1].strip("/")) as up:
        simulator = up.line(r"simulator ready: (http://\S+/)$").group(1)
        slow = {"kind": "slow", "delay_ms": 1500}
        assert answer_of(f"{simulator}_control/faults", body=slow)[0] == 200
        up.line("first sync …")
        context = browser.new_context(**browser_context_args | {"base_url": address})
        page = context.new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto("/accounts/login/")
        page.locator("[data-test=demo-operator]").click()
        empty = page.locator("[data-test=empty-subscriptions]")
        expect(empty).to_contain_text("The first sync is on its way.")
        assert answer_of(f"{simulator}_control/faults/clear", body={})[0] == 200
        until(page, "window.vtap?.graph?.ready && vtap.graph.stats().counts.mirrors === 17")
        expect(empty).to_be_hidden()
        assert up.ready() == address
        expect(page.locator("[data-test=inventory-pill]")).to_contain_text(re.compile("Inventory"))
        assert problems == []
        context.close()
