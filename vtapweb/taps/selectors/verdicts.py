"""Verdicts on what somebody selected: which NICs may go to which TAPs, and why not."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.permissions import scopes_of
from vtapweb.domain.scope import Scope
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
    def unread_scopes(self) -> tuple[str, ...]:
        """Resource groups of these NICs and TAPs at which nobody asked yet what vtapweb may do, though the subscription was asked; ids as spelled."""
        return tuple(_unread_groups(self.world, [*(one.arm_id for one in self.sources), *(one.arm_id for one in self.taps)]))


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


def _unread_groups(world: World, arm_ids: Iterable[str]) -> list[str]:
    """The resource groups of these resources that the world has no permissions of, each once, as first spelled."""
    found: dict[str, str] = {}
    for arm_id in arm_ids:
        group = next((one for one in scopes_of(arm_id) if one.count("/") == 4), "")
        key = arm_key(group) if group else ""
        if key and key not in world.permissions:
            found.setdefault(key, group)
    return list(found.values())
