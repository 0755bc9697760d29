"""A meter for tests: publishes tables and ticks as the real one does, one number a key."""

import math
from array import array
from collections.abc import Mapping, Sequence

import redis

from tests.valkey import Valkey
from vtapweb.traffic.keys import RATES, TABLE
from vtapweb.traffic.samples import Table, encode
from vtapweb.traffic.ticks import Tick, pack

UNIX_S = 1_767_225_600.3


class Meter:
    """`rates` are bits/s by key; packets/s are a thousandth. What it does not name is unknown."""

    def __init__(self, valkey: Valkey) -> None:
        self.valkey = valkey
        self.seq = 0
        self.number = 0
        self.table = Table([], [])

    def lists(self, mirrors: Sequence[str], collectors: Sequence[str], *, number: int | None = None) -> None:
        """From now on ticks are of this table."""
        self.number = self.number + 1 if number is None else number
        self.table = Table(list(mirrors), list(collectors))
        with redis.Redis.from_url(self.valkey.url) as client:
            client.set(f"{TABLE}{self.number}", encode(self.table))

    def ticks(self, rates: Mapping[str, float], *, seconds: int = 1) -> None:
        """A tick for each of so many seconds, one after the other at once."""

        def column(keys: Sequence[str], share: float) -> "array[float]":
            return array("f", [rates.get(key, math.nan) * share for key in keys])

        mirrors, collectors = self.table.mirrors, self.table.collectors
        columns = column(mirrors, 1), column(mirrors, 0.001), column(collectors, 1), column(collectors, 0.001)
        with redis.Redis.from_url(self.valkey.url) as client:
            for _ in range(seconds):
                self.seq += 1
                client.publish(RATES, pack(Tick(self.seq, self.number, UNIX_S + self.seq, *columns)))
