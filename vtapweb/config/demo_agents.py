"""What an operator gives to real agents, for those that the simulator plays: this server's address and a token each.

Both are in a file in the data directory, for its owner only. Tokens are kept from start to start; one that ingest refuses, or that is lost
with the file, is replaced and the old one revoked, so that they never pile up. Looks every few seconds: a collector that is made while
everything runs gets its tokens then.
"""

import asyncio
import http.client
import json
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import Error as DatabaseError
from django.db import connections
from django.utils import timezone

from vtapweb.config.launch import Launch
from vtapweb.domain.arm_id import arm_key
from vtapweb.domain.scope import Scope
from vtapweb.traffic.actions.tokens import token_create, token_revoke
from vtapweb.traffic.models import CollectorToken

LOOK_EVERY_S: Final = 2.0
GIVEN_AT_ONCE: Final = 50  # tokens; so that a large estate's first ones post while the last are still being made
TRY_AGAIN_S: Final = 20.0  # after a collector that the inventory does not know yet
TOKEN_NAME: Final = "simulated agent"  # noqa: S105 - what the token is called
ACTOR: Final = "manage.py up"
UNAUTHORIZED: Final = 401

Place = tuple[str, str]  # keys of a destination and of a member's NIC


def agents_file(decided: Launch) -> Path:
    return decided.data_dir / "simulator" / "agents.json"


def readdress(path: Path, address: str) -> None:
    """Before anybody posts: the tokens of the last start go to the address of this one. Nothing where there is no file."""
    held = _read(path)
    if held:
        _write(path, address, held)


async def keep(path: Path, endpoint: str, address: str) -> None:
    """Give tokens to simulated agents that lack one, until cancelled. A failed look is made again."""
    tried: dict[Place, float] = {}
    while True:
        await asyncio.to_thread(_look, path, endpoint, address, tried, asyncio.get_running_loop().time())
        await asyncio.sleep(LOOK_EVERY_S)


def _look(path: Path, endpoint: str, address: str, tried: dict[Place, float], now_s: float) -> None:
    try:
        give(path, endpoint, address, tried, now_s)
    finally:
        connections.close_all()


def give(path: Path, endpoint: str, address: str, tried: dict[Place, float], now_s: float) -> int:
    """One look; how many tokens it gave. `tried` keeps who could not get one, and when."""
    try:
        held = _read(path)
        agents = {(arm_key(one["destination"]), arm_key(one["member"])): one for one in _agents(endpoint) if not one["is_closed"]}
        lacking = [
            place
            for place, one in agents.items()
            if (place not in held or one["last_status"] == UNAUTHORIZED) and now_s - tried.get(place, -TRY_AGAIN_S) >= TRY_AGAIN_S
        ]
        given = 0
        for place in lacking[:GIVEN_AT_ONCE]:
            tried[place] = now_s
            secret = _token(agents[place]["destination"], agents[place]["member"])
            if secret:
                held[place] = {"destination": agents[place]["destination"], "member": agents[place]["member"], "token": secret}
                given += 1
        if given:
            _write(path, address, held)
        return given
    except (OSError, http.client.HTTPException, ValueError, DatabaseError):
        return 0  # simulator or database is away for a moment: the next look comes soon


def _token(destination_id: str, member_id: str) -> str:
    """A new token in place of those that this agent had; "" where vtapweb does not know its collector (yet)."""
    scope = Scope.everything()
    try:
        old = CollectorToken.objects.filter(destination_key=arm_key(destination_id), member_key=arm_key(member_id), name=TOKEN_NAME, revoked_at=None)
        old_tokens = [token for token in old if token.is_live(timezone.now())]
        _, secret = token_create(scope=scope, destination_id=destination_id, member_id=member_id, name=TOKEN_NAME, actor=ACTOR)
        for token in old_tokens:
            token_revoke(token=token, scope=scope, actor=ACTOR)
    except ValidationError:
        return ""
    return secret


def _agents(endpoint: str) -> list[dict[str, Any]]:
    """The agents that the simulator could play. Raises OSError, HTTPException or ValueError."""
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=2)
    try:
        connection.request("GET", "/_control/agents")
        said = json.loads(connection.getresponse().read())
        agents: list[dict[str, Any]] = said.get("value", [])
        return agents
    finally:
        connection.close()


def _read(path: Path) -> dict[Place, dict[str, str]]:
    """The file's agents; none where it is missing or broken."""
    try:
        agents = json.loads(path.read_text(encoding="utf-8"))["agents"]
        return {(arm_key(one["destination"]), arm_key(one["member"])): one for one in agents}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(path: Path, address: str, held: dict[Place, dict[str, str]]) -> None:
    waiting = path.with_suffix(".new")
    waiting.unlink(missing_ok=True)
    descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"url": address.rstrip("/"), "agents": list(held.values())}, file)
    waiting.replace(path)
