"""The desk's pages about displays: what one sees, may do, and may not."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.valkey import Valkey
from tests.wall.making import let_in, make_display, make_viewer
from vtapweb.access.models import AuditEntry, Role
from vtapweb.events.models import OutboxEvent
from vtapweb.wall.actions import display_address, group_create, playlist_save, view_create
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.models import Display, DisplayGroup, DisplayRole, Playlist, ViewKind, WallView
from vtapweb.wall.reports import Report, reports_keep

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"


def desk(role: Role = Role.OPERATOR, *subscription_ids: str, name: str = "m.ortiz") -> Client:
    """A browser at the desk of somebody with this role, of all subscriptions unless some are named."""
    client = Client()
    viewer = make_viewer(name, role, list(subscription_ids) or None)
    assert viewer.user is not None
    client.force_login(viewer.user)
    return client


def page(client: Client, address: str, status: int = 200, *, is_htmx: bool = False) -> str:
    answer = client.get(address, headers={"HX-Request": "true"} if is_htmx else {})
    assert answer.status_code == status, answer.content[:500]
    return answer.content.decode()


def report(**fields: object) -> Report:
    now_ms = int(time.time() * 1000)
    told: dict[str, object] = {
        "at_ms": now_ms, "version": "dev", "frames_per_s": 1.0, "drawn_ms": 12.5, "drawn_ago_ms": 400.0, "heap_octets": 42 * 2**20,
        "size": (1920, 1080),
    }  # fmt: skip
    return Report.model_validate(told | fields)


@pytest.mark.parametrize("address", ["/displays", "/displays/groups", "/displays/views", "/displays/playlists"])
def test_the_tabs_stand_at_one_place(valkey: Valkey, address: str) -> None:
    assert re.search(r'<main[^>]*main--table[^>]*>\s*<nav class="tabs" aria-label="Walls">', page(desk(), address))


@pytest.mark.both_databases
def test_the_list_says_who_is_on_and_how_each_is(valkey: Valkey) -> None:
    client = desk()
    assert "type its code here, or make an address" in page(client, "/displays")
    on, off, new = make_display("NOC-1", place="Leeds, room 4"), make_display("NOC-2"), make_display("NOC-3")
    let_in(on)
    let_in(off)
    now_ms = int(time.time() * 1000)
    reports_keep({on.pk: report(errors=2, last_error="TypeError: x", version="0ld"), off.pk: report(at_ms=now_ms - 60_000, drawn_ago_ms=3_600_000.0)})
    shown = page(client, "/displays")
    rows = dict(zip(("NOC-1", "NOC-2", "NOC-3"), shown.split('data-test="display"')[1:], strict=True))
    for name, words in (
        ("NOC-1", ("</span>on</span>", "Leeds, room 4", "Overview", "its own view", "1.0/s", "42 MiB", 'title="TypeError: x"', "0ld", "badge--warn")),
        ("NOC-2", ("</span>off</span>", 'class="is-stale"', f'datetime="{datetime.fromtimestamp(now_ms // 1000 - 3660, UTC):%Y-%m-%dT%H:%M}')),
        ("NOC-3", ("not let in yet",)),
    ):
        for word in words:
            assert word in f"{rows[name]}{shown.split(rows[name])[0][-60:]}" or word in rows[name], (name, word)
    assert "3 displays: 1 on, 1 off, 1 not let in yet" in shown
    assert 'aria-current="page" data-test="nav-wall"' in shown
    part = page(client, "/displays?q=noc-2", is_htmx=True)
    assert "<html" not in part
    assert "NOC-2" in part
    assert "NOC-1" not in part
    assert "NOC-1" not in page(client, "/displays?state=off")
    assert "No such display" in page(client, "/displays?q=nothing")
    assert new.pk


def test_without_redis_who_is_on_is_not_known() -> None:
    """There is no REDIS_URL here, so nobody can tell; nothing is called off for that."""
    let_in(make_display("NOC-1"))
    shown = page(desk(), "/displays")
    assert "Which displays are on is not known" in shown
    assert "not known</span>" in shown
    assert "</span>off</span>" not in shown


def test_deeds_of_a_row_and_back_to_the_list(valkey: Valkey) -> None:
    client, display = desk(), make_display("NOC-1")
    shown = page(client, "/displays")
    for deed in ("identify", "reload"):
        assert f'data-test="{deed}"' in shown
        answer = client.post(f"/displays/{display.pk}/{deed}", {"back": "list"})
        assert (answer.status_code, answer["Location"]) == (302, "/displays")
    display.refresh_from_db()
    assert display.identify_until is not None
    assert display.reload_asked_at is not None
    assert [row.payload["deed"] for row in OutboxEvent.objects.filter(kind="wall").order_by("seq")][-2:] == ["identify", "reload"]
    assert client.post(f"/displays/{display.pk}/explode").status_code == 404
    client.post(f"/displays/{display.pk}/revoke")
    gone = page(client, f"/displays/{display.pk}")
    assert "cannot be brought back" in gone
    assert "display-form" not in gone
    assert "NOC-1" not in page(client, "/displays")
    assert "was revoked" in client.post(f"/displays/{display.pk}/identify", follow=True).content.decode()


def test_push_for_a_while_or_until_taken_back(valkey: Valkey) -> None:
    client, display = desk(), make_display("NOC-1")
    view = builtin_views()["alarms"]
    client.post(f"/displays/{display.pk}/push", {"view": view.pk, "minutes": "5"})
    display.refresh_from_db()
    assert display.pushed_until is not None
    assert timedelta(minutes=4) < display.pushed_until - timezone.now() <= timedelta(minutes=5)
    shown = page(client, "/displays")
    assert "shown now by m.ortiz" in shown
    assert 'data-test="take-back"' in shown
    client.post(f"/displays/{display.pk}/push", {"view": view.pk, "minutes": ""})
    assert "until it is taken back" in page(client, "/displays")
    client.post(f"/displays/{display.pk}/take-back", {"back": "list"})
    display.refresh_from_db()
    assert display.pushed_view is None
    for wrong in ({"view": view.pk, "minutes": "7"}, {"view": 0, "minutes": "5"}):
        client.post(f"/displays/{display.pk}/push", wrong)
        display.refresh_from_db()
        assert display.pushed_view is None
    assert AuditEntry.objects.filter(action="wall.view_pushed").count() == 2


FIELDS = {
    "name": "NOC-1", "place": "Leeds", "group": "", "role": "picture", "incident_view": "", "theme": "light", "scale": "1.5",
    "time_zone": "Europe/London", "dim_from_hour": "22", "dim_until_hour": "6", "dim_percent": "40",
}  # fmt: skip


@pytest.mark.both_databases
def test_what_a_display_is_can_be_changed(valkey: Valkey) -> None:
    client, display = desk(), make_display("NOC-1")
    operator = make_viewer("other")
    group = group_create(name="NOC Leeds", acting_user=operator)
    first = make_display("NOC-0", group=group, role=DisplayRole.STAGE)
    views = builtin_views()
    playlist = playlist_save(playlist=None, name="Day", entries=[{"view": views["map"], "seconds": 30}], acting_user=operator)
    shown = page(client, f"/displays/{display.pk}")
    assert "NOC Leeds" in shown
    assert f'<option value="view-{views["overview"].pk}" selected>' in shown
    sent = FIELDS | {"group": group.pk, "role": "stage", "what": f"view-{views['map'].pk}", "incident_view": views["alarms"].pk}
    assert client.post(f"/displays/{display.pk}", sent).status_code == 302
    display.refresh_from_db()
    first.refresh_from_db()
    assert (display.group, display.role, display.view, display.incident_view) == (group, "stage", views["map"], views["alarms"])
    assert (display.theme, display.scale, display.time_zone, display.dim_from_hour, display.dim_until_hour) == ("light", 1.5, "Europe/London", 22, 6)
    assert first.role == "picture"
    client.post(f"/displays/{display.pk}", sent | {"what": f"playlist-{playlist.pk}", "dim_from_hour": "", "dim_until_hour": ""})
    display.refresh_from_db()
    assert (display.playlist, display.view, display.dim_from_hour) == (playlist, views["map"], None)
    for wrong, words in (
        ({"time_zone": "Mars/Crater"}, "No time zone is called Mars/Crater"),
        ({"name": " "}, "Give it a name"),
        ({"dim_until_hour": ""}, "Both hours, or never."),
        ({"dim_until_hour": "22"}, "Another hour than the one it begins at."),
        ({"what": "view-99999"}, "Select a valid choice"),
    ):
        answer = client.post(f"/displays/{display.pk}", sent | wrong)
        assert answer.status_code == 400
        assert words in answer.content.decode(), wrong
    display.refresh_from_db()
    assert display.time_zone == "Europe/London"


def test_a_new_display_with_an_address_that_is_shown_once(valkey: Valkey) -> None:
    client = desk()
    assert 'data-test="new-form"' in page(client, "/displays/new")
    view = builtin_views()["overview"]
    answer = client.post("/displays/new", FIELDS | {"what": f"view-{view.pk}"})
    assert answer.status_code == 200
    shown = answer.content.decode()
    [token] = re.findall(r"http://testserver/wall/(vtd_[\w-]+)", shown)
    display = Display.objects.get()
    assert token not in page(client, f"/displays/{display.pk}")
    assert "An address waits to be opened" in page(client, f"/displays/{display.pk}")
    assert Client().get(f"/wall/{token}").status_code == 302
    assert "Its browser holds a key" in page(client, f"/displays/{display.pk}")
    again = client.post(f"/displays/{display.pk}/address").content.decode()
    assert "/wall/vtd_" in again
    assert client.post("/displays/new", FIELDS | {"what": f"view-{view.pk}", "name": ""}).status_code == 400
    assert Display.objects.count() == 1


@pytest.mark.both_databases
def test_pairing_by_the_code_on_the_screen(valkey: Valkey) -> None:
    client, screen = desk(), Client()
    code = screen.get("/wall/pairing").json()["code"]
    shown = page(client, f"/displays/pair?code={code}")
    assert f'value="{code}"' in shown
    view = builtin_views()["overview"]
    wrong = client.post("/displays/pair", FIELDS | {"what": f"view-{view.pk}", "code": "ZZZZZZ"})
    assert wrong.status_code == 400
    assert re.search(r'id="id_code".*?No screen shows this code now.*?id="id_name"', wrong.content.decode(), re.DOTALL), "beside the code"
    assert not Display.objects.exists()
    answer = client.post("/displays/pair", FIELDS | {"what": f"view-{view.pk}", "code": code})
    display = Display.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/displays/{display.pk}")
    assert screen.get("/wall/pairing").status_code == 200
    assert screen.get("/wall/state").json()["display"]["name"] == "NOC-1"


def test_a_known_display_gets_another_screen(valkey: Valkey) -> None:
    client, screen = desk(), Client()
    display = make_display("NOC-7")
    code = screen.get("/wall/pairing").json()["code"]
    assert client.post("/displays/pair", {"code": code.lower(), "display": display.pk, "name": ""}).status_code == 302
    screen.get("/wall/pairing")
    assert screen.get("/wall/state").json()["display"]["id"] == display.pk


def test_wrong_codes_are_counted(valkey: Valkey) -> None:
    client, view = desk(), builtin_views()["overview"]
    answers = [client.post("/displays/pair", FIELDS | {"what": f"view-{view.pk}", "code": f"ZZZZ{at:02d}"}).status_code for at in range(11)]
    assert answers == [400] * 10 + [429]


def test_viewers_look_and_do_nothing(valkey: Valkey) -> None:
    client, display = desk(Role.VIEWER), make_display("NOC-1")
    group = group_create(name="NOC Leeds", acting_user=make_viewer("operator"))
    view = view_create(name="Mine", kind=ViewKind.MAP, options={"x": 1, "y": 2, "k": 1}, acting_user=make_viewer("another"))
    playlist = playlist_save(playlist=None, name="Day", entries=[{"view": view, "seconds": 30}], acting_user=make_viewer("third"))
    Display.objects.update(group=group)
    for address in (
        "/displays", f"/displays/{display.pk}", "/displays/groups", f"/displays/groups/{group.pk}", "/displays/views", f"/displays/views/{view.pk}",
        "/displays/playlists", f"/displays/playlists/{playlist.pk}", "/displays/new", "/displays/pair",
    ):  # fmt: skip
        shown = page(client, address)
        assert '<form method="post"' not in shown.replace('<form method="post" action="/accounts/logout/">', ""), address
        assert "an operator" in shown or address in ("/displays/views", "/displays/playlists"), address
        assert "show-on-wall" not in shown
    for address in (
        f"/displays/{display.pk}/identify", f"/displays/{display.pk}/revoke", f"/displays/{display.pk}/push", f"/displays/{display.pk}/address",
        "/displays/show", f"/displays/groups/{group.pk}/scene", f"/displays/groups/{group.pk}/stage", f"/displays/groups/{group.pk}/remove",
        "/displays/groups", f"/displays/groups/{group.pk}", f"/displays/views/{view.pk}", f"/displays/views/{view.pk}/remove",
        f"/displays/playlists/{playlist.pk}/remove",
    ):  # fmt: skip
        assert client.post(address, {"name": "x", "scene": "incident", "view": view.pk, "minutes": "5"}).status_code == 403, address
    assert client.post(f"/displays/{display.pk}", FIELDS).status_code == 404
    assert client.post("/displays/new", FIELDS).status_code == 200
    assert (Display.objects.count(), WallView.objects.filter(is_builtin=False).count(), Playlist.objects.get().name) == (1, 1, "Day")
    assert DisplayGroup.objects.get().scene == "normal"


@pytest.mark.both_databases
def test_nobody_sees_what_stands_for_more_than_he_may_see(valkey: Valkey) -> None:
    """Two operators of one subscription each, and what somebody of both made."""
    both = make_viewer("both", subscription_ids=[SUBSCRIPTION, OTHER])
    theirs = make_display("NOC-THEIRS", subscription_ids=[OTHER])
    shared = make_display("NOC-MINE", subscription_ids=[SUBSCRIPTION])
    group = group_create(name="ROOM-OF-BOTH", acting_user=both)
    view = view_create(name="VIEW-OF-BOTH", kind=ViewKind.COLLECTOR, options={"collector": "a" * 26}, acting_user=both)
    playlist = playlist_save(playlist=None, name="LIST-OF-BOTH", entries=[{"view": view, "seconds": 30}], acting_user=both)
    Display.objects.filter(pk=shared.pk).update(group=group, view=view, pushed_view=view, pushed_until=timezone.now() + timedelta(hours=1))
    client = desk(Role.OPERATOR, SUBSCRIPTION, name="mine")
    addresses = [
        "/displays", "/displays/pair", "/displays/new", "/displays/groups", "/displays/views", "/displays/playlists", "/displays/show?page=/",
        f"/displays/{shared.pk}", f"/displays/{shared.pk}?part", "/displays/playlists/new",
    ]  # fmt: skip
    seen = "".join(page(client, address) for address in addresses)
    assert "NOC-MINE" in seen
    for name in ("NOC-THEIRS", "ROOM-OF-BOTH", "VIEW-OF-BOTH", "LIST-OF-BOTH"):
        assert name not in seen, name
    assert "a view that you may not see" in seen
    for address in (
        f"/displays/{theirs.pk}", f"/displays/groups/{group.pk}", f"/displays/views/{view.pk}", f"/displays/playlists/{playlist.pk}",
    ):  # fmt: skip
        page(client, address, 404)
        assert client.post(address, {"name": "x"}).status_code == 404
    for address in (
        f"/displays/{theirs.pk}/identify", f"/displays/{theirs.pk}/revoke", f"/displays/groups/{group.pk}/scene",
        f"/displays/groups/{group.pk}/remove", f"/displays/views/{view.pk}/remove", f"/displays/playlists/{playlist.pk}/remove",
    ):  # fmt: skip
        assert client.post(address, {"scene": "incident"}).status_code == 404, address
    sent = FIELDS | {"name": "NOC-MINE", "group": "keep", "what": "keep"}
    assert client.post(f"/displays/{shared.pk}", sent).status_code == 302
    shared.refresh_from_db()
    assert (shared.group, shared.view, shared.place) == (group, view, "Leeds")
    assert client.post(f"/displays/{shared.pk}", sent | {"what": f"view-{view.pk}"}).status_code == 400
    made = client.post("/displays/new", FIELDS | {"what": f"view-{builtin_views()['map'].pk}"})
    assert made.status_code == 200
    assert Display.objects.get(name="NOC-1").subscription_ids == [SUBSCRIPTION]


@pytest.mark.parametrize("count", [1, 30])
def test_the_number_of_queries_does_not_grow(valkey: Valkey, django_assert_num_queries: DjangoAssertNumQueries, count: int) -> None:
    client, operator = desk(), make_viewer("operator")
    views = builtin_views()
    playlist = playlist_save(playlist=None, name="Day", entries=[{"view": views["map"], "seconds": 30}], acting_user=operator)
    groups = [group_create(name=f"Room {number}", acting_user=operator) for number in range(-(-count // 6))]
    for number in range(count):
        group = groups[number // 6]
        display = make_display(f"NOC-{number}", group=group, playlist=playlist, view=views["map"])
        display_address(display=display, acting_user=operator)
    page(client, "/displays")
    with django_assert_num_queries(8):
        page(client, "/displays")
    with django_assert_num_queries(8):
        page(client, "/displays", is_htmx=True)
    with django_assert_num_queries(19):
        page(client, f"/displays/{display.pk}")
    with django_assert_num_queries(8):
        page(client, f"/displays/{display.pk}?part")
    with django_assert_num_queries(5):
        page(client, "/displays/show?page=/alarms", is_htmx=True)
