"""Demo sign-in: each condition, one at a time; where one fails nothing of it is to be seen."""

import pytest
from django.test import Client

from vtapweb.access.models import AuditEntry, Role, User

pytestmark = pytest.mark.django_db

PAGE = "/accounts/login/"
DOOR = "/accounts/demo/"


@pytest.fixture
def offered(settings: object) -> None:
    settings.IS_DEMO_SIGN_IN_OFFERED = True  # type: ignore[attr-defined] # pytest-django's wrapper
    settings.ALLOWED_HOSTS = ["*"]  # type: ignore[attr-defined]


def local(**extra: str) -> dict[str, str]:
    return {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000", **extra}


def shows_demo(page: bytes) -> bool:
    """Whether any of it is in the page. Random tokens in there may spell "demo", so only whole traces count."""
    return any(trace in page for trace in (DOOR.encode(), b"demo-", b"Look around as"))


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("peer", "host"), [("127.0.0.1", "localhost:8000"), ("::1", "[::1]:8000"), ("::ffff:127.0.0.1", "127.0.0.2")])
def test_one_click_signs_in(client: Client, role: Role, peer: str, host: str) -> None:
    extra = {"REMOTE_ADDR": peer, "HTTP_HOST": host}
    assert shows_demo(client.get(PAGE, **extra).content)  # type: ignore[arg-type]
    for _ in range(2):
        answer = client.post(DOOR, {"role": role.value, "next": "/tokens"}, **extra)  # type: ignore[arg-type]
        assert (answer.status_code, answer["Location"]) == (302, "/tokens")
    user = User.objects.get()
    assert (user.username, user.role, user.has_usable_password()) == (f"demo-{role.value}", role, False)
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert (entry.action, entry.actor, entry.detail) == ("access.signed_in", f"demo-{role.value}", {"way": "demo"})


FORWARDED = ["X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_FORWARDED", "FORWARDED", "X_REAL_IP", "VIA", "CF_CONNECTING_IP"]


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(
    "extra",
    [
        local(REMOTE_ADDR="192.0.2.1"),
        local(REMOTE_ADDR=""),
        local(HTTP_HOST="vtap.example.com"),
        local(HTTP_HOST="localhost.example.com"),
        local(HTTP_HOST="127.0.0.1.example.com"),
        local(HTTP_HOST="192.0.2.1:8000"),
        *[local(**{f"HTTP_{name}": "127.0.0.1"}) for name in FORWARDED],
    ],
    ids=str,
)
def test_each_condition_ends_the_offer(client: Client, extra: dict[str, str]) -> None:
    assert not shows_demo(client.get(PAGE, **extra).content)  # type: ignore[arg-type]
    assert client.post(DOOR, {"role": "viewer"}, **extra).status_code == 404  # type: ignore[arg-type]
    assert not User.objects.exists()


def test_it_is_off_unless_the_supervisor_says_so(client: Client) -> None:
    assert not shows_demo(client.get(PAGE, **local()).content)  # type: ignore[arg-type]
    assert Client(enforce_csrf_checks=True).post(DOOR, {"role": "viewer"}, **local()).status_code == 404  # type: ignore[arg-type]
    assert client.get(DOOR, **local()).status_code == 404  # type: ignore[arg-type]


@pytest.mark.usefixtures("offered")
def test_it_wants_a_form_of_ours_and_a_role_that_exists(client: Client) -> None:
    assert Client(enforce_csrf_checks=True).post(DOOR, {"role": "viewer"}, **local()).status_code == 403  # type: ignore[arg-type]
    assert client.get(DOOR, **local()).status_code == 405  # type: ignore[arg-type]
    assert client.post(DOOR, {"role": "root"}, **local()).status_code == 404  # type: ignore[arg-type]
    assert client.post(DOOR, {"role": "viewer", "next": "//evil.example.com/"}, **local())["Location"] == "/"  # type: ignore[arg-type]


@pytest.mark.usefixtures("offered")
def test_an_admin_may_switch_a_demo_person_off_or_change_it(client: Client) -> None:
    User.objects.create_user("demo-admin", role=Role.VIEWER)
    User.objects.create_user("demo-viewer", is_active=False)
    for role in ("admin", "viewer"):
        assert client.post(DOOR, {"role": role}, **local()).status_code == 404  # type: ignore[arg-type]
