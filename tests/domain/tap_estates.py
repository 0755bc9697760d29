"""Estates for the rules, larger than one NIC and one TAP: by number (benchmarks) and by chance (hypothesis)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from tests.domain.estates import APPS, PLATFORM, SHARED, nic_id, subnet_id, vnet_id
from tests.domain.tap_cases import CASES
from tests.domain.tap_scene import (
    APPS_GROUP,
    BORN,
    CONTRIBUTOR,
    REGION,
    TAP_GROUP,
    behind_a_balancer,
    fine_destination,
    fine_member,
    fine_source,
    fine_tap,
    fine_world,
)
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.tap_rules.facts import (
    BehindFacts,
    ConfigurationFacts,
    LockFacts,
    PeeringFacts,
    Presence,
    ProtectionFacts,
    SecurityGroupFacts,
    SecurityRuleFacts,
    SourceFacts,
    TapFacts,
    VnetFacts,
    World,
)

VNETS, HUBS = 30, 3
Estate = tuple[World, list[SourceFacts], list[TapFacts]]


def numbered_estate(nics: int, taps: int) -> Estate:
    """The same estate for the same numbers: `nics` NICs over 30 VNets, `taps` TAPs in three of them, with a little of every trouble."""
    keys = [arm_key(vnet_id(APPS, f"vnet-{number}")) for number in range(VNETS)]
    world = replace(
        fine_world(),
        vnets={key: _numbered_vnet(number, keys) for number, key in enumerate(keys) if number % 11 != 10},
        security_groups={arm_key(f"nsg-{number}"): _numbered_group(number) for number in range(8)},
        permissions={arm_key(scope): CONTRIBUTOR for scope in (APPS_GROUP, TAP_GROUP)},
        protections=tuple(ProtectionFacts("tag", f"pci={number}", "Payments team", "pay@example.com") for number in range(4)),
    )
    locks = tuple(LockFacts(nic_id(APPS, f"nic-{number}"), "ReadOnly", f"lock-{number}") for number in range(0, nics, 100))
    world = replace(world, subscriptions={**world.subscriptions, APPS: replace(world.subscriptions[APPS], locks=locks)})
    sources = [_numbered_source(number, keys) for number in range(nics)]
    return world, sources, [_numbered_tap(number, keys) for number in range(taps)]


def _numbered_vnet(number: int, keys: list[str]) -> VnetFacts:
    remotes = range(VNETS) if number < HUBS else range(HUBS)
    state = "Disconnected" if number % 7 == 6 else "Connected"
    peerings = {keys[other]: PeeringFacts(keys[other], f"vnet-{other}", state) for other in remotes if other != number}
    return VnetFacts(keys[number], f"vnet-{number}", APPS, REGION, number % 13 == 12, peerings)


def _numbered_group(number: int) -> SecurityGroupFacts:
    rules = tuple(
        SecurityRuleFacts(f"rule-{one}", 100 + one, "Inbound", "Deny" if one % 3 else "Allow", "*", (f"10.{number + one}.0.0/16",), ("*",), ("*",))
        for one in range(12)
    )
    return SecurityGroupFacts(arm_key(f"nsg-{number}"), f"nsg-{number}", rules)


def _numbered_source(number: int, keys: list[str]) -> SourceFacts:
    place, arm_id = number % VNETS, nic_id(APPS, f"nic-{number}")
    behind = (BehindFacts(f"lb-{number % 9}", Presence.READ, "Basic" if number % 90 == 9 else "Standard"),) if number % 10 == 9 else ()
    return replace(
        fine_source(),
        key=arm_key(arm_id),
        arm_id=arm_id,
        name=f"nic-{number}",
        vnet_key=keys[place],
        vnet_id=vnet_id(APPS, f"vnet-{place}"),
        subnet_key=arm_key(subnet_id(APPS, f"vnet-{place}", "apps")),
        region=REGION if place % 5 else "germanywestcentral",
        vm_name=f"vm-{number}",
        vm_restarted_at=BORN + timedelta(hours=number % 50) if number % 2 else None,
        private_ips=(f"10.{place}.{number // 250}.{number % 250}",),
        configurations=(ConfigurationFacts("mirror", "k", f"tap-{number % 50}"),) if number % 20 == 19 else (),
        behind=behind,
        tags={"owner": f"team-{number % 7}", "pci": str(number % 40)},
    )


def _numbered_tap(number: int, keys: list[str]) -> TapFacts:
    collector = nic_id(PLATFORM, f"collector-{number}")
    member = replace(
        fine_member(), nic_key=arm_key(collector), nic_name=f"collector-{number}", address=f"10.0.1.{number}",
        security_group_keys=(arm_key(f"nsg-{number % 8}"),),
    )  # fmt: skip
    end = behind_a_balancer(members=(member,)) if number % 2 else replace(fine_destination(), members=(member,))
    end = replace(
        end, key=arm_key(f"{collector}/end"), name=f"collector-{number}", vnet_key=keys[number % HUBS], vnet_id=vnet_id(APPS, f"vnet-{number % HUBS}")
    )
    arm_id = fine_tap().arm_id + str(number)
    return replace(
        fine_tap(), key=arm_key(arm_id), arm_id=arm_id, name=f"tap-{number}", destinations=(end,), created_at=BORN + timedelta(hours=number)
    )


# --- by chance ------------------------------------------------------------------------------------------------------------------------------------

_SPOILED = [case.scene for case in CASES]


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """Worlds, NICs and TAPs of the table of cases, thrown together: whatever is spoiled in one meets what is spoiled in the others."""
    scenes = draw(st.lists(st.sampled_from(_SPOILED), min_size=3, max_size=6))
    sources = [replace(scene.source, key=f"{scene.source.key[:20]}-{number}") for number, scene in enumerate(scenes[:3])]
    taps = [replace(scene.tap, key=f"tap-{number}") for number, scene in enumerate(reversed(scenes))]
    return _mixed(draw, [scene.world for scene in scenes]), sources, taps


def _mixed(draw: st.DrawFn, worlds: list[World]) -> World:
    """Each field of the world from another one."""
    picked: dict[str, Any] = {name: getattr(draw(st.sampled_from(worlds)), name) for name in World.__slots__}
    return World(**picked)


_HOSTILE = st.text(max_size=12) | st.sampled_from(["", "10.0.0.0/8", "/subscriptions/", "IPv6", "*", "::1", "Connected", "\0", "\ud800"])


def hostile_estates() -> st.SearchStrategy[Estate]:
    """Facts whose texts are anything at all: names, states, prefixes, ports, ids."""
    words, ports = st.lists(_HOSTILE, max_size=3).map(tuple), st.none() | st.integers()
    rule = st.builds(
        SecurityRuleFacts, name=_HOSTILE, priority=ports, direction=st.just("Inbound") | _HOSTILE, access=_HOSTILE, protocol=_HOSTILE,
        source_prefixes=words, destination_prefixes=words, destination_port_ranges=words,
    )  # fmt: skip
    group = st.builds(SecurityGroupFacts, key=st.just("g"), name=_HOSTILE, rules=st.lists(rule, max_size=3).map(tuple))
    protection = st.builds(
        ProtectionFacts, kind=st.sampled_from(["tag", "vnet", "subscription", "collector", "?"]), value=_HOSTILE, owner=_HOSTILE, contact=_HOSTILE
    )
    lock = st.builds(LockFacts, scope_id=_HOSTILE | st.just(f"/subscriptions/{SHARED}"), level=_HOSTILE, name=_HOSTILE)
    base = fine_world()

    def world(groups: SecurityGroupFacts, protections: tuple[ProtectionFacts, ...], locks: tuple[LockFacts, ...], tenant: str) -> World:
        held = {APPS: replace(base.subscriptions[APPS], locks=locks, tenant_id=tenant), SHARED: replace(base.subscriptions[APPS], locks=locks)}
        return replace(base, security_groups={"g": groups}, protections=protections, subscriptions=held)

    member = st.builds(
        lambda address, power: replace(fine_member(), address=address, power_state=power, security_group_keys=("g",)), _HOSTILE, _HOSTILE
    )
    end = st.builds(
        lambda key, text, kind, version, members: replace(
            fine_destination(), key=key, arm_id=text, name=text, kind=kind, address_version=version, address=text, subscription_id=text,
            members=members,
        ),
        _HOSTILE, _HOSTILE, st.sampled_from(["nic", "load_balancer", ""]) | _HOSTILE, _HOSTILE, st.none() | st.lists(member, max_size=2).map(tuple),
    )  # fmt: skip
    source = st.builds(
        lambda text, size, addresses, tags: replace(
            fine_source(), arm_id=text, subscription_id=text, region=size, vm_size=size, private_ips=addresses, ip_versions=addresses, tags=tags
        ),
        _HOSTILE | st.just(APPS), _HOSTILE, words, st.dictionaries(_HOSTILE, _HOSTILE, max_size=2),
    )  # fmt: skip
    tap = st.builds(
        lambda text, ends, state: replace(fine_tap(), arm_id=text, subscription_id=text, region=text, provisioning_state=state, destinations=ends),
        _HOSTILE, st.lists(end, max_size=2).map(tuple), _HOSTILE,
    )  # fmt: skip
    worlds = st.builds(world, group, st.lists(protection, max_size=2).map(tuple), st.lists(lock, max_size=2).map(tuple), _HOSTILE)
    return st.tuples(worlds, source.map(lambda one: [one]), tap.map(lambda one: [one]))
