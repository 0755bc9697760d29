"""The tasks of the map. Both are safe to run twice and at once: one works, the other leaves a note."""

from celery import shared_task

from vtapweb.topology.actions import topology_refresh, topology_refresh_if_changed


@shared_task(name="topology.refresh", time_limit=170, soft_time_limit=160, ignore_result=True)
def refresh() -> None:
    topology_refresh()


@shared_task(name="topology.refresh_if_changed", time_limit=170, soft_time_limit=160, ignore_result=True)
def refresh_if_changed() -> None:
    topology_refresh_if_changed()
