"""Reads of alarms. Who may read one of an alarm's subscriptions sees it, with the children he may read; what it is about only who may read that."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, F, Func, Q, QuerySet, Value

from vtapweb.domain.causes import Subject
from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.traffic.alarm_words import sentence, title
from vtapweb.traffic.models import Alarm, AlarmEvent, CollectorHealth, CollectorMaintenance

HIDDEN_TITLE = "Something that you may not see"
HIDDEN_ADDRESS = "one that you may not see"


class HasOneOf(Func):
    """Whether a JSON list of texts holds one of those given."""

    output_field = BooleanField()

    def __init__(self, field_name: str, texts: Iterable[str]) -> None:
        super().__init__(F(field_name), *[Value(one) for one in sorted(texts)])

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002 (Django calls it so)
        return self._some(compiler, "json_each({}) AS one")

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002 (Django calls it so)
        return self._some(compiler, "jsonb_array_elements_text({}) AS one(value)")

    def _some(self, compiler: Any, rows: str) -> tuple[str, list[Any]]:
        (column, given), *texts = [compiler.compile(one) for one in self.get_source_expressions()]
        if not texts:
            return "1 = 0", []
        params = [*given, *(value for _, values in texts for value in values)]
        wanted = f"one.value IN ({', '.join(sql for sql, _ in texts)})"
        return f"EXISTS(SELECT 1 FROM {rows.format(column)} WHERE {wanted})", params  # noqa: S608 (every value is a parameter)


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Which alarms; "" and False: no condition. `q` is part of the title or the sentence, or a number (117, A-117)."""

    state: str = ""
    severity: str = ""
    owner: str = ""
    rule: str = ""
    q: str = ""
    collector_key: str = ""
    is_muted: bool | None = None


def alarms(scope: Scope, wanted: AlarmFilter | None = None, *, now: datetime | None = None) -> QuerySet[Alarm]:
    """Alarms in scope: open ones first, then by number, the newest first; one query. `now` is needed to tell the muted."""
    wanted = wanted or AlarmFilter()
    found = Alarm.objects.order_by("-state", "-number")  # "open" after "cleared"
    if scope.subscription_ids is not None:
        found = found.filter(HasOneOf("subscription_ids", scope.subscription_ids))
    for name in ("state", "severity", "collector_key"):
        if getattr(wanted, name):
            found = found.filter(**{name: getattr(wanted, name)})
    if wanted.owner:
        found = found.filter(owner__icontains=wanted.owner)
    if wanted.is_muted is not None and now is not None:
        found = found.filter(muted_until__gt=now) if wanted.is_muted else found.exclude(muted_until__gt=now)
    if wanted.q:
        text = wanted.q.strip()
        digits = text.upper().removeprefix("A-")
        words = Q(title__icontains=text) | Q(sentence__icontains=text) if scope.is_everything else Q(collector_key__in=_named(scope, text))
        found = found.filter(words | Q(number=int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 10 else words)
    return found


def _named(scope: Scope, text: str) -> QuerySet[CollectorHealth, str]:
    """Keys of the collectors of such a name that may be read: names that may not must not be found out by asking for them."""
    return CollectorHealth.objects.filter(in_scope(scope), name__icontains=text).values_list("collector_key", flat=True)


def collectors_readable(scope: Scope, keys: Iterable[str]) -> set[str]:
    """Which of these collectors may be named to `scope`: a source that may be read can be mirrored to a collector that may not. One query at most."""
    wanted = {key for key in keys if key}
    if scope.is_everything or not wanted:
        return wanted
    return set(CollectorHealth.objects.filter(in_scope(scope), collector_key__in=wanted).values_list("collector_key", flat=True))


def alarm_of(scope: Scope, number: int) -> Alarm | None:
    """One alarm by its number, None where there is none or the scope meets none of its subscriptions; one query."""
    return alarms(scope).filter(number=number).first()


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """How much is open. `muted` ones are counted apart, `next_ends_at` is when the first of their mutes ends; notices ask for nobody."""

    open: int
    untaken: int
    notices: int
    muted: int
    next_ends_at: datetime | None


def alarm_counts(scope: Scope, *, now: datetime) -> AlarmCounts:
    """One query."""
    rows = list(alarms(scope, AlarmFilter(state="open")).values_list("severity", "owner", "muted_until"))
    muted = [until for _, _, until in rows if until is not None and until > now]
    loud = [(severity, owner) for severity, owner, until in rows if until is None or until <= now]
    asking = [owner for severity, owner in loud if severity != Alarm.Severity.NOTICE]
    return AlarmCounts(len(asking), asking.count(""), len(loud) - len(asking), len(muted), min(muted, default=None))


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm as one viewer may see it. `is_hidden`: he may not read what it is about, only that his children are touched."""

    alarm: Alarm
    is_hidden: bool
    title: str
    sentence: str
    children: list[dict[str, Any]]
    more_children: int  # those that he may not read
    happened_before: list[dict[str, Any]]
    path: list[dict[str, Any]]
    is_muted: bool


def alarm_view(scope: Scope, alarm: Alarm, *, now: datetime) -> AlarmView:
    """What of an alarm `scope` may see; no query."""
    is_hidden = not scope.covers(alarm.subject_subscription_ids)
    children = [one for one in alarm.children if not one["subscription_id"] or scope.allows(one["subscription_id"])]
    path = [hop if not hop["subscription_id"] or scope.allows(hop["subscription_id"]) else _hidden_hop(hop) for hop in alarm.path]
    until = alarm.cleared_at or now
    facts, name = _facts_for(alarm, children)
    words = sentence(alarm.subject_kind, facts, now=until) if facts else alarm.sentence
    if is_hidden:
        number = sum(not one["ended"] for one in children)
        words = f"{number} of your sources are affected. What is broken lies in a subscription that you may not read."
    return AlarmView(
        alarm=alarm,
        is_hidden=is_hidden,
        title=HIDDEN_TITLE if is_hidden else name,
        sentence=words,
        children=children,
        more_children=len(alarm.children) - len(children),
        happened_before=[one for one in alarm.happened_before if scope.allows(one["subscription_id"])],
        path=path,
        is_muted=bool(alarm.muted_until and alarm.muted_until > now),
    )


def _facts_for(alarm: Alarm, children: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """What the sentence is made of, and the title, for whoever may read these children.

    An alarm about addresses names the first of them, which may be that of a NIC outside of his scope: then he reads the first that he may read.
    """
    named = alarm.facts.get("name")
    others = {one["name"] for one in alarm.children if one["kind"] == Subject.ADDRESS} - {one["name"] for one in children}
    if named not in others:
        return alarm.facts, alarm.title
    current = (one["name"] for one in children if one["kind"] == Subject.ADDRESS and not (one["ended"] and alarm.is_open))
    shown = next(current, HIDDEN_ADDRESS)
    facts = {**alarm.facts, "name": shown}
    return facts, title(alarm.subject_kind, facts)


def _hidden_hop(hop: dict[str, Any]) -> dict[str, Any]:
    return {**hop, "key": "", "name": "", "words": "you may not see this hop", "state": "unknown", "since": None, "seen_at": None}


def alarm_events(scope: Scope, alarm: Alarm) -> list[AlarmEvent]:
    """The history of one alarm, the oldest first, without sentences that name what `scope` may not read; one query."""
    events = list(alarm.events.all()) if scope.is_everything or scope.meets(alarm.subscription_ids) else []
    is_hidden = not scope.covers(alarm.subject_subscription_ids)
    if not scope.covers(alarm.subscription_ids):
        for one in events:
            one.detail = {key: value for key, value in one.detail.items() if key not in {"joined", "left"}}
            if not one.by or is_hidden:
                one.text = ""
    return events


@dataclass(frozen=True, slots=True)
class Handover:
    """What a shift leaves behind."""

    since: datetime
    until: datetime
    open: list[AlarmView]
    raised: list[AlarmView]  # since then, also those that are over
    cleared: list[AlarmView]
    deeds: list[AlarmEvent]  # what people did
    maintenance: list[CollectorMaintenance]
    muted: list[AlarmView]


def handover(scope: Scope, *, hours: int, now: datetime) -> Handover:
    """The last `hours`: what happened, who took it, what is open. Three queries."""
    since = now - timedelta(hours=hours)
    rows = alarms(scope).filter(Q(state="open") | Q(cleared_at__gte=since) | Q(opened_at__gte=since))
    views = [alarm_view(scope, one, now=now) for one in rows]
    seen = {one.alarm.pk: one for one in views}
    events = AlarmEvent.objects.filter(alarm__in=list(seen), at__gte=since).exclude(by="").select_related("alarm").order_by("at")
    work = CollectorMaintenance.objects.filter(in_scope(scope), ends_at__gte=since).order_by("starts_at")
    deeds = list(events)
    for one in deeds:
        if seen[one.alarm_id].is_hidden:  # a note may name what it is about
            one.text = ""
    is_open = [one for one in views if one.alarm.is_open]
    return Handover(
        since=since,
        until=now,
        open=[one for one in is_open if not one.is_muted],
        raised=sorted((one for one in views if one.alarm.opened_at >= since), key=lambda one: one.alarm.opened_at, reverse=True),
        cleared=[one for one in views if one.alarm.cleared_at and one.alarm.cleared_at >= since],
        deeds=deeds,
        maintenance=list(work),
        muted=[one for one in is_open if one.is_muted],
    )


def maintenance_of(scope: Scope, key: str, *, now: datetime) -> list[CollectorMaintenance]:
    """Planned and running maintenance of one collector in scope, the next one first; one query."""
    rows = CollectorMaintenance.objects.filter(in_scope(scope), collector_key=key, ends_at__gt=now, ended_at=None)
    return list(rows.order_by("starts_at"))


def maintenance_by_id(scope: Scope, pk: int) -> CollectorMaintenance | None:
    """One in scope, None for none; one query."""
    return CollectorMaintenance.objects.filter(in_scope(scope), pk=pk).first()
