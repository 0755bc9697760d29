"""What the network service refuses at a PUT of a TAP or a TAP configuration, written from Azure's documentation alone.

Source: "Virtual network TAP" overviews of 2019 and 2025 and the virtual-network FAQ. The codes and wordings of these refusals are not known
publicly; those invented here say "(simulator)". One function a rule, each from the resources concerned to a refusal or None, so that
`refusals_of_configuration` and `refusals_of_tap` are the whole of it and a test can compare them with anybody else's judgement.

What this Azure accepts although it should not be done, because recordings showed it accepted or because nobody verified it: a source without
a VM, a source that is itself the destination, a destination without a VM, a v6 VM size, a region outside the preview, an unregistered feature.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from vtapweb.simulator import errors
from vtapweb.simulator.documents import VXLAN_PORT, Json, Kind
from vtapweb.simulator.estate import Document, Estate, fold

DESTINATION_FIELDS = ("destinationNetworkInterfaceIPConfiguration", "destinationLoadBalancerFrontEndIPConfiguration")
LABEL = " (simulator)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """`rule` is the word of the documentation's rule; code and message are what ARM's error carries."""

    rule: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Destination:
    """What a TAP's destination id leads to. `properties` are the ipConfiguration's or the frontend's, `owner` is the NIC or load balancer."""

    arm_id: str
    owner: Document
    location: str
    vnet_id: str
    properties: Json


@dataclass(frozen=True, slots=True)
class Wanted:
    """A TAP that is asked for, as a document, and what its destination leads to."""

    tap: Json
    destination: Destination


@dataclass(frozen=True, slots=True)
class Case:
    """A TAP configuration that is asked for: NIC and TAP as documents, and the TAP's destination where it leads anywhere."""

    estate: Estate
    nic_id: str
    nic: Json
    tap_id: str
    tap: Json
    destination: Destination | None

    @property
    def vnet_ids(self) -> set[str]:
        """The folded ids of the VNets in which the NIC has an address."""
        return {vnet_id for configuration in _configurations(self.nic) if (vnet_id := _vnet_of(configuration))}


def refusals_of_configuration(estate: Estate, nic_id: str, tap_id: str, *, name: str = "") -> list[Refusal]:
    """Every rule that refuses to mirror the NIC to the TAP; [] when Azure takes it. `name` is that of the configuration to be written.

    Both must exist. Authorization, tenants and locks are not judged here.
    """
    nic, tap = estate.get(nic_id), estate.get(tap_id)
    if nic is None or tap is None:
        raise LookupError(f"{nic_id if nic is None else tap_id} does not exist")
    tap_document = tap.json()
    case = Case(estate, nic.arm_id, nic.json(), tap.arm_id, tap_document, destination_of(estate, tap_document))
    found = [rule(case) for rule in CONFIGURATION_RULES]
    found.append(one_configuration_a_nic(case, name))
    return [refusal for refusal in found if refusal is not None]


def refusals_of_tap(estate: Estate, tap: Json) -> list[Refusal]:
    """Every rule that refuses a TAP as it is asked for (its document: id, location, properties); [] when Azure takes it."""
    exactly_one = exactly_one_destination(tap)
    if exactly_one is not None:
        return [exactly_one]
    destination = destination_of(estate, tap)
    if destination is None:
        return [destination_is_missing(str(tap["id"]), destination_id_of(tap))]
    found = (rule(Wanted(tap, destination)) for rule in TAP_RULES)
    return [refusal for refusal in found if refusal is not None]


def destination_id_of(tap: Json) -> str:
    """The one destination's id, "" where there is none."""
    properties = tap["properties"]
    return next((str(properties[field]["id"]) for field in DESTINATION_FIELDS if properties.get(field)), "")


def destination_of(estate: Estate, tap: Json) -> Destination | None:
    """What the TAP's destination leads to; None when it leads nowhere."""
    arm_id = destination_id_of(tap)
    kind = Kind.NETWORK_INTERFACES if tap["properties"].get(DESTINATION_FIELDS[0]) else Kind.LOAD_BALANCERS
    collection = "ipConfigurations" if kind is Kind.NETWORK_INTERFACES else "frontendIPConfigurations"
    owner_id, _, _ = fold(arm_id).partition(f"/{collection.lower()}/")
    owner = estate.get(owner_id)
    if owner is None or owner.kind is not kind:
        return None
    document = owner.json()
    for child in document["properties"].get(collection) or ():
        if fold(child["id"]) == fold(arm_id):
            return Destination(child["id"], owner, document["location"], _vnet_of(child), child["properties"])
    return None


def same_region_as_tap(case: Case) -> Refusal | None:
    """Source and TAP in one region. Azure's own code and sentence for a reference into another region."""
    return None if _region(case.nic) == _region(case.tap) else _not_there("same-region", case.tap_id, case.nic_id)


def destination_exists(case: Case) -> Refusal | None:
    """A TAP whose destination is gone takes no more sources."""
    return None if case.destination is not None else destination_is_missing(case.tap_id, destination_id_of(case.tap))


def reachable(case: Case) -> Refusal | None:
    """The destination in one of the source's VNets, or in one that is directly peered with Connected on both sides."""
    if case.destination is None or not case.destination.vnet_id:
        return None
    target = case.destination.vnet_id
    if any(vnet_id == target or _are_peered(case.estate, vnet_id, target) for vnet_id in case.vnet_ids):
        return None
    return _refuse(
        "reachable", "TapDestinationNotReachable", f"The destination of {case.tap_id} is in no VNet of the source and in none peered with it"
    )


def not_a_vms_nic(case: Case) -> Refusal | None:
    """A NIC that a private endpoint or a private link service owns."""
    properties = case.nic["properties"]
    if properties.get("privateEndpoint") or properties.get("privateLinkService"):
        return _refuse("not-vm-nic", "TapSourceNotSupported", f"{case.nic_id} belongs to a private endpoint or a private link service")
    return None


def source_is_ipv4(case: Case) -> Refusal | None:
    """No IPv6 on the source."""
    if any(_is_ipv6(configuration["properties"]) for configuration in _configurations(case.nic)):
        return _refuse("ipv4", "TapIpv6NotSupported", f"{case.nic_id} has an IPv6 configuration")
    return None


def vnet_is_not_encrypted(case: Case) -> Refusal | None:
    """No source in a VNet with encryption."""
    for vnet_id in sorted(case.vnet_ids):
        vnet = case.estate.get(vnet_id)
        if vnet is not None and ((vnet.json()["properties"].get("encryption") or {}).get("enabled") is True):
            return _refuse("vnet-encryption", "TapSourceVnetEncrypted", f"{vnet.arm_id} has encryption enabled")
    return None


def not_behind_a_basic_load_balancer(case: Case) -> Refusal | None:
    for balancer, _ in _balancers_of(case):
        if (balancer.get("sku") or {}).get("name", "Basic") == "Basic":
            return _refuse("basic-lb", "TapSourceBehindBasicLoadBalancer", f"{case.nic_id} is behind the Basic load balancer {balancer['id']}")
    return None


def not_behind_a_floating_ip(case: Case) -> Refusal | None:
    """No Standard load-balancing rule with floating IP on a pool of the source."""
    for balancer, pool_id in _balancers_of(case):
        for rule in balancer["properties"].get("loadBalancingRules") or ():
            pools = [rule["properties"].get("backendAddressPool"), *(rule["properties"].get("backendAddressPools") or ())]
            if rule["properties"].get("enableFloatingIP") and any(pool and fold(pool["id"]) == pool_id for pool in pools):
                return _refuse("floating-ip", "TapSourceBehindFloatingIp", f"{case.nic_id} is behind a rule with floating IP of {balancer['id']}")
    return None


def one_configuration_a_nic(case: Case, name: str) -> Refusal | None:
    """A NIC carries one TAP configuration; the one that is written again does not count."""
    others = [child["name"] for child in case.nic["properties"].get("tapConfigurations") or () if child["name"].lower() != name.lower()]
    if not others:
        return None
    return _refuse("one-config-per-nic", "TapConfigurationLimitReached", f"{case.nic_id} carries the TAP configuration {others[0]} already")


def exactly_one_destination(tap: Json) -> Refusal | None:
    named = [field for field in DESTINATION_FIELDS if tap["properties"].get(field)]
    if len(named) == 1:
        return None
    return _refuse("one-destination", "TapDestinationCount", f"A virtual network TAP names exactly one destination, this one {len(named)}")


def frontend_is_private(wanted: Wanted) -> Refusal | None:
    """A load balancer's frontend must be internal."""
    if wanted.destination.owner.kind is Kind.LOAD_BALANCERS and wanted.destination.properties.get("publicIPAddress"):
        return _refuse("one-destination", "TapDestinationPublic", f"{wanted.destination.arm_id} is a public frontend")
    return None


def destination_in_region(wanted: Wanted) -> Refusal | None:
    is_there = _region(wanted.tap) == wanted.destination.location.replace(" ", "").lower()
    return None if is_there else _not_there("same-region", wanted.destination.arm_id, str(wanted.tap["id"]))


def destination_is_ipv4(wanted: Wanted) -> Refusal | None:
    if _is_ipv6(wanted.destination.properties):
        return _refuse("ipv4", "TapIpv6NotSupported", f"{wanted.destination.arm_id} is an IPv6 configuration")
    return None


def port_is_vxlan(wanted: Wanted) -> Refusal | None:
    """The documentation calls 4789 fixed."""
    port = wanted.tap["properties"].get("destinationPort", VXLAN_PORT)
    return None if port == VXLAN_PORT else _refuse("one-destination", "TapDestinationPort", f"The destination port is {VXLAN_PORT}, not {port}")


def destination_is_missing(referrer_id: str, destination_id: str) -> Refusal:
    return _not_there("dest-exists", destination_id, referrer_id)


CONFIGURATION_RULES: tuple[Callable[[Case], Refusal | None], ...] = (
    same_region_as_tap,
    destination_exists,
    reachable,
    not_a_vms_nic,
    source_is_ipv4,
    vnet_is_not_encrypted,
    not_behind_a_basic_load_balancer,
    not_behind_a_floating_ip,
)
TAP_RULES: tuple[Callable[[Wanted], Refusal | None], ...] = (
    destination_in_region,
    frontend_is_private,
    destination_is_ipv4,
    port_is_vxlan,
)


def _not_there(rule: str, arm_id: str, referrer_id: str) -> Refusal:
    """Azure's own code and sentence for a reference to nothing, or into another region."""
    error = errors.invalid_reference(arm_id, referrer_id)
    return Refusal(rule, error.code, error.message)


def _refuse(rule: str, code: str, sentence: str) -> Refusal:
    return Refusal(rule, code, f"{sentence}.{LABEL}")


def _configurations(nic: Json) -> list[Any]:
    return list(nic["properties"].get("ipConfigurations") or ())


def _vnet_of(configuration: Json) -> str:
    """The folded id of the VNet that an ipConfiguration's subnet is in, "" where it has none."""
    subnet = (configuration["properties"].get("subnet") or {}).get("id") or ""
    vnet_id, separator, _ = fold(subnet).partition("/subnets/")
    return vnet_id if separator else ""


def _region(document: Json) -> str:
    return str(document["location"]).replace(" ", "").lower()


def _is_ipv6(properties: Json) -> bool:
    return str(properties.get("privateIPAddressVersion") or "IPv4").lower() == "ipv6"


def _are_peered(estate: Estate, one: str, other: str) -> bool:
    """Both sides of a direct peering there and Connected."""
    return _shows_connected(estate, one, other) and _shows_connected(estate, other, one)


def _shows_connected(estate: Estate, vnet_id: str, remote_id: str) -> bool:
    vnet = estate.get(vnet_id)
    if vnet is None:
        return False
    return any(
        fold(side["properties"]["remoteVirtualNetwork"]["id"]) == remote_id and side["properties"]["peeringState"] == "Connected"
        for side in vnet.json()["properties"].get("virtualNetworkPeerings") or ()
    )


def _balancers_of(case: Case) -> Iterator[tuple[Json, str]]:
    """(load balancer, folded id of its pool) for every pool that an ipConfiguration of the source is in."""
    for configuration in _configurations(case.nic):
        for pool in configuration["properties"].get("loadBalancerBackendAddressPools") or ():
            pool_id = fold(pool["id"])
            balancer = case.estate.get(pool_id.partition("/backendaddresspools/")[0])
            if balancer is not None and balancer.kind is Kind.LOAD_BALANCERS:
                yield balancer.json(), pool_id
