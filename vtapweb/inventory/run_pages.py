"""What the pages about syncs show: runs, their parts with live progress, held removals, what could not be understood. Fixed numbers of queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Q, QuerySet, Sum

from vtapweb.cloud.advice import Advice, advise_of
from vtapweb.cloud.port import Failure, ReadKind
from vtapweb.cloud.types import Identity
from vtapweb.domain.scope import Scope
from vtapweb.inventory import browse, selectors
from vtapweb.inventory.details import kind_status
from vtapweb.inventory.kinds import READ_KIND_HEADS, SINGULARS, read_kind_words
from vtapweb.inventory.models import KindState, ResourceChange, SubscriptionSync, SyncRun
from vtapweb.inventory.whoami import identity_known
from vtapweb.web.tables import Cell

RUN_STATES = {
    "queued": ("stale", "◌", "queued"),
    "running": ("flow", "◐", "running"),
    "complete": ("", "●", "complete"),
    "partial": ("warn", "▲", "partial"),
    "failed": ("bad", "⬢", "failed"),
    "cancelled": ("stale", "○", "cancelled"),
}


WORKER_LOST = Advice("The worker was lost.", "Look into its log, then sync again.")


def advice(failure: str, code: str = "", subscription_id: str = "", identity: Identity | None = None) -> Advice | None:
    """What a kept failure means and what mends it; None where nothing failed."""
    if failure == "worker":
        return WORKER_LOST
    return advise_of(failure, code=code, subscription_id=subscription_id, identity=identity) if failure else None


def took_s(started_at: datetime | None, ended_at: datetime | None) -> float | None:
    """Seconds between the two, None while either is not known."""
    return (ended_at - started_at).total_seconds() if started_at and ended_at else None


def run_state(state: str) -> Cell:
    tone, glyph, words = RUN_STATES.get(state, ("stale", "◌", state))
    return Cell(words, tone=tone, glyph=glyph)


@dataclass(frozen=True, slots=True)
class PartView:
    """One subscription of a run. `lists`: (what is read, state, items sent, rows written); `done` of `wanted` lists are over."""

    name: str
    subscription_id: str
    state: Cell
    seconds: float | None
    added: int
    changed: int
    removed: int
    lists: list[tuple[str, Cell, int, int]]
    done: int
    wanted: int
    sent: int
    code: str
    message: str
    advice: Advice | None


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with what of it lies in scope."""

    run: SyncRun
    state: Cell
    seconds: float | None
    parts: list[PartView] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    removed: int = 0
    waiting: int = 0


PROGRESS_STATES = {"reading": ("flow", "◐", "reading")}


def _list_state(state: str, failure: str) -> Cell:
    tone_glyph_words = PROGRESS_STATES.get(state)
    return Cell(tone_glyph_words[2], tone=tone_glyph_words[0], glyph=tone_glyph_words[1]) if tone_glyph_words else kind_status(state, failure)


def _part(part: SubscriptionSync, now: datetime, identity: Identity | None) -> PartView:
    lists = [
        (
            read_kind_words(kind),
            _list_state(str(one.get("state", "")), str(one.get("failure", ""))),
            int(one.get("sent_count", 0)),
            int(one.get("written_count", 0)),
        )
        for kind, one in part.progress.items()
    ]
    return PartView(
        name=str(part.subscription),
        subscription_id=part.subscription_id,
        state=run_state(part.state),
        seconds=took_s(part.started_at, part.finished_at or (now if part.state == "running" else None)),
        added=part.added_count,
        changed=part.changed_count,
        removed=part.removed_count,
        lists=lists,
        done=sum(1 for progress in part.progress.values() if progress.get("state") != "reading"),
        wanted=max(len(ReadKind), len(part.progress)),
        sent=sum(one[2] for one in lists),
        code=part.code,
        message=part.message,
        advice=advice(part.failure, part.code, part.subscription_id, identity),
    )


def run_of(scope: Scope, run_id: int) -> SyncRun | None:
    """One run that has, or was asked for, a subscription in scope; None otherwise. One query, two where it has no part in scope yet."""
    run = selectors.sync_runs(scope).filter(pk=run_id).first()
    if run is not None:
        return run
    asked = SyncRun.objects.filter(pk=run_id, requested_subscription_ids__isnull=False).first()
    return asked if asked is not None and scope.meets(asked.requested_subscription_ids or ()) else None


def run_views(runs: Sequence[SyncRun], scope: Scope, now: datetime) -> list[RunView]:
    """The runs with their parts in scope. One query."""
    parts: dict[int, list[SubscriptionSync]] = {run.pk: [] for run in runs}
    identity = identity_known()
    for part in selectors.subscription_syncs(scope, parts):
        parts[part.run_id].append(part)
    return [
        RunView(
            run,
            run_state(run.state),
            took_s(run.started_at, run.finished_at or (now if run.state == "running" else None)),
            [_part(part, now, identity) for part in parts[run.pk]],
            sum(part.added_count for part in parts[run.pk]),
            sum(part.changed_count for part in parts[run.pk]),
            sum(part.removed_count for part in parts[run.pk]),
            sum(1 for part in parts[run.pk] if part.state in ("queued", "running")),
        )
        for run in runs
    ]


@dataclass(frozen=True, slots=True)
class Lack:
    """Lists of one subscription that are not complete for the same reason; `message` is Azure's own for the first of them."""

    words: str
    code: str
    message: str
    last_complete_at: datetime | None  # the oldest; None when one was never read completely
    advice: Advice | None


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """One subscription's line of the reading table: a cell per list, what is lacking in words."""

    subscription_id: str
    key: str
    name: str
    tenant_id: str
    not_listed_since: datetime | None
    cells: list[Cell]
    lacking: list[Lack]


def _lacks(states: Iterable[Any], subscription_id: str, identity: Identity | None) -> list[Lack]:
    groups: dict[tuple[str, str, str], list[Any]] = {}
    for state in states:
        if state.status in KindState.INCOMPLETE_STATUSES or state.failure == Failure.FORBIDDEN:
            groups.setdefault(("held" if state.status == "held" else "", state.failure, state.code), []).append(state)
    found = []
    for (status, failure, code), alike in groups.items():
        times = [one.last_complete_at for one in alike]
        oldest = None if None in times else min(times)
        words = ", ".join(read_kind_words(one.kind) for one in alike)
        message = alike[0].message if len(alike) == 1 or status == "held" else ""
        found.append(Lack(words, code, message, oldest, advice(failure, code, subscription_id, identity)))
    return found


def reading(scope: Scope) -> tuple[list[str], list[ReadingRow]]:
    """(heads of the lists, one row a subscription): what is read how well, and what mends each lack. Two queries."""
    order = [str(kind) for kind in ReadKind]
    states: dict[str, dict[str, Any]] = {}
    for state in selectors.kind_states(scope):
        states.setdefault(state.subscription_id, {})[state.kind] = state
    identity = identity_known()
    rows = []
    for one in selectors.subscriptions(scope):
        mine = states.get(one.subscription_id, {})
        cells = [kind_status(mine[kind].status, mine[kind].failure) if kind in mine else kind_status("never") for kind in order]
        lacking = _lacks(mine.values(), one.subscription_id, identity)
        rows.append(ReadingRow(one.subscription_id, one.key, str(one), one.tenant_id or "", one.not_listed_since, cells, lacking))
    return [READ_KIND_HEADS[kind] for kind in ReadKind], rows


FOLDED_FROM = 20  # so many resources first seen in one run are one line of the feed


@dataclass(frozen=True, slots=True)
class FeedGroup:
    """What one run changed, newest first; `run` is None for what `origin` tells. `first_seen` resources are counted instead of listed."""

    run: SyncRun | None
    changes: list[tuple[ResourceChange, str, str | None]] = field(default_factory=list)  # subscription's name; the kind's word where it has a page
    first_seen: int = 0
    origin: str = ""  # of a group without a run: "" for what an admin confirmed, "verify" for what was read around a write


def _folded_runs(scope: Scope, subscription_id: str) -> dict[int, int]:
    """Run → how many resources it saw first, of runs that saw many. One query."""
    parts = browse.in_scope(scope) & (Q(subscription_id=subscription_id) if subscription_id else Q())
    found = SubscriptionSync.objects.filter(parts, added_count__gt=0).values("run_id").annotate(n=Sum("added_count")).filter(n__gt=FOLDED_FROM)
    return dict(found.values_list("run_id", "n"))


def feed_groups(
    found: QuerySet[ResourceChange], scope: Scope, *, subscription_id: str = "", before: int | None, size: int, is_folded: bool
) -> tuple[list[FeedGroup], int | None]:
    """(up to `size` changes older than `before`, by run; what "older" continues from, None at the end). At most five queries.

    With `is_folded` a run's many first sightings are one line; `found` must not be narrowed by kind or action then.
    """
    folded = _folded_runs(scope, subscription_id) if is_folded else {}
    shown = found.exclude(action="added", run_id__in=list(folded)) if folded else found
    if before is not None:
        shown = shown.filter(pk__lt=before)
    changes = list(shown[: size + 1])
    older = changes[size - 1].pk if len(changes) > size else None
    names = browse.subscription_names(scope)
    groups: list[FeedGroup] = []
    for (run_id, origin), some in groupby(changes[:size], key=lambda one: (one.run_id, one.origin)):
        told = [(one, names.get(one.subscription_id, one.subscription_id), SINGULARS.get(one.kind)) for one in some]
        groups.append(FeedGroup(SyncRun(pk=run_id) if run_id else None, told, folded.pop(run_id or 0, 0), origin))
    newest = None if before is None else found.filter(pk__gte=before).order_by("pk").values_list("run_id", flat=True).first()
    oldest = (changes[size - 1].run_id or 0) if older else 0
    alone = [FeedGroup(SyncRun(pk=run_id), first_seen=n) for run_id, n in folded.items() if run_id > oldest and (newest is None or run_id < newest)]
    ordered = _in_order(groups, alone)
    runs = SyncRun.objects.in_bulk([one.run.pk for one in ordered if one.run])
    return [replace(one, run=runs.get(one.run.pk) if one.run else None) for one in ordered], older


def _in_order(groups: list[FeedGroup], alone: list[FeedGroup]) -> list[FeedGroup]:
    """Runs of which nothing is listed stand before the first older one."""
    waiting = sorted(alone, key=lambda one: one.run.pk if one.run else 0, reverse=True)
    ordered: list[FeedGroup] = []
    for group in groups:
        while waiting and group.run and waiting[0].run and waiting[0].run.pk > group.run.pk:
            ordered.append(waiting.pop(0))
        ordered.append(group)
    return [*ordered, *waiting]
