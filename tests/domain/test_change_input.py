"""What was typed: every problem at once under its field, times in zones, nothing lost."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.change_input import ACTIONS, MAX_NICS, Draft, Window, Wish, check, instant

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NIC = "/subscriptions/5a/resourceGroups/rg-net/providers/Microsoft.Network/networkInterfaces/web-{}"
TAP = "/subscriptions/5a/resourceGroups/rg-tap/providers/Microsoft.Network/virtualNetworkTaps/tap-uks"
ADDRESS = NIC.format("01") + "/ipConfigurations/ipconfig1"
GOOD: dict[str, dict[str, Any]] = {
    "tap": {"nics": (NIC.format("01"),), "tap": TAP},
    "untap": {"nics": (NIC.format("01"),)},
    "move": {"nics": (NIC.format("01"),), "tap": TAP},
    "create_tap": {"name": "tap-uks", "resource_group": "rg-tap", "destination": ADDRESS},
    "update_tap_tags": {"tap": TAP, "tags": {"owner": "soc"}},
    "delete_tap": {"tap": TAP},
}


def checked(action: str = "tap", **given: Any) -> tuple[Wish, dict[str, list[str]]]:
    wish, problems = check(Draft(action, **{**GOOD.get(action, {}), "reason": "INC-1", **given}), now=NOW, settle_default_s=60)
    return wish, problems.by_field


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_with_what_it_needs_is_fine(action: str) -> None:
    wish, problems = checked(action)
    assert problems == {}
    assert (wish.action, wish.first, wish.wave, wish.settle_s) == (action, 1, 5, 60)


@pytest.mark.parametrize("action", ACTIONS)
def test_everything_that_is_missing_is_told_at_once(action: str) -> None:
    _, problems = check(Draft(action), now=NOW, settle_default_s=60)
    needed = {"reason", *(GOOD[action] if action != "untap" else {"nics"})}
    assert set(problems.by_field) == needed


def test_all_problems_have_their_fields_and_the_wish_keeps_what_was_typed() -> None:
    wish, problems = checked(
        "tap", nics=("web-01", NIC.format("02")), tap=NIC.format("03"), reason=" ", ticket="x" * 201, expires_at="soon",
        window={"opens_at": "2026-11-22T02:00", "closes_at": "2026-11-22T01:00", "zone": "Europe/London", "mode": 1},
        first=0, wave="many", settle_s=-1, keep_apart="k" * 513, destination=ADDRESS,
    )  # fmt: skip
    assert set(problems) == {
        "nics", "tap", "reason", "ticket", "expires_at", "window", "pace.first", "pace.wave", "pace.settle_s", "pace.keep_apart", "destination",
    }  # fmt: skip
    assert wish.nics == (NIC.format("02"),)
    assert len(problems["window"]) == 2


def test_an_action_there_is_not() -> None:
    assert list(checked("mirror")[1]) == ["action"]


def test_a_nic_counts_once_whatever_its_case() -> None:
    wish, _ = checked(nics=(NIC.format("01"), NIC.format("01").upper(), NIC.format("02")))
    assert wish.nics == (NIC.format("01"), NIC.format("02"))
    assert "too many" in checked(nics=tuple(NIC.format(number) for number in range(MAX_NICS + 1)))[1]["nics"][0]


@pytest.mark.parametrize("name", ["a", "tap-uks", "T_1.x_", "9" * 80])
def test_names_that_azure_takes(name: str) -> None:
    assert checked("create_tap", name=name)[1] == {}


@pytest.mark.parametrize("name", ["-tap", "tap-", "tap.", "täp", "a" * 81, "a b", "a/b", "a\n", "<b>"])
def test_names_that_azure_refuses(name: str) -> None:
    expected = {} if name == "a\n" else {"name"}  # blanks around a name are not part of it
    assert set(checked("create_tap", name=name)[1]) == set(expected)


@pytest.mark.parametrize("group", ["rg", "RG_(1).x", "/subscriptions/5b/resourceGroups/rg-tap", "gruppe-ä"])
def test_groups(group: str) -> None:
    assert checked("create_tap", resource_group=group)[1] == {}


@pytest.mark.parametrize("group", ["rg.", "a b", "x" * 91, "/subscriptions/5b", TAP, "/nowhere"])
def test_what_is_no_group(group: str) -> None:
    assert set(checked("create_tap", resource_group=group)[1]) == {"resource_group"}


@pytest.mark.parametrize(
    "tags",
    [
        {"a/b": ""},
        {"": "x"},
        {"a": "x" * 257},
        {"n" * 513: ""},
        {"A": "1", "a": "2"},
        {str(n): "" for n in range(51)},
        {"microsoftx": ""},
        {"a\0": ""},
    ],
)
def test_tags_that_azure_refuses(tags: dict[str, str]) -> None:
    assert set(checked("update_tap_tags", tags=tags)[1]) == {"tags"}


def test_no_tags_at_all_is_an_answer() -> None:
    assert checked("update_tap_tags", tags={})[1] == {}
    assert checked("update_tap_tags", tags=None)[1] == {"tags": ["update_tap_tags needs the tags the TAP shall have; {} takes all away."]}


def test_times_with_and_without_an_offset() -> None:
    assert instant("2026-12-05T22:00:00Z", "Europe/London") == datetime(2026, 12, 5, 22, tzinfo=UTC)
    assert instant("2026-12-05T22:00+01:00", "UTC") == datetime(2026, 12, 5, 21, tzinfo=UTC)
    assert instant("2026-07-04T22:00", "Europe/London") == datetime(2026, 7, 4, 21, tzinfo=UTC)
    assert instant("2026-10-25T01:30", "Europe/London") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # shown twice: the first
    with pytest.raises(ValueError, match="clocks go forward"):
        instant("2026-03-29T01:30", "Europe/London")
    for text in ("", "22:00", "2026-13-01", "0001-01-01T00:00+14:00"):
        with pytest.raises(ValueError, match=r"no time|out of range"):
            instant(text, "UTC")


def test_a_window_is_told_in_its_zone() -> None:
    wish, problems = checked(window={"opens_at": "2027-03-27T22:00", "closes_at": "2027-03-28T03:00", "zone": "Europe/London"})
    assert problems == {}
    # The clocks go forward in that night: five hours on the wall are four.
    assert wish.window == Window(datetime(2027, 3, 27, 22, tzinfo=UTC), datetime(2027, 3, 28, 2, tzinfo=UTC), "Europe/London")


@pytest.mark.parametrize(
    ("window", "word"),
    [
        ({"opens_at": "2026-11-19T01:00Z", "closes_at": "2026-11-19T02:00Z"}, "closed already"),
        ({"opens_at": "2026-11-21T02:00Z", "closes_at": "2026-11-21T02:00Z"}, "before it opens"),
        ({"opens_at": "2026-11-21T02:00Z", "closes_at": "2026-11-21T03:00Z", "zone": "Mars/Olympus"}, "no time zone"),
        ({"opens_at": "2026-11-21T02:00Z"}, "closes_at"),
    ],
)
def test_windows_that_are_none(window: dict[str, str], word: str) -> None:
    assert word in checked(window=window)[1]["window"][0]


def test_now_and_named_windows() -> None:
    assert checked(window="now")[0].window_name == checked(window="")[0].window_name == ""
    assert checked(window=" Saturday night ")[0].window_name == "Saturday night"


def test_an_expiry_lies_ahead_and_after_the_window_opens() -> None:
    assert "past" in checked(expires_at="2026-11-20T12:00Z")[1]["expires_at"][0]
    window = {"opens_at": "2026-11-28T22:00Z", "closes_at": "2026-11-29T02:00Z"}
    assert "before the window" in checked(expires_at="2026-11-27T00:00Z", window=window)[1]["expires_at"][0]
    assert checked(expires_at="2026-12-27T00:00Z", window=window)[0].expires_at == datetime(2026, 12, 27, tzinfo=UTC)
    assert set(checked("untap", expires_at="2026-12-27T00:00Z")[1]) == {"expires_at"}


TEXTS = st.text(max_size=30)


@given(st.tuples(*[TEXTS] * 9), st.dictionaries(TEXTS, TEXTS, max_size=3), st.one_of(st.none(), TEXTS, st.booleans(), st.floats(), st.integers()))
def test_no_text_raises(texts: tuple[str, ...], window: dict[str, str], number: Any) -> None:
    action, nic, tap, name, group, destination, reason, ticket, expires_at = texts
    draft = Draft(action, (nic,), tap, name, group, destination, window, reason, ticket, expires_at, window, number, number, number, nic)
    for one in (draft, *(Draft(known, (nic,), tap, name, group, destination, window, reason, ticket, expires_at, nic) for known in ACTIONS)):
        check(one, now=NOW, settle_default_s=60)
