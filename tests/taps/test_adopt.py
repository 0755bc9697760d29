"""Adopting and accepting: who may, what is written, what is refused whole."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from tests.taps.lives import NOON, make_life, make_tap_life
from tests.taps.people import token_viewer, viewer
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope
from vtapweb.taps.actions.adopt import Adoption, drift_accept, unaccounted_adopt
from vtapweb.taps.models import Mirror, TapLife
from vtapweb.taps.selectors.expiry import expiring
from vtapweb.taps.selectors.ledger import drifted_mirrors, first_review_count, ledger_counts, unaccounted_keys
from vtapweb.web.problem import ProblemError

pytestmark = pytest.mark.django_db

ALL = Scope.everything()
ADOPTION = Adoption(owner="team net", reason="known since 2024", ticket="CASE-1")


def adopt(mirrors: list[int], taps: list[int] | None = None, *, who: Role = Role.OPERATOR, adoption: Adoption = ADOPTION) -> int:
    return unaccounted_adopt(mirror_ids=mirrors, tap_ids=taps or [], adoption=adoption, acting_user=viewer(who, name=str(uuid4())))


def test_what_is_adopted_is_accounted_for_with_owner_reason_and_who() -> None:
    life, tap = make_life(), make_tap_life()
    operator = viewer(Role.OPERATOR, name="olga")
    assert first_review_count(ALL) == 1
    expires_at = timezone.now() + timedelta(days=30)
    adoption = Adoption(owner=" team net ", reason="known", expires_at=expires_at)
    assert unaccounted_adopt(mirror_ids=[life.pk], tap_ids=[tap.pk], adoption=adoption, acting_user=operator) == 2
    life.refresh_from_db()
    assert (life.origin, life.owner, life.reason, life.adopted_by, life.expires_at) == ("adopted", "team net", "known", "olga", expires_at)
    assert (life.began_by, life.began_at) == ("", None), "who made it stays unknown"
    assert TapLife.objects.get().origin == "adopted"
    entry = AuditEntry.objects.get(action="taps.adopted")
    assert (entry.actor, entry.reason, entry.detail["count"]) == ("olga", "known", 2)
    assert entry.detail["of"] == [{"mirror": life.nic_id, "tap": life.tap_id}, {"tap": tap.tap_id}]
    assert ledger_counts(ALL).total == 0
    assert first_review_count(ALL) == 0


@pytest.mark.parametrize(
    ("adoption", "field"),
    [
        (Adoption(owner=" ", reason="x"), "owner"),
        (Adoption(owner="x", reason="\n"), "reason"),
        (Adoption(owner="x", reason="x", expires_at=NOON), "expires_at"),
    ],
)
def test_owner_and_reason_are_needed_and_an_end_lies_ahead(adoption: Adoption, field: str) -> None:
    life = make_life()
    with pytest.raises(ValidationError) as refused:
        adopt([life.pk], adoption=adoption)
    assert refused.value.code == field
    assert Mirror.objects.get().origin == "outside"


def test_it_is_all_or_nothing() -> None:
    """One that was adopted, went, or lies out of scope refuses the rest: nobody adopts what he did not see."""
    life, other = make_life(), make_life("nic-2", origin="adopted", reason="x")
    for ids in ([life.pk, other.pk], [life.pk, 10**9], []):
        with pytest.raises(ValidationError):
            adopt(ids)
    stranger = token_viewer(Role.OPERATOR, "99999999-9999-9999-9999-999999999999")
    with pytest.raises(ValidationError):
        unaccounted_adopt(mirror_ids=[life.pk], tap_ids=[], adoption=ADOPTION, acting_user=stranger)
    with pytest.raises(ProblemError):
        adopt([life.pk], who=Role.VIEWER)
    life.refresh_from_db()
    assert life.origin == "outside"
    assert not AuditEntry.objects.filter(action="taps.adopted").exists()


def test_many_are_told_in_entries_that_can_be_read() -> None:
    ids = [make_life(f"nic-{number}").pk for number in range(250)]
    assert adopt(ids) == 250
    assert [len(one.detail["of"]) for one in AuditEntry.objects.filter(action="taps.adopted").order_by("pk")] == [200, 50]


def test_accepted_drift_waits_no_longer() -> None:
    life = make_life(origin="change", reason="x", state="vanished", ended_at=NOON)
    operator = viewer(Role.OPERATOR, name="olga")
    with pytest.raises(ValidationError):
        drift_accept(mirror_ids=[life.pk], tap_ids=[], reason="", acting_user=operator)
    assert drift_accept(mirror_ids=[life.pk], tap_ids=[], reason="the VM is gone", acting_user=operator) == 1
    life.refresh_from_db()
    assert (life.drift_decision, life.drift_decided_by, life.drift_reason, life.is_drift) == ("accepted", "olga", "the VM is gone", False)
    with pytest.raises(ValidationError, match="changed meanwhile"):
        drift_accept(mirror_ids=[life.pk], tap_ids=[], reason="again", acting_user=operator)
    assert AuditEntry.objects.get(action="taps.drift_accepted").reason == "the VM is gone"


def test_who_adopts_what_a_mirror_became_accepts_the_drift() -> None:
    old = make_life(origin="change", reason="x", state="changed", ended_at=NOON)
    new = make_life(replaces=old, tap_name="tap-two")
    assert list(drifted_mirrors(ALL)) == [old]
    adopt([new.pk])
    assert list(drifted_mirrors(ALL)) == []


def test_what_should_have_ended_is_found_the_longest_overdue_first() -> None:
    days = [timedelta(days=one) for one in (3, 1, 9)]
    for number, day in enumerate(days):
        make_life(f"nic-{number}", origin="adopted", reason="x", expires_at=NOON + day)
    make_life("ended", origin="change", reason="x", expires_at=NOON, state="ended", ended_at=NOON)
    make_life("no-end", origin="change", reason="x")
    assert [one.nic_name for one in expiring(ALL, before=NOON + timedelta(days=4))] == ["nic-1", "nic-0"]


def test_glyphs_and_counts_are_of_the_viewers_scope() -> None:
    life, tap = make_life(), make_tap_life()
    make_life("nic-2", origin="adopted", reason="x")
    keys = unaccounted_keys(ALL)
    assert [*keys.tap_configuration_keys, *keys.nic_keys, *keys.tap_keys] == [life.tap_configuration_key, life.nic_key, tap.tap_key]
    nowhere = Scope.of([])
    assert not unaccounted_keys(nowhere).nic_keys
    assert ledger_counts(nowhere).total == 0
    assert (ledger_counts(ALL).unaccounted, ledger_counts(ALL).drift) == (2, 0)
