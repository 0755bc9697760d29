"""The agent as it runs on a collector: a process of its own, with the rights that a test gives it."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.agent.namespaces import SEARCHED, Namespace, inside
from tests.waiting import eventually
from vtapweb.agent import vtap_agent

AGENT = Path(vtap_agent.__file__)
NOBODY = 65534
SECRET = "a-token"
# The Python of the system where there is one: that of an environment may be out of reach for another user.
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable


def as_nobody(*capabilities: str) -> list[str]:
    """Runs what follows as uid and gid 65534 with these capabilities and no other, now or ever."""
    held = ",".join(["-all", *(f"+{one}" for one in capabilities)])
    identity = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    return ["setpriv", *identity, f"--inh-caps={held}", f"--ambient-caps={held}", f"--bounding-set={held}"]


@contextmanager
def readable_by_all(secret: str) -> Iterator[tuple[Path, Path]]:
    """A copy of the agent and a token file that any user can read."""
    with tempfile.TemporaryDirectory(prefix="vtap-agent-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        agent, token = folder / "vtap_agent.py", folder / "token"
        shutil.copy(AGENT, agent)
        agent.chmod(0o755)
        token.write_text(secret, encoding="ascii")
        token.chmod(0o644)
        yield agent, token


class Running:
    """An agent process."""

    def __init__(self, machine: Namespace, command: Sequence[str]) -> None:
        environment = {"PATH": SEARCHED, "LC_ALL": "C.UTF-8"}
        with inside(machine.name):
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )

    def end(self, signal: int) -> tuple[int, str, str]:
        """Exit code, standard output and standard error, once it has ended."""
        self.process.send_signal(signal)
        return self.wait()

    def wait(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@contextmanager
def running(machine: Namespace, *arguments: str, rights: Sequence[str] = (), secret: str = SECRET) -> Iterator[Running]:
    """The agent with a readable token, killed at the end of the block if a test did not end it."""
    with readable_by_all(secret) as (agent, token):
        token_of = () if {"--once", "--remove-table", "--token-file"}.intersection(arguments) else ("--token-file", str(token))
        one = Running(machine, [*rights, PYTHON, "-I", "-W", "error", str(agent), *token_of, *arguments])
        try:
            yield one
        finally:
            if one.process.poll() is None:
                one.process.kill()
                one.process.communicate(timeout=60)


def tables(machine: Namespace) -> str:
    return machine.run("nft", "list", "ruleset")


def wait_for_table(machine: Namespace) -> None:
    eventually(lambda: "table ip vtapweb_agent" in tables(machine), within_s=30, why="the agent's table")
