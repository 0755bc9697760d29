"""The history in the database: written twice it is the same, merged it is the means, what was not measured stays a hole."""

from array import array
from math import isnan, nan

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from vtapweb.traffic.history.backend import HistoryBackend, Minutes
from vtapweb.traffic.history.chunks import (
    SERIES_A_GROUP,
    SqlHistory,
    days_to_merge,
    groups_for,
    merge_day,
    pack,
    tag_of,
    tags_of,
    trim,
    unpack,
)
from vtapweb.traffic.history.series import DAY, FIVE_MINUTES, HOUR, MINUTE, TOTAL, Grid, columns_of
from vtapweb.traffic.models import HistoryChunk

pytestmark = pytest.mark.django_db
MIDNIGHT = 1_794_960_000
KEY = "c" * 26
NIC = "n" * 26
SQL: HistoryBackend = SqlHistory()


def minutes(start_s: int, *values: float, name: str = TOTAL, key: str = KEY) -> Minutes:
    """The same values in every column."""
    return Minutes(key, start_s, {name: {column: array("f", values) for column in columns_of(name)}})


def read(grid: Grid, name: str = TOTAL, column: str = "packets", key: str = KEY) -> list[float | None]:
    found = SQL.read([key], [name], grid).get((key, name))
    return [] if found is None else [None if isnan(value) else value for value in found[column]]


def test_minutes_come_back_also_across_an_hour_and_written_twice() -> None:
    start = MIDNIGHT + HOUR - 2 * MINUTE
    given = minutes(start, 1, nan, 3, 4)
    for _ in range(2):
        SQL.write([given])
    assert read(Grid(start - MINUTE, MINUTE, 6)) == [None, 1, None, 3, 4, None]
    assert HistoryChunk.objects.count() == 2
    SQL.write([minutes(start, nan, 2, nan, 5)])  # told late; what is not known takes nothing away
    assert read(Grid(start, MINUTE, 4)) == [1, 2, 3, 5]
    assert read(Grid(start, MINUTE, 4), key="d" * 26) == []
    assert SQL.read([KEY], [TOTAL], Grid(start, 1, 4)) == {}  # finer than what is kept


def test_what_nobody_measured_is_not_kept() -> None:
    SQL.write([minutes(MIDNIGHT, nan, nan)])
    assert not HistoryChunk.objects.exists()


def test_days_are_made_of_hours_and_nothing_is_lost_between() -> None:
    SQL.write([minutes(MIDNIGHT + hour * HOUR, *([float(hour)] * 60)) for hour in (0, 5, 23)])
    SQL.write([minutes(MIDNIGHT + DAY, 7, 7)])
    assert days_to_merge(now_s=MIDNIGHT + DAY + HOUR - 1) == []
    assert days_to_merge(now_s=MIDNIGHT + DAY + HOUR) == [MIDNIGHT]
    kept = {"minutes_kept_s": DAY, "days_kept_s": 30 * DAY}
    assert trim(now_s=MIDNIGHT + 9 * DAY, **kept) == 0  # nothing is merged yet
    grid = Grid(MIDNIGHT, FIVE_MINUTES, 600)
    before = read(grid)
    assert merge_day(MIDNIGHT) == 1
    assert read(grid) == before
    assert (before[0], before[12], before[60], before[287], before[288]) == (0, None, 5, 23, 7)
    assert days_to_merge(now_s=MIDNIGHT + DAY + HOUR) == []
    assert trim(now_s=MIDNIGHT + DAY + 8 * HOUR, **kept) == 2
    assert read(grid) == before
    HistoryChunk.objects.filter(start_s=MIDNIGHT + 23 * HOUR).update(is_merged=False)
    merge_day(MIDNIGHT)  # of some hours only the day is left
    assert read(grid) == before
    assert trim(now_s=MIDNIGHT + 40 * DAY, **kept) == 2  # the last hour and the day; what is not merged stays
    assert HistoryChunk.objects.count() == 1


def test_a_source_is_read_without_the_others_and_a_growing_number_of_them(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    few, many = [f"nic-{number}" for number in range(3)], [f"nic-{number}" for number in range(3 * SERIES_A_GROUP)]
    for at, names in ((0, few), (1, many)):
        series = {name: {column: array("f", [float(number + at)]) for column in ("bits", "packets")} for number, name in enumerate(names)}
        SQL.write([Minutes(KEY, MIDNIGHT + at * MINUTE, series)])
    grid = Grid(MIDNIGHT, MINUTE, 2)
    with django_assert_num_queries(1):
        assert read(grid, "nic-2", "bits") == [2, 3]
    assert read(grid, f"nic-{SERIES_A_GROUP}", "bits") == [None, SERIES_A_GROUP + 1]
    merge_day(MIDNIGHT)
    assert read(Grid(MIDNIGHT, FIVE_MINUTES, 1), "nic-2", "bits") == [2.5]


def test_tags_never_mean_two_things() -> None:
    assert [groups_for(count) for count in (0, 1, SERIES_A_GROUP, SERIES_A_GROUP + 1, 10**9)] == [1, 1, 1, 2, 4096]
    for name in ("nic-1", "ip:10.0.0.4", TOTAL):
        assert {tag_of(name, groups) for groups in (1, 2, 64, 4096)} <= tags_of([name])
    assert tags_of([TOTAL]) == {0}


def test_a_row_that_is_none_is_refused() -> None:
    octets = pack({NIC: {"bits": array("f", [1.0]), "packets": array("f", [2.0])}})
    assert unpack(octets, 1) == {NIC: {"bits": array("f", [1.0]), "packets": array("f", [2.0])}}
    assert unpack(octets, 1, wanted=[]) == {}
    for wrong, points in ((octets, 2), (b"\x00", 1), (b"", 1)):
        with pytest.raises(ValueError, match="row of history"):
            unpack(wrong, points)


def test_a_kept_point_takes_less_than_17_octets() -> None:
    """The figure that docs/history.md states, for a day at 5 min of a collector with 5 sources; on SQLite with all that a table costs."""
    names = [TOTAL, *(f"{number:026}" for number in range(5))]
    for hour in range(24):
        SQL.write([
            Minutes(KEY, MIDNIGHT + hour * HOUR, {name: {column: array("f", [1.5] * 60) for column in columns_of(name)} for name in names})
        ])  # fmt: skip
    merge_day(MIDNIGHT)
    HistoryChunk.objects.filter(step_s=MINUTE).delete()
    points = 288 * len(names)
    octets = sum(len(bytes(data)) for data in HistoryChunk.objects.values_list("data", flat=True))
    assert octets / points < 12
    if connection.vendor == "sqlite":
        assert HistoryChunk._meta.db_table in connection.introspection.table_names()
