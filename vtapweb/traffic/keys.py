"""The names of everything that the room keeps in Redis, in one place, so that writer and reader cannot differ.

Rule: nothing there is the only copy of a fact.
"""

from typing import Final

SAMPLES: Final = "vtapweb:traffic:samples"  # stream; field FIELD holds one encoded sample
FIELD: Final = "b"
SAMPLES_MOST: Final = 20_000  # about, see XADD's MAXLEN ~
BOOTS: Final = "vtapweb:traffic:boots"  # hash: "collector/member" -> the boot of which the meter has a baseline
NOW: Final = "vtapweb:traffic:now"  # hash: collector key -> CollectorNow
SOURCES: Final = "vtapweb:traffic:sources"  # hash: collector key -> list of SourceNow
METER: Final = "vtapweb:traffic:meter"  # MeterNow, gone 10 s after the last tick
METER_KEPT_S: Final = 10
TABLE: Final = "vtapweb:traffic:table:"  # + number: Table, kept an hour after it was last used
TABLE_KEPT_S: Final = 3600
RING: Final = "vtapweb:traffic:ring:"  # + collector key: the last 15 minutes at 1 s
RATES: Final = "vtapweb:traffic:rates"  # channel: one tick a second, see ticks.py


def member_field(collector_key: str, member: str) -> str:
    """The field of one member in BOOTS."""
    return f"{collector_key}/{member}"
