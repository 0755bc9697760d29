"""The outbox: numbers without gaps, rows before messages, nothing without its transaction."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from vtapweb.events.bus import current_seq, record_event, trim_outbox
from vtapweb.events.models import EventCounter, OutboxEvent
from vtapweb.events.types import SyncEvent, TopologyEvent, event_adapter


def sync_event(run_id: int = 1) -> SyncEvent:
    return SyncEvent(run_id=run_id, state="running")


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gap_when_a_transaction_fails() -> None:
    with transaction.atomic():
        first = record_event(sync_event(), subscription_ids=["b", "a", "a"])
    with transaction.atomic():
        record_event(sync_event(), subscription_ids=None)
        transaction.set_rollback(True)
    with transaction.atomic():
        second = record_event(TopologyEvent(revision="r1", is_refetch=True), subscription_ids=None)
    assert (first, second, current_seq()) == (1, 2, 2)
    rows = list(OutboxEvent.objects.order_by("seq"))
    assert [row.subscription_ids for row in rows] == [["a", "b"], None]
    assert event_adapter.validate_python(rows[1].payload) == TopologyEvent(revision="r1", is_refetch=True)


@pytest.mark.django_db(transaction=True)
def test_an_event_belongs_into_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        record_event(sync_event(), subscription_ids=None)


@pytest.mark.django_db
@pytest.mark.parametrize(("count", "age_hours", "gone"), [(10_003, 25, 3), (10_003, 23, 0), (9_000, 48, 0)])
def test_only_what_is_old_and_far_behind_goes(count: int, age_hours: int, gone: int) -> None:
    now = timezone.now()
    at = now - timedelta(hours=age_hours)
    OutboxEvent.objects.bulk_create([OutboxEvent(seq=n, at=at, kind="sync", payload={}) for n in range(1, count + 1)], batch_size=200)
    EventCounter.objects.update_or_create(pk=1, defaults={"seq": count})
    assert trim_outbox(now=now) == gone
    assert OutboxEvent.objects.count() == count - gone
