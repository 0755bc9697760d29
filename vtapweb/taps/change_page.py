"""The page of one change, ready to show: its sentence, waves with every NIC's three ticks, requests, and what may be done with it now.

Rule 1: nothing is decided here; states and findings are those of the rows. Rule 2: what is not known is said to be unknown. Rule 3: the number
of queries does not grow with the steps.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.utils import timezone

from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.change import FINAL_CHANGE_STATES, FINAL_STEP_STATES, IN_FLIGHT_STEP_STATES, ChangeAction, ChangeState, StepState
from vtapweb.domain.plan_words import NOTHING_SENT, duration
from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.cells import name_of, vnet_id_of
from vtapweb.inventory.models import NetworkInterface, VirtualNetworkTap
from vtapweb.taps.gaps import gap_words, gaps_of
from vtapweb.taps.models import Change, ChangeStep
from vtapweb.taps.page_parts import Cannot, Patch, places, together
from vtapweb.taps.selectors.changes import PlanView
from vtapweb.taps.selectors.flowing import flows_of_steps
from vtapweb.taps.selectors.preparation import Preparation, preparations_of
from vtapweb.taps.ticks import Tick, flowing_tick, prepared_tick
from vtapweb.traffic.selectors.flowing import Flow
from vtapweb.web.tables import Cell
from vtapweb.web.text import plural, span

# State → (tone, glyph, words)
CHANGE_STATES: Mapping[str, tuple[str, str, str]] = {
    ChangeState.PLANNED: ("", "○", "planned, nothing sent"),
    ChangeState.APPLYING: ("flow", "▶", "applying"),
    ChangeState.PAUSED: ("warn", "❚❚", "paused"),
    ChangeState.APPLIED: ("flow", "●", "applied"),
    ChangeState.PARTLY_APPLIED: ("warn", "▲", "partly applied"),
    ChangeState.FAILED: ("bad", "⬢", "failed"),
    ChangeState.CANCELLED: ("stale", "–", "cancelled"),
    ChangeState.HANDED_OVER: ("hub", "⇥", "handed over"),
}
STEP_STATES: Mapping[str, tuple[str, str, str]] = {
    StepState.PENDING: ("", "○", "waits"),
    StepState.SENT: ("flow", "▷", "sent"),
    StepState.POLLING: ("flow", "▷", "Azure is working"),
    StepState.VERIFIED: ("", "●", "verified"),
    StepState.FAILED: ("bad", "⬢", "failed"),
    StepState.SKIPPED: ("stale", "–", "skipped"),
}
TITLES: Mapping[str, str] = {
    ChangeAction.TAP: "Mirror NICs",
    ChangeAction.UNTAP: "Stop mirroring",
    ChangeAction.MOVE: "Move mirrors",
    ChangeAction.CREATE_TAP: "Create a TAP",
    ChangeAction.UPDATE_TAP_TAGS: "Change a TAP's tags",
    ChangeAction.DELETE_TAP: "Delete a TAP",
}
ON_NICS = frozenset({ChangeAction.TAP, ChangeAction.UNTAP, ChangeAction.MOVE})
MAKING = frozenset({ChangeAction.TAP, ChangeAction.MOVE, ChangeAction.CREATE_TAP})  # what makes mirrors, or what they need
LIGHTS: Mapping[str, str] = {
    ChangeState.PLANNED: "plan",
    ChangeState.HANDED_OVER: "plan",
    ChangeState.APPLYING: "running",
    ChangeState.PAUSED: "paused",
    ChangeState.APPLIED: "on",
    ChangeState.PARTLY_APPLIED: "on",
    ChangeState.FAILED: "broken",
    ChangeState.CANCELLED: "plan",
}
NOTE_OF_END: Mapping[str, tuple[str, str]] = {
    ChangeState.FAILED: ("bad", "⬢"),
    ChangeState.PARTLY_APPLIED: ("bad", "⬢"),
    ChangeState.CANCELLED: ("", "–"),
}
EXPORTS = (("az", "az CLI script"), ("bicep", "Bicep"), ("rest", "REST requests"))
MOVING_POLL_S, FLOWING_POLL_S, SILENT_POLL_S = 3, 2, 30
FLOWS_WITHIN = timedelta(minutes=10)  # after that, a mirror of which nothing came is looked at less often
MANY_STEPS = 200  # beyond them the page asks for its moving part less often


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step as the page shows it."""

    ordinal: int
    name: str
    href: str
    verb: str
    vm: str
    kept_apart: Sequence[str]
    state: str
    state_cell: Cell
    at: datetime | None
    ticks: Sequence[Tick]
    error_code: str
    error_message: str
    correlation_id: str
    attempts: int
    skip_words: str
    advice: str

    @property
    def has_more(self) -> bool:
        return bool(self.error_code or self.error_message or self.skip_words or self.advice or self.silence)

    @property
    def silence(self) -> Tick | None:
        """The third tick, where it is waited for."""
        return next((tick for tick in self.ticks if tick.name == "Flowing" and tick.state == "wait" and tick.at), None)

    @property
    def flow(self) -> Tick | None:
        """The third tick, where packets were seen or cannot be."""
        return next((tick for tick in self.ticks if tick.name == "Flowing" and tick.state in {"yes", "unknown"}), None)


@dataclass(frozen=True, slots=True)
class Wave:
    """Steps that may be under way at once."""

    number: int
    rows: Sequence[StepRow]
    words: str

    @property
    def digest(self) -> str:
        """Another text where anything of it is shown otherwise; a page that follows says which ones it has."""
        return hashlib.blake2s(repr(self).encode(), digest_size=4).hexdigest()


@dataclass(frozen=True, slots=True)
class Request:
    """One request to Azure, as it is sent."""

    method: str
    path: str
    body: Any
    request_id: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence over the buttons: tone "", "warn", "bad" or "stale"; `test` names it for browser tests."""

    tone: str
    glyph: str
    text: str
    test: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """A button. It posts to /changes/<number>/<name>, unless it opens a dialog or leads to `href`; `why` says why it cannot be pressed."""

    name: str
    label: str
    style: str = ""
    dialog: str = ""
    href: str = ""
    why: str = ""


@dataclass(slots=True)
class ChangePage:
    """Everything of templates/taps/change.html."""

    number: int
    title: str
    state: str
    state_cell: Cell
    patch: Patch
    sentence: str
    planned_by: str
    planned_at: datetime
    reason: str
    waves: list[Wave] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    tally: list[tuple[str, int, bool]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    differences: list[Mapping[str, Any]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    exports: Sequence[tuple[str, str]] = EXPORTS
    why_not: str = ""
    facts: list[tuple[str, Cell]] = field(default_factory=list)
    forecast: Sequence[str] = ()
    forecast_band: str = ""  # near or over, of the collector's capacity
    warnings: Sequence[Mapping[str, Any]] = ()
    left_out: Sequence[Cannot] = ()
    left_out_count: int = 0
    digest: str = ""
    pace_words: str = ""
    steps_words: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    relations: Sequence[tuple[int, str]] = ()  # (number, words) of changes that this one comes from or that came from it
    length_words: str = ""
    is_started: bool = False
    poll_s: int = 0  # how often the page asks by itself; 0: never
    throttle_ms: int = 700
    has_window_dialog: bool = False
    is_moved: bool = False  # paused because the world moved
    waves_changed: Sequence[Wave] = ()  # those that a page which follows lacks

    @property
    def is_asked(self) -> bool:
        """Whether what moved still waits for somebody to see it and say so."""
        return bool(self.digest) or self.is_moved

    @property
    def follows(self) -> str:
        """What a page that follows shows as a whole, and how: where that is another, it is drawn anew."""
        return f"{self.state}-{self.poll_s}"

    @property
    def tally_words(self) -> str:
        return ", ".join(f"{number} {words}" for words, number, _ in self.tally)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What stands around the steps in what the viewer may see: NICs that have a page, the names of their VNets, the TAP's collector."""

    nic_keys: frozenset[str]
    vnets: Sequence[str]
    collector: str


def neighbours(scope: Scope, change: Change, steps: Sequence[ChangeStep]) -> Neighbours:
    """Two queries."""
    keys = {step.nic_key for step in steps if step.nic_key}
    nics = NetworkInterface.objects.filter(in_scope(scope), key__in=keys).values_list("key", "virtual_network_id") if keys else []
    found = dict(nics)
    tap = VirtualNetworkTap.objects.filter(in_scope(scope), key=change.tap_key).defer("raw", "digest").first() if change.tap_key else None
    collector = name_of(vnet_id_of(tap.destination_id)) if tap is not None and tap.destination_id else ""
    return Neighbours(frozenset(found), sorted({name_of(one) for one in found.values() if one}, key=str.lower), collector)


def state_cell(state: str) -> Cell:
    tone, glyph, words = CHANGE_STATES[state]
    return Cell(words, tone=tone, glyph=glyph)


def _step_cell(step: ChangeStep) -> Cell:
    tone, glyph, words = STEP_STATES[step.state]
    if step.wait_code and step.state in {StepState.PENDING, *IN_FLIGHT_STEP_STATES}:
        return Cell("waits", tone="warn", glyph="▲", title=step.wait_reason)
    return Cell(words, tone=tone, glyph=glyph, title=step.wait_reason)


def _verb(change: Change, step: ChangeStep) -> str:
    if not step.nic_key:
        return {"put": "create the TAP", "patch": "change its tags", "delete": "delete the TAP"}[step.action]
    tap = (step.body or {}).get("properties", {}).get("virtualNetworkTap", {}).get("id", "") if step.action == "put" else ""
    if step.action == "put":
        return f"mirror to {name_of(tap) if tap else change.tap_name}"
    before = name_of(step.before.get("tap_id", "")) if isinstance(step.before, dict) and step.before.get("tap_id") else ""
    return f"stop mirroring to {before}" if before else "stop mirroring"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the steps beside themselves: by NIC whether its VM is prepared, by TAP configuration whether it flows."""

    prepared: Mapping[str, Preparation]
    flows: Mapping[str, Flow]


def _prepared(step: ChangeStep, prepared: Mapping[str, Preparation]) -> Tick:
    if step.wait_code == "preparation":
        return Tick("Prepared", "no", step.wait_reason or "Azure says that the VM has not been deallocated and started since the TAP exists.")
    return prepared_tick(prepared.get(step.nic_key))


def _configured(step: ChangeStep) -> Tick:
    match step.state:
        case StepState.VERIFIED:
            return Tick("Configured", "yes", "Read back from Azure as wanted.")
        case StepState.FAILED if step.error_code == "no_end":
            return Tick("Configured", "unknown", "Azure had not ended it when we stopped waiting. The next sync says what became of it.")
        case StepState.FAILED:
            return Tick("Configured", "no", "Azure did not take it, or a re-read does not show it.")
        case StepState.SKIPPED if step.skip_code == "already":
            return Tick("Configured", "yes", "Azure had it as wanted before anything was sent.")
        case StepState.SKIPPED if step.attempts:
            return Tick("Configured", "unknown", "It was sent once and left no trace that a re-read showed; then it was skipped.")
        case StepState.SKIPPED:
            return Tick("Configured", "none", f"Not sent: {step.skip_reason}")
        case _:
            return Tick("Configured", "wait", "Not read back from Azure yet.")


def _flowing(step: ChangeStep, flows: Mapping[str, Flow]) -> Tick:
    if not step.has_mirror:
        state = "none" if step.state in FINAL_STEP_STATES else "wait"
        return Tick("Flowing", state, "Looked for once it is configured.")
    if step.target_key not in flows:
        return Tick("Flowing", "none", "The mirror is not there any more, as of the last read.")
    return flowing_tick(flows[step.target_key], step.nic_key)


def _row(change: Change, step: ChangeStep, around: Neighbours, known: Known) -> StepRow:
    name = step.nic_name or name_of(step.nic_id or step.target_id)
    flowing = _flowing(step, known.flows)
    ticks = (_prepared(step, known.prepared), _configured(step), flowing) if step.nic_key and step.action == "put" else ()
    is_waiting = bool(step.wait_code) and step.state in {StepState.PENDING, *IN_FLIGHT_STEP_STATES}
    return StepRow(
        ordinal=step.ordinal,
        name=name,
        href=f"/nics/{step.nic_key}" if step.nic_key in around.nic_keys else "",
        verb=_verb(change, step),
        vm=step.vm_name,
        kept_apart=[
            f"{one.get('kind', '')} {one.get('name', '')}" for one in change.plan.get("together", ()) if step.vm_name in one.get("vm_names", ())
        ],
        state=step.state,
        state_cell=_step_cell(step),
        at=step.verified_at or step.answered_at or step.sent_at,
        ticks=ticks,
        error_code=step.error_code,
        error_message=step.error_message,
        correlation_id=step.correlation_id,
        attempts=step.attempts,
        skip_words=_skip_words(step) if step.skip_reason else step.wait_reason if is_waiting else "",
        advice="",
    )


def _skip_words(step: ChangeStep) -> str:
    """Why a step was skipped; "not sent" only where that is the news."""
    if step.skip_code == "already":
        return step.skip_reason
    return f"{'Skipped' if step.attempts else 'Not sent'}: {step.skip_reason}"


def _waves(change: Change, steps: Sequence[ChangeStep], around: Neighbours, known: Known) -> list[Wave]:
    waves = []
    for number, members in groupby(sorted(steps, key=lambda step: (step.wave, step.ordinal)), key=lambda step: step.wave):
        rows = [_row(change, step, around, known) for step in members]
        done = sum(row.state == StepState.VERIFIED for row in rows)
        words = plural(len(rows), "request")
        if done:
            words += f", {done} verified"
        elif number > 1 and all(row.state == StepState.PENDING for row in rows):
            words += f", after wave {number - 1} has ended" + (f" and settled for {pause_words(change.settle_s)}" if change.settle_s else "")
        waves.append(Wave(number, rows, words))
    return waves


def _tally(steps: Sequence[ChangeStep]) -> list[tuple[str, int, bool]]:
    counts = {state: sum(step.state == state for step in steps) for state in StepState}
    in_flight = sum(counts[state] for state in IN_FLIGHT_STEP_STATES)
    lines = [
        (f"of {len(steps)} verified", counts[StepState.VERIFIED], False),
        ("with Azure now", in_flight, False),
        ("to go", counts[StepState.PENDING], False),
        ("failed", counts[StepState.FAILED], True),
        ("skipped", counts[StepState.SKIPPED], False),
    ]
    return [line for index, line in enumerate(lines) if index == 0 or line[1]]


def pause_words(settle_s: int) -> str:
    """ "2 s", "1 min 30 s"."""
    return f"{settle_s} s" if settle_s < 10 else span(settle_s)


def pace_words(change: Change) -> str:
    """ "1 first, then up to 5 at once, 1 min between waves"."""
    between = f", {pause_words(change.settle_s)} between waves" if change.settle_s else ""
    apart = f", never two of one {change.keep_apart}" if change.keep_apart else ""
    return f"{change.pace_first} first, then up to {change.pace_wave} at once{between}{apart}"


def _acts(change: Change, steps: Sequence[ChangeStep], viewer: Viewer, can_undo: bool) -> tuple[list[Act], str]:
    """(the buttons of this state, why they cannot be pressed)."""
    state = ChangeState(change.state)
    failed = any(step.state == StepState.FAILED for step in steps)
    acts: list[Act] = []
    match state:
        case ChangeState.PLANNED if steps:
            first = Act("apply", "Apply in its window" if change.window_opens_at else "Apply now", style="primary")
            acts = [first, Act("window", "Choose a window…", dialog="dialog-window"), Act("hand-over", "Hand over")]
            acts.append(Act("cancel", "Discard", style="quiet"))
        case ChangeState.PLANNED:
            acts = [Act("cancel", "Discard")]
        case ChangeState.APPLYING:
            acts = [Act("pause", "Pause"), Act("cancel", "Send no more", style="bad")]
        case ChangeState.PAUSED:
            acts = [Act("continue", "Go on", style="primary"), Act("cancel", "Send no more", style="bad")]
        case ChangeState.HANDED_OVER:
            acts = [Act("cancel", "It will not be done", style="quiet")]
        case _:
            if can_undo:
                acts.append(Act("undo", "Undo…"))
            if failed:
                acts.append(Act("retry", "Retry what failed", style="primary"))
    why = ""
    if acts and not viewer.may(Role.OPERATOR):
        why = f"Changing this needs the role operator; yours is {viewer.role.value}. An admin can change it."
        acts = [Act(one.name, one.label, why=why) for one in acts]
    return acts, why


def _notes(change: Change, steps: Sequence[ChangeStep]) -> list[Note]:
    notes = []
    if change.action == ChangeAction.MOVE and (words := gap_words(gaps_of(steps))):
        notes.append(Note("bad", "⬢", words, "gap"))
    state = ChangeState(change.state)
    if state in {ChangeState.PLANNED, ChangeState.HANDED_OVER}:
        downtime = str(change.plan.get("downtime", ""))
        if downtime:
            notes.append(Note("warn", "▲", downtime, "downtime"))
    if state is ChangeState.HANDED_OVER:
        notes.append(Note("", "⇥", "Handed over: vtapweb sends nothing. The change closes itself when a sync sees it done.", "handed-over"))
    if change.stop_reason:
        tone, glyph = NOTE_OF_END.get(state, ("warn", "▲"))
        notes.append(Note(tone, glyph, change.stop_reason, "stopped"))
    if change.is_cancel_requested and not change.is_finished:
        notes.append(Note("warn", "▲", "No further step is sent. What Azure already has is waited for.", "stopping"))
    if state is ChangeState.APPLYING and not change.is_cancel_requested:
        if change.started_at is None and change.window_opens_at:
            notes.append(Note("", "◷", "It begins when its window opens:", "waits-for-window", change.window_opens_at))
        elif change.checked_at is None:
            notes.append(Note("", "◌", "Azure is read once more, to see that nothing moved since the plan.", "checking"))
    return notes


def _facts(change: Change) -> list[tuple[str, Cell]]:
    facts: list[tuple[str, Cell]] = []
    if change.ticket:
        facts.append(("Ticket", Cell(change.ticket)))
    if change.action in MAKING:
        facts.append(("Ends", Cell(at=change.expires_at) if change.expires_at else Cell("no end named")))
    if change.window_opens_at:
        facts.append(("Window opens", Cell(at=change.window_opens_at)))
    if change.window_closes_at:
        facts.append(("Window closes", Cell(at=change.window_closes_at)))
    if change.window_zone:
        facts.append(("Named in", Cell(change.window_zone)))
    facts.append(("Pace", Cell(pace_words(change))))
    facts.append(("Planned by", Cell(change.created_by_name)))
    if change.source_ip:
        facts.append(("From", Cell(change.source_ip)))
    if change.applied_at:
        facts += [("Applied", Cell(at=change.applied_at)), ("Applied by", Cell(change.applied_by_name or "nobody"))]
    return facts


def _forecast(change: Change) -> list[str]:
    forecast = change.plan.get("forecast")
    if change.action not in (ChangeAction.TAP, ChangeAction.MOVE):
        return []
    if not isinstance(forecast, dict) or not forecast.get("sentence"):
        return ["Being worked out: what collectors measured, else what Azure Monitor counted. The plan does not wait for it."]
    load = forecast.get("load")
    first = [str(load["sentence"])] if isinstance(load, dict) and load.get("sentence") else []
    return [*first, str(forecast["sentence"]), *(str(one) for one in forecast.get("notes", ()))]


def _forecast_band(change: Change) -> str:
    load = (change.plan.get("forecast") or {}).get("load") or {}
    band = load.get("band")
    return band if band in {"near", "over"} else ""


def sentence_of(change: Change) -> str:
    """The plan's own sentence. That nothing has been sent is only said while it is true."""
    said = str(change.plan.get("sentence", "")) or f"{TITLES[change.action]}: {change.tap_name}".rstrip(": ")
    return said if change.state == ChangeState.PLANNED else said.replace(NOTHING_SENT, "").strip()


def _patch(change: Change, steps: Sequence[ChangeStep], around: Neighbours) -> Patch:
    nics = list(dict.fromkeys(step.nic_name or name_of(step.nic_id) for step in steps if step.nic_key))
    light = LIGHTS[change.state]
    if change.action in (ChangeAction.CREATE_TAP, ChangeAction.UPDATE_TAP_TAGS, ChangeAction.DELETE_TAP):
        return Patch(change.tap_name, "TAP", around.collector or "its collector", "where it sends to", light)
    if change.action == ChangeAction.UNTAP and change.state == ChangeState.APPLIED:
        light = "plan"
    source = nics[0] if len(nics) == 1 else plural(len(nics), "NIC")
    goal = change.tap_name or "their TAPs"
    return Patch(source, places(around.vnets), goal, f"collector {around.collector}" if around.collector else "TAP", light)


def _left_out(change: Change) -> list[Cannot]:
    def rule_words(one: Mapping[str, str]) -> str:
        source = f", from {one['source']}" if one.get("source") else ""
        return f"Rule {one['rule_id']}{source}" if one.get("rule_id") else ""

    return together(Cannot([("", one.get("name", ""))], one.get("message", ""), one.get("remedy", ""), rule_words(one)) for one in change.left_out)


def relations_of(view: PlanView) -> list[tuple[int, str]]:
    """The changes that this one undoes, retries or ends, and those that do so with this one."""
    change = view.change
    found = [
        (number, f"{words} change {number}")
        for number, words in ((change.undo_of_id, "undo of"), (change.retry_of_id, "retry of"), (change.expiry_of_id, "end of"))
        if number
    ]
    for one in view.followers:
        words = "undone by" if one.undo_of_id == change.pk else "retried by" if one.retry_of_id == change.pk else "ended by"
        found.append((one.pk, f"{words} change {one.pk} ({CHANGE_STATES[one.state][2].split(',')[0]})"))
    return found


def waves_lacking(page: ChangePage, follows: str, digests: Sequence[str]) -> list[Wave] | None:
    """The waves that a page lacks which follows so and shows these waves; None where it has to be drawn anew as a whole."""
    if follows != page.follows or len(digests) != len(page.waves):
        return None
    return [wave for wave, known in zip(page.waves, digests, strict=True) if wave.digest != known]


def _poll_s(change: Change, steps: Sequence[ChangeStep], waves: Sequence[Wave], now: datetime) -> int:
    """How often the page asks: while the change moves, and while a mirror that was made has not been seen to flow."""
    if change.state in {ChangeState.APPLYING, ChangeState.PAUSED}:
        return MOVING_POLL_S
    if not any(tick.may_change for wave in waves for row in wave.rows for tick in row.ticks):
        return 0
    newest = max((step.verified_at for step in steps if step.verified_at is not None), default=None)
    if newest is None or now - newest > FLOWS_WITHIN:
        return SILENT_POLL_S
    return FLOWING_POLL_S if len(steps) <= MANY_STEPS else MOVING_POLL_S


def change_page(scope: Scope, view: PlanView, viewer: Viewer) -> ChangePage:
    """The page of a change that the scope covers. Six queries, five more once it made mirrors; two of a change that mirrors no NIC."""
    change, steps = view.change, view.steps
    around = neighbours(scope, change, steps)
    waves = _waves(change, steps, around, Known(preparations_of(scope, steps), flows_of_steps(scope, steps)))
    plan = change.plan
    acts, why_not = _acts(change, steps, viewer, can_undo=any(step.state == StepState.VERIFIED for step in steps))
    return ChangePage(
        number=change.pk,
        title=TITLES[change.action],
        state=change.state,
        state_cell=state_cell(change.state),
        patch=_patch(change, steps, around),
        sentence=sentence_of(change),
        planned_by=change.created_by_name,
        planned_at=change.created_at,
        reason=change.reason,
        waves=waves,
        requests=[Request(step.method, step.path, step.body, str(step.client_request_id)) for step in steps],
        tally=_tally(steps),
        notes=_notes(change, steps),
        differences=change.differences,
        acts=acts,
        why_not=why_not,
        facts=_facts(change),
        forecast=_forecast(change),
        forecast_band=_forecast_band(change),
        warnings=plan.get("warnings", ()),
        left_out=_left_out(change),
        left_out_count=len(change.left_out),
        pace_words=pace_words(change),
        steps_words=f"{plural(len(steps), 'step')} in {plural(len({step.wave for step in steps}), 'wave')}",
        started_at=change.started_at,
        finished_at=change.finished_at,
        relations=relations_of(view),
        length_words=duration(plan["duration_s"]) if plan.get("duration_s") and not change.is_finished else "",
        is_started=change.applied_at is not None or change.state in FINAL_CHANGE_STATES,
        poll_s=_poll_s(change, steps, waves, timezone.now()),
        throttle_ms=700 if len(steps) <= MANY_STEPS else 3000,
        is_moved=change.state == ChangeState.PAUSED and change.stop_code == "moved",
        has_window_dialog=any(act.dialog == "dialog-window" for act in acts),
    )
