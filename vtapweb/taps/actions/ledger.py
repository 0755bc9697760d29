"""The ledger's own writes: a verified step begins or ends a life. What syncs find besides is `reconcile`'s business.

Rule 1: both functions belong into the transaction that verifies the step, so that Azure's state, the step and the ledger are kept or lost
together. Rule 2: both may be called twice for one step. Rule 3: a life that a sync saw first, while the step was under way, is taken over,
so that no mirror of ours is ever called unaccounted.
"""

from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.tap_body import destination_of_body, resource_name, tap_of_body
from vtapweb.inventory.models import NetworkInterface
from vtapweb.taps.models import Change, ChangeStep, LedgerEntry, Mirror, TapLife

Life = TypeVar("Life", Mirror, TapLife)
State, Origin, Decision = LedgerEntry.State, LedgerEntry.Origin, LedgerEntry.Decision


@transaction.atomic
def mirror_began(*, step: ChangeStep, at: datetime) -> Mirror | TapLife | None:
    """Records that a verified PUT is there: a mirror where the step is about a NIC, else a TAP. Returns the open life; None for other steps.

    A life of the same target with another TAP (or destination) ends as this change's work; drift that waited for this target is decided.
    """
    if step.action != "put":
        return None
    return _mirror_began(step, at) if step.nic_key else _tap_began(step, at)


@transaction.atomic
def mirror_ended(*, step: ChangeStep, at: datetime) -> Mirror | TapLife | None:
    """Records that a verified DELETE is done. Returns the life that it ended, None where the ledger knew none."""
    if step.action != "delete":
        return None
    open_ones: QuerySet[Any] = lives_of(step).filter(ended_at=None)
    life: Mirror | TapLife | None = open_ones.select_for_update().first() or _seen_gone_first(step)
    if life is None:
        return None
    end_by_change(life, step.change, at=life.ended_at or at)
    return life


def lives_of(step: ChangeStep) -> "QuerySet[Any]":
    """All lives of what the step writes."""
    if step.nic_key:
        return Mirror.objects.filter(tap_configuration_key=step.target_key)
    return TapLife.objects.filter(tap_key=step.target_key)


def end_by_change(life: Mirror | TapLife, change: Change, *, at: datetime) -> None:
    """Close the life as this change's work."""
    life.state, life.ended_at, life.ended_change = State.ENDED, at, change
    life.ended_by, life.end_reason = who_did(change), change.reason
    life.save(update_fields=["state", "ended_at", "ended_change", "ended_by", "end_reason"])


def who_did(change: Change) -> str:
    """Who answers for the change: who applied it, else who planned (and handed over) it."""
    return change.applied_by_name or change.created_by_name


def told_by_change(change: Change) -> dict[str, Any]:
    """The ledger's columns that a change fills."""
    return {
        "origin": Origin.CHANGE,
        "began_change": change,
        "began_by": who_did(change),
        "reason": change.reason,
        "ticket": change.ticket,
        "expires_at": change.expires_at,
    }


def _seen_gone_first(step: ChangeStep) -> Any:
    """A sync saw what the step did before the step was verified, and called it drift."""
    if step.sent_at is None:
        return None
    gone = lives_of(step).filter(state=State.VANISHED, drift_decision="", ended_at__gte=step.sent_at)
    return gone.select_for_update().order_by("-pk").first()


def _mirror_began(step: ChangeStep, at: datetime) -> Mirror:
    tap_id = tap_of_body(step.body)
    told = {**told_by_change(step.change), "tap_id": tap_id, "tap_key": arm_key(tap_id) if tap_id else "", "tap_name": resource_name(tap_id)}
    life = Mirror.objects.select_for_update().filter(tap_configuration_key=step.target_key, ended_at=None).first()
    if life is not None and life.tap_key == told["tap_key"]:
        return _taken_over(life, step, told, at)
    if life is not None:
        end_by_change(life, step.change, at=at)
    drift = Mirror.objects.filter(nic_key=step.nic_key, state__in=[State.VANISHED, State.CHANGED], drift_decision="")
    drift.update(drift_decision=Decision.RE_CREATED, drift_decided_at=at, drift_decided_by=who_did(step.change), drift_reason=step.change.reason)
    nic = NetworkInterface.objects.filter(pk=step.nic_key).first()
    return Mirror.objects.create(
        subscription_id=step.subscription_id.lower(),
        tap_configuration_id=step.target_id,
        tap_configuration_key=step.target_key,
        nic_id=step.nic_id,
        nic_key=step.nic_key,
        nic_name=step.nic_name,
        vnet_id=nic.virtual_network_id if nic else "",
        vnet_key=nic.virtual_network_key if nic else "",
        subnet_id=nic.subnet_id if nic else "",
        subnet_key=nic.subnet_key if nic else "",
        first_seen_at=at,
        began_at=at,
        owner=life.owner if life else "",
        **told,
    )


def _tap_began(step: ChangeStep, at: datetime) -> TapLife:
    destination_id = destination_of_body(step.body)
    told = {**told_by_change(step.change), "destination_id": destination_id, "destination_key": arm_key(destination_id) if destination_id else ""}
    life = TapLife.objects.select_for_update().filter(tap_key=step.target_key, ended_at=None).first()
    if life is not None and life.destination_key == told["destination_key"]:
        return _taken_over(life, step, told, at)
    if life is not None:
        end_by_change(life, step.change, at=at)
    drift = TapLife.objects.filter(tap_key=step.target_key, state__in=[State.VANISHED, State.CHANGED], drift_decision="")
    drift.update(drift_decision=Decision.RE_CREATED, drift_decided_at=at, drift_decided_by=who_did(step.change), drift_reason=step.change.reason)
    return TapLife.objects.create(
        subscription_id=step.subscription_id.lower(),
        tap_id=step.target_id,
        tap_key=step.target_key,
        tap_name=resource_name(step.target_id),
        first_seen_at=at,
        began_at=at,
        **told,
    )


def _taken_over(life: Life, step: ChangeStep, told: dict[str, Any], at: datetime) -> Life:
    """The same thing is on record: by this step already, by a sync while the step was under way, or from before (a PUT of what was there)."""
    if life.origin != Origin.OUTSIDE:
        return life
    for name, value in told.items():
        setattr(life, name, value)
    if step.sent_at is not None and life.first_seen_at >= step.sent_at:
        life.began_at = at
    life.save(update_fields=[*told, "began_at"])
    return life
