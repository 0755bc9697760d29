"""People under /admin/: the role decides, changes are on record, nobody locks everybody out."""

import io
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from vtapweb.access.models import ApiToken, AuditEntry, Role, SubscriptionGrant, User

pytestmark = pytest.mark.django_db

ONE = "00000000-0000-0000-0000-000000000001"
TWO = "00000000-0000-0000-0000-000000000002"


@pytest.fixture
def admin_client(client: Client) -> Client:
    client.force_login(User.objects.create_user("root", role=Role.ADMIN))
    return client


def person_form(**changed: str) -> dict[str, str]:
    grants = {"grants-TOTAL_FORMS": "1", "grants-INITIAL_FORMS": "0", "grants-0-subscription_id": ""}
    return {"username": "ada", "email": "", "role": "viewer", "is_active": "on", **grants, **changed}


def last_entry() -> AuditEntry:
    entry = AuditEntry.objects.first()
    assert entry is not None
    return entry


def test_an_admin_makes_a_person_and_grants_a_subscription(admin_client: Client) -> None:
    password = "a long enough one"
    answer = admin_client.post(
        "/admin/access/user/add/",
        person_form(usable_password="true", password1=password, password2=password, **{"grants-0-subscription_id": ONE.upper()}),
    )
    assert answer.status_code == 302, answer.content.decode()
    ada = User.objects.get(username="ada")
    assert [str(grant) for grant in ada.grants.all()] == [ONE]
    assert Client().login(username="ada", password=password)
    entry = AuditEntry.objects.get(action="access.user_created")
    assert (entry.actor, entry.target) == ("root", "ada")
    assert entry.detail["role"] == "viewer"
    assert entry.detail["grants"] == {"added": [ONE], "removed": []}
    assert password not in str(entry.detail)


def test_a_change_is_on_record_with_before_and_after(admin_client: Client) -> None:
    ada = User.objects.create_user("ada")
    grant = SubscriptionGrant.objects.create(user=ada, subscription_id=ONE)
    form = person_form(
        role="operator",
        **{
            "grants-TOTAL_FORMS": "2",
            "grants-INITIAL_FORMS": "1",
            "grants-0-id": str(grant.pk),
            "grants-0-user": str(ada.pk),
            "grants-0-subscription_id": ONE,
            "grants-0-DELETE": "on",
            "grants-1-subscription_id": TWO,
            "grants-1-user": str(ada.pk),
        },
    )
    answer = admin_client.post(f"/admin/access/user/{ada.pk}/change/", form)
    assert answer.status_code == 302, answer.content.decode()
    entry = last_entry()
    assert (entry.action, entry.actor, entry.target) == ("access.user_changed", "root", "ada")
    assert entry.detail == {"role": ["viewer", "operator"], "grants": {"added": [TWO], "removed": [ONE]}}


def test_a_password_set_by_an_admin_is_on_record_without_it(admin_client: Client) -> None:
    ada = User.objects.create_user("ada")
    password = "a long enough one"
    answer = admin_client.post(f"/admin/access/user/{ada.pk}/password/", {"usable_password": "true", "password1": password, "password2": password})
    assert answer.status_code == 302, answer.content.decode()
    entry = last_entry()
    assert (entry.action, entry.target) == ("access.user_changed", "ada")
    assert password not in str(entry.detail)


def test_the_last_admin_stays_one(admin_client: Client) -> None:
    root = User.objects.get()
    answer = admin_client.post(f"/admin/access/user/{root.pk}/change/", person_form(username="root", role="viewer"))
    assert b"This is the last admin." in answer.content
    User.objects.create_user("second", role=Role.ADMIN)
    assert admin_client.post(f"/admin/access/user/{root.pk}/change/", person_form(username="root", role="viewer")).status_code == 302
    assert admin_client.get("/admin/", follow=True).status_code == 403


def test_people_are_not_deleted_and_foreign_pages_do_not_come_in(admin_client: Client) -> None:
    root = User.objects.get()
    assert admin_client.post(f"/admin/access/user/{root.pk}/delete/", {"post": "yes"}).status_code == 403
    for path in ("auth/group", "account/emailaddress", "socialaccount/socialapp", "access/auditentry"):
        assert admin_client.get(f"/admin/{path}/").status_code == 404
    assert admin_client.get("/admin/login/")["Location"] == "/admin/"
    assert admin_client.get("/admin/password_change/")["Location"] == "/accounts/password/change/"
    assert admin_client.post("/admin/logout/")["Location"] == "/accounts/logout/"


def test_the_first_admin_is_made_once_with_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "var" / "admin-password"
    first, second = io.StringIO(), io.StringIO()
    call_command("admin_create_first", "--password-file", str(file), stdout=first)
    assert first.getvalue() == f"sign in: {file.read_text(encoding='ascii')}"
    _, _, password = first.getvalue().strip().rpartition(" ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Client().login(username="admin", password=password)
    call_command("admin_create_first", "--password-file", str(file), stdout=second)
    assert second.getvalue() == ""
    assert password in file.read_text(encoding="ascii")


def test_no_admin_without_a_place_for_the_password(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="No admin was made"):
        call_command("admin_create_first", "--password-file", str(tmp_path / "file" / "admin-password"))
    assert not User.objects.exists()


def test_a_demo_admin_is_no_first_admin(tmp_path: Path) -> None:
    User.objects.create_user("demo-admin", role=Role.ADMIN)
    out = io.StringIO()
    call_command("admin_create_first", "--password-file", str(tmp_path / "p"), stdout=out)
    assert out.getvalue().startswith("sign in: admin / ")


def test_where_people_are_nobody_becomes_admin_by_a_restart(tmp_path: Path) -> None:
    User.objects.create_user("ada")
    call_command("admin_create_first", "--password-file", str(tmp_path / "p"))
    assert not (tmp_path / "p").exists()
    assert not User.objects.filter(role=Role.ADMIN).exists()


def test_the_database_holds_roles_and_grants_to_their_form() -> None:
    ada = User.objects.create_user("ada")
    wrongs: list[Callable[[], object]] = [
        lambda: User.objects.update(role="root"),
        lambda: SubscriptionGrant.objects.create(user=ada, subscription_id=ONE.replace("1", "A")),
        lambda: SubscriptionGrant.objects.bulk_create([SubscriptionGrant(user=ada, subscription_id=ONE) for _ in range(2)]),
        lambda: ApiToken.objects.create(name="x", digest="d", prefix="p", role="root"),
    ]
    for wrong in wrongs:
        with pytest.raises(IntegrityError), transaction.atomic():
            wrong()
