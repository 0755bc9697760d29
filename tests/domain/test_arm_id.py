"""ARM ids: taken apart, compared and keyed, whatever their case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.arm_id import ArmIdError, arm_key, fold, is_resource_id, parse

NIC = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-App/providers/Microsoft.Network/networkInterfaces/nic-01"

names = st.text(st.characters(blacklist_characters="/", blacklist_categories=("Cs", "Z", "C")), min_size=1, max_size=20)


@st.composite
def resource_ids(draw: st.DrawFn) -> str:
    group = draw(st.one_of(st.just(""), names.map(lambda name: f"/resourceGroups/{name}")))
    pairs = draw(st.lists(st.tuples(names, names), min_size=1, max_size=3))
    return f"/subscriptions/{draw(names)}{group}/providers/{draw(names)}" + "".join(f"/{kind}/{name}" for kind, name in pairs)


def test_parts_keep_their_spelling() -> None:
    child = parse(f"{NIC}/tapConfigurations/tap-A")
    assert (child.subscription_id, child.resource_group, child.provider) == ("11111111-2222-3333-4444-555555555555", "rg-App", "Microsoft.Network")
    assert child.types == ("networkInterfaces", "tapConfigurations")
    assert (child.name, child.parent) == ("tap-A", NIC)
    assert child.resource_type == "microsoft.network/networkinterfaces/tapconfigurations"


@pytest.mark.parametrize(
    ("text", "name", "resource_type"),
    [
        ("/subscriptions/s", "s", ""),
        ("/subscriptions/s/resourceGroups/g", "g", ""),
        ("/SUBSCRIPTIONS/s/RESOURCEGROUPS/g/PROVIDERS/Microsoft.Network/virtualNetworks/v/", "v", "microsoft.network/virtualnetworks"),
        ("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/r", "r", "microsoft.authorization/roledefinitions"),
    ],
)
def test_shorter_ids(text: str, name: str, resource_type: str) -> None:
    found = parse(text)
    assert (found.name, found.resource_type, found.parent) == (name, resource_type, "")


@pytest.mark.parametrize(
    "text", ["", "/", "nic-01", "/subscriptions", "/subscriptions/", "/subscriptions//resourceGroups/g", f"{NIC}/tapConfigurations", "/a/b/c/d"]
)
def test_what_is_no_id_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ArmIdError, match="not an ARM resource id"):
        parse(text)
    assert not is_resource_id(text)


@given(resource_ids(), st.data())
def test_key_is_the_same_for_every_spelling(text: str, data: st.DataObject) -> None:
    flips = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    other = "".join(sign.swapcase() if flip and sign.isascii() else sign for sign, flip in zip(text, flips, strict=True))
    assert arm_key(other) == arm_key(text) == arm_key(f" {text}/ ")
    assert len(arm_key(text)) == 26
    assert fold(other) == fold(text)


@given(resource_ids())
def test_round_trip(text: str) -> None:
    found = parse(text)
    group = f"/resourceGroups/{found.resource_group}" if found.resource_group else ""
    pairs = "".join(f"/{kind}/{name}" for kind, name in zip(found.types, found.names, strict=True))
    assert f"/subscriptions/{found.subscription_id}{group}/providers/{found.provider}{pairs}" == text
    assert not found.parent or parse(found.parent).names == found.names[:-1]


@given(
    st.one_of(
        resource_ids(), st.text(max_size=60), st.lists(st.sampled_from(["subscriptions", "resourceGroups", "providers", "a", " ", ""])).map("/".join)
    )
)
def test_the_quick_look_agrees_with_parse(text: str) -> None:
    try:
        expected = bool(parse(text).types)
    except ArmIdError:
        expected = False
    assert is_resource_id(text) == expected


@given(st.text(max_size=60))
def test_any_text_has_a_key(text: str) -> None:
    assert len(arm_key(text)) == 26
