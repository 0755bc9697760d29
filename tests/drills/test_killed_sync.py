"""kill -9 in the middle of a sync, with real processes: the next one takes over what was left and the inventory equals the server's."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.inventory.azure import SUBSCRIPTION, TENANT, nic

ROOT = Path(__file__).resolve().parents[2]
NICS = [nic(f"n{number:03}") for number in range(700)]
PAGE = 600
WRITTEN = 500  # a batch is 1,000 rows, a NIC and its ipConfiguration are two


class SlowArm:
    """A server with one subscription and two pages of NICs, the second of which waits until it is let go. `asked` tells that somebody waits."""

    def __init__(self) -> None:
        self.asked, self.is_free = Event(), Event()
        arm = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(arm.answer(self.path)).encode()
                with suppress(ConnectionError):  # whoever asked may be dead by now
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> dict[str, Any]:
        if path.startswith("/subscriptions?"):
            one = {
                "id": f"/subscriptions/{SUBSCRIPTION}",
                "subscriptionId": SUBSCRIPTION,
                "displayName": "corp",
                "tenantId": TENANT,
                "state": "Enabled",
            }
            return {"value": [one]}
        if "/Microsoft.Network/networkInterfaces" not in path:
            return {"value": []}
        if "page=2" not in path:
            return {"value": NICS[:PAGE], "nextLink": f"{self.url}{path}&page=2"}
        self.asked.set()
        self.is_free.wait(60)
        return {"value": NICS[PAGE:]}


@pytest.fixture
def arm() -> Iterator[SlowArm]:
    server = SlowArm()
    yield server
    server.is_free.set()
    server.server.shutdown()
    server.server.server_close()


def test_a_killed_sync_is_taken_over(arm: SlowArm, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
        "VTAPWEB_DATA_DIR": str(tmp_path),
        "VTAPWEB_ENV_FILE": os.devnull,
        "VTAPWEB_CLOUD": "custom",
        "VTAPWEB_ARM_ENDPOINT": arm.url,
        "VTAPWEB_ARM_TOKEN": "any",
        "REDIS_URL": "redis://127.0.0.1:1/0",  # nobody is there: a sync in the foreground needs no queue
        "DJANGO_SETTINGS_MODULE": "vtapweb.config.settings",
    }
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "-v0"], env=environment, check=True, capture_output=True)
    killed = subprocess.Popen([*manage, "sync"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert arm.asked.wait(60)
    finally:
        killed.kill()
        killed.wait()
    arm.is_free.set()
    with sqlite3.connect(tmp_path / "vtapweb.sqlite3") as database:
        assert database.execute("SELECT state, fence FROM inventory_subscriptionsync").fetchall() == [("running", 1)]
        assert database.execute("SELECT count(*) FROM inventory_networkinterface").fetchone() == (WRITTEN,)
    database.close()
    done = subprocess.run([*manage, "sync", "--json"], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["run"], report["state"]) == (1, "complete"), "the run that was left is finished, no second one begun"
    assert report["counts"]["nics"] == len(NICS)
    assert report["seconds"] < 30
