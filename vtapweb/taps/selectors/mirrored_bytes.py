"""How many bytes lives of mirrors carried, from the history of collectors; what no history covers is not known, never 0.

Rule 1: the bytes are inner ones, of the mirrored frames without what carries them, as everywhere. Rule 2: a figure stands with how much of the time
was measured, in steps of five minutes. Rule 3: the history is by NIC and collector; where two mirrors of a NIC were seen at one collector at the same
time nobody can tell whose the bytes are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import VirtualNetworkTap
from vtapweb.taps.models import Mirror
from vtapweb.traffic.history.reading import history_backend
from vtapweb.traffic.history.series import DAY, FIVE_MINUTES, Grid
from vtapweb.traffic.models import SourceFlow
from vtapweb.traffic.words import bytes_words

DAYS_MOST: Final = 31  # no history is longer unless an admin says so; older times are not known
NICS_A_TIME: Final = 50


@dataclass(frozen=True, slots=True)
class MirroredBytes:
    """`count` None: not known. `measured_s` of `wanted_s` seconds of the life (within the span asked for) were measured."""

    count: int | None
    measured_s: int
    wanted_s: int

    @property
    def share(self) -> float:
        return min(1.0, self.measured_s / self.wanted_s) if self.wanted_s else 0.0

    @property
    def words(self) -> str:
        """ "1.2 GB", "1.2 GB in the 40 % of the time that was measured", "not known"."""
        if self.count is None:
            return "not known"
        text = bytes_words(self.count)
        return text if self.share >= 0.99 else f"{text} in the {max(1, round(100 * self.share))} % of the time that was measured"


NOT_KNOWN: Final = MirroredBytes(None, 0, 0)


def mirrored_bytes(
    scope: Scope, lives: Sequence[Mirror], *, since: datetime | None, until: datetime | None, now: datetime
) -> Mapping[int, MirroredBytes]:
    """{life's number: its bytes} within the span; lives outside the scope are left out.

    Two queries, and one of history for every NICS_A_TIME NICs.
    """
    shown = [one for one in lives if scope.allows(one.subscription_id)]
    collectors = _collectors(shown)
    oldest = now - timedelta(days=DAYS_MOST)
    spans = {one.pk: _span(one, since, until, now) for one in shown}
    told = {one.pk: MirroredBytes(None, 0, max(0, round((end - begin).total_seconds()))) for one in shown for begin, end in [spans[one.pk]]}
    asked = [one for one in shown if one.pk in collectors and spans[one.pk][1] > max(spans[one.pk][0], oldest)]
    by_nic: dict[str, list[Mirror]] = {}
    for one in asked:
        by_nic.setdefault(one.nic_key, []).append(one)
    nics = sorted(by_nic)
    for some in (nics[at : at + NICS_A_TIME] for at in range(0, len(nics), NICS_A_TIME)):
        of_these = [one for nic in some for one in by_nic[nic]]
        begin = max(oldest, min(spans[one.pk][0] for one in of_these)).timestamp()
        end = max(spans[one.pk][1] for one in of_these).timestamp()
        grid = Grid.covering(begin, min(end, begin + (DAYS_MOST + 1) * DAY), FIVE_MINUTES)
        history = history_backend().read({collectors[one.pk] for one in of_these}, some, grid)
        for one in of_these:
            columns = history.get((collectors[one.pk], one.nic_key))
            if columns is not None:
                told[one.pk] = _sum(columns["bits"], grid, *spans[one.pk])
    return told


def _collectors(lives: Sequence[Mirror]) -> dict[int, str]:
    """{life's number: the collector whose history tells of it}: that of its TAP, else the only one where it was seen. Two queries."""
    flows = list(SourceFlow.objects.filter(nic_key__in=sorted({one.nic_key for one in lives})))
    taps = VirtualNetworkTap.objects.filter(key__in=sorted({one.tap_key for one in lives}))
    destinations = {tap.key: tap.destination_key for tap in taps.only("key", "destination_ip_configuration_key", "destination_frontend_key")}
    found = {}
    for life in lives:
        own = [one for one in flows if one.tap_configuration_key == life.tap_configuration_key]
        of_tap = [one for one in own if one.collector_key == destinations.get(life.tap_key)] or own
        if len(of_tap) == 1 and not any(_is_mixed(of_tap[0], other) for other in flows):
            found[life.pk] = of_tap[0].collector_key
    return found


def _is_mixed(one: SourceFlow, other: SourceFlow) -> bool:
    """Whether the other mirror's packets stand in the same history at the same time."""
    is_same_place = (one.nic_key, one.collector_key) == (other.nic_key, other.collector_key)
    return (
        is_same_place and one.tap_configuration_key != other.tap_configuration_key and one.first_at <= other.last_at and other.first_at <= one.last_at
    )


def _span(life: Mirror, since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """From when to when it is asked about: the life itself within the days, and not what is still to come."""
    begin = life.began_at or life.first_seen_at
    return max(begin, since) if since else begin, min(one for one in (life.ended_at, until, now) if one is not None)


def _sum(bits: Sequence[float], grid: Grid, begin: datetime, end: datetime) -> MirroredBytes:
    """A step that the life has only a part of counts with that part."""
    octets, measured_s, first, last = 0.0, 0.0, begin.timestamp(), end.timestamp()
    from_index, to_index = max(0, int(first - grid.start_s) // grid.step_s), -(-int(last - grid.start_s) // grid.step_s) + 1
    for at, value in zip(grid.times()[from_index:to_index], bits[from_index:to_index], strict=True):
        inside_s = min(last, at + grid.step_s) - max(first, at)
        if inside_s > 0 and value == value:
            octets += value * inside_s / 8
            measured_s += inside_s
    wanted_s = max(0, round(last - first))
    return MirroredBytes(round(octets) if measured_s else None, round(measured_s), wanted_s)
