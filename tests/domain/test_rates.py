"""The rules of rates, R1 to R14, each by its name; and what holds for any readings in any order."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.rates import Flow, Interval, MemberRates, Outcome, Room, increase, inner_octets, longest_gap_s, wire_octets

ARRIVED_MS = 1_800_000_000_000
Sources = list[tuple[str, int, int, int]]
A, B = "10.0.2.4", "10.0.2.5"


@dataclass(frozen=True)
class Doc:
    """One reading with everything that a sender may leave out at its default."""

    seq: int
    mono_ms: int
    sources: Sources | None = None
    boot: str = "b"
    wall_ms: int = ARRIVED_MS
    arrival_ms: int = ARRIVED_MS
    interval_s: float = 1.0
    is_full: bool = True
    packets: int | None = None
    l3_bytes: int | None = None
    host: dict[str, int] = field(default_factory=dict)
    directions: list[tuple[str, int, str, int, int]] | None = None
    unattributed: tuple[int, int] | None = None
    counter_bits: int = 64
    line_bits_per_s: int = 0
    is_numbered: bool = True


def doc(seq: int, mono_ms: int, *, boot: str = "b", is_full: bool = True, late_ms: int = 0, wall_ms: int | None = None, **packets: int) -> Doc:
    """`a` and `b` are packets of 1,000 inner octets from two sources, cumulative; it arrives as it was read, unless late."""
    sources = [({"a": A, "b": B}[name], 27, count, 1_036 * count) for name, count in packets.items()]
    total = sum(packets.values())
    arrival_ms = ARRIVED_MS + mono_ms + late_ms
    return Doc(seq, mono_ms, sources, boot, arrival_ms if wall_ms is None else wall_ms, arrival_ms, 1.0, is_full, total, 1_036 * total)


def played(*docs: Doc) -> tuple[MemberRates, list[Outcome]]:
    rates = MemberRates()
    return rates, [rates.take(one) for one in docs]


def flow(rates: MemberRates, address: str = A) -> Flow:
    return rates.by_key[(address, 27)]


def packets_per_s(rates: MemberRates, address: str = A) -> float | None:
    return rates.rates_of(flow(rates, address))[1]


def agrees(rates: MemberRates) -> bool:
    """Whether every flow has its own place, no place without a flow tells a rate, and both rates of a place are known, or neither."""
    columns = (rates.flow_bits, rates.flow_packets, rates.grown, rates.totals, rates.first_ms, rates.last_ms)
    told = list(zip(rates.flows, rates.flow_bits, rates.flow_packets, strict=True))
    return (
        {len(column) for column in columns} == {len(rates.flows)}
        and all(rates.flows[one.index] is one and (one.address, one.vni) == key for key, one in rates.by_key.items())
        and sum(one is not None for one in rates.flows) == len(rates.by_key)
        and all(math.isnan(bits) == math.isnan(packets) and (one is not None or math.isnan(bits)) for one, bits, packets in told)
    )


def interval(rates: MemberRates) -> Interval:
    assert rates.interval is not None
    return rates.interval


def test_r01_the_first_reading_of_a_boot_is_a_baseline() -> None:
    rates, outcomes = played(doc(1, 1_000, a=10**12))
    assert outcomes == [Outcome.BASELINE]
    assert rates.interval is None
    assert packets_per_s(rates) is None


def test_r01_a_partial_reading_is_no_baseline() -> None:
    """It lacks sources that would later seem to come from nowhere with all their packets."""
    rates, outcomes = played(doc(1, 1_000, is_full=False, a=5), doc(2, 2_000, a=5, b=10**9), doc(3, 3_000, a=6, b=10**9))
    assert outcomes == [Outcome.PARTIAL, Outcome.BASELINE, Outcome.RATE]
    assert (packets_per_s(rates), packets_per_s(rates, B)) == (1.0, 0.0)


def test_r02_the_senders_monotonic_clock_is_what_counts() -> None:
    rates, _ = played(doc(1, 1_000, a=0), doc(2, 3_500, late_ms=6_500, wall_ms=7, a=2_500))
    assert packets_per_s(rates) == 1_000.0
    assert interval(rates).dt_ms == 2_500


def test_r03_what_is_not_newer_is_dropped_and_counted() -> None:
    rates, outcomes = played(doc(1, 1_000, a=0), doc(3, 3_000, a=20), doc(3, 3_000, a=20), doc(2, 2_000, a=10), doc(4, 4_000, a=30))
    assert outcomes[2:] == [Outcome.DUPLICATE, Outcome.LATE, Outcome.RATE]
    assert (rates.duplicate_count, rates.late_count) == (1, 1)
    assert packets_per_s(rates) == 10.0


def test_r03_a_sender_that_counts_anew_is_not_dropped_for_ever() -> None:
    rates, outcomes = played(doc(900, 1_000, a=0), *(doc(seq, 1_000 + 1_000 * seq, a=seq) for seq in range(1, 8)))
    assert outcomes[1:] == [Outcome.LATE] * 4 + [Outcome.BASELINE, Outcome.RATE, Outcome.RATE]
    assert packets_per_s(rates) == 1.0


def test_r04_lost_readings_average_over_the_gap_and_are_counted() -> None:
    rates, _ = played(doc(1, 0, a=0), doc(4, 3_000, a=300))
    assert packets_per_s(rates) == 100.0
    assert rates.lost_count == 2


def test_r04_what_a_lost_partial_reading_may_have_told_is_unknown_and_then_averaged() -> None:
    rates = MemberRates()
    rates.take(doc(1, 0, a=0, b=0))
    rates.take(doc(3, 2_000, is_full=False, b=20))
    assert (packets_per_s(rates), packets_per_s(rates, B)) == (None, 10.0)
    rates.take(doc(4, 3_000, is_full=False, b=30))
    assert packets_per_s(rates) is None
    rates.take(doc(5, 4_000, a=400, b=40))
    assert (packets_per_s(rates), packets_per_s(rates, B)) == (100.0, 10.0), "no spike: 400 in 4 s"


def test_r10_what_an_early_reading_told_is_unknown_too_where_a_lost_one_leaves_the_source_open() -> None:
    rates, outcomes = played(
        doc(1, 0, a=0, b=0), doc(2, 1_000, a=10, b=10), doc(3, 1_100, is_full=False, a=20, b=10), doc(5, 2_000, is_full=False, b=30)
    )
    assert outcomes[2:] == [Outcome.EARLY, Outcome.RATE]
    assert (packets_per_s(rates), packets_per_s(rates, B)) == (None, 20.0)
    rates.take(doc(6, 3_000, a=40, b=40))
    assert (packets_per_s(rates), packets_per_s(rates, B)) == (10.0, 10.0), "no spike"


def test_r05_a_new_boot_is_a_baseline_never_a_spike() -> None:
    rates, outcomes = played(doc(9, 9_000, a=10**9), doc(10, 10_000, a=10**9 + 7), doc(1, 100, boot="c", a=5), doc(2, 1_100, boot="c", a=15))
    assert outcomes == [Outcome.BASELINE, Outcome.RATE, Outcome.BASELINE, Outcome.RATE]
    assert packets_per_s(rates) == 10.0
    assert (rates.boot_count, rates.reset_count) == (2, 0)


def test_r05_a_reading_of_the_boot_before_comes_late() -> None:
    rates, outcomes = played(doc(9, 9_000, a=10), replace(doc(1, 100, boot="c", a=0), arrival_ms=ARRIVED_MS + 9_500), doc(10, 10_000, a=20))
    assert outcomes == [Outcome.BASELINE, Outcome.BASELINE, Outcome.LATE]
    assert rates.boot == "c"


def test_r06_a_counter_that_fell_began_anew() -> None:
    rates, _ = played(doc(1, 0, a=1_000), doc(2, 1_000, a=7))
    assert packets_per_s(rates) == 7.0
    assert interval(rates).packets == 7
    assert rates.reset_count == 2, "the source's and the total"


def test_r07_a_source_first_seen_later_starts_at_zero() -> None:
    rates, _ = played(doc(1, 0), doc(2, 1_000, a=50))
    assert packets_per_s(rates) == 50.0


def test_r08_a_source_that_went_is_zero_once_and_then_nothing() -> None:
    rates, _ = played(doc(1, 0, a=5), doc(2, 1_000))
    assert [one.address for one in interval(rates).gone] == [A]
    rates.take(doc(3, 2_000))
    assert (interval(rates).gone, rates.by_key) == ([], {})


def test_r08_what_a_partial_reading_does_not_list_has_not_changed() -> None:
    rates, _ = played(doc(1, 0, a=5, b=5), doc(2, 1_000, is_full=False, a=6))
    assert (packets_per_s(rates), packets_per_s(rates, B)) == (1.0, 0.0)
    assert interval(rates).gone == []


def test_r09_a_long_gap_is_a_hole() -> None:
    rates, outcomes = played(doc(1, 0, a=0), doc(2, 10_001, a=600), doc(3, 11_001, a=610))
    assert outcomes == [Outcome.BASELINE, Outcome.HOLE, Outcome.RATE]
    assert packets_per_s(rates) == 10.0
    assert rates.totals[flow(rates).index] == 10, "nobody knows when the 600 came"
    rates.take(doc(4, 30_000, a=0))
    assert packets_per_s(rates) is None


def test_r09_a_slow_source_has_its_own_measure() -> None:
    assert (longest_gap_s(1.0), longest_gap_s(60.0)) == (10.0, 180.0)
    slow = [replace(doc(seq, 60_000 * seq, a=6_000 * seq), interval_s=60.0) for seq in range(1, 4)]
    rates, outcomes = played(*slow, replace(doc(5, 360_000, a=0), interval_s=60.0))
    assert outcomes == [Outcome.BASELINE, Outcome.RATE, Outcome.RATE, Outcome.RATE]
    rates.take(replace(doc(6, 541_000, a=0), interval_s=60.0))
    assert rates.interval is None


def test_r10_two_readings_in_a_moment_are_one() -> None:
    rates, outcomes = played(doc(1, 0, a=0), doc(2, 50, a=500), doc(3, 1_000, a=1_000))
    assert outcomes == [Outcome.BASELINE, Outcome.EARLY, Outcome.RATE]
    assert packets_per_s(rates) == 1_000.0


def test_r10_what_only_the_early_one_lists_is_kept() -> None:
    rates, _ = played(doc(1, 0, a=0, b=0), doc(2, 50, is_full=False, a=500), doc(3, 1_000, is_full=False, b=7))
    assert (packets_per_s(rates), packets_per_s(rates, B)) == (500.0, 7.0)


def test_r11_only_small_counters_wrap_and_only_where_it_is_possible() -> None:
    most = 1 << 32
    assert increase(most - 10, 20, bits=32, most=12.5e9) == (30, False)
    assert increase(3 * 10**9, 5, bits=32, most=10**6) == (5, True)
    assert increase(most - 10, 20, bits=32) == (20, True), "an unknown line is no reason to believe in a wrap"
    assert increase((1 << 64) - 10, 20, most=1e30) == (20, True)


def test_r11_the_host_counters_of_a_sender_with_small_ones_wrap() -> None:
    first = Doc(1, 0, host={"rx_bytes": (1 << 32) - 1_000}, counter_bits=32, line_bits_per_s=10**9)
    rates, _ = played(first, replace(first, seq=2, mono_ms=1_000, host={"rx_bytes": 500}))
    assert interval(rates).host == {"rx_bytes": 1_500}
    rates, _ = played(first, replace(first, seq=2, mono_ms=1_000, host={"rx_bytes": 500}, counter_bits=64))
    assert interval(rates).host == {"rx_bytes": 500}


def test_r12_a_late_delivery_does_not_move_the_point() -> None:
    rates, _ = played(doc(1, 1_000, a=0), doc(2, 2_000, late_ms=900, a=1))
    assert interval(rates).ended_ms == ARRIVED_MS + 2_001, "1 ms of drift"
    rates.take(doc(3, 3_000, late_ms=-40, a=2))
    assert interval(rates).ended_ms == ARRIVED_MS + 2_960, "a smaller delay is believed at once"
    assert interval(rates).started_ms == ARRIVED_MS + 1_960


def test_r12_a_clock_that_was_set_is_followed() -> None:
    hour = 3_600_000
    for by_ms in (hour, -hour):
        rates, _ = played(doc(1, 0, a=0), doc(2, 1_000, a=1))
        for seq in range(3, 9):
            rates.take(doc(seq, 1_000 * (seq - 1), late_ms=by_ms, a=seq))
        assert abs(interval(rates).ended_ms - (ARRIVED_MS + 7_000 + by_ms)) < 20
        assert packets_per_s(rates) == 1.0
    rates, _ = played(doc(1, 0, a=0), doc(2, 1_000, a=1))
    rates.forget_delays()
    rates.take(doc(3, 2_000, late_ms=hour, a=2))
    assert interval(rates).ended_ms == ARRIVED_MS + 2_000 + hour, "at once where somebody noticed"


def test_r13_wall_clocks_that_differ_are_a_notice_only() -> None:
    rates, outcomes = played(doc(1, 0, wall_ms=5, a=0), doc(2, 1_000, wall_ms=5, a=9))
    assert rates.is_skewed
    assert outcomes[-1] is Outcome.RATE
    assert packets_per_s(rates) == 9.0
    rates.take(doc(3, 2_000, a=9))
    assert not rates.is_skewed


def test_r14_the_bits_shown_are_inner_bits() -> None:
    """The real Azure frame: 102 octets at layer 3, 66 of them the mirrored frame, 116 on the wire."""
    assert (inner_octets(102, 1), wire_octets(102, 1)) == (66, 116)
    first = Doc(1, 0, [(A, 27, 0, 0)])
    rates, _ = played(first, replace(first, seq=2, mono_ms=1_000, sources=[(A, 27, 1_000, 102_000)]))
    assert rates.rates_of(flow(rates))[0] == 66_000 * 8
    rates.take(replace(first, seq=3, mono_ms=2_000, sources=[(A, 27, 3_000, 102_010)]))
    assert rates.rates_of(flow(rates))[0] == 0.0, "never negative, whatever a sender says"


def test_unattributed_packets_are_told_or_reckoned() -> None:
    told = replace(doc(1, 0, a=0), unattributed=(0, 0))
    rates, _ = played(told, replace(doc(2, 1_000, a=10), unattributed=(4, 400)))
    assert interval(rates).unattributed == 4
    rates, _ = played(doc(1, 0, a=0), replace(doc(2, 1_000, a=10), packets=13, l3_bytes=13_468))
    assert interval(rates).unattributed == 3


def test_directions_are_counted_from_the_first_list_on() -> None:
    lists = [[(A, 27, "aa", 100, 0), (A, 27, "bb", 50, 0)], None, [(A, 27, "aa", 130, 0), (A, 27, "bb", 50, 0), (A, 28, "aa", 5, 0)]]
    rates, _ = played(*(replace(doc(seq, 1_000 * seq, a=seq), directions=one) for seq, one in enumerate(lists, 1)))
    assert rates.direction_totals == {(A, "aa"): 35, (A, "bb"): 0}


def listed(seq: int, *, is_full: bool = True, directions: list[tuple[str, int, str, int, int]] | None = None, **packets: int) -> Doc:
    """Packets by source, cumulative; `s4` is 10.0.1.4. The total counts them all."""
    sources = [(f"10.0.1.{name[1:]}", 27, count, 1_036 * count) for name, count in packets.items()]
    total = sum(packets.values())
    return replace(doc(seq, 1_000 * seq, is_full=is_full), sources=sources, packets=total, l3_bytes=1_036 * total, directions=directions)


def told(rates: MemberRates) -> dict[str, float | None]:
    return {f"s{one.address.rpartition('.')[2]}": rates.rates_of(one)[1] for one in rates.by_key.values()}


def test_beyond_the_room_totals_are_right_and_the_others_are_no_sources() -> None:
    rates = MemberRates(Room(2))
    rates.take(listed(1, s4=0, s5=0, s6=1_000))
    assert (rates.beyond_count, rates.has_untold) == (1, True)
    rates.take(listed(2, s4=10, s5=20, s6=1_030, s7=5))
    assert (interval(rates).packets, interval(rates).unattributed, told(rates)) == (1_065 - 1_000, 35, {"s4": 10.0, "s5": 20.0})
    assert (rates.beyond_count, len(rates.flows), agrees(rates)) == (2, 2, True)
    rates.take(listed(3, is_full=False, s4=11))
    assert (rates.beyond_count, rates.has_untold) == (2, True), "a partial reading says nothing of those that it does not list"


def test_what_the_agent_says_is_attributed_is_not_where_there_is_no_room() -> None:
    rates = MemberRates(Room(1))
    for seq in (1, 2):
        rates.take(replace(listed(seq, s4=10 * seq, s5=90 * seq), unattributed=(0, 0)))
    assert interval(rates).unattributed == 90


def test_who_gets_room_later_begins_with_a_baseline_and_draws_no_spike() -> None:
    rates = MemberRates(Room(2))
    for seq in (1, 2):
        rates.take(listed(seq, s4=seq, s5=seq, s6=1_000 * seq))
    rates.take(listed(3, s5=3, s6=3_000))
    assert told(rates) == {"s5": 1.0}, "a place is free when its source is gone (R8)"
    rates.take(listed(4, s5=4, s6=4_000))
    assert told(rates) == {"s5": 1.0, "s6": None}
    assert [one.address for one in interval(rates).adopted] == ["10.0.1.6"]
    assert (rates.beyond_count, rates.has_untold, agrees(rates)) == (0, False, True)
    rates.take(listed(5, s5=5, s6=5_000))
    assert (told(rates), rates.totals[flow(rates, "10.0.1.6").index], interval(rates).unattributed) == ({"s5": 1.0, "s6": 1_000.0}, 1_000, 0)
    rates.take(listed(6, s6=6_000))
    rates.take(listed(7, s6=7_000, s8=8))
    assert told(rates) == {"s6": 1_000.0, "s8": 8.0}, "all were told: this one is new (R7)"


def test_holes_and_boots_go_on_beyond_the_room() -> None:
    rates = MemberRates(Room(1))
    docs = [listed(1, s4=1, s5=1), listed(2, s4=2, s5=2), replace(listed(3, s5=30), mono_ms=30_000), replace(listed(4, s5=31), mono_ms=31_000)]
    outcomes = [rates.take(one) for one in docs]
    assert outcomes == [Outcome.BASELINE, Outcome.RATE, Outcome.HOLE, Outcome.RATE]
    assert told(rates) == {"s5": None}
    assert rates.take(replace(listed(1, s5=5, s6=6), boot="c")) is Outcome.BASELINE
    assert (told(rates), rates.beyond_count) == ({"s5": None}, 1)


def test_made_up_sources_take_no_more_than_the_room() -> None:
    rates = MemberRates(Room(50))
    for seq in range(1, 101):
        packets: dict[str, Any] = {f"s{(70 * seq + number) % 251}": seq for number in range(70)}
        rates.take(listed(seq, **packets))
        assert len(rates.flows) == len(rates.flow_bits) == len(rates.flow_packets) <= 50
        assert len(rates.by_key) + rates.free_count == len(rates.flows)
        assert agrees(rates)


def test_rooms_are_given_back_and_each_has_a_least() -> None:
    whole = Room(4)
    one, other = MemberRates(Room(3, least=1, whole=whole)), MemberRates(Room(3, least=2, whole=whole))
    one.take(listed(1, s4=0, s5=0, s6=0, s7=0))
    other.take(listed(1, s4=0, s5=0, s6=0))
    assert (len(one.by_key), len(other.by_key), whole.taken) == (3, 2, 5), "the least is there whatever others have taken"
    one.take(listed(2, s5=1, s6=1))
    assert (one.free_count, whole.taken) == (1, 5)
    assert (one.pack(), whole.taken, one.free_count) == ([1, 2], 4, 0)
    one.take(listed(3, s5=3, s6=1))
    assert (told(one), agrees(one)) == ({"s5": 2.0, "s6": 0.0}, True)
    one.leave()
    other.forget_sources()
    assert (other.pack(), whole.taken) == ([], 0)
    other.take(listed(2, s4=7_000))
    assert (told(other), other.has_untold) == ({"s4": None}, False), "it was forgotten: no spike"


def test_a_place_that_another_source_got_is_told() -> None:
    rates, _ = played(listed(1, s4=0, s5=0), listed(2, s5=0), listed(3, s5=0, s6=4))
    assert (rates.reused, flow(rates, "10.0.1.6").index, told(rates)) == ([0], 0, {"s5": 0.0, "s6": 4.0})
    rates.take(listed(4, s5=0, s6=4))
    assert rates.reused == []


def test_directions_take_no_more_than_sources_do() -> None:
    def rows(*numbers: int, packets: int) -> list[tuple[str, int, str, int, int]]:
        return [(f"10.0.1.{number}", 27, "aa", packets, 0) for number in numbers]

    rates = MemberRates(Room(1))
    rates.take(listed(1, directions=rows(4, 5, packets=9), s4=9, s5=9))
    rates.take(listed(2, directions=rows(4, 5, packets=11), s4=11, s5=11))
    assert rates.direction_totals == {("10.0.1.4", "aa"): 2}
    rates.take(listed(3, s5=20))
    rates.take(listed(4, s5=21))
    rates.take(listed(5, directions=rows(5, packets=500), s5=22))
    assert rates.direction_totals == {("10.0.1.5", "aa"): 0}, "a baseline"
    rates.take(listed(6, directions=[("10.0.1.5", 27, f"a{number}", 1, 0) for number in range(9)], s5=23))
    assert rates.direction_totals == {}, "nothing is said of directions where somebody makes them up"


def test_a_source_without_numbers_per_source_has_none() -> None:
    rates, _ = played(Doc(1, 0, None, host={"rx_bytes": 5}), Doc(2, 1_000, None, host={"rx_bytes": 105, "new": 7}))
    assert not rates.has_sources
    assert (interval(rates).packets, interval(rates).host) == (None, {"rx_bytes": 100})


def test_a_monotonic_clock_that_runs_backwards_begins_anew() -> None:
    rates, outcomes = played(doc(1, 50_000, a=10), doc(2, 1_000, a=20), doc(3, 2_000, a=25))
    assert outcomes == [Outcome.BASELINE, Outcome.BASELINE, Outcome.RATE]
    assert packets_per_s(rates) == 5.0


# -- whatever comes

STEPS = st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 50), st.integers(0, 50), st.booleans()), min_size=2, max_size=30)


def sent(steps: list[tuple[int, int, int, bool]]) -> list[Doc]:
    """What an honest agent sends: cumulative, partial or full; a partial one lists what changed since the last one sent."""
    docs, mono_ms, a, b = [], 0, 0, 0
    for seq, (later_ms, more_a, more_b, is_full) in enumerate(steps, 1):
        mono_ms, a, b = mono_ms + later_ms, a + more_a, b + more_b
        is_whole = is_full or seq == 1
        listed = [(address, 27, count, 1_036 * count) for address, count, more in ((A, a, more_a), (B, b, more_b)) if more or is_whole]
        docs.append(replace(doc(seq, mono_ms, is_full=is_whole, a=a, b=b), sources=listed))
    return docs


@given(STEPS)
def test_nothing_is_lost_and_nothing_is_made(steps: list[tuple[int, int, int, bool]]) -> None:
    """The sum of rate × time is what the counters grew since the baseline, for every source and in all."""
    docs = sent(steps)
    rates = MemberRates()
    by_source = {A: 0.0, B: 0.0}
    total = told = 0
    for one in docs:
        outcome = rates.take(one)
        if outcome is Outcome.RATE:
            told = one.packets or 0
            total += interval(rates).packets or 0
            for address in by_source:
                by_source[address] += (packets_per_s(rates, address) or 0.0) * interval(rates).dt_ms / 1_000
    baseline = docs[0].packets or 0
    if told:
        assert total == told - baseline
        assert abs(sum(by_source.values()) - total) < 1e-6 * (1 + total)


@given(STEPS, st.randoms(use_true_random=False), st.lists(st.sampled_from(["keep", "lose", "twice", "swap"]), min_size=30, max_size=30))
def test_no_order_loss_or_repetition_makes_a_negative_or_impossible_rate(
    steps: list[tuple[int, int, int, bool]], random: object, fates: list[str]
) -> None:
    docs = sent(steps)
    fastest = max((max(more_a, more_b) for _, more_a, more_b, _ in steps), default=0) * len(steps) * 1_000 / 200
    rates = MemberRates()
    arriving: list[Doc] = []
    for one, fate in zip(docs, fates, strict=False):
        arriving += {"keep": [one], "lose": [], "twice": [one, one], "swap": [one]}[fate]
        if fate == "swap" and len(arriving) > 1:
            arriving[-1], arriving[-2] = arriving[-2], arriving[-1]
    for one in arriving:
        rates.take(one)
        assert agrees(rates)
        for found in rates.by_key.values():
            bits, packets = rates.rates_of(found)
            for value in (packets, bits):
                assert value is None or value >= 0
            assert packets is None or packets <= fastest
            assert rates.totals[found.index] >= 0
        if rates.interval is not None:
            assert rates.interval.packets is None or rates.interval.packets >= 0
    assert rates.reset_count == 0


@given(st.lists(st.tuples(st.sampled_from("pqr"), st.integers(0, 20), st.integers(0, 60_000), st.integers(0, 10**6), st.booleans()), max_size=40))
def test_whatever_a_sender_says_no_rate_is_negative(said: list[tuple[str, int, int, int, bool]]) -> None:
    rates = MemberRates()
    for boot, seq, mono_ms, packets, is_full in said:
        rates.take(doc(seq, mono_ms, boot=boot, is_full=is_full, **({"a": packets} if packets % 3 else {"b": packets, "a": packets})))
        assert agrees(rates)
        assert all(value >= 0 for value in (*rates.flow_bits, *rates.flow_packets) if not math.isnan(value))
        assert len(rates.flows) >= len(rates.by_key)
