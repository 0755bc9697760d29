"""Collectors as everybody in the room finds them: the map's keys, members, and nothing of what the viewer may not read."""

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.inventory.factories import (
    SUBSCRIPTION,
    arm_id,
    make_load_balancer,
    make_nic,
    make_subnet,
    make_subscription,
    make_tap,
    make_tap_configuration,
    make_vnet,
)
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.graph import graph_of
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import Subnet
from vtapweb.topology.selectors import documents_of
from vtapweb.traffic.selectors.collectors import collector_of, collectors_of

pytestmark = pytest.mark.django_db
OTHER = "5b000000-0000-0000-0000-000000000002"
ALL = Scope.everything()
QUERIES = 10


def pool(number: int = 2) -> str:
    """A load balancer with so many members and one TAP to it; the frontend's id."""
    subnet = make_subnet("tools")
    nics = tuple(make_nic(f"tool-{index:02}-nic", subnet=subnet, address=f"10.0.1.{index + 4}") for index in range(number))
    balancer = make_load_balancer(subnet=subnet, members=nics)
    frontend = f"{balancer.arm_id}/frontendIPConfigurations/frontend"
    make_tap(destination_id=frontend)
    return frontend


def test_a_load_balancer_with_its_members(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    frontend = pool()
    second = make_tap("tap-second", destination_id=frontend.upper().replace("FRONTENDIPCONFIGURATIONS", "frontendIPConfigurations"))
    with django_assert_num_queries(QUERIES):
        (found,) = collectors_of(ALL)
    assert (found.key, found.kind, found.name, found.address, found.is_in_scope) == (
        arm_key(frontend), "load_balancer", "ilb-collector", "10.0.1.250", True,
    )  # fmt: skip
    assert second.key in found.tap_keys
    assert len(found.tap_keys) == 2
    assert [(one.name, one.power_state, one.vm_size) for one in found.members] == [
        ("tool-00-nic", "running", "Standard_D4s_v5"),
        ("tool-01-nic", "running", "Standard_D4s_v5"),
    ]
    assert found.vnet_key == arm_key(arm_id("virtualNetworks", "hub"))
    assert collector_of(ALL, found.key) == found
    assert collector_of(ALL, "a" * 26) is None


@pytest.mark.parametrize("number", [1, 30])
def test_the_number_of_queries_does_not_grow(django_assert_num_queries: DjangoAssertNumQueries, number: int) -> None:
    pool(number)
    with django_assert_num_queries(QUERIES):
        assert collectors_of(ALL)[0].member_count == number


def test_what_cannot_be_found_is_kept_and_said() -> None:
    nic = make_nic()
    make_tap("tap-gone", destination_id=f"{arm_id('networkInterfaces', 'old')}/ipConfigurations/ipconfig1")
    make_tap("tap-nowhere", destination_id="")
    abroad = arm_id("virtualNetworkTaps", "tap-abroad", subscription_id=OTHER)
    make_tap_configuration(nic=nic, tap_id=abroad)
    found = {one.name: one for one in collectors_of(ALL)}
    assert {(name, one.kind) for name, one in found.items()} == {("old", "unreadable"), ("no destination", "gone"), ("tap-abroad", "unreadable")}
    assert found["tap-abroad"].key == arm_key(abroad)
    assert collector_of(ALL, arm_key(abroad)) == found["tap-abroad"]
    assert [name for name, one in found.items() if one.is_in_scope] == ["old"]


def test_the_same_collectors_as_on_the_map() -> None:
    pool()
    nic = make_nic("db-01-nic", address="10.0.1.77", subnet=Subnet.objects.get())
    make_tap("tap-nic", destination_id=f"{nic.arm_id}/ipConfigurations/ipconfig1")
    make_tap_configuration(nic=nic, tap_id=arm_id("virtualNetworkTaps", "elsewhere", subscription_id=OTHER))
    for scope in (ALL, Scope.of([SUBSCRIPTION]), Scope.of([OTHER])):
        drawn = graph_of(documents_of(scope)).collectors
        assert {(one.key, one.name, one.kind, one.vnet_key, one.address, one.tap_keys, one.member_count) for one in collectors_of(scope)} == {
            (key, one.name, one.kind, one.vnet_key, one.address, one.tap_keys, one.member_count) for key, one in drawn.items()
        }


def test_a_scope_learns_nothing_of_what_it_may_not_read() -> None:
    make_subscription(OTHER, name="tools")
    subnet = make_subnet("tools", vnet=make_vnet("tools", subscription_id=OTHER))
    nic = make_nic("appliance-nic", subnet=subnet, address="10.0.1.4")
    make_tap(destination_id=f"{nic.arm_id}/ipConfigurations/ipconfig1")
    (seen,) = collectors_of(Scope.of([SUBSCRIPTION]))
    assert (seen.name, seen.kind, seen.is_in_scope, seen.members, seen.address, seen.vnet_key) == ("appliance-nic", "unreadable", False, (), "", "")
    assert collectors_of(Scope.of([OTHER])) == []
    (whole,) = collectors_of(ALL)
    assert whole.is_in_scope
    assert whole.members[0].nic_key == nic.key
