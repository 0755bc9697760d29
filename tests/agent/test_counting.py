"""What the kernel counts and the agent reads, in network namespaces: counted is sent, exactly."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.agent.conftest import Pair
from tests.agent.frames import AZURE_FRAME, GATEWAY_MAC, NIC_MAC, OUTER, address, checksum, inner_frame, mirrored
from tests.agent.namespaces import inside
from tests.waiting import eventually
from vtapweb.agent.vtap_agent import Agent, Counting, host_counters, is_gro, links, vxlan_sockets

pytestmark = pytest.mark.namespaces


@contextmanager
def counting_at(pair: Pair, **options: int) -> Iterator[Counting]:
    with inside(pair.collector.name):
        counting = Counting(**options)
        counting.set_up()
    try:
        yield counting
    finally:
        counting.close()


def key(source: str, vni: int = 27) -> bytes:
    return socket.inet_aton(source) + vni.to_bytes(3, "big") + b"\0"


def send(pair: Pair, frames: list[bytes]) -> None:
    with pair.sender.packet_socket() as wire:
        for frame in frames:
            wire.send(frame)


def wait_for(counting: Counting, packets: int) -> None:
    eventually(lambda: counting.totals()[0][0] >= packets, within_s=20, why=f"{packets} packets counted")


def make_known(pair: Pair, counting: Counting, frames: dict[str, bytes]) -> dict[bytes, tuple[int, int]]:
    """Sends until the kernel knows all sources. In a burst of new ones it may have no counter at hand for some: those packets are unattributed."""

    def known() -> dict[bytes, tuple[int, int]]:
        sources = counting.sources()
        missing = [frame for source, frame in frames.items() if key(source) not in sources]
        send(pair, missing)
        return {} if missing else sources

    return eventually(known, within_s=30, why="all sources known")


def test_counted_is_sent_and_inner_octets_are_exact(pair: Pair) -> None:
    """Three sources, two VNIs, frames of 60 to 1,514 octets, in both directions."""
    mac = pair.collector_mac()
    plan = [
        ("10.0.2.4", 27, NIC_MAC, 60, 400), ("10.0.2.4", 27, GATEWAY_MAC, 1514, 300), ("10.0.2.5", 27, NIC_MAC, 333, 200),
        ("10.0.2.4", 0xABCDEF, NIC_MAC, 100, 100),
    ]  # fmt: skip
    frames = [mirrored(mac, source, inner_frame(octets, nic), vni=vni) for source, vni, nic, octets, times in plan for _ in range(times)]
    with counting_at(pair) as counting:
        send(pair, [*frames, *[mirrored(mac, "10.0.2.9", inner_frame(60), port=4790)] * 50])  # another port is nobody's business
        wait_for(counting, 1000)
        total, attributed = counting.totals()
        sources, directions = counting.sources(), counting.directions()
    sent: dict[bytes, list[int]] = {}
    for source, vni, nic, octets, times in plan:
        for place in (key(source, vni), key(source, vni) + nic + b"\0\0"):
            count = sent.setdefault(place, [0, 0])
            count[0], count[1] = count[0] + times, count[1] + times * octets
    counted = {place: [packets, octets - OUTER * packets] for place, (packets, octets) in {**sources, **directions}.items()}
    assert counted == sent
    assert total == attributed == (1000, sum(times * (octets + OUTER) for *_, octets, times in plan))


def test_the_frame_that_azure_sent_is_counted_as_what_it_is(pair: Pair) -> None:
    assert (len(AZURE_FRAME), checksum(AZURE_FRAME[14:34]), checksum(AZURE_FRAME[64:84])) == (116, 0, 0)
    pair.collector.run("ip", "addr", "add", "10.1.1.4/32", "dev", "eth0")
    with counting_at(pair) as counting:
        send(pair, [pair.collector_mac() + AZURE_FRAME[6:]])
        wait_for(counting, 1)
        sources, directions = counting.sources(), counting.directions()
    assert sources == {key("10.0.2.4"): (1, 102)}
    assert len(AZURE_FRAME) - 50 == 102 - OUTER
    assert directions == {key("10.0.2.4") + NIC_MAC + b"\0\0": (1, 102)}


def test_five_thousand_sources_each_exactly(pair: Pair) -> None:
    """Each with a count of its own, on top of what made it known; read twice, so that the second time goes by the layout of the first."""
    mac, inner = pair.collector_mac(), inner_frame(60)
    frames = {address(number): mirrored(mac, address(number), inner) for number in range(5000)}
    with counting_at(pair) as counting:
        before = make_known(pair, counting, frames)
        (total, _), (attributed, _) = counting.totals()
        assert sum(packets for packets, _ in before.values()) == attributed <= total
        send(pair, [frame for number, frame in enumerate(frames.values()) for _ in range(1 + number % 3)])
        sent = sum(1 + number % 3 for number in range(5000))
        wait_for(counting, total + sent)
        after = counting.sources()
        rise = {source: (packets - before[source][0], octets - before[source][1]) for source, (packets, octets) in after.items()}
        assert rise == {key(address(number)): (1 + number % 3, (1 + number % 3) * 96) for number in range(5000)}
        assert [packets for packets, _ in counting.totals()] == [total + sent, attributed + sent]
        seen = json.loads(pair.collector.run("nft", "-j", "list", "set", "ip", "vtapweb_agent", "src"))
    assert len(seen["nftables"][1]["set"]["elem"]) == 5000


def test_a_full_set_keeps_the_total_and_says_what_it_cannot_tell_apart(pair: Pair) -> None:
    mac, inner = pair.collector_mac(), inner_frame(60)
    frames = {address(number): mirrored(mac, address(number), inner) for number in range(40)}
    with counting_at(pair, set_size=16) as counting:
        known = make_known(pair, counting, dict(list(frames.items())[:16]))
        (total, _), (attributed, _) = counting.totals()
        send(pair, list(frames.values()))
        wait_for(counting, total + 40)
        assert counting.totals() == ((total + 40, (total + 40) * 96), (attributed + 16, (attributed + 16) * 96))
        assert counting.sources() == {source: (packets + 1, octets + 96) for source, (packets, octets) in known.items()}


def test_the_table_is_made_anew_over_one_that_was_left(pair: Pair) -> None:
    frame = mirrored(pair.collector_mac(), "10.0.2.4", inner_frame(60))
    with counting_at(pair) as counting:
        send(pair, [frame] * 3)
        wait_for(counting, 3)
    with counting_at(pair) as counting:
        assert counting.totals() == ((0, 0), (0, 0))
        assert counting.sources() == {}
        send(pair, [frame])
        wait_for(counting, 1)
        assert counting.totals()[0] == (1, 96)


def test_gro_with_a_vxlan_device_is_flagged_and_the_interface_still_counts_all(pair: Pair) -> None:
    collector = pair.collector
    with inside(collector.name):
        agent = Agent("eth0")
        agent.count()
        plain = agent.document()
        collector.run("ip", "link", "add", "vx0", "type", "vxlan", "id", "27", "dstport", "4789", "dev", "eth0")
        collector.run("ethtool", "-K", "eth0", "gro", "on")
        before = host_counters("eth0")["rx_packets"]
        send(pair, [mirrored(pair.collector_mac(), "10.0.2.4", inner_frame(1000))] * 500)
        eventually(lambda: host_counters("eth0")["rx_packets"] == before + 500, within_s=10)
        flagged = agent.document(is_full=True)
        agent.end()
    assert (plain["gro"], plain["vxlan_device"]) == (False, False)
    assert (flagged["gro"], flagged["vxlan_device"]) == (True, True)


def test_a_vxlan_device_on_another_port_or_a_bridge_is_no_matter(pair: Pair) -> None:
    pair.collector.run("ip", "link", "add", "vx0", "type", "vxlan", "id", "27", "dstport", "8472", "dev", "eth0")
    pair.collector.run("ip", "link", "add", "d0", "type", "bridge")
    with inside(pair.collector.name):
        assert [link.name for link in links().values() if link.is_vxlan] == []
        assert not is_gro("eth0")
        assert not is_gro("nothing")


def test_a_tool_that_does_not_read_shows_as_drops_of_its_socket(pair: Pair) -> None:
    frame = mirrored(pair.collector_mac(), "10.0.2.4", inner_frame(1400))
    with inside(pair.collector.name):
        assert vxlan_sockets() == []
        assert host_counters("eth0")["sock_drops"] == 0
    tool = pair.collector.udp_socket("10.1.0.4", 4789)
    tool.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with tool, inside(pair.collector.name):
        before = host_counters("eth0")
        send(pair, [frame] * 200)
        eventually(lambda: host_counters("eth0")["rx_packets"] - before["rx_packets"] == 200, within_s=10)
        kept = 0
        tool.setblocking(False)
        with suppress(BlockingIOError):
            while tool.recv(2048):
                kept += 1
        after = host_counters("eth0")
        rise = {name: after[name] - before[name] for name in after}
    assert rise["udp_in"] == kept
    assert rise["sock_drops"] == rise["udp_rcvbuf_errors"] == 200 - kept > 0
    assert rise["udp_no_ports"] == rise["rx_dropped"] == rise["rx_missed"] == 0
    assert rise["rx_bytes"] == 200 * len(frame)
    assert {"rx_fifo", "softnet_dropped", "softnet_squeezed"} <= after.keys()


def test_with_nobody_listening_no_ports_counts(pair: Pair) -> None:
    with inside(pair.collector.name):
        before = host_counters("eth0")["udp_no_ports"]
        send(pair, [mirrored(pair.collector_mac(), "10.1.0.1", inner_frame(60))] * 7)
        eventually(lambda: host_counters("eth0")["udp_no_ports"] == before + 7, within_s=10)


def test_a_later_fragment_has_no_port_and_is_left_out_whole(pair: Pair) -> None:
    """Of a mirrored frame in two fragments only the first counts, in every counter alike."""
    whole = mirrored(pair.collector_mac(), "10.0.2.4", inner_frame(1014))
    udp = whole[34:]
    fragments = []
    for offset, part, more in ((0, udp[:512], 0x2000), (512 // 8, udp[512:], 0)):
        head = bytearray(whole[14:34])
        head[2:4] = (20 + len(part)).to_bytes(2, "big")
        head[6:8] = (more | offset).to_bytes(2, "big")
        head[10:12] = b"\0\0"
        head[10:12] = checksum(bytes(head)).to_bytes(2, "big")
        fragments.append(whole[:14] + bytes(head) + part)
    with counting_at(pair) as counting:
        send(pair, [*fragments, whole])
        wait_for(counting, 2)
        assert counting.totals() == ((2, 532 + 1050), (2, 532 + 1050))
        assert counting.sources() == {key("10.0.2.4"): (2, 532 + 1050)}


def test_a_table_that_is_not_there_is_an_error_of_its_own(pair: Pair) -> None:
    with inside(pair.collector.name):
        counting = Counting()
    with pytest.raises(FileNotFoundError):
        counting.totals()
    with pytest.raises(FileNotFoundError):
        counting.sources()
    counting.close()


def test_an_element_of_another_form_is_read_like_the_others(pair: Pair) -> None:
    """One with a life of its own says so, which makes it longer than those that the kernel made."""
    frames = [mirrored(pair.collector_mac(), address(number), inner_frame(60)) for number in range(60)]
    with counting_at(pair) as counting:
        send(pair, frames)
        wait_for(counting, 60)
        expected = {key(address(number)): (1, 96) for number in range(60)}
        assert counting.sources() == expected
        pair.collector.run("nft", "add", "element", "ip", "vtapweb_agent", "src", "{ 10.9.0.1 . 0x00001b counter packets 5 bytes 500 timeout 30m }")
        assert counting.sources() == {**expected, key("10.9.0.1"): (5, 500)}
        send(pair, frames)
        wait_for(counting, 120)
        assert counting.sources() == {**dict.fromkeys(expected, (2, 192)), key("10.9.0.1"): (5, 500)}


@pytest.mark.long
def test_half_a_million_packets_of_five_thousand_sources(pair: Pair) -> None:
    frames = {address(number): mirrored(pair.collector_mac(), address(number), inner_frame(60)) for number in range(5000)}
    with counting_at(pair) as counting:
        before = make_known(pair, counting, frames)
        total = counting.totals()[0][0]
        for _ in range(100):
            send(pair, list(frames.values()))
        wait_for(counting, total + 500_000)
        rise = {source: (packets - before[source][0], octets - before[source][1]) for source, (packets, octets) in counting.sources().items()}
    assert rise == {key(address(number)): (100, 9600) for number in range(5000)}
