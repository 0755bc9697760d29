"""`sync`: writing an estate of size L (20 subscriptions, 1,000 VNets, 50,000 NICs, 5,000 peerings) into SQLite, beyond collecting it.

    prebuilt pages --vtapweb.cloud.parsing--> items            collecting alone: the same pages parsed and dropped
    prebuilt pages --vtapweb.cloud.parsing--> items --> sync   collecting and syncing: the difference is the sync's own time

The reference of the first write is plain executemany, 1,000 rows a transaction, of the very rows that the sync wrote, into an empty database
of the same tables and indexes, in the same process. CPU seconds of one process; the better of two rounds.
"""

import gc
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import Result

CHANGED_SHARE = 0.01
ROUNDS = 2
BATCH = 1_000
LIMITS = {"first": 4.0, "unchanged": 1.5, "changed": 2.0}


def run() -> Iterator[Result]:
    rounds = [_round() for _ in range(ROUNDS)]
    best = {name: min(one[name] for one in rounds) for name in ("unchanged_s", "changed_s", "collect_s")}
    first = min(rounds, key=lambda one: one["first_s"] / one["executemany_s"])
    yield Result(
        name="sync: first write",
        value=first["first_s"],
        unit="s",
        limit=LIMITS["first"],
        reference=f"executemany of the same {first['rows']:.0f} rows",
        reference_value=first["executemany_s"],
        limit_on_ratio=True,
    )
    for name, words in (("unchanged", "nothing changed"), ("changed", "1 % changed")):
        yield Result(
            name=f"sync: {words}, beyond collecting",
            value=best[f"{name}_s"],
            unit="s",
            limit=LIMITS[name],
            reference="collecting alone",
            reference_value=best["collect_s"],
        )
    yield Result(name="sync: longest write transaction", value=min(one["longest_s"] for one in rounds), unit="s", limit=2.0)


def _round() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="vtapweb-bench-") as directory:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VTAPWEB_") and name != "DATABASE_URL"}
        environment = {**kept, "VTAPWEB_DATA_DIR": directory, "VTAPWEB_ENV_FILE": os.devnull, "REDIS_URL": "", "VTAPWEB_LOG_LEVEL": "ERROR"}
        environment["DJANGO_SETTINGS_MODULE"] = "vtapweb.config.settings"
        command = [sys.executable, "-m", "benchmarks.sync", directory]
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        figures: dict[str, float] = json.loads(output.splitlines()[-1])
        return figures


class PrebuiltAzure:
    """Implements vtapweb.cloud.port.Cloud over pages that are bytes already, parsed as `vtapweb.cloud` parses them."""

    def __init__(self, pages: dict[tuple[str, str], list[bytes]]) -> None:
        self.page_bytes = pages

    def identity(self) -> Any:
        from vtapweb.cloud.types import Identity

        return Identity(cloud="simulator", endpoint="http://127.0.0.1")

    def subscriptions(self) -> Iterator[Any]:
        from vtapweb.cloud import parsing

        yield from self._parsed(parsing.SUBSCRIPTIONS, self.page_bytes["subscriptions", ""])

    def pages(self, kind: Any, subscription_id: str) -> Iterator[Any]:
        from vtapweb.cloud import parsing

        yield from self._parsed(parsing.READERS[kind], self.page_bytes[str(kind), subscription_id])

    def scale_set_network_interfaces(self, _scale_set_id: str) -> Iterator[Any]:
        yield from ()

    def close(self) -> None:
        """There is nothing to give back."""

    @staticmethod
    def _parsed(reader: Any, bodies: list[bytes]) -> Iterator[Any]:
        from vtapweb.cloud.parsing import parse_page
        from vtapweb.cloud.types import Page

        for body in bodies:
            page = parse_page(reader, body)
            unread = tuple(page.not_understood)
            yield Page(items=tuple(page.items), not_understood=unread, sent_count=len(page.items) + len(unread))


def build_pages() -> dict[tuple[str, str], list[bytes]]:
    """{(kind, subscription): page bodies} of the simulator's estate L; the list of subscriptions is under ("subscriptions", "")."""
    from vtapweb.cloud.versions import LISTINGS, SUBSCRIPTIONS
    from vtapweb.simulator.estates import builder_of
    from vtapweb.simulator.server import Server

    server = Server(builder_of("L")(), page_size=1_000)
    base = "http://127.0.0.1:1"
    pages = {("subscriptions", ""): list(server.pages(base, f"{SUBSCRIPTIONS.path}?api-version={SUBSCRIPTIONS.api_version}"))}
    listed = [one["subscriptionId"] for body in pages["subscriptions", ""] for one in json.loads(body)["value"]]
    for subscription_id in listed:
        for kind, listing in LISTINGS.items():
            query = f"api-version={listing.api_version}" + (f"&{listing.query}" if listing.query else "")
            path = f"/subscriptions/{subscription_id}{listing.path}?{query}"
            pages[str(kind), subscription_id.lower()] = list(server.pages(base, path))
    return pages


def change_some(pages: dict[tuple[str, str], list[bytes]]) -> dict[tuple[str, str], list[bytes]]:
    """The pages with another tag on every hundredth NIC."""
    import orjson

    dice, changed = random.Random(7), dict(pages)  # noqa: S311 (a choice of rows)
    for (kind, subscription_id), bodies in pages.items():
        if kind == "network_interfaces":
            changed[kind, subscription_id] = made = []
            for body in bodies:
                page = orjson.loads(body)
                for item in page["value"]:
                    if dice.random() < CHANGED_SHARE:
                        item["tags"] = {**(item.get("tags") or {}), "touched": "yes"}
                made.append(orjson.dumps(page))
    return changed


def measure(directory: str) -> dict[str, float]:
    """One round in this process; seconds of CPU by name."""
    import django

    django.setup()
    from django.core.management import call_command

    pages = build_pages()
    call_command("migrate", verbosity=0)
    gc.freeze()
    azure, azure_changed = PrebuiltAzure(pages), PrebuiltAzure(change_some(pages))
    collect_s = min(_cpu(lambda: _collect(azure)) for _ in range(2))
    longest = _watch_transactions()
    first_s = _cpu(lambda: _sync(azure)) - collect_s
    tables = _stored_rows()
    unchanged_s = min(_cpu(lambda: _sync(azure)) for _ in range(2)) - collect_s
    changed_s = _cpu(lambda: _sync(azure_changed)) - collect_s
    executemany_s = _executemany(tables, Path(directory) / "reference.sqlite3")
    return {
        "collect_s": collect_s,
        "first_s": first_s,
        "unchanged_s": unchanged_s,
        "changed_s": changed_s,
        "executemany_s": executemany_s,
        "rows": sum(len(rows) for _, _, rows in tables),
        "longest_s": max(longest),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _cpu(work: Any) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _collect(azure: PrebuiltAzure) -> None:
    from vtapweb.cloud.port import ReadKind

    for page in azure.subscriptions():
        for subscription in page.items:
            for kind in ReadKind:
                for _page in azure.pages(kind, subscription.subscription_id):
                    pass


def _sync(azure: PrebuiltAzure) -> None:
    from vtapweb.inventory.actions import sync_run_in_foreground

    run = sync_run_in_foreground(subscription_ids=None, actor="the benchmark", opener=lambda: azure)
    if run.state != "complete":
        raise RuntimeError(f"the sync was {run.state}: {run.message}")


def _watch_transactions() -> list[float]:
    """Seconds of wall time from each BEGIN to its COMMIT, as they come."""
    from django import db

    connection: Any = db.connection
    seconds: list[float] = [0.0]
    begun = [0.0]

    original_begin, original_commit = connection._start_transaction_under_autocommit, connection._commit

    def begin() -> None:
        original_begin()
        begun[0] = time.perf_counter()

    def commit() -> Any:
        try:
            return original_commit()
        finally:
            seconds.append(time.perf_counter() - begun[0])

    connection._start_transaction_under_autocommit = begin
    connection._commit = commit
    return seconds


def _stored_rows() -> list[tuple[str, list[str], list[tuple[Any, ...]]]]:
    """(table, columns, rows) of everything the first sync wrote, the record of changes included."""
    from django.db import connection

    from vtapweb.inventory.models import ResourceChange
    from vtapweb.inventory.selectors import MODELS

    found = []
    written: list[Any] = [*MODELS.values(), ResourceChange]
    with connection.cursor() as cursor:
        for model in written:
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')  # noqa: S608 (names of our own tables)
            found.append((model._meta.db_table, [column[0] for column in cursor.description], cursor.fetchall()))
    return found


def _executemany(tables: list[tuple[str, list[str], list[tuple[Any, ...]]]], path: Path) -> float:
    """CPU seconds of inserting the rows into an empty database of the same schema, 1,000 a transaction."""
    import sqlite3

    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name LIKE 'inventory_%' AND sql IS NOT NULL ORDER BY type DESC")
        schema = [row[0] for row in cursor.fetchall()]
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536"):
        database.execute(f"PRAGMA {pragma}")
    for statement in schema:
        database.execute(statement)

    def write() -> None:
        for table, columns, rows in tables:
            sql = f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(columns))})'  # noqa: S608 (names of our own tables)
            for start in range(0, len(rows), BATCH):
                database.execute("BEGIN IMMEDIATE")
                database.executemany(sql, rows[start : start + BATCH])
                database.execute("COMMIT")

    seconds = _cpu(write)
    database.close()
    return seconds


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
