"""What machines ask: `/healthz` (alive), `/readyz` (can work), `/metrics` (Prometheus).

Answered before any other middleware, so that a probe needs no allowed Host, session or login. Why something is not ready, and every
figure, is told only to loopback or to a bearer token: strangers get the bare status.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

QUEUES = ("work", "clock")
HEARTBEAT_TTL_S = 20
FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")


@dataclass(frozen=True, slots=True)
class Lack:
    """One reason why this installation cannot work now: which part, and a sentence with the fix."""

    part: str
    text: str


def database_lack() -> Lack | None:
    """None when the database answers and holds every table; the reason otherwise."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return Lack("database", f"The database does not answer: {type(error).__name__}. Check DATABASE_URL and the server.")
    if missing:
        return Lack("database", f"The database lacks {len(missing)} migrations. Run: bin/manage migrate")
    return None


def redis_client() -> redis.Redis:
    """A client for questions that must end soon. Its calls raise redis.RedisError after 2 s at most."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def note_queues_are_served(queues: list[str]) -> None:
    """Called by a worker every few seconds. Raises redis.RedisError when Redis does not answer."""
    with redis_client() as client:
        for queue in queues:
            client.set(f"vtapweb:served:{queue}", "1", ex=HEARTBEAT_TTL_S)


def forget_served_queues() -> None:
    """Before workers start: an embedded queue remembers, across a restart, who served it. Raises redis.RedisError."""
    with redis_client() as client:
        client.delete(*(f"vtapweb:served:{queue}" for queue in QUEUES))


def redis_lacks() -> list[Lack]:
    """Why Redis or the workers behind it cannot work; empty when they can."""
    try:
        with redis_client() as client:
            unserved = [queue for queue in QUEUES if not client.exists(f"vtapweb:served:{queue}")]
    except redis.RedisError as error:
        return [Lack("redis", f"Redis does not answer: {type(error).__name__}. Check REDIS_URL and the server.")]
    if not unserved:
        return []
    text = f"No Celery worker serves the queue {' and '.join(unserved)} (silent for {HEARTBEAT_TTL_S} s). Start one, or look into its log."
    return [Lack("worker", text)]


def lacks() -> list[Lack]:
    """Everything that keeps this installation from working; empty when it is ready."""
    database = database_lack()
    return [*([database] if database else []), *redis_lacks()]


def is_loopback(request: HttpRequest) -> bool:
    """Whether the peer itself is this machine: a loopback address and no sign of a proxy in between."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return address.is_loopback and not any(name in request.headers for name in FORWARDING_HEADERS)


def may_know_reasons(request: HttpRequest) -> bool:
    """Whether the caller may read reasons and figures, which tell about every subscription: loopback, or a token for all of them."""
    return is_loopback(request)


def metrics() -> bytes:
    """The figures in Prometheus' text format. They come from the database and Redis, so any web process gives the same answer."""
    registry = CollectorRegistry()
    missing = {lack.part for lack in lacks()}
    up = Gauge("vtapweb_part_up", "1 when the part works", ["part"], registry=registry)
    for part in ("database", "redis", "worker"):
        up.labels(part).set(part not in missing and not (part == "worker" and "redis" in missing))
    return generate_latest(registry)


def healthz(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "alive"})


def readyz(request: HttpRequest) -> HttpResponse:
    found = lacks()
    body: dict[str, object] = {"status": "not ready" if found else "ready"}
    if may_know_reasons(request):
        body["reasons"] = [{"part": lack.part, "text": lack.text} for lack in found]
    return JsonResponse(body, status=503 if found else 200)


def metrics_page(request: HttpRequest) -> HttpResponse:
    if not may_know_reasons(request):
        return JsonResponse(
            {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "Metrics are for loopback or a bearer token."},
            status=401,
            content_type="application/problem+json",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse(metrics(), content_type=CONTENT_TYPE_LATEST)


PAGES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics_page}


class HealthMiddleware:
    """Answers the three addresses itself and passes everything else on. Answers are never cached."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        page = PAGES.get(request.path)
        if page is None:
            return self.get_response(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        response = page(request)
        response.headers["Cache-Control"] = "no-store"
        return response
