"""The Prometheus servers that are asked for collectors' numbers: set by admins, tried before they are kept, asked when they are due.

Rule: no secret is in the database; a source names a credential of the environment. Each deed is an audit entry.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import redis
import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.guards import role_check
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.arm_id import name_in
from vtapweb.domain.plain_text import storable
from vtapweb.traffic.keys import FIELD, PULLED, PULLING, SAMPLES, SAMPLES_MOST
from vtapweb.traffic.models import PrometheusSource
from vtapweb.traffic.outward import RefusedError
from vtapweb.traffic.pulling.notes import PROMETHEUS, Note, field_of, notes_keep, notes_of
from vtapweb.traffic.pulling.prometheus import AnswerError, Question, ask, gate, is_selector
from vtapweb.traffic.samples import Origin, Points, encode
from vtapweb.traffic.selectors.collectors import CollectorFacts
from vtapweb.traffic.showing import now_of
from vtapweb.traffic.store import NoStoreError, store

SOURCES_MOST: Final = 16  # of one collector
INTERVAL_LEAST_S, INTERVAL_MOST_S = 10, 3600
TEXT_MOST: Final = 2_000
RUN_S: Final = 40.0
LEASE_S: Final = 58
FIELDS: Final = ("base_url", "credential", "selector", "octets_query", "packets_query", "interval_s", "member_id")

log = structlog.get_logger(__name__)


def question_of(collector_key: str, *, member_key: str, member_id: str, given: dict[str, Any]) -> Question:
    """What a source asks."""
    return Question(
        collector_key, given["base_url"], int(given["interval_s"]), given["selector"], given["octets_query"], given["packets_query"],
        given["credential"], f"prometheus:{name_in(member_id)}" if member_id else "", member_key,
    )  # fmt: skip


def source_checked(*, collector: CollectorFacts, acting_user: Viewer, given: dict[str, Any]) -> tuple[dict[str, Any], Question]:
    """What would be kept of a form, and the question it makes.

    Raises ProblemError 403, or ValidationErrors by field (their codes) for what cannot be asked.
    """
    role_check(acting_user, Role.ADMIN)
    if not collector.is_in_scope or not collector.is_resolved:
        raise ValidationError("This collector is gone, or outside of what you may see.")
    texts = {name: storable(str(given.get(name) or "")).strip()[:TEXT_MOST] for name in FIELDS if name != "interval_s"}
    interval_s = int(given["interval_s"])
    member = next((one for one in collector.members if one.nic_id == texts["member_id"]), None)
    if texts["member_id"] and member is None:
        raise ValidationError("This NIC is no member of the collector.", code="member_id")
    if not INTERVAL_LEAST_S <= interval_s <= INTERVAL_MOST_S:
        raise ValidationError(f"Every {INTERVAL_LEAST_S} s to {INTERVAL_MOST_S} s.", code="interval_s")
    if not texts["octets_query"] and not is_selector(texts["selector"]):
        raise ValidationError(
            'Name the machine by labels, such as instance="10.1.1.4:9100". Without any, all machines would be summed.', code="selector"
        )
    try:
        gate(has_credential=bool(texts["credential"])).checked_url(texts["base_url"])
    except RefusedError as refusal:
        raise ValidationError(str(refusal), code="base_url") from refusal
    member_key = member.nic_key if member else ""
    kept: dict[str, Any] = {**texts, "interval_s": interval_s, "member_key": member_key}
    return kept, question_of(collector.key, member_key=member_key, member_id=texts["member_id"], given=kept)


def source_test(*, collector: CollectorFacts, acting_user: Viewer, given: dict[str, Any], now_s: float) -> list[Points]:
    """What would come, asked now; nothing is kept. Raises as `source_checked`, and AnswerError."""
    _, question = source_checked(collector=collector, acting_user=acting_user, given=given)
    return ask(question, now_s=now_s)


@transaction.atomic
def source_keep(
    *,
    collector: CollectorFacts,
    acting_user: Viewer,
    given: dict[str, Any],
    source: PrometheusSource | None = None,
    request: HttpRequest | None = None,
) -> PrometheusSource:
    """A new source, or another setting of one that is there. Raises as `source_checked`."""
    kept, _ = source_checked(collector=collector, acting_user=acting_user, given=given)
    kept |= {"by": acting_user.name[:200], "at": timezone.now()}
    if source is None:
        if PrometheusSource.objects.filter(destination_key=collector.key).count() >= SOURCES_MOST:
            raise ValidationError(f"At most {SOURCES_MOST} sources for one collector.")
        source = PrometheusSource(destination_key=collector.key, destination_id=collector.destination_id, subscription_id=collector.subscription_id)
        action = "traffic.prometheus_added"
    else:
        action = "traffic.prometheus_changed"
        transaction.on_commit(lambda: _forget(collector.key))
    for name, value in kept.items():
        setattr(source, name, value)
    source.save()
    detail = {name: kept[name] for name in FIELDS}
    audit_record(action=action, acting_user=acting_user, target=str(source), detail=detail, request=request)
    return source


@transaction.atomic
def source_remove(*, source: PrometheusSource, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """It is asked no more, and what it told counts no longer. Raises ProblemError 403, or ValidationError out of scope."""
    role_check(acting_user, Role.ADMIN)
    if not acting_user.scope.allows(source.subscription_id):
        raise ValidationError("This collector is outside of what you may see.")
    target, key, detail = str(source), source.destination_key, {name: getattr(source, name) for name in FIELDS}
    if PrometheusSource.objects.filter(pk=source.pk).delete()[0]:
        audit_record(action="traffic.prometheus_removed", acting_user=acting_user, target=target, detail=detail, request=request)
        transaction.on_commit(lambda: _forget(key))


def _forget(collector_key: str) -> None:
    """Tells the meter that nobody asks for what this collector's Prometheus servers told; those that are left tell again in a moment."""
    known = now_of([collector_key]).get(collector_key)
    try:
        client = store()
        for one in known.members if known else ():
            if one.origin is Origin.PROMETHEUS:
                _send(client, Points(collector_key, one.member, Origin.PROMETHEUS, one.interval_s, int(time.time() * 1000), None, [], one.nic_key))
    except (NoStoreError, redis.RedisError) as problem:
        log.warning("traffic.prometheus_not_forgotten", collector=collector_key, problem=repr(problem))


def _send(client: Any, sample: Points) -> None:
    client.xadd(SAMPLES, {FIELD: encode(sample)}, maxlen=SAMPLES_MOST, approximate=True)


# -- asking


def prometheus_read(client: "redis.Redis", *, now_s: float, steady_s: Callable[[], float] = time.monotonic) -> int | None:
    """Asks every source that is due, the longest unasked first; how many samples came. None while another run is at it.

    Raises redis.RedisError and DatabaseError; what a Prometheus refuses is in its note and asked again when it is due.
    """
    lease = f"{PULLING}{PROMETHEUS}"
    if not client.set(lease, "1", nx=True, ex=LEASE_S):
        return None
    try:
        return _read(client, now_s, steady_s, list(PrometheusSource.objects.all()))
    finally:
        client.delete(lease)


def _read(client: "redis.Redis", now_s: float, steady_s: Callable[[], float], rows: Sequence[PrometheusSource]) -> int:
    until_s = steady_s() + RUN_S
    before = notes_of(name_of(row) for row in rows)
    asked_ms = {row.pk: before[name_of(row)].asked_ms if name_of(row) in before else 0 for row in rows}
    due = [row for row in rows if now_s * 1000 - asked_ms[row.pk] >= row.interval_s * 1000 - 1_000 or asked_ms[row.pk] > now_s * 1000]
    notes: dict[str, Note] = {}
    count = 0
    for row in sorted(due, key=lambda row: (asked_ms[row.pk], row.pk)):
        if steady_s() > until_s:
            break
        samples, problem = _asked(row, now_s)
        for sample in samples:
            _send(client, sample)
        count += len(samples)
        notes[name_of(row)] = _note(row, before.get(name_of(row)), samples, problem, now_s)
        if problem and (name_of(row) not in before or before[name_of(row)].problem != problem):
            log.warning("traffic.prometheus_refused", source=str(row), problem=problem)
    kept = {name_of(row) for row in rows}
    there = [one.decode() for one in cast("list[bytes]", client.hkeys(PULLED))]
    notes_keep(client, notes, gone=[one for one in there if one not in kept and one.partition("/")[2].startswith(PROMETHEUS)])
    return count


def _asked(row: PrometheusSource, now_s: float) -> tuple[list[Points], str]:
    """What it told, and what was wrong, in a sentence."""
    given = {name: getattr(row, name) for name in FIELDS}
    try:
        samples = ask(question_of(row.destination_key, member_key=row.member_key, member_id=row.member_id, given=given), now_s=now_s)
    except AnswerError as problem:
        return [], str(problem)
    return samples, "" if samples else "It has no series that fit, or no values of the last minutes."


def _note(row: PrometheusSource, before: Note | None, samples: Sequence[Points], problem: str, now_s: float) -> Note:
    now_ms = int(now_s * 1000)
    newest = max((one.points[-1].end_ms for one in samples), default=before.newest_ms if before else 0)
    lag_s = max((one.lag_s or 0.0 for one in samples), default=before.lag_s if before else None)
    return Note(
        Origin.PROMETHEUS, row.selector or row.octets_query, now_ms, now_ms if samples else before.told_ms if before else 0, newest, lag_s, problem
    )


def name_of(row: PrometheusSource) -> str:
    """The field of its note."""
    return field_of(row.destination_key, f"{PROMETHEUS}:{row.pk}")
