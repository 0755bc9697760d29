"""The simulator as a process of its own: the command line, real HTTP, real faults on the wire, a clean end."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.simulator.caller import VERSION
from vtapweb.simulator.contoso import PROD, SPOKES

pytestmark = pytest.mark.enable_socket
TOKEN = {"Authorization": "Bearer x"}
NICS = f"/subscriptions/{SPOKES}/providers/Microsoft.Network/networkInterfaces?{VERSION}"


class Process:
    """A running simulator, and one connection to it at a time."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.port_file = directory / "port"
        command = [sys.executable, "-m", "vtapweb.simulator", "--state-dir", str(directory / "state"), "--port-file", str(self.port_file), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("simulator ready: http://127.0.0.1:"), line
        self.url = line.removeprefix("simulator ready: ").strip()
        self.netloc = urlsplit(self.url).netloc

    def send(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.netloc, timeout=30)
        try:
            connection.request(method, path, body, headers if headers is not None else TOKEN)
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def play(self, action: str, **fields: Any) -> None:
        assert self.send("POST", f"/_control/{action}", body=json.dumps(fields).encode())[0] == 200

    def end(self) -> tuple[int, str]:
        """Exit code and what was said on stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, "--page-size", "7")
    yield process
    if process.process.poll() is None:
        process.end()


def test_lists_are_paged_over_http_and_links_lead_back(simulator: Process) -> None:
    assert simulator.port_file.read_text() == f"{urlsplit(simulator.url).port}\n"
    names, url = [], NICS
    while url:
        status, headers, body = simulator.send("GET", url)
        assert status == 200
        assert headers["content-type"] == "application/json; charset=utf-8"
        page = json.loads(body)
        names += [item["id"] for item in page["value"]]
        link = urlsplit(page.get("nextLink", ""))
        assert link.netloc in {"", simulator.netloc}
        url = f"{link.path}?{link.query}" if link.path else ""
    assert len(names) == len(set(names)) == 48
    assert simulator.send("GET", NICS, headers={})[0] == 401


def test_dropped_truncated_and_late_answers(simulator: Process) -> None:
    simulator.play("faults", kind="drop", times=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        simulator.send("GET", NICS)
    simulator.play("faults", kind="truncate", times=1)
    status, headers, body = simulator.send("GET", NICS)
    assert (status, int(headers["content-length"])) == (200, len(body))
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    simulator.play("faults", kind="slow", delay_ms=1, times=1)
    assert simulator.send("GET", NICS)[0] == 200
    assert simulator.end() == (0, "")


def test_the_control_page_and_its_style_over_http(simulator: Process) -> None:
    status, headers, body = simulator.send("GET", "/", headers={})
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"DEMO" in body
    status, headers, body = simulator.send("GET", "/_control/style.css", headers={})
    assert (status, headers["content-type"]) == (200, "text/css; charset=utf-8")
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{simulator.netloc}"}
    assert simulator.send("POST", "/_control/nics/remove", form, b"nic=web-06")[0] == 303
    assert simulator.send("POST", "/_control/reset", form | {"Origin": "http://elsewhere.example"}, b"")[0] == 403
    assert simulator.send("POST", "/_control/reset", {"X-Forwarded-For": "10.0.0.9"}, b"{}")[0] == 200
    assert simulator.send("HEAD", "/", headers={})[2] == b""


def test_changes_survive_a_restart_of_the_process(tmp_path: Path) -> None:
    first = Process(tmp_path)
    first.play("nics/add", subnet="spoke-iot/snet-edge", count=2)
    body = first.send("GET", NICS)[2]
    assert first.end() == (0, "")
    second = Process(tmp_path)
    assert json.loads(second.send("GET", NICS)[2]) == json.loads(body)
    assert second.end() == (0, "")


def test_a_killed_process_has_lost_nothing_it_had_confirmed(tmp_path: Path) -> None:
    first = Process(tmp_path)
    first.play("nics/remove", nic="mq-01")
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.communicate(timeout=20)
    second = Process(tmp_path)
    names = [nic["name"] for nic in json.loads(second.send("GET", NICS)[2])["value"]]
    assert "mq-01" not in names
    assert "mq-02" in names
    assert second.end() == (0, "")


def test_an_operation_outlives_a_kill_and_a_lost_answer_is_done(tmp_path: Path) -> None:
    nic = f"/subscriptions/{SPOKES}/resourceGroups/rg-crm/providers/Microsoft.Network/networkInterfaces/web-03"
    mirror = f"{nic}/tapConfigurations/mirror?{VERSION}"
    tap = f"/subscriptions/{PROD}/resourceGroups/rg-hub-uks/providers/Microsoft.Network/virtualNetworkTaps/tap-ilb-uks"
    body = json.dumps({"properties": {"virtualNetworkTap": {"id": tap}}}).encode()
    first = Process(tmp_path, "--operation-s", "3600", "--retry-after-s", "7")
    status, headers, _ = first.send("PUT", mirror, body=body)
    assert (status, headers["retry-after"]) == (201, "7")
    url = urlsplit(headers["azure-asyncoperation"])
    assert url.netloc == first.netloc
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.communicate(timeout=20)

    second = Process(tmp_path, "--operation-s", "0")
    status, _, polled = second.send("GET", f"{url.path}?{url.query}")
    assert (status, json.loads(polled)) == (200, {"status": "InProgress"})
    assert second.send("DELETE", mirror)[0] == 429
    second.play("faults", kind="lost_answer", times=1)
    other = mirror.replace("web-03", "web-04")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        second.send("PUT", other, body=body)
    assert json.loads(second.send("GET", other)[2])["properties"]["provisioningState"] == "Succeeded"
    assert second.send("PUT", other, body=body)[0] == 200
    states = [write["state"] for write in json.loads(second.send("GET", "/_control/writes")[2])["value"]]
    assert states == ["InProgress", "refused", "Succeeded", "done"]
    assert second.end() == (0, "")


def test_a_state_directory_of_another_size_is_refused_in_one_sentence(tmp_path: Path) -> None:
    Process(tmp_path).end()
    command = [sys.executable, "-m", "vtapweb.simulator", "--size", "M", "--state-dir", str(tmp_path / "state")]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert "holds the state of estate S, not M" in refused.stderr
