"""NICs that a running change is about to write to, or is writing to now: for marks on the map."""

from dataclasses import dataclass

from vtapweb.domain.change import IN_FLIGHT_STEP_STATES, ChangeState, StepState
from vtapweb.domain.scope import Scope
from vtapweb.taps.models import ChangeStep
from vtapweb.taps.selectors.changes import changes

RUNNING = (ChangeState.APPLYING, ChangeState.PAUSED)


@dataclass(frozen=True, slots=True)
class Move:
    """One NIC under one change. `is_in_flight`: it was sent, and Azure has not ended it."""

    nic_key: str
    change_id: int
    is_in_flight: bool

    @property
    def words(self) -> str:
        return "with Azure now" if self.is_in_flight else "waits for its turn"


def moves_in_flight(scope: Scope) -> list[Move]:
    """The NICs that are being written to now, by key; one query, few rows whatever the estate: a wave is small."""
    return _moves(scope, state__in=sorted(IN_FLIGHT_STEP_STATES))


def moves_of_nic(scope: Scope, nic_key: str) -> list[Move]:
    """The running changes that have not ended with this NIC, each once; one query."""
    found = sorted(_moves(scope, nic_key=nic_key, state__in=[*sorted(IN_FLIGHT_STEP_STATES), StepState.PENDING]), key=lambda one: one.is_in_flight)
    return list({one.change_id: one for one in found}.values())


def _moves(scope: Scope, **wanted: object) -> list[Move]:
    running = changes(scope).order_by().filter(state__in=RUNNING).values("pk")
    rows = ChangeStep.objects.filter(change__in=running, **wanted).exclude(nic_key="").order_by("nic_key", "change_id", "pk")
    return [Move(key, change_id, state in IN_FLIGHT_STEP_STATES) for key, change_id, state in rows.values_list("nic_key", "change_id", "state")]
