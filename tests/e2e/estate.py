"""The estate behind the stack: orders to the simulator's control, its own lists, and the product's API with a token.

What ought to be on the screen is asked of the simulator, which shares no code with the product.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import accumulate
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.e2e.conftest import Stack
from tests.house.processes import ROOT, up_command
from tests.waiting import eventually

API_VERSIONS = {"Microsoft.Network": "2024-05-01", "Microsoft.Compute": "2024-07-01"}
LISTS = (
    "resourceGroups",
    "providers/Microsoft.Network/virtualNetworks",
    "providers/Microsoft.Network/networkInterfaces",
    "providers/Microsoft.Network/loadBalancers",
    "providers/Microsoft.Network/networkSecurityGroups",
    "providers/Microsoft.Network/virtualNetworkTaps",
    "providers/Microsoft.Compute/virtualMachines",
    "providers/Microsoft.Compute/availabilitySets",
    "providers/Microsoft.Compute/virtualMachineScaleSets",
)
OVER = {"complete", "partial", "failed", "cancelled"}


def answer_of(url: str, *, token: str = "", body: Any = None) -> tuple[int, Any]:
    """(status, JSON or text) of one request; a POST where there is a body."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data=data, headers=headers | ({} if data is None else {"Content-Type": "application/json"}))  # noqa: S310 - loopback
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            status, text = answer.status, answer.read().decode()
    except HTTPError as refused:
        with refused:
            status, text = refused.code, refused.read().decode()
    try:
        return status, json.loads(text)
    except json.JSONDecodeError:
        return status, text


def order(stack: Stack, action: str, **fields: Any) -> None:
    """One order to the simulator's control; it must be taken."""
    status, said = answer_of(f"{stack.simulator}_control/{action}", body=fields)
    assert status == 200, said


def documents(stack: Stack, subscription_id: str) -> Iterator[dict[str, Any]]:
    """Every document that Azure's lists of one subscription hold, the members of scale sets included."""
    for path in LISTS:
        found = list(_list(stack, f"subscriptions/{subscription_id}/{path}"))
        yield from found
        if path.endswith("virtualMachineScaleSets"):
            for one in found:
                yield from _list(stack, one["id"].lstrip("/") + "/networkInterfaces")


def _list(stack: Stack, path: str) -> Iterator[dict[str, Any]]:
    provider = "Microsoft.Compute" if "Microsoft.Compute" in path and not path.endswith("networkInterfaces") else "Microsoft.Network"
    url = f"{stack.simulator}{path}?api-version={API_VERSIONS[provider]}"
    while url:
        status, page = answer_of(url, token="anything")
        assert status == 200, (url, page)
        yield from page["value"]
        url = page.get("nextLink", "")


def manage(stack: Stack, *arguments: str) -> str:
    """What `manage.py` prints, run on the stack's data as an operator does."""
    command, environment = up_command(stack.data_dir, (), {"VTAPWEB_CLOUD": "simulator", "VTAPWEB_ARM_ENDPOINT": stack.simulator})
    ended = subprocess.run(
        [sys.executable, *command[1:2], *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended
    return ended.stdout


def node_ids(snapshot: dict[str, Any]) -> list[int]:
    """The ids of all nodes in the API's picture; some columns travel as first differences (docs/topology.md)."""
    found: list[int] = []
    for name, table in snapshot["columns"].items():
        found += accumulate(table["id"]) if f"{name}.id" in snapshot["encoding"]["delta"] else table["id"]
    return found


class Client:
    """The product's API with a token of its own."""

    def __init__(self, stack: Stack, name: str, role: str, *subscription_ids: str) -> None:
        self.address = stack.address
        limits = [part for one in subscription_ids for part in ("--subscription", one)]
        self.token = manage(stack, "token_create", "--name", name, "--role", role, *limits).split()[-1]

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        return answer_of(f"{self.address}api/v1/{path}", token=self.token, body=body)

    def get(self, path: str) -> Any:
        status, answer = self.ask(path)
        assert status == 200, (path, status, answer)
        return answer

    def items(self, slug: str) -> list[dict[str, Any]]:
        """All items of one kind."""
        found: list[dict[str, Any]] = self.get(f"{slug}?limit=1000")["items"]
        return found

    def sync(self) -> dict[str, Any]:
        """Starts a sync and waits for its end; one that was under way already began too early and is waited for first."""
        eventually(lambda: all(run["state"] in OVER for run in self.get("syncs?limit=5")["items"]), within_s=60, why="no sync is under way")
        status, run = self.ask("syncs", {})
        assert status == 202, run
        return self.ended(run["id"])

    def ended(self, run_id: int) -> dict[str, Any]:
        run: dict[str, Any] = {}

        def is_over() -> bool:
            run.update(self.get(f"syncs/{run_id}"))
            return run["state"] in OVER

        eventually(is_over, within_s=90, why=f"the end of sync {run_id}")
        return run
