"""A display's cookie over every address of the product, also those that rooms add later: it opens the wall, and nothing else."""

import re

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from tests.access.test_url_table import ALL_PATHS, OPEN
from tests.wall.making import let_in, make_display, make_viewer
from vtapweb.config.api import api
from vtapweb.wall.models import Display

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

# What a display may read; tests of those say that it is masked, scoped and its own.
ITS_OWN = {"/wall", "/wall/state", "/wall/topology", "/wall/traffic", "/wall/pairing"}
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
REFUSED = {401, 403, 404, 405}
API_PATHS = sorted(
    {
        (method.lower(), "/api/v1" + re.sub(r"\{[^}]*\}", "1", path))
        for path, item in api.get_openapi_schema(path_prefix="")["paths"].items()
        for method in item
    }
)
NAME, PLACE = "NOC-of-the-test", "Room of the test"


@pytest.fixture
def screen() -> Client:
    screen = let_in(make_display(NAME, place=PLACE))
    assert list(screen.cookies) == [settings.DISPLAY_COOKIE_NAME]
    assert screen.get("/wall/state").status_code == 200  # the cookie is a live one
    return screen


def is_refused(answer: HttpResponse) -> bool:
    return answer.status_code in REFUSED or (answer.status_code == 302 and answer["Location"].startswith("/accounts/"))


def test_the_tables_are_read_whole() -> None:
    assert {"/", "/tokens", "/admin/", "/collectors", "/alarms", "/api/v1/audit", *ITS_OWN} <= set(ALL_PATHS)
    assert len(API_PATHS) > 50
    assert ("get", "/api/v1/topology") in API_PATHS
    assert ("post", "/api/v1/topology/rearrange") in API_PATHS


def test_every_other_address_is_shut(screen: Client) -> None:
    opened = []
    for path in ALL_PATHS:
        if path in ITS_OWN or path in OPEN:
            continue
        for method in METHODS:
            answer = getattr(screen, method)(path)
            if not is_refused(answer) or NAME.encode() in answer.content:
                opened.append((method, path, answer.status_code))
    assert opened == []


def test_every_operation_of_the_api_is_shut(screen: Client) -> None:
    for method, path in API_PATHS:
        answer = screen.generic(method.upper(), path, b"{}", content_type="application/json")
        assert answer.status_code in {401, 403}, (method, path, answer.status_code)
    bearer = screen.cookies[settings.DISPLAY_COOKIE_NAME].value
    assert screen.get("/api/v1/topology", HTTP_AUTHORIZATION=f"Bearer {bearer}").status_code == 401


def test_what_is_open_to_everybody_tells_a_display_no_more(screen: Client) -> None:
    for path in OPEN.keys() - ITS_OWN:
        answer, anonymous = screen.get(path), Client().get(path)
        assert answer.status_code == anonymous.status_code, path
        assert NAME.encode() not in answer.content
        assert settings.SESSION_COOKIE_NAME not in answer.cookies


@pytest.mark.parametrize("path", sorted(ITS_OWN))
def test_its_own_addresses_change_nothing(screen: Client, path: str) -> None:
    before = list(Display.objects.values())
    for method in ("post", "put", "patch", "delete"):
        assert getattr(screen, method)(path).status_code in {403, 405}
    assert list(Display.objects.values()) == before


def test_the_pages_hold_nothing_of_the_estate(screen: Client) -> None:
    """Not even the display's own name: what is shown is read with the cookie, by scripts."""
    page = screen.get("/wall")
    assert page.status_code == 200
    assert NAME.encode() not in page.content
    assert PLACE.encode() not in page.content
    assert page["Cache-Control"] == "no-store"
    waiting = Client().get("/wall")
    assert waiting.status_code == 200
    assert b"pairing-code" in waiting.content
    assert screen.get("/wall/pairing/qr").status_code == 404


def test_a_session_changes_nothing_on_the_wall() -> None:
    viewer = make_viewer()
    desk = Client()
    assert viewer.user is not None
    desk.force_login(viewer.user)
    for path in ("/wall/state", "/wall/topology", "/wall/traffic"):
        assert desk.get(path).status_code == 401


def test_the_code_as_a_picture_for_a_phone() -> None:
    screen = Client()
    assert screen.get("/wall/pairing/qr").status_code == 404
    screen.get("/wall/pairing")
    answer = screen.get("/wall/pairing/qr")
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "image/svg+xml", "no-store")
    assert answer.content.startswith(b"<svg")
