"""What displays were given stays when their tables change."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE = [("wall", "0003_passing_views")]


@pytest.fixture
def executor() -> Iterator[MigrationExecutor]:
    leaves = list(MigrationExecutor(connection).loader.graph.leaf_nodes())
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    yield MigrationExecutor(connection)
    MigrationExecutor(connection).migrate(leaves)


def test_of_groups_that_share_a_name_the_newer_get_their_number_behind_it(executor: MigrationExecutor) -> None:
    group = executor.loader.project_state(BEFORE).apps.get_model("wall", "DisplayGroup")
    long = "x" * 80
    first, second, alone, longest, other = (group.objects.create(name=name) for name in ("NOC", "NOC", "Lobby", long, long))
    executor.migrate([("wall", "0004_group_names")])
    names = dict(group.objects.values_list("pk", "name"))
    assert names == {
        first.pk: "NOC", second.pk: f"NOC ({second.pk})", alone.pk: "Lobby", longest.pk: long,
        other.pk: f"{long[: 80 - len(f' ({other.pk})')]} ({other.pk})",
    }  # fmt: skip
