"""Where the real payload files are, when they are here: beside the checkout, or where VTAPWEB_ARM_EXAMPLES says.

They are not ours to ship, so a clone elsewhere runs on the recordings in this folder alone. In CI every file must be there.
"""

import json
import os
from pathlib import Path
from typing import Any

OWN = Path(__file__).parent / "recordings"
_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "azure" / "arm-examples"
FOLDER = Path(os.environ.get("VTAPWEB_ARM_EXAMPLES") or _BESIDE)

EXCHANGES = ("real_vtap_create_lro.json", "real_tapconfig_create_lro.json", "real_tapconfig_delete_lro.json")
RESOURCES = {  # one resource a file → the kind of list that it would stand in
    "real_nic_source_unattached.json": "network_interfaces",
    "real_nic_destination_two_ipconfigs.json": "network_interfaces",
    "real_nic_with_tapconfiguration.json": "network_interfaces",
    "constructed_nic_with_tap_and_vm.json": "network_interfaces",
    "real_vnet_get.json": "virtual_networks",
}
LISTS = {  # the body of the 200 response is a page
    "spec_NetworkInterfaceListAll.json": "network_interfaces",
    "spec_VirtualNetworkListAll.json": "virtual_networks",
    "spec_VirtualNetworkTapListAll.json": "virtual_network_taps",
    "spec_LoadBalancerListAll.json": "load_balancers",
    "spec_VirtualMachineList_min.json": "virtual_machines",
    "spec_SubscriptionsList.json": "subscriptions",
}
CHILDREN = {  # the body of the 200 response holds children: (kind of the parent, the parent's property)
    "spec_VirtualNetworkPeeringList.json": ("virtual_networks", "virtualNetworkPeerings"),
    "spec_NetworkInterfaceTapConfigurationList.json": ("network_interfaces", "tapConfigurations"),
    "spec_NetworkInterfaceTapConfigurationCreate.json": ("network_interfaces", "tapConfigurations"),
}
ANSWERS = ("real_errors_404.json", "real_retry_after_headers_2019.json", "constructed_errors.json")
FEATURES = ("constructed_featureget_AllowVirtualNetworkTap.json", "spec_FeatureGet.json")
PERMISSIONS = ("constructed_permissions_network_contributor.json", "spec_PermissionsListForResourceGroup.json")
METRICS = ("docs_MetricsGetBatch_response.json",)
NOT_READ_YET = (  # of APIs that the port does not ask; only their JSON is checked
    "spec_MetricsGet.json",
    "spec_ResourceGraphBasicQuery.json",
)
ALL = (*EXCHANGES, *RESOURCES, *LISTS, *CHILDREN, *ANSWERS, *FEATURES, *PERMISSIONS, *METRICS, *NOT_READ_YET)


def is_here() -> bool:
    return FOLDER.is_dir()


def is_complete_wanted() -> bool:
    """In CI a missing file fails; elsewhere those that are there are run."""
    return is_here() and os.environ.get("CI", "").lower() == "true"


def present(names: Any) -> list[Path]:
    """The paths of those files that the suite must run: all of them in CI, else those that exist."""
    return [FOLDER / name for name in names if is_here() and (is_complete_wanted() or (FOLDER / name).is_file())]


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
