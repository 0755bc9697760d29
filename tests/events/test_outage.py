"""A queue that is away for a while is two lines in the log, not hundreds."""

import pytest
import structlog

from vtapweb.events import outage
from vtapweb.events.outage import Outage


def told(entries: list[structlog.typing.EventDict]) -> list[tuple[str, str]]:
    return [(str(one["log_level"]), str(one["event"])) for one in entries]


def test_the_first_failure_is_told_and_the_end_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # The module's own logger keeps the processors of its first use, which may be those of a test that configured logs.
    monkeypatch.setattr(outage, "log", structlog.get_logger())
    broker = Outage("the broker")
    with structlog.testing.capture_logs() as entries:
        broker.worked()
        broker.failed("jobs.enqueue_failed", task="a")
        broker.failed("jobs.enqueue_failed", task="b")
        broker.worked()
        broker.worked()
        broker.failed("jobs.enqueue_failed", task="c")
    assert told(entries) == [
        ("warning", "jobs.enqueue_failed"),
        ("debug", "jobs.enqueue_failed"),
        ("info", "outage.over"),
        ("warning", "jobs.enqueue_failed"),
    ]
