"""What operators say about collectors belongs to the room `traffic` from now on: the table gets that room's name, its rows stay."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("taps", "0008_planner_scope"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.AlterModelTable("CollectorAssignment", "traffic_collectorassignment")],
            state_operations=[migrations.DeleteModel("CollectorAssignment")],
        ),
    ]
