"""The command ``salesforce-bulk-simulator``."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from .auth.login_hosts import MY_DOMAIN
from .data.generate import generate_rows
from .http.certificates import Certificate, make_certificate
from .jobs.progression import Progression
from .org import Org
from .serving import running
from .switches import Switches


def _row_count(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    counts = {}
    for value in values:
        name, _, count = value.partition("=")
        if not count.isdigit():
            raise click.BadParameter(f"{value!r} is not of the form OBJECT=COUNT, such as Account=1000")
        counts[name] = int(count)
    return counts


def _switch_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add one option for every switch of the org."""
    for switch in reversed(fields(Switches)):
        name = switch.name.replace("_", "-")
        is_flag = isinstance(switch.default, bool)
        option = click.option(
            f"--{name}/--no-{name}" if is_flag else f"--{name}",
            default=switch.default,
            show_default=True,
            type=click.Choice([204, 412]) if switch.name == "not_ready_status" else None,
            help=switch.metadata["help"],
        )
        command = option(command)
    return command


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, help="Port to listen on; 0 picks a free one.")
@click.option(
    "--rows", multiple=True, callback=_row_count, metavar="OBJECT=COUNT", help="Generate rows, e.g. Account=1000."
)
@click.option(
    "--objects",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="YAML file that declares additional objects.",
)
@click.option(
    "--describe",
    type=click.Path(exists=True, file_okay=False),
    help="Folder with describe responses of a real org, one JSON file per object.",
)
@click.option("--database", type=click.Path(dir_okay=False), help="SQLite file to keep the rows in. Default: memory.")
@click.option("--seconds", default=0.0, show_default=True, help="Seconds that a job spends in each state.")
@click.option("--looks", default=0, show_default=True, help="Polls that find a job in each state.")
@click.option("--tls", is_flag=True, help="Serve HTTPS, with a certificate for Salesforce's host names.")
@click.option(
    "--tls-directory",
    default="salesforce-bulk-simulator-tls",
    show_default=True,
    type=click.Path(file_okay=False),
    help="Folder of the certificate, which is created there if it does not exist.",
)
@_switch_options
def main(
    host: str,
    port: int,
    rows: dict[str, int],
    objects: tuple[str, ...],
    describe: str | None,
    database: str | None,
    seconds: float,
    looks: int,
    tls: bool,  # noqa: FBT001  click passes it by name
    tls_directory: str,
    **switches: Any,
) -> None:
    """Serve a simulated Salesforce org until interrupted.

    Prints its URL and a connection config, as one JSON object, once it is ready.
    """
    if seconds and looks:
        raise click.UsageError("--seconds and --looks exclude each other: set one of them")
    try:
        org = Org(
            objects=[Path(each) for each in objects],
            describes=describe,
            database=database,
            progression=Progression(seconds_per_state=seconds, looks_per_state=looks),
            **switches,
        )
        for name, count in rows.items():
            generate_rows(org, name, count)
        certificate = make_certificate(tls_directory) if tls else None
    except (ValueError, KeyError, OSError) as error:
        raise click.ClickException(str(error)) from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with running(org, host=host, port=port, certificate=certificate) as url:
            click.echo(f"Salesforce simulator on {url}")
            click.echo(json.dumps(connection_config(org, url)))
            if certificate:
                click.echo(how_to_trust(certificate), err=True)
            stop.wait()
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error}") from error


def how_to_trust(certificate: Certificate) -> str:
    """Return instructions for making clients with hard-coded host names reach and trust the simulator."""
    authority = certificate.authority.resolve()
    return f"""\
To trust the certificate in one shell, for Python, curl, OpenSSL and Node.js:
  export REQUESTS_CA_BUNDLE={authority} SSL_CERT_FILE={authority} NODE_EXTRA_CA_CERTS={authority}
To direct clients with hard-coded hosts here, add a line to /etc/hosts (and use --port 443):
  127.0.0.1 login.salesforce.com test.salesforce.com {MY_DOMAIN}
To stop trusting it, delete {authority.parent}. The key that signed it was not kept."""


def connection_config(org: Org, url: str) -> dict[str, str]:
    """Return the settings with which the tap and the target connect to an org."""
    return {
        "login_url": url,
        "client_id": org.client_id,
        "client_secret": org.client_secret,
        "refresh_token": min(org.sessions.refresh_tokens),
    }
