"""Detail pages: relations both ways, ghosts, the sentence about both sides of a peering, changes, raw JSON; scope is kept."""

import json
from collections.abc import Callable

import pytest
from django.test import Client

from tests.inventory.factories import (
    NOW,
    SUBSCRIPTION,
    arm_id,
    make_estate,
    make_kind_state,
    make_load_balancer,
    make_nic,
    make_nsg,
    make_peering,
    make_run,
    make_subnet,
    make_subscription,
    make_tap,
    make_vm,
    make_vnet,
)
from tests.inventory.pages import queries_of, signed_in
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.models import AvailabilitySet, NetworkInterface, Resource, ResourceChange, ResourceGroup, ScaleSet, VirtualNetworkPeering

pytestmark = pytest.mark.django_db
OTHER = "5a000000-0000-0000-0000-000000000002"


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode()


def test_a_nic_leads_to_its_vm_its_place_its_tap_and_its_collector() -> None:
    estate = make_estate()
    page = text(signed_in(), f"/nics/{estate.nics[0].key}")
    for address in (
        f"/virtual-machines/{estate.nics[0].virtual_machine_key}",
        f"/vnets/{estate.spoke.key}",
        f"/subnets/{estate.spoke_subnet.key}",
        f"/taps/{estate.tap.key}",
        f"/nics/{estate.collector.key}",
    ):
        assert f'href="{address}"' in page, address
    assert "A collector: tap-collector sends mirrored traffic here." in text(signed_in(), f"/nics/{estate.collector.key}")


def test_a_vnet_tells_both_sides_of_its_peerings() -> None:
    estate = make_estate()
    client = signed_in()
    assert "Connected on both sides." in text(client, f"/vnets/{estate.hub.key}")
    VirtualNetworkPeering.objects.filter(name="to-spoke").update(peering_state="Disconnected")
    page = text(client, f"/vnets/{estate.spoke.key}")
    assert "Connected on this side, Disconnected on hub&#x27;s side." in page
    make_peering("to-nowhere", vnet=estate.hub, remote_id=arm_id("virtualNetworks", "foreign", subscription_id=OTHER))
    assert "foreign is not readable here, so its side is unknown." in text(client, f"/vnets/{estate.hub.key}")
    half = make_vnet("half")
    make_peering("to-half", vnet=estate.hub, remote_id=half.arm_id)
    assert "half has no peering back" in text(client, f"/vnets/{estate.hub.key}")
    mine = VirtualNetworkPeering.objects.get(name="to-half")
    assert "has no peering back" in text(client, f"/peerings/{mine.key}")


def test_a_tap_whose_destination_is_gone_says_so() -> None:
    client = signed_in()
    lost = make_tap("tap-lost", destination_id=arm_id("networkInterfaces/nic-gone/ipConfigurations", "ipconfig1"))
    none = make_tap("tap-none", destination_id="", destination_ip_configuration_id="")
    assert "is not in the inventory" in text(client, f"/taps/{lost.key}")
    assert "names no destination" in text(client, f"/taps/{none.key}")


def test_a_load_balancer_shows_frontends_rules_members_and_taps() -> None:
    subnet = make_subnet()
    member = make_nic("collector-a", subnet=subnet)
    balancer = make_load_balancer(subnet=subnet, members=(member,))
    tap = make_tap(destination_id=f"{balancer.arm_id}/frontendIPConfigurations/frontend")
    page = text(signed_in(), f"/load-balancers/{balancer.key}")
    for part in ("10.0.1.250", "4789 → 4789", f'href="/nics/{member.key}"', f'href="/taps/{tap.key}"'):
        assert part in page
    assert f'href="/load-balancers/{balancer.key}"' in text(signed_in(), f"/taps/{tap.key}")


def test_raw_json_is_shown_whole_and_a_childs_part_is_cut_out() -> None:
    vnet_id = arm_id("virtualNetworks", "hub")
    document = {"id": vnet_id, "properties": {"subnets": [{"id": f"{vnet_id}/Subnets/APPS", "name": "APPS", "properties": {"x": "<i>"}}]}}
    vnet = make_vnet("hub", raw=json.dumps(document).encode())
    subnet = make_subnet("apps", vnet=vnet)
    client = signed_in()
    assert "&quot;subnets&quot;" in text(client, f"/vnets/{vnet.key}")
    page = text(client, f"/subnets/{subnet.key}")
    assert "&quot;x&quot;: &quot;&lt;i&gt;&quot;" in page
    assert "&quot;subnets&quot;" not in page


def test_changes_show_each_field_before_and_after() -> None:
    vnet = make_vnet()
    ResourceChange.objects.create(
        run=make_run(), subscription_id=vnet.subscription_id, kind="vnets", key=vnet.key, arm_id=vnet.arm_id, name=vnet.name, action="changed",
        fields={"address_prefixes": [["10.0.0.0/16"], ["10.0.0.0/15"]], "note": [None, ""]}, at=NOW,
    )  # fmt: skip
    page = text(signed_in(), f"/vnets/{vnet.key}")
    assert "<del>[&quot;10.0.0.0/16&quot;]</del>" in page
    assert "<ins>[&quot;10.0.0.0/15&quot;]</ins>" in page
    assert "<del>unknown</del>" in page


def _other_kinds() -> list[tuple[str, Resource]]:
    values = {"subscription_id": SUBSCRIPTION, "resource_group": "rg", "location": "uksouth", "first_seen_at": NOW}

    def row(model: type[Resource], kind: str, **more: object) -> Resource:
        one = arm_id(kind, f"the-{kind}", provider="Microsoft.Compute")
        return model._default_manager.create(key=arm_key(one), arm_id=one, name=f"the-{kind}", **values, **more)

    vm = make_vm()
    return [
        ("network-security-groups", make_nsg(security_rules=[{"name": "vxlan", "priority": 100, "destination_port_ranges": ["4789"]}])),
        ("availability-sets", row(AvailabilitySet, "availabilitySets", virtual_machine_ids=[vm.arm_id])),
        ("scale-sets", row(ScaleSet, "virtualMachineScaleSets")),
        ("resource-groups", row(ResourceGroup, "resourceGroups")),
        ("virtual-machines", vm),
    ]


def test_the_other_kinds_have_pages_too() -> None:
    client = signed_in()
    for slug, row in _other_kinds():
        assert row.name in text(client, f"/{slug}/{row.key}")
    subscription = make_subscription()
    make_kind_state("network_interfaces", subscription=subscription, status="failed", code="AuthorizationFailed")
    page = text(client, f"/subscriptions/{subscription.key}")
    assert "AuthorizationFailed" in page
    assert "failed" in page


def test_what_lies_outside_the_scope_does_not_exist() -> None:
    estate = make_estate(subscription_id=OTHER)
    make_subscription()
    client = signed_in(only=(SUBSCRIPTION,))
    for slug, row in (("nics", estate.nics[0]), ("vnets", estate.hub), ("taps", estate.tap), ("subscriptions", estate.subscription)):
        assert client.get(f"/{slug}/{row.key}").status_code == 404


def _pages(count: int) -> Callable[[Client], int]:
    estate = make_estate(subscription_id=OTHER if count > 5 else SUBSCRIPTION, nics=count, mirrored=count)
    addresses = [f"/vnets/{estate.spoke.key}", f"/subnets/{estate.spoke_subnet.key}", f"/taps/{estate.tap.key}", f"/nics/{estate.nics[0].key}"]
    return lambda client: sum(queries_of(lambda address=address: client.get(address)) for address in addresses)  # type: ignore[misc] # a default argument binds


def test_queries_do_not_grow_with_relations() -> None:
    client = signed_in()
    few, many = _pages(2), _pages(25)
    few(client)
    assert few(client) == many(client)
    assert NetworkInterface.objects.count() == 29
