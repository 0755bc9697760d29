"""A law over a whole run, so only the full one asks it (see tests/conftest.py): what nothing renders may be broken, and nobody knows."""

import pytest

from tests.rendered_templates import never_rendered


@pytest.mark.full_run
def test_every_template_is_rendered_by_some_test() -> None:
    assert never_rendered() == []
