"""What can become of a write: slow, failing and lost operations, lost answers, refusals by percentage, quotas, a NIC that is not prepared."""

import json
from typing import Any

import pytest

from tests.simulator.writer import CRM, HUB, ILB, PACKETLOG, Writer, make_writer, mirror
from vtapweb.simulator.contoso import SPOKES, nic_id

WEB, SQL = f"{CRM}/networkInterfaces/web-03", f"{CRM}/networkInterfaces/sql-02"
FREE = [f"{CRM}/networkInterfaces/{name}" for name in ("web-03", "web-04", "web-06", "sql-02", "sql-03")]
SPARE = f"{HUB}/virtualNetworkTaps/tap-spare"
TAP = {
    "location": "uksouth",
    "properties": {"destinationNetworkInterfaceIPConfiguration": {"id": f"{HUB}/networkInterfaces/nic-packetlog-02/ipConfigurations/ipconfig1"}},
}


def _outcome(azure: Writer, configuration: str, tap: str = PACKETLOG) -> Any:
    """PUT, wait, and what the operation says."""
    put = azure.put(configuration, tap)
    azure.pass_s(60)
    return azure.status(put.headers["azure-asyncoperation"])


def test_a_slow_operation_is_under_way_for_longer() -> None:
    azure = make_writer()
    azure.play("faults", kind="slow_operation", delay_ms=20_000, path_part="web-03")
    slow, plain = azure.put(mirror(WEB), PACKETLOG), azure.put(mirror(SQL), PACKETLOG)
    azure.pass_s(21)
    assert azure.status(plain.headers["azure-asyncoperation"])["status"] == "Succeeded"
    assert azure.status(slow.headers["azure-asyncoperation"])["status"] == "InProgress"
    azure.pass_s(1)
    assert azure.status(slow.headers["azure-asyncoperation"])["status"] == "Succeeded"


def test_a_failing_operation_says_why_and_brings_back_what_was() -> None:
    azure = make_writer()
    azure.play("faults", kind="failed_operation", code="AllocationFailed", message="No room.")
    tagged = azure.get(PACKETLOG)
    put = azure.put(mirror(WEB), PACKETLOG)
    azure.pass_s(2)
    assert azure.status(put.headers["azure-asyncoperation"]) == {
        "status": "Failed",
        "error": {"code": "AllocationFailed", "message": "No room.", "details": []},
    }
    assert azure.get(WEB)["properties"]["tapConfigurations"] == []
    assert azure.get(WEB)["properties"]["provisioningState"] == "Succeeded"
    assert azure.get(PACKETLOG) == tagged

    source = f"{CRM}/networkInterfaces/web-02"
    gone = azure.call(mirror(source), method="DELETE")
    azure.pass_s(2)
    assert azure.error(gone.headers["location"]) == (400, "AllocationFailed")
    (child,) = azure.get(source)["properties"]["tapConfigurations"]
    assert (child["properties"]["provisioningState"], child["properties"]["virtualNetworkTap"]["id"]) == ("Succeeded", ILB)
    assert "web-02" in azure.sources(ILB)

    azure.send("PUT", SPARE, TAP)
    azure.send("PUT", PACKETLOG, TAP | {"properties": tagged["properties"], "tags": {"changed": "yes"}})
    azure.pass_s(2)
    assert azure.call(SPARE).status == 404
    assert azure.get(PACKETLOG)["tags"] == tagged["tags"]


def test_a_failing_operation_may_leave_something_broken_that_the_next_put_mends() -> None:
    azure = make_writer()
    azure.play("faults", kind="failed_operation", leaves_failed=True)
    assert _outcome(azure, mirror(WEB))["status"] == "Failed"
    (child,) = azure.get(WEB)["properties"]["tapConfigurations"]
    assert (child["properties"]["provisioningState"], azure.get(WEB)["properties"]["provisioningState"]) == ("Failed", "Failed")
    azure.send("PUT", SPARE, TAP)
    azure.pass_s(2)
    assert azure.get(SPARE)["properties"]["provisioningState"] == "Failed"
    azure.play("faults/clear")
    assert _outcome(azure, mirror(WEB))["status"] == "Succeeded"
    assert azure.get(WEB)["properties"]["provisioningState"] == "Succeeded"
    azure.done(azure.call(SPARE, method="DELETE"))


def test_a_lost_operation_answers_404_and_is_done_all_the_same() -> None:
    azure = make_writer()
    azure.play("faults", kind="lost_operation")
    put = azure.put(mirror(WEB), PACKETLOG)
    assert azure.error(put.headers["azure-asyncoperation"]) == (404, "OperationNotFound")
    azure.pass_s(2)
    assert azure.error(put.headers["azure-asyncoperation"]) == (404, "OperationNotFound")
    assert "web-03" in azure.sources(PACKETLOG)


def test_a_lost_answer_is_done_and_a_lost_request_is_not() -> None:
    azure = make_writer()
    azure.play("faults", kind="lost_answer", times=1)
    assert azure.call(WEB).status == 200, "reads are left alone"
    assert azure.put(mirror(WEB), PACKETLOG).is_dropped
    azure.play("faults", kind="lost_request", times=1)
    assert azure.put(mirror(SQL), PACKETLOG).is_dropped
    azure.pass_s(2)
    assert ("web-03" in azure.sources(PACKETLOG), "sql-02" in azure.sources(PACKETLOG)) == (True, False)
    assert [(write["status"], write["state"], write["fault"]) for write in azure.writes()] == [
        (0, "Succeeded", "lost_answer"),
        (0, "lost", "lost_request"),
    ]
    assert azure.put(mirror(WEB), PACKETLOG).status == 200
    assert azure.put(mirror(SQL), PACKETLOG).status == 201


@pytest.mark.parametrize(("kind", "status"), [("throttle", 429), ("server_error", 500)])
def test_a_share_of_the_writes_is_refused_always_the_same_and_no_read(kind: str, status: int) -> None:
    def statuses() -> list[int]:
        azure = make_writer()
        azure.play("faults", kind=kind, status=500, only="writes", percent=5, seed=7)
        assert {azure.call(WEB).status for _ in range(50)} == {200}
        return [azure.call(mirror(f"{CRM}/networkInterfaces/none"), method="DELETE").status for _ in range(400)]

    first = statuses()
    assert statuses() == first
    assert set(first) == {204, status}
    assert 8 <= first.count(status) <= 36


def test_reads_can_be_struck_alone() -> None:
    azure = make_writer()
    azure.play("faults", kind="server_error", only="reads")
    assert (azure.call(WEB).status, azure.put(mirror(WEB), PACKETLOG).status) == (503, 201)
    refused = azure.call("/_control/faults", method="POST", body=b'{"kind": "throttle", "only": "some"}')
    assert refused.status == 400


def test_faults_of_operations_strike_together_and_beside_those_on_the_wire() -> None:
    azure = make_writer()
    azure.play("faults", kind="slow_operation", delay_ms=5_000)
    azure.play("faults", kind="failed_operation", every=2)
    azure.play("faults", kind="lost_answer", path_part="sql")
    for nic in FREE:
        azure.put(mirror(nic), PACKETLOG)
    azure.pass_s(5)
    assert {write["state"] for write in azure.writes()} == {"InProgress"}
    azure.pass_s(2)
    assert azure.call(WEB).status == 200
    assert [(write["nic"], write["state"], write["fault"]) for write in azure.writes()] == [
        ("web-03", "Succeeded", "slow_operation"),
        ("web-04", "Failed", "failed_operation slow_operation"),
        ("web-06", "Succeeded", "slow_operation"),
        ("sql-02", "Failed", "lost_answer failed_operation slow_operation"),
        ("sql-03", "Succeeded", "lost_answer slow_operation"),
    ]


def test_a_nic_is_not_on_fastpath_until_its_vm_was_stopped_and_started_since_the_tap_was_made() -> None:
    azure = make_writer()
    azure.play("faults", kind="not_on_fastpath")
    azure.play("virtual-machines", vm="web-03", state="deallocated")
    azure.play("virtual-machines", vm="web-03", state="running")
    azure.pass_s(10)
    azure.done(azure.send("PUT", SPARE, TAP))
    failed = _outcome(azure, mirror(WEB), SPARE)
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "NicNotOnFastPath")
    assert "NIC is not on fastpath" in failed["error"]["message"]
    azure.play("virtual-machines", vm="web-03", state="running")
    assert _outcome(azure, mirror(WEB), SPARE)["status"] == "Failed", "it ran all the time"
    azure.play("virtual-machines", vm="web-03", state="deallocated")
    azure.play("virtual-machines", vm="web-03", state="running")
    assert _outcome(azure, mirror(WEB), SPARE)["status"] == "Succeeded"
    azure.done(azure.call(mirror(WEB), method="DELETE"))
    assert [write["fault"] for write in azure.writes()] == ["", "not_on_fastpath", "not_on_fastpath", "", ""]


def test_a_quota_refuses_what_is_new() -> None:
    azure = make_writer()
    azure.play("faults", kind="quota", limit=7)
    assert azure.put(mirror(WEB), PACKETLOG).status == 201, "six were there"
    azure.pass_s(2)
    assert azure.put_error(mirror(SQL), PACKETLOG) == (400, "QuotaExceeded")
    assert azure.put(mirror(WEB), PACKETLOG).status == 200
    azure.play("faults/clear")
    azure.play("faults", kind="quota", limit=4)
    assert azure.send_error("PUT", SPARE, TAP) == (400, "QuotaExceeded")


def test_locks_of_a_scope_hold_all_below_it() -> None:
    azure = make_writer()
    locked = nic_id("rg-crm", "sql-05-locked")
    refused = azure.put(mirror(locked), ILB)
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (409, "ScopeLocked")
    azure.play("locks/set", scope="rg-crm", level="CanNotDelete", name="keep")
    azure.done(azure.put(mirror(WEB), PACKETLOG))
    assert azure.error(mirror(WEB), method="DELETE") == (409, "ScopeLocked")
    assert len(azure.items(f"/subscriptions/{SPOKES}/providers/Microsoft.Authorization/locks")) == 2
    azure.play("locks/remove", scope="rg-crm")
    azure.play("locks/remove", scope=locked, name="year-end-audit")
    azure.done(azure.call(mirror(WEB), method="DELETE"))
    azure.done(azure.put(mirror(locked), ILB))
    azure.play("locks/set", scope="contoso-prod", level="ReadOnly")
    assert azure.send_error("PUT", SPARE, TAP) == (409, "ScopeLocked")
    azure.play("locks/set", scope="web-04", level="ReadOnly")
    azure.play("nics/remove", nic="web-04")
    assert [lock["scope"].rsplit("/", 1)[1] for lock in azure.get("/_control/state")["locks"]] == [ILB.split("/")[2]]
    for wrong in ({"scope": "nowhere", "level": "ReadOnly"}, {"scope": "web-05", "level": "Some"}, {"scope": "backup-01", "level": "ReadOnly"}):
        assert azure.call("/_control/locks/set", method="POST", body=json.dumps(wrong).encode()).status == 400
    assert azure.call("/_control/locks/remove", method="POST", body=b'{"scope": "web-05"}').status == 400


def test_roles_and_the_preview_can_be_played() -> None:
    azure = make_writer()
    azure.play("roles", group="rg-crm", role="reader")
    assert azure.put_error(mirror(WEB), PACKETLOG) == (403, "AuthorizationFailed")
    azure.play("roles", group="rg-crm", role="contributor")
    assert azure.put(mirror(WEB), PACKETLOG).status == 201
    azure.play("features", subscription="contoso-spokes", state="Pending")
    feature = f"/subscriptions/{SPOKES}/providers/Microsoft.Features/providers/Microsoft.Network/features/AllowVirtualNetworkTap"
    assert azure.get(feature)["properties"]["state"] == "Pending"
    for action, fields in (("roles", {"group": "rg-crm", "role": "king"}), ("features", {"subscription": "contoso-spokes", "state": "On"})):
        assert azure.call(f"/_control/{action}", method="POST", body=json.dumps(fields).encode()).status == 400


def test_what_the_control_takes_away_meanwhile_fails_the_operation() -> None:
    azure = make_writer()
    put, other = azure.put(mirror(WEB), PACKETLOG), azure.put(mirror(SQL), PACKETLOG)
    azure.play("nics/remove", nic="web-03")
    azure.play("tap-configurations/delete", nic="sql-02")
    azure.pass_s(2)
    assert azure.status(put.headers["azure-asyncoperation"])["error"]["code"] == "ResourceNotFound"
    assert azure.status(other.headers["azure-asyncoperation"])["error"]["code"] == "OperationPreempted"
    assert azure.get(SQL)["properties"]["tapConfigurations"] == []
