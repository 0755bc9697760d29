"""What a write promises: sent once, its progress told from a token of our own, its failures in Azure's words."""

import json
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError

from tests.cloud.samples import NETWORK, SUBSCRIPTION
from tests.contract import examples
from tests.contract.arms import Time
from tests.contract.http import InProcess, Reply, serving
from tests.contract.test_recordings import EXCHANGES, HOME, Replay
from vtapweb.cloud import metrics
from vtapweb.cloud.connect import cloud_from_settings
from vtapweb.cloud.port import LOAD_BALANCER_METRICS, CloudError, Failure
from vtapweb.cloud.sdk import AzureCloud

TOKEN = "t0ken-that-must-not-leak"
CONFIGURATION = f"{NETWORK}/networkInterfaces/nic-a/tapConfigurations/tap-x"
TAP = f"{NETWORK}/virtualNetworkTaps/tap-x"
START = datetime(2026, 6, 1, tzinfo=UTC)
BODY = {"properties": {"virtualNetworkTap": {"id": TAP}}}


class Script:
    """Answers with what it is given, one after the other, the last one for ever; remembers what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, str]] = []
        self.headers: list[Mapping[str, str]] = []

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        self.asked.append((method, url))
        self.headers.append(headers)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def connect(answer: Any, *, endpoint: str = HOME, token: str = TOKEN, time: Time | None = None) -> AzureCloud:
    return cloud_from_settings(cloud="custom", endpoint=endpoint, token=token, transport=InProcess(answer), sleep=(time or Time()).sleep)


def reply(status: int, document: Any = None, **headers: str) -> Reply:
    body = b"" if document is None else json.dumps(document).encode()
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def put(cloud: AzureCloud) -> Any:
    return cloud.write("PUT", CONFIGURATION, BODY, request_id="step-1")


@pytest.mark.parametrize("path", EXCHANGES, ids=lambda path: path.stem)
def test_each_recorded_write_runs_through_the_port(path: Path) -> None:
    exchanges = examples.load(path)
    replay = Replay(exchanges)
    cloud = connect(replay, token="replay")
    first = exchanges[0]
    answer = cloud.write(first["request"]["method"], urlsplit(first["request"]["path"]).path, first["request"].get("body"), request_id="step-1")
    assert (answer.status, answer.state) == (first["response"]["status"], "running")
    assert answer.operation is not None
    told = connect(replay, token="replay").poll(str(answer.operation))  # by another process, from the database
    assert (told.state, told.code, told.operation) == ("succeeded", "", answer.operation)
    left = {urlsplit(one["request"]["path"]).path for one in replay.left}
    assert all("/operationResults/" in one or first["request"]["method"] == "PUT" for one in left)


def test_a_write_carries_our_id_and_body_and_waits_as_told() -> None:
    script = Script(
        reply(201, {"properties": {"provisioningState": "Updating"}}, azure_asyncoperation=f"{HOME}/op/1?t={'x' * 5_000}", retry_after="7")
    )
    answer = connect(script).write("PUT", CONFIGURATION, BODY, request_id="step-1", if_match='W/"1"')
    assert script.asked == [("PUT", f"{HOME}{CONFIGURATION}?api-version=2024-05-01")]
    headers = script.headers[0]
    assert (headers["x-ms-client-request-id"], headers["if-match"], headers["content-type"]) == ("step-1", 'W/"1"', "application/json")
    assert answer.retry_after_s == 7.0
    assert len(answer.operation or "") > 5_000


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"status": "Succeeded"}, "succeeded"),
        ({"Status": "succeeded", "news": 1}, "succeeded"),
        ({"status": "InProgress"}, "running"),
        ({"status": "Frobnicating"}, "running"),
        ({"status": "Canceled"}, "cancelled"),
        ({"status": "Failed", "error": {"code": "NotOnFastpath", "message": "no"}}, "failed"),
        ({}, "lost"),
    ],
)
def test_what_an_operation_says(said: Any, state: str) -> None:
    cloud = connect(Script(reply(201, azure_asyncoperation=f"{HOME}/op/1"), reply(200, said)))
    told = cloud.poll(str(put(cloud).operation))
    assert told.state == state
    assert (told.code, told.message) == (("NotOnFastpath", "no") if state == "failed" else ("", ""))


UPDATING = {"id": CONFIGURATION, "properties": {"provisioningState": "Updating"}}
DONE = {"id": CONFIGURATION, "properties": {"provisioningState": "Succeeded"}}


def states_of(cloud: AzureCloud, operation: str, count: int) -> list[str]:
    found: list[str] = []
    for _ in range(count):
        told = cloud.poll(operation)
        operation = told.operation
        found.append(told.state)
    return found


@pytest.mark.parametrize(
    ("method", "first", "polls", "states"),
    [
        ("PUT", reply(200, UPDATING), [reply(200, UPDATING), reply(200, DONE)], ["running", "succeeded"]),
        ("PUT", reply(201, {"Properties": {"ProvisioningState": "Frobnicating"}}), [reply(200, DONE)], ["succeeded"]),
        ("PUT", reply(202), [reply(200, {"id": CONFIGURATION}), reply(404)], ["succeeded", "lost"]),
        (
            "PUT",
            reply(200, {"properties": {"provisioningState": "Failed"}}),
            [reply(200, {"properties": {"provisioningState": "Failed"}})],
            ["failed"],
        ),
        (
            "DELETE",
            reply(202),
            [reply(200, DONE), reply(200, {"properties": {"provisioningState": "Deleting"}}), reply(404)],
            ["running"] * 2 + ["succeeded"],
        ),
        ("DELETE", reply(202), [reply(204)], ["succeeded"]),
        ("DELETE", reply(202, location=f"{HOME}/result/1"), [reply(202), reply(204)], ["running", "succeeded"]),
        ("DELETE", reply(202, location=f"{HOME}/result/1"), [reply(202, location=f"{HOME}/result/2"), reply(200)], ["running", "succeeded"]),
        ("DELETE", reply(202, location=f"{HOME}/result/1"), [reply(409, {"error": {"code": "InUse", "message": "no"}})], ["failed"]),
        ("DELETE", reply(202, location=f"{HOME}/result/1"), [reply(410)], ["lost"]),
        ("PUT", reply(201, azure_asyncoperation="/op/1"), [reply(202), reply(404), reply(204), reply(200)], ["running", "lost", "succeeded", "lost"]),
    ],
)
def test_every_way_of_telling_how_far_a_write_is(method: Any, first: Reply, polls: list[Reply], states: list[str]) -> None:
    script = Script(first, *polls)
    cloud = connect(script)
    answer = cloud.write(method, CONFIGURATION, BODY if method == "PUT" else None, request_id="step-1")
    assert (answer.state, bool(answer.operation)) == ("running", True)
    assert states_of(connect(script), str(answer.operation), len(polls)) == states
    urls = [url for _, url in script.asked[1:]]
    names = {name.lower(): value for name, value in first.headers.items()}
    told = names.get("azure-asyncoperation") or names.get("location") or f"{CONFIGURATION}?api-version=2024-05-01"
    assert urls[0] == (told if told.startswith("https:") else f"{HOME}{told}")
    assert urls[-1].endswith("/2" if any("location" in one.headers for one in polls) else urls[0][-2:])


@pytest.mark.parametrize(
    ("method", "answer"), [("PUT", reply(200, DONE)), ("PUT", reply(201, {"id": TAP})), ("DELETE", reply(204)), ("DELETE", reply(200))]
)
def test_a_synchronous_answer_is_done(method: Any, answer: Reply) -> None:
    found = connect(Script(answer)).write(method, CONFIGURATION, BODY if method == "PUT" else None, request_id="step-1")
    assert (found.state, found.operation) == ("done", None)


@pytest.mark.parametrize("header", ["azure-asyncoperation", "location"])
def test_an_operation_elsewhere_is_refused_and_the_outcome_open(header: str) -> None:
    script = Script(Reply(202, b"", {header: "https://evil.example/op/1", "x-ms-request-id": "c-1"}))
    with pytest.raises(CloudError) as caught:
        put(connect(script))
    found = caught.value
    assert (found.failure, found.is_outcome_unknown, found.correlation_id, len(script.asked)) == (Failure.FOREIGN_LINK, True, "c-1", 1)


def test_a_stored_operation_that_was_tampered_with_gets_no_token() -> None:
    script = Script(reply(201, azure_asyncoperation=f"{HOME}/op/1"), reply(200, {"status": "Succeeded"}))
    cloud = connect(script)
    stored = str(put(cloud).operation)
    with pytest.raises(CloudError, match="A stored operation leads to https://evil") as caught:
        cloud.poll(stored.replace(f"{HOME}/op/1", "https://evil.example/op/1"))
    assert (caught.value.failure, len(script.asked)) == (Failure.FOREIGN_LINK, 1)
    for text in ("", "{}", "no json", stored.replace("vtapweb-1", "vtapweb-9"), "gANjc3VicHJvY2Vzcwo="):
        told = cloud.poll(text)
        assert (told.state, told.code) == ("lost", "UnreadableOperation")
    assert len(script.asked) == 1


@pytest.mark.parametrize(("status", "failure"), [(429, Failure.THROTTLED), (503, Failure.SERVER), (403, Failure.FORBIDDEN)])
def test_a_poll_that_could_not_be_asked_is_no_end_of_the_write(status: int, failure: Failure) -> None:
    script = Script(reply(201, azure_asyncoperation=f"{HOME}/op/1"), reply(status, {"error": {"code": "X", "message": "no"}}, retry_after="9"))
    cloud = connect(script)
    operation = str(put(cloud).operation)
    with pytest.raises(CloudError) as caught:
        cloud.poll(operation)
    assert (caught.value.failure, caught.value.retry_after_s, len(script.asked)) == (failure, 9.0, 2)


def test_what_never_left_changed_nothing_and_what_may_have_left_is_open() -> None:
    with serving(lambda _method, _url, _headers: reply(200)) as base_url:
        gone = base_url
    cloud = cloud_from_settings(cloud="custom", endpoint=gone, token=TOKEN)
    with pytest.raises(CloudError) as caught:
        put(cloud)
    cloud.close()
    assert (caught.value.failure, caught.value.is_outcome_unknown) == (Failure.CONNECTION, False)

    class Breaking(InProcess):
        def send(self, request: Any, **options: Any) -> Any:
            super().send(request, **options)
            broken = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
            raise ServiceRequestError("TLS", error=requests.exceptions.SSLError(broken))  # as the SDK tells a TLS connection that breaks

    script = Script(reply(200))
    broken = cloud_from_settings(cloud="custom", endpoint=HOME, token=TOKEN, transport=Breaking(script))
    with pytest.raises(CloudError) as caught:
        put(broken)
    assert (caught.value.failure, caught.value.is_outcome_unknown, len(script.asked)) == (Failure.CONNECTION, True, 1)


def test_words_of_an_operation_hold_no_secret_and_fit_a_line() -> None:
    failed = {"status": "Failed", "error": {"code": "C" * 900, "message": "a\nb Bearer abc.def.ghi " + "x" * 9_000}}
    cloud = connect(Script(reply(201, azure_asyncoperation=f"{HOME}/op/1"), reply(200, failed)))
    told = cloud.poll(str(put(cloud).operation))
    assert (told.state, len(told.code), len(told.message)) == ("failed", 200, 600)
    assert "abc.def" not in told.message


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (reply(404, {"error": {"code": "InvalidResourceType", "message": "no"}}), Failure.MISSING),
        (reply(404, {"error": {"code": "SubscriptionNotFound", "message": "no"}}), Failure.REFUSED),
        (Reply(404, b"<html>proxy</html>"), Failure.MISSING),
        (reply(404), Failure.MISSING),
        (reply(200, {"id": TAP}), Failure.BROKEN_BODY),
        (reply(200, {"name": "no id"}), Failure.BROKEN_BODY),
        (Reply(200, b""), Failure.BROKEN_BODY),
    ],
)
def test_a_single_read_that_is_no_answer_is_never_an_absence(answer: Reply, failure: Failure) -> None:
    with pytest.raises(CloudError) as caught:
        connect(Script(answer)).network_interface(f"{NETWORK}/networkInterfaces/nic-a")
    assert caught.value.failure is failure


@pytest.mark.parametrize("code", ["ResourceNotFound", "NotFound", "ResourceGroupNotFound", "AnInventedCode"])
def test_a_single_read_of_what_is_gone_is_none(code: str) -> None:
    assert connect(Script(reply(404, {"error": {"code": code, "message": "gone"}}))).tap(TAP) is None


def test_single_reads_are_tried_again_and_ask_each_resource_in_its_version() -> None:
    member = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0/networkInterfaces/n"
    )
    machine = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v"
    script = Script(reply(503), reply(200, {"id": member.upper().replace("/SUBSCRIPTIONS", "/subscriptions")}))
    found = connect(script).network_interface(member)
    assert found is not None
    assert [url.rpartition("=")[2] for _, url in script.asked] == ["2018-10-01"] * 2
    script = Script(reply(200, {"id": machine, "name": "v"}))
    vm = connect(script).virtual_machine(machine)
    assert vm is not None
    assert script.asked[0][1].endswith("?api-version=2024-03-01")


def test_permissions_and_locks_are_whole_or_an_error() -> None:
    pages = Script(
        reply(200, {"value": [{"actions": ["*/read"], "notActions": []}], "nextLink": f"{HOME}/2"}),
        reply(200, {"Value": [{"Actions": ["Microsoft.Network/*"], "NotActions": ["*/delete"], "condition": None}]}),
    )
    found = connect(pages).permissions(f"{NETWORK}/networkInterfaces/nic-a")
    assert [(one.actions, one.not_actions) for one in found] == [(("*/read",), ()), (("Microsoft.Network/*",), ("*/delete",))]
    lock_id = f"{NETWORK}/virtualNetworks/v/providers/Microsoft.Authorization/locks/keep"
    locked = connect(Script(reply(200, {"value": [{"id": lock_id, "name": "keep", "properties": {"level": "ReadOnly", "notes": "ask Ada"}}]})))
    (lock,) = locked.locks(SUBSCRIPTION)
    assert (lock.scope_id, lock.level, lock.name, lock.notes) == (f"{NETWORK}/virtualNetworks/v", "ReadOnly", "keep", "ask Ada")
    for nonsense in (7, {"level": "ReadOnly"}):
        with pytest.raises(CloudError) as caught:
            connect(Script(reply(200, {"value": [nonsense]}))).locks(SUBSCRIPTION)
        assert caught.value.failure is Failure.BROKEN_BODY


def test_metrics_go_to_the_regions_own_host_with_a_token_for_it() -> None:
    scopes: list[str] = []

    class Credential:
        def get_token(self, *given: str, **_options: Any) -> AccessToken:
            scopes.extend(given)
            return AccessToken("t", 2**33)

    script = Script(reply(200, {"values": []}))
    azure = AzureCloud(
        cloud="public", endpoint=HOME, scope="arm", make_credential=Credential, metrics_place=metrics.PLACES["public"], transport=InProcess(script)
    )
    assert azure.metric_totals(SUBSCRIPTION, "uksouth", ["/a"], ["BytesSentRate"], START, START, "PT1M") == ()
    ((method, url),) = script.asked
    assert method == "POST"
    assert url.startswith(f"https://uksouth.metrics.monitor.azure.com/subscriptions/{SUBSCRIPTION}/metrics:getBatch?api-version=2023-10-01&")
    assert scopes == ["https://metrics.monitor.azure.com/.default"]
    for region in ("", "evil.example/", "uk south", "UKSOUTH"):
        with pytest.raises(CloudError, match="by region"):
            azure.metric_totals(SUBSCRIPTION, region, ["/a"], ["BytesSentRate"], START, START, "PT1M")
    for ids in ([], ["/a"] * 51):
        with pytest.raises(ValueError, match="1 to 50"):
            azure.metric_totals(SUBSCRIPTION, "uksouth", ids, ["BytesSentRate"], START, START, "PT1M")
    assert len(script.asked) == 1
    azure.metric_totals(
        SUBSCRIPTION, "uksouth", ["/a"], ["ByteCount"], START, START, "PT1M", namespace=LOAD_BALANCER_METRICS, split_by="FrontendIPAddress"
    )
    asked = parse_qs(urlsplit(script.asked[-1][1]).query)
    assert (asked["metricnamespace"], asked["filter"], asked["top"]) == (["Microsoft.Network/loadBalancers"], ["FrontendIPAddress eq '*'"], ["500"])


def test_metrics_that_are_split_by_a_dimension_stay_apart() -> None:
    def split(address: Any, total: int) -> Any:
        named = [{"name": {"value": "frontendipaddress"}, "value": address}]
        return {"metadatavalues": named, "data": [{"timeStamp": "2026-06-01T00:00:00Z", "total": total}]}

    metric = {"name": {"value": "ByteCount"}, "timeseries": [split("10.0.0.4", 5), split("10.0.0.5", 7), split("10.0.0.4", 1), split(7, 2)]}
    told = connect_metrics(reply(200, {"values": [{"resourceid": "/lb", "value": [metric]}]}))
    assert [(one.dimension, one.totals[0][1]) for one in told] == [("10.0.0.4", 6.0), ("10.0.0.5", 7.0), ("", 2.0)]


def test_metrics_are_read_as_they_are_told() -> None:
    def answer(*metrics_of: Any) -> Any:
        return connect_metrics(reply(200, {"values": [{"resourceid": "/nic", "value": list(metrics_of)}, 7, {"value": []}]}))

    minute = {"timeStamp": "2026-06-01T00:00:00Z"}
    told = answer(
        {"name": {"value": "A"}, "errorCode": "Success", "timeseries": [{"data": [{**minute, "total": 5}, {"timeStamp": "2026-06-01T00:01:00Z"}]}]},
        {"name": {"value": "B"}, "timeseries": [{"data": [{**minute, "total": 1}]}, {"data": [{**minute, "total": 2}]}]},
        {"name": {"value": "C"}, "errorCode": "Unsupported", "timeseries": []},
        {"name": {"value": "D"}, "timeseries": [{"data": [{"timeStamp": "yesterday", "total": 1}, {**minute, "total": True}, 7]}]},
    )
    at = START.timestamp()
    assert [(one.resource_id, one.name, one.totals) for one in told] == [
        ("/nic", "A", ((at, 5.0), (at + 60, None))),
        ("/nic", "B", ((at, 3.0),)),
        ("/nic", "D", ((at, None),)),
    ]
    for body in (b"", b"[]", b'{"values": 7}'):
        with pytest.raises(CloudError) as caught:
            connect_metrics(Reply(200, body))
        assert caught.value.failure is Failure.BROKEN_BODY


def connect_metrics(answer: Reply) -> Any:
    cloud = cloud_from_settings(
        cloud="custom",
        endpoint=HOME,
        token=TOKEN,
        metrics_endpoint="https://{region}.m.example",
        transport=InProcess(Script(answer)),
        sleep=Time().sleep,
    )
    return cloud.metric_totals(SUBSCRIPTION, "uksouth", ["/nic"], ["A"], START, START, "PT1M")


def test_only_taps_and_their_configurations_are_ever_written() -> None:
    script = Script(reply(200))
    cloud = connect(script)
    for path in (
        NETWORK,
        f"{NETWORK}/networkInterfaces/nic-a",
        f"{TAP}/../../virtualNetworks/v",
        f"{TAP}?api-version=1",
        f"/subscriptions/{SUBSCRIPTION}",
    ):
        with pytest.raises(ValueError, match=r"vtapweb writes|api-version"):
            cloud.write("DELETE", path, None, request_id="step-1")
    assert script.asked == []


def test_a_refused_write_is_sent_once_and_keeps_the_servers_words() -> None:
    held = {"error": {"code": "RetryableErrorDueToAnotherOperation", "message": "wait"}}
    script = Script(reply(429, held, retry_after="3", x_ms_correlation_request_id="c-1"))
    with pytest.raises(CloudError) as caught:
        put(connect(script))
    found = caught.value
    assert (found.failure, found.status, found.message, found.retry_after_s) == (Failure.THROTTLED, 429, "wait", 3.0)
    assert (found.correlation_id, found.is_held_by_another_operation, found.is_outcome_unknown) == ("c-1", True, False)
    assert len(script.asked) == 1
