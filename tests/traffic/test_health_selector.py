"""The health of collectors as others read it: as judged last, unknown while nobody judges, nothing of what lies outside the scope."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.inventory.factories import SUBSCRIPTION
from vtapweb.domain.health import CollectorState
from vtapweb.domain.scope import Scope
from vtapweb.traffic.models import Alarm, CollectorHealth, CollectorMaintenance, HealthLease
from vtapweb.traffic.selectors.health import collector_health

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEY = "c" * 26


def judged(*, at: datetime = NOW, **given: object) -> None:
    HealthLease.objects.update_or_create(pk=1, defaults={"evaluated_at": at, **given})


def make_health(key: str = KEY, state: CollectorState = CollectorState.OK, **given: object) -> CollectorHealth:
    values = {"subscription_id": SUBSCRIPTION, "name": "ilb-collector", "since": NOW, "sentence": "All is well.", **given}
    return CollectorHealth.objects.create(collector_key=key, state=state, **values)


def test_a_collector_that_nobody_judged_is_unknown() -> None:
    found = collector_health(Scope.everything(), now=NOW)
    assert dict(found) == {}
    assert found[KEY].state is CollectorState.UNKNOWN
    make_health()
    assert collector_health(Scope.everything(), now=NOW)[KEY].state is CollectorState.UNKNOWN  # no lease: nobody runs


def test_the_state_that_was_judged_last(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    judged()
    make_health(state=CollectorState.SILENT, rule_ids=["H1"])
    make_health("d" * 26)
    Alarm.objects.create(number=117, cause_key="x", severity="alarm", collector_key=KEY, title="t", sentence="s", opened_at=NOW, changed_at=NOW)
    with django_assert_num_queries(4):
        found = collector_health(Scope.everything(), now=NOW)
    assert (found[KEY].state, found[KEY].rule_ids, found[KEY].alarm) == (CollectorState.SILENT, ("H1",), 117)
    assert (found["d" * 26].state, found["d" * 26].alarm) == (CollectorState.OK, None)


def test_nothing_of_another_subscription() -> None:
    judged()
    make_health()
    assert dict(collector_health(Scope.of(["another"]), now=NOW)) == {}
    assert set(collector_health(Scope.of([SUBSCRIPTION]), now=NOW)) == {KEY}


def test_an_old_judgement_is_none() -> None:
    judged(at=NOW - timedelta(seconds=21))
    make_health()
    found = collector_health(Scope.everything(), now=NOW)[KEY]
    assert found.state is CollectorState.UNKNOWN
    assert "manage.py watch" in found.sentence


def test_while_the_watch_cannot_see_nothing_is_known() -> None:
    judged(blind_since=NOW - timedelta(seconds=5), blind_reason="Redis does not answer.")
    make_health()
    found = collector_health(Scope.everything(), now=NOW)[KEY]
    assert found.state is CollectorState.UNKNOWN
    assert found.sentence == "We cannot see since 11:59:55 UTC: Redis does not answer."


def test_maintenance_says_until_when() -> None:
    judged()
    make_health(state=CollectorState.MAINTENANCE)
    CollectorMaintenance.objects.create(
        collector_key=KEY, destination_id="/x", subscription_id=SUBSCRIPTION, starts_at=NOW - timedelta(hours=1), ends_at=NOW + timedelta(hours=1),
        owner="kim", reason="new kernel", by="kim", at=NOW,
    )  # fmt: skip
    assert collector_health(Scope.everything(), now=NOW)[KEY].maintenance_until == NOW + timedelta(hours=1)
