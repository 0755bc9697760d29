"""The way to the server: a kept connection, what each answer leads to, tokens that rotate, certificates that are looked at."""

import json
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.agent.certificates import certificate
from tests.agent.intake import Answer, Intake
from vtapweb.agent.vtap_agent import Backoff, CannotError, Server, Token, asked_pause_s, problem, until_next_s

DOCUMENT = {"v": 1, "seq": 1}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first-token\n", encoding="ascii")
    return path


@pytest.fixture
def intake() -> Iterator[Intake]:
    with Intake() as intake:
        yield intake


def sure() -> Backoff:
    """A backoff without chance: always the whole."""
    return Backoff(chance=lambda: 1.0)


def server_at(url: str, token_file: Path) -> Server:
    return Server(url, Token(str(token_file)), backoff=sure())


def test_documents_go_over_one_kept_connection(intake: Intake, token_file: Path) -> None:
    server = server_at(intake.url, token_file)
    assert [server.send({"v": 1, "seq": seq}).trouble for seq in range(5)] == [""] * 5
    assert (len(intake.connections), len(intake.documents)) == (1, 5)
    assert set(intake.tokens) == {"Bearer first-token"}
    server.close()


def test_a_large_document_is_compressed_and_a_small_one_is_not(intake: Intake, token_file: Path) -> None:
    server = server_at(intake.url, token_file)
    large = {"src": [["10.0.0.1", 27, number, number] for number in range(500)]}
    server.send(DOCUMENT)
    server.send(large)
    assert intake.encodings == [None, "gzip"]
    assert intake.documents == [DOCUMENT, large]
    server.close()


def test_a_kept_connection_that_the_server_closed_is_no_trouble(intake: Intake, token_file: Path) -> None:
    server = server_at(intake.url, token_file)
    assert server.send(DOCUMENT).trouble == ""
    intake.hang_up()
    assert server.send(DOCUMENT).trouble == ""
    assert len(intake.connections) == 2
    server.close()


@pytest.mark.parametrize(
    ("answer", "pause_s", "is_full_wanted", "is_too_large"),
    [
        ((409, {}, b""), 0, True, False),
        ((400, {}, b'{"detail":"seq is missing"}'), 1, True, False),
        ((401, {}, b""), 1, True, False),
        ((413, {}, b""), 1, True, True),
        ((429, {"Retry-After": "7"}, b""), 7, True, False),
        ((503, {"Retry-After": "86400"}, b""), 300, True, False),
        ((503, {"Retry-After": "soon"}, b""), 1, True, False),
        ((500, {"Retry-After": "7"}, b""), 1, True, False),
        ((302, {"Location": "https://elsewhere.example/"}, b""), 1, True, False),
    ],
)
def test_what_an_answer_leads_to(intake: Intake, token_file: Path, answer: Answer, pause_s: float, is_full_wanted: bool, is_too_large: bool) -> None:
    server = server_at(intake.url, token_file)
    intake.answers.append(answer)
    told = server.send(DOCUMENT)
    assert (told.pause_s, told.is_full_wanted, told.is_too_large) == (pause_s, is_full_wanted, is_too_large)
    assert told.trouble
    assert "first-token" not in told.trouble
    assert server.send(DOCUMENT).trouble == ""
    assert len(intake.documents) == 2, "nothing was sent by itself"
    server.close()


def test_failures_in_a_row_wait_longer_and_a_success_forgets_them(intake: Intake, token_file: Path) -> None:
    server = server_at(intake.url, token_file)
    intake.answers.extend([(500, {}, b"")] * 7)
    assert [server.send(DOCUMENT).pause_s for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert server.send(DOCUMENT).pause_s == 0
    intake.answers.extend([(401, {}, b"")] * 8)
    assert [server.send(DOCUMENT).pause_s for _ in range(8)][-2:] == [60, 60]
    server.close()


def test_chance_takes_at_most_half_of_a_wait() -> None:
    assert [Backoff(chance=lambda: 0.0).failed(30), Backoff(chance=lambda: 1.0).failed(30)] == [0.5, 1.0]


def test_nobody_there_is_trouble_with_a_wait(token_file: Path) -> None:
    with Intake() as gone:
        url = gone.url
    server = server_at(url, token_file)
    told = server.send(DOCUMENT)
    assert told.trouble.startswith(f"cannot reach {url}")
    assert (told.pause_s, told.is_full_wanted) == (1, True)


def test_a_rotated_token_is_read_without_a_restart(intake: Intake, token_file: Path) -> None:
    server = server_at(intake.url, token_file)
    server.send(DOCUMENT)
    token_file.with_suffix(".new").write_text("second-token\n", encoding="ascii")
    token_file.with_suffix(".new").replace(token_file)
    server.send(DOCUMENT)
    token_file.write_text("a-third-token", encoding="ascii")
    server.send(DOCUMENT)
    assert intake.tokens == ["Bearer first-token", "Bearer second-token", "Bearer a-third-token"]
    server.close()


@pytest.mark.parametrize("text", ["", "two tokens", "line\nand line", "\x07"])
def test_a_file_without_one_token_is_refused_and_not_sent(intake: Intake, token_file: Path, text: str) -> None:
    token_file.write_text(text, encoding="ascii")
    told = server_at(intake.url, token_file).send(DOCUMENT)
    assert "does not hold one token" in told.trouble
    assert intake.documents == []


def test_a_token_file_that_is_gone_is_named(token_file: Path) -> None:
    token_file.unlink()
    with pytest.raises(CannotError, match="cannot be read: No such file"):
        Token(str(token_file)).get()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://collector.example", "unencrypted"),
        ("http://10.0.0.1:8000", "unencrypted"),
        ("ftp://vtapweb.example", "no address"),
        ("https://", "no address"),
        ("https://name:word@vtapweb.example", "no address"),
        ("https://vtapweb.example:99999", "no address"),
    ],
)
def test_an_address_that_would_not_do_is_refused(url: str, why: str) -> None:
    with pytest.raises(CannotError, match=why):
        Server(url, Token(""))


def test_http_to_loopback_or_by_name_of_the_option() -> None:
    for url in ("http://127.0.0.1:8000", "http://localhost", "http://[::1]:1"):
        Server(url, Token(""))
    Server("http://10.0.0.1", Token(""), is_http_allowed=True)
    Server("vtapweb.example", Token(""))


def test_a_certificate_is_trusted_by_its_ca_only(tmp_path: Path, token_file: Path) -> None:
    ours, other = certificate(tmp_path, "ours"), certificate(tmp_path, "other")
    served = certificate(tmp_path, "server", signed_by="ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served, served.with_suffix(".key"))
    with Intake(tls=context) as intake:
        for ca_file in (str(other), None):
            refused = Server(intake.url, Token(str(token_file)), ca_file=ca_file, backoff=sure()).send(DOCUMENT)
            assert "its certificate is not trusted" in refused.trouble
            assert "--ca-file" in refused.trouble
        assert intake.tokens == [], "no token was told to somebody unknown"
        server = Server(intake.url, Token(str(token_file)), ca_file=str(ours))
        assert server.send(DOCUMENT).trouble == ""
        server.close()
    assert intake.documents == [DOCUMENT]


def test_a_ca_file_that_is_none_is_refused(token_file: Path) -> None:
    with pytest.raises(CannotError, match="the CA file"):
        Server("https://vtapweb.example", Token(""), ca_file=str(token_file))


def test_retry_after_is_seconds_or_a_date() -> None:
    now_s = time.time()
    date = datetime.fromtimestamp(now_s + 20, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    told = asked_pause_s(date, now_s)
    assert told is not None
    assert 18 < told <= 20
    assert [asked_pause_s(value, now_s) for value in ("0", "12", "-3", "", None, "Thu, 01 Jan 1970 00:00:00 GMT")] == [0, 12, None, None, None, 0]


def test_the_sentence_of_a_refusal_is_short_and_printable() -> None:
    assert problem(json.dumps({"title": "No", "detail": "Token\x1b[31m revoked.\n"}).encode()) == "Token [31m revoked."
    assert problem(b"") == "no reason given"
    assert problem(b"[1]") == "[1]"
    assert len(problem(b"\xff<html>" * 1000)) <= 200


@pytest.mark.parametrize(("wall_s", "jitter_s", "wait_s"), [(100.0, 0.0, 1.0), (100.25, 0.0, 0.75), (100.05, 0.1, 1.05), (99.99, 0.0, 1.01)])
def test_documents_are_made_at_whole_seconds_and_the_machines_jitter(wall_s: float, jitter_s: float, wait_s: float) -> None:
    assert until_next_s(wall_s, jitter_s) == pytest.approx(wait_s)


def test_a_clock_that_jumps_costs_no_more_than_a_second() -> None:
    assert all(0.2 <= until_next_s(wall_s / 7, 0.15) <= 1.2 for wall_s in range(-700, 700))
