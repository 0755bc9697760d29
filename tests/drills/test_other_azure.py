"""Mirrors made and taken back at an ARM server that is not ours and not the simulator: read-only at first, and its own codes shown as they came.

bin/up ──(VTAPWEB_CLOUD=custom)──> tests/drills/tappable.py: done when answered, other casing, no permissions, locks or features
"""

from pathlib import Path

import pytest

from tests.contract.http import serving_bodies
from tests.contract.other_arm import FIRST, SECOND
from tests.drills.changing import QUICK, act, all_of, applied, change_of, ended, planned, verified
from tests.drills.stack import up
from tests.drills.tappable import SOURCES, TappableArm, nic_id, tap_id

pytestmark = pytest.mark.stack

CODE, MESSAGE = "MoonIsFull", "Not at full moon <b>& not before the 3rd</b>."


def test_an_azure_of_ones_own_is_written_to_once_an_admin_lets_it_and_its_codes_are_shown(tmp_path: Path) -> None:
    server = TappableArm()
    with serving_bodies(server.answer) as endpoint, up(tmp_path / "data", endpoint) as (_, installation):
        sources = {one: [nic_id(one, f"source-{number}") for number in range(SOURCES)] for one in (FIRST, SECOND)}
        first, second = (
            planned(installation, action="tap", nics=sources[one], tap=tap_id(one), pace={**QUICK, "wave": 1}) for one in (FIRST, SECOND)
        )
        assert [len(one["requests"]) for one in (first, second)] == [SOURCES, SOURCES]

        status, refused = act(installation, first, "apply")
        assert (status, refused["code"]) == (409, "writes_disabled")
        assert "read-only" in refused["detail"], refused
        told = installation.manage("writes").stdout
        assert told.count("read-only") == 2
        assert installation.manage("writes", "--enable", "--reason", "nobody named").returncode == 1

        assert installation.manage("writes", "--enable", "--subscription", FIRST, "--reason", "the drill").returncode == 0
        told = installation.manage("writes").stdout
        assert (told.count("read-only"), told.count("enabled")) == (1, 1)
        assert act(installation, second, "apply")[0] == 409
        assert server.writes == []

        server.refusals[f"source-{SOURCES - 1}"] = (422, CODE, MESSAGE)
        applied(installation, first)
        after = ended(installation, first["id"], within_s=120)
        assert (after["state"], verified(after)) == ("partly_applied", SOURCES - 1)
        (failed,) = [step for step in after["steps"] if step["state"] == "failed"]
        assert (failed["nic"], failed["error_code"], failed["error_message"], failed["http_status"]) == (sources[FIRST][-1], CODE, MESSAGE, 422)
        ids = [step["client_request_id"] for step in after["steps"]]
        assert [one for _, _, one in server.writes] == ids, "each was sent once, under its own id"
        assert installation.differences(endpoint) == []

        server.refusals.clear()
        status, retry = act(installation, first, "retry")
        assert (status, [one["path"].split("/")[8] for one in retry["requests"]]) == (201, [f"source-{SOURCES - 1}"])
        applied(installation, retry)
        assert ended(installation, retry["id"], within_s=60)["state"] == "applied"

        assert installation.manage("writes", "--enable", "--all", "--reason", "the drill").returncode == 0
        assert change_of(installation, second["id"])["state"] == "planned"
        applied(installation, second)
        assert ended(installation, second["id"], within_s=60)["state"] == "applied"
        assert len(list(all_of(installation, "tap-configurations"))) == 2 * SOURCES

        for one in (first, retry, second):
            status, undo = act(installation, one, "undo")
            assert status == 201
            applied(installation, undo)
            assert ended(installation, undo["id"], within_s=60)["state"] == "applied"
        assert list(all_of(installation, "tap-configurations")) == []
        assert installation.differences(endpoint) == []
        assert [method for method, _, _ in server.writes].count("DELETE") == 2 * SOURCES
