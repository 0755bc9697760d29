"""A worker that is killed at any moment: right after each commit, before each request leaves, and after each answer came."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.taps.people import viewer
from tests.taps.stage import ILB, PACKETLOG, KilledError, Stage, add_step, states, tap_change
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.inventory.models import SingleRead, TapConfiguration
from vtapweb.simulator.faults import FaultKind
from vtapweb.taps.actions.advance import changes_nudge
from vtapweb.taps.actions.apply import change_cancel
from vtapweb.taps.hold import LEASE_S
from vtapweb.taps.models import Change, ChangeStep, GroupHold, Mirror, WriteBudget

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


def run_killed_at(azure: Stage, change: Change, moment: int) -> bool:
    """Run it with a worker that dies at that moment, then with one that does not; whether the first died at all."""
    azure.moments, azure.kill_at = 0, moment
    try:
        azure.run(change)
    except KilledError:
        pass
    else:
        azure.kill_at = None
        return False
    azure.pass_s(LEASE_S + 1)
    changes_nudge(now=timezone.now())
    assert Change.objects.filter(pk=change.pk, nudged_at=timezone.now()).exists() or Change.objects.get(pk=change.pk).is_finished
    azure.run(change)
    return True


def check_once_each(azure: Stage, change: Change, begun: int) -> None:
    """What was sent: of each step one body and one request id, and one operation that came to its end."""
    mine = azure.writes()[begun:]
    for step in change.steps.all():
        sent = [one for one in mine if one.client_request_id == str(step.client_request_id)]
        assert all((one.method, one.body) == (step.method, step.body if step.method == "PUT" else one.body) for one in sent)
        assert sum(one.state == "Succeeded" and one.operation_id != "" for one in sent) == (step.state == "verified"), step
    for one in mine:
        assert not [other for other in mine if other is not one and other.nic == one.nic and other.overlapped(one)], "two at once on one NIC"
    results = AuditEntry.objects.filter(action__startswith="taps.step_", detail__change=change.pk)
    assert results.count() == change.steps.filter(state__in=["verified", "failed"]).count()
    assert AuditEntry.objects.filter(target=f"change {change.pk}", action="taps.change_ended", detail__state=change.state).count() == 1
    assert not GroupHold.objects.filter(until=None).exists()


@pytest.mark.both_databases
@pytest.mark.parametrize("fault", [None, FaultKind.LOST_ANSWER, FaultKind.LOST_OPERATION], ids=str)
def test_a_mirror_comes_about_once_wherever_the_worker_died(azure: Stage, fault: FaultKind | None) -> None:
    moment = 0
    is_killed = True
    while is_killed:
        moment += 1 if fault is None else 2
        (nic,) = azure.add_nics(1, stem=f"kill{moment}")
        change = tap_change([nic], groups={0: ["as-1"]}, settle_s=0)
        azure.server.faults.active = []
        if fault is not None:
            azure.fault(fault, times=1)
        begun = len(azure.writes())
        is_killed = run_killed_at(azure, change, moment)
        change.refresh_from_db()
        assert (states(change), change.state) == (["verified"], "applied"), moment
        assert azure.configurations(nic) == [("vtapweb", ILB, "Succeeded")], moment
        check_once_each(azure, change, begun)
        assert Mirror.objects.filter(began_change=change, ended_at=None).count() == 1
    assert moment > 15, "the worker was killed at each of many moments"


@pytest.mark.both_databases
def test_a_move_is_done_once_wherever_the_worker_died(azure: Stage) -> None:
    moment = 0
    is_killed = True
    while is_killed:
        moment += 2
        (nic,) = azure.add_nics(1, stem=f"kill{moment}")
        azure.order("tap-configurations/create", nic=nic, tap=PACKETLOG, name="old")
        change = tap_change([], action="move", settle_s=0)
        first = add_step(change, nic, action="delete", name="old", before={"tap_id": PACKETLOG}, groups=["as-1"])
        add_step(change, nic, after=first, groups=["as-1"])
        begun = len(azure.writes())
        is_killed = run_killed_at(azure, change, moment)
        change.refresh_from_db()
        assert (states(change), change.state) == (["verified", "verified"], "applied"), moment
        assert azure.configurations(nic) == [("vtapweb", ILB, "Succeeded")], moment
        check_once_each(azure, change, begun)
    assert moment > 30


@pytest.mark.both_databases
def test_a_killed_worker_does_not_outlive_a_cancel(azure: Stage) -> None:
    """Killed with one step sent and three waiting; cancelled before anybody took over."""
    nics = azure.add_nics(4)
    change = tap_change(nics, waves=[1, 1, 1, 1])

    def die_after_first(method: str, moment: str) -> None:
        if method == "PUT" and moment == "after":
            raise KilledError

    azure.on_request = die_after_first
    with pytest.raises(KilledError):
        azure.run(change)
    azure.on_request = None
    assert states(change) == ["sent", "pending", "pending", "pending"]
    change_cancel(change=change, acting_user=viewer(Role.OPERATOR))
    azure.pass_s(LEASE_S + 1)
    azure.run(change)
    assert states(change) == ["verified", "skipped", "skipped", "skipped"]
    assert Change.objects.get(pk=change.pk).state == "cancelled"


@pytest.mark.both_databases
def test_a_worker_that_lost_its_lease_writes_nothing_more(azure: Stage) -> None:
    """It hangs in a request for longer than its lease; another worker goes on meanwhile."""
    nics = azure.add_nics(3)
    change = tap_change(nics, waves=[1, 1, 1])
    began: list[Any] = []

    def hang(method: str, moment: str) -> None:
        if method == "PUT" and moment == "before" and not began:
            began.append(True)
            azure.pass_s(LEASE_S + 1)
            azure.run(change, until=lambda: states(change).count("verified") == 2)

    azure.on_request = hang
    assert azure.advance(change) is None, "it found out, and left the change to the other one"
    azure.run(change)
    assert states(change) == ["verified"] * 3
    assert [azure.configurations(nic) for nic in nics] == [[("vtapweb", ILB, "Succeeded")]] * 3
    check_once_each(azure, Change.objects.get(pk=change.pk), 0)


@pytest.mark.both_databases
def test_what_a_lost_message_left_is_found_by_the_tick_and_not_asked_for_twice(azure: Stage) -> None:
    change = tap_change(azure.add_nics(1))
    assert changes_nudge(now=timezone.now()) == 1
    assert changes_nudge(now=timezone.now() + timedelta(seconds=4)) == 0, "a message is on its way"
    assert changes_nudge(now=timezone.now() + timedelta(seconds=6)) == 1, "it was lost"
    azure.run(change)
    assert changes_nudge(now=timezone.now() + timedelta(hours=1)) == 0


@pytest.mark.both_databases
def test_a_clock_that_is_set_back_an_hour_does_not_lock_a_change_away(azure: Stage) -> None:
    """The worker died; its lease, its last nudge, the budget and the NIC's last read all lie an hour ahead."""
    nics = azure.add_nics(2)
    change = tap_change(nics, waves=[1, 1])
    azure.run(change, until=lambda: states(change)[0] == "polling")
    ahead = timezone.now() + timedelta(hours=1)
    Change.objects.filter(pk=change.pk).update(lease_until=ahead, nudged_at=ahead, next_due_at=None)
    ChangeStep.objects.filter(change=change).update(next_at=None)
    WriteBudget.objects.update(tokens=0.0, at=ahead, not_before=ahead)
    SingleRead.objects.update(read_at=ahead)
    assert changes_nudge(now=timezone.now()) == 1
    azure.run(change)
    assert states(change) == ["verified"] * 2
    assert TapConfiguration.objects.filter(removed_at=None).count() == 2
    assert timezone.now() < ahead - timedelta(minutes=55)
