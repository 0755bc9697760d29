"""The meter's wires: reads the stream, ticks at 0.30 s of each wall second, writes everything in one fenced transaction.

Without Redis it waits and keeps what it knows. Of two meters one writes, the other stands by. A wall clock that jumps is noticed by the
monotonic one.
"""

import threading
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
import redis
import structlog

from vtapweb.traffic import keys
from vtapweb.traffic.meter.collector import merged
from vtapweb.traffic.meter.engine import Meter, Told
from vtapweb.traffic.meter.lease import LEASE_MS, Lease, LeaseLostError
from vtapweb.traffic.meter.moment import Moment, moment
from vtapweb.traffic.meter.tables import Tables
from vtapweb.traffic.ring import Ring, drop_rings, load_rings
from vtapweb.traffic.samples import decode_collector, decode_sample

TICK_AT_MS: Final = 300  # of the wall second: agents send at whole seconds and a little
LEAST_BETWEEN_TICKS_MS: Final = 500
READ_COUNT: Final = 1_000
BATCH_PAUSE_S: Final = 0.02  # lets a few samples gather
TRY_AGAIN_S: Final = 0.5
STANDBY_S: Final = 1.0
CLOCK_STEP_MS: Final = 2_000
ASK_FOR_SYNC_EVERY_S: Final = 300
REMEMBERED_MS: Final = 86_400_000
SILENT_MS: Final = 5_000  # nothing read for so long: is the stream still the same one?

log = structlog.get_logger(__name__)


class Service:
    """One meter process. `clock` is asked for the time everywhere; `run` is the loop, the other methods are its parts."""

    def __init__(self, client: "redis.Redis", tables: Tables, *, clock: Callable[[], Moment] = moment, lease_ms: int = LEASE_MS) -> None:
        self._client = client
        self._tables = tables
        self._clock = clock
        self._lease = Lease(client, lease_ms=lease_ms)
        self._is_over = threading.Event()
        self._difference_ms: int | None = None
        self._due_mono_ms = 0
        self._last_read_mono_ms = 0
        self.meter: Meter | None = None
        self.position = "0-0"

    def stop(self) -> None:
        """From a signal: `run` returns soon."""
        self._is_over.set()

    def run(self) -> None:
        """Until `stop`."""
        is_away = False
        while not self._is_over.is_set():
            try:
                if not self.acquire():
                    self._is_over.wait(STANDBY_S)
                    continue
                if is_away:
                    log.info("meter.redis_back")
                is_away = False
                while not self._is_over.is_set():
                    self.turn()
            except LeaseLostError:
                log.warning("meter.lease_lost")
            except redis.RedisError as error:
                if not is_away:
                    log.warning("meter.redis_away", error=type(error).__name__)
                is_away = True
                self._is_over.wait(TRY_AGAIN_S)
        try:
            self._lease.release()
        except redis.RedisError as error:
            log.warning("meter.lease_kept", error=type(error).__name__)

    def turn(self) -> None:
        """Read what has come until the next tick is due, then tick. Raises redis.RedisError, LeaseLostError."""
        while (wait_ms := self.until_tick_ms()) > 0 and not self._is_over.is_set():
            if self.read(block_ms=wait_ms):
                self._is_over.wait(min(BATCH_PAUSE_S, max(self.until_tick_ms(), 0) / 1000))
        while self.read(block_ms=None) >= READ_COUNT:
            continue
        self.tick()

    def until_tick_ms(self) -> int:
        """How long until the next tick; 0 when it is due or overdue."""
        now = self.now()  # may plan the tick anew
        return max(self._due_mono_ms - now.mono_ms, 0)

    def _plan_tick(self, now: Moment) -> None:
        """The next one: at TICK_AT_MS of a wall second, and not at once."""
        wait_ms = (TICK_AT_MS - now.wall_ms) % 1_000
        self._due_mono_ms = now.mono_ms + (wait_ms if wait_ms >= LEAST_BETWEEN_TICKS_MS else wait_ms + 1_000)

    def now(self) -> Moment:
        """What time it is; tells the meter when the wall clock was set."""
        now = self._clock()
        difference_ms = now.wall_ms - now.mono_ms
        if self._difference_ms is not None:
            by_ms = difference_ms - self._difference_ms
            if abs(by_ms) > CLOCK_STEP_MS and self.meter is not None:
                log.warning("meter.clock_was_set", by_ms=by_ms)
                self.meter.clock_was_set(by_ms)
                self._plan_tick(now)
        self._difference_ms = difference_ms
        return now

    # -- the lease

    def acquire(self) -> bool:
        """Whether we may write now. A meter that takes over begins anew: every agent is asked for a full document. Raises redis.RedisError."""
        is_unbroken = self._lease.acquire()
        if is_unbroken is None:
            return False
        now = self.now()
        if is_unbroken and self.meter is not None:
            self.meter.resume(fence=self._lease.fence, now=now)
            return True
        log.info("meter.began", fence=self._lease.fence)
        state = {name.decode(): value.decode() for name, value in cast("dict[bytes, bytes]", self._client.hgetall(keys.METER_STATE)).items()}
        self.position = state.pop("position", "") or self._end_of_stream()
        self.meter = Meter(ring_of=self._ring_of, now=now, fence=self._lease.fence)
        self.meter.go_on(seq=int(state.pop("seq", "0")), table=int(state.pop("table", "0")))
        self._remember({name: int(value) for name, value in state.items()}, now)
        with self._client.pipeline(transaction=True) as pipe:
            self._lease.begin(pipe)
            pipe.delete(keys.BOOTS)
            self._execute(pipe)
        return True

    def _remember(self, covered: dict[str, int], now: Moment) -> None:
        """Who was there when the last meter ended, so that whoever stays silent is seen to be."""
        if self.meter is None:
            return
        for octets in cast("dict[bytes, bytes]", self._client.hgetall(keys.NOW)).values():
            try:
                known = decode_collector(octets)
            except msgspec.DecodeError:
                log.warning("meter.not_understood", key=keys.NOW)
                continue
            if any(now.wall_ms - member.arrived_ms < REMEMBERED_MS for member in known.members):
                self.meter.remember(known, covered, now)

    def _end_of_stream(self) -> str:
        last = cast("list[tuple[bytes, Any]]", self._client.xrevrange(keys.SAMPLES, count=1))
        return last[0][0].decode() if last else "0-0"

    def _ring_of(self, key: str) -> Ring:
        return load_rings(self._client, [key], now_s=self._clock().wall_s)[key]

    def _execute(self, pipe: "redis.client.Pipeline") -> list[Any]:
        try:
            return pipe.execute()
        except redis.WatchError as error:
            raise LeaseLostError from error

    # -- what comes in

    def read(self, *, block_ms: int | None) -> int:
        """Take what the stream holds, at most READ_COUNT; how many that were. Raises redis.RedisError."""
        if self.meter is None:
            raise LeaseLostError
        answer = cast("Any", self._client.xread({keys.SAMPLES: self.position}, count=READ_COUNT, block=block_ms))
        now = self.now()
        entries = entries_of(answer)
        for position, octets in entries:
            self._take(self.meter, octets, now)
            self.position = position
        if entries:
            self._last_read_mono_ms = now.mono_ms
        elif now.mono_ms - self._last_read_mono_ms > SILENT_MS:
            self._last_read_mono_ms = now.mono_ms
            self._find_stream()
        return len(entries)

    def _take(self, meter: Meter, octets: bytes, now: Moment) -> None:
        try:
            meter.take(decode_sample(octets), now)
        except msgspec.DecodeError as error:
            meter.counts.not_understood += 1
            log.warning("meter.not_understood", error=str(error))
        except (ArithmeticError, LookupError, TypeError, ValueError):
            # One sample that we fail at must not stop the measuring of all others, nor be read again after each restart.
            meter.counts.not_understood += 1
            log.exception("meter.failed_at_sample")

    def _find_stream(self) -> None:
        """An emptied Redis begins the stream anew, perhaps with smaller numbers than the one we stand at."""
        end = self._end_of_stream()
        if _id(end) < _id(self.position):
            log.warning("meter.stream_began_anew")
            self.position = "0-0"

    # -- what goes out

    def tick(self) -> None:
        """Tell everything. Raises redis.RedisError, LeaseLostError; then the next tick tells it."""
        meter = self.meter
        if meter is None:
            raise LeaseLostError
        now = self.now()
        attribution = self._tables.take()
        if attribution is not None:
            meter.use(attribution, now)
        self._plan_tick(now)
        told = meter.tick(now)
        self._merge_late_rows(meter)
        with self._client.pipeline(transaction=True) as pipe:
            self._lease.begin(pipe)
            self._write(pipe, meter, told, now)
            self._execute(pipe)
        meter.written(told, now)
        if told.unexplained and self._client.set(keys.SYNC_ASKED, b"1", nx=True, ex=ASK_FOR_SYNC_EVERY_S):
            meter.asked(told.unexplained)
            self._tables.ask_for_sync()

    def _merge_late_rows(self, meter: Meter) -> None:
        """Seconds that were written long ago get what has only now been told of them."""
        for collector in meter.collectors.values():
            if collector.late_rows:
                seconds = range(min(collector.late_rows), max(collector.late_rows) + 1)
                before = {} if meter.is_dropping_rings else collector.ring.read_rows(self._client, seconds)
                for second, row in collector.late_rows.items():
                    whole = before.get(second)
                    if whole is None:
                        whole = collector.ring.new_row()
                    merged(whole, row)
                    collector.rows[second] = whole
                    collector.new_s.add(second)
                collector.late_rows.clear()

    def _write(self, pipe: "redis.client.Pipeline", meter: Meter, told: Told, now: Moment) -> None:
        if meter.is_dropping_rings:
            drop_rings(pipe, meter.collectors)
            for collector in meter.collectors.values():
                collector.ring.renew()
        for collector in told.dirty:
            rows = {second: collector.row(second) for second in sorted(collector.new_s)}
            collector.ring.write(self._client, pipe, rows, now_s=now.wall_s)
        if told.now:
            pipe.hset(keys.NOW, mapping=cast("Any", told.now))
        if told.sources:
            pipe.hset(keys.SOURCES, mapping=cast("Any", told.sources))
        if told.gone:
            pipe.hdel(keys.NOW, *told.gone)
            pipe.hdel(keys.SOURCES, *told.gone)
        if told.boots_gone:
            pipe.hdel(keys.BOOTS, *told.boots_gone)
        if told.boots:
            pipe.hset(keys.BOOTS, mapping=cast("Any", told.boots))
        pipe.hset(keys.METER_STATE, mapping=cast("Any", {"position": self.position, "table": told.table_number, "seq": told.seq, **told.covered}))
        if told.table is not None:
            pipe.set(f"{keys.TABLE}{told.table_number}", told.table, ex=keys.TABLE_KEPT_S)
        pipe.hset(keys.METER_COUNTS, mapping=cast("Any", self.counts(meter)))
        pipe.expire(keys.METER_COUNTS, keys.METER_KEPT_S)
        pipe.set(keys.METER, told.meter, ex=keys.METER_KEPT_S)
        pipe.publish(keys.RATES, told.tick)

    def counts(self, meter: Meter) -> dict[str, int]:
        """For /metrics: names and numbers, some of which only grow until the meter ends."""
        counts = meter.counts
        members = [member.rates for collector in meter.collectors.values() for member in collector.members.values()]
        return {
            "samples_total": counts.samples,
            "points_total": counts.points,
            "samples_not_understood_total": counts.not_understood,
            **{f"samples_{outcome}_total": count for outcome, count in counts.by_outcome.items()},
            "samples_lost_total": sum(one.lost_count for one in members),
            "counter_resets_total": sum(one.reset_count for one in members),
            "ticks_total": counts.ticks,
            "collectors": len(meter.collectors),
            "members": len(members),
            **meter.source_counts(),
        }


def entries_of(answer: Any) -> list[tuple[str, bytes]]:
    """(id, sample) of XREAD's answer, in either protocol's form; entries without a sample are left out."""
    if not answer:
        return []
    streams = answer.items() if isinstance(answer, dict) else answer
    found = []
    for _, batches in streams:
        for entry in batches:
            for position, fields in entry if isinstance(entry, list) else (entry,):
                found.append((position.decode(), fields.get(keys.FIELD.encode(), b"")))
    return found


def _id(position: str) -> tuple[int, int]:
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number or 0)
