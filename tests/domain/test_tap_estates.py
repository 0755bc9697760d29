"""Laws of the judge on estates by chance: it never raises, unknown is no yes, spelling plays no part, knowing less never allows more."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.tap_cases import FINE
from tests.domain.tap_estates import Estate, estates, hostile_estates, numbered_estate
from vtapweb.domain.tap_rules.facts import DestinationFacts, FeatureFacts, PermissionFacts, Presence, Readability, SourceFacts, TapFacts, World
from vtapweb.domain.tap_rules.judge import RULES, Verdict, judge, verdict_of
from vtapweb.domain.tap_rules.rule import DestinationRule, Outcome, PairRule, SourceRule


def verdicts(estate: Estate) -> dict[tuple[str, str], Verdict]:
    world, sources, taps = estate
    judgement = judge(world, sources, taps)
    return {(nic.key, tap.key): judgement.verdict(nic.key, tap.key) for nic in sources for tap in taps}


@settings(max_examples=60, deadline=None)
@given(estates())
def test_a_verdict_is_what_its_findings_come_to(estate: Estate) -> None:
    for verdict in verdicts(estate).values():
        blocks = [one for one in verdict.findings if one.outcome is Outcome.BLOCK]
        unknowns = [one for one in verdict.findings if one.outcome is Outcome.UNKNOWN and not one.is_advisory]
        assert verdict.allowed is (False if blocks else None if unknowns else True)
        assert list(verdict.deciding) == (blocks or unknowns)
        assert len(verdict.findings) == len(RULES)


@settings(max_examples=60, deadline=None)
@given(estates())
def test_judging_many_is_judging_each_alone(estate: Estate) -> None:
    """Asking once for each distinct input must not mix anything up: nothing here shares an answer with another pair."""
    world, sources, taps = estate
    for (source_key, tap_key), verdict in verdicts(estate).items():
        nic = next(one for one in sources if one.key == source_key)
        tap = next(one for one in taps if one.key == tap_key)
        findings = []
        for rule in RULES:
            if isinstance(rule, SourceRule):
                findings.append(rule.finding(rule.check(world, nic)))
            elif isinstance(rule, DestinationRule):
                findings.append(rule.finding(rule.check(world, tap)))
            elif isinstance(rule, PairRule):
                seen = rule.prepare(world, taps)
                findings.append(rule.finding(rule.check(seen, rule.of_source(seen, nic), rule.of_tap(seen, tap))))
        assert verdict.findings == verdict_of(findings).findings


@settings(max_examples=150, deadline=None)
@given(hostile_estates())
def test_whatever_the_facts_say_there_is_a_verdict(estate: Estate) -> None:
    for verdict in verdicts(estate).values():
        assert verdict.allowed in {True, False, None}


@settings(max_examples=40, deadline=None)
@given(estates())
def test_the_digest_is_stable_and_moves_with_the_outcomes(estate: Estate) -> None:
    world, sources, taps = estate
    first, again = judge(world, sources, taps), judge(world, list(reversed(sources)), list(reversed(taps)))
    seen: dict[str, set[tuple[str, Outcome]]] = {}
    for nic in sources:
        for tap in taps:
            digest = first.digest(nic.key, tap.key)
            assert digest == again.digest(nic.key, tap.key)
            outcomes: set[tuple[str, Outcome]] = {
                (one.rule_id, one.outcome) for one in first.verdict(nic.key, tap.key).findings if one.outcome is not Outcome.OK
            }
            assert seen.setdefault(digest, outcomes) == outcomes


def shouted(world: World, sources: list[SourceFacts], taps: list[TapFacts]) -> Estate:
    """The same estate as Azure may spell it another day: ids, SKUs, states and regions in capitals. Keys of joins are case-free already."""
    return (
        replace(
            world,
            subscriptions={
                key: replace(one, tenant_id=one.tenant_id.upper(), locks=tuple(replace(lock, scope_id=lock.scope_id.upper()) for lock in one.locks))
                for key, one in world.subscriptions.items()
            },
        ),
        [replace(one, arm_id=one.arm_id.upper(), subscription_id=one.subscription_id.upper(), region=one.region.upper()) for one in sources],
        [
            replace(
                one,
                arm_id=one.arm_id.upper(),
                subscription_id=one.subscription_id.upper(),
                region=one.region.upper(),
                destinations=tuple(replace(end, subscription_id=end.subscription_id.upper()) for end in one.destinations),
            )
            for one in taps
        ],
    )


@settings(max_examples=40, deadline=None)
@given(estates())
def test_the_spelling_of_ids_plays_no_part(estate: Estate) -> None:
    before, after = verdicts(estate), verdicts(shouted(*estate))
    assert {pair: [(one.rule_id, one.outcome) for one in verdict.findings] for pair, verdict in before.items()} == {
        pair: [(one.rule_id, one.outcome) for one in verdict.findings] for pair, verdict in after.items()
    }


# --- knowing less ---------------------------------------------------------------------------------------------------------------------------------


def without_vnets(world: World) -> World:
    return replace(world, vnets={})


def without_tenants(world: World) -> World:
    return replace(world, subscriptions={key: replace(one, tenant_id="") for key, one in world.subscriptions.items()})


def without_locks(world: World) -> World:
    return replace(
        world, subscriptions={key: replace(one, locks=(), locks_readability=Readability.UNREADABLE) for key, one in world.subscriptions.items()}
    )


def without_permissions(world: World) -> World:
    return replace(world, permissions={key: PermissionFacts() for key in world.permissions})


def without_features(world: World) -> World:
    return replace(world, subscriptions={key: replace(one, feature=FeatureFacts()) for key, one in world.subscriptions.items()})


def without_groups(world: World) -> World:
    return replace(world, security_groups={})


FORGETTING_THE_WORLD = [without_vnets, without_tenants, without_locks, without_permissions, without_features, without_groups]
FORGETTING_THE_SOURCE: list[dict[str, object]] = [
    {"configurations": None},
    {"ip_versions": (), "private_ips": ()},
    {"vm_presence": Presence.GONE},
    {"vm_size": ""},
    {"vm_restarted_at": None},
    {"vnet_key": ""},
    {"region": ""},
]
FORGETTING_THE_END: list[dict[str, object]] = [
    {"presence": Presence.UNREADABLE},
    {"rules": None},
    {"members": None},
    {"vnet_key": ""},
    {"region": ""},
]
RANK = {True: 2, None: 1, False: 0}


@settings(max_examples=60, deadline=None)
@given(estates(), st.data())
def test_knowing_less_never_allows_more(estate: Estate, data: st.DataObject) -> None:
    """What is forgotten turns a yes into a don't-know, and at most a no into one: never anything into a yes."""
    world, sources, taps = estate
    what = data.draw(st.sampled_from(["world", "source", "end"]))
    if what == "world":
        world = data.draw(st.sampled_from(FORGETTING_THE_WORLD))(world)
    elif what == "source":
        change = data.draw(st.sampled_from(FORGETTING_THE_SOURCE))
        sources = [replace(one, **change) for one in sources]  # type: ignore[arg-type] # fields by name
    else:
        change = data.draw(st.sampled_from(FORGETTING_THE_END))
        taps = [replace(one, destinations=tuple(forgotten(end, change) for end in one.destinations)) for one in taps]
    before, after = verdicts(estate), verdicts((world, sources, taps))
    for pair, verdict in after.items():
        assert verdict.allowed is not True or before[pair].allowed is True


def forgotten(end: DestinationFacts, change: dict[str, object]) -> DestinationFacts:
    return replace(end, **change)  # type: ignore[arg-type] # fields by name


@pytest.mark.parametrize("forget", FORGETTING_THE_WORLD)
def test_what_everything_hangs_on_makes_a_fine_pair_unknown(forget: object) -> None:
    assert callable(forget)
    verdict = replace(FINE, world=forget(FINE.world)).verdict()
    assert verdict.allowed is (True if forget is without_features else None)


def test_the_numbered_estate_holds_yes_no_and_unknown() -> None:
    """Else the benchmark would measure something else than it says."""
    assert {verdict.allowed for verdict in verdicts(numbered_estate(120, 12)).values()} == {True, False, None}
