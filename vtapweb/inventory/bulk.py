"""Rows into tables by the shortest way: executemany on SQLite, COPY into a staging table on PostgreSQL, both ending in an upsert by key.

Knows tables and rows, nothing of Azure or of runs. Every function belongs into a short transaction of the caller's.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Final

from django.db import connection

from vtapweb.inventory.models import ResourceChange
from vtapweb.inventory.rows import Row, Table

COPY_FROM_ROWS: Final = 50  # below, one statement a row is quicker than a staging table
CHANGE_COLUMNS: Final = ("run_id", "subscription_id", "kind", "key", "arm_id", "name", "action", "fields", "origin", "at")


def upsert(table: Table, rows: Sequence[Row], *, at: datetime) -> None:
    """Insert rows or overwrite those of the same key; all are present afterwards. `at` becomes first_seen_at of new rows.

    No key may stand in `rows` twice.
    """
    if not rows:
        return
    stamp = connection.ops.adapt_datetimefield_value(at)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and len(rows) >= COPY_FROM_ROWS:
            staging, create, copy, merge = _copy_sql(table)
            cursor.execute(create)
            with cursor.copy(copy) as stream:
                for row in rows:
                    stream.write_row(row)
            cursor.execute(merge, [stamp])
            cursor.execute(f"TRUNCATE {staging}")
        else:
            cursor.executemany(_upsert_sql(table), [(*row, stamp) for row in rows])


def insert_changes(rows: Sequence[Row]) -> None:
    """Append to the record of changes; rows in the order of CHANGE_COLUMNS, `at` as a datetime, `fields` as JSON text."""
    if not rows:
        return
    name = _quoted([ResourceChange._meta.db_table])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and len(rows) >= COPY_FROM_ROWS:
            with cursor.copy(f"COPY {name} ({_quoted(CHANGE_COLUMNS)}) FROM STDIN") as stream:
                for row in rows:
                    stream.write_row(row)
        else:
            adapt = connection.ops.adapt_datetimefield_value
            holes = ", ".join(["%s"] * len(CHANGE_COLUMNS))
            sql = f"INSERT INTO {name} ({_quoted(CHANGE_COLUMNS)}) VALUES ({holes})"  # noqa: S608 (names of our own tables)
            cursor.executemany(sql, [(*row[:-1], adapt(row[-1])) for row in rows])


def chunks(keys: Iterable[str], size: int = 500) -> Iterable[list[str]]:
    """Sorted slices, so that two runs touch rows in one order."""
    ordered = sorted(keys)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(connection.ops.quote_name(name) for name in names)


def _overwrite(table: Table) -> str:
    sets = [f'"{name}" = excluded."{name}"' for name in table.columns if name != "key"]
    return ", ".join([*sets, '"last_seen_at" = NULL', '"removed_at" = NULL'])


@cache
def _upsert_sql(table: Table) -> str:
    name, columns, holes = _quoted([table.model._meta.db_table]), _quoted(table.columns), ", ".join(["%s"] * (len(table.columns) + 1))
    insert = f'INSERT INTO {name} ({columns}, "first_seen_at") VALUES ({holes})'  # noqa: S608 (names of our own tables)
    return f'{insert} ON CONFLICT ("key") DO UPDATE SET {_overwrite(table)}'


@cache
def _copy_sql(table: Table) -> tuple[str, str, str, str]:
    name, columns = _quoted([table.model._meta.db_table]), _quoted(table.columns)
    staging = _quoted([f"staging_{table.model._meta.db_table}"])
    create = f"CREATE TEMP TABLE IF NOT EXISTS {staging} ON COMMIT DROP AS SELECT {columns} FROM {name} WITH NO DATA"  # noqa: S608
    insert = f'INSERT INTO {name} ({columns}, "first_seen_at") SELECT {columns}, %s FROM {staging}'  # noqa: S608
    merge = f'{insert} ON CONFLICT ("key") DO UPDATE SET {_overwrite(table)}'
    return staging, create, f"COPY {staging} ({columns}) FROM STDIN", merge
