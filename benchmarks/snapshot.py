"""`GET /api/v1/topology` at L (1,000 VNets, 50,000 NICs, 5,000 mirrors): warm, cold, for everybody and for a limited viewer, and its size.

The reference is a bare ASGI function that sends the same bytes: what any server has to do at least.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from benchmarks import Result

SAMPLES = 15
LIMITED_TO = 10  # subscriptions of twenty
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


def run() -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="vtapweb-bench-") as folder:
        os.environ.update(
            {"VTAPWEB_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3"}
        )
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.REDIS_URL = ""
        call_command("migrate", verbosity=0)
        yield from _measured()


def _measured() -> Iterator[Result]:
    from tests.domain.estates import SIZES, numbered
    from tests.topology.estate_rows import fill
    from tests.topology.people import bearer
    from vtapweb.topology.actions import topology_refresh

    subscription_ids = fill(numbered(*SIZES["L"]))
    started = time.perf_counter()
    topology_refresh()
    yield Result(name="topology first refresh at L", value=time.perf_counter() - started, unit="s", limit=60)
    started = time.perf_counter()
    topology_refresh()
    yield Result(name="topology refresh without a change at L", value=time.perf_counter() - started, unit="s", limit=10)
    everything, limited = bearer(), bearer(*subscription_ids[:LIMITED_TO])
    yield from asyncio.run(_served(everything, limited))


async def _served(everything: dict[str, str], limited: dict[str, str]) -> list[Result]:
    from asgiref.sync import sync_to_async
    from django.core.cache import cache

    from vtapweb.config.asgi import application

    product: Any = application
    results = []
    for name, headers in (("all", everything), ("half", limited)):
        cold = []
        for _ in range(3):
            await sync_to_async(cache.clear)()
            seconds, body = await _get(product, headers)
            cold.append(seconds)
        warm = [(await _get(product, headers))[0] for _ in range(SAMPLES)]

        async def bare(_scope: dict[str, Any], _receive: Receive, send: Send, body: bytes = body) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-encoding", b"gzip")]})
            await send({"type": "http.response.body", "body": body})

        reference = [(await _get(bare, headers))[0] for _ in range(SAMPLES)]
        against: dict[str, Any] = {"reference": "the same bytes from a bare ASGI function", "reference_value": statistics.median(reference) * 1000}
        results += [
            Result(name=f"topology warm ({name})", value=statistics.median(warm) * 1000, unit="ms", limit=20, **against),
            Result(name=f"topology cold ({name})", value=statistics.median(cold) * 1000, unit="ms", limit=1500, **against),
            Result(name=f"topology size ({name})", value=len(body) / 1000, unit="kB gzip", limit=450),
        ]
    return results


async def _get(application: Application, headers: dict[str, str]) -> tuple[float, bytes]:
    """Seconds until the last byte, and the bytes."""
    sent = [(b"host", b"localhost"), (b"accept-encoding", b"gzip"), *((name.lower().encode(), text.encode()) for name, text in headers.items())]
    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/topology", "raw_path": b"/api/v1/topology", "query_string": b"", "http_version": "1.1",
        "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1),
        "headers": sent,
    }  # fmt: skip
    parts: list[bytes] = []
    request = iter([{"type": "http.request", "body": b"", "more_body": False}])
    never = asyncio.Event()

    async def receive() -> dict[str, Any]:
        message = next(request, None)
        if message is None:
            await never.wait()
        return message or {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"the API answered {message['status']}")
        parts.append(message.get("body", b""))

    started = time.perf_counter()
    await application(scope, receive, send)
    return time.perf_counter() - started, b"".join(parts)
