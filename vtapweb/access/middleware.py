"""Sign-in for everything: a request goes on with a viewer or not at all, but for the few paths listed here."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from vtapweb.access.selectors import viewer_of_user

# Whole paths that answer anybody: operations decide themselves what a stranger learns.
ANONYMOUS_PATHS = frozenset(
    {"/accounts/login/", "/accounts/demo/", "/accounts/inactive/", "/accounts/not-signed-in/", "/healthz", "/readyz", "/metrics", "/wall"}
    | {"/agent/vtap_agent.py", "/agent/install.sh"}  # they hold no secret, and who fetches them is a machine
)
# What answers for itself: the API with 401, ingest with collector tokens, OpenID Connect's way to sign in, the wall with its displays' cookies,
# static files.
ANONYMOUS_PREFIXES = ("/api/", "/accounts/oidc/", "/wall/", settings.STATIC_URL)


def is_anonymous_path(path: str) -> bool:
    return path in ANONYMOUS_PATHS or path.startswith(ANONYMOUS_PREFIXES)


class ViewerMiddleware:
    """Sets `request.viewer` (None on anonymous paths without a session) and sends strangers to the sign-in page, htmx requests included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_anonymous_path(request.path_info):
            return self.get_response(request)
        viewer = viewer_of_user(request.user)
        if viewer is None:
            return self.to_sign_in(request)
        request.viewer = viewer  # type: ignore[attr-defined] # ViewerRequest
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    def to_sign_in(self, request: HttpRequest) -> HttpResponseBase:
        is_htmx = request.headers.get("HX-Request") == "true"
        wanted = request.headers.get("HX-Current-URL", "") if is_htmx else request.get_full_path()
        if request.method not in {"GET", "HEAD"} and not is_htmx:
            wanted = ""
        is_safe = bool(wanted) and url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
        url = reverse(settings.LOGIN_URL) + (f"?{urlencode({'next': wanted})}" if is_safe and wanted != "/" else "")
        if is_htmx:
            return HttpResponse(status=401, headers={"HX-Redirect": url})
        return redirect(url)
