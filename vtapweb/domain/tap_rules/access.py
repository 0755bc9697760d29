"""What the caller may do to one resource, and which locks lie on it: read from what was asked at some of its scopes."""

from enum import StrEnum

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.permissions import allows, is_within, scopes_of
from vtapweb.domain.tap_rules.facts import LockFacts, Readability, World


class Right(StrEnum):
    GRANTED = "granted"
    LACKING = "lacking"
    UNKNOWN = "unknown"
    NOT_OFFERED = "not_offered"


def right_to(world: World, arm_id: str, action: str) -> Right:
    """Whether the caller may do `action` to the resource.

    What is granted at any of its scopes is granted. What is lacking at its group (or narrower) is taken as lacking, though somebody may have been
    given a role on the resource alone; lacking at the subscription tells nothing, because roles are often given on groups.
    """
    told = [(scope, world.permissions[key]) for scope in scopes_of(arm_id) if (key := arm_key(scope)) in world.permissions]
    if any(facts.readability is Readability.READ and allows(facts.lists, action) for _, facts in told):
        return Right.GRANTED
    if told and all(facts.readability is Readability.NOT_OFFERED for _, facts in told):
        return Right.NOT_OFFERED
    if told and told[0][1].readability is Readability.READ and told[0][0].count("/") > 2:
        return Right.LACKING
    return Right.UNKNOWN


def locks_on(world: World, subscription_id: str, arm_id: str) -> tuple[LockFacts, ...] | None:
    """The locks that hold for the resource, the strictest first; None when nobody could read them."""
    subscription = world.subscriptions.get(subscription_id.lower())
    if subscription is None or subscription.locks_readability is Readability.UNREADABLE:
        return None
    found = [lock for lock in subscription.locks if is_within(arm_id, lock.scope_id)]
    return tuple(sorted(found, key=lambda lock: (lock.level.lower() != "readonly", lock.scope_id.lower(), lock.name)))
