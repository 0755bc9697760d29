"""The installer: what it writes, what it refuses, and a unit that systemd understands and that has one right."""

import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.agent.certificates import certificate
from tests.agent.process import AGENT

INSTALLER = AGENT.with_name("install.sh")
SECRET = "vtap_s3cret-token"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Tests print nothing."""


@pytest.fixture
def downloads() -> Iterator[str]:
    """An address that serves the agent's folder under /agent/, as vtapweb does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(AGENT.parent.parent))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def install(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DESTDIR": str(folder), "http_proxy": "", "no_proxy": "*"}
    return subprocess.run(["sh", str(INSTALLER), *arguments], input=stdin, env=environment, capture_output=True, text=True, check=False)


def test_it_writes_the_agent_its_unit_and_a_token_for_its_user_only(tmp_path: Path, downloads: str) -> None:
    done = install(tmp_path, "--server", f"{downloads}/", "--interface", "eth1", stdin=f"{SECRET}\n")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert (tmp_path / "usr/local/lib/vtapweb/vtap_agent.py").read_bytes() == AGENT.read_bytes()
    token = tmp_path / "etc/vtapweb/agent.token"
    assert token.read_text(encoding="ascii") == f"{SECRET}\n"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert (tmp_path / "etc/vtapweb/agent.conf").read_text(encoding="ascii") == f"VTAP_AGENT_ARGS=--server {downloads} --interface eth1\n"
    assert "CAP_NET_ADMIN" in (tmp_path / "etc/systemd/system/vtap-agent.service").read_text(encoding="ascii")
    assert sorted(path.name for path in tmp_path.rglob("*.new")) == []


def test_run_again_it_keeps_the_token_until_it_gets_another(tmp_path: Path, downloads: str) -> None:
    token = tmp_path / "etc/vtapweb/agent.token"
    told = []
    for stdin in (SECRET, "", "another"):
        assert install(tmp_path, "--server", downloads, stdin=stdin).returncode == 0
        told.append(token.read_text(encoding="ascii").strip())
    assert told == [SECRET, SECRET, "another"]


def test_a_ca_of_the_installations_own_is_kept_where_the_agent_can_read_it(tmp_path: Path, downloads: str) -> None:
    (tmp_path / "token").write_text(SECRET, encoding="ascii")
    ours = certificate(tmp_path, "ours")
    done = install(tmp_path, "--server", downloads, "--ca-file", str(ours), "--token-file", str(tmp_path / "token"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "etc/vtapweb/ca.pem").read_bytes() == ours.read_bytes()
    assert (tmp_path / "etc/vtapweb/agent.conf").read_text(encoding="ascii").endswith("--ca-file /etc/vtapweb/ca.pem\n")


@pytest.mark.parametrize(
    ("arguments", "stdin", "why"),
    [
        (["--server", "http://vtapweb.example"], SECRET, "unencrypted"),
        (["--server", "http://127.0.0.1.example"], SECRET, "unencrypted"),
        (["--server", "vtapweb.example"], SECRET, "should read like https://"),
        (["--server", "https://vtapweb.example --once"], SECRET, "cannot be"),
        (["--server", "https://vtapweb.example", "--interface", "eth0\n--x"], SECRET, "cannot be"),
        (["--server", "https://vtapweb.example", "--ca-file", "/nothing/here"], SECRET, "cannot be read"),
        (["--server", "https://vtapweb.example"], "", "no token"),
        (["--server", "https://vtapweb.example"], "two words", "no token: it should be one word"),
        (["--server", "https://vtapweb.example", "--token", SECRET], "", "--token is not known"),
        (["--server"], SECRET, "needs a value"),
        ([], SECRET, "--server cannot be"),
    ],
)
def test_what_it_refuses_it_refuses_before_it_writes(tmp_path: Path, arguments: list[str], stdin: str, why: str) -> None:
    done = install(tmp_path, *arguments, stdin=stdin)
    assert done.returncode == 1
    assert why in done.stderr
    assert SECRET not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_page_in_the_agents_place_is_not_installed(tmp_path: Path, downloads: str) -> None:
    done = install(tmp_path, "--server", f"{downloads}/nothing", stdin=SECRET)
    assert done.returncode == 1
    assert "cannot download" in done.stderr
    assert not (tmp_path / "usr/local/lib/vtapweb/vtap_agent.py").exists()


def unit() -> dict[str, list[str]]:
    """The unit's settings: name -> values."""
    printed = subprocess.run(["sh", str(INSTALLER), "--print-unit"], capture_output=True, text=True, check=True).stdout
    settings: dict[str, list[str]] = {}
    for line in printed.splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            settings.setdefault(name, []).append(value)
    return settings


def test_the_unit_gives_one_right_and_takes_the_others() -> None:
    settings = unit()
    assert settings["AmbientCapabilities"] == settings["CapabilityBoundingSet"] == ["CAP_NET_ADMIN"]
    assert settings["User"] == ["vtap-agent"]
    assert "AF_PACKET" not in settings["RestrictAddressFamilies"][0]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute", "RestrictNamespaces"):
        assert settings[name] == ["yes"]
    assert settings["ProtectSystem"] == ["strict"]
    assert settings["ExecStart"][0].endswith("--token-file /etc/vtapweb/agent.token $VTAP_AGENT_ARGS")
    assert settings["ExecStopPost"][0].endswith("--remove-table")


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Where systemd is: it names unknown settings and values that it would pass over."""
    analyse = shutil.which("systemd-analyze")
    path = tmp_path / "vtap-agent.service"
    path.write_text(subprocess.run(["sh", str(INSTALLER), "--print-unit"], capture_output=True, text=True, check=True).stdout, encoding="ascii")
    if analyse is None:
        return
    told = subprocess.run([analyse, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    assert "vtap-agent.service:" not in told.stdout + told.stderr, told.stderr
