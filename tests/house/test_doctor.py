"""The doctor names what lacks and what mends it, without a cloud too."""

from io import StringIO

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_each_lack_comes_with_its_fix() -> None:
    told = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--azure", stdout=told)
    assert ended.value.code == 1
    lines = told.getvalue().splitlines()
    lacking = [number for number, line in enumerate(lines) if line.startswith("LACK")]
    assert [lines[number + 1].startswith("      → ") for number in lacking] == [True] * 4  # cloud, queue, admin, sync
    assert "LACK  There is no admin." in lines
    assert "      → bin/manage admin_create_first" in lines
    assert lines[-1] == "4 things to mend."
