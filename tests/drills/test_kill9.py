"""kill -9 in the middle of a sync on the whole stack, and a broker emptied: within 60 s it has recovered by itself and equals the server.

The server is a simulator apart, slow enough for a sync to be in its middle; the estate changes before the sync, so that there is something
to write. Short: the worker, at S. Long: each part alone, all together, and the broker, at M, in the first sync of all.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drills.stack import Installation, custom, simulator, up
from tests.house.processes import Up
from tests.waiting import eventually

pytestmark = pytest.mark.stack

RECOVERED_WITHIN_S = 60
DISASTERS: dict[str, Callable[[Installation], object]] = {
    "worker": lambda one: one.kill("worker"),
    "web": lambda one: one.kill("web"),
    "valkey": lambda one: one.kill("valkey"),
    "clock": lambda one: one.kill("clock"),
    "all of them": lambda one: one.kill("worker", "clock", "web", "valkey"),
    "emptied broker": lambda one: one.empty_the_broker(),
}


def is_in_the_middle(report: dict[str, object]) -> bool:
    """Some list was read, and some subscription is not finished."""
    parts = report.get("subscriptions")
    assert isinstance(parts, list)
    return report["state"] == "running" and any(part["state"] == "running" for part in parts)


def test_a_killed_worker_is_no_loss(tmp_path: Path) -> None:
    with simulator("S", page_size=7) as azure, up(tmp_path / "data", azure.url) as (_, installation):
        assert installation.differences(azure.url) == []
        azure.order("nics/add", subnet="spoke-gwc/snet-app", count=9)
        azure.order("faults", kind="slow", delay_ms=100)
        run_id = installation.sync_start()
        eventually(lambda: is_in_the_middle(installation.run_of(run_id)), within_s=30, why="a sync in its middle")
        killed = installation.kill("worker")
        assert len(killed) > 1, "the worker and the processes that do its work"
        azure.order("faults/clear")
        report = installation.finished(run_id, within_s=RECOVERED_WITHIN_S)
        assert report["state"] == "partial", "S has one subscription that may not be read"
        assert report["counts"]["nics"] > 9
        eventually(lambda: installation.lacking() == [], within_s=20, why="everything works again")
        assert installation.differences(azure.url) == []
        assert not killed & {process.pid for process in installation.processes("worker")}


@pytest.mark.long
@pytest.mark.parametrize("name", DISASTERS)
def test_a_first_sync_survives(name: str, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with simulator("M", page_size=100) as azure:
        azure.order("faults", kind="slow", delay_ms=150)
        with Up(data_dir, "--no-demo", **custom(azure.url)) as started:
            started.line(r"0 of 5 subscriptions read")
            installation = Installation(data_dir)
            counted = installation.manage
            eventually(lambda: "yes" in counted("shell", "-c", HAS_NICS).stdout, within_s=60, why="the first NICs in the database")
            DISASTERS[name](installation)
            azure.order("faults/clear")
            struck_at = time.monotonic()
            installation.sign_in(started.ready())
            report = installation.finished(1, within_s=RECOVERED_WITHIN_S)
            eventually(lambda: installation.lacking() == [], within_s=20, why="everything works again")
            assert time.monotonic() - struck_at < RECOVERED_WITHIN_S
            assert report["state"] == "complete", report
            assert installation.differences(azure.url) == []


HAS_NICS = (
    "from vtapweb.inventory.models import NetworkInterface, SyncRun; "
    "print('yes' if NetworkInterface.objects.exists() and SyncRun.objects.filter(state='running').exists() else 'no')"
)
