"""The views that every installation has without saving one: one of each kind that needs no options, made when first wanted."""

from django.db import transaction

from vtapweb.wall.models import ViewKind, WallView

KINDS = (ViewKind.OVERVIEW, ViewKind.MAP, ViewKind.SOURCES, ViewKind.ALARMS)


def builtin_views() -> dict[str, WallView]:
    """By kind. They belong to nobody and concern no subscription, so everybody may use them. One query, but for the first time."""
    found = {view.kind: view for view in WallView.objects.filter(is_builtin=True)}
    if len(found) < len(KINDS):
        with transaction.atomic():
            missing = [WallView(name=kind.label, kind=kind, is_builtin=True) for kind in KINDS if kind not in found]
            WallView.objects.bulk_create(missing, ignore_conflicts=True)  # another process may be at it
        found = {view.kind: view for view in WallView.objects.filter(is_builtin=True)}
    return found
