"""Whether the world is still as a change's plan was judged by: the verdicts on its NICs and TAPs now, against the digests kept with the plan.

Rule 1: what got better is no difference. Rule 2: neither is what the change itself moves, or what refuses nothing and moves by itself (how full a
TAP is, whether a VM was restarted). Rule 3: what a plan keeps no digest of has nothing to compare; the read before each request decides there.
Rule 4: what is half done (a move that has taken a mirror away) is not asked about: it is brought to its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from vtapweb.domain.arm_id import arm_key, name_in
from vtapweb.domain.change import StepState
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_body import destination_of_body, tap_of_body
from vtapweb.domain.tap_rules.rule import Finding, Outcome
from vtapweb.taps.models import HALF_DONE, Change, ChangeStep
from vtapweb.taps.selectors import judging
from vtapweb.taps.selectors.facts import ProposedTap
from vtapweb.taps.selectors.judging import Question, Reply, tap_reply

MOVES_BY_ITSELF: Final = frozenset({"limits", "fastpath", "feature-flag", "region-preview"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One NIC whose verdict is another one than when it was planned. `is_refused`: it can no longer be done."""

    nic_key: str
    nic_id: str
    name: str
    message: str
    is_refused: bool
    rules: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As it is stored with the change and told by the API."""
        return {"nic": self.nic_id, "name": self.name, "message": self.message, "is_refused": self.is_refused, "rules": list(self.rules)}


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What moved. `digest` names this state of the world: who sends it back has seen these differences."""

    differences: tuple[Difference, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)  # {nic_key: digest} as judged now

    @property
    def digest(self) -> str:
        told = [f"{one.nic_key} {self.digests.get(one.nic_key, '')}" for one in self.differences]
        return blake2b("\n".join(sorted(told)).encode(), digest_size=8).hexdigest()


def rejudge(change: Change, *, scope: Scope) -> Rejudged:
    """The verdicts on what is still to be done, as the inventory has it now, against those it was planned by.

    Asks what the planner asked (`judging.replies`): a NIC that loses its mirror first is judged without it. Queries: those of two readings.
    """
    planned: dict[str, str] = dict(change.plan.get("digests") or {})
    pending = list(change.steps.filter(state=StepState.PENDING).exclude(HALF_DONE).order_by("ordinal"))
    by_nic: dict[str, list[ChangeStep]] = {}
    for step in pending:
        if step.nic_key in planned:
            by_nic.setdefault(step.nic_key, []).append(step)
    of_tap = [step for step in pending if not step.nic_key and step.target_key in planned]
    if not by_nic and not of_tap:
        return Rejudged(digests=planned)
    questions = [_question(key, steps) for key, steps in by_nic.items()]
    adding = sum(1 for one in questions if one.to_tap)
    replies, taps = judging.replies(scope, questions, proposed=[_proposed(one) for one in of_tap if one.action == "put"], adding=max(1, adding))
    found: list[Difference] = []
    digests = dict(planned)
    for question in questions:
        step = by_nic[question.nic_key][-1]
        _compare(step, question.nic_key, replies.get(question.nic_key), planned, digests, found, is_gone_fine=not question.to_tap)
    leaving = sum(1 for one in questions if one.is_leaving)
    for step in of_tap:
        is_delete = step.action == "delete"
        reply = taps.get(step.target_key) if step.action == "put" else tap_reply(scope, step.target_id, is_delete=is_delete, leaving=leaving)
        _compare(step, step.target_key, reply, planned, digests, found, is_gone_fine=is_delete)
    return Rejudged(tuple(found), digests)


def _question(nic_key: str, steps: Sequence[ChangeStep]) -> Question:
    """What these pending steps want of one NIC."""
    target = next((tap_of_body(one.body) for one in steps if one.action == "put"), "")
    return Question(nic_key, arm_key(target) if target else "", any(one.action == "delete" for one in steps))


def _proposed(step: ChangeStep) -> ProposedTap:
    body: dict[str, Any] = step.body or {}
    return ProposedTap(step.target_id, destination_of_body(body), region=str(body.get("location") or ""), tags=body.get("tags") or {})


def _compare(
    step: ChangeStep,
    key: str,
    reply: Reply | None,
    planned: Mapping[str, str],
    digests: dict[str, str],
    found: list[Difference],
    *,
    is_gone_fine: bool,
) -> None:
    """Notes the digest of now, and what got worse."""
    name = step.nic_name or name_in(step.target_id)
    if reply is None:
        digests[key] = "gone"
        if planned[key] != "gone" and not is_gone_fine:
            what = f"{name}, or the TAP that it goes to, is gone or no longer to be seen."
            found.append(Difference(key, step.nic_id or step.target_id, name, what, True))
        return
    digests[key] = reply.digest
    difference = _difference(step, key, name, planned[key], reply)
    if difference:
        found.append(difference)


def _difference(step: ChangeStep, key: str, name: str, planned: str, reply: Reply) -> Difference | None:
    """What got worse, None for nothing. A digest is words: "to:<destination>" and "<outcome>:<rule>" of what is not ok."""
    if reply.digest == planned:
        return None
    before = set(planned.split())
    refusing = [one for one in reply.verdict.deciding if _word(one) not in before]
    new = [one for one in reply.verdict.warnings if one.outcome is Outcome.WARN and _word(one) not in before and one.rule_id not in MOVES_BY_ITSELF]
    is_elsewhere = {one for one in reply.digest.split() if one.startswith("to:")} != {one for one in before if one.startswith("to:")}
    told = refusing or new
    if not told and not is_elsewhere:
        return None
    messages = [one.message for one in told] or ["The TAP leads to another collector than when this was planned."]
    return Difference(key, step.nic_id or step.target_id, name, messages[0], bool(refusing), tuple(one.rule_id for one in told))


def _word(finding: Finding) -> str:
    return f"{finding.outcome}:{finding.rule_id}"
