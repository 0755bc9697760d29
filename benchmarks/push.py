"""`push`: a frame of rates a second to 1,000 clients, through one web process of the product, against `websockets.broadcast` of the same octets.

    [Valkey] --tick--> [web: uvicorn, the whole product] --20 kB--> 1,000 sockets in client processes, each with a token of its own
             --frame-> [websockets.broadcast()]          --20 kB--> 1,000 sockets in client processes

The estate has as many mirrors and collectors as fill 20 kB. CPU is that of the server's process alone, with all it does in that time (it also looks
whether a thousand clients are still signed in). Both servers are measured in turns, the better turn of each counts. Then one client stops reading.
"""

import asyncio
import base64
import json
import math
import os
import secrets
import socket
import struct
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil

from benchmarks import Result

CLIENTS, CLIENT_PROCESSES = 1_000, 2
MIRRORS, SERIES = 2_470, 2_498  # 16 + 8 × 2,498 octets = 20 kB
TURNS, TICKS_A_TURN = 2, 20
STALL_TICKS, STALL_READERS, STALL_PACE_S = 2_000, 20, 0.01
CPU_LIMIT, P99_LIMIT_MS, STALLED_LIMIT_MIB = 2.5, 250.0, 5.0
BARE_CHANNEL = "bench:push"
OPENED_WITHIN_S = 30
MIB = 1024 * 1024


def run() -> Iterator[Result]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vtapweb-bench-")))
        for name in [name for name in os.environ if name.startswith(("VTAPWEB_", "AZURE_", "DATABASE_URL", "REDIS_URL"))]:
            del os.environ[name]
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "vtapweb.config.settings", "VTAPWEB_DATA_DIR": str(folder), "VTAPWEB_ENV_FILE": os.devnull,
            "VTAPWEB_SECRET_KEY": "a key of benchmarks only", "VTAPWEB_CLOUD": "simulator", "REDIS_URL": f"unix://{folder}/v.sock",
        }  # fmt: skip
        from tests.valkey import Valkey

        valkey = Valkey(folder)
        valkey.start()
        stack.callback(valkey.kill)
        estate = _prepare()
        meter = _Meter(estate)
        ours = stack.enter_context(_Server("vtapweb.config.web", "web"))
        bare = stack.enter_context(_Server("benchmarks.push", "bare"))
        yield from _pushed(meter, ours, bare)
        yield _stalled(meter, ours)


@dataclass(frozen=True)
class _Estate:
    mirrors: list[str]
    collectors: list[str]
    series_revision: int
    tokens: list[str]


def _prepare() -> _Estate:
    """The database with the estate, its picture, and a token for each client."""
    import django

    django.setup()
    from django.core.management import call_command

    from tests.domain.estates import numbered
    from tests.topology.estate_rows import fill
    from tests.topology.people import bearer
    from vtapweb.topology.actions import topology_refresh
    from vtapweb.topology.models import TopologyState
    from vtapweb.topology.picture import last_snapshot

    call_command("migrate", verbosity=0)
    fill(numbered(100, 5_000, MIRRORS, 14, 3))
    topology_refresh()
    snapshot = last_snapshot(TopologyState.objects.get())
    count = len(snapshot.tables["mirrors"])
    tokens = [bearer(name=f"{number}")["Authorization"] for number in range(CLIENTS + STALL_READERS)]
    return _Estate(list(snapshot.series[:count]), list(snapshot.series[count:]), snapshot.series_revision, tokens)


class _Meter:
    """Publishes ticks for the product, and for the bare server the frames that the product makes of them."""

    def __init__(self, estate: _Estate) -> None:
        import redis
        from django.conf import settings

        from vtapweb.traffic.keys import TABLE
        from vtapweb.traffic.samples import Table, encode

        self.estate = estate
        self.seq = 0
        self.store: redis.Redis = redis.Redis.from_url(settings.REDIS_URL)
        self.store.set(f"{TABLE}1", encode(Table(estate.mirrors, estate.collectors)))
        self.values = [array("f", range(number)) for number in (len(estate.mirrors), len(estate.collectors))]

    @property
    def octets(self) -> int:
        return 16 + 8 * (len(self.estate.mirrors) + len(self.estate.collectors))

    def tick(self, server: "_Server") -> None:
        from vtapweb.traffic.keys import RATES
        from vtapweb.traffic.ticks import Tick, pack

        self.seq += 1
        mirrors, collectors = self.values
        now = time.time()
        if server.name == "web":
            self.store.publish(RATES, pack(Tick(self.seq, 1, now, mirrors, mirrors, collectors, collectors)))
        else:
            values = (mirrors + collectors).tobytes()
            self.store.publish(BARE_CHANNEL, struct.pack("<IId", self.seq, self.estate.series_revision, now) + values + values)

    def ticks(self, server: "_Server", count: int, pace_s: float) -> None:
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number * pace_s - time.monotonic()))
            self.tick(server)
        time.sleep(max(0.0, began + count * pace_s - time.monotonic()))


class _Server:
    """A server process on a socket that is bound before it starts."""

    def __init__(self, module: str, name: str) -> None:
        self.name = name
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._listener.getsockname()[1]
        descriptor = self._listener.fileno()
        command = [sys.executable, "-m", module, *(["bare"] if name == "bare" else []), "--fd", str(descriptor)]
        self._child = subprocess.Popen(command, pass_fds=[descriptor], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._process = psutil.Process(self._child.pid)

    def __enter__(self) -> "_Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.wait(20)
        self._listener.close()

    @property
    def cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @property
    def memory_mib(self) -> float:
        return float(self._process.memory_info().rss / MIB)


class _Clients:
    """A process of clients."""

    def __init__(self, server: _Server, tokens: Sequence[str], octets: int) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.push", "clients", str(server.port), str(octets)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask({"tokens": list(tokens)})

    def _ask(self, what: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(what) + "\n")
        self._child.stdin.flush()
        answer: dict[str, Any] = json.loads(self._child.stdout.readline() or '{"error": "a process of clients ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def heard(self) -> dict[str, Any]:
        """Since it was asked last: ms until each frame was there, and how many of the clients have the newest."""
        return self._ask({})

    def end(self) -> None:
        self._child.terminate()
        self._child.communicate()


@dataclass(frozen=True)
class _Turn:
    cpu_us: float
    p99_ms: float


def _pushed(meter: _Meter, ours: _Server, bare: _Server) -> Iterator[Result]:
    with ExitStack() as stack:
        share = CLIENTS // CLIENT_PROCESSES
        clients: dict[str, list[_Clients]] = {"web": [], "bare": []}
        for server in (bare, ours):
            for number in range(CLIENT_PROCESSES):
                clients[server.name].append(_Clients(server, meter.estate.tokens[number * share : (number + 1) * share], meter.octets))
                stack.callback(clients[server.name][-1].end)
        turns: dict[str, list[_Turn]] = {"web": [], "bare": []}
        for server in (ours, bare):
            _until_all_hear(meter, server, clients[server.name])
        for _ in range(TURNS):
            for server in (ours, bare):
                turns[server.name].append(_turn(meter, server, clients[server.name]))
    best = {name: min(found, key=lambda turn: turn.cpu_us) for name, found in turns.items()}
    p99 = {name: max(turn.p99_ms for turn in found) for name, found in turns.items()}
    reference = "websockets.broadcast() of the same frames"
    yield Result(
        name=f"push: CPU of the web process for a frame of {meter.octets / 1000:.0f} kB to one of {CLIENTS} clients", value=best["web"].cpu_us,
        unit="µs", limit=CPU_LIMIT, reference=reference, reference_value=best["bare"].cpu_us, limit_on_ratio=True,
    )  # fmt: skip
    yield Result(
        name="push: p99 from the meter's tick until a client has the frame", value=p99["web"], unit="ms", limit=P99_LIMIT_MS,
        reference=reference, reference_value=p99["bare"],
    )  # fmt: skip


def _until_all_hear(meter: _Meter, server: _Server, clients: Sequence[_Clients]) -> None:
    """The first frames: the server looks up its table and picture."""
    for _ in range(30):
        meter.ticks(server, 1, 1.0)
        if sum(one.heard()["newest"] for one in clients) == CLIENTS:
            return
    raise RuntimeError(f"not all clients of {server.name} hear frames")


def _turn(meter: _Meter, server: _Server, clients: Sequence[_Clients]) -> _Turn:
    for one in clients:
        one.heard()
    before = server.cpu_s
    meter.ticks(server, TICKS_A_TURN, 1.0)
    spent = server.cpu_s - before
    heard = [one.heard() for one in clients]
    took_ms = sorted(ms for one in heard for ms in one["took_ms"])
    if len(took_ms) < 0.99 * CLIENTS * TICKS_A_TURN:
        raise RuntimeError(f"of {CLIENTS * TICKS_A_TURN} frames of {server.name} only {len(took_ms)} came")
    return _Turn(1e6 * spent / len(took_ms), took_ms[math.ceil(0.99 * len(took_ms)) - 1])


def _stalled(meter: _Meter, server: _Server) -> Result:
    """The same many ticks with and without a client that does not read; its kernel buffers are filled many times over."""
    readers = _Clients(server, meter.estate.tokens[CLIENTS:], meter.octets)
    try:
        meter.ticks(server, STALL_TICKS, STALL_PACE_S)
        before = server.memory_mib
        meter.ticks(server, STALL_TICKS, STALL_PACE_S)
        usual = server.memory_mib - before
        with socket.create_connection(("127.0.0.1", server.port)) as stalled:
            stalled.sendall(_handshake(meter.estate.tokens[0]))
            before = server.memory_mib
            meter.ticks(server, STALL_TICKS, STALL_PACE_S)
            with_it = server.memory_mib - before
        if readers.heard()["newest"] != STALL_READERS:
            raise RuntimeError("not all clients kept up beside one that does not read")
    finally:
        readers.end()
    return Result(
        name=f"push: memory that a client which does not read adds over {STALL_TICKS} frames", value=max(0.0, with_it), unit="MiB",
        limit=STALLED_LIMIT_MIB, reference="the same without it", reference_value=usual,
    )  # fmt: skip


# --- the bare server -----------------------------------------------------------------------------------------------------------------------------


async def _bare(descriptor: int) -> None:
    import redis.asyncio
    from websockets.asyncio.server import ServerConnection, broadcast, serve

    connections: set[ServerConnection] = set()

    async def handler(connection: ServerConnection) -> None:
        connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            connections.discard(connection)

    async with serve(handler, sock=socket.socket(fileno=descriptor), compression=None):
        client = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
        async with client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(BARE_CHANNEL)
            async for message in subscription.listen():
                broadcast(connections, message["data"])


# --- clients -------------------------------------------------------------------------------------------------------------------------------------


def _handshake(authorization: str) -> bytes:
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    lines = ("GET /ws/live HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
             f"Sec-WebSocket-Key: {key}", f"Authorization: {authorization}", "", "")  # fmt: skip
    return "\r\n".join(lines).encode()


class _Client(asyncio.Protocol):
    """As little of RFC 6455 as it takes to know when a frame is there: nothing is masked or fragmented on the way from a server."""

    def __init__(self, authorization: str, octets: int) -> None:
        self.authorization = authorization
        self.octets = octets
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.took_ms: list[float] = []
        self.newest = 0
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(_handshake(self.authorization))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.opened.done():
            self.opened.set_exception(RuntimeError("a client was not let in"))
        self.newest = -1

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self.opened.done():
            head, blank, _ = buffer.partition(b"\r\n\r\n")
            if not blank:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.transport.close()
                return
            del buffer[: len(head) + 4]
            self.opened.set_result(None)
        while len(buffer) >= 2:
            opcode, short = buffer[0] & 15, buffer[1] & 127
            start = {126: 4, 127: 10}.get(short, 2)
            if len(buffer) < start:
                return
            length = short if start == 2 else int.from_bytes(buffer[2:start], "big")
            if len(buffer) < start + length:
                return
            if opcode == 2:
                self._frame(buffer, start, length)
            elif opcode == 9:  # a ping, whose answer is masked with zeros
                self.transport.write(bytes((0x8A, 0x80 | length, 0, 0, 0, 0)) + bytes(buffer[start : start + length]))
            del buffer[: start + length]

    def _frame(self, buffer: bytearray, start: int, length: int) -> None:
        if length != self.octets:
            raise RuntimeError(f"a frame of {length} octets, not of {self.octets}")
        seq, _, unix_s = struct.unpack_from("<IId", buffer, start)
        self.newest = seq
        self.took_ms.append((time.time() - unix_s) * 1000)


async def _clients(port: int, octets: int) -> None:
    loop = asyncio.get_running_loop()
    clients: list[_Client] = []
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            for token in json.loads(line).get("tokens", ()):
                _, client = await loop.create_connection(lambda token=token: _Client(token, octets), "127.0.0.1", port)  # type: ignore[misc]
                clients.append(client)
                await asyncio.wait_for(client.opened, OPENED_WITHIN_S)
        except (OSError, RuntimeError) as problem:
            print(json.dumps({"error": str(problem)}), flush=True)
            return
        newest = max(client.newest for client in clients)
        answer = {"took_ms": [ms for client in clients for ms in client.took_ms], "newest": sum(client.newest == newest > 0 for client in clients)}
        for client in clients:
            client.took_ms.clear()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    import uvloop

    what, *given = sys.argv[1:]
    uvloop.run(_bare(int(given[1])) if what == "bare" else _clients(int(given[0]), int(given[1])))
