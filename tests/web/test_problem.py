"""Errors as problem+json and as pages."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from ninja.errors import HttpError, ValidationError

from vtapweb.access.models import Role, User
from vtapweb.web.problem import ProblemError, ProblemMiddleware, problem_of, problem_response, server_error


def test_a_problem_has_the_members_of_rfc_9457_and_its_own() -> None:
    answer = problem_response(ProblemError(409, "In use", "It is tapped.", "/problems/in-use", headers={"Retry-After": "5"}, rules=[{"id": "x"}]))
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"] == "5"
    assert json.loads(answer.content) == {
        "type": "/problems/in-use",
        "title": "In use",
        "status": 409,
        "detail": "It is tapped.",
        "rules": [{"id": "x"}],
    }


@pytest.mark.parametrize(
    ("exception", "status", "detail"),
    [
        (Http404("secret"), 404, "The address is wrong"),
        (PermissionDenied("not yours"), 403, "not yours"),
        (HttpError(418, "short and stout"), 418, "short and stout"),
        (ValidationError([{"loc": ("query", "limit"), "msg": "too big"}]), 422, "query.limit: too big"),
        (RuntimeError("secret"), 500, "vtapweb met an error"),
    ],
)
def test_every_exception_has_its_problem_and_no_secret(exception: Exception, status: int, detail: str) -> None:
    problem = problem_of(exception)
    assert problem.status == status
    assert problem.detail.startswith(detail)
    assert "secret" not in problem.detail


def test_the_page_of_500_needs_no_database() -> None:
    answer = server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert b"That was our fault" in answer.content
    assert server_error(RequestFactory().get("/api/v1/x"))["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
def test_a_missing_page_says_what_to_do(client: Client) -> None:
    client.force_login(User.objects.create_user("ada"))
    answer = client.get("/no/such/page")
    assert answer.status_code == 404
    assert b"Start from the map" in answer.content
    api = client.get("/api/v1/no-such-thing")
    assert (api.status_code, api["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.django_db
def test_a_wrong_host_gets_a_plain_page(client: Client) -> None:
    answer = client.get("/", headers={"Host": "evil.example.com"})
    assert answer.status_code == 400
    assert b"can&#x27;t be read" in answer.content


@pytest.mark.django_db
def test_a_wrong_method_of_the_api_is_a_problem_too(client: Client) -> None:
    client.force_login(User.objects.create_user("ada", role=Role.ADMIN))
    answer = client.delete("/api/v1/audit")
    assert (answer.status_code, answer["Content-Type"], answer["Allow"]) == (405, "application/problem+json", "GET")


def test_an_answer_that_is_no_refusal_passes_untouched() -> None:
    def fine(request: HttpRequest) -> HttpResponse:
        return HttpResponse("fine")

    assert ProblemMiddleware(fine)(RequestFactory().get("/api/v1/x")).status_code == 200


@pytest.mark.django_db
def test_the_documentation_is_served_from_here(client: Client) -> None:
    answer = client.get("/api/v1/docs")
    assert answer["Location"] == "/accounts/login/?next=/api/v1/docs"
    client.force_login(User.objects.create_user("ada"))
    page = client.get("/api/v1/docs").content
    assert b'src="/static/ninja/swagger-ui-bundle.js"' in page
    described = client.get("/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert {scheme["type"] for scheme in described["components"]["securitySchemes"].values()} == {"http", "apiKey"}
