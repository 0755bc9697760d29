"""Every rule: what it answers in every case of the table, and that no rule can be deleted or weakened without a case that fails."""

from collections import defaultdict
from dataclasses import replace

import pytest

from tests.domain.tap_cases import CASES, FINE, Case
from vtapweb.domain.tap_rules.judge import RULES, Verdict, judge
from vtapweb.domain.tap_rules.rule import Answer, DestinationRule, Finding, Outcome, PairRule, Rule, SourceRule

# Rules whose facts stand in the NIC's own document, so that they are always known; the downtime is told to everybody.
NEVER_UNKNOWN = {("not-vm-nic", "source"), ("scale-set-nic", "source"), ("mirror-loop", "source"), ("downtime", "source")}
NEVER_OK = {("downtime", "source")}


def told_by(case: Case, rules: tuple[Rule, ...]) -> Finding | None:
    """What the case's rule answers among these rules."""
    mine = tuple(rule for rule in rules if (rule.id, rule.about) == (case.rule_id, case.about))
    return next(iter(case.scene.verdict(mine).findings), None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_comes_out_as_the_table_says(case: Case) -> None:
    found = told_by(case, RULES)
    assert found is not None
    assert found.outcome is case.outcome, found.message
    assert case.says in found.message
    assert case.scene.verdict().allowed is case.allowed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_not_ok_says_what_to_do(case: Case) -> None:
    found = told_by(case, RULES)
    assert found is not None
    assert found.message.endswith(".")
    assert found.source
    needs_remedy = found.outcome in {Outcome.BLOCK, Outcome.UNKNOWN}
    assert bool(found.remedy) or not needs_remedy


def test_every_rule_is_ok_somewhere_refuses_or_warns_somewhere_and_is_unknown_somewhere() -> None:
    seen = defaultdict(set)
    for case in CASES:
        seen[case.rule_id, str(case.about)].add(case.outcome)
    assert seen.keys() == {(rule.id, str(rule.about)) for rule in RULES}
    for name, outcomes in seen.items():
        assert outcomes & {Outcome.WARN, Outcome.BLOCK}, name
        assert (Outcome.OK in outcomes) is (name not in NEVER_OK), name
        assert (Outcome.UNKNOWN in outcomes) is (name not in NEVER_UNKNOWN), name


def test_an_id_and_what_it_is_about_name_one_rule_that_says_what_it_demands() -> None:
    assert len({(rule.id, rule.about) for rule in RULES}) == len(RULES)
    assert all(rule.demand.endswith(".") and rule.source for rule in RULES)


# --- the law: a rule that is deleted or weakened fails a case ------------------------------------------------------------------------------------

WEAKER = {
    "always ok": {Outcome.WARN: Outcome.OK, Outcome.BLOCK: Outcome.OK, Outcome.UNKNOWN: Outcome.OK},
    "unknown is ok": {Outcome.UNKNOWN: Outcome.OK},
    "block is a warning": {Outcome.BLOCK: Outcome.WARN},
    "a warning is ok": {Outcome.WARN: Outcome.OK},
}


def weakened(rule: Rule, instead: dict[Outcome, Outcome]) -> Rule:
    def weak(*inputs: object) -> Answer:
        answer: Answer = rule.check(*inputs)  # type: ignore[attr-defined]
        return answer._replace(outcome=instead.get(answer.outcome, answer.outcome))

    assert isinstance(rule, SourceRule | DestinationRule | PairRule)
    return replace(rule, check=weak)  # type: ignore[arg-type] # one function stands for all three kinds


def broken_cases(rules: tuple[Rule, ...]) -> list[str]:
    """The cases that no longer come out as the table says."""
    broken = []
    for case in CASES:
        found = told_by(case, rules)
        if found is None or found.outcome is not case.outcome:
            broken.append(case.name)
    return broken


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}-{rule.about}")
def test_no_rule_can_be_deleted_or_weakened_unseen(rule: Rule) -> None:
    others = tuple(one for one in RULES if one is not rule)
    mine = [case for case in CASES if (case.rule_id, case.about) == (rule.id, rule.about)]
    assert set(broken_cases(others)) == {case.name for case in mine}
    for name, instead in WEAKER.items():
        expected = {case.name for case in mine if case.outcome in instead}
        if expected or name == "always ok":
            assert expected, "nothing would be seen"
            assert set(broken_cases((*others, weakened(rule, instead)))) == expected


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.is_advisory], ids=lambda rule: f"{rule.id}-{rule.about}")
def test_a_rule_that_can_refuse_does_so_alone(rule: Rule) -> None:
    """Without it some case would be allowed, or refused where nobody can tell: the whole verdict depends on each of them."""
    mine = [case for case in CASES if (case.rule_id, case.about) == (rule.id, rule.about)]
    others = tuple(one for one in RULES if one is not rule)
    moved = [case.name for case in mine if case.scene.verdict(others).allowed is not case.allowed]
    only_warns = all(case.outcome in {Outcome.OK, Outcome.WARN} for case in mine)
    assert moved or only_warns


def test_a_planted_hole_is_seen() -> None:
    """The law above, tried on itself: without its unknown, `lock` would let a NIC through whose locks nobody could read."""
    lock = next(rule for rule in RULES if rule.id == "lock" and isinstance(rule, SourceRule))
    holed = tuple(weakened(rule, {Outcome.UNKNOWN: Outcome.OK}) if rule is lock else rule for rule in RULES)
    assert broken_cases(RULES) == []
    assert broken_cases(holed) == ["lock (source): not known", "lock (source): subscription not known"]


def test_hostile_names_are_plain_text() -> None:
    hostile = "<script>alert(1)</script>\u202e{0}%s"
    verdict: Verdict = FINE.tap_but(destinations=(replace(FINE.tap.destinations[0], name=hostile, has_public_ip=True),)).verdict()
    assert [one.message for one in verdict.deciding] == [f"The destination {hostile} has a public frontend; it must be internal."]


def test_judging_nothing_is_no_error() -> None:
    judgement = judge(FINE.world, [], [])
    with pytest.raises(KeyError):
        judgement.verdict("nobody", "nothing")
