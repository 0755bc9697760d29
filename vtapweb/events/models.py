"""The outbox: every event is a row with a gap-free number before anybody hears of it."""

from django.db import models
from django.db.models import Q


class EventCounter(models.Model):
    """One row, id 1: the number of the last event. Whoever writes an event holds this row until its transaction ends, so numbers have no gaps."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    seq = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="eventcounter_one_row")]

    def __str__(self) -> str:
        return f"event {self.seq}"


class OutboxEvent(models.Model):
    """One event as it was sent. `subscription_ids` None means that everybody signed in may have it."""

    seq = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=40)
    payload = models.JSONField()
    subscription_ids = models.JSONField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(seq__gt=0), name="outboxevent_seq_positive")]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"
