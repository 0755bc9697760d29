"""From the web process to the stream: the samples of all requests of one turn of the event loop go to Redis together, one batch at a time.

While Redis works on a batch the next one gathers, so that batches grow with the load, and nothing else waits in line.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import redis

from vtapweb.traffic.ingest import metrics
from vtapweb.traffic.ingest.formats import Refused
from vtapweb.traffic.keys import BOOTS, FIELD, SAMPLES, SAMPLES_MOST, SAMPLES_OCTETS_MOST
from vtapweb.traffic.store import NoStoreError, store_async

BATCH_MOST: Final = 500
MEASURE_EVERY_S: Final = 2.0
PAUSE_S: Final = 1.0  # after a failure nobody is made to wait for the next one


@dataclass(slots=True)
class _Waiting:
    samples: list[bytes]
    field: str  # of BOOTS, "" where nobody asks
    stored: "asyncio.Future[bytes | None]"


class Intake:
    """For one event loop."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._away_until_s = float("-inf")
        self._measured_at_s = float("-inf")

    async def put(self, samples: list[bytes], field: str = "") -> bytes | None:
        """Returns when Redis has the samples: the boot that BOOTS holds in `field`, None where there is none or nobody asked.

        Raises Refused (503) when Redis does not take them.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until_s:
            raise Refused.away("Redis")
        waiting = _Waiting(samples, field, loop.create_future())
        self._waiting.append(waiting)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await waiting.stored

    async def close(self) -> None:
        """Waits for the batch that is under way, and hangs up."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
            await store_async().aclose()

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_MOST], self._waiting[BATCH_MOST:]
            began_s = time.perf_counter()
            try:
                boots = await _write(batch)
                await self._measure()
            except (redis.RedisError, NoStoreError, OSError):
                self._away_until_s = asyncio.get_running_loop().time() + PAUSE_S
                self._refuse(batch)
                return
            except BaseException:  # the loop ends, or a mistake of ours: nobody may wait for ever
                self._refuse(batch)
                raise
            metrics.store_seconds.observe(time.perf_counter() - began_s)
            for one in batch:
                if not one.stored.done():
                    one.stored.set_result(boots.get(one.field))

    async def _measure(self) -> None:
        """Now and then: the stream is bounded by its number of samples; where they are large it must be by its octets, too."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._measured_at_s >= MEASURE_EVERY_S:
            self._measured_at_s = now_s
            await bound_stream(octets_most=SAMPLES_OCTETS_MOST)

    def _refuse(self, batch: list[_Waiting]) -> None:
        """Tells everybody who waits, in this batch and behind it, that Redis is away."""
        batch, self._waiting = batch + self._waiting, []
        for one in batch:
            if not one.stored.done():
                one.stored.set_exception(Refused.away("Redis"))


async def _write(batch: list[_Waiting]) -> dict[str, bytes]:
    """One round trip. Returns what BOOTS holds of the fields that were asked for. Raises redis.RedisError, NoStoreError, OSError."""
    fields = [one.field for one in batch if one.field]
    pipe = store_async().pipeline(transaction=False)
    if fields:
        pipe.hmget(BOOTS, fields)
    for one in batch:
        for sample in one.samples:
            pipe.xadd(SAMPLES, {FIELD: sample}, maxlen=SAMPLES_MOST, approximate=True)
    answers = await pipe.execute()
    return {field: boot for field, boot in zip(fields, answers[0], strict=True) if boot is not None} if fields else {}


async def bound_stream(*, octets_most: int) -> None:
    """Throws the oldest samples away until the stream takes no more of Redis' memory. Raises redis.RedisError, NoStoreError."""
    client = store_async()
    while True:
        octets = int(await client.memory_usage(SAMPLES, samples=0) or 0)  # of all its parts, which are as many as samples at most: about 1 ms
        metrics.stream_octets.set(octets)
        length = int(await client.xlen(SAMPLES))
        if octets <= octets_most or not length:
            return
        kept = max(length * octets_most // octets, length * 7 // 8)  # not more than an eighth at once: the old ones may be the large ones
        metrics.thrown_away.inc(await client.xtrim(SAMPLES, maxlen=kept, approximate=False))
