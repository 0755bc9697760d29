"""A running installation seen from outside: its API with a token, its processes, and an ARM server apart from it that answers slowly on demand."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil

from tests.drills.truth import differences, shown_by, truth_of
from tests.house.processes import ROOT, Up, kill_all, processes_named
from tests.waiting import eventually

CHILDREN = {
    "worker": ("celery", "work@"),
    "clock": ("celery", "clock@"),
    "writer": ("celery", "writes@"),
    "beat": ("celery", "beat"),
    "web": ("vtapweb.config.web",),
    "valkey": ("valkey-server",),
}


@dataclass
class Simulator:
    """The simulated Azure as a process of its own, which no `up` started."""

    url: str

    def order(self, action: str, **fields: object) -> None:
        """One action of its control, for example `faults` with `kind="slow"`."""
        own = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        own.request("POST", f"/_control/{action}", json.dumps(fields), {"Content-Type": "application/json"})
        answer = own.getresponse()
        said = answer.read()
        own.close()
        assert answer.status == 200, said

    def read(self, what: str) -> Any:
        """What its control tells, for example `writes`."""
        own = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        own.request("GET", f"/_control/{what}")
        with own.getresponse() as answer:
            said = answer.read()
        own.close()
        assert answer.status == 200, said
        return json.loads(said)


@contextmanager
def simulator(size: str, *, page_size: int) -> Iterator[Simulator]:
    command = [sys.executable, "-m", "vtapweb.simulator", "--size", size, "--page-size", str(page_size), "--reads-burst", "1000000"]
    with TemporaryDirectory() as folder, subprocess.Popen([*command, "--state-dir", folder], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Simulator(process.stdout.readline().partition("ready: ")[2].strip().rstrip("/"))
        finally:
            process.terminate()
            process.communicate()


@dataclass
class Installation:
    """What an operator has: the data directory's commands and the web's address. Asking waits while the web is restarted."""

    data_dir: Path
    address: str = ""
    token: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`bin/manage …` on these data; it finds the settings of the running `up` by itself."""
        environment = {"PATH": os.environ["PATH"], "VTAPWEB_DATA_DIR": str(self.data_dir), "VTAPWEB_ENV_FILE": os.devnull, **self.extra}
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def token_of(self, name: str, role: str) -> str:
        """A new token for the API."""
        made = self.manage("token_create", "--name", name, "--role", role)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def sign_in(self, address: str) -> None:
        self.address, self.token = address, self.token_of("drill", "operator")

    def send(self, method: str, path: str, body: object = None, *, token: str = "") -> tuple[int, bytes]:
        own = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
            own.request(method, path, None if body is None else json.dumps(body), headers)
            answer = own.getresponse()
            return answer.status, answer.read()
        finally:
            own.close()

    def ask(self, path: str) -> Any:
        """The JSON of an API path. Raises AssertionError for anything but success."""
        status, body = self.send("GET", f"/api/v1/{path}")
        assert status == 200, (path, status, body[:400])
        return json.loads(body)

    def audited(self, **filters: str) -> list[dict[str, Any]]:
        """The audit entries that match, newest first."""
        token, found, cursor = self.token_of("auditor", "admin"), [], ""
        while True:
            query = urlencode({**filters, "limit": "1000", "cursor": cursor})
            status, body = self.send("GET", f"/api/v1/audit?{query}", token=token)
            assert status == 200, body
            page = json.loads(body)
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                return found

    def sync_start(self) -> int:
        status, body = self.send("POST", "/api/v1/syncs", {})
        assert status == 202, body
        return int(json.loads(body)["run"])

    def run_of(self, run_id: int) -> dict[str, Any]:
        """The run's report; {} while the web does not answer."""
        try:
            found: dict[str, Any] = self.ask(f"syncs/{run_id}")
        except (OSError, http.client.HTTPException):
            return {}
        return found

    def finished(self, run_id: int, *, within_s: float) -> dict[str, Any]:
        def report() -> dict[str, Any]:
            found = self.run_of(run_id)
            return found if found.get("state") not in {None, "queued", "running"} else {}

        return eventually(report, within_s=within_s, why=f"the end of run {run_id}")

    def lacking(self) -> list[str]:
        """The parts that /readyz misses; "web" while nobody answers it."""
        try:
            return [reason["part"] for reason in json.loads(self.send("GET", "/readyz")[1])["reasons"]]
        except (OSError, http.client.HTTPException, ValueError):
            return ["web"]

    def differences(self, endpoint: str) -> list[str]:
        """Where the inventory is not what the server lists now."""
        return differences(truth_of(endpoint), shown_by(self.ask))

    def processes(self, child: str) -> list[psutil.Process]:
        return processes_named(self.data_dir, *CHILDREN[child])

    def kill(self, *children: str) -> set[int]:
        """kill -9 of every process of these children, workers' own included; returns their ids."""
        victims = [victim for child in children for victim in self.processes(child)]
        assert victims
        return kill_all(victims)

    def empty_the_broker(self) -> None:
        import redis

        published = json.loads((self.data_dir / "environment.json").read_text(encoding="utf-8"))["environment"]
        with redis.Redis.from_url(published["REDIS_URL"]) as client:
            client.flushall()


def custom(endpoint: str) -> dict[str, str]:
    """The settings of an Azure of one's own, as the operator gives them."""
    return {"VTAPWEB_CLOUD": "custom", "VTAPWEB_ARM_ENDPOINT": endpoint, "VTAPWEB_ARM_TOKEN": "x"}


@contextmanager
def up(data_dir: Path, endpoint: str) -> Iterator[tuple[Up, Installation]]:
    """`bin/up --no-demo` against that server, ready."""
    with Up(data_dir, "--no-demo", **custom(endpoint)) as started:
        installation = Installation(data_dir)
        installation.sign_in(started.ready())
        yield started, installation
