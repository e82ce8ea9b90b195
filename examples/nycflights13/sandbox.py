"""A sandbox: a PostgreSQL, a simulated Salesforce, and the project's own meltano.yml pointed at the two."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from salesforce_bulk_client import ConnectionConfig, SalesforceClient

from examples.nycflights13.postgres import connection_string, running_postgres
from examples.nycflights13.processes import free_port, is_listening, run, running

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
OBJECTS = PROJECT / "examples" / "nycflights13" / "salesforce.yml"
PLUGINS = ("tap-salesforce-bulk", "target-salesforce-bulk", "tap-postgres", "target-postgres")


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Two servers, and a folder for all that is written."""

    folder: Path
    salesforce_url: str
    postgres: dict[str, str]
    """The PG… variables of the database."""

    @property
    def database_url(self) -> str:
        return connection_string(self.postgres)

    def salesforce(self) -> SalesforceClient:
        """Return a client of the simulated org, to be closed."""
        settings = {"login_url": self.salesforce_url, "client_id": "sim-client", "refresh_token": "sim-refresh"}
        return SalesforceClient(ConnectionConfig.from_settings(settings))

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def outcomes(self) -> Path:
        """The target's results_dir."""
        return self.folder / "outcomes"

    def outcome_files(self) -> list[Path]:
        """Return the target's outcome files, oldest first."""
        return sorted(self.outcomes.glob("outcomes-*.jsonl"), key=lambda file: file.stat().st_mtime_ns)

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables that point meltano.yml at this sandbox."""
        return {
            **self.postgres,
            "TAP_SALESFORCE_BULK_LOGIN_URL": self.salesforce_url,
            "TARGET_SALESFORCE_BULK_LOGIN_URL": self.salesforce_url,
            "TARGET_SALESFORCE_BULK_RESULTS_DIR": str(self.outcomes),
            "MELTANO_PROJECT_ROOT": str(PROJECT),
            "MELTANO_DATABASE_URI": f"sqlite:///{self.folder / 'meltano.db'}",
            "MELTANO_ENVIRONMENT": "dev",
            "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "1"),  # as scripts/install does
        }

    def meltano(self, *arguments: str, log: str) -> None:
        """Run a Meltano command in the project.

        Raises: CommandFailed
        """
        run(
            [str(BIN / "meltano"), *arguments],
            log=self.logs / log,
            env={**os.environ, **self.settings, "NO_COLOR": "1"},
            cwd=PROJECT,
        )

    def report(self, *options: str) -> str:
        """Return what ``salesforce-bulk report`` prints of the target's runs.

        Raises: CommandFailed
        """
        log = self.logs / "report.log"
        run([str(BIN / "salesforce-bulk"), "report", str(self.outcomes), *options], log=log)
        return log.read_text(encoding="utf-8")


@contextmanager
def running_sandbox(folder: Path) -> Iterator[Sandbox]:
    """Start both servers; ``folder`` is empty. The database is gone afterwards, Salesforce's rows stay in a file."""
    logs = folder / "logs"
    logs.mkdir(parents=True)
    port = free_port()
    simulator = [
        str(BIN / "salesforce-bulk-simulator"),
        *("--port", str(port), "--objects", str(OBJECTS), "--database", str(folder / "salesforce.db")),
    ]
    with (
        # Not below the project: as root, PostgreSQL becomes another user, who may not look everywhere.
        tempfile.TemporaryDirectory(prefix="nycflights13-", ignore_cleanup_errors=True) as database,
        running_postgres(Path(database), log=logs / "postgres.log") as postgres,
        running(simulator, is_ready=lambda: is_listening(port), log=logs / "simulator.log"),
    ):
        yield Sandbox(folder=folder, salesforce_url=f"http://127.0.0.1:{port}", postgres=postgres)
