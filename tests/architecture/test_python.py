"""Laws about Python source that no linter knows."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest
from celery import current_app

from tests.architecture.source import PACKAGE, ROOT, all_functions, modules_of, parameter_names, public_functions, python_files, rooms, tree, where

# The access room reads people, tokens and grants, not resources of subscriptions; it makes the scopes, and its readers are guarded by role.
ROOMS_WITHOUT_SCOPE = {"access"}
# Reading modules beside selectors.py, by room. Of their functions those must take a scope that ask the database: that name a model's manager.
READING = {
    "inventory": ("selectors", "browse", "cells", "details", "search", "run_pages", "freshness", "receiving", "selection"),
    "topology": ("selectors", "choices", "measured", "nodes", "panel", "picking", "picture", "placements", "way"),
    "taps": ("selectors", "change_list", "change_page", "chooser", "destinations", "fact_rows", "resource_page"),
}
READS_WITHOUT_SCOPE = {
    "nodes_standing": "numbers of nodes for keys that a scope chose before",
    "_listed": "gets a query that its callers narrowed to the scope",
    "_subscription": "names the subscription of a row that a scope chose before",
    "current_revision": "a number that says nothing about resources",
    "stored_places": "the layout of everything, for the task that draws it; each viewer's part is cut out by the picture",
    "store_places": "writes",
}


def test_public_functions_of_the_inner_rooms_actions_and_selectors_say_what_they_do() -> None:
    files = python_files(*(PACKAGE / room for room in ("domain", "events", "cloud") if (PACKAGE / room).is_dir()))
    for room in rooms():
        files += [*modules_of(room, "actions"), *modules_of(room, "selectors")]
    silent = [where(path, function.lineno) for path in files for function in public_functions(path) if not ast.get_docstring(function)]
    assert silent == []


def asks_the_database(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr in {"objects", "_default_manager"} for node in ast.walk(function))


def functions_and_methods(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_every_selector_takes_the_viewers_scope() -> None:
    blind = [
        f"{where(path, function.lineno)} {function.name}"
        for room in rooms()
        if room.name not in ROOMS_WITHOUT_SCOPE
        for name in READING.get(room.name, ("selectors",))
        for path in modules_of(room, name)
        for function in (public_functions(path) if name == "selectors" else all_functions(path))
        if (name == "selectors" or asks_the_database(function)) and "scope" not in parameter_names(function)
    ]
    assert sorted(one for one in blind if one.split()[1] not in READS_WITHOUT_SCOPE) == []


def test_a_class_that_reads_is_made_for_a_scope() -> None:
    """Of reading modules, a class whose methods ask the database gets the scope when it is made, as an argument or a field."""
    blind = [
        f"{where(path, owner.lineno)} {owner.name}"
        for room, names in READING.items()
        for name in names
        for path in modules_of(PACKAGE / room, name)
        for owner in tree(path).body
        if isinstance(owner, ast.ClassDef)
        for methods in [[node for node in owner.body if isinstance(node, ast.FunctionDef)]]
        if any(asks_the_database(one) for one in methods)
        and not any(one.name == "__init__" and "scope" in parameter_names(one) for one in methods)
        and not any(isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "scope" for node in owner.body)
    ]
    assert blind == []


def test_no_reading_module_is_forgotten() -> None:
    """A module of these rooms that asks the database outside of writing it is listed in READING."""
    writing = {"actions", "batch", "bulk", "hold", "lease", "removal", "sync", "tasks", "api", "views", "sync_views"}
    for room, names in READING.items():
        asking = {path.stem for path in (PACKAGE / room).glob("*.py") if any(asks_the_database(one) for one in functions_and_methods(path))}
        assert asking - writing - set(names) == set(), room


def exported(package: Path) -> set[str]:
    """The names that a package imports into itself for others."""
    return {alias.name for node in tree(package / "__init__.py").body if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_actions_are_called_by_name_and_say_who_acts() -> None:
    """An action's arguments are keyword-only, so that a call reads as a sentence. Of a package, what it exports are its actions."""
    loose = [
        where(path, function.lineno)
        for room in rooms()
        for path in modules_of(room, "actions")
        for function in public_functions(path)
        if (function.args.args or function.args.posonlyargs) and (path.name == "actions.py" or function.name in exported(room / "actions"))
    ]
    assert loose == []


def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in python_files(PACKAGE)
        if tree(path).body and not ast.get_docstring(tree(path)) and path.name not in {"apps.py", "__init__.py"}
    ]
    assert silent == []


def environment_names() -> set[str]:
    names: set[str] = set()
    for path in python_files(PACKAGE):
        if "simulator" in path.parts or "agent" in path.parts:
            continue
        for node in ast.walk(tree(path)):
            is_read = isinstance(node, ast.Call) and (
                (
                    isinstance(node.func, ast.Name)
                    and node.func.id in {"env", "env_address", "env_list", "env_flag", "env_seconds", "env_count", "env_price"}
                )
                or ast.unparse(node.func) in {"os.environ.get", "os.getenv", "environ.get"}
            )
            if is_read and isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                names.add(str(node.args[0].value))
    return names


def test_every_setting_of_the_environment_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert sorted(name for name in environment_names() if f"`{name}`" not in text) == []


def test_every_task_is_named_by_its_room_and_ends_in_time() -> None:
    current_app.loader.import_default_modules()
    tasks = {name: task for name, task in current_app.tasks.items() if not name.startswith("celery.")}
    room_names = {room.name for room in rooms()}
    assert [name for name in tasks if name.split(".")[0] not in room_names] == []
    unbounded = [name for name, task in tasks.items() if not (task.time_limit or current_app.conf.task_time_limit)]
    assert unbounded == []
    late = [name for name, task in tasks.items() if (task.soft_time_limit or current_app.conf.task_soft_time_limit or 0) > (task.time_limit or 3600)]
    assert late == []


def test_every_scheduled_task_exists_and_expires() -> None:
    """A beat message nobody took in time is dropped: after an outage there is no flood of old ticks."""
    current_app.loader.import_default_modules()
    schedule = current_app.conf.beat_schedule or {}
    assert len({entry["task"] for entry in schedule.values()}) == len(schedule), "one entry a task"
    for entry in schedule.values():
        room = PACKAGE / entry["task"].split(".")[0]
        assert entry["task"] in current_app.tasks or not (room / "tasks.py").is_file(), entry
        assert entry["options"]["expires"] > 0


def azure_modules() -> set[str]:
    modules: set[str] = set()
    for path in python_files(PACKAGE):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "azure" and node.level == 0:
                modules.add(node.module)
            elif isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names if alias.name.split(".")[0] == "azure"}
    return modules


def test_every_azure_package_is_pinned_and_imports() -> None:
    pins = re.findall(r"^(azure-[a-z-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pins
    for name in {pin.replace("-", ".") for pin in pins} | azure_modules():
        assert importlib.import_module(name)


def test_the_linter_refuses_naive_datetimes() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        rules = tomllib.load(file)["tool"]["ruff"]["lint"]
    assert "DTZ" in rules["select"]
    assert not [rule for rule in rules["ignore"] if rule.startswith("DTZ")]


@pytest.mark.parametrize("requirement", ["requirements.txt", "requirements-dev.txt", "requirements-node.txt"])
def test_every_requirement_is_pinned_exactly(requirement: str) -> None:
    lines = [line.strip() for line in (ROOT / requirement).read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    assert [line for line in lines if "==" not in line and not line.startswith("-r ")] == []
