"""Plays the agents of every collector: once a second their documents go to vtapweb over HTTP, on kept connections.

Where vtapweb is and which token each agent has comes from a file (`--agents FILE`, JSON, for its owner only), which is read again when it
changes: {"url": "http://127.0.0.1:8000", "agents": [{"destination": ARM_ID, "member": NIC_ARM_ID, "token": "..."}]}; `member` may be "".
As the real agent does: 409 is answered with a full document, 429 and 503 wait as asked, a lost connection is tried again ever later, and what
could not be sent is not kept, because counters are cumulative.
"""

import asyncio
import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import orjson

from vtapweb.simulator.agents import Agent
from vtapweb.simulator.documents import Kind
from vtapweb.simulator.estate import Estate, fold
from vtapweb.simulator.flows import Flows
from vtapweb.simulator.routes import Destination, Member
from vtapweb.simulator.traffic_faults import TrafficFault, TrafficFaults

PATH = "/api/ingest/v1/samples"
ANSWER_S = 5.0  # an answer later than this counts as none
BACKOFF_S = (1.0, 2.0, 5.0, 10.0)
REFUSED_S = 5.0  # before a refused token is tried again
CATCH_UP_S = 60  # of a longer pause only the last seconds are played
CLOSED_TAG = ("agent", "none")  # on the NIC of an appliance that takes no agent


@dataclass(slots=True)
class Post:
    """How one agent's posting goes."""

    token: str = ""
    connection: "Connection | None" = None
    not_before_s: float = 0.0  # of the loop's clock
    failures: int = 0
    last_status: int = 0  # 0: no answer
    sent_count: int = 0
    taken_count: int = 0


class Connection(asyncio.Protocol):
    """One kept HTTP connection that has one request under way at most. `on_answer(status, retry_after_s)` is told of each, status 0 for none."""

    def __init__(self, host: str, port: int, on_answer: Callable[[int, float], None]) -> None:
        self._host, self._port, self._on_answer = host, port, on_answer
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._retry_after_s = 0.0
        self._waiting = b""
        self.is_busy = False

    def send(self, path: str, token: str, body: bytes) -> None:
        """Post one document. The caller looks at `is_busy` first."""
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAuthorization: Bearer {token}\r\n"
        head += f"User-Agent: vtapweb-simulator\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.is_busy = True
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(ANSWER_S, self.close)
        if self._transport is None or self._transport.is_closing():
            self._waiting = head.encode() + body
            self._connecting = loop.create_task(self._connect())
        else:
            self._transport.write(head.encode() + body)

    def close(self) -> None:
        """Drop the connection; what is under way counts as unanswered."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._answered(0)

    async def end(self) -> None:
        """Drop the connection for good."""
        self.close()
        if self._connecting is not None:
            await asyncio.wait([self._connecting])

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, self._host.strip("[]"), self._port)
        except OSError:
            self._answered(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = connected = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)
        connected.write(self._waiting)
        self._waiting = b""

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._answered(0)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_begin(self) -> None:
        self._retry_after_s = 0.0

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after" and value.strip().isdigit():
            self._retry_after_s = float(value)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive() and self._transport is not None:
            self._transport.close()
            self._transport = None
        self._answered(status)

    def _answered(self, status: int) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self.is_busy:
            self.is_busy = False
            self._on_answer(status, self._retry_after_s)


@dataclass(slots=True)
class Player:
    """Every agent of an estate. `step` lets seconds pass, `post` sends; `run` does both for as long as it is let.

    `settle(now_unix_s)` is called before each step, for what else has to happen in the estate with time.
    """

    estate: Estate
    flows: Flows
    agents_file: Path | None = None
    settle: Callable[[float], None] = lambda _now_s: None
    unix_s: Callable[[], float] = time.time
    monotonic_s: Callable[[], float] = time.monotonic
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    url: str = ""
    agents: dict[tuple[str, str], Agent] = field(default_factory=dict)
    posts: dict[tuple[str, str], Post] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    faults: TrafficFaults = field(default_factory=TrafficFaults)
    _played_s: float | None = None
    _file_stamp: tuple[int, int] | None = None
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    _destinations: dict[str, Destination] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                now_s = self.unix_s()
                await asyncio.sleep(1.0 - now_s % 1.0)
                self.tick()
        finally:
            await self.close()

    async def close(self) -> None:
        """Drop every connection."""
        for post in self.posts.values():
            post.token = ""
            if post.connection is not None:
                await post.connection.end()
                post.connection = None

    def tick(self) -> None:
        """One second's work: the estate, the counters, the documents."""
        self.settle(self.unix_s())
        has_passed = self.step(round(self.unix_s()))
        if has_passed and self.agents_file is not None:
            self._read_file(self.agents_file)
            self.post()

    def step(self, now_s: int) -> bool:
        """Let the time until `now_s` pass for every agent: the seconds that went by on the monotonic clock, told as those before `now_s`.

        Whether any did: a timer may fire a moment before its second, and then again.
        """
        monotonic_s = self.monotonic_s()
        passed = 1 if self._played_s is None else round(monotonic_s - self._played_s)
        if passed < 1:
            return False
        self._played_s = monotonic_s if self._played_s is None or passed > CATCH_UP_S else self._played_s + passed
        self.flows.refresh(now_s)
        self._follow()
        self.faults.pass_time(self.flows, self.agents.values(), now_s=monotonic_s, unix_s=now_s)
        before = {key: agent.host["rx_packets"] for key, agent in self.agents.items() if agent.drop_percent}
        played = min(passed, CATCH_UP_S)
        for second in range(now_s - played, now_s):
            for arrival in self.flows.arrivals(second):
                agent = self.agents.get((arrival.destination_key, arrival.member_key))
                if agent is not None:
                    agent.count(arrival)
            for agent in self.agents.values():
                agent.count_own(self.flows.own_second(agent.member.nic_key, second))
        for key, packets in before.items():
            self.agents[key].drop(self.agents[key].host["rx_packets"] - packets)
        for agent in self.agents.values():
            agent.pass_time(passed)
        return True

    def post(self) -> None:
        """Have every agent that has a token post its next document, each at its own moment of this second."""
        loop = asyncio.get_running_loop()
        for key, agent in self.agents.items():
            token = "" if agent.is_closed else self._tokens.get(key) or self._tokens.get((key[0], ""), "")
            post = self.posts.setdefault(key, Post())
            if token != post.token:
                post.token, post.not_before_s = token, 0.0
            if token and agent.member.is_running and not agent.is_silent and loop.time() >= post.not_before_s:
                loop.call_later(agent.jitter_s, self._send, agent, post)

    def start_fault(self, fault: TrafficFault) -> str:
        """Play something from now on; the sentence that says so."""
        return self.faults.start(fault, self.flows, self.agents.values(), now_s=self.monotonic_s(), unix_s=round(self.unix_s()))

    def end_faults(self, numbers: Iterable[int] | None = None) -> str:
        """Play it no longer; None: all that is played."""
        return self.faults.end(numbers, self.flows, self.agents.values(), unix_s=round(self.unix_s()))

    def agents_state(self) -> list[dict[str, Any]]:
        """Every agent that there is or could be, and how its posting goes."""
        return [
            {
                "destination": agent.destination.arm_id,
                "member": agent.member.nic_id,
                "name": agent.name,
                "is_closed": agent.is_closed,
                "is_running": agent.member.is_running,
                "has_token": bool(post.token),
                "last_status": post.last_status,
                "sent": post.sent_count,
                "taken": post.taken_count,
                "boot": agent.boot,
                "sources": len(agent.sources),
            }
            for key, agent in self.agents.items()
            for post in [self.posts.get(key, Post())]
        ]

    def state(self) -> dict[str, Any]:
        """What flows, who posts and what is played, for the control."""
        return {
            "url": self.url,
            "answers": {str(status): count for status, count in sorted(self.answers.items())},
            "agents": self.agents_state(),
            "mirrors": [
                {
                    "tap_configuration": flow.mirror.key,
                    "nic": flow.mirror.nic_key,
                    "destination": flow.destination.arm_id,
                    "flows": bool(flow.members.now),
                    "why_not": flow.broken,
                }
                for flow in self.flows.flows.values()
            ],
            "faults": [asdict(fault) | {"keys": sorted(fault.keys), "sentence": fault.sentence} for fault in self.faults.active],
        }

    def _send(self, agent: Agent, post: Post) -> None:
        parts = urlsplit(self.url)
        if post.connection is None:
            post.connection = Connection(parts.hostname or "127.0.0.1", parts.port or 80, partial(self._answered, agent, post))
        if post.connection.is_busy or not post.token:
            return
        post.sent_count += 1
        post.connection.send(PATH, post.token, agent.document(round(self.unix_s() * 1_000)))

    def _answered(self, agent: Agent, post: Post, status: int, retry_after_s: float) -> None:
        now_s = asyncio.get_running_loop().time()
        self.answers[status] += 1
        post.last_status = status
        if status == 202:
            post.taken_count += 1
            post.failures = 0
            return
        agent.wants_full = True
        if status == 409:
            return
        post.failures += 1
        wait_s = BACKOFF_S[min(post.failures, len(BACKOFF_S)) - 1]
        if status in {429, 503}:
            wait_s = retry_after_s or wait_s
        elif status == 401:
            wait_s = REFUSED_S
        post.not_before_s = now_s + wait_s

    def _follow(self) -> None:
        """There is an agent on every member of every destination that mirrors lead to, and nowhere else."""
        destinations = {flow.destination.key: flow.destination for flow in self.flows.flows.values() if flow.broken != "it is gone"}
        if destinations == self._destinations:
            return
        self._destinations = destinations
        wanted = {(destination.key, member.nic_key): (destination, member) for destination in destinations.values() for member in destination.members}
        for key in [key for key in self.agents if key not in wanted]:
            del self.agents[key]
            post = self.posts.pop(key, None)
            if post is not None and post.connection is not None:
                post.connection.close()
        for key, (destination, member) in wanted.items():
            agent = self.agents.get(key)
            if agent is None:
                agent = self.agents[key] = Agent(destination, member, self.run_id, is_closed=self._is_closed(member))
                self.faults.apply_to(agent)
                continue
            if member.is_running and not agent.member.is_running:
                agent.restart()
            agent.destination, agent.member = destination, member

    def _is_closed(self, member: Member) -> bool:
        held = self.estate.get(member.nic_id)
        name, value = CLOSED_TAG
        return held is not None and held.kind is Kind.NETWORK_INTERFACES and (held.json().get("tags") or {}).get(name) == value

    def _read_file(self, path: Path) -> None:
        """Take in the file of addresses and tokens, where it has changed."""
        try:
            found = path.stat()
        except FileNotFoundError:
            self._tokens, self._file_stamp = {}, None
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self._file_stamp:
            return
        self._file_stamp = stamp
        for post in self.posts.values():
            post.not_before_s, post.failures = 0.0, 0
        with contextlib.suppress(ValueError, KeyError, TypeError):  # a file half written by hand: the next look finds it whole
            said = orjson.loads(path.read_bytes())
            tokens = {(fold(one["destination"]), fold(one.get("member") or "")): str(one["token"]) for one in said["agents"]}
            if said["url"] != self.url:
                for post in self.posts.values():
                    if post.connection is not None:
                        post.connection.close()
                        post.connection = None
            self.url, self._tokens = str(said["url"]), tokens
