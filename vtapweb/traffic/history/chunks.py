"""The history in the database: one row for a group of series of one collector and an hour (at 1 min) or a day (at 5 min).

Rule 1: an hour's row is completed minute by minute; a day's is made of its hours once it is over. Rule 2: the total of a collector has a row of its
own, so that reading it never touches the sources. Rule 3: sources are spread over groups of at most about SERIES_A_GROUP by a digest of their id, so
that one is read without the thousands beside it; a row's `tag` tells of how many groups it is which.
"""

import sys
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import nan
from typing import Final, TypeAlias
from zlib import crc32

import msgspec
from django.db import transaction
from django.db.models import Q

from vtapweb.traffic.history.backend import Minutes
from vtapweb.traffic.history.series import DAY, FIVE_MINUTES, HOUR, MINUTE, TOTAL, Grid, columns_of, lay_over, resample
from vtapweb.traffic.models import HistoryChunk

SERIES_A_GROUP: Final = 16
GROUPS_MOST: Final = 4096
SPAN_OF: Final = {MINUTE: HOUR, FIVE_MINUTES: DAY}  # how long a row is, by its step
TOTAL_TAG: Final = 0
ROWS_A_TIME: Final = 200  # written in one transaction, so that no other writer waits long
_IS_BIG_ENDIAN: Final = sys.byteorder == "big"

Column: TypeAlias = "array[float]"
Block: TypeAlias = dict[str, dict[str, Column]]  # by series and column


# -- one row's octets


def pack(block: Mapping[str, Mapping[str, Column]]) -> bytes:
    """msgpack of [names, float32 little-endian]: the series in order, of each its columns, of each its points."""
    names = sorted(block)
    values = array("f")
    for name in names:
        for column in columns_of(name):
            values.extend(block[name][column])
    if _IS_BIG_ENDIAN:
        values.byteswap()
    return msgspec.msgpack.encode((names, values.tobytes()))


_decoder = msgspec.msgpack.Decoder(tuple[list[str], bytes])


def unpack(octets: bytes, points: int, wanted: Collection[str] | None = None) -> Block:
    """The series of a row, or those `wanted` of them. Raises ValueError for octets that are no row of so many points."""
    try:
        names, raw = _decoder.decode(octets)
    except msgspec.DecodeError as error:
        raise ValueError(f"no row of history: {error}") from error
    if len(raw) != 4 * points * sum(len(columns_of(name)) for name in names):
        raise ValueError(f"a row of history with another length than {points} points of {len(names)} series")
    block: Block = {}
    at = 0
    for name in names:
        columns = columns_of(name)
        if wanted is None or name in wanted:
            block[name] = {column: _floats(raw[at + 4 * points * index : at + 4 * points * (index + 1)]) for index, column in enumerate(columns)}
        at += 4 * points * len(columns)
    return block


def _floats(raw: bytes) -> Column:
    values = array("f")
    values.frombytes(raw)
    if _IS_BIG_ENDIAN:
        values.byteswap()
    return values


# -- which row holds a series


@cache
def _digest(name: str) -> int:
    return crc32(name.encode())


def groups_for(count: int) -> int:
    """How many groups so many sources take: a power of two."""
    groups = 1
    while groups * SERIES_A_GROUP < count and groups < GROUPS_MOST:
        groups *= 2
    return groups


def tag_of(name: str, groups: int) -> int:
    """TOTAL_TAG, or `groups` + the number of the group: unlike for every number of groups."""
    return TOTAL_TAG if name == TOTAL else groups + _digest(name) % groups


def tags_of(names: Iterable[str]) -> set[int]:
    """Every tag under which one of these may be kept."""
    tags: set[int] = set()
    for name in names:
        groups = 1
        while groups <= GROUPS_MOST:
            tags.add(tag_of(name, groups))
            groups *= 2
    return tags


# -- reading and writing


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """Which row."""

    collector_key: str
    step_s: int
    start_s: int
    tag: int

    @property
    def points(self) -> int:
        return SPAN_OF[self.step_s] // self.step_s


@dataclass(slots=True)
class _News:
    """What is to be laid into a row: (index of the first point, block) each."""

    parts: list[tuple[int, Mapping[str, Mapping[str, Column]]]] = field(default_factory=list)


class SqlHistory:
    """The backend that needs nothing but the database."""

    def write(self, minutes: Sequence[Minutes]) -> None:
        """Keeps these minutes, in transactions of at most ROWS_A_TIME rows. Raises DatabaseError; what was kept before that stays."""
        news: dict[_Place, _News] = {}
        for one in minutes:
            _divide(one, news)
        places = sorted(news)
        for at in range(0, len(places), ROWS_A_TIME):
            _write({place: news[place] for place in places[at : at + ROWS_A_TIME]})

    def read(self, collector_keys: Collection[str], names: Collection[str], grid: Grid) -> dict[tuple[str, str], dict[str, Column]]:
        """One query. What is kept at 1 min goes before what is kept at 5 min of the same time. A grid finer than a minute finds nothing here."""
        steps = [step for step in (FIVE_MINUTES, MINUTE) if grid.step_s % step == 0]
        found: dict[tuple[str, str], dict[str, Column]] = {}
        if not steps or not collector_keys or not names:
            return found
        lengths = Q()
        for step in steps:
            lengths |= Q(step_s=step, start_s__gt=grid.start_s - SPAN_OF[step], start_s__lt=grid.end_s)
        rows = HistoryChunk.objects.filter(lengths, collector_key__in=sorted(collector_keys), tag__in=sorted(tags_of(names)))
        by_step: dict[int, list[tuple[str, int, Block]]] = {step: [] for step in steps}
        for key, step_s, start_s, data in rows.order_by("pk").values_list("collector_key", "step_s", "start_s", "data"):
            by_step[step_s].append((key, start_s, unpack(bytes(data), SPAN_OF[step_s] // step_s, names)))
        for step in steps:
            fine, blocks = _assembled(by_step[step], step)
            for place, columns in blocks.items():
                made = found.setdefault(place, {column: grid.empty() for column in columns})
                for column, values in columns.items():
                    lay_over(made[column], resample(fine.start_s, step, values, grid), 0)
        return found


def _assembled(rows: Sequence[tuple[str, int, Block]], step_s: int) -> tuple[Grid, dict[tuple[str, str], dict[str, Column]]]:
    """Rows of one step side by side, before anything is made coarser: a series may stand in several rows of one hour."""
    first = min((start for _, start, _ in rows), default=0)
    last = max((start + SPAN_OF[step_s] for _, start, _ in rows), default=0)
    fine = Grid(first, step_s, (last - first) // step_s)
    made: dict[tuple[str, str], dict[str, Column]] = {}
    for key, start_s, block in rows:
        for name, columns in block.items():
            below = made.setdefault((key, name), {column: fine.empty() for column in columns})
            for column, values in columns.items():
                lay_over(below[column], values, (start_s - first) // step_s)
    return fine, made


def _divide(minutes: Minutes, news: dict[_Place, _News]) -> None:
    """By hour and group."""
    groups = groups_for(sum(name != TOTAL for name in minutes.series))
    by_tag: dict[int, list[str]] = {}
    for name in minutes.series:
        by_tag.setdefault(tag_of(name, groups), []).append(name)
    length = max((len(values) for columns in minutes.series.values() for values in columns.values()), default=0)
    for hour in range(minutes.start_s // HOUR * HOUR, minutes.start_s + length * MINUTE, HOUR):
        first = max(0, (hour - minutes.start_s) // MINUTE)
        last = (hour + HOUR - minutes.start_s) // MINUTE
        at = (minutes.start_s + first * MINUTE - hour) // MINUTE
        for tag, names in by_tag.items():
            block = {name: {column: values[first:last] for column, values in minutes.series[name].items()} for name in names}
            known = {name: columns for name, columns in block.items() if any(value == value for values in columns.values() for value in values)}
            if known:
                news.setdefault(_Place(minutes.collector_key, MINUTE, hour, tag), _News()).parts.append((at, known))


@transaction.atomic
def _write(news: Mapping[_Place, _News]) -> None:
    keys = {place.collector_key for place in news}
    hours = {place.start_s for place in news}
    rows = HistoryChunk.objects.select_for_update().filter(step_s=MINUTE, collector_key__in=sorted(keys), start_s__in=sorted(hours))
    kept = {_Place(row.collector_key, row.step_s, row.start_s, row.tag): row for row in rows.order_by("pk")}
    written = []
    for place, one in news.items():
        row = kept.get(place)
        block = unpack(bytes(row.data), place.points) if row else {}
        for at, part in one.parts:
            for name, columns in part.items():
                below = block.setdefault(name, {column: _unknown(place.points) for column in columns_of(name)})
                for column, values in columns.items():
                    lay_over(below[column], values, at)
        written.append(_row(place, pack(block)))
    _keep(written)


def _unknown(points: int) -> Column:
    return array("f", (nan,)) * points


def _row(place: _Place, data: bytes) -> HistoryChunk:
    return HistoryChunk(collector_key=place.collector_key, step_s=place.step_s, start_s=place.start_s, tag=place.tag, data=data)


def _keep(rows: Sequence[HistoryChunk]) -> None:
    HistoryChunk.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["collector_key", "step_s", "tag", "start_s"], update_fields=["data"], batch_size=ROWS_A_TIME
    )


# -- hours become days, and go


def days_to_merge(*, now_s: float) -> list[int]:
    """The days (unix seconds of their midnight, UTC) that are over for an hour and have hours not merged yet, oldest first. One query."""
    over = int(now_s - HOUR) // DAY * DAY
    hours = HistoryChunk.objects.filter(step_s=MINUTE, is_merged=False, start_s__lt=over).values_list("start_s", flat=True).distinct()
    return sorted({start // DAY * DAY for start in hours})


def merge_day(day_s: int) -> int:
    """Makes the rows of one day at 5 min of its hours, which stay until they are trimmed; how many it made.

    May be run again. A transaction a collector.
    """
    hours = HistoryChunk.objects.filter(step_s=MINUTE, is_merged=False, start_s__gte=day_s, start_s__lt=day_s + DAY)
    made = 0
    for key in sorted(set(hours.values_list("collector_key", flat=True).order_by().distinct())):
        made += _merge_collector(key, day_s)
    return made


@transaction.atomic
def _merge_collector(collector_key: str, day_s: int) -> int:
    of_day = HistoryChunk.objects.select_for_update().filter(collector_key=collector_key, start_s__gte=day_s, start_s__lt=day_s + DAY)
    day = Grid(day_s, FIVE_MINUTES, DAY // FIVE_MINUTES)
    block: Block = {}
    rows = list(of_day.order_by("pk"))
    for step in (FIVE_MINUTES, MINUTE):  # what was merged before lies below
        parts = [(collector_key, row.start_s, unpack(bytes(row.data), SPAN_OF[step] // step)) for row in rows if row.step_s == step]
        fine, found = _assembled(parts, step)
        for (_, name), columns in found.items():
            made = block.setdefault(name, {column: day.empty() for column in columns})
            for column, values in columns.items():
                lay_over(made[column], resample(fine.start_s, step, values, day), 0)
    groups = groups_for(sum(name != TOTAL for name in block))
    by_tag: dict[int, Block] = {}
    for name, columns in block.items():
        by_tag.setdefault(tag_of(name, groups), {})[name] = columns
    HistoryChunk.objects.filter(collector_key=collector_key, step_s=FIVE_MINUTES, start_s=day_s).delete()
    _keep([_row(_Place(collector_key, FIVE_MINUTES, day_s, tag), pack(part)) for tag, part in by_tag.items()])
    HistoryChunk.objects.filter(pk__in=[row.pk for row in rows if row.step_s == MINUTE]).update(is_merged=True)
    return len(by_tag)


def trim(*, now_s: float, minutes_kept_s: float, days_kept_s: float) -> int:
    """Forgets hours that are merged and older than the one, days older than the other; how many rows. Two statements."""
    hours, _ = HistoryChunk.objects.filter(step_s=MINUTE, is_merged=True, start_s__lt=now_s - minutes_kept_s - HOUR).delete()
    days, _ = HistoryChunk.objects.filter(step_s=FIVE_MINUTES, start_s__lt=now_s - days_kept_s - DAY).delete()
    return hours + days
