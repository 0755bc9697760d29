"""A refresh stores places, counts the revision up and tells what changed; whatever is lost on the way is mended.

hub [collectors: nic-packetlog] ==Connected== spoke [apps: app-01 … app-04]
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.inventory.factories import NOW, SUBSCRIPTION, make_estate, make_nic, make_vnet
from tests.taps.lives import make_life
from vtapweb.access.models import ApiToken, AuditEntry
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.scope import Scope
from vtapweb.domain.topology import UNACCOUNTED, apply
from vtapweb.events.models import OutboxEvent
from vtapweb.inventory.models import KindState, SyncRun, TapConfiguration, VirtualNetworkPeering
from vtapweb.taps.models import Mirror
from vtapweb.topology.actions import topology_rearrange, topology_refresh, topology_refresh_if_changed
from vtapweb.topology.models import Placement, TopologyState
from vtapweb.topology.picture import last_snapshot

pytestmark = pytest.mark.django_db


def state() -> TopologyState:
    return TopologyState.objects.get(pk=1)


def test_the_first_refresh_draws_what_was_read() -> None:
    make_estate(nics=4, mirrored=1)
    assert topology_refresh() == "r1"
    picture = last_snapshot(state())
    assert picture.counts == {
        "subscriptions": 1, "vnets": 2, "subnets": 2, "nics": 5, "peerings": 1, "collectors": 1, "mirrors": 1, "ghosts": 0, "nics_mirrorable": 3,
    }  # fmt: skip
    assert {row[2]: row[6] for row in picture.tables["vnets"].values()} == {"hub": "hub", "spoke": "spoke"}
    (collector,) = picture.tables["collectors"].values()
    assert collector[2:4] == ("nic-packetlog", "nic")
    assert len(picture.series) == 2


def test_every_change_is_told_so_that_before_and_the_event_make_after() -> None:
    estate = make_estate(nics=2)
    topology_refresh()
    before = last_snapshot(state())
    make_nic("app-99-nic", subnet=estate.spoke_subnet, address="10.1.1.99")
    VirtualNetworkPeering.objects.filter(virtual_network=estate.hub).update(peering_state="Disconnected")
    assert topology_refresh() == "r2"
    event = OutboxEvent.objects.latest("seq")
    assert (event.kind, event.subscription_ids, event.payload["is_refetch"]) == ("topology", [SUBSCRIPTION], False)
    after = last_snapshot(state())
    assert apply(before, event.payload["delta"]) == after
    (peering,) = after.tables["peerings"].values()
    assert peering[3:5] == ("Disconnected", "Disconnected on hub’s side.")


def test_a_mirror_that_nobody_answers_for_is_marked_until_somebody_adopts_it() -> None:
    make_estate(nics=2, mirrored=1)
    mirror = TapConfiguration.objects.get()
    life = make_life(tap_configuration_id=mirror.arm_id, tap_configuration_key=mirror.key, nic_key=mirror.network_interface_id)

    def marked() -> list[str]:
        return [row[3] for row in last_snapshot(state()).tables["nics"].values() if row[4] & UNACCOUNTED]

    topology_refresh()
    assert marked() == [mirror.network_interface.name]
    Mirror.objects.filter(pk=life.pk).update(origin="adopted", owner="secops", adopted_at=NOW, reason="ours")
    assert topology_refresh_if_changed() == "r2", "nothing in Azure changed, and yet the picture did"
    assert marked() == []


def test_nothing_new_is_no_new_revision_and_no_event() -> None:
    make_estate()
    topology_refresh()
    told = OutboxEvent.objects.count()
    assert topology_refresh() == "r1"
    assert OutboxEvent.objects.count() == told


def test_many_changes_are_one_call_to_read_it_all_again(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = make_estate(nics=2)
    topology_refresh()
    monkeypatch.setattr("vtapweb.topology.actions.MOST_ROWS_IN_A_DELTA", 1)
    make_nic("app-98-nic", subnet=estate.spoke_subnet, address="10.1.1.98")
    topology_refresh()
    payload = OutboxEvent.objects.latest("seq").payload
    assert (payload["is_refetch"], payload["delta"]) == (True, None)


def test_whoever_comes_while_another_works_only_leaves_a_note_and_a_dead_lease_is_taken_over() -> None:
    make_estate()
    topology_refresh()
    make_vnet("new")
    TopologyState.objects.update(lease_owner="somebody", lease_until=timezone.now() + timedelta(minutes=1))
    wanted = state().wanted
    assert topology_refresh() is None
    assert (state().revision, state().wanted) == (1, wanted + 1)
    TopologyState.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert topology_refresh() == "r2"
    assert state().lease_owner == ""


def test_a_lost_nudge_is_mended_by_the_beat() -> None:
    make_estate()
    topology_refresh()
    assert topology_refresh_if_changed() is None
    KindState.objects.filter(kind="network_interfaces").update(last_attempt_at=NOW + timedelta(hours=1), status="failed", code="AuthorizationFailed")
    assert topology_refresh_if_changed() == "r2"
    assert last_snapshot(state()).subscriptions[0].stale_since == int(NOW.timestamp())
    assert topology_refresh_if_changed() is None


def test_what_goes_frees_its_place_and_the_rest_stays() -> None:
    estate = make_estate(nics=4, mirrored=0)
    topology_refresh()
    slots = dict(Placement.objects.filter(kind="nic").values_list("key", "slot"))
    gone = estate.nics[1]
    type(gone).objects.filter(pk=gone.pk).update(removed_at=NOW + timedelta(hours=1))
    topology_refresh()
    assert not Placement.objects.filter(key=gone.key).exists()
    newcomer = make_nic("zz-nic", subnet=estate.spoke_subnet, address="10.1.1.77")
    topology_refresh()
    now = dict(Placement.objects.filter(kind="nic").values_list("key", "slot"))
    assert now.pop(newcomer.key) == slots.pop(gone.key)
    assert now == slots


def test_rearranging_is_audited_and_keeps_the_ids() -> None:
    estate = make_estate(nics=4)
    topology_refresh()
    Placement.objects.filter(key=estate.hub.key).update(x=99_000)
    Placement.objects.filter(kind="region").update(w=200_000)
    assert topology_refresh() == "r2"  # a stored place is kept, wherever it is
    ids = dict(Placement.objects.values_list("key", "id"))
    token = ApiToken(name="t", role=Role.OPERATOR)
    topology_rearrange(acting_user=Viewer("token t", Role.OPERATOR, Scope.everything(), token=token), reason="too wide")
    assert topology_refresh_if_changed() == "r3"
    assert not Placement.objects.filter(kind="vnet", x__gt=90_000).exists()
    assert dict(Placement.objects.values_list("key", "id")) == ids
    entry = AuditEntry.objects.get(action="topology.rearranged")
    assert (entry.actor, entry.reason) == ("token t", "too wide")


def test_a_subscription_that_was_never_read_to_its_end_says_unreadable_not_gone() -> None:
    estate = make_estate()
    type(estate.collector).objects.filter(pk=estate.collector.pk).update(removed_at=NOW + timedelta(hours=1))
    estate.collector.ip_configurations.update(removed_at=NOW + timedelta(hours=1))
    topology_refresh()
    assert [row[3] for row in last_snapshot(state()).tables["collectors"].values()] == ["gone"]
    for status in ("failed", "partial", "not_available", "never"):  # what it once knew may be old: a destination may have come since
        KindState.objects.filter(kind="network_interfaces").update(status=status)
        topology_refresh()
        assert [row[3] for row in last_snapshot(state()).tables["collectors"].values()] == ["unreadable"], status


def test_places_stick_only_from_the_end_of_the_very_first_sync_on() -> None:
    estate = make_estate(nics=4)
    SyncRun.objects.all().delete()
    run = SyncRun.objects.create(trigger="start", state="running", created_at=NOW, enqueued_at=NOW, started_at=NOW)

    def move_the_hub_away() -> None:
        Placement.objects.filter(key=estate.hub.key).update(x=99_000)
        Placement.objects.filter(kind="region").update(w=200_000)

    topology_refresh()
    move_the_hub_away()
    topology_refresh()
    assert not Placement.objects.filter(x__gt=90_000).exists()
    move_the_hub_away()
    SyncRun.objects.filter(pk=run.pk).update(state="complete", finished_at=NOW)
    topology_refresh_if_changed()
    assert not Placement.objects.filter(x__gt=90_000).exists()
    move_the_hub_away()
    topology_refresh()
    assert Placement.objects.filter(x__gt=90_000).exists()
