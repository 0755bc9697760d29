"""Do a destination's network security groups let UDP 4789 in? By priority, with Azure's default rules behind one's own.

Source: learn.microsoft.com "Network security groups": rules are taken in the order of their priority until one matches; the defaults AllowVnetInBound
(65000), AllowAzureLoadBalancerInBound (65001) and DenyAllInBound (65500) come last. Inbound, the subnet's group and the NIC's must both allow.
That TAP traffic is filtered so is not verified at Azure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from vtapweb.domain.tap_rules.facts import SecurityRuleFacts, SourceFacts, TapFacts, World

PORT = 4789
DEFAULTS = (
    SecurityRuleFacts("AllowVnetInBound", 65000, "Inbound", "Allow", "*", ("VirtualNetwork",), ("VirtualNetwork",), ("*",)),
    SecurityRuleFacts("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", "*", ("AzureLoadBalancer",), ("*",), ("*",)),
    SecurityRuleFacts("DenyAllInBound", 65500, "Inbound", "Deny", "*", ("*",), ("*",), ("*",)),
)
# What holds of every mirror: a NIC's own address, in a VNet that the destination's is or is peered with.
_ALWAYS = frozenset({"*", "any", "virtualnetwork", "0.0.0.0/0"})
_NEVER = frozenset({"internet", "azureloadbalancer", "::/0"})


class Reach(StrEnum):
    OPEN = "open"
    SHUT = "shut"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """`told`: the rule that shuts, or what is not known."""

    reach: Reach
    told: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """The security groups with their inbound rules that may concern UDP 4789, in order, and the prefixes by which these tell sources apart."""

    names: Mapping[str, str]
    rules: Mapping[str, Sequence[SecurityRuleFacts]]
    prefixes: Mapping[str, IPv4Network | IPv6Network | None]  # None: a word that is not understood


def view_of(world: World, taps: Sequence[TapFacts]) -> View:
    """What the groups of this world say of UDP 4789; made once a judgement."""
    rules = {
        key: sorted(
            (one for one in (*group.rules, *DEFAULTS) if _concerns(one)),
            key=lambda one: one.priority if one.priority is not None else 0,
        )
        for key, group in world.security_groups.items()
    }
    words = {word for of_one in rules.values() for rule in of_one for word in map(_folded, rule.source_prefixes) if word not in _ALWAYS | _NEVER}
    return View({key: group.name for key, group in world.security_groups.items()}, rules, {word: _network(word) for word in sorted(words)})


def seen_of_source(view: View, nic: SourceFacts) -> tuple[tuple[str, bool | None], ...]:
    """What the groups can tell of the NIC: (prefix, whether it holds it; None = cannot be told), without those that do not."""
    addresses = []
    for text in nic.private_ips:
        try:
            addresses.append(ip_address(text))
        except ValueError:
            continue
    seen: list[tuple[str, bool | None]] = []
    for word, network in view.prefixes.items():
        inside = [address in network for address in addresses] if network is not None else []
        holds = None if any(inside) != all(inside) else inside[0]  # without an address, none is in it and all are
        if holds is not False:
            seen.append((word, holds))
    return tuple(seen)


def reach(view: View, source: tuple[tuple[str, bool | None], ...], address: str, keys: Sequence[str] | None) -> Found:
    """Whether UDP 4789 from the source gets to a member through all its groups."""
    if keys is None:
        return Found(Reach.UNKNOWN, "its security groups are not known")
    dark = None
    for key in keys:
        found = _through(view, dict(source), address, key)
        if found.reach is Reach.SHUT:
            return found
        if found.reach is Reach.UNKNOWN:
            dark = found
    return dark or Found(Reach.OPEN)


def _through(view: View, source: Mapping[str, bool | None], address: str, key: str) -> Found:
    if key not in view.rules:
        return Found(Reach.UNKNOWN, "a security group cannot be read")
    name, maybe = view.names[key], ""
    possible: set[str] = set()
    for rule in view.rules[key]:
        matches = _matches(rule, source, address)
        if matches is False:
            continue
        access = rule.access.strip().lower()
        possible.add(access)
        if matches is None:
            maybe = rule.name
            continue
        if possible == {"allow"}:
            return Found(Reach.OPEN)
        if possible == {"deny"}:
            return Found(Reach.SHUT, f"The rule {rule.name} of {name}")
        return Found(Reach.UNKNOWN, f"the rule {maybe or rule.name} of {name} may or may not hold for it")
    return Found(Reach.UNKNOWN, f"no rule of {name} holds for it")


def _concerns(rule: SecurityRuleFacts) -> bool:
    """Inbound rules that may hold for UDP 4789."""
    return (
        rule.direction.strip().lower() == "inbound"
        and rule.protocol.strip().lower() in {"*", "any", "udp", ""}
        and _port_matches(rule.destination_port_ranges) is not False
    )


def _port_matches(ranges: Sequence[str]) -> bool | None:
    """Whether the ranges hold 4789; None when they are not understood, or not there."""
    is_dark = not ranges
    for text in ranges:
        first, dash, last = text.strip().partition("-")
        if text.strip() == "*":
            return True
        if first.strip().isdecimal() and (not dash or last.strip().isdecimal()):
            if int(first) <= PORT <= int(last if dash else first):
                return True
        else:
            is_dark = True
    return None if is_dark else False


def _matches(rule: SecurityRuleFacts, source: Mapping[str, bool | None], address: str) -> bool | None:
    """Whether the rule holds for the mirror; None when that cannot be told."""
    parts = (
        _any(_from(word, source) for word in map(_folded, rule.source_prefixes)),
        _any(_to(word, address) for word in map(_folded, rule.destination_prefixes)),
        _port_matches(rule.destination_port_ranges),
        None if rule.priority is None or not rule.protocol.strip() else True,
    )
    if False in parts:
        return False
    return None if None in parts else True


def _any(told: Iterable[bool | None]) -> bool | None:
    """Whether one of several alternatives holds; none at all tells nothing."""
    found = list(told)
    if True in found:
        return True
    return None if None in found or not found else False


def _from(word: str, source: Mapping[str, bool | None]) -> bool | None:
    if word in _ALWAYS:
        return True
    return source.get(word, False)  # what is in _NEVER is no prefix


def _to(word: str, address: str) -> bool | None:
    if word in _ALWAYS:
        return True
    if word in _NEVER:
        return False
    network = _network(word)
    try:
        own = ip_address(address)
    except ValueError:
        return None
    return None if network is None else own in network


def _folded(word: str) -> str:
    return word.strip().lower()


def _network(word: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(word, strict=False)
    except ValueError:
        return None
