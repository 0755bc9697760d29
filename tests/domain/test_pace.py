"""Waves: everything once, small first, and never two of one group together."""

import math
from collections import Counter
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.pace import Paced, duration_s, plan_waves

groups = st.frozensets(st.sampled_from(["as-dc", "as-web", "pool-1", "pool-2", "tag:pair=7"]), max_size=3)
items = st.lists(groups, max_size=40).map(lambda many: [Paced(f"nic-{number}", one) for number, one in enumerate(many)])
size = st.integers(1, 7)


@given(items, size, size)
def test_everything_goes_once_small_first_and_no_group_meets_itself(found: list[Paced], first: int, wave: int) -> None:
    waves = plan_waves(found, first=first, wave=wave)
    by_key = {one.key: one for one in found}
    assert sorted(key for one in waves for key in one) == sorted(by_key)
    assert all(one for one in waves)
    for number, keys in enumerate(waves):
        assert len(keys) <= (wave if number else first)
        counts = Counter(group for key in keys for group in by_key[key].groups)
        assert max(counts.values(), default=1) == 1
    assert plan_waves(found, first=first, wave=wave) == waves


@given(items, size)
def test_no_item_waits_for_a_later_wave_that_it_could_have_gone_without(found: list[Paced], wave: int) -> None:
    """A wave after the first is full, or nothing that goes later would fit into it."""
    by_key = {one.key: one for one in found}
    waves = plan_waves(found, first=1, wave=wave)
    for number, keys in enumerate(waves[1:], start=1):
        used = frozenset(group for key in keys for group in by_key[key].groups)
        later = [by_key[key] for one in waves[number + 1 :] for key in one]
        assert len(keys) == wave or all(one.groups & used for one in later)


def test_two_domain_controllers_of_one_availability_set_never_go_together() -> None:
    """[dc-01] and [dc-02] in as-dc; [web-01] [web-02] behind one pool; [mq-01] alone."""
    found = [
        Paced("dc-01", frozenset({"as-dc"})),
        Paced("dc-02", frozenset({"as-dc"})),
        Paced("web-01", frozenset({"pool-web"})),
        Paced("web-02", frozenset({"pool-web"})),
        Paced("mq-01"),
    ]
    assert plan_waves(found, first=1, wave=5) == (("dc-01",), ("dc-02", "web-01", "mq-01"), ("web-02",))


def test_a_large_group_decides_the_number_of_waves_wherever_it_stands() -> None:
    free = [Paced(f"free-{number}") for number in range(80)]
    bound = [Paced(f"bound-{number}", frozenset({"as"})) for number in range(20)]
    lower_bound = 1 + math.ceil(99 / 5)
    assert len(plan_waves([*bound, *free], first=1, wave=5)) == lower_bound
    assert len(plan_waves([*free, *bound], first=1, wave=5)) == lower_bound


def test_thousands_are_planned_at_once() -> None:
    found = [Paced(f"nic-{number}", frozenset({f"as-{number // 2}"})) for number in range(5000)]
    started = perf_counter()
    assert len(plan_waves(found, first=1, wave=5)) == 1 + math.ceil(4999 / 5)
    assert perf_counter() - started < 30  # a quadratic way takes minutes


def test_what_makes_no_sense_is_refused() -> None:
    for first, wave in ((0, 5), (1, 0)):
        with pytest.raises(ValueError, match="one item"):
            plan_waves([], first=first, wave=wave)
    with pytest.raises(ValueError, match="twice"):
        plan_waves([Paced("a"), Paced("a")], first=1, wave=1)
    assert plan_waves([], first=1, wave=5) == ()


def test_a_change_takes_its_waves_and_the_pauses_between_them() -> None:
    assert duration_s(0, settle_s=60) == 0
    assert duration_s(1, settle_s=60) == 30
    assert duration_s(3, settle_s=60) == 3 * 30 + 2 * 60
    assert duration_s(3, settle_s=60, steps_in_a_row=2) == 3 * 60 + 2 * 60
    assert duration_s(3, settle_s=2, step_s=1) == 7
