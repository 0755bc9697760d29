"""A plan that is handed over: its REST text, run by a shell against the simulated Azure, does what the plan said; a sync sees it and closes it.

`az` is a stand-in that sends what `az rest` would send. What Azure's own CLI makes of the words is not tested here.
"""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Stack
from tests.e2e.estate import Client
from tests.waiting import eventually

AZ = """#!{python}
import json, sys, urllib.error, urllib.request
options = dict(word[2:].split("=", 1) for word in sys.argv[2:])
assert sys.argv[1] == "rest", sys.argv
body = options.get("body")
request = urllib.request.Request("{simulator}" + options["url"].lstrip("/"), method=options["method"].upper(), data=body.encode() if body else None)
request.add_header("Authorization", "Bearer anything")
request.add_header("Content-Type", "application/json")
try:
    answer = json.loads(urllib.request.urlopen(request).read() or b"null")
except urllib.error.HTTPError as refused:
    sys.exit(f"{{refused.reason}}({{refused.read().decode()}})")
for name in filter(None, options.get("query", "").split(".")):
    answer = answer[name]
if options.get("output") != "none":
    print(answer if options.get("output") == "tsv" else json.dumps(answer))
"""


def az(stack: Stack, folder: Path) -> dict[str, str]:
    """An environment in which `az` speaks to the simulator and `sleep` does not wait."""
    for name, text in (("az", AZ.format(python=sys.executable, simulator=stack.simulator)), ("sleep", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def two_for_one_tap(api: Client) -> tuple[str, list[str]]:
    """A TAP, and two NICs that may go there."""
    free = [nic["id"] for nic in api.items("nics") if not nic["tap_ids"] and nic["vm_id"]]
    status, verdicts = api.ask("verdicts", {"nics": free})
    assert status == 200, verdicts
    allowed: dict[str, list[str]] = defaultdict(list)
    for one in verdicts["items"]:
        if one["allowed"]:
            allowed[one["tap"]].append(one["nic"])
    tap, nics = max(allowed.items(), key=lambda pair: len(pair[1]))
    return tap, nics[:2]


def hand_over_and_run(api: Client, environment: dict[str, str], wish: dict[str, Any]) -> dict[str, Any]:
    """Plan it, hand it over, run its text, sync: the change as it is then."""
    status, change = api.ask("changes", wish)
    assert status in {200, 201}, change
    address = f"changes/{change['id']}"
    assert api.ask(f"{address}/hand-over", {})[1]["state"] == "handed_over"
    text = api.get(f"{address}/export?format=rest")
    ended = subprocess.run(["bash", "-c", text], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    api.sync()
    eventually(lambda: api.get(address)["state"] != "handed_over", within_s=30, why="the comparison after the sync")
    found: dict[str, Any] = api.get(address)
    return found


def test_somebody_else_carries_out_the_plan_and_a_sync_closes_it(stack: Stack, tmp_path: Path) -> None:
    api, environment = Client(stack, "handed-over", "operator"), az(stack, tmp_path)
    tap, nics = two_for_one_tap(api)
    api.sync()
    done = hand_over_and_run(api, environment, {"action": "tap", "nics": nics, "tap": tap, "reason": "CASE-77", "ticket": "T-77"})
    assert (done["state"], {step["state"] for step in done["steps"]}) == ("applied", {"verified"})
    lives = [one for one in api.get("evidence?limit=1000")["items"] if one["nic_id"] in nics and not one["to"]]
    assert {(one["origin"], one["why"], one["ticket"], one["change"]) for one in lives} == {("change", "CASE-77", "T-77", done["id"])}
    assert len(lives) == len(nics)

    gone = hand_over_and_run(api, environment, {"action": "untap", "nics": nics, "reason": "seen enough"})
    assert gone["state"] == "applied"
    lives = [one for one in api.get("evidence?limit=1000")["items"] if one["change"] == done["id"]]
    assert {(one["state"], one["ended_why"], one["ended_change"]) for one in lives} == {("ended", "seen enough", gone["id"])}
