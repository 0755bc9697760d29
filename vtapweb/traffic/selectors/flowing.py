"""The third tick of a mirror: whether packets of it were seen at its collector since it was configured.

Rule: not seeing is not zero. Where the collector's numbers do not tell sources apart, or nothing tells of the collector, it "cannot be seen".
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, cast

import redis
from django.db.models import Max

from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface, ResourceChange, TapConfiguration
from vtapweb.inventory.receiving import chunks, present, taps_of
from vtapweb.traffic.keys import NOW, SOURCES
from vtapweb.traffic.models import SourceFlow
from vtapweb.traffic.samples import SourceNow, decode_collector, decode_sources
from vtapweb.traffic.store import NoStoreError, store

READ_LATER: Final = timedelta(minutes=15)  # a mirror may send for so long before a sync tells that it is there


class FlowState(StrEnum):
    """What is known."""

    FLOWING = "flowing"
    NOT_YET = "not_yet"
    CANNOT_BE_SEEN = "cannot_be_seen"


@dataclass(frozen=True, slots=True)
class Flow:
    """`first_at`, `last_at`: of packets seen since the mirror was configured; None where none were."""

    state: FlowState
    first_at: datetime | None = None
    last_at: datetime | None = None


def flow_of(scope: Scope, tap_configuration_keys: Collection[str]) -> dict[str, Flow]:
    """{key: its flow} for the mirrors of these keys that are there and in scope. Five queries, one more of each for every 900; two calls of Redis.

    Looks at what the meter sees now first, then at what was kept. Without Redis only what was kept tells.
    """
    rows = [
        row
        for keys in chunks(tap_configuration_keys)
        for row in present(TapConfiguration, scope).filter(key__in=keys).values_list(
            "key", "network_interface_id", "virtual_network_tap_key", "first_seen_at"
        )
    ]  # fmt: skip
    if not rows:
        return {}
    collector_of = {tap.key: tap.destination_key or tap.key for tap in taps_of(Scope.everything())}
    collectors = {key: collector_of.get(tap_key, tap_key) for key, _, tap_key, _ in rows}
    began = {key: first_seen for key, _, _, first_seen in rows}
    for keys in chunks(began):  # one that was gone and came back has begun anew
        came = ResourceChange.objects.filter(key__in=keys, action=ResourceChange.Action.ADDED).order_by().values_list("key").annotate(at=Max("at"))
        began.update({key: max(at, began[key]) for key, at in came})
    addresses = {
        key: ips for keys in chunks({row[1] for row in rows})
        for key, ips in NetworkInterface.objects.filter(key__in=keys).values_list("key", "private_ips")
    }  # fmt: skip
    kept = _kept(collectors)
    now = _now(set(collectors.values()))
    return {key: _flow(began[key], kept.get(key), now.get(collectors[key]), key, addresses.get(nic, [])) for key, nic, _, _ in rows}


def _kept(collectors: dict[str, str]) -> dict[str, tuple[datetime, datetime]]:
    found = {}
    for keys in chunks(collectors):
        for key, collector, first, last in SourceFlow.objects.filter(tap_configuration_key__in=keys).values_list(
            "tap_configuration_key", "collector_key", "first_at", "last_at"
        ):
            if collector == collectors[key]:
                found[key] = (first, last)
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the meter sees of one collector: by TAP configuration, and the addresses that several NICs claim."""

    has_sources: bool
    by_key: dict[str, SourceNow]
    ambiguous: frozenset[str]


def _now(collector_keys: Collection[str]) -> dict[str, _Seen]:
    keys = sorted(collector_keys)
    try:
        client = store()
        collectors, sources = (cast("list[bytes | None]", client.hmget(name, keys)) for name in (NOW, SOURCES))
    except (NoStoreError, redis.RedisError):
        return {}
    found = {}
    for key, one, packed in zip(keys, collectors, sources, strict=True):
        if one is not None:
            of = decode_sources(packed) if packed is not None else []
            found[key] = _Seen(
                decode_collector(one).has_sources,
                {source.tap_configuration_key: source for source in of if source.tap_configuration_key},
                frozenset(source.address for source in of if source.is_ambiguous),
            )
    return found


def _flow(began: datetime, kept: tuple[datetime, datetime] | None, seen: _Seen | None, key: str, addresses: Collection[str]) -> Flow:
    source = seen.by_key.get(key) if seen else None
    firsts, lasts = ([kept[0]], [kept[1]]) if kept else ([], [])
    if source is not None and source.last_packet_ms:
        firsts.append(_at(source.first_packet_ms or source.last_packet_ms))
        lasts.append(_at(source.last_packet_ms))
    if lasts and max(lasts) >= began:
        first = min(firsts)
        return Flow(FlowState.FLOWING, first if first >= began - READ_LATER else began, max(lasts))
    if seen is None or not seen.has_sources or seen.ambiguous.intersection(addresses):
        return Flow(FlowState.CANNOT_BE_SEEN)
    return Flow(FlowState.NOT_YET)


def _at(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
