"""A meter that has more to do than a second allows: its lease stays its own, ticks go on, and what was put off comes later, complete."""

from collections.abc import Iterator

import pytest

from tests.traffic.meter_stage import LONG_MS, Agent, Clock, Stage
from tests.valkey import Valkey
from vtapweb.traffic import keys
from vtapweb.traffic.meter import service
from vtapweb.traffic.meter.moment import Moment


class SlowClock(Clock):
    """Every look at it takes time."""

    costs_ms = 0

    def __call__(self) -> Moment:
        self.go_on(self.costs_ms)
        return super().__call__()


@pytest.fixture
def stage(valkey: Valkey) -> Iterator[Stage]:
    with Stage(valkey, SlowClock()) as stage:
        yield stage


def slow(stage: Stage, costs_ms: int) -> None:
    assert isinstance(stage.clock, SlowClock)
    stage.clock.costs_ms = costs_ms


def a_second(stage: Stage, *agents: Agent) -> None:
    """All send, nobody reads."""
    for agent in agents:
        agent.count(s4=100, s5=50)
        agent.send()
    stage.clock.go_on(1_000)


def figure(stage: Stage, name: str) -> float:
    return float(stage.client.hget(keys.METER_COUNTS, name) or "nan")


def test_reading_renews_the_lease(stage: Stage) -> None:
    half_ms = LONG_MS // 2
    stage.client.pexpire(keys.METER_LEASE, half_ms)
    stage.service.read(block_ms=None)
    assert stage.client.pttl(keys.METER_LEASE) <= half_ms, "not for every batch"
    stage.clock.go_on(service.RENEW_MS)
    stage.service.read(block_ms=None)
    assert stage.client.pttl(keys.METER_LEASE) > half_ms


def test_rings_that_take_longer_than_a_second_are_written_in_the_next_ones(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "RINGS_OCTETS", 1)  # a transaction for each collector
    agents = [stage.agent(collector=f"c{number}") for number in range(4)]
    for _ in range(3):
        a_second(stage, *agents)
    stage.service.catch_up()
    slow(stage, 1_000)
    stage.service.tick()
    slow(stage, 0)
    written = [stage.ring_of("total:packets", f"c{number}") for number in range(4)]
    assert sum(map(bool, written)) == 1, "there was time for one"
    for _ in range(2):
        stage.service.tick()
    assert figure(stage, "rings_waiting") == 0
    assert stage.ring_of("total:packets", "c0").keys() >= {1}
    for number in range(4):
        assert stage.ring_of("total:packets", f"c{number}") == stage.ring_of("total:packets", "c0")
        assert set(stage.ring_of("ip:10.0.1.4:packets", f"c{number}").values()) == {100}


def test_a_meter_that_ends_before_it_wrote_all_rows_reads_their_samples_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "RINGS_OCTETS", 1)
    agents = [stage.agent(collector=f"c{number}") for number in range(2)]
    a_second(stage, *agents)
    stage.service.catch_up()
    stage.service.tick()
    noted = stage.client.hget(keys.METER_STATE, "position")
    for _ in range(2):
        a_second(stage, *agents)
    stage.service.catch_up()
    slow(stage, 1_000)
    stage.service.tick()
    assert stage.client.hget(keys.METER_STATE, "position") == noted
    slow(stage, 0)
    stage.service.tick()
    assert stage.client.hget(keys.METER_STATE, "position") == stage.service.position.encode()


def test_after_a_stall_the_samples_are_caught_up_with_in_parts_and_draw_no_spike(stage: Stage) -> None:
    agents = [stage.agent(collector=f"c{number}") for number in range(20)]
    for _ in range(40):
        a_second(stage, *agents)
    slow(stage, service.CATCH_UP_MS)
    stage.service.catch_up()
    stage.service.tick()
    assert figure(stage, "lag_seconds") > 0
    assert figure(stage, "samples_total") == service.READ_COUNT, "a tick does not wait for all of it"
    assert stage.known("c0").packets_per_s is None, "older than what may be shown"
    slow(stage, 0)
    stage.service.catch_up()
    stage.service.tick()
    assert figure(stage, "lag_seconds") == 0
    assert figure(stage, "samples_total") == 800
    for number in range(20):
        drawn = stage.ring_of("total:packets", f"c{number}", last_s=300)
        assert set(drawn.values()) == {150}
        assert drawn.keys() >= set(range(1, 39))
