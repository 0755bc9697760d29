"""The door of `/ws/live` on the real stack: who is let in, who is told to sign in, and who is put out again."""

import json
import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.e2e.conftest import Stack, sign_in
from tests.e2e.estate import Client, manage
from tests.e2e.test_map import READY, until

SIGNED_OUT = 4401
LOOKED_AGAIN_S = 40  # the server asks every 20 s whether one is still signed in


def opened(stack: Stack, *, query: str = "", origin: str | None = None, **headers: str) -> ClientConnection:
    address = stack.address.replace("http", "ws", 1) + "ws/live" + query
    return connect(address, origin=None if origin is None else Origin(origin), additional_headers=headers, proxy=None, open_timeout=10)


def first_word(socket: ClientConnection, within_s: float = 10) -> dict[str, object]:
    word: dict[str, object] = json.loads(socket.recv(timeout=within_s))
    return word


def close_code(socket: ClientConnection, within_s: float) -> int | None:
    """The code it is closed with; whatever is said before is passed over."""
    try:
        while True:
            socket.recv(timeout=within_s)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_a_token_opens_it_in_the_header_only(stack: Stack) -> None:
    token = Client(stack, "door", "viewer").token
    with opened(stack, Authorization=f"Bearer {token}") as socket:
        assert first_word(socket)["kind"] == "hello"
    for stranger in (
        opened(stack),
        opened(stack, query=f"?token={token}&access_token={token}&authorization=Bearer%20{token}"),
        opened(stack, Authorization="Bearer vtw_wrong"),
        opened(stack, Authorization=token),
        opened(stack, Cookie="sessionid=made-up"),
    ):
        with stranger:
            assert close_code(stranger, 10) == SIGNED_OUT


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://127.0.0.1.elsewhere.example", "file://"])
def test_a_page_of_another_origin_is_not_let_in(stack: Stack, origin: str) -> None:
    token = Client(stack, "origin", "viewer").token
    with pytest.raises(InvalidStatus) as refused:
        opened(stack, origin=origin, Authorization=f"Bearer {token}")
    assert refused.value.response.status_code == 403


@pytest.mark.long
def test_whoever_signs_out_or_loses_the_token_is_put_out(page: Page, context: BrowserContext, stack: Stack) -> None:
    sign_in(page, "admin", stack.admin_password)
    page.goto("/")
    until(page, READY)
    until(page, "vtap.graph.stats().line === 'open'")
    other = context.new_page()
    other.goto("/tokens")
    token = Client(stack, "to be revoked", "viewer").token
    with opened(stack, Authorization=f"Bearer {token}") as socket:
        assert first_word(socket)["kind"] == "hello"
        other.reload()
        other.locator("tr", has_text="to be revoked").get_by_role("button", name=re.compile("Revoke")).click()
        assert close_code(socket, LOOKED_AGAIN_S) == SIGNED_OUT

    other.goto("/table/nics")
    manage(stack, "shell", "-c", "from django.contrib.sessions.models import Session; Session.objects.all().delete()")
    banner = page.locator("[data-test=banner-signed-out]")
    expect(banner).to_contain_text("You are signed out.", timeout=LOOKED_AGAIN_S * 1000)
    banner.get_by_text("Sign in again").click()
    expect(page).to_have_url(re.compile("/accounts/login/"))
    expect(other.locator("#live-pill")).to_contain_text("Signed out", timeout=LOOKED_AGAIN_S * 1000)
