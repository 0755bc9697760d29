"""Who may do what at a scope, and what a management lock forbids: the two gates of Azure Resource Manager before a resource provider is asked.

RBAC is additive: what a role gives at a subscription is given in everything below it, and nothing below takes it away again. So a
subscription that holds a group in which the caller only reads has given him no more than Reader at its own scope, and Network Contributor in
each of its other groups.
"""

import re

from vtapweb.simulator import errors
from vtapweb.simulator.documents import Json
from vtapweb.simulator.estate import Estate, fold

NETWORK_CONTRIBUTOR = [
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Network/*",
    "Microsoft.ResourceHealth/availabilityStatuses/read",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
]
READER = ["*/read"]
CAN_NOT_DELETE, READ_ONLY = "CanNotDelete", "ReadOnly"
LOCK_LEVELS = (CAN_NOT_DELETE, READ_ONLY)
LOCKS = "/providers/Microsoft.Authorization/locks/"


def permissions_at(estate: Estate, scope: str) -> list[Json]:
    """The caller's permissions at a scope as ARM lists them, one entry a role assignment that reaches it."""
    words = fold(scope).strip("/").split("/")
    subscription_id = words[1] if len(words) > 1 else ""
    group = "/".join(["", *words[:4]]) if len(words) >= 4 and words[2] == "resourcegroups" else ""
    restricted = {reader for reader in estate.readers if reader.split("/")[2] == subscription_id}
    if not restricted:
        return [_permission(NETWORK_CONTRIBUTOR)]
    is_contributor = bool(group) and group not in restricted
    return [_permission(READER), *([_permission(NETWORK_CONTRIBUTOR)] if is_contributor else [])]


def is_allowed(estate: Estate, action: str, scope: str) -> bool:
    """Whether the caller may perform an action at a scope; in a subscription that answers nothing he may do nothing."""
    words = fold(scope).strip("/").split("/")
    if len(words) < 2 or (words[1], "*") in estate.denied:
        return False
    return any(_matches(one["actions"], action) and not _matches(one["notActions"], action) for one in permissions_at(estate, scope))


def check_allowed(estate: Estate, action: str, scope: str) -> None:
    """Raises ArmError 403 AuthorizationFailed, naming the action and the scope."""
    if not is_allowed(estate, action, scope):
        raise errors.forbidden(action, scope)


def check_linked(estate: Estate, action: str, scope: str, linked_action: str, linked_scope: str) -> None:
    """Raises ArmError 403 where a write at `scope` refers to something in another tenant, or that the caller may not use."""
    tenant, linked_tenant = _tenant_of(estate, scope), _tenant_of(estate, linked_scope)
    if tenant and linked_tenant and tenant != linked_tenant:
        raise errors.linked_tenant(action, scope, tenant, linked_scope.split("/")[2])
    if not is_allowed(estate, linked_action, linked_scope):
        raise errors.linked_forbidden(action, scope, linked_action, linked_scope)


def _tenant_of(estate: Estate, scope: str) -> str:
    words = fold(scope).split("/")
    document = estate.subscriptions.get(words[2] if len(words) > 2 else "")
    return str(document["tenantId"]) if document else ""


def lock_document(scope: str, name: str, level: str, notes: str) -> Json:
    return {
        "id": f"{scope}{LOCKS}{name}",
        "type": "Microsoft.Authorization/locks",
        "name": name,
        "properties": {"level": level, "notes": notes},
    }


def scope_of_lock(lock: Json) -> str:
    return str(lock["id"]).rpartition(LOCKS)[0]


def locks_within(estate: Estate, scope: str) -> list[Json]:
    """The locks set at a scope or below it."""
    return [lock for lock in estate.locks.values() if _is_within(scope_of_lock(lock), scope)]


def check_locks(estate: Estate, scope: str, *, is_delete: bool) -> None:
    """Raises ArmError 409 ScopeLocked where a lock on the scope or above it forbids the write."""
    holding = [lock for lock in estate.locks.values() if _is_within(scope, scope_of_lock(lock))]
    strong = [lock for lock in holding if lock["properties"]["level"] == READ_ONLY or is_delete]
    if strong:
        raise errors.scope_locked(scope, [scope_of_lock(lock) for lock in strong], is_delete=is_delete)


def _is_within(scope: str, outer: str) -> bool:
    return fold(scope) == fold(outer) or fold(scope).startswith(f"{fold(outer)}/")


def _permission(actions: list[str]) -> Json:
    return {"actions": list(actions), "notActions": [], "dataActions": [], "notDataActions": []}


def _matches(patterns: list[str], action: str) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) for pattern in patterns)
