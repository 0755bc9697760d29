"""What an operator does with the API of a running installation: find NICs that may be mirrored, plan, apply, wait for the end; and what Azure saw."""

import http.client
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.drills.stack import Installation, Simulator
from tests.waiting import eventually

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


def mirrorable(installation: Installation, count: int, *, stem: str = "") -> tuple[str, list[str]]:
    """A TAP, and so many NICs (whose names begin like that) that may be mirrored to it."""
    nics = [nic["id"] for nic in all_of(installation, "nics") if not nic["tap_ids"] and nic["name"].startswith(stem)]
    for tap in all_of(installation, "taps"):
        allowed: list[str] = []
        for start in range(0, len(nics), 1000):
            status, body = installation.send("POST", "/api/v1/verdicts", {"nics": nics[start : start + 1000], "taps": [tap["id"]]})
            assert status == 200, body
            allowed += [one["nic"] for one in json.loads(body)["items"] if one["allowed"]]
            if len(allowed) >= count:
                return tap["id"], allowed[:count]
    raise AssertionError(f"no TAP that {count} NICs may go to")


def planned(installation: Installation, *, token: str = "", **wanted: Any) -> dict[str, Any]:
    status, body = installation.send("POST", "/api/v1/changes", {"reason": "the drill", **wanted}, token=token)
    assert status == 201, body
    plan: dict[str, Any] = json.loads(body)
    assert plan["state"] == "planned"
    return plan


def act(installation: Installation, change: dict[str, Any], verb: str, *, token: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
    """Status and answer of `POST changes/<id>/<verb>`."""
    status, said = installation.send("POST", f"/api/v1/changes/{change['id']}/{verb}", body, token=token)
    answer: dict[str, Any] = json.loads(said)
    return status, answer


def applied(installation: Installation, change: dict[str, Any]) -> None:
    status, answer = act(installation, change, "apply")
    assert status == 202, answer


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


def in_the_middle(installation: Installation, change_id: int, at_least: int) -> None:
    eventually(lambda: verified(change_of(installation, change_id)) >= at_least, within_s=120, why=f"{at_least} steps verified")


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
