"""The servers of the contract suite behind one face: connect to it, ask it what it holds, spoil every Nth answer."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from tempfile import TemporaryDirectory
from typing import Any

from tests.contract.http import InProcess, Reply, serving
from tests.contract.other_arm import FIRST, OPTIONAL, SECOND, OtherArm
from vtapweb.cloud.connect import cloud_from_settings
from vtapweb.cloud.port import CloudError, Failure, ReadKind
from vtapweb.cloud.retry import failure_of_status
from vtapweb.cloud.sdk import AzureCloud
from vtapweb.cloud.versions import LISTINGS
from vtapweb.simulator import contoso
from vtapweb.simulator.errors import ArmError
from vtapweb.simulator.faults import Fault, FaultKind
from vtapweb.simulator.server import Request, Server

FAULTS = ("throttle", "server_error", "drop", "short", "expired_token")


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now_s: float = 1_000.0
    slept_s: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@dataclass
class Arm:
    """`sent(kind, subscription_id)` is the server's own list as JSON values, or the class of its refusal."""

    cloud: AzureCloud
    subscription_ids: list[str]
    sent: Callable[[ReadKind, str], list[Any] | Failure]
    spoil: Callable[[str, int], None]  # (fault, every Nth request); ("", 0) ends it
    time: Time


def _connect(endpoint: str, time: Time, transport: Any = None) -> AzureCloud:
    return cloud_from_settings(cloud="custom", endpoint=endpoint, token="contract-token", transport=transport, sleep=time.sleep)


def _path(kind: ReadKind, subscription_id: str) -> str:
    listing = LISTINGS[kind]
    return f"/subscriptions/{subscription_id}{listing.path}?api-version={listing.api_version}" + (f"&{listing.query}" if listing.query else "")


_SIMULATOR_FAULTS = {"short": FaultKind.TRUNCATE}


@contextmanager
def simulator(page_size: int, *, is_over_http: bool) -> Iterator[Arm]:
    time = Time()
    server = Server(contoso.build(), page_size=page_size, monotonic_s=time, unix_s=time)

    def answer(method: str, url: str, headers: Mapping[str, str]) -> Reply:
        response = server.handle(Request(method, url, headers))
        return Reply(response.status, response.body, response.headers, "drop" if response.is_dropped else "")

    def sent(kind: ReadKind, subscription_id: str) -> list[Any] | Failure:
        try:
            return [item for body in server.pages("http://127.0.0.1", _path(kind, subscription_id)) for item in json.loads(body)["value"]]
        except ArmError as error:
            return failure_of_status(error.status, error.code)

    def spoil(fault: str, every: int) -> None:
        server.faults.active = [Fault(_SIMULATOR_FAULTS.get(fault) or FaultKind(fault), every=every)] if fault else []

    def arm(endpoint: str, transport: Any = None) -> Arm:
        cloud = _connect(endpoint, time, transport)
        listed = [one.subscription_id for page in cloud.subscriptions() for one in page.items]
        return Arm(cloud, listed, sent, spoil, time)

    if is_over_http:
        with serving(answer) as base_url:
            found = arm(base_url)
            yield found
            found.cloud.close()
    else:
        yield arm("http://127.0.0.1:8080", InProcess(answer))


@contextmanager
def simulator_process(page_size: int) -> Iterator[Arm]:
    """The simulator as people run it: its own process on a free port. Its clock is real, so its budgets are set out of reach."""
    time = Time()
    command = [sys.executable, "-m", "vtapweb.simulator", "--size", "S", "--page-size", str(page_size), "--reads-burst", "1000000"]
    with TemporaryDirectory() as folder, subprocess.Popen([*command, "--state-dir", folder], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().partition("ready: ")[2].strip().rstrip("/")
            cloud = _connect(base_url, time)
            listed = [one.subscription_id for page in cloud.subscriptions() for one in page.items]
            with closing(HTTPConnection(base_url.removeprefix("http://"))) as own:
                lists = {(kind, subscription_id): _listed(own, kind, subscription_id) for kind in ReadKind for subscription_id in listed}
                yield Arm(cloud, listed, lambda kind, sub: lists[kind, sub], lambda fault, every: _order(own, fault, every), time)
            cloud.close()
        finally:
            process.terminate()
            process.communicate()


def _listed(own: HTTPConnection, kind: ReadKind, subscription_id: str) -> list[Any] | Failure:
    """A list read by nothing but the standard library."""
    items: list[Any] = []
    url = _path(kind, subscription_id)
    while url:
        own.request("GET", url, headers={"Authorization": "Bearer other"})
        with own.getresponse() as response:
            body = json.load(response)
        if response.status != 200:
            return failure_of_status(response.status, body["error"]["code"])
        items += body["value"]
        url = body.get("nextLink", "")
    return items


def _order(own: HTTPConnection, fault: str, every: int) -> None:
    body = json.dumps({"kind": _SIMULATOR_FAULTS.get(fault, fault), "every": every})
    own.request("POST", f"/_control/{'faults' if fault else 'faults/clear'}", body, {"Content-Type": "application/json"})
    with own.getresponse() as response:
        assert response.status == 200, response.read()
        response.read()


@contextmanager
def other(page_size: int) -> Iterator[Arm]:
    time, server = Time(), OtherArm(page_size)

    def sent(kind: ReadKind, subscription_id: str) -> list[Any] | Failure:
        return Failure.MISSING if kind in OPTIONAL else server.sent(kind, subscription_id)

    def spoil(fault: str, every: int) -> None:
        server.fault, server.every = fault, every

    with serving(server.answer) as base_url:
        cloud = _connect(base_url, time)
        yield Arm(cloud, [FIRST.lower(), SECOND], sent, spoil, time)
        cloud.close()


ARMS: dict[str, Callable[[int], AbstractContextManager[Arm]]] = {
    "simulator in process": lambda page_size: simulator(page_size, is_over_http=False),
    "simulator over HTTP": lambda page_size: simulator(page_size, is_over_http=True),
    "simulator as a process": simulator_process,
    "other ARM over HTTP": other,
}


def read(arm: Arm, kind: ReadKind, subscription_id: str) -> tuple[list[Any], list[Any], int] | CloudError:
    """(items, not understood, sent) of a list that ended, or how it failed."""
    items: list[Any] = []
    lost: list[Any] = []
    sent = 0
    try:
        for page in arm.cloud.pages(kind, subscription_id):
            assert page.sent_count == len(page.items) + len(page.not_understood)
            items += page.items
            lost += page.not_understood
            sent += page.sent_count
    except CloudError as error:
        return error
    return items, lost, sent
