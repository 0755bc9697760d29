"""The forecast from what collectors measured: yesterday's peak where it is known, else what is known, and it says which.

[nic-a, nic-b] were mirrored to the old collector, and shall go to [collector], which receives from others.
"""

from array import array
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.inventory.factories import make_nic, make_subnet, make_subscription, make_tap, make_tap_configuration
from tests.inventory.pages import signed_in
from tests.taps.test_forecast import NOW, Monitor, plan_of
from vtapweb.inventory.models import NetworkInterface
from vtapweb.taps.actions.forecast import band_of, change_forecast
from vtapweb.taps.models import Change
from vtapweb.traffic.history.backend import Minutes
from vtapweb.traffic.history.chunks import SqlHistory
from vtapweb.traffic.history.series import TOTAL
from vtapweb.traffic.models import CollectorAssignment, SourceFlow

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

YESTERDAY = datetime(2026, 11, 21, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
GIGA = 1e9
Rate = Callable[[int], float]  # by the minute of the day


class Stage:
    """A collector that is said to take 10 Gb/s, another one, and NICs."""

    def __init__(self, capacity: int | None = 10_000_000_000) -> None:
        make_subscription()
        self.subnet = make_subnet("apps")
        self.collector, self.old = (make_nic(name, subnet=self.subnet, vm=None, mac="") for name in ("collector", "old"))
        self.tap, self.old_tap = (
            make_tap(f"tap-{nic.name}", destination_id=f"{nic.arm_id}/ipConfigurations/ipconfig1") for nic in (self.collector, self.old)
        )
        CollectorAssignment.objects.create(
            destination_key=self.tap.destination_key, destination_id=self.tap.destination_id, subscription_id=self.tap.subscription_id,
            name="ilb-collector", capacity_bits_per_s=capacity, by="ada", at=NOW,
        )  # fmt: skip

    def nic(self, name: str, **given: Any) -> NetworkInterface:
        return make_nic(name, subnet=self.subnet, mac="", **given)

    def plan(self, *nics: NetworkInterface, **given: Any) -> Change:
        return plan_of(*nics, **{"tap_key": self.tap.key, "subscription_ids": [self.tap.subscription_id], **given})

    def received(self, wire: Rate, start: datetime = YESTERDAY, minutes: int = 1440) -> None:
        self._keep(self.tap.destination_key, TOTAL, {"inner_bits": wire, "wire_bits": wire, "packets": wire, "drops": wire}, start, minutes)

    def sent(self, nic: NetworkInterface, bits: Rate, start: datetime = YESTERDAY, minutes: int = 1440) -> None:
        """To the old collector, without the envelope of its packets."""
        SourceFlow.objects.get_or_create(
            tap_configuration_key=nic.key, collector_key=self.old_tap.destination_key,
            defaults={"nic_key": nic.key, "first_at": YESTERDAY, "last_at": NOW},
        )  # fmt: skip
        self._keep(self.old_tap.destination_key, nic.key, {"bits": bits, "packets": lambda _: 0.0}, start, minutes)

    def _keep(self, collector_key: str, name: str, columns: dict[str, Rate], start: datetime, minutes: int) -> None:
        first = int((start - YESTERDAY) / timedelta(minutes=1))
        values = {column: array("f", (rate((first + one) % 1440) for one in range(minutes))) for column, rate in columns.items()}
        SqlHistory().write([Minutes(collector_key, int(start.timestamp()), {name: values})])


def told(change: Change, monitor: Monitor | None = None) -> dict[str, Any]:
    asked = monitor or Monitor({})
    assert change_forecast(change_id=change.pk, opener=lambda: asked, now=NOW)
    change.refresh_from_db()
    found: dict[str, Any] = change.plan["forecast"]
    return found


def busy_at(hour: int, high: float, low: float) -> Rate:
    return lambda minute: high if minute // 60 == hour else low


def test_yesterdays_peak_of_collector_and_nics_together() -> None:
    stage = Stage()
    nics = [stage.nic("nic-a"), stage.nic("nic-b")]
    stage.received(busy_at(14, 6.2 * GIGA, 2 * GIGA))
    stage.sent(nics[0], busy_at(14, 1.2 * GIGA, 0.1 * GIGA))
    stage.sent(nics[1], busy_at(3, 2 * GIGA, 0.7 * GIGA))
    monitor = Monitor({"nic-a": 1.0, "nic-b": 1.0})
    found = told(stage.plan(*nics), monitor)
    assert found["load"]["sentence"] == "Load at yesterday's peak: 6.2 → 8.1 of 10 Gb/s. At 14:00 UTC; that is 81 % of what it takes, above 75 %."
    assert found["load"]["band"] == "near"
    assert found["load"]["at"] == "2026-11-21T14:00:00+00:00"
    assert (found["status"], found["measured_count"]) == ("read", 2)
    assert "from yesterday (21 Nov, UTC) of 2 NICs." in found["sentence"]
    assert "2 NICs as collectors measured them." in found["notes"]
    assert monitor.calls == []


def test_bands_begin_above_75_and_95_percent() -> None:
    assert [band_of(one) for one in (None, 0.0, 0.75, 0.751, 0.95, 0.951, 2.0)] == [None, None, None, "near", "near", "over", "over"]


@pytest.mark.parametrize(("more", "words"), [(3.5, "97 % of what it takes, above 95 %"), (4.0, "102 % of what it takes, more than it takes")])
def test_above_95_percent_is_over(more: float, words: str) -> None:
    stage = Stage()
    nic = stage.nic("nic-a")
    stage.received(lambda _: 6.2 * GIGA)
    stage.sent(nic, lambda _: more * GIGA)
    change = stage.plan(nic)
    found = told(change)
    assert found["load"]["band"] == "over"
    assert words in found["load"]["sentence"]
    page = signed_in().get(f"/changes/{change.pk}").content.decode()
    assert 'data-test="band"' in page
    assert "Load at yesterday&#x27;s peak: 6.2 →" in page


def test_nics_that_nobody_measured_are_asked_of_azure_monitor_and_both_are_of_the_last_hours() -> None:
    stage = Stage()
    measured, other = stage.nic("nic-a"), stage.nic("nic-b")
    stage.received(lambda _: 1 * GIGA, minutes=2880)
    stage.sent(measured, lambda _: 2 * GIGA, minutes=2880)
    monitor = Monitor({"nic-b": 6_000.0})
    found = told(stage.plan(measured, other), monitor)
    assert found["load"]["sentence"].startswith("Load at the peak of the last 24 hours: 1 → 3 of 10 Gb/s. At 21 Nov 12:00 UTC; that is 30 % of")
    assert found["load"]["band"] is None
    assert "1 NIC as collectors measured it; the others as Azure Monitor counted them." in found["notes"]
    assert [count for _, _, count in monitor.calls] == [1]


def test_a_collector_that_is_known_for_a_while_only_says_so() -> None:
    stage = Stage()
    nic = stage.nic("nic-a")
    stage.received(lambda _: 1 * GIGA, start=NOW.replace(hour=9, minute=0, second=0), minutes=150)
    stage.sent(nic, lambda _: 1 * GIGA, start=NOW.replace(hour=10, minute=0, second=0), minutes=60)
    found = told(stage.plan(nic))
    assert found["load"]["sentence"].startswith("Load at the peak of the last 24 hours: 1 → 2 of 10 Gb/s.")
    assert "Of what ilb-collector receives already only 2 h 30 min of that time are known: its peak may have been higher." in found["notes"]
    assert "Of 1 NIC only a part of that time is known." in found["notes"]


def test_peaks_of_different_times_are_the_most_that_it_can_be() -> None:
    stage = Stage()
    nic = stage.nic("nic-a")
    stage.received(lambda _: 4 * GIGA, start=MIDNIGHT, minutes=60)
    stage.sent(nic, lambda _: 2 * GIGA, start=MIDNIGHT + timedelta(hours=3), minutes=60)
    found = told(stage.plan(nic))
    assert "4 → 6 of 10 Gb/s. At most: the two peaks are of different times; that is 60 %" in found["load"]["sentence"]


def test_what_is_not_known_stays_so() -> None:
    stage = Stage()
    nics = [stage.nic("nic-a"), stage.nic("nic-b")]
    nothing = told(stage.plan(*nics))
    assert (nothing["status"], nothing["load"]) == ("none", None)
    stage.received(lambda _: 1 * GIGA)
    assert told(stage.plan(*nics))["load"] is None
    part = told(stage.plan(*nics), Monitor({"nic-a": 75e6}))
    assert "at least." in part["load"]["sentence"]
    assert "No data for 1 of 2: what they will bring comes on top." in part["notes"]


def test_a_capacity_that_nobody_knows_is_not_evaluated() -> None:
    stage = Stage(capacity=None)
    nic = stage.nic("nic-a")
    stage.received(lambda _: 6.2 * GIGA)
    stage.sent(nic, lambda _: 1.9 * GIGA)
    found = told(stage.plan(nic))
    assert found["load"]["sentence"] == "Load at yesterday's peak: 6.2 → 8.1 Gb/s. At 00:00 UTC."
    assert (found["load"]["share"], found["load"]["band"]) == (None, None)
    assert any(one.startswith("Not evaluated against the collector") for one in found["notes"])


def test_nics_that_are_there_already_come_not_on_top() -> None:
    stage = Stage()
    nic = stage.nic("nic-a")
    make_tap_configuration(nic=nic, tap_id=stage.tap.arm_id)
    stage.received(lambda _: 6.2 * GIGA)
    stage.sent(nic, lambda _: 1.9 * GIGA)
    found = told(stage.plan(nic, action="move"))
    assert "6.2 → 6.2 of 10 Gb/s" in found["load"]["sentence"]
    assert found["sentence"] == "Nothing comes on top: these NICs are mirrored to the same collector already."


def test_a_collector_that_not_all_who_see_the_plan_may_read_tells_nothing() -> None:
    stage = Stage()
    nic = stage.nic("nic-a")
    stage.received(lambda _: 6.2 * GIGA)
    stage.sent(nic, lambda _: 1.9 * GIGA)
    found = told(stage.plan(nic, subscription_ids=["5a000000-0000-0000-0000-0000000000ff"]))
    assert found["load"] is None
    assert any("What others mirror to it already is not in the figure." in one for one in found["notes"])


@pytest.mark.parametrize("number", [1, 12])
def test_queries_do_not_grow_with_nics(django_assert_max_num_queries: DjangoAssertNumQueries, number: int) -> None:
    stage = Stage()
    nics = [stage.nic(f"nic-{one:02}") for one in range(number)]
    stage.received(lambda _: 1.0)
    for one in nics:
        stage.sent(one, lambda _: 1.0)
    change = stage.plan(*nics)
    with django_assert_max_num_queries(32):
        assert told(change)["status"] == "read"
