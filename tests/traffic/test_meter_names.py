"""The meter with an inventory: mirrors in the tick, ambiguous and unknown sources, a sync for what nobody explains.

[spoke: s-4, s-5, s-6] ==peered== [hub: collector]      s-4, s-5 and s-7 are mirrored; s-6 is not; s-7 and a twin in the hub have one address
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.inventory.factories import SUBSCRIPTION, make_nic, make_peering, make_subnet, make_tap, make_tap_configuration, make_vnet
from tests.traffic.meter_stage import Listener, Stage
from tests.valkey import Valkey
from vtapweb.access.models import AuditEntry
from vtapweb.inventory.models import NetworkInterface, ResourceChange, SyncRun
from vtapweb.traffic import keys

pytestmark = pytest.mark.django_db


class Estate:
    def __init__(self) -> None:
        hub, spoke = make_vnet("hub"), make_vnet("spoke")
        make_peering("to-spoke", vnet=hub, remote_id=spoke.arm_id)
        tools, self.apps = make_subnet("tools", vnet=hub), make_subnet("apps", vnet=spoke)
        self.collector = make_nic("collector", subnet=tools, address="10.0.9.4")
        self.tap = make_tap(destination_id=f"{self.collector.arm_id}/ipConfigurations/ipconfig1")
        self.key = self.tap.destination_key
        self.mirrors: dict[str, str] = {}
        self.nics: dict[str, NetworkInterface] = {}
        for number in (4, 5, 6, 7):
            self.add(number, is_mirrored=number != 6)
        make_nic("twin", subnet=tools, address="10.0.1.7")

    def add(self, number: int, *, is_mirrored: bool) -> None:
        name = f"s-{number}"
        nic = self.nics[name] = make_nic(name, subnet=self.apps, address=f"10.0.1.{number}", mac=f"00-0D-3A-00-00-0{number}", is_mirrored=is_mirrored)
        if is_mirrored:
            self.mirrors[name] = make_tap_configuration(nic=nic, tap_id=self.tap.arm_id).key
        changed(nic)


def changed(nic: NetworkInterface) -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    ResourceChange.objects.create(subscription_id=SUBSCRIPTION, kind="nics", key=nic.key, arm_id=nic.arm_id, name=nic.name, action="added", at=at)


@pytest.fixture
def estate() -> Estate:
    return Estate()


@pytest.fixture
def stage(valkey: Valkey, estate: Estate) -> Iterator[Stage]:
    with Stage(valkey) as stage:
        stage.tables.look(mono_s=0.0)
        yield stage


def mirror_packets(stage: Stage, listener: Listener, estate: Estate) -> dict[str, float | None]:
    """By NIC, what the last tick told of its mirror; None for unknown."""
    tick, table = listener.ticks()[-1]
    told = dict(zip(table.mirrors, tick.mirror_packets, strict=True))
    return {name: None if told[key] != told[key] else round(told[key]) for name, key in estate.mirrors.items()}


def test_mirrors_in_the_tick(stage: Stage, estate: Estate) -> None:
    listener = Listener(stage)
    stage.tick()
    assert mirror_packets(stage, listener, estate) == {"s-4": None, "s-5": None, "s-7": None}, "nobody was heard yet"
    agent = stage.agent(collector=estate.key, nic_key=estate.collector.key)
    for _ in range(3):
        agent.count(s4=100, s6=5, s7=7)
        agent.send()
        stage.tick()
    assert mirror_packets(stage, listener, estate) == {"s-4": 100, "s-5": 0, "s-7": None}, "measured, a measured nothing, two claimants"
    sources = stage.sources(estate.key)
    assert (sources["10.0.1.4"].nic_key, sources["10.0.1.4"].tap_configuration_key) == (estate.nics["s-4"].key, estate.mirrors["s-4"])
    assert (sources["10.0.1.6"].nic_key, sources["10.0.1.6"].tap_configuration_key) == (estate.nics["s-6"].key, "")
    assert (sources["10.0.1.7"].nic_key, sources["10.0.1.7"].is_ambiguous) == ("", True)
    ring = stage.ring(estate.key).columns
    assert {f"{estate.nics['s-4'].key}:bits", f"{estate.nics['s-6'].key}:bits", "ip:10.0.1.7:bits"} <= set(ring)
    for _ in range(7):
        stage.tick()
    assert mirror_packets(stage, listener, estate) == {"s-4": None, "s-5": None, "s-7": None}, "silent: unknown, not 0"
    listener.close()


def test_what_finds_no_room_in_the_agents_set_makes_silence_unknown(stage: Stage, estate: Estate) -> None:
    listener = Listener(stage)
    agent = stage.agent(collector=estate.key, nic_key=estate.collector.key)
    for second in range(40):
        agent.count(s4=100)
        total = agent.packets["10.0.1.4"] + 50 * second
        agent.given = {"packets": total, "l3_bytes": total * 1036}
        agent.send()
        stage.tick()
    assert mirror_packets(stage, listener, estate) == {"s-4": 100, "s-5": None, "s-7": None}
    listener.close()


def test_directions_by_the_nics_own_mac(stage: Stage, estate: Estate) -> None:
    agent = stage.agent(collector=estate.key, nic_key=estate.collector.key)
    for second in range(70):
        agent.count(s4=100)
        lists = [("10.0.1.4", 27, "000d3a000004", 30 * second, 0), ("10.0.1.4", 27, "aabbccddeeff", 70 * second, 0)]
        agent.given = {"directions": lists if second % 10 == 0 else None}
        agent.send()
        stage.tick()
    told = stage.sources(estate.key)["10.0.1.4"]
    assert told.sent_packets_60s == pytest.approx(1_800, rel=0.2)
    assert told.received_packets_60s == pytest.approx(4_200, rel=0.2)


def test_an_unknown_source_asks_for_one_sync_and_is_named_when_that_found_it(stage: Stage, estate: Estate) -> None:
    agent = stage.agent(collector=estate.key, nic_key=estate.collector.key)

    def seconds(count: int) -> None:
        for _ in range(count):
            agent.count(s9=1)
            agent.send()
            stage.tick()
        stage.tables.look(mono_s=stage.clock.mono_ms / 1_000)

    seconds(3)
    assert not SyncRun.objects.exists(), "a few packets are no reason"
    seconds(60)
    run = SyncRun.objects.get()
    assert (run.trigger, run.requested_subscription_ids) == ("demand", None)
    assert AuditEntry.objects.filter(action="inventory.sync_started", actor__contains="unknown source").count() == 1
    run.state = "complete"
    run.save()
    agent.count(s8=1_000)
    seconds(60)
    assert SyncRun.objects.count() == 1, "one in five minutes"
    stage.client.delete(keys.SYNC_ASKED)
    agent.count(s8=1_000)
    seconds(60)
    assert SyncRun.objects.count() == 2, "for the other address"
    SyncRun.objects.update(state="complete")
    stage.client.delete(keys.SYNC_ASKED)
    seconds(60)
    assert SyncRun.objects.count() == 2, "once for each"
    before = stage.ring_of("ip:10.0.1.9:packets", estate.key)
    assert set(before.values()) == {1}
    estate.add(9, is_mirrored=True)
    seconds(3)
    seconds(3)
    assert stage.sources(estate.key)["10.0.1.9"].tap_configuration_key == estate.mirrors["s-9"]
    assert set(stage.ring_of(f"{estate.nics['s-9'].key}:packets", estate.key, last_s=2).values()) == {1}
    assert int(stage.client.hget(keys.METER_COUNTS, "sources_unknown") or 0) == 1


def test_a_member_that_the_inventory_knows_and_nobody_heard_is_missing(stage: Stage, estate: Estate) -> None:
    agent = stage.agent(collector=estate.key, nic_key="another")
    agent.send()
    stage.tick()
    assert stage.known(estate.key).members_missing == 1
    agent.nic_key = estate.collector.key
    agent.send()
    stage.tick()
    assert stage.known(estate.key).members_missing == 0
