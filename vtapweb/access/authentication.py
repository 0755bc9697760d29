"""How a request or a socket shows who sends it: `Authorization: Bearer`, else the session. A token in a query string is never looked at."""

from collections.abc import Callable, Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from vtapweb.access.actions import tokens_touch
from vtapweb.access.guards import role_check
from vtapweb.access.models import User
from vtapweb.access.role import Role
from vtapweb.access.selectors import token_find, tokens_find, viewer_of_token, viewer_of_user
from vtapweb.access.viewer import Viewer
from vtapweb.web.problem import ProblemError

UNAUTHENTICATED_HEADERS = {"WWW-Authenticate": 'Bearer realm="vtapweb"'}


def unauthenticated(detail: str) -> ProblemError:
    return ProblemError(401, "Not signed in", detail, headers=UNAUTHENTICATED_HEADERS)


def viewer_of_authorization(header: str) -> Viewer:
    """The viewer of an `Authorization` header. Raises ProblemError 401 for anything but a live token: a wrong one never falls back to the session."""
    secret = _secret_in(header)
    token = token_find(secret) if secret else None
    if token is None:
        raise unauthenticated("The Authorization header holds no valid token. It may be revoked; an admin sees all tokens on /tokens.")
    tokens_touch(tokens=[token])
    return viewer_of_token(token)


def _secret_in(header: str) -> str:
    """Of an `Authorization` header; "" where it holds no bearer token."""
    scheme, _, secret = header.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


class BearerToken(AuthBase):
    """Ninja authentication by `Authorization: Bearer TOKEN`; sets `request.viewer`."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, role: Role) -> None:
        self.role = role
        super().__init__()

    def __call__(self, request: HttpRequest) -> Viewer | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        viewer = viewer_of_authorization(header)
        role_check(viewer, self.role)
        request.viewer = viewer  # type: ignore[attr-defined] # ViewerRequest
        return viewer


class Session(AuthBase):
    """Ninja authentication by the browser's session, with Django's CSRF check for everything that writes; sets `request.viewer`."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    csrf = True

    def __init__(self, role: Role) -> None:
        self.role = role
        self.openapi_name = settings.SESSION_COOKIE_NAME
        super().__init__()

    def __call__(self, request: HttpRequest) -> Viewer | None:
        viewer = viewer_of_user(request.user)
        if viewer is None:
            raise unauthenticated("Sign in, or send a token as “Authorization: Bearer …”.")
        if check_csrf(request) is not None:
            raise ProblemError(
                403, "CSRF check failed", "A session needs the header X-CSRFToken with the value of the csrftoken cookie; a token needs none."
            )
        role_check(viewer, self.role)
        request.viewer = viewer  # type: ignore[attr-defined] # ViewerRequest
        return viewer


def api_auth(role: Role = Role.VIEWER) -> Sequence[Callable[[HttpRequest], Viewer | None]]:
    """For `auth=` of an API, a router or an operation: a token or a session whose role includes `role`; else 401 or 403 as problem+json."""
    return [BearerToken(role), Session(role)]


bearer_or_session = api_auth(Role.VIEWER)


@database_sync_to_async
def viewers_of_scopes(asgi_scopes: Sequence[Mapping[str, Any]]) -> list[Viewer | None]:
    """Who opens these sockets, by bearer token or session cookie; None for nobody.

    Ask again now and then: sessions end, tokens are revoked, grants change. Costs one query for every 900 tokens, and two or three for each session,
    however many sockets it has. The origin is the consumer's business.
    """
    shown = [_credentials(asgi_scope) for asgi_scope in asgi_scopes]
    secrets = {header: _secret_in(header) for header, _ in shown if header is not None}
    tokens = tokens_find(secret for secret in secrets.values() if secret)
    tokens_touch(tokens=tokens.values())
    of_header = {header: viewer_of_token(tokens[secret]) if secret in tokens else None for header, secret in secrets.items()}
    of_cookie = {cookie: _viewer_of_cookie(cookie) for cookie in {cookie for header, cookie in shown if header is None}}
    return [of_cookie[cookie] if header is None else of_header[header] for header, cookie in shown]


def _credentials(asgi_scope: Mapping[str, Any]) -> tuple[str | None, str]:
    """The Authorization header, None where there is none, and the session's cookie, "" where there is none."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in asgi_scope.get("headers", [])}
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        cookie = None
    return headers.get("authorization"), "" if cookie is None else cookie.value


def _viewer_of_cookie(cookie: str) -> Viewer | None:
    if not cookie:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(cookie)
    user = get_user(request)
    return viewer_of_user(user) if isinstance(user, User) else None
