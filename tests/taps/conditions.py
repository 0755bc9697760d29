"""What Azure lets us do, as rows: everything, unless a test says otherwise."""

from typing import Any

from tests.inventory.factories import NOW, SUBSCRIPTION, make_kind_state
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.models import KindState, Subscription
from vtapweb.taps.models import ScopePermissions, SubscriptionConditions

EVERYTHING = [{"actions": ["*"], "not_actions": []}]
READER = [{"actions": ["*/read"], "not_actions": []}]


def make_conditions(subscription_id: str = SUBSCRIPTION, *, permissions: list[dict[str, Any]] | None = None, **given: Any) -> SubscriptionConditions:
    """A subscription without locks, with the feature registered, in which vtapweb may do everything (or what `permissions` say)."""
    make_permissions(f"/subscriptions/{subscription_id}", EVERYTHING if permissions is None else permissions)
    values = {"feature_state": "Registered", "feature_status": "read", "locks_status": "read", "read_at": NOW, **given}
    return SubscriptionConditions.objects.create(subscription_id=subscription_id, **values)


def make_permissions(scope_id: str, permissions: list[dict[str, Any]], **given: Any) -> ScopePermissions:
    """What vtapweb may do at one scope."""
    values = {"scope_id": scope_id, "subscription_id": scope_id.split("/")[2].lower(), "permissions": permissions, "status": "read", "read_at": NOW}
    return ScopePermissions.objects.create(scope_key=arm_key(scope_id), **{**values, **given})


def make_all_read(*subscription_ids: str) -> None:
    """Every list of these subscriptions (of all there are, where none is named) was read to its end."""
    from vtapweb.cloud.port import ReadKind

    for row in Subscription.objects.filter(**({"pk__in": subscription_ids} if subscription_ids else {})):
        known = set(KindState.objects.filter(subscription=row).values_list("kind", flat=True))
        for kind in {*(str(one) for one in ReadKind), "scale_set_network_interfaces"} - known:
            make_kind_state(kind, subscription=row)
