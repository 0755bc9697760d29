"""What the reader does with answers that no well-behaved server gives: links that lead away, lists without end, lost connections, refusals."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from tests.cloud.samples import SUBSCRIPTION, nic, page_of
from tests.contract.arms import Time
from tests.contract.http import InProcess, Reply, serving
from vtapweb.cloud.connect import cloud_from_settings
from vtapweb.cloud.port import CloudError, Failure, ReadKind
from vtapweb.cloud.retry import RetryPolicy
from vtapweb.cloud.sdk import AzureCloud
from vtapweb.cloud.types import Page

HOME = "https://arm.example.com"
TOKEN = "t0ken-that-must-not-leak"


class Script:
    """Answers with what it is given, one after the other, the last one for ever; remembers what it was asked."""

    def __init__(self, *replies: Reply | Callable[[str], Reply]) -> None:
        self.replies = list(replies)
        self.urls: list[str] = []
        self.headers: list[Mapping[str, str]] = []

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        assert method == "GET"
        self.urls.append(url)
        self.headers.append(headers)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply if isinstance(reply, Reply) else reply(url)


def connect(script: Script, *, endpoint: str = HOME, time: Time | None = None, retry: RetryPolicy | None = None) -> AzureCloud:
    sleep = (time or Time()).sleep
    return cloud_from_settings(cloud="custom", endpoint=endpoint, token=TOKEN, transport=InProcess(script), sleep=sleep, retry=retry)


def nics(cloud: AzureCloud) -> Iterable[Page[Any]]:
    return cloud.pages(ReadKind.NETWORK_INTERFACES, SUBSCRIPTION)


def failure_of(cloud: AzureCloud) -> CloudError:
    with pytest.raises(CloudError) as caught:
        list(nics(cloud))
    assert TOKEN not in f"{caught.value!r}{caught.value}{caught.value.__cause__!r}"
    return caught.value


def error(status: int, code: str, message: str = "no", headers: Mapping[str, str] = {}) -> Reply:
    return Reply(status, json.dumps({"error": {"code": code, "message": message}}).encode(), headers)


def names(pages: Iterable[Page[Any]]) -> list[str]:
    return [item.name for page in pages for item in page.items]


@pytest.mark.parametrize(
    ("endpoint", "link"),
    [
        (HOME, "https://evil.example/next"),
        (HOME, "http://arm.example.com/next"),
        (HOME, "https://arm.example.com:8443/next"),
        (HOME, "http://127.0.0.1:8080/next"),
        (HOME, "https://arm.example.com@evil.example/next"),
        (HOME, "//evil.example/next"),
        (HOME, "https://evil.example\\@arm.example.com/next"),
        ("http://127.0.0.1:8080", "https://management.azure.com/next"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:9090/next"),
        ("https://management.azure.com", "https://westeurope.management.azure.com/next"),
    ],
)
@pytest.mark.parametrize("how", ["nextLink", "redirect"])
def test_a_link_that_leads_away_is_refused_before_anything_is_sent(endpoint: str, link: str, how: str) -> None:
    away = Reply(200, page_of([nic("a")], link)) if how == "nextLink" else Reply(307, b"", {"Location": link})
    script = Script(away)
    found = failure_of(connect(script, endpoint=endpoint))
    assert (found.failure, found.attempts, len(script.urls)) == (Failure.FOREIGN_LINK, 1, 1)
    assert "our token goes to" in found.message


def test_the_pages_before_a_bad_link_have_arrived() -> None:
    pages = iter(nics(connect(Script(Reply(200, page_of([nic("a")], "https://evil.example/next"))))))
    assert names([next(pages)]) == ["a"]
    with pytest.raises(CloudError, match="evil"):
        next(pages)


def test_links_and_redirects_at_home_are_followed() -> None:
    script = Script(
        Reply(308, b"", {"Location": f"{HOME}/elsewhere?api-version=1"}),
        Reply(200, page_of([nic("a")], f"{HOME}/next?$skiptoken=%7Ba%2Fb%7D{{c}}&api-version=1")),
        Reply(200, page_of([nic("b")])),
    )
    assert names(nics(connect(script))) == ["a", "b"]
    assert script.urls[2] == f"{HOME}/next?$skiptoken=%7Ba%2Fb%7D%7Bc%7D&api-version=1"


def test_redirects_in_a_circle_end() -> None:
    assert failure_of(connect(Script(Reply(302, b"", {"Location": f"{HOME}/x"})))).failure is Failure.REFUSED


def test_pages_in_a_circle_are_an_error() -> None:
    first, second = Reply(200, page_of([nic("a")], f"{HOME}/2")), Reply(200, page_of([nic("b")], f"{HOME}/3"))
    found = failure_of(connect(Script(first, second, first)))
    assert (found.failure, found.code) == (Failure.BROKEN_BODY, "EndlessList")


def test_empty_pages_for_ever_are_an_error() -> None:
    script = Script(lambda url: Reply(200, page_of([], f"{url}x")))
    assert failure_of(connect(script)).code == "EndlessList"
    assert len(script.urls) == 1_000


def test_an_item_that_comes_twice_counts_once() -> None:
    again = {**nic("a"), "id": nic("a")["id"].upper()}
    script = Script(Reply(200, page_of([nic("a"), nic("b")], "/2")), Reply(200, page_of([], "/3")), Reply(200, page_of([again, nic("c"), None])))
    pages = list(nics(connect(script)))
    assert names(pages) == ["a", "b", "c"]
    assert [(page.sent_count, page.repeated_count) for page in pages] == [(2, 0), (0, 0), (2, 1)]
    assert all(page.sent_count == len(page.items) + len(page.not_understood) for page in pages)


def test_requests_carry_the_token_and_an_id_of_their_own() -> None:
    script = Script(error(503, "Busy"), Reply(200, page_of([])))
    list(nics(connect(script)))
    assert [headers["authorization"] for headers in script.headers] == [f"Bearer {TOKEN}"] * 2
    assert len({headers["x-ms-client-request-id"] for headers in script.headers}) == 2
    assert script.urls[0] == f"{HOME}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/networkInterfaces?api-version=2024-05-01"


def test_arms_words_and_ids_are_kept() -> None:
    refusal = error(403, "AuthorizationFailed", f"no\nrights for Bearer {TOKEN}", {"x-ms-correlation-request-id": "c-1", "x-ms-request-id": "r-1"})
    found = failure_of(connect(Script(refusal)))
    assert (found.failure, found.code, found.status, found.correlation_id, found.attempts) == (
        Failure.FORBIDDEN,
        "AuthorizationFailed",
        403,
        "c-1",
        1,
    )
    assert found.message == "no rights for …"


@pytest.mark.parametrize(
    "body", [b'{"Error": {"Code": "X1", "MESSAGE": "no"}}', b'{"error": {"code": "X1", "message": "no", "details": 7}, "more": [1]}']
)
def test_a_refusal_in_another_casing_keeps_its_words(body: bytes) -> None:
    found = failure_of(connect(Script(Reply(418, body))))
    assert (found.failure, found.code, found.message) == (Failure.REFUSED, "X1", "no")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": 7}', b'{"error": {"code": null}}', b"\xff", b"[]"])
def test_a_refusal_without_arms_envelope_still_says_something(body: bytes) -> None:
    found = failure_of(connect(Script(Reply(418, body))))
    assert (found.failure, found.code, found.message) == (Failure.REFUSED, "", "The server answered 418 without saying why.")


def test_a_page_that_is_gone_in_the_middle_is_not_a_missing_api() -> None:
    script = Script(Reply(200, page_of([nic("a")], "/2")), error(404, "NotFound"))
    assert failure_of(connect(script)).failure is Failure.REFUSED


def test_retry_after_is_obeyed_and_a_wait_beyond_the_budget_ends_it() -> None:
    time = Time()
    script = Script(error(429, "Slow", headers={"Retry-After": "7"}), Reply(200, page_of([nic("a")])))
    assert names(nics(connect(script, time=time))) == ["a"]
    assert 7.0 <= time.slept_s[0] < 7.6
    found = failure_of(connect(Script(error(429, "Slow", headers={"Retry-After": "900"})), time=time))
    assert (found.failure, found.attempts, found.retry_after_s) == (Failure.THROTTLED, 1, 900.0)
    assert len(time.slept_s) == 1


def test_milliseconds_of_retry_after() -> None:
    time = Time()
    list(nics(connect(Script(error(429, "Slow", headers={"x-ms-retry-after-ms": "250"}), Reply(200, page_of([]))), time=time)))
    assert 0.25 <= time.slept_s[0] <= 0.5


def test_the_budget_of_a_list_covers_all_its_pages() -> None:
    time = Time()

    def answer(url: str) -> Reply:
        number = len(script.urls)
        return error(429, "Slow", headers={"Retry-After": "5"}) if number % 2 else Reply(200, page_of([nic(f"n{number}")], f"/page{number}"))

    script = Script(answer)
    found = failure_of(connect(script, time=time, retry=RetryPolicy(list_budget_s=30.0)))
    assert found.failure is Failure.THROTTLED
    assert 20 < sum(time.slept_s) <= 30


@pytest.mark.parametrize("fault", ["drop", "reset", "cut", "short"])
def test_connections_that_break_are_tried_again(fault: str) -> None:
    time, whole = Time(), Reply(200, page_of([nic(f"n{number}") for number in range(50)]))
    script = Script(whole._replace(fault=fault), whole._replace(fault=fault), whole)
    with serving(script) as base_url:
        cloud = cloud_from_settings(cloud="custom", endpoint=base_url, token=TOKEN, sleep=time.sleep)
        assert len(names(nics(cloud))) == 50
        script.replies = [whole._replace(fault=fault)]
        found = failure_of(cloud)
        cloud.close()
    assert found.failure is (Failure.BROKEN_BODY if fault == "short" else found.failure)
    assert found.failure in {Failure.CONNECTION, Failure.BROKEN_BODY}
    assert len(time.slept_s) == 9
    assert "?" not in found.message


def test_nobody_there() -> None:
    with serving(Script(Reply(200, page_of([])))) as base_url:
        gone = base_url
    cloud = cloud_from_settings(cloud="custom", endpoint=gone, token=TOKEN, sleep=Time().sleep)
    found = failure_of(cloud)
    cloud.close()
    assert (found.failure, found.message) == (Failure.CONNECTION, f"{gone} cannot be reached: connection refused.")


def test_neither_netrc_nor_a_proxy_comes_between_us_and_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n", encoding="ascii")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://user:pw@127.0.0.1:9")
    script = Script(Reply(200, page_of([nic("a")])))
    with serving(script) as base_url:
        cloud = cloud_from_settings(cloud="custom", endpoint=base_url, token=TOKEN)
        assert names(nics(cloud)) == ["a"]
        cloud.close()
    assert script.headers[0]["authorization"] == f"Bearer {TOKEN}"


def test_a_remote_endpoint_goes_through_the_proxy_whose_password_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower() in {"no_proxy", "https_proxy"}]:
        monkeypatch.delenv(name)
    with serving(Script(Reply(200, b""))) as base_url:
        gone = base_url.removeprefix("http://")
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:pr0xy-pw@{gone}")
    cloud = cloud_from_settings(cloud="custom", endpoint="https://arm.example.com", token=TOKEN, sleep=Time().sleep)
    found = failure_of(cloud)
    cloud.close()
    assert (found.failure, found.message) == (Failure.CONNECTION, "https://arm.example.com cannot be reached: the proxy of HTTPS_PROXY failed.")


class Rotating:
    """A credential whose every token is a new one."""

    def __init__(self) -> None:
        self.count = 0

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        assert scopes == (f"{HOME}/.default",)
        self.count += 1
        return AccessToken(f"token-{self.count}", 2**33)


def test_a_401_is_tried_once_more_with_a_fresh_token() -> None:
    script = Script(error(401, "ExpiredAuthenticationToken"), Reply(200, page_of([nic("a")], "/2")), Reply(200, page_of([])))
    cloud = AzureCloud(cloud="custom", endpoint=HOME, scope=f"{HOME}/.default", make_credential=Rotating, transport=InProcess(script))
    assert names(nics(cloud)) == ["a"]
    assert [headers["authorization"] for headers in script.headers] == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]


def test_a_credential_that_fails_in_the_middle_says_so_in_its_class() -> None:
    class Broken:
        def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
            raise CloudError(Failure.UNAUTHENTICATED, code="NoCredential", message="Nobody is signed in.")

    script = Script(Reply(200, page_of([])))
    cloud = AzureCloud(cloud="public", endpoint=HOME, scope="s", make_credential=Broken, transport=InProcess(script))
    found = failure_of(cloud)
    assert (found.failure, found.code, script.urls) == (Failure.UNAUTHENTICATED, "NoCredential", [])


def test_a_closed_cloud_can_be_used_again() -> None:
    with serving(Script(Reply(200, page_of([nic("a")])))) as base_url:
        cloud = cloud_from_settings(cloud="custom", endpoint=base_url, token=TOKEN)
        for _ in range(2):
            assert names(nics(cloud)) == ["a"]
            cloud.close()


def test_ids_with_strange_signs_stay_inside_the_path() -> None:
    script = Script(Reply(200, page_of([])))
    list(
        connect(script).scale_set_network_interfaces(
            "/subscriptions/s/resourceGroups/rg ü?x#y/providers/Microsoft.Compute/virtualMachineScaleSets/v/"
        )
    )
    assert script.urls[0] == (
        f"{HOME}/subscriptions/s/resourceGroups/rg%20%C3%BC%3Fx%23y/providers/Microsoft.Compute/virtualMachineScaleSets/v/networkInterfaces"
        "?api-version=2018-10-01"
    )
