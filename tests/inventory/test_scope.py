"""Two subscriptions entangled in every way Azure allows: who may read one gets the same bytes whether or not the other is stored.

mine:   hub [apps: web-01 … web-03, behind lb-mine]   tap-mine → their collector, tap-mine-2 → their frontend   web-01 is mirrored to their tap,
        web-02 to their TAP without a destination   a NIC in their VNet
theirs: VNet peered with hub, NICs in hub's subnet, at my NSG, VM, pool and availability set, mirrored to tap-mine, TAPs that send to my NIC and
        my frontend; changes, syncs, holds and items not understood besides
"""

import re

import pytest
from django.core.cache import cache
from django.test import Client

from tests.inventory.factories import (
    NOW,
    SUBSCRIPTION,
    Estate,
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
    make_subscription_sync,
    make_tap,
    make_tap_configuration,
    make_vnet,
)
from tests.inventory.pages import signed_in
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.inventory.kinds import KINDS, TABS
from vtapweb.inventory.models import (
    FrontendIpConfiguration,
    IpConfiguration,
    NetworkInterface,
    NotUnderstoodItem,
    RemovalHold,
    ResourceChange,
    Subscription,
    SyncRun,
    VirtualNetworkPeering,
)
from vtapweb.inventory.search import find
from vtapweb.topology.actions import topology_refresh
from vtapweb.topology.models import Placement
from vtapweb.topology.nodes import nic_keys_of_nodes, nodes_of_nics

pytestmark = pytest.mark.django_db
THEIRS = "5a000000-0000-0000-0000-000000000002"
SECRET = "zebra"  # in the name of everything of theirs that no document of mine names
VARIES = re.compile(r'nonce="[^"]*"|nonce-[\w+/=-]+|name="csrfmiddlewaretoken" value="[^"]*"|"X-CSRFToken": "[^"]*"|data-csrf="[^"]*"')


def mine() -> Estate:
    """Everything of mine, some of which names things of theirs."""
    estate = make_estate(nics=3, mirrored=0)
    nsg = make_nsg("nsg-mine")
    for row in (estate.subnet, estate.nics[0]):
        type(row).objects.filter(pk=row.pk).update(network_security_group_id=nsg.arm_id, network_security_group_key=nsg.key)
    make_load_balancer("lb-mine", subnet=estate.subnet, members=(estate.nics[1],))
    make_peering("to-partner", vnet=estate.hub, remote_id=arm_id("virtualNetworks", "partner", subscription_id=THEIRS))
    make_tap("tap-mine", destination_id=arm_id("networkInterfaces", "their-collector", subscription_id=THEIRS) + "/ipConfigurations/ipconfig1")
    theirs = arm_id("virtualNetworkTaps", "their-tap", subscription_id=THEIRS)
    make_tap_configuration(nic=estate.nics[0], tap_id=theirs)
    NetworkInterface.objects.filter(pk=estate.nics[0].pk).update(is_mirrored=True, tap_ids=[theirs])
    make_tap("tap-mine-2", destination_id=arm_id("loadBalancers", "their-lb", subscription_id=THEIRS) + "/frontendIPConfigurations/frontend")
    idle = arm_id("virtualNetworkTaps", "their-idle-tap", subscription_id=THEIRS)
    make_tap_configuration(nic=estate.nics[1], tap_id=idle)
    NetworkInterface.objects.filter(pk=estate.nics[1].pk).update(is_mirrored=True, tap_ids=[idle])
    partner = arm_id("virtualNetworks", "partner", subscription_id=THEIRS)
    guest = make_nic("guest-nic", subnet=estate.spoke_subnet, address="10.9.0.4", mac="00-0D-3A-00-09-01")
    NetworkInterface.objects.filter(pk=guest.pk).update(
        subnet_id=f"{partner}/subnets/guests", subnet_key=arm_key(f"{partner}/subnets/guests"), virtual_network_id=partner,
        virtual_network_key=arm_key(partner),
    )  # fmt: skip
    run = make_run(requested_subscription_ids=[SUBSCRIPTION])
    make_subscription_sync(run=run, subscription=estate.subscription)
    return estate


def store_theirs(estate: Estate) -> None:
    """Everything of theirs, as near to mine as can be."""
    subscription = make_subscription(THEIRS, name=f"{SECRET}-subscription", tenant_id="7a000000-0000-0000-0000-000000000002")
    partner = make_vnet("partner", subscription_id=THEIRS, location=f"{SECRET}land")
    make_peering(f"{SECRET}-back", vnet=partner, remote_id=estate.hub.arm_id, state="Disconnected")
    subnet = make_subnet(f"{SECRET}-subnet", vnet=partner)
    nsg = arm_id("networkSecurityGroups", "nsg-mine")
    type(subnet).objects.filter(pk=subnet.pk).update(network_security_group_id=nsg, network_security_group_key=arm_key(nsg))
    collector = make_nic("their-collector", subnet=subnet, address="10.0.1.5", mac="00-0D-3A-FF-00-01")
    lodger = make_nic(
        f"{SECRET}-lodger-nic", subnet=subnet, address="10.1.1.4", mac="00-0D-3A-00-01-01", tap_id=arm_id("virtualNetworkTaps", "tap-mine")
    )
    NetworkInterface.objects.filter(pk=lodger.pk).update(
        subnet_id=estate.spoke_subnet.arm_id, subnet_key=estate.spoke_subnet.key, virtual_network_id=estate.spoke.arm_id,
        virtual_network_key=estate.spoke.key, network_security_group_id=nsg, network_security_group_key=arm_key(nsg),
        virtual_machine_id=estate.nics[0].virtual_machine_id, virtual_machine_key=estate.nics[0].virtual_machine_key,
    )  # fmt: skip
    make_tap("their-tap", destination_id=f"{collector.arm_id}/ipConfigurations/ipconfig1", subscription_id=THEIRS)
    make_tap(f"{SECRET}-tap-1", destination_id=f"{estate.collector.arm_id}/ipConfigurations/ipconfig1", subscription_id=THEIRS)
    frontend = FrontendIpConfiguration.objects.get(subscription_id=SUBSCRIPTION)
    make_tap(f"{SECRET}-tap-2", destination_id=frontend.arm_id, subscription_id=THEIRS)
    make_load_balancer(f"{SECRET}-lb", subnet=subnet, members=(estate.nics[0],))
    make_load_balancer("their-lb", subnet=subnet, address="10.0.1.251")
    make_tap("their-idle-tap", destination_id="", subscription_id=THEIRS)
    for number, tap in enumerate(("their-tap", "their-idle-tap")):
        make_tap_configuration(f"{SECRET}-{number}", nic=collector, tap_id=arm_id("virtualNetworkTaps", tap, subscription_id=THEIRS))
    assert IpConfiguration.objects.filter(subscription_id=THEIRS).count() == 2
    run = make_run(actor=f"{SECRET}-person", requested_subscription_ids=[THEIRS])
    make_subscription_sync(run=run, subscription=subscription, state="failed", message=SECRET)
    make_kind_state("network_interfaces", subscription=subscription, status="failed", message=SECRET)
    NotUnderstoodItem.objects.create(subscription=subscription, kind="nics", arm_id=SECRET, reason=SECRET, raw=b"{}", seen_at=NOW)
    values = {"keys": [lodger.key], "missing_count": 40, "present_count": 50, "created_at": NOW, "seen_at": NOW}
    RemovalHold.objects.create(subscription=subscription, run=run, read_kind="network_interfaces", kind="nics", **values)
    for key in (estate.nics[0].key, lodger.key):  # a change in their subscription that says it is of my NIC
        ResourceChange.objects.create(
            run=run, subscription_id=THEIRS, kind="nics", key=key, arm_id=lodger.arm_id, name=SECRET, action="added", fields={}, at=NOW
        )


def addresses_of() -> list[str]:
    """Every page and list that somebody limited to my subscription can ask for."""
    terms = (
        SECRET,
        "partner",
        "guest",
        "app-01",
        "10.0.0.0/8",
        "10.1.1.4",
        "00-0D-3A-00-01-01",
        arm_id("virtualNetworks", "partner", subscription_id=THEIRS),
    )
    found = ["/", "/feed", "/syncs", "/connect", "/partners", "/feed?kind=nics", f"/feed?subscription={THEIRS}", "/api/v1/syncs"]
    found += [f"/{where}?q={term}" for where in ("find", "api/v1/topology/find") for term in terms]
    found += [f"/table/nics?{query}" for query in (f"subscription={SECRET}-subscription", f"region={SECRET}land", "vnet=partner", "vnet=spoke")]
    for slug in ("subscriptions", *KINDS):
        found += [f"/table/{slug}", f"/table/{slug}?q={SECRET}"] + ([f"/api/v1/{slug}", f"/api/v1/{slug}?q={SECRET}"] if slug in TABS else [])
    for slug, kind in KINDS.items():
        for key in kind.model._default_manager.filter(subscription_id=SUBSCRIPTION).values_list("key", flat=True).order_by("key"):
            found += [f"/{slug}/{key}"] + ([f"/api/v1/{slug}/{key}"] if slug in TABS else [])
    nodes = Placement.objects.order_by("pk").values_list("pk", flat=True)
    return found + [f"/{where}/{node}" for where in ("map/panel", "api/v1/topology/nodes") for node in nodes]


def bodies(client: Client, addresses: list[str]) -> dict[str, tuple[int, str]]:
    cache.clear()
    answers = {address: client.get(address) for address in addresses}
    return {address: (answer.status_code, VARIES.sub("", answer.content.decode())) for address, answer in answers.items()}


@pytest.mark.one_database
def test_not_a_byte_depends_on_what_one_may_not_read() -> None:
    estate = mine()
    topology_refresh()
    client = signed_in("operator", only=(SUBSCRIPTION,))
    addresses = addresses_of()
    before = bodies(client, addresses)
    assert [address for address, (status, _) in before.items() if status >= 500] == []
    store_theirs(estate)
    topology_refresh()
    after = bodies(client, addresses)
    assert {address: after[address] for address in addresses if after[address] != before[address]} == {}
    exports = {f"/table/{slug}.csv": client.get(f"/table/{slug}.csv").getvalue().decode() for slug in ("subscriptions", *KINDS)}
    exports["/api/v1/topology"] = client.get("/api/v1/topology").content.decode()
    assert [address for address, body in exports.items() if SECRET in body] == []
    assert VirtualNetworkPeering.objects.filter(name=f"{SECRET}-back").exists()


def test_what_one_may_not_read_does_not_exist_by_its_key_either() -> None:
    estate = mine()
    store_theirs(estate)
    topology_refresh()
    client, all_seeing = signed_in("operator", only=(SUBSCRIPTION,)), signed_in("viewer")
    theirs = [
        address
        for slug, kind in KINDS.items()
        for key in kind.model._default_manager.filter(subscription_id=THEIRS).values_list("key", flat=True)
        for address in (f"/{slug}/{key}", *([f"/api/v1/{slug}/{key}"] if slug in TABS else []))
    ]
    assert len(theirs) > 15
    assert {all_seeing.get(address).status_code for address in theirs} == {200}
    assert {client.get(address).status_code for address in theirs} == {404}
    runs = SyncRun.objects.filter(requested_subscription_ids=[THEIRS]).values_list("pk", flat=True)
    pages = [f"/{where}/{run}" for run in runs for where in ("syncs", "api/v1/syncs")]
    assert len(pages) == 2
    assert {all_seeing.get(address).status_code for address in pages} == {200}
    assert {client.get(address).status_code for address in pages} == {404}


def test_what_is_pasted_finds_only_what_one_may_read() -> None:
    store_theirs(mine())
    ids = [Subscription.objects.get(pk=THEIRS).arm_id, *NetworkInterface.objects.filter(subscription_id=THEIRS).values_list("arm_id", flat=True)]
    pasted = "\n".join([*ids, f"{SECRET}-lb", f"{SECRET}-tap-1", "10.0.1.251"])
    assert [one.state for one in find(Scope.everything(), pasted).outcomes] == ["matched"] * 6
    assert [one.state for one in find(Scope.of([SUBSCRIPTION]), pasted).outcomes] == ["not_found"] * 6


def test_the_nics_of_a_selection_are_only_those_one_may_read() -> None:
    estate = mine()
    store_theirs(estate)
    topology_refresh()
    limited, own = Scope.of([SUBSCRIPTION]), estate.nics[0].key
    keys = [*NetworkInterface.objects.filter(subscription_id=THEIRS).values_list("key", flat=True), own]
    nodes = nodes_of_nics(keys, Scope.everything())
    assert len(nodes) == len(keys) == 3
    assert sorted(nic_keys_of_nodes(nodes, Scope.everything())) == sorted(keys)
    assert nodes_of_nics(keys, limited) == [Placement.objects.get(kind="nic", key=own).pk]
    assert nic_keys_of_nodes(nodes, limited) == [own]


def test_the_choices_kept_for_one_viewer_are_not_those_of_another() -> None:
    store_theirs(mine())
    client, all_seeing = signed_in("operator", only=(SUBSCRIPTION,)), signed_in("viewer")
    cache.clear()
    for slug in KINDS:  # nothing is cleared between the two
        seen, limited = (one.get(f"/table/{slug}").content.decode() for one in (all_seeing, client))
        assert f"{SECRET}-subscription" in seen
        assert SECRET not in limited
