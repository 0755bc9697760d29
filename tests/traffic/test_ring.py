"""The ring of the last 15 minutes: what was written is read, what was not is a hole, and the columns may change."""

import math
from array import array
from collections.abc import Iterator

import pytest
import redis

from tests.valkey import Valkey
from vtapweb.traffic.ring import ROWS, TOTALS, Ring, RingView, bits_column, drop_rings, load_rings, packets_column, read_ring

NOW_S = 1_800_000_000
KEY = "c" * 26


@pytest.fixture
def client(valkey: Valkey) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(valkey.url)
    yield client
    client.close()


def put(client: redis.Redis, ring: Ring, values: dict[int, dict[str, float]]) -> None:
    """Writes rows, given as values by second and column."""
    rows = {}
    for second, named in values.items():
        places = {ring.place(name, second): value for name, value in named.items()}
        rows[second] = row = ring.new_row()
        for place, value in places.items():
            row[place] = value
    with client.pipeline(transaction=True) as pipe:
        ring.write(client, pipe, rows, now_s=max(values))
        pipe.execute()
    ring.written(now_s=max(values))


def known(view: RingView, column: str) -> dict[int, float]:
    values = view.columns.get(column, array("f"))
    return {second: value for second, value in zip(view.seconds, values, strict=False) if not math.isnan(value)}


def test_what_was_written_is_read_and_the_rest_is_a_hole(client: redis.Redis) -> None:
    assert read_ring(client, KEY, from_s=NOW_S, to_s=NOW_S + 5) == RingView(range(NOW_S, NOW_S + 5), {})
    ring = Ring(KEY)
    put(client, ring, {NOW_S: {TOTALS[0]: 8.0, "n:bits": 4.0}, NOW_S + 2: {TOTALS[0]: 16.0}})
    view = read_ring(client, KEY, from_s=NOW_S - 1, to_s=NOW_S + 4)
    assert known(view, TOTALS[0]) == {NOW_S: 8.0, NOW_S + 2: 16.0}
    assert known(view, "n:bits") == {NOW_S: 4.0}
    assert set(view.columns) == {*TOTALS, "n:bits"}
    assert {len(column) for column in view.columns.values()} == {5}
    assert set(read_ring(client, KEY, from_s=NOW_S, to_s=NOW_S + 1, columns=["n:bits"]).columns) == {"n:bits"}


def test_no_more_than_the_ring_holds_is_read_and_no_row_of_another_round(client: redis.Redis) -> None:
    ring = Ring(KEY)
    put(client, ring, {NOW_S: {TOTALS[0]: 1.0}, NOW_S + ROWS - 1: {TOTALS[0]: 2.0}})
    whole = read_ring(client, KEY, from_s=0, to_s=NOW_S + ROWS)
    assert whole.seconds == range(NOW_S, NOW_S + ROWS)
    assert known(whole, TOTALS[0]) == {NOW_S: 1.0, NOW_S + ROWS - 1: 2.0}
    later = read_ring(client, KEY, from_s=NOW_S + 1, to_s=NOW_S + ROWS + 1)
    assert known(later, TOTALS[0]) == {NOW_S + ROWS - 1: 2.0}, "the second that stands in the place of another one"
    put(client, ring, {NOW_S + ROWS: {TOTALS[0]: 3.0}})
    assert known(read_ring(client, KEY, from_s=NOW_S, to_s=NOW_S + ROWS), TOTALS[0]) == {NOW_S + ROWS - 1: 2.0}


def test_the_columns_grow_and_keep_what_was_written(client: redis.Redis) -> None:
    ring = Ring(KEY)
    for number in range(60):
        put(client, ring, {NOW_S + number: {bits_column(f"n{number}"): float(number), packets_column("n0"): 1.0}})
    view = read_ring(client, KEY, from_s=NOW_S, to_s=NOW_S + 60)
    assert all(known(view, bits_column(f"n{number}")) == {NOW_S + number: float(number)} for number in range(60))
    assert len(known(view, packets_column("n0"))) == 60


def test_the_next_writer_goes_on_where_the_last_one_left(client: redis.Redis) -> None:
    put(client, Ring(KEY), {NOW_S: {"a:bits": 1.0, "b:bits": 2.0}})
    rings = load_rings(client, [KEY, "other"], now_s=NOW_S + 5)
    put(client, rings[KEY], {NOW_S + 5: {"b:bits": 3.0, "c:bits": 4.0}})
    put(client, rings["other"], {NOW_S + 5: {"c:bits": 9.0}})
    view = read_ring(client, KEY, from_s=NOW_S, to_s=NOW_S + 6)
    assert {name: known(view, name) for name in view.columns if name not in TOTALS} == {
        "a:bits": {NOW_S: 1.0},
        "b:bits": {NOW_S: 2.0, NOW_S + 5: 3.0},
        "c:bits": {NOW_S + 5: 4.0},
    }


def test_a_column_that_was_silent_for_a_whole_ring_gives_its_place_away(client: redis.Redis) -> None:
    ring = Ring(KEY)
    names = [f"n{number}:bits" for number in range(30)]
    put(client, ring, {NOW_S: dict.fromkeys(names, 1.0)})
    capacity = ring.capacity
    later_s = NOW_S + ROWS + 2
    put(client, ring, {later_s: {f"m{number}:bits": 2.0 for number in range(30)}})
    assert ring.capacity <= 2 * capacity
    view = read_ring(client, KEY, from_s=later_s - 10, to_s=later_s + 1)
    assert known(view, "m29:bits") == {later_s: 2.0}
    assert not any(known(view, name) for name in names)


def test_rows_are_completed_later_and_forgotten_on_demand(client: redis.Redis) -> None:
    ring = Ring(KEY)
    put(client, ring, {NOW_S: {TOTALS[0]: 1.0}})
    rows = ring.read_rows(client, range(NOW_S, NOW_S + 2))
    assert list(rows) == [NOW_S]
    rows[NOW_S][ring.place(TOTALS[1], NOW_S)] = 5.0
    with client.pipeline(transaction=True) as pipe:
        ring.write(client, pipe, rows, now_s=NOW_S)
        pipe.execute()
    view = read_ring(client, KEY, from_s=NOW_S, to_s=NOW_S + 1)
    assert (known(view, TOTALS[0]), known(view, TOTALS[1])) == ({NOW_S: 1.0}, {NOW_S: 5.0})
    with client.pipeline(transaction=True) as pipe:
        drop_rings(pipe, [KEY])
        pipe.execute()
    assert read_ring(client, KEY, from_s=NOW_S, to_s=NOW_S + 1).columns == {}
    assert client.dbsize() == 0


def test_rings_of_collectors_that_are_gone_do_not_stay(client: redis.Redis) -> None:
    put(client, Ring(KEY), {NOW_S: {TOTALS[0]: 1.0}})
    assert all(0 < int(client.ttl(key)) <= 3600 for key in client.scan_iter())
