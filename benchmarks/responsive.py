"""The web stays responsive while an estate of size L is synced into SQLite: web, workers and simulator as the processes that `bin/up` starts.

A reader asks `GET /api/v1/nics` every 50 ms over one kept connection, with a token, from the first list of subscriptions to the end of the
run; then through a later sync. The reference is the same question when nothing is synced. All share this machine's cores, the simulated
Azure and the reader included.
"""

import http.client
import json
import math
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks import Result

PACE_S = 0.05
LOOK_EVERY = 10  # questions between two looks at whether it is over
IDLE_S = 8.0
LIMIT_MS = 150.0
SYNC_LIMIT_S = 300.0
QUESTION = "/api/v1/nics"


def run() -> Iterator[Result]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")
    from tests.drills.stack import Installation
    from tests.house.processes import Up

    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="vtapweb-bench-") as folder:
        data_dir = Path(folder) / "data"
        with Up(data_dir, "--size", "L", "--port", str(port)) as up:
            up.line(r"of \d+ subscriptions read")
            installation = Installation(data_dir)
            installation.sign_in(f"http://127.0.0.1:{port}/")
            reader = Reader(port, installation.token)
            first = reader.ask_until(lambda: any("sync complete" in line for line in list(up.lines)))
            up.line(r"^vtapweb ready: ", within_s=300)
            seconds = float(installation.run_of(1)["seconds"])
            over = time.monotonic() + IDLE_S
            idle = reader.ask_until(lambda: time.monotonic() > over)
            run_id = installation.sync_start()
            later = reader.ask_until(lambda: installation.run_of(run_id).get("state") not in {"queued", "running"})
    reference, reference_value = "the same when nothing is synced", p95(idle)
    for name, answers in (("a first sync", first), ("a later sync", later)):
        yield Result(
            name=f"responsive: p95 of GET {QUESTION} during {name} of L",
            value=p95(answers),
            unit="ms",
            limit=LIMIT_MS,
            reference=reference,
            reference_value=reference_value,
        )
    yield Result(name="responsive: the first sync of L meanwhile", value=seconds, unit="s", limit=SYNC_LIMIT_S)


def p95(values: list[float]) -> float:
    """The value that 95 of 100 do not pass."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Reader:
    """Asks the question at its pace, each time over one connection."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask_until(self, is_over: Callable[[], bool]) -> list[float]:
        """Milliseconds from each question to the last byte of its answer."""
        taken: list[float] = []
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            while len(taken) % LOOK_EVERY or not is_over():
                started = time.perf_counter()
                connection.request("GET", QUESTION, headers=self._headers)
                with connection.getresponse() as answer:
                    body = answer.read()
                taken.append((time.perf_counter() - started) * 1_000)
                if answer.status != 200:
                    raise RuntimeError(f"the API answered {answer.status}: {json.loads(body)}")
                time.sleep(max(0.0, PACE_S - (time.perf_counter() - started)))
        return taken
