"""Sign-in is needed for everything, works, leaks nothing, and is on record."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client

from vtapweb.access.actions import FAILURES_RECORDED_PER_MINUTE, sign_in_failed_record
from vtapweb.access.models import AuditEntry, Role, User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
PAGE = "/accounts/login/"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password=PASSWORD, role=Role.VIEWER)


@pytest.mark.usefixtures("ada")
def test_a_stranger_is_led_to_the_sign_in_and_back(client: Client) -> None:
    answer = client.get("/accounts/password/change/?x=1")
    assert answer["Location"] == "/accounts/login/?next=%2Faccounts%2Fpassword%2Fchange%2F%3Fx%3D1"
    assert client.get(answer["Location"]).status_code == 200
    answer = client.post(PAGE, {"login": "ada", "password": PASSWORD, "next": "/accounts/password/change/?x=1"})
    assert answer["Location"] == "/accounts/password/change/?x=1"
    assert client.get(answer["Location"]).status_code == 200
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.source_ip, entry.detail) == ("access.signed_in", "ada", "127.0.0.1", {"way": "password"})


def test_htmx_of_an_ended_session_goes_to_the_sign_in_as_a_whole_page(client: Client) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/table/nics?q=a"}
    answer = client.get("/map/panel/7", headers=headers)
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/accounts/login/?next=http%3A%2F%2Ftestserver%2Ftable%2Fnics%3Fq%3Da"
    answer = client.get("/map/panel/7", headers={**headers, "HX-Current-URL": "https://evil.example.com/"})
    assert answer["HX-Redirect"] == "/accounts/login/"


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("target", ["//evil.example.com/", "https://evil.example.com/", "javascript:alert(1)", "/\\evil.example.com"])
def test_next_never_leads_away(client: Client, target: str) -> None:
    answer = client.post(PAGE, {"login": "ada", "password": PASSWORD, "next": target})
    assert answer["Location"] == "/"


@pytest.mark.usefixtures("ada")
def test_wrong_name_and_wrong_password_look_the_same_and_no_secret_is_kept(client: Client) -> None:
    wrong_password = client.post(PAGE, {"login": "ada", "password": "hunter2hunter2"})
    wrong_name = client.post(PAGE, {"login": "my-password-typed-here", "password": "hunter2hunter2"})
    assert wrong_password.status_code == wrong_name.status_code == 200
    assert wrong_password.context["form"].errors == wrong_name.context["form"].errors
    entries = AuditEntry.objects.order_by("pk")
    assert [(entry.action, entry.target) for entry in entries] == [("access.sign_in_failed", "ada"), ("access.sign_in_failed", "unknown name")]
    assert "hunter2" not in str(list(entries.values()))
    assert "my-password" not in str(list(entries.values()))


@pytest.mark.usefixtures("ada")
def test_guessing_is_slowed_down_even_for_the_right_password(client: Client) -> None:
    for _ in range(5):
        client.post(PAGE, {"login": "ada", "password": "wrong"})
    answer = client.post(PAGE, {"login": "ada", "password": PASSWORD})
    assert answer.status_code == 200
    assert b"Too many failed login attempts" in answer.content
    assert AuditEntry.objects.count() == 5


def test_a_flood_of_failures_does_not_fill_the_record() -> None:
    with time_machine.travel(datetime(2026, 11, 22, 12, 0, tzinfo=UTC), tick=False):
        for _ in range(FAILURES_RECORDED_PER_MINUTE + 5):
            sign_in_failed_record(request=None, username="nobody")
    assert AuditEntry.objects.count() == FAILURES_RECORDED_PER_MINUTE


def test_a_switched_off_person_is_told_so_and_is_out_at_once(client: Client, ada: User) -> None:
    client.force_login(ada)
    User.objects.update(is_active=False)
    assert client.get("/accounts/password/change/").status_code == 302
    answer = client.post(PAGE, {"login": "ada", "password": PASSWORD}, follow=True)
    assert answer.status_code == 403
    assert b"This account is not active" in answer.content
    assert client.get("/accounts/password/change/").status_code == 302


def test_signing_out_takes_a_post_and_is_on_record(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get("/accounts/logout/").status_code == 200
    assert client.post("/accounts/logout/")["Location"] == PAGE
    assert client.get("/accounts/logout/").status_code == 302
    assert AuditEntry.objects.filter(action="access.signed_out", actor="ada").count() == 1


def test_a_changed_password_ends_other_sessions_and_is_on_record(client: Client, ada: User) -> None:
    other = Client()
    other.force_login(ada)
    client.force_login(ada)
    new = "another long password"
    answer = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert answer.status_code == 302
    assert client.get("/accounts/password/change/").status_code == 200
    assert other.get("/accounts/password/change/").status_code == 302
    assert AuditEntry.objects.filter(action="access.password_changed", actor="ada").exists()


def test_who_has_no_password_is_told_where_to_change_it(client: Client) -> None:
    client.force_login(User.objects.create_user("oidc-person"))
    assert b"You sign in without one" in client.get("/accounts/password/change/").content


def test_nobody_signs_up(client: Client) -> None:
    client.force_login(User.objects.create_user("root", role=Role.ADMIN))
    for path in ("signup", "email", "password/reset", "password/set", "confirm-email", "social/signup", "login/code"):
        assert client.get(f"/accounts/{path}/").status_code == 404


def test_the_cookies_are_kept_from_scripts_and_other_sites(client: Client, ada: User) -> None:
    answer = client.post(PAGE, {"login": ada.username, "password": PASSWORD})
    (session,) = [morsel for name, morsel in answer.cookies.items() if "session" in name]
    assert session["httponly"]
    assert session["samesite"] == "Lax"
    assert answer["X-Frame-Options"] == "DENY"
    assert "private" in client.get("/accounts/logout/")["Cache-Control"]


def test_a_post_without_the_csrf_token_gets_the_page_that_says_so(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    answer = client.post("/accounts/logout/")
    assert answer.status_code == 403
    assert b"The form was not sent from here" in answer.content
