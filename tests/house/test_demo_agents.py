"""What `up` gives to simulated agents: tokens in a file for its owner only, one an agent, replaced when refused or lost, and never piling up."""

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.inventory.factories import Estate, make_estate, make_load_balancer, make_nic, make_tap
from vtapweb.access.models import AuditEntry
from vtapweb.access.selectors import token_digest
from vtapweb.config.demo_agents import TRY_AGAIN_S, give, readdress
from vtapweb.traffic.models import CollectorToken

pytestmark = [pytest.mark.django_db, pytest.mark.enable_socket]
ADDRESS = "http://127.0.0.1:8000/"


class Simulator(ThreadingHTTPServer):
    """What the simulator's control says of agents."""

    agents: list[dict[str, Any]]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Simulator)
        body = json.dumps({"value": self.server.agents} if self.path == "/_control/agents" else {}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.shutdown()


@pytest.fixture
def frontend() -> tuple[str, list[str]]:
    estate: Estate = make_estate()
    members = [make_nic(f"member-{one}-nic", subnet=estate.subnet, address=f"10.0.1.2{one}", mac=f"00-0D-3A-FE-00-0{one}") for one in (1, 2)]
    balancer = make_load_balancer(subnet=estate.subnet, members=tuple(members))
    arm_id = f"{balancer.arm_id}/frontendIPConfigurations/frontend"
    make_tap("tap-balanced", destination_id=arm_id)
    return arm_id, [one.arm_id for one in members]


def _agent(destination: str, member: str, *, is_closed: bool = False, last_status: int = 0) -> dict[str, Any]:
    return {"destination": destination, "member": member, "is_closed": is_closed, "last_status": last_status}


def _held(path: Path) -> dict[str, str]:
    return {one["member"]: one["token"] for one in json.loads(path.read_text())["agents"]}


def _live() -> set[str]:
    return {token.digest for token in CollectorToken.objects.filter(revoked_at=None)}


def test_each_agent_gets_a_token_once_and_a_closed_appliance_none(tmp_path: Path, simulator: Simulator, frontend: tuple[str, list[str]]) -> None:
    path = tmp_path / "agents.json"
    destination, (one, other) = frontend
    simulator.agents = [_agent(destination.upper(), one), _agent(destination, other, is_closed=True)]
    tried: dict[tuple[str, str], float] = {}
    assert give(path, simulator.endpoint, ADDRESS, tried, 0.0) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["url"] == "http://127.0.0.1:8000"
    assert {token_digest(secret) for secret in _held(path).values()} == _live()
    assert CollectorToken.objects.get().member_id == one
    assert AuditEntry.objects.filter(action="traffic.collector_token_created").count() == 1

    simulator.agents.append(_agent(destination, other))
    simulator.agents.append(_agent(f"{destination}-that-nobody-knows", other))
    assert give(path, simulator.endpoint, ADDRESS, tried, 1.0) == 1
    assert set(_held(path)) == {one, other}
    assert give(path, simulator.endpoint, ADDRESS, tried, 2.0) == 0
    assert len(_live()) == 2

    readdress(path, "http://127.0.0.1:9000/")
    assert json.loads(path.read_text())["url"] == "http://127.0.0.1:9000"
    assert set(_held(path)) == {one, other}


def test_a_refused_or_lost_token_is_replaced_and_its_forerunner_revoked(
    tmp_path: Path, simulator: Simulator, frontend: tuple[str, list[str]]
) -> None:
    path = tmp_path / "agents.json"
    destination, (one, _) = frontend
    simulator.agents = [_agent(destination, one)]
    tried: dict[tuple[str, str], float] = {}
    give(path, simulator.endpoint, ADDRESS, tried, 0.0)
    first = _held(path)[one]
    simulator.agents = [_agent(destination, one, last_status=401)]
    assert give(path, simulator.endpoint, ADDRESS, tried, 5.0) == 0, "a new one may still be on its way into every process"
    assert give(path, simulator.endpoint, ADDRESS, tried, TRY_AGAIN_S) == 1
    assert _held(path)[one] != first
    assert _live() == {token_digest(_held(path)[one])}
    path.write_text("{")
    readdress(path, ADDRESS)
    assert give(path, simulator.endpoint, ADDRESS, {}, 0.0) == 1
    assert _live() == {token_digest(_held(path)[one])}
    assert AuditEntry.objects.filter(action="traffic.collector_token_revoked", actor="manage.py up").count() == 2


def test_a_simulator_that_is_away_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "agents.json"
    readdress(path, ADDRESS)
    assert give(path, "http://127.0.0.1:1", ADDRESS, {}, 0.0) == 0
    assert not path.exists()
