"""What the map says of the collectors' numbers beyond the frames: state, capacity, drops, who counts and how late, and NICs of which nothing arrives.

Rule 1: one short answer, a fixed number of queries; the figures themselves come with the frames. Rule 2: of a collector whose subscription is not in
scope nothing is told. Rule 3: None is "not known". Health is judged elsewhere (`traffic.selectors.health`) and only repeated here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import msgspec
import redis
import structlog

from vtapweb.domain.health import CollectorState
from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.models import FrontendIpConfiguration, IpConfiguration
from vtapweb.inventory.receiving import chunks, present
from vtapweb.topology.models import Placement
from vtapweb.traffic.keys import NOW
from vtapweb.traffic.models import Alarm, CollectorAssignment
from vtapweb.traffic.samples import CollectorNow, MemberNow, Origin, decode_collector
from vtapweb.traffic.selectors.health import Health, collector_health
from vtapweb.traffic.store import NoStoreError, store

log = structlog.get_logger(__name__)

ORIGIN_WORDS: Final[Mapping[Origin, str]] = {
    Origin.AGENT: "its agent",
    Origin.AZURE_MONITOR: "Azure Monitor",
    Origin.PROMETHEUS: "Prometheus",
    Origin.REMOTE_WRITE: "remote-write",
    Origin.OTLP: "OpenTelemetry",
}
SILENT_RULES: Final = frozenset({"H3", "H4"})


@dataclass(frozen=True, slots=True)
class Measured:
    """One collector. `id` is its node's number; rates per second; `state` one of CollectorState, or "none" where nothing was ever heard of it."""

    id: int
    state: str
    words: str
    rules: tuple[str, ...]
    alarm: str
    capacity_bits_per_s: int | None
    drops_per_s: float | None
    origin: str
    interval_s: float | None
    lag_s: float | None
    arrived_ms: int | None
    has_sources: bool
    is_estimate: bool
    members: int
    members_missing: int


@dataclass(frozen=True, slots=True)
class Silent:
    """A NIC (its node's number) that is mirrored and of which nothing arrives."""

    id: int
    words: str


@dataclass(frozen=True, slots=True)
class MeasuredPicture:
    collectors: Sequence[Measured]
    silent: Sequence[Silent]


def measured_picture(scope: Scope) -> MeasuredPicture:
    """Every collector on the map whose subscription is in scope.

    Ten queries, two more for every 900 collectors, one for every 900 silent NICs, and one call of Redis.
    """
    placed = dict(Placement.objects.filter(kind="collector").order_by("key").values_list("key", "pk"))
    readable = sorted(_readable(scope, list(placed)))
    health = collector_health(scope)
    capacities = dict(CollectorAssignment.objects.filter(in_scope(scope)).values_list("destination_key", "capacity_bits_per_s"))
    now = _now_of(readable)
    return MeasuredPicture(
        [_measured(placed[key], health[key], capacities.get(key), now.get(key)) for key in readable],
        _silent(scope),
    )


def _readable(scope: Scope, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in chunks(keys):
        for model in (IpConfiguration, FrontendIpConfiguration):
            found |= set(present(model, scope).filter(key__in=some).values_list("key", flat=True))
    return found


def _now_of(keys: Sequence[str]) -> dict[str, CollectorNow]:
    """What the meter keeps of them; nothing while Redis is away, which the banner of the frames tells of."""
    if not keys:
        return {}
    try:
        found = cast("list[bytes | None]", store().hmget(NOW, list(keys)))
    except (NoStoreError, redis.RedisError) as problem:
        log.warning("topology.rates_unreadable", problem=repr(problem))
        return {}
    known: dict[str, CollectorNow] = {}
    for key, octets in zip(keys, found, strict=True):
        if octets is None:
            continue
        try:
            known[key] = decode_collector(octets)
        except msgspec.DecodeError as problem:
            log.warning("topology.rates_not_understood", collector=key, problem=repr(problem))
    return known


def _measured(node_id: int, health: Health, capacity_bits_per_s: int | None, now: CollectorNow | None) -> Measured:
    newest = max(now.members, key=lambda one: one.arrived_ms, default=None) if now else None
    return Measured(
        id=node_id,
        state=_state(health, now),
        words=health.sentence if health.judged_at is not None else "",
        rules=health.rule_ids,
        alarm=f"A-{health.alarm}" if health.alarm else "",
        capacity_bits_per_s=capacity_bits_per_s,
        drops_per_s=now.drops_per_s if now else None,
        origin=_origin_words(now.members) if now else "",
        interval_s=max(one.interval_s for one in now.members) if now and now.members else None,
        lag_s=max((one.lag_s for one in now.members if one.lag_s is not None), default=None) if now else None,
        arrived_ms=newest.arrived_ms if newest else None,
        has_sources=now.has_sources if now else True,
        is_estimate=now.is_estimate if now else False,
        members=len(now.members) if now else 0,
        members_missing=now.members_missing if now else 0,
    )


def _state(health: Health, now: CollectorNow | None) -> str:
    """What the watch judged. While it says nothing: that there is a number, or none; never that all is well."""
    if health.state != CollectorState.UNKNOWN:
        return health.state.value
    if now is None:
        return "none"
    return CollectorState.STALE.value if now.inner_bits_per_s is None else CollectorState.UNKNOWN.value


def _origin_words(members: Sequence[MemberNow]) -> str:
    return " and ".join(dict.fromkeys(ORIGIN_WORDS[one.origin] for one in members))


def _silent(scope: Scope) -> list[Silent]:
    """NICs in scope that an open alarm is about, by itself or as one of many, because nothing arrives from them. Two queries."""
    words: dict[str, str] = {}
    for alarm in Alarm.objects.filter(state=Alarm.State.OPEN).only(
        "number", "nic_key", "rule_ids", "sentence", "children", "subject_subscription_ids"
    ).order_by("number"):  # fmt: skip
        if alarm.nic_key and SILENT_RULES.intersection(alarm.rule_ids) and scope.covers(alarm.subject_subscription_ids):
            words.setdefault(alarm.nic_key, f"{alarm.sentence} {alarm.spoken}")
        for child in alarm.children:
            if child.get("rule_id") in SILENT_RULES and not child.get("ended") and scope.allows(child.get("subscription_id", "")):
                words.setdefault(child["key"], f"One of {alarm.spoken}.")
    places: dict[str, int] = {}
    for keys in chunks(list(words)):
        places |= dict(Placement.objects.filter(kind="nic", key__in=keys).values_list("key", "pk"))
    return [Silent(places[key], said) for key, said in sorted(words.items()) if key in places]
