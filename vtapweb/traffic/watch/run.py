"""The watch: a turn every five seconds while it leads, and one at once when a collector begins to drop. Its lease and everything it writes are rows;
a second process waits for its turn.

Rule 1: a Redis or a database that is away raises no alarm; that we cannot see is said once. Rule 2: a clock that was set is noticed, and what is
remembered is moved with it. Rule 3: a turn that fails loses nothing: the next one sees for itself.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import F, Q

from vtapweb.domain.causes import INTAKE_KEY
from vtapweb.domain.health import settled_s
from vtapweb.domain.scope import Scope
from vtapweb.events.outage import Outage
from vtapweb.traffic import keys
from vtapweb.traffic.actions.alarms import CollectorRow, LeadershipLostError, alarms_reconcile
from vtapweb.traffic.alarm_words import state_sentence
from vtapweb.traffic.models import Alarm, CollectorToken, HealthLease
from vtapweb.traffic.samples import CollectorNow, MeterNow, SourceNow, decode_collector, decode_meter, decode_sources
from vtapweb.traffic.selectors.health import running_maintenance
from vtapweb.traffic.store import NoStoreError, store
from vtapweb.traffic.watch.before import Before
from vtapweb.traffic.watch.estate import Estate, Fingerprint, fingerprint, is_touched, read_estate
from vtapweb.traffic.watch.judge import Judged, Seen, at, judge
from vtapweb.traffic.watch.memory import Memory, decode, encode
from vtapweb.traffic.watch.stirring import Stirring

EVERY_S: Final = 5.0
REST_S, REST_TURNS = 0.2, 2.0  # the least between two turns: so many seconds, and so many times as long as the last one took
LEASE: Final = HealthLease.HELD_FOR
ESTATE_KEPT_S: Final = 60.0  # ages of lists move on though nothing changed
ESTATE_MOVING_S: Final = 30.0  # while only what is not judged changes
MEMORY_KEPT_S: Final = 60.0
CLOCK_STEP_S: Final = 2.0
BLIND_S: Final = 3 * EVERY_S  # so long without a look: what happened meanwhile nobody saw, and agents may have found nobody to tell

log = structlog.get_logger(__name__)
T = TypeVar("T")

Live = tuple[MeterNow | None, dict[str, CollectorNow], dict[str, list[SourceNow]]]


class Watch:
    """One process's part. `wall_s` and `steady_s` are its clocks: unix seconds, and seconds that nobody sets."""

    def __init__(self, *, wall_s: Callable[[], float] = time.time, steady_s: Callable[[], float] = time.monotonic) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}"[:120]
        self.fence: int | None = None
        self._wall_s = wall_s
        self._steady_s = steady_s
        self._offset_s = wall_s() - steady_s()
        self._looking_since_s = wall_s()
        self._is_blind = False
        self._looked_s: float | None = None  # the last whole turn, by the clock that nobody sets
        self._memory: Memory | None = None
        self._memory_kept_s = float("-inf")
        self._estate: tuple[Fingerprint, float, Estate] | None = None
        self._before = Before()
        self._looked_to = 0  # the newest change of the inventory that was looked at
        self._meter: tuple[int, float] | None = None  # its fence, and since when it works
        self._redis = Outage("Redis")
        self._database = Outage("the database")
        self._stirring = Stirring()

    def run(self, is_over: threading.Event) -> None:
        """Turns until it is told to end; then the lease is given back, so that another one leads at once."""
        while not is_over.is_set():
            started_s = self._steady_s()
            close_old_connections()
            self.turn()
            self._rest(is_over, took_s=self._steady_s() - started_s)
        self._stirring.close()
        self.let_go()

    def _rest(self, is_over: threading.Event, *, took_s: float) -> None:
        """Until the next turn is due, or something stirred that should be judged now. A turn that takes long is not taken more often for it."""
        least_s = max(REST_S, REST_TURNS * took_s)
        is_over.wait(min(least_s, max(0.5, EVERY_S - took_s)))
        if self.fence is None or not settings.REDIS_URL:  # another one leads: nothing is to be judged here
            self._stirring.close()
            is_over.wait(max(0.0, EVERY_S - took_s - least_s))
        else:
            self._stirring.wait(EVERY_S - took_s - least_s, is_over)

    def turn(self) -> Judged | None:
        """One turn; None where another one leads, or something is away."""
        try:
            if not self.lead():
                return None
            judged = self._look()
        except DatabaseError as problem:
            self._database.failed("watch.database_away", problem=str(problem))
            connection.close()
            return None
        except LeadershipLostError:
            log.warning("watch.lost_the_lead", fence=self.fence)
            self.fence = None
            return None
        self._database.worked()
        return judged

    # -- who leads

    def lead(self) -> bool:
        """Takes or renews the lease; whether it is ours. One query while it is; raises DatabaseError."""
        now = self._now()
        if self.fence is not None and HealthLease.objects.filter(pk=1, fence=self.fence).update(until=now + LEASE):
            return True
        HealthLease.objects.bulk_create([HealthLease(pk=1)], ignore_conflicts=True)
        free = Q(until=None) | Q(until__lt=now) | Q(until__gt=now + 2 * LEASE)  # the last: the clock was set back since
        with transaction.atomic():
            if not HealthLease.objects.filter(free, pk=1).update(owner=self.owner, until=now + LEASE, fence=F("fence") + 1):
                self.fence = None
                return False
            lease = HealthLease.objects.get(pk=1)
        self.fence, self._memory = lease.fence, decode(bytes(lease.memory))
        log.info("watch.leads", fence=self.fence)
        return True

    def let_go(self) -> None:
        """Gives the lease back, with all that is remembered."""
        if self.fence is None:
            return
        try:
            kept = {"memory": encode(self._memory)} if self._memory is not None else {}
            HealthLease.objects.filter(pk=1, fence=self.fence).update(until=None, owner="", **kept)
        except DatabaseError as problem:
            log.warning("watch.lease_not_given_back", problem=str(problem))
        self.fence = None

    # -- one look

    def _look(self) -> Judged | None:
        assert self.fence is not None and self._memory is not None  # noqa: S101, PT018 - for the type checker: it leads
        self._notice_the_clock()
        self._notice_a_gap()
        now_s = self._wall_s()
        live = self._live()
        if live is None:
            return None
        meter, collectors, sources = live
        estate = self._expected(now_s)
        now = at(now_s)
        tokens = CollectorToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
        seen = Seen(
            now_s=now_s,
            looking_since_s=self._looking_since_s,
            meter=meter,
            meter_since_s=self._meter_since_s(meter, now_s),
            collectors=collectors,
            sources=sources,
            with_token=frozenset(tokens.values_list("destination_key", flat=True)),
            before=self._before.sent(store(), sources, now_s=now_s, steady_s=self._steady_s()),
        )
        intake = Alarm.objects.filter(state=Alarm.State.OPEN, cause_key=INTAKE_KEY).values_list("finding_keys", flat=True).first()
        work = running_maintenance(Scope.everything(), now=now)
        judged = judge(seen, estate, self._memory, maintenance=work, intake_findings=intake or ())
        settled = settled_s(meter_since_s=seen.meter_since_s, looking_since_s=seen.looking_since_s)
        self._keep(judged, estate, now_s, settled_at=None if meter is None else at(settled))
        self._looked_s = self._steady_s()
        return judged

    def _keep(self, judged: Judged, estate: Estate, now_s: float, *, settled_at: datetime | None) -> None:
        assert self.fence is not None and self._memory is not None  # noqa: S101, PT018 - for the type checker: it leads
        is_due = judged.memory.standings.keys() != self._memory.standings.keys() or now_s - self._memory_kept_s > MEMORY_KEPT_S
        rows = [
            CollectorRow(
                key=key,
                subscription_id=estate.collectors[key].subscription_id,
                name=estate.name_of(key),
                state=one.state.value,
                rule_ids=one.rule_ids,
                sentence=state_sentence(estate.name_of(key), one.state, one.facts),
                heard_at=None if one.heard_s is None else at(one.heard_s),
            )
            for key, one in judged.states.items()
        ]
        alarms_reconcile(
            fence=self.fence,
            causes=judged.causes,
            rows=rows,
            all_subscription_ids=estate.subscription_ids,
            memory=encode(judged.memory) if is_due else None,
            now=at(now_s),
            settled_at=settled_at,
        )
        if is_due:
            self._memory_kept_s = now_s
        self._memory = judged.memory

    def _notice_the_clock(self) -> None:
        offset_s = self._wall_s() - self._steady_s()
        step_s = offset_s - self._offset_s
        self._offset_s = offset_s
        if abs(step_s) <= CLOCK_STEP_S:
            return
        log.warning("watch.clock_was_set", by_s=round(step_s, 1))
        self._looking_since_s = self._wall_s()
        if self._memory is not None:
            self._memory = self._memory.moved(step_s)
        if self._meter is not None:
            self._meter = (self._meter[0], self._meter[1] + step_s)

    def _notice_a_gap(self) -> None:
        """After a database that was locked or away (nobody's token could be looked up either) silence is "starting" for a while."""
        gap_s = self._steady_s() - self._looked_s if self._looked_s is not None else 0.0
        if gap_s > BLIND_S:
            log.warning("watch.was_blind", for_s=round(gap_s, 1))
            self._looking_since_s = self._wall_s()

    def _meter_since_s(self, meter: MeterNow | None, now_s: float) -> float:
        """Since when the meter works, by our own clock: its own may have been set since it started."""
        if meter is None:
            self._meter = None
            return now_s
        if self._meter is None or self._meter[0] != meter.fence:
            self._meter = (meter.fence, min(meter.started_ms / 1000, now_s))
        return self._meter[1]

    def _live(self) -> Live | None:
        """The live numbers in one round trip, None while Redis is away (which the lease then says)."""
        try:
            pipeline = store().pipeline(transaction=False)
            pipeline.get(keys.METER)
            pipeline.hgetall(keys.NOW)
            pipeline.hgetall(keys.SOURCES)
            meter, collectors, sources = pipeline.execute()
        except (redis.RedisError, NoStoreError, OSError) as problem:
            self._redis.failed("watch.redis_away", problem=str(problem))
            if not self._is_blind:
                self._is_blind = True
                HealthLease.objects.filter(pk=1, owner=self.owner).update(blind_since=self._now(), blind_reason="Redis does not answer.")
            return None
        self._redis.worked()
        if self._is_blind:
            self._is_blind = False
            self._looking_since_s = self._wall_s()
        found = decoded(meter and {b"meter": meter}, decode_meter)
        return found.get("meter"), decoded(collectors, decode_collector), decoded(sources, decode_sources)

    def _expected(self, now_s: float) -> Estate:
        """The inventory's part, read again when something in it that matters here moved, soon after anything did, and once a minute."""
        mark = fingerprint()
        if self._estate is None or self._is_past(self._estate, mark, now_s):
            self._estate = (mark, now_s, read_estate())
        self._looked_to = mark.changes
        return self._estate[2]

    def _is_past(self, kept: tuple[Fingerprint, float, Estate], mark: Fingerprint, now_s: float) -> bool:
        """While a sync goes on something changes with every look; a large estate takes a second to read."""
        before, read_s, estate = kept
        age_s = now_s - read_s
        if mark.said != before.said or not 0 <= age_s < ESTATE_KEPT_S:
            return True
        if mark.changes == before.changes:
            return False
        return age_s >= ESTATE_MOVING_S or mark.changes < self._looked_to or is_touched(estate, after=self._looked_to)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_s(), UTC)


def decoded(values: Mapping[bytes, bytes] | None, decode_one: Callable[[bytes], T]) -> dict[str, T]:
    """Values of a hash by their field; what another release wrote and cannot be read is left out."""
    found = {}
    for name, octets in (values or {}).items():
        try:
            found[name.decode()] = decode_one(octets)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            log.warning("watch.not_understood", field=repr(name), problem=str(problem))
    return found
