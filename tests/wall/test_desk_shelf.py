"""The desk's pages about views, playlists and groups; and "Show on a wall" from every page."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.inventory.factories import make_nic, make_subnet, make_vnet
from tests.traffic.estate import make_pool
from tests.valkey import Valkey
from tests.wall.making import make_display, make_viewer
from tests.wall.test_desk_pages import OTHER, SUBSCRIPTION, desk, page
from vtapweb.access.models import AuditEntry
from vtapweb.domain.playlist import Entry
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import VirtualNetworkTap
from vtapweb.topology.models import Placement
from vtapweb.traffic.models import Alarm
from vtapweb.wall.actions import group_create, playlist_save, view_create
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.day import day_of
from vtapweb.wall.models import Display, DisplayGroup, DisplayRole, Playlist, ViewKind, WallView
from vtapweb.wall.pages_shown import NotShown, PageView, view_of_page

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
EVERYTHING = Scope.everything()


def shown_of(address: str, scope: Scope = EVERYTHING) -> PageView:
    found = view_of_page(address, scope)
    assert isinstance(found, PageView), (address, found)
    return found


@pytest.mark.parametrize(
    ("address", "kind", "options"),
    [
        ("/", "map", {}),
        ("https://vtap.example:8443/?at=120,-40,0.35", "map", {"x": 120.0, "y": -40.0, "k": 0.35}),
        ("/?at=1,2,900&unit=packets&sel=4,5", "map", {"x": 1.0, "y": 2.0, "k": 4.0, "unit": "packets"}),
        ("/?at=nonsense&node=x&unit=frogs", "map", {}),
        ("/?at=nan,1,1", "map", {}),
        ("/?at=1,1,-1&node=99999999999999999999", "map", {}),
        ("/collectors?q=ilb", "overview", {}),
        ("/alarms?state=open", "alarms", {}),
        ("/handover", "alarms", {}),
    ],
)
def test_what_a_page_is_as_a_view(address: str, kind: str, options: dict[str, object]) -> None:
    found = shown_of(address)
    assert (found.kind, found.options, found.subscription_ids) == (kind, options, frozenset())


@pytest.mark.parametrize("address", ["/settings/writes", "/audit", "/changes/4", "/displays", "http://[", "/nics/short", "//", "javascript:alert(1)"])
def test_other_pages_say_why_not(address: str) -> None:
    found = view_of_page(address, EVERYTHING)
    assert isinstance(found, NotShown)
    assert "Walls show the map, a collector" in found.why


def test_what_lies_outside_the_scope_is_as_if_it_were_not() -> None:
    pool = make_pool(SUBSCRIPTION)
    vnet = make_vnet("spoke", subscription_id=SUBSCRIPTION)
    nic = make_nic("spoke-web", subnet=make_subnet("a", vnet=vnet))
    places = {key: Placement.objects.create(kind=kind, key=key).pk for kind, key in (("nic", nic.key), ("vnet", vnet.key))}
    Alarm.objects.create(
        number=117, cause_key="x", severity="alarm", subject_kind="collector", collector_key=pool.key, title="t", sentence="s.",
        subscription_ids=[SUBSCRIPTION], subject_subscription_ids=[SUBSCRIPTION], opened_at=timezone.now(), changed_at=timezone.now(),
    )  # fmt: skip
    mine, foreign = Scope.of([SUBSCRIPTION]), Scope.of([OTHER])
    for address, kind, options in (
        (f"/collectors/{pool.key}", "collector", {"collector": pool.key}),
        (f"/collectors/{pool.key}/maintenance", "collector", {"collector": pool.key}),
        (f"/nics/{nic.key}", "map", {"node": places[nic.key]}),
        (f"/vnets/{vnet.key}", "map", {"node": places[vnet.key]}),
        (f"/?at=1,2,1&node={places[nic.key]}", "map", {"x": 1.0, "y": 2.0, "k": 1.0, "node": places[nic.key]}),
        ("/alarms/A-117", "alarms", {"number": 117}),
    ):
        found = shown_of(address, mine)
        assert (found.kind, dict(found.options), set(found.subscription_ids)) == (kind, options, {SUBSCRIPTION}), address
        other = view_of_page(address, foreign)
        if address.startswith("/?"):
            assert isinstance(other, PageView)
            assert "node" not in other.options
        else:
            assert isinstance(other, NotShown), address
            assert "outside what you may see" in other.why
    assert isinstance(view_of_page(f"/nics/{'a' * 26}", mine), NotShown)


def test_a_tap_leads_to_its_collector() -> None:
    pool = make_pool(SUBSCRIPTION)
    assert shown_of(f"/taps/{VirtualNetworkTap.objects.get().key}").options == {"collector": pool.key}


@pytest.mark.both_databases
def test_show_on_a_wall_from_any_page(valkey: Valkey) -> None:
    client = desk()
    assert 'data-test="show-on-wall"' in page(client, "/alarms")
    menu = {"HX-Request": "true", "HX-Current-URL": "http://testserver/?at=120,-40,0.35"}
    assert "type its code here" in client.get("/displays/show", headers=menu).content.decode()
    operator = make_viewer("operator")
    group = group_create(name="NOC Leeds", acting_user=operator)
    first, second = make_display("NOC-1", group=group), make_display("NOC-2", group=group)
    opened = client.get("/displays/show", headers=menu).content.decode()
    assert "<html" not in opened
    assert f'value="group-{group.pk}"' in opened
    assert "until it is taken back" in opened
    [address] = re.findall(r'name="page" value="([^"]+)"', opened)
    assert address == "http://testserver/?at=120,-40,0.35"
    sent = {"page": address, "target": f"group-{group.pk}", "minutes": "60"}
    done = client.post("/displays/show", sent, headers=menu).content.decode()
    assert "Map, as it was seen is shown on NOC Leeds now." in done
    view = WallView.objects.get(is_builtin=False)
    assert (view.kind, view.options, view.is_passing) == ("map", {"x": 120.0, "y": -40.0, "k": 0.35}, True)
    assert set(Display.objects.values_list("pushed_view", flat=True)) == {view.pk}
    assert AuditEntry.objects.filter(action="wall.view_pushed", actor="m.ortiz").count() == 2
    assert view.name not in page(client, "/displays/views")
    client.post("/displays/show", sent | {"target": f"display-{first.pk}", "page": "/alarms", "minutes": ""}, headers=menu)
    first.refresh_from_db()
    assert first.pushed_view == builtin_views()["alarms"]
    assert first.pushed_until is not None
    assert first.pushed_until > timezone.now() + timedelta(days=9999)
    back = client.post("/displays/show", sent | {"deed": "take-back"}, headers=menu).content.decode()
    assert "Taken back: NOC Leeds go back." in back
    assert set(Display.objects.values_list("pushed_view", flat=True)) == {None}
    assert not WallView.objects.filter(is_passing=True).exists()
    for wrong, words in (
        ({"target": "display-99999"}, "Choose a display or a group."),
        ({"minutes": "3"}, "Choose for how long."),
        ({"page": "/audit"}, "A wall has nothing to show of this page."),
    ):
        assert words in client.post("/displays/show", sent | wrong, headers=menu).content.decode()
    assert second.pk


@pytest.mark.both_databases
def test_a_page_can_be_saved_as_a_view(valkey: Valkey) -> None:
    client = desk()
    make_display("NOC-1")
    assert "No view saved yet" in page(client, "/displays/views")
    said = client.post("/displays/show", {"page": "/?at=1,2,1", "deed": "save"}, headers={"HX-Request": "true"}).content.decode()
    view = WallView.objects.get(is_builtin=False)
    assert f"/displays/views/{view.pk}" in said
    assert not view.is_passing
    client.post("/displays/show", {"page": "/?at=1,2,1", "deed": "save"})
    assert WallView.objects.filter(is_builtin=False).count() == 1
    client.post("/displays/show", {"page": "/alarms", "deed": "save"})
    assert WallView.objects.filter(is_builtin=False).count() == 1
    assert 'href="/?at=1%2C2%2C1"' in page(client, f"/displays/views/{view.pk}")
    assert client.post(f"/displays/views/{view.pk}", {"name": "Hub"}).status_code == 302
    assert client.post(f"/displays/views/{view.pk}", {"name": ""}).status_code == 400
    assert "Hub" in page(client, "/displays/views")
    Display.objects.update(view=view)
    assert "NOC-1" in page(client, "/displays/views")
    assert "is still used by" in client.post(f"/displays/views/{view.pk}/remove", follow=True).content.decode()
    Display.objects.update(view=None)
    client.post(f"/displays/views/{view.pk}/remove")
    assert not WallView.objects.filter(pk=view.pk).exists()
    assert client.post(f"/displays/views/{builtin_views()['map'].pk}/remove").status_code == 404


def test_without_script_it_is_a_page_of_its_own(valkey: Valkey) -> None:
    client, display = desk(), make_display("NOC-1")
    shown = page(client, "/displays/show?page=/alarms")
    assert "<html" in shown
    assert 'value="/alarms"' in shown
    answer = client.post("/displays/show", {"page": "/alarms", "target": f"display-{display.pk}", "minutes": "5"})
    assert (answer.status_code, answer["Location"]) == (302, "/alarms")
    elsewhere = client.post("/displays/show", {"page": "https://evil.example/alarms", "target": f"display-{display.pk}", "minutes": "5"})
    assert elsewhere["Location"] == "/displays"


def test_a_display_is_not_told_of_what_it_may_not_read(valkey: Valkey) -> None:
    pool, client = make_pool(OTHER), desk()
    display = make_display("NOC-1", subscription_ids=[SUBSCRIPTION])
    address = f"/collectors/{pool.key}"
    opened = page(client, f"/displays/show?page={address}", is_htmx=True)
    assert "may not read what this page shows" in opened
    assert "disabled" in opened
    said = client.post("/displays/show", {"page": address, "target": f"display-{display.pk}", "minutes": "5"}, headers={"HX-Request": "true"})
    assert "NOC-1 may not read what this page shows." in said.content.decode()
    display.refresh_from_db()
    assert display.pushed_view is None


# -- playlists


def entries(*rows: tuple[int, int, str, int, int]) -> dict[str, object]:
    """A form of entries: (view, seconds, days as digits, from, until)."""
    form: dict[str, object] = {
        "view": [row[0] for row in rows], "seconds": [row[1] for row in rows], "from_hour": [row[3] for row in rows],
        "until_hour": [row[4] for row in rows],
    }  # fmt: skip
    return form | {f"day-{at}": list(row[2]) for at, row in enumerate(rows)}


@pytest.mark.both_databases
def test_a_playlist_is_made_looked_at_and_kept(valkey: Valkey) -> None:
    client, views = desk(), builtin_views()
    assert "No playlist yet" in page(client, "/displays/playlists")
    assert page(client, "/displays/playlists/new").count('data-test="entry"') == 2
    overview, on_map = views["overview"].pk, views["map"].pk
    form = entries((overview, 60, "0123456", 0, 24), (on_map, 30, "56", 22, 6)) | {"name": "Day and night"}
    looked = client.post("/displays/playlists/new", form, headers={"HX-Request": "true"}).content.decode()
    assert "were it kept" in looked
    assert "<html" not in looked
    assert not Playlist.objects.exists()
    more = client.post("/displays/playlists/new", form | {"deed": "add"}).content.decode()
    assert more.count('data-test="entry"') == 3
    assert client.post("/displays/playlists/new", form | {"deed": "drop-0"}).content.decode().count('data-test="entry"') == 1
    moved = client.post("/displays/playlists/new", form | {"deed": "up-1"}).content.decode()
    assert re.findall(r'name="seconds"[^>]* value="(\d+)"', moved) == ["30", "60"]
    assert client.post("/displays/playlists/new", form | {"deed": "save"}).status_code == 302
    playlist = Playlist.objects.get()
    kept = [(one.view_id, one.seconds, one.weekdays, one.from_hour, one.until_hour) for one in playlist.entries.all()]
    assert kept == [(overview, 60, 127, 0, 24), (on_map, 30, 96, 22, 6)]
    assert "Overview 1 min, Map 30 s" in page(client, "/displays/playlists")
    for wrong, words in (
        ({"name": ""}, "Give it a name."),
        ({"seconds": ["2", "30"]}, "From 5 seconds to a day"),
        ({"day-1": []}, "Tick one day at least."),
        ({"view": ["99999", "1"]}, "a view that you may not see, or that is gone"),
        ({"from_hour": ["5", "5"], "until_hour": ["5", "6"]}, "From one hour until another"),
        (entries(), "A playlist has 1 to"),
    ):
        answer = client.post(f"/displays/playlists/{playlist.pk}", form | wrong | {"deed": "save"})
        assert (answer.status_code, words in answer.content.decode()) == (400, True), words
    make_display("NOC-1", playlist=playlist)
    assert "is still played by NOC-1" in client.post(f"/displays/playlists/{playlist.pk}/remove", follow=True).content.decode()
    Display.objects.update(playlist=None)
    client.post(f"/displays/playlists/{playlist.pk}/remove")
    assert not Playlist.objects.exists()


def test_the_preview_is_in_the_zone_of_the_display(valkey: Valkey) -> None:
    client, views, operator = desk(), builtin_views(), make_viewer("operator")
    night = [{"view": views["map"], "seconds": 30, "from_hour": 22, "until_hour": 6}]
    playlist = playlist_save(playlist=None, name="Night", entries=night, acting_user=operator)
    first = make_display("NOC-1", playlist=playlist, time_zone="Europe/London", view=views["alarms"])
    second = make_display("NOC-2", playlist=playlist, time_zone="Asia/Tokyo", view=views["sources"])
    with time_machine.travel(datetime(2026, 7, 1, 15, 30, tzinfo=ZoneInfo("UTC")), tick=False):
        shown = page(desk(name="again"), f"/displays/playlists/{playlist.pk}")
        assert "Times of Europe/London" in shown
        assert "No entry is due now: Alarms is shown." in shown
        assert ">22:00:00<" in shown
        other = page(client, f"/displays/playlists/{playlist.pk}?display={second.pk}", is_htmx=True)
        assert "Times of Asia/Tokyo" in other
        assert "Map alone is due now." in other
        assert "2026-07-01 21:00:00 UTC" in other
        assert "No entry is due now" in page(client, f"/displays/{first.pk}")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)])
def test_a_day_has_the_hours_that_it_has(day: str, hours: int) -> None:
    zone = ZoneInfo("Europe/London")
    now = datetime.fromisoformat(f"{day}T12:30:00+00:00")
    told = day_of([Entry(7, 30, from_hour=1, until_hour=3)], {7: "Map"}, otherwise="Overview", zone=zone, now=now, slots=[])
    assert len(told.hours) == hours
    assert sum(hour.is_now for hour in told.hours) == 1
    on = [hour.words for hour in told.lines[0].hours if hour.is_on]
    assert on == {23: ["02"], 25: ["01", "01", "02"], 24: ["01", "02"]}[hours]


# -- groups


@pytest.mark.both_databases
def test_a_group_switches_its_scene_and_has_one_stage(valkey: Valkey) -> None:
    client = desk()
    assert "No group yet" in page(client, "/displays/groups")
    assert client.post("/displays/groups", {"name": ""}).status_code == 400
    client.post("/displays/groups", {"name": "NOC Leeds"})
    group = DisplayGroup.objects.get()
    assert "No display yet" in page(client, f"/displays/groups/{group.pk}")
    first = make_display("NOC-1", group=group, role=DisplayRole.STAGE)
    second, outsider = make_display("NOC-2", group=group), make_display("NOC-9")
    assert "NOC-1, NOC-2" in page(client, "/displays/groups")
    answer = client.post(f"/displays/groups/{group.pk}/scene", {"scene": "incident", "back": "list"})
    assert answer["Location"] == "/displays"
    assert "incident, by m.ortiz" in page(client, "/displays")
    for back, location in (("group", f"/displays/groups/{group.pk}"), ("groups", "/displays/groups")):
        assert client.post(f"/displays/groups/{group.pk}/scene", {"scene": "visitors", "back": back})["Location"] == location
    client.post(f"/displays/groups/{group.pk}/scene", {"scene": "panic"})
    group.refresh_from_db()
    assert group.scene == "visitors"
    client.post(f"/displays/groups/{group.pk}/stage", {"display": second.pk})
    client.post(f"/displays/groups/{group.pk}/stage", {"display": outsider.pk})
    assert dict(Display.objects.values_list("name", "role")) == {"NOC-1": "picture", "NOC-2": "stage", "NOC-9": outsider.role}
    client.post(f"/displays/groups/{group.pk}", {"name": "NOC York"})
    assert "NOC York" in page(client, f"/displays/{first.pk}")
    client.post(f"/displays/groups/{group.pk}/remove")
    first.refresh_from_db()
    assert first.group is None


def test_shelf_queries_do_not_grow(valkey: Valkey) -> None:
    """Each page asks as often for two rows as for twelve."""
    client, operator = desk(), make_viewer("operator")
    counts: dict[str, list[int]] = {}
    for many in (2, 10):
        for number in range(many):
            view = view_create(name=f"View {many} {number}", kind=ViewKind.MAP, options={"node": number + 1}, acting_user=operator)
            group = group_create(name=f"Room {many} {number}", acting_user=operator)
            playlist = playlist_save(playlist=None, name=f"List {many} {number}", entries=[{"view": view, "seconds": 30}] * 3, acting_user=operator)
            make_display(f"NOC-{many}-{number}", group=group, playlist=playlist)
        for address in (
            "/displays/views",
            "/displays/playlists",
            "/displays/groups",
            f"/displays/groups/{group.pk}",
            f"/displays/playlists/{playlist.pk}",
        ):
            page(client, address)
            with CaptureQueriesContext(connection) as asked:
                page(client, address)
            counts.setdefault(re.sub(r"\d+", "N", address), []).append(len(asked))
    assert all(few == more for few, more in counts.values()), counts


def test_each_group_has_a_name_of_its_own() -> None:
    client, operator = desk(), make_viewer("operator")
    first, other = group_create(name="NOC Leeds", acting_user=operator), group_create(name="NOC York", acting_user=operator)
    for address in ("/displays/groups", f"/displays/groups/{other.pk}"):
        answer = client.post(address, {"name": " NOC  Leeds "})
        assert answer.status_code == 400
        assert "Another group has this name." in answer.content.decode()
    assert client.post(f"/displays/groups/{first.pk}", {"name": "NOC Leeds"}).status_code == 302, "its own name it may keep"
    assert sorted(DisplayGroup.objects.values_list("name", flat=True)) == ["NOC Leeds", "NOC York"]
