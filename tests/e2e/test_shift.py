"""A shift of an operator with traffic: a mirror that begins to flow, a collector that falls silent, the alarm taken, noted, muted and handed over; a
hub that breaks; and two people who do not see each other's numbers. The simulator's agents send over the real ingest.
"""

import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.drills.stack import Installation
from tests.drills.steady import Reader
from tests.e2e.conftest import Stack
from tests.e2e.estate import Client, order
from tests.e2e.test_map import until
from tests.e2e.test_map_rates import strand
from tests.e2e.test_strands_live import carried_out
from tests.e2e.test_walk import admin_client, as_at_first, open_map
from tests.waiting import eventually

__all__ = ["admin_client", "as_at_first"]  # fixtures

BALANCED, CLOSED = "ilb-collector-uks", "nic-ndr-01"
RATE = re.compile(r"^[\d.]+ [kMGT]?b/s$")
LONG_MS = 150_000


@pytest.fixture
def nothing_played(stack: Stack) -> Iterator[None]:
    """Afterwards no fault of traffic is played."""
    yield
    order(stack, "traffic/end")


def collector_named(api: Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in api.items("collectors") if one["name"] == name)
    return found


def alarms_about(api: Client, key: str, rule: str) -> list[dict[str, Any]]:
    return [one for one in api.items("alarms") if one["collector_key"] == key and rule in one["rule_ids"]]


def test_a_mirror_flows_a_collector_falls_silent_and_the_next_shift_knows(
    admin_page: Page, stack: Stack, admin_client: Client, as_at_first: None, nothing_played: None, record_property: Any
) -> None:
    page, api = admin_page, admin_client
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    key = collector_named(api, BALANCED)["key"]

    # A mirror is made and its strand flows.
    nics = {one["name"]: one["id"] for one in api.items("nics")}
    tap = next(one["id"] for one in api.items("taps") if one["name"] == "tap-ilb-uks")
    open_map(page)
    until(page, "vtap.graph.live().hasRates")
    carried_out(api, {"action": "tap", "nics": [nics["web-04"]], "tap": tap, "reason": "CASE-9"})
    mirror = next(one["key"] for one in api.items("tap-configurations") if "/web-04/" in one["id"])
    eventually(lambda: (page.evaluate("key => vtap.rates.of(key).bits", mirror) or 0) > 0, within_s=150, why="the new mirror flows")
    page.evaluate("vtap.graph.idle()")
    assert strand(page, "web-04")["look"] == "flowing"

    # From the map to the collector's page by its card.
    box = page.evaluate("name => vtap.graph.find(name)", BALANCED)
    page.mouse.click(box["x"] + box["w"] / 2, box["y"] + box["h"] / 2)
    panel = page.locator("#panel")
    expect(panel.locator("[data-test=panel-name]")).to_have_text(BALANCED)
    page.goto(f"/collectors/{key}")
    expect(page.locator("[data-test=bits]")).to_have_text(RATE, timeout=LONG_MS)
    expect(page.locator("[data-test=source-row]", has_text="web-04")).to_be_visible(timeout=LONG_MS)

    # It falls silent: stale, then one alarm, with its number in the rail.
    order(stack, "traffic/start", kind="silent_collector", target=BALANCED)
    expect(page.locator("[data-test=stale]")).to_be_visible(timeout=LONG_MS)
    page.goto("/alarms")
    eventually(lambda: alarms_about(api, key, "H1"), within_s=150, why="its alarm")
    (alarm,) = alarms_about(api, key, "H1")
    row = page.locator("[data-test=alarm-row]", has=page.locator(f"#alarm-{alarm['number']}"))
    expect(row).to_contain_text(BALANCED, timeout=LONG_MS)
    heard = datetime.fromisoformat(api.get(f"collectors/{key}")["rates"]["heard_at"])
    record_property("alarm after the last sample, s", (datetime.fromisoformat(alarm["opened_at"]) - heard).total_seconds())
    assert (datetime.fromisoformat(alarm["opened_at"]) - heard).total_seconds() >= 29

    # Taken, noted, muted.
    row.get_by_role("button", name="Take").click()
    expect(row).to_contain_text("admin")
    row.locator(".table__name").click()
    expect(page.locator("[data-test=owner]")).to_contain_text("admin")
    note = page.locator("[data-test=note-form]")
    note.locator("[name=text]").fill("Called the appliance's owner; he restarts it at noon.")
    note.get_by_role("button").click()
    expect(page.locator("[data-test=alarm]")).to_contain_text("restarts it at noon")
    mute = page.locator("[data-test=mute-form]")
    mute.locator("[name=reason]").fill("known until noon")
    mute.get_by_role("button").click()
    expect(page.locator("[data-test=is-muted]")).to_contain_text("known until noon")
    page.goto("/alarms")
    expect(page.locator("[data-test=muted]")).to_contain_text("Muted: 1")

    page.goto("/handover")
    told = page.locator("[data-test=handover]")
    for words in (alarm["name"], "restarts it at noon", "known until noon", "admin has it"):
        expect(told).to_contain_text(words)

    order(stack, "traffic/end")
    eventually(lambda: not [one for one in alarms_about(api, key, "H1") if one["state"] == "open"], within_s=150, why="the alarm is cleared")
    page.goto(f"/collectors/{key}")
    expect(page.locator("[data-test=bits]")).to_have_text(RATE, timeout=LONG_MS)
    page.goto("/handover")
    expect(told.locator("p", has_text=re.compile(alarm["name"] + ".*Over since")).first).to_be_visible()
    assert problems == []


@pytest.mark.long
def test_a_broken_hub_is_one_alarm_that_names_the_peering(
    admin_page: Page, stack: Stack, admin_client: Client, as_at_first: None, record_property: Any
) -> None:
    page, api = admin_page, admin_client
    key = collector_named(api, BALANCED)["key"]
    vnet = next(one["id"].lower() for one in api.items("vnets") if one["name"] == "spoke-crm")
    taps = {one["id"].lower(): one for one in api.items("taps")}
    nics = {one["id"].lower(): one for one in api.items("nics")}
    mirrored = [
        (nics[one["nic_id"].lower()], taps[one["tap_id"].lower()]) for one in api.items("tap-configurations") if one["nic_id"].lower() in nics
    ]
    behind = {nic["name"] for nic, tap in mirrored if vnet in json.dumps(nic).lower()}
    assert len(behind) >= 2, "several sources behind one peering"
    before = {one["number"] for one in api.items("alarms")}
    eventually(lambda: (api.get(f"collectors/{key}")["rates"]["bits_per_s"] or 0) > 0, within_s=120, why="traffic")

    order(stack, "peerings", peering="hub-uks/to-spoke-crm", state="Disconnected")
    api.sync()

    def new() -> list[dict[str, Any]]:
        return [one for one in api.items("alarms") if one["number"] not in before]

    def is_whole() -> bool:
        return any({child["name"] for child in one["children"] if not child["ended"]} >= behind for one in new())

    eventually(is_whole, within_s=480, why=f"one alarm with {sorted(behind)}: {[(one['title'], one['children']) for one in new()]}")
    about = [one for one in new() if behind & ({child["name"] for child in one["children"]} | {one["title"]})]
    assert len(about) == 1, [(one["name"], one["title"], one["rule_ids"]) for one in about]
    (alarm,) = about
    broken = [hop for hop in alarm["path"] if hop["state"] == "broken"]
    assert broken[0]["kind"].startswith("peering"), alarm["path"]
    assert "hub-uks" in broken[0]["name"] + broken[0]["words"]
    record_property("alarm", alarm["sentence"])
    page.goto("/alarms")
    row = page.locator("[data-test=alarm-row]", has_text=alarm["name"])
    expect(row).to_contain_text("peering")
    row.locator(".table__name").click()
    expect(page.locator("[data-test=children] tr")).to_have_count(len(alarm["children"]))
    expect(page.locator("[data-test=path]")).to_contain_text("broken")
    expect(page.locator("[data-test=happened-before]")).to_contain_text("Disconnected")

    order(stack, "peerings", peering="hub-uks/to-spoke-crm", state="Connected")
    api.sync()
    eventually(lambda: api.get(f"alarms/{alarm['number']}")["state"] == "cleared", within_s=240, why="cleared")
    page.goto("/alarms")
    expect(row).to_contain_text("cleared")


@pytest.mark.parametrize("mine", ["contoso-prod", "contoso-spokes", "fabrikam-lab"])
def test_numbers_of_another_subscription_reach_nobody(stack: Stack, admin_client: Client, mine: str) -> None:
    """Over the socket, the API and pages."""
    everything = admin_client
    ids = {one["name"]: one["subscription_id"] for one in everything.items("subscriptions")}
    client = Client(stack, f"numbers {mine}", "viewer", ids[mine])
    installation = Installation(stack.data_dir, stack.address, client.token)
    mirrors = {one["key"]: one["subscription_id"] for one in everything.items("tap-configurations")}
    collectors = {one["key"]: one for one in everything.items("collectors")}
    own_mirrors = {key for key, subscription in mirrors.items() if subscription == ids[mine]}
    own_collectors = {key for key, one in collectors.items() if one["subscription_id"] == ids[mine]}

    eventually(
        lambda: (everything.get(f"collectors/{collector_named(everything, BALANCED)['key']}")["rates"]["bits_per_s"] or 0) > 0,
        within_s=150,
        why="traffic",
    )
    with Reader(installation) as reader:
        eventually(lambda: len(reader.drawn) >= 5, within_s=60, why="five frames")
    known = {key for one in reader.drawn for key, bits in one.rates.items() if not math.isnan(bits)}
    named = {key for one in reader.drawn for key in one.rates}
    assert known <= own_mirrors | own_collectors
    assert named & mirrors.keys() <= own_mirrors
    if mine != "fabrikam-lab":
        assert known, "one's own numbers come"

    listed = {one["key"]: one for one in client.items("collectors")}
    for key, one in collectors.items():
        if key in own_collectors:
            continue
        shown = listed.get(key)
        assert shown is None or (shown["is_in_scope"], shown["rates"]["bits_per_s"], shown["members"]) == (False, None, []), one["name"]
        status, answer = client.ask(f"collectors/{key}/series")
        assert status == 404 or not [value for value in answer["bits_per_s"] if value is not None], one["name"]
        status, answer = client.ask(f"collectors/{key}")
        assert status == 404 or not [row for row in answer["sources"] or [] if row["tap_configuration_key"] not in own_mirrors], one["name"]
    own_nics = {one["key"] for one in client.items("nics")}
    foreign = [one["key"] for one in everything.items("nics") if one["key"] not in own_nics and one["tap_ids"]]
    assert foreign or mine == "contoso-spokes", "all but its own"
    assert {client.ask(f"sources/{nic}/series")[0] for nic in foreign} <= {404}
    own_names = {one["name"] for one in listed.values()}
    for nic in client.items("nics"):
        own_names |= {nic["name"], *nic["private_ips"]}  # the child of an alarm is a NIC, a collector, or an address that sends unexplained
    for alarm in client.items("alarms"):
        assert {child["name"] for child in alarm["children"]} <= own_names, alarm


def test_a_closed_appliance_says_that_it_tells_no_sources_apart(admin_page: Page, admin_client: Client) -> None:
    page, api = admin_page, admin_client
    key = collector_named(api, CLOSED)["key"]
    eventually(lambda: api.get(f"collectors/{key}")["rates"]["bits_per_s"] is not None, within_s=180, why="Azure Monitor's totals")
    told = api.get(f"collectors/{key}")
    assert told["rates"]["origins"] == ["azure_monitor"]
    assert told["rates"]["is_estimate"]
    assert told["has_source_rates"] is False
    assert told["sources"] is None
    assert "not available here" in told["sources_note"]
    page.goto(f"/collectors/{key}")
    expect(page.locator("[data-test=not-available]")).to_be_visible()
    expect(page.locator("[data-test=source-row]")).to_have_count(0)
    nics = {one["id"].lower(): one for one in api.items("nics")}
    taps = {one["id"].lower() for one in api.items("taps") if one["key"] in told["tap_keys"]}
    sources = [nics[one["nic_id"].lower()] for one in api.items("tap-configurations") if one["tap_id"].lower() in taps]
    assert sources
    for nic in sources:
        series = api.get(f"sources/{nic['key']}/series")
        (one,) = (one for one in series["collectors"] if one["collector_key"] == key)
        assert not one["is_available"]
        assert one["note"]
        assert not [value for value in one["bits_per_s"] if value is not None]
        page.goto(f"/nics/{nic['key']}")
        expect(page.locator("[data-test=route]")).to_contain_text(CLOSED)
        assert not re.search(r"\b0 b/s", page.locator("[data-test=route]").inner_text()), "not seeing is not zero"
