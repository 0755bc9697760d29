"""What every test gets: a fast password hash, static files without a manifest, and a way to empty the append-only audit table between tests."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db.backends.base.operations import BaseDatabaseOperations
from pytest_django.fixtures import Settings

from tests.audit_triggers import audit_triggers_off


@pytest.fixture(autouse=True)
def _test_settings(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    settings.WHITENOISE_AUTOREFRESH = True  # files straight from their source; no collected directory needs to exist
    cache.clear()  # rate limits count there


@pytest.fixture(scope="session", autouse=True)
def _flush_empties_the_audit_table() -> Iterator[None]:
    """A transactional test ends with a flush of all tables; the product's triggers would refuse that for the audit entries."""
    original = BaseDatabaseOperations.execute_sql_flush

    def flush(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        with audit_triggers_off(self.connection):
            original(self, sql_list)

    BaseDatabaseOperations.execute_sql_flush = flush  # type: ignore[method-assign, assignment] # the only place that a flush passes on both databases
    yield
    BaseDatabaseOperations.execute_sql_flush = original  # type: ignore[method-assign]
