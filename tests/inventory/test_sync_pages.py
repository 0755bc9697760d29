"""Syncs, feed, connect, partners: who may do what, live parts, what is lacking and what mends it."""

from datetime import timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.inventory.factories import (
    NOW,
    SUBSCRIPTION,
    make_estate,
    make_kind_state,
    make_run,
    make_subscription,
    make_subscription_sync,
    make_vnet,
)
from tests.inventory.pages import queries_of, signed_in
from vtapweb.cloud.types import Identity
from vtapweb.inventory.models import NotUnderstoodItem, RemovalHold, ResourceChange, SyncRun
from vtapweb.inventory.partners import partners
from vtapweb.inventory.whoami import identity_keep

pytestmark = pytest.mark.django_db
OTHER = "5a000000-0000-0000-0000-000000000002"


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode()


def make_feed(count: int, subscription_id: str = SUBSCRIPTION) -> None:
    make_subscription(subscription_id)
    run = make_run()
    vnet = make_vnet(f"v-{subscription_id[-1]}-{count}", subscription_id=subscription_id)
    for number in range(count):
        ResourceChange.objects.create(
            run=run, subscription_id=subscription_id, kind="vnets", key=vnet.key, arm_id=vnet.arm_id, name=f"change-{number:03d}",
            action="changed" if number else "added", fields={"etag_x": ["a", "b"]} if number else {}, at=NOW,
        )  # fmt: skip


def test_empty_pages_teach() -> None:
    client = signed_in("operator")
    assert "No subscription read yet" in text(client, "/syncs")
    assert "No change yet" in text(client, "/feed")
    assert "Azure shows no subscriptions" in text(client, "/connect")


def test_operators_start_and_cancel_viewers_read_why_not() -> None:
    viewer, operator = signed_in("viewer"), signed_in("operator")
    assert "needs the role operator" in text(viewer, "/syncs")
    assert viewer.post("/syncs/start").status_code == 403
    assert not SyncRun.objects.exists()
    answer = operator.post("/syncs/start")
    run = SyncRun.objects.get()
    assert answer.headers["Location"] == f"/syncs/{run.pk}"
    assert 'hx-trigger="vtap:sync' in text(viewer, f"/syncs/{run.pk}")
    assert "cancelling needs the role operator" in text(viewer, f"/syncs/{run.pk}")
    assert viewer.post(f"/syncs/{run.pk}/cancel").status_code == 403
    operator.post(f"/syncs/{run.pk}/cancel")
    run.refresh_from_db()
    assert run.is_cancel_requested or run.state == "cancelled"


def test_a_run_tells_progress_errors_and_what_mends_them() -> None:
    subscription = make_subscription()
    run = make_run(state="running", started_at=NOW)
    make_subscription_sync(
        run=run, subscription=subscription, state="failed", failure="forbidden", code="AuthorizationFailed", message="no read", started_at=NOW,
        progress={"virtual_networks": {"state": "complete", "sent_count": 7, "written_count": 3},
                  "network_interfaces": {"state": "reading", "sent_count": 5}},
    )  # fmt: skip
    page = text(signed_in(), f"/syncs/{run.pk}")
    for part in ("AuthorizationFailed", "Give it the role Reader", "az role assignment create", "VNets, subnets and peerings", "reading", "◐"):
        assert part in page
    run.state, run.finished_at = "partial", NOW + timedelta(seconds=75)
    run.save()
    page = text(signed_in(), f"/syncs/{run.pk}")
    assert "hx-trigger" not in page.split('id="sync-part"')[1].split(">")[0]
    assert "1 min 15 s" in page


def test_runs_of_others_do_not_exist() -> None:
    run = make_run()
    make_subscription_sync(run=run, subscription=make_subscription(OTHER))
    client = signed_in(only=(SUBSCRIPTION,))
    assert client.get(f"/syncs/{run.pk}").status_code == 404
    assert client.get(f"/api/v1/syncs/{run.pk}").status_code == 404
    assert client.get("/api/v1/syncs").json()["total"] == 0


def test_api_syncs() -> None:
    make_estate()
    viewer, operator = signed_in("viewer"), signed_in("operator", only=(SUBSCRIPTION,))
    assert viewer.post("/api/v1/syncs").status_code == 403
    assert operator.post("/api/v1/syncs", {"subscription_ids": [OTHER]}, content_type="application/json").status_code == 404
    assert signed_in("operator").post("/api/v1/syncs", {"subscription_ids": ["../x"]}, content_type="application/json").status_code == 400
    answer = operator.post("/api/v1/syncs", {"subscription_ids": [SUBSCRIPTION]}, content_type="application/json")
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert operator.get(answer.headers["Location"]).json()["id"] == body["id"]
    assert body["state"] == "queued"
    assert operator.generic("POST", "/api/v1/syncs").status_code == 202


def test_held_removals_wait_for_an_admin() -> None:
    subscription = make_subscription()
    hold = RemovalHold.objects.create(
        subscription=subscription, run=make_run(), read_kind="virtual_networks", kind="vnets", keys=[], missing_count=40, present_count=50,
        created_at=NOW, seen_at=NOW,
    )  # fmt: skip
    assert "40 of 50" in text(signed_in(), "/syncs")
    assert "Confirm: they are gone" not in text(signed_in("operator"), "/syncs")
    assert signed_in("operator").post(f"/syncs/holds/{hold.pk}", {"decision": "dismiss"}).status_code == 403
    admin = signed_in("admin")
    assert "Confirm: they are gone" in text(admin, "/syncs")
    admin.post(f"/syncs/holds/{hold.pk}", {"decision": "dismiss"})
    hold.refresh_from_db()
    assert hold.state == "dismissed"
    admin.post(f"/syncs/holds/{hold.pk}", {"decision": "dismiss"})
    assert "decided already" in text(admin, "/syncs")


def test_what_could_not_be_understood_is_shown_as_it_came() -> None:
    NotUnderstoodItem.objects.create(subscription=make_subscription(), kind="virtual_networks", reason="no id", raw=b'{"x": "<b>"}', seen_at=NOW)
    page = text(signed_in(), "/syncs")
    assert "no id" in page
    assert "&quot;&lt;b&gt;&quot;" in page


def test_the_feed_filters_and_pages_and_keeps_scope() -> None:
    make_feed(130)
    make_feed(3, OTHER)
    client = signed_in(only=(SUBSCRIPTION,))
    page = text(client, "/feed?kind=vnets")
    assert "change-129" in page
    assert "change-029" not in page
    older = page.split('data-test="older"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert "change-029" in text(client, older)
    assert "change-000" in text(client, "/feed?action=added")
    assert "No such change" in text(client, "/feed?kind=nics")
    assert OTHER not in text(client, "/feed")


def test_connect_compares_expected_subscriptions_and_gives_commands(settings: Settings) -> None:
    settings.CLOUD = "simulator"
    subscription = make_subscription()
    make_kind_state("network_interfaces", subscription=subscription, status="failed", failure="forbidden", code="AuthorizationFailed")
    client = signed_in("admin")
    page = text(client, "/connect")
    assert f"--scope /subscriptions/{SUBSCRIPTION}" in page
    page = client.post("/connect", {"expected": f"{SUBSCRIPTION.upper()}\ncorp-net\n{OTHER}\n"}).content.decode()
    assert "2 of 3" in page
    assert f"/subscriptions/{OTHER}" in page


def test_connect_tells_a_limited_person_what_the_grants_lack_and_nothing_else() -> None:
    make_subscription()
    make_subscription(OTHER, name="corp-secret")
    unheard_of = "99999999-0000-4000-8000-000000000000"
    granted_unseen = "99999999-0000-4000-8000-000000000001"
    client = signed_in(only=(SUBSCRIPTION, granted_unseen))

    def told(*expected: str) -> str:
        page = client.post("/connect", {"expected": "\n".join((SUBSCRIPTION, *expected))}).content.decode()
        return page.partition('data-test="expected"')[2].partition("<form")[0]

    exists = told(OTHER)
    assert "1 of 2" in exists
    assert "Not among the subscriptions granted to you" in exists
    assert "az role assignment" not in exists
    for other in (unheard_of, "corp-secret"):
        assert told(other).replace(other, "ID") == exists.replace(OTHER, "ID"), "alike whether it exists or not"
    granted = told(granted_unseen)
    assert f"--scope /subscriptions/{granted_unseen}" in granted
    assert "Not among" not in granted
    assert "Not among" not in signed_in().post("/connect", {"expected": unheard_of}).content.decode()
    assert "No subscription that you may see" in text(signed_in(only=()), "/connect")


def test_who_we_are_or_why_we_can_not_tell(settings: Settings) -> None:
    settings.CLOUD = ""
    assert "VTAPWEB_CLOUD is not set" in text(signed_in(), "/connect/identity")
    settings.CLOUD, settings.ARM_ENDPOINT, settings.ARM_TOKEN = "custom", "https://arm.example.com", "opaque-token"
    page = text(signed_in(), "/connect/identity")
    assert "arm.example.com" in page
    assert "opaque-token" not in page
    assert "az ad sp show --id CLIENT_ID" in page
    assert "OBJECT_ID" in text(signed_in(), "/connect")


def test_commands_hold_the_identity_that_was_told_last() -> None:
    make_kind_state("network_interfaces", subscription=make_subscription(), status="failed", failure="forbidden", code="AuthorizationFailed")
    identity_keep(Identity(cloud="custom", endpoint="https://arm.example.com", name="reader", object_id="0b1ec7", principal_type="ServicePrincipal"))
    for address in ("/connect", "/syncs"):
        assert "--assignee-object-id 0b1ec7 --assignee-principal-type ServicePrincipal" in text(signed_in(), address)
    assert f"--scope /subscriptions/{OTHER}" in signed_in("admin").post("/connect", {"expected": OTHER}).content.decode()


def test_a_refused_list_is_called_refused_whatever_it_means() -> None:
    subscription = make_subscription()
    for kind, status in (("network_interfaces", "failed"), ("virtual_machine_statuses", "not_available")):
        make_kind_state(kind, subscription=subscription, status=status, failure="forbidden", code="AuthorizationFailed")
    page = text(signed_in(), "/connect")
    assert page.count("refused</span>") == 2
    assert "not available here" not in page
    assert page.count('data-test="lack"') == 1


def test_partners_are_named_with_category_and_documentation() -> None:
    page = text(signed_in(), "/partners")
    assert len(partners()) == 24
    for one in partners():
        assert one.confidence in ("high", "medium", "low")
        assert all(way.role in ("collector", "management") for way in one.recognition)
    assert "Corelight" in page
    assert "What can be a collector" in page
    fragment = signed_in().get("/partners", headers={"HX-Request": "true"}).content.decode()
    assert "No collector yet?" in fragment
    assert "<html" not in fragment
    assert "formerly Gigamon GigaSECURE" in page


@pytest.mark.parametrize("address", ["/syncs", "/feed", "/connect"])
def test_queries_do_not_grow(address: str) -> None:
    client = signed_in()
    for number in range(2):
        make_subscription_sync(run=make_run(), subscription=make_subscription(f"5b000000-0000-0000-0000-00000000000{number}", name=f"s{number}"))
    make_feed(2)
    few = queries_of(lambda: client.get(address))
    for number in range(2, 9):
        subscription = make_subscription(f"5b000000-0000-0000-0000-00000000000{number}", name=f"s{number}")
        make_subscription_sync(run=make_run(), subscription=subscription)
        make_kind_state("network_interfaces", subscription=subscription, status="failed", failure="forbidden")
    make_feed(30, OTHER)
    assert queries_of(lambda: client.get(address)) == few


def test_many_first_sightings_of_a_run_are_one_line_of_the_feed() -> None:
    """Run 1 saw 30 first, run 2 changed one, run 3 saw 40 first: three groups, newest first, and nothing is lost behind "show them"."""
    subscription = make_subscription()
    runs = [make_run() for _ in range(3)]
    for run, action, number in ((runs[0], "added", 30), (runs[1], "changed", 1), (runs[2], "added", 40)):
        make_subscription_sync(run=run, subscription=subscription, added_count=number if action == "added" else 0)
        ResourceChange.objects.bulk_create(
            ResourceChange(
                run=run, subscription_id=SUBSCRIPTION, kind="nics", key="k", arm_id="/a", name=f"{action}-{run.pk}-{one}-", action=action, at=NOW
            )
            for one in range(number)
        )
    client = signed_in()
    page = text(client, "/feed")
    places = [page.index(words) for words in (f"40 resources first seen in run {runs[2].pk}", f"changed-{runs[1].pk}-0-", "30 resources first seen")]
    assert places == sorted(places)
    assert f"added-{runs[2].pk}-0-" not in page
    unfolded = text(client, f"/feed?run={runs[2].pk}&action=added")
    assert unfolded.count(f"added-{runs[2].pk}-") == 40
    assert "No change yet" in text(signed_in(only=(OTHER,)), "/feed")
