"""The third tick of a mirror: flowing, not yet, or cannot be seen; of one that was removed and came back only what came since."""

from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from tests.inventory.factories import NOW, SUBSCRIPTION, make_nic, make_subnet, make_tap
from tests.traffic.played_ring import source_now, tell_collector
from tests.valkey import Valkey
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import ResourceChange, TapConfiguration
from vtapweb.traffic.models import SourceFlow
from vtapweb.traffic.selectors.flowing import Flow, FlowState, flow_of
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


def test_what_the_meter_sees_comes_first_and_then_what_was_kept(valkey: Valkey, settings: Settings) -> None:
    mirror = Mirror()
    client = store()
    assert flow_of(ALL, [mirror.key]) == {mirror.key: Flow(FlowState.CANNOT_BE_SEEN)}  # nothing tells of the collector
    tell_collector(client, mirror.collector_key, sources=[])
    assert flow_of(ALL, [mirror.key]) == {mirror.key: Flow(FlowState.NOT_YET)}
    tell_collector(client, mirror.collector_key, sources=None)
    assert flow_of(ALL, [mirror.key])[mirror.key].state == FlowState.CANNOT_BE_SEEN  # no numbers per source there
    first, last = NOW + timedelta(seconds=5), NOW + timedelta(seconds=60)
    seen = source_now(mirror.nics[0].key, tap_configuration_key=mirror.key, first_ms=NOW_MS + 5_000, last_ms=NOW_MS + 60_000)
    tell_collector(client, mirror.collector_key, sources=[seen])
    assert flow_of(ALL, [mirror.key]) == {mirror.key: Flow(FlowState.FLOWING, first, last)}
    mirror.kept(NOW + timedelta(seconds=1), NOW + timedelta(seconds=2))
    assert flow_of(ALL, [mirror.key])[mirror.key].first_at == NOW + timedelta(seconds=1)
    settings.REDIS_URL = ""
    assert flow_of(ALL, [mirror.key])[mirror.key].last_at == NOW + timedelta(seconds=2)


def test_a_mirror_that_came_back_flows_when_it_is_seen_anew(valkey: Valkey) -> None:
    mirror = Mirror()
    tell_collector(store(), mirror.collector_key, sources=[])
    mirror.kept(NOW, NOW + timedelta(days=1))
    again = NOW + timedelta(days=2)
    ResourceChange.objects.create(
        subscription_id=SUBSCRIPTION, kind="tap-configurations", key=mirror.key, arm_id="x", name="x", action="added", at=again
    )
    assert flow_of(ALL, [mirror.key])[mirror.key].state == FlowState.NOT_YET
    SourceFlow.objects.update(last_at=again + timedelta(minutes=1))
    assert flow_of(ALL, [mirror.key])[mirror.key] == Flow(FlowState.FLOWING, again, again + timedelta(minutes=1))


def test_an_address_that_two_nics_claim_cannot_be_seen(valkey: Valkey) -> None:
    mirror = Mirror()
    sources = [source_now("", first_ms=1, last_ms=2, address="10.0.1.11", is_ambiguous=True)]
    tell_collector(store(), mirror.collector_key, sources=sources)
    assert flow_of(ALL, [mirror.key])[mirror.key].state == FlowState.CANNOT_BE_SEEN


@pytest.mark.parametrize("number", [1, 20])
def test_the_number_of_queries_does_not_grow(valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, number: int) -> None:
    mirror = Mirror(number)
    with django_assert_num_queries(5):
        assert len(flow_of(ALL, mirror.keys)) == number


def test_only_what_is_in_scope_is_told() -> None:
    mirror = Mirror()
    assert flow_of(Scope.of(["5c000000-0000-0000-0000-000000000003"]), [mirror.key]) == {}
    assert flow_of(ALL, ["a" * 26]) == {}
