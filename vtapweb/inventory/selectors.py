"""All reads of the inventory that others build on. Every one takes the viewer's scope; how many queries it makes is said and tested.

`ResourceKind` slugs name what is counted or stale; `ReadKind` names the list that tells of it (`READ_KIND_OF`).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db.models import Exists, Model, OuterRef, QuerySet

from vtapweb.domain.scope import Scope
from vtapweb.inventory import models
from vtapweb.inventory.models import (
    KindState,
    NotUnderstoodItem,
    RemovalHold,
    ResourceChange,
    ResourceKind,
    Subscription,
    SubscriptionSync,
    SyncRun,
)
from vtapweb.inventory.rows import DOCUMENTS

M = TypeVar("M", bound=Model)

MODELS: Final[dict[str, type[models.Resource]]] = {}
READ_KIND_OF: Final[dict[str, str]] = {}
for _read_kind, _document in DOCUMENTS.items():
    for _table in (_document.table, *(child.table for child in _document.children)):
        MODELS[_table.kind] = _table.model
        READ_KIND_OF.setdefault(_table.kind, str(_read_kind))


def in_scope(rows: QuerySet[M], scope: Scope) -> QuerySet[M]:
    """`rows` (of anything with a subscription_id) that the scope may read; no query of its own."""
    return rows if scope.subscription_ids is None else rows.filter(subscription_id__in=sorted(scope.subscription_ids))


def subscriptions(scope: Scope) -> QuerySet[Subscription]:
    """Subscriptions ever listed, by name, with their tenant; one query."""
    return in_scope(Subscription.objects.select_related("tenant"), scope).defer("raw").order_by("name", "subscription_id")


def resources(scope: Scope, kind: str, *, with_removed: bool = False) -> QuerySet[Any]:
    """Rows of one kind (a ResourceKind slug), present ones unless `with_removed`, without their raw JSON; one query.

    Raises KeyError for a kind there is not.
    """
    model = MODELS[kind]
    rows: QuerySet[Any] = in_scope(model._default_manager.all(), scope)
    if any(field.name == "raw" for field in model._meta.concrete_fields):
        rows = rows.defer("raw")
    return rows if with_removed else rows.filter(removed_at=None)


# -- what the lists came to


def kind_states(scope: Scope) -> QuerySet[KindState]:
    """What the last attempt at every list came to, by subscription and kind; one query. A list that was never tried has no row."""
    return in_scope(KindState.objects.select_related("subscription").defer("subscription__raw"), scope).order_by("subscription_id", "kind")


def stale_since(scope: Scope) -> dict[tuple[str, str], datetime]:
    """{(subscription id, ResourceKind slug): since when what we show of it may be untrue}; two queries.

    A pair is there when its list is incomplete (KindState.INCOMPLETE_STATUSES), or a complete list of subscriptions no longer holds the subscription.
    The time is that of the last complete read; of the first attempt's where there never was one.
    """
    gone: dict[str, datetime] = {
        one: since for one, since in subscriptions(scope).values_list("subscription_id", "not_listed_since") if since is not None
    }
    stale: dict[tuple[str, str], datetime] = {}
    slugs: dict[str, list[str]] = {}
    for slug, read_kind in READ_KIND_OF.items():
        slugs.setdefault(read_kind, []).append(slug)
    for state in in_scope(KindState.objects.all(), scope):
        since = state.last_complete_at or state.last_attempt_at
        if since is not None and (state.status in KindState.INCOMPLETE_STATUSES or state.subscription_id in gone):
            stale.update({(state.subscription_id, slug): since for slug in slugs.get(state.kind, [])})
    return stale


def subscriptions_stale_since(scope: Scope) -> dict[str, datetime]:
    """{subscription id: since when any of its VNets, NICs, load balancers or TAPs may be untrue}, the oldest; two queries."""
    oldest: dict[str, datetime] = {}
    shown = {ResourceKind.VIRTUAL_NETWORK, ResourceKind.NETWORK_INTERFACE, ResourceKind.LOAD_BALANCER, ResourceKind.TAP}
    for (subscription_id, slug), since in stale_since(scope).items():
        if slug in shown:
            oldest[subscription_id] = min(since, oldest.get(subscription_id, since))
    return oldest


def not_understood_items(scope: Scope) -> QuerySet[NotUnderstoodItem]:
    """Items of the last reads that could not be made rows; one query."""
    return in_scope(NotUnderstoodItem.objects.all(), scope).order_by("subscription_id", "kind", "pk")


# -- changes and runs


def resource_changes(
    scope: Scope, *, key: str = "", kind: str = "", action: str = "", run_id: int | None = None, subscription_id: str = ""
) -> QuerySet[ResourceChange]:
    """Recorded changes, newest first, narrowed by what is given; one query."""
    wanted = {"key": key, "kind": kind, "action": action, "run_id": run_id, "subscription_id": subscription_id.lower()}
    return in_scope(ResourceChange.objects.filter(**{name: value for name, value in wanted.items() if value}), scope).order_by("-pk")


def sync_runs(scope: Scope) -> QuerySet[SyncRun]:
    """Runs, newest first: all of them for a scope of everything, else those that have a part in scope; one query."""
    runs = SyncRun.objects.order_by("-pk")
    if scope.subscription_ids is None:
        return runs
    return runs.filter(Exists(SubscriptionSync.objects.filter(run=OuterRef("pk"), subscription_id__in=sorted(scope.subscription_ids))))


def is_read_once(scope: Scope) -> bool:
    """Whether a sync came to its end, well or not; one query. Until then nothing found means nothing yet."""
    return sync_runs(scope).filter(finished_at__isnull=False).exists()


def subscription_syncs(scope: Scope, run_ids: Iterable[int]) -> QuerySet[SubscriptionSync]:
    """The parts in scope of these runs, with their subscription; one query."""
    parts = SubscriptionSync.objects.filter(run_id__in=list(run_ids)).select_related("subscription").defer("subscription__raw")
    return in_scope(parts, scope).order_by("run_id", "subscription__name", "subscription_id")


def removal_holds(scope: Scope) -> QuerySet[RemovalHold]:
    """Removals that wait for an admin, or were dismissed and still could be confirmed, newest first; one query."""
    alive = RemovalHold.objects.filter(state__in=["open", "confirmed", "dismissed"]).select_related("subscription")
    return in_scope(alive.defer("keys", "subscription__raw"), scope).order_by("-pk")


def run_report(run: SyncRun, scope: Scope | None = None) -> dict[str, Any]:
    """The run as `manage.py sync --json` and the API tell it: counts per kind, changes, per subscription status and error, seconds.

    Without a scope all its parts are told (for the command line, which reads the database anyway). Queries: three, and one a kind.
    """
    scope = scope or Scope.everything()
    parts = list(subscription_syncs(scope, [run.pk]))
    told = Scope.of(part.subscription_id for part in parts)
    kinds: dict[str, dict[str, Any]] = {part.subscription_id: {} for part in parts}
    for state in kind_states(told):
        kinds[state.subscription_id][state.kind] = {
            "status": state.status,
            "sent": state.sent_count,
            "stored": state.stored_count,
            "duplicates": state.duplicate_count,
            "not_understood": state.not_understood_count,
            "last_complete_at": state.last_complete_at.isoformat() if state.last_complete_at else None,
            "failure": state.failure,
            "code": state.code,
            "message": state.message,
        }
    return {
        "run": run.pk,
        "state": run.state,
        "trigger": run.trigger,
        "seconds": _seconds_between(run.started_at, run.finished_at),
        "counts": {slug: in_scope(model._default_manager.filter(removed_at=None), told).count() for slug, model in MODELS.items()},
        "added": sum(part.added_count for part in parts),
        "changed": sum(part.changed_count for part in parts),
        "removed": sum(part.removed_count for part in parts),
        "error": {"failure": run.failure, "code": run.code, "message": run.message} if run.message else None,
        "subscriptions": [
            {
                "id": part.subscription_id,
                "name": part.subscription.name,
                "state": part.state,
                "seconds": _seconds_between(part.started_at, part.finished_at),
                "error": {"failure": part.failure, "code": part.code, "message": part.message} if part.failure or part.code else None,
                "kinds": kinds[part.subscription_id],
            }
            for part in parts
        ],
    }


def _seconds_between(started_at: datetime | None, finished_at: datetime | None) -> float | None:
    """Seconds with two places, None while either is not known."""
    return round((finished_at - started_at).total_seconds(), 2) if started_at and finished_at else None
