"""No secret reaches a log line, whoever writes it."""

import json
import logging

import pytest
from django.core.exceptions import ImproperlyConfigured

from vtapweb.config.logs import logging_config, redact, redact_text

TOKEN = "eyJhbGciOi.J9.SflKxwRJ"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {TOKEN}",
        f"GET /wall/{TOKEN} HTTP/1.1",
        f"GET /wall/{TOKEN}?x=1",
        f"POST /token?client_secret={TOKEN}&grant_type=x",
        f'{{"access_token": "{TOKEN}", "expires_in": 3600}}',
        f"redis://:{TOKEN}@cache.example.com:6379/0",
        f"postgresql://vtapweb:{TOKEN}@db.example.com/vtapweb",
    ],
)
def test_a_secret_is_cut_out_of_a_text(text: str) -> None:
    assert TOKEN not in redact_text(text)
    assert "[redacted]" in redact_text(text)


@pytest.mark.parametrize("name", ["state", "topology", "traffic", "pairing", "qr"])
def test_of_a_walls_addresses_only_the_token_is_one(name: str) -> None:
    for text in (f"GET /wall/{name} HTTP/1.1", f"GET /wall/{name}?x=1", f'"/wall/{name}"', f"GET /wall/{name}/117 HTTP/1.1"):
        assert redact_text(text) == text
    for text in (f"GET /wall/{name}{TOKEN} HTTP/1.1", f"GET /wall/{name}-{TOKEN}?x=1"):
        assert TOKEN not in redact_text(text)


@pytest.mark.parametrize("text", ["GET /wall HTTP/1.1", "GET /api/v1/nics?limit=10", "the bearer of this", "error_code=AuthorizationFailed"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


def test_a_value_named_like_a_secret_is_cut_out_at_any_depth() -> None:
    event = redact(None, "info", {"event": "x", "password": "p", "detail": {"headers": [{"Cookie": "c"}], "name": "nic"}, "token": None})
    assert event == {"event": "x", "password": "[redacted]", "detail": {"headers": [{"Cookie": "[redacted]"}], "name": "nic"}, "token": None}


def formatted(log_format: str, *, message: str, arguments: tuple[object, ...]) -> str:
    configuration = dict(logging_config(log_format=log_format, level="INFO")["formatters"]["structured"])
    formatter: logging.Formatter = configuration.pop("()")(**configuration)
    return formatter.format(logging.LogRecord("uvicorn.access", logging.INFO, "file", 1, message, arguments, None))


def test_an_access_line_becomes_json_without_the_walls_token() -> None:
    line = formatted("json", message='%s - "%s %s HTTP/%s" %d', arguments=("127.0.0.1:5000", "GET", f"/wall/{TOKEN}", "1.1", 302))
    event = json.loads(line)
    assert event["event"] == '127.0.0.1:5000 - "GET /wall/[redacted] HTTP/1.1" 302'
    assert event["level"] == "info"
    assert event["timestamp"].endswith("Z")


def test_a_console_line_is_redacted_too() -> None:
    assert TOKEN not in formatted("console", message="sent Authorization: Bearer %s", arguments=(TOKEN,))


@pytest.mark.parametrize(("log_format", "level"), [("xml", "INFO"), ("json", "LOUD")])
def test_a_wrong_setting_is_refused_in_words(log_format: str, level: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="Say "):
        logging_config(log_format=log_format, level=level)
