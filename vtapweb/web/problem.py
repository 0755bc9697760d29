"""Errors as answers: RFC 9457 problem+json for the API, a plain page for people. Both say what happened, why, and what to do.

Rule 1: the pages of 400 and 5xx ask for nothing (no request, database, session or style sheet), so that they work when those do not.
Rule 2: nothing of an unexpected exception reaches the client; it goes to the log with its traceback.
"""

import json
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"

# status -> what happened, why, what to do: where nobody said more.
SENTENCES: dict[int, tuple[str, str, str]] = {
    400: ("This request can't be read", "Something in the address or the form is not as it should be.", "Go back and try again."),
    401: ("Not signed in", "This needs a session or an API token.", "Sign in, or send a token as “Authorization: Bearer …”."),
    403: (
        "Not allowed",
        "Your role or the security check of the form does not let this through.",
        "Reload the page and try again, or ask an admin for the role.",
    ),
    404: (
        "Nothing here",
        "The address is wrong, or what it named is gone or outside what you may see.",
        "Start from the map, or search for the name.",
    ),
    405: ("Not this method", "This address answers other methods.", "Look at the API's documentation under /api/v1/docs."),
    429: ("Too many requests", "This came more often than is allowed.", "Wait a minute and try again."),
    500: (
        "That was our fault",
        "vtapweb met an error it did not expect. Nothing more was done.",
        "Try again. If it stays, an operator finds the cause in the log.",
    ),
    503: ("Not ready", "A part that vtapweb needs does not answer.", "Try again in a moment."),
}


class ProblemError(Exception):
    """An error with its answer.

    `type` is a URI of the kind of problem ("about:blank": the status says it all); `extra` are further members, plain JSON.

    In the API it becomes problem+json, in a page the error page with `detail` in it.
    """

    def __init__(
        self, status: int, title: str, detail: str = "", type: str = "about:blank", *, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.type = type
        self.headers = dict(headers or {})
        self.extra = extra


def problem_response(problem: ProblemError) -> HttpResponse:
    """The problem as application/problem+json: type, title, status, detail, and what it brings besides."""
    body = {**problem.extra, "type": problem.type, "title": problem.title, "status": problem.status, "detail": problem.detail}
    return HttpResponse(json.dumps(body), status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)


def problem_page(problem: ProblemError, request: HttpRequest) -> HttpResponse:
    """The problem as a page: templates/web/problem.html, for 400 and 5xx templates/web/plain.html."""
    _, why, remedy = SENTENCES.get(problem.status, SENTENCES[400 if problem.status < 500 else 500])
    context = {"status": problem.status, "title": problem.title, "why": problem.detail or why, "remedy": remedy}
    is_plain = problem.status == 400 or problem.status >= 500
    body = render_to_string("web/plain.html", context) if is_plain else render_to_string("web/problem.html", context, request)
    return HttpResponse(body, status=problem.status, headers=problem.headers)


def problem_of_status(status: int, detail: str = "") -> ProblemError:
    """A problem with the usual sentences of its status."""
    title, why, remedy = SENTENCES.get(status, (HTTPStatus(status).phrase, "", ""))
    return ProblemError(status, title, detail or f"{why} {remedy}".strip())


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PREFIX)


def answer(request: HttpRequest, problem: ProblemError) -> HttpResponse:
    """The problem in the form that this request's path asks for."""
    return problem_response(problem) if is_api(request) else problem_page(problem, request)


def page_of(status: int, request: HttpRequest) -> HttpResponse:
    title, why, _ = SENTENCES[status]
    return problem_response(problem_of_status(status)) if is_api(request) else problem_page(ProblemError(status, title, why), request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    return page_of(400, request)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    return page_of(403, request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    return page_of(404, request)


def server_error(request: HttpRequest) -> HttpResponse:
    return page_of(500, request)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    return page_of(429, request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signature
    return answer(
        request, ProblemError(403, "The form was not sent from here", "The security check of the form failed: it is too old, or cookies are off.")
    )


class ProblemMiddleware:
    """Turns a ProblemError of a view into its answer, and any other refusal under /api/ (405, 400 of a wrong Host) into problem+json."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if (
            response.status_code < 400
            or not is_api(request)
            or response.headers.get("Content-Type", "").startswith(("application/problem+json", "application/json"))
        ):
            return response
        problem = problem_of_status(response.status_code)
        kept = {name: response.headers[name] for name in ("Allow", "Retry-After", "WWW-Authenticate") if name in response.headers}
        problem.headers.update(kept)
        return problem_response(problem)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return answer(request, problem_of(exception)) if isinstance(exception, ProblemError | DataError) else None


def problem_of(exception: Exception) -> ProblemError:
    """The problem that stands for an exception; an unexpected one says nothing of itself."""
    match exception:
        case ProblemError():
            return exception
        case ValidationError():
            errors = [{"at": ".".join(str(part) for part in one["loc"]), "message": one["msg"]} for one in exception.errors]
            return ProblemError(422, "Not understood", "; ".join(f"{one['at']}: {one['message']}" for one in errors), errors=errors)
        case HttpError():
            return problem_of_status(exception.status_code, str(exception))
        case Http404():
            return problem_of_status(404)
        case PermissionDenied():
            return problem_of_status(403, str(exception))
        case DataError():  # a NUL, a number beyond 64 bits: only the request can have brought it
            return ProblemError(400, "This request can't be read", "It holds a character or a number that no database takes.")
        case _:
            return problem_of_status(500)


def register_handlers(api: NinjaAPI) -> None:
    """Every error of `api` is answered as problem+json."""

    def handle(request: HttpRequest, exception: Any) -> HttpResponse:
        problem = problem_of(exception)
        if problem.status >= 500:
            logger.error("unexpected error in %s %s", request.method, request.path, exc_info=exception)
        return problem_response(problem)

    for kind in (ProblemError, ValidationError, HttpError, Http404, PermissionDenied, DataError, Exception):
        api.add_exception_handler(kind, handle)
