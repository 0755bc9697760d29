"""From the ledger to a plan: remove what is unaccounted, make anew what drifted. Each ends in an ordinary plan that somebody applies."""

from collections.abc import Iterable, Sequence

from django.core.exceptions import ValidationError
from django.http import HttpRequest

from vtapweb.access.guards import role_check
from vtapweb.access.role import Role
from vtapweb.access.viewer import Viewer
from vtapweb.domain.arm_id import parse
from vtapweb.domain.change_input import Draft
from vtapweb.inventory.selectors import in_scope
from vtapweb.taps.actions.drawing import InvalidPlanError, NothingToPlanError
from vtapweb.taps.actions.plan import change_plan
from vtapweb.taps.models import Change, Mirror, TapLife
from vtapweb.taps.selectors.ledger import drifted_mirrors, drifted_taps, unaccounted_mirrors, unaccounted_taps

REASONS_SHOWN = 5


def removal_plan(
    *, mirror_ids: Iterable[int], tap_ids: Iterable[int], reason: str, ticket: str, acting_user: Viewer, request: HttpRequest | None = None
) -> Change:
    """A plan that takes these unaccounted mirrors away, or (of one TAP and no mirrors) that TAP.

    Raises ProblemError 403 for a viewer, ValidationError for anything else that cannot be planned, with the planner's own sentences.
    """
    role_check(acting_user, Role.OPERATOR)
    mirrors = list(unaccounted_mirrors(acting_user.scope).filter(pk__in=list(mirror_ids)))
    taps = list(unaccounted_taps(acting_user.scope).filter(pk__in=list(tap_ids)))
    if mirrors:
        draft = Draft(action="untap", nics=tuple(one.nic_id for one in mirrors), reason=reason, ticket=ticket)
    elif len(taps) == 1:
        draft = Draft(action="delete_tap", tap=taps[0].tap_id, reason=reason, ticket=ticket)
    else:
        raise ValidationError("Tick mirrors, or one TAP: a TAP is deleted by a change of its own.", code="rows")
    return _planned(draft, acting_user, request)


def drift_plan(*, mirror_ids: Iterable[int], tap_ids: Iterable[int], reason: str, acting_user: Viewer, request: HttpRequest | None = None) -> Change:
    """A plan that makes these drifted lives anew: vanished mirrors are made, changed ones moved back, a vanished TAP is created.

    One plan is about one TAP and one of these. Raises as `removal_plan` does.
    """
    role_check(acting_user, Role.OPERATOR)
    mirrors = list(drifted_mirrors(acting_user.scope).filter(pk__in=list(mirror_ids)))
    taps = list(drifted_taps(acting_user.scope).filter(pk__in=list(tap_ids)))
    if mirrors and not taps:
        return _planned(_of_mirrors(mirrors, reason), acting_user, request)
    if len(taps) == 1 and not mirrors:
        return _planned(_of_tap(taps[0], reason, acting_user), acting_user, request)
    raise ValidationError("Tick mirrors, or one TAP: each is a change of its own.", code="rows")


def _of_mirrors(mirrors: Sequence[Mirror], reason: str) -> Draft:
    if len({(one.tap_key, one.state) for one in mirrors}) > 1:
        raise ValidationError("Tick mirrors of one TAP that all vanished, or all point elsewhere: each is a change of its own.", code="rows")
    first = mirrors[0]
    action = "tap" if first.state == Mirror.State.VANISHED else "move"
    return Draft(action=action, nics=tuple(one.nic_id for one in mirrors), tap=first.tap_id, reason=reason, ticket=first.ticket)


def _of_tap(tap: TapLife, reason: str, acting_user: Viewer) -> Draft:
    if in_scope(TapLife.objects.filter(tap_key=tap.tap_key, ended_at=None), acting_user.scope).exists():
        raise ValidationError("The TAP is there with another destination. Move its sources to a new TAP, or accept what it is.", code="rows")
    group = parse(tap.tap_id).resource_group
    return Draft(action="create_tap", name=tap.tap_name, resource_group=group, destination=tap.destination_id, reason=reason, ticket=tap.ticket)


def _planned(draft: Draft, acting_user: Viewer, request: HttpRequest | None) -> Change:
    try:
        return change_plan(draft=draft, acting_user=acting_user, request=request)
    except InvalidPlanError as problem:
        raise ValidationError([one for sentences in problem.by_field.values() for one in sentences]) from problem
    except NothingToPlanError as problem:
        raise ValidationError([str(problem), *(f"{one.name}: {one.message}" for one in problem.left_out[:REASONS_SHOWN])]) from problem
