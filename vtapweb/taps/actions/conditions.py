"""Reading what Azure lets us do in a subscription: permissions, locks, feature. What cannot be read is unknown, with its reason, never an error.

Permissions are asked at the subscription first, and at resource groups only where the subscription's own do not grant what we need: roles are often
given on groups. Nothing here is told to anybody; verdicts read the rows.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import redis
import structlog
from django.core.cache import cache
from django.utils import timezone

from vtapweb.cloud.port import CloudError, Failure, WritableCloud
from vtapweb.domain.arm_id import arm_key, subscription_in
from vtapweb.domain.permissions import DELETE_CONFIGURATION, DELETE_TAP, JOIN_TAP, WRITE_CONFIGURATION, WRITE_TAP, PermissionList, allows
from vtapweb.domain.plain_text import storable, storable_json
from vtapweb.events import outage
from vtapweb.events.jobs import enqueue
from vtapweb.inventory.clouds import open_cloud_for_writes
from vtapweb.inventory.models import NetworkInterface, Subscription, VirtualNetworkTap
from vtapweb.taps.models import ConditionStatus, ScopePermissions, SubscriptionConditions

OpenCloud = Callable[[], WritableCloud]

ON_NICS: Final = (WRITE_CONFIGURATION, DELETE_CONFIGURATION)
ON_TAPS: Final = (JOIN_TAP, WRITE_TAP, DELETE_TAP)
GROUPS_A_RUN: Final = 300  # of a subscription, the longest unread first: 12 s of Azure's read budget
SCOPES_A_CALL: Final = 100
KEPT: Final = timedelta(hours=1)  # how long an answer outlives failures that pass: a throttled minute must not stop everybody
ASKED_AGAIN_S: Final = 30
PASSING: Final = frozenset({Failure.THROTTLED, Failure.SERVER, Failure.CONNECTION, Failure.BROKEN_BODY})
HOPELESS: Final = frozenset({Failure.CONNECTION, Failure.UNAUTHENTICATED, Failure.THROTTLED})  # what fails one question so fails the next
# How an ARM server says that it has no such API: 404, or one of these codes.
NO_SUCH_API: Final = frozenset({"noregisteredproviderfound", "invalidresourcetype", "invalidresourcenamespace", "notimplemented"})

log = structlog.get_logger(__name__)


class _Asking:
    """Asks one question after the other; once one failed as all would, the rest fail alike without being asked."""

    def __init__(self) -> None:
        self.hopeless: CloudError | None = None

    def __call__(self, question: Callable[[], Any]) -> Any:
        """The answer. Raises CloudError."""
        if self.hopeless is not None:
            raise self.hopeless
        try:
            return question()
        except CloudError as problem:
            if problem.failure in HOPELESS:
                self.hopeless = problem
            raise


def conditions_refresh(*, subscription_id: str, opener: OpenCloud = open_cloud_for_writes) -> SubscriptionConditions | None:
    """Reads feature, locks and permissions of one subscription and stores them; None for a subscription that no sync has listed.

    Safe to run twice, and beside itself: the last answer stands.
    """
    wanted = subscription_id.lower()
    if not Subscription.objects.filter(pk=wanted).exists():
        return None
    cloud, problem = _opened(opener)
    ask = _Asking()
    ask.hopeless = problem
    try:
        row = SubscriptionConditions.objects.filter(pk=wanted).first() or SubscriptionConditions(subscription_id=wanted)
        _read_feature(row, ask, cloud)
        _read_locks(row, ask, cloud)
        row.read_at = timezone.now()
        _keep(row)
        _read_permissions(wanted, ask, cloud)
    finally:
        if cloud is not None:
            cloud.close()
    log.info("taps.conditions_read", subscription=wanted, feature=row.feature_status, locks=row.locks_status)
    return row


def permissions_read(*, scope_ids: Iterable[str], opener: OpenCloud = open_cloud_for_writes) -> int:
    """Reads what we may do at these scopes (groups, NICs, TAPs) of known subscriptions; how many were stored. At most SCOPES_A_CALL of them."""
    ids = {arm_key(one): one for one in scope_ids if one}
    known = set(Subscription.objects.filter(pk__in={subscription_in(one) for one in ids.values()}).values_list("pk", flat=True))
    wanted = [one for one in ids.values() if subscription_in(one) in known][:SCOPES_A_CALL]
    if not wanted:
        return 0
    cloud, problem = _opened(opener)
    ask = _Asking()
    ask.hopeless = problem
    try:
        for scope_id in wanted:
            _read_scope(scope_id, ask, cloud)
    finally:
        if cloud is not None:
            cloud.close()
    return len(wanted)


def conditions_ask(*, subscription_ids: Iterable[str], scope_ids: Iterable[str] = ()) -> None:
    """Has read in the background what a verdict lacked, each thing at most every ASKED_AGAIN_S: subscriptions as a whole, scopes by themselves."""
    for one in sorted(set(subscription_ids)):
        if _is_due(f"taps:conditions:{one}"):
            enqueue("taps.refresh_conditions", subscription_id=one)
    due = [one for one in list(scope_ids)[:SCOPES_A_CALL] if _is_due(f"taps:permissions:{arm_key(one)}")]
    if due:
        enqueue("taps.read_permissions", scope_ids=due)


def _is_due(name: str) -> bool:
    try:
        return bool(cache.add(name, 1, ASKED_AGAIN_S))
    except redis.RedisError as problem:
        outage.redis.failed("taps.conditions_not_asked", problem=str(problem))
        return False


def _opened(opener: OpenCloud) -> tuple[WritableCloud | None, CloudError | None]:
    try:
        return opener(), None
    except CloudError as problem:
        return None, problem


def _status_of(problem: CloudError, *, may_lack: bool = True) -> ConditionStatus:
    """`may_lack`: whether "there is no such thing" means the API (and not the scope that was asked about)."""
    if may_lack and (problem.failure is Failure.MISSING or problem.code.lower() in NO_SUCH_API):
        return ConditionStatus.NOT_AVAILABLE
    return ConditionStatus.FORBIDDEN if problem.failure is Failure.FORBIDDEN else ConditionStatus.FAILED


def _words(problem: CloudError) -> str:
    return storable(f"{problem.failure}: {problem.code} {problem.message}".strip())[:1000]


def _outlives(status: str, read_at: datetime | None, problem: CloudError) -> bool:
    """Whether what was read before is still believed though reading it again failed."""
    is_read = status in (ConditionStatus.READ, ConditionStatus.NOT_AVAILABLE)
    return is_read and problem.failure in PASSING and read_at is not None and timezone.now() - read_at < KEPT


def _keep(row: SubscriptionConditions | ScopePermissions) -> None:
    """Stores the row, whether or not another worker has stored one meanwhile."""
    key, *others = [field.attname for field in row._meta.concrete_fields]
    manager: Any = type(row)._default_manager
    manager.bulk_create([row], update_conflicts=True, unique_fields=[key], update_fields=others)


def _read_feature(row: SubscriptionConditions, ask: _Asking, cloud: WritableCloud | None) -> None:
    try:
        row.feature_state = storable(ask(lambda: cloud.feature(row.subscription_id) if cloud else ""))[:100]
        row.feature_status, row.feature_problem, row.feature_read_at = ConditionStatus.READ, "", timezone.now()
    except CloudError as problem:
        row.feature_problem = _words(problem)
        if not _outlives(row.feature_status, row.feature_read_at, problem):
            row.feature_status, row.feature_state = _status_of(problem), ""


def _read_locks(row: SubscriptionConditions, ask: _Asking, cloud: WritableCloud | None) -> None:
    try:
        locks = ask(lambda: cloud.locks(row.subscription_id) if cloud else ())
        row.locks = storable_json([{"scope_id": one.scope_id, "level": one.level, "name": one.name, "notes": one.notes} for one in locks])
        row.locks_status, row.locks_problem, row.locks_read_at = ConditionStatus.READ, "", timezone.now()
    except CloudError as problem:
        row.locks_problem = _words(problem)
        if not _outlives(row.locks_status, row.locks_read_at, problem):
            row.locks_status, row.locks = _status_of(problem), []


def _read_permissions(subscription_id: str, ask: _Asking, cloud: WritableCloud | None) -> None:
    """The subscription's own, then its groups' where they matter; what no longer matters, or is older than KEPT, goes."""
    whole = _read_scope(f"/subscriptions/{subscription_id}", ask, cloud)
    lists = [PermissionList(tuple(one["actions"]), tuple(one["not_actions"])) for one in whole.permissions]
    groups: dict[str, str] = {}
    for model, actions in ((NetworkInterface, ON_NICS), (VirtualNetworkTap, ON_TAPS)):
        if whole.status == ConditionStatus.NOT_AVAILABLE or all(allows(lists, action) for action in actions):
            continue
        names = model.objects.filter(subscription_id=subscription_id, removed_at=None).values_list("resource_group", flat=True).distinct()
        for name in names:
            scope_id = f"/subscriptions/{subscription_id}/resourceGroups/{name}"
            groups.setdefault(arm_key(scope_id), scope_id)
    read_at = dict(ScopePermissions.objects.filter(subscription_id=subscription_id).values_list("scope_key", "read_at"))
    oldest_first = sorted(groups, key=lambda key: (read_at.get(key) is not None, read_at.get(key) or timezone.now(), key))
    for key in oldest_first[:GROUPS_A_RUN]:
        _read_scope(groups[key], ask, cloud)
    stale = ScopePermissions.objects.filter(subscription_id=subscription_id, read_at__lt=timezone.now() - KEPT)
    stale.exclude(scope_key__in=[whole.scope_key, *groups]).delete()


def _read_scope(scope_id: str, ask: _Asking, cloud: WritableCloud | None) -> ScopePermissions:
    key = arm_key(scope_id)
    row = ScopePermissions.objects.filter(pk=key).first() or ScopePermissions(
        scope_key=key, scope_id=storable(scope_id), subscription_id=subscription_in(scope_id)
    )
    try:
        found = ask(lambda: cloud.permissions(scope_id) if cloud else ())
        row.permissions = storable_json([{"actions": list(one.actions), "not_actions": list(one.not_actions)} for one in found])
        row.status, row.problem, row.read_at = ConditionStatus.READ, "", timezone.now()
    except CloudError as problem:
        row.problem = _words(problem)
        if not _outlives(row.status, row.read_at, problem):
            row.status, row.permissions, row.read_at = _status_of(problem, may_lack=scope_id.count("/") == 2), [], timezone.now()
    _keep(row)
    return row
