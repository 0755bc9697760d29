"""What can be played on collectors, agents and sources: each shows where it should, and nothing of it stays when it has ended."""

import json
from typing import Any

import pytest

from tests.simulator.caller import Caller, make_caller
from vtapweb.simulator.agents import Agent
from vtapweb.simulator.contoso import PROD, nic_id
from vtapweb.simulator.estate import fold
from vtapweb.simulator.flows import L3_ENVELOPE

NOON = 1_780_272_000 + 12 * 3_600
COLLECTORS = {"nic-collector-01", "nic-collector-02"}


def _azure() -> Caller:
    azure = make_caller()
    azure.clock.now_s = NOON
    azure.server.player.step(NOON)
    return azure


def _play(azure: Caller, action: str, **fields: Any) -> str:
    response = azure.call(f"/_control/{action}", method="POST", body=json.dumps(fields).encode())
    assert response.status == 200, response.body
    return str(json.loads(response.body)["said"])


def _refused(azure: Caller, **fields: Any) -> str:
    response = azure.call("/_control/traffic/start", method="POST", body=json.dumps(fields).encode())
    assert response.status == 400, response.body
    return str(json.loads(response.body)["error"]["message"])


def _pass(azure: Caller, seconds: int = 1) -> None:
    for _ in range(seconds):
        azure.clock.now_s += 1
        azure.server.player.step(round(azure.clock.now_s))


def _agents(azure: Caller) -> dict[str, Agent]:
    return {agent.name: agent for agent in azure.server.player.agents.values()}


def _rates(azure: Caller, seconds: int = 2) -> dict[str, dict[str, int]]:
    """Packets that each agent counts by source address in so many seconds."""

    def counts() -> dict[str, dict[str, int]]:
        return {name: {at: one.received + one.sent for at, one in agent.sources.items()} for name, agent in _agents(azure).items()}

    before = counts()
    _pass(azure, seconds)
    return {name: {at: count - before[name].get(at, 0) for at, count in sources.items()} for name, sources in counts().items()}


def _wrong(azure: Caller) -> str:
    return azure.call("/").body.decode().partition("What is wrong")[2].partition("</section>")[0]


@pytest.mark.parametrize(
    ("target", "hit"),
    [
        ("", {*COLLECTORS, "nic-packetlog-01", "nic-ndr-01"}),
        ("ilb-collector-uks", COLLECTORS),
        ("tap-ilb-uks", COLLECTORS),
        ("nic-collector-02", {"nic-collector-02"}),
        (nic_id("rg-hub-uks", "nic-collector-02", PROD), {"nic-collector-02"}),
        ("tap-packetlog-uks", {"nic-packetlog-01"}),
    ],
)
def test_a_silent_collector_counts_on_and_ends_by_itself(target: str, hit: set[str]) -> None:
    azure = _azure()
    _play(azure, "traffic/start", kind="silent_collector", target=target, for_s=3)
    assert {name for name, agent in _agents(azure).items() if agent.is_silent} == hit
    assert all(sum(sources.values()) > 0 for sources in _rates(azure, 1).values())
    assert "is silent" in _wrong(azure)
    _pass(azure, 3)
    assert not any(agent.is_silent for agent in _agents(azure).values())
    assert "is silent" not in _wrong(azure)


def test_drops_rise_while_they_are_played() -> None:
    azure = _azure()
    _play(azure, "traffic/start", kind="drops", target="nic-packetlog-01", percent=10)
    _pass(azure, 5)
    host = _agents(azure)["nic-packetlog-01"].host
    dropped = host["rx_dropped"] + host["udp_rcvbuf_errors"]
    assert 0.05 * host["udp_in"] < dropped < 0.15 * host["udp_in"]
    assert host["udp_rcvbuf_errors"] == host["sock_drops"] > 0
    assert _agents(azure)["nic-collector-01"].host["rx_dropped"] == 0
    _play(azure, "traffic/end")
    _pass(azure, 2)
    assert host["rx_dropped"] + host["udp_rcvbuf_errors"] == dropped


def test_an_agent_starts_again_once_or_again_and_again() -> None:
    azure = _azure()
    agent = _agents(azure)["nic-packetlog-01"]
    boot, counted = agent.boot, agent.host["udp_in"]
    assert "nic-packetlog-01" in _play(azure, "traffic/start", kind="agent_restart", target="nic-packetlog-01")
    assert agent.boot != boot
    assert (agent.seq, agent.host["udp_in"], counted > 0) == (0, 0, True)
    assert "starts again" not in _wrong(azure)
    _play(azure, "traffic/start", kind="agent_restart", target="nic-packetlog-01", every_s=10)
    boots = set()
    for _ in range(35):
        _pass(azure)
        boots.add(agent.boot)
    assert len(boots) == 4
    _play(azure, "traffic/end", number=1)
    _pass(azure, 20)
    assert agent.boot in boots


def test_a_stopped_source_stops_everywhere_and_goes_on() -> None:
    azure = _azure()
    _play(azure, "traffic/start", kind="stopped_source", target="ing-02")
    rates = _rates(azure)
    assert rates["nic-collector-01"]["10.3.1.5"] == rates["nic-collector-02"]["10.3.1.5"] == 0
    assert rates["nic-collector-01"]["10.3.1.6"] > 0
    minute = NOON // 60
    _pass(azure, 58)
    flows = azure.server.flows
    assert flows.nic_load(fold(nic_id("rg-data", "ing-02")), minute + 1).received_packets == 0
    _play(azure, "faults/clear")
    assert _rates(azure)["nic-collector-01"]["10.3.1.5"] > 0


def test_a_mirror_that_never_flows_leaves_its_source_as_it_is() -> None:
    azure = _azure()
    _play(azure, "traffic/start", kind="never_flows", target="ing-02")
    assert _rates(azure)["nic-collector-01"]["10.3.1.5"] == 0
    assert azure.server.flows.nic_load(fold(nic_id("rg-data", "ing-02")), NOON // 60 + 1).received_packets > 0
    state = azure.get("/_control/traffic")
    (played,) = [mirror for mirror in state["mirrors"] if mirror["nic"].endswith("/ing-02")]
    assert (played["flows"], "carries nothing" in played["why_not"]) == (False, True)
    _play(azure, "traffic/end", number=1)
    _pass(azure, 4)
    assert _rates(azure)["nic-collector-01"]["10.3.1.5"] > 0


def test_an_unknown_source_sends_from_an_address_that_nobody_has() -> None:
    azure = _azure()
    assert "10.9.9.9" in _play(azure, "traffic/start", kind="unknown_source", target="ilb-collector-uks", address="10.9.9.9")
    _pass(azure, 4)
    rates = _rates(azure)
    assert sum(rates[name]["10.9.9.9"] for name in COLLECTORS) > 0
    assert "10.9.9.9" not in rates["nic-packetlog-01"]
    agent = _agents(azure)["nic-collector-01"]
    agent.wants_full = True
    assert {row[2] for row in json.loads(agent.document(0))["dir"] if row[0] == "10.9.9.9"} == {"123456789abc"}
    _play(azure, "traffic/end")
    assert _rates(azure)["nic-collector-01"]["10.9.9.9"] == 0
    assert "A NIC has 10.3.1.5" in _refused(azure, kind="unknown_source", target="ilb-collector-uks", address="10.3.1.5")
    assert "no IPv4" in _refused(azure, kind="unknown_source", target="ilb-collector-uks", address="ten")


def test_overload_goes_beyond_what_the_machines_take_in() -> None:
    azure = _azure()
    _play(azure, "traffic/start", kind="overload", target="tap-packetlog-uks")
    agent = _agents(azure)["nic-packetlog-01"]
    before = agent.host["rx_bytes"]
    _pass(azure, 30)
    assert 8 * (agent.host["rx_bytes"] - before) / 30 > 0.95 * 12.5e9
    assert agent.host["udp_rcvbuf_errors"] > 0
    _play(azure, "traffic/end")
    before = agent.host["rx_bytes"]
    _pass(azure, 2)
    assert 8 * (agent.host["rx_bytes"] - before) / 2 < 1e9
    _play(azure, "traffic/start", kind="overload", target="", factor=3)
    assert 2 < sum(_rates(azure)["nic-packetlog-01"].values()) / sum(_rates(_azure())["nic-packetlog-01"].values()) < 6


def test_merged_packets_are_fewer_and_a_wrong_clock_is_only_a_wrong_clock() -> None:
    azure, plain = _azure(), _azure()
    _play(azure, "traffic/start", kind="gro", target="nic-packetlog-01")
    _play(azure, "traffic/start", kind="clock_skew", target="nic-packetlog-01", skew_s=600)
    _pass(azure, 5)
    _pass(plain, 5)
    agent = _agents(azure)["nic-packetlog-01"]
    merged, whole = (json.loads(_agents(one)["nic-packetlog-01"].document(NOON * 1_000)) for one in (azure, plain))
    assert (merged["gro"], merged["vxlan_device"], whole["gro"], whole["vxlan_device"]) == (True, True, False, False)
    assert merged["total"][0] < 0.4 * whole["total"][0]
    assert merged["host"] == whole["host"]
    assert merged["host"]["rx_packets"] > 1.5 * merged["total"][0]
    assert merged["total"][1] - L3_ENVELOPE * merged["total"][0] == whole["total"][1] - L3_ENVELOPE * whole["total"][0]
    assert (merged["t"] - whole["t"], merged["mono"]) == (600_000, whole["mono"])
    _play(azure, "faults/clear")
    assert (agent.is_merging, agent.skew_s) == (False, 0)


def test_two_nics_can_claim_one_address_until_it_is_mended() -> None:
    azure = _azure()
    before = azure.get(nic_id("rg-crm", "web-03"))["properties"]["ipConfigurations"]
    _play(azure, "addresses/share", nic="web-03", other="ing-02")
    addresses = [one["properties"]["privateIPAddress"] for one in azure.get(nic_id("rg-crm", "web-03"))["properties"]["ipConfigurations"]]
    assert addresses[1:] == ["10.3.1.5"]
    assert "10.3.1.5 of another NIC" in _wrong(azure)
    _play(azure, "addresses/unshare", nic="web-03")
    assert [{**one, "etag": ""} for one in azure.get(nic_id("rg-crm", "web-03"))["properties"]["ipConfigurations"]] == [
        {**one, "etag": ""} for one in before
    ]
    assert "of another NIC" not in _wrong(azure)


def test_who_is_not_there_cannot_be_played_on() -> None:
    azure = _azure()
    assert "No collector called “web-02”" in _refused(azure, kind="drops", target="web-02")
    assert "No collector" in _refused(azure, kind="unknown_source", target="")
    assert "No networkInterfaces" in _refused(azure, kind="stopped_source", target="nobody")
    assert "A fault of traffic is" in _refused(azure, kind="earthquake", target="")


def test_the_page_shows_agents_and_breaks_the_hub_at_a_touch() -> None:
    azure = _azure()
    page = azure.call("/").body.decode()
    assert "nic-packetlog-01" in page.partition('data-test="agents"')[2]
    assert "Break hub-uks/to-spoke-crm" in page
    assert "takes no agent" in page
    assert {agent["name"]: agent["has_token"] for agent in azure.get("/_control/agents")["value"]} == dict.fromkeys(
        ["nic-packetlog-01", "nic-ndr-01", *sorted(COLLECTORS)], False
    )
