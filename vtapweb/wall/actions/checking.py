"""What every write of the wall asks first, and how it is told."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ValidationError

from vtapweb.access.guards import role_check
from vtapweb.access.models import subscription_id_validator
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.scope import Scope
from vtapweb.events.bus import record_event
from vtapweb.events.types import WallEvent
from vtapweb.wall.models import NAME_LENGTH, Display, DisplayGroup, Scoped
from vtapweb.wall.selectors import is_covered
from vtapweb.web.problem import ProblemError


def may_change(owned: Scoped | None, *, acting_user: Viewer) -> None:
    """Raises ProblemError 403 for who is no operator, 404 for what his scope does not cover."""
    role_check(acting_user, Role.OPERATOR)
    if owned is not None and not is_covered(owned, acting_user.scope):
        raise ProblemError(404, "Nothing here", "There is no such thing, or it stands for more than you may see.")


def named(name: str) -> str:
    """A name as it is kept. Raises ValidationError for none and for one that is too long."""
    name = " ".join(name.split())
    if not name:
        raise ValidationError("Give it a name.")
    if len(name) > NAME_LENGTH:
        raise ValidationError(f"A name has {NAME_LENGTH} signs at most.")
    return name


def zone_named(name: str) -> str:
    """The name of a time zone that this machine knows. Raises ValidationError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise ValidationError(f"No time zone is called {name[:64]}. Names look like Europe/London.") from problem
    return name


def part_of(subscription_ids: Iterable[str] | None, maker: Scope) -> dict[str, Any]:
    """The fields of `Scoped` for these subscriptions (None: all that the maker may see). Raises ValidationError for what he may not see himself."""
    if subscription_ids is None:
        return {"has_all_subscriptions": maker.is_everything, "subscription_ids": sorted(maker.subscription_ids or ())}
    ids = sorted({one.strip().lower() for one in subscription_ids})
    for one in ids:
        subscription_id_validator(one)
    if not ids or not maker.covers(ids):
        raise ValidationError("Name one of your subscriptions at least, and none that you may not see yourself.")
    return {"has_all_subscriptions": False, "subscription_ids": ids}


def say(deed: Any, *, display: Display | None = None, group: DisplayGroup | None = None) -> None:
    """Tell a display, or all of a group, and the people who may see it; in the caller's transaction, as its last write."""
    of: Scoped | None = display or group
    subscription_ids = None if of is None or of.has_all_subscriptions else of.subscription_ids
    event = WallEvent(deed=deed, display=None if display is None else display.pk, group=None if group is None else group.pk)
    record_event(event, subscription_ids=subscription_ids)
