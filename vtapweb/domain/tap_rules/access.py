"""What the caller may do to one resource, and which locks lie on it: read from what was asked at some of its scopes."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.permissions import allows, is_within, scopes_of
from vtapweb.domain.tap_rules.facts import LockFacts, Readability, World
from vtapweb.domain.tap_rules.rule import Answer, block, ok, unknown, warn
from vtapweb.domain.tap_rules.wording import UNTIL_KNOWN, how_to_read, listed, scope_name, subscription_name


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
    return tuple(sorted(found, key=lambda lock: (not is_read_only(lock), lock.scope_id.lower(), lock.name)))


def lock_answer(world: World, subscription_id: str, arm_id: str, weigh: Callable[[LockFacts, str], Answer | None]) -> Answer:
    """What the strictest lock on a resource means: `weigh` gets it with the name of where it lies, and answers None when it does not matter."""
    locks = locks_on(world, subscription_id, arm_id)
    if locks is None:
        return unknown(
            f"We can't tell: the management locks of subscription {subscription_name(world, subscription_id)} are not known. {UNTIL_KNOWN}",
            how_to_read(world, subscription_id),
        )
    answer = weigh(locks[0], scope_name(world, locks[0].scope_id)) if locks else None
    if answer is not None:
        return answer
    if world.subscriptions[subscription_id.lower()].locks_readability is Readability.NOT_OFFERED:
        return warn("This server tells of no locks: whether one refuses the write shows when it is sent.")
    return ok("No management lock hinders it.")


def is_read_only(lock: LockFacts) -> bool:
    """Whether it refuses every write, and not deletes alone. A level that is not known counts as the stricter one."""
    return lock.level.strip().lower() != "cannotdelete"


def refused_by(lock: LockFacts, where: str, deed: str) -> Answer:
    """A lock in the way: `deed` is what it would refuse."""
    return block(f"The lock {lock.name} ({lock.level}) on {where} {deed}.", f"Have its owner remove the lock from {where}, then sync.")


def permission_answer(world: World, arm_id: str, actions: Sequence[str], grant: str, aside: str = "") -> Answer:
    """Whether the caller may do all of `actions` to a resource. `grant` is the remedy, `aside` is told where one is lacking."""
    rights = {action: right_to(world, arm_id, action) for action in actions}
    lacking = [action for action, right in rights.items() if right is Right.LACKING]
    if lacking:
        return block(f"vtapweb lacks {listed(lacking)} here{aside}.", grant)
    if Right.UNKNOWN in rights.values():
        return unknown(f"We can't tell whether vtapweb may do {listed(list(actions))} here. {UNTIL_KNOWN}", grant)
    if Right.NOT_OFFERED in rights.values():
        return warn("This server tells nobody's permissions: whether it accepts the write shows when it is sent.")
    return ok(f"vtapweb may do {listed(list(actions))} here.")
