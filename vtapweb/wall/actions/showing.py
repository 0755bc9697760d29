""" "Show this on NOC-2 now", from any page: it becomes a view that passes, or one that is kept. Shape: check, write, audit, announce."""

from collections.abc import Sequence
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.viewer import Viewer
from vtapweb.wall.actions.checking import may_change, named, part_of
from vtapweb.wall.actions.displays import display_push, display_push_end
from vtapweb.wall.actions.views import view_create
from vtapweb.wall.models import NAME_LENGTH, Display, ViewKind, WallView
from vtapweb.wall.options import options_checked
from vtapweb.wall.pages_shown import PageView
from vtapweb.wall.selectors import is_covered

NOBODY: Final = "Choose where; this group has no display that you may change."


@transaction.atomic
def page_push(
    *, page: PageView, displays: Sequence[Display], seconds: int | None, acting_user: Viewer, request: HttpRequest | None = None
) -> WallView:
    """Shows what a page shows on all of these displays, for so long (None: until it is taken back); returns the view.

    Raises ValidationError without a display and for one that may not read what the page shows, else as `display_push`.
    """
    if not displays:
        raise ValidationError(NOBODY)
    for display in displays:
        if not display.scope.covers(page.subscription_ids):
            raise ValidationError(f"{display.name} may not read what this page shows.")
    may_change(None, acting_user=acting_user)
    view = _same(page, acting_user) or WallView.objects.create(
        name=named(page.name[:NAME_LENGTH]),
        kind=page.kind,
        options=options_checked(ViewKind(page.kind), page.options),
        is_passing=True,
        created_by=acting_user.user,
        **part_of(None, acting_user.scope),
    )
    displays_push(view=view, displays=displays, seconds=seconds, acting_user=acting_user, request=request)
    return view


@transaction.atomic
def page_keep(*, page: PageView, acting_user: Viewer, request: HttpRequest | None = None) -> WallView:
    """What a page shows as a view that stays; the one that is there already where it shows the same. Raises as `view_create`."""
    may_change(None, acting_user=acting_user)
    view = _same(page, acting_user)
    if view is not None and not view.is_passing:
        return view
    return view_create(name=page.name[:NAME_LENGTH], kind=ViewKind(page.kind), options=page.options, acting_user=acting_user, request=request)


@transaction.atomic
def displays_push(
    *, view: WallView, displays: Sequence[Display], seconds: int | None, acting_user: Viewer, request: HttpRequest | None = None
) -> None:
    """Shows a view on several displays, on all or none of them. Raises ValidationError without a display, else as `display_push`."""
    if not displays:
        raise ValidationError(NOBODY)
    for display in displays:
        display_push(display=display, view=view, seconds=seconds, acting_user=acting_user, request=request)
    passing_clear()


@transaction.atomic
def displays_push_end(*, displays: Sequence[Display], acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Lets several displays go back to what would be due."""
    for display in displays:
        display_push_end(display=display, acting_user=acting_user, request=request)
    passing_clear()


def passing_clear() -> None:
    """Views that were made to be pushed once, and that no display shows any more, go."""
    shown = Display.objects.filter(pushed_view__isnull=False, pushed_until__gt=timezone.now()).values("pushed_view")
    WallView.objects.filter(is_passing=True).exclude(pk__in=shown).delete()


def _same(page: PageView, acting_user: Viewer) -> WallView | None:
    """A view that shows just this and that who acts may use; kept ones first."""
    rows = WallView.objects.filter(kind=page.kind).order_by("is_passing", "-is_builtin", "pk")
    return next((one for one in rows if one.options == dict(page.options) and is_covered(one, acting_user.scope)), None)
