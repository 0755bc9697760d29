"""Keys of displays: spent once, replaced daily, and nobody is locked out by a lost answer."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.wall.making import let_in, make_display, make_viewer
from vtapweb.access.models import AuditEntry
from vtapweb.wall import keys
from vtapweb.wall.actions import display_address, display_revoke
from vtapweb.wall.models import DisplayKey

pytestmark = pytest.mark.django_db

DAY = timedelta(hours=24, seconds=1)


def cookie(browser: Client) -> str:
    return browser.cookies[settings.DISPLAY_COOKIE_NAME].value


def with_cookie(secret: str) -> Client:
    browser = Client()
    browser.cookies[settings.DISPLAY_COOKIE_NAME] = secret
    return browser


def is_in(secret: str) -> bool:
    return with_cookie(secret).get("/wall/state").status_code == 200


def test_a_cookie_is_replaced_once_a_day_and_the_old_one_ends_ten_minutes_after_the_new_one_is_used() -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        browser = let_in(make_display())
        old = cookie(browser)
        browser.get("/wall")
        assert cookie(browser) == old
        clock.shift(DAY)
        assert browser.get("/wall/state").status_code == 200
        assert cookie(browser) == old  # only the page brings a new one
        browser.get("/wall")
        new = cookie(browser)
        assert new != old
        clock.shift(timedelta(hours=10))
        assert is_in(old)  # the new one was not used yet: its answer may have been lost
        browser.get("/wall")
        clock.shift(timedelta(minutes=9, seconds=59))
        assert is_in(old)
        assert is_in(new)
        clock.shift(timedelta(seconds=2))
        assert not is_in(old)
        assert is_in(new)


def test_a_new_cookie_counts_as_used_by_whatever_is_asked_with_it() -> None:
    """A screen that asks only /wall/state for a year after its page was loaded ends its old cookie, too."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        browser = let_in(make_display())
        old = cookie(browser)
        browser.get("/wall")
        clock.shift(DAY)
        browser.get("/wall")
        browser.get("/wall/state")
        clock.shift(timedelta(minutes=11))
        assert not is_in(old)
        assert is_in(cookie(browser))


@pytest.mark.parametrize("pages", [60, pytest.param(400, marks=pytest.mark.long)])
def test_lost_answers_lock_nobody_out_and_make_no_rows_without_end(pages: int) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        browser = let_in(make_display())
        old = cookie(browser)
        for _ in range(pages):
            clock.shift(timedelta(hours=20))
            assert with_cookie(old).get("/wall").status_code == 200  # the new cookie never arrives
        assert DisplayKey.objects.filter(kind="cookie").count() <= keys.MOST_UNUSED_COOKIES + 1


@pytest.mark.parametrize("days", [60, pytest.param(730, marks=pytest.mark.long)])
def test_a_display_that_is_on_for_long_keeps_its_way_in(days: int) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        browser = let_in(make_display())
        for _ in range(days):
            clock.shift(timedelta(days=1, minutes=3))  # the daily gentle reload
            assert browser.get("/wall").status_code == 200
            assert browser.get("/wall/state").status_code == 200
        assert DisplayKey.objects.count() <= 4


def test_who_only_looks_whether_there_is_something_does_not_spend_an_address() -> None:
    token = display_address(display=make_display(), acting_user=make_viewer())
    assert Client().head(f"/wall/{token}").status_code == 405
    assert Client().get(f"/wall/{token}").status_code == 302


def test_an_address_ends_after_a_week_and_when_a_newer_one_is_made() -> None:
    display = make_display()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        first, second = (display_address(display=display, acting_user=None, actor="a test") for _ in range(2))
        answer = Client().get(f"/wall/{first}")
        assert answer.status_code == 410
        assert b"used before" in answer.content
        assert first.encode() not in answer.content
        clock.shift(timedelta(days=7, seconds=1))
        assert Client().get(f"/wall/{second}").status_code == 410


def test_who_is_the_display_already_just_goes_on() -> None:
    display = make_display()
    token = display_address(display=display, acting_user=None, actor="a test")
    browser = Client()
    browser.get(f"/wall/{token}")
    before = cookie(browser)
    answer = browser.get(f"/wall/{token}")  # the address is the screen's bookmark
    assert (answer.status_code, answer["Location"]) == (302, "/wall")
    assert cookie(browser) == before
    other = let_in(make_display("NOC-2"))
    assert other.get(f"/wall/{token}").status_code == 410


def test_a_revoked_display_says_so_and_shows_nothing_more() -> None:
    display = make_display()
    browser, unused = let_in(display), display_address(display=display, acting_user=None, actor="a test")
    display_revoke(display=display, acting_user=make_viewer(), reason="moved")
    for path in ("/wall/state", "/wall/topology", "/wall/traffic", "/wall/qr/1"):
        answer = browser.get(path)
        assert (answer.status_code, answer.json()) == (410, {"state": "revoked"})
    assert Client().get(f"/wall/{unused}").status_code == 410
    page = browser.get("/wall")
    assert page.status_code == 410
    assert b"revoked" in page.content
    assert cookie(browser) == ""
    assert browser.get("/wall").status_code == 200  # the pairing page
    assert AuditEntry.objects.get(action="wall.display_revoked").reason == "moved"


def test_no_secret_is_stored() -> None:
    display = make_display()
    token = display_address(display=display, acting_user=None, actor="a test")
    browser = let_in(display)
    stored = str([*DisplayKey.objects.values(), *AuditEntry.objects.values()])
    assert token not in stored
    assert cookie(browser) not in stored


def test_queries_do_not_grow_with_displays_and_keys() -> None:
    for number in range(3):
        let_in(make_display(f"other {number}"))
    browser = let_in(make_display())
    browser.get("/wall/state")
    counts = {}
    for path in ("/wall", "/wall/state"):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            browser.get(path)
        counts[path] = len(asked)
    assert counts == {"/wall": 1, "/wall/state": 2}
