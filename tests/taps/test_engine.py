"""The engine against the simulator: what it sends, what it makes of every answer, and that it never sends what it should not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from tests.taps.people import viewer
from tests.taps.stage import ILB, PACKETLOG, Stage, add_step, stage, states, tap_change
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.inventory.models import TapConfiguration
from vtapweb.simulator.contoso import PROD, SPOKES
from vtapweb.simulator.faults import FaultKind
from vtapweb.simulator.throttle import Budgets
from vtapweb.taps.actions.advance import STEPS_IN_AUDIT, changes_nudge
from vtapweb.taps.actions.apply import change_cancel, change_continue, change_pause
from vtapweb.taps.actions.writes import writes_disable, writes_resume, writes_stop
from vtapweb.taps.gaps import gaps_of
from vtapweb.taps.models import Change, GroupHold, Mirror
from vtapweb.web.problem import ProblemError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


def machine_power(azure: Stage, name: str, power: str) -> None:
    azure.order("virtual-machines", vm=name, state=power)


def outside(azure: Stage, nic_id: str, tap_id: str, *, name: str) -> None:
    """Somebody mirrors the NIC with another tool, and it is done at once."""
    azure.order("tap-configurations/create", nic=nic_id, tap=tap_id, name=name)


def again(change: Change) -> Change:
    return Change.objects.get(pk=change.pk)


@pytest.mark.both_databases
def test_a_change_goes_wave_by_wave_each_verified_and_settled_before_the_next(azure: Stage) -> None:
    nics = azure.add_nics(8)
    change = tap_change(nics)
    azure.run(change)
    assert states(change) == ["verified"] * 8
    assert again(change).state == "applied"
    for nic in nics:
        assert azure.configurations(nic) == [("vtapweb", ILB, "Succeeded")]
    written = azure.writes()
    assert [one.client_request_id for one in written] == [str(one.client_request_id) for one in change.steps.order_by("ordinal")]
    spans: dict[int, list[tuple[float, float]]] = {wave: [] for wave in (1, 2, 3)}
    for one, step in zip(written, change.steps.order_by("ordinal"), strict=True):
        spans[step.wave].append((one.begun_unix_s, one.ended_unix_s))
    for wave in (2, 3):
        assert min(begun for begun, _ in spans[wave]) >= max(ended for _, ended in spans[wave - 1]) + 2


def puts(azure: Stage) -> list[str]:
    return [one.path.partition("?")[0] for one in azure.writes() if one.method == "PUT"]


@pytest.mark.both_databases
@pytest.mark.parametrize("share", [1, 3])
def test_what_shares_a_group_is_never_in_flight_together_even_across_changes(azure: Stage, share: int) -> None:
    """dc-1 and dc-2 back each other up; two changes at once, each with one of them, and each with free NICs besides."""
    nics = azure.add_nics(6)
    groups = {0: ["as-dc"], 1: ["pool-web"], 2: ["free"]}
    one = tap_change(nics[:3], waves=[1] * 3, groups=groups, settle_s=20)
    other = tap_change(nics[3:], waves=[1] * 3, groups=dict(list(groups.items())[:share]), settle_s=20)
    azure.run(one, other)
    assert states(one) == states(other) == ["verified"] * 3
    spans = {one.nic: (one.begun_unix_s, one.ended_unix_s) for one in azure.writes()}
    by_name = {nic.rpartition("/")[2]: span for nic, span in ((key.lower(), value) for key, value in spans.items())}
    for number in range(share):
        first, second = sorted(by_name[nic.rpartition("/")[2].lower()] for nic in (nics[number], nics[3 + number]))
        assert second[0] >= first[1] + 20, "the other one waits until the first has settled"
    assert GroupHold.objects.filter(until=None).count() == 0


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (FaultKind.LOST_ANSWER, {"every": 2}),
        (FaultKind.LOST_REQUEST, {"every": 2}),
        (FaultKind.THROTTLE, {"every": 3, "only": "writes", "retry_after_s": 7}),
        (FaultKind.THROTTLE, {"every": 4, "only": "reads", "retry_after_s": 3}),
        (FaultKind.SERVER_ERROR, {"every": 3, "only": "writes", "status": 500}),
        (FaultKind.SERVER_ERROR, {"every": 5, "only": "reads", "status": 503}),
        (FaultKind.DROP, {"every": 4}),
        (FaultKind.TRUNCATE, {"every": 5}),
        (FaultKind.SLOW_OPERATION, {"every": 2, "delay_ms": 90_000}),
        (FaultKind.LOST_OPERATION, {"every": 2}),
    ],
    ids=lambda one: str(one),
)
def test_whatever_is_lost_or_late_each_nic_gets_its_one_mirror(azure: Stage, kind: FaultKind, fields: dict[str, Any]) -> None:
    nics = azure.add_nics(6)
    change = tap_change(nics)
    azure.fault(kind, **fields)
    azure.run(change)
    assert states(change) == ["verified"] * 6, [(one.error_code, one.error_message) for one in change.steps.all()]
    assert again(change).state == "applied"
    assert [azure.configurations(nic) for nic in nics] == [[("vtapweb", ILB, "Succeeded")]] * 6
    for number, step in enumerate(change.steps.order_by("ordinal")):
        sent = [one for one in azure.writes() if one.path.lower().startswith(step.target_id.lower())]
        assert {one.client_request_id for one in sent} == {str(step.client_request_id)}, number
        assert all(one.body == step.body for one in sent)
    assert Mirror.objects.filter(began_change=change, ended_at=None).count() == 6


@pytest.mark.both_databases
def test_an_operation_that_fails_fails_its_step_with_azures_own_words(azure: Stage) -> None:
    nics = azure.add_nics(7)
    change = tap_change(nics)
    azure.fault(FaultKind.FAILED_OPERATION, path_part=nics[2].rpartition("/")[2], code="NicIsTired", message="It has gone to bed. (simulator)")
    azure.run(change)
    step = change.steps.get(state="failed")
    assert (step.nic_id, step.error_code, step.error_message) == (nics[2], "NicIsTired", "It has gone to bed. (simulator)")
    assert step.correlation_id
    assert again(change).state == "partly_applied"
    assert azure.configurations(nics[2]) == []
    told = {entry.action: entry for entry in AuditEntry.objects.filter(target=f"change {change.pk}")}
    ended = told["taps.change_ended"].detail
    assert (ended["state"], ended["verified"], ended["failed"]) == ("partly_applied", 6, 1)
    assert ended["not_done"] == [{"step": 3, "target": step.target_id, "state": "failed", "code": "NicIsTired"}]
    of_steps = AuditEntry.objects.filter(action__startswith="taps.step_").values_list("action", flat=True)
    assert sorted(of_steps) == ["taps.step_failed"] + ["taps.step_verified"] * 6


@pytest.mark.both_databases
def test_the_record_of_an_end_names_the_first_steps_that_were_not_done_and_counts_the_rest(azure: Stage) -> None:
    nics = azure.add_nics(STEPS_IN_AUDIT + 4)
    change = tap_change(nics)
    change.steps.filter(ordinal=STEPS_IN_AUDIT).update(state="failed", error_code="NicIsTired", ended_at=timezone.now())
    change_cancel(change=change, acting_user=viewer(Role.OPERATOR))
    detail = AuditEntry.objects.get(action="taps.change_ended", target=f"change {change.pk}").detail
    assert (detail["state"], len(detail["not_done"]), detail["not_done_left_out"]) == ("cancelled", STEPS_IN_AUDIT, 4)
    assert [(one["state"], one["code"]) for one in detail["not_done"][:2]] == [("failed", "NicIsTired"), ("skipped", "cancelled")]


@pytest.mark.both_databases
def test_many_at_once_through_everything_that_goes_wrong_end_with_exactly_what_azure_failed(azure: Stage) -> None:
    nics = azure.add_nics(40)
    change = tap_change(nics, waves=[1] + [2 + number // 20 for number in range(39)])
    doomed = {nics[11], nics[27]}
    for nic in doomed:
        azure.fault(FaultKind.FAILED_OPERATION, path_part=f"{nic.rpartition('/')[2]}/")
    azure.fault(FaultKind.SLOW_OPERATION, percent=20, delay_ms=30_000)
    azure.fault(FaultKind.THROTTLE, percent=5, seed=2)
    azure.fault(FaultKind.SERVER_ERROR, percent=2, seed=3, status=500)
    azure.fault(FaultKind.LOST_ANSWER, percent=5, seed=4)
    azure.run(change)
    assert again(change).state == "partly_applied"
    assert {one.nic_id for one in change.steps.filter(state="failed")} == doomed
    assert change.steps.filter(state="verified").count() == 38
    assert [azure.configurations(nic) for nic in nics] == [[] if nic in doomed else [("vtapweb", ILB, "Succeeded")] for nic in nics]
    rows = TapConfiguration.objects.filter(removed_at=None, network_interface__arm_id__in=nics)
    assert rows.count() == 38
    assert AuditEntry.objects.filter(action="taps.step_verified").count() == 38


def test_a_refusal_is_an_answer_and_is_not_tried_again(azure: Stage) -> None:
    nics = azure.add_nics(2)
    azure.fault(FaultKind.QUOTA, limit=0, path_part=nics[0].rpartition("/")[2])
    change = tap_change(nics)
    azure.run(change)
    assert states(change) == ["failed", "verified"]
    failed = change.steps.get(state="failed")
    assert failed.http_status == 400
    assert failed.attempts == 1
    assert failed.error_message.endswith("(simulator)")


@pytest.mark.both_databases
def test_it_stops_after_three_failures_in_a_row_and_goes_on_when_somebody_says_so(azure: Stage) -> None:
    nics = azure.add_nics(8)
    change = tap_change(nics, waves=[1, 2, 3, 4, 5, 6, 7, 8])
    azure.fault(FaultKind.FAILED_OPERATION, times=3)
    azure.run(change)
    assert states(change) == ["failed"] * 3 + ["pending"] * 5
    stopped = again(change)
    assert (stopped.state, stopped.stop_code) == ("paused", "failures")
    assert "3 failures" in stopped.stop_reason
    change_continue(change=change, acting_user=viewer(Role.OPERATOR))
    azure.run(change)
    assert states(change) == ["failed"] * 3 + ["verified"] * 5
    assert again(change).state == "partly_applied"


def test_what_is_not_on_fastpath_waits_for_its_owner_while_the_others_go_on(azure: Stage) -> None:
    nics = azure.add_nics(4)
    name = nics[1].rpartition("/")[2]
    change = tap_change(nics)
    azure.fault(FaultKind.NOT_ON_FASTPATH, path_part=name)
    azure.run(change)
    assert states(change) == ["verified", "pending", "verified", "verified"]
    waiting = change.steps.get(state="pending")
    assert (waiting.wait_code, waiting.attempts) == ("preparation", 1)
    paused = again(change)
    assert (paused.state, paused.stop_code) == ("paused", "preparation")
    assert name in paused.stop_reason
    for power in ("deallocated", "running"):
        azure.pass_s(60)
        machine_power(azure, name, power)
    change_continue(change=change, acting_user=viewer(Role.OPERATOR))
    azure.run(change)
    assert states(change) == ["verified"] * 4
    assert again(change).state == "applied"


def test_no_more_writes_go_out_than_azure_takes(azure: Stage, settings: Settings) -> None:
    settings.WRITES_AT_ONCE, settings.WRITES_PER_S = 3, 2
    nics = azure.add_nics(11)
    change = tap_change(nics, waves=[1] * 11)
    azure.run(change)
    assert states(change) == ["verified"] * 11
    begun = sorted(one.begun_unix_s for one in azure.writes())
    for first, fourth in zip(begun, begun[5:], strict=False):
        assert fourth - first >= 1.0, "three at once and two a second: six never fall into one second"


def test_within_azures_own_budget_nothing_is_refused(settings: Settings) -> None:
    settings.REDIS_URL, settings.CLOUD = "", "simulator"
    with stage(budgets=Budgets()) as azure:
        nics = azure.add_nics(30)
        change = tap_change(nics, waves=[1] * 30)
        azure.run(change)
        assert states(change) == ["verified"] * 30
        assert {one.status for one in azure.server.writes.log.entries.values()} == {201}


# -- stopping in the middle


def after_writes(azure: Stage, many: int, deed: Callable[[], object]) -> None:
    """Does something once, right after so many writes were answered."""
    seen = 0

    def look(method: str, moment: str) -> None:
        nonlocal seen
        seen += method != "GET" and moment == "after"
        if seen == many and moment == "after" and method != "GET":
            deed()

    azure.on_request = look


def test_pause_lets_what_was_sent_end_and_sends_no_more(azure: Stage) -> None:
    nics = azure.add_nics(6)
    change = tap_change(nics)
    operator = viewer(Role.OPERATOR)
    after_writes(azure, 3, lambda: change_pause(change=change, acting_user=operator))
    azure.run(change)
    assert states(change) == ["verified"] * 3 + ["pending"] * 3
    assert (again(change).state, again(change).stop_code) == ("paused", "person")
    change_continue(change=change, acting_user=operator)
    azure.run(change)
    assert states(change) == ["verified"] * 6


def test_cancel_lets_what_was_sent_end_and_the_change_has_ended_then(azure: Stage) -> None:
    nics = azure.add_nics(6)
    change = tap_change(nics)
    after_writes(azure, 3, lambda: change_cancel(change=change, acting_user=viewer(Role.OPERATOR), reason="wrong list"))
    azure.run(change)
    assert states(change) == ["verified"] * 3 + ["skipped"] * 3
    ended = again(change)
    assert (ended.state, ended.stop_code) == ("cancelled", "cancelled")
    assert ended.finished_at is not None
    assert len(puts(azure)) == 3


def test_the_stop_over_all_writes_halts_within_the_next_step(azure: Stage) -> None:
    nics = azure.add_nics(6)
    change = tap_change(nics)
    after_writes(azure, 3, lambda: writes_stop(reason="incident", actor="the test"))
    azure.run(change)
    assert states(change) == ["verified"] * 3 + ["pending"] * 3
    assert (again(change).state, again(change).stop_code) == ("paused", "writes_stopped")
    assert "incident" in again(change).stop_reason
    with pytest.raises(ProblemError, match="Writes are off"):
        change_continue(change=change, acting_user=viewer(Role.OPERATOR))


@pytest.mark.both_databases
def test_the_stop_reaches_a_change_that_waits_for_its_next_wave_by_the_next_tick(azure: Stage) -> None:
    change = tap_change(azure.add_nics(6), settle_s=3_600)
    azure.run(change, until=lambda: states(change)[0] == "verified")
    assert changes_nudge(now=timezone.now()) == 0, "nothing is due for an hour"
    writes_stop(reason="incident", actor="the test")
    azure.pass_s(6)
    assert changes_nudge(now=timezone.now()) == 1
    azure.advance(change)
    assert (again(change).state, again(change).stop_code) == ("paused", "writes_stopped")


def test_a_subscription_that_becomes_read_only_halts_too(azure: Stage) -> None:
    change = tap_change(azure.add_nics(6))
    after_writes(azure, 2, lambda: writes_disable(subscription_ids=[SPOKES], reason="audit", actor="the test"))
    azure.run(change)
    assert states(change) == ["verified"] * 2 + ["pending"] * 4
    assert (again(change).state, again(change).stop_code) == ("paused", "writes_disabled")


def test_nothing_is_sent_before_its_window_opens_or_after_it_closes(azure: Stage) -> None:
    opens = timezone.now() + timedelta(hours=1)
    closes = opens + timedelta(seconds=9)
    nics = azure.add_nics(12)
    change = tap_change(nics, window_opens_at=opens, window_closes_at=closes)
    azure.run(change)
    assert {one.begun_unix_s for one in azure.writes()}
    assert all(opens.timestamp() <= one.begun_unix_s < closes.timestamp() for one in azure.writes())
    found = states(change)
    assert set(found) == {"verified", "skipped"}
    assert {one.skip_code for one in change.steps.filter(state="skipped")} == {"window_closed"}
    assert (again(change).state, again(change).stop_code) == ("partly_applied", "window_closed")


def test_a_window_that_closes_while_a_wave_settles_ends_the_change_then(azure: Stage) -> None:
    closes = timezone.now() + timedelta(minutes=5)
    change = tap_change(azure.add_nics(3), settle_s=3600, window_opens_at=timezone.now(), window_closes_at=closes)
    azure.run(change)
    assert states(change) == ["verified", "skipped", "skipped"]
    assert (again(change).state, again(change).stop_code) == ("partly_applied", "window_closed")
    assert closes <= timezone.now() < closes + timedelta(minutes=1), "not when the wave has settled"


@pytest.mark.both_databases
def test_a_paused_change_ends_when_its_window_closes(azure: Stage) -> None:
    closes = timezone.now() + timedelta(minutes=5)
    change = tap_change(azure.add_nics(3), window_opens_at=timezone.now(), window_closes_at=closes)
    after_writes(azure, 1, lambda: change_pause(change=change, acting_user=viewer(Role.OPERATOR)))
    azure.run(change)
    assert states(change) == ["verified", "skipped", "skipped"]
    assert again(change).state == "partly_applied"
    assert timezone.now() >= closes


# -- what somebody else does meanwhile


def test_a_nic_that_somebody_mirrored_meanwhile_is_left_alone(azure: Stage) -> None:
    nics = azure.add_nics(2)
    change = tap_change(nics)
    outside(azure, nics[1], PACKETLOG, name="theirs")
    azure.run(change)
    assert states(change) == ["verified", "failed"]
    failed = change.steps.get(state="failed")
    assert failed.error_code == "another_configuration"
    assert "theirs" in failed.error_message
    assert failed.sent_at is None
    assert azure.configurations(nics[1]) == [("theirs", PACKETLOG, "Succeeded")]


@pytest.mark.both_databases
def test_what_is_as_wanted_already_is_not_called_our_doing(azure: Stage) -> None:
    nics = azure.add_nics(2)
    change = tap_change(nics)
    outside(azure, nics[0], ILB, name="vtapweb")
    azure.run(change)
    assert states(change) == ["skipped", "verified"]
    assert change.steps.get(state="skipped").skip_code == "already"
    assert again(change).state == "applied"
    assert Mirror.objects.filter(began_change=change).count() == 1


def test_a_mirror_that_was_led_elsewhere_is_not_taken_away(azure: Stage) -> None:
    (nic,) = azure.add_nics(1)
    outside(azure, nic, PACKETLOG, name="vtapweb")
    change = tap_change([], action="untap")
    step = add_step(change, nic, action="delete", before={"tap_id": ILB})
    azure.run(change)
    step.refresh_from_db()
    assert (step.state, step.error_code) == ("failed", "mirror_moved")
    assert len(azure.configurations(nic)) == 1


@pytest.mark.both_databases
def test_untap_takes_the_mirror_away_and_ends_it_in_ledger_and_inventory(azure: Stage) -> None:
    nics = azure.add_nics(2)
    azure.run(tap_change(nics))
    assert TapConfiguration.objects.filter(removed_at=None).count() == 2
    change = tap_change([], action="untap")
    for nic in nics:
        add_step(change, nic, action="delete", before={"tap_id": ILB})
    azure.run(change)
    assert states(change) == ["verified"] * 2
    assert [azure.configurations(nic) for nic in nics] == [[], []]
    assert Mirror.objects.filter(ended_at=None).count() == 0
    assert TapConfiguration.objects.filter(removed_at=None).count() == 0


def moving(azure: Stage, count: int) -> tuple[list[str], Change]:
    """NICs on PACKETLOG, and a change that moves them to ILB: a delete and a put each."""
    nics = azure.add_nics(count)
    for nic in nics:
        outside(azure, nic, PACKETLOG, name="old")
    change = tap_change([], action="move")
    for number, nic in enumerate(nics):
        first = add_step(change, nic, action="delete", name="old", before={"tap_id": PACKETLOG}, wave=number + 1, groups=["as-1"])
        add_step(change, nic, wave=number + 1, after=first, groups=["as-1"])
    return nics, change


def test_a_move_goes_back_to_back_for_each_nic(azure: Stage) -> None:
    nics, change = moving(azure, 2)
    azure.run(change)
    assert states(change) == ["verified"] * 4
    assert [azure.configurations(nic) for nic in nics] == [[("vtapweb", ILB, "Succeeded")]] * 2
    order = [(one.method, one.nic) for one in azure.writes() if one.client_request_id]
    assert [method for method, _ in order] == ["DELETE", "PUT"] * 2


@pytest.mark.both_databases
def test_a_move_that_fails_halfway_goes_back_to_where_it_came_from(azure: Stage) -> None:
    nics, change = moving(azure, 2)
    azure.fault(FaultKind.FAILED_OPERATION, path_part=f"{nics[0].rpartition('/')[2]}/tapConfigurations/vtapweb")
    azure.run(change)
    assert states(change) == ["verified", "failed", "verified", "verified", "verified"]
    assert change.steps.get(is_return=True).ordinal == 5
    (gap,) = gaps_of(change.steps.all())
    assert (gap.nic_id, gap.back_at) == (nics[0], PACKETLOG)
    assert gap.until is not None
    assert gap.until > gap.since
    assert AuditEntry.objects.get(action="taps.change_ended").detail["gaps"] == [gap.words]
    assert azure.configurations(nics[0]) == [("old", PACKETLOG, "Succeeded")]
    assert azure.configurations(nics[1]) == [("vtapweb", ILB, "Succeeded")]
    assert again(change).state == "partly_applied"


@pytest.mark.parametrize("act", [change_pause, change_cancel])
def test_a_nic_in_the_middle_of_a_move_is_brought_to_its_end_when_the_change_is_halted(azure: Stage, act: Callable[..., object]) -> None:
    nics, change = moving(azure, 2)
    after_writes(azure, 1, lambda: act(change=change, acting_user=viewer(Role.OPERATOR)))
    azure.run(change)
    rest = "pending" if act is change_pause else "skipped"
    assert states(change) == ["verified", "verified", rest, rest]
    assert [azure.configurations(nic)[0][1] for nic in nics] == [ILB, PACKETLOG]


def in_window(change: Change, seconds: int) -> None:
    """The change's window is open, and closes in so many seconds."""
    now = timezone.now()
    Change.objects.filter(pk=change.pk).update(window_opens_at=now - timedelta(hours=1), window_closes_at=now + timedelta(seconds=seconds))


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_nic_in_the_middle_of_a_move_is_brought_to_its_end_when_the_window_closes(azure: Stage, is_cancelled: bool) -> None:
    nics, change = moving(azure, 2)
    in_window(change, 60)

    def close() -> None:
        azure.pass_s(120)
        if is_cancelled:
            change_cancel(change=change, acting_user=viewer(Role.OPERATOR))

    after_writes(azure, 1, close)
    azure.run(change)
    assert states(change) == ["verified", "verified", "skipped", "skipped"]
    assert [azure.configurations(nic)[0][1] for nic in nics] == [ILB, PACKETLOG]
    ended = again(change)
    assert (ended.state, ended.stop_code) == (("cancelled" if is_cancelled else "partly_applied"), "cancelled" if is_cancelled else "window_closed")


@pytest.mark.both_databases
def test_the_way_back_of_a_failed_move_is_taken_when_the_window_has_closed(azure: Stage) -> None:
    nics, change = moving(azure, 1)
    in_window(change, 60)
    azure.fault(FaultKind.FAILED_OPERATION, path_part=f"{nics[0].rpartition('/')[2]}/tapConfigurations/vtapweb")
    after_writes(azure, 1, lambda: azure.pass_s(120))
    azure.run(change)
    assert states(change) == ["verified", "failed", "verified"]
    assert azure.configurations(nics[0]) == [("old", PACKETLOG, "Succeeded")]


def test_a_stop_in_the_middle_of_a_move_holds_it_there_only_until_it_is_lifted(azure: Stage) -> None:
    """Also when the window has closed meanwhile."""
    nics, change = moving(azure, 1)
    in_window(change, 60)
    after_writes(azure, 1, lambda: writes_stop(reason="incident 4", actor="the test"))
    closes_at = again(change).window_closes_at
    assert closes_at is not None
    azure.run(change, until=lambda: timezone.now() > closes_at)
    assert states(change) == ["verified", "pending"]
    assert [(one.nic_id, one.until) for one in gaps_of(change.steps.all())] == [(nics[0], None)], "and is told meanwhile"
    writes_resume(reason="over", actor="the test")
    azure.run(change)
    assert states(change) == ["verified", "verified"]
    assert (azure.configurations(nics[0])[0][1], again(change).state) == (ILB, "applied")
    assert gaps_of(change.steps.all()) == []


def test_the_way_back_leads_over_what_the_failed_half_left(azure: Stage) -> None:
    """Old and new configuration have one name, as a planned move's have, and the failed one is left there as Failed."""
    (nic,) = azure.add_nics(1)
    outside(azure, nic, PACKETLOG, name="vtapweb")
    change = tap_change([], action="move")
    first = add_step(change, nic, action="delete", before={"tap_id": PACKETLOG})
    add_step(change, nic, after=first)
    begun = len(puts(azure))

    def fail_the_put() -> None:
        azure.fault(FaultKind.FAILED_OPERATION, times=1, leaves_failed=True)

    after_writes(azure, 1, fail_the_put)
    azure.run(change)
    assert states(change) == ["verified", "failed", "verified"]
    assert azure.configurations(nic) == [("vtapweb", PACKETLOG, "Succeeded")]
    assert len(puts(azure)) - begun == 2


@pytest.mark.both_databases
def test_a_step_whose_first_half_could_not_be_done_is_skipped(azure: Stage) -> None:
    nics, change = moving(azure, 1)
    azure.fault(FaultKind.FAILED_OPERATION, path_part="/tapConfigurations/old")
    azure.run(change)
    assert states(change) == ["failed", "skipped"]
    assert change.steps.get(state="skipped").skip_code == "step_before"
    assert azure.configurations(nics[0]) == [("old", PACKETLOG, "Succeeded")]
    assert again(change).state == "failed"


@pytest.mark.both_databases
def test_a_move_that_stops_for_failures_still_brings_every_nic_back(azure: Stage) -> None:
    nics, change = moving(azure, 4)
    azure.fault(FaultKind.FAILED_OPERATION, path_part="/tapConfigurations/vtapweb")
    azure.run(change)
    assert (again(change).state, again(change).stop_code) == ("paused", "failures")
    assert [azure.configurations(nic) for nic in nics] == [[("old", PACKETLOG, "Succeeded")]] * 4
    assert list(change.steps.filter(is_return=True).values_list("state", flat=True)) == ["verified"] * 3


def test_a_cancelled_move_that_the_stop_caught_halfway_ends_when_the_stop_is_lifted(azure: Stage) -> None:
    (nic,), change = moving(azure, 1)
    after_writes(azure, 1, lambda: writes_stop(reason="incident", actor="the test"))
    azure.run(change, until=lambda: states(change)[0] == "verified" and again(change).state == "paused")
    azure.advance(change)
    change_cancel(change=change, acting_user=viewer(Role.OPERATOR))
    azure.advance(change)
    assert states(change) == ["verified", "pending"], "a NIC between two TAPs, and nothing may be sent"
    writes_resume(reason="over", actor="the test")
    azure.pass_s(60)
    assert changes_nudge(now=timezone.now()) == 1
    azure.run(change)
    assert states(change) == ["verified", "verified"]
    assert azure.configurations(nic) == [("vtapweb", ILB, "Succeeded")]
    assert again(change).is_finished


def test_a_move_whose_second_half_waits_for_preparation_goes_back_instead_of_waiting_unmirrored(azure: Stage) -> None:
    (nic,), change = moving(azure, 1)
    azure.fault(FaultKind.NOT_ON_FASTPATH, path_part="/tapConfigurations/vtapweb")
    azure.run(change)
    assert azure.configurations(nic) == [("old", PACKETLOG, "Succeeded")]
    assert states(change) == ["verified", "failed", "verified"]
    assert "fastpath" in change.steps.get(state="failed").error_message.lower()
    assert again(change).state == "partly_applied"


@pytest.mark.both_databases
def test_a_request_that_left_without_a_trace_is_on_record_when_it_is_skipped(azure: Stage) -> None:
    (nic,) = azure.add_nics(1)
    change = tap_change([nic])
    azure.fault(FaultKind.LOST_REQUEST)
    azure.run(change, until=lambda: change.steps.get().wait_code == "again")
    change_cancel(change=change, acting_user=viewer(Role.OPERATOR, name="piet"))
    step = change.steps.get()
    assert (step.state, step.skip_code, step.attempts) == ("skipped", "cancelled", 1)
    assert step.skip_reason == "piet cancelled the change before this was done. An earlier try left no trace in Azure."
    entry = AuditEntry.objects.get(action="taps.step_skipped")
    assert (entry.target, entry.detail["request_id"], entry.detail["skip_code"]) == (step.target_id, str(step.client_request_id), "cancelled")


@pytest.mark.parametrize("is_seen", [True, False])
def test_who_holds_a_group_is_named_only_to_those_who_may_see_it(azure: Stage, is_seen: bool) -> None:
    nics = azure.add_nics(2)
    one = tap_change(nics[:1], groups={0: ["tag:tier=db"]}, settle_s=60)
    other = tap_change(nics[1:], groups={0: ["tag:tier=db"]}, subscription_ids=[SPOKES, PROD] if is_seen else [PROD])
    azure.advance(one)
    azure.advance(other)
    waiting = other.steps.get()
    assert waiting.wait_code == "group"
    assert (nics[0].rpartition("/")[2] in waiting.wait_reason) is is_seen
