"""From Azure's types to rows: one `Document` plan a list, with the children that stand inside its documents.

Knows neither SQL nor runs. A row is a tuple in the order of its table's `columns`; JSON stands in it as text; `first_seen_at`,
`last_seen_at` and `removed_at` are the writer's business. Raise MAPPING_VERSION when a row would look different for the same JSON:
every digest changes with it, so that the next sync writes every row anew.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec

from vtapweb.cloud import types as azure
from vtapweb.cloud.port import ReadKind
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory import models
from vtapweb.inventory.models import ResourceKind

MAPPING_VERSION: Final = b"1"
SCALE_SET_NETWORK_INTERFACES: Final = "scale_set_network_interfaces"
SCALE_SET_SEGMENT: Final = "/virtualmachinescalesets/"

Row = tuple[Any, ...]

COMMON: Final = ("key", "arm_id", "name", "subscription_id", "resource_group", "location", "provisioning_state", "etag", "tags")
STORED_ALONE: Final = ("digest", "raw")
# What a person is not told of as a change: it follows from other fields, or says nothing.
SILENT: Final = frozenset(
    {"key", "etag", "digest", "raw", "subscription_id", "resource_group", "tap_configuration_ids", "virtual_machine_ids", "is_mirrored"}
)


@dataclass(frozen=True)
class Table:
    """One table of resources: its model, its kind, the columns a sync writes, which of them hold JSON."""

    model: type[models.Resource]
    kind: ResourceKind
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        fields = {field.attname: field for field in self.model._meta.concrete_fields}
        json_columns = frozenset(name for name in self.columns if fields[name].get_internal_type() == "JSONField")
        object.__setattr__(self, "json_columns", json_columns)
        told = tuple(
            (index, name, name in json_columns)
            for index, name in enumerate(self.columns)
            if name not in SILENT and not name.endswith(("_key", "_hex")) and name not in self._parent_columns()
        )
        object.__setattr__(self, "told_columns", told)

    json_columns: frozenset[str] = frozenset()
    told_columns: tuple[tuple[int, str, bool], ...] = ()  # index in the row, name, whether JSON: what a diff looks at

    def _parent_columns(self) -> set[str]:
        return {field.attname for field in self.model._meta.concrete_fields if field.is_relation}


@dataclass(frozen=True)
class Child:
    """Rows that stand inside a document: `items` finds them, `row` makes one; `parent_column` is its foreign key."""

    table: Table
    parent_column: str
    items: Callable[[Any], Sequence[Any]]
    row: Callable[[Any, str, Any, Row], Row]  # the item, its ARM id, its document, its document's row


@dataclass(frozen=True)
class Document:
    """How one list's items become rows. `joined` is what else their digest covers."""

    table: Table
    row: Callable[[Any, str, str], Row]  # the item, its subscription, what was joined to it
    children: tuple[Child, ...] = ()


def digest(raw: bytes, joined: str = "") -> bytes:
    """16 bytes that change when the document, what was joined to it, or our mapping does."""
    state = blake2b(raw, digest_size=16, person=MAPPING_VERSION)
    if joined:
        state.update(b"\0" + joined.encode("utf-8", "replace"))
    return state.digest()


def key_of(arm_id: str) -> str:
    return arm_key(arm_id) if arm_id else ""


def json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode() if value else ("{}" if isinstance(value, dict) else "[]")


def ip_hex(address: str) -> str:
    """ "4" + 8 or "6" + 32 hex digits, so that a prefix is a range of texts; "" when it is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return f"{parsed.version}{parsed.packed.hex()}"


def mac_hex(address: str) -> str:
    """Twelve lower-case hex digits, "" when it is no MAC address."""
    digits = address.replace("-", "").replace(":", "").replace(".", "").lower()
    return digits if len(digits) == 12 and all(one in "0123456789abcdef" for one in digits) else ""


def group_of(arm_id: str) -> str:
    """The resource group in an ARM id as spelled there, "" when it has none."""
    parts = arm_id.split("/", 5)
    return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""


def parent_of(arm_id: str) -> str:
    """The id one level up, "" for none: a subnet's VNet."""
    return arm_id.rstrip("/").rsplit("/", 2)[0] if arm_id.count("/") > 9 else ""


def scale_set_of(arm_id: str) -> str:
    """The id of the scale set that a member's id stands under, "" when it stands under none."""
    at = arm_id.lower().find(SCALE_SET_SEGMENT)
    if at < 0:
        return ""
    end = arm_id.find("/", at + len(SCALE_SET_SEGMENT))
    return arm_id if end < 0 else arm_id[:end]


def _common(item: azure.Resource, subscription_id: str) -> Row:
    arm_id = item.arm_id
    return (
        arm_key(arm_id),
        arm_id,
        item.name,
        subscription_id,
        group_of(arm_id),
        item.location,
        item.provisioning_state,
        item.etag,
        json_text(item.tags),
    )


def _child_common(item: azure.Resource, arm_id: str, parent: Row) -> Row:
    # subscription, group and location are the document's
    return (arm_key(arm_id), arm_id, item.name, parent[3], parent[4], parent[5], item.provisioning_state, item.etag, json_text(item.tags), parent[0])


def _resource_group(item: azure.ResourceGroup, subscription_id: str, joined: str) -> Row:
    return (*_common(item, subscription_id), item.managed_by, digest(item.raw, joined), item.raw)


def _virtual_network(item: azure.VirtualNetwork, subscription_id: str, joined: str) -> Row:
    own = (json_text(item.address_prefixes), item.is_encryption_enabled)
    return (*_common(item, subscription_id), *own, digest(item.raw, joined), item.raw)


def _subnet(item: azure.Subnet, arm_id: str, _document: azure.VirtualNetwork, parent: Row) -> Row:
    return (
        *_child_common(item, arm_id, parent),
        json_text(item.address_prefixes),
        item.network_security_group_id,
        key_of(item.network_security_group_id),
        json_text(item.delegations),
    )


def _peering(item: azure.VirtualNetworkPeering, arm_id: str, _document: azure.VirtualNetwork, parent: Row) -> Row:
    return (
        *_child_common(item, arm_id, parent),
        item.remote_virtual_network_id,
        key_of(item.remote_virtual_network_id),
        item.peering_state,
        item.peering_sync_level,
        json_text(item.remote_address_prefixes),
        item.allow_virtual_network_access,
        item.allow_forwarded_traffic,
        item.allow_gateway_transit,
        item.use_remote_gateways,
    )


def _network_security_group(item: azure.NetworkSecurityGroup, subscription_id: str, joined: str) -> Row:
    return (*_common(item, subscription_id), json_text(item.security_rules), digest(item.raw, joined), item.raw)


def _availability_set(item: azure.AvailabilitySet, subscription_id: str, joined: str) -> Row:
    return (*_common(item, subscription_id), json_text(item.virtual_machine_ids), digest(item.raw, joined), item.raw)


def _scale_set(item: azure.ScaleSet, subscription_id: str, joined: str) -> Row:
    return (*_common(item, subscription_id), item.vm_size, item.orchestration_mode, item.capacity, digest(item.raw, joined), item.raw)


def _virtual_machine(item: azure.VirtualMachine, subscription_id: str, joined: str) -> Row:
    return (
        *_common(item, subscription_id),
        item.vm_size,
        json_text(item.zones),
        joined,
        item.availability_set_id,
        key_of(item.availability_set_id),
        item.scale_set_id,
        key_of(item.scale_set_id),
        item.image_publisher,
        item.image_offer,
        item.image_sku,
        item.image_id,
        item.plan_publisher,
        item.plan_product,
        item.plan_name,
        item.os_type,
        json_text(item.network_interface_ids),
        digest(item.raw, joined),
        item.raw,
    )


def _load_balancer(item: azure.LoadBalancer, subscription_id: str, joined: str) -> Row:
    return (*_common(item, subscription_id), item.sku, digest(item.raw, joined), item.raw)


def _frontend(item: azure.FrontendIpConfiguration, arm_id: str, _document: azure.LoadBalancer, parent: Row) -> Row:
    return (
        *_child_common(item, arm_id, parent),
        item.private_ip_address,
        item.private_ip_address_version,
        ip_hex(item.private_ip_address),
        item.subnet_id,
        key_of(item.subnet_id),
        item.public_ip_address_id,
    )


def _backend_pool(item: azure.BackendAddressPool, arm_id: str, _document: azure.LoadBalancer, parent: Row) -> Row:
    return (*_child_common(item, arm_id, parent), json_text(item.ip_configuration_ids), json_text(item.backend_addresses))


def _rule(item: azure.LoadBalancingRule, arm_id: str, _document: azure.LoadBalancer, parent: Row) -> Row:
    return (
        *_child_common(item, arm_id, parent),
        item.protocol,
        item.frontend_port,
        item.backend_port,
        item.is_floating_ip_enabled,
        item.frontend_id,
        key_of(item.frontend_id),
        json_text(item.backend_pool_ids),
    )


def _network_interface(item: azure.NetworkInterface, subscription_id: str, joined: str) -> Row:
    scale_set_id = item.scale_set_id or scale_set_of(item.arm_id) if SCALE_SET_SEGMENT in item.arm_id.lower() else ""
    primary = next((one for one in item.ip_configurations if one.is_primary), None) or next(iter(item.ip_configurations), None)
    subnet_id = primary.subnet_id if primary else ""
    network_id = parent_of(subnet_id)
    tap_ids = [one.virtual_network_tap_id for one in item.tap_configurations if one.virtual_network_tap_id]
    return (
        *_common(item, subscription_id),
        item.mac_address,
        mac_hex(item.mac_address),
        item.is_primary,
        item.virtual_machine_id,
        key_of(item.virtual_machine_id),
        item.private_endpoint_id,
        item.private_link_service_id,
        item.network_security_group_id,
        key_of(item.network_security_group_id),
        item.is_accelerated_networking_enabled,
        item.is_ip_forwarding_enabled,
        item.nic_type,
        item.auxiliary_mode,
        item.auxiliary_sku,
        scale_set_id,
        key_of(scale_set_id),
        subnet_id,
        key_of(subnet_id),
        network_id,
        key_of(network_id),
        json_text([one.private_ip_address for one in item.ip_configurations if one.private_ip_address]),
        json_text(tap_ids),
        bool(item.tap_configurations),
        digest(item.raw, joined),
        item.raw,
    )


def _ip_configuration(item: azure.IpConfiguration, arm_id: str, _document: azure.NetworkInterface, parent: Row) -> Row:
    return (
        *_child_common(item, arm_id, parent),
        item.private_ip_address,
        item.private_ip_address_version,
        ip_hex(item.private_ip_address),
        item.private_ip_allocation_method,
        item.is_primary,
        item.subnet_id,
        key_of(item.subnet_id),
        item.public_ip_address_id,
        json_text(item.backend_address_pool_ids),
    )


def _tap_configuration(item: azure.TapConfiguration, arm_id: str, _document: azure.NetworkInterface, parent: Row) -> Row:
    return (*_child_common(item, arm_id, parent), item.virtual_network_tap_id, key_of(item.virtual_network_tap_id))


def _virtual_network_tap(item: azure.VirtualNetworkTap, subscription_id: str, joined: str) -> Row:
    return (
        *_common(item, subscription_id),
        item.destination_ip_configuration_id,
        key_of(item.destination_ip_configuration_id),
        item.destination_frontend_id,
        key_of(item.destination_frontend_id),
        item.destination_port,
        item.resource_guid,
        json_text(item.tap_configuration_ids),
        digest(item.raw, joined),
        item.raw,
    )


def _table(model: type[models.Resource], kind: ResourceKind) -> Table:
    """The columns in the model's own order: the common ones, a child's foreign key, its own, then digest and raw."""
    own = [field.attname for field in model._meta.concrete_fields]
    times = {"first_seen_at", "last_seen_at", "removed_at"}
    middle = [name for name in own if name not in COMMON and name not in STORED_ALONE and name not in times]
    return Table(model, kind, (*COMMON, *middle, *(name for name in STORED_ALONE if name in own)))


RESOURCE_GROUPS = _table(models.ResourceGroup, ResourceKind.RESOURCE_GROUP)
VIRTUAL_NETWORKS = _table(models.VirtualNetwork, ResourceKind.VIRTUAL_NETWORK)
SUBNETS = _table(models.Subnet, ResourceKind.SUBNET)
PEERINGS = _table(models.VirtualNetworkPeering, ResourceKind.PEERING)
NETWORK_SECURITY_GROUPS = _table(models.NetworkSecurityGroup, ResourceKind.NETWORK_SECURITY_GROUP)
AVAILABILITY_SETS = _table(models.AvailabilitySet, ResourceKind.AVAILABILITY_SET)
SCALE_SETS = _table(models.ScaleSet, ResourceKind.SCALE_SET)
VIRTUAL_MACHINES = _table(models.VirtualMachine, ResourceKind.VIRTUAL_MACHINE)
LOAD_BALANCERS = _table(models.LoadBalancer, ResourceKind.LOAD_BALANCER)
FRONTENDS = _table(models.FrontendIpConfiguration, ResourceKind.FRONTEND)
BACKEND_POOLS = _table(models.BackendAddressPool, ResourceKind.BACKEND_POOL)
LOAD_BALANCING_RULES = _table(models.LoadBalancingRule, ResourceKind.LOAD_BALANCING_RULE)
NETWORK_INTERFACES = _table(models.NetworkInterface, ResourceKind.NETWORK_INTERFACE)
IP_CONFIGURATIONS = _table(models.IpConfiguration, ResourceKind.IP_CONFIGURATION)
TAP_CONFIGURATIONS = _table(models.TapConfiguration, ResourceKind.TAP_CONFIGURATION)
TAPS = _table(models.VirtualNetworkTap, ResourceKind.TAP)

_NIC = Document(
    NETWORK_INTERFACES,
    _network_interface,
    (
        Child(IP_CONFIGURATIONS, "network_interface_id", lambda nic: nic.ip_configurations, _ip_configuration),
        Child(TAP_CONFIGURATIONS, "network_interface_id", lambda nic: nic.tap_configurations, _tap_configuration),
    ),
)

# Every list that becomes rows. VIRTUAL_MACHINE_STATUSES is joined to the VMs and has no rows of its own.
DOCUMENTS: Final[dict[str, Document]] = {
    ReadKind.RESOURCE_GROUPS: Document(RESOURCE_GROUPS, _resource_group),
    ReadKind.VIRTUAL_NETWORKS: Document(
        VIRTUAL_NETWORKS,
        _virtual_network,
        (
            Child(SUBNETS, "virtual_network_id", lambda vnet: vnet.subnets, _subnet),
            Child(PEERINGS, "virtual_network_id", lambda vnet: vnet.peerings, _peering),
        ),
    ),
    ReadKind.NETWORK_SECURITY_GROUPS: Document(NETWORK_SECURITY_GROUPS, _network_security_group),
    ReadKind.VIRTUAL_MACHINES: Document(VIRTUAL_MACHINES, _virtual_machine),
    ReadKind.AVAILABILITY_SETS: Document(AVAILABILITY_SETS, _availability_set),
    ReadKind.SCALE_SETS: Document(SCALE_SETS, _scale_set),
    ReadKind.LOAD_BALANCERS: Document(
        LOAD_BALANCERS,
        _load_balancer,
        (
            Child(FRONTENDS, "load_balancer_id", lambda lb: lb.frontends, _frontend),
            Child(BACKEND_POOLS, "load_balancer_id", lambda lb: lb.backend_pools, _backend_pool),
            Child(LOAD_BALANCING_RULES, "load_balancer_id", lambda lb: lb.rules, _rule),
        ),
    ),
    ReadKind.NETWORK_INTERFACES: _NIC,
    ReadKind.VIRTUAL_NETWORK_TAPS: Document(TAPS, _virtual_network_tap),
    SCALE_SET_NETWORK_INTERFACES: _NIC,
}
