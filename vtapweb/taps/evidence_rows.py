"""One mirror's life as flat columns, for CSV, JSON and the API alike."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from vtapweb.domain.scope import Scope
from vtapweb.taps.models import Mirror
from vtapweb.taps.selectors.evidence import EvidenceFilter
from vtapweb.taps.selectors.mirrored_bytes import MirroredBytes, mirrored_bytes

COLUMNS = (
    "nic",
    "nic_id",
    "vnet_id",
    "subnet_id",
    "subscription_id",
    "tap",
    "tap_id",
    "from",
    "from_is_known",
    "first_seen",
    "to",
    "state",
    "origin",
    "who",
    "why",
    "ticket",
    "owner",
    "expires",
    "adopted_by",
    "adopted",
    "change",
    "ended_by",
    "ended_why",
    "ended_change",
    "drift_decision",
    "drift_decided_by",
    "drift_reason",
    "bytes",
    "bytes_measured_s",
    "bytes_wanted_s",
)


def as_columns(life: Mirror, carried: MirroredBytes) -> dict[str, Any]:
    """One life under COLUMNS with what it `carried`, instants in UTC (ISO 8601), None where nobody knows or nothing is."""
    known = life.began_at is not None
    return {
        "nic": life.nic_name,
        "nic_id": life.nic_id,
        "vnet_id": life.vnet_id,
        "subnet_id": life.subnet_id,
        "subscription_id": life.subscription_id,
        "tap": life.tap_name,
        "tap_id": life.tap_id,
        "from": iso(life.began_at or life.first_seen_at),
        "from_is_known": known,
        "first_seen": iso(life.first_seen_at),
        "to": iso(life.ended_at),
        "state": life.state,
        "origin": life.origin,
        "who": life.began_by or None,
        "why": life.reason or None,
        "ticket": life.ticket or None,
        "owner": life.owner or None,
        "expires": iso(life.expires_at),
        "adopted_by": life.adopted_by or None,
        "adopted": iso(life.adopted_at),
        "change": life.began_change_id,
        "ended_by": life.ended_by or None,
        "ended_why": life.end_reason or None,
        "ended_change": life.ended_change_id,
        "drift_decision": life.drift_decision or None,
        "drift_decided_by": life.drift_decided_by or None,
        "drift_reason": life.drift_reason or None,
        "bytes": carried.count,
        "bytes_measured_s": carried.measured_s,
        "bytes_wanted_s": carried.wanted_s,
    }


def columns_of(scope: Scope, wanted: EvidenceFilter, lives: Sequence[Mirror]) -> list[dict[str, Any]]:
    """Each of them under COLUMNS, with the bytes that it carried in the span. Queries: those of `mirrored_bytes`."""
    carried = carried_of(scope, wanted, lives)
    return [as_columns(life, carried[life.pk]) for life in lives]


def carried_of(scope: Scope, wanted: EvidenceFilter, lives: Sequence[Mirror]) -> Mapping[int, MirroredBytes]:
    """What each of them carried in the span, by its number; all of them are in scope."""
    return mirrored_bytes(scope, lives, since=wanted.starts_at, until=wanted.ends_at, now=timezone.now())


def iso(at: datetime | None) -> str | None:
    """UTC to the second, None for None."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
