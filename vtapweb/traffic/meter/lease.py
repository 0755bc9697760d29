"""The right to write what the meter knows: one holder, told apart by a fence. Redis decides, not the holder's clock.

Rule 1: everything is written in transactions that fail where somebody else had the lease since (WATCH), so two meters never write. Rule 2: a lease
that ran out while its holder was busy, and that nobody took, is simply his again: the fence tells.
"""

import os
import secrets
import socket
from typing import Final, cast

import redis

from vtapweb.traffic.keys import METER_FENCE, METER_LEASE

LEASE_MS: Final = 4_000


class LeaseLostError(Exception):
    """Somebody else may write by now, or will soon."""


class Lease:
    """`fence` is 0 before the first time it was ours; `lapsed_count` says how often it ran out and was still ours."""

    def __init__(self, client: "redis.Redis", *, lease_ms: int = LEASE_MS) -> None:
        self._client = client
        self._lease_ms = lease_ms
        self.fence = 0
        self.lapsed_count = 0
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    @property
    def _value(self) -> bytes:
        return f"{self.fence}:{self.owner}".encode()

    def acquire(self) -> bool | None:
        """None while another one has it; else whether nobody had it since it was ours the last time. Raises redis.RedisError."""
        with self._client.pipeline(transaction=True) as pipe:
            try:
                pipe.watch(METER_LEASE, METER_FENCE)  # type: ignore[no-untyped-call] # of redis-py
                holder = cast("bytes | None", pipe.get(METER_LEASE))
                if holder is not None and holder != self._value:
                    return None
                highest = int(cast("bytes | None", pipe.get(METER_FENCE)) or 0)
                is_unbroken = self.fence > 0 and highest in {0, self.fence}
                fence = max(highest, self.fence) + 1
                pipe.multi()
                pipe.set(METER_LEASE, f"{fence}:{self.owner}", px=self._lease_ms)
                pipe.set(METER_FENCE, fence)
                pipe.execute()
            except redis.WatchError:
                return None
        self.fence = fence
        return is_unbroken

    def begin(self, pipe: "redis.client.Pipeline") -> None:
        """Open the transaction `pipe`: it will be carried out only if nobody else had the lease until then, and renews it.

        Raises LeaseLostError and redis.RedisError; `pipe.execute()` may raise redis.WatchError, which says the same.
        """
        pipe.watch(METER_LEASE, METER_FENCE)  # type: ignore[no-untyped-call] # of redis-py
        holder, fence = cast("list[bytes | None]", pipe.mget(METER_LEASE, METER_FENCE))
        if holder is None and fence == str(self.fence).encode():
            self.lapsed_count += 1
        elif holder != self._value:
            raise LeaseLostError
        pipe.multi()
        pipe.set(METER_LEASE, self._value, px=self._lease_ms)

    def keep(self) -> None:
        """Renew it between two pieces of work. Raises LeaseLostError and redis.RedisError."""
        with self._client.pipeline(transaction=True) as pipe:
            self.begin(pipe)
            try:
                pipe.execute()
            except redis.WatchError as error:
                raise LeaseLostError from error

    def release(self) -> None:
        """So that the next one need not wait. Raises redis.RedisError."""
        with self._client.pipeline(transaction=True) as pipe:
            try:
                pipe.watch(METER_LEASE)  # type: ignore[no-untyped-call] # of redis-py
                if pipe.get(METER_LEASE) == self._value:
                    pipe.multi()
                    pipe.delete(METER_LEASE)
                    pipe.execute()
            except redis.WatchError:
                return
