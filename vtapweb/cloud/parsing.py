"""From a page of ARM's JSON to frozen values: every item the server sent comes back, understood or marked as not understood.

Two readers, one result: msgspec's strict typed decoder for what looks as the API describes it, and `vtapweb.cloud.lenient` for the rest. Only
an item without a usable id is not understood. `raw` is the item's exact bytes. Pure: no network, no clock.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from vtapweb.cloud import lenient, wire
from vtapweb.cloud.port import ReadKind
from vtapweb.cloud.types import (
    AvailabilitySet,
    BackendAddressPool,
    FrontendIpConfiguration,
    IpConfiguration,
    LoadBalancer,
    LoadBalancingRule,
    Lock,
    NetworkInterface,
    NetworkSecurityGroup,
    NotUnderstood,
    Permission,
    Resource,
    ResourceGroup,
    ScaleSet,
    SecurityRule,
    Subnet,
    Subscription,
    TapConfiguration,
    VirtualMachine,
    VirtualMachineStatus,
    VirtualNetwork,
    VirtualNetworkPeering,
    VirtualNetworkTap,
)
from vtapweb.domain.arm_id import ArmIdError, is_resource_id, parse

T = TypeVar("T")
W = TypeVar("W", bound=msgspec.Struct)


class BrokenPageError(ValueError):
    """The body is no page of a list: cut short, no JSON, or without the list."""


class ParsedPage(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What one body holds. `next_link` is the server's own text, "" on the last page."""

    items: list[T]
    not_understood: list[NotUnderstood]
    next_link: str


def parse_page(reader: "Reader[T]", body: bytes) -> ParsedPage[T]:
    """Read one page. `len(items) + len(not_understood)` is the number of items in the body. Raises BrokenPageError."""
    raws, next_link = _open(body)
    items: list[T] = []
    not_understood: list[NotUnderstood] = []
    for raw in raws:
        item = reader.read(raw)
        if isinstance(item, NotUnderstood):
            not_understood.append(item)
        else:
            items.append(item)
    return ParsedPage(items=items, not_understood=not_understood, next_link=next_link)


_ENVELOPE = msgspec.json.Decoder(wire.Envelope)
_BOM = b"\xef\xbb\xbf"


def _open(body: bytes) -> tuple[Iterable[bytes], str]:
    """The items' bytes and the link to the next page."""
    try:
        page = _ENVELOPE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _open_leniently(body.removeprefix(_BOM))
    return map(bytes, page.value), page.next_link or ""


def _open_leniently(body: bytes) -> tuple[list[bytes], str]:
    try:
        parts = lenient.spans(body)
    except (ValueError, RecursionError) as error:
        raise BrokenPageError(f"The answer is no page of a list: {error}.") from error
    folded = {name.lower(): value for name, value in parts.items()} | parts
    values = folded.get("value")
    if not isinstance(values, list):
        # Never taken for an empty list: absence counts only where the server said so.
        raise BrokenPageError("The answer holds no list named value.")
    link = next((folded[name] for name in ("nextLink", "nextlink", "odata.nextlink", "@odata.nextlink") if folded.get(name) is not None), "")
    if not isinstance(link, str):
        raise BrokenPageError("The answer's nextLink is no text.")
    return values, link


class Reader(Generic[T]):
    """Reads one kind of item: strictly, else leniently."""

    def __init__(self, wire_type: type[W], convert: Callable[[W, bytes], T], *, is_usable: Callable[[str], bool] = is_resource_id) -> None:
        self._wire_type: type[Any] = wire_type
        self._decode = msgspec.json.Decoder(wire_type).decode
        self._convert: Callable[[Any, bytes], T] = convert
        self._is_usable = is_usable

    def read(self, raw: bytes) -> T | NotUnderstood:
        """The item, or why it could not be read."""
        if b"\\u0000" in raw:  # an escaped NUL is legal JSON that no database takes as text
            return self.read_leniently(raw)
        try:
            return self.convert_strictly(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self.read_leniently(raw)

    def convert_strictly(self, raw: bytes) -> T | NotUnderstood:
        """The item where it is exactly as the API describes it. Raises msgspec's errors where it is not."""
        return self._finish(self._decode(raw), raw)

    def read_leniently(self, raw: bytes) -> T | NotUnderstood:
        """The item, or why it could not be read, by the lenient reader alone."""
        try:
            item = lenient.read(self._wire_type, raw)
        except lenient.NotAnObjectError as error:
            return NotUnderstood(arm_id="", reason=str(error), raw=raw)
        return self._finish(item, raw)

    def _finish(self, item: Any, raw: bytes) -> T | NotUnderstood:
        if not self._is_usable(item.id or ""):
            return NotUnderstood(arm_id=item.id or "", reason="its id is no ARM resource id", raw=raw)
        return self._convert(item, raw)


def _is_group_id(text: str) -> bool:
    try:
        return bool(parse(text).resource_group)
    except ArmIdError:
        return False


def _is_subscription_id(text: str) -> bool:
    try:
        parse(text)
    except ArmIdError:
        return False
    return True


@lru_cache(maxsize=1024)
def normalise_location(text: str) -> str:
    """ "West Europe" and "westeurope" are one place: lower-case, no spaces."""
    return "".join(text.split()).lower()


def _name_of(item: wire.Named) -> str:
    return item.name or item.id.rstrip("/").rsplit("/", 1)[-1]


def _ref(reference: wire.Ref | None) -> str:
    return (reference.id or "") if reference is not None else ""


def _refs(references: list[wire.Ref] | None) -> tuple[str, ...]:
    return tuple([reference.id for reference in references if reference.id]) if references else ()


def _top(item: wire.Named, raw: bytes) -> dict[str, Any]:
    """The fields of `Resource` that stand outside of `properties`."""
    return {
        "arm_id": item.id,
        "name": _name_of(item),
        "location": normalise_location(item.location) if item.location else "",
        "etag": item.etag or "",
        "tags": item.tags or {},
        "raw": raw,
    }


def _child_id(parent_id: str, collection: str, child: wire.Child) -> str:
    """A child's own id, else the one its name gives it; "" where it has neither (it stays in its parent's raw).

    An id in another subscription than the parent's is not believed: rows are found by it, and by its subscription who may read them.
    """
    if child.id and (child.id.startswith(parent_id) or _subscription_of(child.id) == _subscription_of(parent_id)):
        return child.id
    return f"{parent_id.rstrip('/')}/{collection}/{child.name}" if child.name else ""


def _subscription_of(arm_id: str) -> str:
    parts = arm_id.split("/", 3)
    return parts[2].lower() if len(parts) == 4 else ""


def _subscription(item: wire.SubscriptionWire, raw: bytes) -> Subscription:
    return Subscription(
        subscription_id=parse(item.id).subscription_id.lower(),
        arm_id=item.id,
        display_name=item.display_name or "",
        tenant_id=(item.tenant_id or "").lower(),
        state=item.state or "",
        managed_by_tenants=tuple(tenant.tenant_id.lower() for tenant in item.managed_by_tenants or () if tenant.tenant_id),
        tags=item.tags or {},
        raw=raw,
    )


def _resource_group(item: wire.ResourceGroupWire, raw: bytes) -> ResourceGroup:
    state = (item.properties.provisioning_state if item.properties else None) or ""
    return ResourceGroup(**_top(item, raw), provisioning_state=state, managed_by=item.managed_by or "")


_NO_VNET = wire.VirtualNetworkProperties()
_NO_SUBNET = wire.SubnetProperties()
_NO_PEERING = wire.PeeringProperties()


def _prefixes(space: wire.AddressSpace | None) -> tuple[str, ...]:
    return tuple(space.address_prefixes or ()) if space is not None else ()


def _virtual_network(item: wire.VirtualNetworkWire, raw: bytes) -> VirtualNetwork:
    p = item.properties or _NO_VNET
    return VirtualNetwork(
        **_top(item, raw),
        provisioning_state=p.provisioning_state or "",
        address_prefixes=_prefixes(p.address_space),
        is_encryption_enabled=p.encryption.enabled if p.encryption else None,
        subnets=tuple([_subnet(one, arm_id) for one in p.subnets or () if (arm_id := _child_id(item.id, "subnets", one))]),
        peerings=tuple(
            [_peering(one, arm_id) for one in p.virtual_network_peerings or () if (arm_id := _child_id(item.id, "virtualNetworkPeerings", one))]
        ),
    )


def _subnet(item: wire.SubnetWire, arm_id: str) -> Subnet:
    p = item.properties or _NO_SUBNET
    return Subnet(
        arm_id=arm_id,
        name=item.name or arm_id.rsplit("/", 1)[-1],
        etag=item.etag or "",
        provisioning_state=p.provisioning_state or "",
        address_prefixes=tuple(p.address_prefixes or ()) or ((p.address_prefix,) if p.address_prefix else ()),
        network_security_group_id=_ref(p.network_security_group),
        delegations=tuple(one.properties.service_name for one in p.delegations or () if one.properties and one.properties.service_name),
    )


def _peering(item: wire.PeeringWire, arm_id: str) -> VirtualNetworkPeering:
    p = item.properties or _NO_PEERING
    return VirtualNetworkPeering(
        arm_id=arm_id,
        name=item.name or arm_id.rsplit("/", 1)[-1],
        etag=item.etag or "",
        provisioning_state=p.provisioning_state or "",
        remote_virtual_network_id=_ref(p.remote_virtual_network),
        peering_state=p.peering_state or "",
        peering_sync_level=p.peering_sync_level or "",
        remote_address_prefixes=_prefixes(p.remote_virtual_network_address_space) or _prefixes(p.remote_address_space),
        allow_virtual_network_access=p.allow_virtual_network_access,
        allow_forwarded_traffic=p.allow_forwarded_traffic,
        allow_gateway_transit=p.allow_gateway_transit,
        use_remote_gateways=p.use_remote_gateways,
    )


_NO_NIC = wire.NetworkInterfaceProperties()
_NO_IP = wire.IpConfigurationProperties()


def _network_interface(item: wire.NetworkInterfaceWire, raw: bytes) -> NetworkInterface:
    p = item.properties or _NO_NIC
    arm_id = item.id
    return NetworkInterface(
        arm_id=arm_id,
        name=item.name or _name_of(item),
        location=normalise_location(item.location) if item.location else "",
        etag=item.etag or "",
        tags=item.tags or {},
        raw=raw,
        provisioning_state=p.provisioning_state or "",
        mac_address=p.mac_address or "",
        is_primary=p.primary,
        virtual_machine_id=_ref(p.virtual_machine),
        private_endpoint_id=_ref(p.private_endpoint),
        private_link_service_id=_ref(p.private_link_service),
        network_security_group_id=_ref(p.network_security_group),
        is_accelerated_networking_enabled=p.enable_accelerated_networking,
        is_ip_forwarding_enabled=p.enable_ip_forwarding,
        nic_type=p.nic_type or "",
        auxiliary_mode=p.auxiliary_mode or "",
        auxiliary_sku=p.auxiliary_sku or "",
        scale_set_id=_scale_set_of(arm_id),
        ip_configurations=tuple(
            [_ip_configuration(one, child_id) for one in p.ip_configurations or () if (child_id := _child_id(arm_id, "ipConfigurations", one))]
        ),
        tap_configurations=tuple(
            [_tap_configuration(one, child_id) for one in p.tap_configurations or () if (child_id := _child_id(arm_id, "tapConfigurations", one))]
        ),
    )


def _scale_set_of(arm_id: str) -> str:
    """…/virtualMachineScaleSets/{set}/virtualMachines/{n}/networkInterfaces/{nic} → the set's id; "" for any other NIC."""
    at = arm_id.lower().find("/virtualmachinescalesets/")
    if at < 0:
        return ""
    end = arm_id.find("/", at + len("/virtualmachinescalesets/"))
    return arm_id[:end] if end > 0 else ""


def _ip_configuration(item: wire.IpConfigurationWire, arm_id: str) -> IpConfiguration:
    p = item.properties or _NO_IP
    return IpConfiguration(
        arm_id=arm_id,
        name=item.name or arm_id.rsplit("/", 1)[-1],
        etag=item.etag or "",
        provisioning_state=p.provisioning_state or "",
        private_ip_address=p.private_ip_address or "",
        private_ip_address_version=p.private_ip_address_version or "",
        private_ip_allocation_method=p.private_ip_allocation_method or "",
        is_primary=p.primary,
        subnet_id=_ref(p.subnet),
        public_ip_address_id=_ref(p.public_ip_address),
        backend_address_pool_ids=_refs(p.load_balancer_backend_address_pools),
    )


def _tap_configuration(item: wire.TapConfigurationWire, arm_id: str) -> TapConfiguration:
    p = item.properties
    return TapConfiguration(
        arm_id=arm_id,
        name=item.name or arm_id.rsplit("/", 1)[-1],
        etag=item.etag or "",
        provisioning_state=(p.provisioning_state if p else None) or "",
        virtual_network_tap_id=_ref(p.virtual_network_tap) if p else "",
    )


_NO_VM = wire.VirtualMachineProperties()
_NO_IMAGE = wire.ImageReference()
_NO_PLAN = wire.Plan()


def _virtual_machine(item: wire.VirtualMachineWire, raw: bytes) -> VirtualMachine:
    p = item.properties or _NO_VM
    storage = p.storage_profile
    image = (storage.image_reference if storage else None) or _NO_IMAGE
    plan = item.plan or _NO_PLAN
    nics = p.network_profile.network_interfaces if p.network_profile else None
    return VirtualMachine(
        **_top(item, raw),
        provisioning_state=p.provisioning_state or "",
        vm_size=(p.hardware_profile.vm_size if p.hardware_profile else None) or "",
        zones=tuple(item.zones or ()),
        availability_set_id=_ref(p.availability_set),
        scale_set_id=_ref(p.virtual_machine_scale_set),
        image_publisher=image.publisher or "",
        image_offer=image.offer or "",
        image_sku=image.sku or "",
        image_id=image.id or image.shared_gallery_image_id or image.community_gallery_image_id or "",
        plan_publisher=plan.publisher or "",
        plan_product=plan.product or "",
        plan_name=plan.name or "",
        os_type=(storage.os_disk.os_type if storage and storage.os_disk else None) or "",
        network_interface_ids=tuple(nic.id for nic in nics or () if nic.id),
    )


def _virtual_machine_status(item: wire.VirtualMachineWire, raw: bytes) -> VirtualMachineStatus:
    p = item.properties or _NO_VM
    statuses = p.instance_view.statuses if p.instance_view else None
    codes = [status.code for status in statuses or () if status.code]
    power = next((code.partition("/")[2] for code in codes if code.lower().startswith("powerstate/")), "")
    return VirtualMachineStatus(**_top(item, raw), provisioning_state=p.provisioning_state or "", power_state=power)


def _availability_set(item: wire.AvailabilitySetWire, raw: bytes) -> AvailabilitySet:
    p = item.properties
    return AvailabilitySet(
        **_top(item, raw),
        provisioning_state=(p.provisioning_state if p else None) or "",
        virtual_machine_ids=_refs(p.virtual_machines) if p else (),
    )


def _scale_set(item: wire.ScaleSetWire, raw: bytes) -> ScaleSet:
    p = item.properties
    return ScaleSet(
        **_top(item, raw),
        provisioning_state=(p.provisioning_state if p else None) or "",
        vm_size=(item.sku.name if item.sku else None) or "",
        capacity=item.sku.capacity if item.sku else None,
        orchestration_mode=(p.orchestration_mode if p else None) or "",
    )


_NO_RULE = wire.SecurityRuleProperties()


def _network_security_group(item: wire.NetworkSecurityGroupWire, raw: bytes) -> NetworkSecurityGroup:
    p = item.properties
    return NetworkSecurityGroup(
        **_top(item, raw),
        provisioning_state=(p.provisioning_state if p else None) or "",
        security_rules=tuple(map(_security_rule, (p.security_rules if p else None) or ())),
    )


def _security_rule(item: wire.SecurityRuleWire) -> SecurityRule:
    p = item.properties or _NO_RULE
    return SecurityRule(
        name=item.name or (item.id or "").rsplit("/", 1)[-1],
        priority=p.priority,
        direction=p.direction or "",
        access=p.access or "",
        protocol=p.protocol or "",
        source_prefixes=_one_or_many(p.source_address_prefix, p.source_address_prefixes),
        destination_prefixes=_one_or_many(p.destination_address_prefix, p.destination_address_prefixes),
        destination_port_ranges=_one_or_many(p.destination_port_range, p.destination_port_ranges),
    )


def _one_or_many(one: str | None, many: list[str] | None) -> tuple[str, ...]:
    return ((one,) if one else ()) + tuple(many or ())


_NO_LB = wire.LoadBalancerProperties()
_NO_FRONTEND = wire.FrontendProperties()
_NO_POOL = wire.PoolProperties()
_NO_LB_RULE = wire.LoadBalancingRuleProperties()


def _load_balancer(item: wire.LoadBalancerWire, raw: bytes) -> LoadBalancer:
    p = item.properties or _NO_LB
    frontends, pools, rules = p.frontend_ip_configurations or (), p.backend_address_pools or (), p.load_balancing_rules or ()
    return LoadBalancer(
        **_top(item, raw),
        provisioning_state=p.provisioning_state or "",
        sku=(item.sku.name if item.sku else None) or "",
        frontends=tuple([_frontend(one, arm_id) for one in frontends if (arm_id := _child_id(item.id, "frontendIPConfigurations", one))]),
        backend_pools=tuple([_pool(one, arm_id) for one in pools if (arm_id := _child_id(item.id, "backendAddressPools", one))]),
        rules=tuple([_rule(one, arm_id) for one in rules if (arm_id := _child_id(item.id, "loadBalancingRules", one))]),
    )


def _frontend(item: wire.FrontendWire, arm_id: str) -> FrontendIpConfiguration:
    p = item.properties or _NO_FRONTEND
    return FrontendIpConfiguration(
        arm_id=arm_id,
        name=item.name or arm_id.rsplit("/", 1)[-1],
        etag=item.etag or "",
        provisioning_state=p.provisioning_state or "",
        private_ip_address=p.private_ip_address or "",
        private_ip_address_version=p.private_ip_address_version or "",
        subnet_id=_ref(p.subnet),
        public_ip_address_id=_ref(p.public_ip_address),
    )


def _pool(item: wire.PoolWire, arm_id: str) -> BackendAddressPool:
    p = item.properties or _NO_POOL
    addresses = [one.properties for one in p.load_balancer_backend_addresses or () if one.properties]
    named = [_ref(one.network_interface_ip_configuration) for one in addresses]
    return BackendAddressPool(
        arm_id=arm_id,
        name=item.name or arm_id.rsplit("/", 1)[-1],
        etag=item.etag or "",
        provisioning_state=p.provisioning_state or "",
        # A pool made by NIC lists its members twice in some answers: once as ipConfigurations, once behind its addresses.
        ip_configuration_ids=tuple(dict.fromkeys([*_refs(p.backend_ip_configurations), *filter(None, named)])),
        backend_addresses=tuple(one.ip_address for one in addresses if one.ip_address),
    )


def _rule(item: wire.LoadBalancingRuleWire, arm_id: str) -> LoadBalancingRule:
    p = item.properties or _NO_LB_RULE
    single = _ref(p.backend_address_pool)
    return LoadBalancingRule(
        arm_id=arm_id,
        name=item.name or arm_id.rsplit("/", 1)[-1],
        etag=item.etag or "",
        provisioning_state=p.provisioning_state or "",
        protocol=p.protocol or "",
        frontend_port=p.frontend_port,
        backend_port=p.backend_port,
        is_floating_ip_enabled=p.enable_floating_ip,
        frontend_id=_ref(p.frontend_ip_configuration),
        backend_pool_ids=tuple(dict.fromkeys([*((single,) if single else ()), *_refs(p.backend_address_pools)])),
    )


def _virtual_network_tap(item: wire.VirtualNetworkTapWire, raw: bytes) -> VirtualNetworkTap:
    p = item.properties or wire.TapProperties()
    return VirtualNetworkTap(
        **_top(item, raw),
        provisioning_state=p.provisioning_state or "",
        destination_ip_configuration_id=_ref(p.destination_network_interface_ip_configuration),
        destination_frontend_id=_ref(p.destination_load_balancer_front_end_ip_configuration),
        destination_port=p.destination_port,
        resource_guid=p.resource_guid or "",
        tap_configuration_ids=_refs(p.network_interface_tap_configurations),
    )


SUBSCRIPTIONS: Reader[Subscription] = Reader(wire.SubscriptionWire, _subscription, is_usable=_is_subscription_id)
NETWORK_INTERFACES: Reader[NetworkInterface] = Reader(wire.NetworkInterfaceWire, _network_interface)

VIRTUAL_MACHINES: Reader[VirtualMachine] = Reader(wire.VirtualMachineWire, _virtual_machine)
VIRTUAL_NETWORK_TAPS: Reader[VirtualNetworkTap] = Reader(wire.VirtualNetworkTapWire, _virtual_network_tap)

READERS: dict[ReadKind, Reader[Any]] = {
    ReadKind.RESOURCE_GROUPS: Reader(wire.ResourceGroupWire, _resource_group, is_usable=_is_group_id),
    ReadKind.VIRTUAL_NETWORKS: Reader(wire.VirtualNetworkWire, _virtual_network),
    ReadKind.NETWORK_SECURITY_GROUPS: Reader(wire.NetworkSecurityGroupWire, _network_security_group),
    ReadKind.VIRTUAL_MACHINE_STATUSES: Reader(wire.VirtualMachineWire, _virtual_machine_status),
    ReadKind.VIRTUAL_MACHINES: VIRTUAL_MACHINES,
    ReadKind.AVAILABILITY_SETS: Reader(wire.AvailabilitySetWire, _availability_set),
    ReadKind.SCALE_SETS: Reader(wire.ScaleSetWire, _scale_set),
    ReadKind.LOAD_BALANCERS: Reader(wire.LoadBalancerWire, _load_balancer),
    ReadKind.NETWORK_INTERFACES: NETWORK_INTERFACES,
    ReadKind.VIRTUAL_NETWORK_TAPS: VIRTUAL_NETWORK_TAPS,
}


class _IdlessReader(Reader[T]):
    """Reads items that need no id of their own."""

    def _finish(self, item: Any, raw: bytes) -> T | NotUnderstood:
        return self._convert(item, raw)


def _permission(item: wire.PermissionWire, _raw: bytes) -> Permission:
    return Permission(actions=tuple(item.actions or ()), not_actions=tuple(item.not_actions or ()))


_LOCK_PATH = "/providers/microsoft.authorization/locks/"


def _lock(item: wire.LockWire, _raw: bytes) -> Lock:
    p = item.properties or wire.LockProperties()
    at = item.id.lower().rfind(_LOCK_PATH)
    scope_id = item.id[:at] if at >= 0 else item.id
    return Lock(scope_id=scope_id, level=p.level or "", name=_name_of(item), notes=p.notes or "")


PERMISSIONS: Reader[Permission] = _IdlessReader(wire.PermissionWire, _permission)
LOCKS: Reader[Lock] = _IdlessReader(wire.LockWire, _lock)


def feature_state(body: bytes) -> str | None:
    """The state in a feature's document, None where it holds none."""
    try:
        found = lenient.read(wire.FeatureWire, body)
    except lenient.NotAnObjectError:
        return None
    return found.properties.state if found.properties else None


def key_text(item: Resource | Subscription | NotUnderstood) -> str:
    """The text under which two sightings of one item are the same: its case-folded id; "" when it has none."""
    return item.arm_id.strip().rstrip("/").lower()
