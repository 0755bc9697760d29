"""Whether the world is still as a change's plan was judged by: the verdicts of its NICs now, against the digests kept with the plan.

Rule 1: what got better is no difference. Rule 2: neither is what the change itself moves, or what refuses nothing and moves by itself (how full a
TAP is, whether a VM was restarted). Rule 3: a plan without digests (taking mirrors back, tags) has nothing to compare; the read before each
request decides there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.change import ChangeAction, StepAction, StepState
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.rule import Finding, Outcome
from vtapweb.taps.models import Change, ChangeStep
from vtapweb.taps.selectors.facts import ProposedTap
from vtapweb.taps.selectors.verdicts import JudgedSelection, judge_selection

MOVES_BY_ITSELF: Final = frozenset({"limits", "fastpath", "feature-flag", "region-preview"})
DESTINATIONS: Final = ("destinationNetworkInterfaceIPConfiguration", "destinationLoadBalancerFrontEndIPConfiguration")


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
    """The verdicts of the change's NICs that are still to be mirrored, as the inventory has them now, against those it was planned by.

    Queries: two, and those of `judge_selection`.
    """
    planned: dict[str, str] = dict(change.plan.get("digests") or {})
    puts = change.steps.filter(action=StepAction.PUT, state=StepState.PENDING, is_return=False, nic_key__in=list(planned))
    steps = {step.nic_key: step for step in puts.order_by("ordinal")}
    if not steps:
        return Rejudged(digests=planned)
    tap_key, proposed = _goal(change)
    judged = judge_selection(scope, list(steps), [] if proposed else [tap_key], proposed=proposed)
    now = {one.key for one in judged.sources} if judged.taps else set()
    found: list[Difference] = []
    digests = dict(planned)
    for key, step in steps.items():
        if key not in now:
            digests[key] = "gone"
            what = (
                f"{step.nic_name} is gone, or no longer to be seen."
                if judged.taps
                else f"The TAP {change.tap_name} is gone, or no longer to be seen."
            )
            found += [Difference(key, step.nic_id, step.nic_name, what, True)] if planned[key] != "gone" else []
            continue
        digests[key] = judged.judgement.digest(key, judged.taps[0].key)
        difference = _difference(step, planned[key], digests[key], judged)
        found += [difference] if difference else []
    return Rejudged(tuple(found), digests)


def _goal(change: Change) -> tuple[str, tuple[ProposedTap, ...]]:
    """The TAP that the NICs go to: one that there is, or one that the change's first step makes."""
    if change.action != ChangeAction.CREATE_TAP:
        return change.tap_key, ()
    making = change.steps.filter(action=StepAction.PUT, nic_key="").exclude(state=StepState.VERIFIED).first()
    if making is None:
        return change.tap_key, ()
    body: dict[str, Any] = making.body or {}
    properties: dict[str, Any] = body.get("properties") or {}
    destination = next((str(properties[name].get("id") or "") for name in DESTINATIONS if properties.get(name)), "")
    proposal = ProposedTap(making.target_id, destination, region=str(body.get("location") or ""), tags=body.get("tags") or {})
    return arm_key(making.target_id), (proposal,)


def _difference(step: ChangeStep, planned: str, now: str, judged: JudgedSelection) -> Difference | None:
    """What got worse for one NIC, None for nothing. A digest is words: "to:<destination>" and "<outcome>:<rule>" of what is not ok."""
    if now == planned:
        return None
    before = set(planned.split())
    verdict = judged.judgement.verdict(step.nic_key, judged.taps[0].key)
    refusing = [one for one in verdict.deciding if _word(one) not in before]
    new = [one for one in verdict.warnings if one.outcome is Outcome.WARN and _word(one) not in before and one.rule_id not in MOVES_BY_ITSELF]
    is_elsewhere = {one for one in now.split() if one.startswith("to:")} != {one for one in before if one.startswith("to:")}
    told = refusing or new
    if not told and not is_elsewhere:
        return None
    messages = [one.message for one in told] or [f"{judged.taps[0].name} leads to another collector than when this was planned."]
    return Difference(step.nic_key, step.nic_id, step.nic_name, messages[0], bool(refusing), tuple(one.rule_id for one in told))


def _word(finding: Finding) -> str:
    return f"{finding.outcome}:{finding.rule_id}"
