"""How these tests talk to a simulator in process: a caller with a token, and a clock that only moves when it is told to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vtapweb.simulator import contoso
from vtapweb.simulator.estate import Estate
from vtapweb.simulator.server import Request, Response, Server
from vtapweb.simulator.throttle import UNLIMITED, Budgets

BASE_URL = "http://127.0.0.1:8080"
VERSION = "api-version=2024-05-01"
TOKEN = {"Authorization": "Bearer x", "Host": "127.0.0.1:8080"}


@dataclass
class Clock:
    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Caller:
    server: Server
    clock: Clock = field(default_factory=Clock)

    def call(self, path: str, *, method: str = "GET", headers: Mapping[str, str] = TOKEN, body: bytes = b"") -> Response:
        """One request; an api-version is added where the path has no query."""
        return self.server.handle(Request(method, path if "?" in path else f"{path}?{VERSION}", headers, body))

    def get(self, path: str) -> Any:
        response = self.call(path)
        assert response.status == 200, response.body
        return json.loads(response.body)

    def error(self, path: str, **arguments: Any) -> tuple[int, str]:
        """Status and ARM's code of a refusal."""
        response = self.call(path, **arguments)
        return response.status, json.loads(response.body)["error"]["code"]

    def pages(self, path: str) -> list[list[Any]]:
        found, url = [], path
        while url:
            body = self.get(url)
            found.append(body["value"])
            url = body.get("nextLink", "")
        return found

    def items(self, path: str) -> list[Any]:
        return [item for page in self.pages(path) for item in page]

    def network(self, subscription_id: str, kind: str) -> list[Any]:
        return self.items(f"/subscriptions/{subscription_id}/providers/Microsoft.Network/{kind}")

    def compute(self, subscription_id: str, kind: str) -> list[Any]:
        return self.items(f"/subscriptions/{subscription_id}/providers/Microsoft.Compute/{kind}")


def make_caller(*, estate: Estate | None = None, page_size: int = 1_000, budgets: Budgets = UNLIMITED) -> Caller:
    clock = Clock()
    server = Server(estate or contoso.build(), page_size=page_size, budgets=budgets, monotonic_s=clock, unix_s=clock)
    return Caller(server, clock)
