"""From the stream to the tick, with a real Valkey: what others read is what was sent, and nothing else."""

from collections.abc import Iterator

import msgspec
import pytest

from tests.traffic.meter_stage import KEY, START_MS, Listener, Stage, address_of, send
from tests.valkey import Valkey
from vtapweb.traffic import keys
from vtapweb.traffic.meter.engine import TIDY_EVERY
from vtapweb.traffic.meter.sources import OTHERS, UNKNOWN_MOST
from vtapweb.traffic.samples import Counters, Origin, Point, Points

MAC, OTHER_MAC = "000d3a000002", "aabbccddeeff"


@pytest.fixture
def stage(valkey: Valkey) -> Iterator[Stage]:
    with Stage(valkey) as stage:
        yield stage


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


def test_who_falls_silent_is_stale_after_five_seconds_and_then_unknown(stage: Stage, listener: Listener) -> None:
    agent = stage.agent()
    for _ in range(3):
        agent.count(s4=100)
        agent.send()
        stage.tick()
    rates = []
    for _ in range(7):
        stage.tick()
        rates.append(stage.known().packets_per_s)
    assert rates == [pytest.approx(100)] * 4 + [None] * 3, "the last value holds for 5 s"
    assert [one.packets_per_s for one in stage.known().members] == [None]
    last, _ = listener.ticks()[-1]
    assert all(value != value for value in (*last.collector_bits, *last.collector_packets)), "unknown is NaN, not 0"
    assert stage.ring_of("total:packets") == {1: 100, 2: 100}, "the ring holds what was measured, nothing that was held"


def test_what_was_lost_averages_over_its_seconds_in_the_ring(stage: Stage) -> None:
    agent = stage.agent()
    for second in range(8):
        agent.count(s4=100 + 30 * (second == 4))
        if second in {3, 4}:
            agent.seq += 1
        else:
            agent.send()
        stage.tick()
    assert stage.ring_of("total:packets") == {1: 100, 2: 100, 3: 110, 4: 110, 5: 110, 6: 100, 7: 100}
    assert stage.ring_of("ip:10.0.1.4:bits") == {second: value * 8_000 for second, value in stage.ring_of("total:packets").items()}


def test_sources_that_come_and_go_have_their_own_values_in_the_ring(stage: Stage) -> None:
    """Whatever columns they got: one of a source that went, one far from its neighbours, one in another order than the document's."""
    agent = stage.agent()
    present = {"s4", "s5", "s6", "s7"}
    expected: dict[str, dict[int, int]] = {}
    for second in range(12):
        present = present ^ {2: {"s5"}, 4: {"s8", "s9"}, 6: {"s5", "s4"}, 7: {"s4"}, 9: {"s6", "s7"}}.get(second, set())
        agent.packets = {address: count for address, count in agent.packets.items() if f"s{address.rpartition('.')[2]}" in present}
        order = sorted(present, reverse=second % 2 == 1)
        agent.packets = {address_of(name): agent.packets.get(address_of(name), 0) for name in order}
        for name in order:
            before = expected.setdefault(name, {})
            agent.count(**{name: 10 * second + int(name[1:])})
            if second:
                before[second] = 10 * second + int(name[1:])
        for name in expected.keys() - present:
            if second - 1 in expected[name] and expected[name][second - 1]:
                expected[name][second] = 0
        agent.send()
        stage.tick()
    for name, values in expected.items():
        assert stage.ring_of(f"ip:{address_of(name)}:packets") == values, name
        assert stage.ring_of(f"ip:{address_of(name)}:bits") == {second: value * 8_000 for second, value in values.items()}, name


def test_a_source_that_went_is_zero_once_and_a_restarted_agent_makes_no_spike(stage: Stage) -> None:
    agent = stage.agent()
    for second in range(4):
        agent.count(s4=100, s5=10)
        if second == 3:
            del agent.packets["10.0.1.5"]
        agent.send()
        stage.tick()
    assert stage.ring_of("ip:10.0.1.5:packets") == {1: 10, 2: 10, 3: 0}
    assert set(stage.sources()) == {"10.0.1.4"}
    agent.restart("boot-2")
    for _ in range(3):
        agent.count(s4=1_000_000 if agent.seq == 0 else 100)
        agent.send()
        stage.tick()
    assert stage.ring_of("total:packets") == {1: 110, 2: 110, 3: 70, 5: 100, 6: 100}, "the agent of this test counts in all what it lists"
    assert stage.known().members[0].boots_10min == 1
    assert set(stage.sources()) == {"10.0.1.4"}


def test_two_members_are_summed_and_a_missing_one_is_counted(stage: Stage) -> None:
    """Two machines behind a load balancer: one source spreads over both; no restart loop."""
    one, two = stage.agent(member="m-1", nic_key="n1", boot="x"), stage.agent(member="m-2", nic_key="n2", boot="y")
    for _ in range(4):
        one.count(s4=60, s5=5)
        two.count(s4=40)
        one.send()
        two.send()
        stage.tick()
    known = stage.known()
    assert known.packets_per_s == pytest.approx(105)
    assert {member.member: round(member.packets_per_s or 0) for member in known.members} == {"m-1": 65, "m-2": 40}
    assert [member.boots_10min for member in known.members] == [0, 0]
    assert stage.sources()["10.0.1.4"].packets_per_s == pytest.approx(100)
    assert stage.ring_of("ip:10.0.1.4:packets") == {1: 100, 2: 100, 3: 100}
    for _ in range(6):
        one.count(s4=60, s5=5)
        one.send()
        stage.tick()
    known = stage.known()
    assert known.packets_per_s == pytest.approx(65)
    assert known.members_missing == 1
    assert stage.sources()["10.0.1.4"].packets_per_s == pytest.approx(60)


def test_what_the_others_receive_is_not_the_sum_while_a_member_settles(stage: Stage) -> None:
    """One of two agents starts again: for the second that it takes the sum is unknown, in the tick and in the ring, never the other one's alone."""
    one, two = stage.agent(member="m-1", nic_key="n1", boot="x"), stage.agent(member="m-2", nic_key="n2", boot="y")
    told = []
    for second in range(10):
        if second == 5:
            two.restart("z")
        one.count(s4=60)
        two.count(s4=40)
        one.send()
        two.send()
        stage.tick()
        source = stage.sources().get("10.0.1.4")
        told.append((stage.known().packets_per_s, source.packets_per_s if source else None))
    assert told[0][0] is None
    assert told[5][0] is None
    assert [round(total or 0) for total, _ in told[1:5] + told[6:]] == [100] * 8
    assert {round(source) for _, source in told if source is not None} == {100}
    for column in ("total:packets", "ip:10.0.1.4:packets"):
        drawn = stage.ring_of(column)
        assert set(drawn.values()) == {100}, column
        assert drawn.keys() >= {2, 3, 4, 7, 8}, column


def test_a_source_of_sixty_seconds_has_rates_and_is_not_stale(stage: Stage) -> None:
    agent = stage.agent(interval_s=60.0)
    missing = []
    for second in range(240):
        agent.count(s4=10)
        if second % 60 == 0:
            agent.send()
        stage.tick()
        missing.append(stage.known().members_missing)
    assert set(missing) == {0}
    assert stage.known().packets_per_s == pytest.approx(10)
    assert stage.ring_of("total:packets", last_s=300) == dict.fromkeys(range(1, 181), 10)


def points(stage: Stage, *points: Point, lag_s: float = 90.0, member: str = "appliance", nic_key: str = "") -> Points:
    return Points(KEY, member, Origin.AZURE_MONITOR, 60.0, stage.clock.wall_ms, lag_s, list(points), nic_key)


def test_points_hold_for_their_interval_and_lag_and_fill_the_ring_late(stage: Stage) -> None:
    """Azure Monitor: one point a minute, 90 s late, of everything that the NIC receives."""
    for minute in range(4):
        for _ in range(60):
            stage.tick()
        end_ms = START_MS + minute * 60_000 - 30_000
        again = Point(end_ms - 60_000, 99.0, 99.0)  # told before
        send(stage.client, points(stage, *([again] if minute else []), Point(end_ms, 100.0, 105_000.0 + minute)))
    stage.tick()
    known = stage.known()
    assert known.wire_bits_per_s == pytest.approx(105_003 * 8)
    assert known.inner_bits_per_s == pytest.approx((105_003 - 50 * 100) * 8)
    assert (known.is_estimate, known.has_sources, known.members[0].lag_s, known.members_missing) == (True, False, 90.0, 0)
    packets = stage.ring_of("total:packets", last_s=400)
    assert packets == dict.fromkeys(range(-89, 151), 100)
    held_s = 0
    while stage.known().packets_per_s is not None:
        stage.tick()
        held_s += 1
        assert held_s < 300
    assert 265 <= held_s <= 275, "three intervals and the lag"
    assert stage.ring_of("total:packets", last_s=700) == packets


def test_members_with_different_sources_of_numbers_are_summed_second_by_second(stage: Stage) -> None:
    agent = stage.agent(nic_key="a" * 26)
    for _ in range(100):
        agent.count(s4=10)
        agent.send()
        stage.tick()
    assert stage.ring_of("total:packets", last_s=100)[30] == 10
    send(stage.client, points(stage, Point(START_MS + 60_000, 5.0, 5_000.0), nic_key="b" * 26))
    stage.tick()
    ring = stage.ring_of("total:packets", last_s=120)
    assert [ring[second] for second in (1, 60, 61)] == [15, 15, 10]


def test_azure_monitor_gives_way_to_the_agent_of_the_same_machine(stage: Stage) -> None:
    """The same packets are never counted twice: not while both tell, not for the minutes before the agent fell silent, not after it came back."""
    stage.clock.go_on(600_000)
    agent = stage.agent(nic_key="a" * 26)
    for _ in range(60):
        agent.count(s4=10)
        agent.send()
        stage.tick()
    minute = points(stage, Point(stage.clock.wall_ms, 7.0, 7_000.0), nic_key="a" * 26)
    send(stage.client, minute)
    stage.tick()
    assert ([one.member for one in stage.known().members], stage.known().packets_per_s) == (["m-1"], 10)
    for _ in range(30):
        stage.tick()
    send(stage.client, points(stage, *minute.points, Point(stage.clock.wall_ms, 7.0, 7_000.0), nic_key="a" * 26))
    stage.tick()
    assert (stage.known().packets_per_s, stage.known().members_missing) == (7, 0), "the sum lacks nothing, though the agent is silent"
    assert stage.known().has_sources
    assert set(stage.ring_of("total:packets", last_s=90).values()) == {7.0, 10.0}
    for _ in range(2):
        agent.count(s4=10)
        agent.send()
        stage.tick()
    assert [one.member for one in stage.known().members] == ["m-1"]
    assert set(stage.ring_of("total:packets", last_s=120).values()) <= {7.0, 10.0, round(20 / 33, 3), round(20 / 32, 3)}


def test_a_source_that_is_asked_no_more_counts_no_more(stage: Stage) -> None:
    stage.clock.go_on(120_000)
    send(stage.client, points(stage, Point(stage.clock.wall_ms, 1.0, 1_000.0)))
    stage.tick()
    assert stage.known().packets_per_s == 1
    send(stage.client, points(stage))
    stage.tick()
    assert (stage.known().packets_per_s, stage.known().members) == (None, [])


def test_a_minute_that_comes_late_fills_its_hole_and_changes_nothing_else(stage: Stage) -> None:
    stage.clock.go_on(300_000)
    end_ms = stage.clock.wall_ms
    send(stage.client, points(stage, Point(end_ms - 120_000, 1.0, 1_000.0), Point(end_ms, 3.0, 3_000.0)))
    stage.tick()
    send(stage.client, points(stage, Point(end_ms - 120_000, 9.0, 9.0), Point(end_ms - 60_000, 2.0, 2_000.0), Point(end_ms, 9.0, 9.0), lag_s=500.0))
    for _ in range(2):
        stage.tick()
    assert (stage.known().packets_per_s, stage.known().members[0].lag_s) == (3, 90.0), "who brings nothing newer is as late as it was"
    second = end_ms // 1000 - START_MS // 1000
    ring = stage.ring_of("total:packets", last_s=240)
    assert [ring[second - ago] for ago in (0, 59, 60, 119, 120, 179)] == [3, 3, 2, 2, 1, 1]
    send(stage.client, points(stage, Point(end_ms - 60_000, 2.0, 2_000.0)))
    stage.tick()
    assert stage.ring_of("total:packets", last_s=240)[second - 60] == 2


def test_means_and_shares_of_the_last_minutes(stage: Stage) -> None:
    agent = stage.agent(host={"rx_dropped": 0, "udp_no_ports": 0})
    for second in range(130):
        agent.count(s4=100, s5=20 if second >= 100 else 0)
        agent.host["rx_dropped"] += 1 if second in {125, 127} else 0
        agent.host["udp_no_ports"] += 50
        if second == 90:
            agent.seq += 6
        total = sum(agent.packets.values()) + 10 * second
        agent.given = {"packets": total, "l3_bytes": total * 1036}
        agent.send()
        stage.tick()
        if second == 20:
            assert stage.known().packets_per_s_60s is None, "not half a minute is known"
    stage.tick()
    known, (member,) = stage.known(), stage.known().members
    assert known.packets_per_s_60s == pytest.approx(120, abs=2)
    assert known.wire_bits_per_s_5s == pytest.approx(130 * 1_050 * 8)
    assert member.saturated_in_last_5 == 2
    assert member.drops_per_s["rx_dropped"] == 0
    assert member.drop_share_10s == pytest.approx(2 / 1_302, rel=0.1)
    assert member.no_ports_share_30s == pytest.approx(50 / 130, rel=0.01)
    assert member.unattributed_share_60s == pytest.approx(10 / 120, rel=0.1)
    assert member.seq_gap_share_60s == pytest.approx(6 / 66, rel=0.1)
    sources = stage.sources()
    assert sources["10.0.1.4"].packets_per_s_60s == pytest.approx(100)
    assert sources["10.0.1.5"].packets_per_s_60s == pytest.approx(10, abs=1)
    assert sources["10.0.1.5"].packets_per_s_900s is None
    assert sources["10.0.1.5"].first_packet_ms - START_MS == pytest.approx(100_000, abs=1_000)
    assert sources["10.0.1.5"].last_packet_ms - START_MS == pytest.approx(129_000, abs=1_000)


def test_what_a_source_sent_before_it_stopped_is_known_five_minutes_after_a_restart(stage: Stage) -> None:
    """H4 asks for the mean of 15 min; until then it is that of what is known, from 5 min on, so that who stops soon after a restart is seen to."""
    agent = stage.agent()
    means = []
    for second in range(330):
        agent.count(s4=200 if second < 200 else 0, s5=1)
        agent.send()
        stage.tick()
        if second % 2 and "10.0.1.4" in (sources := stage.sources()):
            means.append((second, sources["10.0.1.4"].packets_per_s_900s))
    assert {mean for second, mean in means if second < 290} == {None}
    last = means[-1][1]
    assert last == pytest.approx(200 * 199 / 329, rel=0.02)


def test_a_member_without_numbers_per_source_is_an_estimate_of_all_that_it_receives(stage: Stage) -> None:
    agent = stage.agent(host={"rx_bytes": 0, "rx_packets": 0}, given={"packets": None, "l3_bytes": None, "sources": None})
    for _ in range(3):
        agent.host["rx_bytes"] += 100_000
        agent.host["rx_packets"] += 100
        agent.send()
        stage.tick()
    known = stage.known()
    assert (known.is_estimate, known.has_sources) == (True, False)
    assert known.wire_bits_per_s == pytest.approx(800_000)
    assert known.inner_bits_per_s == pytest.approx(800_000 - 50 * 100 * 8)
    assert stage.sources() == {}


def test_who_is_asked_for_a_full_document(stage: Stage) -> None:
    """The field in BOOTS is what ingest asks; it is gone where the meter has no baseline."""
    agent = stage.agent(collector="k", member="m")
    agent.count(s4=1)
    agent.send(is_full=False)
    stage.tick()
    assert stage.client.hgetall(keys.BOOTS) == {}
    agent.send()
    stage.tick()
    assert stage.client.hgetall(keys.BOOTS) == {b"k/m": b"boot-1"}
    agent.restart("boot-2")
    agent.send(is_full=False)
    stage.tick()
    assert stage.client.hgetall(keys.BOOTS) == {}


def test_what_is_no_sample_stops_nothing(stage: Stage) -> None:
    agent = stage.agent()
    for _ in range(3):
        agent.count(s4=10)
        agent.send()
        stage.client.xadd(keys.SAMPLES, {keys.FIELD: b"\xc1"})
        stage.client.xadd(keys.SAMPLES, {"other": b"x"})
        send(stage.client, msgspec.structs.replace(points(stage), interval_s=float("inf"), points=[Point(1, 1.0, 1.0)]))
        stage.tick()
    assert stage.known().packets_per_s == pytest.approx(10)
    assert int(stage.client.hget(keys.METER_COUNTS, "samples_not_understood_total") or 0) > 6
    assert int(stage.client.hget(keys.METER_COUNTS, "samples_rate_total") or 0) == 2


def test_ticks_come_at_three_tenths_of_each_wall_second_also_after_a_late_one(stage: Stage) -> None:
    stage.clock.go_on(300)
    stage.service.tick()
    assert stage.service.until_tick_ms() == 1_000
    stage.clock.go_on(999)
    assert stage.service.until_tick_ms() == 1
    stage.clock.go_on(450)
    assert stage.service.until_tick_ms() == 0, "overdue is due, not the next second's"
    stage.service.tick()
    assert stage.service.until_tick_ms() == 551
    stage.clock.go_on(300)
    stage.service.tick()
    assert stage.service.until_tick_ms() == 1_251, "never two at once"
    stage.clock.set_by(-90_100)
    assert stage.service.until_tick_ms() == 1_351


def test_a_source_that_tells_no_packets_has_not_counted_none(stage: Stage) -> None:
    """Only bytes (as node exporters may forward them): packets are unknown, of it and of the sum with a member that counts them."""
    agent = stage.agent(member="m-2")
    for second in range(70):
        bytes_only = Counters(
            collector=KEY, member="m-1", origin=Origin.REMOTE_WRITE, interval_s=1.0, arrival_ms=stage.clock.wall_ms, boot="b", seq=second + 1,
            mono_ms=stage.clock.mono_ms, wall_ms=stage.clock.wall_ms, is_full=True, packets=None, l3_bytes=None, host={"rx_bytes": 1_000 * second},
            sources=None,
        )  # fmt: skip
        send(stage.client, bytes_only)
        if second > 65:
            agent.count(s4=10)
            agent.send()
        stage.tick()
        if second == 65:
            alone = stage.known()
            assert (alone.packets_per_s, alone.packets_per_s_60s) == (None, None), "no mirrored traffic (H2) would be said of 0"
            assert (alone.wire_bits_per_s, alone.wire_bits_per_s_5s) == (8_000, 8_000)
    known = stage.known()
    assert [member.packets_per_s for member in known.members] == [None, 10]
    assert (known.packets_per_s, known.wire_bits_per_s_5s is None) == (None, False)


def test_made_up_source_addresses_do_not_widen_the_ring(stage: Stage) -> None:
    """Whoever reaches the collector can send from any address: beyond some hundred unknown ones they are kept together."""
    agent = stage.agent()
    for _ in range(4):
        for number in range(UNKNOWN_MOST + 100):
            address = f"10.{number // 250}.7.{number % 250}"
            agent.packets[address] = agent.packets.get(address, 0) + 2
        agent.send()
        stage.tick()
    columns = stage.ring().columns
    assert len(columns) <= 4 + 2 * (UNKNOWN_MOST + 1)
    assert set(stage.ring_of(f"{OTHERS}:packets").values()) == {200}
    assert len(stage.sources()) == UNKNOWN_MOST + 100


def test_what_is_kept_of_a_member_goes_with_it(stage: Stage) -> None:
    """Members of exporters are named by whoever sends: none of those names stays in Redis for ever."""
    point = Point(stage.clock.wall_ms, 10.0, 1_000.0, None)
    send(stage.client, Points(KEY, "made-up", Origin.OTLP, 1.0, stage.clock.wall_ms, 0.0, [point]))
    stage.tick()
    name = keys.member_field(KEY, "made-up")
    assert stage.client.hexists(keys.METER_STATE, name)
    stage.clock.go_on(3_700_000)
    for _ in range(TIDY_EVERY + 1):
        stage.tick()
    assert stage.now() is None
    assert not stage.client.hexists(keys.METER_STATE, name)
    stage.client.hset(keys.METER_STATE, name, 1)
    stage.service.stop()
    stage.service.run()
    stage.service = stage.another()
    assert stage.service.acquire()
    assert not stage.client.hexists(keys.METER_STATE, name)


def test_whoever_judges_is_woken_once_when_a_collector_begins_to_drop_and_once_when_it_drops_worse(stage: Stage) -> None:
    agent = stage.agent(host={"rx_dropped": 0})
    stirred = Listener(stage, keys.STIRRED)

    def seconds(count: int, *, dropped: int) -> list[bytes]:
        for _ in range(count):
            agent.count(s4=1000)
            agent.host["rx_dropped"] += dropped
            agent.send()
            stage.tick()
        return stirred.words()

    assert seconds(12, dropped=0) == []
    assert seconds(2, dropped=1) == [], "2 of 5 samples are not enough (H9)"
    assert seconds(6, dropped=1) == [b"drops"], "a warning, said once"
    assert seconds(1, dropped=200) == [b"drops"], "2 % of 10 s by one second alone: an alarm"
    assert seconds(6, dropped=200) == []
    assert seconds(16, dropped=0) == [], "that it is better is found out in turn"
    assert seconds(3, dropped=200) == [b"drops"]
    stirred.close()
