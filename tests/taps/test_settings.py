"""What admins say about an estate: protected scopes, change windows, collectors."""

from collections.abc import Callable
from datetime import time

import pytest
from django.core.exceptions import ValidationError

from tests.inventory.factories import SUBSCRIPTION, arm_id
from tests.taps.people import token_viewer, viewer
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.taps.actions.settings import assignment_remove, assignment_set, protect_add, protect_remove, window_add, window_remove
from vtapweb.taps.models import ChangeWindow, ProtectedScope
from vtapweb.taps.selectors.writes import change_windows, collector_assignments, protected_scopes
from vtapweb.traffic.models import CollectorAssignment
from vtapweb.web.problem import ProblemError

pytestmark = pytest.mark.django_db

VNET = arm_id("virtualNetworks", "spoke")
DESTINATION = arm_id("networkInterfaces/nic-collector/ipConfigurations", "ipconfig1")


@pytest.fixture
def ada() -> Viewer:
    return viewer(Role.ADMIN, name="ada")


@pytest.mark.parametrize(
    ("kind", "value", "key"),
    [
        ("subscription", SUBSCRIPTION.upper(), SUBSCRIPTION),
        ("subscription", f"/subscriptions/{SUBSCRIPTION}/", SUBSCRIPTION),
        ("vnet", VNET.upper(), arm_key(VNET)),
        ("subnet", f"{VNET}/subnets/apps", arm_key(f"{VNET}/subnets/apps")),
        ("tag", "Data-Class = Secret", "data-class=Secret"),
        ("tag", "PCI", "pci"),
        ("tag", "empty=", "empty="),
        ("collector", DESTINATION, arm_key(DESTINATION)),
    ],
)
def test_a_scope_is_protected_and_released(ada: Viewer, kind: str, value: str, key: str) -> None:
    row = protect_add(kind=kind, value=value, owner="Payments", contact="payments@example.com", acting_user=ada)
    assert (row.kind, row.key, row.owner, row.contact, row.by) == (kind, key, "Payments", "payments@example.com", "ada")
    with pytest.raises(ValidationError, match="protected already"):
        protect_add(kind=kind, value=value, owner="Payments", contact="payments@example.com", acting_user=ada)
    protect_remove(protected=row, acting_user=ada)
    assert not ProtectedScope.objects.exists()
    first, last = AuditEntry.objects.order_by("pk")
    assert (first.action, last.action, first.actor) == ("taps.protected", "taps.unprotected", "ada")
    assert first.detail["key"] == last.detail["key"] == key


def test_one_scope_may_be_protected_from_several_collectors(ada: Viewer) -> None:
    other = arm_id("loadBalancers/ilb/frontendIPConfigurations", "frontend")
    for collector in ("", DESTINATION, other):
        protect_add(kind="vnet", value=VNET, owner="Payments", contact="x@example.com", for_collector_id=collector, acting_user=ada)
    assert {row.for_collector_key for row in ProtectedScope.objects.all()} == {"", arm_key(DESTINATION), arm_key(other)}


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("subscription", "two words", "subscription id"),
        ("vnet", "spoke", "ARM id"),
        ("vnet", f"{VNET}/subnets/apps", "no ARM id of a VNet"),
        ("subnet", VNET, "no ARM id of a subnet"),
        ("collector", VNET, "no ARM id of a TAP's destination"),
        ("tag", "=x", "name=value"),
        ("tag", "  ", "name=value"),
        ("region", "uksouth", "Protect a subscription"),
    ],
)
def test_what_is_no_scope_is_refused(ada: Viewer, kind: str, value: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        protect_add(kind=kind, value=value, owner="Payments", contact="payments@example.com", acting_user=ada)
    assert not ProtectedScope.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_protection_names_owner_and_contact_and_a_collector_stands_alone(ada: Viewer) -> None:
    with pytest.raises(ValidationError, match="owner"):
        protect_add(kind="tag", value="pci", owner=" ", contact="x", acting_user=ada)
    with pytest.raises(ValidationError, match="nobody"):
        protect_add(kind="collector", value=DESTINATION, for_collector_id=DESTINATION, owner="Payments", contact="x", acting_user=ada)
    with pytest.raises(ValidationError, match="destination"):
        protect_add(kind="tag", value="pci", for_collector_id=VNET, owner="Payments", contact="payments@example.com", acting_user=ada)


def test_hostile_text_is_kept_as_text(ada: Viewer) -> None:
    row = protect_add(kind="tag", value="a\0=<b>\u202e", owner="<script>\0", contact="\ud800x", acting_user=ada)
    row.refresh_from_db()
    assert (row.value, row.owner, row.contact) == ("a\ufffd=<b>\u202e", "<script>\ufffd", "\ufffdx")


def test_windows_come_and_go(ada: Viewer) -> None:
    row = window_add(name="Saturday night", weekdays=[5, 5], opens=time(22), closes=time(2), zone="Europe/London", acting_user=ada)
    assert (row.weekdays, row.opens, row.closes) == ([5], time(22), time(2))
    assert list(change_windows(Scope.of([]))) == [row]
    window_remove(window=row, acting_user=ada)
    assert [one.action for one in AuditEntry.objects.order_by("pk")] == ["taps.window_added", "taps.window_removed"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": " "}, "name"),
        ({"weekdays": []}, "at least one day"),
        ({"weekdays": [7]}, "at least one day"),
        ({"zone": "Mars/Olympus"}, "time zone"),
        ({"zone": "../etc/passwd"}, "time zone"),
        ({"zone": ""}, "time zone"),
    ],
)
def test_what_is_no_window_is_refused(ada: Viewer, given: dict[str, object], says: str) -> None:
    values: dict[str, object] = {"name": "n", "weekdays": [0], "opens": time(1), "closes": time(2), "zone": "UTC", **given}
    with pytest.raises(ValidationError, match=says):
        window_add(**values, acting_user=ada)  # type: ignore[arg-type]
    assert not ChangeWindow.objects.exists()


def test_a_collector_is_said_to_be_something_once(ada: Viewer) -> None:
    assignment_set(destination_id=DESTINATION, partner="gigamon", capacity_bits_per_s=10**10, acting_user=ada)
    row = assignment_set(destination_id=DESTINATION.upper(), name="brokers", acting_user=ada)
    assert CollectorAssignment.objects.get() == row
    assert (row.name, row.partner, row.capacity_bits_per_s, row.subscription_id) == ("brokers", "", None, SUBSCRIPTION)
    assert list(collector_assignments(Scope.of([]))) == []
    assert list(collector_assignments(Scope.of([SUBSCRIPTION]))) == [row]
    assignment_remove(assignment=row, acting_user=ada)
    assert not CollectorAssignment.objects.exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [({"destination_id": VNET}, "destination"), ({"partner": "nobody"}, "no such partner"), ({"capacity_bits_per_s": 0}, "more than 0")],
)
def test_what_is_no_collector_is_refused(ada: Viewer, given: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        assignment_set(**{"destination_id": DESTINATION, **given}, acting_user=ada)  # type: ignore[arg-type]


DEEDS: dict[str, Callable[[Viewer], object]] = {
    "protect": lambda who: protect_add(kind="tag", value="pci", owner="Payments", contact="payments@example.com", acting_user=who),
    "window": lambda who: window_add(name="n", weekdays=[0], opens=time(1), closes=time(2), zone="UTC", acting_user=who),
    "assign": lambda who: assignment_set(destination_id=DESTINATION, acting_user=who),
}


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_admins_set_anything(role: Role, deed: str) -> None:
    with pytest.raises(ProblemError, match="role admin"):
        DEEDS[deed](viewer(role))


def test_a_limited_admin_token_sets_only_what_lies_in_its_subscriptions() -> None:
    limited = token_viewer(Role.ADMIN, "5a000000-0000-0000-0000-000000000009")
    for deed in ("protect", "window"):
        with pytest.raises(ProblemError, match="whole installation"):
            DEEDS[deed](limited)
    with pytest.raises(ValidationError, match="outside"):
        DEEDS["assign"](limited)
    assert list(protected_scopes(limited.scope)) == []
