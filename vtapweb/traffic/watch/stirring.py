"""What wakes the watch before its next turn is due: the meter says that a collector began to drop, or drops worse.

Rule 1: it only ever makes a turn come earlier; what is lost here is seen five seconds later. Rule 2: waiting ends in time whatever Redis does.
"""

import threading
import time
from contextlib import suppress
from typing import Any, Final

import redis
import structlog
from django.conf import settings

from vtapweb.traffic.keys import STIRRED
from vtapweb.traffic.store import GIVE_UP_AFTER_S

SLICE_S: Final = 0.5  # so long until it is noticed that all is over
HEALTH_CHECK_S: Final = 30

log = structlog.get_logger(__name__)


class Stirring:
    """Listens from the first wait on, so that what is said during a turn is heard after it. Belongs to one thread."""

    def __init__(self) -> None:
        self._client: redis.Redis | None = None
        self._subscription: Any = None

    def wait(self, for_s: float, is_over: threading.Event) -> bool:
        """Whether somebody stirred within `for_s`; False at once when all is over. What was said before the wait counts, several words once."""
        end_s = time.monotonic() + for_s
        is_stirred = False
        while not is_stirred and not is_over.is_set() and (left_s := end_s - time.monotonic()) > 0:
            try:
                is_stirred = self._hears(min(SLICE_S, left_s))
            except (redis.RedisError, OSError) as problem:
                log.info("watch.hears_nothing", problem=str(problem))
                self.close()
                is_over.wait(max(0.0, end_s - time.monotonic()))
        return is_stirred

    def _hears(self, within_s: float) -> bool:
        if self._subscription is None:
            self._client = redis.Redis.from_url(
                settings.REDIS_URL, socket_timeout=GIVE_UP_AFTER_S, socket_connect_timeout=GIVE_UP_AFTER_S, health_check_interval=HEALTH_CHECK_S
            )
            self._subscription = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call] # of redis-py
            self._subscription.subscribe(STIRRED)
        end_s = time.monotonic() + within_s
        found = False
        while (left_s := end_s - time.monotonic()) > 0:
            if self._subscription.get_message(timeout=0.0 if found else left_s) is not None:
                found = True
            elif found:
                break
        return found

    def close(self) -> None:
        """Hear nothing until the next wait."""
        for one in (self._subscription, self._client):
            if one is not None:
                with suppress(redis.RedisError, OSError):
                    one.close()
        self._client = self._subscription = None
