from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.taps.stage import Stage, stage


@pytest.fixture
def azure(settings: Settings) -> Iterator[Stage]:
    """A stage for the engine: no Redis, so tasks are run by hand; and a cloud whose writes are enabled from the start."""
    settings.REDIS_URL = ""
    settings.CLOUD = "simulator"
    with stage() as found:
        yield found
