"""Views and playlists saved, changed, deleted."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError
from django.http import HttpRequest

from vtapweb.access.actions import audit_record
from vtapweb.access.viewer import Viewer
from vtapweb.wall.actions.checking import may_change, named, part_of, say
from vtapweb.wall.models import Display, Playlist, PlaylistEntry, ViewKind, WallView
from vtapweb.wall.options import options_checked
from vtapweb.wall.selectors import is_covered

MOST_ENTRIES = 60


@transaction.atomic
def view_create(*, name: str, kind: ViewKind, options: Mapping[str, Any], acting_user: Viewer, request: HttpRequest | None = None) -> WallView:
    """A view for those who may see what its maker sees. Raises ValidationError for options that the kind does not have."""
    may_change(None, acting_user=acting_user)
    view = WallView.objects.create(
        name=named(name), kind=kind, options=options_checked(kind, options), created_by=acting_user.user, **part_of(None, acting_user.scope)
    )
    detail = {"kind": view.kind, "options": view.options}
    audit_record(action="wall.view_created", acting_user=acting_user, target=view.name, detail=detail, request=request)
    return view


@transaction.atomic
def view_change(*, view: WallView, name: str, options: Mapping[str, Any], acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Another name, other options; displays that show it draw it anew. Raises ValidationError; a built-in view stays as it is."""
    may_change(view, acting_user=acting_user)
    _not_builtin(view)
    view.name, view.options = named(name), options_checked(ViewKind(view.kind), options)
    view.save(update_fields=["name", "options"])
    audit_record(action="wall.view_changed", acting_user=acting_user, target=view.name, detail={"options": view.options}, request=request)
    _say_to_all()


@transaction.atomic
def view_delete(*, view: WallView, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Raises ValidationError while a display or a playlist names it, and for a built-in one."""
    may_change(view, acting_user=acting_user)
    _not_builtin(view)
    shown_on = list(Display.objects.filter(pushed_view=view, revoked_at=None))
    for name in ("view", "incident_view"):  # what was revoked shows nothing any more
        Display.objects.filter(**{name: view}).exclude(revoked_at=None).update(**{name: None})
    try:
        WallView.objects.filter(pk=view.pk).delete()
    except ProtectedError as problem:
        users = {one.playlist if isinstance(one, PlaylistEntry) else one for one in problem.protected_objects}
        raise ValidationError(f"{view.name} is still used by {_names(users, acting_user)}.") from problem
    for display in shown_on:
        say("state", display=display)
    audit_record(action="wall.view_deleted", acting_user=acting_user, target=view.name, request=request)


@transaction.atomic
def playlist_save(
    *, playlist: Playlist | None, name: str, entries: Sequence[Mapping[str, Any]], acting_user: Viewer, request: HttpRequest | None = None
) -> Playlist:
    """Makes a playlist (None) or gives one these entries, in this order: {view: WallView, seconds, weekdays (bits, Monday is bit 0), from_hour,
    until_hour}. Raises ValidationError for none, for more than 60, and for values out of their range."""
    may_change(playlist, acting_user=acting_user)
    if not 1 <= len(entries) <= MOST_ENTRIES:
        raise ValidationError(f"A playlist has 1 to {MOST_ENTRIES} entries.")
    is_new = playlist is None
    if playlist is None:
        playlist = Playlist(created_by=acting_user.user, **part_of(None, acting_user.scope))
    playlist.name = named(name)
    playlist.save()
    playlist.entries.all().delete()
    for position, fields in enumerate(entries):
        may_change(fields["view"], acting_user=acting_user)
        entry = PlaylistEntry(playlist=playlist, position=position, **fields)
        entry.full_clean()
        entry.save()
    deed = "created" if is_new else "changed"
    audit_record(action=f"wall.playlist_{deed}", acting_user=acting_user, target=playlist.name, detail={"entries": len(entries)}, request=request)
    _say_to_all(playlist=playlist)
    return playlist


@transaction.atomic
def playlist_delete(*, playlist: Playlist, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Raises ValidationError while a display that is not revoked plays it; revoked ones forget it."""
    may_change(playlist, acting_user=acting_user)
    players = Display.objects.filter(playlist=playlist)
    if playing := [one for one in players if one.revoked_at is None]:
        raise ValidationError(f"{playlist.name} is still played by {_names(playing, acting_user)}.")
    players.update(playlist=None)
    Playlist.objects.filter(pk=playlist.pk).delete()
    audit_record(action="wall.playlist_deleted", acting_user=acting_user, target=playlist.name, request=request)


def _names(users: Collection[Any], viewer: Viewer) -> str:
    """Names of displays and playlists, as far as somebody may know of them."""
    names = [str(one) for one in users if is_covered(one, viewer.scope)]
    hidden = sum(not is_covered(one, viewer.scope) for one in users)
    return ", ".join(sorted(names) + ([f"{hidden} of others"] if hidden else []))


def _not_builtin(view: WallView) -> None:
    if view.is_builtin:
        raise ValidationError(f"{view.name} is built in; save a view of your own.")


def _say_to_all(playlist: Playlist | None = None) -> None:
    """Views and playlists are shared, and which display plays what differs by the hour: the few displays are told one by one."""
    rows = Display.objects.filter(revoked_at=None)
    for display in rows if playlist is None else rows.filter(playlist=playlist):
        say("state", display=display)
