"""The third tick of a mirror: whether packets of it were seen at its collector since it was configured.

Rule: not seeing is not zero. Where the collector's numbers do not tell sources apart, or nothing tells of the collector, it "cannot be seen".
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, cast

import redis
from django.db.models import Max
from django.utils import timezone

from vtapweb.domain.health import stale_after_s
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface, ResourceChange, TapConfiguration
from vtapweb.inventory.receiving import chunks, present, taps_of
from vtapweb.traffic.keys import NOW, SOURCES
from vtapweb.traffic.models import SourceFlow
from vtapweb.traffic.samples import CollectorNow, SourceNow, decode_collector, decode_sources
from vtapweb.traffic.store import NoStoreError, store

READ_LATER: Final = timedelta(minutes=15)  # a mirror may send for so long before a sync tells that it is there


class FlowState(StrEnum):
    """What is known."""

    FLOWING = "flowing"
    NOT_YET = "not_yet"
    CANNOT_BE_SEEN = "cannot_be_seen"


class Blind(StrEnum):
    """Why it cannot be seen."""

    NOTHING_REPORTS = "nothing_reports"  # no source of numbers for the collector
    STALE = "stale"  # there is one, and it is silent now
    NO_SOURCES = "no_sources"  # its numbers do not tell senders apart
    AMBIGUOUS = "ambiguous"  # several NICs claim the address
    AWAY = "away"  # our own store of live numbers does not answer


@dataclass(frozen=True, slots=True)
class Flow:
    """`first_at`, `last_at`: of packets seen since the mirror was configured; None where none were.

    `since`: when it was configured, as far as is known; `addresses`: its NIC's, that it would be seen by; `blind` with CANNOT_BE_SEEN alone.
    """

    state: FlowState
    first_at: datetime | None = None
    last_at: datetime | None = None
    since: datetime | None = None
    blind: Blind | None = None
    addresses: tuple[str, ...] = ()


def flow_of(scope: Scope, tap_configuration_keys: Collection[str], *, verified: Mapping[str, datetime] | None = None) -> dict[str, Flow]:
    """{key: its flow} for the mirrors of these keys that are there and in scope. Five queries, one more of each for every 900; two calls of Redis.

    `verified`: when a mirror was read back as made, where that is known: what came before it was of an earlier life. Looks at what the meter sees
    now first, then at what was kept. Without Redis only what was kept tells.
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
    verified = verified or {}
    collector_of = collector_by_tap(Scope.everything())  # to look up by, not to show
    collectors = {key: collector_of.get(tap_key, tap_key) for key, _, tap_key, _ in rows}
    began = {key: first_seen for key, _, _, first_seen in rows}
    for keys in chunks(began):  # one that was gone and came back has begun anew
        came = ResourceChange.objects.filter(key__in=keys, action=ResourceChange.Action.ADDED).order_by().values_list("key").annotate(at=Max("at"))
        began.update({key: max(at, began[key]) for key, at in came})
    began.update({key: max(verified[key], at) for key, at in began.items() if key in verified})
    addresses = {
        key: tuple(ips) for keys in chunks({row[1] for row in rows})
        for key, ips in NetworkInterface.objects.filter(key__in=keys).values_list("key", "private_ips")
    }  # fmt: skip
    kept = _kept(collectors)
    now = _now(set(collectors.values()))

    def seen(collector_key: str) -> _Seen | None:
        return None if now is None else now.get(collector_key, _NOBODY)

    return {
        key: _flow(_Asked(key, nic, addresses.get(nic, ()), began[key], key in verified), kept.get(key), seen(collectors[key]))
        for key, nic, _, _ in rows
    }


def collector_by_tap(scope: Scope) -> dict[str, str]:
    """{TAP's key: its collector's key}, of every TAP that is there. One query."""
    return {tap.key: tap.destination_key or tap.key for tap in taps_of(scope)}


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
class _Asked:
    """One mirror that is asked about. `is_verified`: `began` is when it was read back as made, not when a sync found it."""

    key: str
    nic_key: str
    addresses: tuple[str, ...]
    began: datetime
    is_verified: bool


class _Seen:
    """What the meter sees of one collector. `blind`: why nothing can be told of a mirror of which nothing came."""

    def __init__(self, blind: Blind | None, sources: Sequence[SourceNow], interval: timedelta) -> None:
        self.blind, self.interval = blind, interval
        self.ambiguous = frozenset(one.address for one in sources if one.is_ambiguous)
        self._of: dict[str, list[SourceNow]] = {}
        for one in sources:
            for key in {one.tap_configuration_key or one.nic_key} - {""}:
                self._of.setdefault(key, []).append(one)

    def of(self, asked: _Asked) -> list[SourceNow]:
        """What came from it. A mirror that was only just made is known by its NIC alone before the meter has read of it."""
        return self._of.get(asked.key) or self._of.get(asked.nic_key, [])


_NOBODY: Final = _Seen(Blind.NOTHING_REPORTS, (), timedelta())


def _now(collector_keys: Collection[str]) -> dict[str, _Seen] | None:
    """By collector; None while Redis does not answer."""
    keys = sorted(collector_keys)
    try:
        client = store()
        collectors, sources = (cast("list[bytes | None]", client.hmget(name, keys)) for name in (NOW, SOURCES))
    except (NoStoreError, redis.RedisError):
        return None
    at_ms = timezone.now().timestamp() * 1000
    found = {}
    for key, one, packed in zip(keys, collectors, sources, strict=True):
        if one is not None:
            collector = decode_collector(one)
            interval_s = max((member.interval_s for member in collector.members), default=0.0)
            of = decode_sources(packed) if packed is not None else []
            found[key] = _Seen(_blind(collector, at_ms), of, timedelta(seconds=interval_s))
    return found


def _blind(collector: CollectorNow, at_ms: float) -> Blind | None:
    if not collector.has_sources or any(one.sources_beyond for one in collector.members):
        return Blind.NO_SOURCES
    ages = [((at_ms - one.arrived_ms) / 1000, stale_after_s(one.interval_s, one.lag_s or 0.0)) for one in collector.members]
    return Blind.STALE if all(age_s > limit_s for age_s, limit_s in ages) else None


def _flow(asked: _Asked, kept: tuple[datetime, datetime] | None, seen: _Seen | None) -> Flow:
    began = asked.began
    # A packet is dated by the end of the interval that it was counted in; those of an earlier life end before the first whole one of this.
    margin = seen.interval if seen and asked.is_verified else timedelta()
    now = [
        (_at(one.first_packet_ms or one.last_packet_ms), _at(one.last_packet_ms)) for one in (seen.of(asked) if seen else ()) if one.last_packet_ms
    ]
    spans = [*now, *([kept] if kept else [])]
    last = max((last for _, last in spans), default=None)
    if last is not None and last - margin >= began:
        first = min(first for first, _ in spans)
        is_first = first >= began - (timedelta() if asked.is_verified else READ_LATER)
        return Flow(FlowState.FLOWING, first if is_first else began, last, began, addresses=asked.addresses)
    blind = Blind.AWAY if seen is None else seen.blind
    if blind is None and seen and seen.ambiguous.intersection(asked.addresses):
        blind = Blind.AMBIGUOUS
    state = FlowState.NOT_YET if blind is None else FlowState.CANNOT_BE_SEEN
    return Flow(state, since=began, blind=blind, addresses=asked.addresses)


def _at(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
