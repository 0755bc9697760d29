"""What a display is told about itself: name, scene, views, and which of them when. Two queries beside the one that recognised its cookie.

Nothing of the estate stands here but what people called their views.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

from vtapweb.domain.playlist import Entry, slots, stretches
from vtapweb.topology.models import Placement
from vtapweb.wall.builtin import builtin_views
from vtapweb.wall.masking import collector_alias_key
from vtapweb.wall.models import Display, DisplayRole, PlaylistEntry, Scene, ViewKind, WallView

AHEAD_S = 3600
DIM_AHEAD_S = 24 * 3600
RELOAD_HOUR = 3
RELOAD_SPREAD_S = 3600
DAYS = range(7)


def asset_version() -> str:
    """Another one whenever any script or style is another one; "dev" where files are served straight from their source."""
    return str(getattr(staticfiles_storage, "manifest_hash", "") or "dev")


def zone_of(display: Display) -> ZoneInfo:
    """The display's time zone; UTC where this machine no longer knows its name."""
    try:
        return ZoneInfo(display.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def entry_of(row: PlaylistEntry) -> Entry:
    """A playlist's row as the domain knows it."""
    weekdays = frozenset(day for day in DAYS if row.weekdays >> day & 1)
    return Entry(row.view_id, row.seconds, weekdays, row.from_hour, row.until_hour)


def state_of(display: Display, *, now: datetime) -> dict[str, Any]:
    """The body of `GET /wall/state`, docs/wall.md; instants in milliseconds since 1970."""
    zone = zone_of(display)
    builtin = builtin_views()
    rows = [] if display.playlist is None else list(PlaylistEntry.objects.filter(playlist=display.playlist).select_related("view"))
    views = {row.view_id: row.view for row in rows} | {view.pk: view for view in builtin.values()}
    views |= {view.pk: view for view in (display.view, display.incident_view, display.pushed_view) if view is not None}
    found = slots_of(display, [entry_of(row) for row in rows], builtin, now=now, zone=zone)
    is_masked = display.scene == Scene.VISITORS
    shown = {slot["view"] for slot in found}
    if display.role == DisplayRole.STAGE:  # a new alarm is shown on it whatever is due
        shown.add(builtin[ViewKind.ALARMS].pk)
    return {
        "display": _named(display, is_masked) | {
            "id": display.pk, "role": display.role, "theme": display.theme, "scale": display.scale, "time_zone": zone.key,
        },
        "scene": display.scene.value,
        "is_masked": is_masked,
        "is_demo": settings.CLOUD == "simulator",
        "version": asset_version(),
        "server_ms": _ms(now),
        "views": _views([view for pk, view in views.items() if pk in shown], is_masked),
        "slots": found,
        "dims": _dims(display, now, zone),
        "identify_until_ms": None if display.identify_until is None or display.identify_until <= now else _ms(display.identify_until),
        "reload_asked_ms": None if display.reload_asked_at is None else _ms(display.reload_asked_at),
        "next_reload_ms": _ms(next_reload(display.pk, now, zone)),
    }  # fmt: skip


def _named(display: Display, is_masked: bool) -> dict[str, Any]:
    """Its name, its place and its room's: people wrote them, so visitors are told its number."""
    group = display.group
    if is_masked:
        return {"name": f"Display {display.pk}", "place": "", "group": None if group is None else {"id": group.pk, "name": "this room"}}
    return {"name": display.name, "place": display.place, "group": None if group is None else {"id": group.pk, "name": group.name}}


def next_reload(pk: int, now: datetime, zone: ZoneInfo) -> datetime:
    """The next gentle reload: once a day in the hour after three at night, each display at a minute of its own."""
    spread = timedelta(seconds=pk * 977 % RELOAD_SPREAD_S)
    local = now.astimezone(zone)
    for days in (0, 1):
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0) + timedelta(days=days)
        at = (midnight.replace(hour=RELOAD_HOUR) + spread).astimezone(UTC)
        if at > now:
            return at
    return now + timedelta(days=1)


def _views(views: Collection[WallView], is_masked: bool) -> dict[str, dict[str, Any]]:
    """By number. To visitors not what somebody called it, and a collector by its alias; one query where one is named."""
    aliases: dict[str, str] = {}
    if is_masked and (keys := {view.options["collector"] for view in views if "collector" in view.options}):
        aliases = {key: collector_alias_key(pk) for pk, key in Placement.objects.filter(key__in=keys).values_list("pk", "key")}
    found: dict[str, dict[str, Any]] = {}
    for view in views:
        name, options = view.name, dict(view.options)
        if is_masked:
            name = ViewKind(view.kind).label
            if "collector" in options:
                options["collector"] = aliases.get(options["collector"], "")
        found[str(view.pk)] = {"id": view.pk, "name": name, "kind": view.kind, "options": options}
    return found


def slots_of(
    display: Display, entries: Sequence[Entry], builtin: Mapping[str, WallView], *, now: datetime, zone: ZoneInfo, ahead_s: int = AHEAD_S
) -> list[dict[str, Any]]:
    """What the display shows from now on, and why: what was pushed, else what the scene says, else its playlist's `entries`, else its own view."""
    pushed: list[dict[str, Any]] = []
    at = now
    if display.pushed_view is not None and display.pushed_until is not None and display.pushed_until > now:
        by = "" if display.scene == Scene.VISITORS else display.pushed_by  # a person's name
        pushed = [_slot(_ms(now), _ms(display.pushed_until), display.pushed_view.pk, "pushed", by)]
        at = display.pushed_until
    if display.scene == Scene.INCIDENT:
        kind = ViewKind.ALARMS if display.role == DisplayRole.STAGE else ViewKind.OVERVIEW
        view = display.incident_view or builtin[kind]
        by = display.group.scene_by if display.group is not None else ""
        return [*pushed, _slot(_ms(at), None, view.pk, "scene", by)]
    fixed = (display.view or builtin[ViewKind.OVERVIEW]).pk
    if not entries:
        return [*pushed, _slot(_ms(at), None, fixed, "fixed")]
    start = int(at.timestamp())
    due = slots(entries, now=start, until=start + ahead_s, zone=zone)
    return [
        *pushed,
        *(
            _slot(one.from_s * 1000, one.until_s * 1000, *((fixed, "fixed") if one.view is None else (one.view, "playlist")))
            for one in due
        ),
    ]  # fmt: skip


def _slot(from_ms: int, until_ms: int | None, view: int, why: str, by: str = "") -> dict[str, Any]:
    return {"from_ms": from_ms, "until_ms": until_ms, "view": view, "why": why, "by": by}


def _dims(display: Display, now: datetime, zone: ZoneInfo) -> list[dict[str, int]]:
    if display.dim_from_hour is None or display.dim_until_hour is None:
        return []
    start = int(now.timestamp())
    found = stretches(from_hour=display.dim_from_hour, until_hour=display.dim_until_hour, now=start, until=start + DIM_AHEAD_S, zone=zone)
    return [{"from_ms": begin * 1000, "until_ms": end * 1000, "percent": display.dim_percent} for begin, end in found]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
