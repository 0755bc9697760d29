"""The meter's wires: reads the stream, ticks at 0.30 s of each wall second, writes everything in fenced transactions.

Without Redis it waits and keeps what it knows. Of two meters one writes, the other stands by. A wall clock that jumps is noticed by the
monotonic one. However much there is to do, it is done in pieces: between two of them the lease is renewed, and what a second has no time for (rings
that grow wider, samples of a long stall) goes on in the next one.
"""

import threading
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
import redis
import structlog

from vtapweb.traffic import keys
from vtapweb.traffic.meter.engine import Meter, Told
from vtapweb.traffic.meter.lease import LEASE_MS, Lease, LeaseLostError
from vtapweb.traffic.meter.moment import Moment, moment
from vtapweb.traffic.meter.rows import Rows
from vtapweb.traffic.meter.tables import Tables
from vtapweb.traffic.ring import Ring, drop_rings, load_rings
from vtapweb.traffic.samples import decode_collector, decode_sample

TICK_AT_MS: Final = 300  # of the wall second: agents send at whole seconds and a little
LEAST_BETWEEN_TICKS_MS: Final = 500
READ_COUNT: Final = 250
CATCH_UP_MS: Final = 1_500  # a tick that is due waits so long for samples that lie there already
RENEW_MS: Final = LEASE_MS // 4
RINGS_OCTETS: Final = 4 * 1024 * 1024  # about so much of the rings goes into one transaction
READ_RESERVE_MS: Final = 200  # of each second: then rings that were not written yet wait for the next tick
BATCH_PAUSE_S: Final = 0.02  # lets a few samples gather
TRY_AGAIN_S: Final = 0.5
STANDBY_S: Final = 1.0
CLOCK_STEP_MS: Final = 2_000
ASK_FOR_SYNC_EVERY_S: Final = 300
REMEMBERED_MS: Final = 86_400_000
TELL_BEYOND_EVERY_MS: Final = 600_000  # of each collector
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
        self._renewed_mono_ms = 0
        self._is_behind = False
        self._rings_waiting = 0
        self._told_beyond_mono_ms: dict[str, int] = {}
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
            count = self.read(block_ms=wait_ms)
            if 0 < count < READ_COUNT:
                self._is_over.wait(min(BATCH_PAUSE_S, max(self.until_tick_ms(), 0) / 1000))
        self.catch_up()
        self.tick()

    def catch_up(self) -> None:
        """Take what lies in the stream already, for a bounded time: after a stall ticks go on while it is worked off."""
        give_up_ms = self.now().mono_ms + CATCH_UP_MS
        self._is_behind = True
        while self._is_behind and not self._is_over.is_set():
            self._is_behind = self.read(block_ms=None) >= READ_COUNT
            if self.now().mono_ms >= give_up_ms:
                break

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
        known = {keys.member_field(key, name) for key, collector in self.meter.collectors.items() for name in collector.members}
        with self._client.pipeline(transaction=True) as pipe:
            self._begin(pipe)
            pipe.delete(keys.BOOTS)
            if forgotten := state.keys() - known:
                pipe.hdel(keys.METER_STATE, *forgotten)
            self._execute(pipe)
        return True

    def _begin(self, pipe: "redis.client.Pipeline") -> None:
        self._lease.begin(pipe)
        self._renewed_mono_ms = self._clock().mono_ms

    def _keep_lease(self, now: Moment) -> None:
        if not 0 <= now.mono_ms - self._renewed_mono_ms < RENEW_MS:
            self._lease.keep()
            self._renewed_mono_ms = now.mono_ms

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
        self._keep_lease(self.now())
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
        waiting = sorted((one.rows for one in meter.collectors.values() if one.rows.has_news), key=_oldest_news)
        with self._client.pipeline(transaction=True) as pipe:
            self._begin(pipe)
            self._tell(pipe, meter, told, now)
            if not waiting:
                self._note_position(pipe)
            self._execute(pipe)
        meter.was_told(told)
        self._tell_beyond(meter, now)
        self._rings_waiting = self._write_rings(waiting, now)
        if told.unexplained and self._client.set(keys.SYNC_ASKED, b"1", nx=True, ex=ASK_FOR_SYNC_EVERY_S):
            meter.asked(told.unexplained)
            self._tables.ask_for_sync()

    def _tell_beyond(self, meter: Meter, now: Moment) -> None:
        """Logs where sources are not told apart: at once, then now and then."""
        self._told_beyond_mono_ms = {key: at_ms for key, at_ms in self._told_beyond_mono_ms.items() if now.mono_ms - at_ms < TELL_BEYOND_EVERY_MS}
        for one in meter.collectors.values():
            if one.sources_beyond and one.key not in self._told_beyond_mono_ms:
                self._told_beyond_mono_ms[one.key] = now.mono_ms
                log.warning("meter.sources_not_told_apart", collector=one.key, beyond=one.sources_beyond, told_apart=one.sources_kept)

    def _tell(self, pipe: "redis.client.Pipeline", meter: Meter, told: Told, now: Moment) -> None:
        if meter.is_dropping_rings:
            drop_rings(pipe, meter.collectors)
        if told.now:
            pipe.hset(keys.NOW, mapping=cast("Any", told.now))
        if told.sources:
            pipe.hset(keys.SOURCES, mapping=cast("Any", told.sources))
        if told.gone:
            pipe.hdel(keys.NOW, *told.gone)
            pipe.hdel(keys.SOURCES, *told.gone)
        if told.boots_gone:
            pipe.hdel(keys.BOOTS, *told.boots_gone)
            pipe.hdel(keys.METER_STATE, *told.boots_gone)
        if told.boots:
            pipe.hset(keys.BOOTS, mapping=cast("Any", told.boots))
        pipe.hset(keys.METER_STATE, mapping=cast("Any", {"table": told.table_number, "seq": told.seq, **told.covered}))
        if told.table is not None:
            pipe.set(f"{keys.TABLE}{told.table_number}", told.table, ex=keys.TABLE_KEPT_S)
        pipe.hset(keys.METER_COUNTS, mapping=cast("Any", self.counts(meter, now)))
        pipe.expire(keys.METER_COUNTS, keys.METER_KEPT_S)
        pipe.set(keys.METER, told.meter, ex=keys.METER_KEPT_S)
        pipe.publish(keys.RATES, told.tick)
        if told.is_stirred:
            pipe.publish(keys.STIRRED, b"drops")

    def _write_rings(self, waiting: list[Rows], now: Moment) -> int:
        """The rows that are new, in pieces, until it is time to read again; at least one piece. Returns how many collectors' rows wait still."""
        done = 0
        while done < len(waiting):
            piece, octets = [], 0
            for one in waiting[done:]:
                one.merge_late(self._client)
                octets += one.ring.octets_of(len(one.new_s))
                piece.append(one)
                if octets > RINGS_OCTETS:
                    break
            done += len(piece)
            with self._client.pipeline(transaction=True) as pipe:
                self._begin(pipe)
                for one in piece:
                    one.ring.write(self._client, pipe, {second: one.row(second) for second in sorted(one.new_s)}, now_s=now.wall_s)
                if done == len(waiting):
                    self._note_position(pipe)
                self._execute(pipe)
            for one in piece:
                one.written(now)
            if self._clock().mono_ms > self._due_mono_ms - READ_RESERVE_MS:
                break
        return len(waiting) - done

    def _note_position(self, pipe: "redis.client.Pipeline") -> None:
        """Everything that was read up to here has been written."""
        pipe.hset(keys.METER_STATE, "position", self.position)

    def counts(self, meter: Meter, now: Moment) -> dict[str, float]:
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
            "lag_seconds": max(now.wall_ms - _id(self.position)[0], 0) / 1000 if self._is_behind else 0.0,
            "rings_waiting": self._rings_waiting,
            "lease_lapsed_total": self._lease.lapsed_count,
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


def _oldest_news(rows: Rows) -> int:
    return rows.oldest_news_s


def _id(position: str) -> tuple[int, int]:
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number or 0)
