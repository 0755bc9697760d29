"""Reads of displays, groups, views and playlists for people at desks: what their scope covers."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from vtapweb.domain.scope import Scope
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.models import Display, DisplayGroup, DisplayKey, Playlist, PlaylistEntry, Scoped, WallView

Owned = TypeVar("Owned", bound=Scoped)


def is_covered(owned: Scoped, scope: Scope) -> bool:
    """Whether all that `owned` stands for may be read with `scope`."""
    return scope.is_everything or (not owned.has_all_subscriptions and scope.covers(owned.subscription_ids))


def _covered(rows: Iterable[Owned], scope: Scope) -> list[Owned]:
    return [row for row in rows if is_covered(row, scope)]


def displays_of(scope: Scope, *, with_revoked: bool = False) -> list[Display]:
    """Displays by name, with group, views and playlist; one query."""
    rows = Display.objects.select_related("group", "view", "playlist", "incident_view", "pushed_view")
    return _covered(rows if with_revoked else rows.filter(revoked_at=None), scope)


def display_find(pk: int, scope: Scope) -> Display | None:
    """One display, a revoked one too; None where there is none or the scope does not cover it. One query."""
    return next(
        iter(_covered(Display.objects.filter(pk=pk).select_related("group", "view", "playlist", "incident_view", "pushed_view"), scope)), None
    )


def groups_of(scope: Scope) -> list[DisplayGroup]:
    """Groups by name, with their displays that are not revoked (of which the caller shows those that `is_covered`); two queries."""
    return _covered(DisplayGroup.objects.prefetch_related("displays"), scope)


def group_find(pk: int, scope: Scope) -> DisplayGroup | None:
    """One group, None where there is none or the scope does not cover it."""
    return next(iter(_covered(DisplayGroup.objects.filter(pk=pk), scope)), None)


def views_of(scope: Scope) -> list[WallView]:
    """Views that are kept, the built-in ones first, then by name; two queries."""
    builtin_views()
    return _covered(WallView.objects.filter(is_passing=False).select_related("created_by"), scope)


def view_find(pk: int, scope: Scope) -> WallView | None:
    """One view, None where there is none or the scope does not cover it."""
    return next(iter(_covered(WallView.objects.filter(pk=pk), scope)), None)


def playlists_of(scope: Scope) -> list[Playlist]:
    """Playlists by name with their entries and views; two queries."""
    return _covered(Playlist.objects.prefetch_related("entries__view"), scope)


def playlist_find(pk: int, scope: Scope) -> Playlist | None:
    """One playlist, None where there is none or the scope does not cover it."""
    return next(iter(_covered(Playlist.objects.filter(pk=pk), scope)), None)


def uses_of_views(scope: Scope) -> dict[int, list[str]]:
    """Who shows each view, by its number: names of displays and playlists that the scope covers. Two queries."""
    found: dict[int, list[str]] = {}
    for display in _covered(Display.objects.filter(revoked_at=None), scope):
        for view_id in sorted({one for one in (display.view_id, display.incident_view_id) if one is not None}):
            found.setdefault(view_id, []).append(display.name)
    for entry in PlaylistEntry.objects.select_related("playlist").order_by("playlist__name", "pk"):
        words = f"playlist {entry.playlist.name}"
        if is_covered(entry.playlist, scope) and words not in (names := found.setdefault(entry.view_id, [])):
            names.append(words)
    return found


def displays_by_playlist(scope: Scope) -> dict[int, list[Display]]:
    """The displays that a playlist is for, by its number, those that the scope covers. One query."""
    found: dict[int, list[Display]] = {}
    for display in displays_of(scope):
        if display.playlist_id is not None:
            found.setdefault(display.playlist_id, []).append(display)
    return found


def keys_by_display(scope: Scope, *, now: datetime) -> dict[int, list[DisplayKey]]:
    """The keys that are good at `now`, by the number of their display, the newest first: neither says what the key is. One query."""
    found: dict[int, list[DisplayKey]] = {}
    for key in DisplayKey.objects.filter(ended_at__gt=now, display__revoked_at=None).select_related("display").defer("digest"):
        if is_covered(key.display, scope):
            found.setdefault(key.display_id, []).append(key)
    return found


def entries_by_playlist(scope: Scope, displays: Iterable[Display]) -> dict[int, list[PlaylistEntry]]:
    """The entries of the playlists of these displays, which the caller found for `scope`, with their views, in order. One query."""
    found: dict[int, list[PlaylistEntry]] = {}
    wanted = {one.playlist_id for one in displays if one.playlist_id is not None and is_covered(one, scope)}
    for entry in PlaylistEntry.objects.filter(playlist__in=wanted).select_related("view"):
        found.setdefault(entry.playlist_id, []).append(entry)
    return found
