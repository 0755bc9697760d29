"""The log of writes proves what was sent and what overlapped; operations and log outlive the process; budgets; many writers at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.simulator.caller import TOKEN
from tests.simulator.writer import CRM, HUB, ILB, PACKETLOG, Writer, make_writer, mirror
from vtapweb.simulator import generated
from vtapweb.simulator.contoso import PROD
from vtapweb.simulator.documents import Kind
from vtapweb.simulator.journal import Journal
from vtapweb.simulator.server import Response, Server
from vtapweb.simulator.throttle import UNLIMITED, Budgets

WEB = f"{CRM}/networkInterfaces/web-03"
IDENTITY = HUB.replace("rg-hub-uks", "rg-identity")
DC_1, DC_2 = f"{IDENTITY}/networkInterfaces/dc-01", f"{IDENTITY}/networkInterfaces/dc-02"


def test_every_write_is_listed_with_its_body_and_span() -> None:
    azure = make_writer()
    azure.put(mirror(WEB), PACKETLOG, headers={"x-ms-client-request-id": "step-1", "x-ms-correlation-request-id": "change-7"})
    azure.pass_s(1)
    azure.put(mirror(WEB), ILB, headers={"x-ms-client-request-id": "step-2"})
    azure.call(mirror(DC_1), method="DELETE", body=b"nonsense \xff")
    azure.pass_s(10)
    first, second, third = azure.writes()
    assert first == {
        "number": 1,
        "method": "PUT",
        "path": mirror(WEB),
        "body": {"properties": {"virtualNetworkTap": {"id": PACKETLOG}}},
        "begun_unix_s": 1_000.0,
        "client_request_id": "step-1",
        "correlation_id": "change-7",
        "status": 201,
        "code": "",
        "state": "Succeeded",
        "ended_unix_s": 1_001.5,
        "operation_id": first["operation_id"],
        "nic": "web-03",
        "vm": WEB.replace("Microsoft.Network/networkInterfaces", "Microsoft.Compute/virtualMachines"),
        "availability_set": "",
        "pools": [],
        "in_flight": [],
        "fault": "",
    }
    assert (second["status"], second["code"], second["state"]) == (429, "RetryableErrorDueToAnotherOperation", "refused")
    assert second["begun_unix_s"] == second["ended_unix_s"] == 1_001.0
    assert (third["status"], third["state"], third["body"], third["in_flight"]) == (204, "done", "nonsense �", [1])
    assert third["availability_set"].endswith("/avset-dc")


def test_two_vms_of_one_availability_set_that_were_in_flight_together_are_named() -> None:
    azure = make_writer()
    azure.put(mirror(DC_1), ILB)
    azure.put(mirror(WEB), ILB)
    azure.pass_s(1.5)
    azure.put(mirror(DC_2), ILB)
    assert azure.get("/_control/writes")["overlaps"] == [], "one began when the other had ended"
    azure.pass_s(1)
    azure.call(mirror(DC_1), method="DELETE")
    overlaps = azure.get("/_control/writes")["overlaps"]
    assert [pair["writes"] for pair in overlaps] == [[3, 4]]
    assert overlaps[0]["availability_set"].endswith("/avset-dc")
    azure.play("writes/clear")
    assert [write["number"] for write in azure.writes()] == [3, 4], "what is in flight stays"
    azure.pass_s(5)
    azure.play("writes/clear")
    assert azure.writes() == []
    azure.put(mirror(WEB), ILB)
    assert [write["number"] for write in azure.writes()] == [5]


def test_the_pace_can_be_set() -> None:
    azure = make_writer()
    azure.play("pace", operation_ms=0, retry_after_s=9)
    put = azure.put(mirror(WEB), ILB)
    assert (put.status, put.headers["retry-after"]) == (201, "9")
    assert json.loads(put.body)["properties"]["provisioningState"] == "Updating"
    assert azure.status(put.headers["azure-asyncoperation"]) == {"status": "Succeeded"}
    assert azure.get("/_control/state")["pace"] == {"operation_ms": 0, "retry_after_s": 9}


def test_a_restart_in_the_middle_of_an_operation_changes_nothing(tmp_path: Path) -> None:
    def started(now_s: float) -> tuple[Writer, Journal]:
        journal = Journal(tmp_path, make_writer().server.estate)
        azure = make_writer(journal=journal)
        azure.clock.now_s = now_s
        return azure, journal

    azure, journal = started(1_000.0)
    azure.play("faults", kind="failed_operation", path_part="dc-01")
    good, bad = azure.put(mirror(WEB), PACKETLOG), azure.put(mirror(DC_1), PACKETLOG)
    gone = azure.call(mirror(f"{CRM}/networkInterfaces/web-02"), method="DELETE")
    made = azure.send("PUT", f"{HUB}/virtualNetworkTaps/tap-new", azure.get(PACKETLOG))
    azure.play("locks/set", scope="web-05", level="ReadOnly")
    azure.play("virtual-machines", vm="web-05", state="deallocated")
    azure.play("virtual-machines", vm="web-05", state="running")
    etag = azure.get(WEB)["etag"]
    urls = [answer.headers["azure-asyncoperation"] for answer in (good, bad, gone, made)]
    journal.close()

    azure, journal = started(1_001.0)
    assert azure.get(WEB)["etag"] == etag
    assert [azure.status(url)["status"] for url in urls] == ["InProgress"] * 4
    assert azure.error(mirror(WEB), method="DELETE") == (429, "RetryableErrorDueToAnotherOperation")
    azure.pass_s(1)
    assert [azure.status(url)["status"] for url in urls] == ["Succeeded", "Failed", "Succeeded", "Succeeded"]
    assert azure.put_error(mirror(f"{CRM}/networkInterfaces/web-05"), PACKETLOG) == (409, "ScopeLocked")
    state = azure.get("/_control/writes")
    journal.close()

    azure, journal = started(1_100.0)
    assert azure.get("/_control/writes") == state
    assert [write["state"] for write in state["value"]] == ["Succeeded", "Failed", "Succeeded", "Succeeded", "refused", "refused"]
    assert [azure.status(url)["status"] for url in urls] == ["Succeeded", "Failed", "Succeeded", "Succeeded"]
    assert ("web-03" in azure.sources(PACKETLOG), "web-02" in azure.sources(ILB)) == (True, False)
    assert list(azure.server.estate.started_at.values()) == [1_000.0]
    azure.play("writes/clear")
    journal.close()

    azure, journal = started(1_100.0)
    assert azure.writes() == []
    azure.play("reset")
    assert azure.error(urls[0]) == (404, "OperationNotFound")
    journal.close()
    azure, journal = started(1_100.0)
    assert (azure.get(WEB)["properties"]["tapConfigurations"], len(azure.get("/_control/state")["locks"])) == ([], 1)
    journal.close()


def test_writes_have_a_budget_of_their_own_and_the_network_service_another() -> None:
    azure = make_writer(budgets=Budgets(writes_burst=3, writes_per_s=2.0))
    nobody = mirror(f"{CRM}/networkInterfaces/nobody")
    assert azure.call(nobody, method="DELETE").headers["x-ms-ratelimit-remaining-subscription-deletes"] == "2"
    assert [azure.call(nobody, method="DELETE").status for _ in range(3)] == [204, 204, 429]
    refused = azure.call(nobody, method="DELETE")
    assert (refused.headers["retry-after"], json.loads(refused.body)["error"]["code"]) == ("1", "SubscriptionRequestsThrottled")
    assert azure.put(mirror(WEB), ILB).status == 201, "writes and deletes have a bucket each"
    assert azure.call(WEB).headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
    assert azure.call(nobody, method="DELETE", headers=TOKEN | {"Authorization": "Bearer other"}).status == 204
    assert azure.call(f"{HUB}/virtualNetworkTaps/none", method="DELETE").status == 204, "another subscription"
    azure.pass_s(1)
    assert [azure.call(nobody, method="DELETE").status for _ in range(3)] == [204, 204, 429]

    azure = make_writer(budgets=Budgets(network_writes=2))
    assert [azure.call(nobody, method="DELETE").status for _ in range(2)] + [azure.put(mirror(WEB), ILB).status] == [204, 204, 429]
    azure.pass_s(300)
    assert azure.put(mirror(WEB), ILB).status == 201


def test_ten_writers_at_once_leave_a_consistent_estate() -> None:
    """Ten threads mirror 200 NICs of estate M to two TAPs, each NIC tried by two of them; nothing is lost and no NIC has two."""
    estate = generated.build("M")
    server = Server(estate, budgets=UNLIMITED, operation_s=0.0)
    azure = Writer(server)
    free = [
        held.arm_id
        for held in estate.all_of(Kind.NETWORK_INTERFACES)
        if held.subscription_id == next(iter(estate.subscriptions))
        and (document := held.json()["properties"]).get("virtualMachine")
        and not document["tapConfigurations"]
        and len(document["ipConfigurations"]) == 1
        and "/hub-" not in document["ipConfigurations"][0]["properties"]["subnet"]["id"]
    ][:200]
    taps = [held.arm_id for held in estate.all_of(Kind.VIRTUAL_NETWORK_TAPS)]

    def write(number: int) -> tuple[str, Response]:
        nic = free[number % len(free)]
        near = [tap for tap in taps if tap.split("/")[4].lower() == f"rg-hub-{_group_of(nic):03}"]
        return nic, azure.put(f"{nic}/tapConfigurations/by-{number}", near[number % len(near)])

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(write, range(2 * len(free))))
    taken = [nic for nic, answer in answers if answer.status == 201]
    assert {answer.status for _, answer in answers} <= {201, 400, 429}
    assert len(taken) == len(set(taken))
    assert azure.get("/_control/state")["in_flight"] == 0
    from_nics = {}
    for nic in taken:
        (child,) = azure.get(nic)["properties"]["tapConfigurations"]
        assert child["properties"]["provisioningState"] == "Succeeded"
        from_nics[child["id"]] = child["properties"]["virtualNetworkTap"]["id"]
    from_taps = {source["id"]: tap for tap in taps for source in azure.get(tap)["properties"].get("networkInterfaceTapConfigurations", ())}
    assert from_nics.items() <= from_taps.items()
    assert len(from_nics) > 100, "broken peerings refuse some"
    assert len(azure.writes()) == 400


def _group_of(nic: str) -> int:
    """The number of the hub that a NIC's VNet is peered with, from its resource group rg-spoke-001-crm."""
    return int(nic.split("/")[4].split("-")[2])


def test_the_page_shows_writes_and_its_forms_play_on_them() -> None:
    azure = make_writer()
    form = {"Host": "127.0.0.1:8080", "Content-Type": "application/x-www-form-urlencoded"}
    for action, body in (
        ("faults", b"kind=failed_operation&every=1&percent=50&times=&path_part=&delay_ms=10000&code=&leaves_failed=false&limit=0"),
        ("pace", b"operation_ms=250&retry_after_s=1"),
        ("locks/set", b"scope=web-05&level=CanNotDelete&name="),
        ("roles", b"group=rg-iot&role=reader"),
        ("virtual-machines", b"vm=web-01&state=deallocated"),
        ("features", b"subscription=contoso-prod&state=Pending"),
    ):
        assert azure.call(f"/_control/{action}", method="POST", headers=form, body=body).status == 303
    azure.put(f"{WEB}/tapConfigurations/<i>", ILB)
    azure.put(mirror(WEB), ILB)
    page = azure.call("/").body.decode()
    assert "⬢ operation ends Failed with InternalServerError: 50 % of writes" in page
    assert "▲ CanNotDelete lock “lock” on web-05" in page
    assert "▲ Only reading in rg-iot" in page
    assert "&lt;i&gt;" in page
    assert "<i>" not in page
    assert 'data-test="writes"' in page
    assert "InvalidResourceName" in page
    assert azure.call("/_control/writes/clear", method="POST", headers=form).status == 303
    assert PROD in azure.get("/_control/state")["features"]
