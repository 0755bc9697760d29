"""What the map lights while somebody chooses a TAP for the selected NICs, and what the side panel says of each TAP. Judges nothing itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.inventory.selection import selection_keys
from vtapweb.taps.chooser import SELECTION_MAX, Goal, cannot_at_all, goal_of, judged, selected_nics, taps_in
from vtapweb.taps.page_parts import Cannot
from vtapweb.topology.models import Placement
from vtapweb.web.text import plural

LISTED_MAX = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """One TAP: how well it fits, what the map lights for it (node ids, with commas), and where its plan begins."""

    goal: Goal
    light: str
    href: str


@dataclass(frozen=True, slots=True)
class Choices:
    """The panel. `problem` is a sentence where there is nothing to choose from; `light` are the node ids of all that may be chosen."""

    sentence: str
    light: str = ""
    choices: Sequence[Choice] = ()
    cannot: Sequence[Cannot] = ()
    cannot_more: int = 0
    page_href: str = ""
    why_not: str = ""
    problem: str = ""
    is_without_tap: bool = False


def choices_of(select: str, viewer: Viewer) -> Choices:
    """Where the NICs that `select=` names may go. As many queries as a judgement, and one for the places on the map."""
    keys = selection_keys(select)
    if keys is None:
        return Choices("", problem="This selection is no longer kept. Select the NICs again.")
    if len(keys) > SELECTION_MAX:
        return Choices("", problem=f"{plural(len(keys), 'NIC')} are selected; at most {SELECTION_MAX:,} are judged at once. Select fewer.")
    judgement, selected, taps = judged(viewer.scope, "tap", selected_nics(viewer.scope, keys), taps_in(viewer.scope))
    nics = selected.nics
    if not nics:
        return Choices("", problem="None of the selected NICs is there any more.")
    nodes = _nodes([nic.key for nic in nics] + [key for tap in taps for key in (tap.destination_key, tap.key) if key])
    found = []
    for tap in taps:
        allowed = [nodes[nic.key] for nic in nics if nic.key in nodes and judgement.verdict(nic.key, tap.key).allowed]
        card = nodes.get(tap.destination_key) or nodes.get(tap.key)
        lit = [*allowed, card] if allowed and card else allowed
        href = "/mirror?" + urlencode({"select": select, "action": "tap", "tap": tap.key})
        found.append((Choice(goal_of(tap, nics, judgement), ",".join(map(str, lit)), href), lit))
    found.sort(key=lambda one: (-one[0].goal.allowed, one[0].goal.name.lower(), one[0].goal.key))
    cannot = cannot_at_all(nics, taps, judgement)
    usable = sum(choice.goal.may for choice, _ in found)
    why_not = "" if viewer.may(Role.OPERATOR) else f"Planning needs the role operator; yours is {viewer.role.value}. An admin can change it."
    return Choices(
        sentence=f"{usable:,} of {plural(len(taps), 'TAP')} may take some of {plural(len(nics), 'NIC')}.",
        light=",".join(str(one) for one in sorted({node for _, lit in found for node in lit})),
        choices=[choice for choice, _ in found[:LISTED_MAX]],
        cannot=cannot[:LISTED_MAX],
        cannot_more=max(0, len(cannot) - LISTED_MAX),
        page_href="/mirror?" + urlencode({"select": select, "action": "tap"}),
        why_not=why_not,
        is_without_tap=not taps,
    )


def _nodes(keys: Sequence[str]) -> dict[str, int]:
    """Node ids by key, in one query for every thousand keys. A NIC that is a collector has a place of each kind; its own key names the NIC's."""
    found: dict[str, int] = {}
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), 1_000):
        places = Placement.objects.filter(key__in=wanted[start : start + 1_000], kind__in=("nic", "collector"))
        found |= dict(places.values_list("key", "pk"))
    return found
