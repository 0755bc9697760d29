"""The rules asked for one plan: what may be mirrored where once the plan's own removals are done, and what may be taken off.

The same questions are asked when a change is planned, when its page is looked at and before it is applied; equal digests mean an equal world.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.permissions import WRITE_TAP
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.access import is_read_only, lock_answer, permission_answer, refused_by
from vtapweb.domain.tap_rules.facts import LockFacts, TapFacts, World
from vtapweb.domain.tap_rules.judge import Verdict, judge, verdict_of
from vtapweb.domain.tap_rules.removal import judge_delete, judge_untap
from vtapweb.domain.tap_rules.rule import LOCKS, OVERVIEW_2019, Answer, Finding, Outcome
from vtapweb.taps.selectors.facts import ProposedTap, world_of


@dataclass(frozen=True, slots=True)
class Question:
    """What is wanted of one NIC: `to_tap` the key of the TAP it comes to ("": none); `is_leaving`: its mirror of now is taken off."""

    nic_key: str
    to_tap: str = ""
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The verdict on a question, and its digest: another text tells that the world has moved since."""

    verdict: Verdict
    digest: str


def replies(
    scope: Scope, questions: Iterable[Question], *, proposed: Sequence[ProposedTap] = (), adding: int = 1
) -> tuple[dict[str, Reply], dict[str, Reply]]:
    """({NIC key: reply}, {TAP key: reply about the TAP whatever the NIC}), in as many queries as `world_of` takes.

    A NIC or TAP that is in no world (gone, out of scope) has no reply. `proposed` are TAPs that do not exist yet, `adding` how many NICs come.
    """
    asked = {one.nic_key: one for one in questions}
    made = {arm_key(one.arm_id) for one in proposed}
    tap_keys = sorted({one.to_tap for one in asked.values() if one.to_tap} - made)
    world, sources, taps = world_of(scope, source_keys=list(asked), tap_keys=tap_keys, proposed=proposed, adding=adding)
    nics = [one.without_configurations() if asked[one.key].is_leaving else one for one in sources]
    judgement = judge(world, nics, taps)
    known = {one.key for one in taps}
    found: dict[str, Reply] = {}
    for nic in nics:
        question = asked[nic.key]
        if question.to_tap and question.to_tap not in known:
            continue
        findings: list[Finding] = []
        digests: list[str] = []
        if question.is_leaving:
            off = judge_untap(world, nic)
            findings += off.findings
            digests.append(_digest("off", off))
        if question.to_tap:
            findings += judgement.verdict(nic.key, question.to_tap).findings
            digests.append(judgement.digest(nic.key, question.to_tap))
        found[nic.key] = Reply(verdict_of(dict.fromkeys(findings)), " ".join(digests))
    of_taps = {key: judgement.tap_verdict(key) for key in known}
    return found, {key: Reply(verdict, _digest("tap", verdict)) for key, verdict in of_taps.items()}


def _digest(start: str, verdict: Verdict) -> str:
    told = sorted({f"{one.outcome}:{one.rule_id}" for one in verdict.findings if one.outcome is not Outcome.OK})
    return " ".join((f"{start}:", *told))


def tap_reply(scope: Scope, tap_id: str, *, is_delete: bool, leaving: int = 0) -> Reply | None:
    """May this TAP be deleted (once `leaving` of its mirrors have ended), or have its tags changed; None where it is in no world."""
    world, _, taps = world_of(scope, source_keys=[], tap_keys=[arm_key(tap_id)])
    if not taps:
        return None
    verdict = judge_delete(world, _without(taps[0], leaving)) if is_delete else _judge_tags(world, taps[0])
    return Reply(verdict, _digest("tap", verdict))


def _without(tap: TapFacts, leaving: int) -> TapFacts:
    return tap if tap.configuration_count is None else replace(tap, configuration_count=max(0, tap.configuration_count - leaving))


def _judge_tags(world: World, tap: TapFacts) -> Verdict:
    """May the TAP's tags be changed? A lock against deletes alone does not matter."""

    def weigh(lock: LockFacts, where: str) -> Answer | None:
        return refused_by(lock, where, "refuses every write") if is_read_only(lock) else None

    grant = "Give vtapweb's identity the role Network Contributor on the TAP's resource group, then sync."
    answers = (
        ("permission", permission_answer(world, tap.arm_id, [WRITE_TAP], grant), f"{OVERVIEW_2019} + RBAC operations list"),
        ("lock", lock_answer(world, tap.subscription_id, tap.arm_id, weigh), LOCKS),
    )
    return verdict_of(Finding(rule_id, answer.outcome, answer.message, answer.remedy, source) for rule_id, answer, source in answers)
