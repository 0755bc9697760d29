"""Starting tasks by name, after commit, so that actions never import tasks. A message is only a nudge: the row is the truth, the reaper mends."""

from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError
from prometheus_client import Counter

from vtapweb.events import outage

log = structlog.get_logger(__name__)
enqueued_total = Counter("vtapweb_jobs_enqueued_total", "Tasks handed to the broker, by name and outcome", ["task", "outcome"])


def enqueue_on_commit(task_name: str, **plain: Any) -> None:
    """Enqueue the task when the running transaction commits (at once outside of one). Arguments are ids and plain values.

    Never raises: a broker that is away or a name that nobody registered is logged and counted; rows that wait are found by the reaper.
    """
    transaction.on_commit(lambda: enqueue(task_name, **plain), robust=True)


def perform_here(task_name: str, **plain: Any) -> None:
    """Do now, in this process, what the task does: for commands that must not need a worker. Raises what it raises, KeyError for no task."""
    current_app.loader.import_default_modules()
    current_app.tasks[task_name].run(**plain)


def enqueue(task_name: str, **plain: Any) -> bool:
    """Enqueue the task now; whether the broker took it. Never raises for a broker that is away."""
    if not settings.REDIS_URL:  # no broker is configured (tests)
        return False
    task = current_app.tasks.get(task_name)
    if task is None:
        enqueued_total.labels(task_name, "unknown").inc()
        log.error("jobs.unknown_task", task=task_name)
        return False
    try:
        task.apply_async(kwargs=plain, retry=False)
    except (OperationalError, OSError) as problem:
        enqueued_total.labels(task_name, "failed").inc()
        outage.redis.failed("jobs.enqueue_failed", task=task_name, problem=str(problem))
        return False
    outage.redis.worked()
    enqueued_total.labels(task_name, "sent").inc()
    return True
