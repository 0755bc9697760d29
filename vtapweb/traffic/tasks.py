"""What Celery does for the room `traffic`."""

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from vtapweb.traffic.actions import history
from vtapweb.traffic.actions.azure_monitor import azure_monitor_read
from vtapweb.traffic.actions.deliveries import deliveries_send, deliveries_trim
from vtapweb.traffic.actions.prometheus import prometheus_read
from vtapweb.traffic.store import store


@shared_task(name="traffic.store_minute", time_limit=50)
def store_minute() -> None:
    """Every 5 s, a little over a second at most: what is left of a large estate is done by the next ones, and changes are ticked in between."""
    history.history_store(store(), now_s=time.time(), within_s=1.0)


@shared_task(name="traffic.merge_history", time_limit=1700)
def merge_history() -> None:
    history.history_merge(now_s=time.time())


@shared_task(name="traffic.trim_history", time_limit=600)
def trim_history() -> None:
    history.history_trim(now_s=time.time())
    deliveries_trim(now=timezone.now())


@shared_task(name="traffic.deliver", time_limit=300)
def deliver() -> None:
    deliveries_send(now=timezone.now())


@shared_task(name="traffic.read_azure_monitor", time_limit=57)
def read_azure_monitor() -> None:
    if settings.TRAFFIC_AZURE_MONITOR:
        azure_monitor_read(store(), now_s=time.time())


@shared_task(name="traffic.read_prometheus", time_limit=57)
def read_prometheus() -> None:
    prometheus_read(store(), now_s=time.time())
