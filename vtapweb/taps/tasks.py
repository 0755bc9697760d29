"""The taps room's tasks: each takes ids, calls one action, and is safe to run twice. A lost message is mended by the next sync, or the next tick."""

from celery import shared_task
from django.utils import timezone

from vtapweb.taps.actions.advance import change_advance, changes_nudge
from vtapweb.taps.actions.conditions import conditions_refresh, permissions_read
from vtapweb.taps.actions.expiry import expiry_perform
from vtapweb.taps.actions.forecast import change_forecast, forecasts_mend
from vtapweb.taps.actions.reconcile import subscription_reconcile


@shared_task(name="taps.reconcile", time_limit=170, soft_time_limit=160, ignore_result=True)
def reconcile(*, subscription_id: str) -> None:
    subscription_reconcile(subscription_id=subscription_id)


@shared_task(name="taps.forecast", time_limit=170, soft_time_limit=160, ignore_result=True)
def forecast(*, change_id: int) -> None:
    change_forecast(change_id=change_id)


@shared_task(name="taps.forecast_missing", time_limit=30, ignore_result=True)
def forecast_missing() -> None:
    forecasts_mend(now=timezone.now())


@shared_task(name="taps.tick", time_limit=30, ignore_result=True)
def tick() -> None:
    changes_nudge(now=timezone.now())


@shared_task(name="taps.advance", time_limit=300, ignore_result=True)
def advance(*, change_id: int) -> None:
    change_advance(change_id=change_id)


@shared_task(name="taps.refresh_conditions", time_limit=600, soft_time_limit=590, ignore_result=True)
def refresh_conditions(*, subscription_id: str) -> None:
    conditions_refresh(subscription_id=subscription_id)


@shared_task(name="taps.read_permissions", time_limit=300, soft_time_limit=290, ignore_result=True)
def read_permissions(*, scope_ids: list[str]) -> None:
    permissions_read(scope_ids=scope_ids)


@shared_task(name="taps.expire", time_limit=170, soft_time_limit=160, ignore_result=True)
def expire() -> None:
    expiry_perform(now=timezone.now())
