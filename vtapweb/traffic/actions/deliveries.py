"""Messages about alarms on their way out: rows first, sent after commit by a task. Sending itself is delivery.py's business."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.traffic.delivery import BACKOFF_S, mail_send, secret_of, wait_s, webhook_send
from vtapweb.traffic.models import Alarm, AlarmDelivery, Webhook
from vtapweb.traffic.outward import NotSentError, RefusedError

CLAIM = timedelta(minutes=1)
RUN_S = 25.0  # with the waits of one message well below CLAIM: what a run claims is its own until it has ended
KEPT = timedelta(days=30)
RANK = {Alarm.Severity.NOTICE.value: 1, Alarm.Severity.WARNING.value: 2, Alarm.Severity.ALARM.value: 3}


def deliveries_add(*, alarm: Alarm, what: str, now: datetime) -> int:
    """Writes a message for every receiver that wants alarms as severe as this, in the caller's transaction; how many. A muted alarm has none.

    `what`: raised, raised_again, worse or cleared.
    """
    if alarm.muted_until is not None and alarm.muted_until > now:
        return 0
    rank = RANK[alarm.severity]
    receivers: list[Webhook | None] = [one for one in Webhook.objects.filter(is_enabled=True) if rank >= RANK[one.least_severity]]
    if settings.TRAFFIC_ALARM_EMAIL_TO and rank >= RANK[Alarm.Severity.ALARM.value]:
        receivers.append(None)
    body = message(alarm, what, now)
    AlarmDelivery.objects.bulk_create(AlarmDelivery(alarm=alarm, webhook=one, body=body, next_at=now, at=now, ended_at=None) for one in receivers)
    if receivers:
        enqueue_on_commit("traffic.deliver")
    return len(receivers)


def message(alarm: Alarm, what: str, now: datetime) -> dict[str, Any]:
    """What receivers are told: docs/health.md has the fields."""
    return {
        "version": 1, "what": what, "at": now.isoformat(), "alarm": alarm.spoken, "severity": alarm.severity, "state": alarm.state,
        "title": alarm.title, "sentence": alarm.sentence, "rule_ids": alarm.rule_ids, "opened_at": alarm.opened_at.isoformat(),
        "cleared_at": alarm.cleared_at.isoformat() if alarm.cleared_at else None, "affected": alarm.child_count, "owner": alarm.owner or None,
        "collector": alarm.collector_name or None, "is_demo": alarm.is_demo, "path": f"/alarms/{alarm.spoken}",
        "url": f"{settings.PUBLIC_URL}/alarms/{alarm.spoken}" if settings.PUBLIC_URL else None,
    }  # fmt: skip


def deliveries_send(*, now: datetime, most: int = 50, clock: Callable[[], float] = time.monotonic) -> int:
    """Sends what is due, the oldest first; how many arrived. A failure is a later attempt, a refusal the end.

    The row is claimed before it is sent, so that two workers do not send it twice; one that dies while sending is due again a minute later. After a
    failure the rest for the same receiver waits too: one that does not answer costs one wait a run, not one for each message of a bad night.

    What is told of one alarm comes to a receiver in its order: "cleared" waits for the "raised" before it, however often that is tried, until it has
    arrived or was given up.
    """
    sent, until_s = 0, clock() + RUN_S
    waiting = AlarmDelivery.objects.filter(state=AlarmDelivery.State.WAITING)
    receiver = Coalesce("webhook_id", Value(0))  # without one: e-mail
    earlier = waiting.alias(to=receiver).filter(to=Coalesce(OuterRef("webhook_id"), Value(0)), alarm=OuterRef("alarm"), pk__lt=OuterRef("pk"))
    due = waiting.filter(~Exists(earlier.filter(next_at__gt=now)), next_at__lte=now).order_by("pk")
    away: set[int | None] = set()
    for one in due.select_related("webhook", "alarm")[:most]:
        if one.webhook_id in away:
            continue
        if clock() >= until_s:
            break
        claim = waiting.filter(~Exists(earlier), pk=one.pk, next_at=one.next_at, attempts=one.attempts)
        if not claim.update(next_at=now + CLAIM, attempts=one.attempts + 1):
            continue
        one.attempts += 1
        try:
            _send(one)
        except RefusedError as refusal:
            _end(one, AlarmDelivery.State.FAILED, str(refusal))
        except NotSentError as problem:
            away.add(one.webhook_id)
            waiting.filter(webhook=one.webhook_id, next_at__lte=now).exclude(pk=one.pk).update(next_at=now + timedelta(seconds=BACKOFF_S[0]))
            later = wait_s(one.attempts)
            if later is None:
                _end(one, AlarmDelivery.State.FAILED, str(problem))
            else:
                AlarmDelivery.objects.filter(pk=one.pk).update(next_at=now + timedelta(seconds=later), last_problem=str(problem)[:1000])
        else:
            _end(one, AlarmDelivery.State.SENT, "")
            sent += 1
    return sent


def deliveries_trim(*, now: datetime) -> int:
    """Forgets messages that ended long ago; how many. The alarm and its events stay. One statement."""
    return AlarmDelivery.objects.exclude(state=AlarmDelivery.State.WAITING).filter(ended_at__lt=now - KEPT).delete()[0]


def _send(one: AlarmDelivery) -> None:
    if one.webhook is None:
        if not settings.TRAFFIC_ALARM_EMAIL_TO:
            raise RefusedError("No receiver is set any more.")
        body = one.body
        text = "\n".join([body["sentence"], "", f"{body['what']} at {body['at']}", f"Affected: {body['affected']}", body.get("url") or body["path"]])
        mail_send(f"[vtapweb] {body['alarm']} {body['what']}: {body['title']}".replace("\n", " "), text, settings.TRAFFIC_ALARM_EMAIL_TO)
    elif not one.webhook.is_enabled:
        raise RefusedError("The webhook is switched off.")
    else:
        timestamp = str(int(timezone.now().timestamp()))
        webhook_send(one.webhook.url, one.body, secret=secret_of(one.webhook.salt), timestamp=timestamp)


def _end(one: AlarmDelivery, state: AlarmDelivery.State, problem: str) -> None:
    AlarmDelivery.objects.filter(pk=one.pk).update(state=state, ended_at=timezone.now(), last_problem=problem[:1000])
