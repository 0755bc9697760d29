"""Rules about the NIC alone: whatever TAP one has in mind, these answers are the same."""

from vtapweb.domain.permissions import DOCUMENTED_CONFIGURATION, WRITE_CONFIGURATION
from vtapweb.domain.tap_rules.access import is_read_only, lock_answer, permission_answer, refused_by
from vtapweb.domain.tap_rules.facts import LockFacts, Presence, SourceFacts, World
from vtapweb.domain.tap_rules.protection import covers, general, whom_to_ask
from vtapweb.domain.tap_rules.rule import (
    BOTH_OVERVIEWS,
    FAQ,
    LOCKS,
    OVERVIEW_2019,
    OVERVIEW_2025,
    PRODUCT,
    SPEC,
    UNVERIFIED,
    UNVERIFIED_PRODUCT,
    Answer,
    SourceRule,
    block,
    ok,
    source_rule,
    unknown,
    warn,
)
from vtapweb.domain.tap_rules.wording import (
    UNTIL_KNOWN,
    how_to_read,
    listed,
    subscription_name,
    unreadable,
    vnet_name,
)


@source_rule("not-vm-nic", source=OVERVIEW_2025)
def not_vm_nic(world: World, nic: SourceFacts) -> Answer:
    """The NIC is not one of a private endpoint or a private link service."""
    kind = "private endpoint" if nic.has_private_endpoint else "private link service" if nic.has_private_link_service else ""
    if kind:
        return block(f"This NIC belongs to a {kind}, which is no VM.", "Mirror the NICs of the VMs that use it instead.")
    return ok("It is no NIC of a private endpoint or private link service.")


@source_rule("scale-set-nic", source=SPEC)
def scale_set_nic(world: World, nic: SourceFacts) -> Answer:
    """The NIC has an address of its own in ARM: no NIC of a uniform scale set."""
    if "/virtualmachinescalesets/" in nic.arm_id.lower():
        return block(
            "This NIC belongs to a uniform scale set, and ARM has no TAP configuration for such NICs.",
            "Use a flexible scale set or single VMs, whose NICs can be mirrored.",
        )
    return ok("It is no NIC of a uniform scale set.")


@source_rule("source-attached", source=BOTH_OVERVIEWS)
def source_attached(world: World, nic: SourceFacts) -> Answer:
    """The NIC belongs to a VM."""
    if nic.vm_presence is None:
        return block("This NIC is attached to no VM.", "Attach it to a VM, then sync.")
    if nic.vm_presence is Presence.GONE:
        return unknown(f"We can't tell: the NIC names the VM {nic.vm_name}, but Azure no longer lists it. {UNTIL_KNOWN}", "Sync again.")
    return ok(f"It is attached to the VM {nic.vm_name}.")


@source_rule("one-config-per-nic", source=FAQ)
def one_config_per_nic(world: World, nic: SourceFacts) -> Answer:
    """The NIC carries no TAP configuration yet."""
    if nic.configurations is None:
        return unknown(unreadable(world, "what this NIC is mirrored to", nic.subscription_id), how_to_read(world, nic.subscription_id))
    if nic.configurations:
        names = listed([one.tap_name or one.name for one in nic.configurations])
        return block(f"Already mirrored to {names}; Azure allows one TAP configuration a NIC.", "Remove that mirror first, or plan a move.")
    return ok("It is not mirrored yet.")


@source_rule("ipv4", source=OVERVIEW_2025)
def ipv4(world: World, nic: SourceFacts) -> Answer:
    """The NIC has no IPv6 address."""
    if any(version.lower() == "ipv6" for version in nic.ip_versions) or any(":" in address for address in nic.private_ips):
        return block("This NIC has an IPv6 configuration, which a TAP cannot mirror.", "Take the IPv6 configuration off the NIC, then sync.")
    if not nic.ip_versions:
        return unknown(f"We can't tell: no ipConfiguration of this NIC is known. {UNTIL_KNOWN}", "Sync again.")
    return ok("All its addresses are IPv4.")


@source_rule("vnet-encryption", source=OVERVIEW_2025)
def vnet_encryption(world: World, nic: SourceFacts) -> Answer:
    """The VNet of the NIC has encryption disabled."""
    name = vnet_name(world, nic.vnet_key, nic.vnet_id)
    vnet = world.vnets.get(nic.vnet_key)
    if vnet is None:
        return unknown(unreadable(world, f"the VNet {name}", nic.subscription_id), how_to_read(world, nic.subscription_id))
    if vnet.is_encryption_enabled:
        return block(
            f"The VNet {name} has encryption enabled; encrypted traffic cannot be mirrored.", f"Disable encryption on {name}, if its owner agrees."
        )
    return ok(f"The VNet {name} has no encryption enabled.")


@source_rule("basic-lb", source=OVERVIEW_2025)
def basic_lb(world: World, nic: SourceFacts) -> Answer:
    """The NIC does not stand behind a Basic load balancer."""
    basic = [one.name for one in nic.behind if one.presence is Presence.READ and one.sku.lower() == "basic"]
    if basic:
        return block(f"This NIC stands behind the Basic load balancer {listed(basic)}.", "Upgrade it to Standard, or take the NIC out of its pool.")
    dark = [one.name for one in nic.behind if one.presence is Presence.UNREADABLE or (one.presence is Presence.READ and not one.sku)]
    if dark:
        return unknown(
            f"We can't tell: the SKU of the load balancer {listed(dark)} is not known. {UNTIL_KNOWN}", "Give vtapweb Reader on it, then sync."
        )
    return ok("It does not stand behind a Basic load balancer.")


@source_rule("floating-ip", source=OVERVIEW_2025)
def floating_ip(world: World, nic: SourceFacts) -> Answer:
    """No load balancing rule with floating IP leads to the NIC."""
    floating = [f"{rule} of {one.name}" for one in nic.behind if one.presence is Presence.READ for rule in one.floating_rules]
    if floating:
        return block(
            f"The load balancing rule {listed(floating)} has floating IP enabled and leads to this NIC.",
            "Disable floating IP on the rule, or take the NIC out of its pool.",
        )
    dark = [one.name for one in nic.behind if one.presence is Presence.UNREADABLE]
    if dark:
        return unknown(
            f"We can't tell: the rules of the load balancer {listed(dark)} are not known. {UNTIL_KNOWN}", "Give vtapweb Reader on it, then sync."
        )
    return ok("No rule with floating IP leads to it.")


@source_rule("protected", source=PRODUCT)
def protected(world: World, nic: SourceFacts) -> Answer:
    """The NIC lies in no scope that vtapweb protects."""
    unsure = None
    for one in general(world):
        is_covered = covers(one, nic)
        if is_covered:
            note = f" {one.note}" if one.note else ""
            return block(f"Protected in vtapweb by its {one.kind}: owner {one.owner or 'not named'}.{note}", whom_to_ask(one))
        if is_covered is None:
            unsure = one
    if unsure is not None:
        return unknown(
            f"We can't tell whether this NIC lies in the {unsure.kind} that {unsure.owner or 'somebody'} protects. {UNTIL_KNOWN}", whom_to_ask(unsure)
        )
    return ok("It lies in no protected scope.")


@source_rule("mirror-loop", source=UNVERIFIED_PRODUCT)
def mirror_loop(world: World, nic: SourceFacts) -> Answer:
    """The NIC is no collector's."""
    if nic.key in world.collector_nic_keys:
        return warn(
            "This NIC receives mirrored traffic itself. Mirroring it sends all of that on once more.", "Mirror the first sources directly instead."
        )
    return ok("It receives no mirrored traffic itself.")


@source_rule("permission", source=f"{OVERVIEW_2019} + RBAC operations list")
def permission(world: World, nic: SourceFacts) -> Answer:
    """vtapweb may do Microsoft.Network/networkInterfaces/tapConfigurations/write."""
    grant = "Give vtapweb's identity the role Network Contributor on the NIC or its resource group, then sync."
    aside = f" (Azure's documents print it as {DOCUMENTED_CONFIGURATION})"
    return permission_answer(world, nic.arm_id, [WRITE_CONFIGURATION], grant, aside)


@source_rule("lock", source=LOCKS)
def lock(world: World, nic: SourceFacts) -> Answer:
    """No management lock lies on the NIC."""

    def weigh(lock: LockFacts, where: str) -> Answer:
        return refused_by(lock, where, "refuses every write" if is_read_only(lock) else "would refuse to take the mirror back")

    return lock_answer(world, nic.subscription_id, nic.arm_id, weigh)


@source_rule("vm-size-v6", source=OVERVIEW_2025, is_advisory=True)
def vm_size_v6(world: World, nic: SourceFacts) -> Answer:
    """The VM has no v6 size (temporary)."""
    if not nic.vm_size:
        return unknown("We can't tell: the size of the VM is not known.", how_to_read(world, nic.subscription_id))
    if world.tables.unsupported_size.search(nic.vm_size):
        return warn(
            f"The VM has the size {nic.vm_size}; Azure says v6 sizes cannot be a source for now.", "Try another size, or expect Azure to refuse."
        )
    return ok(f"The VM's size {nic.vm_size} is no v6 size.")


@source_rule("limits", source=UNVERIFIED, is_advisory=True)
def limits(world: World, nic: SourceFacts) -> Answer:
    """The NIC's subscription is not near its number of TAP configurations."""
    most, subscription = world.limits.configurations_per_subscription, world.subscriptions.get(nic.subscription_id.lower())
    if most is None:
        return ok("No limit of TAP configurations for a subscription is set.")
    if subscription is None or subscription.configuration_count is None:
        return unknown("We can't tell how many TAP configurations the subscription holds.", how_to_read(world, nic.subscription_id))
    after = subscription.configuration_count + world.limits.adding
    if after > most * world.limits.near:
        return warn(
            f"Subscription {subscription_name(world, nic.subscription_id)} would hold {after} of {most} TAP configurations (limit not verified).",
            "Remove mirrors that nobody needs, or ask Azure for more.",
        )
    return ok(f"The subscription would hold {after} of {most} TAP configurations.")


@source_rule("downtime", source=OVERVIEW_2025, is_advisory=True)
def downtime(world: World, nic: SourceFacts) -> Answer:
    """Everybody knows that the VM may lose its network for up to 60 s."""
    return warn(
        "The VM may lose its network for up to 60 seconds when the mirror begins, and again when it ends.", "Choose a time that hurts nobody."
    )


RULES: tuple[SourceRule, ...] = (
    not_vm_nic,
    scale_set_nic,
    source_attached,
    one_config_per_nic,
    ipv4,
    vnet_encryption,
    basic_lb,
    floating_ip,
    protected,
    mirror_loop,
    permission,
    lock,
    vm_size_v6,
    limits,
    downtime,
)
