"""One Redis subscription a process, however many clients: events are read, put in order and encoded once, then dropped into each mailbox.

Rule 1: clients get every number of the outbox in order. What Redis brings twice is ignored; what it skips is read from the database, and the
counter is looked at every five seconds, so a message lost on the way is noticed. Rule 2: nothing here waits for a client.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import orjson
import redis.asyncio
import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from prometheus_client import Counter, Gauge
from redis.exceptions import RedisError

from vtapweb.events.bus import EVENTS_CHANNEL, PROGRESS_CHANNEL, current_seq
from vtapweb.events.models import OutboxEvent
from vtapweb.live.door import Door
from vtapweb.live.mailbox import Client
from vtapweb.live.messages import Numbered, is_for, refetch, text_of, tick
from vtapweb.live.rates import Rates
from vtapweb.live.reports import Reports
from vtapweb.live.walls import Walls
from vtapweb.traffic.keys import RATES

TICK_S = 5.0
MOST_REPLAYED = 500
LONGEST_WAIT_S = 5.0

log = structlog.get_logger(__name__)
clients_now = Gauge("vtapweb_live_clients", "Open sockets of this process")
overflows_total = Counter("vtapweb_live_overflows_total", "Clients that did not read in time and were told to read everything again")


@database_sync_to_async
def outbox_after(seq: int, up_to: int) -> list[Numbered] | None:
    """The events seq+1 … up_to, one query; None when they are more than 500 or the outbox no longer holds them all."""
    if up_to - seq > MOST_REPLAYED:
        return None
    rows = OutboxEvent.objects.filter(seq__gt=seq, seq__lte=up_to).order_by("seq").values_list("seq", "payload", "subscription_ids")
    found = [Numbered(*row) for row in rows]
    return found if len(found) == max(0, up_to - seq) else None


class Hub:
    """Runs while there are clients. All methods belong to one event loop."""

    def __init__(self) -> None:
        self.seq = 0
        self.clients: set[Client] = set()
        self.rates = Rates(self.clients)
        self.door = Door()
        self.reports = Reports()
        self.walls = Walls(self.clients, self.rates)
        self._tasks: list[asyncio.Task[None]] = []
        self._is_ready = asyncio.Event()
        self._catching_up = asyncio.Lock()

    async def join(self, client: Client, revision: str, greeting: Callable[[int], str]) -> None:
        """Count the client in; the first thing in its mailbox is `greeting(seq)`, then every event after that number, and the newest rates.

        `revision` names the picture that the greeting tells of.
        """
        self.clients.add(client)
        clients_now.set(len(self.clients))
        client.mailbox.hold()
        if not self._tasks:
            self._is_ready.clear()
            self.rates.begin()
            self.walls.begin()
            works = (self._listen, self._tick, self.rates.run, partial(self.rates.watch, self._beat), self.door.run, self.reports.run, self.walls.run)
            self._tasks = [asyncio.create_task(work()) for work in works]
            for task in self._tasks:
                task.add_done_callback(_tell_of_an_end)
        await self._is_ready.wait()
        # What was held meanwhile is at most self.seq, which the greeting says.
        client.mailbox.hold()
        client.mailbox.release([greeting(self.seq)], overflow=refetch(self.seq))
        self.rates.welcome(client, revision)
        self.walls.welcome(client)

    async def leave(self, client: Client) -> None:
        """Count the client out; with the last one the hub rests."""
        self.clients.discard(client)
        clients_now.set(len(self.clients))
        if not self.clients:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def replay(self, client: Client, seq: int) -> None:
        """Bring a client from `seq` to now, or tell it to read everything again."""
        client.mailbox.hold()
        now, texts = self.seq, [refetch(self.seq)]
        try:
            events = await outbox_after(seq, now) if 0 <= seq <= now else None
            if events is not None:
                texts = [*(_text(event, client) for event in events), tick(now)]
        finally:
            client.mailbox.release(texts, overflow=refetch(now))

    # --- reading ---------------------------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Subscribe, for ever: a Redis that goes away is asked again, later and later, up to five seconds."""
        await self._first_look_or_not()
        if not settings.REDIS_URL:  # no Redis is configured: the counter alone tells
            return
        failures = 0
        while True:
            # A blocking reader must not time out while nothing happens: redis-py's default is 5 s.
            options: dict[str, Any] = {} if settings.REDIS_URL.startswith("unix") else {"socket_keepalive": True}
            connection = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=2, **options)
            try:
                async with connection.pubsub(ignore_subscribe_messages=False) as subscription:
                    await subscription.subscribe(EVENTS_CHANNEL, PROGRESS_CHANNEL, RATES)
                    async for message in subscription.listen():
                        if message["type"] == "subscribe":
                            failures = 0
                            self.rates.forget_table()
                            await self._first_look()
                        elif message["type"] == "message":
                            await self._hear(message["channel"].decode(), message["data"])
            except (RedisError, OSError, DatabaseError) as problem:
                failures += 1
                log.warning("live.redis_lost", problem=str(problem), failures=failures)
            finally:
                await connection.aclose()
            await asyncio.sleep(min(LONGEST_WAIT_S, 0.1 * 2**failures) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    async def _first_look(self) -> None:
        """At the start and after subscribing: learn the number we are at, or what was missed while we could not hear."""
        seq = await database_sync_to_async(current_seq)()
        if self._is_ready.is_set():
            await self._catch_up(seq)
        else:
            self.seq = max(self.seq, seq)
            self._is_ready.set()

    async def _first_look_or_not(self) -> None:
        """Without Redis the counter still serves, every five seconds; without a database either, clients wait."""
        try:
            await self._first_look()
        except DatabaseError as problem:
            log.warning("live.counter_unreadable", problem=str(problem))

    async def _hear(self, channel: str, data: bytes) -> None:
        try:
            if channel == RATES:
                self.rates.hear(data)
                return
            heard: dict[str, Any] = orjson.loads(data)
            if channel == PROGRESS_CHANNEL:
                self._progress(heard)
            elif heard["seq"] == self.seq + 1:
                self._fan(Numbered(heard["seq"], heard["event"], heard["subscription_ids"]))
            elif heard["seq"] > self.seq:
                await self._catch_up(heard["seq"])
        except (ValueError, KeyError, TypeError) as problem:
            log.warning("live.not_understood", channel=channel, problem=repr(problem))

    async def _catch_up(self, up_to: int) -> None:
        async with self._catching_up:
            if up_to <= self.seq:
                return
            events = await outbox_after(self.seq, up_to)
            if events is None and up_to > self.seq:
                self.seq = up_to
                text = refetch(up_to)
                for client in self.clients:
                    client.mailbox.put(text, overflow=text)
                self.rates.look_again({client.scope for client in self.clients})
                self.walls.hear("topology", None)
                return
            for event in events or ():
                if event.seq == self.seq + 1:  # another one may have come while we read
                    self._fan(event)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self._first_look()
            except DatabaseError as problem:  # no tick: clients see that we do not know either
                log.warning("live.counter_unreadable", problem=str(problem))
                continue
            text = tick(self.seq)
            for client in self.clients:
                client.mailbox.put_latest("tick", text)

    def _beat(self) -> None:
        """Nothing is measured, but we are here: a display takes silence for a server that is gone."""
        if not self._is_ready.is_set():
            return
        text = tick(self.seq)
        for client in self.clients:
            if client.seat is not None:
                client.mailbox.put_latest("tick", text)

    # --- telling ---------------------------------------------------------------------------------------------------------------------------

    def _fan(self, event: Numbered) -> None:
        self.seq = event.seq
        overflow = refetch(event.seq)
        for client in self.clients:
            if not client.mailbox.put(_text(event, client), overflow=overflow):
                overflows_total.inc()
        if event.event["kind"] == "wall":
            for client in [*self.clients]:  # who is told may leave
                if client.seat is not None and client.told is not None and event.concerns(client.seat):
                    client.told(event.event["deed"])
        self.walls.hear(event.event["kind"], event.subscription_ids)
        if event.event["kind"] == "topology":
            self.rates.look_again({client.scope for client in self.clients if is_for(client.scope, "topology", event.subscription_ids)})

    def _progress(self, heard: dict[str, Any]) -> None:
        event, subscription_ids = heard["event"], heard["subscription_ids"]
        text = text_of(event)
        step = event.get("step") or {}
        key = f"{event['kind']} {event.get('run_id')} {event.get('subscription_id')} {event.get('change_id')} {step.get('step_id')}"
        for client in self.clients:
            if client.seat is None and is_for(client.scope, event["kind"], subscription_ids):
                client.mailbox.put_latest(key, text)


def _text(event: Numbered, client: Client) -> str:
    return event.text_for(client.scope) if client.seat is None else event.text_for_display(client.seat)


def _tell_of_an_end(task: "asyncio.Task[None]") -> None:
    """A task of the hub ends only by being cancelled; any other end is a mistake of ours and must be seen."""
    if not task.cancelled() and (problem := task.exception()) is not None:
        log.error("live.hub_task_failed", exc_info=problem)


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


def hub_here() -> Hub:
    """The hub of the running event loop: one a process in production."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
