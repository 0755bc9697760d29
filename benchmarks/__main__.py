"""`bin/bench [NAME …]`: runs the modules of this folder, each in a process of its own, and prints one JSON object a line.

A name may be written with hyphens: `bin/bench wall-soak`.
"""

import importlib
import json
import subprocess
import sys
from pathlib import Path


def names() -> list[str]:
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def run_here(name: str) -> int:
    is_ok = True
    for result in importlib.import_module(f"benchmarks.{name}").run():
        is_ok &= result.is_ok
        print(json.dumps(result.row()), flush=True)
    return 0 if is_ok else 1


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--in-this-process"]:
        return run_here(arguments[1])
    known = names()
    arguments = [name.replace("-", "_") for name in arguments]
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"bin/bench: no benchmark {', '.join(unknown)}. There are: {', '.join(known) or 'none yet'}.", file=sys.stderr)
        return 2
    codes = [subprocess.run([sys.executable, "-m", "benchmarks", "--in-this-process", name], check=False).returncode for name in arguments or known]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
