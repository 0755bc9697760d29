"""Real processes: what dies comes back, and nothing outlives its supervisor."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.waiting import eventually
from vtapweb.config.supervisor import BACKOFF_S, Child, ChildFailedError, Supervisor, backoff_s

# A child with a child of its own; both write their process ids, both ignore polite signals when told to.
FAMILY = """
import os, signal, subprocess, sys, time
folder, is_stubborn, is_grandchild = sys.argv[1], sys.argv[2] == "stubborn", len(sys.argv) > 3
if is_stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not is_grandchild:
    child = subprocess.Popen([sys.executable, "-c", os.environ["FAMILY"], folder, sys.argv[2], "grandchild"])
open(f"{folder}/{'grandchild' if is_grandchild else 'child'}-{os.getpid()}", "w").close()
print("up", flush=True)
while True:
    time.sleep(3600)
"""
SUPERVISING = """
import asyncio, os, sys
from vtapweb.config.supervisor import Child, Supervisor
async def main():
    supervisor = Supervisor(is_waiting_guard=sys.argv[2] == "wait")
    await supervisor.start(Child("family", lambda: [sys.executable, "-c", os.environ["FAMILY"], sys.argv[1], "polite"]))
    await asyncio.Event().wait()
asyncio.run(main())
"""


def ids(folder: Path, kind: str) -> list[int]:
    return [int(path.name.split("-")[1]) for path in folder.glob(f"{kind}-*")]


def is_alive(process_id: int) -> bool:
    try:
        return bool(psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def family(folder: Path, manners: str) -> Child:
    environment = {**os.environ, "FAMILY": FAMILY}
    return Child("family", lambda: [sys.executable, "-c", FAMILY, str(folder), manners], environment=lambda: environment)


async def until_two(supervisor: Supervisor, folder: Path, *, more_than: int = 0) -> tuple[int, int]:
    async def both() -> bool:
        return len(ids(folder, "child")) > more_than and len(ids(folder, "grandchild")) > more_than

    await supervisor.until("the family", both, timeout_s=20)
    return max(ids(folder, "child")), max(ids(folder, "grandchild"))


@pytest.mark.parametrize("manners", ["polite", "stubborn"])
@pytest.mark.parametrize("is_waiting_guard", [False, True])
async def test_stopping_ends_children_and_grandchildren(
    tmp_path: Path, manners: str, is_waiting_guard: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vtapweb.config.supervisor.STOP_GRACE_S", 0.5)
    supervisor = Supervisor(is_waiting_guard=is_waiting_guard)
    await supervisor.start(family(tmp_path, manners))
    child, grandchild = await until_two(supervisor, tmp_path)
    await supervisor.stop()
    assert not is_alive(child)
    eventually(lambda: not is_alive(grandchild), within_s=3)
    assert "family    | up" in capsys.readouterr().out


async def test_what_is_killed_comes_back_without_what_it_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor()
    try:
        await supervisor.start(family(tmp_path, "polite"))
        child, grandchild = await until_two(supervisor, tmp_path)
        os.kill(child, signal.SIGKILL)
        await until_two(supervisor, tmp_path, more_than=1)
        assert not is_alive(grandchild)
    finally:
        await supervisor.stop()
    assert re.search(r"family ended \(SIGKILL\) after \d s; starting it again in 0.3 s", capsys.readouterr().out)


async def test_what_never_stays_up_ends_the_start_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor()
    try:
        await supervisor.start(Child("web", lambda: [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"]))

        async def never() -> bool:
            return False

        with pytest.raises(ChildFailedError, match=r"web does not start \(exit code 3\)"):
            await supervisor.until("The web process", never, timeout_s=30)
    finally:
        await supervisor.stop()
    assert "web       | no such table" in capsys.readouterr().out


async def test_a_condition_that_never_comes_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor()

    async def never() -> bool:
        return False

    with pytest.raises(ChildFailedError, match="The queue was not ready after 0 s"):
        await supervisor.until("The queue", never, timeout_s=0.2)
    await supervisor.stop()
    assert capsys.readouterr().out == ""


def test_waiting_grows_and_is_bounded() -> None:
    waits = [backoff_s(deaths) for deaths in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[0] < 1
    assert waits[-1] == BACKOFF_S[-1] == 30


@pytest.mark.parametrize("way", ["kernel", "wait"])
def test_a_killed_supervisor_leaves_nothing(tmp_path: Path, way: str) -> None:
    """kill -9 of the supervisor: by the kernel's parent-death signal the child, by the pipe's end the whole group."""
    environment = {**os.environ, "FAMILY": FAMILY}
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISING, str(tmp_path), way], env=environment, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: ids(tmp_path, "child") and ids(tmp_path, "grandchild"), within_s=20)
        (child,), (grandchild,) = ids(tmp_path, "child"), ids(tmp_path, "grandchild")
        supervisor.kill()
        supervisor.wait()
        eventually(lambda: not is_alive(child), within_s=5, why="the child's end")
        if way == "wait":
            eventually(lambda: not is_alive(grandchild), within_s=5, why="the grandchild's end")
        else:
            os.kill(grandchild, signal.SIGKILL)  # a grandchild of ours asks the kernel by itself: see Celery's worker_process_init
    finally:
        supervisor.kill()
        supervisor.wait()
        for process_id in (*ids(tmp_path, "child"), *ids(tmp_path, "grandchild")):
            if is_alive(process_id):
                os.kill(process_id, signal.SIGKILL)


def test_the_loop_is_the_main_threads() -> None:
    """Linux ties a child's life to the thread that started it, so a supervisor needs a running loop to be made at all."""
    with pytest.raises(RuntimeError):
        Supervisor()
    assert asyncio.get_event_loop_policy()
