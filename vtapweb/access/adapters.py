"""What allauth asks us: who may sign up (nobody; OpenID Connect makes its people itself) and what such a person starts with."""

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.http import HttpRequest

from vtapweb.access.actions import audit_record
from vtapweb.access.models import User

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's signature
        return False


class SocialAdapter(DefaultSocialAccountAdapter):
    """The first OpenID Connect sign-in makes a viewer without subscriptions, never joined to a person by e-mail: an address proves nothing."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:  # noqa: ARG002 - allauth's signature
        return True

    def can_authenticate_by_email(self, login: Any, email: str) -> bool:  # noqa: ARG002 - allauth's signature
        return False

    def on_authentication_error(self, *args: Any, error: Any = None, exception: Any = None, **kwargs: Any) -> None:  # noqa: ARG002 - allauth's
        """The visitor is told that it failed, the log why."""
        logger.warning("OpenID Connect sign-in failed: %s %s", error, exception)

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        user: User = super().save_user(request, sociallogin, form)
        provider = sociallogin.account.provider
        audit_record(
            action="access.user_created",
            actor="OpenID Connect",
            target=user.username,
            detail={"provider": provider, "role": user.role},
            request=request,
        )
        return user
