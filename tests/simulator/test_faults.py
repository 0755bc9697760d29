"""Faults strike when they are told to, and as ARM would look."""

import json
from typing import Any

import pytest

from tests.simulator.caller import TOKEN, Caller, make_caller
from vtapweb.simulator.contoso import SPOKES

NICS = f"/subscriptions/{SPOKES}/providers/Microsoft.Network/networkInterfaces"


def _start(azure: Caller, **fields: Any) -> None:
    response = azure.call("/_control/faults", method="POST", body=json.dumps(fields).encode())
    assert response.status == 200, response.body


@pytest.mark.parametrize("every", [1, 2, 5])
def test_every_nth_request_is_struck_and_no_other(every: int) -> None:
    azure = make_caller()
    _start(azure, kind="server_error", every=every)
    expected = [503 if number % every == 0 else 200 for number in range(1, 21)]
    assert [azure.call(NICS).status for _ in range(20)] == expected


def test_throttle() -> None:
    azure = make_caller()
    _start(azure, kind="throttle", retry_after_s=7)
    response = azure.call(NICS)
    assert (response.status, response.headers["retry-after"]) == (429, "7")
    assert json.loads(response.body)["error"]["code"] == "SubscriptionRequestsThrottled"


@pytest.mark.parametrize(("status", "code"), [(500, "InternalServerError"), (502, "BadGateway"), (503, "ServerUnavailable"), (504, "GatewayTimeout")])
def test_server_errors(status: int, code: str) -> None:
    azure = make_caller()
    _start(azure, kind="server_error", status=status)
    assert azure.error(NICS) == (status, code)


def test_truncated_json() -> None:
    azure = make_caller()
    whole = azure.call(NICS).body
    _start(azure, kind="truncate")
    response = azure.call(NICS)
    assert response.status == 200
    assert response.body == whole[: len(whole) // 2]
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.body)


def test_drop_slow_and_expired_token() -> None:
    azure = make_caller()
    _start(azure, kind="drop", times=1)
    assert azure.call(NICS).is_dropped
    assert azure.server.log[-1].status == 0
    _start(azure, kind="slow", delay_ms=1_500, times=1)
    slow = azure.call(NICS)
    assert (slow.status, slow.delay_s) == (200, 1.5)
    _start(azure, kind="expired_token", times=1)
    expired = azure.call(NICS)
    assert (expired.status, json.loads(expired.body)["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    assert expired.headers["www-authenticate"].startswith("Bearer ")
    assert azure.call(NICS).status == 200


def test_a_fault_ends_after_its_seconds() -> None:
    azure = make_caller()
    _start(azure, kind="throttle", for_s=30)
    assert azure.call(NICS).status == 429
    azure.clock.now_s += 30
    assert azure.call(NICS).status == 200


def test_a_fault_may_hit_some_addresses_only_and_end_at_once() -> None:
    azure = make_caller()
    _start(azure, kind="server_error", path_part="networkinterfaces")
    assert azure.call("/subscriptions").status == 200
    assert azure.call(NICS).status == 503
    assert azure.call("/_control/faults/clear", method="POST").status == 200
    assert azure.call(NICS).status == 200


def test_of_two_faults_the_first_strikes_and_both_count() -> None:
    azure = make_caller()
    _start(azure, kind="throttle", every=2)
    _start(azure, kind="server_error", every=3)
    assert [azure.call(NICS).status for _ in range(6)] == [200, 429, 503, 429, 200, 429]


@pytest.mark.parametrize("fields", [{"kind": "flood"}, {}, {"kind": "throttle", "every": "0"}, {"kind": "server_error", "status": 418}])
def test_what_is_no_fault_is_refused(fields: dict[str, Any]) -> None:
    azure = make_caller()
    assert azure.error("/_control/faults", method="POST", body=json.dumps(fields).encode()) == (400, "ControlRefused")
    assert azure.call(NICS, headers=TOKEN).status == 200
