"""The tokens with which collectors send samples, as people see them."""

from django.db.models import Q, QuerySet

from vtapweb.domain.arm_id import arm_key, subscription_in
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import VirtualNetworkTap
from vtapweb.inventory.selectors import in_scope
from vtapweb.traffic.models import CollectorToken


def destinations_under(scope: Scope, arm_id: str) -> list[str]:
    """The destinations of TAPs that lie in this resource (a NIC, a load balancer), as the TAPs spell them; one query."""
    start = f"{arm_id.strip().rstrip('/')}/"
    inside = Q(destination_ip_configuration_id__istartswith=start) | Q(destination_frontend_id__istartswith=start)
    taps = in_scope(VirtualNetworkTap.objects.filter(inside, removed_at=None).defer("raw", "digest").order_by("key"), scope)
    found = {arm_key(tap.destination_id): tap.destination_id for tap in taps}
    return [one for one in found.values() if scope.allows(subscription_in(one))]


def tokens_of(scope: Scope, key: str) -> QuerySet[CollectorToken]:
    """The collector's tokens, live and ended, newest first, with who made them and what took their place; one query."""
    return in_scope(CollectorToken.objects.filter(destination_key=key).select_related("created_by", "replaced_by"), scope)
