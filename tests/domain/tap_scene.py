"""A small estate in which everything is fine, to spoil one thing at a time.

[spoke] web-01 (VM)  ==peered, Connected on both sides==  [hub] collector-01 (VM) <-- TAP "tap-hub"
all in uksouth, one subscription "apps" for the spoke, "platform" for hub and TAP, one tenant
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.domain.estates import APPS, PLATFORM, arm, nic_id, subnet_id, vnet_id
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.permissions import PermissionList
from vtapweb.domain.tap_rules.facts import (
    DestinationFacts,
    FeatureFacts,
    LoadBalancingRuleFacts,
    MemberFacts,
    PeeringFacts,
    PermissionFacts,
    Presence,
    Readability,
    SecurityGroupFacts,
    SourceFacts,
    SubscriptionFacts,
    Tables,
    TapFacts,
    VnetFacts,
    World,
)
from vtapweb.domain.tap_rules.judge import RULES, Verdict, judge
from vtapweb.domain.tap_rules.rule import Finding, Rule

REGION = "uksouth"
TENANT = "00000000-0000-4000-8000-00000000aaaa"
BORN, RESTARTED = datetime(2026, 11, 1, 9, 0, tzinfo=UTC), datetime(2026, 11, 1, 22, 0, tzinfo=UTC)
SPOKE, HUB = vnet_id(APPS, "spoke"), vnet_id(PLATFORM, "hub")
SPOKE_KEY, HUB_KEY = arm_key(SPOKE), arm_key(HUB)
WEB, COLLECTOR = nic_id(APPS, "web-01"), nic_id(PLATFORM, "collector-01")
TAP = arm(PLATFORM, "rg-tap", "virtualNetworkTaps", "tap-hub")
GROUP_KEY = arm_key(arm(PLATFORM, "rg-net", "networkSecurityGroups", "nsg-collector"))
APPS_GROUP, TAP_GROUP = f"/subscriptions/{APPS}/resourceGroups/rg-app", f"/subscriptions/{PLATFORM}/resourceGroups/rg-tap"
CONTRIBUTOR = PermissionFacts(Readability.READ, (PermissionList(("Microsoft.Network/*",)),))
READER = PermissionFacts(Readability.READ, (PermissionList(("*/read",)),))


def _subscription(subscription_id: str, name: str) -> SubscriptionFacts:
    return SubscriptionFacts(
        subscription_id,
        name,
        TENANT,
        FeatureFacts(Readability.READ, "Registered"),
        locks_readability=Readability.READ,
        configuration_count=1,
        tap_counts={REGION: 3},
    )


def _vnet(key: str, name: str, subscription_id: str, remote_key: str, remote_name: str) -> VnetFacts:
    return VnetFacts(key, name, subscription_id, REGION, False, {remote_key: PeeringFacts(remote_key, remote_name, "Connected")})


def fine_world() -> World:
    return World(
        subscriptions={APPS: _subscription(APPS, "apps"), PLATFORM: _subscription(PLATFORM, "platform")},
        vnets={
            SPOKE_KEY: _vnet(SPOKE_KEY, "spoke", APPS, HUB_KEY, "hub"),
            HUB_KEY: _vnet(HUB_KEY, "hub", PLATFORM, SPOKE_KEY, "spoke"),
        },
        security_groups={GROUP_KEY: SecurityGroupFacts(GROUP_KEY, "nsg-collector")},
        permissions={arm_key(APPS_GROUP): CONTRIBUTOR, arm_key(TAP_GROUP): CONTRIBUTOR},
        collector_nic_keys=frozenset({arm_key(COLLECTOR)}),
        tables=Tables(frozenset({REGION}), frozenset({"australiaeast"})),
    )


def fine_source() -> SourceFacts:
    subnet = subnet_id(APPS, "spoke", "snet-web")
    return SourceFacts(
        key=arm_key(WEB),
        arm_id=WEB,
        name="web-01",
        subscription_id=APPS,
        region=REGION,
        vnet_key=SPOKE_KEY,
        vnet_id=SPOKE,
        subnet_key=arm_key(subnet),
        subnet_id=subnet,
        vm_presence=Presence.READ,
        vm_key=arm_key("vm-web-01"),
        vm_name="web-01-vm",
        vm_size="Standard_D4s_v5",
        vm_restarted_at=RESTARTED,
        ip_versions=("IPv4",),
        private_ips=("10.1.1.4",),
        tags={"owner": "crm"},
    )


def fine_destination() -> DestinationFacts:
    end = f"{COLLECTOR}/ipConfigurations/ipconfig1"
    return DestinationFacts(
        key=arm_key(end),
        arm_id=end,
        name="collector-01",
        kind="nic",
        presence=Presence.READ,
        subscription_id=PLATFORM,
        region=REGION,
        vnet_key=HUB_KEY,
        vnet_id=HUB,
        address="10.0.1.4",
        address_version="IPv4",
        members=(fine_member(),),
    )


def fine_member() -> MemberFacts:
    return MemberFacts(arm_key(COLLECTOR), "collector-01", "10.0.1.4", Presence.READ, "collector-01-vm", "running", (GROUP_KEY,))


def behind_a_balancer(*rules: LoadBalancingRuleFacts, members: tuple[MemberFacts, ...] | None = None) -> DestinationFacts:
    """tap-hub --> [ilb frontend 10.0.1.10] --rules--> collector-01"""
    end = arm(PLATFORM, "rg-net", "loadBalancers", "ilb", "frontendIPConfigurations", "front")
    passing = rules or (LoadBalancingRuleFacts("vxlan", "Udp", 4789, 4789),)
    return replace(
        fine_destination(),
        key=arm_key(end),
        arm_id=end,
        name="ilb",
        kind="load_balancer",
        address="10.0.1.10",
        rules=passing,
        members=(fine_member(),) if members is None else members,
    )


def fine_tap() -> TapFacts:
    return TapFacts(
        key=arm_key(TAP),
        arm_id=TAP,
        name="tap-hub",
        subscription_id=PLATFORM,
        region=REGION,
        destinations=(fine_destination(),),
        created_at=BORN,
        configuration_count=2,
    )


@dataclass(frozen=True)
class Scene:
    """One NIC, one TAP and the world around them; `but` spoils fields of one of the three."""

    world: World = field(default_factory=fine_world)
    source: SourceFacts = field(default_factory=fine_source)
    tap: TapFacts = field(default_factory=fine_tap)

    def source_but(self, **changes: Any) -> "Scene":
        return replace(self, source=replace(self.source, **changes))

    def tap_but(self, **changes: Any) -> "Scene":
        return replace(self, tap=replace(self.tap, **changes))

    def end_but(self, **changes: Any) -> "Scene":
        return self.tap_but(destinations=(replace(self.tap.destinations[0], **changes),))

    def world_but(self, **changes: Any) -> "Scene":
        return replace(self, world=replace(self.world, **changes))

    def subscription_but(self, subscription_id: str, **changes: Any) -> "Scene":
        known = self.world.subscriptions
        return self.world_but(subscriptions={**known, subscription_id: replace(known[subscription_id], **changes)})

    def vnet_but(self, key: str, **changes: Any) -> "Scene":
        return self.world_but(vnets={**self.world.vnets, key: replace(self.world.vnets[key], **changes)})

    def verdict(self, rules: tuple[Rule, ...] = RULES) -> Verdict:
        return judge(self.world, [self.source], [self.tap], rules).verdict(self.source.key, self.tap.key)

    def digest(self) -> str:
        return judge(self.world, [self.source], [self.tap]).digest(self.source.key, self.tap.key)

    def findings(self, rule_id: str) -> list[Finding]:
        return [one for one in self.verdict().findings if one.rule_id == rule_id]
