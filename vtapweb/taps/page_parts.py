"""Parts that several pages of the taps room show alike: what is joined to what, and who is refused for which reason."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer

NAMED_MAX = 12  # NICs that one reason names
UNACCOUNTED_GLYPH = "⚐"  # nobody's flag; the same on the map (static/js/topology/store/states.js) and in docs/glossary.md


@dataclass(frozen=True, slots=True)
class Patch:
    """What is joined to what, drawn: `light` is one of LIGHTS."""

    source: str
    source_place: str
    goal: str
    goal_place: str
    light: str

    @property
    def words(self) -> str:
        return f"{self.source} ({self.source_place}) to {self.goal} ({self.goal_place})"


@dataclass(frozen=True, slots=True)
class Cannot:
    """NICs that are refused for one and the same reason: (key, name) of each."""

    nics: Sequence[tuple[str, str]]
    message: str
    remedy: str = ""
    rule_words: str = ""

    @property
    def shown(self) -> Sequence[tuple[str, str]]:
        return self.nics[:NAMED_MAX]

    @property
    def more(self) -> int:
        return max(0, len(self.nics) - NAMED_MAX)


def together(refused: Iterable[Cannot]) -> list[Cannot]:
    """Those that say the same as one, in the order in which each was first said."""
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for one in refused:
        found.setdefault((one.message, one.remedy, one.rule_words), []).extend(one.nics)
    return [Cannot(nics, *words) for words, nics in found.items()]


def places(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    if not names:
        return "not in the inventory you may see"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def needs_operator(viewer: Viewer) -> str:
    """Why this viewer may not plan, "" where he may."""
    if viewer.may(Role.OPERATOR):
        return ""
    return f"Planning needs the role operator; yours is {viewer.role.value}. An admin can change it."
