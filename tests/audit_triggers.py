"""Takes the triggers off the audit table for the moment in which a test database is emptied."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def audit_triggers_off(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Restores them afterwards, on SQLite from their own text. A database without the table passes."""
    with connection.cursor() as cursor:
        if "access_auditentry" not in connection.introspection.table_names(cursor):
            yield
            return
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE access_auditentry DISABLE TRIGGER USER")
            try:
                yield
            finally:
                cursor.execute("ALTER TABLE access_auditentry ENABLE TRIGGER USER")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'access_auditentry'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        try:
            yield
        finally:
            for _, text in triggers:
                cursor.execute(text)
