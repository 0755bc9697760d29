"""ARM's JSON as it travels: one struct an object, every property of the API named. Owns the spelling of properties and nothing else.

Decoding into these classes is strict on purpose: a property that is not named here, or that has another type, makes the decoder refuse the item,
and `vtapweb.cloud.lenient` reads it instead. So a property in foreign casing is never overlooked, and a new one costs time but no data.
Properties that we only keep (in `raw`) have the type Raw, which the decoder skips. Source of the names: azure-mgmt-network 33.1.0
(api-version 2026-03-01) and, for compute and resources, the published REST specifications of the api-versions in `vtapweb.cloud.versions`.
"""

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Kept: TypeAlias = Raw | UnsetType  # in `raw` only
Number: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]  # ports, priorities, counts: what an integer column holds


def _wire_name(field: str) -> str:
    """ip_configurations → ipConfigurations, private_ip_address → privateIPAddress: ARM's casing."""
    first, *rest = field.rstrip("_").split("_")
    return first + "".join({"ip": "IP", "ipv6": "IPv6"}.get(part) or part[:1].upper() + part[1:] for part in rest)


class Wire(Struct, rename=_wire_name, forbid_unknown_fields=True, gc=False):
    """An object on the wire."""


class Ref(Wire):
    """A reference to another resource, which some answers fill with the resource itself."""

    id: str | None = None
    name: Kept = UNSET
    type: Kept = UNSET
    etag: Kept = UNSET
    location: Kept = UNSET
    resource_group: Kept = UNSET
    properties: Kept = UNSET


Refs: TypeAlias = list[Ref] | None
Texts: TypeAlias = list[str] | None


class Named(Wire):
    """What every ARM resource has."""

    id: str
    name: str | None = None
    type: Kept = UNSET
    location: str | None = None
    etag: str | None = None
    tags: dict[str, str] | None = None
    kind: Kept = UNSET
    zones: Texts = None
    extended_location: Kept = UNSET
    system_data: Kept = UNSET
    managed_by: str | None = None


class State(Wire):
    """What every `properties` has."""

    provisioning_state: str | None = None
    resource_guid: str | None = None


# Subscriptions and resource groups: Microsoft.Resources


class ManagedByTenant(Wire):
    tenant_id: str | None = None


class SubscriptionWire(Wire):
    id: str
    subscription_id: str | None = None
    tenant_id: str | None = None
    display_name: str | None = None
    state: str | None = None
    managed_by_tenants: list[ManagedByTenant] | None = None
    tags: dict[str, str] | None = None
    subscription_policies: Kept = UNSET
    authorization_source: Kept = UNSET


class ResourceGroupWire(Named):
    properties: State | None = None


# Virtual networks


class AddressSpace(Wire):
    address_prefixes: Texts = None
    ipam_pool_prefix_allocations: Kept = UNSET


class Encryption(Wire):
    enabled: bool | None = None
    enforcement: Kept = UNSET


class DelegationProperties(State):
    service_name: str | None = None
    actions: Kept = UNSET


class Delegation(Named):
    id: str | None = None  # type: ignore[assignment]  # a delegation needs none
    properties: DelegationProperties | None = None


class SubnetProperties(State):
    address_prefix: str | None = None
    address_prefixes: Texts = None
    network_security_group: Ref | None = None
    delegations: list[Delegation] | None = None
    route_table: Kept = UNSET
    nat_gateway: Kept = UNSET
    service_endpoints: Kept = UNSET
    service_endpoint_policies: Kept = UNSET
    private_endpoints: Kept = UNSET
    ip_configurations: Kept = UNSET
    ip_configuration_profiles: Kept = UNSET
    ip_allocations: Kept = UNSET
    resource_navigation_links: Kept = UNSET
    service_association_links: Kept = UNSET
    purpose: Kept = UNSET
    private_endpoint_network_policies: Kept = UNSET
    private_link_service_network_policies: Kept = UNSET
    application_gateway_ip_configurations: Kept = UNSET
    sharing_scope: Kept = UNSET
    default_outbound_access: Kept = UNSET
    ipam_pool_prefix_allocations: Kept = UNSET
    service_gateway: Kept = UNSET


class Child(Named):
    """A resource inside its parent's document; without an id its name tells it."""

    id: str | None = None  # type: ignore[assignment]


class SubnetWire(Child):
    properties: SubnetProperties | None = None


class PeeringProperties(State):
    remote_virtual_network: Ref | None = None
    peering_state: str | None = None
    peering_sync_level: str | None = None
    remote_address_space: AddressSpace | None = None
    remote_virtual_network_address_space: AddressSpace | None = None
    allow_virtual_network_access: bool | None = None
    allow_forwarded_traffic: bool | None = None
    allow_gateway_transit: bool | None = None
    use_remote_gateways: bool | None = None
    local_address_space: Kept = UNSET
    local_virtual_network_address_space: Kept = UNSET
    remote_bgp_communities: Kept = UNSET
    remote_virtual_network_encryption: Kept = UNSET
    remote_gateways: Kept = UNSET
    do_not_verify_remote_gateways: Kept = UNSET
    peer_complete_vnets: Kept = UNSET
    enable_only_ipv6_peering: Kept = UNSET
    local_subnet_names: Kept = UNSET
    remote_subnet_names: Kept = UNSET


class PeeringWire(Child):
    properties: PeeringProperties | None = None


class VirtualNetworkProperties(State):
    address_space: AddressSpace | None = None
    encryption: Encryption | None = None
    subnets: list[SubnetWire] | None = None
    virtual_network_peerings: list[PeeringWire] | None = None
    dhcp_options: Kept = UNSET
    flow_timeout_in_minutes: Kept = UNSET
    enable_ddos_protection: Kept = UNSET
    enable_vm_protection: Kept = UNSET
    ddos_protection_plan: Kept = UNSET
    bgp_communities: Kept = UNSET
    ip_allocations: Kept = UNSET
    flow_logs: Kept = UNSET
    private_endpoint_VNet_policies: Kept = UNSET  # noqa: N815 (ARM's casing)
    default_public_nat_gateway: Kept = UNSET
    summarized_gateway_prefixes: Kept = UNSET


class VirtualNetworkWire(Named):
    properties: VirtualNetworkProperties | None = None


# Network interfaces


class IpConfigurationProperties(State):
    private_ip_address: str | None = None
    private_ip_address_version: str | None = None
    private_ip_allocation_method: str | None = None
    primary: bool | None = None
    subnet: Ref | None = None
    public_ip_address: Ref | None = None
    load_balancer_backend_address_pools: Refs = None
    private_ip_address_prefix_length: Kept = UNSET
    gateway_load_balancer: Kept = UNSET
    virtual_network_taps: Kept = UNSET
    application_gateway_backend_address_pools: Kept = UNSET
    load_balancer_inbound_nat_rules: Kept = UNSET
    application_security_groups: Kept = UNSET
    private_link_connection_properties: Kept = UNSET


class IpConfigurationWire(Child):
    properties: IpConfigurationProperties | None = None


class TapConfigurationProperties(State):
    virtual_network_tap: Ref | None = None


class TapConfigurationWire(Child):
    properties: TapConfigurationProperties | None = None


class NetworkInterfaceProperties(State):
    ip_configurations: list[IpConfigurationWire] | None = None
    tap_configurations: list[TapConfigurationWire] | None = None
    mac_address: str | None = None
    primary: bool | None = None
    virtual_machine: Ref | None = None
    private_endpoint: Ref | None = None
    private_link_service: Ref | None = None
    network_security_group: Ref | None = None
    enable_accelerated_networking: bool | None = None
    enable_ip_forwarding: bool | None = None
    nic_type: str | None = None
    auxiliary_mode: str | None = None
    auxiliary_sku: str | None = None
    dns_settings: Kept = UNSET
    vnet_encryption_supported: Kept = UNSET
    default_outbound_connectivity_enabled: Kept = UNSET
    disable_tcp_state_tracking: Kept = UNSET
    hosted_workloads: Kept = UNSET
    dscp_configuration: Kept = UNSET
    workload_type: Kept = UNSET
    migration_phase: Kept = UNSET
    allow_port25_out: Kept = UNSET


class NetworkInterfaceWire(Named):
    properties: NetworkInterfaceProperties | None = None


# Taps


class TapProperties(State):
    destination_network_interface_ip_configuration: Ref | None = None
    destination_load_balancer_front_end_ip_configuration: Ref | None = None
    destination_port: Number | None = None
    network_interface_tap_configurations: Refs = None


class VirtualNetworkTapWire(Named):
    properties: TapProperties | None = None


# Security groups


class SecurityRuleProperties(State):
    priority: Number | None = None
    direction: str | None = None
    access: str | None = None
    protocol: str | None = None
    source_address_prefix: str | None = None
    source_address_prefixes: Texts = None
    destination_address_prefix: str | None = None
    destination_address_prefixes: Texts = None
    destination_port_range: str | None = None
    destination_port_ranges: Texts = None
    source_port_range: Kept = UNSET
    source_port_ranges: Kept = UNSET
    description: Kept = UNSET
    source_application_security_groups: Kept = UNSET
    destination_application_security_groups: Kept = UNSET


class SecurityRuleWire(Child):
    properties: SecurityRuleProperties | None = None


class NetworkSecurityGroupProperties(State):
    security_rules: list[SecurityRuleWire] | None = None
    default_security_rules: Kept = UNSET
    flush_connection: Kept = UNSET
    network_interfaces: Kept = UNSET
    subnets: Kept = UNSET
    flow_logs: Kept = UNSET


class NetworkSecurityGroupWire(Named):
    properties: NetworkSecurityGroupProperties | None = None


# Load balancers


class Sku(Wire):
    name: str | None = None
    tier: Kept = UNSET
    capacity: Number | None = None


class FrontendProperties(State):
    private_ip_address: str | None = None
    private_ip_address_version: str | None = None
    subnet: Ref | None = None
    public_ip_address: Ref | None = None
    private_ip_allocation_method: Kept = UNSET
    inbound_nat_rules: Kept = UNSET
    inbound_nat_pools: Kept = UNSET
    outbound_rules: Kept = UNSET
    load_balancing_rules: Kept = UNSET
    public_ip_prefix: Kept = UNSET
    gateway_load_balancer: Kept = UNSET
    ddos_settings: Kept = UNSET
    enable_connection_tracking: Kept = UNSET


class FrontendWire(Child):
    properties: FrontendProperties | None = None


class BackendAddressProperties(Wire):
    ip_address: str | None = None
    network_interface_ip_configuration: Ref | None = None
    virtual_network: Kept = UNSET
    subnet: Kept = UNSET
    load_balancer_frontend_ip_configuration: Kept = UNSET
    inbound_nat_rules_port_mapping: Kept = UNSET
    admin_state: Kept = UNSET


class BackendAddress(Wire):
    name: str | None = None
    properties: BackendAddressProperties | None = None


class PoolProperties(State):
    backend_ip_configurations: Refs = None
    load_balancer_backend_addresses: list[BackendAddress] | None = None
    location: Kept = UNSET
    tunnel_interfaces: Kept = UNSET
    load_balancing_rules: Kept = UNSET
    outbound_rule: Kept = UNSET
    outbound_rules: Kept = UNSET
    inbound_nat_rules: Kept = UNSET
    drain_period_in_seconds: Kept = UNSET
    virtual_network: Kept = UNSET
    sync_mode: Kept = UNSET


class PoolWire(Child):
    properties: PoolProperties | None = None


class LoadBalancingRuleProperties(State):
    protocol: str | None = None
    frontend_port: Number | None = None
    backend_port: Number | None = None
    enable_floating_ip: bool | None = None
    frontend_ip_configuration: Ref | None = None
    backend_address_pool: Ref | None = None
    backend_address_pools: Refs = None
    probe: Kept = UNSET
    load_distribution: Kept = UNSET
    idle_timeout_in_minutes: Kept = UNSET
    enable_tcp_reset: Kept = UNSET
    disable_outbound_snat: Kept = UNSET
    allow_backend_port_conflict: Kept = UNSET
    enable_connection_tracking: Kept = UNSET


class LoadBalancingRuleWire(Child):
    properties: LoadBalancingRuleProperties | None = None


class LoadBalancerProperties(State):
    frontend_ip_configurations: list[FrontendWire] | None = None
    backend_address_pools: list[PoolWire] | None = None
    load_balancing_rules: list[LoadBalancingRuleWire] | None = None
    probes: Kept = UNSET
    inbound_nat_rules: Kept = UNSET
    inbound_nat_pools: Kept = UNSET
    outbound_rules: Kept = UNSET
    scope: Kept = UNSET
    mode: Kept = UNSET


class LoadBalancerWire(Named):
    sku: Sku | None = None
    properties: LoadBalancerProperties | None = None


# Compute


class HardwareProfile(Wire):
    vm_size: str | None = None
    vm_size_properties: Kept = UNSET


class ImageReference(Wire):
    publisher: str | None = None
    offer: str | None = None
    sku: str | None = None
    id: str | None = None
    version: Kept = UNSET
    exact_version: Kept = UNSET
    shared_gallery_image_id: str | None = None
    community_gallery_image_id: str | None = None


class OsDisk(Wire):
    os_type: str | None = None
    name: Kept = UNSET
    vhd: Kept = UNSET
    image: Kept = UNSET
    caching: Kept = UNSET
    create_option: Kept = UNSET
    disk_size_GB: Kept = UNSET  # noqa: N815 (ARM's casing)
    managed_disk: Kept = UNSET
    delete_option: Kept = UNSET
    diff_disk_settings: Kept = UNSET
    encryption_settings: Kept = UNSET
    write_accelerator_enabled: Kept = UNSET


class StorageProfile(Wire):
    image_reference: ImageReference | None = None
    os_disk: OsDisk | None = None
    data_disks: Kept = UNSET
    disk_controller_type: Kept = UNSET


class NetworkProfile(Wire):
    network_interfaces: list["NetworkInterfaceRef"] | None = None
    network_interface_configurations: Kept = UNSET
    network_api_version: Kept = UNSET


class NetworkInterfaceRef(Wire):
    id: str | None = None
    properties: Kept = UNSET
    primary: Kept = UNSET


class Plan(Wire):
    publisher: str | None = None
    product: str | None = None
    name: str | None = None
    promotion_code: Kept = UNSET


class InstanceStatus(Wire):
    code: str | None = None
    level: Kept = UNSET
    display_status: Kept = UNSET
    message: Kept = UNSET
    time: Kept = UNSET


class InstanceView(Wire):
    statuses: list[InstanceStatus] | None = None
    vm_agent: Kept = UNSET
    computer_name: Kept = UNSET
    os_name: Kept = UNSET
    os_version: Kept = UNSET
    hyper_vgeneration: Kept = UNSET
    hyper_v_generation: Kept = UNSET
    disks: Kept = UNSET
    extensions: Kept = UNSET
    vm_health: Kept = UNSET
    boot_diagnostics: Kept = UNSET
    assigned_host: Kept = UNSET
    maintenance_redeploy_status: Kept = UNSET
    rdp_thumb_print: Kept = UNSET
    platform_update_domain: Kept = UNSET
    platform_fault_domain: Kept = UNSET
    patch_status: Kept = UNSET


class VirtualMachineProperties(State):
    hardware_profile: HardwareProfile | None = None
    storage_profile: StorageProfile | None = None
    network_profile: NetworkProfile | None = None
    availability_set: Ref | None = None
    virtual_machine_scale_set: Ref | None = None
    instance_view: InstanceView | None = None
    vm_id: Kept = UNSET
    os_profile: Kept = UNSET
    diagnostics_profile: Kept = UNSET
    license_type: Kept = UNSET
    priority: Kept = UNSET
    eviction_policy: Kept = UNSET
    billing_profile: Kept = UNSET
    host: Kept = UNSET
    host_group: Kept = UNSET
    proximity_placement_group: Kept = UNSET
    security_profile: Kept = UNSET
    additional_capabilities: Kept = UNSET
    extensions_time_budget: Kept = UNSET
    platform_fault_domain: Kept = UNSET
    scheduled_events_profile: Kept = UNSET
    user_data: Kept = UNSET
    capacity_reservation: Kept = UNSET
    application_profile: Kept = UNSET
    time_created: Kept = UNSET


class VirtualMachineWire(Named):
    properties: VirtualMachineProperties | None = None
    plan: Plan | None = None
    identity: Kept = UNSET
    resources: Kept = UNSET


class AvailabilitySetProperties(State):
    virtual_machines: Refs = None
    platform_fault_domain_count: Kept = UNSET
    platform_update_domain_count: Kept = UNSET
    proximity_placement_group: Kept = UNSET
    statuses: Kept = UNSET


class AvailabilitySetWire(Named):
    sku: Sku | None = None
    properties: AvailabilitySetProperties | None = None


class ScaleSetProperties(State):
    orchestration_mode: str | None = None
    upgrade_policy: Kept = UNSET
    virtual_machine_profile: Kept = UNSET
    overprovision: Kept = UNSET
    unique_id: Kept = UNSET
    single_placement_group: Kept = UNSET
    zone_balance: Kept = UNSET
    platform_fault_domain_count: Kept = UNSET
    proximity_placement_group: Kept = UNSET
    scale_in_policy: Kept = UNSET
    automatic_repairs_policy: Kept = UNSET
    do_not_run_extensions_on_overprovisioned_VMs: Kept = UNSET  # noqa: N815 (ARM's casing)
    host_group: Kept = UNSET
    additional_capabilities: Kept = UNSET
    time_created: Kept = UNSET


class ScaleSetWire(Named):
    sku: Sku | None = None
    plan: Kept = UNSET
    identity: Kept = UNSET
    properties: ScaleSetProperties | None = None


class Envelope(Wire):
    """A page of any list."""

    value: list[Raw]
    next_link: str | None = None


class ErrorBody(Struct, gc=False):
    code: str | None = None
    message: str | None = None


class ErrorEnvelope(Struct, gc=False):
    error: ErrorBody


# What stands beside resources: permissions, locks, features, operations, metrics


class PermissionWire(Wire):
    actions: Texts = None
    not_actions: Texts = None
    data_actions: Kept = UNSET
    not_data_actions: Kept = UNSET


class LockProperties(Wire):
    level: str | None = None
    notes: str | None = None
    owners: Kept = UNSET


class LockWire(Named):
    properties: LockProperties | None = None


class FeatureProperties(Wire):
    state: str | None = None


class FeatureWire(Named):
    properties: FeatureProperties | None = None


class ErrorWire(Wire):
    code: str | None = None
    message: str | None = None
    target: Kept = UNSET
    details: Kept = UNSET
    additional_info: Kept = UNSET


class StatusWire(Wire):
    """What an operation's URL answers, or the resource itself where it is asked instead."""

    status: str | None = None
    error: ErrorWire | None = None
    properties: State | None = None
