"""Mirrors whose time is up, or soon will be: what expires, what is overdue, and which change sees to it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from vtapweb.domain.change import ChangeState
from vtapweb.domain.scope import Scope
from vtapweb.inventory.selectors import in_scope
from vtapweb.taps.models import Change, ChangeStep, Mirror

SOON = timedelta(hours=24)  # a change that ends a mirror is planned and announced so long before
OPEN = (ChangeState.PLANNED, ChangeState.APPLYING, ChangeState.PAUSED, ChangeState.HANDED_OVER)


def expiring(scope: Scope, *, before: datetime) -> QuerySet[Mirror]:
    """Mirrors that are there and expire before then, the first to go first; one query. Those that nobody answers for have no expiry."""
    rows = Mirror.objects.filter(ended_at=None, expires_at__lt=before).select_related("began_change")
    return in_scope(rows, scope).order_by("expires_at", "pk")


def overdue(scope: Scope, *, now: datetime) -> QuerySet[Mirror]:
    """Mirrors that should have ended and are still there; one query."""
    return expiring(scope, before=now)


def expiry_counts(scope: Scope, *, now: datetime) -> tuple[int, int]:
    """(mirrors that are overdue, mirrors that expire within a day); one query."""
    found = expiring(scope, before=now + SOON).order_by().aggregate(all=Count("pk"), overdue=Count("pk", filter=Q(expires_at__lte=now)))
    return found["overdue"], found["all"] - found["overdue"]


def expiry_changes(scope: Scope, configuration_keys: Iterable[str]) -> dict[str, Change]:
    """{TAP configuration's key: the newest change that vtapweb planned to end it}, of those in scope; one query."""
    steps = ChangeStep.objects.filter(target_key__in=list(configuration_keys), action="delete", change__plan__is_expiry=True)
    found = steps.select_related("change").defer("body", "before", "groups", "operation", "change__plan", "change__left_out").order_by("pk")
    return {step.target_key: step.change for step in found if scope.covers(step.change.subscription_ids)}


def seen_to(scope: Scope, mirrors: Iterable[Mirror], *, now: datetime, again_after: timedelta) -> set[str]:
    """Keys of the configurations of these mirrors that an expiry is planned or under way for, was cancelled for, or was tried for lately; one query.

    What a person cancelled is not planned again: it stays overdue until somebody decides. That was about the mirror of then, though, not about
    one that was made on the same NIC since.
    """
    since = {one.tap_configuration_key: one.began_at or one.first_seen_at for one in mirrors}
    steps = ChangeStep.objects.filter(target_key__in=list(since), action="delete", change__plan__is_expiry=True)
    names = ("target_key", "change__state", "change__created_at", "change__finished_at", "subscription_id")
    found: set[str] = set()
    for key, state, created_at, ended_at, subscription_id in steps.values_list(*names):
        is_lately = ended_at is not None and ended_at > now - again_after
        is_about_this = created_at >= since[key] and (state == ChangeState.CANCELLED or is_lately)
        if scope.allows(subscription_id) and (state in OPEN or is_about_this):
            found.add(key)
    return found
