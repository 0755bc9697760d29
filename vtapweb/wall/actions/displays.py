"""Displays made, told what to show, and ended."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.models import subscription_id_validator
from vtapweb.access.viewer import Viewer
from vtapweb.domain.scope import Scope
from vtapweb.wall import keys
from vtapweb.wall.models import NAME_LENGTH, Display


def named(name: str) -> str:
    """A name as it is kept. Raises ValidationError for none and for one that is too long."""
    name = " ".join(name.split())
    if not name:
        raise ValidationError("Give it a name.")
    if len(name) > NAME_LENGTH:
        raise ValidationError(f"A name has {NAME_LENGTH} signs at most.")
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


@transaction.atomic
def display_create(
    *,
    name: str,
    fields: dict[str, Any] | None = None,
    subscription_ids: Iterable[str] | None = None,
    acting_user: Viewer | None,
    actor: str = "",
    request: HttpRequest | None = None,
) -> Display:
    """A new display without a key. `fields` are those of the model that a form sets (place, group, role, view, playlist, theme, scale …).

    `subscription_ids` None: all that the maker may see. Raises ValidationError for what does not fit.
    """
    scope = Scope.everything() if acting_user is None else acting_user.scope
    display = Display(
        name=named(name),
        created_by=None if acting_user is None else acting_user.user,
        created_by_name=actor if acting_user is None else acting_user.name,
        **part_of(subscription_ids, scope),
        **(fields or {}),
    )
    display.full_clean()
    display.save()
    detail = {"subscriptions": "all" if display.has_all_subscriptions else display.subscription_ids}
    audit_record(action="wall.display_created", acting_user=acting_user, actor=actor, target=display.name, detail=detail, request=request)
    return display


@transaction.atomic
def display_address(*, display: Display, acting_user: Viewer | None, actor: str = "", request: HttpRequest | None = None) -> str:
    """A new token for `/wall/<token>`, shown this once; one that nobody used yet ends. Raises ValidationError for a revoked display."""
    if display.revoked_at is not None:
        raise ValidationError(f"{display.name} was revoked; make a new display.")
    token = keys.url_key(display, now=timezone.now())
    audit_record(action="wall.address_made", acting_user=acting_user, actor=actor, target=display.name, request=request)
    return token
