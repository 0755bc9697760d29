"""What one writer must hold before a request leaves: the change itself, a place in the subscription's budget, the groups of its VM.

Rule 1: the database decides, not the worker's clock: whoever lost the lease (another fencing number) writes nothing more. Rule 2: everything here
runs inside the caller's transaction, and locks are taken in one order: the change, the stop, the budget, the groups, the step, the event counter.
"""

import os
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from vtapweb.domain.change import RUNNING_CHANGE_STATES
from vtapweb.inventory.lease import CLOCKS_DIFFER_S
from vtapweb.taps.models import Change, ChangeStep, GroupHold, WriteBudget

LEASE_S: Final = 20.0
LONGEST_PAUSE_S: Final = 600.0  # a Retry-After beyond this is looked at again then
GROUP_RETRY_S: Final = 1.0


class LeaseLostError(Exception):
    """Somebody else may hold the change by now: stop, write nothing."""


class NotNowError(Exception):
    """A step can't be sent before `at`; the transaction that tried it is rolled back. `wait` and `text` say why, for programs and people."""

    def __init__(self, at: datetime, wait: str, text: str) -> None:
        super().__init__(text)
        self.at, self.wait, self.text = at, wait, text


class ChangeLease:
    """One worker's hold on one change."""

    def __init__(self, *, change_id: int, fence: int) -> None:
        self.change_id = change_id
        self.fence = fence

    def hold(self, **changes: Any) -> Change:
        """The change, locked until the end of the transaction and the lease renewed. Raises LeaseLostError."""
        until = timezone.now() + timedelta(seconds=LEASE_S)
        mine = Change.objects.filter(pk=self.change_id, fence=self.fence, state__in=sorted(RUNNING_CHANGE_STATES))
        if not mine.update(lease_until=until, **changes):
            raise LeaseLostError(f"change {self.change_id} has another owner than fence {self.fence}, or has ended")
        return Change.objects.get(pk=self.change_id)


def is_free(now: datetime) -> Q:
    """Changes that nobody holds. A lease that runs longer than any is given was given before the clock was set back."""
    return Q(lease_until=None) | Q(lease_until__lt=now) | Q(lease_until__gt=now + timedelta(seconds=LEASE_S + CLOCKS_DIFFER_S))


@transaction.atomic
def claim(change_id: int) -> ChangeLease | None:
    """Take the change with a new fencing number; None when another worker has it or it is not running."""
    now = timezone.now()
    free = Change.objects.filter(is_free(now), pk=change_id, state__in=sorted(RUNNING_CHANGE_STATES))
    owner = f"{socket.gethostname()[:80]}:{os.getpid()}"
    if not free.update(fence=F("fence") + 1, lease_until=now + timedelta(seconds=LEASE_S), lease_owner=owner, nudged_at=None, next_due_at=None):
        return None
    return ChangeLease(change_id=change_id, fence=Change.objects.values_list("fence", flat=True).get(pk=change_id))


@transaction.atomic
def renew(lease: ChangeLease) -> None:
    """Keep it while the worker waits for an answer. Raises LeaseLostError."""
    lease.hold()


@transaction.atomic
def release(lease: ChangeLease, *, next_due_at: datetime | None) -> None:
    """Give the change back and say when to look again (None: not before somebody asks). Nothing happens when it is another's by now.

    Somebody who asked for something while we worked (pause, cancel) has set `next_due_at`, and the earlier one counts.
    """
    mine = Change.objects.select_for_update().filter(pk=lease.change_id, fence=lease.fence).first()
    if mine is not None:
        both = [one for one in (mine.next_due_at, next_due_at) if one is not None]
        mine.next_due_at = None if mine.is_finished else min(both, default=None)
        mine.lease_until, mine.lease_owner = None, ""
        mine.save(update_fields=["next_due_at", "lease_until", "lease_owner"])


# -- the write budget


def budget_take(subscription_id: str, *, now: datetime) -> None:
    """Take one write from the subscription's budget. Raises NotNowError when none is left."""
    fresh = WriteBudget(subscription_id=subscription_id, tokens=float(settings.WRITES_AT_ONCE), at=now)
    WriteBudget.objects.bulk_create([fresh], ignore_conflicts=True)
    budget = WriteBudget.objects.select_for_update().get(pk=subscription_id)
    # A moment that lies further ahead than any pause was written before the clock was set back.
    longest = timedelta(seconds=LONGEST_PAUSE_S + CLOCKS_DIFFER_S)
    if budget.not_before is not None and now < budget.not_before <= now + longest:
        raise NotNowError(budget.not_before, "throttled", "Azure has asked us to send nothing to this subscription until then.")
    grown_s = max((now - budget.at).total_seconds(), 0.0)
    tokens = min(budget.tokens + grown_s * settings.WRITES_PER_S, float(settings.WRITES_AT_ONCE))
    if tokens < 1 and budget.at <= now + timedelta(seconds=CLOCKS_DIFFER_S):
        ready_at = now + timedelta(seconds=(1 - tokens) / settings.WRITES_PER_S)
        raise NotNowError(ready_at, "throttled", f"Azure takes {settings.WRITES_PER_S} writes a second in this subscription.")
    budget.tokens, budget.at, budget.not_before = max(tokens - 1, 0.0), now, None
    budget.save()


def budget_refused(subscription_id: str, *, until: datetime, now: datetime) -> None:
    """Azure said that the budget is used up: nothing more goes there until then, from any change."""
    WriteBudget.objects.filter(pk=subscription_id).update(tokens=0.0, at=now, not_before=until)


# -- groups


def digest_of(group: str) -> str:
    """How a group is told apart in the table: a tag's value may be longer than an index takes."""
    return blake2b(group.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def groups_take(step: ChangeStep, *, now: datetime) -> None:
    """Take all groups of the step; another step of the same NIC hands its own over. Raises NotNowError while one is somebody else's."""
    wanted = {digest_of(one): one for one in sorted(set(step.groups))}
    if not wanted:
        return
    held = list(GroupHold.objects.select_for_update(of=("self",)).select_related("step").filter(pk__in=wanted).order_by("pk"))
    for one in held:
        is_ours = one.step_id == step.pk or (one.step.change_id == step.change_id and one.step.nic_key == step.nic_key != "")
        if not is_ours and (one.until is None or one.until > now):
            is_seen = one.step.subscription_id in step.change.subscription_ids  # by whoever sees this change
            who = one.step.vm_name or one.step.nic_name if is_seen else "A VM in another subscription"
            text = f"{who}, which shares {one.group} with it, is being changed by change {one.step.change_id}."
            raise NotNowError(one.until or now + timedelta(seconds=GROUP_RETRY_S), "group", text)
    GroupHold.objects.filter(pk__in=[one.pk for one in held]).update(step=step, until=None)
    new = [GroupHold(group_digest=digest, group=wanted[digest], step=step) for digest in sorted(set(wanted) - {one.pk for one in held})]
    try:
        with transaction.atomic():
            GroupHold.objects.bulk_create(new)
    except IntegrityError as problem:
        text = "A VM that shares a group with it is being changed by another change."
        raise NotNowError(now + timedelta(seconds=GROUP_RETRY_S), "group", text) from problem


def groups_settle(step_ids: Iterable[int], *, until: datetime) -> None:
    """These steps have ended: their groups are free again after the pause in which the VMs get their network back."""
    GroupHold.objects.filter(step_id__in=list(step_ids)).update(until=until)
