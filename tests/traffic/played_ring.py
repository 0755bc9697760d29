"""Rings and what the meter tells, as the meter would leave them in Redis, for tests of what reads them."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import redis

from vtapweb.traffic.keys import NOW, SOURCES
from vtapweb.traffic.ring import Ring
from vtapweb.traffic.samples import CollectorNow, MemberNow, Origin, SourceColumns, SourceNow, encode


def write_ring(client: "redis.Redis", collector_key: str, from_s: int, columns: Mapping[str, Sequence[float]]) -> None:
    """One value a second from `from_s` on, by column."""
    ring = Ring(collector_key, now_s=from_s)
    places = {name: ring.place(name, from_s) for name in columns}
    rows: dict[int, array[float]] = {}
    for at in range(max(len(values) for values in columns.values())):
        row = ring.new_row()
        for name, values in columns.items():
            if at < len(values):
                row[places[name]] = values[at]
        rows[from_s + at] = row
    with client.pipeline(transaction=True) as pipe:
        ring.write(client, pipe, rows, now_s=from_s)
        pipe.execute()


def member_now(**given: Any) -> MemberNow:
    values = {
        "member": "m-1", "nic_key": "", "origin": Origin.AGENT, "interval_s": 1.0, "lag_s": None, "arrived_ms": 0, "measured_ms": None,
        "inner_bits_per_s": None, "wire_bits_per_s": None, "packets_per_s": None, "nic_packets_per_s": None, "drops_per_s": {},
        "saturated_in_last_5": 0, "drop_share_10s": None, "no_ports_share_30s": None, "unattributed_share_60s": None, "seq_gap_share_60s": None,
        "boots_10min": 1, "is_estimate": False,
    }  # fmt: skip
    return MemberNow(**{**values, **given})


def tell_collector(
    client: "redis.Redis", key: str, *members: MemberNow, at_ms: int = 0, sources: Sequence[SourceNow] | None = None, **given: Any
) -> None:
    """What the meter knows of the collector now."""
    values = {
        "key": key, "at_ms": at_ms, "members": list(members) or [member_now(arrived_ms=at_ms)], "inner_bits_per_s": None, "wire_bits_per_s": None,
        "wire_bits_per_s_5s": None, "packets_per_s": None, "packets_per_s_60s": None, "drops_per_s": None, "has_sources": sources is not None,
        "is_estimate": False, "members_missing": 0,
    }  # fmt: skip
    client.hset(NOW, key, encode(CollectorNow(**{**values, **given})))
    client.hset(SOURCES, key, encode(SourceColumns.of(sources or ())))


def source_now(nic_key: str, *, tap_configuration_key: str = "", first_ms: int, last_ms: int, address: str = "10.0.1.4", **given: Any) -> SourceNow:
    values = {
        "address": address, "nic_key": nic_key, "tap_configuration_key": tap_configuration_key, "is_ambiguous": False, "inner_bits_per_s": 8000.0,
        "packets_per_s": 10.0, "packets_per_s_60s": 10.0, "packets_per_s_900s": 10.0, "first_packet_ms": first_ms, "last_packet_ms": last_ms,
        "sent_packets_60s": None, "received_packets_60s": None, "vnis": [27],
    }  # fmt: skip
    return SourceNow(**{**values, **given})
