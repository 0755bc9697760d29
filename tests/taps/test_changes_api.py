"""API v1 of changes, reading: shapes, filters, scope, cursors, the take-away; queries do not grow with rows."""

import pytest
from django.test import Client

from tests.inventory.pages import queries_of, signed_in
from tests.taps.factories import SUB, TAP_ID, make_change, make_step, nic_id
from tests.taps.people import bearer
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role

pytestmark = pytest.mark.django_db
OTHER = "22222222-2222-2222-2222-222222222222"


def test_a_change_has_the_fields_that_others_rely_on() -> None:
    refusal = {"rule_id": "reachable", "outcome": "block", "message": "No way.", "remedy": "Peer.", "source": "[2019]"}
    left_out = [{"nic": nic_id("web-01"), "name": "web-01", **refusal}]
    change = make_change(plan={"sentence": "1 NIC → tap-one.", "wave_count": 1, "duration_s": 30}, left_out=left_out)
    step = make_step(change)
    body = signed_in().get(f"/api/v1/changes/{change.pk}").json()
    assert (body["id"], body["state"], body["action"]) == (change.pk, "planned", "tap")
    target = f"{nic_id('nic-1')}/tapConfigurations/tap-one"
    assert [(one["id"], one["target"], one["action"], one["state"], one["error_code"], one["error_message"]) for one in body["steps"]] == [
        (step.pk, target, "put", "pending", "", "")
    ]
    assert body["requests"] == [
        {"method": "PUT", "path": f"{target}?api-version=2024-05-01", "body": {"properties": {"virtualNetworkTap": {"id": TAP_ID}}}}
    ]
    assert body["left_out"] == [
        {
            "nic": nic_id("web-01"),
            "name": "web-01",
            "rules": [{"id": "reachable", "outcome": "block", "message": "No way.", "remedy": "Peer.", "source": "[2019]"}],
        }
    ]
    assert body["counts"] == {"pending": 1}
    assert (body["window"], body["stop"], body["forecast"], body["sentence"]) == (None, None, None, "1 NIC → tap-one.")


def test_the_list_is_newest_first_and_pages() -> None:
    made = [make_change(reason=f"INC-{number}") for number in range(5)]
    make_step(made[4])
    client, seen = signed_in(), []
    cursor: str | None = ""
    while cursor is not None:
        body = client.get(f"/api/v1/changes?limit=2&cursor={cursor}").json()
        assert body["total"] == 5
        seen += [item["id"] for item in body["items"]]
        cursor = body["next"]
    assert seen == [one.pk for one in reversed(made)]
    assert client.get("/api/v1/changes?limit=1").json()["items"][0]["counts"] == {"pending": 1}


@pytest.mark.parametrize(
    ("query", "reasons"),
    [
        ("state=cancelled", {"B"}),
        ("action=untap", {"C"}),
        ("q=tap-tw", {"D"}),
        ("q=olga", {"INC-1: look at odd DNS", "B", "C", "D"}),
        (f"nic={nic_id('NIC-7')}", {"C"}),
        (f"tap={TAP_ID.upper()}", {"INC-1: look at odd DNS", "B", "C"}),
        ("q=nowhere", set()),
    ],
)
def test_filters(query: str, reasons: set[str]) -> None:
    first = make_change()
    make_change(reason="B", state="cancelled", finished_at=first.created_at)
    make_step(make_change(reason="C", action="untap"), "nic-7")
    make_change(reason="D", tap_name="tap-two", tap_key="b" * 26)
    assert {item["reason"] for item in signed_in().get(f"/api/v1/changes?{query}").json()["items"]} == reasons


@pytest.mark.parametrize(
    "address", ["changes?state=done", "changes?action=mirror", "changes?limit=0", "changes?cursor=x", "changes/1/export?format=tf"]
)
def test_errors_are_problems(address: str) -> None:
    response = signed_in().get(f"/api/v1/{address}")
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/problem+json")


def test_a_change_is_seen_by_those_who_see_all_of_it() -> None:
    mine, both = make_change(), make_change(subscription_ids=[SUB, OTHER])
    for client, seen in ((signed_in(only=(SUB,)), {mine.pk}), (signed_in(only=(OTHER,)), set()), (signed_in(only=(SUB, OTHER)), {mine.pk, both.pk})):
        body = client.get("/api/v1/changes").json()
        assert ({item["id"] for item in body["items"]}, body["total"]) == (seen, len(seen))
        for change in (mine, both):
            for address in (f"/api/v1/changes/{change.pk}", f"/api/v1/changes/{change.pk}/export?format=rest"):
                assert client.get(address).status_code == (200 if change.pk in seen else 404)
    assert Client().get("/api/v1/changes", headers=bearer(Role.VIEWER, OTHER)).json()["total"] == 0
    assert Client().get("/api/v1/changes").status_code == 401


@pytest.mark.parametrize("wanted", ["az", "bicep", "rest"])
def test_the_plan_as_a_text_to_take_away(wanted: str) -> None:
    change = make_change(plan={"sentence": "1 NIC → tap-one."})
    make_step(change)
    make_step(change, "nic-2", state="skipped", skip_reason="window closed")
    response = signed_in().get(f"/api/v1/changes/{change.pk}/export?format={wanted}")
    text = response.content.decode()
    assert response.status_code == 200
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert "nic-1" in text
    assert "nic-2" not in text
    assert "1 NIC → tap-one." in text
    assert AuditEntry.objects.filter(action="access.exported", target=f"change {change.pk}").count() == 1


def test_queries_do_not_grow_with_rows() -> None:
    client = signed_in()
    change = make_change()
    make_step(change)
    few = _queries(client, change.pk)
    for number in range(20):
        make_step(change, f"more-{number}")
        make_change()
    assert _queries(client, change.pk) == few
    assert max(few) <= 7


def _queries(client: Client, change_id: int) -> tuple[int, int]:
    return queries_of(lambda: client.get("/api/v1/changes")), queries_of(lambda: client.get(f"/api/v1/changes/{change_id}"))
