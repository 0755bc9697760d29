"""What the ledger learns from a reading, and when a VM counts as prepared."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.ledger import Known, compare, prepared_at, stopped_since

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEYS = st.sampled_from("abcde")
PAIRS = st.sampled_from(["tap-1", "tap-2"])
LIVES = st.dictionaries(KEYS, st.builds(Known, PAIRS, st.booleans()))


def at(hour: int) -> datetime:
    return NOON + timedelta(hours=hour)


@pytest.mark.parametrize(("is_answered_for", "state"), [(True, "vanished"), (False, "ended")])
def test_what_is_gone_is_drift_only_where_somebody_answers_for_it(is_answered_for: bool, state: str) -> None:
    known = {"a": Known("tap-1", is_answered_for)}
    assert compare(seen={}, known=known, busy=set(), gone={"a"}).over == {"a": state}
    assert compare(seen={}, known=known, busy=set(), gone=set()).over == {}, "not seen is not gone"
    assert compare(seen={}, known=known, busy={"a"}, gone={"a"}).over == {}, "our own step is just doing it"


@pytest.mark.parametrize(("is_answered_for", "state"), [(True, "changed"), (False, "ended")])
def test_what_points_elsewhere_is_another_life(is_answered_for: bool, state: str) -> None:
    result = compare(seen={"a": "tap-2"}, known={"a": Known("tap-1", is_answered_for)}, busy=set(), gone=set())
    assert (set(result.begun), dict(result.over)) == ({"a"}, {"a": state})


@given(seen=st.dictionaries(KEYS, PAIRS), known=LIVES, busy=st.sets(KEYS), gone=st.sets(KEYS))
def test_afterwards_the_ledger_agrees_with_azure_and_a_second_look_finds_nothing(
    seen: dict[str, str], known: dict[str, Known], busy: set[str], gone: set[str]
) -> None:
    result = compare(seen=seen, known=known, busy=busy, gone=gone)
    after = {key: life for key, life in known.items() if key not in result.over}
    after |= {key: Known(seen[key], False) for key in result.begun}
    assert not (result.begun | result.over.keys()) & busy
    assert all(after[key].pair == pair for key, pair in seen.items() if key not in busy)
    assert known.keys() - after.keys() <= gone, "nothing ends that Azure did not say is gone"
    again = compare(seen=seen, known=after, busy=busy, gone=gone)
    assert not again.begun
    assert not again.over


@pytest.mark.parametrize(
    ("sightings", "expected"),
    [
        ([], None),
        ([(at(1), "running")], None),
        ([(at(1), "deallocated"), (at(2), "running")], at(2)),
        ([(at(1), "Deallocated"), (at(2), "starting"), (at(3), "running")], at(3)),
        ([(at(2), "running"), (at(1), "deallocated")], at(2)),
        ([(at(-3), "deallocated"), (at(1), "running")], at(1)),  # stopped before the TAP, placed anew after it
        ([(at(-3), "deallocated"), (at(-1), "running")], None),  # all before the TAP
        ([(at(1), "stopped"), (at(2), "running")], None),  # stopped alone keeps its place
        ([(at(1), "deallocated"), (at(2), "")], None),
        ([(at(-3), "deallocated"), (at(-2), "running"), (at(5), "deallocated"), (at(6), "running")], at(6)),
    ],
)
def test_prepared_is_only_what_was_seen(sightings: list[tuple[datetime, str]], expected: datetime | None) -> None:
    assert prepared_at(sightings, tap_since=NOON) == expected


def test_half_of_a_preparation_can_be_told() -> None:
    assert stopped_since([(at(1), "running"), (at(2), "deallocated")]) == at(2)
    assert stopped_since([(at(2), "deallocated"), (at(3), "running")]) is None
    assert stopped_since([]) is None
