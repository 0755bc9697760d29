"""Picking the collector of a new TAP on the map: what is lit, what a click chooses, for whom.

hub [collectors: nic-packetlog] ==Connected== spoke [apps: app-01 (mirrored) … app-04]
"""

import pytest
from django.test import Client

from tests.inventory.factories import Estate, make_estate, make_nic
from tests.inventory.pages import queries_of, signed_in
from tests.taps.conditions import make_all_read, make_conditions
from vtapweb.access.models import User
from vtapweb.access.role import Role
from vtapweb.access.selectors import viewer_of_user
from vtapweb.topology.actions import topology_refresh
from vtapweb.topology.models import Placement
from vtapweb.topology.picking import pick_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def estate() -> Estate:
    found = make_estate(mirrored=1)
    make_conditions()
    make_all_read()
    topology_refresh()
    return found


@pytest.fixture
def operator() -> Client:
    return signed_in(Role.OPERATOR)


def node(key: str) -> int:
    return int(Placement.objects.get(key=key).pk)


def test_what_the_rules_do_not_refuse_is_lit(estate: Estate) -> None:
    olga = viewer_of_user(User.objects.create_user("olga", role=Role.OPERATOR, has_all_subscriptions=True))
    assert olga is not None
    loose = make_nic("loose-nic", subnet=estate.spoke_subnet, address="10.1.1.77", vm=None)
    topology_refresh()
    lit = {int(one) for one in pick_of(olga).light.split(",")}
    assert node(estate.nics[2].key) in lit
    assert node(loose.key) not in lit, "nothing listens where no VM is"


def test_a_click_goes_back_to_the_form_with_it_chosen(estate: Estate, operator: Client) -> None:
    shown = operator.get("/map/picking").content.decode()
    assert 'data-map-pick="/map/pick/"' in shown
    for key in (estate.nics[2].key, estate.tap.destination_key):
        answer = operator.get(f"/map/pick/{node(key)}", follow=True)
        assert answer.redirect_chain[0][0].startswith("/taps/new?destination=%2Fsubscriptions%2F")
        assert " checked" in answer.content.decode()
    assert operator.get(f"/map/pick/{node(estate.hub.key)}").status_code == 404
    assert operator.get("/map/pick/999999").status_code == 404
    stranger = signed_in(Role.OPERATOR, only=("5a000000-0000-0000-0000-0000000000aa",))
    assert stranger.get(f"/map/pick/{node(estate.nics[2].key)}").status_code == 404
    assert 'href="/?pick=destination"' in operator.get("/taps/new").content.decode()


def test_many_nics_cost_as_many_queries_as_few(estate: Estate, operator: Client) -> None:
    few = queries_of(lambda: operator.get("/map/picking"))
    for number in range(30):
        make_nic(f"more-{number}", subnet=estate.spoke_subnet, address=f"10.1.1.{number + 40}", mac=f"00-0D-3A-00-02-{number:02X}")
    topology_refresh()
    assert queries_of(lambda: operator.get("/map/picking")) == few
