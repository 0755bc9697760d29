"""Whether packets of a mirror were seen, in the words of every page; see `selectors.flowing`."""

from collections.abc import Mapping
from typing import Final

from vtapweb.traffic.selectors.flowing import Blind, Flow

BLIND_WORDS: Final[Mapping[Blind, str]] = {
    Blind.NOTHING_REPORTS: "nothing reports from its collector.",
    Blind.STALE: "its collector does not report now.",
    Blind.NO_SOURCES: "the numbers of its collector do not tell its senders apart.",
    Blind.AMBIGUOUS: "several NICs claim its address, so nobody can tell whose packets arrive.",
    Blind.AWAY: "vtapweb’s own live numbers are away.",
}
USUALLY: Final = "Usually the NIC is idle, its VM was not deallocated and started since the TAP exists, or a hop of its way is broken."


def blind_words(flow: Flow | None) -> str:
    """ "Cannot be seen here: nothing reports from its collector." None: the mirror is not there, or may not be read."""
    if flow is None:
        return "Cannot be seen here: the mirror is not in the inventory that you may read."
    return f"Cannot be seen here: {BLIND_WORDS[flow.blind or Blind.NOTHING_REPORTS]}"


def address_words(flow: Flow) -> str:
    """What it would be seen by: "10.0.2.4", "10.0.2.4 or 10.0.2.5"; "it" where no address is known."""
    return " or ".join(flow.addresses) or "it"
