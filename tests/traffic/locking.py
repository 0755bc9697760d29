"""Another writer that holds a table: what a database that is locked looks like to the process of the test. Reading goes on, as with WAL."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models import Model


@contextmanager
def locked_for_writing(model: type[Model]) -> Iterator[None]:
    """Every write to the model's table fails within a moment, until the end of the block. Needs a test without a transaction of its own."""
    table = connection.ops.quote_name(model._meta.db_table)
    is_postgresql = connection.vendor == "postgresql"
    if is_postgresql:
        before = connection.settings_dict["OPTIONS"]
        connection.close()
        connection.settings_dict["OPTIONS"] = {**before, "options": "-c lock_timeout=50ms"}
        lock, begin, end = f"LOCK TABLE {table} IN EXCLUSIVE MODE", "BEGIN", "ROLLBACK"
    else:  # tests live in one shared cache, where who reads would wait for the writer too
        connection.cursor().execute("PRAGMA read_uncommitted = 1")
        lock, begin, end = f"UPDATE {table} SET id = id", "BEGIN IMMEDIATE", "ROLLBACK"  # noqa: S608 (the name of a table)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(begin)
            cursor.execute(lock)
            yield
            cursor.execute(end)
    finally:
        other.close()
        if is_postgresql:
            connection.close()
            connection.settings_dict["OPTIONS"] = before
        else:
            connection.cursor().execute("PRAGMA read_uncommitted = 0")
