"""May a mirror be ended, may a TAP be deleted? Fewer rules than for beginning: what is there may always go, if Azure and its users let it."""

from vtapweb.domain.permissions import DELETE_CONFIGURATION, DELETE_TAP
from vtapweb.domain.tap_rules.access import lock_answer, permission_answer, refused_by
from vtapweb.domain.tap_rules.facts import LockFacts, SourceFacts, TapFacts, World
from vtapweb.domain.tap_rules.judge import Verdict, verdict_of
from vtapweb.domain.tap_rules.rule import (
    LOCKS,
    OVERVIEW_2019,
    UNVERIFIED_PRODUCT,
    Answer,
    DestinationRule,
    SourceRule,
    block,
    destination_rule,
    ok,
    source_rule,
    unknown,
)
from vtapweb.domain.tap_rules.source import downtime
from vtapweb.domain.tap_rules.wording import how_to_read


def _refuse(lock: LockFacts, where: str) -> Answer:
    return refused_by(lock, where, "refuses every delete")


@source_rule("permission", source=f"{OVERVIEW_2019} + RBAC operations list")
def may_untap(world: World, nic: SourceFacts) -> Answer:
    """vtapweb may do Microsoft.Network/networkInterfaces/tapConfigurations/delete."""
    grant = "Give vtapweb's identity the role Network Contributor on the NIC or its resource group, then sync."
    return permission_answer(world, nic.arm_id, [DELETE_CONFIGURATION], grant)


@source_rule("lock", source=LOCKS)
def untap_lock(world: World, nic: SourceFacts) -> Answer:
    """No management lock lies on the NIC."""
    return lock_answer(world, nic.subscription_id, nic.arm_id, _refuse)


@destination_rule("tap-in-use", source=UNVERIFIED_PRODUCT)
def tap_in_use(world: World, tap: TapFacts) -> Answer:
    """No NIC is mirrored to the TAP. What Azure does with a TAP in use is not verified."""
    if tap.configuration_count is None:
        return unknown("We can't tell how many NICs are mirrored to this TAP.", how_to_read(world, tap.subscription_id))
    if tap.configuration_count:
        told = "1 NIC is" if tap.configuration_count == 1 else f"{tap.configuration_count} NICs are"
        return block(f"{told} mirrored to this TAP.", "End these mirrors first.")
    return ok("No NIC is mirrored to it.")


@destination_rule("permission", source=f"{OVERVIEW_2019} + RBAC operations list")
def may_delete(world: World, tap: TapFacts) -> Answer:
    """vtapweb may do Microsoft.Network/virtualNetworkTaps/delete."""
    grant = "Give vtapweb's identity the role Network Contributor on the TAP's resource group, then sync."
    return permission_answer(world, tap.arm_id, [DELETE_TAP], grant)


@destination_rule("lock", source=LOCKS)
def delete_lock(world: World, tap: TapFacts) -> Answer:
    """No management lock lies on the TAP."""
    return lock_answer(world, tap.subscription_id, tap.arm_id, _refuse)


UNTAP_RULES: tuple[SourceRule, ...] = (may_untap, untap_lock, downtime)
DELETE_RULES: tuple[DestinationRule, ...] = (tap_in_use, may_delete, delete_lock)


def judge_untap(world: World, nic: SourceFacts) -> Verdict:
    """May the NIC's mirror be ended?"""
    return verdict_of(rule.finding(rule.check(world, nic)) for rule in UNTAP_RULES)


def judge_delete(world: World, tap: TapFacts) -> Verdict:
    """May the TAP be deleted?"""
    return verdict_of(rule.finding(rule.check(world, tap)) for rule in DELETE_RULES)
