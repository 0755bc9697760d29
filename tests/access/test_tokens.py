"""API tokens: made once, kept as a digest, limited, revoked; and what they open."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from vtapweb.access.actions import token_create, token_revoke
from vtapweb.access.authentication import viewers_of_scopes
from vtapweb.access.models import ApiToken, AuditEntry, Role, SubscriptionGrant, User
from vtapweb.access.selectors import scope_of
from vtapweb.access.viewer import Viewer
from vtapweb.domain.scope import Scope

pytestmark = pytest.mark.django_db

ONE = "00000000-0000-0000-0000-000000000001"
TWO = "00000000-0000-0000-0000-000000000002"


def make_token(role: Role = Role.VIEWER, subscription_ids: list[str] | None = None) -> tuple[ApiToken, str]:
    return token_create(name="nightly", role=role, subscription_ids=subscription_ids, acting_user=None, actor="the test")


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_the_command_prints_the_token_once_and_keeps_only_its_digest(client: Client) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("token_create", "--name", "nightly", "--role", "operator", "--subscription", ONE.upper(), stdout=out, stderr=err)
    secret = out.getvalue().strip()
    token = ApiToken.objects.get()
    assert len(secret) > 40
    assert secret.startswith(token.prefix)
    assert secret not in str([field.value_from_object(token) for field in ApiToken._meta.fields])
    assert secret not in err.getvalue()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.detail) == (
        "access.token_created",
        "manage.py token_create",
        {"role": "operator", "subscriptions": [ONE]},
    )
    answer = client.get("/api/v1/whoami", headers=bearer(secret))
    assert answer.json() == {"name": "token nightly", "role": "operator", "subscription_ids": [ONE]}


def test_a_bad_request_for_a_token_makes_none() -> None:
    with pytest.raises(CommandError, match="subscription id looks like"):
        call_command("token_create", "--name", "x", "--role", "viewer", "--subscription", "all")
    with pytest.raises(ValidationError, match="at least one"):
        make_token(subscription_ids=[])
    assert not ApiToken.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic YTpi", "Bearer", ""])
def test_what_is_no_token_gets_a_problem_even_beside_a_session(client: Client, header: str) -> None:
    client.force_login(User.objects.create_user("ada", has_all_subscriptions=True))
    assert client.get("/api/v1/whoami").status_code == 200
    answer = client.get("/api/v1/whoami", headers={"Authorization": header})
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_token_in_the_query_is_not_looked_at(client: Client) -> None:
    _, secret = make_token()
    for name in ("token", "access_token", "api_key", "key"):
        assert client.get("/api/v1/whoami", {name: secret}).status_code == 401


def test_a_revoked_token_is_dead_at_once(client: Client) -> None:
    admin = User.objects.create_user("root", role=Role.ADMIN)
    token, secret = make_token()
    assert client.get("/api/v1/whoami", headers=bearer(secret)).status_code == 200
    token_revoke(token=token, acting_user=admin)
    token_revoke(token=token, acting_user=admin)
    assert client.get("/api/v1/whoami", headers=bearer(secret)).status_code == 401
    assert AuditEntry.objects.filter(action="access.token_revoked", actor="root").count() == 1


def test_use_is_noted_at_most_once_a_minute(client: Client) -> None:
    _, secret = make_token()
    at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    with time_machine.travel(at, tick=False) as clock, CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            client.get("/api/v1/whoami", headers=bearer(secret))
        assert sum(query["sql"].startswith("UPDATE") for query in queries) == 1
        assert len(queries) == 3 + 1
        clock.shift(timedelta(seconds=60))
        client.get("/api/v1/whoami", headers=bearer(secret))
    assert ApiToken.objects.get().last_used_at == at + timedelta(minutes=1)


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.ADMIN, 200)])
def test_each_route_has_a_least_role(client: Client, role: Role, status: int) -> None:
    _, secret = make_token(role)
    answer = client.get("/api/v1/audit", headers=bearer(secret))
    assert answer.status_code == status
    client.force_login(User.objects.create_user("ada", role=role))
    assert client.get("/api/v1/audit").status_code == status
    if status == 403:
        assert answer.json()["detail"].startswith("This needs the role admin; token nightly has the role")


def test_an_admins_limited_token_does_not_read_the_audit_record(client: Client) -> None:
    _, secret = make_token(Role.ADMIN, [ONE])
    assert client.get("/api/v1/audit", headers=bearer(secret)).status_code == 403


def test_scopes_of_people() -> None:
    user = User.objects.create_user("ada")
    assert scope_of(user) == Scope.of([])
    SubscriptionGrant.objects.create(user=user, subscription_id=ONE)
    assert scope_of(user) == Scope.of([ONE])
    assert not scope_of(user).allows(TWO)
    assert scope_of(User(role=Role.ADMIN, is_active=True)).is_everything
    assert scope_of(User(has_all_subscriptions=True)).is_everything
    assert scope_of(User(has_all_subscriptions=True, is_active=False)) == Scope.of([])


@pytest.mark.django_db(transaction=True)  # channels closes connections that are in a transaction
def test_a_socket_shows_who_opens_it_as_a_request_does(client: Client) -> None:
    def ask(asgi_scope: dict[str, Any]) -> Viewer | None:
        (viewer,) = async_to_sync(viewers_of_scopes)([asgi_scope])
        return viewer

    _, secret = make_token(Role.OPERATOR, [ONE])
    user = User.objects.create_user("ada")
    client.force_login(user)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items()).encode()

    by_token = ask({"headers": [(b"authorization", f"Bearer {secret}".encode())]})
    assert by_token is not None
    assert (by_token.name, by_token.role, by_token.scope) == ("token nightly", Role.OPERATOR, Scope.of([ONE]))
    by_session = ask({"headers": [(b"cookie", cookie)]})
    assert by_session is not None
    assert by_session.user == user
    assert ask({"headers": [(b"authorization", b"Bearer wrong"), (b"cookie", cookie)]}) is None
    assert ask({"headers": [], "query_string": f"token={secret}".encode()}) is None
    assert ask({"headers": [(b"cookie", cookie.replace(b"=", b"=x"))]}) is None
    assert ask({"headers": [(b"cookie", b"\x00=;;=")]}) is None

    scopes: list[dict[str, Any]] = [
        {"headers": [(b"authorization", f"Bearer {secret}".encode())]}, {"headers": [(b"cookie", cookie)]},
        {"headers": [(b"authorization", b"Bearer wrong"), (b"cookie", cookie)]}, {"headers": [(b"authorization", secret.encode())]},
        {"headers": [(b"cookie", cookie.replace(b"=", b"=x"))]}, {"headers": [(b"cookie", b"\x00=;;=")]}, {"headers": []},
        {"headers": [(b"cookie", cookie)]},
    ]  # fmt: skip
    assert async_to_sync(viewers_of_scopes)(scopes) == [by_token, by_session, None, None, None, None, None, by_session]
    assert [ask(one) for one in scopes] == [by_token, by_session, None, None, None, None, None, by_session]

    User.objects.update(is_active=False)
    ApiToken.objects.update(revoked_at=timezone.now())
    assert ask({"headers": [(b"cookie", cookie)]}) is None
    assert async_to_sync(viewers_of_scopes)(scopes) == [None] * len(scopes)


def test_the_page_makes_shows_once_and_revokes(client: Client) -> None:
    admin = User.objects.create_user("root", role=Role.ADMIN)
    client.force_login(admin)
    answer = client.post("/tokens", {"name": "grafana", "role": "viewer", "subscriptions": f"{ONE}\n{TWO.upper()}"})
    token = ApiToken.objects.get()
    assert (token.name, token.subscription_ids, token.created_by) == ("grafana", [ONE, TWO], admin)
    page = answer.content.decode()
    assert 'data-test="token-secret"' in page
    assert "no-store" in answer["Cache-Control"]
    assert 'data-test="token-secret"' not in client.get("/tokens").content.decode()
    assert client.post("/tokens", {"name": "x", "role": "viewer", "subscriptions": "mine"}).status_code == 400
    assert client.post(f"/tokens/{token.pk}/revoke")["Location"] == "/tokens"
    token.refresh_from_db()
    assert token.revoked_at is not None
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", "actor"))
    assert actions == [("access.signed_in", "root"), ("access.token_created", "root"), ("access.token_revoked", "root")]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize("path", ["/tokens", "/audit", "/audit.csv", "/admin/", "/admin/access/user/"])
def test_pages_for_admins_refuse_the_others(client: Client, role: Role, path: str) -> None:
    client.force_login(User.objects.create_user("ada", role=role))
    answer = client.get(path, follow=True)
    assert answer.status_code == 403
    assert 'data-test="problem"' in answer.content.decode()


def test_a_session_writes_through_the_api_only_with_the_csrf_token() -> None:
    from django.http import HttpRequest

    from vtapweb.access.authentication import Session
    from vtapweb.web.problem import ProblemError

    request = HttpRequest()
    request.user = User.objects.create_user("ada")
    request.method = "POST"
    with pytest.raises(ProblemError, match="403 CSRF"):
        Session(Role.VIEWER)(request)
    request.method = "GET"
    assert Session(Role.VIEWER)(request) is not None
