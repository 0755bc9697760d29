"""The requests that make, re-point and remove TAPs and TAP configurations, written out exactly: method, path with api-version, body.

Rule 1: what is shown in a plan, sent to Azure and taken away as a script is this one value. Rule 2: ids are Azure's own spelling (whoever sends
them escapes them); one that could be read as a query, a fragment or another path is never put into a request.

Source of paths and bodies: azure-rest-api-specs, Microsoft.Network/stable/2024-05-01 (virtualNetworkTap.json, networkInterface.json). A TAP
configuration has no PATCH. `destinationPort` exists there, but Azure's documentation calls it fixed: it is never sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vtapweb.domain import arm_id

API_VERSION: Final = "2024-05-01"
# One name for every configuration that vtapweb makes: two requests for one NIC then meet in one resource instead of making a second.
CONFIGURATION_NAME: Final = "vtapweb"
_FRONTEND_TYPE = "microsoft.network/loadbalancers/frontendipconfigurations"
_IP_CONFIGURATION_TYPE = "microsoft.network/networkinterfaces/ipconfigurations"


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """One request. `path` begins with /subscriptions and ends with the api-version; `body` is None where none is sent."""

    method: str
    path: str
    body: dict[str, Any] | None = None


def is_addressable(resource_id: str) -> bool:
    """Whether the text is a resource's id that can stand in a path: it holds no "?" or "#", and no segment "." or "..", which servers resolve."""
    return arm_id.is_resource_id(resource_id) and not set("?#") & set(resource_id) and not {".", ".."} & set(resource_id.strip().split("/"))


def path_of(resource_id: str) -> str:
    """The path of a resource. Raises ValueError for a text that `is_addressable` refuses."""
    if not is_addressable(resource_id):
        raise ValueError(f"no id to send a request to: {resource_id[:200]!r}")
    return f"{resource_id.strip().rstrip('/')}?api-version={API_VERSION}"


def configuration_id(nic_id: str, name: str = CONFIGURATION_NAME) -> str:
    """The id of a NIC's TAP configuration of this name."""
    return f"{nic_id.rstrip('/')}/tapConfigurations/{name}"


def tap_id(subscription_id: str, resource_group: str, name: str) -> str:
    """The id that a TAP of this name has, or would have."""
    return f"/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.Network/virtualNetworkTaps/{name}"


def destination_field(destination_id: str) -> str:
    """The member of a TAP's properties that names this destination. Raises ValueError where the id is neither of the two kinds."""
    try:
        kind = arm_id.parse(destination_id).resource_type
    except arm_id.ArmIdError as error:
        raise ValueError(str(error)) from error
    if kind == _FRONTEND_TYPE:
        return "destinationLoadBalancerFrontEndIPConfiguration"
    if kind == _IP_CONFIGURATION_TYPE:
        return "destinationNetworkInterfaceIPConfiguration"
    raise ValueError(f"neither a NIC's ipConfiguration nor a load balancer's frontend: {destination_id[:200]!r}")


def configuration_put(configuration: str, tap: str) -> ArmRequest:
    """Points a NIC's configuration at a TAP, both by id."""
    return ArmRequest("PUT", path_of(configuration), {"properties": {"virtualNetworkTap": {"id": tap}}})


def configuration_delete(configuration: str) -> ArmRequest:
    """Ends a NIC's mirror."""
    return ArmRequest("DELETE", path_of(configuration))


def tap_put(tap: str, *, location: str, destination_id: str, tags: Mapping[str, str]) -> ArmRequest:
    """Makes a TAP. Raises ValueError for a destination of another kind."""
    return ArmRequest(
        "PUT", path_of(tap), {"location": location, "tags": dict(tags), "properties": {destination_field(destination_id): {"id": destination_id}}}
    )


def tap_tags_patch(tap: str, tags: Mapping[str, str]) -> ArmRequest:
    """Replaces all tags of a TAP; the only thing that PATCH changes."""
    return ArmRequest("PATCH", path_of(tap), {"tags": dict(tags)})


def tap_delete(tap: str) -> ArmRequest:
    """Deletes a TAP; whether ARM refuses one in use is not verified."""
    return ArmRequest("DELETE", path_of(tap))
