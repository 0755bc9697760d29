"""Reports of displays on their way to Redis: the newest of each, at most one trip a second for all of a process."""

import asyncio

import structlog
from redis.exceptions import RedisError

from vtapweb.traffic.store import NoStoreError
from vtapweb.wall.reports import Report, reports_keep

FLUSH_S = 1.0

log = structlog.get_logger(__name__)


class Reports:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[int, Report] = {}
        self._wake = asyncio.Event()

    def take(self, display_id: int, report: Report) -> None:
        """It goes to Redis within a second, unless a newer one of the display comes before. Never waits."""
        self._waiting[display_id] = report
        self._wake.set()

    async def run(self) -> None:
        """While there are clients."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            taken, self._waiting = self._waiting, {}
            try:
                await asyncio.to_thread(reports_keep, taken)
            except (RedisError, NoStoreError, OSError) as problem:  # they are old in five seconds: nothing is kept for later
                log.debug("live.reports_lost", problem=str(problem))
            await asyncio.sleep(FLUSH_S)
