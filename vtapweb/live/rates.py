"""Rates on their way from the meter to clients: one frame a second for each scope that somebody looks with, made once and shared by all of them.

Rule 1: newest wins. A frame goes at once, or waits in its client's mailbox until the client reads or the next one takes its place. Rule 2: a frame is
made after the very picture that the reader's page is made from, and names it; while a newer picture is looked up, frames of the one before go on.
Rule 3: without ticks nothing is sent, and that is said once.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError
from prometheus_client import Counter
from redis.exceptions import RedisError

from vtapweb.domain.scope import Scope
from vtapweb.live.frames import Order, Places, frame_of, order_of, places_of, values_of
from vtapweb.live.mailbox import RATES_PLACE, Client, Frame
from vtapweb.live.messages import rates_stopped
from vtapweb.topology.picture import current_revision
from vtapweb.topology.series import Series, series_kept, series_of
from vtapweb.traffic.keys import TABLE
from vtapweb.traffic.samples import decode_table
from vtapweb.traffic.store import NoStoreError, store
from vtapweb.traffic.ticks import head_of, unpack

STOPPED_AFTER_S = 3.0
LOOK_S = 1.0  # between two looks at whether ticks still come
BEAT_AFTER_S = 1.1
LOOK_AGAIN_S = 5.0  # between two looks at whether somebody has a newer picture
MADE_AFTER_S = 1.0

log = structlog.get_logger(__name__)
frames_total = Counter("vtapweb_live_frames_total", "Frames of rates given to clients")
frames_made_total = Counter("vtapweb_live_frames_made_total", "Frames of rates encoded: one a second for each scope that somebody looks with")
replaced_total = Counter("vtapweb_live_frames_replaced_total", "Frames of rates that a newer one replaced before their client had read them")


class NoTableError(OSError):
    """A tick names a table that Redis does not hold."""

    def __init__(self, number: int) -> None:
        super().__init__(f"no table {number} in Redis")


class Rates:
    """Belongs to one event loop. `clients` is the hub's own set."""

    def __init__(self, clients: Collection[Client]) -> None:
        self._clients = clients
        self._wake = asyncio.Event()
        self.begin()

    def begin(self) -> None:
        """The hub begins to listen: nothing known before counts any more."""
        self._tick: bytes | None = None  # the newest
        self._heard_at: float | None = None  # by the loop's clock
        self._stopped: str | None = None  # what clients were told when ticks ended
        self._places: Places | None = None
        self._series: dict[Scope, Series] = {}
        self._orders: dict[Scope, Order] = {}
        self._frames: dict[Scope, Frame] = {}  # of the newest tick, made when first wanted
        self._changed: set[Scope] = set()  # whose picture is another one than that of `_series`
        self._missing_since: dict[Scope, float] = {}
        self._looked_at = 0.0

    # --- what the hub tells ------------------------------------------------------------------------------------------------------------------

    def hear(self, octets: bytes) -> None:
        """One tick, as the meter publishes it. Raises ValueError for what is none."""
        head_of(octets)
        self._tick, self._heard_at, self._stopped, self._frames = octets, _now(), None, {}
        self._tell(self._clients)

    def forget_table(self) -> None:
        """Redis may be another one than before, with other tables under the same numbers."""
        self._places = None

    def welcome(self, client: Client, revision: str) -> None:
        """A client has come who is about to ask for the picture of `revision`: it gets the newest frame, or hears that there is none."""
        if client.scope in self._series and self._series[client.scope].revision != revision:
            self.look_again([client.scope])
        if self._stopped is not None:
            client.mailbox.put_latest(RATES_PLACE, self._stopped)
        else:
            self._tell([client])

    def look_again(self, scopes: Collection[Scope]) -> None:
        """The pictures of these scopes have changed."""
        self._changed.update(scopes)
        self._wake.set()

    def newest(self, scope: Scope) -> bytes | None:
        """The frame of the newest tick as this scope sees it; None where nothing is measured, or none was made yet."""
        frame = self._frames.get(scope)
        return None if frame is None else frame.octets

    async def watch(self, beat: Callable[[], None]) -> None:
        """Notice when ticks end, whatever is slow to look up; `beat` is called in each second in which none came."""
        self._heard_at = _now()
        while True:
            await asyncio.sleep(LOOK_S)
            self._stop_if_silent()
            if _now() - self._heard_at > BEAT_AFTER_S:
                beat()

    async def run(self) -> None:
        """Look up what is missing as soon as it is wanted."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            except TimeoutError:  # nothing is wanted; look all the same
                pass
            self._wake.clear()
            try:
                await self._look_up()
            except (RedisError, NoStoreError, DatabaseError, OSError) as problem:  # asked again in a second
                log.warning("live.rates_not_looked_up", problem=str(problem))

    # --- telling -----------------------------------------------------------------------------------------------------------------------------

    def _tell(self, clients: Collection[Client]) -> None:
        """The frame of the newest tick to each of them; what must be looked up first is asked for."""
        if self._tick is None or not clients:
            return
        self._make_frames({client.scope for client in clients} - self._frames.keys(), self._tick)
        given = replaced = 0
        for client in clients:
            frame = self._frames.get(client.scope)
            if frame is not None:
                given += 1
                replaced += client.offer(frame)
        frames_total.inc(given)
        replaced_total.inc(replaced)

    def _make_frames(self, scopes: set[Scope], tick: bytes) -> None:
        places = self._places
        if places is None or places.table != head_of(tick).table:
            self._wake.set()
            return
        if scopes - self._orders.keys():
            self._wake.set()
        if wanted := scopes & self._orders.keys():
            try:
                values = values_of(unpack(tick, mirror_count=places.mirror_count, collector_count=places.collector_count))
            except ValueError as problem:  # not of the table that we know under its number
                log.warning("live.tick_does_not_fit", problem=str(problem))
                self._tick, self._places = None, None
                return
            frames_made_total.inc(len(wanted))
            self._frames |= {scope: Frame.of(frame_of(values, self._orders[scope])) for scope in wanted}

    def _stop_if_silent(self) -> None:
        if self._stopped is None and self._heard_at is not None and _now() - self._heard_at > STOPPED_AFTER_S:
            since = None if self._tick is None else datetime.fromtimestamp(head_of(self._tick).unix_s, UTC)
            self._tick, self._places, self._frames = None, None, {}  # a meter that begins anew may number its tables anew
            self._stopped = rates_stopped(since)
            for client in self._clients:
                client.mailbox.put_latest(RATES_PLACE, self._stopped)

    # --- looking up --------------------------------------------------------------------------------------------------------------------------

    async def _look_up(self) -> None:
        """The table of the newest tick, the series of the pictures in use, and the way from one to the other: nothing slow on the loop."""
        scopes = {client.scope for client in self._clients}
        if self._tick is None or not scopes:
            return
        number = head_of(self._tick).table
        if self._places is None or self._places.table != number:
            places = await asyncio.to_thread(_places_of_table, number)
            await self._use(places, {scope: series for scope, series in self._series.items() if scope in scopes})
        if self._places is not None:
            await self._use(self._places, await self._look_up_series(scopes))

    async def _use(self, places: Places, series: dict[Scope, Series]) -> None:
        """From now on make frames so; who had none of this tick gets one."""
        kept = {scope: order for scope, order in self._orders.items() if scope in series and order.is_of(places, series[scope])}
        wanted = series.keys() - kept.keys()
        made = await asyncio.to_thread(lambda: {scope: order_of(places, series[scope]) for scope in wanted}) if wanted else {}
        self._places, self._series, self._orders = places, series, kept | made
        if wanted:
            self._frames = {scope: frame for scope, frame in self._frames.items() if scope in kept}
            self._tell([client for client in self._clients if client.scope in wanted])

    async def _look_up_series(self, scopes: Collection[Scope]) -> dict[Scope, Series]:
        """Those known, and newer ones where the picture has changed. A picture is made here only when nobody asks for it within a second: usually
        its reader is about to."""
        known = {scope: series for scope, series in self._series.items() if scope in scopes}
        missing = {scope for scope in scopes if scope in self._changed or scope not in known}
        if not missing and _now() - self._looked_at <= LOOK_AGAIN_S:
            return known
        self._missing_since = {scope: self._missing_since.get(scope, _now()) for scope in missing}
        overdue = {scope for scope, since in self._missing_since.items() if _now() - since > MADE_AFTER_S}
        changed, self._changed = self._changed, set()
        found: dict[Scope, Series] = {}
        try:
            found = await _series_in_use(scopes, known, overdue)
        finally:
            self._changed |= changed - found.keys()
        self._missing_since = {scope: since for scope, since in self._missing_since.items() if scope not in found}
        self._looked_at = _now()
        return known | found


def _places_of_table(number: int) -> Places:
    found: bytes | None = store().get(f"{TABLE}{number}")  # type: ignore[assignment]  # bytes: nothing is decoded for us
    if found is None:
        raise NoTableError(number)
    return places_of(number, decode_table(found))


@database_sync_to_async
def _series_in_use(scopes: Collection[Scope], known: Mapping[Scope, Series], overdue: Collection[Scope]) -> dict[Scope, Series]:
    """The series of the current picture of each scope of which somebody has it, and of those `overdue`."""
    revision = current_revision()
    found: dict[Scope, Series] = {}
    for scope in scopes:
        before = known.get(scope)
        # The whole estate's number of series is told by the revision, and says without a look at the picture that nothing moved.
        if before is not None and (before.revision == revision.name or (scope.is_everything and before.series_revision == revision.series)):
            found[scope] = before
        elif scope.is_everything or scope in overdue:
            found[scope] = series_of(revision, scope)
        elif (series := series_kept(revision, scope)) is not None:
            found[scope] = series
    return found


def _now() -> float:
    return asyncio.get_running_loop().time()
