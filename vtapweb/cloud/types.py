"""What Azure's answers are to us: frozen values, one class a resource type, named with Azure's words.

Rule 1: an ARM id is kept as Azure spelled it; `vtapweb.domain.arm_id.arm_key` compares. Rule 2: None means "Azure did not say", never zero
or false. Rule 3: a state we do not know stays the text it came as. Rule 4: nothing is lost: `raw` holds the resource's own JSON.
"""

from typing import Generic, Literal, NewType, TypeVar

import msgspec

T = TypeVar("T")


class Resource(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every ARM resource has. `raw` is the exact JSON the server sent for it ("" for a child that stands inside its parent's)."""

    arm_id: str
    name: str
    location: str = ""  # normalised: lower-case, no spaces
    etag: str = ""
    provisioning_state: str = ""
    tags: dict[str, str] = {}
    raw: bytes = b""


class Subscription(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    subscription_id: str  # lower-case
    arm_id: str
    display_name: str
    tenant_id: str  # lower-case, "" when the server does not say
    state: str
    managed_by_tenants: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    raw: bytes = b""


class ResourceGroup(Resource, frozen=True, gc=False, kw_only=True):
    managed_by: str = ""


class Subnet(Resource, frozen=True, gc=False, kw_only=True):
    address_prefixes: tuple[str, ...] = ()
    network_security_group_id: str = ""
    delegations: tuple[str, ...] = ()


class VirtualNetworkPeering(Resource, frozen=True, gc=False, kw_only=True):
    """One side of a peering, as the VNet that holds it tells it."""

    remote_virtual_network_id: str = ""
    peering_state: str = ""  # Initiated | Connected | Disconnected, or what came
    peering_sync_level: str = ""
    remote_address_prefixes: tuple[str, ...] = ()
    allow_virtual_network_access: bool | None = None
    allow_forwarded_traffic: bool | None = None
    allow_gateway_transit: bool | None = None
    use_remote_gateways: bool | None = None


class VirtualNetwork(Resource, frozen=True, gc=False, kw_only=True):
    address_prefixes: tuple[str, ...] = ()
    is_encryption_enabled: bool | None = None
    subnets: tuple[Subnet, ...] = ()
    peerings: tuple[VirtualNetworkPeering, ...] = ()


class IpConfiguration(Resource, frozen=True, gc=False, kw_only=True):
    private_ip_address: str = ""
    private_ip_address_version: str = ""  # IPv4 | IPv6
    private_ip_allocation_method: str = ""
    is_primary: bool | None = None
    subnet_id: str = ""
    public_ip_address_id: str = ""
    backend_address_pool_ids: tuple[str, ...] = ()


class TapConfiguration(Resource, frozen=True, gc=False, kw_only=True):
    virtual_network_tap_id: str = ""


class NetworkInterface(Resource, frozen=True, gc=False, kw_only=True):
    mac_address: str = ""  # as sent, 00-0D-3A-…
    is_primary: bool | None = None
    virtual_machine_id: str = ""
    private_endpoint_id: str = ""
    private_link_service_id: str = ""
    network_security_group_id: str = ""
    is_accelerated_networking_enabled: bool | None = None
    is_ip_forwarding_enabled: bool | None = None
    nic_type: str = ""
    auxiliary_mode: str = ""
    auxiliary_sku: str = ""
    scale_set_id: str = ""  # where the NIC belongs to a uniform scale set's member
    ip_configurations: tuple[IpConfiguration, ...] = ()
    tap_configurations: tuple[TapConfiguration, ...] = ()


class VirtualMachine(Resource, frozen=True, gc=False, kw_only=True):
    vm_size: str = ""
    zones: tuple[str, ...] = ()
    availability_set_id: str = ""
    scale_set_id: str = ""
    image_publisher: str = ""
    image_offer: str = ""
    image_sku: str = ""
    image_id: str = ""
    plan_publisher: str = ""
    plan_product: str = ""
    plan_name: str = ""
    os_type: str = ""
    network_interface_ids: tuple[str, ...] = ()


class VirtualMachineStatus(Resource, frozen=True, gc=False, kw_only=True):
    """From the list with statusOnly=true, joined to its VM by arm_id. `power_state` is the part behind "PowerState/", "" when not told."""

    power_state: str = ""


class SecurityRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    name: str
    priority: int | None = None
    direction: str = ""
    access: str = ""
    protocol: str = ""
    source_prefixes: tuple[str, ...] = ()
    destination_prefixes: tuple[str, ...] = ()
    destination_port_ranges: tuple[str, ...] = ()


class NetworkSecurityGroup(Resource, frozen=True, gc=False, kw_only=True):
    security_rules: tuple[SecurityRule, ...] = ()


class AvailabilitySet(Resource, frozen=True, gc=False, kw_only=True):
    virtual_machine_ids: tuple[str, ...] = ()


class FrontendIpConfiguration(Resource, frozen=True, gc=False, kw_only=True):
    private_ip_address: str = ""
    private_ip_address_version: str = ""
    subnet_id: str = ""
    public_ip_address_id: str = ""


class BackendAddressPool(Resource, frozen=True, gc=False, kw_only=True):
    ip_configuration_ids: tuple[str, ...] = ()  # the members' ipConfigurations
    backend_addresses: tuple[str, ...] = ()  # pools defined by address


class LoadBalancingRule(Resource, frozen=True, gc=False, kw_only=True):
    protocol: str = ""  # Udp | Tcp | All
    frontend_port: int | None = None
    backend_port: int | None = None
    is_floating_ip_enabled: bool | None = None
    frontend_id: str = ""
    backend_pool_ids: tuple[str, ...] = ()


class LoadBalancer(Resource, frozen=True, gc=False, kw_only=True):
    sku: str = ""
    frontends: tuple[FrontendIpConfiguration, ...] = ()
    backend_pools: tuple[BackendAddressPool, ...] = ()
    rules: tuple[LoadBalancingRule, ...] = ()


class ScaleSet(Resource, frozen=True, gc=False, kw_only=True):
    vm_size: str = ""
    orchestration_mode: str = ""
    capacity: int | None = None


class VirtualNetworkTap(Resource, frozen=True, gc=False, kw_only=True):
    destination_ip_configuration_id: str = ""  # a NIC's ipConfiguration …
    destination_frontend_id: str = ""  # … or an internal load balancer's frontend; exactly one by Azure's rule
    destination_port: int | None = None
    resource_guid: str = ""
    tap_configuration_ids: tuple[str, ...] = ()


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are to Azure, as far as the token tells. Never holds the token."""

    cloud: str
    endpoint: str
    name: str = ""  # app or user name, "" when the token does not say
    object_id: str = ""
    tenant_id: str = ""
    principal_type: str = ""  # ServicePrincipal | User, "" when the token does not say
    expires_at_unix_s: float | None = None


class NotUnderstood(msgspec.Struct, frozen=True, kw_only=True):
    """An item the server sent that could not be read: counted, kept and shown, never dropped."""

    arm_id: str  # "" when it has none
    reason: str
    raw: bytes


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list. Always `sent_count == len(items) + len(not_understood)`.

    An item that an earlier page of the same list already held (a list that moves while it is read) is counted in `repeated_count` alone.
    """

    items: tuple[T, ...]
    not_understood: tuple[NotUnderstood, ...] = ()
    sent_count: int
    repeated_count: int = 0


Operation = NewType("Operation", str)  # our own continuation token, see `vtapweb.cloud.operation`: text of any length for a database column


class WriteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the server said to a write that it took. Whether it did what we wanted is only known from a re-read."""

    status: int
    state: Literal["done", "running"]
    operation: Operation | None = None  # what to poll; there whenever `state` is "running"
    body: bytes = b""
    correlation_id: str = ""
    retry_after_s: float | None = None


class PollAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far a write is. "lost": the server no longer knows the operation, so only a re-read of the resource tells.

    `code` and `message` are the server's own words where it sent any. `operation` is what to poll next: mostly the one that was asked for.
    """

    state: Literal["running", "succeeded", "failed", "cancelled", "lost"]
    operation: Operation
    code: str = ""
    message: str = ""
    correlation_id: str = ""
    retry_after_s: float | None = None


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a scope's permissions: an action is allowed when an entry's `actions` match it and the same entry's `not_actions` do not."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A management lock. It holds for `scope_id` and everything below."""

    scope_id: str  # a subscription's, resource group's or resource's id, as Azure spelled it
    level: str  # CanNotDelete | ReadOnly, or what came
    name: str
    notes: str = ""


class MetricSeries(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of one metric of one resource. A bucket without data has the total None, which is not zero."""

    resource_id: str
    name: str  # BytesReceivedRate, … in the metric's unit a bucket, whatever the name says
    totals: tuple[tuple[float, float | None], ...] = ()  # (begin of the bucket in seconds since 1970, total), oldest first
    dimension: str = ""  # the value of the dimension that the question was split by
