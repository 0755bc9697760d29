"""What becomes of rows that a complete list no longer holds: removed, kept, or held until an admin confirms. See domain.absence for the rule.

Every function belongs into a transaction of the caller's that holds the lease.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Greatest

from vtapweb.domain.absence import Verdict, removal_verdict
from vtapweb.inventory.batch import record_changes
from vtapweb.inventory.bulk import chunks
from vtapweb.inventory.models import RemovalHold, ResourceChange
from vtapweb.inventory.rows import DOCUMENTS, Document, Row, Table

State = RemovalHold.State
ALIVE = (State.OPEN, State.CONFIRMED, State.DISMISSED)


@dataclass(frozen=True)
class Missing:
    """Rows of one table that one subscription's complete list lacks. `present_count` is what was there before the read."""

    subscription_id: str
    read_kind: str
    table: Table
    keys: frozenset[str]
    present_count: int


def judge_missing(missing: Missing, *, run_id: int, at: datetime) -> tuple[dict[str, int], bool]:
    """Remove, keep or hold the missing rows; returns the counts of recorded changes by action, and whether a hold waits for an admin."""
    alive = RemovalHold.objects.filter(
        subscription_id=missing.subscription_id, read_kind=missing.read_kind, kind=missing.table.kind, state__in=ALIVE
    ).first()
    keys, present_count = set(missing.keys), missing.present_count
    counts: dict[str, int] = {}
    if alive is not None:
        known = keys.intersection(alive.keys)
        if alive.state == State.CONFIRMED:
            counts = remove(missing.table, missing.read_kind, known, run_id=run_id, at=at)
            _close(alive, State.APPLIED)
            keys, present_count, alive = keys - known, present_count - len(known), None
        elif alive.state == State.DISMISSED:
            keys, present_count = keys - known, present_count - len(known)
            if not known:
                _close(alive, State.LAPSED)
                alive = None
    verdict = removal_verdict(is_complete=True, present_count=present_count, missing_count=len(keys))
    if verdict is Verdict.HOLD:
        _hold(alive, missing, keys, present_count, run_id, at)
        return counts, True
    if alive is not None and alive.state == State.OPEN:
        _close(alive, State.APPLIED if keys else State.LAPSED)
    if verdict is Verdict.REMOVE:
        for action, count in remove(missing.table, missing.read_kind, keys, run_id=run_id, at=at).items():
            counts[action] = counts.get(action, 0) + count
    return counts, False


def remove(table: Table, read_kind: str, keys: Iterable[str], *, run_id: int | None, at: datetime, origin: str = "") -> dict[str, int]:
    """Mark rows removed, with what stands inside them, and record it; returns the counts of recorded changes by action."""
    counts: dict[str, int] = {}
    document = DOCUMENTS[read_kind]
    for some in chunks(keys):
        present = table.model._default_manager.filter(key__in=some, removed_at=None)
        changes: list[Row] = [
            (run_id, subscription, str(table.kind), key, arm_id, name, str(ResourceChange.Action.REMOVED), json.dumps({}), origin, at)
            for key, subscription, arm_id, name in present.order_by("key").values_list("key", "subscription_id", "arm_id", "name")
        ]
        _mark(present, at, has_digest="digest" in table.columns)
        if table is document.table:
            _remove_children(document, some, at)
        for action, count in record_changes(changes).items():
            counts[action] = counts.get(action, 0) + count
    return counts


def _remove_children(document: Document, parents: list[str], at: datetime) -> None:
    for child in document.children:
        _mark(child.table.model._default_manager.filter(**{f"{child.parent_column}__in": parents}, removed_at=None), at, has_digest=False)


def _mark(present: Any, at: datetime, *, has_digest: bool) -> None:
    # A clock that was set back must not make a row removed before it was first seen.
    values: dict[str, Any] = {"removed_at": Greatest(F("first_seen_at"), Value(at)), "last_seen_at": Greatest(F("first_seen_at"), Value(at))}
    present.update(**values, **({"digest": b""} if has_digest else {}))


def _hold(alive: RemovalHold | None, missing: Missing, keys: set[str], present_count: int, run_id: int, at: datetime) -> None:
    if alive is not None and alive.state == State.DISMISSED:  # more went than was dismissed: a new question, for all of it
        _close(alive, State.LAPSED)
        keys, present_count, alive = set(missing.keys), missing.present_count, None
    values = {"keys": sorted(keys), "missing_count": len(keys), "present_count": present_count, "seen_at": at, "run_id": run_id}
    if alive is not None:
        RemovalHold.objects.filter(pk=alive.pk).update(**values)
        return
    RemovalHold.objects.create(subscription_id=missing.subscription_id, read_kind=missing.read_kind, kind=missing.table.kind, created_at=at, **values)


def _close(hold: RemovalHold, state: str) -> None:
    RemovalHold.objects.filter(pk=hold.pk).update(state=state)
