"""`manage.py sync --json` against any ARM-compatible server: counts and fields equal its own lists, whatever the page size and however it fails.

Two servers that share nothing but the REST specification: the simulated estate S, and the contract suite's other ARM (capital property
names, unknown fields, relative links, no optional APIs, two items in each list of NICs that nobody can understand).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from tests.contract.http import Reply, serving
from tests.contract.other_arm import FIRST, OtherArm
from tests.drills.truth import SLUGS, Rows, differences, shown_by, truth_of
from tests.topology.people import bearer
from vtapweb.cloud.port import ReadKind
from vtapweb.inventory.models import SyncRun
from vtapweb.simulator import changes, contoso
from vtapweb.simulator.server import Request, Server
from vtapweb.simulator.throttle import UNLIMITED

pytestmark = pytest.mark.django_db(transaction=True)
FAULTS = {"throttle": "429", "server_error": "503", "drop": "a dropped connection", "short": "a truncated body"}
FOREVER_S = 86_400  # a Retry-After beyond any budget: that list is given up at once
# Our kinds by the list that holds them, as an ARM path ends.
LIST_OF = {
    "vnets": "virtualnetworks",
    "subnets": "virtualnetworks",
    "peerings": "virtualnetworks",
    "nics": "networkinterfaces",
    "tap-configurations": "networkinterfaces",
    "virtual-machines": "virtualmachines",
    "power states": "virtualmachinestatuses",
    "load-balancers": "loadbalancers",
    "taps": "virtualnetworktaps",
}


@dataclass
class Arm:
    """A server on a port: what it answers, spoiled at every Nth request by one fault. `struck` are the (subscription, list) that met one."""

    answer: Callable[[str], Reply]
    change: Callable[[], None]
    endpoint: str = ""
    fault: str = ""
    every: int = 0
    retry_after_s: int = 0
    request_count: int = 0

    def __post_init__(self) -> None:
        self.struck: set[tuple[str, str]] = set()

    def reply(self, _method: str, url: str, _headers: object) -> Reply:
        self.request_count += 1
        if not self.every or self.request_count % self.every:
            return self.answer(url)
        self.struck.add(place_of(url))
        if self.fault == "throttle":
            return Reply(429, b'{"error": {"code": "TooManyRequests", "message": "slow down"}}', {"Retry-After": str(self.retry_after_s)})
        if self.fault == "server_error":
            return Reply(503, b"<html>gateway</html>", {"content-type": "text/html"})
        return self.answer(url)._replace(fault=self.fault)

    def spoil(self, fault: str, *, every: int, retry_after_s: int = 0) -> None:
        self.fault, self.every, self.retry_after_s, self.request_count = fault, every, retry_after_s, 0
        self.struck.clear()


def place_of(url: str) -> tuple[str, str]:
    """(subscription, list) that a URL asks for, the list in the words of LIST_OF."""
    parts = urlsplit(url.lower())
    words = parts.path.strip("/").split("/")
    kind = {"virtualmachinescalesets": "scalesets"}.get(words[-1], words[-1])
    if "statusonly" in parts.query:
        kind = "virtualmachinestatuses"
    if "virtualmachinescalesets" in words[:-1]:
        kind = "scalesetnetworkinterfaces"
    return (words[1] if len(words) > 1 else "", kind)


def simulator(page_size: int) -> Arm:
    server = Server(contoso.build(), page_size=page_size, budgets=UNLIMITED)

    def answer(url: str) -> Reply:
        response = server.handle(Request("GET", url, {"authorization": "Bearer x", "host": urlsplit(url).netloc}))
        return Reply(response.status, response.body, response.headers)

    def change() -> None:
        for name in ("dc-01", "dc-02"):
            changes.nic_remove(server.estate, name)
        changes.peering_set_state(server.estate, "hub-uks", "to-spoke-crm", "Initiated")

    return Arm(answer, change)


def other(page_size: int) -> Arm:
    server = OtherArm(page_size)

    def change() -> None:
        estate = server.estates[FIRST.lower()]
        del estate[ReadKind.VIRTUAL_NETWORKS][3], estate[ReadKind.VIRTUAL_MACHINES][0]
        estate[ReadKind.NETWORK_INTERFACES][1]["properties"]["macAddress"] = "00-0D-3A-00-00-FF"

    return Arm(lambda url: server.answer("GET", url, {}), change)


# What the command asks after the lists: what vtapweb may write. It has a status of its own (docs/writes.md).
CONDITIONS = {"permissions", "locks", "allowvirtualnetworktap"}
SERVERS = {"simulator": simulator, "other": other}


@contextmanager
def running(name: str, page_size: int, settings: Settings) -> Iterator[Arm]:
    arm = SERVERS[name](page_size)
    with serving(arm.reply) as arm.endpoint:
        settings.CLOUD, settings.ARM_ENDPOINT, settings.ARM_TOKEN, settings.REDIS_URL = "custom", arm.endpoint, "x", ""
        yield arm


def sync() -> tuple[int, dict[str, Any]]:
    """Exit code and report."""
    out, code = StringIO(), 0
    try:
        call_command("sync", json=True, stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue())


def shown() -> dict[str, Rows]:
    client, headers = Client(), bearer()
    return shown_by(lambda path: json.loads(client.get(f"/api/v1/{path}", headers=headers).content))


def lacking(report: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The lists that the report calls anything but complete, by (subscription, list)."""
    return {
        (one["id"], kind.replace("_", "")): state
        for one in report["subscriptions"]
        for kind, state in one["kinds"].items()
        if state["status"] != "complete"
    }


@pytest.mark.parametrize("page_size", [1, 7, 1_000])
@pytest.mark.parametrize("name", SERVERS)
def test_counts_and_fields_equal_the_servers_own_lists(name: str, page_size: int, settings: Settings) -> None:
    with running(name, page_size, settings) as arm:
        code, report = sync()
        truth = truth_of(arm.endpoint)
        assert differences(truth, shown()) == []
    assert {slug: report["counts"][slug] for slug in SLUGS} == truth.counts()
    assert code == 3, "the simulator refuses one subscription, the other server sends items without an id"
    refused = {(subscription_id, LIST_OF[slug]) for subscription_id, slug in truth.refused}
    nameless = {(one["id"], "networkinterfaces") for one in report["subscriptions"]} if name == "other" else set()
    told = {place for place in lacking(report) if place[1] in LIST_OF.values()}
    assert told == refused | nameless
    for one in report["subscriptions"]:
        for kind, state in one["kinds"].items():
            assert state["sent"] == state["stored"] + state["duplicates"] + state["not_understood"], kind


@pytest.mark.one_database  # the faults are of reading; what is read is written as in the other drills here
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SERVERS)
def test_what_fails_now_and_then_is_read_all_the_same(name: str, fault: str, settings: Settings) -> None:
    with running(name, 20, settings) as arm:
        arm.spoil(fault, every=6)
        _, report = sync()
        assert len(arm.struck) > 2
        arm.spoil("", every=0)
        truth = truth_of(arm.endpoint)
        assert differences(truth, shown()) == []
    assert {slug: report["counts"][slug] for slug in SLUGS} == truth.counts()
    assert not [state for state in lacking(report).values() if state["failure"] in {"throttled", "server", "connection", "broken_body"}]


@pytest.mark.one_database
@pytest.mark.parametrize("every", [2, 3, 5, 7])
@pytest.mark.parametrize("name", SERVERS)
def test_what_stays_away_is_named_and_nothing_is_wrongly_removed(name: str, every: int, settings: Settings) -> None:
    """Synced once; then the server changes and gives up every Nth list for good; then it recovers."""
    with running(name, 7, settings) as arm:
        sync()
        before = shown()
        arm.change()
        arm.spoil("throttle", every=every, retry_after_s=FOREVER_S)
        code, report = sync()
        struck = {place for place in arm.struck if place[1] not in CONDITIONS}
        arm.spoil("", every=0)
        truth, after = truth_of(arm.endpoint), shown()
        assert code == 3
        told = {place for place, state in lacking(report).items() if state["failure"] == "throttled"}
        assert told == struck - {("", "subscriptions")}, "exactly the lists that were struck are named"
        assert all(lacking(report)[place]["code"] == "TooManyRequests" for place in told)
        for slug in SLUGS:
            there = truth.rows[slug].keys() & before[slug].keys()
            assert there <= after[slug].keys(), f"{slug}: something that is still there was removed"
        wrong = {line.split(" ", 2)[1].split("/")[2] + " " + LIST_OF[line.split(":")[0]] for line in differences(truth, after)}
        incomplete = {f"{subscription_id} {kind}" for subscription_id, kind in lacking(report)}
        assert wrong <= incomplete, "what differs lies in lists that are said to be incomplete"
        sync()
        left = [line for line in differences(truth, shown()) if name == "simulator" or not line.startswith(("nics:", "tap-configurations:"))]
        assert left == [], "what came back is complete again (the other server's NICs never are: items without an id)"


def test_a_sync_without_a_cloud_is_refused_before_it_makes_a_run(settings: Settings) -> None:
    settings.CLOUD = ""
    with pytest.raises(CommandError, match=r"^VTAPWEB_CLOUD is not set\. "):
        call_command("sync", json=True)
    assert not SyncRun.objects.exists()
