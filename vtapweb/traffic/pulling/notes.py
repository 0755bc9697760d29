"""How asking for a collector's numbers went: what its page says about where they come from. In Redis, as nothing there is worth keeping."""

from collections.abc import Iterable, Mapping
from typing import Final, cast

import msgspec
import redis

from vtapweb.traffic.keys import PULLED
from vtapweb.traffic.samples import Origin
from vtapweb.traffic.store import NoStoreError, store

AZURE_MONITOR: Final = "azure_monitor"
PROMETHEUS: Final = "prometheus"


class Note(msgspec.Struct, array_like=True, frozen=True):
    """One question that is asked again and again. Times in ms by our clock, 0: never. `problem` "": it was answered.

    A field is only ever added at the end, with a default.
    """

    origin: Origin
    what: str  # is asked for, in words: the NIC, the frontend, the selector
    asked_ms: int
    told_ms: int  # when numbers came for the last time
    newest_ms: int  # the end of the newest interval that was told
    lag_s: float | None
    problem: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Note)


def field_of(collector_key: str, source: str) -> str:
    """`source`: AZURE_MONITOR and the member, or `prometheus:` and the number of its row."""
    return f"{collector_key}/{source}"


def notes_of(fields: Iterable[str]) -> dict[str, Note]:
    """Those that are there; nothing while Redis does not answer. One call."""
    wanted = list(fields)
    if not wanted:
        return {}
    try:
        found = cast("list[bytes | None]", store().hmget(PULLED, wanted))
    except (NoStoreError, redis.RedisError):
        return {}
    return {name: _decoder.decode(one) for name, one in zip(wanted, found, strict=True) if one is not None}


def notes_keep(client: "redis.Redis", notes: Mapping[str, Note], *, gone: Iterable[str] = ()) -> None:
    """Raises redis.RedisError."""
    forgotten = list(gone)
    with client.pipeline(transaction=False) as pipe:
        if notes:
            pipe.hset(PULLED, mapping={name: _encoder.encode(one) for name, one in notes.items()})
        if forgotten:
            pipe.hdel(PULLED, *forgotten)
        pipe.execute()
