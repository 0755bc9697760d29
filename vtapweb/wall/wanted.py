"""Collectors that saved views are about: a picture always tells them, so that a view has its numbers at once when its turn comes."""

from typing import Final

from vtapweb.domain.scope import Scope
from vtapweb.wall.models import ViewKind, WallView

MOST_WANTED: Final = 20


def collectors_wanted(scope: Scope) -> list[str]:
    """Keys of collectors that the newest views of one collector, or of one collector's sources, name; at most 20. One query.

    Whether `scope` may read a collector is for the picture to say; views of others are left out because they would take the room.
    """
    views = WallView.objects.filter(kind__in=[ViewKind.COLLECTOR, ViewKind.SOURCES], is_builtin=False).order_by("-pk")
    named = [
        str(one.options.get("collector") or "") for one in views
        if scope.is_everything or (not one.has_all_subscriptions and scope.covers(one.subscription_ids))
    ]  # fmt: skip
    return list(dict.fromkeys(key for key in named if key))[:MOST_WANTED]
