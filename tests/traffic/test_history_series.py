"""Series over time: holes stay holes, means are of what was measured, steps suit the time that is shown."""

from array import array
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.traffic.history.series import DAY, HOUR, Grid, lay_over, mean, means, resample, step_for

NOW = 1_795_000_000.0


def floats(*values: float) -> "array[float]":
    return array("f", values)


def shown(values: "array[float]") -> list[float | None]:
    return [None if isnan(value) else value for value in values]


def test_a_mean_is_of_what_was_measured() -> None:
    assert mean(floats(1, 2, 3)) == 2
    assert mean(floats(1, nan, 3)) == 2
    assert isnan(mean(floats(nan, nan)))
    assert isnan(mean(floats()))
    assert shown(means(floats(1, 3, nan, nan, 5), 2)) == [2, None, 5]


def test_nothing_known_replaces_nothing() -> None:
    below = floats(1, 2, 3)
    lay_over(below, floats(nan, 9), 1)
    assert shown(below) == [1, 2, 9]
    lay_over(below, floats(7, 8), -1)
    assert shown(below) == [8, 2, 9]
    lay_over(below, floats(5, 6), 2)
    assert shown(below) == [8, 2, 5]


def test_a_coarser_step_keeps_holes() -> None:
    grid = Grid(600, 300, 3)
    assert shown(resample(600, 60, floats(1, 1, 1, 1, 1, nan, nan, nan, nan, nan, 4, nan), grid)) == [1, None, 4]
    assert shown(resample(720, 60, floats(2, 2, 2, 8), grid)) == [2, 8, None]
    assert shown(resample(540, 60, floats(99, 2, 2), grid)) == [2, None, None]
    with pytest.raises(ValueError, match="does not fit"):
        resample(0, 300, floats(1), Grid(0, 60, 5))


@given(st.integers(-500, 500), st.lists(st.floats(0, 1000, width=32), min_size=1, max_size=60), st.sampled_from([1, 5, 10]))
def test_resampling_is_the_mean_of_each_step(start: int, values: list[float], of: int) -> None:
    grid = Grid(-200 * of, of, 400)
    made = resample(start, 1, array("f", values), grid)
    for index, time in enumerate(grid.times()):
        within = [value for at, value in enumerate(values) if time <= start + at < time + of]
        assert isnan(made[index]) if not within else made[index] == pytest.approx(sum(within) / len(within), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("length_s", "ago_s", "finest_s", "step_s"),
    [(900, 900, 1, 1), (900, 900, 60, 60), (DAY, DAY, 1, 60), (HOUR, 2 * HOUR, 1, 60), (HOUR, 3 * DAY, 1, 300), (30 * DAY, 30 * DAY, 1, 3600)],
)
def test_the_step_suits_the_time(length_s: float, ago_s: float, finest_s: int, step_s: int) -> None:
    assert step_for(NOW - ago_s, NOW - ago_s + length_s, now_s=NOW, finest_s=finest_s) == step_s


def test_a_grid_covers_the_time_and_refuses_too_much() -> None:
    assert list(Grid.covering(61, 179.5, 60).times()) == [60, 120]
    for wrong in ((10, 10, 1), (20, 10, 1), (0, 20_000, 1)):
        with pytest.raises(ValueError, match=r"ends before|at most"):
            Grid.covering(*wrong)
