"""What can be said of a TAP while somebody still types it: beside each field, what is wrong with what stands there. Nothing is stored or sent.

Rule 1: it is the planner that judges, on a draft whose gaps are filled for the moment; the plan that is made later judges anew and is the truth.
Rule 2: nothing is said of what is still empty.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from django.utils.datastructures import MultiValueDict

from vtapweb.access.viewer import Viewer
from vtapweb.domain.arm_id import ArmIdError, parse
from vtapweb.domain.change_input import Draft
from vtapweb.taps.actions.drawing import Actor, Drawing, InvalidPlanError, NothingToPlanError
from vtapweb.taps.actions.plan import draw
from vtapweb.taps.plan_form import TapForm

FIELDS = ("destination", "name", "resource_group", "tags")
TOLD_BY_THE_PLAN = frozenset({"writes-off"})  # about applying, not about what is typed
STAND_IN = "vtapweb-not-named-yet"  # the name judged while none is typed that Azure would take


@dataclass(slots=True)
class TapSaid:
    """Sentences by field: what is wrong, and what one should know of the collector all the same; `fits` where no rule speaks against it."""

    wrong: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    fits: bool = False

    @property
    def lines(self) -> list[tuple[str, list[str]]]:
        """(field, sentences) of every field, also of those that nothing is wrong with."""
        return [(name, self.wrong.get(name, [])) for name in FIELDS]


def tap_said(*, given: MultiValueDict[str, str], viewer: Viewer, now: datetime) -> TapSaid:
    """What the planner says to what is typed so far. As many queries as drawing a plan for one TAP takes, whatever the estate holds."""
    typed = {name: str(given.get(name) or "").strip() for name in FIELDS}
    form = TapForm(given, windows={})
    said = TapSaid({name: [str(one) for one in form.errors[name]] for name in FIELDS if typed[name] and name in form.errors})
    if not typed["destination"] or "destination" in said.wrong:
        return said
    is_named = bool(typed["name"]) and "name" not in said.wrong
    is_placed = bool(typed["resource_group"]) and "resource_group" not in said.wrong
    whole = Draft(
        action="create_tap",
        destination=typed["destination"],
        name=typed["name"] if is_named else STAND_IN,
        resource_group=typed["resource_group"] if is_placed else _group_of(typed["destination"]),
        tags=form.cleaned_data.get("tags") or {},
        reason="while it is typed",
    )
    told = {name for name, is_typed in (("destination", True), ("name", is_named), ("resource_group", is_placed), ("tags", True)) if is_typed}
    if not _judge(said, whole, told, viewer, now) and "destination" not in said.wrong:
        # A name that is taken, or a group that there is not, hides what there is to say of the collector.
        _judge(said, replace(whole, name=STAND_IN, resource_group=_group_of(typed["destination"]), tags={}), {"destination"}, viewer, now)
    return said


def _judge(said: TapSaid, draft: Draft, told: set[str], viewer: Viewer, now: datetime) -> bool:
    """Adds what the planner says of the fields in `told`; whether what is typed could be judged."""
    try:
        drawing = draw(draft=draft, actor=Actor.of(viewer), now=now)
    except InvalidPlanError as error:
        for name in told & error.by_field.keys():
            said.wrong.setdefault(name, []).extend(error.by_field[name])
        return False
    except NothingToPlanError as error:
        said.wrong.setdefault("destination", []).extend(f"{one.message} {one.remedy}".strip() for one in error.left_out)
        return True
    said.warnings = _warnings(drawing)
    said.fits = True
    return True


def _warnings(drawing: Drawing) -> list[str]:
    return [str(one["message"]) for one in drawing.warnings if one["code"] not in TOLD_BY_THE_PLAN]


def _group_of(destination: str) -> str:
    """The resource group of the collector, to judge by while none is typed."""
    try:
        return parse(destination).resource_group
    except ArmIdError:
        return ""
