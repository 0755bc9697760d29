"""Rules about the TAP and what it leads to, whatever NIC one has in mind. A TAP that is only wanted is judged by the same rules."""

from vtapweb.domain.permissions import JOIN_TAP, WRITE_TAP
from vtapweb.domain.tap_rules.access import is_read_only, lock_answer, permission_answer, refused_by
from vtapweb.domain.tap_rules.facts import DestinationFacts, LoadBalancingRuleFacts, LockFacts, MemberFacts, Presence, TapFacts, World
from vtapweb.domain.tap_rules.rule import (
    FAQ,
    LOCKS,
    OVERVIEW_2019,
    OVERVIEW_2025,
    PRODUCT,
    SPEC,
    UNVERIFIED,
    UNVERIFIED_PRODUCT,
    Answer,
    DestinationRule,
    block,
    destination_rule,
    ok,
    unknown,
    warn,
)
from vtapweb.domain.tap_rules.wording import (
    UNTIL_KNOWN,
    how_to_read,
    listed,
    normal_region,
    subscription_name,
    unreadable,
    vnet_name,
)

VXLAN_PORT = 4789


def not_resolved(world: World, tap: TapFacts) -> Answer:
    """What every rule says that would have to look at a destination nobody can look at."""
    end = tap.destination
    if end is None:
        return unknown(f"We can't tell: the TAP names no single destination. {UNTIL_KNOWN}", "Give the TAP one destination.")
    if end.presence is Presence.GONE:
        return unknown(f"We can't tell: the destination {end.name} no longer exists. {UNTIL_KNOWN}", "Point the TAP to one that exists.")
    return unknown(unreadable(world, f"the destination {end.name}", end.subscription_id), how_to_read(world, end.subscription_id))


def resolved(tap: TapFacts) -> DestinationFacts | None:
    """The destination where it could be read."""
    end = tap.destination
    return end if end is not None and end.presence is Presence.READ else None


@destination_rule("one-destination", source=SPEC)
def one_destination(world: World, tap: TapFacts) -> Answer:
    """The TAP names exactly one destination, and a frontend is a private one."""
    count = len(tap.destinations)
    if count != 1:
        told = "no destination" if count == 0 else f"{count} destinations"
        return block(f"The TAP names {told}; it needs exactly one.", "Choose a collector's NIC or one frontend of an internal load balancer.")
    end = tap.destinations[0]
    if end.has_public_ip:
        return block(f"The destination {end.name} has a public frontend; it must be internal.", "Choose a frontend with a private address.")
    if end.presence is Presence.READ:
        if end.kind == "load_balancer" and not end.address and not end.vnet_key:
            return unknown(f"We can't tell whether the frontend of {end.name} is internal. {UNTIL_KNOWN}", "Sync again.")
        return ok("It names one destination, with a private address.")
    return not_resolved(world, tap)


@destination_rule("dest-exists", source=PRODUCT)
def dest_exists(world: World, tap: TapFacts) -> Answer:
    """The destination exists and can be read."""
    named, end = tap.destination, resolved(tap)
    if end is not None:
        return ok(f"The destination {end.name} exists.")
    if named is not None and named.presence is Presence.GONE:
        return block(f"The TAP's destination {named.name} no longer exists.", "Create a TAP for a collector that exists, and delete this one.")
    return not_resolved(world, tap)


@destination_rule("tap-state", source=UNVERIFIED_PRODUCT, is_advisory=True)
def tap_state(world: World, tap: TapFacts) -> Answer:
    """The TAP is settled in Azure."""
    state = tap.provisioning_state.strip().lower()
    if tap.is_proposed:
        return ok("The TAP is still to be created.")
    if state == "deleting":
        return block("Azure is deleting this TAP.", "Choose another TAP.")
    if not state:
        return unknown("We can't tell: Azure names no provisioning state for this TAP.", "Sync again.")
    if state != "succeeded":
        return warn(f"Azure says of this TAP: {tap.provisioning_state}.", "Wait until it is Succeeded, or look into it in the portal.")
    return ok("Azure says of it: Succeeded.")


@destination_rule("ipv4", source=OVERVIEW_2025)
def ipv4(world: World, tap: TapFacts) -> Answer:
    """The destination has an IPv4 address."""
    end = resolved(tap)
    if end is None:
        return not_resolved(world, tap)
    if end.address_version.lower() == "ipv6" or ":" in end.address:
        return block(f"The destination {end.name} has an IPv6 address, which a TAP cannot use.", "Choose an IPv4 configuration of the collector.")
    if not end.address and not end.address_version:
        return unknown(f"We can't tell: no address of the destination {end.name} is known. {UNTIL_KNOWN}", "Sync again.")
    return ok("Its address is IPv4.")


def passes_vxlan(rule: LoadBalancingRuleFacts) -> bool:
    """Whether a load balancing rule hands UDP 4789 on to UDP 4789; "HA ports" is protocol All with port 0."""
    protocol = rule.protocol.strip().lower()
    if protocol == "all" and rule.frontend_port == 0:
        return True
    return protocol in {"udp", "all"} and rule.frontend_port == VXLAN_PORT and rule.backend_port in {VXLAN_PORT, None}


@destination_rule("dest-passes-4789", source=PRODUCT)
def dest_passes_4789(world: World, tap: TapFacts) -> Answer:
    """A rule of the frontend passes UDP 4789, or HA ports."""
    end = resolved(tap)
    if end is None:
        return not_resolved(world, tap)
    if end.kind == "nic":
        return ok("It is a NIC: no load balancer stands before it.")
    if end.rules is None or end.kind != "load_balancer":
        return unknown(unreadable(world, f"the rules of {end.name}", end.subscription_id), how_to_read(world, end.subscription_id))
    passing = next((rule for rule in end.rules if passes_vxlan(rule)), None)
    if passing is None:
        have = ", ".join(f"{rule.protocol} {rule.frontend_port}" for rule in end.rules[:5]) or "none"
        return block(
            f"No rule of the frontend of {end.name} passes UDP 4789 (its rules: {have}).",
            "Add a rule for UDP 4789 or HA ports, or choose another frontend.",
        )
    return ok(f"The rule {passing.name} passes it on.")


@destination_rule("dest-members-run", source=PRODUCT, is_advisory=True)
def dest_members_run(world: World, tap: TapFacts) -> Answer:
    """At least one collector VM exists behind the destination, and all run."""
    end = resolved(tap)
    if end is None or end.members is None:
        return not_resolved(world, tap) if end is None else unknown(f"We can't tell who stands behind {end.name}.", "Sync again.")
    there = [one for one in end.members if one.presence is not Presence.GONE]
    if not there:
        gone = f" ({len(end.members)} gone)" if end.members else ""
        return block(
            f"Nobody stands behind {end.name}{gone}: mirrored traffic would reach no collector.", "Put a collector VM into its backend pool."
        )
    stopped = [_vm_name(one) for one in there if one.power_state and one.power_state.lower() != "running"]
    if len(stopped) == len(there):
        return warn(f"No collector behind {end.name} runs: {listed(stopped)}.", "Start one before traffic is mirrored to it.")
    if stopped:
        return warn(f"Of {len(there)} collectors behind {end.name} not running: {listed(stopped)}.", "Start them, or take them out of the pool.")
    dark = [_vm_name(one) for one in there if one.presence is not Presence.READ or not one.power_state]
    if dark:
        return unknown(f"We can't tell whether {listed(dark)} behind {end.name} runs.", "Give vtapweb's identity Reader on the VMs, then sync.")
    return ok(f"{listed([_vm_name(one) for one in there])} run{'s' if len(there) == 1 else ''}.")


def _vm_name(member: MemberFacts) -> str:
    return member.vm_name or member.nic_name


@destination_rule("dest-collector", source=PRODUCT, is_advisory=True)
def dest_collector(world: World, tap: TapFacts) -> Answer:
    """The destination is not known to be a product's management appliance."""
    end = resolved(tap)
    if end is None:
        return not_resolved(world, tap)
    if end.partner.role != "collector":
        by = f"by {end.partner.by}, {end.partner.confidence} confidence"
        return warn(
            f"{end.name} looks like the management of {end.partner.name}, not like a collector ({by}).",
            "Choose the product's collector, or assign the product yourself.",
        )
    return ok(f"It is not known to be anything but a collector ({end.partner.name}).")


@destination_rule("permission", source=f"{OVERVIEW_2019} + RBAC operations list; join not verified live")
def permission(world: World, tap: TapFacts) -> Answer:
    """vtapweb may do Microsoft.Network/virtualNetworkTaps/join/action (to create one, virtualNetworkTaps/write too)."""
    grant = "Give vtapweb's identity the role Network Contributor on the TAP's resource group, then sync."
    return permission_answer(world, tap.arm_id, [WRITE_TAP, JOIN_TAP] if tap.is_proposed else [JOIN_TAP], grant)


@destination_rule("lock", source=LOCKS)
def lock(world: World, tap: TapFacts) -> Answer:
    """No management lock hinders the TAP."""

    def weigh(lock: LockFacts, where: str) -> Answer | None:
        if tap.is_proposed:
            return refused_by(lock, where, "refuses every write" if is_read_only(lock) else "would refuse to take the TAP back")
        if is_read_only(lock):
            return warn(f"The lock {lock.name} ({lock.level}) on {where} may refuse to join the TAP (not verified).", f"Ask the owner of {where}.")
        return None

    return lock_answer(world, tap.subscription_id, tap.arm_id, weigh)


@destination_rule("tap-subscription", source=FAQ, is_advisory=True)
def tap_subscription(world: World, tap: TapFacts) -> Answer:
    """The TAP and its destination are in one subscription."""
    end = tap.destination
    if end is None or not end.subscription_id:
        return not_resolved(world, tap)
    if end.subscription_id.lower() != tap.subscription_id.lower():
        names = f"{subscription_name(world, tap.subscription_id)}, its destination in {subscription_name(world, end.subscription_id)}"
        return warn(f"The TAP is in subscription {names}; Azure asks for one.", "Create the TAP in its destination's subscription.")
    return ok("It is in its destination's subscription.")


@destination_rule("region-preview", source=OVERVIEW_2025, is_advisory=True)
def region_preview(world: World, tap: TapFacts) -> Answer:
    """The region is in the preview's list."""
    region = normal_region(tap.region)
    if not region or not world.tables.preview_regions:
        return unknown("We can't tell whether the preview is offered in this TAP's region.", "Look into Azure's list of regions.")
    if region in world.tables.preview_regions:
        return ok(f"The preview is offered in {region}.")
    told = "announced there, but not offered yet" if region in world.tables.coming_regions else "not in Azure's list of regions"
    return warn(
        f"{region} is {told}; elsewhere it was seen to work all the same." if "not in" in told else f"{region}: the preview is {told}.",
        "Try one NIC first.",
    )


@destination_rule("limits", source=UNVERIFIED, is_advisory=True)
def limits(world: World, tap: TapFacts) -> Answer:
    """The TAP, or its region, is not near its limit."""
    told = [_used("The TAP", 0 if tap.is_proposed else tap.configuration_count, world.limits.adding, world.limits.configurations_per_tap, "mirrors")]
    if tap.is_proposed:
        subscription = world.subscriptions.get(tap.subscription_id.lower())
        counts = subscription.tap_counts if subscription else None
        count = None if counts is None else sum(number for region, number in counts.items() if normal_region(region) == normal_region(tap.region))
        told.append(_used(f"Region {normal_region(tap.region)} of the subscription", count, 1, world.limits.taps_per_region, "TAPs"))
    near = [f"{sentence} (limit not verified)." for sentence, share in told if share is not None and share > world.limits.near]
    if near:
        return warn(" ".join(near), "Spread the mirrors over several TAPs, or ask Azure for more.")
    if any(share is None for _, share in told):
        return unknown("We can't tell how much of its limit is used.", how_to_read(world, tap.subscription_id))
    return ok(" ".join(f"{sentence}." for sentence, _ in told))


def _used(what: str, count: int | None, adding: int, most: int, unit: str) -> tuple[str, float | None]:
    if count is None:
        return f"{what} would have an unknown number of {unit}", None
    return f"{what} would have {count + adding} of {most} {unit}", (count + adding) / most if most > 0 else float("inf")


@destination_rule("dest-vnet-encryption", source=UNVERIFIED, is_advisory=True)
def dest_vnet_encryption(world: World, tap: TapFacts) -> Answer:
    """The destination's VNet has encryption disabled."""
    end = resolved(tap)
    if end is None:
        return not_resolved(world, tap)
    vnet = world.vnets.get(end.vnet_key)
    if vnet is None:
        return unknown(
            f"We can't tell whether the VNet {vnet_name(world, end.vnet_key, end.vnet_id)} is encrypted.", how_to_read(world, end.subscription_id)
        )
    if vnet.is_encryption_enabled:
        return warn(f"The destination's VNet {vnet.name} has encryption enabled; Azure's documents speak of the source alone.", "Try one NIC first.")
    return ok(f"The destination's VNet {vnet.name} has no encryption enabled.")


RULES: tuple[DestinationRule, ...] = (
    one_destination,
    dest_exists,
    tap_state,
    ipv4,
    dest_passes_4789,
    dest_members_run,
    dest_collector,
    permission,
    lock,
    tap_subscription,
    region_preview,
    limits,
    dest_vnet_encryption,
)
