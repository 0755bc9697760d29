"""The picture: what a wall draws beside the map and the frames of rates, as one document for all displays with the same scope.

Rule 1: a part is read at its own pace and kept in between; making a picture costs the little that changes every second. Rule 2: what is not known is
None, never 0. A part that cannot be read now stays as it was read last, None where it never was, and is named in `unread` with why and since when.
Rule 3: nothing here is about a display; what visitors may see of it is `vtapweb.wall.masking`'s.
"""

import struct
import sys
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest, nsmallest
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
import redis
import structlog
from django.db import DatabaseError

from vtapweb.domain.health import CollectorState, stale_after_s
from vtapweb.domain.scope import Scope
from vtapweb.events.bus import current_seq
from vtapweb.events.patience import patience
from vtapweb.topology.picture import Revision, current_revision
from vtapweb.traffic.keys import METER, NOW
from vtapweb.traffic.samples import CollectorNow, decode_collector, decode_meter
from vtapweb.traffic.selectors.health import NO_WATCH, NOBODY
from vtapweb.traffic.showing import Shown, as_of
from vtapweb.traffic.store import NoStoreError, store
from vtapweb.wall.judged import SENTENCE_MAX, Judged, alarm_line, judged, unix_ms
from vtapweb.wall.sparks import STEP_S, Sparks
from vtapweb.wall.standing import Standing, standing_of
from vtapweb.wall.ticker import Happened, happened, short

MOST_COLLECTORS: Final = 40
MOST_SPARKS: Final = 12
MOST_SOURCES: Final = 30
STANDING_S: Final = 60.0
JUDGED_S: Final = 5.0
HAPPENED_S: Final = 60.0

NO_REDIS: Final = "Redis does not answer."
NOT_UNDERSTOOD: Final = "Another release wrote what Redis holds."
NO_DATABASE: Final = "The database does not answer."
NO_FRAME: Final = "No live numbers have come yet."
OTHER_FRAME: Final = "The live numbers are of another list than the map; this ends by itself."

# From the worst to the best, what a wall shows first; states that are not here ask for nobody and are sorted by load.
BROKEN: Final = (
    CollectorState.SILENT, CollectorState.EMPTY, CollectorState.DROPPING, CollectorState.OVER, CollectorState.STALE, CollectorState.DEGRADED,
    CollectorState.NEAR,
)  # fmt: skip
_PLACE: Final = {state.value: place for place, state in enumerate(BROKEN)}
_HEAD: Final = struct.Struct("<IId")
_AWAY: Final = (redis.RedisError, NoStoreError, OSError)

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest frame of rates of the scope, see docs/live.md; the mirrors come first."""

    series_revision: int
    unix_s: float
    bits: "array[float]"
    packets: "array[float]"

    @classmethod
    def of(cls, frame: bytes) -> "Heard":
        _, series_revision, unix_s = _HEAD.unpack_from(frame)
        values = array("f", frame[_HEAD.size :])
        if sys.byteorder == "big":
            values.byteswap()
        half = len(values) // 2
        return cls(series_revision, unix_s, values[:half], values[half:])


class Part(Generic[T]):
    """Something that is read now and then. `problem` says why the last attempt failed, "" where it did not."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._mark: object = None
        self._read_at: datetime | None = None
        self.value: T | None = None
        self.problem = ""

    def look(self, read: Callable[[], T], *, mark: object, now: datetime) -> T | None:
        """Read it where something happened (`mark` differs) or it is older than it may be; else what is kept."""
        is_due = self._read_at is None or self._mark != mark or not 0 <= (now - self._read_at).total_seconds() < self._every_s
        if is_due or self.problem:
            try:
                self.value = read()
            except DatabaseError as problem:
                log.warning("wall.part_unread", problem=str(problem))
                self.problem = NO_DATABASE
            except _AWAY as problem:
                log.warning("wall.part_unread", problem=str(problem))
                self.problem = NO_REDIS
            except msgspec.DecodeError as problem:
                log.warning("wall.part_unread", problem=str(problem))
                self.problem = NOT_UNDERSTOOD
            else:
                self._mark, self._read_at, self.problem = mark, now, ""
        return self.value

    @property
    def unread(self) -> dict[str, Any]:
        return {"why": self.problem, "since_ms": unix_ms(self._read_at)}


@dataclass(frozen=True, slots=True)
class Live:
    """What Redis tells of now: collectors by key, and the meter's last sign of life."""

    collectors: Mapping[str, CollectorNow]
    meter_ms: int | None


class Pictures:
    """Makes the pictures of one scope, one after the other: whoever calls `make` from several threads takes turns himself."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._standing: Part[Standing] = Part(STANDING_S)
        self._judged: Part[Judged] = Part(JUDGED_S)
        self._happened: Part[list[Happened]] = Part(HAPPENED_S)
        self._live: Part[Live] = Part(0.0)
        self._curves: Part[bool] = Part(float(STEP_S))
        self._seq: Part[int] = Part(0.0)
        self._sparks = Sparks()
        self._meter_ms: int | None = None  # of its last sign of life that we saw

    @property
    def node_of(self) -> Mapping[str, int]:
        """The numbers on the map of the collectors of the last picture, by key: what their aliases are made of."""
        return self._standing.value.node_of if self._standing.value else {}

    def make(self, *, now: datetime, heard: Heard | None = None, wanted: Sequence[str] = ()) -> dict[str, Any]:
        """The picture of `now`, unmasked; `events` have `plain` beside `words`. `wanted` are keys of collectors that views are about: always told.

        Two queries while nothing happened, nine more every 5 s, five for the events, eleven for a new revision of the map (some of them once for
        every 900 collectors); two calls of Redis, two more every 15 s. Never raises for a database or a Redis that is away.
        """
        seq = self._seq.look(current_seq, mark=None, now=now)
        standing = self._look_at_standing(now)
        status = self._judged.look(lambda: judged(self.scope, now=now), mark=seq, now=now)
        names = standing.name_of_tap if standing else {}
        events = self._happened.look(lambda: happened(self.scope, now=now, name_of_tap=names), mark=seq, now=now)
        live = self._live.look(lambda: _live(standing.facts if standing else ()), mark=None, now=now)
        if live is not None and live.meter_ms is not None:
            self._meter_ms = live.meter_ms
        shown = _shown(standing, status, live, now)
        first = _first(shown, wanted)
        lags = {one.facts.key: _lag_s(one) for place, one in enumerate(first) if place < MOST_SPARKS or one.facts.key in wanted}
        self._curves.look(lambda: self._read_curves(lags, now), mark=(int(now.timestamp()) // STEP_S, *sorted(lags)), now=now)
        sources = _Sources(standing, heard)
        parts: Mapping[str, Part[Any]] = {
            "inventory": self._standing, "judging": self._judged, "events": self._happened, "live": self._live, "sparks": self._curves,
        }  # fmt: skip
        unread = {name: part.unread for name, part in parts.items() if part.problem}
        if sources.problem:
            unread["sources"] = {"why": sources.problem, "since_ms": None}
        return {
            "kind": "picture",
            "at_ms": unix_ms(now),
            "counts": None if status is None else _counts(status),
            "alarms": None if status is None else [alarm_line(self.scope, one, now=now) for one in status.alarms],
            "more_alarms": None if status is None else max(0, _open_count(status) - len(status.alarms)),
            "collectors": None if standing is None else [
                _collector(one, standing, self._sparks.curve(one.facts.key, now_s=now.timestamp()) if one.facts.key in lags else None)
                for one in first
            ],
            "collector_counts": None if standing is None else _collector_counts(shown),
            "totals": _totals(standing, status, shown),
            "sources": sources.top(),
            "sources_of": {key: sources.of(standing.node_of[key]) for key in wanted if standing and key in standing.node_of},
            "inventory": None if status is None else {
                "synced_ms": unix_ms(status.freshness.at), "state": status.freshness.state, "words": status.freshness.words,
            },
            "meter": self._meter(live),
            "judging": _judging(status),
            "events": None if events is None else [
                {"at_ms": unix_ms(one.at), "kind": one.kind, "severity": one.severity, "words": one.words, "plain": one.plain} for one in events
            ],
            "unread": unread,
        }  # fmt: skip

    def _look_at_standing(self, now: datetime) -> Standing | None:
        revision: Part[Revision] = Part(0.0)
        mark = revision.look(current_revision, mark=None, now=now)
        if mark is None:
            self._standing.problem = revision.problem
            return self._standing.value
        return self._standing.look(lambda: standing_of(self.scope, mark), mark=mark, now=now)

    def _read_curves(self, lags: Mapping[str, float], now: datetime) -> bool:
        with patience.asking():
            self._sparks.read(store(), lags, now_s=now.timestamp())
        return True

    def _meter(self, live: Live | None) -> dict[str, Any]:
        """Whether somebody measures; a Redis that is away is "unknown". `since_ms` is when it last gave a sign."""
        state = "unknown" if live is None or self._live.problem else "stopped" if live.meter_ms is None else "live"
        return {"state": state, "since_ms": None if state == "live" else self._meter_ms, "at_ms": self._meter_ms}


def _live(keys: Iterable[str]) -> Live:
    """Two calls of Redis; a collector of which another release wrote is left out. Raises redis.RedisError, NoStoreError and msgspec.DecodeError."""
    client, wanted = store(), sorted(keys)
    with patience.asking():
        packed = cast("list[bytes | None]", client.hmget(NOW, wanted)) if wanted else []
        meter = cast("bytes | None", client.get(METER))
    found = {}
    for key, one in zip(wanted, packed, strict=True):
        try:
            if one is not None:
                found[key] = decode_collector(one)
        except msgspec.DecodeError as problem:
            log.warning("wall.collector_not_understood", key=key, problem=str(problem))
    return Live(found, decode_meter(meter).at_ms if meter else None)


def _shown(standing: Standing | None, status: Judged | None, live: Live | None, now: datetime) -> list[Shown]:
    """Every collector in scope; rates that no longer hold are left out, however old what we read is."""
    if standing is None:
        return []
    of_now = live.collectors if live else {}
    health = status.health if status else {}
    return [
        Shown(facts, as_of(of_now[key], now) if key in of_now else None, health[key] if status else NOBODY, standing.capacities[key], now)
        for key, facts in standing.facts.items()
    ]


def _lag_s(one: Shown) -> float:
    """How late its numbers may be in the ring."""
    return (one.interval_s or 0.0) + (one.lag_s or 0.0) + 5.0


def _order(one: Shown) -> tuple[int, float, float, str, str]:
    """Broken ones first, the worst before; then by share of the capacity and by load."""
    state = one.state
    place = len(BROKEN) if state is None else _PLACE.get(state.value, len(BROKEN))
    return (place, -(one.capacity_share or 0.0), -(one.bits_per_s or 0.0), one.facts.name.lower(), one.facts.key)


def _first(shown: Sequence[Shown], wanted: Collection[str]) -> list[Shown]:
    """Those that a picture tells: the first 40, and behind them those that a view is about."""
    ordered = nsmallest(MOST_COLLECTORS, shown, key=_order)
    told = {one.facts.key for one in ordered}
    return [*ordered, *(one for one in shown if one.facts.key in wanted and one.facts.key not in told)]


def _collector(one: Shown, standing: Standing, spark: list[float | None] | None) -> dict[str, Any]:
    health, now, key = one.health, one.now, one.facts.key
    shares = [member.drop_share_10s for member in one.members_now if member.drop_share_10s is not None]
    return {
        "id": standing.node_of.get(key),
        "key": key,
        "name": short(one.facts.name),
        "state": one.state.value if one.state else "none",
        "words": short(one.sentence, SENTENCE_MAX) if health.judged_at is not None else "",
        "rules": health.rule_ids,
        "alarm": f"A-{health.alarm}" if health.alarm else "",
        "is_muted": health.is_muted,
        "since_ms": unix_ms(health.since),
        "capacity_bits_per_s": one.capacity.bits_per_s,
        "drops_per_s": one.drops_per_s,
        "drops_share": max(shares, default=None),
        "origin": one.origin_words,
        "interval_s": one.interval_s,
        "stale_after_s": None if one.interval_s is None else stale_after_s(one.interval_s, one.lag_s or 0.0),
        "lag_s": one.lag_s,
        "measured_ms": unix_ms(one.measured_at),
        "heard_ms": unix_ms(one.heard_at),
        "bits_per_s": one.bits_per_s,
        "wire_bits_per_s": one.wire_bits_per_s,
        "packets_per_s": one.packets_per_s,
        "share": one.capacity_share,
        "is_estimate": one.is_estimate,
        "has_sources": one.has_sources,
        "members": one.facts.member_count,
        "members_missing": one.missing_count if now else None,
        "mirrors": standing.mirror_counts.get(key),
        "spark": spark,
        "spark_step_s": STEP_S,
    }


def _collector_counts(shown: Sequence[Shown]) -> dict[str, int]:
    """How many are in each state; a state without any is 0, "none" are those of which nothing was ever heard."""
    counts = {"total": len(shown), "none": 0} | {state.value: 0 for state in CollectorState}
    for one in shown:
        counts[one.state.value if one.state else "none"] += 1
    return counts


def _counts(status: Judged) -> dict[str, Any]:
    counts = status.counts
    return {
        "alarms": counts.open, "untaken": counts.untaken, "notices": counts.notices, "muted": counts.muted,
        "muted_next_ends_ms": unix_ms(counts.next_ends_at),
    }  # fmt: skip


def _open_count(status: Judged) -> int:
    return status.counts.open + status.counts.notices + status.counts.muted


def _totals(standing: Standing | None, status: Judged | None, shown: Sequence[Shown]) -> dict[str, Any]:
    """Sums over the collectors whose rate is known: `known` of them `of` all."""
    bits = [one.bits_per_s for one in shown if one.bits_per_s is not None]
    packets = [one.packets_per_s for one in shown if one.packets_per_s is not None]
    return {
        "bits_per_s": sum(bits) if bits else None,
        "packets_per_s": sum(packets) if packets else None,
        "known": None if standing is None else len(bits),
        "of": None if standing is None else len(shown),
        "mirrors": None if standing is None else standing.counts["mirrors"],
        "nics": None if standing is None else standing.counts["nics"],
        "silent": None if status is None else status.silent_count,
    }


def _judging(status: Judged | None) -> dict[str, Any] | None:
    """When it was judged last, until when rules wait, and since when nobody judges or can see."""
    if status is None:
        return None
    lease = status.lease
    if lease is None or lease.evaluated_at is None:
        return {"evaluated_ms": None, "settled_ms": None, "blind_since_ms": None, "blind_reason": ""}
    blind_since, reason = lease.blind_since, lease.blind_reason
    if blind_since is None and status.is_late:
        blind_since, reason = lease.evaluated_at, NO_WATCH
    return {
        "evaluated_ms": unix_ms(lease.evaluated_at), "settled_ms": unix_ms(lease.settled_at),
        "blind_since_ms": unix_ms(blind_since), "blind_reason": short(reason),
    }  # fmt: skip


class _Sources:
    """The busiest mirrors by the newest frame. `problem` says why nothing can be told."""

    def __init__(self, standing: Standing | None, heard: Heard | None) -> None:
        self._standing, self._heard, self.problem = standing, heard, ""
        if standing is None or heard is None:
            self.problem = NO_FRAME
        elif (heard.series_revision, len(heard.bits)) != (standing.series_revision & 0xFFFFFFFF, standing.series_count):
            self.problem = OTHER_FRAME

    def top(self) -> list[dict[str, Any]] | None:
        """None where no frame fits."""
        return self._busiest(range(self._standing.mirror_count)) if self._standing else None

    def of(self, collector_id: int) -> list[dict[str, Any]] | None:
        return self._busiest(self._standing.places_of.get(collector_id, ())) if self._standing else None

    def _busiest(self, places: Sequence[int]) -> list[dict[str, Any]] | None:
        if self.problem or self._standing is None or self._heard is None:
            return None
        bits, packets = self._heard.bits, self._heard.packets
        known = [(bits[place], -place) for place in places if bits[place] == bits[place]]
        found = []
        for rate, place in nlargest(MOST_SOURCES, known):
            source = self._standing.source(-place)
            packet_rate = packets[-place]
            found.append({
                "nic": short(source.nic), "nic_id": source.nic_id, "vnet": short(source.vnet), "vnet_id": source.vnet_id,
                "collector": short(source.collector), "collector_id": source.collector_id, "collector_key": source.collector_key,
                "bits_per_s": rate, "packets_per_s": packet_rate if packet_rate == packet_rate else None,
                "measured_ms": round(self._heard.unix_s * 1000),
            })  # fmt: skip
        return found


def told(picture: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent to whoever may see names."""
    events = picture["events"]
    return {**picture, "is_masked": False, "events": events and [{name: value for name, value in one.items() if name != "plain"} for one in events]}
