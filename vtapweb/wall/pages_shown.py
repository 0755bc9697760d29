"""From the address of a page at the desk to what a wall would show of it: "Show on a wall" asks here.

Rule 1: what the asker may not read is not shown anywhere by him: unknown keys and foreign ones get the same answer. Rule 2: a page that has nothing
for a wall says why, and what does.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import VirtualNetworkTap
from vtapweb.inventory.receiving import present
from vtapweb.topology.models import Placement
from vtapweb.topology.nodes import Node, node_find
from vtapweb.traffic.selectors.alarms import alarm_of
from vtapweb.traffic.selectors.collectors import collector_of

K_MIN, K_MAX = 0.01, 4.0  # of static/js/topology/store/view.js
FURTHEST: Final = 1e7  # world units; no estate is as large
NODE_IDS_END: Final = 2**53
NOT_YOURS: Final = "There is no such thing, or it lies outside what you may see."
WHAT_WALLS_SHOW: Final = "Walls show the map, a collector, the list of collectors, alarms, and where a NIC, a subnet or a VNet stands on the map."


@dataclass(frozen=True, slots=True)
class PageView:
    """What a wall would show: a kind of view, its options and a name for it. A display must be allowed to read all of `subscription_ids`."""

    kind: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    subscription_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NotShown:
    """Why a wall cannot show this page, in sentences."""

    why: str


def view_of_page(address: str, scope: Scope) -> PageView | NotShown:
    """What a wall shows of the page at `address` (a path or a whole URL, with its query). At most ten queries, however large the estate."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return NotShown(WHAT_WALLS_SHOW)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    for pattern, view in PAGES:
        if found := pattern.fullmatch(parts.path):
            return view(found.groupdict(), query, scope)
    return NotShown(f"A wall has nothing to show of this page. {WHAT_WALLS_SHOW}")


def _map(_: Mapping[str, str], query: Mapping[str, str], scope: Scope) -> PageView | NotShown:
    options: dict[str, Any] = {}
    if (place := _place(query.get("at", ""))) is not None:
        options = dict(zip("xyk", place, strict=True))
    node = _node(query.get("node", ""), scope)
    if node is not None:
        options["node"] = node.id
    if query.get("unit") == "packets":
        options["unit"] = "packets"
    name = f"Map, {node.name}" if node is not None else "Map, as it was seen" if place is not None else "Map"
    return PageView("map", name, options, _owners(node))


def _place(text: str) -> tuple[float, float, float] | None:
    """ "x,y,k" of the map's address; None for what is none."""
    try:
        x, y, k = (float(one) for one in text.split(","))
    except ValueError:
        return None
    if not all(math.isfinite(one) for one in (x, y, k)) or k <= 0 or max(abs(x), abs(y)) > FURTHEST:
        return None
    return x, y, min(K_MAX, max(K_MIN, k))


def _node(text: str, scope: Scope) -> Node | None:
    is_number = text.isascii() and text.isdigit() and 0 < len(text) < 17 and 0 < int(text) < NODE_IDS_END
    return node_find(int(text), scope) if is_number else None


def _owners(node: Node | None) -> frozenset[str]:
    return frozenset({node.subscription_id.lower()}) if node is not None and node.subscription_id else frozenset()


def _placed(found: Mapping[str, str], _: Mapping[str, str], scope: Scope) -> PageView | NotShown:
    """Where a resource stands on the map."""
    number = Placement.objects.filter(key=found["key"], kind__in=("nic", "subnet", "vnet", "peering")).values_list("pk", flat=True).first()
    node = node_find(number, scope) if number is not None else None
    if node is None:
        return NotShown(f"{NOT_YOURS} What has just been made stands on the map a few seconds later.")
    return PageView("map", f"Map, {node.name}", {"node": node.id}, _owners(node))


def _collector(found: Mapping[str, str], _: Mapping[str, str], scope: Scope) -> PageView | NotShown:
    one = collector_of(scope, found["key"])
    if one is None or not one.is_in_scope:
        return NotShown(NOT_YOURS)
    return PageView("collector", one.name, {"collector": one.key}, frozenset({one.subscription_id.lower()} if one.subscription_id else ()))


def _tap(found: Mapping[str, str], query: Mapping[str, str], scope: Scope) -> PageView | NotShown:
    """The collector that a TAP leads to."""
    keys = ("destination_ip_configuration_key", "destination_frontend_key")
    key = next((one for one in present(VirtualNetworkTap, scope).filter(key=found["key"]).values_list(*keys).first() or () if one), "")
    return _collector({"key": key}, query, scope) if key else NotShown("Where this TAP leads is not known, so there is no collector to show.")


def _alarm(found: Mapping[str, str], _: Mapping[str, str], scope: Scope) -> PageView | NotShown:
    one = alarm_of(scope, int(found["number"]))
    if one is None:
        return NotShown(NOT_YOURS)
    return PageView("alarms", one.spoken, {"number": one.number}, frozenset(id_.lower() for id_ in one.subject_subscription_ids))


def _always(kind: str, name: str) -> Callable[[Mapping[str, str], Mapping[str, str], Scope], PageView]:
    return lambda _found, _query, _scope: PageView(kind, name)


KEY: Final = "(?P<key>[a-z2-7]{26})"
PAGES: Final[tuple[tuple[re.Pattern[str], Callable[[Mapping[str, str], Mapping[str, str], Scope], PageView | NotShown]], ...]] = (
    (re.compile("/"), _map),
    (re.compile("/collectors"), _always("overview", "Overview")),
    (re.compile(f"/collectors/{KEY}(?:/.*)?"), _collector),
    (re.compile("/alarms|/handover"), _always("alarms", "Alarms")),
    (re.compile("/alarms/A-(?P<number>[0-9]{1,9})"), _alarm),
    (re.compile(f"/(?:nics|subnets|vnets|peerings)/{KEY}"), _placed),
    (re.compile(f"/taps/{KEY}"), _tap),
)
