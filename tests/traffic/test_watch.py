"""The watch over a real Redis and database: what is raised, what is folded, and what must never be raised."""

import threading
from datetime import datetime, timedelta

import msgspec
import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from tests.inventory.factories import make_nic, make_run, make_subscription_sync, make_tap
from tests.traffic.locking import locked_for_writing
from tests.traffic.played_ring import write_ring
from tests.traffic.watching import Stage, collector_now, member_now, source_now
from tests.valkey import Valkey
from tests.waiting import eventually
from vtapweb.domain.health import CollectorState
from vtapweb.domain.scope import Scope
from vtapweb.events.models import OutboxEvent
from vtapweb.inventory.models import (
    KindState,
    ResourceChange,
    ResourceKind,
    Subscription,
    TapConfiguration,
    VirtualMachine,
    VirtualNetworkPeering,
)
from vtapweb.traffic import keys
from vtapweb.traffic.models import (
    Alarm,
    AlarmEvent,
    CollectorAssignment,
    CollectorHealth,
    CollectorMaintenance,
    CollectorToken,
    HealthLease,
    SourceFlow,
)
from vtapweb.traffic.ring import packets_column
from vtapweb.traffic.selectors.health import collector_health
from vtapweb.traffic.watch.judge import at
from vtapweb.traffic.watch.stirring import Stirring

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture
def stage(valkey: Valkey) -> Stage:
    return Stage(valkey).running()


def state(stage: Stage) -> CollectorState:
    return CollectorState(CollectorHealth.objects.get(collector_key=stage.key).state)


def test_all_is_well(stage: Stage) -> None:
    assert stage.open_alarms() == []
    assert state(stage) is CollectorState.OK


def test_h01_an_agent_that_was_killed_is_stale_then_an_alarm(stage: Stage) -> None:
    stage.quiet.add(stage.key)
    stage.pass_s(10)
    assert state(stage) is CollectorState.STALE
    assert stage.open_alarms() == []
    stage.pass_s(25)
    alarm = stage.only_alarm()
    assert state(stage) is CollectorState.SILENT
    assert (alarm.rule_ids, alarm.severity, alarm.collector_key) == (["H1"], "alarm", stage.key)
    assert alarm.sentence == "nic-packetlog: no report for 35 s. Traffic may still be arriving; we can't see it."
    assert alarm.child_count == 4
    assert alarm.path[-2]["kind"] == "agent"
    assert alarm.path[-2]["state"] == "broken"


@pytest.mark.both_databases
def test_h01_a_collector_that_comes_back_clears_its_alarm(stage: Stage) -> None:
    stage.quiet.add(stage.key)
    stage.pass_s(40)
    number = stage.only_alarm().number
    stage.quiet.clear()
    stage.pass_s(20)
    assert stage.open_alarms() == []
    cleared = Alarm.objects.get(number=number)
    assert [one.kind for one in cleared.events.all()] == ["raised", "cleared"]
    assert state(stage) is CollectorState.OK
    stage.quiet.add(stage.key)
    stage.pass_s(40)
    assert stage.only_alarm().number == number  # shortly after, it is the same alarm


def test_h01_a_60_s_source_is_never_taken_for_silent(stage: Stage) -> None:
    stage.collectors[stage.key] = collector_now(stage.key, member_now(stage.now_s, interval_s=60.0), has_sources=False)
    for _ in range(4):
        stage.turn()
        stage.quiet.add(stage.key)
        stage.pass_s(60)
        stage.quiet.clear()
    assert stage.open_alarms() == []
    assert Alarm.objects.count() == 0


def test_h02_reports_but_nothing_mirrored_arrives(stage: Stage) -> None:
    stage.set_collector(packets_per_s_60s=0.0, packets_per_s=0.0)
    stage.sources[stage.key] = [msgspec.structs.replace(row, packets_per_s=0.0, packets_per_s_60s=0.0) for row in stage.sources[stage.key]]
    stage.pass_s(10)
    alarm = stage.only_alarm()
    assert alarm.rule_ids == ["H2", "H4"]
    assert "reporting, but no mirrored traffic" in alarm.sentence
    assert "4 sources expected." in alarm.sentence
    assert state(stage) is CollectorState.EMPTY


@pytest.mark.both_databases
def test_h03_a_silent_source_whose_vm_is_stopped_is_no_alarm(stage: Stage) -> None:
    stage.sources[stage.key].pop(0)
    vm = stage.estate.nics[0].virtual_machine_key
    VirtualMachine.objects.filter(key=vm).update(power_state="deallocated")
    stage.pass_s(310)
    assert stage.open_alarms() == []


def test_h03_a_source_that_never_sent(stage: Stage) -> None:
    stage.sources[stage.key].pop(0)
    stage.pass_s(10)
    alarm = stage.only_alarm()
    assert (alarm.rule_ids, alarm.title, alarm.nic_key) == (["H3"], "app-01-nic", stage.estate.nics[0].key)
    assert "not a packet has come from it" in alarm.sentence


def test_h03_and_h11_where_not_all_sources_are_told_apart(stage: Stage) -> None:
    stage.sources[stage.key].pop(0)
    (member,) = stage.collectors[stage.key].members
    untold = msgspec.structs.replace(member, sources_beyond=7, sources_kept=20_000, unattributed_share_60s=0.2)
    stage.set_collector(members=[untold])
    stage.pass_s(400)
    alarm = stage.only_alarm()
    assert alarm.rule_ids == ["H11"], "who is not listed may be among those beyond: not silent"
    assert alarm.sentence.endswith("counted for no source. 7 sources beyond 20,000 are not told apart; totals include them.")


@pytest.mark.both_databases
def test_h04_then_h03_are_one_alarm(stage: Stage) -> None:
    stage.set_source(0, packets_per_s=0.0, packets_per_s_60s=0.0)
    stage.pass_s(10)
    first = stage.only_alarm()
    assert (first.rule_ids, first.severity) == (["H4"], "warning")
    assert first.sentence.startswith("app-01-nic: source stopped.")
    stage.pass_s(310)
    again = stage.only_alarm()
    assert (again.number, again.rule_ids, again.severity) == (first.number, ["H3", "H4"], "alarm")
    assert AlarmEvent.objects.filter(alarm=again, kind="worse").count() == 1


@pytest.mark.parametrize(
    ("packets_per_s", "is_raised"),
    [
        ([500.0] * 840 + [0.0] * 60, True),
        ([500.0] * 600 + [float("nan")] * 200 + [0.0] * 60, True),  # nothing was known while the meter was away
        ([500.0] * 880 + [0.0] * 20, False),  # not for a minute yet
        ([500.0] * 200 + [0.0] * 60, False),  # too little is known
        ([50.0] * 840 + [0.0] * 60, False),
        ([0.0] * 900, False),
        ([], False),
    ],
)
def test_h04_of_a_meter_that_has_just_begun(stage: Stage, packets_per_s: list[float], *, is_raised: bool) -> None:
    nic = stage.estate.nics[0]
    stage.set_source(0, packets_per_s=0.0, packets_per_s_60s=0.0, packets_per_s_900s=None, last_packet_ms=0)
    end_s = int(stage.now_s) + 5  # the next turn's
    if packets_per_s:
        write_ring(stage.client, stage.key, end_s - len(packets_per_s), {packets_column(nic.key): packets_per_s})
    stage.pass_s(5)
    assert [one.nic_key for one in stage.open_alarms() if "H4" in one.rule_ids] == ([nic.key] if is_raised else [])
    if is_raised:
        last_s = end_s - len(packets_per_s) + max(second for second, value in enumerate(packets_per_s) if value > 0)
        assert datetime.fromisoformat(stage.only_alarm().facts["since"]) == at(last_s)


def test_h04_asks_the_ring_now_and_then_until_it_knows(stage: Stage) -> None:
    def reads() -> int:
        """How often rows of rings were read up to now."""
        told: dict[str, dict[str, int]] = stage.client.info("commandstats")
        return told.get("cmdstat_getrange", {"calls": 0})["calls"]

    column = packets_column(stage.estate.nics[0].key)
    stage.set_source(0, packets_per_s=0.0, packets_per_s_60s=0.0, packets_per_s_900s=None)
    write_ring(stage.client, stage.key, int(stage.now_s) - 60, {column: [500.0] * 60})
    stage.pass_s(60)
    assert reads() >= 4 * 15, "every 15 s, a minute at a time"
    assert stage.open_alarms() == []
    write_ring(stage.client, stage.key, int(stage.now_s) - 800, {column: [500.0] * 740 + [0.0] * 60})
    stage.pass_s(20)
    assert stage.only_alarm().rule_ids == ["H4"]
    so_far = reads()
    stage.pass_s(60)
    stage.set_source(0, packets_per_s_900s=0.0)
    stage.pass_s(60)
    assert reads() == so_far
    assert stage.only_alarm().rule_ids == ["H4"], "that the mean fades does not end it"


def test_h05_an_unknown_source_and_h06_an_ambiguous_one(stage: Stage) -> None:
    stage.sources[stage.key].append(source_now("", stage.now_s, address="10.9.9.9"))
    stage.sources[stage.key].append(source_now("", stage.now_s, address="10.9.9.8", is_ambiguous=True))
    stage.pass_s(5)
    assert sorted(one.rule_ids for one in stage.open_alarms()) == [["H5"], ["H6"]]


def test_h05_what_came_before_a_mirror_was_taken_off_is_no_unknown_source(stage: Stage) -> None:
    stage.sources[stage.key].append(source_now("", stage.now_s, address="10.9.9.9", tap_configuration_key="t" * 26))
    stage.pass_s(5)
    stage.set_source(-1, tap_configuration_key="")
    stage.pass_s(65)  # its packets of the last 60 s are still counted
    assert stage.open_alarms() == []
    stage.pass_s(20)
    assert stage.only_alarm().rule_ids == ["H5"], "it goes on: somebody mirrors without a TAP configuration"


@pytest.mark.both_databases
def test_h08_near_and_over_capacity(stage: Stage) -> None:
    CollectorAssignment.objects.create(
        destination_key=stage.key, destination_id=stage.estate.tap.destination_id, subscription_id=stage.estate.subscription.subscription_id,
        name="packet log", capacity_bits_per_s=10**9, by="kim", at=at(stage.now_s),
    )  # fmt: skip
    stage.set_collector(wire_bits_per_s_5s=0.8e9)
    stage.pass_s(5)
    assert stage.only_alarm().severity == "warning"
    assert state(stage) is CollectorState.NEAR
    stage.set_collector(wire_bits_per_s_5s=0.99e9)
    stage.pass_s(5)
    assert stage.only_alarm().severity == "alarm"
    assert state(stage) is CollectorState.OVER
    assert stage.only_alarm().sentence == "packet log: 990 Mb/s of 1.00 Gb/s, 99 % of its capacity."
    events = stage.only_alarm().events.count()
    stage.set_collector(wire_bits_per_s_5s=1.2e9)
    stage.pass_s(70)
    assert stage.only_alarm().sentence == "packet log: 1.20 Gb/s of 1.00 Gb/s, 120 % of its capacity."
    assert stage.only_alarm().events.count() == events, "figures move, and nothing has happened"


def test_h09_drops_are_told(stage: Stage) -> None:
    member = msgspec.structs.replace(stage.collectors[stage.key].members[0], drop_share_10s=0.02, drops_per_s={"sock_drops": 20.0})
    stage.set_collector(members=[member])
    stage.pass_s(5)
    assert stage.only_alarm().sentence == "nic-packetlog: dropping. 2 % of packets lost, by the tool's socket; what it shows is too little."
    assert state(stage) is CollectorState.DROPPING


@pytest.mark.both_databases
def test_what_is_over_is_told_with_the_figures_of_when_it_was_so(stage: Stage) -> None:
    key = stage.collectors[stage.key].members[0]
    stage.set_collector(members=[msgspec.structs.replace(key, saturated_in_last_5=5, drop_share_10s=0.012, drops_per_s={"rx_dropped": 12.0})])
    stage.pass_s(70)
    assert "1.2 % of packets lost" in stage.only_alarm().sentence
    stage.set_collector(members=[key])
    stage.pass_s(120)
    alarm = Alarm.objects.get()
    assert alarm.state == "cleared"
    assert "1.2 % of packets lost, by the NIC" in alarm.sentence


@pytest.mark.both_databases
def test_h03_of_a_source_that_a_new_meter_never_saw_tells_of_its_last_packet(stage: Stage) -> None:
    silent = stage.sources[stage.key][0]
    mirror = TapConfiguration.objects.get(network_interface_id=silent.nic_key)
    last_at = at(stage.now_s - 60)
    SourceFlow.objects.create(
        tap_configuration_key=mirror.key, collector_key=stage.key, nic_key=silent.nic_key, first_at=mirror.first_seen_at, last_at=last_at
    )
    stage.set_source(0, packets_per_s=0.0, packets_per_s_60s=0.0, packets_per_s_900s=0.0, last_packet_ms=0)
    stage.pass_s(260)
    alarm = stage.only_alarm()
    assert alarm.rule_ids == ["H3"]
    assert alarm.sentence.startswith("app-01-nic: nothing has reached nic-packetlog for 5 min 5 s.")
    assert datetime.fromisoformat(alarm.children[0]["since"]) == last_at


@pytest.mark.both_databases
def test_a_broken_peering_is_one_alarm_with_its_children(stage: Stage) -> None:
    """The sync that tells of the peering may come after the silence: the alarm keeps its number and learns its cause."""
    stage.set_collector(packets_per_s_60s=0.0, packets_per_s=0.0)
    stage.sources[stage.key] = [msgspec.structs.replace(row, packets_per_s=0.0, packets_per_s_60s=0.0) for row in stage.sources[stage.key]]
    stage.pass_s(10)
    number = stage.only_alarm().number
    peering = VirtualNetworkPeering.objects.get(name="to-spoke")
    VirtualNetworkPeering.objects.filter(pk=peering.pk).update(peering_state="Disconnected")
    ResourceChange.objects.create(
        subscription_id=peering.subscription_id, kind="peerings", key=peering.key, arm_id=peering.arm_id, name=peering.name, action="changed",
        fields={"peering_state": ["Connected", "Disconnected"]}, at=at(stage.now_s),
    )  # fmt: skip
    ResourceChange.objects.create(
        subscription_id=peering.subscription_id, kind="peerings", key="z" * 26, arm_id="/elsewhere", name="elsewhere", action="changed",
        fields={"peering_state": ["Connected", "Disconnected"]}, at=at(stage.now_s - 60),
    )  # fmt: skip
    subscription = Subscription.objects.get(pk=peering.subscription_id)
    first = make_subscription_sync(run=make_run(), subscription=subscription).run
    ResourceChange.objects.create(
        subscription_id=peering.subscription_id, kind="peerings", key=peering.key, arm_id=peering.arm_id, name=peering.name, action="added",
        run=first, at=at(stage.now_s),
    )  # fmt: skip
    stage.pass_s(310)
    alarm = stage.only_alarm()
    assert alarm.number == number
    assert alarm.broken_hop is not None
    assert alarm.broken_hop["kind"] == "peering_of_collector"
    assert alarm.broken_hop["words"] == "the peering spoke ↔ hub is Disconnected on hub's side"
    assert alarm.child_count == 4
    assert set(alarm.rule_ids) == {"H2", "H3", "H4"}
    assert alarm.sentence.endswith("4 sources expected. 03:00 the peering spoke ↔ hub is Disconnected on hub's side.")
    told = [(one["words"], one["on_way"]) for one in alarm.happened_before]
    assert told == [
        ("Peering to-spoke became Disconnected", True),
        ("Peering elsewhere became Disconnected", False),
    ]  # that on the way first, without what the first sync found
    assert "cause_found" in {one.kind for one in alarm.events.all()}
    assert Alarm.objects.count() == 1


@pytest.mark.both_databases
def test_the_way_of_an_open_alarm_is_as_old_as_what_syncs_read(stage: Stage) -> None:
    """Nothing else moves meanwhile: no event is told, and the history stays as it is."""
    stage.sources[stage.key].pop(0)
    stage.pass_s(5)
    before = stage.only_alarm()
    read = at(stage.now_s + 60)
    KindState.objects.update(last_complete_at=read)
    stage.pass_s(65)  # the estate is read again after a minute
    alarm = stage.only_alarm()
    assert {hop["seen_at"] for hop in alarm.path if hop["kind"] == "vm"} == {read.isoformat()}
    assert alarm.changed_at == before.changed_at
    assert alarm.events.count() == 1


def with_second_collector(stage: Stage) -> str:
    nic = make_nic("nic-second", subnet=stage.estate.subnet, address="10.0.1.6", mac="00-0D-3A-FF-00-02")
    tap = make_tap("tap-second", destination_id=f"{nic.arm_id}/ipConfigurations/ipconfig1")
    stage.collectors[tap.destination_key] = collector_now(tap.destination_key, member_now(stage.now_s, member="m-2"))
    stage.watch = stage.another()
    HealthLease.objects.update(until=None)
    stage.pass_s(35)
    return tap.destination_key


@pytest.mark.both_databases
def test_all_collectors_silent_at_once_are_one_alarm_about_our_intake(stage: Stage) -> None:
    second = with_second_collector(stage)
    stage.quiet |= {stage.key, second}
    stage.pass_s(40)
    alarm = stage.only_alarm()
    assert alarm.subject_kind == "intake"
    assert alarm.sentence == "All 2 collectors went quiet within 1 s. Check vtapweb's own intake first. Your collectors may be fine."
    stage.quiet -= {second}
    stage.pass_s(10)
    assert stage.only_alarm().number == alarm.number  # one comes back before the other
    stage.quiet.clear()
    stage.pass_s(20)
    assert stage.open_alarms() == []
    assert Alarm.objects.count() == 1


def test_one_member_of_a_pool_is_degraded(stage: Stage) -> None:
    stage.collectors[stage.key] = collector_now(stage.key, member_now(stage.now_s), member_now(stage.now_s, member="m-2"))
    stage.pass_s(10)
    stage.quiet.add("m-2")
    stage.pass_s(40)
    alarm = stage.only_alarm()
    assert (alarm.subject_kind, alarm.severity) == ("member", "warning")
    assert state(stage) is CollectorState.DEGRADED
    assert stage.watch.turn() is not None


def test_a_start_raises_nothing_for_30_s(valkey: Valkey) -> None:
    stage = Stage(valkey)
    stage.healthy()
    stage.quiet.add(stage.key)
    stage.now_s += 60
    stage.steady_s += 60
    stage.watch = stage.another()
    stage.turn()
    assert state(stage) is CollectorState.STARTING
    stage.pass_s(30)
    assert stage.open_alarms() == []
    stage.pass_s(5)
    assert [one.rule_ids for one in stage.open_alarms()] == [["H1"]]


def test_it_is_told_until_when_rules_wait(stage: Stage) -> None:
    def settled_s() -> float | None:
        at = HealthLease.objects.get().settled_at
        return None if at is None else at.timestamp()

    stage.turn()
    assert (settled_s() or 0) <= stage.now_s
    stage.is_meter_there = False
    stage.pass_s(10)
    assert settled_s() is None
    stage.is_meter_there = True
    stage.meter_since_s = since_s = stage.now_s
    stage.pass_s(10)
    assert settled_s() == since_s + 300


def test_a_restarted_meter_raises_nothing(stage: Stage) -> None:
    stage.is_meter_there = False
    stage.quiet.add(stage.key)
    stage.pass_s(20)
    assert state(stage) is CollectorState.UNKNOWN
    stage.is_meter_there = True
    stage.meter_since_s = stage.now_s
    stage.pass_s(20)
    stage.quiet.clear()
    stage.pass_s(60)
    assert Alarm.objects.count() == 0
    assert state(stage) is CollectorState.OK


def test_a_meter_that_stays_away_is_one_alarm_about_ourselves(stage: Stage) -> None:
    stage.is_meter_there = False
    stage.pass_s(40)
    assert stage.only_alarm().sentence == "No live numbers for 35 s: vtapweb's meter does not run. Your collectors may be fine."


@pytest.mark.both_databases
def test_redis_that_is_away_raises_nothing_and_is_said_once(stage: Stage, settings: Settings) -> None:
    url = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    stage.now_s += 120
    stage.steady_s += 120
    assert stage.watch.turn() is None
    assert stage.watch.turn() is None
    found = collector_health(Scope.everything(), now=at(stage.now_s))[stage.key]
    assert found.state is CollectorState.UNKNOWN
    assert "Redis does not answer" in found.sentence
    settings.REDIS_URL = url
    assert stage.watch.turn() is not None  # old numbers, but we have only begun to look again
    stage.pass_s(60)
    assert Alarm.objects.count() == 0
    assert HealthLease.objects.get().blind_since is None


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_locked_for_30_s_raises_nothing_and_it_is_said_that_nobody_saw(valkey: Valkey) -> None:
    """Nobody's token can be looked up meanwhile, so agents are refused and fall silent too: that is ours, not theirs."""
    stage = Stage(valkey).running()
    stage.quiet.add(stage.key)
    with locked_for_writing(HealthLease):
        for _ in range(7):
            assert stage.pass_s(5) is None
        found = collector_health(Scope.everything(), now=at(stage.now_s))[stage.key]
        assert found.state is CollectorState.UNKNOWN
        assert found.sentence.startswith("Nobody has judged its health since 03:")
    assert stage.pass_s(5) is not None
    assert state(stage) is CollectorState.STARTING
    stage.quiet.clear()
    stage.pass_s(60)
    assert Alarm.objects.count() == 0
    assert state(stage) is CollectorState.OK
    stage.quiet.add(stage.key)  # and it still sees what is really wrong
    stage.pass_s(40)
    assert stage.only_alarm().rule_ids == ["H1"]


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_clock_that_was_set_raises_nothing(stage: Stage, step_s: int) -> None:
    stage.write()
    stage.now_s += step_s
    stage.steady_s += 5
    stage.watch.turn()  # the numbers are still those of the old clock
    stage.pass_s(60)
    assert Alarm.objects.count() == 0
    stage.quiet.add(stage.key)
    stage.pass_s(40)
    assert len(stage.open_alarms()) == 1


def test_what_redis_forgot_is_remembered(stage: Stage) -> None:
    """With a live token somebody means it to send, so an empty Redis is no reason to be content."""
    CollectorToken.objects.create(
        destination_key=stage.key, destination_id="/x", subscription_id=stage.estate.subscription.subscription_id, name="n", digest="d", prefix="p"
    )
    stage.pass_s(5)
    stage.collectors.clear()
    stage.pass_s(40)
    assert stage.only_alarm().rule_ids == ["H1"]


@pytest.mark.both_databases
def test_maintenance_mutes_the_collector_s_own_health_and_ends_with_an_alarm(stage: Stage) -> None:
    now = at(stage.now_s)
    CollectorMaintenance.objects.create(
        collector_key=stage.key, destination_id="/x", subscription_id=stage.estate.subscription.subscription_id, name="nic-packetlog",
        starts_at=now, ends_at=now + timedelta(minutes=5), owner="kim", reason="new kernel", by="kim", at=now,
    )  # fmt: skip
    stage.quiet.add(stage.key)
    stage.pass_s(290)
    assert stage.open_alarms() == []
    assert state(stage) is CollectorState.MAINTENANCE
    stage.pass_s(20)
    assert stage.only_alarm().rule_ids == ["H1"]


@pytest.mark.both_databases
def test_only_one_of_two_leads_and_the_other_takes_over(stage: Stage) -> None:
    other = stage.another()
    stage.write()
    assert other.turn() is None
    fence = HealthLease.objects.get().fence
    stage.now_s += 21
    stage.steady_s += 21
    stage.write()
    assert other.turn() is not None
    assert HealthLease.objects.get().fence == fence + 1
    assert stage.watch.turn() is None
    other.let_go()
    assert stage.watch.turn() is not None


@pytest.mark.both_databases
def test_who_lost_the_lease_writes_nothing(stage: Stage) -> None:
    HealthLease.objects.update(fence=99)
    stage.quiet.add(stage.key)
    stage.now_s += 5
    stage.steady_s += 5
    before = HealthLease.objects.get().evaluated_at
    stage.write()
    assert stage.watch.turn() is None
    assert HealthLease.objects.get().evaluated_at == before


@pytest.mark.both_databases
def test_a_successor_knows_what_stood(stage: Stage) -> None:
    stage.quiet.add(stage.key)
    stage.pass_s(40)
    number = stage.only_alarm().number
    stage.watch.let_go()
    stage.watch = stage.another()
    stage.pass_s(60)
    assert stage.only_alarm().number == number
    assert Alarm.objects.get(number=number).events.count() == 1


def change(stage: Stage, kind: ResourceKind, key: str) -> None:
    """One that a sync has just seen."""
    ResourceChange.objects.create(
        subscription_id=stage.estate.subscription.subscription_id,
        kind=kind,
        key=key,
        arm_id=f"/{key}",
        name=key,
        action="changed",
        at=at(stage.now_s),
    )


@pytest.mark.both_databases
def test_what_health_is_not_judged_by_makes_nobody_read_the_estate_each_turn(stage: Stage) -> None:
    def reads_it() -> bool:
        """Whether the next turn reads the estate: that takes 20 queries."""
        with CaptureQueriesContext(connection) as queries:
            stage.pass_s(5)
        return len(queries) > 20

    stage.pass_s(60)
    readings = 0
    for _ in range(12):
        change(stage, ResourceKind.NETWORK_INTERFACE, "z" * 26)  # a sync that goes on
        readings += reads_it()
    assert 1 <= readings <= 3, "once in 30 s while anything moves"
    for kind, key in (
        (ResourceKind.NETWORK_INTERFACE, stage.estate.nics[0].key),
        (ResourceKind.VIRTUAL_MACHINE, stage.estate.nics[1].virtual_machine_key),
        (ResourceKind.PEERING, "y" * 26),
    ):
        change(stage, ResourceKind.SUBNET, "x" * 26)
        change(stage, kind, key)
        assert reads_it(), kind


@pytest.mark.both_databases
def test_a_turn_has_a_fixed_number_of_queries(stage: Stage, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    stage.write()
    with django_assert_max_num_queries(13):
        stage.watch.turn()


def test_a_mirror_that_is_gone_ends_its_alarm(stage: Stage) -> None:
    stage.sources[stage.key].pop(0)
    stage.pass_s(5)
    assert len(stage.open_alarms()) == 1
    TapConfiguration.objects.filter(network_interface=stage.estate.nics[0]).update(removed_at=at(stage.now_s))
    stage.pass_s(65)
    assert stage.open_alarms() == []


@pytest.mark.both_databases
def test_events_tell_those_who_may_know(stage: Stage) -> None:
    stage.quiet.add(stage.key)
    stage.pass_s(40)
    event = OutboxEvent.objects.filter(kind="health", payload__deed="raised").get()
    assert event.payload["alarm"] == stage.only_alarm().number
    assert event.subscription_ids == [stage.estate.subscription.subscription_id]


def test_it_ends_when_it_is_told_to(stage: Stage) -> None:
    is_over = threading.Event()
    is_over.set()
    stage.watch.run(is_over)
    assert HealthLease.objects.get().until is None


@pytest.mark.django_db(transaction=True)
def test_a_collector_that_begins_to_drop_is_judged_at_once(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(valkey).running()
    monkeypatch.setattr("vtapweb.traffic.watch.run.EVERY_S", 600.0)  # so that what comes to be comes of being woken
    is_over, turns, turn = threading.Event(), list[object](), stage.watch.turn
    monkeypatch.setattr(stage.watch, "turn", lambda: turns.append(turn()))

    def run() -> None:
        try:
            stage.watch.run(is_over)
        finally:
            connection.close()

    watching = threading.Thread(target=run)
    watching.start()
    try:
        eventually(lambda: stage.client.pubsub_numsub(keys.STIRRED)[0][1] == 1, within_s=30, why="the watch listens")
        stage.collectors[stage.key] = collector_now(stage.key, member_now(stage.now_s, drop_share_10s=0.02))
        stage.write()
        stage.client.publish(keys.STIRRED, b"drops")
        eventually(lambda: len(turns) == 2, within_s=30, why="a turn before its time")
    finally:
        is_over.set()
        watching.join(30)
    assert Alarm.objects.filter(state="open", rule_ids=["H9"]).exists()  # asked only now: one at a time reads a SQLite in memory


def test_who_is_away_wakes_nobody_and_the_wait_ends_in_time(valkey: Valkey) -> None:
    stirring, is_over = Stirring(), threading.Event()
    assert not stirring.wait(0.2, is_over)
    valkey.kill()
    assert not stirring.wait(0.2, is_over)
    valkey.start()
    heard: list[bool] = []
    waiting = threading.Thread(target=lambda: heard.append(stirring.wait(30, is_over)))
    waiting.start()
    client = redis.Redis.from_url(valkey.url)
    eventually(lambda: client.publish(keys.STIRRED, b"drops"), within_s=30, why="it listens again")
    waiting.join(30)
    assert heard == [True]
    is_over.set()
    assert not stirring.wait(30, is_over), "when all is over nobody waits"
    stirring.close()
    client.close()


def test_what_cannot_be_read_is_left_out(stage: Stage) -> None:
    stage.write()
    stage.client.hset(keys.NOW, "x" * 26, b"\xff\xff")
    assert stage.watch.turn() is not None


def test_h01_that_joins_an_older_notice_says_since_when_it_is_silent_itself(stage: Stage) -> None:
    stage.set_source(0, sent_packets_60s=0.0)
    stage.pass_s(120)
    notice = stage.only_alarm()
    assert (notice.rule_ids, notice.severity) == (["H7"], "notice")
    stage.quiet.add(stage.key)
    stage.pass_s(35)
    alarm = stage.only_alarm()
    assert (alarm.number, alarm.rule_ids) == (notice.number, ["H1", "H7"])
    assert alarm.sentence == "nic-packetlog: no report for 35 s. Traffic may still be arriving; we can't see it."
