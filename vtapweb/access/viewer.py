"""The viewer: who is looking, with which role and scope. A person's session and an API token end in the same value, so nobody above asks which."""

from dataclasses import dataclass

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from vtapweb.access.models import ApiToken, User
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class Viewer:
    """`name` is for the audit record and the screen. Exactly one of `user` and `token` is set."""

    name: str
    role: Role
    scope: Scope
    user: User | None = None
    token: ApiToken | None = None

    def may(self, role: Role) -> bool:
        """Whether this viewer's role includes `role`."""
        return self.role.includes(role)


class ViewerRequest(HttpRequest):
    """For annotations: the request as every view behind the sign-in, and every API operation, gets it."""

    viewer: Viewer
    htmx: HtmxDetails
