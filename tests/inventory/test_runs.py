"""Runs, leases and what becomes of lost workers: the row is the job, whoever holds the newest fence may write."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from tests.inventory.azure import OTHER, SUBSCRIPTION, SmallAzure, nic
from tests.inventory.factories import make_run, make_subscription_sync
from tests.inventory.syncing import state_of, sync
from vtapweb.access.models import AuditEntry, User
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.cloud import types as azure_types
from vtapweb.cloud.port import ReadKind
from vtapweb.cloud.types import Page
from vtapweb.domain.scope import Scope
from vtapweb.inventory.actions import (
    BoundElsewhereError,
    RemovalHoldError,
    installation_bind,
    removal_confirm,
    removal_dismiss,
    subscription_sync_perform,
    sync_cancel,
    sync_reap,
    sync_run_perform,
    sync_schedule,
    sync_start,
)
from vtapweb.inventory.actions.work import subscription_sync_claim, subscription_sync_finish
from vtapweb.inventory.lease import CancelledError, Lease, LeaseLostError
from vtapweb.inventory.models import NetworkInterface, RemovalHold, ResourceChange, Subscription, SubscriptionSync, SyncRun
from vtapweb.inventory.sync import Outcome, sync_subscription

pytestmark = pytest.mark.django_db(transaction=True)

NICS = ReadKind.NETWORK_INTERFACES


def azure_of(*nics: Any) -> SmallAzure:
    azure = SmallAzure()
    azure.put(NICS, *(nics or (nic("a"), nic("b"))))
    return azure


def started(azure: SmallAzure) -> SubscriptionSync:
    """The waiting part of a run that has read its list of subscriptions."""
    run = sync_start(trigger="demand", acting_user=None, actor="the test")
    assert sync_run_perform(run_id=run.pk, opener=lambda: azure)
    return SubscriptionSync.objects.get(run=run)


def admin(name: str = "ada", role: str = "admin") -> User:
    return User.objects.create(username=name, role=role)


def test_a_message_that_comes_twice_does_the_work_once() -> None:
    azure = azure_of()
    part = started(azure)
    assert sync_run_perform(run_id=part.run_id, opener=lambda: azure) is False
    assert subscription_sync_perform(sync_id=part.pk, opener=lambda: azure) == "complete"
    assert subscription_sync_perform(sync_id=part.pk, opener=lambda: azure) == ""
    assert SyncRun.objects.get(pk=part.run_id).state == "complete"


def test_asking_twice_joins_the_run_under_way() -> None:
    first = sync_start(trigger="demand", acting_user=admin())
    assert sync_start(trigger="schedule", acting_user=None).pk == first.pk
    assert sync_start(trigger="demand", acting_user=None, actor="x", subscription_ids=[SUBSCRIPTION]).pk != first.pk
    assert AuditEntry.objects.filter(action="inventory.sync_started").count() == 2


def test_a_viewer_syncs_what_he_may_read() -> None:
    viewer = Viewer(name="olga", role=Role.OPERATOR, scope=Scope.of([OTHER]), user=admin("olga", "operator"))
    assert sync_start(trigger="demand", acting_user=viewer).requested_subscription_ids == [OTHER]
    with pytest.raises(PermissionError):
        sync_start(trigger="demand", acting_user=viewer, subscription_ids=[SUBSCRIPTION])
    nothing = Viewer(name="nora", role=Role.OPERATOR, scope=Scope.of([]), user=admin("nora", "operator"))
    with pytest.raises(PermissionError):
        sync_start(trigger="demand", acting_user=nothing)


@pytest.mark.parametrize("subscription_id", ["", "..", "a/../../providers", "x" * 65, "ſ", "a\x00"])
def test_what_is_no_subscriptions_id_is_never_stored_or_asked_for(subscription_id: str) -> None:
    with pytest.raises(ValueError, match="looks like"):
        sync_start(trigger="demand", acting_user=admin(), subscription_ids=[subscription_id])
    assert not SyncRun.objects.exists()


def test_who_sees_a_part_stops_only_his_own_runs() -> None:
    azure = azure_of()
    run = started(azure).run
    olga = Viewer(name="olga", role=Role.OPERATOR, scope=Scope.of([OTHER]), user=admin("olga", "operator"))
    with pytest.raises(PermissionError):
        sync_cancel(run=run, acting_user=olga)
    assert not SyncRun.objects.filter(is_cancel_requested=True).exists()
    hers = sync_start(trigger="demand", acting_user=olga)
    assert sync_cancel(run=hers, acting_user=olga).state == "cancelled"


def test_a_worker_that_lost_the_run_stores_no_list_of_subscriptions() -> None:
    """Its list is the older one: subscriptions that came since would count as gone."""
    azure = azure_of()
    sync(azure)
    run = sync_start(trigger="demand", acting_user=admin())

    class Slow(SmallAzure):
        def subscriptions(self) -> Iterator[Page[azure_types.Subscription]]:
            SyncRun.objects.filter(pk=run.pk).update(fence=99)  # meanwhile another worker took over
            yield Page(items=(), not_understood=(), sent_count=0)

    assert sync_run_perform(run_id=run.pk, opener=Slow) is False
    assert Subscription.objects.get().not_listed_since is None


def test_one_subscription_is_read_by_one_run_at_a_time() -> None:
    azure = azure_of()
    first = started(azure)
    lease = subscription_sync_claim(sync_id=first.pk)
    assert lease is not None
    other = make_subscription_sync(run=make_run(state="running"), subscription=first.subscription, state="queued")
    assert subscription_sync_claim(sync_id=other.pk) is None
    subscription_sync_finish(lease, sync_subscription(azure, lease))
    second = subscription_sync_claim(sync_id=other.pk)
    assert second is not None
    assert second.fence > lease.fence


def test_a_worker_that_lost_its_lease_writes_nothing_more() -> None:
    azure = azure_of(*(nic(name) for name in "abcdef"))
    part = started(azure)
    old = subscription_sync_claim(sync_id=part.pk)
    assert old is not None

    def lose(kind: ReadKind, page: int) -> None:
        """While the old worker waits for its second page of NICs, its lease runs out and another worker does the work."""
        azure.on_page = None
        if kind is NICS:
            sync_reap(now=timezone.now() + timedelta(seconds=60))
            assert subscription_sync_perform(sync_id=part.pk, opener=lambda: azure_of(nic("z"))) == "complete"
        else:
            azure.on_page = lose

    azure.on_page = lose
    with pytest.raises(LeaseLostError):
        sync_subscription(azure, old)
    with pytest.raises(LeaseLostError):
        subscription_sync_finish(old, Outcome())
    assert list(NetworkInterface.objects.values_list("name", flat=True)) == ["z"]
    assert state_of(NICS).stored_count == 1


def test_the_work_of_a_killed_worker_is_done_by_another_within_30_s() -> None:
    azure = azure_of()
    with time_machine.travel("2026-11-22 12:00:00Z", tick=False) as clock:
        part = started(azure)
        assert subscription_sync_claim(sync_id=part.pk) is not None  # and then it is killed
        clock.shift(19)
        assert sync_reap(now=timezone.now())["taken_over"] == 0
        clock.shift(6)
        assert sync_reap(now=timezone.now())["taken_over"] == 1
        assert subscription_sync_perform(sync_id=part.pk, opener=lambda: azure) == "complete"
    assert NetworkInterface.objects.count() == 2


def test_three_lost_workers_are_enough() -> None:
    azure = azure_of()
    with time_machine.travel("2026-11-22 12:00:00Z", tick=False) as clock:
        part = started(azure)
        for _ in range(3):
            assert subscription_sync_claim(sync_id=part.pk) is not None
            clock.shift(25)
            done = sync_reap(now=timezone.now())
    assert done["given_up"] == 1
    part.refresh_from_db()
    assert (part.state, part.failure) == ("failed", "worker")
    assert SyncRun.objects.get(pk=part.run_id).state == "failed"


def test_a_worker_that_fails_says_with_what_and_is_tried_again_at_once() -> None:
    def broken() -> SmallAzure:
        raise RuntimeError("no such luck\0")

    with time_machine.travel("2026-11-22 12:00:00Z", tick=False) as clock:
        part = started(azure_of())
        for _ in range(3):
            with pytest.raises(RuntimeError):
                subscription_sync_perform(sync_id=part.pk, opener=broken)
            clock.shift(1)
            done = sync_reap(now=timezone.now())
    assert done["given_up"] == 1
    part.refresh_from_db()
    assert (part.state, part.failure) == ("failed", "internal")
    assert part.message == "vtapweb failed at it 3 times, last with “RuntimeError: no such luck\ufffd”. The worker's log has the whole story."


def test_a_run_whose_worker_died_over_the_list_of_subscriptions_goes_on() -> None:
    azure = azure_of()
    with time_machine.travel("2026-11-22 12:00:00Z", tick=False) as clock:
        run = sync_start(trigger="demand", acting_user=None, actor="the test")
        SyncRun.objects.filter(pk=run.pk).update(state="running", attempts=1, fence=1, lease_until=timezone.now())
        clock.shift(1)
        assert sync_reap(now=timezone.now())["taken_over"] == 1
        assert sync_run_perform(run_id=run.pk, opener=lambda: azure)


def test_rows_that_an_emptied_broker_forgot_are_nudged() -> None:
    with time_machine.travel("2026-11-22 12:00:00Z", tick=False) as clock:
        started(azure_of())
        assert sync_reap(now=timezone.now())["nudged"] == 0
        clock.shift(16)
        assert sync_reap(now=timezone.now())["nudged"] == 1
        assert sync_reap(now=timezone.now())["nudged"] == 0


def test_the_schedule_waits_for_its_interval() -> None:
    with time_machine.travel("2026-11-22 12:00:00Z", tick=False) as clock:
        first = sync_schedule(now=timezone.now())
        assert first is not None
        assert sync_schedule(now=timezone.now()) is None
        SyncRun.objects.update(state="complete", finished_at=timezone.now())
        clock.shift(200)
        assert sync_schedule(now=timezone.now()) is None
        clock.shift(100)
        assert sync_schedule(now=timezone.now()) is not None


def test_cancelling_stops_what_waits() -> None:
    part = started(azure_of())
    run = sync_cancel(run=part.run, acting_user=admin())
    assert (run.state, run.subscription_syncs.get().state) == ("cancelled", "cancelled")
    assert sync_cancel(run=run, acting_user=User.objects.get()).state == "cancelled"


def test_cancelling_stops_what_reads_at_its_next_page() -> None:
    azure = azure_of()
    part = started(azure)
    SyncRun.objects.filter(pk=part.run_id).update(is_cancel_requested=True)
    SubscriptionSync.objects.filter(pk=part.pk).update(state="running", fence=7)
    part.refresh_from_db()
    lease = part_lease(part)
    with pytest.raises(CancelledError):
        sync_subscription(azure, lease)


def part_lease(part: SubscriptionSync) -> Lease:
    return Lease(sync_id=part.pk, run_id=part.run_id, subscription_id=part.subscription_id, fence=part.fence)


def held() -> tuple[SmallAzure, RemovalHold]:
    azure = azure_of(*(nic(f"n{number:02}") for number in range(30)))
    sync(azure)
    azure.put(NICS, nic("n00"))
    sync(azure)
    return azure, RemovalHold.objects.get()


def test_an_admin_confirms_a_held_removal() -> None:
    azure, hold = held()
    with pytest.raises(RemovalHoldError, match="admin"):
        removal_confirm(hold=hold, acting_user=admin("olga", "operator"))
    hold = removal_confirm(hold=hold, acting_user=admin())
    assert (hold.state, hold.decided_by) == ("applied", "ada")
    assert NetworkInterface.objects.filter(removed_at=None).count() == 1
    assert ResourceChange.objects.filter(action="removed", run=None).count() == 29
    assert AuditEntry.objects.get(action="inventory.removal_confirmed").detail["missing_count"] == 29
    assert state_of(NICS).status == "complete"
    assert sync(azure).state == "complete"


def test_a_hold_confirmed_during_a_sync_is_applied_by_it() -> None:
    azure, hold = held()
    part = started(azure)
    lease = subscription_sync_claim(sync_id=part.pk)
    assert lease is not None
    assert removal_confirm(hold=hold, acting_user=admin()).state == "confirmed"
    assert subscription_sync_finish(lease, sync_subscription(azure, lease)) == "complete"
    assert NetworkInterface.objects.filter(removed_at=None).count() == 1
    assert RemovalHold.objects.get().state == "applied"


def test_a_dismissed_hold_does_not_ask_again_for_the_same_rows() -> None:
    azure, hold = held()
    removal_dismiss(hold=hold, acting_user=admin())
    assert sync(azure).state == "complete"
    assert NetworkInterface.objects.filter(removed_at=None).count() == 30
    assert RemovalHold.objects.count() == 1
    assert removal_confirm(hold=hold, acting_user=User.objects.get()).state == "applied"
    with pytest.raises(RemovalHoldError, match="decided already"):
        removal_dismiss(hold=hold, acting_user=User.objects.get())


def test_data_are_bound_to_their_azure() -> None:
    installation_bind(cloud="public", tenant_ids=["T1"])
    installation_bind(cloud="public", tenant_ids=["t1", "t2"])
    assert installation_bind(cloud="public").tenant_ids == ["t1", "t2"]
    with pytest.raises(BoundElsewhereError, match="tenant t1, t2, not of t9"):
        installation_bind(cloud="public", tenant_ids=["t9"])
    with pytest.raises(BoundElsewhereError, match="cloud public, not of the cloud custom at http://x"):
        installation_bind(cloud="custom", endpoint="http://x/")


def test_a_sync_of_another_azure_is_refused_before_it_writes() -> None:
    installation_bind(cloud="public")
    run = sync(azure_of())
    assert (run.state, run.failure) == ("failed", "bound")
    assert "use another data directory" in run.message
    assert not NetworkInterface.objects.exists()
