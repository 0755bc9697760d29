"""Django and allauth say here who signed in and out, whichever way (form, OpenID Connect, demo); all of it goes into the audit record."""

from typing import Any

from allauth.account.signals import password_changed
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from vtapweb.access.actions import audit_record, sign_in_failed_record
from vtapweb.access.models import User


def way_in(path: str) -> str:
    """Which way a sign-in took, by the page that it came from."""
    if path.startswith("/accounts/oidc/"):
        return "OpenID Connect"
    return "demo" if path == "/accounts/demo/" else "password"


@receiver(user_logged_in, dispatch_uid="access.signed_in")
def audit_signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    audit_record(action="access.signed_in", acting_user=user, target=user.username, detail={"way": way_in(request.path_info)}, request=request)


@receiver(user_login_failed, dispatch_uid="access.sign_in_failed")
def audit_sign_in_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    sign_in_failed_record(request=request, username=str(credentials.get("username", "")))


@receiver(user_logged_out, dispatch_uid="access.signed_out")
def audit_signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        audit_record(action="access.signed_out", acting_user=user, target=user.username, request=request)


@receiver(password_changed, dispatch_uid="access.password_changed")
def audit_password_changed(request: HttpRequest, user: User, **_: Any) -> None:
    audit_record(action="access.password_changed", acting_user=user, target=user.username, request=request)
