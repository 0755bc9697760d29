"""The map's page and every kind of side panel, rendered for whom may see it."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.inventory.factories import NOW, SUBSCRIPTION, make_estate, make_nic, make_run, make_tap
from tests.topology.test_api import two_subscriptions
from vtapweb.access.models import SubscriptionGrant, User
from vtapweb.access.role import Role
from vtapweb.domain.graph import pair_key
from vtapweb.inventory.models import KindState, NetworkInterface, VirtualMachine, VirtualNetworkPeering
from vtapweb.inventory.receiving import LISTS
from vtapweb.topology.actions import topology_refresh
from vtapweb.topology.models import Placement

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    """Signed in, with one subscription."""
    user = User.objects.create_user("vera", role=Role.VIEWER)
    SubscriptionGrant.objects.create(user=user, subscription_id=SUBSCRIPTION)
    client.force_login(user)
    return client


def test_an_empty_map_says_whether_nothing_is_granted_read_or_readable(client: Client, viewer: Client) -> None:
    assert "The first sync is on its way." in viewer.get("/map/empty").content.decode()
    make_estate()
    make_run(finished_at=NOW)
    admin = Client()
    admin.force_login(User.objects.create_user("ada", role=Role.ADMIN))
    assert "no subscription is readable" in admin.get("/map/empty").content.decode()
    stranger = Client()
    stranger.force_login(User.objects.create_user("nobody", role=Role.VIEWER))
    assert "An admin grants you some" in stranger.get("/map/empty").content.decode()


def panel(client: Client, key: str) -> str:
    answer = client.get(f"/map/panel/{Placement.objects.get(key=key).pk}", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_mounts_the_map_and_strangers_are_sent_to_sign_in(client: Client, viewer: Client) -> None:
    assert 'data-topology="/api/v1/topology"' in viewer.get("/").content.decode()
    assert Client().get("/").status_code == 302


def test_each_kind_of_node_has_its_panel(viewer: Client) -> None:
    mine, theirs = two_subscriptions()
    expected = {
        mine.hub.key: ("VNet", "collectors", "10.0.0.0/16"),
        mine.spoke_subnet.key: ("Subnet", "app-01-nic"),
        mine.nics[0].key: ("NIC", "tap-collector", "00-0D-3A-00-01-01", "/virtual-machines/"),
        pair_key(mine.hub.key, mine.spoke.key): ("Peering", "Connected"),
        pair_key(mine.hub.key, theirs.hub.key): ("Only hub’s side is known",),
        mine.collector.ip_configurations.get().key: ("Collector NIC", "VXLAN on UDP 4789", "app-01-nic"),
        theirs.hub.key: ("VNet that cannot be read", "Until we know, the answer is no."),
        theirs.tap.key: ("Collector that cannot be read", "unknown"),
        mine.nics[0].tap_configurations.get().key: ("Mirror", "app-01-nic"),
    }
    for key, words in expected.items():
        told = panel(viewer, key)
        for word in words:
            assert word in told, (key, word, told)


def test_what_may_not_be_seen_is_not_there(viewer: Client) -> None:
    _, theirs = two_subscriptions()
    for key in (theirs.spoke.key, theirs.spoke_subnet.key, theirs.nics[0].key, pair_key(theirs.hub.key, theirs.spoke.key)):
        assert viewer.get(f"/map/panel/{Placement.objects.get(key=key).pk}").status_code == 404
    assert viewer.get("/map/panel/999999").status_code == 404


def test_the_panel_says_what_is_wrong_and_what_to_do(viewer: Client) -> None:
    estate = make_estate(nics=3)
    VirtualNetworkPeering.objects.filter(virtual_network=estate.hub).update(peering_state="Disconnected")
    VirtualMachine.objects.filter(pk=estate.nics[0].virtual_machine_key).update(power_state="deallocated")
    alone = make_nic("alone-nic", subnet=estate.subnet, address="10.0.1.77", vm=None)
    endpoint = make_nic("pe-nic", subnet=estate.subnet, address="10.0.1.78", vm=None)
    NetworkInterface.objects.filter(pk=endpoint.pk).update(private_endpoint_id="/x", provisioning_state="Failed")
    topology_refresh()
    assert "Disconnected on hub’s side. Fix: restore it there, then sync." in panel(viewer, pair_key(estate.hub.key, estate.spoke.key))
    assert "hub says its peering to spoke is Disconnected" in panel(viewer, estate.hub.key)
    assert "is deallocated: no traffic is to be expected" in panel(viewer, estate.nics[0].key)
    assert "attached to no VM" in panel(viewer, alone.key)
    assert "Azure mirrors NICs of VMs only" in panel(viewer, endpoint.key)
    assert "Azure reports it as Failed" in panel(viewer, endpoint.key)
    type(estate.collector).objects.filter(pk=estate.collector.pk).update(removed_at=NOW)
    estate.collector.ip_configurations.update(removed_at=NOW)
    topology_refresh()
    KindState.objects.all().delete()
    assert "cannot be read here" in panel(viewer, estate.tap.destination_key)
    for kind in LISTS:
        KindState.objects.create(subscription_id=estate.subscription.pk, kind=kind, status=KindState.Status.COMPLETE, last_complete_at=NOW)
    assert "is not in Azure any more" in panel(viewer, estate.tap.destination_key)
    bare = make_tap("tap-bare", destination_id="")
    topology_refresh()
    shown = panel(viewer, bare.key)
    assert "tap-bare" in shown
    assert estate.tap.name not in shown


@pytest.mark.parametrize("nics", [3, 60])
def test_a_panel_costs_as_many_queries_for_many_rows_as_for_few(
    viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries, nics: int
) -> None:
    estate = make_estate(nics=nics, mirrored=nics - 1)
    topology_refresh()
    for key in (estate.spoke.key, estate.spoke_subnet.key, estate.nics[0].key, estate.tap.destination_key):
        node = Placement.objects.get(key=key).pk
        with django_assert_max_num_queries(18):
            assert viewer.get(f"/map/panel/{node}").status_code == 200
