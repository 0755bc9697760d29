"""Displays made, told what to show, and ended."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.viewer import Viewer
from vtapweb.domain.scope import Scope
from vtapweb.wall import keys
from vtapweb.wall.actions.checking import may_change, named, part_of, say, zone_named
from vtapweb.wall.models import Display, DisplayRole, Scoped, WallView

IDENTIFY_FOR = timedelta(seconds=15)
LONGEST_PUSH_S = 24 * 3600
UNTIL_TAKEN_BACK = datetime(2999, 12, 31, tzinfo=UTC)
# What a form may set. `role` is given only where nobody else of the group has the stage, see `_hand_over_stage`.
SETTABLE = frozenset(
    {"place", "group", "role", "view", "playlist", "incident_view", "theme", "scale", "time_zone"}
    | {"dim_from_hour", "dim_until_hour", "dim_percent"}
)  # fmt: skip


@transaction.atomic
def display_create(
    *,
    name: str,
    fields: Mapping[str, Any] | None = None,
    subscription_ids: Iterable[str] | None = None,
    acting_user: Viewer | None,
    actor: str = "",
    request: HttpRequest | None = None,
) -> Display:
    """A new display without a key; one of no group takes the alarms. `fields` are any of SETTABLE, `subscription_ids` None all that the maker sees.

    Raises ValidationError for what does not fit, ProblemError for who may not. `acting_user` None is the command line (`actor`).
    """
    if acting_user is not None:
        may_change(None, acting_user=acting_user)
    scope = Scope.everything() if acting_user is None else acting_user.scope
    display = Display(
        name=named(name),
        role=DisplayRole.STAGE,
        created_by=None if acting_user is None else acting_user.user,
        created_by_name=actor if acting_user is None else acting_user.name,
        **part_of(subscription_ids, scope),
    )
    if fields and fields.get("group") is not None and "role" not in fields:
        display.role = DisplayRole.PICTURE
    _set(display, fields or {}, acting_user)
    detail = {"subscriptions": "all" if display.has_all_subscriptions else display.subscription_ids}
    audit_record(action="wall.display_created", acting_user=acting_user, actor=actor, target=display.name, detail=detail, request=request)
    say("state", display=display)
    return display


@transaction.atomic
def display_change(
    *, display: Display, name: str | None = None, fields: Mapping[str, Any], acting_user: Viewer, request: HttpRequest | None = None
) -> Display:
    """Another name or other `fields` (any of SETTABLE). Who becomes the stage of a group takes it from the one before. Raises as `display_create`."""
    display = _locked(display, acting_user=acting_user)
    before = {key: getattr(display, key) for key in fields}
    if name is not None:
        before["name"], display.name = display.name, named(name)
    _set(display, fields, acting_user)
    changed = {key: [_plain(old), _plain(getattr(display, key))] for key, old in before.items() if old != getattr(display, key)}
    if changed:
        audit_record(action="wall.display_changed", acting_user=acting_user, target=display.name, detail=changed, request=request)
        say("state", display=display)
    return display


@transaction.atomic
def display_address(*, display: Display, acting_user: Viewer | None, actor: str = "", request: HttpRequest | None = None) -> str:
    """A new token for `/wall/<token>`, shown this once; one that nobody used yet ends. Raises ValidationError for a revoked display."""
    if acting_user is not None:
        may_change(display, acting_user=acting_user)
    _check_alive(display)
    token = keys.url_key(display, now=timezone.now())
    audit_record(action="wall.address_made", acting_user=acting_user, actor=actor, target=display.name, request=request)
    return token


@transaction.atomic
def display_push(*, display: Display, view: WallView, seconds: int | None, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Show this now, for so many seconds (at most a day; None: until it is taken back); then what would be due. Raises ValidationError for another
    length."""
    display = _locked(display, acting_user=acting_user)
    may_change(view, acting_user=acting_user)
    if seconds is not None and not 5 <= seconds <= LONGEST_PUSH_S:
        raise ValidationError("A view is shown for 5 seconds at least and a day at most.")
    now = timezone.now()
    until = UNTIL_TAKEN_BACK if seconds is None else now + timedelta(seconds=seconds)
    display.pushed_view, display.pushed_at, display.pushed_until, display.pushed_by = view, now, until, acting_user.name
    display.save(update_fields=["pushed_view", "pushed_at", "pushed_until", "pushed_by"])
    detail = {"view": view.name, "kind": view.kind, "seconds": seconds}
    audit_record(action="wall.view_pushed", acting_user=acting_user, target=display.name, detail=detail, request=request)
    say("state", display=display)


@transaction.atomic
def display_push_end(*, display: Display, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Back to what would be due. Where nothing is pushed nothing happens."""
    display = _locked(display, acting_user=acting_user)
    if display.pushed_view_id is None:
        return
    display.pushed_view = display.pushed_at = display.pushed_until = None
    display.pushed_by = ""
    display.save(update_fields=["pushed_view", "pushed_at", "pushed_until", "pushed_by"])
    audit_record(action="wall.push_ended", acting_user=acting_user, target=display.name, request=request)
    say("state", display=display)


@transaction.atomic
def display_identify(*, display: Display, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """The display shows its name, large, for 15 s."""
    display = _locked(display, acting_user=acting_user)
    display.identify_until = timezone.now() + IDENTIFY_FOR
    display.save(update_fields=["identify_until"])
    audit_record(action="wall.display_identified", acting_user=acting_user, target=display.name, request=request)
    say("identify", display=display)


@transaction.atomic
def display_reload(*, display: Display, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """The display loads its page anew."""
    display = _locked(display, acting_user=acting_user)
    display.reload_asked_at = timezone.now()
    display.save(update_fields=["reload_asked_at"])
    audit_record(action="wall.display_reloaded", acting_user=acting_user, target=display.name, request=request)
    say("reload", display=display)


@transaction.atomic
def display_revoke(*, display: Display, acting_user: Viewer, reason: str = "", request: HttpRequest | None = None) -> None:
    """Ends the display for good: its screen says so and shows nothing more. Revoking it again changes and records nothing."""
    may_change(display, acting_user=acting_user)
    now = timezone.now()
    if not Display.objects.filter(pk=display.pk, revoked_at=None).update(revoked_at=now, revoked_by_name=acting_user.name):
        return
    display.refresh_from_db()
    audit_record(action="wall.display_revoked", acting_user=acting_user, target=display.name, reason=reason, request=request)
    say("revoked", display=display)


def _locked(display: Display, *, acting_user: Viewer) -> Display:
    """The row as it is now, nobody else's to change until this transaction ends."""
    may_change(display, acting_user=acting_user)
    fresh = Display.objects.select_for_update(of=("self",)).select_related("group", "view", "playlist", "incident_view").get(pk=display.pk)
    _check_alive(fresh)
    return fresh


def _check_alive(display: Display) -> None:
    if display.revoked_at is not None:
        raise ValidationError(f"{display.name} was revoked; make a new display.")


def _set(display: Display, fields: Mapping[str, Any], acting_user: Viewer | None) -> None:
    """What a display has already may stay, whosever it is; what it gets must be for who acts to use."""
    if unknown := fields.keys() - SETTABLE:
        raise ValueError(f"Not for a form to set: {sorted(unknown)}")
    for key, value in fields.items():
        if acting_user is not None and isinstance(value, Scoped) and value != getattr(display, key):
            may_change(value, acting_user=acting_user)
        setattr(display, key, value)
    zone_named(display.time_zone)
    if display.role == DisplayRole.STAGE and display.group is not None:  # there is one stage in a room
        Display.objects.filter(group=display.group, role=DisplayRole.STAGE).exclude(pk=display.pk).update(role=DisplayRole.PICTURE)
        say("state", group=display.group)
    display.full_clean()
    display.save()


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int | float | str) else value.isoformat() if isinstance(value, datetime) else str(value)
