"""What we ask for and the api-version of each, with where that version comes from.

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

# Single resources are asked in their list's version, so that a re-read and a sync see the same fields; writes likewise.
NETWORK_VERSION = _NETWORK
COMPUTE_VERSION = _COMPUTE

PERMISSIONS = Listing(
    "/providers/Microsoft.Authorization/permissions",
    "2015-07-01",
    "azure-rest-api-specs, Microsoft.Authorization/stable/2015-07-01 (example GetPermissions)",
)
LOCKS = Listing(
    "/providers/Microsoft.Authorization/locks",
    "2016-09-01",
    "azure-rest-api-specs, Microsoft.Authorization/stable/2016-09-01 (ManagementLocks_ListAtSubscriptionLevel)",
)
FEATURE = Listing(
    "/providers/Microsoft.Features/providers/Microsoft.Network/features/AllowVirtualNetworkTap",
    "2015-12-01",
    "azure-rest-api-specs, Microsoft.Features/stable/2015-12-01 (example getFeature)",
)
METRICS = Listing(
    "/metrics:getBatch", "2023-10-01", "learn.microsoft.com, Migrate from the metrics API to the getBatch API; not verified in sovereign clouds"
)


def resource_version(arm_id: str) -> str:
    """The api-version in which a single resource is read."""
    folded = arm_id.lower()
    if "/virtualmachinescalesets/" in folded and "/networkinterfaces/" in folded:
        return SCALE_SET_NETWORK_INTERFACES.api_version
    return COMPUTE_VERSION if "/providers/microsoft.compute/" in folded else NETWORK_VERSION


def write_path(arm_id: str) -> str:
    """The path and query of a write, as it is sent and shown: the ARM id with our api-version behind it."""
    return f"{arm_id}?api-version={NETWORK_VERSION}"
