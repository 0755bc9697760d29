"""What is read: within the scope, with a known number of queries."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.inventory.factories import NOW, make_estate, make_kind_state, make_run, make_subscription, make_subscription_sync
from vtapweb.domain.scope import Scope
from vtapweb.inventory import selectors
from vtapweb.inventory.freshness import freshness
from vtapweb.inventory.models import KindState, ResourceChange, Subscription

pytestmark = pytest.mark.django_db

ONE, TWO = "5a000000-0000-0000-0000-000000000001", "5a000000-0000-0000-0000-000000000002"


@pytest.fixture
def estates() -> None:
    make_estate(subscription_id=ONE, nics=4, mirrored=1)
    make_estate(subscription_id=TWO, nics=2, mirrored=2)


def queries(work: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


@pytest.mark.usefixtures("estates")
def test_stale_is_what_was_not_read_completely_or_is_listed_no_more() -> None:
    assert selectors.stale_since(Scope.everything()) == {}
    later = NOW + timedelta(hours=1)
    KindState.objects.filter(subscription_id=ONE, kind="network_interfaces").update(status="partial", last_attempt_at=later)
    assert selectors.stale_since(Scope.everything()) == {(ONE, slug): NOW for slug in ("nics", "ip-configurations", "tap-configurations")}
    assert selectors.subscriptions_stale_since(Scope.of([ONE])) == {ONE: NOW}
    assert selectors.stale_since(Scope.of([TWO])) == {}
    Subscription.objects.filter(pk=TWO).update(not_listed_since=later)
    assert selectors.stale_since(Scope.of([TWO]))[TWO, "vnets"] == NOW
    assert queries(lambda: selectors.stale_since(Scope.everything())) == 2


@pytest.mark.usefixtures("estates")
def test_every_list_keeps_to_the_scope() -> None:
    run = make_run()
    for one in (ONE, TWO):
        make_subscription_sync(run=run, subscription=Subscription.objects.get(pk=one))
        make_kind_state("scale_sets", subscription=Subscription.objects.get(pk=one), status="failed")
        ResourceChange.objects.create(run=run, subscription_id=one, kind="nics", key="k", arm_id="/a", name="a", action="added", at=NOW)
    scope = Scope.of([TWO])
    for rows in (
        selectors.subscriptions(scope),
        selectors.resources(scope, "nics"),
        selectors.resources(scope, "subnets"),
        selectors.kind_states(scope),
        selectors.resource_changes(scope),
        selectors.subscription_syncs(scope, [run.pk]),
    ):
        assert {row.subscription_id for row in rows} == {TWO}
        assert queries(lambda rows=rows: list(rows.all())) == 1
    assert list(selectors.sync_runs(scope)) == [run]
    assert list(selectors.sync_runs(Scope.of([]))) == []
    assert [part["id"] for part in selectors.run_report(run, scope)["subscriptions"]] == [TWO]


def test_the_raw_json_stays_where_it_is() -> None:
    make_estate()
    for nic in selectors.resources(Scope.everything(), "nics"):
        assert "raw" in nic.get_deferred_fields()


@pytest.mark.parametrize("status", KindState.Status)
def test_one_rule_says_everywhere_whether_a_list_is_incomplete(status: str) -> None:
    """The pill, the tables, the API and the map: all of them, or none."""
    subscription = make_subscription()
    make_kind_state("network_interfaces", subscription=subscription, status=status)
    everything, is_incomplete = Scope.everything(), status in ("partial", "failed", "held")
    assert (freshness(everything).state == "warn") == is_incomplete
    assert ((subscription.pk, "nics") in selectors.stale_since(everything)) == is_incomplete
    assert bool(selectors.subscriptions_stale_since(everything)) == is_incomplete
