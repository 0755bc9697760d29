"""What the taps room adds to the pages of NICs, TAPs and load balancers: verdicts, the ledger's words, ticks, checks, limits, and who may act."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.inventory.factories import (
    NOW,
    Estate,
    arm_id,
    make_estate,
    make_load_balancer,
    make_nic,
    make_run,
    make_tap,
)
from tests.inventory.pages import queries_of, signed_in
from tests.taps.conditions import make_all_read, make_conditions
from tests.taps.lives import make_life, make_tap_life
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.models import (
    LoadBalancer,
    LoadBalancingRule,
    NetworkInterface,
    ResourceChange,
    ResourceKind,
    TapConfiguration,
    VirtualMachine,
    VirtualNetworkPeering,
)
from vtapweb.taps.models import Mirror

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

OTHER = "5a000000-0000-0000-0000-000000000002"
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def estate() -> Estate:
    """hub: the collector's NIC behind tap-collector; peered spoke: app-01 is mirrored, app-02 … app-04 are not."""
    found = make_estate(mirrored=1)
    make_all_read()
    make_conditions()
    return found


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def words(client: Client, address: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text(client, address))))


def life_of(estate: Estate, **fields: Any) -> Mirror:
    """The ledger's row of app-01's mirror."""
    nic, mirror = estate.nics[0], TapConfiguration.objects.get()
    ids = {"nic_id": nic.arm_id, "nic_key": nic.key, "tap_id": estate.tap.arm_id, "tap_key": estate.tap.key, "tap_name": estate.tap.name}
    key = {"tap_configuration_id": mirror.arm_id, "tap_configuration_key": mirror.key, "subscription_id": nic.subscription_id}
    return make_life(nic.name, **ids, **key, **fields)


# --- NICs -----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_nic_says_where_it_could_go_and_why_not_elsewhere(estate: Estate) -> None:
    far = make_nic("far-end", subnet=estate.subnet, address="10.0.1.77", mac="")
    make_tap("tap-far", destination_id=f"{far.arm_id}/ipConfigurations/ipconfig1", location="germanywestcentral")
    nic = estate.nics[1]
    page = words(signed_in("operator"), f"/nics/{nic.key}")
    assert "Can be mirrored to 1 of 2 TAPs." in page
    assert "Why not the other 1?" in page
    source = text(signed_in("operator"), f"/nics/{nic.key}")
    assert f'href="/mirror?select={nic.key}"' in source
    assert f"tap={estate.tap.key}" in source
    assert 'data-test="rest"' in source


@pytest.mark.both_databases
def test_a_nic_without_any_tap_says_so(estate: Estate) -> None:
    estate.tap.removed_at = NOW
    estate.tap.save()
    assert "There is no TAP that you may see" in words(signed_in(), f"/nics/{estate.nics[1].key}")


@pytest.mark.both_databases
def test_a_mirrored_nic_tells_who_why_since_until_and_three_ticks(estate: Estate) -> None:
    nic = estate.nics[0]
    assert "The ledger does not know it yet" in words(signed_in(), f"/nics/{nic.key}")
    life = life_of(estate)
    unaccounted = words(signed_in(), f"/nics/{nic.key}")
    assert "unaccounted Made outside vtapweb" in unaccounted
    Mirror.objects.filter(pk=life.pk).update(
        origin="adopted", adopted_by="olga", owner="team net", reason="INC-7: odd DNS", ticket="CASE-7", expires_at=timezone.now() - timedelta(days=1)
    )
    page = words(signed_in(), f"/nics/{nic.key}")
    for one in ("Adopted by olga", "team net answers for it", "INC-7: odd DNS", "CASE-7", "overdue", "There is no other TAP that you may see"):
        assert one in page, one
    source = text(signed_in(), f"/nics/{nic.key}")
    assert re.findall(r'data-tick="(\w+)"', source) == ["unknown", "yes", "unknown"]
    assert "Cannot be seen here" in source
    operator = text(signed_in("operator"), f"/nics/{nic.key}")
    assert f'href="/mirror?action=move&amp;select={nic.key}"' in operator
    assert f'href="/mirror/plan?action=untap&amp;select={nic.key}"' in operator


@pytest.mark.both_databases
def test_a_vm_seen_stopped_and_running_ticks_prepared(estate: Estate) -> None:
    run = make_run()
    vm = VirtualMachine.objects.get(key=estate.nics[0].virtual_machine_key)
    for number, (before, after) in enumerate((("running", "deallocated"), ("deallocated", "running"))):
        ResourceChange.objects.create(
            run=run, kind=ResourceKind.VIRTUAL_MACHINE, key=vm.key,
            arm_id=vm.arm_id, name=vm.name, subscription_id=vm.subscription_id, action="changed",
            at=NOW + timedelta(hours=1 + number), fields={"power_state": [before, after]},
        )  # fmt: skip
    assert re.findall(r'data-tick="(\w+)"', text(signed_in(), f"/nics/{estate.nics[0].key}")) == ["yes", "yes", "unknown"]


def test_a_collectors_nic_offers_a_tap_there(estate: Estate) -> None:
    address = f"/nics/{estate.collector.key}"
    source = text(signed_in("operator"), address)
    assert "/taps/new?destination=" in source
    assert "It receives mirrored traffic." in source
    assert "/taps/new" not in text(signed_in(), address)


@pytest.mark.both_databases
@pytest.mark.parametrize("slug", ["nics", "taps", "load-balancers"])
def test_a_viewer_sees_all_but_the_buttons_and_why(estate: Estate, slug: str) -> None:
    make_load_balancer(subnet=estate.subnet, members=(estate.collector,))
    keys = {"nics": estate.nics[0].key, "taps": estate.tap.key, "load-balancers": LoadBalancer.objects.get().key}
    seen, acted = text(signed_in(), f"/{slug}/{keys[slug]}"), text(signed_in("operator"), f"/{slug}/{keys[slug]}")
    assert "Planning needs the role operator; yours is viewer." in seen
    for button in ("/mirror?", "/mirror/plan?", "/taps/new?", f"/taps/{estate.tap.key}/delete"):
        assert button not in seen
    assert "Planning needs" not in acted


@pytest.mark.both_databases
def test_what_is_gone_has_neither_buttons_nor_verdict(estate: Estate) -> None:
    nic = estate.nics[1]
    nic.removed_at = NOW
    nic.save()
    source = text(signed_in("operator"), f"/nics/{nic.key}")
    assert 'data-test="verdict"' not in source
    assert "/mirror?" not in source


# --- TAPs -----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_tap_tells_its_checks_its_maker_and_its_limits(estate: Estate, settings: Any) -> None:
    settings.LIMIT_CONFIGURATIONS_PER_TAP = 1
    make_tap_life(estate.tap.name, tap_id=estate.tap.arm_id, tap_key=estate.tap.key, subscription_id=estate.tap.subscription_id,
                  origin="change", began_by="olga", began_at=NOW, reason="INC-7: odd DNS")  # fmt: skip
    page = words(signed_in("operator"), f"/taps/{estate.tap.key}")
    for one in ("Made by olga", "INC-7: odd DNS", "not verified", "near: 1 of 1", "nic-packetlog: which product receives there is not known."):
        assert one in page, one
    source = text(signed_in("operator"), f"/taps/{estate.tap.key}")
    rules = re.findall(r'data-test="check" data-rule="([^"]*)"', source)
    assert {"dest-exists", "dest-passes-4789", "dest-members-run", "dest-nsg"} <= set(rules)
    for button in ("mirror-nics", "move-to", "stop-mirroring", "tap-tags", "tap-delete"):
        assert f'data-test="{button}"' in source


def test_a_broken_peering_is_told_where_the_mirrors_end(estate: Estate) -> None:
    VirtualNetworkPeering.objects.update(peering_state="Disconnected")
    source = text(signed_in(), f"/taps/{estate.tap.key}")
    part = source[source.index('data-test="source-checks"') :]
    assert re.findall(r'data-rule="([^"]*)"', part)[0] == "reachable"


def test_a_tap_without_sources_offers_no_untap(estate: Estate) -> None:
    idle = make_tap("tap-idle", destination_id=estate.tap.destination_ip_configuration_id)
    source = text(signed_in("operator"), f"/taps/{idle.key}")
    assert 'data-test="stop-mirroring"' not in source
    assert "It has none." in source


def test_what_many_rules_say_alike_is_told_once(estate: Estate) -> None:
    lost = make_tap("tap-lost", destination_id=arm_id("networkInterfaces/nic-gone/ipConfigurations", "ipconfig1"))
    assert words(signed_in(), f"/taps/{lost.key}").count("We can't tell: the destination nic-gone no longer exists") == 1


# --- load balancers -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_load_balancer_says_whether_a_tap_could_send_there(estate: Estate) -> None:
    balancer = make_load_balancer(subnet=estate.subnet, members=(estate.collector,))
    address = f"/load-balancers/{balancer.key}"
    page = words(signed_in("operator"), address)
    assert "Could receive mirrored traffic:" in page
    assert "Create a TAP here…" in page
    LoadBalancingRule.objects.all().delete()
    refused = words(signed_in("operator"), address)
    assert "Can't receive mirrored traffic:" in refused
    assert "passes UDP 4789" in refused


# --- all ------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_hostile_names_are_shown_and_obeyed_nowhere(estate: Estate) -> None:
    life_of(estate, origin="adopted", adopted_by=HOSTILE, owner=HOSTILE, reason=HOSTILE, ticket=HOSTILE)
    NetworkInterface.objects.filter(pk=estate.collector.pk).update(name=HOSTILE)
    estate.tap.name = HOSTILE
    estate.tap.save()
    balancer = make_load_balancer(subnet=estate.subnet, members=(estate.collector,))
    for address in (f"/nics/{estate.nics[0].key}", f"/nics/{estate.nics[1].key}", f"/taps/{estate.tap.key}", f"/load-balancers/{balancer.key}"):
        source = text(signed_in("operator"), address)
        assert "<script>alert(1)" not in source
        assert "\u202e" not in source


@pytest.mark.both_databases
def test_scope_hides_taps_and_lives_of_others(estate: Estate) -> None:
    far = make_estate(subscription_id=OTHER, mirrored=1)
    make_tap("tap-secret", subscription_id=OTHER, destination_id=f"{far.collector.arm_id}/ipConfigurations/ipconfig1")
    client = signed_in("operator", only=(estate.tap.subscription_id,))
    assert "tap-secret" not in text(client, f"/nics/{estate.nics[1].key}")
    assert client.get(f"/taps/{far.tap.key}").status_code == 404


def test_queries_do_not_grow_with_taps_sources_and_frontends(estate: Estate) -> None:
    balancer = make_load_balancer(subnet=estate.subnet, members=(estate.collector,))
    addresses = [f"/nics/{estate.nics[0].key}", f"/nics/{estate.nics[1].key}", f"/taps/{estate.tap.key}", f"/load-balancers/{balancer.key}"]
    client = signed_in("operator")
    make_tap("tap-first", destination_id=estate.tap.destination_ip_configuration_id)

    def queries() -> list[int]:
        return [queries_of(lambda address=address: text(client, address)) for address in addresses]  # type: ignore[misc] # binds

    queries()
    few = queries()
    for number in range(6):
        make_tap(f"tap-{number}", destination_id=estate.tap.destination_ip_configuration_id)
        nic = make_nic(f"more-{number}-nic", subnet=estate.spoke_subnet, address=f"10.1.3.{number}", mac="")
        TapConfiguration.objects.create(
            key=arm_key(f"{nic.arm_id}/tapConfigurations/more"), arm_id=f"{nic.arm_id}/tapConfigurations/more", name="more", network_interface=nic,
            subscription_id=nic.subscription_id, virtual_network_tap_id=estate.tap.arm_id, virtual_network_tap_key=estate.tap.key,
            first_seen_at=NOW, last_seen_at=NOW,
        )  # fmt: skip
    assert queries() == few
    assert max(few) <= 75
