"""The Redis of live numbers, as each kind of code reaches it. A call gives up after two seconds: who measures must not wait for who keeps."""

import asyncio
from functools import cache
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings

GIVE_UP_AFTER_S = 2.0


class NoStoreError(Exception):
    """No Redis is configured, so there are no live numbers."""


@cache
def _store(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, socket_timeout=GIVE_UP_AFTER_S, socket_connect_timeout=GIVE_UP_AFTER_S)


def store() -> "redis.Redis":
    """For code that may block. Raises NoStoreError without REDIS_URL; calls raise redis.RedisError."""
    if not settings.REDIS_URL:
        raise NoStoreError
    return _store(settings.REDIS_URL)


_async_stores: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, redis.asyncio.Redis]]" = WeakKeyDictionary()


def store_async() -> "redis.asyncio.Redis":
    """The one of the running event loop. Raises NoStoreError without REDIS_URL; calls raise redis.RedisError."""
    if not settings.REDIS_URL:
        raise NoStoreError
    of_loop = _async_stores.setdefault(asyncio.get_running_loop(), {})
    if settings.REDIS_URL not in of_loop:
        of_loop[settings.REDIS_URL] = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=GIVE_UP_AFTER_S, socket_connect_timeout=GIVE_UP_AFTER_S
        )
    return of_loop[settings.REDIS_URL]
