"""What a display is told to show: what was pushed, else the scene, else its playlist, else its view."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.wall.making import let_in, make_display, make_viewer
from vtapweb.access.models import AuditEntry
from vtapweb.access.viewer import Viewer
from vtapweb.wall.actions import (
    display_change,
    display_identify,
    display_push,
    display_push_end,
    display_reload,
    group_create,
    playlist_save,
    scene_switch,
    view_create,
)  # fmt: skip
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.models import Display, DisplayRole, Playlist, Scene, ViewKind

pytestmark = pytest.mark.django_db

KEY = "a" * 26
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday


def state(display: Display) -> dict[str, Any]:
    told = let_in(display).get("/wall/state").json()
    assert isinstance(told, dict)
    return told


def due(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Why, and the kind of what."""
    return [(slot["why"], told["views"][str(slot["view"])]["kind"]) for slot in told["slots"]]


def make_playlist(operator: Viewer, *entries: tuple[str, int]) -> Playlist:
    views = builtin_views()
    return playlist_save(
        playlist=None, name="Rounds", entries=[{"view": views[kind], "seconds": seconds} for kind, seconds in entries], acting_user=operator
    )


@time_machine.travel(NOON, tick=False)
def test_a_playlist_rotates_and_a_group_is_in_step() -> None:
    operator = make_viewer()
    playlist = make_playlist(operator, ("overview", 40), ("map", 20))
    one, two = (make_display(name, playlist=playlist) for name in ("NOC-1", "NOC-2"))
    told = state(one)
    assert due(told)[:3] == [("playlist", "overview"), ("playlist", "map"), ("playlist", "overview")]
    assert [slot["until_ms"] - slot["from_ms"] for slot in told["slots"][:2]] == [40_000, 20_000]
    assert len(told["slots"]) == 60
    assert told["slots"] == state(two)["slots"]


@time_machine.travel(NOON, tick=False)
def test_what_was_pushed_comes_before_the_scene_and_the_scene_before_the_playlist() -> None:
    operator = make_viewer()
    group = group_create(name="NOC Leeds", acting_user=operator)
    playlist = make_playlist(operator, ("sources", 60), ("map", 60))
    stage = make_display("NOC-1", group=group, role=DisplayRole.STAGE, playlist=playlist)
    other = make_display("NOC-2", group=group, playlist=playlist)
    special = make_display("NOC-3", group=group, incident_view=builtin_views()["map"])
    assert [due(state(one))[0] for one in (stage, other, special)] == [("playlist", "sources"), ("playlist", "sources"), ("fixed", "overview")]
    scene_switch(group=group, scene=Scene.INCIDENT, acting_user=operator)
    assert [due(state(one)) for one in (stage, other, special)] == [[("scene", "alarms")], [("scene", "overview")], [("scene", "map")]]
    assert state(stage)["slots"][0]["by"] == "operator"
    display_push(display=stage, view=builtin_views()["sources"], seconds=60, acting_user=operator)
    told = state(stage)
    assert due(told) == [("pushed", "sources"), ("scene", "alarms")]
    assert [slot["by"] for slot in told["slots"]] == ["operator", "operator"]
    assert told["slots"][0]["until_ms"] == told["slots"][1]["from_ms"] == int((NOON + timedelta(seconds=60)).timestamp() * 1000)
    with time_machine.travel(NOON + timedelta(seconds=60), tick=False):
        assert due(state(stage)) == [("scene", "alarms")]
    display_push_end(display=stage, acting_user=operator)
    assert due(state(stage)) == [("scene", "alarms")]
    scene_switch(group=group, scene=Scene.NORMAL, acting_user=operator)
    assert due(state(stage))[0] == ("playlist", "sources")
    assert [entry.action for entry in AuditEntry.objects.filter(target__in=["NOC Leeds", "NOC-1"], actor="operator").order_by("pk")] == [
        "wall.group_created", "wall.scene_switched", "wall.view_pushed", "wall.push_ended", "wall.scene_switched",
    ]  # fmt: skip


@time_machine.travel(NOON, tick=False)
def test_a_push_onto_a_playlist_ends_in_step_with_the_others() -> None:
    operator = make_viewer()
    playlist = make_playlist(operator, ("overview", 40), ("map", 20))
    pushed, other = (make_display(name, playlist=playlist) for name in ("NOC-1", "NOC-2"))
    display_push(display=pushed, view=builtin_views()["alarms"], seconds=50, acting_user=operator)
    told = state(pushed)
    assert due(told)[:3] == [("pushed", "alarms"), ("playlist", "map"), ("playlist", "overview")]
    assert told["slots"][2] in state(other)["slots"]


def test_visitors_are_told_no_names() -> None:
    operator = make_viewer()
    group = group_create(name="Room of lb-secret-02", acting_user=operator)
    view = view_create(name="lb-secret-01", kind=ViewKind.COLLECTOR, options={"collector": KEY}, acting_user=operator)
    display = make_display("Screen of lb-secret-03", group=group, place="beside lb-secret-04")
    display_push(display=display, view=view, seconds=600, acting_user=operator)
    browser = let_in(display)
    before = browser.get("/wall/state")
    for number in (b"1", b"2", b"3", b"4"):
        assert b"lb-secret-0" + number in before.content
    assert KEY.encode() in before.content
    assert not before.json()["is_masked"]
    scene_switch(group=group, scene=Scene.VISITORS, acting_user=operator)
    after = browser.get("/wall/state")
    assert after.json()["is_masked"]
    for secret in ("lb-secret", KEY, "operator"):
        assert secret.encode() not in after.content
    assert due(after.json()) == [("pushed", "collector"), ("fixed", "overview")]


@time_machine.travel(NOON, tick=False)
def test_identify_reload_dim_and_the_nightly_reload() -> None:
    operator = make_viewer()
    display = make_display("NOC-1", time_zone="Europe/London", dim_from_hour=20, dim_until_hour=6, dim_percent=30)
    told = state(display)
    now_ms = int(NOON.timestamp() * 1000)
    assert (told["identify_until_ms"], told["reload_asked_ms"], told["server_ms"]) == (None, None, now_ms)
    assert told["dims"] == [{"from_ms": now_ms + 8 * 3_600_000, "until_ms": now_ms + 18 * 3_600_000, "percent": 30}]
    assert now_ms + 15 * 3_600_000 <= told["next_reload_ms"] < now_ms + 16 * 3_600_000  # between three and four at night
    display_identify(display=display, acting_user=operator)
    display_reload(display=display, acting_user=operator)
    told = state(display)
    assert (told["identify_until_ms"], told["reload_asked_ms"]) == (now_ms + 15_000, now_ms)
    with time_machine.travel(NOON + timedelta(seconds=15), tick=False):
        assert state(display)["identify_until_ms"] is None


def test_a_room_has_one_stage() -> None:
    operator = make_viewer()
    group = group_create(name="NOC", acting_user=operator)
    first, second = (make_display(name, group=group) for name in ("NOC-1", "NOC-2"))
    for stage, other in ((first, second), (second, first)):
        display_change(display=stage, fields={"role": DisplayRole.STAGE}, acting_user=operator)
        stage.refresh_from_db()
        other.refresh_from_db()
        assert (stage.role, other.role) == (DisplayRole.STAGE, DisplayRole.PICTURE)
        kinds = {view["kind"] for view in state(stage)["views"].values()}
        assert kinds == {"overview", "alarms"}
    assert make_display("alone").role == DisplayRole.STAGE


@pytest.mark.parametrize(
    "fields",
    [
        {"time_zone": "Mars/Olympus"},
        {"scale": 9.0},
        {"theme": "pink"},
        {"dim_from_hour": 20},
        {"dim_from_hour": 5, "dim_until_hour": 5},
        {"place": "x" * 99},
    ],
)
def test_what_does_not_fit_is_refused_in_words(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_display("NOC-1", **fields)
    assert not Display.objects.exists()


def test_a_zone_that_this_machine_no_longer_knows_is_utc() -> None:
    display = make_display()
    Display.objects.update(time_zone="Nowhere/Now")
    assert state(display)["display"]["time_zone"] == "UTC"


def test_queries_do_not_grow_with_entries() -> None:
    operator = make_viewer()
    counts = set()
    for rounds in (1, 5):
        playlist = make_playlist(operator, *[("overview", 10), ("map", 20), ("sources", 30)] * rounds)
        browser = let_in(make_display(f"NOC-{rounds}", playlist=playlist))
        browser.get("/wall/state")
        with CaptureQueriesContext(connection) as asked:
            assert browser.get("/wall/state").status_code == 200
        counts.add(len(asked))
    assert counts == {3}


def test_the_night_reload_is_always_ahead_and_spread() -> None:
    at = timezone.now()
    reloads = {state(make_display(f"NOC-{number}"))["next_reload_ms"] for number in range(4)}
    assert len(reloads) == 4
    assert all(at.timestamp() * 1000 < one <= (at + timedelta(hours=26)).timestamp() * 1000 for one in reloads)
