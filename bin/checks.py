"""Runs all checks in the order in which they tell most for the least time; stops at the first group that fails.

With arguments it is one pytest run on SQLite with them. Alone, `--long` is the full run with its long drills, and `--without-namespaces` the full
run on a machine that cannot make network namespaces.
pytest's own summary is the last line in both cases.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
GROUPS = ("--long", "--without-namespaces")  # options that name groups of tests; with nothing else it is the full run


def node() -> str:
    """The machine's Node.js, else the wheel's in the environment. Exits with a sentence when there is neither."""
    found = shutil.which("node") or shutil.which("node", path=str(Path(PYTHON).parent))
    if found is None:
        sys.exit("bin/test: no node on the PATH nor in .venv. Fix: install Node.js 20 or newer.")
    return found


def check(name: str, command: list[str]) -> tuple[str, int, str, float]:
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return name, result.returncode, result.stdout + result.stderr, time.monotonic() - started


def static_checks() -> list[Callable[[], tuple[str, int, str, float]]]:
    """Everything that runs no product code for long; each is its own process, two at a time."""
    commands: dict[str, list[str]] = {
        "mypy --strict": [PYTHON, "-m", "mypy"],
        "ruff format": [PYTHON, "-m", "ruff", "format", "--check", "-q", "."],
        "ruff check": [PYTHON, "-m", "ruff", "check", "-q", "."],
        "import contracts": [PYTHON, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        "migrations": [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run", "--settings=tests.settings"],
    }
    for project in sorted(ROOT.glob("tsconfig*.json")):
        commands[f"tsc {project.name}"] = [node(), str(ROOT / "node_modules" / "typescript" / "bin" / "tsc"), "-p", project.name]
    scripts = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "js").rglob("*.test.js"))
    if scripts:
        commands["node --test"] = [node(), "--test", *scripts]
    return [lambda name=name, command=command: check(name, command) for name, command in commands.items()]  # type: ignore[misc]


def run_static_checks() -> int:
    failed = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        for future in [pool.submit(one) for one in static_checks()]:
            name, code, output, seconds = future.result()
            print(f"{'ok  ' if code == 0 else 'FAIL'} {name} ({seconds:.1f} s)", flush=True)
            if code:
                failed = 1
                print(output, flush=True)
    return failed


def main(arguments: list[str]) -> int:
    # Where it is set, each of a run's hundred processes would compile the whole product anew, and pytest rewrite all tests four times.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    named = [argument for argument in arguments if argument in GROUPS]
    chosen = [argument for argument in arguments if argument not in GROUPS]
    if chosen:
        return subprocess.run([PYTHON, "-m", "pytest", *named, *chosen], cwd=ROOT, check=False).returncode
    if run_static_checks():
        print("bin/test: failed before any test ran; see FAIL above.", flush=True)
        return 1
    return run_in_lanes(named)


def run_in_lanes(arguments: list[str]) -> int:
    """All tests, in three lanes beside each other: two keep a core busy, the browser's mostly waits. What a lane tells is shown when its turn comes,
    so that the last line is pytest's summary of most tests. A failure in one ends the others.
    """
    pytest = [PYTHON, "-m", "pytest"]
    groups = [
        ("tests that touch the database, on PostgreSQL", [PYTHON, "-m", "tests.on_postgresql", *arguments]),
        ("tests that start the whole product", [*pytest, "--only-stack", *arguments]),
        ("tests in a browser", [*pytest, "--only-browser", *arguments]),
        ("all other tests, on SQLite", [*pytest, "--without-processes", *arguments]),
    ]
    with ExitStack() as files:
        runs = [Run(title, command, files.enter_context(tempfile.TemporaryFile())) for title, command in groups]
        database, stack, browser, rest = runs
        try:
            for run in (database, browser, rest):
                run.start()
            for run in runs:
                print(f"-- {run.title} (run beside each other, shown one after the other)", flush=True)
                while (code := run.poll()) is None:
                    if not stack.is_started and database.poll() is not None:
                        stack.start()
                    failed = next((one for one in runs if one.poll() not in PASSED), None)
                    if failed is not None and failed is not run:
                        break
                    run.show_more()
                    run.wait(1)
                failed = next((one for one in runs if one.poll() not in PASSED), None)
                run.show_more()
                if failed is not None:
                    if failed is not run:
                        print(f"-- {failed.title}", flush=True)
                        failed.show_more()
                    print(f"bin/test: failed: {failed.title}. The runs beside are ended.", flush=True)
                    return failed.poll() or code or 1
            return 0
        finally:
            for run in runs:
                run.end()


PASSED = (None, 0, 5)  # still running; passed; 5: none collected


class Run:
    """One pytest run of its own, what it tells kept in a file."""

    def __init__(self, title: str, command: list[str], told: IO[bytes]) -> None:
        self.title = title
        self.command = command
        self.told = told
        self.place = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_started(self) -> bool:
        return self.process is not None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.told, stderr=subprocess.STDOUT)

    def poll(self) -> int | None:
        return None if self.process is None else self.process.poll()

    def wait(self, seconds: float) -> None:
        if self.process is None:
            time.sleep(seconds)
        else:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)

    def show_more(self) -> None:
        self.place = show_more(self.told, self.place)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # its fixtures end what they started
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()


def show_more(told: IO[bytes], place: int) -> int:
    """Prints what was told behind `place`; returns the new place. Reads without moving the file's position, which the writing process shares."""
    text = os.pread(told.fileno(), 1 << 24, place)
    sys.stdout.write(text.decode(errors="replace"))
    sys.stdout.flush()
    return place + len(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
