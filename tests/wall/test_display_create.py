"""`manage.py display_create`."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from tests.wall.making import make_viewer
from vtapweb.access.models import AuditEntry
from vtapweb.wall.actions import group_create
from vtapweb.wall.models import Display

pytestmark = pytest.mark.django_db


def create(*arguments: str) -> tuple[str, str]:
    told, said = io.StringIO(), io.StringIO()
    call_command("display_create", *arguments, stdout=told, stderr=said)
    return told.getvalue().strip(), said.getvalue()


def test_it_prints_an_address_that_opens_the_display(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.com", "https://vtap.example.com"]
    group_create(name="NOC Leeds", acting_user=make_viewer())
    address, said = create("--name", "NOC-2", "--place", "Leeds, room 4", "--group", "NOC Leeds", "--view", "map", "--time-zone", "Europe/London")
    assert address.startswith("https://vtap.example.com/wall/vtd_")
    assert "all subscriptions" in said
    browser = Client()
    assert browser.get(address.removeprefix("https://vtap.example.com")).status_code == 302
    told = browser.get("/wall/state").json()
    assert told["display"] == {
        "id": Display.objects.get().pk, "name": "NOC-2", "place": "Leeds, room 4", "role": "picture", "theme": "dark", "scale": 1.0,
        "group": {"id": told["display"]["group"]["id"], "name": "NOC Leeds"}, "time_zone": "Europe/London",
    }  # fmt: skip
    assert [view["kind"] for view in told["views"].values()] == ["map"]
    assert {entry.actor for entry in AuditEntry.objects.filter(action__in=["wall.display_created", "wall.address_made"])} == {
        "manage.py display_create"
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--name", " "), "Give it a name"),
        (("--name", "x", "--view", "nonsense"), "No view is called nonsense. There are: .*Overview"),
        (("--name", "x", "--group", "nowhere"), "No group is called nowhere"),
        (("--name", "x", "--time-zone", "Mars"), "No time zone is called Mars"),
        (("--name", "x", "--subscription", "1"), "A subscription id looks like"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        create(*arguments)
    assert not Display.objects.exists()
