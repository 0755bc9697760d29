"""The third tick of a mirror: flowing, not yet, or cannot be seen; of one that was removed and came back only what came since."""

from datetime import datetime, timedelta

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries, Settings

from tests.inventory.factories import NOW, SUBSCRIPTION, make_nic, make_subnet, make_tap
from tests.traffic.played_ring import source_now, tell_collector
from tests.valkey import Valkey
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import ResourceChange, TapConfiguration
from vtapweb.traffic.models import SourceFlow
from vtapweb.traffic.selectors.flowing import Blind, Flow, FlowState, flow_of
from vtapweb.traffic.store import store

pytestmark = pytest.mark.django_db
ALL = Scope.everything()
NOW_MS = int(NOW.timestamp() * 1000)


class Mirror:
    """web-01 mirrored to a NIC: `key` of the TAP configuration, `collector_key` of the destination."""

    def __init__(self, number: int = 1) -> None:
        subnet = make_subnet("tools")
        collector = make_nic("collector-nic", subnet=subnet)
        self.tap = make_tap(destination_id=f"{collector.arm_id}/ipConfigurations/ipconfig1")
        self.collector_key = self.tap.destination_key
        self.nics = [make_nic(f"web-{one}-nic", subnet=subnet, address=f"10.0.1.{one + 10}", tap_id=self.tap.arm_id) for one in range(1, number + 1)]
        self.keys = list(TapConfiguration.objects.order_by("name", "key").values_list("key", flat=True))
        self.key = TapConfiguration.objects.get(network_interface=self.nics[0]).key

    def kept(self, first: datetime, last: datetime) -> None:
        SourceFlow.objects.create(
            tap_configuration_key=self.key, collector_key=self.collector_key, nic_key=self.nics[0].key, first_at=first, last_at=last
        )

    def sends(self, first_s: int, last_s: int) -> None:
        """The meter saw packets from so many seconds after NOW until then."""
        seen = source_now(self.nics[0].key, tap_configuration_key=self.key, first_ms=NOW_MS + first_s * 1000, last_ms=NOW_MS + last_s * 1000)
        tell_collector(store(), self.collector_key, sources=[seen], at_ms=NOW_MS)

    def flow(self, verified: datetime | None = None) -> Flow:
        return flow_of(ALL, [self.key], verified={self.key: verified} if verified else None)[self.key]

    def blind(self) -> Blind | None:
        assert self.flow().state == FlowState.CANNOT_BE_SEEN
        return self.flow().blind


@time_machine.travel(NOW, tick=False)
def test_what_the_meter_sees_comes_first_and_then_what_was_kept(valkey: Valkey, settings: Settings) -> None:
    mirror = Mirror()
    client = store()
    assert mirror.blind() == Blind.NOTHING_REPORTS
    tell_collector(client, mirror.collector_key, sources=[], at_ms=NOW_MS - 60_000)
    assert mirror.blind() == Blind.STALE
    tell_collector(client, mirror.collector_key, sources=[], at_ms=NOW_MS)
    assert mirror.flow() == Flow(FlowState.NOT_YET, since=NOW, addresses=("10.0.1.11",))
    tell_collector(client, mirror.collector_key, sources=None, at_ms=NOW_MS)
    assert mirror.blind() == Blind.NO_SOURCES
    first, last = NOW + timedelta(seconds=5), NOW + timedelta(seconds=60)
    mirror.sends(5, 60)
    assert mirror.flow() == Flow(FlowState.FLOWING, first, last, NOW, addresses=("10.0.1.11",))
    mirror.kept(NOW + timedelta(seconds=1), NOW + timedelta(seconds=2))
    assert mirror.flow().first_at == NOW + timedelta(seconds=1)
    settings.REDIS_URL = ""
    assert mirror.flow().last_at == NOW + timedelta(seconds=2)
    SourceFlow.objects.all().delete()
    assert mirror.blind() == Blind.AWAY


@time_machine.travel(NOW, tick=False)
def test_a_mirror_that_came_back_flows_when_it_is_seen_anew(valkey: Valkey) -> None:
    mirror = Mirror()
    again = NOW + timedelta(days=2)
    tell_collector(store(), mirror.collector_key, sources=[], at_ms=NOW_MS)
    mirror.kept(NOW, NOW + timedelta(days=1))
    ResourceChange.objects.create(
        subscription_id=SUBSCRIPTION, kind="tap-configurations", key=mirror.key, arm_id="x", name="x", action="added", at=again
    )
    assert mirror.flow().state == FlowState.NOT_YET
    SourceFlow.objects.update(last_at=again + timedelta(minutes=1))
    assert mirror.flow() == Flow(FlowState.FLOWING, again, again + timedelta(minutes=1), again, addresses=("10.0.1.11",))


@time_machine.travel(NOW, tick=False)
def test_a_packet_before_the_mirror_was_read_back_as_made_is_of_an_earlier_life(valkey: Valkey) -> None:
    mirror = Mirror()
    verified = NOW + timedelta(seconds=30)
    mirror.sends(5, 29)
    assert mirror.flow().state == FlowState.FLOWING  # as far as the inventory knows
    assert mirror.flow(verified).state == FlowState.NOT_YET
    mirror.sends(5, 30)  # counted in the second that ended with it
    assert mirror.flow(verified).state == FlowState.NOT_YET
    mirror.sends(5, 32)
    assert mirror.flow(verified) == Flow(FlowState.FLOWING, verified, NOW + timedelta(seconds=32), verified, addresses=("10.0.1.11",))
    mirror.sends(33, 34)
    assert mirror.flow(verified).first_at == NOW + timedelta(seconds=33)


@time_machine.travel(NOW, tick=False)
def test_a_mirror_that_the_meter_has_not_read_of_yet_is_known_by_its_nic(valkey: Valkey) -> None:
    mirror = Mirror(2)
    seen = source_now(mirror.nics[0].key, first_ms=NOW_MS + 1, last_ms=NOW_MS + 2)
    tell_collector(store(), mirror.collector_key, sources=[seen], at_ms=NOW_MS)
    assert sorted(one.state for one in flow_of(ALL, mirror.keys).values()) == [FlowState.FLOWING, FlowState.NOT_YET]


@time_machine.travel(NOW, tick=False)
def test_an_address_that_two_nics_claim_cannot_be_seen(valkey: Valkey) -> None:
    mirror = Mirror()
    sources = [source_now("", first_ms=1, last_ms=2, address="10.0.1.11", is_ambiguous=True)]
    tell_collector(store(), mirror.collector_key, sources=sources, at_ms=NOW_MS)
    assert mirror.blind() == Blind.AMBIGUOUS


@pytest.mark.parametrize("number", [1, 20])
def test_the_number_of_queries_does_not_grow(valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, number: int) -> None:
    mirror = Mirror(number)
    with django_assert_num_queries(5):
        assert len(flow_of(ALL, mirror.keys)) == number


def test_only_what_is_in_scope_is_told() -> None:
    mirror = Mirror()
    assert flow_of(Scope.of(["5c000000-0000-0000-0000-000000000003"]), [mirror.key]) == {}
    assert flow_of(ALL, ["a" * 26]) == {}
