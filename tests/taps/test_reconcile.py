"""After a sync: lives begin and end as Azure shows them, never from an incomplete read; plans handed over close themselves.

hub [nic-packetlog <- TAP tap-collector]  spoke [app-01 … app-04], the first of them mirrored
"""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.inventory.factories import NOW, SUBSCRIPTION, Estate, arm_id, make_estate, make_tap, make_tap_configuration
from tests.taps.factories import make_change, make_step
from vtapweb.access.models import AuditEntry
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.models import NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.taps.actions import reconcile as reconciling
from vtapweb.taps.actions.ledger import mirror_began, mirror_ended
from vtapweb.taps.actions.reconcile import Found, subscription_reconcile
from vtapweb.taps.models import Change, ChangeStep, Mirror, TapLife

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)
SOON = NOW + timedelta(minutes=5)


def reconcile(at: Any = NOW) -> Found:
    return subscription_reconcile(subscription_id=SUBSCRIPTION, now=at)


def step_for(nic: NetworkInterface, tap: VirtualNetworkTap, change: Change | None = None, *, name: str = "tapconfig", **fields: Any) -> ChangeStep:
    target_id = f"{nic.arm_id}/tapConfigurations/{name}"
    change = change or make_change(tap_id=tap.arm_id, tap_key=tap.key, subscription_ids=[SUBSCRIPTION], applied_by_name="ada")
    values = {
        "nic_id": nic.arm_id,
        "nic_key": nic.key,
        "target_id": target_id,
        "target_key": arm_key(target_id),
        "subscription_id": SUBSCRIPTION,
        "body": {"properties": {"virtualNetworkTap": {"id": tap.arm_id}}},
    }
    return make_step(change, nic.name, **{**values, **fields})


def ours(estate: Estate, number: int = 0) -> Mirror:
    """The mirror of that NIC, made by a change of ours whose step is verified, and there."""
    nic = estate.nics[number]
    if not nic.tap_configurations.exists():
        make_tap_configuration(nic=nic, tap_id=estate.tap.arm_id)
    step = step_for(nic, estate.tap, state="verified", sent_at=NOW - timedelta(minutes=1), verified_at=NOW)
    life = mirror_began(step=step, at=NOW)
    assert isinstance(life, Mirror)
    return life


def remove(nic: NetworkInterface) -> None:
    nic.tap_configurations.update(removed_at=SOON)


def test_what_nobody_here_made_is_unaccounted_once() -> None:
    estate = make_estate(mirrored=2)
    found = reconcile()
    assert (len(found.unaccounted), found.is_news) == (3, True)
    life = Mirror.objects.get(nic_key=estate.nics[0].key)
    assert (life.origin, life.state, life.began_at, life.first_seen_at) == ("outside", "live", None, NOW)
    assert (life.vnet_key, life.tap_name, life.nic_name) == (estate.spoke.key, estate.tap.name, estate.nics[0].name)
    assert TapLife.objects.get().destination_key == estate.tap.destination_key
    entries = AuditEntry.objects.filter(action="taps.unaccounted_found")
    assert [(one.actor, one.detail["count"]) for one in entries] == [("sync", 3)]
    assert not reconcile(LATER).is_news
    assert entries.count() == 1


def test_our_own_mirrors_are_accounted_for() -> None:
    estate = make_estate(mirrored=1)
    ours(estate)
    assert [one for one in reconcile().unaccounted if "app-01" in one] == []


@pytest.mark.parametrize("state", ["sent", "polling"])
def test_what_a_step_is_just_doing_is_left_to_it(state: str) -> None:
    estate = make_estate(mirrored=1)
    step_for(estate.nics[0], estate.tap, name="another", state=state, sent_at=NOW)
    reconcile()
    assert not Mirror.objects.exists()


def test_a_removal_under_way_is_no_drift() -> None:
    estate = make_estate(mirrored=1)
    ours(estate)
    remove(estate.nics[0])
    untap = make_change(action="untap")
    step = step_for(estate.nics[0], estate.tap, untap, action="delete", method="DELETE", body=None, state="sent", sent_at=NOW)
    reconcile(LATER)
    assert Mirror.objects.get().is_open
    ChangeStep.objects.filter(pk=step.pk).update(state="failed", ended_at=NOW, error_code="Lost")
    assert reconcile(LATER).drifted == []
    assert [(one.state, one.ended_change) for one in Mirror.objects.all()] == [("ended", untap)], "Azure took it though its answer was lost"


def test_a_step_that_failed_and_yet_was_taken_is_ours() -> None:
    estate = make_estate(mirrored=1)
    step = step_for(estate.nics[0], estate.tap, state="failed", sent_at=NOW, error_code="Lost")
    reconcile(LATER)
    life = Mirror.objects.get()
    assert (life.origin, life.began_change, life.reason) == ("change", step.change, step.change.reason)


def test_ours_that_vanished_is_drift_and_told() -> None:
    estate = make_estate(mirrored=1)
    ours(estate)
    reconcile()
    remove(estate.nics[0])
    found = reconcile(LATER)
    life = Mirror.objects.get()
    assert (life.state, life.is_drift, life.ended_at, life.ended_by) == ("vanished", True, SOON, "")
    assert len(found.drifted) == 1
    assert AuditEntry.objects.filter(action="taps.drift_found").count() == 1


def test_without_a_complete_read_nothing_vanishes() -> None:
    """A list that broke off leaves its rows as they are; a row that is not there at all was never read."""
    estate = make_estate(mirrored=1)
    ours(estate)
    estate.subscription.kind_states.update(status="partial")
    TapConfiguration.objects.all().delete()
    assert reconcile(LATER).drifted == []
    assert Mirror.objects.get().is_open


def test_what_others_made_and_others_removed_just_ended() -> None:
    estate = make_estate(mirrored=1)
    reconcile()
    remove(estate.nics[0])
    assert reconcile(LATER).drifted == []
    life = Mirror.objects.get()
    assert (life.state, life.end_reason, life.is_drift) == ("ended", "Ended outside vtapweb.", False)


def test_ours_that_points_elsewhere_is_drift_and_a_new_unaccounted_life() -> None:
    estate = make_estate(mirrored=1)
    ours(estate)
    other = make_tap("tap-other", destination_id=estate.tap.destination_id)
    estate.nics[0].tap_configurations.update(virtual_network_tap_id=other.arm_id, virtual_network_tap_key=other.key)
    found = reconcile(LATER)
    old, new = Mirror.objects.order_by("pk")
    assert (old.state, old.ended_at, old.is_drift) == ("changed", LATER, True)
    assert (new.origin, new.tap_name, new.replaces) == ("outside", "tap-other", old)
    assert len(found.drifted) == 1
    assert not reconcile(LATER).is_news


def test_what_came_back_by_itself_is_no_open_drift_but_unaccounted() -> None:
    estate = make_estate(mirrored=1)
    ours(estate)
    remove(estate.nics[0])
    reconcile(LATER)
    estate.nics[0].tap_configurations.update(removed_at=None)
    reconcile(LATER + timedelta(hours=1))
    old, new = Mirror.objects.order_by("pk")
    assert (old.drift_decision, old.is_drift) == ("returned", False)
    assert (new.origin, new.is_open) == ("outside", True)


def test_a_tap_with_another_destination_is_drift() -> None:
    estate = make_estate(mirrored=0)
    reconcile()
    TapLife.objects.update(origin="adopted", reason="ours since 2024")
    VirtualNetworkTap.objects.update(destination_ip_configuration_key="x" * 26, destination_ip_configuration_id="/elsewhere")
    reconcile(LATER)
    old, new = TapLife.objects.order_by("pk")
    assert (old.state, new.origin, new.destination_id, estate.tap.key) == ("changed", "outside", "/elsewhere", new.tap_key)


def test_of_another_subscription_nothing_is_touched() -> None:
    make_estate(mirrored=1)
    assert not subscription_reconcile(subscription_id="5a000000-0000-0000-0000-00000000000f", now=NOW).is_news
    assert not Mirror.objects.exists()


def test_a_plan_handed_over_closes_itself_when_all_of_it_is_seen() -> None:
    estate = make_estate(mirrored=1)
    reconcile()
    Mirror.objects.all().delete()
    change = make_change(state="handed_over", tap_id=estate.tap.arm_id, tap_key=estate.tap.key, reason="CASE-9", ticket="T-1")
    for nic in estate.nics[:2]:
        step_for(nic, estate.tap, change, name="named-otherwise")
    assert reconcile(LATER).closed_changes == []
    assert [one.state for one in change.steps.all()] == ["verified", "pending"]
    make_tap_configuration(nic=estate.nics[1], tap_id=estate.tap.arm_id, provisioning_state="Updating")
    assert reconcile(LATER).closed_changes == [], "not before Azure is done"
    TapConfiguration.objects.update(provisioning_state="Succeeded")
    assert reconcile(LATER).closed_changes == [change.pk]
    change.refresh_from_db()
    assert (change.state, change.finished_at) == ("applied", LATER)
    assert {(one.origin, one.reason, one.ticket, one.began_change) for one in Mirror.objects.all()} == {("change", "CASE-9", "T-1", change)}
    assert AuditEntry.objects.filter(action="taps.change_seen_done", target=f"change {change.pk}").count() == 1


def test_a_removal_and_a_move_handed_over_are_seen_too() -> None:
    estate = make_estate(mirrored=2)
    first, second = estate.nics[:2]
    other = make_tap("tap-other", destination_id=estate.tap.destination_id)
    reconcile()
    Mirror.objects.update(origin="adopted", reason="known")
    change = make_change(action="move", state="handed_over", reason="CASE-10")
    gone: dict[str, Any] = {"action": "delete", "method": "DELETE", "body": None}
    step_for(first, estate.tap, change, **gone)
    step_for(second, estate.tap, change, **gone)
    step_for(second, other, change)
    assert reconcile(LATER).closed_changes == []
    remove(first)
    second.tap_configurations.update(virtual_network_tap_id=other.arm_id, virtual_network_tap_key=other.key)
    assert reconcile(LATER).closed_changes == [change.pk]
    assert [one.began_change for one in Mirror.objects.filter(nic_key=second.key, ended_at=None)] == [change]
    ended = Mirror.objects.exclude(ended_at=None)
    assert {(one.nic_key, one.state, one.ended_change) for one in ended} == {(nic.key, "ended", change) for nic in (first, second)}, "no drift"


def test_a_tap_and_its_tags_handed_over_are_seen() -> None:
    estate = make_estate(mirrored=0)
    change = make_change(action="create_tap", state="handed_over")
    body = {"properties": {"destinationNetworkInterfaceIPConfiguration": {"id": estate.tap.destination_id}}}
    about = {"nic_id": "", "nic_key": "", "target_id": estate.tap.arm_id, "target_key": estate.tap.key, "subscription_id": SUBSCRIPTION}
    make_step(change, "", **about, body=body)
    make_step(change, "", **about, body={"tags": {"owner": "noc"}}, action="patch", method="PATCH")
    reconcile()
    assert [one.state for one in change.steps.all()] == ["verified", "pending"]
    VirtualNetworkTap.objects.update(tags={"owner": "noc"})
    assert reconcile(LATER).closed_changes == [change.pk]
    assert TapLife.objects.get().began_change == change


def test_hostile_names_are_text_in_the_ledger_and_the_audit() -> None:
    estate = make_estate(mirrored=1)
    name = "'; DROP TABLE x --\u202e<script>"
    NetworkInterface.objects.filter(pk=estate.nics[0].pk).update(name=name)
    reconcile()
    assert Mirror.objects.get().nic_name == name
    assert any(name in one for one in AuditEntry.objects.get(action="taps.unaccounted_found").detail["names"])


def test_a_reconciliation_asks_as_often_for_many_as_for_few() -> None:
    estate = make_estate(nics=3, mirrored=3)
    with CaptureQueriesContext(connection) as few:
        reconcile()
    Mirror.objects.all().delete()
    TapLife.objects.all().delete()
    for number in range(40):
        make_tap_configuration(f"config-{number}", nic=estate.nics[0], tap_id=arm_id("virtualNetworkTaps", f"tap-{number}"))
    with CaptureQueriesContext(connection) as many:
        reconcile(LATER)
    assert len(many) <= len(few) + 2, "a batch of rows is one statement"
    with CaptureQueriesContext(connection) as quiet:
        reconcile(LATER)
    assert len(quiet) <= 10


@pytest.mark.parametrize("deed", ["untap", "move"])
def test_what_a_step_did_between_two_of_our_reads_is_nobody_elses_work(deed: str) -> None:
    """The list is read while the mirror is there; before the ledger is, a step removes or moves it and says so to the ledger."""
    estate = make_estate(mirrored=1)
    ours(estate)
    reconcile()
    read_before = reconciling._seen_configurations(SUBSCRIPTION)
    other = make_tap("tap-other", destination_id=estate.tap.destination_id)
    change = make_change(action=deed, applied_by_name="bo")
    done: dict[str, Any] = {"state": "verified", "sent_at": LATER, "verified_at": LATER}
    mirror_ended(step=step_for(estate.nics[0], estate.tap, change, action="delete", method="DELETE", body=None, **done), at=LATER)
    if deed == "move":
        mirror_began(step=step_for(estate.nics[0], other, change, **done), at=LATER)
        estate.nics[0].tap_configurations.update(virtual_network_tap_id=other.arm_id, virtual_network_tap_key=other.key)
    else:
        remove(estate.nics[0])
    found = Found()
    reconciling._reconcile(Mirror, SUBSCRIPTION, read_before, {}, LATER, found)
    assert (found.unaccounted, found.drifted, found.is_news) == ([], [], False)
