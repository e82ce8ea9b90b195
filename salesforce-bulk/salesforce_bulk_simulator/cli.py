"""The program ``salesforce-bulk-simulator``."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import click

from .generate import generate_rows
from .org import Org
from .progression import Progression
from .server import running


def _row_count(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    counts = {}
    for value in values:
        name, _, count = value.partition("=")
        if not count.isdigit():
            raise click.BadParameter(f"{value!r} is not of the form Account=1000")
        counts[name] = int(count)
    return counts


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--rows", multiple=True, callback=_row_count, metavar="OBJECT=COUNT", help="Make rows, e.g. Account=1000."
)
@click.option(
    "--objects", multiple=True, type=click.Path(exists=True, dir_okay=False), help="YAML file that declares objects."
)
@click.option("--database", type=click.Path(dir_okay=False), help="SQLite file that keeps the rows. Default: memory.")
@click.option("--seconds", default=0.0, show_default=True, help="Seconds a job spends in each state.")
def main(
    host: str, port: int, rows: dict[str, int], objects: tuple[str, ...], database: str | None, seconds: float
) -> None:
    """Serve a simulated Salesforce org until interrupted.

    Prints its URL and a ready connection config, as one JSON object, when it is up.
    """
    try:
        org = Org(
            objects=[Path(each) for each in objects],
            database=database,
            progression=Progression.seconds(seconds) if seconds else Progression.immediate(),
        )
        for name, count in rows.items():
            generate_rows(org, name, count)
    except (ValueError, KeyError, OSError) as error:
        raise click.ClickException(str(error)) from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with running(org, host=host, port=port) as url:
            click.echo(f"Salesforce simulator on {url}")
            click.echo(json.dumps(connection_config(org, url)))
            stop.wait()
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error}") from error


def connection_config(org: Org, url: str) -> dict[str, str]:
    """Return the settings with which the tap and the target reach an org."""
    return {
        "login_url": url,
        "client_id": org.client_id,
        "client_secret": org.client_secret,
        "refresh_token": min(org.sessions.refresh_tokens),
    }
