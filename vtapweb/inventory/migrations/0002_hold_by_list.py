from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]
    operations = [
        migrations.RemoveConstraint("removalhold", "removalhold_one_alive"),
        migrations.AddConstraint(
            "removalhold",
            models.UniqueConstraint(
                fields=["subscription", "read_kind", "kind"],
                condition=Q(state__in=["open", "confirmed", "dismissed"]),
                name="removalhold_one_alive",
            ),
        ),
    ]
