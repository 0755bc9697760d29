"""A change of many NICs while Azure stumbles and vtapweb's own processes are killed: it ends where it should, and Azure agrees.

    bin/up ──(VTAPWEB_CLOUD=custom)──> an ARM server apart: 429s, 500s, lost answers, slow and failing operations
      └─ kill -9: worker, writer, clock, beat, web, valkey, once each, in the middle of the change

Short: a small change, one killed worker. Long: 200 NICs and everything killed, for a simulator and for a second, smaller ARM server.
"""

import http.client
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drills.stack import Installation, Simulator, simulator, up
from tests.waiting import eventually

pytestmark = pytest.mark.stack

ENDED = {"applied", "partly_applied", "failed", "cancelled"}
QUICK = {"first": 1, "settle_s": 0}


def writable(installation: Installation) -> None:
    """What an admin does once: writes are off on an Azure of one's own."""
    made = installation.manage("writes", "--enable", "--all", "--reason", "the drill")
    assert made.returncode == 0, made.stderr


def all_of(installation: Installation, path: str) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = installation.ask(f"{path}{'&' if '?' in path else '?'}limit=1000{cursor}")
        yield from page["items"]
        if not page["next"]:
            return
        cursor = f"&cursor={page['next']}"


def mirrorable(installation: Installation, count: int) -> tuple[str, list[str]]:
    """A TAP, and so many NICs that may be mirrored to it."""
    nics = [nic["id"] for nic in all_of(installation, "nics") if not nic["tap_ids"]]
    for tap in all_of(installation, "taps"):
        allowed: list[str] = []
        for start in range(0, len(nics), 1000):
            status, body = installation.send("POST", "/api/v1/verdicts", {"nics": nics[start : start + 1000], "taps": [tap["id"]]})
            assert status == 200, body
            allowed += [one["nic"] for one in json.loads(body)["items"] if one["allowed"]]
            if len(allowed) >= count:
                return tap["id"], allowed[:count]
    raise AssertionError(f"no TAP that {count} NICs may go to")


def planned(installation: Installation, **wanted: Any) -> dict[str, Any]:
    status, body = installation.send("POST", "/api/v1/changes", {"reason": "the drill", **wanted})
    assert status == 201, body
    plan: dict[str, Any] = json.loads(body)
    assert plan["state"] == "planned"
    return plan


def applied(installation: Installation, change: dict[str, Any]) -> None:
    status, body = installation.send("POST", f"/api/v1/changes/{change['id']}/apply", {})
    assert status in {200, 202}, body


def change_of(installation: Installation, change_id: int) -> dict[str, Any]:
    """The change; {} while the web does not answer."""
    try:
        found: dict[str, Any] = installation.ask(f"changes/{change_id}")
    except (OSError, http.client.HTTPException):
        return {}
    return found


def ended(installation: Installation, change_id: int, *, within_s: float) -> dict[str, Any]:
    def over() -> dict[str, Any]:
        found = change_of(installation, change_id)
        assert found.get("state") != "paused", found
        return found if found.get("state") in ENDED else {}

    return eventually(over, within_s=within_s, why=f"the end of change {change_id}")


def verified(change: dict[str, Any]) -> int:
    return sum(step["state"] == "verified" for step in change.get("steps", ()))


def writes_of(azure: Simulator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = azure.read("writes")["value"]
    return found


def assert_each_once(writes: list[dict[str, Any]], change: dict[str, Any]) -> None:
    """Every verified step was done exactly once at Azure, and whatever was sent for a step bears that step's own id."""
    done = Counter(write["path"].partition("?")[0].lower() for write in writes if write["state"] == "Succeeded" and write["status"] != 200)
    ids: dict[str, set[str]] = {}
    for write in writes:
        ids.setdefault(write["path"].partition("?")[0].lower(), set()).add(write["client_request_id"])
    for request, step in zip(change["requests"], change["steps"], strict=True):
        path = re.sub(r"\?.*", "", request["path"]).lower()
        if step["state"] == "verified":
            assert done[path] == 1, (path, [write for write in writes if write["path"].lower().startswith(path)])
        assert len(ids.get(path, set())) <= 1, path


def assert_one_configuration_each(installation: Installation) -> None:
    per_nic = Counter(one["nic_id"].lower() for one in all_of(installation, "tap-configurations"))
    assert not [nic for nic, count in per_nic.items() if count > 1]


def in_the_middle(installation: Installation, change_id: int, at_least: int) -> None:
    eventually(lambda: verified(change_of(installation, change_id)) >= at_least, within_s=120, why=f"{at_least} steps verified")


def test_a_change_survives_the_worker_that_writes(tmp_path: Path) -> None:
    with simulator("S", page_size=100) as azure, up(tmp_path / "data", azure.url) as (_, installation):
        writable(installation)
        tap, nics = mirrorable(installation, 5)
        azure.order("writes/clear")
        change = planned(installation, action="tap", nics=nics, tap=tap, pace={**QUICK, "wave": 2})
        assert writes_of(azure) == [], "nothing is sent before somebody applies it"
        applied(installation, change)
        in_the_middle(installation, change["id"], 1)
        assert installation.kill("writer")
        after = ended(installation, change["id"], within_s=120)
        assert (after["state"], verified(after)) == ("applied", 5)
        assert_each_once(writes_of(azure), after)
        assert installation.differences(azure.url) == []

        status, body = installation.send("POST", f"/api/v1/changes/{change['id']}/undo", {})
        assert status == 201, body
        undo = json.loads(body)
        applied(installation, undo)
        assert ended(installation, undo["id"], within_s=120)["state"] == "applied"
        assert installation.differences(azure.url) == []
        assert not [one for one in all_of(installation, "tap-configurations") if one["nic_id"].lower() in {nic.lower() for nic in nics}]


DISASTERS: tuple[Callable[[Installation], object], ...] = (
    lambda one: one.kill("writer"),
    lambda one: one.kill("worker"),
    lambda one: one.kill("web"),
    lambda one: one.kill("beat", "clock"),
    lambda one: one.kill("valkey"),
)


@pytest.mark.long
def test_two_hundred_nics_survive_a_bad_day(tmp_path: Path) -> None:
    with simulator("M", page_size=1000) as azure, up(tmp_path / "data", azure.url) as (_, installation):
        writable(installation)
        tap, nics = mirrorable(installation, 200)
        doomed = [nic.rsplit("/", 1)[1] for nic in (nics[60], nics[150])]
        for fault in (
            {"kind": "throttle", "percent": 5, "seed": 1, "retry_after_s": 1},
            {"kind": "server_error", "percent": 2, "seed": 2, "status": 500},
            {"kind": "lost_answer", "percent": 2, "seed": 3},
            {"kind": "slow_operation", "percent": 5, "seed": 4, "delay_ms": 6000},
        ):
            azure.order("faults", only="writes", **fault)
        for name in doomed:
            azure.order("faults", kind="failed_operation", path_part=f"networkInterfaces/{name}/", only="writes", code="InternalServerError")
        azure.order("writes/clear")
        change = planned(installation, action="tap", nics=nics, tap=tap, pace={**QUICK, "wave": 20})
        assert len(change["steps"]) == 200
        applied(installation, change)
        for number, disaster in enumerate(DISASTERS, start=1):
            in_the_middle(installation, change["id"], 20 * number)
            disaster(installation)
        after = ended(installation, change["id"], within_s=600)
        azure.order("faults/clear")
        failed = sorted(step["target"].split("/")[8] for step in after["steps"] if step["state"] == "failed")
        assert (after["state"], verified(after), failed) == ("partly_applied", 198, sorted(doomed)), after
        eventually(lambda: installation.lacking() == [], within_s=60, why="everything works again")
        assert installation.differences(azure.url) == []
        assert_one_configuration_each(installation)
        writes = writes_of(azure)
        assert_each_once(writes, after)
        assert azure.read("writes")["overlaps"] == []
        assert_audited(installation, after)


def assert_audited(installation: Installation, change: dict[str, Any]) -> None:
    """Who began it, how it ended and what became of each step stand in the audit record."""
    found = installation.manage("shell", "-c", AUDIT.format(change["id"]))
    entries = json.loads(found.stdout)
    actions = Counter(entry["action"] for entry in entries)
    assert actions["taps.change_planned"] == actions["taps.change_applied"] == actions["taps.change_ended"] == 1, actions


AUDIT = (
    "import json; from vtapweb.access.models import AuditEntry; "
    "print(json.dumps([dict(action=one.action, detail=one.detail) for one in AuditEntry.objects.filter(target='change {}')]))"
)
