"""Names and sentences that several rules need. Names stand in them as plain text; who shows a sentence escapes it."""

from datetime import UTC, datetime

from vtapweb.domain.arm_id import name_in, subscription_in
from vtapweb.domain.tap_rules.facts import World

UNTIL_KNOWN = "Until we know, the answer is no."


def subscription_name(world: World, subscription_id: str) -> str:
    """The subscription as people call it, else its id."""
    known = world.subscriptions.get(subscription_id.lower())
    return (known.name if known else "") or subscription_id or "unknown"


def vnet_name(world: World, vnet_key: str, vnet_id: str) -> str:
    """The VNet as people call it, else the name in its id."""
    known = world.vnets.get(vnet_key)
    return known.name if known else name_in(vnet_id) or "an unnamed VNet"


def scope_name(world: World, scope_id: str) -> str:
    """How one calls a scope in a sentence: "subscription prod", "group rg-net", "tap-1"."""
    parts = scope_id.strip().rstrip("/").split("/")
    if len(parts) <= 3:
        return f"subscription {subscription_name(world, subscription_in(scope_id))}"
    if len(parts) == 5 and parts[3].lower() == "resourcegroups":
        return f"resource group {parts[4]}"
    return name_in(scope_id)


def unreadable(world: World, what: str, subscription_id: str) -> str:
    """Why nobody can tell, in the product's words."""
    if not subscription_id:
        return f"We can't tell: {what} is not readable for vtapweb. {UNTIL_KNOWN}"
    name = subscription_name(world, subscription_id)
    return f"We can't tell: {what} in subscription {name} is not readable for vtapweb. {UNTIL_KNOWN}"


def how_to_read(world: World, subscription_id: str) -> str:
    """What to do so that it can be read."""
    if not subscription_id:
        return "Give vtapweb's identity the role Reader there, then sync."
    return f"Give vtapweb's identity the role Reader on subscription {subscription_name(world, subscription_id)}, then sync."


def at(moment: datetime) -> str:
    """A moment in a sentence; in UTC, which the sentence says."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def listed(names: list[str], most: int = 5) -> str:
    """a, b and c; of many the first few and how many more."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def normal_region(region: str) -> str:
    """Azure prints regions as `uksouth` and as "UK South"."""
    return region.replace(" ", "").lower()
