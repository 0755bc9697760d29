"""What Azure lets us do in each subscription, in words, out of what was last read."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from vtapweb.domain.permissions import DELETE_CONFIGURATION, DELETE_TAP, JOIN_TAP, WRITE_CONFIGURATION, WRITE_TAP, PermissionList, allows
from vtapweb.domain.scope import Scope
from vtapweb.inventory.selectors import in_scope
from vtapweb.taps.models import ConditionStatus, ScopePermissions, SubscriptionConditions

NEEDED = (WRITE_CONFIGURATION, DELETE_CONFIGURATION, JOIN_TAP, WRITE_TAP, DELETE_TAP)


@dataclass(frozen=True, slots=True)
class Allowance:
    """`rights`: where we may write, in words. `is_lacking`: a role would mend it. `notes`: locks, the feature, and why something is not known."""

    rights: str
    is_lacking: bool
    notes: list[str] = field(default_factory=list)
    read_at: datetime | None = None


UNREAD = Allowance("not asked yet", False)


def allowances(scope: Scope) -> dict[str, Allowance]:
    """{subscription id: what Azure lets us do there} of the subscriptions that were asked about; two queries."""
    by_subscription: dict[str, list[ScopePermissions]] = defaultdict(list)
    for one in in_scope(ScopePermissions.objects.all(), scope):
        by_subscription[one.subscription_id].append(one)
    found = {}
    for row in in_scope(SubscriptionConditions.objects.all(), scope):
        rights, is_lacking, note = _rights(by_subscription[row.subscription_id])
        found[row.subscription_id] = Allowance(rights, is_lacking, [one for one in (note, _locks(row), _feature(row)) if one], row.read_at)
    return found


def _may_write_at(row: ScopePermissions) -> bool:
    """Whether everything that vtapweb ever writes is granted at this scope."""
    lists = [PermissionList(tuple(one["actions"]), tuple(one["not_actions"])) for one in row.permissions]
    return all(allows(lists, action) for action in NEEDED)


def _rights(rows: list[ScopePermissions]) -> tuple[str, bool, str]:
    whole = next((one for one in rows if one.scope_id.count("/") == 2), None)
    groups = [one for one in rows if one.scope_id.count("/") == 4]
    if whole is None or whole.status == ConditionStatus.NEVER:
        return UNREAD.rights, False, ""
    if whole.status == ConditionStatus.NOT_AVAILABLE:
        return "not told by this server", False, ""
    if whole.status == ConditionStatus.READ and _may_write_at(whole):
        return "write in all of it", False, ""
    granted = sum(_may_write_at(one) for one in groups)
    if granted:
        return f"write in {granted} of {len(groups)} resource groups", granted < len(groups), ""
    if whole.status != ConditionStatus.READ:
        return "unknown", False, whole.problem
    return "only read", True, ""


def _locks(row: SubscriptionConditions) -> str:
    if row.locks_status == ConditionStatus.READ:
        number = len(row.locks)
        return f"{number} management lock{'' if number == 1 else 's'}" if number else ""
    if row.locks_status == ConditionStatus.NOT_AVAILABLE:
        return ""
    return f"locks unknown: {row.locks_problem}"


def _feature(row: SubscriptionConditions) -> str:
    if row.feature_status == ConditionStatus.READ and row.feature_state.lower() != "registered":
        return f"AllowVirtualNetworkTap is {row.feature_state}"
    return ""
