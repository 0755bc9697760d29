"""The agent as a process in a namespace: what it sends, what rights it needs, what it leaves behind, what it survives."""

import itertools
import json
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.agent.conftest import Pair
from tests.agent.frames import GATEWAY_MAC, NIC_MAC, OUTER, address, inner_frame, mirrored
from tests.agent.intake import Answer, Intake
from tests.agent.process import as_nobody, running, tables, wait_for_table
from tests.waiting import eventually
from vtapweb.traffic.ingest.formats import Sender
from vtapweb.traffic.ingest.native import decode_native

pytestmark = pytest.mark.namespaces

OTHERS = """
table ip vtapweb {
  set src { type ipv4_addr; elements = { 10.0.2.4 }; }
  chain count { ip saddr @src drop; }
}
table inet filter {
  chain prerouting { type filter hook prerouting priority -450; udp dport 4790 drop; }
}
"""


@pytest.fixture
def intake(pair: Pair) -> Iterator[Intake]:
    with Intake(pair.collector) as intake:
        yield intake


def send(pair: Pair, sources: int, times: int, octets: int = 100, mac: bytes = NIC_MAC) -> None:
    frames = [mirrored(pair.collector_mac(), address(number), inner_frame(octets, mac)) for number in range(sources)]
    with pair.sender.packet_socket() as wire:
        for _ in range(times):
            for frame in frames:
                wire.send(frame)


@contextmanager
def sending(pair: Pair) -> Iterator[None]:
    """Somebody sends from two sources as long as the block lasts."""
    is_over = threading.Event()

    def send_on() -> None:
        while not is_over.is_set():
            send(pair, sources=2, times=1)
            is_over.wait(0.02)

    thread = threading.Thread(target=send_on)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def counted(intake: Intake) -> dict[str, list[int]]:
    """Newest counts by source, put together from full and short documents as the server does."""
    sources: dict[str, list[int]] = {}
    for document in list(intake.documents):
        sources = {} if document["full"] else sources
        sources.update({row[0]: row[2:] for row in document["src"]})
    return sources


def test_what_was_sent_arrives_at_the_server_exactly(pair: Pair, intake: Intake) -> None:
    """As uid 65534 with CAP_NET_ADMIN and nothing else; what others have in nftables stays as it was, and nothing of ours is left."""
    pair.collector.run("nft", "-f", "-", stdin=OTHERS)
    before = tables(pair.collector)
    with running(pair.collector, "--server", intake.url, rights=as_nobody("net_admin")) as agent:
        first = intake.wait_for(1)[0]
        send(pair, sources=20, times=30)
        send(pair, sources=20, times=10, octets=60, mac=GATEWAY_MAC)
        each = [40, 30 * (100 + OUTER) + 10 * (60 + OUTER)]
        last = intake.wait_for_one(total=[800, 20 * each[1]])
        eventually(lambda: counted(intake) == {address(number): each for number in range(20)}, within_s=20)
        assert "vtapweb_agent" in tables(pair.collector)
        code, out, err = agent.end(signal.SIGTERM)
    assert tables(pair.collector) == before
    assert (code, out) == (0, "")
    assert "It counts headers; it never reads, keeps or sends payload." in err
    assert "a-token" not in err
    assert (first["full"], first["seq"], first["if"], first["every_s"], first["agent"]) == (True, 1, "eth0", 1, "1.0")
    assert re.fullmatch("[0-9a-f]{32}", first["member"])
    assert [last[name] for name in ("unattributed", "gro", "vxlan_device")] == [[0, 0], False, False]
    assert [(one["full"], "dir" in one) for one in intake.documents[:2]] == [(True, True), (False, False)]
    assert len(intake.connections) == 1
    assert_in_order(intake.documents)


def assert_in_order(documents: list[dict[str, Any]]) -> None:
    """One boot: numbers follow each other, the monotonic clock and every counter only grow."""
    for one, next_one in itertools.pairwise(documents):
        assert one["boot"] == next_one["boot"]
        assert one["seq"] + 1 == next_one["seq"]
        assert next_one["mono"] - one["mono"] >= 200
        assert all(next_one["host"][name] >= one["host"][name] for name in one["host"])


def test_a_refused_boot_leads_to_a_full_document_and_an_outage_to_the_newest_only(pair: Pair, intake: Intake) -> None:
    """And the server's own reader understands each."""
    taken: Answer = (202, {}, b"")
    intake.answers.extend([taken, taken, (409, {}, b""), taken, (503, {"Retry-After": "0"}, b"")])
    with sending(pair), running(pair.collector, "--server", intake.url):
        documents = intake.wait_for(6)[:6]
    assert [document["full"] for document in documents] == [True, False, False, True, False, True]
    assert [document["seq"] for document in documents] == [1, 2, 3, 4, 5, 6], "each was sent once"
    for document in documents:
        sample = decode_native(json.dumps(document).encode(), Sender(collector="c", nic_key="", token_name="t", arrival_ms=1))
        assert (sample.seq, sample.is_full, sample.interval_s) == (document["seq"], document["full"], 1)
    assert sample.directions is not None
    assert {row[:3] for row in sample.directions} == {(address(number), 27, NIC_MAC.hex()) for number in range(2)}


def test_a_restarted_agent_is_another_boot_of_the_same_member(pair: Pair, intake: Intake) -> None:
    for _ in range(2):
        with running(pair.collector, "--server", intake.url) as agent:
            count = len(intake.documents)
            intake.wait_for(count + 1)
            send(pair, sources=1, times=5)
            newest = eventually(lambda known=count: next((one for one in intake.documents[known:] if one["total"][0]), None), within_s=20)  # type: ignore[misc]
            assert newest is not None
            assert newest["total"] == [5, 5 * 136]
            assert agent.end(signal.SIGINT)[0] == 0
    assert len({document["boot"] for document in intake.documents}) == 2
    assert len({document["member"] for document in intake.documents}) == 1
    assert "vtapweb_agent" not in tables(pair.collector)


def test_a_killed_agent_leaves_a_table_that_can_be_taken_away_and_that_the_next_one_replaces(pair: Pair) -> None:
    with running(pair.collector, "--server", "http://127.0.0.1:9") as agent:
        wait_for_table(pair.collector)
        agent.end(signal.SIGKILL)
    assert "vtapweb_agent" in tables(pair.collector)
    with running(pair.collector, "--remove-table") as remover:
        assert remover.wait() == (0, "", "")
    assert "vtapweb_agent" not in tables(pair.collector)


def test_a_table_that_somebody_flushed_is_made_again_as_a_new_boot(pair: Pair, intake: Intake) -> None:
    with running(pair.collector, "--server", intake.url) as agent:
        boot = intake.wait_for(1)[0]["boot"]
        pair.collector.run("nft", "flush", "ruleset")
        after = eventually(lambda: next((one for one in intake.documents if one["boot"] != boot), None), within_s=20)
        send(pair, sources=1, times=3)
        intake.wait_for_one(total=[3, 3 * 136])
        _, _, err = agent.end(signal.SIGTERM)
    assert after is not None
    assert (after["seq"], after["full"], after["total"]) == (1, True, [0, 0])
    assert "making it anew" in err


def test_without_the_capability_it_sends_totals_and_says_why(pair: Pair, intake: Intake) -> None:
    with running(pair.collector, "--server", intake.url, rights=as_nobody()) as agent:
        before = intake.wait_for(1)[0]
        send(pair, sources=2, times=5)
        received = before["host"]["rx_packets"] + 10
        eventually(lambda: intake.documents[-1]["host"]["rx_packets"] >= received, within_s=20)
        code, _, err = agent.end(signal.SIGTERM)
    document = intake.documents[-1]
    assert (code, document["host"]["rx_packets"], document["full"]) == (0, received, True)
    assert document["lacks"] == "the capability CAP_NET_ADMIN is missing, so the kernel does not let this user count"
    assert not {"src", "dir", "total", "unattributed"} & document.keys()
    assert "Sending the totals of eth0 only, which are everything it receives." in err
    assert err.count("cannot count per source") == 1
    assert "vtapweb_agent" not in tables(pair.collector)


def test_two_agents_on_one_machine_are_one_too_many(pair: Pair) -> None:
    with running(pair.collector, "--server", "http://127.0.0.1:9") as first:
        wait_for_table(pair.collector)
        with running(pair.collector, "--server", "http://127.0.0.1:9") as second:
            assert second.wait() == (1, "", "vtap-agent: another agent runs here already, and one counts for all.\n")
        with running(pair.collector, "--remove-table") as remover:
            assert remover.wait()[0] == 1
        assert "vtapweb_agent" in tables(pair.collector)
        send(pair, sources=2, times=2)
        eventually(lambda: "packets 4 " in pair.collector.run("nft", "list", "counter", "ip", "vtapweb_agent", "total"), within_s=10)
        with running(pair.collector, "--once") as beside:
            code, out, _ = beside.wait()
        document = json.loads(out)
        assert (code, document["total"], len(document["src"])) == (0, [4, 4 * 136], 2)
        assert "vtapweb_agent" in tables(pair.collector), "it belongs to the other"
        assert first.process.poll() is None


def test_once_prints_a_document_and_leaves_nothing(pair: Pair) -> None:
    with sending(pair), running(pair.collector, "--once") as agent:
        code, out, err = agent.wait()
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["v"], document["seq"], document["full"]) == (1, 1, True)
    assert {row[0] for row in document["src"]} == {address(0), address(1)}
    assert all(octets == 136 * packets > 0 for *_, packets, octets in [document["total"], *document["src"], *document["dir"]])
    assert "vtapweb_agent" not in tables(pair.collector)


def test_an_interface_that_is_not_there_is_named_with_those_that_are(pair: Pair) -> None:
    with running(pair.collector, "--once", "--interface", "eth7") as agent:
        assert agent.wait() == (1, "", "vtap-agent: this machine has no interface eth7; it has eth0, lo.\n")
    pair.collector.run("ip", "route", "del", "default")
    with running(pair.collector, "--once") as agent:
        code, _, err = agent.wait()
    assert (code, "no default route" in err, "--interface" in err) == (1, True, True)


def doctor(pair: Pair, intake: Intake, *rights: str) -> tuple[int, str]:
    with running(pair.collector, "--doctor", "--server", intake.url, rights=rights) as agent:
        code, out, _ = agent.wait()
    return code, out


def test_the_doctor_says_in_plain_words_what_is_well_and_what_lacks(pair: Pair, intake: Intake) -> None:
    intake.answers.extend([(400, {}, b"{}"), (401, {}, b'{"detail":"This token was revoked."}')])
    with sending(pair):
        code, out = doctor(pair, intake)
    assert "It counts headers; it never reads, keeps or sends payload." in out
    assert re.search(r"^ok   [0-9]+ mirrored packets from 2 sources in 3 s\.$", out, re.MULTILINE)
    assert f"ok   {intake.url} takes the token." in out
    assert "note no tool listens on UDP 4789." in out
    assert "everybody on this machine can read it (chmod 640)" in out
    assert (code, out.splitlines()[-1]) == (1, "Something lacks, see BAD above."), "the token file is open to all"
    pair.collector.run("ip", "link", "add", "vx0", "type", "vxlan", "id", "27", "dstport", "4789", "dev", "eth0")
    pair.collector.run("ethtool", "-K", "eth0", "gro", "on")
    code, out = doctor(pair, intake, *as_nobody())
    assert code == 1
    assert "BAD  cannot count per source: the capability CAP_NET_ADMIN is missing" in out
    assert f"BAD  {intake.url} answered 401: This token was revoked." in out
    assert "Mend it with: ethtool -K eth0 gro off" in out
    assert intake.documents == [{"v": 1}] * 2, "no counters were sent"
    with running(pair.collector, "--doctor", "--server", intake.url, "--token-file", "/nowhere/token") as agent:
        code, out, _ = agent.wait()
    assert (code, out.count("/nowhere/token")) == (1, 1), "what lacks is said once"
    assert f"note {intake.url} was not asked" in out
    assert len(intake.documents) == 2
    assert "vtapweb_agent" not in tables(pair.collector)
