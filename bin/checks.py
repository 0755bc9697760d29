"""Runs all checks in the order in which they tell most for the least time; stops at the first group that fails.

With arguments it is one pytest run on SQLite with them (`--long` alone is no argument but the full run with its long drills).
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
from contextlib import suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable


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
    is_long = "--long" in arguments
    chosen = [argument for argument in arguments if argument != "--long"]
    long = ["--long"] if is_long else []
    if chosen:
        return subprocess.run([PYTHON, "-m", "pytest", *long, *chosen], cwd=ROOT, check=False).returncode
    if run_static_checks():
        print("bin/test: failed before any test ran; see FAIL above.", flush=True)
        return 1
    return run_in_two_lanes(long)


def run_in_two_lanes(arguments: list[str]) -> int:
    """All tests, in two runs beside each other, as each keeps one core busy. What the first tells is shown at once, and what the second tells after
    it, so that its summary is the last line. A failure in the first ends the second.
    """
    database = [PYTHON, "-m", "tests.on_postgresql", *arguments]
    stack = [PYTHON, "-m", "pytest", "--only-stack", *arguments]
    rest = [PYTHON, "-m", "pytest", "--without-stack", *arguments]
    with tempfile.TemporaryFile() as told:
        beside = subprocess.Popen(rest, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT)
        try:
            for title, command in (("tests that touch the database, on PostgreSQL", database), ("tests that start the whole product", stack)):
                print(f"-- {title} (all others, on SQLite, run beside and are shown below)", flush=True)
                code = subprocess.run(command, cwd=ROOT, check=False).returncode
                if code not in {0, 5}:  # 5: none collected
                    print(f"bin/test: failed: {title}. The run beside is ended.", flush=True)
                    return code
            print("-- all other tests, on SQLite", flush=True)
            place = 0
            while beside.poll() is None:
                place = show_more(told, place)
                with suppress(subprocess.TimeoutExpired):
                    beside.wait(1)
            show_more(told, place)
            return beside.returncode
        finally:
            if beside.poll() is None:
                beside.send_signal(signal.SIGINT)  # its fixtures end what they started
                try:
                    beside.wait(60)
                except subprocess.TimeoutExpired:
                    beside.kill()


def show_more(told: IO[bytes], place: int) -> int:
    """Prints what was told behind `place`; returns the new place. Reads without moving the file's position, which the writing process shares."""
    text = os.pread(told.fileno(), 1 << 24, place)
    sys.stdout.write(text.decode(errors="replace"))
    sys.stdout.flush()
    return place + len(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
