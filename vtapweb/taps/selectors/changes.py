"""Reads of changes: the list, one with its steps, and what a plan page shows. Who may see a change must see all its subscriptions."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Count, F, Func, Q, QuerySet, Value

from vtapweb.domain.change import ChangeState
from vtapweb.domain.scope import Scope
from vtapweb.taps.models import Change, ChangeStep, Mirror


class LiesWithin(Func):
    """Whether all of a JSON list's texts are among those given (true of an empty list)."""

    output_field = BooleanField()

    def __init__(self, field_name: str, texts: Iterable[str]) -> None:
        super().__init__(F(field_name), *[Value(one) for one in sorted(texts)])

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002 (Django calls it so)
        return self._none(compiler, "json_each({}) AS one")

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002 (Django calls it so)
        return self._none(compiler, "jsonb_array_elements_text({}) AS one(value)")

    def _none(self, compiler: Any, rows: str) -> tuple[str, list[Any]]:
        (column, given), *texts = [compiler.compile(one) for one in self.get_source_expressions()]
        others = f"one.value NOT IN ({', '.join(sql for sql, _ in texts)})" if texts else "1 = 1"
        params = [*given, *(value for _, values in texts for value in values)]
        return f"NOT EXISTS(SELECT 1 FROM {rows.format(column)} WHERE {others})", params  # noqa: S608 (every value is a parameter)


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes. "" means no condition. `q` is part of the reason, the ticket, the TAP's name, who planned it, or a change's number."""

    state: str = ""
    action: str = ""
    q: str = ""
    nic_key: str = ""
    tap_key: str = ""


def changes(scope: Scope, wanted: ChangeFilter | None = None) -> QuerySet[Change]:
    """Changes in scope, newest first; one query.

    A change lies in scope when all its subscriptions do: a part of a plan would mislead.
    """
    wanted = wanted or ChangeFilter()
    found = Change.objects.order_by("-pk")
    if scope.subscription_ids is not None:
        found = found.filter(LiesWithin("subscription_ids", scope.subscription_ids))
    for name in ("state", "action", "tap_key"):
        if getattr(wanted, name):
            found = found.filter(**{name: getattr(wanted, name)})
    if wanted.nic_key:
        found = found.filter(pk__in=ChangeStep.objects.filter(nic_key=wanted.nic_key).values("change_id"))
    if wanted.q:
        text = wanted.q.strip()
        found = found.filter(
            Q(reason__icontains=text)
            | Q(ticket__icontains=text)
            | Q(tap_name__icontains=text)
            | Q(created_by_name__icontains=text)
            | (Q(pk=int(text)) if text.isascii() and text.isdigit() and len(text) <= 18 else Q())
        )
    return found


def change_of(scope: Scope, change_id: int) -> Change | None:
    """One change, None where there is none or it lies outside the scope; one query."""
    return changes(scope).filter(pk=change_id).select_related("undo_of", "retry_of", "expiry_of").first()


def steps_of(scope: Scope, change: Change) -> list[ChangeStep]:
    """The steps in their order, none for a change out of scope; one query."""
    if not scope.covers(change.subscription_ids):
        return []
    return list(ChangeStep.objects.filter(change=change).order_by("ordinal"))


def step_counts(scope: Scope, change_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """{change: {step state: how many}} of those in scope; one query."""
    counts: dict[int, dict[str, int]] = {}
    rows = ChangeStep.objects.filter(change__in=changes(scope).filter(pk__in=list(change_ids)).values("pk"))
    for change_id, state, number in rows.order_by().values_list("change_id", "state").annotate(number=Count("pk")):
        counts.setdefault(change_id, {})[state] = number
    return counts


def written_subscriptions(scope: Scope, change: Change) -> list[str]:
    """The subscriptions that a change's requests go to; a NIC that was left out, or a TAP that is only joined, may lie in others. One query."""
    if not scope.covers(change.subscription_ids):
        return []
    return sorted(set(ChangeStep.objects.filter(change=change).values_list("subscription_id", flat=True)))


def handed_over(scope: Scope) -> QuerySet[Change]:
    """Changes that somebody else carries out and whose result no sync has shown yet, oldest first; one query."""
    return changes(scope, ChangeFilter(state=ChangeState.HANDED_OVER)).order_by("pk")


@dataclass(frozen=True, slots=True)
class PlanView:
    """What a change's page and the API show. `plan` holds what was said when it was planned, see `Change.plan`."""

    change: Change
    steps: list[ChangeStep]
    counts: Mapping[str, int]
    followers: list[Change] = field(default_factory=list)  # changes that undo, retry or end this one
    mirror_count: int = 0  # mirrors that it began and that are still there; counted where they expire

    def expiry_state(self, now: datetime) -> str:
        """none | ahead | announced (a change that ends them is planned or under way) | overdue | done."""
        expires_at = self.change.expires_at
        if expires_at is None:
            return "none"
        if self.change.is_finished and not self.mirror_count:
            return "done"
        if expires_at <= now:
            return "overdue"
        return "announced" if any(one.expiry_of_id == self.change.pk and not one.is_finished for one in self.followers) else "ahead"

    @property
    def waves(self) -> list[tuple[int, list[ChangeStep]]]:
        """The steps by wave, in order."""
        by_wave: dict[int, list[ChangeStep]] = {}
        for step in self.steps:
            by_wave.setdefault(step.wave, []).append(step)
        return sorted(by_wave.items())

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Every request, in the order of the steps."""
        return [{"method": step.method, "path": step.path, "body": step.body} for step in self.steps]


def plan_view(scope: Scope, change_id: int) -> PlanView | None:
    """A change as its page shows it, None out of scope; four queries, however many steps it has."""
    change = change_of(scope, change_id)
    if change is None:
        return None
    steps = steps_of(scope, change)
    followers = changes(scope).filter(Q(undo_of=change_id) | Q(retry_of=change_id) | Q(expiry_of=change_id))
    mirror_count = Mirror.objects.filter(began_change=change, ended_at=None).count() if change.expires_at else 0
    return PlanView(change, steps, Counter(step.state for step in steps), list(followers), mirror_count)
