"""The side panel while one chooses a TAP for selected NICs: what it says, what the map lights, and for whom.

hub [collectors: nic-packetlog] ==Connected== spoke [apps: app-01 (mirrored) … app-04]
"""

import pytest
from django.test import Client

from tests.inventory.factories import SUBSCRIPTION, Estate, make_estate, make_nic, make_tap
from tests.inventory.pages import queries_of, signed_in
from tests.taps.conditions import make_all_read, make_conditions
from vtapweb.access.models import User
from vtapweb.access.role import Role
from vtapweb.access.selectors import viewer_of_user
from vtapweb.inventory.models import NetworkInterface
from vtapweb.topology.actions import topology_refresh
from vtapweb.topology.choices import choices_of
from vtapweb.topology.models import Placement

pytestmark = pytest.mark.django_db


@pytest.fixture
def estate() -> Estate:
    found = make_estate(mirrored=1)
    make_conditions()
    make_all_read()
    topology_refresh()
    return found


def node(key: str) -> int:
    return int(Placement.objects.get(key=key).pk)


def chosen(client: Client, *keys: str) -> str:
    answer = client.get("/map/mirror", {"select": ",".join(keys)})
    assert answer.status_code == 200
    return answer.content.decode()


def test_what_may_go_somewhere_is_lit_with_where_it_goes(estate: Estate) -> None:
    operator = viewer_of_user(User.objects.create_user("olga", role=Role.OPERATOR, has_all_subscriptions=True))
    assert operator is not None
    make_tap("tap-nowhere", destination_id=f"{estate.collector.arm_id}x/ipConfigurations/ipconfig1")
    found = choices_of(",".join(nic.key for nic in estate.nics), operator)
    free = {node(nic.key) for nic in estate.nics[1:]}
    card = node(estate.tap.destination_key)
    assert {int(one) for one in found.light.split(",")} == free | {card}
    best, worst = found.choices
    assert (best.goal.name, best.goal.allowed, best.goal.total) == ("tap-collector", 3, 4)
    assert {int(one) for one in best.light.split(",")} == free | {card}
    assert (worst.goal.name, worst.goal.allowed, worst.light) == ("tap-nowhere", 0, "")
    assert worst.goal.reasons
    assert found.sentence == "1 of 2 TAPs may take some of 4 NICs."
    assert found.why_not == ""


def test_the_panel_says_what_cannot_be_and_why_and_leads_to_the_page(estate: Estate) -> None:
    shown = chosen(signed_in(Role.OPERATOR), *(nic.key for nic in estate.nics[:2]))
    assert 'data-test="choice"' in shown
    assert f"/mirror?select={estate.nics[0].key}%2C{estate.nics[1].key}&amp;action=tap&amp;tap={estate.tap.key}" in shown
    assert "app-01-nic" in shown
    assert "choices-why-not" not in shown
    assert "choices-why-not" in chosen(signed_in(Role.VIEWER), estate.nics[1].key)


def test_nothing_to_choose_from_is_said(estate: Estate) -> None:
    operator = signed_in(Role.OPERATOR)
    assert "no longer kept" in chosen(operator, "@abcdefghijkl")
    assert "None of the selected NICs" in chosen(operator, "a" * 26)
    estate.tap.delete()
    assert "There is no TAP yet" in chosen(operator, estate.nics[1].key)


def test_a_limited_person_is_told_of_what_they_may_see_only(estate: Estate) -> None:
    other = "5a000000-0000-0000-0000-0000000000aa"
    make_nic("theirs", subnet=make_estate(subscription_id=other, nics=0, mirrored=0).spoke_subnet, subscription_id=other, address="10.1.1.77")
    client = signed_in(Role.OPERATOR, only=(other,))
    assert "None of the selected NICs" in chosen(client, estate.nics[1].key)
    assert SUBSCRIPTION not in chosen(client, estate.nics[1].key)


def test_many_nics_cost_as_many_queries_as_few(estate: Estate) -> None:
    operator = signed_in(Role.OPERATOR)
    few = queries_of(lambda: chosen(operator, estate.nics[1].key))
    more = [
        make_nic(f"more-{number}", subnet=estate.spoke_subnet, address=f"10.1.1.{number + 40}", mac=f"00-0D-3A-00-02-{number:02X}").key
        for number in range(20, 60)
    ]
    make_tap("tap-second", destination_id=f"{estate.nics[3].arm_id}/ipConfigurations/ipconfig1")
    assert queries_of(lambda: chosen(operator, *more)) == few


def test_a_hostile_name_is_text(estate: Estate) -> None:
    NetworkInterface.objects.filter(pk=estate.nics[0].pk).update(name="<script>alert(1)</script>")
    shown = chosen(signed_in(Role.OPERATOR), estate.nics[0].key)
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
