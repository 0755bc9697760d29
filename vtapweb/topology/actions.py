"""Making the next picture: read the inventory, lay it out, store the places, tell what changed.

One at a time: whoever holds the lease works, whoever comes meanwhile only raises `wanted`, and the holder goes round once more. The row is the
truth; a lost message or a killed worker is mended by the beat's `topology.refresh_if_changed` once the lease has run out.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.viewer import Viewer
from vtapweb.domain.graph import Stamp, graph_of, snapshot_of, wanted_blocks
from vtapweb.domain.layout import GEOMETRY, layout
from vtapweb.domain.scope import Scope
from vtapweb.domain.topology import changed_ids, diff, encode, is_same_picture, row_changes
from vtapweb.events.bus import record_event
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.events.types import TopologyEvent
from vtapweb.inventory.models import SyncRun
from vtapweb.topology.body import body_of
from vtapweb.topology.models import TopologyState
from vtapweb.topology.picture import last_snapshot
from vtapweb.topology.placements import places_of, store_places, stored_places
from vtapweb.topology.selectors import documents_of, inventory_mark

LEASE_S = 180
MOST_ROWS_IN_A_DELTA = 500

log = structlog.get_logger(__name__)


def topology_refresh() -> str | None:
    """Make the picture of the whole estate anew; returns its revision, None when another process is at it and will go round once more."""
    TopologyState.objects.bulk_create([TopologyState(pk=1)], ignore_conflicts=True)
    TopologyState.objects.filter(pk=1).update(wanted=F("wanted") + 1)
    owner = uuid4().hex
    revision = None
    while state := _claimed(owner):
        revision = _refresh_once(state, owner)
        is_done = TopologyState.objects.filter(pk=1, lease_owner=owner, wanted=state.wanted).update(lease_owner="", lease_until=None)
        if is_done:
            break
    return revision


def topology_refresh_if_changed() -> str | None:
    """Refresh when the inventory is not what the last picture was made from: a nudge was lost, or a worker."""
    state = TopologyState.objects.only("inventory_mark", "is_rearrange_wanted").filter(pk=1).first()
    if state is not None and state.inventory_mark == inventory_mark(Scope.everything()) and not state.is_rearrange_wanted:
        return None
    return topology_refresh()


@transaction.atomic
def topology_rearrange(*, acting_user: Viewer, reason: str = "") -> None:
    """Forget where everything stands and pack anew, for everybody. The caller has checked the role; the act is audited."""
    TopologyState.objects.bulk_create([TopologyState(pk=1)], ignore_conflicts=True)
    TopologyState.objects.filter(pk=1).update(is_rearrange_wanted=True)
    audit_record(action="topology.rearranged", acting_user=acting_user, reason=reason)
    enqueue_on_commit("topology.refresh")


def _claimed(owner: str) -> TopologyState | None:
    now = timezone.now()
    free = Q(lease_owner="") | Q(lease_owner=owner) | Q(lease_until=None) | Q(lease_until__lt=now)
    if not TopologyState.objects.filter(free, pk=1).update(lease_owner=owner, lease_until=now + timedelta(seconds=LEASE_S)):
        return None
    return TopologyState.objects.get(pk=1)


def _is_first_sync_under_way() -> bool:
    """Whether the very first sync still brings in subscriptions, in any order. Places are packed anew until it ends, once more after it, and stick
    from then on: a hub that came last would otherwise stand far from its spokes for good."""
    return SyncRun.objects.exists() and not SyncRun.objects.filter(finished_at__isnull=False).exists()


def _refresh_once(state: TopologyState, owner: str) -> str:
    everything = Scope.everything()
    mark = inventory_mark(everything)
    graph = graph_of(documents_of(everything))
    stored = stored_places()
    is_provisional = _is_first_sync_under_way()
    found = layout(wanted_blocks(graph), None if state.is_rearrange_wanted or is_provisional else stored.layout)
    wanted = places_of(graph, found)
    ids = store_places(wanted, stored)
    before = last_snapshot(state)
    stamp = Stamp(f"r{state.revision + 1}", state.series_revision, settings.CLOUD == "simulator", timezone.now().isoformat(timespec="seconds"))
    after = snapshot_of(graph, found, ids, stamp)
    if state.revision and is_same_picture(before, after):
        TopologyState.objects.filter(pk=1, lease_owner=owner).update(inventory_mark=mark, is_rearrange_wanted=is_provisional)
        return before.revision
    if after.series != before.series:
        after = replace(after, series_revision=state.series_revision + 1)
    delta = diff(before, after)
    owners = {ids[key]: place.owners for key, place in wanted.items()} | {
        node: f"{stored.places[key].owners} {wanted[key].owners if key in wanted else ''}" for key, node in stored.ids.items()
    }
    touched = {one for node in changed_ids(delta) for one in owners.get(node, "").split()}
    touched |= {row.id for row in {*before.subscriptions} ^ {*after.subscriptions}}
    is_refetch = row_changes(delta) > MOST_ROWS_IN_A_DELTA
    body = body_of(encode(after, GEOMETRY))
    with transaction.atomic():
        is_ours = TopologyState.objects.filter(pk=1, lease_owner=owner, revision=state.revision).update(
            revision=state.revision + 1, series_revision=after.series_revision, built_at=timezone.now(), picture=body.deflated,
            picture_crc=body.crc, picture_octets=body.octets, inventory_mark=mark, is_rearrange_wanted=is_provisional,
        )  # fmt: skip
        if is_ours:
            event = TopologyEvent(revision=after.revision, delta=None if is_refetch else delta, is_refetch=is_refetch)
            record_event(event, subscription_ids=touched or None)
    log.info("topology.refreshed", revision=after.revision, rows=row_changes(delta), is_ours=bool(is_ours))
    return after.revision
