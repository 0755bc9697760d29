"""The API's way: verdict, plan, apply, undo; every refusal a problem that says why and names its field or rule."""

from typing import Any

import pytest
from django.test import Client

from tests.inventory.factories import SUBSCRIPTION, Estate
from tests.taps.people import bearer
from tests.taps.played import play
from tests.taps.test_plan import NOW, OTHER, make_world, mirror
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.taps.models import Change, SubscriptionWrites

pytestmark = pytest.mark.django_db


@pytest.fixture
def estate() -> Estate:
    return make_world()


def post(path: str, body: dict[str, Any] | None = None, *, role: Role = Role.OPERATOR, only: tuple[str, ...] = (), **headers: str) -> Any:
    sent = {**bearer(role, *only), **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Client().post(f"/api/v1/{path}", body if body is not None else {}, content_type="application/json", headers=sent)


def tap_body(estate: Estate, **given: Any) -> dict[str, Any]:
    return {"action": "tap", "nics": [nic.arm_id for nic in estate.nics[:2]], "tap": estate.tap.arm_id, "reason": "INC-7", **given}


def test_a_plan_is_made_and_found_again(estate: Estate) -> None:
    pace = {"first": 2, "wave": 3, "settle_s": 0, "keep_apart": "role"}
    response = post("changes", tap_body(estate, ticket="CHG-1", pace=pace, expires_at="2099-01-01T00:00:00Z"))
    body = response.json()
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/v1/changes/{body['id']}")
    assert (body["state"], body["action"], body["ticket"], body["pace"]) == ("planned", "tap", "CHG-1", pace)
    assert [(one["method"], one["path"]) for one in body["requests"]] == [
        ("PUT", f"{nic.arm_id}/tapConfigurations/vtapweb?api-version=2024-05-01") for nic in estate.nics[:2]
    ]
    assert Client().get(response.headers["Location"], headers=bearer(Role.VIEWER)).json() == body


def test_what_is_typed_wrong_is_told_by_field(estate: Estate) -> None:
    response = post("changes", {"action": "tap", "nics": ["web-01"], "tap": estate.tap.arm_id, "pace": {"first": 0}})
    problem = response.json()
    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json")
    assert {one["at"] for one in problem["errors"]} == {"nics", "reason", "pace.first"}


@pytest.mark.parametrize("body", [{"action": "mirror"}, {"action": "tap", "nic": []}, {"action": "tap", "pace": {"speed": 1}}, {}])
def test_what_is_no_plan_is_refused(body: dict[str, Any]) -> None:
    assert post("changes", body).status_code == 422
    assert not Change.objects.exists()


def test_what_the_rules_refuse_names_them(estate: Estate) -> None:
    for nic in estate.nics[:2]:
        mirror(nic, estate.tap)
    response = post("changes", tap_body(estate))
    problem = response.json()
    assert response.status_code == 409
    assert {one["id"] for one in problem["rules"]} == {"one-config-per-nic"}
    assert [set(one) for one in problem["rules"]] == [{"id", "outcome", "message", "remedy", "source"}] * len(problem["rules"])
    assert [one["name"] for one in problem["left_out"]] == ["app-01-nic", "app-02-nic"]
    used = post("changes", {"action": "delete_tap", "tap": estate.tap.arm_id, "reason": "x"})
    assert (used.status_code, used.json()["offer"]) == (409, {"action": "untap", "tap": estate.tap.arm_id})


def test_viewers_read_and_do_not_act(estate: Estate) -> None:
    change_id = post("changes", tap_body(estate)).json()["id"]
    assert post("changes", tap_body(estate), role=Role.VIEWER).status_code == 403
    for verb in ("apply", "pause", "continue", "cancel", "undo", "retry", "hand-over"):
        assert post(f"changes/{change_id}/{verb}", role=Role.VIEWER).status_code == 403
        assert post(f"changes/{change_id}/{verb}", only=(OTHER,)).status_code == 404
    assert Change.objects.get().state == "planned"


def test_the_same_key_is_the_same_change(estate: Estate) -> None:
    first = post("changes", tap_body(estate), Idempotency_Key="a-1")
    again = post("changes", tap_body(estate), Idempotency_Key="a-1")
    assert (first.status_code, again.status_code, again.json()["id"]) == (201, 201, first.json()["id"])
    assert post("changes", tap_body(estate, reason="other"), Idempotency_Key="a-1").status_code == 422
    assert post("changes", tap_body(estate), Idempotency_Key="x" * 201).status_code == 400


def test_a_plan_is_handed_over_or_cancelled_once(estate: Estate) -> None:
    change_id = post("changes", tap_body(estate)).json()["id"]
    handed = post(f"changes/{change_id}/hand-over", {"reason": "the network team runs it"})
    assert (handed.status_code, handed.json()["state"]) == (200, "handed_over")
    assert AuditEntry.objects.get(action="taps.change_handed_over").reason == "the network team runs it"
    for verb in ("hand-over", "apply", "undo", "retry"):
        assert post(f"changes/{change_id}/{verb}").status_code == 409
    given_up = post(f"changes/{change_id}/cancel", {"reason": "nobody does it"}).json()
    assert (given_up["state"], given_up["counts"]) == ("cancelled", {"skipped": 2})
    other = post("changes", tap_body(estate)).json()["id"]
    assert post(f"changes/{other}/cancel").json()["state"] == "cancelled"


def test_apply_then_undo(estate: Estate) -> None:
    """What the engine does between is played by hand here; tests of the engine and the drills run it."""
    change_id = post("changes", tap_body(estate)).json()["id"]
    assert post(f"changes/{change_id}/undo").status_code == 409
    assert post(f"changes/{change_id}/apply").json()["title"] == "Writes are off"
    notice = {"preview_accepted_by": "ada", "preview_accepted_at": NOW}
    SubscriptionWrites.objects.create(subscription_id=SUBSCRIPTION, is_enabled=True, by="ada", at=NOW, **notice)
    applied = post(f"changes/{change_id}/apply")
    assert (applied.status_code, applied.json()["state"]) == (202, "applying")
    assert post(f"changes/{change_id}/pause").json()["state"] == "paused"
    assert post(f"changes/{change_id}/continue").json()["state"] == "applying"
    play(Change.objects.get(pk=change_id))
    undone = post(f"changes/{change_id}/undo")
    body = undone.json()
    assert (undone.status_code, body["action"], body["undo_of"], body["state"]) == (201, "untap", change_id, "planned")
    assert [(one["method"], one["path"]) for one in body["requests"]] == [
        ("DELETE", f"{nic.arm_id}/tapConfigurations/vtapweb?api-version=2024-05-01") for nic in estate.nics[:2]
    ]
    followers = Client().get(f"/api/v1/changes/{change_id}", headers=bearer(Role.VIEWER)).json()["followers"]
    assert followers == [{"id": body["id"], "action": "untap", "state": "planned", "as": "undo"}]
    assert Client().get("/api/v1/changes", headers=bearer(Role.VIEWER, SUBSCRIPTION)).json()["total"] == 2


def test_a_plan_that_grew_old_says_so(estate: Estate) -> None:
    change_id = post("changes", tap_body(estate)).json()["id"]
    mirror(estate.nics[0], estate.tap)
    body = Client().get(f"/api/v1/changes/{change_id}", headers=bearer(Role.VIEWER)).json()
    assert [(one["name"], one["is_refused"], one["rules"]) for one in body["differences"]] == [("app-01-nic", True, ["one-config-per-nic"])]
    notice = {"preview_accepted_by": "ada", "preview_accepted_at": NOW}
    SubscriptionWrites.objects.create(subscription_id=SUBSCRIPTION, is_enabled=True, by="ada", at=NOW, **notice)
    asked = post(f"changes/{change_id}/apply")
    assert (asked.status_code, asked.json()["digest"]) == (409, body["differences_digest"])
    applied = post(f"changes/{change_id}/apply", {"accepted_digest": body["differences_digest"]})
    assert (applied.status_code, applied.json()["counts"]) == (202, {"pending": 1, "skipped": 1})
