"""Resources as ARM sends them, one of each kind, in our own words (invented ids; the shapes follow the published REST specifications)."""

import json
from typing import Any

from vtapweb.cloud.port import ReadKind

SUBSCRIPTION = "a1b2c3d4-0000-4000-8000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-Lab"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"


def page_of(items: list[Any], next_link: str | None = None) -> bytes:
    return json.dumps({"value": items} | ({"nextLink": next_link} if next_link else {})).encode()


def nic(name: str, *, subnet: str = f"{NETWORK}/virtualNetworks/vnet-lab/subnets/apps", tap: str = "", prefix: str = NETWORK) -> dict[str, Any]:
    arm_id = f"{prefix}/networkInterfaces/{name}"
    mirrored = {
        "name": "to-collector",
        "id": f"{arm_id}/tapConfigurations/to-collector",
        "etag": 'W/"1"',
        "type": "Microsoft.Network/networkInterfaces/tapConfigurations",
        "properties": {"provisioningState": "Succeeded", "virtualNetworkTap": {"id": f"{prefix}/virtualNetworkTaps/{tap}"}},
    }
    return {
        "name": name,
        "id": arm_id,
        "etag": 'W/"1"',
        "type": "Microsoft.Network/networkInterfaces",
        "location": "Germany West Central",
        "kind": "Regular",
        "tags": {"owner": "Überwachung"},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": "7e000000-0000-4000-8000-000000000001",
            "ipConfigurations": [
                {
                    "name": "ipconfig1",
                    "id": f"{arm_id}/ipConfigurations/ipconfig1",
                    "etag": 'W/"1"',
                    "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
                    "properties": {
                        "provisioningState": "Succeeded",
                        "privateIPAddress": "10.0.2.4",
                        "privateIPAllocationMethod": "Static",
                        "subnet": {"id": subnet},
                        "primary": True,
                        "privateIPAddressVersion": "IPv4",
                        "loadBalancerBackendAddressPools": [{"id": f"{prefix}/loadBalancers/lb-lab/backendAddressPools/pool"}],
                    },
                }
            ],
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "macAddress": "00-0D-3A-00-00-01",
            "enableAcceleratedNetworking": True,
            "vnetEncryptionSupported": False,
            "enableIPForwarding": False,
            "disableTcpStateTracking": False,
            "networkSecurityGroup": {"id": f"{prefix}/networkSecurityGroups/nsg-lab"},
            "primary": True,
            "virtualMachine": {"id": f"{prefix.replace('Microsoft.Network', 'Microsoft.Compute')}/virtualMachines/vm-{name}"},
            "hostedWorkloads": [],
            "tapConfigurations": [mirrored] if tap else [],
            "nicType": "Standard",
            "allowPort25Out": True,
            "auxiliaryMode": "None",
            "auxiliarySku": "None",
        },
    }


def vnet(name: str, *, prefix: str = NETWORK, peer: str = "vnet-other") -> dict[str, Any]:
    arm_id = f"{prefix}/virtualNetworks/{name}"
    return {
        "name": name,
        "id": arm_id,
        "etag": 'W/"2"',
        "type": "Microsoft.Network/virtualNetworks",
        "location": "uksouth",
        "tags": {"env": "lab"},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": "7e000000-0000-4000-8000-000000000002",
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16", "fd00:db8::/48"]},
            "encryption": {"enabled": False, "enforcement": "AllowUnencrypted"},
            "dhcpOptions": {"dnsServers": []},
            "subnets": [
                {
                    "name": "apps",
                    "id": f"{arm_id}/subnets/apps",
                    "etag": 'W/"2"',
                    "type": "Microsoft.Network/virtualNetworks/subnets",
                    "properties": {
                        "provisioningState": "Succeeded",
                        "addressPrefixes": ["10.0.2.0/24", "fd00:db8:0:2::/64"],
                        "networkSecurityGroup": {"id": f"{prefix}/networkSecurityGroups/nsg-lab"},
                        "delegations": [{"name": "d", "properties": {"serviceName": "Microsoft.Web/serverFarms", "actions": []}}],
                    },
                }
            ],
            "virtualNetworkPeerings": [
                {
                    "name": "to-other",
                    "id": f"{arm_id}/virtualNetworkPeerings/to-other",
                    "etag": 'W/"2"',
                    "type": "Microsoft.Network/virtualNetworks/virtualNetworkPeerings",
                    "properties": {
                        "provisioningState": "Succeeded",
                        "peeringState": "Initiated",
                        "peeringSyncLevel": "RemoteNotInSync",
                        "remoteVirtualNetwork": {"id": f"{prefix}/virtualNetworks/{peer}"},
                        "allowVirtualNetworkAccess": True,
                        "allowForwardedTraffic": False,
                        "allowGatewayTransit": False,
                        "useRemoteGateways": False,
                        "remoteAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
                        "remoteVirtualNetworkAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
                    },
                }
            ],
            "enableDdosProtection": False,
        },
    }


def vm(name: str, *, prefix: str = COMPUTE) -> dict[str, Any]:
    return {
        "name": name,
        "id": f"{prefix}/virtualMachines/{name}",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "uksouth",
        "zones": ["1"],
        "plan": {"name": "vendor-plan", "publisher": "vendor", "product": "packet-broker"},
        "properties": {
            "provisioningState": "Succeeded",
            "vmId": "7e000000-0000-4000-8000-000000000003",
            "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
            "storageProfile": {
                "imageReference": {
                    "publisher": "vendor",
                    "offer": "packet-broker",
                    "sku": "byol",
                    "version": "latest",
                    "id": f"{prefix}/images/golden",
                },
                "osDisk": {"osType": "Linux", "name": "os", "diskSizeGB": 30, "createOption": "FromImage"},
                "dataDisks": [],
            },
            "availabilitySet": {"id": f"{prefix}/availabilitySets/AS-LAB"},
            "networkProfile": {"networkInterfaces": [{"id": f"{NETWORK}/networkInterfaces/nic-01", "properties": {"primary": True}}]},
        },
    }


SAMPLES: dict[ReadKind, dict[str, Any]] = {
    ReadKind.RESOURCE_GROUPS: {
        "id": GROUP,
        "name": "rg-Lab",
        "type": "Microsoft.Resources/resourceGroups",
        "location": "uksouth",
        "properties": {"provisioningState": "Succeeded"},
    },
    ReadKind.VIRTUAL_NETWORKS: vnet("vnet-lab"),
    ReadKind.NETWORK_SECURITY_GROUPS: {
        "name": "nsg-lab",
        "id": f"{NETWORK}/networkSecurityGroups/nsg-lab",
        "type": "Microsoft.Network/networkSecurityGroups",
        "location": "uksouth",
        "properties": {
            "provisioningState": "Succeeded",
            "securityRules": [
                {
                    "name": "vxlan",
                    "properties": {
                        "priority": 100,
                        "direction": "Inbound",
                        "access": "Allow",
                        "protocol": "Udp",
                        "sourceAddressPrefix": "VirtualNetwork",
                        "sourcePortRange": "*",
                        "destinationAddressPrefixes": ["10.0.0.4", "10.0.0.5"],
                        "destinationPortRange": "4789",
                    },
                }
            ],
            "defaultSecurityRules": [],
        },
    },
    ReadKind.VIRTUAL_MACHINE_STATUSES: {
        "name": "vm-01",
        "id": f"{COMPUTE}/virtualMachines/VM-01",
        "location": "uksouth",
        "properties": {
            "provisioningState": "Succeeded",
            "instanceView": {
                "statuses": [
                    {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"},
                    {"code": "PowerState/running", "level": "Info", "displayStatus": "VM running"},
                ]
            },
        },
    },
    ReadKind.VIRTUAL_MACHINES: vm("vm-01"),
    ReadKind.AVAILABILITY_SETS: {
        "name": "as-lab",
        "id": f"{COMPUTE}/availabilitySets/as-lab",
        "location": "uksouth",
        "sku": {"name": "Aligned"},
        "properties": {"platformFaultDomainCount": 2, "virtualMachines": [{"id": f"{COMPUTE}/virtualMachines/VM-01"}]},
    },
    ReadKind.SCALE_SETS: {
        "name": "vmss-lab",
        "id": f"{COMPUTE}/virtualMachineScaleSets/vmss-lab",
        "location": "uksouth",
        "sku": {"name": "Standard_D8s_v5", "tier": "Standard", "capacity": 3},
        "properties": {"provisioningState": "Succeeded", "orchestrationMode": "Uniform", "overprovision": False},
    },
    ReadKind.LOAD_BALANCERS: {
        "name": "lb-lab",
        "id": f"{NETWORK}/loadBalancers/lb-lab",
        "location": "uksouth",
        "sku": {"name": "Standard", "tier": "Regional"},
        "properties": {
            "provisioningState": "Succeeded",
            "frontendIPConfigurations": [
                {
                    "name": "fe",
                    "id": f"{NETWORK}/loadBalancers/lb-lab/frontendIPConfigurations/fe",
                    "zones": ["1", "2"],
                    "properties": {
                        "privateIPAddress": "10.0.1.4",
                        "privateIPAddressVersion": "IPv4",
                        "privateIPAllocationMethod": "Dynamic",
                        "provisioningState": "Succeeded",
                        "subnet": {"id": f"{NETWORK}/virtualNetworks/vnet-lab/subnets/apps"},
                    },
                }
            ],
            "backendAddressPools": [
                {
                    "name": "pool",
                    "id": f"{NETWORK}/loadBalancers/lb-lab/backendAddressPools/pool",
                    "properties": {
                        "backendIPConfigurations": [{"id": f"{NETWORK}/networkInterfaces/nic-01/ipConfigurations/ipconfig1"}],
                        "loadBalancerBackendAddresses": [{"name": "a", "properties": {"ipAddress": "10.0.2.9"}}],
                    },
                }
            ],
            "loadBalancingRules": [
                {
                    "name": "vxlan",
                    "id": f"{NETWORK}/loadBalancers/lb-lab/loadBalancingRules/vxlan",
                    "properties": {
                        "protocol": "Udp",
                        "frontendPort": 4789,
                        "backendPort": 4789,
                        "enableFloatingIP": False,
                        "frontendIPConfiguration": {"id": f"{NETWORK}/loadBalancers/lb-lab/frontendIPConfigurations/fe"},
                        "backendAddressPool": {"id": f"{NETWORK}/loadBalancers/lb-lab/backendAddressPools/pool"},
                    },
                }
            ],
            "probes": [],
        },
    },
    ReadKind.NETWORK_INTERFACES: nic("nic-01", tap="tap-lab"),
    ReadKind.VIRTUAL_NETWORK_TAPS: {
        "name": "tap-lab",
        "id": f"{NETWORK}/virtualNetworkTaps/tap-lab",
        "location": "uksouth",
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": "7e000000-0000-4000-8000-000000000004",
            "destinationLoadBalancerFrontEndIPConfiguration": {"id": f"{NETWORK}/loadBalancers/lb-lab/frontendIPConfigurations/fe"},
            "destinationPort": 4789,
            "networkInterfaceTapConfigurations": [{"id": f"{NETWORK}/networkInterfaces/nic-01/tapConfigurations/to-collector"}],
        },
    },
}
