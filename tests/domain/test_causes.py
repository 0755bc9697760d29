"""One cause, one alarm: folding by the first broken hop, the intake, and how an alarm keeps its number.

[web-01 … web-60: spoke] --peering-- [hub: lb -> m-1, m-2]
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vtapweb.domain.causes import (
    INTAKE_KEY,
    Cause,
    Finding,
    Heard,
    Hop,
    HopKind,
    HopState,
    Open,
    Path,
    Subject,
    first_broken,
    fold,
    match,
    quiet_together_s,
)
from vtapweb.domain.health import Level

NOW = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)


def hop(kind: HopKind, state: HopState = HopState.OK, key: str = "") -> Hop:
    return Hop(kind, key or kind.value, kind.value, state, f"the {kind.value} is {state.value}")


def way(*broken: HopKind, unknown: HopKind | None = None) -> Path:
    """All hops, those named broken."""
    states = dict.fromkeys(broken, HopState.BROKEN) | ({unknown: HopState.UNKNOWN} if unknown else {})
    return tuple(hop(kind, states.get(kind, HopState.OK)) for kind in HopKind)


def source(number: int, rule_id: str = "H3", *, path: Path = (), vnet: str = "spoke", after_s: float = 0, collector: str = "lb") -> Finding:
    return Finding(
        f"{rule_id}:web-{number}:{collector}", rule_id, Level.ALARM, Subject.SOURCE, collector, collector, "sub", f"web-{number:02d}",
        f"web-{number}",        "sub", NOW + timedelta(seconds=after_s), path or way(), way=vnet,
    )  # fmt: skip


def of_collector(rule_id: str, collector: str = "lb", *, path: Path = (), source_paths: tuple[Path, ...] = (), level: Level = Level.ALARM) -> Finding:
    return Finding(
        f"{rule_id}:{collector}", rule_id, level, Subject.COLLECTOR, collector, collector, "sub", collector, collector, "sub", NOW, path or way(),
        source_paths,
    )  # fmt: skip


def keys(causes: list[Cause]) -> dict[str, int]:
    return {one.key: len(one.findings) for one in causes}


@pytest.mark.parametrize("kind", list(HopKind))
def test_the_first_broken_hop_counts(kind: HopKind) -> None:
    later = [one for one in HopKind if list(HopKind).index(one) >= list(HopKind).index(kind)]
    found = first_broken(way(*later))
    assert found is not None
    assert found.kind is kind


def test_an_unknown_hop_is_not_broken() -> None:
    assert first_broken(way(unknown=HopKind.PEERING_OF_COLLECTOR)) is None


def test_60_sources_behind_a_broken_peering_are_one_cause() -> None:
    broken = way(HopKind.PEERING_OF_COLLECTOR)
    findings = [source(number, path=broken, after_s=number * 10) for number in range(60)]
    (cause,) = fold([*findings, of_collector("H2", source_paths=(broken,) * 60)])
    assert cause.subject is Subject.HOP
    assert cause.hop is not None
    assert cause.hop.kind is HopKind.PEERING_OF_COLLECTOR
    assert len(cause.sources) == 60
    assert cause.rule_ids == ["H2", "H3"]


def test_both_sides_of_a_peering_are_one_cause() -> None:
    one, other = (replace(hop(kind, HopState.BROKEN), key="spoke hub") for kind in (HopKind.PEERING_OF_SOURCE, HopKind.PEERING_OF_COLLECTOR))
    assert keys(fold([source(1, path=(one,)), source(2, path=(other,))])) == {"hop:peering:spoke hub": 2}


def test_a_collector_that_some_sources_should_still_reach_is_its_own_cause() -> None:
    broken = way(HopKind.PEERING_OF_SOURCE)
    causes = fold([source(1, path=broken), source(2), of_collector("H2", source_paths=(broken, way()))])
    assert keys(causes) == {"collector:lb": 2, "hop:peering:peering_of_source": 1}


def test_a_silent_agent_takes_what_is_known_of_its_collector() -> None:
    broken_agent = way(HopKind.AGENT)
    causes = fold([of_collector("H1", path=broken_agent), of_collector("H8", level=Level.WARNING), source(1, "H4")])
    assert keys(causes) == {"collector:lb": 3}
    assert causes[0].main.rule_id == "H1"


def test_a_stopped_vm_of_a_collector_is_the_cause_of_its_silence() -> None:
    (cause,) = fold([of_collector("H1", path=way(HopKind.MEMBER, HopKind.AGENT))])
    assert cause.hop is not None
    assert cause.hop.kind is HopKind.MEMBER


def test_what_has_nothing_to_do_with_each_other_stays_apart() -> None:
    causes = fold([of_collector("H9", "a"), of_collector("H8", "a"), of_collector("H5", "a"), of_collector("H9", "b")])
    assert keys(causes) == {"load:a": 2, "H5:a": 1, "load:b": 1}


def test_unexplained_sources_of_one_vnet_fold_when_they_stop_together() -> None:
    causes = fold([source(1), source(2, after_s=100), source(3, after_s=215), source(4, after_s=400), source(5, vnet="other")])
    assert keys(causes) == {"source:lb:web-1": 3, "source:lb:web-4": 1, "source:lb:web-5": 1}
    assert [one.subject for one in causes] == [Subject.SOURCES, Subject.SOURCE, Subject.SOURCE]


def test_every_finding_has_exactly_one_cause() -> None:
    broken = way(HopKind.TAP)
    findings = [source(number, path=broken if number % 2 else way()) for number in range(20)] + [of_collector(f"H{n}") for n in range(5, 15)]
    causes = fold(findings)
    assert sorted(one.key for cause in causes for one in cause.findings) == sorted(one.key for one in findings)


# -- the intake


def heard(*ages_s: float, interval_s: float = 1.0) -> list[Heard]:
    return [Heard(f"c{number}", 1000.0 - age, interval_s) for number, age in enumerate(ages_s)]


@pytest.mark.parametrize(
    ("ages_s", "expected"),
    [
        ((31.0, 33.0, 34.0), 3.0),
        ((31.0, 36.0), 5.0),
        ((31.0, 36.1), None),  # not together
        ((31.0, 32.0, 1.0), None),  # one still talks
        ((31.0,), None),  # one alone says nothing about us
        ((4.0, 4.5), None),
    ],
)
def test_all_collectors_quiet_within_5_s_are_about_our_intake(ages_s: tuple[float, ...], expected: float | None) -> None:
    found = quiet_together_s(heard(*ages_s), now_s=1000.0)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_a_60_s_source_says_nothing_about_the_last_half_minute() -> None:
    assert quiet_together_s([*heard(31.0, 33.0), Heard("slow", 960.0, 60.0)], now_s=1000.0) == pytest.approx(2.0)
    assert quiet_together_s([*heard(231.0, 233.0), Heard("slow", 995.0, 60.0)], now_s=1000.0) is None


def test_the_silence_of_all_is_one_cause() -> None:
    findings = [of_collector("H1", one) for one in ("a", "b", "c")]
    (cause,) = fold(findings, together_s=3.0)
    assert (cause.key, cause.subject, cause.facts) == (INTAKE_KEY, Subject.INTAKE, {"spread_s": 3.0})
    assert keys(fold(findings)) == {"collector:a": 1, "collector:b": 1, "collector:c": 1}


def test_an_intake_that_came_back_keeps_its_findings_for_a_while() -> None:
    findings = [of_collector("H1", one) for one in ("a", "b")]
    assert keys(fold(findings, kept_in_intake={"H1:a", "H1:b"})) == {INTAKE_KEY: 2}


# -- numbers


def test_an_alarm_keeps_its_number_when_its_cause_is_found() -> None:
    before = fold([source(1), source(2)])
    alarm = Open(117, before[0].key, frozenset(one.key for one in before[0].findings))
    after = fold([source(number, path=way(HopKind.PEERING_OF_SOURCE)) for number in (1, 2)])
    matched = match(after, [alarm])
    assert matched.of == {after[0].key: 117}
    assert matched.over == ()


def test_alarms_that_turn_out_to_be_one_go_on_under_one_number() -> None:
    causes = fold([source(number, path=way(HopKind.TAP)) for number in range(3)])
    alarms = [Open(117, "x", frozenset({"H3:web-0:lb"})), Open(118, "y", frozenset({"H3:web-1:lb", "H3:web-2:lb"}))]
    matched = match(causes, alarms)
    assert (matched.of, matched.over, matched.joined) == ({"hop:tap:tap": 118}, (117,), {117: 118})


def test_what_has_no_finding_left_is_over() -> None:
    assert match([], [Open(117, "x", frozenset({"a"}))]).over == (117,)


def test_the_intake_s_alarm_goes_on_with_nothing_else() -> None:
    matched = match(fold([of_collector("H1", "a")]), [Open(117, INTAKE_KEY, frozenset({"H1:a", "H1:b"}))])
    assert matched.of == {}
    assert matched.over == (117,)
