"""Planned work on a collector: it mutes that collector's own health for its time. Shape: check, write, audit, announce."""

from datetime import datetime, timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.guards import role_check
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.plain_text import storable
from vtapweb.events.bus import record_event
from vtapweb.events.types import HealthEvent
from vtapweb.traffic.models import CollectorMaintenance
from vtapweb.traffic.selectors.collectors import CollectorFacts

LONGEST: Final = timedelta(days=14)


@transaction.atomic
def maintenance_plan(
    *,
    collector: CollectorFacts,
    owner: str,
    reason: str,
    ends_at: datetime,
    acting_user: Viewer,
    starts_at: datetime | None = None,
    member_key: str = "",
    ticket: str = "",
    request: HttpRequest | None = None,
) -> CollectorMaintenance:
    """Maintenance of a collector, or of one of its members, from `starts_at` (None: now) on.

    Raises ProblemError 403 for a viewer, ValidationError without owner, reason or a sensible span, out of scope, or for a member it has not.
    """
    role_check(acting_user, Role.OPERATOR)
    now = timezone.now()
    begin = starts_at or now
    if not collector.is_in_scope or not acting_user.scope.allows(collector.subscription_id):
        raise ValidationError("This collector is outside what you may see.", code="collector")
    if not storable(owner).strip():
        raise ValidationError("Name who does it: whoever is on shift will want to call them.", code="owner")
    if not storable(reason).strip():
        raise ValidationError("Say what is done.", code="reason")
    if ends_at <= max(begin, now) or ends_at - begin > LONGEST:
        raise ValidationError(f"It ends after it begins, in the future, and takes {LONGEST.days} days at most.", code="ends_at")
    if member_key and member_key not in {one.nic_key for one in collector.members}:
        raise ValidationError("This collector has no such member.", code="member_key")
    row = CollectorMaintenance.objects.create(
        collector_key=collector.key,
        destination_id=collector.destination_id,
        subscription_id=collector.subscription_id,
        name=collector.name[:200],
        member_key=member_key,
        starts_at=begin,
        ends_at=ends_at,
        owner=storable(owner).strip()[:200],
        reason=storable(reason).strip()[:2000],
        ticket=storable(ticket).strip()[:200],
        by=acting_user.name[:200],
        at=now,
    )
    detail = {"starts_at": begin.isoformat(), "ends_at": ends_at.isoformat(), "owner": row.owner, "member": member_key}
    audit_record(
        action="traffic.maintenance_planned", acting_user=acting_user, target=collector.name, reason=row.reason, detail=detail, request=request
    )
    _tell(row)
    return row


@transaction.atomic
def maintenance_end(*, maintenance: CollectorMaintenance, acting_user: Viewer, request: HttpRequest | None = None) -> CollectorMaintenance:
    """Ends it now, before its time. Ending it again changes nothing. Raises ProblemError 403 for a viewer."""
    role_check(acting_user, Role.OPERATOR)
    now = timezone.now()
    row = CollectorMaintenance.objects.select_for_update().get(pk=maintenance.pk)
    if row.ended_at is not None or row.ends_at <= now:
        return row
    row.ended_at, row.ended_by = now, acting_user.name[:200]
    row.save(update_fields=["ended_at", "ended_by"])
    audit_record(action="traffic.maintenance_ended", acting_user=acting_user, target=row.name, request=request)
    _tell(row)
    return row


def _tell(row: CollectorMaintenance) -> None:
    record_event(HealthEvent(deed="deed", collector_key=row.collector_key), subscription_ids=[row.subscription_id])
