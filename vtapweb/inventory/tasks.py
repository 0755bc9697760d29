"""The inventory's tasks: each takes ids, calls one action, and is safe to run twice. A lost message is mended by the reaper."""

from celery import shared_task
from django.utils import timezone

from vtapweb.inventory import actions


@shared_task(name="inventory.sync_run", time_limit=600)
def sync_run(*, run_id: int) -> None:
    actions.sync_run_perform(run_id=run_id)


@shared_task(name="inventory.sync_subscription", time_limit=3600)
def sync_subscription(*, sync_id: int) -> None:
    actions.subscription_sync_perform(sync_id=sync_id)


@shared_task(name="inventory.reap", time_limit=60)
def reap() -> None:
    actions.sync_reap(now=timezone.now())


@shared_task(name="inventory.sync_scheduled", time_limit=60)
def sync_scheduled() -> None:
    actions.sync_schedule(now=timezone.now())
