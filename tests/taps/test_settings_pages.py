"""The pages under /settings: who may look, who may set, and that nothing typed is lost."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.inventory.factories import SUBSCRIPTION, make_estate, make_subscription
from tests.taps.conditions import EVERYTHING, READER, make_conditions, make_permissions
from tests.taps.people import person, viewer
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope
from vtapweb.taps.actions.settings import protect_add
from vtapweb.taps.actions.writes import writes_stop
from vtapweb.taps.models import ChangeWindow, ProtectedScope, ScopePermissions, SubscriptionWrites
from vtapweb.taps.selectors.writes import writes_allowed
from vtapweb.traffic.models import CollectorAssignment

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

OTHER = "5a000000-0000-0000-0000-000000000002"
PAGES = ("/settings/writes", "/settings/protected", "/settings/windows", "/settings/collectors")
HOSTILE = "<img src=x>\u202e\"'"


@pytest.fixture(autouse=True)
def _real_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CLOUD", "custom")


def signed_in(client: Client, role: Role, *subscription_ids: str) -> Client:
    client.force_login(person(role, subscription_ids=subscription_ids))
    return client


@pytest.fixture
def admin(client: Client) -> Client:
    return signed_in(client, Role.ADMIN)


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_page_teaches(admin: Client, page: str) -> None:
    body = admin.get(page).content.decode()
    assert 'class="empty"' in body


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize("page", PAGES)
def test_others_look_and_read_why_there_is_no_button(client: Client, page: str, role: Role) -> None:
    make_estate()
    body = signed_in(client, role).get(page).content.decode()
    assert 'data-test="why-not"' in body
    assert 'type="submit" name="deed"' not in body
    assert "Stop all writes" not in body


POSTS: dict[str, dict[str, Any]] = {
    "/settings/writes": {"deed": "enable", "subscriptions": [SUBSCRIPTION], "reason": "pilot", "notice": "on"},
    "/settings/writes/stop": {"reason": "odd"},
    "/settings/writes/resume": {"reason": "fine"},
    "/settings/protected": {"kind": "tag", "value": "pci", "owner": "Ann", "contact": "ann@example.com"},
    "/settings/protected/1/remove": {},
    "/settings/windows": {"name": "Night", "weekdays": ["5"], "opens": "22:00", "closes": "02:00", "zone": "Europe/London"},
    "/settings/windows/1/remove": {},
    "/settings/collectors": {"destination_id": ""},
    "/settings/collectors/x/remove": {},
}


@pytest.mark.both_databases
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize("path", POSTS)
def test_only_admins_may_post(client: Client, path: str, role: Role) -> None:
    estate = make_estate()
    given = POSTS[path]
    if path == "/settings/collectors":
        given = {"destination_id": estate.tap.destination_id}
    answer = signed_in(client, role).post(path, given)
    assert answer.status_code == 403
    assert not AuditEntry.objects.filter(action__startswith="taps.").exists()


@pytest.mark.both_databases
def test_an_admin_enables_by_name(admin: Client) -> None:
    make_subscription()
    make_subscription(OTHER, name="corp-apps")
    assert admin.post("/settings/writes", POSTS["/settings/writes"]).status_code == 302
    assert writes_allowed(SUBSCRIPTION).is_allowed
    assert not writes_allowed(OTHER).is_allowed
    body = admin.get("/settings/writes").content.decode()
    assert body.count("● read and write") == 1
    assert body.count("○ read only") == 1
    assert "may write to 1 subscription" in body
    for deed, words in (("window", "in a change window"), ("any_time", "at any time"), ("disable", "○ read only")):
        admin.post("/settings/writes", {"deed": deed, "subscriptions": [SUBSCRIPTION], "reason": "x"})
        assert words in admin.get("/settings/writes").content.decode()
    assert not writes_allowed(SUBSCRIPTION).is_allowed


@pytest.mark.parametrize(
    ("lacking", "says"),
    [
        ({"notice": ""}, "Accept first"),
        ({"reason": ""}, "Give a reason"),
        ({"subscriptions": []}, "at least one"),
        ({"deed": "x"}, "one of the buttons"),
    ],
)
def test_what_lacks_something_keeps_what_was_typed(admin: Client, lacking: dict[str, Any], says: str) -> None:
    make_subscription()
    given = {**POSTS["/settings/writes"], "reason": "a long explanation", **lacking}
    answer = admin.post("/settings/writes", {name: value for name, value in given.items() if value != ""})
    body = answer.content.decode()
    assert answer.status_code == 400
    assert says in body
    assert ("a long explanation" in body) is ("reason" not in lacking)
    assert (" checked" in body) is True
    assert not SubscriptionWrites.objects.exists()


@pytest.mark.both_databases
def test_the_brake_needs_no_reason_and_stands_in_the_frame_for_those_who_apply(client: Client) -> None:
    make_subscription()
    signed_in(client, Role.ADMIN).post("/settings/writes/stop", {})
    body = client.get("/settings/writes").content.decode()
    assert "All writes are stopped." in body
    assert "no reason given" in body
    assert 'data-test="stop"' not in body
    client.post("/settings/writes/resume", {"reason": " "})
    assert 'data-test="stopped-pill"' in client.get("/syncs").content.decode()
    for role, is_told in ((Role.OPERATOR, True), (Role.VIEWER, False)):
        assert ('data-test="stopped-pill"' in signed_in(client, role).get("/syncs").content.decode()) is is_told
    client.force_login(person(Role.ADMIN, name="bob"))
    client.post("/settings/writes/resume", {"reason": "fine"})
    assert 'data-test="stopped-pill"' not in client.get("/syncs").content.decode()


@pytest.mark.both_databases
def test_a_scope_is_protected_shown_and_released(admin: Client) -> None:
    answer = admin.post("/settings/protected", {**POSTS["/settings/protected"], "owner": HOSTILE})
    assert answer.status_code == 302
    body = admin.get("/settings/protected").content.decode()
    assert "<img src=x>" not in body
    assert "⟨U+202E⟩" in body
    row = ProtectedScope.objects.get()
    assert admin.post(f"/settings/protected/{row.pk}/remove").status_code == 302
    assert admin.post(f"/settings/protected/{row.pk}/remove").status_code == 404


def test_a_refused_protection_keeps_what_was_typed(admin: Client) -> None:
    answer = admin.post("/settings/protected", {"kind": "vnet", "value": "spoke-crm", "owner": "Ann", "contact": "ann@example.com"})
    body = answer.content.decode()
    assert answer.status_code == 400
    assert "Give the ARM id of a VNet" in body
    assert 'value="spoke-crm"' in body
    assert 'value="ann@example.com"' in body


def test_protected_scopes_are_told_to_those_who_see_everything(client: Client) -> None:
    protect_add(kind="tag", value="secret-project", owner="Ann", contact="x", acting_user=viewer(Role.ADMIN))
    body = signed_in(client, Role.OPERATOR, SUBSCRIPTION).get("/settings/protected").content.decode()
    assert "secret-project" not in body
    assert 'data-test="limited"' in body


@pytest.mark.both_databases
def test_a_window_is_added_and_removed(admin: Client) -> None:
    assert admin.post("/settings/windows", POSTS["/settings/windows"]).status_code == 302
    body = admin.get("/settings/windows").content.decode()
    assert "Saturday" in body
    assert "the next day" in body
    row = ChangeWindow.objects.get()
    assert admin.post(f"/settings/windows/{row.pk}/remove").status_code == 302
    lacks: list[dict[str, Any]] = [{"zone": "Mars"}, {"opens": "25:00"}, {"weekdays": ["9"]}, {"weekdays": []}, {"name": ""}]
    for lacking in lacks:
        answer = admin.post("/settings/windows", {**POSTS["/settings/windows"], **lacking})
        assert answer.status_code == 400
        assert 'class="errorlist"' in answer.content.decode()
    assert not ChangeWindow.objects.exists()


@pytest.mark.both_databases
def test_a_collector_is_named_shown_edited_and_forgotten(admin: Client) -> None:
    estate = make_estate()
    destination = estate.tap.destination_id
    given = {"destination_id": destination, "name": HOSTILE, "partner": "gigamon", "capacity": "10", "owner": "NOC", "note": ""}
    assert admin.post("/settings/collectors", given).status_code == 302
    row = CollectorAssignment.objects.get()
    assert row.capacity_bits_per_s == 10**10
    body = admin.get(f"/settings/collectors?destination={destination}").content.decode()
    assert "<img src=x>" not in body
    assert f"Kept what you said about {estate.collector.name}." in body
    assert "10 Gb/s" in body
    assert f'value="{destination}"' in body
    assert '<option value="gigamon" selected>' in body
    assert admin.post("/settings/collectors", {**given, "destination_id": "nowhere"}).status_code == 400
    assert admin.post(f"/settings/collectors/{row.pk}/remove").status_code == 302
    assert estate.collector.name in admin.get("/settings/collectors").content.decode()


@pytest.mark.both_databases
def test_pages_tell_nothing_from_outside_the_scope(client: Client) -> None:
    estate = make_estate()
    make_subscription(OTHER, name="corp-apps")
    signed_in(client, Role.OPERATOR, OTHER)
    for page in PAGES:
        body = client.get(page).content.decode()
        assert SUBSCRIPTION not in body
        assert estate.collector.name not in body
        assert "corp-net" not in body
    assert "corp-apps" in client.get("/settings/writes").content.decode()


@pytest.mark.parametrize("more", [0, 12])
def test_pages_cost_the_same_for_few_and_many(admin: Client, django_assert_max_num_queries: Any, more: int) -> None:
    estate = make_estate(nics=2 + more)
    for number in range(more):
        make_subscription(f"6b000000-0000-0000-0000-0000000000{number:02x}", name=f"more-{number}")
        who = viewer(Role.ADMIN, name=f"ann-{number}")
        protect_add(kind="tag", value=f"tag-{number}", owner="Ann", contact="x", for_collector_id=estate.tap.destination_id, acting_user=who)
    for page in PAGES:
        with django_assert_max_num_queries(15):
            admin.get(page)


def test_a_stop_by_somebody_else_is_told_with_who_and_why(admin: Client) -> None:
    make_subscription()
    writes_stop(reason=HOSTILE, actor="manage.py writes")
    body = admin.get("/settings/writes").content.decode()
    assert "manage.py writes" in body
    assert "<img src=x>" not in body
    assert writes_allowed(SUBSCRIPTION, scope=Scope.of([])).is_allowed is False


@pytest.mark.parametrize(
    ("permissions", "given", "words", "is_lacking"),
    [
        (EVERYTHING, {}, ["write in all of it"], False),
        (READER, {}, ["only read"], True),
        (READER, {"locks": [{"scope_id": "/x", "level": "ReadOnly", "name": "l", "notes": ""}], "feature_state": "NotRegistered"},
         ["only read", "1 management lock", "AllowVirtualNetworkTap is NotRegistered"], True),
        (EVERYTHING, {"locks_status": "forbidden", "locks_problem": HOSTILE}, ["write in all of it", "locks unknown: &lt;img"], False),
    ],
)  # fmt: skip
def test_what_azure_allows_stands_beside_the_switch(
    admin: Client, permissions: list[dict[str, Any]], given: dict[str, Any], words: list[str], is_lacking: bool
) -> None:
    make_subscription()
    assert "not asked yet" in admin.get("/settings/writes").content.decode()
    make_conditions(permissions=permissions, **given)
    body = admin.get("/settings/writes").content.decode()
    assert [one for one in words if one not in body] == []
    assert (f"--scope /subscriptions/{SUBSCRIPTION}" in body) is is_lacking


@pytest.mark.both_databases
def test_rights_in_some_groups_and_rights_unknown(admin: Client) -> None:
    make_subscription()
    make_conditions(permissions=READER)
    make_permissions(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-one", EVERYTHING)
    make_permissions(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-two", READER)
    assert "write in 1 of 2 resource groups" in admin.get("/settings/writes").content.decode()
    ScopePermissions.objects.all().delete()
    make_permissions(f"/subscriptions/{SUBSCRIPTION}", [], status="forbidden", problem="forbidden: AuthorizationFailed")
    assert "AuthorizationFailed" in admin.get("/settings/writes").content.decode()
    ScopePermissions.objects.update(status="not_available")
    assert "not told by this server" in admin.get("/settings/writes").content.decode()
