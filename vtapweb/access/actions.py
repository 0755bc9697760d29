"""Writes of the access room: the audit record, tokens, the first people. Shape: check, write, audit."""

import ipaddress
import logging
import os
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.models import ApiToken, AuditEntry, User, subscription_id_validator
from vtapweb.access.role import Role
from vtapweb.access.selectors import KEYS_A_QUERY, token_digest
from vtapweb.access.viewer import Viewer
from vtapweb.domain.plain_text import storable, storable_json

logger = logging.getLogger(__name__)

TOKEN_TOUCH_INTERVAL = timedelta(minutes=1)
TOKEN_START = "vtw_"  # noqa: S105 (how every token begins, for people and secret scanners)
TOKEN_PREFIX_LENGTH = 12  # of some 47 characters: enough to recognise a token, of no use to guess it
FAILURES_RECORDED_PER_MINUTE = 20
DEMO_ACTOR_PREFIX = "demo-"


def source_ip(*, request: HttpRequest | None) -> str | None:
    """The peer's address, None where there is none (a command, a unix socket).

    Forwarding headers are not believed here; the server in front may have applied them.
    """
    text = str(request.META.get("REMOTE_ADDR", "")) if request is not None else ""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def audit_record(
    *,
    action: str,
    acting_user: User | Viewer | None = None,
    actor: str = "",
    target: str = "",
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    request: HttpRequest | None = None,
) -> AuditEntry:
    """Writes one audit entry in the caller's transaction, so that the deed and its record are kept or lost together.

    `action` is dotted, room first ("access.signed_in"). Who acted: `acting_user` (a person or a viewer), else `actor` in words
    ("manage.py sync"), else the request's viewer. `detail` is plain JSON without secrets. Raises ValueError when nobody is named.
    """
    who: object = acting_user
    if who is None and not actor and request is not None:
        who = getattr(request, "viewer", None)
    user = who.user if isinstance(who, Viewer) else who if isinstance(who, User) else None
    name = who.name if isinstance(who, Viewer) else user.username if user is not None else actor
    if not name:
        raise ValueError(f"Who did {action}? Give acting_user, actor or a request with a viewer.")
    return AuditEntry.objects.create(
        actor=storable(name)[:200],
        user=user,
        action=action,
        target=storable(target)[:500],
        reason=storable(reason),
        detail=storable_json(dict(detail or {})),
        source_ip=source_ip(request=request),
        is_demo=settings.CLOUD == "simulator",
    )


def tokens_touch(*, tokens: Iterable[ApiToken]) -> None:
    """Notes that they are in use, each at most once a minute: reading an API must not mean writing for each request."""
    now = timezone.now()
    due = [token.pk for token in tokens if token.last_used_at is None or now - token.last_used_at >= TOKEN_TOUCH_INTERVAL]
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - TOKEN_TOUCH_INTERVAL)
    for start in range(0, len(due), KEYS_A_QUERY):
        ApiToken.objects.filter(stale, pk__in=due[start : start + KEYS_A_QUERY]).update(last_used_at=now)


def export_record(*, request: HttpRequest, what: str, detail: Mapping[str, Any] | None = None) -> AuditEntry:
    """For every export (CSV, raw JSON of many): who took out what, with which filters. Call it before the first byte is sent."""
    return audit_record(action="access.exported", request=request, target=what, detail=detail)


def sign_in_failed_record(*, request: HttpRequest | None, username: str) -> None:
    """Notes a failed sign-in, at most FAILURES_RECORDED_PER_MINUTE a minute and address; more go to the log alone.

    A name that nobody has is not kept: people type passwords into the wrong field.
    """
    user = User.objects.filter(username=username).first()
    name = user.username if user is not None else "unknown name"
    address = source_ip(request=request)
    key = f"access:sign-in-failed:{address}:{timezone.now():%Y%m%d%H%M}"
    cache.add(key, 0, timeout=120)
    if cache.incr(key) > FAILURES_RECORDED_PER_MINUTE:
        logger.warning("sign-in failed for %s from %s; too many to record each", name, address)
        return
    audit_record(action="access.sign_in_failed", actor=name, target=name, request=request)


@transaction.atomic
def token_create(
    *, name: str, role: Role, subscription_ids: Iterable[str] | None, acting_user: User | None, actor: str = "", request: HttpRequest | None = None
) -> tuple[ApiToken, str]:
    """The token and its secret, which is nowhere to be had again. `subscription_ids` None: all of them.

    Raises ValidationError for an empty name, an empty list or an id that is no subscription's.
    """
    name = name.strip()
    if not name:
        raise ValidationError("Give the token a name that says who uses it.")
    ids = None if subscription_ids is None else sorted({one.strip().lower() for one in subscription_ids})
    if ids is not None and not ids:
        raise ValidationError("Name at least one subscription, or allow all of them.")
    for one in ids or []:
        subscription_id_validator(one)
    secret = TOKEN_START + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        name=name[:150],
        digest=token_digest(secret),
        prefix=secret[:TOKEN_PREFIX_LENGTH],
        role=role,
        has_all_subscriptions=ids is None,
        subscription_ids=ids or [],
        created_by=acting_user,
    )
    detail = {"role": role.value, "subscriptions": "all" if ids is None else ids}
    audit_record(action="access.token_created", acting_user=acting_user, actor=actor, target=str(token), detail=detail, request=request)
    return token, secret


@transaction.atomic
def token_revoke(*, token: ApiToken, acting_user: User, request: HttpRequest | None = None) -> None:
    """Ends the token at once. Revoking it again changes and records nothing."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit_record(action="access.token_revoked", acting_user=acting_user, target=str(token), request=request)


@transaction.atomic
def admin_create_first(*, password_file: Path) -> tuple[User, str] | None:
    """The first person, an admin with a random password, which is also kept in `password_file` (mode 0600). None when there are people already.

    People of the demo do not count. Raises OSError when the file cannot be written; then there is no new admin either.
    """
    if User.objects.exclude(username__startswith=DEMO_ACTOR_PREFIX).exists():
        return None
    password = "-".join(secrets.token_urlsafe(6) for _ in range(3))
    user = User.objects.create_user("admin", password=password, role=Role.ADMIN, has_all_subscriptions=True)
    audit_record(action="access.user_created", actor="first start", target=user.username, detail={"role": user.role})
    password_file.parent.mkdir(parents=True, exist_ok=True)
    password_file.unlink(missing_ok=True)  # a file of other rights or owner is not written into
    descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{user.username} / {password}\n")
    return user, password


@transaction.atomic
def demo_user_get(*, role: Role) -> User | None:
    """The demo person of this role, made on first use, without a password. None where an admin switched it off or gave it another role."""
    user, is_new = User.objects.get_or_create(
        username=f"{DEMO_ACTOR_PREFIX}{role.value}", defaults={"role": role, "has_all_subscriptions": True, "password": make_password(None)}
    )
    if is_new:
        audit_record(action="access.user_created", actor="demo sign-in", target=user.username, detail={"role": role.value})
    return user if user.is_active and user.role == role else None
