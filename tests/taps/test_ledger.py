"""What a verified step writes into the ledger: lives begin and end once, whatever a sync saw meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from tests.inventory.factories import make_estate
from tests.taps.factories import GROUP, SUB, TAP_ID, make_change, make_step
from vtapweb.domain.arm_id import arm_key
from vtapweb.taps.actions.ledger import mirror_began, mirror_ended
from vtapweb.taps.models import Change, ChangeStep, Mirror, TapLife

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
OTHER_TAP = f"{GROUP}/virtualNetworkTaps/tap-two"
FRONT = f"{GROUP}/loadBalancers/ilb/frontendIPConfigurations/front"


def verified(change: Change | None = None, **fields: Any) -> ChangeStep:
    change = change or make_change(applied_by_name="ada", ticket="INC-1")
    return make_step(change, **{"state": "verified", "verified_at": AT, "sent_at": AT - timedelta(seconds=20), **fields})


def delete(change: Change | None = None, **fields: Any) -> ChangeStep:
    return verified(
        change or make_change(action="untap", reason="done looking", applied_by_name="bo"), action="delete", method="DELETE", body=None, **fields
    )


def tap_step(destination: str = FRONT, **fields: Any) -> ChangeStep:
    body = {"location": "uksouth", "properties": {"destinationLoadBalancerFrontEndIPConfiguration": {"id": destination}}}
    return verified(nic_id="", nic_key="", nic_name="", target_id=TAP_ID, target_key=arm_key(TAP_ID), **{"body": body, **fields})


def make_mirror(step: ChangeStep, **fields: Any) -> Mirror:
    """The life that a sync opened for what the step writes, as nobody's."""
    values: dict[str, Any] = {
        "subscription_id": SUB,
        "tap_configuration_id": step.target_id,
        "tap_configuration_key": step.target_key,
        "nic_id": step.nic_id,
        "nic_key": step.nic_key,
        "nic_name": step.nic_name,
        "tap_id": TAP_ID,
        "tap_key": arm_key(TAP_ID),
        "tap_name": "tap-one",
        "origin": "outside",
        "first_seen_at": AT,
    }
    return Mirror.objects.create(**{**values, **fields})


def test_a_verified_put_begins_a_mirror_with_who_and_why_and_only_once() -> None:
    step = verified()
    life = mirror_began(step=step, at=AT)
    assert isinstance(life, Mirror)
    assert (life.origin, life.began_by, life.reason, life.ticket, life.began_at) == ("change", "ada", "INC-1: look at odd DNS", "INC-1", AT)
    assert (life.tap_name, life.nic_name, life.began_change, life.is_open) == ("tap-one", "nic-1", step.change, True)
    assert mirror_began(step=step, at=AT) == life
    assert Mirror.objects.count() == 1


def test_it_knows_the_vnet_and_subnet_of_its_nic() -> None:
    estate = make_estate(mirrored=0)
    nic = estate.nics[0]
    life = mirror_began(step=verified(nic_id=nic.arm_id, nic_key=nic.key), at=AT)
    assert isinstance(life, Mirror)
    assert (life.vnet_key, life.subnet_key) == (estate.spoke.key, estate.spoke_subnet.key)


def test_a_verified_delete_ends_it_and_tells_who_and_why() -> None:
    began = verified()
    mirror_began(step=began, at=AT)
    for _ in range(2):
        life = mirror_ended(step=delete(target_id=began.target_id, target_key=began.target_key), at=AT + timedelta(hours=1))
    life = Mirror.objects.get()
    assert (life.state, life.ended_by, life.end_reason, life.ended_at) == ("ended", "bo", "done looking", AT + timedelta(hours=1))


def test_a_step_of_the_other_verb_does_nothing() -> None:
    assert mirror_began(step=delete(), at=AT) is None
    assert mirror_ended(step=verified(), at=AT) is None
    assert not Mirror.objects.exists()


@pytest.mark.parametrize(("seen_after_s", "began_at"), [(5, AT), (-3600, None)])
def test_what_a_sync_saw_first_becomes_the_changes(seen_after_s: int, began_at: datetime | None) -> None:
    """Seen while the step was under way, or there from before (then nobody knows since when)."""
    step = verified()
    assert step.sent_at is not None
    make_mirror(step, first_seen_at=step.sent_at + timedelta(seconds=seen_after_s))
    life = mirror_began(step=step, at=AT)
    assert life is not None
    assert (Mirror.objects.count(), life.origin, life.reason, life.began_at) == (1, "change", step.change.reason, began_at)


def test_another_tap_on_the_same_configuration_is_another_life() -> None:
    first = verified()
    mirror_began(step=first, at=AT)
    moved = make_change(action="move", reason="collector replaced", applied_by_name="bo")
    body = {"properties": {"virtualNetworkTap": {"id": OTHER_TAP}}}
    mirror_began(step=verified(moved, body=body), at=AT + timedelta(hours=1))
    old, new = Mirror.objects.order_by("pk")
    assert (old.state, old.ended_change, old.ended_at) == ("ended", moved, new.began_at)
    assert (new.tap_name, new.state) == ("tap-two", "live")


def test_drift_of_the_nic_is_decided_by_making_it_anew() -> None:
    step = verified()
    make_mirror(step, origin="change", reason="x", state="vanished", ended_at=AT)
    mirror_began(step=step, at=AT + timedelta(hours=1))
    old, new = Mirror.objects.order_by("pk")
    assert (old.drift_decision, old.is_drift, old.drift_decided_by) == ("re_created", False, "ada")
    assert new.is_open


def test_what_a_sync_called_vanished_while_our_delete_was_under_way_is_our_work() -> None:
    step = delete()
    make_mirror(step, origin="change", reason="x", state="vanished", ended_at=AT - timedelta(seconds=5))
    life = mirror_ended(step=step, at=AT)
    assert life is not None
    assert (life.state, life.ended_change, life.ended_at) == ("ended", step.change, AT - timedelta(seconds=5))


def test_a_tap_has_lives_too() -> None:
    step = tap_step()
    life = mirror_began(step=step, at=AT)
    assert isinstance(life, TapLife)
    assert (life.tap_name, life.destination_key, life.reason) == ("tap-one", arm_key(FRONT), step.change.reason)
    assert mirror_began(step=step, at=AT) == life
    mirror_ended(step=tap_step(action="delete", method="DELETE", body=None), at=AT)
    assert [one.state for one in TapLife.objects.all()] == ["ended"]


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "ended"},  # without ended_at
        {"ended_at": AT},  # though live
        {"origin": "change"},  # without a reason
        {"origin": "stolen"},
        {"nic_key": ""},
        {"subscription_id": "ABC"},
        {},  # a second open life of the same configuration
    ],
    ids=str,
)
def test_a_life_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    step = verified()
    if not fields:
        make_mirror(step)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_mirror(step, **fields)
