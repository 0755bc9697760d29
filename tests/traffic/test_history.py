"""From the ring into the history and back as one series: holes stay, nothing is lost while the database is locked, nothing is counted twice."""

from array import array
from math import isnan, nan

import pytest
from celery import current_app
from django.db import OperationalError, connection
from pytest_django import Settings

from tests.traffic.played_ring import member_now, source_now, tell_collector, write_ring
from tests.valkey import Valkey
from vtapweb.traffic.actions.history import history_merge, history_store, history_trim
from vtapweb.traffic.history.backend import Minutes
from vtapweb.traffic.history.chunks import SqlHistory
from vtapweb.traffic.history.reading import read_history
from vtapweb.traffic.history.series import DAY, TOTAL, Grid
from vtapweb.traffic.keys import STORING
from vtapweb.traffic.models import HistoryChunk, SourceFlow
from vtapweb.traffic.samples import Origin
from vtapweb.traffic.store import store

pytestmark = pytest.mark.django_db
KEY, NIC, MIRROR = "c" * 26, "n" * 26, "m" * 26
BEGIN = 1_794_960_600  # a whole minute
PACKETS = f"{TOTAL}:packets"


def seen(grid: Grid, *, now_s: float, name: str = TOTAL, column: str = "packets") -> list[float | None]:
    values = read_history([KEY], [name], grid, now_s=now_s).column(KEY, name, column)
    return [None if isnan(value) else round(value, 3) for value in values]


def test_full_minutes_are_kept_and_the_ring_goes_on(valkey: Valkey) -> None:
    client = store()
    tell_collector(client, KEY)
    write_ring(client, KEY, BEGIN, {PACKETS: [*[10.0] * 60, *[nan] * 60, *[30.0] * 45], f"{NIC}:packets": [nan] * 30 + [4.0] * 30})
    stored = history_store(client, now_s=BEGIN + 165.0)
    assert stored is not None
    assert (stored.collectors, stored.to_s, stored.is_complete) == (1, BEGIN + 120, True)
    minutes = Grid(BEGIN - 60, 60, 5)
    now_s = BEGIN + 165.0
    assert seen(minutes, now_s=now_s) == [None, 10, None, 30, None]
    assert seen(minutes, now_s=now_s, name=NIC) == [None, 4, None, None, None]
    assert seen(minutes, now_s=now_s + 2000) == [None, 10, None, None, None]  # long after: what the ring had beyond the full minutes is not kept yet
    assert seen(Grid(BEGIN + 58, 1, 4), now_s=now_s) == [10, 10, None, None]


def test_storing_again_changes_nothing(valkey: Valkey) -> None:
    client = store()
    tell_collector(client, KEY)
    write_ring(client, KEY, BEGIN, {PACKETS: [10.0] * 180})
    history_store(client, now_s=BEGIN + 100.0)
    before = [bytes(one.data) for one in HistoryChunk.objects.order_by("pk")]
    again = history_store(client, now_s=BEGIN + 110.0)
    assert again is not None
    assert (again.collectors, again.from_s, again.to_s) == (0, BEGIN + 60, BEGIN + 60)
    assert [bytes(one.data) for one in HistoryChunk.objects.order_by("pk")] == before
    client.set(STORING, "1")
    assert history_store(client, now_s=BEGIN + 200.0) is None  # somebody else is at it


def test_a_large_estate_is_kept_part_by_part(valkey: Valkey) -> None:
    """Each run ends with the batch it is at once its time is over, and the next one goes on: every collector once, also while minutes pass."""
    client = store()
    keys = [f"{number:a>26}" for number in range(120)]
    for key in keys:
        tell_collector(client, key)
        write_ring(client, key, BEGIN, {PACKETS: [10.0] * 130})
    told = [history_store(client, now_s=BEGIN + 65.0 + 30 * run, within_s=0.0, clock=lambda: 0.0) for run in range(5)]
    assert [(one.collectors, one.is_complete, one.to_s - BEGIN) for one in told if one] == [
        (50, False, 60), (50, False, 60), (20, True, 60), (50, False, 120), (50, False, 120),
    ]  # fmt: skip
    assert HistoryChunk.objects.count() == len(keys)
    idle = [history_store(client, now_s=BEGIN + 170.0, within_s=9.0, clock=lambda: 0.0) for _ in range(2)]
    assert [(one.collectors, one.is_complete) for one in idle if one] == [(20, True), (0, True)]


def _locked(*_: object) -> None:
    raise OperationalError("database is locked")


def test_a_locked_database_loses_nothing(valkey: Valkey) -> None:
    client = store()
    tell_collector(client, KEY)
    write_ring(client, KEY, BEGIN, {PACKETS: [float(at // 60) for at in range(600)]})
    history_store(client, now_s=BEGIN + 65.0)
    with connection.execute_wrapper(_locked):
        for minute in (2, 3):
            with pytest.raises(OperationalError):
                history_store(client, now_s=BEGIN + 60.0 * minute + 5)
    history_store(client, now_s=BEGIN + 245.0)
    long_after = BEGIN + 5000.0
    assert seen(Grid(BEGIN, 60, 5), now_s=long_after) == [0, 1, 2, 3, None]


def test_what_a_slow_source_tells_late_is_kept(valkey: Valkey) -> None:
    client = store()
    tell_collector(client, KEY, member_now(origin=Origin.AZURE_MONITOR, interval_s=60.0, lag_s=90.0))
    write_ring(client, KEY, BEGIN, {PACKETS: [1.0] * 60})
    history_store(client, now_s=BEGIN + 190.0)
    write_ring(client, KEY, BEGIN, {PACKETS: [1.0] * 60 + [2.0] * 60})
    history_store(client, now_s=BEGIN + 250.0)
    assert seen(Grid(BEGIN, 60, 3), now_s=BEGIN + 5000.0) == [1, 2, None]


def test_a_clock_that_was_set_back_does_not_stop_it(valkey: Valkey) -> None:
    client = store()
    tell_collector(client, KEY)
    history_store(client, now_s=BEGIN + 7200.0)
    write_ring(client, KEY, BEGIN, {PACKETS: [1.0] * 60})
    stored = history_store(client, now_s=BEGIN + 65.0)
    assert stored is not None
    assert stored.collectors == 1


def test_what_the_ring_holds_only_in_part_does_not_replace_what_is_kept(valkey: Valkey) -> None:
    client = store()
    hour = BEGIN // 3600 * 3600
    SqlHistory().write([Minutes(KEY, hour, _total([10.0] * 60))])
    now_s = hour + 3000.0  # the ring holds what is younger than 2101 s: of the step of 1800 s a part, of that of 2400 s all
    write_ring(client, KEY, hour + 2101, {PACKETS: [50.0] * 600})
    assert seen(Grid(hour + 1800, 300, 3), now_s=now_s) == [10, 10, 50]


def _total(values: list[float]) -> dict[str, dict[str, "array[float]"]]:
    return {TOTAL: {column: array("f", values) for column in ("inner_bits", "wire_bits", "packets", "drops")}}


def test_without_redis_what_is_kept_is_shown_and_the_lack_is_said(settings: Settings) -> None:
    settings.REDIS_URL = ""
    SqlHistory().write([Minutes(KEY, BEGIN, _total([10.0]))])
    found = read_history([KEY], [TOTAL], Grid(BEGIN, 60, 2), now_s=BEGIN + 100.0)
    assert found.is_newest_missing
    assert found.column(KEY, TOTAL, "packets")[0] == 10
    assert not read_history([KEY], [TOTAL], Grid(BEGIN, 60, 2), now_s=BEGIN + 5000.0).is_newest_missing


def flow(first: int, last: int, *, is_quiet: bool = False, now_s: int) -> tuple[float, float]:
    """First and last packet that are kept after the meter told these."""
    rate = 0.0 if is_quiet else 10.0
    source = source_now(NIC, tap_configuration_key=MIRROR, first_ms=first * 1000, last_ms=last * 1000, packets_per_s_60s=rate)
    tell_collector(store(), KEY, sources=[source, source_now("", first_ms=first * 1000, last_ms=last * 1000)])
    history_store(store(), now_s=now_s)
    (kept,) = SourceFlow.objects.all()
    assert kept.nic_key == NIC
    return kept.first_at.timestamp(), kept.last_at.timestamp()


def test_first_and_last_packets_are_kept(valkey: Valkey) -> None:
    assert flow(BEGIN, BEGIN + 50, now_s=BEGIN + 60) == (BEGIN, BEGIN + 50)
    assert flow(BEGIN, BEGIN + 110, now_s=BEGIN + 120) == (BEGIN, BEGIN + 50)  # it goes on: not written each minute
    assert flow(BEGIN, BEGIN + 400, now_s=BEGIN + 410) == (BEGIN, BEGIN + 400)
    assert flow(BEGIN + 390, BEGIN + 420, now_s=BEGIN + 480, is_quiet=True) == (BEGIN, BEGIN + 420)  # the meter was started anew between
    assert flow(BEGIN - 60, BEGIN + 420, now_s=BEGIN + 540) == (BEGIN - 60, BEGIN + 420)


def test_days_are_merged_and_end_as_the_settings_say(settings: Settings) -> None:
    settings.TRAFFIC_HISTORY_HOURS, settings.TRAFFIC_HISTORY_DAYS = 2, 3
    day = BEGIN // DAY * DAY
    SqlHistory().write([Minutes(KEY, day, _total([10.0]))])
    assert history_merge(now_s=day + 1.2 * DAY) == 1
    assert history_merge(now_s=day + 1.2 * DAY) == 0
    assert history_trim(now_s=day + 1.2 * DAY) == 1
    assert history_trim(now_s=day + 4.1 * DAY) == 1
    assert not HistoryChunk.objects.exists()


def test_the_tasks_are_there() -> None:
    scheduled = {one["task"] for one in current_app.conf.beat_schedule.values()}
    names = {"traffic.store_minute", "traffic.merge_history", "traffic.trim_history"}
    assert names <= set(current_app.tasks)
    assert names <= scheduled
