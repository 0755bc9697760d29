"""Every address of the product, also those that rooms add later: a stranger gets nothing but the way to the sign-in."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from vtapweb.access.models import Role, User

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

# What answers a stranger, and what he gets.
OPEN = {
    "/accounts/login/": {200},
    "/accounts/demo/": {404},
    "/accounts/inactive/": {403},
    "/accounts/not-signed-in/": {302},
    "/accounts/oidc/x/login/": {404},
    "/accounts/oidc/x/login/callback/": {404},
    "/api/v1/": {404},
    "/wall": {200},  # a screen that waits for its pairing, and its code
    "/wall/pairing": {200},
}
# What answers for itself to who is no display; tests/wall holds what a display gets.
WALL = {401, 404, 405}
SAMPLES = {"int": "1", "str": "x", "slug": "x", "uuid": "00000000-0000-0000-0000-000000000001", "path": "x"}


def filled(route: str) -> str:
    """A path that the route matches: converters and groups replaced by samples."""
    route = re.sub(r"\(\?P<\w+>[^()]*\)", "x", route.removeprefix("^").removesuffix("$").removesuffix(r"\Z"))
    return re.sub(r"<(?:(\w+):)?\w+>", lambda found: SAMPLES.get(found.group(1) or "str", "x"), route).replace("\\", "")


def paths(resolver: URLResolver, start: str = "/") -> Iterator[str]:
    for entry in resolver.url_patterns:
        path = start + filled(str(entry.pattern))
        if isinstance(entry, URLPattern):
            yield path
        else:
            yield from paths(entry, path)


ALL_PATHS = sorted(set(paths(get_resolver())))


def test_the_table_is_read_whole() -> None:
    assert {"/tokens", "/tokens/1/revoke", "/audit", "/api/v1/audit", "/admin/access/user/", *OPEN} <= set(ALL_PATHS)


@pytest.mark.one_database  # a stranger is turned away before anything is asked
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", [path for path in ALL_PATHS if path not in OPEN])
def test_a_stranger_gets_only_the_way_to_the_sign_in(client: Client, path: str, method: str) -> None:
    answer = getattr(client, method)(path)
    if path.startswith("/api/") and not path.endswith("/docs"):
        assert answer.status_code in ({401, 405} if method == "get" else {401, 405, 403})
        assert answer["Content-Type"] == "application/problem+json"
    elif path.startswith("/wall/"):
        assert answer.status_code in WALL
    else:
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_shows_no_data(client: Client, path: str) -> None:
    assert client.get(path).status_code in OPEN[path]


INLINE = re.compile(
    rb"""<script(?![^>]*\b(?:src=|type="(?:application/json|importmap)"))[^>]*>|<style|\sstyle=|\son[a-z]+=["']|javascript:""", re.IGNORECASE
)
FOREIGN = re.compile(rb"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["'](?:https?:)?//""", re.IGNORECASE)


@pytest.mark.parametrize("path", [path for path in ALL_PATHS if not path.startswith("/accounts/oidc/")])
def test_no_page_needs_more_than_the_strict_policy(client: Client, path: str) -> None:
    """Neither inline script or style nor anything from elsewhere; the policy itself allows none of it."""
    client.force_login(User.objects.create_user("root", password="a long password", role=Role.ADMIN, has_all_subscriptions=True))
    answer = client.get(path)
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    if answer["Content-Type"].startswith("text/html") and not answer.streaming:
        assert INLINE.findall(answer.content) == []
        assert FOREIGN.findall(answer.content) == []
        for nonce in re.findall(r'nonce="([^"]*)"', answer.content.decode()):
            assert f"'nonce-{nonce}'" in policy
