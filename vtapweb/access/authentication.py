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

from vtapweb.access.actions import token_touch
from vtapweb.access.guards import role_check
from vtapweb.access.models import User
from vtapweb.access.role import Role
from vtapweb.access.selectors import token_find, viewer_of_token, viewer_of_user
from vtapweb.access.viewer import Viewer
from vtapweb.web.problem import ProblemError

UNAUTHENTICATED_HEADERS = {"WWW-Authenticate": 'Bearer realm="vtapweb"'}


def unauthenticated(detail: str) -> ProblemError:
    return ProblemError(401, "Not signed in", detail, headers=UNAUTHENTICATED_HEADERS)


def viewer_of_authorization(header: str) -> Viewer:
    """The viewer of an `Authorization` header. Raises ProblemError 401 for anything but a live token: a wrong one never falls back to the session."""
    scheme, _, secret = header.partition(" ")
    token = token_find(secret.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise unauthenticated("The Authorization header holds no valid token. It may be revoked; an admin sees all tokens on /tokens.")
    token_touch(token=token)
    return viewer_of_token(token)


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
def viewer_of_scope(asgi_scope: Mapping[str, Any]) -> Viewer | None:
    """Who opens this socket, by bearer token or session cookie; None for nobody.

    Ask again now and then: sessions end, tokens are revoked, grants change. Costs one query for a token, else two or three.
    The origin is the consumer's business.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in asgi_scope.get("headers", [])}
    if "authorization" in headers:
        try:
            return viewer_of_authorization(headers["authorization"])
        except ProblemError:
            return None
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    if cookie is None:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(cookie.value)
    user = get_user(request)
    return viewer_of_user(user) if isinstance(user, User) else None
