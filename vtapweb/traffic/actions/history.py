"""What is written of the history: minutes of the ring, first and last packets, days, and what is old goes.

Rule: all of it may be run again, at any time, by anybody, with the same result; what failed is caught up with while the ring still holds it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar, cast

import redis
import structlog
from django.conf import settings
from django.db import transaction

from vtapweb.traffic.history import chunks
from vtapweb.traffic.history.backend import Minutes
from vtapweb.traffic.history.reading import history_backend
from vtapweb.traffic.history.series import DAY, HOUR, MINUTE, means
from vtapweb.traffic.keys import NOW, SOURCES, STORE_AT, STORED, STORING
from vtapweb.traffic.models import SourceFlow
from vtapweb.traffic.ring import ROWS, RingBusyError, read_ring
from vtapweb.traffic.samples import CollectorNow, SourceNow, decode_collector, decode_sources

SETTLE_S: Final = 3  # the newest second is written about two seconds later
STORING_S: Final = 55
COLLECTORS_A_TIME: Final = 50
SLOW_INTERVAL_S: Final = 10.0  # sources that tell more rarely complete rows of the ring later
FLOWS_A_TIME: Final = 500
FLOW_KEPT: Final = timedelta(minutes=5)

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """What one run kept: collectors, and minutes from `from_s` up to and without `to_s`. `is_complete` False: it is gone on with, or tried again."""

    collectors: int
    from_s: int
    to_s: int
    is_complete: bool


class _Pass(NamedTuple):
    """One way over all collectors, in the order of their keys. `after` is the last one done; `is_whole`: none had to be left out."""

    begin: int
    end: int
    is_whole: bool
    after: str

    def packed(self) -> str:
        return f"{self.begin} {self.end} {int(self.is_whole)} {self.after}"


def history_store(
    client: "redis.Redis", *, now_s: float, within_s: float | None = None, clock: Callable[[], float] = time.monotonic
) -> Stored | None:
    """Keeps all full minutes of the ring that are not kept yet, and when mirrors were first and last seen. None while another run is at it.

    After `within_s` it ends with the batch it is at, and the next run goes on there. Raises redis.RedisError and DatabaseError; the next run then
    catches up. Sources that tell late have their last minutes written anew.
    """
    if not client.set(STORING, "1", nx=True, ex=STORING_S):
        return None
    try:
        return _store(client, now_s, None if within_s is None else clock() + within_s, clock)
    finally:
        client.delete(STORING)


def _store(client: "redis.Redis", now_s: float, until_s: float | None, clock: Callable[[], float]) -> Stored:
    newest = int(now_s - SETTLE_S) // MINUTE * MINUTE
    oldest = -(-(int(now_s) - ROWS + 1) // MINUTE) * MINUTE  # the first minute that the ring holds whole
    stored = int(cast("bytes | None", client.get(STORED)) or 0)
    begin, end, is_whole, after = _pass_of(client, oldest, newest) or _Pass(
        stored if oldest <= stored <= newest else oldest,  # a mark that lies ahead is of a clock that was set back
        newest, True, "",
    )  # fmt: skip
    if until_s is not None and stored == newest and begin == end and not after:
        return Stored(0, begin, end, is_complete=True)  # asked again within the minute
    count = 0
    keys = [key for key in sorted(cast("list[bytes]", client.hkeys(NOW))) if key.decode() > after]
    for some in _parts(keys, COLLECTORS_A_TIME):
        written = []
        for now in _known(client, some):
            is_late = any(one.interval_s > SLOW_INTERVAL_S or one.lag_s for one in now.members)
            try:
                minutes = _minutes(client, now.key, oldest if is_late else begin, end)
            except RingBusyError:
                is_whole = False
                continue
            if minutes is not None:
                written.append(minutes)
        history_backend().write(written)
        _store_flows(client, some)
        count += len(written)
        if until_s is not None and clock() >= until_s and some[-1] != keys[-1]:
            client.set(STORE_AT, _Pass(begin, end, is_whole, some[-1].decode()).packed(), ex=ROWS)
            return Stored(count, begin, end, is_complete=False)
    client.delete(STORE_AT)
    if is_whole:
        client.set(STORED, end)
    return Stored(count, begin, end, is_whole)


def _pass_of(client: "redis.Redis", oldest: int, newest: int) -> _Pass | None:
    """The one that was not done in one go; None where there is none, or the ring holds none of its minutes any more."""
    packed = cast("bytes | None", client.get(STORE_AT))
    if packed is None:
        return None
    begin, end, is_whole, after = packed.decode().split(" ", 3)
    return _Pass(max(int(begin), oldest), int(end), is_whole == "1", after) if oldest < int(end) <= newest else None


def _known(client: "redis.Redis", keys: Sequence[bytes]) -> list[CollectorNow]:
    packed = cast("list[bytes | None]", client.hmget(NOW, list(keys)))
    return [decode_collector(one) for one in packed if one is not None]


def _minutes(client: "redis.Redis", collector_key: str, begin: int, end: int) -> Minutes | None:
    """Means of whole minutes; None where there are none."""
    if begin >= end:
        return None
    view = read_ring(client, collector_key, from_s=begin, to_s=end)
    series: dict[str, dict[str, chunks.Column]] = {}
    for label, values in view.columns.items():
        name, _, column = label.rpartition(":")
        series.setdefault(name, {})[column] = means(values, MINUTE)
    return Minutes(collector_key, begin, series) if series else None


# -- flowing


def _store_flows(client: "redis.Redis", keys: Sequence[bytes]) -> None:
    """First and last packets of every mirror that is seen now at these collectors."""
    flows = []
    packed = cast("list[bytes | None]", client.hmget(SOURCES, list(keys)))
    for key, one in zip(keys, packed, strict=True):
        sources = decode_sources(one) if one is not None else []
        flows += [(_flow(key.decode(), source), _is_quiet(source)) for source in sources if source.tap_configuration_key and source.last_packet_ms]
    for some in _parts(flows, FLOWS_A_TIME):
        flows_keep(some)


def _is_quiet(source: SourceNow) -> bool:
    """Whether its last packet may well have been the last one."""
    return not source.packets_per_s_60s


def _parts(values: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(values), length):
        yield values[at : at + length]


def _flow(collector_key: str, source: SourceNow) -> SourceFlow:
    last = max(source.first_packet_ms, source.last_packet_ms)
    return SourceFlow(
        tap_configuration_key=source.tap_configuration_key, collector_key=collector_key, nic_key=source.nic_key,
        first_at=datetime.fromtimestamp((source.first_packet_ms or last) / 1000, UTC), last_at=datetime.fromtimestamp(last / 1000, UTC),
    )  # fmt: skip


@transaction.atomic
def flows_keep(flows: Sequence[tuple[SourceFlow, bool]]) -> None:
    """Keeps the earliest first and the newest last packet of each mirror at each collector. At most two statements. Raises DatabaseError.

    The last packet of one that goes on sending is written every FLOW_KEPT, that of a quiet one (the second of each pair) at once.
    """
    kept = {
        (key, collector): (first, last)
        for key, collector, first, last in SourceFlow.objects.select_for_update()
        .filter(tap_configuration_key__in=sorted({one.tap_configuration_key for one, _ in flows}))
        .order_by("pk")
        .values_list("tap_configuration_key", "collector_key", "first_at", "last_at")
    }
    news: dict[tuple[str, str], SourceFlow] = {}
    for one, is_quiet in flows:
        place = (one.tap_configuration_key, one.collector_key)
        if place in kept:
            first, last = kept[place]
            if one.first_at >= first and (one.last_at - last < FLOW_KEPT and not (is_quiet and one.last_at > last)):
                continue
            one.first_at, one.last_at = min(one.first_at, first), max(one.last_at, last)
        before = news.get(place)
        if before is not None:
            one.first_at, one.last_at = min(one.first_at, before.first_at), max(one.last_at, before.last_at)
        news[place] = one
    if news:
        SourceFlow.objects.bulk_create(
            news.values(),
            update_conflicts=True,
            unique_fields=["tap_configuration_key", "collector_key"],
            update_fields=["nic_key", "first_at", "last_at"],
        )


# -- days


def history_merge(*, now_s: float) -> int:
    """Makes a day's rows of its hours, for every day that is over; how many rows. Raises DatabaseError; what is left is merged by the next run."""
    return sum(chunks.merge_day(day) for day in chunks.days_to_merge(now_s=now_s))


def history_trim(*, now_s: float) -> int:
    """Forgets what is older than the settings say; how many rows. Raises DatabaseError."""
    return chunks.trim(now_s=now_s, minutes_kept_s=settings.TRAFFIC_HISTORY_HOURS * HOUR, days_kept_s=settings.TRAFFIC_HISTORY_DAYS * DAY)
