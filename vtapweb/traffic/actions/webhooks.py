"""Where alarms are sent to: added and removed by admins who see everything. The secret is told once it is added, and made anew from its salt."""

import secrets

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.guards import role_check
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.plain_text import storable
from vtapweb.traffic.delivery import gate, secret_of
from vtapweb.traffic.models import Alarm, Webhook
from vtapweb.traffic.outward import RefusedError
from vtapweb.web.problem import ProblemError


def _may_set(acting_user: Viewer) -> None:
    role_check(acting_user, Role.ADMIN)
    if not acting_user.scope.is_everything:
        raise ProblemError(403, "Not allowed", f"Alarms of all subscriptions are sent there; {acting_user.name} sees only some.")


@transaction.atomic
def webhook_add(
    *, name: str, url: str, acting_user: Viewer, least_severity: str = Alarm.Severity.ALARM, request: HttpRequest | None = None
) -> tuple[Webhook, str]:
    """A webhook and its secret. Raises ProblemError 403, or ValidationError for a name, a severity or an address that cannot be."""
    _may_set(acting_user)
    kept = storable(name).strip()[:100]
    if not kept or Webhook.objects.filter(name=kept).exists():
        raise ValidationError("Give it a name that no other has.", code="name")
    if least_severity not in Alarm.Severity.values:
        raise ValidationError("Notice, warning or alarm.", code="least_severity")
    try:
        parts = gate().checked_url(url)
    except RefusedError as refusal:
        raise ValidationError(str(refusal), code="url") from refusal
    row = Webhook.objects.create(
        name=kept,
        url=storable(url).strip()[:2000],
        least_severity=least_severity,
        salt=secrets.token_hex(16),
        by=acting_user.name[:200],
        at=timezone.now(),
    )
    detail = {"host": parts.hostname or "", "least_severity": least_severity}
    audit_record(action="traffic.webhook_added", acting_user=acting_user, target=kept, detail=detail, request=request)
    return row, secret_of(row.salt)


@transaction.atomic
def webhook_remove(*, webhook: Webhook, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Sends nothing there any more; what waits is dropped. Raises ProblemError 403."""
    _may_set(acting_user)
    name = webhook.name
    if Webhook.objects.filter(pk=webhook.pk).delete()[0]:
        audit_record(action="traffic.webhook_removed", acting_user=acting_user, target=name, request=request)
