"""The rules H1 to H14, each with its boundaries, and how they settle."""

import pytest

from tests.architecture.source import ROOT
from vtapweb.domain.health import (
    GRACE_S,
    KEPT_UNSEEN_S,
    NOTHING,
    RULES,
    Level,
    Standing,
    h01_no_report,
    h01_of_pool,
    h02_no_mirrored_traffic,
    h03_silent_source,
    h04_source_stopped,
    h05_unknown_source,
    h06_ambiguous_source,
    h07_one_direction,
    h08_near_capacity,
    h09_dropping,
    h10_nobody_listens,
    h11_unattributed,
    h12_merged,
    h13_samples_lost,
    h14_restart_loop,
    is_settling,
    settle,
    settled_s,
)

FINE, NOTICE, WARNING, ALARM = Level.FINE, Level.NOTICE, Level.WARNING, Level.ALARM


@pytest.mark.parametrize(
    ("age_s", "interval_s", "expected"),
    [(5.0, 1, FINE), (5.1, 1, NOTICE), (30.0, 1, NOTICE), (30.1, 1, ALARM), (6.0, 2, FINE), (6.1, 2, NOTICE), (30.1, 5, NOTICE), (50.1, 5, ALARM)],
)
def test_h01_no_sample_is_stale_then_an_alarm(age_s: float, interval_s: float, expected: Level) -> None:
    assert h01_no_report(age_s, interval_s) is expected


@pytest.mark.parametrize(("age_s", "expected"), [(61, FINE), (119, FINE), (180, FINE), (180.1, NOTICE), (600, NOTICE), (600.1, ALARM)])
def test_h01_a_60_s_source_is_not_stale_between_its_samples(age_s: float, expected: Level) -> None:
    assert h01_no_report(age_s, 60) is expected


def test_h01_azure_monitor_s_lag_is_added() -> None:
    assert h01_no_report(270, 60, lag_s=95) is FINE
    assert h01_no_report(275.1, 60, lag_s=95) is NOTICE
    assert h01_no_report(695.1, 60, lag_s=95) is ALARM


def test_h01_one_member_of_a_pool_missing_is_degraded_and_no_alarm_of_the_collector() -> None:
    assert h01_of_pool([FINE, ALARM]) == (FINE, 1)
    assert h01_of_pool([FINE, NOTICE]) == (FINE, 0)
    assert h01_of_pool([NOTICE, ALARM]) == (NOTICE, 1)
    assert h01_of_pool([ALARM, ALARM]) == (ALARM, 0)
    assert h01_of_pool([ALARM]) == (ALARM, 0)
    assert h01_of_pool([]) == (FINE, 0)


def test_h02_the_total_stands_still_while_a_mirror_is_configured() -> None:
    assert h02_no_mirrored_traffic(0.0, 0.0, expected_count=1) is ALARM
    assert h02_no_mirrored_traffic(0.01, 0.0, expected_count=1) is FINE
    assert h02_no_mirrored_traffic(0.0, 0.0, expected_count=0) is FINE
    assert h02_no_mirrored_traffic(None, 0.0, expected_count=1) is None  # not seeing is not zero


def test_h02_a_60_s_source_needs_three_intervals() -> None:
    assert h02_no_mirrored_traffic(0.0, 0.0, 1, interval_s=60) is FINE
    assert h02_no_mirrored_traffic(0.0, 119.0, 1, interval_s=60) is FINE
    assert h02_no_mirrored_traffic(0.0, 120.0, 1, interval_s=60) is ALARM


def silent(**given: float | bool | None) -> Level | None:
    values = {"mirrored_s": 1000.0, "is_running": True, "silent_s": 301.0, "seeing_s": 1000.0, **given}
    return h03_silent_source(**values)  # type: ignore[arg-type] # each test gives what it is about


def test_h03_nothing_from_any_of_its_addresses_for_5_minutes() -> None:
    assert silent() is ALARM
    assert silent(silent_s=None) is ALARM  # never a packet
    assert silent(silent_s=300.0) is FINE
    assert silent(mirrored_s=300.0) is FINE
    assert silent(mirrored_s=300.1) is ALARM


def test_h03_is_not_raised_where_the_vm_does_not_run() -> None:
    assert silent(is_running=False) is FINE
    assert silent(is_running=None) is None  # nobody knows: not evaluated


def test_h03_who_has_just_begun_to_look_cannot_tell() -> None:
    assert silent(seeing_s=300.0) is None
    assert silent(seeing_s=300.0, silent_s=10.0) is FINE


def test_rules_wait_for_both_the_meter_and_the_watch() -> None:
    assert settled_s(meter_since_s=1000.0, looking_since_s=1010.0) == 1300.0
    assert settled_s(meter_since_s=1000.0, looking_since_s=5000.0) == 5030.0


def test_h04_a_source_that_sent_much_stopped() -> None:
    def of(mean_60s: float | None, mean_900s: float | None, *, is_running: bool | None = True, was: Level = FINE) -> Level | None:
        return h04_source_stopped(mean_60s, mean_900s, is_running=is_running, was=was)

    assert of(0.0, 93.4) is WARNING  # 100.07 packets/s before the last minute
    assert of(0.0, 93.3) is FINE
    assert of(0.1, 500.0) is FINE
    assert of(None, 500.0) is None
    assert of(0.0, None) is FINE
    assert of(0.0, 500.0, is_running=False) is FINE


def test_h04_stays_while_the_old_mean_fades() -> None:
    assert h04_source_stopped(0.0, 0.0, is_running=True, was=WARNING) is WARNING
    assert h04_source_stopped(1.0, 0.0, is_running=True, was=WARNING) is FINE


def test_h05_packets_that_no_tap_configuration_explains() -> None:
    assert h05_unknown_source(10, is_explained=False) is FINE
    assert h05_unknown_source(11, is_explained=False) is WARNING
    assert h05_unknown_source(1000, is_explained=True) is FINE
    assert h05_unknown_source(None, is_explained=False) is None


def test_h06_two_nics_have_one_outer_address() -> None:
    assert h06_ambiguous_source(is_ambiguous=True) is WARNING
    assert h06_ambiguous_source(is_ambiguous=False) is FINE


def test_h07_one_direction_is_missing() -> None:
    assert h07_one_direction(5, 0) is NOTICE
    assert h07_one_direction(0, 5) is NOTICE
    assert h07_one_direction(5, 5) is FINE
    assert h07_one_direction(0, 0) is FINE  # nothing at all is H3's and H4's business
    assert h07_one_direction(None, None) is None  # the MAC is not known: not evaluated


@pytest.mark.parametrize(
    ("share", "was", "expected"),
    [
        (0.75, FINE, FINE), (0.751, FINE, WARNING), (0.95, FINE, WARNING), (0.951, FINE, ALARM),
        (0.91, ALARM, ALARM), (0.90, ALARM, WARNING), (0.71, WARNING, WARNING), (0.70, WARNING, FINE),
    ],
)  # fmt: skip
def test_h08_near_and_over_capacity(share: float, was: Level, expected: Level) -> None:
    assert h08_near_capacity(share * 1e10, 1e10, was=was) is expected


def test_h08_without_a_capacity_nothing_is_evaluated() -> None:
    assert h08_near_capacity(9e9, None, was=FINE) is None
    assert h08_near_capacity(None, 1e10, was=FINE) is None


def test_h09_saturation_counters_rise() -> None:
    assert h09_dropping(2, 0.0, was=FINE) is FINE
    assert h09_dropping(3, 0.0, was=FINE) is WARNING
    assert h09_dropping(0, 0.01, was=FINE) is FINE
    assert h09_dropping(0, 0.0101, was=FINE) is ALARM
    assert h09_dropping(5, None, was=FINE) is WARNING


def test_h09_leaves_below_lower_thresholds() -> None:
    assert h09_dropping(1, 0.006, was=ALARM) is ALARM
    assert h09_dropping(1, 0.005, was=ALARM) is WARNING
    assert h09_dropping(1, 0.0, was=WARNING) is WARNING
    assert h09_dropping(0, 0.0, was=WARNING) is FINE


def test_h10_nobody_listens_on_the_port() -> None:
    assert [h10_nobody_listens(share, was=FINE) for share in (None, 0.9, 0.91)] == [None, FINE, NOTICE]
    assert [h10_nobody_listens(share, was=NOTICE) for share in (0.81, 0.8)] == [NOTICE, FINE]


def test_h11_packets_without_a_source() -> None:
    assert [h11_unattributed(share, was=FINE) for share in (None, 0.01, 0.011)] == [None, FINE, WARNING]
    assert [h11_unattributed(share, was=WARNING) for share in (0.006, 0.005)] == [WARNING, FINE]


def test_h12_packets_were_merged_before_they_were_counted() -> None:
    assert h12_merged(1510, 1000, has_vxlan_device=True, was=FINE) is NOTICE
    assert h12_merged(1500, 1000, has_vxlan_device=True, was=FINE) is FINE
    assert h12_merged(9000, 1000, has_vxlan_device=False, was=FINE) is FINE
    assert h12_merged(9000, 0, has_vxlan_device=True, was=FINE) is None
    assert h12_merged(None, 1000, has_vxlan_device=True, was=FINE) is None
    assert h12_merged(1400, 1000, has_vxlan_device=True, was=NOTICE) is NOTICE


def test_h13_samples_were_lost() -> None:
    assert [h13_samples_lost(share, was=FINE) for share in (None, 0.05, 0.051)] == [None, FINE, NOTICE]
    assert [h13_samples_lost(share, was=NOTICE) for share in (0.021, 0.02)] == [NOTICE, FINE]


def test_h14_more_than_3_boots_in_10_minutes() -> None:
    assert [h14_restart_loop(boots, was=FINE) for boots in (3, 4)] == [FINE, WARNING]
    assert [h14_restart_loop(boots, was=WARNING) for boots in (2, 1)] == [WARNING, FINE]


# -- settling


def settled(was: Standing, verdicts: list[tuple[float, Level | None]], clear_after_s: float = 10.0) -> Standing:
    for now_s, verdict in verdicts:
        was = settle(was, verdict, now_s=now_s, clear_after_s=clear_after_s)
    return was


def test_worse_counts_at_once() -> None:
    assert settled(NOTHING, [(100.0, WARNING)]) == Standing(WARNING, 100.0)
    assert settled(NOTHING, [(100.0, WARNING), (105.0, ALARM)]) == Standing(ALARM, 105.0)


def test_better_counts_when_it_lasts() -> None:
    raised = settled(NOTHING, [(100.0, ALARM)])
    assert settled(raised, [(105.0, FINE)]).level is ALARM
    assert settled(raised, [(105.0, FINE), (114.9, FINE)]).level is ALARM
    assert settled(raised, [(105.0, FINE), (115.0, FINE)]) == NOTHING
    assert settled(raised, [(105.0, FINE), (110.0, ALARM), (115.0, FINE), (120.0, FINE)]) == Standing(ALARM, 100.0, FINE, 115.0)


def test_better_is_as_good_as_the_worst_moment_of_it() -> None:
    raised = settled(NOTHING, [(100.0, ALARM)])
    reached = settled(raised, [(105.0, FINE), (110.0, WARNING), (115.0, FINE)])
    assert reached == Standing(WARNING, 115.0, FINE, 115.0)
    assert is_settling(reached), "a warning it was; by now it is fine"
    assert settled(raised, [(105.0, WARNING), (115.0, WARNING)]) == Standing(WARNING, 115.0)


def test_what_cannot_be_seen_stands_for_a_while() -> None:
    raised = settled(NOTHING, [(100.0, ALARM)])
    assert settled(raised, [(105.0, None), (105.0 + KEPT_UNSEEN_S, None)]).level is ALARM
    assert settled(raised, [(105.0, None), (105.1 + KEPT_UNSEEN_S, None)]) == NOTHING
    assert settled(raised, [(105.0, None), (300.0, ALARM), (301.0, None)]).unseen_since_s == 301.0
    assert settled(NOTHING, [(105.0, None)]) == NOTHING
    assert not is_settling(raised)
    assert is_settling(settled(raised, [(105.0, None)]))


def test_every_rule_is_written_down_once() -> None:
    assert list(RULES) == [f"H{number}" for number in range(1, 15)]
    assert GRACE_S == 30


def test_the_document_has_every_rule_with_its_thresholds() -> None:
    text = (ROOT / "docs" / "health.md").read_text(encoding="utf-8")
    for rule in RULES.values():
        assert f"| {rule.id} | {rule.name} | {rule.raised} | {rule.cleared} | {rule.clear_after_s:g} s |" in text, rule.id
