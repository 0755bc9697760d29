"""What machines ask: `/healthz` (alive), `/readyz` (can work), `/metrics` (Prometheus).

Answered before any other middleware, so that a probe needs no allowed Host, session or login. Why something is not ready, and every
figure, is told only to loopback or to a bearer token: strangers get the bare status.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Gauge, generate_latest

from vtapweb.access.authentication import viewer_of_authorization
from vtapweb.access.demo import is_forwarded, is_peer_loopback
from vtapweb.domain.scope import Scope
from vtapweb.events.models import OutboxEvent
from vtapweb.inventory.models import SyncRun
from vtapweb.inventory.selectors import MODELS, resources
from vtapweb.taps.models import Change, ChangeStep
from vtapweb.traffic.keys import METER, METER_KEPT_S
from vtapweb.traffic.metrics import traffic_gauges
from vtapweb.traffic.models import HealthLease
from vtapweb.web.problem import ProblemError

QUEUES = ("work", "clock", "writes")
HEARTBEAT_TTL_S = 20
SYNC_AGE_FLOOR_S = 900.0
WATCH_SILENT_S = 30.0


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
        client.delete(*(f"vtapweb:served:{queue}" for queue in QUEUES), METER)


def redis_lacks() -> list[Lack]:
    """Why Redis, the workers or the meter behind it cannot work; empty when they can."""
    try:
        with redis_client() as client:
            unserved = [queue for queue in QUEUES if not client.exists(f"vtapweb:served:{queue}")]
            is_measuring = bool(client.exists(METER))
    except redis.RedisError as error:
        return [Lack("redis", f"Redis does not answer: {type(error).__name__}. Check REDIS_URL and the server.")]
    lacking = []
    if unserved:
        text = f"No Celery worker serves the queue {' and '.join(unserved)} (silent for {HEARTBEAT_TTL_S} s). Start one, or look into its log."
        lacking.append(Lack("worker", text))
    if not is_measuring:
        text = f"No meter works (silent for {METER_KEPT_S} s), so there are no live rates. Run: bin/manage meter"
        lacking.append(Lack("meter", text))
    return lacking


def sync_age_s(*, now: datetime) -> float | None:
    """Seconds since a sync last ended that read something (complete or partial); None when none ever did. Raises DatabaseError."""
    newest = SyncRun.objects.filter(state__in=("complete", "partial")).aggregate(newest=Max("finished_at"))["newest"]
    return (now - newest).total_seconds() if newest is not None else None


def sync_lack(*, now: datetime) -> Lack | None:
    """None while what we know of Azure is recent: three intervals of the schedule, and never less than a quarter of an hour."""
    age_s = sync_age_s(now=now)
    if age_s is None:
        return Lack("sync", "No sync has read anything yet. Run: bin/manage sync")
    if age_s > max(3 * settings.SYNC_INTERVAL_S, SYNC_AGE_FLOOR_S):
        return Lack("sync", f"The last sync that read something ended {age_s / 60:.0f} min ago. The page Syncs tells why newer ones did not.")
    return None


def watch_lack(*, now: datetime) -> Lack | None:
    """None while some process holds the lease of the watch; one that cannot see, as Redis is away, holds it too. Raises DatabaseError."""
    until = HealthLease.objects.filter(pk=1).values_list("until", flat=True).first()
    silent_s = None if until is None else (now - (until - HealthLease.HELD_FOR)).total_seconds()
    if silent_s is not None and silent_s <= WATCH_SILENT_S:
        return None
    how_long = "none holds its lease" if silent_s is None else f"silent for {silent_s:.0f} s"
    return Lack("watch", f"No watch works ({how_long}), so no alarm is raised or cleared. Run: bin/manage watch")


def lacks() -> list[Lack]:
    """Everything that keeps this installation from working; empty when it is ready."""
    database = database_lack()
    if database is not None:
        return [database, *redis_lacks()]
    now = timezone.now()
    return [*redis_lacks(), *(lack for lack in (watch_lack(now=now), sync_lack(now=now)) if lack)]


def may_know_reasons(request: HttpRequest) -> bool:
    """Whether the caller may read reasons and figures, which tell about every subscription: loopback, or a live token for all of them."""
    if is_peer_loopback(request) and not is_forwarded(request):
        return True
    try:
        return viewer_of_authorization(request.headers.get("Authorization", "")).scope.is_everything
    except (ProblemError, DatabaseError):
        return False


def metrics(*, now: datetime) -> bytes:
    """The figures in Prometheus' text format: this process's own, and those of the installation.

    The latter come from the database and Redis, not from a worker's memory, so any web process gives the same answer.
    """
    registry = CollectorRegistry()
    missing = {lack.part for lack in lacks()}
    up = Gauge("vtapweb_part_up", "1 when the part works", ["part"], registry=registry)
    for part in ("database", "redis", "worker", "meter", "watch", "sync"):
        is_unknown = (part in {"worker", "meter"} and "redis" in missing) or (part in {"watch", "sync"} and "database" in missing)
        up.labels(part).set(float("nan") if is_unknown else part not in missing)
    if "database" not in missing:
        age_s = sync_age_s(now=now)
        age = Gauge("vtapweb_sync_age_seconds", "Since a sync last read something; NaN: never", registry=registry)
        age.set(float("nan") if age_s is None else age_s)
        runs = Gauge("vtapweb_sync_runs", "Sync runs by state", ["state"], registry=registry)
        for state, count in SyncRun.objects.values_list("state").annotate(count=Count("pk")).order_by("state"):
            runs.labels(state).set(count)
        changes = Gauge("vtapweb_changes", "Changes to Azure by state", ["state"], registry=registry)
        for state, count in Change.objects.values_list("state").annotate(count=Count("pk")).order_by("state"):
            changes.labels(state).set(count)
        late = Gauge("vtapweb_change_late_seconds", "Since a running change should have been looked at; 0: none waits", registry=registry)
        due = Change.objects.filter(state__in=("applying", "paused")).aggregate(oldest=Min("next_due_at"))["oldest"]
        late.set(max((now - due).total_seconds(), 0.0) if due is not None else 0.0)
        steps = Counter("vtapweb_change_steps", "Steps of changes that have ended", ["action", "state"], registry=registry)
        ended = ChangeStep.objects.filter(state__in=("verified", "failed", "skipped")).values_list("action", "state")
        for action, state, count in ended.annotate(count=Count("pk")).order_by("action", "state"):
            steps.labels(action, state).inc(count)
        present = Gauge("vtapweb_resources", "Resources that Azure holds, as of the last syncs", ["kind"], registry=registry)
        for kind in MODELS:
            present.labels(kind).set(resources(Scope.everything(), kind).count())
        sequence = Gauge("vtapweb_event_sequence", "The number of the newest event", registry=registry)
        sequence.set(OutboxEvent.objects.aggregate(newest=Max("seq"))["newest"] or 0)
        traffic_gauges(registry, now=now)
    return generate_latest(REGISTRY) + generate_latest(registry)


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
    return HttpResponse(metrics(now=timezone.now()), content_type=CONTENT_TYPE_LATEST)


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
