"""What a verdict is: worst first, unknown is no yes, one question for each distinct input."""

from dataclasses import replace

import pytest

from tests.domain.estates import APPS, PLATFORM
from tests.domain.tap_scene import HUB_KEY, SPOKE_KEY, Scene
from vtapweb.domain.tap_rules.facts import PeeringFacts, Readability
from vtapweb.domain.tap_rules.judge import RULES, judge, verdict_of
from vtapweb.domain.tap_rules.rule import Answer, Finding, Outcome, PairRule


def finding(rule_id: str, outcome: Outcome, is_advisory: bool = False) -> Finding:
    return Finding(rule_id, outcome, "", "", "", is_advisory)


def test_all_fine_is_allowed_with_the_downtime_said() -> None:
    """[spoke] web-01 == [hub] collector-01 <-- tap-hub"""
    verdict = Scene().verdict()
    assert verdict.allowed is True
    assert verdict.deciding == ()
    assert [one.rule_id for one in verdict.warnings] == ["downtime"]
    assert [one for one in verdict.findings if one.outcome is Outcome.OK] == list(verdict.findings[1:])


def test_a_broken_peering_refuses_in_the_words_of_the_one_who_must_mend_it() -> None:
    """[spoke] web-01 ==Connected | Disconnected== [hub] collector-01 <-- tap-hub"""
    verdict = Scene().vnet_but(HUB_KEY, peerings={SPOKE_KEY: PeeringFacts(SPOKE_KEY, "spoke", "Disconnected")}).verdict()
    assert verdict.allowed is False
    assert [(one.rule_id, one.message, one.remedy) for one in verdict.deciding] == [
        ("reachable", "The peering spoke ↔ hub is Disconnected on hub's side.", "Restore it on hub, then sync.")
    ]


def test_what_cannot_be_read_is_neither_allowed_nor_refused() -> None:
    verdict = Scene().subscription_but(APPS, locks_readability=Readability.UNREADABLE).verdict()
    assert verdict.allowed is None
    assert [one.rule_id for one in verdict.deciding] == ["lock"]


@pytest.mark.parametrize(
    ("outcomes", "allowed"),
    [
        ([], True),
        ([finding("a", Outcome.WARN)], True),
        ([finding("a", Outcome.UNKNOWN)], None),
        ([finding("a", Outcome.UNKNOWN, is_advisory=True)], True),
        ([finding("a", Outcome.UNKNOWN), finding("b", Outcome.BLOCK)], False),
        ([finding("a", Outcome.BLOCK, is_advisory=True)], False),
    ],
)
def test_what_findings_come_to(outcomes: list[Finding], allowed: bool | None) -> None:
    assert verdict_of(outcomes).allowed is allowed


def test_findings_stand_worst_first_and_else_in_the_order_of_the_rules() -> None:
    told = [
        finding("ok", Outcome.OK),
        finding("advice", Outcome.UNKNOWN, is_advisory=True),
        finding("warn", Outcome.WARN),
        finding("dark-1", Outcome.UNKNOWN),
        finding("block", Outcome.BLOCK),
        finding("dark-2", Outcome.UNKNOWN),
    ]
    assert [one.rule_id for one in verdict_of(told).findings] == ["block", "dark-1", "dark-2", "advice", "warn", "ok"]


def test_the_digest_names_what_is_not_ok_and_where_the_tap_leads() -> None:
    scene = Scene()
    assert scene.digest() == f"to:{scene.tap.destinations[0].key} warn:downtime"
    assert scene.source_but(vm_restarted_at=None).digest() == f"to:{scene.tap.destinations[0].key} unknown:fastpath warn:downtime"
    assert scene.end_but(key="elsewhere").digest() != scene.digest()


def test_a_pair_rule_is_asked_once_for_all_pairs_it_cannot_tell_apart() -> None:
    scene = Scene()
    asked = []

    def check(context: object, source: object, tap: object) -> Answer:
        asked.append((source, tap))
        return Answer(Outcome.OK, "")

    rules = [replace(rule, check=check) if isinstance(rule, PairRule) and rule.id == "same-tenant" else rule for rule in RULES]
    sources = [replace(scene.source, key=f"nic-{number}") for number in range(20)]
    taps = [replace(scene.tap, key=f"tap-{number}") for number in range(5)]
    judgement = judge(scene.world, sources, taps, rules)
    verdicts = {judgement.verdict(source.key, tap.key) for source in sources for tap in taps}
    assert asked == [(APPS, (PLATFORM, PLATFORM))]
    assert len(verdicts) == 1


def test_nics_and_taps_can_be_judged_alone() -> None:
    judgement = judge(Scene().world, [Scene().source_but(vm_presence=None).source], [Scene().tap])
    assert judgement.source_verdict(Scene().source.key).allowed is False
    assert judgement.tap_verdict(Scene().tap.key).allowed is True
