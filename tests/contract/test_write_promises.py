"""What the port promises of writes and of what is read around them, kept by servers that agree on nothing but the REST specification.

web-03 in spoke-crm ---> tap-packetlog-uks ---> nic-packetlog-01 in hub-uks      (simulator)
nic-1 ---> tap-new                                                               (the other ARM)
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cloud import samples
from tests.contract.arms import Time
from tests.contract.http import InProcess, Reply, serving_bodies
from tests.contract.other_arm import SECOND, OtherArm
from vtapweb.cloud.connect import WriteSignIn, cloud_for_writes
from vtapweb.cloud.port import CloudError, Failure
from vtapweb.cloud.sdk import AzureCloud
from vtapweb.cloud.types import PollAnswer, WriteAnswer
from vtapweb.simulator import contoso
from vtapweb.simulator.contoso import PROD, SPOKES
from vtapweb.simulator.faults import Fault, FaultKind
from vtapweb.simulator.server import Request, Server

CRM = f"/subscriptions/{SPOKES}/resourceGroups/rg-crm/providers/Microsoft.Network"
HUB = f"/subscriptions/{PROD}/resourceGroups/rg-hub-uks/providers/Microsoft.Network"
OTHER = samples.NETWORK.replace(samples.SUBSCRIPTION, SECOND)


@dataclass
class WriteArm:
    """A server, who may write there, a NIC without a mirror, a TAP to mirror it to and what a new TAP may lead to."""

    cloud: AzureCloud
    time: Time
    nic_id: str
    tap_id: str
    destination_id: str
    location: str
    writes: Callable[[], list[tuple[str, str, str]]]  # method, path, our id
    spoil: Callable[[str], None]  # drop | throttle | server_error | lost_answer; "" ends it
    simulator: Server | None = None

    @property
    def mirror_id(self) -> str:
        return f"{self.nic_id}/tapConfigurations/mirror"

    def put(self) -> WriteAnswer:
        body = {"properties": {"virtualNetworkTap": {"id": self.tap_id}}}
        return self.cloud.write("PUT", self.mirror_id, body, request_id="step-1")

    def mirrored_to(self) -> list[str]:
        nic = self.cloud.network_interface(self.nic_id)
        assert nic is not None
        return [one.virtual_network_tap_id.lower() for one in nic.tap_configurations]

    def end_of(self, answer: WriteAnswer) -> PollAnswer | None:
        """How a write ended, asked as the engine does: now and then, by token. None where it was done at once."""
        if answer.state == "done":
            assert answer.operation is None
            return None
        operation: str = answer.operation or ""
        for _ in range(50):
            told = self.cloud.poll(operation)
            if told.state != "running":
                return told
            self.time.sleep(told.retry_after_s or 1.0)
            operation = told.operation
        raise AssertionError("the operation has no end")


def connect(cloud: str, endpoint: str, time: Time, transport: Any = None) -> AzureCloud:
    return cloud_for_writes(
        cloud=cloud, endpoint=endpoint, token="reader", sign_in=WriteSignIn(token="writer"), transport=transport, sleep=time.sleep
    )


@contextmanager
def simulator(*, is_over_http: bool) -> Iterator[WriteArm]:
    time = Time(now_s=1_780_272_000.0 + 86_400)
    server = Server(contoso.build(), monotonic_s=time, unix_s=time)

    def answer(method: str, url: str, headers: Any, body: bytes) -> Reply:
        response = server.handle(Request(method, url, headers, body))
        return Reply(response.status, response.body, response.headers, "drop" if response.is_dropped else "")

    def spoil(fault: str) -> None:
        server.faults.active = [Fault(FaultKind(fault))] if fault else []

    def writes() -> list[tuple[str, str, str]]:
        return [(one.method, one.path, one.client_request_id) for one in server.writes.log.entries.values()]

    def arm(cloud: AzureCloud) -> WriteArm:
        sensor = f"{HUB}/networkInterfaces/nic-packetlog-01/ipConfigurations/ipconfig1"
        web = f"{CRM}/networkInterfaces/web-03"
        return WriteArm(cloud, time, web, f"{HUB}/virtualNetworkTaps/tap-packetlog-uks", sensor, "uksouth", writes, spoil, server)

    if is_over_http:
        with serving_bodies(answer) as base_url:
            cloud = connect("simulator", base_url, time)
            yield arm(cloud)
            cloud.close()
    else:
        yield arm(connect("simulator", "http://127.0.0.1:8080", time, InProcess(bodies=answer)))


@contextmanager
def other() -> Iterator[WriteArm]:
    time, server = Time(), OtherArm()
    lost: list[str] = []

    def answer(method: str, url: str, headers: Any, body: bytes) -> Reply:
        reply = server.answer(method, url, headers, body)
        return reply._replace(fault="reset") if lost and method != "GET" else reply

    def spoil(fault: str) -> None:
        lost[:] = [fault] if fault == "lost_answer" else []
        server.fault, server.every = ("", 0) if lost else (fault, 1 if fault else 0)

    with serving_bodies(answer) as base_url:
        cloud = connect("custom", base_url, time)
        nic_id = f"{OTHER}/networkInterfaces/nic-1"
        yield WriteArm(cloud, time, nic_id, f"{OTHER}/virtualNetworkTaps/tap-new", f"{nic_id}/ipConfigurations/x", "x", lambda: server.writes, spoil)
        cloud.close()


ARMS: dict[str, Callable[[], AbstractContextManager[WriteArm]]] = {
    "simulator in process": lambda: simulator(is_over_http=False),
    "simulator over HTTP": lambda: simulator(is_over_http=True),
    "other ARM over HTTP": other,
}


@pytest.fixture(params=ARMS)
def arm(request: pytest.FixtureRequest) -> Iterator[WriteArm]:
    with ARMS[request.param]() as found:
        yield found


@pytest.fixture
def played() -> Iterator[WriteArm]:
    with simulator(is_over_http=False) as found:
        yield found


def test_a_nic_is_mirrored_and_its_mirror_taken_away(arm: WriteArm) -> None:
    answer = arm.put()
    assert answer.correlation_id
    told = arm.end_of(answer)
    assert told is None or told.state == "succeeded"
    assert arm.mirrored_to() == [arm.tap_id.lower()]
    gone = arm.end_of(arm.cloud.write("DELETE", arm.mirror_id, None, request_id="step-2"))
    assert gone is None or gone.state == "succeeded"
    assert arm.mirrored_to() == []
    assert arm.writes() == [("PUT", arm.mirror_id, "step-1"), ("DELETE", arm.mirror_id, "step-2")]


def test_the_same_put_twice_leaves_one_mirror(arm: WriteArm) -> None:
    for _ in range(2):
        told = arm.end_of(arm.put())
        assert told is None or told.state == "succeeded"
    assert arm.mirrored_to() == [arm.tap_id.lower()]


def test_a_tap_is_made_tagged_and_deleted(arm: WriteArm) -> None:
    tap_id = f"{arm.tap_id.rsplit('/', 1)[0]}/tap-of-the-test"
    assert arm.cloud.tap(tap_id) is None
    body = {"location": arm.location, "properties": {"destinationNetworkInterfaceIPConfiguration": {"id": arm.destination_id}}}
    told = arm.end_of(arm.cloud.write("PUT", tap_id, body, request_id="1"))
    assert told is None or told.state == "succeeded"
    told = arm.end_of(arm.cloud.write("PATCH", tap_id, {"tags": {"owner": "soc"}}, request_id="2"))
    assert told is None or told.state == "succeeded"
    made = arm.cloud.tap(tap_id)
    assert made is not None
    assert (made.destination_ip_configuration_id, made.tags) == (arm.destination_id, {"owner": "soc"})
    told = arm.end_of(arm.cloud.write("DELETE", tap_id, None, request_id="3"))
    assert told is None or told.state == "succeeded"
    assert arm.cloud.tap(tap_id) is None


def test_what_is_not_there_is_none(arm: WriteArm) -> None:
    assert arm.cloud.network_interface(f"{arm.nic_id}-nobody") is None


def test_a_refusal_keeps_the_servers_own_code(arm: WriteArm) -> None:
    there = f"{arm.nic_id}-nobody/tapConfigurations/mirror"
    with pytest.raises(CloudError) as caught:
        arm.cloud.write("PUT", there, {"properties": {"virtualNetworkTap": {"id": arm.tap_id}}}, request_id="1")
    assert caught.value.code
    assert caught.value.message
    assert not caught.value.is_outcome_unknown
    assert len(arm.writes()) == 1


@pytest.mark.parametrize(
    ("fault", "failure", "is_outcome_unknown"),
    [("throttle", Failure.THROTTLED, False), ("server_error", Failure.SERVER, True), ("drop", Failure.CONNECTION, True)],
)
def test_a_write_that_fails_is_not_sent_again(arm: WriteArm, fault: str, failure: Failure, *, is_outcome_unknown: bool) -> None:
    arm.spoil(fault)
    with pytest.raises(CloudError) as caught:
        arm.put()
    arm.spoil("")
    assert (caught.value.failure, caught.value.is_outcome_unknown) == (failure, is_outcome_unknown)
    assert arm.time.slept_s == []
    assert len(arm.writes()) <= 1
    assert "writer" not in f"{caught.value!r}{caught.value.message}"


def test_a_lost_answer_says_so_and_a_re_read_tells(arm: WriteArm) -> None:
    arm.spoil("lost_answer")
    with pytest.raises(CloudError) as caught:
        arm.put()
    arm.spoil("")
    assert caught.value.is_outcome_unknown
    arm.time.sleep(60)
    assert arm.mirrored_to() == [arm.tap_id.lower()]


def test_what_stands_around_a_write_is_told_or_missing(arm: WriteArm) -> None:
    subscription_id = arm.nic_id.split("/")[2]
    now = datetime.fromtimestamp(arm.time.now_s, tz=UTC)
    asked: dict[str, Callable[[], Any]] = {
        "permissions": lambda: arm.cloud.permissions(arm.nic_id),
        "locks": lambda: arm.cloud.locks(subscription_id),
        "feature": lambda: arm.cloud.feature(subscription_id),
        "metrics": lambda: arm.cloud.metric_totals(
            subscription_id, arm.location, [arm.nic_id], ["BytesReceivedRate", "BytesSentRate"], now - timedelta(hours=1), now, "PT1M"
        ),
    }
    for name, ask in asked.items():
        if arm.simulator is None:
            with pytest.raises(CloudError) as caught:
                ask()
            assert (name, caught.value.failure) == (name, Failure.MISSING)
        else:
            assert ask() is not None


def test_permissions_locks_and_the_feature_as_the_server_has_them(played: WriteArm) -> None:
    granted = played.cloud.permissions(played.nic_id)
    assert any("*" in action or "/write" in action.lower() for one in granted for action in one.actions)
    assert played.cloud.feature(SPOKES)
    locked = list(contoso.build().locks.values())
    assert locked
    found = [lock for subscription_id in {one["id"].split("/")[2] for one in locked} for lock in played.cloud.locks(subscription_id)]
    assert {(one.name, one.level) for one in found} == {(one["name"], one["properties"]["level"]) for one in locked}
    assert all("/providers/Microsoft.Authorization" not in one.scope_id for one in found)


def test_a_day_of_metrics_has_a_total_a_minute(played: WriteArm) -> None:
    end = datetime.fromtimestamp(played.time.now_s, tz=UTC) - timedelta(minutes=10)
    series = played.cloud.metric_totals(SPOKES, "uksouth", [played.nic_id], ["BytesReceivedRate"], end - timedelta(hours=2), end, "PT1M")
    (one,) = series
    assert (one.resource_id.lower(), one.name, len(one.totals)) == (played.nic_id.lower(), "BytesReceivedRate", 120)
    assert [at for at, _ in one.totals] == [(end - timedelta(hours=2)).timestamp() + 60 * minute for minute in range(120)]


@pytest.mark.parametrize(("kind", "state"), [("failed_operation", "failed"), ("lost_operation", "lost"), ("not_on_fastpath", "failed")])
def test_how_an_operation_may_end(played: WriteArm, kind: str, state: str) -> None:
    played.spoil(kind)
    told = played.end_of(played.put())
    assert told is not None
    assert told.state == state
    assert told.code or state == "lost"
    assert bool(played.mirrored_to()) == (state == "lost")


def test_a_second_write_of_a_busy_nic_is_told_apart_from_quota(played: WriteArm) -> None:
    played.put()
    with pytest.raises(CloudError) as caught:
        played.cloud.write("DELETE", played.mirror_id, None, request_id="2")
    assert caught.value.failure is Failure.THROTTLED
    assert caught.value.is_held_by_another_operation
    assert caught.value.retry_after_s is not None
