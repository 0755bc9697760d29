"""Pages of the access room: sign-in and out, password, tokens, the audit record. allauth does the work of signing in, with our templates."""

from typing import Any

from allauth.account.views import LoginView, LogoutView, PasswordChangeView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vtapweb.access.actions import demo_user_get, token_create, token_revoke
from vtapweb.access.demo import is_demo_offered
from vtapweb.access.exports import audit_export
from vtapweb.access.forms import AuditFilterForm, TokenForm
from vtapweb.access.guards import require_role
from vtapweb.access.models import ApiToken, Role, User
from vtapweb.access.selectors import AuditFilter, audit_entries, tokens_all
from vtapweb.access.viewer import ViewerRequest
from vtapweb.web.paging import number_of
from vtapweb.web.problem import ProblemError

AUDIT_PAGE_ROWS = 100


class SignIn(LoginView):
    template_name = "access/login.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        app = settings.OIDC_APP
        if app:
            context["oidc"] = {"name": app["name"], "url": reverse("openid_connect_login", args=[app["provider_id"]])}
        if is_demo_offered(self.request):
            context["demo_roles"] = Role.values
        return context


class SignOut(LogoutView):
    template_name = "access/logout.html"


class ChangePassword(PasswordChangeView):
    template_name = "access/password_change.html"
    success_url = reverse_lazy("account_change_password")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if isinstance(request.user, User) and not request.user.has_usable_password():
            raise ProblemError(403, "No password here", "You sign in without one; where you sign in is where it is changed.")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


sign_in = SignIn.as_view()
sign_out = SignOut.as_view()
change_password = ChangePassword.as_view()


def inactive(request: HttpRequest) -> HttpResponse:
    """Where a person with the right password but a switched-off account ends."""
    return render(request, "access/inactive.html", status=403)


def not_signed_in(request: HttpRequest) -> HttpResponse:
    """Where OpenID Connect leads that was cancelled or would need a form that we do not have."""
    messages.warning(request, "You were not signed in: the other side cancelled, or sent no name for you.")
    return redirect("account_login")


@csrf_exempt  # not at all: only the answer to a stranger is 404 before the check, not 403
def demo_sign_in(request: HttpRequest) -> HttpResponse:
    """Signs in the demo person of the posted role. 404 for everybody to whom this is not offered."""
    if not is_demo_offered(request):
        raise Http404
    return checked_demo_sign_in(request)


@require_POST
@csrf_protect
def checked_demo_sign_in(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.get("role", "")
    user = demo_user_get(role=Role(wanted)) if wanted in Role.values else None
    if user is None:
        raise Http404
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    target = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(target if is_safe else settings.LOGIN_REDIRECT_URL)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.ADMIN)
def tokens(request: ViewerRequest) -> HttpResponse:
    """The tokens, and a form for a new one; its secret is in the answer to the form and nowhere else."""
    form = TokenForm(request.POST or None)
    secret = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            _, secret = token_create(
                name=data["name"], role=data["role"], subscription_ids=data["subscriptions"], acting_user=request.viewer.user, request=request
            )
            form = TokenForm()
        except ValidationError as error:
            form.add_error("subscriptions", error)
    return render(request, "access/tokens.html", {"form": form, "secret": secret, "tokens": tokens_all()}, status=400 if form.errors else 200)


@require_POST
@require_role(Role.ADMIN)
def token_end(request: ViewerRequest, pk: int) -> HttpResponse:
    user = request.viewer.user
    token = get_object_or_404(ApiToken, pk=pk)
    if user is None:
        raise Http404
    token_revoke(token=token, acting_user=user, request=request)
    messages.success(request, f"{token} is revoked. Whoever still uses it gets 401 from now on.")
    return redirect("access_tokens")


def audit_filter(form: AuditFilterForm) -> AuditFilter:
    """Raises ProblemError 400 for a date that is none."""
    if not form.is_valid():
        raise ProblemError(400, "This filter can't be read", "A date looks like 2026-11-22.")
    return AuditFilter(**form.cleaned_data)


@require_GET
@require_role(Role.ADMIN)
def audit(request: ViewerRequest) -> HttpResponse:
    """The audit record, filtered, a page at a time: `before` is the oldest entry of the page before."""
    form = AuditFilterForm(request.GET)
    entries = audit_entries(scope=request.viewer.scope, wanted=audit_filter(form))
    before = number_of(request.GET.get("before", ""))
    if before is not None:
        entries = entries.filter(pk__lt=before)
    rows = list(entries[: AUDIT_PAGE_ROWS + 1])
    query = request.GET.copy()
    query.pop("before", None)
    older = query.copy()
    if len(rows) > AUDIT_PAGE_ROWS:
        older["before"] = str(rows[AUDIT_PAGE_ROWS - 1].pk)
    context = {
        "form": form,
        "entries": rows[:AUDIT_PAGE_ROWS],
        "older": older.urlencode() if len(rows) > AUDIT_PAGE_ROWS else "",
        "export": query.urlencode(),
    }
    return render(request, "access/audit.html", context)


@require_GET
@require_role(Role.ADMIN)
def audit_csv(request: ViewerRequest) -> StreamingHttpResponse:
    """The filtered entries as CSV, streamed; that they were taken out is an entry too."""
    return audit_export(request, audit_filter(AuditFilterForm(request.GET)), "csv")


@require_GET
@require_role(Role.ADMIN)
def audit_json(request: ViewerRequest) -> StreamingHttpResponse:
    """The same as JSON."""
    return audit_export(request, audit_filter(AuditFilterForm(request.GET)), "json")
