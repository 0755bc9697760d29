"""What the map lights while somebody chooses: TAPs for selected NICs, NICs for a TAP; and what the side panel says of them. Judges nothing itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from vtapweb.access.viewer import Viewer
from vtapweb.inventory.models import (
    FrontendIpConfiguration,
    IpConfiguration,
    NetworkInterface,
    Subnet,
    VirtualNetworkPeering,
)
from vtapweb.inventory.receiving import present
from vtapweb.inventory.selection import selection_keys
from vtapweb.taps.chooser import (
    ALREADY_THERE,
    SELECTION_MAX,
    WAYS,
    Goal,
    Reason,
    Selected,
    cannot_at_all,
    chooser_href,
    goal_of,
    grouped,
    judged,
    selected_nics,
    taps_in,
)
from vtapweb.taps.page_parts import Cannot, needs_operator
from vtapweb.topology.models import Placement
from vtapweb.web.text import plural

LISTED_MAX = 50
SOURCES_MAX = 5_000


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
    title: str = WAYS["tap"]
    light: str = ""
    choices: Sequence[Choice] = ()
    cannot: Sequence[Cannot] = ()
    cannot_more: int = 0
    page_href: str = ""
    why_not: str = ""
    problem: str = ""
    is_without_tap: bool = False


def choices_of(select: str, viewer: Viewer, action: str = "tap") -> Choices:
    """Where the NICs that `select=` names may go; `action` is tap or move. As many queries as a judgement, and one for the places on the map."""
    keys = selection_keys(select)
    if keys is None:
        return Choices("", problem="This selection is no longer kept. Select the NICs again.")
    if len(keys) > SELECTION_MAX:
        return Choices("", problem=f"{plural(len(keys), 'NIC')} are selected; at most {SELECTION_MAX:,} are judged at once. Select fewer.")
    judgement, selected, taps = judged(viewer.scope, action, selected_nics(viewer.scope, keys), taps_in(viewer.scope))
    nics = selected.mirrored if action == "move" else selected.nics
    if not nics:
        words = "None of the selected NICs is there any more." if not selected.nics else "None of the selected NICs is mirrored."
        return Choices("", problem=words)
    nodes = nodes_standing([nic.key for nic in nics] + [key for tap in taps for key in (tap.destination_key, tap.key) if key])
    found = []
    for tap in taps:
        allowed = [nodes[nic.key] for nic in nics if nic.key in nodes and judgement.verdict(nic.key, tap.key).allowed]
        card = nodes.get(tap.destination_key) or nodes.get(tap.key)
        lit = [*allowed, card] if allowed and card else allowed
        href = chooser_href(action, select, tap=tap.key)
        found.append((Choice(goal_of(tap, nics, judgement), ",".join(map(str, lit)), href), lit))
    found.sort(key=lambda one: (-one[0].goal.allowed, one[0].goal.name.lower(), one[0].goal.key))
    cannot = cannot_at_all(nics, taps, judgement)
    usable = sum(choice.goal.may for choice, _ in found)
    return Choices(
        title=WAYS[action],
        sentence=f"{usable:,} of {plural(len(taps), 'TAP')} may take some of {plural(len(nics), 'NIC')}.",
        light=",".join(str(one) for one in sorted({node for _, lit in found for node in lit})),
        choices=[choice for choice, _ in found[:LISTED_MAX]],
        cannot=cannot[:LISTED_MAX],
        cannot_more=max(0, len(cannot) - LISTED_MAX),
        page_href=chooser_href(action, select),
        why_not=needs_operator(viewer),
        is_without_tap=not taps,
    )


def reach_of(nic_key: str, viewer: Viewer) -> str:
    """Whether a NIC can be mirrored, in one sentence, "" where there is no such NIC. As many queries as a judgement."""
    selected = selected_nics(viewer.scope, [nic_key])
    action = "move" if selected.mirrored else "tap"
    judgement, selected, taps = judged(viewer.scope, action, selected, taps_in(viewer.scope))
    if not selected.nics:
        return ""
    verdicts = [judgement.verdict(nic_key, tap.key) for tap in taps]
    if action == "move":
        verdicts = [one for one in verdicts if not any(finding.rule_id == ALREADY_THERE for finding in one.deciding)]
    allowed = sum(verdict.allowed is True for verdict in verdicts)
    many = plural(len(verdicts), "other TAP" if action == "move" else "TAP")
    verb = "It is mirrored, and can move" if action == "move" else "It can go"
    if not verdicts:
        return "It is mirrored, and there is no other TAP." if action == "move" else "There is no TAP yet that it could go to."
    if allowed:
        return f"{verb} to {allowed:,} of {many}."
    unknown = sum(verdict.allowed is None for verdict in verdicts)
    reasons = grouped(verdict.deciding[0] for verdict in verdicts if verdict.deciding)
    best = min(reasons, key=lambda one: (one.outcome != "block", -one.count), default=None)
    none = f"Whether it can go to any of {many} is not known." if unknown == len(verdicts) else f"{verb} to none of {many}."
    return f"{none} {best.message}" if best else none


@dataclass(frozen=True, slots=True)
class Sources:
    """The panel that tells which NICs may be mirrored to a TAP. `light` are their node ids and the collector's, `nics` theirs alone."""

    name: str
    sentence: str
    light: str
    nics: str
    count: int
    reasons: Sequence[Reason]
    is_cut: bool
    why_not: str


def sources_of(tap_key: str, viewer: Viewer) -> Sources | None:
    """Which NICs of the collector's VNet and of VNets peered with it may be mirrored to this TAP; None for a TAP that is not in scope.

    At most SOURCES_MAX of them, by name, are judged. As many queries as a judgement, and six.
    """
    tap = next((one for one in taps_in(viewer.scope) if one.key == tap_key), None)
    if tap is None:
        return None
    here = present(Subnet, viewer.scope).filter(
        Q(key__in=present(IpConfiguration, viewer.scope).filter(key=tap.destination_ip_configuration_key).values("subnet_key"))
        | Q(key__in=present(FrontendIpConfiguration, viewer.scope).filter(key=tap.destination_frontend_key).values("subnet_key"))
    )
    vnet_keys = set(here.values_list("virtual_network_id", flat=True))
    peers = present(VirtualNetworkPeering, viewer.scope).filter(virtual_network_id__in=vnet_keys)
    vnet_keys |= set(peers.values_list("remote_virtual_network_key", flat=True))
    rows = present(NetworkInterface, viewer.scope).filter(virtual_network_key__in=vnet_keys, is_mirrored=False).exclude(virtual_machine_key="")
    near = list(rows.defer("raw", "digest").order_by("name", "key")[: SOURCES_MAX + 1])
    judgement, selected, _ = judged(viewer.scope, "tap", Selected(near[:SOURCES_MAX]), [tap])
    verdicts = {nic.key: judgement.verdict(nic.key, tap.key) for nic in selected.nics}
    may = [key for key, verdict in verdicts.items() if verdict.allowed is True]
    nodes = nodes_standing([*may, tap.destination_key or tap.key])
    lit = sorted(nodes[key] for key in may if key in nodes)
    card = nodes.get(tap.destination_key or tap.key)
    return Sources(
        name=tap.name,
        sentence=f"{len(may):,} of {plural(len(verdicts), 'NIC')} near it may be mirrored to {tap.name}.",
        light=",".join(map(str, [*lit, card] if card else lit)),
        nics=",".join(map(str, lit)),
        count=len(lit),
        reasons=grouped(one.deciding[0] for one in verdicts.values() if one.allowed is not True and one.deciding)[:5],
        is_cut=len(near) > SOURCES_MAX,
        why_not=needs_operator(viewer),
    )


def nodes_standing(keys: Sequence[str]) -> dict[str, int]:
    """Node ids by key, in one query for every thousand keys. A NIC that is a collector has a place of each kind; its own key names the NIC's."""
    found: dict[str, int] = {}
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), 1_000):
        places = Placement.objects.filter(key__in=wanted[start : start + 1_000], kind__in=("nic", "collector"))
        found |= dict(places.values_list("key", "pk"))
    return found
