"""Starts `manage.py up` as an operator does, and counts the processes of one data directory."""

import atexit
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Self

import psutil

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Every living process that was started for this data directory, the supervisor included."""
    found = []
    for process in psutil.process_iter():
        try:
            # Valkey writes its title over its environment; its working directory tells.
            is_ours = process.environ().get("VTAPWEB_DATA_DIR") == str(data_dir) or Path(process.cwd()).is_relative_to(data_dir)
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def processes_named(data_dir: Path, *words: str) -> list[psutil.Process]:
    """Those of them whose command line holds all the words. One that ends meanwhile is not among them."""
    found = []
    for process in processes_of(data_dir):
        try:
            command = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if all(word in command for word in words):
            found.append(process)
    return found


def kill_all(victims: Iterable[psutil.Process]) -> set[int]:
    """kill -9; returns their ids. One that is gone already, perhaps with its parent, is no error."""
    ids = set()
    for victim in victims:
        ids.add(victim.pid)
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    return ids


def up_command(data_dir: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("VTAPWEB_", "AZURE_", "DATABASE_URL", "REDIS_URL"))}
    own = {"VTAPWEB_DATA_DIR": str(data_dir), "VTAPWEB_ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": "vtapweb.config.settings"}
    return [sys.executable, str(ROOT / "manage.py"), "up", *arguments], {**inherited, **own, **environment}


def refusal(data_dir: Path, *arguments: str, **environment: str) -> str:
    """All that a start says which is refused. Fails when it is not."""
    command, whole_environment = up_command(data_dir, arguments, environment)
    ended = subprocess.run(
        command, env=whole_environment, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1, ended
    return (ended.stdout + ended.stderr).strip()


# What a first start does before it starts anything, and nobody else; the rest of it is done by every `Up`.
PREPARE = "from vtapweb.config.management.commands import up; up.prepare_database(); up.collect_static_files()"


@cache
def prepared() -> Path:
    """A data directory with empty tables and collected static files, made once in this run of tests: each takes seconds of a core."""
    folder = Path(tempfile.mkdtemp(prefix="vtapweb-prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _, environment = up_command(folder, (), {})
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "--no-imports", "-c", PREPARE]
    subprocess.run(command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return folder


def prepare(data_dir: Path) -> None:
    """Makes the directory as a first start finds it that was ended before it started anything. It keeps what it has."""
    if not (data_dir / "vtapweb.sqlite3").exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copytree(prepared() / "static", data_dir / "static", dirs_exist_ok=True)
        shutil.copy(prepared() / "vtapweb.sqlite3", data_dir)


class Up:
    """One running `manage.py up`. Its output is kept in `lines`; leaving the block ends it and everything it started.

    Its database and its static files are a copy of what is made once for all; see FirstUp.
    """

    is_prepared = True

    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        if self.is_prepared:
            prepare(data_dir)
        self.data_dir = data_dir
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        command, whole_environment = up_command(data_dir, ("--port", "0", *arguments), environment)
        self.process = subprocess.Popen(
            command,
            env=whole_environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.append(line.rstrip("\n"))

    def line(self, pattern: str, *, within_s: float = 120) -> re.Match[str]:
        """Waits for the first line that matches. Fails with all output when the process ends before."""

        def find() -> re.Match[str] | None:
            match = next((found for line in list(self.lines) if (found := re.search(pattern, line))), None)
            if match is None and self.process.poll() is not None and not self._reader.is_alive():
                raise AssertionError(f"up ended with {self.process.returncode} before {pattern!r}:\n" + "\n".join(self.lines))
            return match

        found = eventually(find, within_s=within_s, why=f"a line like {pattern!r} in:\n" + "\n".join(self.lines[-20:]))
        assert found is not None
        return found

    def ready(self) -> str:
        """The address from the line that scripts wait for."""
        return self.line(r"^vtapweb ready: (http://\S+/)$").group(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(5)
        kill_all(processes_of(self.data_dir))


class FirstUp(Up):
    """Begins with nothing, as an operator's first start does."""

    is_prepared = False
