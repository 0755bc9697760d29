"""Reading what Azure lets us do: against the simulator, and against servers that refuse, lack or break what is asked."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tests.contract.arms import Time, simulator
from tests.contract.http import InProcess, Reply
from tests.inventory.factories import NOW, SUBSCRIPTION, arm_id, make_estate, make_nic, make_subnet, make_subscription, make_tap
from vtapweb.cloud.connect import cloud_from_settings
from vtapweb.cloud.port import CloudError, Failure, WritableCloud
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface
from vtapweb.simulator import contoso
from vtapweb.taps.actions.conditions import conditions_ask, conditions_refresh, permissions_read
from vtapweb.taps.models import ScopePermissions, SubscriptionConditions
from vtapweb.taps.selectors.facts import world_of
from vtapweb.taps.tasks import read_permissions, refresh_conditions

pytestmark = pytest.mark.django_db

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net"
READER = [{"actions": ["*/read"], "notActions": []}]
CONTRIBUTOR = [{"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}]
LOCK = {"id": f"{GROUP}/providers/Microsoft.Authorization/locks/keep", "name": "keep", "properties": {"level": "CanNotDelete", "notes": "ask Ann"}}


@pytest.fixture(autouse=True)
def _no_broker(settings: Settings) -> None:
    settings.REDIS_URL = ""
    settings.CLOUD = "custom"


class Azure:
    """An ARM server that answers permissions, locks and the feature, or what `fails` says; `asked` are the paths."""

    def __init__(self, *, at: Mapping[str, list[dict[str, Any]]] | None = None, fails: Mapping[str, tuple[int, str]] | None = None) -> None:
        self.at = {key.lower(): value for key, value in (at or {f"/subscriptions/{SUBSCRIPTION}": CONTRIBUTOR}).items()}
        self.fails = dict(fails or {})
        self.asked: list[str] = []

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        path = urlsplit(url).path
        self.asked.append(path)
        for part, (status, code) in self.fails.items():
            if part.lower() in path.lower():
                return self.reply({"error": {"code": code, "message": f"{code} it is"}}, status)
        if path.lower().endswith("/locks"):
            return self.reply({"value": [LOCK]})
        if "/features/" in path.lower():
            return self.reply({"id": path, "name": "Microsoft.Network/AllowVirtualNetworkTap", "properties": {"state": "Registered"}})
        return self.reply({"value": self.at.get(path.lower().rpartition("/providers/microsoft.authorization/permissions")[0], READER)})

    @staticmethod
    def reply(body: object, status: int = 200) -> Reply:
        return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def opener(self) -> WritableCloud:
        time = Time()
        return cloud_from_settings(cloud="custom", endpoint="http://127.0.0.1:8080", token="t", transport=InProcess(self), sleep=time.sleep)

    def groups_asked(self) -> list[str]:
        return [one.split("/")[4] for one in self.asked if "/resourcegroups/" in one.lower()]


def refreshed(azure: Azure) -> SubscriptionConditions:
    row = conditions_refresh(subscription_id=SUBSCRIPTION.upper(), opener=azure.opener)
    assert row is not None
    return row


def test_what_azure_says_is_stored_and_the_groups_are_left_alone_where_the_subscription_grants_all() -> None:
    make_estate()
    azure = Azure()
    row = refreshed(azure)
    assert (row.feature_state, row.feature_status, row.locks_status) == ("Registered", "read", "read")
    assert row.locks == [{"scope_id": GROUP, "level": "CanNotDelete", "name": "keep", "notes": "ask Ann"}]
    assert azure.groups_asked() == []
    whole = ScopePermissions.objects.get()
    assert (whole.scope_id, whole.status, whole.permissions[0]["actions"]) == (f"/subscriptions/{SUBSCRIPTION}", "read", ["*"])


def test_groups_are_asked_where_the_subscription_does_not_grant() -> None:
    estate = make_estate()
    NetworkInterface.objects.filter(pk=estate.nics[0].pk).update(resource_group="RG-apps")
    NetworkInterface.objects.filter(pk=estate.nics[1].pk).update(resource_group="rg-gone", removed_at=NOW + timedelta(days=1))
    azure = Azure(at={f"/subscriptions/{SUBSCRIPTION}": READER, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-apps": CONTRIBUTOR})
    refreshed(azure)
    assert sorted(azure.groups_asked()) == ["RG-apps", "rg-net"]
    world = world_of(Scope.everything(), source_keys=[]).world
    granted = {one.scope_id.rpartition("/")[2]: len(world.permissions[one.scope_key].lists) for one in ScopePermissions.objects.all()}
    assert granted == {SUBSCRIPTION: 1, "RG-apps": 1, "rg-net": 1}


def test_one_group_of_two_spellings_is_asked_once() -> None:
    estate = make_estate()
    NetworkInterface.objects.filter(pk=estate.nics[0].pk).update(resource_group="RG-NET")
    azure = Azure(at={f"/subscriptions/{SUBSCRIPTION}": READER})
    refreshed(azure)
    assert len(azure.groups_asked()) == 1


@pytest.mark.parametrize(
    ("status", "code", "kept"),
    [
        (404, "NotFound", "not_available"),
        (400, "NoRegisteredProviderFound", "not_available"),
        (403, "AuthorizationFailed", "forbidden"),
        (400, "Odd", "failed"),
        (500, "InternalServerError", "failed"),
    ],
)
def test_what_cannot_be_read_is_unknown_with_its_reason(status: int, code: str, kept: str) -> None:
    make_subscription()
    row = refreshed(Azure(fails={"": (status, code)}))
    whole = ScopePermissions.objects.get()
    assert (row.feature_status, row.locks_status, whole.status) == (kept, kept, kept)
    assert all(code in one for one in (row.feature_problem, row.locks_problem, whole.problem))
    assert whole.permissions == []


def test_one_thing_refused_leaves_the_others() -> None:
    make_subscription()
    row = refreshed(Azure(fails={"/locks": (403, "AuthorizationFailed")}))
    assert (row.feature_status, row.locks_status) == ("read", "forbidden")
    assert ScopePermissions.objects.get().status == "read"


def test_a_group_that_is_not_there_is_unknown_not_an_api_that_lacks() -> None:
    make_estate()
    azure = Azure(at={f"/subscriptions/{SUBSCRIPTION}": READER}, fails={"/resourcegroups/": (404, "ResourceGroupNotFound")})
    refreshed(azure)
    assert ScopePermissions.objects.get(pk=arm_key(GROUP)).status == "failed"


def test_settings_without_a_cloud_make_everything_unknown() -> None:
    make_subscription()

    def refuses() -> WritableCloud:
        raise CloudError(Failure.UNAUTHENTICATED, code="Settings", message="VTAPWEB_CLOUD is not set.")

    row = conditions_refresh(subscription_id=SUBSCRIPTION, opener=refuses)
    assert row is not None
    assert (row.feature_status, row.locks_status) == ("failed", "failed")
    assert "VTAPWEB_CLOUD is not set" in row.feature_problem
    assert permissions_read(scope_ids=[GROUP], opener=refuses) == 1
    assert ScopePermissions.objects.get(pk=arm_key(GROUP)).status == "failed"


def test_an_answer_outlives_a_failure_that_passes_for_an_hour_but_no_refusal() -> None:
    make_subscription()
    with time_machine.travel(NOW, tick=False) as clock:
        refreshed(Azure())
        clock.shift(timedelta(minutes=30))
        row = refreshed(Azure(fails={"": (503, "ServerBusy")}))
        assert (row.feature_status, row.locks_status, ScopePermissions.objects.get().status) == ("read", "read", "read")
        assert "ServerBusy" in row.locks_problem
        assert row.locks
        clock.shift(timedelta(minutes=31))
        row = refreshed(Azure(fails={"": (503, "ServerBusy")}))
        assert (row.feature_status, row.locks_status, ScopePermissions.objects.get().status) == ("failed", "failed", "failed")
        assert row.locks == []
        refreshed(Azure())
        clock.shift(timedelta(minutes=1))
        row = refreshed(Azure(fails={"": (403, "AuthorizationFailed")}))
        assert (row.locks_status, ScopePermissions.objects.get().status) == ("forbidden", "forbidden")


def test_nobody_answering_is_found_out_once() -> None:
    make_estate()
    asked: list[str] = []

    def drop(method: str, url: str, headers: Mapping[str, str]) -> Reply:
        asked.append(url)
        return Reply(200, b"", {}, "drop")

    opener: Callable[[], WritableCloud] = lambda: cloud_from_settings(  # noqa: E731
        cloud="custom", endpoint="http://127.0.0.1:8080", token="t", transport=InProcess(drop), sleep=Time().sleep
    )
    row = conditions_refresh(subscription_id=SUBSCRIPTION, opener=opener)
    assert row is not None
    assert (row.feature_status, row.locks_status) == ("failed", "failed")
    assert len({urlsplit(one).path for one in asked}) == 1


def test_scopes_are_read_on_demand_and_forgotten_when_they_are_old() -> None:
    estate = make_estate()
    azure = Azure(at={f"/subscriptions/{SUBSCRIPTION}": CONTRIBUTOR, estate.nics[0].arm_id: CONTRIBUTOR})
    stranger = "/subscriptions/7f000000-0000-0000-0000-00000000000f/resourceGroups/rg"
    with time_machine.travel(NOW, tick=False) as clock:
        assert permissions_read(scope_ids=[GROUP, GROUP.upper(), estate.nics[0].arm_id, stranger, ""], opener=azure.opener) == 2
        assert {one.scope_id for one in ScopePermissions.objects.all()} == {GROUP.upper(), estate.nics[0].arm_id}
        refreshed(azure)
        assert ScopePermissions.objects.count() == 3
        clock.shift(timedelta(hours=2))
        refreshed(azure)
        assert [one.scope_id for one in ScopePermissions.objects.all()] == [f"/subscriptions/{SUBSCRIPTION}"]
    assert permissions_read(scope_ids=[stranger], opener=azure.opener) == 0


def test_a_stranger_is_not_asked_about() -> None:
    azure = Azure()
    assert conditions_refresh(subscription_id="7f000000-0000-0000-0000-00000000000f", opener=azure.opener) is None
    assert azure.asked == []


def test_hostile_answers_are_kept_as_text() -> None:
    make_subscription()
    odd = [{"actions": ["a\0\u202e", "*" * 5000], "notActions": None}]
    refreshed(Azure(at={f"/subscriptions/{SUBSCRIPTION}": odd}))
    assert ScopePermissions.objects.get().permissions[0]["actions"][0] == "a\ufffd\u202e"


def test_the_simulators_restricted_group_grants_nothing_and_the_others_do() -> None:
    with simulator(100, is_over_http=False) as arm:
        spokes = make_subscription(contoso.SPOKES, name="spokes")
        subnet = make_subnet()
        for group in ("rg-reports", "rg-apps"):
            vm_less = make_nic(f"{group}-nic", subnet=subnet, vm=None)
            NetworkInterface.objects.filter(pk=vm_less.pk).update(subscription_id=spokes.pk, resource_group=group)
        row = conditions_refresh(subscription_id=contoso.SPOKES, opener=lambda: arm.cloud)
        assert row is not None
        assert (row.locks_status, row.feature_status) == ("read", "read")
        told = {one.scope_id.rpartition("/")[2]: len(one.permissions) for one in ScopePermissions.objects.all()}
        assert told == {contoso.SPOKES: 1, "rg-reports": 1, "rg-apps": 2}


def test_the_tasks_take_plain_values_and_what_is_not_known_is_no_error(settings: Settings) -> None:
    settings.CLOUD = ""
    make_subscription()
    refresh_conditions(subscription_id=SUBSCRIPTION)
    read_permissions(scope_ids=[GROUP])
    assert SubscriptionConditions.objects.get().feature_status == "failed"
    conditions_ask(subscription_ids=[SUBSCRIPTION], scope_ids=[GROUP])


@pytest.mark.parametrize("more", [0, 10])
def test_a_refresh_costs_queries_for_scopes_alone(more: int) -> None:
    estate = make_estate()
    for number in range(more):
        make_nic(f"more-{number}-nic", subnet=estate.spoke_subnet, address=f"10.1.2.{number}", mac="")
        make_tap(f"tap-{number}", destination_id=arm_id("networkInterfaces/x/ipConfigurations", "y"))
    with CaptureQueriesContext(connection) as queries:
        refreshed(Azure(at={f"/subscriptions/{SUBSCRIPTION}": READER}))
    assert len(queries) <= 20
