"""Django's cache on Redis, for which an outage is a cache that holds nothing.

What is cached can be made again or asked for again (pictures, options, counters of failed sign-ins); a page must not fail because Valkey is being
restarted, nor wait long for one that never answers. Rate limits that count in the cache do not limit meanwhile. What must not be lost never stands
here.
"""

from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache

from vtapweb.events import outage
from vtapweb.events.patience import patience


class ForgivingRedisCache(RedisCache):
    """Answers as an empty cache while Redis is away, and says so once in the log. Errors in what is asked for are raised as ever."""

    def _ask(self, method: str, missing: Any, *arguments: Any, **named: Any) -> Any:
        ask = getattr(super(), method)
        try:
            with patience.asking():
                answer = ask(*arguments, **named)
        except (redis.ConnectionError, redis.TimeoutError) as problem:
            outage.redis.failed("cache.away", problem=type(problem).__name__)
            return missing
        outage.redis.worked()
        return answer

    def add(self, *arguments: Any, **named: Any) -> bool:
        return bool(self._ask("add", True, *arguments, **named))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._ask("get", default, key, default, version)

    def set(self, *arguments: Any, **named: Any) -> None:
        self._ask("set", None, *arguments, **named)

    def touch(self, *arguments: Any, **named: Any) -> bool:
        return bool(self._ask("touch", False, *arguments, **named))

    def delete(self, *arguments: Any, **named: Any) -> bool:
        return bool(self._ask("delete", False, *arguments, **named))

    def get_many(self, *arguments: Any, **named: Any) -> dict[Any, Any]:
        found: dict[Any, Any] = self._ask("get_many", {}, *arguments, **named)
        return found

    def has_key(self, *arguments: Any, **named: Any) -> bool:
        return bool(self._ask("has_key", False, *arguments, **named))

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        return int(self._ask("incr", delta, key, delta, version))

    def set_many(self, *arguments: Any, **named: Any) -> list[Any]:
        failed: list[Any] = self._ask("set_many", [], *arguments, **named)
        return failed
