"""What a worker does: read the list of subscriptions for a run, read one subscription. Safe to run twice: a claim decides, not the message."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from vtapweb.cloud import types as azure
from vtapweb.cloud.port import Cloud, CloudError, Failure
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.plain_text import storable
from vtapweb.events.bus import announce
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.events.types import SyncProgress
from vtapweb.inventory.actions.installation import BoundElsewhereError, installation_bind
from vtapweb.inventory.actions.runs import UNFINISHED, close_run, close_sync, finish_run_if_over, next_fence, sync_reap, sync_start, tell
from vtapweb.inventory.clouds import open_cloud
from vtapweb.inventory.lease import LEASE_S, CancelledError, Keeper, Lease, LeaseLostError
from vtapweb.inventory.models import KindState, NotUnderstoodItem, Subscription, SubscriptionSync, SyncRun, Tenant
from vtapweb.inventory.sync import Outcome, failed_outcome, sync_subscription
from vtapweb.inventory.whoami import identity_keep

LOOK_AGAIN_S: Final = 0.5  # how often a foreground sync looks at what other workers do
KIND_FIELDS: Final = (
    "status",
    "last_attempt_at",
    "last_complete_at",
    "sent_count",
    "stored_count",
    "duplicate_count",
    "not_understood_count",
    "failure",
    "code",
    "message",
    "correlation_id",
)

HOPELESS: Final = frozenset({Failure.CONNECTION, Failure.UNAUTHENTICATED})  # what fails one list so fails them all

OpenCloud = Callable[[], Cloud]

log = structlog.get_logger(__name__)


def owner_name() -> str:
    """Who holds a lease, for the people who look at the row."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}"


@contextmanager
def _opened(opener: OpenCloud) -> Iterator[Cloud]:
    cloud = opener()
    try:
        yield cloud
    finally:
        cloud.close()


# -- the run: which subscriptions there are


def sync_run_perform(*, run_id: int, opener: OpenCloud = open_cloud) -> bool:
    """Read the list of subscriptions and queue a sync for each; whether this call did it (another may have, before).

    A list that can't be read falls back to the subscriptions known, and the run is partial; with none known it is failed.
    """
    run = _claim_run(run_id)
    if run is None:
        return False
    fence = run.fence
    last_page = [time.monotonic()]
    listed: dict[str, azure.Subscription] = {}
    problem: CloudError | None = None
    try:
        with Keeper(lambda: _renew_run(run_id, fence), last_page_at=lambda: last_page[0]), _opened(opener) as cloud:
            identity = cloud.identity()
            identity_keep(identity)
            for page in cloud.subscriptions():
                listed.update((one.subscription_id, one) for one in page.items)
                last_page[0] = time.monotonic()
            tenant_ids = {identity.tenant_id, *(one.tenant_id for one in listed.values())}
            installation_bind(cloud=identity.cloud, endpoint=identity.endpoint, tenant_ids=tenant_ids)
    except CloudError as failed:
        problem = failed
    except BoundElsewhereError as refused:
        return _fail_run(run_id, fence, failure="bound", message=str(refused))
    return _queue_subscriptions(run_id, fence, listed, problem)


@transaction.atomic
def _claim_run(run_id: int) -> SyncRun | None:
    run = SyncRun.objects.select_for_update().filter(pk=run_id).first()
    if run is None or run.state != "queued":
        return None
    if run.is_cancel_requested:
        close_run(run, "cancelled")
        return None
    now = timezone.now()
    run.state, run.attempts, run.fence = "running", run.attempts + 1, run.fence + 1
    run.lease_owner, run.lease_until, run.started_at = owner_name(), now + timedelta(seconds=LEASE_S), run.started_at or now
    run.save()
    tell(run)
    return run


def _renew_run(run_id: int, fence: int) -> None:
    until = timezone.now() + timedelta(seconds=LEASE_S)
    if not SyncRun.objects.filter(pk=run_id, fence=fence, state="running").update(lease_until=until):
        raise LeaseLostError


def _held_run(run_id: int, fence: int) -> SyncRun | None:
    return SyncRun.objects.select_for_update().filter(pk=run_id, fence=fence, state="running").first()


@transaction.atomic
def _fail_run(run_id: int, fence: int, *, failure: str, message: str, code: str = "") -> bool:
    run = _held_run(run_id, fence)
    if run is None:
        return False
    run.failure, run.code, run.message = failure, code, message
    close_run(run, "failed")
    return True


@transaction.atomic
def _queue_subscriptions(run_id: int, fence: int, listed: dict[str, azure.Subscription], problem: CloudError | None) -> bool:
    now = timezone.now()
    _store_subscriptions(listed, is_complete=problem is None, now=now)
    run = _held_run(run_id, fence)
    if run is None:  # another worker has read the list since: ours is the older one
        transaction.set_rollback(True)
        return False
    run.is_list_complete, run.lease_until = problem is None, None
    if problem is not None:
        run.failure, run.code, run.message = (
            problem.failure,
            problem.code,
            f"The list of subscriptions could not be read: {problem.message or problem}",
        )
    wanted = _wanted(run, listed, problem)
    if not wanted:
        if problem is None:
            run.failure, run.message = "nothing", "Azure shows this identity no subscriptions. Give it Reader on one, then sync."
        close_run(run, "failed")
        return True
    run.save()
    for subscription_id in wanted:
        is_listed = subscription_id in listed or problem is not None
        if subscription_id not in listed:
            _ensure_subscription(subscription_id, now)
        sync, _ = SubscriptionSync.objects.get_or_create(run=run, subscription_id=subscription_id, defaults={"enqueued_at": now})
        if not is_listed:
            text = f"Azure does not list subscription {subscription_id} for this identity. Give it Reader there, then sync."
            close_sync(sync, "failed", failure="not_listed", code="NotListed", message=text)
        else:
            enqueue_on_commit("inventory.sync_subscription", sync_id=sync.pk)
    tell(run)
    finish_run_if_over(run.pk)
    return True


def _wanted(run: SyncRun, listed: dict[str, azure.Subscription], problem: CloudError | None) -> list[str]:
    """The subscriptions to read: those asked for, else those configured, else all listed (all known and listed last time, when the list failed)."""
    asked: list[str] | None = run.requested_subscription_ids
    if asked is not None:
        return sorted(asked)
    if settings.SUBSCRIPTIONS:
        return sorted({one.strip().lower() for one in settings.SUBSCRIPTIONS})
    if problem is None:
        return sorted(listed)
    return sorted(Subscription.objects.filter(not_listed_since=None).values_list("subscription_id", flat=True))


def _store_subscriptions(listed: dict[str, azure.Subscription], *, is_complete: bool, now: datetime) -> None:
    """What the list says of subscriptions and tenants. One that a complete list lacks is marked, never removed: its resources stay, stale."""
    for tenant_id in sorted({one.tenant_id for one in listed.values() if one.tenant_id}):
        Tenant.objects.get_or_create(tenant_id=tenant_id, defaults={"first_seen_at": now})
    for subscription_id, one in sorted(listed.items()):
        values = {
            "arm_id": one.arm_id or f"/subscriptions/{subscription_id}",
            "name": one.display_name,
            "tenant_id": one.tenant_id or None,
            "state": one.state,
            "managed_by_tenants": list(one.managed_by_tenants),
            "tags": dict(one.tags),
            "raw": one.raw,
            "last_listed_at": now,
            "not_listed_since": None,
        }
        new = {**values, "key": arm_key(f"/subscriptions/{subscription_id}"), "first_seen_at": now}
        Subscription.objects.update_or_create(subscription_id=subscription_id, defaults=values, create_defaults=new)
    if is_complete:
        Subscription.objects.filter(not_listed_since=None).exclude(subscription_id__in=list(listed)).update(not_listed_since=now)


def _ensure_subscription(subscription_id: str, now: datetime) -> None:
    arm_id = f"/subscriptions/{subscription_id}"
    values = {"arm_id": arm_id, "key": arm_key(arm_id), "first_seen_at": now}
    Subscription.objects.get_or_create(subscription_id=subscription_id, defaults=values)


# -- one subscription


def subscription_sync_perform(*, sync_id: int, opener: OpenCloud = open_cloud) -> str:
    """Read one subscription if it is this call's turn; returns the state it ended in, "" when another has the work or had it."""
    lease = subscription_sync_claim(sync_id=sync_id)
    if lease is None:
        return ""
    try:
        hopeless = _hopeless_run(lease.run_id)
        if hopeless is not None:
            return subscription_sync_finish(lease, failed_outcome(hopeless))
        with Keeper(lambda: _renew(lease), last_page_at=lambda: lease.last_page_at), _opened(opener) as cloud:
            outcome = sync_subscription(cloud, lease)
        return subscription_sync_finish(lease, outcome)
    except CloudError as problem:  # no cloud to be had at all
        return subscription_sync_finish(lease, failed_outcome(problem))
    except CancelledError:
        return _finish(lease, "cancelled", Outcome())
    except LeaseLostError as lost:
        log.warning("sync.lease_lost", sync=sync_id, problem=str(lost))
        return ""
    except Exception as unexpected:
        _give_back(lease, unexpected)
        raise


def _give_back(lease: Lease, unexpected: Exception) -> None:
    """Let the reaper try again at once, and let it say what happened when no further attempt is left."""
    message = storable(f"{type(unexpected).__name__}: {unexpected}")[:500]
    mine = SubscriptionSync.objects.filter(pk=lease.sync_id, fence=lease.fence, state="running")
    mine.update(lease_until=timezone.now(), failure="internal", message=message)


def _hopeless_run(run_id: int) -> CloudError | None:
    """Why no subscription of this run needs to be tried: its list of subscriptions found no way to Azure, after all its retries.

    Without this an unreachable Azure costs every subscription the same minute of retries, one after the other.
    """
    run = SyncRun.objects.only("failure", "code", "message", "is_list_complete").get(pk=run_id)
    if run.is_list_complete or run.failure not in HOPELESS:
        return None
    return CloudError(Failure(run.failure), code=run.code, message=run.message)


@transaction.atomic
def subscription_sync_claim(*, sync_id: int) -> Lease | None:
    """Take the lease with a new fencing number; None when the row is not waiting or another run reads this subscription."""
    sync = SubscriptionSync.objects.select_for_update().select_related("run").filter(pk=sync_id).first()
    if sync is None or sync.state != "queued":
        return None
    if sync.run.is_cancel_requested:
        close_sync(sync, "cancelled")
        finish_run_if_over(sync.run_id)
        return None
    fence = next_fence(sync.subscription_id)  # locks the subscription: claims come one after the other
    if SubscriptionSync.objects.filter(subscription_id=sync.subscription_id, state="running").exists():
        return None  # its turn comes when that one ends; the reaper sees to it
    now = timezone.now()
    sync.state, sync.attempts, sync.fence = "running", sync.attempts + 1, fence
    sync.lease_owner, sync.lease_until, sync.started_at = owner_name(), now + timedelta(seconds=LEASE_S), now
    sync.failure, sync.message = "", ""  # of an attempt before
    sync.save()
    return Lease(sync_id=sync.pk, run_id=sync.run_id, subscription_id=sync.subscription_id, fence=fence)


@transaction.atomic
def _renew(lease: Lease) -> None:
    lease.hold()


def subscription_sync_finish(lease: Lease, outcome: Outcome) -> str:
    """Store what each list came to and close the sync; returns its state. Raises LeaseLostError."""
    return _finish(lease, outcome.state, outcome)


@transaction.atomic
def _finish(lease: Lease, state: str, outcome: Outcome) -> str:
    lease.hold()
    _store_kinds(lease.subscription_id, outcome)
    sync = SubscriptionSync.objects.get(pk=lease.sync_id)
    sync.added_count, sync.changed_count, sync.removed_count = outcome.added_count, outcome.changed_count, outcome.removed_count
    if outcome.kinds:
        sync.progress = {name: one.progress().model_dump() for name, one in outcome.kinds.items()}
    sync.save(update_fields=["added_count", "changed_count", "removed_count", "progress"])
    worst = outcome.worst
    if worst is None:
        close_sync(sync, state)
    else:
        close_sync(sync, state, failure=worst.failure, code=worst.code, message=worst.message)
    progress = SyncProgress(
        run_id=lease.run_id,
        subscription_id=lease.subscription_id,
        state=state,  # type: ignore[arg-type] # Outcome.state and "cancelled" are among them
        kinds={name: one.progress() for name, one in outcome.kinds.items()},
        at=timezone.now(),
    )
    transaction.on_commit(lambda: announce(progress, subscription_ids=[lease.subscription_id]))
    enqueue_on_commit("topology.refresh")
    enqueue_on_commit("taps.reconcile", subscription_id=lease.subscription_id)
    enqueue_on_commit("taps.refresh_conditions", subscription_id=lease.subscription_id)
    for waiting in (
        SubscriptionSync.objects.filter(subscription_id=lease.subscription_id, state="queued").order_by("pk").values_list("pk", flat=True)[:1]
    ):
        enqueue_on_commit("inventory.sync_subscription", sync_id=waiting)
    finish_run_if_over(lease.run_id)
    return state


def _store_kinds(subscription_id: str, outcome: Outcome) -> None:
    now = timezone.now()
    before = {one.kind: one for one in KindState.objects.filter(subscription_id=subscription_id)}
    states = []
    for result in outcome.kinds.values():
        old = before.get(result.kind)
        states.append(
            KindState(
                subscription_id=subscription_id,
                kind=result.kind,
                status=result.status,
                last_attempt_at=now,
                last_complete_at=now if result.is_complete else old.last_complete_at if old else None,
                sent_count=result.sent_count,
                stored_count=result.stored_count,
                duplicate_count=result.duplicate_count,
                not_understood_count=len(result.not_understood),
                failure=result.failure,
                code=result.code,
                message=result.message,
                correlation_id=result.correlation_id,
            )
        )
    KindState.objects.bulk_create(states, update_conflicts=True, unique_fields=["subscription", "kind"], update_fields=KIND_FIELDS)
    NotUnderstoodItem.objects.filter(subscription_id=subscription_id, kind__in=list(outcome.kinds)).delete()
    items = [
        NotUnderstoodItem(
            subscription_id=subscription_id, kind=result.kind, arm_id=storable(one.arm_id), reason=storable(one.reason), raw=one.raw, seen_at=now
        )
        for result in outcome.kinds.values()
        for one in result.not_understood
    ]
    NotUnderstoodItem.objects.bulk_create(items, batch_size=200)


# -- in the foreground


def sync_run_in_foreground(
    *, subscription_ids: list[str] | None, actor: str, opener: OpenCloud = open_cloud, wait: Callable[[float], None] = time.sleep
) -> SyncRun:
    """Sync now, in this process and beside any workers there are; returns the finished run. A run under way for the same subscriptions is
    joined: what waits is done here, what another worker does is waited for, what a dead one left is taken over.
    """
    run = sync_start(trigger=SyncRun.Trigger.COMMAND, acting_user=None, subscription_ids=subscription_ids, actor=actor)
    while True:
        sync_run_perform(run_id=run.pk, opener=opener)
        did_work = False
        for sync_id in SubscriptionSync.objects.filter(run_id=run.pk, state="queued").order_by("pk").values_list("pk", flat=True):
            did_work |= bool(subscription_sync_perform(sync_id=sync_id, opener=opener))
        run = SyncRun.objects.get(pk=run.pk)
        if run.state not in UNFINISHED:
            return run
        if not did_work:
            sync_reap(now=timezone.now())
            wait(LOOK_AGAIN_S)
