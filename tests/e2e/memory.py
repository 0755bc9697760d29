"""What a page holds on to, after everything that can go has gone."""

from dataclasses import dataclass

from playwright.sync_api import CDPSession, Page


@dataclass(frozen=True, slots=True)
class Held:
    """Octets of JavaScript's heap and of the buffers behind typed arrays; nodes and listeners of all documents.

    `browser_octets`, what the browser's own objects take, is told and not judged: under Playwright they hold some 500 octets for each
    request that was ever made, which no screen keeps.
    """

    octets: int
    browser_octets: int
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
    octets = int(sum(usage[name] for name in ("usedSize", "backingStorageSize")))
    return Held(octets, int(usage["embedderHeapUsedSize"]), counters["nodes"], counters["jsEventListeners"])
