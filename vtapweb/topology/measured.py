"""What the map says of the collectors' numbers beyond the frames: state, capacity, drops, who counts and how late, and NICs of which nothing arrives.

Rule 1: one short answer, a fixed number of queries; the figures themselves come with the frames. Rule 2: of a collector whose subscription is not in
scope nothing is told. Rule 3: None is "not known". Everything is as pages and API show it (`traffic.showing`), so that they agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from vtapweb.domain.scope import Scope
from vtapweb.topology.choices import nodes_standing
from vtapweb.traffic.selectors.silence import silent_nics
from vtapweb.traffic.showing import Shown, collectors_shown


@dataclass(frozen=True, slots=True)
class Measured:
    """One collector. `id` is its node's number; rates per second; `state`: see `Shown.state_name`."""

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

    Sixteen queries, one more of some for every 900 collectors or silent NICs; one call of Redis.
    """
    shown = [one for one in collectors_shown(scope, at=timezone.now()) if one.facts.is_in_scope]
    placed = nodes_standing([one.facts.key for one in shown])
    return MeasuredPicture([_measured(placed[one.facts.key], one) for one in shown if one.facts.key in placed], _silent(scope))


def _measured(node_id: int, shown: Shown) -> Measured:
    health, now = shown.health, shown.now
    return Measured(
        id=node_id,
        state=shown.state_name,
        words=shown.sentence if health.judged_at is not None else "",
        rules=health.rule_ids,
        alarm=f"A-{health.alarm}" if health.alarm else "",
        capacity_bits_per_s=shown.capacity.bits_per_s,
        drops_per_s=shown.drops_per_s,
        origin=shown.origin_words,
        interval_s=shown.interval_s,
        lag_s=shown.lag_s,
        arrived_ms=round(shown.heard_at.timestamp() * 1000) if shown.heard_at else None,
        has_sources=now is None or shown.has_sources,
        is_estimate=shown.is_estimate,
        members=shown.facts.member_count,
        members_missing=now.members_missing if now else 0,
    )


def _silent(scope: Scope) -> list[Silent]:
    """NICs in scope that an open alarm is about, by itself or as one of many, because nothing arrives from them. Two queries."""
    silent = silent_nics(scope)
    places = nodes_standing(list(silent))
    return [Silent(places[key], one.words) for key, one in sorted(silent.items()) if key in places]
