"""The names of everything that the room keeps in Redis, in one place, so that writer and reader cannot differ.

Rule: nothing there is the only copy of a fact.
"""

from typing import Final

SAMPLES: Final = "vtapweb:traffic:samples"  # stream; field FIELD holds one encoded sample
FIELD: Final = "b"
SAMPLES_MOST: Final = 20_000  # about, see XADD's MAXLEN ~
SAMPLES_OCTETS_MOST: Final = 256 * 1024 * 1024  # of Redis' memory; a sample with 50 sources takes 1.5 kB, one with 5,000 about 110 kB
BOOTS: Final = "vtapweb:traffic:boots"  # hash: "collector/member" -> the boot of which the meter has a baseline
NOW: Final = "vtapweb:traffic:now"  # hash: collector key -> CollectorNow
SOURCES: Final = "vtapweb:traffic:source-columns"  # hash: collector key -> SourceColumns
METER: Final = "vtapweb:traffic:meter"  # MeterNow, gone 10 s after the last tick
METER_KEPT_S: Final = 10
TABLE: Final = "vtapweb:traffic:table:"  # + number: Table, kept an hour after it was last used
TABLE_KEPT_S: Final = 3600
RING: Final = "vtapweb:traffic:ring:"  # + collector key: the last 15 minutes at 1 s
STORED: Final = "vtapweb:traffic:stored"  # unix seconds up to which the ring is in the history
STORE_AT: Final = "vtapweb:traffic:storing:pass"  # how far a pass over all collectors is that was not done in one go
STORING: Final = "vtapweb:traffic:storing"  # there while somebody stores
RATES: Final = "vtapweb:traffic:rates"  # channel: one tick a second, see ticks.py
STIRRED: Final = "vtapweb:traffic:stirred"  # channel: a word when a collector begins to drop, or drops worse, for whoever judges

PULLED: Final = "vtapweb:traffic:pulled"  # hash: "collector/source" -> how asking for its numbers went, see pulling/notes.py
PULLING: Final = "vtapweb:traffic:pulling:"  # + what is asked: there while somebody asks
PULL_HOLD: Final = "vtapweb:traffic:pull-hold:"  # + subscription/region: there while Azure wants to be left alone
PULL_CALLS: Final = "vtapweb:traffic:pull-calls:"  # + subscription/region:minute: how many calls it has had

METER_LEASE: Final = "vtapweb:traffic:meter:lease"  # who writes: fence and owner, gone a few seconds after the last renewal
METER_FENCE: Final = "vtapweb:traffic:meter:fence"  # the highest fence ever given
METER_STATE: Final = "vtapweb:traffic:meter:state"  # hash: where the meter stands, for the next one
METER_COUNTS: Final = "vtapweb:traffic:meter:counts"  # hash: name -> number, for /metrics; gone METER_KEPT_S after the last tick
SYNC_ASKED: Final = "vtapweb:traffic:meter:sync"  # stands while no further sync may be asked for because of unknown sources


def member_field(collector_key: str, member: str) -> str:
    """The field of one member in BOOTS."""
    return f"{collector_key}/{member}"
