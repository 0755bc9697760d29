"""An operator's whole way in the browser: a pasted list, where it may go, the plan, apply, ticks as they come, and the undo.

Find --> chooser --> plan --> change (waves) --> undo, a change of its own
"""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack
from tests.e2e.estate import Client, answer_of, order
from tests.e2e.test_holds_and_roles import demo_page
from tests.e2e.test_walk import admin_client, as_at_first

__all__ = ["admin_client", "as_at_first"]  # fixtures

TAP = "tap-ilb-uks"
FREE = ("web-03", "web-04", "web-06", "api-03")  # in spokes that are peered with the collector's hub, none of them mirrored
END_MS = 120_000


def writes(stack: Stack) -> list[dict[str, Any]]:
    """The simulator's log of writes, the oldest first."""
    status, log = answer_of(f"{stack.simulator}_control/writes")
    assert status == 200
    found: list[dict[str, Any]] = log["value"]
    return found


def mirrored(client: Client) -> set[str]:
    return {one["nic_id"].rsplit("/", 1)[-1] for one in client.items("tap-configurations")}


def test_paste_choose_plan_apply_watch_and_take_it_back(page: Page, stack: Stack, admin_client: Client, as_at_first: None) -> None:
    order(stack, "writes/clear")
    demo_page(page, "operator")

    page.goto("/find")
    page.locator("[data-test=paste]").fill("\n".join(FREE))
    page.locator("[data-test=find]").click()
    expect(page.locator("[data-test=result]")).to_contain_text(f"{len(FREE)} matched")
    page.locator("[data-test=select-mirror]").click()

    goal = page.locator(f"[data-test=goal][data-name={TAP}]")
    expect(goal).to_have_attribute("data-may", "yes")
    goal.locator("[data-test=pairs]").click()
    expect(goal.locator("[data-test=pair]")).to_have_count(len(FREE))
    goal.locator("input[name=tap]").check()
    expect(page.locator("[data-test=go-words]")).to_contain_text(f"{len(FREE)} of {len(FREE)} NICs → {TAP}")
    page.locator("[data-test=to-plan]").click()

    form = page.locator("[data-test=plan-form]")
    form.locator("[name=ticket]").fill("CHG-77")
    form.locator("[data-test=make-plan]").click()
    expect(page.locator("[data-test=field-reason]")).to_contain_text("Say why")
    expect(form.locator("[name=ticket]")).to_have_value("CHG-77")
    form.get_by_label("Between two times").check()
    expect(form.locator("[name=window_closes_at]")).to_be_visible()
    form.locator("[data-in-hours='168']").click()
    expect(form.locator("[name=expires_at]")).to_have_value(re.compile(r"T\d\d:\d[05]$"))
    form.get_by_label("As soon as somebody applies it").check()
    expect(form.locator("[name=window_closes_at]")).to_be_hidden()
    form.locator("[name=reason]").fill("INC-7: odd DNS answers")
    form.locator("[data-test=make-plan]").click()

    expect(page).to_have_url(re.compile(r"/changes/\d+$"))
    expect(page.locator("[data-test=sentence]")).to_contain_text("Nothing has been sent to Azure.")
    expect(page.locator("[data-test=downtime]")).to_contain_text("up to 60 seconds")
    expect(page.locator("[data-test=request]")).to_have_count(len(FREE))
    assert writes(stack) == []

    page.locator("[data-test=apply]").click()
    change = page.locator("[data-test=change]")
    expect(change).to_have_attribute("data-state", "applied", timeout=END_MS)
    for name in FREE:
        step = page.locator(f"[data-test=step][data-nic={name}]")
        expect(step.locator("[data-tick=yes]", has_text="Configured")).to_have_count(1)
    assert set(FREE) <= mirrored(admin_client)
    assert [one["method"] for one in writes(stack)] == ["PUT"] * len(FREE)

    page.reload()
    expect(change).to_have_attribute("data-state", "applied")
    page.locator("[data-test=undo]").click()
    expect(page.locator("[data-test=sentence]")).to_contain_text("Nothing has been sent to Azure.")
    page.locator("[data-test=apply]").click()
    expect(change).to_have_attribute("data-state", "applied", timeout=END_MS)
    assert not set(FREE) & mirrored(admin_client)
    assert sorted(one["method"] for one in writes(stack)) == ["DELETE"] * len(FREE) + ["PUT"] * len(FREE)

    page.goto("/changes")
    expect(page.locator("[data-test=change-row]").first).to_contain_text("undo of")
