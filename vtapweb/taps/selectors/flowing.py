"""Whether mirrors flow, as the taps room knows it: with the moment at which a change of ours read each back as made."""

from collections.abc import Collection, Iterable
from datetime import datetime

from vtapweb.domain.scope import Scope
from vtapweb.inventory.receiving import chunks
from vtapweb.inventory.selectors import in_scope
from vtapweb.taps.models import ChangeStep, LedgerEntry, Mirror
from vtapweb.traffic.selectors.flowing import Flow, flow_of


def mirrors_flow(scope: Scope, tap_configuration_keys: Collection[str]) -> dict[str, Flow]:
    """{key: its flow} of the mirrors that are there and in scope. Six queries, one more of most for every 900; two calls of Redis."""
    if not tap_configuration_keys:
        return {}
    return flow_of(scope, tap_configuration_keys, verified=_verified(scope, tap_configuration_keys))


def flows_of_steps(scope: Scope, steps: Iterable[ChangeStep]) -> dict[str, Flow]:
    """{key of the TAP configuration: its flow} of what these steps made and what is still there. Five queries, none where nothing was made."""
    made = [step for step in steps if step.has_mirror]
    verified = {step.target_key: step.verified_at for step in made if step.verified_at is not None}
    return flow_of(scope, [step.target_key for step in made], verified=verified) if made else {}


def _verified(scope: Scope, keys: Collection[str]) -> dict[str, datetime]:
    """When a change of ours saw each of them made. What others made, a sync found at some time later: that does not count."""
    made = in_scope(Mirror.objects.filter(origin=LedgerEntry.Origin.CHANGE, ended_at=None).exclude(began_at=None), scope)
    found: dict[str, datetime] = {}
    for some in chunks(keys):
        rows = made.filter(tap_configuration_key__in=some).values_list("tap_configuration_key", "began_at")
        found.update((key, at) for key, at in rows if at is not None)
    return found
