"""Picking on the map where a new TAP shall send to: what the map lights, and what a click on it chooses. Judges nothing itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vtapweb.access.viewer import Viewer
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.judge import judge
from vtapweb.domain.tap_rules.rule import Outcome
from vtapweb.inventory.models import BackendAddressPool, FrontendIpConfiguration, IpConfiguration
from vtapweb.inventory.receiving import present
from vtapweb.taps.chooser import Reason, grouped
from vtapweb.taps.page_parts import needs_operator
from vtapweb.taps.selectors.facts import ProposedTap, world_of
from vtapweb.topology.choices import nodes_standing
from vtapweb.topology.nodes import Node
from vtapweb.web.text import plural

NICS_MAX = 1_000
LISTED_MAX = 50


@dataclass(frozen=True, slots=True)
class Balancer:
    """An internal load balancer's frontend that may be chosen; `light` are its card, where it has one, and the NICs behind it."""

    name: str
    address: str
    arm_id: str
    light: str


@dataclass(frozen=True, slots=True)
class Pick:
    """The panel: `light` are the node ids that may be clicked."""

    sentence: str
    light: str
    balancers: Sequence[Balancer]
    reasons: Sequence[Reason]
    is_cut: bool
    why_not: str


def pick_of(viewer: Viewer) -> Pick:
    """What the rules do not refuse as a TAP's destination: frontends, NICs of VMs (by name, NICS_MAX at most). Queries as `world_of`, and five."""
    scope = viewer.scope
    frontends = list(
        present(FrontendIpConfiguration, scope)
        .exclude(subnet_key="")
        .select_related("load_balancer")
        .defer("load_balancer__raw")
        .order_by("load_balancer__name", "key")[:NICS_MAX]
    )
    rows = present(IpConfiguration, scope).filter(network_interface__removed_at=None).exclude(network_interface__virtual_machine_key="")
    addresses = list(
        rows.exclude(is_primary=False).order_by("network_interface__name", "key").values_list("key", "arm_id", "network_interface_id")[: NICS_MAX + 1]
    )
    nics = {key: (arm_id, nic_key) for key, arm_id, nic_key in addresses[:NICS_MAX]}
    wanted = [*((one.key, one.arm_id) for one in frontends), *((key, arm_id) for key, (arm_id, _) in nics.items())]
    facts = world_of(scope, source_keys=[], tap_keys=[], proposed=[ProposedTap(_wanted_id(arm_id), arm_id) for _, arm_id in wanted])
    judgement = judge(facts.world, (), facts.taps)
    refused = {}
    for key, arm_id in wanted:
        verdict = judgement.tap_verdict(arm_key(_wanted_id(arm_id)))
        if block := next((one for one in verdict.findings if one.outcome is Outcome.BLOCK), None):
            refused[key] = block
    behind = _behind(scope, [one for one in frontends if one.key not in refused])
    cards = [one.key for one in frontends if one.key not in refused]
    may = {key: nic_key for key, (_, nic_key) in nics.items() if key not in refused}
    nodes = nodes_standing([*cards, *may, *may.values(), *(nic for found in behind.values() for nic in found)])
    lit = {nodes[one] for one in (*cards, *may, *may.values()) if one in nodes}
    return Pick(
        sentence=f"{len(cards):,} of {plural(len(frontends), 'load balancer')} and {len(may):,} of {plural(len(nics), 'NIC')} may be collectors.",
        light=",".join(map(str, sorted(lit))),
        balancers=[
            Balancer(one.load_balancer.name, one.private_ip_address, one.arm_id, _ids(nodes, [one.key, *behind.get(one.key, ())]))
            for one in frontends
            if one.key not in refused
        ][:LISTED_MAX],
        reasons=grouped(refused.values())[:5],
        is_cut=len(addresses) > NICS_MAX,
        why_not=needs_operator(viewer),
    )


def destination_of(node: Node, scope: Scope) -> str:
    """The ARM id that a TAP to this node names, "" where it is none: a NIC's primary ipConfiguration, a collector's own destination. One query."""
    if node.kind == "nic":
        rows = present(IpConfiguration, scope).filter(network_interface_id=node.key).exclude(is_primary=False).order_by("name", "key")
        return rows.values_list("arm_id", flat=True).first() or ""
    return str(node.more["taps"][0].destination_id) if node.kind == "collector" else ""


def _wanted_id(destination_id: str) -> str:
    """The id of a TAP that nobody made yet, beside its destination; each has its own, for each is judged."""
    group = "/".join(destination_id.split("/")[:5])
    return f"{group}/providers/Microsoft.Network/virtualNetworkTaps/to-{arm_key(destination_id)}"


def _behind(scope: Scope, frontends: Sequence[FrontendIpConfiguration]) -> dict[str, list[str]]:
    """{frontend: the NICs in its load balancer's pools}; two queries."""
    pools: dict[str, list[str]] = {}
    rows = present(BackendAddressPool, scope).filter(load_balancer__in={one.load_balancer_id for one in frontends})
    for balancer, members in rows.values_list("load_balancer_id", "ip_configuration_ids"):
        pools.setdefault(balancer, []).extend(arm_key(one) for one in members)
    members = sorted({key for found in pools.values() for key in found})
    nic_of = dict(present(IpConfiguration, scope).filter(key__in=members[:NICS_MAX]).values_list("key", "network_interface_id"))
    return {one.key: [nic_of[key] for key in pools.get(one.load_balancer_id, ()) if key in nic_of] for one in frontends}


def _ids(nodes: dict[str, int], keys: Iterable[str]) -> str:
    return ",".join(str(nodes[key]) for key in dict.fromkeys(keys) if key in nodes)
