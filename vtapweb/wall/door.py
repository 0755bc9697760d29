"""Who a display is by its cookie, for the live socket: asked for all of a process in one query."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from vtapweb.domain.scope import Scope
from vtapweb.wall.keys import digest_of
from vtapweb.wall.models import DisplayKey, Scene

KEYS_A_QUERY = 900  # SQLite's oldest limit of variables is 999
LONGEST_COOKIE = 200


@dataclass(frozen=True, slots=True)
class Seat:
    """A display as the socket knows it: what it may see, and whether names are hidden from it now."""

    display_id: int
    group_id: int | None
    scope: Scope
    is_masked: bool
    is_revoked: bool = False


def seats_of(cookies: Iterable[str]) -> dict[str, Seat | None]:
    """The seat of each cookie, None for one that is no live display's; one query for every 900."""
    wanted = {cookie: digest_of(cookie) for cookie in cookies if 0 < len(cookie) <= LONGEST_COOKIE}
    digests = sorted(wanted.values())
    found: dict[str, Seat] = {}
    for start in range(0, len(digests), KEYS_A_QUERY):
        keys = DisplayKey.objects.filter(digest__in=digests[start : start + KEYS_A_QUERY], kind=DisplayKey.Kind.COOKIE, ended_at__gt=timezone.now())
        for key in keys.select_related("display__group"):
            display = key.display
            is_masked = display.scene == Scene.VISITORS
            found[key.digest] = Seat(display.pk, display.group_id, display.scope, is_masked, display.revoked_at is not None)
    return {cookie: found.get(wanted.get(cookie, "")) for cookie in cookies}
