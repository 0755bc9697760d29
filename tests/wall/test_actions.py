"""Every write of the wall: who may, and what does not fit."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from tests.wall.making import make_display, make_viewer
from vtapweb.access.models import AuditEntry, Role
from vtapweb.access.viewer import Viewer
from vtapweb.events.models import OutboxEvent
from vtapweb.wall import actions
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.models import Display, DisplayGroup, Playlist, Scene, ViewKind, WallView
from vtapweb.wall.options import options_checked
from vtapweb.wall.selectors import display_find, displays_of, groups_of, playlist_find, playlists_of, view_find, views_of
from vtapweb.web.problem import ProblemError

pytestmark = pytest.mark.django_db

MINE, THEIRS = "5a000000-0000-0000-0000-000000000001", "5a000000-0000-0000-0000-000000000002"
KEY = "a" * 26


class Room:
    """What an operator who sees everything has made: a display, a group, a view, a playlist."""

    def __init__(self) -> None:
        self.operator = make_viewer("maker")
        self.group = actions.group_create(name="NOC", acting_user=self.operator)
        self.view = actions.view_create(name="Corner", kind=ViewKind.MAP, options={"x": 1, "y": 2.5, "k": 0.4}, acting_user=self.operator)
        self.playlist = actions.playlist_save(
            playlist=None, name="Rounds", entries=[{"view": self.view, "seconds": 30}], acting_user=self.operator
        )  # fmt: skip
        self.display = make_display("NOC-1", group=self.group)


Deed = Callable[[Room, Viewer], object]
DEEDS: dict[str, Deed] = {
    "address": lambda room, who: actions.display_address(display=room.display, acting_user=who),
    "change": lambda room, who: actions.display_change(display=room.display, fields={"place": "here"}, acting_user=who),
    "push": lambda room, who: actions.display_push(display=room.display, view=room.view, seconds=60, acting_user=who),
    "push end": lambda room, who: actions.display_push_end(display=room.display, acting_user=who),
    "identify": lambda room, who: actions.display_identify(display=room.display, acting_user=who),
    "reload": lambda room, who: actions.display_reload(display=room.display, acting_user=who),
    "revoke": lambda room, who: actions.display_revoke(display=room.display, acting_user=who),
    "rename group": lambda room, who: actions.group_rename(group=room.group, name="Other", acting_user=who),
    "delete group": lambda room, who: actions.group_delete(group=room.group, acting_user=who),
    "scene": lambda room, who: actions.scene_switch(group=room.group, scene=Scene.VISITORS, acting_user=who),
    "view": lambda room, who: actions.view_change(view=room.view, name="Other", options={}, acting_user=who),
    "delete view": lambda room, who: actions.view_delete(view=room.view, acting_user=who),
    "playlist": lambda room, who: actions.playlist_save(
        playlist=room.playlist, name="Other", entries=[{"view": room.view, "seconds": 5}], acting_user=who
    ),
    "delete playlist": lambda room, who: actions.playlist_delete(playlist=room.playlist, acting_user=who),
}  # fmt: skip


def rows() -> list[Any]:
    return [list(model.objects.values()) for model in (Display, DisplayGroup, WallView, Playlist)]


def test_operators_alone_and_only_where_their_scope_covers_it() -> None:
    room = Room()
    builtin_views()
    before, audited = rows(), AuditEntry.objects.count()
    for who, status in ((make_viewer("v", Role.VIEWER), 403), (make_viewer("limited", subscription_ids=[MINE]), 404)):
        for name, deed in DEEDS.items():
            with pytest.raises(ProblemError) as refused:
                deed(room, who)
            assert refused.value.status == status, name
    viewer = make_viewer("w", Role.VIEWER)
    makers: list[Callable[[], object]] = [
        lambda: actions.display_create(name="x", acting_user=viewer),
        lambda: actions.group_create(name="x", acting_user=viewer),
        lambda: actions.view_create(name="x", kind=ViewKind.MAP, options={}, acting_user=viewer),
    ]
    for make in makers:
        with pytest.raises(ProblemError, match="403"):
            make()
    assert rows() == before
    assert AuditEntry.objects.count() == audited


@pytest.mark.parametrize("name", [name for name in DEEDS if name not in {"push end", "delete view"}])
def test_each_deed_is_audited_and_told(name: str) -> None:
    room = Room()
    audited = AuditEntry.objects.count()
    told = OutboxEvent.objects.filter(kind="wall").count()
    DEEDS[name](room, room.operator)
    entry = AuditEntry.objects.latest("pk")
    assert AuditEntry.objects.count() == audited + 1
    assert (entry.actor, entry.action.split(".")[0]) == ("maker", "wall")
    if name not in {"address", "playlist", "delete playlist"}:  # no display plays the one, none changes by the others
        assert OutboxEvent.objects.filter(kind="wall").count() > told


def test_a_limited_operator_makes_what_he_may_see_himself() -> None:
    limited, other, everything = make_viewer("limited", subscription_ids=[MINE]), make_viewer("other", subscription_ids=[THEIRS]), make_viewer("all")
    mine = actions.display_create(name="mine", acting_user=limited)
    assert (mine.has_all_subscriptions, mine.subscription_ids) == (False, [MINE])
    with pytest.raises(ValidationError, match="may not see"):
        actions.display_create(name="x", subscription_ids=[MINE, THEIRS], acting_user=limited)
    part = actions.display_create(name="part", subscription_ids=[THEIRS.upper()], acting_user=everything)
    view = actions.view_create(name="Mine", kind=ViewKind.MAP, options={}, acting_user=limited)
    group = actions.group_create(name="Mine", acting_user=limited)
    playlist = actions.playlist_save(playlist=None, name="Mine", entries=[{"view": view, "seconds": 5}], acting_user=limited)
    assert [[one.name for one in displays_of(who.scope)] for who in (limited, other, everything)] == [["mine"], ["part"], ["mine", "part"]]
    assert display_find(part.pk, limited.scope) is None
    assert view_find(view.pk, other.scope) is None
    assert playlist_find(playlist.pk, other.scope) is None
    assert [groups_of(who.scope) for who in (limited, other)] == [[group], []]
    assert [playlists_of(who.scope) for who in (limited, other)] == [[playlist], []]
    builtin = ["Alarms", "Map", "Overview", "Top sources"]
    assert [[one.name for one in views_of(who.scope)] for who in (limited, other)] == [[*builtin, "Mine"], builtin]


def test_a_display_gets_nothing_that_its_operator_may_not_use_and_keeps_what_it_has() -> None:
    room, limited = Room(), make_viewer("limited", subscription_ids=[MINE])
    display = actions.display_create(name="mine", acting_user=limited)
    for name, theirs in (("group", room.group), ("view", room.view), ("incident_view", room.view), ("playlist", room.playlist)):
        with pytest.raises(ProblemError, match="404"):
            actions.display_change(display=display, fields={name: theirs}, acting_user=limited)
        with pytest.raises(ProblemError, match="404"):
            actions.display_create(name="x", fields={name: theirs}, acting_user=limited)
        actions.display_change(display=display, fields={name: theirs}, acting_user=room.operator)
        kept = actions.display_change(display=display, fields={name: theirs, "place": name}, acting_user=limited)
        assert (getattr(kept, name), kept.place) == (theirs, name)


def test_what_is_used_is_not_deleted_and_what_is_built_in_stays() -> None:
    room = Room()
    with pytest.raises(ValidationError, match="still used by Rounds"):
        actions.view_delete(view=room.view, acting_user=room.operator)
    actions.display_change(display=room.display, fields={"playlist": room.playlist}, acting_user=room.operator)
    with pytest.raises(ValidationError, match="still played by NOC-1"):
        actions.playlist_delete(playlist=room.playlist, acting_user=room.operator)
    actions.display_revoke(display=room.display, acting_user=room.operator)
    actions.playlist_delete(playlist=room.playlist, acting_user=room.operator)
    actions.view_delete(view=room.view, acting_user=room.operator)
    builtin = builtin_views()["map"]
    refusals: list[tuple[str, Callable[[], object]]] = [
        ("built in", lambda: actions.view_delete(view=builtin, acting_user=room.operator)),
        ("built in", lambda: actions.view_change(view=builtin, name="x", options={}, acting_user=room.operator)),
        ("was revoked", lambda: actions.display_push(display=room.display, view=builtin, seconds=60, acting_user=room.operator)),
        ("was revoked", lambda: actions.display_address(display=room.display, acting_user=room.operator)),
    ]
    for words, refused in refusals:
        with pytest.raises(ValidationError, match=words):
            refused()


def test_a_view_goes_where_only_a_revoked_display_has_it_and_who_shows_it_is_told() -> None:
    room = Room()
    view = actions.view_create(name="Edge", kind=ViewKind.MAP, options={}, acting_user=room.operator)
    old = make_display("old", view=view, incident_view=view)
    with pytest.raises(ValidationError, match="still used by old"):
        actions.view_delete(view=view, acting_user=room.operator)
    actions.display_revoke(display=old, acting_user=room.operator)
    actions.display_push(display=room.display, view=view, seconds=60, acting_user=room.operator)
    told = OutboxEvent.objects.filter(kind="wall", payload__display=room.display.pk).count()
    actions.view_delete(view=view, acting_user=room.operator)
    assert OutboxEvent.objects.filter(kind="wall", payload__display=room.display.pk).count() == told + 1


def test_who_uses_something_is_named_to_those_who_may_know_of_it() -> None:
    room, limited = Room(), make_viewer("limited", subscription_ids=[MINE])
    view = actions.view_create(name="Mine", kind=ViewKind.MAP, options={}, acting_user=limited)
    playlist = actions.playlist_save(playlist=None, name="Round", entries=[{"view": view, "seconds": 5}], acting_user=limited)
    for name in ("secret-1", "secret-2"):
        make_display(name, view=view, playlist=playlist)
    actions.display_create(name="mine", fields={"playlist": playlist}, acting_user=limited)
    with pytest.raises(ValidationError, match=r"Mine is still used by Round, 2 of others\."):
        actions.view_delete(view=view, acting_user=limited)
    with pytest.raises(ValidationError, match=r"Round is still played by mine, 2 of others\."):
        actions.playlist_delete(playlist=playlist, acting_user=limited)
    with pytest.raises(ValidationError, match="played by mine, secret-1, secret-2"):
        actions.playlist_delete(playlist=playlist, acting_user=room.operator)


@pytest.mark.parametrize(
    "entry",
    [
        {"seconds": 4},
        {"seconds": 90_000},
        {"weekdays": 0},
        {"weekdays": 128},
        {"from_hour": 24},
        {"until_hour": 0},
        {"from_hour": 9, "until_hour": 9},
    ],
)
def test_an_entry_out_of_its_range_is_refused_and_leaves_the_playlist_as_it_was(entry: dict[str, int]) -> None:
    room = Room()
    with pytest.raises(ValidationError):
        actions.playlist_save(playlist=room.playlist, name="Rounds", entries=[{"view": room.view, **entry}], acting_user=room.operator)
    assert [one.seconds for one in room.playlist.entries.all()] == [30]


@pytest.mark.parametrize(
    ("kind", "options", "is_fine"),
    [
        (ViewKind.MAP, {}, True), (ViewKind.MAP, {"x": -1.5, "y": 0, "k": 2}, True), (ViewKind.MAP, {"node": 7, "unit": "packets"}, True),
        (ViewKind.MAP, {"x": 1}, False), (ViewKind.MAP, {"x": 1, "y": 1, "k": 0}, False), (ViewKind.MAP, {"node": True}, False),
        (ViewKind.MAP, {"x": float("nan"), "y": 1, "k": 1}, False), (ViewKind.MAP, {"collector": KEY}, False),
        (ViewKind.COLLECTOR, {"collector": KEY}, True), (ViewKind.COLLECTOR, {}, False), (ViewKind.COLLECTOR, {"collector": "../x"}, False),
        (ViewKind.SOURCES, {}, True), (ViewKind.SOURCES, {"collector": KEY}, True), (ViewKind.ALARMS, {"number": 117}, True),
        (ViewKind.ALARMS, {"number": 0}, False), (ViewKind.OVERVIEW, {"unit": "octets"}, False), (ViewKind.OVERVIEW, {"node": 1}, False),
    ],
)  # fmt: skip
def test_options_of_each_kind(kind: ViewKind, options: dict[str, Any], is_fine: bool) -> None:
    if is_fine:
        assert options_checked(kind, options) == options
    else:
        with pytest.raises(ValidationError):
            options_checked(kind, options)
