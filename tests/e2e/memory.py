"""What a page holds on to, after everything that can go has gone."""

from dataclasses import dataclass

from playwright.sync_api import CDPSession, Page


@dataclass(frozen=True, slots=True)
class Held:
    """Octets of JavaScript's heap, of what the DOM holds for it and of the buffers behind typed arrays; nodes and listeners of all documents."""

    octets: int
    nodes: int
    listeners: int


def watch_memory(page: Page) -> CDPSession:
    """The session that `held` asks; it outlives what the page reads anew."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    return session


def held(session: CDPSession) -> Held:
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    counters = session.send("Memory.getDOMCounters")
    octets = int(sum(usage[name] for name in ("usedSize", "embedderHeapUsedSize", "backingStorageSize")))
    return Held(octets, counters["nodes"], counters["jsEventListeners"])
