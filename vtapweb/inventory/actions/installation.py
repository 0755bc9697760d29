"""Whose data this is: the cloud, endpoint and tenant that the data directory was first used with. Another one is refused."""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from vtapweb.inventory.models import Installation


class BoundElsewhereError(Exception):
    """The data belong to another Azure. The message is one sentence for the operator."""


@transaction.atomic
def installation_bind(*, cloud: str, endpoint: str = "", tenant_ids: Iterable[str] = ()) -> Installation:
    """Bind these data to an Azure, or check that it is the one they are bound to; returns the binding.

    `endpoint` counts for cloud "custom" alone (the simulator gets a new port at every start). Tenants: at least one must be known already,
    where both sides name any; new ones beside it are added. Raises BoundElsewhereError.
    """
    endpoint = endpoint.strip().rstrip("/").lower() if cloud == "custom" else ""
    tenants = {one.strip().lower() for one in tenant_ids if one.strip()}
    values = {"cloud": cloud, "endpoint": endpoint, "tenant_ids": sorted(tenants), "bound_at": timezone.now()}
    found, is_new = Installation.objects.select_for_update().get_or_create(pk=1, defaults=values)
    if is_new:
        return found
    if (found.cloud, found.endpoint) != (cloud, endpoint):
        raise BoundElsewhereError(
            f"These data are of {_named(found.cloud, found.endpoint)}, not of {_named(cloud, endpoint)}: use another data directory."
        )
    known = set(found.tenant_ids)
    if known and tenants and not known & tenants:
        raise BoundElsewhereError(
            f"These data are of tenant {', '.join(sorted(known))}, not of {', '.join(sorted(tenants))}: use another data directory."
        )
    if tenants - known:
        found.tenant_ids = sorted(known | tenants)
        found.save(update_fields=["tenant_ids"])
    return found


def _named(cloud: str, endpoint: str) -> str:
    return f"the cloud {cloud} at {endpoint}" if endpoint else f"the cloud {cloud}"
