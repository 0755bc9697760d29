"""How a screen gets in: the address that is good once, and the cookie that follows."""

import pytest
from django.conf import settings
from django.test import Client

from tests.wall.making import let_in, make_display
from vtapweb.wall.actions import display_address

pytestmark = pytest.mark.django_db


def test_an_address_opens_its_display_once_and_leaves_a_cookie() -> None:
    display = make_display()
    browser = let_in(display)
    cookie = browser.cookies[settings.DISPLAY_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert browser.get("/wall").status_code == 200
    told = browser.get("/wall/state").json()
    assert told["display"]["name"] == "NOC-1"
    assert [slot["why"] for slot in told["slots"]] == ["fixed"]
    assert told["views"][str(told["slots"][0]["view"])]["kind"] == "overview"


def test_an_address_is_good_once() -> None:
    token = display_address(display=make_display(), acting_user=None, actor="a test")
    assert Client().get(f"/wall/{token}").status_code == 302
    stranger = Client()
    assert stranger.get(f"/wall/{token}").status_code == 410
    assert stranger.get(f"/wall/{token}x").status_code == 404
    assert stranger.get("/wall/state").status_code == 401
