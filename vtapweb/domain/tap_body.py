"""What the bodies of TAP requests name: the TAP of a TAP configuration, the destination of a TAP. Foreign shapes name nothing."""

from typing import Any

from vtapweb.domain.arm_id import ArmIdError, parse

DESTINATIONS = ("destinationLoadBalancerFrontEndIPConfiguration", "destinationNetworkInterfaceIPConfiguration")


def tap_of_body(body: Any) -> str:
    """The ARM id of the TAP that a TAP configuration's body names, "" for none."""
    return _reference(body, "virtualNetworkTap")


def destination_of_body(body: Any) -> str:
    """The ARM id of the destination that a TAP's body names, "" for none."""
    return next((found for name in DESTINATIONS if (found := _reference(body, name))), "")


def resource_name(arm_id: str) -> str:
    """The last name of an ARM id, the text itself where it is none."""
    try:
        return parse(arm_id).name
    except ArmIdError:
        return arm_id


def _reference(body: Any, name: str) -> str:
    properties = body.get("properties") if isinstance(body, dict) else None
    reference = properties.get(name) if isinstance(properties, dict) else None
    return str(reference.get("id") or "") if isinstance(reference, dict) else ""
