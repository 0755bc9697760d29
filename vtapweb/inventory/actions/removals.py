"""An admin's answer to a removal that was too large to be believed."""

from django.db import transaction
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.models import User
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.inventory.lease import reads_of
from vtapweb.inventory.models import KindState, RemovalHold, Subscription, SubscriptionSync
from vtapweb.inventory.removal import remove
from vtapweb.inventory.rows import DOCUMENTS, Document, Table

State = RemovalHold.State


class RemovalHoldError(Exception):
    """The hold can't be decided (any more), or not by this person. The message is one sentence."""


@transaction.atomic
def removal_confirm(*, hold: RemovalHold, acting_user: User | Viewer) -> RemovalHold:
    """Believe it: the rows are marked removed at once, or by the sync of that subscription that is running now. Audited.

    Raises RemovalHoldError when the hold is decided already or `acting_user` is no admin.
    """
    found = _decidable(hold, acting_user, {State.OPEN, State.DISMISSED})
    found.state = State.CONFIRMED
    if not SubscriptionSync.objects.filter(subscription_id=found.subscription_id, state="running").exists():
        newer = {key for key, read_at in reads_of(found.keys).items() if read_at > found.seen_at}  # seen by themselves since the list lacked them
        remove(_table(found), found.read_kind, set(found.keys) - newer, run_id=None, at=timezone.now())
        found.state = State.APPLIED
        held = KindState.objects.filter(subscription_id=found.subscription_id, kind=found.read_kind, status=KindState.Status.HELD)
        held.update(status=KindState.Status.COMPLETE, code="", message="")
        enqueue_on_commit("topology.refresh")
        enqueue_on_commit("taps.reconcile", subscription_id=found.subscription_id)
    return _decide(found, "inventory.removal_confirmed", acting_user)


@transaction.atomic
def removal_dismiss(*, hold: RemovalHold, acting_user: User | Viewer) -> RemovalHold:
    """Don't believe it: these rows stay, and later syncs don't ask again for the same ones. Can be confirmed later. Audited.

    Raises RemovalHoldError when the hold is decided already or `acting_user` is no admin.
    """
    found = _decidable(hold, acting_user, {State.OPEN})
    found.state = State.DISMISSED
    return _decide(found, "inventory.removal_dismissed", acting_user)


def _decidable(hold: RemovalHold, acting_user: User | Viewer, states: set[State]) -> RemovalHold:
    if not Role(acting_user.role).includes(Role.ADMIN):
        raise RemovalHoldError("Only an admin may decide on a held removal.")
    # Claims of this subscription's sync wait until we are through, so a sync either began before, and is seen, or begins after.
    Subscription.objects.select_for_update(no_key=True).only("pk").get(pk=hold.subscription_id)
    found = RemovalHold.objects.select_for_update().get(pk=hold.pk)
    if found.state not in states:
        raise RemovalHoldError(f"This removal is decided already: {found.get_state_display().lower()}.")
    return found


def _decide(hold: RemovalHold, action: str, acting_user: User | Viewer) -> RemovalHold:
    hold.decided_by = acting_user.name if isinstance(acting_user, Viewer) else acting_user.username
    hold.decided_at = timezone.now()
    hold.save(update_fields=["state", "decided_by", "decided_at"])
    detail = {"hold": hold.pk, "kind": hold.kind, "missing_count": hold.missing_count, "present_count": hold.present_count}
    audit_record(action=action, acting_user=acting_user, target=hold.subscription_id, detail=detail)
    return hold


def _table(hold: RemovalHold) -> Table:
    document: Document = DOCUMENTS[hold.read_kind]
    return next(table for table in (document.table, *(child.table for child in document.children)) if table.kind == hold.kind)
