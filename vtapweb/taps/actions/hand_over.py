"""Handing a plan over: somebody else carries it out, with their own tools. vtapweb sends nothing; a sync that sees the result closes it."""

from django.db import transaction
from django.http import HttpRequest

from vtapweb.access.actions import audit_record
from vtapweb.access.viewer import Viewer
from vtapweb.domain.change import ChangeState, moved_change
from vtapweb.events.bus import record_event
from vtapweb.events.types import ChangeEvent
from vtapweb.taps.models import Change


@transaction.atomic
def change_hand_over(*, change: Change, acting_user: Viewer, reason: str = "", request: HttpRequest | None = None) -> Change:
    """The change, handed over. Raises WrongMoveError when it is not planned any more."""
    found = Change.objects.select_for_update().get(pk=change.pk)
    found.state = moved_change(found.state, ChangeState.HANDED_OVER)
    found.save(update_fields=["state"])
    audit_record(
        action="taps.change_handed_over",
        acting_user=acting_user,
        target=f"change {found.pk}",
        reason=reason or found.reason,
        detail={"action": found.action, "ticket": found.ticket, "tap": found.tap_id},
        request=request,
    )
    record_event(ChangeEvent(change_id=found.pk, state=ChangeState.HANDED_OVER.value), subscription_ids=found.subscription_ids)
    return found
