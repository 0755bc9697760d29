"""Rows with honest defaults: what a healthy sync would have stored. Each takes overrides by field name; soft keys follow their ids."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.models import (
    BackendAddressPool,
    FrontendIpConfiguration,
    IpConfiguration,
    KindState,
    LoadBalancer,
    LoadBalancingRule,
    NetworkInterface,
    NetworkSecurityGroup,
    Resource,
    Subnet,
    Subscription,
    SubscriptionSync,
    SyncRun,
    TapConfiguration,
    Tenant,
    VirtualMachine,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TENANT = "7a000000-0000-0000-0000-000000000001"
SUBSCRIPTION = "5a000000-0000-0000-0000-000000000001"

R = TypeVar("R", bound=Resource)


def arm_id(kind: str, name: str, *, subscription_id: str = SUBSCRIPTION, group: str = "rg-net", provider: str = "Microsoft.Network") -> str:
    """An ARM id; `kind` may hold several segments: arm_id("virtualNetworks/hub/subnets", "apps")."""
    return f"/subscriptions/{subscription_id}/resourceGroups/{group}/providers/{provider}/{kind}/{name}"


def make_subscription(subscription_id: str = SUBSCRIPTION, *, name: str = "corp-net", tenant_id: str = TENANT, **given: Any) -> Subscription:
    tenant, _ = Tenant.objects.get_or_create(tenant_id=tenant_id, defaults={"first_seen_at": NOW})
    values = {
        "key": arm_key(f"/subscriptions/{subscription_id}"),
        "arm_id": f"/subscriptions/{subscription_id}",
        "name": name,
        "tenant": tenant,
        "state": "Enabled",
        "first_seen_at": NOW,
        "last_listed_at": NOW,
    }
    row, _ = Subscription.objects.get_or_create(subscription_id=subscription_id, defaults={**values, **given})
    return row


def make_vnet(
    name: str = "hub", *, subscription_id: str = SUBSCRIPTION, prefixes: tuple[str, ...] = ("10.0.0.0/16",), **given: Any
) -> VirtualNetwork:
    vnet_id = arm_id("virtualNetworks", name, subscription_id=subscription_id)
    return _make(VirtualNetwork, vnet_id, address_prefixes=list(prefixes), **given)


def make_subnet(name: str = "apps", *, vnet: VirtualNetwork | None = None, prefixes: tuple[str, ...] = ("10.0.1.0/24",), **given: Any) -> Subnet:
    vnet = vnet or make_vnet()
    return _make(Subnet, f"{vnet.arm_id}/subnets/{name}", address_prefixes=list(prefixes), virtual_network=vnet, location=vnet.location, **given)


def make_peering(name: str, *, vnet: VirtualNetwork, remote_id: str, state: str = "Connected", **given: Any) -> VirtualNetworkPeering:
    values = {"peering_state": state, "peering_sync_level": "FullyInSync", "allow_virtual_network_access": True, **given}
    return _make(
        VirtualNetworkPeering,
        f"{vnet.arm_id}/virtualNetworkPeerings/{name}",
        virtual_network=vnet,
        location=vnet.location,
        remote_virtual_network_id=remote_id,
        **values,
    )


def make_vm(name: str = "web-01", *, subscription_id: str = SUBSCRIPTION, **given: Any) -> VirtualMachine:
    vm_id = arm_id("virtualMachines", name, subscription_id=subscription_id, provider="Microsoft.Compute")
    return _make(VirtualMachine, vm_id, **{"vm_size": "Standard_D4s_v5", "power_state": "running", "os_type": "Linux", **given})


def make_nsg(name: str = "nsg-apps", *, subscription_id: str = SUBSCRIPTION, **given: Any) -> NetworkSecurityGroup:
    return _make(NetworkSecurityGroup, arm_id("networkSecurityGroups", name, subscription_id=subscription_id), **given)


def make_nic(
    name: str = "web-01-nic",
    *,
    subnet: Subnet | None = None,
    vm: VirtualMachine | str | None = "",
    address: str = "10.0.1.4",
    mac: str = "00-0D-3A-00-00-01",
    tap_id: str = "",
    **given: Any,
) -> NetworkInterface:
    """A NIC with one ipConfiguration, attached to a VM of its name unless `vm` says another (None: unattached); `tap_id` mirrors it."""
    subnet = subnet or make_subnet()
    subscription_id = subnet.subscription_id
    if isinstance(vm, str):
        vm = make_vm(vm or name.removesuffix("-nic"), subscription_id=subscription_id)
    nic_id = arm_id("networkInterfaces", name, subscription_id=subscription_id)
    values = {
        "mac_address": mac if vm else "",
        "mac_hex": mac.replace("-", "").lower() if vm else "",
        "virtual_machine_id": vm.arm_id if vm else "",
        "subnet_id": subnet.arm_id,
        "virtual_network_id": subnet.virtual_network.arm_id,
        "private_ips": [address],
        "tap_ids": [tap_id] if tap_id else [],
        "is_mirrored": bool(tap_id),
        "location": subnet.location,
        **given,
    }
    nic = _make(NetworkInterface, nic_id, **values)
    make_ip_configuration(nic=nic, address=address, subnet=subnet)
    if tap_id:
        make_tap_configuration(nic=nic, tap_id=tap_id)
    return nic


def make_ip_configuration(name: str = "ipconfig1", *, nic: NetworkInterface, address: str, subnet: Subnet, **given: Any) -> IpConfiguration:
    values = {
        "private_ip_address": address,
        "private_ip_address_version": "IPv6" if ":" in address else "IPv4",
        "private_ip_hex": "" if ":" in address else "4" + "".join(f"{int(part):02x}" for part in address.split(".")),
        "private_ip_allocation_method": "Dynamic",
        "is_primary": True,
        "subnet_id": subnet.arm_id,
        **given,
    }
    return _make(IpConfiguration, f"{nic.arm_id}/ipConfigurations/{name}", network_interface=nic, location=nic.location, **values)


def make_tap(name: str = "tap-collector", *, destination_id: str, subscription_id: str = SUBSCRIPTION, **given: Any) -> VirtualNetworkTap:
    """`destination_id` is a NIC's ipConfiguration or a load balancer's frontend; the field follows its type."""
    field_name = "destination_frontend_id" if "/frontendipconfigurations/" in destination_id.lower() else "destination_ip_configuration_id"
    tap_id = arm_id("virtualNetworkTaps", name, subscription_id=subscription_id)
    return _make(VirtualNetworkTap, tap_id, **{field_name: destination_id, "destination_port": 4789, **given})


def make_tap_configuration(name: str = "tapconfig", *, nic: NetworkInterface, tap_id: str, **given: Any) -> TapConfiguration:
    config_id = f"{nic.arm_id}/tapConfigurations/{name}"
    return _make(TapConfiguration, config_id, network_interface=nic, location=nic.location, virtual_network_tap_id=tap_id, **given)


def make_load_balancer(
    name: str = "ilb-collector", *, subnet: Subnet, address: str = "10.0.1.250", members: tuple[NetworkInterface, ...] = (), **given: Any
) -> LoadBalancer:
    """An internal load balancer with one frontend, one pool of `members` and a rule for UDP 4789."""
    balancer = _make(LoadBalancer, arm_id("loadBalancers", name, subscription_id=subnet.subscription_id), **{"sku": "Standard", **given})
    frontend = _make(
        FrontendIpConfiguration,
        f"{balancer.arm_id}/frontendIPConfigurations/frontend",
        load_balancer=balancer,
        private_ip_address=address,
        private_ip_address_version="IPv4",
        private_ip_hex="4" + "".join(f"{int(part):02x}" for part in address.split(".")),
        subnet_id=subnet.arm_id,
    )
    pool = _make(
        BackendAddressPool,
        f"{balancer.arm_id}/backendAddressPools/pool",
        load_balancer=balancer,
        ip_configuration_ids=[f"{one.arm_id}/ipConfigurations/ipconfig1" for one in members],
    )
    _make(
        LoadBalancingRule,
        f"{balancer.arm_id}/loadBalancingRules/vxlan",
        load_balancer=balancer,
        protocol="Udp",
        frontend_port=4789,
        backend_port=4789,
        is_floating_ip_enabled=False,
        frontend_id=frontend.arm_id,
        backend_pool_ids=[pool.arm_id],
    )
    return balancer


def make_run(*, state: str = "complete", **given: Any) -> SyncRun:
    finished = state not in {"queued", "running"}
    values = {"trigger": "demand", "actor": "ada", "created_at": NOW, "enqueued_at": NOW, "finished_at": NOW if finished else None, **given}
    return SyncRun.objects.create(state=state, **values)


def make_subscription_sync(*, run: SyncRun, subscription: Subscription, state: str = "complete", **given: Any) -> SubscriptionSync:
    finished = state not in {"queued", "running"}
    values = {"enqueued_at": NOW, "finished_at": NOW if finished else None, **given}
    return SubscriptionSync.objects.create(run=run, subscription=subscription, state=state, **values)


def make_kind_state(kind: str, *, subscription: Subscription, status: str = "complete", **given: Any) -> KindState:
    complete_at = NOW if status == "complete" else None
    return KindState.objects.create(
        subscription=subscription, kind=kind, **{"status": status, "last_attempt_at": NOW, "last_complete_at": complete_at, **given}
    )


@dataclass
class Estate:
    """What `make_estate` made."""

    subscription: Subscription
    hub: VirtualNetwork
    spoke: VirtualNetwork
    subnet: Subnet
    spoke_subnet: Subnet
    collector: NetworkInterface
    tap: VirtualNetworkTap
    nics: list[NetworkInterface] = field(default_factory=list)


def make_estate(*, subscription_id: str = SUBSCRIPTION, nics: int = 4, mirrored: int = 1) -> Estate:
    """A small estate, read completely:

    hub [collectors: nic-packetlog] ==Connected== spoke [apps: app-01 … app-0n], the first `mirrored` of them mirrored to nic-packetlog.
    """
    subscription = make_subscription(subscription_id)
    hub = make_vnet("hub", subscription_id=subscription_id)
    spoke = make_vnet("spoke", subscription_id=subscription_id, prefixes=("10.1.0.0/16",))
    make_peering("to-spoke", vnet=hub, remote_id=spoke.arm_id)
    make_peering("to-hub", vnet=spoke, remote_id=hub.arm_id)
    subnet = make_subnet("collectors", vnet=hub)
    spoke_subnet = make_subnet("apps", vnet=spoke, prefixes=("10.1.1.0/24",))
    collector = make_nic("nic-packetlog", subnet=subnet, address="10.0.1.5", mac="00-0D-3A-FF-00-01")
    tap = make_tap(destination_id=f"{collector.arm_id}/ipConfigurations/ipconfig1", subscription_id=subscription_id)
    made = [
        make_nic(
            f"app-{number:02d}-nic",
            subnet=spoke_subnet,
            address=f"10.1.1.{number + 3}",
            mac=f"00-0D-3A-00-01-{number:02X}",
            tap_id=tap.arm_id if number <= mirrored else "",
        )
        for number in range(1, nics + 1)
    ]
    for kind in ("virtual_networks", "network_interfaces", "virtual_network_taps", "virtual_machines", "load_balancers"):
        make_kind_state(kind, subscription=subscription)
    return Estate(subscription, hub, spoke, subnet, spoke_subnet, collector, tap, made)


def _make(model: type[R], resource_id: str, **given: Any) -> R:
    parts = resource_id.split("/")
    values: dict[str, Any] = {
        "arm_id": resource_id,
        "name": parts[-1],
        "subscription_id": parts[2].lower(),
        "resource_group": parts[4],
        "location": "uksouth",
        "provisioning_state": "Succeeded",
        "etag": 'W/"1"',
        "first_seen_at": NOW,
        **given,
    }
    names = {one.name for one in model._meta.get_fields()}
    for name in [name for name in values if name.endswith("_id") and f"{name[:-3]}_key" in names]:
        values.setdefault(f"{name[:-3]}_key", arm_key(values[name]) if values[name] else "")
    make_subscription(values["subscription_id"])
    if "raw" in names and "raw" not in values:
        values["raw"] = b'{"id": "%s"}' % resource_id.encode()
    row = model(key=arm_key(resource_id), **values)
    row.save(force_insert=True)
    return row
