"""Django says here who signed in and out, whichever way (form, OpenID Connect, demo); all of it goes into the audit record."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from vtapweb.access.actions import audit_record
from vtapweb.access.models import User


@receiver(user_logged_in, dispatch_uid="access.signed_in")
def audit_signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    audit_record(action="access.signed_in", acting_user=user, target=user.username, request=request)


@receiver(user_logged_out, dispatch_uid="access.signed_out")
def audit_signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        audit_record(action="access.signed_out", acting_user=user, target=user.username, request=request)
