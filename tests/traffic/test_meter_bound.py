"""More sources than the meter keeps apart: totals stay right, it is said how many they are, and memory does not grow."""

import logging
from collections.abc import Iterator

import pytest

from tests.traffic.meter_stage import KEY, Agent, Stage
from tests.valkey import Valkey
from vtapweb.traffic import keys
from vtapweb.traffic.meter import collector, engine, service
from vtapweb.traffic.meter.engine import TIDY_EVERY


@pytest.fixture
def stage(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three sources a collector, five in all."""
    monkeypatch.setattr(collector, "SOURCES_MOST", 3)
    monkeypatch.setattr(collector, "SOURCES_LEAST", 1)
    monkeypatch.setattr(engine, "SOURCES_MOST_OF_ALL", 5)
    with Stage(valkey) as stage:
        yield stage


def play(stage: Stage, *agents: Agent, seconds: int = 1, **packets: int) -> None:
    """Every second each of these sources sends so many packets to each of the agents."""
    for _ in range(seconds):
        for agent in agents:
            agent.count(**packets)
            agent.send()
        stage.tick()


def packets_of(stage: Stage, key: str = KEY) -> dict[str, float | None]:
    return {address.rpartition(".")[2]: one.packets_per_s for address, one in stage.sources(key).items()}


def figure(stage: Stage, name: str) -> float:
    return float(stage.client.hget(keys.METER_COUNTS, name) or "nan")


def test_totals_have_what_is_not_told_apart_and_it_is_said(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    agent = stage.agent()
    play(stage, agent, seconds=40, s4=10, s5=10, s6=10, s7=10, s8=60)
    known = stage.known()
    (member,) = known.members
    assert known.packets_per_s == 100
    assert packets_of(stage) == {"4": 10, "5": 10, "6": 10}
    assert (member.sources_beyond, member.sources_kept) == (2, 3)
    assert member.unattributed_share_60s == pytest.approx(0.7), "H11 tells it, too"
    assert figure(stage, "sources_beyond") == 2
    assert set(stage.ring_of("total:packets").values()) == {100}
    assert stage.service.meter is not None
    assert not stage.service.meter.collectors[KEY].has_all_sources, "who is not listed may be among those"
    assert caplog.text.count("meter.sources_not_told_apart") == 1, "not every second"
    stage.clock.go_on(service.TELL_BEYOND_EVERY_MS)
    play(stage, agent, seconds=2, s4=10, s8=60)
    assert caplog.text.count("meter.sources_not_told_apart") == 2


def test_the_room_is_free_again_when_sources_go(stage: Stage) -> None:
    agent = stage.agent()
    play(stage, agent, seconds=4, s4=10, s5=10, s6=10, s7=500)
    assert packets_of(stage).keys() == {"4", "5", "6"}
    del agent.packets["10.0.1.4"]
    agent.given = {"packets": 3_000, "l3_bytes": 3_000_000}
    play(stage, agent, seconds=2, s5=10, s6=10, s7=500)
    agent.given = {}
    play(stage, agent, seconds=6, s5=10, s6=10, s7=500)
    assert packets_of(stage) == {"5": 10, "6": 10, "7": 500}
    assert stage.known().members[0].sources_beyond == 0
    drawn = stage.ring_of("ip:10.0.1.7:packets")
    assert set(drawn.values()) == {500}, "no spike of all that it sent before"
    assert stage.service.meter is not None
    assert stage.service.meter.collectors[KEY].has_all_sources


def test_who_gets_a_place_has_none_of_what_was_counted_there(stage: Stage) -> None:
    agent = stage.agent()
    play(stage, agent, seconds=70, s4=100, s5=1)
    del agent.packets["10.0.1.4"]
    play(stage, agent, seconds=2, s5=1)
    play(stage, agent, seconds=30, s5=1, s6=2)
    means = {address: one.packets_per_s_60s for address, one in stage.sources().items()}
    assert means["10.0.1.6"] == pytest.approx(1.0, rel=0.1), "2 a second for half of a minute"
    assert means["10.0.1.5"] == pytest.approx(1.0, rel=0.1)


def test_means_outlive_that_places_are_given_back(stage: Stage) -> None:
    agent = stage.agent()
    play(stage, agent, seconds=70, s4=1, s5=1, s6=7)
    del agent.packets["10.0.1.4"]
    play(stage, agent, seconds=TIDY_EVERY + 2, s5=1, s6=7)
    means = {address: one.packets_per_s_60s for address, one in stage.sources().items()}
    assert means == {"10.0.1.5": pytest.approx(1.0, rel=0.1), "10.0.1.6": pytest.approx(7.0, rel=0.1)}
    assert stage.service.meter is not None
    assert stage.service.meter.room.taken == 2
    play(stage, agent, seconds=3, s5=1, s6=7)
    assert packets_of(stage) == {"5": 1, "6": 7}
    assert set(stage.ring_of("ip:10.0.1.6:packets").values()) == {7}


def test_a_flood_at_one_collector_leaves_room_for_the_others(stage: Stage) -> None:
    flooded = [stage.agent(collector=f"flooded-{number}") for number in range(2)]
    play(stage, *flooded, seconds=3, **{f"s{number}": 1 for number in range(4, 20)})
    assert stage.service.meter is not None
    assert stage.service.meter.room.taken == 5
    other = stage.agent()
    for _ in range(4):
        play(stage, *flooded, other, s4=10, s5=10)
    assert packets_of(stage) == {"4": 10}
    assert (stage.known().packets_per_s, stage.known().members[0].sources_beyond) == (20, 1)


def test_members_that_are_silent_make_room(stage: Stage) -> None:
    first, second = stage.agent(member="m-1"), stage.agent(member="m-2")
    play(stage, first, second, seconds=3, s4=1, s5=1, s6=1)
    beyond = {one.member: one.sources_beyond for one in stage.known().members}
    assert beyond == {"m-1": 0, "m-2": 3}
    play(stage, second, seconds=60 + TIDY_EVERY + 4, s4=1, s5=1, s6=1)
    assert {one.member: (one.sources_beyond, one.sources_kept) for one in stage.known().members} == {"m-1": (0, 0), "m-2": (0, 3)}
    assert packets_of(stage) == {"4": 1, "5": 1, "6": 1}
    play(stage, first, second, seconds=3, s4=1, s5=1, s6=1)
    assert stage.known().packets_per_s == 6, "who comes back is counted, and nothing twice"


def test_made_up_sources_and_members_take_no_more_memory(stage: Stage) -> None:
    for number in range(40):
        agent = stage.agent(member=f"m-{number % 8}", boot=f"boot-{number}")
        for second in range(3):
            agent.packets = {f"10.{number}.{second}.{at}": second for at in range(30)}
            agent.send()
            stage.tick()
        meter = stage.service.meter
        assert meter is not None
        found = meter.collectors[KEY]
        members = found.members.values()
        assert meter.room.taken == found.room.taken == sum(len(one.rates.flows) for one in members) <= 3
        assert len(found.sources) <= 3
        assert all(len(totals) <= 3 for one in members for totals in one.flow_marks.values())
