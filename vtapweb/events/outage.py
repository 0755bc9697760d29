"""Saying once that something is away, and once that it is back, however often it is tried in between. Knows no broker and no clock."""

from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Outage:
    """One thing that may be away, as this process sees it: the first failure in a row is a warning, the others are for the debug log."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_away = False

    def failed(self, event: str, **details: Any) -> None:
        """It was tried in vain; `event` and `details` go into the log's line."""
        if self._is_away:
            log.debug(event, **details)
        else:
            self._is_away = True
            log.warning(event, more=f"said once until {self._what} is back", **details)

    def worked(self) -> None:
        """It answered."""
        if self._is_away:
            self._is_away = False
            log.info("outage.over", what=self._what)


redis = Outage("Redis")
