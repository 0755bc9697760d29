"""Pairing: a screen shows a code, somebody at a desk types it.

Limits: a code lives five minutes; an address may have thirty waiting, the installation two hundred; a person may type ten wrong codes in ten minutes.
With 31^6 codes and two hundred waiting, ten guesses hit one with a chance of 1 in 440,000.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from vtapweb.access.actions import audit_record, source_ip
from vtapweb.access.models import AuditEntry
from vtapweb.access.viewer import Viewer
from vtapweb.wall import keys
from vtapweb.wall.actions.checking import may_change, say
from vtapweb.wall.models import Display, Pairing
from vtapweb.web.problem import ProblemError

SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789".replace("S", "")  # no I, O, 0, 1; S looks like 5
CODE_LENGTH = 6
GOOD_FOR = timedelta(minutes=5)
MOST_WAITING_OF_AN_ADDRESS = 30
MOST_WAITING = 200
MOST_WRONG = 10
WRONG_WITHIN = timedelta(minutes=10)
NO_SUCH_CODE = "No screen shows this code now. A code is good for five minutes; look at the screen again."


def code_digest(code: str) -> str:
    """Keyed with the installation's secret: 31^6 codes are quickly tried. Small letters, blanks and hyphens do not matter."""
    return salted_hmac("vtapweb.wall.pairing", "".join(code.upper().replace("-", "").split()), algorithm="sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A screen that waits. `cookie` is what its browser keeps: the code, to show it again after a reload, and a secret."""

    code: str
    cookie: str
    ended_at: datetime


@transaction.atomic
def pairing_start(*, request: HttpRequest) -> Waiting:
    """A screen begins to wait. Raises ProblemError 429 where too many wait already. Those that ended long ago go."""
    now = timezone.now()
    Pairing.objects.filter(ended_at__lt=now - timedelta(hours=1)).delete()
    address = source_ip(request=request)
    waiting = Pairing.objects.filter(ended_at__gt=now, paired_at=None)
    if waiting.filter(address=address).count() >= MOST_WAITING_OF_AN_ADDRESS or waiting.count() >= MOST_WAITING:
        raise ProblemError(429, "Too many screens wait", "Each code is good for five minutes; try again after that.", headers={"Retry-After": "60"})
    code = "".join(secrets.choice(SIGNS) for _ in range(CODE_LENGTH))
    cookie = f"{code}-{secrets.token_urlsafe(32)}"
    Pairing.objects.create(
        code_digest=code_digest(code), cookie_digest=keys.digest_of(cookie), address=address, created_at=now, ended_at=now + GOOD_FOR
    )
    return Waiting(code, cookie, now + GOOD_FOR)


def pairing_waiting(*, cookie: str) -> Waiting | None:
    """What this cookie waits for; None once it ended, was paired, or never was. One query."""
    row = Pairing.objects.filter(cookie_digest=keys.digest_of(cookie), ended_at__gt=timezone.now(), paired_at=None).first()
    return None if row is None else Waiting(cookie.partition("-")[0], cookie, row.ended_at)


@transaction.atomic
def pairing_collect(*, cookie: str) -> str | None:
    """The display's cookie for the screen that was paired; it is handed out once. None while nobody typed the code."""
    now = timezone.now()
    rows = Pairing.objects.filter(cookie_digest=keys.digest_of(cookie), paired_at__gt=now - GOOD_FOR, collected_at=None)
    row = rows.select_related("display").first()
    if row is None or row.display is None or row.display.revoked_at is not None or not rows.update(collected_at=now):
        return None
    return keys.cookie_key(row.display, now=now)


def pairing_check(*, code: str, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Whether a screen shows this code now, before a display is made for it: raises as `pairing_accept` does, and counts a wrong code as it does."""
    may_change(None, acting_user=acting_user)
    now = timezone.now()
    _check_limit(acting_user, now)
    if not Pairing.objects.filter(code_digest=code_digest(code), ended_at__gt=now, paired_at=None).exists():
        audit_record(action="wall.pairing_refused", acting_user=acting_user, request=request)
        raise ValidationError({"code": NO_SUCH_CODE})


def pairing_accept(*, code: str, display: Display, acting_user: Viewer, request: HttpRequest | None = None) -> str:
    """The screen that shows this code is the display; it notices within two seconds. Returns the screen's address, which the audit record holds too:
    the code may have been shown by somebody else's browser. Raises ValidationError for a code that no screen shows,
    ProblemError 429 after ten wrong ones in ten minutes, and as every write."""
    may_change(display, acting_user=acting_user)
    if display.revoked_at is not None:
        raise ValidationError(f"{display.name} was revoked; make a new display.")
    now = timezone.now()
    _check_limit(acting_user, now)
    with transaction.atomic():
        rows = Pairing.objects.filter(code_digest=code_digest(code), ended_at__gt=now, paired_at=None)
        if rows.update(display=display, paired_at=now):
            address = Pairing.objects.filter(code_digest=code_digest(code)).values_list("address", flat=True).first() or "an unknown address"
            detail = {"screen": address}
            audit_record(action="wall.display_paired", acting_user=acting_user, target=display.name, detail=detail, request=request)
            say("state", display=display)
            return address
        audit_record(action="wall.pairing_refused", acting_user=acting_user, target=display.name, request=request)
    raise ValidationError({"code": NO_SUCH_CODE})


def _check_limit(acting_user: Viewer, now: datetime) -> None:
    wrong = AuditEntry.objects.filter(action="wall.pairing_refused", actor=acting_user.name[:200], at__gt=now - WRONG_WITHIN)
    if wrong.count() >= MOST_WRONG:
        raise ProblemError(429, "Too many wrong codes", "Wait ten minutes, then look at the screen again.", headers={"Retry-After": "600"})
