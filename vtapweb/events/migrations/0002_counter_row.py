from django.db import migrations


def make_row(apps, _schema_editor):
    apps.get_model("events", "EventCounter").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]
    operations = [migrations.RunPython(make_row, migrations.RunPython.noop)]
