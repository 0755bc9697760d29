"""Which mirrors a node of the map stands for: the side panel shows the way of each (`traffic.ways`)."""

from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import TapConfiguration
from vtapweb.inventory.receiving import present
from vtapweb.topology.nodes import node_find


def mirror_keys_of(node_id: int, scope: Scope) -> list[str]:
    """Keys of a NIC's mirrors, or of the one mirror that the node is; none for anything else, or outside the scope."""
    node = node_find(node_id, scope)
    if node is None or node.kind not in {"nic", "mirror"}:
        return []
    of_node = {"network_interface": node.row} if node.kind == "nic" else {"key": node.key}
    return list(present(TapConfiguration, scope).filter(**of_node).order_by("key").values_list("key", flat=True))
