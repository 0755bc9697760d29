"""The doctor names what lacks and what mends it, without a cloud too."""

import json
from collections.abc import Mapping
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import Settings

from tests.contract.arms import Time
from tests.contract.http import InProcess, Reply
from tests.inventory.factories import make_subscription
from vtapweb.cloud.connect import cloud_from_settings
from vtapweb.config import doctor
from vtapweb.simulator import contoso
from vtapweb.simulator.server import Request, Server
from vtapweb.taps.actions.writes import writes_enable, writes_stop


@pytest.mark.django_db
def test_each_lack_comes_with_its_fix() -> None:
    told = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--azure", stdout=told)
    assert ended.value.code == 1
    lines = told.getvalue().splitlines()
    lacking = [number for number, line in enumerate(lines) if line.startswith("LACK")]
    assert [lines[number + 1].startswith("      → ") for number in lacking] == [True] * 5  # cloud, queue, watch, admin, sync
    assert "LACK  There is no admin." in lines
    assert "      → bin/manage admin_create_first" in lines
    assert lines[-1] == "5 things to mend."


def told_of_writing(server: Server) -> list[str]:
    def answer(method: str, url: str, headers: Mapping[str, str]) -> Reply:
        response = server.handle(Request(method, url, headers))
        return Reply(response.status, response.body, response.headers)

    cloud = cloud_from_settings(cloud="custom", endpoint="http://127.0.0.1:8080", token="t", transport=InProcess(answer), sleep=Time().sleep)
    findings = list(doctor.writing(cloud))
    return [f"{'ok' if one.is_ok else 'LACK'} {one.text} → {one.fix}" for one in findings if contoso.SPOKES in one.text]


@pytest.mark.django_db
def test_what_may_be_written_is_told_with_the_command_that_mends_it(settings: Settings) -> None:
    """Lacking rights are a lack only where an admin lets vtapweb write."""
    settings.CLOUD = "custom"
    make_subscription(contoso.SPOKES, name="spokes")
    server = Server(contoso.build(), page_size=100)
    estate = server.estate
    groups = {one.lower() for one in estate.readers}
    told = told_of_writing(server)
    assert "read-only for vtapweb" in told[0]
    assert told[1].startswith("ok ")
    assert " resource groups. → For all of it: az role assignment create" in told[1]
    assert "--role 'Network Contributor'" in told[1]
    estate.readers -= groups
    assert "may be written in all of it" in told_of_writing(server)[1]
    listed = {one["id"].lower() for one in resource_groups(server)}
    estate.readers |= listed
    told = told_of_writing(server)
    assert told[1].startswith("ok ")
    assert "nothing may be written; it lacks Microsoft.Network/networkInterfaces/tapConfigurations/write" in told[1]
    writes_enable(subscription_ids=[contoso.SPOKES], reason="pilot", is_notice_accepted=True, actor="the test")
    told = told_of_writing(server)
    assert "an admin lets vtapweb write there" in told[0]
    assert told[1].startswith("LACK ")
    assert f"--scope /subscriptions/{contoso.SPOKES}" in told[1]
    writes_stop(reason="odd", actor="the\u202etest")
    assert "writes are stopped by the⟨U+202E⟩test" in told_of_writing(server)[0]


def resource_groups(server: Server) -> list[dict[str, str]]:
    path = f"/subscriptions/{contoso.SPOKES}/resourcegroups?api-version=2022-09-01"
    return [one for body in server.pages("http://127.0.0.1", path) for one in json.loads(body)["value"]]


@pytest.mark.django_db
@pytest.mark.parametrize(("status", "code"), [(404, b"NotFound"), (403, b"AuthorizationFailed")])
def test_a_server_without_permissions_locks_or_features_is_no_lack_of_a_read_only_installation(status: int, code: bytes) -> None:
    """An ARM-compatible server may know none of these."""

    def answer(method: str, url: str, headers: Mapping[str, str]) -> Reply:
        if url.partition("?")[0].endswith("/subscriptions"):
            one = {"id": f"/subscriptions/{contoso.SPOKES}", "subscriptionId": contoso.SPOKES, "displayName": "<b>", "state": "Enabled"}
            return Reply(200, json.dumps({"value": [one]}).encode(), {"Content-Type": "application/json"})
        return Reply(status, b'{"error": {"code": "%s", "message": "no"}}' % code, {"Content-Type": "application/json"})

    cloud = cloud_from_settings(cloud="custom", endpoint="http://127.0.0.1:8080", token="t", transport=InProcess(answer), sleep=Time().sleep)
    findings = list(doctor.writing(cloud))
    assert all(one.is_ok for one in findings)
    assert ("this server tells nobody's permissions" in findings[1].text) is (status == 404)
    assert ("--role 'Network Contributor'" in findings[1].fix) is (status == 403)
