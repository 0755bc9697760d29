"""Role checks for views. The API states a route's least role with `authentication.api_auth(Role.OPERATOR)`."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponseBase

from vtapweb.access.role import Role
from vtapweb.access.selectors import viewer_of
from vtapweb.access.viewer import Viewer
from vtapweb.web.problem import ProblemError

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def role_check(viewer: Viewer, role: Role) -> None:
    """Raises ProblemError 403 unless the viewer's role includes `role`."""
    if not viewer.may(role):
        raise ProblemError(
            403, "Not allowed", f"This needs the role {role.value}; {viewer.name} has the role {viewer.role.value}. Ask an admin to change it."
        )


def require_role(role: Role) -> Callable[[View], View]:
    """Decorates a view: whoever has a lesser role gets the 403 page."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            role_check(viewer_of(request), role)
            return view(request, *args, **kwargs)

        return guarded  # type: ignore[return-value] # the same signature, which wraps() cannot say

    return decorate
