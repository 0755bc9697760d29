"""What the database itself refuses, whatever the code above it does."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.taps.factories import make_change, make_step

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "reboot"},
        {"state": "done"},
        {"reason": ""},
        {"pace_first": 0},
        {"pace_wave": 0},
        {"state": "applied"},  # without finished_at
        {"finished_at": timezone.now()},  # though only planned
        {"state": "applying", "applied_at": None},
        {"window_opens_at": timezone.now(), "window_closes_at": timezone.now() - timedelta(hours=1)},
    ],
    ids=str,
)
def test_a_change_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    make_change()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_change(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"ordinal": 1},
        {"state": "done"},
        {"action": "post"},
        {"target_key": ""},
        {"state": "sent"},  # without sent_at
        {"state": "verified", "ended_at": timezone.now()},  # without verified_at
        {"state": "skipped", "ended_at": timezone.now()},  # without a reason
        {"state": "failed", "ended_at": None},
        {"ended_at": timezone.now()},  # though only pending
    ],
    ids=str,
)
def test_a_step_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    change = make_change()
    make_step(change)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_step(change, "nic-2", **fields)


@pytest.mark.parametrize("state", ["sent", "polling"])
def test_of_one_nic_only_one_request_is_under_way_whatever_its_change_and_configuration(state: str) -> None:
    now = timezone.now()
    make_step(make_change(), state="sent", sent_at=now)
    other = {"target_id": "/other", "target_key": "other"}
    make_step(make_change(), "nic-1", **other)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_step(make_change(), "nic-1", state=state, sent_at=now, **other)


def test_of_one_tap_only_one_request_is_under_way() -> None:
    now = timezone.now()
    nowhere = {"nic_id": "", "nic_key": "", "target_id": "/tap", "target_key": "tap"}
    make_step(make_change(), state="sent", sent_at=now, **nowhere)
    make_step(make_change(), state="sent", sent_at=now, **{**nowhere, "target_key": "another"})
    with pytest.raises(IntegrityError), transaction.atomic():
        make_step(make_change(), state="polling", sent_at=now, **nowhere)
