"""The switches over writing to Azure: per subscription, and the stop over all. Shape: check, write, audit. Admins only, or the command line."""

from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.guards import role_check
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.plain_text import storable
from vtapweb.domain.scope import Scope
from vtapweb.inventory.selectors import subscriptions
from vtapweb.taps.models import SubscriptionWrites, WriteStop
from vtapweb.web.problem import ProblemError

PREVIEW_NOTICE = (
    "Virtual network TAP is a public preview of Azure: without a service level agreement, and by Azure's own words not for production workloads. "
    "Adding or removing a source may cut that VM's network for up to 60 seconds. TAPs are billed per NIC and hour."
)


def admin_name(acting_user: Viewer | None, actor: str, *, of_everything: bool = False) -> str:
    """Who acts, for the row: an admin (who sees all subscriptions, with `of_everything`), else the command in words.

    Raises ProblemError 403 for anybody else.
    """
    if acting_user is None:
        return actor[:200]
    role_check(acting_user, Role.ADMIN)
    if of_everything and not acting_user.scope.is_everything:
        raise ProblemError(403, "Not allowed", f"This is for the whole installation; {acting_user.name} sees only some subscriptions.")
    return acting_user.name[:200]


def checked_reason(reason: str) -> str:
    """The reason as it is kept. Raises ValidationError for an empty one."""
    kept = storable(reason).strip()
    if not kept:
        raise ValidationError("Give a reason: it stands in the audit record.", code="reason")
    return kept


def _known(subscription_ids: Iterable[str], scope: Scope) -> list[str]:
    """The ids folded, each once. Raises ValidationError for none, and for those that no sync has listed (or that are out of scope)."""
    wanted = sorted({one.strip().lower() for one in subscription_ids if one.strip()})
    if not wanted:
        raise ValidationError("Name at least one subscription.", code="subscriptions")
    known = set(subscriptions(scope).values_list("subscription_id", flat=True))
    if strangers := [one for one in wanted if one not in known]:
        raise ValidationError(f"Not known here: {', '.join(strangers)}. Check the id, or sync first.", code="subscriptions")
    return wanted


@transaction.atomic
def writes_enable(
    *,
    subscription_ids: Iterable[str],
    reason: str,
    is_notice_accepted: bool,
    acting_user: Viewer | None = None,
    actor: str = "",
    request: HttpRequest | None = None,
) -> list[SubscriptionWrites]:
    """Lets vtapweb write to these subscriptions, by name: who does it accepts PREVIEW_NOTICE for each, and is kept with it.

    Raises ValidationError without a reason, without the notice accepted, or for a subscription that is not known; then nothing changes.
    """
    name = admin_name(acting_user, actor)
    kept = checked_reason(reason)
    if not is_notice_accepted:
        raise ValidationError("Accept first that this is a preview without service level agreement.", code="notice")
    return _switch(subscription_ids, True, kept, name, acting_user, request)


@transaction.atomic
def writes_disable(
    *, subscription_ids: Iterable[str], reason: str, acting_user: Viewer | None = None, actor: str = "", request: HttpRequest | None = None
) -> list[SubscriptionWrites]:
    """Makes these subscriptions read-only: steps not yet sent are not sent. Raises ValidationError as `writes_enable` does."""
    name = admin_name(acting_user, actor)
    return _switch(subscription_ids, False, checked_reason(reason), name, acting_user, request)


def _switch(
    subscription_ids: Iterable[str], is_enabled: bool, reason: str, name: str, acting_user: Viewer | None, request: HttpRequest | None
) -> list[SubscriptionWrites]:
    now = timezone.now()
    rows = []
    for one in _known(subscription_ids, acting_user.scope if acting_user else Scope.everything()):
        values = {"is_enabled": is_enabled, "reason": reason, "by": name, "at": now}
        if is_enabled:
            values |= {"preview_accepted_by": name, "preview_accepted_at": now}
        row, _ = SubscriptionWrites.objects.update_or_create(subscription_id=one, defaults=values)
        rows.append(row)
        audit_record(
            action=f"taps.writes_{'enabled' if is_enabled else 'disabled'}",
            acting_user=acting_user,
            actor=name,
            target=f"subscription {one}",
            reason=reason,
            detail={"preview_notice_accepted_by": name} if is_enabled else {},
            request=request,
        )
    return rows


@transaction.atomic
def writes_require_window(
    *, subscription_ids: Iterable[str], is_required: bool, acting_user: Viewer, request: HttpRequest | None = None
) -> list[SubscriptionWrites]:
    """Whether changes in these subscriptions must name a change window. Returns the rows that had to change.

    Raises ValidationError for none, or for a subscription that is not known.
    """
    name = admin_name(acting_user, "")
    wanted = _known(subscription_ids, acting_user.scope)
    rows = SubscriptionWrites.objects.select_for_update().in_bulk(wanted)
    changed = []
    for one in wanted:
        row = rows.get(one) or _default_row(one, name)
        if row.requires_window == is_required:
            continue
        row.requires_window = is_required
        row.save()
        action = "taps.window_required" if is_required else "taps.window_not_required"
        audit_record(action=action, acting_user=acting_user, target=f"subscription {one}", request=request)
        changed.append(row)
    return changed


def _default_row(subscription_id: str, name: str) -> SubscriptionWrites:
    """The row that says what its absence said (selectors.writes): on the simulator enabled, and nothing real to accept."""
    is_enabled = settings.CLOUD == "simulator"
    now = timezone.now()
    accepted = {"preview_accepted_by": "the simulator", "preview_accepted_at": now} if is_enabled else {}
    return SubscriptionWrites(subscription_id=subscription_id, is_enabled=is_enabled, by=name, at=now, **accepted)


@transaction.atomic
def writes_stop(*, reason: str = "", acting_user: Viewer | None = None, actor: str = "", request: HttpRequest | None = None) -> bool:
    """Stops every write of every process; True when it was not stopped before. What was sent already cannot be called back.

    A missing reason does not hold up the brake.
    """
    return _stop(True, storable(reason).strip() or "no reason given", admin_name(acting_user, actor), acting_user, request)


@transaction.atomic
def writes_resume(*, reason: str, acting_user: Viewer | None = None, actor: str = "", request: HttpRequest | None = None) -> bool:
    """Lifts the stop; True when there was one. For admins who see all subscriptions: the stop was everybody's. Raises ValidationError."""
    return _stop(False, checked_reason(reason), admin_name(acting_user, actor, of_everything=True), acting_user, request)


def _stop(is_stopped: bool, reason: str, name: str, acting_user: Viewer | None, request: HttpRequest | None) -> bool:
    now = timezone.now()
    WriteStop.objects.bulk_create([WriteStop(pk=1, by=name, at=now)], ignore_conflicts=True)
    is_new = WriteStop.objects.filter(pk=1, is_stopped=not is_stopped).update(is_stopped=is_stopped, reason=reason, by=name, at=now)
    if is_new:
        action = "taps.writes_stopped" if is_stopped else "taps.writes_resumed"
        audit_record(action=action, acting_user=acting_user, actor=name, target="all writes", reason=reason, request=request)
    return bool(is_new)
