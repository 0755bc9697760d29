"""docs/verdicts.md tells every rule as the code has it: what it demands, what comes of it, what to do, where it stands written."""

from pathlib import Path

import pytest

from tests.domain.tap_cases import CASES
from vtapweb.domain.tap_rules.judge import RULES
from vtapweb.domain.tap_rules.rule import Outcome, Rule

PAGE = Path(__file__).parents[2] / "docs" / "verdicts.md"


def row(rule: Rule) -> str:
    """The rule's line in the table; the remedy is that of its first refusal or warning in the table of cases."""
    mine = [case for case in CASES if (case.rule_id, case.about) == (rule.id, rule.about)]
    outcomes = " or ".join(outcome for outcome in (Outcome.BLOCK, Outcome.WARN) if any(case.outcome is outcome for case in mine))
    first = next(case for case in mine if case.outcome in {Outcome.BLOCK, Outcome.WARN})
    rules = tuple(one for one in RULES if one is rule)
    remedy = first.scene.verdict(rules).findings[0].remedy or "none"
    return f"| `{rule.id}` | {rule.about} | {rule.demand} | {outcomes}{' (advisory)' if rule.is_advisory else ''} | {remedy} | {rule.source} |"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}-{rule.about}")
def test_the_page_tells_the_rule(rule: Rule) -> None:
    assert row(rule) in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_tells_no_other_rules() -> None:
    told = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert told == [row(rule) for rule in RULES]
