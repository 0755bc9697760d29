"""Undo and retry in worlds that moved on: only what is still as the change left it is taken back, the rest is named."""

from typing import Any

import pytest

from tests.inventory.factories import NOW, SUBSCRIPTION, Estate, make_run
from tests.taps.people import token_viewer
from tests.taps.played import play, point
from tests.taps.test_plan import API, left_out, make_world, mirror, plan, requests_of, second_tap
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface, ResourceChange, TapConfiguration, VirtualNetworkTap
from vtapweb.taps.actions.drawing import NothingToPlanError
from vtapweb.taps.actions.undo import Again, NotEndedError, change_retry, change_undo
from vtapweb.taps.models import Change, SubscriptionConditions
from vtapweb.taps.selectors.rejudge import rejudge

pytestmark = pytest.mark.django_db


@pytest.fixture
def estate() -> Estate:
    return make_world()


def undo(change: Change, **given: Any) -> Change:
    return change_undo(change=change, acting_user=token_viewer(Role.OPERATOR), now=NOW, **given)


def retry(change: Change) -> Change:
    return change_retry(change=change, acting_user=token_viewer(Role.OPERATOR), now=NOW)


def mirrored_to() -> dict[str, str]:
    rows = TapConfiguration.objects.filter(removed_at=None)
    return {row.network_interface.name: row.virtual_network_tap_id.rsplit("/", 1)[1] for row in rows.select_related("network_interface")}


def test_an_undo_takes_back_only_what_is_still_so(estate: Estate) -> None:
    two, change = second_tap(estate), play(plan(estate))
    configurations = [f"{nic.arm_id}/tapConfigurations/vtapweb" for nic in estate.nics]
    point(estate.nics[1].key, configurations[1], two.arm_id)
    ResourceChange.objects.create(
        run=make_run(), subscription_id=SUBSCRIPTION, kind="tap-configurations", key=TapConfiguration.objects.get(arm_id=configurations[1]).key,
        arm_id=configurations[1], name="vtapweb", action="changed", at=change.created_at.replace(hour=14, minute=31),
    )  # fmt: skip
    TapConfiguration.objects.filter(arm_id=configurations[2]).update(removed_at=change.created_at)
    NetworkInterface.objects.filter(pk=estate.nics[3].pk).update(removed_at=change.created_at)
    undone = undo(change)
    assert requests_of(undone) == [(1, "DELETE", configurations[0] + API, None)]
    assert (undone.action, undone.undo_of, undone.state) == ("untap", change, "planned")
    told = {one["name"]: one["message"] for one in undone.left_out}
    assert told == {
        "app-02-nic": "Not touched: re-pointed to tap-two outside of this change at 14:31 UTC on 20 Nov 2026.",
        "app-03-nic": "Not touched: its mirror was removed outside of this change.",
        "app-04-nic": "Not touched: the NIC is gone.",
    }
    assert undone.plan["sentence"].startswith(f"Undo of change {change.pk}: 1 of 4 NICs no longer mirrored to tap-collector.")
    assert "up to 60 seconds again" in undone.plan["downtime"]
    assert undone.reason == f"Undo of change {change.pk}: INC-7: odd DNS"


def test_what_failed_or_was_so_before_is_not_undone(estate: Estate) -> None:
    change = play(plan(estate), failed={"app-01-nic"})
    change.steps.filter(nic_name="app-02-nic").update(state="skipped", skip_code="already", skip_reason="so before", verified_at=None)
    assert {step.nic_name for step in undo(change).steps.all()} == {"app-03-nic", "app-04-nic"}


def test_an_undo_of_an_undo_is_the_change_again(estate: Estate) -> None:
    before = mirrored_to()
    change = play(plan(estate))
    after = mirrored_to()
    undone = play(undo(change))
    assert mirrored_to() == before
    again = play(undo(undone))
    assert (again.action, again.tap_key, mirrored_to()) == ("tap", estate.tap.key, after)


def test_an_untap_from_two_taps_is_undone_to_both(estate: Estate) -> None:
    two = second_tap(estate)
    mirror(estate.nics[0], estate.tap, "by-hand")
    mirror(estate.nics[1], two)
    before = mirrored_to()
    change = play(plan(estate, "untap", nics=tuple(nic.arm_id for nic in estate.nics[:2])))
    assert mirrored_to() == {}
    undone = undo(change)
    assert "no-end" in {one["code"] for one in undone.plan["warnings"]}
    assert undo(change, again=Again(expires_at="2099-01-01T00:00Z")).expires_at is not None
    assert sorted(path for _, _, path, _ in requests_of(undone)) == [
        f"{estate.nics[0].arm_id}/tapConfigurations/by-hand{API}",
        f"{estate.nics[1].arm_id}/tapConfigurations/tapconfig{API}",
    ]
    play(undone)
    assert mirrored_to() == before
    # Judged anew: what the rules refuse by now is left out.
    VirtualNetworkTap.objects.filter(pk=two.pk).update(removed_at=NOW)
    for row in TapConfiguration.objects.all():
        TapConfiguration.objects.filter(pk=row.pk).update(removed_at=NOW)
    assert left_out(undo(change)) == {"app-02-nic": "not-as-left"}


def test_of_two_mirrors_on_one_nic_one_is_made_again_and_the_other_is_named(estate: Estate) -> None:
    mirror(estate.nics[0], estate.tap, "first")
    mirror(estate.nics[0], second_tap(estate), "second")
    change = play(plan(estate, "untap", nics=(estate.nics[0].arm_id,)))
    undone = undo(change)
    assert [path.rpartition("/")[2] for _, _, path, _ in requests_of(undone)] == [f"first{API}"]
    (named,) = undone.left_out
    assert "2 mirrors" in named["message"]


def test_a_move_is_undone_by_a_move(estate: Estate) -> None:
    two = second_tap(estate)
    for nic in estate.nics[:3]:
        mirror(nic, estate.tap)
    change = plan(estate, "move", tap=two.arm_id, nics=tuple(nic.arm_id for nic in estate.nics[:3]))
    # The second half of app-03's move failed, and it was put back: nothing to undo there.
    put = change.steps.get(nic_name="app-03-nic", action="put")
    play(change)
    change.steps.filter(pk=put.pk).update(state="failed", verified_at=None)
    first = change.steps.get(nic_name="app-03-nic", action="delete")
    copied = ("nic_id", "nic_key", "nic_name", "target_id", "target_key", "subscription_id", "path")
    back = {name: getattr(first, name) for name in copied}
    body = {"properties": {"virtualNetworkTap": {"id": estate.tap.arm_id}}}
    change.steps.create(**back, ordinal=99, action="put", method="PUT", body=body, is_return=True, state="verified", verified_at=NOW, ended_at=NOW)
    point(first.nic_key, first.target_id, estate.tap.arm_id)
    undone = undo(change)
    assert (undone.action, undone.tap_name, left_out(undone)) == ("move", "tap-collector", {"app-03-nic": "not-as-left"})
    assert [method for _, method, _, _ in requests_of(undone)] == ["DELETE", "PUT", "DELETE", "PUT"]
    play(undone)
    assert set(mirrored_to().values()) == {"tap-collector"}


def test_a_made_tap_goes_with_its_mirrors_and_comes_back_with_them(estate: Estate) -> None:
    destination = f"{estate.collector.arm_id}/ipConfigurations/ipconfig1"
    nics = tuple(nic.arm_id for nic in estate.nics[:2])
    change = play(plan(estate, "create_tap", name="tap-new", resource_group="rg-taps", destination=destination, tags={"a": "b"}, nics=nics))
    made = mirrored_to()
    undone = undo(change)
    methods = [(wave, method, path.rsplit("/", 1)[1]) for wave, method, path, _ in requests_of(undone)]
    assert methods == [(1, "DELETE", f"vtapweb{API}"), (2, "DELETE", f"vtapweb{API}"), (3, "DELETE", f"tap-new{API}")]
    assert undone.action == "delete_tap"
    play(undone)
    back = undo(undone)
    assert requests_of(back)[0] == requests_of(change)[0]
    play(back)
    assert mirrored_to() == made


def test_a_made_tap_that_others_use_stays(estate: Estate) -> None:
    destination = f"{estate.collector.arm_id}/ipConfigurations/ipconfig1"
    change = play(plan(estate, "create_tap", name="tap-new", resource_group="rg-taps", destination=destination))
    mirror(estate.nics[0], VirtualNetworkTap.objects.get(name="tap-new"))
    with pytest.raises(NothingToPlanError) as caught:
        undo(change)
    assert "in use by app-01-nic" in caught.value.left_out[0].message


def test_tags_are_put_back_unless_they_changed_since(estate: Estate) -> None:
    VirtualNetworkTap.objects.filter(pk=estate.tap.pk).update(tags={"owner": "net"})
    change = play(plan(estate, "update_tap_tags", tap=estate.tap.arm_id, tags={"owner": "soc"}))
    assert requests_of(undo(change)) == [(1, "PATCH", estate.tap.arm_id + API, {"tags": {"owner": "net"}})]
    VirtualNetworkTap.objects.filter(pk=estate.tap.pk).update(tags={"owner": "else"})
    with pytest.raises(NothingToPlanError):
        undo(change)


def test_a_retry_is_of_what_failed(estate: Estate) -> None:
    change = play(plan(estate, keep_apart="role", expires_at="2099-01-01T00:00Z"), failed={"app-02-nic", "app-03-nic"})
    mirror(estate.nics[2], second_tap(estate))
    again = retry(change)
    assert [path for _, _, path, _ in requests_of(again)] == [f"{estate.nics[1].arm_id}/tapConfigurations/vtapweb{API}"]
    assert left_out(again) == {"app-03-nic": "one-config-per-nic"}
    assert (again.action, again.retry_of, again.keep_apart, again.expires_at) == ("tap", change, "role", change.expires_at)


def test_a_retry_of_a_tap_that_was_not_made_brings_its_nics(estate: Estate) -> None:
    destination = f"{estate.collector.arm_id}/ipConfigurations/ipconfig1"
    nics = tuple(nic.arm_id for nic in estate.nics[:2])
    change = play(plan(estate, "create_tap", name="tap-new", resource_group="rg-taps", destination=destination, nics=nics), failed={"tap-new"})
    assert change.state == "failed"
    assert [request[1:] for request in requests_of(retry(change))] == [request[1:] for request in requests_of(change)]


def test_a_retry_of_a_move_and_of_an_untap(estate: Estate) -> None:
    two = second_tap(estate)
    for nic in estate.nics[:2]:
        mirror(nic, estate.tap)
    nics = tuple(nic.arm_id for nic in estate.nics[:2])
    moved = play(plan(estate, "move", tap=two.arm_id, nics=nics), failed={"app-01-nic"})
    assert [(method, body) for _, method, _, body in requests_of(retry(moved))] == [
        ("DELETE", None),
        ("PUT", {"properties": {"virtualNetworkTap": {"id": two.arm_id}}}),
    ]
    ended = play(plan(estate, "untap", nics=nics), failed={"app-02-nic"})
    assert [(step.method, step.nic_name) for step in retry(ended).steps.all()] == [("DELETE", "app-02-nic")]


def test_what_cannot_be_undone_or_retried_says_why(estate: Estate) -> None:
    change = plan(estate)
    for ask in (undo, retry):
        with pytest.raises(NotEndedError, match="is planned"):
            ask(change)
    play(change)
    with pytest.raises(NotEndedError, match="Nothing failed"):
        retry(change)
    under_way = undo(change, again=Again(reason="stop it", ticket="CHG-2", wave=1))
    assert (under_way.reason, under_way.ticket, under_way.pace_wave) == ("stop it", "CHG-2", 1)
    Change.objects.filter(pk=under_way.pk).update(state="applying", applied_at=NOW)
    with pytest.raises(NotEndedError, match="under way"):
        undo(change)
    failed = play(plan(estate, "update_tap_tags", tap=estate.tap.arm_id, tags={"a": "b"}), failed={"tap-collector"})
    with pytest.raises(NotEndedError, match="did nothing"):
        undo(failed)


# -- the world that moves between plan and apply


def moved(change: Change) -> dict[str, tuple[bool, tuple[str, ...]]]:
    return {one.name: (one.is_refused, one.rules) for one in rejudge(change, scope=Scope.everything()).differences}


def lock() -> None:
    locks = [{"scope_id": f"/subscriptions/{SUBSCRIPTION}", "level": "CanNotDelete", "name": "keep", "notes": ""}]
    SubscriptionConditions.objects.filter(pk=SUBSCRIPTION).update(locks=locks)


def test_a_world_that_stood_still_is_no_difference(estate: Estate) -> None:
    two = second_tap(estate)
    for nic in estate.nics[:3]:
        mirror(nic, estate.tap)
    destination = f"{estate.collector.arm_id}/ipConfigurations/ipconfig1"
    fresh, mirrored = estate.nics[3].arm_id, tuple(nic.arm_id for nic in estate.nics[:2])
    plans = [
        plan(estate, nics=(fresh,)),
        plan(estate, "move", tap=two.arm_id, nics=mirrored),
        plan(estate, "untap", nics=mirrored),
        plan(estate, "create_tap", name="tap-new", resource_group="rg-taps", destination=destination, nics=(fresh,)),
        plan(estate, "update_tap_tags", tap=two.arm_id, tags={"a": "b"}),
        plan(estate, "delete_tap", tap=two.arm_id),
    ]
    assert [moved(change) for change in plans] == [{}] * len(plans)
    mirror(estate.nics[3], two)
    taken = {"app-04-nic": (True, ("one-config-per-nic",))}
    assert [moved(change) for change in plans] == [taken, {}, {}, taken, {}, {"tap-two": (True, ("tap-in-use",))}]
    lock()
    assert [next(iter(moved(plans[number]).values()))[0] for number in (1, 2, 5)] == [True, True, True]


def test_an_undo_to_two_taps_is_judged_by_each(estate: Estate) -> None:
    two = second_tap(estate)
    mirror(estate.nics[0], estate.tap)
    mirror(estate.nics[1], two)
    undone = undo(play(plan(estate, "untap", nics=tuple(nic.arm_id for nic in estate.nics[:2]))))
    assert moved(undone) == {}
    VirtualNetworkTap.objects.filter(pk=two.pk).update(removed_at=NOW)
    assert list(moved(undone)) == ["app-02-nic"]
