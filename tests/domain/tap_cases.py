"""The table of cases: for every rule what makes it ok, what makes it warn or block, and what makes it unknown; one thing spoiled in each.

The scene they start from:   [spoke] web-01 ==Connected both sides== [hub] collector-01 <-- tap-hub
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.domain.estates import APPS, PLATFORM, SHARED, vnet_id
from tests.domain.tap_scene import (
    APPS_GROUP,
    BORN,
    COLLECTOR,
    CONTRIBUTOR,
    GROUP_KEY,
    HUB_KEY,
    READER,
    SPOKE_KEY,
    TAP,
    TAP_GROUP,
    WEB,
    Scene,
    behind_a_balancer,
    fine_destination,
    fine_member,
)
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.partners import Recognised
from vtapweb.domain.tap_rules.facts import (
    BehindFacts,
    ConfigurationFacts,
    FeatureFacts,
    LimitFacts,
    LoadBalancingRuleFacts,
    LockFacts,
    PeeringFacts,
    PermissionFacts,
    Presence,
    ProtectionFacts,
    Readability,
    SecurityGroupFacts,
    SecurityRuleFacts,
    Tables,
    VnetFacts,
)
from vtapweb.domain.tap_rules.rule import About, Outcome

OK, WARN, BLOCK, UNKNOWN = Outcome.OK, Outcome.WARN, Outcome.BLOCK, Outcome.UNKNOWN
FINE = Scene()
BALANCED = FINE.tap_but(destinations=(behind_a_balancer(),))
PROPOSED = FINE.tap_but(is_proposed=True, created_at=None, configuration_count=None)
END_KEY = FINE.tap.destinations[0].key
TENANT_B = "00000000-0000-4000-8000-00000000bbbb"
THIRD = vnet_id(SHARED, "transit")


@dataclass(frozen=True)
class Case:
    """`allowed` is the whole verdict; `says` must stand in what the rule answers."""

    name: str
    rule_id: str
    about: About
    outcome: Outcome
    allowed: bool | None
    scene: Scene
    says: str = ""


def _of(rule_id: str, about: About, *rows: tuple[Any, ...]) -> Iterator[Case]:
    for name, outcome, allowed, scene, *says in rows:
        yield Case(f"{rule_id} ({about}): {name}", rule_id, about, outcome, allowed, scene, *says)


def _protected(**changes: str) -> ProtectionFacts:
    return replace(ProtectionFacts("subscription", APPS, "Payments team", "pay@example.com"), **changes)


def _behind(**changes: Any) -> Scene:
    return FINE.source_but(behind=(replace(BehindFacts("lb-web", Presence.READ, "Standard"), **changes),))


def _member(**changes: Any) -> Scene:
    return FINE.end_but(members=(replace(fine_member(), **changes),))


def _members(*changes: dict[str, Any]) -> Scene:
    return FINE.tap_but(destinations=(behind_a_balancer(members=tuple(replace(fine_member(), **one) for one in changes)),))


def _group(*rules: SecurityRuleFacts, scene: Scene = FINE) -> Scene:
    return scene.world_but(security_groups={GROUP_KEY: SecurityGroupFacts(GROUP_KEY, "nsg-collector", rules)})


def _rule(access: str, priority: int | None = 100, *, source: str = "*", to: str = "*", ports: str = "4789", **changes: Any) -> SecurityRuleFacts:
    words = (tuple(filter(None, source.split(","))), tuple(filter(None, to.split(","))), tuple(filter(None, ports.split(","))))
    return replace(SecurityRuleFacts(f"{access.lower()}-{priority}", priority, "Inbound", access, "Udp", *words), **changes)


def _peered(key: str, name: str, remote_key: str, remote: str, state: str, since: datetime | None = None) -> Scene:
    return FINE.vnet_but(key, peerings={remote_key: PeeringFacts(remote_key, remote, state, since)})


def _locked(subscription_id: str, scope: str, level: str, scene: Scene = FINE) -> Scene:
    return scene.subscription_but(subscription_id, locks=(LockFacts(scope, level, "keep"),))


def _permitted(by_scope: dict[str, PermissionFacts], scene: Scene = FINE) -> Scene:
    return scene.world_but(permissions={arm_key(scope): facts for scope, facts in by_scope.items()})


def _without_vnet(key: str) -> Scene:
    return FINE.world_but(vnets={other: vnet for other, vnet in FINE.world.vnets.items() if other != key})


def _transit(state: str = "Connected") -> Scene:
    """[spoke] web-01 == [transit] == [hub] collector-01 <-- tap-hub"""
    transit = arm_key(THIRD)
    side = {transit: PeeringFacts(transit, "transit", state)}
    return FINE.vnet_but(SPOKE_KEY, peerings=side).vnet_but(HUB_KEY, peerings=side)


def _dark_hub_of_a_spoke_with_another() -> Scene:
    """[spoke] web-01 == [transit]    [hub, cannot be read] collector-01 <-- tap-hub"""
    transit = arm_key(THIRD)
    return _without_vnet(HUB_KEY).vnet_but(SPOKE_KEY, peerings={transit: PeeringFacts(transit, "transit", "Connected")})


def _limited(scene: Scene = FINE, **limits: Any) -> Scene:
    return scene.world_but(limits=LimitFacts(**limits))


UNREADABLE_END = FINE.end_but(presence=Presence.UNREADABLE)
GONE_END = FINE.end_but(presence=Presence.GONE)
NO_END = FINE.tap_but(destinations=())
TWO_ENDS = FINE.tap_but(destinations=(fine_destination(), behind_a_balancer()))

SOURCE_CASES = (
    *_of("not-vm-nic", About.SOURCE,
        ("of a VM", OK, True, FINE),
        ("of a private endpoint", BLOCK, False, FINE.source_but(has_private_endpoint=True), "private endpoint"),
        ("of a private link service", BLOCK, False, FINE.source_but(has_private_link_service=True), "private link service"),
    ),
    *_of("scale-set-nic", About.SOURCE,
        ("in the subscription's list", OK, True, FINE),
        ("in a uniform scale set", BLOCK, False, FINE.source_but(
            arm_id=f"{APPS_GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0/networkInterfaces/n"), "scale set"),
    ),
    *_of("source-attached", About.SOURCE,
        ("to a VM", OK, True, FINE, "web-01-vm"),
        ("to a VM that cannot be read", OK, True, FINE.source_but(vm_presence=Presence.UNREADABLE)),
        ("to nothing", BLOCK, False, FINE.source_but(vm_presence=None), "no VM"),
        ("to a VM that is gone", UNKNOWN, None, FINE.source_but(vm_presence=Presence.GONE), "web-01-vm"),
    ),
    *_of("one-config-per-nic", About.SOURCE,
        ("none", OK, True, FINE),
        ("one", BLOCK, False, FINE.source_but(configurations=(ConfigurationFacts("c", "k", "tap-old"),)), "tap-old"),
        ("one to the same TAP", BLOCK, False, FINE.source_but(configurations=(ConfigurationFacts("c", arm_key(TAP), "tap-hub"),)), "tap-hub"),
        ("one whose TAP has no name", BLOCK, False, FINE.source_but(configurations=(ConfigurationFacts("old", "", ""),)), "mirrored to old"),
        ("as it will be after a move", OK, True,
            replace(FINE, source=FINE.source_but(configurations=(ConfigurationFacts("c", "k", "old"),)).source.without_configurations())),
        ("not known", UNKNOWN, None, FINE.source_but(configurations=None), "subscription apps"),
    ),
    *_of("ipv4", About.SOURCE,
        ("one address", OK, True, FINE),
        ("a version not said", OK, True, FINE.source_but(ip_versions=("",))),
        ("a second one of IPv6", BLOCK, False, FINE.source_but(ip_versions=("IPv4", "IPv6"))),
        ("an IPv6 address without its version", BLOCK, False, FINE.source_but(ip_versions=("",), private_ips=("fd00::4",))),
        ("no configuration known", UNKNOWN, None, FINE.source_but(ip_versions=())),
    ),
    *_of("vnet-encryption", About.SOURCE,
        ("off", OK, True, FINE),
        ("not named, which is off", OK, True, FINE.vnet_but(SPOKE_KEY, is_encryption_enabled=None)),
        ("on", BLOCK, False, FINE.vnet_but(SPOKE_KEY, is_encryption_enabled=True), "spoke"),
        ("VNet cannot be read", UNKNOWN, None, _without_vnet(SPOKE_KEY), "spoke"),
    ),
    *_of("basic-lb", About.SOURCE,
        ("behind none", OK, True, FINE),
        ("behind a Standard one", OK, True, _behind()),
        ("behind one that is gone", OK, True, _behind(presence=Presence.GONE, sku="Basic")),
        ("behind one that is gone, its SKU not said", OK, True, _behind(presence=Presence.GONE, sku="")),
        ("behind a Basic one", BLOCK, False, _behind(sku="basic"), "lb-web"),
        ("SKU not said", UNKNOWN, None, _behind(sku=""), "lb-web"),
        ("behind one that cannot be read", UNKNOWN, None, _behind(presence=Presence.UNREADABLE), "lb-web"),
    ),
    *_of("floating-ip", About.SOURCE,
        ("none", OK, True, _behind()),
        ("of one that is gone", OK, True, _behind(presence=Presence.GONE, floating_rules=("sql",))),
        ("a rule with it", BLOCK, False, _behind(floating_rules=("sql",)), "sql of lb-web"),
        ("rules cannot be read", UNKNOWN, None, _behind(presence=Presence.UNREADABLE), "rules of the load balancer lb-web"),
    ),
    *_of("protected", About.SOURCE,
        ("nothing is", OK, True, FINE),
        ("another subscription is", OK, True, FINE.world_but(protections=(_protected(value=SHARED),))),
        ("its subscription is", BLOCK, False, FINE.world_but(protections=(_protected(value=APPS.upper(), note="PCI."),)), "Payments team. PCI."),
        ("its VNet is", BLOCK, False, FINE.world_but(protections=(_protected(kind="vnet", value=SPOKE_KEY),)), "Payments team"),
        ("another VNet is", OK, True, FINE.world_but(protections=(_protected(kind="vnet", value=HUB_KEY),))),
        ("its VNet is not known", UNKNOWN, None, FINE.source_but(vnet_key="").world_but(protections=(_protected(kind="vnet", value="k"),))),
        ("its subnet is", BLOCK, False, FINE.world_but(protections=(_protected(kind="subnet", value=FINE.source.subnet_key),)), "subnet"),
        ("another subnet is", OK, True, FINE.world_but(protections=(_protected(kind="subnet", value="k"),))),
        ("its subnet is not known", UNKNOWN, None, FINE.source_but(subnet_key="").world_but(protections=(_protected(kind="subnet", value="k"),))),
        ("its tag is, whatever the value", BLOCK, False, FINE.world_but(protections=(_protected(kind="tag", value="OWNER"),)), "tag"),
        ("its tag is, with this value", BLOCK, False, FINE.world_but(protections=(_protected(kind="tag", value="owner=CRM"),)), "Payments team"),
        ("its tag is, with another value", OK, True, FINE.world_but(protections=(_protected(kind="tag", value="owner=pay"),))),
        ("its VM's tags are not known", UNKNOWN, None, FINE.source_but(vm_presence=Presence.UNREADABLE).world_but(
            protections=(_protected(kind="tag", value="pci"),)), "Payments team"),
        ("a kind nobody knows", UNKNOWN, None, FINE.world_but(protections=(_protected(kind="region", owner=""),)), "somebody"),
        ("not known here, certain there", BLOCK, False, FINE.source_but(subnet_key="").world_but(
            protections=(_protected(kind="subnet", value="k"), _protected(owner="", contact=""))), "not named"),
    ),
    *_of("mirror-loop", About.SOURCE,
        ("no collector's NIC", OK, True, FINE),
        ("some collector's NIC", WARN, True, FINE.world_but(collector_nic_keys=frozenset({FINE.source.key})), "receives"),
    ),
    *_of("permission", About.SOURCE,
        ("by its group", OK, True, FINE),
        ("by its subscription", OK, True, _permitted({f"/subscriptions/{APPS}": CONTRIBUTOR, TAP_GROUP: CONTRIBUTOR})),
        ("by itself alone", OK, True, _permitted({APPS_GROUP: READER, WEB: CONTRIBUTOR, TAP_GROUP: CONTRIBUTOR})),
        ("Reader on its group", BLOCK, False, _permitted({APPS_GROUP: READER, TAP_GROUP: CONTRIBUTOR}), "Microsoft.Network/tapConfigurations/*"),
        ("Reader on itself", BLOCK, False, _permitted({WEB: READER, TAP_GROUP: CONTRIBUTOR})),
        ("Reader on its subscription, its group not asked", UNKNOWN, None, _permitted({f"/subscriptions/{APPS}": READER, TAP_GROUP: CONTRIBUTOR})),
        ("its group refused to tell", UNKNOWN, None,
            _permitted({APPS_GROUP: PermissionFacts(), f"/subscriptions/{APPS}": READER, TAP_GROUP: CONTRIBUTOR})),
        ("an old answer, refused since", UNKNOWN, None,
            _permitted({APPS_GROUP: replace(CONTRIBUTOR, readability=Readability.UNREADABLE), TAP_GROUP: CONTRIBUTOR})),
        ("a server that tells none", WARN, True, _permitted({APPS_GROUP: PermissionFacts(Readability.NOT_OFFERED), TAP_GROUP: CONTRIBUTOR})),
        ("nobody asked", UNKNOWN, None, _permitted({TAP_GROUP: CONTRIBUTOR})),
    ),
    *_of("lock", About.SOURCE,
        ("none", OK, True, FINE),
        ("on another group", OK, True, _locked(APPS, f"{APPS_GROUP}-2", "ReadOnly")),
        ("ReadOnly on its group", BLOCK, False, _locked(APPS, APPS_GROUP.upper(), "readonly"), "refuses every write"),
        ("CanNotDelete on its subscription", BLOCK, False, _locked(APPS, f"/subscriptions/{APPS}", "CanNotDelete"), "subscription apps would refuse"),
        ("the stricter of two", BLOCK, False, FINE.subscription_but(
            APPS, locks=(LockFacts(WEB, "CanNotDelete", "a"), LockFacts(WEB, "ReadOnly", "b"))), "lock b (ReadOnly) on web-01"),
        ("not known", UNKNOWN, None, FINE.subscription_but(APPS, locks_readability=Readability.UNREADABLE), "apps"),
        ("subscription not known", UNKNOWN, None, FINE.world_but(subscriptions={PLATFORM: FINE.world.subscriptions[PLATFORM]}), APPS),
        ("a server that tells none", WARN, True, FINE.subscription_but(APPS, locks_readability=Readability.NOT_OFFERED)),
    ),
    *_of("vm-size-v6", About.SOURCE,
        ("v5", OK, True, FINE, "Standard_D4s_v5"),
        ("v6", WARN, True, FINE.source_but(vm_size="standard_e16s_V6"), "standard_e16s_V6"),
        ("not known", UNKNOWN, True, FINE.source_but(vm_size="")),
    ),
    *_of("limits", About.SOURCE,
        ("none set", OK, True, FINE, "No limit"),
        ("far", OK, True, _limited(configurations_per_subscription=10), "2 of 10"),
        ("at the edge of near", OK, True, _limited(configurations_per_subscription=10, adding=7), "8 of 10"),
        ("near", WARN, True, _limited(configurations_per_subscription=10, adding=8), "9 of 10"),
        ("not counted", UNKNOWN, True, _limited(FINE.subscription_but(APPS, configuration_count=None), configurations_per_subscription=10)),
        ("subscription not known", UNKNOWN, None, _limited(
            FINE.world_but(subscriptions={PLATFORM: FINE.world.subscriptions[PLATFORM]}), configurations_per_subscription=10)),
    ),
    *_of("downtime", About.SOURCE,
        ("always said", WARN, True, FINE, "up to 60 seconds"),
    ),
)  # fmt: skip

DESTINATION_CASES = (
    *_of("one-destination", About.DESTINATION,
        ("a NIC", OK, True, FINE),
        ("an internal frontend", OK, True, BALANCED),
        ("none", BLOCK, False, NO_END, "no destination"),
        ("two", BLOCK, False, TWO_ENDS, "2 destinations"),
        ("a public frontend", BLOCK, False, BALANCED.end_but(has_public_ip=True), "public"),
        ("a frontend of which nothing is told", UNKNOWN, None, BALANCED.end_but(address="", vnet_key="")),
        ("a frontend without its address", OK, True, BALANCED.end_but(address="")),
        ("a frontend without its subnet", OK, None, BALANCED.end_but(vnet_key="")),
        ("a NIC of which nothing is told", OK, None, FINE.end_but(address="", vnet_key="")),
        ("one that cannot be read", UNKNOWN, None, UNREADABLE_END),
    ),
    *_of("dest-exists", About.DESTINATION,
        ("yes", OK, True, FINE),
        ("gone", BLOCK, False, GONE_END, "collector-01 no longer exists"),
        ("cannot be read", UNKNOWN, None, UNREADABLE_END, "subscription platform"),
        ("names none", UNKNOWN, False, NO_END),
    ),
    *_of("tap-state", About.DESTINATION,
        ("Succeeded", OK, True, FINE),
        ("still to be created", OK, True, PROPOSED.tap_but(provisioning_state=""), "still to be created"),
        ("being deleted", BLOCK, False, FINE.tap_but(provisioning_state="Deleting")),
        ("Failed", WARN, True, FINE.tap_but(provisioning_state="Failed"), "Failed"),
        ("not said", UNKNOWN, True, FINE.tap_but(provisioning_state=" ")),
    ),
    *_of("ipv4", About.DESTINATION,
        ("yes", OK, True, FINE),
        ("a version not said", OK, True, FINE.end_but(address_version="")),
        ("IPv6", BLOCK, False, FINE.end_but(address_version="ipv6")),
        ("an IPv6 address", BLOCK, False, FINE.end_but(address="fd00::1", address_version="")),
        ("no address known", UNKNOWN, None, FINE.end_but(address="", address_version="")),
        ("only the version known", OK, True, FINE.end_but(address="")),
        ("cannot be read", UNKNOWN, None, UNREADABLE_END, "subscription platform"),
        ("gone", UNKNOWN, False, GONE_END, "no longer exists"),
    ),
    *_of("dest-passes-4789", About.DESTINATION,
        ("a NIC", OK, True, FINE, "no load balancer"),
        ("UDP 4789", OK, True, BALANCED, "vxlan"),
        ("HA ports", OK, True, FINE.tap_but(destinations=(behind_a_balancer(LoadBalancingRuleFacts("ha", "All", 0, 0)),))),
        ("all protocols on 4789", OK, True, FINE.tap_but(destinations=(behind_a_balancer(LoadBalancingRuleFacts("all", "all", 4789, None)),))),
        ("no rule", BLOCK, False, BALANCED.end_but(rules=()), "none"),
        ("TCP 4789", BLOCK, False, FINE.tap_but(destinations=(behind_a_balancer(LoadBalancingRuleFacts("ssh", "Tcp", 4789, 4789)),)), "Tcp 4789"),
        ("TCP 0", BLOCK, False, FINE.tap_but(destinations=(behind_a_balancer(LoadBalancingRuleFacts("tcp", "Tcp", 0, 0)),))),
        ("UDP 53", BLOCK, False, FINE.tap_but(destinations=(behind_a_balancer(LoadBalancingRuleFacts("dns", "Udp", 53, 53)),)), "Udp 53"),
        ("all protocols on 53", BLOCK, False, FINE.tap_but(destinations=(behind_a_balancer(LoadBalancingRuleFacts("dns", "All", 53, 53)),))),
        ("UDP 53 on to 4789", BLOCK, False, FINE.tap_but(destinations=(behind_a_balancer(LoadBalancingRuleFacts("dns", "Udp", 53, 4789)),))),
        ("on to another port", BLOCK, False, FINE.tap_but(destinations=(behind_a_balancer(LoadBalancingRuleFacts("x", "Udp", 4789, 4790)),))),
        ("rules not known", UNKNOWN, None, BALANCED.end_but(rules=None)),
        ("of a kind nobody knows", UNKNOWN, None, FINE.end_but(kind="")),
        ("cannot be read", UNKNOWN, None, UNREADABLE_END),
    ),
    *_of("dest-members-run", About.DESTINATION,
        ("runs", OK, True, FINE, "collector-01-vm runs."),
        ("all run", OK, True, _members({"vm_name": "a"}, {"vm_name": "", "nic_name": "b"}), "a and b run."),
        ("nobody there", BLOCK, False, BALANCED.end_but(members=()), "Nobody"),
        ("all gone", BLOCK, False, _members({"presence": Presence.GONE}), "(1 gone)"),
        ("none runs", WARN, True, _member(power_state="deallocated"), "No collector"),
        ("one of two stopped", WARN, True, _members({}, {"power_state": "stopped", "vm_name": "b"}), "not running: b"),
        ("power not known", UNKNOWN, True, _member(power_state=""), "collector-01-vm"),
        ("VM cannot be read", UNKNOWN, True, _member(presence=Presence.UNREADABLE)),
        ("members not known", UNKNOWN, None, FINE.end_but(members=None), "who stands behind"),
        ("cannot be read", UNKNOWN, None, UNREADABLE_END, "subscription platform"),
    ),
    *_of("dest-collector", About.DESTINATION,
        ("nothing known", OK, True, FINE),
        ("a collector", OK, True, FINE.end_but(partner=Recognised("gigamon", "GigaVUE", "marketplace", "x", "high"))),
        ("a management appliance", WARN, True, FINE.end_but(
            partner=Recognised("gigamon", "GigaVUE", "marketplace", "x", "high", "management")), "management of GigaVUE"),
        ("cannot be read", UNKNOWN, None, UNREADABLE_END),
    ),
    *_of("permission", About.DESTINATION,
        ("to join", OK, True, FINE, "join/action"),
        ("to create", OK, True, PROPOSED, "virtualNetworkTaps/write"),
        ("Reader", BLOCK, False, _permitted({APPS_GROUP: CONTRIBUTOR, TAP_GROUP: READER}), "join/action"),
        ("Reader, to create", BLOCK, False, _permitted({APPS_GROUP: CONTRIBUTOR, TAP_GROUP: READER}, PROPOSED), "write and"),
        ("nobody asked", UNKNOWN, None, _permitted({APPS_GROUP: CONTRIBUTOR})),
        ("a server that tells none", WARN, True, _permitted({APPS_GROUP: CONTRIBUTOR, TAP: PermissionFacts(Readability.NOT_OFFERED)})),
    ),
    *_of("lock", About.DESTINATION,
        ("none", OK, True, FINE),
        ("CanNotDelete", OK, True, _locked(PLATFORM, TAP_GROUP, "CanNotDelete")),
        ("ReadOnly", WARN, True, _locked(PLATFORM, TAP_GROUP, "ReadOnly"), "not verified"),
        ("ReadOnly where it shall be created", BLOCK, False, _locked(PLATFORM, TAP_GROUP, "ReadOnly", PROPOSED), "refuses every write"),
        ("CanNotDelete where it shall be created", BLOCK, False, _locked(PLATFORM, TAP_GROUP, "CanNotDelete", PROPOSED), "take the TAP back"),
        ("not known", UNKNOWN, None, FINE.subscription_but(PLATFORM, locks_readability=Readability.UNREADABLE)),
        ("a server that tells none", WARN, True, FINE.subscription_but(PLATFORM, locks_readability=Readability.NOT_OFFERED)),
    ),
    *_of("tap-subscription", About.DESTINATION,
        ("one", OK, True, FINE),
        ("two", WARN, True, FINE.end_but(subscription_id=APPS), "apps"),
        ("none named", UNKNOWN, None, FINE.end_but(subscription_id="", vnet_id="")),
        ("no destination", UNKNOWN, False, NO_END),
    ),
    *_of("region-preview", About.DESTINATION,
        ("in the list", OK, True, FINE.tap_but(region="UK South")),
        ("not in it", WARN, False, FINE.tap_but(region="eastus2"), "not in Azure's list"),
        ("announced", WARN, False, FINE.tap_but(region="Australia East"), "announced"),
        ("not said", UNKNOWN, None, FINE.tap_but(region="")),
        ("no list", UNKNOWN, True, FINE.world_but(tables=Tables())),
    ),
    *_of("limits", About.DESTINATION,
        ("far", OK, True, FINE, "3 of 100"),
        ("a new TAP", OK, True, PROPOSED, "4 of 100 TAPs"),
        ("at the edge of near", OK, True, _limited(adding=78), "80 of 100"),
        ("near", WARN, True, _limited(adding=79), "81 of 100"),
        ("a limit of nothing", WARN, True, _limited(configurations_per_tap=0)),
        ("many TAPs", WARN, True, PROPOSED.subscription_but(PLATFORM, tap_counts={"uksouth": 70, "UK South": 25, "eastus": 7}), "96 of 100"),
        ("many TAPs, but this one exists", OK, True, FINE.subscription_but(PLATFORM, tap_counts={"uksouth": 99})),
        ("not counted", UNKNOWN, True, FINE.tap_but(configuration_count=None)),
        ("TAPs not counted", UNKNOWN, True, PROPOSED.subscription_but(PLATFORM, tap_counts=None)),
        ("not counted, but near already", WARN, True, _limited(PROPOSED.subscription_but(PLATFORM, tap_counts=None), adding=90)),
        ("subscription not known", UNKNOWN, None, PROPOSED.world_but(subscriptions={APPS: FINE.world.subscriptions[APPS]})),
    ),
    *_of("dest-vnet-encryption", About.DESTINATION,
        ("off", OK, True, FINE),
        ("on", WARN, True, FINE.vnet_but(HUB_KEY, is_encryption_enabled=True), "hub"),
        ("VNet cannot be read", UNKNOWN, None, _without_vnet(HUB_KEY), "hub"),
        ("cannot be read", UNKNOWN, None, UNREADABLE_END, "subscription platform"),
    ),
)  # fmt: skip

PAIR_CASES = (
    *_of("reachable", About.PAIR,
        ("Connected on both sides", OK, True, FINE, "both sides"),
        ("in one VNet", OK, True, FINE.source_but(vnet_key=HUB_KEY), "Both are in the VNet hub"),
        ("Disconnected on the hub's side", BLOCK, False,
            _peered(HUB_KEY, "hub", SPOKE_KEY, "spoke", "Disconnected", datetime(2026, 11, 2, 12, 3, tzinfo=UTC)),
            "is Disconnected on hub's side, seen since 2026-11-02 12:03 UTC."),
        ("Initiated on the spoke's side", BLOCK, False, _peered(SPOKE_KEY, "spoke", HUB_KEY, "hub", "Initiated"), "is Initiated on spoke's side."),
        ("no peering back", BLOCK, False, FINE.vnet_but(HUB_KEY, peerings={}), "missing on hub's side"),
        ("no peering", BLOCK, False, FINE.vnet_but(HUB_KEY, peerings={}).vnet_but(SPOKE_KEY, peerings={}), "not peered directly."),
        ("over a third VNet", BLOCK, False, _transit(), "Both are peered with transit, but peering is not transitive."),
        ("over a third VNet that can be read", BLOCK, False, replace(_transit(), world=replace(_transit().world, vnets={
            **_transit().world.vnets, arm_key(THIRD): VnetFacts(arm_key(THIRD), "Transit of all", SHARED, "uksouth")})), "with Transit of all"),
        ("no peering here, the other VNet dark", BLOCK, False,
            _without_vnet(HUB_KEY).vnet_but(SPOKE_KEY, peerings={}), "not peered directly."),
        ("no peering there, the NIC's VNet dark", BLOCK, False,
            _without_vnet(SPOKE_KEY).vnet_but(HUB_KEY, peerings={}), "not peered directly."),
        ("peered with a third, the other VNet dark", BLOCK, False, _dark_hub_of_a_spoke_with_another(), "not peered directly."),
        ("broken here, the other VNet dark", BLOCK, False,
            _without_vnet(HUB_KEY).vnet_but(SPOKE_KEY, peerings={HUB_KEY: PeeringFacts(HUB_KEY, "hub", "Disconnected")}), "spoke's side"),
        ("the hub cannot be read", UNKNOWN, None, _without_vnet(HUB_KEY), "the VNet hub in subscription platform"),
        ("neither can be read", UNKNOWN, None, FINE.world_but(vnets={}), "the VNet spoke in subscription apps"),
        ("neither can be read, and the NIC's lies elsewhere", UNKNOWN, None,
            FINE.source_but(vnet_id=vnet_id(SHARED, "lent")).world_but(vnets={}), f"the VNet lent in subscription {SHARED}"),
        ("neither can be read, and no id tells where", UNKNOWN, None,
            FINE.source_but(vnet_id="").world_but(vnets={}), "the VNet an unnamed VNet in subscription apps"),
        ("no state said", UNKNOWN, None, _peered(HUB_KEY, "hub", SPOKE_KEY, "spoke", ""), "hub names no state"),
        ("the NIC's VNet not known", UNKNOWN, None, FINE.source_but(vnet_key=""), "the NIC's VNet in subscription apps"),
        ("the destination's VNet not known", UNKNOWN, None, FINE.end_but(vnet_key=""), "the VNet of the destination"),
        ("the destination cannot be read", UNKNOWN, None, UNREADABLE_END, "the VNet of the destination collector-01 in subscription platform"),
        ("no destination", UNKNOWN, False, NO_END, "the VNet of the destination is not readable"),
    ),
    *_of("same-region", About.PAIR,
        ("one", OK, True, FINE.source_but(region="UK South")),
        ("NIC elsewhere", BLOCK, False, FINE.source_but(region="germanywestcentral"), "germanywestcentral"),
        ("TAP elsewhere", BLOCK, False, FINE.tap_but(region="eastus")),
        ("destination elsewhere", BLOCK, False, FINE.end_but(region="eastus"), "its destination in eastus"),
        ("NIC not said, the others differ", BLOCK, False, FINE.source_but(region="").end_but(region="eastus"), "The NIC is in an unknown region"),
        ("NIC not said", UNKNOWN, None, FINE.source_but(region="")),
        ("TAP not said", UNKNOWN, None, FINE.tap_but(region="")),
        ("destination not said", UNKNOWN, None, FINE.end_but(region="")),
        ("destination cannot be read", UNKNOWN, None, FINE.end_but(presence=Presence.UNREADABLE)),
    ),
    *_of("same-tenant", About.PAIR,
        ("one tenant", OK, True, FINE, "one tenant"),
        ("one subscription, its tenant not known", OK, None,
            FINE.world_but(subscriptions={}).source_but(subscription_id=PLATFORM), "one subscription"),
        ("two", BLOCK, False, FINE.subscription_but(APPS, tenant_id=TENANT_B), "apps to"),
        ("the destination's is another", BLOCK, False, FINE.subscription_but(APPS, tenant_id=TENANT_B).end_but(subscription_id=APPS)
            .source_but(subscription_id=PLATFORM), "different tenants"),
        ("not known", UNKNOWN, None, FINE.subscription_but(APPS, tenant_id=""), "apps"),
        ("a third subscription not known", UNKNOWN, None, FINE.end_but(subscription_id=SHARED), SHARED),
        ("no subscription known at all", UNKNOWN, None, FINE.source_but(subscription_id="").tap_but(subscription_id="").end_but(subscription_id="")),
        ("two known ones differ, the third dark", BLOCK, False, FINE.subscription_but(APPS, tenant_id=TENANT_B).end_but(subscription_id=SHARED)),
        ("no destination", UNKNOWN, False, NO_END),
    ),
    *_of("mirror-loop", About.PAIR,
        ("another NIC", OK, True, FINE),
        ("its own destination", BLOCK, False, FINE.source_but(key=arm_key(COLLECTOR)), "own destination"),
        ("behind its own destination", BLOCK, False, BALANCED.source_but(key=arm_key(COLLECTOR))),
        ("members not known", UNKNOWN, None, FINE.end_but(members=None)),
        ("cannot be read", UNKNOWN, None, UNREADABLE_END),
        ("names none", UNKNOWN, False, NO_END),
    ),
    *_of("protected", About.PAIR,
        ("another collector", OK, True, FINE.world_but(protections=(_protected(for_collector_key="k"),))),
        ("from another subscription", OK, True, FINE.world_but(
            protections=(_protected(value=SHARED, for_collector_key=END_KEY),))),
        ("this collector", BLOCK, False, FINE.world_but(
            protections=(_protected(for_collector_key=END_KEY, note="PCI."),)), "from this subscription: protected by Payments team. PCI."),
        ("this collector from anybody", BLOCK, False, FINE.world_but(
            protections=(_protected(kind="collector", value=END_KEY, owner="", contact=""),)), "from any NIC: protected by nobody named."),
        ("not known", UNKNOWN, None, FINE.source_but(subnet_key="").world_but(
            protections=(_protected(kind="subnet", value="k", for_collector_key=END_KEY),))),
        ("not known here, certain there", BLOCK, False, FINE.source_but(subnet_key="").world_but(protections=(
            _protected(kind="subnet", value="k", for_collector_key=END_KEY),
            _protected(for_collector_key=END_KEY)))),
    ),
    *_of("dest-nsg", About.PAIR,
        ("default rules alone", OK, True, FINE),
        ("no group at all", OK, True, _member(security_group_keys=())),
        ("denied", BLOCK, False, _group(_rule("Deny")), "The rule deny-100 of nsg-collector refuses UDP 4789 to collector-01"),
        ("denied with everything", BLOCK, False, _group(_rule("Deny", ports="*", protocol="*"))),
        ("denied in a range", BLOCK, False, _group(_rule("Deny", ports="53,4000-5000", protocol="any"))),
        ("denied beside the range", OK, True, _group(_rule("Deny", ports="53,4790-5000,0-4788"))),
        ("denied to the last of the range", BLOCK, False, _group(_rule("Deny", ports="4000-4789"))),
        ("denied for TCP", OK, True, _group(_rule("Deny", protocol="Tcp"))),
        ("denied outbound", OK, True, _group(_rule("Deny", direction="Outbound"))),
        ("allowed before it is denied", OK, True, _group(_rule("Deny", 200), _rule("Allow", 100))),
        ("denied before it is allowed", BLOCK, False, _group(_rule("Deny", 100), _rule("Allow", 200))),
        ("denied after the default rules", OK, True, _group(_rule("Deny", 65400, source="10.9.0.0/16"))),
        ("denied from the NIC's prefix", BLOCK, False, _group(_rule("Deny", source="10.1.0.0/16"))),
        ("denied from another prefix", OK, True, _group(_rule("Deny", source="10.9.0.0/16"))),
        ("denied from the internet", OK, True, _group(_rule("Deny", source="Internet,AzureLoadBalancer"))),
        ("denied from the virtual network", BLOCK, False, _group(_rule("Deny", source="VirtualNetwork"))),
        ("denied from a word nobody knows", UNKNOWN, None, _group(_rule("Deny", source="Sql.UKSouth")), "deny-100 of nsg-collector may or may not"),
        ("allowed from a word nobody knows", OK, True, _group(_rule("Allow", source="Sql.UKSouth"))),
        ("denied from application security groups", UNKNOWN, None, _group(_rule("Deny", source=""))),
        ("denied to another address", OK, True, _group(_rule("Deny", to="10.0.9.0/24"))),
        ("denied to its address", BLOCK, False, _group(_rule("Deny", to="10.0.1.4"))),
        ("denied to the internet", OK, True, _group(_rule("Deny", to="Internet"))),
        ("denied to a word nobody knows", UNKNOWN, None, _group(_rule("Deny", to="Sql"))),
        ("denied to an address, its own not known", UNKNOWN, None, _group(_rule("Deny", to="10.0.1.4"), scene=_member(address=""))),
        ("denied on ports nobody understands", UNKNOWN, None, _group(_rule("Deny", ports="4k"))),
        ("denied on ports not said", UNKNOWN, None, _group(_rule("Deny", ports=""))),
        ("denied, the protocol not said", UNKNOWN, None, _group(_rule("Deny", protocol=""))),
        ("denied without a priority", UNKNOWN, None, _group(_rule("Deny", None))),
        ("an access nobody knows", UNKNOWN, None, _group(_rule("Maybe"))),
        ("denied from its prefix, two addresses, one in it", UNKNOWN, None,
            _group(_rule("Deny", source="10.1.0.0/16"), scene=FINE.source_but(private_ips=("10.1.1.4", "10.2.1.4")))),
        ("denied from a prefix, its address not known", UNKNOWN, None,
            _group(_rule("Deny", source="10.1.0.0/16"), scene=FINE.source_but(private_ips=()))),
        ("denied from a prefix, its address no address", UNKNOWN, None,
            _group(_rule("Deny", source="10.1.0.0/16"), scene=FINE.source_but(private_ips=("?",)))),
        ("one of two groups denies", BLOCK, False, _group(_rule("Deny"), scene=_member(security_group_keys=("k", GROUP_KEY)))),
        ("a group cannot be read, the other is open", UNKNOWN, None, _member(security_group_keys=("k", GROUP_KEY)), "cannot be read"),
        ("denied on a range without an end", UNKNOWN, None, _group(_rule("Deny", ports="4000-x"))),
        ("denied on a range without a beginning", UNKNOWN, None, _group(_rule("Deny", ports="x-5000"))),
        ("denied from a prefix of IPv6", OK, True, _group(_rule("Deny", source="fd00::/8"))),
        ("denied to a prefix of IPv6", OK, True, _group(_rule("Deny", to="fd00::/8"))),
        ("a group cannot be read", UNKNOWN, None, _member(security_group_keys=("k",)), "cannot be read"),
        ("groups not known", UNKNOWN, None, _member(security_group_keys=None), "not known"),
        ("one of two members shut", WARN, True,
            _group(_rule("Deny"), scene=_members({}, {"nic_name": "b", "security_group_keys": ()})), "but not to the others"),
        ("one shut, one not known", UNKNOWN, None,
            _group(_rule("Deny"), scene=_members({}, {"nic_name": "b", "security_group_keys": None})), "reaches b"),
        ("one shut, the other gone", BLOCK, False, _group(_rule("Deny"), scene=_members({}, {"presence": Presence.GONE, "security_group_keys": ()}))),
        ("nobody there", UNKNOWN, False, BALANCED.end_but(members=())),
        ("members not known", UNKNOWN, None, FINE.end_but(members=None)),
        ("cannot be read", UNKNOWN, None, UNREADABLE_END),
        ("names none", UNKNOWN, False, NO_END),
    ),
    *_of("feature-flag", About.PAIR,
        ("Registered", OK, True, FINE.subscription_but(APPS, feature=FeatureFacts(Readability.READ, "registered"))),
        ("NotRegistered", WARN, True,
            FINE.subscription_but(APPS, feature=FeatureFacts(Readability.READ, "NotRegistered")), "is NotRegistered in apps"),
        ("state not said", WARN, True, FINE.subscription_but(APPS, feature=FeatureFacts(Readability.READ, "")), "is not Registered in apps"),
        ("not Registered at the TAP", WARN, True, FINE.subscription_but(PLATFORM, feature=FeatureFacts(Readability.READ, "Pending")), "platform"),
        ("not known", UNKNOWN, True, FINE.subscription_but(APPS, feature=FeatureFacts()), "apps"),
        ("no such thing there", UNKNOWN, True, FINE.subscription_but(APPS, feature=FeatureFacts(Readability.NOT_OFFERED)), "apps"),
        ("subscription not known", UNKNOWN, None, FINE.world_but(subscriptions={PLATFORM: FINE.world.subscriptions[PLATFORM]}), APPS),
    ),
    *_of("fastpath", About.PAIR,
        ("restarted since", OK, True, FINE, "likely prepared"),
        ("the TAP is still to be created", WARN, True, PROPOSED, "Once the TAP exists"),
        ("restarted before", UNKNOWN, True, FINE.source_but(vm_restarted_at=BORN - timedelta(days=1))),
        ("restarted at that moment", UNKNOWN, True, FINE.source_but(vm_restarted_at=BORN)),
        ("never seen", UNKNOWN, True, FINE.source_but(vm_restarted_at=None)),
        ("the TAP's age not known", UNKNOWN, True, FINE.tap_but(created_at=None)),
    ),
)  # fmt: skip

CASES: tuple[Case, ...] = (*SOURCE_CASES, *DESTINATION_CASES, *PAIR_CASES)
