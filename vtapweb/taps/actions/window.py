"""Giving a plan another time: a planned change gets the window in which it may be sent, or none."""

from datetime import datetime

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.viewer import Viewer
from vtapweb.domain.change import ChangeState
from vtapweb.domain.change_input import Window
from vtapweb.events.bus import record_event
from vtapweb.events.types import ChangeEvent
from vtapweb.taps.models import Change
from vtapweb.web.problem import ProblemError


@transaction.atomic
def change_window_set(
    *, change: Change, window: Window | None, acting_user: Viewer, request: HttpRequest | None = None, now: datetime | None = None
) -> Change:
    """The change with its window; None: as soon as it is applied. Nothing is sent by this, and nothing else of the plan changes.

    Raises ProblemError 409 when it is not planned any more, when the window is over, or when the mirrors would end before it opens.
    """
    found = Change.objects.select_for_update().get(pk=change.pk)
    if found.state != ChangeState.PLANNED:
        words = f"Change {found.pk} is {found.state.replace('_', ' ')}; only a plan can be given another window."
        raise ProblemError(409, "Not in this state", words)
    if window is not None and window.closes_at <= (now or timezone.now()):
        raise ProblemError(409, "The window is over", "This window has closed already. Choose one that lies ahead.")
    if window is not None and found.expires_at is not None and found.expires_at <= window.opens_at:
        raise ProblemError(
            409, "It would end before it begins", "The mirrors of this plan end before that window opens. Plan it again with a later end."
        )
    found.window_opens_at, found.window_closes_at, found.window_zone = (
        (window.opens_at, window.closes_at, window.zone) if window is not None else (None, None, "")
    )
    found.save(update_fields=["window_opens_at", "window_closes_at", "window_zone"])
    detail = (
        {"opens_at": window.opens_at.isoformat(), "closes_at": window.closes_at.isoformat(), "zone": window.zone} if window else {"window": "none"}
    )
    audit_record(
        action="taps.change_window_set", acting_user=acting_user, target=f"change {found.pk}", reason=found.reason, detail=detail, request=request
    )
    record_event(ChangeEvent(change_id=found.pk, state=ChangeState.PLANNED.value), subscription_ids=found.subscription_ids)
    return found
