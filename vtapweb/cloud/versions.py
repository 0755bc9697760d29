"""The lists we read and the api-version of each, with where that version comes from.

A version is only as good as the oldest cloud that must answer it: sovereign clouds get new ones later, so none is newer than its examples
require. A server that lacks a list or a version answers with an error that callers show as "unknown" (`Failure.MISSING`).
"""

from dataclasses import dataclass

from vtapweb.cloud.port import ReadKind


@dataclass(frozen=True, slots=True)
class Listing:
    """A subscription-wide list: `path` below /subscriptions/{id}, `query` beside the api-version, `source` of the version."""

    path: str
    api_version: str
    source: str
    query: str = ""


_NETWORK = "2024-05-01"
_NETWORK_SOURCE = "azure-rest-api-specs, Microsoft.Network/stable/2024-05-01 (examples VirtualNetworkListAll, NetworkInterfaceListAll)"
_COMPUTE = "2024-03-01"
_COMPUTE_SOURCE = "azure-rest-api-specs, Microsoft.Compute/ComputeRP/stable/2024-03-01 (example VirtualMachine_List)"
_RESOURCES_SOURCE = "azure-rest-api-specs, Microsoft.Resources/stable/2021-04-01; not verified in sovereign clouds"

LISTINGS: dict[ReadKind, Listing] = {
    ReadKind.RESOURCE_GROUPS: Listing("/resourcegroups", "2021-04-01", _RESOURCES_SOURCE),
    ReadKind.VIRTUAL_NETWORKS: Listing("/providers/Microsoft.Network/virtualNetworks", _NETWORK, _NETWORK_SOURCE),
    ReadKind.NETWORK_SECURITY_GROUPS: Listing("/providers/Microsoft.Network/networkSecurityGroups", _NETWORK, _NETWORK_SOURCE),
    ReadKind.VIRTUAL_MACHINE_STATUSES: Listing("/providers/Microsoft.Compute/virtualMachines", _COMPUTE, _COMPUTE_SOURCE, query="statusOnly=true"),
    ReadKind.VIRTUAL_MACHINES: Listing("/providers/Microsoft.Compute/virtualMachines", _COMPUTE, _COMPUTE_SOURCE),
    ReadKind.AVAILABILITY_SETS: Listing("/providers/Microsoft.Compute/availabilitySets", _COMPUTE, _COMPUTE_SOURCE),
    ReadKind.SCALE_SETS: Listing("/providers/Microsoft.Compute/virtualMachineScaleSets", _COMPUTE, _COMPUTE_SOURCE),
    ReadKind.LOAD_BALANCERS: Listing("/providers/Microsoft.Network/loadBalancers", _NETWORK, _NETWORK_SOURCE),
    ReadKind.NETWORK_INTERFACES: Listing("/providers/Microsoft.Network/networkInterfaces", _NETWORK, _NETWORK_SOURCE),
    ReadKind.VIRTUAL_NETWORK_TAPS: Listing("/providers/Microsoft.Network/virtualNetworkTaps", _NETWORK, _NETWORK_SOURCE),
}

SUBSCRIPTIONS = Listing("/subscriptions", "2021-01-01", "azure-rest-api-specs, Microsoft.Resources/stable/2021-01-01 (example GetSubscriptions)")

# Below a scale set's own id. The SDK (azure-mgmt-network 33.1.0) asks for this list with this version and no newer one.
SCALE_SET_NETWORK_INTERFACES = Listing(
    "/networkInterfaces", "2018-10-01", "azure-mgmt-network 33.1.0, list_virtual_machine_scale_set_network_interfaces"
)
