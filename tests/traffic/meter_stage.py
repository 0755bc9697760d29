"""A meter on a real Valkey whose time the test keeps: agents send documents, ticks are read as others read them."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self, cast

import msgspec
import redis

from tests.valkey import Valkey
from vtapweb.traffic import keys
from vtapweb.traffic.meter.moment import Moment
from vtapweb.traffic.meter.service import Service
from vtapweb.traffic.meter.tables import Tables
from vtapweb.traffic.ring import RingView, read_ring
from vtapweb.traffic.samples import (
    CollectorNow,
    Counters,
    MeterNow,
    Origin,
    Points,
    SourceNow,
    Table,
    decode_collector,
    decode_meter,
    decode_sources,
    decode_table,
    encode,
)
from vtapweb.traffic.ticks import Tick, table_of, unpack

START_MS = 1_800_000_000_000
KEY = "c" * 26
LONG_MS = 600_000  # of a lease, as this machine may be busy


class Clock:
    """Both clocks; `set_by` moves the wall's alone."""

    def __init__(self) -> None:
        self.wall_ms = START_MS
        self.mono_ms = 5_000_000

    def __call__(self) -> Moment:
        return Moment(self.wall_ms, self.mono_ms)

    def go_on(self, by_ms: int) -> None:
        self.wall_ms += by_ms
        self.mono_ms += by_ms

    def set_by(self, by_ms: int) -> None:
        self.wall_ms += by_ms


@dataclass
class Agent:
    """Counts packets of 1,000 inner octets by source, cumulative since its boot, and sends documents."""

    client: "redis.Redis"
    clock: Clock
    collector: str = KEY
    member: str = "m-1"
    nic_key: str = ""
    boot: str = "boot-1"
    seq: int = 0
    packets: dict[str, int] = field(default_factory=dict)
    interval_s: float = 1.0
    host: dict[str, int] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    booted_mono_ms: int = 0

    def restart(self, boot: str) -> None:
        self.boot, self.seq, self.packets, self.booted_mono_ms = boot, 0, {}, self.clock.mono_ms

    def count(self, **by_source: int) -> None:
        """Packets by source, see address_of."""
        for name, packets in by_source.items():
            address = address_of(name)
            self.packets[address] = self.packets.get(address, 0) + packets

    def send(self, *, is_full: bool = True, only: Iterable[str] | None = None) -> None:
        self.seq += 1
        listed = self.packets if only is None else {address_of(name): self.packets[address_of(name)] for name in only}
        total = sum(self.packets.values())
        sample = Counters(
            collector=self.collector, member=self.member, origin=Origin.AGENT, interval_s=self.interval_s, arrival_ms=self.clock.wall_ms + 40,
            boot=self.boot, seq=self.seq, mono_ms=self.clock.mono_ms - self.booted_mono_ms, wall_ms=self.clock.wall_ms, is_full=is_full,
            packets=total, l3_bytes=total * 1036, host=dict(self.host), nic_key=self.nic_key,
            sources=[(address, 27, packets, packets * 1036) for address, packets in listed.items()],
        )  # fmt: skip
        send(self.client, msgspec.structs.replace(sample, **self.given))


def send(client: "redis.Redis", sample: Counters | Points) -> None:
    client.xadd(keys.SAMPLES, {keys.FIELD: encode(sample)}, maxlen=keys.SAMPLES_MOST, approximate=True)


def address_of(name: str) -> str:
    """`s4` is 10.0.1.4."""
    return f"10.0.1.{name.removeprefix('s')}"


class Stage:
    """At a whole wall second agents send; `tick` lets the second pass, with the meter's tick 0.3 s into it."""

    def __init__(self, valkey: Valkey, clock: Clock | None = None) -> None:
        self.valkey = valkey
        self.client = redis.Redis.from_url(valkey.url)
        self.clock = clock or Clock()
        self.tables = Tables()
        self.service = self.another()
        assert self.service.acquire()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def another(self) -> Service:
        """One more meter process."""
        return Service(self.client, self.tables, clock=self.clock, lease_ms=LONG_MS)

    def agent(self, **given: Any) -> Agent:
        return Agent(self.client, self.clock, **given)

    def tick(self) -> None:
        """The part of a second up to the tick, and the rest of it."""
        self.clock.go_on(300)
        while self.service.read(block_ms=None):
            continue
        self.service.tick()
        self.clock.go_on(700)

    # -- as others read it

    def now(self, key: str = KEY) -> CollectorNow | None:
        octets = cast("bytes | None", self.client.hget(keys.NOW, key))
        return decode_collector(octets) if octets is not None else None

    def known(self, key: str = KEY) -> CollectorNow:
        now = self.now(key)
        assert now is not None
        return now

    def sources(self, key: str = KEY) -> dict[str, SourceNow]:
        octets = cast("bytes | None", self.client.hget(keys.SOURCES, key))
        return {one.address: one for one in decode_sources(octets)} if octets is not None else {}

    def meter(self) -> MeterNow:
        octets = cast("bytes | None", self.client.get(keys.METER))
        assert octets is not None
        return decode_meter(octets)

    def ring(self, key: str = KEY, *, last_s: int = 60) -> RingView:
        second = self.clock.wall_ms // 1000
        return read_ring(self.client, key, from_s=second - last_s, to_s=second + 1)

    def ring_of(self, column: str, key: str = KEY, *, last_s: int = 60) -> dict[int, float]:
        """What a column knows, by seconds since the start."""
        view = self.ring(key, last_s=last_s)
        values = view.columns.get(column, array("f"))
        return {second - START_MS // 1000: round(value, 3) for second, value in zip(view.seconds, values, strict=False) if value == value}

    def table(self, number: int) -> Table:
        octets = cast("bytes | None", self.client.get(f"{keys.TABLE}{number}"))
        assert octets is not None
        return decode_table(octets)


class Listener:
    """Hears the channel of ticks, or another one."""

    def __init__(self, stage: Stage, channel: str = keys.RATES) -> None:
        self._stage = stage
        self._channel = stage.client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call] # of redis-py
        self._channel.subscribe(channel)
        self._channel.get_message(timeout=1)

    def words(self) -> list[bytes]:
        """What was said since the last time."""
        found = []
        while (message := self._channel.get_message(timeout=0.1)) is not None:
            found.append(message["data"])
        return found

    def ticks(self) -> list[tuple[Tick, Table]]:
        found = []
        while (message := self._channel.get_message(timeout=0.1)) is not None:
            table = self._stage.table(table_of(message["data"]))
            found.append((unpack(message["data"], mirror_count=len(table.mirrors), collector_count=len(table.collectors)), table))
        return found

    def close(self) -> None:
        self._channel.close()
