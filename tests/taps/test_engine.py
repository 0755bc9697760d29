"""The engine against the simulator: what it sends, what it makes of every answer, and that it never sends what it should not."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.taps.stage import ILB, Stage, stage, states, tap_change
from vtapweb.taps.models import Change

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _alone(settings: Settings) -> None:
    """No Redis; and the cloud is one whose writes need nobody's leave."""
    settings.REDIS_URL = ""
    settings.CLOUD = "simulator"


@pytest.fixture
def azure(_alone: None) -> Iterator[Stage]:
    with stage() as found:
        yield found


def again(change: Change) -> Change:
    return Change.objects.get(pk=change.pk)


def test_a_change_goes_wave_by_wave_each_verified_and_settled_before_the_next(azure: Stage) -> None:
    nics = azure.add_nics(8)
    change = tap_change(nics)
    azure.run(change)
    assert states(change) == ["verified"] * 8
    assert again(change).state == "applied"
    for nic in nics:
        assert azure.configurations(nic) == [("vtapweb", ILB, "Succeeded")]
    written = azure.writes()
    assert [one.client_request_id for one in written] == [str(one.client_request_id) for one in change.steps.order_by("ordinal")]
    spans: dict[int, list[tuple[float, float]]] = {wave: [] for wave in (1, 2, 3)}
    for one, step in zip(written, change.steps.order_by("ordinal"), strict=True):
        spans[step.wave].append((one.begun_unix_s, one.ended_unix_s))
    for wave in (2, 3):
        assert min(begun for begun, _ in spans[wave]) >= max(ended for _, ended in spans[wave - 1]) + 2
