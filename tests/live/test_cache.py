"""The cache while Redis is away: an empty one, not an error; and what it is when Redis is there."""

from pathlib import Path

import pytest
import redis

from tests.valkey import Valkey
from vtapweb.config.cache import ForgivingRedisCache
from vtapweb.events.patience import REST_S, Patience, patience


def cache_on(address: str) -> ForgivingRedisCache:
    return ForgivingRedisCache(address, {"OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2}})


def test_a_cache_keeps_what_it_is_given(valkey: Valkey) -> None:
    cache = cache_on(valkey.url)
    cache.set("a", {"b": 1}, 60)
    assert cache.get("a") == {"b": 1}
    assert (cache.add("a", 2), cache.add("n", 0), cache.incr("n"), cache.has_key("n"), cache.touch("n")) == (False, True, 1, True, True)
    assert cache.set_many({"c": 3, "d": 4}) == []
    assert cache.get_many(["c", "d", "e"]) == {"c": 3, "d": 4}
    assert (cache.delete("c"), cache.get("c", "gone")) == (True, "gone")
    with pytest.raises(ValueError, match="nowhere"):
        cache.incr("nowhere")


def test_a_cache_without_its_redis_is_empty_and_raises_nothing(tmp_path: Path) -> None:
    cache = cache_on(f"unix://{tmp_path}/nobody.sock")
    cache.set("a", 1)
    assert cache.get("a") is None
    assert cache.get("a", "default") == "default"
    assert cache.get_many(["a"]) == {}
    assert (cache.add("n", 0), cache.incr("n"), cache.has_key("n"), cache.touch("n"), cache.delete("n")) == (True, 1, False, False, False)
    assert cache.set_many({"a": 1}) == []


def test_a_cache_comes_back_with_its_redis(valkey: Valkey) -> None:
    cache = cache_on(valkey.url)
    cache.set("a", 1)
    valkey.kill()
    assert cache.get("a") is None
    valkey.start()
    cache.set("a", 2)
    assert cache.get("a") == 2


def test_a_redis_that_never_answers_is_waited_for_once(valkey: Valkey) -> None:
    cache = ForgivingRedisCache(valkey.url, {"OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 0.1}})
    cache.set("a", 1)
    valkey.suspend()
    assert cache.get("a") is None
    valkey.resume()
    assert cache.get("a") is None, "it is let alone for some seconds"
    patience.forget()
    assert cache.get("a") == 1


def test_who_waited_in_vain_asks_again_after_some_seconds() -> None:
    now = [100.0]
    patience = Patience(clock=lambda: now[0])
    with pytest.raises(redis.TimeoutError, match="timed out"), patience.asking():
        raise redis.TimeoutError("timed out")
    now[0] += REST_S - 0.1
    with pytest.raises(redis.TimeoutError, match="a moment ago"), patience.asking():
        raise AssertionError("asked too soon")
    now[0] += 0.2
    with pytest.raises(redis.ConnectionError), patience.asking():
        raise redis.ConnectionError("refused")
    with patience.asking():
        now[0] += 1
