"""What people decide about the ledger: adopt what nobody answers for, accept what drifted. Shape: check, write, audit. Operators."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.guards import role_check
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.plain_text import storable
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.inventory.selectors import in_scope
from vtapweb.taps.models import LedgerEntry, Mirror, TapLife

Origin, State, Decision = LedgerEntry.Origin, LedgerEntry.State, LedgerEntry.Decision

NAMES_AN_ENTRY = 200
WORDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Adoption:
    """Who answers from now on and why; `expires_at` None: until somebody ends it."""

    owner: str
    reason: str
    ticket: str = ""
    expires_at: datetime | None = None


@transaction.atomic
def unaccounted_adopt(
    *, mirror_ids: Iterable[int], tap_ids: Iterable[int], adoption: Adoption, acting_user: Viewer, request: HttpRequest | None = None
) -> int:
    """Makes these mirrors and TAPs accounted for; returns how many. Who made them stays unknown; who adopted them is kept.

    Raises ProblemError 403 for a viewer, ValidationError without owner or reason, for an expiry in the past, where nothing is named, and
    where any of them is out of scope, gone or adopted meanwhile (then nothing changes).
    """
    role_check(acting_user, Role.OPERATOR)
    now = timezone.now()
    told = _checked(adoption, now)
    adopted = {**told, "origin": Origin.ADOPTED, "adopted_at": now, "adopted_by": acting_user.name[:WORDS_MAX]}
    lives = _locked(mirror_ids, tap_ids, acting_user, origin=Origin.OUTSIDE, ended_at=None)
    _write(lives, adopted)
    detail = {"owner": told["owner"], "ticket": told["ticket"], "expires_at": told["expires_at"].isoformat() if told["expires_at"] else None}
    _record("taps.adopted", lives, told["reason"], detail, acting_user, request)
    _write_replacing_drift(lives, acting_user, told["reason"], now)
    enqueue_on_commit("topology.refresh")
    return len(lives)


@transaction.atomic
def drift_accept(*, mirror_ids: Iterable[int], tap_ids: Iterable[int], reason: str, acting_user: Viewer, request: HttpRequest | None = None) -> int:
    """Says of these drifted lives that Azure's state is right; returns how many. What a changed one points to now stays unaccounted until
    it is adopted.

    Raises ProblemError 403 for a viewer, ValidationError without a reason or where any of them waits no longer (then nothing changes).
    """
    role_check(acting_user, Role.OPERATOR)
    kept = _words(reason, "reason", "Give a reason: it stands in the audit record.")
    lives = _locked(mirror_ids, tap_ids, acting_user, state__in=[State.VANISHED, State.CHANGED], drift_decision="")
    _write(lives, _decided(Decision.ACCEPTED, acting_user, kept, timezone.now()))
    _record("taps.drift_accepted", lives, kept, {}, acting_user, request)
    return len(lives)


def _checked(adoption: Adoption, now: datetime) -> dict[str, Any]:
    if adoption.expires_at is not None and adoption.expires_at <= now:
        raise ValidationError("That moment is over. Choose a later one, or none.", code="expires_at")
    return {
        "owner": _words(adoption.owner, "owner", "Say who answers for it from now on.")[:WORDS_MAX],
        "reason": _words(adoption.reason, "reason", "Give a reason: it stands in the audit record."),
        "ticket": storable(adoption.ticket).strip(),
        "expires_at": adoption.expires_at,
    }


def _words(text: str, field: str, problem: str) -> str:
    kept = storable(text).strip()
    if not kept:
        raise ValidationError(problem, code=field)
    return kept


def _locked(mirror_ids: Iterable[int], tap_ids: Iterable[int], acting_user: Viewer, **standing: Any) -> list[Mirror | TapLife]:
    """The rows, locked, by their numbers. Raises ValidationError where there are none or not all of them stand as they should."""
    lives: list[Mirror | TapLife] = []
    wanted = 0
    model: type[Mirror] | type[TapLife]
    for model, ids in ((Mirror, sorted(set(mirror_ids))), (TapLife, sorted(set(tap_ids)))):
        wanted += len(ids)
        for some in _portions(ids):
            rows: QuerySet[Any] = model._default_manager.filter(pk__in=some, **standing)
            lives.extend(in_scope(rows, acting_user.scope).select_for_update().order_by("pk"))
    if not wanted:
        raise ValidationError("Tick at least one row.", code="rows")
    if len(lives) != wanted:
        count = wanted - len(lives)
        raise ValidationError(f"{count} of {wanted} changed meanwhile. Look at the list again; nothing was written.", code="rows")
    return lives


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """So many at a time as fit into one statement."""
    return (ids[first : first + NAMES_AN_ENTRY] for first in range(0, len(ids), NAMES_AN_ENTRY))


def _write(lives: list[Mirror | TapLife], values: dict[str, Any]) -> None:
    for model in (Mirror, TapLife):
        for some in _portions([one.pk for one in lives if isinstance(one, model)]):
            model._default_manager.filter(pk__in=some).update(**values)


def _write_replacing_drift(lives: list[Mirror | TapLife], acting_user: Viewer, reason: str, now: datetime) -> None:
    """Whoever adopts what a drifted mirror became has accepted the drift."""
    before = [one.replaces_id for one in lives if isinstance(one, Mirror) and one.replaces_id]
    for some in _portions(before):
        drift = Mirror.objects.filter(pk__in=some, drift_decision="", state__in=[State.VANISHED, State.CHANGED])
        drift.update(**_decided(Decision.ACCEPTED, acting_user, reason, now))


def _decided(decision: str, acting_user: Viewer, reason: str, now: datetime) -> dict[str, Any]:
    name = acting_user.name[:WORDS_MAX]
    return {"drift_decision": decision, "drift_decided_by": name, "drift_decided_at": now, "drift_reason": reason}


def _record(
    action: str, lives: list[Mirror | TapLife], reason: str, detail: dict[str, Any], acting_user: Viewer, request: HttpRequest | None
) -> None:
    """All names are kept, so many to an entry that each can be read."""
    for first in range(0, len(lives), NAMES_AN_ENTRY):
        some = lives[first : first + NAMES_AN_ENTRY]
        names = [{"mirror": one.nic_id, "tap": one.tap_id} if isinstance(one, Mirror) else {"tap": one.tap_id} for one in some]
        target = f"{str(some[0])[:200]}" if len(lives) == 1 else f"{len(lives)} mirrors and TAPs"
        audit_record(
            action=action, acting_user=acting_user, target=target, reason=reason, detail={**detail, "count": len(lives), "of": names}, request=request
        )
