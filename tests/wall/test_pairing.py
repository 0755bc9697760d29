"""A screen shows a code, an operator types it, the screen is the display."""

from datetime import timedelta
from unittest.mock import ANY

import pytest
import time_machine
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.wall.making import make_display, make_viewer
from vtapweb.access.models import AuditEntry, Role
from vtapweb.wall.actions import display_revoke, pairing_accept
from vtapweb.wall.actions import pairing as pairing_actions
from vtapweb.wall.models import DisplayKey, Pairing
from vtapweb.web.problem import ProblemError

pytestmark = pytest.mark.django_db


def code_of(screen: Client) -> str:
    told = screen.get("/wall/pairing").json()
    assert told == {"state": "waiting", "code": ANY, "ended_ms": ANY, "server_ms": ANY}
    return str(told["code"])


def test_a_typed_code_makes_the_screen_the_display() -> None:
    screen, display, operator = Client(), make_display(), make_viewer()
    assert b"state" in screen.get("/wall/state").content
    code = code_of(screen)
    assert code_of(screen) == code  # asked again, after a reload too
    assert not set(code) & set("IO01S")
    cookie = screen.cookies[settings.PAIRING_COOKIE_NAME]
    assert (cookie["httponly"], cookie["path"], cookie["samesite"]) == (True, "/wall", "Lax")
    pairing_accept(code=f" {code[:3].lower()}-{code[3:]} ", display=display, acting_user=operator)
    assert screen.get("/wall/pairing").json() == {"state": "paired"}
    assert screen.get("/wall/state").json()["display"]["id"] == display.pk
    assert screen.get("/wall/pairing").json() == {"state": "paired"}
    entry = AuditEntry.objects.get(action="wall.display_paired")
    assert (entry.actor, entry.target, entry.detail) == ("operator", "NOC-1", {"screen": "127.0.0.1"})
    assert code not in str(list(Pairing.objects.values()))


def test_the_screen_shows_its_code_as_a_square_for_phones_and_nobody_elses() -> None:
    screen = Client()
    assert screen.get("/wall/pairing/qr").status_code == 404
    code_of(screen)
    with CaptureQueriesContext(connection) as queries:
        square = screen.get("/wall/pairing/qr")
    assert len(queries) == 1
    assert (square.status_code, square["Content-Type"], square["Cache-Control"]) == (200, "image/svg+xml", "no-store")
    assert square.content.startswith(b"<svg")
    assert Client().get("/wall/pairing/qr").status_code == 404


def test_the_cookie_is_handed_to_the_screen_that_showed_the_code_and_once() -> None:
    screen, other, display = Client(), Client(), make_display()
    code = code_of(screen)
    code_of(other)
    shown = screen.cookies[settings.PAIRING_COOKIE_NAME].value
    pairing_accept(code=code, display=display, acting_user=make_viewer())
    assert other.get("/wall/pairing").json()["state"] == "waiting"
    assert screen.get("/wall/pairing").json()["state"] == "paired"
    thief = Client()
    thief.cookies[settings.PAIRING_COOKIE_NAME] = shown
    assert thief.get("/wall/pairing").json()["state"] == "waiting"
    assert DisplayKey.objects.filter(kind="cookie").count() == 1


def test_a_code_ends_and_the_screen_gets_another() -> None:
    screen, display, operator = Client(), make_display(), make_viewer()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        code = code_of(screen)
        clock.shift(timedelta(minutes=5, seconds=1))
        with pytest.raises(ValidationError, match="No screen shows this code"):
            pairing_accept(code=code, display=display, acting_user=operator)
        newer = code_of(screen)
        assert newer != code
        clock.shift(timedelta(minutes=4, seconds=59))
        pairing_accept(code=newer, display=display, acting_user=operator)  # in its last second
        clock.shift(timedelta(seconds=30))
        assert screen.get("/wall/pairing").json() == {"state": "paired"}


def test_limits_of_screens_and_of_wrong_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing_actions, "MOST_WAITING_OF_AN_ADDRESS", 2)
    monkeypatch.setattr(pairing_actions, "MOST_WRONG", 3)
    first, second, third = Client(), Client(), Client()
    code = code_of(first)
    code_of(second)
    answer = third.get("/wall/pairing")
    assert (answer.status_code, answer.json()["state"], answer["Retry-After"]) == (429, "full", "60")
    assert third.get("/wall/pairing", REMOTE_ADDR="192.0.2.9").status_code == 200
    monkeypatch.setattr(pairing_actions, "MOST_WAITING", 3)
    assert Client().get("/wall/pairing", REMOTE_ADDR="192.0.2.10").status_code == 429
    display, operator = make_display(), make_viewer()
    for _ in range(3):
        with pytest.raises(ValidationError):
            pairing_accept(code="AAAAAA", display=display, acting_user=operator)
    with pytest.raises(ProblemError, match="Too many wrong codes"):
        pairing_accept(code=code, display=display, acting_user=operator)
    pairing_accept(code=code, display=display, acting_user=make_viewer("another"))


def test_who_may_pair() -> None:
    screen, display = Client(), make_display()
    code = code_of(screen)
    with pytest.raises(ProblemError, match="403"):
        pairing_accept(code=code, display=display, acting_user=make_viewer("v", Role.VIEWER))
    limited = make_viewer("limited", subscription_ids=["5a000000-0000-0000-0000-000000000001"])
    with pytest.raises(ProblemError, match="404"):
        pairing_accept(code=code, display=display, acting_user=limited)
    operator = make_viewer()
    pairing_accept(code=code, display=display, acting_user=operator)
    display_revoke(display=display, acting_user=operator)
    assert screen.get("/wall/pairing").json()["state"] == "waiting"  # revoked before the screen had its cookie
    with pytest.raises(ValidationError, match="was revoked"):
        pairing_accept(code=code_of(screen), display=display, acting_user=operator)
