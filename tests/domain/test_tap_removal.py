"""May a mirror end, may a TAP go: what stands against it, and that not knowing is no yes.

[spoke] web-01 --mirror--> tap-hub --> collector-01
"""

import pytest

from tests.domain.estates import APPS, PLATFORM
from tests.domain.tap_scene import APPS_GROUP, CONTRIBUTOR, READER, TAP_GROUP, Scene
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.tap_rules.facts import ConfigurationFacts, LockFacts, PermissionFacts, Readability
from vtapweb.domain.tap_rules.judge import Verdict
from vtapweb.domain.tap_rules.removal import judge_delete, judge_untap

MIRRORED = Scene().source_but(configurations=(ConfigurationFacts("mirror", "k", "tap-hub"),))
UNUSED = Scene().tap_but(configuration_count=0)


def told(verdict: Verdict) -> list[tuple[str, str]]:
    return [(one.rule_id, str(one.outcome)) for one in verdict.findings if one.outcome != "ok"]


def permitted(scene: Scene, facts: PermissionFacts) -> Scene:
    return scene.world_but(permissions={arm_key(APPS_GROUP): facts, arm_key(TAP_GROUP): facts})


def test_a_mirror_may_end_with_the_downtime_said() -> None:
    verdict = judge_untap(MIRRORED.world, MIRRORED.source)
    assert verdict.allowed is True
    assert told(verdict) == [("downtime", "warn")]


@pytest.mark.parametrize("level", ["ReadOnly", "CanNotDelete"])
def test_any_lock_refuses_the_end_of_a_mirror_and_of_a_tap(level: str) -> None:
    scene = MIRRORED.subscription_but(APPS, locks=(LockFacts(APPS_GROUP, level, "keep"),))
    verdict = judge_untap(scene.world, scene.source)
    assert (verdict.allowed, told(verdict)[0]) == (False, ("lock", "block"))
    assert f"keep ({level}) on resource group rg-app refuses" in verdict.deciding[0].message
    other = UNUSED.subscription_but(PLATFORM, locks=(LockFacts(TAP_GROUP, level, "keep"),))
    assert told(judge_delete(other.world, other.tap)) == [("lock", "block")]


@pytest.mark.parametrize(("facts", "allowed"), [(CONTRIBUTOR, True), (READER, False), (PermissionFacts(), None)])
def test_ending_needs_the_permission_to_delete(facts: PermissionFacts, allowed: bool | None) -> None:
    mirrored, unused = permitted(MIRRORED, facts), permitted(UNUSED, facts)
    assert judge_untap(mirrored.world, mirrored.source).allowed is allowed
    assert judge_delete(unused.world, unused.tap).allowed is allowed


def test_locks_that_nobody_could_read_leave_it_open() -> None:
    scene = MIRRORED.subscription_but(APPS, locks_readability=Readability.UNREADABLE)
    assert judge_untap(scene.world, scene.source).allowed is None


@pytest.mark.parametrize(("count", "allowed", "says"), [(0, True, ""), (1, False, "1 NIC is"), (7, False, "7 NICs are"), (None, None, "can't tell")])
def test_a_tap_in_use_stays(count: int | None, allowed: bool | None, says: str) -> None:
    scene = Scene().tap_but(configuration_count=count)
    verdict = judge_delete(scene.world, scene.tap)
    assert verdict.allowed is allowed
    assert [one.rule_id for one in verdict.deciding] == ([] if allowed else ["tap-in-use"])
    assert all(says in one.message for one in verdict.deciding)
