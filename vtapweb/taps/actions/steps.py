"""Moving one step: what an answer of Azure's makes of it, written down together with what follows from it.

Rule 1: every function here is one transaction that first holds the lease, so a worker that lost it writes nothing. Rule 2: a verified step, the
inventory, the ledger and the audit record are kept or lost together. Rule 3: others hear of a move after the commit.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.cloud.types import NetworkInterface, VirtualNetworkTap
from vtapweb.domain.change import NOT_LOOKED_AT, Counts, Heard, Reaction, StepAction, StepState, Wait, after, moved_step
from vtapweb.domain.plain_text import storable
from vtapweb.events.bus import announce
from vtapweb.events.types import ChangeProgress, StepProgress
from vtapweb.inventory.actions.single import resource_store_read
from vtapweb.taps.actions.ledger import mirror_began, mirror_ended
from vtapweb.taps.hold import LONGEST_PAUSE_S, ChangeLease, NotNowError, budget_refused, budget_take, groups_settle, groups_take
from vtapweb.taps.models import HALF_DONE, Change, ChangeStep
from vtapweb.taps.selectors.writes import writes_allowed

BACKOFF_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
READ_AGAIN_S: Final = 2.0
SETTLES_WITHIN_S: Final = 120.0  # Azure says done, and a read must show it before then

WORDS: Final[dict[Wait, str]] = {
    Wait.THROTTLED: "Azure asked us to wait: too many requests.",
    Wait.BUSY: "Another operation holds it in Azure.",
    Wait.PREPARATION: "Azure says that the NIC is not on fastpath: the VM must be deallocated and started once. vtapweb never does that.",
    Wait.UNCLEAR: "No clear answer came: reading again what Azure did.",
    Wait.AGAIN: "Azure shows no trace of it: sent again.",
}


log = structlog.get_logger(__name__)


class StopSendingError(Exception):
    """Nothing of this change may be sent now, by this code, for this reason; the transaction that tried is rolled back."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def pause_s(number: int, retry_after_s: float | None = None) -> float:
    """Seconds until the next try after so many (1 is the first): what Azure asked for, else growing to a minute."""
    if retry_after_s is not None:
        return min(max(retry_after_s, 0.1), LONGEST_PAUSE_S)
    return BACKOFF_S[min(max(number, 1), len(BACKOFF_S)) - 1]


# -- telling


def counts_of(change_id: int) -> Counts:
    """How many steps of the change stand where; one query."""
    rows = ChangeStep.objects.filter(change_id=change_id).values_list("state").annotate(many=Count("pk"), already=Count("pk", Q(skip_code="already")))
    found = {state: many for state, many, _ in rows}
    return Counts(**found, already=sum(already for state, _, already in rows if state == StepState.SKIPPED))


def tell(change: Change, step: ChangeStep | None = None) -> None:
    """Announce after the commit how far the change and one of its steps are."""
    counts = counts_of(change.pk)
    names = ("pending", "sent", "polling", "verified", "failed", "skipped")
    progress = ChangeProgress(
        change_id=change.pk,
        state=change.state,  # type: ignore[arg-type] # the choices are the message's
        counts={name: getattr(counts, name) for name in names if getattr(counts, name)},  # type: ignore[misc]
        step=None if step is None else _told(step),
        at=timezone.now(),
    )
    subscription_ids = list(change.subscription_ids)
    transaction.on_commit(lambda: announce(progress, subscription_ids=subscription_ids), robust=True)


def _told(step: ChangeStep) -> StepProgress:
    return StepProgress(
        step_id=step.pk,
        ordinal=step.ordinal,
        wave=step.wave,
        nic_key=step.nic_key,
        target_key=step.target_key,
        state=step.state,  # type: ignore[arg-type] # the choices are the message's
        wait_code=step.wait_code,
        error_code=step.error_code,
        error_message=step.error_message,
    )


# -- sending


@transaction.atomic
def step_claim(lease: ChangeLease, step_id: int, *, before: dict[str, Any]) -> ChangeStep:
    """The step as `sent`, all that it needs taken, committed before the request leaves.

    Raises LeaseLostError; NotNowError when it must wait; StopSendingError when the whole change must.
    """
    change = lease.hold()
    now = timezone.now()
    step = ChangeStep.objects.select_for_update().get(pk=step_id)
    if step.state != StepState.PENDING:
        raise NotNowError(now, "moved", f"It is {step.state} by now.")
    _check_may_send(change, step, now)
    budget_take(step.subscription_id, now=now)
    groups_take(step, now=now)
    step.state = moved_step(step.state, StepState.SENT)
    step.sent_at, step.attempts = now, step.attempts + 1
    step.next_at, step.wait_code, step.wait_reason = now + timedelta(seconds=READ_AGAIN_S), "", ""
    step.operation, step.answered_at = "", None
    if step.attempts == 1 or not step.before.get("is_sent"):
        step.before = {**step.before, **before, "is_sent": True}
    try:
        with transaction.atomic():
            step.save()
    except IntegrityError as problem:  # the constraint that of one NIC only one request is under way
        raise NotNowError(now + timedelta(seconds=READ_AGAIN_S), "busy", "Another change is writing to the same NIC or TAP.") from problem
    if change.started_at is None:
        Change.objects.filter(pk=change.pk).update(started_at=now)
    tell(change, step)
    return step


def _check_may_send(change: Change, step: ChangeStep, now: datetime) -> None:
    """Looked at in the transaction that claims, so that one commit halts every process."""
    is_halted = change.state != "applying" or change.is_cancel_requested
    is_closed = change.window_closes_at is not None and now >= change.window_closes_at
    if (is_halted or is_closed) and not ChangeStep.objects.filter(HALF_DONE, pk=step.pk).exists():
        if is_halted:
            raise StopSendingError("state", "The change was halted.")
        raise StopSendingError("window_closed", "The change window has closed.")
    if change.window_opens_at is not None and now < change.window_opens_at:
        raise StopSendingError("window", "The change window is not open yet.")
    writes = writes_allowed(step.subscription_id)
    if writes.is_stopped:
        raise StopSendingError("writes_stopped", writes.refusal)
    if not writes.is_enabled:
        raise StopSendingError("writes_disabled", writes.refusal)
    if writes.requires_window and change.window_closes_at is None:
        raise StopSendingError("window_required", f"Subscription {step.subscription_id} takes changes only within a change window.")


@transaction.atomic
def step_wait(lease: ChangeLease, step_id: int, *, until: datetime, wait: str, text: str) -> None:
    """The pending step is not looked at before then; people see why."""
    change = lease.hold()
    step = ChangeStep.objects.select_for_update().get(pk=step_id)
    if step.state != StepState.PENDING:
        return
    is_news = (step.wait_code, step.wait_reason) != (wait, text)
    step.next_at, step.wait_code, step.wait_reason = until, wait, text
    step.save(update_fields=["next_at", "wait_code", "wait_reason"])
    if is_news:
        tell(change, step)


# -- hearing


class News:
    """What came back for a step: what was heard, and Azure's own words where there were any."""

    def __init__(
        self,
        heard: Heard,
        *,
        code: str = "",
        message: str = "",
        correlation_id: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
        operation: str = "",
    ) -> None:
        self.heard, self.code, self.message, self.correlation_id = heard, code, message, correlation_id
        self.status, self.retry_after_s, self.operation = status, retry_after_s, operation


@transaction.atomic
def step_hear(
    lease: ChangeLease,
    step_id: int,
    news: News,
    *,
    document: NetworkInterface | VirtualNetworkTap | None = None,
    is_read: bool = False,
    read_at: datetime | None = None,
) -> ChangeStep:
    """Move the step by what was heard, and store what was read of its target (`is_read`; `document` None: it is gone). Raises LeaseLostError."""
    change = lease.hold()
    step = ChangeStep.objects.select_for_update().get(pk=step_id)
    now = timezone.now()
    if is_read:
        store_read(step, document, read_at or now)
        step.read_at = read_at or now
    if news.heard is Heard.UNPREPARED and not step.is_return and ChangeStep.objects.filter(HALF_DONE, pk=step.pk).exists():
        # Its NIC is mirrored nowhere meanwhile: it goes back to where it came from instead of waiting for somebody to restart a VM.
        news.heard = Heard.REFUSED if step.state == StepState.SENT else Heard.ENDED_BADLY
    reaction = after(StepState(step.state), news.heard, attempts=step.attempts, is_said_done=step.answered_at is not None)
    _keep_words(step, news, reaction)
    _go(step, news, reaction, now)
    step.save()
    if step.state in {StepState.VERIFIED, StepState.FAILED}:
        _end(change, step, now)
    elif step.state == StepState.PENDING:
        groups_settle([step.pk], until=now)  # nothing is under way: it takes them again when it is sent
    tell(change, step)
    return step


def store_read(step: ChangeStep, document: NetworkInterface | VirtualNetworkTap | None, read_at: datetime) -> None:
    """The inventory takes over what was just read of the step's target (None: gone)."""
    arm_id = step.nic_id or step.target_id
    try:
        resource_store_read(document=document, arm_id=arm_id, subscription_id=step.subscription_id, read_at=read_at)
    except ValueError as problem:  # a server that answers with something else than was asked for: the next sync says what it is
        log.warning("changes.read_not_stored", step=step.pk, problem=str(problem))


def _keep_words(step: ChangeStep, news: News, reaction: Reaction) -> None:
    if news.correlation_id:
        step.correlation_id = storable(news.correlation_id)
    if news.status is not None:
        step.http_status = news.status
    if reaction.state is StepState.VERIFIED:
        step.error_code = step.error_message = ""
    elif news.code or news.message:
        step.error_code, step.error_message = storable(news.code), storable(news.message)


def _go(step: ChangeStep, news: News, reaction: Reaction, now: datetime) -> None:
    before = StepState(step.state)
    if reaction.state is not before:
        step.state = moved_step(before, reaction.state)
    if news.heard in NOT_LOOKED_AT and before is StepState.SENT:
        step.attempts = max(step.attempts - 1, 0)
    if news.heard in {Heard.DONE, Heard.SUCCEEDED} and step.answered_at is None:
        step.answered_at = now
    if news.heard is Heard.ACCEPTED or (news.heard is Heard.RUNNING and news.operation):
        step.operation = news.operation
    elif reaction.is_read_due or reaction.state is not StepState.POLLING:
        step.operation = ""
    step.wait_code = reaction.wait
    step.wait_reason = WORDS.get(reaction.wait, "")
    if reaction.wait in {Wait.THROTTLED, Wait.BUSY} and news.message:
        step.wait_reason = f"{step.wait_reason} {step.error_message}"
    if news.heard is Heard.THROTTLED:
        budget_refused(step.subscription_id, until=now + timedelta(seconds=pause_s(1, news.retry_after_s)), now=now)
    step.next_at = None if reaction.state in _ENDS else now + timedelta(seconds=_next_s(news, reaction, step))
    match reaction.state:
        case StepState.VERIFIED:
            step.verified_at = step.ended_at = now
        case StepState.FAILED | StepState.SKIPPED:
            step.ended_at = now
    if reaction.state is StepState.FAILED and not (step.error_code or step.error_message):
        step.error_code, step.error_message = _own_words(news, step)
    if reaction.state is StepState.SKIPPED:
        step.skip_code, step.skip_reason = "already", "Azure had it as wanted before we sent anything."


_ENDS: Final = frozenset({StepState.VERIFIED, StepState.FAILED, StepState.SKIPPED})


def _next_s(news: News, reaction: Reaction, step: ChangeStep) -> float:
    if news.heard in {Heard.DONE, Heard.SUCCEEDED, Heard.LOST}:
        return 0.0
    if reaction.is_read_due:
        return pause_s(1, news.retry_after_s) if news.heard is Heard.UNCLEAR else READ_AGAIN_S
    if reaction.state is StepState.POLLING:
        return max(news.retry_after_s if news.retry_after_s is not None else settings.POLL_INTERVAL_S, 0.1)
    return pause_s(step.attempts, news.retry_after_s)


def _own_words(news: News, step: ChangeStep) -> tuple[str, str]:
    match news.heard:
        case Heard.NOT_YET:
            return "no_trace", f"It was sent {step.attempts} times, and Azure shows no trace of it."
        case Heard.OVERDUE:
            return "no_end", "Azure did not end it in the time that we wait, and a last read does not show it as wanted."
        case _:
            return str(news.heard), ""


def _end(change: Change, step: ChangeStep, now: datetime) -> None:
    """What follows from the end of a step that was sent, or could not be."""
    groups_settle([step.pk], until=now + timedelta(seconds=change.settle_s if step.sent_at else 0))
    if step.state == StepState.VERIFIED:
        step.change = change
        if step.action == StepAction.DELETE:
            mirror_ended(step=step, at=now)
        else:
            mirror_began(step=step, at=now)
    elif step.state == StepState.FAILED:
        _return_what_moved(change, step)
    _record_end(change, step)


def _record_end(change: Change, step: ChangeStep) -> None:
    audit_record(
        action=f"taps.step_{step.state}",
        acting_user=change.applied_by,
        actor=change.applied_by_name,
        target=step.target_id,
        reason=change.reason,
        detail={
            "change": change.pk,
            "step": step.ordinal,
            "method": step.method,
            "ticket": change.ticket,
            "request_id": str(step.client_request_id),
            "correlation_id": step.correlation_id,
            "attempts": step.attempts,
            "error_code": step.error_code,
            "error_message": step.error_message,
            **({"skip_code": step.skip_code, "skip_reason": step.skip_reason} if step.skip_code else {}),
        },
    )


def _return_what_moved(change: Change, step: ChangeStep) -> None:
    """The second half of a move failed after the first was done: the NIC goes back to the TAP it came from, as a step of its own."""
    first = step.after
    if change.action != "move" or step.is_return or first is None or first.state != StepState.VERIFIED or first.action != StepAction.DELETE:
        return
    came_from = str(first.before.get("tap_id") or "")
    if not came_from:
        return
    last = ChangeStep.objects.filter(change=change).order_by("-ordinal").values_list("ordinal", flat=True)[0]
    ChangeStep.objects.create(
        change=change,
        ordinal=last + 1,
        wave=step.wave,
        nic_id=step.nic_id,
        nic_key=step.nic_key,
        nic_name=step.nic_name,
        vm_key=step.vm_key,
        vm_name=step.vm_name,
        groups=step.groups,
        target_id=first.target_id,
        target_key=first.target_key,
        subscription_id=first.subscription_id,
        action=StepAction.PUT.value,
        method="PUT",
        path=first.path,
        body={"properties": {"virtualNetworkTap": {"id": came_from}}},
        is_return=True,
    )


# -- skipping


@transaction.atomic
def steps_skip(lease: ChangeLease, *, code: str, reason: str, step_ids: list[int] | None = None) -> int:
    """Pending steps (those named, else all but returns) are skipped for that reason; returns how many. Raises LeaseLostError."""
    change = lease.hold()
    return skip_pending(change, code=code, reason=reason, step_ids=step_ids)


def skip_pending(change: Change, *, code: str, reason: str, step_ids: list[int] | None = None) -> int:
    """The same for a caller that holds the change's row."""
    pending = ChangeStep.objects.filter(change=change, state=StepState.PENDING)
    # What is half done is brought to its end.
    pending = pending.exclude(HALF_DONE) if step_ids is None else pending.filter(pk__in=step_ids)
    told: dict[str, Any] = {"state": StepState.SKIPPED, "skip_code": code, "wait_code": "", "wait_reason": "", "next_at": None}
    tried, ids = list(pending.filter(attempts__gt=0)), list(pending.values_list("pk", flat=True))
    many = ChangeStep.objects.filter(pk__in=ids).update(skip_reason=reason, ended_at=timezone.now(), **told)
    for step in tried:  # it did leave us, so its end is on record as that of any request is
        step.state, step.skip_code, step.skip_reason = StepState.SKIPPED.value, code, f"{reason} An earlier try left no trace in Azure."
        step.save(update_fields=["skip_reason"])
        _record_end(change, step)
    if many:
        tell(change)
    return many
