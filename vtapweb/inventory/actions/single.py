"""A single resource read around a write goes into the inventory at once, and no sync that asked before puts the older answer back."""

from datetime import datetime
from typing import Final

from django.db import transaction

from vtapweb.cloud.port import ReadKind
from vtapweb.cloud.types import NetworkInterface, VirtualNetworkTap
from vtapweb.domain.arm_id import arm_key, fold
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.inventory.batch import Written, write_batch
from vtapweb.inventory.lease import reads_of
from vtapweb.inventory.models import ResourceChange, SingleRead, Subscription, SubscriptionSync
from vtapweb.inventory.removal import remove
from vtapweb.inventory.rows import DOCUMENTS, SCALE_SET_NETWORK_INTERFACES, SCALE_SET_SEGMENT, Document

VERIFY: Final = ResourceChange.Origin.VERIFY


@transaction.atomic
def resource_store_read(*, document: NetworkInterface | VirtualNetworkTap | None, arm_id: str, subscription_id: str, read_at: datetime) -> bool:
    """Store what one GET of a NIC or TAP answered (None: it is gone) with its children, and record what changed; whether it was stored.

    `read_at` is when the answer had come. An answer that is older than the last one stored, or of a subscription that no sync ever listed, is not
    stored. What a sync's page asked for before `read_at` says of the resource no longer counts. Raises ValueError for an id of another kind, of
    another subscription, or that is not the document's.
    """
    read_kind = _read_kind(arm_id)
    subscription_id = subscription_id.lower()
    if not fold(arm_id).startswith(f"/subscriptions/{subscription_id}/") or (document is not None and fold(document.arm_id) != fold(arm_id)):
        raise ValueError(f"{arm_id} is not what was read in subscription {subscription_id}")
    # Claims of a sync wait for the first lock, its batches for the second: neither writes between our look and our write.
    if Subscription.objects.select_for_update(no_key=True).only("pk").filter(pk=subscription_id).first() is None:
        return False
    list(SubscriptionSync.objects.select_for_update().only("pk").filter(subscription_id=subscription_id, state="running"))
    key = arm_key(arm_id)
    if reads_of([key]).get(key, read_at) > read_at:
        return False
    SingleRead.objects.update_or_create(key=key, defaults={"subscription_id": subscription_id, "read_at": read_at})
    plan = DOCUMENTS[read_kind]
    if document is None:
        counts = remove(plan.table, read_kind, [key], run_id=None, at=read_at, origin=VERIFY)
    else:
        items = {key: (document, "")}
        written = write_batch(plan, items, is_known=lambda _key: True, run_id=None, subscription_id=subscription_id, at=read_at, origin=VERIFY)
        counts = _settled(plan, read_kind, written, read_at)
    if any(counts.values()):
        enqueue_on_commit("topology.refresh")
    return True


def _read_kind(arm_id: str) -> str:
    words = fold(arm_id).split("/")
    if words[-2:-1] == ["virtualnetworktaps"]:
        return ReadKind.VIRTUAL_NETWORK_TAPS
    if words[-2:-1] == ["networkinterfaces"]:
        return SCALE_SET_NETWORK_INTERFACES if SCALE_SET_SEGMENT in fold(arm_id) else ReadKind.NETWORK_INTERFACES
    raise ValueError(f"{arm_id} is neither a NIC nor a TAP")


def _settled(plan: Document, read_kind: str, written: Written, at: datetime) -> dict[str, int]:
    """The counts with the children that went: this answer is the whole document, so there is no list's end to wait for."""
    counts = dict(written.counts)
    for child in plan.children:
        for action, count in remove(child.table, read_kind, written.vanished[child.table.kind], run_id=None, at=at, origin=VERIFY).items():
            counts[action] = counts.get(action, 0) + count
    return counts
