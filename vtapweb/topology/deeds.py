"""What one can do with a node of the map, for the side panel: each deed with its address, or with the reason why not. Nothing is done here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from vtapweb.access.viewer import Viewer
from vtapweb.inventory.models import FrontendIpConfiguration, IpConfiguration, NetworkInterface, TapConfiguration, VirtualNetworkTap
from vtapweb.inventory.receiving import present
from vtapweb.taps.chooser import chooser_href
from vtapweb.taps.page_parts import needs_operator
from vtapweb.topology.nodes import Node


@dataclass(frozen=True, slots=True)
class Deed:
    """A button or link. `panel`: its address is shown in the side panel; `why_not`: a sentence, and then it cannot be pressed."""

    label: str
    href: str = ""
    panel: str = ""
    why_not: str = ""
    of: str = ""  # the name of what it is done to, where a panel lists several


def plan_href(action: str, nic_key: str) -> str:
    """Where the plan for one NIC begins."""
    return "/mirror/plan?" + urlencode({"action": action, "select": nic_key})


def unaccounted_href(name: str) -> str:
    """The page that adopts or removes what nobody answers for, filtered to a name."""
    return "/unaccounted?" + urlencode({"q": name})


def deeds_of(node: Node, viewer: Viewer) -> Sequence[Deed]:
    """In the order in which they are offered; one query for a NIC, none for others."""
    make = DEEDS.get(node.kind)
    return make(node, viewer) if make else ()


def _nic(node: Node, viewer: Viewer) -> list[Deed]:
    nic: NetworkInterface = node.row
    why_not = needs_operator(viewer)
    if nic.is_mirrored:
        deeds = [
            Deed("Stop mirroring…", plan_href("untap", nic.key), why_not=why_not),
            Deed("Move to…", chooser_href("move", nic.key), panel="/map/mirror?" + urlencode({"action": "move", "select": nic.key})),
        ]
    else:
        what = "" if nic.virtual_machine_id else "Azure mirrors NICs of VMs only."
        deeds = [Deed("Mirror to…", chooser_href("tap", nic.key), panel="/map/mirror?" + urlencode({"select": nic.key}), why_not=what)]
    if nic.virtual_machine_id:
        addresses = list(present(IpConfiguration, viewer.scope).filter(network_interface=nic).order_by("name", "key"))
        best = next((one for one in addresses if one.is_primary), addresses[0] if addresses else None)
        if best is not None:
            deeds.append(_create(best, why_not))
    return deeds


def _create(destination: IpConfiguration | FrontendIpConfiguration, why_not: str, of: str = "") -> Deed:
    return Deed("Create a TAP here…", "/taps/new?" + urlencode({"destination": destination.arm_id}), why_not=why_not, of=of)


def _collector(node: Node, viewer: Viewer) -> list[Deed]:
    why_not = needs_operator(viewer)
    deeds = [deed for tap in node.more["taps"] for deed in _tap(tap, why_not)]
    if not node.more["is_nic"]:
        deeds.append(_create(node.row, why_not, node.name))
    return deeds


def _tap(tap: VirtualNetworkTap, why_not: str) -> list[Deed]:
    return [
        Deed("Mirror NICs to it…", panel=f"/map/sources/{tap.key}", of=tap.name),
        Deed("Edit tags", f"/taps/{tap.key}/tags", why_not=why_not, of=tap.name),
        Deed("Delete…", f"/taps/{tap.key}/delete", why_not=why_not, of=tap.name),
    ]


def _unreadable(node: Node, viewer: Viewer) -> list[Deed]:
    """The TAPs of a destination that is gone can still be tagged and deleted; nothing new is mirrored to them."""
    why_not = needs_operator(viewer)
    return [deed for tap in node.more["taps"] for deed in _tap(tap, why_not)[1:]]


def _mirror(node: Node, viewer: Viewer) -> list[Deed]:
    row: TapConfiguration = node.row
    why_not = needs_operator(viewer)
    is_unaccounted = node.more.get("is_unaccounted", False)
    adopt = [Deed("Adopt…", unaccounted_href(row.network_interface.name), why_not=why_not)] if is_unaccounted else []
    end = "Plan removal…" if is_unaccounted else "Stop mirroring…"
    key = row.network_interface_id
    move = "/map/mirror?" + urlencode({"action": "move", "select": key})
    return [*adopt, Deed(end, plan_href("untap", key), why_not=why_not), Deed("Move to…", chooser_href("move", key), panel=move)]


DEEDS: Mapping[str, Callable[[Node, Viewer], list[Deed]]] = {
    "nic": _nic, "collector": _collector, "unreadable": _unreadable, "mirror": _mirror,
}  # fmt: skip


def may_not_words(deeds: Sequence[Deed]) -> Sequence[str]:
    """Each reason once."""
    return list(dict.fromkeys(deed.why_not for deed in deeds if deed.why_not))
