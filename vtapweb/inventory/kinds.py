"""The kinds of resource that pages and the API show: how each is called, where its rows come from, by what it filters and sorts.

One table, so that the API, the table pages, the detail pages and the search cannot disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vtapweb.cloud.port import ReadKind
from vtapweb.inventory.models import (
    AvailabilitySet,
    LoadBalancer,
    NetworkInterface,
    NetworkSecurityGroup,
    Resource,
    ResourceGroup,
    ScaleSet,
    Subnet,
    TapConfiguration,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.web.tables import Column

COMMON_FILTERS = ("q", "subscription", "region", "tag", "state", "removed", "select")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `sorts` maps the name in the address to the field; `vnet_field` is the path to a VNet's key, "" where the kind has none."""

    slug: str
    model: type[Resource]
    singular: str
    plural: str
    read_kind: ReadKind
    columns: tuple[Column, ...]
    sorts: Mapping[str, str] = field(default_factory=dict)
    state_field: str = "provisioning_state"
    vnet_field: str = ""
    mirrored_field: str = ""
    teach: str = ""

    @property
    def has_vnet(self) -> bool:
        """Whether a row lies in a VNet, by its own field or by what belongs to it (see browse)."""
        return bool(self.vnet_field) or self.slug in ("virtual-machines", "load-balancers", "taps")

    @property
    def filters(self) -> tuple[str, ...]:
        return COMMON_FILTERS + (("vnet",) if self.has_vnet else ()) + (("mirrored",) if self.mirrored_field else ())


_NAME = Column("name", "Name", "name")
_SUBSCRIPTION = Column("subscription", "Subscription", "subscription")
_REGION = Column("region", "Region", "region")
_GROUP = Column("group", "Resource group", "group")
_STATE = Column("state", "State", "state")
_SORTS = {"name": "name", "subscription": "subscription_id", "region": "location", "group": "resource_group", "state": "provisioning_state"}

KINDS: dict[str, Kind] = {
    kind.slug: kind
    for kind in (
        Kind(
            "vnets", VirtualNetwork, "VNet", "VNets", ReadKind.VIRTUAL_NETWORKS,
            (_NAME, Column("prefixes", "Address space"), Column("subnets", "Subnets", is_number=True), Column("peerings", "Peerings", is_number=True),
             Column("nics", "NICs", is_number=True), Column("mirrored", "Mirrored", is_number=True), _REGION, _SUBSCRIPTION, _STATE),
            _SORTS, vnet_field="key",
            teach="A virtual network. A TAP reaches only NICs in its own VNet and in VNets peered with it directly.",
        ),
        Kind(
            "subnets", Subnet, "Subnet", "Subnets", ReadKind.VIRTUAL_NETWORKS,
            (_NAME, Column("vnet", "VNet", "vnet"), Column("prefixes", "Address space"), Column("nics", "NICs", is_number=True),
             Column("mirrored", "Mirrored", is_number=True), Column("nsg", "Network security group"), _REGION, _SUBSCRIPTION, _STATE),
            {**_SORTS, "vnet": "virtual_network__name"}, vnet_field="virtual_network_id",
            teach="A range of addresses inside a VNet.",
        ),
        Kind(
            "nics", NetworkInterface, "NIC", "NICs", ReadKind.NETWORK_INTERFACES,
            (_NAME, Column("addresses", "Private IPs"), Column("vm", "VM"), Column("vnet", "VNet / subnet"),
             Column("mirrored", "Mirrored", "mirrored"),
             Column("mac", "MAC", "mac"), _REGION, _SUBSCRIPTION, _STATE),
            {**_SORTS, "mac": "mac_hex", "mirrored": "is_mirrored"}, vnet_field="virtual_network_key", mirrored_field="is_mirrored",
            teach="A network interface: what a TAP can mirror, once it is attached to a running VM.",
        ),
        Kind(
            "peerings", VirtualNetworkPeering, "Peering", "Peerings", ReadKind.VIRTUAL_NETWORKS,
            (_NAME, Column("vnet", "VNet", "vnet"), Column("remote", "Remote VNet"), Column("peering_state", "State", "state"),
             Column("sync_level", "In step", "sync_level"), _REGION, _SUBSCRIPTION),
            {**_SORTS, "vnet": "virtual_network__name", "state": "peering_state", "sync_level": "peering_sync_level"},
            state_field="peering_state", vnet_field="virtual_network_id",
            teach="One side of a peering between two VNets. Mirrored traffic crosses it only while both sides are Connected.",
        ),
        Kind(
            "virtual-machines", VirtualMachine, "Virtual machine", "Virtual machines", ReadKind.VIRTUAL_MACHINES,
            (_NAME, Column("power", "Power", "state"), Column("size", "Size", "size"), Column("nics", "NICs", is_number=True),
             Column("mirrored", "Mirrored", is_number=True), Column("image", "Image"), _REGION, _GROUP, _SUBSCRIPTION),
            {**_SORTS, "size": "vm_size", "state": "power_state"}, state_field="power_state",
            teach="A virtual machine; its NICs are what can be mirrored.",
        ),
        Kind(
            "load-balancers", LoadBalancer, "Load balancer", "Load balancers", ReadKind.LOAD_BALANCERS,
            (_NAME, Column("frontends", "Frontend addresses"), Column("pools", "Pools", is_number=True), Column("rules", "Rules", is_number=True),
             Column("sku", "SKU", "sku"), _REGION, _GROUP, _SUBSCRIPTION, _STATE),
            {**_SORTS, "sku": "sku"},
            teach="A load balancer. An internal one can be a TAP's destination, with several collectors behind it.",
        ),
        Kind(
            "taps", VirtualNetworkTap, "TAP", "TAPs", ReadKind.VIRTUAL_NETWORK_TAPS,
            (_NAME, Column("destination", "Destination"), Column("port", "Port", "port", is_number=True),
             Column("sources", "Sources", is_number=True),
             _REGION, _GROUP, _SUBSCRIPTION, _STATE),
            {**_SORTS, "port": "destination_port"},
            teach="A virtual network TAP: the Azure resource that names where mirrored traffic goes. NICs point at it with TAP configurations.",
        ),
        Kind(
            "tap-configurations", TapConfiguration, "TAP configuration", "TAP configurations", ReadKind.NETWORK_INTERFACES,
            (_NAME, Column("nic", "NIC", "nic"), Column("tap", "TAP"), _REGION, _SUBSCRIPTION, _STATE),
            {**_SORTS, "nic": "network_interface__name"}, vnet_field="network_interface__virtual_network_key",
            teach="A mirror: one NIC's order to send a copy of its traffic to a TAP.",
        ),
        Kind(
            "network-security-groups", NetworkSecurityGroup, "Network security group", "Network security groups", ReadKind.NETWORK_SECURITY_GROUPS,
            (_NAME, Column("rules", "Rules", is_number=True), _REGION, _GROUP, _SUBSCRIPTION, _STATE), _SORTS,
            teach="Rules that let traffic in or keep it out. A collector's must let UDP 4789 in.",
        ),
        Kind(
            "availability-sets", AvailabilitySet, "Availability set", "Availability sets", ReadKind.AVAILABILITY_SETS,
            (_NAME, Column("vms", "VMs", is_number=True), _REGION, _GROUP, _SUBSCRIPTION), _SORTS,
            teach="VMs that back each other up.",
        ),
        Kind(
            "scale-sets", ScaleSet, "Scale set", "Scale sets", ReadKind.SCALE_SETS,
            (_NAME, Column("size", "Size", "size"), Column("mode", "Orchestration"), Column("capacity", "Capacity", "capacity", is_number=True),
             _REGION, _GROUP, _SUBSCRIPTION, _STATE),
            {**_SORTS, "size": "vm_size", "capacity": "capacity"},
            teach="A group of equal VMs. Its NICs are read where a load balancer's pool names it.",
        ),
        Kind(
            "resource-groups", ResourceGroup, "Resource group", "Resource groups", ReadKind.RESOURCE_GROUPS,
            (_NAME, _REGION, _SUBSCRIPTION, _STATE), _SORTS, teach="A folder for resources.",
        ),
    )
}  # fmt: skip

SUBSCRIPTION_COLUMNS = (
    Column("name", "Name", "name"), Column("subscription_id", "Subscription id"), Column("reading", "Reading"),
    Column("vnets", "VNets", is_number=True), Column("nics", "NICs", is_number=True), Column("mirrored", "Mirrored", is_number=True),
    Column("tenant", "Tenant"), Column("state", "State", "state"),
)  # fmt: skip
# The tabs above a table, in their order; the others stand behind "More".
TABS = ("subscriptions", "vnets", "subnets", "nics", "peerings", "virtual-machines", "load-balancers", "taps", "tap-configurations")
MORE = ("network-security-groups", "availability-sets", "scale-sets", "resource-groups")
LABELS = {"subscriptions": "Subscriptions"} | {slug: kind.plural for slug, kind in KINDS.items()}
SINGULARS = {"subscriptions": "Subscription"} | {slug: kind.singular for slug, kind in KINDS.items()}
READ_KIND_WORDS = {
    ReadKind.RESOURCE_GROUPS: "resource groups",
    ReadKind.VIRTUAL_NETWORKS: "VNets, subnets and peerings",
    ReadKind.NETWORK_SECURITY_GROUPS: "network security groups",
    ReadKind.VIRTUAL_MACHINE_STATUSES: "power states of VMs",
    ReadKind.VIRTUAL_MACHINES: "virtual machines",
    ReadKind.AVAILABILITY_SETS: "availability sets",
    ReadKind.SCALE_SETS: "scale sets",
    ReadKind.LOAD_BALANCERS: "load balancers",
    ReadKind.NETWORK_INTERFACES: "NICs and TAP configurations",
    ReadKind.VIRTUAL_NETWORK_TAPS: "TAPs",
}

# The same in a word, for the heads of narrow columns.
READ_KIND_HEADS = {
    ReadKind.RESOURCE_GROUPS: "Groups",
    ReadKind.VIRTUAL_NETWORKS: "VNets",
    ReadKind.NETWORK_SECURITY_GROUPS: "NSGs",
    ReadKind.VIRTUAL_MACHINE_STATUSES: "Power",
    ReadKind.VIRTUAL_MACHINES: "VMs",
    ReadKind.AVAILABILITY_SETS: "Av. sets",
    ReadKind.SCALE_SETS: "Scale sets",
    ReadKind.LOAD_BALANCERS: "Balancers",
    ReadKind.NETWORK_INTERFACES: "NICs",
    ReadKind.VIRTUAL_NETWORK_TAPS: "TAPs",
}


def read_kind_words(kind: str) -> str:
    """What a read list holds, for people; a kind this version does not know in its own words."""
    if kind == "scale_set_network_interfaces":
        return "NICs of scale sets"
    return READ_KIND_WORDS.get(kind, kind.replace("_", " "))  # type: ignore[call-overload, no-any-return] # a str equals its StrEnum member
