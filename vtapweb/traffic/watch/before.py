"""What mirrored sources sent in the last 15 minutes, from the rings: for those that send nothing now and of which the meter does not know it yet, as
after its restart or a hole. So rule H4 need not wait for the meter's own means.

Rule: only what was measured counts, and a source has stopped only if a whole minute of it was.
"""

from array import array
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import redis
import structlog

from vtapweb.traffic.ring import ROWS, RingBusyError, packets_column, read_ring
from vtapweb.traffic.samples import SourceNow

LEAST_KNOWN_S: Final = 300  # of the 15 minutes, as the meter's own mean has it
STILL_S: Final = 60  # the newest seconds that are known, all of them 0
PIECE_S: Final = 60  # a ring of 20,000 sources has 144 MB; so much of it is read at a time
COLLECTORS_A_TURN: Final = 50
AGAIN_S: Final = 15.0  # what was not to be known is asked for again

log = structlog.get_logger(__name__)


class Sent(NamedTuple):
    """What a source sent in the last 15 minutes: the mean in packets/s, and the newest second (unix) that had any; 0: none had."""

    packets_per_s: float
    last_s: float


Known = dict[tuple[str, str], Sent]  # by keys of collector and NIC


class Before:
    """Remembers what was read for as long as it is needed."""

    def __init__(self) -> None:
        self._known: Known = {}
        self._asked_s: dict[tuple[str, str], float] = {}

    def sent(self, client: "redis.Redis", sources: Mapping[str, Sequence[SourceNow]], *, now_s: float, steady_s: float) -> Known:
        """Of each source that sends nothing now, and of which the meter does not know the mean of 15 minutes or the last packet.

        One of which it cannot be known is absent; where there is none such, nothing is read. `now_s` in unix seconds, `steady_s` by a clock that
        nobody sets. A ring that cannot be read now is read later.
        """
        waiting = {
            (key, row.nic_key)
            for key, rows in sources.items()
            for row in rows
            if row.tap_configuration_key and row.packets_per_s_60s == 0 and (row.packets_per_s_900s is None or not row.last_packet_ms)
        }
        self._known = {one: sent for one, sent in self._known.items() if one in waiting}
        self._asked_s = {one: at_s for one, at_s in self._asked_s.items() if one in waiting}
        due: dict[str, list[str]] = {}
        for one in sorted(waiting - self._known.keys()):
            if one not in self._asked_s or steady_s - self._asked_s[one] >= AGAIN_S:
                due.setdefault(one[0], []).append(one[1])
        for key in list(due)[:COLLECTORS_A_TURN]:
            self._asked_s.update({(key, nic_key): steady_s for nic_key in due[key]})
            try:
                self._known.update({(key, nic_key): sent for nic_key, sent in _read(client, key, due[key], end_s=int(now_s)).items()})
            except (redis.RedisError, RingBusyError) as problem:
                log.warning("watch.ring_not_read", collector=key, problem=str(problem))
        return dict(self._known)


def _read(client: "redis.Redis", collector_key: str, nic_keys: Collection[str], *, end_s: int) -> dict[str, Sent]:
    """By key of the NIC, of those that have stopped as far as the ring knows."""
    known = {packets_column(key): array("f") for key in nic_keys}
    last_s = dict.fromkeys(known, 0)
    for from_s in range(end_s - ROWS, end_s, PIECE_S):
        view = read_ring(client, collector_key, from_s=from_s, to_s=from_s + PIECE_S, columns=known.keys())
        for name, values in view.columns.items():
            known[name].extend(value for value in values if value == value)
            last_s[name] = max((second for second, value in zip(view.seconds, values, strict=True) if value > 0), default=last_s[name])
    found = {}
    for key in nic_keys:
        values = known[packets_column(key)]
        if len(values) >= LEAST_KNOWN_S and not any(values[-STILL_S:]):
            found[key] = Sent(sum(values) / len(values), float(last_s[packets_column(key)]))
    return found
