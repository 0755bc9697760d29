"""What the side panel offers to do with a node, by role, with the reason where it cannot; and what it knows of a mirror's life.

hub [collectors: nic-packetlog] ==Connected== spoke [apps: app-01 (mirrored) … app-04]
"""

import re

import pytest
from django.test import Client

from tests.inventory.factories import NOW, SUBSCRIPTION, Estate, make_estate, make_nic, make_tap
from tests.inventory.pages import queries_of, signed_in
from tests.taps.conditions import make_all_read, make_conditions
from tests.taps.factories import make_change, make_step
from tests.taps.lives import make_life, make_tap_life
from vtapweb.access.role import Role
from vtapweb.domain.graph import pair_key
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import VirtualNetworkPeering, VirtualNetworkTap
from vtapweb.taps.models import Mirror
from vtapweb.taps.page_parts import UNACCOUNTED_GLYPH
from vtapweb.taps.selectors.ledger import ledger_counts
from vtapweb.topology.actions import topology_refresh, topology_refresh_if_changed
from vtapweb.topology.models import Placement, TopologyState
from vtapweb.topology.picture import last_snapshot

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


def panel(client: Client, key: str) -> str:
    answer = client.get(f"/map/panel/{Placement.objects.get(key=key).pk}")
    assert answer.status_code == 200
    return answer.content.decode()


def deeds(shown: str) -> dict[str, str]:
    """{label: its address, "" where it cannot be pressed}."""
    part = shown.partition('data-test="panel-deeds">')[2].partition("</div>")[0]
    found = re.findall(r'<(?:a|button) [^>]*?(?:href="([^"]*)"|data-map-panel="([^"]*)"|(disabled)[^>]*)[^>]*>([^<]*)<', part)
    return {label: href or in_panel for href, in_panel, _, label in found}


def outside(estate: Estate, **fields: object) -> Mirror:
    """The life of the estate's mirror: nobody here made it, unless the fields say otherwise."""
    row = estate.nics[0].tap_configurations.get()
    told = {"tap_configuration_key": row.key, "nic_key": estate.nics[0].key, "tap_key": estate.tap.key, "subscription_id": SUBSCRIPTION}
    return make_life(estate.nics[0].name, **(told | fields))


def test_a_nic_can_be_mirrored_or_moved_or_stopped_and_be_a_collector(estate: Estate, operator: Client) -> None:
    mirrored, free = estate.nics[:2]
    told = deeds(panel(operator, free.key))
    assert list(told) == ["Mirror to…", "Create a TAP here…"]
    assert told["Mirror to…"] == f"/map/mirror?select={free.key}"
    assert operator.get(told["Create a TAP here…"].replace("&amp;", "&")).status_code == 200
    told = deeds(panel(operator, mirrored.key))
    assert list(told) == ["Stop mirroring…", "Move to…", "Create a TAP here…"]
    assert told["Stop mirroring…"] == f"/mirror/plan?action=untap&amp;select={mirrored.key}"
    moving = operator.get(told["Move to…"].replace("&amp;", "&")).content.decode()
    assert "Move to…" in moving
    assert "It is mirrored to this TAP already." in moving


def test_a_viewer_is_told_why_not(estate: Estate) -> None:
    shown = panel(signed_in(Role.VIEWER), estate.nics[0].key)
    told = deeds(shown)
    assert (told["Stop mirroring…"], told["Create a TAP here…"]) == ("", "")
    assert told["Move to…"], "looking is free"
    assert shown.count("Planning needs the role operator; yours is viewer.") == 1
    loose = make_nic("loose-nic", subnet=estate.spoke_subnet, address="10.1.1.77", vm=None)
    topology_refresh()
    shown = panel(signed_in(Role.OPERATOR), loose.key)
    assert deeds(shown) == {"Mirror to…": ""}
    assert "Azure mirrors NICs of VMs only." in shown
    assert "panel-reach" not in shown


def test_whether_a_nic_can_go_anywhere_is_one_sentence(estate: Estate, operator: Client) -> None:
    def reach(nic: int) -> str:
        return operator.get(f"/map/reach/{estate.nics[nic].key}").content.decode().strip()

    assert f"/map/reach/{estate.nics[1].key}" in panel(operator, estate.nics[1].key)
    assert reach(1) == "It can go to 1 of 1 TAP."
    assert reach(0) == "It is mirrored, and there is no other TAP."
    few = queries_of(lambda: reach(1))
    for number in range(5):
        make_tap(f"tap-{number}", destination_id=f"{estate.nics[3].arm_id}/ipConfigurations/ipconfig1")
    assert queries_of(lambda: reach(1)) == few
    VirtualNetworkTap.objects.exclude(pk=estate.tap.pk).delete()
    VirtualNetworkPeering.objects.all().update(peering_state="Disconnected")
    assert reach(1).startswith("It can go to none of 1 TAP. ")
    VirtualNetworkTap.objects.all().delete()
    assert reach(1) == "There is no TAP yet that it could go to."
    assert operator.get(f"/map/reach/{'a' * 26}").content.decode().strip() == ""


def test_a_collectors_taps_take_nics_and_are_tagged_and_deleted(estate: Estate, operator: Client) -> None:
    told = deeds(panel(operator, estate.tap.destination_key))
    key = estate.tap.key
    assert told == {"Mirror NICs to it…": f"/map/sources/{key}", "Edit tags": f"/taps/{key}/tags", "Delete…": f"/taps/{key}/delete"}
    for address in list(told.values())[1:]:
        assert operator.get(address).status_code == 200
    shown = operator.get(f"/map/sources/{key}").content.decode()
    assert f"3 of 4 NICs near it may be mirrored to {estate.tap.name}." in shown
    free = ",".join(str(one) for one in sorted(Placement.objects.filter(key__in=[nic.key for nic in estate.nics[1:]]).values_list("pk", flat=True)))
    assert f'data-map-take="{free}"' in shown
    assert f'data-map-light="{free},' in shown, "and the collector"
    assert operator.get(f"/map/sources/{'a' * 26}").status_code == 404
    assert signed_in(Role.VIEWER, only=("5a000000-0000-0000-0000-0000000000aa",)).get(f"/map/sources/{key}").status_code == 404


def test_the_nics_near_a_tap_cost_as_many_queries_many_as_few(estate: Estate, operator: Client) -> None:
    few = queries_of(lambda: operator.get(f"/map/sources/{estate.tap.key}"))
    for number in range(20):
        make_nic(f"more-{number}", subnet=estate.spoke_subnet, address=f"10.1.1.{number + 40}", mac=f"00-0D-3A-00-02-{number:02X}")
    topology_refresh()
    assert queries_of(lambda: operator.get(f"/map/sources/{estate.tap.key}")) == few


def test_a_mirror_says_who_why_since_when_and_until_when(estate: Estate, operator: Client) -> None:
    key = estate.nics[0].tap_configurations.get().key
    assert "Since" not in panel(operator, key), "no sync looked at it yet"
    outside(estate, origin="adopted", owner="SOC", reason="INC-7: odd DNS", ticket="CHG-7", adopted_by="olga", expires_at=NOW)
    shown = panel(operator, key)
    for words in ("SOC", "INC-7: odd DNS", "CHG-7", "adopted by olga", "not known; first seen", f"{NOW:%Y-%m-%d %H:%M} UTC"):
        assert words in shown, words
    assert list(deeds(shown)) == ["Stop mirroring…", "Move to…"]
    assert "SOC · CHG-7" in panel(operator, estate.nics[0].key)


def test_what_nobody_answers_for_bears_its_glyph_everywhere_and_counts_agree(estate: Estate, operator: Client) -> None:
    key = estate.nics[0].tap_configurations.get().key
    outside(estate)
    make_tap_life(tap_key=estate.tap.key, tap_name=estate.tap.name, subscription_id=SUBSCRIPTION)
    assert topology_refresh_if_changed(), "the ledger alone makes a new picture"
    told = deeds(panel(operator, key))
    assert told["Adopt…"] == f"/unaccounted?q={estate.nics[0].name}"
    assert list(told)[1:] == ["Plan removal…", "Move to…"]
    assert operator.get(told["Adopt…"]).status_code == 200
    assert f"{UNACCOUNTED_GLYPH} unaccounted" in panel(operator, estate.nics[0].key)
    assert f"{UNACCOUNTED_GLYPH} unaccounted" in panel(operator, estate.tap.destination_key)
    page = operator.get("/unaccounted").content.decode()
    assert page.count(UNACCOUNTED_GLYPH) >= 2
    tables = last_snapshot(TopologyState.objects.get()).tables
    counts = ledger_counts(Scope.everything())
    assert sum(bool(row[4] & 128) for row in tables["nics"].values()) == counts.unaccounted_mirrors == 1
    assert sum(row[13] for row in tables["collectors"].values()) == counts.unaccounted_taps == 1


def test_a_broken_peering_names_the_mirrors_that_it_stops(estate: Estate, operator: Client) -> None:
    between = pair_key(estate.hub.key, estate.spoke.key)
    assert "Mirrors it stops" not in panel(operator, between)
    VirtualNetworkPeering.objects.filter(virtual_network=estate.hub).update(peering_state="Disconnected")
    shown = panel(operator, between).partition("Mirrors it stops")[2]
    assert estate.nics[0].name in shown
    assert estate.nics[1].name not in shown


def test_a_running_change_stands_in_the_panel_of_its_nics(estate: Estate, operator: Client) -> None:
    nic = estate.nics[1]
    change = make_change(state="applying", subscription_ids=[SUBSCRIPTION])
    step = make_step(change, nic_key=nic.key, subscription_id=SUBSCRIPTION)
    shown = panel(operator, nic.key)
    assert f'href="/changes/{change.pk}"' in shown
    assert "waits for its turn" in shown
    type(step).objects.update(state="sent", sent_at=NOW)
    assert "with Azure now" in panel(operator, nic.key)
    type(step).objects.update(state="verified", ended_at=NOW, verified_at=NOW)
    assert "Being changed" not in panel(operator, nic.key)


def test_the_map_asks_in_one_go_which_nics_are_being_changed(estate: Estate, operator: Client) -> None:
    def asked(client: Client) -> list[dict[str, int]]:
        found: list[dict[str, int]] = client.get("/api/v1/topology/in-flight").json()
        return found

    assert asked(operator) == []
    change = make_change(state="applying", subscription_ids=[SUBSCRIPTION])
    for number, nic in enumerate(estate.nics[1:], 1):
        make_step(change, nic.name, nic_key=nic.key, subscription_id=SUBSCRIPTION, state="sent" if number < 3 else "pending", sent_at=NOW)
    few = queries_of(lambda: asked(operator))
    nodes = sorted(Placement.objects.get(key=nic.key).pk for nic in estate.nics[1:3])
    assert asked(operator) == [{"id": node, "change": change.pk} for node in nodes]
    change.steps.update(state="polling")
    assert len(asked(operator)) == 3
    assert queries_of(lambda: asked(operator)) == few
    assert asked(signed_in(Role.OPERATOR, only=("5a000000-0000-0000-0000-0000000000aa",))) == []
