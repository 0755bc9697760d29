"""What an ARM permissions answer allows: actions with wildcards, minus notActions of the same entry. Data actions play no part here.

Source: learn.microsoft.com "Understand Azure role definitions" (NotActions are subtracted from Actions of the same role, they are no deny) and
"Azure RBAC: permissions - list for resource": one entry for each role the caller holds at the scope, inherited ones included.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WRITE_CONFIGURATION = "Microsoft.Network/networkInterfaces/tapConfigurations/write"
DELETE_CONFIGURATION = "Microsoft.Network/networkInterfaces/tapConfigurations/delete"
JOIN_TAP = "Microsoft.Network/virtualNetworkTaps/join/action"
WRITE_TAP = "Microsoft.Network/virtualNetworkTaps/write"
DELETE_TAP = "Microsoft.Network/virtualNetworkTaps/delete"
# Printed in Azure's own table, but no operation of Microsoft.Network: shown beside the real one, never checked.
DOCUMENTED_CONFIGURATION = "Microsoft.Network/tapConfigurations/*"


@dataclass(frozen=True, slots=True)
class PermissionList:
    """One entry of the answer."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()


def allows(lists: Iterable[PermissionList], action: str) -> bool:
    """Whether any entry grants the action: roles add up, and a notAction takes away from its own entry only."""
    return any(
        any(matches(pattern, action) for pattern in one.actions) and not any(matches(pattern, action) for pattern in one.not_actions) for one in lists
    )


def matches(pattern: str, action: str) -> bool:
    """Whether the pattern covers the action; `*` stands for any text, slashes too, and case plays no part. Linear, whatever the pattern."""
    first, *rest = pattern.strip().lower().split("*")
    text = action.lower()
    if not rest:
        return first == text
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(rest[-1]) >= at and text.endswith(rest[-1])


def scopes_of(arm_id: str) -> Iterator[str]:
    """The scopes that hold for a resource, narrowest first, as spelled: itself, what it lies in, its group, its subscription."""
    text = arm_id.strip().rstrip("/")
    parts = text.split("/")
    lowered = [part.lower() for part in parts]
    if len(parts) < 3 or parts[0] or lowered[1] != "subscriptions":
        return
    # /subscriptions/S[/resourceGroups/G][/providers/N/T1/N1[/T2/N2 …]]
    root = 5 if len(parts) >= 5 and lowered[3] == "resourcegroups" else 3
    for length in range(len(parts), root, -2):
        if length >= root + 4:
            yield "/".join(parts[:length])
    if root == 5:
        yield "/".join(parts[:5])
    yield "/".join(parts[:3])


def is_within(arm_id: str, scope_id: str) -> bool:
    """Whether a resource is the scope or lies in it; spelling and case play no part. An empty scope holds nothing."""
    scope, text = scope_id.strip().rstrip("/").lower(), arm_id.strip().rstrip("/").lower()
    return bool(scope) and (text == scope or text.startswith(scope + "/"))
