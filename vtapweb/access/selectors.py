"""Reads of the access room: scopes, tokens, the audit record."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import HttpRequest

from vtapweb.access.models import ApiToken, AuditEntry, User
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.scope import Scope

KEYS_A_QUERY = 900  # SQLite's oldest limit of variables is 999


def scope_of(user: User | AnonymousUser) -> Scope:
    """The subscriptions `user` may read: all for an admin or where all are granted (no query), else the granted ones (one query).

    Nobody, and the inactive, may read none.
    """
    if not isinstance(user, User) or not user.is_active:
        return Scope.of([])
    if user.has_all_subscriptions or user.role == Role.ADMIN:
        return Scope.everything()
    return Scope.of(grant.subscription_id for grant in user.grants.all())


def scope_of_token(token: ApiToken) -> Scope:
    """The subscriptions a token may read. An admin's token may be limited too."""
    return Scope.everything() if token.has_all_subscriptions else Scope.of(token.subscription_ids)


def viewer_of_user(user: User | AnonymousUser) -> Viewer | None:
    """None for nobody and for the inactive."""
    if not isinstance(user, User) or not user.is_active:
        return None
    return Viewer(name=user.username, role=Role(user.role), scope=scope_of(user), user=user)


def viewer_of_token(token: ApiToken) -> Viewer:
    """The viewer that an API token stands for, limited to the token's own subscriptions. Whether it is still valid is the caller's question."""
    return Viewer(name=f"token {token.name}", role=Role(token.role), scope=scope_of_token(token), token=token)


def viewer_of(request: HttpRequest) -> Viewer:
    """The viewer that the middleware or the API's authentication found.

    Raises RuntimeError where neither ran: a mistake in the wiring, never the visitor's.
    """
    viewer = getattr(request, "viewer", None)
    if not isinstance(viewer, Viewer):
        raise RuntimeError(f"{request.path} was reached without a viewer: is its URL on the list of anonymous ones?")
    return viewer


def scope_of_request(request: HttpRequest) -> Scope:
    """The scope of whoever sent the request: nothing where nobody is signed in."""
    viewer = getattr(request, "viewer", None)
    return viewer.scope if isinstance(viewer, Viewer) else Scope.of([])


def token_digest(secret: str) -> str:
    """SHA-256 in hexadecimal, 64 characters."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_find(secret: str) -> ApiToken | None:
    """The live token of this secret, None if unknown or revoked. One query on the digest; the digests are then compared in constant time."""
    digest = token_digest(secret)
    token = ApiToken.objects.filter(digest=digest, revoked_at=None).first()
    if token is None or not hmac.compare_digest(token.digest, digest):
        return None
    return token


def tokens_find(secrets: Iterable[str]) -> dict[str, ApiToken]:
    """The live tokens by their secrets; one query for every 900."""
    secret_of = {token_digest(secret): secret for secret in secrets}
    digests = sorted(secret_of)
    rows = [
        token
        for start in range(0, len(digests), KEYS_A_QUERY)
        for token in ApiToken.objects.filter(digest__in=digests[start : start + KEYS_A_QUERY], revoked_at=None)
    ]
    return {secret_of[token.digest]: token for token in rows}


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries: parts of the actor's name, the action, the target and the reason (any case), days in UTC, both included.

    Empty and None: no limit.
    """

    actor: str = ""
    action: str = ""
    target: str = ""
    reason: str = ""
    since: date | None = None
    until: date | None = None


def audit_entries(*, scope: Scope, wanted: AuditFilter) -> QuerySet[AuditEntry]:
    """The entries, newest first, by one query. They are of the whole installation, so a limited scope (an admin's limited token) gets none."""
    entries = AuditEntry.objects.order_by("-pk")
    if not scope.is_everything:
        return entries.none()
    if wanted.actor:
        entries = entries.filter(actor__icontains=wanted.actor)
    if wanted.action:
        entries = entries.filter(action__icontains=wanted.action)
    if wanted.target:
        entries = entries.filter(target__icontains=wanted.target)
    if wanted.reason:
        entries = entries.filter(reason__icontains=wanted.reason)
    if wanted.since:
        entries = entries.filter(at__gte=datetime.combine(wanted.since, time.min, UTC))
    if wanted.until and wanted.until < date.max:
        entries = entries.filter(at__lt=datetime.combine(wanted.until, time.min, UTC) + timedelta(days=1))
    return entries


def tokens_all() -> QuerySet[ApiToken]:
    """Every token, live and revoked, newest first, with who made it; one query. For admins, who manage them all."""
    return ApiToken.objects.select_related("created_by")
