"""Displays for tests."""

from typing import Any

from django.test import Client

from vtapweb.access.models import Role, User
from vtapweb.access.selectors import viewer_of_user
from vtapweb.access.viewer import Viewer
from vtapweb.wall.actions import display_address, display_create
from vtapweb.wall.models import Display


def make_viewer(name: str = "operator", role: Role = Role.OPERATOR, subscription_ids: list[str] | None = None) -> Viewer:
    """A person; with all subscriptions unless some are named."""
    user = User.objects.create_user(name, password="a long password", role=role, has_all_subscriptions=subscription_ids is None)
    for one in subscription_ids or []:
        user.grants.create(subscription_id=one)
    viewer = viewer_of_user(user)
    assert viewer is not None
    return viewer


def make_display(name: str = "NOC-1", *, subscription_ids: list[str] | None = None, **fields: Any) -> Display:
    return display_create(name=name, fields=fields, subscription_ids=subscription_ids, acting_user=None, actor="a test")


def let_in(display: Display) -> Client:
    """A browser that holds the display's cookie and nothing else."""
    client = Client()
    token = display_address(display=display, acting_user=None, actor="a test")
    answer = client.get(f"/wall/{token}")
    assert answer.status_code == 302
    assert answer["Location"] == "/wall"
    return client
