"""What operators say about collectors, taken over from the room `taps` with its table and rows; its constraints get names of this room."""

import django.db.models.functions.text
from django.db import migrations, models

CONSTRAINTS = {
    "has_key": models.Q(("destination_key", ""), _negated=True),
    "sub_lower": models.Q(("subscription_id", django.db.models.functions.text.Lower("subscription_id"))),
    "capacity": models.Q(("capacity_bits_per_s", None), ("capacity_bits_per_s__gt", 0), _connector="OR"),
}


def named(room):
    return [models.CheckConstraint(condition=condition, name=f"{room}_assignment_{name}") for name, condition in CONSTRAINTS.items()]


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("taps", "0009_assignments_move"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[],
            state_operations=[
                migrations.CreateModel(
                    name="CollectorAssignment",
                    fields=[
                        ("destination_key", models.CharField(max_length=26, primary_key=True, serialize=False)),
                        ("destination_id", models.TextField()),
                        ("subscription_id", models.CharField(max_length=64)),
                        ("name", models.CharField(blank=True, default="", max_length=200)),
                        ("partner", models.CharField(blank=True, default="", max_length=100)),
                        ("capacity_bits_per_s", models.PositiveBigIntegerField(blank=True, null=True)),
                        ("owner", models.CharField(blank=True, default="", max_length=200)),
                        ("note", models.TextField(blank=True, default="")),
                        ("by", models.CharField(max_length=200)),
                        ("at", models.DateTimeField()),
                    ],
                    options={"ordering": ["destination_id"], "constraints": named("taps")},
                ),
            ],
        ),
        *(migrations.RemoveConstraint("CollectorAssignment", one.name) for one in named("taps")),
        *(migrations.AddConstraint("CollectorAssignment", one) for one in named("traffic")),
    ]
