"""What the meter reads of the inventory: a fixed number of queries, and names for the right addresses only."""

from datetime import UTC, datetime

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.inventory.factories import SUBSCRIPTION, make_nic, make_peering, make_subnet, make_tap, make_tap_configuration, make_vnet
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import IpConfiguration, ResourceChange, VirtualNetwork
from vtapweb.traffic.selectors.attribution import attribution_mark, attribution_tables

pytestmark = pytest.mark.django_db
ALL = Scope.everything()
QUERIES = 13


def estate(sources: int = 1) -> tuple[str, list[str]]:
    """[spoke: source-00 … ] ==peered== [hub: tool] and [island: the same addresses], every source mirrored to tool's address; key and NIC keys."""
    hub, spoke, island = make_vnet("hub"), make_vnet("spoke", prefixes=("10.1.0.0/16",)), make_vnet("island", prefixes=("10.1.0.0/16",))
    make_peering("to-spoke", vnet=hub, remote_id=spoke.arm_id)
    tool = make_nic("tool", subnet=make_subnet("tools", vnet=hub), address="10.0.1.4")
    tap = make_tap(destination_id=f"{tool.arm_id}/ipConfigurations/ipconfig1")
    at, away = make_subnet("apps", vnet=spoke), make_subnet("apps", vnet=island)
    nics = []
    for number in range(sources):
        nic = make_nic(f"source-{number:02}", subnet=at, address=f"10.1.0.{number + 4}", mac="00-0D-3A-00-00-02", is_mirrored=True)
        make_tap_configuration(nic=nic, tap_id=tap.arm_id)
        make_nic(f"island-{number:02}", subnet=away, address=f"10.1.0.{number + 4}")
        nics.append(nic.key)
    return tap.destination_key, nics


@pytest.mark.parametrize("sources", [1, 20])
def test_sources_are_named_within_reach_of_the_collector(django_assert_num_queries: DjangoAssertNumQueries, sources: int) -> None:
    key, nics = estate(sources)
    with django_assert_num_queries(QUERIES):
        found = attribution_tables(ALL)
    named = found.of(key, "10.1.0.4")
    assert (named.nic_key, named.is_ambiguous, named.mac) == (nics[0], False, "000d3a000002")
    assert named.tap_configuration_key in {mirror.key for mirror in found.mirrors} == set(found.seen_mirrors)
    assert found.of(key, "10.9.9.9") == found.of("nobody", "10.1.0.4")
    assert len(found.mirrors) == sources


def test_the_mark_grows_with_every_change(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        assert attribution_mark(ALL) == 0
    ResourceChange.objects.create(
        subscription_id=SUBSCRIPTION, kind="nics", key="k", arm_id="/k", name="k", action="added", at=datetime(2026, 11, 23, tzinfo=UTC)
    )
    assert attribution_mark(ALL) > 0


def test_a_nic_whose_subnet_nobody_may_read_stands_in_the_vnet_that_its_id_names() -> None:
    key, _ = estate()
    spoke = VirtualNetwork.objects.get(name="spoke")
    nic = make_nic("guest", subnet=spoke.subnets.get(), address="10.1.0.99")
    abroad = f"{spoke.arm_id}/subnets/unreadable"
    IpConfiguration.objects.filter(network_interface=nic).update(subnet_id=abroad, subnet_key=arm_key(abroad))
    assert attribution_tables(ALL).of(key, "10.1.0.99").nic_key == nic.key
