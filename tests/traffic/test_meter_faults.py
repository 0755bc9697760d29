"""What may go wrong around the meter: restarts, a second one, Redis or the database away, clocks set. No wrong number, and recovery by itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.db import OperationalError, connection

from tests.traffic.meter_stage import KEY, START_MS, Agent, Listener, Stage
from tests.valkey import Valkey
from tests.waiting import eventually
from vtapweb.traffic import keys
from vtapweb.traffic.meter.lease import LeaseLostError
from vtapweb.traffic.samples import CollectorNow

ROOT = Path(__file__).resolve().parent.parent.parent
HOUR_MS = 3_600_000


@pytest.fixture
def stage(valkey: Valkey) -> Iterator[Stage]:
    with Stage(valkey) as stage:
        yield stage


def play(stage: Stage, agent: Agent, seconds: int, *, packets: int = 100) -> list[CollectorNow]:
    """So many seconds of a steady source; what is known after each."""
    found = []
    for _ in range(seconds):
        agent.count(s4=packets)
        agent.send()
        stage.tick()
        found.append(stage.known())
    return found


def right(known: CollectorNow, packets: int = 100) -> bool:
    """Unknown, or what was sent."""
    return known.packets_per_s is None or known.packets_per_s == pytest.approx(packets)


# -- restarts, and two of them


def test_after_a_restart_the_first_samples_are_baselines_and_the_ring_goes_on(stage: Stage) -> None:
    agent, silent = stage.agent(), stage.agent(collector="silent")
    silent.count(s4=1)
    silent.send()
    before = play(stage, agent, 5)[-1]
    table = stage.meter().table
    agent.count(s4=100)
    agent.send()  # while nobody reads
    stage.service.stop()
    stage.service.run()
    assert stage.client.exists(keys.METER_LEASE) == 0, "the next one need not wait"
    stage.service = stage.another()
    assert stage.service.acquire()
    assert stage.client.hgetall(keys.BOOTS) == {}, "everybody is asked for a full document"
    stage.clock.go_on(1_000)
    after = play(stage, agent, 4)
    assert [right(known) for known in after] == [True] * 4
    assert after[-1].packets_per_s == before.packets_per_s
    assert set(stage.ring_of("total:packets").values()) == {100}, "no spike"
    assert stage.ring_of("total:packets").keys() >= {1, 4, 8, 9}
    assert stage.meter().table > table
    assert stage.meter().seq > 5
    assert [member.packets_per_s for member in stage.known("silent").members] == [None], "who fell silent is still seen to be"


def test_two_meters_never_write(stage: Stage) -> None:
    agent = stage.agent()
    second = stage.another()
    assert not second.acquire(), "one works, the other stands by"
    with pytest.raises(LeaseLostError):
        second.tick()
    play(stage, agent, 3)
    stage.client.delete(keys.METER_LEASE)  # the first one was away for longer than its lease
    first, stage.service = stage.service, second
    assert second.acquire()
    play(stage, agent, 3)
    written = stage.client.dump(keys.NOW)
    with pytest.raises(LeaseLostError):
        first.tick()
    assert stage.client.dump(keys.NOW) == written
    assert not first.acquire()
    assert stage.meter().fence == 2
    assert stage.known().packets_per_s == pytest.approx(100)


def test_a_lease_that_changes_hands_within_a_tick_lets_nothing_through(stage: Stage) -> None:
    play(stage, stage.agent(), 2)
    with stage.client.pipeline(transaction=True) as pipe:
        stage.service._lease.begin(pipe)
        pipe.set(keys.METER, b"late")
        stage.client.set(keys.METER_LEASE, "7:another")
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert stage.meter().seq == 2


def test_a_lease_that_only_ran_out_is_taken_again_with_everything_known(stage: Stage) -> None:
    agent = stage.agent()
    play(stage, agent, 3)
    stage.client.delete(keys.METER_LEASE)
    assert play(stage, agent, 1)[0].packets_per_s == pytest.approx(100), "nobody else wrote, so no baseline is needed"
    assert stage.client.exists(keys.METER_LEASE)
    play(stage, agent, 1)
    assert stage.client.hget(keys.METER_COUNTS, "lease_lapsed_total") == b"1"
    assert stage.meter().fence == 1


# -- Redis


def test_redis_gone_for_a_minute_and_come_back_empty(stage: Stage, valkey: Valkey) -> None:
    agent = stage.agent()
    play(stage, agent, 10)
    valkey.kill()
    for _ in range(60):
        agent.count(s4=100)
        stage.clock.go_on(1_000)
    with pytest.raises(redis.RedisError):
        stage.service.tick()
    with pytest.raises(redis.RedisError):
        stage.service.acquire()
    valkey.start()
    assert stage.service.acquire()
    stage.tick()
    assert stage.client.hgetall(keys.BOOTS) == {b"%s/m-1" % KEY.encode(): b"boot-1"}, "it has a baseline of them still"
    assert stage.known().packets_per_s is None, "stale"
    after = play(stage, agent, 5)
    assert all(right(known) for known in after)
    assert after[-1].packets_per_s == pytest.approx(100)
    assert stage.meter().started_ms >= START_MS + 70_000, "silence means starting again"
    listener = Listener(stage)
    play(stage, agent, 1)
    (tick, table) = listener.ticks()[-1]
    listener.close()
    assert dict(zip(table.collectors, tick.collector_packets, strict=True)) == {KEY: pytest.approx(100)}
    assert set(stage.ring_of("total:packets").values()) == {100}


@pytest.mark.parametrize("fault", ["redis", "web", "meter"])
def test_members_come_back_one_by_one_and_the_first_is_not_the_sum(stage: Stage, valkey: Valkey, fault: str) -> None:
    one, two = stage.agent(member="m-1", nic_key="n1"), stage.agent(member="m-2", nic_key="n2")

    def second(*senders: Agent) -> float | None:
        for agent in (one, two):
            agent.count(s4=50)
        for agent in senders:
            agent.send()
        stage.tick()
        known = stage.known().packets_per_s
        source = stage.sources().get("10.0.1.4")
        assert known is None or source is None or source.packets_per_s in (None, pytest.approx(known))
        return known

    for _ in range(5):
        told = second(one, two)
    assert told == pytest.approx(100)
    if fault == "redis":
        valkey.kill()
        stage.clock.go_on(60_000)
        with pytest.raises(redis.RedisError):
            stage.service.tick()
        valkey.start()
        assert stage.service.acquire()
    elif fault == "meter":
        stage.service.stop()
        stage.service.run()
        stage.clock.go_on(60_000)
        stage.service = stage.another()
        assert stage.service.acquire()
    else:
        assert [second() for _ in range(60)][-1] is None
    assert {second(one) for _ in range(12)} == {None}, "half of it is nobody's rate"
    told = [second(one, two) for _ in range(4)][-1]
    assert told == pytest.approx(100)
    assert set(stage.ring_of("total:packets").values()) == {100}
    assert {second() for _ in range(20)} >= {None}
    assert [second(one) for _ in range(40)][-1] == pytest.approx(50), "the other one is missing, and not waited for any longer"


def test_a_short_loss_of_redis_is_averaged_over(stage: Stage, valkey: Valkey) -> None:
    agent = stage.agent()
    play(stage, agent, 5)
    valkey.kill()
    for _ in range(4):
        agent.count(s4=100)
        stage.clock.go_on(1_000)
    with pytest.raises(redis.RedisError):
        stage.service.tick()
    valkey.start()
    assert stage.service.acquire()
    play(stage, agent, 3)
    assert stage.ring_of("total:packets") == dict.fromkeys(range(5, 12), 100), "the ring before is lost with that Redis, the gap is known"


# -- clocks


@pytest.mark.parametrize("by_ms", [HOUR_MS, -HOUR_MS, 90_000, -90_000])
def test_a_clock_that_is_set_draws_nothing_wrong(stage: Stage, by_ms: int) -> None:
    agent = stage.agent()
    play(stage, agent, 20)
    first_ms = stage.sources()["10.0.1.4"].first_packet_ms
    stage.clock.set_by(by_ms)
    after = play(stage, agent, 10)
    assert all(known.packets_per_s == pytest.approx(100) for known in after), "rates know nothing of wall clocks"
    assert all(abs(known.members[0].measured_ms - known.at_ms) < 2_000 for known in after[1:] if known.members[0].measured_ms)
    assert stage.sources()["10.0.1.4"].first_packet_ms - first_ms == pytest.approx(by_ms, abs=50), "as long ago as it was"
    ring = stage.ring_of("total:packets", last_s=900)
    newest = max(ring)
    assert set(ring.values()) == {100}
    assert newest == pytest.approx((stage.clock.wall_ms - START_MS) // 1000, abs=2)
    assert len([second for second in ring if second > newest - 8]) == 8
    if by_ms < 0:
        assert min(ring) >= newest - 12, "seconds that come again were forgotten"


def test_a_sample_from_before_the_clock_was_set_confuses_nothing(stage: Stage) -> None:
    agent = stage.agent()
    play(stage, agent, 5)
    agent.count(s4=100)
    agent.send()
    stage.clock.set_by(HOUR_MS)
    stage.tick()
    after = play(stage, agent, 10)
    assert all(right(known) for known in after)
    assert max(stage.ring_of("total:packets", last_s=900)) == pytest.approx((stage.clock.wall_ms - START_MS) // 1000, abs=2)


# -- the database


@pytest.mark.django_db
def test_a_locked_database_stops_no_tick(stage: Stage) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("database is locked")

    agent = stage.agent()
    stage.tables.look_if_possible(mono_s=0.0)
    play(stage, agent, 2)
    with connection.execute_wrapper(locked):
        for _ in range(30):
            stage.tables.look_if_possible(mono_s=1_000.0)
            assert stage.tables.is_database_away
            assert right(play(stage, agent, 1)[0])
    stage.tables.look_if_possible(mono_s=2_000.0)
    assert not stage.tables.is_database_away


# -- the process


def start_meter(valkey: Valkey, data_dir: Path) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("VTAPWEB_", "AZURE_", "DATABASE_URL"))}
    own = {
        "REDIS_URL": valkey.url, "VTAPWEB_DATA_DIR": str(data_dir), "VTAPWEB_ENV_FILE": os.devnull, "VTAPWEB_CLOUD": "simulator",
        "DJANGO_SETTINGS_MODULE": "vtapweb.config.settings",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "manage.py", "meter"], cwd=ROOT, env={**inherited, **own}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_the_process_ticks_without_a_database_and_another_takes_over(valkey: Valkey, tmp_path: Path) -> None:
    client = redis.Redis.from_url(valkey.url)

    def lease() -> str:
        value = client.get(keys.METER_LEASE)
        return value.decode() if isinstance(value, bytes) else ""

    with start_meter(valkey, tmp_path / "one") as first, start_meter(valkey, tmp_path / "two") as second:
        try:
            eventually(lambda: client.exists(keys.METER) and client.hget(keys.METER_COUNTS, "ticks_total"), within_s=120, why="a tick")
            working, waiting = (first, second) if f":{first.pid}:" in lease() else (second, first)
            working.kill()
            eventually(lambda: f":{waiting.pid}:" in lease(), within_s=120, why="the other one works")
            waiting.send_signal(signal.SIGTERM)
            said, _ = waiting.communicate(timeout=30)
            assert waiting.returncode == 0, said
            assert "Traceback" not in said
            assert lease() == "", "released"
        finally:
            for process in (first, second):
                process.kill()
            client.close()
