"""The audit record is append-only, by the database's own hand."""

import pytest
from django.db import DatabaseError, connection, transaction

from vtapweb.access.actions import audit_record
from vtapweb.access.models import AuditEntry, User

pytestmark = pytest.mark.django_db


def test_entries_are_added_and_never_changed_nor_removed() -> None:
    entry = audit_record(action="access.tested", actor="the test", target="a thing", detail={"n": 1})
    assert AuditEntry.objects.get() == entry
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.update(action="access.forged")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        entry.delete()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM access_auditentry")
    assert AuditEntry.objects.get().action == "access.tested"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_transactional_tests_still_start_empty(turn: int) -> None:
    assert not AuditEntry.objects.exists()
    audit_record(action="access.tested", actor="the test")
    with pytest.raises(DatabaseError, match="append-only"):
        AuditEntry.objects.update(action="access.forged")
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute("TRUNCATE access_auditentry" if connection.vendor == "postgresql" else "DELETE FROM access_auditentry")
    assert AuditEntry.objects.count() == 1


def test_who_acted_is_always_named() -> None:
    user = User.objects.create_user("ada")
    assert audit_record(action="access.tested", acting_user=user).actor == "ada"
    with pytest.raises(ValueError, match="Who did"):
        audit_record(action="access.tested")
