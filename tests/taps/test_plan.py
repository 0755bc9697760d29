"""Planning: each action's requests literally, what is left out and why, waves, groups, windows; nothing typed is lost, and queries do not grow.

hub [collectors: nic-packetlog, nic-second] ==Connected== spoke [apps: app-01 … app-0n]        tap-collector → nic-packetlog, tap-two → nic-second
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.inventory.factories import (
    SUBSCRIPTION,
    Estate,
    arm_id,
    make_estate,
    make_load_balancer,
    make_nic,
    make_subnet,
    make_tap,
    make_tap_configuration,
    make_vnet,
)
from tests.taps.conditions import READER, make_all_read, make_conditions
from tests.taps.people import token_viewer, viewer
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.change_input import Draft
from vtapweb.domain.scope import Scope
from vtapweb.events.models import OutboxEvent
from vtapweb.inventory.models import IpConfiguration, KindState, NetworkInterface, ResourceGroup, VirtualMachine, VirtualNetworkTap
from vtapweb.taps.actions.drawing import InvalidPlanError, NothingToPlanError
from vtapweb.taps.actions.plan import change_plan
from vtapweb.taps.models import Change, ChangeWindow, SubscriptionWrites

pytestmark = pytest.mark.django_db
OTHER = "5a000000-0000-0000-0000-000000000002"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
API = "?api-version=2024-05-01"


@pytest.fixture
def estate() -> Estate:
    return make_world()


def make_world(nics: int = 4, mirrored: int = 0, **given: Any) -> Estate:
    found = make_estate(nics=nics, mirrored=mirrored, **given)
    make_all_read()
    make_conditions(found.subscription.pk)
    make_group("rg-taps", found.subscription.pk)
    return found


def make_group(name: str, subscription_id: str = SUBSCRIPTION) -> ResourceGroup:
    from vtapweb.domain.arm_id import arm_key

    group_id = f"/subscriptions/{subscription_id}/resourceGroups/{name}"
    return ResourceGroup.objects.create(
        key=arm_key(group_id), arm_id=group_id, name=name, subscription_id=subscription_id, resource_group=name, first_seen_at=NOW
    )


def second_tap(estate: Estate, name: str = "tap-two") -> VirtualNetworkTap:
    nic = make_nic("nic-second", subnet=estate.subnet, address="10.0.1.6", mac="00-0D-3A-FF-00-02")
    return make_tap(name, destination_id=f"{nic.arm_id}/ipConfigurations/ipconfig1")


def operator(**given: Any) -> Viewer:
    return viewer(Role.OPERATOR, **given)


def plan(estate: Estate, action: str = "tap", *, by: Viewer | None = None, **given: Any) -> Change:
    values: dict[str, Any] = {"reason": "INC-7: odd DNS", **given}
    if action in {"tap", "move"}:
        values = {"nics": tuple(nic.arm_id for nic in estate.nics), "tap": estate.tap.arm_id, **values}
    return change_plan(draft=Draft(action, **values), acting_user=by or token_viewer(Role.OPERATOR), now=NOW)


def requests_of(change: Change) -> list[tuple[int, str, str, Any]]:
    return [(step.wave, step.method, step.path, step.body) for step in change.steps.order_by("ordinal")]


def left_out(change: Change) -> dict[str, str]:
    return {one["name"]: one["rule_id"] for one in change.left_out}


def mirror(nic: NetworkInterface, tap: VirtualNetworkTap, name: str = "tapconfig") -> None:
    make_tap_configuration(name, nic=nic, tap_id=tap.arm_id)
    NetworkInterface.objects.filter(pk=nic.pk).update(tap_ids=[tap.arm_id], is_mirrored=True)


# -- tap


def test_a_tap_is_one_put_a_nic_in_waves(estate: Estate) -> None:
    change = plan(estate)
    body = {"properties": {"virtualNetworkTap": {"id": estate.tap.arm_id}}}
    assert requests_of(change) == [
        (1 if number == 0 else 2, "PUT", f"{nic.arm_id}/tapConfigurations/vtapweb{API}", body) for number, nic in enumerate(estate.nics)
    ]
    assert (change.state, change.tap_key, change.subscription_ids) == ("planned", estate.tap.key, [SUBSCRIPTION])
    assert change.plan["sentence"] == "4 NICs → tap-collector. 4 requests in 2 waves, about 2 min. Nothing has been sent to Azure."
    assert change.plan["downtime"].startswith("Each of these 4 VMs may lose its network for up to 60 seconds.")
    assert set(change.plan["digests"]) == {nic.key for nic in estate.nics}
    step = change.steps.get(ordinal=1)
    assert (step.nic_key, step.vm_name, step.subscription_id, step.before, step.state) == (estate.nics[0].key, "app-01", SUBSCRIPTION, {}, "pending")
    assert len({one.client_request_id for one in change.steps.all()}) == 4
    entry = AuditEntry.objects.get(action="taps.change_planned")
    assert (entry.target, entry.reason, entry.detail["nics"]) == (f"change {change.pk}", "INC-7: odd DNS", 4)
    assert OutboxEvent.objects.get(kind="change_state").payload["change_id"] == change.pk


def test_what_is_refused_or_unknown_is_left_out_with_its_rule(estate: Estate) -> None:
    mirror(estate.nics[0], second_tap(estate))
    lonely = make_nic("lonely-nic", subnet=estate.spoke_subnet, vm=None, address="10.1.1.50")
    far = make_nic("far-nic", subnet=make_subnet("far", vnet=make_vnet("island")), address="10.9.0.4")
    nics = (*estate.nics, lonely, far)
    change = plan(estate, nics=tuple(one.arm_id for one in nics))
    assert left_out(change) == {"app-01-nic": "one-config-per-nic", "lonely-nic": "source-attached", "far-nic": "reachable"}
    assert "Left out: app-01-nic, already mirrored to tap-two; lonely-nic, belongs to no VM; far-nic, no way" in change.plan["sentence"]
    assert change.plan["sentence"].startswith("3 of 6 NICs → tap-collector.")
    assert {one["outcome"] for one in change.left_out} == {"block"}
    assert all(one["message"] and one["remedy"] for one in change.left_out)


def test_nothing_left_is_no_plan(estate: Estate) -> None:
    make_conditions_of(READER)
    with pytest.raises(NothingToPlanError) as caught:
        plan(estate)
    assert {one.rule_id for one in caught.value.left_out} == {"permission"}
    assert not Change.objects.exists()


def make_conditions_of(permissions: list[dict[str, Any]]) -> None:
    from tests.taps.conditions import make_permissions

    make_permissions(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net", permissions)
    from vtapweb.taps.models import ScopePermissions

    ScopePermissions.objects.filter(scope_id=f"/subscriptions/{SUBSCRIPTION}").update(permissions=permissions)


def test_vms_that_back_each_other_up_are_never_in_one_wave() -> None:
    estate = make_world(nics=6)
    set_id = arm_id("availabilitySets", "as-dc", provider="Microsoft.Compute")
    for nic in estate.nics[:2]:
        VirtualMachine.objects.filter(key=nic.virtual_machine_key).update(availability_set_id=set_id, availability_set_key="a" * 26)
    # The pool holds the VM of app-03 by a NIC that is not mirrored, and app-04 itself.
    other = make_nic("app-03-back-nic", subnet=estate.spoke_subnet, vm=VirtualMachine.objects.get(name="app-03"), address="10.1.1.60")
    balancer = make_load_balancer("ilb-app", subnet=estate.spoke_subnet, members=(other, estate.nics[3]))
    pool = balancer.backend_pools.get()
    IpConfiguration.objects.filter(network_interface__in=[other, estate.nics[3]]).update(backend_address_pool_ids=[pool.arm_id])
    VirtualMachine.objects.filter(name__in=["app-05", "app-06"]).update(tags={"Role": "dc"})
    change = plan(estate, first=5, wave=5, keep_apart="role")
    waves = {step.nic_name: step.wave for step in change.steps.all()}
    for pair in (("app-01", "app-02"), ("app-03", "app-04"), ("app-05", "app-06")):
        assert len({waves[f"{name}-nic"] for name in pair}) == 2, pair
    assert {(one["kind"], one["name"]) for one in change.plan["together"]} == {
        ("availability set", "as-dc"), ("backend pool", "pool"), ("tag", "role: dc"),
    }  # fmt: skip
    assert "app-01 and app-02 back each other up (availability set as-dc)" in change.plan["downtime"]


def test_two_nics_of_one_vm_are_apart_and_its_network_is_cut_once_each(estate: Estate) -> None:
    second = make_nic("app-01-second-nic", subnet=estate.spoke_subnet, vm=VirtualMachine.objects.get(name="app-01"), address="10.1.1.70")
    change = plan(estate, nics=(estate.nics[0].arm_id, second.arm_id), first=2)
    assert [step.wave for step in change.steps.order_by("ordinal")] == [1, 2]
    assert change.plan["vm_count"] == 1


# -- untap, move


def test_an_untap_deletes_what_is_there_and_remembers_it(estate: Estate) -> None:
    mirror(estate.nics[0], estate.tap, "made-by-hand")
    change = plan(estate, "untap", nics=(estate.nics[0].arm_id, estate.nics[1].arm_id))
    configuration = f"{estate.nics[0].arm_id}/tapConfigurations/made-by-hand"
    assert requests_of(change) == [(1, "DELETE", configuration + API, None)]
    assert change.steps.get().before == {"configuration_id": configuration, "name": "made-by-hand", "tap_id": estate.tap.arm_id}
    assert left_out(change) == {"app-02-nic": "not-mirrored"}
    assert change.tap_name == "tap-collector"


def test_an_untap_of_a_tap_takes_all_its_mirrors(estate: Estate) -> None:
    for nic in estate.nics[:3]:
        mirror(nic, estate.tap)
    mirror(estate.nics[3], second_tap(estate))
    change = plan(estate, "untap", tap=estate.tap.arm_id)
    assert {step.nic_name for step in change.steps.all()} == {"app-01-nic", "app-02-nic", "app-03-nic"}
    only = plan(estate, "untap", tap=estate.tap.arm_id, nics=(estate.nics[0].arm_id, estate.nics[3].arm_id))
    assert ({step.nic_name for step in only.steps.all()}, left_out(only)) == ({"app-01-nic"}, {"app-04-nic": "not-mirrored"})


def test_a_move_is_two_requests_back_to_back(estate: Estate) -> None:
    two = second_tap(estate)
    mirror(estate.nics[0], estate.tap)
    mirror(estate.nics[1], two)
    change = plan(estate, "move", tap=two.arm_id, nics=tuple(one.arm_id for one in estate.nics[:3]))
    configuration = f"{estate.nics[0].arm_id}/tapConfigurations/tapconfig"
    assert requests_of(change) == [
        (1, "DELETE", configuration + API, None),
        (1, "PUT", configuration + API, {"properties": {"virtualNetworkTap": {"id": two.arm_id}}}),
    ]
    off, on = change.steps.order_by("ordinal")
    assert (off.after, on.after, off.before["tap_id"]) == (None, off, estate.tap.arm_id)
    assert left_out(change) == {"app-02-nic": "already-there", "app-03-nic": "not-mirrored"}
    assert "1 of 3 NICs from tap-collector → tap-two. Each has no mirror between its two requests" in change.plan["sentence"]


def test_a_nic_with_two_configurations_loses_both_and_is_not_moved(estate: Estate) -> None:
    """Azure's field is a list: no NIC should have two, but one that has them is not half forgotten."""
    two = second_tap(estate)
    mirror(estate.nics[0], estate.tap, "first")
    mirror(estate.nics[0], two, "second")
    change = plan(estate, "untap", nics=(estate.nics[0].arm_id,))
    assert sorted(step.target_id.rpartition("/")[2] for step in change.steps.all()) == ["first", "second"]
    assert change.plan["nic_count"] == 1
    with pytest.raises(NothingToPlanError) as refused:
        plan(estate, "move", tap=make_tap("tap-three", destination_id=two.destination_id).arm_id, nics=(estate.nics[0].arm_id,))
    assert refused.value.left_out[0].rule_id == "one-config-per-nic"


# -- TAPs


def test_a_tap_is_made_before_its_nics(estate: Estate) -> None:
    balancer = make_load_balancer(subnet=estate.subnet, members=(estate.collector,))
    frontend = balancer.frontends.get()
    change = plan(
        estate, "create_tap", name="tap-new", resource_group="RG-TAPS", destination=frontend.arm_id, tags={"owner": "soc"},
        nics=tuple(one.arm_id for one in estate.nics[:2]),
    )  # fmt: skip
    tap_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-taps/providers/Microsoft.Network/virtualNetworkTaps/tap-new"
    put = {"properties": {"virtualNetworkTap": {"id": tap_id}}}
    assert requests_of(change) == [
        (1, "PUT", tap_id + API, {
            "location": "uksouth", "tags": {"owner": "soc"},
            "properties": {"destinationLoadBalancerFrontEndIPConfiguration": {"id": frontend.arm_id}},
        }),
        (2, "PUT", f"{estate.nics[0].arm_id}/tapConfigurations/vtapweb{API}", put),
        (3, "PUT", f"{estate.nics[1].arm_id}/tapConfigurations/vtapweb{API}", put),
    ]  # fmt: skip
    made, *nics = change.steps.order_by("ordinal")
    assert {step.after for step in nics} == {made}
    assert change.plan["sentence"].startswith("New TAP tap-new in rg-taps and 2 NICs → it.")


def test_a_tap_that_cannot_be_is_refused_with_its_rule(estate: Estate) -> None:
    balancer = make_load_balancer(subnet=estate.subnet, members=(estate.collector,))
    balancer.rules.update(protocol="Tcp", frontend_port=22)
    with pytest.raises(NothingToPlanError) as caught:
        plan(estate, "create_tap", name="tap-new", resource_group="rg-taps", destination=balancer.frontends.get().arm_id)
    assert [one.rule_id for one in caught.value.left_out] == ["dest-passes-4789"]


def test_create_tells_every_problem_at_once(estate: Estate) -> None:
    with pytest.raises(InvalidPlanError) as caught:
        plan(
            estate, "create_tap", name="tap-collector", resource_group="rg-none", destination=f"{estate.nics[0].arm_id}/ipConfigurations/none",
            nics=(arm_id("networkInterfaces", "ghost"),), reason="",
        )  # fmt: skip
    assert set(caught.value.by_field) == {"destination", "nics", "reason"}
    with pytest.raises(InvalidPlanError) as caught:
        plan(estate, "create_tap", name="tap-x", resource_group="rg-none", destination=f"{estate.collector.arm_id}/ipConfigurations/ipconfig1")
    assert set(caught.value.by_field) == {"resource_group"}
    make_group("rg-net")
    with pytest.raises(InvalidPlanError) as caught:
        plan(estate, "create_tap", name="TAP-Collector", resource_group="rg-net", destination=f"{estate.collector.arm_id}/ipConfigurations/ipconfig1")
    assert set(caught.value.by_field) == {"name"}


def test_tags_are_replaced_as_a_whole(estate: Estate) -> None:
    VirtualNetworkTap.objects.filter(pk=estate.tap.pk).update(tags={"owner": "net", "old": "x"})
    change = plan(estate, "update_tap_tags", tap=estate.tap.arm_id, tags={"Owner": "soc", "new": "y"})
    assert requests_of(change) == [(1, "PATCH", estate.tap.arm_id + API, {"tags": {"Owner": "soc", "new": "y"}})]
    assert change.steps.get().before == {"tags": {"owner": "net", "old": "x"}}
    assert change.plan["sentence"].startswith("Tags of tap-collector: 1 added, 1 changed, 1 removed.")
    assert change.plan["downtime"] == ""


def test_a_tap_in_use_is_not_deleted_and_untap_is_offered(estate: Estate) -> None:
    mirror(estate.nics[0], estate.tap)
    with pytest.raises(NothingToPlanError) as caught:
        plan(estate, "delete_tap", tap=estate.tap.arm_id)
    assert ([one.name for one in caught.value.left_out], caught.value.offer) == (["app-01-nic"], {"action": "untap", "tap": estate.tap.arm_id})
    idle = second_tap(estate)
    change = plan(estate, "delete_tap", tap=idle.arm_id)
    assert requests_of(change) == [(1, "DELETE", idle.arm_id + API, None)]
    assert change.steps.get().before == {"location": "uksouth", "tags": {}, "destination_id": idle.destination_id}


def test_mirrors_out_of_sight_keep_a_tap_too(estate: Estate) -> None:
    hidden = f"/subscriptions/{OTHER}/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/n/tapConfigurations/c"
    VirtualNetworkTap.objects.filter(pk=estate.tap.pk).update(tap_configuration_ids=[hidden])
    with pytest.raises(NothingToPlanError, match="1 NIC that you may not see"):
        plan(estate, "delete_tap", tap=estate.tap.arm_id, by=operator(subscription_ids=(SUBSCRIPTION,)))


# -- scope, windows, warnings


def test_a_plan_is_for_what_its_planner_may_see(estate: Estate) -> None:
    theirs = make_world(subscription_id=OTHER)
    mine = operator(subscription_ids=(SUBSCRIPTION,))
    with pytest.raises(InvalidPlanError) as caught:
        plan(estate, nics=(theirs.nics[0].arm_id,), tap=theirs.tap.arm_id, by=mine)
    assert set(caught.value.by_field) == {"nics", "tap"}
    assert "outside what you may see" in caught.value.by_field["tap"][0]
    assert plan(estate, by=mine).planner_scope == mine.scope
    assert plan(estate, by=operator(name="olga")).planner_scope == Scope.everything()


def test_what_is_gone_is_told_with_its_day(estate: Estate) -> None:
    NetworkInterface.objects.filter(pk=estate.nics[0].pk).update(removed_at=NOW)
    with pytest.raises(InvalidPlanError) as caught:
        plan(estate)
    assert caught.value.by_field == {"nics": ["The NIC app-01-nic is gone, removed on 2026-11-20 12:00 UTC."]}


def test_a_named_window_is_its_next_opening_in_its_zone(estate: Estate) -> None:
    values = {"weekdays": [5], "opens": time(22), "closes": time(2), "zone": "Europe/London", "by": "ada", "at": NOW}
    ChangeWindow.objects.create(name="Saturday night", **values)
    change = plan(estate, window="Saturday night")
    assert (change.window_opens_at, change.window_closes_at) == (datetime(2026, 11, 21, 22, tzinfo=UTC), datetime(2026, 11, 22, 2, tzinfo=UTC))
    assert change.window_zone == "Europe/London"
    with pytest.raises(InvalidPlanError) as caught:
        plan(estate, window="Sunday")
    assert set(caught.value.by_field) == {"window"}


def test_a_subscription_may_require_a_window(estate: Estate) -> None:
    notice = {"preview_accepted_by": "ada", "preview_accepted_at": NOW}
    SubscriptionWrites.objects.create(subscription_id=SUBSCRIPTION, is_enabled=True, requires_window=True, by="ada", at=NOW, **notice)
    by = operator()
    with pytest.raises(InvalidPlanError) as caught:
        plan(estate, by=by, ticket="CHG-1", reason="")
    assert set(caught.value.by_field) == {"window", "reason"}
    window = {"opens_at": "2026-11-21T22:00", "closes_at": "2026-11-22T02:00", "zone": "Europe/London"}
    assert plan(estate, by=by, window=window).window_opens_at == datetime(2026, 11, 21, 22, tzinfo=UTC)


def test_a_plan_warns_of_what_may_stand_in_its_way(estate: Estate) -> None:
    SubscriptionWrites.objects.create(subscription_id=SUBSCRIPTION, is_enabled=False, by="ada", at=NOW)
    KindState.objects.filter(kind="load_balancers").update(status="failed", last_complete_at=NOW - timedelta(hours=3))
    first = plan(estate)
    assert {"writes-off", "stale-inventory"} <= {one["code"] for one in first.plan["warnings"]}
    Change.objects.filter(pk=first.pk).update(state="applying", applied_at=NOW)
    second = plan(estate)
    assert [one["message"] for one in second.plan["warnings"] if one["code"] == "busy"] == [
        f"Change {first.pk} is under way with 4 of these NICs; whoever comes second is told what changed."
    ]


def test_hostile_names_stay_text(estate: Estate) -> None:
    name = "<script>alert(1)'\"; DROP TABLE"
    nic = make_nic(name, subnet=estate.spoke_subnet, address="10.1.1.80", vm="vm-" + name)
    bad = make_nic("evil?api-version=1", subnet=estate.spoke_subnet, address="10.1.1.81")
    change = plan(estate, nics=(nic.arm_id, bad.arm_id))
    assert [step.path for step in change.steps.all()] == [f"{nic.arm_id}/tapConfigurations/vtapweb{API}"]
    assert left_out(change) == {"evil?api-version=1": "not-addressable"}


def test_the_same_key_makes_one_change(estate: Estate) -> None:
    by = operator()
    draft = Draft("tap", (estate.nics[0].arm_id,), estate.tap.arm_id, reason="INC-7")
    first = change_plan(draft=draft, acting_user=by, idempotency_key="k", now=NOW)
    assert change_plan(draft=draft, acting_user=by, idempotency_key="k", now=NOW) == first
    assert Change.objects.count() == 1
    with pytest.raises(InvalidPlanError):
        change_plan(draft=Draft("tap", (estate.nics[1].arm_id,), estate.tap.arm_id, reason="INC-7"), acting_user=by, idempotency_key="k", now=NOW)
    assert change_plan(draft=draft, acting_user=token_viewer(Role.OPERATOR), idempotency_key="k", now=NOW) != first


def queries_for(count: int, estate: Estate, by: Viewer) -> int:
    with CaptureQueriesContext(connection) as captured:
        plan(estate, by=by, nics=tuple(nic.arm_id for nic in estate.nics[:count]))
    # SQLite takes 999 values a statement, so the steps go in by portions.
    return sum(1 for one in captured if not one["sql"].startswith('INSERT INTO "taps_changestep"'))


def test_200_nics_take_as_many_queries_as_two() -> None:
    estate, by = make_world(nics=200), operator()
    few = queries_for(2, estate, by)
    assert queries_for(200, estate, by) == few <= 60
    big = Change.objects.order_by("-pk")[0]
    assert big.steps.count() == 200
    assert max(big.steps.values_list("wave", flat=True)) == 41
