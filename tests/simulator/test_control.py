"""The control: each change shows in ARM's reads, nobody from elsewhere may play, and the state outlives the process."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.caller import TOKEN, VERSION, Caller, make_caller
from vtapweb.simulator import contoso
from vtapweb.simulator.contoso import PROD, SHARED, SPOKES, nic_id
from vtapweb.simulator.journal import Journal, JournalError
from vtapweb.simulator.server import Request, Server
from vtapweb.simulator.throttle import UNLIMITED

NETWORK = f"/subscriptions/{SPOKES}/providers/Microsoft.Network"
HUB = f"/subscriptions/{PROD}/resourceGroups/rg-hub-uks/providers/Microsoft.Network"


def _play(azure: Caller, action: str, **fields: Any) -> str:
    response = azure.call(f"/_control/{action}", method="POST", body=json.dumps(fields).encode())
    assert response.status == 200, response.body
    return str(json.loads(response.body)["said"])


def _refused(azure: Caller, action: str, **fields: Any) -> str:
    response = azure.call(f"/_control/{action}", method="POST", body=json.dumps(fields).encode())
    assert response.status == 400, response.body
    return str(json.loads(response.body)["error"]["message"])


def _names(azure: Caller, kind: str = "networkInterfaces") -> list[str]:
    return [item["name"] for item in azure.network(SPOKES, kind)]


def test_a_peering_breaks_and_mends_on_one_side() -> None:
    azure = make_caller()
    side, other = f"{HUB}/virtualNetworks/hub-uks/virtualNetworkPeerings/to-spoke-crm", "spoke-crm/virtualNetworkPeerings/to-hub-uks"
    before = azure.get(side)["etag"]
    _play(azure, "peerings", peering="hub-uks/spoke-crm", state="Disconnected")
    broken = azure.get(side)
    assert (broken["properties"]["peeringState"], broken["properties"]["peeringSyncLevel"]) == ("Disconnected", "RemoteNotInSync")
    assert broken["etag"] != before
    remote = azure.get(f"/subscriptions/{SPOKES}/resourceGroups/rg-crm/providers/Microsoft.Network/virtualNetworks/{other}")
    assert remote["properties"]["peeringState"] == "Connected"
    _play(azure, "peerings", peering=side, state="Connected")
    assert azure.get(side)["properties"]["peeringState"] == "Connected"
    assert "no peering" in _refused(azure, "peerings", peering="hub-uks/nowhere", state="Connected")
    assert "not “Broken”" in _refused(azure, "peerings", peering="hub-uks/spoke-crm", state="Broken")


def test_a_subscription_or_one_kind_in_it_is_denied_and_allowed() -> None:
    azure = make_caller()
    _play(azure, "access", subscription="contoso-spokes", kind="networkInterfaces", access="deny")
    assert azure.error(f"{NETWORK}/networkInterfaces") == (403, "AuthorizationFailed")
    assert azure.call(f"{NETWORK}/virtualNetworks").status == 200
    _play(azure, "access", subscription="contoso-spokes", access="deny")
    assert azure.error(f"{NETWORK}/virtualNetworks") == (403, "AuthorizationFailed")
    _play(azure, "access", subscription=SPOKES, access="allow")
    assert azure.call(f"{NETWORK}/networkInterfaces").status == 200
    _play(azure, "access", subscription="corp-shared", access="allow")
    assert [nic["name"] for nic in azure.network(SHARED, "networkInterfaces")] == ["files-01", "nic-audit-sensor"]


def test_the_status_list_can_be_refused_alone() -> None:
    azure = make_caller()
    machines = f"/subscriptions/{SPOKES}/providers/Microsoft.Compute/virtualMachines?{VERSION}"
    _play(azure, "access", subscription=SPOKES, kind="virtualMachineStatuses", access="deny")
    assert azure.error(f"{machines}&statusOnly=true") == (403, "AuthorizationFailed")
    assert azure.call(machines).status == 200


def test_an_optional_api_can_be_missing() -> None:
    azure = make_caller()
    path = f"/subscriptions/{SPOKES}/providers/Microsoft.Compute/availabilitySets"
    _play(azure, "apis", name="availabilitySets", is_available=False)
    assert azure.error(path) == (404, "InvalidResourceType")
    _play(azure, "apis", name="availabilitySets", is_available=True)
    assert azure.call(path).status == 200


def test_nics_are_added_with_their_machines_and_removed_with_all_that_named_them() -> None:
    azure = make_caller()
    before = _names(azure)
    _play(azure, "nics/add", subnet="spoke-crm/snet-web", count=3)
    assert _names(azure) == [*before, "web-07", "web-08", "web-09"]
    added = [nic for nic in azure.network(SPOKES, "networkInterfaces") if nic["name"] not in before]
    addresses = [nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] for nic in azure.network(SPOKES, "networkInterfaces")]
    assert len(addresses) == len(set(addresses))
    assert all(azure.get(nic["properties"]["virtualMachine"]["id"])["name"] == nic["name"] for nic in added)
    _play(azure, "nics/add", subnet="spoke-crm/snet-db", count=1, stem="spare", is_attached=False)
    assert "virtualMachine" not in azure.get(nic_id("rg-crm", "spare-01"))["properties"]
    _play(azure, "nics/remove", subnet="spoke-crm/snet-web", count=3)
    _play(azure, "nics/remove", nic="spare-01")
    assert _names(azure) == before
    assert azure.call(added[0]["properties"]["virtualMachine"]["id"]).status == 404

    _play(azure, "nics/remove", nic="web-02")
    sources = azure.get(f"{HUB}/virtualNetworkTaps/tap-ilb-uks")["properties"]["networkInterfaceTapConfigurations"]
    assert len(sources) == 7
    assert not [source for source in sources if "/web-02/" in source["id"]]
    _play(azure, "nics/remove", nic="nic-collector-02")
    pool = azure.get(f"{HUB}/loadBalancers/ilb-collector-uks/backendAddressPools/pool")
    assert [member["id"].split("/")[8] for member in pool["properties"]["backendIPConfigurations"]] == ["nic-collector-01"]
    assert "room for" in _refused(azure, "nics/add", subnet="hub-uks/GatewaySubnet", count=40)
    assert "No networkInterfaces" in _refused(azure, "nics/remove", nic="nobody")


def test_a_mirror_comes_and_goes_behind_the_products_back() -> None:
    azure = make_caller()
    _play(azure, "tap-configurations/create", nic="web-03", tap="tap-corp-audit", name="elsewhere")
    (child,) = azure.items(f"{nic_id('rg-crm', 'web-03')}/tapConfigurations")
    tap = azure.get(f"{HUB}/virtualNetworkTaps/tap-corp-audit")
    assert (child["name"], child["properties"]["virtualNetworkTap"]["id"]) == ("elsewhere", tap["id"])
    assert tap["properties"]["networkInterfaceTapConfigurations"] == [{"id": child["id"]}]
    assert child["etag"] == azure.get(nic_id("rg-crm", "web-03"))["etag"]
    assert "allows one" in _refused(azure, "tap-configurations/create", nic="web-03", tap="tap-ilb-uks")
    _play(azure, "tap-configurations/delete", nic="web-03")
    assert azure.items(f"{nic_id('rg-crm', 'web-03')}/tapConfigurations") == []
    assert "networkInterfaceTapConfigurations" not in azure.get(f"{HUB}/virtualNetworkTaps/tap-corp-audit")["properties"]


def test_machines_stop_and_tags_change() -> None:
    azure = make_caller()
    _play(azure, "virtual-machines", vm="web-01", state="deallocated")
    machine = f"/subscriptions/{SPOKES}/resourceGroups/rg-crm/providers/Microsoft.Compute/virtualMachines/web-01"
    assert azure.get(machine) == make_caller().get(machine)
    assert azure.get(f"{machine}/instanceView")["statuses"][1]["code"] == "PowerState/deallocated"
    web = nic_id("rg-crm", "web-01")
    assert _play(azure, "tags/rename", old="owner", new="Owner", resource=web).startswith("1 ")
    assert {"Owner", "team"} <= set(azure.get(web)["tags"])
    _play(azure, "tags/rename", old="team", new="")
    assert "team" not in azure.get(web)["tags"]
    _play(azure, "tags/set", resource=web, name="note", value="näher ansehen 👀")
    assert azure.get(web)["tags"]["note"] == "näher ansehen 👀"


def test_reset_brings_the_first_state_back() -> None:
    azure = make_caller()
    before = azure.call(f"{NETWORK}/networkInterfaces?{VERSION}").body
    _play(azure, "nics/remove", nic="web-01")
    _play(azure, "access", subscription="contoso-prod", access="deny")
    _play(azure, "faults", kind="throttle")
    _play(azure, "reset")
    assert azure.call(f"{NETWORK}/networkInterfaces?{VERSION}").body == before
    assert azure.call(f"/subscriptions/{PROD}/resourceGroups").status == 200


def test_state_survives_a_restart_and_faults_do_not(tmp_path: Path) -> None:
    def start() -> tuple[Caller, Journal]:
        estate = contoso.build()
        journal = Journal(tmp_path, estate)
        journal.load(estate)
        return Caller(Server(estate, budgets=UNLIMITED, journal=journal)), journal

    paths = [f"{NETWORK}/{kind}?{VERSION}" for kind in ("networkInterfaces", "virtualNetworks", "virtualNetworkTaps")]
    azure, journal = start()
    _play(azure, "nics/add", subnet="spoke-crm/snet-web", count=2)
    _play(azure, "nics/remove", nic="ing-01")
    _play(azure, "virtual-machines", vm="web-01", state="deallocated")
    _play(azure, "access", subscription="corp-shared", access="allow")
    _play(azure, "apis", name="features", is_available=False)
    _play(azure, "faults", kind="throttle", every=2)
    statuses = f"/subscriptions/{SPOKES}/providers/Microsoft.Compute/virtualMachines?{VERSION}&statusOnly=true"
    _play(azure, "faults/clear")
    bodies = [azure.call(path).body for path in [*paths, statuses]]
    _play(azure, "faults", kind="throttle")
    journal.close()

    azure, journal = start()
    assert [azure.call(path).body for path in [*paths, statuses]] == bodies
    state = azure.get("/_control/state")
    assert (state["denied"], state["lacking"], state["faults"]) == ([], ["features"], [])
    _play(azure, "nics/add", subnet="spoke-crm/snet-web", count=1)
    _play(azure, "reset")
    journal.close()

    azure, journal = start()
    assert azure.call(paths[0]).body == make_caller().call(paths[0]).body
    journal.close()


def test_a_state_directory_belongs_to_one_size_and_one_process(tmp_path: Path) -> None:
    estate = contoso.build()
    journal = Journal(tmp_path, estate)
    with pytest.raises(JournalError, match="in use"):
        Journal(tmp_path, estate)
    journal.close()
    estate.size = "M"
    with pytest.raises(JournalError, match="estate S, not M"):
        Journal(tmp_path, estate)


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("10.0.0.9", {"Host": "127.0.0.1:8080"}),
        ("127.0.0.1", {"Host": "rebound.example:8080"}),
        ("127.0.0.1", {"Host": "127.0.0.1.example"}),
        ("127.0.0.1", {"Host": ""}),
        ("127.0.0.1", {"Host": "127.0.0.1:8080", "Origin": "http://elsewhere.example"}),
        ("127.0.0.1", {"Host": "127.0.0.1:8080", "Origin": "null"}),
        ("127.0.0.1", {"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:9999"}),
        ("127.0.0.1", {"Host": "127.0.0.1:8080", "Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_nobody_from_elsewhere_may_play(peer: str, headers: dict[str, str]) -> None:
    azure = make_caller()
    assert azure.server.handle(Request("POST", "/_control/reset", headers, b"{}", peer=peer)).status == 403
    own = {"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}
    assert azure.server.handle(Request("POST", "/_control/reset", own, b"{}", peer="127.0.0.1")).status == 200


def test_the_page_shows_what_is_wrong_and_its_forms_work() -> None:
    azure = make_caller()
    form = {"Host": "127.0.0.1:8080", "Content-Type": "application/x-www-form-urlencoded"}
    played = azure.call("/_control/faults", method="POST", headers=form, body=b"kind=throttle&every=3&for_s=&times=&path_part=")
    assert (played.status, played.headers["location"]) == (303, "/")
    azure.call("/subscriptions", headers=TOKEN | {"x-ms-client-request-id": "<b>shout</b>"})
    page = azure.server.handle(Request("GET", "/", {"Host": "localhost"}))
    text = page.body.decode()
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert "DEMO" in text
    assert "⬢ 429 with Retry-After 1 s: every request no. 3" in text
    assert "▲ hub-uks/to-spoke-iot is Disconnected" in text
    assert "&lt;b&gt;shout&lt;/b&gt;" in text
    assert '<input type="hidden" name="peering" value="hub-uks/to-spoke-iot">' in text
    assert "<script" not in text
    assert "style=" not in text
    failed = azure.call("/_control/nics/remove", method="POST", headers=form, body=b"nic=nobody")
    assert failed.status == 303
    assert "Not done: No networkInterfaces called “nobody”" in azure.server.handle(Request("GET", "/")).body.decode()


def test_the_log_keeps_what_was_asked_and_not_the_control() -> None:
    azure = make_caller()
    azure.call("/subscriptions", headers=TOKEN | {"x-ms-client-request-id": "one"})
    azure.error(f"/subscriptions/{SHARED}/resourceGroups")
    log = azure.get("/_control/log")["value"]
    assert [(entry["method"], entry["status"], entry["client_request_id"]) for entry in log] == [("GET", 200, "one"), ("GET", 403, "")]
    for _ in range(1_100):
        azure.call("/subscriptions")
    assert len(azure.get("/_control/log")["value"]) == 1_000


def test_the_control_refuses_what_it_does_not_know() -> None:
    azure = make_caller()
    assert azure.error("/_control/nothing", method="POST")[0] == 404
    assert azure.error("/_control/nothing")[0] == 404
    assert azure.error("/_control/reset", method="DELETE")[0] == 405
    assert azure.error("/_control/reset", method="POST", body=b"[1]")[0] == 400
