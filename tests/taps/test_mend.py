"""From the ledger to a plan: removals of what is unaccounted, and drift made anew, through the pages' forms.

hub [nic-packetlog <- TAP tap-collector]  spoke [app-01 … app-04, the first two of them mirrored]
"""

from datetime import timedelta

import pytest
from django.test import Client

from tests.inventory.factories import NOW, SUBSCRIPTION, Estate, make_estate, make_tap
from tests.taps.conditions import make_all_read, make_conditions
from tests.taps.people import person
from tests.taps.test_plan import make_group
from vtapweb.access.role import Role
from vtapweb.inventory.models import TapConfiguration, VirtualNetworkTap
from vtapweb.taps.actions.reconcile import subscription_reconcile
from vtapweb.taps.models import Change, Mirror, TapLife

pytestmark = pytest.mark.django_db


@pytest.fixture
def estate() -> Estate:
    found = make_estate(mirrored=2)
    make_all_read()
    make_conditions(found.subscription.pk)
    make_group("rg-net")
    look()
    return found


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(person(Role.OPERATOR, name="olga"))
    return client


def look(hours: int = 0) -> None:
    subscription_reconcile(subscription_id=SUBSCRIPTION, now=NOW + timedelta(hours=hours))


def ids(*nics: str) -> list[str]:
    return [str(pk) for pk in Mirror.objects.filter(nic_name__in=nics, replaces=None).order_by("pk").values_list("pk", flat=True)]


def answered_for() -> None:
    Mirror.objects.update(origin="adopted", reason="known", ticket="CASE-1")
    TapLife.objects.update(origin="adopted", reason="known")


def test_ticked_mirrors_become_a_plan_to_remove_them(operator: Client, estate: Estate) -> None:
    chosen = ids("app-01-nic", "app-02-nic")
    answer = operator.post("/unaccounted", {"deed": "remove", "mirror": chosen, "reason": "nobody knows them", "ticket": "CASE-2"})
    change = Change.objects.get()
    assert answer["Location"] == f"/changes/{change.pk}"
    assert (change.action, change.state, change.reason, change.ticket) == ("untap", "planned", "nobody knows them", "CASE-2")
    assert {(step.action, step.nic_key) for step in change.steps.all()} == {("delete", nic.key) for nic in estate.nics[:2]}
    assert Mirror.objects.filter(origin="outside", ended_at=None).count() == 2, "planned is not gone"


def test_what_cannot_be_planned_is_told_and_nothing_typed_is_lost(operator: Client, estate: Estate) -> None:
    for typed in ({"mirror": ids("app-01-nic"), "reason": ""}, {"reason": "why"}, {"tap": [str(TapLife.objects.get().pk)], "reason": "in use"}):
        answer = operator.post("/unaccounted", {"deed": "remove", "owner": "typed owner", **typed})
        assert answer.status_code == 400
        assert b'class="errorlist' in answer.content
        assert b"typed owner" in answer.content
    assert not Change.objects.exists()


def test_vanished_mirrors_are_planned_anew_to_their_tap(operator: Client, estate: Estate) -> None:
    answered_for()
    TapConfiguration.objects.update(removed_at=NOW)
    for nic in estate.nics:
        nic.tap_ids, nic.is_mirrored = [], False
        nic.save()
    look(1)
    operator.post("/drift", {"deed": "re_create", "mirror": ids("app-01-nic", "app-02-nic"), "reason": "they are wanted"})
    change = Change.objects.get()
    assert (change.action, change.tap_key, change.ticket) == ("tap", estate.tap.key, "CASE-1")
    assert {step.nic_key for step in change.steps.all()} == {nic.key for nic in estate.nics[:2]}


def test_a_mirror_that_points_elsewhere_is_moved_back(operator: Client, estate: Estate) -> None:
    answered_for()
    other = make_tap("tap-other", destination_id=estate.tap.destination_id)
    TapConfiguration.objects.update(virtual_network_tap_id=other.arm_id, virtual_network_tap_key=other.key)
    look(1)
    operator.post("/drift", {"deed": "re_create", "mirror": ids("app-01-nic"), "reason": "they are wanted"})
    change = Change.objects.get()
    assert (change.action, change.tap_key) == ("move", estate.tap.key)
    assert [step.action for step in change.steps.all()] == ["delete", "put"]


def test_a_vanished_tap_is_created_again_and_one_that_changed_is_not(operator: Client, estate: Estate) -> None:
    answered_for()
    tap = TapLife.objects.get()
    VirtualNetworkTap.objects.update(destination_ip_configuration_id="/elsewhere", destination_ip_configuration_key="e" * 26)
    look(1)
    refused = operator.post("/drift", {"deed": "re_create", "tap": [str(tap.pk)], "reason": "wanted"})
    assert (refused.status_code, b"with another destination" in refused.content) == (400, True)
    TapLife.objects.exclude(pk=tap.pk).delete()
    VirtualNetworkTap.objects.update(removed_at=NOW)
    TapLife.objects.filter(pk=tap.pk).update(state="vanished")
    TapConfiguration.objects.update(removed_at=NOW)
    operator.post("/drift", {"deed": "re_create", "tap": [str(tap.pk)], "reason": "wanted"})
    change = Change.objects.get()
    assert (change.action, change.tap_name) == ("create_tap", estate.tap.name)


def test_one_plan_is_about_one_tap_and_one_kind_of_drift(operator: Client, estate: Estate) -> None:
    answered_for()
    TapConfiguration.objects.filter(network_interface=estate.nics[0]).update(removed_at=NOW)
    other = make_tap("tap-other", destination_id=estate.tap.destination_id)
    TapConfiguration.objects.filter(network_interface=estate.nics[1]).update(virtual_network_tap_id=other.arm_id, virtual_network_tap_key=other.key)
    look(1)
    answer = operator.post("/drift", {"deed": "re_create", "mirror": ids("app-01-nic", "app-02-nic"), "reason": "typed reason"})
    assert answer.status_code == 400
    assert b"each is a change of its own" in answer.content
    assert b"typed reason" in answer.content


def test_a_viewer_plans_nothing(client: Client, estate: Estate) -> None:
    client.force_login(person(Role.VIEWER))
    for path, deed in (("/unaccounted", "remove"), ("/drift", "re_create")):
        assert client.post(path, {"deed": deed, "mirror": ids("app-01-nic"), "reason": "x"}).status_code == 403
    assert not Change.objects.exists()
