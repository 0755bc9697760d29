"""Where our token may go: the configured scheme, host and port, however the link is dressed up."""

import pytest

from vtapweb.cloud.origin import BadUrlError, is_at_home, origin_of, resolve

AZURE = origin_of("https://management.azure.com")
LOCAL = origin_of("http://127.0.0.1:8123")


@pytest.mark.parametrize(
    "url",
    [
        "https://management.azure.com/subscriptions?api-version=1&$skiptoken=abc%20d",
        "https://MANAGEMENT.azure.com:443/x",
        "HTTPS://management.azure.com./x",
    ],
)
def test_home(url: str) -> None:
    assert is_at_home(url, AZURE)


@pytest.mark.parametrize(
    "url",
    [
        "http://management.azure.com/x",
        "https://management.azure.com:8443/x",
        "https://management.azure.com.evil.example/x",
        "https://evil.example/management.azure.com",
        "https://management.azure.com@evil.example/x",
        "https://evil.example@management.azure.com/x",
        "https://evil.example\\@management.azure.com/x",
        "https://evil.example\\.management.azure.com/x",
        "https://management%2eazure.com/x",
        "https://management.azure.com\t.evil.example/x",
        "https://mаnagement.azure.com/x",
        "https://germanywestcentral.management.azure.com/x",
        "//evil.example/x",
        "ftp://management.azure.com/x",
        "file:///etc/passwd",
        "https:///x",
        "https://management.azure.com:port/x",
        "https://127.0.0.1/x",
        "http://localhost:8123/x",
        "",
    ],
)
def test_not_home(url: str) -> None:
    assert not is_at_home(url, AZURE)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8123/x", True),
        ("http://localhost:8123/x", True),
        ("http://[::1]:8123/x", True),
        ("http://127.0.0.1:9000/x", False),
        ("https://127.0.0.1:8123/x", False),
        ("http://192.0.2.1:8123/x", False),
        ("https://management.azure.com/x", False),
    ],
)
def test_a_server_on_this_machine(url: str, expected: bool) -> None:
    assert is_at_home(url, LOCAL) is expected


def test_a_relative_link_stays_on_its_server() -> None:
    page = "http://127.0.0.1:8123/subscriptions/s/providers/x?api-version=1"
    assert resolve("/subscriptions/s/providers/x?page=2", base_url=page) == "http://127.0.0.1:8123/subscriptions/s/providers/x?page=2"
    assert not is_at_home(resolve("//evil.example/x", base_url=page), LOCAL)


def test_origins_are_told_shortly_and_without_a_path() -> None:
    assert [str(origin_of(url)) for url in ("https://a.example:443/b?c", "http://[::1]:80", "http://A.example:81")] == [
        "https://a.example",
        "http://[::1]",
        "http://a.example:81",
    ]
    with pytest.raises(BadUrlError):
        origin_of("a.example")
