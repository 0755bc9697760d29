"""What people do to a change: who may, when it is refused and what they are told, and that of two at one NIC the second hears of the first."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from tests.inventory.factories import make_load_balancer, make_subnet, make_vnet
from tests.taps.people import token_viewer, viewer
from tests.taps.stage import ILB, PACKETLOG, Stage, add_step, states, tap_change
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.events.models import OutboxEvent
from vtapweb.inventory.actions import sync_run_in_foreground
from vtapweb.inventory.models import BackendAddressPool, FrontendIpConfiguration, IpConfiguration
from vtapweb.simulator.contoso import PROD, SHARED, SPOKES
from vtapweb.taps.actions.apply import change_apply, change_cancel, change_continue, change_pause
from vtapweb.taps.actions.writes import writes_disable, writes_require_window, writes_stop
from vtapweb.taps.api.changes import change_item
from vtapweb.taps.models import Change, ChangeStep
from vtapweb.taps.selectors.changes import plan_view
from vtapweb.taps.selectors.rejudge import rejudge
from vtapweb.taps.selectors.verdicts import judge_selection
from vtapweb.web.problem import ProblemError

pytestmark = pytest.mark.django_db(transaction=True)


def planned(nic_ids: list[str], **fields: Any) -> Change:
    return tap_change(nic_ids, **{"state": "planned", "applied_at": None, "asked_at": None, "applied_by_name": "", "next_due_at": None, **fields})


def refused(change: Change, **given: Any) -> ProblemError:
    with pytest.raises(ProblemError) as problem:
        change_apply(change=change, **{"acting_user": token_viewer(Role.OPERATOR), **given})
    return problem.value


def test_applying_is_recorded_told_and_carried_out_by_workers(azure: Stage) -> None:
    nics = azure.add_nics(2)
    change = change_apply(change=planned(nics), acting_user=viewer(Role.OPERATOR, name="olga"))
    assert (change.state, change.applied_by_name, change.next_due_at) == ("applying", "olga", timezone.now())
    assert azure.writes() == [], "nothing is sent by the click"
    entry = AuditEntry.objects.get(action="taps.change_started")
    assert (entry.actor, entry.target, entry.reason, entry.detail["ticket"], entry.detail["steps"]) == (
        "olga",
        f"change {change.pk}",
        "INC-7: odd DNS",
        "INC-7",
        2,
    )
    event = OutboxEvent.objects.get(kind="change_state")
    assert (event.payload["change_id"], event.payload["state"], event.subscription_ids) == (change.pk, "applying", sorted([PROD, SPOKES]))
    azure.run(change)
    assert states(change) == ["verified"] * 2
    assert list(OutboxEvent.objects.filter(kind="change_state").order_by("seq").values_list("payload__state", flat=True)) == ["applying", "applied"]


def test_who_may(azure: Stage) -> None:
    change = planned(azure.add_nics(1))
    assert refused(change, acting_user=token_viewer(Role.VIEWER)).status == 403
    assert refused(change, acting_user=token_viewer(Role.OPERATOR, SPOKES)).status == 404, "the TAP lies where this one may not look"
    for act in (change_pause, change_continue, change_cancel):
        with pytest.raises(ProblemError) as problem:
            act(change=change, acting_user=token_viewer(Role.VIEWER))
        assert problem.value.status == 403
    assert change_apply(change=change, acting_user=token_viewer(Role.ADMIN)).state == "applying"


def test_only_a_planned_change_is_applied_and_only_a_fitting_one_moved_on(azure: Stage) -> None:
    operator = token_viewer(Role.OPERATOR)
    change = change_apply(change=planned(azure.add_nics(1)), acting_user=operator)
    assert refused(change).extra["state"] == "applying"
    with pytest.raises(ProblemError, match="Can't be continued"):
        change_continue(change=change, acting_user=operator)
    change_pause(change=change, acting_user=operator)
    with pytest.raises(ProblemError, match="Can't be paused"):
        change_pause(change=change, acting_user=operator)
    change_cancel(change=change, acting_user=operator)
    assert Change.objects.get(pk=change.pk).state == "cancelled"
    for act in (change_pause, change_continue, change_cancel):
        with pytest.raises(ProblemError, match="Can't be"):
            act(change=change, acting_user=operator)


def test_a_plan_that_is_cancelled_has_ended_and_nothing_was_sent(azure: Stage) -> None:
    change = planned(azure.add_nics(2))
    change_cancel(change=change, acting_user=token_viewer(Role.OPERATOR), reason="wrong list")
    change.refresh_from_db()
    assert (change.state, states(change)) == ("cancelled", ["skipped"] * 2)
    assert AuditEntry.objects.get(action="taps.change_cancelled").reason == "wrong list"
    assert azure.advance(change) is None
    assert azure.writes() == []


def test_writes_that_are_off_are_told_at_the_click(azure: Stage, settings: Settings) -> None:
    change = planned(azure.add_nics(1))
    writes_stop(reason="incident 4", actor="the test")
    problem = refused(change)
    assert (problem.status, problem.extra["code"]) == (409, "writes_stopped")
    assert "incident 4" in problem.detail


def test_a_read_only_subscription_is_told_at_the_click(azure: Stage, settings: Settings) -> None:
    change = planned(azure.add_nics(1))
    writes_disable(subscription_ids=[SPOKES], reason="audit", actor="the test")
    assert refused(change).extra["code"] == "writes_disabled"
    settings.CLOUD = "public"
    assert refused(change).extra["code"] == "writes_disabled", "a real cloud starts read-only"


def test_windows_at_the_click(azure: Stage) -> None:
    nics = azure.add_nics(2)
    admin = viewer(Role.ADMIN)
    writes_require_window(subscription_ids=[SPOKES], is_required=True, acting_user=admin)
    assert refused(planned(nics[:1])).extra["code"] == "window_required"
    now = timezone.now()
    over = planned(nics[:1], window_opens_at=now - timedelta(hours=2), window_closes_at=now - timedelta(hours=1))
    assert refused(over).extra["code"] == "window_closed"
    ahead = planned(nics[:1], window_opens_at=now + timedelta(hours=2), window_closes_at=now + timedelta(hours=3))
    assert change_apply(change=ahead, acting_user=admin).state == "applying"


def test_of_two_changes_at_one_nic_the_second_is_told_who_was_first(azure: Stage) -> None:
    nics = azure.add_nics(3)
    first = change_apply(change=planned(nics[:2]), acting_user=viewer(Role.OPERATOR, name="olga"))
    second = planned(nics[1:], tap_id=PACKETLOG)
    problem = refused(second, acting_user=viewer(Role.OPERATOR, name="piet"))
    assert problem.status == 409
    assert [(one["change"], one["by"], one["names"]) for one in problem.extra["conflicts"]] == [(first.pk, "olga", [nics[1].rpartition("/")[2]])]
    assert f"change {first.pk}, applied by olga" in problem.detail
    azure.run(first)
    change_apply(change=second, acting_user=viewer(Role.OPERATOR, name="quin"))
    azure.run(second)
    failed = second.steps.get(state="failed")
    assert (failed.error_code, failed.nic_id) == ("another_configuration", nics[1]), "the first one's work stands"
    assert [len(azure.configurations(nic)) for nic in nics] == [1, 1, 1]


@pytest.mark.parametrize("is_tap_first", [True, False])
def test_a_tap_is_not_deleted_by_one_change_while_another_mirrors_to_it(azure: Stage, is_tap_first: bool) -> None:
    nics = azure.add_nics(1)
    mirrors = planned(nics, tap_id=PACKETLOG)
    gone = planned([], action="delete_tap", tap_id=PACKETLOG)
    fields = {"nic_id": "", "nic_key": "", "nic_name": "", "vm_name": "", "target_id": PACKETLOG, "target_key": arm_key(PACKETLOG)}
    step = add_step(gone, nics[0], action="delete", path=PACKETLOG, subscription_id=PROD)
    ChangeStep.objects.filter(pk=step.pk).update(**fields)
    first, second = (mirrors, gone) if is_tap_first else (gone, mirrors)
    change_apply(change=first, acting_user=viewer(Role.OPERATOR, name="olga"))
    problem = refused(second, acting_user=viewer(Role.OPERATOR, name="piet"))
    assert [one["change"] for one in problem.extra["conflicts"]] == [first.pk]
    if is_tap_first:
        Change.objects.filter(pk=second.pk).update(subscription_ids=[PROD])
        limited = viewer(Role.OPERATOR, name="quin", subscription_ids=[PROD])
        assert refused(second, acting_user=limited).extra["conflicts"][0]["names"] == ["what you may not see"]


def test_two_changes_that_were_both_let_through_never_make_two_configurations(azure: Stage) -> None:
    """As if both clicks had been let through: the rows' constraints and the read before each write hold."""
    nics = azure.add_nics(2)
    one, other = tap_change(nics), tap_change(nics[::-1], tap_id=PACKETLOG)
    azure.run(one, other)
    assert [len(azure.configurations(nic)) for nic in nics] == [1, 1]
    assert sorted(states(one) + states(other)) == ["failed"] * 2 + ["verified"] * 2


def with_digests(azure: Stage, nic_ids: list[str]) -> Change:
    """A plan as it was judged by the inventory of now."""
    sync_run_in_foreground(subscription_ids=None, actor="the test", opener=azure.cloud, wait=azure.pass_s)
    keys = [arm_key(one) for one in nic_ids]
    judged = judge_selection(Scope.everything(), keys, [arm_key(ILB)])
    return planned(nic_ids, plan={"digests": {key: judged.judgement.digest(key, arm_key(ILB)) for key in keys}})


def test_a_world_that_moved_since_the_plan_is_shown_and_asked_about_again(azure: Stage) -> None:
    nics = azure.add_nics(2)
    change = with_digests(azure, nics)
    azure.order("peerings", peering="hub-uks/to-spoke-crm", state="Disconnected")
    sync_run_in_foreground(subscription_ids=None, actor="the test", opener=azure.cloud, wait=azure.pass_s)
    problem = refused(change)
    assert problem.status == 409
    told = problem.extra["differences"]
    assert [(one["nic"], one["is_refused"], one["rules"]) for one in told] == [(nic, True, ["reachable"]) for nic in nics]
    assert "spoke-crm" in told[0]["message"]
    assert refused(change, accepted_digest="another").extra["digest"] == problem.extra["digest"]
    azure.order("peerings", peering="hub-uks/to-spoke-crm", state="Connected")
    sync_run_in_foreground(subscription_ids=None, actor="the test", opener=azure.cloud, wait=azure.pass_s)
    assert change_apply(change=change, acting_user=token_viewer(Role.OPERATOR)).state == "applying", "it moved back"


def test_who_has_seen_the_differences_goes_on_without_what_is_refused(azure: Stage) -> None:
    nics = azure.add_nics(2)
    change = with_digests(azure, nics)
    azure.order("tap-configurations/create", nic=nics[0], tap=PACKETLOG, name="theirs")
    sync_run_in_foreground(subscription_ids=None, actor="the test", opener=azure.cloud, wait=azure.pass_s)
    problem = refused(change)
    change = change_apply(change=change, acting_user=token_viewer(Role.OPERATOR), accepted_digest=problem.extra["digest"])
    assert states(change) == ["skipped", "pending"]
    assert (change.steps.get(state="skipped").skip_code, change.differences[0]["nic"]) == ("refused", nics[0])
    azure.run(change)
    assert states(change) == ["skipped", "verified"]
    assert Change.objects.get(pk=change.pk).state == "partly_applied"


def test_what_only_the_fresh_read_shows_pauses_the_change_before_anything_is_sent(azure: Stage) -> None:
    nics = azure.add_nics(2)
    change = with_digests(azure, nics)
    azure.order("tap-configurations/create", nic=nics[1], tap=PACKETLOG, name="theirs")  # no sync sees it before the click
    operator = token_viewer(Role.OPERATOR)
    change_apply(change=change, acting_user=operator)
    azure.run(change)
    change.refresh_from_db()
    assert (change.state, change.stop_code, states(change)) == ("paused", "moved", ["pending", "pending"])
    assert [(one["nic"], one["is_refused"]) for one in change.differences] == [(nics[1], True)]
    with pytest.raises(ProblemError) as problem:
        change_continue(change=change, acting_user=operator)
    change_continue(change=change, acting_user=operator, accepted_digest=problem.value.extra["digest"])
    azure.run(change)
    assert states(change) == ["verified", "skipped"]


def stand_behind_a_basic_balancer_elsewhere(nic_id: str) -> None:
    """A Basic load balancer of a subscription that only few may see leads to the NIC's address: a rule refuses by it."""
    configuration = IpConfiguration.objects.get(network_interface__arm_id=nic_id)
    make_load_balancer("lb-hidden", subnet=make_subnet(vnet=make_vnet("hidden", subscription_id=SHARED)), sku="Basic")
    BackendAddressPool.objects.filter(load_balancer__name="lb-hidden").update(backend_addresses=[configuration.private_ip_address])
    FrontendIpConfiguration.objects.filter(load_balancer__name="lb-hidden").update(subnet_id=configuration.subnet_id)


def read(change: Change) -> dict[str, Any]:
    """The change as its planner reads it by the API."""
    view = plan_view(change.planner_scope, change.pk)
    assert view is not None
    item = json.loads(json.dumps(change_item(view, change.planner_scope, now=timezone.now()), default=str))
    assert isinstance(item, dict)
    return item


def test_a_change_is_judged_in_its_planners_scope_by_the_click_and_by_the_worker(azure: Stage) -> None:
    """What lies outside it is told nobody, neither at the click of somebody who sees more nor by the worker's check."""
    nics = azure.add_nics(1)
    change = with_digests(azure, nics)
    Change.objects.filter(pk=change.pk).update(planner_subscription_ids=sorted([PROD, SPOKES]))
    change.refresh_from_db()
    stand_behind_a_basic_balancer_elsewhere(nics[0])
    assert read(change)["differences"] == []
    everybody = token_viewer(Role.ADMIN)
    assert [one.rules for one in rejudge(change, scope=everybody.scope).differences] == [("basic-lb",)], "who sees all would be told"
    assert change_apply(change=change, acting_user=everybody).differences == []
    azure.run(change)
    change.refresh_from_db()
    assert (change.state, change.differences, states(change)) == ("applied", [], ["verified"])


def test_what_the_planner_saw_is_a_difference_also_for_who_sees_less(azure: Stage) -> None:
    nics = azure.add_nics(1)
    change = with_digests(azure, nics)
    assert change.planner_scope == Scope.everything()
    stand_behind_a_basic_balancer_elsewhere(nics[0])
    told = read(change)
    problem = refused(change, acting_user=token_viewer(Role.OPERATOR, PROD, SPOKES))
    assert [one["rules"] for one in problem.extra["differences"]] == [["basic-lb"]]
    assert problem.extra["digest"] == told["differences_digest"], "the page and the click ask the same"


def test_a_return_is_not_part_of_what_is_judged_again(azure: Stage) -> None:
    (nic,) = azure.add_nics(1)
    change = with_digests(azure, [nic])
    change.steps.update(is_return=True)
    azure.order("nics/remove", nic=nic)
    assert change_apply(change=change, acting_user=token_viewer(Role.OPERATOR)).state == "applying"


def test_a_step_added_by_hand_of_a_nic_without_a_digest_is_not_compared(azure: Stage) -> None:
    nics = azure.add_nics(2)
    change = with_digests(azure, nics[:1])
    add_step(change, nics[1])
    assert change_apply(change=change, acting_user=token_viewer(Role.OPERATOR)).differences == []
