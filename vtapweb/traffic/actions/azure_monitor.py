"""Asks Azure Monitor once a minute for the numbers of collectors that nobody else tells of, and hands them to the meter.

Rule 1: one run at a time. Rule 2: few calls: at most MOST_RESOURCES a call, CALLS_A_MINUTE for each subscription and region, the longest unasked
first; where Azure says when to come back, it is left alone until then. Rule 3: what could not be read is said on the collector's page and asked
again by the next run, which reaches back far enough.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

import redis
import structlog

from vtapweb.cloud.port import LOAD_BALANCER_METRICS, CloudError, Failure, MetricsCloud
from vtapweb.domain.scope import Scope
from vtapweb.inventory.clouds import open_metrics
from vtapweb.traffic.keys import FIELD, PULL_CALLS, PULL_HOLD, PULLED, PULLING, SAMPLES, SAMPLES_MOST
from vtapweb.traffic.pulling.azure import FRONTEND_DIMENSION, INTERVAL, INTERVAL_S, METRICS, Asked, answers, asked_of, lag_s, points_of, window
from vtapweb.traffic.pulling.notes import AZURE_MONITOR, Note, field_of, notes_keep, notes_of
from vtapweb.traffic.samples import Origin, Points, encode
from vtapweb.traffic.selectors.collectors import collectors_of
from vtapweb.traffic.showing import now_of

MOST_RESOURCES: Final = 50  # Azure's own limit of a call
CALLS_A_MINUTE: Final = 30  # of one subscription and region: 1,500 machines
RUN_S: Final = 30.0  # no call begins later in a run
LEASE_S: Final = 58
HOLD_S: Final = 60.0  # where Azure wants to be left alone and does not say for how long
HOLD_MOST_S: Final = 900.0
# What one refusal says of every call; whether a region's host can be reached says nothing of the others.
HOPELESS: Final = frozenset({Failure.UNAUTHENTICATED, Failure.MISSING})

log = structlog.get_logger(__name__)


@dataclass
class Read:
    """What a run came to: series asked for, calls made, points handed over, and the problems by what they concern."""

    asked: int = 0
    calls: int = 0
    points: int = 0
    problems: dict[str, str] = field(default_factory=dict)  # by field of the note


def azure_monitor_read(
    client: "redis.Redis",
    *,
    now_s: float,
    opener: Callable[[], MetricsCloud] = open_metrics,
    steady_s: Callable[[], float] = time.monotonic,
) -> Read | None:
    """One run; None while another one is at it. Raises redis.RedisError and DatabaseError; what Azure refuses is in the result and in the notes.

    Some dozen queries, whatever the number of collectors.
    """
    lease = f"{PULLING}{AZURE_MONITOR}"
    if not client.set(lease, "1", nx=True, ex=LEASE_S):
        return None
    try:
        return _Run(client, now_s, opener, steady_s).read()
    finally:
        client.delete(lease)


class _Run:
    def __init__(self, client: "redis.Redis", now_s: float, opener: Callable[[], MetricsCloud], steady_s: Callable[[], float]) -> None:
        self.client = client
        self.now_s = now_s
        self.opener = opener
        self.steady_s = steady_s
        self.until_s = steady_s() + RUN_S
        self.result = Read()
        self.notes: dict[str, Note] = {}
        self.before: dict[str, Note] = {}

    def read(self) -> Read:
        collectors = collectors_of(Scope.everything())
        live = now_of(one.key for one in collectors)
        wanted = [each for one in collectors for each in asked_of(one, live.get(one.key), now_ms=int(self.now_s * 1000))]
        self.result.asked = len(wanted)
        fields = {name_of(one) for one in wanted}
        self.before = notes_of(sorted(fields))
        if wanted:
            self._ask_all(wanted)
        kept = cast("list[bytes]", self.client.hkeys(PULLED))
        gone = [name for one in kept if (name := one.decode()) not in fields and name.partition("/")[2].startswith(AZURE_MONITOR)]
        notes_keep(self.client, self.notes, gone=gone)
        news = [text for name, text in self.result.problems.items() if name not in self.before or self.before[name].problem != text]
        if news:
            log.warning("traffic.azure_monitor_partial", asked=self.result.asked, without=len(self.result.problems), first=news[0])
        return self.result

    def _ask_all(self, wanted: Sequence[Asked]) -> None:
        calls = list(self._calls(wanted))
        try:
            cloud = self.opener()
        except CloudError as problem:
            self._fail(wanted, problem.words)
            return
        try:
            for number, call in enumerate(calls):
                refusal = self._may_not(call[0])
                if refusal:
                    self._fail(call, refusal)
                    continue
                refused = self._ask(cloud, call)
                if refused is not None and refused.failure in HOPELESS:
                    for rest in calls[number + 1 :]:
                        self._fail(rest, refused.words)
                    return
        finally:
            cloud.close()

    def _calls(self, wanted: Sequence[Asked]) -> Iterator[list[Asked]]:
        """What goes together, the longest unasked first."""
        places: dict[tuple[str, str, str], list[Asked]] = {}
        for one in sorted(wanted, key=lambda one: (self._asked_before(one), one.collector_key, one.member)):
            places.setdefault(one.place, []).append(one)
        calls = [ones[at : at + MOST_RESOURCES] for ones in places.values() for at in range(0, len(ones), MOST_RESOURCES)]
        yield from sorted(calls, key=lambda call: self._asked_before(call[0]))

    def _asked_before(self, one: Asked) -> int:
        note = self.before.get(name_of(one))
        return note.asked_ms if note else 0

    def _may_not(self, one: Asked) -> str:
        """Why this call is not made now, in a sentence; "" where it may be."""
        if self.steady_s() > self.until_s:
            return "Azure Monitor answers slowly, so this run ended before its turn came. The next run asks first for what waited."
        place = f"{one.subscription_id}/{one.region}"
        if self.client.exists(f"{PULL_HOLD}{place}"):
            return "Azure Monitor was asked too often and said when to come back; until then it is not asked."
        counter = f"{PULL_CALLS}{place}:{int(self.now_s // 60)}"
        with self.client.pipeline(transaction=True) as pipe:
            pipe.incr(counter)
            pipe.expire(counter, 120)
            count = int(pipe.execute()[0])
        if count > CALLS_A_MINUTE:
            return f"Azure Monitor is asked at most {CALLS_A_MINUTE} times a minute for one subscription and region. The next run goes on here."
        return ""

    def _ask(self, cloud: MetricsCloud, call: Sequence[Asked]) -> CloudError | None:
        """One call; its problem, which is in the notes then."""
        first = call[0]
        start_s, end_s = window(self.now_s)
        self.result.calls += 1
        try:
            series = cloud.metric_totals(
                first.subscription_id, first.region, [one.resource_id for one in call], METRICS[first.namespace],
                datetime.fromtimestamp(start_s, UTC), datetime.fromtimestamp(end_s, UTC), INTERVAL, namespace=first.namespace,
                split_by=FRONTEND_DIMENSION if first.namespace == LOAD_BALANCER_METRICS else "",
            )  # fmt: skip
        except CloudError as problem:
            if problem.failure is Failure.THROTTLED:
                hold_s = min(max(problem.retry_after_s or HOLD_S, 1.0), HOLD_MOST_S)
                self.client.set(f"{PULL_HOLD}{first.subscription_id}/{first.region}", "1", px=int(hold_s * 1000))
            self._fail(call, problem.words)
            return problem
        found = answers(series)
        with self.client.pipeline(transaction=False) as pipe:
            for one in call:
                points = points_of(one, found, end_s=end_s)
                lag = lag_s(points, now_s=self.now_s)
                if points:
                    sample = Points(
                        one.collector_key, one.member, Origin.AZURE_MONITOR, float(INTERVAL_S), int(self.now_s * 1000), lag, points, one.nic_key
                    )
                    pipe.xadd(SAMPLES, {FIELD: encode(sample)}, maxlen=SAMPLES_MOST, approximate=True)
                    self.result.points += len(points)
                    self._note(one, newest_ms=points[-1].end_ms, lag=lag, problem="")
                else:
                    self._note(one, problem="Azure Monitor has no figures of the last minutes.")
            pipe.execute()
        return None

    def _fail(self, ones: Sequence[Asked], problem: str) -> None:
        for one in ones:
            self.result.problems[name_of(one)] = problem
            self._note(one, problem=problem)

    def _note(self, one: Asked, *, newest_ms: int = 0, lag: float | None = None, problem: str) -> None:
        before, now_ms = self.before.get(name_of(one)), int(self.now_s * 1000)
        self.notes[name_of(one)] = Note(
            origin=Origin.AZURE_MONITOR,
            what=one.words,
            asked_ms=now_ms,
            told_ms=now_ms if newest_ms else before.told_ms if before else 0,
            newest_ms=newest_ms or (before.newest_ms if before else 0),
            lag_s=lag if newest_ms else before.lag_s if before else None,
            problem=problem,
        )


def name_of(one: Asked) -> str:
    """The field of its note."""
    return field_of(one.collector_key, f"{AZURE_MONITOR}:{one.nic_key}")
