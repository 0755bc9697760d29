"""Whose traffic arrives: from the outer source address at a collector to a NIC and the TAP configuration that explains it. Pure.

Rule 1: an address means something only within the VNet of the collector and the VNets peered with it; the same address elsewhere is another
machine's. Rule 2: any private address of any ipConfiguration of a NIC is that NIC's. Rule 3: where two NICs claim an address nobody gets it.
Never by inner addresses: internet flows show the translated ones (the capture of a real Azure frame, vendor lab `virtual-network-tap-lab`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from vtapweb.domain.arm_id import arm_key


class Claim(NamedTuple):
    """An ipConfiguration: this NIC has this address in this VNet."""

    address: str
    vnet_key: str
    nic_key: str


class MirrorFact(NamedTuple):
    """A TAP configuration whose TAP leads to this collector."""

    key: str
    nic_key: str
    collector_key: str


class CollectorPlace(NamedTuple):
    """`vnet_key` is "" where it is not known; then no source can be named. `member_nic_keys`: the machines that should receive."""

    key: str
    vnet_key: str
    member_nic_keys: tuple[str, ...] = ()


class Attributed(NamedTuple):
    """`nic_key` is "" where no NIC claims the address, or several do (`is_ambiguous`); `tap_configuration_key` "" where none explains it."""

    nic_key: str
    tap_configuration_key: str
    is_ambiguous: bool
    mac: str  # of the NIC, 12 hex digits, "" where not known


UNKNOWN: Final = Attributed("", "", False, "")
AMBIGUOUS: Final = Attributed("", "", True, "")


@dataclass(frozen=True, slots=True)
class Attribution:
    """The inventory as the meter needs it. `mirrors` are in the order of their collectors' keys, then of their own."""

    collectors: Mapping[str, CollectorPlace] = field(default_factory=dict)
    mirrors: tuple[MirrorFact, ...] = ()
    seen_mirrors: frozenset[str] = frozenset()  # keys of those whose source address would be known for theirs if anything came from it
    _vnets_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    _claims_of: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    _mirror_of: Mapping[tuple[str, str], str] = field(default_factory=dict)
    _mac_of: Mapping[str, str] = field(default_factory=dict)

    def of(self, collector_key: str, address: str) -> Attributed:
        """Who sends from this outer address to this collector."""
        nics = claimants(self._claims_of.get(address, ()), self._vnets_of.get(collector_key, frozenset()))
        if len(nics) != 1:
            return AMBIGUOUS if nics else UNKNOWN
        (nic_key,) = nics
        return Attributed(nic_key, self._mirror_of.get((collector_key, nic_key), ""), False, self._mac_of.get(nic_key, ""))


@lru_cache(maxsize=4096)
def vnet_key_in(subnet_id: str) -> str:
    """The key of the VNet that a subnet's id names; "" where it names none."""
    vnet_id, kind, _ = subnet_id.rpartition("/subnets/")
    return arm_key(vnet_id) if kind else ""


def claimants(claims: Iterable[tuple[str, str]], vnets: frozenset[str]) -> frozenset[str]:
    """The NICs among (VNet, NIC) that claim an address within these VNets."""
    return frozenset(nic_key for vnet_key, nic_key in claims if vnet_key in vnets)


def reach_of(collectors: Iterable[CollectorPlace], peerings: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """By collector: its own VNet and those that any side of a peering joins to it, whatever the peering's state, as that may just have changed."""
    peers: dict[str, set[str]] = {}
    for here, there in peerings:
        if here and there:
            peers.setdefault(here, set()).add(there)
            peers.setdefault(there, set()).add(here)
    reach: dict[str, frozenset[str]] = {}
    found = {}
    for one in collectors:
        if one.vnet_key and one.vnet_key not in reach:
            reach[one.vnet_key] = frozenset({one.vnet_key, *peers.get(one.vnet_key, ())})
        found[one.key] = reach.get(one.vnet_key, frozenset())
    return found


def attribution(
    *,
    collectors: Iterable[CollectorPlace],
    peerings: Iterable[tuple[str, str]],
    claims: Iterable[Claim],
    mirrors: Iterable[MirrorFact],
    macs: Mapping[str, str],
) -> Attribution:
    """The tables of one state of the inventory.

    Of several TAP configurations of one NIC that lead to the same collector the first by key explains all that arrives: copies cannot be told apart.
    """
    places = {one.key: one for one in collectors}
    vnets_of = reach_of(places.values(), peerings)
    reached = frozenset().union(*vnets_of.values())
    claims_of: dict[str, list[tuple[str, str]]] = {}
    addresses_of: dict[str, list[str]] = {}
    for claim in claims:
        if claim.address and claim.vnet_key in reached:
            claims_of.setdefault(claim.address, []).append((claim.vnet_key, claim.nic_key))
            addresses_of.setdefault(claim.nic_key, []).append(claim.address)
    ordered = tuple(sorted(mirrors, key=_by_collector))  # a collector's stand side by side in a tick, so all of them are told at once
    mirror_of: dict[tuple[str, str], str] = {}
    for mirror in ordered:
        mirror_of.setdefault((mirror.collector_key, mirror.nic_key), mirror.key)
    frozen = {address: tuple(found) for address, found in claims_of.items()}
    seen = {
        mirror.key
        for mirror in ordered
        if mirror_of[(mirror.collector_key, mirror.nic_key)] == mirror.key
        and _is_seen(mirror, addresses_of.get(mirror.nic_key, ()), frozen, vnets_of.get(mirror.collector_key, frozenset()))
    }
    return Attribution(places, ordered, frozenset(seen), vnets_of, frozen, mirror_of, dict(macs))


def _by_collector(mirror: MirrorFact) -> tuple[str, str]:
    return mirror.collector_key, mirror.key


def _is_seen(mirror: MirrorFact, addresses: Iterable[str], claims_of: Mapping[str, tuple[tuple[str, str], ...]], vnets: frozenset[str]) -> bool:
    """Whether every address of the NIC that the collector could see is the NIC's alone, and there is one."""
    found = [nics for address in addresses if mirror.nic_key in (nics := claimants(claims_of[address], vnets))]
    return bool(found) and all(len(nics) == 1 for nics in found)
