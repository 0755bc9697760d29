"""Verdicts on what somebody selected: which NICs may go to which TAPs, and why not."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.permissions import JOIN_TAP, WRITE_CONFIGURATION, WRITE_TAP, scopes_of
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.access import Right, right_to
from vtapweb.domain.tap_rules.facts import SourceFacts, TapFacts, World
from vtapweb.domain.tap_rules.judge import Judgement, Verdict, judge
from vtapweb.taps.selectors.facts import Facts, ProposedTap, world_of


@dataclass(frozen=True, slots=True)
class JudgedSelection:
    """NICs and TAPs in the order asked for, what is known of the world, and the judgement over all pairs of them."""

    world: World
    sources: tuple[SourceFacts, ...]
    taps: tuple[TapFacts, ...]
    judgement: Judgement

    def verdict(self, source: SourceFacts, tap: TapFacts) -> Verdict:
        return self.judgement.verdict(source.key, tap.key)

    @property
    def unread_subscriptions(self) -> tuple[str, ...]:
        """Subscriptions of these NICs and TAPs in which nobody asked yet what vtapweb may do."""
        ids = {one.subscription_id for one in self.sources} | {one.subscription_id for one in self.taps}
        return tuple(sorted(one for one in ids if arm_key(f"/subscriptions/{one}") not in self.world.permissions))

    @property
    def unread_scopes(self) -> tuple[str, ...]:
        """Resource groups at which nobody asked yet what vtapweb may do, where the subscription does not grant it; ids as spelled."""
        needs = [(one.arm_id, WRITE_CONFIGURATION) for one in self.sources]
        needs += [(one.arm_id, action) for one in self.taps for action in ((JOIN_TAP, WRITE_TAP) if one.is_proposed else (JOIN_TAP,))]
        return tuple(_unread_groups(self.world, needs))


def judge_selection(
    scope: Scope,
    source_keys: Collection[str] | None,
    tap_keys: Collection[str] | None = None,
    *,
    proposed: Sequence[ProposedTap] = (),
    adding: int = 1,
) -> JudgedSelection:
    """Everything judged against everything: these NICs (None: all in scope) against these TAPs (None: all in scope). Queries as `world_of`."""
    return judged(scope, world_of(scope, source_keys=source_keys, tap_keys=tap_keys, proposed=proposed, adding=adding))


def judged(scope: Scope, facts: Facts) -> JudgedSelection:  # noqa: ARG001 - the facts are already cut to a scope
    """The same of facts that were read already; no query."""
    return JudgedSelection(facts.world, facts.sources, facts.taps, judge(facts.world, facts.sources, facts.taps))


def _unread_groups(world: World, needs: Iterable[tuple[str, str]]) -> list[str]:
    """The resource groups that stand between these (ARM id, action) and a known answer, each once, as first spelled."""
    found: dict[str, str] = {}
    for arm_id, action in needs:
        group = next((one for one in scopes_of(arm_id) if one.count("/") == 4), "")
        key = arm_key(group) if group else ""
        if key and key not in world.permissions and key not in found and right_to(world, arm_id, action) is Right.UNKNOWN:
            found[key] = group
    return list(found.values())
