"""Reading the environment: typed, with one clear sentence where a value is wrong. Holds no setting of its own."""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def env(name: str, default: str) -> str:
    return os.environ.get(name, default).strip()


def env_list(name: str, default: str) -> list[str]:
    return [part.strip() for part in env(name, default).split(",") if part.strip()]


def env_flag(name: str) -> bool:
    value = env(name, "").lower()
    if value not in {"", "0", "1", "false", "true", "no", "yes"}:
        raise ImproperlyConfigured(f"{name} is {value!r}. Say 1 or 0.")
    return value in {"1", "true", "yes"}


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
