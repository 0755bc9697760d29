"""Sign-in is needed for everything, and works."""

import pytest
from django.test import Client

from vtapweb.access.models import AuditEntry, Role, User

pytestmark = pytest.mark.django_db


def test_a_stranger_is_led_to_the_sign_in_and_back(client: Client) -> None:
    User.objects.create_user("ada", password="correct horse", role=Role.VIEWER)
    answer = client.get("/accounts/password/change/?x=1")
    assert answer["Location"] == "/accounts/login/?next=%2Faccounts%2Fpassword%2Fchange%2F%3Fx%3D1"
    page = client.get(answer["Location"])
    assert page.status_code == 200
    answer = client.post("/accounts/login/", {"login": "ada", "password": "correct horse", "next": "/accounts/password/change/?x=1"})
    assert answer["Location"] == "/accounts/password/change/?x=1"
    assert client.get(answer["Location"]).status_code == 200
    assert [entry.action for entry in AuditEntry.objects.all()] == ["access.signed_in"]


def test_the_api_answers_a_stranger_with_a_problem(client: Client) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == 'Bearer realm="vtapweb"'
    assert answer.json()["title"] == "Not signed in"
