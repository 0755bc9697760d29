"""The page of one change, ready to show: its sentence, waves with every NIC's three ticks, requests, and what may be done with it now.

Rule 1: nothing is decided here; states and findings are those of the rows. Rule 2: what is not known is said to be unknown. Rule 3: the number
of queries does not grow with the steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.change import FINAL_CHANGE_STATES, IN_FLIGHT_STEP_STATES, ChangeAction, ChangeState, StepState
from vtapweb.domain.scope import Scope
from vtapweb.inventory.browse import in_scope
from vtapweb.inventory.cells import name_of, vnet_id_of
from vtapweb.inventory.models import NetworkInterface, VirtualNetworkTap
from vtapweb.taps.models import Change, ChangeStep
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
    StepState.POLLING: ("flow", "▷", "Azure is at it"),
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
POSTED: frozenset[str] = frozenset()  # the buttons whose addresses there are
MANY_STEPS = 200  # beyond them the page asks for its moving part less often


@dataclass(frozen=True, slots=True)
class Tick:
    """One of a NIC's three: `state` is "yes", "no", "wait" or "unknown"; `title` says how we know, or why not."""

    name: str
    state: str
    title: str

    @property
    def glyph(self) -> str:
        return {"yes": "✓", "no": "✕", "wait": "…"}.get(self.state, "?")

    @property
    def words(self) -> str:
        return {"yes": "yes", "no": "no", "wait": "not yet"}.get(self.state, "not known")


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
        return bool(self.error_code or self.error_message or self.skip_words or self.advice)


@dataclass(frozen=True, slots=True)
class Wave:
    """Steps that may be under way at once."""

    number: int
    rows: Sequence[StepRow]
    words: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request to Azure, as it is sent."""

    method: str
    path: str
    body: Any
    request_id: str


@dataclass(frozen=True, slots=True)
class Patch:
    """What is joined to what, drawn: `light` is one of LIGHTS."""

    source: str
    source_place: str
    goal: str
    goal_place: str
    light: str

    @property
    def words(self) -> str:
        return f"{self.source} ({self.source_place}) to {self.goal} ({self.goal_place})"


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
    exports: Sequence[tuple[str, str]] = ()
    why_not: str = ""
    facts: list[tuple[str, Cell]] = field(default_factory=list)
    forecast: Sequence[str] = ()
    warnings: Sequence[Mapping[str, Any]] = ()
    left_out: Sequence[Mapping[str, Any]] = ()
    pace_words: str = ""
    steps_words: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    origin: Mapping[str, Any] | None = None
    is_started: bool = False
    is_moving: bool = False
    throttle_ms: int = 700
    has_window_dialog: bool = False

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


def places(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    if not names:
        return "not in the inventory you may see"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


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


def _prepared(step: ChangeStep, prepared: Mapping[str, str]) -> Tick:
    known = prepared.get(step.nic_key, "")
    if step.wait_code == "preparation":
        return Tick("Prepared", "no", step.wait_reason or "Azure says that the VM has not been deallocated and started since the TAP exists.")
    if known == "ok":
        return Tick("Prepared", "yes", "Its VM was seen deallocated and running again after the TAP was made.")
    return Tick("Prepared", "unknown", "Whether its VM was deallocated and started since the TAP exists is not known: vtapweb has not seen it.")


def _configured(step: ChangeStep) -> Tick:
    match step.state:
        case StepState.VERIFIED:
            return Tick("Configured", "yes", "Read back from Azure as wanted.")
        case StepState.FAILED:
            return Tick("Configured", "no", "Azure did not take it, or a re-read does not show it.")
        case StepState.SKIPPED:
            return Tick("Configured", "no", "It was not sent.")
        case _:
            return Tick("Configured", "wait", "Not read back from Azure yet.")


FLOWING = Tick("Flowing", "unknown", "Cannot be seen here: what arrives at the collector is told by live traffic, which is not connected yet.")


def _row(change: Change, step: ChangeStep, around: Neighbours, prepared: Mapping[str, str]) -> StepRow:
    name = step.nic_name or name_of(step.nic_id or step.target_id)
    ticks = (_prepared(step, prepared), _configured(step), FLOWING) if step.nic_key and step.action == "put" else ()
    is_waiting = bool(step.wait_code) and step.state in {StepState.PENDING, *IN_FLIGHT_STEP_STATES}
    return StepRow(
        ordinal=step.ordinal,
        name=name,
        href=f"/nics/{step.nic_key}" if step.nic_key in around.nic_keys else "",
        verb=_verb(change, step),
        vm=step.vm_name,
        kept_apart=[str(one) for one in step.groups],
        state=step.state,
        state_cell=_step_cell(step),
        at=step.verified_at or step.answered_at or step.sent_at,
        ticks=ticks,
        error_code=step.error_code,
        error_message=step.error_message,
        correlation_id=step.correlation_id,
        attempts=step.attempts,
        skip_words=f"Not sent: {step.skip_reason}" if step.skip_reason else step.wait_reason if is_waiting else "",
        advice="",
    )


def _waves(change: Change, steps: Sequence[ChangeStep], around: Neighbours, prepared: Mapping[str, str]) -> list[Wave]:
    waves = []
    for number, members in groupby(sorted(steps, key=lambda step: (step.wave, step.ordinal)), key=lambda step: step.wave):
        rows = [_row(change, step, around, prepared) for step in members]
        done = sum(row.state == StepState.VERIFIED for row in rows)
        words = plural(len(rows), "request")
        if done:
            words += f", {done} verified"
        elif number > 1:
            words += f", after wave {number - 1} was verified" + (f" and settled for {pause_words(change.settle_s)}" if change.settle_s else "")
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


def vm_count(steps: Sequence[ChangeStep]) -> int:
    """How many VMs the steps on NICs touch; a NIC whose VM is not known counts as one."""
    return len({step.vm_key or step.nic_key for step in steps if step.nic_key})


def downtime(steps: Sequence[ChangeStep]) -> str:
    """What applying may do to VMs, "" where it touches none."""
    number = vm_count(steps)
    if not number:
        return ""
    who = "The VM of this NIC" if number == 1 else f"Each of these {number:,} VMs"
    words = f"{who} may lose its network for up to 60 seconds. Once a step is sent, it can't be called back."
    shared: dict[str, set[str]] = {}
    for step in steps:
        for group in step.groups:
            shared.setdefault(str(group), set()).add(step.vm_name or step.nic_name)
    pairs = sorted(sorted(names) for names in shared.values() if len(names) > 1)
    if not pairs:
        return words
    names = pairs[0]
    first = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"
    more = f"; so {'do' if len(pairs) > 2 else 'does'} {plural(len(pairs) - 1, 'other group')}" if len(pairs) > 1 else ""
    return f"{words} {first} back each other up{more}, so we change them one after the other."


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
    acts = [one for one in acts if one.name in POSTED]
    why = ""
    if acts and not viewer.may(Role.OPERATOR):
        why = f"Changing this needs the role operator; yours is {viewer.role.value}. An admin can change it."
        acts = [Act(one.name, one.label, why=why) for one in acts]
    return acts, why


def _notes(change: Change, steps: Sequence[ChangeStep]) -> list[Note]:
    notes = []
    state = ChangeState(change.state)
    if state in {ChangeState.PLANNED, ChangeState.HANDED_OVER}:
        words = downtime(steps)
        if words:
            notes.append(Note("warn", "▲", words, "downtime"))
    if state is ChangeState.HANDED_OVER:
        notes.append(Note("", "⇥", "Handed over: vtapweb sends nothing. The change closes itself when a sync sees it done.", "handed-over"))
    if change.stop_reason:
        tone, glyph = ("bad", "⬢") if state in {ChangeState.FAILED, ChangeState.PARTLY_APPLIED} else ("warn", "▲")
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
    facts.append(("Ends", Cell(at=change.expires_at) if change.expires_at else Cell("no end named")))
    if change.window_opens_at:
        facts.append(("Window opens", Cell(at=change.window_opens_at)))
    if change.window_closes_at:
        facts.append(("Window closes", Cell(at=change.window_closes_at)))
    if change.window_zone:
        facts.append(("Named in", Cell(change.window_zone)))
    facts.append(("Pace", Cell(pace_words(change))))
    facts.append(("Planned", Cell(at=change.created_at)))
    facts.append(("By", Cell(change.created_by_name)))
    if change.source_ip:
        facts.append(("From", Cell(change.source_ip)))
    if change.applied_at:
        facts += [("Applied", Cell(at=change.applied_at)), ("By", Cell(change.applied_by_name or "nobody"))]
    return facts


def _forecast(change: Change) -> list[str]:
    forecast = change.plan.get("forecast") if isinstance(change.plan, dict) else None
    if change.action not in (ChangeAction.TAP, ChangeAction.MOVE):
        return ["It brings none: mirrors end, or only a TAP is written."]
    if not isinstance(forecast, dict) or not forecast.get("sentence"):
        return ["Being read from Azure Monitor: the last 24 hours of these NICs. The plan does not wait for it."]
    return [str(forecast["sentence"]), *(str(one) for one in forecast.get("notes", ()))]


def _sentence(change: Change, steps: Sequence[ChangeStep]) -> str:
    """What it does, in one breath; what was left out; how long it takes; and what has been sent."""
    asked = len({step.nic_key for step in steps if step.nic_key}) + len(change.left_out)
    going = asked - len(change.left_out)
    goal = f" → {change.tap_name}" if change.action in (ChangeAction.TAP, ChangeAction.MOVE) else ""
    parts = []
    if change.action in ON_NICS:
        verb = {ChangeAction.UNTAP: "Stop mirroring ", ChangeAction.MOVE: "Move "}.get(ChangeAction(change.action), "")
        parts.append(f"{verb}{going} of {plural(asked, 'NIC')}{goal}." if change.left_out else f"{verb}{plural(going, 'NIC')}{goal}.")
    else:
        parts.append(f"{TITLES[change.action]}: {change.tap_name}.")
    if len(change.left_out) == 1:
        one = change.left_out[0]
        parts.append(f"Left out: {one.get('name', '')}. {one.get('message', '')}")
    elif change.left_out:
        parts.append(f"Left out: {len(change.left_out)}, each with its reason below.")
    waves = len({step.wave for step in steps})
    parts.append(f"{plural(len(steps), 'request')} in {plural(waves, 'wave')}." if steps else "Nothing is left to send.")
    if change.state == ChangeState.PLANNED:
        parts.append("Nothing has been sent to Azure.")
    return " ".join(part for part in parts if part)


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


def change_page(scope: Scope, change: Change, steps: Sequence[ChangeStep], viewer: Viewer) -> ChangePage:
    """The page of `change`, which the scope covers, with its steps in their order. Two queries."""
    around = neighbours(scope, change, steps)
    plan = change.plan if isinstance(change.plan, dict) else {}
    acts, why_not = _acts(change, steps, viewer, can_undo=any(step.state == StepState.VERIFIED for step in steps))
    origin = None
    for number, words in ((change.undo_of_id, "undo of"), (change.retry_of_id, "retry of"), (change.expiry_of_id, "end of")):
        if number:
            origin = {"number": number, "words": f"{words} change {number}"}
    return ChangePage(
        number=change.pk,
        title=TITLES[change.action],
        state=change.state,
        state_cell=state_cell(change.state),
        patch=_patch(change, steps, around),
        sentence=_sentence(change, steps),
        planned_by=change.created_by_name,
        planned_at=change.created_at,
        reason=change.reason,
        waves=_waves(change, steps, around, plan.get("prepared", {})),
        requests=[Request(step.method, step.path, step.body, str(step.client_request_id)) for step in steps],
        tally=_tally(steps),
        notes=_notes(change, steps),
        differences=change.differences,
        acts=acts,
        why_not=why_not,
        facts=_facts(change),
        forecast=_forecast(change),
        warnings=plan.get("warnings", ()),
        left_out=change.left_out,
        pace_words=pace_words(change),
        steps_words=f"{plural(len(steps), 'step')} in {plural(len({step.wave for step in steps}), 'wave')}",
        started_at=change.started_at,
        finished_at=change.finished_at,
        origin=origin,
        is_started=change.applied_at is not None or change.state in FINAL_CHANGE_STATES,
        is_moving=change.state in {ChangeState.APPLYING, ChangeState.PAUSED},
        throttle_ms=700 if len(steps) <= MANY_STEPS else 3000,
        has_window_dialog=any(act.dialog == "dialog-window" for act in acts),
    )
