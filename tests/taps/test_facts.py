"""From rows to facts: what the rules are told of an estate, and how much it costs to tell it."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.inventory.factories import (
    NOW,
    SUBSCRIPTION,
    Estate,
    arm_id,
    make_estate,
    make_ip_configuration,
    make_kind_state,
    make_load_balancer,
    make_nic,
    make_nsg,
    make_peering,
    make_subnet,
    make_subscription,
    make_tap,
    make_tap_configuration,
    make_vnet,
)
from tests.taps.conditions import READER, make_all_read, make_conditions, make_permissions
from tests.taps.people import viewer
from vtapweb.access.role import Role
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.facts import Presence, Readability, SourceFacts, TapFacts
from vtapweb.inventory.models import (
    BackendAddressPool,
    IpConfiguration,
    KindState,
    LoadBalancingRule,
    NetworkInterface,
    ResourceChange,
    Subnet,
    VirtualMachine,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.taps.actions.settings import assignment_set, protect_add
from vtapweb.taps.selectors.facts import Facts, ProposedTap, world_of
from vtapweb.taps.selectors.verdicts import JudgedSelection, judge_selection

pytestmark = pytest.mark.django_db

OTHER = "5a000000-0000-0000-0000-000000000002"
ALL = Scope.everything()


@pytest.fixture
def estate() -> Estate:
    """hub [collectors: nic-packetlog] ==Connected== spoke [apps: app-01 … app-04], nothing mirrored, everything read and allowed."""
    found = make_estate(mirrored=0)
    make_all_read()
    make_conditions()
    return found


def judged(estate: Estate, scope: Scope = ALL) -> JudgedSelection:
    return judge_selection(scope, [one.key for one in estate.nics])


def facts(*nics: NetworkInterface, scope: Scope = ALL, **given: Any) -> Facts:
    return world_of(scope, source_keys=[one.key for one in nics], **given)


def source(nic: NetworkInterface, scope: Scope = ALL) -> SourceFacts:
    return facts(nic, scope=scope).sources[0]


def tap_facts(tap: VirtualNetworkTap, scope: Scope = ALL) -> TapFacts:
    return world_of(scope, source_keys=[], tap_keys=[tap.key]).taps[0]


def test_a_healthy_estate_is_allowed_with_every_rule_told(estate: Estate) -> None:
    found = judged(estate)
    verdict = found.verdict(found.sources[0], found.taps[0])
    assert [(one.rule_id, one.message) for one in verdict.deciding] == []
    assert verdict.allowed is True
    assert {one.rule_id for one in verdict.findings if one.outcome != "ok"} == {"downtime", "fastpath"}


def test_keys_keep_their_order_and_strangers_are_left_out(estate: Estate) -> None:
    keys = [estate.nics[2].key, "x" * 26, estate.nics[0].key, estate.nics[2].key]
    found = world_of(ALL, source_keys=keys)
    assert [one.key for one in found.sources] == [estate.nics[2].key, estate.nics[0].key]
    everything = world_of(ALL, source_keys=None)
    assert len(everything.sources) == NetworkInterface.objects.count()
    assert world_of(Scope.of([]), source_keys=keys) == world_of(Scope.of([OTHER]), source_keys=None)


@pytest.mark.parametrize("more", [0, 30])
def test_facts_cost_the_same_for_few_and_many(estate: Estate, more: int) -> None:
    for number in range(more):
        subnet = make_subnet(f"sub-{number}", vnet=estate.spoke)
        nic = make_nic(f"more-{number:02}-nic", subnet=subnet, address=f"10.1.9.{number}", mac="")
        balancer = make_load_balancer(f"ilb-{number}", subnet=estate.subnet, members=(nic,))
        make_tap(f"tap-{number}", destination_id=f"{balancer.arm_id}/frontendIPConfigurations/frontend")
        make_peering(f"p-{number}", vnet=estate.hub, remote_id=arm_id("virtualNetworks", f"v-{number}"))
    for keys in (None, [one.key for one in estate.nics]):
        with CaptureQueriesContext(connection) as queries:
            found = judge_selection(ALL, keys)
        assert len(found.taps) == 1 + more
        assert len(queries) <= 27


def test_a_load_balancer_is_followed_to_its_members(estate: Estate) -> None:
    nsg = make_nsg(security_rules=[{"name": "deny", "priority": 100, "direction": "Inbound", "access": "Deny", "protocol": "Udp"}])
    Subnet.objects.filter(pk=estate.subnet.pk).update(network_security_group_key=nsg.key)
    member = make_nic("member-nic", subnet=estate.subnet, address="10.0.1.9", mac="")
    balancer = make_load_balancer(subnet=estate.subnet, members=(member,))
    gone_id = f"{arm_id('networkInterfaces', 'gone-nic')}/ipConfigurations/ipconfig1"
    pool = BackendAddressPool.objects.get()
    pool.ip_configuration_ids = [*pool.ip_configuration_ids, gone_id]
    pool.save()
    tap = make_tap("tap-lb", destination_id=f"{balancer.arm_id}/frontendIPConfigurations/frontend")
    end = tap_facts(tap).destination
    assert end is not None
    assert (end.kind, end.name, end.region, end.vnet_key, end.presence) == ("load_balancer", balancer.name, "uksouth", estate.hub.key, Presence.READ)
    assert end.rules is not None
    assert [(rule.protocol, rule.frontend_port) for rule in end.rules] == [("Udp", 4789)]
    assert end.members is not None
    here, gone = end.members
    assert (here.nic_name, here.vm_name, here.power_state, here.security_group_keys) == ("member-nic", "member", "running", (nsg.key,))
    assert (gone.nic_name, gone.presence) == ("gone-nic", Presence.GONE)
    assert world_of(ALL, source_keys=[], tap_keys=[tap.key]).world.security_groups[nsg.key].rules[0].name == "deny"


def test_a_pool_of_addresses_is_followed_in_its_own_vnet(estate: Estate) -> None:
    """ilb (hub) -> pool of 10.0.1.5; a NIC of the same address in another VNet is none of it."""
    twin = make_nic("twin-nic", subnet=estate.spoke_subnet, address="10.0.1.5", mac="")
    balancer = make_load_balancer(subnet=estate.subnet)
    BackendAddressPool.objects.update(backend_addresses=["10.0.1.5", "10.0.1.77"])
    LoadBalancingRule.objects.update(is_floating_ip_enabled=True)
    tap = make_tap("tap-lb", destination_id=f"{balancer.arm_id}/frontendIPConfigurations/frontend")
    end = tap_facts(tap).destination
    assert end is not None
    assert [(one.nic_name, one.presence) for one in end.members or ()] == [
        (estate.collector.name, Presence.READ),
        ("10.0.1.77", Presence.UNREADABLE),
    ]
    assert [(one.name, one.floating_rules) for one in source(estate.collector).behind] == [(balancer.name, ("vxlan",))]
    assert source(twin).behind == ()


def test_a_source_behind_a_load_balancer(estate: Estate) -> None:
    nic = estate.nics[0]
    balancer = make_load_balancer("lb-apps", subnet=estate.spoke_subnet, members=(nic,), sku="Basic")
    pools = [f"{balancer.arm_id}/backendAddressPools/pool", f"{arm_id('loadBalancers', 'lb-old')}/backendAddressPools/pool"]
    IpConfiguration.objects.filter(network_interface=nic).update(backend_address_pool_ids=pools)
    behind = source(nic).behind
    assert [(one.name, one.presence, one.sku, one.floating_rules) for one in behind] == [
        ("lb-apps", Presence.READ, "Basic", ()),
        ("lb-old", Presence.GONE, "", ()),
    ]
    KindState.objects.filter(kind="load_balancers").update(status="failed")
    assert source(nic).behind[1].presence is Presence.UNREADABLE


@pytest.mark.parametrize(("list_status", "presence"), [("complete", Presence.GONE), ("held", Presence.GONE), ("partial", Presence.UNREADABLE)])
def test_what_is_not_there_is_gone_only_if_its_list_was_read(estate: Estate, list_status: str, presence: Presence) -> None:
    KindState.objects.update(status=list_status)
    tap = make_tap("tap-lost", destination_id=f"{arm_id('networkInterfaces', 'lost')}/ipConfigurations/ipconfig1")
    end = tap_facts(tap).destination
    assert end is not None
    assert (end.presence, end.name, end.kind, end.rules, end.members) == (presence, "lost", "nic", None, None)
    nic = make_nic("orphan-nic", subnet=estate.spoke_subnet, address="10.1.1.99", mac="")
    VirtualMachine.objects.filter(key=nic.virtual_machine_key).delete()
    assert source(nic).vm_presence is presence
    assert source(make_nic("loose-nic", subnet=estate.spoke_subnet, vm=None, address="10.1.1.98")).vm_presence is None


def test_a_list_of_vnets_that_failed_makes_them_unreadable(estate: Estate) -> None:
    assert set(facts(*estate.nics).world.vnets) == {estate.hub.key, estate.spoke.key}
    KindState.objects.filter(kind="virtual_networks").update(status="failed")
    found = judged(estate)
    assert found.world.vnets == {}
    verdict = found.verdict(found.sources[0], found.taps[0])
    assert verdict.allowed is None
    assert {"reachable", "vnet-encryption"} <= {one.rule_id for one in verdict.deciding}


def test_a_broken_peering_says_since_when(estate: Estate) -> None:
    peering = VirtualNetworkPeering.objects.get(name="to-hub")
    VirtualNetworkPeering.objects.filter(pk=peering.pk).update(peering_state="Disconnected")
    side = facts(*estate.nics).world.vnets[estate.spoke.key].peerings[estate.hub.key]
    assert (side.state, side.remote_name, side.since) == ("Disconnected", "hub", NOW)
    later = NOW + timedelta(hours=3)
    change("peerings", peering.key, later, peering_state=["Connected", "Disconnected"])
    side = facts(*estate.nics).world.vnets[estate.spoke.key].peerings[estate.hub.key]
    assert side.since == later
    found = judged(estate)
    verdict = found.verdict(found.sources[0], found.taps[0])
    assert verdict.allowed is False
    assert "seen since 2026-11-20 15:00 UTC" in verdict.deciding[0].message


def change(kind: str, key: str, at: Any, **fields: Any) -> None:
    ResourceChange.objects.create(subscription_id=SUBSCRIPTION, kind=kind, key=key, arm_id="x", name="x", action="changed", fields=fields, at=at)


@pytest.mark.parametrize(
    ("seen", "restarted_after_h"),
    [
        ([("running", "deallocated"), ("deallocated", "running")], 2),
        ([("running", "deallocating"), ("deallocated", "starting"), ("starting", "running")], 3),
        ([("running", "stopped"), ("stopped", "running")], None),
        ([("running", "deallocated")], None),
        ([("deallocated", "running"), ("running", "deallocated")], 1),
        ([], None),
    ],
)
def test_a_restart_is_seen_from_power_states(estate: Estate, seen: list[tuple[str, str]], restarted_after_h: int | None) -> None:
    nic = estate.nics[0]
    for number, states in enumerate(seen, start=1):
        change("virtual-machines", nic.virtual_machine_key, NOW + timedelta(hours=number), power_state=list(states))
    change("virtual-machines", nic.virtual_machine_key, NOW + timedelta(hours=9), vm_size=["a", "b"])
    expected = None if restarted_after_h is None else NOW + timedelta(hours=restarted_after_h)
    assert source(nic).vm_restarted_at == expected


def test_mirrors_tags_and_collectors(estate: Estate) -> None:
    nic = estate.nics[0]
    make_tap_configuration(nic=nic, tap_id=estate.tap.arm_id.upper())
    VirtualMachine.objects.filter(key=nic.virtual_machine_key).update(tags={"team": "vm", "pci": "yes"})
    NetworkInterface.objects.filter(pk=nic.pk).update(tags={"team": "nic"})
    found = facts(nic, estate.collector)
    mirrored, collector = found.sources
    assert [(one.tap_key, one.name) for one in mirrored.configurations or ()] == [(estate.tap.key, "tapconfig")]
    assert mirrored.tags == {"team": "nic", "pci": "yes"}
    assert found.world.collector_nic_keys == {collector.key}
    assert found.taps[0].configuration_count == 1
    assert found.world.subscriptions[SUBSCRIPTION].configuration_count == 1
    assert found.world.subscriptions[SUBSCRIPTION].tap_counts == {"uksouth": 1}


def test_a_member_of_a_pool_that_a_tap_leads_to_is_a_collector_even_if_the_tap_is_out_of_scope(estate: Estate) -> None:
    make_subscription(OTHER, name="corp-sec")
    member = make_nic("member-nic", subnet=estate.subnet, address="10.0.1.9", mac="")
    balancer = make_load_balancer(subnet=estate.subnet, members=(member,))
    pool_id = f"{balancer.arm_id}/backendAddressPools/pool"
    IpConfiguration.objects.filter(network_interface=member).update(backend_address_pool_ids=[pool_id])
    make_tap("tap-far", destination_id=f"{balancer.arm_id}/frontendIPConfigurations/frontend", subscription_id=OTHER)
    found = facts(member, scope=Scope.of([SUBSCRIPTION]))
    assert found.world.collector_nic_keys == {member.key}
    assert "tap-far" not in str(found)


def test_conditions_become_permissions_locks_and_feature(estate: Estate) -> None:
    group = arm_id("networkInterfaces", "x").rsplit("/providers", 1)[0]
    make_permissions(group.upper(), READER)
    world = facts(*estate.nics).world
    assert world.permissions[arm_key(f"/subscriptions/{SUBSCRIPTION}")].lists[0].actions == ("*",)
    assert world.permissions[arm_key(group)].readability is Readability.READ
    assert world.subscriptions[SUBSCRIPTION].feature.state == "Registered"


@pytest.mark.parametrize(
    ("cloud", "status", "expected"),
    [
        ("custom", "not_available", Readability.NOT_OFFERED),
        ("simulator", "not_available", Readability.NOT_OFFERED),
        ("public", "not_available", Readability.UNREADABLE),
        ("custom", "forbidden", Readability.UNREADABLE),
        ("custom", "never", Readability.UNREADABLE),
        ("public", "read", Readability.READ),
    ],
)
def test_an_api_that_only_a_custom_server_may_lack(monkeypatch: pytest.MonkeyPatch, cloud: str, status: str, expected: Readability) -> None:
    monkeypatch.setattr(settings, "CLOUD", cloud)
    make_subscription()
    make_conditions(locks_status=status, locks=[{"scope_id": "/x", "level": "ReadOnly", "name": "l", "notes": ""}])
    facts_of = world_of(ALL, source_keys=[]).world.subscriptions[SUBSCRIPTION]
    assert facts_of.locks_readability is expected


def test_a_subscription_never_asked_is_unknown_not_ok() -> None:
    found = make_estate(mirrored=0)
    make_all_read()
    selection = judged(found)
    verdict = selection.verdict(selection.sources[0], selection.taps[0])
    assert verdict.allowed is None
    assert {one.rule_id for one in verdict.deciding} == {"permission", "lock"}
    assert selection.unread_scopes == (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net",)


def test_what_lies_out_of_scope_is_unknown_and_unnamed(estate: Estate) -> None:
    """spoke (ours) ==Connected== far-hub [collector] (theirs); the TAP is ours."""
    make_subscription(OTHER, name="corp-secret")
    make_conditions(OTHER)
    hub = make_vnet("far-hub", subscription_id=OTHER)
    collector = make_nic("far-collector", subnet=make_subnet("far", vnet=hub), address="10.9.0.4", mac="")
    make_all_read()
    make_peering("to-far", vnet=estate.spoke, remote_id=hub.arm_id)
    make_peering("to-spoke", vnet=hub, remote_id=estate.spoke.arm_id)
    tap = make_tap("tap-ours", destination_id=f"{collector.arm_id}/ipConfigurations/ipconfig1")
    keys = [estate.nics[0].key, collector.key]
    whole = judge_selection(ALL, keys, [tap.key])
    assert whole.verdict(whole.sources[0], whole.taps[0]).allowed is True
    mine = judge_selection(Scope.of([SUBSCRIPTION]), keys, [tap.key])
    assert [one.key for one in mine.sources] == [estate.nics[0].key]
    verdict = mine.verdict(mine.sources[0], mine.taps[0])
    assert verdict.allowed is None
    assert {"dest-exists", "reachable"} <= {one.rule_id for one in verdict.deciding}
    assert "corp-secret" not in str(verdict)


def test_protected_scopes_hold_whoever_looks(estate: Estate) -> None:
    protect_add(kind="tag", value="PCI", owner="Payments", contact="x@example.com", acting_user=viewer(Role.ADMIN))
    NetworkInterface.objects.filter(pk=estate.nics[1].pk).update(tags={"pci": "1"})
    found = judged(estate, Scope.of([SUBSCRIPTION]))
    allowed = [found.verdict(one, found.taps[0]).allowed for one in found.sources]
    assert allowed == [True, False, True, True]
    assert "x@example.com" in found.verdict(found.sources[1], found.taps[0]).deciding[0].remedy


def test_a_tap_still_to_be_created(estate: Estate) -> None:
    wanted = arm_id("virtualNetworkTaps", "tap-new", group="rg-new")
    destination = f"{estate.collector.arm_id}/ipConfigurations/ipconfig1"
    found = facts(*estate.nics, tap_keys=[], proposed=[ProposedTap(wanted, destination)])
    (tap,) = found.taps
    assert (tap.key, tap.name, tap.region, tap.is_proposed) == (arm_key(wanted), "tap-new", "uksouth", True)
    assert tap.destination is not None
    assert tap.destination.presence is Presence.READ
    (nowhere,) = facts(tap_keys=[], proposed=[ProposedTap(wanted, "")]).taps
    assert nowhere.destinations == ()
    (odd,) = facts(tap_keys=[], proposed=[ProposedTap(wanted, "/nonsense")]).taps
    assert odd.destination is not None
    assert (odd.destination.kind, odd.destination.presence) == ("", Presence.UNREADABLE)


def test_a_tap_with_two_destinations_has_both(estate: Estate) -> None:
    balancer = make_load_balancer(subnet=estate.subnet)
    frontend = f"{balancer.arm_id}/frontendIPConfigurations/frontend"
    tap = make_tap("tap-two", destination_id=frontend, destination_ip_configuration_id=f"{estate.collector.arm_id}/ipConfigurations/ipconfig1")
    assert [one.kind for one in tap_facts(tap).destinations] == ["nic", "load_balancer"]


def test_hostile_ids_and_names_raise_nothing(estate: Estate) -> None:
    for number, odd in enumerate(("", "/", "x" * 3000, "/subscriptions//", "/frontendIPConfigurations/", "\u202e</script>")):
        make_tap(f"tap-odd-{number}", destination_id="", destination_ip_configuration_id=odd, destination_frontend_id=odd)
        nic = make_nic(f"odd-{number}-nic", subnet=estate.spoke_subnet, address=f"10.1.3.{number}", mac="", virtual_network_id=odd, subnet_id=odd)
        make_ip_configuration(f"more-{number}", nic=nic, address="10.1.4.1", subnet=estate.spoke_subnet, backend_address_pool_ids=[odd])
    IpConfiguration.objects.filter(private_ip_address="10.1.4.1").update(private_ip_address="no address")
    found = judge_selection(ALL, None)
    assert all(found.verdict(one, tap).allowed is not True for one in found.sources for tap in found.taps if tap.name.startswith("tap-odd"))


def test_a_subscription_without_a_list_of_nics_counts_nothing() -> None:
    row = make_subscription()
    make_kind_state("network_interfaces", subscription=row, status="failed")
    facts_of = world_of(ALL, source_keys=[]).world.subscriptions[SUBSCRIPTION]
    assert facts_of.configuration_count is None
    assert facts_of.tap_counts is None


def test_a_collector_is_recognised_unless_somebody_said_what_it_is(estate: Estate) -> None:
    """The VM behind the destination carries a marketplace plan; behind a load balancer the members' are looked at."""
    VirtualMachine.objects.filter(key=estate.collector.virtual_machine_key).update(
        plan_publisher="gigamon-inc", plan_product="gigamon-gigavue-cloud-suite-v2", plan_name="vseries-node-v61200"
    )
    balancer = make_load_balancer(subnet=estate.subnet, members=(estate.collector,))
    behind = make_tap("tap-lb", destination_id=f"{balancer.arm_id}/frontendIPConfigurations/frontend")
    for tap in (estate.tap, behind):
        end = tap_facts(tap).destination
        assert end is not None
        assert (end.partner.partner_key, end.partner.by, end.partner.role) == ("gigamon", "marketplace", "collector")
    assignment_set(destination_id=estate.tap.destination_id.upper(), partner="big_switch_dmf", acting_user=viewer(Role.ADMIN, name="ada"))
    end = tap_facts(estate.tap).destination
    assert end is not None
    assert (end.partner.partner_key, end.partner.by, end.partner.matched) == ("big_switch_dmf", "assignment", "ada")
