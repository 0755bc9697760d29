"""Foreign names are safe to look at; numbers and spans read well."""

from hypothesis import given
from hypothesis import strategies as st

from vtapweb.web import text


def test_direction_and_control_characters_are_shown_not_obeyed() -> None:
    assert text.visible("web\u202egpj.exe\x00\t\u200b") == "web⟨U+202E⟩gpj.exe⟨U+0000⟩⟨U+0009⟩⟨U+200B⟩"


def test_other_scripts_are_left_alone() -> None:
    for name in ("büro-nic-01", "データ基盤", "مكتب", "Zürich 🏔"):
        assert text.visible(name) == name


@given(st.text())
def test_visible_text_is_stable(name: str) -> None:
    once = text.visible(name)
    assert text.visible(once) == once


def test_spans_and_counts() -> None:
    assert [text.span(s) for s in (3.21, 42, 75, 120, 7260, 90000)] == ["3.2 s", "42 s", "1 min 15 s", "2 min", "2 h 1 min", "1 d 1 h"]
    assert text.count(None) == "unknown"
    assert text.count(12345) == "12,345"
    assert text.plural(1, "NIC") == "1 NIC"
    assert text.plural(2000, "NIC") == "2,000 NICs"
    assert text.plural(2, "child", "children") == "2 children"
