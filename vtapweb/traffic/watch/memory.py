"""What the watch remembers from one turn to the next, and hands to its successor: what stands, and when each collector was last heard."""

import msgspec

from vtapweb.domain.health import Level, Standing


class Last(msgspec.Struct, array_like=True, frozen=True):
    """The last that was heard of one member, in case Redis forgets it. `heard_s` in unix seconds."""

    heard_s: float
    interval_s: float
    lag_s: float
    is_push: bool
    nic_key: str = ""


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """A Standing as it is stored."""

    level: int
    since_s: float
    lower: int | None
    lower_since_s: float
    unseen_since_s: float | None


class Memory(msgspec.Struct, array_like=True):
    """Times in unix seconds. `standings` holds only what is not fine; `still_since`: collectors of which no packet came, since when.

    `explained`: when a mirror last explained what comes from an outer address ("collector:address"); a successor finds that out by itself.
    """

    standings: dict[str, Kept] = {}
    still_since: dict[str, float] = {}
    heard: dict[str, dict[str, Last]] = {}  # collector -> member
    intake_back_s: float | None = None  # when collectors began to come back to an intake that had an alarm
    meter_gone_s: float | None = None
    explained: dict[str, float] = {}

    def standing(self, key: str) -> Standing:
        """What stood before; fine where nothing did."""
        kept = self.standings.get(key)
        if kept is None:
            return Standing()
        lower = None if kept.lower is None else Level(kept.lower)
        return Standing(Level(kept.level), kept.since_s, lower, kept.lower_since_s, kept.unseen_since_s)

    def moved(self, by_s: float) -> "Memory":
        """The same by a clock that was set by so many seconds."""
        standings = {
            name: Kept(
                one.level,
                one.since_s + by_s,
                one.lower,
                one.lower_since_s + by_s,
                None if one.unseen_since_s is None else one.unseen_since_s + by_s,
            )
            for name, one in self.standings.items()
        }
        return Memory(
            standings,
            {key: since + by_s for key, since in self.still_since.items()},
            {key: {name: msgspec.structs.replace(one, heard_s=one.heard_s + by_s) for name, one in of.items()} for key, of in self.heard.items()},
            None if self.intake_back_s is None else self.intake_back_s + by_s,
            None if self.meter_gone_s is None else self.meter_gone_s + by_s,
            {name: at_s + by_s for name, at_s in self.explained.items()},
        )


def kept(standing: Standing) -> Kept:
    """A standing in the form in which it is stored."""
    lower = None if standing.lower is None else int(standing.lower)
    return Kept(int(standing.level), standing.since_s, lower, standing.lower_since_s, standing.unseen_since_s)


_decoder = msgspec.msgpack.Decoder(Memory)


def encode(memory: Memory) -> bytes:
    return msgspec.msgpack.encode(msgspec.structs.replace(memory, explained={}))


def decode(octets: bytes) -> Memory:
    """An empty memory for what is empty or of another release: the next turn sees for itself."""
    try:
        return _decoder.decode(octets) if octets else Memory()
    except msgspec.DecodeError:
        return Memory()
