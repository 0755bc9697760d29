"""The traffic model: one account from which sources, members, load balancer and Azure Monitor all tell the same.

web-02, web-05, sql-01, ing-01..03, spk-01 --mirrors--> ilb-collector-uks --+-- nic-collector-01
                                mq-01 --x (peering)                         +-- nic-collector-02
web-01, api-01, api-02, api-05, hsm-01 --mirrors--> nic-packetlog-01        edg-02 --x (peering)
ing-04, spk-03 --mirrors--> nic-ndr-01, which takes no agent
"""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.caller import Caller, make_caller
from vtapweb.simulator import changes
from vtapweb.simulator.contoso import PROD, SPOKES, nic_id
from vtapweb.simulator.curve import LEAST_FRAME, MOST_FRAME, curve_of, shares_of, split
from vtapweb.simulator.estate import fold
from vtapweb.simulator.flows import ENVELOPE

NOON = 1_780_272_000 + 12 * 3_600  # a Monday's
MINUTE = NOON // 60
BALANCER = f"/subscriptions/{PROD}/resourceGroups/rg-hub-uks/providers/Microsoft.Network/loadBalancers/ilb-collector-uks"
PACKETLOG = nic_id("rg-hub-uks", "nic-packetlog-01", PROD)
MEMBERS = [nic_id("rg-hub-uks", f"nic-collector-0{number}", PROD) for number in (1, 2)]


def _azure(now_s: int = NOON) -> Caller:
    azure = make_caller()
    azure.clock.now_s = now_s
    azure.server.flows.refresh(now_s)
    return azure


def _flowing(azure: Caller, now_s: int) -> set[str]:
    azure.server.settle(now_s)
    azure.server.flows.refresh(now_s)
    return {arrival.source.nic_key.rsplit("/", 1)[1] for arrival in azure.server.flows.arrivals(now_s)}


@given(
    name=st.text(max_size=10),
    minute=st.integers(0, 2**26),
    cut=st.integers(0, 60),
    factor=st.floats(0, 50),
    members=st.integers(1, 5),
)
def test_a_minute_is_the_sum_of_its_parts_and_frames_are_frames(name: str, minute: int, cut: int, factor: float, members: int) -> None:
    shape = curve_of(name).minute(minute)
    whole, early, late = shape.load(0, 60, factor), shape.load(0, cut, factor), shape.load(cut, 60, factor)
    assert whole.received_packets == early.received_packets + late.received_packets
    assert whole.sent_octets == early.sent_octets + late.sent_octets
    assert min(early.received_packets, late.received_packets, early.sent_packets, late.sent_packets) >= 0
    for packets, octets in ((whole.received_packets, whole.received_octets), (whole.sent_packets, whole.sent_octets)):
        assert LEAST_FRAME * packets <= octets <= MOST_FRAME * packets
    shares = shares_of(name, tuple(f"member {number}" for number in range(members)))
    parts, more = split(whole.sent_packets, shares), split(whole.sent_packets + 1, shares)
    assert sum(parts) == whole.sent_packets
    assert all(0 <= one <= other for one, other in zip(parts, more, strict=True))


def test_a_day_has_a_curve_and_bursts() -> None:
    curve = curve_of("web-01")
    hours = [sum(curve.minute(MINUTE // 1_440 * 1_440 + at).load().sent_octets for at in range(hour * 60, hour * 60 + 60)) for hour in range(24)]
    assert max(hours[8:18]) == max(hours) > 2 * min(hours)
    seconds = [curve.minute(MINUTE + second // 60).load(second % 60, second % 60 + 1).sent_octets for second in range(3_600)]
    assert max(seconds) > 1.5 * sorted(seconds)[1_800]
    assert curve_of("web-02").minute(MINUTE) != curve.minute(MINUTE) == curve_of("web-01").minute(MINUTE)


def test_only_whole_routes_flow() -> None:
    azure = _azure()
    assert _flowing(azure, NOON) == {
        *("web-02", "web-05", "sql-01", "ing-01", "ing-02", "ing-03", "spk-01"),
        *("web-01", "api-01", "api-02", "api-05-already-mirrored", "hsm-01"),
        *("ing-04", "spk-03"),
    }
    why = {flow.mirror.nic_key.rsplit("/", 1)[1]: flow.broken for flow in azure.server.flows.flows.values() if flow.broken}
    assert {name: text.split()[-1] for name, text in why.items()} == {"mq-01": "sides", "edg-02": "sides"}
    assert [route.mirror.nic_key.rsplit("/", 1)[1] for route in azure.server.flows.lost] == ["api-06-tap-gone"]


@pytest.mark.parametrize(
    ("break_it", "mend_it", "stopped"),
    [
        ("peerings hub-uks/to-spoke-crm Disconnected", "peerings hub-uks/to-spoke-crm Connected", {"web-01", "web-02", "web-05", "sql-01"}),
        ("peerings spoke-crm/to-hub-uks Initiated", "peerings spoke-crm/to-hub-uks Connected", {"web-01", "web-02", "web-05", "sql-01"}),
        ("virtual-machines ing-02 deallocated", "virtual-machines ing-02 running", {"ing-02"}),
        (
            "virtual-machines nic-packetlog-01 stopped",
            "virtual-machines nic-packetlog-01 running",
            {"web-01", "api-01", "api-02", "api-05-already-mirrored", "hsm-01"},
        ),
        ("virtual-machines nic-collector-01 stopped", "virtual-machines nic-collector-01 running", set()),
    ],
)
def test_what_breaks_the_way_stops_at_once_and_begins_again_seconds_after_it_is_mended(break_it: str, mend_it: str, stopped: set[str]) -> None:
    azure = _azure()
    whole = _flowing(azure, NOON)

    def play(text: str) -> None:
        action, name, state = text.split()
        fields = {"peering": name, "vm": name, "state": state}
        assert azure.call(f"/_control/{action}", method="POST", body=json.dumps(fields).encode()).status == 200

    play(break_it)
    assert whole - _flowing(azure, NOON + 10) == stopped
    play(mend_it)
    assert whole - _flowing(azure, NOON + 20) == stopped
    assert _flowing(azure, NOON + 23) == whole


def test_a_mirror_flows_when_its_operation_has_succeeded_and_an_untap_ends_it() -> None:
    azure = _azure()
    web = nic_id("rg-crm", "web-03")
    tap = f"/subscriptions/{PROD}/resourceGroups/rg-hub-uks/providers/Microsoft.Network/virtualNetworkTaps/tap-packetlog-uks"
    body = json.dumps({"properties": {"virtualNetworkTap": {"id": tap}}}).encode()
    assert azure.call(f"{web}/tapConfigurations/mirror", method="PUT", body=body).status == 201
    assert "web-03" not in _flowing(azure, NOON + 1)
    assert "web-03" not in _flowing(azure, NOON + 2)  # it has just succeeded
    assert "web-03" in _flowing(azure, NOON + 5)
    azure.clock.now_s = NOON + 60
    assert azure.call(f"{web}/tapConfigurations/mirror", method="DELETE").status == 202
    assert "web-03" not in _flowing(azure, NOON + 60)
    flows = azure.server.flows
    assert flows.mirrored(fold(PACKETLOG), MINUTE)[0] > _azure().server.flows.mirrored(fold(PACKETLOG), MINUTE)[0]
    assert flows.mirrored(fold(PACKETLOG), MINUTE + 1) == _azure().server.flows.mirrored(fold(PACKETLOG), MINUTE + 1)


def test_members_sum_to_their_sources_and_to_the_load_balancer() -> None:
    azure = _azure()
    flows = azure.server.flows
    arrived: Counter[tuple[str, str]] = Counter()
    for second in range(NOON, NOON + 60):
        for arrival in flows.arrivals(second):
            octets = arrival.received * arrival.received_frame + arrival.sent * arrival.sent_frame
            packets = arrival.received + arrival.sent
            arrived["octets", arrival.source.nic_key] += octets
            arrived["packets", arrival.source.nic_key] += packets
            arrived["wire", arrival.member_key] += octets + ENVELOPE * packets
    own = flows.nic_load(fold(nic_id("rg-crm", "web-02")), MINUTE)
    assert arrived["octets", fold(nic_id("rg-crm", "web-02"))] == own.received_octets + own.sent_octets
    assert arrived["packets", fold(nic_id("rg-crm", "web-02"))] == own.received_packets + own.sent_packets
    assert [arrived["wire", fold(member)] for member in MEMBERS] == [flows.mirrored(fold(member), MINUTE)[1] for member in MEMBERS]
    assert sum(arrived["wire", fold(member)] for member in MEMBERS) == flows.mirrored(fold(BALANCER), MINUTE)[1] > 0


def test_when_a_member_stops_the_other_carries_all() -> None:
    azure = _azure()
    flows = azure.server.flows
    changes.power_set(azure.server.estate, "nic-collector-02", "deallocated", at_unix_s=NOON)
    flows.refresh(NOON + 30)
    balanced = {arrival.member_key for arrival in flows.arrivals(NOON + 30) if "/loadbalancers/" in arrival.destination_key}
    assert balanced == {fold(MEMBERS[0])}
    first, second = (flows.mirrored(fold(member), MINUTE)[0] for member in MEMBERS)
    assert first > second > 0
    assert first + second == flows.mirrored(fold(BALANCER), MINUTE)[0] == _azure().server.flows.mirrored(fold(BALANCER), MINUTE)[0]
    assert flows.mirrored(fold(MEMBERS[1]), MINUTE + 1) == (0, 0)


def test_azure_monitor_tells_of_collectors_what_mirrors_brought_them() -> None:
    azure = _azure(NOON + 600)

    def totals(arm_id: str, kind: str, names: str) -> list[Any]:
        query = (
            f"api-version=1&metricnamespace=Microsoft.Network/{kind}&metricnames={names}&starttime=2026-06-01T12:00:00Z&endtime=2026-06-01T12:05:00Z"
        )
        body = json.dumps({"resourceids": [arm_id]}).encode()
        answer = azure.call(f"/subscriptions/{arm_id.split('/')[2]}/metrics:getBatch?{query}", method="POST", body=body)
        (value,) = json.loads(answer.body)["values"]
        return [[point["total"] for point in metric["timeseries"][0]["data"]] for metric in value["value"]]

    flows = azure.server.flows
    minutes = range(MINUTE, MINUTE + 5)
    octets, packets = totals(BALANCER, "loadBalancers", "ByteCount,PacketCount")
    assert list(zip(packets, octets, strict=True)) == [flows.mirrored(fold(BALANCER), minute) for minute in minutes]
    octets, packets = totals(PACKETLOG, "networkInterfaces", "BytesReceivedRate,PacketsReceivedRate")
    for place, minute in enumerate(minutes):
        mirrored_packets, mirrored_octets = flows.mirrored(fold(PACKETLOG), minute)
        assert 0 <= packets[place] - mirrored_packets < 0.02 * mirrored_packets, "and a little of its own"
        assert 0 <= octets[place] - mirrored_octets < 0.02 * mirrored_octets
    source = f"/subscriptions/{SPOKES}/resourceGroups/rg-data/providers/Microsoft.Network/networkInterfaces/ing-02"
    received, sent = totals(source, "networkInterfaces", "BytesReceivedRate,BytesSentRate")
    loads = [flows.nic_load(fold(source), minute) for minute in minutes]
    assert list(zip(received, sent, strict=True)) == [(load.received_octets, load.sent_octets) for load in loads]


def test_a_reset_estate_begins_a_new_account() -> None:
    azure = _azure()
    whole = _flowing(azure, NOON)
    azure.call("/_control/peerings", method="POST", body=b'{"peering": "hub-uks/to-spoke-data", "state": "Disconnected"}')
    assert _flowing(azure, NOON + 5) < whole
    azure.call("/_control/reset", method="POST", body=b"{}")
    assert _flowing(azure, NOON + 6) < whole
    assert _flowing(azure, NOON + 9) == whole
