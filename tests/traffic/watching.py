"""A stage for the watch: an estate in the database, live numbers in a real Redis, and a clock that the test moves.

[app-01 … app-0n: spoke] ==Connected== [hub: nic-packetlog]
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import redis

from tests.inventory.factories import Estate, make_estate
from tests.valkey import Valkey
from vtapweb.inventory.models import TapConfiguration
from vtapweb.traffic import keys
from vtapweb.traffic.models import Alarm
from vtapweb.traffic.samples import CollectorNow, MemberNow, MeterNow, Origin, SourceColumns, SourceNow, encode
from vtapweb.traffic.watch.judge import Judged
from vtapweb.traffic.watch.run import Watch

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

__all__ = ["START", "Stage", "collector_now", "member_now", "source_now"]


def member_now(arrived_s: float, **given: Any) -> MemberNow:
    """One member, healthy unless something else is given."""
    whole = MemberNow(
        member="m-1",
        nic_key="", origin=Origin.AGENT, interval_s=1.0, lag_s=None, arrived_ms=int(arrived_s * 1000), measured_ms=int(arrived_s * 1000),
        inner_bits_per_s=1e9, wire_bits_per_s=1.1e9, packets_per_s=1000.0, nic_packets_per_s=1000.0, drops_per_s={}, saturated_in_last_5=0,
        drop_share_10s=0.0, no_ports_share_30s=0.0, unattributed_share_60s=0.0, seq_gap_share_60s=0.0, boots_10min=1, is_estimate=False,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **given)


def collector_now(key: str, *members: MemberNow, **given: Any) -> CollectorNow:
    """A collector of these members that receives 1,000 packets a second, unless something else is given."""
    whole = CollectorNow(
        key=key, at_ms=0, members=list(members), inner_bits_per_s=1e9, wire_bits_per_s=1.1e9, wire_bits_per_s_5s=1.1e9, packets_per_s=1000.0,
        packets_per_s_60s=1000.0, drops_per_s=0.0, has_sources=True, is_estimate=False, members_missing=0,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **given)


def source_now(nic_key: str, last_s: float, *, address: str = "10.1.1.4", **given: Any) -> SourceNow:
    """A source that sends 500 packets a second both ways, unless something else is given."""
    whole = SourceNow(
        address=address, nic_key=nic_key, tap_configuration_key="t" * 26 if nic_key else "", is_ambiguous=False, inner_bits_per_s=1e8,
        packets_per_s=500.0, packets_per_s_60s=500.0, packets_per_s_900s=500.0, first_packet_ms=0, last_packet_ms=int(last_s * 1000),
        sent_packets_60s=100.0, received_packets_60s=100.0, vnis=[27],
    )  # fmt: skip
    return msgspec.structs.replace(whole, **given)


class Stage:
    """`now_s` is the clock of the watch and of the world; nothing happens unless a method says so."""

    def __init__(self, valkey: Valkey, *, nics: int = 4, mirrored: int = 4) -> None:
        self.client = redis.Redis.from_url(valkey.url)
        self.estate: Estate = make_estate(nics=nics, mirrored=mirrored)
        self.key = self.estate.tap.destination_key
        TapConfiguration.objects.update(first_seen_at=START - timedelta(days=1))
        self.now_s = START.timestamp()
        self.steady_s = 1_000.0
        self.meter_since_s = self.now_s - 3600
        self.is_meter_there = True
        self.collectors: dict[str, CollectorNow] = {}
        self.sources: dict[str, list[SourceNow]] = {}
        self.quiet: set[str] = set()  # collectors that send nothing more
        self.watch = self.another()

    def another(self) -> Watch:
        """A further process of the watch."""
        return Watch(wall_s=lambda: self.now_s, steady_s=lambda: self.steady_s)

    def healthy(self) -> None:
        """The collector reports, and every mirrored NIC sends."""
        self.collectors[self.key] = collector_now(self.key, member_now(self.now_s))
        self.sources[self.key] = [
            source_now(nic.key, self.now_s, address=f"10.1.1.{number + 4}") for number, nic in enumerate(self.estate.nics) if nic.is_mirrored
        ]

    def set_collector(self, key: str = "", **given: Any) -> None:
        self.collectors[key or self.key] = msgspec.structs.replace(self.collectors[key or self.key], **given)

    def set_source(self, number: int, **given: Any) -> None:
        """Of the source with this number, from 0."""
        self.sources[self.key][number] = msgspec.structs.replace(self.sources[self.key][number], **given)

    def write(self) -> None:
        """What the meter would have written by now: members and sources that go on are fresh."""
        now_ms = int(self.now_s * 1000)
        pipeline = self.client.pipeline()
        for name in (keys.NOW, keys.SOURCES, keys.METER):
            pipeline.delete(name)
        for key, one in self.collectors.items():
            if key not in self.quiet:
                members = [msgspec.structs.replace(each, arrived_ms=now_ms) if each.member not in self.quiet else each for each in one.members]
                self.collectors[key] = one = msgspec.structs.replace(one, members=members)
            pipeline.hset(keys.NOW, key, encode(one))
        for key, rows in self.sources.items():
            if key not in self.quiet:
                rows = [msgspec.structs.replace(row, last_packet_ms=now_ms) if row.packets_per_s else row for row in rows]
                self.sources[key] = rows
            pipeline.hset(keys.SOURCES, key, encode(SourceColumns.of(rows)))
        if self.is_meter_there:
            pipeline.set(keys.METER, encode(MeterNow(1, now_ms, int(self.meter_since_s * 1000), 1, 1)))
        pipeline.execute()

    def turn(self) -> Judged | None:
        self.write()
        return self.watch.turn()

    def pass_s(self, seconds: float, *, every_s: float = 5.0) -> Judged | None:
        """Time goes by, with a turn every five seconds; what the last one came to."""
        judged = None
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            step = min(every_s, end_s - self.now_s)
            self.now_s += step
            self.steady_s += step
            judged = self.turn()
        return judged

    def open_alarms(self) -> list[Alarm]:
        return list(Alarm.objects.filter(state="open").order_by("number"))

    def only_alarm(self) -> Alarm:
        (alarm,) = self.open_alarms()
        return alarm

    def running(self) -> "Stage":
        """All is well, and has been for long enough that silence counts."""
        self.healthy()
        self.turn()
        self.pass_s(35)
        return self
