"""How estates are put together: VNets, subnets and machines by short names, gathered first and added to an estate in one go.

Owns the wiring that an ARM document repeats on both its ends (pool and member, TAP and source, VM and NIC), so that the stories in
`contoso` and `generated` read as stories.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Any

from vtapweb.simulator import documents
from vtapweb.simulator.documents import Json, Kind
from vtapweb.simulator.estate import Estate

FIRST_HOST = 4  # Azure keeps the first three addresses and the network's own of every subnet


@dataclass(slots=True)
class Vnet:
    """A VNet being built. `subnets` maps a name to its id, `next_host` to the next free host number."""

    arm_id: str
    subscription_id: str
    group: str
    location: str
    prefixes: tuple[str, ...]
    document: Json
    subnets: dict[str, str] = field(default_factory=dict)
    networks: dict[str, IPv4Network] = field(default_factory=dict)
    next_host: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.arm_id.rsplit("/", 1)[1]

    def address(self, subnet: str) -> str:
        """The next free address of a subnet."""
        host = self.next_host[subnet]
        self.next_host[subnet] = host + 1
        return str(IPv4Address(int(self.networks[subnet].network_address) + host))


@dataclass(slots=True)
class Builder:
    """Gathers documents; `flush` and `finish` add them to the estate."""

    estate: Estate
    vnets: list[Vnet] = field(default_factory=list)
    held: dict[Kind, list[tuple[Json, str]]] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    interfaces: dict[str, Json] = field(default_factory=dict)
    tap_sources: dict[str, list[str]] = field(default_factory=dict)
    next_mac: int = 0x1B_0000

    def subscription(self, subscription_id: str, name: str, tenant_id: str, *, feature: str = "Registered", tags: Json | None = None) -> None:
        self.estate.subscriptions[subscription_id] = documents.subscription(subscription_id, name, tenant_id, tags=tags)
        self.estate.features[subscription_id] = feature

    def group(self, subscription_id: str, name: str, location: str, *, tags: Json | None = None) -> None:
        arm_id = documents.resource_group_id(subscription_id, name)
        self.groups.setdefault(arm_id.lower(), documents.resource_group(subscription_id, name, location, tags=tags))

    def keep(self, kind: Kind, document: Json, power_state: str = "") -> Json:
        self.held.setdefault(kind, []).append((document, power_state))
        return document

    def vnet(
        self,
        subscription_id: str,
        group: str,
        name: str,
        location: str,
        prefixes: Sequence[str],
        subnets: Sequence[tuple[str, str]],
        *,
        is_encrypted: bool = False,
        security_group: str = "",
        tags: Json | None = None,
    ) -> Vnet:
        """A VNet in its resource group (made where it is new) with its subnets, given as name and IPv4 prefix."""
        self.group(subscription_id, group, location, tags=tags)
        arm_id = documents.resource_id(subscription_id, group, Kind.VIRTUAL_NETWORKS, name)
        document = documents.virtual_network(arm_id, location, prefixes, is_encrypted=is_encrypted, tags=tags)
        vnet = Vnet(arm_id, subscription_id, group, location, tuple(prefixes), self.keep(Kind.VIRTUAL_NETWORKS, document))
        for subnet_name, prefix in subnets:
            child = documents.subnet(arm_id, subnet_name, [prefix], security_group_id=security_group)
            document["properties"]["subnets"].append(child)
            network = ip_network(prefix)
            if not isinstance(network, IPv4Network):
                raise TypeError(f"{prefix}: the first prefix of a subnet is an IPv4 one")
            vnet.subnets[subnet_name], vnet.networks[subnet_name], vnet.next_host[subnet_name] = child["id"], network, FIRST_HOST
        self.vnets.append(vnet)
        return vnet

    def peer(self, one: Vnet, other: Vnet, *, state: str = "Connected", other_state: str = "Connected") -> None:
        """Both sides of a peering; `state` is the one that `one` shows, `other_state` the one that `other` shows. "" leaves a side out."""
        is_global = one.location != other.location
        for here, there, shown in ((one, other, state), (other, one, other_state)):
            if shown:
                side = documents.peering(here.arm_id, f"to-{there.name}", there.arm_id, there.prefixes, state=shown, is_global=is_global)
                here.document["properties"]["virtualNetworkPeerings"].append(side)

    def nic(
        self,
        vnet: Vnet,
        subnet: str,
        name: str,
        *,
        group: str = "",
        address: str = "",
        is_attached: bool = True,
        power_state: str = "running",
        pool_ids: Sequence[str] = (),
        extra_addresses: int = 0,
        ipv6_address: str = "",
        is_shouted: bool = False,
        nic: dict[str, Any] | None = None,
        vm: dict[str, Any] | None = None,
        tags: Json | None = None,
    ) -> str:
        """A NIC and, when attached, the VM of the same name. Returns the NIC's id; its ipConfiguration is `ipconfig1`.

        `nic` and `vm` are further arguments of the document functions; `is_shouted` spells the NIC's references in another casing than
        the resources' own ids.
        """
        group = group or vnet.group
        self.group(vnet.subscription_id, group, vnet.location)
        nic_id = documents.resource_id(vnet.subscription_id, group, Kind.NETWORK_INTERFACES, name)
        vm_id = documents.resource_id(vnet.subscription_id, group, Kind.VIRTUAL_MACHINES, name) if is_attached else ""
        subnet_id = documents.shouted(vnet.subnets[subnet]) if is_shouted else vnet.subnets[subnet]
        address = address or vnet.address(subnet)
        configurations = [documents.ip_configuration(nic_id, "ipconfig1", address, subnet_id, pool_ids=pool_ids)]
        for number in range(extra_addresses):
            more = vnet.address(subnet)
            configurations.append(documents.ip_configuration(nic_id, f"ipconfig{number + 2}", more, subnet_id, is_primary=False))
        if ipv6_address:
            configurations.append(documents.ip_configuration(nic_id, "ipconfig-v6", ipv6_address, subnet_id, is_primary=False, version="IPv6"))
        mac = ""
        if is_attached:
            mac = documents.mac_address(self.next_mac)
            self.next_mac += 1
            machine = documents.virtual_machine(vm_id, vnet.location, [nic_id], tags=tags, **(vm or {}))
            self.keep(Kind.VIRTUAL_MACHINES, machine, power_state)
        document = documents.network_interface(
            nic_id,
            vnet.location,
            configurations,
            vm_id=documents.shouted(vm_id) if is_shouted else vm_id,
            mac=mac,
            tags=tags,
            **(nic or {}),
        )
        self.interfaces[nic_id] = self.keep(Kind.NETWORK_INTERFACES, document)
        return nic_id

    def load_balancer(self, vnet: Vnet, subnet: str, name: str, address: str, members: Sequence[str], **details: Any) -> str:
        """An internal load balancer before `members` (ipConfiguration ids; those of our NICs are told of their pool). Returns its id."""
        arm_id = documents.resource_id(vnet.subscription_id, vnet.group, Kind.LOAD_BALANCERS, name)
        self.keep(
            Kind.LOAD_BALANCERS,
            documents.load_balancer(arm_id, vnet.location, subnet_id=vnet.subnets[subnet], address=address, member_ids=members, **details),
        )
        for member in members:
            nic_id, _, configuration = member.partition("/ipConfigurations/")
            for child in self.interfaces.get(nic_id, {}).get("properties", {}).get("ipConfigurations", ()):
                if child["name"] == configuration:
                    pools = child["properties"].setdefault("loadBalancerBackendAddressPools", [])
                    pools.append({"id": f"{arm_id}/backendAddressPools/pool"})
        return arm_id

    def tap(self, vnet: Vnet, name: str, *, group: str = "", tags: Json | None = None, **destination: str) -> str:
        """A TAP in the VNet's region. `destination` is ip_configuration_id or frontend_id. Returns its id."""
        arm_id = documents.resource_id(vnet.subscription_id, group or vnet.group, Kind.VIRTUAL_NETWORK_TAPS, name)
        self.keep(Kind.VIRTUAL_NETWORK_TAPS, documents.virtual_network_tap(arm_id, vnet.location, tags=tags, **destination))
        return arm_id

    def mirror(self, nic_id: str, tap_id: str, name: str = "mirror") -> None:
        """A TAP configuration on a NIC of ours."""
        child = documents.tap_configuration(nic_id, name, tap_id)
        self.interfaces[nic_id]["properties"]["tapConfigurations"].append(child)
        self.tap_sources.setdefault(tap_id, []).append(child["id"])

    def flush(self) -> None:
        """Add to the estate what is complete: everything but the VNets, which may still be peered. No NIC so far can be changed any more."""
        for tap, _ in self.held.get(Kind.VIRTUAL_NETWORK_TAPS, ()):
            if sources := self.tap_sources.get(tap["id"]):
                guid = documents.guid(tap["id"])
                tap["properties"] |= {"resourceGuid": guid, "networkInterfaceTapConfigurations": [{"id": source} for source in sources]}
        for group in self.groups.values():
            if self.estate.get(group["id"]) is None:
                self.estate.add(Kind.RESOURCE_GROUPS, group)
        for kind in Kind:
            if kind is not Kind.VIRTUAL_NETWORKS:
                self._add_all(kind)
        self.interfaces.clear()

    def finish(self) -> Estate:
        """Add what is left and hand the estate over."""
        self.flush()
        self._add_all(Kind.VIRTUAL_NETWORKS)
        self.estate.take_changes()
        return self.estate

    def _add_all(self, kind: Kind) -> None:
        for document, power_state in self.held.pop(kind, ()):
            self.estate.add(kind, document, power_state=power_state)
