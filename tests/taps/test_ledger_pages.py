"""The pages Unaccounted, Drift and Preparation, and the menu's badge: what they show to whom, and what their forms do."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.inventory.factories import NOW, SUBSCRIPTION, make_estate, make_run
from tests.taps.factories import SUB, make_change, make_step
from tests.taps.lives import NOON, make_life, make_tap_life
from tests.taps.people import person
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import ResourceChange, VirtualMachine
from vtapweb.taps.models import Mirror
from vtapweb.taps.selectors.preparation import preparation_list, preparations

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\u202e'; --"
TYPED = {"owner": "team net", "reason": "known since 2024", "ticket": "CASE-1", "expires_at": ""}


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(person(Role.OPERATOR, name="olga"))
    return client


def test_the_first_review_adopts_all_that_is_shown_in_one_go(operator: Client) -> None:
    for number in range(3):
        make_life(f"nic-{number}")
    make_tap_life()
    page = operator.get("/unaccounted")
    assert b"3 mirrors were there when vtapweb first looked" in page.content
    assert page.content.count(b'data-test="unaccounted-mirror"') == 3
    answer = operator.post("/unaccounted", {**TYPED, "all": "1", "matching": "3"}, follow=True)
    assert b"4 mirrors and TAPs adopted by olga for team net." in answer.content
    assert b"Everything is accounted for" in answer.content
    assert set(Mirror.objects.values_list("origin", "owner", "ticket")) == {("adopted", "team net", "CASE-1")}


def test_only_the_ticked_ones_are_adopted_and_the_filter_stays(operator: Client) -> None:
    first, second = make_life("nic-1"), make_life("nic-2")
    make_life("other", subscription_id="99999999-9999-9999-9999-999999999999")
    assert operator.get("/unaccounted", {"q": "NIC-"}).content.count(b'data-test="unaccounted-mirror"') == 2
    assert operator.get("/unaccounted", {"subscription": SUB}).content.count(b'data-test="unaccounted-mirror"') == 2
    assert b"Nothing unaccounted fits" in operator.get("/unaccounted", {"q": "nothing"}).content
    operator.post("/unaccounted", {**TYPED, "mirror": [str(first.pk)], "expires_at": "2099-12-31"})
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.origin, second.origin) == ("adopted", "outside")
    assert first.expires_at is not None
    assert first.expires_at.isoformat() == "2100-01-01T00:00:00+00:00", "the last day is included"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"reason": ""}, "Give a reason"),
        ({"owner": ""}, "Say who answers"),
        ({"expires_at": "2001-01-01"}, "That moment is over"),
        ({"expires_at": "soon"}, "Enter a valid date"),
        ({"mirror": []}, "Tick at least one row"),
        ({"all": "1", "matching": "7"}, "you saw 7"),
    ],
)
def test_nothing_typed_is_lost_when_it_is_refused(operator: Client, typed: dict[str, Any], words: str) -> None:
    life = make_life()
    answer = operator.post("/unaccounted", {**TYPED, "mirror": [str(life.pk)], **typed})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert words in page
    for name in {"owner", "reason", "ticket"} - typed.keys():
        assert TYPED[name] in page
    if "mirror" not in typed:
        assert f'value="{life.pk}" aria-label="nic-1 to tap-one" checked' in page
    life.refresh_from_db()
    assert life.origin == "outside"


def test_a_viewer_sees_all_but_the_buttons_with_why(client: Client) -> None:
    life = make_life()
    client.force_login(person(Role.VIEWER))
    page = client.get("/unaccounted").content
    assert b'data-test="why-not"' in page
    assert b'data-test="adopt"' not in page
    assert client.post("/unaccounted", {**TYPED, "mirror": [str(life.pk)]}).status_code == 403


def test_a_limited_operator_neither_sees_nor_adopts_the_rest(client: Client) -> None:
    life = make_life(subscription_id="99999999-9999-9999-9999-999999999999")
    client.force_login(person(Role.OPERATOR, subscription_ids=(SUB,)))
    assert b"Everything is accounted for" in client.get("/unaccounted").content
    assert client.post("/unaccounted", {**TYPED, "mirror": [str(life.pk)]}).status_code == 400
    life.refresh_from_db()
    assert life.origin == "outside"


def test_hostile_names_are_only_text(operator: Client) -> None:
    make_life("m", nic_name=HOSTILE, tap_name=HOSTILE)
    make_life("n", nic_name=HOSTILE, origin="change", reason=HOSTILE, state="vanished", ended_at=NOON)
    make_tap_life(tap_name=HOSTILE, destination_id=HOSTILE)
    for path in ("/unaccounted", "/drift", "/evidence"):
        page = operator.get(path).content.decode()
        assert "<script>alert" not in page
        assert "⟨U+202E⟩" in page


def test_drift_shows_what_was_and_is_and_is_accepted_with_a_reason(operator: Client) -> None:
    change = make_change()
    gone = make_life(origin="change", reason="INC-7", began_change=change, state="vanished", ended_at=NOON)
    moved = make_life("nic-2", origin="adopted", reason="known", owner="team", state="changed", ended_at=NOON)
    make_life("nic-2", replaces=moved, tap_name="tap-elsewhere")
    tap = make_tap_life(origin="adopted", reason="known", state="changed", ended_at=NOON)
    page = operator.get("/drift").content.decode()
    assert page.count('data-test="drifted-mirror"') == 2
    assert page.count('data-test="drifted-tap"') == 1
    assert "tap-elsewhere" in page
    assert f"/changes/{change.pk}" in page
    refused = operator.post("/drift", {"mirror": [str(gone.pk)], "reason": " "})
    assert (refused.status_code, b"Give a reason" in refused.content) == (400, True)
    ids = {"mirror": [str(gone.pk), str(moved.pk)], "tap": [str(tap.pk)]}
    answer = operator.post("/drift", {**ids, "reason": "decommissioned"}, follow=True)
    assert b"Accepted: 3 changes in Azure." in answer.content
    assert b"Nothing drifted" in answer.content
    assert AuditEntry.objects.filter(action="taps.drift_accepted", reason="decommissioned").count() == 1


def test_the_menus_badge_counts_what_waits(operator: Client) -> None:
    assert operator.get("/unaccounted/counts").content.strip() == b""
    make_life()
    make_life("nic-2", origin="change", reason="x", state="vanished", ended_at=NOON)
    badge = operator.get("/unaccounted/counts").content.decode()
    assert ">2<" in badge
    assert "1 unaccounted, 1 drifted" in badge
    assert b'hx-get="/unaccounted/counts"' in operator.get("/unaccounted").content


@pytest.mark.parametrize("path", ["/unaccounted", "/drift", "/expiring", "/preparation"])
def test_pages_cost_the_same_queries_whatever_they_hold(operator: Client, path: str) -> None:
    counts = []
    for many in (1, 25):
        for number in range(many):
            make_life(f"a-{many}-{number}")
            old = make_life(f"b-{many}-{number}", origin="change", reason="x", began_change=make_change(), state="changed", ended_at=NOON)
            make_life(f"b-{many}-{number}", replaces=old)
            make_step(make_change(), f"c-{many}-{number}")
            make_life(f"d-{many}-{number}", origin="adopted", reason="x", adopted_by="ann", adopted_at=NOON, expires_at=NOON)
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(path).status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 14


# -- preparation


def power(vm: VirtualMachine, before: str, after: str, minutes: int) -> None:
    at = NOW.replace(minute=minutes)
    fields = {"power_state": [before, after]}
    values = {
        "run": make_run(),
        "subscription_id": vm.subscription_id,
        "kind": "virtual-machines",
        "key": vm.key,
        "arm_id": vm.arm_id,
        "name": vm.name,
    }
    ResourceChange.objects.create(**values, action="changed", fields=fields, at=at)


def test_the_list_groups_by_owner_and_ticks_itself_off_from_syncs(operator: Client) -> None:
    """app-01 waits, app-02 is seen stopped, app-03 is seen stopped and running: three owners' tags, the last by its NIC."""
    estate = make_estate(mirrored=0)
    change = make_change(tap_id=estate.tap.arm_id, tap_key=estate.tap.key)
    body = {"properties": {"virtualNetworkTap": {"id": estate.tap.arm_id}}}
    vms = [VirtualMachine.objects.get(arm_id=nic.virtual_machine_id) for nic in estate.nics[:3]]
    for nic, vm in zip(estate.nics, vms, strict=False):
        make_step(change, nic.name, nic_id=nic.arm_id, nic_key=nic.key, vm_key=vm.key, subscription_id=SUBSCRIPTION, body=body)
    VirtualMachine.objects.filter(pk=vms[0].pk).update(tags={"Owner": "team web"}, name="app'01")
    VirtualMachine.objects.filter(pk=vms[1].pk).update(tags={"owner": "Team Web"})
    power(vms[1], "running", "deallocated", 10)
    power(vms[2], "running", "deallocated", 10)
    power(vms[2], "deallocated", "running", 20)
    groups = preparation_list(Scope.everything())
    assert [(group.owner, [row.preparation.state for row in group.rows]) for group in groups] == [
        ("team web", ["unknown", "stopped"]),
        ("", ["prepared"]),
    ]
    page = operator.get("/preparation", {"change": change.pk}).content.decode()
    assert "2 of 3 VMs are not seen prepared for change" in page
    script = operator.get("/preparation.sh", {"owner": "TEAM WEB"}).content.decode()
    assert script.count("az vm deallocate") == 2
    assert "app'01" in script
    assert "az vm" not in operator.get("/preparation.sh", {"owner": ""}).content.decode()
    assert operator.get("/preparation", {"change": "x"}).status_code == 400
    assert b"waits for no VM" in operator.get("/preparation", {"change": "999"}).content
    assert AuditEntry.objects.filter(action="access.exported", target="preparation").count() == 2


def test_what_nobody_saw_is_unknown_and_before_the_tap_there_is_nothing_to_prepare() -> None:
    estate = make_estate(mirrored=0)
    vm = VirtualMachine.objects.get(arm_id=estate.nics[0].virtual_machine_id)
    pairs = [(vm.key, estate.tap.key), (vm.key, "t" * 26)]
    known = preparations(Scope.everything(), pairs)
    assert [known[pair].state for pair in pairs] == ["unknown", "no_tap"]
    assert known[pairs[0]].at is None
    assert preparations(Scope.of([]), pairs[:1])[pairs[0]].state == "no_tap", "what is out of scope is not there"


def test_a_change_that_is_over_waits_for_no_vm() -> None:
    estate = make_estate(mirrored=0)
    nic = estate.nics[0]
    change = make_change(state="cancelled", finished_at=NOW)
    make_step(change, nic.name, nic_id=nic.arm_id, nic_key=nic.key, subscription_id=SUBSCRIPTION)
    assert preparation_list(Scope.everything()) == []


@pytest.mark.parametrize(
    ("restarted", "title"), [(False, "vtapweb has not seen it"), (True, "seen deallocated and running again since the TAP exists")]
)
def test_a_changes_page_ticks_prepared_from_what_syncs_saw(operator: Client, restarted: bool, title: str) -> None:
    estate = make_estate(mirrored=0)
    nic = estate.nics[0]
    vm = VirtualMachine.objects.get(arm_id=nic.virtual_machine_id)
    change = make_change(tap_id=estate.tap.arm_id, tap_key=estate.tap.key, subscription_ids=[SUBSCRIPTION])
    body = {"properties": {"virtualNetworkTap": {"id": estate.tap.arm_id}}}
    make_step(change, nic.name, nic_id=nic.arm_id, nic_key=nic.key, vm_key=vm.key, subscription_id=SUBSCRIPTION, body=body)
    if restarted:
        power(vm, "running", "deallocated", 10)
        power(vm, "deallocated", "running", 20)
    page = operator.get(f"/changes/{change.pk}").content.decode()
    assert title in page


def test_lists_that_do_not_show_all_say_so(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        make_life(f"web-{number}", origin="change", reason="INC-1", state="vanished", ended_at=NOON)
        make_tap_life(f"tap-{number}")
    assert 'data-test="more' not in operator.get("/drift").content.decode() + operator.get("/unaccounted").content.decode()
    monkeypatch.setattr("vtapweb.taps.views.ledger.PAGE_ROWS", 2)
    assert "2 of 3 shown" in operator.get("/drift").content.decode()
    assert "2 of 3 TAPs shown" in operator.get("/unaccounted").content.decode()


def test_evidence_tells_when_what_is_still_there_ends_and_what_is_overdue(operator: Client) -> None:
    lives = [make_life("web-01", origin="adopted", owner="soc", reason="kept"), make_life("web-02", origin="adopted", owner="soc", reason="kept")]
    for life, days in zip(lives, (3, -3), strict=True):
        Mirror.objects.filter(pk=life.pk).update(expires_at=timezone.now() + timedelta(days=days))
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", operator.get("/evidence").content.decode()))
    assert "still there ends" in words
    assert "overdue since" in words
