"""From the stream to the tick, with a real Valkey: what others read is what was sent, and nothing else."""

from collections.abc import Iterator

import pytest

from tests.traffic.meter_stage import KEY, Listener, Stage
from tests.valkey import Valkey


@pytest.fixture
def stage(valkey: Valkey) -> Stage:
    return Stage(valkey)


@pytest.fixture
def listener(stage: Stage) -> Iterator[Listener]:
    one = Listener(stage)
    yield one
    one.close()


def test_from_the_stream_to_the_tick(stage: Stage, listener: Listener) -> None:
    agent = stage.agent(host={"rx_dropped": 0})
    for second in range(4):
        agent.count(s4=100, s5=10)
        agent.host["rx_dropped"] += 5
        agent.send()
        stage.tick()
        known = stage.known()
        if second == 0:
            assert (known.inner_bits_per_s, known.packets_per_s) == (None, None), "a baseline is no rate"
        else:
            assert known.inner_bits_per_s == pytest.approx(110 * 8_000)
            assert known.wire_bits_per_s == pytest.approx(110 * 8 * 1_050)
            assert known.packets_per_s == pytest.approx(110)
            assert known.drops_per_s == pytest.approx(5)
            assert known.members_missing == 0
    ticks = listener.ticks()
    assert [tick.seq for tick, _ in ticks] == [1, 2, 3, 4]
    last, table = ticks[-1]
    assert table.collectors == [KEY]
    assert list(last.collector_bits) == pytest.approx([880_000])
    assert list(last.collector_packets) == pytest.approx([110])
    assert stage.ring_of("total:inner_bits") == {1: 880_000, 2: 880_000, 3: 880_000}
    assert stage.ring_of("ip:10.0.1.4:packets") == {1: 100, 2: 100, 3: 100}
    assert {address: one.packets_per_s for address, one in stage.sources().items()} == {"10.0.1.4": pytest.approx(100), "10.0.1.5": pytest.approx(10)}
