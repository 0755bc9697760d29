"""A change of 200 NICs while Azure stumbles and vtapweb's own processes are killed: it ends where it should, and Azure agrees.

    bin/up ──(VTAPWEB_CLOUD=custom)──> an ARM server apart: 429s, 500s, lost answers, slow and failing operations
      └─ kill -9: worker, writer, clock, beat, web, valkey, once each, in the middle of the change

VTAPWEB_DRILL_SEED=7 plays another day: other writes stumble, other NICs fail, the parts die in another order.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.drills.changing import QUICK, all_of, applied, assert_each_once, ended, in_the_middle, mirrorable, planned, verified, writable, writes_of
from tests.drills.stack import Installation, simulator, up
from tests.waiting import eventually

pytestmark = pytest.mark.stack


def assert_one_configuration_each(installation: Installation) -> None:
    per_nic = Counter(one["nic_id"].lower() for one in all_of(installation, "tap-configurations"))
    assert not [nic for nic, count in per_nic.items() if count > 1]


DISASTERS: tuple[Callable[[Installation], object], ...] = (
    lambda one: one.kill("writer"),
    lambda one: one.kill("worker"),
    lambda one: one.kill("web"),
    lambda one: one.kill("beat", "clock"),
    lambda one: one.kill("valkey"),
)
SEED = int(os.environ.get("VTAPWEB_DRILL_SEED", "1"))


@pytest.mark.long
def test_two_hundred_nics_survive_a_bad_day(tmp_path: Path) -> None:
    dice = random.Random(SEED)  # noqa: S311 - no secret
    with simulator("M", page_size=1000) as azure, up(tmp_path / "data", azure.url) as (_, installation):
        writable(installation)
        tap, nics = mirrorable(installation, 200)
        doomed = [nic.rsplit("/", 1)[1] for nic in (nics[dice.randrange(40, 100)], nics[dice.randrange(120, 200)])]
        for fault in (
            {"kind": "throttle", "percent": 5, "seed": SEED, "retry_after_s": 1},
            {"kind": "server_error", "percent": 2, "seed": SEED + 1, "status": 500},
            {"kind": "lost_answer", "percent": 2, "seed": SEED + 2},
            {"kind": "slow_operation", "percent": 5, "seed": SEED + 3, "delay_ms": 6000},
        ):
            azure.order("faults", only="writes", **fault)
        for name in doomed:
            azure.order("faults", kind="failed_operation", path_part=f"networkInterfaces/{name}/", only="writes", code="InternalServerError")
        azure.order("writes/clear")
        change = planned(installation, action="tap", nics=nics, tap=tap, pace={**QUICK, "wave": 40})
        assert len(change["steps"]) == 200
        applied(installation, change)
        for number, disaster in enumerate(dice.sample(DISASTERS, len(DISASTERS)), start=1):
            in_the_middle(installation, change["id"], 25 * number)
            disaster(installation)
        after = ended(installation, change["id"], within_s=600)
        azure.order("faults/clear")
        failed = sorted(step["nic_name"] for step in after["steps"] if step["state"] == "failed")
        assert (after["state"], verified(after), failed) == ("partly_applied", 198, sorted(doomed)), after
        assert {step["error_code"] for step in after["steps"] if step["state"] == "failed"} == {"InternalServerError"}
        eventually(lambda: installation.lacking() == [], within_s=60, why="everything works again")
        assert installation.differences(azure.url) == []
        assert_one_configuration_each(installation)
        writes = writes_of(azure)
        assert len({kind for write in writes for kind in write["fault"].split()}) >= 4, "it was a bad day"
        assert_each_once(writes, after)
        assert azure.read("writes")["overlaps"] == []
        assert_audited(installation, after)


def assert_audited(installation: Installation, change: dict[str, Any]) -> None:
    """Who planned and applied it, how it ended, and what became of each step, once each, with the id that Azure was sent."""
    about = Counter(one["action"] for one in installation.audited(action="taps.change_", target=f"change {change['id']}"))
    assert about == Counter(["taps.change_planned", "taps.change_started", "taps.change_ended"])
    steps = [one for one in installation.audited(action="taps.step_") if one["detail"]["change"] == change["id"]]
    told = Counter((one["target"].lower(), one["action"], one["detail"]["request_id"], one["detail"]["error_code"]) for one in steps)
    assert told == Counter(
        (step["target"].lower(), f"taps.step_{step['state']}", step["client_request_id"], step["error_code"]) for step in change["steps"]
    )
    assert {one["reason"] for one in steps} == {change["reason"]}
