"""What permissions lists allow: wildcards, notActions, case; and which scopes hold for a resource."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.permissions import JOIN_TAP, WRITE_CONFIGURATION, PermissionList, allows, is_within, matches, scopes_of

CONTRIBUTOR = PermissionList(("*",), ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"))
READER = PermissionList(("*/read",))
NETWORK_CONTRIBUTOR = PermissionList(("Microsoft.Network/*", "Microsoft.Resources/deployments/*"))


@pytest.mark.parametrize(
    ("lists", "is_allowed"),
    [
        ((), False),
        ((READER,), False),
        ((CONTRIBUTOR,), True),
        ((NETWORK_CONTRIBUTOR,), True),
        ((READER, NETWORK_CONTRIBUTOR), True),
        ((PermissionList(("microsoft.network/NETWORKINTERFACES/tapconfigurations/WRITE",)),), True),
        ((PermissionList(("Microsoft.Network/networkInterfaces/*/write",)),), True),
        ((PermissionList(("Microsoft.Network/networkInterfaces/write",)),), False),
        ((PermissionList(("Microsoft.Network/tapConfigurations/*",)),), False),  # what Azure's table prints
        ((PermissionList(("*",), ("Microsoft.Network/networkInterfaces/*",)),), False),
        ((PermissionList(("*",), ("microsoft.network/*/WRITE",)),), False),
    ],
)
def test_writing_a_tap_configuration(lists: tuple[PermissionList, ...], is_allowed: bool) -> None:
    assert allows(lists, WRITE_CONFIGURATION) is is_allowed


def test_a_not_action_takes_away_from_its_own_role_alone() -> None:
    narrowed = PermissionList(("*",), ("Microsoft.Network/virtualNetworkTaps/*",))
    assert not allows([narrowed], JOIN_TAP)
    assert allows([narrowed, NETWORK_CONTRIBUTOR], JOIN_TAP)


@given(st.text("ab*/", max_size=12), st.text("ab/", max_size=12))
def test_wildcards_mean_what_they_mean_in_a_regular_expression(pattern: str, action: str) -> None:
    import re

    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.DOTALL) is not None
    assert matches(pattern, action) is expected


def test_the_scopes_of_a_child_from_the_narrowest() -> None:
    nic = "/subscriptions/S/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/web-01"
    assert list(scopes_of(f"{nic}/tapConfigurations/tap")) == [
        f"{nic}/tapConfigurations/tap",
        nic,
        "/subscriptions/S/resourceGroups/rg",
        "/subscriptions/S",
    ]
    assert list(scopes_of("/subscriptions/S/")) == ["/subscriptions/S"]
    assert list(scopes_of("web-01")) == []


def test_a_scope_holds_what_lies_in_it_and_not_what_is_called_alike() -> None:
    assert is_within("/subscriptions/s/resourceGroups/rg-app/providers/x/y/z", "/Subscriptions/S/resourcegroups/RG-APP/")
    assert not is_within("/subscriptions/s/resourceGroups/rg-app-2", "/subscriptions/s/resourceGroups/rg-app")
    assert not is_within("/subscriptions/s", "")


@given(st.text(max_size=60))
def test_foreign_text_never_raises(text: str) -> None:
    list(scopes_of(text))
    is_within(text, text)
    assert matches("*", text)
