"""Rows of the ledger with honest defaults: an open mirror that nobody here made."""

from datetime import UTC, datetime
from typing import Any

from tests.taps.factories import GROUP, SUB, TAP_ID, nic_id
from vtapweb.domain.arm_id import arm_key
from vtapweb.taps.models import Mirror, TapLife

NOON = datetime(2026, 8, 20, 12, 0, tzinfo=UTC)
VNET = f"{GROUP}/virtualNetworks/spoke"


def make_life(name: str = "nic-1", /, **fields: Any) -> Mirror:
    """`state` other than live needs `ended_at`, an `origin` other than outside a `reason`."""
    configuration = f"{nic_id(name)}/tapConfigurations/tap-one"
    values: dict[str, Any] = {
        "subscription_id": SUB,
        "tap_configuration_id": configuration,
        "tap_configuration_key": arm_key(configuration),
        "nic_id": nic_id(name),
        "nic_key": arm_key(nic_id(name)),
        "nic_name": name,
        "vnet_id": VNET,
        "vnet_key": arm_key(VNET),
        "subnet_id": f"{VNET}/subnets/apps",
        "subnet_key": arm_key(f"{VNET}/subnets/apps"),
        "tap_id": TAP_ID,
        "tap_key": arm_key(TAP_ID),
        "tap_name": "tap-one",
        "origin": "outside",
        "first_seen_at": NOON,
    }
    return Mirror.objects.create(**{**values, **fields})


def make_tap_life(name: str = "tap-one", **fields: Any) -> TapLife:
    tap_id = f"{GROUP}/virtualNetworkTaps/{name}"
    values = {"subscription_id": SUB, "tap_id": tap_id, "tap_key": arm_key(tap_id), "tap_name": name, "origin": "outside", "first_seen_at": NOON}
    return TapLife.objects.create(**{**values, "destination_id": "/destination", "destination_key": "d" * 26, **fields})
