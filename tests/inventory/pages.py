"""Signed-in clients and query counting for the tests of pages and API."""

from collections.abc import Callable

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from vtapweb.access.models import SubscriptionGrant, User


def signed_in(role: str = "viewer", *, only: tuple[str, ...] | None = None) -> Client:
    """A client of a new person; `only` limits them to some subscriptions."""
    name = f"{role}-{User.objects.count()}"
    person = User.objects.create(username=name, role=role, has_all_subscriptions=only is None)
    for subscription_id in only or ():
        SubscriptionGrant.objects.create(user=person, subscription_id=subscription_id)
    client = Client()
    client.force_login(person)
    return client


def queries_of(ask: Callable[[], object]) -> int:
    """How many queries `ask` takes."""
    with CaptureQueriesContext(connection) as captured:
        ask()
    return len(captured)
