"""Writes of the access room: the audit record, tokens. Shape: check, write, audit."""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.models import ApiToken, AuditEntry, User
from vtapweb.access.viewer import Viewer

TOKEN_TOUCH_INTERVAL = timedelta(minutes=1)


def _source_ip(request: HttpRequest | None) -> str | None:
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
        actor=name[:200],
        user=user,
        action=action,
        target=target[:500],
        reason=reason,
        detail=dict(detail or {}),
        source_ip=_source_ip(request),
        is_demo=settings.CLOUD == "simulator",
    )


def token_touch(*, token: ApiToken) -> None:
    """Notes that the token is in use, at most once a minute: reading an API must not mean writing for each request."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at >= TOKEN_TOUCH_INTERVAL:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - TOKEN_TOUCH_INTERVAL)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
