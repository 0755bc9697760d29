"""`bin/up --no-demo` with an Azure of one's own: the whole stack against a server that is not ours, which nothing on any page calls a demo."""

import re
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from tests.contract.http import serving
from tests.contract.other_arm import OtherArm
from tests.drills.stack import custom, up
from tests.house.processes import refusal

pytestmark = pytest.mark.stack

# Where it tells how to connect a real Azure, the page /connect names the option --no-demo.
DEMO = re.compile(r"(?<!--no-)\bdemo\b|simulat", re.IGNORECASE)
PAGES = ("/", "/table/nics", "/table/vnets", "/feed", "/syncs", "/connect", "/audit")


def test_an_azure_of_ones_own_is_shown_as_it_is_and_nothing_says_demo(tmp_path: Path) -> None:
    data_dir, server = tmp_path / "data", OtherArm(7)
    with serving(server.answer) as endpoint, up(data_dir, endpoint) as (started, installation):
        assert installation.differences(endpoint) == []
        assert server.tokens >= {"Bearer x"}
        assert installation.ask("topology")["is_demo"] is False

        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

        def page(path: str, **form: str) -> str:
            sent = urllib.parse.urlencode(form).encode() if form else None
            with browser.open(f"{installation.address.rstrip('/')}{path}", sent, timeout=30) as answer:
                assert answer.status == 200
                return str(answer.read().decode())

        sign_in = page("/accounts/login/")
        assert not DEMO.search(sign_in)
        csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', sign_in)
        assert csrf is not None
        _, _, password = (data_dir / "admin_password").read_text().strip().partition(" / ")
        page("/accounts/login/", login="admin", password=password, csrfmiddlewaretoken=csrf.group(1))
        for path in PAGES:
            shown = page(path)
            assert "admin" in shown, f"{path}: signed in"
            assert not DEMO.search(shown), path
        assert not [line for line in started.lines if DEMO.search(line)]

        # Asked from its other page sizes, the same: a sync after a change of them changes nothing.
        server.page_size = 1_000
        report = installation.finished(installation.sync_start(), within_s=60)
        assert (report["added"], report["changed"], report["removed"]) == (0, 0, 0)
    elsewhere = "http://127.0.0.1:9"
    assert refusal(data_dir, "--no-demo", **custom(elsewhere)) == (
        f"vtapweb: The data directory {data_dir} belongs to the endpoint {endpoint}, not to {elsewhere}."
        " Choose another with --data-dir, or start it as before."
    )
    assert refusal(data_dir).startswith(f"vtapweb: The data directory {data_dir} belongs to the cloud custom, not to simulator. ")
