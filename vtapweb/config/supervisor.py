"""Runs the product's processes as one: starts them in order, shows their output, starts again what dies, ends all of them together.

Knows processes and nothing of what they do: the start's order and its database work are `up`'s. Every child runs behind
`guard.py`, so that none outlives this process, and in a process group of its own, so that Ctrl-C reaches this process alone.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")
BACKOFF_S = (0.3, 1.0, 2.0, 5.0, 10.0, 30.0)
LONG_LIFE_S = 60.0  # who lived that long starts again without waiting
STOP_GRACE_S = 5.0
QUICK_DEATHS_AT_START = 4


class ChildFailedError(Exception):
    """A process that does not stay up while the start still waits for it; the text is for the operator."""


def say(text: str) -> None:
    """One line of the supervisor's own, at once. A reader who went away (a closed pipe) ends nothing."""
    write_line(f"vtapweb: {text}")


def write_line(text: str) -> None:
    with contextlib.suppress(BrokenPipeError, ValueError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def backoff_s(quick_deaths: int) -> float:
    """How long to wait before the next start, after so many deaths in a row (1 is the first), in seconds."""
    return BACKOFF_S[min(max(quick_deaths, 1), len(BACKOFF_S)) - 1]


def how_it_ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@dataclass(slots=True, eq=False)
class Child:
    """One supervised process. `command` is asked anew at each start, as a restarted one may have to keep what the first one got (a port)."""

    name: str
    command: Callable[[], Sequence[str]]
    environment: Callable[[], Mapping[str, str]] = field(default=lambda: os.environ)
    descriptors: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    process: asyncio.subprocess.Process | None = None
    quick_deaths: int = 0
    keeper: asyncio.Task[None] | None = None
    output: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def signal_group(self, number: signal.Signals) -> None:
        """Reaches the process and everything it started, also when itself is gone already."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


class Supervisor:
    """Owns the children. All methods run in one event loop, in the main thread: Linux ties a child's life to the thread that started it."""

    def __init__(self, *, is_waiting_guard: bool = False) -> None:
        self.children: list[Child] = []
        self.is_stopping = False
        self.is_starting = True
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_waiting_guard = is_waiting_guard
        self._watch_read, self._watch_write = os.pipe()
        self._removers: list[asyncio.subprocess.Process] = []

    async def start(self, child: Child) -> None:
        """Starts a child and keeps it alive from now on."""
        self.children.append(child)
        await self._spawn(child)
        child.keeper = asyncio.create_task(self._keep(child), name=f"keep {child.name}")

    async def remove_at_the_end(self, directory: Path) -> None:
        """Has a directory removed when this process ends, also by a kill -9."""
        remover = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(GUARD), "--remove", str(directory), "--pipe", str(self._watch_read)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(self._watch_read,),
        )
        self._removers.append(remover)

    async def _spawn(self, child: Child) -> None:
        guard = [sys.executable, "-I", "-S", str(GUARD), "--parent", str(os.getpid()), "--pipe", str(self._watch_read)]
        if self._is_waiting_guard:
            guard.append("--wait")
        # A pipe of our own: asyncio's waits with a process for the pipe's end, which a grandchild may hold open.
        reader, writer = os.pipe()
        try:
            child.process = await asyncio.create_subprocess_exec(
                *guard,
                "--",
                *child.command(),
                env=dict(child.environment()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writer,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self._watch_read, *child.descriptors),
            )
        finally:
            os.close(writer)
        child.output = asyncio.create_task(self._show(child.name, reader), name=f"show {child.name}")

    async def _keep(self, child: Child) -> None:
        """Shows what the child writes; starts it again when it dies, later each time it dies young."""
        while True:
            started = time.monotonic()
            code = await self._follow(child)
            if self.is_stopping:
                return
            lived_s = time.monotonic() - started
            child.quick_deaths = 1 if lived_s >= LONG_LIFE_S else child.quick_deaths + 1
            if self.is_starting and child.quick_deaths >= QUICK_DEATHS_AT_START and not self.failure.done():
                self.failure.set_exception(ChildFailedError(f"{child.name} does not start ({how_it_ended(code)}); its lines above say why."))
                return
            wait_s = backoff_s(child.quick_deaths)
            say(f"{child.name} ended ({how_it_ended(code)}) after {lived_s:.0f} s; starting it again in {wait_s:g} s")
            await asyncio.sleep(wait_s)
            if self.is_stopping:
                return
            await self._spawn(child)

    async def _follow(self, child: Child) -> int:
        """Passes the child's lines on until it ends; returns its exit status as Popen tells it."""
        assert child.process is not None and child.output is not None  # noqa: S101, PT018 - for the type checker: _spawn has run
        code = await child.process.wait()
        child.signal_group(signal.SIGKILL)  # whatever it left behind
        await asyncio.wait([child.output], timeout=0.5)
        child.output.cancel()
        return code

    async def _show(self, name: str, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", 0))
        try:
            rest = b""
            while chunk := await stream.read(1 << 16):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    write_line(f"{name:<9} | {line.decode('utf-8', 'replace').rstrip()}")
                rest = rest[-(1 << 16) :]
            if rest:
                write_line(f"{name:<9} | {rest.decode('utf-8', 'replace')}")
        finally:
            transport.close()

    async def until(self, what: str, ready: Callable[[], Awaitable[bool]], *, timeout_s: float) -> None:
        """Waits for a condition, asking ten times a second.

        Raises ChildFailedError when a process gives up meanwhile, or when the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if self.failure.done():
                self.failure.result()
            if await ready():
                return
            if time.monotonic() > deadline:
                raise ChildFailedError(f"{what} was not ready after {timeout_s:.0f} s; the lines above say why.")
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Ends every child: the last started first told, the first two (queue and simulator) only when the others are gone. Takes 8 s at most."""
        self.is_stopping = True
        if self.failure.done():
            self.failure.exception()
        else:
            self.failure.cancel()
        foundations = [child for child in self.children if child.name in {"valkey", "simulator"}]
        await self._end([child for child in reversed(self.children) if child not in foundations], grace_s=STOP_GRACE_S)
        await self._end(foundations, grace_s=2.0)
        os.close(self._watch_write)
        os.close(self._watch_read)
        for remover in self._removers:
            await remover.wait()

    async def _end(self, children: Sequence[Child], *, grace_s: float) -> None:
        alive = [child for child in children if child.is_alive]
        for child in alive:
            child.signal_group(child.stop_signal)
        waits = [asyncio.create_task(child.process.wait()) for child in alive if child.process is not None]
        if waits:
            await asyncio.wait(waits, timeout=grace_s)
        for child in children:
            child.signal_group(signal.SIGKILL)
        if waits:
            await asyncio.wait(waits, timeout=1.0)
        keepers = [child.keeper for child in children if child.keeper is not None]
        if keepers:
            _, late = await asyncio.wait(keepers, timeout=1.0)
            for keeper in late:
                keeper.cancel()
