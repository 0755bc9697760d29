"""The database itself refuses to change or remove an audit entry, whoever asks: an ORM call, the admin pages, a shell."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SQLITE = [
    f"""CREATE TRIGGER access_auditentry_no_{verb.lower()} BEFORE {verb} ON access_auditentry
        BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END"""
    for verb in ("UPDATE", "DELETE")
]
POSTGRESQL = [
    """CREATE FUNCTION access_auditentry_refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'audit entries are append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER access_auditentry_no_change BEFORE UPDATE OR DELETE ON access_auditentry
       FOR EACH ROW EXECUTE FUNCTION access_auditentry_refuse()""",
    """CREATE TRIGGER access_auditentry_no_truncate BEFORE TRUNCATE ON access_auditentry
       FOR EACH STATEMENT EXECUTE FUNCTION access_auditentry_refuse()""",
]
STATEMENTS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def install(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 - Django's signature
    for statement in STATEMENTS[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("access", "0001_people_tokens_audit")]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
