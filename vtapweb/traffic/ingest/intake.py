"""From the web process to the stream: the samples of all requests of a few milliseconds go to Redis together, one batch at a time.

While Redis works on a batch the next one gathers, so that batches grow with the load, and nothing else waits in line. A batch is one command: packing
and reading one for each sample cost more than all else that is done with it here.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final, cast

import redis

from vtapweb.traffic.ingest import metrics
from vtapweb.traffic.ingest.formats import Refused
from vtapweb.traffic.keys import BOOTS, FIELD, SAMPLES, SAMPLES_MOST, SAMPLES_OCTETS_MOST
from vtapweb.traffic.store import NoStoreError, store_async

BATCH_MOST: Final = 500  # requests
BATCH_OCTETS: Final = 4 * 1024 * 1024  # about; Redis does nothing else while it takes a batch
GATHER_S: Final = 0.002  # agents send all at once, at whole seconds
MEASURE_EVERY_S: Final = 2.0
PAUSE_S: Final = 1.0  # after a failure nobody is made to wait for the next one

# KEYS: BOOTS, SAMPLES. ARGV: what the stream holds at most, FIELD, how many fields of BOOTS are asked for, these, and the samples.
TAKE: Final = """
local asked = tonumber(ARGV[3])
local boots = {}
if asked > 0 then boots = redis.call('HMGET', KEYS[1], unpack(ARGV, 4, 3 + asked)) end
for at = 4 + asked, #ARGV do redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', ARGV[2], ARGV[at]) end
return boots
"""


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
            batch: list[_Waiting] = []
            try:
                if len(self._waiting) < BATCH_MOST:
                    await asyncio.sleep(GATHER_S)
                batch = self._next_batch()
                began_s = time.perf_counter()
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

    def _next_batch(self) -> list[_Waiting]:
        """Whoever waits longest, at least one."""
        count = octets = 0
        for one in self._waiting[:BATCH_MOST]:
            count += 1
            octets += sum(map(len, one.samples))
            if octets >= BATCH_OCTETS:
                break
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

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
    samples = [sample for one in batch for sample in one.samples]
    told = cast("Any", store_async().eval(TAKE, 2, BOOTS, SAMPLES, SAMPLES_MOST, FIELD, len(fields), *fields, *samples))
    return {field: boot for field, boot in zip(fields, await told, strict=True) if boot is not None}


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
