"""The whole way over the API, as docs/api.md tells it with curl: verdicts → changes → apply → undo, against the simulator.

token ── API ── plan ── engine ── the SDK's pipeline ── simulator (estate S, NICs added to spoke-crm)
"""

from typing import Any

import pytest
from django.test import Client

from tests.taps.people import bearer
from tests.taps.stage import ILB, PACKETLOG, Stage
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.inventory.actions import sync_run_in_foreground
from vtapweb.inventory.models import ResourceGroup, Subscription
from vtapweb.taps.actions.conditions import conditions_refresh, permissions_read
from vtapweb.taps.models import Change

pytestmark = pytest.mark.django_db(transaction=True)


def read_all(azure: Stage) -> None:
    sync_run_in_foreground(subscription_ids=None, actor="the test", opener=azure.cloud, wait=azure.pass_s)
    for subscription in Subscription.objects.all():
        conditions_refresh(subscription_id=subscription.pk, opener=azure.cloud)
    permissions_read(scope_ids=list(ResourceGroup.objects.values_list("arm_id", flat=True)), opener=azure.cloud)


def call(path: str, body: dict[str, Any] | None = None, *, role: Role = Role.OPERATOR) -> dict[str, Any]:
    """What the API answers: a POST with a body, else a GET."""
    client, address = Client(), f"/api/v1/{path}"
    sent = client.get(address, headers=bearer(role)) if body is None else client.post(address, body, "application/json", headers=bearer(role))
    assert sent.status_code < 300, sent.content
    found: dict[str, Any] = sent.json()
    return found


def carried_out(azure: Stage, change_id: int) -> dict[str, Any]:
    assert call(f"changes/{change_id}/apply", {})["state"] == "applying"
    azure.run(Change.objects.get(pk=change_id))
    return call(f"changes/{change_id}", role=Role.VIEWER)


def test_verdicts_changes_apply_undo(azure: Stage) -> None:
    nics = azure.add_nics(6)
    azure.order("tap-configurations/create", nic=nics[5], tap=PACKETLOG, name="by-hand")
    read_all(azure)
    verdicts = call("verdicts", {"nics": nics, "taps": [ILB]}, role=Role.VIEWER)
    assert [one["allowed"] for one in verdicts["items"]] == [True] * 5 + [False]

    plan = call("changes", {"action": "tap", "nics": nics, "tap": ILB, "reason": "INC-7: odd DNS", "ticket": "CHG-9"})
    name = nics[5].rsplit("/", 1)[1]
    assert plan["sentence"].startswith(f"5 of 6 NICs → tap-ilb-uks. Left out: {name}, already mirrored to tap-packetlog-uks. 5 requests in 2 waves")
    assert not azure.writes()

    applied = carried_out(azure, plan["id"])
    assert (applied["state"], applied["counts"]) == ("applied", {"verified": 5})
    assert [(one.method, one.path.partition("?")[0].lower()) for one in azure.writes()] == [
        (one["method"], one["path"].partition("?")[0].lower()) for one in plan["requests"]
    ]
    assert {one[1] for nic in nics[:5] for one in azure.configurations(nic)} == {ILB}

    undo = call(f"changes/{plan['id']}/undo", {})
    undone = carried_out(azure, undo["id"])
    assert (undone["state"], undone["undo_of"]) == ("applied", plan["id"])
    assert [azure.configurations(nic) for nic in nics[:5]] == [[]] * 5
    assert [one[0] for one in azure.configurations(nics[5])] == ["by-hand"]
    assert [one.method for one in azure.writes()] == ["PUT"] * 5 + ["DELETE"] * 5
    told = AuditEntry.objects.filter(action__startswith="taps.change_").order_by("pk").values_list("action", flat=True)
    assert list(told) == [f"taps.change_{what}" for what in ("planned", "started", "ended", "planned", "started", "ended")]


def test_a_move_over_the_api(azure: Stage) -> None:
    nics = azure.add_nics(2)
    for nic in nics:
        azure.order("tap-configurations/create", nic=nic, tap=PACKETLOG, name="by-hand")
    read_all(azure)
    moved = carried_out(azure, call("changes", {"action": "move", "nics": nics, "tap": ILB, "reason": "the new collector"})["id"])
    assert (moved["state"], [one["action"] for one in moved["steps"]]) == ("applied", ["delete", "put"] * 2)
    assert [azure.configurations(nic)[0][:2] for nic in nics] == [("by-hand", ILB)] * 2
    back = carried_out(azure, call(f"changes/{moved['id']}/undo", {})["id"])
    assert (back["state"], back["action"]) == ("applied", "move")
    assert [azure.configurations(nic)[0][:2] for nic in nics] == [("by-hand", PACKETLOG)] * 2


def test_a_tap_is_made_tagged_and_deleted_over_the_api(azure: Stage) -> None:
    nics = azure.add_nics(1)
    read_all(azure)
    destination = call("taps?q=tap-ilb-uks", role=Role.VIEWER)["items"][0]["destination_id"]
    body = {"action": "create_tap", "name": "tap-new", "resource_group": "rg-hub-uks", "destination": destination, "tags": {"a": "b"}}
    made = carried_out(azure, call("changes", {**body, "nics": nics, "reason": "a TAP of our own"})["id"])
    assert (made["state"], made["counts"]) == ("applied", {"verified": 2})
    tagged = carried_out(azure, call("changes", {"action": "update_tap_tags", "tap": made["tap"], "tags": {"c": "d"}, "reason": "tags"})["id"])
    assert tagged["state"] == "applied"
    body = {"action": "delete_tap", "tap": made["tap"], "reason": "x"}
    refused = Client().post("/api/v1/changes", body, "application/json", headers=bearer(Role.OPERATOR))
    assert (refused.status_code, refused.json()["offer"]["action"]) == (409, "untap")
    gone = carried_out(azure, call(f"changes/{made['id']}/undo", {})["id"])
    assert (gone["state"], gone["action"]) == ("applied", "delete_tap")
    assert azure.server.estate.get(made["tap"]) is None
