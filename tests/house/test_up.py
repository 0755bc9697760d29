"""`manage.py up` for real: ready, side by side, refused twice, and gone without a trace however it ends."""

import http.client
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import redis

from tests.house.processes import ROOT, FirstUp, Up, kill_all, processes_named, processes_of, refusal
from tests.waiting import eventually
from vtapweb.traffic.keys import NOW
from vtapweb.traffic.samples import decode_collector

pytestmark = pytest.mark.stack


def get(address: str, path: str, **headers: str) -> tuple[int, bytes]:
    client = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=10)
    try:
        client.request("GET", path, headers=headers)
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()


def lacking(address: str) -> list[str]:
    """The parts that /readyz misses; "web" while nobody answers it."""
    try:
        return [reason["part"] for reason in json.loads(get(address, "/readyz")[1])["reasons"]]
    except (OSError, http.client.HTTPException, ValueError):
        return ["web"]


def test_a_start_works_recovers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with FirstUp(data_dir) as up:
        address = up.ready()
        password = up.line(r"^vtapweb: sign in: admin / (\S+)$").group(1)
        kept = data_dir / "admin_password"
        assert kept.read_text() == f"admin / {password}\n"
        assert (stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(data_dir.stat().st_mode)) == (0o600, 0o700)
        assert get(address, "/healthz")[0] == 200
        assert lacking(address) == []
        assert up.line(r"^vtapweb:   sync partial: \d+ VNets, \d+ subnets, \d+ NICs, \d+ TAPs in 4 subscriptions\.")

        # A second start on the same data is refused in one sentence, and does not disturb the first.
        told = refusal(data_dir)
        assert told == (
            f"vtapweb: The data directory {data_dir} is in use by process {up.process.pid}. Stop that one, or choose another with --data-dir."
        )
        assert re.match(r"vtapweb: Port \d+ on 127.0.0.1 is taken\. .* --port", refusal(tmp_path / "other", "--port", address.split(":")[2][:-1]))

        # Another command finds the queue and the cloud of the running one.
        shell = subprocess.run(
            [sys.executable, "manage.py", "shell", "-c", "from django.conf import settings; print('CLOUD', settings.CLOUD, settings.REDIS_URL)"],
            env={"PATH": os.environ["PATH"], "VTAPWEB_DATA_DIR": str(data_dir), "VTAPWEB_ENV_FILE": os.devnull},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"CLOUD simulator unix://{data_dir}/run/valkey.sock" in shell.stdout

        # The doctor looks into the same installation, and into the simulated Azure with its one unreadable subscription.
        examined = subprocess.run(
            [sys.executable, "manage.py", "doctor", "--azure"],
            env={"PATH": os.environ["PATH"], "VTAPWEB_DATA_DIR": str(data_dir), "VTAPWEB_ENV_FILE": os.devnull},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert examined.returncode == 1, examined
        assert re.findall(r"^LACK  ([\w-]+) ", examined.stdout, re.MULTILINE) == ["corp-shared", "corp-shared"], "neither to read nor to write"
        assert re.search(r"LACK  .*: nothing can be read\. .*\n      → .*az role assignment create .*--role Reader", examined.stdout)
        assert examined.stdout.count("lists can be read.") == 3
        assert examined.stdout.endswith("2 things to mend.\n")

        # kill -9 of everything but the supervisor, one kind after the other: each comes back.
        for words in (("vtapweb.config.web",), ("celery", "work@"), ("celery", "writes@"), ("valkey-server",), ("vtapweb.simulator",)):
            gone = kill_all(processes_named(data_dir, *words))
            assert gone
            eventually(lambda words=words, gone=gone: {one.pid for one in processes_named(data_dir, *words)} - gone, within_s=20)  # type: ignore[misc]
        eventually(lambda: lacking(address) == [], within_s=40, why="everything works again")

        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(10) == 0
        eventually(lambda: not processes_of(data_dir), within_s=2)
        assert not (data_dir / "environment.json").exists()

    # Another cloud on the same data is refused.
    told = refusal(data_dir, "--no-demo", VTAPWEB_CLOUD="public")
    assert told.startswith(f"vtapweb: The data directory {data_dir} belongs to the cloud simulator, not to public. ")
    assert "\n" not in told


def tokens(data_dir: Path) -> dict[str, str]:
    """The tokens of simulated agents by the ids of their machines' NICs."""
    file = data_dir / "simulator" / "agents.json"
    return {one["member"]: one["token"] for one in json.loads(file.read_text())["agents"]} if file.exists() else {}


def rates(data_dir: Path) -> list[float]:
    """What the meter said of every collector within the last seconds, in inner bits a second."""
    with redis.Redis(unix_socket_path=str(socket_of(data_dir))) as store:
        held = [decode_collector(octets) for octets in store.hgetall(NOW).values()]
    held = [one for one in held if one.at_ms > 1_000 * (time.time() - 5)]
    return [one.inner_bits_per_s for one in held if one.inner_bits_per_s and not one.members_missing]


def socket_of(data_dir: Path) -> Path:
    """Where the running installation's queue listens, as other commands are told."""
    published = json.loads((data_dir / "environment.json").read_text())["environment"]
    return Path(published["REDIS_URL"].removeprefix("unix://"))


def test_a_killed_supervisor_takes_everything_along_and_the_data_start_again(tmp_path: Path) -> None:
    """With data at a path that is too long for a socket, which gets a short private directory and leaves it in neither case."""
    data_dir = tmp_path / ("a-long-name-" * 8) / "data"
    short = Path(os.environ["XDG_RUNTIME_DIR"]) if os.environ.get("XDG_RUNTIME_DIR") else None
    with Up(data_dir) as up:
        up.ready()
        assert len(processes_of(data_dir)) >= 9
        private = socket_of(data_dir).parent
        assert len(os.fsencode(socket_of(data_dir))) < 100
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert short is None or private.is_relative_to(short)
        eventually(lambda: len(rates(data_dir)) >= 2, within_s=40, why="rates of both collectors")
        assert stat.S_IMODE((data_dir / "simulator" / "agents.json").stat().st_mode) == 0o600
        given = tokens(data_dir)
        assert len(given) >= 3
        up.process.kill()
        eventually(lambda: not private.exists() and not processes_of(data_dir), within_s=5, why="nothing left of a killed supervisor")
    with Up(data_dir) as again:
        again.ready()
        assert not [line for line in again.lines if "sign in:" in line]
        eventually(lambda: len(rates(data_dir)) >= 2, within_s=40, why="rates again")
        assert tokens(data_dir) == given
        private = socket_of(data_dir).parent
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(10) == 0
        assert not private.exists()


def test_a_start_that_is_ended_before_it_began_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / ("a-long-name-" * 8) / "data"
    with tempfile.TemporaryDirectory() as runtime:
        for number in (signal.SIGTERM, signal.SIGINT):
            with FirstUp(data_dir, XDG_RUNTIME_DIR=runtime) as up:
                eventually(lambda: list(Path(runtime).iterdir()), within_s=20, why="the private directory of the socket")
                up.process.send_signal(number)
                code = up.process.wait(10)
            assert code in {0, 128 + number}, "0 where the supervisor had begun already"
            assert not [line for line in up.lines if "Traceback" in line]
            assert list(Path(runtime).iterdir()) == []
