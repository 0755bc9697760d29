"""The one HTTP API, /api/v1/: each room brings a router; sign-in, roles and errors are the same for all of them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from ninja import NinjaAPI

from vtapweb.access.api import router as access_router
from vtapweb.access.authentication import bearer_or_session
from vtapweb.inventory.api import router as inventory_router
from vtapweb.taps.api import router as taps_router
from vtapweb.topology.api import router as topology_router
from vtapweb.traffic.api import router as traffic_router
from vtapweb.web.problem import ProblemError, problem_response, register_handlers


def for_viewers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The API's description is for those who may use the API: the page leads to the sign-in, the JSON answers 401."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            any(auth(request) for auth in bearer_or_session)  # the last one raises
        except ProblemError as problem:
            is_page = request.path_info.endswith("/docs") and problem.status == 401 and "Authorization" not in request.headers
            return redirect(f"/accounts/login/?next={request.path}") if is_page else problem_response(problem)
        return view(request, *args, **kwargs)

    return guarded


api = NinjaAPI(
    title="vtapweb",
    version="1",
    description="An Azure estate's inventory, graph and mirrors. A token goes into the header “Authorization: Bearer …”, never into the address.",
    urls_namespace="api",
    auth=bearer_or_session,
    docs_decorator=for_viewers,
)
register_handlers(api)
api.add_router("", access_router)
api.add_router("", topology_router)
api.add_router("", taps_router)
api.add_router("", traffic_router)
api.add_router("", inventory_router)
