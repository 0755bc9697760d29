"""What every test has: a closed network, the choice of database, and a summary that names what was left out."""

import gc
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import django.test
import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.core.cache import cache
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.signals import post_migrate
from hypothesis import HealthCheck, settings

from tests.audit_triggers import audit_triggers_off
from tests.rendered_templates import start_recording
from tests.valkey import valkey  # noqa: F401 (a fixture)

# How long an example takes says how busy the machine is; what must be fast is measured by bin/bench.
settings.register_profile("vtapweb", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vtapweb")

DATABASE_FIXTURES = frozenset({"db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback", "live_server"})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--only-database", action="store_true", help="run only the tests that touch the database (for the run on the second database)")
    parser.addoption("--only-stack", action="store_true", help="run only the tests that start the whole product as processes, browser tests apart")
    parser.addoption("--only-browser", action="store_true", help="run only the tests that need a browser")
    parser.addoption("--without-processes", action="store_true", help="run all but those two groups (bin/test runs them beside)")
    parser.addoption("--without-namespaces", action="store_true", help="leave out the tests that need network namespaces (root on Linux, nftables)")
    parser.addoption("--long", action="store_true", help="run the full figures of soak, fuzz and fault drills too")


def pytest_configure() -> None:
    start_recording()


def touches_database(item: pytest.Item) -> bool:
    """Whether a test reads or writes a database of its own process: by mark, by fixture or by Django's test case."""
    if item.get_closest_marker("e2e"):
        return False
    is_case = isinstance(item, pytest.Function) and item.cls is not None and issubclass(item.cls, django.test.TransactionTestCase)
    return is_case or item.get_closest_marker("django_db") is not None or bool(DATABASE_FIXTURES.intersection(getattr(item, "fixturenames", ())))


def is_for_one_database(item: pytest.Item) -> bool:
    return item.get_closest_marker("one_database") is not None and item.get_closest_marker("both_databases") is None


BROWSER_TESTS = Path(__file__).parent / "e2e"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run of one group does not import the others' files: that costs more than many a group's tests. Whoever names a file gets it."""
    if not collection_path.match("test_*.py") or any(Path(one).suffix == ".py" for one in config.invocation_params.args):
        return None
    is_in_browser = BROWSER_TESTS in collection_path.parents
    is_left_out = (
        (config.getoption("--only-browser") and not is_in_browser)
        or (config.getoption("--only-stack") and (is_in_browser or "pytest.mark.stack" not in collection_path.read_text(encoding="utf-8")))
        or ((config.getoption("--only-database") or config.getoption("--without-processes")) and is_in_browser)
    )
    return is_left_out or None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    is_long_wanted = config.getoption("--long") or "long" in (config.option.markexpr or "")
    is_full = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not (config.option.keyword or config.option.markexpr)
    kept: list[pytest.Item] = []
    left_out: dict[str, list[pytest.Item]] = {}
    for item in items:
        if config.getoption("--only-database") and not touches_database(item):
            left_out.setdefault("without a database", []).append(item)
        elif config.getoption("--only-database") and is_for_one_database(item) and not is_long_wanted:
            left_out.setdefault("on SQLite only, see --long", []).append(item)
        elif config.getoption("--only-stack") and not item.get_closest_marker("stack"):
            left_out.setdefault("without processes", []).append(item)
        elif config.getoption("--only-browser") and not item.get_closest_marker("e2e"):
            left_out.setdefault("without a browser", []).append(item)
        elif config.getoption("--without-processes") and (item.get_closest_marker("stack") or item.get_closest_marker("e2e")):
            left_out.setdefault("run beside", []).append(item)
        elif config.getoption("--without-namespaces") and item.get_closest_marker("namespaces"):
            left_out.setdefault("without namespaces", []).append(item)
        elif item.get_closest_marker("long") and not is_long_wanted:
            left_out.setdefault("long, see --long", []).append(item)
        elif item.get_closest_marker("full_run") and not is_full:
            left_out.setdefault("of the full run", []).append(item)
        else:
            kept.append(item)
    # Stable: what judges the whole run after all others; then what starts the whole product; browser tests last, see tests/e2e/conftest.py.
    kept.sort(key=lambda item: [item.get_closest_marker(name) is not None for name in ("e2e", "stack", "full_run")])
    items[:] = kept
    config.stash[LEFT_OUT] = left_out


def pytest_collection_finish() -> None:
    """What collecting made stays to the end: the garbage collector need not look through it again and again."""
    gc.freeze()


LEFT_OUT = pytest.StashKey[dict[str, list[pytest.Item]]]()


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names each deselected group in the closing line: `… 3 deselected (long, see --long) in 2.1s`."""
    for name, items in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.stats[f"deselected ({name})"] = list(items)


def pytest_report_header() -> str:
    from django.db import connection

    return f"database: {connection.vendor} (SQLite {sqlite3.sqlite_version})" if connection.vendor == "sqlite" else f"database: {connection.vendor}"


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """No test sees what another one cached; rate limits count there, too."""
    cache.clear()


CONTENT_TYPES = '"django_content_type"'


@pytest.fixture(scope="session", autouse=True)
def _flush_brings_back_no_permissions() -> None:
    """After each flush Django makes its permissions anew, at several times the flush's own cost; the product has its own (User.has_perm)."""
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")


@pytest.fixture(scope="session", autouse=True)
def _flush_empties_the_audit_table() -> Iterator[None]:
    """A transactional test ends with a flush of all tables; the product's triggers would refuse that for the audit entries. Content types, which no
    test makes, stay: Django would make them anew after each flush, at five times the flush's own cost.
    """
    original = BaseDatabaseOperations.execute_sql_flush

    def flush(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        post_migrate.disconnect(create_contenttypes)
        tables = [sql.replace(f"{CONTENT_TYPES}, ", "").replace(f", {CONTENT_TYPES}", "") for sql in sql_list]
        with audit_triggers_off(self.connection):
            original(self, [sql for sql in tables if CONTENT_TYPES not in sql])

    BaseDatabaseOperations.execute_sql_flush = flush  # type: ignore[method-assign, assignment] # the only place that a flush passes on both databases
    yield
    BaseDatabaseOperations.execute_sql_flush = original  # type: ignore[method-assign]
