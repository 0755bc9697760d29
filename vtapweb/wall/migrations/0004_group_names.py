from typing import Any

from django.db import migrations, models

NAME_LENGTH = 80  # of then


def tell_apart(apps: Any, _schema_editor: Any) -> None:
    """Of groups with one name the oldest keeps it; the others get their number behind it, which is nobody else's."""
    groups = apps.get_model("wall", "DisplayGroup").objects.order_by("pk")
    taken: set[str] = set()
    for group in groups:
        if group.name in taken:
            number = f" ({group.pk})"
            group.name = group.name[: NAME_LENGTH - len(number)] + number
            group.save(update_fields=["name"])
        taken.add(group.name)


class Migration(migrations.Migration):
    dependencies = [("wall", "0003_passing_views")]

    operations = [
        migrations.RunPython(tell_apart, migrations.RunPython.noop),
        migrations.AddConstraint(model_name="displaygroup", constraint=models.UniqueConstraint(fields=("name",), name="displaygroup_one_a_name")),
    ]
