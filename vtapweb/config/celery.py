"""The Celery application. The database row is the truth of every job; a broker message is only a nudge (see inventory's leases)."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")

from typing import Any

import redis
import structlog
from celery import Celery
from celery.signals import celeryd_init, heartbeat_sent, setup_logging, worker_process_init

from vtapweb.config.guard import die_with_parent

app = Celery("vtapweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()  # for every thread: a request's actions run in threads of their own, and a current app is one thread's

log = structlog.get_logger(__name__)


@setup_logging.connect
def _leave_logging_to_django(**_: Any) -> None:
    """Celery sets up no logging of its own where this signal has a receiver."""
    from django.conf import settings

    from vtapweb.config.logs import configure

    configure(settings.LOGGING)


@celeryd_init.connect
def _refuse_to_start_without_a_cloud(**_: Any) -> None:
    from django.conf import settings

    from vtapweb.config.environment import require_cloud

    require_cloud(settings.CLOUD)


@worker_process_init.connect
def _end_with_the_worker(**_: Any) -> None:
    """A killed worker leaves no process behind that goes on with its task."""
    die_with_parent()


@heartbeat_sent.connect
def _tell_that_queues_are_served(**_: Any) -> None:
    """Sent by a worker's loop every few seconds; /readyz looks for it."""
    from vtapweb.config.health import note_queues_are_served

    try:
        note_queues_are_served(list(app.amqp.queues.consume_from))
    except redis.RedisError as error:
        log.warning("the worker's heartbeat was not noted", error=type(error).__name__)
