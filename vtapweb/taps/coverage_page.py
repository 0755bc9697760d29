"""The page Coverage: groups of NICs against TAPs, as `selectors.matrix` counts them, in the words and widths of its template. Asks nothing itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from vtapweb.domain.tap_rules.facts import TapFacts
from vtapweb.inventory.selection import selection_keep
from vtapweb.taps.chooser import SELECTION_MAX, Reason, chooser_href, reason_of
from vtapweb.taps.counting import By, Coverage, Tally, kind_of
from vtapweb.taps.page_parts import NAMED_MAX
from vtapweb.taps.selectors.arriving import ArrivalCounts, Arrivals
from vtapweb.taps.selectors.matrix import Matrix, Place, Row
from vtapweb.taps.selectors.verdicts import JudgedSelection
from vtapweb.web.text import plural

ROWS_A_PAGE: Final = 50
TAPS_A_PAGE: Final = 50
NICS_A_PAGE: Final = 10_000  # judged for one page; a single group of more has a page of its own
FILTERS: Final = ("q", "by", "tag", "subscription", "show", "tap", "goals", "tpage", "why")
GROUP_WORDS: Final[Mapping[By, tuple[str, str]]] = {"vnet": ("VNet", "VNets"), "subnet": ("subnet", "subnets"), "tag": ("value", "values")}
# look → glyph and words, the same for cells and for the legend
LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "all": ("●", "all that is not mirrored yet may go there"),
    "some": ("◐", "some may"),
    "here": ("━", "mirrored there, and no more may go"),
    "unknown": ("◌", "nobody can tell"),
    "none": ("⬢", "none may"),
}


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One group against one TAP. `look` is one of LOOKS."""

    href: str
    look: str
    number: int
    here: int
    words: str

    @property
    def glyph(self) -> str:
        return LOOKS[self.look][0]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One group; the widths are percent of its NICs."""

    name: str
    href: str
    coverage: Coverage
    is_blind: bool
    arrivals: ArrivalCounts
    cells: Sequence[MatrixCell]

    @property
    def mirrored_width(self) -> float:
        return _percent(self.coverage.mirrored, self.coverage.nics)

    @property
    def could_width(self) -> float:
        return _percent(self.coverage.mirrorable, self.coverage.nics)

    @property
    def could_from(self) -> float:
        return self.mirrored_width

    @property
    def unknown_width(self) -> float:
        return _percent(self.coverage.unknown, self.coverage.nics)

    @property
    def unknown_from(self) -> float:
        return round(self.mirrored_width + self.could_width, 1)

    @property
    def silent_width(self) -> float:
        return _percent(self.arrivals.silent, self.coverage.nics)

    @property
    def silent_from(self) -> float:
        return max(0.0, round(self.mirrored_width - self.silent_width, 1))

    @property
    def share_words(self) -> str:
        share = self.coverage.share_mirrored
        return "no VM" if share is None else f"{share:.0%}"

    @property
    def words(self) -> str:
        one = self.coverage
        parts = [f"{one.mirrored:,} mirrored", f"{one.mirrorable:,} more could be", f"{one.unknown:,} not known", f"{one.refused:,} refused"]
        return f"{plural(one.nics, 'NIC')}, {one.attached:,} of a VM: {', '.join(parts)}{_of_mirrored(self.arrivals)}"


@dataclass(frozen=True, slots=True)
class GoalHead:
    """A TAP at the head of its column."""

    name: str
    href: str
    words: str
    is_idle: bool
    is_closed: bool
    is_silent: bool


@dataclass(slots=True)
class Totals:
    """NICs of several groups, as Coverage counts them."""

    nics: int = 0
    attached: int = 0
    mirrored: int = 0
    mirrorable: int = 0
    unknown: int = 0
    refused: int = 0
    reasons: list[Reason] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Neither mirrored nor mirrorable."""
        return self.unknown + self.refused


def totals_of(coverages: Sequence[Coverage]) -> Totals:
    """The sum, with one reason for each rule, the commonest first."""
    found = Totals()
    first: dict[tuple[str, str], Reason] = {}
    counts: dict[tuple[str, str], int] = {}
    for one in coverages:
        for name in ("nics", "attached", "mirrored", "mirrorable", "unknown", "refused"):
            setattr(found, name, getattr(found, name) + getattr(one, name))
        for reason in one.reasons:
            key = (reason.finding.rule_id, str(reason.finding.outcome))
            first.setdefault(key, reason_of(reason.finding))
            counts[key] = counts.get(key, 0) + reason.count
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    found.reasons = [Reason(one.rule_id, one.outcome, one.message, one.remedy, one.source, count) for key, count in ordered for one in [first[key]]]
    return found


def portions(found: Sequence[Place], rows: int) -> list[Sequence[Place]]:
    """The groups in portions of at most `rows` and, but for a single group, NICS_A_PAGE NICs; in their order, at least one (empty) portion."""
    parts: list[list[Place]] = [[]]
    nics = 0
    for one in found:
        if parts[-1] and (len(parts[-1]) == rows or nics + len(one.nic_keys) > NICS_A_PAGE):
            parts.append([])
            nics = 0
        parts[-1].append(one)
        nics += len(one.nic_keys)
    return list(parts)


def sentence_of(everything: Sequence[Place], shown: Totals, *, by: By, is_whole: bool, shown_count: int) -> str:
    """What the page says first. What could be is only told of what was judged: the groups on this page."""
    if not everything:
        return "No NIC fits."
    nics, mirrored = sum(len(one.nic_keys) for one in everything), sum(one.mirrored for one in everything)
    where = "" if is_whole else f"Of the {plural(shown_count, *GROUP_WORDS[by])} on this page, "
    if not mirrored:
        could = f"{shown.mirrorable:,} of {plural(shown.nics, 'NIC')} could be, today."
        return f"No traffic is mirrored yet. {where}{could}"
    attached = sum(one.attached for one in everything)
    of_vms = "" if attached == nics else f" ({attached:,} belong to VMs)"
    now = f"{mirrored:,} of {plural(nics, 'NIC')} {'is' if mirrored == 1 else 'are'} mirrored{of_vms}."
    return f"{now} {where}{shown.mirrorable:,} more could be, today."


def cell_address(place_key: str, tap_key: str) -> str:
    """What names one cell in the page's address. A group's key may be empty or begin with a blank, so it stands behind a sign."""
    return urlencode({"place": f"={place_key}", "goal": tap_key})


def _of_mirrored(counts: ArrivalCounts) -> str:
    return f". Of the mirrored {', '.join(words for _, words, _ in arrival_parts(counts))}" if counts.total else ""


def arrival_parts(counts: ArrivalCounts) -> list[tuple[str, str, str]]:
    """(glyph, words, state) of what is not 0: "4 flowing", "1 silent", "2 configured, nothing seen yet", "3 cannot be seen here"."""
    parts = (
        (counts.flowing, "●", "flowing", "flowing"),
        (counts.silent, "∅", "silent", "silent"),
        (counts.not_yet, "…", "configured, nothing seen yet", "not_yet"),
        (counts.cannot_be_seen, "?", "cannot be seen here", "cannot_be_seen"),
    )
    return [(glyph, f"{number:,} {words}", state) for number, glyph, words, state in parts if number]


def matrix_rows(found: Matrix, here: str, arrivals: Arrivals) -> list[MatrixRow]:
    """`here` is the page's own query string, that of a cell's address follows it."""
    prefix = f"{here}&" if len(here) > 1 else "?"
    return [
        MatrixRow(
            name=row.place.name,
            href=_place_href(row.place),
            coverage=row.coverage,
            is_blind=row.place.is_blind,
            arrivals=arrivals.counts_of(row.coverage.mirrored_keys, row.coverage.mirrored),
            cells=[_cell(row, tap, row.tallies[tap.key], prefix) for tap in found.taps],
        )
        for row in found.rows
    ]


def goal_heads(found: Matrix, arrivals: Mapping[str, ArrivalCounts]) -> list[GoalHead]:
    """The TAPs of the columns. `arrivals` by TAP."""
    heads = []
    for tap in found.taps:
        closed = found.closed.get(tap.key)
        number = tap.configuration_count
        sources = "sources not known" if number is None else plural(number, "source") if number else "nobody mirrors to it"
        counts = arrivals.get(tap.key, ArrivalCounts())
        flows = f" · {', '.join(words for _, words, _ in arrival_parts(counts))}" if counts.total else ""
        words = f"{tap.name} · {tap.region} · {sources}{flows}" + (f" · {closed.message}" if closed else "")
        is_closed = closed is not None
        heads.append(GoalHead(tap.name, f"/taps/{tap.key}", words, is_idle=is_idle(tap), is_closed=is_closed, is_silent=counts.is_silent))
    return heads


def is_idle(tap: TapFacts) -> bool:
    """Nobody mirrors to it, as far as anybody knows."""
    return tap.configuration_count == 0


def _cell(row: Row, tap: TapFacts, tally: Tally, prefix: str) -> MatrixCell:
    rest = tally.may + tally.unknown + tally.refused
    look = "all" if tally.may and tally.may == rest else "some" if tally.may else "here" if tally.here else "unknown" if tally.unknown else "none"
    return MatrixCell(
        href=prefix + cell_address(row.place.key, tap.key),
        look=look,
        number=tally.may or tally.here or tally.unknown,
        here=tally.here,
        words=f"{row.place.name or 'without a name'} → {tap.name}: {tally_words(tally)}",
    )


def tally_words(tally: Tally) -> str:
    """The numbers of a cell in words, those that are not 0."""
    numbers = ((tally.may, "may go"), (tally.here, "mirrored there"), (tally.unknown, "not known"), (tally.refused, "refused"))
    return ", ".join(f"{number:,} {words}" for number, words in numbers if number) or "no NIC"


def _place_href(place: Place) -> str:
    if not place.arm_id:
        return ""
    return f"/{'subnets' if '/subnets/' in place.arm_id.lower() else 'vnets'}/{place.key}"


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0


# --- one cell, opened ---------------------------------------------------------------------------------------------------------------------------


SAID_MAX: Final = 4  # different words of one rule that a cell tells


@dataclass(slots=True)
class Share:
    """NICs of a cell that one rule decides about alike: `nics` are (key, name), `said` its different words, each with its count."""

    kind: str
    nics: list[tuple[str, str]] = field(default_factory=list)
    said: dict[tuple[str, str], Reason] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return TITLES[self.kind]

    @property
    def reasons(self) -> list[Reason]:
        return list(self.said.values())[:SAID_MAX]

    @property
    def more_said(self) -> int:
        return max(0, len(self.said) - SAID_MAX)

    @property
    def shown(self) -> Sequence[tuple[str, str]]:
        return self.nics[:NAMED_MAX]

    @property
    def more(self) -> int:
        return max(0, len(self.nics) - NAMED_MAX)


@dataclass(frozen=True, slots=True)
class OpenCell:
    """A cell's reasons. `go_href` leads to the chooser with those that may go, `all_href` with all that are not mirrored there."""

    place: str
    tap: str
    tap_href: str
    words: str
    shares: Sequence[Share]
    go_count: int
    go_href: str
    all_href: str
    cut: int


TITLES: Final = {"may": "may go there", "here": "mirrored there now", "unknown": "nobody can tell", "refused": "may not"}


def open_cell(place: Place, found: JudgedSelection) -> OpenCell:
    """`found` has judged the group's NICs against the one TAP. Keeps the selections that its links name."""
    tap = found.taps[0]
    tally = Tally()
    shares: dict[tuple[str, str], Share] = {}
    for source in found.sources:
        kind, why = kind_of(found, source, tap)
        tally.count(kind, why, 1)
        share = shares.setdefault((kind, why.rule_id if why else ""), Share(kind))
        share.nics.append((source.key, source.name))
        if why is not None:
            words = why.message, why.remedy
            share.said[words] = reason_of(why, share.said[words].count + 1 if words in share.said else 1)
    order = list(TITLES)
    ordered = sorted(shares.values(), key=lambda one: (order.index(one.kind), -len(one.nics)))
    going = [key for share in ordered if share.kind == "may" for key, _ in share.nics]
    rest = [key for share in ordered if share.kind != "here" for key, _ in share.nics]
    return OpenCell(
        place=place.name,
        tap=tap.name,
        tap_href=f"/taps/{tap.key}",
        words=tally_words(tally),
        shares=ordered,
        go_count=min(len(going), SELECTION_MAX),
        go_href=_chooser(going, tap) if going else "",
        all_href=_chooser(rest, tap) if rest else "",
        cut=max(0, len(going) - SELECTION_MAX),
    )


def _chooser(keys: Iterable[str], tap: TapFacts) -> str:
    return chooser_href("tap", selection_keep(list(keys)[:SELECTION_MAX]), tap=tap.key)
