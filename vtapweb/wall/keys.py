"""The keys of displays: made, recognised, spent, rotated. Knows digests only; who may make one is the actions' business.

Rule 1: an address is good once and for a week. Rule 2: a cookie is replaced once a day, and every key before it ends ten minutes after the new one
was first used, never before: an answer that was lost on the way locks nobody out.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from vtapweb.wall.models import Display, DisplayKey

TOKEN_START = "vtd_"  # noqa: S105 (how every address's token begins, for people and secret scanners)
URL_GOOD_FOR = timedelta(days=7)
COOKIE_GOOD_FOR = timedelta(days=400)  # as long as browsers keep one
ROTATE_AFTER = timedelta(hours=24)
OVERLAP = timedelta(minutes=10)
MOST_UNUSED_COOKIES = 5


@dataclass(frozen=True, slots=True)
class Held:
    """A live cookie's key with its display, group, views and playlist."""

    key: DisplayKey
    display: Display


def digest_of(secret: str) -> str:
    """SHA-256 in hexadecimal; 256 random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def held(cookie: str, *, now: datetime) -> Held | None:
    """The live key of this cookie, of a revoked display too; None for any other text. One query."""
    if not cookie or len(cookie) > 200:
        return None
    key = (
        DisplayKey.objects.filter(digest=digest_of(cookie), kind=DisplayKey.Kind.COOKIE, ended_at__gt=now)
        .select_related("display__group", "display__view", "display__playlist", "display__incident_view", "display__pushed_view")
        .first()
    )
    return None if key is None else Held(key, key.display)


def url_key(display: Display, *, now: datetime) -> str:
    """A new token for `/wall/<token>`; the ones before that nobody used end."""
    DisplayKey.objects.filter(display=display, kind=DisplayKey.Kind.URL, first_used_at=None, ended_at__gt=now).update(ended_at=now)
    token = TOKEN_START + secrets.token_urlsafe(32)
    DisplayKey.objects.create(display=display, kind=DisplayKey.Kind.URL, digest=digest_of(token), issued_at=now, ended_at=now + URL_GOOD_FOR)
    return token


def cookie_key(display: Display, *, now: datetime) -> str:
    """A new cookie; keys that ended go, so that a display's rows do not grow with the years."""
    DisplayKey.objects.filter(display=display, kind=DisplayKey.Kind.COOKIE, ended_at__lte=now).delete()
    secret = secrets.token_urlsafe(32)
    DisplayKey.objects.create(display=display, kind=DisplayKey.Kind.COOKIE, digest=digest_of(secret), issued_at=now, ended_at=now + COOKIE_GOOD_FOR)
    return secret


def spent(token: str, *, now: datetime) -> Display | None:
    """Spends an address's token: its display the first time within its week, None ever after. Of two at once one wins."""
    key = DisplayKey.objects.filter(digest=digest_of(token), kind=DisplayKey.Kind.URL).select_related("display").first()
    if key is None or key.display.revoked_at is not None:
        return None
    is_ours = DisplayKey.objects.filter(pk=key.pk, first_used_at=None, ended_at__gt=now).update(first_used_at=now)
    return key.display if is_ours else None


def is_known(token: str) -> bool:
    """Whether this was an address's token once, good or not."""
    return DisplayKey.objects.filter(digest=digest_of(token), kind=DisplayKey.Kind.URL).exists()


def is_of(token: str, display: Display) -> bool:
    """Whether this address's token, good or spent, was made for the display."""
    return DisplayKey.objects.filter(digest=digest_of(token), kind=DisplayKey.Kind.URL, display=display).exists()


def used(key: DisplayKey, *, now: datetime) -> None:
    """Notes the first use of a cookie, and lets every other one of its display end soon. Nothing is written ever after."""
    if key.first_used_at is not None:
        return
    with transaction.atomic():
        if not DisplayKey.objects.filter(pk=key.pk, first_used_at=None).update(first_used_at=now):
            return
        others = DisplayKey.objects.filter(ended_at__gt=now + OVERLAP, display=key.display_id, kind=DisplayKey.Kind.COOKIE).exclude(pk=key.pk)
        others.update(ended_at=now + OVERLAP)


def rotated(found: Held, *, now: datetime) -> str | None:
    """A new cookie where this one is a day old; None where it is not, or where several were issued that nobody came back with."""
    if now - found.key.issued_at < ROTATE_AFTER:
        return None
    unused = DisplayKey.objects.filter(display=found.display, kind=DisplayKey.Kind.COOKIE, first_used_at=None, ended_at__gt=now).count()
    return None if unused >= MOST_UNUSED_COOKIES else cookie_key(found.display, now=now)
