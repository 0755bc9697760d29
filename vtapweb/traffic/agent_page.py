"""`/collectors/<key>/agent`: the tokens of one collector and how to install the agent there; and the agent itself as a download.

Everybody who may see the collector may see its tokens; operators make, rotate and revoke them.
"""

import hashlib
import shlex
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vtapweb.access.guards import require_role, role_check
from vtapweb.access.models import User
from vtapweb.access.role import Role
from vtapweb.access.viewer import ViewerRequest
from vtapweb.domain.arm_id import name_in
from vtapweb.traffic.actions.tokens import OVERLAP, token_create, token_revoke, token_rotate
from vtapweb.traffic.models import CollectorToken
from vtapweb.traffic.selectors.collectors import CollectorFacts, collector_of
from vtapweb.traffic.selectors.tokens import tokens_of

AGENT_FOLDER = settings.BASE_DIR / "vtapweb" / "agent"
DOWNLOADS = {"vtap_agent.py": "text/x-python; charset=utf-8", "install.sh": "text/x-shellscript; charset=utf-8"}
LOOPBACK = ("localhost", "127.", "[::1]")
DAYS = [("", "until it is revoked"), ("30", "30 days"), ("90", "90 days"), ("365", "a year")]
OVERLAPS = [("1", "1 hour"), (str(int(OVERLAP / timedelta(hours=1))), "a day"), (str(7 * 24), "a week")]


class TokenForm(forms.Form):
    name = forms.CharField(max_length=150, required=False, help_text="What uses it. Empty: the name of the member or the destination.")
    member = forms.ChoiceField(required=False, help_text="A token for one member also tells which NIC its numbers are from.")
    days = forms.ChoiceField(required=False, choices=DAYS, label="Works for")

    def __init__(self, data: Any, collector: CollectorFacts) -> None:
        super().__init__(data)
        members = self.fields["member"]
        assert isinstance(members, forms.ChoiceField)  # noqa: S101 - for the type checker: it stands above
        members.choices = [("", "any member"), *((one.nic_id, one.name) for one in collector.members)]


class RotateForm(forms.Form):
    overlap = forms.ChoiceField(choices=OVERLAPS)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def agent(request: ViewerRequest, key: str) -> HttpResponse:
    """The tokens, and a form for a new one; its secret is in the answer to the form and nowhere else."""
    collector = _collector(request, key)
    if collector is None:
        return _page(request, key, None, None)
    form = TokenForm(request.POST if request.method == "POST" else None, collector)
    if request.method == "POST":
        role_check(request.viewer, Role.OPERATOR)
        if form.is_valid():
            days = form.cleaned_data["days"]
            try:
                token, secret = token_create(
                    scope=request.viewer.scope,
                    destination_id=collector.destination_id,
                    member_id=form.cleaned_data["member"],
                    name=form.cleaned_data["name"],
                    expires_at=timezone.now() + timedelta(days=int(days)) if days else None,
                    acting_user=request.viewer.user,
                    request=request,
                )
                return _page(request, key, collector, TokenForm(None, collector), made=(token, secret))
            except ValidationError as error:
                form.add_error(None, error)
    return _page(request, key, collector, form)


@never_cache
@require_POST
@require_role(Role.OPERATOR)
def rotate(request: ViewerRequest, key: str, pk: int) -> HttpResponse:
    """A new token in place of an old one, which works on for a while; the new secret is in this answer and nowhere else."""
    form = RotateForm(request.POST)
    token, user = _token(request, key, pk), _user(request)
    if not form.is_valid():
        raise Http404
    try:
        made = token_rotate(
            token=token, scope=request.viewer.scope, overlap=timedelta(hours=int(form.cleaned_data["overlap"])), acting_user=user, request=request
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("traffic_agent", key)
    collector = _collector(request, key)
    return _page(request, key, collector, TokenForm(None, collector) if collector else None, made=made)


@require_POST
@require_role(Role.OPERATOR)
def revoke(request: ViewerRequest, key: str, pk: int) -> HttpResponse:
    token = _token(request, key, pk)
    token_revoke(token=token, scope=request.viewer.scope, acting_user=_user(request), request=request)
    messages.success(request, f"{token} is revoked. Whoever still uses it gets 401 within 5 s.")
    return redirect("traffic_agent", key)


@require_GET
def download(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """The agent or its installer, to anybody: they hold no secret, and a collector has no session."""
    path = AGENT_FOLDER / name
    if name not in DOWNLOADS or not path.is_file():
        raise Http404
    return HttpResponse(path.read_bytes(), content_type=DOWNLOADS[name], headers={"Cache-Control": "no-cache"})


def _page(
    request: ViewerRequest,
    key: str,
    collector: CollectorFacts | None,
    form: TokenForm | None,
    *,
    made: tuple[CollectorToken, str] | None = None,
) -> HttpResponse:
    """`made` is a new token with its secret. Without a collector only its tokens are shown, to be revoked. Raises Http404 where there is neither."""
    now = timezone.now()
    tokens = [(one, one.is_live(now)) for one in tokens_of(request.viewer.scope, key)]
    if collector is None and not tokens:
        raise Http404
    server = request.build_absolute_uri("/").rstrip("/")
    context = {
        "key": key,
        "collector": collector,
        "name": collector.name if collector else name_in(tokens[0][0].destination_id),
        "destination_id": collector.destination_id if collector else tokens[0][0].destination_id,
        "tokens": tokens,
        "form": form,
        "made": made[0] if made else None,
        "secret": made[1] if made else "",
        "server": server,
        "is_loopback": request.get_host().startswith(LOOPBACK),
        "install": install_line(server),
        "sha256": hashlib.sha256((AGENT_FOLDER / "vtap_agent.py").read_bytes()).hexdigest(),
        "overlaps": OVERLAPS,
        "overlap": OVERLAPS[1][0],
        "may_set": request.viewer.may(Role.OPERATOR),
    }
    return render(request, "traffic/agent.html", context, status=400 if form is not None and form.errors else 200)


def install_line(server: str) -> str:
    """The one line for a collector's shell. It asks for the token: on a command line everybody on the machine could read it."""
    return f"curl -fsSO {shlex.quote(f'{server}/agent/install.sh')} && sudo sh install.sh --server {shlex.quote(server)}"


def _collector(request: ViewerRequest, key: str) -> CollectorFacts | None:
    """None where no TAP leads there any more, or nobody may tell this viewer of it."""
    collector = collector_of(request.viewer.scope, key)
    return collector if collector is not None and collector.is_in_scope and collector.kind != "gone" else None


def _token(request: ViewerRequest, key: str, pk: int) -> CollectorToken:
    return get_object_or_404(tokens_of(request.viewer.scope, key), pk=pk)


def _user(request: ViewerRequest) -> User:
    if request.viewer.user is None:
        raise Http404
    return request.viewer.user
