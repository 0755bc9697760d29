"""Sign-in through an OpenID Connect provider: a small real one on loopback.

browser --POST /accounts/oidc/oidc/login/--> vtapweb --302--> provider's /authorize (the test answers for the person)
browser --GET callback?code,state--> vtapweb --POST /token, GET /userinfo--> provider
"""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from vtapweb.access.models import AuditEntry, Role, User
from vtapweb.config.environment import oidc_app, origin_of

LOGIN = "/accounts/oidc/oidc/login/"


class Provider(ThreadingHTTPServer):
    """Says of whoever comes that he is `person`."""

    daemon_threads = True
    person: dict[str, Any]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def answer(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        url = self.server.url
        if self.path == "/userinfo":
            self.answer(self.server.person)
        else:
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "userinfo", "jwks_uri": "keys"}
            self.answer({"issuer": url, **{name: f"{url}/{path}" for name, path in names.items()}})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        now = int(time.time())
        claims = {"iss": self.server.url, "aud": "vtapweb", "iat": now, "exp": now + 60, **self.server.person}
        self.answer({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": jwt.encode(claims, "k" * 32, "HS256")})


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    server = Provider(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.OIDC_APP = {
        "provider_id": "oidc",
        "name": "Contoso",
        "client_id": "vtapweb",
        "secret": "s",
        "settings": {"server_url": server.url},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [settings.OIDC_APP]}}
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def come_back(client: Client, server: Provider, person: dict[str, Any], **answer: str) -> Any:
    """The whole way round; the provider's answer is a code unless `answer` says otherwise."""
    server.person = person
    start = client.post(LOGIN, {"next": "/accounts/logout/"})
    assert start["Location"].startswith(f"{server.url}/authorize?")
    asked = parse_qs(urlsplit(start["Location"]).query)
    assert urlsplit(asked["redirect_uri"][0]).path == "/accounts/oidc/oidc/login/callback/"
    return client.get("/accounts/oidc/oidc/login/callback/", {"state": asked["state"][0], **(answer or {"code": "c"})})


@pytest.mark.django_db
def test_the_first_sign_in_makes_a_viewer_without_subscriptions(client: Client, provider: Provider) -> None:
    page = client.get("/accounts/login/").content
    assert b"Sign in with Contoso" in page
    assert b"You go to Contoso and come back." in client.get(LOGIN).content
    answer = come_back(client, provider, {"sub": "17", "preferred_username": "ada", "email": "ada@example.com", "email_verified": True})
    assert answer["Location"] == "/accounts/logout/"
    ada = User.objects.get()
    assert (ada.username, ada.role, ada.has_all_subscriptions, ada.grants.count(), ada.has_usable_password()) == ("ada", "viewer", False, 0, False)
    assert client.get("/api/v1/whoami").json() == {"name": "ada", "role": "viewer", "subscription_ids": []}
    entries = [(entry.action, entry.actor) for entry in AuditEntry.objects.order_by("pk")]
    assert entries == [("access.user_created", "OpenID Connect"), ("access.signed_in", "ada")]
    again = Client()
    assert come_back(again, provider, {"sub": "17", "preferred_username": "ada"})["Location"] == "/accounts/logout/"
    assert User.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["root", "admin", "demo-admin"])
def test_nobody_becomes_an_existing_person_by_name_or_address(client: Client, provider: Provider, name: str) -> None:
    root = User.objects.create_user("root", email="root@example.com", password="a long password", role=Role.ADMIN)
    come_back(client, provider, {"sub": "666", "preferred_username": name, "email": "root@example.com", "email_verified": True})
    stranger = User.objects.exclude(pk=root.pk).get()
    assert stranger.role == Role.VIEWER
    assert stranger.username not in {"root", "admin", "demo-admin"}
    assert client.get("/api/v1/whoami").json()["subscription_ids"] == []


@pytest.mark.django_db
def test_who_cancels_is_back_at_the_sign_in(client: Client, provider: Provider) -> None:
    answer = come_back(client, provider, {}, error="access_denied")
    assert answer["Location"] == "/accounts/not-signed-in/"
    page = client.get(answer["Location"], follow=True)
    assert b"You were not signed in" in page.content


@pytest.mark.django_db
def test_an_answer_that_was_not_asked_for_is_refused(client: Client, provider: Provider) -> None:
    provider.person = {"sub": "17"}
    answer = client.get("/accounts/oidc/oidc/login/callback/", {"state": "made up", "code": "c"})
    assert answer.status_code in {401, 403}
    assert b'data-test="oidc-error"' in answer.content
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_switched_off_person_does_not_come_in(client: Client, provider: Provider) -> None:
    come_back(client, provider, {"sub": "17", "preferred_username": "ada"})
    User.objects.update(is_active=False)
    answer = come_back(Client(), provider, {"sub": "17", "preferred_username": "ada"})
    assert answer["Location"] == "/accounts/inactive/"


@pytest.mark.django_db
def test_without_a_provider_there_is_no_such_sign_in(client: Client) -> None:
    assert b"sign-in-oidc" not in client.get("/accounts/login/").content
    assert client.post(LOGIN).status_code == 404


def test_the_settings_are_whole_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert oidc_app() is None
    monkeypatch.setenv("VTAPWEB_OIDC_SERVER_URL", "http://login.example.com/tenant")
    with pytest.raises(ImproperlyConfigured, match="half set: VTAPWEB_OIDC_CLIENT_ID, VTAPWEB_OIDC_CLIENT_SECRET"):
        oidc_app()
    monkeypatch.setenv("VTAPWEB_OIDC_CLIENT_ID", "i")
    monkeypatch.setenv("VTAPWEB_OIDC_CLIENT_SECRET", "s")
    with pytest.raises(ImproperlyConfigured, match="https"):
        oidc_app()
    monkeypatch.setenv("VTAPWEB_OIDC_SERVER_URL", "https://login.example.com:8443/tenant")
    app = oidc_app()
    assert app is not None
    assert (app["provider_id"], app["name"], app["client_id"], app["secret"]) == ("oidc", "OpenID Connect", "i", "s")
    assert origin_of(app["settings"]["server_url"]) == "https://login.example.com:8443"
