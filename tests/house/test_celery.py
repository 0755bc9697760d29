"""Which queue a task goes to, and who knows the broker."""

import threading

import pytest
from celery import current_app
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from vtapweb.config.celery import app
from vtapweb.config.environment import require_cloud


def test_every_thread_of_every_process_knows_the_broker() -> None:
    """An action runs in a request's thread; a task it starts there must not go to some default broker."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(current_app.conf.broker_url))
    thread.start()
    thread.join()
    assert found == [settings.CELERY_BROKER_URL]


def test_the_reaper_never_waits_behind_a_sync() -> None:
    route = app.amqp.router.route
    queue_of = {name: route({}, name)["queue"].name for name in ("inventory.reap", "inventory.sync_scheduled", "inventory.sync_subscription")}
    assert queue_of == {"inventory.reap": "clock", "inventory.sync_scheduled": "clock", "inventory.sync_subscription": "work"}


def test_a_change_never_waits_behind_a_sync() -> None:
    route = app.amqp.router.route
    assert {name: route({}, name)["queue"].name for name in ("taps.tick", "taps.advance")} == {"taps.tick": "clock", "taps.advance": "writes"}


def test_a_lost_message_comes_back_later_than_any_task_lasts() -> None:
    assert app.conf.broker_transport_options["visibility_timeout"] > app.conf.task_time_limit
    assert app.conf.task_acks_late
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.accept_content == ["json"]


def test_a_worker_without_a_cloud_does_not_start() -> None:
    require_cloud("public")
    with pytest.raises(ImproperlyConfigured, match="VTAPWEB_CLOUD is not set"):
        require_cloud("")
