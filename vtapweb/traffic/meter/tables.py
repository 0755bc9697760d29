"""The inventory beside the meter, in a thread of its own: a database that does not answer must not stop the measuring.

Rule: the meter goes on with the last tables it got; they are made anew when the inventory has changed, and never so often that it would be felt.
"""

import threading
import time
from typing import Final

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from vtapweb.domain.attribution import Attribution
from vtapweb.domain.scope import Scope
from vtapweb.inventory.actions import sync_start
from vtapweb.inventory.models import SyncRun
from vtapweb.traffic.selectors.attribution import attribution_mark, attribution_tables

LOOK_EVERY_S: Final = 3.0
BUILD_SHARE: Final = 0.05  # of the time, at most, goes into making tables while the inventory keeps changing
ACTOR: Final = "meter: unknown source"

log = structlog.get_logger(__name__)


class Tables:
    """`take` gives what is new; `ask_for_sync` is done at the next look."""

    def __init__(self) -> None:
        self._latest: Attribution | None = None
        self._mark: int | None = None
        self._not_before = 0.0
        self._is_sync_wanted = threading.Event()
        self._is_over = threading.Event()
        self._has_looked = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_database_away = False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="tables", daemon=True)
        self._thread.start()

    def wait_for_first(self, *, within_s: float) -> None:
        """Returns when the inventory was looked at once, readable or not: rings whose sources have names from the start stay half as wide."""
        self._has_looked.wait(within_s)

    def stop(self) -> None:
        self._is_over.set()
        self._has_looked.set()
        if self._thread is not None:
            self._thread.join(5)

    def take(self) -> Attribution | None:
        """The newest tables, once."""
        latest, self._latest = self._latest, None
        return latest

    def ask_for_sync(self) -> None:
        self._is_sync_wanted.set()

    def look(self, *, mono_s: float) -> None:
        """Make the tables anew where the inventory changed; start the sync that was asked for. Raises DatabaseError."""
        if mono_s >= self._not_before:
            mark = attribution_mark(Scope.everything())
            if mark != self._mark:
                started_s = time.monotonic()
                self._latest = attribution_tables(Scope.everything())
                self._mark = mark
                self._not_before = mono_s + (time.monotonic() - started_s) / BUILD_SHARE
        if self._is_sync_wanted.is_set():
            run = sync_start(trigger=SyncRun.Trigger.DEMAND, acting_user=None, actor=ACTOR)
            self._is_sync_wanted.clear()
            log.info("meter.sync_asked", run=run.pk)

    def look_if_possible(self, *, mono_s: float) -> None:
        """The same; a database that does not answer is logged once and asked again the next time."""
        try:
            self.look(mono_s=mono_s)
            self.is_database_away = False
        except DatabaseError as error:
            if not self.is_database_away:
                log.warning("meter.database_away", error=type(error).__name__)
            self.is_database_away = True

    def _run(self) -> None:
        while not self._is_over.is_set():
            self.look_if_possible(mono_s=time.monotonic())
            self._has_looked.set()
            if self.is_database_away:
                connection.close()
            self._is_over.wait(LOOK_EVERY_S)
        connection.close()
