"""The scripts in bin/: what they refuse, they refuse in words with the fix; what a benchmark prints is what others read."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import Result
from tests.house.processes import ROOT


@pytest.mark.parametrize("script", ["up", "test", "bench", "manage"])
def test_an_old_python_is_refused_with_the_fix(tmp_path: Path, script: str) -> None:
    for tool in ("sh", "dirname"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    stub = tmp_path / "python3"
    stub.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    stub.chmod(0o755)
    refused = subprocess.run(
        [str(tmp_path / "sh"), str(ROOT / "bin" / script)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "vtapweb needs Python 3.11 or newer; found: Python 3.9.2." in refused.stderr
    assert "apt install python3 python3-venv" in refused.stderr


def test_a_checkout_that_cannot_be_written_is_refused_with_the_fix(tmp_path: Path) -> None:
    """The set-up's lock cannot be made where its name is a directory already, whoever runs it."""
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "bin" / "setup.py", tmp_path / "bin")
    (tmp_path / ".venv-lock").mkdir()
    refused = subprocess.run([sys.executable, str(tmp_path / "bin" / "setup.py"), "run"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"vtapweb: cannot write to {tmp_path}")
    assert "Fix: give this user write access to the checkout" in refused.stderr


def test_an_unknown_benchmark_is_refused() -> None:
    refused = subprocess.run([sys.executable, "-m", "benchmarks", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "no benchmark nothing. There are: " in refused.stderr


def test_a_result_is_one_line_with_the_names_that_others_read() -> None:
    result = Result(name="collect.cpu", value=2.0, unit="s", limit=4.0, reference="aiohttp", reference_value=1.0, limit_on_ratio=True)
    row = json.loads(json.dumps(result.row()))
    assert list(row) == ["name", "value", "unit", "limit", "ok", "reference", "reference_value", "ratio"]
    assert (row["ok"], row["ratio"]) == (True, 2.0)
    unmeasured = Result(name="collect.cpu", value=2.0, unit="s", limit=4.0, limit_on_ratio=True)
    assert (unmeasured.is_ok, unmeasured.ratio) == (False, None)
    assert not Result(name="snapshot.size", value=451, unit="kB", limit=450).is_ok
