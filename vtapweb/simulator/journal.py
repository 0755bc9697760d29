"""What an estate has become since it was built, kept in SQLite so that it survives a restart. One transaction a change.

Documents that differ from the built estate are kept, what is denied, lacking or locked, the operations under way and the log of writes.
Faults are not: a restart ends them.
"""

import fcntl
import sqlite3
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

import orjson

from vtapweb.simulator.documents import Kind
from vtapweb.simulator.estate import Document, Estate, fold
from vtapweb.simulator.operations import Operation, Operations
from vtapweb.simulator.write_log import KEPT, Write, WriteLog

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS document (
    key TEXT PRIMARY KEY, is_removed INTEGER NOT NULL, arm_id TEXT, kind TEXT, subscription_id TEXT, resource_group TEXT,
    ordinal INTEGER, revision INTEGER, body BLOB, power_state TEXT
);
CREATE TABLE IF NOT EXISTS operation (id TEXT PRIMARY KEY, number INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS written (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
"""


class JournalError(Exception):
    """The state directory belongs to something else."""


class Journal:
    """The journal of one state directory, made where there is none.

    Raises JournalError for the directory of another size, and for one that another simulator is using.
    """

    def __init__(self, directory: Path, estate: Estate) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = (directory / "simulator.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise JournalError(f"{directory} is in use by another simulator.") from error
        self._switches = ""
        self._connection = sqlite3.connect(directory / "simulator.sqlite3", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(SCHEMA)
        size = self._setting("size")
        if size not in (None, estate.size):
            self.close()
            raise JournalError(f"{directory} holds the state of estate {size}, not {estate.size}. Choose that size, or another --state-dir.")
        edition = _edition(estate)
        if self._setting("edition") not in (None, edition):
            self.clear()  # the built estate itself is another one now, what was kept does not fit it
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?)", [("size", estate.size), ("edition", edition)])

    def load(self, estate: Estate) -> None:
        """Bring a freshly built estate to where it was."""
        rows = self._connection.execute(
            "SELECT key, is_removed, arm_id, kind, subscription_id, resource_group, ordinal, revision, body, power_state FROM document"
        )
        for key, is_removed, arm_id, kind, subscription_id, group, ordinal, revision, body, power_state in rows.fetchall():
            held = estate.get(key)
            if is_removed and held is not None:
                estate.remove(held)
            elif not is_removed:
                estate.restore(Document(arm_id, Kind(kind), subscription_id, group, ordinal, revision, body, power_state))
        switches = self._setting("switches")
        if switches is not None:
            held_switches = orjson.loads(switches)
            estate.denied = {(subscription_id, kind) for subscription_id, kind in held_switches["denied"]}
            estate.lacking = set(held_switches["lacking"])
            if "locks" in held_switches:  # a journal of before there were writes has none of these
                estate.locks, estate.features = held_switches["locks"], held_switches["features"]
                estate.readers = set(held_switches["readers"])
                estate.made_at, estate.started_at = held_switches["made_at"], held_switches["started_at"]
        self._switches = _switches_of(estate)
        estate.take_changes()

    def load_writes(self, operations: Operations, log: WriteLog) -> None:
        """Bring operations and the log of writes to where they were."""
        with self._transaction() as connection:
            for table in ("operation", "written"):
                connection.execute(f"DELETE FROM {table} WHERE number <= (SELECT max(number) FROM {table}) - ?", [KEPT])  # noqa: S608 (two names of ours)
        rows = self._connection.execute("SELECT body FROM operation ORDER BY number").fetchall()
        held = [orjson.loads(body) for (body,) in rows]
        for one in held:
            one["fails_with"] = tuple(one["fails_with"]) if one["fails_with"] else None
        operations.restore(Operation(**one) for one in held)
        log.restore(Write(**orjson.loads(body)) for (body,) in self._connection.execute("SELECT body FROM written ORDER BY number"))

    def save(self, estate: Estate, operations: Operations, log: WriteLog) -> None:
        """Keep what has changed since the last time; nothing is written when nothing has."""
        rows = [
            (key, 1, None, None, None, None, None, None, None, None)
            if held is None
            else (key, 0, held.arm_id, held.kind, held.subscription_id, held.group, held.ordinal, held.revision, held.body, held.power_state)
            for key, held in estate.take_changes().items()
        ]
        switches = _switches_of(estate)
        begun = [(one.operation_id, one.write_number, orjson.dumps(asdict(one))) for one in operations.take_changes()]
        written = [(write.number, orjson.dumps(asdict(write))) for write in log.take_changes()]
        if not (rows or begun or written) and switches == self._switches:
            return
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT OR REPLACE INTO operation VALUES (?, ?, ?)", begun)
            connection.executemany("INSERT OR REPLACE INTO written VALUES (?, ?)", written)
            connection.execute("INSERT OR REPLACE INTO setting VALUES ('switches', ?)", [switches])
        self._switches = switches

    def clear_log(self) -> None:
        """Forget the log of writes."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM written")

    def clear(self) -> None:
        """Forget every change."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM document")
            connection.execute("DELETE FROM operation")
            connection.execute("DELETE FROM written")
            connection.execute("DELETE FROM setting WHERE name = 'switches'")
        self._switches = ""

    def close(self) -> None:
        self._connection.close()
        self._lock.close()

    def _setting(self, name: str) -> str | None:
        row = self._connection.execute("SELECT value FROM setting WHERE name = ?", [name]).fetchone()
        return None if row is None else str(row[0])

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._connection)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when something is raised."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if error_type is None else "ROLLBACK")


def _switches_of(estate: Estate) -> str:
    switches = {
        "denied": sorted(estate.denied),
        "lacking": sorted(estate.lacking),
        "readers": sorted(estate.readers),
        "locks": estate.locks,
        "features": estate.features,
        "made_at": estate.made_at,
        "started_at": estate.started_at,
    }
    return orjson.dumps(switches).decode()


def _edition(estate: Estate) -> str:
    """A digest of the built estate: another story means another edition."""
    digest = blake2b(digest_size=16)
    for kind in Kind:
        for held in estate.all_of(kind):
            digest.update(fold(held.arm_id).encode())
            digest.update(held.body)
    return digest.hexdigest()
