"""What load a mirror will bring, from totals a minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.forecast import ENVELOPE_OCTETS, NicLoad, PeakLoad, forecast, load_text, nic_hours_a_month, nic_load, peak_load, rate_text

MINUTE = 60.0


def load_of(*bits: float | None) -> NicLoad | None:
    known = {MINUTE * index: one for index, one in enumerate(bits) if one is not None}
    return NicLoad(known, True) if known else None


def test_octets_of_both_directions_and_the_envelope_become_bits_a_second() -> None:
    load = nic_load({0.0: 600.0}, {0.0: 300.0}, {0.0: 4.0}, {0.0: 2.0}, bucket_s=60.0)
    assert load is not None
    assert load.bits_per_s == {0.0: (900 + 6 * ENVELOPE_OCTETS) * 8 / 60}
    assert load.is_envelope_known


def test_what_is_not_told_is_not_zero() -> None:
    assert nic_load({}, {}, {}, {}, bucket_s=60.0) is None
    assert nic_load({0.0: None}, {0.0: 5.0}, {}, {}, bucket_s=60.0) is None
    half = nic_load({0.0: 60.0, 60.0: None}, {0.0: 60.0, 60.0: 60.0}, {0.0: 1.0}, {0.0: None}, bucket_s=60.0)
    assert half is not None
    assert half.bits_per_s == {0.0: (120 + ENVELOPE_OCTETS) * 8 / 60}
    assert not half.is_envelope_known


def test_nics_add_up_minute_by_minute() -> None:
    found = forecast([load_of(1, 2, 3, 10), load_of(1, 2, 3, 20), None])
    assert (found.nic_count, found.measured_count, found.bucket_count) == (3, 2, 4)
    assert (found.median_bits_per_s, found.peak_bits_per_s, found.peak_at_unix_s) == (5, 30, 3 * MINUTE)


def test_a_minute_that_one_nic_lacks_does_not_look_like_silence() -> None:
    found = forecast([load_of(5, 5, 5), load_of(5, None, 5)])
    assert (found.bucket_count, found.median_bits_per_s) == (2, 10)
    apart = forecast([load_of(5, None), load_of(None, 7)])
    assert (apart.bucket_count, apart.peak_bits_per_s) == (2, 7)


@pytest.mark.parametrize("loads", [[], [None, None]])
def test_without_figures_nothing_is_told(loads: list[None]) -> None:
    found = forecast(loads)
    assert (found.nic_count, found.measured_count, found.median_bits_per_s, found.peak_bits_per_s) == (len(loads), 0, None, None)


@given(st.lists(st.lists(st.floats(0, 1e12), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_median_is_never_above_the_peak(table: list[list[float]]) -> None:
    found = forecast([load_of(*one) for one in table])
    assert found.median_bits_per_s is not None
    assert found.peak_bits_per_s is not None
    assert found.median_bits_per_s <= found.peak_bits_per_s <= sum(max(one) for one in table) * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize(
    ("bits_per_s", "text"),
    [
        (0, "0 bit/s"),
        (999, "999 bit/s"),
        (1_000, "1.0 kbit/s"),
        (9_960, "10 kbit/s"),
        (1_234_567, "1.2 Mbit/s"),
        (999_600_000, "1.0 Gbit/s"),
        (45e9, "45 Gbit/s"),
        (3e15, "3000 Tbit/s"),
    ],
)
def test_rates_for_people(bits_per_s: float, text: str) -> None:
    assert rate_text(bits_per_s) == text


def test_the_bill_counts_hours() -> None:
    assert nic_hours_a_month(6) == 4_380


def test_the_peak_is_of_collector_and_nics_together() -> None:
    base = {0.0: 10.0, MINUTE: 6.0}
    assert peak_load(base, [load_of(1, 9), None]) == PeakLoad(6.0, 15.0, MINUTE)
    assert peak_load(base, []) == PeakLoad(10.0, 10.0, 0.0)
    assert peak_load({9 * MINUTE: 10.0}, [load_of(1, 9)]) == PeakLoad(10.0, 19.0, None)
    assert peak_load({}, [load_of(1)]) is None
    assert peak_load(base, [None]) is None


@pytest.mark.parametrize(
    ("before", "after", "capacity", "text"),
    [
        (6.2e9, 8.1e9, 10e9, "6.2 → 8.1 of 10 Gb/s"),
        (0.0, 4e7, 10e9, "0 → 0.04 of 10 Gb/s"),
        (None, 8.14e6, None, "8.1 Mb/s"),
        (940.0, 1200.0, None, "0.94 → 1.2 kb/s"),
        (5e3, 4e7, 10e9, "<0.01 → 0.04 of 10 Gb/s"),
        (150e9, 812e9, 1e12, "0.15 → 0.81 of 1 Tb/s"),
    ],
)
def test_loads_stand_in_one_unit(before: float | None, after: float, capacity: float | None, text: str) -> None:
    assert load_text(before, after, capacity) == text
