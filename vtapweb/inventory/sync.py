"""Reading one subscription: every list page by page, only what changed written, absence judged at the end of a complete list.

Rule 1: nothing is removed unless that list of that subscription was read to its end, and the sum of its items was right. Rule 2: every
write is a short transaction that starts with the lease. Rule 3: a change and its record are written together. Rule 4: what a single read
told since a page was asked for is newer than the page. docs/sync.md tells the whole story; `rows` knows how an item becomes rows, `bulk`
how rows get into tables.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from vtapweb.cloud.port import Cloud, CloudError, Failure, ReadKind
from vtapweb.cloud.types import NotUnderstood, Page, VirtualMachineStatus
from vtapweb.domain.arm_id import arm_key, fold
from vtapweb.events.types import KindProgress
from vtapweb.inventory import models, rows
from vtapweb.inventory.batch import write_batch
from vtapweb.inventory.bulk import chunks
from vtapweb.inventory.lease import Lease, reads_of
from vtapweb.inventory.models import KindState, RemovalHold
from vtapweb.inventory.removal import ALIVE, Missing, judge_missing
from vtapweb.inventory.rows import DOCUMENTS, SCALE_SET_NETWORK_INTERFACES, Child, Document, Table

BATCH_ROWS: Final = 1000
FEW_LISTS: Final = 3  # so many that failed are named in the log's one line
GIVE_UP_AFTER: Final = 2  # lists in a row that found no connection: the others won't either

# A list that an ARM server lacks tells nothing, and that is no failure; but no picture can do without VNets and NICs. Of power states a
# refusal means the same: unknown.
UNKNOWN_INSTEAD: Final[Mapping[str, frozenset[Failure]]] = {
    ReadKind.VIRTUAL_NETWORKS: frozenset(),
    ReadKind.NETWORK_INTERFACES: frozenset(),
    ReadKind.VIRTUAL_MACHINE_STATUSES: frozenset({Failure.FORBIDDEN, Failure.MISSING, Failure.REFUSED}),
}

MISCOUNTED: Final = "CountMismatch"
NAMELESS: Final = "ItemsWithoutId"

log = structlog.get_logger(__name__)
Status = KindState.Status


@dataclass
class KindResult:
    """What reading one list came to. Always sent = stored + duplicates + not understood, else `status` is partial and says so."""

    kind: str
    status: str = Status.NEVER
    sent_count: int = 0
    stored_count: int = 0
    duplicate_count: int = 0
    written_count: int = 0
    pages: int = 0
    not_understood: list[NotUnderstood] = field(default_factory=list)
    is_held: bool = False
    failure: str = ""
    code: str = ""
    message: str = ""
    correlation_id: str = ""

    @property
    def is_complete(self) -> bool:
        return self.status in KindState.READ_STATUSES

    def fail(self, problem: CloudError) -> None:
        self.failure, self.code, self.message, self.correlation_id = problem.failure, problem.code, problem.message, problem.correlation_id
        if not self.pages and problem.failure in UNKNOWN_INSTEAD.get(self.kind, frozenset({Failure.MISSING})):
            self.status = Status.NOT_AVAILABLE
        else:
            self.status = Status.PARTIAL if self.pages else Status.FAILED

    def progress(self) -> KindProgress:
        state: Any = "reading" if self.status == Status.NEVER else self.status
        return KindProgress(state=state, sent_count=self.sent_count, written_count=self.written_count, failure=str(self.failure))


@dataclass
class Outcome:
    """What one subscription's sync did: results by list, and how many changes it recorded."""

    kinds: dict[str, KindResult] = field(default_factory=dict)
    added_count: int = 0
    changed_count: int = 0
    removed_count: int = 0

    def count(self, changes: Mapping[str, int]) -> None:
        """Add recorded changes, by action."""
        self.added_count += changes.get("added", 0)
        self.changed_count += changes.get("changed", 0)
        self.removed_count += changes.get("removed", 0)

    @property
    def state(self) -> str:
        """complete | partial | failed: failed when not one list could be read."""
        statuses = {one.status for one in self.kinds.values()}
        of_lists = {one.status for one in self.kinds.values() if one.kind != SCALE_SET_NETWORK_INTERFACES}
        if not of_lists & {Status.COMPLETE, Status.HELD, Status.PARTIAL}:
            return "failed"
        return "partial" if statuses & {Status.PARTIAL, Status.FAILED, Status.HELD} else "complete"

    @property
    def worst(self) -> KindResult | None:
        """The first list that failed, for the one line that tells why."""
        return next((one for one in self.kinds.values() if one.status in {Status.FAILED, Status.PARTIAL}), None)


def failed_outcome(problem: CloudError) -> Outcome:
    """What it is when no list could even be asked for."""
    outcome = Outcome({kind: KindResult(kind) for kind in (*ReadKind, SCALE_SET_NETWORK_INTERFACES)})
    for result in outcome.kinds.values():
        result.fail(problem)
    return outcome


def sync_subscription(cloud: Cloud, lease: Lease) -> Outcome:
    """Read every list of the lease's subscription and write what changed; returns what came of it, KindStates not yet stored.

    A list that fails is in the result with ARM's code and message; the others go on. Raises LeaseLostError and CancelledError.
    """
    return _Reading(cloud, lease).run()


class _Reading:
    """One subscription's lists, one after the other."""

    def __init__(self, cloud: Cloud, lease: Lease) -> None:
        self.cloud = cloud
        self.lease = lease
        self.outcome = Outcome()
        self.progress: dict[str, KindProgress] = {}
        self.power_states: dict[str, str] = {}
        self.unconnected = 0
        # An admin decides during a sync at most on holds that are there already.
        alive = RemovalHold.objects.filter(subscription_id=lease.subscription_id, state__in=ALIVE)
        self.held_kinds = frozenset(alive.values_list("read_kind", flat=True))

    def run(self) -> Outcome:
        hopeless: CloudError | None = None
        for kind in ReadKind:
            result = KindResult(kind)
            self.outcome.kinds[kind] = result
            if hopeless is not None:
                result.fail(hopeless)
                continue
            hopeless = self._read(kind, result)
        sets = KindResult(SCALE_SET_NETWORK_INTERFACES)
        self.outcome.kinds[SCALE_SET_NETWORK_INTERFACES] = sets
        if hopeless is not None:
            sets.fail(hopeless)
        else:
            self._read_scale_sets(sets)
        self._warn()
        return self.outcome

    def _warn(self) -> None:
        """One line for each way in which lists of this subscription failed; the page Syncs and the debug log tell of each list."""
        failed: dict[tuple[str, str], list[str]] = {}
        for result in self.outcome.kinds.values():
            if result.status in {Status.FAILED, Status.PARTIAL} and result.failure:
                failed.setdefault((str(result.failure), result.code), []).append(str(result.kind))
        for (failure, code), kinds in failed.items():
            lists = ", ".join(kinds) if len(kinds) <= FEW_LISTS else f"{len(kinds)} of {len(self.outcome.kinds)}"
            log.warning("sync.lists_failed", subscription=self.lease.subscription_id, lists=lists, failure=failure, code=code)

    def _read(self, kind: ReadKind, result: KindResult) -> CloudError | None:
        """Read one list; returns the problem when no other list needs to be tried."""
        pages = self.cloud.pages(kind, self.lease.subscription_id)
        problem = self._read_statuses(pages, result) if kind is ReadKind.VIRTUAL_MACHINE_STATUSES else self._read_documents(kind, pages, result)
        if problem is None:
            self.unconnected = 0
            return None
        failure = {"failure": str(problem.failure), "code": problem.code, "status": problem.status, "pages": result.pages}
        log.debug("sync.list_failed", kind=str(kind), subscription=self.lease.subscription_id, **failure)
        self.unconnected = self.unconnected + 1 if problem.failure is Failure.CONNECTION else 0
        return problem if problem.failure is Failure.UNAUTHENTICATED or self.unconnected >= GIVE_UP_AFTER else None

    def _read_documents(self, kind: ReadKind, pages: Iterator[Page[Any]], result: KindResult) -> CloudError | None:
        reading = _ListReading(self, kind, result)
        if kind is ReadKind.VIRTUAL_MACHINES:
            reading.joined = self._power_state
        problem = reading.read(pages)
        reading.finish(problem)
        return problem

    def _read_statuses(self, pages: Iterator[Page[VirtualMachineStatus]], result: KindResult) -> CloudError | None:
        problem: CloudError | None = None
        try:
            for page in pages:
                count_page(result, page)
                for item in page.items:
                    folded = fold(item.arm_id)
                    result.duplicate_count += folded in self.power_states
                    self.power_states[folded] = item.power_state
                self.beat(result)
        except CloudError as failed:
            problem = failed
        result.stored_count = len(self.power_states)
        judge_sum(result, problem)
        if problem is not None and result.status != Status.NOT_AVAILABLE:  # it may work again soon: what we knew stays, marked stale
            present = models.VirtualMachine.objects.filter(subscription_id=self.lease.subscription_id, removed_at=None)
            known = {fold(arm_id): power_state for arm_id, power_state in present.values_list("arm_id", "power_state")}
            self.power_states = {**known, **self.power_states}
        return problem

    def _power_state(self, arm_id: str) -> str:
        return self.power_states.get(fold(arm_id), "")

    def _read_scale_sets(self, result: KindResult) -> None:
        """The NICs of those uniform scale sets that a backend pool or TAP names, and of those whose NICs we hold already."""
        reading = _ListReading(self, SCALE_SET_NETWORK_INTERFACES, result)
        existing = self._existing_scale_sets()
        wanted = named_scale_sets(self.lease.subscription_id) | reading.scale_sets_held()
        incomplete: dict[str, CloudError] = {}
        for key, set_id in sorted(wanted.items()):
            if existing is not None and key not in existing:
                continue  # a complete list lacks the set: so its NICs are gone, too
            problem = reading.read(self.cloud.scale_set_network_interfaces(set_id))
            if problem is not None:
                incomplete[key] = problem
        reading.finish(next(iter(incomplete.values()), None), incomplete_scale_sets=frozenset(incomplete))

    def _existing_scale_sets(self) -> set[str] | None:
        """Keys of the scale sets there are; None when their list was not read to its end."""
        if not self.outcome.kinds[ReadKind.SCALE_SETS].is_complete:
            return None
        present = models.ScaleSet.objects.filter(subscription_id=self.lease.subscription_id, removed_at=None)
        return set(present.values_list("key", flat=True))

    def beat(self, result: KindResult) -> None:
        self.progress[result.kind] = result.progress()
        self.lease.beat(self.progress)


def named_scale_sets(subscription_id: str) -> dict[str, str]:
    """{key: ARM id} of this subscription's scale sets whose members a stored backend pool or TAP (of any subscription) names."""
    named: list[str] = []
    pools = models.BackendAddressPool.objects.filter(subscription_id=subscription_id, removed_at=None)
    for members in pools.values_list("ip_configuration_ids", flat=True).iterator():
        named.extend(members)
    taps = models.VirtualNetworkTap.objects.filter(removed_at=None, destination_ip_configuration_id__icontains=rows.SCALE_SET_SEGMENT)
    named.extend(taps.values_list("destination_ip_configuration_id", flat=True))
    prefix = f"/subscriptions/{subscription_id}/"
    sets = {rows.scale_set_of(one) for one in named}
    return {arm_key(one): one for one in sets if one.lower().startswith(prefix)}


def count_page(result: KindResult, page: Page[Any]) -> None:
    result.pages += 1
    result.sent_count += page.sent_count + page.repeated_count
    result.duplicate_count += page.repeated_count
    result.not_understood.extend(page.not_understood)


def judge_sum(result: KindResult, problem: CloudError | None) -> None:
    """Set the status: failed by `problem`, else complete when every item sent is accounted for, else partial and said so."""
    if problem is not None:
        result.fail(problem)
        return
    accounted = result.stored_count + result.duplicate_count + len(result.not_understood)
    nameless = sum(not one.arm_id for one in result.not_understood)
    if result.sent_count != accounted:
        result.status, result.code = Status.PARTIAL, MISCOUNTED
        result.message = (
            f"The server sent {result.sent_count} items, {accounted} are accounted for: {result.stored_count} stored, "
            f"{result.duplicate_count} sent twice, {len(result.not_understood)} not understood. Nothing was removed."
        )
        log.error("sync.count_mismatch", kind=result.kind, sent=result.sent_count, accounted=accounted)
    elif nameless:
        result.status, result.code = Status.PARTIAL, NAMELESS
        result.message = f"{nameless} items came without an id, so nobody can say which resources are missing. Nothing was removed."
    else:
        result.status = Status.COMPLETE


class _ListReading:
    """One list: compares digests as the pages come, writes what differs in batches, judges absence at the end."""

    def __init__(self, reading: _Reading, kind: str, result: KindResult) -> None:
        self.reading = reading
        self.lease = reading.lease
        self.outcome = reading.outcome
        self.result = result
        self.kind = kind
        self.document: Document = DOCUMENTS[kind]
        self.table: Table = self.document.table
        self.children: tuple[Child, ...] = self.document.children
        self.joined: Callable[[str], str] | None = None  # by ARM id
        self.prefix = f"/subscriptions/{self.lease.subscription_id}/"
        self.asked_at: datetime = timezone.now()  # for the page at hand
        self.began_at = self.asked_at
        stored = self._stored()
        present = dict(stored.filter(removed_at=None).values_list("key", "digest").iterator(10_000))
        self.present = frozenset(present)
        # The digest covers the document and so its id: whose digest is stored needs no second look, not even at its key.
        self.unchanged: dict[bytes, str] = {bytes(one): key for key, one in present.items() if one}
        self.removed: set[str] = set(stored.filter(removed_at__isnull=False).values_list("key", flat=True))
        self.seen: dict[str, bytes] = {}
        # A document whose digest is the stored one holds the children that are stored: only those of changed ones can be missing.
        self.vanished: dict[str, set[str]] = {str(child.table.kind): set() for child in self.children}
        self.batch: dict[str, tuple[Any, str, datetime]] = {}  # key → item, what is joined to it, when its page was asked for
        self.batch_rows = 0
        self.written: set[str] = set()
        self.unreadable: set[str] = set()  # keys of items that came but were not understood: they are there, whatever they are

    def _stored(self) -> QuerySet[Any]:
        stored: QuerySet[Any] = self.table.model._default_manager.filter(subscription_id=self.lease.subscription_id)
        if self.kind == ReadKind.NETWORK_INTERFACES:
            return stored.filter(scale_set_key="")
        return stored.exclude(scale_set_key="") if self.kind == SCALE_SET_NETWORK_INTERFACES else stored

    def scale_sets_held(self) -> dict[str, str]:
        return dict(self._stored().filter(removed_at=None).values_list("scale_set_key", "scale_set_id"))

    def read(self, pages: Iterator[Page[Any]]) -> CloudError | None:
        """Take in all pages; returns the problem that ended them early, None when the list was read to its end."""
        problem: CloudError | None = None
        self.asked_at = timezone.now()
        try:
            for page in pages:
                count_page(self.result, page)
                self.unreadable.update(arm_key(one.arm_id) for one in page.not_understood if one.arm_id)
                for item in page.items:
                    self._take(item)
                self.reading.beat(self.result)
                self.asked_at = timezone.now()  # the next page is asked for when the loop goes on
        except CloudError as failed:
            problem = failed
        self._flush()
        return problem

    def _take(self, item: Any) -> None:
        joined = self.joined(item.arm_id) if self.joined else ""
        digest = rows.digest(item.raw, joined)
        key = self.unchanged.get(digest, "")
        if key and key not in self.seen:
            self.seen[key] = digest
            return
        if not item.arm_id.lower().startswith(self.prefix):
            reason = f"its id names another subscription than {self.lease.subscription_id}, whose list it came in"
            self.result.not_understood.append(NotUnderstood(arm_id=item.arm_id, reason=reason, raw=item.raw))
            return
        key = arm_key(item.arm_id)
        before = self.seen.get(key)
        if before is not None:
            self.result.duplicate_count += 1
            if before == digest:
                return
        self.seen[key] = digest
        self.batch[key] = (item, joined, self.asked_at)
        self.batch_rows += 1 + sum(len(child.items(item)) for child in self.children)
        if self.batch_rows >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self.batch:
            return
        batch, self.batch, self.batch_rows = self.batch, {}, 0
        with transaction.atomic():
            self.lease.hold()
            read_at = reads_of(batch)
            current = {key: (item, joined) for key, (item, joined, asked_at) in batch.items() if key not in read_at or read_at[key] <= asked_at}
            written = write_batch(
                self.document,
                current,
                is_known=lambda key: self._is_known(key) or key in read_at,
                run_id=self.lease.run_id,
                subscription_id=self.lease.subscription_id,
                at=timezone.now(),
            )
        self.written.update(current)
        self.result.written_count += len(current)
        self.outcome.count(written.counts)
        for kind, keys in self.vanished.items():
            keys -= written.stored[kind]
            keys |= written.vanished[kind]

    def _is_known(self, key: str) -> bool:
        return key in self.present or key in self.removed or key in self.written

    def finish(self, problem: CloudError | None, *, incomplete_scale_sets: frozenset[str] = frozenset()) -> None:
        """Judge the sum, then absence where the list was complete. `incomplete_scale_sets` are keys whose members count as not read."""
        self.result.stored_count = len(self.seen)
        judge_sum(self.result, problem)
        if self.result.status == Status.NOT_AVAILABLE and self.present:
            self.result.status = Status.FAILED  # it was there once, and what we hold of it may be old by now
        if self.kind == SCALE_SET_NETWORK_INTERFACES:
            self._leave_out(incomplete_scale_sets)
            is_absence_known = self.result.code not in {MISCOUNTED, NAMELESS}
        else:
            is_absence_known = self.result.is_complete
        if is_absence_known:
            self._judge_absence()
        self.reading.beat(self.result)

    def _leave_out(self, scale_set_keys: frozenset[str]) -> None:
        if scale_set_keys:
            self.present -= set(self._stored().filter(removed_at=None, scale_set_key__in=scale_set_keys).values_list("key", flat=True))

    def _judge_absence(self) -> None:
        gone = self.present - self.seen.keys() - self.unreadable
        missing = [self._missing(self.table, gone, len(self.present))]
        has_hold = self._has_hold()
        for child in self.children:
            # what stands in a missing document goes or stays with it
            keys = self.vanished[child.table.kind]
            if keys or has_hold:
                stored = child.table.model._default_manager.filter(subscription_id=self.lease.subscription_id, removed_at=None)
                missing.append(self._missing(child.table, keys, stored.count()))
        is_quiet = not any(one.keys for one in missing) and not has_hold
        if is_quiet:
            return
        with transaction.atomic():
            self.lease.hold()
            missing = [self._without_read(one) for one in missing]
            judged = [judge_missing(one, run_id=self.lease.run_id, at=timezone.now()) for one in missing]
        for counts, is_held in judged:
            self.outcome.count(counts)
            self.result.is_held |= is_held
        if self.result.is_held and self.result.status == Status.COMPLETE:
            self.result.status = Status.HELD
            self.result.code = "RemovalHeld"
            self.result.message = "So much is missing from this list that an admin has to confirm the removal. Nothing was removed."

    def _missing(self, table: Table, keys: Iterable[str], present_count: int) -> Missing:
        return Missing(self.lease.subscription_id, self.kind, table, frozenset(keys), present_count)

    def _without_read(self, missing: Missing) -> Missing:
        """The same without rows that were read by themselves since this list was begun: what they are is newer than what it lacks."""
        parents = {key: key for key in missing.keys}
        for child in self.children:
            if child.table is missing.table:
                parents = {}
                for some in chunks(missing.keys):
                    parents.update(child.table.model._default_manager.filter(key__in=some).values_list("key", child.parent_column))
        read = {key for key, read_at in reads_of(parents.values()).items() if read_at > self.began_at}
        return replace(missing, keys=frozenset(key for key in missing.keys if parents.get(key) not in read)) if read else missing

    def _has_hold(self) -> bool:
        return self.kind in self.reading.held_kinds
