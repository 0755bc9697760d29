"""A caller that writes: PUTs by TAP, passes time, and looks at operations."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulator.caller import TOKEN, Caller, Clock
from vtapweb.simulator import contoso
from vtapweb.simulator.contoso import PROD, SPOKES
from vtapweb.simulator.journal import Journal
from vtapweb.simulator.server import Response, Server
from vtapweb.simulator.throttle import UNLIMITED, Budgets

CRM = f"/subscriptions/{SPOKES}/resourceGroups/rg-crm/providers/Microsoft.Network"
HUB = f"/subscriptions/{PROD}/resourceGroups/rg-hub-uks/providers/Microsoft.Network"
ILB, PACKETLOG = f"{HUB}/virtualNetworkTaps/tap-ilb-uks", f"{HUB}/virtualNetworkTaps/tap-packetlog-uks"


def mirror(nic: str) -> str:
    """The id of a NIC's TAP configuration by the name that the story gives them."""
    return f"{nic}/tapConfigurations/mirror"


@dataclass
class Writer(Caller):
    def send(self, method: str, path: str, body: object, *, headers: Mapping[str, str] | None = None) -> Response:
        return self.call(path, method=method, headers={**TOKEN, **(headers or {})}, body=json.dumps(body).encode())

    def send_error(self, method: str, path: str, body: object) -> tuple[int, str]:
        response = self.send(method, path, body)
        return response.status, json.loads(response.body)["error"]["code"]

    def put(self, configuration: str, tap: str, *, headers: Mapping[str, str] | None = None) -> Response:
        """A TAP configuration that leads to `tap`."""
        return self.send("PUT", configuration, {"properties": {"virtualNetworkTap": {"id": tap}}}, headers=headers)

    def put_error(self, configuration: str, tap: str) -> tuple[int, str]:
        return self.send_error("PUT", configuration, {"properties": {"virtualNetworkTap": {"id": tap}}})

    def play(self, action: str, **fields: Any) -> str:
        response = self.call(f"/_control/{action}", method="POST", body=json.dumps(fields).encode())
        assert response.status == 200, response.body
        return str(json.loads(response.body)["said"])

    def pass_s(self, seconds: float) -> None:
        self.clock.now_s += seconds

    def status(self, url: str) -> Any:
        """What an operation says of itself."""
        return self.get(url)

    def done(self, response: Response) -> None:
        """Let the operation of a taken write come to its good end."""
        assert response.status in {200, 201, 202}, response.body
        self.pass_s(60)
        assert self.status(response.headers["azure-asyncoperation"]) == {"status": "Succeeded"}

    def sources(self, tap: str) -> list[str]:
        """The names of the NICs that a TAP says are its sources."""
        return [source["id"].split("/")[8] for source in self.get(tap)["properties"].get("networkInterfaceTapConfigurations", ())]

    def writes(self) -> list[Any]:
        return list(self.get("/_control/writes")["value"])


def make_writer(*, budgets: Budgets = UNLIMITED, journal: Journal | None = None) -> Writer:
    """An estate S; with a journal, as that has it."""
    clock, estate = Clock(), contoso.build()
    if journal is not None:
        journal.load(estate)
    return Writer(Server(estate, budgets=budgets, monotonic_s=clock, unix_s=clock, journal=journal), clock)
