"""What a fresh read of a step's target says about the step. Pure: knows Azure's documents and steps, no database and no clock.

Rule 1: a NIC carries one TAP configuration at most (Azure's FAQ), so any other one on it means that somebody was there before us. Rule 2: a
provisioning state that we do not know is on its way: what bounds that is the engine's clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vtapweb.cloud.types import NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.change import Heard

_SETTLED = frozenset({"", "succeeded"})
_ENDED_BADLY = frozenset({"failed", "canceled", "cancelled"})


@dataclass(frozen=True, slots=True)
class Order:
    """What a step wants of its target: the part of its row that reading needs. `before` is what was there when it was planned, {} for not known."""

    action: str
    target_key: str
    nic_key: str
    body: Mapping[str, Any]
    before: Mapping[str, Any]
    is_return: bool = False  # it puts back what was there: over what the failed other half may have left

    @property
    def tap_key(self) -> str:
        """The TAP that a PUT of a TAP configuration points to."""
        return arm_key(str(_at(self.body, "properties", "virtualNetworkTap", "id") or ""))

    @property
    def destination_keys(self) -> tuple[str, str]:
        """The destination that a PUT of a TAP names: (ipConfiguration, frontend), one of them ""."""
        names = ("destinationNetworkInterfaceIPConfiguration", "destinationLoadBalancerFrontEndIPConfiguration")
        first, second = (str(_at(self.body, "properties", name, "id") or "") for name in names)
        return (arm_key(first) if first else "", arm_key(second) if second else "")


@dataclass(frozen=True, slots=True)
class Seen:
    """`code` and `message` say more where `heard` is bad news; `before` is what stood there, to be kept when the step is sent."""

    heard: Heard
    code: str = ""
    message: str = ""
    before: dict[str, Any] = field(default_factory=dict)


def seen_on_nic(order: Order, nic: NetworkInterface | None) -> Seen:
    """What the NIC (None: gone) says about a step that writes its TAP configuration."""
    if nic is None:
        if order.action == "delete":
            return Seen(Heard.AS_WANTED)
        return Seen(Heard.TAKEN, "nic_gone", "The NIC is gone.")
    own = next((one for one in nic.tap_configurations if arm_key(one.arm_id) == order.target_key), None)
    return _seen_deleted(order, own) if order.action == "delete" else _seen_put(order, nic, own)


def _seen_deleted(order: Order, own: TapConfiguration | None) -> Seen:
    if own is None:
        return Seen(Heard.AS_WANTED)
    before = _configuration(own)
    planned_tap = str(order.before.get("tap_id") or "")
    if planned_tap and arm_key(planned_tap) != arm_key(own.virtual_network_tap_id):
        return Seen(Heard.TAKEN, "mirror_moved", f"The mirror now goes to {own.virtual_network_tap_id}; it was re-pointed outside of this change.")
    return Seen(Heard.UNDER_WAY if own.provisioning_state.lower() == "deleting" else Heard.NOT_YET, before=before)


def _seen_put(order: Order, nic: NetworkInterface, own: TapConfiguration | None) -> Seen:
    other = next((one for one in nic.tap_configurations if one is not own), None)
    if other is not None:
        text = f"The NIC is already mirrored, by {other.name} to {other.virtual_network_tap_id}. Azure allows one TAP configuration on a NIC."
        return Seen(Heard.TAKEN, "another_configuration", text)
    if own is None:
        if not nic.virtual_machine_id:
            return Seen(Heard.TAKEN, "not_attached", "The NIC no longer belongs to a VM.")
        return Seen(Heard.NOT_YET, before={"is_absent": True})
    if arm_key(own.virtual_network_tap_id) != order.tap_key:
        if order.is_return and own.provisioning_state.lower() in _ENDED_BADLY:
            return Seen(Heard.NOT_YET, before=_configuration(own))
        return Seen(Heard.TAKEN, "another_configuration", f"The NIC is already mirrored, by {own.name} to {own.virtual_network_tap_id}.")
    return Seen(_of_state(own.provisioning_state), before=_configuration(own))


def seen_tap(order: Order, tap: VirtualNetworkTap | None) -> Seen:
    """What the TAP (None: there is none) says about a step that makes, tags or deletes it."""
    match order.action:
        case "delete":
            return _seen_tap_deleted(tap)
        case "patch":
            return _seen_tags(order, tap)
        case _:
            return _seen_tap_made(order, tap)


def _seen_tap_made(order: Order, tap: VirtualNetworkTap | None) -> Seen:
    if tap is None:
        return Seen(Heard.NOT_YET, before={"is_absent": True})
    found = tuple(arm_key(one) if one else "" for one in (tap.destination_ip_configuration_id, tap.destination_frontend_id))
    if found != order.destination_keys:
        other = tap.destination_ip_configuration_id or tap.destination_frontend_id
        return Seen(Heard.TAKEN, "another_tap", f"There is a TAP of this name already, with the destination {other or 'of none that we can read'}.")
    return Seen(_of_state(tap.provisioning_state), before=_tap(tap))


def _seen_tags(order: Order, tap: VirtualNetworkTap | None) -> Seen:
    if tap is None:
        return Seen(Heard.TAKEN, "tap_gone", "The TAP is gone.")
    if dict(tap.tags) == dict(order.body.get("tags") or {}):
        return Seen(_of_state(tap.provisioning_state, default=Heard.AS_WANTED), before=_tap(tap))
    return Seen(Heard.NOT_YET, before=_tap(tap))


def _seen_tap_deleted(tap: VirtualNetworkTap | None) -> Seen:
    if tap is None:
        return Seen(Heard.AS_WANTED)
    if tap.provisioning_state.lower() == "deleting":
        return Seen(Heard.UNDER_WAY, before=_tap(tap))
    if tap.tap_configuration_ids:
        many = len(tap.tap_configuration_ids)
        return Seen(Heard.TAKEN, "in_use", f"{many} NIC{'s are' if many > 1 else ' is'} mirrored to it: take the mirrors back first.")
    return Seen(Heard.NOT_YET, before=_tap(tap))


def _of_state(state: str, *, default: Heard = Heard.UNDER_WAY) -> Heard:
    """A resource that ended badly is there, but not as wanted: writing it again is what mends it."""
    if state.lower() in _SETTLED:
        return Heard.AS_WANTED
    return Heard.NOT_YET if state.lower() in _ENDED_BADLY else default


def _configuration(one: TapConfiguration) -> dict[str, Any]:
    return {
        "id": one.arm_id,
        "name": one.name,
        "tap_id": one.virtual_network_tap_id,
        "provisioning_state": one.provisioning_state,
        "etag": one.etag,
    }


def _tap(tap: VirtualNetworkTap) -> dict[str, Any]:
    return {
        "id": tap.arm_id,
        "name": tap.name,
        "location": tap.location,
        "tags": dict(tap.tags),
        "destination_ip_configuration_id": tap.destination_ip_configuration_id,
        "destination_frontend_id": tap.destination_frontend_id,
        "etag": tap.etag,
    }


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
