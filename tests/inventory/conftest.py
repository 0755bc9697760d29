import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _no_broker(settings: Settings) -> None:
    """No Redis: events are rows alone, tasks are run by hand."""
    settings.REDIS_URL = ""
