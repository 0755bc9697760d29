"""Writes of TAPs and TAP configurations: what is answered, what the resources show meanwhile and afterwards, and what is refused.

nic-packetlog-01 <- tap-packetlog-uks, ilb-collector-uks <- tap-ilb-uks in hub-uks; spoke-crm (web-03 …) is peered with it.
"""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.simulator.caller import TOKEN, VERSION, Caller, make_caller
from tests.simulator.writer import CRM, HUB, ILB, PACKETLOG, make_writer, mirror
from vtapweb.simulator.contoso import FABRIKAM, PROD, SPOKES, nic_id

WEB, SQL = f"{CRM}/networkInterfaces/web-03", f"{CRM}/networkInterfaces/sql-02"
SENSOR = f"{HUB}/networkInterfaces/nic-packetlog-01/ipConfigurations/ipconfig1"
SPARE = f"{HUB}/virtualNetworkTaps/tap-spare"


def _tap(destination: str = SENSOR, **more: Any) -> dict[str, Any]:
    return {"location": "uksouth", "properties": {"destinationNetworkInterfaceIPConfiguration": {"id": destination}}, **more}


def test_a_nic_is_mirrored_as_azure_was_recorded_to_do_it() -> None:
    azure = make_writer()
    before = azure.get(WEB)["etag"]
    put = azure.put(mirror(WEB), PACKETLOG)
    assert put.status == 201
    answered = json.loads(put.body)
    assert answered["id"] == mirror(WEB)
    assert answered["type"] == "Microsoft.Network/networkInterfaces/tapConfigurations"
    assert answered["properties"] == {"provisioningState": "Updating", "virtualNetworkTap": {"id": PACKETLOG}}
    url = put.headers["azure-asyncoperation"]
    assert "location" not in put.headers
    assert url.startswith("http://127.0.0.1:8080/subscriptions/")
    assert 3_800 < len(url) < 4_500
    assert (put.headers["retry-after"], put.headers["x-ms-ratelimit-remaining-subscription-writes"]) != ("", "")

    meanwhile = azure.get(WEB)
    assert (meanwhile["properties"]["provisioningState"], meanwhile["etag"] != before) == ("Updating", True)
    assert azure.status(url) == {"status": "InProgress"}
    assert "web-03" not in azure.sources(PACKETLOG)
    azure.pass_s(1.5)
    assert azure.status(url) == {"status": "Succeeded"}
    (child,) = azure.get(WEB)["properties"]["tapConfigurations"]
    assert child["properties"]["provisioningState"] == "Succeeded"
    assert child["etag"] == azure.get(WEB)["etag"] == azure.call(child["id"]).headers["etag"] != meanwhile["etag"]
    assert "web-03" in azure.sources(PACKETLOG)


def test_a_mirror_is_taken_away() -> None:
    azure = make_writer()
    source = f"{CRM}/networkInterfaces/web-02"
    gone = azure.call(mirror(source), method="DELETE")
    assert (gone.status, gone.body) == (202, b"")
    (child,) = azure.get(source)["properties"]["tapConfigurations"]
    assert child["properties"]["provisioningState"] == "Deleting"
    assert azure.call(gone.headers["location"]).status == 202
    azure.pass_s(1.5)
    assert azure.status(gone.headers["azure-asyncoperation"]) == {"status": "Succeeded"}
    assert azure.call(gone.headers["location"]).status == 204
    assert azure.error(mirror(source)) == (404, "NotFound")
    assert "web-02" not in azure.sources(ILB)
    assert azure.call(mirror(source), method="DELETE").status == 204
    assert azure.call(mirror(f"{CRM}/networkInterfaces/nobody"), method="DELETE").status == 204


def test_the_same_put_again_is_taken_for_what_is_there() -> None:
    azure = make_writer()
    azure.done(azure.put(mirror(WEB), PACKETLOG))
    etag = azure.get(WEB)["etag"]
    again = azure.put(mirror(WEB), PACKETLOG.replace("/resourceGroups/rg-hub-uks", "/resourcegroups/RG-HUB-UKS"))
    assert (again.status, "azure-asyncoperation" in again.headers) == (200, False)
    assert azure.get(WEB)["etag"] == etag
    moved = azure.put(mirror(WEB), ILB)
    assert moved.status == 200
    azure.done(moved)
    assert ("web-03" in azure.sources(ILB), "web-03" in azure.sources(PACKETLOG)) == (True, False)


def test_a_nic_takes_one_write_at_a_time_and_others_do_not_wait_for_it() -> None:
    azure = make_writer()
    azure.put(mirror(WEB), PACKETLOG)
    busy = azure.put(mirror(WEB), PACKETLOG)
    assert (busy.status, json.loads(busy.body)["error"]["code"]) == (429, "RetryableErrorDueToAnotherOperation")
    assert int(busy.headers["retry-after"]) == 2
    assert azure.call(mirror(WEB), method="DELETE").status == 429
    assert azure.put(mirror(SQL), PACKETLOG).status == 201
    azure.pass_s(1.5)
    assert azure.put(mirror(WEB), PACKETLOG).status == 200


def test_a_tap_is_made_tagged_and_removed() -> None:
    azure = make_writer()
    made = azure.send("PUT", SPARE, _tap(tags={"owner": "田中 花子"}))
    assert made.status == 201
    document = json.loads(made.body)
    assert document["properties"] == {
        "provisioningState": "Updating",
        "destinationNetworkInterfaceIPConfiguration": {"id": SENSOR},
        "destinationPort": 4789,
    }
    assert azure.error(SPARE, method="DELETE") == (429, "RetryableErrorDueToAnotherOperation")
    assert azure.put(mirror(WEB), SPARE).status == 409
    azure.done(made)
    assert azure.get(SPARE)["properties"]["provisioningState"] == "Succeeded"
    assert azure.send("PUT", SPARE, _tap(tags={"owner": "田中 花子"})).status == 200

    patched = azure.send("PATCH", SPARE, {"tags": {"team": "soc"}})
    assert (patched.status, json.loads(patched.body)["tags"]) == (200, {"team": "soc"})
    assert azure.get(SPARE)["tags"] == {"team": "soc"}
    assert "tags" not in json.loads(azure.send("PATCH", SPARE, {"tags": {}}).body)
    assert azure.error(SPARE, method="PATCH", body=b'{"properties": {}}') == (400, "InvalidRequestContent")

    azure.done(azure.put(mirror(WEB), SPARE))
    assert azure.error(SPARE, method="DELETE") == (400, "TapInUse")
    azure.done(azure.call(mirror(WEB), method="DELETE"))
    gone = azure.call(SPARE, method="DELETE")
    assert (gone.status, azure.get(SPARE)["properties"]["provisioningState"]) == (202, "Deleting")
    azure.done(gone)
    assert azure.call(SPARE).status == 404
    assert azure.call(SPARE, method="DELETE").status == 204
    assert azure.error(SPARE, method="PATCH", body=b'{"tags": {}}') == (404, "ResourceNotFound")


def test_a_write_may_depend_on_an_etag() -> None:
    azure = make_writer()
    azure.done(azure.put(mirror(WEB), PACKETLOG))
    etag = azure.get(mirror(WEB))["etag"]
    for headers in ({"If-None-Match": "*"}, {"If-Match": 'W/"old"'}, {"If-None-Match": etag}):
        assert azure.put(mirror(WEB), ILB, headers=headers).status == 412
    assert azure.call(mirror(WEB), method="DELETE", headers=TOKEN | {"If-Match": 'W/"old"'}).status == 412
    assert azure.put(mirror(SQL), ILB, headers={"If-Match": "*"}).status == 412
    assert azure.put(mirror(SQL), ILB, headers={"If-None-Match": "*"}).status == 201
    assert azure.put(mirror(WEB), ILB, headers={"If-Match": etag}).status == 200


@pytest.mark.parametrize(
    ("nic", "code"),
    [
        (nic_id("rg-crm", "dmz-01-two-hops"), "TapDestinationNotReachable"),
        (nic_id("rg-trial", "try-01-peering-initiated"), "TapDestinationNotReachable"),
        (nic_id("rg-iot", "mq-02"), "TapDestinationNotReachable"),
        (nic_id("rg-gwc", "gwc-01-other-region"), "InvalidResourceReference"),
        (nic_id("rg-vault", "key-01-encrypted-vnet"), "TapSourceVnetEncrypted"),
        (nic_id("rg-crm", "web-07-ipv6"), "TapIpv6NotSupported"),
        (nic_id("rg-crm", "web-08-basic-lb"), "TapSourceBehindBasicLoadBalancer"),
        (nic_id("rg-crm", "sql-04-floating-ip"), "TapSourceBehindFloatingIp"),
        (nic_id("rg-crm", "pe-crm-files.private-endpoint"), "TapSourceNotSupported"),
        (nic_id("rg-payments", "pls-cards.private-link"), "TapSourceNotSupported"),
    ],
)
def test_a_rule_that_refuses_is_named_and_nothing_has_changed(nic: str, code: str) -> None:
    azure = make_writer()
    before = azure.get(nic)
    refused = azure.put(mirror(nic), ILB)
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["code"]) == (400, code)
    assert error["message"].endswith("(simulator)") or code == "InvalidResourceReference"
    assert azure.get(nic) == before


def test_what_azure_takes_although_a_product_should_not_send_it() -> None:
    azure = make_writer()
    for nic in (nic_id("rg-crm", "sql-spare-unattached"), nic_id("rg-data", "spk-05-v6-size"), f"{HUB}/networkInterfaces/nic-packetlog-01"):
        assert azure.put(mirror(nic), PACKETLOG).status == 201


def test_a_nic_carries_one_configuration_and_its_tap_must_lead_somewhere() -> None:
    azure = make_writer()
    mirrored = nic_id("rg-payments", "api-05-already-mirrored")
    assert azure.put_error(f"{mirrored}/tapConfigurations/second", ILB) == (400, "TapConfigurationLimitReached")
    assert azure.put_error(mirror(WEB), f"{HUB}/virtualNetworkTaps/tap-destination-gone") == (400, "InvalidResourceReference")
    assert azure.put_error(mirror(WEB), f"{HUB}/virtualNetworkTaps/none") == (400, "InvalidResourceReference")
    assert azure.put_error(mirror(WEB), WEB) == (400, "InvalidResourceReference")


def test_who_may_write_where() -> None:
    azure = make_writer()
    read_only = nic_id("rg-reports", "rep-01-read-only-for-us")
    refused = azure.put(mirror(read_only), ILB)
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["code"]) == (403, "AuthorizationFailed")
    assert "Microsoft.Network/networkInterfaces/tapConfigurations/write" in error["message"]
    assert azure.error(mirror(read_only), method="DELETE") == (403, "AuthorizationFailed")
    assert azure.put_error(mirror(nic_id("rg-lab", "fab-01-other-tenant", FABRIKAM)), ILB) == (403, "LinkedAuthorizationFailed")
    azure.play("access", subscription="contoso-prod", access="deny")
    joined = azure.put(mirror(WEB), ILB)
    assert (joined.status, json.loads(joined.body)["error"]["code"]) == (403, "LinkedAuthorizationFailed")
    assert "virtualNetworkTaps/join/action" in json.loads(joined.body)["error"]["message"]
    assert azure.send("PUT", SPARE, _tap()).status == 403
    azure.play("access", subscription="contoso-prod", access="allow")
    shared = azure.get(f"{HUB}/virtualNetworkTaps/tap-corp-audit")["properties"]
    assert azure.send("PUT", SPARE, _tap(shared["destinationNetworkInterfaceIPConfiguration"]["id"])).status == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"location": "uksouth", "properties": {}}, "TapDestinationCount"),
        ({"properties": {"destinationNetworkInterfaceIPConfiguration": {"id": SENSOR}}}, "LocationRequired"),
        (_tap() | {"location": "germanywestcentral"}, "InvalidResourceReference"),
        (_tap(f"{HUB}/networkInterfaces/none/ipConfigurations/ipconfig1"), "InvalidResourceReference"),
        (_tap(f"{HUB}/networkInterfaces/nic-packetlog-01/ipConfigurations/none"), "InvalidResourceReference"),
        (_tap(f"{CRM}/networkInterfaces/web-07-ipv6/ipConfigurations/ipconfig-v6"), "TapIpv6NotSupported"),
        (_tap("nothing"), "InvalidRequestContent"),
        (_tap(tags=[1]), "InvalidRequestContent"),
        (_tap(tags={"a": 1}), "InvalidRequestContent"),
        (_tap(tags={f"t{number}": "" for number in range(51)}), "InvalidRequestContent"),
        ({"location": "uksouth", "properties": {**_tap()["properties"], "destinationPort": 53}}, "TapDestinationPort"),
        ({"location": "uksouth", "properties": {**_tap()["properties"], "destinationPort": "x"}}, "InvalidRequestContent"),
    ],
)
def test_a_tap_that_is_none_is_refused(body: dict[str, Any], code: str) -> None:
    azure = make_writer()
    refused = azure.send("PUT", SPARE, body)
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (400, code)
    assert azure.call(SPARE).status == 404


def test_a_tap_has_one_destination_for_its_life_with_sources() -> None:
    azure = make_writer()
    frontend = f"{HUB}/loadBalancers/ilb-collector-uks/frontendIPConfigurations/frontend"
    both = _tap()["properties"] | {"destinationLoadBalancerFrontEndIPConfiguration": {"id": frontend}}
    assert azure.send_error("PUT", SPARE, {"location": "uksouth", "properties": both}) == (400, "TapDestinationCount")
    azure.done(azure.send("PUT", SPARE, {"location": "UK South", "properties": {"destinationLoadBalancerFrontEndIPConfiguration": {"id": frontend}}}))
    azure.done(azure.send("PUT", SPARE, _tap()))
    assert azure.send_error(
        "PUT", PACKETLOG, {"location": "uksouth", "properties": {"destinationLoadBalancerFrontEndIPConfiguration": {"id": frontend}}}
    )
    assert azure.send_error("PUT", SPARE, _tap() | {"location": "eastus"}) == (409, "InvalidResourceLocation")


def test_other_things_are_not_written() -> None:
    azure = make_writer()
    for method, path in (
        ("PUT", WEB),
        ("DELETE", WEB),
        ("PATCH", mirror(WEB)),
        ("PUT", f"{HUB}/virtualNetworks/hub-uks"),
        ("DELETE", "/subscriptions"),
    ):
        assert azure.error(path, method=method, body=b"{}") == (405, "MethodNotAllowed")
    assert azure.error(f"{HUB}/virtualNetworkTaps/x".replace("rg-hub-uks", "rg-none"), method="DELETE") == (404, "ResourceGroupNotFound")
    assert azure.error(mirror(f"{CRM}/networkInterfaces/none"), method="PUT", body=b"{}") == (404, "ResourceNotFound")
    assert azure.error(f"{mirror(WEB)}?x=1", method="PUT", body=b"{}") == (400, "MissingApiVersionParameter")
    assert azure.call(mirror(WEB), method="PUT", headers={}, body=b"{}").status == 401
    assert azure.error(f"{HUB}/virtualNetworkTaps/-x", method="PUT", body=json.dumps(_tap()).encode()) == (400, "InvalidResourceName")
    assert azure.error(f"{CRM}/networkInterfaces/web-03/tapConfigurations/a%2Fb", method="PUT", body=b"[") == (400, "InvalidRequestContent")


def test_an_operation_is_found_under_its_signed_address_only() -> None:
    azure = make_writer()
    url = azure.put(mirror(WEB), PACKETLOG).headers["azure-asyncoperation"]
    unsigned = url.partition("&t=")[0]
    assert azure.error(unsigned) == (403, "InvalidOperationSignature")
    assert azure.error(url.replace(PROD, SPOKES).replace(SPOKES, PROD)) == (404, "OperationNotFound")
    assert azure.error(f"/subscriptions/{SPOKES}/providers/Microsoft.Network/locations/uksouth/operations/none?{VERSION}") == (
        404,
        "OperationNotFound",
    )
    headers = TOKEN | {"Host": "arm.example:8443"}
    again = azure.call(mirror(SQL), method="PUT", headers=headers, body=json.dumps({"properties": {"virtualNetworkTap": {"id": ILB}}}).encode())
    assert again.headers["azure-asyncoperation"].startswith("http://arm.example:8443/subscriptions/")
    shouted = azure.put(f"{CRM}/networkInterfaces/sql-03/tapConfigurations/mirror?api-version=a%0d%0aset-cookie:%20b%E2%82%AC", ILB)
    assert shouted.headers["azure-asyncoperation"].isascii()
    assert "\n" not in shouted.headers["azure-asyncoperation"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | st.sampled_from([ILB, SENSOR, "uksouth"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["properties", "location", "tags", "id", "virtualNetworkTap", "destinationNetworkInterfaceIPConfiguration", "destinationPort"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ANY = make_caller()


@given(
    body=JSON, name=st.text(max_size=10), headers=st.dictionaries(st.sampled_from(["If-Match", "If-None-Match", "Content-Type"]), st.text(max_size=8))
)
@example(body=[[[[[]]]]], name="x", headers={})
@example(body={"location": "uksouth", "properties": {"destinationNetworkInterfaceIPConfiguration": {"id": "/subscriptions/"}}}, name="x", headers={})
@example(body={"location": "uksouth", "properties": {"destinationNetworkInterfaceIPConfiguration": {"id": SENSOR + "/"}}}, name="ß", headers={})
def test_whatever_is_written_is_answered_without_a_server_error(body: Any, name: str, headers: dict[str, str]) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        for path in (f"{WEB}/tapConfigurations/{name}", f"{HUB}/virtualNetworkTaps/{name}", f"{WEB}/{name}", f"/{name}"):
            for octets in (json.dumps(body).encode(), json.dumps(body).encode()[:-1], name.encode("utf-8", "surrogatepass")):
                _in_range(ANY, method, path, octets, headers)


def _in_range(azure: Caller, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
    response = azure.call(path, method=method, body=body, headers=TOKEN | headers)
    assert response.status in {200, 201, 202, 204, 400, 403, 404, 405, 409, 412, 429}
    azure.clock.now_s += 2
