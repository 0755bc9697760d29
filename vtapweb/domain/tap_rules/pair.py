"""Rules about a NIC and a TAP together. Each sees only what its two lenses take, so that it is asked once for thousands of equal pairs."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from vtapweb.domain.arm_id import subscription_in
from vtapweb.domain.tap_rules.facts import FeatureFacts, PeeringFacts, Presence, Readability, SourceFacts, TapFacts, World
from vtapweb.domain.tap_rules.protection import by_collector, collector_of, covers, whom_to_ask
from vtapweb.domain.tap_rules.rule import (
    BOTH_OVERVIEWS,
    OVERVIEW_2025,
    PRODUCT,
    UNVERIFIED_PRODUCT,
    Answer,
    PairRule,
    block,
    ok,
    pair_rule,
    unknown,
    warn,
)
from vtapweb.domain.tap_rules.security_group import Reach, View, reach, seen_of_source, view_of
from vtapweb.domain.tap_rules.wording import UNTIL_KNOWN, at, how_to_read, listed, normal_region, subscription_name, unreadable, vnet_name


class Place(NamedTuple):
    """A VNet, as far as somebody names it: key "" is not known."""

    key: str
    name: str
    subscription_id: str


def _place(world: World, vnet_key: str, vnet_id: str, subscription_id: str) -> Place:
    return Place(vnet_key, vnet_name(world, vnet_key, vnet_id) if vnet_key else "", subscription_in(vnet_id) or subscription_id.lower())


def _source_place(world: World, nic: SourceFacts) -> Place:
    return _place(world, nic.vnet_key, nic.vnet_id, nic.subscription_id)


def _tap_place(world: World, tap: TapFacts) -> Place:
    end = tap.destination
    if end is None or end.presence is not Presence.READ:
        return Place("", end.name if end else "", end.subscription_id.lower() if end else "")
    return _place(world, end.vnet_key, end.vnet_id, end.subscription_id)


@pair_rule(
    "reachable",
    source=BOTH_OVERVIEWS + " [FAQ]",
    of_source=_source_place,
    of_tap=_tap_place,
)
def reachable(world: World, here: Place, there: Place) -> Answer:
    """The destination is in the NIC's VNet or in one directly peered, Connected on both sides."""
    if not here.key or not there.key:
        dark, what = (here, "the NIC's VNet") if not here.key else (there, f"the VNet of the destination {there.name}".rstrip())
        return unknown(unreadable(world, what, dark.subscription_id), how_to_read(world, dark.subscription_id))
    if here.key == there.key:
        return ok(f"Both are in the VNet {here.name}.")
    vnets = [(end, other, world.vnets.get(end.key)) for end, other in ((here, there), (there, here))]
    sides = [Side(end, vnet.peerings.get(other.key)) for end, other, vnet in vnets if vnet is not None]
    if sides and all(side.state is None for side in sides):
        # Whoever reads one VNet wholly knows that it has no such peering, whatever the other says.
        return block(
            f"The VNets {here.name} and {there.name} are not peered directly.{_between(world, here, there)}",
            f"Peer {here.name} with {there.name}, or use a collector in a VNet that is.",
        )
    bad = next((side for side in sides if side.state not in {"connected", ""}), None)
    if bad is not None:
        return block(
            f"The peering {here.name} ↔ {there.name} is {bad.words} on {bad.end.name}'s side{bad.since}.", f"Restore it on {bad.end.name}, then sync."
        )
    dark_ends = [end for end, _, vnet in vnets if vnet is None]
    if dark_ends:
        return unknown(
            unreadable(world, f"the VNet {dark_ends[0].name}", dark_ends[0].subscription_id), how_to_read(world, dark_ends[0].subscription_id)
        )
    mute = next((side.end for side in sides if side.state == ""), None)
    if mute is not None:
        return unknown(f"We can't tell: {mute.name} names no state of its peering {here.name} ↔ {there.name}. {UNTIL_KNOWN}", "Sync again.")
    return ok(f"The peering {here.name} ↔ {there.name} is Connected on both sides.")


class Side(NamedTuple):
    """What one VNet says of the peering; None: it has none."""

    end: Place
    peering: PeeringFacts | None

    @property
    def state(self) -> str | None:
        """Lower-case; "" where it says nothing, None where there is no peering."""
        return None if self.peering is None else self.peering.state.strip().lower()

    @property
    def words(self) -> str:
        """The state as Azure spells it."""
        return "missing" if self.peering is None else self.peering.state

    @property
    def since(self) -> str:
        """Since when, as the end of a sentence."""
        return f", seen since {at(self.peering.since)}" if self.peering is not None and self.peering.since is not None else ""


def _between(world: World, here: Place, there: Place) -> str:
    """Whom both are peered with, where both can be read: what many take for a way."""
    vnets = [vnet for vnet in (world.vnets.get(here.key), world.vnets.get(there.key)) if vnet is not None]
    names = {key: side.remote_name for vnet in vnets for key, side in vnet.peerings.items()}
    shared = set.intersection(*(set(vnet.peerings) for vnet in vnets)) if len(vnets) > 1 else set()
    told = sorted(known.name if (known := world.vnets.get(key)) else names[key] for key in shared)
    return f" Both are peered with {listed(told)}, but peering is not transitive." if told else ""


# --- region and tenant --------------------------------------------------------------------------------------------------------------------------


def _tap_regions(world: World, tap: TapFacts) -> tuple[str, str]:
    end = tap.destination
    return normal_region(tap.region), normal_region(end.region) if end and end.presence is Presence.READ else ""


@pair_rule(
    "same-region",
    source=BOTH_OVERVIEWS,
    of_source=lambda world, nic: normal_region(nic.region),
    of_tap=_tap_regions,
)
def same_region(world: World, source: str, regions: tuple[str, str]) -> Answer:
    """The NIC, the TAP and the destination are in one region; a global peering does not help."""
    tap, end = regions
    if len({region for region in (source, tap, end) if region}) > 1:
        told = [region or "an unknown region" for region in (source, tap, end)]
        return block(
            f"The NIC is in {told[0]}, the TAP in {told[1]}, its destination in {told[2]}; all must be in one.",
            f"Use a collector and a TAP in {source or 'the region of the NIC'}.",
        )
    if not (source and tap and end):
        return unknown(f"We can't tell: not all three regions are known. {UNTIL_KNOWN}", "Sync again.")
    return ok(f"All are in {source}.")


def _tap_subscriptions(world: World, tap: TapFacts) -> tuple[str, str]:
    end = tap.destination
    return tap.subscription_id.lower(), end.subscription_id.lower() if end else ""


@pair_rule(
    "same-tenant",
    source=BOTH_OVERVIEWS,
    of_source=lambda world, nic: nic.subscription_id.lower(),
    of_tap=_tap_subscriptions,
)
def same_tenant(world: World, source: str, others: tuple[str, str]) -> Answer:
    """All subscriptions belong to one tenant."""
    ids = [source, *others]
    if all(ids) and len(set(ids)) == 1:
        return ok("All are in one subscription.")
    tenants = {one: known.tenant_id.lower() for one in ids if (known := world.subscriptions.get(one)) and known.tenant_id}
    if len(set(tenants.values())) > 1:
        told = listed([f"{subscription_name(world, one)} to {tenant}" for one, tenant in sorted(tenants.items())])
        return block(f"The subscriptions belong to different tenants: {told}.", "Use a collector in the NIC's own tenant.")
    dark = [one for one in dict.fromkeys(ids) if one not in tenants]
    if dark:
        return unknown(unreadable(world, f"the tenant of {subscription_name(world, dark[0])}", ""), how_to_read(world, dark[0]))
    return ok("All subscriptions belong to one tenant.")


# --- product rules ------------------------------------------------------------------------------------------------------------------------------


def _all_ends(world: World, taps: Sequence[TapFacts]) -> dict[str, str]:
    """By its key whoever stands at some TAP's end: NICs that stand at none need not be told apart."""
    return {one.nic_key: one.nic_key for tap in taps for end in tap.destinations for one in end.members or ()}


def _own_end(_: object, tap: TapFacts) -> frozenset[str] | None:
    end = tap.destination
    if end is None or end.presence is not Presence.READ or end.members is None:
        return None
    return frozenset(one.nic_key for one in end.members)


@pair_rule(
    "mirror-loop",
    source=UNVERIFIED_PRODUCT,
    prepare=_all_ends,
    of_source=lambda ends, nic: ends.get(nic.key),
    of_tap=_own_end,
)
def mirror_loop(_: object, nic_key: str | None, end: frozenset[str] | None) -> Answer:
    """The NIC is not the TAP's own destination."""
    if end is None:
        return unknown(f"We can't tell whether this NIC is the TAP's own destination. {UNTIL_KNOWN}", "Sync again.")
    if nic_key in end:
        return block("This NIC is the TAP's own destination: it would receive its own copies again and again.", "Choose another TAP.")
    return ok("The NIC is not the TAP's own destination.")


def _refusals(world: World, nic: SourceFacts) -> tuple[tuple[int, bool], ...]:
    """Which of the protections against one collector cover the NIC: (number, is certain)."""
    found = ((number, covers(one, nic)) for number, one in enumerate(by_collector(world)))
    return tuple((number, is_covered is True) for number, is_covered in found if is_covered is not False)


@pair_rule(
    "protected",
    source=PRODUCT,
    of_source=_refusals,
    of_tap=lambda world, tap: tuple(sorted(end.key for end in tap.destinations)),
)
def protected(world: World, refusals: tuple[tuple[int, bool], ...], ends: tuple[str, ...]) -> Answer:
    """The collector may receive from where the NIC lies."""
    known = by_collector(world)
    meant = [(known[number], is_certain) for number, is_certain in refusals if collector_of(known[number]) in ends]
    for one, is_certain in sorted(meant, key=lambda pair: not pair[1]):
        note = f" {one.note}" if one.note else ""
        scope = "any NIC" if one.kind == "collector" else f"this {one.kind}"
        if is_certain:
            return block(f"This collector may not receive from {scope}: protected by {one.owner or 'nobody named'}.{note}", whom_to_ask(one))
        return unknown(f"We can't tell whether this collector may receive from here. {UNTIL_KNOWN}", whom_to_ask(one))
    return ok("The collector may receive from here.")


@pair_rule(
    "dest-nsg",
    source=UNVERIFIED_PRODUCT,
    prepare=view_of,
    of_source=seen_of_source,
    of_tap=lambda view, tap: _doors(tap),
)
def dest_nsg(view: View, source: tuple[tuple[str, bool | None], ...], doors: tuple[tuple[str, str, tuple[str, ...] | None], ...] | None) -> Answer:
    """The security groups of the destination let UDP 4789 in from the NIC."""
    if not doors:
        return unknown(f"We can't tell: nobody is known behind the destination, so neither are the security groups. {UNTIL_KNOWN}", "Sync again.")
    found = [(name, reach(view, source, address, keys)) for name, address, keys in doors]
    shut = [(name, one) for name, one in found if one.reach is Reach.SHUT]
    remedy = "Allow UDP 4789 in, above the rule that denies it."
    if len(shut) == len(found):
        return block(f"{shut[0][1].told} refuses UDP 4789 to {listed([name for name, _ in shut])}.", remedy)
    dark = [(name, one) for name, one in found if one.reach is Reach.UNKNOWN]
    if dark:
        return unknown(f"We can't tell whether UDP 4789 reaches {dark[0][0]}: {dark[0][1].told}. {UNTIL_KNOWN}", remedy)
    if shut:
        return warn(f"{shut[0][1].told} refuses UDP 4789 to {listed([name for name, _ in shut])}, but not to the others.", remedy)
    return ok("The security groups let UDP 4789 in.")


def _doors(tap: TapFacts) -> tuple[tuple[str, str, tuple[str, ...] | None], ...] | None:
    """(name, address, keys of its security groups) of everybody behind the destination who exists; None when that is not known."""
    end = tap.destination
    if end is None or end.presence is not Presence.READ or end.members is None:
        return None
    return tuple((one.nic_name, one.address, one.security_group_keys) for one in end.members if one.presence is not Presence.GONE)


# --- what one should know -----------------------------------------------------------------------------------------------------------------------


@pair_rule(
    "feature-flag",
    source="azure-docs#49196; the newest documents don't mention it",
    is_advisory=True,
    of_source=lambda world, nic: nic.subscription_id.lower(),
    of_tap=lambda world, tap: tap.subscription_id.lower(),
)
def feature_flag(world: World, source: str, tap: str) -> Answer:
    """Microsoft.Network/AllowVirtualNetworkTap is Registered."""
    features = {one: known.feature if (known := world.subscriptions.get(one)) else FeatureFacts() for one in dict.fromkeys((source, tap))}
    dark = [one for one, feature in features.items() if feature.readability is not Readability.READ]
    lacking = [one for one, feature in features.items() if feature.state.lower() != "registered" and one not in dark]
    if lacking:
        state = features[lacking[0]].state or "not Registered"
        return warn(
            f"Microsoft.Network/AllowVirtualNetworkTap is {state} in {subscription_name(world, lacking[0])}; it may or may not be needed any more.",
            f"az feature register --namespace Microsoft.Network --name AllowVirtualNetworkTap --subscription {lacking[0]}",
        )
    if dark:
        return unknown(
            f"We can't tell whether Microsoft.Network/AllowVirtualNetworkTap is registered in {subscription_name(world, dark[0])}.",
            how_to_read(world, dark[0]),
        )
    return ok("Microsoft.Network/AllowVirtualNetworkTap is Registered.")


@pair_rule(
    "fastpath",
    source=OVERVIEW_2025,
    is_advisory=True,
    of_source=lambda world, nic: nic.vm_restarted_at,
    of_tap=lambda world, tap: (tap.is_proposed, tap.created_at),
)
def fastpath(world: World, restarted_at: datetime | None, tap: tuple[bool, datetime | None]) -> Answer:
    """The VM was deallocated and started once after the TAP came to exist."""
    is_proposed, created_at = tap
    remedy = "Its owner deallocates and starts the VM once after the TAP exists. vtapweb never restarts a VM."
    if is_proposed:
        return warn("Once the TAP exists, the VM must be deallocated and started once, else Azure answers “not on fastpath”.", remedy)
    if restarted_at is not None and created_at is not None and restarted_at > created_at:
        return ok("The VM was seen deallocated and started after the TAP came to exist: likely prepared.")
    return unknown("We can't tell whether the VM was deallocated and started since the TAP exists. If not, Azure answers “not on fastpath”.", remedy)


RULES: tuple[PairRule, ...] = (
    reachable,
    same_region,
    same_tenant,
    mirror_loop,
    protected,
    dest_nsg,
    feature_flag,
    fastpath,
)
