# mypy: disable-error-code="import-not-found"
"""Running Singer programs in a task: secrets by the environment, quotas as a pause, the program's log as the task's."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowRescheduleException

from singer_steps.extraction import open_private

logger = logging.getLogger(__name__)

EXIT_QUOTA = 75
"""The tap's and the target's exit code for a quota: the same command goes on later."""

QUOTA_WAIT = timedelta(seconds=float(os.environ.get("SALESFORCE_QUOTA_WAIT_S", "3600")))
"""Salesforce counts API requests over the last 24 hours, so some become free each hour."""

RETRY_DELAY = timedelta(seconds=float(os.environ.get("SINGER_RETRY_DELAY_S", "300")))

SALESFORCE = {"host": "domain", "login": "client_id", "password": "client_secret"}
POSTGRES = {"host": "host", "port": "port", "login": "user", "password": "password", "schema": "database"}
"""A connection's fields, and the settings that they are. Other settings stand in its extra, by their names."""


def settings_of(connection_id: str, *, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that an Airflow connection holds; none if there is no such connection.

    Then the environment of the worker has them (``TARGET_SALESFORCE_BULK_CLIENT_ID`` …). Airflow masks what is secret
    in a connection in its logs.
    """
    try:
        connection = Connection.get(connection_id)
    except AirflowNotFoundException:
        return {}
    fields = {setting: getattr(connection, field) for field, setting in names.items()}
    return {setting: value for setting, value in {**fields, **connection.extra_dejson}.items() if value is not None}


def run(
    command: Sequence[str],
    *,
    settings_for: str = "",
    settings: Mapping[str, Any],
    stdin: Path | None = None,
    stdout: Path | None = None,
) -> None:
    """Run a program to its end, with settings in its environment as the plugin ``settings_for`` reads them.

    ``stdout`` is appended to. Raises: AirflowRescheduleException after a quota; AirflowException.
    """
    prefix = (settings_for or command[0]).upper().replace("-", "_")
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([os.environ.get("SINGER_PATH", ""), os.environ["PATH"]]),
        **{f"{prefix}_{name.upper()}": _as_text(value) for name, value in settings.items()},
    }
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise AirflowException(f"there is no {command[0]}: name the folders of your Singer programs in SINGER_PATH")
    with (
        stdin.open("rb") if stdin else nullcontext(subprocess.DEVNULL) as source,
        open_private(stdout, "ab") if stdout else nullcontext(subprocess.PIPE) as sink,
        subprocess.Popen(
            [program, *command[1:]],
            env=environment,
            stdin=source,
            stdout=sink,
            stderr=subprocess.PIPE if stdout else subprocess.STDOUT,
        ) as process,
        _ending_with_the_task(process),
    ):
        for line in process.stderr or process.stdout or ():
            logger.info("%s", line.decode(errors="replace").rstrip())
    if process.returncode == EXIT_QUOTA:
        raise AirflowRescheduleException(datetime.now(UTC) + QUOTA_WAIT)
    if process.returncode:
        raise AirflowException(f"{command[0]} ended with exit code {process.returncode}: its last lines say why")


@contextmanager
def _ending_with_the_task(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let the program end in order when Airflow ends the task: by a signal, and soon after by SIGKILL."""
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        yield
    except BaseException:
        process.terminate()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
