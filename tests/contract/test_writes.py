"""What a write promises: sent once, its progress told from a token of our own, its failures in Azure's words."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cloud.samples import NETWORK, SUBSCRIPTION
from tests.contract import examples
from tests.contract.arms import Time
from tests.contract.http import InProcess, Reply
from tests.contract.test_recordings import EXCHANGES, HOME, Replay
from vtapweb.cloud.connect import cloud_from_settings
from vtapweb.cloud.port import CloudError, Failure
from vtapweb.cloud.sdk import AzureCloud

TOKEN = "t0ken-that-must-not-leak"
CONFIGURATION = f"{NETWORK}/networkInterfaces/nic-a/tapConfigurations/tap-x"
TAP = f"{NETWORK}/virtualNetworkTaps/tap-x"
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
