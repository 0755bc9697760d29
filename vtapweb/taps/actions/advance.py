"""The engine: what a worker does for a change that is applied. One call does all that is due now, and says when to look again.

    check    every target is read and judged again; what moved since the plan pauses the change
    send     the steps of one wave: read the target, claim the step (committed), write
    ask      how far Azure is with what it took; read the target of what ended, was lost, or never answered
    settle   the pause between two waves
    end      counts, audit record, event

Rule 1: the rows are the truth. A worker that dies at any instruction leaves a lease that runs out and rows from which another one goes on; a step
in `sent` is read before anything is sent again. Rule 2: no call waits for Azure's work to end, for a pause or for a budget: it notes the moment and
gives the worker back. Rule 3: one worker a change; what changes share (budget, groups, NICs) is taken in the database.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.cloud.port import CloudError, Failure, WritableCloud
from vtapweb.cloud.types import NetworkInterface, VirtualNetworkTap
from vtapweb.domain.arm_id import arm_key, subscription_in
from vtapweb.domain.change import (
    FINAL_STEP_STATES,
    IN_FLIGHT_STEP_STATES,
    RUNNING_CHANGE_STATES,
    ChangeState,
    Heard,
    StepState,
    Wait,
    end_state,
    moved_change,
    stop_after,
)
from vtapweb.domain.scope import Scope
from vtapweb.events.bus import record_event
from vtapweb.events.jobs import enqueue_on_commit
from vtapweb.events.types import ChangeEvent
from vtapweb.inventory.actions.single import resource_store_read
from vtapweb.inventory.clouds import open_cloud_for_writes
from vtapweb.inventory.lease import Keeper
from vtapweb.inventory.lease import LeaseLostError as KeeperLostError
from vtapweb.taps.actions.steps import (
    SETTLES_WITHIN_S,
    News,
    StopSendingError,
    counts_of,
    pause_s,
    step_claim,
    step_hear,
    step_wait,
    steps_skip,
    store_read,
    tell,
)
from vtapweb.taps.gaps import gaps_of
from vtapweb.taps.hold import ChangeLease, LeaseLostError, NotNowError, claim, is_free, release, renew
from vtapweb.taps.models import HALF_DONE, Change, ChangeStep
from vtapweb.taps.reading import Order, Seen, seen_on_nic, seen_tap
from vtapweb.taps.selectors.changes import written_subscriptions
from vtapweb.taps.selectors.rejudge import rejudge
from vtapweb.taps.selectors.writes import write_stop, writes_states

OpenCloud = Callable[[], WritableCloud]
Document = NetworkInterface | VirtualNetworkTap | None

TURN_S: Final = 5.0  # a worker gives the change back after this, so that others get their turn
NUDGE_AGAIN_S: Final = 5.0
UNREADABLE_S: Final = 5.0
REFUSED_AGAIN_S: Final = 30.0
STEPS_IN_AUDIT: Final = 50  # steps that one entry names; every step that was sent has an entry of its own besides
# Says that another operation holds the target, in the codes that ARM is known to use (error-conflict, common deployment errors).
BUSY_CODES: Final = frozenset(
    {"anotheroperationinprogress", "retryableerrorduetoanotheroperation", "retryableerror", "operationpreempted", "referencedresourcenotprovisioned"}
)
GATE_WORDS: Final = {
    "failures": "Stopped after {many} failures. Look at them, then continue or cancel.",
    "preparation": "What is left waits for preparation: {names} must be deallocated and started once, by their owner. Then continue.",
}

log = structlog.get_logger(__name__)


def changes_nudge(*, now: datetime) -> int:
    """Send a worker to every running change that is due, that a killed worker left, or that the stop over all writes concerns; returns how many.

    Runs every second. A change that a message was sent for is not nudged again for 5 s, so that a busy queue does not fill up.
    """
    due = Q(next_due_at__lte=now) | (Q(lease_until__isnull=False) & is_free(now))
    if write_stop(Scope.everything()) is not None:  # what waits for its window looks at the stop when that opens
        due |= Q(state=ChangeState.APPLYING) & (Q(window_opens_at=None) | Q(window_opens_at__lte=now))
    is_silent = Q(nudged_at=None) | Q(nudged_at__lt=now - timedelta(seconds=NUDGE_AGAIN_S)) | Q(nudged_at__gt=now + timedelta(seconds=NUDGE_AGAIN_S))
    found = list(
        Change.objects.filter(due, is_free(now), is_silent, state__in=sorted(RUNNING_CHANGE_STATES))
        .order_by("next_due_at")
        .values_list("pk", flat=True)[:50]
    )
    if found:
        with transaction.atomic():
            Change.objects.filter(pk__in=found).update(nudged_at=now)
            for change_id in found:
                enqueue_on_commit("taps.advance", change_id=change_id)
    return len(found)


def change_advance(*, change_id: int, opener: OpenCloud = open_cloud_for_writes) -> datetime | None:
    """Do what is due for the change; returns when to look again, None for not by itself (it ended, waits for people, or another worker has it)."""
    lease = claim(change_id)
    if lease is None:
        return None
    due: datetime | None = None
    try:
        try:
            with Keeper(lambda: _keep(lease), last_page_at=time.monotonic), _opened(opener) as cloud:
                due = _Run(lease, cloud).until_nothing_is_due()
        except CloudError as problem:  # no cloud to be had at all
            due = _pause(lease, "credential", f"vtapweb can't sign in to Azure for writing: {problem.message or problem}")
    except LeaseLostError as lost:
        log.warning("changes.lease_lost", change=change_id, problem=str(lost))
        return None
    release(lease, next_due_at=due)
    return due


def _keep(lease: ChangeLease) -> None:
    try:
        renew(lease)
    except LeaseLostError as lost:
        raise KeeperLostError from lost


@contextmanager
def _opened(opener: OpenCloud) -> Iterator[WritableCloud]:
    cloud = opener()
    try:
        yield cloud
    finally:
        cloud.close()


class _Run:
    """One worker's turn at one change."""

    def __init__(self, lease: ChangeLease, cloud: WritableCloud) -> None:
        self.lease, self.cloud = lease, cloud
        self.change_id = lease.change_id
        self._ends_at = time.monotonic() + TURN_S

    def until_nothing_is_due(self) -> datetime | None:
        while True:
            due = self._once()
            now = timezone.now()
            if due is None or due > now or self._is_over:
                return due

    @property
    def _is_over(self) -> bool:
        return time.monotonic() > self._ends_at

    def _once(self) -> datetime | None:
        """One look at everything; returns when the next is due."""
        change = Change.objects.get(pk=self.change_id)
        if change.is_finished:
            return None
        steps = list(change.steps.defer("path", "correlation_id"))
        self._ask(steps)
        if self._is_over:
            return timezone.now()
        looked_at = timezone.now()
        nexts = [self._go_on(change), self._next_answer()]
        change = Change.objects.get(pk=self.change_id)
        if change.is_finished:
            return None
        counts = counts_of(self.change_id)
        if not counts.open:
            self._read_taps_again()
            _finish(self.lease)
            return None
        if change.window_closes_at is not None and change.window_closes_at > looked_at:
            nexts.append(change.window_closes_at)  # whatever it waits for: people, a pause, a budget
        return min((one for one in nexts if one is not None), default=None)

    def _read_taps_again(self) -> None:
        """A TAP lists its sources itself, so its list is old once mirrors began or ended. What can't be read now is read by the next sync."""
        for tap_id in taps_touched(ChangeStep.objects.filter(change=self.change_id, state=StepState.VERIFIED).exclude(nic_key="")):
            try:
                document = self.cloud.tap(tap_id)
                read_at = timezone.now()
                with transaction.atomic():
                    self.lease.hold()
                    resource_store_read(document=document, arm_id=tap_id, subscription_id=subscription_in(tap_id), read_at=read_at)
            except (CloudError, ValueError) as problem:
                log.warning("changes.tap_not_read_again", change=self.change_id, problem=str(problem))

    # -- what is in flight

    def _ask(self, steps: list[ChangeStep]) -> None:
        """Ask about every step in flight that is due."""
        for step in steps:
            is_due = step.next_at is None or step.next_at <= timezone.now()
            if step.state in IN_FLIGHT_STEP_STATES and is_due and not self._is_over:
                self._follow(step)

    def _next_answer(self) -> datetime | None:
        """When the next step in flight is to be asked about, None when nothing is in flight."""
        in_flight = ChangeStep.objects.filter(change_id=self.change_id, state__in=sorted(IN_FLIGHT_STEP_STATES))
        found = list(in_flight.values_list("next_at", flat=True))
        return min((one or timezone.now() for one in found), default=None)

    def _follow(self, step: ChangeStep) -> ChangeStep:
        if step.state == StepState.POLLING and step.operation and not self._is_overdue(step):
            step = self._poll(step)
            if step.state != StepState.POLLING or step.operation:
                return step
        return self._reread(step)

    def _is_overdue(self, step: ChangeStep) -> bool:
        since, limit_s = step.sent_at, settings.OPERATION_LIMIT_S
        if step.answered_at is not None:
            since, limit_s = step.answered_at, SETTLES_WITHIN_S
        return since is not None and timezone.now() > since + timedelta(seconds=limit_s)

    def _poll(self, step: ChangeStep) -> ChangeStep:
        try:
            answer = self.cloud.poll(step.operation)
        except CloudError as problem:
            if problem.failure in {Failure.FOREIGN_LINK, Failure.REFUSED, Failure.FORBIDDEN, Failure.MISSING}:
                return step_hear(self.lease, step.pk, News(Heard.LOST, code=problem.code, message=problem.message))
            return self._not_now(step, problem)
        words: dict[str, Any] = {"code": answer.code, "message": answer.message, "correlation_id": answer.correlation_id}
        match answer.state:
            case "running":
                news = News(Heard.RUNNING, operation=answer.operation, retry_after_s=answer.retry_after_s, **words)
            case "succeeded":
                news = News(Heard.SUCCEEDED, **words)
            case "lost":
                news = News(Heard.LOST, **words)
            case _:
                return self._ended_badly(step, words)
        return step_hear(self.lease, step.pk, news)

    def _ended_badly(self, step: ChangeStep, words: dict[str, Any]) -> ChangeStep:
        """Azure gave up: what it left is read, so that the inventory knows, and its words are kept."""
        heard = heard_of_refusal(words["code"], words["message"]) or Heard.ENDED_BADLY
        try:
            document, read_at = self._read(step)
        except CloudError:
            return step_hear(self.lease, step.pk, News(heard, **words))
        return step_hear(self.lease, step.pk, News(heard, **words), document=document, is_read=True, read_at=read_at)

    def _reread(self, step: ChangeStep) -> ChangeStep:
        is_overdue = self._is_overdue(step)
        try:
            document, read_at = self._read(step)
        except CloudError as problem:
            if is_overdue:
                return step_hear(self.lease, step.pk, News(Heard.OVERDUE, code=step.error_code, message=step.error_message))
            return self._not_now(step, problem)
        seen = _seen(step, document)
        heard = seen.heard
        if is_overdue and heard in {Heard.UNDER_WAY, Heard.NOT_YET}:
            heard = Heard.OVERDUE
        news = News(heard, code=seen.code, message=seen.message)
        return step_hear(self.lease, step.pk, news, document=document, is_read=True, read_at=read_at)

    def _read(self, step: ChangeStep) -> tuple[Document, datetime]:
        document: Document = self.cloud.network_interface(step.nic_id) if step.nic_id else self.cloud.tap(step.target_id)
        return document, timezone.now()

    def _not_now(self, step: ChangeStep, problem: CloudError) -> ChangeStep:
        """It can't be asked at the moment: later. Nothing is known, so nothing moves."""
        step.next_at = timezone.now() + timedelta(seconds=pause_s(4, problem.retry_after_s))
        with transaction.atomic():
            self.lease.hold()
            ChangeStep.objects.filter(pk=step.pk).update(next_at=step.next_at)
        return step

    # -- what is to come

    def _go_on(self, change: Change) -> datetime | None:
        """Check, send or skip what is pending; returns when to look again, None when that waits for people or for what is in flight."""
        now = timezone.now()
        if change.is_cancel_requested:
            steps_skip(self.lease, code="cancelled", reason="The change was cancelled before this was done.")
            return self._send_half_done(change)
        if change.window_closes_at is not None and now >= change.window_closes_at:
            steps_skip(self.lease, code="window_closed", reason="The change window closed before this was done.")
            return self._send_half_done(change)
        if change.state == ChangeState.PAUSED:
            return self._send_half_done(change)
        if change.window_opens_at is not None and now < change.window_opens_at:
            return change.window_opens_at
        refusal = _refusal(change)
        if refusal is not None:
            return _pause(self.lease, *refusal)
        if change.checked_at is None:
            return self._check(change)
        return self._send(change)

    def _check(self, change: Change) -> datetime | None:
        """Read the targets that were not read since somebody asked, then judge again. What moved pauses the change."""
        asked_at = change.asked_at or change.applied_at or timezone.now()
        unread = change.steps.filter(Q(read_at=None) | Q(read_at__lt=asked_at), state=StepState.PENDING)
        read_nics: set[str] = set()
        for step in unread.order_by("ordinal"):
            if self._is_over:
                return timezone.now()
            if (step.nic_key or step.target_key) in read_nics:
                continue
            read_nics.add(step.nic_key or step.target_key)
            try:
                document, read_at = self._read(step)
            except CloudError as problem:
                if problem.failure in {Failure.THROTTLED, Failure.SERVER, Failure.CONNECTION, Failure.BROKEN_BODY}:
                    return timezone.now() + timedelta(seconds=pause_s(3, problem.retry_after_s))
                return _pause(self.lease, "unreadable", f"{step.nic_name or step.target_id} can't be read: {problem.message or problem}")
            with transaction.atomic():
                self.lease.hold()
                store_read(step, document, read_at)
                same = Q(nic_key=step.nic_key) if step.nic_key else Q(target_key=step.target_key)
                change.steps.filter(same, state=StepState.PENDING).update(read_at=read_at)
        return self._judge()

    def _judge(self) -> datetime | None:
        with transaction.atomic():
            held = self.lease.hold()
            found = rejudge(held, scope=held.planner_scope)
            if found.differences:
                held.differences = [one.as_json() for one in found.differences]
                held.save(update_fields=["differences"])
                many = len(found.differences)
                text = f"{many} {'things have' if many > 1 else 'thing has'} moved since the plan. Look at what changed, then continue or cancel."
                return change_pause_by_engine(held, "moved", text)
            held.checked_at = timezone.now()
            held.save(update_fields=["checked_at"])
        return timezone.now()

    def _send(self, change: Change) -> datetime | None:
        """Send what is due of the present wave; returns when to look again, None when what is in flight decides."""
        if self._stop_for_failures(change):
            return timezone.now()
        steps = list(change.steps.defer("operation", "correlation_id"))
        wave = next_wave(steps)
        if wave is None:
            return self._stop_for_preparation(steps)
        settled_at = settles_at(steps, wave, change.settle_s)
        if settled_at is not None and settled_at > timezone.now():
            return settled_at
        return self._send_each(change, [step for step in steps if step.wave == wave and step.state == StepState.PENDING], steps)

    def _send_half_done(self, change: Change) -> datetime | None:
        """A NIC in the middle of a move is brought to its end even when the rest is halted; only the stop over all writes holds it back."""
        halves = set(change.steps.filter(HALF_DONE, state=StepState.PENDING).values_list("pk", flat=True))
        if not halves:
            return None
        if _refusal(change) is not None:  # nobody can continue a change that was cancelled: it goes on by itself when it may
            return timezone.now() + timedelta(seconds=REFUSED_AGAIN_S)
        steps = list(change.steps.defer("operation", "correlation_id"))
        return self._send_each(change, [step for step in steps if step.pk in halves], steps)

    def _send_each(self, change: Change, pending: list[ChangeStep], steps: list[ChangeStep]) -> datetime | None:
        by_id = {step.pk: step for step in steps}
        nexts: list[datetime] = []
        for step in pending:
            if self._is_over:
                return timezone.now()
            if step.wait_code == Wait.PREPARATION:
                continue
            if step.next_at is not None and step.next_at > timezone.now():
                nexts.append(step.next_at)
                continue
            leader = by_id.get(step.after_id) if step.after_id is not None else None
            if leader is not None and leader.state != StepState.VERIFIED and leader.skip_code != "already":
                if leader.state in FINAL_STEP_STATES:
                    reason = f"Step {leader.ordinal}, which must be done before, is {leader.state}."
                    steps_skip(self.lease, code="step_before", reason=reason, step_ids=[step.pk])
                    nexts.append(timezone.now())
                continue  # its leader is pending or in flight, and brings the next look
            try:
                nexts.append(self._send_one(step))
            except StopSendingError as stop:
                return self._halt(stop)
            if change.state == ChangeState.APPLYING and self._stop_for_failures(change):
                return timezone.now()
        return min(nexts, default=None)

    def _send_one(self, step: ChangeStep) -> datetime:
        """Read, claim, write, and write down what was answered; returns when this step is to be looked at again."""
        try:
            document, read_at = self._read(step)
        except CloudError as problem:
            return self._wait(step, pause_s(3, problem.retry_after_s), "unreadable", f"It can't be read at the moment: {problem.message or problem}")
        seen = _seen(step, document)
        if seen.heard is not Heard.NOT_YET:
            news = News(seen.heard, code=seen.code, message=seen.message)
            return step_hear(self.lease, step.pk, news, document=document, is_read=True, read_at=read_at).next_at or timezone.now()
        try:
            sent = step_claim(self.lease, step.pk, before=seen.before)
        except NotNowError as not_now:
            step_wait(self.lease, step.pk, until=not_now.at, wait=not_now.wait, text=not_now.text)
            return not_now.at
        news = self._write(sent)
        due = step_hear(self.lease, sent.pk, news).next_at or timezone.now()
        if news.status == 401:
            raise StopSendingError("credential", f"Azure does not take vtapweb's sign-in for writing: {news.message or news.code}")
        return due

    def _write(self, step: ChangeStep) -> News:
        try:
            method: Any = step.method
            answer = self.cloud.write(method, step.path, step.body, request_id=str(step.client_request_id))
        except CloudError as problem:
            return news_of_refusal(problem)
        except ValueError as problem:
            return News(Heard.REFUSED, code="not_writable", message=str(problem))
        words: dict[str, Any] = {"correlation_id": answer.correlation_id, "status": answer.status, "retry_after_s": answer.retry_after_s}
        if answer.state == "done":
            return News(Heard.DONE, **words)
        return News(Heard.ACCEPTED, operation=answer.operation or "", **words)

    def _wait(self, step: ChangeStep, seconds: float, wait: str, text: str) -> datetime:
        until = timezone.now() + timedelta(seconds=seconds)
        step_wait(self.lease, step.pk, until=until, wait=wait, text=text)
        return until

    def _halt(self, stop: StopSendingError) -> datetime | None:
        if stop.code in {"state", "window_closed", "window"}:
            return timezone.now()  # the next look does what follows from it
        return _pause(self.lease, stop.code, stop.text)

    def _stop_for_failures(self, change: Change) -> bool:
        ended = change.steps.filter(state__in=[StepState.VERIFIED, StepState.FAILED], sent_at__isnull=False, ended_at__gte=change.checked_at)
        results = [StepState(one) for one in ended.order_by("ended_at", "ordinal").values_list("state", flat=True)]
        if not stop_after(results):
            return False
        many = sum(one is StepState.FAILED for one in results)
        _pause(self.lease, "failures", GATE_WORDS["failures"].format(many=many))
        return True

    def _stop_for_preparation(self, steps: list[ChangeStep]) -> datetime | None:
        waiting = [step.vm_name or step.nic_name for step in steps if step.state == StepState.PENDING]
        if waiting and not any(step.state in IN_FLIGHT_STEP_STATES for step in steps):
            names = ", ".join(waiting[:10]) + (f" and {len(waiting) - 10} more" if len(waiting) > 10 else "")
            return _pause(self.lease, "preparation", GATE_WORDS["preparation"].format(names=names))
        return None


def _seen(step: ChangeStep, document: Document) -> Seen:
    order = Order(step.action, step.target_key, step.nic_key, step.body or {}, step.before, is_return=step.is_return)
    if step.nic_id:
        assert document is None or isinstance(document, NetworkInterface)  # noqa: S101 - for the type checker: _read asked for a NIC
        return seen_on_nic(order, document)
    assert document is None or isinstance(document, VirtualNetworkTap)  # noqa: S101 - for the type checker: _read asked for a TAP
    return seen_tap(order, document)


def heard_of_refusal(code: str, message: str) -> Heard | None:
    """What ARM's code and words mean beyond "refused": not on fastpath, or busy with something else. None for nothing special."""
    if "fastpath" in f"{code} {message}".lower().replace(" ", "").replace("-", ""):
        return Heard.UNPREPARED
    return Heard.BUSY if code.lower() in BUSY_CODES else None


def news_of_refusal(problem: CloudError) -> News:
    """What a write that raised says about its step."""
    heard = heard_of_refusal(problem.code, problem.message)
    if problem.is_held_by_another_operation:
        heard = Heard.BUSY
    elif problem.is_outcome_unknown:
        heard = Heard.UNCLEAR
    elif problem.failure is Failure.THROTTLED:
        heard = Heard.THROTTLED
    elif problem.failure is Failure.UNAUTHENTICATED:
        heard = Heard.BUSY  # not looked at: the change pauses, and the step waits with it
    elif problem.failure in {Failure.SERVER, Failure.CONNECTION, Failure.BROKEN_BODY, Failure.FOREIGN_LINK}:
        heard = Heard.UNCLEAR
    return News(
        heard or Heard.REFUSED,
        code=problem.code,
        message=problem.message,
        correlation_id=problem.correlation_id,
        status=401 if problem.failure is Failure.UNAUTHENTICATED else problem.status,
        retry_after_s=problem.retry_after_s,
    )


def taps_touched(steps: Iterable[ChangeStep]) -> list[str]:
    """ARM ids of the TAPs that these steps' NICs are, or were, mirrored to; each once."""
    found: dict[str, str] = {}
    for step in steps:
        wanted = ((step.body or {}).get("properties") or {}).get("virtualNetworkTap") or {}
        for tap_id in (wanted.get("id"), step.before.get("tap_id")):
            if tap_id:
                found.setdefault(arm_key(tap_id), tap_id)
    return list(found.values())


def next_wave(steps: list[ChangeStep]) -> int | None:
    """The wave whose turn it is: the first that has a step to send or in flight. What waits for preparation holds nobody up."""
    return min(
        (step.wave for step in steps if step.state not in FINAL_STEP_STATES and not (step.state == "pending" and step.wait_code == Wait.PREPARATION)),
        default=None,
    )


def settles_at(steps: list[ChangeStep], wave: int, settle_s: int) -> datetime | None:
    """When what other waves did has settled, None when none of them sent anything."""
    ended = [step.ended_at for step in steps if step.wave != wave and step.sent_at is not None and step.ended_at is not None]
    return max(ended) + timedelta(seconds=settle_s) if ended else None


def _refusal(change: Change) -> tuple[str, str] | None:
    """Why nothing may be sent in this change's subscriptions, as (code, sentence)."""
    for state in writes_states(Scope.everything(), written_subscriptions(Scope.everything(), change)).values():
        if not state.is_allowed:
            return ("writes_stopped" if state.is_stopped else "writes_disabled"), state.refusal
    return None


# -- the change as a whole


@transaction.atomic
def _pause(lease: ChangeLease, code: str, text: str) -> datetime | None:
    """Pause it for that reason; returns when to look again: at once, for what is half done. One that is not applying (any more) stays as it is."""
    return change_pause_by_engine(lease.hold(), code, text)


def change_pause_by_engine(change: Change, code: str, text: str) -> datetime | None:
    """The same for a caller that holds the change's row."""
    if change.state != ChangeState.APPLYING:
        return None
    change.state = moved_change(change.state, ChangeState.PAUSED)
    change.stop_code, change.stop_reason = code, text
    change.save(update_fields=["state", "stop_code", "stop_reason"])
    audit_record(
        action="taps.change_paused",
        acting_user=change.applied_by,
        actor=change.applied_by_name,
        target=f"change {change.pk}",
        reason=text,
        detail={"by": "vtapweb", "code": code, "ticket": change.ticket},
    )
    tell(change)
    record_event(ChangeEvent(change_id=change.pk, state=ChangeState.PAUSED.value, stop_code=code), subscription_ids=change.subscription_ids)
    return timezone.now()


@transaction.atomic
def _finish(lease: ChangeLease) -> None:
    change_finish(lease.hold())


def not_done(change: Change) -> dict[str, Any]:
    """The steps that failed or were skipped, failed ones first, with their codes; {} for none. Of many only the first, and how many more."""
    found = change.steps.filter(state__in=[StepState.FAILED, StepState.SKIPPED]).order_by("state", "ordinal")
    some = found[:STEPS_IN_AUDIT].values_list("ordinal", "target_id", "state", "error_code", "skip_code")
    told = [
        {"step": ordinal, "target": target_id, "state": state, "code": error_code if state == StepState.FAILED else skip_code}
        for ordinal, target_id, state, error_code, skip_code in some
    ]
    more = found.count() - len(told)
    return {**({"not_done": told} if told else {}), **({"not_done_left_out": more} if more else {})}


def change_finish(change: Change) -> None:
    """Bring a change without open steps to its end: counts, audit record, event. The caller holds its row."""
    counts = counts_of(change.pk)
    state = end_state(counts, is_cancelled=change.is_cancel_requested)
    if state is None or change.is_finished:
        return
    change.state = moved_change(change.state, state)
    change.finished_at, change.lease_until, change.next_due_at = timezone.now(), None, None
    if state is ChangeState.APPLIED:
        change.stop_code = change.stop_reason = ""
    elif change.window_closes_at is not None and change.steps.filter(skip_code="window_closed").exists():
        change.stop_code, change.stop_reason = "window_closed", "The change window closed before everything was sent."
    elif change.stop_code == "failures":  # it was paused for them; now nothing is left to continue
        change.stop_reason = f"Stopped after {counts.failed} failures."
    overdue = counts.failed + counts.skipped - counts.already + len(change.left_out) if change.plan.get("is_expiry") else 0
    if overdue:
        change.stop_code = change.stop_code or "overdue"
        left = (
            "1 mirror whose time is up is still there: it stays overdue"
            if overdue == 1
            else f"{overdue:,} mirrors whose time is up are still there: they stay overdue"
        )
        change.stop_reason = f"{change.stop_reason} {left} until a later change, or somebody, untaps {'it' if overdue == 1 else 'them'}.".strip()
    gaps = gaps_of(change.steps.all()) if change.action == "move" else []
    change.save(update_fields=["state", "finished_at", "lease_until", "next_due_at", "stop_code", "stop_reason"])
    audit_record(
        action="taps.change_ended",
        acting_user=change.applied_by,
        actor=change.applied_by_name,
        target=f"change {change.pk}",
        reason=change.reason,
        detail={
            "state": state.value,
            "action": change.action,
            "tap": change.tap_id,
            "ticket": change.ticket,
            "verified": counts.verified,
            "failed": counts.failed,
            "skipped": counts.skipped,
            "stop_code": change.stop_code,
            **not_done(change),
            **({"gaps": [one.words for one in gaps]} if gaps else {}),
        },
    )
    tell(change)
    record_event(ChangeEvent(change_id=change.pk, state=state.value, stop_code=change.stop_code), subscription_ids=change.subscription_ids)
