"""Terms are told apart by their text alone; nothing is dropped, nothing raises."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.search_terms import TermKind, address_hex, classify, split, terms


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("web-01", TermKind.NAME, "web-01"),
        ("Web_01.corp", TermKind.NAME, "web_01.corp"),
        ("10.1.2.4", TermKind.ADDRESS, "40a010204"),
        ("(10.1.2.4)", TermKind.ADDRESS, "40a010204"),
        ("::ffff:10.1.2.4", TermKind.ADDRESS, "40a010204"),
        ("fd00::1", TermKind.ADDRESS, "6fd000000000000000000000000000001"),
        ("fe80::1%eth0", TermKind.ADDRESS, "6fe800000000000000000000000000001"),
        ("10.1.2.77/24", TermKind.PREFIX, "40a010200"),
        ("00-0D-3A-1B-2C-3D", TermKind.MAC, "000d3a1b2c3d"),
        ("00:0d:3a:1b:2c:3d", TermKind.MAC, "000d3a1b2c3d"),
        ("000d.3a1b.2c3d", TermKind.MAC, "000d3a1b2c3d"),
        ("000D3A1B2C3D", TermKind.MAC, "000d3a1b2c3d"),
        ("000123456789", TermKind.NAME, "000123456789"),
        ("00-0D-3A-1B-2C", TermKind.NAME, "00-0d-3a-1b-2c"),
        ("00-0D:3A-1B-2C-3D", TermKind.NAME, "00-0d:3a-1b-2c-3d"),
        ("10.1.2.999", TermKind.NAME, "10.1.2.999"),
        ("/Subscriptions/x/resourceGroups/y", TermKind.ARM_ID, arm_key("/subscriptions/X/resourcegroups/Y")),
    ],
)
def test_kinds(text: str, kind: TermKind, value: str) -> None:
    term = classify(text)
    assert (term.kind, term.value, term.text) == (kind, value, text)


def test_a_prefix_is_a_range_of_address_hex() -> None:
    term = classify("10.1.2.0/24")
    assert term.value <= address_hex(ipaddress.ip_address("10.1.2.255")) <= term.last
    assert not term.value <= address_hex(ipaddress.ip_address("10.1.3.0")) <= term.last
    assert not term.value <= address_hex(ipaddress.ip_address("fd00::1")) <= term.last


def test_a_paste_in_any_mixture() -> None:
    assert split("a,b;c\td\r\ne  f,\n\n,g") == ["a", "b", "c", "d", "e", "f", "g"]
    assert [term.text for term in terms("x y x")] == ["x", "y", "x"]


@given(st.text())
def test_foreign_text_never_raises_and_keeps_every_term(pasted: str) -> None:
    assert [term.text for term in terms(pasted)] == split(pasted)
