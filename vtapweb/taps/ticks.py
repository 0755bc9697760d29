"""The three ticks of a mirror: prepared, configured, flowing. Each says how we know; what is not known is said to be unknown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vtapweb.taps.selectors.preparation import Preparation
from vtapweb.traffic.flow_words import USUALLY, address_words, blind_words
from vtapweb.traffic.selectors.flowing import Blind, Flow, FlowState

PASSING: Final = frozenset({Blind.STALE, Blind.AWAY})  # may be seen again in a moment


@dataclass(frozen=True, slots=True)
class Tick:
    """One of a mirror's three: `state` is "yes", "no", "silent" (an alarm says so), "wait", "none" (not tried) or "unknown".

    `title` says how we know, or why not; `at` with `at_words` before it: a moment that belongs to it. `href` leads to where one looks further.
    """

    name: str
    state: str
    title: str
    at: datetime | None = None
    at_words: str = ""
    href: str = ""
    may_change: bool = False  # by itself, soon

    @property
    def glyph(self) -> str:
        return {"yes": "✓", "no": "✕", "silent": "∅", "wait": "…", "none": "–"}.get(self.state, "?")

    @property
    def words(self) -> str:
        return {"yes": "yes", "no": "no", "silent": "silent", "wait": "not yet", "none": "not tried"}.get(self.state, "not known")


def prepared_tick(known: Preparation | None) -> Tick:
    """`known` None: nothing was seen of its VM."""
    if known is not None and known.is_done:
        return Tick("Prepared", "yes", f"Its VM was {known.words}.")
    if known is not None and known.state == "stopped":
        return Tick("Prepared", "wait", f"Its VM was {known.words}.")
    return Tick("Prepared", "unknown", "Whether its VM was deallocated and started since the TAP exists is not known: vtapweb has not seen it.")


def flowing_tick(flow: Flow | None, nic_key: str, silence: str = "") -> Tick:
    """The third, of a mirror that is configured. `flow` None: it is not in what the viewer may read.

    `silence`: the sentence of the open alarm that says that nothing arrives of it, as the map tells it.
    """
    if silence:
        last_at = flow.last_at if flow else None
        return Tick("Flowing", "silent", silence, last_at, "last packet", f"/?node={nic_key}", may_change=True)
    if flow is None or flow.state is FlowState.CANNOT_BE_SEEN:
        return Tick("Flowing", "unknown", blind_words(flow), may_change=flow is not None and flow.blind in PASSING)
    if flow.state is FlowState.FLOWING:
        return Tick("Flowing", "yes", "Its packets were seen at the collector.", flow.first_at, "first packet")
    title = f"Nothing from {address_words(flow)} has arrived. {USUALLY}"
    return Tick("Flowing", "wait", title, flow.since, "configured", f"/?node={nic_key}", may_change=True)
