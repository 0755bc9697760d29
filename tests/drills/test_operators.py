"""Operators at a running installation: the commands of docs/api.md as they stand there, two with conflicting plans, a killed worker, the stop.

curl ──> bin/up ──(VTAPWEB_CLOUD=custom)──> a simulator apart, whose log of writes is what happened
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.drills.changing import (
    QUICK,
    act,
    all_of,
    applied,
    assert_each_once,
    change_of,
    ended,
    in_the_middle,
    mirrorable,
    planned,
    verified,
    writable,
    writes_of,
)
from tests.drills.curl import WITH_STATUS
from tests.drills.stack import Installation, Simulator, simulator, up
from tests.house.processes import ROOT
from tests.waiting import eventually

pytestmark = pytest.mark.stack

STOPPED_WITHIN_S = 5
MADE_FOR = "http://127.0.0.1:8000/"
PAUSE = r"\"settle_s\": 60"


@dataclass
class Place:
    """The installation, its Azure, a TAP, and NICs that may go there; each test takes its own from `nics`."""

    azure: Simulator
    installation: Installation
    tap: str
    nics: list[str]

    def take(self, count: int) -> list[str]:
        taken, self.nics = self.nics[:count], self.nics[count:]
        assert len(taken) == count
        return taken

    def written(self, nics: list[str]) -> list[tuple[str, str]]:
        """(method, NIC) of every write to these NICs that Azure took, in order."""
        by_name = {nic.rsplit("/", 1)[1].lower(): nic for nic in nics}
        found = [(one["method"], one["path"].split("/")[8].lower()) for one in writes_of(self.azure) if one["state"] != "refused"]
        return [(method, by_name[name]) for method, name in found if name in by_name]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with simulator("S", page_size=100) as azure:
        azure.order("nics/add", subnet="spoke-crm/snet-web", count=20, stem="fresh", is_attached=True)
        azure.order("pace", operation_ms=500, retry_after_s=1)
        with up(tmp_path_factory.mktemp("operators") / "data", azure.url) as (_, installation):
            writable(installation)
            tap, nics = mirrorable(installation, 20, stem="fresh-")
            yield Place(azure, installation, tap, nics)


# -- docs/api.md


def documented() -> list[str]:
    """Every curl command of docs/api.md, in its order; a line that is indented further goes on with the one before."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    return [found.group().strip() for found in re.finditer(r"^    curl .*(?:\n {8,}.*)*", text, re.MULTILINE)]


def run(command: str, address: str, curl: str = "", **variables: str) -> tuple[int, Any]:
    """Status and JSON of a documented command: the shell runs it as it stands, but for the address and the pause that VMs get."""
    tool = curl or (f"command curl -sS -w '{WITH_STATUS}'" if shutil.which("curl") else f"{sys.executable} -m tests.drills.curl")
    script = f'curl() {{ {tool} "$@"; }}\n{command.replace(MADE_FOR, address).replace(PAUSE, PAUSE.replace("60", "0"))}'
    own = {**os.environ, **variables, "no_proxy": "*"}
    ended = subprocess.run(["sh", "-eu", "-c", script], cwd=ROOT, env=own, capture_output=True, text=True, timeout=90, check=False)
    assert ended.returncode == 0, (command, ended.stderr)
    body, _, status = ended.stdout.rpartition("\n")
    return int(status), json.loads(body)


def test_the_documented_commands_lead_from_verdicts_to_an_undo(place: Place) -> None:
    commands = documented()
    tails = [re.sub(r'.*/api/v1/|".*', "", command, flags=re.DOTALL) for command in commands]
    measured_of = "collectors/$COLLECTOR/series?from=-86400&step_s=60"
    assert tails == ["nics?vnet=spoke-crm&mirrored=false&limit=500", "find", "verdicts", measured_of, "changes"] + [
        f"changes/$CHANGE{verb}" for verb in ("/apply", "", "/undo")
    ]
    listing, find, verdicts, measured, plan, apply, look, undo = commands
    assert PAUSE in plan
    (nic,) = place.take(1)
    address = place.installation.address
    known = {"TOKEN": place.installation.token_of("curl", "operator"), "NIC": nic, "TAP": place.tap}

    status, listed = run(listing, address, **known)
    assert status == 200
    assert nic in [one["id"] for one in listed["items"]]
    status, found = run(find, address, **known)
    assert (status, [one["state"] for one in found["items"]]) == (200, ["matched", "matched", "not_found", "not_found"]), found
    status, judged = run(verdicts, address, **known)
    assert (status, [one["allowed"] for one in judged["items"]]) == (200, [True])
    shim = f"{sys.executable} -m tests.drills.curl"
    assert run(verdicts, address, shim, **known) == (status, judged)

    collector = next(one["key"] for one in all_of(place.installation, "collectors") if one["member_count"])
    status, series = run(measured, address, **known, COLLECTOR=collector)
    assert (status, series["step_s"], len(series["bits_per_s"])) == (200, 60, series["count"])

    status, change = run(plan, address, **known)
    assert (status, change["state"], len(change["requests"])) == (201, "planned", 1)
    assert run(plan, address, **known)[1]["id"] == change["id"], "the same key, the same change"
    assert place.written([nic]) == []

    def carry_out(change_id: int) -> None:
        status, begun = run(apply, address, **known, CHANGE=str(change_id))
        assert (status, begun["state"]) == (202, "applying")
        after = ended(place.installation, change_id, within_s=90)
        assert run(look, address, **known, CHANGE=str(change_id)) == (200, after)
        assert after["state"] == "applied"

    carry_out(change["id"])
    assert place.written([nic]) == [("PUT", nic)]
    status, inverse = run(undo, address, **known, CHANGE=str(change["id"]))
    assert (status, inverse["state"], inverse["undo_of"]) == (201, "planned", change["id"])
    carry_out(inverse["id"])
    assert place.written([nic]) == [("PUT", nic), ("DELETE", nic)]
    assert nic.lower() not in {one["nic_id"].lower() for one in all_of(place.installation, "tap-configurations")}


def test_of_two_operators_with_conflicting_plans_one_wins_and_the_other_is_told_what_changed(place: Place) -> None:
    installation, nics = place.installation, place.take(2)
    anna, bert = (installation.token_of(name, "operator") for name in ("anna", "bert"))
    first = planned(installation, token=anna, action="tap", nics=nics, tap=place.tap, pace={**QUICK, "settle_s": 3600})
    second = planned(installation, token=bert, action="tap", nics=nics, tap=place.tap, pace=QUICK)

    assert act(installation, first, "apply", token=anna)[0] == 202
    status, refused = act(installation, second, "apply", token=bert)
    assert (status, refused["title"]) == (409, "Somebody else is at it")
    (conflict,) = refused["conflicts"]
    assert (conflict["change"], "anna" in conflict["by"], len(conflict["names"])) == (first["id"], True, 2)
    assert "anna" in refused["detail"]

    in_the_middle(installation, first["id"], 1)
    assert act(installation, first, "cancel", token=anna)[0] == 200
    after = ended(installation, first["id"], within_s=60)
    assert {step["nic"]: step["state"] for step in after["steps"]} == {nics[0]: "verified", nics[1]: "skipped"}

    status, refused = act(installation, second, "apply", token=bert)
    assert (status, refused["title"]) == (409, "The world has moved")
    (moved,) = refused["differences"]
    assert (moved["nic"], moved["is_refused"], moved["rules"]) == (nics[0], True, ["one-config-per-nic"])
    assert f"{moved['name']}: Already mirrored to" in refused["detail"]
    assert change_of(installation, second["id"])["state"] == "planned"
    assert act(installation, second, "apply", token=bert, accepted_digest=refused["digest"])[0] == 202
    after = ended(installation, second["id"], within_s=90)
    assert {step["nic"]: step["state"] for step in after["steps"]} == {nics[0]: "skipped", nics[1]: "verified"}
    assert place.written(nics) == [("PUT", nics[0]), ("PUT", nics[1])]


# -- what comes in between


def test_a_change_survives_the_worker_that_writes_and_is_undone(place: Place) -> None:
    installation, nics = place.installation, place.take(5)
    change = planned(installation, action="tap", nics=nics, tap=place.tap, pace={**QUICK, "wave": 2})
    assert place.written(nics) == [], "nothing is sent before somebody applies it"
    applied(installation, change)
    in_the_middle(installation, change["id"], 1)
    assert installation.kill("writer")
    after = ended(installation, change["id"], within_s=120)
    assert (after["state"], verified(after)) == ("applied", 5)
    assert_each_once(writes_of(place.azure), after)
    assert installation.differences(place.azure.url) == []

    status, undo = act(installation, change, "undo")
    assert status == 201, undo
    applied(installation, undo)
    assert ended(installation, undo["id"], within_s=120)["state"] == "applied"
    assert installation.differences(place.azure.url) == []
    assert not {nic.lower() for nic in nics} & {one["nic_id"].lower() for one in all_of(installation, "tap-configurations")}


def test_the_stop_over_all_writes_halts_a_running_change_within_five_seconds(place: Place) -> None:
    installation, nics = place.installation, place.take(5)
    change = planned(installation, action="tap", nics=nics, tap=place.tap, pace={**QUICK, "wave": 1})
    applied(installation, change)
    in_the_middle(installation, change["id"], 1)
    stopped = installation.manage("writes", "--stop", "--reason", "something is wrong")
    stopped_at = time.time()
    assert stopped.returncode == 0, stopped.stderr
    assert "ALL WRITES ARE STOPPED" in stopped.stdout

    def halted() -> dict[str, Any]:
        found = change_of(installation, change["id"])
        in_flight = [step for step in found.get("steps", ()) if step["state"] in {"sent", "polling"}]
        return found if found.get("state") == "paused" and not in_flight else {}

    paused = eventually(halted, within_s=60, why="the change is paused and nothing is in flight")
    assert paused["stop"]["code"] == "writes_stopped"
    assert 1 <= verified(paused) < len(nics)
    begun = [one["begun_unix_s"] for one in writes_of(place.azure)]
    assert max(begun) <= stopped_at + STOPPED_WITHIN_S
    assert len(place.written(nics)) == verified(paused)
    status, refused = act(installation, change, "continue")
    assert (status, refused["code"]) == (409, "writes_stopped")
    assert "something is wrong" in refused["detail"]

    resumed = installation.manage("writes", "--resume", "--reason", "it was nothing")
    assert resumed.returncode == 0, resumed.stderr
    assert change_of(installation, change["id"])["state"] == "paused", "people decide when it goes on"
    assert act(installation, change, "continue")[0] == 202
    after = ended(installation, change["id"], within_s=120)
    assert (after["state"], verified(after)) == ("applied", len(nics))
    assert sorted(place.written(nics)) == sorted(("PUT", nic) for nic in nics)


@pytest.mark.long
def test_a_window_closes_in_the_middle_and_mirrors_expire_by_a_change_of_their_own(place: Place) -> None:
    installation, windowed, expiring = place.installation, place.take(3), place.take(2)
    now = datetime.now(UTC)
    window = {"opens_at": now.isoformat(), "closes_at": (now + timedelta(seconds=60)).isoformat(), "zone": "Europe/London"}
    first = planned(installation, action="tap", nics=windowed, tap=place.tap, window=window, pace={**QUICK, "settle_s": 3600})
    applied(installation, first)
    until = datetime.now(UTC) + timedelta(seconds=120)
    second = planned(installation, action="tap", nics=expiring, tap=place.tap, expires_at=until.isoformat(), pace=QUICK)
    applied(installation, second)

    after = ended(installation, first["id"], within_s=120)
    assert [step["state"] for step in after["steps"]] == ["verified", "skipped", "skipped"]
    assert (after["state"], after["stop"]["code"]) == ("partly_applied", "window_closed")
    assert {step["skip_reason"] for step in after["steps"][1:]} == {"The change window closed before this was done."}
    assert place.written(windowed) == [("PUT", windowed[0])]

    assert ended(installation, second["id"], within_s=90)["state"] == "applied"
    announced: list[dict[str, Any]] = eventually(
        lambda: change_of(installation, second["id"]).get("followers", []), within_s=150, why="an expiry that is announced"
    )
    assert [(one["as"], one["action"]) for one in announced] == [("expiry", "untap")]
    expiry = ended(installation, announced[0]["id"], within_s=300)
    assert (expiry["state"], expiry["expiry_of"], expiry["applied_by"]) == ("applied", second["id"], "vtapweb (expiry)")
    assert change_of(installation, second["id"])["expiry"]["state"] == "done"
    deletes = [one["begun_unix_s"] for one in writes_of(place.azure) if one["method"] == "DELETE"][-2:]
    assert min(deletes) >= until.timestamp()
    assert sorted(place.written(expiring)) == sorted([("PUT", nic) for nic in expiring] + [("DELETE", nic) for nic in expiring])
