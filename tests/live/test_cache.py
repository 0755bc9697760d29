"""The cache while Redis is away: an empty one, not an error; and what it is when Redis is there."""

from pathlib import Path

import pytest

from tests.valkey import Valkey
from vtapweb.config.cache import ForgivingRedisCache


def cache_on(address: str) -> ForgivingRedisCache:
    return ForgivingRedisCache(address, {"OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 5}})


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
