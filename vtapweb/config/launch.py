"""What a start of `manage.py up` means, decided before Django reads a setting: data directory, cloud, queue, names of this host.

The decisions become environment variables, which the supervisor's own Django and all of its children read; `bin/manage` adopts
them from the data directory while `up` runs. Rule: a refusal is one sentence that names the fix.
"""

import argparse
import atexit
import contextlib
import fcntl
import ipaddress
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vtapweb.config.environment import load_dotenv

BASE_DIR = Path(__file__).resolve().parent.parent.parent
CLOUDS = ("simulator", "public", "usgov", "china", "custom")
AZURE_SETTINGS = (
    "VTAPWEB_ARM_ENDPOINT",
    "VTAPWEB_ARM_TOKEN",
    "VTAPWEB_SUBSCRIPTIONS",
    "VTAPWEB_METRICS_ENDPOINT",
    "VTAPWEB_WRITE_TOKEN",
    "VTAPWEB_WRITE_CLIENT_ID",
)
ADOPTED_PREFIXES = ("VTAPWEB_", "AZURE_", "DATABASE_URL", "REDIS_URL")
LONGEST_SOCKET_PATH = 99  # octets; servers refuse 108 and more, and a temporary name may be appended


class LaunchRefusedError(Exception):
    """A start that must not happen; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One decided start. `runs_*` tells which parts are children of this supervisor."""

    host: str
    port: int
    data_dir: Path
    size: str
    runs_simulator: bool
    runs_valkey: bool
    socket_dir: Path
    is_socket_dir_temporary: bool

    @property
    def valkey_socket(self) -> Path:
        return self.socket_dir / "valkey.sock"

    @property
    def environment_file(self) -> Path:
        return self.data_dir / "environment.json"


# Set by manage.py, which decides before Django loads; read by the command.
decided: tuple[Launch, IO[str]] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8000, help="the port of the web pages (default 8000; 0: any free one)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1: this machine only)")
    parser.add_argument("--data-dir", help="where all data live (default: VTAPWEB_DATA_DIR, else var/ of the checkout)")
    parser.add_argument("--size", choices=["S", "M", "L"], help="the size of the simulated estate (default S)")
    parser.add_argument("--no-demo", action="store_true", help="do not run the simulator; needs VTAPWEB_CLOUD")


def is_loopback_host(host: str) -> bool:
    """Whether only this machine can reach what listens on that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str) -> list[str]:
    """The Host names to answer to when listening on `host`: loopback's, and what others call this machine when they can reach it."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if is_loopback_host(host):
        return names
    if host in {"0.0.0.0", "::", "[::]"}:  # noqa: S104 - compared, not bound
        name = socket.gethostname()
        names += [name, socket.getfqdn()]
        with contextlib.suppress(OSError):  # a machine that cannot resolve its own name is reached by what VTAPWEB_ALLOWED_HOSTS lists
            names += [str(entry[4][0]) for entry in socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)]
    else:
        names.append(host)
    return list(dict.fromkeys(f"[{name}]" if ":" in name and not name.startswith("[") else name for name in names if name))


def decide_cloud(environment: Mapping[str, str], *, is_demo_refused: bool) -> tuple[str, bool]:
    """The cloud, and whether its simulator is ours to run. Raises LaunchRefusedError when the settings contradict each other."""
    cloud = environment.get("VTAPWEB_CLOUD", "").strip()
    if not cloud:
        given = [name for name in AZURE_SETTINGS if environment.get(name, "").strip()]
        if given:
            raise LaunchRefusedError(f"{given[0]} is set, but VTAPWEB_CLOUD is not. Say which Azure it belongs to, for example VTAPWEB_CLOUD=custom.")
        if is_demo_refused:
            raise LaunchRefusedError("--no-demo needs to know which Azure to look at. Say so with VTAPWEB_CLOUD=public, usgov, china or custom.")
        return "simulator", True
    if cloud not in CLOUDS:
        raise LaunchRefusedError(f"VTAPWEB_CLOUD is {cloud!r}. Say public, usgov, china, custom or simulator.")
    has_endpoint = bool(environment.get("VTAPWEB_ARM_ENDPOINT", "").strip())
    if cloud == "custom" and not has_endpoint:
        raise LaunchRefusedError("VTAPWEB_CLOUD=custom needs the address of its Azure Resource Manager in VTAPWEB_ARM_ENDPOINT.")
    if cloud == "simulator" and is_demo_refused and not has_endpoint:
        raise LaunchRefusedError("--no-demo and VTAPWEB_CLOUD=simulator contradict each other. Leave one of them out.")
    return cloud, cloud == "simulator" and not has_endpoint


def choose_socket_dir(data_dir: Path) -> tuple[Path, bool]:
    """Where the queue's socket goes, and whether that is a private directory to remove at the end: the data directory unless its path is too long."""
    directory = data_dir / "run"
    if len(os.fsencode(directory / "valkey.sock")) <= LONGEST_SOCKET_PATH:
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.chmod(0o700)
        return directory, False
    for parent in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), os.sep + "tmp"):
        if parent and Path(parent).is_dir() and os.access(parent, os.W_OK) and len(os.fsencode(parent)) < 70:
            private = Path(tempfile.mkdtemp(prefix="vtapweb-", dir=parent))
            atexit.register(shutil.rmtree, private, ignore_errors=True)  # also when the start ends before it began
            return private, True
    raise LaunchRefusedError(f"The path of the data directory is too long for a socket ({data_dir}). Choose a shorter one with --data-dir.")


def hold_data_dir(data_dir: Path) -> IO[str]:
    """The data directory's lock, held until the returned file closes or this process ends. Raises LaunchRefusedError when somebody else holds it."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # the database in it holds sessions and whole estates
        file = (data_dir / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise LaunchRefusedError(f"The data directory {data_dir} cannot be written ({error.strerror}). Choose another with --data-dir.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise LaunchRefusedError(f"The data directory {data_dir} is in use by {holder}. Stop that one, or choose another with --data-dir.") from None
    file.truncate(0)
    file.write(f"process {os.getpid()}")
    file.flush()
    return file


def bind_data_dir(data_dir: Path, *, environment: Mapping[str, str], cloud: str, runs_simulator: bool, size: str | None) -> str:
    """Binds the directory to its cloud at the first start; returns the simulated estate's size.

    Raises LaunchRefusedError at a later start against another cloud, endpoint, tenant or size: the inventory in it is another estate's.
    """
    path = data_dir / "binding.json"
    endpoint = "" if runs_simulator else environment.get("VTAPWEB_ARM_ENDPOINT", "").strip().rstrip("/").lower()
    wanted = {"cloud": cloud, "endpoint": endpoint, "tenant": environment.get("AZURE_TENANT_ID", "").strip().lower()}
    wanted["size"] = (size or "") if runs_simulator else ""
    if not path.is_file():
        wanted["size"] = (size or "S") if runs_simulator else ""
        candidate = path.with_suffix(".new")
        candidate.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
        candidate.replace(path)
        return wanted["size"]
    bound: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    for name, word in (("cloud", "cloud"), ("endpoint", "endpoint"), ("tenant", "tenant"), ("size", "estate of size")):
        before, now = bound.get(name, ""), wanted[name]
        if before != now and (name in {"cloud", "endpoint"} or (before and now)):
            raise LaunchRefusedError(
                f"The data directory {data_dir} belongs to the {word} {before or 'of its first start'}, not to {now or 'the default one'}."
                " Choose another with --data-dir, or start it as before."
            )
    return bound.get("size") or "S"


def end_quietly_on_signals() -> None:
    """Until the supervisor takes signals over: the end by one is an ordinary exit, which cleans up and shows no traceback."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def decide(arguments: list[str]) -> tuple[Launch, IO[str]]:
    """Everything about this start, with the environment set for it; the second value is the data directory's held lock.

    Raises LaunchRefusedError. Leaves by SystemExit when the arguments are wrong.
    """
    parser = argparse.ArgumentParser(prog="up", add_help=False, allow_abbrev=False)
    add_arguments(parser)
    options, _ = parser.parse_known_args(arguments)
    load_dotenv(Path(os.environ.get("VTAPWEB_ENV_FILE", str(BASE_DIR / ".env"))))
    data_dir = Path(options.data_dir or os.environ.get("VTAPWEB_DATA_DIR", "").strip() or BASE_DIR / "var").resolve()
    cloud, runs_simulator = decide_cloud(os.environ, is_demo_refused=options.no_demo)
    lock = hold_data_dir(data_dir)
    size = bind_data_dir(data_dir, environment=os.environ, cloud=cloud, runs_simulator=runs_simulator, size=options.size)
    runs_valkey = not os.environ.get("REDIS_URL", "").strip()
    socket_dir, is_temporary = choose_socket_dir(data_dir) if runs_valkey else (data_dir, False)
    launch = Launch(
        host=options.host,
        port=options.port,
        data_dir=data_dir,
        size=size,
        runs_simulator=runs_simulator,
        runs_valkey=runs_valkey,
        socket_dir=socket_dir,
        is_socket_dir_temporary=is_temporary,
    )
    os.environ["VTAPWEB_DATA_DIR"] = str(data_dir)
    os.environ["VTAPWEB_CLOUD"] = cloud
    os.environ.setdefault("VTAPWEB_ALLOWED_HOSTS", ",".join(allowed_hosts(options.host)))
    os.environ.pop("VTAPWEB_DEMO_SIGN_IN", None)
    if runs_simulator and is_loopback_host(options.host):
        os.environ["VTAPWEB_DEMO_SIGN_IN"] = "1"
    if runs_valkey:
        os.environ["REDIS_URL"] = f"unix://{launch.valkey_socket}"
    return launch, lock


def listen(host: str, port: int) -> socket.socket:
    """The listening socket of the web pages. The supervisor keeps it open, so that requests wait while the web process is restarted.

    Raises LaunchRefusedError when the port is taken or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise LaunchRefusedError(f"Cannot listen on {host} port {port}: {error}. Choose others with --host and --port.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, PermissionError):
            raise LaunchRefusedError(f"Port {port} needs more rights than this user has. Choose one from 1024 on: --port 8000") from error
        if (isinstance(error, OSError) and error.errno == 98) or "in use" in str(error):
            raise LaunchRefusedError(f"Port {port} on {host} is taken. Stop what listens there, or choose another: --port {port + 1}") from error
        raise LaunchRefusedError(f"Cannot listen on {host} port {port}: {error}. Choose others with --host and --port.") from error
    return listener


def publish_environment(launch: Launch) -> None:
    """Leaves this start's settings for `bin/manage`, readable by the owner only (a token may be among them); gone when `up` ends."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(ADOPTED_PREFIXES)}
    launch.environment_file.unlink(missing_ok=True)
    descriptor = os.open(launch.environment_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"process": os.getpid(), "environment": kept}, file)


def adopt_environment() -> None:
    """For other commands on the data of a running `up`: its settings, where the environment does not say otherwise."""
    load_dotenv(Path(os.environ.get("VTAPWEB_ENV_FILE", str(BASE_DIR / ".env"))))
    data_dir = Path(os.environ.get("VTAPWEB_DATA_DIR", "").strip() or BASE_DIR / "var").resolve()
    try:
        published = json.loads((data_dir / "environment.json").read_text(encoding="utf-8"))
        os.kill(int(published["process"]), 0)
    except (OSError, ValueError, KeyError):
        return
    for name, value in published["environment"].items():
        os.environ.setdefault(name, value)


def clean_up(launch: Launch) -> None:
    """Removes what a finished start leaves nothing of: the published settings, and the private socket directory."""
    launch.environment_file.unlink(missing_ok=True)
    if launch.is_socket_dir_temporary:
        shutil.rmtree(launch.socket_dir, ignore_errors=True)
