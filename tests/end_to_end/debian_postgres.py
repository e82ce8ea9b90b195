"""A real PostgreSQL server for a test: Debian's, with a data folder of its own, as a user without privileges."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.nycflights13.postgres import answers
from examples.nycflights13.processes import free_port, running

DEBIAN = Path("/usr/lib/postgresql")


def find_programs() -> Path | None:
    """Return the folder of the newest server's programs, if one is installed."""
    versions = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).parent if elsewhere else None


@contextmanager
def running_server(programs: Path, *, folder: Path, log: Path) -> Iterator[dict[str, str]]:
    """Run a server with its data in an empty folder; gives the PG… variables by which it is found.

    It listens on 127.0.0.1 only and wants a password. As root it becomes another user, as it has to.
    """
    password = secrets.token_hex(16)
    password_file = folder / "password"
    password_file.write_text(password)
    become = []
    if os.geteuid() == 0:
        user = _unprivileged_user()
        for path in (folder, password_file):
            shutil.chown(path, user.pw_uid, user.pw_gid)
        become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    data = folder / "data"
    subprocess.run(
        [
            *become,
            programs / "initdb",
            *("--pgdata", data, "--username", "postgres", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
            *("--auth", "scram-sha-256", "--pwfile", password_file),
        ],
        capture_output=True,
        check=True,
        cwd=folder,
    )
    variables = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(free_port()),
        "PGUSER": "postgres",
        "PGPASSWORD": password,
        "PGDATABASE": "postgres",
    }
    # -k "": no socket; its path would have to be short. fsync: the data are thrown away at the end.
    server = [*become, str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", variables["PGPORT"]]
    with running([*server, "-k", "", "-c", "fsync=off"], is_ready=lambda: answers(variables), log=log):
        yield variables


def _unprivileged_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
