"""Which protected scopes a NIC lies in."""

from vtapweb.domain.tap_rules.facts import Presence, ProtectionFacts, SourceFacts, World


def covers(protection: ProtectionFacts, source: SourceFacts) -> bool | None:
    """Whether the NIC lies in the protected scope; None when what would tell is not known."""
    value = protection.value.strip()
    match protection.kind:
        case "subscription":
            return value.lower() == source.subscription_id.lower()
        case "vnet":
            return value == source.vnet_key if source.vnet_key else None
        case "subnet":
            return value == source.subnet_key if source.subnet_key else None
        case "tag":
            return _has_tag(source, value)
        case "collector":
            return True
        case _:
            return None  # a kind that this version does not know protects until somebody does


def _has_tag(source: SourceFacts, value: str) -> bool | None:
    name, equals, wanted = value.partition("=")
    # Azure compares names of tags without case and values with it; a protection errs on the side of protecting.
    for tag, own in source.tags.items():
        if tag.strip().lower() == name.strip().lower() and (not equals or own.strip().lower() == wanted.strip().lower()):
            return True
    is_vm_known = source.vm_presence in {None, Presence.READ}
    return False if is_vm_known else None


def collector_of(protection: ProtectionFacts) -> str:
    """The key of the one destination it is about, "" for all."""
    return protection.for_collector_key or (protection.value if protection.kind == "collector" else "")


def general(world: World) -> tuple[ProtectionFacts, ...]:
    """The protections against every collector."""
    return tuple(one for one in world.protections if not collector_of(one))


def by_collector(world: World) -> tuple[ProtectionFacts, ...]:
    """The protections against one collector."""
    return tuple(one for one in world.protections if collector_of(one))


def whom_to_ask(protection: ProtectionFacts) -> str:
    """The remedy: owner and contact."""
    contact = f" ({protection.contact})" if protection.contact else ""
    return f"Ask {protection.owner or 'whoever protects it'}{contact}. An admin can change the protection."
