"""The list of changes: filtered, a page at a time, with how far each came. Four queries, however many rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from vtapweb.domain.change import StepState
from vtapweb.domain.scope import Scope
from vtapweb.taps.change_page import TITLES, state_cell
from vtapweb.taps.models import Change, ChangeStep
from vtapweb.taps.selectors.changes import changes as changes_in
from vtapweb.web.paging import number_of
from vtapweb.web.tables import Cell
from vtapweb.web.text import plural

REASON_MAX = 160  # characters of it in the list; the change's page has it all


@dataclass(frozen=True, slots=True)
class ListRow:
    """One change in the list; the widths are percent of the little bar."""

    number: int
    state_cell: Cell
    words: str
    origin: str
    reason: str
    ticket: str
    total: int
    verified: int
    failed: int
    by: str
    planned_at: datetime
    finished_at: datetime | None

    @property
    def verified_width(self) -> int:
        return 100 * self.verified // self.total if self.total else 0

    @property
    def failed_width(self) -> int:
        return -(-100 * self.failed // self.total) if self.total else 0


def matching(scope: Scope, given: Mapping[str, str]) -> QuerySet[Change]:
    """Changes in scope that fit the filters: q (NIC, VM, TAP, reason, ticket, or a change's number), state, action, by."""
    changes = changes_in(scope)
    q = given.get("q", "").lstrip("#")
    if q:
        step = ChangeStep.objects.filter(change=OuterRef("pk")).filter(Q(nic_name__icontains=q) | Q(vm_name__icontains=q))
        words = Q(reason__icontains=q) | Q(ticket__icontains=q) | Q(tap_name__icontains=q) | Q(Exists(step))
        number = number_of(q)
        changes = changes.filter(words | Q(pk=number) if number is not None else words)
    if given.get("state"):
        changes = changes.filter(state=given["state"])
    if given.get("action"):
        changes = changes.filter(action=given["action"])
    if given.get("by"):
        changes = changes.filter(created_by_name__icontains=given["by"])
    return changes


def _words(change: Change, nics: int) -> str:
    if not nics:
        return f"{TITLES[change.action]}: {change.tap_name}" if change.tap_name else TITLES[change.action]
    what = plural(nics, "NIC")
    return {
        "tap": f"Mirror {what} → {change.tap_name}",
        "move": f"Move {what} → {change.tap_name}",
        "untap": f"Stop mirroring {what}",
    }.get(change.action, f"{TITLES[change.action]}: {change.tap_name}, {what}")


def _origin(change: Change) -> str:
    for number, words in ((change.undo_of_id, "undo of"), (change.retry_of_id, "retry of"), (change.expiry_of_id, "end of")):
        if number:
            return f"{words} {number}"
    return ""


def list_rows(scope: Scope, given: Mapping[str, str], first: int, size: int) -> Sequence[ListRow]:
    """Those that fit the filters, the newest first: `size` of them from the `first` (0) on. Two queries."""
    some = list(matching(scope, given).order_by("-pk").defer("plan", "left_out", "differences")[first : first + size])
    counted = ChangeStep.objects.filter(change__in=[one.pk for one in some]).values("change_id").annotate(
        total=Count("pk"),
        nics=Count("nic_key", filter=~Q(nic_key=""), distinct=True),
        verified=Count("pk", filter=Q(state=StepState.VERIFIED)),
        failed=Count("pk", filter=Q(state=StepState.FAILED)),
    )  # fmt: skip
    counts = {one["change_id"]: one for one in counted}
    none = {"total": 0, "nics": 0, "verified": 0, "failed": 0}
    rows = []
    for change in some:
        count = counts.get(change.pk, none)
        reason = change.reason if len(change.reason) <= REASON_MAX else f"{change.reason[:REASON_MAX]}…"
        rows.append(
            ListRow(
                number=change.pk,
                state_cell=state_cell(change.state),
                words=_words(change, count["nics"]),
                origin=_origin(change),
                reason=reason,
                ticket=change.ticket,
                total=count["total"],
                verified=count["verified"],
                failed=count["failed"],
                by=change.created_by_name,
                planned_at=change.created_at,
                finished_at=change.finished_at,
            )
        )
    return rows
