"""What a new TAP may send to: internal load balancers' frontends and NICs, found by name. A fixed number of queries, whatever is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, Q, Value, When

from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.cells import name_of, vnet_id_of
from vtapweb.inventory.models import FrontendIpConfiguration, IpConfiguration, ResourceGroup, VirtualNetworkTap

EACH_MAX = 20  # of a kind
GROUPS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Destination:
    """One ipConfiguration that a TAP could name."""

    arm_id: str
    subscription_id: str
    owner: str
    owner_group: str
    kind: str
    place: str
    address: str
    taps: Sequence[str]

    @property
    def taps_words(self) -> str:
        return f"already behind {', '.join(self.taps[:3])}" if self.taps else ""


def _of(one: FrontendIpConfiguration | IpConfiguration, kind: str, taps: dict[str, list[str]]) -> Destination:
    owner = vnet_id_of(one.arm_id)
    place = " / ".join(name_of(part) for part in (vnet_id_of(one.subnet_id), one.subnet_id) if part)
    return Destination(
        one.arm_id, one.subscription_id, name_of(owner), one.resource_group, kind, place, one.private_ip_address, taps.get(one.key, [])
    )


def destinations(scope: Scope, q: str, chosen: str = "") -> list[Destination]:
    """The destination `chosen` (an ARM id) first, then frontends, then NICs whose names hold `q`; without `q` NICs that are collectors already.

    Three queries. Public frontends are left out: a TAP cannot send there.
    """
    taps: dict[str, list[str]] = {}
    for tap in VirtualNetworkTap.objects.defer("raw", "digest").filter(in_scope(scope), removed_at=None).order_by("name"):
        taps.setdefault(tap.destination_key, []).append(tap.name)
    key = arm_key(chosen) if chosen else ""
    first = Case(When(key=key, then=Value(0)), default=Value(1))
    q = q.strip()
    wanted = Q(key=key) | Q(load_balancer__name__icontains=q) | Q(private_ip_address=q) if q else Q()
    inside = FrontendIpConfiguration.objects.filter(in_scope(scope), removed_at=None).exclude(subnet_key="")
    frontends = list(inside.filter(wanted).order_by(first, "load_balancer__name", "key")[:EACH_MAX])
    nics = IpConfiguration.objects.filter(in_scope(scope), removed_at=None, network_interface__removed_at=None)
    wanted = Q(network_interface__name__icontains=q) | Q(private_ip_address=q) if q else Q(key__in=list(taps))
    addresses = list(nics.filter(Q(key=key) | wanted).order_by(first, "network_interface__name", "key")[:EACH_MAX])
    found = [_of(one, "internal load balancer", taps) for one in frontends] + [_of(one, "NIC", taps) for one in addresses]
    return sorted(found, key=lambda one: arm_key(one.arm_id) != key)


def group_names(scope: Scope, subscription_id: str) -> list[str]:
    """The resource groups of a subscription in scope, by name; while none is known (""), those of all in scope. One query."""
    found = ResourceGroup.objects.filter(in_scope(scope), removed_at=None)
    if subscription_id:
        found = found.filter(subscription_id=subscription_id)
    return list(found.order_by("name").values_list("name", flat=True).distinct()[:GROUPS_MAX])
