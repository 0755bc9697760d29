"""The picture of an estate as a value: tables of rows by id, what changed between two of them, and the form in which both travel.

Rule 1: `apply(before, diff(before, after)) == after`; the vectors in tests/vectors hold it for Python and JavaScript. Rule 2: rows are ordered by
id, and an id never names two things. Rule 3: this file knows neither where the rows come from nor who may see them.
docs/topology.md describes the form on the wire.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import accumulate
from typing import Any, NamedTuple

Row = tuple[Any, ...]
Table = Mapping[int, Row]

FORMAT_VERSION = 1

# The columns of each table, in the order of a row's values. The first is always the id.
COLUMNS: dict[str, tuple[str, ...]] = {
    "regions": ("id", "name", "x", "y", "w", "h"),
    "vnets": ("id", "key", "name", "prefix", "region", "subscription", "role", "x", "y", "w", "h", "nics", "mirrored", "stale_since"),
    "subnets": ("id", "vnet", "name", "prefix", "x", "y", "w", "h", "columns", "nics", "mirrored"),
    "nics": ("id", "subnet", "slot", "name", "state"),
    "peerings": ("id", "a", "b", "state", "detail", "is_global"),
    "collectors": (
        "id", "key", "name", "kind", "vnet", "subnet", "x", "y", "w", "h", "address", "partner", "taps", "unaccounted", "mirrors", "members", "state",
    ),
    "mirrors": ("id", "nic", "collector", "state"),
}  # fmt: skip

# Columns that travel as first differences: value[i] = value[i - 1] + sent[i], beginning at 0. Runs of small numbers compress to almost nothing.
DELTA_COLUMNS: tuple[str, ...] = (
    "vnets.id", "subnets.id", "subnets.vnet", "nics.id", "nics.subnet", "nics.slot", "peerings.id", "mirrors.id", "mirrors.nic",
)  # fmt: skip

# Bits of `nics.state`.
MIRRORED, COLLECTOR_MEMBER, WITHOUT_VM, PRIVATE_ENDPOINT, STALE, VM_NOT_RUNNING, NOT_SUCCEEDED, UNACCOUNTED = 1, 2, 4, 8, 16, 32, 64, 128


class SubscriptionRow(NamedTuple):
    id: str
    name: str
    stale_since: int  # unix seconds of the last complete read, 0 = fresh


class World(NamedTuple):
    """What is drawn on: 0, 0 is the corner of the whole estate; somebody who sees a part of it gets the part's own box."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Snapshot:
    """One picture. `series` lists the keys of the mirrors in the order of their table, then those of the collectors.

    Of one reader's pictures with the same `series_revision` all have the same `series`.
    """

    revision: str
    series_revision: int
    series: tuple[str, ...]
    is_demo: bool
    built_at: str
    counts: Mapping[str, int]
    world: World
    subscriptions: tuple[SubscriptionRow, ...]
    tables: Mapping[str, Table] = field(default_factory=dict)


def series_digest(series: Iterable[str]) -> int:
    """A 32-bit number for an order of series: the same for the same keys in the same order, so it can be given without remembering the last one."""
    return int.from_bytes(blake2b("\n".join(series).encode(), digest_size=4).digest(), "big")


def encode(snapshot: Snapshot, geometry: Mapping[str, int]) -> dict[str, Any]:
    """The snapshot as plain values, column by column. `seq` is for the sender to add: it belongs to the moment of sending."""
    columns = {}
    for table, names in COLUMNS.items():
        rows = snapshot.tables[table]
        values = list(zip(*(rows[row_id] for row_id in sorted(rows)), strict=True)) or [()] * len(names)
        columns[table] = {
            name: differences(column) if f"{table}.{name}" in DELTA_COLUMNS else list(column) for name, column in zip(names, values, strict=True)
        }
    return {
        "v": FORMAT_VERSION,
        "revision": snapshot.revision,
        "series_revision": snapshot.series_revision,
        "is_demo": snapshot.is_demo,
        "built_at": snapshot.built_at,
        "counts": dict(snapshot.counts),
        "world": snapshot.world._asdict(),
        "geometry": dict(geometry),
        "encoding": {"delta": list(DELTA_COLUMNS)},
        "subscriptions": [row._asdict() for row in snapshot.subscriptions],
        "series": list(snapshot.series),
        "columns": columns,
    }


def decode(wire: Mapping[str, Any]) -> Snapshot:
    """The snapshot that `encode` sent. Raises KeyError or ValueError when a column is missing or shorter than its neighbours."""
    delta = set(wire["encoding"]["delta"])
    tables = {}
    for table, names in COLUMNS.items():
        sent = wire["columns"][table]
        columns = [list(accumulate(sent[name])) if f"{table}.{name}" in delta else sent[name] for name in names]
        tables[table] = {row[0]: row for row in zip(*columns, strict=True)}
    return Snapshot(
        revision=wire["revision"],
        series_revision=wire["series_revision"],
        series=tuple(wire["series"]),
        is_demo=wire["is_demo"],
        built_at=wire["built_at"],
        counts=dict(wire["counts"]),
        world=World(**wire["world"]),
        subscriptions=tuple(SubscriptionRow(**row) for row in wire["subscriptions"]),
        tables=tables,
    )


def differences(values: Sequence[int]) -> list[int]:
    """First differences, beginning at 0: the running sum of the result is `values`."""
    return [after - before for before, after in zip((0, *values), values, strict=False)]


def diff(before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """What `apply` needs to turn `before` into `after`: rows by table, and the small parts whole where they changed (else None)."""
    tables = {}
    for table, names in COLUMNS.items():
        old, new = before.tables[table], after.tables[table]
        upsert = [dict(zip(names, row, strict=True)) for row_id, row in sorted(new.items()) if old.get(row_id) != row]
        remove = sorted(old.keys() - new.keys())
        if upsert or remove:
            tables[table] = {"upsert": upsert, "remove": remove}
    return {
        "revision": after.revision,
        "built_at": after.built_at,
        "tables": tables,
        "counts": dict(after.counts),
        "world": after.world._asdict(),
        "subscriptions": None if after.subscriptions == before.subscriptions else [row._asdict() for row in after.subscriptions],
        "series_revision": after.series_revision,
        "series": None if after.series == before.series else list(after.series),
    }


def row_changes(delta: Mapping[str, Any]) -> int:
    """How many rows a delta touches."""
    return sum(len(table["upsert"]) + len(table["remove"]) for table in delta["tables"].values())


def changed_ids(delta: Mapping[str, Any]) -> set[int]:
    """The ids of all rows a delta touches."""
    tables: Iterable[Mapping[str, Any]] = delta["tables"].values()
    return {row_id for table in tables for row_id in (*table["remove"], *(row["id"] for row in table["upsert"]))}


def is_same_picture(before: Snapshot, after: Snapshot) -> bool:
    """Whether the two show the same, whatever their revisions and times."""
    return (before.tables, before.counts, before.world, before.subscriptions, before.series, before.is_demo) == (
        after.tables, after.counts, after.world, after.subscriptions, after.series, after.is_demo,
    )  # fmt: skip


def apply(snapshot: Snapshot, delta: Mapping[str, Any]) -> Snapshot:
    """The snapshot after a delta. Applying a delta twice changes nothing more."""
    tables = dict(snapshot.tables)
    for table, change in delta["tables"].items():
        rows = dict(tables[table])
        for row_id in change["remove"]:
            rows.pop(row_id, None)
        for row in change["upsert"]:
            rows[row["id"]] = tuple(row[name] for name in COLUMNS[table])
        tables[table] = rows
    return Snapshot(
        revision=delta["revision"],
        series_revision=delta["series_revision"],
        series=snapshot.series if delta["series"] is None else tuple(delta["series"]),
        is_demo=snapshot.is_demo,
        built_at=delta["built_at"],
        counts=dict(delta["counts"]),
        world=World(**delta["world"]),
        subscriptions=snapshot.subscriptions if delta["subscriptions"] is None else tuple(SubscriptionRow(**row) for row in delta["subscriptions"]),
        tables=tables,
    )
