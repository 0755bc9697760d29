"""Telling others what happened: `record_event` (a row with a number, sent after commit) and `announce` (no row, no number).

Rule 1: the row is the truth; Redis only makes it quick. A publish that fails is logged and counted, never raised. Rule 2: the counter is
taken in the caller's transaction and should be its last write, because other writers of events wait for it.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from prometheus_client import Counter

from vtapweb.events import outage
from vtapweb.events.models import EventCounter, OutboxEvent
from vtapweb.events.types import Message

EVENTS_CHANNEL: Final = "vtapweb:events"
PROGRESS_CHANNEL: Final = "vtapweb:progress"
KEEP_AT_LEAST_S: Final = 24 * 3600
KEEP_AT_LEAST_ROWS: Final = 10_000

published_total = Counter("vtapweb_events_published_total", "Messages handed to Redis, by channel and outcome", ["channel", "outcome"])


def current_seq() -> int:
    """The number of the last event that was committed; 0 before the first."""
    return EventCounter.objects.filter(pk=1).values_list("seq", flat=True).first() or 0


def record_event(event: Message, *, subscription_ids: Iterable[str] | None) -> int:
    """Store `event` in the running transaction and send it after commit; returns its number.

    `subscription_ids` are those whose readers may have the event (lower-case); None for everybody signed in. Raises RuntimeError outside of a
    transaction: an event must not outlive the change it tells of.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("record_event() belongs into the transaction that makes the change")
    subscriptions = None if subscription_ids is None else sorted(set(subscription_ids))
    payload: dict[str, Any] = event.model_dump(mode="json")
    if not EventCounter.objects.filter(pk=1).update(seq=F("seq") + 1):
        EventCounter.objects.bulk_create([EventCounter(pk=1)], ignore_conflicts=True)  # a database that was emptied by hand
        EventCounter.objects.filter(pk=1).update(seq=F("seq") + 1)
    seq = EventCounter.objects.values_list("seq", flat=True).get(pk=1)
    OutboxEvent.objects.create(seq=seq, at=timezone.now(), kind=payload["kind"], payload=payload, subscription_ids=subscriptions)
    body = json.dumps({"seq": seq, "subscription_ids": subscriptions, "event": payload}, separators=(",", ":"))
    transaction.on_commit(lambda: _publish(EVENTS_CHANNEL, body), robust=True)
    return seq


def announce(event: Message, *, subscription_ids: Iterable[str] | None) -> None:
    """Tell those who listen now; nothing is stored, nothing replayed. Never raises for a Redis that is away."""
    subscriptions = None if subscription_ids is None else sorted(set(subscription_ids))
    _publish(PROGRESS_CHANNEL, json.dumps({"subscription_ids": subscriptions, "event": event.model_dump(mode="json")}, separators=(",", ":")))


def trim_outbox(*, now: datetime) -> int:
    """Delete events that are both older than 24 hours and not among the last 10,000; returns how many went.

    A client that asks for an event older than that is told to read everything again.
    """
    last_to_go = current_seq() - KEEP_AT_LEAST_ROWS
    if last_to_go <= 0:
        return 0
    gone, _ = OutboxEvent.objects.filter(seq__lte=last_to_go, at__lt=now - timedelta(seconds=KEEP_AT_LEAST_S)).delete()
    return gone


@cache
def _client(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)


def _publish(channel: str, body: str) -> None:
    if not settings.REDIS_URL:  # no Redis is configured (tests): the rows are all there is
        return
    try:
        _client(settings.REDIS_URL).publish(channel, body)
    except (redis.RedisError, OSError) as problem:
        published_total.labels(channel, "failed").inc()
        outage.redis.failed("events.publish_failed", channel=channel, problem=str(problem))
    else:
        outage.redis.worked()
        published_total.labels(channel, "sent").inc()
