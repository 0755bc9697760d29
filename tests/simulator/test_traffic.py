"""The agents: their documents over real HTTP, and how they take what a receiver answers."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.caller import Caller, make_caller
from tests.simulator.receiver import Receiver
from vtapweb.simulator import changes
from vtapweb.simulator.contoso import PROD, nic_id
from vtapweb.simulator.estate import fold
from vtapweb.simulator.flows import L3_ENVELOPE
from vtapweb.simulator.traffic import Player

pytestmark = pytest.mark.enable_socket
NOON = 1_780_272_000 + 12 * 3_600
HUB = f"/subscriptions/{PROD}/resourceGroups/rg-hub-uks/providers/Microsoft.Network"
FRONTEND = f"{HUB}/loadBalancers/ilb-collector-uks/frontendIPConfigurations/frontend"
PACKETLOG = f"{HUB}/networkInterfaces/nic-packetlog-01/ipConfigurations/ipconfig1"
MEMBERS = [nic_id("rg-hub-uks", f"nic-collector-0{number}", PROD) for number in (1, 2)]


def _player(azure: Caller, agents_file: Path | None = None) -> Player:
    azure.clock.now_s = NOON
    return Player(azure.server.estate, azure.server.flows, agents_file, azure.server.settle, unix_s=azure.clock, monotonic_s=azure.clock)


def _write(path: Path, url: str, tokens: dict[tuple[str, str], str]) -> Path:
    agents = [{"destination": destination, "member": member, "token": token} for (destination, member), token in tokens.items()]
    waiting = path.with_suffix(".new")
    waiting.write_text(json.dumps({"url": url, "agents": agents}))
    waiting.replace(path)
    return path


NDR = f"{HUB}/networkInterfaces/nic-ndr-01/ipConfigurations/ipconfig1"
ALL = {(FRONTEND, MEMBERS[0]): "one", (FRONTEND.upper(), MEMBERS[1].lower()): "two", (PACKETLOG, ""): "log", (NDR, ""): "never used"}


async def _tick(player: Player, azure: Caller, receiver: Receiver, more: int) -> list[tuple[str, Any]]:
    """One second passes, and so many documents more arrive."""
    before = len(receiver.documents)
    answered = sum(player.answers.values()) + more
    azure.clock.now_s += 1
    player.tick()
    await receiver.until(lambda: sum(player.answers.values()) >= answered)
    return receiver.documents[before:]


async def test_every_member_posts_once_a_second_on_a_kept_connection_and_adds_up(tmp_path: Path) -> None:
    azure, receiver = make_caller(), Receiver()
    await receiver.start()
    player = _player(azure, _write(tmp_path / "agents", receiver.url, ALL))
    last: dict[str, Any] = {}
    for number in range(1, 12):
        for token, document in await _tick(player, azure, receiver, 3):
            assert document["seq"] == number
            assert document["full"] == (number in {1, 11})
            assert ("dir" in document) == document["full"]
            assert document["mono"] == last.get(token, document)["mono"] + (1_000 if token in last else 0)
            last[token] = document
        azure.clock.now_s += 0.4
        player.tick()  # a timer that fires once more within its second posts nothing
        azure.clock.now_s -= 0.4
    assert receiver.connections == 3
    assert player.answers == {202: 33}
    await player.close()
    await receiver.stop()

    expected: Counter[str] = Counter()
    for second in range(NOON, NOON + 11):
        for arrival in azure.server.flows.arrivals(second):
            if arrival.member_key.endswith("/nic-ndr-01"):
                continue  # a closed appliance
            packets = arrival.received + arrival.sent
            expected[arrival.source.address] += packets
            expected[f"{arrival.source.address} octets"] += (
                arrival.received * arrival.received_frame + arrival.sent * arrival.sent_frame + L3_ENVELOPE * packets
            )
    posted: Counter[str] = Counter()
    for document in last.values():
        assert document["total"] == [sum(row[2] for row in document["src"]), sum(row[3] for row in document["src"])]
        assert document["host"]["udp_in"] == document["total"][0] < document["host"]["rx_packets"]
        for address, _vni, packets, octets in document["src"]:
            posted[address] += packets
            posted[f"{address} octets"] += octets
        for address, vni, *counts in document["src"]:
            assert [sum(column) for column in zip(*(row[3:] for row in document["dir"] if row[:2] == [address, vni]), strict=True)] == counts
    assert posted == expected
    assert set(last) == {"one", "two", "log"}


async def test_409_is_answered_with_a_full_document_and_429_and_503_wait(tmp_path: Path) -> None:
    answers = {"one": (409, {}), "two": (429, {"Retry-After": "1000"}), "log": (503, {"Retry-After": "1000"})}
    azure, receiver = make_caller(), Receiver(lambda token, document: answers[token] if document["seq"] == 2 else (202, {}))
    await receiver.start()
    player = _player(azure, _write(tmp_path / "agents", receiver.url, ALL))
    await _tick(player, azure, receiver, 3)
    second = await _tick(player, azure, receiver, 3)
    assert not any(document["full"] for _, document in second)
    (token, document), *none = await _tick(player, azure, receiver, 1)
    assert (token, document["full"], none) == ("one", True, [])
    ((token, document),) = await _tick(player, azure, receiver, 1)
    assert (token, document["full"]) == ("one", False)
    await player.close()
    await receiver.stop()


async def test_a_receiver_that_is_gone_is_found_again_with_the_newest_counters(tmp_path: Path) -> None:
    azure, receiver = make_caller(), Receiver()
    await receiver.start()
    path = _write(tmp_path / "agents", receiver.url, {(PACKETLOG, ""): "log"})
    player = _player(azure, path)
    ((_, before),) = await _tick(player, azure, receiver, 1)
    await receiver.stop()
    azure.clock.now_s += 1
    player.tick()
    await receiver.until(lambda: player.answers[0] == 1)
    other = Receiver()
    await other.start()
    _write(path, other.url, {(PACKETLOG, ""): "another"})  # as a restart does: and the wait is over
    ((token, after),) = await _tick(player, azure, other, 1)
    assert (token, after["boot"], after["full"], after["seq"]) == ("another", before["boot"], True, 3)
    assert after["total"][0] > before["total"][0]
    path.unlink()
    azure.clock.now_s += 1
    player.tick()
    assert all(not post.token for post in player.posts.values())
    await player.close()
    await other.stop()


async def test_a_restarted_machine_is_another_boot_and_a_stopped_one_is_silent(tmp_path: Path) -> None:
    azure, receiver = make_caller(), Receiver()
    await receiver.start()
    player = _player(azure, _write(tmp_path / "agents", receiver.url, {(FRONTEND, member): member for member in MEMBERS}))
    await _tick(player, azure, receiver, 2)
    changes.power_set(azure.server.estate, "nic-collector-02", "deallocated", at_unix_s=NOON)
    ((token, before),) = await _tick(player, azure, receiver, 1)
    assert token == MEMBERS[0]
    changes.power_set(azure.server.estate, "nic-collector-02", "running", at_unix_s=NOON)
    restarted = dict(await _tick(player, azure, receiver, 2))[MEMBERS[1]]
    assert (restarted["seq"], restarted["full"], restarted["boot"].rsplit("-", 1)[1]) == (1, True, "2")
    assert restarted["member"] != before["member"]
    await player.close()
    await receiver.stop()


def test_seconds_that_were_missed_are_made_up_for_and_a_stepped_clock_changes_no_rate() -> None:
    azure = make_caller()
    player = _player(azure)
    monotonic = [5.0]
    player.monotonic_s = lambda: monotonic[0]
    player.step(NOON)
    agent = player.agents[fold(PACKETLOG), fold(PACKETLOG).partition("/ipconfigurations/")[0]]
    steps = []
    for passed, wall in ((1, NOON + 1), (4, NOON + 5), (1, NOON + 3_606), (0, NOON + 3_606), (2, NOON + 8)):
        before = (agent.mono_ms, agent.host["udp_in"])
        monotonic[0] += passed
        player.step(wall)
        steps.append((agent.mono_ms - before[0], agent.host["udp_in"] - before[1]))
    assert [mono for mono, _ in steps] == [1_000, 4_000, 1_000, 0, 2_000]
    usual = steps[0][1]
    assert all(0.3 * usual * mono <= 1_000 * packets <= 5 * usual * mono for mono, packets in steps)
