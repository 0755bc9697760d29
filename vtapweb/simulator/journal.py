"""What an estate has become since it was built, kept in SQLite so that it survives a restart. One transaction a change.

Only documents that differ from the built estate are kept, and what is denied or lacking. Faults are not: a restart ends them.
"""

import fcntl
import sqlite3
from hashlib import blake2b
from pathlib import Path

import orjson

from vtapweb.simulator.documents import Kind
from vtapweb.simulator.estate import Document, Estate, fold

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS document (
    key TEXT PRIMARY KEY, is_removed INTEGER NOT NULL, arm_id TEXT, kind TEXT, subscription_id TEXT, resource_group TEXT,
    ordinal INTEGER, revision INTEGER, body BLOB, power_state TEXT
);
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
        estate.take_changes()

    def save(self, estate: Estate) -> None:
        """Keep what has changed since the last time."""
        rows = [
            (key, 1, None, None, None, None, None, None, None, None)
            if held is None
            else (key, 0, held.arm_id, held.kind, held.subscription_id, held.group, held.ordinal, held.revision, held.body, held.power_state)
            for key, held in estate.take_changes().items()
        ]
        switches = orjson.dumps({"denied": sorted(estate.denied), "lacking": sorted(estate.lacking)}).decode()
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute("INSERT OR REPLACE INTO setting VALUES ('switches', ?)", [switches])

    def clear(self) -> None:
        """Forget every change."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM document")
            connection.execute("DELETE FROM setting WHERE name = 'switches'")

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


def _edition(estate: Estate) -> str:
    """A digest of the built estate: another story means another edition."""
    digest = blake2b(digest_size=16)
    for kind in Kind:
        for held in estate.all_of(kind):
            digest.update(fold(held.arm_id).encode())
            digest.update(held.body)
    return digest.hexdigest()
