"""The JSON documents of Azure's resources as its REST interface prints them; one function a resource type.

Owns the shapes and nothing else: no state, no choice of names. Etags are stamped in later, by the estate that holds the document.
Shapes follow the REST specification of Microsoft.Network 2024-05-01 and Microsoft.Compute 2024-03-01.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Any

Json = dict[str, Any]


class Kind(StrEnum):
    """What an estate holds, by the last word of the resource type as Azure spells it."""

    RESOURCE_GROUPS = "resourceGroups"
    VIRTUAL_NETWORKS = "virtualNetworks"
    NETWORK_INTERFACES = "networkInterfaces"
    LOAD_BALANCERS = "loadBalancers"
    NETWORK_SECURITY_GROUPS = "networkSecurityGroups"
    VIRTUAL_NETWORK_TAPS = "virtualNetworkTaps"
    VIRTUAL_MACHINES = "virtualMachines"
    AVAILABILITY_SETS = "availabilitySets"
    SCALE_SETS = "virtualMachineScaleSets"
    SCALE_SET_INTERFACES = "scaleSetNetworkInterfaces"  # the NICs of uniform scale sets' members; in no subscription-wide list


NETWORK, COMPUTE = "Microsoft.Network", "Microsoft.Compute"
NAMESPACES = {
    Kind.VIRTUAL_NETWORKS: NETWORK,
    Kind.NETWORK_INTERFACES: NETWORK,
    Kind.LOAD_BALANCERS: NETWORK,
    Kind.NETWORK_SECURITY_GROUPS: NETWORK,
    Kind.VIRTUAL_NETWORK_TAPS: NETWORK,
    Kind.VIRTUAL_MACHINES: COMPUTE,
    Kind.AVAILABILITY_SETS: COMPUTE,
    Kind.SCALE_SETS: COMPUTE,
}
# The collections inside a document whose members are resources with ids of their own, and share the document's etag.
CHILDREN = {
    Kind.VIRTUAL_NETWORKS: ("subnets", "virtualNetworkPeerings"),
    Kind.NETWORK_INTERFACES: ("ipConfigurations", "tapConfigurations"),
    Kind.SCALE_SET_INTERFACES: ("ipConfigurations", "tapConfigurations"),
    Kind.LOAD_BALANCERS: ("frontendIPConfigurations", "backendAddressPools", "loadBalancingRules", "probes"),
    Kind.NETWORK_SECURITY_GROUPS: ("securityRules",),
}
FEATURE = "AllowVirtualNetworkTap"
VXLAN_PORT = 4789


def guid(text: str) -> str:
    """A GUID that is always the same for one text."""
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"


def resource_group_id(subscription_id: str, group: str) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/{group}"


def resource_id(subscription_id: str, group: str, kind: Kind, name: str) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/{group}/providers/{NAMESPACES[kind]}/{kind}/{name}"


def shouted(arm_id: str) -> str:
    """The same id as Azure's compute service often spells it: the group in capitals, `resourcegroups` in small letters."""
    head, _, rest = arm_id.partition("/resourceGroups/")
    group, _, tail = rest.partition("/")
    return f"{head}/resourcegroups/{group.upper()}/{tail}" if rest else arm_id


def mac_address(number: int) -> str:
    """Microsoft's prefix and a number below 16,777,216, the way Azure prints it."""
    digits = f"{number:06X}"
    return f"00-0D-3A-{digits[:2]}-{digits[2:4]}-{digits[4:]}"


def subscription(subscription_id: str, name: str, tenant_id: str, *, tags: Json | None = None) -> Json:
    return {
        "id": f"/subscriptions/{subscription_id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription_id,
        "tenantId": tenant_id,
        "displayName": name,
        "state": "Enabled",
        "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "EnterpriseAgreement_2014-09-01", "spendingLimit": "Off"},
        **({"tags": tags} if tags else {}),
    }


def resource_group(subscription_id: str, name: str, location: str, *, tags: Json | None = None) -> Json:
    return {
        "id": resource_group_id(subscription_id, name),
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": location,
        **({"tags": tags} if tags else {}),
        "properties": {"provisioningState": "Succeeded"},
    }


def _resource(arm_id: str, kind: Kind, location: str, tags: Json | None, properties: Json) -> Json:
    return {
        "name": arm_id.rsplit("/", 1)[1],
        "id": arm_id,
        "etag": "",
        "type": f"{NAMESPACES[kind]}/{kind}",
        "location": location,
        **({"tags": tags} if tags else {}),
        "properties": properties,
    }


def _child(parent_id: str, parent_kind: Kind, collection: str, name: str, properties: Json) -> Json:
    return {
        "name": name,
        "id": f"{parent_id}/{collection}/{name}",
        "etag": "",
        "properties": {"provisioningState": "Succeeded", **properties},
        "type": f"{NAMESPACES[parent_kind]}/{parent_kind}/{collection}",
    }


def virtual_network(arm_id: str, location: str, prefixes: Sequence[str], *, is_encrypted: bool = False, tags: Json | None = None) -> Json:
    properties: Json = {
        "provisioningState": "Succeeded",
        "resourceGuid": guid(arm_id),
        "addressSpace": {"addressPrefixes": list(prefixes)},
        "privateEndpointVNetPolicies": "Disabled",
        "subnets": [],
        "virtualNetworkPeerings": [],
        "enableDdosProtection": False,
    }
    if is_encrypted:
        properties["encryption"] = {"enabled": True, "enforcement": "AllowUnencrypted"}
    return _resource(arm_id, Kind.VIRTUAL_NETWORKS, location, tags, properties)


def subnet(vnet_id: str, name: str, prefixes: Sequence[str], *, security_group_id: str = "", delegation: str = "") -> Json:
    properties: Json = {"addressPrefix": prefixes[0]} if len(prefixes) == 1 else {"addressPrefixes": list(prefixes)}
    if security_group_id:
        properties["networkSecurityGroup"] = {"id": security_group_id}
    properties["delegations"] = [{"name": "delegation", "properties": {"serviceName": delegation}}] if delegation else []
    properties |= {"privateEndpointNetworkPolicies": "Disabled", "privateLinkServiceNetworkPolicies": "Enabled"}
    return _child(vnet_id, Kind.VIRTUAL_NETWORKS, "subnets", name, properties)


def peering(vnet_id: str, name: str, remote_id: str, remote_prefixes: Sequence[str], *, state: str = "Connected", is_global: bool = False) -> Json:
    """One side of a peering. A global one differs by its VNets' locations only; Azure prints no flag for it."""
    return _child(
        vnet_id,
        Kind.VIRTUAL_NETWORKS,
        "virtualNetworkPeerings",
        name,
        {
            "resourceGuid": guid(f"{vnet_id}/{name}"),
            "peeringState": state,
            "peeringSyncLevel": "FullyInSync" if state == "Connected" else "RemoteNotInSync",
            "remoteVirtualNetwork": {"id": remote_id},
            "allowVirtualNetworkAccess": True,
            "allowForwardedTraffic": not is_global,
            "allowGatewayTransit": False,
            "useRemoteGateways": False,
            "doNotVerifyRemoteGateways": False,
            "peerCompleteVnets": True,
            "remoteAddressSpace": {"addressPrefixes": list(remote_prefixes)},
            "remoteVirtualNetworkAddressSpace": {"addressPrefixes": list(remote_prefixes)},
        },
    )


def ip_configuration(
    nic_id: str,
    name: str,
    address: str,
    subnet_id: str,
    *,
    is_primary: bool = True,
    version: str = "IPv4",
    pool_ids: Sequence[str] = (),
    public_ip_id: str = "",
) -> Json:
    properties: Json = {
        "privateIPAddress": address,
        "privateIPAllocationMethod": "Dynamic",
        "subnet": {"id": subnet_id},
        "primary": is_primary,
        "privateIPAddressVersion": version,
    }
    if pool_ids:
        properties["loadBalancerBackendAddressPools"] = [{"id": pool_id} for pool_id in pool_ids]
    if public_ip_id:
        properties["publicIPAddress"] = {"id": public_ip_id}
    return _child(nic_id, Kind.NETWORK_INTERFACES, "ipConfigurations", name, properties)


def tap_configuration(nic_id: str, name: str, tap_id: str) -> Json:
    return _child(nic_id, Kind.NETWORK_INTERFACES, "tapConfigurations", name, {"virtualNetworkTap": {"id": tap_id}})


def network_interface(
    arm_id: str,
    location: str,
    ip_configurations: list[Json],
    *,
    vm_id: str = "",
    mac: str = "",
    private_endpoint_id: str = "",
    private_link_service_id: str = "",
    security_group_id: str = "",
    is_accelerated: bool = True,
    provisioning_state: str = "Succeeded",
    tags: Json | None = None,
) -> Json:
    """A NIC without `vm_id` is unattached: Azure then prints neither `virtualMachine` nor `macAddress`."""
    properties: Json = {
        "provisioningState": provisioning_state,
        "resourceGuid": guid(arm_id),
        "ipConfigurations": ip_configurations,
        "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
        "enableAcceleratedNetworking": is_accelerated,
        "vnetEncryptionSupported": False,
        "enableIPForwarding": False,
        "disableTcpStateTracking": False,
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": "Standard",
        "allowPort25Out": True,
        "auxiliaryMode": "None",
        "auxiliarySku": "None",
    }
    if mac:
        properties["macAddress"] = mac
    if vm_id:
        properties |= {"primary": True, "virtualMachine": {"id": vm_id}}
    if private_endpoint_id:
        properties["privateEndpoint"] = {"id": private_endpoint_id}
    if private_link_service_id:
        properties["privateLinkService"] = {"id": private_link_service_id}
    if security_group_id:
        properties["networkSecurityGroup"] = {"id": security_group_id}
    return _resource(arm_id, Kind.NETWORK_INTERFACES, location, tags, properties) | {"kind": "Regular"}


def virtual_machine(
    arm_id: str,
    location: str,
    nic_ids: Iterable[str],
    *,
    size: str = "Standard_D4s_v5",
    availability_set_id: str = "",
    zone: str = "",
    image: tuple[str, str, str] = ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"),
    plan: tuple[str, str, str] | None = None,
    tags: Json | None = None,
) -> Json:
    """`image` is publisher, offer, sku; `plan` is publisher, product, name of a marketplace offer."""
    name = arm_id.rsplit("/", 1)[1]
    properties: Json = {
        "vmId": guid(f"vm {arm_id}"),
        "provisioningState": "Succeeded",
        "timeCreated": "2025-03-03T08:15:00.0000000+00:00",
        "hardwareProfile": {"vmSize": size},
        "storageProfile": {
            "imageReference": {"publisher": image[0], "offer": image[1], "sku": image[2], "version": "latest"},
            "osDisk": {"osType": "Windows" if "Windows" in image[0] else "Linux", "name": f"{name}-os", "createOption": "FromImage"},
            "dataDisks": [],
        },
        "networkProfile": {"networkInterfaces": [{"id": nic_id, "properties": {"primary": place == 0}} for place, nic_id in enumerate(nic_ids)]},
    }
    if availability_set_id:
        properties["availabilitySet"] = {"id": availability_set_id}
    document = _resource(arm_id, Kind.VIRTUAL_MACHINES, location, tags, properties)
    if zone:
        document["zones"] = [zone]
    if plan:
        document["plan"] = {"publisher": plan[0], "product": plan[1], "name": plan[2]}
    return document


def virtual_machine_status(machine: Json, power_state: str) -> Json:
    """What the list with statusOnly=true says of a VM: no model, only the instance view. The id comes in another casing than the list's."""
    return {
        "name": machine["name"],
        "id": shouted(machine["id"]),
        "type": machine["type"],
        "location": machine["location"],
        "properties": {
            "vmId": machine["properties"]["vmId"],
            "provisioningState": "Succeeded",
            "instanceView": instance_view(power_state),
        },
    }


def instance_view(power_state: str) -> Json:
    return {
        "statuses": [
            {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded", "time": "2026-01-05T06:00:00+00:00"},
            {"code": f"PowerState/{power_state}", "level": "Info", "displayStatus": f"VM {power_state}"},
        ]
    }


def availability_set(arm_id: str, location: str, vm_ids: Iterable[str], *, tags: Json | None = None) -> Json:
    properties = {
        "platformUpdateDomainCount": 5,
        "platformFaultDomainCount": 2,
        "virtualMachines": [{"id": shouted(vm_id)} for vm_id in vm_ids],
    }
    return _resource(arm_id, Kind.AVAILABILITY_SETS, location, tags, properties) | {"sku": {"name": "Aligned"}}


def scale_set(arm_id: str, location: str, capacity: int, *, size: str = "Standard_D2s_v5", tags: Json | None = None) -> Json:
    properties = {
        "singlePlacementGroup": True,
        "orchestrationMode": "Uniform",
        "upgradePolicy": {"mode": "Manual"},
        "provisioningState": "Succeeded",
        "overprovision": False,
        "uniqueId": guid(arm_id),
    }
    document = _resource(arm_id, Kind.SCALE_SETS, location, tags, properties)
    return document | {"sku": {"name": size, "tier": "Standard", "capacity": capacity}}


def scale_set_interface(scale_set_id: str, instance: int, name: str, address: str, subnet_id: str, mac: str, *, pool_ids: Sequence[str] = ()) -> Json:
    """A member's NIC: it has no location and no type of its own in Azure's answer."""
    vm_id = f"{scale_set_id}/virtualMachines/{instance}"
    nic_id = f"{vm_id}/networkInterfaces/{name}"
    document = network_interface(
        nic_id, "", [ip_configuration(nic_id, "ipconfig1", address, subnet_id, pool_ids=pool_ids)], vm_id=vm_id, mac=mac, is_accelerated=False
    )
    del document["location"], document["type"], document["kind"]
    return document


def network_security_group(
    arm_id: str, location: str, rules: Sequence[tuple[str, int, str, str, str, str]] = (), *, tags: Json | None = None
) -> Json:
    """`rules` are name, priority, access, protocol, source prefix, destination port range; all inbound."""
    properties = {
        "provisioningState": "Succeeded",
        "resourceGuid": guid(arm_id),
        "securityRules": [
            _child(
                arm_id,
                Kind.NETWORK_SECURITY_GROUPS,
                "securityRules",
                name,
                {
                    "protocol": protocol,
                    "sourcePortRange": "*",
                    "destinationPortRange": ports,
                    "sourceAddressPrefix": source,
                    "destinationAddressPrefix": "*",
                    "access": access,
                    "priority": priority,
                    "direction": "Inbound",
                    "sourcePortRanges": [],
                    "destinationPortRanges": [],
                    "sourceAddressPrefixes": [],
                    "destinationAddressPrefixes": [],
                },
            )
            for name, priority, access, protocol, source, ports in rules
        ],
        "defaultSecurityRules": [],
    }
    return _resource(arm_id, Kind.NETWORK_SECURITY_GROUPS, location, tags, properties)


def load_balancer(
    arm_id: str,
    location: str,
    *,
    subnet_id: str,
    address: str,
    member_ids: Sequence[str],
    sku: str = "Standard",
    protocol: str = "Tcp",
    port: int = 443,
    is_floating_ip: bool = False,
    tags: Json | None = None,
) -> Json:
    """An internal load balancer with one frontend, one pool of the members' ipConfigurations, one probe and one rule."""
    frontend_id, pool_id, rule_id, probe_id = (
        f"{arm_id}/{part}" for part in ("frontendIPConfigurations/frontend", "backendAddressPools/pool", "loadBalancingRules/rule", "probes/probe")
    )
    rule_ref = [{"id": rule_id}]

    def child(collection: str, name: str, properties: Json) -> Json:
        return _child(arm_id, Kind.LOAD_BALANCERS, collection, name, properties)

    frontend = {
        "privateIPAddress": address,
        "privateIPAllocationMethod": "Static",
        "privateIPAddressVersion": "IPv4",
        "subnet": {"id": subnet_id},
        "loadBalancingRules": rule_ref,
    }
    rule = {
        "frontendIPConfiguration": {"id": frontend_id},
        "frontendPort": port,
        "backendPort": port,
        "enableFloatingIP": is_floating_ip,
        "idleTimeoutInMinutes": 4,
        "protocol": protocol,
        "enableTcpReset": False,
        "loadDistribution": "Default",
        "disableOutboundSnat": True,
        "backendAddressPool": {"id": pool_id},
        "backendAddressPools": [{"id": pool_id}],
        "probe": {"id": probe_id},
    }
    probe = {
        "protocol": "Tcp",
        "port": 22 if protocol == "Udp" else port,
        "intervalInSeconds": 5,
        "numberOfProbes": 2,
        "loadBalancingRules": rule_ref,
    }
    properties = {
        "provisioningState": "Succeeded",
        "resourceGuid": guid(arm_id),
        "frontendIPConfigurations": [child("frontendIPConfigurations", "frontend", frontend)],
        "backendAddressPools": [
            child(
                "backendAddressPools", "pool", {"backendIPConfigurations": [{"id": member} for member in member_ids], "loadBalancingRules": rule_ref}
            )
        ],
        "loadBalancingRules": [child("loadBalancingRules", "rule", rule)],
        "probes": [child("probes", "probe", probe)],
        "inboundNatRules": [],
        "outboundRules": [],
        "inboundNatPools": [],
    }
    return _resource(arm_id, Kind.LOAD_BALANCERS, location, tags, properties) | {"sku": {"name": sku, "tier": "Regional"}}


def virtual_network_tap(
    arm_id: str, location: str, *, ip_configuration_id: str = "", frontend_id: str = "", source_ids: Sequence[str] = (), tags: Json | None = None
) -> Json:
    """A TAP with exactly one destination. A TAP without sources has neither a resourceGuid nor the list of its configurations."""
    properties: Json = {"provisioningState": "Succeeded"}
    if ip_configuration_id:
        properties["destinationNetworkInterfaceIPConfiguration"] = {"id": ip_configuration_id}
    if frontend_id:
        properties["destinationLoadBalancerFrontEndIPConfiguration"] = {"id": frontend_id}
    properties["destinationPort"] = VXLAN_PORT
    if source_ids:
        properties |= {"resourceGuid": guid(arm_id), "networkInterfaceTapConfigurations": [{"id": source} for source in source_ids]}
    return _resource(arm_id, Kind.VIRTUAL_NETWORK_TAPS, location, tags, properties)
