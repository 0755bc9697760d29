"""The audit record as page, API and CSV."""

import json
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from vtapweb.access.actions import audit_record
from vtapweb.access.models import AuditEntry, Role, User
from vtapweb.web.paging import cursor_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_client(client: Client) -> Client:
    client.force_login(User.objects.create_user("root", password="a long password", role=Role.ADMIN))
    return client


# session, person, [two of the shell: the age of the inventory, whether writes are stopped,] and the page's own
PAGES = [("/audit", 5), ("/tokens", 5), ("/api/v1/audit", 4), ("/accounts/password/change/", 4)]


def record(count: int) -> None:
    for number in range(count):
        audit_record(action="inventory.tested", actor="=cmd()", target=f"thing {number}", detail={"n": number})


def rows(page: bytes) -> int:
    return page.count(b'data-test="audit-entry"')


def test_pages_of_a_hundred_newest_first(admin_client: Client) -> None:
    record(150)
    first = admin_client.get("/audit")
    assert rows(first.content) == 100
    assert first.content.index(b"thing 149") < first.content.index(b"thing 148")
    older = admin_client.get("/audit", {"before": first.context["older"].partition("=")[2]})
    assert rows(older.content) == 51
    assert older.context["older"] == ""


def test_filters_by_actor_action_and_days(admin_client: Client) -> None:
    with time_machine.travel(datetime(2026, 1, 2, 23, 59, tzinfo=UTC), tick=False):
        audit_record(action="access.tested", actor="Ada")
    record(1)
    assert rows(admin_client.get("/audit", {"actor": "ada"}).content) == 1
    assert rows(admin_client.get("/audit", {"action": "inventory."}).content) == 1
    assert rows(admin_client.get("/audit", {"since": "2026-01-02", "until": "2026-01-02"}).content) == 1
    assert rows(admin_client.get("/audit", {"since": "2026-01-03", "until": "2026-01-03"}).content) == 0
    assert admin_client.get("/audit", {"since": "yesterday"}).status_code == 400


def test_the_api_pages_by_cursor(admin_client: Client) -> None:
    record(5)
    answer = admin_client.get("/api/v1/audit", {"action": "inventory", "limit": "3"}).json()
    assert [item["detail"]["n"] for item in answer["items"]] == [4, 3, 2]
    assert answer["total"] == 5
    answer = admin_client.get("/api/v1/audit", {"action": "inventory", "limit": "3", "cursor": str(answer["next"])}).json()
    assert [item["detail"]["n"] for item in answer["items"]] == [1, 0]
    assert answer["next"] is None
    refused = admin_client.get("/api/v1/audit", {"cursor": "x"})
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")
    assert admin_client.get("/api/v1/audit", {"cursor": cursor_of("some-key")}).status_code == 400
    assert admin_client.get("/api/v1/audit", {"cursor": cursor_of("9" * 40)}).status_code == 400
    assert admin_client.get("/audit", {"before": "9" * 40}).status_code == 200
    assert admin_client.get("/api/v1/audit", {"limit": 0}).status_code == 400


def test_the_csv_is_streamed_unarmed_and_itself_on_record(admin_client: Client) -> None:
    record(2)
    answer = admin_client.get("/audit.csv", {"action": "inventory"})
    text = answer.getvalue().decode()
    assert text.count("'=cmd()") == 2
    assert "\n=cmd()" not in text
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert (entry.action, entry.target, entry.actor, entry.detail) == ("access.exported", "audit", "root", {"filter": {"action": "inventory"}})


def test_filters_by_target_and_reason_on_page_api_and_in_exports(admin_client: Client) -> None:
    audit_record(action="taps.tested", actor="ada", target="change 41", reason="INC-7: odd DNS")
    audit_record(action="taps.tested", actor="ada", target="change 42", reason="INC-8")
    for wanted, count in (({"target": "CHANGE 4"}, 2), ({"target": "change 41"}, 1), ({"reason": "inc-8"}, 1), ({"reason": "x", "target": "y"}, 0)):
        assert rows(admin_client.get("/audit", wanted).content) == count
        assert admin_client.get("/api/v1/audit", wanted).json()["total"] == count
        assert len(json.loads(admin_client.get("/audit.json", wanted).getvalue())["items"]) == count
        assert admin_client.get("/api/v1/audit", {**wanted, "format": "csv"}).getvalue().count(b"taps.tested") == count
    assert AuditEntry.objects.filter(action="access.exported", target="audit").count() == 8
    assert admin_client.get("/api/v1/audit", {"format": "xls"}).status_code == 400
    assert admin_client.get("/api/v1/audit", {"until": "9999-12-31"}).status_code == 200


def test_the_json_holds_the_details_as_they_are(admin_client: Client) -> None:
    record(2)
    items = json.loads(admin_client.get("/audit.json", {"action": "inventory"}).getvalue())["items"]
    assert [(one["actor"], one["detail"]) for one in items] == [("=cmd()", {"n": 1}), ("=cmd()", {"n": 0})]


@pytest.mark.parametrize(("path", "queries"), PAGES)
def test_pages_cost_the_same_queries_whatever_they_hold(admin_client: Client, path: str, queries: int) -> None:
    for filled in (0, 40):
        record(filled)
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(path).status_code == 200
        assert len(captured) == queries, [query["sql"] for query in captured]


def test_entries_of_a_simulators_installation_say_demo(admin_client: Client, settings: object) -> None:
    settings.CLOUD = "simulator"  # type: ignore[attr-defined] # pytest-django's wrapper
    assert audit_record(action="access.tested", actor="x").is_demo
    assert b'<span class="demo">DEMO</span>' in admin_client.get("/audit").content
