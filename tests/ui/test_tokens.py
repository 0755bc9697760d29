"""The colours: two themes, one of them twice, and text that can be read."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "static" / "css" / "tokens.css").read_text(encoding="utf-8")
DARK, LIGHT, SYSTEM = ":root {", '[data-theme="light"] {', '[data-theme="system"] {'
GROUNDS = ("bg", "panel", "panel2", "vnet", "sub")


def table(selector: str) -> dict[str, str]:
    start = CSS.index(selector)
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", CSS[start : CSS.index("}", start)]))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_text_has_a_contrast_of_at_least_4_5(theme: str) -> None:
    colours = table(theme)
    pairs = [(ink, ground) for ink in ("ink", "ink2", "ink3", "acc", "warn", "bad", "stale", "hub") for ground in GROUNDS]
    pairs += [("acc", "tint-acc"), ("warn", "tint-warn"), ("bad", "tint-bad"), ("accink", "acc"), ("ink", "chip"), ("ink2", "chip")]
    pairs += [(ink, f"tint-{tint}") for ink in ("ink", "ink2") for tint in ("acc", "warn", "bad", "stale")]
    weak = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < 4.5}
    assert weak == {}


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_what_is_drawn_is_told_from_what_it_is_drawn_on(theme: str) -> None:
    """Lines and marks without words: 3, as WCAG asks of graphics; dots on their strand move, and have a dark rim or a light one, so less will do."""
    colours = table(theme)
    pairs = [(line, ground) for line in ("flow", "warn", "bad", "stale", "ink3", "hub") for ground in ("pipe", "vnet", "sub", "chip")]
    weak = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < 3}
    assert weak == {}
    assert contrast(colours["dot"], colours["flow"]) >= 1.5
    assert contrast(colours["dot"], colours["flow2"]) >= 1.5
    assert contrast(colours["flow"], colours["flow2"]) >= 2, "a strand that carries and one that does not"


def test_system_light_is_light() -> None:
    assert table(SYSTEM) == table(LIGHT)


def test_only_tokens_hold_colours() -> None:
    for sheet in (Path(__file__).parents[2] / "static" / "css").glob("*.css"):
        if sheet.name != "tokens.css":
            assert re.findall(r"#[0-9a-fA-F]{3,8}\b", sheet.read_text(encoding="utf-8")) == [], sheet.name
