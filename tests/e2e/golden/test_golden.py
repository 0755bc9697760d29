"""Every view of the wall still looks as it did when somebody looked at it. Changed on purpose? `bin/pictures --wall`, look, commit."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.golden.album import MOST_MEAN, MOST_OTHER, PICTURES, SAMPLE, VIEWS, WORDS, Shot, difference, kept_words, other_words, shots
from tests.e2e.golden.camera import SCREENS, take
from tests.e2e.golden.scenes import scene
from tests.e2e.test_map import new_page

__all__ = ["new_page"]  # a fixture
ALL = list(shots())
MOST_OCTETS = 3_000_000


@pytest.fixture(scope="session")
def is_same_chromium(browser: Browser, request: pytest.FixtureRequest) -> bool:
    """Whether pixels can be compared; says so once where they cannot."""
    ours, golden = int(browser.version.partition(".")[0]), int(kept_words()["chromium"])
    if ours != golden:
        reporter = request.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"\ngolden pictures: made with Chromium {golden}, here is {ours}: only words and their places are compared.")
    return ours == golden


def judge(new_page: Callable[..., Page], shot: Shot, is_same_chromium: bool, directory: Path) -> None:
    made = scene(shot.view, shot.size, shot.condition, theme=shot.theme)
    png, words = take(new_page, made, shot.screen)
    taken = directory / f"{shot.name}.png"
    taken.write_bytes(png)
    assert other_words(words, kept_words()["words"][shot.name]) == [], f"see {taken} beside {shot.path}"
    if not is_same_chromium:
        return
    mean, other, where = difference(shot, png)
    places = directory / f"{shot.name}-apart.png"
    where.save(places)
    assert mean <= MOST_MEAN, f"{mean:.2f} of 255 apart on the whole; see {taken} beside {shot.path}, and {places}"
    assert other <= MOST_OTHER, f"{other:.2%} of the pixels are others; see {taken} beside {shot.path}, and {places}"


@pytest.mark.parametrize("shot", SAMPLE, ids=lambda shot: shot.name)
def test_it_looks_as_it_did(new_page: Callable[..., Page], shot: Shot, is_same_chromium: bool, tmp_path: Path) -> None:
    judge(new_page, shot, is_same_chromium, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("shot", [one for one in ALL if one not in SAMPLE], ids=lambda shot: shot.name)
def test_all_of_it_looks_as_it_did(new_page: Callable[..., Page], shot: Shot, is_same_chromium: bool, tmp_path: Path) -> None:
    judge(new_page, shot, is_same_chromium, tmp_path)


def test_the_album_holds_what_the_rules_say_and_stays_small() -> None:
    wanted = {f"{shot.name}.png" for shot in ALL}
    assert {path.name for path in PICTURES.glob("*.png")} == wanted
    assert set(kept_words()["words"]) == {shot.name for shot in ALL}
    assert set(SAMPLE) <= set(ALL)
    for trait in ("view", "condition", "screen"):
        assert {getattr(one, trait) for one in SAMPLE} == {getattr(one, trait) for one in ALL}, f"each {trait} is looked at in every run"
    issued = {"healthy", "alarmed", "stale", "empty", "visitors"}
    of = {(view, screen): {one.condition for one in ALL if (one.view, one.screen) == (view, screen)} for view in VIEWS for screen in SCREENS}
    assert [key for key, conditions in of.items() if not issued <= conditions] == [], "every view in every condition on every kind of screen"
    assert sum(path.stat().st_size for path in PICTURES.glob("*.png")) + WORDS.stat().st_size < MOST_OCTETS


def test_a_label_that_is_gone_is_noticed(new_page: Callable[..., Page], is_same_chromium: bool) -> None:
    """The tolerance is no blindfold: without one label of the map, or one row's colour, the picture is another one."""
    shot = SAMPLE[0]
    made = scene(shot.view, shot.size, shot.condition, theme=shot.theme)
    made.picture["alarms"][0]["title"] += "."
    png, words = take(new_page, made, shot.screen)
    assert other_words(words, kept_words()["words"][shot.name])
    made.picture["alarms"][0]["title"] = made.picture["alarms"][0]["title"].removesuffix(".")
    made.picture["alarms"][0]["severity"] = "warning"
    png, _words = take(new_page, made, shot.screen)
    if is_same_chromium:
        assert difference(shot, png)[1] > MOST_OTHER
