"""Changes as if they had been carried out: steps ended, and the inventory as Azure would show it then."""

from collections.abc import Collection
from datetime import datetime

from tests.inventory.factories import make_tap, make_tap_configuration
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.tap_body import destination_of_body, tap_of_body
from vtapweb.inventory.models import NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.taps.models import Change, ChangeStep


def play(change: Change, *, failed: Collection[str] = ()) -> Change:
    """The change, ended: every step verified but those of the NICs named (steps that follow a failed one are skipped)."""
    lost: set[int] = set()
    for step in change.steps.order_by("ordinal"):
        at = change.created_at
        if step.after_id in lost:
            lost.add(step.pk)
            end(step, "skipped", at, skip_code="step_before", skip_reason="The step before it failed.")
        elif (step.nic_name or change.tap_name) in failed:
            lost.add(step.pk)
            end(step, "failed", at, error_code="Nope", sent_at=at)
        else:
            end(step, "verified", at, verified_at=at, sent_at=at)
            show(step)
    at = change.created_at
    state = "failed" if len(lost) == change.steps.count() else "partly_applied" if lost else "applied"
    Change.objects.filter(pk=change.pk).update(state=state, applied_at=at, started_at=at, finished_at=at)
    change.refresh_from_db()
    return change


def end(step: ChangeStep, state: str, at: datetime, **given: object) -> None:
    ChangeStep.objects.filter(pk=step.pk).update(state=state, ended_at=at, **given)


def show(step: ChangeStep) -> None:
    """The inventory after this step."""
    if step.nic_key:
        configurations = TapConfiguration.objects.filter(key=step.target_key)
        if step.action == "delete":
            configurations.update(removed_at=step.change.created_at)
        else:
            tap_id = tap_of_body(step.body)
            point(step.nic_key, step.target_id, tap_id)
    elif step.action == "delete":
        VirtualNetworkTap.objects.filter(key=step.target_key).update(removed_at=step.change.created_at)
    elif step.action == "patch":
        VirtualNetworkTap.objects.filter(key=step.target_key).update(tags=(step.body or {})["tags"])
    else:
        VirtualNetworkTap.objects.filter(key=step.target_key).delete()
        body = step.body or {}
        row = make_tap(step.target_id.rsplit("/", 1)[1], destination_id=destination_of_body(body), location=body["location"], tags=body["tags"])
        VirtualNetworkTap.objects.filter(pk=row.pk).update(key=step.target_key, arm_id=step.target_id)


def point(nic_key: str, configuration_id: str, tap_id: str) -> None:
    """The NIC's configuration of this id, present and pointing there, whatever it was before."""
    known = TapConfiguration.objects.filter(key=arm_key(configuration_id))
    if not known.update(removed_at=None, virtual_network_tap_id=tap_id, virtual_network_tap_key=arm_key(tap_id)):
        make_tap_configuration(configuration_id.rsplit("/", 1)[1], nic=NetworkInterface.objects.get(key=nic_key), tap_id=tap_id)
