"""Changes and steps as rows, with honest defaults: one step that mirrors a NIC of subscription SUB to a TAP."""

from typing import Any

from django.utils import timezone

from vtapweb.domain.arm_id import arm_key
from vtapweb.taps.models import Change, ChangeStep

SUB = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUB}/resourceGroups/rg-taps/providers/Microsoft.Network"
TAP_ID = f"{GROUP}/virtualNetworkTaps/tap-one"
API_VERSION = "2024-05-01"


def nic_id(name: str) -> str:
    return f"{GROUP}/networkInterfaces/{name}"


def make_change(**fields: Any) -> Change:
    """A planned change that taps to TAP_ID."""
    defaults: dict[str, Any] = {
        "action": "tap",
        "reason": "INC-1: look at odd DNS",
        "subscription_ids": [SUB],
        "tap_id": TAP_ID,
        "tap_key": arm_key(TAP_ID),
        "tap_name": "tap-one",
        "created_at": timezone.now(),
        "created_by_name": "olga",
        "settle_s": 0,
    }
    if fields.get("state") in {"applying", "paused"}:
        defaults["applied_at"] = timezone.now()
    return Change.objects.create(**{**defaults, **fields})


def make_step(change: Change, nic_name: str = "nic-1", **fields: Any) -> ChangeStep:
    """A pending step of the change: PUT the configuration `tap-one` of that NIC."""
    target_id = f"{nic_id(nic_name)}/tapConfigurations/tap-one"
    defaults: dict[str, Any] = {
        "change": change,
        "ordinal": change.steps.count() + 1,
        "nic_id": nic_id(nic_name),
        "nic_key": arm_key(nic_id(nic_name)),
        "nic_name": nic_name,
        "target_id": target_id,
        "target_key": arm_key(target_id),
        "subscription_id": SUB,
        "action": "put",
        "method": "PUT",
        "path": f"{target_id}?api-version={API_VERSION}",
        "body": {"properties": {"virtualNetworkTap": {"id": TAP_ID}}},
    }
    if fields.get("state") in {"verified", "failed", "skipped"}:
        defaults["ended_at"] = fields.get("verified_at") or timezone.now()
    if fields.get("state") == "skipped":
        defaults["skip_code"] = "cancelled"
    return ChangeStep.objects.create(**{**defaults, **fields})
