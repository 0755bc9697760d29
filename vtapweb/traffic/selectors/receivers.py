"""Where alarms are sent to, and how it goes there: for admins of the whole installation, who alone set that."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet

from vtapweb.domain.scope import Scope
from vtapweb.traffic.delivery import ATTEMPTS
from vtapweb.traffic.models import Alarm, AlarmDelivery, Webhook


@dataclass(frozen=True, slots=True)
class Receiver:
    """A webhook, or e-mail (`webhook` None). `sent_at`: when a message arrived there last. `problem` "": the last one did, or there was none yet.

    `attempts`: how often what failed was tried; `next_at`: when it will be again, None where it was given up.
    """

    webhook: Webhook | None
    address: str
    least_severity: str
    sent_at: datetime | None
    waiting_count: int
    problem: str = ""
    attempts: int = 0
    next_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.webhook.name if self.webhook else "E-mail"

    @property
    def attempts_most(self) -> int:
        return ATTEMPTS


def receivers_shown(scope: Scope) -> list[Receiver]:
    """Every webhook by name, then e-mail where it is set; none for who may not read everything. Four queries."""
    if not scope.is_everything:
        return []
    webhooks: list[Webhook | None] = [*Webhook.objects.all(), *([None] if settings.TRAFFIC_ALARM_EMAIL_TO else [])]
    is_waiting, is_sent = Q(state=AlarmDelivery.State.WAITING), Q(state=AlarmDelivery.State.SENT)
    sums = {
        webhook_id: (waiting, sent_at)
        for webhook_id, waiting, sent_at in AlarmDelivery.objects.values_list("webhook_id").annotate(
            waiting=Count("pk", filter=is_waiting), sent_at=Max("ended_at", filter=is_sent)
        )
    }
    waiting = {one.webhook_id: one for one in _newest_of_each(AlarmDelivery.objects.filter(is_waiting, attempts__gt=0))}
    given_up = {one.webhook_id: one for one in _newest_of_each(AlarmDelivery.objects.filter(state=AlarmDelivery.State.FAILED))}
    found = []
    for webhook in webhooks:
        key = webhook.pk if webhook else None
        count, sent_at = sums.get(key, (0, None))
        address = webhook.url if webhook else ", ".join(settings.TRAFFIC_ALARM_EMAIL_TO)
        severity = webhook.least_severity if webhook else Alarm.Severity.ALARM.value
        tried, ended = waiting.get(key), given_up.get(key)
        one = Receiver(webhook, address, severity, sent_at, count)
        if tried is not None and tried.last_problem:
            one = replace(one, problem=tried.last_problem, attempts=tried.attempts, next_at=tried.next_at)
        elif ended is not None and ended.ended_at is not None and (sent_at is None or ended.ended_at > sent_at):
            one = replace(one, problem=ended.last_problem, attempts=ended.attempts)
        found.append(one)
    return found


def _newest_of_each(deliveries: QuerySet[AlarmDelivery]) -> QuerySet[AlarmDelivery]:
    newest = deliveries.order_by().values("webhook_id").annotate(newest=Max("pk")).values("newest")
    return AlarmDelivery.objects.filter(pk__in=newest)
