"""Settings are typed, and a wrong one is told in one sentence without its secrets."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from vtapweb.config.environment import cache_of, celery_broker_url, database_of, env_address, env_count, env_flag, env_named, env_seconds


def test_sqlite_waits_for_its_lock_at_the_start_of_a_transaction() -> None:
    database = database_of("sqlite:////srv/vtapweb.sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert database["OPTIONS"]["timeout"] == 20
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]


def test_values_that_people_name_are_known_by_the_rest_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTAPWEB_X_MAIN", " bearer t ")
    monkeypatch.setenv("VTAPWEB_X_EMPTY", " ")
    assert env_named("VTAPWEB_X_") == {"main": "bearer t"}


def test_postgresql_over_tcp_and_over_a_socket_directory() -> None:
    assert database_of("postgresql://vtapweb:pw@db.example.com:5432/estate")["NAME"] == "estate"
    assert database_of("postgresql://postgres:@/postgres?host=/run/pg")["HOST"] in {"/run/pg", ""}


def test_a_postgresql_that_does_not_answer_is_not_waited_for_long() -> None:
    assert database_of("postgresql://vtapweb:pw@db.example.com/estate")["OPTIONS"]["connect_timeout"] == 5
    assert str(database_of("postgresql://vtapweb:pw@db.example.com/estate?connect_timeout=20")["OPTIONS"]["connect_timeout"]) == "20"


@pytest.mark.parametrize("url", ["mysql://root:hunter2@db/estate", "nonsense://hunter2", "hunter2"])
def test_another_database_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        database_of(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("redis_url", "broker_url"),
    [
        ("redis://cache:6379/2", "redis://cache:6379/2"),
        ("rediss://cache:6379/0", "rediss://cache:6379/0"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=0"),
        ("unix:///run/valkey.sock?db=3", "redis+socket:///run/valkey.sock?virtual_host=3"),
    ],
)
def test_celery_spells_the_queues_address_its_own_way(redis_url: str, broker_url: str) -> None:
    assert celery_broker_url(redis_url) == broker_url


def test_without_redis_each_process_remembers_for_itself() -> None:
    assert cache_of("redis://cache:6379/2")["LOCATION"] == "redis://cache:6379/2"
    assert cache_of("")["BACKEND"].endswith("LocMemCache")


def test_an_address_that_people_open(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env_address("VTAPWEB_X") == ""
    monkeypatch.setenv("VTAPWEB_X", "https://vtap.example.com/tap/")
    assert env_address("VTAPWEB_X") == "https://vtap.example.com/tap"
    for wrong in (
        "vtap.example.com",
        "ftp://vtap.example.com",
        "https://",
        "https://[::1",
        "https://me:pw@vtap.example.com",
        "https://vtap.example.com/?a=1",
    ):
        monkeypatch.setenv("VTAPWEB_X", wrong)
        with pytest.raises(ImproperlyConfigured, match="https://vtap"):
            env_address("VTAPWEB_X")


def test_numbers_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTAPWEB_X", "12.5")
    assert env_seconds("VTAPWEB_X", "1", at_least=10) == 12.5
    for wrong in ("soon", "5", "inf", "nan"):
        monkeypatch.setenv("VTAPWEB_X", wrong)
        with pytest.raises(ImproperlyConfigured, match="VTAPWEB_X"):
            env_seconds("VTAPWEB_X", "1", at_least=10)
    for wrong in ("0", "-1", "many"):
        monkeypatch.setenv("VTAPWEB_X", wrong)
        with pytest.raises(ImproperlyConfigured, match="VTAPWEB_X"):
            env_count("VTAPWEB_X", "1")
    monkeypatch.setenv("VTAPWEB_X", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="VTAPWEB_X"):
        env_flag("VTAPWEB_X")
