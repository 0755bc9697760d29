"""A change that is applied while the map is open: its NICs bear a mark in their turn, their strands come as they are verified, one wave after
the other, without a reload; the undo takes them away again. The latency is kept in the report, not judged: this machine may be busy.
"""

import json
from datetime import datetime
from typing import Any

from playwright.sync_api import Page

from tests.e2e.conftest import Stack
from tests.e2e.estate import Client
from tests.e2e.test_map import until
from tests.e2e.test_mirror import END_MS
from tests.e2e.test_walk import admin_client, as_at_first, open_map
from tests.waiting import eventually

__all__ = ["admin_client", "as_at_first"]  # fixtures

NAMES = ("web-03", "web-04", "api-03")

# Notes when the strand of each NIC came or went (ms since 1970), and whether a mark was seen meanwhile.
WATCH = """names => {
  const seen = window.seenStrands = { came: {}, went: {}, marks: 0 };
  const look = () => {
    const mirrored = new Set(vtap.graph.strands().flatMap(strand => strand.nics));
    seen.marks = Math.max(seen.marks, vtap.graph.stats().inFlight);
    for (const name of names) {
      if (mirrored.has(name) && !(name in seen.came)) seen.came[name] = Date.now();
      if (!mirrored.has(name) && name in seen.came && !(name in seen.went)) seen.went[name] = Date.now();
    }
    requestAnimationFrame(look);
  };
  look();
}"""


def carried_out(api: Client, wish: dict[str, Any], path: str = "changes") -> dict[str, Any]:
    status, change = api.ask(path, wish)
    assert status in {200, 201}, change
    address = f"changes/{change['id']}"
    status, said = api.ask(f"{address}/apply", {})
    assert status in {200, 202}, said
    eventually(lambda: api.get(address)["state"] not in {"planned", "applying"}, within_s=END_MS / 1000, why="the end of the change")
    found: dict[str, Any] = api.get(address)
    assert found["state"] == "applied", found
    return found


def latest_s(change: dict[str, Any], seen: dict[str, int]) -> float:
    """The longest time from a verified step to what was seen on the map."""
    nics = {step["nic_name"]: datetime.fromisoformat(step["verified_at"]).timestamp() for step in change["steps"]}
    return max(seen[name] / 1000 - nics[name] for name in NAMES)


def test_strands_come_and_go_on_the_open_map_as_steps_are_verified(
    admin_page: Page, stack: Stack, admin_client: Client, as_at_first: None, record_property: Any
) -> None:
    page, api = admin_page, admin_client
    nics = {one["name"]: one["id"] for one in api.items("nics")}
    tap = next(one["id"] for one in api.items("taps") if one["name"] == "tap-ilb-uks")
    open_map(page)
    page.evaluate(WATCH, list(NAMES))
    wish = {"action": "tap", "nics": [nics[name] for name in NAMES], "tap": tap, "reason": "CASE-3", "pace": {"first": 1, "wave": 1, "settle_s": 1}}
    done = carried_out(api, wish)
    until(page, f"Object.keys(window.seenStrands.came).length === {len(NAMES)}")
    until(page, "vtap.graph.stats().inFlight === 0")
    seen = page.evaluate("window.seenStrands")
    order = [step["nic_name"] for step in sorted(done["steps"], key=lambda step: step["verified_at"])]
    assert sorted(NAMES, key=lambda name: int(seen["came"][name])) == order, "one after the other"
    assert seen["marks"] == 1, "one NIC at a time was with Azure"
    record_property("verified_to_map_s", json.dumps(latest_s(done, seen["came"])))

    undone = carried_out(api, {"reason": "seen enough"}, f"changes/{done['id']}/undo")
    until(page, f"Object.keys(window.seenStrands.went).length === {len(NAMES)}")
    record_property("undone_to_map_s", json.dumps(latest_s(undone, page.evaluate("window.seenStrands.went"))))
