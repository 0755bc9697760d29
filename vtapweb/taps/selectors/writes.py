"""Whether vtapweb may write, and why not: the switch of each subscription, the stop over all of them, the windows.

Rule 1: a real or custom cloud is read-only until an admin enabled a subscription by name; the simulator is enabled until somebody disables it.
Rule 2: the stop goes before everything. Both are read from the database each time, so that one commit halts every process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import ResourceKind, Subscription
from vtapweb.inventory.selectors import in_scope, resources, subscriptions
from vtapweb.taps.models import ChangeWindow, ProtectedScope, SubscriptionWrites, WriteStop
from vtapweb.traffic.models import CollectorAssignment


@dataclass(frozen=True, slots=True)
class WritesState:
    """May vtapweb write to this subscription now? `requires_window`: only within a change window that the change names."""

    subscription_id: str
    is_enabled: bool
    is_stopped: bool
    requires_window: bool
    reason: str = ""
    by: str = ""
    at: datetime | None = None
    preview_accepted_by: str = ""
    preview_accepted_at: datetime | None = None
    stop_reason: str = ""
    stopped_by: str = ""

    @property
    def is_allowed(self) -> bool:
        """Enabled and not stopped; windows are the change's own question."""
        return self.is_enabled and not self.is_stopped

    @property
    def refusal(self) -> str:
        """Why not, and what mends it, in a sentence or two; "" where writing is allowed."""
        if self.is_stopped:
            return f"All writes are stopped, by {self.stopped_by} (“{self.stop_reason}”). An admin lifts the stop under Settings, Writes."
        if not self.is_enabled:
            return f"Subscription {self.subscription_id} is read-only for vtapweb. An admin enables writes for it under Settings, Writes."
        return ""


def write_stop(scope: Scope) -> WriteStop | None:  # noqa: ARG001 - the stop is the installation's, everybody may know it
    """The stop as it stands, None while nothing is stopped; one query."""
    return WriteStop.objects.filter(pk=1, is_stopped=True).first()


def writes_states(scope: Scope, subscription_ids: Iterable[str]) -> dict[str, WritesState]:
    """{lower-case subscription id: state} of those in scope, in the order given; two queries."""
    wanted = dict.fromkeys(one.lower() for one in subscription_ids if scope.allows(one))
    stop = write_stop(scope)
    rows = SubscriptionWrites.objects.in_bulk(list(wanted))
    return {one: _state(one, rows.get(one), stop) for one in wanted}


def writes_allowed(subscription_id: str, *, scope: Scope | None = None) -> WritesState:
    """The state of one subscription; two queries. For the scheduler, which has no viewer, without a scope; out of scope: read-only."""
    found = writes_states(scope or Scope.everything(), [subscription_id])
    return found.get(subscription_id.lower()) or WritesState(subscription_id.lower(), is_enabled=False, is_stopped=False, requires_window=False)


def _state(subscription_id: str, row: SubscriptionWrites | None, stop: WriteStop | None) -> WritesState:
    stop_reason, stopped_by = (stop.reason, stop.by) if stop else ("", "")
    if row is None:
        return WritesState(
            subscription_id,
            is_enabled=settings.CLOUD == "simulator",
            is_stopped=stop is not None,
            requires_window=False,
            stop_reason=stop_reason,
            stopped_by=stopped_by,
        )
    return WritesState(
        subscription_id,
        is_enabled=row.is_enabled,
        is_stopped=stop is not None,
        requires_window=row.requires_window,
        reason=row.reason,
        by=row.by,
        at=row.at,
        preview_accepted_by=row.preview_accepted_by,
        preview_accepted_at=row.preview_accepted_at,
        stop_reason=stop_reason,
        stopped_by=stopped_by,
    )


def subscriptions_with_writes(scope: Scope) -> list[tuple[Subscription, WritesState]]:
    """Every subscription in scope, by name, with its state; three queries."""
    rows = list(subscriptions(scope))
    states = writes_states(scope, [row.subscription_id for row in rows])
    return [(row, states[row.subscription_id]) for row in rows]


def change_windows(scope: Scope) -> QuerySet[ChangeWindow]:  # noqa: ARG001 - windows name times, not resources
    """All change windows by name; one query."""
    return ChangeWindow.objects.order_by("name")


def protected_scopes(scope: Scope) -> QuerySet[ProtectedScope]:
    """What is protected, for admins: everything for a scope of everything, nothing for a limited one; one query."""
    rows = ProtectedScope.objects.all()
    return rows if scope.is_everything else rows.none()


def collector_assignments(scope: Scope) -> QuerySet[CollectorAssignment]:
    """What operators said about collectors in scope, by their ids; one query."""
    return in_scope(CollectorAssignment.objects.all(), scope)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where some TAP leads: its NIC or load balancer by name ("" where it cannot be read), the TAPs, and what was said about it."""

    destination_id: str
    key: str
    name: str
    tap_names: tuple[str, ...]
    assignment: CollectorAssignment | None


def known_destinations(scope: Scope) -> list[Destination]:
    """Every destination of the TAPs in scope, and those that something was said about, by name; four queries."""
    said = {row.destination_key: row for row in collector_assignments(scope)}
    taps: dict[str, list[str]] = {key: [] for key in said}
    ids = {key: row.destination_id for key, row in said.items()}
    for tap in resources(scope, ResourceKind.TAP).order_by("name"):
        if tap.destination_key:
            taps.setdefault(tap.destination_key, []).append(tap.name)
            ids.setdefault(tap.destination_key, tap.destination_id)
    addresses = resources(scope, ResourceKind.IP_CONFIGURATION).filter(key__in=list(ids)).values_list("key", "network_interface__name")
    frontends = resources(scope, ResourceKind.FRONTEND).filter(key__in=list(ids)).values_list("key", "load_balancer__name")
    names = dict([*addresses, *frontends])
    found = [Destination(ids[key], key, names.get(key, ""), tuple(of), said.get(key)) for key, of in taps.items()]
    return sorted(found, key=lambda one: (one.name or one.destination_id).lower())
