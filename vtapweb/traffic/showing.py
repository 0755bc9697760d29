"""What API and pages show of collectors: what they are, what they measure now, how they are, what they take. Every number with its age.

Rule: what is not known is None, and why is said; a collector outside of the viewer's scope shows that it is there and nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import msgspec
import redis
from django.utils import timezone

from vtapweb.domain.health import CollectorState
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import NetworkInterface
from vtapweb.inventory.receiving import chunks, present
from vtapweb.traffic.capacity import Capacity, capacities_of
from vtapweb.traffic.keys import NOW, SOURCES
from vtapweb.traffic.samples import CollectorNow, MemberNow, Origin, SourceNow, decode_collector, decode_sources
from vtapweb.traffic.selectors.collectors import CollectorFacts, MemberFacts, collector_of, collectors_of
from vtapweb.traffic.selectors.health import NOBODY, Health, collector_health
from vtapweb.traffic.store import NoStoreError, store
from vtapweb.traffic.words import beyond_words

TURN: Final = timedelta(seconds=10)  # so long a report may be on its way to the watch: its own pace, and the meter's

ORIGIN_WORDS: Final = {
    Origin.AGENT: "vtapweb's agent on the collector",
    Origin.AZURE_MONITOR: "Azure Monitor",
    Origin.PROMETHEUS: "Prometheus",
    Origin.REMOTE_WRITE: "Prometheus remote-write",
    Origin.OTLP: "OpenTelemetry (OTLP)",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One collector. `now` None: nothing reports, or the viewer may not see it."""

    facts: CollectorFacts
    now: CollectorNow | None
    health: Health
    capacity: Capacity
    at: datetime  # when this was asked
    is_unreadable: bool = False  # our own store of live numbers does not answer: nobody can tell whether anything reports

    @property
    def members_now(self) -> list[MemberNow]:
        return self.now.members if self.now else []

    @property
    def heard_at(self) -> datetime | None:
        """When the newest sample of any member came."""
        newest = max((one.arrived_ms for one in self.members_now), default=0)
        return _at(newest) if newest else None

    @property
    def measured_at(self) -> datetime | None:
        """The time that the newest rate is of."""
        newest = max((one.measured_ms or 0 for one in self.members_now), default=0)
        return _at(newest) if newest else None

    @property
    def age_s(self) -> float | None:
        """Seconds since then."""
        return None if self.measured_at is None else max(0.0, (self.at - self.measured_at).total_seconds())

    @property
    def is_stale(self) -> bool:
        """Whether no member has told anything for longer than max(5 s, 3 intervals) and its lag (rule H1)."""
        return bool(self.members_now) and self.reporting_count == 0

    @property
    def reporting_count(self) -> int:
        """Members that have told something lately; those that fell silent stand in `members_now` for a while."""
        return sum(not is_late(one, self.at) for one in self.members_now)

    @property
    def missing_count(self) -> int:
        """Members whose part the sums lack, while there are sums."""
        return 0 if self.now is None or self.packets_per_s is None else self.now.members_missing

    @property
    def state(self) -> CollectorState | None:
        """What was judged; of what nobody judged yet, what is seen: stale, or None where nothing ever reported or can be read. Never ok by itself."""
        if self.is_unreadable:
            return None
        if self.health.state is not CollectorState.UNKNOWN:
            return self.health.state
        return CollectorState.STALE if self.is_stale else None if self.now is None else CollectorState.UNKNOWN

    @property
    def sentence(self) -> str:
        """What was judged, in words; "" where that nothing tells about it is no longer so: it was heard of since, and its turn has not come yet."""
        health, heard_at = self.health, self.heard_at
        is_said_of_nothing = health.state is CollectorState.UNKNOWN and health.judged_at is not None and not health.is_away
        if is_said_of_nothing and heard_at is not None and health.judged_at is not None and heard_at > health.judged_at - TURN:
            return ""
        return health.sentence

    @property
    def state_name(self) -> str:
        """The state as map, API and addresses name it: one of CollectorState; "none": nothing was ever heard of it; "away": our own store of live
        numbers does not answer, so nobody can tell; "hidden": the viewer may not know.
        """
        if not self.facts.is_in_scope:
            return "hidden"
        return self.state.value if self.state else "away" if self.is_unreadable else "none"

    @property
    def origins(self) -> list[Origin]:
        return sorted({one.origin for one in self.members_now})

    @property
    def origin_words(self) -> str:
        return ", ".join(ORIGIN_WORDS[one] for one in self.origins)

    @property
    def interval_s(self) -> float | None:
        return max((one.interval_s for one in self.members_now), default=None)

    @property
    def lag_s(self) -> float | None:
        return max((one.lag_s for one in self.members_now if one.lag_s is not None), default=None)

    @property
    def is_estimate(self) -> bool:
        return bool(self.now and self.now.is_estimate)

    def _rate(self, name: str) -> float | None:
        return None if self.now is None else cast("float | None", getattr(self.now, name))

    @property
    def bits_per_s(self) -> float | None:
        """Inner bits per second (rule R14)."""
        return self._rate("inner_bits_per_s")

    @property
    def wire_bits_per_s(self) -> float | None:
        return self._rate("wire_bits_per_s")

    @property
    def packets_per_s(self) -> float | None:
        return self._rate("packets_per_s")

    @property
    def drops_per_s(self) -> float | None:
        return self._rate("drops_per_s")

    @property
    def capacity_share(self) -> float | None:
        """Of the capacity, by the mean of 5 s, else by the newest rate."""
        return self.capacity.share_of(self._rate("wire_bits_per_s_5s") or self.wire_bits_per_s)

    @property
    def has_sources(self) -> bool:
        """Whether it counts each source; False also while nothing reports."""
        return bool(self.now and self.now.has_sources)

    @property
    def sources_beyond(self) -> int:
        """Sources that send there and are not told apart (meter.collector.SOURCES_MOST)."""
        return sum(one.sources_beyond for one in self.members_now if not is_late(one, self.at))

    @property
    def beyond_words(self) -> str:
        """That there are such, in a sentence; "" where there are none."""
        kept = sum(one.sources_kept for one in self.members_now if not is_late(one, self.at))
        return beyond_words(self.sources_beyond, kept) if self.sources_beyond else ""

    def member_now(self, member: MemberFacts) -> MemberNow | None:
        """What reports from this machine. The only machine there is needs no NIC in its token."""
        of_nic = [one for one in self.members_now if one.nic_key == member.nic_key]
        if not of_nic and self.facts.member_count == 1 and len(self.members_now) == 1 and not self.members_now[0].nic_key:
            return self.members_now[0]
        return max(of_nic, key=lambda one: one.arrived_ms, default=None)

    @property
    def unknown_members(self) -> list[MemberNow]:
        """Machines that report and that no member of the inventory explains."""
        known = {id(now) for one in self.facts.members if (now := self.member_now(one))}
        return [one for one in self.members_now if id(one) not in known]


def collectors_shown(scope: Scope, *, at: datetime) -> list[Shown]:
    """Every collector that the viewer may know of, by name. Fifteen queries, one more of some for every 900 keys; one call of Redis."""
    return _shown(scope, collectors_of(scope), at)


def collector_shown(scope: Scope, key: str, *, at: datetime) -> Shown | None:
    """The one of this key; None where there is none for this viewer. At most fifteen queries."""
    facts = collector_of(scope, key)
    return _shown(scope, [facts], at)[0] if facts else None


def _shown(scope: Scope, collectors: list[CollectorFacts], at: datetime) -> list[Shown]:
    capacities = capacities_of(scope, collectors)
    health = collector_health(scope, now=at, only=collectors[0].key if len(collectors) == 1 else "")
    read = _read_now((one.key for one in collectors if one.is_in_scope), at=at)
    now, is_away = read or {}, read is None
    return [
        Shown(one, now.get(one.key), health[one.key] if one.is_in_scope else NOBODY, capacities[one.key], at, is_away and one.is_in_scope)
        for one in collectors
    ]  # fmt: skip


def now_of(collector_keys: Iterable[str], *, at: datetime | None = None) -> dict[str, CollectorNow]:
    """What the meter knows of these collectors, as far as it holds at `at` (None: now); nothing while Redis does not answer. One call."""
    return _read_now(collector_keys, at=at) or {}


def _read_now(collector_keys: Iterable[str], *, at: datetime | None) -> dict[str, CollectorNow] | None:
    """None while Redis does not answer."""
    at = at or timezone.now()
    keys = sorted(collector_keys)
    if not keys:
        return {}
    try:
        packed = cast("list[bytes | None]", store().hmget(NOW, keys))
    except (NoStoreError, redis.RedisError):
        return None
    return {key: as_of(decode_collector(one), at) for key, one in zip(keys, packed, strict=True) if one is not None}


def is_late(one: MemberNow, at: datetime) -> bool:
    """Whether it has told nothing for longer than max(5 s, 3 intervals) and its lag (rule H1)."""
    return at.timestamp() * 1000 - one.arrived_ms > 1000 * (max(5.0, 3 * one.interval_s) + (one.lag_s or 0.0))


def as_of(one: CollectorNow, at: datetime) -> CollectorNow:
    """The same without rates that no longer hold: a meter that has ended leaves its last words behind, and nobody takes them back."""
    late = [member for member in one.members if is_late(member, at)]
    if not late or (len(late) < len(one.members) and not any(_tells(member) for member in late)):
        return one  # the sums were made without those that are late
    nothing = dict.fromkeys(("inner_bits_per_s", "wire_bits_per_s", "packets_per_s"))
    members = [msgspec.structs.replace(m, **nothing, nic_packets_per_s=None, drops_per_s={}) if is_late(m, at) else m for m in one.members]
    sums = {**nothing, **dict.fromkeys(("wire_bits_per_s_5s", "packets_per_s_60s", "drops_per_s"))}
    return msgspec.structs.replace(one, members=members, **sums)


def _tells(one: MemberNow) -> bool:
    return one.wire_bits_per_s is not None or one.packets_per_s is not None or bool(one.drops_per_s)


# -- sources


@dataclass(frozen=True, slots=True)
class ShownSource:
    """What one address sends to one collector. `nic_id` "" where no NIC is known for it."""

    now: SourceNow
    name: str
    nic_id: str

    @property
    def seen_at(self) -> datetime | None:
        return _at(self.now.last_packet_ms) if self.now.last_packet_ms else None

    @property
    def first_at(self) -> datetime | None:
        return _at(self.now.first_packet_ms) if self.now.first_packet_ms else None


@dataclass(frozen=True, slots=True)
class ShownSources:
    """`items` the busiest first; `hidden_count` more are NICs that the viewer may not read."""

    items: list[ShownSource]
    hidden_count: int


def sources_shown(scope: Scope, collector: Shown) -> ShownSources | None:
    """What each source sends there; None where the collector cannot tell them apart. One query a 900, one call of Redis.

    Addresses that no NIC, or more than one, explains are shown to whoever may see the collector: they are what he must look into. Rates of a
    collector that tells no more are not known.
    """
    if not collector.has_sources or not collector.facts.is_in_scope:
        return None
    try:
        packed = cast("bytes | None", store().hget(SOURCES, collector.facts.key))
    except (NoStoreError, redis.RedisError):
        return None
    found = decode_sources(packed) if packed is not None else []
    if collector.is_stale:
        nothing = dict.fromkeys(("inner_bits_per_s", "packets_per_s", "packets_per_s_60s", "packets_per_s_900s"))
        found = [msgspec.structs.replace(one, **nothing) for one in found]
    keys = {one.nic_key for one in found if one.nic_key}
    nics = {
        key: (name, arm_id)
        for some in chunks(keys)
        for key, name, arm_id in present(NetworkInterface, scope).filter(key__in=some).values_list("key", "name", "arm_id")
    }
    shown = [ShownSource(one, *nics.get(one.nic_key, ("", ""))) for one in found if not one.nic_key or one.nic_key in nics or scope.is_everything]
    ordered = sorted(shown, key=lambda one: (-_known(one.now.inner_bits_per_s), one.name, one.now.address))
    return ShownSources(ordered, len(found) - len(shown))


def _known(value: float | None) -> float:
    """For sorting: what is not known comes after 0."""
    return -1.0 if value is None or value != value else value


def _at(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
