"""Reads the project's own source for the architecture tests: syntax trees, committed files, templates."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "vtapweb"


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py") if "migrations" not in path.parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def public_functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The module's own public functions; methods are told by their class."""
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def all_functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function that stands by itself in the module, private ones too."""
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def parameter_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = function.args
    return {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


def rooms() -> list[Path]:
    return sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))


def modules_of(room: Path, name: str) -> list[Path]:
    """`room/actions.py`, or the files of `room/actions/` where it holds several topics."""
    return [path for path in (room / f"{name}.py", *sorted((room / name).glob("*.py"))) if path.is_file() and path.name != "__init__.py"]


def committed_files() -> list[Path]:
    """Every file that git tracks or would add; in an export without git, every file but what .gitignore's folders hold."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return sorted(ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())
    ignored = {".venv", "node_modules", "var", "staticfiles", "vendor", "__pycache__"}
    return sorted(path for path in ROOT.rglob("*") if path.is_file() and not ignored.intersection(path.parts))


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"
