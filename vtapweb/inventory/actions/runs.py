"""Runs of the sync: started, claimed, cancelled, mended. The rows are the jobs; a message to a worker is only a nudge.

    run:           queued -> running (reads the list of subscriptions under its own lease, then waits for its parts) -> an end
    subscription:  queued -> running (lease) -> an end: complete | partial | failed | cancelled
                             running -> queued again when the lease expired, at most ATTEMPTS times

Locks are taken in one order: a subscription's sync, its subscription, the run, the event counter.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.models import User
from vtapweb.access.viewer import Viewer
from vtapweb.events.bus import record_event, trim_outbox
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.events.types import SyncEvent
from vtapweb.inventory.models import SUBSCRIPTION_ID_LENGTH, Subscription, SubscriptionSync, SyncRun

ATTEMPTS: Final = 3
FORGOTTEN_AFTER_S: Final = 15.0  # queued for so long: the message may be lost (an emptied broker)
NUDGES_A_TURN: Final = 8
UNFINISHED: Final = ("queued", "running")
# It becomes a row and a part of an address at Azure's. Usually a GUID; other ARM servers may spell theirs otherwise.
_SUBSCRIPTION_ID: Final = re.compile(rf"[0-9a-z][0-9a-z-]{{0,{SUBSCRIPTION_ID_LENGTH - 1}}}")

log = structlog.get_logger(__name__)


@transaction.atomic
def sync_start(*, trigger: str, acting_user: User | Viewer | None, subscription_ids: Iterable[str] | None = None, actor: str = "") -> SyncRun:
    """Ask for a sync of all subscriptions, or of those given; returns the run, which may be one that is under way already for the same ones.

    A viewer limited to some subscriptions syncs those. Asking by hand (a person, or `actor` in words) is audited. Raises PermissionError when
    a subscription is asked for that the viewer may not read, ValueError for what cannot be a subscription's id or for none at all.
    """
    wanted = None if subscription_ids is None else sorted({one.strip().lower() for one in subscription_ids})
    if wanted is not None and not (wanted and all(_SUBSCRIPTION_ID.fullmatch(one) for one in wanted)):
        raise ValueError("A subscription's id looks like 00000000-0000-0000-0000-000000000000. Name one at least, or leave the list out.")
    if isinstance(acting_user, Viewer) and not acting_user.scope.is_everything:
        allowed = acting_user.scope.subscription_ids or frozenset()
        if wanted is not None and not set(wanted) <= allowed:
            raise PermissionError("You may not read every one of these subscriptions.")
        if not allowed:
            raise PermissionError("You may not read any subscription yet, so there is none to sync. An admin can grant you some.")
        wanted = sorted(allowed) if wanted is None else wanted
    for run in SyncRun.objects.select_for_update().filter(state__in=UNFINISHED, is_cancel_requested=False).order_by("pk"):
        if run.requested_subscription_ids == wanted:
            return run
    name = acting_user.name if isinstance(acting_user, Viewer) else acting_user.username if acting_user is not None else actor
    now = timezone.now()
    run = SyncRun.objects.create(trigger=trigger, actor=name, requested_subscription_ids=wanted, created_at=now, enqueued_at=now)
    if name:
        detail = {"run": run.pk, "subscription_ids": wanted}
        audit_record(action="inventory.sync_started", acting_user=acting_user, actor=actor, target=f"run {run.pk}", detail=detail)
    enqueue_on_commit("inventory.sync_run", run_id=run.pk)
    tell(run)
    return run


def sync_schedule(*, now: datetime) -> SyncRun | None:
    """Start the scheduled sync when the last run of everything began long enough ago and none is under way; None when it is not due."""
    of_everything = SyncRun.objects.filter(requested_subscription_ids__isnull=True)
    recent = Q(state__in=UNFINISHED) | Q(created_at__gt=now - timedelta(seconds=settings.SYNC_INTERVAL_S * 0.9))
    if of_everything.filter(recent).exists():
        return None
    return sync_start(trigger=SyncRun.Trigger.SCHEDULE, acting_user=None)


def sync_cancel(*, run: SyncRun, acting_user: User | Viewer) -> SyncRun:
    """Ask a run to stop: what waits is cancelled at once, what reads stops at its next page. What was written stays. Audited.

    A run that is over already is returned as it is. Raises PermissionError when the run reads a subscription that the viewer may not read.
    """
    asked: list[str] | None = run.requested_subscription_ids
    if isinstance(acting_user, Viewer) and not (acting_user.scope.is_everything or (asked and all(map(acting_user.scope.allows, asked)))):
        raise PermissionError("This run reads subscriptions that you may not see. Ask somebody who sees them all to stop it.")
    with transaction.atomic():
        if not SyncRun.objects.filter(pk=run.pk, state__in=UNFINISHED).update(is_cancel_requested=True):
            return SyncRun.objects.get(pk=run.pk)
        audit_record(action="inventory.sync_cancelled", acting_user=acting_user, target=f"run {run.pk}")
    _cancel_waiting(run.pk)
    return SyncRun.objects.get(pk=run.pk)


def _cancel_waiting(run_id: int) -> None:
    now = timezone.now()
    for sync_id in SubscriptionSync.objects.filter(run_id=run_id, state="queued").values_list("pk", flat=True):
        with transaction.atomic():
            if SubscriptionSync.objects.filter(pk=sync_id, state="queued").update(state="cancelled", finished_at=now):
                finish_run_if_over(run_id)
    with transaction.atomic():
        run = SyncRun.objects.select_for_update().get(pk=run_id)
        if run.state == "queued":
            close_run(run, "cancelled")


def sync_reap(*, now: datetime) -> dict[str, int]:
    """Mend what killed workers and lost messages left; returns how many rows were {taken_over, given_up, nudged}. Runs every 5 s.

    An expired lease makes its row queued again, up to ATTEMPTS attempts; then it is failed. A row that waits longer than a message should
    take is nudged again. So everything goes on within 30 s of a loss.
    """
    done = {"taken_over": 0, "given_up": 0, "nudged": 0}
    for sync_id in SubscriptionSync.objects.filter(state="running", lease_until__lt=now).values_list("pk", flat=True):
        with transaction.atomic():
            sync = SubscriptionSync.objects.select_for_update().get(pk=sync_id)
            if sync.state != "running" or sync.lease_until is None or sync.lease_until >= now:
                continue
            done[_take_over_sync(sync, now)] += 1
    for run_id in SyncRun.objects.filter(state="running", lease_until__lt=now).values_list("pk", flat=True):
        with transaction.atomic():
            run = SyncRun.objects.select_for_update().get(pk=run_id)
            if run.state != "running" or run.lease_until is None or run.lease_until >= now:
                continue
            done[_take_over_run(run, now)] += 1
    done["nudged"] = _nudge_forgotten(now)
    for run_id in SyncRun.objects.filter(is_cancel_requested=True, state__in=UNFINISHED).values_list("pk", flat=True):
        _cancel_waiting(run_id)
    with transaction.atomic():
        trim_outbox(now=now)
    if any(done.values()):
        log.warning("sync.reaped", **done)
    return done


def _take_over_sync(sync: SubscriptionSync, now: datetime) -> str:
    if sync.attempts >= ATTEMPTS:
        lost = f"Its worker was lost {sync.attempts} times. Look into the worker's log, then sync again."
        if sync.failure == "internal":  # a worker told why, see actions.work
            lost = f"vtapweb failed at it {sync.attempts} times, last with “{sync.message}”. The worker's log has the whole story."
        close_sync(sync, "failed", failure=sync.failure or "worker", message=lost)
        finish_run_if_over(sync.run_id)
        return "given_up"
    sync.state, sync.enqueued_at, sync.lease_until = "queued", now, None
    sync.save(update_fields=["state", "enqueued_at", "lease_until"])
    enqueue_on_commit("inventory.sync_subscription", sync_id=sync.pk)
    return "taken_over"


def _take_over_run(run: SyncRun, now: datetime) -> str:
    if run.attempts >= ATTEMPTS:
        run.failure, run.message = "worker", f"Its worker was lost {run.attempts} times. Look into the worker's log, then sync again."
        close_run(run, "failed")
        return "given_up"
    run.state, run.enqueued_at, run.lease_until = "queued", now, None
    run.save(update_fields=["state", "enqueued_at", "lease_until"])
    enqueue_on_commit("inventory.sync_run", run_id=run.pk)
    return "taken_over"


def _nudge_forgotten(now: datetime) -> int:
    before = now - timedelta(seconds=FORGOTTEN_AFTER_S)
    with transaction.atomic():
        syncs = list(
            SubscriptionSync.objects.filter(state="queued", enqueued_at__lt=before)
            .order_by("enqueued_at")
            .values_list("pk", flat=True)[:NUDGES_A_TURN]
        )
        runs = list(
            SyncRun.objects.filter(state="queued", enqueued_at__lt=before).order_by("enqueued_at").values_list("pk", flat=True)[:NUDGES_A_TURN]
        )
        SubscriptionSync.objects.filter(pk__in=syncs, state="queued").update(enqueued_at=now)
        SyncRun.objects.filter(pk__in=runs, state="queued").update(enqueued_at=now)
        for sync_id in syncs:
            enqueue_on_commit("inventory.sync_subscription", sync_id=sync_id)
        for run_id in runs:
            enqueue_on_commit("inventory.sync_run", run_id=run_id)
    return len(syncs) + len(runs)


def close_sync(sync: SubscriptionSync, state: str, *, failure: str = "", code: str = "", message: str = "") -> None:
    """Bring a subscription's sync to its end; the caller holds its row."""
    sync.state, sync.failure, sync.code, sync.message = state, failure, code, message
    sync.finished_at, sync.lease_until = timezone.now(), None
    sync.save(update_fields=["state", "failure", "code", "message", "finished_at", "lease_until"])


def finish_run_if_over(run_id: int) -> None:
    """Close the run when its last subscription is done: the worst of its parts names its state."""
    run = SyncRun.objects.select_for_update().get(pk=run_id)
    if run.state != "running" or run.lease_until is not None:
        return
    states = list(run.subscription_syncs.values_list("state", flat=True))
    if any(state in UNFINISHED for state in states):
        return
    close_run(run, run_state(states, is_list_complete=run.is_list_complete))


def run_state(states: list[str], *, is_list_complete: bool) -> str:
    """What a run of these finished parts is: complete only when all are and the list of subscriptions was; failed when nothing was read."""
    if "cancelled" in states:
        return "cancelled"
    if states and all(state == "failed" for state in states):
        return "failed"
    return "complete" if is_list_complete and all(state == "complete" for state in states) else "partial"


def close_run(run: SyncRun, state: str) -> None:
    """Bring a run to its end and tell everybody; the caller holds its row."""
    run.state, run.finished_at, run.lease_until = state, timezone.now(), None
    run.save(update_fields=["state", "finished_at", "lease_until", "failure", "code", "message"])
    tell(run)


def tell(run: SyncRun) -> None:
    """Record the `sync` event of the run's present state, for readers of its subscriptions (of all, for a run of everything)."""
    record_event(SyncEvent(run_id=run.pk, state=run.state), subscription_ids=run.requested_subscription_ids)  # type: ignore[arg-type] # the choices are the event's


def next_fence(subscription_id: str) -> int:
    """A number larger than any worker of this subscription ever had; the caller is in a transaction."""
    Subscription.objects.filter(pk=subscription_id).update(fence=F("fence") + 1)
    return Subscription.objects.values_list("fence", flat=True).get(pk=subscription_id)
