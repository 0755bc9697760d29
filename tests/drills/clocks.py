"""A wall clock that a test can set, for the processes that it starts and for no others: a small library that they load."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "native" / "set_clock.c"


class Clock:
    """`environment` is for processes whose clock is to be set."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.fail("the test that sets a server's clock needs a C compiler: apt-get install gcc libc6-dev")
        self._file = folder / "clock"
        library = folder / "set_clock.so"
        self.set_by(0)
        subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
        self.environment = {"LD_PRELOAD": str(library), "SET_CLOCK_FILE": str(self._file)}

    def set_by(self, seconds: int) -> None:
        """The clock is so far off from now on."""
        with self._file.open("r+b" if self._file.exists() else "w+b") as file:
            file.write(struct.pack("=q", seconds * 1_000_000_000))
