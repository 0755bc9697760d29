"""What operators said about collectors stays when its table moves from the room `taps` to this one, and when it moves back."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import IntegrityError

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE = [("taps", "0008_planner_scope"), ("traffic", None)]
SAID = {
    "destination_key": "k" * 26, "destination_id": "/subscriptions/x/y", "subscription_id": "5a000000-0000-0000-0000-000000000001",
    "name": "packet log", "partner": "own", "capacity_bits_per_s": 10**10, "owner": "soc", "note": "rack 4", "by": "kim",
    "at": datetime(2026, 11, 1, 8, 0, tzinfo=UTC),
}  # fmt: skip


def migrate(targets: list[tuple[str, str | None]]) -> MigrationExecutor:
    """The executor after it migrated there, with the state of then."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection)


@pytest.fixture
def newest() -> Iterator[list[tuple[str, str | None]]]:
    leaves: list[tuple[str, str | None]] = list(MigrationExecutor(connection).loader.graph.leaf_nodes())
    yield leaves
    migrate(leaves)


def test_an_assignment_survives_the_move_and_its_way_back(newest: list[tuple[str, str | None]]) -> None:
    taps = migrate(BEFORE).loader.project_state(BEFORE[:1]).apps  # type: ignore[arg-type]
    taps.get_model("taps", "CollectorAssignment").objects.create(**SAID)
    traffic = migrate(newest).loader.project_state(newest).apps  # type: ignore[arg-type]
    model = traffic.get_model("traffic", "CollectorAssignment")
    assert model.objects.values(*SAID).get() == SAID
    assert "taps_collectorassignment" not in connection.introspection.table_names()
    with transaction.atomic(), pytest.raises(IntegrityError), transaction.atomic():
        model.objects.create(**{**SAID, "destination_key": "m" * 26, "capacity_bits_per_s": 0})  # its constraints came along
    back = migrate(BEFORE).loader.project_state(BEFORE[:1]).apps  # type: ignore[arg-type]
    assert back.get_model("taps", "CollectorAssignment").objects.values(*SAID).get() == SAID
