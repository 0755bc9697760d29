"""Azure Monitor's batch: a day's curve that is the same for everybody, resources without data, and what the batch refuses."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.simulator.caller import Caller, make_caller
from vtapweb.simulator.contoso import PROD, SHARED, SPOKES, nic_id
from vtapweb.simulator.documents import Kind

START = 1_780_272_000  # 2026-06-01T00:00:00Z, a Monday
QUERY = (
    "api-version=2023-10-01&metricnamespace=Microsoft.Network/networkInterfaces&metricnames=BytesReceivedRate,BytesSentRate"
    "&starttime=2026-06-01T00:00:00Z&endtime=2026-06-02T00:00:00Z&aggregation=total"
)
ANY = make_caller()


def _azure(now_s: float = START + 86_400 + 600) -> Caller:
    azure = make_caller()
    azure.clock.now_s = now_s
    return azure


def _batch(azure: Caller, ids: list[str], query: str = QUERY, subscription_id: str = SPOKES) -> list[Any]:
    answer = azure.call(f"/subscriptions/{subscription_id}/metrics:getBatch?{query}", method="POST", body=json.dumps({"resourceids": ids}).encode())
    assert answer.status == 200, answer.body
    return list(json.loads(answer.body)["values"])


def _totals(value: Any) -> list[int | None]:
    return [point.get("total") for series in value["timeseries"] for point in series["data"]]


def test_a_day_of_a_nic_has_a_curve_and_adds_up_at_every_grain() -> None:
    azure = _azure()
    (ingest,) = _batch(azure, [nic_id("rg-data", "ing-02")], f"{QUERY}&interval=PT1M")
    assert (ingest["resourceid"], ingest["resourceregion"], ingest["interval"]) == (nic_id("rg-data", "ing-02"), "uksouth", "PT1M")
    received, sent = ingest["value"]
    assert (received["name"]["value"], received["unit"], received["errorCode"]) == ("BytesReceivedRate", "Bytes", "Success")
    minutes = _totals(received)
    assert len(minutes) == 1_440
    assert received["timeseries"][0]["data"][61]["timeStamp"] == "2026-06-01T01:01:00Z"
    whole = [minute for minute in minutes if minute is not None]
    assert len(whole) == 1_440
    assert min(whole) > 0
    assert sum(whole[780:840]) > 2 * sum(whole[60:120]), "more by day than by night"
    assert sum(whole) > sum(total or 0 for total in _totals(sent))
    (hourly,) = _batch(azure, [nic_id("rg-data", "ing-02")], f"{QUERY}&interval=PT1H")
    hours = _totals(hourly["value"][0])
    assert len(hours) == 24
    assert all(abs((hour or 0) - sum(whole[at * 60 : at * 60 + 60])) <= 60 for at, hour in enumerate(hours))
    assert _batch(_azure(), [nic_id("rg-data", "ing-02")], f"{QUERY}&interval=PT1M") == [ingest]


def test_some_have_no_data_and_nobody_knows_the_last_minutes() -> None:
    azure = _azure()
    (spare,) = _batch(azure, [nic_id("rg-crm", "sql-spare-unattached")])
    assert [metric["timeseries"] for metric in spare["value"]] == [[], []]
    (stopped,) = _batch(azure, [nic_id("rg-data", "ing-05")])
    assert set(_totals(stopped["value"][0])) <= {None}
    nics = [held.arm_id for held in azure.server.estate.listing(SPOKES, Kind.NETWORK_INTERFACES).documents if "uksouth" in held.body.decode()]
    known = _batch(azure, nics[:40])
    silent = [one for one in known if not any(_totals(one["value"][0]))]
    assert 2 < len(silent) < 20
    (late,) = _batch(_azure(START + 3_600), [nic_id("rg-data", "ing-02")], f"{QUERY}&interval=PT1M")
    assert [at for at, total in enumerate(_totals(late["value"][0])) if total is not None][-1] == 56
    assert _batch(azure, [nic_id("rg-data", "nobody")]) == []


def test_machines_and_load_balancers_are_measured_too() -> None:
    azure = _azure()
    machine = nic_id("rg-data", "ing-02").replace("Microsoft.Network/networkInterfaces", "Microsoft.Compute/virtualMachines")
    times = "starttime=2026-06-01T00:00:00Z&endtime=2026-06-01T01:00:00Z"
    query = f"api-version=1&metricnamespace=microsoft.compute/virtualmachines&metricnames=network in total&{times}"
    assert len([total for total in _totals(_batch(azure, [machine], query)[0]["value"][0]) if total]) == 60
    balancer = f"/subscriptions/{PROD}/resourceGroups/rg-hub-uks/providers/Microsoft.Network/loadBalancers/ilb-collector-uks"
    query = f"api-version=1&metricnamespace=Microsoft.Network/loadBalancers&metricnames=ByteCount,PacketCount&{times}"
    octets, packets = _batch(azure, [balancer], query, PROD)[0]["value"]
    assert sum(total or 0 for total in _totals(octets)) > 100 * sum(total or 0 for total in _totals(packets)) > 0
    (by_frontend, _) = _batch(azure, [balancer], f"{query}&filter=FrontendIPAddress eq '*'", PROD)[0]["value"]
    assert [one["metadatavalues"][0]["name"]["value"] for one in by_frontend["timeseries"]] == ["frontendipaddress"] * len(by_frontend["timeseries"])
    parts = [[bucket.get("total") or 0 for bucket in one["data"]] for one in by_frontend["timeseries"]]
    assert [sum(values) for values in zip(*parts, strict=True)] == [total or 0 for total in _totals(octets)]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (QUERY.replace("networkInterfaces", "publicIPAddresses"), [nic_id("rg-data", "ing-02")]),
        (QUERY.replace("BytesSentRate", "Nonsense"), [nic_id("rg-data", "ing-02")]),
        (QUERY.replace("aggregation=total", "aggregation=average"), [nic_id("rg-data", "ing-02")]),
        (f"{QUERY}&filter=FrontendIPAddress eq '*'", [nic_id("rg-data", "ing-02")]),
        (f"{QUERY}&interval=PT2M", [nic_id("rg-data", "ing-02")]),
        (QUERY.replace("2026-06-01T", "2026-06-03T"), [nic_id("rg-data", "ing-02")]),
        (QUERY.replace("2026-06-01T", "yesterday"), [nic_id("rg-data", "ing-02")]),
        (QUERY.replace("2026-06-01T", "2026-66-01T"), [nic_id("rg-data", "ing-02")]),
        (QUERY, []),
        (QUERY, [nic_id("rg-data", "ing-02")] * 51),
        (QUERY, ["ing-02"]),
        (QUERY, [nic_id("rg-data", "ing-02", PROD)]),
        (QUERY, [nic_id("rg-data", "ing-02").replace("networkInterfaces", "loadBalancers")]),
        (QUERY, [nic_id("rg-data", "ing-02"), nic_id("rg-gwc", "gwc-01-other-region")]),
    ],
)
def test_what_is_no_batch_is_refused(query: str, ids: list[str]) -> None:
    body = json.dumps({"resourceids": ids}).encode()
    assert _azure().error(f"/subscriptions/{SPOKES}/metrics:getBatch?{query}", method="POST", body=body) == (400, "BadRequest")


def test_a_subscription_that_is_denied_tells_no_metrics() -> None:
    assert _azure().error(f"/subscriptions/{SHARED}/metrics:getBatch?{QUERY}", method="POST", body=b"{}") == (403, "AuthorizationFailed")


@given(query=st.text(max_size=40), body=st.binary(max_size=60))
@example(
    query="starttime=0001-01-01T00:00:00Z&endtime=0001-01-02T00:00:00Z&metricnamespace=microsoft.network/loadbalancers&metricnames=bytecount",
    body=b"{}",
)
@example(query="starttime=9999-12-31T00:00:00Z", body=b'{"resourceids": [null]}')
def test_whatever_is_asked_of_metrics_is_answered(query: str, body: bytes) -> None:
    for full in (query, f"{QUERY}&{query}"):
        assert ANY.call(f"/subscriptions/{SPOKES}/metrics:getBatch?{full}", method="POST", body=body).status in {200, 400, 404, 405}
