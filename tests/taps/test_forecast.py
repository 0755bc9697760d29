"""The forecast of a plan: asked for in calls that Azure takes, told with what is missing, kept with the change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.test_write_promises import CRM, simulator
from tests.inventory.factories import make_nic, make_subscription, make_tap
from tests.taps.factories import make_change, make_step
from vtapweb.cloud.port import CloudError, Failure
from vtapweb.cloud.types import MetricSeries
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.actions import resource_store_read
from vtapweb.inventory.models import NetworkInterface, Subnet
from vtapweb.simulator.contoso import SPOKES
from vtapweb.taps.actions.forecast import METRICS, NICS_A_CALL, change_forecast, forecasts_mend
from vtapweb.taps.models import Change
from vtapweb.traffic.models import CollectorAssignment

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, 3, 30, tzinfo=UTC)
FIRST = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class Monitor:
    """An Azure Monitor that counts the same octets every minute: `octets` {NIC's name: a minute, each direction}, ten packets with them."""

    octets: dict[str, float]
    fails: dict[str, CloudError] = field(default_factory=dict)  # by region
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    is_closed: bool = False

    def metric_totals(
        self, subscription_id: str, region: str, resource_ids: Sequence[str], names: Sequence[str], start: datetime, end: datetime, interval: str,
        *, namespace: str = "", split_by: str = "",
    ) -> tuple[MetricSeries, ...]:  # fmt: skip
        assert (namespace, split_by) == ("", ""), "NICs are asked for where nothing else is said"
        self.calls.append((subscription_id, region, len(resource_ids)))
        assert (start, end, interval, tuple(names)) == (FIRST, datetime(2026, 11, 22, 12, 0, tzinfo=UTC), "PT1M", METRICS)
        if region in self.fails:
            raise self.fails[region]
        return tuple(
            MetricSeries(
                resource_id=one.upper(),
                name=name,
                totals=tuple((start.timestamp() + 60 * minute, 10.0 if name.startswith("Packets") else octets) for minute in range(3)),
            )
            for one in resource_ids
            if (octets := self.octets.get(one.rsplit("/", 1)[-1])) is not None
            for name in names
        )

    def close(self) -> None:
        self.is_closed = True


def nic_of(name: str, **given: Any) -> NetworkInterface:
    """A NIC; all of them in one subnet."""
    return make_nic(name, subnet=Subnet.objects.first(), **given)


def plan_of(*nics: NetworkInterface, **given: Any) -> Change:
    change = make_change(**given)
    for one in nics:
        make_step(change, one.name, nic_id=one.arm_id, nic_key=one.key, target_id=f"{one.arm_id}/tapConfigurations/x", target_key=arm_key(one.name))
    return change


def told(change: Change, monitor: Monitor) -> dict[str, Any]:
    assert change_forecast(change_id=change.pk, opener=lambda: monitor, now=NOW)
    assert monitor.is_closed
    change.refresh_from_db()
    found: dict[str, Any] = change.plan["forecast"]
    return found


def test_three_of_six_have_figures() -> None:
    make_subscription()
    change = plan_of(*(nic_of(f"nic-{number}") for number in range(6)), plan={"digests": {"a": "b"}})
    found = told(change, Monitor({f"nic-{number}": 6_000.0 for number in range(3)}))
    each = (2 * 6_000 + 20 * 50) * 8 / 60
    assert found["status"] == "partial"
    assert (found["median_bits_per_s"], found["peak_bits_per_s"]) == (3 * each, 3 * each)
    assert (
        found["sentence"] == "About 5.2 kbit/s in the median minute and 5.2 kbit/s at the peak (21 Nov 12:00 UTC), from the last 24 hours of 3 NICs."
    )
    assert found["notes"][0] == "No data for 3 of 6: what they will bring comes on top."
    assert "4,380 NIC-hours a month; the price is not known" in found["notes"][-1]
    assert change.plan["digests"] == {"a": "b"}


def test_one_call_takes_nics_of_one_subscription_and_region_and_not_too_many() -> None:
    make_subscription()
    nics = [nic_of(f"nic-{number}", location="uksouth" if number else "westeurope") for number in range(NICS_A_CALL + 2)]
    monitor = Monitor({one.name: 1.0 for one in nics})
    assert told(plan_of(*nics), monitor)["status"] == "read"
    assert sorted((region, count) for _, region, count in monitor.calls) == [("uksouth", 1), ("uksouth", NICS_A_CALL), ("westeurope", 1)]


def test_what_could_not_be_asked_is_said_in_azures_words() -> None:
    make_subscription()
    nics = [nic_of("nic-a", location="uksouth"), nic_of("nic-b", location="westeurope")]
    forbidden = CloudError(Failure.FORBIDDEN, code="AuthorizationFailed", message="No right to read metrics.")
    found = told(plan_of(*nics), Monitor({"nic-a": 1.0}, fails={"westeurope": forbidden}))
    assert found["status"] == "partial"
    assert "1 NIC could not be asked about: No right to read metrics. (AuthorizationFailed)" in found["notes"]


def test_a_cloud_without_metrics_is_asked_once() -> None:
    make_subscription()
    missing = CloudError(Failure.MISSING, code="MetricsNotAvailable", message="This cloud has no metrics.")
    monitor = Monitor({}, fails={"uksouth": missing, "westeurope": missing})
    found = told(plan_of(nic_of("nic-a", location="uksouth"), nic_of("nic-b", location="westeurope")), monitor)
    assert (found["status"], found["median_bits_per_s"], len(monitor.calls)) == ("failed", None, 1)
    assert found["sentence"] == "No forecast: This cloud has no metrics. (MetricsNotAvailable)"


def test_silence_is_not_zero() -> None:
    make_subscription()
    found = told(plan_of(nic_of("nic-a")), Monitor({}))
    assert (found["status"], found["peak_bits_per_s"]) == ("none", None)
    assert found["sentence"] == "No forecast: Azure Monitor has no figures of 1 NIC for the last 24 hours."


@pytest.mark.parametrize(
    ("capacity", "note"),
    [
        (None, "Not evaluated against the collector"),
        (2_000, "ilb-collector is said to take 2.0 kbit/s: the peak is 87% of that."),
        (1_000, "ilb-collector is said to take 1.0 kbit/s: the peak is more than it takes."),
    ],
)
def test_against_the_collectors_capacity(capacity: int | None, note: str) -> None:
    make_subscription()
    tap = make_tap("tap-one", destination_id=f"{nic_of('collector', vm=None).arm_id}/ipConfigurations/ipconfig1")
    CollectorAssignment.objects.create(
        destination_key=tap.destination_key,
        destination_id=tap.destination_id,
        subscription_id=tap.subscription_id,
        name="ilb-collector",
        capacity_bits_per_s=capacity,
        by="ada",
        at=NOW,
    )
    found = told(plan_of(nic_of("nic-a"), tap_key=tap.key), Monitor({"nic-a": 6_000.0}))
    assert found["capacity_bits_per_s"] == capacity
    assert any(one.startswith(note) for one in found["notes"]), found["notes"]


def test_a_price_makes_it_money(settings: Any) -> None:
    settings.TAP_PRICE_PER_NIC_HOUR = 0.015
    make_subscription()
    found = told(plan_of(nic_of("nic-a"), nic_of("nic-b")), Monitor({}))
    assert (found["nic_hours_a_month"], found["price_a_month"]) == (1_460, 21.9)
    assert found["notes"][-1].endswith("1,460 NIC-hours a month, 21.90 at 0.015 a NIC-hour.")


def test_what_has_no_load_or_is_over_is_not_asked_for() -> None:
    make_subscription()
    monitor = Monitor({})
    nic = nic_of("nic-a")
    over = plan_of(nic, state="cancelled", finished_at=NOW)
    for change_id in (plan_of(nic, action="untap").pk, over.pk, 0):
        assert not change_forecast(change_id=change_id, opener=lambda: monitor, now=NOW)
    assert monitor.calls == []


def test_a_day_of_the_simulators_nics_through_the_sdk() -> None:
    """web-01 … web-03 of spoke-crm, read into the inventory by themselves, then asked of the simulator's Azure Monitor."""
    with simulator(is_over_http=False) as arm:
        now = datetime.fromtimestamp(arm.time.now_s, tz=UTC)
        make_subscription(SPOKES)
        change = make_change()
        for number in (1, 2, 3):
            found = arm.cloud.network_interface(f"{CRM}/networkInterfaces/web-{number:02}")
            assert found is not None
            assert resource_store_read(document=found, arm_id=found.arm_id, subscription_id=SPOKES, read_at=now)
            make_step(change, found.name, nic_id=found.arm_id, nic_key=arm_key(found.arm_id), target_key=arm_key(f"{found.arm_id}/x"))
        assert change_forecast(change_id=change.pk, opener=lambda: arm.cloud, now=now)
    change.refresh_from_db()
    told = change.plan["forecast"]
    assert (told["status"], told["nic_count"], told["measured_count"]) == ("partial", 3, 2)  # it has nothing of every sixth NIC
    assert 0 < told["median_bits_per_s"] < told["peak_bits_per_s"]
    assert told["notes"][:2] == [
        "No data for 1 of 3: what they will bring comes on top.",
        "With 50 octets a packet for the VXLAN envelope; both directions.",
    ]


def test_a_lost_message_is_sent_again_while_somebody_may_wait_for_it() -> None:
    make_subscription()
    ages = {"new": 30, "lost": 90, "old": 7_200}
    plans = {name: make_change(created_at=NOW - timedelta(seconds=age)) for name, age in ages.items()}
    make_change(created_at=NOW - timedelta(seconds=90), action="untap")
    make_change(created_at=NOW - timedelta(seconds=90), state="cancelled", finished_at=NOW)
    assert forecasts_mend(now=NOW) == 1
    assert change_forecast(change_id=plans["lost"].pk, opener=lambda: Monitor({}), now=NOW)
    assert forecasts_mend(now=NOW) == 0
