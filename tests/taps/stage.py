"""The engine's stage: the simulator in process behind the real SDK, a clock that the test moves, and a worker that can be killed anywhere.

    worker ── change_advance ── AzureCloud (the SDK's own pipeline) ── Wire ── simulator: estate S, NICs added to spoke-crm/snet-web

The clock is time_machine's for vtapweb and the simulator alike. `run` is what beat and worker do: advance, wait until the next moment is due.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import time_machine
from django.db import connection
from django.utils import timezone

from tests.contract.http import InProcess, Reply
from tests.inventory.factories import make_subscription
from tests.simulator.writer import CRM, ILB, PACKETLOG
from vtapweb.cloud.connect import cloud_from_settings
from vtapweb.cloud.sdk import AzureCloud
from vtapweb.domain.arm_id import arm_key, parse
from vtapweb.simulator import contoso
from vtapweb.simulator.contoso import PROD, SPOKES
from vtapweb.simulator.faults import Fault, FaultKind
from vtapweb.simulator.server import Request, Server
from vtapweb.simulator.throttle import UNLIMITED, Budgets
from vtapweb.taps.actions.advance import change_advance
from vtapweb.taps.models import Change, ChangeStep

HOME = "http://127.0.0.1:8080"
START = "2026-11-21T22:00:00+00:00"
MOST_LOOKS = 3_000
NAME = "vtapweb"


class KilledError(BaseException):
    """The worker's process is gone: nothing of it runs any more. No Exception, so that no handler of ours can mistake it for an error."""


class Wire(InProcess):
    """Carries requests with their bodies into the simulator; `on_request(number, moment)` is called "before" and "after" each."""

    def __init__(self, server: Server, on_request: Callable[[str, str], None]) -> None:
        super().__init__(bodies=self._carry)
        self._server, self._on_request = server, on_request

    def _carry(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self._on_request(method, "before")
        response = self._server.handle(Request(method, url, headers, body))
        self._on_request(method, "after")
        return Reply(response.status, response.body, response.headers, "drop" if response.is_dropped else "")


class Stage:
    """`kill_at` is the number of the moment (a commit, or either side of a request) at which the worker is killed; None: never."""

    def __init__(self, clock: time_machine.Traveller, *, budgets: Budgets) -> None:
        import time

        self.clock = clock
        self.server = Server(contoso.build(), budgets=budgets, monotonic_s=time.time, unix_s=time.time)
        self.kill_at: int | None = None
        self.moments = 0
        self.on_request: Callable[[str, str], None] | None = None
        self.server.operation_s = 1.5

    # -- the estate

    def add_nics(self, count: int, stem: str = "app") -> list[str]:
        """New NICs with running VMs in spoke-crm/snet-web; their ARM ids."""
        from vtapweb.simulator.changes import nics_add

        return nics_add(self.server.estate, "spoke-crm", "snet-web", count, stem=stem)

    def configurations(self, nic_id: str) -> list[tuple[str, str, str]]:
        """(name, TAP, provisioning state) of each TAP configuration that the simulator has on that NIC."""
        found = self.server.estate.get(nic_id)
        assert found is not None
        some = found.json()["properties"].get("tapConfigurations") or []
        return [(one["name"], one["properties"]["virtualNetworkTap"]["id"], one["properties"]["provisioningState"]) for one in some]

    def fault(self, kind: FaultKind, **fields: Any) -> None:
        self.server.faults.active.append(Fault(kind, **fields))

    def writes(self) -> list[Any]:
        """The simulator's log of writes that it took, in their order."""
        return [one for one in self.server.writes.log.entries.values() if one.was_taken]

    def order(self, action: str, **fields: Any) -> None:
        """One action of the simulator's control."""
        body = json.dumps(fields).encode()
        response = self.server.handle(Request("POST", f"/_control/{action}", {"Host": "127.0.0.1:8080"}, body))
        assert response.status == 200, response.body

    # -- the worker

    def cloud(self) -> AzureCloud:
        return cloud_from_settings(cloud="custom", endpoint=HOME, token="stage", transport=Wire(self.server, self._asked), sleep=self.pass_s)

    def pass_s(self, seconds: float) -> None:
        self.clock.shift(timedelta(seconds=seconds))

    def advance(self, change: Change) -> Any:
        """One turn of a worker. Raises KilledError when it is killed in it."""
        with self._commits_counted():
            return change_advance(change_id=change.pk, opener=self.cloud)

    def run(self, *changes: Change, until: Callable[[], bool] = lambda: False) -> None:
        """Advance all of them, each when it is due, until none is due any more or the condition holds."""
        for _ in range(MOST_LOOKS):
            dues = [self.advance(one) for one in changes]
            waiting = [one for one in dues if one is not None]
            if not waiting or until():
                return
            if min(waiting) > timezone.now():
                self.clock.move_to(min(waiting))
        raise AssertionError(f"no end after {MOST_LOOKS} looks: {[(one.pk, states(one)) for one in changes]}")

    def _asked(self, method: str, moment: str) -> None:
        self._moment()
        if self.on_request is not None:
            self.on_request(method, moment)

    def _moment(self) -> None:
        self.moments += 1
        if self.kill_at is not None and self.moments >= self.kill_at:
            self.kill_at = None
            raise KilledError

    @contextmanager
    def _commits_counted(self) -> Iterator[None]:
        commit = connection.commit

        def counted() -> None:
            commit()
            self._moment()

        connection.commit = counted  # type: ignore[method-assign] # the moment right after a commit
        try:
            yield
        finally:
            connection.commit = commit  # type: ignore[method-assign]


@contextmanager
def stage(*, budgets: Budgets = UNLIMITED) -> Iterator[Stage]:
    """A stage at START, with the two subscriptions that its NICs and TAPs lie in known to the inventory."""
    with time_machine.travel(START, tick=False) as clock:
        make_subscription(SPOKES, name="spokes")
        make_subscription(PROD, name="prod")
        yield Stage(clock, budgets=budgets)


def tap_change(
    nic_ids: list[str], *, tap_id: str = ILB, waves: list[int] | None = None, groups: Mapping[int, list[str]] | None = None, **fields: Any
) -> Change:
    """An applied change that mirrors these NICs: `waves[i]` is the wave of NIC i (default: one alone, then five), `groups[i]` its groups."""
    now = timezone.now()
    values: dict[str, Any] = {
        "action": "tap",
        "state": "applying",
        "reason": "INC-7: odd DNS",
        "ticket": "INC-7",
        "subscription_ids": sorted({SPOKES, PROD}),
        "tap_id": tap_id,
        "tap_key": arm_key(tap_id),
        "tap_name": parse(tap_id).name,
        "created_at": now,
        "created_by_name": "olga",
        "applied_at": now,
        "asked_at": now,
        "applied_by_name": "olga",
        "next_due_at": now,
        "settle_s": 2,
    }
    change = Change.objects.create(**{**values, **fields})
    for number, nic_id in enumerate(nic_ids):
        wave = waves[number] if waves else 1 + (number + 4) // 5
        add_step(change, nic_id, wave=wave, groups=list((groups or {}).get(number, [])))
    return change


def add_step(change: Change, nic_id: str, *, action: str = "put", tap_id: str = "", name: str = NAME, **fields: Any) -> ChangeStep:
    """One more step: PUT or DELETE that NIC's configuration `name`."""
    target = f"{nic_id}/tapConfigurations/{name}"
    values: dict[str, Any] = {
        "change": change,
        "ordinal": change.steps.count() + 1,
        "nic_id": nic_id,
        "nic_key": arm_key(nic_id),
        "nic_name": parse(nic_id).name,
        "vm_name": parse(nic_id).name,
        "target_id": target,
        "target_key": arm_key(target),
        "subscription_id": parse(nic_id).subscription_id.lower(),
        "action": action,
        "method": action.upper(),
        "path": target,
        "body": {"properties": {"virtualNetworkTap": {"id": tap_id or change.tap_id}}} if action == "put" else None,
    }
    return ChangeStep.objects.create(**{**values, **fields})


def states(change: Change) -> list[str]:
    """The states of its steps, in order."""
    return list(change.steps.order_by("ordinal").values_list("state", flat=True))


__all__ = ["CRM", "ILB", "PACKETLOG", "KilledError", "Stage", "add_step", "stage", "states", "tap_change"]
