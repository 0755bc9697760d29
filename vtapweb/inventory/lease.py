"""The right to write for one subscription: a lease with a fencing number, looked at inside every transaction.

Rule 1: a worker that lost its lease writes nothing more; the database decides, not the worker's clock. Rule 2: the lease is renewed by
every batch, at page boundaries and, while a list is waiting out a throttled server, by a thread of the worker's; a killed process renews
nothing, a hanging one stops after LIST_SILENT_S. Rule 3: what an older answer says gives way to what a single read told since; both writers
look and write under one lock, a sync under its own row's, a single read under the subscription's and that of the sync that is running.
"""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import structlog
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from vtapweb.events.bus import announce
from vtapweb.events.types import KindProgress, SyncProgress
from vtapweb.inventory.bulk import chunks
from vtapweb.inventory.models import SingleRead, SubscriptionSync, SyncRun

LEASE_S: Final = 20.0
RENEW_EVERY_S: Final = 5.0
LIST_SILENT_S: Final = 300.0
PROGRESS_EVERY_S: Final = 0.5
CLOCKS_DIFFER_S: Final = 60.0  # between two machines, at most

log = structlog.get_logger(__name__)


class LeaseLostError(Exception):
    """Somebody else may hold the work by now: stop, write nothing."""


class CancelledError(Exception):
    """The run was asked to stop, and this is a page boundary."""


class Lease:
    """One worker's hold on one subscription's sync."""

    def __init__(self, *, sync_id: int, run_id: int, subscription_id: str, fence: int) -> None:
        self.sync_id = sync_id
        self.run_id = run_id
        self.subscription_id = subscription_id
        self.fence = fence
        self.last_page_at = time.monotonic()
        self._last_beat_at = 0.0

    def hold(self, **changes: Any) -> None:
        """Check and renew, first statement of a writing transaction (it locks the row until commit). Raises LeaseLostError."""
        until = timezone.now() + timedelta(seconds=LEASE_S)
        mine = SubscriptionSync.objects.filter(pk=self.sync_id, fence=self.fence, state="running")
        if not mine.update(lease_until=until, **changes):
            raise LeaseLostError(f"sync {self.sync_id} has another owner than fence {self.fence}")

    def beat(self, kinds: dict[str, KindProgress]) -> None:
        """At a page boundary: renew, store and announce progress, at most twice a second. Raises LeaseLostError, CancelledError."""
        self.last_page_at = now = time.monotonic()
        if now - self._last_beat_at < PROGRESS_EVERY_S:
            return
        self._last_beat_at = now
        with transaction.atomic():
            self.hold(progress={name: one.model_dump() for name, one in kinds.items()})
        if SyncRun.objects.filter(pk=self.run_id, is_cancel_requested=True).exists():
            raise CancelledError
        progress = SyncProgress(run_id=self.run_id, subscription_id=self.subscription_id, state="running", kinds=dict(kinds), at=timezone.now())
        announce(progress, subscription_ids=[self.subscription_id])


class Keeper:
    """Renews in a thread while the worker waits for a page: a context manager around the whole read. `renew` raises LeaseLostError to end it."""

    def __init__(self, renew: Callable[[], None], *, last_page_at: Callable[[], float], every_s: float = RENEW_EVERY_S) -> None:
        self._renew = renew
        self._last_page_at = last_page_at
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._over.wait(self._every_s):
                if time.monotonic() - self._last_page_at() > LIST_SILENT_S:
                    log.warning("sync.list_silent", silent_s=LIST_SILENT_S)
                    return
                try:
                    self._renew()
                except LeaseLostError:
                    return  # the worker finds out at its next write
                except DatabaseError as problem:  # a lock that was waited for too long; the next turn tries again
                    log.warning("sync.renew_failed", problem=str(problem))
        finally:
            connection.close()


def reads_of(keys: Iterable[str]) -> dict[str, datetime]:
    """{key: when the answer of its last single read had come} of those that were ever read so. One query for each 500 keys.

    One that lies ahead was written before the clock was set back: it is left out, so that it does not outdo what is read now.
    """
    found: dict[str, datetime] = {}
    latest = timezone.now() + timedelta(seconds=CLOCKS_DIFFER_S)
    for some in chunks(set(keys)):
        found.update(SingleRead.objects.filter(key__in=some, read_at__lte=latest).values_list("key", "read_at"))
    return found
