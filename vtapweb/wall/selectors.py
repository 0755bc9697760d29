"""Reads of displays, groups, views and playlists for people at desks: what their scope covers."""

from collections.abc import Iterable
from typing import TypeVar

from vtapweb.domain.scope import Scope
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.models import Display, DisplayGroup, Playlist, Scoped, WallView

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
    """Views, the built-in ones first, then by name; two queries."""
    builtin_views()
    return _covered(WallView.objects.all(), scope)


def view_find(pk: int, scope: Scope) -> WallView | None:
    """One view, None where there is none or the scope does not cover it."""
    return next(iter(_covered(WallView.objects.filter(pk=pk), scope)), None)


def playlists_of(scope: Scope) -> list[Playlist]:
    """Playlists by name with their entries and views; two queries."""
    return _covered(Playlist.objects.prefetch_related("entries__view"), scope)


def playlist_find(pk: int, scope: Scope) -> Playlist | None:
    """One playlist, None where there is none or the scope does not cover it."""
    return next(iter(_covered(Playlist.objects.filter(pk=pk), scope)), None)
