"""Reading the environment: typed, with one clear sentence where a value is wrong. Holds no setting of its own."""

import os
import secrets
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured


def env(name: str, default: str) -> str:
    return os.environ.get(name, default).strip()


def env_list(name: str, default: str) -> list[str]:
    return [part.strip() for part in env(name, default).split(",") if part.strip()]


def env_named(prefix: str) -> dict[str, str]:
    """The values of all variables that begin with `prefix`, by the rest of their names in lower case."""
    return {name.removeprefix(prefix).lower(): value.strip() for name, value in os.environ.items() if name.startswith(prefix) and value.strip()}


def env_flag(name: str) -> bool:
    value = env(name, "").lower()
    if value not in {"", "0", "1", "false", "true", "no", "yes"}:
        raise ImproperlyConfigured(f"{name} is {value!r}. Say 1 or 0.")
    return value in {"1", "true", "yes"}


def env_seconds(name: str, default: str, *, at_least: float) -> float:
    """A duration in seconds. Raises ImproperlyConfigured when it is no number or too short."""
    value = env(name, default)
    try:
        seconds = float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}. Say a number of seconds.") from None
    if not at_least <= seconds < float("inf"):
        raise ImproperlyConfigured(f"{name} is {value}. It must be {at_least:g} or more.")
    return seconds


def env_price(name: str) -> float | None:
    """An amount of money, None where none is set. Raises ImproperlyConfigured when it is no number or below 0."""
    value = env(name, "")
    if not value:
        return None
    try:
        price = float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}. Say a number.") from None
    if not 0 <= price < float("inf"):
        raise ImproperlyConfigured(f"{name} is {value}. It must be 0 or more.")
    return price


def env_count(name: str, default: str, *, at_least: int = 1) -> int:
    """A whole number from `at_least` on. Raises ImproperlyConfigured otherwise."""
    value = env(name, default)
    if not value.isdecimal() or int(value) < at_least:
        raise ImproperlyConfigured(f"{name} is {value!r}. Say a whole number from {at_least} on.")
    return int(value)


def env_address(name: str) -> str:
    """An http or https address without its last slash, "" where none is set. Raises ImproperlyConfigured for anything else."""
    value = env(name, "").rstrip("/")
    if value and not _is_address(value):
        raise ImproperlyConfigured(f"{name} is {value!r}. Say an address like https://vtap.example.com.")
    return value


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # for example half an IPv6 address
        return False
    is_plain = value.isprintable() and not (parts.query or parts.fragment or parts.username)
    return is_plain and parts.scheme in {"http", "https"} and bool(parts.hostname)


def require_cloud(cloud: str) -> None:
    """Raises ImproperlyConfigured when no cloud is named: web and worker have nothing to look at then (`manage.py up` names one)."""
    if not cloud:
        raise ImproperlyConfigured("VTAPWEB_CLOUD is not set. Say public, usgov, china or custom; or start the demo with bin/up.")


POSTGRESQL_CONNECT_TIMEOUT_S: Final = 5


def database_of(url: str) -> dict[str, Any]:
    """Django's entry for a DATABASE_URL. A connection lives as long as a request: under ASGI every request has a thread of its own.

    Raises ImproperlyConfigured for what is neither SQLite nor PostgreSQL.
    """
    try:
        database: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=0))
    except (ValueError, KeyError) as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {type(error).__name__}. Say postgresql://user:password@host:5432/name.") from None
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # WAL lets readers go on while one writes; an immediate transaction waits for the lock at its start, never in its middle.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-65536; "
            # Reading without copying: a search over all rows of a large estate takes a sixth of the time.
            "PRAGMA mmap_size=1073741824;",
        }
    elif database["ENGINE"] == "django.db.backends.postgresql":
        # A server that is gone without a word (a machine that was cut off) would else hold each request for minutes. The address may say otherwise.
        database.setdefault("OPTIONS", {}).setdefault("connect_timeout", POSTGRESQL_CONNECT_TIMEOUT_S)
    else:
        raise ImproperlyConfigured("DATABASE_URL names neither SQLite nor PostgreSQL, which are the databases vtapweb runs on.")
    return database


def cache_of(redis_url: str) -> dict[str, Any]:
    """Django's cache on this Redis; with an empty address (a benchmark, a command by itself) each process remembers for itself alone."""
    if not redis_url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {
        "BACKEND": "vtapweb.config.cache.ForgivingRedisCache",
        "LOCATION": redis_url,
        "KEY_PREFIX": "vtapweb:cache",
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }


def celery_broker_url(redis_url: str) -> str:
    """REDIS_URL in Celery's spelling: `unix:///path?db=1` is `redis+socket:///path?virtual_host=1` there."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"


def load_dotenv(path: Path) -> None:
    """Read KEY=VALUE lines; what the environment already holds wins. A line that is neither that, empty nor a comment is an error."""
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, sign, value = text.partition("=")
        if not sign or not name.strip().isidentifier():
            raise ImproperlyConfigured(f"{path} line {number} is not NAME=VALUE.")
        os.environ.setdefault(name.strip(), value.strip().strip("'\""))


def secret_key(data_dir: Path) -> str:
    """VTAPWEB_SECRET_KEY, else a key made once and kept in the data directory, readable by its owner only."""
    given = env("VTAPWEB_SECRET_KEY", "")
    if given:
        return given
    path = data_dir / "secret_key"
    if path.is_file():
        return path.read_text(encoding="ascii").strip()
    data_dir.mkdir(parents=True, exist_ok=True)
    candidate = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(50))
    try:
        os.link(candidate, path)  # the first of several starting processes wins, whole or not at all
    except FileExistsError:
        pass
    finally:
        candidate.unlink()
    return path.read_text(encoding="ascii").strip()


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as a Content-Security-Policy names it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def oidc_app() -> dict[str, Any] | None:
    """The OpenID Connect provider of VTAPWEB_OIDC_*, as allauth wants it; None when none is set. Raises ImproperlyConfigured for a half-set one."""
    values = {name: env(f"VTAPWEB_OIDC_{name}", "") for name in ("SERVER_URL", "CLIENT_ID", "CLIENT_SECRET")}
    missing = [f"VTAPWEB_OIDC_{name}" for name, value in values.items() if not value]
    if len(missing) == len(values):
        return None
    if missing:
        raise ImproperlyConfigured(f"OpenID Connect is half set: {', '.join(missing)} is missing.")
    url = urlsplit(values["SERVER_URL"])
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in {"127.0.0.1", "::1", "localhost"}):
        raise ImproperlyConfigured("VTAPWEB_OIDC_SERVER_URL has to start with https:// (plain http is for loopback only).")
    return {
        "provider_id": env("VTAPWEB_OIDC_PROVIDER_ID", "oidc"),
        "name": env("VTAPWEB_OIDC_NAME", "OpenID Connect"),
        "client_id": values["CLIENT_ID"],
        "secret": values["CLIENT_SECRET"],
        "settings": {"server_url": values["SERVER_URL"]},
    }
