"""One batch of documents that differ from what is stored: compare field by field, write what differs, say what changed.

Everything here happens in one short transaction of the caller's, so that a row and the record of its change are kept or lost together.
Children that a document no longer holds are not removed here: absence is judged over the whole list, see `removal`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from vtapweb.domain.diff import Changes, field_changes, json_changes
from vtapweb.inventory.bulk import insert_changes, upsert
from vtapweb.inventory.models import ResourceChange
from vtapweb.inventory.rows import Child, Document, Row, Table

Before = Mapping[str, Any]
Action = ResourceChange.Action


@dataclass
class Written:
    """What a batch did. `vanished` and `stored` are keys of children, by kind: gone from their documents, and in them.

    A document in `unsettled` lost children whose absence is still to be judged: its digest is stored empty, so that the next sync looks at it
    again, whatever becomes of this one.
    """

    counts: dict[str, int] = field(default_factory=dict)
    vanished: dict[str, set[str]] = field(default_factory=dict)
    stored: dict[str, set[str]] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)


def write_batch(
    document: Document,
    items: Mapping[str, tuple[Any, str]],
    *,
    is_known: Callable[[str], bool],
    run_id: int | None,
    subscription_id: str,
    at: datetime,
    origin: str = "",
) -> "Written":
    """Write documents and their children; returns the number of changes recorded, and the children that the documents no longer hold.

    `items` is {key: (item, what is joined to it)}; `is_known` tells whether a row of a key may exist already (else nothing is looked up).
    """
    made = {key: document.row(item, subscription_id, joined) for key, (item, joined) in items.items()}
    known = [key for key in made if is_known(key)]
    before = _stored(document.table, "key", known)
    changes: list[Row] = []
    touched: set[str] = set()  # documents of which a child tells the change
    child_writes: list[tuple[Table, list[Row]]] = []
    written = Written()
    for child in document.children:
        writes = []
        made_children = _child_rows(child, items, made)
        before_children = _stored(child.table, child.parent_column, known)
        for key, row in made_children.items():
            old = before_children.get(key)
            is_back = old is not None and old["removed_at"] is not None
            parent = before.get(row[9])
            is_parent_news = parent is None or parent["removed_at"] is not None
            found = {} if old is None else _field_changes(child.table, old, row)
            if old is None or is_back or found or _differs(child.table, old, row):
                writes.append(row)
            if is_parent_news:
                continue  # told by its document
            if old is None or is_back or found:
                touched.add(row[9])
                changes.append(_change(child.table, row, old, found, run_id, origin, at))
        vanished = {key: old[child.parent_column] for key, old in before_children.items() if key not in made_children and old["removed_at"] is None}
        touched.update(vanished.values())
        written.vanished[child.table.kind] = set(vanished)
        written.stored[child.table.kind] = set(made_children)
        written.unsettled.update(vanished.values())
        child_writes.append((child.table, writes))
    for key, row in made.items():
        old = before.get(key)
        found = {} if old is None else _field_changes(document.table, old, row)
        is_news = old is None or old["removed_at"] is not None
        if not is_news and not found and key not in touched and old is not None:
            found = json_changes(bytes(old["raw"]), row[-1])
        if is_news or found:
            changes.append(_change(document.table, row, old, found, run_id, origin, at))
    upsert(document.table, [_unsettled(row) if key in written.unsettled else row for key, row in made.items()], at=at)
    for table, writes in child_writes:
        upsert(table, writes, at=at)
    written.counts = record_changes(changes)
    return written


def record_changes(changes: list[Row]) -> dict[str, int]:
    """Append rows in the order of bulk.CHANGE_COLUMNS; returns how many of each action."""
    insert_changes(changes)
    counts: dict[str, int] = {}
    for change in changes:
        counts[change[6]] = counts.get(change[6], 0) + 1
    return counts


def _unsettled(row: Row) -> Row:
    return (*row[:-2], b"", row[-1])


def _child_rows(child: Child, items: Mapping[str, tuple[Any, str]], made: Mapping[str, Row]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for parent_key, (item, _) in items.items():
        parent = made[parent_key]
        for one in child.items(item):
            row = child.row(one, one.arm_id, item, parent)
            found[row[0]] = row
    return found


def _stored(table: Table, column: str, keys: list[str]) -> dict[str, Before]:
    if not keys:
        return {}
    names = (*table.columns, "removed_at")
    found = table.model._default_manager.filter(**{f"{column}__in": keys}).values_list(*names)
    return {row[0]: dict(zip(names, row, strict=True)) for row in found.iterator(2000)}


def _field_changes(table: Table, old: Before, row: Row) -> Changes:
    told = {name: json.loads(row[index]) if is_json else row[index] for index, name, is_json in table.told_columns}
    return field_changes(old, told)


def _differs(table: Table, old: Before, row: Row) -> bool:
    """Whether any stored value differs, also one that no person is told of (an etag, another spelling)."""
    for name, value in zip(table.columns, row, strict=True):
        if name in table.json_columns:
            if msgspec.json.decode(value) != old[name]:
                return True
        elif value != old[name]:
            return True
    return False


def _change(table: Table, row: Row, old: Before | None, found: Changes, run_id: int | None, origin: str, at: datetime) -> Row:
    action, told = Action.CHANGED, found
    if old is None:
        action, told = Action.ADDED, {}
    elif old["removed_at"] is not None:  # it came back
        action, told = Action.ADDED, {"removed_at": [old["removed_at"].isoformat(), None], **found}
    return (run_id, row[3], str(table.kind), row[0], row[1], row[2], str(action), json.dumps(told), origin, at)
